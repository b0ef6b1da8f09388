# Where the firmware starts the hypervisor, and where HSM starts its further harts.
    .section .text.entry, "ax"
    .globl hypervisor_entry
    # SwiftPM links every program with this name for its beginning.
    .globl Hypervisor_main
Hypervisor_main:
# a0: hart ID, a1: the device tree's address. Interrupts are off, paging is off.
hypervisor_entry:
    la t0, bss_start
    la t1, bss_end
1:  bgeu t0, t1, 2f
    sd zero, 0(t0)
    addi t0, t0, 8
    j 1b
2:  la sp, boot_stack_top
    la tp, boot_hart
    sd sp, 0(tp)
    la t0, boot_emergency_stack_top
    sd t0, 8(tp)
    sd a0, 40(tp)
    la t0, boot_stack_guard
    sd t0, 56(tp)
    j begin

    .globl secondary_entry
# a0: hart ID, a1: the hart's `struct hart`.
    .balign 4
secondary_entry:
    mv tp, a1
    ld sp, 0(tp)
    mv a0, tp
    la ra, secondary_main
    # Falls through: what every hart does first.
begin_secondary:
    ld t0, 64(tp)
    csrw satp, t0
    sfence.vma
    ld t0, 8(tp)
    csrw sscratch, t0
    la t0, host_trap_vector
    csrw stvec, t0
    csrw sie, zero
    li fp, 0
    mv t0, ra
    li ra, 0
    jr t0

begin:
    ld t0, 8(tp)
    csrw sscratch, t0
    la t0, host_trap_vector
    csrw stvec, t0
    csrw sie, zero
    li fp, 0
    li ra, 0
    tail hypervisor_main

    .bss
    .balign 16
boot_hart:
    .zero 72
