import GuestMemory
import RISCV
import Virtio

/// The driver of the machine's virtio source of entropy (virtio 1.2, section 5.4): each guest gets bytes of its own
/// from it, which nobody else has seen.
final class HostEntropy: EntropySource {
    private let device: HostVirtio
    private let queue: DriverQueue
    /// Where the device writes: a slot for each request that it has.
    private let slots: SharedPages
    private var freeSlots: [Int]
    private var active: [(request: EntropyRequest, slot: Int)?]
    private var waiting: [EntropyRequest] = []

    private static let queueSize: UInt16 = 4

    /// Sets the device up; nil when it cannot be used, or there is no memory.
    init?(_ device: HostVirtio, pages: PageAllocator) {
        guard device.begin([]) != nil else { return nil }
        let size = device.queueSize(upTo: Self.queueSize)
        let slotPages = (EntropyDevice.maximumCount * Int(size) + Int(pageSize) - 1) / Int(pageSize)
        guard size > 0, let rings = SharedPages(1, from: pages), let slots = SharedPages(slotPages, from: pages),
            let queue = DriverQueue(memory: rings.memory, size: size, address: rings.address)
        else { return nil }
        self.device = device
        self.queue = queue
        self.slots = slots
        freeSlots = [Int](0..<Int(size))
        active = [(request: EntropyRequest, slot: Int)?](repeating: nil, count: Int(size))
        device.finish(queue)
    }

    func submit(_ request: EntropyRequest) {
        waiting.append(request)
        beginWaiting()
    }

    /// The device's interrupt.
    func handleInterrupt() {
        device.acknowledgeInterrupt()
        while let (number, written) = queue.nextUsedBuffer() {
            guard let (request, slot) = active[Int(number)] else { continue }
            active[Int(number)] = nil
            freeSlots.append(slot)
            let offset = slot * EntropyDevice.maximumCount
            request.complete(slots.bytes(at: offset, count: min(written, request.count)))
            // The next request is not to find them there.
            for index in 0..<min(written, EntropyDevice.maximumCount) { slots.write(UInt8(0), at: offset + index) }
        }
        beginWaiting()
    }

    private func beginWaiting() {
        var begun = 0
        while begun < waiting.count, let slot = freeSlots.last {
            let request = waiting[begun]
            let place = slots.address + UInt64(slot * EntropyDevice.maximumCount)
            guard
                let number = queue.add(
                    readable: [], writable: [MemorySegment(address: place, count: request.count)])
            else { break }
            freeSlots.removeLast()
            active[Int(number)] = (request, slot)
            begun += 1
        }
        guard begun > 0 else { return }
        waiting.removeFirst(begun)
        device.notify(queue)
    }
}
