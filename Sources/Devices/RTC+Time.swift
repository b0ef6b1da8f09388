// How the clock goes on, and what happens on the way.
extension RTC {
    private static let nanosecondsPerSecond: UInt64 = 1_000_000_000
    /// How long before a new second UIP is set: 244 microseconds of warning and 1,984 of update (data sheet table 6,
    /// for the 32,768 Hz crystal).
    private static let updateNanoseconds: UInt64 = 2_228_000

    /// Whether the clock goes on: the divider runs, and SET is clear.
    var isRunning: Bool { registers.controlA.dividerRuns && !registers.controlB.contains(.set) }

    /// Some 35,000 years: whatever a host or a saved state says, times stay where no sum can overflow.
    static let farthest: Int64 = 1 << 40

    var hostSeconds: Int64 { min(Int64(clamping: clock.secondsSince1970), Self.farthest) }

    private var elapsedNanoseconds: UInt64 { clock.nanoseconds &- anchorNanoseconds }

    /// The guest's time, in seconds since 1970-01-01 00:00:00.
    var currentSecond: Int64 {
        anchorSeconds &+ Int64(truncatingIfNeeded: elapsedNanoseconds / Self.nanosecondsPerSecond)
    }

    var isUpdateInProgress: Bool {
        let phase = elapsedNanoseconds % Self.nanosecondsPerSecond
        return isRunning && phase >= Self.nanosecondsPerSecond - Self.updateNanoseconds
    }

    /// How many periods of the periodic interrupt have ended, from some point in the past.
    var currentPeriod: UInt64 {
        guard let rate = registers.controlA.periodicRate else { return 0 }
        let nanoseconds = clock.nanoseconds
        return nanoseconds / Self.nanosecondsPerSecond &* rate
            &+ nanoseconds % Self.nanosecondsPerSecond * rate / Self.nanosecondsPerSecond
    }

    /// Notes in register C what has happened since the last time.
    func catchUp() {
        let period = currentPeriod
        if period != notedPeriod {
            notedPeriod = period
            registers.flags.insert(.periodic)
        }
        guard isRunning else { return }
        followHost()
        let second = currentSecond
        if second > notedSecond {
            registers.flags.insert(.updateEnded)
            if let distance = secondsToAlarm(after: notedSecond), distance <= second &- notedSecond {
                registers.flags.insert(.alarm)
            }
        }
        notedSecond = second
    }

    /// Seconds are counted by the steady clock, so that UIP always comes before a change. When the host's time of day
    /// has gone another way (it was set, or the host has slept), this clock follows in one step.
    private func followHost() {
        let expected = hostSeconds &+ registers.secondsAhead
        let difference = expected &- currentSecond
        if difference < -1 || difference > 1 {
            anchorSeconds = anchorSeconds &+ difference
        }
    }

    // MARK: Setting and reading

    static func isTime(_ index: UInt8) -> Bool {
        switch index {
        case Address.seconds, Address.minutes, Address.hours, Address.dayOfWeek, Address.dateOfMonth, Address.month,
            Address.year, Address.century:
            true
        default:
            false
        }
    }

    /// Makes the present second one that began half a second ago.
    func restartSecondHalfGone() {
        anchorNanoseconds = clock.nanoseconds &- Self.nanosecondsPerSecond / 2
    }

    /// Writes the time into memory, where the guest reads and changes it while the clock stands still.
    func storeTime() {
        let time = CalendarTime(secondsSince1970: currentSecond)
        for index in Address.seconds...Address.century where Self.isTime(index) {
            memory[Int(index)] = encoded(time, at: index)
        }
    }

    /// Lets the clock go on from the time in memory. What is no time is taken for the nearest one.
    func loadTime() {
        let time = CalendarTime(
            year: min(decoded(Address.century), 99) * 100 + min(decoded(Address.year), 99),
            month: min(max(decoded(Address.month), 1), 12),
            day: min(max(decoded(Address.dateOfMonth), 1), 31),
            hour: min(decodedHour(memory[Int(Address.hours)]), 23),
            minute: min(decoded(Address.minutes), 59),
            second: min(decoded(Address.seconds), 59))
        anchorSeconds = anchorSeconds &+ (time.secondsSince1970 &- currentSecond)
        notedSecond = currentSecond
        registers.secondsAhead = currentSecond &- hostSeconds
    }

