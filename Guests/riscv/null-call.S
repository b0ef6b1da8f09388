# Counts the instructions of an SBI call that does nothing (BASE, the implementation's version), from the guest and back:
# a thousand of them by instret, less the loop around them. Under QEMU instret counts instructions with -icount only.
    .equ calls, 1000
    .globl guest_boot
guest_boot:
    # The first calls find caches empty.
    li s1, 10
    jal loop
    li s1, calls
    jal loop
    mv s3, s2
    # The loop without its call.
    li s1, calls
    rdinstret s2
1:  addi s1, s1, -1
    li a7, 0x10
    li a6, 2
    bnez s1, 1b
    rdinstret s4
    sub s4, s4, s2
    sub s3, s3, s4
    li t0, calls
    divu s3, s3, t0
    la a1, before
    jal tell
    mv a2, s3
    jal tell_number
    la a1, after
    jal tell
    li a7, 0x53525354
    li a6, 0
    li a0, 0
    li a1, 0
    ecall

# s1: how many calls; s2 becomes the count.
loop:
    rdinstret s2
1:  addi s1, s1, -1
    li a7, 0x10
    li a6, 2
    ecall
    bnez s1, 1b
    rdinstret s5
    sub s2, s5, s2
    ret

#include "tell.h"

before: .asciz "null-call: "
after: .asciz " instructions for an SBI call that does nothing\n"
