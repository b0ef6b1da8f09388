extension VMExit {
    /// The exit reason's name in the kernel's API document, section 5, such as `KVM_EXIT_IO`; for a reason newer than
    /// this program its number.
    public var kernelName: String {
        switch self {
        case .unknown: "KVM_EXIT_UNKNOWN"
        case .exception: "KVM_EXIT_EXCEPTION"
        case .portIO: "KVM_EXIT_IO"
        case .hypercall: "KVM_EXIT_HYPERCALL"
        case .debug: "KVM_EXIT_DEBUG"
        case .halt: "KVM_EXIT_HLT"
        case .mmio: "KVM_EXIT_MMIO"
        case .interruptWindow: "KVM_EXIT_IRQ_WINDOW_OPEN"
        case .shutdown: "KVM_EXIT_SHUTDOWN"
        case .failedEntry: "KVM_EXIT_FAIL_ENTRY"
        case .interrupted: "KVM_EXIT_INTR"
        case .setTaskPriority: "KVM_EXIT_SET_TPR"
        case .taskPriorityAccess: "KVM_EXIT_TPR_ACCESS"
        case .nmi: "KVM_EXIT_NMI"
        case .internalError: "KVM_EXIT_INTERNAL_ERROR"
        case .watchdog: "KVM_EXIT_WATCHDOG"
        case .systemEvent: "KVM_EXIT_SYSTEM_EVENT"
        case .ioapicEOI: "KVM_EXIT_IOAPIC_EOI"
        case .hyperV: "KVM_EXIT_HYPERV"
        case .readMSR: "KVM_EXIT_X86_RDMSR"
        case .writeMSR: "KVM_EXIT_X86_WRMSR"
        case .dirtyRingFull: "KVM_EXIT_DIRTY_RING_FULL"
        case .applicationProcessorResetHold: "KVM_EXIT_AP_RESET_HOLD"
        case .busLock: "KVM_EXIT_X86_BUS_LOCK"
        case .xen: "KVM_EXIT_XEN"
        case .notify: "KVM_EXIT_NOTIFY"
        case .memoryFault: "KVM_EXIT_MEMORY_FAULT"
        case .trustDomain: "KVM_EXIT_TDX"
        case .other(let reason): Self.otherName(reason)
        }
    }

    /// The reasons that x86 never gives, and the one that only confidential guests of AMD do.
    private static func otherName(_ reason: UInt32) -> String {
        switch reason {
        case 13: "KVM_EXIT_S390_SIEIC"
        case 14: "KVM_EXIT_S390_RESET"
        case 15: "KVM_EXIT_DCR"
        case 18: "KVM_EXIT_OSI"
        case 19: "KVM_EXIT_PAPR_HCALL"
        case 20: "KVM_EXIT_S390_UCONTROL"
        case 22: "KVM_EXIT_S390_TSCH"
        case 23: "KVM_EXIT_EPR"
        case 25: "KVM_EXIT_S390_STSI"
        case 28: "KVM_EXIT_ARM_NISV"
        case 35: "KVM_EXIT_RISCV_SBI"
        case 36: "KVM_EXIT_RISCV_CSR"
        case 38: "KVM_EXIT_LOONGARCH_IOCSR"
        case 41: "KVM_EXIT_ARM_SEA"
        case 42: "KVM_EXIT_SNP_REQ_CERTS"
        default: "KVM exit reason \(reason)"
        }
    }
}
