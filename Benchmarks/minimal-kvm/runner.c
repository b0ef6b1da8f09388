// The minimal monitor grown up just enough to run every built-in guest, as a second opinion on them:
// CPUID, the in-kernel interrupt controllers and timer, several vCPUs, serial input, the debug console.
//
//     G=../../Guests/x86; clang -O2 -Wall -Wextra -pthread -I$G/include -o runner runner.c $G/GuestImages.c $G/*.S
//
// (clang, since the guests are written for its assembler)
//
//     runner                         list the built-in guests
//     runner NAME [CPUS]             run one; the exit status is the byte it writes to port 0xF4
//     runner --flat FILE ADDRESS     run a flat real-mode binary of your own, with every device there is
//
// It answers a serial port without interrupts, so it is no monitor to live in: that one is minikvm.

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "GuestImages.h"

enum { MEMORY_BYTES = 16 << 20, CPUID_ENTRIES = 256 };

static int kvm_system, machine;
static size_t run_bytes;
static pthread_mutex_t bus = PTHREAD_MUTEX_INITIALIZER;

static int kvm(int descriptor, unsigned long request, const char *name, unsigned long argument) {
    int result = ioctl(descriptor, request, argument);
    if (result < 0) err(1, "%s", name);
    return result;
}
#define KVM(descriptor, request, argument) kvm(descriptor, request, #request, (unsigned long)(argument))

/// The CPUID that KVM offers, with the vCPU's own APIC id in the leaves that carry it.
static void set_cpuid(int cpu, uint32_t apic_id) {
    struct kvm_cpuid2 *table = calloc(1, sizeof *table + CPUID_ENTRIES * sizeof table->entries[0]);
    if (!table) err(1, "CPUID table");
    table->nent = CPUID_ENTRIES;
    KVM(kvm_system, KVM_GET_SUPPORTED_CPUID, table);
    for (uint32_t i = 0; i < table->nent; i++) {
        struct kvm_cpuid_entry2 *entry = &table->entries[i];
        if (entry->function == 1) {
            entry->ebx = (entry->ebx & 0x00FFFFFF) | apic_id << 24;
            entry->ecx |= 1u << 31;  // "there is a hypervisor": KVM leaves this bit to the monitor
        }
        if (entry->function == 0xB || entry->function == 0x1F) entry->edx = apic_id;
    }
    KVM(cpu, KVM_SET_CPUID2, table);
    free(table);
}

/// Answers one port access: a 16550 that polls, the debug console, the debug exit. The rest is an empty bus.
static void serve(struct kvm_run *run) {
    uint8_t *data = (uint8_t *)run + run->io.data_offset;
    size_t bytes = (size_t)run->io.size * run->io.count;
    if (run->io.direction == KVM_EXIT_IO_OUT) {
        if (run->io.port == GUEST_EXIT_PORT) _exit(data[0]);
        if (run->io.port == GUEST_SERIAL_PORT || run->io.port == GUEST_DEBUG_CONSOLE_PORT) {
            if (write(STDOUT_FILENO, data, bytes) < 0) err(1, "standard output");
        }
        return;
    }
    memset(data, 0xFF, bytes);
    if (run->io.port == GUEST_DEBUG_CONSOLE_PORT) data[0] = GUEST_DEBUG_CONSOLE_PRESENT;
    if (run->io.port == GUEST_SERIAL_PORT + 5) {
        struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
        data[0] = 0x60 | (poll(&input, 1, 0) > 0);
    }
    if (run->io.port == GUEST_SERIAL_PORT && read(STDIN_FILENO, data, 1) != 1) data[0] = 0x04;  // end of input: Ctrl-D
}

