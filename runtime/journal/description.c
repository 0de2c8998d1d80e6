/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "journal/files.h"

#define MAGIC "CELLJRN1"
#define NAME "journal"

static uint64_t sum_of(const struct cell_description *d)
{
    return XXH3_64bits(d, offsetof(struct cell_description, sum));
}

static bool plausible(const struct cell_description *d)
{
    uint64_t segment = d->format.segment_bytes;
    return memcmp(d->magic, MAGIC, sizeof(d->magic)) == 0 && d->sum == sum_of(d) && d->epoch > 0 &&
           segment >= CELL_JOURNAL_MIN_SEGMENT && segment <= CELL_JOURNAL_MAX_SEGMENT &&
           d->format.record_size <= CELL_JOURNAL_BLOCK_MAX && d->type[0] && memchr(d->type, '\0', sizeof(d->type));
}

int cell_description_read(const char *folder, struct cell_description *d, struct cell_error *e)
{
    char path[PATH_MAX];
    CELL_CLEANUP(cell_cleanup_free) char *bytes = NULL;
    size_t length;
    int r = cell_journal_path(folder, NAME, path, e);
    if (r == CELL_OK)
        r = cell_file_read(path, sizeof(*d), &bytes, &length, e);
    if (r == CELL_TOO_LARGE || (r == CELL_OK && length != sizeof(*d)))
        return cell_error_set(e, CELL_DATA_LOSS, "%s is not the description of a journal, or of another version", path);
    if (r < 0)
        return r;
    memcpy(d, bytes, sizeof(*d));
    if (!plausible(d))
        return cell_error_set(e, CELL_DATA_LOSS, "%s is damaged, or of another version", path);
    return CELL_OK;
}

int cell_description_write(const char *folder, struct cell_description *d, struct cell_error *e)
{
    char path[PATH_MAX];
    int r = cell_journal_path(folder, NAME, path, e);
    memcpy(d->magic, MAGIC, sizeof(d->magic));
    d->sum = sum_of(d);
    return r < 0 ? r : cell_file_replace_synced(path, d, sizeof(*d), e);
}

bool cell_description_after(const struct cell_description *d, uint64_t epoch, struct cell_epoch *began, uint64_t *which)
{
    uint64_t next = epoch + 1;
    if (epoch >= d->epoch)
        return false;
    if (d->epoch - next >= CELL_JOURNAL_EPOCHS)
        next = d->epoch - CELL_JOURNAL_EPOCHS + 1;
    *began = d->epochs[(next - 1) % CELL_JOURNAL_EPOCHS];
    *which = next;
    return true;
}
