// paging: 32-bit paging built by the guest: 4 KiB pages, a 4 MiB page, and a page fault that is repaired.
//
// With CR0.PG set, each linear address goes through two tables (SDM vol. 3, 4.3): bits 31..22 pick one of 1024 entries
// of the page directory, to which CR3 points; that entry names a page table, of which bits 21..12 pick an entry; that
// one names the 4 KiB page. A directory entry with the bit PS set names a page of 4 MiB itself (CR4.PSE).
// The proof that a mapping holds is aliasing: one place in memory, seen at two addresses.
//
// All of it happens inside the guest. The monitor has its own tables under these, from guest-physical addresses to its
// own memory (KVM builds them from the memory slots), and the guest cannot tell.
#include "guest.h"

#define PAGE_DIRECTORY 0x20000          // one page each, in free memory
#define LOW_TABLE 0x21000               // for 0 to 4 MiB: the guest itself, mapped one to one
#define HIGH_TABLE 0x22000              // for 4 to 8 MiB

#define FRAME_A 0x11000                 // pages to play with
#define FRAME_B 0x12000

#define PRESENT (1 << 0)                // entry bits (SDM vol. 3, table 4-6)
#define WRITABLE (1 << 1)
#define ACCESSED (1 << 5)
#define DIRTY (1 << 6)
#define PAGE_SIZE_BIT (1 << 7)

#define CR0_PE (1 << 0)
#define CR0_WP (1 << 16)                // read-only pages are read-only for ring 0 too
#define CR0_PG (1 << 31)
#define CR4_PSE (1 << 4)
#define PAGE_FAULT 14

    guest   paging
    cli
    xorw    %ax, %ax
    movw    %ax, %ds
    movw    %ax, %ss
    movw    $STACK_TOP, %sp
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
    say32   "paging: in protected mode, building the tables\n"

    // All three tables empty: an entry without its present bit faults when used.
    movl    $PAGE_DIRECTORY, %edi
    xorl    %eax, %eax
    movl    $3 * 1024, %ecx
    rep stosl

    // 0 to 4 MiB one to one, by 1024 entries of 4 KiB: this code runs there, and must go on running.
    movl    $LOW_TABLE, %edi
    movl    $PRESENT | WRITABLE, %eax
    movl    $1024, %ecx
1:  movl    %eax, (%edi)
    addl    $4, %edi
    addl    $4096, %eax
    loop    1b
    movl    $LOW_TABLE | PRESENT | WRITABLE, PAGE_DIRECTORY + 4 * 0

    // 0x400000 -> FRAME_A, writable; 0x401000 -> the same frame, read-only; 0x402000 -> nothing yet.
    movl    $FRAME_A | PRESENT | WRITABLE, HIGH_TABLE + 4 * 0
    movl    $FRAME_A | PRESENT, HIGH_TABLE + 4 * 1
    movl    $HIGH_TABLE | PRESENT | WRITABLE, PAGE_DIRECTORY + 4 * 1

    // 0x800000 to 0xBFFFFF -> 0 to 0x3FFFFF, by a single entry.
    movl    $0 | PRESENT | WRITABLE | PAGE_SIZE_BIT, PAGE_DIRECTORY + 4 * 2

    movl    %cr4, %eax
    orl     $CR4_PSE, %eax
    movl    %eax, %cr4
    movl    $PAGE_DIRECTORY, %eax
    movl    %eax, %cr3
    movl    %cr0, %eax
    orl     $CR0_PG | CR0_WP, %eax
    movl    %eax, %cr0
    jmp     1f                          // the next instruction is already fetched through the tables

