public import GuestMemory

/// Why the ACPI tables could not be made.
public enum ACPIError: Error, Equatable, Sendable {
    /// The tables take more room than `BoardLayout.acpiTables` has.
    case tablesTooLarge(size: UInt64, available: UInt64)
    /// There is no memory where they belong.
    case outsideRAM(GuestMemoryError)
}

extension ACPIError: CustomStringConvertible {
    /// One line.
    public var description: String {
        switch self {
        case .tablesTooLarge(let size, let available):
            "the ACPI tables take \(size) bytes and there is room for \(available): "
                + "give the guest fewer CPUs or devices"
        case .outsideRAM:
            "the ACPI tables belong below 1 MiB, where there is no memory: give the guest at least 1 MiB"
        }
    }
}

/// All ACPI tables of the board, each with its address: root pointer, XSDT, FADT, MADT, DSDT.
public struct ACPITables: Equatable, Sendable {
    /// A table and where it goes.
    public struct Placed: Equatable, Sendable {
        /// Guest-physical address.
        public let address: UInt64
        /// The table.
        public let bytes: [UInt8]
    }

    /// The tables, by address; the root pointer is the first.
    public private(set) var tables: [Placed] = []

    /// Guest-physical address of the root pointer (RSDP).
    public static let rootPointer: UInt64 = BoardLayout.acpiTables.start

    private static let rootPointerSize: UInt64 = 36
    private static let alignment: UInt64 = 16

    /// Makes the tables for a board.
    /// - Parameters:
    ///   - configuration: what they tell.
    ///   - start: the address of the root pointer.
    public init(
        _ configuration: ACPIConfiguration, at start: UInt64 = ACPITables.rootPointer
    ) throws(ACPIError) {
        var next = start + Self.rootPointerSize
        var body: [Placed] = []
        func place(_ bytes: [UInt8], alignedTo alignment: UInt64) -> UInt64 {
            let address = next.alignedUp(to: alignment) ?? next
            body.append(Placed(address: address, bytes: bytes))
            next = address + UInt64(bytes.count)
            return address
        }
        let facs =
            configuration.powerManagement == .full
            ? place(ACPITable.facs, alignedTo: ACPITable.facsSize) : 0
        let dsdt = place(ACPITable.dsdt(configuration).bytes, alignedTo: Self.alignment)
        let fadt = place(
            ACPITable.fadt(configuration, dsdt: dsdt, facs: facs).bytes, alignedTo: Self.alignment)
        let madt = place(ACPITable.madt(configuration).bytes, alignedTo: Self.alignment)
        var pointers = LittleEndianBytes()
        for address in [fadt, madt] { pointers.append(address) }
        let xsdt = place(
            ACPITable("XSDT", revision: 1, contents: pointers).bytes, alignedTo: Self.alignment)
        if next - start > BoardLayout.acpiTables.size {
            throw .tablesTooLarge(size: next - start, available: BoardLayout.acpiTables.size)
        }
        tables = [Placed(address: start, bytes: Self.rootPointerBytes(xsdt: xsdt))] + body
    }

    /// Writes the tables into guest memory.
    public func write(to memory: GuestMemory) throws(ACPIError) {
        for table in tables {
            do throws(GuestMemoryError) {
                try memory.write(table.bytes, at: table.address)
            } catch {
                throw .outsideRAM(error)
            }
        }
    }

    /// The root system description pointer, revision 2 (ACPI 6.3, 5.2.5.3), with both of its checksums.
    private static func rootPointerBytes(xsdt: UInt64) -> [UInt8] {
        let firstPartSize = 20
        let checksumOffset = 8
        let extendedChecksumOffset = 32
        var pointer = LittleEndianBytes()
        pointer.append(contentsOf: ascii("RSD PTR "))
        pointer.append(0 as UInt8)
        pointer.append(contentsOf: ACPITable.oemIdentifier)
        pointer.append(2 as UInt8)  // revision
        pointer.append(0 as UInt32)  // no RSDT: every system since ACPI 2.0 reads the XSDT
        pointer.append(UInt32(rootPointerSize))
        pointer.append(xsdt)
        pointer.append(0 as UInt8)
        pointer.append(contentsOf: [0, 0, 0])
        pointer.replace(at: checksumOffset, with: checksum(of: pointer.bytes.prefix(firstPartSize)))
        pointer.replace(at: extendedChecksumOffset, with: checksum(of: pointer.bytes))
        return pointer.bytes
    }
}
