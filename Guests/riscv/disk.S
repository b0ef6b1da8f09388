# A driver of the virtio disks at 0x10001000, which has eight sectors, and 0x10002000, which cannot be written: asks for
# what is there, and for what no driver may. Prints PASS or FAIL for each.
    .equ RINGS, 0x108000
    .equ AVAILABLE, 0x109000
    .equ USED, 0x10A000
    .equ HEADER, 0x10B000
    .equ STATUS, 0x10B100
    .equ DATA, 0x10C000
    .equ MEMORY_END, 0x110000
    # What the tests below expect: VIRTIO_BLK_S_OK, VIRTIO_BLK_S_IOERR, DEVICE_NEEDS_RESET.
    .equ OK, 0
    .equ ERROR, 1
    .equ BROKEN, 64
    .equ READ, 0
    .equ WRITE, 1

# test NAME, EXPECTED, TYPE, SECTOR, BUFFER, LENGTH: one request.
    .macro test name, expected, type, sector, buffer, length
    li a0, \type
    li a1, \sector
    li a2, \buffer
    li a3, \length
    call request
    li a1, \expected
    la a2, 9f
    call tell
    .section .rodata
9:  .asciz "\name"
    .text
    .endm

    .text
    .globl guest_boot
guest_boot:
    li sp, MEMORY_END
    li s1, 0x10001000
    li s4, RINGS
    call start
    li t0, DATA
    li t1, 0x1122334455667788
    sd t1, 504(t0)
    test "the last sector is written", OK, WRITE, 7, DATA, 512
    li t0, DATA
    sd zero, 504(t0)
    test "it is read", OK, READ, 7, DATA, 512
    li t0, DATA
    ld a0, 504(t0)
    li a1, 0x1122334455667788
    la a2, same
    call tell
    test "the sector behind it is not written", ERROR, WRITE, 8, DATA, 512
    test "nor does it help to begin before", ERROR, WRITE, 7, DATA, 1024
    test "nor a sector so high that its byte is none", ERROR, WRITE, 0x80000000000000, DATA, 512
    test "nor the highest one", ERROR, READ, -1, DATA, 512
    test "part of a sector is none", ERROR, WRITE, 0, DATA, 511
    test "a buffer that ends where memory ends", OK, READ, 0, MEMORY_END - 512, 512
    test "a buffer that ends behind it", BROKEN, READ, 0, MEMORY_END - 511, 512
    test "the device stays broken", BROKEN, READ, 0, DATA, 512
    call start
    test "until it is reset", OK, READ, 0, DATA, 512
    test "a buffer where the hypervisor is", BROKEN, READ, 0, 0x80200000, 512
    call start
    test "a buffer at the end of all addresses", BROKEN, READ, 0, -512, 512
    call start
    # The third descriptor leads back to the first.
    li s3, 1
    test "a chain that does not end", BROKEN, READ, 0, DATA, 512
    li s3, 0
    li s4, 0x80200000
    call start
    test "rings where the hypervisor is", BROKEN, READ, 0, DATA, 512
    li s4, RINGS
    li s1, 0x10002000
    call start
    test "the other disk is read", OK, READ, 0, DATA, 512
    test "and not written", ERROR, WRITE, 0, DATA, 512
    li a7, 0x53525354
    li a6, 0
    li a0, 0
    li a1, 0
    ecall

# Sections 3.1.1 and 4.2.3 of virtio 1.2: the device at s1 begins anew, with its descriptors at s4.
start:
    li t0, AVAILABLE
    sd zero, 0(t0)
    li t0, USED
    sd zero, 0(t0)
    li s2, 0
    sw zero, 0x70(s1)
    li t0, 3
    sw t0, 0x70(s1)
    # VIRTIO_F_VERSION_1.
    li t0, 1
    sw t0, 0x24(s1)
    sw t0, 0x20(s1)
    li t0, 11
    sw t0, 0x70(s1)
    sw zero, 0x30(s1)
    li t0, 8
    sw t0, 0x38(s1)
    sw s4, 0x80(s1)
    sw zero, 0x84(s1)
    li t0, AVAILABLE
    sw t0, 0x90(s1)
    li t0, USED
    sw t0, 0xA0(s1)
    li t0, 1
    sw t0, 0x44(s1)
    li t0, 15
    sw t0, 0x70(s1)
    ret

# A request of the type a0 at the sector a1, with a3 bytes at a2. Result: the request's status, or that of the device
# when it needs a reset.
request:
    li t0, HEADER
    sd a0, 0(t0)
    sd a1, 8(t0)
    li t1, STATUS
    li t2, 0xEE
    sb t2, 0(t1)
    li t3, RINGS
    # The header: 16 bytes, NEXT, 1.
    sd t0, 0(t3)
    li t2, 0x0001000100000010
    sd t2, 8(t3)
    # The data: NEXT, and WRITE for a read, 2.
    sd a2, 16(t3)
    li t2, 0x0002000100000000
    bnez a0, 1f
    li t2, 0x0002000300000000
1:  or t2, t2, a3
    sd t2, 24(t3)
    # The status: WRITE, and with s3 NEXT, 0.
    sd t1, 32(t3)
    li t2, 0x0000000200000001
    slli t0, s3, 32
    or t2, t2, t0
    sd t2, 40(t3)
    # Descriptor 0 is available.
    li t0, AVAILABLE
    addi s2, s2, 1
    fence
    sh s2, 2(t0)
    fence
    sw zero, 0x50(s1)
    lw a0, 0x70(s1)
    andi a0, a0, BROKEN
    bnez a0, 2f
    lbu a0, 0(t1)
2:  ret

# Prints the text at a2 and whether a0 is a1.
tell:
    mv t2, a0
    mv t3, a1
    mv t4, a2
    la t0, before
3:  lbu a0, 0(t0)
    addi t0, t0, 1
    beqz a0, 4f
    li a7, 1
    ecall
    j 3b
4:  bnez t4, 5f
    ret
5:  mv t0, t4
    li t4, 0
    lbu a0, 0(t0)
6:  li a7, 1
    ecall
    addi t0, t0, 1
    lbu a0, 0(t0)
    bnez a0, 6b
    la t0, passed
    beq t2, t3, 3b
    la t0, failed
    j 3b

    .section .rodata
before: .asciz "disk: "
same: .asciz "and is what it was"
passed: .asciz ": PASS\n"
failed: .asciz ": FAIL\n"
