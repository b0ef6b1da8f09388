/// A PC's keyboard controller, the 8042, and what is plugged into its two ports.
///
/// A guest asks it for a reset and for address line 20, and reads keyboard and mouse through it. Each command is answered
/// at once, so no driver waits for a time-out: a byte for a keyboard that is not there comes back as 0xFE with the
/// time-out bit, which is what the chip says when the keyboard's clock does not move. Without a mouse, the auxiliary port
/// is that of a board that has none.
///
/// Offset 0 is the data register (port 0x60), offset 4 status and commands (port 0x64): the chip has one address line,
/// and a PC wires it to A2. The board maps each at its own port.
///
/// Source: IBM PS/2 Hardware Interface Technical Reference, "Keyboard and Auxiliary Device Controller".
public final class KeyboardController: ByteDevice {
    /// The offset of data: port 0x60.
    public static let dataOffset: UInt64 = 0
    /// The offset of status (read) and commands (write): port 0x64.
    public static let commandOffset: UInt64 = 4

    /// Everything a guest can tell apart.
    public struct State: Equatable {
        /// Status, without the bits that follow from the others.
        public var status: Status = .inhibitSwitch
        /// Byte 0 of the controller's memory. A PC's firmware leaves it so, and guests without firmware rely on it.
        public var commandByte: CommandByte = [
            .keyboardInterruptEnable, .systemFlag, .disableAuxiliary, .translate,
        ]
        /// Bytes 1 to 31 of the controller's memory.
        public var memory: [UInt8] = []
        /// The output port. Address line 20 is never gated here: KVM cannot make addresses wrap at 1 MiB, so the bit
        /// begins set and is only kept.
        public var outputPort: OutputPort = [.notReset, .gateA20]
        /// The byte that is read at offset 0.
        public var outputBuffer: UInt8 = 0
        /// What the next byte written to offset 0 is for.
        public var parameter: Parameter = .keyboard
        /// The controller's own answer that waits until a device's byte has been read.
        public var pendingAnswer: UInt8?
        /// Where the translation of scan codes stands.
        public var translation = ScanCodeTranslation()

        /// The state after power-on and a firmware's set-up.
        public init() {}
    }

    /// The registers.
    public var state: State {
        var state = registers
        for index in 1..<memory.count {
            state.memory.append(memory[index])
        }
        return state
    }

    /// The registers but for `State.memory`, which is in `memory`, so that no access allocates.
    private var registers: State
    private var memory = InlineArray<32, UInt8>(repeating: 0)
    private let board: any Board
    private let keyboard: (any PS2Device)?
    private let auxiliary: (any PS2Device)?
    private let keyboardInterrupt: any InterruptLine
    private let auxiliaryInterrupt: any InterruptLine
    private var keyboardInterruptIsRaised = false
    private var auxiliaryInterruptIsRaised = false

    /// - Parameters:
    ///   - board: resets the processors.
    ///   - keyboard: what is plugged into the first port.
    ///   - auxiliary: what is plugged into the second port, a mouse.
    ///   - keyboardInterrupt: the line of OBF, interrupt 1 on a PC.
    ///   - auxiliaryInterrupt: the line of the auxiliary OBF, interrupt 12 on a PC.
    ///   - state: the state to begin with.
    public init(
        board: any Board, keyboard: (any PS2Device)? = nil, auxiliary: (any PS2Device)? = nil,
        keyboardInterrupt: any InterruptLine, auxiliaryInterrupt: any InterruptLine, state: State = State()
    ) {
        self.board = board
        self.keyboard = keyboard
        self.auxiliary = auxiliary
        self.keyboardInterrupt = keyboardInterrupt
        self.auxiliaryInterrupt = auxiliaryInterrupt
        registers = state
        registers.memory = []
        for (index, byte) in state.memory.enumerated() where index + 1 < memory.count {
            memory[index + 1] = byte
        }
        updateInterrupts()
    }

    /// The state after power-on.
    public func reset() {
        registers = State()
        memory = InlineArray(repeating: 0)
        updateInterrupts()
    }

