/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The merged form of a statement that selects a row: the statement itself, executed by the database for each element of
 * an array. So it means what it means alone, whatever its conditions, types and collations are, and it is planned as
 * alone: as the index for one key is used, however little the database knows of the table, where it might read a whole
 * table for "= ANY" of many keys.
 */
#include "statement_impl.h"

#include <stdlib.h>
#include <string.h>

#include "sql_parts.h"

#define MOST_KEYS 8
#define ROW "cell_each"

/* `sql` with its parameters replaced by the columns of ROW. False: it is not a plain SELECT. */
static bool replace_parameters(const struct pg_statement *s, struct pg_text *out)
{
    size_t length = strlen(s->sql), from = 0;
    bool first = true;

    for (;;) {
        struct pg_token t = pg_sql_token(s->sql, length, from);
        bool ends = t.kind == PG_TOKEN_PUNCT && t.len == 1 && s->sql[t.at] == ';';
        if (t.kind == PG_TOKEN_END)
            return !first;
        if (t.kind == PG_TOKEN_BAD || t.kind == PG_TOKEN_COMMENT || ends ||
            (first && !pg_token_is(s->sql, t, "select")))
            return false;
        pg_append(out, s->sql + from, t.at - from);
        unsigned long number = t.kind == PG_TOKEN_PARAMETER ? strtoul(s->sql + t.at + 1, NULL, 10) : 0;
        if (t.kind != PG_TOKEN_PARAMETER)
            pg_append(out, s->sql + t.at, t.len);
        else if (number >= 1 && number <= s->nin)
            pg_putf(out, ROW ".k%lu", number);
        else
            return false;
        from = t.at + t.len;
        first = false;
    }
}

/* The array types of the parameters. */
static bool find_arrays(const struct pg_statement *s, Oid *arrays)
{
    for (uint32_t i = 0; i < s->nin; i++) {
        struct pg_type_use type = s->in[i].place.in_database;
        Oid element = 0;
        if (type.array)
            return false;
        type.array = true;
        Oid array = pg_type_oid(&type, &element);
        if (array == 0 || element != s->in[i].place.oid)
            return false;
        arrays[i] = array;
    }
    return true;
}

const char *pg_statement_merged(struct pg_statement *s, Oid *arrays)
{
    struct pg_text sql = {.arena = &s->arena};

    if (s->op != PG_OP_ROW || !(s->flags & PG_RUN_RETRY) || (s->flags & PG_RUN_WRITE) || s->nin == 0 ||
        s->nin > MOST_KEYS || !find_arrays(s, arrays))
        return NULL;
    /* The arrays stand in queries of their own, so that every plan is made for arrays of any length, and the database
     * keeps one. */
    pg_puts(&sql, "SELECT " ROW ".n, cell_row.* FROM ROWS FROM (");
    for (uint32_t i = 1; i <= s->nin; i++)
        pg_putf(&sql, "%spg_catalog.unnest((SELECT $%u))", i > 1 ? ", " : "", i);
    pg_puts(&sql, ") WITH ORDINALITY AS " ROW "(");
    for (uint32_t i = 1; i <= s->nin; i++)
        pg_putf(&sql, "k%u, ", i);
    pg_puts(&sql, "n), LATERAL (");
    if (!replace_parameters(s, &sql))
        return NULL;
    pg_puts(&sql, " OFFSET 0) AS cell_row");
    return sql.failed ? NULL : sql.data;
}
