import Firmware
import Testing

@Suite struct ACPIFilesTests {
    /// Does what firmware does with the files: puts them somewhere, adds their addresses to pointers, mends checksums.
    @Test func script_followedByFirmware_givesTablesThatAreWhole() throws {
        var configuration = ACPIConfiguration(cpus: 2)
        configuration.powerManagement = .full
        configuration.hasPCI = true
        configuration.hasKeyboardController = true
        let made = try ACPIFiles(configuration).files
        var files = Dictionary(uniqueKeysWithValues: made.map { ($0.name, $0.bytes) })
        let script = try #require(files["etc/table-loader"])
        let addresses: [String: UInt64] = ["etc/acpi/rsdp": 0xF_5A10, "etc/acpi/tables": 0xFFF_F000]

        func number(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) } }
        func name(_ bytes: ArraySlice<UInt8>) -> String { String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self) }
        var allocated: Set<String> = []
        for start in stride(from: 0, to: script.count, by: 128) {
            let command = Array(script[start..<start + 128])
            let file = name(command[4..<60])
            switch command[0] {
            case 1: allocated.insert(file)
            case 2:
                let target = name(command[60..<116])
                #expect(allocated.contains(file) && allocated.contains(target))
                let offset = Int(number(command[116..<120]))
                let size = Int(command[120])
                let value = number(try #require(files[file])[offset..<offset + size]) + addresses[target, default: 0]
                for index in 0..<size {
                    files[file]?[offset + index] = UInt8(truncatingIfNeeded: value >> UInt64(8 * index))
                }
            case 3:
                let offset = Int(number(command[60..<64]))
                let first = Int(number(command[64..<68]))
                let count = Int(number(command[68..<72]))
                let sum = try #require(files[file])[first..<first + count].reduce(0, &+)
                files[file]?[offset] &-= sum
            default: Issue.record("unknown command \(command[0])")
            }
        }

        let root = try #require(files["etc/acpi/rsdp"])
        let tables = try #require(files["etc/acpi/tables"])
        #expect(root.reduce(0, &+) == 0 && root.prefix(20).reduce(0, &+) == 0)
        func table(at address: UInt64) throws -> ArraySlice<UInt8> {
            let offset = Int(try #require(address >= 0xFFF_F000 ? address - 0xFFF_F000 : nil))
            let size = Int(number(tables[offset + 4..<offset + 8]))
            return tables[offset..<offset + size]
        }
        let list = Array(try table(at: number(root[24..<32])))
        #expect(list.prefix(4) == Array("XSDT".utf8)[...] && list.reduce(0, &+) == 0)
        var names: [String] = []
        for entry in stride(from: 36, to: list.count, by: 8) {
            let found = Array(try table(at: number(list[entry..<entry + 8])))
            names.append(String(decoding: found.prefix(4), as: UTF8.self))
            #expect(found.reduce(0, &+) == 0)
            if names.last == "FACP" {
                let dsdt = Array(try table(at: number(found[140..<148])))
                #expect(dsdt.prefix(4) == Array("DSDT".utf8)[...] && dsdt.reduce(0, &+) == 0)
                #expect((number(found[36..<40]) & 0xFFF) % 64 == 0, "the FACS is aligned to 64 bytes")
            }
        }
        #expect(names.sorted() == ["APIC", "FACP"])
    }
}
