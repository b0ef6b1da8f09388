extension KnownAddresses {
    /// The name of an MSR (Intel SDM volume 4; AMD APM volume 2, appendix A; the kernel's Documentation/virt/kvm/x86/
    /// msr.rst), or nil.
    public static func msr(_ index: UInt64) -> Name? {
        switch index {
        case 0x0: Name("P5_MC_ADDR")
        case 0x1: Name("P5_MC_TYPE")
        case 0x10: Name("TIME_STAMP_COUNTER")
        case 0x17: Name("PLATFORM_ID")
        case 0x1B: Name("APIC_BASE")
        case 0x34: Name("SMI_COUNT")
        case 0x3A: Name("FEATURE_CONTROL")
        case 0x3B: Name("TSC_ADJUST")
        case 0x48: Name("SPEC_CTRL")
        case 0x49: Name("PRED_CMD")
        case 0x79: Name("BIOS_UPDT_TRIG")
        case 0x8B: Name("BIOS_SIGN_ID")
        case 0xC1...0xC8: Name("PMC")
        case 0xCD: Name("FSB_FREQ")
        case 0xCE: Name("PLATFORM_INFO")
        case 0xCF: Name("CORE_CAPABILITIES")
        case 0xE7: Name("MPERF")
        case 0xE8: Name("APERF")
        case 0xFE: Name("MTRRCAP")
        case 0x10A: Name("ARCH_CAPABILITIES")
        case 0x10B: Name("FLUSH_CMD")
        case 0x11E: Name("BBL_CR_CTL3")
        case 0x122: Name("TSX_CTRL")
        case 0x140: Name("MISC_FEATURES_ENABLES")
        case 0x174: Name("SYSENTER_CS")
        case 0x175: Name("SYSENTER_ESP")
        case 0x176: Name("SYSENTER_EIP")
        case 0x179: Name("MCG_CAP")
        case 0x17A: Name("MCG_STATUS")
        case 0x17B: Name("MCG_CTL")
        case 0x186...0x18D: Name("PERFEVTSEL")
        case 0x198: Name("PERF_STATUS")
        case 0x199: Name("PERF_CTL")
        case 0x19A: Name("CLOCK_MODULATION")
        case 0x19C: Name("THERM_STATUS")
        case 0x1A0: Name("MISC_ENABLE")
        case 0x1B0: Name("ENERGY_PERF_BIAS")
        case 0x1C4: Name("XFD")
        case 0x1C5: Name("XFD_ERR")
        case 0x1D9: Name("DEBUGCTL")
        case 0x200...0x21F: Name("MTRR", index & 1 == 0 ? "base" : "mask")
        case 0x250, 0x258, 0x259, 0x268...0x26F: Name("MTRR", "fixed")
        case 0x277: Name("PAT")
        case 0x2FF: Name("MTRR", "default type")
        case 0x345: Name("PERF_CAPABILITIES")
        case 0x38D: Name("FIXED_CTR_CTRL")
        case 0x38E: Name("PERF_GLOBAL_STATUS")
        case 0x38F: Name("PERF_GLOBAL_CTRL")
        case 0x390: Name("PERF_GLOBAL_OVF_CTRL")
        case 0x400...0x47F: Name("MC", machineCheck(index & 3))
        case 0x480...0x493: Name("VMX capability")
        case 0x606: Name("RAPL_POWER_UNIT")
        case 0x611: Name("PKG_ENERGY_STATUS")
        case 0x6E0: Name("TSC_DEADLINE")
        case 0x800...0x8FF: Name("x2APIC", x2APIC(index))
        case 0xDA0: Name("XSS")
        default: vendor(index)
        }
    }

    private static func x2APIC(_ index: UInt64) -> StaticString {
        memory(0xFEE0_0000 + (index & 0xFF) << 4)?.register ?? ""
    }

    private static func machineCheck(_ part: UInt64) -> StaticString {
        switch part {
        case 0: "CTL"
        case 1: "STATUS"
        case 2: "ADDR"
        default: "MISC"
        }
    }

    /// MSRs of AMD's and of hypervisors.
    private static func vendor(_ index: UInt64) -> Name? {
        switch index {
        case 0x4000_0000...0x4000_0FFF: Name("Hyper-V")
        case 0x4B56_4D00: Name("KVM_WALL_CLOCK_NEW")
        case 0x4B56_4D01: Name("KVM_SYSTEM_TIME_NEW")
        case 0x4B56_4D02: Name("KVM_ASYNC_PF_EN")
        case 0x4B56_4D03: Name("KVM_STEAL_TIME")
        case 0x4B56_4D04: Name("KVM_PV_EOI_EN")
        case 0x4B56_4D05: Name("KVM_POLL_CONTROL")
        case 0x4B56_4D06: Name("KVM_ASYNC_PF_INT")
        case 0x4B56_4D07: Name("KVM_ASYNC_PF_ACK")
        case 0x4B56_4D08: Name("KVM_MIGRATION_CONTROL")
        case 0xC000_0080: Name("EFER")
        case 0xC000_0081: Name("STAR")
        case 0xC000_0082: Name("LSTAR")
        case 0xC000_0083: Name("CSTAR")
        case 0xC000_0084: Name("SFMASK")
        case 0xC000_0100: Name("FS_BASE")
        case 0xC000_0101: Name("GS_BASE")
        case 0xC000_0102: Name("KERNEL_GS_BASE")
        case 0xC000_0103: Name("TSC_AUX")
        case 0xC000_0104: Name("TSC_RATIO")
        case 0xC001_0000...0xC001_0003: Name("AMD PERF_CTL")
        case 0xC001_0004...0xC001_0007: Name("AMD PERF_CTR")
        case 0xC001_0010: Name("SYSCFG")
        case 0xC001_0015: Name("HWCR")
        case 0xC001_001F: Name("NB_CFG")
        case 0xC001_0055: Name("INT_PENDING")
        case 0xC001_0058: Name("MMIO_CFG_BASE")
        case 0xC001_0061: Name("PSTATE_LIMIT")
        case 0xC001_0063: Name("PSTATE_STATUS")
        case 0xC001_0112: Name("TSEG_ADDR")
        case 0xC001_0114: Name("VM_CR")
        case 0xC001_0117: Name("VM_HSAVE_PA")
        case 0xC001_011F: Name("VIRT_SPEC_CTRL")
        case 0xC001_0140: Name("OSVW_ID_LENGTH")
        case 0xC001_0141: Name("OSVW_STATUS")
        case 0xC001_0200...0xC001_020B: Name("AMD PERF", index & 1 == 0 ? "CTL" : "CTR")
        case 0xC001_1020: Name("LS_CFG")
        case 0xC001_1022: Name("DC_CFG")
        case 0xC001_1029: Name("DE_CFG")
        case 0xC001_102A: Name("BU_CFG2")
        default: nil
        }
    }
}
