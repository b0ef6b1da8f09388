import Devices
import Testing

/// The receiver: FIFOs, triggers, time-out, line errors, loopback, and the host's side of the line.
@Suite struct UART16550ReceiverTests {
    typealias U = UARTBench

    // MARK: Without FIFOs

    @Test func character_withoutFIFO_raisesAndReadingClears() {
        let bench = UARTBench.listening(fifo: false)
        #expect(bench.receive("A") == 1)
        #expect(bench.line.isRaised)
        #expect(bench.read(U.iir) == 0x04)
        #expect(bench.read(U.lsr) == 0x61)
        #expect(bench.read(U.rbr) == 0x41)
        #expect(!bench.line.isRaised)
        #expect(bench.read(U.iir) == 0x01)
        #expect(bench.read(U.lsr) == 0x60)
    }

    @Test func receiver_withoutFIFO_takesOneCharacterAtATime() {
        let bench = UARTBench.listening(fifo: false)
        #expect(bench.uart.receiveCapacity == 1)
        #expect(bench.receive("AB") == 1)
        #expect(bench.uart.receiveCapacity == 0)
        #expect(bench.receive("B") == 0)
        #expect(bench.read(U.rbr) == 0x41)
        #expect(bench.receive("B") == 1)
        #expect(bench.read(U.rbr) == 0x42)
        #expect(bench.read(U.lsr) & 0x02 == 0, "nothing was overrun")
    }

    @Test func receiveBuffer_withoutData_readsTheLastCharacter() {
        let bench = UARTBench.listening()
        bench.receive("Z")
        #expect(bench.read(U.rbr) == 0x5A)
        #expect(bench.read(U.rbr) == 0x5A)
    }

    // MARK: FIFOs

    @Test func fifoEnable_isShownInIIR() {
        let bench = UARTBench()
        bench.write(U.fcr, 0x01)
        #expect(bench.read(U.iir) == 0xC1)
        bench.write(U.fcr, 0x00)
        #expect(bench.read(U.iir) == 0x01)
    }

    @Test(arguments: zip([UInt8(0), 1, 2, 3], [1, 4, 8, 14]))
    func triggerLevel_reached_turnsTimeoutIntoReceivedData(bits: UInt8, level: Int) {
        let bench = UARTBench.listening(triggerBits: bits)
        for count in 1...16 {
            bench.receive([UInt8(count)])
            #expect(bench.read(U.iir) == (count < level ? 0xCC : 0xC4), "\(count) characters")
        }
        for left in (0..<16).reversed() {
            _ = bench.read(U.rbr)
            let expected: UInt8 = left == 0 ? 0xC1 : left < level ? 0xCC : 0xC4
            #expect(bench.read(U.iir) == expected, "\(left) characters left")
            #expect(bench.line.isRaised == (left > 0))
        }
    }

    @Test func fifo_full_takesSixteenAndKeepsTheirOrder() {
        let bench = UARTBench.listening()
        let bytes = (0..<20).map { UInt8($0) }
        #expect(bench.receive(bytes) == 16)
        #expect(bench.uart.receiveCapacity == 0)
        #expect(bench.readAll() == Array(bytes[0..<16]))
    }

    @Test func fifo_usedManyTimesAround_keepsTheOrder() {
        let bench = UARTBench.listening()
        var (next, read): (UInt8, [UInt8]) = (0, [])
        for round in 0..<200 {
            for _ in 0..<(round % 5) where bench.receive([next]) == 1 { next &+= 1 }
            for _ in 0..<(round % 4) where bench.read(U.lsr) & 1 != 0 { read.append(bench.read(U.rbr)) }
        }
        read += bench.readAll()
        #expect(read.count > 200)
        #expect(read == (0..<read.count).map { UInt8(truncatingIfNeeded: $0) })
    }

    @Test func receiverFIFOReset_empties() {
        let bench = UARTBench.listening()
        bench.receive("abc")
        bench.write(U.fcr, 0x03)
        #expect(bench.read(U.lsr) == 0x60)
        #expect(!bench.line.isRaised)
        #expect(bench.uart.receiveCapacity == 16)
    }

    @Test func receiverFIFOReset_withoutTheEnableBit_turnsFIFOsOff() {
        let bench = UARTBench.listening()
        bench.receive("abc")
        bench.write(U.fcr, 0x02)
        #expect(bench.read(U.iir) & 0xC0 == 0)
        #expect(bench.read(U.lsr) == 0x60)
    }

