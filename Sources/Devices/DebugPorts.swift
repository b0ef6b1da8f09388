/// The debug-exit port, 0xF4 on a PC: a test guest ends the monitor with a status by one write.
public final class DebugExit: ByteDevice {
    private let board: any Board

    /// - Parameter board: ends the monitor.
    public init(board: any Board) {
        self.board = board
    }

    /// There is nothing to read: all bits set.
    public func readByte(offset: UInt64) -> UInt8 { 0xFF }

    /// Asks the board to end with the written byte as exit status.
    public func writeByte(_ byte: UInt8, offset: UInt64) {
        guard offset == 0 else { return }
        board.request(.exit(status: byte))
    }
}

/// The debug console, port 0xE9 on a PC: each byte written is printed; a read tells that the port exists.
///
/// The port comes from the Bochs emulator: it needs no set-up, so a guest has it from its first instruction on.
public final class DebugConsole: ByteDevice {
    /// What a read gives: the port's own number.
    public static let presence: UInt8 = 0xE9

    private let port: any CharacterPort

    /// - Parameter port: takes what the guest prints.
    public init(port: any CharacterPort) {
        self.port = port
    }

    /// Reads 0xE9, by which a guest knows that somebody listens.
    public func readByte(offset: UInt64) -> UInt8 { offset == 0 ? Self.presence : 0xFF }

    /// Prints a byte.
    public func writeByte(_ byte: UInt8, offset: UInt64) {
        guard offset == 0 else { return }
        port.transmit(byte)
    }
}

/// The power-on self-test code port, 0x80 on a PC: firmware writes there how far it has got.
///
/// The last codes are kept for the crash report. A code written again and again counts once: Linux writes to this port
/// only to pass the time, and would push out what is of interest.
public final class PostCode: ByteDevice {
    /// How many codes are kept.
    public static let depth = 16

    /// The codes that were written.
    public struct State: Equatable {
        /// The last codes, oldest first: at most sixteen, no two neighbours the same.
        public var codes: [UInt8] = []

        /// Nothing written yet.
        public init() {}
    }

    private var ring = InlineArray<16, UInt8>(repeating: 0)
    private var count = 0
    private var last: UInt8 = 0

    /// A port to which these codes have been written.
    public init(state: State = State()) {
        for code in state.codes {
            writeByte(code, offset: 0)
        }
    }

    /// The codes that were written.
    public var state: State {
        var state = State()
        for age in (0..<min(count, Self.depth)).reversed() {
            state.codes.append(ring[(count - 1 - age) % Self.depth])
        }
        return state
    }

    /// Reads the last code: on a PC this is a spare register of the DMA page file, which keeps what it is given.
    public func readByte(offset: UInt64) -> UInt8 { offset == 0 ? last : 0xFF }

    /// Remembers a code.
    public func writeByte(_ byte: UInt8, offset: UInt64) {
        guard offset == 0, count == 0 || byte != last else { return }
        last = byte
        ring[count % Self.depth] = byte
        // Keeps the place in the ring, and can never overflow.
        count = count < 2 * Self.depth ? count + 1 : Self.depth + 1
    }
}
