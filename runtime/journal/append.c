/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "journal/journal_impl.h"

#define MOST_STORED 4096u     /* bytes of a block: more than a page costs more to get than to write */
#define WRITTEN_AFTER_SYNC 8u /* blocks */
#define MOST_EXPECTED 512u    /* bytes of a block: a stream of more is foreseen by the processor itself */

/* ---- what is committed ---- */

void cell_journal_set_pair(struct cell_journal *j, uint64_t offset, uint64_t sequence)
{
    uint32_t version = atomic_load_explicit(&j->version, memory_order_relaxed);
    atomic_store_explicit(&j->version, version + 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    atomic_store_explicit(&j->committed_sequence, sequence, memory_order_relaxed);
    atomic_store_explicit(&j->committed, offset, memory_order_relaxed);
    atomic_store_explicit(&j->version, version + 2, memory_order_release);
}

struct cell_position cell_journal_pair(const struct cell_journal *j)
{
    struct cell_position p = {.epoch = j->epoch};
    uint32_t before, after;
    do {
        before = atomic_load_explicit(&j->version, memory_order_acquire);
        p.sequence = atomic_load_explicit(&j->committed_sequence, memory_order_relaxed);
        p.offset = atomic_load_explicit(&j->committed, memory_order_relaxed);
        atomic_thread_fence(memory_order_acquire);
        after = atomic_load_explicit(&j->version, memory_order_relaxed);
    } while (before != after || (before & 1));
    return p;
}

/* ---- a block ---- */

static int failed(struct cell_journal *j, struct cell_error *e)
{
    int r = atomic_load_explicit(&j->failed, memory_order_relaxed);
    return r < 0 ? cell_error_set(e, r, "the disk of the journal has failed before; open the journal again") : CELL_OK;
}

static int fail_for_good(struct cell_journal *j, int r)
{
    if (r == CELL_RESOURCE_EXHAUSTED)
        return r;
    pthread_mutex_lock(&j->lock);
    j->failed = r;
    pthread_mutex_unlock(&j->lock);
    return r;
}

/*
 * A small block is stored into the file's memory, which costs a tenth of a write. But a sync takes the right to write
 * to its pages away, and to get it again costs as much as a write, and the sync takes longer: so what is synced every
 * few blocks is written.
 */
static bool is_stored(struct cell_journal *j, uint64_t size)
{
    uint32_t syncs = atomic_load_explicit(&j->syncs, memory_order_relaxed);
    if (syncs != j->synced) {
        j->synced = syncs;
        j->written = 0;
    }
    if (size > MOST_STORED)
        return false;
    if (j->written >= WRITTEN_AFTER_SYNC)
        return true;
    j->written++;
    return false;
}

/* Header and payload with one system call, at most, where the system does not do less. */
static int write_block(struct cell_journal *j, const struct cell_block *b, const void *payload, uint64_t bytes,
                       struct cell_error *e)
{
    struct iovec parts[2] = {{(void *)(uintptr_t)b, sizeof(*b)}, {(void *)(uintptr_t)payload, bytes}};
    uint64_t at = j->offset % j->format.segment_bytes;
    int nparts = bytes ? 2 : 1;
    if (is_stored(j, sizeof(*b) + bytes) && cell_file_map_put(&j->map, at, parts, nparts))
        return CELL_OK;
    ssize_t done = pwritev(j->segment_fd, parts, nparts, (off_t)at);
    if (done == (ssize_t)(sizeof(*b) + bytes))
        return CELL_OK;
    int r = cell_write_at(j->segment_fd, b, sizeof(*b), at, e);
    if (r == CELL_OK && bytes)
        r = cell_write_at(j->segment_fd, payload, bytes, at + sizeof(*b), e);
    return r < 0 ? fail_for_good(j, r) : r;
}

/* Where the next block will lie, if it is as small: fetched while nobody waits for it. But not its first line in the
 * tail, on which readers wait. */
static void expect_another(const struct cell_journal *j, uint64_t size)
{
    if (size > MOST_EXPECTED)
        return;
    for (uint64_t i = CELL_BLOCK_ALIGN; i < size; i += CELL_BLOCK_ALIGN)
        __builtin_prefetch((uint8_t *)cell_tail_at(&j->tail, j->offset) + i, 1);
    if (j->map.at)
        cell_file_map_expect(&j->map, j->offset % j->format.segment_bytes, size);
}

/* `b` is in the tail, with its payload behind it. */
static int put_block(struct cell_journal *j, struct cell_block *b, enum cell_block_kind kind, uint32_t count,
                     uint32_t length, struct cell_error *e)
{
    uint64_t size = cell_block_size(length), now = cell_wall_us(&j->wall);
    uint8_t *payload = (uint8_t *)(b + 1);
    struct cell_block head = {.position = j->offset,
                              .sequence = j->sequence,
                              .time_us = now > j->time_us ? now : j->time_us,
                              .length = length,
                              .count = count,
                              .epoch = j->epoch,
                              .kind = kind,
                              .journal = j->format.journal};
    memset(payload + length, 0, size - sizeof(head) - length);
    if (j->folder) {
        head.durable = atomic_load_explicit(&j->tail.head->durable, memory_order_relaxed);
        head.sum = cell_block_sum(&head, payload);
        int r = write_block(j, &head, payload, size - sizeof(head), e);
        if (r < 0)
            return r;
    }
    memcpy((uint8_t *)b + sizeof(head.position), (const uint8_t *)&head + sizeof(head.position),
           sizeof(head) - sizeof(head.position));
    j->time_us = head.time_us;
    uint64_t position = j->offset;
    j->offset = cell_block_next(&j->format, &head, position, size);
    j->sequence += count;
    cell_journal_set_pair(j, j->offset, j->sequence);
    cell_tail_publish(&j->tail, b, position, j->offset, j->sequence);
    cell_tail_wake(&j->tail);
    expect_another(j, size);
    return CELL_OK;
}

/* ---- from one segment to the next ---- */

void cell_journal_map_segment(struct cell_journal *j)
{
    cell_file_map_close(&j->map);
    cell_file_map_open(j->segment_fd, j->format.segment_bytes, &j->map); /* else all is written */
}

/* There may be blocks that are not durable in two segments, not in more: recovery looks at two. */
static int leave_segment(struct cell_journal *j, struct cell_error *e)
{
    int fd = -1;
    pthread_mutex_lock(&j->lock);
    while (j->previous_fd >= 0 && j->failed == CELL_OK) {
        pthread_mutex_unlock(&j->lock);
        int r = cell_journal_sync_all(j, e);
        if (r < 0)
            return r;
        pthread_mutex_lock(&j->lock);
    }
    int r = cell_journal_take_next(j, &fd, e);
    if (r == CELL_OK) {
        j->previous_fd = j->segment_fd;
        j->segment_fd = fd;
        j->newest_number++;
    }
    pthread_mutex_unlock(&j->lock);
    if (r == CELL_OK)
        cell_journal_map_segment(j);
    return r;
}

/* Makes room for a block of `size` bytes in one segment. */
static int fit(struct cell_journal *j, uint64_t size, struct cell_error *e)
{
    uint64_t segment = j->format.segment_bytes;
    uint64_t at = segment ? j->offset % segment : 0;
    if (!segment)
        return CELL_OK;
    if (j->offset / segment == j->newest_number) {
        if (at + size <= segment)
            return CELL_OK;
        struct cell_block *b = cell_tail_reserve(&j->tail, j->offset, sizeof(*b));
        int r = put_block(j, b, CELL_BLOCK_END, 0, 0, e);
        if (r < 0)
            return r;
    } /* else it was full to the last byte, or there was no other segment the last time */
    return leave_segment(j, e);
}

/* ---- the interface ---- */

int cell_journal_reserve(struct cell_journal *j, uint32_t bytes, void **memory, struct cell_error *e)
{
    j->reserved = NULL;
    if (bytes > j->most_payload)
        return cell_error_set(e, CELL_INVALID_ARGUMENT, "%u bytes are more than a block of this journal holds (%u)",
                              bytes, j->most_payload);
    int r = failed(j, e);
    if (r == CELL_OK)
        r = fit(j, cell_block_size(bytes), e);
    if (r < 0)
        return r;
    j->reserved = cell_tail_reserve(&j->tail, j->offset, cell_block_size(bytes));
    j->reserved_bytes = bytes;
    *memory = j->reserved + 1;
    return CELL_OK;
}

static int check_commit(struct cell_journal *j, uint32_t count, uint32_t bytes, struct cell_error *e)
{
    uint32_t size = j->format.record_size;
    if (!j->reserved || bytes > j->reserved_bytes)
        return cell_error_set(e, CELL_INVALID_ARGUMENT, "%u bytes are more than was reserved", bytes);
    if (count == 0 || bytes == 0)
        return cell_error_set(e, CELL_INVALID_ARGUMENT, "a block of no records");
    if (size && (uint64_t)count * size != bytes)
        return cell_error_set(e, CELL_INVALID_ARGUMENT, "%u records of %u bytes are not %u bytes", count, size, bytes);
    return failed(j, e);
}

int cell_journal_commit(struct cell_journal *j, uint32_t count, uint32_t bytes, struct cell_position *end,
                        struct cell_error *e)
{
    int r = check_commit(j, count, bytes, e);
    if (r == CELL_OK)
        r = put_block(j, j->reserved, CELL_BLOCK_RECORDS, count, bytes, e);
    j->reserved = NULL;
    if (r == CELL_OK && end)
        *end = (struct cell_position){.sequence = j->sequence, .offset = j->offset, .epoch = j->epoch};
    return r;
}

int cell_journal_append(struct cell_journal *j, const void *records, uint32_t count, uint32_t bytes,
                        struct cell_position *end, struct cell_error *e)
{
    void *memory;
    int r = cell_journal_reserve(j, bytes, &memory, e);
    if (r < 0)
        return r;
    if (bytes)
        memcpy(memory, records, bytes);
    return cell_journal_commit(j, count, bytes, end, e);
}

struct cell_position cell_journal_committed(const struct cell_journal *j) { return cell_journal_pair(j); }
