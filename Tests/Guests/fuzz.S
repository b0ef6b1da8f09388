// fuzz: reads and writes everything that the board pc has, at random.
//
// Each processor makes so many rounds. A round picks a place from a table, an address in it, a width, and whether to
// read or to write, once or by a string instruction; what is written is random, within the bits that the table allows.
// The numbers come from a generator that begins at a seed, so that a seed does the same each time. Whoever starts the
// guest fills in the words behind its first instruction.
//
// There are two tables. "fenced" leaves out what ends the machine or stops the processor, so that all rounds are made
// and the guest ends by itself with status 0; and it addresses no sector of a disk from 64 + 65,536 on. "wild" leaves out
// nothing.
#include "guest.h"

#define CR0_PE (1 << 0)
#define MSR_APIC_BASE 0x1B
#define X2APIC_ENABLED 0xC00            // APIC_BASE: enabled, x2APIC
#define MSR_X2APIC_ICR 0x830
#define INIT_ALL_OTHERS 0xC4500
#define SIPI_ALL_OTHERS 0xC4608         // vector 8: they begin at 0x8000

// What follows needs 16 MiB of memory. Each processor has 64 KiB for strings.
#define BUFFERS 0x200000
#define REQUESTS 0x300000               // requests to fw_cfg
#define REQUEST_DATA 0x380000           // and what they read
#define RAM_END 0x1000000

// A place in the table: so many addresses, each `1 << STEP` from the one before; the widths that are used there, a bit
// for each of 1, 2 and 4 bytes; what is done there; and the bits of a value that may be 1, and those that are.
#define PLACE_SHIFT 5
#define BASE 0
#define COUNT 4
#define AND 8
#define OR 12
#define WIDTHS 16
#define KIND 17
#define STEP 18
#define MEMORY 1                        // addresses of memory, not ports
#define NO_READS 2
#define NO_WRITES 4
#define NO_STRINGS 8
#define LONG 16                         // strings have up to 2047 items, and not 15
.macro place base:req, count=1, widths=7, kind=0, and=0xFFFFFFFF, or=0, step=0
    .long   \base, \count, \and, \or
    .byte   \widths, \kind, \step
    .balign 1 << PLACE_SHIFT
.endm

    guest   fuzz
    jmp     start
    .balign 4
seed:
    .long   1                           // not 0
rounds:
    .long   1000                        // of each processor
table:
    .long   0                           // 0 fenced, 1 wild
progress:
    .long   0                           // how many rounds have been made

start:
    cli
    movw    %cs, %bx                    // a processor that was woken has 0x800 here
    xorw    %ax, %ax
    movw    %ax, %ds
    testw   %bx, %bx
    jnz     2f
    movzbl  GUEST_CPU_COUNT_ADDRESS, %eax
    cmpl    $1, %eax
    adcl    $0, %eax                    // firmware is not told
    movl    %eax, AT(running)
    cmpl    $1, %eax
    je      2f
    movl    $MSR_APIC_BASE, %ecx
    rdmsr
    orl     $X2APIC_ENABLED, %eax
    wrmsr
    movl    $MSR_X2APIC_ICR, %ecx
    xorl    %edx, %edx
    movl    $INIT_ALL_OTHERS, %eax
    wrmsr
    movl    $SIPI_ALL_OTHERS, %eax
    wrmsr
2:  lgdt    AT(gdt_register)
    movl    %cr0, %eax
    orl     $CR0_PE, %eax
    movl    %eax, %cr0
    ljmpl   $CODE32, $AT(protected_mode)

    // EBP is the generator, EBX the processor's own buffer, and the word on the stack the rounds that are left.
    .code32
protected_mode:
    movw    $DATA, %ax
    movw    %ax, %ds
    movw    %ax, %es
    movw    %ax, %ss
    cld
    movl    $1, %eax
    lock xaddl %eax, AT(processors)
    movl    %eax, %ecx
    shll    $10, %ecx
    movl    $STACK_TOP, %esp
    subl    %ecx, %esp
    movl    %eax, %ebx
    shll    $16, %ebx
    addl    $BUFFERS, %ebx
    imull   $0x9E3779B1, %eax, %ebp     // each its own seed
    // Until it has been given another one, a request's target is where the targets are.
    movl    $16, %ecx
    movl    $REQUESTS + 12, %edi
1:  movl    $0x00003800, (%edi)
    addl    $16, %edi
    loop    1b
    xorl    AT(seed), %ebp
    jnz     1f
    incl    %ebp
