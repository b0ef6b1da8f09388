// The control and status registers that the hypervisor uses, by the names of the RISC-V privileged specification:
// read_NAME, write_NAME, set_NAME (bits) and clear_NAME (bits), each one instruction at the place of the call.
#pragma once
#include "Inline.h"
#include <stdint.h>

#define CSR_READ(name) \
    ALWAYS_INLINE uint64_t read_##name(void) { \
        uint64_t value; \
        __asm__ volatile("csrr %0, " #name : "=r"(value)::"memory"); \
        return value; \
    }
#define CSR(name) \
    CSR_READ(name) \
    ALWAYS_INLINE void write_##name(uint64_t value) { __asm__ volatile("csrw " #name ", %0" ::"r"(value) : "memory"); } \
    ALWAYS_INLINE void set_##name(uint64_t bits) { __asm__ volatile("csrs " #name ", %0" ::"r"(bits) : "memory"); } \
    ALWAYS_INLINE void clear_##name(uint64_t bits) { __asm__ volatile("csrc " #name ", %0" ::"r"(bits) : "memory"); }

// Supervisor (chapter "Supervisor-Level ISA").
CSR(sstatus) CSR(sie) CSR(sip) CSR(stvec) CSR(sscratch) CSR(sepc) CSR(scause) CSR(stval) CSR(satp) CSR(scounteren)
CSR_READ(time) CSR_READ(cycle) CSR_READ(instret)
// Hypervisor (chapter "Hypervisor Extension").
CSR(hstatus) CSR(hedeleg) CSR(hideleg) CSR(hie) CSR(hip) CSR(hvip) CSR(hcounteren) CSR(hgeie) CSR(htval) CSR(htinst)
CSR(hgatp) CSR(htimedelta)
// Virtual supervisor: what a guest's kernel reads and writes by the names without the v.
CSR(vsstatus) CSR(vsie) CSR(vstvec) CSR(vsscratch) CSR(vsepc) CSR(vscause) CSR(vstval) CSR(vsip) CSR(vsatp)

// Those younger than the assembler's default, by number.
#define CSR_NUMBERED(name, number) \
    ALWAYS_INLINE uint64_t read_##name(void) { \
        uint64_t value; \
        __asm__ volatile("csrr %0, " #number : "=r"(value)::"memory"); \
        return value; \
    } \
    ALWAYS_INLINE void write_##name(uint64_t value) { __asm__ volatile("csrw " #number ", %0" ::"r"(value) : "memory"); }
CSR_NUMBERED(stimecmp, 0x14D)
CSR_NUMBERED(vstimecmp, 0x24D)
CSR_NUMBERED(senvcfg, 0x10A)
CSR_NUMBERED(henvcfg, 0x60A)

ALWAYS_INLINE void wait_for_interrupt(void) { __asm__ volatile("wfi" ::: "memory"); }
ALWAYS_INLINE void fence_all(void) { __asm__ volatile("fence rw, rw" ::: "memory"); }
ALWAYS_INLINE void fence_i(void) { __asm__ volatile("fence.i" ::: "memory"); }
ALWAYS_INLINE void sfence_vma_all(void) { __asm__ volatile("sfence.vma" ::: "memory"); }
// HFENCE.GVMA x0, x0 and with a VMID; HFENCE.VVMA x0, x0: by .insn, for the assembler's default has no H.
ALWAYS_INLINE void hfence_gvma_all(void) { __asm__ volatile(".insn r 0x73, 0, 0x31, x0, x0, x0" ::: "memory"); }
ALWAYS_INLINE void hfence_gvma_vmid(uint64_t vmid) {
    __asm__ volatile(".insn r 0x73, 0, 0x31, x0, x0, %0" ::"r"(vmid) : "memory");
}
// HFENCE.VVMA of one address, in all address spaces or in one.
ALWAYS_INLINE void hfence_vvma_address(uint64_t address) {
    __asm__ volatile(".insn r 0x73, 0, 0x11, x0, %0, x0" ::"r"(address) : "memory");
}
ALWAYS_INLINE void hfence_vvma_address_asid(uint64_t address, uint64_t asid) {
    __asm__ volatile(".insn r 0x73, 0, 0x11, x0, %0, %1" ::"r"(address), "r"(asid) : "memory");
}
ALWAYS_INLINE void hfence_vvma_asid(uint64_t asid) {
    __asm__ volatile(".insn r 0x73, 0, 0x11, x0, x0, %0" ::"r"(asid) : "memory");
}
ALWAYS_INLINE void hfence_vvma_all(void) { __asm__ volatile(".insn r 0x73, 0, 0x11, x0, x0, x0" ::: "memory"); }
ALWAYS_INLINE uint64_t frame_pointer(void) { return (uint64_t)__builtin_frame_address(0); }

// Registers of devices.
ALWAYS_INLINE uint8_t volatile_load_8(const uint8_t *address) { return *(const volatile uint8_t *)address; }
ALWAYS_INLINE void volatile_store_8(uint8_t *address, uint8_t value) { *(volatile uint8_t *)address = value; }
ALWAYS_INLINE uint32_t volatile_load_32(uint64_t address) { return *(const volatile uint32_t *)address; }
ALWAYS_INLINE void volatile_store_32(uint64_t address, uint32_t value) { *(volatile uint32_t *)address = value; }

// The lock of everything: one flag. Acquire and release order what it guards.
ALWAYS_INLINE void lock_acquire(uint32_t *flag) {
    while (__atomic_exchange_n(flag, 1, __ATOMIC_ACQUIRE) != 0) {
        while (__atomic_load_n(flag, __ATOMIC_RELAXED) != 0) {
        }
    }
}
// Words that harts share without the lock. Each is a full barrier: what was written before is seen by whoever sees it.
ALWAYS_INLINE void atomic_set_bits(uint64_t *word, uint64_t bits) { __atomic_fetch_or(word, bits, __ATOMIC_SEQ_CST); }
ALWAYS_INLINE void atomic_clear_bits(uint64_t *word, uint64_t bits) { __atomic_fetch_and(word, ~bits, __ATOMIC_SEQ_CST); }
ALWAYS_INLINE uint64_t atomic_take(uint64_t *word) { return __atomic_exchange_n(word, 0, __ATOMIC_SEQ_CST); }
ALWAYS_INLINE uint64_t atomic_read(const uint64_t *word) { return __atomic_load_n(word, __ATOMIC_SEQ_CST); }
ALWAYS_INLINE void atomic_write(uint64_t *word, uint64_t value) { __atomic_exchange_n(word, value, __ATOMIC_SEQ_CST); }

ALWAYS_INLINE void lock_release(uint32_t *flag) { __atomic_store_n(flag, 0, __ATOMIC_RELEASE); }
