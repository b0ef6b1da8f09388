public import CKVM
internal import Glibc

/// What a vCPU is waiting for (KVM_GET_MP_STATE; section 4.38).
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
    /// A confidential guest's application processor holds in reset (KVM_MP_STATE_AP_RESET_HOLD).
    case resetHold = 9
}

/// A linear address as KVM translates it (KVM_TRANSLATE; section 4.15).
public struct Translation: Equatable, Sendable {
    /// Guest-physical address, or nil when no page maps the linear one.
    public let physicalAddress: UInt64?
    /// - Parameter physicalAddress: nil when no page maps the linear one.
    public init(physicalAddress: UInt64?) { self.physicalAddress = physicalAddress }
}

/// What KVM_SET_GUEST_DEBUG makes the vCPU exit for (section 4.87).
public struct GuestDebugOptions: OptionSet, Sendable {
    /// The bits as KVM defines them.
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
    /// Raises #DB in the guest at the next `run` (KVM_GUESTDBG_INJECT_DB).
    public static let injectDebugException = GuestDebugOptions(rawValue: 1 << 18)
    /// Raises #BP in the guest at the next `run` (KVM_GUESTDBG_INJECT_BP).
    public static let injectBreakpointException = GuestDebugOptions(rawValue: 1 << 19)
    /// No interrupts while stepping (KVM_GUESTDBG_BLOCKIRQ).
    public static let blockInterrupts = GuestDebugOptions(rawValue: 1 << 20)
}

extension VirtualCPU {
    /// KVM_GET_REGS (section 4.11).
    public borrowing func registers() throws(KVMError) -> GeneralRegisters {
        try descriptor.get(.getRegisters, kvm_regs())
    }

    /// KVM_SET_REGS (section 4.12).
    public borrowing func setRegisters(_ registers: GeneralRegisters) throws(KVMError) {
        try descriptor.set(.setRegisters, registers)
    }

    /// KVM_GET_SREGS (section 4.13).
    public borrowing func specialRegisters() throws(KVMError) -> SpecialRegisters {
        try descriptor.get(.getSpecialRegisters, kvm_sregs())
    }

    /// KVM_SET_SREGS (section 4.14).
    public borrowing func setSpecialRegisters(_ registers: SpecialRegisters) throws(KVMError) {
        try descriptor.set(
            .setSpecialRegisters, registers, hint: "the combination of CR0, CR4, EFER and segments is not valid here")
    }

    /// KVM_GET_SREGS2 (section 4.131).
    public borrowing func specialRegisters2() throws(KVMError) -> SpecialRegisters2 {
        try descriptor.get(.getSpecialRegisters2, kvm_sregs2())
    }

    /// KVM_SET_SREGS2 (section 4.132).
    public borrowing func setSpecialRegisters2(_ registers: SpecialRegisters2) throws(KVMError) {
        try descriptor.set(
            .setSpecialRegisters2, registers, hint: "the combination of CR0, CR4, EFER and segments is not valid here")
    }

    /// KVM_GET_FPU (section 4.22).
    public borrowing func fpu() throws(KVMError) -> FPUState { try descriptor.get(.getFPU, kvm_fpu()) }

    /// KVM_SET_FPU (section 4.23).
    public borrowing func setFPU(_ state: FPUState) throws(KVMError) { try descriptor.set(.setFPU, state) }

    /// KVM_GET_XSAVE2 (section 4.134), or KVM_GET_XSAVE (section 4.42) where 4096 bytes are enough: the XSAVE area.
    /// - Parameter size: the least number of bytes wanted. What KVM gives, `VirtualMachine.check(.xsave2)` bytes and
    ///   never less than 4096, is given in any case.
    public borrowing func xsave(size: Int = 4096) throws(KVMError) -> [UInt8] {
        var area = [UInt8](repeating: 0, count: max(size, xsaveSize))
        let request = xsaveSize > 4096 ? Request.getXSAVE2 : Request.getXSAVE
        let result = area.withUnsafeMutableBytes {
            ckvm_call_with(descriptor.number, request.number, $0.baseAddress)
        }
        guard result >= 0 else { throw request.error(result) }
        return area
    }

    /// KVM_SET_XSAVE (section 4.43).
    /// - Parameter area: as `xsave(size:)` gave it, and as long.
    public borrowing func setXSAVE(_ area: [UInt8]) throws(KVMError) {
        guard area.count >= xsaveSize else {
            throw KVMError(
                operation: "KVM_SET_XSAVE", errno: EINVAL,
                hint: "the area has \(area.count) bytes; KVM reads \(xsaveSize)")
        }
        var copy = area
        let result = copy.withUnsafeMutableBytes {
            ckvm_call_with(descriptor.number, Request.setXSAVE.number, $0.baseAddress)
        }
        guard result >= 0 else {
            throw Request.setXSAVE.error(result, hint: "the header or MXCSR has bits set that this CPU does not have")
        }
    }

