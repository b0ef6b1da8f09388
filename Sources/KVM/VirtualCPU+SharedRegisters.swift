public import CKVM

/// The register sets that KVM can copy into the shared page (KVM_CAP_SYNC_REGS; section 6.74).
public struct SharedRegisterSets: OptionSet, Sendable {
    /// The bits as KVM defines them.
    public let rawValue: UInt64
    /// - Parameter rawValue: KVM_SYNC_X86_ bits.
    public init(rawValue: UInt64) { self.rawValue = rawValue }
    /// KVM_SYNC_X86_REGS.
    public static let general = SharedRegisterSets(rawValue: 1 << 0)
    /// KVM_SYNC_X86_SREGS.
    public static let special = SharedRegisterSets(rawValue: 1 << 1)
    /// KVM_SYNC_X86_EVENTS.
    public static let events = SharedRegisterSets(rawValue: 1 << 2)
}

extension VirtualCPU {
    /// The sets that KVM copies into the shared page each time `run` returns (`kvm_valid_regs`), so that they can be
    /// read there without an ioctl. A copy takes less time than an ioctl and more than none: ask for what each
    /// exit's handling needs.
    ///
    /// `VirtualMachine.check(.syncRegisters)` answers the sets that KVM knows, as raw bits; with others, `run`
    /// throws EINVAL.
    public var sharedRegisterSets: SharedRegisterSets {
        get { SharedRegisterSets(rawValue: shared.pointee.kvm_valid_regs) }
        nonmutating set { shared.pointee.kvm_valid_regs = newValue.rawValue }
    }

    /// The general registers in the shared page: those of the last exit if ``sharedRegisterSets`` has `.general`.
    ///
    /// Setting them hands them to the guest at the next `run` (`kvm_dirty_regs`).
    public var sharedGeneralRegisters: GeneralRegisters {
        get { shared.pointee.s.regs.regs }
        nonmutating set {
            shared.pointee.s.regs.regs = newValue
            shared.pointee.kvm_dirty_regs |= SharedRegisterSets.general.rawValue
        }
    }

    /// RIP in the shared page: of the last exit if ``sharedRegisterSets`` has `.general`.
    public var sharedInstructionPointer: UInt64 { shared.pointee.s.regs.regs.rip }

    /// The special registers in the shared page: those of the last exit if ``sharedRegisterSets`` has `.special`.
    ///
    /// Setting them hands them to the guest at the next `run`, which throws EINVAL if they do not fit together.
    public var sharedSpecialRegisters: SpecialRegisters {
        get { shared.pointee.s.regs.sregs }
        nonmutating set {
            shared.pointee.s.regs.sregs = newValue
            shared.pointee.kvm_dirty_regs |= SharedRegisterSets.special.rawValue
        }
    }

    /// The pending and injected events in the shared page: those of the last exit if ``sharedRegisterSets`` has
    /// `.events`.
    ///
    /// Setting them hands them to the guest at the next `run`.
    public var sharedEvents: VCPUEvents {
        get { shared.pointee.s.regs.events }
        nonmutating set {
            shared.pointee.s.regs.events = newValue
            shared.pointee.kvm_dirty_regs |= SharedRegisterSets.events.rawValue
        }
    }
}
