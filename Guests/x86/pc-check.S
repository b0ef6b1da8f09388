// pc-check: uses a PC as a teaching kernel does, and tells of each part whether it works.
//
// This is a disk, not a program in memory: its first sector is a boot sector that finds no firmware, reads the kernel,
// an ELF file behind it, by programmed I/O, and jumps to it. The kernel prints a line for each feature, PASS or FAIL,
// and ends the run with the number of those that failed. A second disk is expected to be there, at least eight sectors
// of it. Of each disk one sector is written and then put back: the last one of this disk, the eighth of the other.
//
// Nothing here waits for ever: whatever shall happen is waited for by counting, and then it has failed. How long is one
// of the settings in the boot sector (see there), which who has the disk in a file may change.
//
// The checks are in pc-check-memory.h, -clocks.h, -devices.h, -processors.h and -tasks.h.
#define KERNEL 0x100000                 // where the kernel's first byte is loaded: beyond address line 20
#define KERNEL_OFFSET 0x400             // and where it lies on the disk: after boot sector and ELF headers
#define LOAD (KERNEL - KERNEL_OFFSET)   // so that AT(label) is right for every label of the kernel
#include "guest.h"
#define BOOT(label) ((label) - guest_start + 0x7C00)

// Memory that the kernel uses besides its own.
#define LOW_WORD 0x600                  // a free word below 1 MiB
#define HEADERS 0x10000                 // the boot sector reads the ELF file's first 4 KiB there
#define TRAMPOLINE 0x7000               // where the other processors begin: SIPI vector 7
#define LOW_CODE 0x8000                 // code that runs while address line 20 may be closed
#define IDT 0x180000
#define DIRECTORY_4M 0x181000           // a page directory of 4 MiB pages
#define DIRECTORY_4K 0x182000           // one with two tables of 4 KiB pages
#define TABLE_LOW 0x183000              // the first 4 MiB, for all rings
#define TABLE_ALIAS 0x184000
#define TABLE_KERNEL 0x185000           // the first 4 MiB, for ring 0
#define TASK_STATES 0x186000            // 128 bytes for each processor
#define TASK_CODE 0x187000              // what the tasks run
#define STACKS 0x190000                 // a page for each processor, by its number
#define BUFFER 0x1B0000                 // sectors; the frames that TABLE_ALIAS maps
#define SAVED 0x1B8000                  // a sector as it was
#define USER_STACK 0x1C1000
#define TASKS 0x200000                  // 32 KiB for each task: see pc-check-tasks.h
#define MAXIMUM 16                      // processors; where there are more, the others stay asleep

#define USER_CODE 0x23
#define USER_DATA 0x2B
#define TASK 0x30                       // the first processor's task state; the others' follow

#define LOCAL_APIC 0xFEE00000
#define APIC_ID (LOCAL_APIC + 0x20)
#define APIC_EOI (LOCAL_APIC + 0xB0)
#define APIC_SPURIOUS (LOCAL_APIC + 0xF0)
#define APIC_COMMAND (LOCAL_APIC + 0x300)
#define APIC_COMMAND_HIGH (LOCAL_APIC + 0x310)
#define APIC_TIMER (LOCAL_APIC + 0x320)
#define APIC_INITIAL_COUNT (LOCAL_APIC + 0x380)
#define APIC_CURRENT_COUNT (LOCAL_APIC + 0x390)
#define APIC_DIVIDE (LOCAL_APIC + 0x3E0)
#define IO_APIC 0xFEC00000

#define TICK 10000000                   // of KVM's 1 GHz: 100 in a second
#define TASK_TICK 1000000               // how long a task runs where there is one processor
#define PIT_HERTZ 1193182

#define VECTOR_TIMER 0x20
#define VECTOR_KEYBOARD 0x21
#define VECTOR_SERIAL 0x24
#define VECTOR_CLOCK 0x28
#define VECTOR_DISK 0x2E
#define VECTOR_WAKE 0x30
#define VECTOR_SYSTEM_CALL 64
#define VECTOR_GIVE_UP 65
#define VECTOR_SPURIOUS 0xFF

