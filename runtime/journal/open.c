/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "journal/fields.h"
#include "journal/journal_impl.h"

#define SEGMENT (UINT64_C(64) << 20)
#define TAIL (UINT64_C(8) << 20)
/* So that a reader that copies a block is not overtaken by the writer of the next one. */
#define BLOCKS_IN_TAIL 8u

/* ---- options ---- */

static int check_options(const struct cell_journal_options *o, struct cell_error *e)
{
    size_t length = o->type ? strlen(o->type) : 0;
    uint64_t tail = o->tail_bytes, segment = o->segment_bytes;
    if (length == 0 || length >= CELL_JOURNAL_TYPE)
        return cell_error_set(e, CELL_INVALID_ARGUMENT, "the type of a journal's records has 1 to 127 bytes");
    if (segment && (segment % (64u << 10) || segment < CELL_JOURNAL_MIN_SEGMENT || segment > CELL_JOURNAL_MAX_SEGMENT))
        return cell_error_set(e, CELL_INVALID_ARGUMENT,
                              "segments have 2 MiB to 4 GiB, in steps of 64 KiB; not %llu bytes",
                              (unsigned long long)segment);
    if (tail && ((tail & (tail - 1)) || tail < CELL_TAIL_MIN || tail > CELL_TAIL_MAX))
        return cell_error_set(e, CELL_INVALID_ARGUMENT,
                              "a tail has a power of two of bytes from 64 KiB to 1 GiB; not %llu",
                              (unsigned long long)tail);
    return CELL_OK;
}

static void free_journal(struct cell_journal *j)
{
    cell_tail_unmap(&j->tail);
    cell_file_map_close(&j->map);
    if (j->segment_fd >= 0)
        close(j->segment_fd);
    if (j->previous_fd >= 0)
        close(j->previous_fd);
    if (j->next_state == CELL_NEXT_READY && j->next_fd >= 0)
        close(j->next_fd);
    if (j->lock_fd >= 0)
        close(j->lock_fd); /* the last one: from here on another one may write */
    pthread_mutex_destroy(&j->lock);
    pthread_cond_destroy(&j->changed);
    free(j->description);
    free(j->folder);
    free(j);
}

