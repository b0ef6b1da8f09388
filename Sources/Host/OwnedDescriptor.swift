internal import Glibc

/// A file descriptor that is closed when its owner lets go of it.
public struct OwnedDescriptor: ~Copyable, Sendable {
    /// The descriptor's number, valid for as long as this value lives.
    public let rawValue: Int32

    /// - Parameter rawValue: an open descriptor that nobody else closes, or -1 for none.
    public init(owning rawValue: Int32) {
        self.rawValue = rawValue
    }

    deinit {
        // Linux frees the number even when close reports an error, so there is nothing to repeat.
        if rawValue >= 0 { _ = close(rawValue) }
    }

    /// Gives up ownership without closing.
    /// - Returns: the descriptor's number; closing it is now the caller's duty.
    public consuming func release() -> Int32 {
        let released = rawValue
        discard self
        return released
    }
}
