/// Why a machine ended. The monitor's exit status follows from it.
public enum StopReason: Equatable, Sendable {
    /// Every CPU executed HLT with nothing that could wake it.
    case halted
    /// The guest switched the machine off.
    case poweredOff
    /// The guest reset the machine.
    case reset
    /// The guest reset the processors alone: on a PC, memory keeps what is in it.
    case processorReset
    /// The guest wrote this status to the debug-exit port.
    case guestExit(status: UInt8)
    /// Somebody outside ended it: Ctrl-A x, a signal, a program.
    case stopped
    /// The guest died.
    case crashed(Crash)

    /// Whether the machine starts again.
    public var isReset: Bool { self == .reset || self == .processorReset }
}
