/// One string or single access to I/O ports (KVM_EXIT_IO).
public struct PortAccess {
    /// The port.
    public let port: UInt16
    /// Bytes of each item: 1, 2 or 4.
    public let width: Int
    /// How many items: more than 1 for REP INS and REP OUTS.
    public let count: Int
    /// Whether the guest writes (OUT).
    public let isWrite: Bool
    /// `width × count` bytes in the page shared with the kernel: what the guest wrote, or where the answer goes.
    /// Valid until the next `run`.
    public let data: UnsafeMutableRawPointer

    /// The item at a position below `count`, zero-extended.
    public func item(_ position: Int) -> UInt32 {
        precondition(position >= 0 && position < count)
        let place = data + position * width
        return switch width {
        case 1: UInt32(place.load(as: UInt8.self))
        case 2: UInt32(place.loadUnaligned(as: UInt16.self))
        default: place.loadUnaligned(as: UInt32.self)
        }
    }

    /// All items as they lie in the shared page, one after the other. Valid until the next `run`.
    public func withItems<Result>(_ body: (RawSpan) -> Result) -> Result {
        body(RawSpan(_unsafeStart: data, byteCount: width * count))
    }

    /// Answers all items of a read at once.
    /// - Parameter body: fills them in.
    public func answerItems(_ body: (inout MutableRawSpan) -> Void) {
        var items = MutableRawSpan(_unsafeStart: data, byteCount: width * count)
        body(&items)
    }

    /// Answers the item at a position below `count` of a read.
    public func answer(_ position: Int, _ value: UInt32) {
        precondition(position >= 0 && position < count)
        let place = data + position * width
        switch width {
        case 1: place.storeBytes(of: UInt8(truncatingIfNeeded: value), as: UInt8.self)
        case 2: place.storeBytes(of: UInt16(truncatingIfNeeded: value), as: UInt16.self)
        default: place.storeBytes(of: value, as: UInt32.self)
        }
    }
}

/// An access to guest-physical memory that no slot backs, or a write to a read-only slot (KVM_EXIT_MMIO).
public struct MMIOAccess {
    /// Guest-physical address.
    public let address: UInt64
    /// Bytes: 1 to 8.
    public let width: Int
    /// Whether the guest writes.
    public let isWrite: Bool
    /// Eight bytes in the shared page: what the guest wrote, or where the answer goes. Valid until the next `run`.
    public let data: UnsafeMutableRawPointer

    /// What the guest wrote, zero-extended.
    public var value: UInt64 {
        let raw = data.loadUnaligned(as: UInt64.self)
        return width >= 8 ? raw : raw & ((1 << (8 * UInt64(width))) - 1)
    }

    /// Answers a read.
    public func answer(_ value: UInt64) {
        data.storeBytes(of: value, as: UInt64.self)
    }
}

/// An access to a model-specific register that KVM leaves to the monitor (KVM_EXIT_X86_RDMSR, _WRMSR).
public struct MSRAccess {
    /// The register's number.
    public let index: UInt32
    /// Why KVM did not handle it.
    public let reason: MSRExitReasons
    /// What the guest writes; meaningless for a read.
    public let value: UInt64
    let answerData: UnsafeMutablePointer<UInt64>
    let answerError: UnsafeMutablePointer<UInt8>

    /// Lets the instruction complete; for a read, with this value.
    public func complete(_ value: UInt64 = 0) {
        answerData.pointee = value
        answerError.pointee = 0
    }

    /// Raises #GP in the guest.
    public func raiseGeneralProtection() {
        answerError.pointee = 1
    }
}

/// Why a debug exit happened (KVM_EXIT_DEBUG).
public struct DebugExit: Equatable, Sendable {
    /// The exception's vector: 1 (#DB) or 3 (#BP).
    public let exception: UInt32
    /// Linear address of the instruction.
    public let instructionPointer: UInt64
    /// DR6: which condition was met.
    public let dr6: UInt64
    /// DR7 in force.
    public let dr7: UInt64
}

/// KVM gave up (KVM_EXIT_INTERNAL_ERROR).
public struct InternalError: Equatable, Sendable {
    /// KVM_INTERNAL_ERROR_ code: 1 emulation failed, 2 simultaneous exceptions, 3 an event while delivering another,
    /// 4 an exit reason KVM does not know.
    public let suberror: UInt32
    /// What KVM adds; its meaning depends on the suberror.
    public let data: [UInt64]
    /// For suberror 1 where KVM tells: the bytes of the instruction.
    public let instructionBytes: [UInt8]

