internal import Boot
internal import Devices
internal import Firmware
internal import GuestMemory
internal import Host
internal import KVM

/// A BIOS image in the machine: read-only memory that ends at 4 GiB, and a copy of its last 128 KiB below 1 MiB, where
/// real mode reaches it.
final class FirmwareImage: @unchecked Sendable {
    // Unchecked: the bytes are written by `init` only.
    private let memory: HostMemory
    private let videoBIOS: MappedFile?
    private let path: String
    private let size: Int

    /// Reads the files.
    init(_ firmware: MachineConfiguration.Firmware) throws(MachineError) {
        func read(_ path: String, _ purpose: String, limit: UInt64) throws(MachineError) -> MappedFile {
            try MachineError.catching { () throws(HostError) in
                try MappedFile(path: path, purpose: purpose, limit: limit)
            }
        }
        let file = try read(firmware.path, "firmware", limit: BoardLayout.firmwareImageLimit)
        guard file.bytes.count >= 0x1_0000, file.bytes.count % 4096 == 0 else {
            throw .payload(
                path: firmware.path,
                reason:
                    "a BIOS image has 64 to 256 KiB, a multiple of 4 KiB, and this one has \(file.bytes.count) bytes")
        }
        let memory = try MachineError.catching { () throws(HostError) in
            try HostMemory(size: UInt64(file.bytes.count))
        }
        memory.regions(holeStart: BoardLayout.holeStart)[0].bytes.copyMemory(from: file.bytes)
        self.memory = memory
        path = firmware.path
        size = file.bytes.count
        videoBIOS = try firmware.videoBIOS.map { path throws(MachineError) in
            try read(path, "video BIOS", limit: 1 << 17)
        }
    }

    private var bytes: UnsafeMutableRawBufferPointer { memory.regions(holeStart: BoardLayout.holeStart)[0].bytes }
    private var range: AddressRange {
        AddressRange(start: BoardLayout.firmwareImageEnd - UInt64(size), end: BoardLayout.firmwareImageEnd)
    }

    /// Shows the image to KVM.
    func show(_ kernel: KernelObjects) throws(KVMError) {
        try kernel.virtualMachine.setMemory(
            slot: Self.slot, guestAddress: range.start, memory: bytes, options: .readOnly)
    }

    /// A slot's number that no RAM takes.
    private static let slot: UInt32 = 8

    /// Puts the copy into RAM.
    ///
    /// After a reset of the processors it is there, with the variables that firmware keeps in it. By one of them SeaBIOS
    /// knows that it has run before: it looks at the shutdown status byte, and jumps to the warm reset vector or copies
    /// itself anew and resets the machine.
    /// - Parameter isThere: whether the guest's memory is that of the machine before.
    func load(into memory: GuestMemory, isThere: Bool) throws(MachineError) -> Loader.Result {
        let result = Loader.Result(entry: .reset, description: [MemoryMap.line(range, path)])
        if isThere { return result }
        let count = min(size, 0x2_0000)
        do throws(GuestMemoryError) {
            try memory.write(
                UnsafeRawBufferPointer(rebasing: bytes[(size - count)...]), at: BoardLayout.highMemory - UInt64(count))
        } catch {
            throw .payload(path: path, reason: "a BIOS needs the first MiB of memory")
        }
        return result
    }

    /// What the firmware is told of the machine, by name.
    func files(for configuration: MachineConfiguration) throws(MachineError) -> [FirmwareConfiguration.File] {
        var map = LittleEndianMap()
        for range in BoardLayout.ramRanges(bytes: configuration.memoryBytes) {
            map.append(range.start, range.size, kind: E820Map.Kind.ram.rawValue)
        }
        map.append(BoardLayout.kvmReserved.start, BoardLayout.kvmReserved.size, kind: E820Map.Kind.reserved.rawValue)
        var files = [
            FirmwareConfiguration.File("etc/e820", map.bytes),
            // SeaBIOS then writes to the serial port what it writes to the screen.
            FirmwareConfiguration.File(
                "etc/sercon-port",
                [UInt8(truncatingIfNeeded: BoardLayout.serialPort), UInt8(BoardLayout.serialPort >> 8)]),
            // Nobody is asked for a key.
            FirmwareConfiguration.File("etc/show-boot-menu", [0, 0]),
        ]
        if let videoBIOS {
            files.append(FirmwareConfiguration.File("vgaroms/video.bin", Array(videoBIOS.bytes)))
        }
        do throws(ACPIError) {
            for file in try ACPIFiles(ACPIConfiguration(configuration)).files {
                files.append(FirmwareConfiguration.File(file.name, file.bytes))
            }
        } catch {
            throw .payload(path: path, reason: error.description)
        }
        return files
    }
}

/// The memory map as firmware reads it from a file: start, size and kind, 20 bytes an entry.
private struct LittleEndianMap {
    private(set) var bytes: [UInt8] = []

    mutating func append(_ start: UInt64, _ size: UInt64, kind: UInt32) {
        for value in [start, size] {
            for shift in stride(from: 0, to: 64, by: 8) {
                bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(shift)))
            }
        }
        for shift in stride(from: 0, to: 32, by: 8) { bytes.append(UInt8(truncatingIfNeeded: kind >> UInt32(shift))) }
    }
}
