/// Why a bzImage could not be read or loaded.
public enum LinuxImageError: Error, Equatable, Sendable {
    /// The file has no bytes.
    case empty
    /// It is something else; what it seems to be, where its first bytes tell.
    case notLinux(guess: String?)
    /// It ends before `needed` bytes, which its header asks for.
    case truncated(needed: UInt64, actual: UInt64)
    /// The boot protocol is older than 2.12.
    case protocolTooOld(version: UInt16)
    /// A zImage, whose code belongs below 1 MiB.
    case notLoadedHigh
    /// A kernel without a 64-bit entry point.
    case not64Bit
    /// The setup header is shorter than its protocol version says; where it ends.
    case headerTooShort(end: UInt64)
    /// The protected-mode code is too short to reach the entry point.
    case codeTooShort(size: UInt64)
    /// kernel_alignment is not a power of two.
    case invalidAlignment(UInt32)
    /// init_size is smaller than the code that is loaded.
    case invalidInitSize(initSize: UInt32, loaded: UInt64)
    /// The compressed kernel is said to lie outside of the file.
    case payloadOutside(offset: UInt32, length: UInt32)
    /// The compressed kernel starts like no format known.
    case unknownCompression
    /// There is no contiguous RAM of the size that the kernel needs, from the address that it wants.
    case doesNotFit(address: UInt64, size: UInt64)
    /// The decompressed kernel could not be loaded.
    case decompressedKernel(ELFError)
    /// Command line, initrd or tables could not be placed.
    case parameters(BootParametersError)
}

extension LinuxImageError: CustomStringConvertible {
    /// One line, without the name of the file.
    public var description: String {
        switch self {
        case .empty: "the file is empty: give a Linux bzImage or an ELF kernel"
        case .notLinux(let guess):
            "this is not a Linux bzImage\(guess.map { " (\($0))" } ?? ""): give a bzImage or an ELF kernel"
        case .truncated(let needed, let actual):
            "the bzImage is truncated: its header asks for \(needed) bytes and the file has \(actual); "
                + "copy or download it again"
        case .protocolTooOld(let version):
            "the kernel speaks boot protocol \(version >> 8).\(version & 0xFF < 10 ? "0" : "")\(version & 0xFF), and "
                + "2.12 or later is needed for a 64-bit start: use Linux 3.8 or later"
        case .notLoadedHigh: "this is a zImage, which is loaded below 1 MiB: build a bzImage"
        case .not64Bit: "the kernel has no 64-bit entry point (xloadflags bit 0 is clear): use an x86-64 kernel"
        case .headerTooShort(let end):
            "the setup header ends at offset \(hexadecimal(end)), before the fields of its version: "
                + "the bzImage is damaged, copy or download it again"
        case .codeTooShort(let size):
            "the bzImage has \(size) bytes of protected-mode code, and the entry point is at 512: "
                + "it is damaged, copy or download it again"
        case .invalidAlignment(let alignment):
            "kernel_alignment is \(hexadecimal(UInt64(alignment))), which is not a power of two: the bzImage is "
                + "damaged, copy or download it again"
        case .invalidInitSize(let initSize, let loaded):
            "init_size is \(hexadecimal(UInt64(initSize))), less than the \(hexadecimal(loaded)) bytes to load: "
                + "the bzImage is damaged, copy or download it again"
        case .payloadOutside(let offset, let length):
            "the compressed kernel (offset \(hexadecimal(UInt64(offset))), \(length) bytes) is outside of the file: "
                + "the bzImage is damaged, copy or download it again"
        case .unknownCompression:
            "the compressed kernel starts like none of gzip, bzip2, lzma, xz, lzo, lz4 and zstd: "
                + "let the kernel decompress itself"
        case .doesNotFit(let address, let size):
            "the kernel needs \(bytes(size)) of contiguous memory from \(hexadecimal(address)) on: "
                + "give the guest more memory"
        case .decompressedKernel(let error): "the kernel inside the bzImage cannot be loaded: \(error.description)"
        case .parameters(let error): error.description
        }
    }
}
