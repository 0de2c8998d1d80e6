/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "failure.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST 1024 /* of a text before it is shortened */

/* Bytes of the UTF-8 character at `s`, 0 when it is none; it ends with a NUL. */
static size_t character(const unsigned char *s)
{
    size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;

    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
        (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;
    return n;
}

/* Copies what fits, with '?' for what cannot be shown: a server that has not begun speaks its own encoding. */
static void copy_text(char *to, size_t size, const char *from)
{
    const unsigned char *s = (const unsigned char *)(from ? from : "");
    size_t n = 0;

    while (*s) {
        size_t k = character(s);
        if (n + (k ? k : 1) >= size)
            break;
        if (k == 0 || *s < ' ' || *s == 0x7f) {
            to[n++] = *s == '\n' || *s == '\t' ? ' ' : '?';
            s++;
            continue;
        }
        memcpy(to + n, s, k);
        n += k;
        s += k;
    }
    to[n] = '\0';
}

#define CUT "…"

const char *pg_shorten(char *to, size_t size, const char *text, size_t length)
{
    size_t n = strnlen(text, length), most = size - sizeof(CUT), end = 0, word = 0;

    if (n < size) {
        memcpy(to, text, n);
        to[n] = '\0';
        return to;
    }
    for (size_t k; end < most; end += k) {
        k = character((const unsigned char *)text + end);
        k = k ? k : 1;
        if (end + k > most)
            break;
        word = text[end] == ' ' ? end : word;
    }
    /* A word that is half of it is cut all the same. */
    end = text[end] == ' ' || word < end / 2 ? end : word;
    memcpy(to, text, end);
    memcpy(to + end, CUT, sizeof(CUT));
    return to;
}

/* The text alone; what PostgreSQL has said stays. */
static int say(struct pg_failure *f, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int say(struct pg_failure *f, const char *format, ...)
{
    char text[LONGEST], shown[LONGEST];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    copy_text(shown, sizeof(shown), text);
    pg_shorten(f->text, sizeof(f->text), shown, SIZE_MAX);
    return f->status;
}

int pg_fail(struct pg_failure *f, int status, const char *format, ...)
{
    char text[LONGEST];
    va_list args;

    if (!f)
        return status;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    memset(f, 0, sizeof(*f));
    f->status = status;
    return say(f, "%s", text);
}

int pg_fail_context(struct pg_failure *f, int status, const char *format, ...)
{
    char whole[LONGEST], context[256], text[sizeof(f->text)];
    va_list args;

    if (!f)
        return status;
    va_start(args, format);
    vsnprintf(whole, sizeof(whole), format, args);
    va_end(args);
    pg_shorten(context, sizeof(context), whole, SIZE_MAX);
    memcpy(text, f->text, sizeof(text));
    f->status = status;
    f->names[0] = '\0';
    return say(f, "%s: %s", context, text);
}

/* ---- the columns that a sentence begins with ---- */

/* Of very many the first. */
static void add_name(struct pg_failure *f, const char *name)
{
    size_t at = 0, n;

    while ((n = strlen(f->names + at)) > 0)
        at += n + 1;
    if (at + strlen(name) + 2 <= sizeof(f->names))
        memcpy(f->names + at, name, strlen(name) + 1);
}

/* One of the list: a name, in quotes if it has to be, or an expression as it is. False for an expression. */
static bool take_name(struct pg_failure *f, const char *begin, size_t length)
{
    char text[256], name[256];
    size_t n = 0;
    bool quoted = length >= 2 && begin[0] == '"', plain = quoted || strcspn(begin, "(") >= length;

    if (length >= sizeof(text))
        return false;
    for (size_t i = quoted; i < length - quoted; i++) {
        text[n++] = begin[i];
        i += quoted && begin[i] == '"';
    }
    text[n] = '\0';
    copy_text(name, sizeof(name), text);
    add_name(f, name);
    return plain;
}

/* Behind the quoted name or text that begins at `s`. */
static const char *skip_quoted(const char *s)
{
    const char *end = strchr(s + 1, *s);

    return end ? end + 1 : s + strlen(s);
}

/* "Key (a, "b c", lower(d))=(1, 2, 3) already exists.", in any language: what is between the first parentheses, as
 * names; none of them when it is written otherwise. The column when it is only one. Returns how many. */
static unsigned key_columns(struct pg_failure *f, const char *detail)
{
    const char *s = detail ? strchr(detail, '(') : NULL, *begin = s ? s + 1 : NULL;
    unsigned n = 0, depth = 0;
    bool plain = true;

    while (s && *s) {
        if (*s == '"' || *s == '\'') {
            s = skip_quoted(s);
            continue;
        }
        depth += *s == '(';
        depth -= *s == ')';
        if (depth == 0 || (depth == 1 && *s == ',')) {
            plain = take_name(f, begin, (size_t)(s - begin)) && plain;
            begin = s + 2; /* ", " */
            n++;
        }
        if (depth == 0)
            break;
        s++;
    }
    if (!s || strncmp(s, ")=(", 3) != 0 || !f->names[0]) {
        memset(f->names, 0, sizeof(f->names));
        return 0;
    }
    if (n == 1 && plain)
        snprintf(f->column, sizeof(f->column), "%.63s", f->names);
    return n;
}

static const char *own_name(void *user, const char *column)
{
    (void)user;
    return column;
}

static size_t join(const struct pg_failure *f, const char *(*field_of)(void *user, const char *column), void *user,
                   char *text, size_t size)
{
    size_t length = 0;

    text[0] = '\0';
    for (const char *name = f->names; *name && length < size - 1; name += strlen(name) + 1) {
        int n = snprintf(text + length, size - length, "%s%s", length ? ", " : "", field_of(user, name));
        length += n < 0 ? 0 : (size_t)n < size - length ? (size_t)n : size - length - 1;
    }
    return length;
}

/* The names, and what is to be said of them. */
static void say_of_names(struct pg_failure *f, const char *what)
{
    char names[sizeof(f->names) * 2];

    f->named = join(f, own_name, NULL, names, sizeof(names));
    say(f, "%s%s", names, what);
}

void pg_failure_name_fields(struct pg_failure *f, const char *(*field_of)(void *user, const char *column), void *user)
{
    char names[sizeof(f->text)], rest[sizeof(f->text)];

    if (!f->names[0])
        return;
    if (f->column[0])
        snprintf(f->field, sizeof(f->field), "%.63s", field_of(user, f->column));
    pg_shorten(rest, sizeof(rest) / 2, f->text + f->named, SIZE_MAX);
    f->named = join(f, field_of, user, names, sizeof(names) / 2);
    say(f, "%s%s", names, rest);
}

/* Of one column or of several, as the detail names them; else of the constraint. */
static void say_of_key(struct pg_failure *f, const char *detail, const char *one, const char *several,
                       const char *of_constraint)
{
    unsigned n = key_columns(f, detail);

    if (n)
        say_of_names(f, n > 1 ? several : one);
    else
        say(f, "%s '%s'", of_constraint, f->constraint);
}

static bool ends_in_quoted(const char *text, const char *name)
{
    const char *end = strrchr(text, '"');
    size_t n = strlen(name);

    return end && (size_t)(end - text) > n && end[-(ptrdiff_t)n - 1] == '"' && strncmp(end - n, name, n) == 0;
}

/*
 * Whether the table that has the constraint still refers to the row. In English the message names the constraint last
 * when the reference itself is wrong: 'insert or update on table "a" violates foreign key constraint "c"', and 'update
 * or delete on table "b" violates foreign key constraint "c" on table "a"'. In other languages the detail ends in the
 * name of the other table, which tells nothing when that is the same.
 */
static bool is_referenced(const struct pg_failure *f, const char *primary, const char *detail)
{
    const char *values = detail ? strstr(detail, ")=(") : NULL;

    if (primary && strncmp(primary, "insert or update on", 19) == 0 && ends_in_quoted(primary, f->constraint))
        return false;
    return values && ends_in_quoted(values, f->table);
}

static void describe_foreign_key(struct pg_failure *f, const char *primary, const char *detail)
{
    if (is_referenced(f, primary, detail)) { /* the columns are those that are referred to, of another table */
        say(f, "rows of '%s' refer to it", f->table);
        return;
    }
    say_of_key(f, detail, " refers to a row that does not exist", " refer to a row that does not exist",
               "a row does not exist that is asked for by");
}

/* The column of a check that belongs to one: TABLE_COLUMN_check as PostgreSQL names it, and the kinds of ours. A name
 * that may have been shortened, at the end of a character, does not tell it. */
static void check_column(struct pg_failure *f)
{
    static const char *const ends[] = {"_check", "_range", "_length", "_pattern", "_values", "_size"};
    size_t t = strlen(f->table), n = strlen(f->constraint);

    if (t == 0 || n <= t || n > PG_NAME_SIZE - 5 || strncmp(f->constraint, f->table, t) != 0 || f->constraint[t] != '_')
        return;
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        size_t end = strlen(ends[i]);
        if (n <= t + 1 + end || strcmp(f->constraint + n - end, ends[i]) != 0)
            continue;
        memcpy(f->column, f->constraint + t + 1, n - t - 1 - end);
        f->column[n - t - 1 - end] = '\0';
        return;
    }
}

static void describe_check(struct pg_failure *f)
{
    char what[256];

    memset(f->names, 0, sizeof(f->names));
    add_name(f, f->column);
    snprintf(what, sizeof(what), "%srefused by check '%s' of '%s'", f->column[0] ? ": " : "", f->constraint, f->table);
    say_of_names(f, what);
}

bool pg_failure_of_check(const struct pg_failure *f)
{
    return strcmp(f->sqlstate, "23514") == 0 && f->table[0] && f->constraint[0] && !f->column[0];
}

void pg_failure_check_column(struct pg_failure *f, const char *column)
{
    copy_text(f->column, sizeof(f->column), column);
    describe_check(f);
}

/* The detail has a line for each object that is in the way, and names nothing but objects. */
static void say_of_dependents(struct pg_failure *f, const char *what, const char *detail)
{
    char lines[sizeof(f->text)];
    size_t n = 0;

    for (const char *s = detail; *s && n + 2 < sizeof(lines); s++) {
        if (*s == '\n')
            lines[n++] = ';';
        lines[n++] = *s == '\n' ? ' ' : *s;
    }
    lines[n] = '\0';
    say(f, "%s: %s", what, lines);
}

static void describe(struct pg_failure *f, const char *primary, const char *detail)
{
    bool raised = strncmp(f->sqlstate, "23", 2) == 0 && f->table[0] == '\0'; /* of a domain, or by a trigger */

    if (raised && primary && primary[0]) {
        say(f, "%s", primary);
    } else if (strcmp(f->sqlstate, "23505") == 0) {
        say_of_key(f, detail, " already exists", " already exist together", "a row already exists for");
    } else if (strcmp(f->sqlstate, "23503") == 0) {
        describe_foreign_key(f, primary, detail);
    } else if (strcmp(f->sqlstate, "23502") == 0) {
        add_name(f, f->column);
        say_of_names(f, " must not be NULL");
    } else if (strcmp(f->sqlstate, "23P01") == 0) {
        say_of_key(f, detail, " conflicts with that of another row", " conflict with those of another row",
                   "another row conflicts, by");
    } else if (strcmp(f->sqlstate, "23514") == 0) {
        check_column(f);
        describe_check(f);
    } else if (strcmp(f->sqlstate, "2BP01") == 0 && detail && detail[0]) {
        say_of_dependents(f, "others depend on it", detail);
    } else if (strcmp(f->sqlstate, "0A000") == 0 && f->status == CELL_ABORTED) {
        say(f, "a table that the statement reads was changed meanwhile: run the transaction again");
    } else if (strcmp(f->sqlstate, "0A000") == 0 && primary && detail && detail[0]) {
        say_of_dependents(f, primary, detail);
    } else if (strcmp(f->sqlstate, "25P02") == 0) {
        say(f, "an earlier call of this transaction has failed, so that nothing more can be done in it");
    } else if (strcmp(f->sqlstate, "53100") == 0) {
        say(f, "the disk of the database is full");
    } else if (strncmp(f->sqlstate, "28", 2) == 0) {
        say(f, "the database does not let this cell in");
    } else {
        say(f, "%s", primary && primary[0] ? primary : "the database failed");
    }
}

int pg_fail_result(struct pg_failure *f, const PGresult *result)
{
    const char *position = result ? PQresultErrorField(result, PG_DIAG_STATEMENT_POSITION) : NULL;
    const char *sqlstate = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;

    if (!result)
        return pg_fail(f, CELL_NO_MEMORY, "out of memory");
    if (!sqlstate) /* libpq itself says it */
        return pg_fail(f, CELL_UNAVAILABLE, "the connection to the database was lost");
    int status = pg_fail(f, pg_is_stale_plan(result) ? CELL_ABORTED : pg_status_of(sqlstate), "%s", "");
    if (!f)
        return status;
    copy_text(f->sqlstate, sizeof(f->sqlstate), sqlstate);
    copy_text(f->schema, sizeof(f->schema), PQresultErrorField(result, PG_DIAG_SCHEMA_NAME));
    copy_text(f->table, sizeof(f->table), PQresultErrorField(result, PG_DIAG_TABLE_NAME));
    copy_text(f->column, sizeof(f->column), PQresultErrorField(result, PG_DIAG_COLUMN_NAME));
    copy_text(f->constraint, sizeof(f->constraint), PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME));
    f->position = position ? atoi(position) : 0;
    describe(f, PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY),
             PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL));
    return f->status;
}

