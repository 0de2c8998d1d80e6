/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The INSERT of one row as one of several: for rows of which something is computed, so that they cannot be copied. */
#include "statement_impl.h"

#include <stdlib.h>
#include <string.h>

#include "sql_parts.h"

#define MOST_ROWS 64u
#define MOST_PARAMETERS 8192u /* of all rows; PostgreSQL takes 65535 */

static bool is_punct(const struct pg_statement *s, struct pg_token t, char c)
{
    return t.kind == PG_TOKEN_PUNCT && t.len == 1 && s->sql[t.at] == c;
}

/* Where the list behind VALUES begins, with its parenthesis. False: the statement is no other than INSERT … VALUES (…),
 * with nothing behind. */
static bool find_values(const struct pg_statement *s, size_t *begin)
{
    size_t length = strlen(s->sql), at = 0;
    unsigned depth = 0;
    bool first = true, values = false, in_list = false;

    for (;;) {
        struct pg_token t = pg_sql_token(s->sql, length, at);
        if (t.kind == PG_TOKEN_END)
            return in_list && depth == 0;
        if (t.kind == PG_TOKEN_BAD || t.kind == PG_TOKEN_COMMENT || (first && !pg_token_is(s->sql, t, "insert")) ||
            (in_list && depth == 0))
            return false;
        if (values && depth == 0 && is_punct(s, t, '(')) {
            in_list = true;
            *begin = t.at;
        }
        values = depth == 0 && pg_token_is(s->sql, t, "values");
        depth += is_punct(s, t, '(');
        depth -= depth > 0 && is_punct(s, t, ')');
        first = false;
        at = t.at + t.len;
    }
}

/* The list for row number `row`: its parameters are those behind all earlier rows'. */
static bool put_row(const struct pg_statement *s, size_t begin, uint32_t row, struct pg_text *out)
{
    size_t length = strlen(s->sql), at = begin;

    for (;;) {
        struct pg_token t = pg_sql_token(s->sql, length, at);
        pg_append(out, s->sql + at, (t.kind == PG_TOKEN_END ? length : t.at) - at);
        if (t.kind == PG_TOKEN_END)
            return true;
        unsigned long number = t.kind == PG_TOKEN_PARAMETER ? strtoul(s->sql + t.at + 1, NULL, 10) : 0;
        if (t.kind != PG_TOKEN_PARAMETER)
            pg_append(out, s->sql + t.at, t.len);
        else if (number >= 1 && number <= s->nin)
            pg_putf(out, "$%lu", row * (unsigned long)s->nin + number);
        else
            return false;
        at = t.at + t.len;
    }
}

const char *pg_statement_of_rows(struct pg_statement *s, uint32_t *rows)
{
    struct pg_text sql = {.arena = &s->arena};
    size_t begin = 0;

    *rows = s->nin && MOST_PARAMETERS / s->nin < MOST_ROWS ? MOST_PARAMETERS / s->nin : MOST_ROWS;
    if (s->nin == 0 || *rows < 2 || s->copy || (s->op != PG_OP_MANY && s->op != PG_OP_LOAD) || !find_values(s, &begin))
        return NULL;
    pg_append(&sql, s->sql, begin);
    for (uint32_t i = 0; i < *rows; i++) {
        pg_puts(&sql, i ? ", " : "");
        if (!put_row(s, begin, i, &sql))
            return NULL;
    }
    return sql.failed ? NULL : sql.data;
}
