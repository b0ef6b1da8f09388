/// Where a receiver's characters come from: told when there is room for more.
public protocol CharacterSource: AnyObject {
    /// The receiver has become empty and takes characters: `receiveCapacity` is greater than 0.
    ///
    /// It is called within the guest's access that made the room, at most once for each time. It may call
    /// `receive` at once, or wake a thread that does.
    func receiverHasRoom()
}

/// A serial port as in every PC: National Semiconductor's PC16550D.
///
/// Two simplifications, neither against the data sheet's rules, keep a guest's work short. The transmitter
/// needs no time: a character written to THR is out before the write ends, so THRE and TEMT are always set. And
/// the four character times after which the receiver reports characters below its trigger level are over at once.
/// Baud rate and frame are kept and have no effect; a guest that never programs eight data bits is not cut to five.
///
/// The interrupt pin follows IIR, whatever MCR's OUT 2 says. On a PC's serial card OUT 2 opens a gate between
/// the chip and the bus; Linux sets it, but xv6 writes 0 to MCR and expects interrupts all the same.
///
/// Source: PC16550D data sheet (National Semiconductor, June 1995), sections 8.0 to 8.10.
public final class UART16550: ByteDevice {
    /// Everything a guest can tell apart.
    public struct State: Equatable {
        /// IER.
        public var interruptEnable: InterruptEnable = []
        /// FCR bit 0.
        public var fifosEnabled = false
        /// FCR bits 7 and 6: 1, 4, 8 or 14 characters.
        public var receiverTriggerLevel = 1
        /// LCR.
        public var lineControl: LineControl = []
        /// MCR.
        public var modemControl: ModemControl = []
        /// OE and BI of LSR, until LSR is read.
        public var lineErrors: LineStatus = []
        /// The marks of changed modem lines in MSR, until MSR is read.
        public var modemChanges: ModemStatus = []
        /// The lines that the other end drives. A terminal on a null-modem cable has all on but ring.
        public var modemInputs: ModemStatus = [.clearToSend, .dataSetReady, .dataCarrierDetect]
        /// SCR.
        public var scratch: UInt8 = 0
        /// DLM and DLL: 115,200 divided by the baud rate; 12 is 9,600 baud.
        public var divisorLatch: UInt16 = 12
        /// The characters waiting in the receiver FIFO; without FIFOs at most one, in RBR.
        public var receiver = ReceiveFIFO()
        /// What RBR reads when no character waits: the last one.
        public var lastReceived: UInt8 = 0
        /// The THRE interrupt is armed: THR became empty, or ETBEI was set, and IIR has not told so yet.
        public var transmitterInterruptPending = false
        /// The guest has polled LSR for data; see `isListening`.
        public var isPolled = false

        /// The state after power-on.
        public init() {}
    }

    /// The registers and what waits in the receiver.
    public internal(set) var state: State

    /// Who is told that characters are taken again. It is held strongly: set it to nil to part the two.
    public var source: (any CharacterSource)?

    private let port: any CharacterPort
    private let interrupt: any InterruptLine
    private var interruptIsRaised = false
    /// What `isReadyForMore` was after the last access.
    var wasReadyForMore = false
    /// How often `isListening` has become true. A driver that starts or tests the port makes it so for moments only;
    /// whoever has characters may wait and see whether this still is what it was.
    public private(set) var listeningBeginnings = 0
    private var wasListening = false
    /// LSR reads without data since the last write; see `isListening`.
    private var idleLineStatusReads = 0
    /// How many of them in a row make the guest one that polls for input. Linux reads LSR two or three times in a row
    /// while it prints, long before its driver keeps what it is sent.
    static let idleReadsOfAPoller = 16
    /// THR writes since the last access to another register.
    private var transmitBurst = 0

    /// A serial port.
    /// - Parameters:
    ///   - port: takes what the guest sends.
    ///   - interrupt: the INTR pin; raised while IIR reports an interrupt.
    ///   - state: the state to begin with. If an interrupt is pending in it, the line is raised.
    public init(port: any CharacterPort, interrupt: any InterruptLine, state: State = State()) {
        self.port = port
        self.interrupt = interrupt
        self.state = state
        // A saved state comes from a file: bits that cannot be set stay clear.
        self.state.interruptEnable.formIntersection(.all)
        self.state.modemControl.formIntersection(.all)
        self.state.lineErrors.formIntersection([.overrunError, .breakInterrupt])
        self.state.modemChanges.formIntersection(.deltas)
        self.state.modemInputs.formIntersection(.lines)
        updateInterrupt()
        wasReadyForMore = isReadyForMore
    }

    /// The MR pin: what data sheet table III resets. Divisor, SCR and the lines from outside stay.
    public func reset() {
        var state = State()
        state.divisorLatch = self.state.divisorLatch
        state.scratch = self.state.scratch
        state.modemInputs = self.state.modemInputs
        self.state = state
        idleLineStatusReads = 0
        transmitBurst = 0
        accessEnded()
    }

