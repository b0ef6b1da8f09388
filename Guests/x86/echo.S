// echo: reads the serial port and sends back what came, until Ctrl-D.
//
// It asks again and again whether a byte has come ("polling"): bit 0 of the line status register. Each question is an
// exit, so a waiting guest keeps the host busy; that is why real drivers take an interrupt instead (IRQ4 for COM1).
#include "guest.h"

#define END_OF_TRANSMISSION 0x04        // what the Ctrl-D key sends

    guest   echo
    xorw    %ax, %ax
    movw    %ax, %ds
    movw    %ax, %ss
    movw    $STACK_TOP, %sp
    catch_exceptions16                  // should anything go wrong, say so: see guest.h
    say16   "echo: type something; Ctrl-D ends\n"
    xorl    %ebp, %ebp                  // EBP counts the bytes

wait:
    movw    $LINE_STATUS_PORT, %dx
    inb     %dx, %al
    testb   $1 << 0, %al                // bit 0, DR: data ready
    jz      wait
    movw    $GUEST_SERIAL_PORT, %dx
    inb     %dx, %al                    // the received byte: the same port, read instead of written
    cmpb    $END_OF_TRANSMISSION, %al
    je      done
    incl    %ebp
    cmpb    $'\r', %al                  // the Enter key sends a carriage return, and a terminal wants both
    jne     1f
    call    put_character16
    movb    $'\n', %al
1:  call    put_character16
    jmp     wait

done:
    say16   "\necho: bytes received: "
    movl    %ebp, %eax
    call    print_hex16
    say16   "\n"
    finish
1:  hlt
    jmp     1b

    routines echo, 16
    exceptions echo, 16
    guest_end echo
