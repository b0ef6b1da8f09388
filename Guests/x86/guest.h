// What the lessons share: where a guest begins and ends, the words for printing and checking, and a net under
// every exception. Included by each .S file; all of it is assembler macros, so a guest contains only what it uses.
//
// A guest is a flat binary. It is assembled into this program's read-only data, far from the address it will run at,
// so each absolute address is written AT(label): the distance from the guest's first byte plus the load address.
// That is a plain number to the assembler, and the program needs no relocation for it.
//
// "SDM" in the comments is the Intel 64 and IA-32 Architectures Software Developer's Manual, "APM" is AMD's. Intel
// renumbers the chapters of volume 3 now and then; the sections within them stay. Here they are: 3 memory management,
// 4 paging, 5 protection, 6 interrupts and exceptions, 8 tasks, 9 multiple processors, 10 initialization, 11 the local
// APIC, 21 emulation of the 8086 (real mode).
#include "GuestImages.h"

#ifndef LOAD
#define LOAD 0x8000  // guest-physical address of the first byte; the boot sector has another one
#endif
#define AT(label) ((label) - guest_start + LOAD)

#define LINE_STATUS_PORT (GUEST_SERIAL_PORT + 5)  // 16550: bit 5 = ready for the next byte, bit 0 = a byte came in
#define STACK_TOP 0x7000                          // free memory below the guest; a stack grows down

// The selectors that each guest's global descriptor table gives these meanings (SDM vol. 3, 3.4.2).
#define CODE32 0x08
#define CODE64 0x10
#define DATA 0x18

// guest NAME: the first line of a lesson. The processor arrives here in real mode with CS = 0.
.macro guest name
    .section .rodata.guest_\name, "a"
    .balign 16
    .globl guest_\name
    .hidden guest_\name
guest_\name:
guest_start:
    .code16
.endm

// guest_end NAME: the last line. Everything that the macros set aside comes before the symbol defined here.
.macro guest_end name
    .subsection 3
    .globl guest_\name\()_end
    .hidden guest_\name\()_end
guest_\name\()_end:
    .section .note.GNU-stack, "", @progbits
.endm

// say16 "text", say32, say64: print a text, from code of that many bits. Changes ESI only.
.macro say mode:req, text:req
    .subsection 1
9:  .asciz  "\text"
    .subsection 0
    movl    $AT(9b), %esi
    call    print\mode
.endm
.macro say16 text:req
    say     16, "\text"
.endm
.macro say32 text:req
    say     32, "\text"
.endm
.macro say64 text:req
    say     64, "\text"
.endm

// check NUMBER: from here on it is check NUMBER that can fail, by a jump to failed16, failed32 or failed64.
.macro check number:req
    movb    $\number, AT(check_number)
.endm

// finish: everything held; end the run with status 0.
.macro finish
    xorb    %al, %al
    outb    %al, $GUEST_EXIT_PORT
.endm

// routines NAME, MODE: the routines behind the words above, assembled for 16, 32 or 64 bits. The text of the code is
// the same in every mode: LODSB reads at SI, ESI or RSI, CALL and RET push and pop what the mode has.
.macro routines name:req, mode:req
    .subsection 0
    .code\mode

    // Prints the zero-terminated text at SI/ESI/RSI.
print\mode:
    pushw   %ax
1:  lodsb
    testb   %al, %al
    jz      2f
    call    put_character\mode
    jmp     1b
2:  popw    %ax
    ret

    // Sends the character in AL, when the UART has room for it: one port exit to ask, one to send.
put_character\mode:
    pushw   %dx
    pushw   %ax
    movw    $LINE_STATUS_PORT, %dx
1:  inb     %dx, %al
    testb   $1 << 5, %al
    jz      1b
    popw    %ax
    movw    $GUEST_SERIAL_PORT, %dx
    outb    %al, %dx
    popw    %dx
    ret

    // Prints EAX as eight hexadecimal digits, after 0x. Changes EAX, EBX, ECX, ESI.
print_hex\mode:
    movl    %eax, %ebx
    say     \mode, "0x"
    movl    $8, %ecx
1:  roll    $4, %ebx
    movb    %bl, %al
    andb    $0x0F, %al
    addb    $'0', %al
    cmpb    $'9', %al
    jbe     2f
    addb    $'A' - '9' - 1, %al
2:  call    put_character\mode
    loop    1b
    ret

    // Prints AL, below 100, as decimal. Changes EAX, ECX.
print_decimal\mode:
    xorb    %ah, %ah
    movb    $10, %cl
    divb    %cl                         // AL = tens, AH = ones
    movb    %ah, %ch
    testb   %al, %al
    jz      1f
    addb    $'0', %al
    call    put_character\mode
1:  movb    %ch, %al
    addb    $'0', %al
    call    put_character\mode
    ret

    // Ends the run with the number of the check that failed.
