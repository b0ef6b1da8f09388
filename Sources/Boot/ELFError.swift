internal import Firmware

/// Why an ELF file could not be read or loaded.
public enum ELFError: Error, Equatable, Sendable {
    /// The file has no bytes.
    case empty
    /// It is something else; what it seems to be, where its first bytes tell.
    case notELF(guess: String?)
    /// It ends before what its headers name.
    case truncated(part: Part, needed: UInt64, actual: UInt64)
    /// EI_CLASS is neither 32 nor 64 bits.
    case unsupportedClass(UInt8)
    /// EI_DATA is not little-endian.
    case notLittleEndian
    /// EI_VERSION or e_version is not 1.
    case unsupportedVersion(UInt32)
    /// e_type is neither an executable nor a shared object.
    case notExecutable(type: UInt16)
    /// e_machine is not x86-64 or, for 32 bits, i386.
    case wrongMachine(UInt16)
    /// e_phentsize is not the size of this class's program header.
    case wrongProgramHeaderSize(UInt16, expected: UInt16)
    /// There is no program header, or their number does not fit into its field (PN_XNUM).
    case wrongProgramHeaderCount(UInt16)
    /// No segment is to be loaded.
    case nothingToLoad
    /// p_filesz is larger than p_memsz.
    case fileSizeAboveMemorySize(segment: Int, fileSize: UInt64, memorySize: UInt64)
    /// The segment passes the last 64-bit address.
    case segmentOverflows(segment: Int, address: UInt64, size: UInt64)
    /// There is not RAM throughout the segment's addresses.
    case segmentOutsideRAM(segment: Int, address: UInt64, size: UInt64)
    /// The segment would lie over the board's own tables.
    case segmentOverBootTables(segment: Int, address: UInt64, size: UInt64)
    /// Two segments share addresses.
    case segmentsOverlap(segment: Int, other: Int, address: UInt64)
    /// The entry point is not inside of what is loaded, or past what its mode reaches.
    case entryOutside(address: UInt64)
    /// A 32-bit file without a PVH note: it does not say how to enter it.
    case noEntryProtocol
    /// Command line, initrd or tables could not be placed.
    case parameters(BootParametersError)

    /// A part of the file.
    public enum Part: Equatable, Sendable {
        /// The ELF header.
        case header
        /// The table of program headers.
        case programHeaders
        /// The contents of a segment, by its number.
        case segment(Int)
    }
}

extension ELFError: CustomStringConvertible {
    /// One line, without the name of the file.
    public var description: String {
        switch self {
        case .empty: "the file is empty: give a Linux bzImage or an ELF kernel"
        case .notELF(let guess):
            "this is not an ELF file\(guess.map { " (\($0))" } ?? ""): give a bzImage or an ELF kernel"
        case .truncated(let part, let needed, let actual):
            "the ELF file is truncated: \(part.name) reaches to \(needed) bytes and the file has \(actual); "
                + "copy or build it again"
        case .unsupportedClass(let value): "ELF class \(value) is neither 32-bit (1) nor 64-bit (2): \(Self.rebuild)"
        case .notLittleEndian: "the ELF file is not little-endian: \(Self.rebuild)"
        case .unsupportedVersion(let version): "ELF version \(version) is not 1: \(Self.rebuild)"
        case .notExecutable(let type):
            "the ELF file is of type \(type) and not an executable (2 or 3): link it, or give the kernel itself"
        case .wrongMachine(let machine): "the ELF file is for machine \(machine) and not for x86: \(Self.rebuild)"
        case .wrongProgramHeaderSize(let size, let expected):
            "the ELF file's program headers have \(size) bytes instead of \(expected): \(Self.rebuild)"
        case .wrongProgramHeaderCount(let count):
            "the ELF file has \(count) program headers, and 1 to 65534 are possible: give a linked executable"
        case .nothingToLoad: "the ELF file has no segment to load: give a linked executable"
        case .fileSizeAboveMemorySize(let segment, let fileSize, let memorySize):
            "ELF segment \(segment) has \(fileSize) bytes in the file and only \(memorySize) in memory: "
                + "the file is damaged, copy or build it again"
        case .segmentOverflows(let segment, let address, let size):
            "\(Self.place(segment, address, size)) passes the last address: link it lower"
        case .segmentOutsideRAM(let segment, let address, let size):
            "\(Self.place(segment, address, size)) is not all in the guest's memory: "
                + "give the guest more memory, or link it elsewhere"
        case .segmentOverBootTables(let segment, let address, let size):
            "\(Self.place(segment, address, size)) lies over the board's tables below "
                + "\(hexadecimal(BoardLayout.bootTables.end)): link it higher"
        case .segmentsOverlap(let segment, let other, let address):
            "ELF segments \(segment) and \(other) overlap at \(hexadecimal(address)): the file is damaged, "
                + "copy or link it again"
        case .entryOutside(let address):
            "the ELF entry point \(hexadecimal(address)) is in none of the loaded segments: "
                + "link it with physical addresses, as Linux does"
        case .noEntryProtocol:
            "the 32-bit ELF file has no PVH note (XEN_ELFNOTE_PHYS32_ENTRY), so how to enter it is unknown: "
                + "add the note, or use --flat"
        case .parameters(let error): error.description
        }
    }

    private static let rebuild = "give a kernel built for x86-64"

    private static func place(_ segment: Int, _ address: UInt64, _ size: UInt64) -> String {
        "ELF segment \(segment) (\(bytes(size)) at \(hexadecimal(address)))"
    }
}

extension ELFError.Part {
    /// What it is called in a message.
    var name: String {
        switch self {
        case .header: "the ELF header"
        case .programHeaders: "the table of program headers"
        case .segment(let number): "segment \(number)"
        }
    }
}
