// restart: a disk that restarts its machine in each way that a PC has, and tells what the restart left.
//
// Its boot sector reads the sectors behind it, counts this boot in the last of them, and prints the count as a letter
// from A on and a line's end. Then it does what the characters say that come over the serial port:
//
//   k   keyboard controller: pulses the reset line         o   keyboard controller: clears bit 0 of the output port
//   p   port 0xCF9: hard reset                             s   port 0xCF9: resets the processor alone
//   a   port 0x92                                          t   triple fault
//   r   ACPI: looks for the FADT's reset register and writes its value there, and nowhere else
//   w   with a hexadecimal digit: leaves marks, and asks by that shutdown code to come back
//   m   prints the marks: memory, a CMOS byte, the shutdown code, the clock's date
//   c   starts the other processors, which then sleep, and prints how many there are
//   .   ends the run with status 0
//
// Where it comes back by the warm reset vector, it prints R, its CS, IF and DS, and goes on with the next character.
// Should a way not restart the machine, the run ends with status 99.
#define LOAD 0x7C00
#include "guest.h"

#define SECTORS 4                       // that are behind the boot sector; the last one counts
#define COUNT_SECTOR (LOAD + SECTORS * 512)
#define MARK 0x9000
#define STARTED 0x9010                  // processors
#define OTHERS 0x6000                   // where they begin
#define RESUME_SEGMENT 0x0700           // so that segment and offset both count
#define NOT_RESTARTED 99

    guest   restart
    cli
    xorw    %ax, %ax
    movw    %ax, %ds
    movw    %ax, %es
    movw    %ax, %ss
    movw    $STACK_TOP, %sp
    cld
    movw    $SECTORS << 8 | 1, %bx      // from sector 1 on
    movb    $0x20, %al                  // READ SECTORS
    call    disk_command
    movw    $LOAD + 512, %di
    movb    $SECTORS, %bl
1:  call    wait_for_data
    movw    $256, %cx
    rep insw
    decb    %bl
    jnz     1b
    jmp     start

    // Gives the first drive the command AL for BH sectors from BL on.
disk_command:
    pushw   %ax
    movw    $0x1F7, %dx
1:  inb     %dx, %al
    testb   $0x80, %al
    jnz     1b
    movw    $0x3F6, %dx
    movb    $2, %al                     // no interrupts
    outb    %al, %dx
    movw    $0x1F2, %dx
    movb    %bh, %al
    outb    %al, %dx
    incw    %dx
    movb    %bl, %al
    outb    %al, %dx
    incw    %dx
    xorb    %al, %al
    outb    %al, %dx
    incw    %dx
    outb    %al, %dx
    incw    %dx
    movb    $0xE0, %al
    outb    %al, %dx
    incw    %dx
    popw    %ax
    outb    %al, %dx
    ret

wait_for_data:
    movw    $0x1F7, %dx
1:  inb     %dx, %al
    testb   $0x08, %al
    jz      1b
    movw    $0x1F0, %dx
    ret

    .org    510
    .byte   0x55, 0xAA

start:
    incb    COUNT_SECTOR
    movw    $1 << 8 | SECTORS, %bx
    movb    $0x30, %al                  // WRITE SECTORS
    call    disk_command
    call    wait_for_data
    movw    $COUNT_SECTOR, %si
    movw    $256, %cx
    rep outsw
    movb    COUNT_SECTOR, %al
    addb    $'A' - 1, %al
    call    put_character16
    call    end_line

next:
    call    get_character
    cmpb    $'m', %al
    je      marks
    cmpb    $'w', %al
    je      come_back
    cmpb    $'c', %al
    je      others
    cmpb    $'k', %al
    je      by_pulse
    cmpb    $'o', %al
    je      by_output_port
    cmpb    $'p', %al
    je      by_hard_reset
    cmpb    $'s', %al
    je      by_soft_reset
    cmpb    $'a', %al
    je      by_port_a
    cmpb    $'t', %al
    je      enter_protected_mode
    cmpb    $'r', %al
    je      enter_protected_mode
    finish

