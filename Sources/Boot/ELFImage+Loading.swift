internal import Firmware
public import GuestMemory

extension ELFImage {
    /// The longest command line given to a kernel that cannot say how much it takes: Linux's COMMAND_LINE_SIZE on
    /// x86, less the zero byte.
    static let commandLineMaximum = 2047

    /// Loads the file and prepares the way in that it names: PVH where it has the note, else (64 bits only) Linux's
    /// 64-bit boot protocol at `e_entry` with a zero page, as for a `vmlinux`.
    ///
    /// Guest memory must be zero where nothing has been loaded, as fresh memory is.
    /// - Parameter imageAddress: where the file itself lies in guest memory, if it does and
    ///   ``canBeLoaded(fromGuestAddress:)``.
    /// - Returns: for PVH 32-bit protected mode with RBX at `hvm_start_info`, else long mode with RSI at the zero page.
    public func load(
        into memory: GuestMemory, _ parameters: BootParameters, imageAddress: UInt64? = nil
    ) throws(ELFError) -> LoadedImage {
        if let pvhEntryPoint {
            return try loadPVH(entryPoint: pvhEntryPoint, into: memory, parameters, imageAddress: imageAddress)
        }
        if !is64Bit { throw .noEntryProtocol }
        return try loadLinux(into: memory, parameters, imageAddress: imageAddress)
    }

    private func loadPVH(
        entryPoint: UInt64, into memory: GuestMemory, _ parameters: BootParameters, imageAddress: UInt64?
    ) throws(ELFError) -> LoadedImage {
        if entryPoint > UInt64(UInt32.max) || !isLoaded(entryPoint) { throw .entryOutside(address: entryPoint) }
        try copySegments(to: memory, parameters.memoryMap, imageAddress: imageAddress)
        do throws(BootParametersError) {
            let initrd = try parameters.placeInitrd(
                avoiding: span, below: [BoardLayout.pageTablesLimit, UInt64.max], in: memory)
            try parameters.writeCommandLine(maximum: Self.commandLineMaximum, to: memory)
            try PVH.writeStartInfo(parameters, initrd: initrd, to: memory)
            var state = EntryState.protected(instructionPointer: entryPoint)
            state.rbx = BoardLayout.pvhStartInfo
            try writeProcessorTables(for: state, to: memory)
            return LoadedImage(bootProtocol: .pvh, entry: state, kernel: span, initrd: initrd)
        } catch {
            throw .parameters(error)
        }
    }

    private func loadLinux(
        into memory: GuestMemory, _ parameters: BootParameters, imageAddress: UInt64?
    ) throws(ELFError) -> LoadedImage {
        if entryPoint >= BoardLayout.pageTablesLimit || !isLoaded(entryPoint) {
            throw .entryOutside(address: entryPoint)
        }
        try copySegments(to: memory, parameters.memoryMap, imageAddress: imageAddress)
        do throws(BootParametersError) {
            let initrd = try parameters.placeInitrd(
                avoiding: span, below: [BoardLayout.pageTablesLimit, UInt64.max], in: memory)
            try parameters.writeCommandLine(maximum: Self.commandLineMaximum, to: memory)
            var zeroPage = try ZeroPage(parameters, initrd: initrd)
            zeroPage.setMinimalHeader(commandLineSize: UInt32(Self.commandLineMaximum))
            try writeTable(zeroPage.bytes, at: BoardLayout.zeroPage, to: memory)
            var state = EntryState.long(instructionPointer: entryPoint)
            state.rsi = BoardLayout.zeroPage
            try writeProcessorTables(for: state, to: memory)
            return LoadedImage(bootProtocol: .linuxDecompressed, entry: state, kernel: span, initrd: initrd)
        } catch {
            throw .parameters(error)
        }
    }
}
