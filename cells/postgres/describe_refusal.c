/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What PostgreSQL says against a statement: the words that it is about, and those that may have been meant. */
#include <stdlib.h>
#include <string.h>

#include "connect.h"
#include "describe.h"
#include "sqltext.h"

static const char *field(struct pg_arena *arena, const PGresult *result, int code)
{
    const char *text = PQresultErrorField(result, code);

    return text && *text ? pg_strdup(arena, text) : NULL;
}

/* `a.b.c` from where `a` begins; *last is where `c` does. */
static size_t name_length(const char *sql, size_t length, size_t at, size_t *last)
{
    struct sql_lexer l = {sql, length, at};
    struct sql_token t = sql_next(&l);
    size_t end = t.at + t.length;

    *last = t.at;
    while (t.kind == SQL_WORD || t.kind == SQL_NAME) {
        struct sql_token dot = sql_next(&l), next = sql_next(&l);
        if (dot.kind != SQL_SYMBOL || sql[dot.at] != '.' || (next.kind != SQL_WORD && next.kind != SQL_NAME))
            break;
        t = next;
        *last = t.at;
        end = t.at + t.length;
    }
    return end - at;
}

static void locate(const PGresult *result, const char *sql, struct pg_refusal *r, size_t *last)
{
    const char *position = PQresultErrorField(result, PG_DIAG_STATEMENT_POSITION);
    size_t length = strlen(sql);

    if (!position)
        return;
    r->positioned = true;
    r->at = sql_byte_of_character(sql, length, strtol(position, NULL, 10));
    r->length = sql_token_at(sql, length, &r->at);
    *last = r->at;
    if (r->length > 0)
        r->length = name_length(sql, length, r->at, last);
}

static const char *nearest(struct pg_arena *arena, PGconn *conn, const char *word, const char *query, const char *param)
{
    PGresult *result = NULL;
    const char *found = NULL;

    if (pg_query(conn, query, param ? 1 : 0, &param, &result, NULL) < 0)
        return NULL;
    int n = PQntuples(result);
    const char **names = pg_array(arena, (size_t)(n ? n : 1), sizeof(*names));
    for (int i = 0; i < n && names; i++)
        names[i] = PQgetvalue(result, i, 0);
    if (names)
        found = pg_strdup(arena, pg_suggest(word, names, (size_t)n));
    PQclear(result);
    return found;
}

/* The names in the statement as an array of PostgreSQL's, which may be those of its tables. */
static const char *names_of(struct pg_arena *arena, const char *sql)
{
    struct sql_lexer l = {sql, strlen(sql), 0};
    struct pg_text text = {.arena = arena};
    struct sql_token t;

    pg_puts(&text, "{");
    for (int n = 0; (t = sql_next(&l)).kind != SQL_END && n < 500;) {
        char *name = t.kind == SQL_WORD || t.kind == SQL_NAME ? pg_unquoted(arena, sql, t.at) : NULL;
        if (!name)
            continue;
        pg_puts(&text, n++ ? ",\"" : "\"");
        for (const char *c = name; *c; c++) {
            if (*c == '"' || *c == '\\')
                pg_append(&text, "\\", 1);
            pg_append(&text, c, 1);
        }
        pg_puts(&text, "\"");
    }
    pg_puts(&text, "}");
    return text.failed ? NULL : text.data;
}

static const char *suggest(struct pg_arena *arena, PGconn *conn, const char *sql, size_t last, const char *state)
{
    static const char columns[] = "SELECT DISTINCT a.attname FROM pg_attribute a JOIN unnest($1::text[]) w ON "
                                  "a.attrelid = to_regclass(quote_ident(w))"
                                  " WHERE a.attnum > 0 AND NOT a.attisdropped LIMIT 4000";
    static const char tables[] = "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'f')"
                                 " AND pg_table_is_visible(oid) AND relname !~ '^pg_' LIMIT 4000";
    static const char functions[] =
        "SELECT DISTINCT proname FROM pg_proc WHERE pg_function_is_visible(oid) AND prokind <> 'p' LIMIT 4000";
    const char *word = pg_unquoted(arena, sql, last);

    if (!word)
        return NULL;
    if (strcmp(state, "42703") == 0)
        return nearest(arena, conn, word, columns, names_of(arena, sql));
    if (strcmp(state, "42P01") == 0)
        return nearest(arena, conn, word, tables, NULL);
    if (strcmp(state, "42883") == 0)
        return nearest(arena, conn, word, functions, NULL);
    return NULL;
}

void pg_refusal_read(struct pg_arena *arena, PGconn *conn, const PGresult *result, const char *sql,
                     struct pg_refusal *refusal)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    size_t last = 0;

    *refusal = (struct pg_refusal){0};
    if (state)
        memcpy(refusal->sqlstate, state, strnlen(state, sizeof(refusal->sqlstate) - 1));
    /* What is in the database and not in FROM has the same SQLSTATE, and the text is of any language. */
    const char *where = PQresultErrorField(result, PG_DIAG_SOURCE_FUNCTION);
    refusal->no_relation = strcmp(refusal->sqlstate, "42P01") == 0 && !(where && strcmp(where, "errorMissingRTE") == 0);
    refusal->text = field(arena, result, PG_DIAG_MESSAGE_PRIMARY);
    refusal->detail = field(arena, result, PG_DIAG_MESSAGE_DETAIL);
    refusal->hint = field(arena, result, PG_DIAG_MESSAGE_HINT);
    locate(result, sql, refusal, &last);
    bool in_from = strcmp(refusal->sqlstate, "42P01") == 0 && !refusal->no_relation;
    if (conn && refusal->positioned && refusal->length > 0 && !in_from)
        refusal->suggestion = suggest(arena, conn, sql, last, refusal->sqlstate);
    if (refusal->suggestion && strncmp(refusal->sqlstate, "42883", 5) == 0) {
        char *word = pg_unquoted(arena, sql, last); /* the name is right, and its arguments are not */
        if (word && strcmp(word, refusal->suggestion) == 0)
            refusal->suggestion = NULL;
    }
    if (refusal->suggestion && refusal->hint && strncmp(refusal->hint, "Perhaps you meant", 17) == 0)
        refusal->hint = NULL; /* it says the same */
}
