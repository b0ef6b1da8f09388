// pc-check: tasks in ring 3, each in a page directory of its own, switched by the local APICs' timers.

// A task's 32 KiB, by its number: twice the processor's, and one more for the second of the two.
#define TASK_TABLE 0x1000               // behind the page directory
#define TASK_DATA 0x2000
#define TASK_USER_STACK 0x3000
#define TASK_STACK_END 0x5000           // of its stack in ring 0

// The same addresses in every task's directory.
#define TASK_BASE 0x40000000            // code, which only can be read
#define OWN_DATA (TASK_BASE + 0x1000)
#define OWN_STACK_END (TASK_BASE + 0x3000)

// In a task's data; all other words are its identity.
#define ROUNDS 4                        // how often it has compared everything
#define ERRORS 8                        // how often something was not its own
#define LEFT 12                         // rounds until it gives up

check_tasks:
    movl    $AT(task), %esi
    movl    $TASK_CODE, %edi
    movl    $task_end - task, %ecx
    rep movsb
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

    // Two tasks share this processor until its timer has switched between them as often as the settings say. The more
    // processors there are, the longer each task runs: they may have to share a single one of the host's.
run_tasks:
    processor ebx
    leal    (%ebx, %ebx), %edx
    call    make_task
    incl    %edx
    call    make_task
    decl    %edx
    movw    $USER_DATA, %ax
    movw    %ax, %ds
    movw    %ax, %es
    call    share_processor
    sti
    processor ebx
    leal    (%ebx, %ebx), %edx
    call    look_at_task
    incl    %edx
    call    look_at_task
    lock incl AT(finished)
    ret

    // Makes task EDX, which begins at TASK_BASE in ring 3. Changes EAX, ECX, EDI, ESI.
make_task:
    movl    %edx, %esi
    shll    $15, %esi
    addl    $TASKS, %esi
    movl    %esi, %edi
    movl    $TASK_STACK_END / 4, %ecx
    xorl    %eax, %eax
    rep stosl
    movl    $TABLE_KERNEL + 3, (%esi)
    movl    $IO_APIC + 0x93, 4 * (IO_APIC >> 22)(%esi)
    leal    TASK_TABLE + 7(%esi), %eax
    movl    %eax, 4 * (TASK_BASE >> 22)(%esi)
    movl    $TASK_CODE + 5, TASK_TABLE(%esi)
    leal    TASK_DATA + 7(%esi), %eax
    movl    %eax, TASK_TABLE + 4(%esi)
    leal    TASK_USER_STACK + 7(%esi), %eax
    movl    %eax, TASK_TABLE + 8(%esi)
    leal    TASK_DATA(%esi), %edi
    movl    $1024, %ecx
    leal    0xC0DE0000(%edx), %eax      // its identity
    rep stosl
    movl    $0, TASK_DATA + ROUNDS(%esi)
    movl    $0, TASK_DATA + ERRORS(%esi)
    movl    BOOT(patience), %ecx
    movl    %ecx, TASK_DATA + LEFT(%esi)
    // Its first frame: what POPAL takes, then what IRET takes.
    leal    TASK_STACK_END - 13 * 4(%esi), %edi
    movl    %edi, AT(contexts)(, %edx, 4)
    movl    %eax, 16(%edi)              // EBX; EDI, ESI, EBP, ESP are below
    movl    $TASK_BASE, 32(%edi)
    movl    $USER_CODE, 36(%edi)
    movl    $0x202, 40(%edi)            // interrupts on
    movl    $OWN_STACK_END, 44(%edi)
    movl    $USER_DATA, 48(%edi)
    ret

    // What task EDX leaves: it has run, it missed nothing, and all its data are its own. Changes EAX, ECX, EDI.
look_at_task:
    movl    %edx, %edi
    shll    $15, %edi
    addl    $TASKS + TASK_DATA, %edi
    cmpl    $0, ROUNDS(%edi)
    je      1f
    cmpl    $0, ERRORS(%edi)
    jne     1f
    leal    0xC0DE0000(%edx), %eax
    cmpl    (%edi), %eax
    jne     1f
    addl    $16, %edi
    movl    $1024 - 4, %ecx
    repe scasl
    je      2f
