internal import Devices
internal import Host

/// An alarm clock that the event loop lends a device: the loop's thread enters the device when the deadline has come.
final class BoardTimer: DeadlineTimer, @unchecked Sendable {
    // Unchecked: `onDeadline` is set before any CPU runs, `timer` is armed from any thread.
    private let clock: any Clock
    private let timer: EventTimer
    private let target = Target()

    /// What the loop calls, apart from the timer, which cannot be caught in its own handler.
    private final class Target {
        var onDeadline: () -> Void = {}
    }

    /// - Parameters:
    ///   - loop: outlives the timer.
    ///   - clock: the device's.
    init(loop: EventLoop, clock: any Clock) throws(HostError) {
        self.clock = clock
        timer = try EventTimer(loop: loop) { [target] in target.onDeadline() }
    }

    /// Leads it to its device. The device keeps the timer, so the timer lets go of the device in `cancel`.
    func connect(_ slot: BusSlot, _ deadlineReached: @escaping () -> Void) {
        target.onDeadline = { slot.withLock { deadlineReached() } }
    }

    func set(deadline: UInt64?) {
        guard let deadline else { return timer.disarm() }
        let now = clock.nanoseconds
        timer.arm(after: deadline > now ? deadline - now : 0)
    }

    /// Leaves the loop: on its thread, or when it does not run.
    func cancel() {
        timer.cancel()
        target.onDeadline = {}
    }
}
