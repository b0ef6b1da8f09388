// smp: one processor wakes all the others, and each reports.
//
// After reset only one processor runs, the bootstrap processor. The others wait for two messages, which it sends by its
// local APIC's interrupt command register: INIT, then SIPI ("start-up"), whose vector 0xNN makes them begin in real
// mode at address 0xNN000 (SDM vol. 3, 9.4). They all run the same code at the same time: what they share, they must
// lock.
//
// Under KVM each vCPU is a thread of the monitor. KVM keeps a thread asleep in KVM_RUN until the SIPI comes for its
// vCPU; with the in-kernel APIC the messages do not exit to the monitor.
#include "guest.h"

#define START_PAGE 0x07                 // SIPI vector: the others begin at 0x7000
#define START_ADDRESS (START_PAGE << 12)
#define STACKS 0x6F00                   // below: a stack of 128 bytes for each of them
#define STACK_BYTES 128
#define MAXIMUM 64

#define APIC_BASE 0x1B                  // the local APIC in x2APIC mode, by MSRs: see the lesson timer
#define APIC_BASE_ENABLE (1 << 11)
#define APIC_BASE_X2APIC (1 << 10)
#define APIC_BASE_BSP (1 << 8)          // set on the bootstrap processor only
#define X2APIC_ID 0x802
#define X2APIC_SPURIOUS 0x80F
#define X2APIC_COMMAND 0x830            // interrupt command register (SDM vol. 3, 11.6.1)
#define X2APIC_LVT_TIMER 0x832
#define X2APIC_INITIAL_COUNT 0x838
#define X2APIC_CURRENT_COUNT 0x839
#define X2APIC_DIVIDE 0x83E
#define SPURIOUS_ENABLE (1 << 8)
#define LVT_MASKED (1 << 16)
#define DIVIDE_BY_128 0b1010
#define TEN_SECONDS 78125000            // of a 1 GHz clock divided by 128

#define ALL_OTHERS (0b11 << 18)         // destination shorthand: all excluding self
#define ASSERT (1 << 14)
#define INIT (0b101 << 8)
#define STARTUP (0b110 << 8)

// write_msr REGISTER, VALUE: changes EAX, ECX, EDX.
.macro write_msr register:req, value:req
    movl    $\register, %ecx
    movl    $\value, %eax
    xorl    %edx, %edx
    wrmsr
.endm

// enable_x2apic: each processor does it for its own APIC. Changes EAX, ECX, EDX.
.macro enable_x2apic
    movl    $APIC_BASE, %ecx
    rdmsr
    orl     $APIC_BASE_ENABLE | APIC_BASE_X2APIC, %eax
    wrmsr
.endm

    guest   smp
    cli
    xorw    %ax, %ax
    movw    %ax, %ds
    movw    %ax, %ss
    movw    $STACK_TOP, %sp
    catch_exceptions16

    check   1
    movb    GUEST_CPU_COUNT_ADDRESS, %al
    decb    %al
    cmpb    $MAXIMUM - 1, %al           // 1 to MAXIMUM
    ja      failed16
    movl    $1, %eax
    cpuid
    testl   $1 << 21, %ecx              // x2APIC
    jz      failed16
    enable_x2apic
    testl   $APIC_BASE_BSP, %eax
    jz      failed16
    say16   "smp: bootstrap processor, CPUs in all: "
    movb    GUEST_CPU_COUNT_ADDRESS, %al
    call    print_decimal16
    say16   "\n"

    // What the others run first: a far jump to us, at the address that the SIPI vector can name.
    movb    $0xEA, START_ADDRESS        // opcode of JMP ptr16:16
    movw    $AT(other), START_ADDRESS + 1
    movw    $0, START_ADDRESS + 3

    // The timer counts down, without an interrupt, so that waiting has an end.
    write_msr X2APIC_SPURIOUS, SPURIOUS_ENABLE | 0xFF
    write_msr X2APIC_LVT_TIMER, LVT_MASKED
    write_msr X2APIC_DIVIDE, DIVIDE_BY_128
    write_msr X2APIC_INITIAL_COUNT, TEN_SECONDS

    call    report                      // the bootstrap processor itself

    // SDM vol. 3, 9.4.4.1: INIT, wait 10 ms, SIPI, wait 200 microseconds, SIPI again in case the first was lost.
    // KVM loses none and needs no waiting; a processor that runs already ignores the second one.
    write_msr X2APIC_COMMAND, ALL_OTHERS | ASSERT | INIT
    movl    $78125, %ebx                // 10 ms
    call    wait
    write_msr X2APIC_COMMAND, ALL_OTHERS | ASSERT | STARTUP | START_PAGE
    movl    $1563, %ebx                 // 200 microseconds
    call    wait
    write_msr X2APIC_COMMAND, ALL_OTHERS | ASSERT | STARTUP | START_PAGE

    check   2
    movb    GUEST_CPU_COUNT_ADDRESS, %bl
    movl    $X2APIC_CURRENT_COUNT, %ecx
1:  pause                               // tells the processor that this is a waiting loop
    cmpb    %bl, AT(reported)
    jae     2f
    rdmsr
    testl   %eax, %eax
    jnz     1b
    jmp     failed16                    // ten seconds are over
2:  ja      failed16                    // more than there are

    check   3
    cmpb    $0, AT(twice)
    jne     failed16
    say16   "smp: all reported, no APIC id twice: ok\n"
    finish
1:  hlt
    jmp     1b

    // Waits until the timer has counted EBX further down. Changes EAX, ECX, EDX, EDI.
wait:
    movl    $X2APIC_CURRENT_COUNT, %ecx
    rdmsr
    movl    %eax, %edi
1:  pause
    rdmsr
    negl    %eax
    addl    %edi, %eax                  // how much has gone by
    cmpl    %ebx, %eax
    jb      1b
    ret

    // Here the others arrive, all at once, in real mode, with no stack. Each draws a number: LOCK makes the
    // reading and the adding one step, so no two draw the same (SDM vol. 3, 9.1).
other:
    cli
    xorw    %ax, %ax
    movw    %ax, %ds
    movw    %ax, %ss
    movw    $1, %ax
    lock xaddw %ax, AT(drawn)
    cmpw    $MAXIMUM, %ax
    jae     1f
    imulw   $STACK_BYTES, %ax
    movw    $STACKS, %sp
    subw    %ax, %sp
    enable_x2apic
    call    report
1:  hlt                                 // done; interrupts are off, so this is for good
    jmp     1b

    // Prints the APIC id of the processor that calls, one processor at a time. Without the lock the letters mix.
report:
1:  movb    $1, %al
    xchgb   %al, AT(lock)               // XCHG with memory is locked by itself
    testb   %al, %al
    jz      2f                          // it was free, and is ours now
    pause
    jmp     1b
2:  movl    $X2APIC_ID, %ecx
    rdmsr
    movl    %eax, %ebp
    btsw    %bp, AT(seen)               // notes the id; carry: it was there already
    adcb    $0, AT(twice)
    say16   "smp: CPU with APIC id "
    movl    %ebp, %eax
    call    print_decimal16
    say16   " reports\n"
    incb    AT(reported)
    movb    $0, AT(lock)
    ret

lock:
    .byte   0
reported:
    .byte   0
twice:
    .byte   0
drawn:
    .short  0
    .balign 2
seen:
    .zero   32                          // one bit for each APIC id below 256

    routines smp, 16
    exceptions smp, 16
    guest_end smp
