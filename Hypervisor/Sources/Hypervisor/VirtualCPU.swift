import Architecture
import Devices
import RISCV

/// The three interrupts of VS-mode, as hvip, hideleg and vsie (shifted) number them (privileged specification,
/// "Hypervisor Interrupt Registers").
struct VirtualInterrupts: OptionSet {
    let rawValue: UInt64
    /// VSSIP.
    static let software = VirtualInterrupts(rawValue: 1 << 2)
    /// VSTIP.
    static let timer = VirtualInterrupts(rawValue: 1 << 6)
    /// VSEIP.
    static let external = VirtualInterrupts(rawValue: 1 << 10)
    static let all: VirtualInterrupts = [.software, .timer, .external]
}

/// A guest's hart.
@safe final class VirtualCPU {
    enum RunState {
        /// It runs on a hart, or would if one were free.
        case runnable
        /// It waits for an interrupt.
        case waiting
        /// It has been stopped, or not been started.
        case stopped
    }

    /// Its hart ID in the guest.
    let id: Int
    let guest: Guest
    /// What assembly knows of it.
    @unsafe let state: UnsafeMutablePointer<vcpu_state>
    var runState = RunState.stopped
    /// Whether it waits by the SBI's call to suspend, not by WFI: what other harts are told of it differs.
    var isSuspended = false
    /// The hart that it is on now. Harts read it without the lock.
    var runningOn: Int? {
        get {
            let value = unsafe atomic_read(&state.pointee.running_on)
            return value == 0 ? nil : Int(value) - 1
        }
        set { unsafe atomic_write(&state.pointee.running_on, newValue.map { UInt64($0) + 1 } ?? 0) }
    }
    /// The hart that runs it, unless another has nothing to do.
    var home = 0
    /// The hart whose registers still have its VS CSRs, and whose TLB has been told of all that it has fenced there.
    var lastHart: Int?
    /// The hart whose registers f0 to f31 have its values.
    var floatingPointHart: Int?
    /// It has been told to forget translations and instructions while it ran on no hart: it will before it runs again.
    var mustFence = false
    /// What is pending, as it goes into hvip. Software interrupts that others send come by `sendSoftwareInterrupt`.
    var pending: VirtualInterrupts = []
    /// When its timer comes, in the guest's time; where there is Sstc, vstimecmp counts.
    var timerDeadline = UInt64.max
    /// How often it has trapped, by cause.
    var exits = ExitCounts()

    /// - Parameter page: 4 KiB of zeros for its state.
    init?(id: Int, guest: Guest, page: UInt64) {
        guard let memory = unsafe UnsafeMutableRawPointer(bitPattern: UInt(page)) else { return nil }
        self.id = id
        self.guest = guest
        unsafe state = memory.bindMemory(to: vcpu_state.self, capacity: 1)
    }

    /// A register of the guest's; x0 reads 0 and ignores writes.
    subscript(register: Int) -> UInt64 {
        get { unsafe registers[register] }
        set {
            guard register != 0 else { return }
            unsafe registers[register] = newValue
        }
    }

    @unsafe private var registers: UnsafeMutablePointer<UInt64> {
        unsafe UnsafeMutableRawPointer(state).assumingMemoryBound(to: UInt64.self)
    }

    var pc: UInt64 {
        get { unsafe state.pointee.pc }
        set { unsafe state.pointee.pc = newValue }
    }

    /// Makes its software interrupt pending. It is in hvip when the virtual hart next enters the guest, so the hart that
    /// it runs on must be called. Needs no lock.
    func sendSoftwareInterrupt() { unsafe atomic_set_bits(&state.pointee.arrived, VirtualInterrupts.software.rawValue) }

    /// What others have made pending since this was asked last.
    func takeArrived() -> VirtualInterrupts { VirtualInterrupts(rawValue: unsafe atomic_take(&state.pointee.arrived)) }

    /// Starts it in VS-mode with its hart ID in a0 and an argument in a1 (SBI, "Hart start", and Linux' boot document).
    func start(at address: UInt64, argument: UInt64) {
        for register in 1..<32 { self[register] = 0 }
        self[10] = UInt64(id)
        self[11] = argument
        unsafe state.pointee = resetState(pc: address, from: state.pointee)
        pending = []
        _ = takeArrived()
        timerDeadline = UInt64.max
        lastHart = nil
        floatingPointHart = nil
        runState = .runnable
    }

    private func resetState(pc: UInt64, from old: vcpu_state) -> vcpu_state {
        var new = old
        new.pc = pc
        // SPP: the trap came from VS-mode, so SRET goes there. FS is off until the guest uses F or D registers.
        new.sstatus = StatusBits.spp
        // VSXL 64 bits; VTW: WFI traps, so that another may run; SPV and SPVP: SRET goes to VS-mode.
        new.hstatus =
            HypervisorStatusBits.vsxl64 | HypervisorStatusBits.vtw | HypervisorStatusBits.spv
            | HypervisorStatusBits.spvp
        new.vsstatus = 2 << 32
        new.vsie = 0
        new.vstvec = 0
        new.vsscratch = 0
        new.vsepc = 0
        new.vscause = 0
        new.vstval = 0
        new.vsatp = 0
        new.vstimecmp = UInt64.max
        // CY, TM, IR, as OpenSBI leaves it for a kernel.
        new.scounteren = 7
        new.senvcfg = 0
        return new
    }

    /// Whether an interrupt that it has enabled is pending. vsie is current only while it is off its hart.
    func hasInterrupt(guestTime: UInt64, hasSstc: Bool) -> Bool {
        pending.formUnion(takeArrived())
        var pending = self.pending
        if guestTime >= (hasSstc ? unsafe state.pointee.vstimecmp : timerDeadline) { pending.insert(.timer) }
        return unsafe pending.rawValue & state.pointee.vsie << 1 != 0
    }

    /// When its timer will come, by the machine's clock; now when it is due. A guest that wants no timer asks for one at the
    /// end of time, which is no time of the machine's.
    func deadline(now: UInt64, hasSstc: Bool) -> UInt64 {
        let wanted = hasSstc ? unsafe state.pointee.vstimecmp : timerDeadline
        let guestTime = now &+ guest.timeDelta
        guard wanted > guestTime else { return now }
        let (deadline, isBeyond) = now.addingReportingOverflow(wanted - guestTime)
        return isBeyond ? UInt64.max : deadline
    }
}

/// Bits of sstatus (privileged specification, "Supervisor Status Register").
enum StatusBits {
    static let spie: UInt64 = 1 << 5
    static let sie: UInt64 = 1 << 1
    static let spp: UInt64 = 1 << 8
    static let fsClean: UInt64 = 2 << 13
    static let fsDirty: UInt64 = 3 << 13
}

/// Bits of hstatus (privileged specification, "Hypervisor Status Register").
enum HypervisorStatusBits {
    static let spv: UInt64 = 1 << 7
    static let spvp: UInt64 = 1 << 8
    static let vtw: UInt64 = 1 << 21
    static let vsxl64: UInt64 = 2 << 32
}

/// What a PLIC context or a timer of the guest drives: one of a virtual hart's interrupts.
final class VirtualInterruptLine: InterruptLine {
    private let cpu: VirtualCPU
    private let interrupt: VirtualInterrupts

    init(cpu: VirtualCPU, interrupt: VirtualInterrupts) {
        self.cpu = cpu
        self.interrupt = interrupt
    }

    func raise() {
        cpu.pending.insert(interrupt)
        cpu.guest.hypervisor.interruptsChanged(of: cpu)
    }

    func lower() {
        cpu.pending.remove(interrupt)
    }
}
