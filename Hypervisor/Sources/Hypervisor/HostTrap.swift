import Architecture
import RISCV

/// A trap in the hypervisor itself: tells all there is to know, and ends the machine.
@c(host_trap_main) func hostTrapMain(_ frame: UnsafeMutablePointer<host_trap_frame>) {
    let cause = read_scause()
    let stval = read_stval()
    unsafe printDeath(cause: cause, stval: stval, frame: frame)
    SBIFirmware.shutDown(status: 1)
}

@unsafe private func printDeath(cause: UInt64, stval: UInt64, frame: UnsafeMutablePointer<host_trap_frame>) {
    Console.line("")
    Console.line("hypervisor: trap in HS-mode: \(trapCauseName(cause))")
    if isInStackGuard(stval) {
        Console.line("hypervisor: this is a stack overflow: the address is in the page below the hart's stack")
    }
    Console.line("  hart   \(current_hart_id())")
    Console.line("  scause 0x\(hexadecimal(cause))")
    Console.line("  sepc   0x\(hexadecimal(read_sepc()))")
    Console.line("  stval  0x\(hexadecimal(stval))")
    Console.line("  htval  0x\(hexadecimal(read_htval()))")
    Console.line("  htinst 0x\(hexadecimal(read_htinst()))")
    let registers = unsafe registersOf(frame)
    printRegisters { registers[$0] }
    printBacktrace(from: read_sepc(), framePointer: registers[8], stackTop: current_stack_top())
}

private func isInStackGuard(_ address: UInt64) -> Bool {
    let page = current_stack_guard()
    return address >= page && address - page < pageSize
}

@unsafe private func registersOf(_ frame: UnsafeMutablePointer<host_trap_frame>) -> [UInt64] {
    unsafe UnsafeMutableRawPointer(frame).withMemoryRebound(to: UInt64.self, capacity: 32) {
        unsafe [UInt64](UnsafeBufferPointer(start: $0, count: 32))
    }
}

/// The callers, by the chain of frame pointers: the return address is 8 bytes below where one points, the caller's frame
/// pointer 16. Names come from the boot bundle.
private func printBacktrace(from pc: UInt64, framePointer: UInt64, stackTop: UInt64) {
    Console.line("  backtrace")
    Console.line("    #0 0x\(hexadecimal(pc))\(Symbols.name(of: pc))")
    var frame = framePointer
    for depth in 1..<32 {
        guard frame % 8 == 0, frame >= 16, frame <= stackTop, frame > stackTop - 65536 else { break }
        guard let words = unsafe UnsafePointer<UInt64>(bitPattern: UInt(frame - 16)) else { break }
        let caller = unsafe words[1]
        guard caller != 0 else { break }
        // The call is the instruction before the address to return to.
        Console.line("    #\(depth) 0x\(hexadecimal(caller))\(Symbols.name(of: caller - 1))")
        let next = unsafe words[0]
        guard next > frame else { break }
        frame = next
    }
}
