# Hart 1 starts hart 0 without end, and so at the moment, too, when hart 0 has powered the guest off. What is started then
# must not run: its memory may be somebody else's already. It would restart the guest, which is told on the console.
    .globl guest_boot
guest_boot:
    la a1, starter
    li a0, 1
    li a2, 0
    li a7, 0x48534D
    li a6, 0
    ecall
    # 0.3 s at 10 MHz, for hart 1 to be at it.
    rdtime t0
    li t1, 3000000
    add t0, t0, t1
1:  rdtime t1
    bltu t1, t0, 1b
    li a7, 0x53525354
    li a6, 0
    li a0, 0
    li a1, 0
    ecall
2:  j 2b

starter:
    la a1, risen
    li a0, 0
    li a2, 0
    li a7, 0x48534D
    li a6, 0
    ecall
    j starter

risen:
    li a0, 'Z'
    li a7, 1
    ecall
    li a7, 0x53525354
    li a6, 0
    li a0, 1
    li a1, 0
    ecall
    j risen
