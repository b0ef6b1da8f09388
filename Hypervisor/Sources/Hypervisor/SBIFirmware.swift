import Architecture
import RISCV

/// What the firmware does for the hypervisor, by SBI.
enum SBIFirmware {
    private static func call(
        _ known: SBIExtension, _ function: UInt64, _ a0: UInt64 = 0, _ a1: UInt64 = 0, _ a2: UInt64 = 0,
        _ a3: UInt64 = 0, _ a4: UInt64 = 0
    ) -> sbi_result {
        sbi_call(known.rawValue, function, a0, a1, a2, a3, a4)
    }

    /// Whether it has an extension.
    static func has(_ known: SBIExtension) -> Bool { call(.base, 3, known.rawValue).value != 0 }

    /// Ends the machine, and QEMU with this status.
    static func shutDown(status: UInt8) -> Never {
        if status != 0 { Finisher.fail(status) }
        _ = call(.systemReset, 0, 0, status != 0 ? 1 : 0)
        _ = call(.legacyShutdown, 0)
        while true { wait_for_interrupt() }
    }

    /// Sets this hart's timer, where it has no stimecmp.
    static func setTimer(_ deadline: UInt64) { _ = call(.timer, 0, deadline) }

    /// Interrupts harts.
    static func sendInterrupt(mask: UInt64) { _ = call(.interProcessorInterrupt, 0, mask, 0) }

    /// Starts a hart at `secondary_entry`.
    static func startHart(_ id: UInt64, address: UInt64, argument: UInt64) -> Bool {
        call(.hartStateManagement, 0, id, address, argument).error == 0
    }

    /// What a guest asks of other harts, for the VMID in this hart's hgatp. Comes back when they have done it.
    static func fence(_ fence: SBIFence, mask: UInt64) {
        switch fence {
        case .instructions: fenceInstructions(mask: mask)
        case .virtualAddresses(let start, let size, let asid):
            fenceVirtualAddresses(mask: mask, start: start, size: size, asid: asid)
        }
    }

    /// FENCE.I on harts.
    private static func fenceInstructions(mask: UInt64) { _ = call(.remoteFence, 0, mask, 0) }

    /// HFENCE.VVMA on harts, for the VMID in this hart's hgatp.
    private static func fenceVirtualAddresses(mask: UInt64, start: UInt64, size: UInt64, asid: UInt64?) {
        if let asid {
            _ = call(.remoteFence, 5, mask, 0, start, size, asid)
        } else {
            _ = call(.remoteFence, 6, mask, 0, start, size)
        }
    }
}
