import Architecture
import Devices
import RISCV
import Virtio

/// What is done about one trap of a guest.
struct ExitHandler {
    let hypervisor: Hypervisor
    let cpu: VirtualCPU

    /// ECALL and the other instructions that are emulated without being looked at take four bytes.
    private static let instructionSize: UInt64 = 4
    private static let waitForInterrupt: UInt64 = 0x1050_0073

    func handle() {
        let state = unsafe cpu.state.pointee
        switch TrapCause(rawValue: state.scause) {
        case .environmentCallFromVSMode:
            cpu.exits.count(sbi: cpu[17])
            handleSBI()
        case .loadGuestPageFault, .storeGuestPageFault:
            cpu.exits.device += 1
            handleDevice(state)
        case .virtualInstruction:
            handleVirtualInstruction(state)
        case .instructionGuestPageFault where cpu.guest.takesFaults:
            cpu.exits.other += 1
            inject(.instructionAccessFault, state)
        case .illegalInstruction:
            if FloatingPoint.restore(cpu, hart: Int(current_hart_id()), hypervisor: hypervisor) {
                cpu.exits.floatingPoint += 1
            } else {
                cpu.exits.other += 1
                inject(.illegalInstruction, state)
            }
        case .supervisorTimerInterrupt: cpu.exits.timer += 1
        case .supervisorSoftwareInterrupt: cpu.exits.software += 1
        case .supervisorExternalInterrupt: cpu.exits.external += 1
        default:
            cpu.exits.other += 1
            die(state)
        }
    }

    private func die(_ state: vcpu_state) {
        GuestReport.print(cpu, state)
        hypervisor.end(cpu.guest, .failed())
    }

    // MARK: SBI

    private func handleSBI() {
        let call = SBICall(
            extensionID: cpu[17], function: cpu[16],
            arguments: SBICall.InlineArguments(cpu[10], cpu[11], cpu[12], cpu[13], cpu[14]))
        cpu.pc += Self.instructionSize
        switch SBIDispatcher.handle(call, hart: cpu.id, machine: cpu.guest) {
        case .standard(let error, let value):
            cpu[10] = UInt64(bitPattern: error)
            cpu[11] = value
        case .legacy(let value): cpu[10] = value
        case .none: break
        }
    }

    // MARK: Devices

    private func handleDevice(_ state: vcpu_state) {
        // htval has the guest-physical address without its two lowest bits, which are those of the virtual one.
        let address = state.htval << 2 | state.stval & 3
        guard !isPageTableWalk(state.htinst),
            let instruction = LoadStoreInstruction(htinst: state.htinst) ?? fetchInstruction(state),
            let (device, offset) = cpu.guest.device(at: address, width: instruction.width),
            instruction.isStore == (state.scause == TrapCause.storeGuestPageFault.rawValue)
        else {
            if cpu.guest.takesFaults {
                let isStore = state.scause == TrapCause.storeGuestPageFault.rawValue
                inject(isStore ? .storeAccessFault : .loadAccessFault, state)
            } else {
                die(state)
            }
            return
        }
        if instruction.isStore {
            device.write(instruction.stored(cpu[instruction.register]), offset: offset, width: instruction.width)
            // The same store again does what is left, in the guest's own time, and others come between.
            if cpu.guest.virtioDevice(at: address)?.hasUnfinishedWork == true { return }
        } else {
            cpu[instruction.register] = instruction.extended(device.read(offset: offset, width: instruction.width))
        }
        cpu.pc += UInt64(instruction.length)
        cpu.guest.feed()
    }

    /// The instruction in the guest's memory, in two halves: the second may be on another page, or not be there.
    private func fetchInstruction(_ state: vcpu_state) -> LoadStoreInstruction? {
        let low = read_guest_instruction_half(state.pc)
        guard low >= 0 else { return nil }
        var instruction = UInt32(truncatingIfNeeded: low)
        if instruction & 3 == 3 {
            let high = read_guest_instruction_half(state.pc &+ 2)
            guard high >= 0 else { return nil }
            instruction |= UInt32(truncatingIfNeeded: high) << 16
        }
        return LoadStoreInstruction(instruction)
    }

    // MARK: Instructions

    private func handleVirtualInstruction(_ state: vcpu_state) {
        if state.stval == Self.waitForInterrupt {
            cpu.exits.waits += 1
            cpu.pc += Self.instructionSize
            suspend()
        } else {
            cpu.exits.other += 1
            inject(.illegalInstruction, state)
        }
    }

    /// Waits for an interrupt, unless one is pending that is enabled.
    func suspend() {
        unsafe cpu.state.pointee.vsie = read_vsie()
        if hypervisor.hasSstc { unsafe cpu.state.pointee.vstimecmp = read_vstimecmp() }
        let now = read_time() &+ cpu.guest.timeDelta
        cpu.isSuspended = false
        if !cpu.hasInterrupt(guestTime: now, hasSstc: hypervisor.hasSstc) { cpu.runState = .waiting }
    }

    /// Whether the access was one of the guest's own page-table walk, by the pseudoinstructions of htinst: there is no
    /// instruction to emulate then (privileged specification, "Transformed Instruction or Pseudoinstruction for mtinst or
    /// htinst").
    private func isPageTableWalk(_ htinst: UInt64) -> Bool {
        htinst == 0x2000 || htinst == 0x2020 || htinst == 0x3000 || htinst == 0x3020
    }

    /// Gives the guest an exception, as a hart without a hypervisor extension, as it has, would take it (privileged
    /// specification, "Trap Entry"): what only HS-mode may is an illegal instruction there, and where nothing is, an
    /// access fault.
    private func inject(_ cause: TrapCause, _ state: vcpu_state) {
        var status = read_vsstatus()
        status &= ~(StatusBits.spp | StatusBits.spie)
        if state.sstatus & StatusBits.spp != 0 { status |= StatusBits.spp }
        if status & StatusBits.sie != 0 { status |= StatusBits.spie }
        write_vsstatus(status & ~StatusBits.sie)
        write_vscause(cause.rawValue)
        write_vsepc(state.pc)
        write_vstval(state.stval)
        unsafe cpu.state.pointee.sstatus |= StatusBits.spp
        unsafe cpu.state.pointee.hstatus |= HypervisorStatusBits.spvp
        cpu.pc = read_vstvec() & ~3
    }
}
