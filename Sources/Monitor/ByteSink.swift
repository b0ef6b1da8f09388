internal import Glibc
internal import Host
internal import Synchronization

/// Takes bytes, in order. What cannot be written is lost: looking inside must not stop the guest.
public protocol ByteSink: AnyObject, Sendable {
    /// Takes all of the bytes before it returns.
    func write(_ bytes: UnsafeRawBufferPointer)
}

/// A file, pipe or terminal as a ``ByteSink``.
///
/// A pipe's reader who takes nothing is waited for, but not longer than until a signal asks the process to end, or until
/// ``release()``. After the first write that failed nothing more is written: a gap would look like two lines that follow
/// one another.
public final class FileSink: ByteSink {
    private let descriptor: Int32
    /// The most bytes that a write may have once poll(2) has seen room: nothing may block where a signal to end cannot
    /// reach it. A pipe with room takes 4096 (PIPE_BUF), a terminal promises nothing; files do not block.
    private let chunkSize: Int
    private let isReleased = Atomic<Bool>(false)
    private let firstError = Atomic<Int32>(0)

    /// The `errno` value of the first write that failed, ETIMEDOUT for a reader who took nothing; nil while nothing is
    /// lost.
    public var failure: Int32? {
        let error = firstError.load(ordering: .relaxed)
        return error == 0 ? nil : error
    }

    /// - Parameter descriptor: stays the caller's, and stays open for as long as this object is used.
    public init(descriptor: Int32) {
        self.descriptor = descriptor
        var status = stat()
        let isFile = fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
        chunkSize = isFile ? .max : isatty(descriptor) == 1 ? 256 : 4096
    }

    /// Waits no more for a reader who takes nothing, but for a second: for a machine that is to stop. What he does not
    /// take is lost.
    public func release() { isReleased.store(true, ordering: .relaxed) }

    /// Writes all of the bytes, waiting for room, until one write fails.
    public func write(_ bytes: UnsafeRawBufferPointer) {
        var rest = bytes[...]
        while !rest.isEmpty, failure == nil {
            guard chunkSize == .max || waitForRoom() else { return lose(ETIMEDOUT) }
            let count = Glibc.write(
                descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, min(rest.count, chunkSize))
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if count == 0 || (errno != EINTR && errno != EAGAIN) {
                return lose(count == 0 ? EIO : errno)
            }
        }
    }

    private func waitForRoom() -> Bool {
        var wait = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        var roundsLeft = 10
        while true {
            let count = poll(&wait, 1, 100)
            // An error of the file is for the write to find. A signal that stops a CPU is no room.
            if count > 0 || (count < 0 && errno != EINTR) { return true }
            if isReleased.load(ordering: .relaxed) { roundsLeft -= 1 }
            if roundsLeft == 0 || Signals.endIsPending { return false }
        }
    }

    private func lose(_ error: Int32) {
        _ = firstError.compareExchange(expected: 0, desired: error, ordering: .relaxed)
    }
}
