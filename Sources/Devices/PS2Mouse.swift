/// A PC's mouse with three buttons, behind the keyboard controller's auxiliary port.
///
/// Source: IBM PS/2 Hardware Interface Technical Reference, "Mouse".
public final class PS2Mouse: PS2Device {
    /// Everything a guest can tell apart.
    public struct State: Equatable, Sendable {
        /// Whether it reports movements by itself.
        public var isReporting = false
        /// Whether it reports only when asked (remote mode).
        public var isRemote = false
        /// Whether it gives each byte back (wrap mode).
        public var isWrapping = false
        /// Whether movements count double (scaling 2:1).
        public var isScaled = false
        /// Resolution: 0 to 3 for 1, 2, 4, 8 counts a millimeter.
        public var resolution: UInt8 = 2
        /// Reports a second.
        public var sampleRate: UInt8 = 100
        /// The buttons that are down: bit 0 left, bit 1 right, bit 2 middle.
        public var buttons: UInt8 = 0
        /// Movement that was not reported yet: to the right.
        public var right = 0
        /// Movement that was not reported yet: up.
        public var up = 0
        /// The command whose parameter comes next.
        public var awaiting: UInt8?
        /// What was sent last, for a guest that asks for it again.
        public var lastByte: UInt8 = 0
        /// What the guest has not fetched yet.
        public var queue = PS2Queue()

        /// The state after power-on.
        public init() {}
    }

    /// The registers.
    public private(set) var state: State

    /// - Parameter state: the state to begin with.
    public init(state: State = State()) {
        self.state = state
    }

    /// The mouse is moved, or a button goes up or down.
    /// - Parameters:
    ///   - right: how far to the right, in counts; to the left if negative.
    ///   - up: how far up, in counts.
    ///   - buttons: those that are down: bit 0 left, bit 1 right, bit 2 middle.
    public func move(right: Int, up: Int, buttons: UInt8) {
        state.right = Self.limited(state.right, adding: right)
        state.up = Self.limited(state.up, adding: up)
        state.buttons = buttons & 0x07
        if state.isReporting, !state.isRemote, state.queue.room >= 4 { report() }
    }

    /// Gives the next byte for the guest.
    public func nextByte() -> UInt8? {
        guard let byte = state.queue.removeFirst() else { return nil }
        state.lastByte = byte
        return byte
    }

    /// Takes a command, or the parameter of the last one.
    public func receive(_ byte: UInt8) {
        if state.isWrapping, byte != 0xEC, byte != 0xFF {
            send(byte)
            return
        }
        if let command = state.awaiting {
            state.awaiting = nil
            if command == 0xE8 { state.resolution = byte & 0x03 } else { state.sampleRate = byte }
            send(Self.acknowledge)
            return
        }
        switch byte {
        case 0xE6, 0xE7:
            state.isScaled = byte == 0xE7
            send(Self.acknowledge)
        case 0xE8, 0xF3:
            state.awaiting = byte
            send(Self.acknowledge)
        case 0xE9:
            send(Self.acknowledge)
            // The status has the buttons in another order than a report: left is bit 2 and right bit 0.
            let buttons = (state.buttons & 1) << 2 | (state.buttons & 4) >> 1 | (state.buttons & 2) >> 1
            send(
                buttons | (state.isScaled ? 0x10 : 0) | (state.isReporting ? 0x20 : 0) | (state.isRemote ? 0x40 : 0))
            send(state.resolution)
            send(state.sampleRate)
        case 0xEA, 0xF0:
            state.isRemote = byte == 0xF0
            send(Self.acknowledge)
        case 0xEB:
            send(Self.acknowledge)
            report()
        case 0xEC, 0xEE:
            state.isWrapping = byte == 0xEE
            send(Self.acknowledge)
        case 0xF2:
            send(Self.acknowledge)
            send(0x00)
        case 0xF4, 0xF5:
            state.isReporting = byte == 0xF4
            send(Self.acknowledge)
        case 0xF6, 0xFF:
            let buttons = state.buttons
            state = State()
            state.buttons = buttons
            send(Self.acknowledge)
            if byte == 0xFF {
                send(Self.selfTestPassed)
                send(0x00)
            }
        case 0xFE: send(state.lastByte)
        default: send(Self.resend)
        }
    }

    /// Three bytes: buttons with signs, then how far to the right and up.
    private func report() {
        let right = max(-255, min(255, state.right))
        let up = max(-255, min(255, state.up))
        state.right -= right
        state.up -= up
        send(state.buttons | 0x08 | (right < 0 ? 0x10 : 0) | (up < 0 ? 0x20 : 0))
        send(UInt8(truncatingIfNeeded: right))
        send(UInt8(truncatingIfNeeded: up))
    }

    /// What a host moves in one go, and a guest has not asked for yet, has a limit.
    private static func limited(_ value: Int, adding more: Int) -> Int {
        max(-10_000, min(10_000, value + max(-10_000, min(10_000, more))))
    }

    private func send(_ byte: UInt8) {
        state.queue.append(byte)
    }

    private static let acknowledge: UInt8 = 0xFA
    private static let resend: UInt8 = 0xFE
    private static let selfTestPassed: UInt8 = 0xAA
}
