internal import Devices

/// What is wrong with a machine's board: for tests that a guest, or the monitor, notices it. Nothing outside this module
/// can ask for a fault, and a board without one has nothing of this in the way of an access.
struct BoardFaults {
    /// By port, what the guest reads of a byte there instead of what the device gave.
    var reads: [UInt16: (UInt8) -> UInt8] = [:]
    /// By port, what the device is given of a byte that the guest writes there; nil: nothing.
    var writes: [UInt16: (UInt8) -> UInt8?] = [:]
    /// Interrupts whose wires are cut. Those of devices in the kernel are not the board's, and stay.
    var cutInterrupts: Set<UInt32> = []

    /// Puts the faults of the ports before the devices.
    func cover(_ ports: inout Bus) {
        for port in Set(reads.keys).union(writes.keys) {
            ports.cover(UInt64(port)) { FaultyPort(reads[port], writes[port], before: $0) }
        }
    }
}

/// A port at which something goes wrong with every byte. Wider accesses and strings are let through.
private final class FaultyPort: Device {
    private let changeRead: ((UInt8) -> UInt8)?
    private let changeWrite: ((UInt8) -> UInt8?)?
    private let bus: Bus

    init(_ changeRead: ((UInt8) -> UInt8)?, _ changeWrite: ((UInt8) -> UInt8?)?, before bus: Bus) {
        self.changeRead = changeRead
        self.changeWrite = changeWrite
        self.bus = bus
    }

    func read(offset: UInt64, width: AccessWidth) -> UInt64 {
        let value = bus.read(offset, width: width)
        guard width == 1, let changeRead else { return value }
        return UInt64(changeRead(UInt8(truncatingIfNeeded: value)))
    }

    func write(_ value: UInt64, offset: UInt64, width: AccessWidth) {
        guard width == 1, let changeWrite else { return bus.write(value, to: offset, width: width) }
        if let changed = changeWrite(UInt8(truncatingIfNeeded: value)) {
            bus.write(UInt64(changed), to: offset, width: width)
        }
    }

    func readItems(offset: UInt64, width: AccessWidth, into target: inout MutableRawSpan) {
        bus.readItems(offset, width: width, into: &target)
    }

    func writeItems(_ source: RawSpan, offset: UInt64, width: AccessWidth) {
        bus.writeItems(source, to: offset, width: width)
    }
}