static int new_journal(const struct cell_journal_options *o, struct cell_journal **journal, struct cell_error *e)
{
    pthread_condattr_t monotonic;
    int r = check_options(o, e);
    if (r < 0)
        return r;
    struct cell_journal *j = calloc(1, sizeof(*j));
    if (!j)
        return cell_error_set(e, CELL_NO_MEMORY, "no memory for the journal");
    j->segment_fd = j->previous_fd = j->next_fd = j->lock_fd = -1;
    j->tail.fd = j->tail.sleepers_fd = -1;
    j->keep_bytes = o->keep_bytes;
    j->keep_ms = o->keep_ms;
    cell_ticks_begin();
    j->opened_ns = cell_boot_ns();
    j->format.record_size = o->record_size;
    pthread_mutex_init(&j->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&j->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    *journal = j;
    return CELL_OK;
}

static int make_tail(struct cell_journal *j, const struct cell_journal_options *o, struct cell_error *e)
{
    uint64_t bytes = o->tail_bytes ? o->tail_bytes : TAIL;
    uint64_t most = bytes / BLOCKS_IN_TAIL;
    j->most_payload = most < CELL_JOURNAL_BLOCK_MAX ? (uint32_t)most : CELL_JOURNAL_BLOCK_MAX;
    int r = cell_tail_make(&j->format, o->type, j->epoch, bytes, &j->tail, e);
    if (r == CELL_OK) {
        cell_tail_begin(&j->tail, j->offset, j->sequence, j->folder ? j->offset : UINT64_MAX);
        cell_journal_set_pair(j, j->offset, j->sequence);
    }
    return r;
}

/* ---- a folder ---- */

static int random_name(uint64_t *name, struct cell_error *e)
{
    do
        if (getrandom(name, sizeof(*name), 0) != sizeof(*name))
            return cell_error_errno(e, CELL_IO_ERROR, errno, "no random numbers");
    while (*name == 0);
    return CELL_OK;
}

/* A description without a segment is a journal that was not finished: nothing was ever appended to it. */
static int create(struct cell_journal *j, const struct cell_journal_options *o, struct cell_error *e)
{
    struct cell_description *d = j->description;
    uint64_t first, last;
    *d = (struct cell_description){.epoch = 1, .durable = CELL_SEGMENT_HEAD};
    d->format.record_size = o->record_size;
    d->format.segment_bytes = o->segment_bytes ? o->segment_bytes : SEGMENT;
    d->epochs[0] = (struct cell_epoch){.offset = CELL_SEGMENT_HEAD};
    snprintf(d->type, sizeof(d->type), "%s", o->type);
    int r = cell_segments_find(j->folder, &first, &last, e);
    if (r != CELL_NOT_FOUND)
        return r < 0 ? r
                     : cell_error_set(e, CELL_DATA_LOSS, "there are segments in %s, and no description of the journal",
                                      j->folder);
    r = random_name(&d->format.journal, e);
    if (r == CELL_OK)
        r = cell_description_write(j->folder, d, e);
    return r;
}

static int describe(struct cell_journal *j, const struct cell_journal_options *o, struct cell_error *e)
{
    struct cell_description *d = j->description;
    int r = cell_description_read(j->folder, d, e);
    if (r == CELL_NOT_FOUND)
        r = create(j, o, e);
    if (r < 0)
        return r;
    if (strcmp(d->type, o->type) != 0 || d->format.record_size != o->record_size)
        return cell_error_set(e, CELL_FAILED_PRECONDITION,
                              "the journal in %s has records of type %s, %u bytes each; not %s of %u bytes", j->folder,
                              d->type, d->format.record_size, o->type, o->record_size);
    j->format = d->format;
    return CELL_OK;
}

/* The first segment, if the journal has none: that of one that was just made. */
static int make_first(struct cell_journal *j, struct cell_error *e)
{
    struct cell_description *d = j->description;
    CELL_CLEANUP(cell_cleanup_fd) int fd = -1;
    uint64_t first, last;
    int r = cell_segments_find(j->folder, &first, &last, e);
    if (r != CELL_NOT_FOUND)
        return r;
    if (d->durable > CELL_SEGMENT_HEAD)
        return cell_error_set(e, CELL_DATA_LOSS, "the segments of the journal in %s are gone", j->folder);
    return cell_segment_make(j->folder, &j->format, 0, &fd, e);
}

static int begin_epoch(struct cell_journal *j, struct cell_error *e)
{
    struct cell_description *d = j->description;
    if (d->epoch == UINT32_MAX)
        return cell_error_set(e, CELL_RESOURCE_EXHAUSTED, "the journal was opened too often");
    d->epoch++;
    d->epochs[(d->epoch - 1) % CELL_JOURNAL_EPOCHS] = (struct cell_epoch){j->offset, j->sequence};
    d->durable = j->offset;
    d->time_us = j->time_us;
    j->epoch = d->epoch;
    return cell_description_write(j->folder, d, e);
}

/* Where readers of the same user find the tail: for them to try, and to check. */
static int tell(struct cell_journal *j, struct cell_error *e)
{
    char path[PATH_MAX], text[128];
    int r = cell_journal_path(j->folder, "tail", path, e);
    int n = snprintf(text, sizeof(text), "%ld %d %d %016llx\n", (long)getpid(), j->tail.fd, j->tail.sleepers_fd,
                     (unsigned long long)j->tail.head->writer);
    return r < 0 ? r : cell_file_replace(path, text, (size_t)n, e);
}

static int open_folder(struct cell_journal *j, const struct cell_journal_options *o, struct cell_error *e)
{
    int r = cell_mkdirs_synced(j->folder, e);
    if (r == CELL_OK)
        r = cell_journal_lock(j->folder, &j->lock_fd, e);
    if (r == CELL_OK)
        r = describe(j, o, e);
    if (r == CELL_OK && o->nfields)
        r = cell_journal_fields_write(j->folder, o, e);
    if (r == CELL_OK)
        r = make_first(j, e);
    if (r == CELL_OK)
        r = cell_journal_recover(j, e);
    if (r == CELL_OK)
        r = begin_epoch(j, e);
    if (r == CELL_OK)
        r = make_tail(j, o, e);
    if (r == CELL_OK)
        r = tell(j, e);
    if (r == CELL_OK)
        cell_journal_map_segment(j);
    return r < 0 ? r : cell_journal_keeper_start(j, e);
}

int cell_journal_open(const char *folder, const struct cell_journal_options *options, struct cell_journal **journal,
                      struct cell_error *e)
{
    struct cell_journal *j = NULL;
    int r = new_journal(options, &j, e);
    if (r < 0)
        return r;
    j->folder = strdup(folder);
    j->description = calloc(1, sizeof(*j->description));
    r = j->folder && j->description ? open_folder(j, options, e)
                                    : cell_error_set(e, CELL_NO_MEMORY, "no memory for the journal");
    if (r < 0) {
        free_journal(j);
        return r;
    }
    *journal = j;
    return CELL_OK;
}

int cell_journal_open_memory(const struct cell_journal_options *options, struct cell_journal **journal,
                             struct cell_error *e)
{
    struct cell_journal *j = NULL;
    int r = new_journal(options, &j, e);
    if (r < 0)
        return r;
    j->epoch = 1;
    j->offset = CELL_SEGMENT_HEAD;
    r = random_name(&j->format.journal, e);
    if (r == CELL_OK)
        r = make_tail(j, options, e);
    if (r < 0) {
        free_journal(j);
        return r;
    }
    *journal = j;
    return CELL_OK;
}

int cell_journal_close(struct cell_journal *j, struct cell_error *e)
{
    if (!j)
        return CELL_OK;
    int r = CELL_OK;
    cell_journal_keeper_stop(j);
    if (j->folder) {
        r = cell_journal_sync_all(j, e);
        j->description->durable = j->durable;
        j->description->time_us = j->time_us;
        if (r == CELL_OK)
            r = cell_description_write(j->folder, j->description, e);
    }
    cell_tail_close(&j->tail);
    free_journal(j);
    return r;
}
