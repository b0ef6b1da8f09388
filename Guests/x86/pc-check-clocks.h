// pc-check: PIT, real-time clock, the local APIC's timer.

// pit_start COUNT: channel 2 counts down from it and then sets its output (82C54 data sheet, mode 0). Changes AL.
.macro pit_start count:req
    inb     $0x61, %al
    andb    $0xFC, %al
    outb    %al, $0x61                  // stands still
    movb    $0xB0, %al                  // channel 2, both bytes, mode 0
    outb    %al, $0x43
    movb    $(\count) & 0xFF, %al
    outb    %al, $0x42
    movb    $(\count) >> 8, %al
    outb    %al, $0x42
    inb     $0x61, %al
    orb     $1, %al
    outb    %al, $0x61
.endm

// pit_count REGISTER: what channel 2 has come to. Changes EAX.
.macro pit_count register:req
    movb    $0x80, %al                  // latch channel 2
    outb    %al, $0x43
    xorl    %eax, %eax
    inb     $0x42, %al
    movb    %al, %ah
    inb     $0x42, %al
    xchgb   %al, %ah
    movl    %eax, %\register
.endm

// pit_output: ZF is clear when channel 2 has come to its end. Changes AL.
.macro pit_output
    inb     $0x61, %al
    testb   $1 << 5, %al
.endm

#define MILLISECONDS(n) (PIT_HERTZ * (n) / 1000)

    // Channel 2 counts down while bit 0 of port 0x61 is set, and its output is bit 5. Where five milliseconds have gone
    // by before that could be looked at, it is tried again.
check_pit:
    movl    $50, %ebp
1:  decl    %ebp
    jz      failed
    pit_start MILLISECONDS(5)
    pit_count ebx
    pit_output
    jnz     1b
    cmpl    $MILLISECONDS(5), %ebx
    ja      failed
    movl    BOOT(patience), %ecx
    shrl    $6, %ecx
2:  pit_output
    jnz     3f
    loop    2b
    jmp     failed
3:  clc
    ret

    // ---- The real-time clock (MC146818A data sheet) ----

    // Reads byte AL of the clock to AL. The clock's interrupt selects a byte, too.
cmos_read:
    pushfl
    cli
    outb    %al, $0x70
    inb     $0x71, %al
    popfl
    ret

    // Writes AH to byte AL of the clock.
cmos_write:
    pushfl
    cli
    outb    %al, $0x70
    xchgb   %al, %ah
    outb    %al, $0x71
    popfl
    ret

// cmos ADDRESS: reads a byte of the clock to AL.
.macro cmos address:req
    movb    $\address, %al
    call    cmos_read
.endm

// set_cmos ADDRESS, VALUE: writes it. Changes EAX.
.macro set_cmos address:req, value:req
    movl    $(\value) << 8 | \address, %eax
    call    cmos_write
.endm

clock:
    pushal
    movb    $0x0C, %al                  // register C: what has happened; to read it takes the interrupt back
    outb    %al, $0x70
    inb     $0x71, %al
    orb     %al, AT(clock_flags)
    incl    AT(clock_interrupts)
    interrupt_end

    // Memory, validity, and three periodic interrupts, 1,024 of which make a second. How soon they come is not looked
    // at: what is late because the machine has more to do cannot be told from what is slow.
check_clock:
    cmos    0x0D
    testb   $1 << 7, %al                // time and memory are valid
    jz      failed
    cmos    0x34                        // memory above 16 MiB or, if there is none, above 1 MiB
    movb    %al, %bl
    cmos    0x35
    orb     %al, %bl
    cmos    0x30
    orb     %al, %bl
    cmos    0x31
    orb     %al, %bl
    jz      failed
    set_cmos 0x0B, 0x02                 // 24 hours, BCD, no interrupts
    set_cmos 0x0A, 0x26                 // 32,768 Hz divided to 1,024
    route   8, VECTOR_CLOCK, AT(identifiers)
    cmos    0x0C                        // whatever has happened
    movl    $0, AT(clock_interrupts)
    movb    $0, AT(clock_flags)
    set_cmos 0x0B, 0x42                 // periodic interrupts
    sti
    until   AT(clock_interrupts), $3
    jc      1f
    testb   $1 << 6, AT(clock_flags)
    jz      1f
    set_cmos 0x0B, 0x02
    clc
    ret
1:  set_cmos 0x0B, 0x02
    stc
    ret

    // The divider is stopped and started, and half a second later the clock goes on: before that it says that an update
    // is in progress, then it interrupts for the alarm set to the new second, and that second can be read. Who does not
    // look just when the update is in progress, 244 microseconds at least, does it once more, twenty times in all.
