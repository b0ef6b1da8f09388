/// ACPI's power-management registers: switching off, restarting, the power button and the timer.
///
/// The registers lie side by side, at the offsets in `Offset`; those that the board's model does not have read all
/// bits set. The one sleep state is S5, off. A guest that asks for another one, which the DSDT does not offer, finds
/// itself awake again at once.
///
/// Source: ACPI specification 6.5, chapter 4.8.
public final class ACPIPowerManagement: ByteDevice {
    /// How many bits the timer has.
    public enum TimerWidth: Int, Sendable {
        /// FADT's flag TMR_VAL_EXT is clear.
        case bits24 = 24
        /// FADT's flag TMR_VAL_EXT is set.
        case bits32 = 32
    }

    /// Everything a guest can tell apart.
    public struct State: Equatable {
        /// PM1 status.
        public var status: PM1Event = []
        /// PM1 enable.
        public var enable: PM1Event = []
        /// PM1 control.
        public var control: PM1Control = .sciEnable
        /// Ticks since power-on, of which the timer shows the lowest bits.
        public var ticks: UInt64 = 0
        /// Sleep control, of the hardware-reduced model.
        public var sleepControl: SleepControl = []
        /// Sleep status, of the hardware-reduced model.
        public var sleepStatus: SleepStatus = []

        /// The state after power-on.
        public init() {}
    }

    /// Everything a guest can tell apart.
    public var state: State {
        catchUp()
        var state = registers
        state.ticks = ticks
        return state
    }

    /// The model of the board.
    public let model: Model
    private let timerWidth: TimerWidth
    private let board: any Board
    private let clock: any Clock
    private let interrupt: any InterruptLine
    private let timer: (any DeadlineTimer)?
    private var registers: State
    /// What to add to the host's ticks.
    private var tickOffset: UInt64
    /// How many times the timer's highest bit had changed when it was last looked at.
    private var notedHalves: UInt64 = 0
    private var interruptIsRaised = false
    private var deadline: UInt64?

    /// - Parameters:
    ///   - model: which registers there are.
    ///   - timerWidth: how many bits the timer has; 32 save a guest the interrupts of its overflows.
    ///   - board: resets the machine and switches it off.
    ///   - clock: moves the timer.
    ///   - interrupt: the SCI; raised while an enabled event's status is set.
    ///   - timer: calls `deadlineReached` when the timer's highest bit changes and the guest wants to know.
    ///   - state: the state to begin with.
    public init(
        model: Model = .fixedHardware, timerWidth: TimerWidth = .bits32, board: any Board, clock: any Clock,
        interrupt: any InterruptLine, timer: (any DeadlineTimer)? = nil, state: State = State()
    ) {
        self.model = model
        self.timerWidth = timerWidth
        self.board = board
        self.clock = clock
        self.interrupt = interrupt
        self.timer = timer
        registers = state
        registers.status.formIntersection(.statuses)
        registers.enable.formIntersection(.enables)
        registers.control.formIntersection([.busMasterReload, .sleepTypeMask])
        registers.control.insert(.sciEnable)
        tickOffset = state.ticks &- Self.hostTicks(clock)
        notedHalves = halves
        updateInterrupt()
    }

    /// The state after power-on. The timer goes on.
    public func reset() {
        registers = State()
        notedHalves = halves
        updateInterrupt()
    }

    /// Presses the power button: asks the guest to shut down and switch off.
    /// - Returns: whether the guest will hear of it: it has enabled the event. If not, the status waits for it.
    @discardableResult
    public func pressPowerButton() -> Bool {
        guard model == .fixedHardware else { return false }
        registers.status.insert(.powerButton)
        updateInterrupt()
        return registers.enable.contains(.powerButton)
    }

    /// The deadline given to the timer has come.
    public func deadlineReached() {
        deadline = nil
        catchUp()
        updateInterrupt()
    }

    // MARK: Accesses

    /// Reads registers. The timer is read in one piece by a four-byte access.
    public func read(offset: UInt64, width: AccessWidth) -> UInt64 {
        if model == .fixedHardware, offset == Offset.timer, width == 4 {
            return timerValue
        }
        return readBytes(offset: offset, width: width)
    }

    /// Reads a byte of a register.
    public func readByte(offset: UInt64) -> UInt8 {
        switch (offset, model) {
        case (Offset.reset, _):
            return 0
        case (0...1, .fixedHardware):
            catchUp()
            updateInterrupt()
            return Self.byte(registers.status.rawValue, offset)
        case (2...3, .fixedHardware):
            return Self.byte(registers.enable.rawValue, offset - 2)
        case (4...5, .fixedHardware):
            return Self.byte(registers.control.rawValue, offset - 4)
        case (8...11, .fixedHardware):
            return UInt8(truncatingIfNeeded: timerValue >> (8 * (offset - 8)))
        case (Offset.sleepControl, .hardwareReduced):
            return registers.sleepControl.rawValue
        case (Offset.sleepStatus, .hardwareReduced):
            return registers.sleepStatus.rawValue
        default:
            return 0xFF
        }
    }

