/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Many rows at once: through binary COPY (https://www.postgresql.org/docs/15/sql-copy.html), or one by one. */
#include "statement_impl.h"

#include <endian.h>
#include <limits.h>
#include <string.h>

#define CHUNK (64 * 1024)
#define RECORDS 256 /* that are taken from a stream at once at most */

struct copy {
    struct pg_statement *s;
    struct pg_link *link;
    struct pg_patience patience;
    const void *in;
    struct pg_parameters p;
    struct pg_arena arena; /* of the text */
    struct pg_text text;   /* what is not with libpq yet */
    bool by_row;           /* no COPY: the statement is executed for each */
    bool begun;            /* COPY has been answered, and is not ended */
    uint64_t affected;
};

static int no_memory(struct pg_failure *f) { return pg_fail(f, CELL_NO_MEMORY, "out of memory"); }

static int lost(struct copy *k, struct pg_failure *f)
{
    return pg_fail_connection(f, pg_link_connection(k->link), "copying into the database");
}

/* Until the server has taken what libpq holds; what the server says meanwhile is read at the end. */
static int flush(struct copy *k, struct pg_failure *f)
{
    PGconn *connection = pg_link_connection(k->link);
    int left;

    while ((left = PQflush(connection)) == 1) {
        int r = pg_link_wait(k->link, true, &k->patience, f);
        if (r < 0)
            return r;
        if (!PQconsumeInput(connection))
            return lost(k, f);
    }
    return left < 0 ? lost(k, f) : CELL_OK;
}

static int put_text(struct copy *k, struct pg_failure *f)
{
    PGconn *connection = pg_link_connection(k->link);
    size_t done = 0;

    while (done < k->text.len) {
        size_t left = k->text.len - done;
        int n = (int)(left > INT_MAX / 2 ? INT_MAX / 2 : left);
        int taken = PQputCopyData(connection, k->text.data + done, n);
        if (taken < 0)
            return lost(k, f);
        int r = flush(k, f);
        if (r < 0)
            return r;
        done += taken > 0 ? (size_t)n : 0;
    }
    k->text.len = 0;
    /* A large value must not keep its memory for the rows that follow. */
    if (k->text.room > 4 * CHUNK) {
        pg_arena_free(&k->arena);
        k->text = (struct pg_text){.arena = &k->arena};
    }
    return CELL_OK;
}

static void put16(struct pg_text *t, int value)
{
    uint16_t wire = htobe16((uint16_t)value);

    pg_append(t, &wire, 2);
}

static void put32(struct pg_text *t, int value)
{
    uint32_t wire = htobe32((uint32_t)value);

    pg_append(t, &wire, 4);
}

static int add_by_copy(struct copy *k, struct pg_failure *f)
{
    put16(&k->text, (int)k->s->nin);
    for (uint32_t i = 0; i < k->s->nin; i++) {
        put32(&k->text, k->p.values[i] ? k->p.lengths[i] : -1);
        if (k->p.values[i])
            pg_append(&k->text, k->p.values[i], (size_t)k->p.lengths[i]);
    }
    if (k->text.failed)
        return no_memory(f);
    k->affected++;
    return k->text.len >= CHUNK ? put_text(k, f) : CELL_OK;
}

static int add_by_row(struct copy *k, struct pg_failure *f)
{
    PGresult *result = NULL;
    int r =
        pg_pool_run(k->s->pool, k->link, k->s->prepared, &(struct pg_values){k->p.values, k->p.lengths, k->p.formats},
                    k->s->flags, &k->patience, &result, f);

    if (r < 0)
        return r;
    k->affected += (uint64_t)pg_affected(result);
    PQclear(result);
    return CELL_OK;
}

static int add(struct copy *k, const void *record, struct pg_failure *f)
{
    int r = pg_parameters_fill(k->s, &k->p, k->in, record, f);

    if (r >= 0)
        r = k->by_row ? add_by_row(k, f) : add_by_copy(k, f);
    if (k->p.arena.blocks)
        pg_arena_free(&k->p.arena);
    return r;
}

static int begin_copy(struct copy *k, struct pg_failure *f)
{
    static const char head[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0"; /* and the NUL of the literal */
    PGconn *connection = pg_link_connection(k->link);
    PGresult *result = NULL, *rest = NULL;

    _Static_assert(sizeof(head) == 20, "signature, flags, length of the extension; and one NUL too many");
    if (!PQsendQuery(connection, k->s->copy))
        return lost(k, f);
    int r = pg_link_result(k->link, &k->patience, &result, f);
    if (r < 0)
        return r;
    if (PQresultStatus(result) == PGRES_COPY_IN && PQnfields(result) == (int)k->s->nin && PQbinaryTuples(result)) {
        PQclear(result);
        k->begun = true;
        pg_append(&k->text, head, 19);
        return CELL_OK;
    }
    if (PQresultStatus(result) == PGRES_COPY_IN) {
        k->begun = true;
        r = pg_fail(f, CELL_INVALID_ARGUMENT, "the binding of this method is not one of this cell: copy");
    } else {
        r = pg_fail_result(f, result);
    }
    PQclear(result);
    while (!k->begun && pg_link_result(k->link, &k->patience, &rest, &(struct pg_failure){0}) >= 0 && rest)
        PQclear(rest);
    return r;
}

static int begin(struct copy *k, struct pg_failure *f)
{
    if (!k->by_row)
        return begin_copy(k, f);
    return PQtransactionStatus(pg_link_connection(k->link)) == PQTRANS_IDLE
               ? pg_link_exec(k->link, "BEGIN", &k->patience, NULL, f)
               : CELL_OK;
}

/* Everything that the server says to the end of the COPY. */
static int end_copy(struct copy *k, int status, struct pg_failure *f)
{
    PGconn *connection = pg_link_connection(k->link);
    bool inside = PQtransactionStatus(connection) == PQTRANS_INTRANS;
    struct pg_failure ignored, *say = status < 0 ? &ignored : f;
    int r = CELL_OK;

    if (status >= 0) {
        put16(&k->text, -1);
        status = k->text.failed ? no_memory(f) : put_text(k, f);
    }
    while ((r = PQputCopyEnd(connection, status < 0 ? "given up" : NULL)) == 0)
        if (flush(k, say) < 0)
            break;
    bool sent = status >= 0 && r > 0;
    for (;;) {
        PGresult *result = NULL;
        r = pg_link_result(k->link, &k->patience, &result, say);
        if (r < 0 || !result)
            break;
        if (PQresultStatus(result) == PGRES_FATAL_ERROR && status >= 0)
            status = pg_fail_result(f, result);
        else if (PQresultStatus(result) == PGRES_COMMAND_OK && status >= 0)
            k->affected = (uint64_t)pg_affected(result);
        PQclear(result);
    }
    if (r < 0 && status >= 0)
        status = r;
    if (status == CELL_UNAVAILABLE && sent && !inside)
        return pg_fail(f, CELL_UNKNOWN_OUTCOME, "the connection to the database was lost before it answered");
    return status;
}

static int end_rows(struct copy *k, bool own, int status, struct pg_failure *f)
{
    struct pg_failure ignored;

    if (!own)
        return status;
    if (status < 0) {
        pg_link_exec(k->link, "ROLLBACK", &k->patience, NULL, &ignored);
        return status;
    }
    int r = pg_link_exec(k->link, "COMMIT", &k->patience, NULL, f);
    return r == CELL_UNAVAILABLE
               ? pg_fail(f, CELL_UNKNOWN_OUTCOME, "the connection to the database was lost before it answered")
               : r;
}

static int each_element(struct copy *k, struct pg_failure *f)
{
    cell_bytes list;
    int r = CELL_OK;
    const struct pg_part whole = {.home = PG_HOME_PARAMETER, .parameter = k->s->list};

    memcpy(&list, pg_home_of(k->s, &whole, k->in, NULL), sizeof(list));
    for (uint64_t i = 0; r >= 0 && i < list.len; i++)
        r = add(k, list.ptr + i * k->s->record->size, f);
    return r;
}

static int each_record(struct copy *k, cell_ctx *c, struct pg_failure *f)
{
    struct cell_stream *from = cell_ctx_stream(c);
    size_t size = k->s->record->size, most = CHUNK / size, n;
    int r = CELL_OK;

    most = most < 1 ? 1 : most > RECORDS ? RECORDS : most;
    char *records = cell_ctx_alloc(c, most * size);
    if (!records || !from)
        return no_memory(f);
    while (r >= 0 && (n = cell_stream_next_n(from, records, most)) > 0) {
        for (size_t i = 0; r >= 0 && i < n; i++)
            r = add(k, records + i * size, f);
    }
    if (r < 0)
        return r;
    r = cell_stream_next(from, records); /* why there are no more */
    return r < 0 ? pg_fail(f, r, "the client did not send everything: nothing was stored") : CELL_OK;
}

static int run(struct pg_statement *s, cell_ctx *c, struct pg_link *link, const void *in, struct pg_failure *f)
{
    struct copy k = {.s = s, .link = link, .patience = pg_patience_of(c), .in = in, .by_row = !s->copy};
    int r = pg_parameters_make(s, c, &k.p, f);
    bool own = PQtransactionStatus(pg_link_connection(link)) == PQTRANS_IDLE;

    k.text.arena = &k.arena;
    if (r >= 0)
        r = begin(&k, f);
    if (r >= 0)
        r = s->op == PG_OP_MANY ? each_element(&k, f) : each_record(&k, c, f);
    if (k.begun)
        r = end_copy(&k, r, f);
    else if (k.by_row)
        r = end_rows(&k, own, r, f);
    pg_parameters_free(&k.p);
    pg_arena_free(&k.arena);
    if (r < 0)
        return r;
    return k.affected > INT_MAX ? INT_MAX : (int)k.affected;
}

int pg_run_many(struct pg_statement *s, cell_ctx *c, struct pg_link *link, const void *in, struct pg_failure *f)
{
    return run(s, c, link, in, f);
}

int pg_run_load(struct pg_statement *s, cell_ctx *c, struct pg_link *link, const void *in, struct pg_failure *f)
{
    return run(s, c, link, in, f);
}
