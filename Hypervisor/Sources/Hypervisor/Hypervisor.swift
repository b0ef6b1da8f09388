import Architecture
import Boot
import Devices
import Firmware
import GuestMemory
import RISCV

/// All there is: the machine, its memory, its guests. Whoever uses it holds `lock`, which a hart gives up only while it
/// is in a guest or has nothing to do.
@safe final class Hypervisor {
    let platform: Platform
    let pages: PageAllocator
    let devices: HostDevices
    /// The hypervisor's own.
    let pageTable: IdentityPageTable
    let mode: GStageMode
    /// Whether vstimecmp and stimecmp are there.
    let hasSstc: Bool
    private(set) var guests: [Guest] = []
    /// The virtual harts of all guests.
    private(set) var cpus: [VirtualCPU] = []
    var consoles = Consoles()
    /// Loads guests anew.
    var loader: GuestLoader?
    /// The harts that run this program, as a mask of their IDs.
    var hartMask: UInt64 = 0
    /// Those of them that have nothing to do.
    var idleMask: UInt64 = 0
    @unsafe let lock: UnsafeMutablePointer<UInt32>
    /// The harts, as a mask, that have been called for more than interrupts of the virtual hart that they run.
    @unsafe let attention: UnsafeMutablePointer<UInt64>

    init(platform: Platform, pages: PageAllocator, pageTable: IdentityPageTable, mode: GStageMode, hasSstc: Bool) {
        self.platform = platform
        self.pages = pages
        devices = HostDevices(platform, pages: pages)
        self.pageTable = pageTable
        self.mode = mode
        self.hasSstc = hasSstc
        unsafe lock = UnsafeMutablePointer<UInt32>.allocate(capacity: 1)
        unsafe lock.initialize(to: 0)
        unsafe attention = UnsafeMutablePointer<UInt64>.allocate(capacity: 1)
        unsafe attention.initialize(to: 0)
    }

    /// Adds a guest that is ready to run.
    func add(_ guest: Guest) {
        guests.append(guest)
        cpus += guest.cpus
        for cpu in guest.cpus where cpu.runState != .stopped { assignHome(to: cpu) }
    }

    /// When the machine is to end whatever its guests do, by the argument "seconds"; for guests that never end.
    var endOfTime = UInt64.max

    /// The machine's status at its end. A guest that could not start, has died or has ended with a failure makes it another
    /// than 0: that of the first one, or 1.
    private var status: UInt8 = 0

    /// Remembers a failure.
    func noteFailure(_ status: UInt8 = 0) {
        if self.status == 0 { self.status = max(status, 1) }
    }

    /// Whether each guest's traps are told when it ends, by the argument "statistics".
    var showsStatistics = false

    /// The bytes that this program takes of the machine: itself with its heap, stacks, page tables, what it keeps of
    /// virtual harts.
    private var memoryBesidesGuests: UInt64 {
        let start = unsafe UInt64(UInt(bitPattern: hypervisor_start_address()))
        let end = unsafe UInt64(UInt(bitPattern: hypervisor_end_address())) + heapSize
        var taken = UInt64(pages.pageCount - pages.freePageCount) * pageSize
        for guest in guests where !guest.memoryIsFree { taken -= guest.memory.size }
        return end - start + taken
    }

    /// Ends the machine when its time has come.
    func checkTime() {
        guard read_time() >= endOfTime else { return }
        for guest in guests where guest.ended == nil {
            var traps = 0
            for cpu in guest.cpus {
                traps += cpu.exits.own
                Console.line("guest \(text(guest.name)): hart \(cpu.id) is at 0x\(hexadecimal(cpu.pc, digits: 8))")
            }
            Console.line("guest \(text(guest.name)): \(traps) traps")
        }
        SBIFirmware.shutDown(status: status)
    }

    func acquire() { unsafe lock_acquire(lock) }
    func release() { unsafe lock_release(lock) }

    /// Gives a virtual hart that begins to run the hart with the fewest of them.
    func assignHome(to cpu: VirtualCPU) {
        var best: UInt64 = 0
        var fewest = Int.max
        for id in platform.harts where hartMask >> id & 1 == 1 {
            var count = 0
            for other in cpus where other !== cpu && other.runState != .stopped && other.home == Int(id) { count += 1 }
            if count < fewest { (best, fewest) = (id, count) }
        }
        cpu.home = Int(best)
    }

