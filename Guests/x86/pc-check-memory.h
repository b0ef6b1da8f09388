// pc-check: what was loaded, address line 20, paging, ring 3.

check_loaded:
    cmpl    $0x4B4E454C, AT(kernel_mark)    // the kernel's last bytes
    jne     failed
    clc
    ret

    // A closed line would take the kernel away, so the test runs below 1 MiB, and keeps off the stack. Whether the line
    // closes is not asked: KVM cannot make addresses wrap, so neither can its monitors. The registers must follow.
check_a20:
    movl    $AT(line_test), %esi
    movl    $LOW_CODE, %edi
    movl    $line_test_end - line_test, %ecx
    rep movsb
    movl    $LOW_CODE, %eax
    call    *%eax
    testb   %bl, %bl
    jnz     failed
    clc
    ret

// controller_ready: waits until the keyboard controller takes a byte. Changes AL, ECX.
.macro controller_ready
    movl    $PORT_PATIENCE, %ecx
6:  inb     $0x64, %al
    testb   $1 << 1, %al
    loopnz  6b
.endm

// line_is_open: sets BL to 1 unless LOW_WORD and the word 1 MiB above it are two words. Changes EAX.
.macro line_is_open
    movl    KERNEL + LOW_WORD, %eax
    notl    %eax
    movl    %eax, LOW_WORD
    notl    %eax
    cmpl    %eax, KERNEL + LOW_WORD
    je      6f
    movb    $1, %bl
6:
.endm

// output_port: reads the keyboard controller's output port to AL.
.macro output_port
    controller_ready
    movb    $0xD0, %al
    outb    %al, $0x64
    movl    $PORT_PATIENCE, %ecx
6:  inb     $0x64, %al
    testb   $1 << 0, %al
    loopz   6b
    inb     $0x60, %al
.endm

// set_output_port VALUE
.macro set_output_port value:req
    controller_ready
    movb    $0xD1, %al
    outb    %al, $0x64
    controller_ready
    movb    $\value, %al
    outb    %al, $0x60
.endm

line_test:
    xorl    %ebx, %ebx
    inb     $0x92, %al
    andb    $0xFC, %al                  // closed; and bit 0 would be a reset
    outb    %al, $0x92
    inb     $0x92, %al
    movb    %al, %bh
    orb     $1 << 1, %al
    outb    %al, $0x92
    testb   $1 << 1, %bh
    jz      1f
    movb    $1, %bl
1:  inb     $0x92, %al
    testb   $1 << 1, %al
    jnz     2f
    movb    $1, %bl
2:  line_is_open
    set_output_port 0xDD
    output_port
    movb    %al, %bh
    set_output_port 0xDF
    testb   $1 << 1, %bh
    jz      3f
    movb    $1, %bl
3:  output_port
    testb   $1 << 1, %al
    jnz     4f
    movb    $1, %bl
4:  line_is_open
    ret
line_test_end:

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
    call    map_low
    movl    $TABLE_KERNEL, %edi
    movl    $3, %eax                    // the same for ring 0, to be used by the tasks
    call    map_low
    movl    $BUFFER + 3, TABLE_ALIAS
    movl    $TABLE_LOW + 7, DIRECTORY_4K
    movl    $TABLE_ALIAS + 7, DIRECTORY_4K + 4
    movl    $IO_APIC + 0x93, DIRECTORY_4K + 4 * (IO_APIC >> 22)
    movl    $0x2468ACE0, BUFFER
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

    // Fills the page table at EDI with the first 4 MiB and the bits EAX.
map_low:
    movl    $1024, %ecx
1:  stosl
    addl    $0x1000, %eax
    loop    1b
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

    // ---- Ring 3 ----

    // Makes and loads the task state of processor EBX, whose stack for ring 0 is at EAX. The state's base is in three
    // parts of its descriptor (SDM vol. 3, 8.2.2). Changes EAX, ECX, EDX, EDI.
load_task_state:
    movl    %ebx, %edi
    shll    $7, %edi
    addl    $TASK_STATES, %edi
    movl    %eax, 4(%edi)               // ESP0
    movl    $DATA, 8(%edi)              // SS0
    movw    $104, 102(%edi)             // no ports for ring 3
    movl    %edi, %eax
    leal    AT(gdt) + TASK(, %ebx, 8), %edx
    movw    $103, (%edx)
    movw    %ax, 2(%edx)
    shrl    $16, %eax
    movb    %al, 4(%edx)
    movb    $0x89, 5(%edx)              // available
    movb    $0, 6(%edx)
    movb    %ah, 7(%edx)
    leal    TASK(, %ebx, 8), %eax
    ltr     %ax
    ret

check_user_mode:
    xorl    %ebx, %ebx
    movl    $STACKS + 0x0800, %eax      // below what is in use
    call    load_task_state
    movl    %esp, AT(kernel_stack)
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
not_allowed:
    cli                                 // the handler goes on behind it
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
    jne     user_ended
    cmpl    $1000, %eax
    jne     user_ended
    incl    %eax
    iret
user_ended:
    movw    $DATA, %dx
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
    jne     2f
    addl    $4, %esp
    cmpl    $AT(not_allowed), (%esp)
    jne     1f
    incl    AT(protection_faults)
    incl    (%esp)                      // CLI is one byte long
    iret
1:  movl    $1, %eax                    // anything else that the program may not do ends it
    jmp     user_ended
2:  pushl   $13
    jmp     exception
