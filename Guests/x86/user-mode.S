// user-mode: a program in ring 3 that calls the kernel, and is stopped when it reaches for what is not its own.
//
// The processor runs at one of four privilege levels, of which systems use two: 0 for the kernel, 3 for programs; the
// level is that of the code segment (SDM vol. 3, 5.5). From 3 to 0 lead only doors that the kernel has set up: the
// gates of the interrupt table, for INT and for exceptions, and the SYSCALL instruction. From 0 to 3 lead IRET and
// SYSRET. The task state segment says which stack the kernel wants when a gate is used (SDM vol. 3, 8.7).
//
// This guest is in long mode, since that is where every kind of KVM can do rings: how it gets there is the lesson
// long-mode, and is kept short here.
#include "guest.h"

#define PML4 0x20000                    // one page each, in free memory
#define POINTERS 0x21000
#define DIRECTORY 0x22000
#define USER_TABLE 0x23000
#define USER_CODE_FRAME 0x30000
#define USER_STACK_FRAME 0x31000

#define USER_CODE_ADDRESS 0x400000      // where the program sees its two pages
#define USER_STACK_TOP 0x402000

#define PRESENT (1 << 0)
#define WRITABLE (1 << 1)
#define USER (1 << 2)                   // ring 3 may use the page; it must stand in every level
#define PAGE_SIZE_BIT (1 << 7)

#define CR0_PE (1 << 0)
#define CR0_PG (1 << 31)
#define CR4_PAE (1 << 5)
#define EFER 0xC0000080
#define EFER_SCE (1 << 0)               // SYSCALL enable
#define EFER_LME (1 << 8)
#define STAR 0xC0000081                 // the selectors for SYSCALL and SYSRET (SDM vol. 3, 5.8.8)
#define LSTAR 0xC0000082                // where SYSCALL goes
#define FMASK 0xC0000084                // the flags it clears

#define USER_DATA_SELECTOR (0x20 | 3)   // the low two bits ask for a privilege level
#define USER_CODE_SELECTOR (0x28 | 3)
#define TASK_SELECTOR 0x30

#define INVALID_OPCODE 6
#define GENERAL_PROTECTION 13
#define PAGE_FAULT 14
#define SYSTEM_CALL 64                  // the vector that xv6 uses too
#define RING3_GATE 0xEE00               // present, DPL 3: ring 3 may use it by INT; interrupt gate

#define CALL_BY_INT 1                   // the system calls: number in EAX
#define CALL_BY_SYSCALL 2
#define CALL_EXIT 3
#define ANSWER 42                       // what the first two return

    guest   user_mode
    cli
    xorw    %ax, %ax
    movw    %ax, %ds
    movw    %ax, %es
    movw    %ax, %ss
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

    // 0 to 2 MiB, one to one, for the kernel only; at 4 MiB one page of code and one of stack for the program.
    movl    $PML4, %edi
    xorl    %eax, %eax
    movl    $4 * 1024, %ecx
    rep stosl
    movl    $POINTERS | PRESENT | WRITABLE | USER, PML4
    movl    $DIRECTORY | PRESENT | WRITABLE | USER, POINTERS
    movl    $0 | PRESENT | WRITABLE | PAGE_SIZE_BIT, DIRECTORY
    movl    $USER_TABLE | PRESENT | WRITABLE | USER, DIRECTORY + 8 * 2
    movl    $USER_CODE_FRAME | PRESENT | USER, USER_TABLE + 8 * 0
    movl    $USER_STACK_FRAME | PRESENT | WRITABLE | USER, USER_TABLE + 8 * 1

    movl    $AT(program), %esi
    movl    $USER_CODE_FRAME, %edi
    movl    $program_end - program, %ecx
    rep movsb

    movl    %cr4, %eax
    orl     $CR4_PAE, %eax
    movl    %eax, %cr4
    movl    $PML4, %eax
    movl    %eax, %cr3
    movl    $EFER, %ecx
    rdmsr
    orl     $EFER_LME | EFER_SCE, %eax
    wrmsr
    movl    %cr0, %eax
    orl     $CR0_PG, %eax
    movl    %eax, %cr0
    ljmp    $CODE64, $AT(kernel)

    .code64
