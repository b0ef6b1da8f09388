public import CKVM
internal import Glibc

/// What a vCPU is waiting for (KVM_GET_MP_STATE).
public enum MultiprocessingState: UInt32, Sendable, CaseIterable {
    /// It runs.
    case runnable = 0
    /// An application processor that has had no INIT yet.
    case uninitialized = 1
    /// It had INIT and waits for a SIPI.
    case initReceived = 2
    /// It executed HLT and waits for an interrupt.
    case halted = 3
    /// It has just had its SIPI.
    case sipiReceived = 4
}

/// A linear address as KVM translates it (KVM_TRANSLATE).
public struct Translation: Equatable, Sendable {
    /// Guest-physical address, or nil when no page maps the linear one.
    public let physicalAddress: UInt64?
}

/// What KVM_SET_GUEST_DEBUG makes the vCPU exit for.
public struct GuestDebugOptions: OptionSet, Sendable {
    public let rawValue: UInt32
    /// - Parameter rawValue: KVM_GUESTDBG_ bits.
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    /// Debugging is on at all.
    public static let enable = GuestDebugOptions(rawValue: 1 << 0)
    /// ``VMExit/debug(_:)`` after each instruction.
    public static let singleStep = GuestDebugOptions(rawValue: 1 << 1)
    /// INT3 (0xCC) exits instead of raising #BP in the guest.
    public static let softwareBreakpoints = GuestDebugOptions(rawValue: 1 << 16)
    /// The debug registers given here are in force instead of the guest's.
    public static let hardwareBreakpoints = GuestDebugOptions(rawValue: 1 << 17)
    /// No interrupts while stepping (KVM_GUESTDBG_BLOCKIRQ).
    public static let blockInterrupts = GuestDebugOptions(rawValue: 1 << 20)
}

extension VirtualCPU {
    /// KVM_GET_REGS.
    public borrowing func registers() throws(KVMError) -> GeneralRegisters {
        try descriptor.get(.getRegisters, kvm_regs())
    }

    /// KVM_SET_REGS.
    public borrowing func setRegisters(_ registers: GeneralRegisters) throws(KVMError) {
        try descriptor.set(.setRegisters, registers)
    }

    /// KVM_GET_SREGS.
    public borrowing func specialRegisters() throws(KVMError) -> SpecialRegisters {
        try descriptor.get(.getSpecialRegisters, kvm_sregs())
    }

    /// KVM_SET_SREGS.
    public borrowing func setSpecialRegisters(_ registers: SpecialRegisters) throws(KVMError) {
        try descriptor.set(
            .setSpecialRegisters, registers, hint: "the combination of CR0, CR4, EFER and segments is not valid here")
    }

    /// KVM_GET_SREGS2.
    public borrowing func specialRegisters2() throws(KVMError) -> SpecialRegisters2 {
        try descriptor.get(.getSpecialRegisters2, kvm_sregs2())
    }

    /// KVM_SET_SREGS2.
    public borrowing func setSpecialRegisters2(_ registers: SpecialRegisters2) throws(KVMError) {
        try descriptor.set(.setSpecialRegisters2, registers)
    }

    /// KVM_GET_FPU.
    public borrowing func fpu() throws(KVMError) -> FPUState { try descriptor.get(.getFPU, kvm_fpu()) }

    /// KVM_SET_FPU.
    public borrowing func setFPU(_ state: FPUState) throws(KVMError) { try descriptor.set(.setFPU, state) }

    /// KVM_GET_XSAVE2, or KVM_GET_XSAVE where `size` is 4096: the XSAVE area.
    /// - Parameter size: bytes, as `VirtualMachine.check(.xsave2)` gives them; at least 4096.
    public borrowing func xsave(size: Int = 4096) throws(KVMError) -> [UInt8] {
        var area = [UInt8](repeating: 0, count: max(size, 4096))
        let request = area.count > 4096 ? Request.getXSAVE2 : Request.getXSAVE
        let result = area.withUnsafeMutableBytes {
            ckvm_call_with(descriptor.number, request.number, $0.baseAddress)
        }
        guard result >= 0 else { throw request.error(result) }
        return area
    }

