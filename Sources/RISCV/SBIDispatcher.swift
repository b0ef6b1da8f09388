/// What SBI calls do, for the machine that a guest has. Hart IDs have been checked against `hartCount`.
public protocol SBIMachine: AnyObject {
    /// How many harts the guest has; their IDs are 0 up to this.
    var hartCount: Int { get }
    /// Sets the calling hart's timer, in the guest's time.
    func setTimer(_ deadline: UInt64, hart: Int)
    /// Makes the software interrupt of harts pending.
    func sendInterrupt(to harts: SBIHartMask)
    /// Clears the calling hart's software interrupt; tells whether it was pending.
    func clearInterrupt(hart: Int) -> Bool
    /// Makes harts forget translations or instructions.
    func fence(_ fence: SBIFence, harts: SBIHartMask)
    /// The state of a hart.
    func state(ofHart hart: Int) -> SBIHartState
    /// Starts a stopped hart at a guest-physical address with an argument in a1.
    func startHart(_ hart: Int, address: UInt64, argument: UInt64) throws(SBIError)
    /// Stops the calling hart.
    func stopHart(_ hart: Int)
    /// Suspends the calling hart until an interrupt is pending.
    func suspendHart(_ hart: Int)
    /// Ends the guest, or starts it anew.
    func reset(_ reset: SBIReset, failed: Bool)
    /// Writes a character to the guest's console.
    func consoleWrite(_ byte: UInt8)
    /// Takes a character from the guest's console, if there is one.
    func consoleRead() -> UInt8?
    /// Bytes of guest memory; nil where they are not all RAM.
    func readMemory(at address: UInt64, count: Int) -> [UInt8]?
    /// Writes a byte to guest memory; false where there is no RAM.
    func writeMemory(_ byte: UInt8, at address: UInt64) -> Bool
}

/// The registers of an SBI call.
public struct SBICall: Equatable, Sendable {
    /// a7.
    public let extensionID: UInt64
    /// a6.
    public let function: UInt64
    /// a0 to a4.
    public let arguments: InlineArguments

    /// Five registers.
    public struct InlineArguments: Equatable, Sendable {
        /// The registers a0 to a4.
        public var a0: UInt64, a1: UInt64, a2: UInt64, a3: UInt64, a4: UInt64

        /// The registers.
        public init(_ a0: UInt64 = 0, _ a1: UInt64 = 0, _ a2: UInt64 = 0, _ a3: UInt64 = 0, _ a4: UInt64 = 0) {
            (self.a0, self.a1, self.a2, self.a3, self.a4) = (a0, a1, a2, a3, a4)
        }
    }

    /// A call.
    public init(extensionID: UInt64, function: UInt64, arguments: InlineArguments) {
        self.extensionID = extensionID
        self.function = function
        self.arguments = arguments
    }
}

/// What a call leaves in registers.
public enum SBIReturn: Equatable, Sendable {
    /// a0 is 0 for success or the error, a1 the value.
    case standard(error: Int64, value: UInt64)
    /// Legacy: a0 alone.
    case legacy(UInt64)
    /// The hart does not come back from the call as it was: registers stay.
    case none
}

/// The SBI that a guest sees: version 2.0, with BASE, TIME, IPI, RFENCE, HSM, SRST, DBCN, and the legacy calls 0 to 8.
public enum SBIDispatcher {
    /// Version 2.0: the major number in bits 30 to 24.
    static let specificationVersion: UInt64 = 2 << 24
    /// An ID that no other implementation is registered with.
    static let implementationID: UInt64 = 0x4D4B_564D

