/// The ACPI tables as firmware takes them that puts them where it likes: two files, and a third with what to do.
///
/// A pointer in a file is an offset in the file it points into, until firmware has added the file's address.
///
/// Source: QEMU's documentation, "ACPI BIOS linker/loader"; SeaBIOS follows it.
public struct ACPIFiles {
    /// A file's name and contents.
    public typealias File = (name: String, bytes: [UInt8])

    /// The files.
    public let files: [File]

    private static let rootFile = "etc/acpi/rsdp"
    private static let tablesFile = "etc/acpi/tables"
    private static let scriptFile = "etc/table-loader"

    /// - Parameter configuration: what the tables tell.
    public init(_ configuration: ACPIConfiguration) throws(ACPIError) {
        let placed = try ACPITables(configuration, at: 0).tables
        var contents: [UInt8] = []
        for table in placed.dropFirst() {
            contents += [UInt8](repeating: 0, count: Int(table.address) - contents.count) + table.bytes
        }
        var script = Script()
        script.allocate(Self.rootFile, alignment: 16, isLow: true)
        script.allocate(Self.tablesFile, alignment: 64, isLow: false)
        for table in placed.dropFirst() {
            let start = UInt32(table.address)
            var pointers: [(offset: UInt32, size: UInt8)] = []
            switch Array(table.bytes.prefix(4)) {
            case Array("FACP".utf8):
                // FIRMWARE_CTRL, DSDT and their 64-bit doubles (ACPI 6.3, 5.2.9), where they are in use.
                for (offset, size): (UInt32, UInt8) in [(36, 4), (40, 4), (132, 8), (140, 8)] {
                    let field = table.bytes[Int(offset)..<Int(offset) + Int(size)]
                    if field.contains(where: { $0 != 0 }) { pointers.append((offset, size)) }
                }
            case Array("XSDT".utf8):
                pointers = stride(from: 36, to: UInt32(table.bytes.count), by: 8).map { ($0, 8) }
            default: break
            }
            for pointer in pointers {
                script.addPointer(
                    in: Self.tablesFile, to: Self.tablesFile, at: start + pointer.offset, size: pointer.size)
            }
            if !pointers.isEmpty {
                script.addChecksum(in: Self.tablesFile, at: start + 9, of: start, count: UInt32(table.bytes.count))
            }
        }
        // The root pointer's XSDT address, and the checksum over all of it.
        script.addPointer(in: Self.rootFile, to: Self.tablesFile, at: 24, size: 8)
        script.addChecksum(in: Self.rootFile, at: 32, of: 0, count: 36)
        files = [
            (Self.rootFile, placed[0].bytes), (Self.tablesFile, contents), (Self.scriptFile, script.bytes),
        ]
    }

    /// Commands of 128 bytes each.
    private struct Script {
        private(set) var bytes: [UInt8] = []

        mutating func allocate(_ file: String, alignment: UInt32, isLow: Bool) {
            var command = LittleEndianBytes()
            command.append(1 as UInt32)
            command.append(contentsOf: Self.name(file))
            command.append(alignment)
            command.append((isLow ? 2 : 1) as UInt8)
            append(command)
        }

        mutating func addPointer(in file: String, to target: String, at offset: UInt32, size: UInt8) {
            var command = LittleEndianBytes()
            command.append(2 as UInt32)
            command.append(contentsOf: Self.name(file))
            command.append(contentsOf: Self.name(target))
            command.append(offset)
            command.append(size)
            append(command)
        }

        mutating func addChecksum(in file: String, at offset: UInt32, of start: UInt32, count: UInt32) {
            var command = LittleEndianBytes()
            command.append(3 as UInt32)
            command.append(contentsOf: Self.name(file))
            command.append(offset)
            command.append(start)
            command.append(count)
            append(command)
        }

        private mutating func append(_ command: LittleEndianBytes) {
            bytes += command.bytes + [UInt8](repeating: 0, count: 128 - command.bytes.count)
        }

        private static func name(_ file: String) -> [UInt8] {
            Array(file.utf8) + [UInt8](repeating: 0, count: 56 - file.utf8.count)
        }
    }
}