1:  pushl   AT(rounds)

round:
    lock incl AT(progress)
    movl    AT(table), %ecx
    call    random
    mull    AT(table_counts)(, %ecx, 4) // EDX = a place's number: the upper half of the product
    shll    $PLACE_SHIFT, %edx
    addl    AT(tables)(, %ecx, 4), %edx
    movl    %edx, %esi                  // ESI = the place
    call    random
    mull    COUNT(%esi)
    movb    STEP(%esi), %cl
    shll    %cl, %edx
    addl    BASE(%esi), %edx
    movl    %edx, %edi                  // EDI = the address

    // The width: 0, 1 or 2 for 1, 2 or 4 bytes.
1:  call    random
    movl    %eax, %ecx
    andl    $3, %ecx
    btl     %ecx, WIDTHS(%esi)
    jnc     1b
    cmpl    $3, %ecx
    je      1b

    // The operation: bit 0 writes, bit 1 does it by a string instruction.
    shrl    $8, %eax
    andl    $3, %eax
    movb    KIND(%esi), %dl
    testb   $1, %al
    jz      1f
    testb   $NO_WRITES, %dl
    jmp     2f
1:  testb   $NO_READS, %dl
2:  jnz     next
    testb   $2, %al
    jz      1f
    testb   $NO_STRINGS, %dl
    jnz     next
1:  andl    $MEMORY, %edx
    shll    $2, %edx
    orl     %edx, %eax                  // bit 2: memory
    leal    (%eax, %eax, 2), %eax
    addl    %eax, %ecx
    call    *AT(operations)(, %ecx, 4)
next:
    decl    (%esp)
    jnz     round

    lock decl AT(running)
    jnz     1f
    finish
1:  hlt
    jmp     1b

operations:
    .long   AT(in8), AT(in16), AT(in32), AT(out8), AT(out16), AT(out32)
    .long   AT(ins8), AT(ins16), AT(ins32), AT(outs8), AT(outs16), AT(outs32)
    .long   AT(load8), AT(load16), AT(load32), AT(store8), AT(store16), AT(store32)
    .long   AT(loads8), AT(loads16), AT(loads32), AT(stores8), AT(stores16), AT(stores32)

in8:
    movl    %edi, %edx
    inb     %dx, %al
    ret
in16:
    movl    %edi, %edx
    inw     %dx, %ax
    ret
in32:
    movl    %edi, %edx
    inl     %dx, %eax
    ret
out8:
    call    value
    movl    %edi, %edx
    outb    %al, %dx
    ret
out16:
    call    value
    movl    %edi, %edx
    outw    %ax, %dx
    ret
out32:
    call    value
    movl    %edi, %edx
    outl    %eax, %dx
    ret
load8:
    movb    (%edi), %al
    ret
load16:
    movw    (%edi), %ax
    ret
load32:
    movl    (%edi), %eax
    ret
store8:
    call    value
    movb    %al, (%edi)
    ret
store16:
    call    value
    movw    %ax, (%edi)
    ret
store32:
    call    value
    movl    %eax, (%edi)
    ret

.macro port_strings suffix:req, bits:req
ins\bits:
    call    count
    movl    %edi, %edx
    movl    %ebx, %edi
    rep ins\suffix
    ret
outs\bits:
    call    fill\bits
    movl    %edi, %edx
    movl    %ebx, %esi
    rep outs\suffix
    ret
.endm
    port_strings b, 8
    port_strings w, 16
    port_strings l, 32

.macro memory_strings suffix:req, bits:req
loads\bits:
    call    count
    movl    %edi, %esi
    movl    %ebx, %edi
    rep movs\suffix
    ret
stores\bits:
    call    fill\bits
    movl    %ebx, %esi
    rep movs\suffix
    ret
.endm
    memory_strings b, 8
    memory_strings w, 16
    memory_strings l, 32

// EAX and EBP = the next number (Marsaglia, "Xorshift RNGs"). Changes nothing else.
random:
    movl    %ebp, %eax
    shll    $13, %eax
    xorl    %eax, %ebp
    movl    %ebp, %eax
    shrl    $17, %eax
    xorl    %eax, %ebp
    movl    %ebp, %eax
    shll    $5, %eax
    xorl    %eax, %ebp
    movl    %ebp, %eax
    ret

// EAX = a value for the place at ESI.
value:
    call    random
    andl    AND(%esi), %eax
    orl     OR(%esi), %eax
    ret

