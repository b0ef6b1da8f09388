// hypercall: the guest asks for something on purpose: KVM in the kernel, then the monitor.
//
// A port access or a page fault makes a guest leave without knowing it. A hypercall is meant: Intel has the instruction
// VMCALL for it, AMD VMMCALL. The number goes into EAX, the answer comes back in EAX; KVM answers a few itself and
// does not ask the monitor (Linux, Documentation/virt/kvm/x86/hypercalls.rst). The wrong vendor's instruction is an
// invalid opcode to the processor: KVM takes that exception, writes the right opcode over the wrong one in the guest's
// memory, and lets it run again.
//
// A monitor that wants calls of its own gives them a port. The oldest one is the debug console: port 0xE9.
#include "guest.h"

#define VAPIC_POLL_IRQ 1                // KVM_HC_VAPIC_POLL_IRQ: does nothing and returns 0
#define UNKNOWN_CALL 0x4D4B             // a number that KVM has not given out
#define ENOSYS (-1000)                  // KVM_ENOSYS: no such call
#define INVALID_OPCODE 6
#define CPUID_FEATURES 1
#define CPUID_HYPERVISOR 0x40000000

#define WATCHDOG 0x30                   // vector of the timer
#define WATCHDOG_COUNT 2000000000       // 2 seconds: on a busy host a call alone may take half of one
#define STUCK 0x57AC                    // what the watchdog makes of a call that does not end
#define REFUSED 0xBAD                   // and the handler of #UD, of one that is an invalid opcode after all
#define APIC_BASE 0x1B
#define APIC_BASE_ENABLE (1 << 11)
#define APIC_BASE_X2APIC (1 << 10)
#define X2APIC_EOI 0x80B
#define X2APIC_SPURIOUS 0x80F
#define X2APIC_LVT_TIMER 0x832
#define X2APIC_INITIAL_COUNT 0x838
#define X2APIC_DIVIDE 0x83E
#define SPURIOUS_ENABLE (1 << 8)
#define DIVIDE_BY_1 0b1011

// write_msr REGISTER, VALUE: changes EAX, ECX, EDX.
.macro write_msr register:req, value:req
    movl    $\register, %ecx
    movl    $\value, %eax
    xorl    %edx, %edx
    wrmsr
.endm

// hypercall INSTRUCTION, LABEL, NUMBER: one call, under the eyes of the watchdog. The answer is in EAX.
.macro hypercall instruction:req, label:req, number:req
    write_msr X2APIC_INITIAL_COUNT, WATCHDOG_COUNT
    movw    $AT(\label), AT(calling)
    movw    $AT(after_\label), AT(resume)
    movl    $\number, %eax
    sti
\label:
    \instruction
after_\label:
    cli
