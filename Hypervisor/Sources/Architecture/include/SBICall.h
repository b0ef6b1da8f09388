// Calls of the firmware: SBI specification, chapter "Binary Encoding".
#pragma once
#include "Inline.h"
#include <stdint.h>

struct sbi_result {
    int64_t error;
    int64_t value;
};

ALWAYS_INLINE struct sbi_result sbi_call(
    uint64_t extension, uint64_t function, uint64_t argument0, uint64_t argument1, uint64_t argument2,
    uint64_t argument3, uint64_t argument4) {
    register uint64_t a0 __asm__("a0") = argument0;
    register uint64_t a1 __asm__("a1") = argument1;
    register uint64_t a2 __asm__("a2") = argument2;
    register uint64_t a3 __asm__("a3") = argument3;
    register uint64_t a4 __asm__("a4") = argument4;
    register uint64_t a6 __asm__("a6") = function;
    register uint64_t a7 __asm__("a7") = extension;
    __asm__ volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a2), "r"(a3), "r"(a4), "r"(a6), "r"(a7) : "memory");
    struct sbi_result result = {(int64_t)a0, (int64_t)a1};
    return result;
}
