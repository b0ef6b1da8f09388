public import Devices

/// An interrupt line that is raised only when it is low, and lowered only when it is raised.
public final class CheckedLine: InterruptLine {
    /// Whether it is high.
    public private(set) var isRaised = false

    /// A line that is low.
    public init() {}

    /// Sets the level high.
    public func raise() {
        check(!isRaised, "the line is raised only when it is low")
        isRaised = true
    }

    /// Sets the level low.
    public func lower() {
        check(isRaised, "the line is lowered only when it is raised")
        isRaised = false
    }
}
