public import KVM

/// Why a guest could not go on.
public enum CrashReason: Equatable, Sendable {
    /// KVM_EXIT_SHUTDOWN: as a rule a triple fault, an exception that could not be delivered, nor the double fault
    /// that followed (Intel SDM volume 3, section 6.15, "Interrupt 8").
    case shutdown
    /// KVM_EXIT_INTERNAL_ERROR: the suberror, KVM's data and, where it tells, the instruction's bytes.
    case internalError(suberror: UInt32, data: [UInt64], instructionBytes: [UInt8])
    /// KVM_EXIT_FAIL_ENTRY: the hardware refused the guest's state.
    case failedEntry(hardwareReason: UInt64)
    /// An exit that the machine does not know how to handle, in words.
    case unhandledExit(String)
    /// KVM_RUN itself failed.
    case runFailed(KVMError)
    /// The guest's kernel said on its console that it gave up, or told a panic device.
    case guestPanic

    /// The reason that an exit of a vCPU is, or nil when the exit is none.
    public init?(_ exit: borrowing VMExit) {
        switch exit {
        case .shutdown: self = .shutdown
        case .internalError(let error):
            self = .internalError(
                suberror: error.suberror, data: error.data, instructionBytes: error.instructionBytes)
        case .failedEntry(let reason, _): self = .failedEntry(hardwareReason: reason)
        case .unknown(let reason): self = .unhandledExit("hardware exit reason \(reason.hex()), unknown to KVM")
        case .exception(let vector, let errorCode):
            self = .unhandledExit(
                "exception \(ExceptionName.of(UInt8(truncatingIfNeeded: vector))), error code \(errorCode.hex())")
        case .memoryFault(let address, let size, _):
            self = .unhandledExit("no host memory behind \(size) bytes at guest address \(address.hex())")
        case .other(let reason): self = .unhandledExit("KVM exit reason \(reason), unknown to this program")
        case .notify: self = .unhandledExit("the guest kept the CPU from any exit for too long")
        case .trustDomain(let number): self = .unhandledExit("confidential-guest call \(number.hex())")
        default: return nil
        }
    }

    /// The reason as a heading.
    var heading: String {
        switch self {
        case .shutdown: "shutdown (triple fault)"
        case .internalError(let suberror, _, _): "KVM internal error, suberror \(suberror)"
        case .failedEntry(let reason): "failed entry, hardware reason \(reason.hex())"
        case .unhandledExit(let what): "unhandled exit: \(what)"
        case .runFailed(let error): error.description
        case .guestPanic: "the guest's kernel gave up"
        }
    }
}