failed\mode:
    say     \mode, "\name: check "
    movb    AT(check_number), %al
    call    print_decimal\mode
    say     \mode, " failed\n"
    movb    AT(check_number), %al
    outb    %al, $GUEST_EXIT_PORT
1:  hlt
    jmp     1b

    .ifndef check_number
    .subsection 1
check_number:
    .byte   0
    .subsection 0
    .endif
.endm

// exceptions NAME, MODE: a handler for each of the 32 exceptions, which says what happened and ends the run with
// status 128 + vector. Without it an unexpected exception becomes a second one, then a third, and the processor shuts
// down without a word: a triple fault (SDM vol. 3, 6.15, "Interrupt 8").
//
// Modes 32 and 64 get their interrupt descriptor table too: load it by `lidt AT(idt_register32)` or 64.
// Mode 16 gets its vectors by the word catch_exceptions16.
.macro exceptions name:req, mode:req
    .subsection 2
    .code\mode
    // One stub for each vector, 16 bytes apart: it pushes the vector, under it an error code where the processor
    // pushes none (SDM vol. 3, 6.13), so that all the stacks look alike. In real mode there are no error codes.
    .balign 16
exception_stubs\mode:
    .irp vector, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, \
        28, 29, 30, 31
    .balign 16
    .if (\mode != 16) && ((1 << \vector) & 0x60227D00) == 0
    push    $0
    .endif
    push    $\vector
    jmp     exception\mode
    .endr
    .balign 16
    .subsection 0
exception\mode:
    say     \mode, "\name: exception "
    .if \mode == 16
    popw    %ax                         // vector
    popw    %dx                         // IP; CS, 0 in all our real-mode code, and FLAGS follow
    movzwl  %dx, %edx
    .elseif \mode == 32
    popl    %eax                        // vector
    popl    %edi                        // error code
    popl    %edx                        // EIP; CS and EFLAGS follow
    .else
    popq    %rax
    popq    %rdi
    popq    %rdx
    .endif
    movb    %al, AT(exception_vector)
    call    print_decimal\mode
    say     \mode, " at "
    movl    %edx, %eax
    call    print_hex\mode
    .if \mode != 16
    say     \mode, ", error code "
    movl    %edi, %eax
    call    print_hex\mode
    .endif
    say     \mode, "\n"
    movb    AT(exception_vector), %al
    addb    $128, %al
    outb    %al, $GUEST_EXIT_PORT
1:  hlt
    jmp     1b

    .ifndef exception_vector
    .subsection 1
exception_vector:
    .byte   0
    .endif

    .subsection 2
    .if \mode != 16
    // Gates: offset 15..0, selector, type 0x8E00 = present, DPL 0, interrupt gate; offset 31..16 (SDM vol. 3, 6.11).
    // In 64-bit mode eight bytes more: offset 63..32 and zeros (6.14.1).
    .balign 16
idt\mode:
    .irp vector, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, \
        28, 29, 30, 31
    .short  AT(exception_stubs\mode) + 16 * \vector
    .if \mode == 32
    .short  CODE32, 0x8E00, 0
    .else
    .short  CODE64, 0x8E00, 0
    .quad   0
    .endif
    .endr
    .if \mode == 64
    .zero   (64 - 31) * 16              // vectors 32 to 64: no gate until set_gate64 makes one
    .endif
idt_register\mode:
    .short  idt_register\mode - idt\mode - 1
    .quad   AT(idt\mode)                // LIDT reads four bytes of it in 32-bit mode, eight in 64-bit mode
    .endif
    .subsection 0
.endm

// set_vector16 VECTOR, HANDLER: real mode's interrupt vector table, at address 0, holds IP and CS of each handler
// (SDM vol. 3, 21.1.4). DS must be 0.
.macro set_vector16 vector:req, handler:req
    movw    $AT(\handler), 4 * \vector
    movw    $0, 4 * \vector + 2
.endm

// catch_exceptions16: fills the vectors of the 32 exceptions. Changes AX, CX, DI; DS must be 0.
.macro catch_exceptions16
    xorw    %di, %di
    movw    $AT(exception_stubs16), %ax
    movw    $32, %cx
8:  movw    %ax, (%di)
    movw    $0, 2(%di)
    addw    $16, %ax
    addw    $4, %di
    loop    8b
.endm

// set_gate32 VECTOR, HANDLER: another handler for one exception.
.macro set_gate32 vector:req, handler:req
    movw    $AT(\handler), AT(idt32) + 8 * \vector
.endm

// set_gate64 VECTOR, HANDLER, TYPE: the same for vectors up to 64. TYPE 0xEE00 lets ring 3 call it by INT.
.macro set_gate64 vector:req, handler:req, type=0x8E00
    movw    $AT(\handler), AT(idt64) + 16 * \vector
    movw    $CODE64, AT(idt64) + 16 * \vector + 2
    movw    $\type, AT(idt64) + 16 * \vector + 4
.endm
