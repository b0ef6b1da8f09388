/// A page table of the first stage for the hypervisor itself: every address that it may use is translated to itself, and
/// what is not mapped is a fault.
///
/// Sv39: three levels of 512 entries; of its 39-bit addresses the lower half is used. Leaves are as large as fit, and are
/// split when a part of one is to be different.
///
/// Source: privileged specification, "Sv39: Page-Based 39-bit Virtual-Memory System".
public final class IdentityPageTable {
    /// The physical address of the root.
    public let root: UInt64
    private let pages: any PageSource
    /// How many pages the tables take.
    public private(set) var pageCount = 1

    /// The first address beyond those that can be mapped.
    public static let limit: UInt64 = 1 << 38
    private static let rootLevel = 2

    /// An empty table; `pages` gives the table's own pages, whose addresses this program can use as they are.
    public init(pages: any PageSource) throws(GStageError) {
        guard let root = pages.allocatePages(1, alignment: pageSize) else { throw .outOfMemory }
        self.root = root
        self.pages = pages
    }

    /// satp with this table.
    public var satp: UInt64 { 8 << 60 | root >> 12 }

    /// Sets what may be done with a range. Whoever uses the table already has to fence.
    /// - Parameters:
    ///   - start: address of the first byte, a multiple of 4 KiB.
    ///   - end: address after the last byte, a multiple of 4 KiB.
    ///   - permissions: of `read`, `write`, `execute`; empty for a range that is not to be mapped.
    public func set(from start: UInt64, to end: UInt64, permissions: PageTableEntry.Flags) throws(GStageError) {
        guard (start | end) % pageSize == 0 else { throw .unaligned }
        guard start <= end, end <= Self.limit else { throw .outOfRange }
        let allowed = permissions.intersection([.read, .write, .execute])
        let flags = allowed.isEmpty ? [] : allowed.union([.valid, .global, .accessed, .dirty])
        try set(start, end, flags, table: root, level: Self.rootLevel, tableStart: 0)
    }

    private func set(
        _ start: UInt64, _ end: UInt64, _ flags: PageTableEntry.Flags, table: UInt64, level: Int, tableStart: UInt64
    ) throws(GStageError) {
        let size = GStagePageTable.leafSize(level: level)
        var address = start
        while address < end {
            let index = (address - tableStart) / size
            let entryStart = tableStart + index * size
            let stop = min(end, entryStart + size)
            let place = table + 8 * index
            if address == entryStart, stop == entryStart + size {
                let old = PageTableEntry.load(place)
                let new = flags.isEmpty ? PageTableEntry(rawValue: 0) : PageTableEntry(address: address, flags: flags)
                new.store(at: place)
                if old.isValid, !old.isLeaf { free(table: old.address, level: level - 1) }
            } else {
                let next = try split(place, entryStart: entryStart, level: level)
                try set(address, stop, flags, table: next, level: level - 1, tableStart: entryStart)
            }
            address = stop
        }
    }

    /// The table of the next level at an entry, made where there is none: with what the entry has been a leaf of.
    private func split(_ place: UInt64, entryStart: UInt64, level: Int) throws(GStageError) -> UInt64 {
        let entry = PageTableEntry.load(place)
        if entry.isValid, !entry.isLeaf { return entry.address }
        guard let table = pages.allocatePages(1, alignment: pageSize) else { throw .outOfMemory }
        pageCount += 1
        if entry.isLeaf {
            let size = GStagePageTable.leafSize(level: level - 1)
            for index in 0..<UInt64(512) {
                PageTableEntry(address: entryStart + index * size, flags: entry.flags).store(at: table + 8 * index)
            }
        }
        PageTableEntry(address: table, flags: .valid).store(at: place)
        return table
    }

    private func free(table: UInt64, level: Int) {
        if level > 0 {
            for index in 0..<UInt64(512) {
                let entry = PageTableEntry.load(table + 8 * index)
                if entry.isValid, !entry.isLeaf { free(table: entry.address, level: level - 1) }
            }
        }
        pageCount -= 1
        pages.freePages(at: table, count: 1)
    }

    /// What may be done with an address, of `read`, `write`, `execute`; empty when it is not mapped.
    public func permissions(at address: UInt64) -> PageTableEntry.Flags {
        guard address < Self.limit else { return [] }
        var table = root
        for level in stride(from: Self.rootLevel, through: 0, by: -1) {
            let entry = PageTableEntry.load(table + 8 * (address >> UInt64(12 + 9 * level) & 0x1FF))
            guard entry.isValid else { return [] }
            if entry.isLeaf { return entry.flags.intersection([.read, .write, .execute]) }
            table = entry.address
        }
        return []
    }
}
