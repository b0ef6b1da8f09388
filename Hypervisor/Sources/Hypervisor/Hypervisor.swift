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
    let mode: GStageMode
    /// Whether vstimecmp and stimecmp are there.
    let hasSstc: Bool
    var guests: [Guest] = []
    var consoles = Consoles()
    /// The harts that run this program, as a mask of their IDs.
    var hartMask: UInt64 = 0
    /// Those of them that have nothing to do.
    var idleMask: UInt64 = 0
    var nextTurn = 0
    @unsafe let lock: UnsafeMutablePointer<UInt32>
    /// What a lesson wants instead of the guest's death when it traps.
    var lesson: Lesson?

    init(platform: Platform, pages: PageAllocator, mode: GStageMode, hasSstc: Bool) {
        self.platform = platform
        self.pages = pages
        self.mode = mode
        self.hasSstc = hasSstc
        unsafe lock = UnsafeMutablePointer<UInt32>.allocate(capacity: 1)
        unsafe lock.initialize(to: 0)
    }

    func acquire() { unsafe lock_acquire(lock) }
    func release() { unsafe lock_release(lock) }

    /// Wakes a hart for a virtual hart whose interrupts have changed.
    func interruptsChanged(of cpu: VirtualCPU) {
        let me = unsafe current_hart()!.pointee.id
        if let hart = cpu.runningOn {
            if UInt64(hart) != me { SBIFirmware.sendInterrupt(mask: 1 << UInt64(hart)) }
        } else if idleMask != 0 {
            SBIFirmware.sendInterrupt(mask: idleMask & (0 &- idleMask))
        }
    }

    /// Ends a guest, and the machine when it was the last.
    func end(_ guest: Guest, _ reason: GuestEnd) {
        guard guest.ended == nil else { return }
        guest.ended = reason
        for cpu in guest.cpus {
            cpu.runState = .stopped
            if let hart = cpu.runningOn { SBIFirmware.sendInterrupt(mask: 1 << UInt64(hart)) }
        }
        let rest = guests.filter { $0.ended == nil }
        guard let next = rest.first else {
            let failed = guests.contains { $0.ended == .failed }
            SBIFirmware.shutDown(failed: failed)
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
        for guest in guests {
            Console.line("guest ", guest.name)
            Console.line("  \(guest.ended == nil ? "runs" : "has ended"), memory \(guest.memory.size >> 20) MiB")
            for cpu in guest.cpus {
                let exits = cpu.exits
                Console.line(
                    "  hart \(cpu.id): traps by SBI \(exits.sbi), device \(exits.device), WFI \(exits.waits), timer \(exits.timer), software \(exits.software), external \(exits.external), other \(exits.other)"
                )
            }
        }
    }
}