    /// Does a call for a hart of the machine.
    public static func handle(_ call: SBICall, hart: Int, machine: some SBIMachine) -> SBIReturn {
        guard let known = SBIExtension(rawValue: call.extensionID) else {
            return .standard(error: SBIError.notSupported.rawValue, value: 0)
        }
        do throws(SBIError) {
            switch known {
            case .legacySetTimer, .legacyConsolePutchar, .legacyConsoleGetchar, .legacyClearIPI, .legacySendIPI,
                .legacyRemoteFenceI, .legacyRemoteSFenceVMA, .legacyRemoteSFenceVMAASID, .legacyShutdown:
                return legacy(known, call.arguments, hart: hart, machine: machine)
            case .base:
                guard let value = base(function: call.function, argument: call.arguments.a0) else {
                    throw .notSupported
                }
                return .standard(error: 0, value: value)
            case .timer:
                guard call.function == 0 else { throw .notSupported }
                machine.setTimer(call.arguments.a0, hart: hart)
                return .standard(error: 0, value: 0)
            case .interProcessorInterrupt:
                guard call.function == 0 else { throw .notSupported }
                machine.sendInterrupt(to: try harts(call.arguments.a0, call.arguments.a1, machine))
                return .standard(error: 0, value: 0)
            case .remoteFence: return try remoteFence(call, machine: machine)
            case .hartStateManagement: return try hartState(call, hart: hart, machine: machine)
            case .systemReset: return try systemReset(call, machine: machine)
            case .debugConsole: return .standard(error: 0, value: try debugConsole(call, machine: machine))
            }
        } catch {
            return .standard(error: error.rawValue, value: 0)
        }
    }

    private static func harts(
        _ mask: UInt64, _ base: UInt64, _ machine: some SBIMachine
    ) throws(SBIError) -> SBIHartMask {
        try SBIHartMask(mask: mask, base: base, hartCount: machine.hartCount)
    }

    /// A call of the extension BASE, which is about no machine in particular; nil for a function that there is not.
    @inline(__always)
    public static func base(function: UInt64, argument: UInt64) -> UInt64? {
        switch function {
        case 0: specificationVersion
        case 1: implementationID
        case 2: 1
        case 3: SBIExtension(rawValue: argument) == nil ? 0 : 1
        // mvendorid, marchid, mimpid: 0 is "not implemented".
        case 4, 5, 6: 0
        default: nil
        }
    }

    private static func remoteFence(_ call: SBICall, machine: some SBIMachine) throws(SBIError) -> SBIReturn {
        let arguments = call.arguments
        guard let fence = fence(function: call.function, arguments: arguments) else { throw .notSupported }
        machine.fence(fence, harts: try harts(arguments.a0, arguments.a1, machine))
        return .standard(error: 0, value: 0)
    }

    /// The fence that a call of the extension RFENCE asks for; nil for a function that there is not.
    public static func fence(function: UInt64, arguments: SBICall.InlineArguments) -> SBIFence? {
        switch function {
        case 0: .instructions
        case 1: .virtualAddresses(start: arguments.a2, size: arguments.a3, asid: nil)
        case 2: .virtualAddresses(start: arguments.a2, size: arguments.a3, asid: arguments.a4)
        // HFENCE: there is no hypervisor extension in a guest.
        default: nil
        }
    }

    private static func hartState(_ call: SBICall, hart: Int, machine: some SBIMachine) throws(SBIError) -> SBIReturn {
        let arguments = call.arguments
        switch call.function {
        case 0:
            guard arguments.a0 < UInt64(machine.hartCount) else { throw .invalidParameter }
            try machine.startHart(Int(arguments.a0), address: arguments.a1, argument: arguments.a2)
            return .standard(error: 0, value: 0)
        case 1:
            machine.stopHart(hart)
            return .none
        case 2:
            guard arguments.a0 < UInt64(machine.hartCount) else { throw .invalidParameter }
            return .standard(error: 0, value: UInt64(machine.state(ofHart: Int(arguments.a0)).rawValue))
        case 3:
            // The default retentive suspend, which comes back as WFI does. Others are optional.
            // A parameter of 32 bits is sign-extended in a register, as the calling convention has it.
            let type = UInt32(truncatingIfNeeded: arguments.a0)
            guard type == 0 else { throw type == 0x8000_0000 ? .notSupported : .invalidParameter }
            machine.suspendHart(hart)
            return .standard(error: 0, value: 0)
        default: throw .notSupported
        }
    }

