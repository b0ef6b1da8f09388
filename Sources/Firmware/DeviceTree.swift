/// A device tree, read from its flattened form (Devicetree Specification 0.4, chapter 5).
public struct DeviceTree {
    /// A node's property.
    public struct Property {
        /// Its name.
        public let name: [UInt8]
        /// Its value.
        public let value: [UInt8]
    }

    /// A node. Nodes stand in the order of the tree, each before those within it.
    public struct Node {
        /// Its name with the unit address: "memory@80000000".
        public let name: [UInt8]
        /// The index of the node it is in; nil for the root.
        public let parent: Int?
        /// Its properties, in order.
        public internal(set) var properties: [Property] = []
    }

    /// All nodes; the root is the first.
    public private(set) var nodes: [Node] = []
    /// Memory that nobody may use: the reservation block.
    public private(set) var reservations: [(address: UInt64, size: UInt64)] = []

    /// The first bytes of every tree.
    static let magic: UInt32 = 0xD00D_FEED
    /// No real tree is deeper.
    static let maximumDepth = 32

    /// The tokens of the structure block (section 5.4.1).
    enum Token {
        static let beginNode: UInt32 = 1
        static let endNode: UInt32 = 2
        static let property: UInt32 = 3
        static let nothing: UInt32 = 4
        static let end: UInt32 = 9
    }

    /// How many bytes a tree takes, by its first 8 bytes; nil when they are not those of one.
    public static func totalSize(header: [UInt8]) -> Int? {
        let reader = BigEndianReader(bytes: header)
        guard reader.word(at: 0) == magic, let size = reader.word(at: 4) else { return nil }
        return Int(size)
    }

    /// Reads a tree.
    public init(_ bytes: [UInt8]) throws(DeviceTreeError) {
        let reader = BigEndianReader(bytes: bytes)
        guard let magic = reader.word(at: 0), magic == Self.magic else { throw .badMagic }
        guard let totalSize = reader.word(at: 4), let structure = reader.word(at: 8), let strings = reader.word(at: 12),
            let reserved = reader.word(at: 16), let lastCompatible = reader.word(at: 24), Int(totalSize) <= bytes.count
        else { throw .truncated }
        guard lastCompatible <= 17 else { throw .unknownVersion(lastCompatible) }
        try readReservations(reader, at: Int(reserved))
        try readStructure(reader, at: Int(structure), strings: Int(strings))
    }

    private mutating func readReservations(_ reader: BigEndianReader, at start: Int) throws(DeviceTreeError) {
        var place = start
        while true {
            guard let address = reader.doubleWord(at: place), let size = reader.doubleWord(at: place + 8) else {
                throw .truncated
            }
            if address == 0, size == 0 { return }
            reservations.append((address, size))
            place += 16
        }
    }

    private mutating func readStructure(
        _ reader: BigEndianReader, at start: Int, strings: Int
    ) throws(DeviceTreeError) {
        var place = start
        var open: [Int] = []
        while true {
            guard let token = reader.word(at: place) else { throw .truncated }
            place += 4
            switch token {
            case Token.beginNode:
                guard let name = reader.string(at: place) else { throw .truncated }
                guard !open.isEmpty || nodes.isEmpty else { throw .badStructure }
                guard open.count < Self.maximumDepth else { throw .tooDeep }
                place = (place + name.count + 1 + 3) & ~3
                nodes.append(Node(name: name, parent: open.last))
                open.append(nodes.count - 1)
            case Token.endNode:
                guard open.popLast() != nil else { throw .badStructure }
            case Token.property:
                guard let size = reader.word(at: place), let nameOffset = reader.word(at: place + 4),
                    let value = reader.slice(at: place + 8, count: Int(size)),
                    let name = reader.string(at: strings + Int(nameOffset))
                else { throw .truncated }
                guard let node = open.last else { throw .badStructure }
                nodes[node].properties.append(Property(name: name, value: value))
                place = (place + 8 + value.count + 3) & ~3
            case Token.nothing:
                break
            case Token.end:
                guard open.isEmpty, !nodes.isEmpty else { throw .badStructure }
                return
            default:
                throw .badStructure
            }
        }
    }
}

/// Bytes with numbers in the byte order of device trees; whatever is outside is nil.
struct BigEndianReader {
    let bytes: [UInt8]

    func word(at offset: Int) -> UInt32? {
        guard offset >= 0, offset <= bytes.count - 4 else { return nil }
        var value: UInt32 = 0
        for index in 0..<4 { value = value << 8 | UInt32(bytes[offset + index]) }
        return value
    }

    func doubleWord(at offset: Int) -> UInt64? {
        guard let high = word(at: offset), let low = word(at: offset + 4) else { return nil }
        return UInt64(high) << 32 | UInt64(low)
    }

    func slice(at offset: Int, count: Int) -> [UInt8]? {
        guard offset >= 0, count >= 0, offset <= bytes.count, count <= bytes.count - offset else { return nil }
        return [UInt8](bytes[offset..<offset + count])
    }

    /// The bytes up to the next 0.
    func string(at offset: Int) -> [UInt8]? {
        guard offset >= 0, offset < bytes.count else { return nil }
        var end = offset
        while end < bytes.count, bytes[end] != 0 { end += 1 }
        guard end < bytes.count else { return nil }
        return [UInt8](bytes[offset..<end])
    }
}
