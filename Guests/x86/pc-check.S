// pc-check: uses a PC as a teaching kernel does, and tells of each part whether it works.
//
// This is a disk, not a program in memory: its first sector is a boot sector that finds no firmware, reads the kernel,
// an ELF file behind it, by programmed I/O, and jumps to it. The kernel prints a line for each feature, PASS or FAIL,
// and ends the run with the number of those that failed. A second disk is expected to be there, at least eight sectors
// of it, whose contents are overwritten.
//
// Nothing here waits for ever: whatever shall happen is waited for by counting, and then it has failed.
#define KERNEL 0x100000                 // where the kernel's first byte is loaded: beyond address line 20
#define KERNEL_OFFSET 0x400             // and where it lies on the disk: after boot sector and ELF headers
#define LOAD (KERNEL - KERNEL_OFFSET)   // so that AT(label) is right for every label of the kernel
#include "guest.h"
#define BOOT(label) ((label) - guest_start + 0x7C00)

// Memory that the kernel uses besides its own.
#define HEADERS 0x10000                 // the boot sector reads the ELF file's first 4 KiB there
#define TRAMPOLINE 0x7000               // where the other processors begin: SIPI vector 7
#define IDT 0x180000
#define DIRECTORY_4M 0x181000           // a page directory of 4 MiB pages
#define DIRECTORY_4K 0x182000           // one with two tables of 4 KiB pages
#define TABLE_LOW 0x183000
#define TABLE_ALIAS 0x184000
#define STACKS 0x190000                 // a page for each processor, by its APIC id
#define SECOND_STACKS 0x1A0000          // another one for its second task
#define BUFFER 0x1B0000                 // sectors; the frames that TABLE_ALIAS maps
#define USER_STACK 0x1C1000
#define MAXIMUM 16                      // processors

#define USER_CODE 0x23
#define USER_DATA 0x2B
#define TASK 0x30

#define LOCAL_APIC 0xFEE00000
#define APIC_ID (LOCAL_APIC + 0x20)
#define APIC_EOI (LOCAL_APIC + 0xB0)
#define APIC_SPURIOUS (LOCAL_APIC + 0xF0)
#define APIC_COMMAND (LOCAL_APIC + 0x300)
#define APIC_COMMAND_HIGH (LOCAL_APIC + 0x310)
#define APIC_TIMER (LOCAL_APIC + 0x320)
#define APIC_INITIAL_COUNT (LOCAL_APIC + 0x380)
#define APIC_DIVIDE (LOCAL_APIC + 0x3E0)
#define TICK 10000000                   // of KVM's 1 GHz: 100 in a second
#define IO_APIC 0xFEC00000

#define VECTOR_TIMER 0x20
#define VECTOR_KEYBOARD 0x21
#define VECTOR_SERIAL 0x24
#define VECTOR_DISK 0x2E
#define VECTOR_WAKE 0x30
#define VECTOR_SYSTEM_CALL 64
#define VECTOR_SPURIOUS 0xFF

#define PATIENCE 100000000              // how often something is looked at before it has failed
#define PORT_PATIENCE 100000            // the same at a disk's port, where each look takes a thousand times as long
#define SLICES 20                       // how often each processor switches tasks

// ---- The boot sector ----
    guest   pc_check
    cli
    ljmp    $0, $BOOT(1f)
1:  xorw    %ax, %ax
    movw    %ax, %ds
    movw    %ax, %es
    movw    %ax, %ss
    movw    $0x7C00, %sp

    // Address line 20, by the keyboard controller's output port.
1:  inb     $0x64, %al
    testb   $1 << 1, %al
    jnz     1b
    movb    $0xD1, %al
    outb    %al, $0x64
1:  inb     $0x64, %al
    testb   $1 << 1, %al
    jnz     1b
    movb    $0xDF, %al
    outb    %al, $0x60

    lgdtw   BOOT(boot_gdt_register)
    movl    %cr0, %eax
    orb     $1, %al
    movl    %eax, %cr0
    ljmp    $CODE32, $BOOT(boot32)

    .code32
boot32:
    movw    $DATA, %ax
    movw    %ax, %ds
    movw    %ax, %es
    movw    %ax, %ss
    movl    $0x7C00, %esp
    cld
    movl    $HEADERS, %edi
    movl    $1, %ebx                    // the ELF file begins at sector 1
    movl    $8, %ecx
    call    boot_read
    cmpl    $0x464C457F, HEADERS        // 0x7F "ELF"
    jne     boot_failed
    movl    HEADERS + 28, %esi          // e_phoff
    addl    $HEADERS, %esi
    movzwl  HEADERS + 44, %ebp          // e_phnum
