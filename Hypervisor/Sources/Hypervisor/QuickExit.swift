import Architecture
import RISCV

/// The traps of a guest that concern nothing but the virtual hart's own registers: they need no lock, and the guest goes
/// on at once, with the hypervisor's timer and the pending interrupts as they were.
enum QuickExit {
    /// Handles the trap that `enter_guest` came back with.
    /// - Returns: false when it is none of these.
    @inline(__always)
    static func handle(_ cpu: VirtualCPU) -> Bool {
        let state = unsafe cpu.state
        guard unsafe state.pointee.scause == TrapCause.environmentCallFromVSMode.rawValue,
            unsafe state.pointee.x.17 == SBIExtension.base.rawValue
        else { return false }
        cpu.exits.otherSBI += 1
        switch SBIDispatcher.base(function: unsafe state.pointee.x.16, argument: unsafe state.pointee.x.10) {
        case .some(let value):
            unsafe state.pointee.x.10 = 0
            unsafe state.pointee.x.11 = value
        case nil:
            unsafe state.pointee.x.10 = UInt64(bitPattern: SBIError.notSupported.rawValue)
            unsafe state.pointee.x.11 = 0
        }
        // ECALL has no compressed form.
        unsafe state.pointee.pc += 4
        return true
    }
}
