# Watches its memory: fills it with a pattern, and looks at every word of it, over and over, until something is typed.
# Then it looks once more, and tells how often it has looked and how many words were not as they were.
#
# So it does with two registers that hypervisors must keep for each guest, as there are none of VS-mode for them: scounteren
# and senvcfg.
#
# Its own page is loaded 4 KiB behind the beginning of its 4 MiB at 0x80000000; its code is summed up in each round too.
#
# s0 rounds, s1 changes, s2 the beginning of memory, s3 its end, s4 this page, s5 the page behind it, s6 the code's sum,
# s7 the pattern's factor, s8 whether something has been typed.
    .equ memory_size, 4 << 20
    .equ senvcfg, 0x10A

    .globl guest_boot
guest_boot:
    la s4, guest_boot
    li t0, 4096
    sub s2, s4, t0
    add s5, s4, t0
    li t0, memory_size
    add s3, s2, t0
    li s7, 0x9E3779B97F4A7C15
    li s0, 0
    li s1, 0
    li s8, 0

    # A word's value is its address times the factor.
    mv t0, s2
1:  bne t0, s4, 2f
    mv t0, s5
2:  mul t1, t0, s7
    sd t1, 0(t0)
    addi t0, t0, 8
    bltu t0, s3, 1b
    jal sum_code
    mv s6, a0
    jal set_registers
    la a1, text_begins
    jal tell

round:
    mv t0, s2
1:  bne t0, s4, 2f
    mv t0, s5
2:  mul t1, t0, s7
    ld t2, 0(t0)
    beq t1, t2, 3f
    addi s1, s1, 1
    # As it was, so that each change counts once.
    sd t1, 0(t0)
3:  addi t0, t0, 8
    bltu t0, s3, 1b
    jal sum_code
    beq a0, s6, 4f
    addi s1, s1, 1
    mv s6, a0
4:  csrr t0, scounteren
    xori t0, t0, 5
    csrr t1, senvcfg
    xori t1, t1, 0x10
    or t0, t0, t1
    beqz t0, 5f
    addi s1, s1, 1
    jal set_registers
5:  addi s0, s0, 1
    bnez s8, end
    # Console getchar: -1 when nothing has been typed.
    li a7, 2
    ecall
    bltz a0, round
    li s8, 1
    j round

end:
    la a1, text_name
    jal tell
    mv a2, s0
    jal tell_number
    la a1, text_rounds
    jal tell
    mv a2, s1
    jal tell_number
    la a1, text_changes
    jal tell
    # Ends with "system failure" when there was a change.
    li a7, 0x53525354
    li a6, 0
    li a0, 0
    snez a1, s1
    ecall

# CY and IR, no TM; CBIE 01. Nothing here depends on them.
set_registers:
    li t0, 5
    csrw scounteren, t0
    li t0, 0x10
    csrw senvcfg, t0
    ret

# a0: the sum of the words of the code.
sum_code:
    mv t0, s4
    la t1, digits
    li a0, 0
1:  lw t2, 0(t0)
    add a0, a0, t2
    slli t3, a0, 13
    xor a0, a0, t3
    addi t0, t0, 4
    bltu t0, t1, 1b
    ret

text_begins: .asciz "pattern: begins\n"
text_name: .asciz "pattern: "
text_rounds: .asciz " rounds, "
text_changes: .asciz " words changed\n"

#include "tell.h"
