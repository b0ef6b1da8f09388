import Architecture
import GuestMemory
import RISCV
import Virtio

/// A virtio device of the machine, seen by its driver: the registers of virtio-mmio, version 2, and what is the same in
/// the set-up of all types (virtio 1.2, sections 3.1.1 and 4.2.3).
struct HostVirtio {
    /// Where its registers are.
    let address: UInt64

    /// How often the status is read while a reset goes on.
    private static let patience = 100_000

    /// What is at an address, as the device tree tells of it.
    enum Presence {
        /// A device, with its number.
        case device(UInt32)
        /// A device with the legacy interface, which this is no driver for.
        case legacy
        /// Registers without a device.
        case nothing
    }

    func register(_ register: MMIORegister) -> UInt32 { volatile_load_32(address + register.rawValue) }

    func write(_ value: UInt32, _ register: MMIORegister) {
        // What is in memory for the device comes before it is told.
        fence_all()
        volatile_store_32(address + register.rawValue, value)
    }

    /// 32 bits of the configuration space.
    func configuration(at offset: UInt64) -> UInt32 {
        volatile_load_32(address + MMIORegister.configuration + offset)
    }

    var presence: Presence {
        let id = register(.deviceID)
        guard register(.magicValue) == MMIORegister.magic, id != 0 else { return .nothing }
        return register(.version) == 2 ? .device(id) : .legacy
    }

    /// Resets the device and settles the features.
    /// - Parameter wanted: those that the driver knows.
    /// - Returns: those of them that the device has; nil when it does not agree.
    func begin(_ wanted: Features) -> Features? {
        write(0, .status)
        // Section 2.4.2: the reset is over when the status reads 0. One that never does is not waited for.
        for _ in 0..<Self.patience where register(.status) != 0 {}
        guard register(.status) == 0 else { return nil }
        write((DeviceStatus.acknowledge.union(.driver)).rawValue, .status)
        var offered: UInt64 = 0
        for half in [UInt64(0), 1] {
            write(UInt32(half), .deviceFeaturesSelect)
            offered |= UInt64(register(.deviceFeatures)) << (32 * half)
        }
        let features = wanted.union(.version1).intersection(Features(rawValue: offered))
        guard features.contains(.version1) else { return nil }
        for half in [UInt64(0), 1] {
            write(UInt32(half), .driverFeaturesSelect)
            write(UInt32(truncatingIfNeeded: features.rawValue >> (32 * half)), .driverFeatures)
        }
        let status: DeviceStatus = [.acknowledge, .driver, .featuresOK]
        write(status.rawValue, .status)
        return register(.status) & DeviceStatus.featuresOK.rawValue != 0 ? features : nil
    }

    /// The largest size of queue 0 up to a limit, which both are powers of two; 0 when there is no such queue.
    func queueSize(upTo limit: UInt16) -> UInt16 {
        write(0, .queueSelect)
        let most = min(register(.queueSizeMax), UInt32(limit))
        return most == 0 ? 0 : 1 << UInt16(31 - most.leadingZeroBitCount)
    }

    /// Gives the device queue 0, its only one, and lets it work.
    func finish(_ queue: DriverQueue) {
        for (register, value) in queue.registers(index: 0) { write(value, register) }
        let status: DeviceStatus = [.acknowledge, .driver, .featuresOK, .driverOK]
        write(status.rawValue, .status)
    }

    /// Tells the device of what is available in queue 0.
    func notify(_ queue: DriverQueue) {
        if queue.deviceWantsNotification { write(0, .queueNotify) }
    }

    /// Takes note of what it interrupts for.
    func acknowledgeInterrupt() { write(register(.interruptStatus), .interruptAcknowledge) }
}

/// Memory of the hypervisor's that devices of the machine read and write: there, addresses are the machine's own.
struct SharedPages {
    let memory: GuestMemory
    let address: UInt64

    /// Pages of zeros.
    init?(_ count: Int, from pages: PageAllocator) {
        guard let address = pages.allocatePages(count, alignment: pageSize) else { return nil }
        self.address = address
        memory = unsafe GuestMemory(regions: [
            MemoryRegion(
                guestAddress: address,
                bytes: UnsafeMutableRawBufferPointer(
                    start: UnsafeMutableRawPointer(bitPattern: UInt(address)), count: count * Int(pageSize)))
        ])
    }

    func write<Value: BitwiseCopyable>(_ value: Value, at offset: Int) {
        do throws(GuestMemoryError) {
            try memory.write(value, at: address + UInt64(offset))
        } catch {
            // Only offsets within the pages are used.
        }
    }

    func byte(at offset: Int) -> UInt8 {
        do throws(GuestMemoryError) {
            return try memory.read(at: address + UInt64(offset))
        } catch {
            return 0
        }
    }

    func bytes(at offset: Int, count: Int) -> [UInt8] {
        do throws(GuestMemoryError) {
            return try memory.readBytes(at: address + UInt64(offset), count: count)
        } catch {
            return []
        }
    }
}
