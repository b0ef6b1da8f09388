public import Devices
internal import CHost
internal import Glibc

/// A disk in a file: a raw image, whose bytes are the disk's, sector by sector; or a block device.
///
/// The image is locked for as long as this object lives, so that no two writers spoil it: one writer, or any number of
/// readers. It is read and written by offset and not mapped, because a file that somebody truncates while it is mapped
/// would end the monitor by SIGBUS; so it is a failed request. A write does not make such a file grow again either: what
/// was cut off is lost, and a guest that was told otherwise would find zeros beside what it has written.
public final class DiskImage: BlockStore {
    /// The path as the user gave it.
    public let path: String
    /// How many sectors of 512 bytes it has.
    public let sectorCount: UInt64
    /// Whether it refuses to be written.
    public let isReadOnly: Bool
    private let file: OwnedDescriptor
    private let isBlockDevice: Bool

    /// Opens and locks an image.
    /// - Parameters:
    ///   - path: a regular file or a block device.
    ///   - isReadOnly: whether it is only read; other readers are let in then, and no writer.
    public init(path: String, isReadOnly: Bool = false) throws(HostError) {
        let subject = "disk image '\(path)'"
        let access = isReadOnly ? O_RDONLY : O_RDWR
        // O_NONBLOCK: a pipe without a writer is to be refused, not waited for.
        let number = open(path, access | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
        guard number >= 0 else {
            throw HostError("open", subject, errno: errno, hint: DiskImage.hint(for: errno))
        }
        let file = OwnedDescriptor(owning: number)
        var status = stat()
        guard fstat(number, &status) == 0 else { throw HostError("examine", subject, errno: errno) }
        guard [S_IFREG, S_IFBLK].contains(status.st_mode & S_IFMT) else {
            throw HostError(
                "use", subject, because: "it is neither a file nor a block device", hint: "name a raw disk image")
        }
        let size = lseek(number, 0, SEEK_END)
        guard size >= 0 else { throw HostError("measure", subject, errno: errno) }
        guard size > 0 else {
            throw HostError("use", subject, because: "it is empty", hint: "make one, such as by truncate -s 64M")
        }
        guard size % sectorSize == 0 else {
            throw HostError(
                "use", subject,
                because: "it has \(size) bytes, which is no multiple of \(sectorSize)",
                hint: "fill it up with `truncate -s %\(sectorSize) FILE`, if it is a raw image at all")
        }
        let locked = chost_lock_file(number, isReadOnly ? 0 : 1)
        guard locked == 0 else {
            let reason = -locked
            if reason == EAGAIN || reason == EACCES {
                throw HostError(
                    "lock", subject, because: "another program \(isReadOnly ? "writes" : "uses") it",
                    hint: isReadOnly ? "end that first" : "end that first, or add ,snapshot or ,ro in both")
            }
            throw HostError("lock", subject, errno: reason)
        }
        self.path = path
        self.isReadOnly = isReadOnly
        isBlockDevice = status.st_mode & S_IFMT == S_IFBLK
        sectorCount = UInt64(size / sectorSize)
        self.file = file
    }

    /// Reads whole sectors.
    public func read(sector: UInt64, into target: inout MutableRawSpan) -> BlockResult {
        target.withUnsafeMutableBytes { PositionedFile.read(file.rawValue, into: $0, sector: sector) }
    }

    /// Writes whole sectors.
    public func write(_ source: RawSpan, sector: UInt64) -> BlockResult {
        if isReadOnly { return .readOnly }
        guard stillHas(sector: sector + UInt64(source.byteCount / sectorSize)) else { return .failed }
        return source.withUnsafeBytes { PositionedFile.write(file.rawValue, $0, sector: sector) }
    }

    /// Returns when everything written is where it stays.
    public func flush() -> BlockResult {
        while fdatasync(file.rawValue) != 0 {
            // A file system that cannot sync a file says so by EINVAL: there is nothing to wait for then.
            if errno == EINVAL { return .done }
            if errno != EINTR { return .failed }
        }
        return .done
    }

    /// Whether the file is as long as it was, up to a sector. Whoever cuts it off in the next moment is not seen.
    private func stillHas(sector end: UInt64) -> Bool {
        if isBlockDevice { return true }
        var status = stat()
        return fstat(file.rawValue, &status) == 0 && UInt64(clamping: status.st_size) >= end * UInt64(sectorSize)
    }

    private static func hint(for errorNumber: Int32) -> String {
        switch errorNumber {
        case ENOENT, ENOTDIR: "check the path; options after it are ,ro and ,snapshot"
        case EACCES, EPERM, EROFS: "check its permissions, or add ,ro or ,snapshot, which only read it"
        case EISDIR: "name a raw disk image in it"
        case EMFILE, ENFILE: "raise the limit of open files (ulimit -n)"
        default: ""
        }
    }
}

/// Whole sectors of an open file.
enum PositionedFile {
    static func read(_ file: Int32, into target: UnsafeMutableRawBufferPointer, sector: UInt64) -> BlockResult {
        repeated(target.count, sector) { done, offset in
            pread(file, target.baseAddress.map { $0 + done }, target.count - done, offset)
        }
    }

    static func write(_ file: Int32, _ source: UnsafeRawBufferPointer, sector: UInt64) -> BlockResult {
        repeated(source.count, sector) { done, offset in
            pwrite(file, source.baseAddress.map { $0 + done }, source.count - done, offset)
        }
    }

    /// Calls until all bytes are moved; a file that ends early is as good as a failing one.
    private static func repeated(
        _ count: Int, _ sector: UInt64, _ call: (_ done: Int, _ offset: off_t) -> Int
    ) -> BlockResult {
        let start = off_t(sector) * off_t(sectorSize)
        var done = 0
        while done < count {
            let moved = call(done, start + off_t(done))
            if moved > 0 {
                done += moved
            } else if moved == 0 || errno != EINTR {
                return .failed
            }
        }
        return .done
    }
}
