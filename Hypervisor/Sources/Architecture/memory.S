# The four functions that compilers call without being asked. In a language whose compiler makes a call of memcpy out of
# a loop that copies, they would call themselves.
    .text
    .globl memset
memset:
    mv t0, a0
    andi a1, a1, 0xFF
    li t3, 8
    bltu a2, t3, 3f
1:  andi t1, t0, 7
    beqz t1, 2f
    sb a1, 0(t0)
    addi t0, t0, 1
    addi a2, a2, -1
    j 1b
2:  slli t1, a1, 8
    or t2, a1, t1
    slli t1, t2, 16
    or t2, t2, t1
    slli t1, t2, 32
    or t2, t2, t1
4:  bltu a2, t3, 3f
    sd t2, 0(t0)
    addi t0, t0, 8
    addi a2, a2, -8
    j 4b
3:  beqz a2, 5f
    sb a1, 0(t0)
    addi t0, t0, 1
    addi a2, a2, -1
    j 3b
5:  ret

    .globl memmove
memmove:
    bltu a0, a1, memcpy
    beq a0, a1, 3f
    add t0, a0, a2
    add t1, a1, a2
1:  beq t0, a0, 3f
    addi t0, t0, -1
    addi t1, t1, -1
    lbu t2, 0(t1)
    sb t2, 0(t0)
    j 1b
3:  ret

    .globl memcpy
memcpy:
    mv t0, a0
    li t3, 8
    xor t1, a0, a1
    andi t1, t1, 7
    bnez t1, 3f
1:  andi t1, t0, 7
    beqz t1, 2f
    beqz a2, 4f
    lbu t2, 0(a1)
    sb t2, 0(t0)
    addi t0, t0, 1
    addi a1, a1, 1
    addi a2, a2, -1
    j 1b
2:  bltu a2, t3, 3f
    ld t2, 0(a1)
    sd t2, 0(t0)
    addi t0, t0, 8
    addi a1, a1, 8
    addi a2, a2, -8
    j 2b
3:  beqz a2, 4f
    lbu t2, 0(a1)
    sb t2, 0(t0)
    addi t0, t0, 1
    addi a1, a1, 1
    addi a2, a2, -1
    j 3b
4:  ret

    .globl memcmp
memcmp:
1:  beqz a2, 2f
    lbu t0, 0(a0)
    lbu t1, 0(a1)
    bne t0, t1, 3f
    addi a0, a0, 1
    addi a1, a1, 1
    addi a2, a2, -1
    j 1b
2:  li a0, 0
    ret
3:  sub a0, t0, t1
    ret

# The Swift compiler lets no Swift function have this name.
    .globl free
free:
    tail heap_free