    /// Reads one of the eight registers.
    public func readByte(offset: UInt64) -> UInt8 {
        guard let register = Register(rawValue: offset) else { return 0xFF }
        transmitBurst = 0
        let value: UInt8
        switch register {
        case .data:
            value = divisorLatchIsSelected ? UInt8(truncatingIfNeeded: state.divisorLatch) : readReceiverBuffer()
        case .interruptEnable:
            value =
                divisorLatchIsSelected
                ? UInt8(truncatingIfNeeded: state.divisorLatch >> 8) : state.interruptEnable.rawValue
        case .interruptIdentification:
            value = readInterruptIdentification()
        case .lineControl:
            value = state.lineControl.rawValue
        case .modemControl:
            value = state.modemControl.rawValue
        case .lineStatus:
            value = readLineStatus()
        case .modemStatus:
            value = state.modemChanges.union(modemLines).rawValue
            state.modemChanges = []
        case .scratch:
            value = state.scratch
        }
        accessEnded()
        return value
    }

    /// Writes one of the eight registers. LSR and MSR are for reading only: writes to them do nothing.
    public func writeByte(_ byte: UInt8, offset: UInt64) {
        guard let register = Register(rawValue: offset) else { return }
        idleLineStatusReads = 0
        if register == .data, !divisorLatchIsSelected {
            writeTransmitterHolding(byte)
            accessEnded()
            return
        }
        transmitBurst = 0
        switch register {
        case .data:
            state.divisorLatch = state.divisorLatch & 0xFF00 | UInt16(byte)
        case .interruptEnable:
            if divisorLatchIsSelected {
                state.divisorLatch = state.divisorLatch & 0x00FF | UInt16(byte) << 8
            } else {
                writeInterruptEnable(InterruptEnable(rawValue: byte).intersection(.all))
            }
        case .interruptIdentification:
            writeFIFOControl(FIFOControl(rawValue: byte))
        case .lineControl:
            state.lineControl = LineControl(rawValue: byte)
            state.isPolled = false
        case .modemControl:
            changeModemLines { $0.modemControl = ModemControl(rawValue: byte).intersection(.all) }
            state.isPolled = false
        case .lineStatus, .modemStatus:
            break
        case .scratch:
            state.scratch = byte
        }
        accessEnded()
    }

    // MARK: Interrupts

    /// The pending interrupt of the highest priority (data sheet table IV).
    public var pendingInterrupt: InterruptIdentification {
        let enabled = state.interruptEnable
        if enabled.contains(.receiverLineStatus), !state.lineErrors.isEmpty {
            return .receiverLineStatus
        }
        if enabled.contains(.receivedDataAvailable), !state.receiver.isEmpty {
            let isBelowTrigger = state.fifosEnabled && state.receiver.count < state.receiverTriggerLevel
            return isBelowTrigger ? .characterTimeout : .receivedDataAvailable
        }
        if enabled.contains(.transmitterHoldingRegisterEmpty), state.transmitterInterruptPending {
            return .transmitterHoldingRegisterEmpty
        }
        if enabled.contains(.modemStatus), !state.modemChanges.isEmpty {
            return .modemStatus
        }
        return .none
    }

    /// Sets the line to what IIR says, and leaves it alone when it is there already: each call may be a system call.
    private func updateInterrupt() {
        let shouldBeRaised = pendingInterrupt != .none
        guard shouldBeRaised != interruptIsRaised else { return }
        interruptIsRaised = shouldBeRaised
        if shouldBeRaised {
            interrupt.raise()
        } else {
            interrupt.lower()
        }
    }

    /// Ends every access: the line follows IIR, and whoever has characters hears that there is room.
    func accessEnded() {
        updateInterrupt()
        if isListening != wasListening {
            wasListening.toggle()
            if wasListening { listeningBeginnings &+= 1 }
        }
        let isReady = isReadyForMore
        if isReady != wasReadyForMore {
            wasReadyForMore = isReady
            if isReady {
                source?.receiverHasRoom()
            }
        }
    }

    private func readInterruptIdentification() -> UInt8 {
        let pending = pendingInterrupt
        if pending == .transmitterHoldingRegisterEmpty {
            state.transmitterInterruptPending = false
        }
        return pending.rawValue | (state.fifosEnabled ? Self.fifosEnabledMark : 0)
    }

    private func writeInterruptEnable(_ new: InterruptEnable) {
        // Enabling the interrupt while THR is empty (it always is) raises it. Linux's start-up tests look for that.
        if new.contains(.transmitterHoldingRegisterEmpty),
            !state.interruptEnable.contains(.transmitterHoldingRegisterEmpty)
        {
            state.transmitterInterruptPending = true
        }
        state.interruptEnable = new
        state.isPolled = false
    }

