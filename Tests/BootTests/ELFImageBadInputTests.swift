import Boot
import Firmware
import GuestMemory
import Testing

@Suite struct ELFImageBadInputTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let file: [UInt8]
        let error: ELFError
        let message: String

        init(_ name: String, _ file: [UInt8], _ error: ELFError, _ message: String) {
            testDescription = name
            self.file = file
            self.error = error
            self.message = message
        }
    }

    private static func segment(
        at address: UInt64, count: Int = 16, fileSize: UInt64? = nil, memorySize: UInt64? = nil, offset: UInt64? = nil
    ) -> [UInt8] {
        SyntheticELF.with {
            $0.segments.append(
                .init(
                    address: address, contents: [UInt8](repeating: 7, count: count), fileSize: fileSize,
                    memorySize: memorySize, offset: offset))
        }
    }

    static let headers: [Case] = [
        Case("empty", [], .empty, "the file is empty"),
        Case("one byte", [0x7F], .truncated(part: .header, needed: 16, actual: 1), "the ELF header reaches to 16"),
        Case("text", Array("#!/bin/sh\n".utf8), .notELF(guess: nil), "this is not an ELF file: give"),
        Case("bzImage", SyntheticKernel().bytes, .notELF(guess: "it is a Linux bzImage"), "(it is a Linux bzImage)"),
        Case("class 0", SyntheticELF.with { $0.fileClass = 0 }, .unsupportedClass(0), "ELF class 0"),
        Case("class 3", SyntheticELF.with { $0.fileClass = 3 }, .unsupportedClass(3), "ELF class 3"),
        Case("big-endian", SyntheticELF.with { $0.dataEncoding = 2 }, .notLittleEndian, "not little-endian"),
        Case("ident version", SyntheticELF.with { $0.identVersion = 0 }, .unsupportedVersion(0), "ELF version 0"),
        Case("version", SyntheticELF.with { $0.version = 2 }, .unsupportedVersion(2), "ELF version 2"),
        Case("relocatable", SyntheticELF.with { $0.type = 1 }, .notExecutable(type: 1), "of type 1"),
        Case("core", SyntheticELF.with { $0.type = 4 }, .notExecutable(type: 4), "of type 4"),
        Case("RISC-V", SyntheticELF.with { $0.machine = 243 }, .wrongMachine(243), "for machine 243"),
        Case("i386 in 64 bits", SyntheticELF.with { $0.machine = 3 }, .wrongMachine(3), "for machine 3"),
        Case(
            "phentsize 0", SyntheticELF.with { $0.programHeaderSize = 0 },
            .wrongProgramHeaderSize(0, expected: 56), "have 0 bytes instead of 56"),
        Case(
            "phentsize of 32 bits", SyntheticELF.with { $0.programHeaderSize = 32 },
            .wrongProgramHeaderSize(32, expected: 56), "have 32 bytes instead of 56"),
        Case("phnum 0", SyntheticELF.with { $0.programHeaderCount = 0 }, .wrongProgramHeaderCount(0), "has 0 program"),
        Case(
            "phnum PN_XNUM", SyntheticELF.with { $0.programHeaderCount = 0xFFFF }, .wrongProgramHeaderCount(0xFFFF),
            "has 65535 program"),
        Case(
            "phnum past the end", SyntheticELF.with { $0.programHeaderCount = 4 },
            .truncated(part: .programHeaders, needed: 64 + 4 * 56, actual: 184), "program headers reaches to 288"),
        Case(
            "phoff overflows", SyntheticELF.with { $0.programHeaderOffset = UInt64.max },
            .truncated(part: .programHeaders, needed: UInt64.max, actual: 184), "truncated"),
        Case(
            "nothing to load", SyntheticELF.with { $0.segments[0].type = 2 }, .nothingToLoad, "no segment to load"),
        Case(
            "32 bits without note", SyntheticELF.with { $0.is64Bit = false }, .noEntryProtocol, "no PVH note"),
        Case(
            "entry outside", SyntheticELF.with { $0.entry = 0x10_1000 }, .entryOutside(address: 0x10_1000),
            "entry point 0x101000"),
        Case(
            "virtual entry", SyntheticELF.with { $0.entry = 0xFFFF_FFFF_8100_0000 },
            .entryOutside(address: 0xFFFF_FFFF_8100_0000), "entry point 0xFFFFFFFF81000000"),
        Case(
            "PVH entry outside", SyntheticELF.with { $0.segments.append(SyntheticELF.pvhNote(0x1_0010_0000)) },
            .entryOutside(address: 0x1_0010_0000), "entry point 0x100100000"),
    ]

    static let segments: [Case] = [
        Case(
            "filesz above memsz", segment(at: 0x11_0000, memorySize: 15),
            .fileSizeAboveMemorySize(segment: 1, fileSize: 16, memorySize: 15), "16 bytes in the file and only 15"),
        Case(
            "overlapping", segment(at: 0x10_0FFF), .segmentsOverlap(segment: 0, other: 1, address: 0x10_0FFF),
            "segments 0 and 1 overlap at 0x100FFF"),
        Case(
            "the same", segment(at: 0x10_0000), .segmentsOverlap(segment: 0, other: 1, address: 0x10_0000),
            "overlap at 0x100000"),
        Case(
            "past the last address", segment(at: UInt64.max - 14),
            .segmentOverflows(segment: 1, address: UInt64.max - 14, size: 16), "passes the last address"),
        Case(
            "memsz overflows", segment(at: 0x20_0000, memorySize: UInt64.max),
            .segmentOverflows(segment: 1, address: 0x20_0000, size: UInt64.max), "passes the last address"),
        Case(
            "offset past the end", segment(at: 0x11_0000, offset: 100_000),
            .truncated(part: .segment(1), needed: 100_016, actual: 256), "segment 1 reaches to 100016 bytes"),
        Case(
            "offset overflows", segment(at: 0x11_0000, offset: UInt64.max),
            .truncated(part: .segment(1), needed: UInt64.max, actual: 256), "truncated"),
        Case(
            "filesz past the end", segment(at: 0x11_0000, fileSize: 17, memorySize: 17, offset: 240),
            .truncated(part: .segment(1), needed: 257, actual: 256), "257 bytes and the file has 256"),
        Case(
            "above memory", segment(at: 0x200_0000), .segmentOutsideRAM(segment: 1, address: 0x200_0000, size: 16),
            "not all in the guest's memory"),
        Case(
            "across the end of memory", segment(at: 0x1FF_FFF8),
            .segmentOutsideRAM(segment: 1, address: 0x1FF_FFF8, size: 16), "not all in the guest's memory"),
        Case(
            "huge memsz", segment(at: 0x11_0000, memorySize: 1 << 40),
            .segmentOutsideRAM(segment: 1, address: 0x11_0000, size: 1 << 40), "1024 GiB at 0x110000"),
        Case(
            "in the hole", segment(at: 0xFEC0_0000), .segmentOutsideRAM(segment: 1, address: 0xFEC0_0000, size: 16),
            "at 0xFEC00000"),
        Case(
            "over the ACPI tables", segment(at: 0xE_0000),
            .segmentOutsideRAM(segment: 1, address: 0xE_0000, size: 16), "at 0xE0000"),
        Case(
            "over the BIOS data", segment(at: 0x9_FC00), .segmentOutsideRAM(segment: 1, address: 0x9_FC00, size: 16),
            "at 0x9FC00"),
        Case(
            "over the zero page", segment(at: 0x7000), .segmentOverBootTables(segment: 1, address: 0x7000, size: 16),
            "over the board's tables below 0x30000"),
        Case(
            "at address 0", segment(at: 0), .segmentOverBootTables(segment: 1, address: 0, size: 16),
            "over the board's tables"),
    ]

    @Test(arguments: headers + segments)
    func load_ofABadFile_isRefusedWithOneLine(bad: Case) throws {
        let ram = GuestRAM(mebibytes: 32)
        withImage(bad.file) { image in
            let error = #expect(throws: ELFError.self) {
                try ELFImage(image).load(into: ram.memory, ram.parameters())
            }
            #expect(error == bad.error)
            #expect(error?.description.contains(bad.message) == true, "\(error?.description ?? "")")
            #expect(error?.description.contains("\n") == false)
        }
    }

    @Test(arguments: [true, false])
    func load_ofAFileCutAnywhere_isRefused(is64Bit: Bool) {
        let ram = GuestRAM(mebibytes: 32)
        let file = SyntheticELF.with {
            $0.is64Bit = is64Bit
            $0.segments.insert(SyntheticELF.pvhNote(0x10_0000), at: 0)
        }
        for count in 0..<file.count {
            withImage(Array(file[..<count])) { image in
                #expect(throws: ELFError.self, "\(count) bytes") {
                    try ELFImage(image).load(into: ram.memory, ram.parameters())
                }
            }
        }
    }

    @Test func initrd_largerThanFreeMemory_isRefused() {
        let ram = GuestRAM(mebibytes: 2)
        withImage(SyntheticELF().bytes) { image in
            withImage([UInt8](repeating: 1, count: 0x10_0000)) { initrd in
                #expect(throws: ELFError.parameters(.initrdDoesNotFit(size: 0x10_0000, limit: UInt64.max))) {
                    try ELFImage(image).load(into: ram.memory, ram.parameters(initrd: initrd))
                }
            }
        }
    }
}
