import Architecture

/// The machine's own interrupt controller: its UART and virtio devices interrupt one hart.
enum HostPLIC {
    /// Lets the devices that are used interrupt a hart in S-mode.
    static func start(_ hypervisor: Hypervisor, hart: Int) {
        let platform = hypervisor.platform
        guard let plic = platform.plic,
            let context = plic.contexts.first(where: { $0.hart == UInt64(hart) })?.context
        else { return }
        for source in hypervisor.devices.sources + [platform.uart?.source ?? 0] where source > 0 {
            volatile_store_32(plic.address + 4 * UInt64(source), 1)
            let word = plic.address + 0x2000 + 0x80 * context + 4 * UInt64(source / 32)
            volatile_store_32(word, volatile_load_32(word) | 1 << (source % 32))
        }
        volatile_store_32(plic.address + 0x20_0000 + 0x1000 * context, 0)
        Console.enableInterrupt()
    }

    /// Handles what is pending.
    static func handle(_ hypervisor: Hypervisor, hart: Int) {
        guard let plic = hypervisor.platform.plic,
            let context = plic.contexts.first(where: { $0.hart == UInt64(hart) })?.context
        else { return }
        let claim = plic.address + 0x20_0000 + 0x1000 * context + 4
        while true {
            let source = volatile_load_32(claim)
            guard source != 0 else { return }
            if source == hypervisor.platform.uart?.source {
                hypervisor.readConsole()
            } else {
                hypervisor.devices.handleInterrupt(source)
                // A guest that has ended may have waited for just this.
                for guest in hypervisor.guests {
                    guest.freeMemory()
                    hypervisor.finishRestart(of: guest)
                }
            }
            volatile_store_32(claim, source)
        }
    }
}
