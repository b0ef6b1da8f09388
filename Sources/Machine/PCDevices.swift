internal import Devices
internal import Firmware
internal import GuestMemory

/// What a PC has besides the devices that every board has.
struct PCDevices {
    let screen: Screen
    /// The data ports of the channels that have disks.
    let dataPorts: [DiskWriteGathering.Port]

    /// Puts them at their ports and addresses.
    /// - Parameters:
    ///   - disks: what the drives keep their sectors in, in the order of the configuration.
    ///   - memory: holds the screen's characters.
    init(ports: inout Bus, disks: [any BlockStore], kernel: KernelObjects, memory: GuestMemory) {
        var dataPorts: [DiskWriteGathering.Port] = []
        for (number, channel) in BoardLayout.ataChannels.enumerated() {
            func disk(_ drive: Int) -> (any BlockStore)? {
                let position = 2 * number + drive
                return position < disks.count ? disks[position] : nil
            }
            let controller = ATAChannel(
                first: disk(0), second: disk(1), number: number,
                interrupt: kernel.interruptLine(gsi: UInt32(channel.interrupt)))
            let slot = BusSlot(controller)
            ports.attach(slot, at: UInt64(channel.commandBlock), count: 8)
            ports.attach(
                slot, at: UInt64(channel.controlBlock), count: 1, firstOffset: ATAChannel.controlOffset)
            if disk(0) != nil || disk(1) != nil {
                dataPorts.append(
                    DiskWriteGathering.Port(
                        slot: slot, address: UInt64(channel.commandBlock), channel: controller))
            }
        }
        self.dataPorts = dataPorts
        // CONFIG_ADDRESS answers to accesses of four bytes only, so that 0xCF9 is free for another register.
        let pci = BusSlot(PCIConfigurationPorts(PCIFunction.piix3Board()))
        ports.attach(pci, at: UInt64(BoardLayout.pciConfiguration), count: 1)
        ports.attach(
            pci, at: UInt64(BoardLayout.pciConfiguration) + PCIConfigurationPorts.dataOffset, count: 4,
            firstOffset: PCIConfigurationPorts.dataOffset)
        let vga = VGAText()
        let vgaSlot = BusSlot(vga)
        ports.attach(vgaSlot, at: UInt64(BoardLayout.vga), count: VGAText.portCount)
        screen = Screen(vga, slot: vgaSlot, memory: memory)
    }
}
