import Devices
import Testing

@Suite struct KeyboardControllerTests {
    /// A controller, its wires, and the two ports by their numbers on a PC.
    final class Bench {
        let board = RecordingBoard()
        let keyboardLine = RecordingLine()
        let auxiliaryLine = RecordingLine()
        let controller: KeyboardController

        init(state: KeyboardController.State = .init()) {
            controller = KeyboardController(
                board: board, keyboardInterrupt: keyboardLine, auxiliaryInterrupt: auxiliaryLine, state: state)
        }

        func read(_ port: UInt64) -> UInt8 {
            UInt8(truncatingIfNeeded: controller.read(offset: port - 0x60, width: 1))
        }
        func write(_ port: UInt64, _ byte: UInt8) {
            controller.write(UInt64(byte), offset: port - 0x60, width: 1)
        }
        /// Sends a command and reads its answer as Linux does: only if OBF says that there is one.
        func ask(_ command: UInt8, _ parameter: UInt8? = nil) -> UInt8? {
            write(0x64, command)
            if let parameter { write(0x60, parameter) }
            guard read(0x64) & 0x01 != 0 else { return nil }
            return read(0x60)
        }
    }

    @Test func status_afterPowerOn_isReadyAndEmptyAndUnlocked() {
        let bench = Bench()
        #expect(bench.read(0x64) == 0x14)
        #expect(bench.read(0x64) & 0x03 == 0, "neither input nor output buffer full")
    }

    @Test(arguments: [
        (UInt8(0x20), UInt8(0x65)), (0xAA, 0x55), (0xAB, 0x00), (0xA4, 0xF1), (0xC0, 0xA0), (0xD0, 0x13), (0xE0, 0x00),
    ])
    func command_withAnAnswer_answersAtOnce(command: UInt8, answer: UInt8) {
        let bench = Bench()
        bench.write(0x64, command)
        // The output port shows its own OBF only once an answer waits, so 0xD0 is asked with one waiting.
        if command == 0xD0 { bench.write(0x64, command) }
        #expect(bench.read(0x64) & 0x01 != 0)
        #expect(bench.read(0x60) == answer)
        #expect(bench.read(0x64) & 0x01 == 0)
    }

    @Test(arguments: [UInt8(0x00), 0x80, 0xA1, 0xB0, 0xC5, 0xD8, 0xE5])
    func command_unknown_isIgnored(command: UInt8) {
        let bench = Bench()
        #expect(bench.ask(command) == nil)
        #expect(bench.board.requests.isEmpty)
    }

    @Test func status_tellsCommandsFromData() {
        let bench = Bench()
        bench.write(0x64, 0x60)
        #expect(bench.read(0x64) & 0x08 != 0)
        bench.write(0x60, 0x44)
        #expect(bench.read(0x64) & 0x08 == 0)
    }

    @Test func commandByte_written_readsBack() {
        let bench = Bench()
        bench.write(0x64, 0x60)
        bench.write(0x60, 0x30)
        #expect(bench.ask(0x20) == 0x30)
        #expect(bench.read(0x64) & 0x04 == 0, "the system flag follows the command byte")
        #expect(bench.ask(0xAA) == 0x55)
        #expect(bench.read(0x64) & 0x04 != 0, "the self test sets it")
    }

    @Test func memory_everyByte_readsBack() {
        let bench = Bench()
        for address in UInt8(1)...31 {
            bench.write(0x64, 0x60 + address)
            bench.write(0x60, address &* 7)
        }
        for address in UInt8(1)...31 {
            #expect(bench.ask(0x20 + address) == address &* 7)
        }
        #expect(bench.ask(0x20) == 0x65)
    }

    @Test(arguments: [(UInt8(0xAD), UInt8(0x10), true), (0xAE, 0x10, false), (0xA7, 0x20, true), (0xA8, 0x20, false)])
    func disableAndEnable_changeTheCommandByte(command: UInt8, bit: UInt8, isSet: Bool) {
        let bench = Bench()
        bench.write(0x64, command)
        #expect((bench.ask(0x20).map { $0 & bit != 0 }) == isSet)
    }

    // MARK: Reset and A20

    @Test(arguments: Array(UInt8(0xF0)...0xFF))
    func pulse_resetsWhenBit0IsLow(command: UInt8) {
        let bench = Bench()
        bench.write(0x64, command)
        #expect(bench.board.requests == (command & 1 == 0 ? [.processorReset] : []))
    }

    @Test func outputPort_bit0Cleared_resets() {
        let bench = Bench()
        bench.write(0x64, 0xD1)
        bench.write(0x60, 0xDF)
        #expect(bench.board.requests.isEmpty)
        bench.write(0x64, 0xD1)
        bench.write(0x60, 0xDE)
        #expect(bench.board.requests == [.processorReset])
    }

