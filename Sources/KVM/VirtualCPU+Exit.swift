internal import CKVM

extension VirtualCPU {
    /// What the shared page says about the exit. Nothing is copied or allocated for port I/O, MMIO and MSRs.
    borrowing func decodeExit() -> VMExit {
        switch Int32(bitPattern: shared.pointee.exit_reason) {
        case KVM_EXIT_IO:
            let io = shared.pointee.io
            return .portIO(
                PortAccess(
                    port: io.port, width: Int(io.size), count: Int(io.count),
                    isWrite: Int32(io.direction) == KVM_EXIT_IO_OUT,
                    data: UnsafeMutableRawPointer(shared) + Int(io.data_offset)))
        case KVM_EXIT_MMIO:
            let mmio = shared.pointee.mmio
            return .mmio(
                MMIOAccess(
                    address: mmio.phys_addr, width: Int(mmio.len), isWrite: mmio.is_write != 0,
                    data: exitData + ckvm_mmio_data_offset()))
        case KVM_EXIT_X86_RDMSR: return .readMSR(msrAccess)
        case KVM_EXIT_X86_WRMSR: return .writeMSR(msrAccess)
        case KVM_EXIT_HLT: return .halt
        case KVM_EXIT_INTR: return .interrupted
        case KVM_EXIT_SHUTDOWN: return .shutdown
        case KVM_EXIT_IRQ_WINDOW_OPEN: return .interruptWindow
        default: return decodeRareExit()
        }
    }

    private borrowing func decodeRareExit() -> VMExit {
        let reason = shared.pointee.exit_reason
        switch Int32(bitPattern: reason) {
        case KVM_EXIT_UNKNOWN: return .unknown(hardwareReason: shared.pointee.hw.hardware_exit_reason)
        case KVM_EXIT_EXCEPTION:
            return .exception(vector: shared.pointee.ex.exception, errorCode: shared.pointee.ex.error_code)
        case KVM_EXIT_HYPERCALL:
            let arguments = withUnsafeBytes(of: shared.pointee.hypercall.args) { Array($0.bindMemory(to: UInt64.self)) }
            return .hypercall(
                number: shared.pointee.hypercall.nr, arguments: arguments,
                answer: (exitData + ckvm_hypercall_ret_offset()).assumingMemoryBound(to: UInt64.self))
        case KVM_EXIT_DEBUG:
            let debug = shared.pointee.debug.arch
            return .debug(
                DebugExit(exception: debug.exception, instructionPointer: debug.pc, dr6: debug.dr6, dr7: debug.dr7))
        case KVM_EXIT_FAIL_ENTRY:
            let entry = shared.pointee.fail_entry
            return .failedEntry(hardwareReason: entry.hardware_entry_failure_reason, cpu: entry.cpu)
        case KVM_EXIT_SET_TPR: return .setTaskPriority
        case KVM_EXIT_TPR_ACCESS:
            let access = shared.pointee.tpr_access
            return .taskPriorityAccess(instructionPointer: access.rip, isWrite: access.is_write != 0)
        case KVM_EXIT_NMI: return .nmi
        case KVM_EXIT_INTERNAL_ERROR: return .internalError(internalError)
        case KVM_EXIT_WATCHDOG: return .watchdog
        case KVM_EXIT_SYSTEM_EVENT: return .systemEvent(systemEvent)
        case KVM_EXIT_IOAPIC_EOI: return .ioapicEOI(vector: shared.pointee.eoi.vector)
        case KVM_EXIT_HYPERV: return .hyperV(type: shared.pointee.hyperv.type)
        case KVM_EXIT_DIRTY_RING_FULL: return .dirtyRingFull
        case KVM_EXIT_AP_RESET_HOLD: return .applicationProcessorResetHold
        case KVM_EXIT_X86_BUS_LOCK: return .busLock
        case KVM_EXIT_XEN: return .xen(type: shared.pointee.xen.type)
        case KVM_EXIT_NOTIFY:
            return .notify(contextInvalid: shared.pointee.notify.flags & UInt32(KVM_NOTIFY_CONTEXT_INVALID) != 0)
        case KVM_EXIT_MEMORY_FAULT:
            // struct { __u64 flags; __u64 gpa; __u64 size; }, newer than the headers.
            return .memoryFault(address: word(1), size: word(2), flags: word(0))
        case KVM_EXIT_TDX:
            // struct { __u64 flags; __u64 nr; … }, newer than the headers.
            return .trustDomain(number: word(1))
        default: return .other(reason: reason)
        }
    }

    /// The part of `kvm_run` that each exit reason lays out its own way.
    private var exitData: UnsafeMutableRawPointer { UnsafeMutableRawPointer(shared) + ckvm_exit_data_offset() }

    /// One of its 64-bit words.
    private borrowing func word(_ position: Int) -> UInt64 {
        (exitData + 8 * position).load(as: UInt64.self)
    }

    private var msrAccess: MSRAccess {
        MSRAccess(
            index: shared.pointee.msr.index, reason: MSRExitReasons(rawValue: UInt64(shared.pointee.msr.reason)),
            value: shared.pointee.msr.data,
            answerData: (exitData + ckvm_msr_data_offset()).assumingMemoryBound(to: UInt64.self),
            answerError: exitData.assumingMemoryBound(to: UInt8.self))
    }

    private var internalError: InternalError {
        let raw = shared.pointee.internal
        let data = withUnsafeBytes(of: raw.data) { Array($0.bindMemory(to: UInt64.self).prefix(Int(raw.ndata))) }
        var bytes: [UInt8] = []
        // Suberror 1 overlays: data[0] holds flags, then one byte of length and 15 of code.
        if raw.suberror == UInt32(KVM_INTERNAL_ERROR_EMULATION), data.count >= 3,
            data[0] & UInt64(KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES) != 0
        {
            let failure = shared.pointee.emulation_failure
            bytes = withUnsafeBytes(of: failure.insn_bytes) { Array($0.prefix(Int(failure.insn_size))) }
        }
        return InternalError(suberror: raw.suberror, data: data, instructionBytes: bytes)
    }

    private var systemEvent: SystemEvent {
        switch Int32(bitPattern: shared.pointee.system_event.type) {
        case KVM_SYSTEM_EVENT_SHUTDOWN: .shutdown
        case KVM_SYSTEM_EVENT_RESET: .reset
        case KVM_SYSTEM_EVENT_CRASH: .crash
        case KVM_SYSTEM_EVENT_WAKEUP: .wakeUp
        case KVM_SYSTEM_EVENT_SUSPEND: .suspend
        case KVM_SYSTEM_EVENT_SEV_TERM: .securityTermination
        case KVM_SYSTEM_EVENT_TDX_FATAL: .trustDomainFatal
        default: .unknown(shared.pointee.system_event.type)
        }
    }
}