1:  movl    12(%esi), %edi              // p_paddr
    movl    4(%esi), %ebx               // p_offset, a multiple of 512
    shrl    $9, %ebx
    incl    %ebx
    movl    16(%esi), %ecx              // p_filesz
    addl    $511, %ecx
    shrl    $9, %ecx
    call    boot_read
    addl    $32, %esi
    decl    %ebp
    jnz     1b
    jmp     *HEADERS + 24               // e_entry

boot_failed:
    movb    $99, %al
    outb    %al, $GUEST_EXIT_PORT
1:  hlt
    jmp     1b

    // Reads ECX sectors from sector EBX on to EDI.
boot_read:
    pushl   %ecx
    call    boot_ready
    movw    $0x1F2, %dx
    movb    $1, %al
    outb    %al, %dx                    // one sector
    incl    %edx
    movl    %ebx, %eax
    outb    %al, %dx                    // LBA 7..0
    incl    %edx
    shrl    $8, %eax
    outb    %al, %dx                    // 15..8
    incl    %edx
    shrl    $8, %eax
    outb    %al, %dx                    // 23..16
    incl    %edx
    movb    $0xE0, %al
    outb    %al, %dx                    // drive 0, LBA
    incl    %edx
    movb    $0x20, %al
    outb    %al, %dx                    // READ SECTORS
    call    boot_ready
    movw    $0x1F0, %dx
    movl    $512 / 4, %ecx
    rep insl
    incl    %ebx
    popl    %ecx
    loop    boot_read
    ret

boot_ready:                             // until BSY is clear and DRDY set
    movw    $0x1F7, %dx
1:  inb     %dx, %al
    andb    $0xC0, %al
    cmpb    $0x40, %al
    jne     1b
    ret

    .balign 8
boot_gdt:
    .quad   0, 0x00CF9A000000FFFF, 0, 0x00CF92000000FFFF
boot_gdt_register:
    .short  boot_gdt_register - boot_gdt - 1
    .long   BOOT(boot_gdt)
    .org    510
    .byte   0x55, 0xAA

// ---- The ELF file: headers (System V ABI, chapter 4), then the kernel as its only segment ----
elf:
    .byte   0x7F, 'E', 'L', 'F', 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0
    .short  2, 3                        // an executable, for the 80386
    .long   1, KERNEL                   // version, entry
    .long   52, 0, 0                    // program headers, section headers, flags
    .short  52, 32, 1, 40, 0, 0
    .long   1                           // PT_LOAD
    .long   KERNEL_OFFSET - 512, KERNEL, KERNEL
    .long   kernel_end - kernel_start, kernel_end - kernel_start
    .long   7, 512
    .org    KERNEL_OFFSET

// ---- The kernel ----

// feature "text", routine: calls the routine, which leaves CF clear if all is well, and prints the line.
.macro feature text:req, routine:req
    call    \routine
    setc    AT(has_failed)
    .subsection 1
9:  .asciz  "\text\n"
    .subsection 0
    movl    $AT(9b), %esi
    call    report
.endm

// gate VECTOR, HANDLER, TYPE: in the interrupt descriptor table. Changes EAX, EDX, EDI.
.macro gate vector:req, handler:req, type=0x8E00
    movl    $AT(\handler), %eax
    movl    $\type, %edx
    movl    $IDT + 8 * \vector, %edi
    call    set_gate
.endm

// route INPUT, VECTOR: the I/O APIC sends the input's interrupt to the processor with the APIC id in AH (bits 31..24 of
// EAX). Changes EAX.
.macro route input:req, vector:req
    movl    $0x10 + 2 * \input + 1, IO_APIC
    movl    %eax, IO_APIC + 0x10
    movl    $0x10 + 2 * \input, IO_APIC
    movl    $\vector, IO_APIC + 0x10
.endm

// until ADDRESS, VALUE: waits until the number there is at least the value; CF set if it never was. Changes ECX.
.macro until address:req, value:req
    movl    $PATIENCE, %ecx
7:  pause
    cmpl    \value, \address
    jae     8f                          // CF is clear
    loop    7b
    stc
8:
.endm

// interrupt_end: the last lines of a handler that began with PUSHAL.
.macro interrupt_end
    movl    $0, APIC_EOI
    popal
    iret
.endm

