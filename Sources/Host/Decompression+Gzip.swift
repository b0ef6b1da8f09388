internal import CZlib

extension Decompression {
    static func decompressGzip(
        _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) throws(Failure) -> Progress {
        var stream = z_stream()
        // 15 bits of window, the format's largest; 16 more asks for gzip's header and check sum.
        let size = Int32(MemoryLayout<z_stream>.size)
        guard inflateInit2_(&stream, 15 + 16, ZLIB_VERSION, size) == Z_OK else { throw .noMemory(.gzip) }
        defer { inflateEnd(&stream) }
        // zlib counts in 32 bits: longer buffers are handed over in parts.
        let part = 1 << 30
        // One byte of our own is what zlib writes to when the output is full: it may still have to see the end.
        var spare: UInt8 = 0
        var bytesRead = 0
        var bytesWritten = 0
        while true {
            let available = min(input.count - bytesRead, part)
            let room = min(output.count - bytesWritten, part)
            stream.next_in = input.baseAddress.map {
                UnsafeMutablePointer(mutating: $0.assumingMemoryBound(to: UInt8.self)) + bytesRead
            }
            stream.avail_in = uInt(available)
            let result: Int32
            if room > 0 {
                stream.next_out = output.baseAddress.map { $0.assumingMemoryBound(to: UInt8.self) + bytesWritten }
                stream.avail_out = uInt(room)
                result = inflate(&stream, Z_NO_FLUSH)
                bytesWritten += room - Int(stream.avail_out)
            } else {
                let isOverrun: Bool
                (result, isOverrun) = withUnsafeMutablePointer(to: &spare) { spare in
                    stream.next_out = spare
                    stream.avail_out = 1
                    let result = inflate(&stream, Z_NO_FLUSH)
                    return (result, stream.avail_out == 0)
                }
                if isOverrun { throw .outputTooSmall(.gzip, capacity: output.count) }
            }
            bytesRead += available - Int(stream.avail_in)
            switch result {
            case Z_STREAM_END: return Progress(bytesRead: bytesRead, bytesWritten: bytesWritten)
            case Z_OK: continue
            case Z_BUF_ERROR: throw .truncated(.gzip)
            case Z_MEM_ERROR: throw .noMemory(.gzip)
            default: throw .corrupt(.gzip, stream.msg.map { String(cString: $0) } ?? "error \(result)")
            }
        }
    }
}
