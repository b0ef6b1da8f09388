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
        for row in 0..<8 {
            var line = " "
            for column in 0..<4 where row + 8 * column > 0 {
                let index = row + 8 * column
                var name = registerName(index)
                while name.utf8.count < 3 { name += " " }
                line += " \(name) \(hexadecimal(cpu[index]))"
            }
            Console.line(line)
        }
        let address = state.htval << 2 | state.stval & 3
        Console.line("  second stage (\(cpu.guest.pageTable.mode.name)), for guest-physical 0x\(hexadecimal(address)):")
        for step in cpu.guest.pageTable.walk(address) {
            let kind = step.entry.isLeaf ? "leaf" : step.entry.isValid ? "table" : "nothing mapped"
            Console.line(
                "    level \(step.level): [0x\(hexadecimal(step.entryAddress))] = 0x\(hexadecimal(step.entry.rawValue)) \(kind)"
            )
        }
    }
}
