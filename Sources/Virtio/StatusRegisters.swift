internal import Devices

/// What a driver sees of a device besides its queues and configuration: the device status and why it interrupts.
///
/// The transport, which has the registers, and the queues, which find a driver's errors, share one of these.
final class StatusRegisters {
    /// The device status field.
    var status: DeviceStatus = []
    private(set) var interrupts: InterruptReasons = []
    private let line: any InterruptLine

    init(line: any InterruptLine) { self.line = line }

    /// Whether the device works: the driver is ready, and neither has failed.
    var isRunning: Bool {
        status.contains(.driverOK) && status.isDisjoint(with: [.deviceNeedsReset, .failed])
    }

    /// Interrupts the driver for a reason; the line stays up until the driver acknowledges all reasons.
    func interrupt(_ reason: InterruptReasons) {
        let wasQuiet = interrupts.isEmpty
        interrupts.insert(reason)
        if wasQuiet { line.raise() }
    }

    /// The driver has taken note of reasons.
    func acknowledge(_ reasons: InterruptReasons) {
        guard !interrupts.isEmpty else { return }
        interrupts.subtract(reasons)
        if interrupts.isEmpty { line.lower() }
    }

    /// The driver has broken a rule on which the device's memory accesses depend: it works no more until it is reset
    /// (section 2.1.2, "Device Requirements: Device Status Field").
    func fail() {
        guard !status.contains(.deviceNeedsReset) else { return }
        status.insert(.deviceNeedsReset)
        if status.contains(.driverOK) { interrupt(.configurationChange) }
    }

    /// As after power-on.
    func reset() {
        status = []
        acknowledge(.all)
    }
}
