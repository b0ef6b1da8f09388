// mbr: a boot sector, 512 bytes at 0x7C00, that loads a second stage.
//
// A PC's firmware reads the first sector of the boot disk to 0x7C00, checks that its last two bytes are 55 AA, puts
// the drive's number into DL (0x80 is the first hard disk), and jumps there in real mode. 446 bytes of code is all a
// boot sector has, where a partition table follows; so it loads a second stage.
//
// Honestly: a real boot sector asks the firmware (INT 0x13) or a disk controller for the next sectors. This machine has
// no firmware, and this lesson no disk yet. The monitor places the whole image at 0x7C00, so the second sector lies at
// 0x7E00, where a boot sector's own first read would often put it. Stage one does the rest: it checks that sector's
// signature, copies it to where it was made to run, and jumps.
#define LOAD 0x7C00
#include "guest.h"

#define FIRST_DISK 0x80
#define SECTOR 512
#define STAGE_TWO_LOADED (LOAD + SECTOR)    // where it lies
#define STAGE_TWO 0x1000                    // where it runs
#define STAGE_TWO_SIGNATURE 0x32475453      // the bytes "STG2"
#define AT2(label) ((label) - stage_two + STAGE_TWO)

// Both stages need to print, and cannot share the code: it lies at different distances. So it is written once and
// assembled twice.
.macro printing stage:req
print\stage:                            // the text at DS:SI
    lodsb
    testb   %al, %al
    jz      2f
    movb    %al, %ah
    movw    $LINE_STATUS_PORT, %dx
1:  inb     %dx, %al
    testb   $1 << 5, %al
    jz      1b
    movb    %ah, %al
    movw    $GUEST_SERIAL_PORT, %dx
    outb    %al, %dx
    jmp     print\stage
2:  ret
.endm

    guest   mbr
    cli
    ljmp    $0, $AT(1f)                 // some firmware jumps to 0x07C0:0 instead: now CS is 0 for certain
1:  xorw    %ax, %ax
    movw    %ax, %ds
    movw    %ax, %es
    movw    %ax, %ss
    movw    $LOAD, %sp                  // the stack grows down from the boot sector
    cld

    movb    $1, %bl                     // BL: the check that fails, if one does
    cmpb    $FIRST_DISK, %dl
    jne     failed
    movw    $AT(disk_text), %si
    call    print1

    movb    $2, %bl
    cmpw    $0xAA55, LOAD + SECTOR - 2
    jne     failed
    movw    $AT(signature_text), %si
    call    print1

    movb    $3, %bl
    cmpl    $STAGE_TWO_SIGNATURE, STAGE_TWO_LOADED
    jne     failed
    movw    $AT(found_text), %si
    call    print1

    movw    $STAGE_TWO_LOADED, %si
    movw    $STAGE_TWO, %di
    movw    $SECTOR / 2, %cx
    rep movsw
    ljmp    $0, $AT2(stage_two_entry)

failed:
    movw    $AT(failed_text), %si
    call    print1
    movb    %bl, %al
    outb    %al, $GUEST_EXIT_PORT
1:  hlt
    jmp     1b

    printing 1

disk_text:
    .asciz  "mbr: started at 0x7C00 from disk 0x80: ok\n"
signature_text:
    .asciz  "mbr: the sector ends with 55 AA: ok\n"
found_text:
    .asciz  "mbr: stage two found at 0x7E00, copying to 0x1000\n"
failed_text:
    .asciz  "mbr: check failed\n"

    // The signature at the end of the sector. The assembler refuses a stage one that is too long: it would have to
    // move backwards.
    .org    SECTOR - 2
    .byte   0x55, 0xAA

    // The second sector.
stage_two:
    .long   STAGE_TWO_SIGNATURE
    .short  SECTOR                      // its length

stage_two_entry:
    movb    $4, %bl
    call    1f                          // a call pushes the address of what follows it: where do we run?
1:  popw    %ax
    cmpw    $AT2(1b), %ax
    jne     stage_two_failed
    movw    $AT2(running_text), %si
    call    print2

    // Stage one may be overwritten now, as a kernel would do that is loaded over it.
    movb    $5, %bl
    movw    $LOAD, %di
    movw    $SECTOR, %cx                // both sectors, in words
    xorw    %ax, %ax
    rep stosw
    cmpl    $0, LOAD
    jne     stage_two_failed
    cmpl    $STAGE_TWO_SIGNATURE, STAGE_TWO
    jne     stage_two_failed
    movw    $AT2(alone_text), %si
    call    print2
    finish
1:  hlt
    jmp     1b

stage_two_failed:
    movw    $AT2(stage_two_failed_text), %si
    call    print2
    movb    %bl, %al
    outb    %al, $GUEST_EXIT_PORT
1:  hlt
    jmp     1b

    printing 2

running_text:
    .asciz  "mbr: stage two runs at 0x1000: ok\n"
alone_text:
    .asciz  "mbr: stage one is erased, stage two goes on: ok\n"
stage_two_failed_text:
    .asciz  "mbr: check failed in stage two\n"
    .org    2 * SECTOR
    guest_end mbr
