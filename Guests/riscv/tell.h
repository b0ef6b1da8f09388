// For guests that tell what they have found, by the SBI's legacy console.

    .balign 4
# a1: text, up to a 0. Changes a0, a1, a7, t3.
tell:
    lbu a0, 0(a1)
    beqz a0, 1f
    li a7, 1
    mv t3, a1
    ecall
    addi a1, t3, 1
    j tell
1:  ret

# a2: a number, told in decimal digits. Changes a0, a1, a2, a7, t0 to t3.
tell_number:
    mv t2, ra
    la a1, digits_end
    li t0, 10
1:  remu t1, a2, t0
    addi t1, t1, '0'
    addi a1, a1, -1
    sb t1, 0(a1)
    divu a2, a2, t0
    bnez a2, 1b
    jal tell
    jr t2
    .balign 4
digits: .zero 20
digits_end: .byte 0
