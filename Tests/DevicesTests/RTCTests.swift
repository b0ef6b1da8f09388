import Devices
import Testing

@Suite struct RTCTests {
    typealias Address = RTC.Address

    /// A clock that begins at Sunday, 2026-11-22 18:30:15 UTC, in BCD and 24 hours.
    final class Bench {
        let clock: ManualClock
        let line = RecordingLine()
        let timer = RecordingTimer()
        let rtc: RTC

        init(clock: ManualClock = ManualClock(), state: RTC.State = .init()) {
            self.clock = clock
            rtc = RTC(clock: clock, interrupt: line, timer: timer, state: state)
        }

        func read(_ address: UInt8) -> UInt8 {
            rtc.write(UInt64(address), offset: 0, width: 1)
            return UInt8(truncatingIfNeeded: rtc.read(offset: 1, width: 1))
        }
        func write(_ address: UInt8, _ byte: UInt8) {
            rtc.write(UInt64(address), offset: 0, width: 1)
            rtc.write(UInt64(byte), offset: 1, width: 1)
        }
        /// Century, year, month, day, hours, minutes, seconds as they stand in the registers.
        var time: [UInt8] {
            [
                Address.century, Address.year, Address.month, Address.dateOfMonth, Address.hours, Address.minutes,
                Address.seconds,
            ].map(read)
        }
        func setTime(_ values: [UInt8]) {
            let addresses = [
                Address.century, Address.year, Address.month, Address.dateOfMonth, Address.hours, Address.minutes,
                Address.seconds,
            ]
            for (address, value) in zip(addresses, values) { write(address, value) }
        }
        /// Goes to the deadline, if one is set.
        func runToDeadline() throws {
            let deadline = try #require(timer.deadline)
            clock.advance(nanoseconds: deadline - clock.nanoseconds)
            timer.expire()
            rtc.deadlineReached()
        }
    }

    // MARK: Time and formats

    @Test func time_inBCD_isTheHosts() {
        let bench = Bench()
        #expect(bench.time == [0x20, 0x26, 0x11, 0x22, 0x18, 0x30, 0x15])
        #expect(bench.read(Address.dayOfWeek) == 1)
    }

    @Test func time_inBinary_isTheHosts() {
        let bench = Bench()
        bench.write(Address.controlB, 0x06)
        #expect(bench.time == [20, 26, 11, 22, 18, 30, 15])
    }

    @Test(arguments: [
        (UInt64(0), UInt8(0x12)), (1, 0x01), (11, 0x11), (12, 0x92), (13, 0x81), (18, 0x86), (23, 0x91),
    ])
    func hours_in12HourMode_carryPMInBit7(hour: UInt64, register: UInt8) {
        let bench = Bench(clock: ManualClock(secondsSince1970: hour * 3_600))
        bench.write(Address.controlB, 0x00)
        #expect(bench.read(Address.hours) == register)
        // And the same way back.
        bench.write(Address.hours, register)
        bench.write(Address.controlB, 0x06)
        #expect(UInt64(bench.read(Address.hours)) == hour)
    }

    static let calendar: [(UInt64, [UInt8], UInt8)] = [
        (951_782_400, [20, 0, 2, 29, 0, 0, 0], 3),
        (951_868_799, [20, 0, 2, 29, 23, 59, 59], 3), (951_868_800, [20, 0, 3, 1, 0, 0, 0], 4),
        (4_107_542_399, [21, 0, 2, 28, 23, 59, 59], 1), (4_107_542_400, [21, 0, 3, 1, 0, 0, 0], 2),
        (0, [19, 70, 1, 1, 0, 0, 0], 5), (1_735_689_599, [20, 24, 12, 31, 23, 59, 59], 3),
    ]

    @Test(arguments: calendar)
    func time_atTheEndsOfMonthsAndYears_isTheCalendars(seconds: UInt64, time: [UInt8], dayOfWeek: UInt8) {
        let bench = Bench(clock: ManualClock(secondsSince1970: seconds))
        bench.write(Address.controlB, 0x06)
        #expect(bench.time == time)
        #expect(bench.read(Address.dayOfWeek) == dayOfWeek)
    }

    @Test func time_goesOn() {
        let bench = Bench()
        bench.clock.advance(seconds: 45)
        #expect(bench.time == [0x20, 0x26, 0x11, 0x22, 0x18, 0x31, 0x00])
    }

    // MARK: Setting

