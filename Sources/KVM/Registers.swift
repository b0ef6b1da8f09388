// The register structures are C's: whoever imports KVM sees their fields.
@_exported public import CKVM

/// RAX to R15, RIP and RFLAGS (`struct kvm_regs`).
public typealias GeneralRegisters = kvm_regs
/// Segments, tables, control registers, EFER and the APIC base (`struct kvm_sregs`).
public typealias SpecialRegisters = kvm_sregs
/// The same with flags and the PDPTEs (`struct kvm_sregs2`).
public typealias SpecialRegisters2 = kvm_sregs2
/// A segment register with its hidden part (`struct kvm_segment`; Intel SDM volume 3, "Segment Descriptors").
public typealias SegmentRegister = kvm_segment
/// GDTR or IDTR (`struct kvm_dtable`).
public typealias DescriptorTableRegister = kvm_dtable
/// x87 and SSE state (`struct kvm_fpu`).
public typealias FPUState = kvm_fpu
/// DR0 to DR3, DR6, DR7 (`struct kvm_debugregs`).
public typealias DebugRegisters = kvm_debugregs
/// Pending and injected exceptions, interrupts, NMIs, SMIs (`struct kvm_vcpu_events`).
public typealias VCPUEvents = kvm_vcpu_events
/// The local APIC's register page, 1 KiB (`struct kvm_lapic_state`).
public typealias LocalAPICState = kvm_lapic_state
/// The extended control registers, XCR0 first (`struct kvm_xcrs`).
public typealias ExtendedControlRegisters = kvm_xcrs
/// The 8254's channels (`struct kvm_pit_state2`).
public typealias PITState = kvm_pit_state2
/// An interrupt chip's registers (`struct kvm_irqchip`).
public typealias InterruptChipState = kvm_irqchip

/// CR0 (Intel SDM volume 3, section 2.5).
public struct ControlRegister0: OptionSet, Sendable, Hashable {
    /// The register as the CPU has it.
    public let rawValue: UInt64
    /// - Parameter rawValue: the register.
    public init(rawValue: UInt64) { self.rawValue = rawValue }
    /// Protection Enable.
    public static let pe = ControlRegister0(rawValue: 1 << 0)
    /// Monitor Coprocessor.
    public static let mp = ControlRegister0(rawValue: 1 << 1)
    /// Emulation.
    public static let em = ControlRegister0(rawValue: 1 << 2)
    /// Task Switched.
    public static let ts = ControlRegister0(rawValue: 1 << 3)
    /// Extension Type.
    public static let et = ControlRegister0(rawValue: 1 << 4)
    /// Numeric Error.
    public static let ne = ControlRegister0(rawValue: 1 << 5)
    /// Write Protect.
    public static let wp = ControlRegister0(rawValue: 1 << 16)
    /// Alignment Mask.
    public static let am = ControlRegister0(rawValue: 1 << 18)
    /// Not Write-through.
    public static let nw = ControlRegister0(rawValue: 1 << 29)
    /// Cache Disable.
    public static let cd = ControlRegister0(rawValue: 1 << 30)
    /// Paging.
    public static let pg = ControlRegister0(rawValue: 1 << 31)
}

