/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Two regions as two processes have them: each in a sealed memory file, mapped for its owner and mapped read-only for
 * the other side, both between guard pages. The ring goes from `a` to `b`.
 */
#ifndef CELL_TEST_RING_FIXTURE_H
#define CELL_TEST_RING_FIXTURE_H

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "transport/ring.h"

#define GUARD 4096u
/* A number of a first message, shortly before numbers begin again at 0, and far enough for ring_open. */
#define NEAR_WRAP (0u - 2 * CELL_RING_SLOTS)
_Static_assert(sizeof(struct cell_ring_region) % GUARD == 0, "the guard page follows at once");

struct ring {
    struct cell_ring_region *a, *b;
    const struct cell_ring_region *a_seen, *b_seen; /* by the other side */
    struct cell_ring_producer p;
    struct cell_ring_consumer c;
};

static void ring_expect(bool good, const char *what)
{
    if (good)
        return;
    perror(what);
    abort();
}

static void *ring_map(int fd, int protection)
{
    size_t size = sizeof(struct cell_ring_region);
    uint8_t *place = mmap(NULL, size + 2 * GUARD, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ring_expect(place != MAP_FAILED, "guard pages");
    void *region = mmap(place + GUARD, size, protection, MAP_SHARED | MAP_FIXED, fd, 0);
    ring_expect(region != MAP_FAILED, "region");
    return region;
}

static void ring_unmap(const void *region)
{
    munmap((uint8_t *)(uintptr_t)region - GUARD, sizeof(struct cell_ring_region) + 2 * GUARD);
}

static struct cell_ring_region *ring_region(const struct cell_ring_region **seen)
{
    int fd = memfd_create("ring", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    ring_expect(fd >= 0 && ftruncate(fd, sizeof(struct cell_ring_region)) == 0, "memory file");
    struct cell_ring_region *own = ring_map(fd, PROT_READ | PROT_WRITE);
    ring_expect(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) == 0, "seals");
    *seen = ring_map(fd, PROT_READ);
    close(fd);
    return own;
}

/* The first message has number `first`, at least 64 away from 2^32: no older message has its commit word. */
static void ring_open(struct ring *r, uint32_t first)
{
    r->a = ring_region(&r->a_seen);
    r->b = ring_region(&r->b_seen);
    cell_ring_producer_init(&r->p, r->a, r->b_seen);
    cell_ring_consumer_init(&r->c, r->b, r->a_seen);
    r->p.next = r->p.head = r->c.next = r->c.released = first;
    atomic_store(&r->b->head, first);
}

/* Both sides see the same addresses, as ThreadSanitizer needs it to recognise a race. */
static void ring_open_for_threads(struct ring *r, uint32_t first)
{
    ring_open(r, first);
    r->p.other = r->b;
    r->c.other = r->a;
}

static void ring_close(struct ring *r)
{
    ring_unmap(r->a);
    ring_unmap(r->b);
    ring_unmap(r->a_seen);
    ring_unmap(r->b_seen);
}

/* ---- messages that can be checked: what is in them follows from their number and size ---- */

struct ring_head {
    uint32_t number, data, offset;
};

static uint8_t ring_byte(uint32_t number, uint32_t i) { return (uint8_t)(number * 31 + i * 7 + (i >> 8)); }

static int ring_send(struct cell_ring_producer *p, uint32_t data)
{
    uint8_t *slot, *bytes;
    uint32_t number = p->next, offset;
    int r = cell_ring_reserve(p, data, &slot, &bytes, &offset);
    if (r < 0)
        return r;
    struct ring_head head = {number, data, offset};
    memcpy(slot, &head, sizeof(head));
    for (uint32_t i = sizeof(head); i < CELL_RING_INLINE; i++)
        slot[i] = ring_byte(number, i);
    for (uint32_t i = 0; i < data; i++)
        bytes[i] = ring_byte(number + 1, i);
    cell_ring_commit(p);
    return 0;
}

/* True when message `number` stands there, whole, in a piece of the data area that is where it should be. */
static bool ring_whole(const struct cell_ring_region *region, const uint8_t *slot, uint32_t number)
{
    struct ring_head head;
    memcpy(&head, slot, sizeof(head));
    bool good = head.number == number && head.data <= CELL_RING_DATA && head.offset <= CELL_RING_DATA - head.data &&
                head.offset % CELL_RING_LINE == 0;
    for (uint32_t i = sizeof(head); good && i < CELL_RING_INLINE; i++)
        good = slot[i] == ring_byte(number, i);
    for (uint32_t i = 0; good && i < head.data; i++)
        good = region->data[head.offset + i] == ring_byte(number + 1, i);
    return good;
}

static uint32_t ring_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* Mostly small, sometimes with data of any size. */
static uint32_t ring_random_size(uint32_t *state)
{
    uint32_t kind = ring_random(state) % 16;
    return kind < 10 ? 0 : ring_random(state) % (kind < 15 ? 700 : CELL_RING_DATA + 1);
}

/* ---- a side that lies ---- */

/* A region of which every word says something else at each step. */
static void ring_scramble(struct cell_ring_region *region, uint32_t *seed, uint32_t near)
{
    _Atomic uint32_t *words[] = {&region->head, &region->receiver_sleeps, &region->sender_sleeps, &region->sender_wants,
                                 &region->bell};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        atomic_store(words[i], ring_random(seed) % 2 ? near + ring_random(seed) % 80 - 70 : ring_random(seed) * 257);
    for (size_t i = 0; i < CELL_RING_SLOTS; i++)
        atomic_store(&region->slots[i].commit, near + ring_random(seed) % 3);
}

#endif
