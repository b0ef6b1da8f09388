import Architecture
import RISCV

/// The interrupts of HS-mode in sie and sip (privileged specification, "Supervisor Interrupt Registers").
enum HostInterrupts {
    static let software: UInt64 = 1 << 1
    static let timer: UInt64 = 1 << 5
    static let external: UInt64 = 1 << 9
}

/// What a hart of the machine does all the time: run virtual harts in turn.
struct HartLoop {
    let hypervisor: Hypervisor
    let hart: Int
    /// The virtual hart whose VS CSRs are in this hart's.
    private var loaded: VirtualCPU?
    /// For each guest, by its place in the list, the virtual hart of it that ran here last.
    private var lastOfGuest: [Int] = []
    /// Whether there are henvcfg and, as old as it, senvcfg.
    private let hasEnvironmentConfiguration = probe_henvcfg() == 1
    /// No other virtual hart is at home here.
    private var isAlone = false
    /// The place of the virtual hart that ran last.
    private var turn = 0
    /// How long a virtual hart runs while others wait, in parts of a second.
    private static let slicesPerSecond: UInt64 = 100

    init(hypervisor: Hypervisor, hart: Int) {
        self.hypervisor = hypervisor
        self.hart = hart
    }

    /// Never ends. The lock is held when it begins.
    mutating func run() -> Never {
        prepareHart()
        lastOfGuest = [Int](repeating: -1, count: hypervisor.guests.count)
        while true {
            if let cpu = nextCPU() {
                run(cpu)
            } else {
                idle()
            }
        }
    }

    /// The CSRs that are the same for every guest.
    private func prepareHart() {
        write_hedeleg(Delegation.exceptions)
        // The guest's three interrupts go to itself.
        write_hideleg(VirtualInterrupts.all.rawValue)
        // CY, TM, IR: a guest may read cycle, time and instret. time is moved by htimedelta.
        write_hcounteren(7)
        // STCE: the guest has a timer of its own. CBIE, CBCFE, CBZE: it may manage caches of its own memory.
        if hasEnvironmentConfiguration {
            write_henvcfg((hypervisor.hasSstc ? 1 << 63 : 0) | 1 << 7 | 1 << 6 | 1 << 4)
        }
        write_hvip(0)
        // What an earlier program of this hart may have left under the VMIDs that guests get.
        hfence_gvma_all()
        setTimer(UInt64.max)
        write_sie(HostInterrupts.software | HostInterrupts.timer | HostInterrupts.external)
    }

    private func setTimer(_ wanted: UInt64) {
        let deadline = min(wanted, hypervisor.endOfTime)
        if hypervisor.hasSstc { write_stimecmp(deadline) } else { SBIFirmware.setTimer(deadline) }
    }

    /// The next virtual hart in turn that can run: one that is at home here, or one whose home is busy.
    private mutating func nextCPU() -> VirtualCPU? {
        let count = hypervisor.cpus.count
        guard count > 0 else { return nil }
        let now = read_time()
        for foreign in [false, true] {
            for step in 1...count {
                let place = (turn + step) % count
                let cpu = hypervisor.cpus[place]
                guard (cpu.home != hart) == foreign, isRunnable(cpu, now: now) else { continue }
                if foreign, hypervisor.idleMask >> UInt64(cpu.home) & 1 == 1 { continue }
                turn = place
                cpu.home = hart
                return cpu
            }
        }
        return nil
    }

    private func isRunnable(_ cpu: VirtualCPU, now: UInt64) -> Bool {
        guard cpu.runningOn == nil else { return false }
        if cpu.runState == .waiting,
            cpu.hasInterrupt(guestTime: now &+ cpu.guest.timeDelta, hasSstc: hypervisor.hasSstc)
        {
            cpu.runState = .runnable
        }
        return cpu.runState == .runnable
    }