kernel:
    movw    $DATA, %ax
    movw    %ax, %ds
    movw    %ax, %es
    movw    %ax, %ss
    movl    $STACK_TOP, %esp
    lidt    AT(idt_register64)
    set_gate64 INVALID_OPCODE, invalid_opcode
    set_gate64 GENERAL_PROTECTION, general_protection
    set_gate64 PAGE_FAULT, page_fault
    set_gate64 SYSTEM_CALL, system_call_gate, RING3_GATE
    movw    $TASK_SELECTOR, %ax
    ltr     %ax                         // the stack for gates: STACK_TOP again, see task_state

    // SYSCALL: CS = STAR[47:32], SS = that + 8. SYSRET: SS = STAR[63:48] + 8, CS = STAR[63:48] + 16.
    movl    $STAR, %ecx
    xorl    %eax, %eax
    movl    $((USER_DATA_SELECTOR - 8) << 16) | CODE64, %edx
    wrmsr
    movl    $LSTAR, %ecx
    movl    $AT(system_call_entry), %eax
    xorl    %edx, %edx
    wrmsr
    movl    $FMASK, %ecx
    movl    $0x700, %eax                // direction, interrupt and trap flag
    wrmsr

    // To ring 3: IRET pops RIP, CS, RFLAGS, RSP, SS, as if returning to a program that was interrupted.
    check   1
    say64   "user-mode: kernel in ring 0, starting the program\n"
    pushq   $USER_DATA_SELECTOR
    pushq   $USER_STACK_TOP
    pushq   $1 << 1                     // RFLAGS: bit 1 is always set; IOPL = 0, so no port may be touched
    pushq   $USER_CODE_SELECTOR
    pushq   $USER_CODE_ADDRESS
    iretq

    // The gate of INT 64. The processor has switched to the kernel's stack and pushed what IRET takes off.
system_call_gate:
    cmpq    $STACK_TOP - 5 * 8, %rsp    // the stack is the one of the task state
    jne     failed64
    cmpl    $USER_CODE_SELECTOR, 8(%rsp)    // and the caller was in ring 3
    jne     failed64
    cmpl    $CALL_EXIT, %eax
    je      call_exit
    cmpl    $CALL_BY_INT, %eax
    jne     failed64
    andl    $3, %edi                    // EDI: CS as the program reads it; its low two bits are the level
    cmpl    $3, %edi
    jne     failed64
    say64   "user-mode: int $64 from ring 3 into the kernel: ok\n"
    movl    $ANSWER, %eax
    check   2
    iretq

    // SYSCALL has saved RIP in RCX and RFLAGS in R11, and nothing else: RSP is still the program's.
system_call_entry:
    movq    %rsp, %r10
    movl    $STACK_TOP, %esp
    cmpl    $CALL_BY_SYSCALL, %eax
    jne     failed64
    movq    %cs, %rax
    cmpl    $CODE64, %eax
    jne     failed64
    say64   "user-mode: SYSCALL from ring 3 into the kernel: ok\n"
    movl    $ANSWER, %eax
    check   3
    movq    %r10, %rsp
    sysretq

call_exit:
    check   6                           // exit comes after five checks, or the program took a wrong turn
    testl   %edi, %edi
    jnz     failed64
    cmpb    $3, AT(faults)
    jne     failed64
    say64   "user-mode: the program asked to exit: ok\n"
    finish
1:  hlt
    jmp     1b

    // Three things that ring 3 may not do, in the order the program tries them. RBX is where it wants to go on.
general_protection:
    cmpl    $0, (%rsp)                  // error code; RIP, CS, RFLAGS, RSP, SS follow
    jne     unexpected_protection
    cmpl    $USER_CODE_SELECTOR, 16(%rsp)
    jne     unexpected_protection
    incb    AT(faults)
    cmpb    $2, AT(faults)
    je      1f
    ja      unexpected_protection
    say64   "user-mode: CLI in ring 3: #GP, caught: ok\n"
    check   4
    jmp     2f
1:  say64   "user-mode: OUT in ring 3: #GP, caught: ok\n"
    check   5
2:  addq    $8, %rsp                    // the error code
    movq    %rbx, (%rsp)
    iretq
unexpected_protection:
    pushq   $GENERAL_PROTECTION
    jmp     exception64

