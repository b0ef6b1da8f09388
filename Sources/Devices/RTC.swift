/// A PC's real-time clock and CMOS memory: Motorola's MC146818 with 128 bytes.
///
/// Offset 0 selects a byte (port 0x70; bit 7 is the board's NMI gate), offset 1 reads and writes it (port 0x71). The
/// time is the host's, in UTC, plus what the guest has set it ahead.
///
/// An update cycle is one as in the chip: for 2,228 microseconds before each new second UIP is set and the old time is
/// still there. So a guest that waits for UIP to end never waits longer than that, and one that saw it clear has time
/// to read all registers.
///
/// Time and memory outlive each reset, as long as the board hands the state of one clock to the next (``State``).
///
/// The day of the week follows from the date; one that is written is forgotten when the clock goes on.
///
/// Source: MC146818 data sheet (Motorola, 1984); IBM PC/AT Technical Reference for the memory.
public final class RTC: ByteDevice {
    /// Everything a guest can tell apart, besides the host's time.
    public struct State: Equatable, Sendable {
        /// The selected byte: 0 to 127.
        public var index: UInt8 = 0
        /// Bit 7 of the index port: the board holds back NMIs.
        public var isNMIDisabled = false
        /// All 128 bytes. Time and date count only while the clock stands still; the control registers are below.
        public var memory: [UInt8] = []
        /// Register A, without UIP.
        public var controlA: ControlA = [.divider32768Hz, ControlA(rawValue: 0x06)]
        /// Register B.
        public var controlB: ControlB = .hours24
        /// Register C, without IRQF.
        public var flags: Flags = []
        /// How many seconds the guest's clock is ahead of the host's.
        public var secondsAhead: Int64 = 0

        /// The state of a new chip.
        public init() {}

        /// What the RESET pin does to it: interrupts are disabled and their flags cleared. Time, formats and memory stay:
        /// they have a battery, and outlive each reset of the board.
        public mutating func reset() {
            controlB.subtract([
                .periodicInterruptEnable, .alarmInterruptEnable, .updateEndedInterruptEnable, .squareWaveEnable,
            ])
            flags = []
            isNMIDisabled = false
        }
    }

    /// Everything a guest can tell apart.
    public var state: State {
        catchUp()
        var state = registers
        for index in 0..<memory.count {
            state.memory.append(memory[index])
        }
        return state
    }

    /// The registers but for `State.memory`, which is in `memory`, so that no access allocates.
    var registers: State
    var memory = InlineArray<128, UInt8>(repeating: 0)
    let clock: any Clock
    private let interrupt: any InterruptLine
    private let timer: (any DeadlineTimer)?
    private var interruptIsRaised = false
    private var deadline: UInt64?

    /// The guest's time at `anchorNanoseconds` of the host's clock, where a second begins.
    var anchorSeconds: Int64 = 0
    var anchorNanoseconds: UInt64 = 0
    /// The second and the period up to which events have been noted in register C.
    var notedSecond: Int64 = 0
    var notedPeriod: UInt64 = 0

    /// - Parameters:
    ///   - clock: the host's time.
    ///   - interrupt: the IRQ pin, interrupt 8 on a PC; raised while register C's IRQF is set.
    ///   - timer: calls `deadlineReached` at the time of the next interrupt. Without one, interrupts come only with
    ///     the guest's accesses.
    ///   - state: the state to begin with.
    public init(
        clock: any Clock, interrupt: any InterruptLine, timer: (any DeadlineTimer)? = nil, state: State = State()
    ) {
        self.clock = clock
        self.interrupt = interrupt
        self.timer = timer
        registers = state
        registers.memory = []
        registers.index &= 0x7F
        registers.controlA.remove(.updateInProgress)
        registers.flags.formIntersection(.events)
        registers.secondsAhead = min(max(registers.secondsAhead, -Self.farthest), Self.farthest)
        for (index, byte) in state.memory.enumerated() where index < memory.count {
            memory[index] = byte
        }
        anchorNanoseconds = clock.nanoseconds
        anchorSeconds = hostSeconds &+ registers.secondsAhead
        notedSecond = anchorSeconds
        notedPeriod = currentPeriod
        updateInterrupt()
    }