    /// Reads data (offset 0) or status (offset 4).
    public func readByte(offset: UInt64) -> UInt8 {
        switch offset {
        case Self.dataOffset:
            let byte = registers.outputBuffer
            registers.status.subtract([.outputBufferFull, .auxiliaryOutputBufferFull, .timeOut])
            updateInterrupts()
            poll()
            return byte
        case Self.commandOffset:
            var status = registers.status
            if registers.commandByte.contains(.systemFlag) {
                status.insert(.systemFlag)
            }
            return status.rawValue
        default:
            return 0xFF
        }
    }

    /// Fetches the next byte of a device into an empty output buffer. To be called when a device may have got one other
    /// than by the guest.
    public func poll() {
        guard !registers.status.contains(.outputBufferFull) else { return }
        if let answer = registers.pendingAnswer {
            registers.pendingAnswer = nil
            fill(answer)
            return
        }
        if !registers.commandByte.contains(.disableKeyboard) {
            while let byte = keyboard?.nextByte() {
                // A prefix makes no byte of its own in set 1.
                guard registers.commandByte.contains(.translate) else { return fill(byte) }
                if let code = registers.translation.take(byte) { return fill(code) }
            }
        }
        if !registers.commandByte.contains(.disableAuxiliary), let byte = auxiliary?.nextByte() {
            fill(byte, marked: .auxiliaryOutputBufferFull)
        }
    }

    /// Whether there is a byte that the guest has not read.
    public var holdsByte: Bool { registers.status.contains(.outputBufferFull) }

    /// Interrupts once more for a byte that the guest has not read. To be called when it has not for a while: a guest
    /// that hears interrupts only now, and has missed the one of this byte, would never read it, nor any after it.
    public func repeatInterrupt() {
        if keyboardInterruptIsRaised {
            keyboardInterrupt.lower()
            keyboardInterrupt.raise()
        }
        if auxiliaryInterruptIsRaised {
            auxiliaryInterrupt.lower()
            auxiliaryInterrupt.raise()
        }
    }

    /// Writes data (offset 0) or a command (offset 4).
    public func writeByte(_ byte: UInt8, offset: UInt64) {
        switch offset {
        case Self.dataOffset:
            registers.status.remove(.lastWasCommand)
            takeData(byte)
        case Self.commandOffset:
            registers.status.insert(.lastWasCommand)
            registers.parameter = .keyboard
            takeCommand(byte)
        default:
            break
        }
        // A command may have let a device send, and a byte may have made it answer.
        poll()
    }

    // MARK: Commands

    private func takeCommand(_ byte: UInt8) {
        switch byte {
        case 0x20:
            answer(registers.commandByte.rawValue)
        case 0x21...0x3F:
            answer(memory[Int(byte & 0x1F)])
        case 0x60...0x7F:
            registers.parameter = .memory(byte & 0x1F)
        case 0xF0...0xFF:
            // Pulses those of output port bits 0 to 3 low whose bit is 0; bit 0 is the reset.
            if byte & 0x01 == 0 {
                board.request(.processorReset)
            }
        default:
            // What the controller does not know it ignores.
            if let command = Command(rawValue: byte) {
                take(command)
            }
        }
    }

    private func take(_ command: Command) {
        switch command {
        case .testPassword: answer(0xF1)
        case .disableAuxiliary: setCommandByte(registers.commandByte.union(.disableAuxiliary))
        case .enableAuxiliary: setCommandByte(registers.commandByte.subtracting(.disableAuxiliary))
        // 0x02: the auxiliary clock line is stuck high. Linux takes any error to mean that there is no such port.
        case .testAuxiliary: answer(auxiliary == nil ? 0x02 : 0x00)
        case .selfTest:
            registers.commandByte.insert(.systemFlag)
            registers.status.subtract([.outputBufferFull, .auxiliaryOutputBufferFull, .timeOut])
            registers.pendingAnswer = nil
            answer(0x55)
        case .testKeyboard: answer(0x00)
        case .disableKeyboard: setCommandByte(registers.commandByte.union(.disableKeyboard))
        case .enableKeyboard: setCommandByte(registers.commandByte.subtracting(.disableKeyboard))
        // Bit 7: the keyboard is not locked. Bit 5: no manufacturing jumper.
        case .readInputPort: answer(0xA0)
        case .readOutputPort: answer(outputPort.rawValue)
        case .writeOutputPort: registers.parameter = .outputPort
        case .writeKeyboardOutputBuffer: registers.parameter = .keyboardOutputBuffer
        case .writeAuxiliaryOutputBuffer: registers.parameter = .auxiliaryOutputBuffer
        case .writeAuxiliaryDevice: registers.parameter = .auxiliaryDevice
        case .disableA20: registers.outputPort.remove(.gateA20)
        case .enableA20: registers.outputPort.insert(.gateA20)
        // Neither clock line is driven.
        case .readTestInputs: answer(0x00)
        }
    }

