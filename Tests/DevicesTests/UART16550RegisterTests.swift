import Devices
import Testing

/// Registers, divisor latch, transmitter and modem lines.
@Suite struct UART16550RegisterTests {
    typealias U = UARTBench

    @Test func registers_afterPowerOn_holdTheManualsValues() {
        let bench = UARTBench()
        #expect(bench.read(U.ier) == 0x00)
        #expect(bench.read(U.iir) == 0x01)
        #expect(bench.read(U.lcr) == 0x00)
        #expect(bench.read(U.mcr) == 0x00)
        #expect(bench.read(U.lsr) == 0x60)
        #expect(bench.read(U.msr) & 0x0F == 0x00)
        #expect(!bench.line.isRaised)
    }

    @Test(arguments: [UInt8(0x00), 0x01, 0x55, 0xAA, 0xFF])
    func scratch_written_readsBack(value: UInt8) {
        let bench = UARTBench()
        bench.write(U.scr, value)
        #expect(bench.read(U.scr) == value)
    }

    @Test func interruptEnable_writtenAllOnes_keepsFourBits() {
        let bench = UARTBench()
        bench.write(U.ier, 0xFF)
        #expect(bench.read(U.ier) == 0x0F)
    }

    @Test func modemControl_writtenAllOnes_keepsFiveBits() {
        let bench = UARTBench()
        bench.write(U.mcr, 0xFF)
        #expect(bench.read(U.mcr) == 0x1F)
    }

    @Test func lineControl_written_readsBack() {
        let bench = UARTBench()
        for value in UInt8.min...UInt8.max {
            bench.write(U.lcr, value)
            #expect(bench.read(U.lcr) == value)
        }
    }

    @Test func statusRegisters_written_doNotChange() {
        let bench = UARTBench()
        bench.write(U.lsr, 0x1F)
        bench.write(U.msr, 0x0F)
        #expect(bench.read(U.lsr) == 0x60)
        #expect(bench.read(U.msr) == 0xB0)
    }

    @Test(arguments: [UInt64(8), 9, 255, .max])
    func offset_beyondTheEighthRegister_readsAllOnesAndIgnoresWrites(offset: UInt64) {
        let bench = UARTBench()
        let before = bench.uart.state
        bench.write(offset, 0x5A)
        #expect(bench.read(offset) == 0xFF)
        #expect(bench.uart.state == before)
    }

    // MARK: Divisor latch

    @Test func divisorLatch_withDLAB_readsBackAndTouchesNeitherTHRNorIER() {
        let bench = UARTBench()
        bench.write(U.lcr, 0x83)
        bench.write(U.dll, 0x34)
        bench.write(U.dlm, 0x12)
        #expect(bench.read(U.dll) == 0x34)
        #expect(bench.read(U.dlm) == 0x12)
        #expect(bench.uart.state.divisorLatch == 0x1234)
        bench.write(U.lcr, 0x03)
        #expect(bench.read(U.ier) == 0)
        #expect(bench.port.bytes.isEmpty)
    }

    @Test func divisorLatch_withDLAB_leavesReceivedDataAlone() {
        let bench = UARTBench.listening()
        bench.receive("A")
        bench.write(U.lcr, 0x83)
        _ = bench.read(U.dll)
        bench.write(U.lcr, 0x03)
        #expect(bench.readAll() == [0x41])
    }

    @Test func interruptEnable_withDLAB_keepsItsValue() {
        let bench = UARTBench()
        bench.write(U.ier, 0x05)
        bench.write(U.lcr, 0x80)
        bench.write(U.dlm, 0x0A)
        bench.write(U.lcr, 0x00)
        #expect(bench.read(U.ier) == 0x05)
    }

    // MARK: Transmitter

    @Test func transmit_text_arrivesInOrder() {
        let bench = UARTBench()
        for byte in "Hello, world\n".utf8 { bench.write(U.thr, byte) }
        #expect(bench.port.text == "Hello, world\n")
        #expect(bench.read(U.lsr) == 0x60)
    }

    @Test func transmit_withFiveDataBits_isNotCut() {
        let bench = UARTBench()
        bench.write(U.lcr, 0x00)
        bench.write(U.thr, 0xE9)
        #expect(bench.port.bytes == [0xE9])
    }

