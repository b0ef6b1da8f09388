/// System control port A, 0x92 on a PC since the PS/2: the fast reset and fast A20 gate.
///
/// Source: IBM PS/2 Hardware Interface Technical Reference, "System Control Port A".
public final class SystemControlPortA: ByteDevice {
    /// The bits of the port.
    public struct Bits: OptionSet, Sendable {
        /// The register's value.
        public let rawValue: UInt8
        /// The set with the bits of `rawValue`.
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        /// Going from 0 to 1 resets the processor.
        public static let alternateHotReset = Bits(rawValue: 1 << 0)
        /// Opens the gate of address line 20.
        public static let alternateGateA20 = Bits(rawValue: 1 << 1)
        /// Locks the password bytes in CMOS memory; kept, without effect.
        public static let securityLockLatch = Bits(rawValue: 1 << 3)
        /// The light of fixed disk A; kept, without effect.
        public static let fixedDiskActivityA = Bits(rawValue: 1 << 6)
        /// The light of fixed disk B; kept, without effect.
        public static let fixedDiskActivityB = Bits(rawValue: 1 << 7)
        /// The bits that keep what is written.
        static let kept: Bits = [
            .alternateHotReset, .alternateGateA20, .securityLockLatch, .fixedDiskActivityA, .fixedDiskActivityB,
        ]
    }

    /// What the port holds.
    public struct State: Equatable {
        /// The register. Address line 20 is never gated here: KVM cannot make addresses wrap at 1 MiB, so the bit
        /// begins set and is only kept.
        public var bits: Bits = .alternateGateA20

        /// The state after power-on.
        public init() {}
    }

    /// What the port holds.
    public private(set) var state: State
    private let board: any Board

    /// - Parameters:
    ///   - board: resets the processors.
    ///   - state: the state to begin with.
    public init(board: any Board, state: State = State()) {
        self.board = board
        self.state = state
        self.state.bits.formIntersection(.kept)
    }

    /// Reads the port.
    public func readByte(offset: UInt64) -> UInt8 { offset == 0 ? state.bits.rawValue : 0xFF }

    /// Writes the port; a reset is asked for when bit 0 goes from 0 to 1.
    public func writeByte(_ byte: UInt8, offset: UInt64) {
        guard offset == 0 else { return }
        let new = Bits(rawValue: byte).intersection(.kept)
        let resets = new.contains(.alternateHotReset) && !state.bits.contains(.alternateHotReset)
        state.bits = new
        if resets {
            board.request(.processorReset)
        }
    }
}

/// The reset control register, port 0xCF9 on a PC since Intel's PIIX: Linux's and most others' way to restart.
///
/// Source: Intel 82371AB (PIIX4) data sheet, "RC: reset control register". Only byte accesses are for this port: a
/// four-byte access at 0xCF8 is PCI's configuration address.
public final class ResetControl: ByteDevice {
    /// The bits of the register.
    public struct Bits: OptionSet, Sendable {
        /// The register's value.
        public let rawValue: UInt8
        /// The set with the bits of `rawValue`.
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        /// SRST: 1 makes the reset a hard one, of the whole machine; 0 a soft one, of the processors.
        public static let systemReset = Bits(rawValue: 1 << 1)
        /// RCPU: going from 0 to 1 resets.
        public static let resetCPU = Bits(rawValue: 1 << 2)
        /// FULL_RST of later chips: power off and on in between. The same as a hard reset here.
        public static let fullReset = Bits(rawValue: 1 << 3)
        /// The bits that exist.
        static let all: Bits = [.systemReset, .resetCPU, .fullReset]
    }

    /// What the register holds.
    public struct State: Equatable {
        /// The register.
        public var bits: Bits = []

        /// The state after power-on.
        public init() {}
    }

    /// What the register holds.
    public private(set) var state: State
    private let board: any Board

    /// - Parameters:
    ///   - board: resets the machine or its processors.
    ///   - state: the state to begin with.
    public init(board: any Board, state: State = State()) {
        self.board = board
        self.state = state
        self.state.bits.formIntersection(.all)
    }

    /// Reads the register.
    public func readByte(offset: UInt64) -> UInt8 { offset == 0 ? state.bits.rawValue : 0xFF }

