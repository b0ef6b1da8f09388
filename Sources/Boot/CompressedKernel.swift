/// The compressed kernel inside a bzImage: by its first bytes one knows how it is compressed.
///
/// What is compressed is the kernel's ELF file (with relocations appended where the kernel can be moved), and its
/// size follows as the last 4 bytes of the payload. Decompressing it on the host, with the host's libraries and its
/// real processor, saves the guest that work; see `LinuxImage.loadDecompressed`.
public struct CompressedKernel {
    /// How a kernel can be compressed (`payload_offset` in the Linux kernel's Documentation/arch/x86/boot.rst, and
    /// lib/decompress.c for the signatures).
    public enum Format: Equatable, Sendable, CaseIterable {
        /// gzip, RFC 1952.
        case gzip
        /// bzip2.
        case bzip2
        /// LZMA alone, 13-byte header.
        case lzma
        /// xz.
        case xz
        /// lzop.
        case lzo
        /// lz4's legacy frame: blocks of 8 MiB.
        case lz4
        /// Zstandard, RFC 8878.
        case zstd
        /// Not compressed: the ELF file itself (`CONFIG_KERNEL_UNCOMPRESSED` of other architectures).
        case none

        /// The name that its own tools use.
        public var name: String {
            switch self {
            case .gzip: "gzip"
            case .bzip2: "bzip2"
            case .lzma: "lzma"
            case .xz: "xz"
            case .lzo: "lzo"
            case .lz4: "lz4"
            case .zstd: "zstd"
            case .none: "not"
            }
        }

        /// The format's first bytes.
        var magic: [UInt8] {
            switch self {
            case .gzip: [0x1F, 0x8B]
            case .bzip2: [0x42, 0x5A, 0x68]
            case .lzma: [0x5D, 0x00, 0x00]
            case .xz: [0xFD, 0x37, 0x7A, 0x58, 0x5A, 0x00]
            case .lzo: [0x89, 0x4C, 0x5A, 0x4F, 0x00, 0x0D, 0x0A, 0x1A, 0x0A]
            case .lz4: [0x02, 0x21, 0x4C, 0x18]
            case .zstd: [0x28, 0xB5, 0x2F, 0xFD]
            case .none: [0x7F, 0x45, 0x4C, 0x46]
            }
        }

        /// The format that starts as `image` does, or nil.
        init?(magicOf image: ImageBytes) {
            guard let format = Format.allCases.first(where: { image.has($0.magic) }) else { return nil }
            self = format
        }
    }

    /// How it is compressed.
    public let format: Format
    /// The compressed bytes, without the size that follows them.
    public let compressed: ImageBytes
    /// The size of the decompressed kernel in bytes, as the image states it: to be checked by who decompresses.
    public let decompressedSize: UInt32

    /// Looks at the payload of a bzImage.
    /// - Returns: nil where the payload is too short or starts like none of the known formats.
    init?(payload: ImageBytes) {
        let sizeField: UInt64 = 4
        guard payload.count > Int(sizeField), let format = Format(magicOf: payload),
            let size = payload.load(UInt32.self, at: UInt64(payload.count) - sizeField),
            let compressed = payload.slice(at: 0, count: UInt64(payload.count) - sizeField)
        else { return nil }
        self.format = format
        self.compressed = compressed
        self.decompressedSize = size
    }
}
