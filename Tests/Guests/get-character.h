// For test guests in real mode.

// AL = the next character of the serial port. Changes DX.
get_character:
    movw    $LINE_STATUS_PORT, %dx
1:  inb     %dx, %al
    testb   $1, %al
    jz      1b
    movw    $GUEST_SERIAL_PORT, %dx
    inb     %dx, %al
    ret
