public import Devices
internal import GuestMemory

/// The board's screen as the host sees it, from any thread.
public final class Screen: @unchecked Sendable {
    // Unchecked: the device is only touched under its slot's lock.
    private let vga: VGAText
    private let slot: BusSlot
    private let memory: GuestMemory

    /// Where a VGA's text memory lies in color modes.
    private static let textMemory: UInt64 = 0xB8000

    init(_ vga: VGAText, slot: BusSlot, memory: GuestMemory) {
        self.vga = vga
        self.slot = slot
        self.memory = memory
    }

    /// What it shows now. A guest that is drawing meanwhile is seen drawing.
    public func look() -> TextScreen {
        let state = slot.withLock { vga.state }
        let bytes = try? memory.readBytes(at: Self.textMemory, count: TextScreen.memorySize)
        return TextScreen(state, memory: bytes ?? [])
    }
}
