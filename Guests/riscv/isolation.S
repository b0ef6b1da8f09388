# Tries to get at what is not this guest's: by loads, stores, fetches and page-table walks to addresses of the hypervisor,
# the firmware, other guests and the machine's devices, untranslated and through Sv39, Sv48 and Sv57; by the CSRs and
# instructions of the modes above; by SBI calls with addresses that are not its own. Each try must fail.
# One that does not is a leak, told with what it was: kind, number. At the end: how many tries, how many leaks.
#
# It has 256 KiB at 0x100000, and its manifest says "faults guest": a bad access comes back to it as an access fault.
#
# s0 tries, s1 leaks, s2 the address that is tried, s9 the translation's mode, s10 where to go on after a trap,
# s11 the trap's cause, or -1.
    .equ tables, 0x120000
    .equ level4, tables
    .equ level3, tables + 0x1000
    .equ level2, tables + 0x2000
    .equ level1, tables + 0x3000
    .equ level0, tables + 0x4000
    .equ stack_top, 0x13F000
    .equ window, 0x40000000
    .equ walk_window, 0x40200000
    # Entries of page tables: V alone is a table; 0xCF is a leaf that may be read, written and executed.
    .equ leaf, 0xCF

    .globl guest_boot
guest_boot:
    li sp, stack_top
    la t0, handler
    csrw stvec, t0
    li s0, 0
    li s1, 0
    jal make_tables

    # Sv39, Sv48, Sv57, and last untranslated.
    la s8, modes
1:  ld s9, 0(s8)
    csrw satp, s9
    sfence.vma
    jal try_addresses
    addi s8, s8, 8
    bnez s9, 1b

    jal try_csrs
    jal try_instructions
    jal try_calls
    jal try_controller
    # Its own, although there is one of each in a hart: the guest beside (pattern) tells if it gets these values.
    csrw scounteren, zero
    csrw 0x10A, zero // senvcfg

    la a1, text_name
    jal tell
    mv a2, s0
    jal tell_number
    la a1, text_tries
    jal tell
    mv a2, s1
    jal tell_number
    la a1, text_leaks
    jal tell
    # Ends with "system failure" when there was a leak.
    li a7, 0x53525354
    li a6, 0
    li a0, 0
    snez a1, s1
    ecall

    .balign 4
handler:
    csrr s11, scause
    csrw sepc, s10
    # Back to S-mode, whatever was tried.
    li t6, 0x100
    csrs sstatus, t6
    sret

# Virtual addresses below 1 GiB are themselves; one page at `window` is what level0 says, and `walk_window` is translated
# by a table that level1 says.
make_tables:
    li t0, level2
    li t1, leaf
    sd t1, 0(t0)
    li t1, level1 >> 2 | 1
    sd t1, 8(t0)
    li t0, level1
    li t1, level0 >> 2 | 1
    sd t1, 0(t0)
    li t0, level3
    li t1, level2 >> 2 | 1
    sd t1, 0(t0)
    li t0, level4
    li t1, level3 >> 2 | 1
    sd t1, 0(t0)
    ret

# Every 2 MiB from 1 GiB below the machine's memory to 1 GiB beyond its beginning, then every power of two and the word
# before it, then what the list names.
try_addresses:
    addi sp, sp, -16
    sd ra, 0(sp)
    li s2, 0x40000000
    li s3, 0x200000
    li s4, 0xC0000000
1:  jal try_address
    add s2, s2, s3
    bltu s2, s4, 1b
    li s3, 1 << 21
    li s4, 1 << 56
2:  mv s2, s3
    li t0, 0x10000000
    beq s2, t0, 3f
    jal try_address
3:  addi s2, s3, -8
    # 0x0FFFFFF8 is in the PLIC's range, which this guest has.
    li t0, 0x10000000 - 8
    beq s2, t0, 4f
    jal try_address
4:  slli s3, s3, 1
    bltu s3, s4, 2b
    la s5, addresses
5:  ld s2, 0(s5)
    addi s5, s5, 8
    addi t0, s2, 1
    beqz t0, 6f
    jal try_address
    j 5b
6:  ld ra, 0(sp)
    addi sp, sp, 16
    ret

# s2: the physical address. Through the window where there is translation.
try_address:
    addi sp, sp, -16
    sd ra, 0(sp)
    mv a4, s2
    beqz s9, 1f
    srli t0, s2, 12
    slli t0, t0, 10
    ori t1, t0, leaf
    li t2, level0
    sd t1, 0(t2)
    ori t1, t0, 1
    li t2, level1
    sd t1, 8(t2)
    sfence.vma
    slli a4, s2, 52
    srli a4, a4, 52
    li t0, window
    or a4, a4, t0

    # A walk that reads its table there.
    li a2, 'w'
    la s10, 2f
    li s11, -1
    li t0, walk_window
    ld t0, 0(t0)
