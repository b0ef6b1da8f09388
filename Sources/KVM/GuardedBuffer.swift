internal import Glibc

/// Zeroed memory that ends where a page begins that nobody may touch. What the kernel writes behind the end of it,
/// because an object is larger than the caller believes, becomes EFAULT instead of overwritten memory.
struct GuardedBuffer: ~Copyable {
    let bytes: UnsafeMutableRawBufferPointer
    private let mapping: UnsafeMutableRawPointer
    private let mappingSize: Int

    /// - Parameter count: bytes, a multiple of 8.
    init(count: Int, operation: String) throws(KVMError) {
        let pageSize = 4096
        let (sum, overflow) = count.addingReportingOverflow(2 * pageSize - 1)
        guard count >= 0, !overflow else {
            throw KVMError(operation: operation, errno: EINVAL, hint: "a size of \(count) bytes cannot be")
        }
        let size = sum / pageSize * pageSize
        let usable = size - pageSize
        guard
            let mapping = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
            mapping != MAP_FAILED
        else { throw KVMError(operation: "mmap of \(size) bytes for \(operation)", errno: errno) }
        guard mprotect(mapping + usable, pageSize, PROT_NONE) == 0 else {
            let error = KVMError(operation: "mprotect for \(operation)", errno: errno)
            munmap(mapping, size)
            throw error
        }
        self.mapping = mapping
        mappingSize = size
        bytes = UnsafeMutableRawBufferPointer(start: mapping + (usable - count), count: count)
    }

    deinit {
        munmap(mapping, mappingSize)
    }
}
