# Chapter 7: a guest that prints ABC by SBI's console putchar (extension 1 in a7), and ends by the SRST extension.
    .globl guest_boot
guest_boot:
    li a7, 1
    li a6, 0
    li a0, 'A'
    ecall
    li a0, 'B'
    ecall
    li a0, 'C'
    ecall
    li a0, '\n'
    ecall
    li a7, 0x53525354
    li a6, 0
    li a0, 0
    li a1, 0
    ecall