    /// KVM_SET_XSAVE.
    /// - Parameter area: as `xsave(size:)` gave it, at least 4096 bytes.
    public borrowing func setXSAVE(_ area: [UInt8]) throws(KVMError) {
        guard area.count >= 4096 else {
            throw KVMError(operation: "KVM_SET_XSAVE", errno: EINVAL, hint: "the area has fewer than 4096 bytes")
        }
        var copy = area
        let result = copy.withUnsafeMutableBytes {
            ckvm_call_with(descriptor.number, Request.setXSAVE.number, $0.baseAddress)
        }
        guard result >= 0 else { throw Request.setXSAVE.error(result) }
    }

    /// KVM_GET_XCRS.
    public borrowing func extendedControlRegisters() throws(KVMError) -> ExtendedControlRegisters {
        try descriptor.get(.getXCRs, kvm_xcrs())
    }

    /// KVM_SET_XCRS.
    public borrowing func setExtendedControlRegisters(_ state: ExtendedControlRegisters) throws(KVMError) {
        try descriptor.set(.setXCRs, state)
    }

    /// KVM_GET_MSRS.
    /// - Returns: the values, in order; it ends before the first MSR that KVM cannot read.
    public borrowing func msrs(_ indices: [UInt32]) throws(KVMError) -> [MSREntry] {
        let table = MSRTable(indices.map { MSREntry(index: $0, value: 0) })
        return table.first(Int(try descriptor.call(.getMSRs, at: table.pointer)))
    }

    /// KVM_SET_MSRS: all of them, or an error that names the first one that KVM refuses.
    public borrowing func setMSRs(_ entries: [MSREntry]) throws(KVMError) {
        let table = MSRTable(entries)
        let count = Int(try descriptor.call(.setMSRs, at: table.pointer))
        guard count == entries.count else {
            throw KVMError(
                operation: "KVM_SET_MSRS", errno: EINVAL,
                hint: "KVM refuses MSR 0x\(String(entries[count].index, radix: 16))")
        }
    }

    /// KVM_SET_CPUID2: what the CPUID instruction answers; before the first `run`.
    public borrowing func setCPUID(_ entries: [CPUIDEntry]) throws(KVMError) {
        try descriptor.call(.setCPUID2, at: CPUIDTable(entries).pointer)
    }

    /// KVM_GET_CPUID2.
    public borrowing func cpuid() throws(KVMError) -> [CPUIDEntry] {
        let table = CPUIDTable(room: 256)
        try descriptor.call(.getCPUID2, at: table.pointer)
        return table.entries
    }

    /// KVM_GET_LAPIC.
    public borrowing func localAPIC() throws(KVMError) -> LocalAPICState {
        try descriptor.get(.getLAPIC, kvm_lapic_state())
    }

    /// KVM_SET_LAPIC.
    public borrowing func setLocalAPIC(_ state: LocalAPICState) throws(KVMError) {
        try descriptor.set(.setLAPIC, state)
    }

    /// KVM_GET_MP_STATE.
    public borrowing func multiprocessingState() throws(KVMError) -> MultiprocessingState {
        let state = try descriptor.get(.getMPState, kvm_mp_state())
        return MultiprocessingState(rawValue: state.mp_state) ?? .runnable
    }

    /// KVM_SET_MP_STATE.
    public borrowing func setMultiprocessingState(_ state: MultiprocessingState) throws(KVMError) {
        try descriptor.set(.setMPState, kvm_mp_state(mp_state: state.rawValue))
    }

    /// KVM_GET_VCPU_EVENTS.
    public borrowing func events() throws(KVMError) -> VCPUEvents {
        try descriptor.get(.getVCPUEvents, kvm_vcpu_events())
    }

