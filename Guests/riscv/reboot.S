# Counts in its memory and reboots: a guest that starts anew finds its memory as it was loaded, so the count is 1 again.
# Time goes on through reboots: 0.3 s after its first start it powers off instead.
    .globl guest_boot
guest_boot:
    la t0, count
    lw t1, 0(t0)
    addi t1, t1, 1
    sw t1, 0(t0)
    addi a0, t1, '0'
    li a7, 1
    ecall
    li a0, '\n'
    li a7, 1
    ecall
    # A tenth of a second, at 10 MHz.
    rdtime t0
    li t1, 1000000
    add t1, t1, t0
1:  rdtime t2
    bltu t2, t1, 1b
    li t3, 3000000
    li a7, 0x53525354
    li a6, 0
    # 1: cold reboot; 0: shutdown.
    sltu a0, t2, t3
    li a1, 0
    ecall
count: .word 0
