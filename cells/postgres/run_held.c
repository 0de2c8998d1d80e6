/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Statements that write and have rows to give. A row that the program cannot take is an error of the call, which must
 * not leave behind what the statement has written: so it is committed once the rows were taken, and a transaction of
 * the program's in which that happens fails, as after an error of the database. It costs two messages to the database
 * and a connection of its own, which is why it is not done where nothing can go wrong.
 */
#include "statement_impl.h"

#include <string.h>

#include "sqltext.h"

static const struct pg_patience as_long_as_it_takes = {UINT64_MAX, NULL, NULL};

/* ---- which ones ---- */

/* Whether each value that the database can have there can be one of the field. What is NULL there is the caller's. */
static bool holds_all(const struct pg_slot *p)
{
    size_t size = p->in_database.base == PG_BASE_INT2 ? 2 : p->in_database.base == PG_BASE_INT4 ? 4 : 8;

    if (p->in_database.array)
        return false;
    switch (p->codec) {
    case PG_CODEC_INTEGER:
        return p->type->size >= size &&
               (p->type->kind == CELL_KIND_I16 || p->type->kind == CELL_KIND_I32 || p->type->kind == CELL_KIND_I64);
    case PG_CODEC_BYTES:
        return pg_slot_refers_to_bytes(p);
    case PG_CODEC_BOOL:
    case PG_CODEC_FLOAT:
    case PG_CODEC_TEXT:
    case PG_CODEC_TEXT_FORM:
    case PG_CODEC_JSONB_TEXT:
    case PG_CODEC_NUMERIC_TEXT:
    case PG_CODEC_TIME:
    case PG_CODEC_UUID:
    case PG_CODEC_UUID_TEXT:
        return true;
    default:
        return false;
    }
}

/* INSERT … VALUES (…) RETURNING … without functions among the values, which may give several rows, and whose one row
 * the program has not called never NULL ("name!") in spite of what the database says. */
static bool inserts_one_row(const char *sql)
{
    struct sql_lexer l = {sql, strlen(sql), 0};
    struct sql_token t = sql_next(&l);
    uint32_t depth = 0, groups = 0;
    bool values = false, name = false; /* what stands before is one */

    if (!sql_is(&l, t, "insert"))
        return false;
    while ((t = sql_next(&l)).kind != SQL_END) {
        bool symbol = t.kind == SQL_SYMBOL;
        if (symbol && sql[t.at] == '(') {
            if (values && depth > 0 && name)
                return false;
            groups += values && depth == 0;
            depth++;
        } else if (symbol && sql[t.at] == ')')
            depth -= depth > 0;
        else if (t.kind == SQL_NAME && t.length > 2 && sql[t.at + t.length - 2] == '!')
            return false;
        else if (depth == 0 && (sql_is(&l, t, "values") || sql_is(&l, t, "on") || sql_is(&l, t, "returning")))
            values = sql_is(&l, t, "values");
        name = t.kind == SQL_NAME || t.kind == SQL_WORD;
    }
    return groups == 1;
}

bool pg_statement_is_held(const struct pg_statement *s)
{
    /* The functions of a struct have one row, of what the struct itself says. */
    if (!pg_statement_is_single(s) || !(s->flags & PG_RUN_WRITE) || s->nout == 0 || s->table)
        return false;
    for (uint32_t i = 0; i < s->nout; i++)
        if (!holds_all(&s->out[i].place))
            return true;
    return !inserts_one_row(s->sql);
}

/* ---- transactions ---- */

int pg_hold(struct pg_link *link, bool *own, const struct pg_patience *patience, struct pg_failure *f)
{
    *own = PQtransactionStatus(pg_link_connection(link)) == PQTRANS_IDLE;
    return *own ? pg_link_exec(link, "BEGIN", patience, NULL, f) : CELL_OK;
}

void pg_spoil(struct pg_link *link)
{
    struct pg_failure ignored;

    /* There is no such savepoint: the statement fails, and so has the transaction. */
    if (PQtransactionStatus(pg_link_connection(link)) == PQTRANS_INTRANS)
        pg_link_exec(link, "ROLLBACK TO cell_answer_not_taken", &as_long_as_it_takes, NULL, &ignored);
}

int pg_let_go(struct pg_link *link, bool own, int r, const struct pg_patience *patience, struct pg_failure *f)
{
    struct pg_failure later;
    bool good = r >= 0 || r == CELL_NOT_FOUND; /* an answer, too */

    if (!own) {
        if (!good)
            pg_spoil(link);
        return r;
    }
    if (!good) {
        pg_link_exec(link, "ROLLBACK", &as_long_as_it_takes, NULL, &later);
        return r;
    }
    int ended = pg_link_commit(link, patience, &later);
    if (ended < 0)
        *f = later;
    return ended < 0 ? ended : r;
}

/* ---- executing ---- */

int pg_send(struct pg_statement *s, cell_ctx *c, struct pg_link *link, const void *in, struct pg_failure *f)
{
    PGconn *connection = pg_link_connection(link);
    struct pg_parameters p;
    Oid *types = cell_ctx_alloc(c, ((size_t)s->nin + 1) * sizeof(*types));
    int r = types ? pg_parameters_make(s, c, &p, f) : pg_fail(f, CELL_NO_MEMORY, "out of memory");

    if (r < 0)
        return r;
    r = pg_parameters_fill(s, &p, in, NULL, f);
    for (uint32_t i = 0; i < s->nin; i++)
        types[i] = s->in[i].place.oid;
    if (r >= 0 && !PQsendQueryParams(connection, s->sql, (int)s->nin, types, p.values, p.lengths, p.formats, 1))
        r = pg_fail_connection(f, connection, "asking the database");
    pg_parameters_free(&p);
    return r;
}

static int run_on(struct pg_statement *s, cell_ctx *c, struct pg_link *link, const void *in, void *const *out,
                  const struct pg_patience *patience, struct pg_failure *f)
{
    PGresult *result = NULL;
    int r = pg_send(s, c, link, in, f);

    if (r >= 0)
        r = pg_one_result(link, PGRES_TUPLES_OK, patience, &result, f);
    if (r < 0)
        return r;
    const struct pg_rows rows = {.result = result, .n = PQntuples(result)};
    r = pg_take_rows(s, c, &rows, out, f);
    PQclear(result);
    return r;
}

int pg_run_held(struct pg_statement *s, cell_ctx *c, const void *in, void *const *out,
                const struct pg_patience *patience, struct pg_failure *f)
{
    struct pg_link *link = NULL;
    int r = pg_pool_pin_begun(s->pool, "BEGIN", patience, &link, f);

    if (r < 0)
        return r;
    r = run_on(s, c, link, in, out, patience, f);
    r = pg_let_go(link, true, r, patience, f);
    pg_pool_unpin(s->pool, link, true);
    return r;
}
