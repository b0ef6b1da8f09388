/// Bytes that grow by numbers in the byte order of the PC: what every table in guest memory is made of.
public struct LittleEndianBytes {
    /// What has been appended.
    public private(set) var bytes: [UInt8] = []

    /// No bytes.
    public init() {}

    /// Appends a number in as many bytes as its type has.
    public mutating func append<Number: FixedWidthInteger>(_ value: Number) {
        for byte in 0..<Number.bitWidth / 8 {
            bytes.append(UInt8(truncatingIfNeeded: value >> Number(truncatingIfNeeded: byte * 8)))
        }
    }

    /// Appends bytes as they are.
    public mutating func append(contentsOf source: [UInt8]) {
        bytes.append(contentsOf: source)
    }

    /// Replaces the byte at an offset that has been appended.
    public mutating func replace(at offset: Int, with value: UInt8) {
        bytes[offset] = value
    }

    /// The number of bytes.
    public var count: Int { bytes.count }
}
