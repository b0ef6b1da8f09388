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
        let line = PLICSource(plic: plic, source: GuestLayout.virtioSource + virtio.count)
        virtio.append(MMIOTransport(device: device, memory: memory, interrupt: line))
    }

    /// The virtio device at a guest-physical address.
    func virtioDevice(at address: UInt64) -> MMIOTransport? {
        guard address >= GuestLayout.virtio else { return nil }
        let slot = (address - GuestLayout.virtio) / MMIOTransport.size
        return slot < UInt64(virtio.count) ? virtio[Int(slot)] : nil
    }
}
