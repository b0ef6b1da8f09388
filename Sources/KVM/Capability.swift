/// An extension of the KVM API, asked for with KVM_CHECK_EXTENSION. The names are those of the kernel's
/// Documentation/virt/kvm/api.rst without `KVM_CAP_`.
public enum Capability: Int32, CaseIterable, Sendable {
    case irqchip = 0
    case halt = 1
    case userMemory = 3
    case setTSSAddress = 4
    case extendedCPUID = 7
    case recommendedVCPUs = 9
    case memorySlots = 10
    case mpState = 14
    case coalescedMMIO = 15
    case syncMMU = 16
    case userNMI = 22
    case setGuestDebug = 23
    case reinjectControl = 24
    case irqRouting = 25
    case irqfd = 32
    case pit2 = 33
    case setBootCPUID = 34
    case pitState2 = 35
    case ioeventfd = 36
    case setIdentityMapAddress = 37
    case adjustClock = 39
    case internalErrorData = 40
    case vcpuEvents = 41
    case debugRegisters = 50
    case enableCapability = 54
    case xsave = 55
    case xcrs = 56
    case tscControl = 60
    case getTSCKHz = 61
    case maximumVCPUs = 66
    case tscDeadlineTimer = 72
    case syncRegisters = 74
    case kvmclockControl = 76
    case signalMSI = 77
    case readonlyMemory = 81
    case irqfdResample = 82
    case enableCapabilityVM = 98
    case ioeventfdNoLength = 100
    case checkExtensionVM = 105
    case disableQuirks = 116
    case systemManagementMode = 117
    case splitIRQChip = 121
    case ioeventfdAnyLength = 122
    case maximumVCPUID = 128
    case x2APICAPI = 129
    case immediateExit = 136
    case disableExits = 143
    case getMSRFeatures = 153
    case nestedState = 157
    case coalescedPIO = 162
    case exceptionPayload = 164
    case manualDirtyLogProtect2 = 168
    case haltPoll = 182
    case asyncPageFaultInterrupt = 183
    case userSpaceMSR = 188
    case msrFilter = 189
    case enforcePVFeatureCPUID = 190
    case dirtyLogRing = 192
    case busLockExit = 193
    case setGuestDebug2 = 195
    case sregs2 = 200
    case exitHypercall = 201
    case exitOnEmulationFailure = 204
    case xsave2 = 208
    case vmTSCControl = 214
    case systemEventData = 215
    case tripleFaultEvent = 218
    case notifyVMExit = 219
    case memoryFaultInformation = 232
    case guestMemfd = 234
    case preFaultMemory = 236

