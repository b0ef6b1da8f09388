// disk: gives drive 0 of the first ATA channel the commands that come over the serial port.
//
// It prints `>` and waits for a line: a letter and twelve hexadecimal digits, the sector. The answer is a line: the
// letter, the status and error registers, and for some commands the first four bytes of the data.
//
//   r   READ SECTORS EXT            w   WRITE SECTORS EXT, of a sector full of the letter `w`
//   R   READ SECTORS, 28 bits       W   WRITE SECTORS, 28 bits, full of `W`
//   f   FLUSH CACHE                 i   IDENTIFY DEVICE; the sector is the number of the word to print from
//   q   ends the run with status 0
#include "guest.h"

#define DATA_PORT 0x1F0
#define ERROR_PORT 0x1F1
#define COUNT_PORT 0x1F2
#define DEVICE_PORT 0x1F6
#define COMMAND_PORT 0x1F7
#define BUSY 0x80
#define DATA_REQUEST 0x08
#define BUFFER 0x2000
#define SECTOR 512

    guest   disk
    cli
    xorw    %ax, %ax
    movw    %ax, %ds
    movw    %ax, %es
    movw    %ax, %ss
    movw    $STACK_TOP, %sp
    cld

prompt:
    movb    $'>', %al
    call    put_character16
    call    get_character
    movb    %al, AT(letter)
    // The digits, two to a byte, the highest first: so the lowest byte of the number comes last.
    movw    $AT(number) + 5, %di
    std
    movw    $6, %cx
1:  call    get_digit
    shlb    $4, %al
    movb    %al, %bl
    call    get_digit
    orb     %bl, %al
    stosb
    loop    1b
    cld
    call    get_character               // the end of the line
    movb    AT(letter), %al
    cmpb    $'q', %al
    je      quit

    // What a letter does: the command, and whether the address has 48 bits.
    movw    $AT(commands), %si
1:  lodsw
    cmpb    AT(letter), %al
    je      1f
    testb   %al, %al
    jnz     1b
1:  movb    %ah, AT(command)
    cmpb    $0x24, %ah
    je      extended
    cmpb    $0x34, %ah
    je      extended

    movb    AT(number) + 3, %al
    andb    $0x0F, %al
    orb     $0xE0, %al                  // LBA, drive 0
    movw    $DEVICE_PORT, %dx
    outb    %al, %dx
    jmp     lower
extended:
    movb    $0xE0, %al
    movw    $DEVICE_PORT, %dx
    outb    %al, %dx
    movw    $COUNT_PORT, %dx
    xorb    %al, %al
    outb    %al, %dx
    movw    $AT(number) + 3, %si
    call    put_address
lower:
    movw    $COUNT_PORT, %dx
    movb    $1, %al
    outb    %al, %dx
    movw    $AT(number), %si
    call    put_address
    movb    AT(command), %al
    movw    $COMMAND_PORT, %dx
    outb    %al, %dx

    // Nothing stands in the buffer unless it is read.
    movw    $BUFFER, %di
    movw    $SECTOR / 2, %cx
    xorw    %ax, %ax
    rep stosw
    call    wait
    testb   $DATA_REQUEST, %al
    jz      answer
    movb    AT(letter), %al
    movw    $DATA_PORT, %dx
    movw    $SECTOR / 2, %cx
    cmpb    $'w', %al
    je      1f
    cmpb    $'W', %al
    je      1f
    movw    $BUFFER, %di
    rep insw
    jmp     2f
1:  movb    %al, %ah
    movw    $BUFFER, %di
    rep stosw
    movw    $SECTOR / 2, %cx
    movw    $BUFFER, %si
    rep outsw
2:  call    wait

answer:
    movb    %al, %bl
    movw    $ERROR_PORT, %dx
    inb     %dx, %al
    movb    %al, %bh
    pushw   %bx
    movb    AT(letter), %al
    call    put_character16
    call    put_space
    popw    %bx
    movb    %bl, %al
    call    put_byte
    call    put_space
    movb    %bh, %al
    call    put_byte
    call    put_space
    movw    $BUFFER, %si
    cmpb    $'i', AT(letter)
    jne     1f
    addw    AT(number), %si
    addw    AT(number), %si
1:  movw    $4, %cx
1:  lodsb
    call    put_byte
    loop    1b
    movb    $'\n', %al
    call    put_character16
    jmp     prompt

quit:
    finish
1:  jmp     1b

// AL = the status, when the drive is no longer busy.
wait:
    movw    $COMMAND_PORT, %dx
1:  inb     %dx, %al
    testb   $BUSY, %al
    jnz     1b
    ret

// Three bytes at SI go to the registers behind COUNT_PORT.
put_address:
    movw    $COUNT_PORT + 1, %dx
    movw    $3, %cx
1:  lodsb
    outb    %al, %dx
    incw    %dx
    loop    1b
    ret

#include "get-character.h"

// AL = the value of the next hexadecimal digit.
get_digit:
    call    get_character
    cmpb    $'9', %al
    jbe     1f
    addb    $9, %al                     // letters have 1 to 6 in their lower half
1:  andb    $0x0F, %al
    ret

put_space:
    movb    $' ', %al
    jmp     put_character16

// Prints AL as two digits. Changes AL.
put_byte:
    pushw   %ax
    shrb    $4, %al
    call    1f
    popw    %ax
    andb    $0x0F, %al
1:  addb    $'0', %al
    cmpb    $'9', %al
    jbe     2f
    addb    $'A' - '9' - 1, %al
2:  jmp     put_character16

commands:
    .byte   'r', 0x24, 'w', 0x34, 'R', 0x20, 'W', 0x30, 'f', 0xE7, 'i', 0xEC, 0, 0
letter:
    .byte   0
command:
    .byte   0
number:
    .zero   6                           // the lowest byte first

    routines disk, 16
    guest_end disk
