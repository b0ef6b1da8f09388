import Foundation
import Glibc

/// Kernels, initrds and command lines that cannot be.
extension BadInputTests {
    private static func kernel(
        _ name: String, _ message: String, options: [String] = ["--memory", "64M"],
        _ bytes: @escaping @Sendable () -> [UInt8]
    ) -> Case {
        Case(name, message) { ["run", "--kernel", try $0.file("kernel", bytes())] + options }
    }

    private static func bzImage(
        _ name: String, _ message: String, options: [String] = ["--memory", "64M", "--entry", "bzimage"],
        _ change: @escaping @Sendable (inout [UInt8]) -> Void
    ) -> Case {
        kernel(name, "DIR/kernel: " + message, options: options) { KernelFile.bzImage(change) }
    }

    private static func set(
        _ value: UInt64, bytes: Int, at offset: Int
    ) -> @Sendable (inout [UInt8]) -> Void {
        { KernelFile.put(value, bytes: bytes, at: offset, in: &$0) }
    }

    private static func cut(to count: Int) -> @Sendable (inout [UInt8]) -> Void {
        { $0.removeLast($0.count - count) }
    }

    static let kernels = [
        Case("kernel missing", "cannot open kernel 'DIR/missing': no such file or directory; check the path") {
            ["run", "--kernel", $0.path + "/missing"]
        },
        Case("kernel in a file", "cannot open kernel 'DIR/a/b': not a directory; check the path") {
            _ = try $0.file("a", [1])
            return ["run", "--kernel", $0.path + "/a/b"]
        },
        Case("kernel that is a folder", "cannot read kernel 'DIR': it is a directory; name a file in it") {
            ["run", "--kernel", $0.path]
        },
        Case("kernel behind a link to itself", "cannot open kernel 'DIR/loop': too many levels of symbolic links") {
            symlink($0.path + "/loop", $0.path + "/loop")
            return ["run", "--kernel", $0.path + "/loop"]
        },
        Case("kernel that is a socket", "cannot open kernel 'DIR/socket': no such device or address; …") {
            try makeSocket($0.path + "/socket")
            return ["run", "--kernel", $0.path + "/socket"]
        },
        Case("kernel with a path too long", "cannot open kernel '…': file name too long") { _ in
            ["run", "--kernel", String(repeating: "k", count: 300)]
        },
        Case(
            "kernel with a newline in its path",
            "cannot open kernel 'DIR/a?b': no such file or directory; check the path"
        ) {
            ["run", "--kernel", $0.path + "/a\nb"]
        },
        Case("kernel without a name", status: 2, "kernel: the path is empty; name a file") { _ in
            ["run", "--kernel", ""]
        },
        Case(
            "kernel of several GiB",
            "cannot read kernel 'DIR/kernel': it holds more than 2 GiB; check that it is the right file"
        ) {
            let file = try $0.file("kernel", KernelFile.bzImage())
            guard truncate(file, 5 << 30) == 0 else { throw CocoaError(.fileWriteUnknown) }
            return ["run", "--kernel", file]
        },
        Case("kernel that never ends", "cannot read kernel '/dev/zero': it holds more than 2 GiB; …") { _ in
            ["run", "--kernel", "/dev/zero"]
        },
        kernel("kernel empty", "cannot use kernel 'DIR/kernel': it is empty; check how it was made") { [] },
        kernel("kernel of one byte", "DIR/kernel: this is not a Linux bzImage (the file ends within …") { [0] },
        kernel("kernel that is text", "DIR/kernel: this is not a Linux bzImage: give a bzImage or an ELF kernel") {
            Array(String(repeating: "This is no kernel.\n", count: 100).utf8)
        },
        kernel("kernel that is a picture", "DIR/kernel: this is not a Linux bzImage…: give a bzImage or an ELF kernel")
        {
            [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A] + [UInt8](repeating: 0, count: 2000)
        },
        kernel(
            "kernel that is gzip",
            "DIR/kernel: this is not a Linux bzImage (it is gzip-compressed data): give a bzImage or an ELF kernel"
        ) {
            [0x1F, 0x8B, 8] + [UInt8](repeating: 0, count: 2000)
        },
        kernel(
            "kernel that is an initrd",
            "DIR/kernel: this is not a Linux bzImage (it is a cpio archive, as an initrd is): …"
        ) {
            Array("070701".utf8) + [UInt8](repeating: 0x30, count: 2000)
        },
        kernel(
            "kernel that is a boot sector",
            "DIR/kernel: this is not a Linux bzImage (it has a boot sector's signature): …"
        ) {
            TinyProgram.bootSector + [UInt8](repeating: 0, count: 1024)
        },
        bzImage(
            "bzImage cut before its magic", "this is not a Linux bzImage (it has a boot sector's signature): …",
            cut(to: 0x202)),
        bzImage("bzImage cut in its header", "the bzImage is truncated: its header asks for …", cut(to: 0x210)),
        bzImage(
            "bzImage cut in its setup sectors",
            "the bzImage is truncated: its header asks for 2048 bytes and the file has 700; copy or download it again",
            cut(to: 700)),
        bzImage(
            "bzImage cut in its code",
            "the bzImage is truncated: its header asks for 2048 bytes and the file has 2047; copy or download it again",
            cut(to: 2047)),
        bzImage(
            "bzImage of an old protocol",
            "the kernel speaks boot protocol 2.05, and 2.12 or later is needed for a 64-bit start: use Linux 3.8 or later",
            set(0x0205, bytes: 2, at: 0x206)),
        bzImage(
            "zImage", "this is a zImage, which is loaded below 1 MiB: build a bzImage", set(0, bytes: 1, at: 0x211)),
        bzImage(
            "bzImage of 32 bits",
            "the kernel has no 64-bit entry point (xloadflags bit 0 is clear): use an x86-64 kernel",
            set(0, bytes: 2, at: 0x236)),
        bzImage(
            "bzImage with a short header", "the setup header ends at offset 0x212, before the fields of its version: …",
            set(0x10, bytes: 1, at: 0x201)),
        bzImage(
            "bzImage with a wrong alignment", "kernel_alignment is 0x300000, which is not a power of two: …",
            set(0x30_0000, bytes: 4, at: 0x230)),
        bzImage(
            "bzImage with a wrong init_size", "init_size is 0x10, less than the 0x400 bytes to load: …",
            set(0x10, bytes: 4, at: 0x260)),
        bzImage(
            "bzImage without code", "the bzImage has 16 bytes of protected-mode code, and the entry point is at 512: …",
            set(1, bytes: 4, at: 0x1F4)),
        bzImage(
            "bzImage of endless code",
            "the bzImage is truncated: its header asks for 68719477744 bytes and the file has 2048; …",
            set(0xFFFF_FFFF, bytes: 4, at: 0x1F4)),
        bzImage(
            "bzImage bigger than memory",
            "the kernel needs 1 MiB of contiguous memory from 0x1000000 on: give the guest more memory",
            options: ["--memory", "8M", "--entry", "bzimage"]
        ) { _ in },
        bzImage(
            "bzImage that wants the last address", "the kernel needs …: give the guest more memory",
            set(.max, bytes: 8, at: 0x258)),
        bzImage(
            "bzImage whose kernel is outside",
            "the compressed kernel (offset 0xFFFFFF00, 4294967295 bytes) is outside of the file: …",
            options: ["--memory", "64M", "--entry", "pvh"]
        ) {
            KernelFile.put(0xFFFF_FF00, bytes: 4, at: 0x248, in: &$0)
            KernelFile.put(0xFFFF_FFFF, bytes: 4, at: 0x24C, in: &$0)
        },
        bzImage(
            "bzImage whose kernel is no format",
            "the compressed kernel starts like none of gzip, bzip2, lzma, xz, lzo, lz4 and zstd: …",
            options: ["--memory", "64M", "--entry", "pvh"], set(0x4141_4141, bytes: 4, at: 1024 + 0x300)),
        bzImage(
            "bzImage whose kernel is damaged", "…", options: ["--memory", "64M", "--entry", "pvh"]
        ) { _ in },
        bzImage(
            "bzImage whose kernel claims 4 GiB",
            "its kernel takes 4095 MiB unpacked and the guest has 64 MiB; give more --memory",
            options: ["--memory", "64M"], set(0xFFFF_FFFF, bytes: 4, at: 1024 + 0x300 + 60)),
    ]