    /// Writes a byte of a register.
    public func writeByte(_ byte: UInt8, offset: UInt64) {
        switch (offset, model) {
        case (Offset.reset, _):
            if byte == Self.resetValue {
                board.request(.reset)
            }
        case (0...1, .fixedHardware):
            catchUp()
            registers.status.subtract(PM1Event(rawValue: UInt16(byte) << (8 * UInt16(offset))))
            updateInterrupt()
        case (2...3, .fixedHardware):
            catchUp()
            let enable = Self.replacing(registers.enable.rawValue, byte, offset - 2)
            registers.enable = PM1Event(rawValue: enable).intersection(.enables)
            updateInterrupt()
        case (4...5, .fixedHardware):
            writeControl(PM1Control(rawValue: Self.replacing(registers.control.rawValue, byte, offset - 4)))
        case (Offset.sleepControl, .hardwareReduced):
            writeSleepControl(SleepControl(rawValue: byte))
        case (Offset.sleepStatus, .hardwareReduced):
            registers.sleepStatus.subtract(SleepStatus(rawValue: byte))
        default:
            break
        }
    }

    private static func byte(_ register: UInt16, _ index: UInt64) -> UInt8 {
        UInt8(truncatingIfNeeded: register >> (8 * UInt16(truncatingIfNeeded: index)))
    }

    private static func replacing(_ register: UInt16, _ byte: UInt8, _ index: UInt64) -> UInt16 {
        index == 0 ? register & 0xFF00 | UInt16(byte) : register & 0x00FF | UInt16(byte) << 8
    }

    // MARK: Sleep

    private func writeControl(_ control: PM1Control) {
        registers.control = control.intersection([.busMasterReload, .sleepTypeMask]).union(.sciEnable)
        guard control.contains(.sleepEnable) else { return }
        if control.sleepType == Self.sleepTypeS5 {
            board.request(.powerOff)
        } else {
            registers.status.insert(.wake)
        }
    }

    private func writeSleepControl(_ control: SleepControl) {
        registers.sleepControl = control.intersection(.sleepTypeMask)
        guard control.contains(.sleepEnable) else { return }
        if control.sleepType == Self.sleepTypeS5 {
            board.request(.powerOff)
        } else {
            registers.sleepStatus.insert(.wake)
        }
    }

    // MARK: Timer and SCI

    private static let nanosecondsPerSecond: UInt64 = 1_000_000_000

    /// The host's time in ticks. Whole seconds and the rest are counted apart, so that no product is too large.
    private static func hostTicks(_ clock: any Clock) -> UInt64 {
        let nanoseconds = clock.nanoseconds
        return nanoseconds / nanosecondsPerSecond &* timerFrequency
            &+ nanoseconds % nanosecondsPerSecond * timerFrequency / nanosecondsPerSecond
    }

    private var ticks: UInt64 { Self.hostTicks(clock) &+ tickOffset }

    private var timerValue: UInt64 { ticks & (1 << UInt64(timerWidth.rawValue) - 1) }

    /// How many times the timer's highest bit has changed.
    private var halves: UInt64 { ticks >> UInt64(timerWidth.rawValue - 1) }

    /// Sets the timer's status when its highest bit has changed, in either direction (section 4.8.3.3).
    private func catchUp() {
        let halves = halves
        if halves != notedHalves {
            notedHalves = halves
            registers.status.insert(.timer)
        }
    }

    private func updateInterrupt() {
        let shouldBeRaised =
            model == .fixedHardware
            && !registers.status.intersection(registers.enable).isEmpty
        if shouldBeRaised != interruptIsRaised {
            interruptIsRaised = shouldBeRaised
            shouldBeRaised ? interrupt.raise() : interrupt.lower()
        }
        guard let timer else { return }
        let next = registers.enable.contains(.timer) && !shouldBeRaised ? nextChange : nil
        if next != deadline {
            deadline = next
            timer.set(deadline: next)
        }
    }

    /// When, by the host's clock, the timer's highest bit changes next.
    private var nextChange: UInt64 {
        let half: UInt64 = 1 << UInt64(timerWidth.rawValue - 1)
        let ticksToGo = half - ticks % half
        // The host's tick of the change, and the first nanosecond at which it is reached.
        let hostTick = Self.hostTicks(clock) &+ ticksToGo
        let (seconds, rest) = hostTick.quotientAndRemainder(dividingBy: Self.timerFrequency)
        return seconds &* Self.nanosecondsPerSecond
            &+ (rest * Self.nanosecondsPerSecond + Self.timerFrequency - 1) / Self.timerFrequency
    }
}