kernel_start:
    movl    $STACKS + 0x1000, %esp
    cld
    lgdtl   AT(gdt_register)
    call    fill_idt
    lidtl   AT(idt_register)
    movb    $0xFF, %al                  // the old interrupt controllers stay silent
    outb    %al, $0x21
    outb    %al, $0xA1

    feature "boot sector loads an ELF by programmed I/O", check_loaded
    feature "address line 20", check_a20
    feature "pages of 4 MiB", check_large_pages
    feature "pages of 4 KiB, and a page fault", check_small_pages
    feature "MP tables", check_mp_tables
    feature "ring 3 with int 64, and a protection fault", check_user_mode
    feature "PIT channel 2 by port 0x61", check_pit
    feature "real-time clock", check_clock
    feature "local APIC timer", check_timer
    feature "keyboard by IRQ 1", check_keyboard
    feature "serial port by IRQ 4", check_serial
    feature "text screen and cursor", check_screen
    feature "other processors start at 0x7000 by INIT and SIPI", check_processors
    feature "disk 0 by IRQ 14 on the last processor", check_disk0
    feature "disk 1 by IRQ 14 on the last processor", check_disk1
    feature "task switches on all processors by their timers", check_tasks

    movb    AT(failures), %al
    outb    %al, $GUEST_EXIT_PORT
1:  hlt
    jmp     1b

    // Prints PASS or FAIL and the text at ESI.
report:
    pushl   %esi
    movl    $AT(pass_text), %esi
    cmpb    $0, AT(has_failed)
    je      1f
    incb    AT(failures)
    movl    $AT(fail_text), %esi
1:  call    print32
    popl    %esi
    call    print32
    ret

    // A gate at EDI for the handler EAX, of type EDX.
set_gate:
    movw    %ax, (%edi)
    movw    $CODE32, 2(%edi)
    movw    %dx, 4(%edi)
    shrl    $16, %eax
    movw    %ax, 6(%edi)
    ret

fill_idt:
    movl    $IDT, %edi
    movl    $AT(exception_stubs), %ebx
    movl    $32, %ecx
1:  movl    %ebx, %eax
    movl    $0x8E00, %edx
    call    set_gate
    addl    $8, %edi
    addl    $16, %ebx
    loop    1b
    gate    13, protection_fault
    gate    14, page_fault
    gate    VECTOR_TIMER, timer
    gate    VECTOR_KEYBOARD, keyboard
    gate    VECTOR_SERIAL, serial
    gate    VECTOR_DISK, disk
    gate    VECTOR_WAKE, wake
    gate    VECTOR_SYSTEM_CALL, system_call, 0xEE00
    gate    VECTOR_SPURIOUS, spurious
    ret

    // ---- Loading and paging ----

check_loaded:
    cmpl    $0x4B4E454C, AT(kernel_mark)    // the kernel's last bytes
    jne     failed
    clc
    ret

failed:
    stc
    ret

check_a20:
    movl    KERNEL + 0x600, %eax
    notl    0x600
    cmpl    KERNEL + 0x600, %eax
    jne     failed
    clc
    ret

    // CR4.PSE: a directory entry maps 4 MiB (SDM vol. 3, 4.3). The first 4 MiB are mapped at 0 and at 2 GiB.
check_large_pages:
    movl    $0x87, DIRECTORY_4M
    movl    $0x87, DIRECTORY_4M + 4 * (0x80000000 >> 22)
    movl    $IO_APIC + 0x93, DIRECTORY_4M + 4 * (IO_APIC >> 22)
    movl    %cr4, %eax
    orl     $1 << 4, %eax
    movl    %eax, %cr4
    movl    $DIRECTORY_4M, %eax
    movl    %eax, %cr3
    movl    %cr0, %eax
    orl     $1 << 31 | 1 << 16, %eax    // PG, WP
    movl    %eax, %cr0
    movl    $0x13579BDF, BUFFER
    cmpl    $0x13579BDF, 0x80000000 + BUFFER
    jne     failed
    movl    $0x2468ACE0, 0x80000000 + BUFFER
    cmpl    $0x2468ACE0, BUFFER
    jne     failed
    clc
    ret

    // The first 4 MiB to themselves, page by page; at 4 MiB the page BUFFER, and behind it nothing.
check_small_pages:
    movl    $TABLE_LOW, %edi
    movl    $7, %eax                    // present, writable, for ring 3
    movl    $1024, %ecx
1:  movl    %eax, (%edi)
    addl    $4, %edi
    addl    $0x1000, %eax
    loop    1b
    movl    $BUFFER + 3, TABLE_ALIAS
    movl    $TABLE_LOW + 7, DIRECTORY_4K
    movl    $TABLE_ALIAS + 7, DIRECTORY_4K + 4
    movl    $IO_APIC + 0x93, DIRECTORY_4K + 4 * (IO_APIC >> 22)
    movl    $DIRECTORY_4K, %eax
    movl    %eax, %cr3
    cmpl    $0x2468ACE0, 0x400000
    jne     failed
    movl    $0x55AA55AA, 0x401004       // faults; the handler maps BUFFER's next page
    cmpl    $0x401004, AT(fault_address)
    jne     failed
    cmpl    $2, AT(fault_error)         // a write to a page that is not there
    jne     failed
    cmpl    $0x55AA55AA, BUFFER + 0x1004
    jne     failed
    clc
    ret