    // MARK: ELF

    private static func elf(
        _ name: String, _ message: String, options: [String] = ["--memory", "64M"],
        segments: [KernelFile.Segment] = [KernelFile.Segment()],
        _ change: @escaping @Sendable (inout [UInt8]) -> Void = { _ in }
    ) -> Case {
        let bytes = KernelFile.elf(segments, change)
        return kernel(name, "DIR/kernel: " + message, options: options) { bytes }
    }

    static let elfKernels = [
        kernel(
            "ELF of 32 bits without a note",
            "DIR/kernel: the 32-bit ELF file has no PVH note (XEN_ELFNOTE_PHYS32_ENTRY), so how to enter it is unknown: add the note, or use --flat"
        ) {
            KernelFile.elf32
        },
        elf(
            "ELF by PVH without a note", "the …ELF file has no PVH note (XEN_ELFNOTE_PHYS32_ENTRY), …",
            options: ["--memory", "64M", "--entry", "pvh"]),
        elf(
            "ELF by the bzImage's way", "an ELF file has no 64-bit boot header; leave out --entry bzimage",
            options: ["--entry", "bzimage"]),
        elf(
            "ELF of four bytes",
            "the ELF file is truncated: the ELF header reaches to 16 bytes and the file has 4; copy or build it again",
            segments: [], cut(to: 4)),
        elf(
            "ELF cut in its header",
            "the ELF file is truncated: the ELF header reaches to 64 bytes and the file has 63; copy or build it again",
            segments: [], cut(to: 63)),
        elf(
            "ELF cut in its program headers",
            "the ELF file is truncated: the table of program headers reaches to 120 bytes and the file has 100; copy or build it again",
            cut(to: 100)),
        elf(
            "ELF cut in a segment",
            "the ELF file is truncated: segment 0 reaches to 136 bytes and the file has 130; copy or build it again",
            cut(to: 130)),
        elf(
            "ELF of no class", "ELF class 3 is neither 32-bit (1) nor 64-bit (2): give a kernel built for x86-64",
            set(3, bytes: 1, at: 4)),
        elf(
            "ELF with the big end first", "the ELF file is not little-endian: give a kernel built for x86-64",
            set(2, bytes: 1, at: 5)),
        elf("ELF of version 2", "ELF version 2 is not 1: give a kernel built for x86-64", set(2, bytes: 4, at: 20)),
        elf(
            "ELF object file",
            "the ELF file is of type 1 and not an executable (2 or 3): link it, or give the kernel itself",
            set(1, bytes: 2, at: 16)),
        elf(
            "ELF for ARM", "the ELF file is for machine 183 and not for x86: give a kernel built for x86-64",
            set(183, bytes: 2, at: 18)),
        elf(
            "ELF for RISC-V", "the ELF file is for machine 243 and not for x86: give a kernel built for x86-64",
            set(243, bytes: 2, at: 18)),
        elf(
            "ELF without program headers",
            "the ELF file has 0 program headers, and 1 to 65534 are possible: give a linked executable", segments: []),
        elf(
            "ELF with headers of another size", "the ELF file's program headers have 32 bytes instead of 56: …",
            set(32, bytes: 2, at: 54)),
        elf(
            "ELF with its table at the last address",
            "the ELF file is truncated: the table of program headers reaches to 18446744073709551615 bytes …",
            set(.max, bytes: 8, at: 32)),
        elf(
            "ELF with nothing to load", "the ELF file has no segment to load: give a linked executable",
            set(6, bytes: 4, at: 64)),
        elf(
            "ELF segment bigger in the file",
            "ELF segment 0 has 16 bytes in the file and only 8 in memory: the file is damaged, copy or build it again",
            segments: [.init(memorySize: 8)]),
        elf(
            "ELF segment past the last address",
            "ELF segment 0 (4 KiB at 0xFFFFFFFFFFFFF800) passes the last address: link it lower",
            segments: [.init(address: .max - 0x7FF)]),
        elf(
            "ELF segment of endless size", "ELF segment 0 (…at 0x100000) …",
            segments: [.init(memorySize: .max - 0x10_0000)]),
        elf(
            "ELF segment of overflowing offset",
            "the ELF file is truncated: segment 0 reaches to 18446744073709551615 bytes …",
            segments: [.init(offset: .max - 3)]),
        elf(
            "ELF segment above memory",
            "ELF segment 0 (4 KiB at 0x8000000) is not all in the guest's memory: give the guest more memory, or link it elsewhere",
            segments: [.init(address: 128 << 20)]),
        elf(
            "ELF segment over the end of memory",
            "ELF segment 0 (4 KiB at 0x3FFF800) is not all in the guest's memory: …",
            segments: [.init(address: (64 << 20) - 0x800)]),
        elf(
            "ELF segment in the hole", "ELF segment 0 (4 KiB at 0xFEE00000) is not all in the guest's memory: …",
            segments: [.init(address: 0xFEE0_0000)]),
        elf(
            "ELF segment over the board's tables",
            "ELF segment 0 (4 KiB at 0x7000) lies over the board's tables below 0x30000: link it higher",
            segments: [.init(address: 0x7000)]),
        elf(
            "ELF segments that overlap",
            "ELF segments 0 and 1 overlap at 0x100800: the file is damaged, copy or link it again",
            segments: [.init(), .init(address: 0x10_0800)]),
        elf(
            "ELF entered outside its segments", "the ELF entry point 0x200000 is in none of the loaded segments: …",
            set(0x20_0000, bytes: 8, at: 24)),
        elf(
            "ELF entered at a virtual address",
            "the ELF entry point 0xFFFFFFFF81000000 is in none of the loaded segments: link it with physical addresses, as Linux does",
            set(0xFFFF_FFFF_8100_0000, bytes: 8, at: 24)),
    ]