page_fault:
    cmpl    $USER_CODE_SELECTOR, 16(%rsp)
    jne     unexpected_fault
    cmpl    $5, (%rsp)                  // bit 0: the page is present, bit 1: a read, bit 2: from ring 3
    jne     unexpected_fault
    movq    %cr2, %rax
    cmpq    $AT(system_call_entry), %rax
    je      no_system_call
    cmpq    $LOAD, %rax
    jne     unexpected_fault
    incb    AT(faults)
    say64   "user-mode: the kernel's memory: #PF, error code 5: ok\n"
    check   6
    jmp     2b
unexpected_fault:
    pushq   $PAGE_FAULT
    jmp     exception64

    // kvm-pvm, a KVM without hardware virtualization, lacks two things, and a kernel can help itself in both cases.
    // SYSCALL goes to its entry but stays in ring 3, where the entry's page may not be read: go on without it.
no_system_call:
    say64   "user-mode: SYSCALL stays in ring 3 on this KVM: left out\n"
    check   3
    movl    $ANSWER, %eax
    jmp     2b

    // INT is refused as an invalid opcode: see what the program meant and do it, as a monitor would.
invalid_opcode:
    cmpl    $USER_CODE_SELECTOR, 8(%rsp)    // no error code here: RIP, CS, RFLAGS, RSP, SS
    jne     1f
    movq    (%rsp), %r8
    cmpw    $0x40CD, (%r8)              // the bytes CD 40: INT 64
    jne     1f
    addq    $2, (%rsp)
    cmpl    $CALL_BY_INT, %eax
    jne     system_call_gate
    say64   "user-mode: int $64 is #UD on this KVM: emulating it\n"
    jmp     system_call_gate
1:  pushq   $0
    pushq   $INVALID_OPCODE
    jmp     exception64

faults:
    .byte   0

    // The program. It runs at USER_CODE_ADDRESS, so it may only jump relative to where it is.
program:
    movl    %cs, %edi
    movl    $CALL_BY_INT, %eax
    int     $SYSTEM_CALL
    movl    $1, %edi
    cmpl    $ANSWER, %eax
    jne     2f

    leaq    1f(%rip), %rbx
    movl    $CALL_BY_SYSCALL, %eax
    syscall
1:  movl    $2, %edi
    cmpl    $ANSWER, %eax
    jne     2f

    leaq    1f(%rip), %rbx
    cli                                 // the interrupt flag belongs to the kernel
1:  leaq    1f(%rip), %rbx
    outb    %al, $GUEST_EXIT_PORT       // and so do ports: this would end the run
1:  leaq    1f(%rip), %rbx
    movb    LOAD, %al                   // and the kernel's memory
1:  xorl    %edi, %edi

2:  movl    $CALL_EXIT, %eax            // EDI: 0, or what went wrong
    int     $SYSTEM_CALL
program_end:

    .balign 8
gdt:
    .quad   0
    .short  0xFFFF, 0
    .byte   0, 0b10011011, 0b11001111, 0                // 0x08 CODE32
    .short  0, 0
    .byte   0, 0b10011011, 0b00100000, 0                // 0x10 CODE64
    .short  0xFFFF, 0
    .byte   0, 0b10010011, 0b11001111, 0                // 0x18 DATA
    .short  0xFFFF, 0
    .byte   0, 0b11110011, 0b11001111, 0                // 0x20 data of ring 3: DPL = 3
    .short  0, 0
    .byte   0, 0b11111011, 0b00100000, 0                // 0x28 64-bit code of ring 3
    .short  103, AT(task_state)
    .byte   0, 0b10001001, 0, 0                         // 0x30 task state segment, 16 bytes in long mode
    .quad   0
gdt_register:
    .short  gdt_register - gdt - 1
    .long   AT(gdt)

    // The 64-bit task state segment (SDM vol. 3, figure 8-11): reserved, RSP0, and much that is not used here.
    // The I/O map's offset, the last word, is past the segment's limit: no port is allowed to ring 3.
task_state:
    .long   0
    .quad   STACK_TOP
    .zero   90
    .short  104

    exceptions user-mode, 32
    routines user-mode, 32
    routines user-mode, 64
    exceptions user-mode, 64
    guest_end user_mode
