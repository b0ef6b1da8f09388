// All devices but the UART under any accesses, while time goes on in any steps. No access may trap, and the rules
// that hold at any time must hold.
internal import Devices
internal import FuzzInput

private final class Line: InterruptLine {
    var isRaised = false
    func raise() { isRaised = true }
    func lower() { isRaised = false }
}

private final class TestClock: Clock {
    var nanoseconds: UInt64 = 0
    var startSeconds: UInt64 = 1_795_372_215
    var secondsSince1970: UInt64 { startSeconds &+ nanoseconds / 1_000_000_000 }
}

private final class Timer: DeadlineTimer {
    var deadline: UInt64?
    func set(deadline: UInt64?) { self.deadline = deadline }
}

private final class TestBoard: Board {
    var requests = 0
    func request(_ request: BoardRequest) { requests += 1 }
}

private final class Output: CharacterPort {
    var count = 0
    func transmit(_ byte: UInt8) { count += 1 }
}

private final class Run {
    let clock = TestClock()
    let board = TestBoard()
    let output = Output()
    let (keyboardLine, auxiliaryLine, rtcLine, sci) = (Line(), Line(), Line(), Line())
    let (rtcTimer, powerTimer) = (Timer(), Timer())
    let keyboard: KeyboardController
    let rtc: RTC
    let power: ACPIPowerManagement
    let postCode = PostCode()
    let others: [any Device]

    init(_ input: inout FuzzInput) {
        let choice = input.byte()
        keyboard = KeyboardController(
            board: board, keyboardInterrupt: keyboardLine, auxiliaryInterrupt: auxiliaryLine)
        rtc = RTC(clock: clock, interrupt: rtcLine, timer: rtcTimer)
        power = ACPIPowerManagement(
            model: choice & 1 == 0 ? .fixedHardware : .hardwareReduced, timerWidth: choice & 2 == 0 ? .bits32 : .bits24,
            board: board, clock: clock, interrupt: sci, timer: powerTimer)
        others = [
            DebugExit(board: board), DebugConsole(port: output), postCode, SystemControlPortA(board: board),
            SystemControlPortB(clock: clock), ResetControl(board: board),
        ]
    }

    func step(_ input: inout FuzzInput) {
        let operation = input.byte()
        let before = (board.requests, output.count)
        switch operation {
        case 0x00...0x3F:
            access(rtc, &input, registers: 2)
        case 0x40...0x5F:
            access(keyboard, &input, registers: 5)
        case 0x60...0x8F:
            access(power, &input, registers: 16)
        case 0x90...0xAF:
            access(others[Int(operation) % others.count], &input, registers: 2)
        case 0xB0...0xCF:
            // A byte of CMOS, as guests do it.
            rtc.write(UInt64(input.byte()), offset: 0, width: 1)
            if operation & 1 == 0 {
                rtc.write(UInt64(input.byte()), offset: 1, width: 1)
            } else {
                _ = rtc.read(offset: 1, width: 1)
            }
        case 0xD0...0xDF:
            // From a microsecond to centuries, and then whoever waited for it.
            clock.nanoseconds &+= input.number(bytes: 2) << UInt64(operation & 0x0F) * 3
            fireTimers()
        case 0xE0...0xE7:
            clock.nanoseconds = max(clock.nanoseconds, min(rtcTimer.deadline ?? 0, powerTimer.deadline ?? 0))
            fireTimers()
        case 0xE8...0xEB:
            clock.startSeconds = input.number(bytes: 8)
        case 0xEC...0xEF:
            power.pressPowerButton()
        case 0xF0...0xF7:
            rtc.setMemorySize(below4GiB: input.number(bytes: 8), above4GiB: input.number(bytes: 8))
        case 0xF8...0xFB:
            checkSavedStates()
        default:
            operation & 1 == 0 ? rtc.reset() : keyboard.reset()
            power.reset()
        }
        checkRules()
        let mayAsk = (0x40...0xAF).contains(operation)
        check(mayAsk || board.requests == before.0, "the clock never ends the machine, nor does time")
        check((0x90...0xAF).contains(operation) || output.count == before.1, "nothing else prints")
    }

