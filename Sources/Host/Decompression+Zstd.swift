internal import CZstd

extension Decompression {
    static func decompressZstd(
        _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) throws(Failure) -> Progress {
        // In one call the output itself is the window: nothing is set aside, however large a window the frame
        // asks for (kernels are packed with 128 MiB).
        let size = ZSTD_findFrameCompressedSize(input.baseAddress, input.count)
        guard ZSTD_isError(size) == 0 else { throw failure(size, output) }
        let written = ZSTD_decompress(output.baseAddress, output.count, input.baseAddress, size)
        guard ZSTD_isError(written) == 0 else { throw failure(written, output) }
        return Progress(bytesRead: size, bytesWritten: written)
    }

    private static func failure(_ code: Int, _ output: UnsafeMutableRawBufferPointer) -> Failure {
        switch ZSTD_getErrorCode(code) {
        case ZSTD_error_srcSize_wrong: .truncated(.zstd)
        case ZSTD_error_dstSize_tooSmall: .outputTooSmall(.zstd, capacity: output.count)
        case ZSTD_error_memory_allocation: .noMemory(.zstd)
        default: .corrupt(.zstd, String(cString: ZSTD_getErrorName(code)))
        }
    }
}
