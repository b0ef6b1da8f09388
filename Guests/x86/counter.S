// counter: counts from 1 to 20 aloud and adds up; the sum must come out right.
//
// Between two numbers the guest leaves for the monitor dozens of times. That the sum is right shows the promise every
// exit keeps: registers, flags and memory are, after it, what they were before it. KVM holds them while the guest is
// out; KVM_GET_REGS would show them to the monitor.
#include "guest.h"

#define LAST 20

    guest   counter
    xorw    %ax, %ax
    movw    %ax, %ds
    movw    %ax, %ss
    movw    $STACK_TOP, %sp
    catch_exceptions16                  // should anything go wrong, say so: see guest.h

    movw    $0, AT(sum)                 // kept in memory
    movl    $0x12345678, %ebp           // kept in a register that nothing else here touches
    movw    $1, %bx                     // the count, in another one
count:
    addw    %bx, AT(sum)
    say16   "counter: "
    movb    %bl, %al
    call    print_decimal16
    say16   "\n"
    incw    %bx
    cmpw    $LAST, %bx
    jbe     count

    check   1
    cmpw    $LAST * (LAST + 1) / 2, AT(sum)
    jne     failed16
    say16   "counter: the sum in memory is 210: ok\n"

    check   2
    cmpl    $0x12345678, %ebp
    jne     failed16
    say16   "counter: a register kept its value: ok\n"
    finish
1:  hlt
    jmp     1b

sum:
    .short  0

    routines counter, 16
    exceptions counter, 16
    guest_end counter
