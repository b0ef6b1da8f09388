/// Where the fields of an ELF file are, for its class.
struct ELFLayout {
    /// The fields of a program header that loading needs.
    struct ProgramHeader {
        let type: UInt32
        let offset: UInt64
        let physicalAddress: UInt64
        let fileSize: UInt64
        let memorySize: UInt64
    }

    /// PT_LOAD.
    static let typeLoad: UInt32 = 1
    /// PT_NOTE.
    static let typeNote: UInt32 = 4

    static let magic: [UInt8] = [0x7F, 0x45, 0x4C, 0x46]
    private static let identSize: UInt64 = 16
    private static let class32: UInt8 = 1
    private static let class64: UInt8 = 2
    private static let littleEndian: UInt8 = 1
    private static let currentVersion: UInt32 = 1
    private static let typeExecutable: UInt16 = 2
    private static let typeShared: UInt16 = 3
    private static let machine386: UInt16 = 3
    private static let machineX86_64: UInt16 = 62
    /// PN_XNUM: the real number is elsewhere; no kernel needs so many.
    private static let extendedCount: UInt16 = 0xFFFF

    let is64Bit: Bool
    let entryPoint: UInt64
    let programHeaderCount: Int
    private let programHeaderTable: UInt64
    private let programHeaderSize: UInt64

    /// Checks the ELF header and that the program headers are in the file.
    init(checking image: ImageBytes) throws(ELFError) {
        if image.count == 0 { throw .empty }
        let size = UInt64(image.count)
        if !image.has(Self.magic) {
            let prefix = image.slice(at: 0, count: min(size, UInt64(Self.magic.count)))
            if size < Self.magic.count, let prefix, unsafe Self.magic.starts(with: prefix.bytes) {
                throw .truncated(part: .header, needed: Self.identSize, actual: size)
            }
            throw .notELF(guess: guessedFormat(image))
        }
        guard let ident = image.slice(at: 0, count: Self.identSize) else {
            throw .truncated(part: .header, needed: Self.identSize, actual: size)
        }
        let fileClass = ident.load(UInt8.self, at: 4) ?? 0
        if fileClass != Self.class32, fileClass != Self.class64 { throw .unsupportedClass(fileClass) }
        if ident.load(UInt8.self, at: 5) != Self.littleEndian { throw .notLittleEndian }
        let identVersion = UInt32(ident.load(UInt8.self, at: 6) ?? 0)
        if identVersion != Self.currentVersion { throw .unsupportedVersion(identVersion) }

        let is64Bit = fileClass == Self.class64
        self.is64Bit = is64Bit
        let headerSize: UInt64 = is64Bit ? 64 : 52
        guard let header = image.slice(at: 0, count: headerSize) else {
            throw .truncated(part: .header, needed: headerSize, actual: size)
        }
        let type = header.load(UInt16.self, at: 16) ?? 0
        if type != Self.typeExecutable, type != Self.typeShared { throw .notExecutable(type: type) }
        let machine = header.load(UInt16.self, at: 18) ?? 0
        if machine != Self.machineX86_64, is64Bit || machine != Self.machine386 { throw .wrongMachine(machine) }
        let version = header.load(UInt32.self, at: 20) ?? 0
        if version != Self.currentVersion { throw .unsupportedVersion(version) }
        entryPoint = header.word(at: 24, is64Bit: is64Bit)
        programHeaderTable = header.word(at: is64Bit ? 32 : 28, is64Bit: is64Bit)
        let entrySize = header.load(UInt16.self, at: is64Bit ? 54 : 42) ?? 0
        let count = header.load(UInt16.self, at: is64Bit ? 56 : 44) ?? 0
        let expected: UInt16 = is64Bit ? 56 : 32
        if count == 0 || count == Self.extendedCount { throw .wrongProgramHeaderCount(count) }
        if entrySize != expected { throw .wrongProgramHeaderSize(entrySize, expected: expected) }
        programHeaderSize = UInt64(entrySize)
        programHeaderCount = Int(count)
        let tableSize = programHeaderSize * UInt64(count)
        if image.slice(at: programHeaderTable, count: tableSize) == nil {
            let (end, overflow) = programHeaderTable.addingReportingOverflow(tableSize)
            throw .truncated(part: .programHeaders, needed: overflow ? UInt64.max : end, actual: size)
        }
    }

    /// The program header of this number, less than `programHeaderCount`.
    func programHeader(_ number: Int, of image: ImageBytes) throws(ELFError) -> ProgramHeader {
        let offset = programHeaderTable + UInt64(number) * programHeaderSize
        guard let header = image.slice(at: offset, count: programHeaderSize) else {
            throw .truncated(part: .programHeaders, needed: offset + programHeaderSize, actual: UInt64(image.count))
        }
        return ProgramHeader(
            type: header.load(UInt32.self, at: 0) ?? 0,
            offset: header.word(at: is64Bit ? 8 : 4, is64Bit: is64Bit),
            physicalAddress: header.word(at: is64Bit ? 24 : 12, is64Bit: is64Bit),
            fileSize: header.word(at: is64Bit ? 32 : 16, is64Bit: is64Bit),
            memorySize: header.word(at: is64Bit ? 40 : 20, is64Bit: is64Bit))
    }

    /// The size of a name or a description with the bytes that fill it up to a multiple of 4.
    private static func padded(_ size: UInt32) -> UInt64 { (UInt64(size) + 3) / 4 * 4 }

    /// Looks for the PVH entry point among notes: name "Xen", type XEN_ELFNOTE_PHYS32_ENTRY, 4 or 8 bytes.
    static func pvhEntryPoint(inNotes notes: ImageBytes) -> UInt64? {
        let typePhysical32Entry: UInt32 = 18
        let xen: [UInt8] = [0x58, 0x65, 0x6E, 0x00]
        var offset: UInt64 = 0
        // Sizes are 32-bit fields, and the offset stays below the file's size: nothing here can overflow.
        while let nameSize = notes.load(UInt32.self, at: offset),
            let descriptionSize = notes.load(UInt32.self, at: offset + 4),
            let type = notes.load(UInt32.self, at: offset + 8)
        {
            let name = offset + 12
            let description = name + padded(nameSize)
            if type == typePhysical32Entry, nameSize == xen.count, notes.has(xen, at: name) {
                if descriptionSize == 8 { return notes.load(UInt64.self, at: description) }
                if descriptionSize == 4 { return notes.load(UInt32.self, at: description).map { UInt64($0) } }
            }
            offset = description + padded(descriptionSize)
        }
        return nil
    }
}

extension ImageBytes {
    /// An address, offset or size of an ELF file whose bounds have been checked.
    fileprivate func word(at offset: UInt64, is64Bit: Bool) -> UInt64 {
        if is64Bit { return load(UInt64.self, at: offset) ?? 0 }
        return load(UInt32.self, at: offset).map { UInt64($0) } ?? 0
    }
}
