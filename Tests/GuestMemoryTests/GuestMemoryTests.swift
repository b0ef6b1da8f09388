import GuestMemory
import Testing

@Suite struct GuestMemoryTests {
    /// Two regions around a hole, as on a PC: 8 KiB from 0, 4 KiB from 0x10000.
    let storage: UnsafeMutableRawBufferPointer
    let memory: GuestMemory

    init() {
        storage = .allocate(byteCount: 12288, alignment: 4096)
        storage.initializeMemory(as: UInt8.self, repeating: 0)
        memory = GuestMemory(regions: [
            MemoryRegion(guestAddress: 0x10000, bytes: UnsafeMutableRawBufferPointer(rebasing: storage[8192...])),
            MemoryRegion(guestAddress: 0, bytes: UnsafeMutableRawBufferPointer(rebasing: storage[..<8192])),
        ])
    }

    @Test(
        arguments: [
            (0, 1), (8191, 1), (0, 8192), (0x10000, 4096), (8192, 0),
        ] as [(UInt64, Int)])
    func bytes_insideARegion_areGiven(address: UInt64, count: Int) throws {
        #expect(try memory.bytes(at: address, count: count).count == count)
    }

    @Test(
        arguments: [
            (8191, 2), (8192, 1), (0xFFFF, 2), (0x11000, 1), (UInt64.max, 1), (UInt64.max, 0),
            (0, -1), (0, Int.max), (1, Int.max),
        ] as [(UInt64, Int)])
    func bytes_outsideOrAcrossRegions_areRefused(address: UInt64, count: Int) {
        #expect(throws: GuestMemoryError.outOfRange(address: address, count: count)) {
            _ = try memory.bytes(at: address, count: count)
        }
    }

    @Test func write_thenRead_givesTheValueAtAnyAlignment() throws {
        try memory.write(0x1122_3344_5566_7788 as UInt64, at: 0x10003)
        #expect(try memory.read(UInt64.self, at: 0x10003) == 0x1122_3344_5566_7788)
        #expect(try memory.read(UInt8.self, at: 0x10003) == 0x88)
        #expect(memory.size == 12288)
    }
}
