/// The bytes that libFuzzer made up, taken one after the other as decisions.
public struct FuzzInput {
    private let bytes: [UInt8]
    private var position = 0

    /// The `count` bytes at `start`, copied.
    @unsafe public init(_ start: UnsafePointer<UInt8>?, _ count: Int) {
        bytes = unsafe Array(UnsafeBufferPointer(start: start, count: count))
    }

    /// Whether all bytes have been taken.
    public var isEmpty: Bool { position >= bytes.count }

    /// The next byte, or 0 when there is none.
    public mutating func byte() -> UInt8 {
        guard !isEmpty else { return 0 }
        defer { position += 1 }
        return bytes[position]
    }

    /// A number of the next `count` bytes, the lowest first.
    public mutating func number(bytes count: Int) -> UInt64 {
        (0..<count).reduce(0) { $0 | UInt64(byte()) << (8 * UInt64($1)) }
    }

    /// At most `count` of the next bytes.
    public mutating func bytes(_ count: Int) -> [UInt8] {
        let end = min(position + count, bytes.count)
        defer { position = end }
        return Array(bytes[position..<end])
    }

    /// All bytes that are left.
    public mutating func rest() -> [UInt8] { bytes(bytes.count) }
}

/// Ends the run as a finding, with a message, when a rule does not hold.
public func check(_ holds: Bool, _ rule: @autoclosure () -> String) {
    guard !holds else { return }
    fatalError("broken rule: \(rule())")
}
