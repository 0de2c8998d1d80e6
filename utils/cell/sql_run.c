/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A statement: what it may do, its rows, and what is said when it is wrong. */
#include <stdlib.h>
#include <string.h>

#include "sql_filter.h"
#include "sql_output.h"

#define STEPS 1000 /* of SQLite's machine, between two looks at the clock */

/* ---- what it may do ---- */

static const char *name_of(int action)
{
    switch (action) {
    case SQLITE_ATTACH:
        return "ATTACH";
    case SQLITE_DETACH:
        return "DETACH";
    case SQLITE_PRAGMA:
        return "PRAGMA";
    case SQLITE_TRANSACTION:
    case SQLITE_SAVEPOINT:
        return "a transaction";
    case SQLITE_INSERT:
    case SQLITE_UPDATE:
    case SQLITE_DELETE:
        return "writing";
    case SQLITE_FUNCTION:
        return "this function";
    default:
        return "changing what tables there are";
    }
}

static int authorize(void *user, int action, const char *a, const char *b, const char *c, const char *d)
{
    struct sql *sql = user;

    (void)a;
    (void)c;
    (void)d;
    if (action == SQLITE_SELECT || action == SQLITE_READ || action == SQLITE_RECURSIVE ||
        (action == SQLITE_FUNCTION && b && sqlite3_stricmp(b, "load_extension") != 0 &&
         sqlite3_stricmp(b, "fts3_tokenizer") != 0))
        return SQLITE_OK;
    sql->refused = name_of(action);
    return SQLITE_DENY;
}

static int look_whether_to_stop(void *user) { return sql_stopped(user) != SQL_GOES_ON; }

int sql_guard(struct sql *sql, struct cell_error *e)
{
    /* A name in quotation marks that is none is an error, and no text. */
    if (sqlite3_db_config(sql->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL) != SQLITE_OK ||
        sqlite3_set_authorizer(sql->db, authorize, sql) != SQLITE_OK)
        return cell_error_set(e, CELL_INTERNAL, "SQLite cannot be kept from writing");
    sqlite3_progress_handler(sql->db, STEPS, look_whether_to_stop, sql);
    return CELL_OK;
}

/* ---- what is said ---- */

/* The line that begins at `begin`, and a mark below `place`, as compilers do. */
static void show_place(struct cli *cli, const char *begin, const char *place)
{
    struct cell_buffer b = {0};
    size_t length = strcspn(begin, "\r\n");

    if (cli->json)
        return;
    cell_buffer_puts(&b, "  ");
    cell_buffer_append(&b, begin, length);
    cell_buffer_puts(&b, "\n  ");
    for (const char *c = begin; c < place; c++)
        if (((unsigned char)*c & 0xc0) != 0x80)
            cell_buffer_puts(&b, *c == '\t' ? "\t" : " ");
    cell_buffer_puts(&b, "^");
    if (cell_buffer_ok(&b))
        cli_say(cli, "%s", b.data);
    cell_buffer_free(&b);
}

