/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Which statements are queries, and what to do instead of the others. */
#include "sqltext.h"

#include <stdio.h>
#include <string.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static const char *const queries[] = {"select", "insert", "update", "delete", "merge", "values", "with", "table"};

static const struct {
    const char *word, *instead;
    bool executable; /* by postgres_execute: it leaves nothing behind on its connection */
} refused[] = {
    {"begin", "a transaction is a cell_transaction() around the calls", false},
    {"start", "a transaction is a cell_transaction() around the calls", false},
    {"commit", "a transaction is a cell_transaction() around the calls", false},
    {"end", "a transaction is a cell_transaction() around the calls", false},
    {"rollback", "a transaction is a cell_transaction() around the calls", false},
    {"abort", "a transaction is a cell_transaction() around the calls", false},
    {"savepoint", "a transaction is a cell_transaction() around the calls", false},
    {"release", "a transaction is a cell_transaction() around the calls", false},
    {"prepare", "every query is prepared already", false},
    {"execute", "call the query's function", false},
    {"deallocate", "the cell looks after prepared statements", false},
    {"copy", "use the load and all functions of a CELL_TABLE", false},
    {"do", "make it a function of the database (CELL_STEP) and SELECT it", true},
    {"call", "make the procedure a function and SELECT it", true},
    {"listen", "use postgres_listen()", false},
    {"unlisten", "end the stream of postgres_listen()", false},
    {"notify", "use postgres_notify(), or SELECT pg_notify(channel, payload)", true},
    {"set", "the cell's connections are shared; use set_config(name, value, true) within a transaction", false},
    {"reset", "the cell's connections are shared", false},
    {"show", "use SELECT current_setting(name)", true},
    {"discard", "the cell's connections are shared", false},
    {"explain", "open psql with `cell psql`", true},
    {"declare", "a query is a stream already, and takes constant memory", false},
    {"fetch", "a query is a stream already, and takes constant memory", false},
    {"move", "a query is a stream already, and takes constant memory", false},
    {"close", "a query is a stream already, and takes constant memory", false},
    {"lock", "lock rows with SELECT … FOR UPDATE", true},
    {"create", "tables are declared with CELL_TABLE, other objects made with CELL_STEP", true},
    {"alter", "change the struct of the CELL_TABLE, or use CELL_STEP", true},
    {"drop", "change the struct of the CELL_TABLE, or use CELL_STEP", true},
    {"comment", "comments come from the struct's own; else use CELL_STEP", true},
    {"grant", "use CELL_STEP", true},
    {"revoke", "use CELL_STEP", true},
    {"truncate", "use DELETE, or CELL_STEP", true},
    {"vacuum", "maintenance is the server's own (autovacuum) or psql's", true},
    {"analyze", "maintenance is the server's own (autovacuum) or psql's", true},
    {"reindex", "maintenance is the server's own (autovacuum) or psql's", true},
    {"cluster", "maintenance is the server's own (autovacuum) or psql's", true},
    {"checkpoint", "maintenance is the server's own (autovacuum) or psql's", true},
    {"refresh", "use CELL_STEP, or psql", true},
    {"import", "use CELL_STEP", true},
    {"security", "use CELL_STEP", true},
    {"reassign", "use CELL_STEP", true},
    {"load", "use CELL_STEP", false},
};

static bool refuse(struct sql_refusal *why, struct sql_token t)
{
    why->at = t.at;
    why->length = t.length;
    return false;
}

/* For a query, or for what is executed once. */
static bool check_first(const struct sql_lexer *l, struct sql_token t, bool once, struct sql_refusal *why)
{
    for (size_t i = 0; i < LENGTH(queries); i++)
        if (sql_is(l, t, queries[i]))
            return true;
    for (size_t i = 0; i < LENGTH(refused); i++)
        if (sql_is(l, t, refused[i].word)) {
            if (once && refused[i].executable)
                return true;
            snprintf(why->text, sizeof(why->text), "%.*s is %s: %s", (int)t.length, l->text + t.at,
                     once ? "not for a connection that others use as well" : "no query", refused[i].instead);
            return refuse(why, t);
        }
    snprintf(why->text, sizeof(why->text),
             "a query begins with SELECT, INSERT, UPDATE, DELETE, MERGE, VALUES, TABLE or WITH, not with '%.*s'",
             t.length > 64 ? 64 : (int)t.length, l->text + t.at);
    return refuse(why, t);
}

/* What follows the first statement is nothing but further semicolons. */
static bool check_end(struct sql_lexer *l, struct sql_token t, struct sql_refusal *why)
{
    while (t.kind == SQL_SYMBOL && l->text[t.at] == ';')
        t = sql_next(l);
    if (t.kind == SQL_END)
        return true;
    snprintf(why->text, sizeof(why->text),
             "this is one statement, and a second one begins here: make two of them, or join them with WITH");
    return refuse(why, t);
}

static bool check(const char *text, size_t length, bool once, struct sql_refusal *why)
{
    struct sql_lexer l = {text, length, 0};
    struct sql_token t = sql_next(&l);

    *why = (struct sql_refusal){0};
    while (t.kind == SQL_SYMBOL && text[t.at] == '(')
        t = sql_next(&l);
    if (t.kind == SQL_END) {
        snprintf(why->text, sizeof(why->text), "the query is empty");
        return refuse(why, (struct sql_token){.at = length});
    }
    if (t.kind != SQL_BROKEN && !check_first(&l, t, once, why))
        return false;
    for (; t.kind != SQL_END; t = sql_next(&l)) {
        if (t.kind == SQL_SYMBOL && text[t.at] == ';')
            return check_end(&l, t, why);
        if (t.kind == SQL_BROKEN) {
            char c = text[t.at];
            const char *what = c == '\'' || c == '"' || c == '$' ? "this quote does not end"
                               : c == '/'                        ? "this comment does not end"
                                                                 : "this begins nothing in SQL";
            snprintf(why->text, sizeof(why->text), "%s", what);
            return refuse(why, (struct sql_token){.at = t.at, .length = 1});
        }
    }
    return true;
}

bool sql_acceptable(const char *text, size_t length, struct sql_refusal *why)
{
    return check(text, length, false, why);
}

bool sql_executable(const char *text, size_t length, struct sql_refusal *why) { return check(text, length, true, why); }
