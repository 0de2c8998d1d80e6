/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Methods that read, and the stream. */
#include <inttypes.h>
#include <string.h>

#include "history.h"
#include "service.h"

#define SLICE_MS 100 /* how long a follower waits before it looks whether its client is still there */

static int no_memory(cell_ctx *c) { return cell_fail(c, CELL_NO_MEMORY, "out of memory"); }
static bool is_cancelled(void *c) { return cell_ctx_cancelled(c); }

/* ---- accounts ---- */

struct wanted {
    cell_list_u64 ids;
    struct ledger_account *accounts;
    uint64_t n;
};

static int take_accounts(void *user, const struct lg_book *book, struct lg_failure *f)
{
    struct wanted *w = user;

    (void)f;
    for (uint64_t i = 0; i < w->ids.len; i++) {
        const struct lg_account *a = lg_state_account(&book->state, w->ids.ptr[i]);
        if (a)
            w->accounts[w->n++] = lg_account_public(a);
    }
    return CELL_OK;
}

static int find_accounts(cell_ctx *c, struct wanted *wanted)
{
    struct lg_failure f;
    int r = lg_engine_look(service_engine(c), take_accounts, wanted, &f);

    return r < 0 ? service_failed(c, r, &f) : r;
}

static int find_account(cell_ctx *c, uint64_t id, struct ledger_account *account)
{
    struct wanted wanted = {{&id, 1}, account, 0};
    int r = find_accounts(c, &wanted);

    if (r >= 0 && wanted.n == 0)
        return cell_fail(c, CELL_NOT_FOUND, "there is no account %" PRIu64, id);
    return r;
}

int ledger_account_of(cell_ctx *c, uint64_t id, struct ledger_account *account) { return find_account(c, id, account); }

int ledger_accounts(cell_ctx *c, cell_list_u64 ids, ledger_account_list *accounts)
{
    struct wanted wanted = {ids, cell_ctx_alloc(c, ids.len * sizeof(struct ledger_account)), 0};

    if (!wanted.accounts)
        return no_memory(c);
    int r = find_accounts(c, &wanted);
    *accounts = (ledger_account_list){wanted.accounts, wanted.n};
    return r;
}

/* ---- records ---- */

struct searched {
    ledger_ids ids;
    struct ledger_record *records;
    uint64_t n;
};

static int take_orders(void *user, const struct lg_book *book, struct lg_failure *f)
{
    struct searched *s = user;
    int r = CELL_OK;

    for (uint64_t i = 0; r >= 0 && i < s->ids.len; i++) {
        struct ledger_record *record = &s->records[s->n];
        r = lg_book_find(book, s->ids.ptr[i].high, s->ids.ptr[i].low, &record->sequence, &record->entry, f);
        s->n += r > 0;
    }
    return r < 0 ? r : CELL_OK;
}

int ledger_orders_of(cell_ctx *c, ledger_ids ids, ledger_records *records)
{
    struct searched s = {ids, cell_ctx_alloc(c, (ids.len + 1) * sizeof(struct ledger_record)), 0};
    struct lg_failure f;

    if (!s.records)
        return no_memory(c);
    int r = lg_engine_look(service_engine(c), take_orders, &s, &f);
    if (r < 0)
        return service_failed(c, r, &f);
    *records = (ledger_records){s.records, s.n};
    return CELL_OK;
}

/* The account's record at or before which a page begins: `before` - 1 when it is one, as after a page. */
static int where_to_begin(cell_ctx *c, const struct lg_range *range, uint64_t *last)
{
    struct lg_archive *archive = lg_engine_archive(service_engine(c));
    struct ledger_account account;
    struct ledger_entry entry;
    struct lg_cursor *cursor;
    struct lg_failure f;
    int r = find_account(c, range->account, &account);

    if (r < 0)
        return r;
    *last = account.last;
    if (range->before == 0 || range->before > account.last)
        return CELL_OK;
    r = lg_archive_take(archive, &cursor, &f);
    if (r >= 0) {
        r = lg_cursor_read(cursor, range->before - 1, &entry, &f);
        lg_archive_give(archive, cursor);
    }
    if (r < 0)
        return service_failed(c, r, &f);
    if (entry.from == range->account || entry.to == range->account)
        *last = range->before - 1;
    return CELL_OK;
}

int ledger_history(cell_ctx *c, uint64_t account, uint64_t before, int64_t since_us, int64_t until_us, uint32_t most,
                   struct ledger_page *page)
{
    const struct lg_range range = {account, before, since_us, until_us};
    struct ledger_record *records = cell_ctx_alloc(c, most * sizeof(*records));
    uint64_t last, next;
    struct lg_failure f;
    uint32_t n;
    int r = records ? where_to_begin(c, &range, &last) : no_memory(c);

    if (r < 0)
        return r;
    r = lg_history(lg_engine_archive(service_engine(c)), &range, last, records, most, &n, &next, is_cancelled, c, &f);
    if (r < 0)
        return service_failed(c, r, &f);
    bool more = n == most && next != UINT64_MAX;
    *page = (struct ledger_page){{records, n}, more ? next + 1 : 0, more};
    return CELL_OK;
}

