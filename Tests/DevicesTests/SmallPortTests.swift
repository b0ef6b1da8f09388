import Devices
import Testing

@Suite struct DebugPortTests {
    @Test(arguments: [UInt8(0), 1, 42, 255])
    func debugExit_written_requestsThatStatus(status: UInt8) {
        let board = RecordingBoard()
        let port = DebugExit(board: board)
        port.write(UInt64(status), offset: 0, width: 1)
        #expect(board.requests == [.exit(status: status)])
        #expect(port.read(offset: 0, width: 1) == 0xFF)
    }

    @Test func debugExit_writtenWide_requestsOnce() {
        let board = RecordingBoard()
        DebugExit(board: board).write(0x0102_0304, offset: 0, width: 4)
        #expect(board.requests == [.exit(status: 4)])
    }

    @Test func debugConsole_written_printsAndTellsThatItIsThere() {
        let output = RecordingPort()
        let port = DebugConsole(port: output)
        for byte in "hi\n".utf8 { port.write(UInt64(byte), offset: 0, width: 1) }
        port.write(0x41, offset: 1, width: 1)
        #expect(output.text == "hi\n")
        #expect(port.read(offset: 0, width: 1) == 0xE9)
        #expect(port.read(offset: 1, width: 1) == 0xFF)
    }

    @Test func postCode_keepsTheLastSixteenWithoutRepeats() {
        let port = PostCode()
        #expect(port.state.codes.isEmpty)
        for code in UInt64(0)..<100 {
            for _ in 0..<3 { port.write(code, offset: 0, width: 1) }
            let first = UInt8(code < 15 ? 0 : code - 15)
            #expect(port.state.codes == Array(first...UInt8(code)))
            #expect(port.read(offset: 0, width: 1) == code)
        }
        #expect(PostCode(state: port.state).state == port.state)
    }
}

@Suite struct SystemControlPortTests {
    @Test func portA_bit0Set_resetsTheProcessorsOnce() {
        let board = RecordingBoard()
        let port = SystemControlPortA(board: board)
        #expect(port.read(offset: 0, width: 1) == 0x02)
        port.write(0x02, offset: 0, width: 1)
        #expect(board.requests.isEmpty)
        port.write(0x03, offset: 0, width: 1)
        port.write(0x03, offset: 0, width: 1)
        #expect(board.requests == [.processorReset])
        port.write(0x02, offset: 0, width: 1)
        port.write(0x01, offset: 0, width: 1)
        #expect(board.requests == [.processorReset, .processorReset])
    }

    @Test func portA_written_keepsTheBitsThatExist() {
        let port = SystemControlPortA(board: RecordingBoard())
        port.write(0xFE, offset: 0, width: 1)
        #expect(port.read(offset: 0, width: 1) == 0xCA)
        #expect(SystemControlPortA(board: RecordingBoard(), state: port.state).state == port.state)
    }

    /// Linux writes the kind of reset first, and then the same with RCPU; ACPI's reset register takes 0x06 at once.
    @Test(arguments: [[UInt64(0x02), 0x06], [0x06], [0x0E], [0x0C], [0x04], [0x00, 0x04], [0x00, 0x02, 0x0E, 0x0E]])
    func resetControl_rcpuRising_resetsOnce(writes: [UInt64]) {
        let board = RecordingBoard()
        let port = ResetControl(board: board)
        for value in writes { port.write(value, offset: 0, width: 1) }
        #expect(board.requests == [writes.last == 0x04 ? .processorReset : .reset])
        #expect(port.read(offset: 0, width: 1) == writes.last)
    }

    @Test func resetControl_withoutRCPU_doesNotReset() {
        let board = RecordingBoard()
        let port = ResetControl(board: board)
        port.write(0xFB, offset: 0, width: 1)
        #expect(board.requests.isEmpty)
        #expect(port.read(offset: 0, width: 1) == 0x0A)
    }

    @Test func portB_written_keepsFourBits() {
        let port = SystemControlPortB(clock: ManualClock())
        port.write(0xFF, offset: 0, width: 1)
        #expect(port.read(offset: 0, width: 1) & 0xCF == 0x0F)
    }

    @Test func portB_withoutACounter_endsAWaitForItsOutput() {
        let port = SystemControlPortB(clock: ManualClock())
        let seen = (0..<4).map { _ in port.read(offset: 0, width: 1) & 0x20 }
        #expect(seen == [0x20, 0x00, 0x20, 0x00])
    }

    @Test func portB_withACounter_drivesItsGateAndShowsItsOutput() {
        final class Counter: TimerCounter2 {
            var gate = false
            var output = false
        }
        let counter = Counter()
        let port = SystemControlPortB(clock: ManualClock(), counter: counter)
        port.write(0x01, offset: 0, width: 1)
        #expect(counter.gate)
        #expect(port.read(offset: 0, width: 1) == 0x01)
        counter.output = true
        #expect(port.read(offset: 0, width: 1) == 0x21)
        port.write(0x00, offset: 0, width: 1)
        #expect(!counter.gate)
    }

    @Test func portB_refreshBit_changesEveryFifteenMicroseconds() {
        let clock = ManualClock()
        let port = SystemControlPortB(clock: clock)
        #expect(port.read(offset: 0, width: 1) & 0x10 == 0x00)
        clock.advance(nanoseconds: 15_085)
        #expect(port.read(offset: 0, width: 1) & 0x10 == 0x10)
        clock.advance(nanoseconds: 15_085)
        #expect(port.read(offset: 0, width: 1) & 0x10 == 0x00)
    }
}
