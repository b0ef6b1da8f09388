public import CKVM
public import KVM

/// The registers of one vCPU that has stopped.
public struct VCPUSnapshot: Sendable {
    /// The vCPU's number.
    public var identifier: UInt32
    /// RAX to R15, RIP and RFLAGS.
    public var registers: GeneralRegisters
    /// Segments, tables, control registers, EFER.
    public var special: SpecialRegisters
    /// DR0 to DR7; nil where KVM does not tell.
    public var debug: DebugRegisters?
    /// Exceptions and interrupts on their way; nil where KVM does not tell.
    public var events: VCPUEvents?
    /// What the vCPU waits for; nil where KVM does not tell.
    public var state: MultiprocessingState?

    /// Takes the registers of a vCPU, on the thread that owns it, while it is not running.
    public init(_ vcpu: borrowing VirtualCPU) throws(KVMError) {
        identifier = vcpu.identifier
        registers = try vcpu.registers()
        special = try vcpu.specialRegisters()
        debug = try? vcpu.debugRegisters()
        events = try? vcpu.events()
        state = try? vcpu.multiprocessingState()
    }

    /// - Parameters:
    ///   - identifier: the vCPU's number.
    ///   - registers: RAX to R15, RIP and RFLAGS.
    ///   - special: segments, tables, control registers, EFER.
    public init(identifier: UInt32, registers: GeneralRegisters, special: SpecialRegisters) {
        self.identifier = identifier
        self.registers = registers
        self.special = special
    }

    /// What the processor makes of addresses and instructions.
    public var mode: ProcessorMode { ProcessorMode(special: special, rflags: registers.rflags) }

    /// The linear address of the instruction at RIP (Intel SDM volume 3, section 3.4).
    public var instructionAddress: UInt64 { linearAddress(special.cs, registers.rip) }

    /// The linear address of the top of the stack.
    public var stackAddress: UInt64 { linearAddress(special.ss, stackPointer) }

    /// RSP as far as the stack's width counts.
    var stackPointer: UInt64 {
        if mode == .long { return registers.rsp }
        return registers.rsp & (special.ss.db != 0 && mode.isProtected ? 0xFFFF_FFFF : 0xFFFF)
    }

    /// The current privilege level: the stack segment's DPL.
    var privilegeLevel: UInt8 {
        switch mode {
        case .real: 0
        case .virtual8086: 3
        default: special.ss.dpl & 3
        }
    }

    private func linearAddress(_ segment: SegmentRegister, _ offset: UInt64) -> UInt64 {
        mode == .long ? offset : (segment.base &+ offset) & 0xFFFF_FFFF
    }

    /// A general register by the number that instructions use (Intel SDM volume 2, table 2-2, with REX).
    func register(_ number: Int) -> UInt64 {
        let r = registers
        let all = [
            r.rax, r.rcx, r.rdx, r.rbx, r.rsp, r.rbp, r.rsi, r.rdi, r.r8, r.r9, r.r10, r.r11, r.r12, r.r13, r.r14,
            r.r15,
        ]
        return all[number & 15]
    }

    /// The exception that was being delivered, or waits to be, when the vCPU stopped.
    var pendingException: UInt8? {
        guard let exception = events?.exception, exception.injected != 0 || exception.pending != 0 else { return nil }
        return exception.nr
    }
}
