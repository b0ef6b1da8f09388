public import Devices
public import GuestMemory

/// A device on the transport virtio-mmio, version 2 (virtio 1.2, section 4.2).
///
/// Registers are 32 bits wide; other accesses read 0 and write nothing, except to the configuration space. Registers
/// that mean nothing where the driver is in its set-up ignore writes.
public final class MMIOTransport: Device {
    /// The bytes of its registers and configuration space: a page, as each has that QEMU's boards have.
    public static let size: UInt64 = 0x1000
    /// The device behind it.
    public let device: any VirtioDevice
    /// Its queues.
    public let queues: [Virtqueue]
    /// The last write to QueueNotify has left work: to be done by the same write again. A virtual processor that stays
    /// at its store until this is false spends its own time for what it has asked for.
    public private(set) var hasUnfinishedWork = false

    private let registers: StatusRegisters
    private let offered: Features
    private var accepted: Features = []
    private var deviceFeaturesSelect: UInt32 = 0
    private var driverFeaturesSelect: UInt32 = 0
    private var queueSelect: UInt32 = 0
    /// The status before a reset that waits for chains that somebody works on.
    private var statusBeforeReset: DeviceStatus = []

    /// - Parameters:
    ///   - device: what is behind it; it is connected to its queues here.
    ///   - memory: what the device can reach.
    ///   - interrupt: raised while InterruptStatus is not 0.
    public init(device: any VirtioDevice, memory: GuestMemory, interrupt: any InterruptLine) {
        self.device = device
        let registers = StatusRegisters(line: interrupt)
        self.registers = registers
        queues = device.queueSizes.map { Virtqueue(maximumSize: $0, memory: memory, registers: registers) }
        offered = device.features.union(.transport)
        device.connect(queues)
    }

    /// The device status field, as the driver reads it. After a reset it reads 0 once nobody works on the guest's memory
    /// any more (section 2.4.2: the driver should wait for that).
    public var status: DeviceStatus { isDraining ? statusBeforeReset : registers.status }

    /// The features that the driver has accepted.
    public var acceptedFeatures: Features { accepted }

    /// Chains that somebody works on.
    public var inFlight: Int { queues.reduce(0) { $0 + $1.inFlight } }

    private var isDraining: Bool { registers.status.isEmpty && inFlight > 0 }

    // MARK: Registers

    /// Reads a register or a part of the configuration space.
    public func read(offset: UInt64, width: AccessWidth) -> UInt64 {
        if offset >= MMIORegister.configuration {
            return readConfiguration(offset - MMIORegister.configuration, width: width)
        }
        guard width == 4, let register = MMIORegister(rawValue: offset) else { return 0 }
        return UInt64(read(register))
    }

    /// Writes a register. The configuration spaces of all types here are for reading.
    public func write(_ value: UInt64, offset: UInt64, width: AccessWidth) {
        hasUnfinishedWork = false
        guard width == 4, let register = MMIORegister(rawValue: offset) else { return }
        write(UInt32(truncatingIfNeeded: value), register)
    }

    private func readConfiguration(_ offset: UInt64, width: AccessWidth) -> UInt64 {
        let bytes = device.configuration
        var value: UInt64 = 0
        for index in 0..<UInt64(clamping: min(width, 8)) {
            let place = offset &+ index
            if place < UInt64(bytes.count) { value |= UInt64(bytes[Int(place)]) << (8 * index) }
        }
        return value
    }

    private func read(_ register: MMIORegister) -> UInt32 {
        switch register {
        case .magicValue: MMIORegister.magic
        case .version: 2
        case .deviceID: device.deviceID
        // "QEMU": teaching kernels look for it, and the specification has no numbers to give.
        case .vendorID: 0x554D_4551
        case .deviceFeatures: half(offered, deviceFeaturesSelect)
        case .queueSizeMax: UInt32(selectedQueue?.maximumSize ?? 0)
        case .queueReady: selectedQueue?.isReady == true ? 1 : 0
        case .interruptStatus: registers.interrupts.rawValue
        case .status: status.rawValue
        // There is no shared memory: its length and place are all ones (section 4.2.2, SHMLen).
        case .sharedMemoryLengthLow, .sharedMemoryLengthHigh, .sharedMemoryBaseLow, .sharedMemoryBaseHigh: .max
        // The configuration never changes.
        case .configurationGeneration: 0
        default: 0
        }
    }

