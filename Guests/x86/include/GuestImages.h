#pragma once

#ifndef __clang__  // GCC knows no nullability
#define _Nonnull
#define _Nullable
#endif

// Where the guests and the monitor meet. These numbers are read by the assembler too, so they are macros.

/// Guest-physical address of one byte that the monitor sets before a built-in guest starts: how many vCPUs there are.
///
/// A flat guest is given no MP or ACPI tables to count processors by. The address is the first one past the BIOS data
/// area (0x400 to 0x4FF), which no PC firmware uses.
#define GUEST_CPU_COUNT_ADDRESS 0x500

/// Port of the serial line COM1, a 16550 UART: the data register; the line status register is five ports up.
#define GUEST_SERIAL_PORT 0x3F8

/// Port that ends the run: the byte written there is the guest's status, 0 when everything it checks held.
///
/// 1 to 99: the number of the check that failed. 128 + vector: an exception that the guest did not expect.
#define GUEST_EXIT_PORT 0xF4

/// Port of the debug console, as Bochs and QEMU have it: each byte written appears on the monitor's output,
/// and a read gives `GUEST_DEBUG_CONSOLE_PRESENT`, which an empty bus (0xFF) does not.
#define GUEST_DEBUG_CONSOLE_PORT 0xE9

/// What a read of `GUEST_DEBUG_CONSOLE_PORT` gives when something is there.
#define GUEST_DEBUG_CONSOLE_PRESENT 0xE9

#ifndef __ASSEMBLER__
#include <stddef.h>
#include <stdint.h>

/// What a built-in guest needs of the machine besides real mode, one bit each.
enum guest_need {
    GUEST_NEEDS_32BIT_PAGING = 1 << 0,  ///< protected mode with CR0.PG, not PAE
    GUEST_NEEDS_PAE_PAGING   = 1 << 1,  ///< protected mode with CR0.PG and CR4.PAE, without long mode
    GUEST_NEEDS_IRQCHIP      = 1 << 2,  ///< the in-kernel PIC, I/O APIC, local APIC and PIT; without it HLT ends the run
    GUEST_IS_DISK            = 1 << 3,  ///< the bytes are a disk, and there is a second one: see pc-check.S
};

/// A guest that is part of the program: a flat binary, entered in real mode with CS = 0 and IP = load_address.
///
/// All of them run in 2 MiB of memory. Those loaded at 0x7C00 are boot sectors and expect the number of the boot disk,
/// 0x80, in DL. CPUID must tell of long mode, of x2APIC where GUEST_NEEDS_IRQCHIP is set, and that there is a
/// hypervisor (leaf 1, ECX bit 31), which KVM_GET_SUPPORTED_CPUID leaves to the monitor.
struct guest_image {
    const char *_Nonnull name;      ///< as typed after `minikvm run`
    const char *_Nonnull summary;   ///< one line for `minikvm guests`, at most 60 columns
    const uint8_t *_Nonnull bytes;  ///< the flat binary
    const uint8_t *_Nonnull end;    ///< just past its last byte
    uint32_t load_address;          ///< guest-physical address of its first byte
    uint32_t needs;                 ///< guest_need bits
    uint32_t cpus;                  ///< how many vCPUs it wants when the user does not say
};

/// How many built-in guests there are.
extern const size_t guest_image_count;

/// The built-in guest number `index` in the order of the tour, or NULL from `guest_image_count` on.
///
/// A function, because Swift does not import arrays of unknown length.
const struct guest_image *_Nullable guest_image_at(size_t index);
#endif
