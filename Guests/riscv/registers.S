# Fills all 31 registers with values of their own, calls the hypervisor, and compares: only a0 and a1, the results, may
# have changed. Prints PASS or FAIL.
    .globl guest_boot
guest_boot:
    .irp n, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 14, 15, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    li x\n, 0x1122334455660000 + \n
    .endr
    # The SBI's version: BASE, function 0.
    li a7, 0x10
    li a6, 0
    li a0, 10
    li a1, 11
    ecall
    bnez a0, fail
    li a0, 0x02000000
    bne a1, a0, fail
    .irp n, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 14, 15, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    li a0, 0x1122334455660000 + \n
    bne x\n, a0, fail
    .endr
    li a0, 0x10
    bne a7, a0, fail
    bnez a6, fail
    la s0, passed
    j tell
fail:
    la s0, failed
tell:
    lbu a0, 0(s0)
    beqz a0, end
    li a7, 1
    ecall
    addi s0, s0, 1
    j tell
end:
    li a7, 0x53525354
    li a6, 0
    li a0, 0
    li a1, 0
    ecall
passed: .asciz "registers: PASS, all 31 are as they were\n"
failed: .asciz "registers: FAIL\n"
