// What of the Linux C interface Swift's Glibc module leaves out: whole headers, macros with casts,
// and functions that are variadic or that glibc declares for _GNU_SOURCE only.
#pragma once

#include <errno.h>
#include <stdint.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum {
    // memfd_create(2).
    CHOST_MFD_CLOEXEC = 0x1,
    // O_TMPFILE of open(2) on x86-64, which the header has for _GNU_SOURCE only.
    CHOST_O_TMPFILE = 020000000 | 0200000,
};

/// memfd_create(2); returns the descriptor or -errno.
static inline int chost_memfd_create(const char *name, unsigned flags) {
    long result = syscall(SYS_memfd_create, name, flags);
    return result < 0 ? -errno : (int)result;
}

/// PR_SET_NAME of prctl(2): names the calling thread; the kernel keeps 15 bytes.
static inline void chost_set_thread_name(const char *name) {
    prctl(PR_SET_NAME, name, 0, 0, 0);
}

/// gettid(2).
static inline int chost_gettid(void) {
    return (int)syscall(SYS_gettid);
}

/// The host's RAM and swap together in bytes, by sysinfo(2); 0 if it does not say.
static inline uint64_t chost_host_capacity(void) {
    struct sysinfo info;
    if (sysinfo(&info) != 0) return 0;
    return ((uint64_t)info.totalram + info.totalswap) * info.mem_unit;
}

/// Gives back those pages of the program's file that are in memory and that nobody may write (MADV_DONTNEED of
/// madvise(2)): code, constants, tables for the runtime. Each comes back from the file, by a page fault, if it is used
/// again.
void chost_release_code(void);

/// Locks a whole file for as long as it is open (open file description locks of fcntl(2)), or fails at once.
/// Returns 0, or -errno: -EAGAIN when somebody else's lock is in the way.
int chost_lock_file(int file, int exclusive);
