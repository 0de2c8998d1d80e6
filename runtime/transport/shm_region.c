/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The memory of a connection: sealed (base/sealed.h), and not there in the child of a fork. */
#include <sys/mman.h>

#include "base/sealed.h"
#include "transport/shm.h"

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

/* What is mapped with one system call; the rest, page by page, when it is used: of a region the data area, without
 * which most connections do. */
static size_t always_used(size_t size)
{
    return size == sizeof(struct cell_ring_region) ? offsetof(struct cell_ring_region, data) : size;
}

int cell_shm_memory_new(size_t size, void **mapping, int *fd, struct cell_error *e)
{
    CELL_CLEANUP(cell_cleanup_fd) int made = -1;
    int r = cell_sealed_make(size, &made, e);
    if (r < 0)
        return r;
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, made, 0);
    if (p == MAP_FAILED)
        return cell_sealed_fail("cannot map shared memory", e);
    r = madvise(p, size, MADV_DONTFORK) < 0 ? cell_sealed_fail("cannot keep shared memory from forks", e)
                                            : cell_sealed_seal(made, e);
    if (r < 0) {
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
    int r = cell_sealed_check(fd, size, owner_uid, e);
    if (r < 0)
        return r;
    void *p = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        return cell_sealed_fail("cannot map shared memory", e);
    if (madvise(p, size, MADV_DONTFORK) < 0) {
        r = cell_sealed_fail("cannot keep shared memory from forks", e);
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
