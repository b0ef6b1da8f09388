import Devices
import Testing

/// The port as drivers see it: each test walks through what one does, register by register.
@Suite struct UART16550DriverTests {
    typealias U = UARTBench

    /// Linux's probe of an 8250 family chip decides here that there is a 16550A and nothing newer.
    @Test func linuxProbe_findsA16550AAndNothingNewer() {
        let bench = UARTBench()

        // Is there a chip at all? IER must take 0 and then its four bits.
        bench.write(U.ier, 0x00)
        #expect(bench.read(U.ier) & 0x0F == 0x00)
        bench.write(U.ier, 0x0F)
        #expect(bench.read(U.ier) & 0x0F == 0x0F)
        bench.write(U.ier, 0x00)

        // Does loopback work? OUT 2 and RTS must come back as DCD and CTS, and nothing else.
        let savedMCR = bench.read(U.mcr)
        bench.write(U.mcr, 0x1A)
        #expect(bench.read(U.msr) & 0xF0 == 0x90)
        bench.write(U.mcr, savedMCR)

        // Which family? With FIFOs on, the two top bits of IIR tell: both set is the 16550A's.
        bench.write(U.lcr, 0xBF)
        bench.write(U.fcr, 0x00)
        bench.write(U.lcr, 0x00)
        bench.write(U.fcr, 0x01)
        #expect(bench.read(U.iir) >> 6 == 3)

        // A 16650 has an enhanced feature register at offset 2 that reads 0 under these two values of LCR.
        for lcr in [UInt8(0x80), 0xBF] {
            bench.write(U.lcr, lcr)
            #expect(bench.read(U.fcr) != 0x00)
        }

        // National's super I/O chip shows its loopback bit at offset 2 when LCR is 0xE0.
        bench.write(U.lcr, 0x00)
        let mcr = bench.read(U.mcr)
        bench.write(U.lcr, 0xE0)
        let bank2 = bench.read(U.fcr)
        bench.write(U.lcr, 0x00)
        bench.write(U.mcr, mcr ^ 0x10)
        bench.write(U.lcr, 0xE0)
        let bank2Looped = bench.read(U.fcr)
        bench.write(U.lcr, 0x00)
        bench.write(U.mcr, mcr)
        #expect((bank2 ^ mcr) & 0x10 != 0 || (bank2Looped ^ mcr) & 0x10 == 0)

        // A 16750 has a 64-byte mode, switched by FCR bit 5 while DLAB is set and shown in IIR bit 5.
        bench.write(U.fcr, 0x21)
        #expect(bench.read(U.iir) >> 5 == 6)
        bench.write(U.fcr, 0x01)
        bench.write(U.lcr, 0x80)
        bench.write(U.fcr, 0x21)
        #expect(bench.read(U.iir) >> 5 == 6)
        bench.write(U.fcr, 0x01)
        bench.write(U.lcr, 0x00)

        // An XScale port has a unit enable bit in IER that can be set.
        bench.write(U.ier, 0x40)
        #expect(bench.read(U.ier) & 0x40 == 0)
        bench.write(U.ier, 0x00)

        // How long is the FIFO? 256 characters go in by loopback, and as many come out as it holds.
        bench.write(U.fcr, 0x07)
        bench.write(U.mcr, 0x10)
        bench.write(U.lcr, 0x83)
        bench.write(U.dll, 0x01)
        bench.write(U.dlm, 0x00)
        bench.write(U.lcr, 0x03)
        for character in UInt8.min...UInt8.max { bench.write(U.thr, character) }
        #expect(bench.readAll().count == 16)
        bench.write(U.fcr, 0x01)
        bench.write(U.mcr, 0x00)
        #expect(bench.port.bytes.isEmpty, "none of it went out")
    }

