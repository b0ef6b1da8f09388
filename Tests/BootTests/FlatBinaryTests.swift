import Boot
import Firmware
import GuestMemory
import Testing

@Suite struct FlatBinaryTests {
    private func load(
        _ bytes: [UInt8], at address: UInt64, _ mode: FlatBinary.Mode, in ram: GuestRAM
    ) throws -> LoadedImage {
        try withImage(bytes) { try FlatBinary($0).load(at: address, mode: mode, into: ram.memory) }
    }

    @Test(
        arguments: [
            (0x1000, 0, 0x1000, 0x1000), (0x7C01, 0, 0x7C01, 0x7C00), (0xFFFF, 0, 0xFFFF, 0xFFFE),
            (0x1_0000, 0x1000, 0, 0), (0xF_FFF0, 0xFFFF, 0, 0), (0x1_2345, 0x1234, 5, 0), (0, 0, 0, 0),
        ] as [(UInt64, UInt16, UInt64, UInt64)])
    func load_inRealMode_startsAtTheAddress(address: UInt64, segment: UInt16, offset: UInt64, stack: UInt64) throws {
        let ram = GuestRAM(mebibytes: 2)
        let loaded = try load([0xF4], at: address, .real, in: ram)
        #expect(loaded.entry.mode == .real)
        #expect(loaded.entry.code.selector == segment && loaded.entry.data.selector == segment)
        #expect(loaded.entry.code.base == UInt64(segment) << 4)
        #expect(loaded.entry.instructionPointer == offset)
        #expect(loaded.entry.stackPointer == stack)
        #expect(loaded.entry.code.base + loaded.entry.instructionPointer == address)
        #expect(loaded.entry.cr0 == 0x10 && loaded.entry.globalDescriptorTableSize == 0)
        #expect(try ram.number(UInt8.self, at: address) == 0xF4)
    }

    @Test func load_inProtectedMode_leavesADescriptorTableFor32Bits() throws {
        let ram = GuestRAM(mebibytes: 2)
        let loaded = try load([1, 2, 3], at: 0x10_0000, .protected, in: ram)
        #expect(loaded.entry.mode == .protected)
        #expect(loaded.entry.instructionPointer == 0x10_0000)
        #expect(loaded.entry.stackPointer == BoardLayout.flatStack)
        #expect(try ram.number(UInt64.self, at: BoardLayout.globalDescriptorTable + 0x10) == 0x00CF_9B00_0000_FFFF)
        #expect(try ram.number(UInt64.self, at: BoardLayout.pageTables) == 0)
    }

    @Test func load_inLongMode_leavesPageTables() throws {
        let ram = GuestRAM(mebibytes: 2)
        let loaded = try load([1, 2, 3], at: 0x2000, .long, in: ram)
        #expect(loaded.entry.mode == .long(pageTableRoot: BoardLayout.pageTables))
        #expect(try ram.number(UInt64.self, at: BoardLayout.pageTables) == BoardLayout.pageTables + 4096 | 3)
    }

    @Test(
        arguments: [
            (0, 0x1000, .real, .empty, "is empty"),
            (1, 0x10_0000, .real, .addressTooHigh(address: 0x10_0000, limit: 0x10_0000, mode: .real), "real mode"),
            (
                1, 0x1_0000_0000, .long, .addressTooHigh(address: 0x1_0000_0000, limit: 0x1_0000_0000, mode: .long),
                "long mode, which ends at 0x100000000"
            ),
            (
                1, UInt64.max, .protected, .addressTooHigh(address: UInt64.max, limit: 0x1_0000_0000, mode: .protected),
                "0xFFFFFFFFFFFFFFFF"
            ),
            (1, 0x20_0000, .long, .outsideMemory(address: 0x20_0000, size: 1), "1 byte at 0x200000"),
            (2, 0x1F_FFFF, .protected, .outsideMemory(address: 0x1F_FFFF, size: 2), "not all in the guest's memory"),
            (
                0x20_0000, 0x1000, .real, .outsideMemory(address: 0x1000, size: 0x20_0000), "2 MiB at 0x1000"
            ),
            (1, 0xC000_0000, .long, .outsideMemory(address: 0xC000_0000, size: 1), "0xC0000000"),
            (
                16, 0xFF8, .protected, .overlapsTables(address: 0xFF8, size: 16, tables: 0x1000, end: 0x1030),
                "lies over the board's own tables (0x1000 to 0x1030)"
            ),
            (
                1, 0xEFFF, .long, .overlapsTables(address: 0xEFFF, size: 1, tables: 0x9000, end: 0xF000),
                "(0x9000 to 0xF000)"
            ),
            (
                1, 0x9_FBFF, .long, .overlapsTables(address: 0x9_FBFF, size: 1, tables: 0x9_E000, end: 0x9_FC00),
                "give another --at"
            ),
        ] as [(Int, UInt64, FlatBinary.Mode, FlatBinaryError, String)])
    func load_whereItCannotGo_isRefused(
        count: Int, address: UInt64, mode: FlatBinary.Mode, expected: FlatBinaryError, message: String
    ) {
        let ram = GuestRAM(mebibytes: 2)
        let error = #expect(throws: FlatBinaryError.self) {
            try load([UInt8](repeating: 0x90, count: count), at: address, mode, in: ram)
        }
        #expect(error == expected)
        #expect(error?.description.contains(message) == true, "\(error?.description ?? "")")
    }
}

@Suite struct BootSectorTests {
    private var sector: [UInt8] { [0xEB, 0xFE] + [UInt8](repeating: 0, count: 508) + [0x55, 0xAA] }

    @Test(arguments: [0, 100_000])
    func load_ofASectorOrADisk_startsItAsABIOSDoes(following: Int) throws {
        let ram = GuestRAM(mebibytes: 1)
        let file = sector + [UInt8](repeating: 0xCC, count: following)
        let loaded = try withImage(file) { try BootSector($0).load(into: ram.memory) }
        #expect(loaded.entry.mode == .real)
        #expect(loaded.entry.code.selector == 0 && loaded.entry.instructionPointer == 0x7C00)
        #expect(loaded.entry.rdx == 0x80)
        #expect(try ram.memory.readBytes(at: 0x7C00, count: 513) == sector + [0])
        #expect(try ram.number(UInt16.self, at: 0x413) == 639)
    }

    @Test(
        arguments: [
            (0, .empty, "is empty"), (1, .truncated(count: 1), "the file has 1"),
            (511, .truncated(count: 511), "the file has 511"),
            (512, .noSignature(found: 0xBBAA), "bytes 510 and 511 are 0xAA 0xBB"),
        ] as [(Int, BootSectorError, String)])
    func load_ofABadSector_isRefused(count: Int, expected: BootSectorError, message: String) {
        let file = Array(([UInt8](repeating: 0, count: 510) + [0xAA, 0xBB])[..<count])
        withImage(file) { image in
            let error = #expect(throws: BootSectorError.self) { try BootSector(image) }
            #expect(error == expected)
            #expect(error?.description.contains(message) == true, "\(error?.description ?? "")")
        }
    }

    @Test func load_withoutBaseMemory_isRefused() {
        let ram = GuestRAM([AddressRange(start: 0, end: 0x8_0000)])
        withImage(sector) { image in
            let error = #expect(throws: BootSectorError.self) { try BootSector(image).load(into: ram.memory) }
            #expect(error?.description.contains("at least 1 MiB") == true)
        }
    }
}
