extension DeviceTree.Property {
    /// Whether this is its name.
    public func isNamed(_ text: StaticString) -> Bool { name.isText(text) }

    /// The number in a value of one or two cells.
    public var number: UInt64? {
        let reader = BigEndianReader(bytes: value)
        switch value.count {
        case 4: return reader.word(at: 0).map { UInt64($0) }
        case 8: return reader.doubleWord(at: 0)
        default: return nil
        }
    }

    /// The cell with an index.
    public func cell(_ index: Int) -> UInt32? { BigEndianReader(bytes: value).word(at: 4 * index) }

    /// The text, without the 0 at its end.
    public var text: [UInt8] { value.last == 0 ? [UInt8](value.dropLast()) : value }

    /// Whether one of the texts in a list of them is this one.
    public func listContains(_ text: StaticString) -> Bool {
        var start = 0
        for index in value.indices where value[index] == 0 {
            if [UInt8](value[start..<index]).isText(text) { return true }
            start = index + 1
        }
        return false
    }
}

extension [UInt8] {
    /// Whether these are the bytes of a text.
    public func isText(_ text: StaticString) -> Bool {
        guard text.utf8CodeUnitCount == count else { return false }
        return hasPrefix(text)
    }

    /// Whether the first bytes are those of a text.
    public func hasPrefix(_ text: StaticString) -> Bool {
        guard text.utf8CodeUnitCount <= count else { return false }
        for index in 0..<text.utf8CodeUnitCount where unsafe text.utf8Start[index] != self[index] { return false }
        return true
    }
}

extension DeviceTree {
    /// The property of a node, by its index.
    public func property(_ name: StaticString, of node: Int) -> Property? {
        guard nodes.indices.contains(node) else { return nil }
        return nodes[node].properties.first { $0.isNamed(name) }
    }

    /// The nodes within a node.
    public func children(of node: Int) -> [Int] { nodes.indices.filter { nodes[$0].parent == node } }

    /// The first node within another whose name without the unit address is this.
    public func child(_ name: StaticString, of node: Int = 0) -> Int? {
        children(of: node).first { nodes[$0].baseName.isText(name) }
    }

    /// The nodes whose "compatible" names this.
    public func nodes(compatibleWith name: StaticString) -> [Int] {
        nodes.indices.filter { property("compatible", of: $0)?.listContains(name) ?? false }
    }

    /// A node with this phandle.
    public func node(phandle: UInt32) -> Int? {
        nodes.indices.first { property("phandle", of: $0)?.cell(0) == phandle }
    }

    /// Whether a node is in use: without "status", or with "okay".
    public func isEnabled(_ node: Int) -> Bool {
        guard let status = property("status", of: node) else { return true }
        return status.text.isText("okay") || status.text.isText("ok")
    }

    /// The ranges in "reg", as the node above says how many cells they have; an incomplete one is left out.
    public func ranges(of node: Int) -> [(address: UInt64, size: UInt64)] {
        guard nodes.indices.contains(node), let parent = nodes[node].parent, let reg = property("reg", of: node) else {
            return []
        }
        let addressCells = Int(property("#address-cells", of: parent)?.cell(0) ?? 2)
        let sizeCells = Int(property("#size-cells", of: parent)?.cell(0) ?? 1)
        guard (1...2).contains(addressCells), (0...2).contains(sizeCells) else { return [] }
        var ranges: [(address: UInt64, size: UInt64)] = []
        var cell = 0
        while cell + addressCells + sizeCells <= reg.value.count / 4 {
            var numbers: (UInt64, UInt64) = (0, 0)
            for _ in 0..<addressCells {
                numbers.0 = numbers.0 << 32 | UInt64(reg.cell(cell) ?? 0)
                cell += 1
            }
            for _ in 0..<sizeCells {
                numbers.1 = numbers.1 << 32 | UInt64(reg.cell(cell) ?? 0)
                cell += 1
            }
            ranges.append((numbers.0, numbers.1))
        }
        return ranges
    }
}

extension DeviceTree.Node {
    /// The name without the unit address.
    public var baseName: [UInt8] {
        [UInt8](name.prefix { $0 != UInt8(ascii: "@") })
    }
}
