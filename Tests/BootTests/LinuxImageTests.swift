import Boot
import Firmware
import GuestMemory
import Testing

@Suite struct LinuxImageTests {
    @Test func load_ofAValidImage_followsThe64BitBootProtocol() throws {
        let ram = GuestRAM(mebibytes: 32)
        let file = SyntheticKernel().bytes
        let loaded = try withImage(file) { try LinuxImage($0).load(into: ram.memory, ram.parameters()) }
        #expect(loaded.bootProtocol == .linux)
        #expect(loaded.kernel == AddressRange(start: 0x100_0000, end: 0x110_0000))
        #expect(loaded.entry.instructionPointer == 0x100_0200)
        #expect(loaded.entry.rsi == 0x7000)
        #expect(loaded.entry.mode == .long(pageTableRoot: 0x9000))
        #expect(loaded.entry.cr0 == 0x8000_0011)
        #expect(loaded.entry.cr4 == 0x20)
        #expect(loaded.entry.efer == 0x500)
        #expect(loaded.entry.flags == 2)
        #expect(loaded.entry.code.selector == 0x10 && loaded.entry.data.selector == 0x18)
        #expect(try ram.memory.readBytes(at: 0x100_0000, count: 0x400) == Array(file[1024...]))
    }

    @Test func zeroPage_ofAValidImage_hasHeaderMapAndNothingElse() throws {
        let ram = GuestRAM(mebibytes: 32)
        try withImage(SyntheticKernel().bytes) {
            _ = try LinuxImage($0).load(
                into: ram.memory, ram.parameters(commandLine: "console=ttyS0", acpiRootPointer: 0xE_0000))
        }
        let page = BoardLayout.zeroPage
        #expect(try ram.number(UInt32.self, at: page + 0x202) == 0x5372_6448)
        #expect(try ram.number(UInt8.self, at: page + 0x1EF) == 0)
        #expect(try ram.number(UInt8.self, at: page + 0x210) == 0xFF)
        #expect(try ram.number(UInt16.self, at: page + 0x1FA) == 0xFFFF)
        #expect(try ram.number(UInt32.self, at: page + 0x23C) == 0)
        #expect(try ram.number(UInt64.self, at: page + 0x250) == 0)
        #expect(try ram.number(UInt64.self, at: page + 0x070) == 0xE_0000)
        #expect(try ram.number(UInt32.self, at: page + 0x214) == 0x100_0000)
        #expect(try ram.number(UInt32.self, at: page + 0x228) == UInt32(BoardLayout.commandLine))
        #expect(try ram.number(UInt32.self, at: page + 0x218) == 0)
        #expect(
            try ram.memory.readBytes(at: BoardLayout.commandLine, count: 14) == Array("console=ttyS0".utf8) + [0])
        let lines = E820Map(memory: ram.memory).entries
        #expect(try ram.number(UInt8.self, at: page + 0x1E8) == UInt8(lines.count))
        for (index, line) in lines.enumerated() {
            let entry = page + 0x2D0 + UInt64(index) * 20
            #expect(try ram.number(UInt64.self, at: entry) == line.range.start)
            #expect(try ram.number(UInt64.self, at: entry + 8) == line.range.size)
            #expect(try ram.number(UInt32.self, at: entry + 16) == line.kind.rawValue)
        }
    }

    @Test func pageTables_ofLongMode_mapTheFirst4GiBToThemselves() throws {
        let ram = GuestRAM(mebibytes: 32)
        try withImage(SyntheticKernel().bytes) { _ = try LinuxImage($0).load(into: ram.memory, ram.parameters()) }
        for address in [0, 0x20_0000, 0x4000_0000, 0xC000_0000, 0xFFE0_0000] as [UInt64] {
            let root = try ram.number(UInt64.self, at: 0x9000 + (address >> 39) * 8)
            let pointer = try ram.number(UInt64.self, at: (root & ~0xFFF) + (address >> 30 & 0x1FF) * 8)
            let entry = try ram.number(UInt64.self, at: (pointer & ~0xFFF) + (address >> 21 & 0x1FF) * 8)
            #expect(root & 3 == 3 && pointer & 3 == 3)
            #expect(entry == address | 0x83)
        }
    }

    @Test func descriptorTable_ofLongMode_hasThe64BitCodeAndFlatDataSegments() throws {
        let ram = GuestRAM(mebibytes: 32)
        let loaded = try withImage(SyntheticKernel().bytes) {
            try LinuxImage($0).load(into: ram.memory, ram.parameters())
        }
        let table = BoardLayout.globalDescriptorTable
        #expect(loaded.entry.globalDescriptorTableSize == 48)
        #expect(try ram.number(UInt64.self, at: table) == 0)
        #expect(try ram.number(UInt64.self, at: table + 0x10) == 0x00AF_9B00_0000_FFFF)
        #expect(try ram.number(UInt64.self, at: table + 0x18) == 0x00CF_9300_0000_FFFF)
        #expect(try ram.number(UInt64.self, at: table + 0x20) == 0x0000_8B00_0000_0067)
    }

    @Test func initrd_ofASize_goesToTheTopOfMemoryOnAPage() throws {
        let ram = GuestRAM(mebibytes: 32)
        let initrd = [UInt8](repeating: 0xA5, count: 5000)
        let loaded = try withImage(SyntheticKernel().bytes) { image in
            try withImage(initrd) {
                try LinuxImage(image).load(into: ram.memory, ram.parameters(initrd: $0))
            }
        }
        let start: UInt64 = (32 << 20) - 8192
        #expect(loaded.initrd == AddressRange(start: start, end: start + 5000))
        #expect(try ram.memory.readBytes(at: start, count: 5000) == initrd)
        #expect(try ram.number(UInt32.self, at: BoardLayout.zeroPage + 0x218) == UInt32(start))
        #expect(try ram.number(UInt32.self, at: BoardLayout.zeroPage + 0x21C) == 5000)
    }

    @Test(
        arguments: [
            // The kernel is at 16 to 17 MiB; the limit is the highest address of the last byte.
            (0x7FFF_FFFF, 0x3, 0x1FF_F000), (0x17F_FFFF, 0, 0x17F_F000), (0x180_0FFE, 0, 0x17F_F000),
            (0x180_0FFF, 0, 0x180_0000), (0x10F_FFFF, 0, 0xFF_F000), (0x100_0000, 0, 0xFF_F000),
            (0x17F_FFFF, 0x3, 0x17F_F000),
        ] as [(UInt32, UInt16, UInt64)])
    func initrd_underALimit_isAsHighAsAllowedAndClearOfTheKernel(
        limit: UInt32, flags: UInt16, expected: UInt64
    ) throws {
        let ram = GuestRAM(mebibytes: 32)
        let file = SyntheticKernel.with {
            $0.initrdAddressMaximum = limit
            $0.extendedLoadFlags = 1 | flags
        }
        let loaded = try withImage(file) { image in
            try withImage([UInt8](repeating: 1, count: 4096)) {
                try LinuxImage(image).load(into: ram.memory, ram.parameters(initrd: $0))
            }
        }
        #expect(loaded.initrd?.start == expected)
    }

    @Test func initrd_aboveTheStatedLimit_isAllowedWhenTheKernelCanBeAbove4GiB() throws {
        let high = AddressRange(start: 0x1_0000_0000, end: 0x1_0010_0000)
        let ram = GuestRAM([AddressRange(start: 0, end: 0x110_0000), high])
        let file = SyntheticKernel.with { $0.initrdAddressMaximum = 0x1F_FFFF }
        let loaded = try withImage(file) { image in
            try withImage([UInt8](repeating: 1, count: 0x10_0000)) {
                try LinuxImage(image).load(
                    into: ram.memory, ram.parameters(initrd: $0))
            }
        }
        // 1 to 2 MiB is below the limit and free; the same size again only fits above 4 GiB.
        #expect(loaded.initrd?.start == 0x10_0000)
        let again = try withImage(file) { image in
            try withImage([UInt8](repeating: 1, count: 0x10_0000)) {
                var parameters = ram.parameters(initrd: $0)
                parameters.memoryMap = E820Map([
                    .init(AddressRange(start: 0x100_0000, end: 0x110_0000), .ram), .init(high, .ram),
                ])
                return try LinuxImage(image).load(into: ram.memory, parameters)
            }
        }
        #expect(again.initrd == high)
        #expect(try ram.number(UInt32.self, at: BoardLayout.zeroPage + 0x0C0) == 1)
        #expect(try ram.number(UInt32.self, at: BoardLayout.zeroPage + 0x218) == 0)
    }

    @Test(arguments: [(0x123_4567, 1, 0x140_0000), (0x123_4000, 0, 0x123_4000), (0, 1, 0x20_0000)])
    func preferredAddress_notAligned_isRoundedUpForRelocatableKernels(
        preferred: UInt64, relocatable: UInt8, expected: UInt64
    ) throws {
        let ram = GuestRAM(mebibytes: 32)
        let file = SyntheticKernel.with {
            $0.preferredAddress = preferred
            $0.relocatable = relocatable
        }
        let loaded = try withImage(file) { try LinuxImage($0).load(into: ram.memory, ram.parameters()) }
        #expect(loaded.kernel.start == expected)
    }

    @Test func setupSectors_0_mean4() throws {
        let ram = GuestRAM(mebibytes: 32)
        let file = SyntheticKernel.with { $0.setupSectors = 0 }
        try withImage(file) { _ = try LinuxImage($0).load(into: ram.memory, ram.parameters()) }
        #expect(try ram.memory.readBytes(at: 0x100_0000, count: 16) == Array(file[2560..<2576]))
    }

    @Test func decompressed_kernel_isEnteredAtItsOwnStart() throws {
        let ram = GuestRAM(mebibytes: 32)
        let elf = SyntheticELF.with {
            $0.entry = 0x100_0010
            $0.segments = [.init(address: 0x100_0000, contents: Array(0..<100), memorySize: 0x2000)]
        }
        let relocations: [UInt8] = [1, 2, 3, 4]
        let loaded = try withImage(SyntheticKernel().bytes) { image in
            try withImage(elf + relocations) {
                try LinuxImage(image).loadDecompressed($0, into: ram.memory, ram.parameters())
            }
        }
        #expect(loaded.bootProtocol == .linuxDecompressed)
        #expect(loaded.entry.instructionPointer == 0x100_0010)
        #expect(loaded.entry.rsi == BoardLayout.zeroPage)
        // The kernel's early allocations reach to pref_address + init_size.
        #expect(loaded.kernel == AddressRange(start: 0x100_0000, end: 0x110_0000))
        #expect(try ram.memory.readBytes(at: 0x100_0000, count: 100) == Array(0..<100))
        #expect(try ram.number(UInt32.self, at: BoardLayout.zeroPage + 0x202) == 0x5372_6448)
    }

    @Test(
        arguments: [
            ([0x1F, 0x8B], .gzip), ([0x42, 0x5A, 0x68], .bzip2), ([0x5D, 0, 0], .lzma),
            ([0xFD, 0x37, 0x7A, 0x58, 0x5A, 0], .xz), ([0x89, 0x4C, 0x5A, 0x4F, 0, 0x0D, 0x0A, 0x1A, 0x0A], .lzo),
            ([0x02, 0x21, 0x4C, 0x18], .lz4), ([0x28, 0xB5, 0x2F, 0xFD], .zstd), ([0x7F, 0x45, 0x4C, 0x46], .none),
        ] as [([UInt8], CompressedKernel.Format)])
    func compressedKernel_ofAMagic_isKnownWithItsSize(magic: [UInt8], format: CompressedKernel.Format) throws {
        let file = SyntheticKernel.with { $0.payload = magic + [9, 9, 9] + [0x78, 0x56, 0x34, 0x12] }
        try withImage(file) {
            let kernel = try LinuxImage($0).compressedKernel()
            #expect(kernel.format == format)
            #expect(kernel.decompressedSize == 0x1234_5678)
            #expect(kernel.compressed.count == magic.count + 3)
        }
    }
}
