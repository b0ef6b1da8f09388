internal import Boot
internal import Firmware
internal import GuestMemory
internal import Host

/// Puts what a machine runs into its memory.
struct Loader {
    let configuration: MachineConfiguration
    let memory: GuestMemory
    let hostMemory: HostMemory

    /// What came of it.
    struct Result {
        let entry: EntryState
        let isLinux: Bool
        /// One line for each thing in memory.
        let description: [String]
    }

    func load() throws(MachineError) -> Result {
        switch configuration.guest {
        case .program(let name, let bytes, let address):
            try write(bytes, at: address, path: name)
            return Result(entry: .realMode(at: address), isLinux: false, description: [])
        case .flat(let path, let address, _):
            let file = try open(path, purpose: "flat binary")
            try write(Array(file.bytes), at: address, path: path)
            return Result(entry: .realMode(at: address), isLinux: false, description: [])
        case .bootSector(let path):
            let file = try open(path, purpose: "boot sector")
            try write(Array(file.bytes), at: BoardLayout.bootSector, path: path)
            return Result(entry: .realMode(at: BoardLayout.bootSector), isLinux: false, description: [])
        case .linux(let kernel, let initrd, let commandLine, let entry):
            return try loadLinux(kernel: kernel, initrd: initrd, commandLine: commandLine, entry: entry)
        }
    }

    private func loadLinux(
        kernel: String, initrd: String?, commandLine: String, entry: MachineConfiguration.LinuxEntry
    ) throws(MachineError) -> Result {
        let kernelFile = try open(kernel, purpose: "kernel")
        let initrdFile: MappedFile?
        if let initrd { initrdFile = try open(initrd, purpose: "initrd") } else { initrdFile = nil }
        let parameters = BootParameters(
            commandLine: Array(commandLine.utf8), initrd: initrdFile.map { ImageBytes($0.bytes) },
            memoryMap: E820Map(memory: memory), acpiRootPointer: nil)
        do throws(LinuxImageError) {
            let image = try LinuxImage(ImageBytes(kernelFile.bytes))
            let loaded = try image.load(into: memory, parameters)
            return Result(entry: loaded.entry, isLinux: true, description: [])
        } catch {
            throw .payload(path: kernel, reason: error.description)
        }
    }

    private func open(_ path: String, purpose: String) throws(MachineError) -> MappedFile {
        try MachineError.catching { () throws(HostError) in try MappedFile(path: path, purpose: purpose) }
    }

    private func write(_ bytes: [UInt8], at address: UInt64, path: String) throws(MachineError) {
        do throws(GuestMemoryError) {
            try memory.write(bytes, at: address)
        } catch {
            throw .payload(
                path: path,
                reason: "\(bytes.count) bytes do not fit at 0x\(String(address, radix: 16)) in "
                    + "\(configuration.memoryBytes >> 20) MiB of memory; give more --memory")
        }
    }
}

extension EntryState {
    /// Real mode at a linear address below 1 MiB: CS is 0 where the offset reaches, the stack below the code.
    static func realMode(at address: UInt64) -> EntryState {
        let segment = address > 0xFFFF ? UInt16(truncatingIfNeeded: address >> 4 & 0xF000) : 0
        return .real(
            segment: segment, offset: UInt16(truncatingIfNeeded: address - UInt64(segment) << 4),
            dataSegment: segment, stackPointer: 0x7C00)
    }
}
