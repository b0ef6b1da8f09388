internal import Boot
internal import Devices
internal import Firmware
internal import GuestMemory
internal import Host

/// Puts what a machine runs into its memory.
struct Loader {
    let configuration: MachineConfiguration
    let memory: GuestMemory
    let disks: [any BlockStore]
    let firmware: FirmwareImage?
    /// What the machine before this one has left, if memory is among it.
    let remains: MachineRemains?

    /// What came of it.
    struct Result {
        let entry: EntryState
        /// One line for each thing in memory.
        let description: [String]
    }

    func load() throws(MachineError) -> Result {
        if let firmware { return try firmware.load(into: memory, isThere: remains != nil) }
        if let address = remains?.resumeAddress(in: memory) { return resume(at: address) }
        let result = try loadGuest()
        guard configuration.board == .pc else { return result }
        do throws(GuestMemoryError) {
            try ResetVector.write(to: memory)
            try MPTable.write(cpus: configuration.cpus, to: memory)
        } catch {
            throw .payload(path: "MP tables", reason: "a PC's tables need the first MiB of memory")
        }
        var description = result.description + [MemoryMap.line(BoardLayout.mpTables, "MP tables, reset vector")]
        if !configuration.isLinux {
            // A kernel that its own boot sector loads finds them by looking; Linux has been given them already.
            do throws(ACPIError) {
                try ACPITables(ACPIConfiguration(configuration)).write(to: memory)
            } catch {
                throw .payload(path: "ACPI tables", reason: error.description)
            }
            description.append(MemoryMap.line(BoardLayout.acpiTables, "ACPI tables"))
        }
        return Result(entry: result.entry, description: description)
    }

    private func loadGuest() throws(MachineError) -> Result {
        switch configuration.guest {
        case .program(let name, let bytes, let address): try loadProgram(name, bytes, at: address)
        case .flat(let path, let address, let mode): try loadFlat(path, at: address, mode)
        case .bootSector(let path): try loadBootSector(path)
        case .disk: try loadFirstSector()
        case .linux(let kernel, let initrd, let commandLine, let entry):
            try loadLinux(kernel: kernel, initrd: initrd, commandLine: commandLine, entry: entry)
        }
    }

    /// What a PC's firmware does with the warm reset vector: it jumps, and DS is still the segment of what it read. Of the
    /// stack nothing is known. No interrupt is in service: the controllers were reset with the rest of the board.
    private func resume(at address: (segment: UInt16, offset: UInt16)) -> Result {
        let vector = AddressRange(start: BoardLayout.warmResetVector, end: BoardLayout.warmResetVector + 4)
        let entry = EntryState.real(
            segment: address.segment, offset: address.offset, dataSegment: BoardLayout.biosDataSegment, stackPointer: 0)
        return Result(entry: entry, description: [MemoryMap.line(vector, "warm reset vector: memory is as it was")])
    }

    // MARK: Small guests

    private func loadProgram(_ name: String, _ bytes: [UInt8], at address: UInt64) throws(MachineError) -> Result {
        var loaded: LoadedImage?
        var failure: FlatBinaryError?
        bytes.withUnsafeBytes { bytes in
            do throws(FlatBinaryError) {
                loaded = try FlatBinary(ImageBytes(bytes)).load(at: address, mode: .real, into: memory)
            } catch {
                failure = error
            }
        }
        guard let loaded else { throw .payload(path: name, reason: failure?.description ?? "it could not be loaded") }
        try leaveCPUCount(path: name)
        var entry = loaded.entry
        // What is entered where a BIOS enters boot sectors finds what a BIOS leaves in DL.
        if address == BoardLayout.bootSector { entry.rdx = BootSector.firstHardDisk }
        return Result(entry: entry, description: [MemoryMap.line(loaded.kernel, name)])
    }

    /// What a BIOS knows and a built-in guest asks for: how many CPUs there are, as a byte at a fixed address.
    private func leaveCPUCount(path: String) throws(MachineError) {
        do throws(GuestMemoryError) {
            try memory.write(UInt8(clamping: configuration.cpus), at: MachineConfiguration.cpuCountAddress)
        } catch {
            throw .payload(path: path, reason: "there is no memory at 0x500")
        }
    }

    private func loadFlat(
        _ path: String, at address: UInt64, _ mode: MachineConfiguration.FlatMode
    ) throws(MachineError) -> Result {
        let file = try open(path, purpose: "flat binary")
        let flatMode: FlatBinary.Mode =
            switch mode {
            case .real: .real
            case .protected: .protected
            case .long: .long
            }
        do throws(FlatBinaryError) {
            let loaded = try FlatBinary(ImageBytes(file.bytes)).load(at: address, mode: flatMode, into: memory)
            return Result(entry: loaded.entry, description: [MemoryMap.line(loaded.kernel, path)])
        } catch {
            throw .payload(path: path, reason: error.description)
        }
    }

    private func loadBootSector(_ path: String) throws(MachineError) -> Result {
        let file = try open(path, purpose: "boot sector")
        return try loadBootSector(file.bytes, path: path)
    }

