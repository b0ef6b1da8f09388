// timer: interrupts from two clocks: the PC's old one (PIT, through the PIC), then the processor's own (local APIC).
//
// Old way: the 8254 timer (PIT) divides 1,193,182 Hz by a number and pulls a line, IRQ0, of the 8259 interrupt
// controller (PIC), which tells the processor the vector to call. New way: each processor has a local APIC with a timer
// in it. Both have two things in common: a mask, and an end-of-interrupt command (EOI) that the handler must give.
//
// With KVM's in-kernel PIC, PIT and APIC nothing of this exits to the monitor: KVM answers the ports and the registers
// itself, and a HLT puts the vCPU's thread to sleep until the next tick.
#include "guest.h"

#define PIC_COMMAND 0x20                // the first controller; the second one, at 0xA0, has IRQ8 to IRQ15
#define PIC_DATA 0x21
#define PIC2_COMMAND 0xA0
#define PIC2_DATA 0xA1
#define PIC_EOI 0x20                    // command "end of interrupt"
#define PIT_CHANNEL0 0x40
#define PIT_COMMAND 0x43
#define PIT_DIVISOR 11932               // 1,193,182 / 11,932 = 100 times a second

#define PIC_VECTOR 0x20                 // IRQ0 calls this one; 0 to 31 belong to exceptions
#define PIC_SPURIOUS_VECTOR 0x27        // the PIC calls this when a request is gone before it is answered
#define APIC_VECTOR 0x30
#define SPURIOUS_VECTOR 0x3F

// The local APIC in x2APIC mode: its registers are MSRs (SDM vol. 3, 11.12), which real mode can reach. In the older
// mode they are memory at 0xFEE00000, which it cannot.
#define APIC_BASE 0x1B
#define APIC_BASE_ENABLE (1 << 11)
#define APIC_BASE_X2APIC (1 << 10)
#define X2APIC_EOI 0x80B
#define X2APIC_SPURIOUS 0x80F
#define X2APIC_LVT_TIMER 0x832
#define X2APIC_INITIAL_COUNT 0x838
#define X2APIC_CURRENT_COUNT 0x839
#define X2APIC_DIVIDE 0x83E
#define SPURIOUS_ENABLE (1 << 8)
#define LVT_MASKED (1 << 16)
#define LVT_PERIODIC (1 << 17)
#define DIVIDE_BY_1 0b1011
#define TIMER_COUNT 10000000            // KVM's timer runs at 1 GHz: 10 ms

// write_msr REGISTER, VALUE: changes EAX, ECX, EDX.
.macro write_msr register:req, value:req
    movl    $\register, %ecx
    movl    $\value, %eax
    xorl    %edx, %edx
    wrmsr
.endm

    guest   timer
    cli
    xorw    %ax, %ax
    movw    %ax, %ds
    movw    %ax, %ss
    movw    $STACK_TOP, %sp
    catch_exceptions16
    set_vector16 PIC_VECTOR, pic_tick
    set_vector16 APIC_VECTOR, apic_tick
    set_vector16 SPURIOUS_VECTOR, spurious
    set_vector16 PIC_SPURIOUS_VECTOR, spurious

    // Four initialization words for each PIC: 0x11 (edge-triggered, cascaded, a fourth word follows), its first vector,
    // where the second controller hangs (on line 2 of the first), 1 (8086 mode).
    movb    $0x11, %al
    outb    %al, $PIC_COMMAND
    outb    %al, $PIC2_COMMAND
    movb    $PIC_VECTOR, %al
    outb    %al, $PIC_DATA
    movb    $PIC_VECTOR + 8, %al
    outb    %al, $PIC2_DATA
    movb    $1 << 2, %al
    outb    %al, $PIC_DATA
    movb    $2, %al
    outb    %al, $PIC2_DATA
    movb    $1, %al
    outb    %al, $PIC_DATA
    outb    %al, $PIC2_DATA

    check   1
    movb    $0xFF, %al
    outb    %al, $PIC2_DATA
    movb    $0xFE, %al                  // after that, the data port is the mask: a 1 blocks. IRQ0 may pass
    outb    %al, $PIC_DATA
    inb     $PIC_DATA, %al
    cmpb    $0xFE, %al                  // where there is no PIC, this reads 0xFF
    jne     failed16
    say16   "timer: the PIC answers, all masked but IRQ0: ok\n"

    check   2
    movb    $0b00110100, %al            // channel 0, low byte then high byte, mode 2: again and again
    outb    %al, $PIT_COMMAND
    movb    $PIT_DIVISOR & 0xFF, %al
    outb    %al, $PIT_CHANNEL0
    movb    $PIT_DIVISOR >> 8, %al
    outb    %al, $PIT_CHANNEL0
    call    wait_for_10_ticks
    say16   "timer: 10 ticks of the PIT by IRQ0: ok\n"

    check   3
    movb    $0xFF, %al
    outb    %al, $PIC_DATA
    call    count_ticks_of_3_periods
    cmpw    $0, AT(ticks)
    jne     failed16
    say16   "timer: IRQ0 masked in the PIC, no ticks: ok\n"

    check   4
    movb    $0xFE, %al
    outb    %al, $PIC_DATA
    call    wait_for_10_ticks
    movb    $0xFF, %al                  // that was the PIC; from here on it is silent
    outb    %al, $PIC_DATA
    say16   "timer: IRQ0 unmasked, 10 more ticks: ok\n"

    check   5
    movl    $1, %eax
    cpuid
    testl   $1 << 21, %ecx              // CPUID leaf 1, ECX bit 21: x2APIC
    jz      failed16
    movl    $APIC_BASE, %ecx
    rdmsr
    orl     $APIC_BASE_ENABLE | APIC_BASE_X2APIC, %eax
    wrmsr
    write_msr X2APIC_SPURIOUS, SPURIOUS_ENABLE | SPURIOUS_VECTOR
    write_msr X2APIC_DIVIDE, DIVIDE_BY_1
    write_msr X2APIC_LVT_TIMER, LVT_PERIODIC | APIC_VECTOR
    write_msr X2APIC_INITIAL_COUNT, TIMER_COUNT
    call    wait_for_10_ticks
    say16   "timer: 10 ticks of the local APIC's timer: ok\n"

    check   6
    movl    $X2APIC_CURRENT_COUNT, %ecx
    movl    $3, %ebp                    // one of three pairs of readings must lie within one period
