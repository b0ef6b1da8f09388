# Sets its timer to the last times there are, by SBI. None of them comes, so it goes on, and says so.
    .globl guest_boot
guest_boot:
    li a7, 0x54494D45
    li a6, 0
    li a0, -2
    ecall
    li a0, 'A'
    li a7, 1
    ecall
    li a7, 0x54494D45
    li a6, 0
    li a0, 1
    slli a0, a0, 63
    ecall
    li a0, 'B'
    li a7, 1
    ecall
    li a0, '\n'
    li a7, 1
    ecall
    li a7, 8
    ecall
