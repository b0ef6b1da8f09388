/// A number of bytes, printed in the largest binary unit that it is a whole number of, or else with one decimal.
public struct ByteCount: Equatable, Sendable, CustomStringConvertible {
    /// The number of bytes.
    public let bytes: UInt64

    /// - Parameter bytes: the number of bytes.
    public init(_ bytes: UInt64) {
        self.bytes = bytes
    }

    /// For example `512 bytes`, `128 MiB`, `23.5 GiB`.
    public var description: String {
        let units: [(name: String, size: UInt64)] = [
            ("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10),
        ]
        for unit in units where bytes >= unit.size {
            let whole = bytes / unit.size
            let tenths = bytes % unit.size * 10 / unit.size
            if bytes % unit.size == 0 { return "\(whole) \(unit.name)" }
            return "\(whole).\(tenths) \(unit.name)"
        }
        return bytes == 1 ? "1 byte" : "\(bytes) bytes"
    }
}
