/// The compressed formats in which Linux kernels come, undone by the system's libraries.
///
/// The input is a user's file and may hold anything: every defect ends in an error, and no byte is written outside
/// the output.
public enum Decompression {
    /// A compressed format.
    public enum Format: String, CaseIterable, Sendable {
        /// RFC 1952, one member (zlib).
        case gzip
        /// The .xz container, with the x86 filter that kernels use (liblzma).
        case xz
        /// The older .lzma file (liblzma).
        case lzma
        /// LZ4's legacy frame: blocks of at most 8 MiB without an end mark (liblz4).
        case lz4Legacy = "lz4"
        /// RFC 8878, one frame (libzstd).
        case zstd

        /// The format whose magic number the bytes begin with; nil if it is none of these.
        public init?(magicOf bytes: UnsafeRawBufferPointer) {
            func begins(_ magic: [UInt8]) -> Bool { bytes.count >= magic.count && bytes.starts(with: magic) }
            if begins([0x1F, 0x8B]) {
                self = .gzip
            } else if begins([0xFD, 0x37, 0x7A, 0x58, 0x5A, 0x00]) {
                self = .xz
            } else if begins([0x5D, 0x00, 0x00]) {
                // .lzma has no magic number; this is how its usual properties begin, and what kernels look for.
                self = .lzma
            } else if begins([0x02, 0x21, 0x4C, 0x18]) {
                self = .lz4Legacy
            } else if begins([0x28, 0xB5, 0x2F, 0xFD]) {
                self = .zstd
            } else {
                return nil
            }
        }
    }

    /// Why a stream could not be decompressed.
    public enum Failure: Error, Equatable, Sendable, CustomStringConvertible {
        /// The input ends before the stream does.
        case truncated(Format)
        /// The stream contradicts itself or its check sum; the library's word for it.
        case corrupt(Format, String)
        /// The stream holds more than the output has room for.
        case outputTooSmall(Format, capacity: Int)
        /// The library found no memory, or the stream asks for too much of it.
        case noMemory(Format)

        /// What happened and what to do, without naming the file: the caller knows it.
        public var description: String {
            switch self {
            case .truncated(let format):
                "the \(format.rawValue) data ends too early; the file is incomplete, fetch it again"
            case .corrupt(let format, let detail):
                "the \(format.rawValue) data is damaged (\(detail)); fetch the file again"
            case .outputTooSmall(let format, let capacity):
                "the \(format.rawValue) data holds more than \(ByteCount(UInt64(capacity))); the file's header is wrong"
            case .noMemory(let format):
                "there is not enough memory to decompress the \(format.rawValue) data"
            }
        }
    }

    /// How far a stream went.
    public struct Progress: Equatable, Sendable {
        /// Bytes of the input that belong to the stream; what follows them was left alone (kernels append the
        /// decompressed size there).
        public let bytesRead: Int
        /// Bytes of the output that were written. If the size is known, compare: LZ4's legacy frame does not say
        /// where it ends, so one that is cut off between two blocks looks whole.
        public let bytesWritten: Int
    }

    /// Decompresses one stream.
    /// - Parameters:
    ///   - format: the format.
    ///   - input: begins with the stream.
    ///   - output: where it goes; may be larger than what comes out. After an error its contents mean nothing.
    public static func decompress(
        _ format: Format, _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) throws(Failure) -> Progress {
        guard !input.isEmpty else { throw .truncated(format) }
        switch format {
        case .gzip: return try decompressGzip(input, into: output)
        case .xz, .lzma: return try decompressLZMA(format, input, into: output)
        case .lz4Legacy: return try decompressLZ4Legacy(input, into: output)
        case .zstd: return try decompressZstd(input, into: output)
        }
    }
}