    @Test func setting_withSET_standsStillAndThenGoesOnFromThere() {
        let bench = Bench()
        bench.write(Address.controlB, 0x82)
        bench.setTime([0x19, 0x99, 0x12, 0x31, 0x23, 0x59, 0x58])
        bench.clock.advance(seconds: 10)
        #expect(bench.time == [0x19, 0x99, 0x12, 0x31, 0x23, 0x59, 0x58])
        bench.write(Address.controlB, 0x02)
        bench.clock.advance(seconds: 2)
        #expect(bench.time == [0x20, 0x00, 0x01, 0x01, 0x00, 0x00, 0x00])
        #expect(bench.read(Address.dayOfWeek) == 7)
    }

    @Test func setting_isKeptAsAnOffsetAcrossASavedState() {
        let bench = Bench()
        bench.write(Address.controlB, 0x82)
        bench.setTime([0x20, 0x30, 0x01, 0x02, 0x03, 0x04, 0x05])
        bench.write(Address.controlB, 0x02)
        let later = ManualClock(secondsSince1970: ManualClock.start + 60)
        let copy = Bench(clock: later, state: bench.rtc.state)
        #expect(copy.time == [0x20, 0x30, 0x01, 0x02, 0x03, 0x05, 0x05])
    }

    @Test func setting_oneRegisterWhileRunning_changesOnlyThat() {
        let bench = Bench()
        bench.write(Address.minutes, 0x07)
        #expect(bench.time == [0x20, 0x26, 0x11, 0x22, 0x18, 0x07, 0x15])
    }

    @Test func setting_nonsense_givesTheNearestTime() {
        let bench = Bench()
        bench.write(Address.controlB, 0x82)
        bench.setTime([0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF])
        #expect(bench.time == [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], "it reads back while SET is set")
        bench.write(Address.controlB, 0x02)
        #expect(bench.time == [0x99, 0x99, 0x12, 0x31, 0x23, 0x59, 0x59])
        bench.write(Address.controlB, 0x82)
        bench.setTime([0, 0, 0, 0, 0, 0, 0])
        bench.write(Address.controlB, 0x02)
        #expect(bench.time == [0x00, 0x00, 0x01, 0x01, 0x00, 0x00, 0x00])
    }

    /// Linux sets SET, stops the divider, writes, and lets both go: the next second comes half a second later.
    @Test func setting_asLinuxDoes_startsHalfASecondBeforeTheNextSecond() {
        let bench = Bench()
        bench.clock.advance(nanoseconds: 123_456_789)
        bench.write(Address.controlB, 0x82)
        bench.write(Address.controlA, 0x76)
        bench.setTime([0x20, 0x26, 0x11, 0x23, 0x12, 0x00, 0x00])
        bench.write(Address.controlB, 0x02)
        bench.clock.advance(seconds: 3)
        #expect(bench.read(Address.seconds) == 0x00, "the divider is still held")
        bench.write(Address.controlA, 0x26)
        bench.clock.advance(nanoseconds: 499_999_999)
        #expect(bench.read(Address.seconds) == 0x00)
        bench.clock.advance(nanoseconds: 1)
        #expect(bench.read(Address.seconds) == 0x01)
    }

    // MARK: Update cycle

    @Test func updateInProgress_isSetFor2228MicrosecondsBeforeEachSecond() {
        let bench = Bench()
        #expect(bench.read(Address.controlA) == 0x26)
        bench.clock.advance(nanoseconds: 997_771_999)
        #expect(bench.read(Address.controlA) == 0x26)
        bench.clock.advance(nanoseconds: 1)
        #expect(bench.read(Address.controlA) == 0xA6)
        #expect(bench.read(Address.seconds) == 0x15, "the old time stays until the cycle ends")
        bench.clock.advance(nanoseconds: 2_228_000)
        #expect(bench.read(Address.controlA) == 0x26)
        #expect(bench.read(Address.seconds) == 0x16)
    }

    @Test(arguments: [(UInt8(0x0B), UInt8(0x82)), (0x0A, 0x76)])
    func updateInProgress_whileStopped_staysClear(address: UInt8, value: UInt8) {
        let bench = Bench()
        bench.write(address, value)
        bench.clock.advance(nanoseconds: 999_999_999)
        #expect(bench.read(Address.controlA) & 0x80 == 0)
    }

    @Test func hostsTimeOfDay_changed_isFollowed() {
        final class SteppingClock: Clock {
            var nanoseconds: UInt64 = 0
            var secondsSince1970: UInt64 = ManualClock.start
        }
        let clock = SteppingClock()
        let rtc = RTC(clock: clock, interrupt: RecordingLine())
        let minutes = { () -> UInt64 in
            rtc.write(UInt64(Address.minutes), offset: 0, width: 1)
            return rtc.read(offset: 1, width: 1)
        }
        clock.secondsSince1970 += 600
        #expect(minutes() == 0x40)
        clock.secondsSince1970 -= 1_200
        #expect(minutes() == 0x20)
    }

    // MARK: Control registers

