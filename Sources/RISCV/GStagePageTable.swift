/// What went wrong when guest-physical memory was mapped.
public enum GStageError: Error, Equatable {
    /// There is no page left for the page table itself.
    case outOfMemory
    /// An address or the size is not a multiple of 4 KiB.
    case unaligned
    /// The range goes beyond the guest-physical addresses of the mode.
    case outOfRange
    /// Something is mapped there already.
    case alreadyMapped
}

/// A guest's page table of the second stage: from guest-physical addresses to the machine's.
///
/// The root has 2048 entries instead of 512, for the two more bits that a guest-physical address has, so it takes
/// 16 KiB and is aligned to that. Entries are as large as the addresses and the size allow: 4 KiB, 2 MiB, 1 GiB.
///
/// Source: privileged specification, "Two-Stage Address Translation" (Sv39x4, Sv48x4, Sv57x4).
public final class GStagePageTable {
    /// The number of levels and the width of addresses.
    public let mode: GStageMode
    /// The physical address of the root.
    public let root: UInt64
    private let pages: any PageSource
    /// How many pages the tables take, the root's four included.
    public private(set) var pageCount = 4

    /// An empty table.
    /// - Parameters:
    ///   - mode: any but `bare`.
    ///   - pages: gives the table's own pages, whose addresses this program can use as they are.
    public init(mode: GStageMode, pages: any PageSource) throws(GStageError) {
        guard let root = pages.allocatePages(4, alignment: 4 * pageSize) else { throw .outOfMemory }
        self.mode = mode
        self.root = root
        self.pages = pages
    }

    /// Maps a range, by the largest leaves that fit. What has been mapped before an error stays mapped.
    /// - Parameters:
    ///   - guest: the first guest-physical address.
    ///   - host: the physical address behind it.
    ///   - size: in bytes.
    ///   - permissions: of `read`, `write`, `execute`.
    public func map(
        guest: UInt64, host: UInt64, size: UInt64, permissions: PageTableEntry.Flags
    ) throws(GStageError) {
        guard (guest | host | size) % pageSize == 0 else { throw .unaligned }
        let limit: UInt64 = 1 << UInt64(mode.addressBits)
        guard guest <= limit, size <= limit - guest else { throw .outOfRange }
        // A and D are set from the start: nobody looks at them, and setting them later would be a trap or a write.
        let flags = permissions.intersection([.read, .write, .execute]).union([.valid, .user, .accessed, .dirty])
        var offset: UInt64 = 0
        while offset < size {
            let level = leafLevel(at: (guest + offset) | (host + offset), left: size - offset)
            let entry = try entryAddress(of: guest + offset, level: level)
            guard !PageTableEntry.load(entry).isValid else { throw .alreadyMapped }
            PageTableEntry(address: host + offset, flags: flags).store(at: entry)
            offset += Self.leafSize(level: level)
        }
    }

    /// The bytes that a leaf of a level covers; level 0 is the last one.
    public static func leafSize(level: Int) -> UInt64 { pageSize << UInt64(9 * level) }

    private func leafLevel(at addresses: UInt64, left: UInt64) -> Int {
        for level in [2, 1] where level < mode.levels {
            let size = Self.leafSize(level: level)
            if addresses % size == 0, left >= size { return level }
        }
        return 0
    }

    private func index(of guest: UInt64, level: Int) -> UInt64 {
        let bits = guest >> UInt64(12 + 9 * level)
        return level == mode.levels - 1 ? bits & 0x7FF : bits & 0x1FF
    }

    /// Where the entry of an address is in the tables, which are made as needed down to the level.
    private func entryAddress(of guest: UInt64, level wanted: Int) throws(GStageError) -> UInt64 {
        var table = root
        var level = mode.levels - 1
        while level > wanted {
            let place = table + 8 * index(of: guest, level: level)
            var entry = PageTableEntry.load(place)
            if entry.isLeaf { throw .alreadyMapped }
            if !entry.isValid {
                guard let page = pages.allocatePages(1, alignment: pageSize) else { throw .outOfMemory }
                pageCount += 1
                entry = PageTableEntry(address: page, flags: .valid)
                entry.store(at: place)
            }
            table = entry.address
            level -= 1
        }
        return table + 8 * index(of: guest, level: wanted)
    }

    /// One step of a walk.
    public struct Step: Equatable, Sendable {
        /// The level: 0 is the last.
        public let level: Int
        /// The physical address of the entry.
        public let entryAddress: UInt64
        /// The entry.
        public let entry: PageTableEntry
    }

    /// The entries that hardware reads for a guest-physical address, from the root on; the last one is a leaf or does
    /// not count.
    public func walk(_ guest: UInt64) -> [Step] {
        guard guest >> UInt64(mode.addressBits) == 0 else { return [] }
        var steps: [Step] = []
        var table = root
        for level in stride(from: mode.levels - 1, through: 0, by: -1) {
            let place = table + 8 * index(of: guest, level: level)
            let entry = PageTableEntry.load(place)
            steps.append(Step(level: level, entryAddress: place, entry: entry))
            if entry.isLeaf || !entry.isValid { break }
            table = entry.address
        }
        return steps
    }

    /// The physical address behind a guest-physical one, and its permissions; nil when nothing is mapped there.
    public func translate(_ guest: UInt64) -> (address: UInt64, flags: PageTableEntry.Flags)? {
        guard let last = walk(guest).last, last.entry.isLeaf else { return nil }
        return (last.entry.address + guest % Self.leafSize(level: last.level), last.entry.flags)
    }

    /// Gives the tables' pages back. Nothing may use the table after this.
    public func free() {
        free(table: root, level: mode.levels - 1)
    }

    private func free(table: UInt64, level: Int) {
        let isRoot = level == mode.levels - 1
        if level > 0 {
            for index in 0..<UInt64(isRoot ? 2048 : 512) {
                let entry = PageTableEntry.load(table + 8 * index)
                if entry.isValid, !entry.isLeaf { free(table: entry.address, level: level - 1) }
            }
        }
        pages.freePages(at: table, count: isRoot ? 4 : 1)
    }
}
