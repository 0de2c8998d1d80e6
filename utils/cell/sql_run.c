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

/* The line with byte `at` of the statement, and a mark below it, as compilers do. */
static void show_place(struct cli *cli, const char *statement, const char *begin, size_t at)
{
    struct cell_buffer b = {0};
    size_t length = strcspn(begin, "\r\n");

    if (cli->json)
        return;
    cell_buffer_puts(&b, "  ");
    cell_buffer_append(&b, begin, length);
    cell_buffer_puts(&b, "\n  ");
    for (const char *c = begin; c < statement + at; c++)
        if (((unsigned char)*c & 0xc0) != 0x80)
            cell_buffer_puts(&b, *c == '\t' ? "\t" : " ");
    cell_buffer_puts(&b, "^");
    if (cell_buffer_ok(&b))
        cli_say(cli, "%s", b.data);
    cell_buffer_free(&b);
}

static bool is_keyword_at(const char *at)
{
    size_t n = strspn(at, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");

    return n > 0 && sqlite3_keyword_check(at, (int)n);
}

static int wrong_statement(struct sql *sql, const char *statement, struct cell_buffer *said)
{
    int at = sqlite3_error_offset(sql->db), line = 1, column = 1;
    const char *message = sqlite3_errmsg(sql->db), *begin = statement, *hint = NULL;

    if (at < 0 || (size_t)at > strlen(statement)) {
        cell_buffer_puts(said, message);
        return cli_error(sql->cli, CLI_FAILED, NULL, "%s", message);
    }
    for (const char *c = statement; c < statement + at; c++) {
        line += *c == '\n';
        begin = *c == '\n' ? c + 1 : begin;
    }
    for (const char *c = begin; c < statement + at; c++)
        column += ((unsigned char)*c & 0xc0) != 0x80;
    if (strstr(message, "syntax error") && is_keyword_at(statement + at))
        hint = "a column that is called as a word of SQL stands in quotation marks: \"from\"";
    else if (strncmp(message, "no such table", 13) == 0)
        hint = "tables are written CELL.STREAM; run `cell sql --list`";
    else if (strncmp(message, "no such column", 14) == 0)
        hint = "run `cell sql --list`";
    cell_buffer_puts(said, message);
    int r = cli_error(sql->cli, CLI_FAILED, hint, "line %d, column %d: %s", line, column, message);
    show_place(sql->cli, statement, begin, (size_t)at);
    return r;
}

static int problem_of(struct sql *sql, const struct sql_problem *p, struct cell_buffer *said)
{
    char hint[160];
    int code = p->table ? CLI_FAILED : cli_exit_of(p->error.status);

    snprintf(hint, sizeof(hint), "run `cell up %s`, or `cell doctor`", p->cell);
    cell_buffer_printf(said, "%s%s%s: %s", p->cell, p->table ? "." : "", p->table ? p->table : " cannot be asked",
                       p->error.text);
    const char *text = cell_buffer_ok(said) && said->data ? said->data : p->error.text;
    return cli_error(sql->cli, code, code == CLI_UNAVAILABLE ? hint : NULL, "%s", text);
}

/* `begun`: a document that has begun will tell of it. */
static int fail(struct sql *sql, const char *statement, bool begun, struct cell_buffer *said)
{
    static const char no_table[] = "no such table: ";
    const char *message = sqlite3_errmsg(sql->db);
    const struct sql_problem *problem =
        strncmp(message, no_table, strlen(no_table)) == 0 ? sql_find_problem(sql, message + strlen(no_table)) : NULL;
    enum sql_stopped stopped = sql_stopped(sql);
    bool json = sql->cli->json;
    int r;

    sql->cli->json = json && !begun;
    if (stopped == SQL_INTERRUPTED) {
        cell_buffer_puts(said, "interrupted");
        r = cli_error(sql->cli, CLI_INTERRUPTED, NULL, "interrupted");
    } else if (stopped == SQL_TIMED_OUT) {
        cell_buffer_puts(said, "it has taken longer than --timeout allows");
        r = cli_error(sql->cli, CLI_FAILED, NULL, "%s", said->data ? said->data : "timeout");
    } else if (sql->failed.status) {
        cell_buffer_puts(said, sql->failed.text);
        r = cli_error(sql->cli, sql->failed.status == CELL_UNAVAILABLE ? CLI_UNAVAILABLE : CLI_FAILED, NULL, "%s",
                      sql->failed.text);
    } else if (sql->refused) {
        cell_buffer_printf(said, "`cell sql` only reads: %s is refused", sql->refused);
        r = cli_error(sql->cli, CLI_FAILED, NULL, "`cell sql` only reads: %s is refused", sql->refused);
    } else if (problem) {
        r = problem_of(sql, problem, said);
    } else {
        r = wrong_statement(sql, statement, said);
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
