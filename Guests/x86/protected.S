// protected: from real mode to 32-bit protected mode, by the guest itself.
//
// Real mode computes addresses as segment * 16 + offset and checks nothing. In protected mode a segment register holds
// a selector, the index of a descriptor in the global descriptor table (GDT); the descriptor has a base, a limit and
// rights, and every access is checked against them (SDM vol. 3, 3.4 and 5.3). The way there is SDM vol. 3, 10.9.1.
// None of these steps reaches the monitor: only the texts do.
#include "guest.h"

#define CR0_PE (1 << 0)                 // protection enable (SDM vol. 3, 2.5)
#define SMALL 0x20                      // selector of a segment of 256 bytes
#define SMALL_BASE 0x5000
#define BEYOND_TABLE 0x40               // selector of no descriptor
#define GENERAL_PROTECTION 13           // vector of #GP

    guest   protected
    cli                                 // the vectors at address 0 mean nothing in protected mode
    xorw    %ax, %ax
    movw    %ax, %ds
    movw    %ax, %ss
    movw    $STACK_TOP, %sp

    check   1
    movl    %cr0, %eax
    testl   $CR0_PE, %eax
    jnz     failed16
    say16   "protected: CR0.PE = 0, real mode: ok\n"

    // 1. The table. 2. The bit. 3. A far jump, which loads CS from the table: until then the processor goes on with
    //    the old 16-bit code segment that it keeps hidden in CS.
    lgdt    AT(gdt_register)
    movl    %cr0, %eax
    orl     $CR0_PE, %eax
    movl    %eax, %cr0
    ljmp    $CODE32, $AT(protected_mode)

    .code32
protected_mode:
    movw    $DATA, %ax                  // 4. The data segments.
    movw    %ax, %ds
    movw    %ax, %es
    movw    %ax, %ss
    movl    $STACK_TOP, %esp
    lidt    AT(idt_register32)          // 5. Handlers for exceptions.
    say32   "protected: the far jump arrived in 32-bit code\n"

    check   2
    movl    %cr0, %eax
    testl   $CR0_PE, %eax
    jz      failed32
    movw    %cs, %ax
    cmpw    $CODE32, %ax
    jne     failed32
    say32   "protected: CR0.PE = 1, CS holds selector 8: ok\n"

    // In 16-bit code the same bytes mean 16-bit operands: this constant would not fit.
    check   3
    movl    $0xFFFFFFFF, %eax
    addl    $1, %eax
    jnc     failed32
    pushl   $0
    movl    %esp, %eax
    cmpl    $STACK_TOP - 4, %eax        // a push moves the stack by four bytes now
    jne     failed32
    popl    %eax
    say32   "protected: operands and stack are 32 bits wide: ok\n"

    // DS reaches past 64 KiB and past 1 MiB: its limit is 4 GiB, since the limit 0xFFFFF counts in pages of 4 KiB.
    // One byte above 1 MiB must not be the byte 1 MiB below: there is no wrap-around (that is what the A20 gate was).
    check   4
    movb    $0x11, 0x005000
    movb    $0x22, 0x105000
    cmpb    $0x11, 0x005000
    jne     failed32
    cmpb    $0x22, 0x105000
    jne     failed32
    say32   "protected: DS reaches above 1 MiB: ok\n"

    // A small segment: base 0x5000, limit 0xFF. Its base is added to each offset.
    check   5
    movw    $SMALL, %ax
    movw    %ax, %gs
    movb    $0x5A, %gs:0xFF
    cmpb    $0x5A, SMALL_BASE + 0xFF
    jne     failed32
    say32   "protected: GS:0xFF is address 0x50FF: ok\n"

    // A selector past the end of the table names nothing: loading it is a general protection fault, vector 13, with
    // the selector as its error code (SDM vol. 3, 6.13 and 6.15, "Interrupt 13").
    check   6
    set_gate32 GENERAL_PROTECTION, general_protection
    movl    $AT(selector_refused), AT(resume)
    movw    $BEYOND_TABLE, %ax
bad_load:
    movw    %ax, %fs
    jmp     failed32                    // the load went through
selector_refused:
    cmpl    $BEYOND_TABLE, %ebx
    jne     failed32
    cmpl    $AT(bad_load), %ecx
    jne     failed32
    say32   "protected: selector 0x40 is past the table: #GP: ok\n"

    // One byte past the small segment's limit: #GP with error code 0 (SDM vol. 3, 5.3). Every real processor does
    // this. QEMU's software processor leaves limit checks out, and KVM inside it inherits that: then it is said, not
    // held against the machine.
    check   7
    movl    $AT(limit_crossed), AT(resume)
bad_offset:
    movb    %gs:0x100, %al
    say32   "protected: GS:0x100 was read: no limit checks here!\n"
    jmp     done
limit_crossed:
    testl   %ebx, %ebx
    jnz     failed32
    cmpl    $AT(bad_offset), %ecx
    jne     failed32
    say32   "protected: GS:0x100 is past the limit: #GP: ok\n"

done:
    finish
1:  hlt
    jmp     1b

    // On the stack: error code, EIP, CS, EFLAGS. EIP is that of the instruction that failed, so that a handler could
    // repair the cause and return there by IRET. There is nothing to repair here: note what came, drop the frame,
    // and go on where the check says.
general_protection:
    popl    %ebx                        // error code
    popl    %ecx                        // EIP
    movl    $STACK_TOP, %esp
    jmp     *AT(resume)

resume:
    .long   0

    // Descriptors, eight bytes each (SDM vol. 3, 3.4.5): limit 15..0, base 15..0, base 23..16, access byte,
    // flags and limit 19..16, base 31..24.
    // Access byte: bit 7 present, 6..5 DPL, 4 code or data, 3 code, 1 readable or writable, 0 accessed.
    // Flags: bit 7 the limit counts in pages (G), bit 6 32-bit (D/B).
    .balign 8
gdt:
    .quad   0                                           // selector 0 is never valid
    .short  0xFFFF, 0
    .byte   0, 0b10011011, 0b11001111, 0                // 0x08 CODE32: base 0, limit 4 GiB
    .quad   0                                           // 0x10, which other lessons use for 64-bit code
    .short  0xFFFF, 0
    .byte   0, 0b10010011, 0b11001111, 0                // 0x18 DATA: base 0, limit 4 GiB
    .short  0x00FF, SMALL_BASE
    .byte   0, 0b10010011, 0b01000000, 0                // 0x20 SMALL: limit 0xFF bytes
gdt_register:
    .short  gdt_register - gdt - 1                      // the table's limit
    .long   AT(gdt)                                     // its address

    routines protected, 16
    routines protected, 32
    exceptions protected, 32
    guest_end protected