    /// Opening the port: FIFOs and stale interrupts are cleared, the transmitter interrupt is tried out twice.
    @Test func linuxStartUp_trustsTheTransmitterInterruptAndKeepsTypedAheadInput() {
        let bench = UARTBench()
        let paste = Paste(Array("echo typed ahead\n".utf8), into: bench.uart)
        bench.uart.source = paste
        paste.offer()

        for control in [UInt8(0x01), 0x07, 0x00] { bench.write(U.fcr, control) }
        for offset in [U.lsr, U.rbr, U.iir, U.msr] { _ = bench.read(offset) }
        #expect(bench.read(U.lsr) != 0xFF)

        // First test: the interrupt comes when it is enabled, and again when it is enabled a second time.
        var identified: [UInt8] = []
        for _ in 0..<2 {
            bench.write(U.ier, 0x02)
            identified.append(bench.read(U.iir))
            bench.write(U.ier, 0x00)
        }
        #expect(identified.allSatisfy { $0 & 0x01 == 0 }, "else Linux polls by a timer")

        bench.write(U.lcr, 0x03)
        bench.write(U.mcr, 0x08)
        // Second test: with the transmitter empty, enabling must interrupt.
        bench.write(U.ier, 0x02)
        #expect(bench.read(U.lsr) & 0x40 != 0)
        #expect(bench.read(U.iir) & 0x01 == 0, "else Linux works around a bug of the chip")
        bench.write(U.ier, 0x00)
        for offset in [U.lsr, U.rbr, U.iir, U.msr] { _ = bench.read(offset) }

        // Now the driver is ready, with a trigger level of 8.
        bench.write(U.fcr, 0x81)
        bench.write(U.ier, 0x05)
        #expect(bench.line.isRaised)
        var line: [UInt8] = []
        while bench.read(U.iir) & 0x01 == 0 { line += bench.readAll() }
        #expect(String(decoding: line, as: UTF8.self) == "echo typed ahead\n")
    }

    /// The interrupt handler sends sixteen characters per interrupt until its buffer is empty.
    @Test func linuxTransmission_sendsAllByInterruptWithAtMostOneAccessMorePerCharacter() {
        let bench = UARTBench()
        bench.write(U.fcr, 0x81)
        bench.write(U.ier, 0x05)
        let text = (0..<100).map { UInt8($0) }
        var (position, accesses) = (0, 1)
        bench.write(U.ier, 0x07)
        while bench.line.isRaised, position < text.count {
            #expect(bench.read(U.iir) == 0xC2)
            _ = bench.read(U.lsr)
            _ = bench.read(U.msr)
            accesses += 3
            for _ in 0..<16 where position < text.count {
                bench.write(U.thr, text[position])
                position += 1
                accesses += 1
            }
        }
        bench.write(U.ier, 0x05)
        #expect(!bench.line.isRaised)
        #expect(bench.port.bytes == text)
        #expect(accesses < 2 * text.count)
    }

    /// xv6 turns FIFOs and all of MCR off, and wants an interrupt for each character.
    @Test func xv6_getsAnInterruptForEachCharacter() {
        let bench = UARTBench()
        bench.write(U.fcr, 0x00)
        bench.write(U.lcr, 0x80)
        bench.write(U.dll, 12)
        bench.write(U.dlm, 0)
        bench.write(U.lcr, 0x03)
        bench.write(U.mcr, 0x00)
        bench.write(U.ier, 0x01)
        #expect(bench.read(U.lsr) != 0xFF)
        _ = bench.read(U.iir)
        _ = bench.read(U.rbr)

        let paste = Paste(Array("ls\n".utf8), into: bench.uart)
        bench.uart.source = paste
        paste.offer()
        // Each interrupt's handler reads until LSR has no data; edges are what its I/O APIC entry counts.
        var (typed, handled): ([UInt8], Int) = ([], 0)
        while handled < bench.line.edges {
            handled += 1
            while bench.read(U.lsr) & 0x01 != 0 { typed.append(bench.read(U.rbr)) }
        }
        #expect(typed == Array("ls\n".utf8))

        for byte in "$ ".utf8 {
            while bench.read(U.lsr) & 0x20 == 0 {}
            bench.write(U.thr, byte)
        }
        #expect(bench.port.text == "$ ")
    }
}
