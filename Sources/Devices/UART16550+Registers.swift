// The registers of National Semiconductor's PC16550D, data sheet section 8.0 (table II).
extension UART16550 {
    /// The eight addresses. What the first three mean depends on the direction and on DLAB.
    enum Register: UInt64 {
        /// RBR (read), THR (write); DLL with DLAB set.
        case data = 0
        /// IER; DLM with DLAB set.
        case interruptEnable = 1
        /// IIR (read), FCR (write).
        case interruptIdentification = 2
        /// LCR.
        case lineControl = 3
        /// MCR.
        case modemControl = 4
        /// LSR.
        case lineStatus = 5
        /// MSR.
        case modemStatus = 6
        /// SCR.
        case scratch = 7
    }

    /// IER: which events may interrupt. The upper four bits are always 0.
    public struct InterruptEnable: OptionSet, Sendable {
        /// The register's value.
        public let rawValue: UInt8
        /// The set with the bits of `rawValue`.
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        /// ERBFI: received data available, and character time-out.
        public static let receivedDataAvailable = InterruptEnable(rawValue: 1 << 0)
        /// ETBEI: transmitter holding register empty.
        public static let transmitterHoldingRegisterEmpty = InterruptEnable(rawValue: 1 << 1)
        /// ELSI: receiver line status.
        public static let receiverLineStatus = InterruptEnable(rawValue: 1 << 2)
        /// EDSSI: modem status.
        public static let modemStatus = InterruptEnable(rawValue: 1 << 3)
        /// The bits that exist.
        static let all = InterruptEnable(rawValue: 0x0F)
    }

    /// IIR bits 3 to 0: the pending interrupt of the highest priority (data sheet table IV).
    public enum InterruptIdentification: UInt8 {
        /// Fourth: a modem line changed. Cleared by reading MSR.
        case modemStatus = 0x00
        /// Nothing is pending.
        case none = 0x01
        /// Third. Cleared by reading IIR when it is the one identified, or by writing THR.
        case transmitterHoldingRegisterEmpty = 0x02
        /// Second: a character, or with FIFOs as many as the trigger level. Cleared by reading RBR.
        case receivedDataAvailable = 0x04
        /// Highest: overrun, parity or framing error, or break. Cleared by reading LSR.
        case receiverLineStatus = 0x06
        /// Second: characters below the trigger level wait in the FIFO. Cleared by reading RBR.
        case characterTimeout = 0x0C
    }

    /// IIR bits 7 and 6: both set while the FIFOs are enabled.
    static let fifosEnabledMark: UInt8 = 0xC0

    /// FCR: FIFO control, write only.
    public struct FIFOControl: OptionSet, Sendable {
        /// The register's value.
        public let rawValue: UInt8
        /// The set with the bits of `rawValue`.
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        /// FCR0: enables both FIFOs; the other bits count only when it is 1.
        public static let fifoEnable = FIFOControl(rawValue: 1 << 0)
        /// FCR1: empties the receiver FIFO.
        public static let receiverFIFOReset = FIFOControl(rawValue: 1 << 1)
        /// FCR2: empties the transmitter FIFO.
        public static let transmitterFIFOReset = FIFOControl(rawValue: 1 << 2)
        /// FCR3: DMA mode of the RXRDY and TXRDY pins, which a PC leaves unconnected.
        public static let dmaModeSelect = FIFOControl(rawValue: 1 << 3)

        /// FCR7 and FCR6: how many characters make a received-data interrupt.
        var receiverTriggerLevel: Int {
            switch rawValue >> 6 {
            case 0: 1
            case 1: 4
            case 2: 8
            default: 14
            }
        }
    }

