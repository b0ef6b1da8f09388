import Architecture
import RISCV

/// What is told of a guest that has died.
enum GuestReport {
    static func print(_ cpu: VirtualCPU, _ state: vcpu_state) {
        Console.line("")
        Console.line("hypervisor: the guest has died: ", cpu.guest.name)
        Console.line("  hart \(cpu.id): \(trapCauseName(state.scause)) at 0x\(hexadecimal(state.pc))")
        Console.line("  scause 0x\(hexadecimal(state.scause))")
        Console.line("  stval  0x\(hexadecimal(state.stval))")
        Console.line(
            "  htval  0x\(hexadecimal(state.htval))  (guest-physical 0x\(hexadecimal(state.htval << 2 | state.stval & 3)))"
        )
        Console.line("  htinst 0x\(hexadecimal(state.htinst))")
        printRegisters { cpu[$0] }
        let virtual = isFetch(state.scause) ? state.pc : state.stval
        printFirstStage(cpu, virtual)
        printSecondStage(cpu, state.htval << 2 | state.stval & 3)
        printTraps(cpu)
    }

    /// A fetch's own address is in stval as well, but of a guest that died of something else stval may be anything.
    private static func isFetch(_ scause: UInt64) -> Bool {
        scause != TrapCause.loadGuestPageFault.rawValue && scause != TrapCause.storeGuestPageFault.rawValue
    }

    private static func printFirstStage(_ cpu: VirtualCPU, _ address: UInt64) {
        let satp = read_vsatp()
        let walk = FirstStageWalk(satp: satp, address: address) { place in
            guard let bytes = cpu.guest.readMemory(at: place, count: 8) else { return nil }
            var word: UInt64 = 0
            for byte in bytes.reversed() { word = word << 8 | UInt64(byte) }
            return word
        }
        Console.line("  first stage (vsatp 0x\(hexadecimal(satp))), for virtual 0x\(hexadecimal(address)):")
        for step in walk.steps {
            let place = "    level \(step.level): [0x\(hexadecimal(step.entryAddress))]"
            if let entry = step.entry {
                Console.line("\(place) = 0x\(hexadecimal(entry.rawValue)) \(kind(entry))")
            } else {
                Console.line("\(place): no memory")
            }
        }
        switch walk.outcome {
        case .bare: Console.line("    Bare: guest-physical addresses are the virtual ones")
        case .unknownMode: Console.line("    the mode is unknown")
        case .notCanonical: Console.line("    the address has no sign extension")
        case .found(let found): Console.line("    guest-physical 0x\(hexadecimal(found))")
        case .notMapped: Console.line("    not mapped")
        case .misaligned: Console.line("    a large leaf at an address that is no multiple of its size")
        }
    }

    private static func printSecondStage(_ cpu: VirtualCPU, _ address: UInt64) {
        Console.line("  second stage (\(cpu.guest.pageTable.mode.name)), for guest-physical 0x\(hexadecimal(address)):")
        for step in cpu.guest.pageTable.walk(address) {
            Console.line(
                "    level \(step.level): [0x\(hexadecimal(step.entryAddress))] = 0x\(hexadecimal(step.entry.rawValue)) \(kind(step.entry))"
            )
        }
    }

    private static func kind(_ entry: PageTableEntry) -> String {
        entry.isLeaf ? "leaf" : entry.isValid ? "table" : "nothing mapped"
    }

    private static func printTraps(_ cpu: VirtualCPU) {
        let count = min(unsafe cpu.state.pointee.trap_count, 16)
        Console.line("  its last traps, the last one first:")
        for age in 0..<count {
            let trap = unsafe recorded_trap(cpu.state, age)
            Console.line(
                "    \(trapCauseName(trap.scause)) at 0x\(hexadecimal(trap.sepc)), stval 0x\(hexadecimal(trap.stval))")
        }
    }
}
