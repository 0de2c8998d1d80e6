/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "query_names.h"

#include <stdio.h>
#include <string.h>

#include <cell/server.h>

#include "sqltext.h"

#define MOST_SHOWN 40 /* bytes of a parameter's number in a message */

static bool complain(struct query_complaint *why, const char *field, size_t at, size_t length)
{
    why->field = field;
    why->at = at;
    why->length = length;
    return false;
}

/* One name, from a token that begins where it does; *end is behind it. */
static bool parse_one(struct pg_arena *arena, struct sql_lexer *l, struct sql_token t, struct query_names *names,
                      struct query_complaint *why, struct sql_token *end)
{
    struct query_name *name = &names->names[names->n];
    const char *wrong = t.kind == SQL_WORD ? cell_name_problem(l->text + t.at, t.length) : "";

    if (wrong) {
        if (*wrong)
            snprintf(why->text, sizeof(why->text), "parameter '%.*s' %s", (int)t.length, l->text + t.at, wrong);
        else
            snprintf(why->text, sizeof(why->text),
                     "behind the statement stand the names of $1, $2, …, as in `min_age, name?`");
        return complain(why, "parameters", t.at, t.length);
    }
    *name = (struct query_name){pg_copy(arena, l->text + t.at, t.length), false, t.at, t.length};
    for (uint32_t i = 0; i < names->n; i++)
        if (strcmp(names->names[i].name, name->name) == 0) {
            snprintf(why->text, sizeof(why->text), "two parameters have the name '%s'", name->name);
            return complain(why, "parameters", t.at, t.length);
        }
    *end = sql_next(l);
    if (end->kind == SQL_OPERATOR && end->length == 1 && l->text[end->at] == '?') {
        name->optional = true;
        name->length = end->at + 1 - name->at;
        *end = sql_next(l);
    }
    names->n++;
    return true;
}

bool query_names_parse(struct pg_arena *arena, const char *text, struct query_names *names, struct query_complaint *why)
{
    struct sql_lexer l = {text ? text : "", text ? strlen(text) : 0, 0};
    struct sql_token t = sql_next(&l), end;

    names->n = 0;
    if (t.kind == SQL_END)
        return true;
    for (;; t = sql_next(&l)) {
        if (names->n == PG_QUERY_MAX_PARAMETERS) {
            snprintf(why->text, sizeof(why->text), "a query has at most %d parameters", PG_QUERY_MAX_PARAMETERS);
            return complain(why, "parameters", t.at, t.length);
        }
        if (!parse_one(arena, &l, t, names, why, &end))
            return false;
        if (end.kind == SQL_END)
            return true;
        if (end.kind != SQL_SYMBOL || l.text[end.at] != ',') {
            snprintf(why->text, sizeof(why->text), "a comma or the end is missing behind parameter '%s'",
                     names->names[names->n - 1].name);
            return complain(why, "parameters", end.at, end.length);
        }
    }
}

bool query_names_match(const struct query_names *names, const char *sql, struct query_complaint *why)
{
    struct sql_lexer l = {sql, strlen(sql), 0};
    bool used[PG_QUERY_MAX_PARAMETERS] = {false};
    struct sql_token t;

    while ((t = sql_next(&l)).kind != SQL_END) {
        if (t.kind != SQL_PARAMETER)
            continue;
        if (t.number == 0 || t.number > names->n) {
            /* as it is written: numbers beyond what a statement may have are all the same */
            int length = t.length < MOST_SHOWN ? (int)t.length : MOST_SHOWN;
            const char *more = t.length > MOST_SHOWN ? "…" : "";
            if (t.number == 0)
                snprintf(why->text, sizeof(why->text), "parameters are counted from $1");
            else if (t.number == names->n + 1)
                snprintf(why->text, sizeof(why->text),
                         "%.*s has no name: write one behind the statement, CELL_QUERY(…, \"…\"%s, its_name)", length,
                         sql + t.at, names->n ? ", …" : "");
            else
                snprintf(why->text, sizeof(why->text), "%.*s%s has no name, and %u name%s given", length, sql + t.at,
                         more, names->n, names->n == 1 ? " is" : "s are");
            return complain(why, "sql", t.at, t.length);
        }
        used[t.number - 1] = true;
    }
    for (uint32_t i = 0; i < names->n; i++)
        if (!used[i]) {
            snprintf(why->text, sizeof(why->text), "the statement has no $%u for parameter '%s'", i + 1,
                     names->names[i].name);
            return complain(why, "parameters", names->names[i].at, names->names[i].length);
        }
    return true;
}

const char *query_names_replace(struct pg_arena *arena, const char *sql, const char *const *replacements, uint32_t n)
{
    struct sql_lexer l = {sql, strlen(sql), 0};
    struct pg_text text = {.arena = arena};
    struct sql_token t;
    size_t from = 0;

    while ((t = sql_next(&l)).kind != SQL_END) {
        if (t.kind != SQL_PARAMETER || t.number == 0 || t.number > n || !replacements[t.number - 1])
            continue;
        pg_append(&text, sql + from, t.at - from);
        pg_puts(&text, replacements[t.number - 1]);
        from = t.at + t.length;
    }
    pg_append(&text, sql + from, strlen(sql) - from);
    return text.data;
}
