import Firmware
import GuestMemory
import Testing

@Suite struct ACPITablesTests {
    private func full(cpus: Int) -> ACPIConfiguration {
        var configuration = ACPIConfiguration(cpus: cpus)
        configuration.powerManagement = .full
        return configuration
    }

    private func table(_ signature: String, of configuration: ACPIConfiguration) throws -> [UInt8] {
        let tables = try ACPITables(configuration).tables
        return try #require(tables.first { $0.bytes.starts(with: signature.utf8) }).bytes
    }

    private func number(_ bytes: [UInt8], _ offset: Int, _ size: Int) -> UInt64 {
        (0..<size).reduce(0) { $0 | UInt64(bytes[offset + $1]) << UInt64($1 * 8) }
    }

    @Test(arguments: [1, 8, 255, 300], [false, true])
    func tables_ofAnyBoard_sumToZeroAndStateTheirLength(cpus: Int, isFull: Bool) throws {
        let tables = try ACPITables(isFull ? full(cpus: cpus) : ACPIConfiguration(cpus: cpus)).tables
        for table in tables.dropFirst() where !table.bytes.starts(with: "FACS".utf8) {
            #expect(table.bytes.reduce(0 as UInt8, &+) == 0)
            #expect(number(table.bytes, 4, 4) == UInt64(table.bytes.count))
        }
        for (table, next) in zip(tables, tables.dropFirst()) {
            #expect(table.address + UInt64(table.bytes.count) <= next.address)
        }
    }

    @Test func rootPointer_written_leadsToEveryTable() throws {
        let storage = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
        defer { storage.deallocate() }
        storage.initializeMemory(as: UInt8.self, repeating: 0)
        let memory = GuestMemory(regions: [MemoryRegion(guestAddress: 0, bytes: storage)])
        try ACPITables(full(cpus: 2)).write(to: memory)

        let root = try memory.readBytes(at: 0xE_0000, count: 36)
        #expect(root.starts(with: "RSD PTR ".utf8))
        #expect(root.prefix(20).reduce(0 as UInt8, &+) == 0)
        #expect(root.reduce(0 as UInt8, &+) == 0)
        let xsdt = number(root, 24, 8)
        #expect(try memory.readBytes(at: xsdt, count: 4) == Array("XSDT".utf8))
        let fadt = try memory.read(UInt64.self, at: xsdt + 36)
        let madt = try memory.read(UInt64.self, at: xsdt + 44)
        #expect(try memory.readBytes(at: fadt, count: 4) == Array("FACP".utf8))
        #expect(try memory.readBytes(at: madt, count: 4) == Array("APIC".utf8))
        let dsdt = try memory.read(UInt64.self, at: fadt + 140)
        #expect(try memory.readBytes(at: dsdt, count: 4) == Array("DSDT".utf8))
        let facs = UInt64(try memory.read(UInt32.self, at: fadt + 36))
        #expect(try memory.readBytes(at: facs, count: 4) == Array("FACS".utf8))
        #expect(facs % 64 == 0)
    }

    @Test func fadt_hardwareReduced_hasSleepRegistersAndNoFixedOnes() throws {
        let fadt = try table("FACP", of: ACPIConfiguration(cpus: 1))
        #expect(fadt.count == 276)
        #expect(number(fadt, 112, 4) & 1 << 20 != 0)
        #expect(number(fadt, 56, 4) == 0)
        #expect(number(fadt, 244 + 4, 8) == UInt64(BoardLayout.acpiSleepControl))
        #expect(number(fadt, 256 + 4, 8) == UInt64(BoardLayout.acpiSleepStatus))
        #expect(number(fadt, 112, 4) & 1 << 10 != 0)
        #expect(number(fadt, 116 + 4, 8) == 0xCF9)
        #expect(fadt[128] == 0x06)
    }

    @Test func fadt_full_hasPM1BlocksTimerAndInterrupt() throws {
        let fadt = try table("FACP", of: full(cpus: 1))
        #expect(number(fadt, 112, 4) & 1 << 20 == 0)
        #expect(number(fadt, 46, 2) == 9)
        #expect(number(fadt, 56, 4) == 0x600 && fadt[88] == 4)
        #expect(number(fadt, 64, 4) == 0x604 && fadt[89] == 2)
        #expect(number(fadt, 76, 4) == 0x608 && fadt[91] == 4)
        #expect(number(fadt, 244, 8) == 0)
    }

    @Test(arguments: [(false, false, 0x35), (true, false, 0x37), (false, true, 0x15), (true, true, 0x17)])
    func bootArchitecture_saysWhichLegacyDevicesAreThere(keyboard: Bool, clock: Bool, expected: UInt64) throws {
        var configuration = ACPIConfiguration(cpus: 1)
        configuration.hasKeyboardController = keyboard
        configuration.hasRealTimeClock = clock
        #expect(number(try table("FACP", of: configuration), 109, 2) == expected)
    }

    /// The structures of a MADT as (type, bytes).
    private func structures(_ madt: [UInt8]) -> [[UInt8]] {
        var found: [[UInt8]] = []
        var offset = 44
        while offset < madt.count {
            found.append(Array(madt[offset..<offset + Int(madt[offset + 1])]))
            offset += Int(madt[offset + 1])
        }
        return found
    }

    @Test func madt_of300CPUs_usesX2APICStructuresFrom255() throws {
        let found = structures(try table("APIC", of: ACPIConfiguration(cpus: 300)))
        #expect(found.filter { $0[0] == 0 }.count == 255)
        #expect(found.filter { $0[0] == 9 }.count == 45)
        #expect(found.first { $0[0] == 9 }.map { number($0, 4, 4) } == 255)
        #expect(found.filter { $0[0] == 1 }.map { number($0, 4, 4) } == [0xFEC0_0000])
        #expect(found.filter { $0[0] == 4 }.count == 1 && found.filter { $0[0] == 10 }.count == 1)
    }

    @Test func madt_withOverrides_listsThemAndTheSystemControlInterrupt() throws {
        var configuration = full(cpus: 1)
        configuration.interruptOverrides = [.init(source: 0, globalInterrupt: 2)]
        let overrides = structures(try table("APIC", of: configuration)).filter { $0[0] == 2 }
        #expect(overrides == [[2, 10, 0, 0, 2, 0, 0, 0, 0, 0], [2, 10, 0, 9, 9, 0, 0, 0, 0b1101, 0]])
    }

    @Test func tables_ofTooManyCPUs_areRefusedWithTheirSize() {
        #expect(throws: ACPIError.self) { try ACPITables(ACPIConfiguration(cpus: 20_000)) }
    }

    @Test func write_withoutMemoryBelow1MiB_isAnError() throws {
        let tables = try ACPITables(ACPIConfiguration(cpus: 1))
        #expect(throws: ACPIError.outsideRAM(.outOfRange(address: 0xE_0000, count: 36))) {
            try tables.write(to: GuestMemory(regions: []))
        }
    }
}
