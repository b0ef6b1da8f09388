public import Devices
internal import GuestMemory

/// The board's screen as the host sees it, from any thread.
public final class Screen: @unchecked Sendable {
    // Unchecked: the device is only touched under its slot's lock.
    private let vga: VGAText
    private let slot: BusSlot
    private let memory: GuestMemory

    /// What there is to be seen.
    public enum Picture: Equatable, Sendable {
        /// Characters.
        case text(TextScreen)
        /// Points, which nothing here draws.
        case graphics(VGAText.GraphicsMode)
    }

    /// Where a VGA's text memory lies in color modes.
    private static let textMemory: UInt64 = 0xB8000

    init(_ vga: VGAText, slot: BusSlot, memory: GuestMemory) {
        self.vga = vga
        self.slot = slot
        self.memory = memory
    }

    /// What it shows now. A guest that is drawing meanwhile is seen drawing.
    public func look() -> Picture {
        let state = slot.withLock { vga.state }
        if let mode = state.graphicsMode { return .graphics(mode) }
        let bytes = try? memory.readBytes(at: Self.textMemory, count: TextScreen.memorySize)
        return .text(TextScreen(state, memory: bytes ?? []))
    }
}
