/// Memory of the test's own, aligned as a machine's is, for page tables and allocators.
final class TestMemory {
    let start: UInt64
    let size: UInt64
    private let pointer: UnsafeMutableRawPointer

    init(pages: Int) {
        size = UInt64(pages) * 4096
        pointer = UnsafeMutableRawPointer.allocate(byteCount: Int(size), alignment: 2 << 20)
        // What an allocator gives must be zeros whatever was there.
        pointer.initializeMemory(as: UInt8.self, repeating: 0xA5, count: Int(size))
        start = UInt64(UInt(bitPattern: pointer))
    }

    deinit { pointer.deallocate() }
}
