public import KVM

/// How a guest died.
public struct Crash: Equatable, Sendable {
    /// What happened to it.
    public enum Cause: Equatable, Sendable {
        /// KVM_EXIT_SHUTDOWN: as a rule a triple fault, an exception that could not be delivered, nor the double fault
        /// that followed (Intel SDM volume 3, section 6.15, "Interrupt 8").
        case shutdown
        /// KVM_EXIT_INTERNAL_ERROR.
        case internalError(InternalError)
        /// KVM_EXIT_FAIL_ENTRY: the hardware refused the guest's state.
        case failedEntry(hardwareReason: UInt64)
        /// An exit that this board has no answer to, in words.
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

extension Crash.Cause {
    /// What an exit is that a guest cannot be taken back into.
    public init(_ exit: borrowing VMExit) {
        self =
            switch exit {
            case .shutdown: .shutdown
            case .internalError(let error): .internalError(error)
            case .failedEntry(let reason, _): .failedEntry(hardwareReason: reason)
            case .unknown(let reason):
                .unhandledExit("hardware exit reason \(reason), which KVM does not know")
            case .exception(let vector, let errorCode):
                .unhandledExit("exception \(vector), error code \(errorCode)")
            case .memoryFault(let address, let size, _):
                .unhandledExit("no host memory behind \(size) bytes at guest address 0x\(String(address, radix: 16))")
            case .other(let reason): .unhandledExit("KVM exit reason \(reason), which minikvm does not know")
            case .notify: .unhandledExit("the guest kept its CPU from any exit for too long")
            case .debug(let exit):
                .unhandledExit(
                    "a debug exception at 0x\(String(exit.instructionPointer, radix: 16)), though nobody debugs the guest"
                )
            default: .unhandledExit(exit.kernelName)
            }
    }
}