    private static func systemReset(_ call: SBICall, machine: some SBIMachine) throws(SBIError) -> SBIReturn {
        guard call.function == 0 else { throw .notSupported }
        // The reason: 0 none, 1 system failure; those above 0xE0000000 belong to vendors.
        guard call.arguments.a1 <= 1 else { throw .invalidParameter }
        switch call.arguments.a0 {
        case 0: machine.reset(.shutdown, failed: call.arguments.a1 == 1)
        case 1, 2: machine.reset(.reboot, failed: call.arguments.a1 == 1)
        default: throw .invalidParameter
        }
        return .none
    }

    /// So many bytes at most for one call, which may do less than it was asked: a guest must not keep the hypervisor busy.
    static let consoleLimit: UInt64 = 1024

    private static func debugConsole(_ call: SBICall, machine: some SBIMachine) throws(SBIError) -> UInt64 {
        let arguments = call.arguments
        switch call.function {
        case 0:
            guard arguments.a2 == 0 else { throw .invalidParameter }
            let count = min(arguments.a0, consoleLimit)
            guard let bytes = machine.readMemory(at: arguments.a1, count: Int(count)) else { throw .invalidParameter }
            for byte in bytes { machine.consoleWrite(byte) }
            return count
        case 1:
            guard arguments.a2 == 0 else { throw .invalidParameter }
            let limit = min(arguments.a0, consoleLimit)
            guard machine.readMemory(at: arguments.a1, count: Int(limit)) != nil else { throw .invalidParameter }
            var count: UInt64 = 0
            while count < limit, let byte = machine.consoleRead() {
                guard machine.writeMemory(byte, at: arguments.a1 + count) else { throw .invalidParameter }
                count += 1
            }
            return count
        case 2:
            machine.consoleWrite(UInt8(truncatingIfNeeded: arguments.a0))
            return 0
        default: throw .notSupported
        }
    }

    /// Legacy calls take the address of a mask in guest memory; every guest of today gives 0 there, which means all.
    private static func legacyHarts(_ address: UInt64, _ machine: some SBIMachine) -> SBIHartMask? {
        var mask: UInt64 = 0
        if address == 0 {
            return try? SBIHartMask(mask: 0, base: UInt64.max, hartCount: machine.hartCount)
        }
        guard let bytes = machine.readMemory(at: address, count: 8) else { return nil }
        for (index, byte) in bytes.enumerated() { mask |= UInt64(byte) << UInt64(8 * index) }
        return try? SBIHartMask(mask: mask, base: 0, hartCount: machine.hartCount)
    }

    private static func legacy(
        _ known: SBIExtension, _ arguments: SBICall.InlineArguments, hart: Int, machine: some SBIMachine
    ) -> SBIReturn {
        switch known {
        case .legacySetTimer:
            machine.setTimer(arguments.a0, hart: hart)
            return .legacy(0)
        case .legacyConsolePutchar:
            machine.consoleWrite(UInt8(truncatingIfNeeded: arguments.a0))
            return .legacy(0)
        case .legacyConsoleGetchar:
            return .legacy(machine.consoleRead().map { UInt64($0) } ?? UInt64.max)
        case .legacyClearIPI:
            return .legacy(machine.clearInterrupt(hart: hart) ? 1 : 0)
        case .legacyShutdown:
            machine.reset(.shutdown, failed: false)
            return .none
        default:
            guard let harts = legacyHarts(arguments.a0, machine) else { return .legacy(UInt64.max) }
            switch known {
            case .legacySendIPI: machine.sendInterrupt(to: harts)
            case .legacyRemoteFenceI: machine.fence(.instructions, harts: harts)
            case .legacyRemoteSFenceVMAASID:
                machine.fence(
                    .virtualAddresses(start: arguments.a1, size: arguments.a2, asid: arguments.a3), harts: harts)
            default:
                machine.fence(.virtualAddresses(start: arguments.a1, size: arguments.a2, asid: nil), harts: harts)
            }
            return .legacy(0)
        }
    }
}