by_pulse:
    movb    $0xFE, %al
    outb    %al, $0x64
    jmp     not_restarted
by_output_port:
    movb    $0xD1, %al
    outb    %al, $0x64
    movb    $0xFE, %al
    outb    %al, $0x60
    jmp     not_restarted
by_hard_reset:
    movw    $0xCF9, %dx
    movb    $0x06, %al
    outb    %al, %dx
    jmp     not_restarted
by_soft_reset:
    movw    $0xCF9, %dx
    movb    $0x04, %al
    outb    %al, %dx
    jmp     not_restarted
by_port_a:
    inb     $0x92, %al
    andb    $0xFE, %al
    outb    %al, $0x92
    orb     $1, %al
    outb    %al, $0x92
not_restarted:
    movb    $NOT_RESTARTED, %al
    outb    %al, $GUEST_EXIT_PORT
    jmp     not_restarted

    // The marks: a word in memory, CMOS byte 0x40, and 2031-02-03 04:05:06 on the clock. Then the code and the vector.
come_back:
    call    get_character
    subb    $'0', %al
    cmpb    $9, %al
    jbe     1f
    subb    $'A' - '0' - 10, %al
1:  movb    %al, %bl
    movw    $0xBEEF, MARK
    movw    $AT(settings), %si
    movb    %bl, AT(shutdown_code)
1:  lodsw                               // AL: address, AH: byte
    cmpb    $0xFF, %al
    je      1f
    outb    %al, $0x70
    movb    %ah, %al
    outb    %al, $0x71
    jmp     1b
1:  movw    $AT(resumed) - (RESUME_SEGMENT << 4), 0x467
    movw    $RESUME_SEGMENT, 0x469
    movb    $'w', %al
    call    put_character16
    call    end_line
    jmp     next

settings:
    .byte   0x0B, 0x82                  // the clock stands still; BCD, 24 hours
    .byte   0x00, 0x06, 0x02, 0x05, 0x04, 0x04, 0x07, 0x03, 0x08, 0x02, 0x09, 0x31, 0x32, 0x20
    .byte   0x0B, 0x02
    .byte   0x40, 0x5A, 0x0F
shutdown_code:
    .byte   0
    .byte   0xFF, 0xFF

    // Where the machine comes back. A far jump sets CS; no register else is certain.
resumed:
    movw    %ds, %bx
    xorw    %ax, %ax
    movw    %ax, %ds
    movw    %ax, %es
    movw    %ax, %ss
    movw    $STACK_TOP, %sp
    pushfw
    popw    %bp
    cld
    movb    $'R', %al
    call    put_character16
    call    put_space
    movw    %cs, %ax
    call    put_word
    call    put_space
    movw    %bp, %ax
    shrw    $9, %ax
    andb    $1, %al
    call    put_byte
    call    put_space
    movw    %bx, %ax
    call    put_word
    call    end_line
    ljmp    $0, $AT(next)

marks:
    movw    MARK, %ax
    call    put_word
    call    put_space
    movb    $0x40, %al
    call    put_cmos
    call    put_space
    movb    $0x0F, %al
    call    put_cmos
    call    put_space
    movb    $0x32, %al
    call    put_cmos
    movb    $0x09, %al
    call    put_cmos
    call    put_dash
    movb    $0x08, %al
    call    put_cmos
    call    put_dash
    movb    $0x07, %al
    call    put_cmos
    call    end_line
    jmp     next

    // ---- Other processors ----

others:
    movw    $AT(other), %si
    movw    $OTHERS, %di
    movw    $other_end - other, %cx
    rep movsb
    movw    $0, STARTED
    movl    $0x1B, %ecx                 // APIC_BASE: x2APIC
    rdmsr
    orl     $0xC00, %eax
    wrmsr
    movl    $0x830, %ecx                // the command: INIT, then SIPI, to all but this one
    xorl    %edx, %edx
    movl    $0xC4500, %eax
    wrmsr
    movl    $0xC4600 | OTHERS >> 12, %eax
    wrmsr
