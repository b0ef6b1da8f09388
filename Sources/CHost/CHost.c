#define _GNU_SOURCE
#include "CHost.h"

// Not in the header: what these declare belongs to Glibc, and would get a second home in this module.
#include <fcntl.h>
#include <link.h>

int chost_lock_file(int file, int exclusive) {
    struct flock lock = {.l_type = exclusive ? F_WRLCK : F_RDLCK, .l_whence = SEEK_SET};
    return fcntl(file, F_OFD_SETLK, &lock) == 0 ? 0 : -errno;
}

// The program itself comes first, and the walk ends with it: libraries are shared with others.
static int release_segments(struct dl_phdr_info *program, size_t size, void *unused) {
    (void)size, (void)unused;
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    for (int i = 0; i < program->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &program->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD || segment->p_flags & PF_W) continue;
        uintptr_t start = (program->dlpi_addr + segment->p_vaddr) / page * page;
        uintptr_t end = (program->dlpi_addr + segment->p_vaddr + segment->p_memsz + page - 1) / page * page;
        madvise((void *)start, end - start, MADV_DONTNEED);
    }
    return 1;
}

void chost_release_code(void) { dl_iterate_phdr(release_segments, NULL); }
