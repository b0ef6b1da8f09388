/// A date and time of day in the Gregorian calendar, in UTC.
struct CalendarTime: Equatable {
    var year: Int64
    /// 1 to 12.
    var month: Int64
    /// 1 to 31.
    var day: Int64
    var hour: Int64
    var minute: Int64
    var second: Int64

    static let secondsPerDay: Int64 = 86_400
    /// Days in the 400 years after which the calendar repeats itself.
    private static let daysPerEra: Int64 = 146_097
    /// Days from 0000-03-01 to 1970-01-01.
    private static let daysTo1970: Int64 = 719_468

    init(year: Int64, month: Int64, day: Int64, hour: Int64, minute: Int64, second: Int64) {
        (self.year, self.month, self.day) = (year, month, day)
        (self.hour, self.minute, self.second) = (hour, minute, second)
    }

    /// The time so many seconds after 1970-01-01 00:00:00, or before it.
    init(secondsSince1970: Int64) {
        let secondOfDay = Self.secondOfDay(secondsSince1970)
        let days = (secondsSince1970 - secondOfDay) / Self.secondsPerDay + Self.daysTo1970
        // Years are counted from March, so that the leap day is the last of its year.
        let era = (days >= 0 ? days : days - Self.daysPerEra + 1) / Self.daysPerEra
        let dayOfEra = days - era * Self.daysPerEra
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        hour = secondOfDay / 3_600
        minute = secondOfDay / 60 % 60
        second = secondOfDay % 60
    }

    /// Seconds after 1970-01-01 00:00:00. A day that its month does not have is counted on into the next.
    var secondsSince1970: Int64 {
        let yearFromMarch = month <= 2 ? year - 1 : year
        let era = (yearFromMarch >= 0 ? yearFromMarch : yearFromMarch - 399) / 400
        let yearOfEra = yearFromMarch - era * 400
        let monthFromMarch = month > 2 ? month - 3 : month + 9
        let dayOfYear = (153 * monthFromMarch + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        let days = era * Self.daysPerEra + dayOfEra - Self.daysTo1970
        return days * Self.secondsPerDay + hour * 3_600 + minute * 60 + second
    }

    /// 1, Sunday, to 7, Saturday.
    var dayOfWeek: Int64 {
        let days = (secondsSince1970 - Self.secondOfDay(secondsSince1970)) / Self.secondsPerDay
        // 1970-01-01 was a Thursday.
        return ((days + 4) % 7 + 7) % 7 + 1
    }

    /// Seconds since midnight, 0 to 86,399.
    static func secondOfDay(_ secondsSince1970: Int64) -> Int64 {
        let second = secondsSince1970 % secondsPerDay
        return second >= 0 ? second : second + secondsPerDay
    }
}
