// A virtual machine in 40 lines, with nothing but the module KVM: 4 KiB of memory, one CPU in real mode, and a program
// that writes a line to the serial port and halts.
import Glibc
import KVM

let program: [UInt8] =
    [
        0xBA, 0xF8, 0x03,  //       mov dx, 0x3F8     the first serial port
        0xBE, 0x0F, 0x00,  //       mov si, message
        0xAC,  //             next: lodsb             the next letter
        0x84, 0xC0,  //             test al, al
        0x74, 0x03,  //             jz done
        0xEE,  //                   out dx, al        leaves KVM_RUN
        0xEB, 0xF8,  //             jmp next
        0xF4,  //             done: hlt               leaves KVM_RUN for the last time
    ] + Array("Hello from real mode\n".utf8) + [0]

do {
    let machine = try KVMSystem().makeVirtualMachine()
    guard let pages = mmap(nil, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), pages != MAP_FAILED
    else { fatalError("no memory") }
    let memory = UnsafeMutableRawBufferPointer(start: pages, count: 4096)
    memory.copyBytes(from: program)
    try machine.setMemory(slot: 0, guestAddress: 0, memory: memory)

    let cpu = try machine.makeVCPU(identifier: 0)
    var special = try cpu.specialRegisters()
    special.cs.base = 0  // After a reset the code segment is at 0xFFFF0000.
    special.cs.selector = 0
    try cpu.setSpecialRegisters(special)
    var registers = GeneralRegisters()
    registers.rflags = 2  // Bit 1 is always set; RIP is 0.
    try cpu.setRegisters(registers)

    running: while true {
        switch try cpu.run() {
        case .portIO(let access) where access.isWrite && access.port == 0x3F8: putchar(Int32(access.item(0)))
        case .halt: break running
        case let exit: fatalError("the guest left with \(exit.kernelName)")
        }
    }
} catch {
    print("minimal-guest: \(error)")
    exit(1)
}