    // MARK: Formats

    func encoded(_ time: CalendarTime, at index: UInt8) -> UInt8 {
        switch index {
        case Address.seconds: encoded(time.second)
        case Address.minutes: encoded(time.minute)
        case Address.hours: encodedHour(time.hour)
        case Address.dayOfWeek: encoded(time.dayOfWeek)
        case Address.dateOfMonth: encoded(time.day)
        case Address.month: encoded(time.month)
        case Address.year: encoded(((time.year % 100) + 100) % 100)
        default: encoded((time.year / 100 % 100 + 100) % 100)
        }
    }

    private func encoded(_ number: Int64) -> UInt8 {
        UInt8(truncatingIfNeeded: registers.controlB.contains(.binaryData) ? number : number / 10 * 16 + number % 10)
    }

    private func encodedHour(_ hour: Int64) -> UInt8 {
        if registers.controlB.contains(.hours24) {
            return encoded(hour)
        }
        // 12 is midnight, and with bit 7 noon.
        return encoded((hour + 11) % 12 + 1) | (hour >= 12 ? 0x80 : 0)
    }

    private func decoded(_ index: UInt8) -> Int64 { decodedNumber(memory[Int(index)]) }

    private func decodedNumber(_ byte: UInt8) -> Int64 {
        registers.controlB.contains(.binaryData) ? Int64(byte) : Int64(byte >> 4) * 10 + Int64(byte & 0x0F)
    }

    private func decodedHour(_ byte: UInt8) -> Int64 {
        if registers.controlB.contains(.hours24) {
            return decodedNumber(byte)
        }
        return decodedNumber(byte & 0x7F) % 12 + (byte & 0x80 != 0 ? 12 : 0)
    }

    // MARK: Alarm and deadlines

    /// What an alarm register matches: nil for any.
    private func alarmField(_ index: UInt8) -> Int64? {
        let byte = memory[Int(index)]
        guard byte & 0xC0 != 0xC0 else { return nil }
        return index == Address.hoursAlarm ? decodedHour(byte) : decodedNumber(byte)
    }

    /// In how many seconds after `second` the alarm comes: 1 to 86,400, or nil when its registers hold no time of day.
    func secondsToAlarm(after second: Int64) -> Int64? {
        let alarmHour = alarmField(Address.hoursAlarm)
        let alarmMinute = alarmField(Address.minutesAlarm)
        let alarmSecond = alarmField(Address.secondsAlarm)
        let start = CalendarTime.secondOfDay(second)
        var candidate = start + 1
        // At most 24, 60 and 60 steps.
        while candidate <= start + CalendarTime.secondsPerDay {
            if let alarmHour, candidate / 3_600 % 24 != alarmHour {
                candidate = (candidate / 3_600 + 1) * 3_600
            } else if let alarmMinute, candidate / 60 % 60 != alarmMinute {
                candidate = (candidate / 60 + 1) * 60
            } else if let alarmSecond, candidate % 60 != alarmSecond {
                candidate += 1
            } else {
                return candidate - start
            }
        }
        return nil
    }

    /// When, by the host's clock, register C's IRQF will be set next, unless the guest changes something.
    var nextDeadline: UInt64? {
        var next: UInt64?
        func consider(_ deadline: UInt64) {
            next = min(next ?? deadline, deadline)
        }
        if registers.controlB.contains(.periodicInterruptEnable), let rate = registers.controlA.periodicRate {
            let period = notedPeriod &+ 1
            consider(
                period / rate &* Self.nanosecondsPerSecond
                    &+ (period % rate * Self.nanosecondsPerSecond + rate - 1) / rate)
        }
        if isRunning {
            let seconds = elapsedNanoseconds / Self.nanosecondsPerSecond
            if registers.controlB.contains(.updateEndedInterruptEnable) {
                consider(anchorNanoseconds &+ (seconds &+ 1) &* Self.nanosecondsPerSecond)
            }
            if registers.controlB.contains(.alarmInterruptEnable),
                let distance = secondsToAlarm(after: notedSecond)
            {
                consider(anchorNanoseconds &+ (seconds &+ UInt64(distance)) &* Self.nanosecondsPerSecond)
            }
        }
        return next
    }
}
