internal import Glibc

/// Which file a name or a descriptor means. Hard links, symbolic links and /proc/self/fd are other names of one file.
///
/// Only what keeps what is written has one: regular files, by their file system and inode, and block devices, by their
/// number. Two writers of a pipe, a terminal or /dev/null spoil nothing that lasts.
///
/// Source: stat(2), `st_dev`, `st_ino` and `st_rdev`.
public struct FileIdentity: Hashable, Sendable {
    private let isBlockDevice: Bool
    private let device: UInt64
    private let inode: UInt64

    /// - Parameter path: a file's name; nil comes of one that is not there.
    public init?(path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        self.init(status)
    }

    /// - Parameter descriptor: an open file.
    public init?(descriptor: Int32) {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return nil }
        self.init(status)
    }

    private init?(_ status: stat) {
        switch status.st_mode & S_IFMT {
        case S_IFREG: (isBlockDevice, device, inode) = (false, UInt64(status.st_dev), UInt64(status.st_ino))
        case S_IFBLK: (isBlockDevice, device, inode) = (true, UInt64(status.st_rdev), 0)
        default: return nil
        }
    }
}
