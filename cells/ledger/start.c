/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The book is made from the newest snapshot, the tags of ids, and the records that follow in the journal. */
#include "engine_impl.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int read_record(void *user, uint64_t sequence, struct ledger_entry *entry, struct lg_failure *f)
{
    return lg_cursor_read(((struct lg_engine *)user)->cursor, sequence, entry, f);
}

static int add_tags(struct lg_book *b, const uint64_t *tags, uint64_t n, uint64_t first, struct lg_failure *f)
{
    if (!lg_table_reserve(&b->ids, n))
        return lg_fail(f, CELL_NO_MEMORY, "out of memory for the ids of transfers");
    for (uint64_t i = 0; i < n; i++)
        if (tags[i]) {
            struct lg_id_slot *slot = lg_table_add(&b->ids, tags[i]);
            slot->sequence = first + i;
        }
    return CELL_OK;
}

/* A chunk that the file does not have, from the records. */
static int remake_tags(struct lg_engine *e, uint64_t number, uint64_t tags[LG_CHUNK], struct lg_failure *f)
{
    struct ledger_entry entry;

    for (uint64_t i = 0; i < LG_CHUNK; i++) {
        int r = lg_cursor_read(e->cursor, number * LG_CHUNK + i, &entry, f);
        if (r < 0)
            return r;
        bool has_id = entry.id_high != 0 || entry.id_low != 0;
        tags[i] = has_id ? lg_book_tag(e->book.secret, entry.id_high, entry.id_low) : 0;
    }
    return CELL_OK;
}

static int load_tags(struct lg_engine *e, const struct lg_snapshot *s, struct lg_failure *f)
{
    uint64_t whole = s->position.sequence / LG_CHUNK, *tags = malloc(LG_CHUNK * sizeof(*tags));
    int ids = lg_ids_open(e->folder, f), r = tags ? ids : lg_fail(f, CELL_NO_MEMORY, "out of memory");

    for (uint64_t i = 0; r >= 0 && i < whole; i++) {
        r = lg_ids_read(ids, s->secret, i, tags, f);
        if (r == 0) {
            r = remake_tags(e, i, tags, f);
            if (r >= 0)
                r = lg_ids_write(ids, s->secret, i, tags, f);
        }
        if (r >= 0)
            r = add_tags(&e->book, tags, LG_CHUNK, i * LG_CHUNK, f);
    }
    if (r >= 0)
        r = add_tags(&e->book, s->tags, s->ntags, whole * LG_CHUNK, f);
    if (ids >= 0)
        close(ids);
    free(tags);
    return r;
}

static int replay_all(struct lg_engine *e, struct cell_journal_reader *reader, struct lg_failure *f)
{
    uint64_t end = cell_journal_committed(e->journal).sequence;
    struct cell_error error = {0};
    struct cell_span span;
    int r = CELL_OK;

    while (r >= 0 && e->book.state.sequence < end) {
        r = cell_journal_read(reader, &span, 0, &error);
        if (r < 0)
            return lg_fail_journal(f, &error, "reading the journal");
        if (r == 0 || span.sequence != e->book.state.sequence)
            return lg_fail(f, CELL_DATA_LOSS, "the journal has no record %" PRIu64, e->book.state.sequence);
        const struct ledger_entry *entries = span.records;
        for (uint32_t i = 0; r >= 0 && i < span.count; i++)
            r = lg_book_replay(&e->book, &entries[i], f);
        const struct cell_position place = cell_journal_reader_position(reader);
        lg_archive_note(e->archive, &place);
    }
    return r < 0 ? r : CELL_OK;
}

static int replay(struct lg_engine *e, const struct cell_position *from, struct lg_failure *f)
{
    static const struct cell_journal_reader_options options = {
        .flags = CELL_JOURNAL_VOLATILE, .record_size = sizeof(struct ledger_entry), .type = LG_RECORDS};
    struct cell_journal_reader *reader = NULL;
    struct cell_error error = {0};

    if (cell_journal_reader_open_local(e->journal, &options, from, &reader, &error) < 0)
        return lg_fail_journal(f, &error, "reading the journal behind the snapshot");
    int r = replay_all(e, reader, f);
    cell_journal_reader_close(reader);
    return r;
}

/* Whose records the snapshot adds up is told by its secret and position alone, so a journal of another ledger is found
 * by the first record that does not fit. */
static int find_snapshot(struct lg_engine *e, struct lg_snapshot *s, struct lg_failure *f)
{
    uint64_t end = cell_journal_committed(e->journal).sequence;
    uint32_t damaged = 0;
    int r = lg_snapshot_load(e->folder, UINT64_MAX, s, &damaged, f);

    if (r == CELL_NOT_FOUND && damaged == 0 && end > 0)
        f->status = 0; /* they may be removed: all is in the journal */
    if (r == CELL_NOT_FOUND) {
        lg_snapshot_free(s);
        r = lg_snapshot_empty(s, f);
        return r < 0 || end > 0 ? r : lg_snapshot_save(e->folder, s, f);
    }
    if (r >= 0 && s->position.sequence > end)
        return lg_fail(
            f, CELL_DATA_LOSS,
            "%s: there is a snapshot of %" PRIu64 " records, and the journal has %" PRIu64
            ": restore the folder 'journal', or, to go on without what is lost, remove the snapshots and 'ids'",
            e->folder, s->position.sequence, end);
    return r;
}

int lg_engine_start(struct lg_engine *e, struct lg_failure *f)
{
    struct lg_snapshot s = {0};
    int r = find_snapshot(e, &s, f);

    if (r >= 0 && !lg_book_init(&e->book, s.secret, read_record, e))
        r = lg_fail(f, CELL_NO_MEMORY, "out of memory");
    if (r >= 0 && !(e->archive = lg_archive_new(e->journal, &s.index)))
        r = lg_fail(f, CELL_NO_MEMORY, "out of memory");
    if (r >= 0)
        r = lg_archive_take(e->archive, &e->cursor, f);
    if (r >= 0) {
        lg_state_free(&e->book.state);
        e->book.state = s.state;
        s.state = (struct lg_state){0};
        e->snapshot = s.position.sequence;
        r = load_tags(e, &s, f);
    }
    if (r >= 0)
        r = replay(e, &s.position, f);
    lg_snapshot_free(&s);
    return r < 0 ? r : CELL_OK;
}
