# Where the guest begins: a stack, then Swift.
    .section .text.entry, "ax"
    .globl guest_boot
guest_boot:
    la sp, stack_top
    call guest_main
    li a7, 0x53525354
    li a6, 0
    li a0, 0
    li a1, 0
    ecall
    .bss
    .balign 16
    .zero 16384
stack_top:
