/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "base/sealed.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008u
#endif
#define NEEDED (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE)
#define KNOWN (NEEDED | F_SEAL_WRITE) /* newer kernels add others, which do no harm */

int cell_sealed_fail(const char *what, struct cell_error *e)
{
    int cause = errno;
    bool none = cause == ENOMEM || cause == ENOSPC || cause == EDQUOT || cause == EMFILE || cause == ENFILE;
    return cell_error_errno(e, none ? CELL_NO_MEMORY : CELL_IO_ERROR, cause, "%s", what);
}

static int make_memfd(void)
{
    int fd = memfd_create("cell", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
    return fd < 0 && errno == EINVAL ? memfd_create("cell", MFD_CLOEXEC | MFD_ALLOW_SEALING) : fd;
}

/* Makes the file as large, with all its pages; fallocate without the interruptions. */
static int allocate(int fd, size_t size)
{
    int r;
    do
        r = fallocate(fd, 0, 0, (off_t)size);
    while (r < 0 && errno == EINTR);
    return r;
}

int cell_sealed_make(size_t size, int *fd, struct cell_error *e)
{
    CELL_CLEANUP(cell_cleanup_fd) int made = make_memfd();
    if (made < 0 || allocate(made, size) < 0)
        return cell_sealed_fail("cannot make shared memory", e);
    *fd = made;
    made = -1;
    return CELL_OK;
}

static int seal(int fd, int seals, struct cell_error *e)
{
    return fcntl(fd, F_ADD_SEALS, seals) < 0 ? cell_sealed_fail("cannot seal shared memory", e) : CELL_OK;
}

int cell_sealed_seal(int fd, struct cell_error *e) { return seal(fd, NEEDED, e); }

int cell_sealed_seal_size(int fd, struct cell_error *e)
{
    return seal(fd, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW, e);
}

int cell_sealed_check(int fd, size_t size, uint32_t owner_uid, struct cell_error *e)
{
    struct stat st;
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return cell_error_set(e, CELL_PERMISSION_DENIED, "the descriptor is no shared memory");
    if ((seals & KNOWN) != NEEDED)
        return cell_error_set(e, CELL_PERMISSION_DENIED, "shared memory with seals 0x%x; 0x%x are needed",
                              (unsigned)seals, (unsigned)NEEDED);
    if (st.st_uid != owner_uid)
        return cell_error_set(e, CELL_PERMISSION_DENIED, "shared memory of another user (uid %u)", (unsigned)st.st_uid);
    if (st.st_size != (off_t)size || (uint64_t)st.st_blocks * 512 < size)
        return cell_error_set(e, CELL_PERMISSION_DENIED, "shared memory of %lld bytes, %lld of them there; not %zu",
                              (long long)st.st_size, (long long)st.st_blocks * 512, size);
    return CELL_OK;
}
