public import Machine
internal import Synchronization

/// Writes one line for each exit.
///
/// Lines of several vCPUs do not mix; they come in the order in which the exits were handled. A text line allocates
/// nothing.
public final class Trace: ExitObserver {
    /// What a line looks like.
    public enum Format: Sendable {
        /// For people: time, vCPU, RIP, reason and operands, with the devices' names.
        case text
        /// For programs: the bytes that the closure makes of the exit, without a newline; nil leaves it out.
        case encoded(@Sendable (TraceEntry) -> [UInt8]?)
    }

    /// When lines reach the sink.
    public enum Buffering: Sendable {
        /// Each at once, as a terminal wants them.
        case lines
        /// When 64 KiB have gathered, and at ``flush()``.
        case blocks
    }

    private struct State: ~Copyable {
        var line = TextLine()
        var buffer: [UInt8] = []
    }

    private static let bufferBytes = 65536
    private let sink: any ByteSink
    private let format: Format
    private let buffering: Buffering
    private let state: Mutex<State>

    /// - Parameters:
    ///   - sink: where the lines go.
    ///   - format: what they look like.
    ///   - buffering: when they go there.
    public init(to sink: any ByteSink, format: Format = .text, buffering: Buffering = .blocks) {
        self.sink = sink
        self.format = format
        self.buffering = buffering
        var first = State()
        first.buffer.reserveCapacity(Self.bufferBytes)
        state = Mutex(first)
    }

    deinit { flush() }

    /// Writes the exit's line.
    public func observe(_ record: ExitRecord) {
        switch format {
        case .text:
            state.withLock { state in
                state.line.clear()
                state.line.append(record)
                state.line.append(byte: UInt8(ascii: "\n"))
                add(state.line.bytes, &state)
            }
        case .encoded(let encode):
            guard var bytes = encode(TraceEntry(record)) else { return }
            bytes.append(UInt8(ascii: "\n"))
            state.withLock { add(bytes, &$0) }
        }
    }

    /// Gives the sink all lines so far.
    public func flush() { state.withLock { writeOut(&$0) } }

    private func add(_ bytes: [UInt8], _ state: inout State) {
        if state.buffer.count + bytes.count > Self.bufferBytes { writeOut(&state) }
        state.buffer.append(contentsOf: bytes)
        if case .lines = buffering { writeOut(&state) }
    }

    private func writeOut(_ state: inout State) {
        state.buffer.withUnsafeBytes { if !$0.isEmpty { sink.write($0) } }
        state.buffer.removeAll(keepingCapacity: true)
    }
}

/// An exit as programs read it: flat, with names; numbers that JavaScript would round are hexadecimal strings.
public struct TraceEntry: Encodable, Sendable {
    /// Nanoseconds since the machine was started.
    public let time: UInt64
    /// The vCPU's number.
    public let vcpu: UInt32
    /// RIP, as `0x…`.
    public let rip: String?
    /// The reason, as in the text.
    public let exit: String
    /// The port, guest-physical address, MSR number or hardware reason, as `0x…`.
    public let address: String?
    /// The name of what is there.
    public let name: String?
    /// Bytes of one item.
    public let width: UInt8?
    /// How many items.
    public let count: UInt32?
    /// The first item's value, as `0x…`: what the guest wrote, or what it was answered.
    public let value: String?
    /// Nanoseconds that the guest ran before.
    public let guestNanoseconds: UInt64
    /// Nanoseconds that the monitor took.
    public let monitorNanoseconds: UInt64

    /// - Parameter record: the exit.
    public init(_ record: ExitRecord) {
        time = record.time
        vcpu = record.vcpu
        rip = record.instructionPointer?.hex()
        exit = "\(record.kind.traceName)"
        let hasOperands = record.kind.hasAddress
        address = hasOperands || record.address != 0 ? record.address.hex() : nil
        name = KnownAddresses.name(of: record.kind, record.address)?.text
        width = hasOperands && record.width > 0 ? record.width : nil
        count = hasOperands && record.count > 1 ? record.count : nil
        value = hasOperands ? record.value.hex() : nil
        guestNanoseconds = record.guestNanoseconds
        monitorNanoseconds = record.monitorNanoseconds
    }
}

extension ExitKind {
    /// Whether its exits are told apart by a port, an address or an MSR's number.
    var hasAddress: Bool {
        switch self {
        case .portIn, .portOut, .mmioRead, .mmioWrite, .readMSR, .writeMSR: true
        default: false
        }
    }
}

extension KnownAddresses {
    /// The name of what an exit of a kind touched.
    static func name(of kind: ExitKind, _ address: UInt64) -> Name? {
        switch kind {
        case .portIn, .portOut: port(address, isWrite: kind == .portOut)
        case .mmioRead, .mmioWrite: memory(address)
        case .readMSR, .writeMSR: msr(address)
        default: nil
        }
    }
}
