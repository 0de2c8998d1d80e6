/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "engine_impl.h"
#include "fields.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define BLOCK 512 /* records: single ones are read in blocks */

/* ---- opened and closed ---- */

static int open_journal(struct lg_engine *e, struct lg_failure *f)
{
    const struct cell_journal_options options = {.type = LG_RECORDS,
                                                 .record_size = sizeof(struct ledger_entry),
                                                 .segment_bytes = e->options.segment_bytes,
                                                 .fields = lg_fields,
                                                 .nfields = LG_FIELDS,
                                                 .time = LG_TIME,
                                                 .ordered = true};
    struct cell_error error = {0};
    char path[4096];

    if (mkdir(e->folder, 0700) < 0 && errno != EEXIST)
        return lg_fail_errno(f, "making the folder", e->folder);
    int n = snprintf(path, sizeof(path), "%s/journal", e->folder);
    if (n < 0 || (size_t)n >= sizeof(path))
        return lg_fail(f, CELL_INVALID_ARGUMENT, "the path of the folder is too long");
    if (cell_journal_open(path, &options, &e->journal, &error) < 0)
        return lg_fail_journal(f, &error, "opening the journal");
    return CELL_OK;
}

int lg_engine_open(const struct lg_engine_options *options, struct lg_engine **engine, struct lg_failure *f)
{
    struct lg_engine *e = calloc(1, sizeof(*e));
    struct lg_failure ignored;
    pthread_condattr_t monotonic;

    f = f ? f : &ignored;
    if (!e || !(e->folder = strdup(options->folder))) {
        free(e);
        return lg_fail(f, CELL_NO_MEMORY, "out of memory");
    }
    e->options = *options;
    e->options.sync_ms = options->sync_ms ? options->sync_ms : 1000;
    e->options.snapshot_every = options->snapshot_every ? options->snapshot_every : 1000000;
    pthread_mutex_init(&e->lock, NULL);
    pthread_mutex_init(&e->snapshot_lock, NULL);
    pthread_mutex_init(&e->keeper_lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&e->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    int r = open_journal(e, f);
    if (r >= 0)
        r = lg_engine_start(e, f);
    if (r >= 0)
        r = lg_keeper_start(e, f);
    if (r < 0) {
        lg_engine_close(e, NULL);
        return r;
    }
    *engine = e;
    return CELL_OK;
}

int lg_engine_close(struct lg_engine *e, struct lg_failure *f)
{
    struct cell_error error = {0};

    if (!e)
        return CELL_OK;
    lg_keeper_stop(e);
    lg_archive_give(e->archive, e->cursor);
    lg_archive_free(e->archive);
    int r = cell_journal_close(e->journal, &error);
    if (r < 0)
        lg_fail_journal(f, &error, "closing the journal");
    lg_book_free(&e->book);
    pthread_mutex_destroy(&e->lock);
    pthread_mutex_destroy(&e->snapshot_lock);
    pthread_mutex_destroy(&e->keeper_lock);
    pthread_cond_destroy(&e->wake);
    free(e->folder);
    free(e);
    return r < 0 ? r : CELL_OK;
}

/* ---- calls that write ---- */

static int64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* How many of `n` entries go into the next block: whole chains. */
static uint32_t block_of(const struct ledger_entry *entries, uint32_t n)
{
    uint32_t i = n < BLOCK ? n : BLOCK;

    while (i < n && entries[i - 1].linked)
        i++;
    return i;
}

/* Appends what the book has decided, and takes back what the journal does not take. */
static int append(struct lg_engine *e, struct lg_failure *f)
{
    struct lg_book *b = &e->book;
    struct cell_error error = {0};
    struct cell_position end;
    int r = CELL_OK;

    while (r >= 0 && b->done < b->n) {
        uint32_t n = block_of(b->entries + b->done, b->n - b->done);
        r = cell_journal_append(e->journal, b->entries + b->done, n, n * (uint32_t)sizeof(b->entries[0]), &end, &error);
        if (r < 0)
            break;
        lg_book_written(b, n);
        lg_archive_note(e->archive, &end);
    }
    if (r < 0) {
        lg_fail_journal(f, &error, "the journal does not take more");
        lg_book_undo(b);
    }
    return r;
}

static int make_durable(struct lg_engine *e, const struct cell_position *end, struct lg_failure *f)
{
    struct cell_error error = {0};

    if (e->options.memory || cell_journal_sync(e->journal, end, &error) >= 0)
        return CELL_OK;
    return lg_fail_journal(f, &error, "the journal cannot be made durable; what was not answered may have happened");
}

struct call {
    const struct ledger_order *orders;
    const struct ledger_new_account *accounts;
    const uint64_t *ids;
    uint32_t n;
    bool change;
};

static int decide(struct lg_engine *e, const struct call *call, struct lg_failure *f)
{
    if (call->orders)
        lg_book_expect(&e->book, call->orders, call->n);
    int r = lg_book_begin(&e->book, call->n, f);
    if (r < 0)
        return r;
    if (call->orders)
        return lg_book_orders(&e->book, call->orders, call->n, now_us(), f);
    if (call->accounts)
        lg_book_accounts(&e->book, call->accounts, call->n, call->change, now_us());
    else
        lg_book_close(&e->book, call->ids, call->n, now_us());
    return CELL_OK;
}

static int run(struct lg_engine *e, const struct call *call, lg_result_fn *result, void *user, struct lg_failure *f)
{
    if (call->n == 0 || call->n > LG_MOST)
        return lg_fail(f, CELL_INVALID_ARGUMENT, "a call has 1 to %d orders, accounts or ids", LG_MOST);
    pthread_mutex_lock(&e->lock);
    int r = decide(e, call, f);
    if (r >= 0)
        r = append(e, f);
    if (r >= 0)
        r = result(user, &e->book, f);
    const struct cell_position end = cell_journal_committed(e->journal);
    uint64_t sequence = e->book.state.sequence;
    pthread_mutex_unlock(&e->lock);
    lg_keeper_tell(e, sequence);
    return r < 0 ? r : make_durable(e, &end, f);
}

int lg_engine_orders(struct lg_engine *e, const struct ledger_order *orders, uint32_t n, lg_result_fn *result,
                     void *user, struct lg_failure *f)
{
    return run(e, &(struct call){.orders = orders, .n = n}, result, user, f);
}

int lg_engine_accounts(struct lg_engine *e, const struct ledger_new_account *accounts, uint32_t n, bool change,
                       lg_result_fn *result, void *user, struct lg_failure *f)
{
    return run(e, &(struct call){.accounts = accounts, .n = n, .change = change}, result, user, f);
}

int lg_engine_close_accounts(struct lg_engine *e, const uint64_t *ids, uint32_t n, lg_result_fn *result, void *user,
                             struct lg_failure *f)
{
    return run(e, &(struct call){.ids = ids, .n = n}, result, user, f);
}

/* ---- calls that read ---- */

int lg_engine_look(struct lg_engine *e, lg_result_fn *look, void *user, struct lg_failure *f)
{
    pthread_mutex_lock(&e->lock);
    int r = look(user, &e->book, f);
    const struct cell_position end = cell_journal_committed(e->journal);
    pthread_mutex_unlock(&e->lock);
    return r < 0 ? r : make_durable(e, &end, f);
}

uint64_t lg_engine_durable(const struct lg_engine *e) { return cell_journal_durable(e->journal).sequence; }

uint64_t lg_engine_snapshot(struct lg_engine *e)
{
    pthread_mutex_lock(&e->keeper_lock);
    uint64_t sequence = e->snapshot;
    pthread_mutex_unlock(&e->keeper_lock);
    return sequence;
}

const char *lg_engine_folder(const struct lg_engine *e) { return e->folder; }
bool lg_engine_memory(const struct lg_engine *e) { return e->options.memory; }

struct lg_archive *lg_engine_archive(struct lg_engine *e) { return e->archive; }

int lg_engine_follow(struct lg_engine *e, uint64_t from, struct cell_journal_reader **reader, struct lg_failure *f)
{
    const struct cell_journal_reader_options options = {.flags = e->options.memory ? CELL_JOURNAL_VOLATILE : 0,
                                                        .record_size = sizeof(struct ledger_entry),
                                                        .type = LG_RECORDS};
    uint64_t end = cell_journal_committed(e->journal).sequence;
    struct cell_position place = {0};
    struct cell_error error = {0};

    if (from > end)
        return lg_fail(f, CELL_OUT_OF_RANGE, "there are %" PRIu64 " records, and none with the sequence %" PRIu64, end,
                       from);
    place = lg_archive_place(e->archive, from);
    if (cell_journal_reader_open_local(e->journal, &options, &place, reader, &error) < 0)
        return lg_fail_journal(f, &error, "reading the journal");
    return CELL_OK;
}
