internal import Devices
internal import KVM
internal import Synchronization

/// Lets KVM gather what a guest writes to the data ports of its disks, so that a sector is one exit.
///
/// Unlike REP INS, REP OUTS leaves the guest at each item, 128 times a sector. KVM can keep writes to a port in a ring
/// instead (KVM_CAP_COALESCED_PIO), but tells nobody when a block is complete, for whose interrupt the guest may be
/// waiting. So the room in the ring is what the block lacks but for its last bytes: the write that completes a block
/// finds no room, and is an exit.
///
/// A vCPU takes what was gathered before it answers an exit of its own, so devices see the guest's order.
final class DiskWriteGathering: Sendable {
    /// One channel of the controller.
    struct Port: Sendable {
        let slot: BusSlot
        let address: UInt64
        // Only touched under the slot's lock.
        nonisolated(unsafe) let channel: ATAChannel
    }

    /// The widest write to the data register, in bytes.
    private static let widest = 4

    private let ports: [Port]
    private let kernel: KernelObjects
    /// Where in the ring to go on. Who changes it holds `taking`.
    private let place = Atomic<UInt32>(0)
    private let taking = Mutex<Void>(())

    /// - Returns: nil where there is nothing to gather, or KVM cannot.
    init?(_ ports: [Port], kernel: KernelObjects, vcpu: borrowing VirtualCPU) {
        guard !ports.isEmpty, kernel.gathersPortWrites, vcpu.limitCoalescedWrites(to: 0, after: 0) else { return nil }
        self.ports = ports
        self.kernel = kernel
        do {
            // As wide as the widest access, for KVM takes only what lies within. So these are also the registers behind
            // the data register, which do nothing by themselves: in their order they may come late.
            for port in ports {
                try kernel.virtualMachine.coalesceWrites(
                    address: port.address, size: UInt32(Self.widest), isPort: true)
            }
        } catch {
            stop()
            return nil
        }
    }

    /// Hands what was gathered to the devices: before an exit is answered.
    func deliver(_ vcpu: borrowing VirtualCPU, to bus: Bus) {
        guard vcpu.hasCoalescedWrites(from: place.load(ordering: .acquiring)) else { return }
        taking.withLock { _ in
            var next = place.load(ordering: .relaxed)
            var run = Run()
            vcpu.takeCoalescedWrites(from: &next) { write in
                if !run.append(write) {
                    run.deliver(to: bus)
                    _ = run.append(write)
                }
            }
            run.deliver(to: bus)
            place.store(next, ordering: .releasing)
        }
    }

    /// Makes room for what the drives want now: after the guest has written to a register of the controller.
    func makeRoom(_ vcpu: borrowing VirtualCPU, after port: UInt64) {
        guard ports.contains(where: { port >= $0.address && port < $0.address + 8 }) else { return }
        taking.withLock { _ in
            var wanted: Int?
            for port in ports {
                let bytes = port.slot.withLock { port.channel.bytesWanted }
                if bytes > 0 { wanted = min(wanted ?? .max, bytes) }
            }
            let room = wanted.map { ($0 - 1) / Self.widest } ?? 0
            if !vcpu.limitCoalescedWrites(to: room, after: place.load(ordering: .relaxed)), wanted != nil { stop() }
        }
    }

    /// From here on each write is an exit.
    private func stop() {
        for port in ports {
            try? kernel.virtualMachine.stopCoalescingWrites(
                address: port.address, size: UInt32(Self.widest), isPort: true)
        }
    }

    /// Writes of one width to one port, as a string instruction makes them.
    private struct Run {
        private var port: UInt64 = 0
        private var width = 0
        private var count = 0
        private var bytes = InlineArray<1024, UInt8>(repeating: 0)

        /// - Returns: false when the write does not belong to the others.
        mutating func append(_ write: CoalescedWrite) -> Bool {
            if count == 0 { (port, width) = (write.address, write.width) }
            guard write.address == port, write.width == width, count + width <= bytes.count else { return false }
            for index in 0..<width {
                bytes[count + index] = UInt8(truncatingIfNeeded: write.value >> (8 * UInt64(index)))
            }
            count += width
            return true
        }

        mutating func deliver(to bus: Bus) {
            if count == 0 { return }
            bus.writeItems(bytes.span.bytes.extracting(first: count), to: port, width: width)
            count = 0
        }
    }
}