    /// KVM_SET_VCPU_EVENTS.
    public borrowing func setEvents(_ events: VCPUEvents) throws(KVMError) {
        try descriptor.set(.setVCPUEvents, events)
    }

    /// KVM_GET_DEBUGREGS.
    public borrowing func debugRegisters() throws(KVMError) -> DebugRegisters {
        try descriptor.get(.getDebugRegisters, kvm_debugregs())
    }

    /// KVM_SET_DEBUGREGS.
    public borrowing func setDebugRegisters(_ registers: DebugRegisters) throws(KVMError) {
        try descriptor.set(.setDebugRegisters, registers)
    }

    /// KVM_SET_GUEST_DEBUG.
    /// - Parameters:
    ///   - options: what to exit for; empty switches debugging off.
    ///   - debugRegisters: DR0 to DR3 and DR7 for hardware breakpoints.
    public borrowing func setGuestDebug(
        _ options: GuestDebugOptions, debugRegisters: [UInt64] = []
    ) throws(KVMError) {
        var debug = kvm_guest_debug()
        debug.control = options.rawValue
        withUnsafeMutableBytes(of: &debug.arch.debugreg) { bytes in
            let slots = bytes.bindMemory(to: UInt64.self)
            for (slot, value) in zip(slots.indices, debugRegisters) { slots[slot] = value }
        }
        try descriptor.set(.setGuestDebug, debug)
    }

    /// KVM_TRANSLATE: what the guest's page tables make of a linear address.
    public borrowing func translate(linearAddress: UInt64) throws(KVMError) -> Translation {
        var request = kvm_translation()
        request.linear_address = linearAddress
        try descriptor.call(.translate, with: &request)
        return Translation(physicalAddress: request.valid != 0 ? request.physical_address : nil)
    }

    /// KVM_INTERRUPT: queues an external interrupt's vector, where no interrupt chip is in the kernel.
    public borrowing func interrupt(vector: UInt8) throws(KVMError) {
        try descriptor.set(.interrupt, kvm_interrupt(irq: UInt32(vector)))
    }

    /// KVM_NMI.
    public borrowing func injectNMI() throws(KVMError) { try descriptor.call(.nmi) }

    /// KVM_GET_TSC_KHZ: the rate of this vCPU's time-stamp counter.
    public borrowing func tscKHz() throws(KVMError) -> UInt32 { UInt32(try descriptor.call(.getTSCKHz)) }

    /// KVM_SET_TSC_KHZ.
    public borrowing func setTSCKHz(_ rate: UInt32) throws(KVMError) {
        try descriptor.call(.setTSCKHz, UInt(rate))
    }

    /// KVM_KVMCLOCK_CTRL: tells the guest's watchdogs that the machine was paused.
    public borrowing func notePause() throws(KVMError) { try descriptor.call(.kvmClockControl) }

    /// KVM_SET_SIGNAL_MASK: the signals blocked while in KVM_RUN; nil leaves the thread's own mask in force.
    /// - Parameter mask: one bit a signal, signal 1 in bit 0.
    public borrowing func setSignalMask(_ mask: UInt64?) throws(KVMError) {
        guard let mask else {
            let result = ckvm_call_with(descriptor.number, Request.setSignalMask.number, nil)
            guard result >= 0 else { throw Request.setSignalMask.error(result) }
            return
        }
        // struct kvm_signal_mask: a 32-bit length, then the kernel's 8-byte sigset_t.
        let layout: [UInt32] = [8, UInt32(truncatingIfNeeded: mask), UInt32(truncatingIfNeeded: mask >> 32)]
        var copy = layout
        let result = copy.withUnsafeMutableBytes {
            ckvm_call_with(descriptor.number, Request.setSignalMask.number, $0.baseAddress)
        }
        guard result >= 0 else { throw Request.setSignalMask.error(result) }
    }
}
