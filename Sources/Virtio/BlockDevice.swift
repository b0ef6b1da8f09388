internal import Devices
internal import GuestMemory

/// A disk (virtio 1.2, section 5.2).
///
/// A request is at most 8 MiB: a longer one is answered with an error. The device offers no write cache that could be
/// switched off: what is written is where the backend puts it, and FLUSH asks the backend.
public final class BlockDevice: VirtioDevice {
    /// Section 5.2.3.
    public enum Feature {
        /// VIRTIO_BLK_F_SIZE_MAX: the longest segment is told.
        public static let sizeMax = Features(rawValue: 1 << 1)
        /// VIRTIO_BLK_F_SEG_MAX: the most segments of a request are told.
        public static let segMax = Features(rawValue: 1 << 2)
        /// VIRTIO_BLK_F_RO: the disk cannot be written.
        public static let readOnly = Features(rawValue: 1 << 5)
        /// VIRTIO_BLK_F_BLK_SIZE: the size of a block is told.
        public static let blockSize = Features(rawValue: 1 << 6)
        /// VIRTIO_BLK_F_FLUSH: there is the request FLUSH.
        public static let flush = Features(rawValue: 1 << 9)
    }

    /// VIRTIO_BLK_T_…: section 5.2.6.
    public enum RequestType {
        /// IN: sectors into memory.
        public static let read: UInt32 = 0
        /// OUT: memory to sectors.
        public static let write: UInt32 = 1
        /// FLUSH: what was written, to where it stays.
        public static let flush: UInt32 = 4
        /// GET_ID: the name.
        public static let getID: UInt32 = 8
    }

    /// VIRTIO_BLK_S_…: section 5.2.6.
    public enum Status: UInt8, Sendable {
        case ok = 0
        case ioError = 1
        case unsupported = 2
    }

    /// The bytes of a request before its data: type, reserved, sector.
    public static let headerSize = 16
    /// The bytes of the answer to GET_ID.
    public static let identifierSize = 20
    /// The longest request.
    public static let maximumCount = 8 << 20
    private static let maximumSegmentCount = 1 << 20

    private let backend: any BlockBackend
    private let identifier: [UInt8]
    private let queueSize: UInt16
    private var queue: Virtqueue?

    /// - Parameters:
    ///   - backend: what does the requests.
    ///   - identifier: what GET_ID says: at most 20 bytes.
    ///   - queueSize: the most descriptors of its queue: a power of two, at most 128 unless the backend takes more
    ///     segments than a chain has descriptors.
    public init(backend: any BlockBackend, identifier: [UInt8], queueSize: UInt16 = 128) {
        self.backend = backend
        self.identifier = [UInt8](identifier.prefix(Self.identifierSize))
        self.queueSize = queueSize
    }

    /// Its number in section 5.
    public var deviceID: UInt32 { 2 }
    /// The most descriptors of each queue.
    public var queueSizes: [UInt16] { [queueSize] }

    /// The features of its type.
    public var features: Features {
        let all: Features = [Feature.sizeMax, Feature.segMax, Feature.blockSize, Feature.flush]
        return backend.isReadOnly ? all.union(Feature.readOnly) : all
    }

    /// Section 5.2.4: capacity, size_max, seg_max, geometry, blk_size.
    public var configuration: [UInt8] {
        let segments = max(1, min(backend.maximumSegments, Int(queueSize) - 2))
        var bytes: [UInt8] = []
        bytes.append(number: backend.sectorCount, count: 8)
        bytes.append(number: UInt64(Self.maximumSegmentCount), count: 4)
        bytes.append(number: UInt64(segments), count: 4)
        bytes.append(number: 0, count: 4)
        bytes.append(number: UInt64(sectorSize), count: 4)
        return bytes
    }

    /// Takes its queues.
    public func connect(_ queues: [Virtqueue]) { queue = queues.first }
    /// The driver starts anew.
    public func reset() {}

    /// Begins the requests that are available.
    public func process(queue index: Int) -> Bool {
        guard let queue else { return false }
        var bytes = 0
        for _ in 0..<queueSize {
            guard bytes < WorkLimit.bytes else { return true }
            guard let chain = queue.next() else { return false }
            bytes += begin(chain, in: queue)
        }
        return true
    }

