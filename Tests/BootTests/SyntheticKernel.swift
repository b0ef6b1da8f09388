/// A bzImage made up for tests: valid unless a field is changed.
struct SyntheticKernel {
    var setupSectors: UInt8 = 1
    var bootFlag: UInt16 = 0xAA55
    var magic: UInt32 = 0x5372_6448
    var version: UInt16 = 0x020F
    var headerEnd: UInt8 = 0x6A
    var loadFlags: UInt8 = 1
    var initrdAddressMaximum: UInt32 = 0x7FFF_FFFF
    var alignment: UInt32 = 0x20_0000
    var relocatable: UInt8 = 1
    var extendedLoadFlags: UInt16 = 0x3
    var commandLineSize: UInt32 = 2047
    var preferredAddress: UInt64 = 0x100_0000
    var initSize: UInt32 = 0x10_0000
    var payloadOffset: UInt32 = 0x300
    var payload: [UInt8] = [0x1F, 0x8B, 8, 0, 0x78, 0x56, 0x34, 0x12]
    /// Set to state another length than the payload has.
    var payloadLength: UInt32?
    /// Size of the protected-mode code in units of 16 bytes.
    var systemSize: UInt32 = 0x40

    var bytes: [UInt8] {
        let sectors = setupSectors == 0 ? 4 : Int(setupSectors)
        let start = (sectors + 1) * 512
        let size = start + Int(systemSize) * 16
        var file = [UInt8](repeating: 0, count: size)
        for index in start..<size { file[index] = UInt8(truncatingIfNeeded: index * 7 + 1) }
        file[0x1EF] = 0xFF  // the sentinel, which must not get into the zero page
        file[0x1F1] = setupSectors
        file.store(systemSize, at: 0x1F4)
        file.store(bootFlag, at: 0x1FE)
        file[0x200] = 0xEB
        file[0x201] = headerEnd
        file.store(magic, at: 0x202)
        file.store(version, at: 0x206)
        file[0x211] = loadFlags
        file.store(initrdAddressMaximum, at: 0x22C)
        file.store(alignment, at: 0x230)
        file[0x234] = relocatable
        file.store(extendedLoadFlags, at: 0x236)
        file.store(commandLineSize, at: 0x238)
        file.store(7 as UInt32, at: 0x23C)
        file.store(payloadOffset, at: 0x248)
        file.store(payloadLength ?? UInt32(payload.count), at: 0x24C)
        file.store(0x1234_5678 as UInt64, at: 0x250)
        file.store(preferredAddress, at: 0x258)
        file.store(initSize, at: 0x260)
        for (index, byte) in payload.enumerated() where start + Int(payloadOffset) + index < size {
            file[start + Int(payloadOffset) + index] = byte
        }
        return file
    }

    /// The kernel with one field changed.
    static func with(_ change: (inout SyntheticKernel) -> Void) -> [UInt8] {
        var kernel = SyntheticKernel()
        change(&kernel)
        return kernel.bytes
    }
}

/// An ELF file made up for tests: valid unless a field is changed.
struct SyntheticELF {
    struct Segment {
        var type: UInt32 = 1
        var address: UInt64
        var contents: [UInt8]
        var fileSize: UInt64?
        var memorySize: UInt64?
        var offset: UInt64?
    }

    var is64Bit = true
    var fileClass: UInt8?
    var dataEncoding: UInt8 = 1
    var identVersion: UInt8 = 1
    var type: UInt16 = 2
    var machine: UInt16?
    var version: UInt32 = 1
    var entry: UInt64 = 0x10_0000
    var programHeaderOffset: UInt64?
    var programHeaderSize: UInt16?
    var programHeaderCount: UInt16?
    var segments = [Segment(address: 0x10_0000, contents: Array(1...64), memorySize: 0x1000)]

    /// A note segment with the PVH entry point.
    static func pvhNote(_ entry: UInt64, descriptionSize: UInt32 = 8, name: [UInt8] = [0x58, 0x65, 0x6E, 0])
        -> Segment
    {
        // First a note whose name and description need padding.
        var notes = [UInt8](repeating: 0, count: 12)
        notes.store(5 as UInt32, at: 0)
        notes.store(3 as UInt32, at: 4)
        notes.store(18 as UInt32, at: 8)
        notes += Array("Linux".utf8) + [0, 0, 0] + [1, 2, 3, 0]
        var note = [UInt8](repeating: 0, count: 12 + name.count + 8)
        note.store(UInt32(name.count), at: 0)
        note.store(descriptionSize, at: 4)
        note.store(18 as UInt32, at: 8)
        note.replaceSubrange(12..<12 + name.count, with: name)
        note.store(entry, at: 12 + name.count)
        return Segment(type: 4, address: 0, contents: notes + note)
    }

    var bytes: [UInt8] {
        let headerSize = is64Bit ? 64 : 52
        let entrySize = is64Bit ? 56 : 32
        var file = [UInt8](repeating: 0, count: headerSize + entrySize * segments.count)
        file.replaceSubrange(0..<4, with: [0x7F, 0x45, 0x4C, 0x46])
        file[4] = fileClass ?? (is64Bit ? 2 : 1)
        file[5] = dataEncoding
        file[6] = identVersion
        file.store(type, at: 16)
        file.store(machine ?? (is64Bit ? 62 : 3), at: 18)
        file.store(version, at: 20)
        storeWord(entry, at: 24, in: &file)
        storeWord(programHeaderOffset ?? UInt64(headerSize), at: is64Bit ? 32 : 28, in: &file)
        file.store(programHeaderSize ?? UInt16(entrySize), at: is64Bit ? 54 : 42)
        file.store(programHeaderCount ?? UInt16(segments.count), at: is64Bit ? 56 : 44)
        for (index, segment) in segments.enumerated() {
            let header = headerSize + index * entrySize
            let size = UInt64(segment.contents.count)
            file.store(segment.type, at: header)
            storeWord(segment.offset ?? UInt64(file.count), at: header + (is64Bit ? 8 : 4), in: &file)
            storeWord(segment.address | 0xC000_0000, at: header + (is64Bit ? 16 : 8), in: &file)
            storeWord(segment.address, at: header + (is64Bit ? 24 : 12), in: &file)
            storeWord(segment.fileSize ?? size, at: header + (is64Bit ? 32 : 16), in: &file)
            storeWord(segment.memorySize ?? size, at: header + (is64Bit ? 40 : 20), in: &file)
            file += segment.contents
        }
        return file
    }

    private func storeWord(_ value: UInt64, at offset: Int, in file: inout [UInt8]) {
        if is64Bit { file.store(value, at: offset) } else { file.store(UInt32(truncatingIfNeeded: value), at: offset) }
    }

    /// The file with something changed.
    static func with(_ change: (inout SyntheticELF) -> Void) -> [UInt8] {
        var elf = SyntheticELF()
        change(&elf)
        return elf.bytes
    }
}
