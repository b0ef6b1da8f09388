#include "TestGuests.h"

// Each assembly file defines where its guest begins and ends; `guest` and `guest_end` in guest.h name the symbols.
#define GUEST(name)                                                \
    extern const uint8_t guest_##name[], guest_##name##_end[];     \
    struct test_guest test_guest_##name(void) {                    \
        return (struct test_guest){guest_##name, guest_##name##_end}; \
    }
GUEST(fuzz)
GUEST(disk)
GUEST(restart)
