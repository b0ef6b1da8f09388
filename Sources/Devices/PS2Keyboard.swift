/// A PC's keyboard: it answers its commands and sends scan codes of the keys that are pressed and let go.
///
/// Source: IBM PS/2 Hardware Interface Technical Reference, "Keyboards (101- and 102-Key)".
public final class PS2Keyboard: PS2Device {
    /// Everything a guest can tell apart.
    public struct State: Equatable, Sendable {
        /// Which codes it sends: 1 or 2.
        public var scanCodeSet: UInt8 = 2
        /// Whether keys are looked at.
        public var isScanning = true
        /// The lights: bit 0 Scroll Lock, bit 1 Num Lock, bit 2 Caps Lock.
        public var lights: UInt8 = 0
        /// How fast a held key repeats. Only kept: a terminal repeats by itself.
        public var typematic: UInt8 = 0x2B
        /// The command whose parameter comes next.
        public var awaiting: UInt8?
        /// What was sent last, for a guest that asks for it again.
        public var lastByte: UInt8 = 0
        /// Answers to commands. They go before codes of keys.
        public var answers = PS2Queue()
        /// Codes of keys.
        public var codes = PS2Queue()

        /// The state after power-on.
        public init() {}
    }

    /// The registers.
    public private(set) var state: State
    /// Who is told when the keyboard has nothing more to send and takes the next key.
    public var source: (any CharacterSource)?

    /// - Parameter state: the state to begin with.
    public init(state: State = State()) {
        self.state = state
    }

    // MARK: Keys

    /// Whether a key that is pressed now would be seen, with all before it fetched.
    public var isReady: Bool { state.isScanning && state.codes.isEmpty && state.answers.isEmpty }

    /// A key goes down. Without room for its codes it is not seen.
    public func press(_ key: Key) {
        send(key, isRelease: false)
    }

    /// A key comes up.
    public func release(_ key: Key) {
        send(key, isRelease: true)
    }

    private func send(_ key: Key, isRelease: Bool) {
        guard state.isScanning else { return }
        guard state.codes.room >= 3 else { return }
        if key.isExtended { state.codes.append(ScanCodes.extended) }
        if state.scanCodeSet == 1 {
            state.codes.append(ScanCodes.set1(fromSet2: key.code) | (isRelease ? 0x80 : 0))
        } else {
            if isRelease { state.codes.append(ScanCodes.release) }
            state.codes.append(key.code)
        }
    }

    // MARK: The wire

    /// Gives the next byte for the guest.
    public func nextByte() -> UInt8? {
        guard let byte = state.answers.removeFirst() ?? state.codes.removeFirst() else { return nil }
        state.lastByte = byte
        if isReady { source?.receiverHasRoom() }
        return byte
    }

    /// Takes a command, or the parameter of the last one.
    public func receive(_ byte: UInt8) {
        // A command is taken at any time, also where a parameter was due.
        if let command = state.awaiting, byte < 0xED {
            state.awaiting = nil
            takeParameter(byte, of: command)
            return
        }
        state.awaiting = nil
        switch byte {
        case 0xED, 0xF0, 0xF3:
            state.awaiting = byte
            answer(Self.acknowledge)
        case 0xEE: answer(0xEE)  // echo
        case 0xF2:
            answer(Self.acknowledge)
            answer(0xAB)
            answer(0x83)
        case 0xF4:
            state.codes = PS2Queue()
            state.isScanning = true
            answer(Self.acknowledge)
            source?.receiverHasRoom()
        case 0xF5, 0xF6:
            let lights = state.lights
            state = State()
            state.lights = lights
            state.isScanning = byte == 0xF6
            answer(Self.acknowledge)
        case 0xF7...0xFA:
            answer(Self.acknowledge)  // all keys repeat, or not: kept by no set but 3
        case 0xFE: answer(state.lastByte)
        case 0xFF:
            state = State()
            answer(Self.acknowledge)
            answer(Self.selfTestPassed)
        default: answer(Self.resend)
        }
    }

    private func takeParameter(_ byte: UInt8, of command: UInt8) {
        switch command {
        case 0xED: state.lights = byte & 0x07
        case 0xF0:
            switch byte {
            case 0:
                answer(Self.acknowledge)
                answer(state.scanCodeSet)
                return
            case 1, 2: state.scanCodeSet = byte
            // Set 3 is not there; most keyboards of today lack it too.
            default:
                answer(Self.resend)
                return
            }
            state.codes = PS2Queue()
        default: state.typematic = byte & 0x7F
        }
        answer(Self.acknowledge)
    }

    private func answer(_ byte: UInt8) {
        state.answers.append(byte)
    }

    private static let acknowledge: UInt8 = 0xFA
    private static let resend: UInt8 = 0xFE
    private static let selfTestPassed: UInt8 = 0xAA
}
