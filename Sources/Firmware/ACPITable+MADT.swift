extension ACPITable {
    /// The multiple APIC description table (ACPI 6.3, 5.2.12): CPUs, I/O APIC, interrupt overrides.
    static func madt(_ configuration: ACPIConfiguration) -> ACPITable {
        var table = LittleEndianBytes()
        table.append(UInt32(truncatingIfNeeded: BoardLayout.localAPIC))
        table.append(1 as UInt32)  // PCAT_COMPAT: there are 8259 interrupt controllers as well

        for identifier in configuration.apicIdentifiers { appendCPU(identifier, to: &table) }
        appendIOAPIC(to: &table)
        for line in configuration.interruptOverrides { append(line, to: &table) }
        if configuration.powerManagement == .full {
            let number = BoardLayout.acpiInterrupt
            let flags = ACPIConfiguration.InterruptOverride.levelHigh
            append(.init(source: number, globalInterrupt: UInt32(number), flags: flags), to: &table)
        }
        appendNonMaskableInterrupt(configuration, to: &table)
        return ACPITable("APIC", revision: 5, contents: table)
    }

    /// Identifiers from here on only fit into x2APIC structures; 255 is the broadcast address.
    private static let firstX2APICIdentifier: UInt32 = 255
    private static let enabled: UInt32 = 1

    private static func appendCPU(_ identifier: UInt32, to table: inout LittleEndianBytes) {
        if identifier < firstX2APICIdentifier {
            table.append(0 as UInt8)  // processor local APIC
            table.append(8 as UInt8)
            table.append(UInt8(identifier))  // processor UID
            table.append(UInt8(identifier))
            table.append(enabled)
        } else {
            table.append(9 as UInt8)  // processor local x2APIC
            table.append(16 as UInt8)
            table.append(0 as UInt16)
            table.append(identifier)
            table.append(enabled)
            table.append(identifier)  // processor UID
        }
    }

    private static func appendIOAPIC(to table: inout LittleEndianBytes) {
        table.append(1 as UInt8)
        table.append(12 as UInt8)
        table.append(0 as UInt8)  // I/O APIC identifier, as KVM's own starts
        table.append(0 as UInt8)
        table.append(UInt32(truncatingIfNeeded: BoardLayout.ioAPIC))
        table.append(0 as UInt32)  // its first global interrupt
    }

    private static func append(_ line: ACPIConfiguration.InterruptOverride, to table: inout LittleEndianBytes) {
        table.append(2 as UInt8)
        table.append(10 as UInt8)
        table.append(0 as UInt8)  // bus: ISA
        table.append(line.source)
        table.append(line.globalInterrupt)
        table.append(line.flags)
    }

    /// LINT1 of every CPU takes the non-maskable interrupt.
    private static func appendNonMaskableInterrupt(
        _ configuration: ACPIConfiguration, to table: inout LittleEndianBytes
    ) {
        table.append(4 as UInt8)  // local APIC NMI
        table.append(6 as UInt8)
        table.append(0xFF as UInt8)  // all processors
        table.append(0 as UInt16)
        table.append(1 as UInt8)
        if configuration.apicIdentifiers.contains(where: { $0 >= firstX2APICIdentifier }) {
            table.append(10 as UInt8)  // local x2APIC NMI
            table.append(12 as UInt8)
            table.append(0 as UInt16)
            table.append(0xFFFF_FFFF as UInt32)  // all processors
            table.append(1 as UInt8)
            table.append(contentsOf: [0, 0, 0])
        }
    }
}
