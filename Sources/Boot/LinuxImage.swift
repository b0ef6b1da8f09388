internal import Firmware
public import GuestMemory

/// A Linux kernel as its build leaves it for x86: `bzImage` (Documentation/arch/x86/boot.rst).
///
/// The file is real-mode code, which is not used here, then protected-mode code, which decompresses the kernel that
/// it carries and enters it. The header, inside the first sectors, says what the kernel wants.
public struct LinuxImage {
    /// What the kernel says of itself.
    public let header: SetupHeader
    /// The whole file.
    let image: ImageBytes
    /// The code that is loaded and entered.
    let code: ImageBytes

    /// Offset of the 64-bit entry point in the protected-mode code (boot.rst, "64-bit Boot Protocol").
    static let entryOffset: UInt64 = 0x200

    /// Reads and checks the header.
    public init(_ image: ImageBytes) throws(LinuxImageError) {
        header = try SetupHeader(image)
        self.image = image
        let sectors: UInt64 = header.setupSectors == 0 ? 4 : UInt64(header.setupSectors)
        let start = (sectors + 1) * 512
        let size = UInt64(header.systemSize) * 16
        guard let code = image.slice(at: start, count: size) else {
            throw .truncated(needed: start + size, actual: UInt64(image.count))
        }
        if size <= LinuxImage.entryOffset { throw .codeTooShort(size: size) }
        if UInt64(header.initSize) < size {
            throw .invalidInitSize(initSize: header.initSize, loaded: size)
        }
        self.code = code
    }

    /// The compressed kernel that the protected-mode code carries.
    public func compressedKernel() throws(LinuxImageError) -> CompressedKernel {
        guard let payload = code.slice(at: UInt64(header.payloadOffset), count: UInt64(header.payloadLength)) else {
            throw .payloadOutside(offset: header.payloadOffset, length: header.payloadLength)
        }
        guard let kernel = CompressedKernel(payload: payload) else { throw .unknownCompression }
        return kernel
    }

    /// Loads the kernel as it is; it will decompress itself.
    ///
    /// It goes to the address it prefers, or to the next one that suits a relocatable kernel. Guest memory must be
    /// zero where nothing has been loaded, as fresh memory is.
    /// - Returns: long mode at the 64-bit entry point, RSI at the zero page.
    public func load(into memory: GuestMemory, _ parameters: BootParameters) throws(LinuxImageError) -> LoadedImage {
        let kernel = try placement(in: parameters.memoryMap)
        do throws(GuestMemoryError) {
            unsafe try memory.write(code.bytes, at: kernel.start)
        } catch {
            throw .doesNotFit(address: kernel.start, size: kernel.size)
        }
        return try enter(
            at: kernel.start + LinuxImage.entryOffset, kernel: kernel, as: .linux, memory: memory, parameters)
    }

    /// Writes what the 64-bit boot protocol asks for around a kernel that is in place already.
    func enter(
        at entryPoint: UInt64, kernel: AddressRange, as bootProtocol: LoadedImage.BootProtocol,
        memory: GuestMemory, _ parameters: BootParameters
    ) throws(LinuxImageError) -> LoadedImage {
        do throws(BootParametersError) {
            // Above the address that the header names the kernel reads an initrd as well, if it can itself be there:
            // the field only says 2 GiB to suit old loaders.
            var limits = [UInt64(header.initrdAddressMaximum) + 1]
            if header.extendedLoadFlags.contains(.canBeLoadedAbove4G) { limits.append(UInt64.max) }
            let initrd = try parameters.placeInitrd(avoiding: kernel, below: limits, in: memory)
            try parameters.writeCommandLine(maximum: Int(header.commandLineSize), to: memory)

            var zeroPage = try ZeroPage(parameters, initrd: initrd)
            zeroPage.copySetupHeader(of: self, loadedAt: kernel.start, initrd: initrd)
            try writeTable(zeroPage.bytes, at: BoardLayout.zeroPage, to: memory)

            var state = EntryState.long(instructionPointer: entryPoint)
            state.rsi = BoardLayout.zeroPage
            try writeProcessorTables(for: state, to: memory)
            return LoadedImage(bootProtocol: bootProtocol, entry: state, kernel: kernel, initrd: initrd)
        } catch {
            throw .parameters(error)
        }
    }

    /// Where the kernel goes, with the memory it needs until it has read its memory map (boot.rst, `init_size`).
    private func placement(in map: E820Map) throws(LinuxImageError) -> AddressRange {
        let size = UInt64(header.initSize)
        let lowest = max(header.preferredAddress, BoardLayout.highMemory)
        for ram in map.ram where ram.start < BoardLayout.pageTablesLimit {
            var start = lowest
            if header.isRelocatable {
                guard let aligned = max(ram.start, lowest).alignedUp(to: UInt64(header.kernelAlignment)) else { break }
                start = aligned
            }
            if let range = AddressRange(start: start, size: size), ram.contains(range) { return range }
        }
        throw .doesNotFit(address: lowest, size: size)
    }
}
