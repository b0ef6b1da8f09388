/// What is wrong with a kernel for RISC-V.
public enum RISCVLinuxImageError: Error, Equatable {
    /// It has no header of 64 bytes.
    case truncated
    /// At offset 56 there is not "RSC\5".
    case badMagic
    /// It is for big-endian processors.
    case bigEndian
    /// It needs this many bytes from its load address on, and there are fewer.
    case tooLarge(needed: UInt64, available: UInt64)
}

/// A Linux kernel in the format of arch/riscv/boot/Image (kernel documentation, arch/riscv/boot-image-header.rst).
public struct RISCVLinuxImage: Equatable {
    /// Where it wants to be, from the start of memory: a multiple of 2 MiB.
    public let textOffset: UInt64
    /// The memory that it takes, with what is zero at its start.
    public let imageSize: UInt64

    /// Reads the header.
    public init(_ image: ImageBytes) throws(RISCVLinuxImageError) {
        guard image.count >= 64, let textOffset = image.load(UInt64.self, at: 8),
            let imageSize = image.load(UInt64.self, at: 16),
            let flags = image.load(UInt64.self, at: 24), let magic = image.load(UInt32.self, at: 56)
        else { throw .truncated }
        // "RSC\5".
        guard magic == 0x0543_5352 else { throw .badMagic }
        guard flags & 1 == 0 else { throw .bigEndian }
        self.textOffset = textOffset
        self.imageSize = max(imageSize, UInt64(image.count))
    }
}
