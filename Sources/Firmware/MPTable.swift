public import GuestMemory

/// The tables by which kernels older than ACPI, and teaching kernels, learn of CPUs and interrupt wiring.
///
/// They say what the MADT says: local APICs by the CPUs' numbers, one I/O APIC with identifier 0, each ISA interrupt at
/// the input of its own number, edge-triggered but for ACPI's own. A guest finds the floating pointer by scanning 0xF0000
/// to 0xFFFFF, after the extended BIOS data area.
///
/// Source: Intel MultiProcessor Specification, version 1.4, chapter 4.
public enum MPTable {
    /// Writes the floating pointer and the configuration table behind it.
    /// - Parameters:
    ///   - cpus: how many CPUs; those whose APIC identifier does not fit into a byte are left out.
    ///   - memory: has RAM at ``BoardLayout/mpFloatingPointer``.
    public static func write(cpus: Int, to memory: GuestMemory) throws(GuestMemoryError) {
        let pointer = BoardLayout.mpFloatingPointer
        let table = pointer + 16
        try memory.write(floatingPointer(table: table), at: pointer)
        try memory.write(configuration(cpus: cpus), at: table)
    }

    /// The MP floating pointer structure (4.1): 16 bytes.
    static func floatingPointer(table: UInt64) -> [UInt8] {
        var bytes = LittleEndianBytes()
        bytes.append(contentsOf: Array("_MP_".utf8))
        bytes.append(UInt32(truncatingIfNeeded: table))
        bytes.append(1 as UInt8)  // length, in units of 16 bytes
        bytes.append(4 as UInt8)  // version 1.4
        bytes.append(0 as UInt8)  // checksum
        // Feature 1: there is a configuration table. Feature 2, bit 7: no IMCR, the virtual wire mode of the BIOS.
        bytes.append(contentsOf: [0, 0, 0, 0, 0])
        return summed(bytes, checksumAt: 10)
    }

    /// The MP configuration table (4.2): header and entries.
    static func configuration(cpus: Int) -> [UInt8] {
        var entries = LittleEndianBytes()
        var count: UInt16 = 0
        for cpu in 0..<min(max(cpus, 1), BoardLayout.maximumCPUs) {
            append(processor: UInt8(truncatingIfNeeded: cpu), to: &entries)
            count += 1
        }
        // A bus, with the number 0.
        entries.append(1 as UInt8)
        entries.append(isaBus)
        entries.append(contentsOf: Array("ISA   ".utf8))
        // The I/O APIC: its identifier, the version of KVM's, enabled.
        entries.append(contentsOf: [2, ioAPICIdentifier, 0x11, 1])
        entries.append(UInt32(truncatingIfNeeded: BoardLayout.ioAPIC))
        count += 2
        // Interrupt 2 is the cascade of the two PICs, and not on the bus.
        for interrupt in 0..<16 as Range<UInt8> where interrupt != 2 {
            // ACPI's interrupt is level-triggered, and the input is the same whoever sets it up.
            let flags =
                interrupt == BoardLayout.acpiInterrupt
                ? ACPIConfiguration.InterruptOverride.levelHigh : Self.asUsualOnTheBus
            append(
                interruptOfType: 3, kind: .maskable, flags: flags, source: interrupt, to: (ioAPICIdentifier, interrupt),
                &entries)
            count += 1
        }
        append(interruptOfType: 4, kind: .external, source: 0, to: (everyLocalAPIC, 0), &entries)
        append(interruptOfType: 4, kind: .nonMaskable, source: 0, to: (everyLocalAPIC, 1), &entries)
        count += 2

        var bytes = LittleEndianBytes()
        bytes.append(contentsOf: Array("PCMP".utf8))
        bytes.append(UInt16(truncatingIfNeeded: headerSize + entries.count))
        bytes.append(4 as UInt8)  // version 1.4
        bytes.append(0 as UInt8)  // checksum
        bytes.append(contentsOf: Array("MINIKVM ".utf8))
        bytes.append(contentsOf: Array("PC          ".utf8))
        bytes.append(0 as UInt32)  // no OEM table
        bytes.append(0 as UInt16)
        bytes.append(count)
        bytes.append(UInt32(truncatingIfNeeded: BoardLayout.localAPIC))
        bytes.append(0 as UInt32)  // no extended table
        bytes.append(contentsOf: entries.bytes)
        return summed(bytes, checksumAt: 7)
    }

    private static let headerSize = 44
    private static let isaBus: UInt8 = 0
    private static let ioAPICIdentifier: UInt8 = 0
    private static let everyLocalAPIC: UInt8 = 0xFF
    /// On ISA, active high and edge-triggered.
    private static let asUsualOnTheBus: UInt16 = 0

    /// The type of an interrupt (table 4-10).
    private enum Interrupt: UInt8 {
        case maskable = 0
        case nonMaskable = 1
        case external = 3
    }

    private static func append(processor identifier: UInt8, to entries: inout LittleEndianBytes) {
        let isEnabled: UInt8 = 1
        let startsTheSystem: UInt8 = identifier == 0 ? 2 : 0
        entries.append(contentsOf: [0, identifier, 0x14, isEnabled | startsTheSystem])
        entries.append(0x600 as UInt32)  // family 6: what CPUID says is what counts
        entries.append(0x201 as UInt32)  // on-chip FPU and APIC
        entries.append(0 as UInt64)
    }

    /// An I/O (type 3) or local (type 4) interrupt assignment (4.3.4, 4.3.5).
    /// - Parameter flags: polarity in bits 0 and 1, trigger mode in bits 2 and 3, as in ACPI's MADT.
    private static func append(
        interruptOfType type: UInt8, kind: Interrupt, flags: UInt16 = asUsualOnTheBus, source: UInt8,
        to target: (apic: UInt8, input: UInt8), _ entries: inout LittleEndianBytes
    ) {
        entries.append(contentsOf: [type, kind.rawValue])
        entries.append(flags)
        entries.append(contentsOf: [isaBus, source, target.apic, target.input])
    }

    /// The bytes with the checksum that makes their sum 0.
    private static func summed(_ table: LittleEndianBytes, checksumAt offset: Int) -> [UInt8] {
        var table = table
        var sum: UInt8 = 0
        for byte in table.bytes { sum &+= byte }
        table.replace(at: offset, with: 0 &- sum)
        return table.bytes
    }
}
