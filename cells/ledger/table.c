/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Linear probing. Memory is mapped, so that a large table costs nothing before its pages are used. While a table moves,
 * slots of `before` up to `moved` are empty and no longer looked at; `moved` stands only where a run of slots ends, so
 * that none of what is left behind it can have been looked for from before it.
 */
#include "table.h"

#include <string.h>
#include <sys/mman.h>

#define PAGE 4096 /* the smallest there is */
#define FIRST_SLOTS 1024
#define TOUCHED_FOR_EACH 16 /* slots of a table that is prepared while the last quarter of one is filled */
#define MOVED_FOR_EACH 4    /* slots; a new table has room for as many as the old one has, so 2 would do */
#define AHEAD 8             /* slots, of which it is known where they move to: the processor fetches that meanwhile */

static uint64_t mix(uint64_t x)
{
    /* The finalizer of SplitMix64 (Steele, Lea, Flood 2014). */
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static char *slot_at(const struct lg_table *t, const struct lg_slots *s, uint64_t i)
{
    return s->memory + i * t->slot_size;
}

static uint64_t key_of(const void *slot)
{
    uint64_t key;
    memcpy(&key, slot, sizeof(key));
    return key;
}

static uint64_t home_of(const struct lg_table *t, const struct lg_slots *s, uint64_t key)
{
    return mix(key ^ t->seed) & s->mask;
}

static bool map(const struct lg_table *t, uint64_t slots, struct lg_slots *s)
{
    void *memory =
        mmap(NULL, slots * t->slot_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (memory == MAP_FAILED)
        return false;
    madvise(memory, slots * t->slot_size, MADV_HUGEPAGE);
    *s = (struct lg_slots){memory, slots - 1};
    return true;
}

static void unmap(const struct lg_table *t, struct lg_slots *s)
{
    if (s->memory)
        munmap(s->memory, (s->mask + 1) * t->slot_size);
    *s = (struct lg_slots){0};
}

void lg_table_init(struct lg_table *t, uint32_t slot_size, uint64_t seed)
{
    *t = (struct lg_table){.slot_size = slot_size, .seed = seed};
}

void lg_table_free(struct lg_table *t)
{
    unmap(t, &t->now);
    unmap(t, &t->before);
    unmap(t, &t->next);
    t->count = t->moved = t->touched = 0;
}

static char *place(const struct lg_table *t, const struct lg_slots *s, uint64_t key)
{
    uint64_t i = home_of(t, s, key);

    while (key_of(slot_at(t, s, i)) != 0)
        i = (i + 1) & s->mask;
    return slot_at(t, s, i);
}

void lg_table_prefetch(const struct lg_table *t, uint64_t key)
{
    if (t->now.memory)
        __builtin_prefetch(slot_at(t, &t->now, home_of(t, &t->now, key)));
}

/* Moves at least n slots of the old table, and on to where a run of slots ends. */
static void move(struct lg_table *t, uint64_t n)
{
    static const uint64_t empty = 0;
    uint64_t size = t->before.mask + 1;

    while (t->moved < size) {
        char *slot = slot_at(t, &t->before, t->moved);
        uint64_t key = key_of(slot);
        if (size - t->moved > AHEAD)
            lg_table_prefetch(t, key_of(slot + AHEAD * t->slot_size));
        if (key != 0) {
            memcpy(place(t, &t->now, key), slot, t->slot_size);
            memcpy(slot, &empty, sizeof(empty));
        } else if (n == 0) {
            return;
        }
        t->moved++;
        n -= n > 0;
    }
    unmap(t, &t->before);
    t->moved = 0;
}

/* Keys lie anywhere: the first additions to a table whose pages have no memory yet would each wait for a page. */
static void prepare(struct lg_table *t, uint64_t n)
{
    uint64_t slots = t->now.mask + 1;

    if (!t->next.memory) {
        if (t->before.memory || t->count + n < slots / 2 || !map(t, slots * 2, &t->next))
            return;
        t->touched = 0;
    }
    uint64_t size = (t->next.mask + 1) * t->slot_size, step = n * TOUCHED_FOR_EACH * t->slot_size;
    uint64_t to = size - t->touched < step ? size : t->touched + step;
    for (; t->touched < to; t->touched += PAGE)
        *(volatile char *)(t->next.memory + t->touched) = 0;
}

static bool take_larger(struct lg_table *t, uint64_t slots, struct lg_slots *larger)
{
    if (t->next.memory && t->next.mask + 1 == slots) {
        *larger = t->next;
        t->next = (struct lg_slots){0};
        return true;
    }
    unmap(t, &t->next);
    return map(t, slots, larger);
}

bool lg_table_reserve(struct lg_table *t, uint64_t n)
{
    uint64_t slots = t->now.memory ? t->now.mask + 1 : 0, wanted = slots ? slots : FIRST_SLOTS;
    struct lg_slots larger;

    if (t->before.memory)
        move(t, n > UINT64_MAX / MOVED_FOR_EACH ? UINT64_MAX : n * MOVED_FOR_EACH);
    if (t->now.memory)
        prepare(t, n);
    /* At most two thirds are used. */
    while (t->count + n > wanted / 3 * 2)
        if ((wanted *= 2) > UINT64_MAX / 2 / t->slot_size)
            return false;
    if (wanted == slots)
        return true;
    if (!take_larger(t, wanted, &larger))
        return false;
    if (t->before.memory)
        move(t, UINT64_MAX);
    t->before = t->now;
    t->now = larger;
    t->moved = 0;
    if (t->before.memory)
        move(t, n * MOVED_FOR_EACH);
    return true;
}

static char *find_in(const struct lg_table *t, const struct lg_slots *s, uint64_t key, uint64_t i)
{
    for (;; i = (i + 1) & s->mask) {
        char *slot = slot_at(t, s, i);
        uint64_t there = key_of(slot);
        if (there == key)
            return slot;
        if (there == 0)
            return NULL;
    }
}

static bool is_in(const struct lg_table *t, const struct lg_slots *s, const void *slot)
{
    uintptr_t at = (uintptr_t)slot, first = (uintptr_t)s->memory;
    return s->memory && at >= first && at < first + (s->mask + 1) * t->slot_size;
}

static uint64_t index_of(const struct lg_table *t, const struct lg_slots *s, const void *slot)
{
    return ((uintptr_t)slot - (uintptr_t)s->memory) / t->slot_size;
}

void *lg_table_find(const struct lg_table *t, uint64_t key, const void *after)
{
    char *found = NULL;

    if (t->now.memory && !is_in(t, &t->before, after))
        found = find_in(t, &t->now, key,
                        after ? (index_of(t, &t->now, after) + 1) & t->now.mask : home_of(t, &t->now, key));
    if (found || !t->before.memory)
        return found;
    if (is_in(t, &t->before, after))
        return find_in(t, &t->before, key, (index_of(t, &t->before, after) + 1) & t->before.mask);
    uint64_t home = home_of(t, &t->before, key);
    return home < t->moved ? NULL : find_in(t, &t->before, key, home);
}

void *lg_table_add(struct lg_table *t, uint64_t key)
{
    char *slot = place(t, &t->now, key);

    memset(slot, 0, t->slot_size);
    memcpy(slot, &key, sizeof(key));
    t->count++;
    return slot;
}

void lg_table_remove(struct lg_table *t, void *slot)
{
    const struct lg_slots *s = is_in(t, &t->before, slot) ? &t->before : &t->now;
    uint64_t hole = index_of(t, s, slot);

    /* What was put behind the hole for want of it comes forward (Knuth, TAOCP 3, 6.4, algorithm R). */
    for (uint64_t i = (hole + 1) & s->mask;; i = (i + 1) & s->mask) {
        char *next = slot_at(t, s, i);
        uint64_t key = key_of(next);
        if (key == 0)
            break;
        if (((i - home_of(t, s, key)) & s->mask) < ((i - hole) & s->mask))
            continue;
        memcpy(slot_at(t, s, hole), next, t->slot_size);
        hole = i;
    }
    memset(slot_at(t, s, hole), 0, t->slot_size);
    t->count--;
}

void *lg_table_each(const struct lg_table *t, uint64_t *at)
{
    uint64_t now = t->now.memory ? t->now.mask + 1 : 0, before = t->before.memory ? t->before.mask + 1 : 0;

    while (*at < now + before) {
        uint64_t i = (*at)++;
        char *slot = i < now ? slot_at(t, &t->now, i) : slot_at(t, &t->before, i - now);
        if (key_of(slot) != 0)
            return slot;
    }
    return NULL;
}

uint64_t lg_table_bytes(const struct lg_table *t)
{
    uint64_t slots = (t->now.memory ? t->now.mask + 1 : 0) + (t->before.memory ? t->before.mask + 1 : 0) +
                     (t->next.memory ? t->next.mask + 1 : 0);
    return slots * t->slot_size;
}
