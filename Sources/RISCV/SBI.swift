/// Extension IDs (SBI specification 2.0, one chapter each).
public enum SBIExtension: UInt64, Sendable {
    /// Set timer (legacy).
    case legacySetTimer = 0
    /// Console putchar (legacy).
    case legacyConsolePutchar = 1
    /// Console getchar (legacy).
    case legacyConsoleGetchar = 2
    /// Clear IPI (legacy).
    case legacyClearIPI = 3
    /// Send IPI (legacy).
    case legacySendIPI = 4
    /// Remote FENCE.I (legacy).
    case legacyRemoteFenceI = 5
    /// Remote SFENCE.VMA (legacy).
    case legacyRemoteSFenceVMA = 6
    /// Remote SFENCE.VMA with ASID (legacy).
    case legacyRemoteSFenceVMAASID = 7
    /// System shutdown (legacy).
    case legacyShutdown = 8
    /// What there is.
    case base = 0x10
    /// "TIME".
    case timer = 0x5449_4D45
    /// "sPI".
    case interProcessorInterrupt = 0x73_5049
    /// "RFNC".
    case remoteFence = 0x5246_4E43
    /// "HSM": hart state management.
    case hartStateManagement = 0x48_534D
    /// "SRST".
    case systemReset = 0x5352_5354
    /// "DBCN".
    case debugConsole = 0x4442_434E
}

/// What a call returns in a0 (chapter "Binary Encoding").
public enum SBIError: Int64, Error, Sendable {
    /// Failed, for a reason without a code.
    case failed = -1
    /// SBI_ERR_NOT_SUPPORTED.
    case notSupported = -2
    /// SBI_ERR_INVALID_PARAM.
    case invalidParameter = -3
    /// SBI_ERR_DENIED.
    case denied = -4
    /// SBI_ERR_INVALID_ADDRESS.
    case invalidAddress = -5
    /// SBI_ERR_ALREADY_AVAILABLE.
    case alreadyAvailable = -6
}

/// The harts that a call is about: a mask, from a base on (chapter "Hart list parameter").
public struct SBIHartMask: Equatable, Sendable {
    /// Bit n is for the hart with the ID n.
    public let rawValue: UInt64

    /// - Throws: `invalidParameter` for a hart that there is not.
    public init(mask: UInt64, base: UInt64, hartCount: Int) throws(SBIError) {
        let all = hartCount >= 64 ? UInt64.max : 1 << UInt64(hartCount) - 1
        if base == UInt64.max {
            rawValue = all
            return
        }
        guard base < UInt64(hartCount) else { throw .invalidParameter }
        rawValue = mask << base
        guard (mask << base) >> base == mask, rawValue & ~all == 0 else { throw .invalidParameter }
    }

    /// Whether the hart is meant.
    public func contains(_ hart: Int) -> Bool { rawValue >> UInt64(hart) & 1 == 1 }
}

/// Which translations a guest's harts are to forget.
public enum SBIFence: Equatable, Sendable {
    /// FENCE.I.
    case instructions
    /// SFENCE.VMA of a range, in one address space or in all.
    case virtualAddresses(start: UInt64, size: UInt64, asid: UInt64?)
}

/// Why a guest ends.
public enum SBIReset: Equatable, Sendable {
    /// Power off.
    case shutdown
    /// Start anew.
    case reboot
}

/// A hart's state (chapter "Hart State Management Extension").
public enum SBIHartState: Int64, Sendable {
    /// It runs.
    case started = 0
    /// It waits for a start.
    case stopped = 1
    /// It has been told to start.
    case startPending = 2
    /// It is suspended.
    case suspended = 4
}
