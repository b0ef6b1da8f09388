import RISCV

/// How often a virtual hart has trapped into the hypervisor, by cause.
struct ExitCounts {
    /// SBI calls, by what they were about.
    var setTimer = 0
    var sendInterrupt = 0
    var remoteFence = 0
    var console = 0
    var otherSBI = 0
    /// Loads and stores of a device's registers.
    var device = 0
    /// WFI, where it traps.
    var waits = 0
    /// The first instruction that uses F or D registers on a hart.
    var floatingPoint = 0
    /// Interrupts of the machine: the hypervisor's own timer, another hart's call, a device.
    var timer = 0
    var software = 0
    var external = 0
    var other = 0

    var sbi: Int { setTimer + sendInterrupt + remoteFence + console + otherSBI }
    /// What the guest does itself; interrupts of the machine are not its doing.
    var own: Int { sbi + device + waits + floatingPoint + other }

    /// Counts an SBI call.
    mutating func count(sbi extensionID: UInt64) {
        switch SBIExtension(rawValue: extensionID) {
        case .timer, .legacySetTimer: setTimer += 1
        case .interProcessorInterrupt, .legacySendIPI, .legacyClearIPI: sendInterrupt += 1
        case .remoteFence, .legacyRemoteFenceI, .legacyRemoteSFenceVMA, .legacyRemoteSFenceVMAASID: remoteFence += 1
        case .debugConsole, .legacyConsolePutchar, .legacyConsoleGetchar: console += 1
        case .base, .hartStateManagement, .systemReset, .legacyShutdown, nil: otherSBI += 1
        }
    }

    /// One line for the console.
    var text: String {
        "set timer \(setTimer), send interrupt \(sendInterrupt), remote fence \(remoteFence), console \(console), other SBI \(otherSBI), device \(device), WFI \(waits), floating point \(floatingPoint), timer \(timer), software \(software), external \(external), other \(other)"
    }
}
