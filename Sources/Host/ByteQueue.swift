/// A queue of bytes in one fixed piece of storage, written and read at its ends.
final class ByteQueue {
    private let storage: UnsafeMutableRawBufferPointer
    private var head = 0
    /// The number of bytes waiting.
    private(set) var count = 0

    init(capacity: Int) {
        storage = .allocate(byteCount: capacity, alignment: 16)
    }

    deinit {
        storage.deallocate()
    }

    var isEmpty: Bool { count == 0 }
    /// The number of bytes that still fit.
    var room: Int { storage.count - count }

    /// Appends a byte.
    /// - Returns: false if the queue is full.
    @discardableResult
    func append(_ byte: UInt8) -> Bool {
        guard room > 0 else { return false }
        storage[(head + count) % storage.count] = byte
        count += 1
        return true
    }

    /// The oldest bytes, as many as lie side by side; valid until the queue is next changed.
    var first: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: storage[head..<min(head + count, storage.count)])
    }

    /// Takes the oldest bytes out.
    func removeFirst(_ number: Int) {
        let number = min(max(number, 0), count)
        count -= number
        // Back to the start when empty, so that the next bytes lie side by side.
        head = count == 0 ? 0 : (head + number) % storage.count
    }

    func removeAll() {
        removeFirst(count)
    }
}