    @Test func transmitterFIFOReset_leavesTheReceiverAlone() {
        let bench = UARTBench.listening()
        bench.receive("abc")
        bench.write(U.fcr, 0x05)
        #expect(bench.readAll() == Array("abc".utf8))
    }

    @Test func fifoControl_writtenWithTheSameEnable_keepsTheCharacters() {
        let bench = UARTBench.listening()
        bench.receive("abc")
        bench.write(U.fcr, 0x81)
        #expect(bench.read(U.iir) == 0xCC)
        #expect(bench.readAll() == Array("abc".utf8))
    }

    @Test(arguments: [(true, 0x00), (false, 0x03)] as [(Bool, UInt8)])
    func fifoEnable_changed_emptiesTheReceiver(enabledBefore: Bool, control: UInt8) {
        let bench = UARTBench.listening(fifo: enabledBefore)
        bench.receive("a")
        bench.write(U.fcr, control)
        #expect(bench.read(U.lsr) == 0x60)
    }

    /// What Linux does last when it opens the port: a character that came a moment too early is not lost.
    @Test func fifoEnable_turnedOnWhileListening_keepsTheCharacter() {
        let bench = UARTBench.listening(fifo: false)
        bench.receive("a")
        bench.write(U.fcr, 0x01)
        bench.write(U.fcr, 0x81)
        #expect(bench.readAll() == Array("a".utf8))
    }

    @Test func dataTerminalReady_orPolling_endsTheStart() {
        let bench = UARTBench()
        #expect(bench.uart.mayBeStarting)
        bench.write(U.mcr, 0x01)
        #expect(!bench.uart.mayBeStarting)
        bench.write(U.mcr, 0x00)
        for _ in 0..<16 { _ = bench.read(U.lsr) }
        #expect(!bench.uart.mayBeStarting)
    }

    @Test func fifoControl_withDLAB_isTheSameRegister() {
        let bench = UARTBench()
        bench.write(U.lcr, 0x80)
        bench.write(U.fcr, 0x01)
        #expect(bench.read(U.iir) == 0xC1)
    }

    // MARK: Priorities

    @Test func interrupts_allPending_areIdentifiedInTheManualsOrder() {
        let bench = UARTBench()
        bench.write(U.ier, 0x0F)
        bench.uart.setModemInputs([])
        bench.uart.receiveBreak()
        #expect(bench.read(U.iir) == 0x06)
        #expect(bench.read(U.iir) == 0x06, "reading IIR clears only the transmitter's interrupt")
        _ = bench.read(U.lsr)
        #expect(bench.read(U.iir) == 0x04)
        _ = bench.read(U.rbr)
        #expect(bench.read(U.iir) == 0x02)
        #expect(bench.read(U.iir) == 0x00)
        _ = bench.read(U.msr)
        #expect(bench.read(U.iir) == 0x01)
        #expect(!bench.line.isRaised)
        #expect(bench.line.edges == 1, "the line stayed up in between")
    }

    @Test(arguments: [UInt8(0x01), 0x02, 0x04, 0x08])
    func interrupt_disabled_isNotReported(bit: UInt8) {
        let bench = UARTBench()
        bench.write(U.ier, 0x0F)
        bench.uart.setModemInputs([])
        bench.uart.receiveBreak()
        let identification: [UInt8: UInt8] = [0x01: 0x04, 0x02: 0x02, 0x04: 0x06, 0x08: 0x00]
        bench.write(U.ier, 0x0F & ~bit)
        for clear in [U.lsr, U.rbr, U.iir, U.msr] {
            #expect(bench.read(U.iir) != identification[bit])
            _ = bench.read(clear)
        }
    }

    @Test func receivedDataInterrupt_enabledAfterArrival_isRaised() {
        let bench = UARTBench.listening()
        bench.receive("a")
        bench.write(U.ier, 0x00)
        #expect(!bench.line.isRaised)
        bench.write(U.ier, 0x01)
        #expect(bench.line.isRaised)
    }

    // MARK: Line errors

    @Test func break_fromTheHost_isANullWithBI() {
        let bench = UARTBench.listening(fifo: false)
        bench.write(U.ier, 0x05)
        #expect(bench.uart.receiveBreak())
        #expect(bench.read(U.iir) == 0x06)
        #expect(bench.read(U.lsr) == 0x71)
        #expect(bench.read(U.lsr) == 0x61, "reading LSR cleared BI")
        #expect(bench.read(U.rbr) == 0x00)
    }

