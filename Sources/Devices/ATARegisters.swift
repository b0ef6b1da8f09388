/// The bits of a drive's status register (ATA8-ACS, "Status field").
struct ATAStatus: OptionSet, Equatable, Sendable {
    let rawValue: UInt8
    /// ERR: the error register says what went wrong.
    static let error = ATAStatus(rawValue: 0x01)
    /// DRQ: the data register takes or gives data.
    static let dataRequest = ATAStatus(rawValue: 0x08)
    /// DSC: the heads have come to rest, which old drivers wait for.
    static let seekComplete = ATAStatus(rawValue: 0x10)
    /// DF: the drive itself failed.
    static let deviceFault = ATAStatus(rawValue: 0x20)
    /// DRDY: the drive takes commands.
    static let ready = ATAStatus(rawValue: 0x40)
    /// BSY: the other bits mean nothing.
    static let busy = ATAStatus(rawValue: 0x80)
}

/// The bits of a drive's error register (ATA8-ACS, "Error field").
struct ATAError: OptionSet, Equatable, Sendable {
    let rawValue: UInt8
    /// What EXECUTE DEVICE DIAGNOSTIC and a reset leave there: "no error detected". Not a bit of its own.
    static let diagnosticPassed = ATAError(rawValue: 0x01)
    /// ABRT: the command is not supported, or cannot be done now.
    static let aborted = ATAError(rawValue: 0x04)
    /// IDNF: there is no sector of this address.
    static let idNotFound = ATAError(rawValue: 0x10)
    /// UNC: the sector cannot be read.
    static let uncorrectable = ATAError(rawValue: 0x40)
}

/// The registers in which a driver gives a command its operands, and a drive its results. Those that LBA48 needs twice
/// remember the value written before the last (ATA8-ACS, "48-bit Address feature set").
struct ATATaskFile: Equatable, Sendable {
    /// A register that is written twice for a 48-bit command.
    struct Pair: Equatable, Sendable {
        var current: UInt8
        var previous: UInt8 = 0

        mutating func write(_ byte: UInt8) {
            previous = current
            current = byte
        }
    }

    /// What a drive that is no packet device shows after a reset.
    static let signature = ATATaskFile()

    var features = Pair(current: 0)
    var count = Pair(current: 1)
    var lbaLow = Pair(current: 1)
    var lbaMid = Pair(current: 0)
    var lbaHigh = Pair(current: 0)
    /// The device register: the drive (bit 4), LBA or CHS (bit 6), and bits 24 to 27 of the address, or the head.
    var device: UInt8 = 0

    /// Whether the address is a number and not cylinder, head and sector.
    var isLBA: Bool { device & 0x40 != 0 }
    /// Which drive is meant: 0 or 1.
    var selectedDrive: Int { Int(device >> 4 & 1) }

    /// The cylinder of a CHS address.
    var cylinder: UInt64 { UInt64(lbaMid.current) | UInt64(lbaHigh.current) << 8 }

    /// The address of a 28-bit command.
    var lba28: UInt64 {
        UInt64(lbaLow.current) | cylinder << 8 | UInt64(device & 0x0F) << 24
    }

    /// The address of a 48-bit command.
    var lba48: UInt64 {
        UInt64(lbaLow.current) | cylinder << 8 | UInt64(lbaLow.previous) << 24 | UInt64(lbaMid.previous) << 32
            | UInt64(lbaHigh.previous) << 40
    }

    /// The number of sectors of a 28-bit command: 1 to 256.
    var count28: UInt64 { count.current == 0 ? 256 : UInt64(count.current) }

    /// The number of sectors of a 48-bit command: 1 to 65,536.
    var count48: UInt64 {
        let value = UInt64(count.previous) << 8 | UInt64(count.current)
        return value == 0 ? 65_536 : value
    }
}