    /// Has a virtual hart, whose interrupts have changed or which has been started, looked at by the right hart: the one
    /// that it is on, else its home; when that is busy, one with nothing to do.
    func interruptsChanged(of cpu: VirtualCPU) {
        var target = UInt64(cpu.runningOn ?? cpu.home)
        if cpu.runningOn == nil, idleMask >> target & 1 == 0, idleMask != 0 {
            target = UInt64(idleMask.trailingZeroBitCount)
        }
        guard target != current_hart_id() else { return }
        // A hart that has been called is not idle any more: the next call is for another.
        idleMask &= ~(1 << target)
        call(hart: target)
    }

    /// Has a hart look at all there is to do for it.
    func call(hart: UInt64) {
        unsafe atomic_set_bits(attention, 1 << hart)
        SBIFirmware.sendInterrupt(mask: 1 << hart)
    }

    /// Begins to start a guest anew. It goes on once the last of its virtual harts has left its hart.
    func restart(_ guest: Guest) {
        guest.isRestarting = true
        for cpu in guest.cpus {
            cpu.runState = .stopped
            if let hart = cpu.runningOn { call(hart: UInt64(hart)) }
        }
    }

    /// Loads a guest anew, once its virtual harts are all off their harts and its disks have come to rest.
    func finishRestart(of guest: Guest) {
        guard guest.isRestarting, guest.ended == nil, guest.comesToRest() else { return }
        do throws(BootFailure) {
            try loader?.reload(guest)
            assignHome(to: guest.cpus[0])
            interruptsChanged(of: guest.cpus[0])
        } catch {
            Console.line("hypervisor: guest \(text(guest.name)) cannot start anew: \(error.text)")
            end(guest, .failed())
        }
    }

    /// Ends a guest, and the machine when it was the last.
    func end(_ guest: Guest, _ reason: GuestEnd) {
        guard guest.ended == nil else { return }
        guest.ended = reason
        if case .failed(let status) = reason {
            if status != 0 {
                Console.line("hypervisor: guest \(text(guest.name)) has ended with status \(status)")
            }
            noteFailure(status)
        }
        for cpu in guest.cpus {
            cpu.runState = .stopped
            if let hart = cpu.runningOn { call(hart: UInt64(hart)) }
        }
        // Nobody can switch to it any more: what it has printed in the dark is shown now.
        for line in consoles.takeUnseen(of: guest).split(separator: UInt8(ascii: "\n")) {
            Console.line("[", guest.name + [UInt8]("] ".utf8) + line.filter { $0 != 13 })
        }
        if showsStatistics {
            printTraps(of: guest)
            Console.line("hypervisor: memory besides guests: \(memoryBesidesGuests >> 10) KiB")
        }
        let rest = guests.filter { $0.ended == nil }
        guard let next = rest.first else {
            SBIFirmware.shutDown(status: status)
        }
        if consoles.current == guest.index { consoles.show(next) }
    }

    /// What has been typed.
    func readConsole() {
        while let byte = Console.read() {
            switch consoles.action(of: byte) {
            case .type(let byte): guests[consoles.current].type(byte)
            case .next: showNext()
            case .list: printGuests()
            case .quit: SBIFirmware.shutDown(status: 0)
            case .nothing: break
            }
        }
    }

    private func showNext() {
        for step in 1...guests.count {
            let guest = guests[(consoles.current + step) % guests.count]
            if guest.ended == nil {
                consoles.show(guest)
                Console.line("")
                Console.line("[console of guest ", guest.name + [UInt8(ascii: "]")])
                return
            }
        }
    }

    private func printGuests() {
        Console.line("")
        for guest in guests { printTraps(of: guest) }
    }

    private func printTraps(of guest: Guest) {
        Console.line("guest ", guest.name)
        Console.line("  \(guest.ended == nil ? "runs" : "has ended"), memory \(guest.memory.size >> 20) MiB")
        for cpu in guest.cpus { Console.line("  hart \(cpu.id): traps by \(cpu.exits.text)") }
    }
}
