import Boot
import Firmware
import GuestMemory
import Testing

@Suite struct ELFImageTests {
    @Test func load_withAPVHNote_entersIn32BitModeWithStartInfo() throws {
        let ram = GuestRAM(mebibytes: 32)
        let file = SyntheticELF.with { $0.segments.append(SyntheticELF.pvhNote(0x10_0010)) }
        let initrd = [UInt8](repeating: 0x5A, count: 100)
        let loaded = try withImage(file) { image in
            try withImage(initrd) {
                try ELFImage(image).load(
                    into: ram.memory, ram.parameters(commandLine: "quiet", initrd: $0, acpiRootPointer: 0xE_0000))
            }
        }
        #expect(loaded.bootProtocol == .pvh)
        #expect(loaded.entry.mode == .protected)
        #expect(loaded.entry.instructionPointer == 0x10_0010)
        #expect(loaded.entry.cr0 == 0x11 && loaded.entry.cr4 == 0 && loaded.entry.efer == 0)
        #expect(loaded.entry.code.isDefault32Bit && !loaded.entry.code.isLong)
        #expect(loaded.entry.task.type == 0xB && loaded.entry.task.limit == 0x67)

        let info = loaded.entry.rbx
        #expect(info == BoardLayout.pvhStartInfo)
        #expect(try ram.number(UInt32.self, at: info) == 0x336E_C578)
        #expect(try ram.number(UInt32.self, at: info + 4) == 1)
        #expect(try ram.number(UInt32.self, at: info + 12) == 1)
        let module = try ram.number(UInt64.self, at: info + 16)
        let start = try ram.number(UInt64.self, at: module)
        #expect(start == loaded.initrd?.start)
        #expect(try ram.number(UInt64.self, at: module + 8) == 100)
        #expect(try ram.memory.readBytes(at: start, count: 100) == initrd)
        let commandLine = try ram.number(UInt64.self, at: info + 24)
        #expect(try ram.memory.readBytes(at: commandLine, count: 6) == Array("quiet".utf8) + [0])
        #expect(try ram.number(UInt64.self, at: info + 32) == 0xE_0000)
        let map = try ram.number(UInt64.self, at: info + 40)
        let lines = E820Map(memory: ram.memory).entries
        #expect(try ram.number(UInt32.self, at: info + 48) == UInt32(lines.count))
        for (index, line) in lines.enumerated() {
            let entry = map + UInt64(index) * 24
            #expect(try ram.number(UInt64.self, at: entry) == line.range.start)
            #expect(try ram.number(UInt64.self, at: entry + 8) == line.range.size)
            #expect(try ram.number(UInt32.self, at: entry + 16) == line.kind.rawValue)
        }
    }

    @Test func load_of32BitsWithAPVHNote_entersIt() throws {
        let ram = GuestRAM(mebibytes: 2)
        let file = SyntheticELF.with {
            $0.is64Bit = false
            $0.segments.append(SyntheticELF.pvhNote(0x10_0020, descriptionSize: 4))
        }
        let loaded = try withImage(file) { try ELFImage($0).load(into: ram.memory, ram.parameters()) }
        #expect(loaded.bootProtocol == .pvh)
        #expect(loaded.entry.instructionPointer == 0x10_0020)
        #expect(loaded.kernel == AddressRange(start: 0x10_0000, end: 0x10_1000))
        #expect(try ram.memory.readBytes(at: 0x10_0000, count: 65) == Array(1...64) + [0])
        #expect(try ram.number(UInt32.self, at: BoardLayout.pvhStartInfo + 12) == 0)
    }

    @Test func load_withoutNote_entersLinuxIn64BitModeWithAZeroPage() throws {
        let ram = GuestRAM(mebibytes: 2)
        let loaded = try withImage(SyntheticELF().bytes) { try ELFImage($0).load(into: ram.memory, ram.parameters()) }
        #expect(loaded.bootProtocol == .linuxDecompressed)
        #expect(loaded.entry.mode == .long(pageTableRoot: BoardLayout.pageTables))
        #expect(loaded.entry.instructionPointer == 0x10_0000)
        #expect(loaded.entry.rsi == BoardLayout.zeroPage)
        #expect(try ram.number(UInt16.self, at: BoardLayout.zeroPage + 0x1FE) == 0xAA55)
        #expect(try ram.number(UInt32.self, at: BoardLayout.zeroPage + 0x202) == 0x5372_6448)
        #expect(try ram.number(UInt32.self, at: BoardLayout.zeroPage + 0x238) == 2047)
        #expect(try ram.number(UInt8.self, at: BoardLayout.zeroPage + 0x1E8) > 0)
    }