    private func write(_ value: UInt32, _ register: MMIORegister) {
        switch register {
        case .deviceFeaturesSelect: deviceFeaturesSelect = value
        case .driverFeatures: acceptFeatures(value)
        case .driverFeaturesSelect: driverFeaturesSelect = value
        case .queueSelect: queueSelect = value
        case .queueNotify: notify(value)
        case .interruptAcknowledge: registers.acknowledge(InterruptReasons(rawValue: value))
        case .status: writeStatus(DeviceStatus(rawValue: value))
        default:
            guard let queue = selectedQueue else { return }
            setUp(queue, register, value)
        }
    }

    // MARK: Features and status

    private func half(_ features: Features, _ select: UInt32) -> UInt32 {
        switch select {
        case 0: UInt32(truncatingIfNeeded: features.rawValue)
        case 1: UInt32(truncatingIfNeeded: features.rawValue >> 32)
        default: 0
        }
    }

    /// Section 3.1.1: features are accepted before FEATURES_OK.
    private func acceptFeatures(_ value: UInt32) {
        guard !registers.status.contains(.featuresOK) else { return }
        switch driverFeaturesSelect {
        case 0: accepted = Features(rawValue: accepted.rawValue & ~0xFFFF_FFFF | UInt64(value))
        case 1: accepted = Features(rawValue: accepted.rawValue & 0xFFFF_FFFF | UInt64(value) << 32)
        default:
            // Bits that are not offered: FEATURES_OK will not stay.
            if value != 0 { accepted.insert(Features(rawValue: 1 << 63)) }
        }
    }

    private func writeStatus(_ new: DeviceStatus) {
        guard !new.isEmpty else {
            reset()
            return
        }
        // After a reset, until it is over.
        guard !isDraining else { return }
        // A driver clears bits by a reset only (section 2.1.1).
        var status = registers.status.union(new.intersection(.fromDriver))
        if !registers.status.contains(.featuresOK), status.contains(.featuresOK), !accepted.isSubset(of: offered) {
            status.remove(.featuresOK)
        }
        // Section 3.1.1: without settled features there is no work.
        if !status.contains(.featuresOK) { status.remove(.driverOK) }
        let starts = status.contains(.driverOK) && !registers.status.contains(.driverOK)
        registers.status = status
        // What was told before it could be heard.
        if starts, status.contains(.deviceNeedsReset) { registers.interrupt(.configurationChange) }
    }

    /// What the driver's writing 0 to the status does, and a restart of the guest (section 2.4).
    public func reset() {
        if !isDraining { statusBeforeReset = registers.status }
        device.reset()
        for queue in queues { queue.reset() }
        registers.reset()
        accepted = []
        (deviceFeaturesSelect, driverFeaturesSelect, queueSelect) = (0, 0, 0)
    }

    // MARK: Queues

    private var selectedQueue: Virtqueue? {
        queueSelect < UInt32(queues.count) ? queues[Int(queueSelect)] : nil
    }

    /// Section 4.2.3.2. While a queue is in use, it is not moved.
    private func setUp(_ queue: Virtqueue, _ register: MMIORegister, _ value: UInt32) {
        if register == .queueReady {
            if value & 1 == 0 {
                queue.disable()
            } else if registers.status.contains(.featuresOK) {
                queue.enable(features: accepted)
            }
            return
        }
        guard !queue.isReady else { return }
        switch register {
        // What is no size at all is no power of two either, which `enable` looks for.
        case .queueSize: queue.size = UInt16(exactly: value) ?? 0
        case .queueDescriptorLow: queue.descriptorArea.setLow(value)
        case .queueDescriptorHigh: queue.descriptorArea.setHigh(value)
        case .queueDriverLow: queue.driverArea.setLow(value)
        case .queueDriverHigh: queue.driverArea.setHigh(value)
        case .queueDeviceLow: queue.deviceArea.setLow(value)
        case .queueDeviceHigh: queue.deviceArea.setHigh(value)
        default: break
        }
    }

    private func notify(_ value: UInt32) {
        guard value < UInt32(queues.count), registers.isRunning else { return }
        hasUnfinishedWork = device.process(queue: Int(value))
    }
}

extension UInt64 {
    fileprivate mutating func setLow(_ half: UInt32) { self = self & ~0xFFFF_FFFF | UInt64(half) }
    fileprivate mutating func setHigh(_ half: UInt32) { self = self & 0xFFFF_FFFF | UInt64(half) << 32 }
}
