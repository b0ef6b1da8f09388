import Devices
import GuestMemory
import Testing

@Suite struct FirmwareConfigurationTests {
    /// The device with two files, and 64 KiB of memory.
    final class Bench {
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 0x1_0000, alignment: 4096)
        let memory: GuestMemory
        let device: FirmwareConfiguration

        init() {
            bytes.initializeMemory(as: UInt8.self, repeating: 0xEE)
            memory = GuestMemory(regions: [MemoryRegion(guestAddress: 0, bytes: bytes)])
            device = FirmwareConfiguration(
                files: [.init("etc/second", [1, 2, 3]), .init("etc/first", [9])], cpus: 3, memory: memory)
        }
        deinit { bytes.deallocate() }

        func read(_ key: UInt16, count: Int) -> [UInt8] {
            device.write(UInt64(key), offset: 0, width: 2)
            return (0..<count).map { _ in UInt8(device.read(offset: 1, width: 1)) }
        }

        /// Makes a request at 0x100.
        /// - Returns: what its control says afterwards.
        func request(control: UInt32, length: UInt32, address: UInt64, at place: UInt64 = 0x100) throws -> UInt32 {
            try memory.write(control.bigEndian, at: 0x100)
            try memory.write(length.bigEndian, at: 0x104)
            try memory.write(address.bigEndian, at: 0x108)
            device.write(UInt64(UInt32(truncatingIfNeeded: place >> 32).bigEndian), offset: 4, width: 4)
            device.write(UInt64(UInt32(truncatingIfNeeded: place).bigEndian), offset: 8, width: 4)
            return try memory.read(UInt32.self, at: 0x100).bigEndian
        }
    }

    @Test func items_areReadByteByByte_andZerosBehind() {
        let bench = Bench()
        #expect(bench.read(0x00, count: 6) == Array("QEMU".utf8) + [0, 0])
        #expect(bench.read(0x01, count: 4) == [3, 0, 0, 0])
        #expect(bench.read(0x05, count: 2) == [3, 0])
        #expect(bench.read(0x4000, count: 2) == [0, 0])
    }

    @Test func directory_listsTheFilesByName() {
        let directory = Bench().read(0x19, count: 4 + 2 * 64)
        #expect(directory.prefix(4) == [0, 0, 0, 2])
        #expect(directory[4..<12] == [0, 0, 0, 1, 0, 0x20, 0, 0])
        #expect(String(decoding: directory[12..<21], as: UTF8.self) == "etc/first")
        #expect(directory[68..<76] == [0, 0, 0, 3, 0, 0x21, 0, 0])
        #expect(Bench().read(0x21, count: 4) == [1, 2, 3, 0])
    }

    @Test func request_selectsAndCopies() throws {
        let bench = Bench()
        #expect(try bench.request(control: 0x0021_000A, length: 5, address: 0x200) == 0)
        #expect(try bench.memory.readBytes(at: 0x200, count: 6) == [1, 2, 3, 0, 0, 0xEE])
        #expect(try bench.request(control: 0x0021_000C, length: 2, address: 0) == 0)
        #expect(try bench.request(control: 0x02, length: 1, address: 0x300) == 0)
        #expect(try bench.memory.readBytes(at: 0x300, count: 1) == [3])
    }

    @Test func request_thatCannotBe_isAnError() throws {
        let bench = Bench()
        #expect(try bench.request(control: 0x0021_000A, length: .max, address: 0x200) == 1)
        #expect(try bench.request(control: 0x0021_000A, length: 1, address: .max) == 1)
        #expect(try bench.request(control: 0x0021_0018, length: 1, address: 0x200) == 1, "nothing is to be written")
        // A request that lies outside memory can be answered nowhere.
        _ = try bench.request(control: 0x0021_000A, length: 1, address: 0x200, at: .max - 3)
        _ = try bench.request(control: 0x0021_000A, length: 1, address: 0x200, at: 0xFFF8)
        #expect(try bench.memory.readBytes(at: 0x200, count: 1) == [0xEE])
    }

    @Test func signature_ofDirectAccess_isThere() {
        let device = Bench().device
        #expect(device.read(offset: 4, width: 8) == 0x4746_4320_554D_4551)
        #expect(device.read(offset: 8, width: 4) == 0x4746_4320)
    }
}
