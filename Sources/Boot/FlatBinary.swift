internal import Firmware
public import GuestMemory

/// A program of the user's own without any header: its bytes go to an address, and its first byte is executed.
public struct FlatBinary {
    /// In which mode the processor enters it.
    public enum Mode: Equatable, Sendable, CaseIterable {
        /// 16-bit real mode, nothing set up.
        case real
        /// 32-bit protected mode, flat segments, paging off.
        case protected
        /// 64-bit mode, flat segments, the first 4 GiB mapped to themselves.
        case long
    }

    /// The program.
    let image: ImageBytes

    /// Takes the program.
    public init(_ image: ImageBytes) throws(FlatBinaryError) {
        if image.count == 0 { throw .empty }
        self.image = image
    }

    /// Copies the program to guest memory and sets up what its mode needs.
    ///
    /// In real mode below 64 KiB it runs with all segments 0, so that a program assembled for its address finds its
    /// data, and with the stack growing down from its start. From 64 KiB on, its segments start at its own paragraph,
    /// with the stack at the end of that segment. In the other modes the stack grows down from
    /// `BoardLayout.flatStack`, and the descriptor table and page tables of the board are in place.
    /// - Parameter address: guest-physical address of the first byte.
    public func load(
        at address: UInt64, mode: Mode, into memory: GuestMemory
    ) throws(FlatBinaryError) -> LoadedImage {
        let size = UInt64(image.count)
        let limit = mode == .real ? Self.realModeLimit : BoardLayout.pageTablesLimit
        guard let range = AddressRange(start: address, size: size), address < limit else {
            throw .addressTooHigh(address: address, limit: limit, mode: mode)
        }
        for table in mode.tables where table.overlaps(range) {
            throw .overlapsTables(address: address, size: size, tables: table.start, end: table.end)
        }
        do throws(GuestMemoryError) {
            unsafe try memory.write(image.bytes, at: address)
        } catch {
            throw .outsideMemory(address: address, size: size)
        }
        var state = Self.entryState(at: address, mode: mode)
        if mode != .real { state.stackPointer = BoardLayout.flatStack }
        do throws(BootParametersError) {
            try writeProcessorTables(for: state, to: memory)
        } catch {
            throw .parameters(error)
        }
        return LoadedImage(bootProtocol: .flat, entry: state, kernel: range, initrd: nil)
    }

    /// The first address that real mode does not reach without tricks.
    private static let realModeLimit: UInt64 = 0x10_0000
    private static let segmentSize: UInt64 = 0x1_0000

    private static func entryState(at address: UInt64, mode: Mode) -> EntryState {
        switch mode {
        case .protected: return .protected(instructionPointer: address)
        case .long: return .long(instructionPointer: address)
        case .real:
            if address < segmentSize {
                let offset = UInt16(truncatingIfNeeded: address)
                return .real(segment: 0, offset: offset, dataSegment: 0, stackPointer: offset & ~1)
            }
            let segment = UInt16(truncatingIfNeeded: address >> 4)
            let offset = UInt16(truncatingIfNeeded: address & 0xF)
            // A stack pointer of 0 wraps to the end of the segment with the first push.
            return .real(segment: segment, offset: offset, dataSegment: segment, stackPointer: 0)
        }
    }
}

extension FlatBinary.Mode {
    /// The name that the command line uses.
    public var name: String {
        switch self {
        case .real: "real"
        case .protected: "protected"
        case .long: "long"
        }
    }

    /// What the monitor fills for this mode.
    var tables: [AddressRange] {
        let descriptors = AddressRange(
            start: BoardLayout.globalDescriptorTable,
            end: BoardLayout.globalDescriptorTable + UInt64(GlobalDescriptorTable.size))
        switch self {
        case .real: return []
        case .protected: return [descriptors, BoardLayout.flatStackPage]
        case .long: return [descriptors, BoardLayout.pageTablesRange, BoardLayout.flatStackPage]
        }
    }
}

/// Why a flat binary could not be loaded.
public enum FlatBinaryError: Error, Equatable, Sendable {
    /// The file has no bytes.
    case empty
    /// The address, or the end of the program, is past what the mode reaches.
    case addressTooHigh(address: UInt64, limit: UInt64, mode: FlatBinary.Mode)
    /// The program would lie over the board's own tables.
    case overlapsTables(address: UInt64, size: UInt64, tables: UInt64, end: UInt64)
    /// There is not RAM throughout the program's addresses.
    case outsideMemory(address: UInt64, size: UInt64)
    /// The board's tables could not be placed.
    case parameters(BootParametersError)
}

extension FlatBinaryError: CustomStringConvertible {
    /// One line, without the name of the file.
    public var description: String {
        switch self {
        case .empty: "the flat binary is empty: assemble at least one instruction into it"
        case .addressTooHigh(let address, let limit, let mode):
            "a flat binary at \(hexadecimal(address)) is out of reach of \(mode.name) mode, which ends at "
                + "\(hexadecimal(limit)): give a lower --at"
        case .overlapsTables(let address, let size, let tables, let end):
            "a flat binary of \(bytes(size)) at \(hexadecimal(address)) lies over the board's own tables "
                + "(\(hexadecimal(tables)) to \(hexadecimal(end))): give another --at, for example 0x100000"
        case .outsideMemory(let address, let size):
            "a flat binary of \(bytes(size)) at \(hexadecimal(address)) is not all in the guest's memory: "
                + "give another --at, or more memory"
        case .parameters(let error): error.description
        }
    }
}
