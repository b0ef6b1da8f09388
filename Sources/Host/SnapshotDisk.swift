public import Devices
internal import CHost
internal import Glibc

/// A disk whose writes are kept in a file without a name, over another disk that is only read. They vanish with this
/// object, or with the process, however that ends.
public final class SnapshotDisk: BlockStore {
    private let base: any BlockStore
    private let file: OwnedDescriptor
    /// A bit for each sector that was written: 64 to a word, by the number of the word.
    private var written: [UInt64: UInt64] = [:]

    /// - Parameter base: what is under it.
    public init(over base: any BlockStore) throws(HostError) {
        self.base = base
        let folder = getenv("TMPDIR").map { String(cString: $0) } ?? "/var/tmp"
        var number = open(folder, Int32(CHOST_O_TMPFILE) | O_RDWR | O_CLOEXEC, 0o600)
        // Not every file system can do that, and not every system has the folder: then in memory.
        if number < 0 { number = chost_memfd_create("minikvm-snapshot", UInt32(CHOST_MFD_CLOEXEC)) }
        guard number >= 0 else {
            throw HostError("make", "a file for a snapshot's writes in '\(folder)'", errno: -number)
        }
        file = OwnedDescriptor(owning: number)
    }

    /// How many sectors of 512 bytes it has.
    public var sectorCount: UInt64 { base.sectorCount }
    /// Whether it refuses to be written.
    public var isReadOnly: Bool { false }

    /// Reads whole sectors.
    public func read(sector: UInt64, into target: inout MutableRawSpan) -> BlockResult {
        // Runs of sectors that were all written, or none: of one read, there are seldom two.
        var done = 0
        while done < target.byteCount / sectorSize {
            let first = sector + UInt64(done)
            let isOurs = isWritten(first)
            var count = 1
            while done + count < target.byteCount / sectorSize, isWritten(first + UInt64(count)) == isOurs {
                count += 1
            }
            let result = target.withUnsafeMutableBytes { target in
                let place = UnsafeMutableRawBufferPointer(
                    rebasing: target[done * sectorSize..<(done + count) * sectorSize])
                if isOurs { return PositionedFile.read(file.rawValue, into: place, sector: first) }
                var span = MutableRawSpan(_unsafeBytes: place)
                return base.read(sector: first, into: &span)
            }
            if result != .done { return result }
            done += count
        }
        return .done
    }

    /// Writes whole sectors.
    public func write(_ source: RawSpan, sector: UInt64) -> BlockResult {
        let result = source.withUnsafeBytes { PositionedFile.write(file.rawValue, $0, sector: sector) }
        guard result == .done else { return result }
        for number in sector..<sector + UInt64(source.byteCount / sectorSize) {
            written[number / 64, default: 0] |= 1 << (number % 64)
        }
        return .done
    }

    /// Does nothing: what is discarded at the end need not survive.
    public func flush() -> BlockResult { .done }

    private func isWritten(_ sector: UInt64) -> Bool {
        (written[sector / 64] ?? 0) >> (sector % 64) & 1 == 1
    }
}
