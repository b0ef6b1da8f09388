public import GuestMemory

/// The map of physical memory in the form a PC's BIOS gives it (interrupt 0x15, function 0xE820), which Linux takes
/// in its zero page and PVH guests in `hvm_start_info`.
public struct E820Map: Equatable, Sendable {
    /// What a range of addresses is for (ACPI specification 6.5, table 15.10).
    public enum Kind: UInt32, Sendable {
        /// RAM that the guest may use.
        case ram = 1
        /// Not to be used.
        case reserved = 2
        /// ACPI tables; RAM once they have been read.
        case acpiReclaimable = 3
        /// To be kept over ACPI sleep states.
        case acpiNonVolatile = 4
    }

    /// One line of the map.
    public struct Entry: Equatable, Sendable {
        /// The addresses.
        public let range: AddressRange
        /// What they are for.
        public let kind: Kind

        /// One line of the map.
        public init(_ range: AddressRange, _ kind: Kind) {
            self.range = range
            self.kind = kind
        }
    }

    /// The lines, lowest address first, none empty, no two overlapping.
    public private(set) var entries: [Entry]

    /// A map of the given lines, in any order. Where two overlap, the one that comes later in the list wins.
    public init(_ lines: [Entry]) {
        entries = []
        for line in lines { place(line) }
    }

    /// The map of this board with the given ranges of RAM: base memory up to the extended BIOS data area, nothing
    /// usable from there to 1 MiB, and KVM's own pages below 4 GiB reserved.
    public init(ram: [AddressRange]) {
        self.init(
            ram.map { Entry($0, .ram) } + [
                Entry(BoardLayout.extendedBIOSData, .reserved),
                Entry(BoardLayout.firmware, .reserved),
                Entry(BoardLayout.kvmReserved, .reserved),
            ])
        remove(AddressRange(start: BoardLayout.baseMemoryEnd, end: BoardLayout.firmware.start))
    }

    /// The map of this board with all of `memory` as RAM.
    public init(memory: GuestMemory) {
        self.init(ram: memory.regions.map { AddressRange(start: $0.guestAddress, end: $0.end) })
    }

    /// The usable ranges, lowest first.
    public var ram: [AddressRange] { entries.filter { $0.kind == .ram }.map { $0.range } }

    /// Whether every address of `range` is usable RAM.
    public func isRAM(_ range: AddressRange) -> Bool {
        entries.contains { $0.kind == .ram && $0.range.contains(range) }
    }

    /// Sets the kind of a range, cutting away what the map said of it before.
    private mutating func place(_ line: Entry) {
        remove(line.range)
        if line.range.isEmpty { return }
        let index = entries.firstIndex { $0.range.start >= line.range.end } ?? entries.count
        entries.insert(line, at: index)
    }

    /// Takes a range out of the map.
    private mutating func remove(_ range: AddressRange) {
        if range.isEmpty { return }
        var kept: [Entry] = []
        for entry in entries {
            if !entry.range.overlaps(range) {
                kept.append(entry)
                continue
            }
            let below = AddressRange(start: entry.range.start, end: min(entry.range.end, range.start))
            let above = AddressRange(start: max(entry.range.start, range.end), end: entry.range.end)
            if !below.isEmpty, below.start < range.start { kept.append(Entry(below, entry.kind)) }
            if !above.isEmpty { kept.append(Entry(above, entry.kind)) }
        }
        entries = kept
    }
}