    @Test(
        arguments: [
            SyntheticELF.pvhNote(0x10_0010, name: [0x58, 0x65, 0x6F, 0]),
            SyntheticELF.pvhNote(0x10_0010, descriptionSize: 7),
            SyntheticELF.pvhNote(0x10_0010, descriptionSize: UInt32.max),
            SyntheticELF.Segment(type: 4, address: 0, contents: [UInt8](repeating: 0xFF, count: 40)),
            SyntheticELF.Segment(type: 4, address: 0, contents: [1, 2, 3]),
            SyntheticELF.Segment(type: 4, address: 0, contents: [], fileSize: UInt64.max, offset: UInt64.max),
        ])
    func note_brokenOrForeign_isIgnored(segment: SyntheticELF.Segment) throws {
        let file = SyntheticELF.with { $0.segments.append(segment) }
        try withImage(file) { image in
            let elf = try ELFImage(image)
            #expect(elf.pvhEntryPoint == nil)
        }
    }

    @Test func segments_withoutMemory_areNotLoaded() throws {
        let file = SyntheticELF.with {
            $0.segments.append(.init(address: UInt64.max, contents: [], memorySize: 0))
            $0.segments.append(.init(type: 6, address: 0, contents: [1]))
        }
        try withImage(file) { image in
            let elf = try ELFImage(image)
            #expect(elf.segments.map(\.number) == [0])
        }
    }

    /// The file lies in guest memory: one segment moves down, one moves onto its own bytes, one is where it belongs.
    @Test func load_fromGuestMemory_movesSegmentsAndClearsTheRest() throws {
        let ram = GuestRAM(mebibytes: 4)
        let place: UInt64 = 0x20_0000
        let last = place + 64 + 3 * 56 + 1000 + 2000
        let contents: [[UInt8]] = [1000, 2000, 64].map { count in
            (0..<count).map { UInt8(truncatingIfNeeded: $0 % 251) }
        }
        let file = SyntheticELF.with {
            $0.entry = place - 0x1000
            $0.segments = [
                .init(address: place - 0x1000, contents: contents[0]),
                .init(address: place - 0x400, contents: contents[1], memorySize: 2500),
                .init(address: last, contents: contents[2], memorySize: 200),
            ]
        }
        try ram.memory.write([UInt8](repeating: 0xEE, count: 0x8000), at: place - 0x4000)
        try ram.memory.write(file, at: place)
        let image = ImageBytes(UnsafeRawBufferPointer(try ram.memory.bytes(at: place, count: file.count)))
        let elf = try ELFImage(image)
        #expect(elf.canBeLoaded(fromGuestAddress: place))
        #expect(!elf.canBeLoaded(fromGuestAddress: place - 8), "the last segment would move up")
        #expect(!elf.canBeLoaded(fromGuestAddress: .max - 100), "beyond the end of all addresses")
        _ = try elf.load(into: ram.memory, ram.parameters(), imageAddress: place)
        #expect(try ram.memory.readBytes(at: place - 0x1000, count: 1000) == contents[0])
        #expect(try ram.memory.readBytes(at: place - 0x400, count: 2000) == contents[1])
        #expect(try ram.memory.readBytes(at: place - 0x400 + 2000, count: 500) == [UInt8](repeating: 0, count: 500))
        #expect(try ram.memory.readBytes(at: last, count: 64) == contents[2])
        #expect(try ram.memory.readBytes(at: last + 64, count: 136) == [UInt8](repeating: 0, count: 136))
    }

    @Test func fileInGuestMemory_whoseSegmentsWouldSpoilEachOther_isNotLoadedThere() throws {
        let file = SyntheticELF.with {
            $0.segments = [
                .init(address: 0x10_2000, contents: [1, 2, 3], memorySize: 0x2000),
                .init(address: 0x10_0000, contents: [4, 5, 6]),
            ]
        }
        try withImage(file) { image in
            let elf = try ELFImage(image)
            // The first segment's end lies above the second one's bytes.
            #expect(!elf.canBeLoaded(fromGuestAddress: 0x10_2000))
            #expect(elf.canBeLoaded(fromGuestAddress: 0x20_0000))
        }
    }
}