    private func takeData(_ byte: UInt8) {
        let parameter = registers.parameter
        registers.parameter = .keyboard
        switch parameter {
        case .keyboard:
            // Sending to the keyboard starts its clock again, and then nobody answers.
            setCommandByte(registers.commandByte.subtracting(.disableKeyboard))
            if let keyboard { keyboard.receive(byte) } else { fill(Self.resend, marked: .timeOut) }
        case .memory(0):
            setCommandByte(CommandByte(rawValue: byte))
        case .memory(let address):
            memory[Int(address & 0x1F)] = byte
        case .outputPort:
            registers.outputPort = OutputPort(rawValue: byte)
                .subtracting([.outputBufferFull, .auxiliaryOutputBufferFull])
            if !registers.outputPort.contains(.notReset) {
                registers.outputPort.insert(.notReset)
                board.request(.processorReset)
            }
        case .keyboardOutputBuffer:
            answer(byte)
        case .auxiliaryOutputBuffer where auxiliary != nil:
            fill(byte, marked: .auxiliaryOutputBufferFull)
        case .auxiliaryDevice where auxiliary != nil:
            setCommandByte(registers.commandByte.subtracting(.disableAuxiliary))
            auxiliary?.receive(byte)
        case .auxiliaryOutputBuffer, .auxiliaryDevice:
            // A controller without an auxiliary port does not give the byte back, by which drivers see that there
            // is none; the answer spares them the time-out.
            fill(Self.resend, marked: [.auxiliaryOutputBufferFull, .timeOut])
        }
    }

    /// What stands in the output buffer when a device did not answer.
    private static let resend: UInt8 = 0xFE

    // MARK: Output buffer and interrupts

    private var outputPort: OutputPort {
        var port = registers.outputPort
        if registers.status.contains(.outputBufferFull) {
            port.insert(
                registers.status.contains(.auxiliaryOutputBufferFull) ? .auxiliaryOutputBufferFull : .outputBufferFull)
        }
        return port
    }

    /// Answers a command: at once, or, when a device's byte is still to be read, after that. The last answer counts.
    private func answer(_ byte: UInt8) {
        let holdsByteOfDevice = keyboard != nil && registers.status.contains(.outputBufferFull)
        if holdsByteOfDevice { registers.pendingAnswer = byte } else { fill(byte) }
    }

    /// Puts a byte where the guest reads it; one that was not read is gone.
    private func fill(_ byte: UInt8, marked marks: Status = []) {
        registers.outputBuffer = byte
        registers.status.subtract([.auxiliaryOutputBufferFull, .timeOut])
        registers.status.formUnion(marks.union(.outputBufferFull))
        updateInterrupts()
    }

    private func setCommandByte(_ byte: CommandByte) {
        registers.commandByte = byte
        updateInterrupts()
    }

    private func updateInterrupts() {
        let isFull = registers.status.contains(.outputBufferFull)
        let isAuxiliary = registers.status.contains(.auxiliaryOutputBufferFull)
        let keyboard = isFull && !isAuxiliary && registers.commandByte.contains(.keyboardInterruptEnable)
        if keyboard != keyboardInterruptIsRaised {
            keyboardInterruptIsRaised = keyboard
            keyboard ? keyboardInterrupt.raise() : keyboardInterrupt.lower()
        }
        let auxiliary = isFull && isAuxiliary && registers.commandByte.contains(.auxiliaryInterruptEnable)
        if auxiliary != auxiliaryInterruptIsRaised {
            auxiliaryInterruptIsRaised = auxiliary
            auxiliary ? auxiliaryInterrupt.raise() : auxiliaryInterrupt.lower()
        }
    }
}
