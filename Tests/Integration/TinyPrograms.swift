/// Flat programs of a few bytes, with the assembly that they are.
enum TinyProgram {
    /// Where all of them are made to run.
    static let address = "0x8000"

    /// Real mode: checks that it is there, prints, and ends with status 42.
    static let real: [UInt8] =
        [
            0x0F, 0x01, 0xE0,  // smsw %ax
            0xA8, 0x01,  // testb $1, %al     PE
            0x75, 0x12,  // jnz bad
            0xBE, 0x1D, 0x80,  // movw $text, %si
            0xBA, 0xF8, 0x03,  // movw $0x3F8, %dx
            0xAC,  // 1: lodsb
            0x84, 0xC0,  // testb %al, %al
            0x74, 0x03,  // jz 2f
            0xEE,  // outb %al, %dx
            0xEB, 0xF8,  // jmp 1b
            0xB0, 0x2A,  // 2: movb $42, %al
            0xE6, 0xF4,  // outb %al, $0xF4
            0xB0, 0x01,  // bad: movb $1, %al
            0xE6, 0xF4,  // outb %al, $0xF4
        ] + Array("real mode\n\0".utf8)

    /// Protected mode without paging: checks that, and that a push takes 4 bytes; prints; ends with status 43.
    static let protected: [UInt8] =
        [
            0x0F, 0x20, 0xC0,  // movl %cr0, %eax
            0x25, 0x01, 0x00, 0x00, 0x80,  // andl $0x80000001, %eax     PG and PE
            0x83, 0xF8, 0x01,  // cmpl $1, %eax
            0x75, 0x20,  // jne bad
            0x89, 0xE3,  // movl %esp, %ebx
            0x50,  // pushl %eax
            0x29, 0xE3,  // subl %esp, %ebx
            0x83, 0xFB, 0x04,  // cmpl $4, %ebx
            0x75, 0x16,  // jne bad
            0xBE, 0x31, 0x80, 0x00, 0x00,  // movl $text, %esi
            0xBA, 0xF8, 0x03, 0x00, 0x00,  // movl $0x3F8, %edx
            0xAC,  // 1: lodsb
            0x84, 0xC0,  // testb %al, %al
            0x74, 0x03,  // jz 2f
            0xEE,  // outb %al, %dx
            0xEB, 0xF8,  // jmp 1b
            0xB0, 0x2B,  // 2: movb $43, %al
            0xE6, 0xF4,  // outb %al, $0xF4
            0xB0, 0x01,  // bad: movb $1, %al
            0xE6, 0xF4,  // outb %al, $0xF4
        ] + Array("protected mode\n\0".utf8)

    /// Long mode: checks EFER.LMA, and that a push takes 8 bytes; prints; ends with status 44.
    static let long: [UInt8] =
        [
            0xB9, 0x80, 0x00, 0x00, 0xC0,  // movl $0xC0000080, %ecx     EFER
            0x0F, 0x32,  // rdmsr
            0xA9, 0x00, 0x04, 0x00, 0x00,  // testl $1 << 10, %eax     LMA
            0x74, 0x24,  // jz bad
            0x48, 0x89, 0xE3,  // movq %rsp, %rbx
            0x50,  // pushq %rax
            0x48, 0x29, 0xE3,  // subq %rsp, %rbx
            0x83, 0xFB, 0x08,  // cmpl $8, %ebx
            0x75, 0x18,  // jne bad
            0x48, 0x8D, 0x35, 0x15, 0x00, 0x00, 0x00,  // leaq text(%rip), %rsi
            0xBA, 0xF8, 0x03, 0x00, 0x00,  // movl $0x3F8, %edx
            0xAC,  // 1: lodsb
            0x84, 0xC0,  // testb %al, %al
            0x74, 0x03,  // jz 2f
            0xEE,  // outb %al, %dx
            0xEB, 0xF8,  // jmp 1b
            0xB0, 0x2C,  // 2: movb $44, %al
            0xE6, 0xF4,  // outb %al, $0xF4
            0xB0, 0x01,  // bad: movb $1, %al
            0xE6, 0xF4,  // outb %al, $0xF4
        ] + Array("long mode\n\0".utf8)

    /// Prints "boot" and resets by the keyboard controller.
    static let resetByKeyboardController: [UInt8] =
        [
            0xBE, 0x14, 0x80,  // movw $text, %si
            0xBA, 0xF8, 0x03,  // movw $0x3F8, %dx
            0xAC,  // 1: lodsb
            0x84, 0xC0,  // testb %al, %al
            0x74, 0x03,  // jz 2f
            0xEE,  // outb %al, %dx
            0xEB, 0xF8,  // jmp 1b
            0xB0, 0xFE,  // 2: movb $0xFE, %al     pulse the reset line
            0xE6, 0x64,  // outb %al, $0x64
            0xEB, 0xFE,  // 3: jmp 3b
        ] + Array("boot\n\0".utf8)