page_fault:
    pushal
    movl    %cr2, %eax
    cmpl    $0, AT(fault_address)       // a second one is a mistake
    jne     unexpected_fault
    movl    %eax, AT(fault_address)
    movl    32(%esp), %eax
    movl    %eax, AT(fault_error)
    movl    $BUFFER + 0x1003, TABLE_ALIAS + 4
    invlpg  0x401000
    popal
    addl    $4, %esp
    iret
unexpected_fault:
    popal
    pushl   $14
    jmp     exception

    // ---- Tables ----

    // Sums ECX bytes from ESI; ZF tells whether the sum is 0. Changes EAX, ECX, ESI.
checksum:
    xorb    %al, %al
1:  addb    (%esi), %al
    incl    %esi
    loop    1b
    testb   %al, %al
    ret

    // MultiProcessor Specification 1.4, chapter 4.
check_mp_tables:
    movl    $0xF0000, %ebx
1:  cmpl    $0x5F504D5F, (%ebx)         // "_MP_"
    jne     2f
    movl    %ebx, %esi
    movl    $16, %ecx
    call    checksum
    jz      3f
2:  addl    $16, %ebx
    cmpl    $0x100000, %ebx
    jb      1b
    jmp     failed
3:  movl    4(%ebx), %ebx
    cmpl    $0x504D4350, (%ebx)         // "PCMP"
    jne     failed
    movl    %ebx, %esi
    movzwl  4(%ebx), %ecx
    call    checksum
    jnz     failed
    cmpl    $LOCAL_APIC, 36(%ebx)
    jne     failed
    movzwl  34(%ebx), %ecx              // entries
    addl    $44, %ebx
4:  cmpb    $0, (%ebx)
    jne     5f
    movzbl  1(%ebx), %eax               // a processor: its APIC id
    movl    %eax, AT(last_processor)
    incl    AT(processors)
    addl    $20 - 8, %ebx
    jmp     6f
5:  cmpb    $2, (%ebx)
    jne     6f
    movl    4(%ebx), %eax
    movl    %eax, AT(io_apic)
6:  addl    $8, %ebx
    loop    4b
    cmpl    $IO_APIC, AT(io_apic)
    jne     failed
    cmpl    $MAXIMUM, AT(processors)
    ja      failed
    cmpl    $1, AT(processors)
    jb      failed
    clc
    ret

    // ---- Ring 3 ----

check_user_mode:
    movl    $AT(task_state), %eax       // the task state's base is in three parts of its descriptor
    movw    %ax, AT(gdt) + TASK + 2
    shrl    $16, %eax
    movb    %al, AT(gdt) + TASK + 4
    movb    %ah, AT(gdt) + TASK + 7
    movb    $0x89, AT(gdt) + TASK + 5   // available
    movl    %esp, AT(kernel_stack)
    movl    $STACKS + 0x0800, AT(task_state) + 4    // ESP0: below what is in use
    movl    $DATA, AT(task_state) + 8
    movw    $TASK, %ax
    ltr     %ax
    movw    $USER_DATA, %ax
    movw    %ax, %ds
    movw    %ax, %es
    pushl   $USER_DATA
    pushl   $USER_STACK
    pushl   $2
    pushl   $USER_CODE
    pushl   $AT(user)
    iret
user:
    movl    $1000, %eax
    int     $VECTOR_SYSTEM_CALL
    cmpl    $1001, %eax
    jne     1f
    cli                                 // not allowed here: the handler goes on behind it
    pushl   %eax
    popl    %ebx
    cmpl    $1001, %ebx
    jne     1f
    movl    $0, %eax
    int     $VECTOR_SYSTEM_CALL
1:  movl    $1, %eax
    int     $VECTOR_SYSTEM_CALL

    // EAX = 1000 gives 1001 back; 0 and 1 end the program, well or not.
system_call:
    cmpl    $USER_CODE, 4(%esp)
    jne     1f
    cmpl    $1000, %eax
    jne     1f
    incl    %eax
    iret
1:  movw    $DATA, %dx
    movw    %dx, %ds
    movw    %dx, %es
    movl    AT(kernel_stack), %esp
    orl     %eax, %eax
    jnz     failed
    cmpl    $1, AT(protection_faults)
    jne     failed
    clc
    ret

