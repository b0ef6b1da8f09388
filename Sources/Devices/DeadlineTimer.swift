/// An alarm clock that the host lends a device which must interrupt at a certain time.
public protocol DeadlineTimer: AnyObject {
    /// Replaces what was set before.
    ///
    /// At the deadline, or soon after, the host calls the device's `deadlineReached`, from outside of any access. The
    /// deadline is spent then.
    /// - Parameter deadline: by the device's `Clock`, in nanoseconds; in the past means at once; nil means never.
    func set(deadline: UInt64?)
}
