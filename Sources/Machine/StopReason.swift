/// Why a machine ended. The monitor's exit status follows from it.
public enum StopReason: Equatable, Sendable {
    /// Every CPU executed HLT with nothing that could wake it.
    case halted
    /// The guest switched the machine off.
    case poweredOff
    /// The guest asked for a reset.
    case reset
    /// The guest wrote this status to the debug-exit port.
    case guestExit(status: UInt8)
    /// Somebody outside ended it: Ctrl-A x, a signal, a program.
    case stopped
    /// The guest died.
    case crashed(Crash)
}