protection_fault:
    cmpl    $USER_CODE, 8(%esp)         // error code, EIP, CS
    jne     1f
    incl    AT(protection_faults)
    addl    $4, %esp
    incl    (%esp)                      // CLI is one byte long
    iret
1:  pushl   $13
    jmp     exception

    // ---- Clocks ----

    // Channel 2 counts while bit 0 of port 0x61 is set, and its output is bit 5 (82C54 data sheet, mode 0).
check_pit:
    inb     $0x61, %al
    andb    $0xFC, %al
    outb    %al, $0x61
    movb    $0xB0, %al                  // channel 2, both bytes, mode 0
    outb    %al, $0x43
    movb    $11932 & 0xFF, %al          // 10 ms
    outb    %al, $0x42
    movb    $11932 >> 8, %al
    outb    %al, $0x42
    inb     $0x61, %al
    testb   $1 << 5, %al
    jnz     failed                      // it has not counted yet
    orb     $1, %al
    outb    %al, $0x61
    movl    $PATIENCE / 100, %ecx
1:  inb     $0x61, %al
    testb   $1 << 5, %al
    jnz     2f
    loop    1b
    jmp     failed
2:  clc
    ret

    // Seconds, as the clock's own format says (MC146818A data sheet).
check_clock:
    movl    $PATIENCE / 100, %ecx
1:  movb    $0x0A, %al
    outb    %al, $0x70
    inb     $0x71, %al
    testb   $1 << 7, %al                // an update is under way
    jz      2f
    loop    1b
    jmp     failed
2:  movb    $0x0D, %al
    outb    %al, $0x70
    inb     $0x71, %al
    testb   $1 << 7, %al                // time and memory are valid
    jz      failed
    xorb    %al, %al
    outb    %al, $0x70
    inb     $0x71, %al
    cmpb    $0x60, %al
    jae     failed
    movb    $0x34, %al                  // memory above 16 MiB or, if there is none, above 1 MiB
    outb    %al, $0x70
    inb     $0x71, %al
    movb    %al, %bl
    movb    $0x35, %al
    outb    %al, $0x70
    inb     $0x71, %al
    orb     %al, %bl
    movb    $0x30, %al
    outb    %al, $0x70
    inb     $0x71, %al
    orb     %al, %bl
    movb    $0x31, %al
    outb    %al, $0x70
    inb     $0x71, %al
    orb     %al, %bl
    jz      failed
    clc
    ret

    // Each processor enables its own APIC.
enable_apic:
    movl    $1 << 8 | VECTOR_SPURIOUS, APIC_SPURIOUS
    movl    $0b1011, APIC_DIVIDE        // by 1
    ret

start_timer:
    movl    $1 << 17 | VECTOR_TIMER, APIC_TIMER     // periodic
    movl    $TICK, APIC_INITIAL_COUNT
    ret

stop_timer:
    movl    $1 << 16 | VECTOR_TIMER, APIC_TIMER     // masked
    movl    $0, APIC_INITIAL_COUNT
    ret

check_timer:
    call    enable_apic
    call    start_timer
    sti
    until   AT(ticks), $10
    pushfl
    call    stop_timer
    popfl
    ret

    // Every processor's timer comes here. Where tasks are to be switched, it leaves on the other task's stack.
timer:
    pushal
    lock incl AT(ticks)
    movl    $0, APIC_EOI
    movl    APIC_ID, %ebx
    shrl    $24, %ebx
    cmpl    $0, AT(switching)(, %ebx, 4)
    je      1f
    incl    AT(slices)(, %ebx, 4)
    movl    AT(current)(, %ebx, 4), %ecx
    leal    (%ecx, %ebx, 2), %eax
    movl    %esp, AT(contexts)(, %eax, 4)
    xorl    $1, %ecx
    movl    %ecx, AT(current)(, %ebx, 4)
    leal    (%ecx, %ebx, 2), %eax
    movl    AT(contexts)(, %eax, 4), %esp
1:  popal
    iret

wake:
    pushal
    interrupt_end
spurious:
    iret

    // ---- Keyboard, serial port, screen ----

    // What is written after command 0xD2 comes back as if typed; then the keyboard itself is asked for an echo.
check_keyboard:
    xorl    %eax, %eax
    route   1, VECTOR_KEYBOARD
    movb    $0xD2, %al
    outb    %al, $0x64
    movb    $0x1E, %al
    outb    %al, $0x60
    until   AT(keys), $1
    jc      failed
    cmpb    $0x1E, AT(key)
    jne     failed
    movb    $0xEE, %al
    outb    %al, $0x60
    until   AT(keys), $2
    jc      failed
    cmpb    $0xEE, AT(key)
    jne     failed
    clc
    ret

