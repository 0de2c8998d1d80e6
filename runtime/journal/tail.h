/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The newest blocks of a journal in shared memory: a ring that the writer alone writes and never waits for. A reader
 * copies a block, and then asks whether it was still there: the writer says from where on the ring holds (`begin`)
 * before it writes over anything. The first word of a block is its place in the line, stored last, so that who waits
 * for the next block looks at one word in the line of memory that it reads next anyway.
 *
 * The ring is mapped twice, one behind the other: a block is one piece for both sides. The memory is sealed as that of
 * connections is (docs/protocol.md, "Shared memory"): no reader can write to it, nobody can shrink it.
 *
 * Readers that have nothing to read sleep on the bell. That somebody does is the one thing that readers say, in a page
 * of their own that all of them can write to; one that lies costs the writer system calls, or other readers up to
 * CELL_TAIL_NAP_MS, since nobody sleeps for longer without a look.
 */
#ifndef CELL_JOURNAL_TAIL_H
#define CELL_JOURNAL_TAIL_H

#include "journal/block.h"

#define CELL_TAIL_MIN (UINT64_C(64) << 10)
#define CELL_TAIL_MAX (UINT64_C(1) << 30)
#define CELL_TAIL_NAP_MS 100

struct cell_tail_head {
    char magic[8]; /* "CELLTAIL" */
    uint64_t journal;
    uint64_t writer; /* a random number, of this opening */
    uint64_t ring_bytes, segment_bytes;
    uint32_t record_size;
    uint32_t epoch;
    char type[CELL_JOURNAL_TYPE];
    uint32_t sleepers_fence; /* not 0: the writer looks for sleepers without a fence; who sleeps has it fenced */
    _Alignas(64) _Atomic uint64_t begin;     /* from here on the ring holds */
    _Alignas(64) _Atomic uint64_t committed; /* … up to here; a block begins here, or will */
    _Atomic uint64_t committed_sequence;
    _Alignas(64) _Atomic uint64_t durable; /* UINT64_MAX: what is committed */
    _Atomic uint64_t durable_sequence;
    _Alignas(64) _Atomic uint32_t bell; /* raised when something has come and somebody slept */
    _Atomic uint32_t closed;            /* no more will come */
};
#define CELL_TAIL_HEAD 4096u
_Static_assert(sizeof(struct cell_tail_head) <= CELL_TAIL_HEAD, "the head is a page");

/* Both sides' view. */
struct cell_tail {
    struct cell_tail_head *head; /* NULL: none; read-only for readers */
    uint8_t *ring;
    uint64_t ring_bytes;
    _Atomic uint32_t *sleepers; /* 1: somebody may sleep */
    int fd, sleepers_fd;        /* the writer's; -1 for readers */
    bool sleepers_fence;        /* as in the head */
    bool unheard;               /* a reader's: the writer may not see that it sleeps */
};

/* ---- the writer's ---- */

int cell_tail_make(const struct cell_journal_format *f, const char *type, uint32_t epoch, uint64_t ring_bytes,
                   struct cell_tail *t, struct cell_error *e);
/* The first block will stand at `offset`, and have that sequence. */
void cell_tail_begin(struct cell_tail *t, uint64_t offset, uint64_t sequence, uint64_t durable);
/* Where the block of that offset lies, as long as it is there. */
struct cell_block *cell_tail_at(const struct cell_tail *t, uint64_t offset);
/* Memory for a block of `size` bytes at `offset`, header included; at most a quarter of the ring. */
struct cell_block *cell_tail_reserve(struct cell_tail *t, uint64_t offset, uint64_t size);
/* Its header and payload are there, but for `position`. `next`: where the next one stands. */
void cell_tail_publish(struct cell_tail *t, struct cell_block *b, uint64_t position, uint64_t next, uint64_t sequence);
void cell_tail_durable(struct cell_tail *t, uint64_t offset, uint64_t sequence);
/* Wakes who sleeps; after one or more of the above. */
void cell_tail_wake(struct cell_tail *t);
void cell_tail_close(struct cell_tail *t); /* the writer leaves; readers keep their mappings */

/* ---- the reader's ---- */

/* Maps it for reading. Takes over neither descriptor. CELL_PERMISSION_DENIED: it is not sealed, or not what it says. */
int cell_tail_map(int fd, int sleepers_fd, struct cell_tail *t, struct cell_error *e);
void cell_tail_unmap(struct cell_tail *t);

/* Whether the block at `offset` is there. It may not be any more in the next moment. */
static inline bool cell_tail_has(const struct cell_tail *t, uint64_t offset)
{
    const struct cell_block *b = (const struct cell_block *)(t->ring + (offset & (t->ring_bytes - 1)));
    return atomic_load_explicit((const _Atomic uint64_t *)&b->position, memory_order_acquire) == offset;
}
/* Whether everything from `offset` on is still there; for what was copied before. */
static inline bool cell_tail_holds(const struct cell_tail *t, uint64_t offset)
{
    atomic_thread_fence(memory_order_acquire);
    return atomic_load_explicit(&t->head->begin, memory_order_relaxed) <= offset;
}
/* Waits until the bell is not `bell`, or for timeout_ns. The sequence is bell, nap_begin, a look, nap. */
static inline uint32_t cell_tail_bell(const struct cell_tail *t)
{
    return atomic_load_explicit(&t->head->bell, memory_order_acquire);
}
void cell_tail_nap_begin(struct cell_tail *t);
void cell_tail_nap(struct cell_tail *t, uint32_t bell, uint64_t timeout_ns);
/* Ends the naps in progress in this process. */
void cell_tail_disturb(struct cell_tail *t);

#endif
