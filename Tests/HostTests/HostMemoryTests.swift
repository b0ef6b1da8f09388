import Glibc
import GuestMemory
import Host
import Testing

@Suite struct HostMemoryTests {
    @Test(arguments: [1 << 20, 128 << 20, (128 << 20) + 4096] as [UInt64])
    func init_anyMultipleOf4KiB_isZeroWritableAndAligned(size: UInt64) throws {
        let memory = try HostMemory(size: size)
        #expect(memory.size == size)
        #expect(UInt(bitPattern: memory.base) % UInt(HostMemory.hugePageSize) == 0)
        #expect(memory.bytes[0] == 0 && memory.bytes[Int(size) - 1] == 0)
        memory.bytes[Int(size) - 1] = 0x5A
        var byte: UInt8 = 0
        #expect(pread(memory.descriptor, &byte, 1, off_t(size) - 1) == 1)
        #expect(byte == 0x5A)
    }

    @Test func init_sizeIsSealed() throws {
        let memory = try HostMemory(size: 1 << 20)
        #expect(ftruncate(memory.descriptor, 4096) == -1 && errno == EPERM)
        #expect(ftruncate(memory.descriptor, 2 << 20) == -1 && errno == EPERM)
        #expect(fcntl(memory.descriptor, F_GETFD) == FD_CLOEXEC)
    }

    @Test(arguments: [0, 1, 4095, 4097, (1 << 20) + 512] as [UInt64])
    func init_notAMultipleOf4KiB_isRefused(size: UInt64) {
        let error = #expect(throws: HostError.self) { _ = try HostMemory(size: size) }
        #expect(error?.description.contains("multiple of 4096") == true)
    }

    @Test(arguments: [UInt64.max - 4095, 1 << 62, 1 << 50])
    func init_moreThanTheHostHas_isRefusedWithTheFigure(size: UInt64) {
        let error = #expect(throws: HostError.self) { _ = try HostMemory(size: size) }
        let figure = ByteCount(HostMemory.hostCapacity()).description
        #expect(error?.description.contains("this host has \(figure)") == true)
    }

    @Test(.enabled(if: HostMemory.hostCapacity() > 5 << 30, "this host has no 5 GiB"))
    func regions_fiveGiB_goAroundTheHole() throws {
        let memory = try HostMemory(size: 5 << 30)
        let regions = memory.regions(holeStart: 0xC000_0000)
        #expect(regions.map(\.guestAddress) == [0, 1 << 32])
        #expect(regions.map(\.size) == [3 << 30, 2 << 30])
        let guest = GuestMemory(regions: regions)
        try guest.write(0x1234 as UInt16, at: (6 << 30) - 2)
        #expect(memory.base.load(fromByteOffset: (5 << 30) - 2, as: UInt16.self) == 0x1234)
        #expect(!guest.contains(0xC000_0000, count: 1))
        // Nothing but the touched page may be set aside: a 5 GiB guest starts as fast as a small one.
        var status = stat()
        #expect(fstat(memory.descriptor, &status) == 0)
        #expect(status.st_blocks * 512 <= 2 << 20)
    }

    @Test(arguments: [128 << 20, 0xC000_0000] as [UInt64])
    func regions_upToTheHole_areOne(size: UInt64) throws {
        guard size <= HostMemory.hostCapacity() else { return }
        let regions = try HostMemory(size: size).regions(holeStart: 0xC000_0000)
        #expect(regions.map(\.guestAddress) == [0])
        #expect(regions.map(\.size) == [size])
    }

    @Test func deinit_unmapsAndCloses() throws {
        var memory: HostMemory? = try HostMemory(size: 1 << 20)
        let base = try #require(memory?.base)
        memory = nil
        #expect(msync(base, 4096, MS_ASYNC) == -1 && errno == ENOMEM)
    }

    @Test func collapse_keepsTheContents_andReportsWhatItDid() throws {
        let memory = try HostMemory(size: 16 << 20)
        memory.bytes[0] = 1
        memory.bytes[(5 << 20) + 7] = 2
        let collapse = memory.collapse(4096..<(5 << 20))
        #expect(collapse.asked == 6 << 20)
        #expect(collapse.backed == collapse.asked || collapse.refusal != nil)
        #expect(memory.bytes[0] == 1 && memory.bytes[(5 << 20) + 7] == 2 && memory.bytes[9] == 0)
    }

    @Test(arguments: [(0, 0), (0, 1 << 20), (16 << 20, 32 << 20), (0, .max), (.max, .max)] as [(UInt64, UInt64)])
    func collapse_anyRange_staysInside(start: UInt64, end: UInt64) throws {
        let small = try HostMemory(size: 1 << 20)
        #expect(small.collapse(start..<end).asked == 0)
        let odd = try HostMemory(size: (4 << 20) + 4096)
        #expect(odd.collapse(start..<end).asked <= 4 << 20)
    }

    @Test func init_privateMemory_hasNoDescriptorAndCollapsesWhereTheHostAllows() throws {
        let memory = try HostMemory(size: 8 << 20, backing: .privateMemory)
        #expect(memory.descriptor == -1)
        memory.bytes[0] = 3
        let collapse = memory.collapse(0..<memory.size)
        let setting = try MappedFile(path: "/sys/kernel/mm/transparent_hugepage/enabled")
        if !String(decoding: setting.bytes, as: UTF8.self).contains("[never]") {
            #expect(collapse.backed > 0 || collapse.refusal == ENOMEM)
        }
        #expect(memory.bytes[0] == 3 && memory.bytes[1] == 0)
    }
}
