/// One ACPI table with its header: signature, length, revision, checksum, who made it (ACPI 6.3, 5.2.6).
public struct ACPITable: Equatable, Sendable {
    /// The whole table; its bytes sum to 0.
    public let bytes: [UInt8]

    /// The size of the header.
    static let headerSize = 36
    /// Six characters for who made the tables.
    static let oemIdentifier: [UInt8] = ascii("MNIKVM")
    private static let oemTableIdentifier: [UInt8] = ascii("MINIKVM ")
    private static let creatorIdentifier: [UInt8] = ascii("MKVM")
    private static let lengthOffset = 4
    private static let checksumOffset = 9

    /// A table with the given contents after its header.
    init(_ signature: StaticString, revision: UInt8, contents: LittleEndianBytes) {
        var table = LittleEndianBytes()
        table.append(contentsOf: ascii(signature))
        table.append(UInt32(truncatingIfNeeded: Self.headerSize + contents.count))
        table.append(revision)
        table.append(0 as UInt8)  // checksum, below
        table.append(contentsOf: Self.oemIdentifier)
        table.append(contentsOf: Self.oemTableIdentifier)
        table.append(1 as UInt32)  // OEM revision
        table.append(contentsOf: Self.creatorIdentifier)
        table.append(1 as UInt32)  // creator revision
        table.append(contentsOf: contents.bytes)
        table.replace(at: Self.checksumOffset, with: checksum(of: table.bytes))
        bytes = table.bytes
    }

    /// The four characters that name the table.
    public var signature: [UInt8] { [UInt8](bytes.prefix(Self.lengthOffset)) }
}

/// The byte that makes the sum of all bytes 0.
func checksum<Bytes: Sequence<UInt8>>(of bytes: Bytes) -> UInt8 {
    0 &- bytes.reduce(0 as UInt8) { $0 &+ $1 }
}

/// The bytes of a text of ASCII characters.
func ascii(_ text: StaticString) -> [UInt8] {
    text.withUTF8Buffer { unsafe [UInt8]($0) }
}