    @Test func a20_asAGuestSetsIt_readsBack() {
        let bench = Bench()
        // As xv6's boot sector does: wait for IBF to be clear, 0xD1, wait, 0xDF.
        #expect(bench.read(0x64) & 0x02 == 0)
        bench.write(0x64, 0xD1)
        #expect(bench.read(0x64) & 0x02 == 0)
        bench.write(0x60, 0xDF)
        #expect((bench.ask(0xD0).map { $0 & 0x02 }) == 0x02)
        bench.write(0x64, 0xDD)
        #expect((bench.ask(0xD0).map { $0 & 0x02 }) == 0x00)
        bench.write(0x64, 0xDF)
        #expect((bench.ask(0xD0).map { $0 & 0x02 }) == 0x02)
    }

    // MARK: Without keyboard and mouse

    @Test func byteForTheKeyboard_timesOutAtOnce() {
        let bench = Bench()
        bench.write(0x60, 0xF2)
        #expect(bench.read(0x64) & 0x61 == 0x41, "output buffer full, from the keyboard, time-out")
        #expect(bench.keyboardLine.isRaised)
        #expect(bench.read(0x60) == 0xFE)
        #expect(!bench.keyboardLine.isRaised)
        #expect(bench.read(0x64) & 0x41 == 0)
    }

    @Test func byteForTheMouse_timesOutAtOnce() {
        let bench = Bench()
        bench.write(0x64, 0x60)
        bench.write(0x60, 0x47)
        bench.write(0x64, 0xD4)
        bench.write(0x60, 0xF2)
        #expect(bench.read(0x64) & 0x61 == 0x61)
        #expect(bench.auxiliaryLine.isRaised)
        #expect(!bench.keyboardLine.isRaised)
        #expect(bench.read(0x60) == 0xFE)
        #expect(!bench.auxiliaryLine.isRaised)
    }

    /// Linux's probe: it reads and writes the command byte, tests the controller, and looks for an auxiliary port. Where
    /// an answer does not come, it waits half a second by ten thousand reads of the status.
    @Test func linuxProbe_isAnsweredAtEachStepAndFindsNoAuxiliaryPort() {
        let bench = Bench()
        #expect(bench.ask(0x20) == 0x65)
        #expect(bench.read(0x64) & 0x10 != 0, "else Linux warns of a keylock")
        bench.write(0x64, 0x60)
        bench.write(0x60, 0x74)
        #expect(bench.ask(0xAA) == 0x55)
        let loop = bench.ask(0xD3, 0x5A)
        #expect(loop != nil && loop != 0x5A)
        let test = bench.ask(0xA9)
        #expect(test != nil && ![0x00, 0xFA, 0xFF].contains(test))
    }

    @Test func keyboardOutputBuffer_written_comesBackWithAnInterrupt() {
        let bench = Bench()
        bench.write(0x64, 0xD2)
        bench.write(0x60, 0x1C)
        #expect(bench.keyboardLine.isRaised)
        #expect(bench.read(0x64) & 0x61 == 0x01)
        #expect(bench.read(0x60) == 0x1C)
    }

    @Test func interrupt_disabledInTheCommandByte_staysOffUntilEnabled() {
        let bench = Bench()
        bench.write(0x64, 0x60)
        bench.write(0x60, 0x44)
        bench.write(0x60, 0xED)
        #expect(!bench.keyboardLine.isRaised)
        bench.write(0x64, 0x60)
        bench.write(0x60, 0x45)
        #expect(bench.keyboardLine.isRaised)
    }

    @Test func command_betweenCommandAndParameter_dropsTheFirst() {
        let bench = Bench()
        bench.write(0x64, 0xD1)
        bench.write(0x64, 0xAE)
        bench.write(0x60, 0x00)
        #expect(bench.board.requests.isEmpty)
    }

    @Test func otherOffsets_readAllOnes() {
        let bench = Bench()
        #expect(bench.read(0x61) == 0xFF)
        bench.write(0x61, 0xFE)
        #expect(bench.board.requests.isEmpty)
    }

    @Test func state_restoredElsewhere_goesOnTheSame() {
        let bench = Bench()
        bench.write(0x64, 0x65)
        bench.write(0x60, 0x99)
        bench.write(0x60, 0xF2)
        bench.write(0x64, 0x66)
        let copy = Bench(state: bench.controller.state)
        #expect(copy.controller.state == bench.controller.state)
        #expect(copy.keyboardLine.isRaised)
        #expect(copy.read(0x60) == 0xFE)
        copy.write(0x60, 0x42)
        #expect(copy.ask(0x26) == 0x42)
        #expect(copy.ask(0x25) == 0x99)
        copy.controller.reset()
        #expect(copy.controller.state == Bench().controller.state)
    }

    @Test func repeatInterrupt_isAnEdgeOnlyForAByteThatWasNotRead() {
        let bench = Bench()
        bench.controller.repeatInterrupt()
        #expect(bench.keyboardLine.edges == 0)
        bench.write(0x64, 0xD2)
        bench.write(0x60, 0x1E)
        #expect(bench.keyboardLine.edges == 1 && bench.controller.holdsByte)
        bench.controller.repeatInterrupt()
        #expect(bench.keyboardLine.edges == 2 && bench.keyboardLine.isRaised)
        #expect(bench.read(0x60) == 0x1E)
        bench.controller.repeatInterrupt()
        #expect(bench.keyboardLine.edges == 2 && !bench.controller.holdsByte)
    }
}
