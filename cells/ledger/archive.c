/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "archive.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int lg_fail_journal(struct lg_failure *f, const struct cell_error *e, const char *what)
{
    return lg_fail(f, e->status, "%s: %s", what, e->text);
}

struct lg_cursor {
    struct lg_archive *archive;
    struct lg_cursor *next; /* of those that nobody has */
    struct cell_journal_reader *reader;
    struct cell_span span; /* that was read last; count 0: none */
};

struct lg_archive {
    struct cell_journal *journal;
    uint64_t next;        /* lg_index_next, for the thread that notes: most calls take no lock */
    pthread_mutex_t lock; /* of what follows */
    struct lg_index index;
    struct lg_cursor *idle;
};

struct lg_archive *lg_archive_new(struct cell_journal *journal, struct lg_index *index)
{
    struct lg_archive *a = calloc(1, sizeof(*a));

    if (!a)
        return NULL;
    a->journal = journal;
    a->index = *index;
    *index = (struct lg_index){0};
    pthread_mutex_init(&a->lock, NULL);
    return a;
}

void lg_archive_free(struct lg_archive *a)
{
    if (!a)
        return;
    for (struct lg_cursor *c = a->idle, *next; c; c = next) {
        next = c->next;
        cell_journal_reader_close(c->reader);
        free(c);
    }
    lg_index_free(&a->index);
    pthread_mutex_destroy(&a->lock);
    free(a);
}

void lg_archive_note(struct lg_archive *a, const struct cell_position *place)
{
    if (place->sequence < a->next)
        return;
    pthread_mutex_lock(&a->lock);
    lg_index_add(&a->index, place);
    a->next = lg_index_next(&a->index);
    pthread_mutex_unlock(&a->lock);
}

struct cell_position lg_archive_place(struct lg_archive *a, uint64_t sequence)
{
    pthread_mutex_lock(&a->lock);
    struct cell_position place = lg_index_find(&a->index, sequence);
    pthread_mutex_unlock(&a->lock);
    place.epoch = 0; /* a record is recognised by what is in it */
    return place;
}

int lg_archive_take(struct lg_archive *a, struct lg_cursor **cursor, struct lg_failure *f)
{
    pthread_mutex_lock(&a->lock);
    struct lg_cursor *c = a->idle;
    if (c)
        a->idle = c->next;
    pthread_mutex_unlock(&a->lock);
    if (!c)
        c = calloc(1, sizeof(*c));
    if (!c)
        return lg_fail(f, CELL_NO_MEMORY, "out of memory");
    c->archive = a;
    *cursor = c;
    return CELL_OK;
}

void lg_archive_give(struct lg_archive *a, struct lg_cursor *cursor)
{
    if (!cursor)
        return;
    pthread_mutex_lock(&a->lock);
    cursor->next = a->idle;
    a->idle = cursor;
    pthread_mutex_unlock(&a->lock);
}

static bool has(const struct lg_cursor *c, uint64_t sequence)
{
    return sequence >= c->span.sequence && sequence - c->span.sequence < c->span.count;
}

/* To the last place in the index before the record, unless what is read next is closer. */
static int approach(struct lg_cursor *c, uint64_t sequence, struct cell_error *e)
{
    static const struct cell_journal_reader_options options = {
        .flags = CELL_JOURNAL_VOLATILE, .record_size = sizeof(struct ledger_entry), .type = LG_RECORDS};

    struct cell_position place = lg_archive_place(c->archive, sequence);
    if (!c->reader)
        return cell_journal_reader_open_local(c->archive->journal, &options, &place, &c->reader, e);
    uint64_t next = cell_journal_reader_position(c->reader).sequence;
    if (next >= place.sequence && next <= sequence)
        return CELL_OK;
    return cell_journal_reader_seek(c->reader, &place, e);
}

int lg_cursor_read(struct lg_cursor *c, uint64_t sequence, struct ledger_entry *entry, struct lg_failure *f)
{
    struct cell_error e = {0};
    char what[64];
    int r = CELL_OK;

    if (!has(c, sequence)) {
        c->span.count = 0;
        r = approach(c, sequence, &e);
    }
    while (r >= 0 && !has(c, sequence)) {
        r = cell_journal_read(c->reader, &c->span, 0, &e);
        if (r == 1 && c->span.sequence <= sequence)
            continue;
        c->span.count = 0;
        r = r < 0 ? r : CELL_DATA_LOSS;
    }
    if (r < 0) {
        snprintf(what, sizeof(what), "record %" PRIu64 " cannot be read", sequence);
        if (e.status == 0)
            return lg_fail(f, r, "%s: the journal has no such record", what);
        return lg_fail_journal(f, &e, what);
    }
    memcpy(entry, (const char *)c->span.records + (sequence - c->span.sequence) * sizeof(*entry), sizeof(*entry));
    return CELL_OK;
}