2:  li a3, 5
    jal expect
1:
    li a2, 'l'
    la s10, 3f
    li s11, -1
    ld t0, 0(a4)
3:  li a3, 5
    jal expect
    li a2, 's'
    la s10, 4f
    li s11, -1
    sd zero, 0(a4)
4:  li a3, 7
    jal expect
    li a2, 'a'
    la s10, 5f
    li s11, -1
    amoor.d t0, zero, (a4)
5:  # QEMU tells of the load that an AMO begins with.
    li a3, 7
    li t0, 5
    bne s11, t0, 7f
    li s11, 7
7:  jal expect
    li a2, 'x'
    la s10, 6f
    li s11, -1
    andi t0, a4, -4
    jalr t1, t0
6:  li a3, 1
    jal expect
    ld ra, 0(sp)
    addi sp, sp, 16
    ret

# s11 must be a3, the cause. a2: the kind of the try, s2: its number.
expect:
    addi s0, s0, 1
    beq s11, a3, 1f
leak:
    addi s1, s1, 1
    # The first ones are told.
    li t0, 16
    bgtu s1, t0, 1f
    addi sp, sp, -16
    sd ra, 0(sp)
    sd a4, 8(sp)
    la a1, text_leak
    mv s7, a2
    jal tell
    mv a0, s7
    li a7, 1
    ecall
    la a1, text_space
    jal tell
    mv a2, s2
    jal tell_number
    la a1, text_line
    jal tell
    ld a4, 8(sp)
    ld ra, 0(sp)
    addi sp, sp, 16
1:  ret

# Reads and writes every CSR of H, VS by its own number, and M: bits 9 and 8 of the number are 2 or 3.
try_csrs:
    addi sp, sp, -16
    sd ra, 0(sp)
    li s2, 0
1:  srli t0, s2, 9
    andi t0, t0, 1
    beqz t0, 3f
    slli t0, s2, 20
    # CSRRS t1, csr, x0
    li t1, 0x00002373
    or t1, t1, t0
    li a2, 'r'
    jal try_instruction
    # CSRRW x0, csr, t1, with 0 in t1
    slli t0, s2, 20
    li t1, 0x00031073
    or t1, t1, t0
    li a2, 'c'
    jal try_instruction
3:  addi s2, s2, 1
    li t0, 4096
    bltu s2, t0, 1b
    ld ra, 0(sp)
    addi sp, sp, 16
    ret

try_instructions:
    addi sp, sp, -16
    sd ra, 0(sp)
    la s5, instructions
1:  lwu s2, 0(s5)
    addi s5, s5, 4
    beqz s2, 2f
    mv t1, s2
    li a2, 'i'
    jal try_instruction
    j 1b
2:  ld ra, 0(sp)
    addi sp, sp, 16
    ret

# t1: the instruction; it must be illegal.
try_instruction:
    addi sp, sp, -16
    sd ra, 0(sp)
    la t0, patch
    sw t1, 0(t0)
    fence.i
    la s10, 1f
    li s11, -1
    la a0, tables
    li t1, 0
    .balign 4
patch:
    .word 0x00000013
1:  slli s11, s11, 32
    srai s11, s11, 32
    li a3, 2
    jal expect
    ld ra, 0(sp)
    addi sp, sp, 16
    ret

# SBI calls: an entry is a7, a6, a0, a1, a2. Each must give an error.
try_calls:
    addi sp, sp, -16
    sd ra, 0(sp)
    la s5, calls
    li s2, 0
1:  ld a7, 0(s5)
    beqz a7, 3f
    ld a6, 8(s5)
    ld a0, 16(s5)
    ld a1, 24(s5)
    ld a2, 32(s5)
    addi s5, s5, 40
    ecall
    addi s0, s0, 1
    bltz a0, 2f
    li a2, 'e'
    jal leak
2:  addi s2, s2, 1
    j 1b
3:  ld ra, 0(sp)
    addi sp, sp, 16
    ret

# The PLIC: contexts that are not this guest's take nothing.
try_controller:
    addi sp, sp, -16
    sd ra, 0(sp)
    li s2, 1
