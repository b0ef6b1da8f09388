/// A resource descriptor: what a device occupies (ACPI specification 6.3, section 6.4).
public struct ACPIResource: Equatable, Sendable {
    /// The encoded descriptor.
    let bytes: [UInt8]

    /// Ports that the device decodes with all 16 address bits (6.4.2.5).
    public static func ports(_ first: UInt16, count: UInt8) -> ACPIResource {
        var bytes = LittleEndianBytes()
        bytes.append(0x47 as UInt8)
        bytes.append(0x01 as UInt8)  // 16-bit decoding
        bytes.append(first)  // lowest base
        bytes.append(first)  // highest base
        bytes.append(0x01 as UInt8)  // alignment
        bytes.append(count)
        return ACPIResource(bytes: bytes.bytes)
    }

    /// An edge-triggered ISA interrupt, 0 to 15 (6.4.2.1).
    public static func isaInterrupt(_ number: UInt8) -> ACPIResource {
        var bytes = LittleEndianBytes()
        bytes.append(0x22 as UInt8)
        bytes.append((1 as UInt16) << UInt16(number))
        return ACPIResource(bytes: bytes.bytes)
    }

    /// An edge-triggered, active-high interrupt by its global number (6.4.3.6).
    public static func interrupt(_ number: UInt32) -> ACPIResource {
        var bytes = LittleEndianBytes()
        bytes.append(0x89 as UInt8)
        bytes.append(6 as UInt16)
        bytes.append(0b0011 as UInt8)  // consumer, edge, active high, exclusive
        bytes.append(1 as UInt8)  // one interrupt
        bytes.append(number)
        return ACPIResource(bytes: bytes.bytes)
    }

    /// The buses below a PCI host bridge (6.4.3.5.3).
    public static func buses(_ range: ClosedRange<UInt16>) -> ACPIResource {
        wordRange(type: 2, flags: 0, range)
    }

    /// The ports that a bridge passes on (6.4.3.5.3).
    public static func passedPorts(_ range: ClosedRange<UInt16>) -> ACPIResource {
        wordRange(type: 1, flags: 0x03, range)  // addresses of ISA and others
    }

    /// The memory that a bridge passes on (6.4.3.5.2).
    public static func passedMemory(_ range: ClosedRange<UInt32>) -> ACPIResource {
        var bytes = LittleEndianBytes()
        bytes.append(0x87 as UInt8)
        bytes.append(23 as UInt16)
        bytes.append(0 as UInt8)  // memory
        bytes.append(fixedRange)
        bytes.append(0x01 as UInt8)  // read-write, not cached
        for value in [0, range.lowerBound, range.upperBound, 0, range.upperBound - range.lowerBound + 1] {
            bytes.append(value)
        }
        return ACPIResource(bytes: bytes.bytes)
    }

    /// Both ends are fixed; the bridge decodes by itself, and produces the range for what is behind it.
    private static let fixedRange: UInt8 = 0x0C

    private static func wordRange(type: UInt8, flags: UInt8, _ range: ClosedRange<UInt16>) -> ACPIResource {
        var bytes = LittleEndianBytes()
        bytes.append(0x88 as UInt8)
        bytes.append(13 as UInt16)
        bytes.append(type)
        bytes.append(fixedRange)
        bytes.append(flags)
        for value in [0, range.lowerBound, range.upperBound, 0, range.upperBound - range.lowerBound &+ 1] {
            bytes.append(value)
        }
        return ACPIResource(bytes: bytes.bytes)
    }

    /// Read-write memory at a fixed address below 4 GiB (6.4.3.4).
    public static func memory(_ address: UInt32, size: UInt32) -> ACPIResource {
        var bytes = LittleEndianBytes()
        bytes.append(0x86 as UInt8)
        bytes.append(9 as UInt16)
        bytes.append(0x01 as UInt8)  // read-write
        bytes.append(address)
        bytes.append(size)
        return ACPIResource(bytes: bytes.bytes)
    }
}