    // MARK: Initrds and command lines

    private static func withKernel(
        _ name: String, status: Int32 = 1, _ message: String,
        _ options: @escaping @Sendable (TestFolder) throws -> [String]
    ) -> Case {
        Case(name, status: status, message) {
            ["run", "--kernel", try $0.file("kernel", KernelFile.elf()), "--memory", "64M"] + (try options($0))
        }
    }

    static let initrdsAndCommandLines = [
        withKernel("initrd missing", "cannot open initrd 'DIR/missing': no such file or directory; check the path") {
            ["--initrd", $0.path + "/missing"]
        },
        withKernel("initrd that is a folder", "cannot read initrd 'DIR': it is a directory; name a file in it") {
            ["--initrd", $0.path]
        },
        withKernel("initrd empty", "cannot use initrd 'DIR/initrd': it is empty; …") {
            ["--initrd", try $0.file("initrd", [])]
        },
        withKernel("initrd without a name", status: 2, "initrd: the path is empty; name a file or leave --initrd out") {
            _ in
            ["--initrd", ""]
        },
        withKernel(
            "initrd bigger than memory",
            "DIR/kernel: the initrd of 70 MiB does not fit into free memory…: give the guest more memory, or a smaller initrd"
        ) {
            let file = try $0.file("initrd", [1])
            guard truncate(file, 70 << 20) == 0 else { throw CocoaError(.fileWriteUnknown) }
            return ["--initrd", file]
        },
        withKernel("initrd of several GiB", "cannot read initrd 'DIR/initrd': it holds more than 2 GiB; …") {
            let file = try $0.file("initrd", [1])
            guard truncate(file, 9 << 30) == 0 else { throw CocoaError(.fileWriteUnknown) }
            return ["--initrd", file]
        },
        withKernel(
            "command line too long",
            "DIR/kernel: the command line has a length of 2048 and the kernel takes 2047 bytes: shorten it"
        ) { _ in
            ["--append", String(repeating: "x", count: 2048)]
        },
        withKernel(
            "command line of 100 kB",
            "DIR/kernel: the command line has a length of 100000 and the kernel takes 2047 bytes: shorten it"
        ) { _ in
            ["--append", String(repeating: "é", count: 50_000)]
        },
    ]

    private static func makeSocket(_ path: String) throws {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix(107)) }
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else { throw CocoaError(.fileWriteUnknown) }
    }
}