    @Test func break_behindOtherCharacters_isShownWhenItsTurnComes() {
        let bench = UARTBench.listening()
        bench.receive("a")
        bench.uart.receiveBreak()
        bench.receive("b")
        #expect(bench.read(U.lsr) == 0xE1, "an error somewhere in the FIFO, but not of the first character")
        #expect(bench.read(U.rbr) == 0x61)
        #expect(bench.read(U.lsr) == 0xF1)
        #expect(bench.read(U.lsr) == 0x61)
        #expect(bench.read(U.rbr) == 0x00)
        #expect(bench.read(U.lsr) == 0x61)
        #expect(bench.read(U.rbr) == 0x62)
    }

    @Test func break_withoutRoom_isRefused() {
        let bench = UARTBench.listening(fifo: false)
        bench.receive("a")
        #expect(!bench.uart.receiveBreak())
        #expect(bench.readAll() == [0x61])
    }

    @Test func break_droppedByAFIFOReset_isNotShown() {
        let bench = UARTBench.listening()
        bench.uart.receiveBreak()
        bench.write(U.fcr, 0x03)
        #expect(bench.read(U.lsr) == 0x60)
    }

    @Test func lineStatus_withEverythingSet_isNeverAllOnes() {
        let bench = UARTBench.listening()
        bench.uart.receiveBreak()
        bench.write(U.mcr, 0x10)
        for _ in 0..<17 { bench.write(U.thr, 0xFF) }
        let status = bench.read(U.lsr)
        #expect(status == 0xF3)
    }

    // MARK: Loopback

    @Test func loopback_character_comesBackAndDoesNotGoOut() {
        let bench = UARTBench()
        bench.write(U.mcr, 0x10)
        bench.write(U.thr, 0xA5)
        #expect(bench.read(U.lsr) == 0x61)
        #expect(bench.read(U.rbr) == 0xA5)
        #expect(bench.port.bytes.isEmpty)
    }

    @Test func loopback_secondCharacterWithoutFIFO_overwritesAndSetsOverrun() {
        let bench = UARTBench()
        bench.write(U.ier, 0x04)
        bench.write(U.mcr, 0x10)
        bench.write(U.thr, 0x01)
        bench.write(U.thr, 0x02)
        #expect(bench.read(U.iir) == 0x06)
        #expect(bench.read(U.lsr) == 0x63)
        #expect(bench.read(U.lsr) == 0x61)
        #expect(bench.read(U.rbr) == 0x02)
    }

    @Test func loopback_seventeenthCharacterWithFIFO_isLostAndSetsOverrun() {
        let bench = UARTBench()
        bench.write(U.fcr, 0x01)
        bench.write(U.mcr, 0x10)
        for byte in UInt8(0)..<17 { bench.write(U.thr, byte) }
        #expect(bench.read(U.lsr) == 0x63)
        #expect(bench.readAll() == Array(0..<16))
    }

    @Test(arguments: zip([UInt8(0x01), 0x02, 0x04, 0x08], [UInt8(0x20), 0x10, 0x40, 0x80]))
    func loopback_modemOutput_appearsAsInput(output: UInt8, input: UInt8) {
        let bench = UARTBench()
        bench.write(U.mcr, 0x10 | output)
        #expect(bench.read(U.msr) & 0xF0 == input)
    }

    @Test func loopback_modemOutputChange_interrupts() {
        let bench = UARTBench()
        bench.write(U.mcr, 0x10)
        _ = bench.read(U.msr)
        bench.write(U.ier, 0x08)
        bench.write(U.mcr, 0x14)
        #expect(!bench.line.isRaised, "RI counts when it ends")
        bench.write(U.mcr, 0x10)
        #expect(bench.line.isRaised)
        #expect(bench.read(U.msr) == 0x04)
    }

    @Test func loopback_outerModemLines_areNotSeenUntilItEnds() {
        let bench = UARTBench()
        bench.write(U.mcr, 0x10)
        _ = bench.read(U.msr)
        bench.uart.setModemInputs([.ringIndicator])
        #expect(bench.read(U.msr) == 0x00)
        bench.write(U.mcr, 0x00)
        #expect(bench.read(U.msr) == 0x40)
    }

    @Test func loopback_hostInput_waitsUntilItEnds() {
        let bench = UARTBench.listening()
        bench.write(U.mcr, 0x10)
        let paste = Paste(Array("abc".utf8), into: bench.uart)
        bench.uart.source = paste
        paste.offer()
        #expect(paste.rest.count == 3)
        bench.write(U.mcr, 0x00)
        #expect(paste.rest.isEmpty)
        #expect(bench.readAll() == Array("abc".utf8))
    }

