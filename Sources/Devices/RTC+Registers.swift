// The registers of Motorola's MC146818, and what a PC keeps in the memory behind them.
extension RTC {
    /// Register A: the divider, the periodic rate, and whether an update is near.
    public struct ControlA: OptionSet, Sendable {
        /// The register's value.
        public let rawValue: UInt8
        /// The set with the bits of `rawValue`.
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        /// UIP: the time is about to change. Read only.
        public static let updateInProgress = ControlA(rawValue: 1 << 7)
        /// DV2 to DV0: which crystal there is, and whether the divider chain runs.
        static let dividerMask = ControlA(rawValue: 0x70)
        /// DV = 010: a crystal of 32,768 Hz; with all other values the clock stands still here.
        public static let divider32768Hz = ControlA(rawValue: 0x20)
        /// RS3 to RS0.
        static let rateMask = ControlA(rawValue: 0x0F)

        /// Whether the divider chain counts the crystal.
        var dividerRuns: Bool { intersection(.dividerMask) == .divider32768Hz }

        /// Periodic interrupts in a second, or nil for none (data sheet table 5).
        var periodicRate: UInt64? {
            let rate = intersection(.rateMask).rawValue
            guard rate != 0, dividerRuns else { return nil }
            // The two fastest settings wrap around to 256 and 128 Hz.
            return 32_768 >> UInt64(rate <= 2 ? rate + 6 : rate - 1)
        }
    }

    /// Register B: interrupt enables and formats.
    public struct ControlB: OptionSet, Sendable {
        /// The register's value.
        public let rawValue: UInt8
        /// The set with the bits of `rawValue`.
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        /// DSE: daylight savings by the rules of 1984's United States; kept, without effect.
        public static let daylightSavingsEnable = ControlB(rawValue: 1 << 0)
        /// 24/12: hours go from 0 to 23.
        public static let hours24 = ControlB(rawValue: 1 << 1)
        /// DM: time, calendar and alarm are binary, not BCD.
        public static let binaryData = ControlB(rawValue: 1 << 2)
        /// SQWE: the square-wave pin; a PC does not connect it.
        public static let squareWaveEnable = ControlB(rawValue: 1 << 3)
        /// UIE: interrupt when an update has ended.
        public static let updateEndedInterruptEnable = ControlB(rawValue: 1 << 4)
        /// AIE: interrupt at the time of the alarm.
        public static let alarmInterruptEnable = ControlB(rawValue: 1 << 5)
        /// PIE: periodic interrupt.
        public static let periodicInterruptEnable = ControlB(rawValue: 1 << 6)
        /// SET: updates are stopped, so that the time can be written.
        public static let set = ControlB(rawValue: 1 << 7)
    }

    /// Register C: which interrupts have come. A read clears it.
    public struct Flags: OptionSet, Sendable {
        /// The register's value.
        public let rawValue: UInt8
        /// The set with the bits of `rawValue`.
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        /// UF: an update has ended.
        public static let updateEnded = Flags(rawValue: 1 << 4)
        /// AF: the alarm's time has come.
        public static let alarm = Flags(rawValue: 1 << 5)
        /// PF: a period has ended.
        public static let periodic = Flags(rawValue: 1 << 6)
        /// IRQF: one of the others is set and enabled.
        public static let interruptRequest = Flags(rawValue: 1 << 7)
        /// The three that are set by events; each has the place of its enable bit in register B.
        static let events: Flags = [.updateEnded, .alarm, .periodic]
    }

    /// Register D: bit 7, VRT, says that the battery has kept memory and time. The others are 0.
    static let validRAMAndTime: UInt8 = 0x80

    /// Addresses of registers and memory.
    public enum Address {
        /// Seconds.
        public static let seconds: UInt8 = 0x00
        /// Seconds of the alarm; 0xC0 to 0xFF match any.
        public static let secondsAlarm: UInt8 = 0x01
        /// Minutes.
        public static let minutes: UInt8 = 0x02
        /// Minutes of the alarm; 0xC0 to 0xFF match any.
        public static let minutesAlarm: UInt8 = 0x03
        /// Hours.
        public static let hours: UInt8 = 0x04
        /// Hours of the alarm; 0xC0 to 0xFF match any.
        public static let hoursAlarm: UInt8 = 0x05
        /// Day of the week, 1 for Sunday.
        public static let dayOfWeek: UInt8 = 0x06
        /// Day of the month.
        public static let dateOfMonth: UInt8 = 0x07
        /// Month.
        public static let month: UInt8 = 0x08
        /// Year in the century.
        public static let year: UInt8 = 0x09
        /// Register A.
        public static let controlA: UInt8 = 0x0A
        /// Register B.
        public static let controlB: UInt8 = 0x0B
        /// Register C.
        public static let flags: UInt8 = 0x0C
        /// Register D.
        public static let validity: UInt8 = 0x0D
        /// The shutdown status byte: what a PC's firmware does after a reset.
        public static let shutdownStatus: UInt8 = 0x0F
        /// KiB of memory below 640 KiB, low byte first (two bytes).
        public static let baseMemory: UInt8 = 0x15
        /// KiB of memory above 1 MiB, at most 65,535 (two bytes).
        public static let extendedMemory: UInt8 = 0x17
        /// Checksum of 0x10 to 0x2D, high byte first (two bytes).
        public static let checksum: UInt8 = 0x2E
        /// The same as `extendedMemory`, as the firmware found it (two bytes).
        public static let extendedMemoryFound: UInt8 = 0x30
        /// The century. The chip has none; it is where ACPI's FADT says.
        public static let century: UInt8 = 0x32
        /// 64-KiB blocks of memory between 16 MiB and 4 GiB (two bytes); an agreement of QEMU's and Bochs's firmware.
        public static let memoryAbove16MiB: UInt8 = 0x34
        /// 64-KiB blocks of memory above 4 GiB (three bytes); the same agreement.
        public static let memoryAbove4GiB: UInt8 = 0x5B
    }
}
