import GuestMemory
import Testing

@testable import Firmware

@Suite struct ResetVectorTests {
    @Test func write_leavesCodeAtTheEndOfTheFirstMegabyte() throws {
        let storage = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
        defer { storage.deallocate() }
        storage.initializeMemory(as: UInt8.self, repeating: 0)
        let memory = GuestMemory(regions: [MemoryRegion(guestAddress: 0, bytes: storage)])
        try ResetVector.write(to: memory)
        #expect(try memory.readBytes(at: 0xF_FFF0, count: 6) == [0xBA, 0xF9, 0x0C, 0xB0, 0x06, 0xEE])
        #expect(ResetVector.code.count <= 16)
    }
}
