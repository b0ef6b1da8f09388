import Devices
import Testing

@Suite struct ACPIPowerManagementTests {
    typealias Offset = ACPIPowerManagement.Offset

    final class Bench {
        let board = RecordingBoard()
        let clock = ManualClock()
        let line = RecordingLine()
        let timer = RecordingTimer()
        let device: ACPIPowerManagement

        init(
            _ model: ACPIPowerManagement.Model = .fixedHardware, width: ACPIPowerManagement.TimerWidth = .bits32,
            state: ACPIPowerManagement.State = .init()
        ) {
            device = ACPIPowerManagement(
                model: model, timerWidth: width, board: board, clock: clock, interrupt: line, timer: timer,
                state: state)
        }

        func read(_ offset: UInt64, _ width: Int = 2) -> UInt64 { device.read(offset: offset, width: width) }
        func write(_ offset: UInt64, _ value: UInt64, _ width: Int = 2) {
            device.write(value, offset: offset, width: width)
        }
    }

    // MARK: Off and reset

    @Test func sleep_typeS5_switchesOff() {
        let bench = Bench()
        let value = UInt64(ACPIPowerManagement.sleepTypeS5) << 10
        bench.write(Offset.pm1Control, value | 1)
        #expect(bench.board.requests.isEmpty, "SLP_EN is still clear")
        bench.write(Offset.pm1Control, value | 1 << 13 | 1)
        #expect(bench.board.requests == [.powerOff])
        #expect(bench.read(Offset.pm1Control) == value | 1, "SLP_EN reads 0, SCI_EN 1")
    }

    @Test(arguments: [UInt64(0), 1, 2, 3, 4, 6, 7])
    func sleep_otherType_wakesAtOnce(type: UInt64) {
        let bench = Bench()
        bench.write(Offset.pm1Control, type << 10 | 1 << 13)
        #expect(bench.board.requests.isEmpty)
        #expect(bench.read(Offset.pm1Event) == 0x8000)
        bench.write(Offset.pm1Event, 0x8000)
        #expect(bench.read(Offset.pm1Event) == 0)
    }

    @Test(arguments: [ACPIPowerManagement.Model.fixedHardware, .hardwareReduced])
    func resetRegister_takesOnlyItsValue(model: ACPIPowerManagement.Model) {
        let bench = Bench(model)
        bench.write(Offset.reset, 0x01, 1)
        #expect(bench.board.requests.isEmpty)
        bench.write(Offset.reset, UInt64(ACPIPowerManagement.resetValue), 1)
        #expect(bench.board.requests == [.reset])
    }

    @Test func sleepControl_hardwareReduced_switchesOff() {
        let bench = Bench(.hardwareReduced)
        bench.write(Offset.sleepControl, UInt64(ACPIPowerManagement.sleepTypeS5) << 2 | 1 << 5, 1)
        #expect(bench.board.requests == [.powerOff])
        #expect(bench.read(Offset.sleepControl, 1) == 5 << 2)
    }

    @Test func sleepStatus_hardwareReduced_showsWakeUntilCleared() {
        let bench = Bench(.hardwareReduced)
        bench.write(Offset.sleepControl, 3 << 2 | 1 << 5, 1)
        #expect(bench.read(Offset.sleepStatus, 1) == 0x80)
        bench.write(Offset.sleepStatus, 0x80, 1)
        #expect(bench.read(Offset.sleepStatus, 1) == 0x00)
        #expect(bench.board.requests.isEmpty)
    }

    @Test func registersOfTheOtherModel_areNotThere() {
        let reduced = Bench(.hardwareReduced)
        #expect(reduced.read(Offset.pm1Event, 4) == 0xFFFF_FFFF)
        #expect(reduced.read(Offset.timer, 4) == 0xFFFF_FFFF)
        reduced.write(Offset.pm1Control, 5 << 10 | 1 << 13)
        #expect(reduced.board.requests.isEmpty)
        #expect(!reduced.device.pressPowerButton())
        #expect(!reduced.line.isRaised)
        let fixed = Bench()
        fixed.write(Offset.sleepControl, 5 << 2 | 1 << 5, 1)
        #expect(fixed.board.requests.isEmpty)
        #expect(fixed.read(Offset.sleepStatus, 1) == 0xFF)
    }

    // MARK: Events

    @Test func powerButton_enabled_interruptsUntilItsStatusIsCleared() {
        let bench = Bench()
        bench.write(Offset.pm1Event + 2, 1 << 8)
        #expect(bench.device.pressPowerButton())
        #expect(bench.line.isRaised)
        #expect(bench.read(Offset.pm1Event) == 1 << 8)
        bench.write(Offset.pm1Event, 0x00FF)
        #expect(bench.line.isRaised, "ones elsewhere do not clear it")
        bench.write(Offset.pm1Event, 1 << 8)
        #expect(!bench.line.isRaised)
        #expect(bench.read(Offset.pm1Event) == 0)
    }

