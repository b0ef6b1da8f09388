internal import Glibc
internal import Synchronization

/// Takes bytes, in order. What cannot be written is lost: looking inside must not stop the guest.
public protocol ByteSink: AnyObject, Sendable {
    /// Takes all of the bytes before it returns.
    func write(_ bytes: UnsafeRawBufferPointer)
}

/// A file, pipe or terminal as a ``ByteSink``.
public final class FileSink: ByteSink {
    private let descriptor: Int32
    private let firstError = Atomic<Int32>(0)

    /// The `errno` value of the first write that failed; nil while nothing is lost.
    public var failure: Int32? {
        let error = firstError.load(ordering: .relaxed)
        return error == 0 ? nil : error
    }

    /// - Parameter descriptor: stays the caller's, and stays open for as long as this object is used.
    public init(descriptor: Int32) { self.descriptor = descriptor }

    /// Writes all of the bytes, waiting where the descriptor does not block, until one write fails.
    public func write(_ bytes: UnsafeRawBufferPointer) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = Glibc.write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if count < 0, errno == EAGAIN {
                var wait = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                guard poll(&wait, 1, 1000) > 0 else { return lose(ETIMEDOUT) }
            } else if count == 0 || errno != EINTR {
                return lose(count == 0 ? EIO : errno)
            }
        }
    }

    private func lose(_ error: Int32) {
        _ = firstError.compareExchange(expected: 0, desired: error, ordering: .relaxed)
    }
}