// ECX = how many items: 0 to 15, as KVM leaves the guest for each item of OUTS; or 0 to 2047. Changes EAX.
count:
    call    random
    movl    %eax, %ecx
    shrl    $28, %ecx
    testb   $LONG, KIND(%esi)
    jz      1f
    movl    %eax, %ecx
    andl    $3, %ecx
    shrl    $21, %eax
    shrl    %cl, %eax
    movl    %eax, %ecx
1:  ret

// ECX = how many items; the buffer begins with as many values for the place at ESI. Changes EAX and EDX.
.macro fills register:req, bytes:req, bits:req
fill\bits:
    call    count
    movl    %ecx, %edx
1:  decl    %edx
    js      2f
    call    value
    mov     %\register, (%ebx, %edx, \bytes)
    jmp     1b
2:  ret
.endm
    fills   al, 1, 8
    fills   ax, 2, 16
    fills   eax, 4, 32

    .balign 4
running:
    .long   1                           // processors that have rounds to make
processors:
    .long   0                           // processors that have begun
tables:
    .long   AT(fenced), AT(wild)
table_counts:
    .long   (fenced_end - fenced) >> PLACE_SHIFT, (wild_end - wild) >> PLACE_SHIFT
    .balign 8
gdt:
    .quad   0
    .quad   0x00CF9A000000FFFF          // CODE32: base 0, limit 4 GiB
    .quad   0
    .quad   0x00CF92000000FFFF          // DATA
gdt_register:
    .short  gdt_register - gdt - 1
    .long   AT(gdt)

    .balign 32
