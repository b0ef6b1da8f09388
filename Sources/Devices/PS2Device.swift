/// What is plugged into one of the keyboard controller's two ports: it takes bytes and has bytes to send.
///
/// A device knows neither its port nor interrupts; the controller fetches what it has, byte by byte, as the guest reads.
public protocol PS2Device: AnyObject {
    /// Takes a byte that the guest sent.
    func receive(_ byte: UInt8)
    /// Gives the next byte for the guest; nil when there is none.
    func nextByte() -> UInt8?
}

/// Bytes that wait to be fetched, at most 16, as in the buffer of a PC's keyboard.
public struct PS2Queue: Equatable, Sendable {
    /// How many bytes there is room for.
    public static let capacity = 16

    private var bytes = InlineArray<16, UInt8>(repeating: 0)
    private var first = 0
    /// How many bytes wait.
    public private(set) var count = 0

    /// An empty queue.
    public init() {}

    /// Whether nothing waits.
    public var isEmpty: Bool { count == 0 }
    /// How many more bytes there is room for.
    public var room: Int { Self.capacity - count }

    /// Adds a byte behind the others; a full queue stays as it is.
    public mutating func append(_ byte: UInt8) {
        guard count < Self.capacity else { return }
        bytes[(first + count) % Self.capacity] = byte
        count += 1
    }

    /// Takes the first byte out; nil when there is none.
    public mutating func removeFirst() -> UInt8? {
        guard count > 0 else { return nil }
        let byte = bytes[first]
        first = (first + 1) % Self.capacity
        count -= 1
        return byte
    }

    /// Two queues are the same when the same bytes will come out of them.
    public static func == (left: PS2Queue, right: PS2Queue) -> Bool {
        guard left.count == right.count else { return false }
        for position in 0..<left.count {
            let one = left.bytes[(left.first + position) % capacity]
            if one != right.bytes[(right.first + position) % capacity] { return false }
        }
        return true
    }
}