/* Newest first becomes oldest first, with sums. */
static void state_all(struct ledger_record *records, uint32_t n, uint64_t account, struct ledger_statement *statement)
{
    for (uint32_t i = 0; i < n / 2; i++) {
        struct ledger_record other = records[i];
        records[i] = records[n - 1 - i];
        records[n - 1 - i] = other;
    }
    for (uint32_t i = 0; i < n; i++) {
        int64_t moved = lg_moved(&records[i].entry, account);
        if (i == 0)
            statement->opening = lg_balance_after(&records[i].entry, account) - moved;
        statement->closing = lg_balance_after(&records[i].entry, account);
        /* What came and went may be more than any balance. */
        if (__builtin_add_overflow(statement->in, moved > 0 ? moved : 0, &statement->in))
            statement->in = INT64_MAX;
        if (__builtin_add_overflow(statement->out, moved < 0 ? -moved : 0, &statement->out))
            statement->out = INT64_MAX;
    }
    statement->records = (ledger_records){records, n};
}

int ledger_statement_of(cell_ctx *c, uint64_t account, int64_t since_us, int64_t until_us,
                        struct ledger_statement *statement)
{
    const struct lg_range range = {account, UINT64_MAX, since_us, until_us};
    struct ledger_record *records = cell_ctx_alloc(c, (LEDGER_MOST_HISTORY + 1) * sizeof(*records));
    struct lg_archive *archive = lg_engine_archive(service_engine(c));
    struct ledger_account now;
    struct ledger_record before;
    struct lg_failure f;
    uint64_t next, ignored;
    uint32_t n, one = 0;

    if (!records)
        return no_memory(c);
    int r = find_account(c, account, &now);
    if (r < 0)
        return r;
    r = lg_history(archive, &range, now.last, records, LEDGER_MOST_HISTORY + 1, &n, &next, is_cancelled, c, &f);
    if (r >= 0 && n > LEDGER_MOST_HISTORY)
        return cell_fail(c, CELL_RESOURCE_EXHAUSTED,
                         "there are more than %d records in this time: ask for a shorter one",
                         (int)LEDGER_MOST_HISTORY);
    statement->currency = now.currency;
    if (r >= 0 && n == 0 && next != UINT64_MAX) { /* nothing happened in it: what was before */
        const struct lg_range any = {account, UINT64_MAX, INT64_MIN, INT64_MAX};
        r = lg_history(archive, &any, next, &before, 1, &one, &ignored, is_cancelled, c, &f);
    }
    if (r < 0)
        return service_failed(c, r, &f);
    if (one)
        statement->opening = statement->closing = lg_balance_after(&before.entry, account);
    state_all(records, n, account, statement);
    return CELL_OK;
}

/* ---- the stream ---- */

enum { AT_ONCE = 256 };

static int put_span(ledger_stream out, const struct cell_span *span, uint64_t from)
{
    struct ledger_record records[AT_ONCE];
    const struct ledger_entry *entries = span->records;
    int r = CELL_OK;

    for (uint32_t i = 0; r >= 0 && i < span->count;) {
        uint32_t n = 0;
        for (; n < AT_ONCE && i < span->count; i++)
            if (span->sequence + i >= from)
                records[n++] = (struct ledger_record){span->sequence + i, entries[i]};
        r = n ? ledger_stream_put(out, records, n) : CELL_OK;
    }
    return r;
}

int ledger_transfers(cell_ctx *c, uint64_t from, ledger_stream out)
{
    struct cell_journal_reader *reader = NULL;
    struct cell_error error = {0};
    struct cell_span span;
    struct lg_failure f;
    int r = lg_engine_follow(service_engine(c), from, &reader, &f);

    if (r < 0)
        return service_failed(c, r, &f);
    while (r >= 0 && !cell_ctx_cancelled(c)) {
        r = cell_journal_read(reader, &span, SLICE_MS, &error);
        if (r == CELL_DEADLINE_EXCEEDED)
            r = CELL_OK;
        else if (r < 0)
            cell_fail(c, r, "reading the journal: %s", error.text);
        else if (r > 0)
            r = put_span(out, &span, from);
        else
            break; /* the ledger is being closed */
    }
    cell_journal_reader_close(reader);
    return r < 0 ? r : CELL_CANCELLED;
}

/* ---- status ---- */

struct counted {
    cell_ctx *c;
    struct ledger_state *state;
};

static int64_t cut(__int128 n) { return n > INT64_MAX ? INT64_MAX : n < INT64_MIN ? INT64_MIN : (int64_t)n; }

static int take_state(void *user, const struct lg_book *book, struct lg_failure *f)
{
    const struct counted *counted = user;
    const struct lg_state *s = &book->state;
    struct ledger_sum *sums = cell_ctx_alloc(counted->c, (s->currencies.count + 1) * sizeof(*sums));
    uint64_t at = 0, n = 0;

    if (!sums)
        return lg_fail(f, CELL_NO_MEMORY, "out of memory");
    for (const struct lg_currency *c; (c = lg_table_each(&s->currencies, &at));)
        sums[n++] = (struct ledger_sum){(uint32_t)c->currency, c->accounts, cut(c->sum), cut(c->positive)};
    *counted->state = (struct ledger_state){.records = s->sequence,
                                            .accounts = s->accounts.count,
                                            .transfers = s->transfers,
                                            .pending = s->holds.count,
                                            .id_memory = lg_table_bytes(&book->ids),
                                            .sums = {sums, n}};
    return CELL_OK;
}

int ledger_status(cell_ctx *c, struct ledger_state *state)
{
    struct counted counted = {c, state};
    struct lg_failure f;
    int r = lg_engine_look(service_engine(c), take_state, &counted, &f);

    if (r < 0)
        return service_failed(c, r, &f);
    state->durable = lg_engine_durable(service_engine(c));
    state->snapshot = lg_engine_snapshot(service_engine(c));
    state->durable_to_disk = !lg_engine_memory(service_engine(c));
    return CELL_OK;
}