    private func loadFirstSector() throws(MachineError) -> Result {
        let path = configuration.disks.first?.path ?? "no disk"
        var sector = [UInt8](repeating: 0, count: BootSector.size)
        let result = sector.withUnsafeMutableBytes { bytes in
            var span = MutableRawSpan(_unsafeBytes: bytes)
            return disks.first?.read(sector: 0, into: &span) ?? .failed
        }
        if result != .done { throw .payload(path: path, reason: "the disk's first sector cannot be read") }
        var loaded: Swift.Result<Result, MachineError>?
        sector.withUnsafeBytes { bytes in
            do throws(MachineError) {
                loaded = .success(try loadBootSector(bytes, path: path))
            } catch {
                loaded = .failure(error)
            }
        }
        guard let loaded else { throw .payload(path: path, reason: "the disk's first sector cannot be read") }
        return try loaded.get()
    }

    private func loadBootSector(_ bytes: UnsafeRawBufferPointer, path: String) throws(MachineError) -> Result {
        do throws(BootSectorError) {
            let loaded = try BootSector(ImageBytes(bytes)).load(into: memory, hardDisks: disks.count)
            return Result(entry: loaded.entry, description: [MemoryMap.line(loaded.kernel, path)])
        } catch {
            throw .payload(path: path, reason: error.description)
        }
    }

    // MARK: Linux

    private func loadLinux(
        kernel path: String, initrd: String?, commandLine: String, entry: MachineConfiguration.LinuxEntry
    ) throws(MachineError) -> Result {
        let file = try open(path, purpose: "kernel")
        let image = ImageBytes(file.bytes)
        let initrdFile: MappedFile? = if let initrd { try open(initrd, purpose: "initrd") } else { nil }
        do throws(ACPIError) {
            try ACPITables(ACPIConfiguration(configuration)).write(to: memory)
        } catch {
            throw .payload(path: path, reason: error.description)
        }
        do throws(GuestMemoryError) {
            try ResetVector.write(to: memory)
        } catch {
            throw .payload(path: path, reason: "the board's tables need the first MiB of memory")
        }
        let parameters = BootParameters(
            commandLine: Array(commandLine.utf8), initrd: initrdFile.map { ImageBytes($0.bytes) },
            memoryMap: E820Map(memory: memory), acpiRootPointer: ACPITables.rootPointer)
        let loaded: LoadedImage
        if image.isELF {
            guard entry != .linux64 else {
                throw .payload(path: path, reason: "an ELF file has no 64-bit boot header; leave out --entry bzimage")
            }
            loaded = try loadELF(image, path: path, parameters, requirePVH: entry == .pvh)
        } else {
            loaded = try loadBzImage(image, path: path, parameters, entry)
        }
        var lines = [MemoryMap.line(loaded.kernel, "\(path), \(loaded.bootProtocol.name)")]
        if let range = loaded.initrd, let initrd { lines.append(MemoryMap.line(range, initrd)) }
        lines.append(MemoryMap.line(BoardLayout.bootTables, "page tables, GDT, zero page, command line"))
        lines.append(MemoryMap.line(BoardLayout.acpiTables, "ACPI tables"))
        return Result(entry: loaded.entry, description: lines)
    }

    private func loadELF(
        _ image: ImageBytes, path: String, _ parameters: BootParameters, requirePVH: Bool, imageAddress: UInt64? = nil
    ) throws(MachineError) -> LoadedImage {
        do throws(ELFError) {
            let elf = try ELFImage(image)
            if requirePVH, elf.pvhEntryPoint == nil { throw .noEntryProtocol }
            return try elf.load(into: memory, parameters, imageAddress: imageAddress)
        } catch {
            throw .payload(path: path, reason: error.description)
        }
    }

    private func loadBzImage(
        _ image: ImageBytes, path: String, _ parameters: BootParameters, _ entry: MachineConfiguration.LinuxEntry
    ) throws(MachineError) -> LoadedImage {
        let linux = try Self.linux(path) { () throws(LinuxImageError) in try LinuxImage(image) }
        guard entry != .linux64, let inside = try decompress(linux, path: path, isRequired: entry == .pvh) else {
            return try Self.linux(path) { () throws(LinuxImageError) in try linux.load(into: memory, parameters) }
        }
        defer { withExtendedLifetime(inside.owner) {} }
        let bytes = ImageBytes(UnsafeRawBufferPointer(inside.bytes))
        if entry == .pvh {
            return try loadELF(bytes, path: path, parameters, requirePVH: true, imageAddress: inside.address)
        }
        return try Self.linux(path) { () throws(LinuxImageError) in
            try linux.loadDecompressed(bytes, into: memory, parameters, imageAddress: inside.address)
        }
    }