    /// Writes the register; a reset is asked for when RCPU goes from 0 to 1.
    public func writeByte(_ byte: UInt8, offset: UInt64) {
        guard offset == 0 else { return }
        let new = Bits(rawValue: byte).intersection(.all)
        let resets = new.contains(.resetCPU) && !state.bits.contains(.resetCPU)
        state.bits = new
        if resets {
            board.request(new.isDisjoint(with: [.systemReset, .fullReset]) ? .processorReset : .reset)
        }
    }
}

/// Counter 2 of the board's 8254 timer, as system control port B sees it.
public protocol TimerCounter2: AnyObject {
    /// The counter's GATE input.
    var gate: Bool { get set }
    /// The counter's OUT output.
    var output: Bool { get }
}

/// System control port B, 0x61 on a PC: the gate of timer counter 2 and the speaker, and what caused an NMI.
///
/// It is for a board whose timer is outside the kernel. KVM's in-kernel timer, created with the flag
/// `KVM_PIT_SPEAKER_DUMMY`, answers port 0x61 by itself, gate and output of counter 2 included; then this device is not
/// mapped. Without that flag the port comes here, but the in-kernel counter 2 cannot be seen from here at the cost of
/// a register access. Linux measures its clock's speed by waiting for bit 5 without an end, so without a counter the bit
/// changes with each read.
///
/// Source: IBM PS/2 Hardware Interface Technical Reference, "System Control Port B".
public final class SystemControlPortB: ByteDevice {
    /// The bits of the port.
    public struct Bits: OptionSet, Sendable {
        /// The register's value.
        public let rawValue: UInt8
        /// The set with the bits of `rawValue`.
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        /// The gate of timer counter 2.
        public static let timer2Gate = Bits(rawValue: 1 << 0)
        /// Lets counter 2's output through to the speaker.
        public static let speakerData = Bits(rawValue: 1 << 1)
        /// Turns the parity check off; kept, without effect.
        public static let parityCheckDisable = Bits(rawValue: 1 << 2)
        /// Turns the channel check off; kept, without effect.
        public static let channelCheckDisable = Bits(rawValue: 1 << 3)
        /// Changes with each memory refresh: every 15.085 microseconds.
        public static let refreshRequest = Bits(rawValue: 1 << 4)
        /// Counter 2's output.
        public static let timer2Output = Bits(rawValue: 1 << 5)
        /// The bits that keep what is written.
        static let kept: Bits = [.timer2Gate, .speakerData, .parityCheckDisable, .channelCheckDisable]
    }

    /// What the port holds.
    public struct State: Equatable {
        /// The four bits that keep what is written.
        public var bits: Bits = []
        /// The last read gave counter 2's output as 1; counts only where there is no counter.
        public var lastOutput = false

        /// The state after power-on.
        public init() {}
    }

    /// Nanoseconds between two memory refreshes of a PC: 18 ticks of its 1.19318 MHz timer.
    static let refreshPeriod: UInt64 = 15_085

    /// What the port holds.
    public private(set) var state: State
    private let clock: any Clock
    private let counter: (any TimerCounter2)?

    /// - Parameters:
    ///   - clock: moves the refresh bit.
    ///   - counter: counter 2 of the timer, if there is one to be seen.
    ///   - state: the state to begin with.
    public init(clock: any Clock, counter: (any TimerCounter2)? = nil, state: State = State()) {
        self.clock = clock
        self.counter = counter
        self.state = state
        self.state.bits.formIntersection(.kept)
    }

    /// Reads the port. Bits 6 and 7 are 0: no NMI comes from memory or from a card.
    public func readByte(offset: UInt64) -> UInt8 {
        guard offset == 0 else { return 0xFF }
        var bits = state.bits
        if clock.nanoseconds / Self.refreshPeriod % 2 == 1 {
            bits.insert(.refreshRequest)
        }
        state.lastOutput = counter?.output ?? !state.lastOutput
        if state.lastOutput {
            bits.insert(.timer2Output)
        }
        return bits.rawValue
    }

    /// Writes the port's lower four bits.
    public func writeByte(_ byte: UInt8, offset: UInt64) {
        guard offset == 0 else { return }
        state.bits = Bits(rawValue: byte).intersection(.kept)
        counter?.gate = state.bits.contains(.timer2Gate)
    }
}