    /// The RESET pin (``State/reset()``).
    public func reset() {
        catchUp()
        registers.reset()
        updateInterrupt()
    }

    /// The deadline given to the timer has come: raises the interrupt if it is due, and sets the next deadline.
    public func deadlineReached() {
        deadline = nil
        catchUp()
        updateInterrupt()
    }

    /// Whether the guest has closed the board's gate for NMIs (port 0x70, bit 7).
    public var isNMIDisabled: Bool { registers.isNMIDisabled }

    /// Reads the selected byte (offset 1). The index (offset 0) cannot be read.
    public func readByte(offset: UInt64) -> UInt8 {
        guard offset == 1 else { return 0xFF }
        catchUp()
        let value: UInt8
        switch registers.index {
        case Address.controlA:
            value = registers.controlA.rawValue | (isUpdateInProgress ? ControlA.updateInProgress.rawValue : 0)
        case Address.controlB:
            value = registers.controlB.rawValue
        case Address.flags:
            value = registers.flags.rawValue | (isInterruptRequested ? Flags.interruptRequest.rawValue : 0)
            registers.flags = []
        case Address.validity:
            value = Self.validRAMAndTime
        case let index where Self.isTime(index):
            value = isRunning ? encoded(CalendarTime(secondsSince1970: currentSecond), at: index) : memory[Int(index)]
        case let index:
            value = memory[Int(index & 0x7F)]
        }
        updateInterrupt()
        return value
    }

    /// Selects a byte (offset 0) or writes the selected one (offset 1).
    public func writeByte(_ byte: UInt8, offset: UInt64) {
        switch offset {
        case 0:
            registers.index = byte & 0x7F
            registers.isNMIDisabled = byte & 0x80 != 0
        case 1:
            catchUp()
            writeSelected(byte)
            updateInterrupt()
        default:
            break
        }
    }

    private func writeSelected(_ byte: UInt8) {
        let wasRunning = isRunning
        switch registers.index {
        case Address.controlA:
            if wasRunning { storeTime() }
            let dividerRan = registers.controlA.dividerRuns
            registers.controlA = ControlA(rawValue: byte).subtracting(.updateInProgress)
            // Data sheet, "divider control": the first update comes half a second after the divider starts.
            if !dividerRan, registers.controlA.dividerRuns { restartSecondHalfGone() }
            if !wasRunning, isRunning { loadTime() }
            notedPeriod = currentPeriod
        case Address.controlB:
            // In the old format: whoever stops the clock and changes the format at once has to write all of it anew.
            if wasRunning { storeTime() }
            registers.controlB = ControlB(rawValue: byte)
            if registers.controlB.contains(.set) {
                registers.controlB.remove(.updateEndedInterruptEnable)
            }
            if !wasRunning, isRunning { loadTime() }
        case Address.flags, Address.validity:
            break
        case let index where Self.isTime(index):
            if wasRunning { storeTime() }
            memory[Int(index)] = byte
            if wasRunning { loadTime() }
        case let index:
            memory[Int(index & 0x7F)] = byte
        }
    }

    // MARK: Interrupts

    var isInterruptRequested: Bool {
        registers.flags.rawValue & registers.controlB.rawValue & Flags.events.rawValue != 0
    }

    /// Sets the line to IRQF, and the timer to when IRQF will next be set.
    private func updateInterrupt() {
        let requested = isInterruptRequested
        if requested != interruptIsRaised {
            interruptIsRaised = requested
            requested ? interrupt.raise() : interrupt.lower()
        }
        guard let timer else { return }
        let next = requested ? nil : nextDeadline
        if next != deadline {
            deadline = next
            timer.set(deadline: next)
        }
    }
}
