# Traps in the hypervisor itself. None is expected but where `fixup` of `struct hart` says where to go on.
# All else is the hypervisor's death, told by host_trap_main on a stack of its own: the other one may be the reason.
    .text
    .balign 4
    .globl host_trap_vector
host_trap_vector:
    csrrw sp, sscratch, sp
    addi sp, sp, -256
    sd t0, 40(sp)
    ld t0, 16(tp)
    beqz t0, 1f
    csrw sepc, t0
    sd zero, 16(tp)
    csrr t0, scause
    sd t0, 24(tp)
    csrr t0, stval
    sd t0, 32(tp)
    ld t0, 40(sp)
    addi sp, sp, 256
    csrrw sp, sscratch, sp
    sret
1:  sd ra, 8(sp)
    csrr t0, sscratch
    sd t0, 16(sp)
    sd gp, 24(sp)
    sd tp, 32(sp)
    .irp n, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    sd x\n, 8*\n(sp)
    .endr
    # A second death while the first is told would find this stack again; let it end at once instead.
    la t0, host_trap_again
    csrw stvec, t0
    mv a0, sp
    call host_trap_main
    .balign 4
host_trap_again:
    # SRST: shutdown, for the reason "system failure".
    li a7, 0x53525354
    li a6, 0
    li a0, 0
    li a1, 1
    ecall
2:  wfi
    j 2b

# Reads that may trap: the address to go on at is kept in `fixup`.
    .globl read_guest_instruction_half
read_guest_instruction_half:
    la t0, 9f
    sd t0, 16(tp)
    # HLVX.HU a1, (a0)
    .insn r 0x73, 4, 0x32, a1, a0, x3
    mv a0, a1
    sd zero, 16(tp)
    ret

    .globl probe_stimecmp
probe_stimecmp:
    la t0, 8f
    sd t0, 16(tp)
    csrr a1, 0x14D
    sd zero, 16(tp)
    li a0, 1
    ret

    .globl probe_hgatp
probe_hgatp:
    la t0, 8f
    sd t0, 16(tp)
    csrr a1, 0x680
    sd zero, 16(tp)
    li a0, 1
    ret

    .globl probe_henvcfg
probe_henvcfg:
    la t0, 8f
    sd t0, 16(tp)
    csrr a1, 0x60A
    sd zero, 16(tp)
    li a0, 1
    ret
    .balign 4
8:  li a0, 0
    ret
    .balign 4
9:  li a0, -1
    ret
