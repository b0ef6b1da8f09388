internal import Glibc

/// Memory of the monitor's own for a short time: zero-filled, and given back to the host at once with its owner.
public final class ScratchMemory {
    /// The bytes; a page at least.
    public let bytes: UnsafeMutableRawBufferPointer

    /// - Parameter size: bytes; not negative.
    public init(size: Int) throws(HostError) {
        let count = max(size, 1)
        guard let mapping = mmap(nil, count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
            mapping != MAP_FAILED
        else { throw HostError("find", "\(ByteCount(UInt64(count))) of memory", errno: errno) }
        // Filled from start to end within milliseconds: huge pages save most of the faults.
        _ = madvise(mapping, count, Int32(MADV_HUGEPAGE))
        bytes = UnsafeMutableRawBufferPointer(start: mapping, count: size)
    }

    deinit {
        munmap(bytes.baseAddress, max(bytes.count, 1))
    }
}