    /// Begins a request.
    /// - Returns: how many bytes it moves.
    private func begin(_ chain: DescriptorChain, in queue: Virtqueue) -> Int {
        // Without these there is no way to tell what is wrong.
        guard chain.readableCount >= Self.headerSize, chain.writableCount >= 1 else {
            queue.push(chain, written: 0)
            queue.fail(.badRequest)
            return 0
        }
        let header = queue.memory.gather(chain.readable, count: Self.headerSize)
        guard header.count == Self.headerSize else { return refuse(chain, in: queue, .ioError) }
        let sector = header.number(at: 8, count: 8)
        switch UInt32(truncatingIfNeeded: header.number(at: 0, count: 4)) {
        case RequestType.read:
            let count = chain.writableCount - 1
            guard isOnDisk(sector, count: count) else { return refuse(chain, in: queue, .ioError) }
            let segments = chain.writable.part(from: 0, count: count)
            return submit(.read, sector, segments, count, chain, in: queue)
        case RequestType.write:
            let count = chain.readableCount - Self.headerSize
            guard !backend.isReadOnly, isOnDisk(sector, count: count) else {
                return refuse(chain, in: queue, .ioError)
            }
            let segments = chain.readable.part(from: Self.headerSize, count: count)
            return submit(.write, sector, segments, count, chain, in: queue)
        case RequestType.flush:
            return submit(.flush, 0, [], 0, chain, in: queue)
        case RequestType.getID:
            let room = min(chain.writableCount - 1, Self.identifierSize)
            let text = [UInt8]((identifier + [UInt8](repeating: 0, count: Self.identifierSize)).prefix(room))
            queue.memory.scatter(text, into: chain.writable)
            Self.finish(chain, in: queue, .ok, written: text.count)
            return 0
        default:
            return refuse(chain, in: queue, .unsupported)
        }
    }

    /// Whether whole sectors are asked for, not too many, and all of them are there.
    private func isOnDisk(_ sector: UInt64, count: Int) -> Bool {
        count % sectorSize == 0 && count <= Self.maximumCount && sector <= backend.sectorCount
            && UInt64(count / sectorSize) <= backend.sectorCount - sector
    }

    private func submit(
        _ operation: BlockRequest.Operation, _ sector: UInt64, _ segments: [MemorySegment], _ count: Int,
        _ chain: DescriptorChain, in queue: Virtqueue
    ) -> Int {
        let request = BlockRequest(
            operation, sector: sector, segments: segments, count: count, queue: queue, chain: chain)
        if operation != .flush, count == 0 {
            request.complete(.done)
        } else if segments.count > backend.maximumSegments {
            request.complete(.failed)
        } else {
            backend.submit(request)
        }
        return count
    }

    private func refuse(_ chain: DescriptorChain, in queue: Virtqueue, _ status: Status) -> Int {
        Self.finish(chain, in: queue, status, written: 0)
        return 0
    }

    /// Writes the status, the last byte of what the device writes, and gives the chain back.
    /// - Parameter written: how many bytes of data were written.
    static func finish(_ chain: DescriptorChain, in queue: Virtqueue, _ status: Status, written: Int) {
        queue.memory.scatter([status.rawValue], into: chain.writable.part(from: chain.writableCount - 1, count: 1))
        // Only with all data before it the status counts: "written" is how much from the beginning on was (section 2.7.8).
        let all = written == chain.writableCount - 1
        queue.push(chain, written: all ? written + 1 : written)
    }
}

extension [UInt8] {
    /// Adds a little-endian number.
    mutating func append(number: UInt64, count: Int) {
        for index in 0..<count { append(UInt8(truncatingIfNeeded: number >> UInt64(8 * index))) }
    }

    /// A little-endian number; what is not there counts as 0.
    func number(at offset: Int, count: Int) -> UInt64 {
        var value: UInt64 = 0
        for index in 0..<count where offset + index < self.count {
            value |= UInt64(self[offset + index]) << UInt64(8 * index)
        }
        return value
    }
}