    /// - Parameters:
    ///   - suberror: the KVM_INTERNAL_ERROR_ code.
    ///   - data: what KVM adds.
    ///   - instructionBytes: the bytes of the instruction, where KVM tells.
    public init(suberror: UInt32, data: [UInt64] = [], instructionBytes: [UInt8] = []) {
        self.suberror = suberror
        self.data = data
        self.instructionBytes = instructionBytes
    }

    /// The suberror in words.
    public var meaning: String {
        switch suberror {
        case 1: "KVM could not emulate an instruction"
        case 2: "two exceptions at the same time"
        case 3: "an exit happened while an event was being delivered"
        case 4: "the hardware gave an exit reason that KVM does not know"
        default: "suberror \(suberror)"
        }
    }
}

/// A system event that the guest asked the kernel for (KVM_EXIT_SYSTEM_EVENT).
public enum SystemEvent: Equatable, Sendable {
    case shutdown
    case reset
    case crash
    case wakeUp
    case suspend
    case securityTermination
    case trustDomainFatal
    case unknown(UInt32)
}

/// Why KVM_RUN returned. Every exit reason of the kernel's Documentation/virt/kvm/api.rst has a case; reasons of
/// other architectures, which x86 never gives, and reasons newer than this program come as ``other(_:)``.
public enum VMExit {
    /// KVM_EXIT_UNKNOWN: the hardware's reason, unknown to KVM.
    case unknown(hardwareReason: UInt64)
    /// KVM_EXIT_EXCEPTION.
    case exception(vector: UInt32, errorCode: UInt32)
    /// KVM_EXIT_IO.
    case portIO(PortAccess)
    /// KVM_EXIT_HYPERCALL: number, six arguments, and where the answer goes.
    case hypercall(number: UInt64, arguments: [UInt64], answer: UnsafeMutablePointer<UInt64>)
    /// KVM_EXIT_DEBUG.
    case debug(DebugExit)
    /// KVM_EXIT_HLT: without an interrupt chip in the kernel.
    case halt
    /// KVM_EXIT_MMIO.
    case mmio(MMIOAccess)
    /// KVM_EXIT_IRQ_WINDOW_OPEN.
    case interruptWindow
    /// KVM_EXIT_SHUTDOWN: a triple fault, as a rule.
    case shutdown
    /// KVM_EXIT_FAIL_ENTRY.
    case failedEntry(hardwareReason: UInt64, cpu: UInt32)
    /// KVM_EXIT_INTR, or `run` was called out of the guest by a signal or ``ExitRequest``.
    case interrupted
    /// KVM_EXIT_SET_TPR.
    case setTaskPriority
    /// KVM_EXIT_TPR_ACCESS.
    case taskPriorityAccess(instructionPointer: UInt64, isWrite: Bool)
    /// KVM_EXIT_NMI.
    case nmi
    /// KVM_EXIT_INTERNAL_ERROR.
    case internalError(InternalError)
    /// KVM_EXIT_WATCHDOG.
    case watchdog
    /// KVM_EXIT_SYSTEM_EVENT.
    case systemEvent(SystemEvent)
    /// KVM_EXIT_IOAPIC_EOI: with a split interrupt chip, the vector that was ended.
    case ioapicEOI(vector: UInt8)
    /// KVM_EXIT_HYPERV.
    case hyperV(type: UInt32)
    /// KVM_EXIT_X86_RDMSR.
    case readMSR(MSRAccess)
    /// KVM_EXIT_X86_WRMSR.
    case writeMSR(MSRAccess)
    /// KVM_EXIT_DIRTY_RING_FULL.
    case dirtyRingFull
    /// KVM_EXIT_AP_RESET_HOLD.
    case applicationProcessorResetHold
    /// KVM_EXIT_X86_BUS_LOCK.
    case busLock
    /// KVM_EXIT_XEN.
    case xen(type: UInt32)
    /// KVM_EXIT_NOTIFY: the guest kept the CPU from any exit for too long.
    case notify(contextInvalid: Bool)
    /// KVM_EXIT_MEMORY_FAULT: an address that the host could not give.
    case memoryFault(address: UInt64, size: UInt64, flags: UInt64)
    /// KVM_EXIT_TDX: a call that a confidential guest makes.
    case trustDomain(number: UInt64)
    /// A reason of another architecture, or newer than this program.
    case other(reason: UInt32)
}
