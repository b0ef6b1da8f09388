import Devices
import Foundation
import GuestMemory
import Machine
import Testing

/// How the I/O APIC's inputs are wired, as a PC's guest finds it: by ACPI's MADT, and by the MP table. Each guest reads
/// one of the two, so they must say the same.
@Suite struct InterruptWiringTests {
    /// What arrives at an input of the I/O APIC.
    private struct Wire: Equatable {
        var source: UInt8
        var isActiveLow: Bool
        var isLevelTriggered: Bool

        /// - Parameter flags: polarity in bits 0 and 1, trigger mode in bits 2 and 3, each with 0 for what is usual on
        ///   ISA, which is active high and edge-triggered (ACPI 6.3, table 5-50; MP specification 1.4, table 4-10).
        init(source: UInt8, flags: UInt16) {
            self.source = source
            isActiveLow = flags & 0b11 == 0b11
            isLevelTriggered = flags >> 2 & 0b11 == 0b11
        }
    }

    /// The inputs, and everything else that both tables tell.
    private struct Wiring: Equatable {
        var inputs: [UInt32: Wire] = [:]
        var ioAPIC: UInt8 = 0xFF
        var ioAPICAddress: UInt32 = 0
        var localAPICAddress: UInt32 = 0
        var processors: [UInt8] = []
        /// Which local input of which processors takes the non-maskable interrupt.
        var nonMaskable: [[UInt8]] = []
    }

    private static func machine(cpus: Int) throws -> Machine {
        let sector = [UInt8](repeating: 0x90, count: 510) + [0x55, 0xAA]
        let disk = MachineConfiguration.Disk(name: "memory", contents: sector)
        return try Machine(
            MachineConfiguration(guest: .disk, memoryBytes: 1 << 20, cpus: cpus, disks: [disk]))
    }

    /// The bytes of a table that states its length.
    private static func table(_ signature: String, at address: UInt64, _ memory: GuestMemory) throws -> [UInt8] {
        try #require(try memory.readBytes(at: address, count: 4) == Array(signature.utf8))
        let isACPI = signature != "PCMP"
        let length =
            try isACPI
            ? Int(memory.read(UInt32.self, at: address + 4)) : Int(memory.read(UInt16.self, at: address + 4))
        return try memory.readBytes(at: address, count: length)
    }

    /// By the MADT: each ISA interrupt is at the input of its number, but for those that an override names.
    private static func acpi(_ memory: GuestMemory) throws -> Wiring {
        try #require(try memory.readBytes(at: 0xE_0000, count: 8) == Array("RSD PTR ".utf8))
        let extended = try table("XSDT", at: memory.read(UInt64.self, at: 0xE_0018), memory)
        let madts = try stride(from: 36, to: extended.count, by: 8)
            .map { number(extended, $0, 8) }
            .filter { try memory.readBytes(at: $0, count: 4) == Array("APIC".utf8) }
        try #require(madts.count == 1)
        let madt = try table("APIC", at: madts[0], memory)
        var wiring = Wiring()
        wiring.localAPICAddress = UInt32(number(madt, 36, 4))
        for source in UInt8(0)..<16 { wiring.inputs[UInt32(source)] = Wire(source: source, flags: 0) }
        var place = 44
        var overridden: Set<UInt8> = []
        while place < madt.count {
            switch madt[place] {
            case 0: wiring.processors.append(madt[place + 3])
            case 1:
                wiring.ioAPIC = madt[place + 2]
                wiring.ioAPICAddress = UInt32(number(madt, place + 4, 4))
                #expect(number(madt, place + 8, 4) == 0)
            case 2:
                let source = madt[place + 3]
                #expect(madt[place + 2] == 0)
                #expect(overridden.insert(source).inserted, "two overrides for interrupt \(source)")
                if wiring.inputs[UInt32(source)]?.source == source { wiring.inputs[UInt32(source)] = nil }
                wiring.inputs[UInt32(number(madt, place + 4, 4))] = Wire(
                    source: source, flags: UInt16(number(madt, place + 8, 2)))
            case 4:
                #expect(number(madt, place + 3, 2) & 0b1111 == 0)
                wiring.nonMaskable.append([madt[place + 2], madt[place + 5]])
            default: Issue.record("a structure of type \(madt[place])")
            }
            place += Int(madt[place + 1])
        }
        // The cascade of the two PICs comes from no device.
        wiring.inputs[2] = nil
        return wiring
    }

    /// By the MP table: each interrupt has an entry.
    private static func mp(_ memory: GuestMemory) throws -> Wiring {
        try #require(try memory.readBytes(at: 0xF_0000, count: 4) == Array("_MP_".utf8))
        let table = try table("PCMP", at: UInt64(memory.read(UInt32.self, at: 0xF_0004)), memory)
        var wiring = Wiring()
        wiring.localAPICAddress = UInt32(number(table, 36, 4))
        var place = 44
        while place < table.count {
            let entry = Array(table[place..<place + (table[place] == 0 ? 20 : 8)])
            switch entry[0] {
            case 0: wiring.processors.append(entry[1])
            case 1: #expect(Array(entry[1...]) == [0] + Array("ISA   ".utf8))
            case 2:
                wiring.ioAPIC = entry[1]
                wiring.ioAPICAddress = UInt32(number(entry, 4, 4))
            case 3:
                #expect(entry[1] == 0 && entry[4] == 0)
                let wire = Wire(source: entry[5], flags: UInt16(number(entry, 2, 2)))
                #expect(wiring.inputs.updateValue(wire, forKey: UInt32(entry[7])) == nil)
                #expect(entry[6] == 0)
            default: if entry[1] == 1 { wiring.nonMaskable.append([entry[6], entry[7]]) }
            }
            place += entry.count
        }
        return wiring
    }

    private static func number(_ bytes: [UInt8], _ offset: Int, _ size: Int) -> UInt64 {
        (0..<size).reduce(0) { $0 | UInt64(bytes[offset + $1]) << UInt64($1 * 8) }
    }

    @Test(arguments: [1, 4]) func tables_ofBothKinds_wireEachInputTheSame(cpus: Int) throws {
        let machine = try Self.machine(cpus: cpus)
        defer { withExtendedLifetime(machine) {} }
        let memory = machine.memory
        let acpi = try Self.acpi(memory)
        let mp = try Self.mp(memory)
        for input in UInt32(0)..<24 { #expect(acpi.inputs[input] == mp.inputs[input], "input \(input)") }
        #expect(acpi == mp)
        #expect(acpi.inputs.count == 15 && acpi.processors.count == cpus)
        // The one that is not as usual on the bus: ACPI's own interrupt.
        let unusual = acpi.inputs.filter { $0.value.isActiveLow || $0.value.isLevelTriggered }
        #expect(unusual.keys.map { $0 } == [9])
        #expect(unusual[9] == Wire(source: 9, flags: 0b1101))
    }
}
