import RISCV
import Testing

@Suite struct IdentityPageTableTests {
    let memory = TestMemory(pages: 64)
    let pages = PageAllocator()

    private func table() throws -> IdentityPageTable {
        pages.add(from: memory.start, to: memory.start + memory.size)
        return try IdentityPageTable(pages: pages)
    }

    @Test func emptyTable_mapsNothing() throws {
        let table = try table()
        #expect(table.permissions(at: 0) == [])
        #expect(table.permissions(at: 1 << 40) == [])
        #expect(table.satp >> 60 == 8)
        #expect(table.satp << 12 & 0xFF_FFFF_FFFF_FFFF == table.root)
    }

    @Test func leavesOfAWholeSize_takeNoTable() throws {
        let table = try table()
        try table.set(from: 1 << 30, to: 3 << 30, permissions: [.read, .write])
        #expect(table.pageCount == 1)
        #expect(table.permissions(at: (1 << 30) - 1) == [])
        #expect(table.permissions(at: (3 << 30) - 1) == [.read, .write])
        #expect(table.permissions(at: 3 << 30) == [])
    }

    @Test func aPageInALargeLeaf_leavesTheRestAsItWas() throws {
        let table = try table()
        let start: UInt64 = 0x8000_0000
        try table.set(from: start, to: start + (1 << 30), permissions: [.read, .write])
        try table.set(from: start + 0x20_5000, to: start + 0x20_6000, permissions: [])
        #expect(table.pageCount == 3)
        #expect(table.permissions(at: start + 0x20_4FFF) == [.read, .write])
        #expect(table.permissions(at: start + 0x20_5000) == [])
        #expect(table.permissions(at: start + 0x20_5FFF) == [])
        #expect(table.permissions(at: start + 0x20_6000) == [.read, .write])
        #expect(table.permissions(at: start + (1 << 30) - 1) == [.read, .write])
    }

    @Test func aLargeRangeOverTables_givesTheirPagesBack() throws {
        let table = try table()
        let start: UInt64 = 0x8000_0000
        let free = pages.freePageCount
        try table.set(from: start + 4096, to: start + 8192, permissions: [.read, .execute])
        #expect(pages.freePageCount == free - 2)
        try table.set(from: start, to: start + (1 << 30), permissions: .read)
        #expect(pages.freePageCount == free)
        #expect(table.permissions(at: start + 4096) == .read)
    }

    @Test func refusesWhatCannotBe() throws {
        let table = try table()
        #expect(throws: GStageError.unaligned) { try table.set(from: 1, to: 4096, permissions: .read) }
        #expect(throws: GStageError.outOfRange) {
            try table.set(from: IdentityPageTable.limit, to: IdentityPageTable.limit + 4096, permissions: .read)
        }
    }
}
