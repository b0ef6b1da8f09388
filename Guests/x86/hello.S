// hello: 16-bit code sends a text to the first serial port, one byte at a time.
//
// A real PC's firmware leaves the processor in real mode: addresses are segment * 16 + offset, with no protection
// (SDM vol. 3, 21.1). The serial port is a 16550 UART, eight I/O ports from 0x3F8 on. Each IN and OUT to them leaves
// the guest (KVM_EXIT_IO); the monitor plays the UART and resumes the guest behind the instruction.
#include "guest.h"

    guest   hello
    xorw    %ax, %ax
    movw    %ax, %ds                    // texts are found at DS:SI; CS is 0 already

    movw    $AT(text), %si
next:
    lodsb                               // AL = the byte at DS:SI, and SI moves on
    testb   %al, %al
    jz      done                        // the text ends with a zero
    movb    %al, %ah
    movw    $LINE_STATUS_PORT, %dx
wait:
    inb     %dx, %al                    // exit: the monitor answers with the line status register
    testb   $1 << 5, %al                // bit 5, THRE: the transmitter holding register is empty
    jz      wait
    movb    %ah, %al
    movw    $GUEST_SERIAL_PORT, %dx
    outb    %al, %dx                    // exit: the monitor prints AL
    jmp     next

done:
    finish                              // exit: status 0 to the debug-exit port
1:  hlt
    jmp     1b

text:
    .asciz  "Hello from the guest!\n"
    guest_end hello
