/// Why a trap was taken: scause (privileged specification, table "Supervisor cause register values after trap", with the
/// hypervisor extension's).
public enum TrapCause: UInt64, Sendable {
    /// A jump to an odd address.
    case instructionAddressMisaligned = 0
    /// A fetch from where nothing may be executed.
    case instructionAccessFault = 1
    /// An instruction that does not exist, or not here.
    case illegalInstruction = 2
    /// EBREAK.
    case breakpoint = 3
    /// A load from a misaligned address.
    case loadAddressMisaligned = 4
    /// A load from where nothing may be read.
    case loadAccessFault = 5
    /// A store or AMO to a misaligned address.
    case storeAddressMisaligned = 6
    /// A store or AMO to where nothing may be written.
    case storeAccessFault = 7
    /// ECALL from U-mode or VU-mode.
    case environmentCallFromUMode = 8
    /// ECALL from HS-mode.
    case environmentCallFromHSMode = 9
    /// ECALL from VS-mode: an SBI call of a guest.
    case environmentCallFromVSMode = 10
    /// A fetch that page tables forbid.
    case instructionPageFault = 12
    /// A load that page tables forbid.
    case loadPageFault = 13
    /// A store or AMO that page tables forbid.
    case storePageFault = 15
    /// A fetch that the second stage forbids.
    case instructionGuestPageFault = 20
    /// A load that the second stage forbids.
    case loadGuestPageFault = 21
    /// An instruction that is for HS-mode or above.
    case virtualInstruction = 22
    /// A store or AMO that the second stage forbids.
    case storeGuestPageFault = 23
    /// SSI, by another hart.
    case supervisorSoftwareInterrupt = 0x8000_0000_0000_0001
    /// VSSI.
    case virtualSupervisorSoftwareInterrupt = 0x8000_0000_0000_0002
    /// STI.
    case supervisorTimerInterrupt = 0x8000_0000_0000_0005
    /// VSTI.
    case virtualSupervisorTimerInterrupt = 0x8000_0000_0000_0006
    /// SEI, by the PLIC.
    case supervisorExternalInterrupt = 0x8000_0000_0000_0009
    /// VSEI.
    case virtualSupervisorExternalInterrupt = 0x8000_0000_0000_000A
    /// SGEI.
    case supervisorGuestExternalInterrupt = 0x8000_0000_0000_000C

    /// The specification's words for it.
    public var name: String {
        switch self {
        case .instructionAddressMisaligned: "instruction address misaligned"
        case .instructionAccessFault: "instruction access fault"
        case .illegalInstruction: "illegal instruction"
        case .breakpoint: "breakpoint"
        case .loadAddressMisaligned: "load address misaligned"
        case .loadAccessFault: "load access fault"
        case .storeAddressMisaligned: "store/AMO address misaligned"
        case .storeAccessFault: "store/AMO access fault"
        case .environmentCallFromUMode: "environment call from U-mode or VU-mode"
        case .environmentCallFromHSMode: "environment call from HS-mode"
        case .environmentCallFromVSMode: "environment call from VS-mode"
        case .instructionPageFault: "instruction page fault"
        case .loadPageFault: "load page fault"
        case .storePageFault: "store/AMO page fault"
        case .instructionGuestPageFault: "instruction guest-page fault"
        case .loadGuestPageFault: "load guest-page fault"
        case .virtualInstruction: "virtual instruction"
        case .storeGuestPageFault: "store/AMO guest-page fault"
        case .supervisorSoftwareInterrupt: "supervisor software interrupt"
        case .virtualSupervisorSoftwareInterrupt: "virtual supervisor software interrupt"
        case .supervisorTimerInterrupt: "supervisor timer interrupt"
        case .virtualSupervisorTimerInterrupt: "virtual supervisor timer interrupt"
        case .supervisorExternalInterrupt: "supervisor external interrupt"
        case .virtualSupervisorExternalInterrupt: "virtual supervisor external interrupt"
        case .supervisorGuestExternalInterrupt: "supervisor guest external interrupt"
        }
    }
}

/// The name of a cause, known or not.
public func trapCauseName(_ scause: UInt64) -> String {
    TrapCause(rawValue: scause)?.name ?? "unknown cause"
}
