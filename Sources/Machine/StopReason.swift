public import KVM

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

/// How a guest died.
public struct Crash: Equatable, Sendable {
    /// What happened to it.
    public enum Cause: Equatable, Sendable {
        /// KVM_EXIT_SHUTDOWN: a triple fault, as a rule.
        case shutdown
        /// KVM_EXIT_INTERNAL_ERROR.
        case internalError(InternalError)
        /// KVM_EXIT_FAIL_ENTRY.
        case failedEntry(hardwareReason: UInt64)
        /// An exit that this board has no answer to.
        case unhandledExit(String)
        /// KVM_RUN itself failed.
        case runFailed(KVMError)
        /// The kernel said on its console that it panicked; its words.
        case panic(message: String)
    }

    /// What happened.
    public let cause: Cause
    /// The vCPU it happened on.
    public let vcpu: Int

    /// - Parameters:
    ///   - cause: what happened.
    ///   - vcpu: the vCPU it happened on.
    public init(_ cause: Cause, vcpu: Int) {
        self.cause = cause
        self.vcpu = vcpu
    }
}
