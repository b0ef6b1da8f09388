// bzImages: either the input itself, or a valid image with the input's edits. Loading ends in success or in one line
// of error; what is loaded lies in RAM, apart from each other and from what the memory map keeps from the guest.
internal import Boot
internal import Firmware
internal import FuzzInput
internal import FuzzRAM
internal import GuestMemory

/// A small image that loads.
private func validImage() -> [UInt8] {
    var file = [UInt8](repeating: 0, count: 2048)
    func store(_ value: UInt64, _ count: Int, at offset: Int) {
        for byte in 0..<count { file[offset + byte] = UInt8(truncatingIfNeeded: value >> UInt64(8 * byte)) }
    }
    store(1, 1, at: 0x1F1)  // setup_sects
    store(0x40, 4, at: 0x1F4)  // syssize
    store(0xAA55, 2, at: 0x1FE)
    store(0x6AEB, 2, at: 0x200)  // jump past the header
    store(0x5372_6448, 4, at: 0x202)  // HdrS
    store(0x020F, 2, at: 0x206)  // version
    store(1, 1, at: 0x211)  // loadflags
    store(0x7FFF_FFFF, 4, at: 0x22C)  // initrd_addr_max
    store(0x20_0000, 4, at: 0x230)  // kernel_alignment
    store(1, 1, at: 0x234)  // relocatable_kernel
    store(3, 2, at: 0x236)  // xloadflags
    store(2047, 4, at: 0x238)  // cmdline_size
    store(0x300, 4, at: 0x248)  // payload_offset
    store(16, 4, at: 0x24C)  // payload_length
    store(0x100_0000, 8, at: 0x258)  // pref_address
    store(0x10_0000, 4, at: 0x260)  // init_size
    store(0x184C_2102, 4, at: 1024 + 0x300)  // lz4
    return file
}

private func makeFile(_ input: inout FuzzInput) -> [UInt8] {
    if input.byte() == 0 { return input.rest() }
    var file = validImage()
    let length = Int(input.number(bytes: 2))
    while !input.isEmpty {
        // The fields are in 0x1F1 to 0x270.
        file[0x1F0 + Int(input.byte() & 0x7F)] = input.byte()
    }
    // One input in two is cut.
    return length & 1 == 0 ? file : Array(file[..<min(length >> 1, file.count)])
}

/// libFuzzer's entry point.
@c(LLVMFuzzerTestOneInput)
public func fuzzLinuxImage(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = unsafe FuzzInput(start, count)
    let commandLine = [UInt8](repeating: 0x61, count: Int(input.number(bytes: 2)))
    let initrd = [UInt8](repeating: 0x62, count: Int(input.byte()) << 10)
    let file = makeFile(&input)
    let ram = FuzzRAM(size: 32 << 20)
    unsafe file.withUnsafeBytes { fileBytes in
        unsafe initrd.withUnsafeBytes { initrdBytes in
            unsafe load(ImageBytes(fileBytes), ImageBytes(initrdBytes), commandLine, ram)
        }
    }
    check(ram.isKept, "a loader wrote between the extended BIOS data area and 1 MiB")
    return 0
}

private func load(_ file: ImageBytes, _ initrd: ImageBytes, _ commandLine: [UInt8], _ ram: FuzzRAM) {
    let parameters = BootParameters(
        commandLine: commandLine, initrd: initrd.count == 0 ? nil : initrd, memoryMap: E820Map(memory: ram.memory))
    do throws(LinuxImageError) {
        let image = try LinuxImage(file)
        do throws(LinuxImageError) {
            let kernel = try image.compressedKernel()
            check(kernel.compressed.count < file.count, "the compressed kernel is larger than its file")
        } catch { checkMessage(error.description) }
        let loaded = try image.load(into: ram.memory, parameters)
        check(parameters.memoryMap.isRAM(loaded.kernel), "the kernel is not in RAM")
        check(loaded.kernel.contains(loaded.entry.instructionPointer), "the entry is not in the kernel")
        check(loaded.kernel.start >= BoardLayout.highMemory, "the kernel is below 1 MiB")
        if let range = loaded.initrd {
            check(parameters.memoryMap.isRAM(range), "the initrd is not in RAM")
            check(!range.overlaps(loaded.kernel), "the initrd lies over the kernel")
        }
    } catch { checkMessage(error.description) }
}

private func checkMessage(_ message: String) {
    check(!message.isEmpty && !message.utf8.contains(0x0A), "an error is not one line")
}
