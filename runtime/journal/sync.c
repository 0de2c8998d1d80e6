/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What is durable. One thread syncs at a time, for all who wait; who comes meanwhile waits for the next one. */
#include <errno.h>
#include <unistd.h>

#include "journal/journal_impl.h"

/* Syncs the two segments that may have something that is not durable. Without the lock, which is held before and after.
 */
static int sync_files(struct cell_journal *j, struct cell_error *e)
{
    int previous = j->previous_fd, current = j->segment_fd, r = CELL_OK;
    uint64_t number = j->newest_number;
    pthread_mutex_unlock(&j->lock);
    if ((previous >= 0 && fdatasync(previous) < 0) || fdatasync(current) < 0)
        r = cell_error_errno(e, CELL_IO_ERROR, errno, "the journal cannot be synced; what the disk has is not known");
    pthread_mutex_lock(&j->lock);
    if (r == CELL_OK && previous >= 0) {
        close(previous);
        j->previous_fd = -1;
    }
    if (r == CELL_OK)
        j->durable_segments = number;
    return r;
}

static int sync_once(struct cell_journal *j, struct cell_error *e)
{
    struct cell_position now = cell_journal_pair(j);
    j->syncing = true;
    atomic_fetch_add_explicit(&j->syncs, 1, memory_order_relaxed);
    int r = sync_files(j, e);
    j->syncing = false;
    if (r == CELL_OK) {
        j->durable = now.offset;
        j->durable_sequence = now.sequence;
        cell_tail_durable(&j->tail, now.offset, now.sequence);
        cell_tail_wake(&j->tail);
    } else {
        j->failed = r; /* pages that could not be written count as clean from here on: another sync would lie */
    }
    pthread_cond_broadcast(&j->changed);
    return r;
}

int cell_journal_sync(struct cell_journal *j, const struct cell_position *end, struct cell_error *e)
{
    int r = CELL_OK;
    if (!j->folder)
        return CELL_OK;
    if (end->offset > cell_journal_pair(j).offset)
        return cell_error_set(e, CELL_INVALID_ARGUMENT, "position %llu was not appended",
                              (unsigned long long)end->offset);
    pthread_mutex_lock(&j->lock);
    while (r == CELL_OK && j->durable < end->offset) {
        if (j->failed < 0)
            r = cell_error_set(e, j->failed, "the disk of the journal has failed; what it has is not known");
        else if (j->syncing)
            pthread_cond_wait(&j->changed, &j->lock);
        else
            r = sync_once(j, e);
    }
    pthread_mutex_unlock(&j->lock);
    return r;
}

int cell_journal_sync_all(struct cell_journal *j, struct cell_error *e)
{
    struct cell_position now = cell_journal_pair(j);
    return cell_journal_sync(j, &now, e);
}

struct cell_position cell_journal_durable(const struct cell_journal *journal)
{
    struct cell_journal *j = (struct cell_journal *)(uintptr_t)journal;
    if (!j->folder)
        return cell_journal_pair(j);
    pthread_mutex_lock(&j->lock);
    struct cell_position p = {.sequence = j->durable_sequence, .offset = j->durable, .epoch = j->epoch};
    pthread_mutex_unlock(&j->lock);
    return p;
}
