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
