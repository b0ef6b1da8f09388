import Devices

/// A serial port with both of its ends in the test's hands, and the offsets by their names in the data sheet.
final class UARTBench {
    static let (rbr, thr, dll) = (UInt64(0), UInt64(0), UInt64(0))
    static let (ier, dlm) = (UInt64(1), UInt64(1))
    static let (iir, fcr) = (UInt64(2), UInt64(2))
    static let lcr: UInt64 = 3
    static let mcr: UInt64 = 4
    static let lsr: UInt64 = 5
    static let msr: UInt64 = 6
    static let scr: UInt64 = 7

    let port = RecordingPort()
    let line = RecordingLine()
    let uart: UART16550

    init(state: UART16550.State = UART16550.State()) {
        uart = UART16550(port: port, interrupt: line, state: state)
    }

    /// A port whose guest waits for data by interrupt, with FIFOs and this trigger level (FCR bits 7 and 6).
    static func listening(fifo: Bool = true, triggerBits: UInt8 = 0) -> UARTBench {
        let bench = UARTBench()
        bench.write(fcr, fifo ? 0x01 | triggerBits << 6 : 0)
        bench.write(ier, 0x01)
        return bench
    }

    func read(_ offset: UInt64) -> UInt8 { UInt8(truncatingIfNeeded: uart.read(offset: offset, width: 1)) }
    func write(_ offset: UInt64, _ byte: UInt8) { uart.write(UInt64(byte), offset: offset, width: 1) }

    @discardableResult
    func receive(_ bytes: [UInt8]) -> Int { uart.receive(bytes.span) }
    @discardableResult
    func receive(_ text: String) -> Int { receive(Array(text.utf8)) }

    /// What a driver gets that reads RBR for as long as LSR says that there is data.
    func readAll() -> [UInt8] {
        var bytes: [UInt8] = []
        while read(Self.lsr) & 0x01 != 0, bytes.count < 1_000 {
            bytes.append(read(Self.rbr))
        }
        return bytes
    }
}

/// A host with text to paste: it offers the rest whenever it hears of room.
final class Paste: CharacterSource {
    private let uart: UART16550
    private(set) var rest: [UInt8]
    private(set) var calls = 0

    init(_ bytes: [UInt8], into uart: UART16550) {
        self.uart = uart
        rest = bytes
    }

    func offer() { rest.removeFirst(uart.receive(rest.span)) }

    func receiverHasRoom() {
        calls += 1
        offer()
    }
}
