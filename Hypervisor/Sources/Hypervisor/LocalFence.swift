import Architecture
import RISCV

/// Fences of this hart, for the guest in its hgatp.
enum LocalFence {
    /// Above so many pages all is forgotten at once.
    private static let pageLimit: UInt64 = 64

    /// Does here what a guest asks of its own hart.
    static func perform(_ fence: SBIFence) {
        switch fence {
        case .instructions: fence_i()
        case .virtualAddresses(let start, let size, let asid):
            // Start and size 0, and all ones, mean everything (SBI specification, "RFENCE Extension").
            let pages = size >> 12 &+ 1
            if size == 0 || pages > pageLimit {
                if let asid { hfence_vvma_asid(asid) } else { hfence_vvma_all() }
                return
            }
            for page in 0...pages {
                let address = start &+ page * pageSize
                if let asid { hfence_vvma_address_asid(address, asid) } else { hfence_vvma_address(address) }
            }
        }
    }
}
