internal import Firmware
internal import GuestMemory

/// The PVH boot protocol's structures in guest memory (Xen's public/arch-x86/hvm/start_info.h, version 1).
enum PVH {
    private static let magic: UInt32 = 0x336E_C578
    private static let version: UInt32 = 1

    /// Writes `hvm_start_info`, the module list and the memory map. The command line must be in place.
    static func writeStartInfo(
        _ parameters: BootParameters, initrd: AddressRange?, to memory: GuestMemory
    ) throws(BootParametersError) {
        let lines = parameters.memoryMap.entries
        if lines.count > BoardLayout.pvhMemoryMapEntries {
            throw .memoryMapTooLong(count: lines.count, maximum: BoardLayout.pvhMemoryMapEntries)
        }
        var info = LittleEndianBytes()
        info.append(magic)
        info.append(version)
        info.append(0 as UInt32)  // flags
        info.append((initrd == nil ? 0 : 1) as UInt32)
        info.append(initrd == nil ? 0 : BoardLayout.pvhModuleList)
        info.append(BoardLayout.commandLine)
        info.append(parameters.acpiRootPointer ?? 0)
        info.append(BoardLayout.pvhMemoryMap)
        info.append(UInt32(lines.count))
        info.append(0 as UInt32)  // reserved
        try writeTable(info.bytes, at: BoardLayout.pvhStartInfo, to: memory)

        if let initrd {
            var module = LittleEndianBytes()
            module.append(initrd.start)
            module.append(initrd.size)
            module.append(0 as UInt64)  // no command line of its own
            module.append(0 as UInt64)  // reserved
            try writeTable(module.bytes, at: BoardLayout.pvhModuleList, to: memory)
        }

        var map = LittleEndianBytes()
        for line in lines {
            map.append(line.range.start)
            map.append(line.range.size)
            map.append(line.kind.rawValue)
            map.append(0 as UInt32)  // reserved
        }
        try writeTable(map.bytes, at: BoardLayout.pvhMemoryMap, to: memory)
    }
}