keyboard:
    pushal
    inb     $0x60, %al
    movb    %al, AT(key)
    incl    AT(keys)
    interrupt_end

    // A transmitter that is empty interrupts as soon as that is allowed; OUT2 lets the interrupt out of the port.
check_serial:
    xorl    %eax, %eax
    route   4, VECTOR_SERIAL
    movw    $GUEST_SERIAL_PORT + 4, %dx
    movb    $0x0B, %al
    outb    %al, %dx
    movw    $GUEST_SERIAL_PORT + 1, %dx
    movb    $1 << 1, %al
    outb    %al, %dx
    until   AT(serial_interrupts), $1
    ret

serial:
    pushal
    movw    $GUEST_SERIAL_PORT + 2, %dx
    inb     %dx, %al
    andb    $0x0F, %al
    cmpb    $0x02, %al                  // the transmitter
    jne     1f
    incl    AT(serial_interrupts)
1:  movw    $GUEST_SERIAL_PORT + 1, %dx
    xorb    %al, %al
    outb    %al, %dx
    interrupt_end

check_screen:
    movl    $0xB8000, %edi
    movl    $80 * 25, %ecx
    movw    $0x0720, %ax
    rep stosw
    movl    $AT(screen_text), %esi
    movl    $0xB8000, %edi
    movb    $0x1F, %ah                  // white on blue
1:  lodsb
    testb   %al, %al
    jz      2f
    stosw
    jmp     1b
2:  subl    $0xB8000, %edi
    shrl    $1, %edi
    movl    %edi, %ebx                  // the cursor goes behind it
    movw    $0x3D4, %dx
    movb    $14, %al
    outb    %al, %dx
    incl    %edx
    movb    %bh, %al
    outb    %al, %dx
    decl    %edx
    movb    $15, %al
    outb    %al, %dx
    incl    %edx
    movb    %bl, %al
    outb    %al, %dx
    xorl    %eax, %eax
    inb     %dx, %al
    cmpb    %bl, %al
    jne     failed
    cmpw    $0x1F70, 0xB8000            // "p"
    jne     failed
    cmpw    $0x0720, 0xB8000 + 2 * (80 * 25 - 1)
    jne     failed
    clc
    ret

    // ---- Other processors ----

    // MultiProcessor Specification 1.4, B.4: shutdown code 0x0A and the warm reset vector, INIT, then SIPI twice.
check_processors:
    movl    $AT(trampoline), %esi
    movl    $TRAMPOLINE, %edi
    movl    $trampoline_end - trampoline, %ecx
    rep movsb
    movb    $0x0F, %al
    outb    %al, $0x70
    movb    $0x0A, %al
    outb    %al, $0x71
    movl    $TRAMPOLINE >> 4 << 16, 0x467
    movl    $1, AT(started)
    xorl    %ebx, %ebx
1:  incl    %ebx
    cmpl    AT(processors), %ebx
    jae     2f
    movl    %ebx, %eax
    shll    $24, %eax
    movl    %eax, APIC_COMMAND_HIGH
    movl    $0xC500, APIC_COMMAND       // INIT, level, assert
    movl    $0x8500, APIC_COMMAND       // deassert
    movl    %eax, APIC_COMMAND_HIGH
    movl    $0x4600 | TRAMPOLINE >> 12, APIC_COMMAND
    movl    %eax, APIC_COMMAND_HIGH
    movl    $0x4600 | TRAMPOLINE >> 12, APIC_COMMAND
    // One after the other: each takes its time for the first steps.
    leal    1(%ebx), %eax
    until   AT(started), %eax
    jc      failed
    jmp     1b
2:  clc
    ret

    .code16
trampoline:
    cli
    xorw    %ax, %ax
    movw    %ax, %ds
    lgdtl   TRAMPOLINE + trampoline_gdt - trampoline
    movl    %cr0, %eax
    orb     $1, %al
    movl    %eax, %cr0
    ljmpl   $CODE32, $AT(other)
trampoline_gdt:
    .short  gdt_register - gdt - 1
    .long   AT(gdt)
trampoline_end:

    .code32
other:
    movw    $DATA, %ax
    movw    %ax, %ds
    movw    %ax, %es
    movw    %ax, %ss
    movl    APIC_ID, %ebx
    shrl    $24, %ebx
    movl    %ebx, %esp
    shll    $12, %esp
    addl    $STACKS + 0x1000, %esp
    movl    %cr4, %eax
    orl     $1 << 4, %eax
    movl    %eax, %cr4
    movl    $DIRECTORY_4K, %eax
    movl    %eax, %cr3
    movl    %cr0, %eax
    orl     $1 << 31 | 1 << 16, %eax
    movl    %eax, %cr0
    lidtl   AT(idt_register)
    cld
    call    enable_apic
    lock incl AT(started)
    sti
    // Sleep, until it is time for the tasks.