1:  rdmsr
    movl    %eax, %ebx
    cmpl    $TIMER_COUNT, %eax
    ja      failed16
    rdmsr
    cmpl    %ebx, %eax
    jb      2f
    decl    %ebp
    jnz     1b
    jmp     failed16
2:  say16   "timer: the APIC's count goes down: ok\n"

    check   7
    write_msr X2APIC_LVT_TIMER, LVT_MASKED | LVT_PERIODIC | APIC_VECTOR
    call    count_ticks_of_3_periods
    cmpw    $0, AT(ticks)
    jne     failed16
    say16   "timer: masked in the local APIC, no ticks: ok\n"

    check   8
    write_msr X2APIC_INITIAL_COUNT, 0   // stop
    write_msr X2APIC_LVT_TIMER, APIC_VECTOR // neither masked nor periodic: once
    write_msr X2APIC_INITIAL_COUNT, TIMER_COUNT
    movw    $0, AT(ticks)
1:  sti
    hlt
    cli
    cmpw    $0, AT(ticks)
    je      1b
    cmpw    $1, AT(ticks)
    jne     failed16
    call    count_ticks_of_3_periods
    cmpw    $0, AT(ticks)
    jne     failed16
    say16   "timer: one-shot, exactly one tick: ok\n"
    finish
1:  hlt
    jmp     1b

    // Sleeps until ten more ticks have come. STI takes effect after the next instruction, so no tick can slip in
    // between the look at the counter and the HLT (SDM vol. 2, STI).
wait_for_10_ticks:
    movw    $0, AT(ticks)
1:  sti
    hlt
    cli
    cmpw    $10, AT(ticks)
    jb      1b
    ret

    // Counts the ticks that come in three periods of the PIT. One that was on its way already is let in first.
count_ticks_of_3_periods:
    sti
    call    wait_3_periods
    movw    $0, AT(ticks)
    call    wait_3_periods
    cli
    ret

    // Waits for three periods of the PIT without its interrupts, by reading its counter: it counts down, so a reading
    // above the one before means that a period has ended. Changes AX, BX, DX, CX.
wait_3_periods:
    movw    $3, %cx
    movw    $0xFFFF, %bx                // the reading before
1:  movb    $0, %al                     // command: latch channel 0, so that its two bytes belong together
    outb    %al, $PIT_COMMAND
    inb     $PIT_CHANNEL0, %al
    movb    %al, %dl
    inb     $PIT_CHANNEL0, %al
    movb    %al, %dh
    cmpw    %bx, %dx
    movw    %dx, %bx
    jbe     1b
    loop    1b
    ret

    // In real mode the processor pushes FLAGS, CS and IP, and IRET takes them off again (SDM vol. 3, 21.1.4).
pic_tick:
    pushw   %ax
    incw    AT(ticks)
    movb    $PIC_EOI, %al
    outb    %al, $PIC_COMMAND
    popw    %ax
    iret

apic_tick:
    pushl   %eax
    pushl   %ecx
    pushl   %edx
    incw    AT(ticks)
    write_msr X2APIC_EOI, 0
    popl    %edx
    popl    %ecx
    popl    %eax
    iret

spurious:                               // an interrupt that was withdrawn: nothing to end
    iret

ticks:
    .short  0

    routines timer, 16
    exceptions timer, 16
    guest_end timer
