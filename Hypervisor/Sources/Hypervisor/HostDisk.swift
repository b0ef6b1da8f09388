import Devices
import GuestMemory
import RISCV
import Virtio

/// The driver of a virtio disk of the machine (virtio 1.2, section 5.2). Requests wait for nothing: they are begun here,
/// and ended by the disk's interrupt. The disk reads and writes the guests' memory itself.
final class HostDisk {
    let sectorCount: UInt64
    let isReadOnly: Bool
    /// Segments that a request may have.
    let maximumSegments: Int
    /// How many guests have it: one that writes has it alone.
    private var users = 0
    private var isWritten = false

    private let device: HostVirtio
    private let queue: DriverQueue
    private let hasFlush: Bool
    /// The headers, 16 bytes each, and from `statusOffset` on the status bytes of the requests that the disk has.
    private let slots: SharedPages
    private static let statusOffset = 2048
    private var freeSlots: [Int]
    /// What the disk works on, by the number in its queue.
    private var active: [(request: BlockRequest, slot: Int)?]
    /// What waits for descriptors.
    private var waiting: [BlockRequest] = []

    /// The most descriptors of its queue. A request has two besides its segments.
    private static let queueSize: UInt16 = 256
    private static let slotCount = 128

    /// Sets a disk up; nil when it cannot be used, or there is no memory.
    init?(_ device: HostVirtio, pages: PageAllocator) {
        let known: Features = [BlockDevice.Feature.segMax, BlockDevice.Feature.readOnly, BlockDevice.Feature.flush]
        guard let features = device.begin(known) else { return nil }
        let size = device.queueSize(upTo: Self.queueSize)
        let ringPages = (DriverQueue.byteCount(size: size) + Int(pageSize) - 1) / Int(pageSize)
        guard size >= 4, let rings = SharedPages(ringPages, from: pages), let slots = SharedPages(1, from: pages),
            let queue = DriverQueue(memory: rings.memory, size: size, address: rings.address)
        else { return nil }
        self.device = device
        self.queue = queue
        self.slots = slots
        isReadOnly = features.contains(BlockDevice.Feature.readOnly)
        hasFlush = features.contains(BlockDevice.Feature.flush)
        sectorCount = UInt64(device.configuration(at: 0)) | UInt64(device.configuration(at: 4)) << 32
        let told = features.contains(BlockDevice.Feature.segMax) ? Int(device.configuration(at: 12)) : 1
        maximumSegments = max(1, min(told, Int(size) - 2))
        freeSlots = [Int](0..<Self.slotCount)
        active = [(request: BlockRequest, slot: Int)?](repeating: nil, count: Int(size))
        device.finish(queue)
    }

    /// Gives the disk to a guest.
    /// - Returns: false when another one has it, and one of the two writes.
    fileprivate func claim(forWriting: Bool) -> Bool {
        guard users == 0 || !forWriting && !isWritten else { return false }
        users += 1
        isWritten = forWriting
        return true
    }

    /// Takes it back from a guest that had it.
    fileprivate func release() {
        users -= 1
        isWritten = false
    }

    func submit(_ request: BlockRequest) {
        // A disk without FLUSH keeps nothing back (section 5.2.6.2).
        if request.operation == .flush, !hasFlush {
            request.complete(.done)
            return
        }
        waiting.append(request)
        beginWaiting()
    }

    /// The disk's interrupt.
    func handleInterrupt() {
        device.acknowledgeInterrupt()
        while let (number, _) = queue.nextUsedBuffer() {
            guard let (request, slot) = active[Int(number)] else { continue }
            active[Int(number)] = nil
            freeSlots.append(slot)
            let isDone = slots.byte(at: Self.statusOffset + slot) == BlockDevice.Status.ok.rawValue
            request.complete(isDone ? .done : .failed)
        }
        beginWaiting()
    }

    private func beginWaiting() {
        var begun = 0
        while begun < waiting.count, begin(waiting[begun]) { begun += 1 }
        guard begun > 0 else { return }
        waiting.removeFirst(begun)
        device.notify(queue)
    }

    /// Gives a request to the disk; false when there is no room for it now.
    private func begin(_ request: BlockRequest) -> Bool {
        guard queue.freeCount >= request.segments.count + 2, let slot = freeSlots.last else { return false }
        guard let segments = machineSegments(request) else {
            request.complete(.failed)
            return true
        }
        let type: UInt32
        switch request.operation {
        case .read: type = BlockDevice.RequestType.read
        case .write: type = BlockDevice.RequestType.write
        case .flush: type = BlockDevice.RequestType.flush
        }
        let header = slot * BlockDevice.headerSize
        slots.write(UInt64(type), at: header)
        slots.write(request.sector, at: header + 8)
        slots.write(UInt8.max, at: Self.statusOffset + slot)
        var readable = [MemorySegment(address: slots.address + UInt64(header), count: BlockDevice.headerSize)]
        var writable: [MemorySegment] = []
        if request.operation == .read { writable = segments } else { readable += segments }
        writable.append(MemorySegment(address: slots.address + UInt64(Self.statusOffset + slot), count: 1))
        guard let number = queue.add(readable: readable, writable: writable) else { return false }
        freeSlots.removeLast()
        active[Int(number)] = (request, slot)
        return true
    }

    /// The segments by the machine's addresses: the guest's memory lies in one piece in it.
    private func machineSegments(_ request: BlockRequest) -> [MemorySegment]? {
        var segments: [MemorySegment] = []
        for segment in request.segments {
            do throws(GuestMemoryError) {
                let bytes = unsafe try request.memory.bytes(at: segment.address, count: segment.count)
                segments.append(
                    MemorySegment(
                        address: UInt64(UInt(bitPattern: bytes.baseAddress)), count: segment.count))
            } catch {
                // It was checked when it was taken from the queue.
                return nil
            }
        }
        return segments
    }
}

/// A disk of the machine as one guest has it, for as long as this object lives.
final class HostDiskBackend: BlockBackend {
    private let disk: HostDisk
    let isReadOnly: Bool

    /// Nil when another guest has the disk, and one of the two writes.
    init?(_ disk: HostDisk, isReadOnly: Bool) {
        self.isReadOnly = isReadOnly || disk.isReadOnly
        guard disk.claim(forWriting: !self.isReadOnly) else { return nil }
        self.disk = disk
    }

    deinit { disk.release() }

    var sectorCount: UInt64 { disk.sectorCount }
    var maximumSegments: Int { disk.maximumSegments }
    func submit(_ request: BlockRequest) { disk.submit(request) }
}
