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
        // When the output is full, the decoder may still have to see the end of the stream. It then gets one byte
        // of our own to write to: a stream that uses it holds too much.
        let spare = UnsafeMutablePointer<UInt8>.allocate(capacity: 1)
        defer { spare.deallocate() }
        var isFull = false
        while true {
            if stream.avail_out == 0 {
                guard !isFull else { throw .outputTooSmall(format, capacity: output.count) }
                isFull = true
                stream.next_out = spare
                stream.avail_out = 1
            }
            switch lzma_code(&stream, LZMA_FINISH) {
            case LZMA_OK: continue
            case LZMA_STREAM_END:
                guard !isFull || stream.avail_out == 1 else {
                    throw .outputTooSmall(format, capacity: output.count)
                }
                let bytesWritten = isFull ? output.count : output.count - stream.avail_out
                return Progress(bytesRead: input.count - stream.avail_in, bytesWritten: bytesWritten)
            case LZMA_BUF_ERROR: throw .truncated(format)
            case LZMA_MEM_ERROR, LZMA_MEMLIMIT_ERROR: throw .noMemory(format)
            case LZMA_FORMAT_ERROR: throw .corrupt(format, "the header is not of this format")
            case LZMA_OPTIONS_ERROR: throw .corrupt(format, "it uses options that are unknown here")
            default: throw .corrupt(format, "invalid data")
            }
        }
    }
}
