internal import CLZ4

extension Decompression {
    /// The magic number of the legacy frame (LZ4_Frame_format.md, "Legacy frame").
    private static let lz4LegacyMagic: UInt32 = 0x184C_2102
    /// What every block but the last one holds when decompressed, in bytes.
    private static let lz4BlockSize = 8 << 20

    static func decompressLZ4Legacy(
        _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) throws(Failure) -> Progress {
        guard let magic = word(of: input, at: 0) else { throw .truncated(.lz4Legacy) }
        guard magic == lz4LegacyMagic else { throw .corrupt(.lz4Legacy, "wrong magic number") }
        let largestBlock = Int(LZ4_compressBound(Int32(lz4BlockSize)))
        var position = 4
        var written = 0
        var isLastBlock = false
        // A frame has no end mark: it ends with the input, or where no block can follow.
        while let size = word(of: input, at: position) {
            if size == lz4LegacyMagic {
                // Another frame appended to this one.
                position += 4
                isLastBlock = false
                continue
            }
            let first = position + 4
            // After a short block, and with a full output, come other things: kernels append their size.
            if isLastBlock || size == 0 || input.count == first { break }
            guard size <= largestBlock else { throw .corrupt(.lz4Legacy, "a block of \(size) bytes") }
            guard Int(size) <= input.count - first else {
                if written == output.count { break }
                throw .truncated(.lz4Legacy)
            }
            let room = min(output.count - written, lz4BlockSize)
            guard room > 0 else { throw .outputTooSmall(.lz4Legacy, capacity: output.count) }
            let source = UnsafeRawBufferPointer(rebasing: input[first..<first + Int(size)])
            let target = UnsafeMutableRawBufferPointer(rebasing: output[written..<written + room])
            let count = LZ4_decompress_safe(
                source.assumingMemoryBound(to: CChar.self).baseAddress,
                target.assumingMemoryBound(to: CChar.self).baseAddress, Int32(size), Int32(room))
            guard count >= 0 else {
                // The library does not tell a full output from a damaged block. A block is at most 8 MiB, so with
                // that much room it is damaged; with less it is most likely that the size was wrong.
                if room < lz4BlockSize { throw .outputTooSmall(.lz4Legacy, capacity: output.count) }
                throw .corrupt(.lz4Legacy, "invalid block")
            }
            written += Int(count)
            position = first + Int(size)
            isLastBlock = Int(count) < lz4BlockSize
        }
        let isCutInASize = !isLastBlock && written < output.count && (1..<4).contains(input.count - position)
        guard position > 4, !isCutInASize else { throw .truncated(.lz4Legacy) }
        return Progress(bytesRead: position, bytesWritten: written)
    }

    /// A little-endian 32-bit number; nil if it is not wholly inside.
    private static func word(of bytes: UnsafeRawBufferPointer, at offset: Int) -> UInt32? {
        guard bytes.count - offset >= 4 else { return nil }
        return UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }
}
