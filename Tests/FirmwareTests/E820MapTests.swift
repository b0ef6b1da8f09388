import Firmware
import GuestMemory
import Testing

@Suite struct E820MapTests {
    private func range(_ start: UInt64, _ end: UInt64) -> AddressRange { AddressRange(start: start, end: end) }

    @Test(
        arguments: [
            (1 << 20, [(0, 0x9_FC00)]),
            (128 << 20, [(0, 0x9_FC00), (0x10_0000, 0x800_0000)]),
            (3 << 30, [(0, 0x9_FC00), (0x10_0000, 0xC000_0000)]),
            (5 << 30, [(0, 0x9_FC00), (0x10_0000, 0xC000_0000), (0x1_0000_0000, 0x1_8000_0000)]),
        ] as [(UInt64, [(UInt64, UInt64)])])
    func board_ofASize_hasRAMAroundBIOSAreaAndHole(bytes: UInt64, expected: [(UInt64, UInt64)]) {
        let map = E820Map(ram: BoardLayout.ramRanges(bytes: bytes))
        #expect(map.ram == expected.map { range($0.0, $0.1) })
        #expect(map.entries.contains(.init(range(0x9_FC00, 0xA_0000), .reserved)))
        #expect(map.entries.contains(.init(range(0xE_0000, 0x10_0000), .reserved)))
    }

    @Test func entries_ofAnyBoard_areSortedAndApart() {
        let map = E820Map(ram: BoardLayout.ramRanges(bytes: 5 << 30))
        for (entry, next) in zip(map.entries, map.entries.dropFirst()) {
            #expect(entry.range.end <= next.range.start)
        }
        #expect(map.entries.allSatisfy { !$0.range.isEmpty })
    }

    @Test(
        arguments: [
            (0, 10, [(10, 100)]), (40, 60, [(0, 40), (60, 100)]), (0, 100, []), (0, 200, []), (90, 200, [(0, 90)]),
            (50, 50, [(0, 100)]),
        ] as [(UInt64, UInt64, [(UInt64, UInt64)])])
    func laterLine_overRAM_cutsItAway(start: UInt64, end: UInt64, left: [(UInt64, UInt64)]) {
        let map = E820Map([.init(range(0, 100), .ram), .init(range(start, end), .reserved)])
        #expect(map.ram == left.map { range($0.0, $0.1) })
    }

    @Test func isRAM_acrossTwoLines_isFalse() {
        let map = E820Map([.init(range(0, 100), .ram), .init(range(200, 300), .ram)])
        #expect(map.isRAM(range(0, 100)))
        #expect(map.isRAM(range(250, 300)))
        #expect(!map.isRAM(range(50, 250)))
        #expect(!map.isRAM(range(90, 101)))
    }

    @Test func ramRanges_ofMoreThanAddressesAllow_leaveOutTheRest() {
        #expect(BoardLayout.ramRanges(bytes: UInt64.max) == [range(0, 0xC000_0000)])
    }
}

@Suite struct AddressRangeTests {
    @Test func size_pastTheLastAddress_givesNoRange() {
        #expect(AddressRange(start: UInt64.max, size: 2) == nil)
        #expect(AddressRange(start: UInt64.max, size: 0)?.isEmpty == true)
        #expect(AddressRange(start: 1, size: UInt64.max) == nil)
    }

    @Test(
        arguments: [
            (0, 10, 10, 20, false), (0, 11, 10, 20, true), (12, 13, 10, 20, true), (10, 10, 0, 20, false),
            (0, UInt64.max, 5, 6, true),
        ] as [(UInt64, UInt64, UInt64, UInt64, Bool)])
    func overlaps_ofTwoRanges_isSymmetric(a: UInt64, b: UInt64, c: UInt64, d: UInt64, expected: Bool) {
        let first = AddressRange(start: a, end: b)
        let second = AddressRange(start: c, end: d)
        #expect(first.overlaps(second) == expected)
        #expect(second.overlaps(first) == expected)
    }

    @Test func alignedUp_pastTheLastMultiple_isNil() {
        #expect((UInt64.max - 4095).alignedUp(to: 4096) == UInt64.max - 4095)
        #expect((UInt64.max - 4094).alignedUp(to: 4096) == nil)
        #expect((1 as UInt64).alignedUp(to: 1) == 1)
        #expect((4097 as UInt64).alignedDown(to: 4096) == 4096)
    }
}

@Suite struct BoardLayoutTests {
    @Test func tables_ofTheBoard_doNotOverlap() {
        let tables = [
            AddressRange(start: 0, end: 0x500),
            AddressRange(start: BoardLayout.globalDescriptorTable, end: BoardLayout.globalDescriptorTable + 48),
            AddressRange(start: BoardLayout.pvhStartInfo, end: BoardLayout.pvhStartInfo + 56),
            AddressRange(start: BoardLayout.pvhModuleList, end: BoardLayout.pvhModuleList + 32),
            AddressRange(
                start: BoardLayout.pvhMemoryMap,
                end: BoardLayout.pvhMemoryMap + UInt64(BoardLayout.pvhMemoryMapEntries) * 24),
            AddressRange(start: BoardLayout.zeroPage, end: BoardLayout.zeroPage + 4096),
            AddressRange(start: BoardLayout.bootStack - 0xFF0, end: BoardLayout.bootStack),
            BoardLayout.pageTablesRange,
            AddressRange(
                start: BoardLayout.commandLine,
                end: BoardLayout.commandLine + UInt64(BoardLayout.commandLineCapacity)),
            BoardLayout.flatStackPage, BoardLayout.extendedBIOSData, BoardLayout.acpiTables,
        ]
        for (table, next) in zip(tables, tables.dropFirst()) { #expect(table.end <= next.start) }
        #expect(tables[8].end <= BoardLayout.bootTables.end)
        #expect(BoardLayout.pageTables == BoardLayout.pageTablesRange.start)
    }

    @Test func biosDataArea_written_namesTheExtendedAreaBaseMemoryAndDisks() throws {
        let storage = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
        defer { storage.deallocate() }
        storage.initializeMemory(as: UInt8.self, repeating: 0)
        let memory = GuestMemory(regions: [MemoryRegion(guestAddress: 0, bytes: storage)])
        try BIOSDataArea.write(hardDisks: 3, to: memory)
        #expect(try memory.read(UInt8.self, at: 0x475) == 3)
        #expect(try memory.read(UInt16.self, at: 0x40E) == 0x9FC0)
        #expect(try memory.read(UInt16.self, at: 0x413) == 639)
        #expect(try memory.read(UInt8.self, at: 0x9_FC00) == 1)
    }
}
