// Status, command byte, ports and commands of the 8042 as programmed in IBM's PC/AT and PS/2.
extension KeyboardController {
    /// The status register, read at offset 4 (port 0x64).
    public struct Status: OptionSet, Sendable {
        /// The register's value.
        public let rawValue: UInt8
        /// The set with the bits of `rawValue`.
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        /// OBF: a byte waits at offset 0.
        public static let outputBufferFull = Status(rawValue: 1 << 0)
        /// IBF: the controller has not taken the last byte yet. Never set: it takes them at once.
        public static let inputBufferFull = Status(rawValue: 1 << 1)
        /// SYS: the self test has been passed.
        public static let systemFlag = Status(rawValue: 1 << 2)
        /// The last byte was written to offset 4, so it was a command.
        public static let lastWasCommand = Status(rawValue: 1 << 3)
        /// The keyboard is not locked.
        public static let inhibitSwitch = Status(rawValue: 1 << 4)
        /// The waiting byte comes from the auxiliary device, a mouse.
        public static let auxiliaryOutputBufferFull = Status(rawValue: 1 << 5)
        /// The device did not answer in time.
        public static let timeOut = Status(rawValue: 1 << 6)
    }

    /// The command byte: byte 0 of the controller's memory.
    public struct CommandByte: OptionSet, Sendable {
        /// The byte's value.
        public let rawValue: UInt8
        /// The set with the bits of `rawValue`.
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        /// Interrupt 1 when a byte waits from keyboard or controller.
        public static let keyboardInterruptEnable = CommandByte(rawValue: 1 << 0)
        /// Interrupt 12 when a byte waits from the auxiliary device.
        public static let auxiliaryInterruptEnable = CommandByte(rawValue: 1 << 1)
        /// Goes to the status register's system flag.
        public static let systemFlag = CommandByte(rawValue: 1 << 2)
        /// Stops the keyboard's clock.
        public static let disableKeyboard = CommandByte(rawValue: 1 << 4)
        /// Stops the auxiliary device's clock.
        public static let disableAuxiliary = CommandByte(rawValue: 1 << 5)
        /// Translates scan codes of set 2 to set 1.
        public static let translate = CommandByte(rawValue: 1 << 6)
    }

    /// The output port: wires of the board.
    public struct OutputPort: OptionSet, Sendable {
        /// The port's value.
        public let rawValue: UInt8
        /// The set with the bits of `rawValue`.
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        /// 0 resets the processor.
        public static let notReset = OutputPort(rawValue: 1 << 0)
        /// Opens the gate of address line 20.
        public static let gateA20 = OutputPort(rawValue: 1 << 1)
        /// Follows OBF, for keyboard and controller.
        public static let outputBufferFull = OutputPort(rawValue: 1 << 4)
        /// Follows OBF, for the auxiliary device.
        public static let auxiliaryOutputBufferFull = OutputPort(rawValue: 1 << 5)
    }

    /// Bytes written to offset 4 (port 0x64). 0x20 to 0x3F, 0x60 to 0x7F and 0xF0 to 0xFF are ranges.
    enum Command: UInt8 {
        /// Is a password set? 0xF1: no.
        case testPassword = 0xA4
        case disableAuxiliary = 0xA7
        case enableAuxiliary = 0xA8
        case testAuxiliary = 0xA9
        case selfTest = 0xAA
        case testKeyboard = 0xAB
        case disableKeyboard = 0xAD
        case enableKeyboard = 0xAE
        case readInputPort = 0xC0
        case readOutputPort = 0xD0
        case writeOutputPort = 0xD1
        case writeKeyboardOutputBuffer = 0xD2
        case writeAuxiliaryOutputBuffer = 0xD3
        case writeAuxiliaryDevice = 0xD4
        case disableA20 = 0xDD
        case enableA20 = 0xDF
        case readTestInputs = 0xE0
    }

    /// What the next byte written to offset 0 is for.
    public enum Parameter: Equatable, Sendable {
        /// For the keyboard.
        case keyboard
        /// For this byte, 0 to 31, of the controller's memory.
        case memory(UInt8)
        /// For the output port.
        case outputPort
        /// To come back as if the keyboard had sent it.
        case keyboardOutputBuffer
        /// To come back as if the auxiliary device had sent it.
        case auxiliaryOutputBuffer
        /// For the auxiliary device.
        case auxiliaryDevice
    }
}
