# Hart 1 suspends itself by the SBI. Meanwhile hart 0 asks what it does, and tells: 4, suspended. Then it starts a hart at an
# address where no instruction can begin, and tells what comes back, without its sign: 5, invalid address.
    .globl guest_boot
guest_boot:
    li a0, 1
    la a1, suspender
    li a7, 0x48534D
    li a6, 0
    ecall
    # 0.2 s at 10 MHz.
    rdtime t0
    li t1, 2000000
    add t0, t0, t1
1:  rdtime t1
    bltu t1, t0, 1b
    li a0, 1
    li a7, 0x48534D
    li a6, 2
    ecall
    addi a0, a1, '0'
    li a7, 1
    ecall
    li a0, 2
    la a1, suspender + 1
    li a7, 0x48534D
    li a6, 0
    ecall
    li t0, '0'
    sub a0, t0, a0
    li a7, 1
    ecall
    li a0, '\n'
    li a7, 1
    ecall
    li a7, 8
    ecall

suspender:
    li a7, 0x48534D
    li a6, 3
    li a0, 0
    ecall
    j suspender