1:  check   1
    movl    %cr0, %eax
    testl   $CR0_PG, %eax
    jz      failed32
    say32   "paging: CR0.PG = 1 and the code goes on: ok\n"

    check   2
    movl    $0x11111111, FRAME_A
    cmpl    $0x11111111, 0x400000
    jne     failed32
    movl    $0x22222222, 0x400004
    cmpl    $0x22222222, FRAME_A + 4
    jne     failed32
    say32   "paging: 4 KiB page maps 0x400000 -> 0x11000: ok\n"

    check   3
    cmpl    $0x22222222, 0x401004
    jne     failed32
    say32   "paging: 4 KiB page maps 0x401000 -> 0x11000: ok\n"

    check   4
    cmpl    $0x11111111, 0x800000 + FRAME_A
    jne     failed32
    movl    $0x33333333, 0x800000 + FRAME_B
    cmpl    $0x33333333, FRAME_B
    jne     failed32
    say32   "paging: 4 MiB page maps 0x800000 -> 0x000000: ok\n"

    // The processor notes in the entries what was read (A) and what was written (D): SDM vol. 3, 4.8.
    check   5
    movl    HIGH_TABLE + 4 * 0, %eax
    andl    $ACCESSED | DIRTY, %eax
    cmpl    $ACCESSED | DIRTY, %eax     // 0x400000 was read and written
    jne     failed32
    movl    HIGH_TABLE + 4 * 1, %eax
    andl    $ACCESSED | DIRTY, %eax
    cmpl    $ACCESSED, %eax             // 0x401000 was only read
    jne     failed32
    say32   "paging: accessed and dirty bits are set as used: ok\n"

    // The table changes, the processor may still hold the old translation in its TLB: INVLPG makes it forget.
    check   6
    movl    $FRAME_B | PRESENT | WRITABLE, HIGH_TABLE + 4 * 0
    invlpg  0x400000
    cmpl    $0x33333333, 0x400000
    jne     failed32
    say32   "paging: after INVLPG 0x400000 -> 0x12000: ok\n"

    // A read of a page that is not there. The handler repairs the entry and returns to the same instruction, which
    // then finds the page: this is how operating systems give memory out only when it is used.
    check   7
    set_gate32 PAGE_FAULT, page_fault
    movl    $FRAME_B | PRESENT | WRITABLE, AT(repair)
    movl    0x402000, %eax
    cmpl    $0x33333333, %eax
    jne     failed32
    cmpl    $1, AT(faults)
    jne     failed32
    cmpl    $0x402000, AT(fault_address)
    jne     failed32
    cmpl    $0, AT(fault_code)          // bit 0: not present, bit 1: a read, bit 2: from ring 0
    jne     failed32
    say32   "paging: #PF at 0x402000, error code 0, repaired: ok\n"

    // A write to a page that is read-only.
    check   8
    movl    $FRAME_A | PRESENT | WRITABLE, AT(repair)
    movl    $0x44444444, 0x401008
    cmpl    $0x44444444, FRAME_A + 8
    jne     failed32
    cmpl    $2, AT(faults)
    jne     failed32
    cmpl    $0x401008, AT(fault_address)
    jne     failed32
    cmpl    $3, AT(fault_code)          // present, but the write is not allowed
    jne     failed32
    say32   "paging: #PF on a read-only page, error code 3: ok\n"

    finish
1:  hlt
    jmp     1b

    // The page fault's handler (SDM vol. 3, 6.15, "Interrupt 14"): CR2 holds the address that could not be reached,
    // the stack an error code that says why. It puts AT(repair) into the entry of that address.
page_fault:
    pushl   %eax
    pushl   %ebx
    incl    AT(faults)
    cmpl    $2, AT(faults)
    ja      2f                          // more faults than this lesson plans
    movl    8(%esp), %eax
    movl    %eax, AT(fault_code)
    movl    %cr2, %ebx
    movl    %ebx, AT(fault_address)
    cmpl    $0x400000, %ebx
    jb      2f
    cmpl    $0x800000, %ebx
    jae     2f
    movl    AT(repair), %eax
    invlpg  (%ebx)
    subl    $0x400000, %ebx
    shrl    $12, %ebx
    movl    %eax, HIGH_TABLE(, %ebx, 4)
    popl    %ebx
    popl    %eax
    addl    $4, %esp                    // the error code: IRET does not take it off
    iret                                // back to the instruction that failed
2:  popl    %ebx                        // not ours: as if there were no handler, vector and error code on the stack
    popl    %eax
    pushl   $PAGE_FAULT
    jmp     exception32

faults:
    .long   0
fault_address:
    .long   0
fault_code:
    .long   0
repair:
    .long   0

    .balign 8
gdt:
    .quad   0
    .short  0xFFFF, 0
    .byte   0, 0b10011011, 0b11001111, 0                // 0x08 CODE32: base 0, limit 4 GiB
    .quad   0
    .short  0xFFFF, 0
    .byte   0, 0b10010011, 0b11001111, 0                // 0x18 DATA: base 0, limit 4 GiB
gdt_register:
    .short  gdt_register - gdt - 1
    .long   AT(gdt)

    routines paging, 32
    exceptions paging, 32
    guest_end paging
