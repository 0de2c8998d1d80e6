/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "journal/tail.h"

#include <errno.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/sealed.h"

#define MAGIC "CELLTAIL"
#define PAGE 4096u
/* `begin` moves by this part of the ring at once, so that readers seldom have to fetch it. */
#define STEPS 8u
/* How long somebody sleeps whom the writer may not have seen: a sandbox does not let it ask for the barrier. */
#define UNHEARD_NS CELL_NS_PER_MS

/* The head and the ring, and the ring again behind it. */
static int map_ring(int fd, uint64_t ring_bytes, int protection, struct cell_tail *t, struct cell_error *e)
{
    size_t all = CELL_TAIL_HEAD + 2 * ring_bytes;
    uint8_t *place = mmap(NULL, all, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (place == MAP_FAILED)
        return cell_sealed_fail("cannot map the tail of the journal", e);
    if (mmap(place, CELL_TAIL_HEAD + ring_bytes, protection, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED ||
        mmap(place + CELL_TAIL_HEAD + ring_bytes, ring_bytes, protection, MAP_SHARED | MAP_FIXED, fd, CELL_TAIL_HEAD) ==
            MAP_FAILED) {
        int r = cell_sealed_fail("cannot map the tail of the journal", e);
        munmap(place, all);
        return r;
    }
    madvise(place, all, protection & PROT_WRITE ? MADV_POPULATE_WRITE : MADV_POPULATE_READ);
    t->head = (struct cell_tail_head *)place;
    t->ring = place + CELL_TAIL_HEAD;
    t->ring_bytes = ring_bytes;
    return CELL_OK;
}

static int map_sleepers(int fd, struct cell_tail *t, struct cell_error *e)
{
    void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (page == MAP_FAILED)
        return cell_sealed_fail("cannot map the readers' page of the journal", e);
    t->sleepers = page;
    return CELL_OK;
}

void cell_tail_unmap(struct cell_tail *t)
{
    if (t->head)
        munmap(t->head, CELL_TAIL_HEAD + 2 * t->ring_bytes);
    if (t->sleepers)
        munmap((void *)t->sleepers, PAGE);
    if (t->fd >= 0)
        close(t->fd);
    if (t->sleepers_fd >= 0)
        close(t->sleepers_fd);
    *t = (struct cell_tail){.fd = -1, .sleepers_fd = -1};
}

/* ---- who sleeps, and who wakes ---- */

/* A sleeper tells that it sleeps and then looks whether something has come; the writer puts something there and then
 * looks whether somebody sleeps. One of them sees the other if both look after what they have told is visible, for
 * which the writer, at each block, would wait until all that it has written was. But the kernel can make a processor do
 * that from elsewhere: a sleeper has it done, and the writer does nothing (membarrier(2); Linux 4.16). */
static long membarrier(int command) { return syscall(SYS_membarrier, command, 0, 0); }

static bool can_be_fenced(void) { return membarrier(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED) == 0; }

/* ---- the writer's ---- */

static int make(uint64_t ring_bytes, struct cell_tail *t, struct cell_error *e)
{
    int r = cell_sealed_make(CELL_TAIL_HEAD + ring_bytes, &t->fd, e);
    if (r == CELL_OK)
        r = cell_sealed_make(PAGE, &t->sleepers_fd, e);
    if (r == CELL_OK)
        r = map_ring(t->fd, ring_bytes, PROT_READ | PROT_WRITE, t, e);
    if (r == CELL_OK)
        r = cell_sealed_seal(t->fd, e);
    if (r == CELL_OK)
        r = map_sleepers(t->sleepers_fd, t, e);
    if (r == CELL_OK)
        r = cell_sealed_seal_size(t->sleepers_fd, e);
    if (r == CELL_OK && getrandom(&t->head->writer, sizeof(t->head->writer), 0) != sizeof(t->head->writer))
        r = cell_error_errno(e, CELL_IO_ERROR, errno, "no random numbers");
    return r;
}

int cell_tail_make(const struct cell_journal_format *f, const char *type, uint32_t epoch, uint64_t ring_bytes,
                   struct cell_tail *t, struct cell_error *e)
{
    *t = (struct cell_tail){.fd = -1, .sleepers_fd = -1};
    int r = make(ring_bytes, t, e);
    if (r < 0) {
        cell_tail_unmap(t);
        return r;
    }
    struct cell_tail_head *h = t->head;
    h->journal = f->journal;
    h->ring_bytes = ring_bytes;
    h->segment_bytes = f->segment_bytes;
    h->record_size = f->record_size;
    h->epoch = epoch;
    h->sleepers_fence = t->sleepers_fence = can_be_fenced();
    snprintf(h->type, sizeof(h->type), "%s", type);
    memcpy(h->magic, MAGIC, sizeof(h->magic));
    return CELL_OK;
}

void cell_tail_begin(struct cell_tail *t, uint64_t offset, uint64_t sequence, uint64_t durable)
{
    atomic_store(&t->head->begin, offset);
    atomic_store(&t->head->committed, offset);
    atomic_store(&t->head->committed_sequence, sequence);
    atomic_store(&t->head->durable, durable);
    atomic_store(&t->head->durable_sequence, sequence);
}

/* Says that what is in the way of the bytes before `end` does not hold any more. */
static void give_up_before(struct cell_tail *t, uint64_t end)
{
    uint64_t step = t->ring_bytes / STEPS;
    if (end <= atomic_load_explicit(&t->head->begin, memory_order_relaxed) + t->ring_bytes)
        return;
    atomic_store_explicit(&t->head->begin, (end - t->ring_bytes + step - 1) / step * step, memory_order_relaxed);
    atomic_thread_fence(memory_order_release); /* before what is written over it */
}

struct cell_block *cell_tail_at(const struct cell_tail *t, uint64_t offset)
{
    return (struct cell_block *)(t->ring + (offset & (t->ring_bytes - 1)));
}

struct cell_block *cell_tail_reserve(struct cell_tail *t, uint64_t offset, uint64_t size)
{
    give_up_before(t, offset + size);
    return cell_tail_at(t, offset);
}

static _Atomic uint64_t *commit_word(struct cell_block *b) { return (_Atomic uint64_t *)&b->position; }

void cell_tail_publish(struct cell_tail *t, struct cell_block *b, uint64_t position, uint64_t next, uint64_t sequence)
{
    give_up_before(t, next + sizeof(*b));
    /* What lies where the next one will be was a record once, and might say that it is there. Looked at first: readers
     * wait on that line, and writing to it takes it away from them. */
    if (atomic_load_explicit(commit_word(cell_tail_at(t, next)), memory_order_relaxed) == next)
        atomic_store_explicit(commit_word(cell_tail_at(t, next)), 0, memory_order_relaxed);
    atomic_store_explicit(commit_word(b), position, memory_order_release);
    atomic_store_explicit(&t->head->committed_sequence, sequence, memory_order_relaxed);
    atomic_store_explicit(&t->head->committed, next, memory_order_release);
}

void cell_tail_durable(struct cell_tail *t, uint64_t offset, uint64_t sequence)
{
    atomic_store_explicit(&t->head->durable_sequence, sequence, memory_order_relaxed);
    atomic_store_explicit(&t->head->durable, offset, memory_order_release);
}

static long futex(_Atomic uint32_t *word, int what, uint32_t value, const struct timespec *timeout)
{
    return syscall(SYS_futex, word, what, value, timeout, NULL, 0);
}

void cell_tail_wake(struct cell_tail *t)
{
    if (t->sleepers_fence)
        atomic_signal_fence(memory_order_seq_cst);
    else
        atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(t->sleepers, memory_order_relaxed) == 0)
        return;
    atomic_store(t->sleepers, 0);
    atomic_fetch_add(&t->head->bell, 1);
    futex(&t->head->bell, FUTEX_WAKE, INT32_MAX, NULL);
}

void cell_tail_close(struct cell_tail *t)
{
    if (t->head) {
        atomic_store(&t->head->closed, 1);
        atomic_fetch_add(&t->head->bell, 1);
        futex(&t->head->bell, FUTEX_WAKE, INT32_MAX, NULL);
    }
    cell_tail_unmap(t);
}

/* ---- the reader's ---- */

static int check(const struct cell_tail_head *h, uint64_t size, struct cell_error *e)
{
    if (memcmp(h->magic, MAGIC, sizeof(h->magic)) != 0 || h->ring_bytes != size - CELL_TAIL_HEAD ||
        memchr(h->type, '\0', sizeof(h->type)) == NULL)
        return cell_error_set(e, CELL_PERMISSION_DENIED, "the shared memory is no tail of a journal");
    return CELL_OK;
}

int cell_tail_map(int fd, int sleepers_fd, struct cell_tail *t, struct cell_error *e)
{
    struct stat st, page;
    *t = (struct cell_tail){.fd = -1, .sleepers_fd = -1};
    if (fstat(fd, &st) < 0 || fstat(sleepers_fd, &page) < 0 || page.st_size != PAGE)
        return cell_error_set(e, CELL_PERMISSION_DENIED, "the descriptors are no tail of a journal");
    uint64_t size = (uint64_t)st.st_size, ring = size - CELL_TAIL_HEAD;
    if (size < CELL_TAIL_HEAD + CELL_TAIL_MIN || ring > CELL_TAIL_MAX || (ring & (ring - 1)) != 0)
        return cell_error_set(e, CELL_PERMISSION_DENIED,
                              "the shared memory has %llu bytes, and is no tail of a journal",
                              (unsigned long long)size);
    int r = cell_sealed_check(fd, size, st.st_uid, e);
    if (r == CELL_OK)
        r = map_ring(fd, ring, PROT_READ, t, e);
    if (r == CELL_OK)
        r = map_sleepers(sleepers_fd, t, e);
    if (r == CELL_OK)
        r = check(t->head, size, e);
    if (r < 0) {
        cell_tail_unmap(t);
        return r;
    }
    t->sleepers_fence = t->head->sleepers_fence != 0;
    return CELL_OK;
}

void cell_tail_nap_begin(struct cell_tail *t)
{
    atomic_store(t->sleepers, 1);
    atomic_thread_fence(memory_order_seq_cst);
    t->unheard = t->sleepers_fence && membarrier(MEMBARRIER_CMD_GLOBAL_EXPEDITED) != 0;
}

void cell_tail_nap(struct cell_tail *t, uint32_t bell, uint64_t timeout_ns)
{
    if (t->unheard && timeout_ns > UNHEARD_NS)
        timeout_ns = UNHEARD_NS;
    struct timespec time = {.tv_sec = (time_t)(timeout_ns / 1000000000), .tv_nsec = (long)(timeout_ns % 1000000000)};
    futex(&t->head->bell, FUTEX_WAIT, bell, &time);
}

void cell_tail_disturb(struct cell_tail *t) { futex(&t->head->bell, FUTEX_WAKE, INT32_MAX, NULL); }
