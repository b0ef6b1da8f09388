public import GuestMemory

/// The few bytes of firmware that this board has: what a CPU executes that jumps to where a PC's BIOS starts.
///
/// Linux restarts that way on a board with hardware-reduced ACPI: it takes it for one with EFI, finds no EFI, and
/// falls back on the BIOS, in real mode at F000:FFF0.
public enum ResetVector {
    /// Real-mode code that writes the reset control register, and halts should nothing come of it.
    static let code: [UInt8] =
        [
            0xBA, UInt8(BoardLayout.resetControl & 0xFF), UInt8(BoardLayout.resetControl >> 8),  // mov dx, 0xCF9
            0xB0, BoardLayout.resetValue,  // mov al, 6
            0xEE,  // out dx, al
            0xFA,  // cli
            0xF4,  // hlt
            0xEB, 0xFD,  // jmp to hlt
        ]

    /// Leaves the code at the end of the first megabyte.
    public static func write(to memory: GuestMemory) throws(GuestMemoryError) {
        try memory.write(code, at: BoardLayout.resetVector)
    }
}
