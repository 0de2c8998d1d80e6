/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The thread behind a journal: writes the next segment before it is needed, and removes old ones. */
#include <time.h>
#include <unistd.h>

#include "journal/journal_impl.h"

#define ROUND_S 1

/* ---- ahead ---- */

int cell_journal_take_next(struct cell_journal *j, int *fd, struct cell_error *e)
{
    if (j->next_state == CELL_NEXT_FAILED) { /* another try for another append */
        j->next_state = CELL_NEXT_WANTED;
        pthread_cond_broadcast(&j->changed);
    }
    while (j->next_state == CELL_NEXT_WANTED && j->failed == CELL_OK)
        pthread_cond_wait(&j->changed, &j->lock);
    if (j->failed < 0)
        return cell_error_set(e, j->failed, "the disk of the journal has failed; open the journal again");
    if (j->next_state == CELL_NEXT_FAILED)
        return cell_error_set(e, j->next_error.status, "%s", j->next_error.text);
    *fd = j->next_fd;
    j->next_state = CELL_NEXT_WANTED;
    pthread_cond_broadcast(&j->changed);
    return CELL_OK;
}

/* The lock is held, but not while the segment is written. */
static void make_next(struct cell_journal *j)
{
    uint64_t number = j->newest_number + 1;
    struct cell_error error = {0};
    int fd = -1;
    pthread_mutex_unlock(&j->lock);
    int r = cell_segment_open(j->folder, &j->format, number, true, &fd, &error); /* of the opening before */
    if (r == CELL_NOT_FOUND)
        r = cell_segment_make(j->folder, &j->format, number, &fd, &error);
    pthread_mutex_lock(&j->lock);
    j->next_fd = fd;
    j->next_error = error;
    j->next_state = r == CELL_OK ? CELL_NEXT_READY : CELL_NEXT_FAILED;
    pthread_cond_broadcast(&j->changed);
}

/* ---- behind ---- */

/* When the segment's last block was written, at the latest: when the first one of the next segment was. */
static uint64_t newest_time(struct cell_journal *j, uint64_t number)
{
    CELL_CLEANUP(cell_cleanup_fd) int fd = -1;
    struct cell_block b;
    uint8_t head[sizeof(struct cell_block)];
    uint64_t size, at = (number + 1) * j->format.segment_bytes + CELL_SEGMENT_HEAD;
    size_t got;
    if (cell_segment_open(j->folder, &j->format, number + 1, false, &fd, NULL) < 0 ||
        cell_read_at(fd, head, sizeof(head), CELL_SEGMENT_HEAD, &got, NULL) < 0)
        return UINT64_MAX;
    enum cell_block_found found = cell_block_check(&j->format, at, head, got, false, &b, &size);
    return found == CELL_BLOCK_WHOLE || (found == CELL_BLOCK_MORE && got == sizeof(head)) ? b.time_us : UINT64_MAX;
}

static uint64_t wall_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Whether the first segment may go, as far as the limits say. */
static bool is_over(struct cell_journal *j, uint64_t first, uint64_t newest)
{
    if (j->keep_bytes && (newest - first) * j->format.segment_bytes >= j->keep_bytes)
        return true;
    if (!j->keep_ms)
        return false;
    uint64_t time_us = newest_time(j, first);
    return time_us != UINT64_MAX && time_us / 1000 + j->keep_ms < wall_ms();
}

static void remove_old(struct cell_journal *j)
{
    pthread_mutex_lock(&j->lock);
    uint64_t first = j->first_number, newest = j->newest_number, durable = j->durable_segments;
    pthread_mutex_unlock(&j->lock);
    /* One that is durable stays before those that may not be: see find_start in recover.c. Who needs it is asked last,
     * and anew for each: a reader may have come. */
    while (first < newest && first + 1 < durable && is_over(j, first, newest) &&
           (first + 1) * j->format.segment_bytes <=
               cell_registrations_need(j->folder, j->format.journal, j->opened_ns)) {
        pthread_mutex_lock(&j->lock);
        j->first_number = first + 1; /* before it goes: nobody is sent there any more */
        pthread_mutex_unlock(&j->lock);
        if (cell_segment_remove(j->folder, first++, NULL) < 0)
            break;
    }
}

/* ---- the thread ---- */

static void pause_round(struct cell_journal *j)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ROUND_S;
    if (j->keep_bytes || j->keep_ms)
        pthread_cond_timedwait(&j->changed, &j->lock, &until);
    else
        pthread_cond_wait(&j->changed, &j->lock);
}

static void *keep(void *arg)
{
    struct cell_journal *j = arg;
    uint64_t looked_ns = 0;
    pthread_mutex_lock(&j->lock);
    while (!j->stops) {
        if (j->next_state == CELL_NEXT_WANTED)
            make_next(j);
        else
            pause_round(j);
        if ((j->keep_bytes || j->keep_ms) && cell_now_ns() - looked_ns >= ROUND_S * 1000 * CELL_NS_PER_MS) {
            pthread_mutex_unlock(&j->lock);
            remove_old(j);
            looked_ns = cell_now_ns();
            pthread_mutex_lock(&j->lock);
        }
    }
    pthread_mutex_unlock(&j->lock);
    return NULL;
}

int cell_journal_keeper_start(struct cell_journal *j, struct cell_error *e)
{
    j->next_state = CELL_NEXT_WANTED;
    int cause = pthread_create(&j->keeper, NULL, keep, j);
    if (cause)
        return cell_error_errno(e, CELL_NO_MEMORY, cause, "the thread of the journal cannot be started");
    j->has_keeper = true;
    return CELL_OK;
}

void cell_journal_keeper_stop(struct cell_journal *j)
{
    if (!j->has_keeper)
        return;
    pthread_mutex_lock(&j->lock);
    j->stops = true;
    pthread_cond_broadcast(&j->changed);
    pthread_mutex_unlock(&j->lock);
    pthread_join(j->keeper, NULL);
    j->has_keeper = false;
}

/* CELL_NOT_FOUND: the segment has gone meanwhile. */
static int first_of(struct cell_journal *j, uint64_t number, struct cell_position *first)
{
    CELL_CLEANUP(cell_cleanup_fd) int fd = -1;
    struct cell_block b;
    uint8_t head[sizeof(struct cell_block)];
    uint64_t size;
    size_t got = 0;
    *first = (struct cell_position){.offset = number * j->format.segment_bytes + CELL_SEGMENT_HEAD};
    int r = cell_segment_open(j->folder, &j->format, number, false, &fd, NULL);
    if (r == CELL_OK)
        r = cell_read_at(fd, head, sizeof(head), CELL_SEGMENT_HEAD, &got, NULL);
    if (r == CELL_OK && cell_block_check(&j->format, first->offset, head, got, false, &b, &size) != CELL_BLOCK_NONE)
        first->sequence = b.sequence;
    else if (r == CELL_OK && number > 0)
        *first = cell_journal_pair(j); /* nothing stands in it yet */
    return r;
}

struct cell_position cell_journal_first(struct cell_journal *j)
{
    struct cell_position first = cell_journal_pair(j);
    int r = j->folder ? CELL_NOT_FOUND : CELL_OK;
    while (r == CELL_NOT_FOUND) {
        pthread_mutex_lock(&j->lock);
        uint64_t number = j->first_number;
        pthread_mutex_unlock(&j->lock);
        r = first_of(j, number, &first);
    }
    return first;
}
