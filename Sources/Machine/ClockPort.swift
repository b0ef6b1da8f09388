internal import Devices

/// The board's real-time clock as the monitor sees it, from any thread.
final class ClockPort: @unchecked Sendable {
    // Unchecked: the device is only touched under its slot's lock.
    private let device: RTC
    private let slot: BusSlot

    init(_ device: RTC, slot: BusSlot) {
        self.device = device
        self.slot = slot
    }

    /// What its battery keeps during a reset of the board.
    var battery: RTC.State {
        var state = slot.withLock { device.state }
        state.reset()
        return state
    }
}