1:  hlt
    cmpl    $0, AT(go)
    je      1b
    call    run_tasks
2:  hlt
    jmp     2b

    // ---- Disks ----

check_disk0:
    movl    AT(last_processor), %eax
    shll    $24, %eax
    route   14, VECTOR_DISK
    movb    $0xE0, %bl
    movl    $0, %esi
    call    read_sector
    jc      failed
    cmpw    $0xAA55, BUFFER + 510       // it is the boot sector
    jne     failed
    movb    $0xE0, %bl
    movl    $0, %esi
    call    write_sector                // as it was
    ret

check_disk1:
    movl    $BUFFER, %edi
    movl    $128, %ecx
    movl    $0xC0FFEE00, %eax
1:  stosl
    incl    %eax
    loop    1b
    movb    $0xF0, %bl
    movl    $7, %esi
    call    write_sector
    jc      failed
    movl    $BUFFER, %edi
    movl    $128, %ecx
    xorl    %eax, %eax
    rep stosl
    movb    $0xF0, %bl
    movl    $7, %esi
    call    read_sector
    jc      failed
    cmpl    $0xC0FFEE00, BUFFER
    jne     failed
    cmpl    $0xC0FFEE7F, BUFFER + 508
    jne     failed
    movl    AT(last_processor), %eax
    cmpl    %eax, AT(disk_processor)
    jne     failed
    clc
    ret

    // Waits for the drive to be ready and gives it the command AL for sector ESI of the drive in BL. CF: it never was.
disk_command:
    pushl   %eax
    movl    $PORT_PATIENCE, %ecx
    movw    $0x1F7, %dx
1:  inb     %dx, %al
    andb    $0xC0, %al
    cmpb    $0x40, %al
    je      2f
    loop    1b
    popl    %eax
    stc
    ret
2:  movw    $0x3F6, %dx
    xorb    %al, %al
    outb    %al, %dx                    // nIEN clear: with interrupts
    movw    $0x1F2, %dx
    movb    $1, %al
    outb    %al, %dx
    incl    %edx
    movl    %esi, %eax
    outb    %al, %dx
    incl    %edx
    shrl    $8, %eax
    outb    %al, %dx
    incl    %edx
    shrl    $8, %eax
    outb    %al, %dx
    incl    %edx
    movb    %bl, %al
    outb    %al, %dx
    incl    %edx
    popl    %eax
    outb    %al, %dx
    clc
    ret

    // Reads sector ESI of the drive in BL to BUFFER.
read_sector:
    movl    $0, AT(disk_interrupts)
    movb    $0x20, %al
    call    disk_command
    jc      failed
    until   AT(disk_interrupts), $1
    jc      failed
    testb   $0x21, AT(disk_status)      // DF, ERR
    jnz     failed
    movl    $BUFFER, %edi
    movw    $0x1F0, %dx
    movl    $128, %ecx
    rep insl
    clc
    ret

    // Writes it.
write_sector:
    movl    $0, AT(disk_interrupts)
    movb    $0x30, %al
    call    disk_command
    jc      failed
    movl    $PORT_PATIENCE, %ecx
    movw    $0x3F6, %dx                 // the alternate status leaves the interrupt alone
1:  inb     %dx, %al
    testb   $1 << 3, %al                // DRQ
    jnz     2f
    loop    1b
    jmp     failed
2:  movl    $BUFFER, %esi
    movw    $0x1F0, %dx
    movl    $128, %ecx
    rep outsl
    until   AT(disk_interrupts), $1
    jc      failed
    testb   $0x21, AT(disk_status)
    jnz     failed
    clc
    ret

disk:
    pushal
    movw    $0x1F7, %dx
    inb     %dx, %al
    movb    %al, AT(disk_status)
    movl    APIC_ID, %eax
    shrl    $24, %eax
    movl    %eax, AT(disk_processor)
    incl    AT(disk_interrupts)
    interrupt_end

    // ---- Tasks ----

check_tasks:
    movl    $1, AT(go)
    movl    $0xC4000 | VECTOR_WAKE, APIC_COMMAND    // to all but this one
    call    run_tasks
    movl    AT(processors), %eax
    until   AT(finished), %eax
    jc      failed
    cmpl    $0, AT(mistakes)
    jne     failed
    clc
    ret

    // Two tasks share this processor until its timer has switched between them SLICES times. The second one's first
    // stack frame is made here: what POPAL takes, then what IRET takes.