    @Test func powerButton_notEnabled_waitsForTheGuest() {
        let bench = Bench()
        #expect(!bench.device.pressPowerButton())
        #expect(!bench.line.isRaised)
        bench.write(Offset.pm1Event + 2, 1 << 8)
        #expect(bench.line.isRaised)
    }

    @Test func enable_writtenAllOnes_keepsTheBitsThatExist() {
        let bench = Bench()
        bench.write(Offset.pm1Event + 2, 0xFFFF)
        #expect(bench.read(Offset.pm1Event + 2) == 0x0721)
        #expect(bench.read(Offset.pm1Event, 4) == 0x0721_0000)
    }

    @Test func control_writtenZero_keepsSCIEnable() {
        let bench = Bench()
        #expect(bench.read(Offset.pm1Control) == 1)
        bench.write(Offset.pm1Control, 0)
        #expect(bench.read(Offset.pm1Control) == 1)
        bench.write(Offset.pm1Control, 0xDFFF)
        #expect(bench.read(Offset.pm1Control) == 0x1C03)
    }

    // MARK: Timer

    @Test func timer_afterASecond_hasCounted3579545Ticks() {
        let bench = Bench()
        bench.clock.advance(seconds: 1)
        #expect(bench.read(Offset.timer, 4) == 3_579_545)
        bench.clock.advance(nanoseconds: 279)
        #expect(bench.read(Offset.timer, 4) == 3_579_545)
        bench.clock.advance(nanoseconds: 1)
        #expect(bench.read(Offset.timer, 4) == 3_579_546)
    }

    @Test func timer_after300Years_isExact() {
        let bench = Bench()
        let seconds: UInt64 = 300 * 366 * 86_400
        bench.clock.advance(seconds: seconds)
        #expect(bench.read(Offset.timer, 4) == seconds * 3_579_545 % (1 << 32))
    }

    @Test func timer_of24Bits_wrapsAround() {
        let bench = Bench(width: .bits24)
        bench.clock.advance(seconds: 5)
        #expect(bench.read(Offset.timer, 4) == 5 * 3_579_545 % (1 << 24))
    }

    @Test func timer_readBytewise_isTheSame() {
        let bench = Bench()
        bench.clock.advance(seconds: 100)
        let bytes = (0..<4).reduce(UInt64(0)) { $0 | bench.read(Offset.timer + $1, 1) << (8 * $1) }
        #expect(bytes == bench.read(Offset.timer, 4))
    }

    @Test(arguments: [ACPIPowerManagement.TimerWidth.bits24, .bits32])
    func timerOverflow_enabled_interruptsAtTheDeadline(width: ACPIPowerManagement.TimerWidth) throws {
        let bench = Bench(width: width)
        bench.write(Offset.pm1Event + 2, 1)
        for half in UInt64(1)...4 {
            let deadline = try #require(bench.timer.deadline)
            bench.clock.advance(nanoseconds: deadline - bench.clock.nanoseconds - 1)
            bench.device.deadlineReached()
            #expect(!bench.line.isRaised)
            bench.clock.advance(nanoseconds: 1)
            bench.timer.expire()
            bench.device.deadlineReached()
            #expect(bench.line.isRaised)
            #expect(bench.read(Offset.timer, 4) == (half % 2) << UInt64(width.rawValue - 1))
            bench.write(Offset.pm1Event, 1)
            #expect(!bench.line.isRaised)
        }
    }

    @Test func timerOverflow_notEnabled_setsOnlyItsStatus() {
        let bench = Bench(width: .bits24)
        bench.clock.advance(seconds: 3)
        #expect(bench.read(Offset.pm1Event) == 1)
        #expect(!bench.line.isRaised)
        #expect(bench.timer.calls == 0)
    }

    // MARK: State

    @Test func state_restoredElsewhere_goesOnTheSame() {
        let bench = Bench()
        bench.clock.advance(seconds: 77)
        bench.write(Offset.pm1Event + 2, 1 << 8)
        bench.device.pressPowerButton()
        let copy = Bench(state: bench.device.state)
        #expect(copy.line.isRaised)
        #expect(copy.read(Offset.timer, 4) == 77 * 3_579_545)
        #expect(copy.device.state == bench.device.state)
        copy.device.reset()
        #expect(!copy.line.isRaised)
        #expect(copy.read(Offset.pm1Event, 4) == 0)
    }
}
