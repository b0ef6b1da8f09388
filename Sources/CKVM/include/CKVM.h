// A shim over <linux/kvm.h> for Swift, which imports neither function-like macros nor flexible array members.
// Every function returns what the call gave, or -errno.
#pragma once
#include <errno.h>
#include <linux/kvm.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>

// Newer than Debian 12's headers (6.1), from the kernel's Documentation/virt/kvm/api.rst.
#ifndef KVM_EXIT_LOONGARCH_IOCSR
#define KVM_EXIT_LOONGARCH_IOCSR 38
#endif
#ifndef KVM_EXIT_MEMORY_FAULT
#define KVM_EXIT_MEMORY_FAULT 39
#endif
#ifndef KVM_EXIT_TDX
#define KVM_EXIT_TDX 40
#endif
#ifndef KVM_SYSTEM_EVENT_TDX_FATAL
#define KVM_SYSTEM_EVENT_TDX_FATAL 7
#endif
#ifndef KVM_CAP_MEMORY_FAULT_INFO
#define KVM_CAP_MEMORY_FAULT_INFO 232
#endif
#ifndef KVM_CAP_USER_MEMORY2
#define KVM_CAP_USER_MEMORY2 231
#endif
#ifndef KVM_CAP_GUEST_MEMFD
#define KVM_CAP_GUEST_MEMFD 234
#endif
#ifndef KVM_CAP_PRE_FAULT_MEMORY
#define KVM_CAP_PRE_FAULT_MEMORY 236
#endif
#ifndef KVM_CAP_X86_APIC_BUS_CYCLES_NS
#define KVM_CAP_X86_APIC_BUS_CYCLES_NS 237
#endif

#define CKVM_REQUEST(name) CKVM_##name = KVM_##name

/// The ioctl requests of the KVM API that this project uses.
enum ckvm_request : unsigned long {
    // System
    CKVM_REQUEST(GET_API_VERSION), CKVM_REQUEST(CREATE_VM), CKVM_REQUEST(GET_MSR_INDEX_LIST),
    CKVM_REQUEST(CHECK_EXTENSION), CKVM_REQUEST(GET_VCPU_MMAP_SIZE), CKVM_REQUEST(GET_SUPPORTED_CPUID),
    CKVM_REQUEST(GET_EMULATED_CPUID), CKVM_REQUEST(GET_MSR_FEATURE_INDEX_LIST),
    // Virtual machine
    CKVM_REQUEST(CREATE_VCPU), CKVM_REQUEST(GET_DIRTY_LOG), CKVM_REQUEST(CLEAR_DIRTY_LOG),
    CKVM_REQUEST(SET_USER_MEMORY_REGION), CKVM_REQUEST(SET_TSS_ADDR), CKVM_REQUEST(SET_IDENTITY_MAP_ADDR),
    CKVM_REQUEST(CREATE_IRQCHIP), CKVM_REQUEST(IRQ_LINE), CKVM_REQUEST(GET_IRQCHIP), CKVM_REQUEST(SET_IRQCHIP),
    CKVM_REQUEST(CREATE_PIT2), CKVM_REQUEST(GET_PIT2), CKVM_REQUEST(SET_PIT2),
    CKVM_REQUEST(REGISTER_COALESCED_MMIO), CKVM_REQUEST(UNREGISTER_COALESCED_MMIO),
    CKVM_REQUEST(SET_GSI_ROUTING), CKVM_REQUEST(IRQFD), CKVM_REQUEST(IOEVENTFD), CKVM_REQUEST(SET_BOOT_CPU_ID),
    CKVM_REQUEST(SET_CLOCK), CKVM_REQUEST(GET_CLOCK), CKVM_REQUEST(SIGNAL_MSI), CKVM_REQUEST(ENABLE_CAP),
    CKVM_REQUEST(X86_SET_MSR_FILTER), CKVM_REQUEST(REINJECT_CONTROL), CKVM_REQUEST(RESET_DIRTY_RINGS),
    // Virtual CPU
    CKVM_REQUEST(RUN), CKVM_REQUEST(GET_REGS), CKVM_REQUEST(SET_REGS), CKVM_REQUEST(GET_SREGS),
    CKVM_REQUEST(SET_SREGS), CKVM_REQUEST(GET_SREGS2), CKVM_REQUEST(SET_SREGS2), CKVM_REQUEST(TRANSLATE),
    CKVM_REQUEST(INTERRUPT), CKVM_REQUEST(NMI), CKVM_REQUEST(GET_MSRS), CKVM_REQUEST(SET_MSRS),
    CKVM_REQUEST(SET_SIGNAL_MASK), CKVM_REQUEST(GET_FPU), CKVM_REQUEST(SET_FPU), CKVM_REQUEST(GET_LAPIC),
    CKVM_REQUEST(SET_LAPIC), CKVM_REQUEST(SET_CPUID2), CKVM_REQUEST(GET_CPUID2), CKVM_REQUEST(GET_MP_STATE),
    CKVM_REQUEST(SET_MP_STATE), CKVM_REQUEST(SET_GUEST_DEBUG), CKVM_REQUEST(GET_VCPU_EVENTS),
    CKVM_REQUEST(SET_VCPU_EVENTS), CKVM_REQUEST(GET_DEBUGREGS), CKVM_REQUEST(SET_DEBUGREGS),
    CKVM_REQUEST(GET_XSAVE), CKVM_REQUEST(GET_XSAVE2), CKVM_REQUEST(SET_XSAVE), CKVM_REQUEST(GET_XCRS),
    CKVM_REQUEST(SET_XCRS), CKVM_REQUEST(SET_TSC_KHZ), CKVM_REQUEST(GET_TSC_KHZ), CKVM_REQUEST(KVMCLOCK_CTRL),
};

