import Devices

/// The register by which a program in a guest ends it with a status, as QEMU's board has it for the machine's
/// ("sifive,test0"; QEMU, hw/misc/sifive_test.c): the lower half of what is written says what is to happen, the upper half
/// is the status of a failure.
final class GuestFinisher: Device {
    private let guest: Guest

    init(guest: Guest) { self.guest = guest }

    func read(offset: UInt64, width: AccessWidth) -> UInt64 { 0 }

    func write(_ value: UInt64, offset: UInt64, width: AccessWidth) {
        guard offset == 0, width >= 2 else { return }
        switch value & 0xFFFF {
        case 0x3333:
            guest.hypervisor.end(guest, .failed(status: width >= 4 ? UInt16(truncatingIfNeeded: value >> 16) : 0))
        case 0x5555: guest.hypervisor.end(guest, .poweredOff)
        case 0x7777: guest.hypervisor.restart(guest)
        default: break
        }
    }
}
