/// Feature bits (virtio 1.2, section 2.2): what a device offers and a driver may accept.
///
/// Bits 0 to 23 and 50 to 127 belong to the device's type, and are named where that is; here are the others.
public struct Features: OptionSet, Equatable, Sendable {
    /// The bits.
    public let rawValue: UInt64

    /// A set with these bits.
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    /// VIRTIO_F_INDIRECT_DESC: descriptors may refer to tables of descriptors (section 2.7.5.3).
    public static let indirectDescriptors = Features(rawValue: 1 << 28)
    /// VIRTIO_F_EVENT_IDX: each side says at which index it wants to be told (sections 2.7.7 and 2.7.10).
    public static let eventIndex = Features(rawValue: 1 << 29)
    /// VIRTIO_F_VERSION_1: not the legacy interface.
    public static let version1 = Features(rawValue: 1 << 32)

    /// What the queues and the transport offer, whatever the device.
    static let transport: Features = [.indirectDescriptors, .eventIndex, .version1]
}

/// The device status field (virtio 1.2, section 2.1).
public struct DeviceStatus: OptionSet, Equatable, Sendable {
    /// The bits.
    public let rawValue: UInt32

    /// A set with these bits.
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// ACKNOWLEDGE: the driver's system has found the device.
    public static let acknowledge = DeviceStatus(rawValue: 1)
    /// DRIVER: it has a driver.
    public static let driver = DeviceStatus(rawValue: 2)
    /// DRIVER_OK: the driver is ready; the device may work.
    public static let driverOK = DeviceStatus(rawValue: 4)
    /// FEATURES_OK: the features are settled.
    public static let featuresOK = DeviceStatus(rawValue: 8)
    /// DEVICE_NEEDS_RESET: the device has met an error that it cannot get over.
    public static let deviceNeedsReset = DeviceStatus(rawValue: 64)
    /// FAILED: the driver has given up.
    public static let failed = DeviceStatus(rawValue: 128)

    /// Those that a driver sets.
    static let fromDriver: DeviceStatus = [.acknowledge, .driver, .driverOK, .featuresOK, .failed]
}

/// Why a device interrupts (virtio 1.2, section 4.2.2, InterruptStatus).
public struct InterruptReasons: OptionSet, Equatable, Sendable {
    /// The bits.
    public let rawValue: UInt32

    /// A set with these bits.
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// It has used a buffer of one of its queues.
    public static let usedBuffer = InterruptReasons(rawValue: 1)
    /// Its configuration has changed, or it needs a reset.
    public static let configurationChange = InterruptReasons(rawValue: 2)
    /// All there are.
    static let all: InterruptReasons = [.usedBuffer, .configurationChange]
}
