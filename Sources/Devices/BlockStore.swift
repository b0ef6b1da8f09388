/// Where a disk keeps its sectors: an image, memory, a layer over another store.
///
/// The caller makes sure that one thread at a time is inside a store.
public protocol BlockStore: AnyObject {
    /// How many sectors of 512 bytes it has. It does not change.
    var sectorCount: UInt64 { get }
    /// Whether it refuses to be written.
    var isReadOnly: Bool { get }

    /// Reads whole sectors.
    /// - Parameters:
    ///   - sector: the first one; all of them are below `sectorCount`.
    ///   - target: a multiple of 512 bytes, which the call fills. Its contents mean nothing after a failure.
    func read(sector: UInt64, into target: inout MutableRawSpan) -> BlockResult

    /// Writes whole sectors.
    /// - Parameters:
    ///   - source: a multiple of 512 bytes.
    ///   - sector: the first one; all of them are below `sectorCount`.
    func write(_ source: RawSpan, sector: UInt64) -> BlockResult

    /// Returns when everything written is where it survives the host's loss of power.
    func flush() -> BlockResult
}

/// What became of a request to a block store.
public enum BlockResult: Equatable, Sendable {
    /// It was done.
    case done
    /// The store cannot be written.
    case readOnly
    /// The medium failed: the host could not read, write or flush.
    case failed
}

/// The size of a sector of every block store, in bytes.
public let sectorSize = 512

/// A disk in memory.
public final class MemoryDisk: BlockStore {
    /// The contents, a multiple of 512 bytes.
    public private(set) var bytes: [UInt8]
    /// Whether it refuses to be written.
    public let isReadOnly: Bool

    /// - Parameters:
    ///   - bytes: the contents; a last sector that is not whole is filled up with zeros.
    ///   - isReadOnly: whether it refuses to be written.
    public init(_ bytes: [UInt8], isReadOnly: Bool = false) {
        let rest = bytes.count % sectorSize
        self.bytes = rest == 0 ? bytes : bytes + [UInt8](repeating: 0, count: sectorSize - rest)
        self.isReadOnly = isReadOnly
    }

    /// How many sectors of 512 bytes it has.
    public var sectorCount: UInt64 { UInt64(bytes.count / sectorSize) }

    /// Reads whole sectors.
    public func read(sector: UInt64, into target: inout MutableRawSpan) -> BlockResult {
        guard let first = offset(sector, count: target.byteCount) else { return .failed }
        for index in 0..<target.byteCount {
            target.storeBytes(of: bytes[first + index], toByteOffset: index, as: UInt8.self)
        }
        return .done
    }

    /// Writes whole sectors.
    public func write(_ source: RawSpan, sector: UInt64) -> BlockResult {
        if isReadOnly { return .readOnly }
        guard let first = offset(sector, count: source.byteCount) else { return .failed }
        for index in 0..<source.byteCount {
            bytes[first + index] = unsafe source.unsafeLoad(fromByteOffset: index, as: UInt8.self)
        }
        return .done
    }

    /// Returns when everything written is where it stays.
    public func flush() -> BlockResult { .done }

    /// The first byte of a sector; nil when `count` bytes from there are not all on the disk.
    private func offset(_ sector: UInt64, count: Int) -> Int? {
        guard sector <= sectorCount, count <= bytes.count - Int(sector) * sectorSize else { return nil }
        return Int(sector) * sectorSize
    }
}
