# debug-exit STATUS: ends the machine by writing the status, 0 to 255, to the monitor's debug-exit port, 0xF4.
# Debian's cloud kernel has no /dev/port, so a program must ask for the port with ioperm(2); busybox has none that does.
# When the port cannot be had, or nothing answers there, it ends with status 1.

        .intel_syntax noprefix
        .globl _start

        .set debug_exit_port, 0xF4
        .set sys_exit, 60
        .set sys_ioperm, 173

_start: mov     rsi, [rsp + 16]                 # argv[1], after argc and argv[0]
        xor     ebx, ebx                        # the status
        test    rsi, rsi
        jz      have_status
next:   movzx   eax, byte ptr [rsi]
        sub     eax, '0'
        cmp     eax, 9
        ja      have_status                     # the end of the string, or no digit
        imul    ebx, ebx, 10
        add     ebx, eax
        inc     rsi
        jmp     next

have_status:
        mov     edi, debug_exit_port            # ioperm(from, count, on)
        mov     esi, 1
        mov     edx, 1
        mov     eax, sys_ioperm
        syscall
        test    eax, eax
        jnz     failed
        mov     eax, ebx
        out     debug_exit_port, al

failed: mov     edi, 1
        mov     eax, sys_exit
        syscall

        .section .note.GNU-stack, "", @progbits
