// pc-check: the MP tables, and the other processors' start.

    // Sums ECX bytes from ESI; ZF tells whether the sum is 0. Changes EAX, ECX, ESI.
checksum:
    xorb    %al, %al
1:  addb    (%esi), %al
    incl    %esi
    loop    1b
    testb   %al, %al
    ret

    // Looks for the floating pointer (MultiProcessor Specification 1.4, 4.1) in the ECX bytes from EBX. CF: it is not
    // there. Changes EAX, ECX, EDX, ESI.
find_pointer:
    leal    (%ebx, %ecx), %edx
1:  cmpl    $0x5F504D5F, (%ebx)         // "_MP_"
    jne     2f
    cmpb    $1, 8(%ebx)                 // its length: 16 bytes
    jne     2f
    movl    %ebx, %esi
    movl    $16, %ecx
    call    checksum
    jnz     2f
    clc
    ret
2:  addl    $16, %ebx
    cmpl    %edx, %ebx
    jb      1b
    jmp     failed

    // In the order of the specification's chapter 4: the extended BIOS data area's first KiB, the last KiB of base
    // memory, the BIOS's 64 KiB.
check_mp_tables:
    movzwl  0x40E, %ebx                 // the area's segment; 0 where there is none
    shll    $4, %ebx
    jz      1f
    movl    $AT(in_extended_area), AT(detail)
    movl    $1024, %ecx
    call    find_pointer
    jnc     3f
1:  movzwl  0x413, %ebx                 // KiB of base memory
    subl    $1, %ebx
    jb      2f
    shll    $10, %ebx
    movl    $AT(in_base_memory), AT(detail)
    movl    $1024, %ecx
    call    find_pointer
    jnc     3f
2:  movl    $0xF0000, %ebx
    movl    $AT(in_rom), AT(detail)
    movl    $0x10000, %ecx
    call    find_pointer
    jnc     3f
    movl    $AT(no_text), AT(detail)
    jmp     failed
3:  cmpb    $0, 11(%ebx)                // there is a table, and not a default configuration's number
    jne     failed
    movl    4(%ebx), %ebx
    cmpl    $0x3F0000, %ebx             // what is mapped, less the longest table
    ja      failed
    cmpl    $0x504D4350, (%ebx)         // "PCMP"
    jne     failed
    movl    %ebx, %esi
    movzwl  4(%ebx), %ecx
    jecxz   5f
    call    checksum
    jnz     failed
    cmpl    $LOCAL_APIC, 36(%ebx)
    jne     failed
    movzwl  34(%ebx), %ecx              // entries
    jecxz   5f
    addl    $44, %ebx
    movl    $1, %edi                    // the next processor's number; this one has 0
4:  cmpb    $0, (%ebx)
    jne     7f
    testb   $1 << 0, 3(%ebx)            // enabled
    jz      6f
    incl    AT(processors_found)
    movzbl  1(%ebx), %eax               // its APIC id
    cmpl    AT(identifiers), %eax
    jne     8f
    testb   $1 << 1, 3(%ebx)            // the one that started the system
    jz      failed
    incl    AT(first_found)
    jmp     6f
5:  jmp     failed
8:  cmpl    $MAXIMUM, %edi
    jae     6f
    movl    %eax, AT(identifiers)(, %edi, 4)
    movl    %edi, %edx
    movb    %dl, AT(numbers)(%eax)
    incl    %edi
6:  addl    $20 - 8, %ebx
    jmp     9f
7:  cmpb    $2, (%ebx)
    jne     9f
    movl    4(%ebx), %eax
    movl    %eax, AT(io_apic)
9:  addl    $8, %ebx
    loop    4b
    cmpl    $IO_APIC, AT(io_apic)
    jne     failed
    cmpl    $1, AT(first_found)
    jne     failed
    movl    %edi, AT(processors)
    movl    AT(identifiers) - 4(, %edi, 4), %eax
    movl    %eax, AT(last_processor)
    clc
    ret

    // MultiProcessor Specification 1.4, B.4: shutdown code 0x0A and the warm reset vector, INIT, then SIPI twice. A
    // processor that knows SIPI, as all do that have a local APIC on the chip, never looks at code and vector.
check_processors:
    movl    AT(processors), %eax
    cmpl    $1, %eax
    ja      1f
    movl    $AT(no_others), AT(detail)
1:  cmpl    %eax, AT(processors_found)
    jbe     1f
    movl    $AT(more_others), AT(detail)
1:  movl    $AT(trampoline), %esi
    movl    $TRAMPOLINE, %edi
    movl    $trampoline_end - trampoline, %ecx
    rep movsb
    set_cmos 0x0F, 0x0A
    movl    $TRAMPOLINE >> 4 << 16, 0x467
    movl    $1, AT(started)
    xorl    %ebx, %ebx
2:  incl    %ebx
    cmpl    AT(processors), %ebx
    jae     3f
    movl    AT(identifiers)(, %ebx, 4), %eax
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
    jnc     2b
    // Those that did start do the rest.
    movl    %ebx, AT(processors)
    movl    AT(identifiers) - 4(, %ebx, 4), %eax
    movl    %eax, AT(last_processor)
    jmp     failed
3:  cmos    0x0F
    cmpb    $0x0A, %al
    jne     failed
    clc
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
    movl    %cr4, %eax
    orl     $1 << 4, %eax
    movl    %eax, %cr4
    movl    $DIRECTORY_4K, %eax
    movl    %eax, %cr3
    movl    %cr0, %eax
    orl     $1 << 31 | 1 << 16, %eax
    movl    %eax, %cr0
    processor ebx
    movl    %ebx, %esp
    shll    $12, %esp
    addl    $STACKS + 0x1000, %esp
    lidtl   AT(idt_register)
    cld
    leal    -0x0800(%esp), %eax
    call    load_task_state
    call    enable_apic
    lock incl AT(started)
    // Sleep, until it is time for the tasks. STI holds interrupts back for one more instruction, so none that would end
    // the sleep comes before it.
1:  cli
    cmpl    $0, AT(go)
    jne     2f
    sti
    hlt
    jmp     1b
2:  call    run_tasks
3:  hlt
    jmp     3b
