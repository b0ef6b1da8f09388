# A guest with bad intentions: it reads where it has no memory. It must not come to the second line.
    .globl guest_boot
guest_boot:
    li t0, 0x80200000
    ld t1, 0(t0)
    li a7, 1
    li a0, '!'
    ecall
1:  j 1b