1:  cmpw    $0, STARTED
    je      1b
    movb    STARTED, %al
    call    put_byte
    call    end_line
    jmp     next

other:
    xorw    %ax, %ax
    movw    %ax, %ds
    lock incw STARTED
1:  cli
    hlt
    jmp     1b
other_end:

    // ---- Protected mode: the triple fault, and ACPI's tables, which firmware leaves where real mode does not reach ----

enter_protected_mode:
    movb    %al, %bl
    lgdtl   AT(gdt_register)
    movl    %cr0, %eax
    orb     $1, %al
    movl    %eax, %cr0
    ljmp    $CODE32, $AT(protected)

    .code32
protected:
    movw    $DATA, %ax
    movw    %ax, %ds
    movw    %ax, %es
    movw    %ax, %ss
    movl    $STACK_TOP, %esp
    cmpb    $'r', %bl
    je      by_acpi
    lidtl   AT(no_idt)
    ud2                                 // no gate for this, none for what follows from that, and none for that

by_acpi:
    movl    $0xE0000, %ebx
1:  cmpl    $0x20445352, (%ebx)         // "RSD PTR "
    jne     2f
    cmpl    $0x20525450, 4(%ebx)
    je      3f
2:  addl    $16, %ebx
    cmpl    $0x100000, %ebx
    jb      1b
    jmp     no_register
3:  movl    24(%ebx), %esi              // the XSDT
    movl    4(%esi), %ecx
    addl    %esi, %ecx
    addl    $36, %esi
1:  cmpl    %ecx, %esi
    jae     no_register
    movl    (%esi), %ebx
    addl    $8, %esi
    cmpl    $0x50434146, (%ebx)         // "FACP"
    jne     1b
    testl   $1 << 10, 112(%ebx)         // RESET_REG_SUP
    jz      no_register
    cmpb    $1, 116(%ebx)               // in port space
    jne     no_register
    movl    120(%ebx), %edx
    movb    128(%ebx), %al              // RESET_VALUE
    outb    %al, %dx
    movb    $NOT_RESTARTED, %al
    outb    %al, $GUEST_EXIT_PORT
no_register:
    movb    $1, %al
    outb    %al, $GUEST_EXIT_PORT
    jmp     no_register

    .code16

    // ---- Words ----

#include "get-character.h"

end_line:
    movb    $10, %al
    jmp     put_character16
put_space:
    movb    $' ', %al
    jmp     put_character16
put_dash:
    movb    $'-', %al
    jmp     put_character16

    // The CMOS byte at AL. The clock's registers are read while no update is near.
put_cmos:
    movb    %al, %ah
1:  movb    $0x0A, %al
    outb    %al, $0x70
    inb     $0x71, %al
    testb   $0x80, %al
    jnz     1b
    movb    %ah, %al
    outb    %al, $0x70
    inb     $0x71, %al
    jmp     put_byte
put_word:
    pushw   %ax
    movb    %ah, %al
    call    put_byte
    popw    %ax
put_byte:
    pushw   %ax
    shrb    $4, %al
    call    1f
    popw    %ax
1:  andb    $0x0F, %al
    addb    $'0', %al
    cmpb    $'9', %al
    jbe     2f
    addb    $'A' - '9' - 1, %al
2:  jmp     put_character16

    .balign 8
gdt:
    .quad   0, 0x00CF9A000000FFFF, 0, 0x00CF92000000FFFF
gdt_register:
    .short  gdt_register - gdt - 1
    .long   AT(gdt)
no_idt:
    .short  0
    .long   0

    routines restart, 16
    .subsection 3
    .balign 512                         // the sector that counts is not part of it
    guest_end restart
