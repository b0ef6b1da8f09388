import Architecture

/// The machine's own interrupt controller, of which the hypervisor uses one source: its UART.
enum HostPLIC {
    /// Lets the UART interrupt a hart in S-mode.
    static func start(_ platform: Platform, hart: Int) {
        guard let plic = platform.plic, let uart = platform.uart, uart.source > 0,
            let context = plic.contexts.first(where: { $0.hart == UInt64(hart) })?.context
        else { return }
        volatile_store_32(plic.address + 4 * UInt64(uart.source), 1)
        volatile_store_32(
            plic.address + 0x2000 + 0x80 * context + 4 * UInt64(uart.source / 32), 1 << (uart.source % 32))
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
            if source == hypervisor.platform.uart?.source { hypervisor.readConsole() }
            volatile_store_32(claim, source)
        }
    }
}
