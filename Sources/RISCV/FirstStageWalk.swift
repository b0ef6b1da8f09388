/// A walk of a guest's own page table, as hardware does it for a virtual address: for the story of a guest's death.
///
/// Source: privileged specification, "Virtual Address Translation Process".
public struct FirstStageWalk: Equatable, Sendable {
    /// One step of it.
    public struct Step: Equatable, Sendable {
        /// The level: 0 is the last.
        public let level: Int
        /// The guest-physical address of the entry.
        public let entryAddress: UInt64
        /// The entry; nil when there is no memory at its address.
        public let entry: PageTableEntry?
    }

    /// How it ends.
    public enum Outcome: Equatable, Sendable {
        /// There is no translation: the mode is Bare, and the address is the guest-physical one.
        case bare
        /// The field MODE of the register is none that is known.
        case unknownMode
        /// The upper bits of the address are not all as its highest that counts.
        case notCanonical
        /// The guest-physical address.
        case found(UInt64)
        /// The last step's entry does not count, or there is no memory where it would be.
        case notMapped
        /// The last step's entry is a large leaf whose address is no multiple of its size.
        case misaligned
    }

    /// The entries read, from the root on.
    public private(set) var steps: [Step] = []
    /// How it ends.
    public private(set) var outcome: Outcome

    /// Walks.
    /// - Parameters:
    ///   - satp: the guest's satp, which is vsatp in HS-mode.
    ///   - address: the virtual address.
    ///   - read: 8 bytes of guest-physical memory; nil where there are none.
    public init(satp: UInt64, address: UInt64, read: (UInt64) -> UInt64?) {
        let levels: Int
        switch satp >> 60 {
        case 0:
            outcome = .bare
            return
        case 8: levels = 3
        case 9: levels = 4
        case 10: levels = 5
        default:
            outcome = .unknownMode
            return
        }
        let unused = Int64(64 - (12 + 9 * levels))
        guard (Int64(bitPattern: address) << unused) >> unused == Int64(bitPattern: address) else {
            outcome = .notCanonical
            return
        }
        outcome = .notMapped
        var table = (satp & 0xFFF_FFFF_FFFF) << 12
        for level in stride(from: levels - 1, through: 0, by: -1) {
            let place = table + 8 * (address >> UInt64(12 + 9 * level) & 0x1FF)
            let entry = read(place).map { PageTableEntry(rawValue: $0) }
            steps.append(Step(level: level, entryAddress: place, entry: entry))
            guard let entry, entry.isValid else { return }
            if entry.isLeaf {
                let inside = GStagePageTable.leafSize(level: level) - 1
                outcome = entry.address & inside == 0 ? .found(entry.address | address & inside) : .misaligned
                return
            }
            table = entry.address
        }
    }
}
