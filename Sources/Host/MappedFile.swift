internal import Glibc

/// The bytes of a user's file (a kernel, an initrd, a boot sector), held in memory of our own.
///
/// The file is read into an anonymous mapping rather than mapped itself: the pages of a mapped file vanish when
/// somebody truncates it, and the next access would end the monitor with SIGBUS. One copy of a kernel costs a
/// few milliseconds and cannot change under the parser that has just checked it. It also makes pipes and
/// `<(command)` work like files. A pipe that nobody writes into is refused. A writer may still keep the reader waiting
/// for ever: a signal that asks to end ends that, also while ``Signals`` holds it back.
public final class MappedFile: @unchecked Sendable {
    // Unchecked: constants only, and the bytes are read-only from the end of init on.

    /// The contents; valid for as long as this object lives, at least one byte.
    public let bytes: UnsafeRawBufferPointer
    /// The path as the user gave it.
    public let path: String
    private let mapping: UnsafeMutableRawPointer
    private let mappedSize: Int

    /// What is accepted when the caller names no limit, in bytes.
    public static let defaultLimit: UInt64 = 2 << 30
    /// Bytes asked for by one read.
    private static let chunkSize = 16 << 20

    /// Reads a whole file.
    /// - Parameters:
    ///   - path: a regular file, or a device or a pipe with a writer, which is read until it ends.
    ///   - purpose: what the file is to the user, for messages: "kernel", "initrd".
    ///   - limit: the largest number of bytes accepted.
    public init(path: String, purpose: String = "file", limit: UInt64 = MappedFile.defaultLimit) throws(HostError) {
        let subject = "\(purpose) '\(path)'"
        let number = MappedFile.repeatIfInterrupted { open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK) }
        guard number >= 0 else {
            let reason = errno
            throw HostError("open", subject, errno: reason, hint: MappedFile.hint(for: reason))
        }
        let file = OwnedDescriptor(owning: number)
        var status = stat()
        guard fstat(number, &status) == 0 else { throw HostError("examine", subject, errno: errno) }
        let kind = status.st_mode & S_IFMT
        guard kind != S_IFDIR else {
            throw HostError("read", subject, because: "it is a directory", hint: "name a file in it")
        }
        guard isatty(number) == 0 else {
            throw HostError("read", subject, because: "it is a terminal", hint: "name a file")
        }
        // Pipes, devices and the files of /proc do not say how much they hold.
        let knownSize = kind == S_IFREG && status.st_size > 0 ? UInt64(status.st_size) : nil
        let tooBig = HostError(
            "read", subject, because: "it holds more than \(ByteCount(limit))", hint: "check that it is the right file")
        if let knownSize, knownSize > limit { throw tooBig }

        // One byte more than allowed tells a file that is too big from one that just fits.
        let capacity = Int(clamping: knownSize ?? (limit == .max ? .max : limit + 1))
        let pageSize = Int(HostMemory.pageSize)
        let mappedSize = capacity.addingReportingOverflow(pageSize - 1).partialValue / pageSize * pageSize
        guard mappedSize > 0,
            let mapping = mmap(
                nil, mappedSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0),
            mapping != MAP_FAILED
        else {
            throw HostError(
                "find memory for", subject, errno: mappedSize > 0 ? errno : EFBIG,
                hint: "check the address space limit (ulimit -v)")
        }
        // A fault per 4 KiB page would cost more than the copying.
        _ = madvise(mapping, mappedSize, Int32(MADV_HUGEPAGE))
        do throws(HostError) {
            let count = try MappedFile.fill(mapping, capacity: capacity, from: file.rawValue, subject: subject)
            guard count > 0 else {
                // A writer that has opened the pipe, or waits for a reader to do so, would have been waited for.
                throw kind == S_IFIFO
                    ? HostError(
                        "read", subject, because: "nobody writes into this pipe",
                        hint: "start its writer first, or name a file")
                    : HostError("use", subject, because: "it is empty", hint: "check how it was made")
            }
            guard UInt64(count) <= limit else { throw tooBig }
            // What was set aside and not filled goes back; what stays is never written again.
            let used = (count + pageSize - 1) / pageSize * pageSize
            if used < mappedSize { munmap(mapping + used, mappedSize - used) }
            _ = mprotect(mapping, used, PROT_READ)
            self.bytes = UnsafeRawBufferPointer(start: mapping, count: count)
            self.path = path
            self.mapping = mapping
            self.mappedSize = used
        } catch {
            munmap(mapping, mappedSize)
            throw error
        }
    }

    deinit {
        munmap(mapping, mappedSize)
    }

    /// Reads until the end of the file or until `capacity` bytes are there.
    private static func fill(
        _ target: UnsafeMutableRawPointer, capacity: Int, from descriptor: Int32, subject: String
    ) throws(HostError) -> Int {
        var count = 0
        while count < capacity {
            let wanted = min(capacity - count, chunkSize)
            // Read, and only then wait: poll(2) does not tell a pipe that nobody writes into from one that is empty.
            let received = repeatIfInterrupted { read(descriptor, target + count, wanted) }
            if received < 0, errno == EAGAIN {
                try waitUntilReadable(descriptor, subject: subject)
                continue
            }
            guard received >= 0 else { throw HostError("read", subject, errno: errno) }
            if received == 0 { break }
            count += received
        }
        return count
    }

    /// Waits for bytes or the end of the file, but not longer than until a signal asks the process to end.
    private static func waitUntilReadable(_ descriptor: Int32, subject: String) throws(HostError) {
        var wait = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        while poll(&wait, 1, 100) == 0 {
            if Signals.endIsPending {
                throw HostError("read", subject, because: "a signal came while it had nothing to give")
            }
        }
    }

    private static func repeatIfInterrupted<Result: SignedInteger>(_ call: () -> Result) -> Result {
        while true {
            let result = call()
            if result >= 0 || errno != EINTR { return result }
        }
    }

    private static func hint(for errorNumber: Int32) -> String {
        switch errorNumber {
        case ENOENT, ENOTDIR: "check the path"
        case EACCES, EPERM: "check the file's permissions and those of the folders above it"
        case ENXIO: "it is a socket or a device without a driver; name a file"
        case EMFILE, ENFILE: "raise the limit of open files (ulimit -n)"
        case EOVERFLOW, EFBIG: "it is too big"
        default: ""
        }
    }
}