    /// When the hypervisor must look at the others that are at home here: now for one that could run, else at the first
    /// timer of those that wait. Nil when there are none.
    private func othersDeadline(besides current: VirtualCPU?) -> UInt64? {
        var deadline: UInt64?
        let now = read_time()
        for cpu in hypervisor.cpus where cpu.home == hart && cpu !== current && cpu.runState != .stopped {
            if isRunnable(cpu, now: now) { return now }
            deadline = min(deadline ?? UInt64.max, cpu.deadline(now: now, hasSstc: hypervisor.hasSstc))
        }
        return deadline
    }

    /// Until an interrupt, or the next timer of a virtual hart that waits.
    private mutating func idle() {
        // WFI also ends for what is pending for the virtual hart that was here last, and enabled by its vsie.
        write_vsie(0)
        write_hvip(0)
        write_hgatp(0)
        loaded = nil
        setTimer(othersDeadline(besides: nil) ?? UInt64.max)
        hypervisor.idleMask |= 1 << UInt64(hart)
        hypervisor.release()
        wait_for_interrupt()
        hypervisor.acquire()
        hypervisor.idleMask &= ~(1 << UInt64(hart))
        takeInterrupts()
    }

    /// What is pending for the hypervisor itself.
    private func takeInterrupts() {
        let pending = read_sip()
        if pending & HostInterrupts.software != 0 {
            clear_sip(HostInterrupts.software)
            unsafe atomic_clear_bits(hypervisor.attention, 1 << UInt64(hart))
        }
        if pending & HostInterrupts.timer != 0 {
            hypervisor.checkTime()
            setTimer(UInt64.max)
        }
        if pending & HostInterrupts.external != 0 { HostPLIC.handle(hypervisor, hart: hart) }
    }

    /// Runs a virtual hart until it waits, stops, or its time is over.
    private mutating func run(_ cpu: VirtualCPU) {
        // This comes first: whoever does not see it yet has made pending, or has written to page tables, what the load
        // and the entry below take account of.
        cpu.runningOn = hart
        load(cpu)
        let slice = read_time() &+ hypervisor.platform.timebaseFrequency / Self.slicesPerSecond
        while cpu.runState == .runnable {
            armTimer(cpu, sliceEnd: slice)
            cpu.pending.formUnion(cpu.takeArrived())
            write_hvip(cpu.pending.rawValue)
            let quick = QuickExit(hypervisor: hypervisor, cpu: cpu, hart: hart, isAlone: isAlone)
            hypervisor.release()
            repeat {
                unsafe enter_guest(cpu.state)
                unsafe record_trap(cpu.state)
            } while quick.handle()
            hypervisor.acquire()
            // The guest can clear its software interrupt itself, by sip, and a quick exit may have set it.
            let hvip = VirtualInterrupts(rawValue: read_hvip())
            if hvip.contains(.software) { cpu.pending.insert(.software) } else { cpu.pending.remove(.software) }
            // Another hart may have ended the guest meanwhile, or be about to start it anew: it has no more wishes then.
            if cpu.runState != .stopped { ExitHandler(hypervisor: hypervisor, cpu: cpu).handle() }
            takeInterrupts()
            if let others = othersDeadline(besides: cpu), read_time() >= max(slice, others) { break }
        }
        cpu.runningOn = nil
        save(cpu)
        if cpu.guest.ended != nil { leave(cpu.guest) }
        if cpu.guest.isRestarting { hypervisor.finishRestart(of: cpu.guest) }
    }

    /// Forgets a guest that has ended: this hart's hgatp is not to refer to tables that are memory for others soon. The
    /// VMID is never given again, so what the TLB still has of it is met by nobody.
    private mutating func leave(_ guest: Guest) {
        loaded = nil
        write_hgatp(0)
        guest.freeMemory()
    }

