internal import CLZMA

extension Decompression {
    static func decompressLZMA(
        _ format: Format, _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) throws(Failure) -> Progress {
        var stream = lzma_stream()
        // A stream names the size of its dictionary, and liblzma sets that much aside: 128 MiB is what the highest
        // level of xz takes twice over.
        let memoryLimit: UInt64 = 256 << 20
        let start =
            format == .xz ? lzma_stream_decoder(&stream, memoryLimit, 0) : lzma_alone_decoder(&stream, memoryLimit)
        guard start == LZMA_OK else { throw .noMemory(format) }
        defer { lzma_end(&stream) }
        stream.next_in = input.baseAddress?.assumingMemoryBound(to: UInt8.self)
        stream.avail_in = input.count
        stream.next_out = output.baseAddress?.assumingMemoryBound(to: UInt8.self)
        stream.avail_out = output.count
        while true {
            let room = stream.avail_out
            let left = stream.avail_in
            let result = lzma_code(&stream, LZMA_FINISH)
            switch result {
            case LZMA_STREAM_END:
                return Progress(bytesRead: input.count - stream.avail_in, bytesWritten: output.count - stream.avail_out)
            case LZMA_OK:
                // Without progress the decoder would say LZMA_BUF_ERROR the next time.
                if room == stream.avail_out, left == stream.avail_in {
                    throw room == 0 ? .outputTooSmall(format, capacity: output.count) : .truncated(format)
                }
            case LZMA_BUF_ERROR:
                throw stream.avail_out == 0 ? .outputTooSmall(format, capacity: output.count) : .truncated(format)
            case LZMA_MEM_ERROR, LZMA_MEMLIMIT_ERROR: throw .noMemory(format)
            case LZMA_FORMAT_ERROR: throw .corrupt(format, "the header is not of this format")
            case LZMA_OPTIONS_ERROR: throw .corrupt(format, "it uses options that are unknown here")
            default: throw .corrupt(format, "invalid data")
            }
        }
    }
}
