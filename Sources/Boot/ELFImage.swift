public import Firmware
internal import GuestMemory

/// An ELF executable for x86, 32 or 64 bits, loaded by its physical addresses (System V ABI, "Object Files";
/// `elf(5)`).
public struct ELFImage {
    /// A segment to load (PT_LOAD).
    public struct Segment: Equatable, Sendable {
        /// Its number among the program headers.
        public let number: Int
        /// p_offset: where its bytes are in the file.
        public let fileOffset: UInt64
        /// p_filesz: how many bytes of it are in the file; the rest is zero.
        public let fileSize: UInt64
        /// p_paddr up to p_paddr + p_memsz.
        public let addresses: AddressRange
    }

    /// The segments to load that take any memory, in the order of the file.
    public let segments: [Segment]
    /// e_entry. Linux puts a physical address there.
    public let entryPoint: UInt64
    /// Whether EI_CLASS says 64 bits.
    public let is64Bit: Bool
    /// The PVH entry point, where the file has the note (Xen's public/elfnote.h, XEN_ELFNOTE_PHYS32_ENTRY).
    public let pvhEntryPoint: UInt64?
    /// The whole file.
    let image: ImageBytes

    /// From the first address of all segments to the last.
    public var span: AddressRange {
        AddressRange(
            start: segments.map { $0.addresses.start }.min() ?? 0, end: segments.map { $0.addresses.end }.max() ?? 0)
    }

    /// Reads and checks the headers.
    public init(_ image: ImageBytes) throws(ELFError) {
        let layout = try ELFLayout(checking: image)
        self.image = image
        is64Bit = layout.is64Bit
        entryPoint = layout.entryPoint
        var segments: [Segment] = []
        var pvhEntryPoint: UInt64?
        for number in 0..<layout.programHeaderCount {
            let header = try layout.programHeader(number, of: image)
            switch header.type {
            case ELFLayout.typeLoad:
                if let segment = try Segment(header, number: number, in: image) { segments.append(segment) }
            case ELFLayout.typeNote:
                // A broken note segment hides the note; it does not keep the file from being loaded.
                guard pvhEntryPoint == nil, let notes = image.slice(at: header.offset, count: header.fileSize) else {
                    break
                }
                pvhEntryPoint = ELFLayout.pvhEntryPoint(inNotes: notes)
            default: break
            }
        }
        if segments.isEmpty { throw .nothingToLoad }
        try Self.checkOverlaps(segments)
        self.segments = segments
        self.pvhEntryPoint = pvhEntryPoint
    }

    /// Whether the segments can be copied while the file itself lies in guest memory: each goes down or stays where it
    /// is, in the order of the file, and none reaches into the bytes of one behind it.
    /// - Parameter address: guest-physical address of the file's first byte.
    public func canBeLoaded(fromGuestAddress address: UInt64) -> Bool {
        let sources = segments.map { address.addingReportingOverflow($0.fileOffset) }
        return segments.indices.allSatisfy { place in
            let isBelowNext =
                place + 1 == sources.count || segments[place].addresses.end <= sources[place + 1].partialValue
            return !sources[place].overflow && segments[place].addresses.start <= sources[place].partialValue
                && isBelowNext
        }
    }

    /// Copies the segments into guest memory. The part of a segment that is not in the file is left as it is: guest
    /// memory must be zero before anything is loaded, as fresh memory is, so that untouched pages cost nothing.
    /// - Parameter imageAddress: where the file itself lies in guest memory, if it does; then
    ///   ``canBeLoaded(fromGuestAddress:)`` must have allowed it, and the parts that are not in the file are cleared.
    func copySegments(to memory: GuestMemory, _ map: E820Map, imageAddress: UInt64? = nil) throws(ELFError) {
        for segment in segments {
            let range = segment.addresses
            if range.overlaps(BoardLayout.bootTables) {
                throw .segmentOverBootTables(segment: segment.number, address: range.start, size: range.size)
            }
            if !map.isRAM(range) {
                throw .segmentOutsideRAM(segment: segment.number, address: range.start, size: range.size)
            }
        }
        for segment in segments {
            guard let bytes = image.slice(at: segment.fileOffset, count: segment.fileSize) else { continue }
            do throws(GuestMemoryError) {
                if segment.addresses.start != imageAddress.map({ $0 + segment.fileOffset }) {
                    unsafe try memory.write(bytes.bytes, at: segment.addresses.start)
                }
                if imageAddress != nil {
                    let rest = Int(segment.addresses.size - segment.fileSize)
                    unsafe try memory.bytes(at: segment.addresses.start + segment.fileSize, count: rest)
                        .initializeMemory(as: UInt8.self, repeating: 0)
                }
            } catch {
                throw .segmentOutsideRAM(
                    segment: segment.number, address: segment.addresses.start, size: segment.addresses.size)
            }
        }
    }

    /// Whether an instruction at this address comes from the file.
    func isLoaded(_ address: UInt64) -> Bool { segments.contains { $0.addresses.contains(address) } }

    private static func checkOverlaps(_ segments: [Segment]) throws(ELFError) {
        let sorted = segments.sorted { $0.addresses.start < $1.addresses.start }
        for (segment, next) in zip(sorted, sorted.dropFirst()) where segment.addresses.overlaps(next.addresses) {
            throw .segmentsOverlap(
                segment: segment.number, other: next.number, address: next.addresses.start)
        }
    }
}

extension ELFImage.Segment {
    /// Checks a program header; nil for a segment that takes no memory.
    fileprivate init?(_ header: ELFLayout.ProgramHeader, number: Int, in image: ImageBytes) throws(ELFError) {
        if header.fileSize > header.memorySize {
            throw .fileSizeAboveMemorySize(
                segment: number, fileSize: header.fileSize, memorySize: header.memorySize)
        }
        if header.memorySize == 0 { return nil }
        guard let addresses = AddressRange(start: header.physicalAddress, size: header.memorySize) else {
            throw .segmentOverflows(segment: number, address: header.physicalAddress, size: header.memorySize)
        }
        if image.slice(at: header.offset, count: header.fileSize) == nil {
            let (end, overflow) = header.offset.addingReportingOverflow(header.fileSize)
            throw .truncated(
                part: .segment(number), needed: overflow ? UInt64.max : end, actual: UInt64(image.count))
        }
        self.number = number
        self.addresses = addresses
        fileOffset = header.offset
        fileSize = header.fileSize
    }
}

extension ImageBytes {
    /// Whether this is an ELF file, or the beginning of one, by its first four bytes.
    public var isELF: Bool { has(ELFLayout.magic) }
}