    /// The hypervisor's timer while the guest runs: the end of its time, where others wait; without Sstc the guest's
    /// timer too.
    private mutating func armTimer(_ cpu: VirtualCPU, sliceEnd: UInt64) {
        let others = othersDeadline(besides: cpu)
        isAlone = others == nil
        var deadline = others.map { max($0, sliceEnd) } ?? UInt64.max
        // Alone, it may wait by WFI itself, without a trap.
        if others == nil {
            unsafe cpu.state.pointee.hstatus &= ~HypervisorStatusBits.vtw
        } else {
            unsafe cpu.state.pointee.hstatus |= HypervisorStatusBits.vtw
        }
        if !hypervisor.hasSstc {
            let now = read_time()
            if now &+ cpu.guest.timeDelta >= cpu.timerDeadline {
                cpu.pending.insert(.timer)
            } else {
                cpu.pending.remove(.timer)
                deadline = min(deadline, cpu.deadline(now: now, hasSstc: false))
            }
        }
        setTimer(deadline)
    }

    /// Has all of a virtual hart's that this hart must know in it.
    private mutating func load(_ cpu: VirtualCPU) {
        if loaded !== cpu || cpu.lastHart != hart { loadRegisters(cpu) }
        if cpu.mustFence {
            cpu.mustFence = false
            hfence_vvma_all()
            fence_i()
        }
    }

    /// Puts a virtual hart's VS CSRs into this hart. Its F and D state comes when it is used.
    private mutating func loadRegisters(_ cpu: VirtualCPU) {
        let state = unsafe cpu.state.pointee
        write_vsstatus(state.vsstatus)
        write_vsie(state.vsie)
        write_vstvec(state.vstvec)
        write_vsscratch(state.vsscratch)
        write_vsepc(state.vsepc)
        write_vscause(state.vscause)
        write_vstval(state.vstval)
        write_vsatp(state.vsatp)
        if hypervisor.hasSstc { write_vstimecmp(state.vstimecmp) }
        write_scounteren(state.scounteren)
        if hasEnvironmentConfiguration { write_senvcfg(state.senvcfg) }
        write_htimedelta(cpu.guest.timeDelta)
        write_hgatp(cpu.guest.hgatp)
        if read_hgatp() != cpu.guest.hgatp {
            // The VMID is cut, so another guest's translations may go by the same one.
            hfence_gvma_all()
            hfence_vvma_all()
        } else if cpu.lastHart != hart || lastOfGuest[cpu.guest.index] != cpu.id {
            // Translations go by the guest's VMID: those of another virtual hart of it are not this one's, and those
            // that this one left here before it ran elsewhere are old.
            hfence_vvma_all()
        }
        lastOfGuest[cpu.guest.index] = cpu.id
        loaded = cpu
        cpu.lastHart = hart
        // The image was copied by another hart, perhaps, and FENCE.I is for one's own.
        fence_i()
        FloatingPoint.prepare(cpu, hart: hart)
    }

    /// Keeps what others might change: another virtual hart here, or this one on another hart.
    private func save(_ cpu: VirtualCPU) {
        unsafe cpu.state.pointee.vsstatus = read_vsstatus()
        unsafe cpu.state.pointee.vsie = read_vsie()
        unsafe cpu.state.pointee.vstvec = read_vstvec()
        unsafe cpu.state.pointee.vsscratch = read_vsscratch()
        unsafe cpu.state.pointee.vsepc = read_vsepc()
        unsafe cpu.state.pointee.vscause = read_vscause()
        unsafe cpu.state.pointee.vstval = read_vstval()
        unsafe cpu.state.pointee.vsatp = read_vsatp()
        if hypervisor.hasSstc { unsafe cpu.state.pointee.vstimecmp = read_vstimecmp() }
        unsafe cpu.state.pointee.scounteren = read_scounteren()
        if hasEnvironmentConfiguration { unsafe cpu.state.pointee.senvcfg = read_senvcfg() }
        FloatingPoint.save(cpu)
    }
}
