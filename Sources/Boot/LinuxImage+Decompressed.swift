public import GuestMemory
internal import Firmware

extension LinuxImage {
    /// Loads the kernel that the host has decompressed from this bzImage, so that the guest need not: the ELF file's
    /// segments go to their physical addresses, and the kernel's own `startup_64` is entered instead of the
    /// decompressor's.
    ///
    /// It runs at the address it is linked for. The relocations that follow the ELF file go unused, and there is no
    /// randomization of the kernel's address (KASLR), which is the decompressor's work. The zero page is as for the
    /// bzImage itself. Guest memory must be zero where nothing has been loaded, as fresh memory is.
    /// - Parameters:
    ///   - decompressed: what came out of decompressing `compressedKernel()`.
    ///   - imageAddress: where that lies in guest memory, if it does and ``ELFImage/canBeLoaded(fromGuestAddress:)``.
    public func loadDecompressed(
        _ decompressed: ImageBytes, into memory: GuestMemory, _ parameters: BootParameters,
        imageAddress: UInt64? = nil
    ) throws(LinuxImageError) -> LoadedImage {
        let kernel: AddressRange
        let entryPoint: UInt64
        do throws(ELFError) {
            let elf = try ELFImage(decompressed)
            entryPoint = elf.entryPoint
            if !elf.is64Bit || entryPoint >= BoardLayout.pageTablesLimit || !elf.isLoaded(entryPoint) {
                throw .entryOutside(address: entryPoint)
            }
            // init_size counts from the address that the kernel is linked for, and covers its zeroed data and its
            // early allocations; an initrd there would be overwritten.
            let needed = header.preferredAddress.addingReportingOverflow(UInt64(header.initSize))
            kernel = AddressRange(
                start: elf.span.start, end: max(elf.span.end, needed.overflow ? 0 : needed.partialValue))
            try elf.copySegments(to: memory, parameters.memoryMap, imageAddress: imageAddress)
        } catch {
            throw .decompressedKernel(error)
        }
        if !parameters.memoryMap.isRAM(kernel) { throw .doesNotFit(address: kernel.start, size: kernel.size) }
        return try enter(at: entryPoint, kernel: kernel, as: .linuxDecompressed, memory: memory, parameters)
    }
}
