import Boot
import Firmware
import GuestMemory
import Testing

@Suite struct LinuxImageBadInputTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let file: [UInt8]
        let error: LinuxImageError
        let message: String

        init(_ name: String, _ file: [UInt8], _ error: LinuxImageError, _ message: String) {
            testDescription = name
            self.file = file
            self.error = error
            self.message = message
        }
    }

    static let files: [Case] = [
        Case("empty", [], .empty, "the file is empty"),
        Case(
            "one byte", [0], .notLinux(guess: "the file ends within the header, after byte 1"),
            "this is not a Linux bzImage (the file ends within the header, after byte 1): give"),
        Case(
            "zeros", [UInt8](repeating: 0, count: 4096), .notLinux(guess: nil),
            "this is not a Linux bzImage: give"),
        Case(
            "ELF", SyntheticELF.with { $0.segments[0].contents = [UInt8](repeating: 0, count: 1024) },
            .notLinux(guess: "it is an ELF file"), "not a Linux bzImage (it is an ELF file)"),
        Case(
            "short ELF", [0x7F, 0x45, 0x4C, 0x46, 2], .notLinux(guess: "it is an ELF file"), "it is an ELF file"),
        Case(
            "gzip", [0x1F, 0x8B] + [UInt8](repeating: 0, count: 600),
            .notLinux(guess: "it is gzip-compressed data"), "gzip-compressed"),
        Case(
            "cpio", Array("070701".utf8) + [UInt8](repeating: 0, count: 600),
            .notLinux(guess: "it is a cpio archive, as an initrd is"), "cpio"),
        Case(
            "boot sector", SyntheticKernel.with { $0.magic = 0 },
            .notLinux(guess: "it has a boot sector's signature"), "boot sector"),
        Case("no boot flag", SyntheticKernel.with { $0.bootFlag = 0 }, .notLinux(guess: nil), "not a Linux bzImage"),
        Case(
            "version 2.0B", SyntheticKernel.with { $0.version = 0x020B }, .protocolTooOld(version: 0x020B),
            "boot protocol 2.11, and 2.12 or later"),
        Case(
            "version 1.1", SyntheticKernel.with { $0.version = 0x0101 }, .protocolTooOld(version: 0x0101),
            "boot protocol 1.01"),
        Case("version 0", SyntheticKernel.with { $0.version = 0 }, .protocolTooOld(version: 0), "boot protocol 0.00"),
        Case("zImage", SyntheticKernel.with { $0.loadFlags = 0x80 }, .notLoadedHigh, "zImage"),
        Case("32-bit", SyntheticKernel.with { $0.extendedLoadFlags = 0xFE }, .not64Bit, "no 64-bit entry point"),
        Case(
            "short header", SyntheticKernel.with { $0.headerEnd = 0x61 }, .headerTooShort(end: 0x263),
            "ends at offset 0x263"),
        Case(
            "alignment 0", SyntheticKernel.with { $0.alignment = 0 }, .invalidAlignment(0),
            "kernel_alignment is 0x0, which is not a power of two"),
        Case(
            "alignment 3", SyntheticKernel.with { $0.alignment = 3 }, .invalidAlignment(3), "kernel_alignment is 0x3"),
        Case(
            "no code", SyntheticKernel.with { $0.systemSize = 0 }, .codeTooShort(size: 0), "0 bytes of protected-mode"),
        Case(
            "code up to the entry", SyntheticKernel.with { $0.systemSize = 32 }, .codeTooShort(size: 512),
            "512 bytes of protected-mode"),
        Case(
            "init_size 0", SyntheticKernel.with { $0.initSize = 0 }, .invalidInitSize(initSize: 0, loaded: 0x400),
            "init_size is 0x0"),
        Case(
            "init_size below the code", SyntheticKernel.with { $0.initSize = 0x3FF },
            .invalidInitSize(initSize: 0x3FF, loaded: 0x400), "less than the 0x400 bytes"),
        Case(
            "init_size above memory", SyntheticKernel.with { $0.initSize = 0x100_0001 },
            .doesNotFit(address: 0x100_0000, size: 0x100_0001), "needs 17 MiB of contiguous memory from 0x1000000"),
        Case(
            "init_size 4 GiB", SyntheticKernel.with { $0.initSize = UInt32.max },
            .doesNotFit(address: 0x100_0000, size: UInt64(UInt32.max)), "needs 4096 MiB"),
        Case(
            "preferred address outside", SyntheticKernel.with { $0.preferredAddress = 0xC000_0000 },
            .doesNotFit(address: 0xC000_0000, size: 0x10_0000), "from 0xC0000000 on"),
        Case(
            "preferred address overflows", SyntheticKernel.with { $0.preferredAddress = UInt64.max },
            .doesNotFit(address: UInt64.max, size: 0x10_0000), "from 0xFFFFFFFFFFFFFFFF on"),
        Case(
            "preferred address overflows, fixed",
            SyntheticKernel.with {
                $0.preferredAddress = UInt64.max
                $0.relocatable = 0
            }, .doesNotFit(address: UInt64.max, size: 0x10_0000), "from 0xFFFFFFFFFFFFFFFF on"),
        Case(
            "setup_sects past the end",
            {
                var file = SyntheticKernel().bytes
                file[0x1F1] = 255
                return file
            }(), .truncated(needed: 256 * 512 + 0x400, actual: 2048), "asks for 132096 bytes and the file has 2048"),
        Case(
            "syssize past the end",
            {
                var file = SyntheticKernel().bytes
                file.store(UInt32.max, at: 0x1F4)
                return file
            }(), .truncated(needed: 1024 + UInt64(UInt32.max) * 16, actual: 2048), "truncated"),
    ]

    @Test(arguments: files)
    func load_ofABadFile_isRefusedWithOneLine(bad: Case) throws {
        let ram = GuestRAM(mebibytes: 32)
        withImage(bad.file) { image in
            let error = #expect(throws: LinuxImageError.self) {
                try LinuxImage(image).load(into: ram.memory, ram.parameters())
            }
            #expect(error == bad.error)
            #expect(error?.description.contains(bad.message) == true, "\(error?.description ?? "")")
            #expect(error?.description.contains("\n") == false)
        }
    }

    @Test func load_ofAFileCutAnywhere_isRefused() {
        let ram = GuestRAM(mebibytes: 32)
        let file = SyntheticKernel().bytes
        for count in 0..<file.count {
            withImage(Array(file[..<count])) { image in
                #expect(throws: LinuxImageError.self, "\(count) bytes") {
                    try LinuxImage(image).load(into: ram.memory, ram.parameters())
                }
            }
        }
    }

    @Test(
        arguments: [
            (2048, .commandLineTooLong(count: 2048, maximum: 2047), 2047),
            (1, .commandLineTooLong(count: 1, maximum: 0), 0),
            (0x1_0000, .commandLineTooLong(count: 0x1_0000, maximum: 0xFFFF), UInt32.max),
        ] as [(Int, BootParametersError, UInt32)])
    func commandLine_longerThanTheKernelTakes_isRefused(count: Int, error: BootParametersError, size: UInt32) {
        let ram = GuestRAM(mebibytes: 32)
        withImage(SyntheticKernel.with { $0.commandLineSize = size }) { image in
            #expect(throws: LinuxImageError.parameters(error)) {
                try LinuxImage(image).load(
                    into: ram.memory, ram.parameters(commandLine: String(repeating: "x", count: count)))
            }
        }
    }

    @Test func commandLine_withAZeroByte_isRefused() {
        let ram = GuestRAM(mebibytes: 32)
        withImage(SyntheticKernel().bytes) { image in
            #expect(throws: LinuxImageError.parameters(.commandLineHasZeroByte(offset: 5))) {
                try LinuxImage(image).load(into: ram.memory, ram.parameters(commandLine: "quiet\0panic=1"))
            }
        }
    }

    @Test(
        arguments: [
            (0, 0x7FFF_FFFF, .initrdEmpty),
            (0xF0_0001, 0x7FFF_FFFF, .initrdDoesNotFit(size: 0xF0_0001, limit: 0x8000_0000)),
            (4096, 0x10_0FFE, .initrdDoesNotFit(size: 4096, limit: 0x10_0FFF)),
            (1, 0, .initrdDoesNotFit(size: 1, limit: 1)),
        ] as [(Int, UInt32, BootParametersError)])
    func initrd_withoutRoom_isRefused(count: Int, limit: UInt32, error: BootParametersError) {
        let ram = GuestRAM(mebibytes: 32)
        let file = SyntheticKernel.with {
            $0.initrdAddressMaximum = limit
            $0.extendedLoadFlags = 1
        }
        withImage(file) { image in
            withImage([UInt8](repeating: 1, count: count)) { initrd in
                #expect(throws: LinuxImageError.parameters(error)) {
                    try LinuxImage(image).load(into: ram.memory, ram.parameters(initrd: initrd))
                }
            }
        }
    }

    @Test func memoryMap_ofMoreLinesThanTheZeroPage_isRefused() {
        let ram = GuestRAM(mebibytes: 32)
        var parameters = ram.parameters()
        let extra = (0..<200).map { line in
            E820Map.Entry(AddressRange(start: 0x2_0000_0000 + line * 2, end: 0x2_0000_0001 + line * 2), .reserved)
        }
        parameters.memoryMap = E820Map(parameters.memoryMap.entries + extra)
        let count = parameters.memoryMap.entries.count
        withImage(SyntheticKernel().bytes) { image in
            #expect(throws: LinuxImageError.parameters(.memoryMapTooLong(count: count, maximum: 128))) {
                try LinuxImage(image).load(into: ram.memory, parameters)
            }
        }
    }

    @Test(
        arguments: [
            (0x300, 0x101, .payloadOutside(offset: 0x300, length: 0x101)),
            (0x401, 0, .payloadOutside(offset: 0x401, length: 0)),
            (0x300, UInt32.max, .payloadOutside(offset: 0x300, length: UInt32.max)),
            (0x300, 4, .unknownCompression), (0x304, 8, .unknownCompression), (0x400, 0, .unknownCompression),
        ] as [(UInt32, UInt32, LinuxImageError)])
    func compressedKernel_outsideOrUnknown_isRefused(offset: UInt32, length: UInt32, error: LinuxImageError) {
        var file = SyntheticKernel().bytes
        file.store(offset, at: 0x248)
        file.store(length, at: 0x24C)
        withImage(file) { image in
            #expect(throws: error) { try LinuxImage(image).compressedKernel() }
        }
    }

    @Test func decompressedKernel_thatIsNoELF_isRefused() {
        let ram = GuestRAM(mebibytes: 32)
        withImage(SyntheticKernel().bytes) { image in
            withImage([1, 2, 3, 4]) { kernel in
                #expect(throws: LinuxImageError.decompressedKernel(.notELF(guess: nil))) {
                    try LinuxImage(image).loadDecompressed(kernel, into: ram.memory, ram.parameters())
                }
            }
        }
    }
}