check_second:
    movl    BOOT(patience), %eax
    xorl    %edx, %edx
    movl    $5000000, %ecx
    divl    %ecx
    leal    1(%eax), %ebp
    set_cmos 0x03, 0xC0                 // at any minute
    set_cmos 0x05, 0xC0                 // of any hour
    cmos    0x0C
    set_cmos 0x0B, 0x22                 // an interrupt for the alarm
1:  set_cmos 0x0A, 0x76                 // the divider stands still
    cmos    0x00
    addb    $1, %al                     // the next second, in BCD
    daa
    cmpb    $0x60, %al
    jb      2f
    xorb    %al, %al
2:  movb    %al, %bl
    movb    %al, %ah
    movb    $0x01, %al
    call    cmos_write
    movl    $0, AT(clock_interrupts)
    movb    $0, AT(clock_flags)
    set_cmos 0x0A, 0x26
    movl    $1 << 16, APIC_TIMER        // silent; from here on it counts for four seconds
    movl    $0xFFFFFFFF, APIC_INITIAL_COUNT
4:  cmos    0x0A
    testb   $1 << 7, %al
    jnz     5f
    cmpl    $0, AT(clock_interrupts)
    jne     8f                          // the update was not seen
    cmpl    $0, APIC_CURRENT_COUNT
    jne     4b
    jmp     9f
5:  cmpl    $0, AT(clock_interrupts)
    jne     6f
    cmpl    $0, APIC_CURRENT_COUNT
    jne     5b
    jmp     9f
6:  testb   $1 << 5, AT(clock_flags)
    jz      9f
    cmos    0x00
    cmpb    %bl, %al
    jne     8f
    set_cmos 0x0B, 0x02
    clc
    ret
8:  decl    %ebp
    jnz     1b
9:  set_cmos 0x0B, 0x02
    stc
    ret

    // ---- The local APIC's timer ----

// start_timer COUNT
.macro start_timer count:req
    movl    $1 << 17 | VECTOR_TIMER, APIC_TIMER     // periodic
    movl    $\count, APIC_INITIAL_COUNT
.endm

stop_timer:
    movl    $1 << 16 | VECTOR_TIMER, APIC_TIMER     // masked
    movl    $0, APIC_INITIAL_COUNT
    ret

// How many counts of the local APIC go by in one of the PIT's when TICK makes 100 Hz.
#define COUNTS (TICK / (PIT_HERTZ / 100))

    // Three ticks take 20 ms at least, and mostly 30, however much else the machine has to do. That they are not too
    // slow, the counts tell: both clocks are read twice, some milliseconds apart.
check_timer:
    call    stop_timer                  // it may have run out masked, for which KVM interrupts when it is unmasked
    movl    $0, AT(ticks)
    pit_start MILLISECONDS(25)
    start_timer TICK
    sti
    until   AT(ticks), $3
    pushfl
    pit_output
    setz    %bl                         // too soon
    call    stop_timer
    popfl
    jc      failed
    testb   %bl, %bl
    jnz     failed
    movl    $100, %ebp
1:  call    compare_clocks
    jnc     2f
    decl    %ebp
    jnz     1b
    jmp     failed
2:  ret

    // Between the two reads of the APIC's count there were at least the counts of the PIT's inner reads, and at most
    // those of its outer ones. CF is clear when both say that the APIC counts as it should, give or take a third; if
    // something else had the processor in between, they do not, and the caller tries again.
compare_clocks:
    movl    $0xFFFFFFFF, APIC_INITIAL_COUNT
    pit_start 0xFFFF
    pit_count esi
    movl    APIC_CURRENT_COUNT, %ebx
    pit_count edi
    movl    $PORT_PATIENCE, %ecx
3:  pit_count edx
    addl    $MILLISECONDS(4), %edx
    cmpl    %edi, %edx
    jbe     4f
    loop    3b
    jmp     failed
4:  pit_count edx
    subl    APIC_CURRENT_COUNT, %ebx
    subl    %edx, %edi                  // inner
    pit_count edx
    subl    %edx, %esi                  // outer
    movl    $0, APIC_INITIAL_COUNT
    pit_output
    jnz     failed                      // it came to its end, and the counts mean nothing
    imull   $COUNTS * 2 / 3, %esi
    cmpl    %esi, %ebx
    jb      failed
    imull   $COUNTS * 3 / 2, %edi
    cmpl    %ebx, %edi
    jb      failed
    clc
    ret

wake:
    pushal
    interrupt_end
spurious:
    iret
