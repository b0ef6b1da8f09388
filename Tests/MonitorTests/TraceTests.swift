import Foundation
import Machine
import Monitor
import Synchronization
import Testing

/// Keeps what is written to it.
private final class TextSink: ByteSink {
    private let bytes = Mutex<[UInt8]>([])
    var text: String { bytes.withLock { String(decoding: $0, as: UTF8.self) } }
    func write(_ source: UnsafeRawBufferPointer) { bytes.withLock { $0 += source } }
}

/// An exit in one line: what a trace must make of it.
struct Line: Sendable {
    let kind: ExitKind
    let address: UInt64
    var value: UInt64 = 0
    var width: UInt8 = 0
    var count: UInt32 = 1
    var pointer: UInt64? = 0x8012
    let text: String

    var record: ExitRecord {
        var record = ExitRecord()
        record.time = 1_234_999
        record.kind = kind
        record.address = address
        record.value = value
        record.width = width
        record.count = count
        record.instructionPointer = pointer
        return record
    }
}

@Suite struct TraceTests {
    @Test(arguments: [
        Line(
            kind: .portOut, address: 0x3F8, value: 0x48, width: 1,
            text: "   0.001234 cpu0 rip=0x000000008012 OUT 0x3F8 (COM1 THR) <- 0x48 'H'"),
        Line(
            kind: .portIn, address: 0x3FD, value: 0x60, width: 1, pointer: nil,
            text: "   0.001234 cpu0 IN 0x3FD (COM1 LSR) -> 0x60 '`'"),
        Line(
            kind: .portIn, address: 0x1F0, value: 0xAA55, width: 2, count: 256,
            text: "   0.001234 cpu0 rip=0x000000008012 IN16 0x1F0 (IDE1 data) x256 -> 0xAA55"),
        Line(
            kind: .portOut, address: 0xC123, value: 0x1B, width: 1,
            text: "   0.001234 cpu0 rip=0x000000008012 OUT 0xC123 <- 0x1B"),
        Line(
            kind: .mmioRead, address: 0xFEE0_0030, value: 0x50014, width: 4, pointer: 0xFFFF_FFFF_8100_0000,
            text: "   0.001234 cpu0 rip=0xFFFFFFFF81000000 READ32 0xFEE00030 (LAPIC version) -> 0x00050014"),
        Line(
            kind: .mmioWrite, address: 0xFEC0_0010, value: 1, width: 4,
            text: "   0.001234 cpu0 rip=0x000000008012 WRITE32 0xFEC00010 (IOAPIC IOWIN) <- 0x00000001"),
        Line(
            kind: .writeMSR, address: 0xC000_0080, value: 0x500, width: 8,
            text: "   0.001234 cpu0 rip=0x000000008012 WRMSR 0xC0000080 (EFER) <- 0x500"),
        Line(
            kind: .readMSR, address: 0x80B, value: 0, width: 8,
            text: "   0.001234 cpu0 rip=0x000000008012 RDMSR 0x80B (x2APIC EOI) -> 0x0"),
        Line(kind: .halt, address: 0, text: "   0.001234 cpu0 rip=0x000000008012 HLT"),
        Line(
            kind: .internalError, address: 1, text: "   0.001234 cpu0 rip=0x000000008012 INTERNAL ERROR 0x1"),
    ])
    func observe_anExit_writesItsLine(line: Line) {
        let sink = TextSink()
        let trace = Trace(to: sink, buffering: .lines)
        trace.observe(line.record)
        #expect(sink.text == line.text + "\n")
    }

    @Test func observe_inBlocks_reachesTheSinkAtFlushInOrder() {
        let sink = TextSink()
        let trace = Trace(to: sink)
        let line = Line(kind: .halt, address: 0, text: "")
        trace.observe(line.record)
        #expect(sink.text == "")
        trace.flush()
        #expect(sink.text == "   0.001234 cpu0 rip=0x000000008012 HLT\n")
        for _ in 0..<5000 { trace.observe(line.record) }
        trace.flush()
        #expect(sink.text.split(separator: "\n").count == 5001)
    }

    @Test func observe_fromSeveralThreads_mixesNoLines() {
        let sink = TextSink()
        let trace = Trace(to: sink)
        let line = Line(kind: .portOut, address: 0x3F8, value: 0x48, width: 1, text: "")
        DispatchQueue.concurrentPerform(iterations: 4) { _ in
            for _ in 0..<2000 { trace.observe(line.record) }
        }
        trace.flush()
        let lines = sink.text.split(separator: "\n")
        #expect(lines.count == 8000)
        #expect(Set(lines).count == 1)
    }

    @Test func observe_encoded_writesOneObjectALine() throws {
        let sink = TextSink()
        let trace = Trace(
            to: sink,
            format: .encoded { entry in
                let encoder = JSONEncoder()
                encoder.outputFormatting = .sortedKeys
                return (try? encoder.encode(entry)).map { [UInt8]($0) }
            })
        trace.observe(Line(kind: .portOut, address: 0x3F8, value: 0x48, width: 1, text: "").record)
        trace.observe(Line(kind: .halt, address: 0, pointer: nil, text: "").record)
        trace.flush()
        #expect(
            sink.text == """
                {"address":"0x3F8","exit":"OUT","guestNanoseconds":0,"monitorNanoseconds":0,"name":"COM1 THR",\
                "rip":"0x8012","time":1234999,"value":"0x48","vcpu":0,"width":1}
                {"exit":"HLT","guestNanoseconds":0,"monitorNanoseconds":0,"time":1234999,"vcpu":0}

                """)
    }
}
