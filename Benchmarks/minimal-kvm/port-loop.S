// port-loop: writes to one port 100,000 times, then ends: what a port-I/O exit costs is this guest's time.
//
//     clang -c [-DWRITES=1000] port-loop.S -o port-loop.o && llvm-objcopy -O binary -j .text port-loop.o port-loop.bin
//
// The port is the serial port's scratch register, which a monitor has to look up and a device has to store, and which
// has no other effect. A flat real-mode binary for any address.
#ifndef WRITES
#define WRITES 100000
#endif
#define SCRATCH_PORT 0x3FF
#define EXIT_PORT 0xF4

    .text
    .code16
    movl    $WRITES, %ecx
    movw    $SCRATCH_PORT, %dx
1:  outb    %al, %dx
    decl    %ecx
    jnz     1b
    xorb    %al, %al
    outb    %al, $EXIT_PORT
2:  hlt
    jmp     2b

    .section .note.GNU-stack, "", @progbits