/* What libpq says of a connection has no SQLSTATE: these are known by their words, in English alone. */
static bool is_refusal(PGconn *connection, const char *text)
{
    return PQconnectionNeedsPassword(connection) || PQconnectionUsedPassword(connection) ||
           strstr(text, "authentication failed") || strstr(text, "no pg_hba.conf entry") ||
           strstr(text, "permission denied for database") ||
           (strstr(text, "role \"") && strstr(text, "does not exist"));
}

int pg_fail_connection(struct pg_failure *f, PGconn *connection, const char *doing)
{
    char text[400];

    if (!connection)
        return pg_fail(f, CELL_NO_MEMORY, "%s: out of memory", doing);
    copy_text(text, sizeof(text), PQerrorMessage(connection));
    for (size_t n = strlen(text); n > 0 && text[n - 1] == ' ';)
        text[--n] = '\0';
    return pg_fail(f, is_refusal(connection, text) ? CELL_PERMISSION_DENIED : CELL_UNAVAILABLE, "%s: %s", doing, text);
}

int pg_answer_failure(cell_ctx *c, const struct pg_failure *f)
{
    cell_fail(c, f->status, "%s", f->text);
    if (!f->sqlstate[0])
        return f->status;
    json_t *detail = json_pack("{ss}", "sqlstate", f->sqlstate);
    const struct {
        const char *name, *value;
    } members[] = {{"schema", f->schema},
                   {"table", f->table},
                   {"column", f->column},
                   {"field", f->field},
                   {"constraint", f->constraint}};
    for (size_t i = 0; detail && i < sizeof(members) / sizeof(members[0]); i++)
        if (members[i].value[0])
            json_object_set_new(detail, members[i].name, json_string(members[i].value));
    char *text = detail ? json_dumps(detail, JSON_COMPACT) : NULL;
    if (text)
        cell_add_detail(c, "postgres", (cell_bytes){(const uint8_t *)text, strlen(text)});
    free(text);
    json_decref(detail);
    return f->status;
}
