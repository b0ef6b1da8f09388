internal import CHost
internal import Glibc

/// A timer of an event loop (timerfd_create(2), CLOCK_MONOTONIC).
///
/// It is made and cancelled on the loop's thread, or before the loop runs; arming and disarming work from any
/// thread.
public final class EventTimer: @unchecked Sendable {
    // Unchecked: `source` belongs to the loop's thread, the rest is constant.
    private let timer: OwnedDescriptor
    private unowned let loop: EventLoop
    private var source: EventLoop.Source?

    /// - Parameters:
    ///   - loop: outlives the timer.
    ///   - handler: called on the loop's thread at each expiry; expiries that were missed count as one.
    public init(loop: EventLoop, handler: @escaping () -> Void) throws(HostError) {
        let number = timerfd_create(CLOCK_MONOTONIC, Int32(TFD_CLOEXEC) | Int32(TFD_NONBLOCK))
        guard number >= 0 else { throw HostError("create", "a timer", errno: errno) }
        timer = OwnedDescriptor(owning: number)
        self.loop = loop
        source = try loop.add(number, .readable) { _ in
            var expiries: UInt64 = 0
            // Disarmed or armed anew since the event: then there is nothing to read, and nothing is due.
            guard read(number, &expiries, MemoryLayout<UInt64>.size) == MemoryLayout<UInt64>.size else { return }
            handler()
        }
    }

    /// Starts the timer anew.
    /// - Parameters:
    ///   - nanoseconds: from now to the first expiry; 0 means at once.
    ///   - period: nanoseconds from then on between expiries; 0 for a single one.
    public func arm(after nanoseconds: UInt64, every period: UInt64 = 0) {
        set(first: max(nanoseconds, 1), period: period)
    }

    /// Stops the timer; an expiry that has not been handled yet is forgotten.
    public func disarm() {
        set(first: 0, period: 0)
    }

    /// Takes the timer out of its loop, which frees the handler. Without this call the loop keeps the handler.
    public func cancel() {
        if let source { loop.remove(source) }
        source = nil
    }

    private func set(first: UInt64, period: UInt64) {
        var times = itimerspec()
        times.it_value = timespec(nanoseconds: first)
        times.it_interval = timespec(nanoseconds: period)
        // Cannot fail: the descriptor is a timer, and both times are in range.
        _ = timerfd_settime(timer.rawValue, 0, &times, nil)
    }
}

extension timespec {
    /// A length of time.
    init(nanoseconds: UInt64) {
        self.init(tv_sec: Int(nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
    }
}
