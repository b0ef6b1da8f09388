internal import Glibc

/// A file that was not there before, written as a whole.
public enum NewFile {
    /// Makes and writes it; nothing half-written stays.
    /// - Parameters:
    ///   - bytes: what it shall hold.
    ///   - path: a name that is not taken.
    public static func write(_ bytes: [UInt8], to path: String) throws(HostError) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw HostError("make", "'\(path)'", errno: errno) }
        let file = OwnedDescriptor(owning: descriptor)
        var written = 0
        while written < bytes.count {
            let count = bytes[written...].withUnsafeBytes { Glibc.write(file.rawValue, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                let reason = errno
                unlink(path)
                throw HostError("write", "'\(path)'", errno: reason)
            }
            written += count
        }
    }
}