    /// The name in the kernel's API document.
    public var kernelName: String {
        switch self {
        case .irqchip: "KVM_CAP_IRQCHIP"
        case .halt: "KVM_CAP_HLT"
        case .userMemory: "KVM_CAP_USER_MEMORY"
        case .setTSSAddress: "KVM_CAP_SET_TSS_ADDR"
        case .extendedCPUID: "KVM_CAP_EXT_CPUID"
        case .recommendedVCPUs: "KVM_CAP_NR_VCPUS"
        case .memorySlots: "KVM_CAP_NR_MEMSLOTS"
        case .mpState: "KVM_CAP_MP_STATE"
        case .coalescedMMIO: "KVM_CAP_COALESCED_MMIO"
        case .syncMMU: "KVM_CAP_SYNC_MMU"
        case .userNMI: "KVM_CAP_USER_NMI"
        case .setGuestDebug: "KVM_CAP_SET_GUEST_DEBUG"
        case .reinjectControl: "KVM_CAP_REINJECT_CONTROL"
        case .irqRouting: "KVM_CAP_IRQ_ROUTING"
        case .irqfd: "KVM_CAP_IRQFD"
        case .pit2: "KVM_CAP_PIT2"
        case .setBootCPUID: "KVM_CAP_SET_BOOT_CPU_ID"
        case .pitState2: "KVM_CAP_PIT_STATE2"
        case .ioeventfd: "KVM_CAP_IOEVENTFD"
        case .setIdentityMapAddress: "KVM_CAP_SET_IDENTITY_MAP_ADDR"
        case .adjustClock: "KVM_CAP_ADJUST_CLOCK"
        case .internalErrorData: "KVM_CAP_INTERNAL_ERROR_DATA"
        case .vcpuEvents: "KVM_CAP_VCPU_EVENTS"
        case .debugRegisters: "KVM_CAP_DEBUGREGS"
        case .enableCapability: "KVM_CAP_ENABLE_CAP"
        case .xsave: "KVM_CAP_XSAVE"
        case .xcrs: "KVM_CAP_XCRS"
        case .tscControl: "KVM_CAP_TSC_CONTROL"
        case .getTSCKHz: "KVM_CAP_GET_TSC_KHZ"
        case .maximumVCPUs: "KVM_CAP_MAX_VCPUS"
        case .tscDeadlineTimer: "KVM_CAP_TSC_DEADLINE_TIMER"
        case .syncRegisters: "KVM_CAP_SYNC_REGS"
        case .kvmclockControl: "KVM_CAP_KVMCLOCK_CTRL"
        case .signalMSI: "KVM_CAP_SIGNAL_MSI"
        case .readonlyMemory: "KVM_CAP_READONLY_MEM"
        case .irqfdResample: "KVM_CAP_IRQFD_RESAMPLE"
        case .enableCapabilityVM: "KVM_CAP_ENABLE_CAP_VM"
        case .ioeventfdNoLength: "KVM_CAP_IOEVENTFD_NO_LENGTH"
        case .checkExtensionVM: "KVM_CAP_CHECK_EXTENSION_VM"
        case .disableQuirks: "KVM_CAP_DISABLE_QUIRKS"
        case .systemManagementMode: "KVM_CAP_X86_SMM"
        case .splitIRQChip: "KVM_CAP_SPLIT_IRQCHIP"
        case .ioeventfdAnyLength: "KVM_CAP_IOEVENTFD_ANY_LENGTH"
        case .maximumVCPUID: "KVM_CAP_MAX_VCPU_ID"
        case .x2APICAPI: "KVM_CAP_X2APIC_API"
        case .immediateExit: "KVM_CAP_IMMEDIATE_EXIT"
        case .disableExits: "KVM_CAP_X86_DISABLE_EXITS"
        case .getMSRFeatures: "KVM_CAP_GET_MSR_FEATURES"
        case .nestedState: "KVM_CAP_NESTED_STATE"
        case .coalescedPIO: "KVM_CAP_COALESCED_PIO"
        case .exceptionPayload: "KVM_CAP_EXCEPTION_PAYLOAD"
        case .manualDirtyLogProtect2: "KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2"
        case .haltPoll: "KVM_CAP_HALT_POLL"
        case .asyncPageFaultInterrupt: "KVM_CAP_ASYNC_PF_INT"
        case .userSpaceMSR: "KVM_CAP_X86_USER_SPACE_MSR"
        case .msrFilter: "KVM_CAP_X86_MSR_FILTER"
        case .enforcePVFeatureCPUID: "KVM_CAP_ENFORCE_PV_FEATURE_CPUID"
        case .dirtyLogRing: "KVM_CAP_DIRTY_LOG_RING"
        case .busLockExit: "KVM_CAP_X86_BUS_LOCK_EXIT"
        case .setGuestDebug2: "KVM_CAP_SET_GUEST_DEBUG2"
        case .sregs2: "KVM_CAP_SREGS2"
        case .exitHypercall: "KVM_CAP_EXIT_HYPERCALL"
        case .exitOnEmulationFailure: "KVM_CAP_EXIT_ON_EMULATION_FAILURE"
        case .xsave2: "KVM_CAP_XSAVE2"
        case .vmTSCControl: "KVM_CAP_VM_TSC_CONTROL"
        case .systemEventData: "KVM_CAP_SYSTEM_EVENT_DATA"
        case .tripleFaultEvent: "KVM_CAP_X86_TRIPLE_FAULT_EVENT"
        case .notifyVMExit: "KVM_CAP_X86_NOTIFY_VMEXIT"
        case .memoryFaultInformation: "KVM_CAP_MEMORY_FAULT_INFO"
        case .guestMemfd: "KVM_CAP_GUEST_MEMFD"
        case .preFaultMemory: "KVM_CAP_PRE_FAULT_MEMORY"
        }
    }
}
