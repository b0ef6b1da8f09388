public import Devices
public import GuestMemory

/// What carries out a block device's requests: at once, as a `BlockStore` does, or later.
public protocol BlockBackend: AnyObject {
    /// How many sectors of 512 bytes it has. It does not change.
    var sectorCount: UInt64 { get }
    /// Whether it refuses to be written.
    var isReadOnly: Bool { get }
    /// The most segments of memory that one request may have.
    var maximumSegments: Int { get }

    /// Begins a request, and calls its `complete` when it has been done: before it returns, or later.
    func submit(_ request: BlockRequest)
}

/// A request of a guest's that has been checked: its sectors are on the disk, its segments in the guest's memory.
public final class BlockRequest {
    /// What is asked for.
    public enum Operation: Equatable, Sendable {
        /// Sectors into memory.
        case read
        /// Memory to sectors.
        case write
        /// All that was written before, to where it stays.
        case flush
    }

    /// What is asked for.
    public let operation: Operation
    /// The first sector; 0 of a flush.
    public let sector: UInt64
    /// The memory: a multiple of 512 bytes in all, but not each segment; none of a flush.
    public let segments: [MemorySegment]
    /// The bytes of all segments.
    public let count: Int
    private let queue: Virtqueue
    private let chain: DescriptorChain
    private var isComplete = false

    init(
        _ operation: Operation, sector: UInt64, segments: [MemorySegment], count: Int, queue: Virtqueue,
        chain: DescriptorChain
    ) {
        self.operation = operation
        self.sector = sector
        self.segments = segments
        self.count = count
        self.queue = queue
        self.chain = chain
    }

    /// What the segments refer to.
    public var memory: GuestMemory { queue.memory }

    /// Tells the guest what became of it. Only the first call counts.
    public func complete(_ result: BlockResult) {
        guard !isComplete else { return }
        isComplete = true
        let written = operation == .read && result == .done ? count : 0
        BlockDevice.finish(chain, in: queue, result == .done ? .ok : .ioError, written: written)
    }
}

/// A backend of a `BlockStore`, which does each request at once.
public final class StoreBackend: BlockBackend {
    private let store: any BlockStore

    /// A backend.
    public init(_ store: any BlockStore) { self.store = store }

    /// The store's size in sectors.
    public var sectorCount: UInt64 { store.sectorCount }
    /// Whether the store refuses to be written.
    public var isReadOnly: Bool { store.isReadOnly }
    /// As many as a queue of 128 has, besides a request's header and status.
    public var maximumSegments: Int { 126 }

    /// Does a request.
    public func submit(_ request: BlockRequest) {
        switch request.operation {
        case .flush: request.complete(store.flush())
        case .read, .write: request.complete(transfer(request))
        }
    }

    private func transfer(_ request: BlockRequest) -> BlockResult {
        guard request.segments.allSatisfy({ $0.count % sectorSize == 0 }) else { return transferByCopy(request) }
        var sector = request.sector
        for segment in request.segments {
            let result: BlockResult
            do throws(GuestMemoryError) {
                let bytes = unsafe try request.memory.bytes(at: segment.address, count: segment.count)
                result = unsafe transfer(bytes, sector, request.operation)
            } catch {
                return .failed
            }
            guard result == .done else { return result }
            sector += UInt64(segment.count / sectorSize)
        }
        return .done
    }

    @unsafe private func transfer(
        _ bytes: UnsafeMutableRawBufferPointer, _ sector: UInt64, _ operation: BlockRequest.Operation
    ) -> BlockResult {
        if operation == .write {
            return unsafe store.write(RawSpan(_unsafeBytes: UnsafeRawBufferPointer(bytes)), sector: sector)
        }
        var span = unsafe MutableRawSpan(_unsafeBytes: bytes)
        return store.read(sector: sector, into: &span)
    }

    /// For segments that end within a sector.
    private func transferByCopy(_ request: BlockRequest) -> BlockResult {
        if request.operation == .write {
            let bytes = request.memory.gather(request.segments, count: request.count)
            guard bytes.count == request.count else { return .failed }
            return unsafe store.write(bytes.span.bytes, sector: request.sector)
        }
        var bytes = [UInt8](repeating: 0, count: request.count)
        let result = read(request.sector, into: &bytes)
        guard result == .done else { return result }
        return request.memory.scatter(bytes, into: request.segments) == bytes.count ? .done : .failed
    }

    private func read(_ sector: UInt64, into bytes: inout [UInt8]) -> BlockResult {
        var span = bytes.mutableSpan
        var raw = unsafe span.mutableBytes
        return store.read(sector: sector, into: &raw)
    }
}