fenced:
    // A serial port; and where others would be.
    place   GUEST_SERIAL_PORT, 8
    place   0x2F8, 8
    // 8042: data; its status; commands below 0x80, those from 0xA0 and 0xE0 on, and of those that take a byte for one
    // of the devices all but 0xD1, by which the next byte resets the machine.
    place   0x60
    place   0x60
    place   0x64, kind=NO_WRITES
    place   0x64, kind=NO_READS, and=0x7F
    place   0x64, kind=NO_READS, and=0x0F, or=0xA0
    place   0x64, kind=NO_READS, and=0x0F, or=0xE0
    place   0x64, kind=NO_READS, and=0x01, or=0xD2
    place   0x64, kind=NO_READS, and=0, or=0xD4
    // System control ports B and A, the latter without its bit 0.
    place   0x61
    place   0x92, and=0xFFFFFFFE
    // Clock and CMOS; the index points at time and control registers every other time.
    place   0x70, 2
    place   0x70, and=0xFFFFFF0F
    place   0x71
    // Codes, debug ports, firmware's log. The port that ends the run is only read.
    place   0x80, 16
    place   GUEST_DEBUG_CONSOLE_PORT
    place   GUEST_EXIT_PORT, kind=NO_WRITES
    place   0x402
    // Interrupt controllers and timer, which are in the kernel.
    place   0x20, 2
    place   0xA0, 2
    place   0x4D0, 2
    place   0x40, 4
    // VGA: all of it, and its CRT controller's registers one by one.
    place   0x3C0, 32
    place   0x3D4, and=0xFF1F
    place   0x3D5
    // PCI; the reset control register without RCPU.
    place   0xCF8
    place   0xCF8, widths=4, kind=NO_STRINGS, and=0xFFFC, or=0x80000000
    place   0xCF9, and=0xFFFFFFFB
    place   0xCFC, 4
    // fw_cfg: items, data, and the address of a request, its bytes turned around: 0x00300000 to 0x003000F0.
    place   0x510, 8
    place   0x519, 3
    place   0x510, widths=2, and=0x3F
    place   0x511
    place   0x518, widths=4, and=0xF0000000, or=0x00003000
    place   0x518, widths=4, and=0xF0000000, or=0x00003000
    place   REQUESTS, 16, 4, MEMORY | NO_STRINGS, and=0x1F003F00, step=4
    place   REQUESTS + 4, 16, 4, MEMORY | NO_STRINGS, and=0xFFFF0000, step=4
    place   REQUESTS + 8, 16, 4, MEMORY | NO_STRINGS, and=0, step=4
    place   REQUESTS + 12, 16, 4, MEMORY | NO_STRINGS, and=0xFFFF0000, or=0x00003800, step=4
    // ACPI: no SLP_EN, bit 13 of the register at 0x604; no 6 at 0x60C.
    place   0x600, 2
    place   0x602, 2, 3
    place   0x604, 1, 1
    place   0x604, 1, 2, and=0xDFFF
    place   0x605, 1, 3, and=0xDFDF
    place   0x606, 2
    place   0x608
    place   0x60C, and=0xF9F9F9F9
    place   0x60D, 3, and=0xF9F9F9F9
    // The ATA channels, and the bytes beside a register for accesses that are wider. Addresses have 0 in all registers
    // but the lowest, which is below 64, so a command begins at a sector below 64 or beyond the end of any disk that is
    // smaller than 8 GiB; and it goes on for 65,536 sectors at the most.
    .irp    block, 0x1F0, 0x170
    .rept   4
    place   \block, kind=NO_WRITES | LONG
    place   \block, kind=NO_READS | LONG
    .endr
    place   \block + 1, and=0x003F01FF
    place   \block + 2, and=0x00003F07
    place   \block + 2, and=0x00003F07
    place   \block + 3, and=0x1000003F, or=0x40000000
    place   \block + 3, and=0x1000003F, or=0x40000000
    place   \block + 4, and=0xFF100000, or=0x00400000
    place   \block + 5, and=0x00FF1000, or=0x00004000
    place   \block + 6, and=0x0000FF10, or=0x00000040
    place   \block + 6, widths=1, and=0x10, or=0x40
    // Any command; then the ones that there are: reads, writes, verifying, MULTIPLE, IDENTIFY, settings, FLUSH.
    place   \block + 7
    place   \block + 7, kind=NO_WRITES
    .rept   3
    place   \block + 7, widths=1, kind=NO_READS | NO_STRINGS, and=0x0D, or=0x20
    place   \block + 7, widths=1, kind=NO_READS | NO_STRINGS, and=0x0D, or=0x30
    .endr
    place   \block + 7, widths=1, kind=NO_READS | NO_STRINGS, and=0x03, or=0x40
    place   \block + 7, widths=1, kind=NO_READS | NO_STRINGS, and=0x03, or=0xC4
    place   \block + 7, widths=1, kind=NO_READS | NO_STRINGS, and=0x01, or=0xC4
    place   \block + 7, widths=1, kind=NO_READS | NO_STRINGS, and=0x03, or=0xEC
    place   \block + 7, widths=1, kind=NO_READS | NO_STRINGS, and=0x07, or=0xE0
    // The control block: mostly without SRST, which keeps the drives silent for as long as it is set.
    place   \block + 0x206, and=0xFB
    place   \block + 0x206, and=0xFB
    place   \block + 0x206, widths=1
    .endr
    // Nothing at all.
    place   0x1000, 0xF000
    // Screen memory, option ROMs; the hole, its interrupt controllers, a BIOS's own place. The controllers get none but
    // fixed vectors: NMI, SMI and INIT would stop the processor.
    place   0xA0000, 0x20000, kind=MEMORY
    place   0xC0000, 0x20000, kind=MEMORY
    place   0xC0000000, 0x3EBFF000, kind=MEMORY
    place   0xFEC00000, kind=MEMORY | NO_STRINGS, and=0xFF
    place   0xFEC00010, kind=MEMORY | NO_STRINGS, and=0xFFFFF8FF
    place   0xFEE00000, 0x40, 4, MEMORY | NO_STRINGS, and=0xFFFFF8FF, step=4
    place   0xFED00000, 0xFF000, kind=MEMORY
    place   0xFFFC0000, 0x3F000, kind=MEMORY
fenced_end:

wild:
    place   0, 0x10000
    place   0x1000, 0xF000
    .irp    block, 0x1F0, 0x170
    .rept   4
    place   \block, 8
    place   \block + 0x206
    .endr
    .endr
    .rept   2
    place   0x20, 2
    place   0x40, 4
    place   0x60, 5
    place   0x70, 2
    place   0x80, 0x80
    place   0xA0, 2
    place   0x3C0, 32
    place   0x3F0, 16
    place   0x402
    place   0x4D0, 2
    place   0x510, 12
    place   0x600, 16
    place   0xCF8, 8
    place   0xA0000, 0x60000, kind=MEMORY
    place   RAM_END, 0xC0000000 - RAM_END, kind=MEMORY
    place   0xC0000000, 0x3EC00000, kind=MEMORY
    place   0xFEC00000, 0x100, kind=MEMORY
    place   0xFEE00000, 0x1000, kind=MEMORY
    place   0xFEE00000, 0x40, 4, MEMORY, step=4
    place   0xFED00000, 0x1300000, kind=MEMORY
    .endr
wild_end:
    guest_end fuzz
