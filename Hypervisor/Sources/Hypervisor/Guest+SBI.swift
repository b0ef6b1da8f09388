import Architecture
import GuestMemory
import RISCV

extension Guest: SBIMachine {
    var hartCount: Int { cpus.count }

    func setTimer(_ deadline: UInt64, hart: Int) {
        if hypervisor.hasSstc {
            write_vstimecmp(deadline)
        } else {
            cpus[hart].timerDeadline = deadline
            cpus[hart].pending.remove(.timer)
        }
    }

    func sendInterrupt(to harts: SBIHartMask) {
        for cpu in cpus where harts.contains(cpu.id) && cpu.runState != .stopped {
            cpu.sendSoftwareInterrupt()
            hypervisor.interruptsChanged(of: cpu)
        }
    }

    func clearInterrupt(hart: Int) -> Bool {
        cpus[hart].pending.formUnion(cpus[hart].takeArrived())
        return cpus[hart].pending.remove(.software) != nil
    }

    func fence(_ fence: SBIFence, harts: SBIHartMask) {
        // Of a virtual hart that runs, its hart forgets now. One that does not run does so before it runs again.
        var mask: UInt64 = 0
        for cpu in cpus where harts.contains(cpu.id) && cpu.runState != .stopped {
            if let hart = cpu.runningOn { mask |= 1 << UInt64(hart) } else { cpu.mustFence = true }
        }
        let own: UInt64 = 1 << current_hart_id()
        if mask & own != 0 { LocalFence.perform(fence) }
        mask &= ~own
        guard mask != 0 else { return }
        // The firmware waits for those harts. They must be able to go on meanwhile, or all would stand.
        hypervisor.release()
        SBIFirmware.fence(fence, mask: mask)
        hypervisor.acquire()
    }

    func state(ofHart hart: Int) -> SBIHartState {
        switch cpus[hart].runState {
        case .stopped: .stopped
        case .waiting where cpus[hart].isSuspended: .suspended
        case .runnable, .waiting: .started
        }
    }

    func startHart(_ hart: Int, address: UInt64, argument: UInt64) throws(SBIError) {
        guard cpus[hart].runState == .stopped else { throw .alreadyAvailable }
        guard address % 2 == 0, memory.contains(address, count: 2) else { throw .invalidAddress }
        cpus[hart].start(at: address, argument: argument)
        hypervisor.assignHome(to: cpus[hart])
        hypervisor.interruptsChanged(of: cpus[hart])
    }

    func stopHart(_ hart: Int) { cpus[hart].runState = .stopped }

    func suspendHart(_ hart: Int) {
        ExitHandler(hypervisor: hypervisor, cpu: cpus[hart]).suspend()
        cpus[hart].isSuspended = true
    }

    func reset(_ reset: SBIReset, failed: Bool) {
        switch reset {
        case .shutdown:
            if failed { Console.line("hypervisor: the guest has ended with a system failure: ", name) }
            hypervisor.end(self, failed ? .failed() : .poweredOff)
        case .reboot: hypervisor.restart(self)
        }
    }

    func consoleWrite(_ byte: UInt8) { hypervisor.consoles.write(byte, from: self) }

    func consoleRead() -> UInt8? { typed.isEmpty ? nil : typed.removeFirst() }

    func readMemory(at address: UInt64, count: Int) -> [UInt8]? {
        do throws(GuestMemoryError) {
            return try memory.readBytes(at: address, count: count)
        } catch {
            return nil
        }
    }

    func writeMemory(_ byte: UInt8, at address: UInt64) -> Bool {
        do throws(GuestMemoryError) {
            try memory.write(byte, at: address)
            return true
        } catch {
            return false
        }
    }
}
