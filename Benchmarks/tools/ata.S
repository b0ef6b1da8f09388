// ata: a whole disk whose boot sector reads, or writes, KIBIBYTES of what lies behind it by programmed I/O, as a driver
// does that polls: READ MULTIPLE with the largest blocks that the drive has, 256 sectors a command, the status before
// each block and after the last, and each block by one 32-bit string instruction. It says when it begins and when it
// has done, and ends; the time between the two lines is what is measured. It needs no BIOS and minds none.
//
//     clang -c -DKIBIBYTES=1024 [-DWRITE] [-DSECTORS] ata.S -o ata.o && llvm-objcopy -O binary -j .text ata.o ata.img
//
//   WRITE      write instead of read (WRITE MULTIPLE)
//   SECTORS    a command for each sector (READ SECTORS, WRITE SECTORS), as teaching kernels do
//
// Each sector of the disk begins with its own number, which a sector that was read must have. What is written has the
// number's complement there, and is read again after the end of the time, whereupon it must have that.
//
// Exit status (port 0xF4): 0, or 1 when the drive told of an error or a sector was another one.
#ifndef KIBIBYTES
#define KIBIBYTES 1024
#endif
#ifdef SECTORS
#define COMMAND_SECTORS 1
#else
#define COMMAND_SECTORS 256
#endif
#ifdef WRITE
#define PATTERN 0xFFFFFFFF
#else
#define PATTERN 0
#endif
#define LAST (2 * KIBIBYTES)            // the last sector; the first is 1

#define BUFFER 0x10000                  // a block
#define SERIAL_DATA 0x3F8
#define EXIT_PORT 0xF4

#define AT(label) ((label) - start + 0x7C00)

    .text
    .code16
start:
    cli
    ljmp    $0, $AT(1f)
1:  xorw    %ax, %ax
    movw    %ax, %ds
    lgdtw   AT(gdt_register)
    movl    %cr0, %eax
    orb     $1, %al
    movl    %eax, %cr0
    ljmp    $8, $AT(protected)

    .code32
protected:
    movw    $16, %ax
    movw    %ax, %ds
    movw    %ax, %es
    movw    %ax, %ss
    movl    $0x7C00, %esp
    cld
    movw    $0x3F6, %dx
    movb    $1 << 1, %al
    outb    %al, %dx                    // nIEN: no interrupts
    movl    $1, %ebp
#ifndef SECTORS
    // The largest block: IDENTIFY DEVICE, word 47, bits 7 to 0 (ATA8-ACS). It becomes the drive's by SET MULTIPLE MODE.
    movl    $1, %ebx
    movb    $0xEC, %ah
    call    command
    call    data_ready
    movl    $BUFFER, %edi
    movl    $512 / 4, %ecx
    rep insl
    movzbl  BUFFER + 2 * 47, %ebp
    movl    $1, %ebx
    movb    $0xC6, %ah
    movl    %ebp, %ecx
    call    command_of
    call    ready
#endif

    movl    $AT(begin_text), %esi
    call    print
#ifdef WRITE
    movl    $1, %ebx
1:  call    write_command
    cmpl    $LAST, %ebx
    jbe     1b
#else
    call    read_all
#endif
    movl    $AT(end_text), %esi
    call    print
#ifdef WRITE
    call    read_all
#endif
    xorb    %al, %al
end:
    outb    %al, $EXIT_PORT
1:  hlt
    jmp     1b

failed:
    movb    $1, %al
    jmp     end

read_all:
    movl    $1, %ebx
1:  call    read_command
    cmpl    $LAST, %ebx
    jbe     1b
    ret

    // Gives the command AH for COMMAND_SECTORS, or CL, sectors from EBX on. Changes EAX, ECX, EDX.
command:
    movb    $COMMAND_SECTORS & 0xFF, %cl    // 0 means 256
command_of:
    pushl   %eax
    call    ready
    movw    $0x1F2, %dx
    movb    %cl, %al
    outb    %al, %dx
    incl    %edx
    movl    %ebx, %eax
    outb    %al, %dx
    incl    %edx
    shrl    $8, %eax
    outb    %al, %dx
    incl    %edx
    shrl    $8, %eax
    outb    %al, %dx
    incl    %edx
    movb    $0xE0, %al                  // drive 0, LBA
    outb    %al, %dx
    incl    %edx
    popl    %eax
    movb    %ah, %al
    outb    %al, %dx
    ret

    // Waits until BSY is clear; the drive must not have failed then. Leaves the status in AL.
ready:
    movw    $0x1F7, %dx
1:  inb     %dx, %al
    testb   $1 << 7, %al
    jnz     1b
    testb   $1 << 5 | 1 << 0, %al       // DF, ERR
    jnz     failed
    ret

    // The same, and there must be data to move: DRQ. Leaves the data port in DX.
data_ready:
    call    ready
    testb   $1 << 3, %al
    jz      failed
    movw    $0x1F0, %dx
    ret

    // Reads COMMAND_SECTORS from EBX on, and looks whether they are those.
read_command:
#ifdef SECTORS
    movb    $0x20, %ah                  // READ SECTORS
#else
    movb    $0xC4, %ah                  // READ MULTIPLE
#endif
    call    command
    leal    COMMAND_SECTORS(%ebx), %eax
1:  pushl   %eax
    call    data_ready
    movl    $BUFFER, %edi
    movl    %ebp, %ecx
    shll    $7, %ecx
    rep insl
    movl    $BUFFER, %edi
    movl    %ebp, %ecx
2:  movl    %ebx, %eax
    xorl    $PATTERN, %eax
    cmpl    %eax, (%edi)
    jne     failed
    incl    %ebx
    addl    $512, %edi
    loop    2b
    popl    %eax
    cmpl    %eax, %ebx
    jb      1b
    jmp     ready

#ifdef WRITE
    // Writes COMMAND_SECTORS from EBX on.
write_command:
#ifdef SECTORS
    movb    $0x30, %ah                  // WRITE SECTORS
#else
    movb    $0xC5, %ah                  // WRITE MULTIPLE
#endif
    call    command
    leal    COMMAND_SECTORS(%ebx), %eax
1:  pushl   %eax
    movl    $BUFFER, %edi
    movl    %ebp, %ecx
2:  movl    %ebx, %eax
    xorl    $PATTERN, %eax
    movl    %eax, (%edi)
    incl    %ebx
    addl    $512, %edi
    loop    2b
    call    data_ready
    movl    $BUFFER, %esi
    movl    %ebp, %ecx
    shll    $7, %ecx
    rep outsl
    popl    %eax
    cmpl    %eax, %ebx
    jb      1b
    jmp     ready
#endif

    // Prints the text at ESI.
print:
    lodsb
    testb   %al, %al
    jz      1f
    movw    $SERIAL_DATA + 5, %dx
    movb    %al, %ah
2:  inb     %dx, %al
    testb   $1 << 5, %al
    jz      2b
    movw    $SERIAL_DATA, %dx
    movb    %ah, %al
    outb    %al, %dx
    jmp     print
1:  ret

begin_text:
    .asciz  "ata: begin\n"
end_text:
    .asciz  "ata: end\n"

    .balign 8
gdt:
    .quad   0, 0x00CF9A000000FFFF, 0x00CF92000000FFFF
gdt_register:
    .short  gdt_register - gdt - 1
    .long   AT(gdt)
    .org    510
    .byte   0x55, 0xAA

    // The sectors.
    .set    number, 0
    .rept   LAST
    .set    number, number + 1
    .long   number
    .zero   508
    .endr

    .section .note.GNU-stack, "", @progbits
