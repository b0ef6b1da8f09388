// What assembly and Swift both know the layout of. Each offset that Assembly.h names is asserted here.
#pragma once
#include "Inline.h"
#include <stddef.h>
#include <stdint.h>

// A trap that a guest took into the hypervisor.
struct trap_record {
    uint64_t scause, sepc, stval;
};

// A virtual hart. What a trap leaves in registers is here after enter_guest has returned.
struct vcpu_state {
    uint64_t x[32];  // x0 is not used
    uint64_t pc;     // sepc
    uint64_t sstatus, hstatus;
    uint64_t scause, stval, htval, htinst;
    uint64_t host_sp;
    // Kept here only while another virtual hart runs on the hart.
    uint64_t vsstatus, vsie, vstvec, vsscratch, vsepc, vscause, vstval, vsatp, vstimecmp;
    uint64_t f[32];
    uint64_t fcsr;
    // The last traps, for the story of its death: trap_count % TRAP_RECORDS is the place of the next.
    uint64_t trap_count;
    struct trap_record traps[16];
    // Shared by harts without the lock: the interrupts that others have made pending and that are not in hvip yet, and
    // the hart that it is on, plus 1, or 0.
    uint64_t arrived;
    uint64_t running_on;
    // Registers of HS-mode that the guest has as its own, for there are none of VS-mode; current as vsstatus and so on.
    uint64_t scounteren, senvcfg;
};

// A hart of the machine: the register tp points to it while the hypervisor runs.
struct hart {
    uint64_t stack_top;
    uint64_t emergency_stack_top;
    uint64_t fixup;  // where to go on after a trap that is expected, or 0
    uint64_t trapped_cause, trapped_value;  // what that trap was
    uint64_t id;
    uint64_t context;  // for Swift
    uint64_t stack_guard;
    uint64_t satp;  // the hypervisor's page table, for a hart that begins
};

// What a trap in the hypervisor itself saw: on the emergency stack, lowest address first.
struct host_trap_frame {
    uint64_t x[32];
};

// A word of guest memory read as the guest's own instruction fetch would (HLVX.HU). When that faults, the result is
// negative.
int64_t read_guest_instruction_half(uint64_t guest_address);
// Whether the CSR can be read here without a trap: 1 or 0.
int64_t probe_stimecmp(void);
int64_t probe_henvcfg(void);
int64_t probe_hgatp(void);
// Runs the guest until its next trap into HS-mode.
void enter_guest(struct vcpu_state *vcpu);
void save_floating_point(struct vcpu_state *vcpu);
void restore_floating_point(struct vcpu_state *vcpu);
// Where harts begin that HSM starts: its opaque argument is their `struct hart`.
void secondary_entry(void);
void host_trap_vector(void);

// Remembers the trap that enter_guest has come back with.
ALWAYS_INLINE void record_trap(struct vcpu_state *vcpu) {
    struct trap_record *record = &vcpu->traps[vcpu->trap_count++ % 16];
    record->scause = vcpu->scause;
    record->sepc = vcpu->pc;
    record->stval = vcpu->stval;
}
// The trap before the last one, and so on: `age` is 0 to 15.
ALWAYS_INLINE struct trap_record recorded_trap(const struct vcpu_state *vcpu, uint64_t age) {
    return vcpu->traps[(vcpu->trap_count - 1 - age) % 16];
}

// The hart that this runs on.
ALWAYS_INLINE uint64_t current_hart_id(void) {
    uint64_t id;
    __asm__ volatile("ld %0, 40(tp)" : "=r"(id));
    return id;
}
ALWAYS_INLINE uint64_t current_stack_top(void) {
    uint64_t top;
    __asm__ volatile("ld %0, 0(tp)" : "=r"(top));
    return top;
}
ALWAYS_INLINE uint64_t current_stack_guard(void) {
    uint64_t page;
    __asm__ volatile("ld %0, 56(tp)" : "=r"(page));
    return page;
}

// Linker script.
extern char hypervisor_start[], text_end[], rodata_end[], hypervisor_end[], boot_stack_guard[];

_Static_assert(offsetof(struct hart, id) == 40, "current_hart_id");
_Static_assert(offsetof(struct hart, stack_guard) == 56, "current_stack_guard");
_Static_assert(offsetof(struct hart, satp) == 64, "begin_secondary");
_Static_assert(sizeof(struct hart) == 72, "boot_hart");
_Static_assert(offsetof(struct vcpu_state, pc) == 256, "VCPU_PC");
_Static_assert(offsetof(struct vcpu_state, host_sp) == 312, "VCPU_HOST_SP");
_Static_assert(offsetof(struct vcpu_state, f) == 392, "VCPU_F");

// The linker's symbols are addresses; Swift sees a C array of unknown size not at all.
ALWAYS_INLINE const void *hypervisor_start_address(void) { return hypervisor_start; }
ALWAYS_INLINE const void *text_end_address(void) { return text_end; }
ALWAYS_INLINE const void *rodata_end_address(void) { return rodata_end; }
ALWAYS_INLINE const void *hypervisor_end_address(void) { return hypervisor_end; }
ALWAYS_INLINE const void *secondary_entry_address(void) { return (const void *)secondary_entry; }
