internal import CHost
public import Devices
internal import Glibc

/// The host's clocks: CLOCK_MONOTONIC for the length of time, CLOCK_REALTIME for the date.
public final class MonotonicClock: Clock, Sendable {
    /// The clocks have no state of their own.
    public init() {}

    /// Nanoseconds since some point before the monitor's start; never goes back, and stands while the host sleeps.
    public var nanoseconds: UInt64 {
        let time = MonotonicClock.read(CLOCK_MONOTONIC)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    /// Seconds since 1970-01-01 00:00:00 UTC; 0 if the host's clock is set before that.
    public var secondsSince1970: UInt64 { UInt64(clamping: MonotonicClock.read(CLOCK_REALTIME).tv_sec) }

    private static func read(_ clock: clockid_t) -> timespec {
        var time = timespec()
        // Fails only for clocks that the kernel does not know; every Linux knows these two.
        _ = clock_gettime(clock, &time)
        return time
    }
}