    // MARK: Transmitter and receiver

    private var divisorLatchIsSelected: Bool { state.lineControl.contains(.divisorLatchAccess) }

    /// Whether the transmitter is connected to the receiver, and the pins to nothing.
    var isLoopedBack: Bool { state.modemControl.contains(.loop) }

    /// Sends a character, and arms the THRE interrupt again.
    ///
    /// On the chip, INTR falls while THR is full and rises when it has been sent: an edge, which an
    /// edge-triggered interrupt controller needs. In a burst into the FIFO, one edge does for all sixteen
    /// characters, so the others are spared their two changes of the line.
    private func writeTransmitterHolding(_ byte: UInt8) {
        let isWithinBurst = state.fifosEnabled && transmitBurst % ReceiveFIFO.depth != 0
        transmitBurst = (transmitBurst + 1) % ReceiveFIFO.depth
        if state.transmitterInterruptPending, !isWithinBurst {
            state.transmitterInterruptPending = false
            updateInterrupt()
        }
        if isLoopedBack {
            takeFromLine(byte)
        } else {
            port.transmit(byte)
        }
        state.transmitterInterruptPending = true
    }

    private func readReceiverBuffer() -> UInt8 {
        guard let character = state.receiver.removeFirst() else {
            // A read without data is a driver cleaning up, not one that waits for input.
            idleLineStatusReads = 0
            state.isPolled = false
            return state.lastReceived
        }
        state.lastReceived = character
        noteErrorOfFirstCharacter()
        return character
    }

    private func readLineStatus() -> UInt8 {
        var status: LineStatus = [.transmitterHoldingRegisterEmpty, .transmitterEmpty]
        status.formUnion(state.lineErrors)
        if state.fifosEnabled, state.receiver.containsBreak {
            status.insert(.errorInReceiverFIFO)
        }
        state.lineErrors = []
        state.receiver.forgetFirstBreak()
        if !state.receiver.isEmpty {
            status.insert(.dataReady)
        } else {
            // The transmitter is always empty, so nobody reads this again and again but who waits for a character.
            idleLineStatusReads += 1
            if idleLineStatusReads >= Self.idleReadsOfAPoller {
                idleLineStatusReads = 0
                state.isPolled = true
            }
        }
        return status.rawValue
    }

    private func writeFIFOControl(_ control: FIFOControl) {
        let isEnabled = control.contains(.fifoEnable)
        // Linux turns the FIFOs on as the last step of its start, with the receive interrupt on already: on a real line
        // nobody is so quick as to send something in between, but here it can happen. That character stays, as if it
        // came just after.
        let keepsCharacter =
            isEnabled && !state.fifosEnabled && !control.contains(.receiverFIFOReset)
            && state.interruptEnable.contains(.receivedDataAvailable)
        // Data sheet 8.4: changing FCR0 empties the FIFOs, and the other bits count only while it is 1.
        if isEnabled != state.fifosEnabled || isEnabled && control.contains(.receiverFIFOReset), !keepsCharacter {
            state.receiver.removeAll()
            state.lineErrors.remove(.breakInterrupt)
        }
        state.fifosEnabled = isEnabled
        state.receiverTriggerLevel = isEnabled ? control.receiverTriggerLevel : 1
        state.isPolled = false
    }

    // MARK: Modem lines

    /// The upper half of MSR: the lines from outside, or in loopback the four outputs (data sheet 8.7, bit 4).
    private var modemLines: ModemStatus {
        guard isLoopedBack else { return state.modemInputs }
        var lines: ModemStatus = []
        let outputs = state.modemControl
        if outputs.contains(.requestToSend) { lines.insert(.clearToSend) }
        if outputs.contains(.dataTerminalReady) { lines.insert(.dataSetReady) }
        if outputs.contains(.out1) { lines.insert(.ringIndicator) }
        if outputs.contains(.out2) { lines.insert(.dataCarrierDetect) }
        return lines
    }

    /// Makes a change after which modem lines may differ, and marks in MSR those that do.
    func changeModemLines(_ change: (inout State) -> Void) {
        let before = modemLines
        change(&state)
        let after = modemLines
        let changed = before.symmetricDifference(after)
        if changed.contains(.clearToSend) { state.modemChanges.insert(.deltaClearToSend) }
        if changed.contains(.dataSetReady) { state.modemChanges.insert(.deltaDataSetReady) }
        if changed.contains(.dataCarrierDetect) { state.modemChanges.insert(.deltaDataCarrierDetect) }
        // Only the end of a ring is reported (TERI).
        if before.contains(.ringIndicator), !after.contains(.ringIndicator) {
            state.modemChanges.insert(.trailingEdgeRingIndicator)
        }
    }
}