run_tasks:
    movl    APIC_ID, %ebx
    shrl    $24, %ebx
    movl    %ebx, %edi
    shll    $12, %edi
    addl    $SECOND_STACKS + 0x1000 - 11 * 4, %edi
    movl    $1, %eax
    movl    %eax, 16(%edi)              // EBX: which task it is; EDI, ESI, EBP, ESP are below
    movl    $AT(second_task), 32(%edi)
    movl    $CODE32, 36(%edi)
    movl    $0x202, 40(%edi)            // interrupts on
    leal    1(, %ebx, 2), %eax
    movl    %edi, AT(contexts)(, %eax, 4)
    movl    $0, AT(current)(, %ebx, 4)
    movl    $1, AT(switching)(, %ebx, 4)
    call    start_timer
    // The first task: its registers must be its own whatever the other one has in them.
    movl    $0x11111111, %esi
    movl    $0x22222222, %edi
    movl    $PATIENCE, %ecx
1:  pause
    cmpl    $0x11111111, %esi
    jne     3f
    cmpl    $0x22222222, %edi
    jne     3f
    cmpl    $SLICES, AT(slices)(, %ebx, 4)
    jae     2f
    loop    1b
3:  lock incl AT(mistakes)
2:  cli
    movl    $0, AT(switching)(, %ebx, 4)
    call    stop_timer
    sti
    cmpl    $0, AT(turns)(, %ebx, 4)    // the other one has run, too
    jne     4f
    lock incl AT(mistakes)
4:  lock incl AT(finished)
    ret

second_task:
    movl    APIC_ID, %ebx
    shrl    $24, %ebx
    movl    $0x33333333, %esi
    movl    $0x44444444, %edi
    movl    $0x55555555, %ecx
1:  pause
    incl    AT(turns)(, %ebx, 4)
    cmpl    $0x33333333, %esi
    jne     2f
    cmpl    $0x44444444, %edi
    jne     2f
    cmpl    $0x55555555, %ecx
    je      1b
2:  lock incl AT(mistakes)
    jmp     1b

    // ---- What nobody expects ----

    .balign 16
exception_stubs:
    .irp vector, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, \
        28, 29, 30, 31
    .balign 16
    .if ((1 << \vector) & 0x60227D00) == 0
    pushl   $0
    .endif
    pushl   $\vector
    jmp     exception
    .endr
    .balign 16
exception:
    say32   "exception "
    popl    %eax
    popl    %edx                        // error code
    popl    %edx                        // EIP
    movb    %al, AT(has_failed)
    call    print_decimal32
    say32   " at "
    movl    %edx, %eax
    call    print_hex32
    say32   "\n"
    movb    AT(has_failed), %al
    addb    $128, %al
    outb    %al, $GUEST_EXIT_PORT
1:  hlt
    jmp     1b

    routines pc_check, 32

    .subsection 2
pass_text:
    .asciz  "PASS  "
fail_text:
    .asciz  "FAIL  "
screen_text:
    .asciz  "pc-check was here"
    .balign 8
gdt:
    .quad   0, 0x00CF9A000000FFFF, 0, 0x00CF92000000FFFF    // CODE32 and, at 0x18, DATA
    .quad   0x00CFFA000000FFFF, 0x00CFF2000000FFFF          // the same for ring 3
    .quad   0x0000890000000067                              // task state; its base is filled in
gdt_register:
    .short  gdt_register - gdt - 1
    .long   AT(gdt)
idt_register:
    .short  256 * 8 - 1
    .long   IDT
    .balign 4
task_state:
    .zero   104
has_failed:
    .byte   0
failures:
    .byte   0
key:
    .byte   0
disk_status:
    .byte   0
    .balign 4
fault_address:
    .long   0
fault_error:
    .long   0
processors:
    .long   0
last_processor:
    .long   0
io_apic:
    .long   0
kernel_stack:
    .long   0
protection_faults:
    .long   0
ticks:
    .long   0
keys:
    .long   0
serial_interrupts:
    .long   0
started:
    .long   0
disk_interrupts:
    .long   0
disk_processor:
    .long   0
go:
    .long   0
finished:
    .long   0
mistakes:
    .long   0
switching:
    .zero   4 * MAXIMUM
slices:
    .zero   4 * MAXIMUM
turns:
    .zero   4 * MAXIMUM
current:
    .zero   4 * MAXIMUM
contexts:
    .zero   8 * MAXIMUM
    .subsection 3
kernel_mark:
    .ascii  "LENK"
kernel_end:
    .balign 512
    guest_end pc_check
