/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Memory that its owner writes and the other side reads: a memfd that is sealed after its owner has mapped it. From
 * there on nobody can change its size, punch holes into it or get another writable mapping, and only the owner's first
 * mapping still writes. All pages are there before it is sent, so that neither side meets SIGBUS.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "transport/shm.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008u
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif
#define NEEDED (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE)
#define KNOWN (NEEDED | F_SEAL_WRITE) /* newer kernels add others, which do no harm */

/* A page that is zero again in the child of a fork, before the first instruction of any handler runs there. */
static _Atomic(_Atomic uint32_t *) process_page;
static _Atomic uint32_t last_process;

static _Atomic uint32_t *make_page(void)
{
    const size_t size = 4096;
    _Atomic uint32_t *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *none = NULL;
    if (page == MAP_FAILED)
        return NULL;
    if (madvise((void *)page, size, MADV_WIPEONFORK) < 0) {
        munmap((void *)page, size);
        return NULL;
    }
    if (atomic_compare_exchange_strong(&process_page, &none, page))
        return page;
    munmap((void *)page, size);
    return none;
}

const _Atomic uint32_t *cell_shm_process(void)
{
    _Atomic uint32_t *page = atomic_load(&process_page);
    uint32_t zero = 0;
    if (!page)
        page = make_page();
    /* Numbers go on after a fork, so that none is that of a process before. */
    if (page && atomic_load(page) == 0)
        atomic_compare_exchange_strong(page, &zero, atomic_fetch_add(&last_process, 1) + 1);
    return page;
}

static int make_memfd(void)
{
    int fd = memfd_create("cell", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
    return fd < 0 && errno == EINVAL ? memfd_create("cell", MFD_CLOEXEC | MFD_ALLOW_SEALING) : fd;
}

static int fail_memory(const char *what, struct cell_error *e)
{
    int cause = errno;
    bool none = cause == ENOMEM || cause == ENOSPC || cause == EDQUOT || cause == EMFILE || cause == ENFILE;
    return cell_error_errno(e, none ? CELL_NO_MEMORY : CELL_IO_ERROR, cause, "%s", what);
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

/* What is mapped with one system call; the rest, page by page, when it is used: of a region the data area, without
 * which most connections do. */
static size_t always_used(size_t size)
{
    return size == sizeof(struct cell_ring_region) ? offsetof(struct cell_ring_region, data) : size;
}

int cell_shm_memory_new(size_t size, void **mapping, int *fd, struct cell_error *e)
{
    CELL_CLEANUP(cell_cleanup_fd) int made = make_memfd();
    if (made < 0 || allocate(made, size) < 0)
        return fail_memory("cannot make shared memory", e);
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, made, 0);
    if (p == MAP_FAILED)
        return fail_memory("cannot map shared memory", e);
    if (madvise(p, size, MADV_DONTFORK) < 0 || fcntl(made, F_ADD_SEALS, NEEDED) < 0) {
        int r = fail_memory("cannot seal shared memory", e);
        munmap(p, size);
        return r;
    }
    madvise(p, always_used(size), MADV_POPULATE_WRITE); /* when it fails, pages come when used */
    *mapping = p;
    *fd = made;
    made = -1;
    return CELL_OK;
}

int cell_shm_memory_map(int fd, size_t size, uint32_t owner_uid, const void **mapping, struct cell_error *e)
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
    void *p = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        return fail_memory("cannot map shared memory", e);
    if (madvise(p, size, MADV_DONTFORK) < 0) {
        int r = fail_memory("cannot keep shared memory from forks", e);
        munmap(p, size);
        return r;
    }
    madvise(p, always_used(size), MADV_POPULATE_READ);
    *mapping = p;
    return CELL_OK;
}

void cell_shm_memory_unmap(const void *mapping, size_t size)
{
    if (mapping)
        munmap((void *)(uintptr_t)mapping, size);
}
