// first-effect: its first instructions write a line's end to the serial port, which makes a monitor pass it on at once;
// then it ends. What a monitor takes to start is the time to that byte, what it takes to end follows.
//
// A flat real-mode binary for any address.
#define SERIAL_DATA 0x3F8
#define EXIT_PORT 0xF4

    .text
    .code16
    movw    $SERIAL_DATA, %dx
    movb    $'\n', %al
    outb    %al, %dx
    xorb    %al, %al
    outb    %al, $EXIT_PORT
1:  hlt
    jmp     1b

    .section .note.GNU-stack, "", @progbits
