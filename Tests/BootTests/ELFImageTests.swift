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
}