1:  lock incl AT(mistakes)
2:  ret

    // Starts the timer of processor EBX and its first task, EDX. Returns when the timer's handler says so, with
    // interrupts off.
share_processor:
    cli
    pushal
    movl    %esp, AT(schedulers)(, %ebx, 4)
    movl    $0, AT(current)(, %ebx, 4)
    movl    $1, AT(switching)(, %ebx, 4)
    movl    $1 << 17 | VECTOR_TIMER, APIC_TIMER     // periodic
    imull   $TASK_TICK, AT(processors), %eax
    movl    %eax, APIC_INITIAL_COUNT
    movl    %edx, %eax
    jmp     enter_task

    // Every processor's timer comes here. Where tasks share the processor, it leaves on the other task's stack and in
    // the other task's page directory.
timer:
    pushal
    lock incl AT(ticks)
    movl    $0, APIC_EOI
    processor ebx
    cmpl    $0, AT(switching)(, %ebx, 4)
    je      1f
    incl    AT(slices)(, %ebx, 4)
    movl    AT(current)(, %ebx, 4), %ecx
    leal    (%ecx, %ebx, 2), %eax
    movl    %esp, AT(contexts)(, %eax, 4)
    xorl    $1, %ecx
    movl    %ecx, AT(current)(, %ebx, 4)
    leal    (%ecx, %ebx, 2), %eax
    movl    AT(slices)(, %ebx, 4), %ecx
    imull   AT(processors), %ecx
    cmpl    BOOT(switches), %ecx
    jb      enter_task
    cmpl    BOOT(patience), %ecx
    jae     leave_tasks
    // On a busy machine a tick may be over before its task got to do anything: each must have.
    movl    %ebx, %edx
    shll    $16, %edx
    cmpl    $0, TASKS + TASK_DATA + ROUNDS(%edx)
    je      enter_task
    cmpl    $0, TASKS + 0x8000 + TASK_DATA + ROUNDS(%edx)
    je      enter_task
leave_tasks:
    movl    $0, AT(switching)(, %ebx, 4)
    call    stop_timer
    movl    $DIRECTORY_4K, %eax
    movl    %eax, %cr3
    movl    AT(schedulers)(, %ebx, 4), %esp
    popal
    ret
1:  popal
    iret

    // Goes on with task EAX on processor EBX.
enter_task:
    movl    AT(contexts)(, %eax, 4), %esp
    shll    $15, %eax
    addl    $TASKS, %eax
    movl    %eax, %cr3
    addl    $TASK_STACK_END, %eax       // where the next interrupt finds its stack
    shll    $7, %ebx
    movl    %eax, TASK_STATES + 4(%ebx)
    popal
    iret

    // A task that was never interrupted for long enough.
give_up:
    processor ebx
    lock incl AT(mistakes)
    jmp     leave_tasks

    // What all tasks run, at TASK_BASE. EBX is the task's identity; all other registers are made from it, and then all
    // is compared again and again: registers, the word on the stack, the data at an address that all tasks have.
task:
    pushl   %ebx
    movl    %ebx, %ecx
    notl    %ecx
    leal    0x11111111(%ebx), %edx
    leal    0x22222222(%ebx), %esi
    leal    0x33333333(%ebx), %edi
    leal    0x44444444(%ebx), %ebp
1:  leal    0x11111111(%ebx), %eax
    cmpl    %edx, %eax
    jne     2f
    leal    0x22222222(%ebx), %eax
    cmpl    %esi, %eax
    jne     2f
    leal    0x33333333(%ebx), %eax
    cmpl    %edi, %eax
    jne     2f
    leal    0x44444444(%ebx), %eax
    cmpl    %ebp, %eax
    jne     2f
    movl    %ebx, %eax
    notl    %eax
    cmpl    %ecx, %eax
    jne     2f
    cmpl    $OWN_STACK_END - 4, %esp
    jne     2f
    cmpl    (%esp), %ebx
    jne     2f
    cmpl    OWN_DATA, %ebx
    jne     2f
    incl    OWN_DATA + ROUNDS
    jmp     3f
2:  incl    OWN_DATA + ERRORS
3:  decl    OWN_DATA + LEFT
    jnz     1b
    int     $VECTOR_GIVE_UP
task_end:
