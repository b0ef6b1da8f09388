#pragma once

#ifndef __ASSEMBLER__
#include <stdint.h>

/// A program of the tests: a flat binary, entered in real mode at 0x8000 unless it says otherwise.
struct test_guest {
    const uint8_t *_Nonnull bytes;  ///< its first byte
    const uint8_t *_Nonnull end;    ///< just past its last byte
};

/// fuzz.S: writes and reads everything, at random.
struct test_guest test_guest_fuzz(void);

/// disk.S: gives a drive the commands that come over the serial port.
struct test_guest test_guest_disk(void);

/// restart.S: a disk that restarts its machine in each way, and tells what the restart left. Its sectors are followed by
/// others up to the fifth, which counts the boots.
struct test_guest test_guest_restart(void);
#endif
