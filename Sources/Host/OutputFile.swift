internal import CHost
internal import Glibc

/// A file to be written from its beginning, which keeps what is in it until all that could go wrong before has gone
/// right: it is opened, looked at, and emptied only by `begin`. `discard` leaves the folder as it was.
///
/// A pipe with a name (fifo(7)) needs a reader from the start. Nothing waits for one, because who forgot it would see a
/// machine that does not begin.
public final class OutputFile: @unchecked Sendable {
    // Unchecked: `isBegun` is the opener's; the rest are constants.

    /// The path as the user gave it.
    public let path: String
    /// Which file it is; nil for what keeps nothing: a pipe, a terminal, /dev/null.
    public let identity: FileIdentity?
    private let subject: String
    private let file: OwnedDescriptor
    private let isNew: Bool
    private var isBegun = false

    /// Opens a file, or makes it.
    /// - Parameters:
    ///   - path: a file, whether it is there or not; a device; a pipe that somebody reads.
    ///   - purpose: what goes there, for messages: "the trace".
    public init(path: String, purpose: String) throws(HostError) {
        let subject = "\(purpose) to '\(path)'"
        var status = stat()
        let isNew = stat(path, &status) != 0 && errno == ENOENT
        // O_NONBLOCK: a pipe that nobody reads is to be refused, and a full one must not stop a thread for ever.
        let number = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0o644)
        guard number >= 0 else {
            let reason = errno
            guard reason == ENXIO, !isNew else {
                throw HostError("write", subject, errno: reason, hint: "name another file")
            }
            throw status.st_mode & S_IFMT == S_IFIFO
                ? HostError(
                    "write", subject, because: "nobody reads this pipe", hint: "start its reader first, such as cat")
                : HostError(
                    "write", subject, because: "it is a socket, or its device is not there", hint: "name a file")
        }
        file = OwnedDescriptor(owning: number)
        identity = FileIdentity(descriptor: number)
        self.path = path
        self.subject = subject
        self.isNew = isNew
    }

    /// The descriptor, open as long as this object lives; it does not block.
    public var descriptor: Int32 { file.rawValue }

    /// Empties it, unless another minikvm uses it, as a disk or to write there itself. A second time does nothing.
    public func begin() throws(HostError) {
        guard !isBegun else { return }
        if identity != nil {
            // Some file systems have no locks; those are written without one.
            let locked = -chost_lock_file(descriptor, 1)
            if locked == EAGAIN || locked == EACCES {
                throw HostError("write", subject, because: "another program uses it", hint: "name another file")
            }
            var status = stat()
            if fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size > 0,
                ftruncate(descriptor, 0) != 0
            {
                throw HostError("empty", "'\(path)'", errno: errno, hint: "name another file")
            }
        }
        isBegun = true
    }

    /// Takes the file away again if it was not there before and `begin` was not called.
    public func discard() {
        guard isNew, !isBegun, let identity else { return }
        // A symbolic link that led nowhere leads to the new file now: that goes, and the link stays.
        guard let target = realpath(path, nil) else { return }
        defer { free(target) }
        if FileIdentity(path: String(cString: target)) == identity { unlink(target) }
    }
}