    /// KVM_GET_XCRS (section 4.44).
    public borrowing func extendedControlRegisters() throws(KVMError) -> ExtendedControlRegisters {
        try descriptor.get(.getXCRs, kvm_xcrs())
    }

    /// KVM_SET_XCRS (section 4.45).
    public borrowing func setExtendedControlRegisters(_ state: ExtendedControlRegisters) throws(KVMError) {
        try descriptor.set(.setXCRs, state, hint: "XCR0 has bits that the vCPU's CPUID does not offer")
    }

    /// KVM_GET_MSRS (section 4.18).
    /// - Returns: the values, in order; it ends before the first MSR that KVM cannot read.
    public borrowing func msrs(_ indices: [UInt32]) throws(KVMError) -> [MSREntry] {
        try descriptor.readMSRs(indices)
    }

    /// KVM_SET_MSRS (section 4.19): all of them, or an error that names the first one that KVM refuses.
    public borrowing func setMSRs(_ entries: [MSREntry]) throws(KVMError) {
        try descriptor.writeMSRs(entries)
    }

    /// KVM_SET_CPUID2 (section 4.20): what the CPUID instruction answers; before the first `run`.
    public borrowing func setCPUID(_ entries: [CPUIDEntry]) throws(KVMError) {
        let table = CPUIDTable(entries)
        try descriptor.call(
            .setCPUID2, at: table.pointer,
            hint: "at most 256 entries, none changed after the first run, and no XSAVE feature without permission")
        // The table must live until the kernel has read it.
        withExtendedLifetime(table) {}
    }

    /// KVM_GET_CPUID2: the table as KVM keeps it.
    public borrowing func cpuid() throws(KVMError) -> [CPUIDEntry] {
        // KVM_MAX_CPUID_ENTRIES; E2BIG is the answer to less room than the table needs.
        var enough = CPUIDTable(room: 256)
        try descriptor.call(.getCPUID2, at: enough.pointer)
        guard enough.count == 256 else { return enough.entries }
        // Linux 6.1 leaves the number of entries as it was asked: find the least room that does.
        var (least, most) = (0, 256)
        while least < most {
            let middle = (least + most) / 2
            let table = CPUIDTable(room: middle)
            let result = ckvm_call_with(descriptor.number, Request.getCPUID2.number, table.pointer)
            if result == -E2BIG {
                least = middle + 1
            } else {
                guard result >= 0 else { throw Request.getCPUID2.error(result) }
                most = middle
                enough = table
            }
        }
        return enough.entries
    }

    /// KVM_GET_LAPIC (section 4.57).
    public borrowing func localAPIC() throws(KVMError) -> LocalAPICState {
        try descriptor.get(.getLAPIC, kvm_lapic_state(), hint: "the machine has no local APICs in the kernel")
    }

    /// KVM_SET_LAPIC (section 4.58).
    public borrowing func setLocalAPIC(_ state: LocalAPICState) throws(KVMError) {
        try descriptor.set(.setLAPIC, state, hint: "the machine has no local APICs in the kernel, or the id is another")
    }

    /// KVM_GET_MP_STATE (section 4.38).
    public borrowing func multiprocessingState() throws(KVMError) -> MultiprocessingState {
        let state = try descriptor.get(.getMPState, kvm_mp_state()).mp_state
        guard let known = MultiprocessingState(rawValue: state) else {
            throw KVMError(
                operation: "KVM_GET_MP_STATE", errno: ENOTSUP, hint: "the kernel answers the unknown state \(state)")
        }
        return known
    }

    /// KVM_SET_MP_STATE (section 4.39).
    public borrowing func setMultiprocessingState(_ state: MultiprocessingState) throws(KVMError) {
        try descriptor.set(
            .setMPState, kvm_mp_state(mp_state: state.rawValue),
            hint: "without a local APIC in the kernel a vCPU can only be runnable")
    }

    /// KVM_GET_VCPU_EVENTS (section 4.31).
    public borrowing func events() throws(KVMError) -> VCPUEvents {
        try descriptor.get(.getVCPUEvents, kvm_vcpu_events())
    }

    /// KVM_SET_VCPU_EVENTS (section 4.32).
    public borrowing func setEvents(_ events: VCPUEvents) throws(KVMError) {
        try descriptor.set(.setVCPUEvents, events)
    }

