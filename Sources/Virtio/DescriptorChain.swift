internal import GuestMemory

/// A part of a buffer: guest memory that is all in one region, as was checked when it was taken from a queue.
public struct MemorySegment: Equatable, Sendable {
    /// Guest-physical address of the first byte.
    public let address: UInt64
    /// How many bytes.
    public let count: Int

    /// A segment.
    public init(address: UInt64, count: Int) {
        self.address = address
        self.count = count
    }
}

/// A buffer that the driver has made available (virtio 1.2, section 2.6): what the device reads, then what it writes.
public struct DescriptorChain {
    /// Its first descriptor, by which the driver knows it.
    public let head: UInt16
    /// What the device reads.
    public let readable: [MemorySegment]
    /// What the device writes.
    public let writable: [MemorySegment]
    /// The bytes in `readable`, below 4 GiB.
    public let readableCount: Int
    /// The bytes in `writable`, below 4 GiB.
    public let writableCount: Int
    /// Which life of the queue it comes from.
    let epoch: Int
}

extension [MemorySegment] {
    /// All bytes.
    var byteCount: Int { reduce(0) { $0 + $1.count } }

    /// The part from an offset on, in bytes; what is not there is left out.
    func part(from offset: Int, count: Int) -> [MemorySegment] {
        var skipped = offset
        var missing = count
        var part: [MemorySegment] = []
        for segment in self where missing > 0 {
            guard skipped < segment.count else {
                skipped -= segment.count
                continue
            }
            let taken = Swift.min(segment.count - skipped, missing)
            part.append(MemorySegment(address: segment.address + UInt64(skipped), count: taken))
            missing -= taken
            skipped = 0
        }
        return part
    }
}

extension GuestMemory {
    /// Copies the first bytes of segments.
    /// - Returns: at most `count` bytes.
    func gather(_ segments: [MemorySegment], count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        for segment in segments.part(from: 0, count: count) {
            do throws(GuestMemoryError) {
                bytes += try readBytes(at: segment.address, count: segment.count)
            } catch {
                return bytes
            }
        }
        return bytes
    }

    /// Copies bytes into segments, from their beginning on.
    /// - Returns: how many found room.
    @discardableResult
    func scatter(_ bytes: [UInt8], into segments: [MemorySegment]) -> Int {
        var done = 0
        for segment in segments.part(from: 0, count: bytes.count) {
            do throws(GuestMemoryError) {
                try write([UInt8](bytes[done..<done + segment.count]), at: segment.address)
            } catch {
                return done
            }
            done += segment.count
        }
        return done
    }
}
