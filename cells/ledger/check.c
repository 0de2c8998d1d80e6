/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "check.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "snapshot.h"

struct check {
    const char *folder;
    struct lg_book book;
    struct cell_journal_reader *again; /* for single records */
    struct lg_snapshot next;           /* the next one that is to be compared */
    bool has_next;
    struct lg_checked *result;
};

/* A record by itself, for ids with the same tag: rare enough to be looked for from the beginning of the journal. */
static int read_record(void *user, uint64_t sequence, struct ledger_entry *entry, struct lg_failure *f)
{
    struct check *check = user;
    const struct cell_position at = {.sequence = sequence};
    struct cell_error error = {0};
    struct cell_span span;
    int r = cell_journal_reader_seek(check->again, &at, &error);

    if (r >= 0)
        r = cell_journal_read(check->again, &span, 0, &error);
    if (r < 0)
        return lg_fail_journal(f, &error, "reading a record again");
    if (r == 0 || span.sequence != sequence)
        return lg_fail(f, CELL_DATA_LOSS, "record %" PRIu64 " is not there any more", sequence);
    memcpy(entry, span.records, sizeof(*entry));
    return CELL_OK;
}

/* The oldest snapshot at or behind a sequence. */
static int find_next(struct check *check, uint64_t from, struct lg_failure *f)
{
    uint64_t most = UINT64_MAX;
    struct lg_snapshot s;
    uint32_t damaged;

    lg_snapshot_free(&check->next);
    check->has_next = false;
    for (;;) {
        int r = lg_snapshot_load(check->folder, most, &s, &damaged, f);
        if (r >= 0 && damaged)
            r = lg_fail(f, CELL_DATA_LOSS, "a snapshot is damaged; without it the ledger starts, but takes longer");
        if (r < 0 || s.position.sequence < from) {
            lg_snapshot_free(&s);
            return r == CELL_NOT_FOUND && !damaged ? CELL_OK : r < 0 ? r : CELL_OK;
        }
        lg_snapshot_free(&check->next);
        check->next = s;
        check->has_next = true;
        if (s.position.sequence == from)
            return CELL_OK;
        most = s.position.sequence - 1;
    }
}

static int compare_state(const struct lg_state *a, const struct lg_state *b, struct lg_failure *f)
{
    uint64_t at = 0;
    bool same = a->accounts.count == b->accounts.count && a->holds.count == b->holds.count &&
                a->sequence == b->sequence && a->transfers == b->transfers && a->time_us == b->time_us;

    for (const struct lg_account *x; same && (x = lg_table_each(&a->accounts, &at));) {
        const struct lg_account *y = lg_state_account(b, x->id);
        same = y && memcmp(x, y, sizeof(*x)) == 0;
    }
    at = 0;
    for (const struct lg_hold *x; same && (x = lg_table_each(&a->holds, &at));) {
        const struct lg_hold *y = lg_state_hold(b, x->sequence);
        same = y && memcmp(x, y, sizeof(*x)) == 0;
    }
    if (!same)
        return lg_fail(f, CELL_DATA_LOSS, "the snapshot of %" PRIu64 " records is not what these add up to",
                       a->sequence);
    return CELL_OK;
}

static int compare_snapshots(struct check *check, struct lg_failure *f)
{
    int r = CELL_OK;

    while (r >= 0 && check->has_next && check->next.position.sequence == check->book.state.sequence) {
        r = compare_state(&check->next.state, &check->book.state, f);
        if (r >= 0)
            check->result->snapshots++;
        if (r >= 0)
            r = find_next(check, check->book.state.sequence + 1, f);
    }
    return r;
}

static int check_one(struct check *check, const struct ledger_entry *e, struct lg_failure *f)
{
    struct ledger_entry other;
    uint64_t sequence = 0;
    int r = CELL_OK;

    if (e->id_high || e->id_low)
        r = lg_book_find(&check->book, e->id_high, e->id_low, &sequence, &other, f);
    if (r > 0)
        return lg_fail(f, CELL_DATA_LOSS, "record %" PRIu64 " has the id of record %" PRIu64,
                       check->book.state.sequence, sequence);
    if (r >= 0)
        r = lg_book_replay(&check->book, e, f);
    if (r < 0)
        return r;
    const struct lg_currency *c = lg_table_find(&check->book.state.currencies, e->currency, NULL);
    if (!c || c->sum != 0)
        return lg_fail(f, CELL_DATA_LOSS, "behind record %" PRIu64 " currency %" PRIu32 " does not add up to zero",
                       check->book.state.sequence - 1, e->currency);
    return compare_snapshots(check, f);
}

static int check_records(struct check *check, struct cell_journal_reader *reader, struct lg_failure *f)
{
    struct cell_error error = {0};
    struct cell_span span;
    int r = find_next(check, 0, f);

    if (r >= 0)
        r = compare_snapshots(check, f); /* the one of no records */
    while (r >= 0) {
        r = cell_journal_read(reader, &span, 0, &error);
        if (r == 0 || r == CELL_DEADLINE_EXCEEDED) {
            r = CELL_OK;
            break;
        }
        if (r < 0)
            return lg_fail_journal(f, &error, "reading the journal");
        if (span.sequence != check->book.state.sequence)
            return lg_fail(f, CELL_DATA_LOSS, "the journal has no record %" PRIu64, check->book.state.sequence);
        const struct ledger_entry *entries = span.records;
        for (uint32_t i = 0; r >= 0 && i < span.count; i++)
            r = check_one(check, &entries[i], f);
    }
    if (r >= 0 && check->has_next)
        return lg_fail(f, CELL_DATA_LOSS, "there is a snapshot of %" PRIu64 " records, and the journal has %" PRIu64,
                       check->next.position.sequence, check->book.state.sequence);
    return r < 0 ? r : lg_state_verify(&check->book.state, f);
}

int lg_check(const char *folder, struct lg_checked *checked, struct lg_failure *f)
{
    static const struct cell_journal_reader_options options = {
        .flags = CELL_JOURNAL_VOLATILE, .record_size = sizeof(struct ledger_entry), .type = LG_RECORDS};
    static const uint64_t secret[2] = {1, 2};
    struct check check = {.folder = folder, .result = checked};
    struct cell_journal_reader *reader = NULL;
    struct cell_error error = {0};
    char path[4096];
    int n = snprintf(path, sizeof(path), "%s/journal", folder), r = CELL_OK;

    *checked = (struct lg_checked){0};
    if (n < 0 || (size_t)n >= sizeof(path))
        return lg_fail(f, CELL_INVALID_ARGUMENT, "the path of the folder is too long");
    if (cell_journal_reader_open(path, &options, NULL, &reader, &error) < 0 ||
        cell_journal_reader_open(path, &options, NULL, &check.again, &error) < 0)
        r = lg_fail_journal(f, &error, "opening the journal");
    else if (!lg_book_init(&check.book, secret, read_record, &check))
        r = lg_fail(f, CELL_NO_MEMORY, "out of memory");
    else
        r = check_records(&check, reader, f);
    checked->records = check.book.state.sequence;
    checked->accounts = check.book.state.accounts.count;
    checked->transfers = check.book.state.transfers;
    checked->pending = check.book.state.holds.count;
    cell_journal_reader_close(reader);
    cell_journal_reader_close(check.again);
    lg_snapshot_free(&check.next);
    lg_book_free(&check.book);
    return r;
}
