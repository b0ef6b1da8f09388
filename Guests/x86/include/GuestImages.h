#pragma once
#include <stddef.h>
#include <stdint.h>

/// What a built-in guest needs of the machine besides real mode, one bit each.
enum guest_need {
    GUEST_NEEDS_32BIT_PAGING = 1 << 0,  ///< protected mode with CR0.PG, not PAE
    GUEST_NEEDS_PAE_PAGING   = 1 << 1,  ///< protected mode with CR0.PG and CR4.PAE, or the way through it to long mode
    GUEST_NEEDS_IRQCHIP      = 1 << 2,  ///< the in-kernel PIC, I/O APIC, local APIC and PIT; without it HLT ends the run
};

/// A guest that is part of the program: a flat binary, entered in real mode with CS = 0 and IP = load_address.
struct guest_image {
    const char *name;      ///< as typed after `minikvm run`
    const char *summary;   ///< one line for `minikvm guests`
    const uint8_t *bytes;  ///< the flat binary
    const uint8_t *end;    ///< just past its last byte
    uint32_t load_address; ///< guest-physical address of its first byte
    uint32_t needs;        ///< guest_need bits
    uint32_t cpus;         ///< how many vCPUs it wants when the user does not say
};

/// All built-in guests, in the order of the tour.
extern const struct guest_image guest_images[];
extern const size_t guest_image_count;
