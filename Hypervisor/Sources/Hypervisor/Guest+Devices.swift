import Devices
import RISCV
import Virtio

extension GuestLayout {
    /// The first of the slots for virtio devices, which follow one another, and the interrupt source of the first one.
    static let virtio: UInt64 = 0x1000_1000
    static let virtioSource = 1
    static let virtioSlots = 8

    /// Where a slot's registers are.
    static func virtioAddress(_ slot: Int) -> UInt64 { virtio + UInt64(slot) * MMIOTransport.size }
}

extension Guest {
    /// Puts a device into the next slot; there are as many as the manifest allows disks, and two more.
    func add(_ device: any VirtioDevice) {
        let line = GuestInterrupt(guest: self, source: GuestLayout.virtioSource + virtio.count)
        virtio.append(MMIOTransport(device: device, memory: memory, interrupt: line))
    }

    /// The virtio device at a guest-physical address.
    func virtioDevice(at address: UInt64) -> MMIOTransport? {
        guard address >= GuestLayout.virtio else { return nil }
        let slot = (address - GuestLayout.virtio) / MMIOTransport.size
        return slot < UInt64(virtio.count) ? virtio[Int(slot)] : nil
    }
}

extension Guest: Board {
    /// Ends it, or starts it anew.
    func request(_ request: BoardRequest) {
        switch request {
        case .reset, .processorReset: hypervisor.restart(self)
        case .powerOff: hypervisor.end(self, .poweredOff)
        case .exit(let status): hypervisor.end(self, .failed(status: status))
        }
    }
}

/// The wire to an input of a guest's PLIC: of the one that it has now, as a reboot brings another.
private final class GuestInterrupt: InterruptLine {
    private let guest: Guest
    private let source: Int

    init(guest: Guest, source: Int) {
        self.guest = guest
        self.source = source
    }

    func raise() { guest.plic.setLevel(true, source: source) }
    func lower() { guest.plic.setLevel(false, source: source) }
}
