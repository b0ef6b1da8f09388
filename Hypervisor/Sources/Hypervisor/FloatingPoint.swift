import Architecture
import RISCV

/// The exceptions that go to the guest itself: hedeleg (privileged specification, "Hypervisor Trap Delegation
/// Registers").
enum Delegation {
    /// What the guest's own kernel handles, without the hypervisor: it asked for them or made them. 0 misaligned fetch,
    /// 1 fetch access fault, 2 illegal instruction, 3 breakpoint, 4 to 7 misaligned and access faults of loads and
    /// stores, 8 the system calls of its programs, 12, 13, 15 the faults of its own page tables.
    ///
    /// Not: 10, its SBI calls; 20, 21, 23, the faults of the second stage; 22, what only looks like its right.
    static let exceptions: UInt64 = 0xB1FF
    static let illegalInstruction: UInt64 = 1 << 2
}

/// The F and D registers of virtual harts, restored when they are first used on a hart.
///
/// The hypervisor is compiled for no such registers, so a hart's keep the values of the virtual hart that used them
/// last. Another that comes finds sstatus.FS off: its first F or D instruction is an illegal one, and those are not
/// delegated meanwhile. Most virtual harts come and go without having any.
enum FloatingPoint {
    /// Before a virtual hart runs on a hart that another ran on.
    static func prepare(_ cpu: VirtualCPU, hart: Int) {
        let isHere = cpu.floatingPointHart == hart
        unsafe cpu.state.pointee.sstatus &= ~StatusBits.fsDirty
        if isHere { unsafe cpu.state.pointee.sstatus |= StatusBits.fsClean }
        write_hedeleg(isHere ? Delegation.exceptions : Delegation.exceptions & ~Delegation.illegalInstruction)
    }

    /// After an illegal instruction: restores the registers when they may be what it was about.
    /// - Returns: whether the instruction is to be tried again.
    static func restore(_ cpu: VirtualCPU, hart: Int, hypervisor: Hypervisor) -> Bool {
        // vsstatus.FS is the guest's own: where it is off, the instruction is illegal for the guest as well.
        guard cpu.floatingPointHart != hart, read_vsstatus() & StatusBits.fsDirty != 0 else { return false }
        for other in hypervisor.cpus where other.floatingPointHart == hart { other.floatingPointHart = nil }
        cpu.floatingPointHart = hart
        set_sstatus(StatusBits.fsDirty)
        unsafe restore_floating_point(cpu.state)
        unsafe cpu.state.pointee.sstatus = cpu.state.pointee.sstatus & ~StatusBits.fsDirty | StatusBits.fsClean
        write_hedeleg(Delegation.exceptions)
        return true
    }

    /// After a virtual hart has run: keeps what it has changed.
    static func save(_ cpu: VirtualCPU) {
        guard unsafe cpu.state.pointee.sstatus & StatusBits.fsDirty == StatusBits.fsDirty else { return }
        set_sstatus(StatusBits.fsDirty)
        unsafe save_floating_point(cpu.state)
        unsafe cpu.state.pointee.sstatus = cpu.state.pointee.sstatus & ~StatusBits.fsDirty | StatusBits.fsClean
    }
}
