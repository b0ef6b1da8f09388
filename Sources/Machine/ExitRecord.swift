public import KVM

/// The kinds of exits, for counting and for the ring of the last ones: ``VMExit`` without its payload.
public enum ExitKind: UInt8, CaseIterable, Sendable {
    case portIn, portOut, mmioRead, mmioWrite, readMSR, writeMSR, halt, shutdown, interrupted, interruptWindow
    case debug, internalError, failedEntry, unknown, exception, hypercall, systemEvent, ioapicEOI, busLock, notify
    case memoryFault, other

    /// The kind of an exit.
    public init(_ exit: borrowing VMExit) {
        self =
            switch exit {
            case .portIO(let access): access.isWrite ? .portOut : .portIn
            case .mmio(let access): access.isWrite ? .mmioWrite : .mmioRead
            case .readMSR: .readMSR
            case .writeMSR: .writeMSR
            case .halt: .halt
            case .shutdown: .shutdown
            case .interrupted: .interrupted
            case .interruptWindow: .interruptWindow
            case .debug: .debug
            case .internalError: .internalError
            case .failedEntry: .failedEntry
            case .unknown: .unknown
            case .exception: .exception
            case .hypercall: .hypercall
            case .systemEvent: .systemEvent
            case .ioapicEOI: .ioapicEOI
            case .busLock: .busLock
            case .notify: .notify
            case .memoryFault: .memoryFault
            case .setTaskPriority, .taskPriorityAccess, .nmi, .watchdog, .hyperV, .dirtyRingFull,
                .applicationProcessorResetHold, .xen, .trustDomain, .other:
                .other
            }
    }
}

/// What is remembered of one exit. A plain value: keeping one allocates nothing.
public struct ExitRecord: Equatable, Sendable {
    /// Nanoseconds since the machine was started, when the guest was left; 0 when time is not measured.
    public var time: UInt64 = 0
    /// The vCPU's number.
    public var vcpu: UInt32 = 0
    /// Why.
    public var kind: ExitKind = .other
    /// Whether `address` and the fields behind it mean something.
    public var isWrite: Bool = false
    /// Bytes of one item: 1, 2, 4 or 8; 0 where there is none.
    public var width: UInt8 = 0
    /// How many items a string instruction moves; 1 for others.
    public var count: UInt32 = 0
    /// RIP when the guest was left, segment base not added; nil where KVM does not share registers.
    public var instructionPointer: UInt64?
    /// The port, guest-physical address, MSR number, suberror or hardware reason.
    public var address: UInt64 = 0
    /// The first item's value: what the guest wrote, or what it was answered.
    public var value: UInt64 = 0
    /// Nanoseconds that the guest ran before this exit; 0 when time is not measured.
    public var guestNanoseconds: UInt64 = 0
    /// Nanoseconds that the monitor took to handle it; 0 when time is not measured.
    public var monitorNanoseconds: UInt64 = 0

    /// An empty record.
    public init() {}
}

/// Sees every exit, on the thread of the vCPU that made it, after it was handled.
///
/// Several vCPUs call at the same time. A slow observer slows the guest, and nothing else.
public protocol ExitObserver: AnyObject, Sendable {
    /// Takes one exit.
    func observe(_ record: ExitRecord)
}