    func access(_ device: any Device, _ input: inout FuzzInput, registers: UInt64) {
        let how = input.byte()
        let width = 1 << Int(how & 3)
        let offset = how & 0x80 != 0 ? input.number(bytes: 8) : UInt64(how >> 2 & 0x1F) % registers
        if how & 0x40 != 0 {
            device.write(input.number(bytes: width), offset: offset, width: width)
        } else {
            let before = (board.requests, output.count)
            let value = device.read(offset: offset, width: width)
            check(before == (board.requests, output.count), "who only reads ends nothing and prints nothing")
            check(width == 8 || value >> (8 * UInt64(width)) == 0, "a read gives no more bits than were asked for")
        }
    }

    func fireTimers() {
        if let deadline = rtcTimer.deadline, deadline <= clock.nanoseconds {
            rtcTimer.deadline = nil
            rtc.deadlineReached()
        }
        if let deadline = powerTimer.deadline, deadline <= clock.nanoseconds {
            powerTimer.deadline = nil
            power.deadlineReached()
        }
    }

    func checkRules() {
        let status = KeyboardController.Status(rawValue: keyboard.readByte(offset: 4))
        check(!status.contains(.inputBufferFull), "the keyboard controller is always ready")
        check(!keyboardLine.isRaised || status.contains(.outputBufferFull), "no interrupt without a byte")
        check(!auxiliaryLine.isRaised || status.contains(.auxiliaryOutputBufferFull), "nor from the auxiliary port")
        check(!(keyboardLine.isRaised && auxiliaryLine.isRaised), "one byte makes one interrupt")
        check(postCode.state.codes.count <= PostCode.depth, "there are at most sixteen codes")
        checkTime()
        let powerState = power.state
        check(
            sci.isRaised == (power.model == .fixedHardware && !powerState.status.isDisjoint(with: powerState.enable))
                || powerState.status.contains(.timer),
            "the SCI follows status and enable, but for a timer that has not been looked at yet")
    }

    /// A copy of the clock is read, so that the guest's index is not changed.
    func checkTime() {
        let state = rtc.state
        let runs = state.controlA.intersection(RTC.ControlA(rawValue: 0x70)) == .divider32768Hz
        guard runs, !state.controlB.contains(.set) else { return }
        let copy = RTC(clock: clock, interrupt: Line(), state: state)
        func read(_ address: UInt8) -> UInt8 {
            copy.writeByte(address, offset: 0)
            return copy.readByte(offset: 1)
        }
        func number(_ address: UInt8) -> Int {
            let byte = read(address)
            if state.controlB.contains(.binaryData) { return Int(byte) }
            check(byte >> 4 < 10 && byte & 0x0F < 10, "BCD has decimal digits")
            return Int(byte >> 4) * 10 + Int(byte & 0x0F)
        }
        check(number(RTC.Address.seconds) < 60, "seconds are 0 to 59")
        check(number(RTC.Address.minutes) < 60, "minutes are 0 to 59")
        check((1...7).contains(number(RTC.Address.dayOfWeek)), "days of the week are 1 to 7")
        check((1...31).contains(number(RTC.Address.dateOfMonth)), "days are 1 to 31")
        check((1...12).contains(number(RTC.Address.month)), "months are 1 to 12")
        check(number(RTC.Address.year) < 100, "years are 0 to 99")
        check(number(RTC.Address.century) < 100, "centuries are 0 to 99")
        let hours = read(RTC.Address.hours)
        check(
            state.controlB.contains(.hours24) ? hours <= 0x23 : (1...0x12).contains(hours & 0x7F),
            "hours are 0 to 23, or 1 to 12")
    }

    func checkSavedStates() {
        let keyboardCopy = KeyboardController(
            board: board, keyboardInterrupt: Line(), auxiliaryInterrupt: Line(), state: keyboard.state)
        check(keyboardCopy.state == keyboard.state, "the keyboard controller is restored the same")
        let rtcState = rtc.state
        check(RTC(clock: clock, interrupt: Line(), state: rtcState).state == rtcState, "the clock is restored the same")
        let powerState = power.state
        let powerCopy = ACPIPowerManagement(
            model: power.model, board: board, clock: clock, interrupt: Line(), state: powerState)
        check(powerCopy.state == powerState, "power management is restored the same")
        check(PostCode(state: postCode.state).state == postCode.state, "the codes are restored the same")
    }
}

/// libFuzzer's entry point.
@c(LLVMFuzzerTestOneInput)
public func fuzzOne(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = unsafe FuzzInput(data, count)
    let run = Run(&input)
    while !input.isEmpty {
        run.step(&input)
    }
    return 0
}
