# The world switch: into a guest and back, for enter_guest in State.h.
    .equ VCPU_PC, 256
    .equ VCPU_HOST_SP, 312
    .equ VCPU_F, 392

    .text
    .balign 4
    .globl enter_guest
# a0: the virtual hart. Comes back, as a function does, when the guest has trapped into HS-mode.
enter_guest:
    addi sp, sp, -128
    sd ra, 0(sp)
    sd s0, 8(sp)
    sd s1, 16(sp)
    sd s2, 24(sp)
    sd s3, 32(sp)
    sd s4, 40(sp)
    sd s5, 48(sp)
    sd s6, 56(sp)
    sd s7, 64(sp)
    sd s8, 72(sp)
    sd s9, 80(sp)
    sd s10, 88(sp)
    sd s11, 96(sp)
    sd tp, 104(sp)
    # What the trap vector of the hypervisor itself needs of sscratch.
    csrr t0, sscratch
    sd t0, 112(sp)
    sd sp, VCPU_HOST_SP(a0)

    csrw sscratch, a0
    la t0, leave_guest
    csrw stvec, t0
    ld t0, VCPU_PC(a0)
    csrw sepc, t0
    ld t0, VCPU_PC+8(a0)
    csrw sstatus, t0
    ld t0, VCPU_PC+16(a0)
    csrw hstatus, t0
    .irp n, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    ld x\n, 8*\n(a0)
    .endr
    ld a0, 80(a0)
    sret

    .balign 4
leave_guest:
    csrrw a0, sscratch, a0
    .irp n, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    sd x\n, 8*\n(a0)
    .endr
    ld sp, VCPU_HOST_SP(a0)
    ld t1, 112(sp)
    csrrw t0, sscratch, t1
    sd t0, 80(a0)
    la t0, host_trap_vector
    csrw stvec, t0
    csrr t0, sepc
    csrr t1, sstatus
    csrr t2, hstatus
    csrr t3, scause
    csrr t4, stval
    csrr t5, htval
    csrr t6, htinst
    sd t0, VCPU_PC(a0)
    sd t1, VCPU_PC+8(a0)
    sd t2, VCPU_PC+16(a0)
    sd t3, VCPU_PC+24(a0)
    sd t4, VCPU_PC+32(a0)
    sd t5, VCPU_PC+40(a0)
    sd t6, VCPU_PC+48(a0)
    ld ra, 0(sp)
    ld s0, 8(sp)
    ld s1, 16(sp)
    ld s2, 24(sp)
    ld s3, 32(sp)
    ld s4, 40(sp)
    ld s5, 48(sp)
    ld s6, 56(sp)
    ld s7, 64(sp)
    ld s8, 72(sp)
    ld s9, 80(sp)
    ld s10, 88(sp)
    ld s11, 96(sp)
    ld tp, 104(sp)
    addi sp, sp, 128
    ret

# The guest's F and D state. The hypervisor is compiled for no such registers, so they keep the guest's values until
# another virtual hart comes to this hart. sstatus.FS must be on, which the caller sees to.
    .option arch, +d
    .globl save_floating_point
save_floating_point:
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    fsd f\n, VCPU_F+8*\n(a0)
    .endr
    frcsr t0
    sd t0, VCPU_F+256(a0)
    ret

    .globl restore_floating_point
restore_floating_point:
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    fld f\n, VCPU_F+8*\n(a0)
    .endr
    ld t0, VCPU_F+256(a0)
    fscsr t0
    ret