    /// Prints "boot" and resets by the reset control register.
    static let resetByResetControl: [UInt8] =
        [
            0xBE, 0x16, 0x80,  // movw $text, %si
            0xBA, 0xF8, 0x03,  // movw $0x3F8, %dx
            0xAC,  // 1: lodsb
            0x84, 0xC0,  // testb %al, %al
            0x74, 0x03,  // jz 2f
            0xEE,  // outb %al, %dx
            0xEB, 0xF8,  // jmp 1b
            0xBA, 0xF9, 0x0C,  // 2: movw $0xCF9, %dx
            0xB0, 0x06,  // movb $6, %al
            0xEE,  // outb %al, %dx
            0xEB, 0xFE,  // 3: jmp 3b
        ] + Array("boot\n\0".utf8)

    /// Writes `x` to the serial port for ever.
    static let endlessOutput: [UInt8] = [
        0xBA, 0xF8, 0x03,  // movw $0x3F8, %dx
        0xB0, 0x78,  // movb $'x', %al
        0xEE,  // 1: outb %al, %dx
        0xEB, 0xFD,  // jmp 1b
    ]

    /// Writes `h`, then never leaves the guest again.
    static let endlessLoop: [UInt8] = [
        0xBA, 0xF8, 0x03,  // movw $0x3F8, %dx
        0xB0, 0x68,  // movb $'h', %al
        0xEE,  // outb %al, %dx
        0xEB, 0xFE,  // 1: jmp 1b
    ]

    /// Writes `h`, then sleeps for ever, which with interrupt controllers in the kernel no exit tells.
    static let endlessSleep: [UInt8] = [
        0xBA, 0xF8, 0x03,  // movw $0x3F8, %dx
        0xB0, 0x68,  // movb $'h', %al
        0xEE,  // outb %al, %dx
        0xFA,  // cli
        0xF4,  // 1: hlt
        0xEB, 0xFD,  // jmp 1b
    ]

    /// Switches the serial port's FIFOs on, writes `>`, and sends back every byte up to Ctrl-D.
    static let bufferedEcho: [UInt8] = [
        0xBA, 0xFA, 0x03,  // movw $0x3FA, %dx
        0xB0, 0x07,  // movb $7, %al     FCR: enable and clear both
        0xEE,  // outb %al, %dx
        0xB0, 0x3E,  // movb $'>', %al
        0xBA, 0xF8, 0x03,  // movw $0x3F8, %dx
        0xEE,  // outb %al, %dx
        0xBA, 0xFD, 0x03,  // next: movw $0x3FD, %dx
        0xEC,  // 1: inb %dx, %al
        0xA8, 0x01,  // testb $1, %al     LSR: data ready
        0x74, 0xFB,  // jz 1b
        0xBA, 0xF8, 0x03,  // movw $0x3F8, %dx
        0xEC,  // inb %dx, %al
        0x3C, 0x04,  // cmpb $4, %al     Ctrl-D
        0x74, 0x03,  // je done
        0xEE,  // outb %al, %dx
        0xEB, 0xED,  // jmp next
        0x30, 0xC0,  // done: xorb %al, %al
        0xE6, 0xF4,  // outb %al, $0xF4
    ]

    /// A boot sector: checks DL and its own signature where a BIOS puts it, prints, and ends with status 45.
    static let bootSector: [UInt8] = {
        let code: [UInt8] =
            [
                0x80, 0xFA, 0x80,  // cmpb $0x80, %dl
                0x75, 0x1E,  // jne bad
                0x31, 0xC0,  // xorw %ax, %ax
                0x8E, 0xD8,  // movw %ax, %ds
                0x81, 0x3E, 0xFE, 0x7D, 0x55, 0xAA,  // cmpw $0xAA55, 0x7DFE
                0x75, 0x12,  // jne bad
                0xBE, 0x27, 0x7C,  // movw $text, %si
                0xBA, 0xF8, 0x03,  // movw $0x3F8, %dx
                0xAC,  // 1: lodsb
                0x84, 0xC0,  // testb %al, %al
                0x74, 0x03,  // jz 2f
                0xEE,  // outb %al, %dx
                0xEB, 0xF8,  // jmp 1b
                0xB0, 0x2D,  // 2: movb $45, %al
                0xE6, 0xF4,  // outb %al, $0xF4
                0xB0, 0x01,  // bad: movb $1, %al
                0xE6, 0xF4,  // outb %al, $0xF4
            ] + Array("boot sector\n\0".utf8)
        return code + [UInt8](repeating: 0, count: 510 - code.count) + [0x55, 0xAA]
    }()
}
