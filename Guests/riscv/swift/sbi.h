// The guest's one way out: SBI's console putchar.
#pragma once
static inline void sbi_putchar(unsigned char character) {
    register unsigned long a0 __asm__("a0") = character;
    register unsigned long a6 __asm__("a6") = 0;
    register unsigned long a7 __asm__("a7") = 1;
    __asm__ volatile("ecall" : "+r"(a0) : "r"(a6), "r"(a7) : "memory");
}
