// long-mode: real mode -> protected mode -> PAE -> long mode, all by the guest.
//
// A 64-bit kernel's first steps (SDM vol. 3, 10.8.5; APM vol. 2, 14.6.1): in protected mode with paging off, set
// CR4.PAE, point CR3 at four-level tables, set EFER.LME ("long mode enable"), then CR0.PG. The processor answers by
// setting EFER.LMA ("long mode active"). It is then in compatibility mode, still running 32-bit code; a far jump to a
// code segment with the L bit makes it 64-bit.
#include "guest.h"

#define PML4 0x20000                    // one page each, in free memory
#define POINTERS 0x21000                // page directory pointer table
#define DIRECTORY 0x22000               // page directory: 2 MiB pages

#define PRESENT (1 << 0)
#define WRITABLE (1 << 1)
#define PAGE_SIZE_BIT (1 << 7)

#define CR0_PE (1 << 0)
#define CR0_PG (1 << 31)
#define CR4_PAE (1 << 5)
#define EFER 0xC0000080                 // extended feature enable register (SDM vol. 3, 2.2.1)
#define EFER_LME (1 << 8)
#define EFER_LMA (1 << 10)

    guest   long_mode
    cli
    xorw    %ax, %ax
    movw    %ax, %ds
    movw    %ax, %ss
    movw    $STACK_TOP, %sp

    // CPUID leaf 0x80000001, EDX bit 29: the processor (or what the monitor says of it) has long mode.
    check   1
    movl    $0x80000000, %eax
    cpuid
    cmpl    $0x80000001, %eax
    jb      failed16
    movl    $0x80000001, %eax
    cpuid
    testl   $1 << 29, %edx
    jz      failed16
    say16   "long-mode: CPUID says there is long mode: ok\n"

    lgdt    AT(gdt_register)
    movl    %cr0, %eax
    orl     $CR0_PE, %eax
    movl    %eax, %cr0
    ljmp    $CODE32, $AT(protected_mode)

    .code32
protected_mode:
    movw    $DATA, %ax
    movw    %ax, %ds
    movw    %ax, %es
    movw    %ax, %ss
    movl    $STACK_TOP, %esp
    lidt    AT(idt_register32)
    say32   "long-mode: in 32-bit protected mode\n"

    // The tables: 512 entries of 8 bytes in each. The first entry of each level leads to 0 to 2 MiB, one to one.
    // The second of the directory maps 2 to 4 MiB to the same memory, for a proof by aliasing.
    movl    $PML4, %edi
    xorl    %eax, %eax
    movl    $3 * 1024, %ecx
    rep stosl
    movl    $POINTERS | PRESENT | WRITABLE, PML4
    movl    $DIRECTORY | PRESENT | WRITABLE, POINTERS
    movl    $0 | PRESENT | WRITABLE | PAGE_SIZE_BIT, DIRECTORY + 8 * 0
    movl    $0 | PRESENT | WRITABLE | PAGE_SIZE_BIT, DIRECTORY + 8 * 1

    movl    %cr4, %eax
    orl     $CR4_PAE, %eax
    movl    %eax, %cr4
    movl    $PML4, %eax
    movl    %eax, %cr3
    movl    $EFER, %ecx
    rdmsr                               // EDX:EAX = the register
    orl     $EFER_LME, %eax
    wrmsr

    check   2
    rdmsr
    testl   $EFER_LMA, %eax             // enabled, not active: there is no paging yet
    jnz     failed32
    say32   "long-mode: CR4.PAE = 1, EFER.LME = 1, LMA = 0: ok\n"

    movl    %cr0, %eax
    orl     $CR0_PG, %eax
    movl    %eax, %cr0
    ljmp    $CODE64, $AT(sixty_four)

    .code64
sixty_four:
    movw    $DATA, %ax                  // base and limit are ignored from here on, the selector is still there
    movw    %ax, %ds
    movw    %ax, %es
    movw    %ax, %ss
    movl    $STACK_TOP, %esp            // a write of ESP clears the upper half of RSP
    lidt    AT(idt_register64)

    check   3
    movl    $EFER, %ecx
    rdmsr
    testl   $EFER_LMA, %eax
    jz      failed64
    say64   "long-mode: EFER.LMA = 1, long mode is active: ok\n"

    check   4
    movabsq $0x123456789ABCDEF0, %rax
    movabsq $0x0FEDCBA987654321, %rbx
    addq    %rbx, %rax
    movabsq $0x2222222222222211, %rcx
    cmpq    %rcx, %rax
    jne     failed64
    movl    $1, %eax
    shlq    $40, %rax
    mulq    %rax                        // RDX:RAX = 2^80
    testq   %rax, %rax
    jnz     failed64
    cmpq    $1 << 16, %rdx
    jne     failed64
    say64   "long-mode: 64-bit addition, 2^40 * 2^40 = 2^80: ok\n"

    check   5
    movabsq $0xFEDCBA9876543210, %r15   // R8 to R15 exist only here
    pushq   %r15
    cmpq    $STACK_TOP - 8, %rsp
    jne     failed64
    popq    %rax
    cmpq    %r15, %rax
    jne     failed64
    say64   "long-mode: R15 through a stack of 8-byte slots: ok\n"

    check   6
    leaq    guest_start(%rip), %rax     // an address relative to RIP, which 32-bit code cannot have
    cmpq    $LOAD, %rax
    jne     failed64
    say64   "long-mode: RIP-relative: the guest starts at 0x8000: ok\n"

    check   7
    movabsq $0x5555AAAA5555AAAA, %rax
    movq    %rax, 0x10000
    cmpq    %rax, 0x210000
    jne     failed64
    say64   "long-mode: 2 MiB page maps 0x200000 -> 0x000000: ok\n"

    finish
1:  hlt
    jmp     1b

    .balign 8
gdt:
    .quad   0
    .short  0xFFFF, 0
    .byte   0, 0b10011011, 0b11001111, 0                // 0x08 CODE32: base 0, limit 4 GiB
    .short  0, 0
    .byte   0, 0b10011011, 0b00100000, 0                // 0x10 CODE64: flag bit 5 is L, 64-bit code
    .short  0xFFFF, 0
    .byte   0, 0b10010011, 0b11001111, 0                // 0x18 DATA: base 0, limit 4 GiB
gdt_register:
    .short  gdt_register - gdt - 1
    .long   AT(gdt)

    routines long-mode, 16
    routines long-mode, 32
    exceptions long-mode, 32
    routines long-mode, 64
    exceptions long-mode, 64
    guest_end long_mode