    /// KVM_GET_DEBUGREGS (section 4.33).
    public borrowing func debugRegisters() throws(KVMError) -> DebugRegisters {
        try descriptor.get(.getDebugRegisters, kvm_debugregs())
    }

    /// KVM_SET_DEBUGREGS (section 4.34).
    public borrowing func setDebugRegisters(_ registers: DebugRegisters) throws(KVMError) {
        try descriptor.set(.setDebugRegisters, registers)
    }

    /// KVM_SET_GUEST_DEBUG (section 4.87).
    /// - Parameters:
    ///   - options: what to exit for; empty switches debugging off.
    ///   - debugRegisters: for hardware breakpoints, indexed by the register's number: DR0 to DR3 and, as the eighth,
    ///     DR7.
    public borrowing func setGuestDebug(
        _ options: GuestDebugOptions, debugRegisters: [UInt64] = []
    ) throws(KVMError) {
        guard debugRegisters.count <= 8 else {
            throw KVMError(
                operation: "KVM_SET_GUEST_DEBUG", errno: EINVAL, hint: "there are eight debug registers, DR0 to DR7")
        }
        var debug = kvm_guest_debug()
        debug.control = options.rawValue
        withUnsafeMutableBytes(of: &debug.arch.debugreg) { bytes in
            let slots = bytes.bindMemory(to: UInt64.self)
            for (slot, value) in zip(slots.indices, debugRegisters) { slots[slot] = value }
        }
        try descriptor.set(
            .setGuestDebug, debug, hint: "an exception is pending, or KVM_CAP_SET_GUEST_DEBUG2 lacks an option")
    }

    /// KVM_TRANSLATE (section 4.15): what the guest's page tables make of a linear address.
    public borrowing func translate(linearAddress: UInt64) throws(KVMError) -> Translation {
        var request = kvm_translation()
        request.linear_address = linearAddress
        try descriptor.call(.translate, with: &request)
        return Translation(physicalAddress: request.valid != 0 ? request.physical_address : nil)
    }

    /// KVM_INTERRUPT (section 4.16): queues an external interrupt's vector, where no PIC is in the kernel.
    ///
    /// With local APICs in the kernel a second one is refused until the first is taken; without, it takes the first's
    /// place, so ask ``readyForInterrupt`` first.
    public borrowing func interrupt(vector: UInt8) throws(KVMError) {
        try descriptor.set(
            .interrupt, kvm_interrupt(irq: UInt32(vector)),
            hint: "one is queued already (EEXIST), or the interrupt chip is in the kernel (ENXIO)")
    }

    /// KVM_NMI (section 4.64).
    public borrowing func injectNMI() throws(KVMError) { try descriptor.call(.nmi) }

    /// KVM_GET_TSC_KHZ (section 4.56): the rate of this vCPU's time-stamp counter.
    public borrowing func tscKHz() throws(KVMError) -> UInt32 { UInt32(try descriptor.call(.getTSCKHz)) }

    /// KVM_SET_TSC_KHZ (section 4.55). Without KVM_CAP_TSC_CONTROL only rates near the host's.
    public borrowing func setTSCKHz(_ rate: UInt32) throws(KVMError) {
        try descriptor.call(.setTSCKHz, UInt(rate))
    }

    /// KVM_KVMCLOCK_CTRL (section 4.70): tells the guest's watchdogs that the machine was paused.
    public borrowing func notePause() throws(KVMError) {
        try descriptor.call(.kvmClockControl, hint: "the guest does not use kvmclock")
    }

    /// KVM_SET_SIGNAL_MASK (section 4.21): the signals blocked while in KVM_RUN; nil leaves the thread's own mask in force.
    /// - Parameter mask: one bit a signal, signal 1 in bit 0.
    public borrowing func setSignalMask(_ mask: UInt64?) throws(KVMError) {
        guard let mask else {
            let result = ckvm_call_with(descriptor.number, Request.setSignalMask.number, nil)
            guard result >= 0 else { throw Request.setSignalMask.error(result) }
            return
        }
        // struct kvm_signal_mask: a 32-bit length, then the kernel's 8-byte sigset_t.
        var copy: [UInt32] = [8, UInt32(truncatingIfNeeded: mask), UInt32(truncatingIfNeeded: mask >> 32)]
        let result = copy.withUnsafeMutableBytes {
            ckvm_call_with(descriptor.number, Request.setSignalMask.number, $0.baseAddress)
        }
        guard result >= 0 else { throw Request.setSignalMask.error(result) }
    }
}
