/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Many rows at once: through binary COPY (https://www.postgresql.org/docs/15/sql-copy.html), or by statements of many.
 */
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
    struct pg_parameters *rows; /* of one row; without COPY of as many as a statement takes */
    uint32_t nrows, most;       /* that wait for it; 1 = each by itself */
    struct pg_parameters all;   /* of the rows together; values, lengths and formats alone */
    struct pg_arena arena;      /* of the text */
    struct pg_text text;        /* what is not with libpq yet */
    bool by_row;                /* no COPY */
    bool begun;                 /* COPY has been answered, and is not ended */
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
        put32(&k->text, k->rows->values[i] ? k->rows->lengths[i] : -1);
        if (k->rows->values[i])
            pg_append(&k->text, k->rows->values[i], (size_t)k->rows->lengths[i]);
    }
    if (k->text.failed)
        return no_memory(f);
    k->affected++;
    return k->text.len >= CHUNK ? put_text(k, f) : CELL_OK;
}

static int execute(struct copy *k, struct pg_prepared *s, const struct pg_parameters *p, struct pg_failure *f)
{
    PGresult *result = NULL;
    int r = pg_pool_run(k->s->pool, k->link, s, &(struct pg_values){p->values, p->lengths, p->formats}, k->s->flags,
                        &k->patience, &result, f);

    if (r < 0)
        return r;
    k->affected += (uint64_t)pg_affected(result);
    PQclear(result);
    return CELL_OK;
}

static int execute_together(struct copy *k, struct pg_failure *f)
{
    uint32_t n = k->s->nin;

    for (uint32_t i = 0; i < k->nrows; i++) {
        memcpy(k->all.values + i * n, k->rows[i].values, n * sizeof(*k->all.values));
        memcpy(k->all.lengths + i * n, k->rows[i].lengths, n * sizeof(*k->all.lengths));
        memcpy(k->all.formats + i * n, k->rows[i].formats, n * sizeof(*k->all.formats));
    }
    return execute(k, k->s->of_rows, &k->all, f);
}

/* The rows that wait, before what they are made of goes. */
static int put_rows(struct copy *k, struct pg_failure *f)
{
    int r = CELL_OK;

    if (k->nrows == k->most && k->most > 1)
        r = execute_together(k, f);
    else
        for (uint32_t i = 0; r >= 0 && i < k->nrows; i++)
            r = execute(k, k->s->prepared, &k->rows[i], f);
    for (uint32_t i = 0; i < k->nrows; i++)
        if (k->rows[i].arena.blocks)
            pg_arena_free(&k->rows[i].arena);
    k->nrows = 0;
    return r;
}

static int add_by_row(struct copy *k, struct pg_failure *f) { return ++k->nrows == k->most ? put_rows(k, f) : CELL_OK; }

static int add(struct copy *k, const void *record, struct pg_failure *f)
{
    struct pg_parameters *p = &k->rows[k->nrows];
    int r = pg_parameters_fill(k->s, p, k->in, record, f);

    if (r >= 0 && k->by_row)
        return add_by_row(k, f);
    if (r >= 0)
        r = add_by_copy(k, f);
    if (p->arena.blocks)
        pg_arena_free(&p->arena);
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
    return r < 0 ? r : put_rows(k, f);
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
        if (r >= 0) /* their texts are the stream's, and stay until it is asked for more */
            r = put_rows(k, f);
    }
    if (r < 0)
        return r;
    r = cell_stream_next(from, records); /* why there are no more */
    return r < 0 ? pg_fail(f, r, "the client did not send everything: nothing was stored") : CELL_OK;
}

/* Room for one row, or for those of a statement. */
static int make_rows(struct copy *k, cell_ctx *c, struct pg_failure *f)
{
    size_t n = (size_t)k->s->nin;
    int r = CELL_OK;

    k->most = k->by_row && k->s->of_rows ? k->s->rows : 1;
    k->rows = cell_ctx_alloc(c, k->most * sizeof(*k->rows));
    if (!k->rows)
        return no_memory(f);
    memset(k->rows, 0, k->most * sizeof(*k->rows));
    for (uint32_t i = 0; r >= 0 && i < k->most; i++)
        r = pg_parameters_make(k->s, c, &k->rows[i], f);
    if (r < 0 || k->most == 1)
        return r;
    char *memory = cell_ctx_alloc(c, k->most * n * (sizeof(*k->all.values) + 2 * sizeof(*k->all.lengths)));
    if (!memory)
        return no_memory(f);
    k->all.values = (const char **)(void *)memory;
    k->all.lengths = (int *)(void *)(k->all.values + k->most * n);
    k->all.formats = k->all.lengths + k->most * n;
    return CELL_OK;
}

static int run(struct pg_statement *s, cell_ctx *c, struct pg_link *link, const void *in, struct pg_failure *f)
{
    struct copy k = {.s = s, .link = link, .patience = pg_patience_of(c), .in = in, .by_row = !s->copy};
    int r = make_rows(&k, c, f);
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
    for (uint32_t i = 0; k.rows && i < k.most; i++)
        pg_parameters_free(&k.rows[i]);
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
