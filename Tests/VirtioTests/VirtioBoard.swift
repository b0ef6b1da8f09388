import Devices
import GuestMemory
import Virtio

/// An interrupt wire that remembers its level.
final class RecordingLine: InterruptLine {
    private(set) var isRaised = false
    private(set) var edges = 0

    func raise() {
        if !isRaised { edges += 1 }
        isRaised = true
    }

    func lower() { isRaised = false }
}

/// A device on its transport with a megabyte of guest memory, and what a driver does with both.
final class VirtioBoard {
    static let base: UInt64 = 0x8000_0000
    static let memorySize = 1 << 20
    /// Where tests have their buffers; what is below belongs to the queues.
    static let buffers: UInt64 = base + 0x8_0000

    let memory: GuestMemory
    let line = RecordingLine()
    let transport: MMIOTransport
    private let bytes: UnsafeMutableRawBufferPointer

    init(_ device: any VirtioDevice) {
        bytes = .allocate(byteCount: Self.memorySize, alignment: 4096)
        bytes.initializeMemory(as: UInt8.self, repeating: 0)
        memory = GuestMemory(regions: [MemoryRegion(guestAddress: Self.base, bytes: bytes)])
        transport = MMIOTransport(device: device, memory: memory, interrupt: line)
    }

    deinit { bytes.deallocate() }

    func read(_ register: MMIORegister) -> UInt32 {
        UInt32(transport.read(offset: register.rawValue, width: 4))
    }

    func write(_ value: UInt32, _ register: MMIORegister) {
        transport.write(UInt64(value), offset: register.rawValue, width: 4)
    }

    var needsReset: Bool { DeviceStatus(rawValue: read(.status)).contains(.deviceNeedsReset) }

    /// All features that are offered.
    var offered: UInt64 {
        write(0, .deviceFeaturesSelect)
        let low = read(.deviceFeatures)
        write(1, .deviceFeaturesSelect)
        return UInt64(read(.deviceFeatures)) << 32 | UInt64(low)
    }

    /// The steps of section 3.1.1 up to FEATURES_OK.
    func negotiate(_ features: UInt64) {
        write(0, .status)
        write(1, .status)
        write(3, .status)
        for half in [UInt32(0), 1] {
            write(half, .driverFeaturesSelect)
            write(UInt32(truncatingIfNeeded: features >> (32 * UInt64(half))), .driverFeatures)
        }
        write(11, .status)
    }

    /// Gives the device a queue.
    func setUp(_ queue: TestQueue) {
        write(UInt32(queue.index), .queueSelect)
        write(UInt32(queue.size), .queueSize)
        write(UInt32(truncatingIfNeeded: queue.descriptors), .queueDescriptorLow)
        write(UInt32(queue.descriptors >> 32), .queueDescriptorHigh)
        write(UInt32(truncatingIfNeeded: queue.available), .queueDriverLow)
        write(UInt32(queue.available >> 32), .queueDriverHigh)
        write(UInt32(truncatingIfNeeded: queue.used), .queueDeviceLow)
        write(UInt32(queue.used >> 32), .queueDeviceHigh)
        write(1, .queueReady)
    }

    /// A driver that is ready, with a queue of `size` descriptors for each that the device has.
    func start(_ features: UInt64 = 1 << 32, size: Int = 8) -> [TestQueue] {
        negotiate(features)
        let queues = transport.queues.indices.map { TestQueue(index: $0, size: size, memory: memory) }
        for queue in queues { setUp(queue) }
        write(15, .status)
        return queues
    }

    func notify(_ queue: TestQueue) {
        repeat { write(UInt32(queue.index), .queueNotify) } while transport.hasUnfinishedWork
    }
}

/// A driver's queue, written field by field, so that a test can write what a driver must not.
final class TestQueue {
    let index: Int
    let size: Int
    let descriptors: UInt64
    let available: UInt64
    let used: UInt64
    private let memory: GuestMemory
    private var nextAvailable: UInt16 = 0

    enum Flag {
        static let next: UInt16 = 1
        static let write: UInt16 = 2
        static let indirect: UInt16 = 4
    }

    init(index: Int, size: Int, memory: GuestMemory) {
        self.index = index
        self.size = size
        self.memory = memory
        descriptors = VirtioBoard.base + UInt64(index) * 0x8000
        available = descriptors + 0x4000
        used = descriptors + 0x5000
    }

    func write<Value: BitwiseCopyable>(_ value: Value, at address: UInt64) {
        do { try memory.write(value, at: address) } catch { fatalError("a test writes outside of memory") }
    }

    func read<Value: BitwiseCopyable>(_ type: Value.Type = Value.self, at address: UInt64) -> Value {
        do { return try memory.read(at: address) } catch { fatalError("a test reads outside of memory") }
    }

    func describe(
        _ index: Int, _ address: UInt64, _ length: UInt32, _ flags: UInt16 = 0, next: UInt16 = 0,
        table: UInt64? = nil
    ) {
        let place = (table ?? descriptors) + 16 * UInt64(index)
        write(address, at: place)
        write(length, at: place + 8)
        write(flags, at: place + 12)
        write(next, at: place + 14)
    }

    /// Makes a chain available.
    func offer(_ head: UInt16) {
        write(head, at: available + 4 + 2 * (UInt64(nextAvailable) % UInt64(size)))
        nextAvailable &+= 1
        write(nextAvailable, at: available + 2)
    }

    func setAvailableIndex(_ index: UInt16) { write(index, at: available + 2) }
    func setAvailableFlags(_ flags: UInt16) { write(flags, at: available) }
    func setUsedEvent(_ index: UInt16) { write(index, at: available + 4 + 2 * UInt64(size)) }
    var availableEvent: UInt16 { read(at: used + 4 + 8 * UInt64(size)) }
    var usedIndex: UInt16 { read(at: used + 2) }

    func usedEntry(_ index: Int) -> [UInt32] {
        [read(at: used + 4 + 8 * UInt64(index)), read(at: used + 8 + 8 * UInt64(index))]
    }

    /// A chain of descriptors from `first` on, of (address, length, whether the device writes).
    func chain(_ parts: [(UInt64, UInt32, Bool)], first: Int = 0) {
        for (place, part) in parts.enumerated() {
            let isLast = place == parts.count - 1
            describe(
                first + place, part.0, part.1, (part.2 ? Flag.write : 0) | (isLast ? 0 : Flag.next),
                next: isLast ? 0 : UInt16(first + place + 1))
        }
    }
}
