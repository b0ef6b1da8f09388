import Glibc
import GuestMemory
import Host
import Testing

@Suite struct HostMemoryTests {
    private static var hasHugePages: Bool {
        guard let setting = try? MappedFile(path: "/sys/kernel/mm/transparent_hugepage/enabled") else { return false }
        return !String(decoding: setting.bytes, as: UTF8.self).contains("[never]")
    }

    @Test(arguments: [1 << 20, 128 << 20, (128 << 20) + 4096] as [UInt64])
    func init_anyMultipleOf4KiB_isZeroWritableAndAligned(size: UInt64) throws {
        let memory = try HostMemory(size: size)
        #expect(memory.size == size)
        #expect(UInt(bitPattern: memory.base) % UInt(HostMemory.hugePageSize) == 0)
        #expect(memory.bytes[0] == 0 && memory.bytes[Int(size) - 1] == 0)
        memory.bytes[Int(size) - 1] = 0x5A
        #expect(memory.bytes[Int(size) - 1] == 0x5A)
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
        // Nothing but what is touched may be set aside: a 5 GiB guest starts as fast as a small one.
        var resident = [UInt8](repeating: 0, count: Int(memory.size >> 12))
        #expect(mincore(memory.base, Int(memory.size), &resident) == 0)
        #expect(resident.count { $0 & 1 != 0 } <= 512)
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

    /// A 128 MiB guest that touches all its memory would else make the host's kernel find 32,768 pages for it.
    @Test(.enabled(if: hasHugePages, "this host gives no huge pages")) func init_touched_isBackedByHugePages() throws {
        let memory = try HostMemory(size: 16 << 20)
        // RUSAGE_THREAD, which the header has for _GNU_SOURCE only.
        let thread = __rusage_who_t(1)
        var faults = rusage()
        getrusage(thread, &faults)
        let before = faults.ru_minflt
        for offset in stride(from: 0, to: Int(memory.size), by: 4096) { memory.bytes[offset] = 1 }
        getrusage(thread, &faults)
        // One a huge page, if the host has them all free; one a page would be 4096.
        #expect(faults.ru_minflt - before < 2048)
    }
}
