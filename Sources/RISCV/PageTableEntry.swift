/// An entry of a page table (privileged specification, "Sv39: Page-Based 39-bit Virtual-Memory System").
public struct PageTableEntry: Equatable, Sendable {
    /// The low ten bits.
    public struct Flags: OptionSet, Sendable {
        /// The bits.
        public let rawValue: UInt64
        /// The set with the bits of `rawValue`.
        public init(rawValue: UInt64) { self.rawValue = rawValue }
        /// V: the entry counts.
        public static let valid = Flags(rawValue: 1 << 0)
        /// R: may be read.
        public static let read = Flags(rawValue: 1 << 1)
        /// W: may be written.
        public static let write = Flags(rawValue: 1 << 2)
        /// X: may be executed.
        public static let execute = Flags(rawValue: 1 << 3)
        /// U: for user mode. A G-stage entry needs it: every guest access counts as one of user mode there.
        public static let user = Flags(rawValue: 1 << 4)
        /// G: in all address spaces.
        public static let global = Flags(rawValue: 1 << 5)
        /// A: has been accessed. Where hardware does not set it (Svade), its absence is a page fault.
        public static let accessed = Flags(rawValue: 1 << 6)
        /// D: has been written.
        public static let dirty = Flags(rawValue: 1 << 7)
    }

    /// The entry as it is in memory.
    public let rawValue: UInt64

    /// The entry with these bits.
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    /// An entry that refers to a page, or to the page table of the next level.
    public init(address: UInt64, flags: Flags) {
        rawValue = (address >> 12) << 10 & 0x3F_FFFF_FFFF_FC00 | flags.rawValue
    }

    /// Its flags.
    public var flags: Flags { Flags(rawValue: rawValue & 0x3FF) }
    /// The physical address it refers to.
    public var address: UInt64 { (rawValue >> 10 & 0xFFF_FFFF_FFFF) << 12 }
    /// Whether it counts.
    public var isValid: Bool { flags.contains(.valid) }
    /// Whether it ends the walk.
    public var isLeaf: Bool { isValid && !flags.isDisjoint(with: [.read, .write, .execute]) }
}

extension PageTableEntry {
    /// The entry at an address of a table's own page, which a `PageSource` gave: never a guest's.
    static func load(_ address: UInt64) -> PageTableEntry {
        guard let pointer = unsafe UnsafePointer<UInt64>(bitPattern: UInt(address)) else {
            return PageTableEntry(rawValue: 0)
        }
        return unsafe PageTableEntry(rawValue: pointer.pointee)
    }

    /// Puts it at such an address.
    func store(at address: UInt64) {
        guard let pointer = unsafe UnsafeMutablePointer<UInt64>(bitPattern: UInt(address)) else { return }
        unsafe pointer.pointee = rawValue
    }
}