#define PORT_PATIENCE 100000            // how often a port is looked at, which takes a thousand times as long as memory

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

    .balign 4
boot_gdt:
    .quad   0, 0x00CF9A000000FFFF, 0, 0x00CF92000000FFFF
boot_gdt_register:
    .short  boot_gdt_register - boot_gdt - 1
    .long   BOOT(boot_gdt)

    // Settings: what may be changed in the disk's first sector before it is booted.
    .org    416
patience:
    .long   100000000                   // how often something is looked at before it has failed
switches:
    .long   500                         // how often all processors together switch tasks
waits_for_second:
    .long   1                           // 1: the clock is watched until it goes on, which takes half a second; 0: not

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

// feature "text", routine: calls the routine, which leaves CF clear if all is well, and prints the line. A routine may
// leave a text in `detail`, which is printed behind the line's own.
.macro feature text:req, routine:req
    call    \routine
    setc    AT(has_failed)
    .subsection 1
9:  .asciz  "\text"
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

// route INPUT, VECTOR, PROCESSOR: the I/O APIC sends the input's interrupt to the processor with the APIC id at this
// address. Changes EAX.
.macro route input:req, vector:req, processor:req
    movl    \processor, %eax
    shll    $24, %eax
    movl    $0x10 + 2 * \input + 1, IO_APIC
    movl    %eax, IO_APIC + 0x10
    movl    $0x10 + 2 * \input, IO_APIC
    movl    $\vector, IO_APIC + 0x10
.endm

// until ADDRESS, VALUE: waits until the number there is at least the value; CF set if it never was. Changes ECX.
.macro until address:req, value:req
    movl    BOOT(patience), %ecx
7:  pause
    cmpl    \value, \address
    jae     8f                          // CF is clear
    loop    7b
    stc
8:
.endm

// processor REGISTER: the number of the processor that runs this, 0 for the first one.
.macro processor register:req
    movl    APIC_ID, %\register
    shrl    $24, %\register
    movzbl  AT(numbers)(%\register), %\register
.endm

// serial REGISTER, VALUE: writes a register of the serial port. Changes AL, DX.
.macro serial register:req, value:req
    movw    $GUEST_SERIAL_PORT + \register, %dx
    movb    $\value, %al
    outb    %al, %dx
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
    movl    $IDT, %edi
    movl    $(STACKS - IDT) / 4, %ecx
    xorl    %eax, %eax
    rep stosl                           // firmware may have left something there
    call    fill_idt
    lidtl   AT(idt_register)
    movb    $0xFF, %al                  // the old interrupt controllers stay silent
    outb    %al, $0x21
    outb    %al, $0xA1
    movl    APIC_ID, %eax               // until the MP tables tell of more
    shrl    $24, %eax
    movl    %eax, AT(identifiers)
    movl    %eax, AT(last_processor)
    movb    $0, AT(numbers)(%eax)
    call    enable_apic
    serial  2, 1 << 0                   // FIFOs on
    call    silence_keyboard

    feature "boot sector loads an ELF by programmed I/O", check_loaded
    feature "address line 20, opened by port 0x92 and by the keyboard controller", check_a20
    feature "pages of 4 MiB", check_large_pages
    feature "pages of 4 KiB, and a page fault", check_small_pages
    feature "MP tables", check_mp_tables
    feature "ring 3 with int 64, and a protection fault", check_user_mode
    feature "PIT channel 2 by port 0x61", check_pit
    feature "real-time clock by IRQ 8", check_clock
    cmpl    $0, BOOT(waits_for_second)
    je      1f
    feature "real-time clock: the next second, its alarm and the update before it", check_second
