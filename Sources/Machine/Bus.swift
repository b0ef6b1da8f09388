public import Devices
internal import Synchronization

/// One device on a bus, with the lock that lets one thread at a time into it: vCPUs on the guest's accesses, the
/// event loop on the host's input.
public final class BusSlot: Sendable {
    // The device is only touched under the lock; devices themselves know no threads.
    private nonisolated(unsafe) let device: any Device
    private let lock: Mutex<Void>

    /// - Parameter device: belongs to this slot from now on.
    public init(_ device: any Device) {
        self.device = device
        lock = Mutex(())
    }

    /// Reads a register of the device.
    func read(offset: UInt64, width: Int) -> UInt64 {
        lock.withLock { _ in device.read(offset: offset, width: width) }
    }

    /// Writes a register of the device.
    func write(_ value: UInt64, offset: UInt64, width: Int) {
        lock.withLock { _ in device.write(value, offset: offset, width: width) }
    }

    /// Reads the same register several times.
    func readItems(offset: UInt64, width: Int, into target: inout MutableRawSpan) {
        lock.withLock { _ in device.readItems(offset: offset, width: width, into: &target) }
    }

    /// Writes the same register several times.
    func writeItems(_ source: RawSpan, offset: UInt64, width: Int) {
        lock.withLock { _ in device.writeItems(source, offset: offset, width: width) }
    }

    /// Does something with the device while no guest is in it.
    public func withLock<Result>(_ body: () -> sending Result) -> sending Result {
        lock.withLock { _ in body() }
    }
}

/// Addresses, of ports or of memory, and the devices that answer there. It does not change once a machine runs.
struct Bus {
    private struct Entry {
        let first: UInt64
        let last: UInt64
        let firstOffset: UInt64
        let slot: BusSlot
    }

    private var entries: [Entry] = []

    /// Puts a device at a range of addresses.
    /// - Parameters:
    ///   - slot: the device; the same may be at several ranges.
    ///   - first: the first address.
    ///   - count: how many addresses.
    ///   - firstOffset: the device's register at the first address.
    mutating func attach(_ slot: BusSlot, at first: UInt64, count: UInt64, firstOffset: UInt64 = 0) {
        let entry = Entry(first: first, last: first + count - 1, firstOffset: firstOffset, slot: slot)
        precondition(
            !entries.contains { $0.first <= entry.last && entry.first <= $0.last },
            "two devices of the board at one address")
        entries.append(entry)
    }

    /// Puts a device before whatever is at an address.
    /// - Parameter makeDevice: is given the bus as it was, where the device finds what it hides.
    mutating func cover(_ address: UInt64, with makeDevice: (Bus) -> any Device) {
        let entry = Entry(first: address, last: address, firstOffset: address, slot: BusSlot(makeDevice(self)))
        entries.insert(entry, at: 0)
    }

    /// Reads. Where no device answers, all bits are set, as on a bus that nobody drives.
    func read(_ address: UInt64, width: Int) -> UInt64 {
        for entry in entries where address >= entry.first && address <= entry.last {
            return entry.slot.read(offset: address - entry.first + entry.firstOffset, width: width)
        }
        return width >= 8 ? .max : (1 << (8 * UInt64(width))) - 1
    }

    /// Writes. Where no device answers, the write is lost.
    func write(_ value: UInt64, to address: UInt64, width: Int) {
        for entry in entries where address >= entry.first && address <= entry.last {
            return entry.slot.write(value, offset: address - entry.first + entry.firstOffset, width: width)
        }
    }

    /// Reads the same address several times, as REP INS does. Where no device answers, all bits are set.
    func readItems(_ address: UInt64, width: Int, into target: inout MutableRawSpan) {
        for entry in entries where address >= entry.first && address <= entry.last {
            return entry.slot.readItems(
                offset: address - entry.first + entry.firstOffset, width: width, into: &target)
        }
        for place in 0..<target.byteCount { target.storeBytes(of: 0xFF, toByteOffset: place, as: UInt8.self) }
    }

    /// Writes the same address several times, as REP OUTS does. Where no device answers, the writes are lost.
    func writeItems(_ source: RawSpan, to address: UInt64, width: Int) {
        for entry in entries where address >= entry.first && address <= entry.last {
            return entry.slot.writeItems(
                source, offset: address - entry.first + entry.firstOffset, width: width)
        }
    }
}
