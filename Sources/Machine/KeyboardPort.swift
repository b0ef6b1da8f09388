public import Devices

/// The board's keyboard as the host sees it: keys to press, from any thread.
public final class KeyboardPort: @unchecked Sendable {
    // Unchecked: the devices are only touched under their slot's lock.
    private let keyboard: PS2Keyboard
    private let controller: KeyboardController
    private let slot: BusSlot

    init(_ keyboard: PS2Keyboard, controller: KeyboardController, slot: BusSlot) {
        self.keyboard = keyboard
        self.controller = controller
        self.slot = slot
    }

    /// Types a character: the keys go down in order and up in the reverse order.
    /// - Returns: whether the keyboard took it. If not, the guest has not fetched what was typed before; see `onRoom`.
    public func type(_ stroke: KeyStroke) -> Bool {
        slot.withLock {
            guard keyboard.isReady else { return false }
            for key in stroke.keys { keyboard.press(key) }
            for key in stroke.keys.reversed() { keyboard.release(key) }
            controller.poll()
            return true
        }
    }

    /// Whether the keyboard has nothing more to send and would take a stroke.
    public var isReady: Bool { slot.withLock { keyboard.isReady } }

    /// Whether the guest has not read something that it could read.
    public var hasUnread: Bool { slot.withLock { controller.holdsByte } }

    /// Interrupts once more for what the guest has not read: `KeyboardController.repeatInterrupt`.
    public func repeatInterrupt() {
        slot.withLock { controller.repeatInterrupt() }
    }

    /// Who is told when the keyboard takes keys again. Set it before the machine starts.
    public func onRoom(_ body: @escaping @Sendable () -> Void) {
        slot.withLock { keyboard.source = RoomNotice(body) }
    }
}
