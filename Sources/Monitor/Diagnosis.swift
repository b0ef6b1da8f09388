public import GuestMemory
public import Machine
internal import CKVM
internal import KVM

/// One sentence that says what probably happened to a guest that died, and what to do about it.
///
/// The rules know the classic deaths of first kernels. They are tried from the most certain to the least; each looks
/// only at the registers, the guest's memory and the last exits, so that a report can be made anywhere.
public struct Diagnosis: Equatable, Sendable {
    /// The kinds of death that are told apart.
    public enum Cause: String, Sendable, CaseIterable {
        case stateLost, paging32Unsupported
        case pagingWithoutProtection, longModeWithoutPAE, longModeNotEnabled, efersLockedByPaging
        case pageTablesOutsideMemory, codeNotMapped, reservedBits, codeNotExecutable, supervisorPage
        case codeOutsideMemory, codeNotCanonical, codeBeyondLimit, selectorUnusable, zeroedMemory, erasedMemory
        case stackWrapped, stackOutsideMemory, noKernelStack
        case noIDT, idtOutsideMemory, gateUnusable, handlerUnreachable
        case cannotEmulate, deliveryFailed, invalidEntryState, runFailed
        case unhandledExit, guestPanic, unknown
    }

    /// Which kind.
    public let cause: Cause
    /// What probably happened.
    public let sentence: String
    /// What to do, where there is something to do.
    public let advice: String?

    init(_ cause: Cause, _ sentence: String, advice: String? = nil) {
        self.cause = cause
        self.sentence = sentence
        self.advice = advice
    }

    /// - Parameters:
    ///   - reason: why the guest could not go on.
    ///   - vcpu: the registers of the vCPU that could not.
    ///   - memory: the guest's memory.
    ///   - host: whose KVM it is, as each leaves other registers behind.
    ///   - exits: the vCPU's last exits, oldest first.
    public init(
        reason: Crash.Cause, vcpu: VCPUSnapshot, memory: GuestMemory, host: HostKVM = .unknown,
        exits: [ExitRecord] = []
    ) {
        let evidence = Evidence(
            reason: reason, vcpu: vcpu, memory: memory, host: host, exits: exits)
        self = evidence.diagnosis
    }
}

/// All that the rules look at.
struct Evidence {
    let reason: Crash.Cause
    let vcpu: VCPUSnapshot
    let memory: GuestMemory
    let host: HostKVM
    let exits: [ExitRecord]
    /// The registers are those that the instruction at RIP would leave, switching paging on.
    var switchesPagingOn = false

    var special: SpecialRegisters { vcpu.special }
    var mode: ProcessorMode { vcpu.mode }
    var linear: LinearMemory { LinearMemory(special: special, memory: memory) }
    var address: UInt64 { vcpu.instructionAddress }
    /// RIP's linear address in words.
    var place: String { address.hex(8) }
    var code: [UInt8] { linear.bytes(address, count: 16) }
    var instruction: Instruction? { Instruction(code, bits: mode.operandBits) }
    var isPaging: Bool { special.controlRegister0.contains([.pe, .pg]) }

    func walk(_ address: UInt64, mode: PagingMode? = nil) -> PageWalk {
        PageWalk(linearAddress: address, special: special, memory: memory, mode: mode)
    }

    var diagnosis: Diagnosis {
        switch reason {
        case .shutdown:
            return stateLost ?? pagingSwitch ?? codePlace ?? selector ?? codeContent ?? exception ?? unknownShutdown
        case .internalError(let error):
            return internalError(error)
        case .failedEntry(let hardwareReason):
            return failedEntry(hardwareReason)
        case .panic(let message):
            return guestPanic(message)
        case .runFailed(let error):
            return codePlace ?? Diagnosis(.runFailed, "KVM refused to run the guest: \(error.description).")
        case .unhandledExit(let what):
            return codePlace
                ?? Diagnosis(.unhandledExit, "The guest left for a reason that the machine does not handle: \(what).")
        }
    }

    /// AMD's KVM resets the vCPU at a triple fault, because the hardware leaves its state undefined.
    private var stateLost: Diagnosis? {
        let isReset =
            vcpu.registers.rip == 0xFFF0 && special.cs.base == 0xFFFF_0000 && special.cr3 == 0 && special.cr4 == 0
            && special.efer == 0 && special.gdt.base == 0 && special.idt.limit == 0xFFFF
        guard isReset, !exits.isEmpty || host == .amd else { return nil }
        let last = exits.last { $0.kind != .shutdown && $0.instructionPointer != nil }
        let place = last?.instructionPointer.map { ", some time after RIP \($0.hex(8)), its last exit before" } ?? ""
        return Diagnosis(
            .stateLost,
            "The guest took an exception that it could not handle, nor the double fault that followed (a triple "
                + "fault)\(place); the registers below are those of a reset CPU, as AMD's KVM resets it.",
            advice:
                "`--trace` shows the way up to it; a kernel that loads an IDT early can name the exception; one that "
                + "restarts the machine so wants `--triple-fault reboot`.")
    }

    private var unknownShutdown: Diagnosis {
        let what = instruction.map { " (`\($0.name)`)" } ?? ""
        return Diagnosis(
            .unknown,
            "The guest shut down at \(place)\(what): an exception could not be delivered, nor the double fault that "
                + "followed (a triple fault).",
            advice:
                "look at the IDT's gates 8, 13 and 14, and at the stack that their handlers get; a guest that restarts "
                + "the machine so wants `--triple-fault reboot`.")
    }
}
