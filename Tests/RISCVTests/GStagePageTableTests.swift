import RISCV
import Testing

@Suite struct GStagePageTableTests {
    let memory = TestMemory(pages: 256)

    private func pages() -> PageAllocator {
        let pages = PageAllocator()
        pages.add(from: memory.start, to: memory.start + memory.size)
        return pages
    }

    @Test(arguments: [GStageMode.sv39x4, .sv48x4, .sv57x4])
    func rootTakesFourAlignedPages(mode: GStageMode) throws {
        let table = try GStagePageTable(mode: mode, pages: pages())
        #expect(table.root % 16384 == 0)
        #expect(mode.hgatp(root: table.root, vmid: 3) >> 60 == mode.rawValue)
        #expect(mode.hgatp(root: table.root, vmid: 3) >> 44 & 0x3FFF == 3)
    }

    @Test(arguments: [GStageMode.sv39x4, .sv48x4, .sv57x4])
    func mapsByTheLargestLeavesThatFit(mode: GStageMode) throws {
        let table = try GStagePageTable(mode: mode, pages: pages())
        // From 4 KiB below 1 GiB: a page, 1 GiB, 2 MiB, a page.
        let gib: UInt64 = 1 << 30
        try table.map(
            guest: gib - 4096, host: 4 * gib - 4096, size: 4096 + gib + (2 << 20) + 4096,
            permissions: [.read, .write, .execute])
        #expect(table.walk(gib - 4096).last?.level == 0)
        #expect(table.walk(gib).last?.level == 2)
        #expect(table.walk(2 * gib).last?.level == 1)
        #expect(table.walk(2 * gib + (2 << 20)).last?.level == 0)
        for address in [gib - 4096, gib - 1, gib, gib + 12345, 2 * gib + 77, 2 * gib + (2 << 20) + 4095] {
            #expect(table.translate(address)?.address == address + 3 * gib)
        }
        #expect(table.translate(gib - 4097) == nil)
        #expect(table.translate(2 * gib + (2 << 20) + 4096) == nil)
    }

    @Test func leavesAreForUsersAccessedAndDirty() throws {
        let table = try GStagePageTable(mode: .sv39x4, pages: pages())
        try table.map(guest: 0x1000, host: 0x8000_1000, size: 4096, permissions: .read)
        #expect(table.translate(0x1000)?.flags == [.valid, .read, .user, .accessed, .dirty])
    }

    @Test func refusesWhatCannotBeMapped() throws {
        let table = try GStagePageTable(mode: .sv39x4, pages: pages())
        #expect(throws: GStageError.unaligned) { try table.map(guest: 1, host: 0, size: 4096, permissions: .read) }
        #expect(throws: GStageError.outOfRange) {
            try table.map(guest: 1 << 41, host: 0, size: 4096, permissions: .read)
        }
        #expect(throws: GStageError.outOfRange) {
            try table.map(guest: (1 << 41) - 4096, host: 0, size: 8192, permissions: .read)
        }
        try table.map(guest: 0, host: 0, size: 2 << 20, permissions: .read)
        #expect(throws: GStageError.alreadyMapped) {
            try table.map(guest: 4096, host: 0, size: 4096, permissions: .read)
        }
    }

    @Test func tellsWhenPagesAreOut() throws {
        let small = TestMemory(pages: 8)
        let pages = PageAllocator()
        pages.add(from: small.start, to: small.start + 8 * 4096)
        let table = try GStagePageTable(mode: .sv57x4, pages: pages)
        #expect(throws: GStageError.outOfMemory) {
            for index in 0..<8 as Range<UInt64> {
                try table.map(guest: index << 40, host: 0, size: 4096, permissions: .read)
            }
        }
    }

    @Test(arguments: [GStageMode.sv39x4, .sv48x4, .sv57x4])
    func freeGivesAllPagesBack(mode: GStageMode) throws {
        let pages = pages()
        let before = pages.freePageCount
        let table = try GStagePageTable(mode: mode, pages: pages)
        try table.map(guest: 0, host: 0, size: 5 << 20, permissions: .read)
        try table.map(guest: 7 << 30, host: 4096, size: 12288, permissions: .read)
        #expect(pages.freePageCount == before - table.pageCount)
        table.free()
        #expect(pages.freePageCount == before)
    }
}
