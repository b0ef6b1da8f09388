// ELF files: either the input itself, or a valid file with the input's edits. Loading ends in success or in one line
// of error; what is loaded lies in RAM, clear of the board's tables and of what the memory map keeps from the guest.
internal import Boot
internal import Firmware
internal import FuzzInput
internal import FuzzRAM
internal import GuestMemory

/// A small file that loads: two segments and a PVH note.
private func validFile(is64Bit: Bool) -> [UInt8] {
    var file: [UInt8] = []
    func append(_ value: UInt64, _ count: Int) {
        for byte in 0..<count { file.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * byte))) }
    }
    let word = is64Bit ? 8 : 4
    let headerSize: UInt64 = is64Bit ? 64 : 52
    let entrySize: UInt64 = is64Bit ? 56 : 32
    append(0x464C_457F, 4)
    append(is64Bit ? 2 : 1, 1)
    append(0x0101, 2)
    append(0, 9)
    append(2, 2)
    append(is64Bit ? 62 : 3, 2)
    append(1, 4)
    append(0x10_0000, word)  // e_entry
    append(headerSize, word)  // e_phoff
    append(0, word)
    append(0, 4)
    append(headerSize, 2)
    append(entrySize, 2)
    append(3, 2)
    append(0, 6)
    let contents = headerSize + 3 * entrySize
    for (type, address, size) in [(1, 0x10_0000, 16), (1, 0x20_0000, 16), (4, 0, 24)] as [(UInt64, UInt64, UInt64)] {
        append(type, 4)
        if is64Bit { append(0, 4) }
        append(type == 4 ? contents + 16 : contents, word)
        append(address, word)
        append(address, word)
        append(size, word)
        append(size, word)
        if !is64Bit { append(0, 4) }
        append(0, word)
    }
    append(0, 16)
    append(4, 4)
    append(8, 4)
    append(18, 4)
    append(0x006E_6558, 4)  // "Xen"
    append(0x10_0000, 8)
    return file
}

private func makeFile(_ input: inout FuzzInput) -> [UInt8] {
    let choice = input.byte()
    if choice == 0 { return input.rest() }
    var file = validFile(is64Bit: choice & 1 == 0)
    let length = Int(input.byte())
    while !input.isEmpty {
        let offset = Int(input.byte())
        let value = input.byte()
        if offset < file.count { file[offset] = value }
    }
    return choice & 2 == 0 ? file : Array(file[..<min(length, file.count)])
}

/// libFuzzer's entry point.
@c(LLVMFuzzerTestOneInput)
public func fuzzELF(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = unsafe FuzzInput(start, count)
    let file = makeFile(&input)
    let ram = FuzzRAM(size: 4 << 20)
    unsafe file.withUnsafeBytes { unsafe load(ImageBytes($0), ram) }
    check(ram.isKept, "a loader wrote between the extended BIOS data area and 1 MiB")
    return 0
}

private func load(_ file: ImageBytes, _ ram: FuzzRAM) {
    let parameters = BootParameters(commandLine: [0x61], memoryMap: E820Map(memory: ram.memory))
    do throws(ELFError) {
        let image = try ELFImage(file)
        let loaded = try image.load(into: ram.memory, parameters)
        check(loaded.kernel.contains(loaded.entry.instructionPointer), "the entry is not in the kernel")
        for segment in image.segments {
            check(parameters.memoryMap.isRAM(segment.addresses), "a segment is not in RAM")
            check(!segment.addresses.overlaps(BoardLayout.bootTables), "a segment lies over the board's tables")
        }
    } catch {
        let message = error.description
        check(!message.isEmpty && !message.utf8.contains(0x0A), "an error is not one line")
    }
}
