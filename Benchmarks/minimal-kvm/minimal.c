// The smallest honest KVM monitor: one vCPU, one memory slot, one serial port that can only speak.
//
//     cc -O2 -Wall -Wextra -o minimal minimal.c
//
//     minimal FILE [ADDRESS]           run a flat real-mode binary, text written to port 0x3F8 on standard output
//     minimal --count FILE [ADDRESS]   do nothing but count its port exits, and report the time each one took;
//                                      for guests that only write to ports, such as port-loop.S
//
// It is the yardstick that the benchmarks hold minikvm against: the time of one port-I/O round trip, and the time
// from the start of the process to the guest's first effect. So it does only what every monitor has to do.
// ADDRESS (default 0x8000) is where FILE is placed and entered, with CS = 0 and IP = ADDRESS.
// The exit status is the byte that the guest writes to port 0xF4, or 0 if it halts.

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum {
    MEMORY_BYTES = 16 << 20,
    SERIAL_DATA = 0x3F8,         // 16550: transmitter holding register
    SERIAL_LINE_STATUS = 0x3FD,  // 16550: line status register
    LINE_STATUS_READY = 0x60,    // transmitter holding register empty, transmitter empty
    DEBUG_EXIT = 0xF4,
};

static int kvm(int descriptor, unsigned long request, const char *name, unsigned long argument) {
    int result = ioctl(descriptor, request, argument);
    if (result < 0) err(1, "%s", name);
    return result;
}
#define KVM(descriptor, request, argument) kvm(descriptor, request, #request, (unsigned long)(argument))

static uint64_t nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/// Answers one access of the guest to the serial port; every other port reads as all ones, as on an empty bus.
static void serve(struct kvm_run *run) {
    uint8_t *data = (uint8_t *)run + run->io.data_offset;
    size_t bytes = (size_t)run->io.size * run->io.count;
    if (run->io.direction == KVM_EXIT_IO_IN) {
        memset(data, run->io.port == SERIAL_LINE_STATUS ? LINE_STATUS_READY : 0xFF, bytes);
    } else if (run->io.port == SERIAL_DATA) {
        if (write(STDOUT_FILENO, data, bytes) < 0) err(1, "standard output");
    }
}

int main(int argc, char **argv) {
    int counting = argc > 1 && !strcmp(argv[1], "--count");
    if (argc - counting < 2 || argc - counting > 3) errx(2, "usage: minimal [--count] FILE [ADDRESS]");
    const char *path = argv[1 + counting];
    uint64_t address = argc - counting == 3 ? strtoul(argv[2 + counting], NULL, 0) : 0x8000;
    if (address >= 0x10000) errx(2, "ADDRESS must be below 0x10000, the reach of IP with CS = 0");

    int system = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (system < 0) err(1, "/dev/kvm");
    if (KVM(system, KVM_GET_API_VERSION, 0) != 12) errx(1, "KVM_GET_API_VERSION: not 12");
    int machine = KVM(system, KVM_CREATE_VM, 0);
    KVM(machine, KVM_SET_TSS_ADDR, 0xFFFBD000);  // Intel's KVM keeps three pages here for real mode

    uint8_t *memory = mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) err(1, "guest memory");
    struct kvm_userspace_memory_region slot = {
        .memory_size = MEMORY_BYTES, .userspace_addr = (uintptr_t)memory,
    };
    KVM(machine, KVM_SET_USER_MEMORY_REGION, &slot);

    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 || read(file, memory + address, MEMORY_BYTES - address) <= 0) err(1, "%s", path);

    int cpu = KVM(machine, KVM_CREATE_VCPU, 0);
    size_t run_bytes = (size_t)KVM(system, KVM_GET_VCPU_MMAP_SIZE, 0);
    struct kvm_run *run = mmap(NULL, run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, cpu, 0);
    if (run == MAP_FAILED) err(1, "kvm_run");

    struct kvm_sregs segments;
    KVM(cpu, KVM_GET_SREGS, &segments);
    segments.cs.selector = 0;
    segments.cs.base = 0;
    KVM(cpu, KVM_SET_SREGS, &segments);
    struct kvm_regs registers = {.rip = address, .rflags = 2};
    KVM(cpu, KVM_SET_REGS, &registers);

    uint64_t exits = 0, start = nanoseconds();
    int status = 0;
    for (;;) {
        if (ioctl(cpu, KVM_RUN, 0) < 0) {
            if (errno == EINTR) continue;
            err(1, "KVM_RUN");
        }
        if (run->exit_reason == KVM_EXIT_IO) {
            if (run->io.port == DEBUG_EXIT && run->io.direction == KVM_EXIT_IO_OUT) {
                status = ((uint8_t *)run)[run->io.data_offset];
                break;
            }
            if (counting) exits++;
            else serve(run);
        } else if (run->exit_reason == KVM_EXIT_HLT) {
            break;
        } else {
            errx(1, "exit reason %u: the guest cannot go on", run->exit_reason);
        }
    }
    if (counting) {
        uint64_t taken = nanoseconds() - start;
        printf("%llu port exits, %.0f ns each\n", (unsigned long long)exits,
               exits ? (double)taken / (double)exits : 0.0);
    }
    return status;
}