    @Test func controlRegisters_afterPowerOn_holdAPCsValues() {
        let bench = Bench()
        #expect(bench.read(Address.controlA) == 0x26)
        #expect(bench.read(Address.controlB) == 0x02)
        #expect(bench.read(Address.flags) == 0x00)
        #expect(bench.read(Address.validity) == 0x80)
    }

    @Test func readOnlyRegisters_written_doNotChange() {
        let bench = Bench()
        bench.write(Address.flags, 0xFF)
        bench.write(Address.validity, 0x00)
        bench.write(Address.controlA, 0xA6)
        #expect(bench.read(Address.flags) == 0x00)
        #expect(bench.read(Address.validity) == 0x80)
        #expect(bench.read(Address.controlA) == 0x26)
    }

    @Test func set_clearsTheUpdateInterruptsEnable() {
        let bench = Bench()
        bench.write(Address.controlB, 0x92)
        #expect(bench.read(Address.controlB) == 0x82)
    }

    // MARK: Interrupts

    @Test func flags_areClearedByReading() {
        let bench = Bench()
        bench.clock.advance(seconds: 1)
        #expect(bench.read(Address.flags) & 0x10 == 0x10)
        #expect(bench.read(Address.flags) == 0x00)
        #expect(!bench.line.isRaised)
    }

    @Test func updateInterrupt_enabled_comesEachSecond() throws {
        let bench = Bench()
        bench.clock.advance(nanoseconds: 400_000_000)
        bench.write(Address.controlB, 0x12)
        for second in UInt64(1)...3 {
            #expect(bench.timer.deadline == second * 1_000_000_000)
            try bench.runToDeadline()
            #expect(bench.line.isRaised)
            #expect(bench.timer.deadline == nil, "none while one is pending")
            #expect(bench.read(Address.flags) & 0x90 == 0x90)
            #expect(!bench.line.isRaised)
        }
    }

    @Test(arguments: [
        (UInt8(1), UInt64(256)), (2, 128), (3, 8_192), (4, 4_096), (6, 1_024), (9, 128), (15, 2),
    ])
    func periodicInterrupt_comesAtItsRate(rate: UInt8, hertz: UInt64) throws {
        let bench = Bench()
        bench.write(Address.controlA, 0x20 | rate)
        bench.write(Address.controlB, 0x42)
        for period in UInt64(1)...(3 * hertz) {
            try bench.runToDeadline()
            #expect(bench.clock.nanoseconds == (period * 1_000_000_000 + hertz - 1) / hertz)
            #expect(bench.read(Address.flags) & 0xC0 == 0xC0)
        }
    }

    @Test func periodicRate0_hasNoPeriods() {
        let bench = Bench()
        bench.write(Address.controlA, 0x20)
        bench.write(Address.controlB, 0x42)
        #expect(bench.timer.deadline == nil)
        bench.clock.advance(seconds: 3)
        #expect(bench.read(Address.flags) & 0x40 == 0)
    }

    /// Hours, minutes, seconds of the alarm, and after how many seconds from 18:30:15 it comes.
    static let alarms: [(UInt8, UInt8, UInt8, UInt64)] = [
        (0x18, 0x30, 0x20, 5), (0xFF, 0xFF, 0xFF, 1), (0xFF, 0xFF, 0x14, 59),
        (0xFF, 0x31, 0x00, 45), (0xC0, 0x30, 0x15, 3_600), (0x18, 0x30, 0x15, 86_400), (0x00, 0x00, 0x00, 19_785),
    ]

    @Test(arguments: alarms)
    func alarm_atItsTime_interrupts(hours: UInt8, minutes: UInt8, seconds: UInt8, after: UInt64) throws {
        let bench = Bench()
        bench.write(Address.hoursAlarm, hours)
        bench.write(Address.minutesAlarm, minutes)
        bench.write(Address.secondsAlarm, seconds)
        bench.write(Address.controlB, 0x22)
        #expect(bench.timer.deadline == after * 1_000_000_000)
        try bench.runToDeadline()
        #expect(bench.line.isRaised)
        #expect(bench.read(Address.flags) & 0xA0 == 0xA0)
    }

    @Test func alarm_withoutAValidTime_neverComes() {
        let bench = Bench()
        bench.write(Address.hoursAlarm, 0x24)
        bench.write(Address.controlB, 0x22)
        #expect(bench.timer.deadline == nil)
        bench.clock.advance(seconds: 200_000)
        #expect(bench.read(Address.flags) & 0x20 == 0)
    }

    @Test func alarm_passedBetweenTwoReads_isNoted() {
        let bench = Bench()
        bench.write(Address.hoursAlarm, 0x19)
        bench.clock.advance(seconds: 7_200)
        #expect(bench.read(Address.flags) & 0x20 == 0x20)
    }

