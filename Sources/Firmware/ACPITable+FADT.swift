extension ACPITable {
    /// The size of the firmware ACPI control structure, and its alignment.
    static let facsSize: UInt64 = 64

    /// The firmware ACPI control structure (ACPI 6.3, 5.2.10), which full ACPI needs; it has no checksum.
    static let facs: [UInt8] = {
        var table = LittleEndianBytes()
        table.append(contentsOf: ascii("FACS"))
        table.append(UInt32(facsSize))
        table.append(contentsOf: [UInt8](repeating: 0, count: 24))
        table.append(2 as UInt8)  // version
        table.append(contentsOf: [UInt8](repeating: 0, count: 31))
        return table.bytes
    }()

    /// The fixed ACPI description table (ACPI 6.3, 5.2.9): power management, reset, and which of the PC's legacy
    /// devices are there.
    /// - Parameters:
    ///   - dsdt: guest-physical address of the DSDT.
    ///   - facs: guest-physical address of the FACS; 0 for none.
    static func fadt(_ configuration: ACPIConfiguration, dsdt: UInt64, facs: UInt64) -> ACPITable {
        let isFull = configuration.powerManagement == .full
        var table = LittleEndianBytes()
        table.append(UInt32(truncatingIfNeeded: facs))
        table.append(UInt32(truncatingIfNeeded: dsdt))
        table.append(contentsOf: [0, 0])  // reserved; no preferred profile
        table.append((isFull ? UInt16(BoardLayout.acpiInterrupt) : 0))
        table.append(0 as UInt32)  // SMI_CMD: always in ACPI mode
        table.append(contentsOf: [0, 0, 0, 0])  // ACPI_ENABLE, ACPI_DISABLE, S4BIOS_REQ, PSTATE_CNT
        let event = isFull ? BoardLayout.acpiPM1Event : 0
        let control = isFull ? BoardLayout.acpiPM1Control : 0
        let timer = isFull ? BoardLayout.acpiPMTimer : 0
        for block in [event, 0, control, 0, 0, timer, 0, 0] { table.append(UInt32(block)) }
        table.append(contentsOf: isFull ? [4, 2, 0, 4] : [0, 0, 0, 0])  // lengths of PM1 event, control, PM2, timer
        table.append(contentsOf: [0, 0, 0, 0])  // lengths of GPE0 and GPE1, GPE1_BASE, CST_CNT
        table.append(noC2Latency)
        table.append(noC3Latency)
        table.append(0 as UInt32)  // FLUSH_SIZE, FLUSH_STRIDE
        table.append(contentsOf: [0, 0])  // DUTY_OFFSET, DUTY_WIDTH
        table.append(contentsOf: [0, 0])  // DAY_ALRM, MON_ALRM
        table.append(configuration.hasRealTimeClock ? centuryRegister : 0)
        table.append(bootArchitecture(configuration).rawValue)
        table.append(0 as UInt8)
        table.append(features(configuration).rawValue)
        append(port: BoardLayout.resetControl, bits: 8, to: &table)
        table.append(BoardLayout.resetValue)
        table.append(0 as UInt16)  // ARM_BOOT_ARCH
        table.append(3 as UInt8)  // minor version: 6.3
        table.append(0 as UInt64)  // X_FIRMWARE_CTRL: the 32-bit field has it
        table.append(dsdt)
        append(port: event, bits: 32, to: &table)
        append(port: 0, bits: 0, to: &table)  // PM1b event
        append(port: control, bits: 16, to: &table)
        append(port: 0, bits: 0, to: &table)  // PM1b control
        append(port: 0, bits: 0, to: &table)  // PM2 control
        append(port: timer, bits: 32, to: &table)
        append(port: 0, bits: 0, to: &table)  // GPE0
        append(port: 0, bits: 0, to: &table)  // GPE1
        append(port: isFull ? 0 : BoardLayout.acpiSleepControl, bits: 8, to: &table)
        append(port: isFull ? 0 : BoardLayout.acpiSleepStatus, bits: 8, to: &table)
        table.append(contentsOf: ascii("MINIKVM\0"))  // hypervisor vendor identity
        return ACPITable("FACP", revision: 6, contents: table)
    }

    /// P_LVL2_LAT above 100 µs: there is no C2.
    private static let noC2Latency: UInt16 = 101
    /// P_LVL3_LAT above 1000 µs: there is no C3.
    private static let noC3Latency: UInt16 = 1001
    /// The CMOS byte that holds the century.
    private static let centuryRegister: UInt8 = 0x32

    /// A generic address structure in port space (5.2.3.2); all zero for a register that is not there.
    private static func append(port: UInt16, bits: UInt8, to table: inout LittleEndianBytes) {
        let systemIO: UInt8 = 1
        // Access size: 1 for bytes, 2 for words, 3 for double words.
        let accessSize: UInt8 = bits == 8 ? 1 : bits == 16 ? 2 : 3
        table.append(contentsOf: port == 0 ? [0, 0, 0, 0] : [systemIO, bits, 0, accessSize])
        table.append(UInt64(port))
    }

    /// IAPC_BOOT_ARCH (5.2.9.3).
    struct BootArchitecture: OptionSet {
        let rawValue: UInt16
        static let legacyDevices = BootArchitecture(rawValue: 1 << 0)
        static let keyboardController = BootArchitecture(rawValue: 1 << 1)
        static let vgaNotPresent = BootArchitecture(rawValue: 1 << 2)
        static let noPCIeASPM = BootArchitecture(rawValue: 1 << 4)
        static let realTimeClockNotPresent = BootArchitecture(rawValue: 1 << 5)
    }

    private static func bootArchitecture(_ configuration: ACPIConfiguration) -> BootArchitecture {
        var flags: BootArchitecture = [.vgaNotPresent, .noPCIeASPM]
        if !configuration.serialPorts.isEmpty { flags.insert(.legacyDevices) }
        if configuration.hasKeyboardController { flags.insert(.keyboardController) }
        if !configuration.hasRealTimeClock { flags.insert(.realTimeClockNotPresent) }
        return flags
    }

    /// Fixed feature flags (table 5-35).
    struct Features: OptionSet {
        let rawValue: UInt32
        static let wbinvd = Features(rawValue: 1 << 0)
        static let c1OnAllProcessors = Features(rawValue: 1 << 2)
        static let noFixedPowerButton = Features(rawValue: 1 << 4)
        static let noFixedSleepButton = Features(rawValue: 1 << 5)
        static let noFixedRealTimeClockWake = Features(rawValue: 1 << 6)
        static let timerHas32Bits = Features(rawValue: 1 << 8)
        static let resetRegister = Features(rawValue: 1 << 10)
        static let hardwareReduced = Features(rawValue: 1 << 20)
    }

    private static func features(_ configuration: ACPIConfiguration) -> Features {
        var flags: Features = [
            .wbinvd, .c1OnAllProcessors, .noFixedPowerButton, .noFixedSleepButton, .noFixedRealTimeClockWake,
            .resetRegister,
        ]
        switch configuration.powerManagement {
        case .hardwareReduced: flags.insert(.hardwareReduced)
        case .full: flags.insert(.timerHas32Bits)
        }
        return flags
    }
}
