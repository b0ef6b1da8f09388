#define _GNU_SOURCE
#include "CHost.h"

// Not in the header: what <fcntl.h> declares belongs to Glibc, and would get a second home in this module.
#include <fcntl.h>

int chost_lock_file(int file, int exclusive) {
    struct flock lock = {.l_type = exclusive ? F_WRLCK : F_RDLCK, .l_whence = SEEK_SET};
    return fcntl(file, F_OFD_SETLK, &lock) == 0 ? 0 : -errno;
}
