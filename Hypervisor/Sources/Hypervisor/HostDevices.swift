import RISCV
import Virtio

/// The virtio devices of the machine that guests are given a part in.
final class HostDevices {
    /// Disks, in the order of their registers' addresses: the manifest's host:0, host:1 …
    private(set) var disks: [HostDisk] = []
    /// The source of entropy, if there is one.
    private(set) var entropy: HostEntropy?
    /// Who handles an interrupt source.
    private var diskSources: [(source: UInt32, disk: HostDisk)] = []
    private var entropySource: UInt32 = 0

    /// The sources of interrupts that are used.
    var sources: [UInt32] { diskSources.map { $0.source } + (entropySource == 0 ? [] : [entropySource]) }

    /// Sets up what there is; what cannot be used is told of.
    init(_ platform: Platform, pages: PageAllocator) {
        for slot in platform.virtio.sorted(by: { $0.address < $1.address }) {
            let device = HostVirtio(address: slot.address)
            switch device.presence {
            case .nothing: break
            case .legacy:
                Console.line(
                    "hypervisor: the virtio device at 0x\(hexadecimal(slot.address, digits: 8)) has the legacy interface only and is not used; QEMU's option for the other is -global virtio-mmio.force-legacy=false"
                )
            case .device(2):
                guard let disk = HostDisk(device, pages: pages) else {
                    Console.line(
                        "hypervisor: the disk at 0x\(hexadecimal(slot.address, digits: 8)) cannot be used")
                    continue
                }
                disks.append(disk)
                diskSources.append((slot.source, disk))
            case .device(4) where entropy == nil:
                entropy = HostEntropy(device, pages: pages)
                if entropy != nil { entropySource = slot.source }
            case .device: break
            }
        }
    }

    /// An interrupt of the machine's.
    func handleInterrupt(_ source: UInt32) {
        for (own, disk) in diskSources where own == source { disk.handleInterrupt() }
        if source == entropySource { entropy?.handleInterrupt() }
    }
}
