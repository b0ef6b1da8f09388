import Architecture
import RISCV

/// The traps of a guest that are done with without the lock, after which the guest goes on at once, with the hypervisor's
/// timer as it was: calls that concern nothing but the virtual hart's own registers, and what virtual harts that run say
/// to each other. Where a machine has more harts than its host has processors, a hart that waits for a lock may wait for
/// one that is not even running.
struct QuickExit {
    let hypervisor: Hypervisor
    let cpu: VirtualCPU
    let hart: Int
    /// No other virtual hart is at home here, so a call of this hart can be about this one alone.
    let isAlone: Bool

    /// Handles the trap that `enter_guest` came back with.
    /// - Returns: false when it is none of these; then nothing has been done.
    @inline(__always)
    func handle() -> Bool {
        let state = unsafe cpu.state
        let cause = unsafe state.pointee.scause
        if cause == TrapCause.environmentCallFromVSMode.rawValue {
            if unsafe state.pointee.x.17 == SBIExtension.base.rawValue {
                callBase()
                return true
            }
            return callOthers()
        }
        return cause == TrapCause.supervisorSoftwareInterrupt.rawValue && takeInterrupt()
    }

    @inline(__always)
    private func callBase() {
        let state = unsafe cpu.state
        cpu.exits.otherSBI += 1
        if let value = unsafe SBIDispatcher.base(function: state.pointee.x.16, argument: state.pointee.x.10) {
            finish(error: 0, value: value)
        } else {
            finish(error: SBIError.notSupported.rawValue, value: 0)
        }
    }

    @inline(__always)
    private func finish(error: Int64, value: UInt64) {
        let state = unsafe cpu.state
        unsafe state.pointee.x.10 = UInt64(bitPattern: error)
        unsafe state.pointee.x.11 = value
        // ECALL has no compressed form.
        unsafe state.pointee.pc += 4
    }

    /// Another hart has called this one: the software interrupts it has sent go into hvip.
    @inline(never)
    private func takeInterrupt() -> Bool {
        guard isAlone, unsafe atomic_read(hypervisor.attention) >> UInt64(hart) & 1 == 0 else { return false }
        clear_sip(HostInterrupts.software)
        // Whoever asks for attention after this look calls again.
        guard unsafe atomic_read(hypervisor.attention) >> UInt64(hart) & 1 == 0 else {
            set_sip(HostInterrupts.software)
            return false
        }
        cpu.exits.software += 1
        set_hvip(cpu.takeArrived().rawValue)
        return true
    }

    /// Calls that are for other harts of the guest, where all of those run.
    @inline(never)
    private func callOthers() -> Bool {
        let isFence = cpu[17] == SBIExtension.remoteFence.rawValue
        guard isFence || cpu[17] == SBIExtension.interProcessorInterrupt.rawValue else { return false }
        let targets: SBIHartMask
        do throws(SBIError) {
            targets = try SBIHartMask(mask: cpu[10], base: cpu[11], hartCount: cpu.guest.cpus.count)
        } catch {
            return false
        }
        for target in cpu.guest.cpus where targets.contains(target.id) {
            guard target.runningOn != nil else { return false }
        }
        if isFence {
            guard let fence = SBIDispatcher.fence(function: cpu[16], arguments: arguments) else { return false }
            cpu.exits.remoteFence += 1
            self.fence(fence, targets)
        } else {
            guard cpu[16] == 0 else { return false }
            cpu.exits.sendInterrupt += 1
            sendInterrupt(targets)
        }
        finish(error: 0, value: 0)
        return true
    }

    private var arguments: SBICall.InlineArguments {
        SBICall.InlineArguments(cpu[10], cpu[11], cpu[12], cpu[13], cpu[14])
    }

    private func sendInterrupt(_ targets: SBIHartMask) {
        var mask: UInt64 = 0
        for target in cpu.guest.cpus where targets.contains(target.id) {
            target.sendSoftwareInterrupt()
            if target === cpu {
                set_hvip(target.takeArrived().rawValue)
            } else if let hart = target.runningOn {
                mask |= 1 << UInt64(hart)
            } else {
                // It has left its hart meanwhile.
                hypervisor.acquire()
                hypervisor.interruptsChanged(of: target)
                hypervisor.release()
            }
        }
        if mask != 0 { SBIFirmware.sendInterrupt(mask: mask) }
    }

    private func fence(_ fence: SBIFence, _ targets: SBIHartMask) {
        var mask: UInt64 = 0
        for target in cpu.guest.cpus where targets.contains(target.id) && target !== cpu {
            // One that has left its hart meanwhile may come back to the same: it must fence before that.
            if let hart = target.runningOn {
                mask |= 1 << UInt64(hart)
            } else {
                hypervisor.acquire()
                target.mustFence = true
                hypervisor.release()
                if let hart = target.runningOn { mask |= 1 << UInt64(hart) }
            }
        }
        if targets.contains(cpu.id) { LocalFence.perform(fence) }
        mask &= ~(1 << UInt64(hart))
        if mask != 0 { SBIFirmware.fence(fence, mask: mask) }
    }
}
