/// Builds a flattened device tree (Devicetree Specification 0.4, chapter 5), node by node.
public struct DeviceTreeBuilder {
    private var structure: [UInt8] = []
    private var strings: [UInt8] = []
    private var depth = 0

    /// An empty tree.
    public init() {}

    /// Adds a node with what the closure puts into it.
    /// - Parameter name: with the unit address; the root's is empty.
    public mutating func node(_ name: String, _ content: (inout DeviceTreeBuilder) -> Void) {
        append(DeviceTree.Token.beginNode)
        structure.append(contentsOf: name.utf8)
        structure.append(0)
        pad()
        depth += 1
        content(&self)
        depth -= 1
        append(DeviceTree.Token.endNode)
    }

    /// Adds a property without a value.
    public mutating func property(_ name: String) { property(name, bytes: []) }

    /// Adds a property of 32-bit cells.
    public mutating func property(_ name: String, cells: [UInt32]) {
        var value: [UInt8] = []
        for cell in cells { Self.append(cell, to: &value) }
        property(name, bytes: value)
    }

    /// Adds a property of 64-bit numbers, two cells each.
    public mutating func property(_ name: String, numbers: [UInt64]) {
        var value: [UInt8] = []
        for number in numbers {
            Self.append(UInt32(number >> 32), to: &value)
            Self.append(UInt32(truncatingIfNeeded: number), to: &value)
        }
        property(name, bytes: value)
    }

    /// Adds a property that is a text, or a list of them.
    public mutating func property(_ name: String, texts: [String]) {
        var value: [UInt8] = []
        for text in texts {
            value.append(contentsOf: text.utf8)
            value.append(0)
        }
        property(name, bytes: value)
    }

    /// Adds a property that is a text.
    public mutating func property(_ name: String, text: String) { property(name, texts: [text]) }

    /// Adds a property that is a text given as bytes.
    public mutating func property(_ name: String, textBytes: [UInt8]) { property(name, bytes: textBytes + [0]) }

    /// Adds a property with a value as it is.
    public mutating func property(_ name: String, bytes: [UInt8]) {
        append(DeviceTree.Token.property)
        append(UInt32(bytes.count))
        append(UInt32(offset(ofName: name)))
        structure.append(contentsOf: bytes)
        pad()
    }

    /// The tree in its flattened form, with an empty list of reserved memory.
    public consuming func finished(bootHart: UInt32 = 0) -> [UInt8] {
        append(DeviceTree.Token.end)
        let headerSize = 40
        let reservationSize = 16
        let structureStart = headerSize + reservationSize
        let stringsStart = structureStart + structure.count
        var bytes: [UInt8] = []
        let header: [Int] = [
            Int(DeviceTree.magic), stringsStart + strings.count, structureStart, stringsStart, headerSize, 17, 16,
            Int(bootHart), strings.count, structure.count,
        ]
        for field in header { Self.append(UInt32(field), to: &bytes) }
        bytes.append(contentsOf: [UInt8](repeating: 0, count: reservationSize))
        bytes.append(contentsOf: structure)
        bytes.append(contentsOf: strings)
        return bytes
    }

    private mutating func offset(ofName name: String) -> Int {
        let wanted = [UInt8](name.utf8)
        var start = 0
        while start < strings.count {
            var end = start
            while strings[end] != 0 { end += 1 }
            if end - start == wanted.count, strings[start..<end].elementsEqual(wanted) { return start }
            start = end + 1
        }
        strings.append(contentsOf: wanted)
        strings.append(0)
        return start
    }

    private mutating func append(_ word: UInt32) { Self.append(word, to: &structure) }

    private mutating func pad() {
        while structure.count % 4 != 0 { structure.append(0) }
    }

    private static func append(_ word: UInt32, to bytes: inout [UInt8]) {
        for shift in stride(from: UInt32(24), through: 0, by: -8) {
            bytes.append(UInt8(truncatingIfNeeded: word >> shift))
        }
    }
}
