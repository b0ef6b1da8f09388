// pc-check: keyboard, serial port, screen, disks.

// to_keyboard BYTE: sends the keyboard a byte. Changes EAX, ECX.
.macro to_keyboard byte:req
    controller_ready
    movb    $\byte, %al
    outb    %al, $0x60
.endm

    // A key that somebody presses must not come between the checks: the keyboard looks for none any more (0xF5), and what
    // it has said is thrown away.
silence_keyboard:
    to_keyboard 0xF5
    movl    $PORT_PATIENCE, %ecx
1:  inb     $0x64, %al
    testb   $1 << 0, %al
    loopz   1b
    jz      2f
    inb     $0x60, %al
    jecxz   2f
    cmpb    $0xFA, %al
    jne     1b
2:  ret

    // What is written after command 0xD2 comes back from the controller as if typed. Then the keyboard itself is asked,
    // for an echo and for what it is: 0xAB 0x83, of which the controller translates the second byte as if it were a
    // key's.
check_keyboard:
    route   1, VECTOR_KEYBOARD, AT(identifiers)
    controller_ready
    movb    $0xD2, %al
    outb    %al, $0x64
    to_keyboard 0x1E
    until   AT(keys), $1
    jc      failed
    to_keyboard 0xEE
    until   AT(keys), $2
    jc      failed
    to_keyboard 0xF2
    until   AT(keys), $5
    jc      failed
    cmpl    $0xABFAEE1E, AT(key_bytes)
    jne     failed
    cmpb    $0x41, AT(key_bytes) + 4
    je      1f
    cmpb    $0x83, AT(key_bytes) + 4    // a controller that does not translate
    jne     failed
1:  cmpl    $5, AT(keys)
    jne     failed
    clc
    ret

keyboard:
    pushal
    inb     $0x60, %al
    movl    AT(keys), %ebx
    andl    $0x0F, %ebx
    movb    %al, AT(key_bytes)(%ebx)
    incl    AT(keys)
    interrupt_end

    // A transmitter that is empty interrupts as soon as that is allowed. Then the port is looped back to itself (MCR
    // bit 4), and what it sends comes in, with an interrupt for each byte (PC16550D data sheet, 8.7). OUT2 lets
    // interrupts out of a PC's port; nothing but a real card's loop closes that gate, so this is asked of no real card.
check_serial:
    route   4, VECTOR_SERIAL, AT(identifiers)
    movl    $PORT_PATIENCE, %ecx
    movw    $LINE_STATUS_PORT, %dx
1:  inb     %dx, %al
    testb   $1 << 6, %al                // all that was printed is out
    loopz   1b
    serial  4, 0x0B
    serial  1, 1 << 1
    until   AT(serial_interrupts), $1
    jc      2f
    serial  4, 0x1B
    serial  1, 1 << 0
    serial  0, 0xA5
    until   AT(received), $1
    jc      2f
    cmpb    $0xA5, AT(serial_byte)
    jne     2f
    serial  0, 0x5A
    until   AT(received), $2
    jc      2f
    cmpb    $0x5A, AT(serial_byte)
    jne     2f
    serial  1, 0
    serial  4, 0x0B
    clc
    ret
2:  serial  1, 0
    serial  4, 0x0B
    stc
    ret

serial:
    pushal
    movw    $GUEST_SERIAL_PORT + 2, %dx
    inb     %dx, %al
    andb    $0x0F, %al
    cmpb    $0x02, %al                  // the transmitter
    jne     1f
    incl    AT(serial_interrupts)
    serial  1, 0
    jmp     3f
1:  cmpb    $0x04, %al                  // the receiver
    je      2f
    cmpb    $0x0C, %al                  // the same with FIFOs, below their level
    jne     3f
2:  movw    $GUEST_SERIAL_PORT, %dx
    inb     %dx, %al
    movb    %al, AT(serial_byte)
    incl    AT(received)
3:  interrupt_end

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
    leal    80(%edi), %ebx              // the cursor goes below the end of it
    movw    $0x3D4, %dx
    movb    $14, %al
    outb    %al, %dx
    incl    %edx
    movb    %bh, %al
    outb    %al, %dx
    inb     %dx, %al
    cmpb    %bh, %al
    jne     failed
    decl    %edx
    movb    $15, %al
    outb    %al, %dx
    incl    %edx
    movb    %bl, %al
    outb    %al, %dx
    inb     %dx, %al
    cmpb    %bl, %al
    jne     failed
    cmpw    $0x1F70, 0xB8000            // "p"
    jne     failed
    cmpw    $0x0720, 0xB8000 + 2 * (80 * 25 - 1)
    jne     failed
    clc
    ret

    // ---- Disks ----

check_disk0:
    movb    $0xE0, %bl
    movl    $(scratch - guest_start) / 512, %ebp
    jmp     check_disk

check_disk1:
    movb    $0xF0, %bl
    movl    $7, %ebp

    // Sector EBP of the drive in BL: what is on it is read, written with all bits the other way, read again, and put
    // back.
check_disk:
    route   14, VECTOR_DISK, AT(last_processor)
    call    read_sector
    jc      failed
    movl    $BUFFER, %esi
    movl    $SAVED, %edi
    movl    $128, %ecx
    rep movsl
    call    invert_saved
    call    write_and_compare
    jc      failed
    call    invert_saved
    jmp     write_and_compare

invert_saved:
    movl    $SAVED, %edi
    movl    $128, %ecx
1:  notl    (%edi)
    addl    $4, %edi
    loop    1b
    ret

    // Writes what is at SAVED, and reads it again.
write_and_compare:
    call    write_sector
    jc      failed
    movl    $BUFFER, %edi
    movl    $128, %ecx
    xorl    %eax, %eax
    rep stosl
    call    read_sector
    jc      failed
    movl    $BUFFER, %esi
    movl    $SAVED, %edi
    movl    $128, %ecx
    repe cmpsl
    jne     failed
    clc
    ret

    // Waits for the drive to be ready and gives it the command AL for sector EBP of the drive in BL. CF: it never was.
disk_command:
    movl    $0, AT(disk_interrupts)
    pushl   %eax
    movw    $0x1F6, %dx
    movb    %bl, %al
    outb    %al, %dx
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
    movl    %ebp, %eax
    outb    %al, %dx
    incl    %edx
    shrl    $8, %eax
    outb    %al, %dx
    incl    %edx
    shrl    $8, %eax
    outb    %al, %dx
    movw    $0x1F7, %dx
    popl    %eax
    outb    %al, %dx
    clc
    ret

    // Waits until the drive has interrupted. CF: it did not, or another processor than it should, or there was an
    // error.
disk_answer:
    until   AT(disk_interrupts), $1
    jc      failed
    movl    AT(last_processor), %eax
    cmpl    %eax, AT(disk_processor)
    jne     failed
    testb   $0x21, AT(disk_status)      // DF, ERR
    jnz     failed
    clc
    ret

    // Reads the sector to BUFFER.
read_sector:
    movb    $0x20, %al
    call    disk_command
    jc      failed
    call    disk_answer
    jc      failed
    movl    $BUFFER, %edi
    movw    $0x1F0, %dx
    movl    $128, %ecx
    rep insl
    clc
    ret

    // Writes it from SAVED.
write_sector:
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
2:  movl    $SAVED, %esi
    movw    $0x1F0, %dx
    movl    $128, %ecx
    rep outsl
    jmp     disk_answer

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