    /// LCR: the frame of a character, break, and the switch to the divisor latch.
    public struct LineControl: OptionSet, Sendable {
        /// The register's value.
        public let rawValue: UInt8
        /// The set with the bits of `rawValue`.
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        /// WLS1, WLS0: both set mean eight data bits.
        public static let wordLength8 = LineControl(rawValue: 0x03)
        /// STB: more than one stop bit.
        public static let stopBits = LineControl(rawValue: 1 << 2)
        /// PEN: parity enable.
        public static let parityEnable = LineControl(rawValue: 1 << 3)
        /// EPS: even parity select.
        public static let evenParitySelect = LineControl(rawValue: 1 << 4)
        /// Stick parity.
        public static let stickParity = LineControl(rawValue: 1 << 5)
        /// Set break: holds the serial output at spacing.
        public static let setBreak = LineControl(rawValue: 1 << 6)
        /// DLAB: divisor latch access bit.
        public static let divisorLatchAccess = LineControl(rawValue: 1 << 7)
    }

    /// MCR: modem outputs and loopback. The upper three bits are always 0.
    public struct ModemControl: OptionSet, Sendable {
        /// The register's value.
        public let rawValue: UInt8
        /// The set with the bits of `rawValue`.
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        /// DTR: data terminal ready.
        public static let dataTerminalReady = ModemControl(rawValue: 1 << 0)
        /// RTS: request to send.
        public static let requestToSend = ModemControl(rawValue: 1 << 1)
        /// OUT 1.
        public static let out1 = ModemControl(rawValue: 1 << 2)
        /// OUT 2.
        public static let out2 = ModemControl(rawValue: 1 << 3)
        /// Local loopback for diagnostic tests.
        public static let loop = ModemControl(rawValue: 1 << 4)
        /// The bits that exist.
        static let all = ModemControl(rawValue: 0x1F)
    }

    /// LSR: line status.
    public struct LineStatus: OptionSet, Sendable {
        /// The register's value.
        public let rawValue: UInt8
        /// The set with the bits of `rawValue`.
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        /// DR: at least one character waits.
        public static let dataReady = LineStatus(rawValue: 1 << 0)
        /// OE: a character came before there was room for it.
        public static let overrunError = LineStatus(rawValue: 1 << 1)
        /// PE: never set here, as no bits travel on a wire; so LSR never reads 0xFF, which drivers take for
        /// "no such device".
        public static let parityError = LineStatus(rawValue: 1 << 2)
        /// FE: never set here, for the same reason.
        public static let framingError = LineStatus(rawValue: 1 << 3)
        /// BI: the character to be read next came as a break.
        public static let breakInterrupt = LineStatus(rawValue: 1 << 4)
        /// THRE: the transmitter takes a character.
        public static let transmitterHoldingRegisterEmpty = LineStatus(rawValue: 1 << 5)
        /// TEMT: the transmitter has sent everything.
        public static let transmitterEmpty = LineStatus(rawValue: 1 << 6)
        /// With FIFOs: some character in the receiver FIFO has an error or is a break.
        public static let errorInReceiverFIFO = LineStatus(rawValue: 1 << 7)
    }

    /// MSR: the modem lines, and which of them changed since the last read.
    public struct ModemStatus: OptionSet, Sendable {
        /// The register's value.
        public let rawValue: UInt8
        /// The set with the bits of `rawValue`.
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        /// DCTS: CTS changed.
        public static let deltaClearToSend = ModemStatus(rawValue: 1 << 0)
        /// DDSR: DSR changed.
        public static let deltaDataSetReady = ModemStatus(rawValue: 1 << 1)
        /// TERI: the ring indicator went off.
        public static let trailingEdgeRingIndicator = ModemStatus(rawValue: 1 << 2)
        /// DDCD: DCD changed.
        public static let deltaDataCarrierDetect = ModemStatus(rawValue: 1 << 3)
        /// CTS: clear to send.
        public static let clearToSend = ModemStatus(rawValue: 1 << 4)
        /// DSR: data set ready.
        public static let dataSetReady = ModemStatus(rawValue: 1 << 5)
        /// RI: ring indicator.
        public static let ringIndicator = ModemStatus(rawValue: 1 << 6)
        /// DCD: data carrier detect.
        public static let dataCarrierDetect = ModemStatus(rawValue: 1 << 7)
        /// The four lines, without the marks of their changes.
        public static let lines: ModemStatus = [.clearToSend, .dataSetReady, .ringIndicator, .dataCarrierDetect]
        /// The four marks.
        static let deltas = ModemStatus(rawValue: 0x0F)
    }
}
