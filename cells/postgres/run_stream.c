/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Rows as records of a stream, in bounded memory: libpq hands out one row at a time, and reads on only when it is
 * asked; what the client does not take stays in the sockets, and in the end the server waits.
 */
#include "statement_impl.h"

#include <string.h>

#define BATCH 128                /* records that are put together at most */
#define BATCH_BYTES (256 * 1024) /* of records, and of rows */

struct stream {
    struct pg_statement *s;
    struct pg_link *link;
    struct pg_patience patience;
    struct cell_stream *to;
    char *records;
    PGresult *rows[BATCH]; /* the texts of the records are there */
    uint32_t n, most;
    size_t bytes;
    struct pg_arena arena; /* of what else the records refer to */
    bool checked;
    bool within; /* a transaction of the program's */
    bool left;   /* nobody takes what else comes */
};

static void forget_batch(struct stream *t)
{
    for (uint32_t i = 0; i < t->n; i++)
        PQclear(t->rows[i]);
    pg_arena_free(&t->arena);
    t->n = 0;
    t->bytes = 0;
}

/* A program that was built when streams of writing statements could be left has what it began done all the same. Of
 * others only those that have given up take no more. */
static bool may_leave(const struct stream *t)
{
    return t->s->flags & PG_RUN_WRITE && !(t->s->method->flags & CELL_METHOD_WHOLE);
}

static int put_batch(struct stream *t, struct pg_failure *f)
{
    int r = t->n > 0 ? cell_stream_put(t->to, t->records, t->n) : CELL_OK;

    forget_batch(t);
    if (r == CELL_CANCELLED && may_leave(t)) {
        t->left = true;
        t->patience = (struct pg_patience){UINT64_MAX, NULL, NULL};
        return CELL_OK;
    }
    if (r == CELL_DEADLINE_EXCEEDED && t->within)
        return pg_fail(f, CELL_ABORTED,
                       "the program took no more rows of a stream for so long that its transaction was rolled back");
    if (r == CELL_TOO_LARGE)
        return pg_fail(
            f, r,
            "a row is larger than %u MiB, which is what a record of a stream can hold: select fewer columns, or "
            "parts of them",
            PG_REPLY_MIB);
    if (r == CELL_DEADLINE_EXCEEDED)
        return pg_fail(f, r,
                       "the program took no more rows before its deadline, or for as long as the cell waits "
                       "(--stream-idle)");
    return r < 0 ? pg_fail(f, r, "the client takes no more rows") : CELL_OK;
}

static int add_row(struct stream *t, PGresult *row, struct pg_failure *f)
{
    const struct pg_sink sink = {.arena = &t->arena, .borrow = true};
    char *record = t->records + (size_t)t->n * t->s->record->size;
    int r = t->checked ? CELL_OK : pg_check_columns(t->s, row, 0, f);

    t->checked = true;
    t->rows[t->n++] = row; /* from here on it is the batch's */
    memset(record, 0, t->s->record->size);
    if (r >= 0)
        r = pg_decode_row(t->s, row, 0, 0, NULL, record, &sink, f);
    for (uint32_t i = 0; i < t->s->nout; i++)
        t->bytes += (size_t)PQgetlength(row, 0, (int)i);
    if (r < 0)
        return r;
    /* What is here is sent before more is waited for. */
    if (t->n == t->most || t->bytes > BATCH_BYTES || PQisBusy(pg_link_connection(t->link)))
        return put_batch(t, f);
    return CELL_OK;
}

/* All results up to the end of the statement. */
static int take_all(struct stream *t, struct pg_failure *f)
{
    for (;;) {
        PGresult *result = NULL;
        int r = pg_link_result(t->link, &t->patience, &result, f);
        if (r < 0 || !result)
            return r < 0 ? r : put_batch(t, f);
        if (PQresultStatus(result) == PGRES_SINGLE_TUPLE && !t->left) {
            r = add_row(t, result, f);
            if (r < 0)
                return r;
            continue;
        }
        r = PQresultStatus(result) == PGRES_FATAL_ERROR ? pg_fail_result(f, result) : CELL_OK;
        PQclear(result);
        if (r < 0)
            return r;
    }
}

/* The statement's rest, which nobody wants. */
static void drain(struct stream *t)
{
    struct pg_patience patience = {UINT64_MAX, NULL, NULL};
    struct pg_failure ignored;
    PGresult *result = NULL;

    if (PQtransactionStatus(pg_link_connection(t->link)) == PQTRANS_ACTIVE) {
        PGcancel *cancel = PQgetCancel(pg_link_connection(t->link));
        char error[256];
        if (cancel)
            PQcancel(cancel, error, sizeof(error));
        PQfreeCancel(cancel);
    }
    while (pg_link_result(t->link, &patience, &result, &ignored) >= 0 && result)
        PQclear(result);
}

static int run(struct stream *t, const void *in, cell_ctx *c, struct pg_failure *f)
{
    int r = pg_send(t->s, c, t->link, in, f);

    if (r < 0)
        return r;
    PQsetSingleRowMode(pg_link_connection(t->link));
    r = take_all(t, f);
    forget_batch(t);
    if (r < 0)
        drain(t);
    return r;
}

/* One that reads, within a transaction: a client that has seen enough must not lose its transaction by that. */
static int run_beside(struct stream *t, const void *in, cell_ctx *c, struct pg_failure *f)
{
    struct pg_patience patience = {UINT64_MAX, NULL, NULL};
    struct pg_failure later;
    int r = pg_link_exec(t->link, "SAVEPOINT cell_stream", &t->patience, NULL, f);

    if (r < 0)
        return r;
    r = run(t, in, c, f);
    pg_link_exec(t->link, r < 0 ? "ROLLBACK TO cell_stream; RELEASE cell_stream" : "RELEASE cell_stream", &patience,
                 NULL, &later);
    return r;
}

static int run_writing(struct stream *t, const void *in, cell_ctx *c, struct pg_failure *f)
{
    bool own;
    int r = pg_hold(t->link, &own, &t->patience, f);

    if (r < 0)
        return r;
    r = run(t, in, c, f);
    return pg_let_go(t->link, own, r, &t->patience, f);
}

int pg_run_stream(struct pg_statement *s, cell_ctx *c, struct pg_link *link, const void *in, struct pg_failure *f)
{
    bool idle = PQtransactionStatus(pg_link_connection(link)) == PQTRANS_IDLE;
    struct stream t = {.s = s, .link = link, .patience = pg_patience_of(c), .to = cell_ctx_stream(c), .within = !idle};

    t.most = (uint32_t)(BATCH_BYTES / s->record->size);
    t.most = t.most < 1 ? 1 : t.most > BATCH ? BATCH : t.most;
    t.records = cell_ctx_alloc(c, (size_t)t.most * s->record->size);
    if (!t.records || !t.to)
        return pg_fail(f, CELL_NO_MEMORY, "out of memory");
    if (s->flags & PG_RUN_WRITE)
        return run_writing(&t, in, c, f);
    return idle ? run(&t, in, c, f) : run_beside(&t, in, c, f);
}
