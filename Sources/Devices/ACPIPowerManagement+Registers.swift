// Registers of ACPI 6.5, chapter 4.8.
extension ACPIPowerManagement {
    /// Which of ACPI's two hardware models the board follows.
    public enum Model: Equatable, Sendable {
        /// Chapter 4.8.3: event, control and timer blocks, and an SCI.
        case fixedHardware
        /// Chapter 4.8.3.7: sleep control and sleep status only. The guest has no SCI to set up, no timer to check and no
        /// status to read, so it makes fewer exits; but there is no power button in it.
        case hardwareReduced
    }

    /// Offsets of the registers, for the FADT.
    public enum Offset {
        /// PM1a_EVT_BLK: status, then enable; 4 bytes.
        public static let pm1Event: UInt64 = 0x0
        /// PM1a_CNT_BLK: 2 bytes.
        public static let pm1Control: UInt64 = 0x4
        /// PM_TMR_BLK: 4 bytes.
        public static let timer: UInt64 = 0x8
        /// RESET_REG: 1 byte.
        public static let reset: UInt64 = 0xC
        /// SLEEP_CONTROL_REG: 1 byte.
        public static let sleepControl: UInt64 = 0xD
        /// SLEEP_STATUS_REG: 1 byte.
        public static let sleepStatus: UInt64 = 0xE
        /// The number of bytes of all of them.
        public static let end: UInt64 = 0x10
    }

    /// RESET_VALUE of the FADT: written to the reset register, it resets the machine.
    public static let resetValue: UInt8 = 0x06
    /// SLP_TYPa of the DSDT's `\_S5` package: the sleep type that switches the machine off.
    public static let sleepTypeS5: UInt8 = 5
    /// Ticks of the power-management timer in a second (section 4.8.3.3).
    public static let timerFrequency: UInt64 = 3_579_545

    /// PM1 status (section 4.8.3.1.1) and, at the same places, PM1 enable (4.8.3.1.2).
    public struct PM1Event: OptionSet, Sendable {
        /// The register's value.
        public let rawValue: UInt16
        /// The set with the bits of `rawValue`.
        public init(rawValue: UInt16) { self.rawValue = rawValue }
        /// TMR_STS, TMR_EN: the highest bit of the timer changed.
        public static let timer = PM1Event(rawValue: 1 << 0)
        /// BM_STS: a bus master asked for the bus. Never set.
        public static let busMaster = PM1Event(rawValue: 1 << 4)
        /// GBL_STS, GBL_EN: the firmware wants the global lock. Never set.
        public static let global = PM1Event(rawValue: 1 << 5)
        /// PWRBTN_STS, PWRBTN_EN: the power button was pressed.
        public static let powerButton = PM1Event(rawValue: 1 << 8)
        /// SLPBTN_STS, SLPBTN_EN: the sleep button was pressed.
        public static let sleepButton = PM1Event(rawValue: 1 << 9)
        /// RTC_STS, RTC_EN: the clock's alarm. Never set: the machine does not sleep.
        public static let rtc = PM1Event(rawValue: 1 << 10)
        /// WAK_STS: the machine woke up.
        public static let wake = PM1Event(rawValue: 1 << 15)
        /// The bits that can be enabled.
        static let enables: PM1Event = [.timer, .global, .powerButton, .sleepButton, .rtc]
        /// The bits that are cleared by writing 1.
        static let statuses: PM1Event = enables.union([.busMaster, .wake])
    }

    /// PM1 control (section 4.8.3.2.1).
    public struct PM1Control: OptionSet, Sendable {
        /// The register's value.
        public let rawValue: UInt16
        /// The set with the bits of `rawValue`.
        public init(rawValue: UInt16) { self.rawValue = rawValue }
        /// SCI_EN: events interrupt by SCI. Always set: there is no other mode, and FADT's SMI_CMD is 0.
        public static let sciEnable = PM1Control(rawValue: 1 << 0)
        /// BM_RLD: bus masters end a processor's C3; kept, without effect.
        public static let busMasterReload = PM1Control(rawValue: 1 << 1)
        /// GBL_RLS: reads 0.
        public static let globalRelease = PM1Control(rawValue: 1 << 2)
        /// SLP_TYPx.
        static let sleepTypeMask = PM1Control(rawValue: 7 << 10)
        /// SLP_EN: sleep now. Reads 0.
        public static let sleepEnable = PM1Control(rawValue: 1 << 13)

        /// SLP_TYPx as a number.
        var sleepType: UInt8 { UInt8(truncatingIfNeeded: rawValue >> 10 & 7) }
    }

    /// Sleep control of hardware-reduced ACPI (section 4.8.3.7, table 4.18).
    public struct SleepControl: OptionSet, Sendable {
        /// The register's value.
        public let rawValue: UInt8
        /// The set with the bits of `rawValue`.
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        /// SLP_TYPx.
        static let sleepTypeMask = SleepControl(rawValue: 7 << 2)
        /// SLP_EN: sleep now. Reads 0.
        public static let sleepEnable = SleepControl(rawValue: 1 << 5)

        /// SLP_TYPx as a number.
        var sleepType: UInt8 { rawValue >> 2 & 7 }
    }

    /// Sleep status of hardware-reduced ACPI (section 4.8.3.7, table 4.19).
    public struct SleepStatus: OptionSet, Sendable {
        /// The register's value.
        public let rawValue: UInt8
        /// The set with the bits of `rawValue`.
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        /// WAK_STS: the machine woke up. Cleared by writing 1.
        public static let wake = SleepStatus(rawValue: 1 << 7)
    }
}