    @Test func transmitInterrupt_enabledWhileEmpty_isRaised() {
        let bench = UARTBench()
        bench.write(U.ier, 0x02)
        #expect(bench.line.isRaised)
        #expect(bench.read(U.iir) == 0x02)
    }

    @Test func transmitInterrupt_identified_isCleared() {
        let bench = UARTBench()
        bench.write(U.ier, 0x02)
        _ = bench.read(U.iir)
        #expect(!bench.line.isRaised)
        #expect(bench.read(U.iir) == 0x01)
    }

    @Test func transmitInterrupt_enabledAgainWithoutHavingBeenDisabled_staysCleared() {
        let bench = UARTBench()
        bench.write(U.ier, 0x02)
        _ = bench.read(U.iir)
        bench.write(U.ier, 0x03)
        #expect(!bench.line.isRaised)
    }

    @Test func transmitInterrupt_disabledAndEnabled_isRaisedAgain() {
        let bench = UARTBench()
        bench.write(U.ier, 0x02)
        _ = bench.read(U.iir)
        bench.write(U.ier, 0x00)
        bench.write(U.ier, 0x02)
        #expect(bench.line.isRaised)
    }

    @Test func transmitInterrupt_afterACharacter_isRaised() {
        let bench = UARTBench()
        bench.write(U.ier, 0x02)
        _ = bench.read(U.iir)
        bench.write(U.thr, 0x41)
        #expect(bench.line.isRaised)
        #expect(bench.read(U.iir) == 0x02)
    }

    @Test func transmitInterrupt_notEnabled_staysOff() {
        let bench = UARTBench()
        bench.write(U.thr, 0x41)
        #expect(!bench.line.isRaised)
        #expect(bench.read(U.iir) == 0x01)
    }

    @Test func transmitInterrupt_notIdentifiedBetweenCharacters_makesAnEdgeForEach() {
        // A driver that never reads IIR, without FIFOs, behind an edge-triggered interrupt controller.
        let bench = UARTBench()
        bench.write(U.ier, 0x02)
        let edges = bench.line.edges
        for byte in "abc".utf8 { bench.write(U.thr, byte) }
        #expect(bench.line.edges == edges + 3)
    }

    @Test func transmitInterrupt_forSixteenCharactersIntoTheFIFO_changesTheLineOnce() {
        let bench = UARTBench()
        bench.write(U.fcr, 0x01)
        bench.write(U.ier, 0x02)
        _ = bench.read(U.iir)
        let changes = bench.line.changes
        for _ in 0..<16 { bench.write(U.thr, 0x2E) }
        #expect(bench.line.changes == changes + 1)
        bench.write(U.thr, 0x2E)
        #expect(bench.line.edges == 3)
        #expect(bench.port.bytes.count == 17)
    }

    // MARK: Modem lines

    @Test func modemStatus_ofATerminal_showsAllLinesButRing() {
        #expect(UARTBench().read(U.msr) == 0xB0)
    }

    @Test(arguments: [
        (UART16550.ModemStatus.clearToSend, UInt8(0x01)), (.dataSetReady, 0x02), (.dataCarrierDetect, 0x08),
    ])
    func modemLine_changed_marksItUntilMSRIsRead(line: UART16550.ModemStatus, delta: UInt8) {
        let bench = UARTBench()
        let lines = bench.uart.state.modemInputs
        bench.uart.setModemInputs(lines.subtracting(line))
        #expect(bench.read(U.msr) == lines.subtracting(line).rawValue | delta)
        #expect(bench.read(U.msr) == lines.subtracting(line).rawValue)
        bench.uart.setModemInputs(lines)
        #expect(bench.read(U.msr) == lines.rawValue | delta)
    }

    @Test func ringIndicator_marksOnlyItsEnd() {
        let bench = UARTBench()
        let lines = bench.uart.state.modemInputs
        bench.uart.setModemInputs(lines.union(.ringIndicator))
        #expect(bench.read(U.msr) == 0xF0)
        bench.uart.setModemInputs(lines)
        #expect(bench.read(U.msr) == 0xB4)
    }

