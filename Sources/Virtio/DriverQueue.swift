public import GuestMemory

/// The driver's side of a split virtqueue (virtio 1.2, section 2.7): for a hypervisor that is itself a guest of devices.
///
/// It uses neither indirect descriptors nor event indices.
public final class DriverQueue {
    /// How many descriptors it has.
    public let size: UInt16
    /// Guest-physical address of the descriptor table.
    public let descriptorArea: UInt64
    /// Guest-physical address of the available ring.
    public let driverArea: UInt64
    /// Guest-physical address of the used ring.
    public let deviceArea: UInt64
    private let rings: SplitRings
    /// The descriptors that are in no chain.
    private var free: [UInt16]
    /// For each descriptor that begins a chain, the descriptors of the chain.
    private var chains: [[UInt16]]
    private var nextAvailable: UInt16 = 0
    private var nextUsed: UInt16 = 0

    /// How many bytes the rings of a size take.
    public static func byteCount(size: UInt16) -> Int { usedOffset(size) + 6 + 8 * Int(size) }

    private static func usedOffset(_ size: UInt16) -> Int { (16 * Int(size) + 6 + 2 * Int(size) + 3) & ~3 }

    /// A queue in memory that is zero; nil when it does not fit there.
    /// - Parameter address: of `byteCount(size:)` bytes, aligned to 16.
    public init?(memory: GuestMemory, size: UInt16, address: UInt64) {
        descriptorArea = address
        driverArea = address &+ 16 * UInt64(size)
        deviceArea = address &+ UInt64(Self.usedOffset(size))
        guard
            let rings = SplitRings(
                memory: memory, size: size, descriptorArea: descriptorArea, driverArea: driverArea,
                deviceArea: deviceArea)
        else { return nil }
        self.rings = rings
        self.size = size
        free = [UInt16](0..<size)
        chains = [[UInt16]](repeating: [], count: Int(size))
    }

    /// What a driver writes to the registers of virtio-mmio to give the device this queue, in this order (section
    /// 4.2.3.2).
    /// - Parameter index: the queue's number.
    public func registers(index: UInt32) -> [(register: MMIORegister, value: UInt32)] {
        [
            (.queueSelect, index), (.queueSize, UInt32(size)),
            (.queueDescriptorLow, UInt32(truncatingIfNeeded: descriptorArea)),
            (.queueDescriptorHigh, UInt32(descriptorArea >> 32)),
            (.queueDriverLow, UInt32(truncatingIfNeeded: driverArea)), (.queueDriverHigh, UInt32(driverArea >> 32)),
            (.queueDeviceLow, UInt32(truncatingIfNeeded: deviceArea)), (.queueDeviceHigh, UInt32(deviceArea >> 32)),
            (.queueReady, 1),
        ]
    }

    /// How many descriptors are free.
    public var freeCount: Int { free.count }

    /// Makes a buffer available.
    /// - Returns: its number, until it comes back; nil when there are not enough descriptors, or none would be needed.
    public func add(readable: [MemorySegment], writable: [MemorySegment]) -> UInt16? {
        let segments = readable + writable
        guard !segments.isEmpty, segments.count <= free.count else { return nil }
        let indices = [UInt16](free.suffix(segments.count))
        free.removeLast(segments.count)
        for (place, segment) in segments.enumerated() {
            let isLast = place == segments.count - 1
            var flags: Descriptor.Flags = place < readable.count ? [] : .write
            if !isLast { flags.insert(.next) }
            rings.setDescriptor(
                indices[place],
                Descriptor(
                    address: segment.address, length: UInt32(clamping: segment.count), flags: flags,
                    next: isLast ? 0 : indices[place + 1]))
        }
        chains[Int(indices[0])] = indices
        rings.setAvailableEntry(nextAvailable, indices[0])
        nextAvailable &+= 1
        rings.availableIndex = nextAvailable
        return indices[0]
    }

    /// Whether the device wants to be notified of what was made available (section 2.7.10).
    public var deviceWantsNotification: Bool {
        rings.fence()
        return rings.usedFlags & 1 == 0
    }

    /// A buffer that the device has used, and how many bytes it wrote; nil when there is none. A device that names one
    /// that it does not have is not heard.
    public func nextUsedBuffer() -> (number: UInt16, written: Int)? {
        while rings.usedIndex != nextUsed {
            let (head, written) = rings.usedEntry(nextUsed)
            nextUsed &+= 1
            guard head < UInt32(size), !chains[Int(head)].isEmpty else { continue }
            free += chains[Int(head)]
            chains[Int(head)] = []
            return (UInt16(head), Int(written))
        }
        return nil
    }
}