1:  feature "local APIC timer: interrupts, at 100 Hz by the PIT", check_timer
    feature "keyboard by IRQ 1", check_keyboard
    feature "serial port by IRQ 4, sending and receiving", check_serial
    feature "text screen and cursor", check_screen
    feature "other processors start at 0x7000, with the warm reset vector set", check_processors
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
1:  call    print
    popl    %esi
    call    print
    movl    $AT(no_text), %esi
    xchgl   %esi, AT(detail)
    call    print
    movl    $AT(end_of_line), %esi

    // Prints the text at ESI: sixteen bytes, which is what the port's FIFO holds, for each time that it is empty.
print:
    movw    $LINE_STATUS_PORT, %dx
1:  inb     %dx, %al
    testb   $1 << 5, %al
    jz      1b
    movw    $GUEST_SERIAL_PORT, %dx
    movl    $16, %ecx
2:  lodsb
    testb   %al, %al
    jz      3f
    outb    %al, %dx
    loop    2b
    jmp     print
3:  ret

failed:
    stc
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
    gate    VECTOR_CLOCK, clock
    gate    VECTOR_DISK, disk
    gate    VECTOR_WAKE, wake
    gate    VECTOR_SYSTEM_CALL, system_call, 0xEE00
    gate    VECTOR_GIVE_UP, give_up, 0xEE00
    gate    VECTOR_SPURIOUS, spurious
    ret

    // Each processor enables its own APIC.
enable_apic:
    movl    $1 << 8 | VECTOR_SPURIOUS, APIC_SPURIOUS
    movl    $0b1011, APIC_DIVIDE        // by 1
    ret

#include "pc-check-memory.h"
#include "pc-check-clocks.h"
#include "pc-check-devices.h"
#include "pc-check-processors.h"
#include "pc-check-tasks.h"

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
end_of_line:
    .ascii  "\n"
no_text:
    .asciz  ""
screen_text:
    .asciz  "pc-check was here"
in_extended_area:
    .asciz  ", in the extended BIOS data area"
in_base_memory:
    .asciz  ", at the end of base memory"
in_rom:
    .asciz  ", among the BIOS's addresses"
no_others:
    .asciz  ": there are none"
more_others:
    .asciz  ": the first 15, and the rest is left asleep"
    .balign 8
gdt:
    .quad   0, 0x00CF9A000000FFFF, 0, 0x00CF92000000FFFF    // CODE32 and, at 0x18, DATA
    .quad   0x00CFFA000000FFFF, 0x00CFF2000000FFFF          // the same for ring 3
    .zero   8 * MAXIMUM                                     // task states
gdt_register:
    .short  gdt_register - gdt - 1
    .long   AT(gdt)
idt_register:
    .short  256 * 8 - 1
    .long   IDT
has_failed:
    .byte   0
failures:
    .byte   0
disk_status:
    .byte   0
serial_byte:
    .byte   0
clock_flags:
    .byte   0
key_bytes:
    .zero   16
    .balign 4
detail:
    .long   AT(no_text)
fault_address:
    .long   0
fault_error:
    .long   0
processors:                             // how many are used
    .long   1
last_processor:                         // the APIC id of the last of them
    .long   0
processors_found:
    .long   0
first_found:
    .long   0
io_apic:
    .long   0
kernel_stack:
    .long   0
protection_faults:
    .long   0
ticks:
    .long   0
clock_interrupts:
    .long   0
keys:
    .long   0
serial_interrupts:
    .long   0
received:
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
current:
    .zero   4 * MAXIMUM
schedulers:
    .zero   4 * MAXIMUM
contexts:
    .zero   8 * MAXIMUM
identifiers:                            // APIC ids by number
    .zero   4 * MAXIMUM
numbers:                                // and numbers by APIC id
    .zero   256
    .subsection 3
    .balign 512
kernel_mark:                            // what the boot sector reads last, in a sector of its own
    .ascii  "LENK"
    .balign 512
kernel_end:
scratch:                                // the sector that is written
    .fill   512, 1, 0x5A
    guest_end pc_check