    @Test func modemInputs_givenWithMarks_takeOnlyTheLines() {
        let bench = UARTBench()
        bench.uart.setModemInputs(UART16550.ModemStatus(rawValue: 0xBF))
        #expect(bench.read(U.msr) == 0xB0)
    }

    @Test func modemInterrupt_raisedByAChange_isClearedByReadingMSR() {
        let bench = UARTBench()
        bench.write(U.ier, 0x08)
        bench.uart.setModemInputs([.dataSetReady, .dataCarrierDetect])
        #expect(bench.line.isRaised)
        #expect(bench.read(U.iir) == 0x00)
        #expect(bench.line.isRaised, "reading IIR does not clear it")
        _ = bench.read(U.msr)
        #expect(!bench.line.isRaised)
        #expect(bench.read(U.iir) == 0x01)
    }

    @Test func modemOutputs_changedOutsideLoopback_doNotChangeMSR() {
        let bench = UARTBench()
        bench.write(U.mcr, 0x0F)
        #expect(bench.read(U.msr) == 0xB0)
    }

    @Test func interrupt_withOut2Clear_isStillRaised() {
        let bench = UARTBench.listening(fifo: false)
        bench.write(U.mcr, 0x00)
        bench.receive("x")
        #expect(bench.line.isRaised)
    }

    @Test func setBreak_isSeenOutsideLoopbackOnly() {
        let bench = UARTBench()
        bench.write(U.lcr, 0x43)
        #expect(bench.uart.isSendingBreak)
        bench.write(U.mcr, 0x10)
        #expect(!bench.uart.isSendingBreak)
        bench.write(U.mcr, 0x00)
        bench.write(U.lcr, 0x03)
        #expect(!bench.uart.isSendingBreak)
    }

    // MARK: Wide accesses, reset, saved state

    @Test func wideAccess_actsOnOneRegisterAfterTheOther() {
        let bench = UARTBench()
        bench.write(U.lcr, 0x80)
        bench.uart.write(0x0102, offset: U.dll, width: 2)
        #expect(bench.uart.state.divisorLatch == 0x0102)
        #expect(bench.uart.read(offset: U.dll, width: 2) == 0x0102)
        bench.write(U.scr, 0x77)
        #expect(bench.uart.read(offset: U.msr, width: 4) == 0xFFFF_77B0)
    }

    @Test func reset_keepsOnlyDivisorScratchAndOuterLines() {
        let bench = UARTBench.listening(triggerBits: 2)
        bench.uart.setModemInputs([.clearToSend])
        bench.receive("abc")
        bench.write(U.scr, 0x42)
        bench.write(U.lcr, 0x80)
        bench.write(U.dll, 0x03)
        bench.write(U.mcr, 0x0B)
        #expect(bench.line.isRaised)
        bench.uart.reset()
        #expect(!bench.line.isRaised)
        var expected = UART16550.State()
        expected.scratch = 0x42
        expected.divisorLatch = 3
        expected.modemInputs = [.clearToSend]
        #expect(bench.uart.state == expected)
    }

    @Test func state_restoredElsewhere_goesOnTheSame() {
        let bench = UARTBench.listening(triggerBits: 3)
        bench.receive("hello")
        _ = bench.read(U.rbr)
        bench.uart.receiveBreak()
        let copy = UARTBench(state: bench.uart.state)
        #expect(copy.line.isRaised)
        #expect(copy.uart.state == bench.uart.state)
        for _ in 0..<6 {
            for offset in [U.iir, U.lsr, U.rbr] {
                #expect(copy.read(offset) == bench.read(offset))
            }
        }
        #expect(copy.line.isRaised == bench.line.isRaised)
    }

    @Test func state_withImpossibleBits_isRestoredWithoutThem() {
        var state = UART16550.State()
        state.lineErrors = UART16550.LineStatus(rawValue: 0xFF)
        state.interruptEnable = UART16550.InterruptEnable(rawValue: 0xFF)
        state.modemControl = UART16550.ModemControl(rawValue: 0xFF)
        let bench = UARTBench(state: state)
        #expect(bench.read(U.ier) == 0x0F)
        #expect(bench.read(U.mcr) == 0x1F)
        #expect(bench.read(U.lsr) != 0xFF)
    }
}