/* The length of the keyword at `at`; 0: there is none. */
static int keyword_at(const char *at)
{
    int n = (int)strspn(at, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");

    return n > 0 && n < 32 && sqlite3_keyword_check(at, n) ? n : 0;
}

static void hint_for(const char *message, const char *place, char hint[160])
{
    int keyword = place && strstr(message, "syntax error") ? keyword_at(place) : 0;

    hint[0] = '\0';
    if (keyword)
        snprintf(hint, 160, "a column that is called as a word of SQL stands in quotation marks: \"%.*s\"", keyword,
                 place);
    else if (strncmp(message, "no such table", 13) == 0)
        snprintf(hint, 160, "tables are written CELL.STREAM; run `cell sql --list`");
    else if (strncmp(message, "no such column", 14) == 0)
        snprintf(hint, 160, "run `cell sql --list`");
}

static int wrong_statement(struct sql *sql, const char *statement, const char *message)
{
    const int at = sqlite3_error_offset(sql->db);
    const char *place = at >= 0 && (size_t)at <= strlen(statement) ? statement + at : NULL, *begin = statement;
    int line = 1, column = 1;
    char hint[160];

    hint_for(message, place, hint);
    if (!place)
        return cli_error(sql->cli, CLI_FAILED, hint[0] ? hint : NULL, "%s", message);
    for (const char *c = statement; c < place; c++) {
        line += *c == '\n';
        begin = *c == '\n' ? c + 1 : begin;
    }
    for (const char *c = begin; c < place; c++)
        column += ((unsigned char)*c & 0xc0) != 0x80;
    int r = cli_error(sql->cli, CLI_FAILED, hint[0] ? hint : NULL, "line %d, column %d: %s", line, column, message);
    show_place(sql->cli, begin, place);
    return r;
}

/* What went wrong, in `said`, where it is not the statement; an exit code, or CLI_OK: it is. */
static int other_failure(struct sql *sql, const struct sql_problem *problem, struct cell_buffer *said)
{
    if (problem) {
        cell_buffer_printf(said, "%s%s%s: %s", problem->cell, problem->table ? "." : "",
                           problem->table ? problem->table : " cannot be asked", problem->error.text);
        return problem->table ? CLI_FAILED : cli_exit_of(problem->error.status);
    }
    if (sql_stopped(sql) == SQL_TIMED_OUT) {
        cell_buffer_puts(said, "it has taken longer than --timeout allows");
        return CLI_FAILED;
    }
    if (sql->failed.status) {
        cell_buffer_puts(said, sql->failed.text);
        return sql->failed.status == CELL_UNAVAILABLE ? CLI_UNAVAILABLE : CLI_FAILED;
    }
    if (sql->refused) {
        cell_buffer_printf(said, "`cell sql` only reads: %s is refused", sql->refused);
        return CLI_FAILED;
    }
    return CLI_OK;
}

/* `begun`: a document has begun, and will tell of it. */
static int fail(struct sql *sql, const char *statement, bool begun, struct cell_buffer *said)
{
    static const char no_table[] = "no such table: ";
    const char *message = sqlite3_errmsg(sql->db);
    const bool json = sql->cli->json, missing = strncmp(message, no_table, strlen(no_table)) == 0;
    const struct sql_problem *problem = missing ? sql_find_problem(sql, message + strlen(no_table)) : NULL;
    char hint[160] = "";

    if (!problem && sql_stopped(sql) == SQL_TIMED_OUT) /* perhaps it was waited for a cell */
        problem = sql->problems;
    int r = other_failure(sql, problem, said);
    if (r == CLI_UNAVAILABLE && problem)
        snprintf(hint, sizeof(hint), "run `cell up %s`, or `cell doctor`", problem->cell);
    sql->cli->json = json && !begun;
    if (sql_stopped(sql) == SQL_INTERRUPTED) {
        said->len = 0;
        cell_buffer_puts(said, "interrupted");
        r = cli_error(sql->cli, CLI_INTERRUPTED, NULL, "interrupted");
    } else if (r != CLI_OK) {
        cli_error(sql->cli, r, hint[0] ? hint : NULL, "%s", said->data ? said->data : "out of memory");
    } else {
        cell_buffer_puts(said, message);
        r = wrong_statement(sql, statement, message);
    }
    sql->cli->json = json;
    return r;
}

/* ---- carried out ---- */

/* Whether there is something behind the statement but semicolons, spaces and comments. */
static bool is_alone(struct sql *sql, const char *behind)
{
    sqlite3_stmt *next = NULL;
    bool alone = true;

    while (alone && *behind) {
        const char *before = behind;
        alone = sqlite3_prepare_v2(sql->db, behind, -1, &next, &behind) == SQLITE_OK && !next;
        sqlite3_finalize(next);
        if (behind == before)
            break;
    }
    return alone;
}

static int prepare(struct sql *sql, const char *statement, sqlite3_stmt **prepared)
{
    const char *behind = statement;

    if (sqlite3_prepare_v2(sql->db, statement, -1, prepared, &behind) != SQLITE_OK) {
        struct cell_buffer said = {0};
        int r = fail(sql, statement, false, &said);
        cell_buffer_free(&said);
        return r;
    }
    if (!*prepared)
        return cli_error(sql->cli, CLI_USAGE, "run `cell help sql`", "there is no statement");
    if (!is_alone(sql, behind)) {
        sqlite3_finalize(*prepared);
        return cli_error(sql->cli, CLI_USAGE, NULL, "there is more than one statement");
    }
    sql->refused = NULL;
    return CLI_OK;
}

int sql_run(struct sql *sql, const char *statement, struct sql_output *o)
{
    struct cell_buffer said = {0};
    sqlite3_stmt *prepared = NULL;
    int r = prepare(sql, statement, &prepared), step;

    if (r != CLI_OK)
        return sql_output_close(o, r, "");
    bool goes_on = sql_output_begin(o, prepared);
    while ((step = goes_on ? sqlite3_step(prepared) : SQLITE_DONE) == SQLITE_ROW)
        goes_on = sql_output_row(o, prepared);
    if (step != SQLITE_DONE || sql_stopped(sql) != SQL_GOES_ON)
        r = fail(sql, statement, o->format == SQL_JSON && !o->path, &said);
    sqlite3_finalize(prepared);
    r = sql_output_close(o, r, said.data ? said.data : "");
    cell_buffer_free(&said);
    return r;
}