.endm

    guest   hypercall
    cli
    xorw    %ax, %ax
    movw    %ax, %ds
    movw    %ax, %ss
    movw    $STACK_TOP, %sp
    catch_exceptions16
    set_vector16 INVALID_OPCODE, invalid_opcode
    set_vector16 WATCHDOG, watchdog

    // Is anybody there? CPUID leaf 1, ECX bit 31 is never set by a real processor; then leaf 0x40000000 has a name.
    check   1
    movl    $CPUID_FEATURES, %eax
    cpuid
    testl   $1 << 31, %ecx
    jz      failed16
    movl    $CPUID_HYPERVISOR, %eax
    cpuid
    cmpl    $0x4B4D564B, %ebx           // "KVMK"
    jne     failed16
    cmpl    $0x564B4D56, %ecx           // "VMKV"
    jne     failed16
    cmpl    $0x4D, %edx                 // "M"
    jne     failed16
    say16   "hypercall: CPUID names the hypervisor KVMKVMKVM: ok\n"

    // Should KVM never come back from a call, the timer of the local APIC gets us out: see the lesson timer.
    check   2
    movl    $1, %eax
    cpuid
    testl   $1 << 21, %ecx              // x2APIC
    jz      failed16
    movl    $APIC_BASE, %ecx
    rdmsr
    orl     $APIC_BASE_ENABLE | APIC_BASE_X2APIC, %eax
    wrmsr
    write_msr X2APIC_SPURIOUS, SPURIOUS_ENABLE | 0x3F
    write_msr X2APIC_DIVIDE, DIVIDE_BY_1
    write_msr X2APIC_LVT_TIMER, WATCHDOG

    check   3
    hypercall vmcall, first, VAPIC_POLL_IRQ
    cmpl    $STUCK, %eax
    je      stuck
    testl   %eax, %eax
    jnz     failed16
    say16   "hypercall: VMCALL, number 1, returns 0: ok\n"

    check   4
    hypercall vmmcall, second, VAPIC_POLL_IRQ
    testl   %eax, %eax
    jnz     failed16
    say16   "hypercall: VMMCALL, number 1, returns 0: ok\n"

    check   5
    hypercall vmcall, third, UNKNOWN_CALL
    cmpl    $ENOSYS, %eax
    jne     failed16
    hypercall vmmcall, fourth, UNKNOWN_CALL
    cmpl    $ENOSYS, %eax
    jne     failed16
    say16   "hypercall: an unknown number returns -1000: ok\n"

    // What do the two instructions look like now? VMCALL is 0F 01 C1, VMMCALL is 0F 01 D9.
    check   6
    movb    AT(first) + 2, %al
    cmpb    $0xD9, %al
    je      1f
    movb    AT(second) + 2, %al
    cmpb    $0xC1, %al
    je      2f
    say16   "hypercall: KVM left both instructions as they were\n"
    jmp     3f
1:  say16   "hypercall: KVM wrote VMMCALL over VMCALL: AMD\n"
    cmpb    $0xD9, AT(second) + 2
    jne     failed16
    jmp     3f
2:  say16   "hypercall: KVM wrote VMCALL over VMMCALL: Intel\n"
    cmpb    $0xC1, AT(first) + 2
    jne     failed16
    jmp     3f

stuck:
    say16   "hypercall: VMCALL never ends on this KVM: left out\n"

    // Now the monitor itself. Reading the debug console's port tells whether there is one; writing prints.
3:  check   7
    inb     $GUEST_DEBUG_CONSOLE_PORT, %al
    cmpb    $GUEST_DEBUG_CONSOLE_PRESENT, %al
    jne     failed16
    movw    $AT(monitor_text), %si
    movw    $monitor_text_end - monitor_text, %cx
    movw    $GUEST_DEBUG_CONSOLE_PORT, %dx
    rep outsb                           // one instruction; KVM hands the bytes over one by one
    testw   %cx, %cx
    jnz     failed16
    say16   "hypercall: the monitor answers on port 0xE9: ok\n"
    finish
1:  hlt
    jmp     1b

    // VMCALL or VMMCALL was an invalid opcode after all: go on behind it. The stack holds IP, CS and FLAGS.
invalid_opcode:
    pushw   %bp
    movw    %sp, %bp
    movw    AT(resume), %ax
    movw    %ax, 2(%bp)
    movl    $REFUSED, %eax
    popw    %bp
    iret

    // Time is over. If the processor still stands at the call, go on behind it. kvm-pvm runs this code in its
    // instruction emulator, where a hypercall is started again and again: only an interrupt ends that.
watchdog:
    pushl   %eax
    pushl   %ecx
    pushl   %edx
    write_msr X2APIC_EOI, 0
    popl    %edx
    popl    %ecx
    popl    %eax
    pushw   %bp
    movw    %sp, %bp
    movw    AT(calling), %di
    cmpw    %di, 2(%bp)
    jne     1f
    movw    AT(resume), %di
    movw    %di, 2(%bp)
    movl    $STUCK, %eax
1:  popw    %bp
    iret

calling:
    .short  0
resume:
    .short  0

monitor_text:
    .ascii  "hypercall: these words came through port 0xE9\n"
monitor_text_end:

    routines hypercall, 16
    exceptions hypercall, 16
    guest_end hypercall
