public import Firmware
public import GuestMemory

/// What a loader gives the guest besides the kernel itself.
public struct BootParameters {
    /// The command line, without a zero byte.
    public var commandLine: [UInt8]
    /// The initial RAM disk.
    public var initrd: ImageBytes?
    /// The map of physical memory; everything is placed in its RAM.
    public var memoryMap: E820Map
    /// Guest-physical address of the ACPI root pointer, where there are ACPI tables.
    public var acpiRootPointer: UInt64?

    /// What a loader gives the guest besides the kernel itself.
    public init(
        commandLine: [UInt8] = [], initrd: ImageBytes? = nil, memoryMap: E820Map, acpiRootPointer: UInt64? = nil
    ) {
        self.commandLine = commandLine
        self.initrd = initrd
        self.memoryMap = memoryMap
        self.acpiRootPointer = acpiRootPointer
    }
}

/// What a loader did: where things are now, and how to start.
public struct LoadedImage: Equatable, Sendable {
    /// By which protocol the guest is entered.
    public enum BootProtocol: Equatable, Sendable {
        /// Linux/x86 64-bit boot protocol; the kernel decompresses itself.
        case linux
        /// Linux/x86 64-bit boot protocol into an uncompressed kernel.
        case linuxDecompressed
        /// Xen's PVH: 32-bit, paging off.
        case pvh
        /// A program of the user's own.
        case flat
        /// A PC's boot sector.
        case bootSector
    }

    /// By which protocol the guest is entered.
    public let bootProtocol: BootProtocol
    /// The state of the first vCPU.
    public let entry: EntryState
    /// The addresses that the kernel takes, up to the time it has read its memory map.
    public let kernel: AddressRange
    /// The addresses of the initial RAM disk.
    public let initrd: AddressRange?
}

/// Why the parameters could not be given to the guest.
public enum BootParametersError: Error, Equatable, Sendable {
    /// The command line has more bytes than the kernel or the board takes.
    case commandLineTooLong(count: Int, maximum: Int)
    /// A zero byte would end the command line early.
    case commandLineHasZeroByte(offset: Int)
    /// The initrd has no bytes.
    case initrdEmpty
    /// There is no free RAM for the initrd below `limit`, the first address it may not take.
    case initrdDoesNotFit(size: UInt64, limit: UInt64)
    /// The memory map has more lines than the protocol takes.
    case memoryMapTooLong(count: Int, maximum: Int)
    /// The board's own tables do not fit: the guest has less than 1 MiB of RAM.
    case tablesOutsideRAM(GuestMemoryError)
}

extension BootParametersError: CustomStringConvertible {
    /// One line, without the name of the file.
    public var description: String {
        switch self {
        case .commandLineTooLong(let count, let maximum):
            "the command line has a length of \(count) and the kernel takes \(maximum) bytes: shorten it"
        case .commandLineHasZeroByte(let offset):
            "the command line has a zero byte at offset \(offset), where the kernel would stop reading: remove it"
        case .initrdEmpty:
            "the initrd is empty: give a cpio archive or a disk image, or leave it out"
        case .initrdDoesNotFit(let size, let limit):
            "the initrd of \(bytes(size)) does not fit into free memory"
                + (limit == UInt64.max ? "" : " below \(hexadecimal(limit))")
                + ": give the guest more memory, or a smaller initrd"
        case .memoryMapTooLong(let count, let maximum):
            "the memory map has \(count) lines and the boot protocol takes \(maximum): use fewer memory ranges"
        case .tablesOutsideRAM(.outOfRange(let address, let count)):
            "the board's tables need \(count) bytes at \(hexadecimal(address)), where there is no memory: "
                + "give the guest at least 1 MiB"
        }
    }
}

extension BootParameters {
    /// Writes the command line and its zero byte.
    /// - Parameter maximum: the most bytes the kernel takes, without the zero byte.
    func writeCommandLine(maximum: Int, to memory: GuestMemory) throws(BootParametersError) {
        let maximum = min(maximum, BoardLayout.commandLineCapacity - 1)
        if commandLine.count > maximum {
            throw .commandLineTooLong(count: commandLine.count, maximum: maximum)
        }
        if let offset = commandLine.firstIndex(of: 0) { throw .commandLineHasZeroByte(offset: offset) }
        try writeTable(commandLine + [0], at: BoardLayout.commandLine, to: memory)
    }

    /// Copies the initrd as high as it may be.
    /// - Parameters:
    ///   - kernel: the addresses it must leave free.
    ///   - limits: first addresses it may not take, tried in this order.
    func placeInitrd(
        avoiding kernel: AddressRange, below limits: [UInt64], in memory: GuestMemory
    ) throws(BootParametersError) -> AddressRange? {
        guard let initrd else { return nil }
        if initrd.count == 0 { throw .initrdEmpty }
        let size = UInt64(initrd.count)
        for limit in limits {
            guard let range = highestFreeRange(size: size, below: limit, avoiding: kernel) else { continue }
            do throws(GuestMemoryError) {
                unsafe try memory.write(initrd.bytes, at: range.start)
            } catch {
                throw .tablesOutsideRAM(error)
            }
            return range
        }
        throw .initrdDoesNotFit(size: size, limit: limits.max() ?? 0)
    }

    /// The highest page-aligned range of RAM from 1 MiB that ends at or below `limit` and is clear of the kernel.
    private func highestFreeRange(size: UInt64, below limit: UInt64, avoiding kernel: AddressRange) -> AddressRange? {
        for ram in memoryMap.ram.reversed() {
            let lowest = max(ram.start, BoardLayout.highMemory)
            let top = min(ram.end, limit)
            for end in [top, min(top, kernel.start)] where end > lowest && end - lowest >= size {
                let start = (end - size).alignedDown(to: 4096)
                let range = AddressRange(start: start, end: start + size)
                if start >= lowest, !range.overlaps(kernel) { return range }
            }
        }
        return nil
    }
}

/// Writes one of the board's tables.
func writeTable(_ table: [UInt8], at address: UInt64, to memory: GuestMemory) throws(BootParametersError) {
    do throws(GuestMemoryError) {
        try memory.write(table, at: address)
    } catch {
        throw .tablesOutsideRAM(error)
    }
}

/// Writes what the entry state refers to: the descriptor table, and the page tables of long mode.
func writeProcessorTables(for state: EntryState, to memory: GuestMemory) throws(BootParametersError) {
    do throws(GuestMemoryError) {
        if state.globalDescriptorTableSize > 0 { try GlobalDescriptorTable.write(for: state, to: memory) }
        if case .long = state.mode { try IdentityPageTables.write(to: memory) }
    } catch {
        throw .tablesOutsideRAM(error)
    }
}