static void *run_cpu(void *argument) {
    int cpu = (int)(intptr_t)argument;
    struct kvm_run *run = mmap(NULL, run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, cpu, 0);
    if (run == MAP_FAILED) err(1, "kvm_run");
    for (;;) {
        if (ioctl(cpu, KVM_RUN, 0) < 0) {
            if (errno == EINTR || errno == EAGAIN) continue;
            err(1, "KVM_RUN");
        }
        if (run->exit_reason == KVM_EXIT_IO) {
            pthread_mutex_lock(&bus);
            serve(run);
            pthread_mutex_unlock(&bus);
        } else if (run->exit_reason == KVM_EXIT_HLT) {
            _exit(0);
        } else if (run->exit_reason == KVM_EXIT_MMIO) {
            if (!run->mmio.is_write) memset(run->mmio.data, 0xFF, sizeof run->mmio.data);
        } else {
            struct kvm_regs registers;
            struct kvm_sregs system;
            KVM(cpu, KVM_GET_REGS, &registers);
            KVM(cpu, KVM_GET_SREGS, &system);
            errx(99, "exit reason %u suberror %u, rip 0x%llx cs 0x%x cr0 0x%llx cr2 0x%llx cr3 0x%llx cr4 0x%llx "
                 "efer 0x%llx", run->exit_reason, run->internal.suberror, registers.rip, system.cs.selector,
                 system.cr0, system.cr2, system.cr3, system.cr4, system.efer);
        }
    }
}

int main(int argc, char **argv) {
    size_t index = 0;
    if (argc < 2) {
        for (const struct guest_image *guest; (guest = guest_image_at(index)); index++) {
            printf("%-10s %s\n", guest->name, guest->summary);
        }
        return 0;
    }

    uint8_t *memory = mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) err(1, "guest memory");
    uint64_t entry = 0;
    uint32_t cpus = 1, needs = GUEST_NEEDS_IRQCHIP;
    if (argc == 4 && !strcmp(argv[1], "--flat")) {
        entry = strtoul(argv[3], NULL, 0);
        int file = open(argv[2], O_RDONLY);
        if (entry >= 0x10000 || read(file, memory + entry, MEMORY_BYTES - entry) <= 0) err(1, "%s", argv[2]);
    } else {
        for (const struct guest_image *guest; (guest = guest_image_at(index)); index++) {
            if (strcmp(guest->name, argv[1])) continue;
            entry = guest->load_address;
            needs = guest->needs;
            cpus = argc > 2 ? (uint32_t)atoi(argv[2]) : guest->cpus;
            memcpy(memory + entry, guest->bytes, (size_t)(guest->end - guest->bytes));
        }
        if (!entry) errx(2, "no built-in guest is called %s", argv[1]);
    }
    memory[GUEST_CPU_COUNT_ADDRESS] = (uint8_t)cpus;

    kvm_system = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (kvm_system < 0) err(1, "/dev/kvm");
    machine = KVM(kvm_system, KVM_CREATE_VM, 0);
    run_bytes = (size_t)KVM(kvm_system, KVM_GET_VCPU_MMAP_SIZE, 0);
    KVM(machine, KVM_SET_TSS_ADDR, 0xFFFBD000);
    struct kvm_userspace_memory_region slot = {
        .memory_size = MEMORY_BYTES, .userspace_addr = (uintptr_t)memory,
    };
    KVM(machine, KVM_SET_USER_MEMORY_REGION, &slot);
    if (needs & GUEST_NEEDS_IRQCHIP) {
        struct kvm_pit_config timer = {.flags = KVM_PIT_SPEAKER_DUMMY};
        KVM(machine, KVM_CREATE_IRQCHIP, 0);
        KVM(machine, KVM_CREATE_PIT2, &timer);
    }
    for (uint32_t id = cpus; id-- > 0;) {
        int cpu = KVM(machine, KVM_CREATE_VCPU, id);
        set_cpuid(cpu, id);
        if (id > 0) {  // an application processor: KVM holds it until the guest sends INIT and SIPI
            pthread_t thread;
            errno = pthread_create(&thread, NULL, run_cpu, (void *)(intptr_t)cpu);
            if (errno) err(1, "pthread_create");
            continue;
        }
        struct kvm_sregs segments;
        KVM(cpu, KVM_GET_SREGS, &segments);
        segments.cs.selector = 0;
        segments.cs.base = 0;
        KVM(cpu, KVM_SET_SREGS, &segments);
        struct kvm_regs registers = {.rip = entry, .rflags = 2, .rdx = entry == 0x7C00 ? 0x80 : 0};
        KVM(cpu, KVM_SET_REGS, &registers);
        run_cpu((void *)(intptr_t)cpu);
    }
}