/// ioctl with an integer argument.
static inline int ckvm_call(int descriptor, unsigned long request, unsigned long argument) {
    int result = ioctl(descriptor, request, argument);
    return result < 0 ? -errno : result;
}

/// ioctl with a pointer to the structure that the request takes.
static inline int ckvm_call_with(int descriptor, unsigned long request, void *argument) {
    int result = ioctl(descriptor, request, argument);
    return result < 0 ? -errno : result;
}

/// KVM_RUN: 0 when the guest left for the monitor, -EINTR when a signal or immediate_exit called.
static inline int ckvm_run(int descriptor) {
    return ioctl(descriptor, KVM_RUN, 0) < 0 ? -errno : 0;
}

/// Asks KVM_RUN to return at once, also when it has not been entered yet. From any thread.
static inline void ckvm_set_immediate_exit(struct kvm_run *run, uint8_t value) {
    __atomic_store_n(&run->immediate_exit, value, __ATOMIC_RELEASE);
}

// Flexible array members, which vanish when Swift imports the structures.
static inline struct kvm_cpuid_entry2 *ckvm_cpuid_entries(struct kvm_cpuid2 *cpuid) { return cpuid->entries; }
static inline struct kvm_msr_entry *ckvm_msr_entries(struct kvm_msrs *msrs) { return msrs->entries; }
static inline uint32_t *ckvm_msr_indices(struct kvm_msr_list *list) { return list->indices; }
static inline struct kvm_irq_routing_entry *ckvm_routing_entries(struct kvm_irq_routing *routing) {
    return routing->entries;
}
static inline struct kvm_coalesced_mmio *ckvm_coalesced_entries(struct kvm_coalesced_mmio_ring *ring) {
    return ring->coalesced_mmio;
}
static inline uint32_t ckvm_load_acquire(const uint32_t *word) { return __atomic_load_n(word, __ATOMIC_ACQUIRE); }
static inline void ckvm_store_release(uint32_t *word, uint32_t value) {
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

// Anonymous unions without a name of their own import poorly; these name the parts that are used.
static inline struct kvm_irq_routing_entry ckvm_route_to_chip(uint32_t gsi, uint32_t chip, uint32_t pin) {
    struct kvm_irq_routing_entry entry;
    memset(&entry, 0, sizeof entry);
    entry.gsi = gsi;
    entry.type = KVM_IRQ_ROUTING_IRQCHIP;
    entry.u.irqchip.irqchip = chip;
    entry.u.irqchip.pin = pin;
    return entry;
}
static inline struct kvm_irq_routing_entry ckvm_route_to_msi(uint32_t gsi, uint64_t address, uint32_t data) {
    struct kvm_irq_routing_entry entry;
    memset(&entry, 0, sizeof entry);
    entry.gsi = gsi;
    entry.type = KVM_IRQ_ROUTING_MSI;
    entry.u.msi.address_lo = (uint32_t)address;
    entry.u.msi.address_hi = (uint32_t)(address >> 32);
    entry.u.msi.data = data;
    return entry;
}

// Where the answers lie: `exit data` is the union behind apic_base, the others are offsets into it.
static inline long ckvm_exit_data_offset(void) { return offsetof(struct kvm_run, hw); }
static inline long ckvm_mmio_data_offset(void) {
    return offsetof(struct kvm_run, mmio.data) - offsetof(struct kvm_run, hw);
}
static inline long ckvm_hypercall_ret_offset(void) {
    return offsetof(struct kvm_run, hypercall.ret) - offsetof(struct kvm_run, hw);
}
static inline long ckvm_msr_data_offset(void) {
    return offsetof(struct kvm_run, msr.data) - offsetof(struct kvm_run, hw);
}
