/// Kernels made up for tests: right in all but what a test makes wrong.
enum KernelFile {
    /// A field of so many bytes at an offset.
    static func put(_ value: UInt64, bytes count: Int, at offset: Int, in file: inout [UInt8]) {
        for index in 0..<count { file[offset + index] = UInt8(truncatingIfNeeded: value >> (8 * UInt64(index))) }
    }

    /// A bzImage of boot protocol 2.15 with 64-bit entry, whose compressed kernel is no kernel.
    static func bzImage(_ change: (inout [UInt8]) -> Void = { _ in }) -> [UInt8] {
        var file = [UInt8](repeating: 0, count: 2 * 512 + 1024)
        put(1, bytes: 1, at: 0x1F1, in: &file)  // setup_sects
        put(1024 / 16, bytes: 4, at: 0x1F4, in: &file)  // syssize
        put(0xAA55, bytes: 2, at: 0x1FE, in: &file)
        put(0x6AEB, bytes: 2, at: 0x200, in: &file)  // the jump behind the header
        put(0x5372_6448, bytes: 4, at: 0x202, in: &file)  // "HdrS"
        put(0x020F, bytes: 2, at: 0x206, in: &file)
        put(1, bytes: 1, at: 0x211, in: &file)  // loadflags: LOADED_HIGH
        put(0x7FFF_FFFF, bytes: 4, at: 0x22C, in: &file)  // initrd_addr_max
        put(0x20_0000, bytes: 4, at: 0x230, in: &file)  // kernel_alignment
        put(1, bytes: 1, at: 0x234, in: &file)  // relocatable_kernel
        put(3, bytes: 2, at: 0x236, in: &file)  // xloadflags: KERNEL_64, CAN_BE_LOADED_ABOVE_4G
        put(2047, bytes: 4, at: 0x238, in: &file)  // cmdline_size
        put(0x300, bytes: 4, at: 0x248, in: &file)  // payload_offset
        put(64, bytes: 4, at: 0x24C, in: &file)  // payload_length
        put(0x100_0000, bytes: 8, at: 0x258, in: &file)  // pref_address
        put(0x10_0000, bytes: 4, at: 0x260, in: &file)  // init_size
        // gzip, with the unpacked size at its end.
        put(0x088B_1F, bytes: 3, at: 1024 + 0x300, in: &file)
        put(0x1000, bytes: 4, at: 1024 + 0x300 + 60, in: &file)
        change(&file)
        return file
    }

    /// One PT_LOAD of an ELF file; its contents are zeros.
    struct Segment {
        var address: UInt64 = 0x10_0000
        var fileSize: UInt64 = 16
        var memorySize: UInt64 = 0x1000
        var offset: UInt64?
    }

    /// A 64-bit ELF executable for x86-64, entered at its first segment.
    static func elf(_ segments: [Segment] = [Segment()], _ change: (inout [UInt8]) -> Void = { _ in }) -> [UInt8] {
        var file = [UInt8](repeating: 0, count: 64 + 56 * segments.count + 256)
        put(0x464C_457F, bytes: 4, at: 0, in: &file)
        put(0x01_0102, bytes: 3, at: 4, in: &file)  // 64 bits, little-endian, version 1
        put(2, bytes: 2, at: 16, in: &file)  // an executable
        put(62, bytes: 2, at: 18, in: &file)  // x86-64
        put(1, bytes: 4, at: 20, in: &file)
        put(segments.first?.address ?? 0, bytes: 8, at: 24, in: &file)  // entry
        put(64, bytes: 8, at: 32, in: &file)  // program headers
        put(56, bytes: 2, at: 54, in: &file)
        put(UInt64(segments.count), bytes: 2, at: 56, in: &file)
        for (number, segment) in segments.enumerated() {
            let header = 64 + 56 * number
            put(1, bytes: 4, at: header, in: &file)  // PT_LOAD
            put(segment.offset ?? UInt64(64 + 56 * segments.count), bytes: 8, at: header + 8, in: &file)
            put(segment.address, bytes: 8, at: header + 16, in: &file)
            put(segment.address, bytes: 8, at: header + 24, in: &file)
            put(segment.fileSize, bytes: 8, at: header + 32, in: &file)
            put(segment.memorySize, bytes: 8, at: header + 40, in: &file)
        }
        change(&file)
        return file
    }

    /// A 32-bit ELF executable for the i386 without a note that says how to enter it.
    static let elf32: [UInt8] = {
        var file = [UInt8](repeating: 0, count: 52 + 32 + 16)
        put(0x464C_457F, bytes: 4, at: 0, in: &file)
        put(0x01_0101, bytes: 3, at: 4, in: &file)
        put(2, bytes: 2, at: 16, in: &file)
        put(3, bytes: 2, at: 18, in: &file)
        put(1, bytes: 4, at: 20, in: &file)
        put(0x10_0000, bytes: 4, at: 24, in: &file)
        put(52, bytes: 4, at: 28, in: &file)
        put(32, bytes: 2, at: 42, in: &file)
        put(1, bytes: 2, at: 44, in: &file)
        put(1, bytes: 4, at: 52, in: &file)
        put(84, bytes: 4, at: 56, in: &file)
        put(0x10_0000, bytes: 4, at: 60, in: &file)
        put(0x10_0000, bytes: 4, at: 64, in: &file)
        put(16, bytes: 4, at: 68, in: &file)
        put(16, bytes: 4, at: 72, in: &file)
        return file
    }()
}
