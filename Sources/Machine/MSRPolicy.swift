/// What a guest meets at model-specific registers that KVM does not know.
///
/// Guests write some of them without asking CPUID first, and would die of the #GP that an unknown register
/// raises. Those read as 0 and swallow writes, as under QEMU. All others raise #GP, as on hardware that lacks
/// them: a guest that probes for one must see that it is not there.
enum MSRPolicy {
    /// Whether the register reads as 0 and swallows writes.
    static func isHarmless(_ index: UInt32) -> Bool {
        switch index {
        // AMD: performance counters of the first generation and their events (BKDG; PPR "MSRC001_000x").
        case 0xC001_0000...0xC001_0007: true
        // AMD: SYSCFG, IORR, TOP_MEM, TOP_MEM2 (APM volume 2, 7.9).
        case 0xC001_0010, 0xC001_0016...0xC001_001A, 0xC001_001D: true
        // AMD: HWCR, NB_CFG, patch level and loader, interrupt-pending message, MMIO configuration base.
        case 0xC001_0015, 0xC001_001F, 0xC001_0020, 0xC001_0055, 0xC001_0058: true
        // AMD: machine-check address masks, LS, IC, DC, BU and DE configuration.
        case 0xC001_0044...0xC001_004A, 0xC001_1020...0xC001_1023, 0xC001_1029...0xC001_102A: true
        // Intel: platform id, microcode update trigger and signature, MISC_ENABLE's companions, energy bias.
        case 0x17, 0x79, 0x8B, 0x1B0, 0x122: true
        // Intel: RAPL power units and energy counters.
        case 0x606, 0x611, 0x619, 0x639, 0x641: true
        default: false
        }
    }
}
