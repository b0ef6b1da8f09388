internal import Devices

/// The board's serial port as the host sees it: a place to put input, from any thread.
public final class SerialPort: @unchecked Sendable {
    // Unchecked: the device is only touched under its slot's lock.
    private let device: UART16550
    private let slot: BusSlot

    init(_ device: UART16550, slot: BusSlot) {
        self.device = device
        self.slot = slot
    }

    /// Whether a guest that listens may still be starting its driver, which then empties the receiver.
    public var mayBeStarting: Bool { slot.withLock { device.mayBeStarting } }

    /// How many characters the guest's receiver takes now.
    public var receiveCapacity: Int { slot.withLock { device.receiveCapacity } }

    /// How often the guest has begun to wait for characters: `UART16550.listeningBeginnings`.
    public var listeningBeginnings: Int { slot.withLock { device.listeningBeginnings } }

    /// Offers characters to the guest.
    /// - Returns: how many it took, from the first on.
    public func receive(_ bytes: [UInt8]) -> Int {
        slot.withLock { device.receive(bytes.span) }
    }

    /// Sends a break.
    public func sendBreak() {
        slot.withLock { _ = device.receiveBreak() }
    }

    /// Who is told when the receiver takes characters again. Set it before the machine starts.
    public func onRoom(_ body: @escaping @Sendable () -> Void) {
        slot.withLock { device.source = RoomNotice(body) }
    }
}

/// Tells a closure of room in a receiver.
final class RoomNotice: CharacterSource {
    private let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    func receiverHasRoom() { body() }
}