    /// The kernel inside a bzImage, decompressed by the host: that saves the guest its own decompressor, with the
    /// page faults of a guest that starts from nothing.
    /// - Parameter isRequired: whether it is an error that the host cannot do it.
    /// - Returns: nil where the guest has to do it.
    private func decompress(
        _ linux: LinuxImage, path: String, isRequired: Bool
    ) throws(MachineError) -> Unpacked? {
        let compressed = try Self.linux(path) { () throws(LinuxImageError) in try linux.compressedKernel() }
        guard let format = Decompression.Format(compressed.format) else {
            if !isRequired { return nil }
            throw .payload(
                path: path,
                reason: "its kernel is packed by \(compressed.format.name), which the host cannot unpack; "
                    + "use --entry bzimage")
        }
        // The size is the file's word; more than the guest could hold is not worth trying.
        guard UInt64(compressed.decompressedSize) <= configuration.memoryBytes else {
            throw .payload(
                path: path,
                reason: "its kernel takes \(compressed.decompressedSize >> 20) MiB unpacked and the guest has "
                    + "\(configuration.memoryBytes >> 20) MiB; give more --memory")
        }
        let room = try roomToUnpack(Int(compressed.decompressedSize), linux.header)
        do throws(Decompression.Failure) {
            let progress = try Decompression.decompress(format, compressed.compressed.bytes, into: room.bytes)
            // LZ4's legacy frame has no end mark: only the size tells that nothing is missing.
            if progress.bytesWritten != room.bytes.count { throw .truncated(format) }
        } catch {
            throw .payload(path: path, reason: error.description)
        }
        guard let address = room.address else { return room }
        // What is no ELF file is told by whoever loads it.
        let elf = try? ELFImage(ImageBytes(UnsafeRawBufferPointer(room.bytes)))
        return elf?.canBeLoaded(fromGuestAddress: address) == true ? room : try moveOut(room)
    }

    /// An unpacked kernel: in guest memory at an address, or in memory of the monitor's own.
    private struct Unpacked {
        let bytes: UnsafeMutableRawBufferPointer
        var address: UInt64?
        var owner: ScratchMemory?
    }

    private static func scratch(_ size: Int) throws(MachineError) -> Unpacked {
        let owner = try MachineError.catching { () throws(HostError) in try ScratchMemory(size: size) }
        return Unpacked(bytes: owner.bytes, owner: owner)
    }

    /// Moves an unpacked kernel out of guest memory, which is as fresh afterwards.
    private func moveOut(_ room: Unpacked) throws(MachineError) -> Unpacked {
        let moved = try Self.scratch(room.bytes.count)
        moved.bytes.copyMemory(from: UnsafeRawBufferPointer(room.bytes))
        room.bytes.initializeMemory(as: UInt8.self, repeating: 0)
        return moved
    }

    /// Room for the unpacked kernel: guest memory, so placed that the file's first segments lie where they belong. That
    /// saves copying them, and memory of the monitor's own, which the host would have to clear for this one use. What
    /// is not overwritten by segments stays as it is: the ELF header below the kernel, the section headers behind it.
    private func roomToUnpack(_ size: Int, _ header: SetupHeader) throws(MachineError) -> Unpacked {
        let start = header.preferredAddress
        if start >= Self.segmentOffset + BoardLayout.bootTables.end {
            let address = start - Self.segmentOffset
            if let bytes = try? memory.bytes(at: address, count: size) {
                return Unpacked(bytes: bytes, address: address)
            }
        }
        return try Self.scratch(size)
    }

    /// Where in the file Linux's ELF images have their first segment, which goes to the preferred address (`.text` in
    /// arch/x86/kernel/vmlinux.lds.S, with the linker's -z max-page-size=0x200000).
    private static let segmentOffset: UInt64 = 2 << 20

    // MARK: Files and words

    private func open(_ path: String, purpose: String) throws(MachineError) -> MappedFile {
        try MachineError.catching { () throws(HostError) in try MappedFile(path: path, purpose: purpose) }
    }

    private static func linux<Result>(
        _ path: String, _ body: () throws(LinuxImageError) -> Result
    ) throws(MachineError) -> Result {
        do throws(LinuxImageError) { return try body() } catch { throw .payload(path: path, reason: error.description) }
    }
}

extension LoadedImage.BootProtocol {
    /// In words, for the memory map.
    var name: String {
        switch self {
        case .linux: "Linux 64-bit boot protocol"
        case .linuxDecompressed: "Linux 64-bit boot protocol, unpacked by the host"
        case .pvh: "PVH"
        case .flat: "flat binary"
        case .bootSector: "boot sector"
        }
    }
}

extension Decompression.Format {
    /// The host's library for a kernel's format; nil where there is none.
    init?(_ format: CompressedKernel.Format) {
        switch format {
        case .gzip: self = .gzip
        case .xz: self = .xz
        case .lzma: self = .lzma
        case .lz4: self = .lz4Legacy
        case .zstd: self = .zstd
        case .bzip2, .lzo, .none: return nil
        }
    }
}

extension ACPIConfiguration {
    /// What the guest is told of the board.
    ///
    /// A microVM has hardware-reduced ACPI, one serial port, neither keyboard nor clock. Linux takes the time from
    /// kvmclock, and leaves PIC, PIT and the CMOS clock alone then: each access that it does not make is an exit less.
    init(_ configuration: MachineConfiguration) {
        self.init(cpus: configuration.cpus)
        switch configuration.board {
        case .microVM: hasRealTimeClock = false
        case .pc:
            powerManagement = .full
            hasKeyboardController = true
            hasPCI = true
        }
    }
}
