#include "GuestImages.h"

// Each assembly file defines where its guest begins and ends; `guest` and `guest_end` in guest.h name the symbols.
#define IMAGE(symbol) extern const uint8_t guest_##symbol[], guest_##symbol##_end[];
IMAGE(halt)
IMAGE(hello)
IMAGE(echo)
IMAGE(counter)
IMAGE(protected)
IMAGE(paging)
IMAGE(long_mode)
IMAGE(user_mode)
IMAGE(timer)
IMAGE(mbr)
IMAGE(smp)
IMAGE(hypercall)
IMAGE(pc_check)
#undef IMAGE

#define GUEST(symbol, name, summary, load_address, needs, cpus) \
    {name, summary, guest_##symbol, guest_##symbol##_end, load_address, needs, cpus}

static const struct guest_image guest_images[] = {
    GUEST(halt, "halt", "stops the processor: one instruction, one exit", 0x8000, 0, 1),
    GUEST(hello, "hello", "sends a text to the serial port", 0x8000, 0, 1),
    GUEST(echo, "echo", "sends back what you type, until Ctrl-D", 0x8000, 0, 1),
    GUEST(counter, "counter", "counts to 20: state survives every exit", 0x8000, 0, 1),
    GUEST(protected, "protected", "enters 32-bit protected mode, breaks its rules", 0x8000, 0, 1),
    GUEST(paging, "paging", "maps 4 KiB and 4 MiB pages, repairs page faults", 0x8000, GUEST_NEEDS_32BIT_PAGING, 1),
    GUEST(long_mode, "long-mode", "goes from real mode to 64-bit long mode", 0x8000, 0, 1),
    GUEST(user_mode, "user-mode", "runs a program in ring 3, serves and stops it", 0x8000, 0, 1),
    GUEST(timer, "timer", "takes interrupts from the PIT and the local APIC", 0x8000, GUEST_NEEDS_IRQCHIP, 1),
    GUEST(mbr, "mbr", "a boot sector at 0x7C00 that loads its second stage", 0x7C00, 0, 1),
    GUEST(smp, "smp", "wakes all other processors, and each reports", 0x8000, GUEST_NEEDS_IRQCHIP, 4),
    GUEST(hypercall, "hypercall", "asks KVM, then the monitor, on purpose", 0x8000, GUEST_NEEDS_IRQCHIP, 1),
    GUEST(pc_check, "pc-check", "a disk whose kernel tries every part of a PC", 0x7C00,
          GUEST_NEEDS_32BIT_PAGING | GUEST_NEEDS_IRQCHIP | GUEST_IS_DISK, 1),
};
const size_t guest_image_count = sizeof guest_images / sizeof guest_images[0];

const struct guest_image *guest_image_at(size_t index) {
    return index < guest_image_count ? &guest_images[index] : NULL;
}