    // MARK: The host's side

    @Test func hostInput_beforeTheGuestListens_isKeptByTheHost() {
        let bench = UARTBench()
        #expect(bench.uart.receiveCapacity == 0)
        #expect(bench.receive("ls\n") == 0)
        #expect(!bench.uart.receiveBreak())
        #expect(bench.read(U.lsr) == 0x60)
    }

    @Test func hostInput_whenInterruptIsEnabled_isAskedFor() {
        let bench = UARTBench()
        let paste = Paste(Array("ls\n".utf8), into: bench.uart)
        bench.uart.source = paste
        paste.offer()
        bench.write(U.fcr, 0x01)
        #expect(paste.calls == 0)
        bench.write(U.ier, 0x01)
        #expect(paste.calls == 1)
        #expect(bench.line.isRaised)
        #expect(bench.readAll() == Array("ls\n".utf8))
    }

    @Test func hostInput_whenTheGuestPollsWithoutInterrupts_isAskedFor() {
        let bench = UARTBench()
        let paste = Paste(Array("echo".utf8), into: bench.uart)
        bench.uart.source = paste
        var read: [UInt8] = []
        for _ in 0..<100 where bench.read(U.lsr) & 1 != 0 {
            let byte = bench.read(U.rbr)
            while bench.read(U.lsr) & 0x20 == 0 {}
            bench.write(U.thr, byte)
            read.append(byte)
        }
        #expect(read == Array("echo".utf8))
        #expect(bench.port.text == "echo")
    }

    @Test func hostInput_whileTheGuestOnlySends_isNotTaken() {
        let bench = UARTBench()
        for byte in "early console".utf8 {
            while bench.read(U.lsr) & 0x20 == 0 {}
            bench.write(U.thr, byte)
        }
        #expect(!bench.uart.isListening)
    }

    @Test func hostInput_whileADriverCleansUp_isNotTaken() {
        let bench = UARTBench()
        for _ in 0..<3 {
            for offset in [U.lsr, U.rbr, U.iir, U.msr] { _ = bench.read(offset) }
            #expect(!bench.uart.isListening)
        }
    }

    @Test(arguments: [UInt64(1), 2, 3, 4])
    func polling_endsWhenThePortIsSetUpAnew(register: UInt64) {
        let bench = UARTBench()
        for _ in 0..<16 { _ = bench.read(U.lsr) }
        #expect(bench.uart.isListening)
        bench.write(register, 0)
        #expect(!bench.uart.isListening)
    }

    @Test(arguments: [false, true])
    func paste_ofManyKilobytes_arrivesCompleteAndInOrder(fifo: Bool) {
        let bench = UARTBench.listening(fifo: fifo, triggerBits: 2)
        let bytes = (0..<5_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let paste = Paste(bytes, into: bench.uart)
        bench.uart.source = paste
        paste.offer()
        var read: [UInt8] = []
        while bench.line.isRaised, read.count < 6_000 {
            _ = bench.read(U.iir)
            while bench.read(U.lsr) & 1 != 0 { read.append(bench.read(U.rbr)) }
        }
        #expect(read == bytes)
        #expect(paste.calls <= (fifo ? 5_000 / 16 + 1 : 5_000), "one call for a FIFO's worth")
    }

    @Test func paste_whileTheConsoleDriverTurnsInterruptsOffAndOn_losesNothing() {
        let bench = UARTBench.listening()
        let bytes = (0..<1_000).map { UInt8(truncatingIfNeeded: $0) }
        let paste = Paste(bytes, into: bench.uart)
        bench.uart.source = paste
        paste.offer()
        var read: [UInt8] = []
        for _ in 0..<1_000 {
            bench.write(U.ier, 0x00)
            bench.write(U.thr, 0x2E)
            _ = bench.read(U.lsr)
            bench.write(U.ier, 0x01)
            if bench.read(U.lsr) & 1 != 0 { read.append(bench.read(U.rbr)) }
        }
        #expect(read == bytes)
    }

    @Test func source_isToldOnceForEachTimeTheReceiverBecomesEmpty() {
        let bench = UARTBench.listening()
        let idle = Paste([], into: bench.uart)
        bench.uart.source = idle
        bench.receive("abc")
        _ = bench.read(U.rbr)
        _ = bench.read(U.rbr)
        #expect(idle.calls == 0)
        _ = bench.read(U.rbr)
        #expect(idle.calls == 1)
        _ = bench.read(U.lsr)
        _ = bench.read(U.iir)
        #expect(idle.calls == 1)
    }
}