/// CR4 (Intel SDM volume 3, section 2.5).
public struct ControlRegister4: OptionSet, Sendable, Hashable {
    /// The register as the CPU has it.
    public let rawValue: UInt64
    /// - Parameter rawValue: the register.
    public init(rawValue: UInt64) { self.rawValue = rawValue }
    /// Virtual-8086 Mode Extensions.
    public static let vme = ControlRegister4(rawValue: 1 << 0)
    /// Protected-Mode Virtual Interrupts.
    public static let pvi = ControlRegister4(rawValue: 1 << 1)
    /// Time Stamp Disable.
    public static let tsd = ControlRegister4(rawValue: 1 << 2)
    /// Debugging Extensions.
    public static let de = ControlRegister4(rawValue: 1 << 3)
    /// Page Size Extensions.
    public static let pse = ControlRegister4(rawValue: 1 << 4)
    /// Physical Address Extension.
    public static let pae = ControlRegister4(rawValue: 1 << 5)
    /// Machine-Check Enable.
    public static let mce = ControlRegister4(rawValue: 1 << 6)
    /// Page Global Enable.
    public static let pge = ControlRegister4(rawValue: 1 << 7)
    /// Performance-Monitoring Counter Enable.
    public static let pce = ControlRegister4(rawValue: 1 << 8)
    /// OS support for FXSAVE and FXRSTOR.
    public static let osfxsr = ControlRegister4(rawValue: 1 << 9)
    /// OS support for unmasked SIMD floating-point exceptions.
    public static let osxmmexcpt = ControlRegister4(rawValue: 1 << 10)
    /// User-Mode Instruction Prevention.
    public static let umip = ControlRegister4(rawValue: 1 << 11)
    /// 57-bit linear addresses (five-level paging).
    public static let la57 = ControlRegister4(rawValue: 1 << 12)
    /// VMX Enable.
    public static let vmxe = ControlRegister4(rawValue: 1 << 13)
    /// SMX Enable.
    public static let smxe = ControlRegister4(rawValue: 1 << 14)
    /// FSGSBASE Enable.
    public static let fsgsbase = ControlRegister4(rawValue: 1 << 16)
    /// Process-Context Identifiers Enable.
    public static let pcide = ControlRegister4(rawValue: 1 << 17)
    /// XSAVE and Processor Extended States Enable.
    public static let osxsave = ControlRegister4(rawValue: 1 << 18)
    /// Supervisor-Mode Execution Prevention.
    public static let smep = ControlRegister4(rawValue: 1 << 20)
    /// Supervisor-Mode Access Prevention.
    public static let smap = ControlRegister4(rawValue: 1 << 21)
    /// Protection Keys for user pages.
    public static let pke = ControlRegister4(rawValue: 1 << 22)
    /// Control-flow Enforcement Technology.
    public static let cet = ControlRegister4(rawValue: 1 << 23)
    /// Protection Keys for supervisor pages.
    public static let pks = ControlRegister4(rawValue: 1 << 24)
}

/// IA32_EFER (Intel SDM volume 3, section 2.2.1; AMD APM volume 2, section 3.1.7).
public struct ExtendedFeatureEnableRegister: OptionSet, Sendable, Hashable {
    /// The register as the CPU has it.
    public let rawValue: UInt64
    /// - Parameter rawValue: the register.
    public init(rawValue: UInt64) { self.rawValue = rawValue }
    /// SYSCALL Enable.
    public static let sce = ExtendedFeatureEnableRegister(rawValue: 1 << 0)
    /// Long Mode Enable.
    public static let lme = ExtendedFeatureEnableRegister(rawValue: 1 << 8)
    /// Long Mode Active.
    public static let lma = ExtendedFeatureEnableRegister(rawValue: 1 << 10)
    /// No-Execute Enable.
    public static let nxe = ExtendedFeatureEnableRegister(rawValue: 1 << 11)
    /// Secure Virtual Machine Enable (AMD).
    public static let svme = ExtendedFeatureEnableRegister(rawValue: 1 << 12)
    /// Fast FXSAVE and FXRSTOR (AMD).
    public static let ffxsr = ExtendedFeatureEnableRegister(rawValue: 1 << 14)
}

extension SpecialRegisters {
    /// CR0 with its bits named.
    public var controlRegister0: ControlRegister0 {
        get { ControlRegister0(rawValue: cr0) }
        set { cr0 = newValue.rawValue }
    }
    /// CR4 with its bits named.
    public var controlRegister4: ControlRegister4 {
        get { ControlRegister4(rawValue: cr4) }
        set { cr4 = newValue.rawValue }
    }
    /// EFER with its bits named.
    public var extendedFeatureEnable: ExtendedFeatureEnableRegister {
        get { ExtendedFeatureEnableRegister(rawValue: efer) }
        set { efer = newValue.rawValue }
    }
}