1:  li t0, 0x0C200000
    slli t1, s2, 12
    add t0, t0, t1
    li t2, 5
    sw t2, 0(t0)
    lw t3, 0(t0)
    lw t4, 4(t0)
    or t3, t3, t4
    li t0, 0x0C002000
    slli t1, s2, 7
    add t0, t0, t1
    sw t2, 0(t0)
    lw t4, 0(t0)
    or t3, t3, t4
    addi s0, s0, 1
    beqz t3, 2f
    li a2, 'p'
    jal leak
2:  addi s2, s2, 1
    li t0, 64
    bltu s2, t0, 1b
    ld ra, 0(sp)
    addi sp, sp, 16
    ret

#include "tell.h"

    .balign 8
modes:
    .quad 8 << 60 | level2 >> 12
    .quad 9 << 60 | level3 >> 12
    .quad 10 << 60 | level4 >> 12
    .quad 0

# Besides those that are counted up to: 0, what is next to its own memory, the machine's test device, RTC, CLINT, virtio,
# flash, PCI; its own device tree's end. -1 ends the list.
addresses:
    .quad 0x0, 0x1000, 0xFF000, 0xFFFF8, 0x140000, 0x141000, 0x101000000, 0x02000000, 0x0200BFF8, 0x03000000
    .quad 0x10000100, 0x10009000, 0x20000000, 0x30000000, 0x80000000, 0x80080000, 0x80200000, 0x80300000
    .quad 0xC0000000, 0x100000000, 0x400000000, -1

# MRET, HFENCE.VVMA, HFENCE.GVMA, HLV.B, HLV.D, HLVX.HU, HLVX.WU, HSV.B, HSV.D, DRET.
instructions:
    .word 0x30200073, 0x22000073, 0x62000073, 0x60054373, 0x6C054373, 0x64354373, 0x68354373, 0x62654073, 0x6E654073
    .word 0x7B200073, 0

    .balign 8
calls:
    # DBCN write and read: the hypervisor, beyond its own memory, the high half of an address, round the end of addresses.
    .quad 0x4442434E, 0, 8, 0x80200000, 0
    .quad 0x4442434E, 1, 8, 0x80200000, 0
    .quad 0x4442434E, 0, 16, 0x13FFF8, 0
    .quad 0x4442434E, 1, 16, 0x13FFF8, 0
    .quad 0x4442434E, 0, 8, 0x100000, 1
    .quad 0x4442434E, 0, 1024, 0xFFFFFFFFFFFFFFF8, 0
    .quad 0x4442434E, 1, 1024, 0xFFFFFFFFFFFFFFF8, 0
    .quad 0x4442434E, 0, -1, 0x80000000, 0
    # IPI and fence to harts of others, also by a base.
    .quad 0x735049, 0, 2, 0, 0
    .quad 0x735049, 0, 1, 1, 0
    .quad 0x735049, 0, 1, 63, 0
    .quad 0x735049, 0, 1, -2, 0
    .quad 0x52464E43, 0, 2, 0, 0
    .quad 0x52464E43, 1, 1, 7, 0
    # HFENCE of a guest's guest.
    .quad 0x52464E43, 3, 1, 0, 0
    .quad 0x52464E43, 6, 1, 0, 0
    # HSM: a hart of others to start, its state, and one's own again.
    .quad 0x48534D, 0, 1, 0x100000, 0
    .quad 0x48534D, 0, -1, 0x80200000, 0
    .quad 0x48534D, 0, 0, 0x80200000, 0
    .quad 0x48534D, 2, 1, 0, 0
    .quad 0x48534D, 3, 0x80000000, 0x80200000, 0
    # SRST: kinds and reasons that there are not.
    .quad 0x53525354, 0, 3, 0, 0
    .quad 0x53525354, 0, 0, 2, 0
    # Legacy: a mask in memory that is not its own.
    .quad 4, 0, 0x80200000, 0, 0
    .quad 5, 0, 0x80200000, 0, 0
    .quad 6, 0, 0x13FFFC, 0, 0
    # Extensions that there are not: PMU, NACL, SUSP, CPPC, STA, a vendor's.
    .quad 0x504D55, 0, 0, 0, 0
    .quad 0x4E41434C, 0, 0, 0x80200000, 0
    .quad 0x53555350, 0, 0, 0x80200000, 0
    .quad 0x43505043, 0, 0, 0, 0
    .quad 0x535441, 0, 0x80200000, 0, 0
    .quad 0x09000000, 0, 0, 0, 0
    .quad 0

text_name: .asciz "isolation: "
text_tries: .asciz " tries, "
text_leaks: .asciz " leaks\n"
text_leak: .asciz "isolation: leak: "
text_space: .asciz " "
text_line: .asciz "\n"