    @Test func reset_disablesInterruptsAndKeepsTheTime() {
        let bench = Bench()
        bench.write(Address.controlB, 0x72)
        bench.clock.advance(seconds: 1)
        bench.timer.expire()
        bench.rtc.deadlineReached()
        #expect(bench.line.isRaised)
        bench.rtc.reset()
        #expect(!bench.line.isRaised)
        #expect(bench.read(Address.controlB) == 0x02)
        #expect(bench.time.last == 0x16)
        #expect(bench.timer.deadline == nil)
    }

    // MARK: Memory

    @Test func memory_everyByteBesidesTimeAndControl_readsBack() {
        let bench = Bench()
        for address in UInt8(0x0E)..<0x80 where address != Address.century { bench.write(address, address ^ 0x5A) }
        for address in UInt8(0x0E)..<0x80 where address != Address.century {
            #expect(bench.read(address) == address ^ 0x5A)
            #expect(bench.rtc[cmos: address] == address ^ 0x5A)
        }
        #expect(bench.time[1...] == [0x26, 0x11, 0x22, 0x18, 0x30, 0x15])
    }

    @Test func indexPort_bit7_isTheNMIGateAndNoPartOfTheIndex() {
        let bench = Bench()
        bench.rtc.write(0x8F, offset: 0, width: 1)
        bench.rtc.write(0x0A, offset: 1, width: 1)
        #expect(bench.rtc.isNMIDisabled)
        #expect(bench.rtc.shutdownStatus == 0x0A)
        bench.rtc.write(0x0F, offset: 0, width: 1)
        #expect(!bench.rtc.isNMIDisabled)
        #expect(bench.rtc.read(offset: 0, width: 1) == 0xFF)
    }

    @Test func wideWrite_selectsAndWritesAtOnce() {
        let bench = Bench()
        bench.rtc.write(0x0A0F, offset: 0, width: 2)
        #expect(bench.rtc.shutdownStatus == 0x0A)
    }

    /// Below and above 4 GiB; KiB at 0x15, 0x17 and 0x30; 64-KiB blocks at 0x34 and 0x5B.
    static let memorySizes: [(UInt64, UInt64, Int, Int, Int, Int)] = [
        (1 << 20, 0, 640, 0, 0, 0), (128 << 20, 0, 640, 65_535, 1_792, 0),
        (16 << 20, 0, 640, 15_360, 0, 0), (64 << 20, 0, 640, 64_512, 768, 0), (512 << 10, 0, 512, 0, 0, 0),
        (3 << 30, 2 << 30, 640, 65_535, 48_896, 32_768), (0, .max, 0, 0, 0, 0xFF_FFFF),
    ]

    @Test(arguments: memorySizes)
    func memorySize_isWhereFirmwareLooks(
        below: UInt64, above: UInt64, base: Int, extended: Int, above16MiB: Int, above4GiB: Int
    ) {
        let bench = Bench()
        bench.rtc.setMemorySize(below4GiB: below, above4GiB: above)
        func word(_ address: UInt8) -> Int { Int(bench.read(address)) | Int(bench.read(address + 1)) << 8 }
        #expect(word(0x15) == base)
        #expect(word(0x17) == extended)
        #expect(word(0x30) == extended)
        #expect(word(0x34) == above16MiB)
        #expect(word(0x5B) | Int(bench.read(0x5D)) << 16 == above4GiB)
        let sum = (UInt8(0x10)...0x2D).reduce(0) { $0 + Int(bench.read($1)) }
        #expect(Int(bench.read(0x2E)) << 8 | Int(bench.read(0x2F)) == sum)
    }

    @Test func state_restoredElsewhere_goesOnTheSame() {
        let bench = Bench()
        bench.write(0x40, 0x77)
        bench.write(Address.controlB, 0x12)
        bench.clock.advance(seconds: 1)
        bench.rtc.deadlineReached()
        let clock = ManualClock(secondsSince1970: bench.clock.secondsSince1970)
        let copy = Bench(clock: clock, state: bench.rtc.state)
        #expect(copy.line.isRaised)
        #expect(copy.rtc.state == bench.rtc.state)
        #expect(copy.time == bench.time)
        #expect(copy.read(0x40) == 0x77)
    }

    @Test(arguments: [Int64.min, .max])
    func state_withAnImpossibleOffset_isRestoredWithoutATrap(ahead: Int64) {
        var state = RTC.State()
        state.secondsAhead = ahead
        state.index = 0xFF
        state.memory = Array(repeating: 0xFF, count: 1_000)
        let bench = Bench(state: state)
        for address in UInt8(0)..<0x80 { _ = bench.read(address) }
        bench.write(Address.seconds, 0x01)
        #expect(bench.read(Address.seconds) == 0x01)
    }
}
