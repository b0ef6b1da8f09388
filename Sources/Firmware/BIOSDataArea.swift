public import GuestMemory

/// The words of the BIOS data area that are read by guests which call no BIOS: they look for tables in the extended
/// BIOS data area and at the end of base memory, and go astray where these words are 0.
public enum BIOSDataArea {
    /// Writes where the extended BIOS data area is, the size of base memory, and how many hard disks there are.
    public static func write(hardDisks: Int, to memory: GuestMemory) throws(GuestMemoryError) {
        let area = BoardLayout.extendedBIOSData
        try memory.write(
            UInt16(truncatingIfNeeded: area.start >> 4), at: BoardLayout.extendedBIOSDataSegmentPointer)
        try memory.write(UInt16(truncatingIfNeeded: area.start >> 10), at: BoardLayout.baseMemorySizePointer)
        try memory.write(UInt8(clamping: hardDisks), at: BoardLayout.hardDiskCountPointer)
        // The extended area's first byte is its own size in KiB.
        try memory.write(UInt8(truncatingIfNeeded: area.size >> 10), at: area.start)
    }
}
