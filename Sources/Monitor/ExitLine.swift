internal import Machine

extension TextLine {
    /// One exit, readable: time in seconds where it was measured, vCPU, RIP, reason, operands with the devices' names,
    /// and the value (`<-` to the device, `->` to the guest).
    mutating func append(_ record: ExitRecord) {
        if record.time > 0 {
            append(decimal: record.time / 1_000_000_000, width: 4)
            append(".")
            append(decimal: record.time / 1000 % 1_000_000, width: 6, fill: UInt8(ascii: "0"))
        } else {
            append(" ")
        }
        append(" cpu")
        append(decimal: UInt64(record.vcpu))
        if let pointer = record.instructionPointer {
            append(" rip=")
            append(hex: pointer, digits: 12)
        }
        append(" ")
        append(record.kind.traceName)
        switch record.kind {
        case .portIn, .portOut:
            appendWidth(record)
            append(" ")
            append(hex: record.address, digits: 2)
            append(KnownAddresses.port(record.address, isWrite: record.kind == .portOut))
            appendCount(record)
            appendValue(record, isWrite: record.kind == .portOut)
        case .mmioRead, .mmioWrite:
            appendWidth(record)
            append(" ")
            append(hex: record.address, digits: 8)
            append(KnownAddresses.memory(record.address))
            appendValue(record, isWrite: record.kind == .mmioWrite)
        case .readMSR, .writeMSR:
            append(" ")
            append(hex: record.address)
            append(KnownAddresses.msr(record.address))
            append(record.kind == .writeMSR ? " <- " : " -> ")
            append(hex: record.value)
        case .internalError, .failedEntry, .unknown, .exception, .hypercall, .systemEvent, .ioapicEOI, .memoryFault,
            .other:
            append(" ")
            append(hex: record.address)
        case .halt, .shutdown, .interrupted, .interruptWindow, .debug, .busLock, .notify:
            break
        }
    }

    mutating func append(_ name: KnownAddresses.Name?) {
        guard let name else { return }
        append(" (")
        append(name.device)
        if name.register.utf8CodeUnitCount > 0 {
            append(" ")
            append(name.register)
        }
        append(")")
    }

    /// One byte is the common width, and goes without saying.
    private mutating func appendWidth(_ record: ExitRecord) {
        guard record.width > 1 else { return }
        append(decimal: UInt64(record.width) * 8)
    }

    private mutating func appendCount(_ record: ExitRecord) {
        guard record.count > 1 else { return }
        append(" x")
        append(decimal: UInt64(record.count))
    }

    private mutating func appendValue(_ record: ExitRecord, isWrite: Bool) {
        append(isWrite ? " <- " : " -> ")
        append(hex: record.value, digits: Int(record.width) * 2)
        if record.width == 1, 0x20...0x7E ~= record.value {
            append(" '")
            append(byte: UInt8(record.value))
            append("'")
        }
    }
}

extension ExitKind {
    /// The word for it in a line of the trace and in the statistics.
    var traceName: StaticString {
        switch self {
        case .portIn: "IN"
        case .portOut: "OUT"
        case .mmioRead: "READ"
        case .mmioWrite: "WRITE"
        case .readMSR: "RDMSR"
        case .writeMSR: "WRMSR"
        case .halt: "HLT"
        case .shutdown: "SHUTDOWN"
        case .interrupted: "INTERRUPTED"
        case .interruptWindow: "INTERRUPT WINDOW"
        case .debug: "DEBUG"
        case .internalError: "INTERNAL ERROR"
        case .failedEntry: "FAILED ENTRY"
        case .unknown: "UNKNOWN EXIT"
        case .exception: "EXCEPTION"
        case .hypercall: "HYPERCALL"
        case .systemEvent: "SYSTEM EVENT"
        case .ioapicEOI: "IOAPIC EOI"
        case .busLock: "BUS LOCK"
        case .notify: "NOTIFY"
        case .memoryFault: "MEMORY FAULT"
        case .other: "OTHER"
        }
    }
}
