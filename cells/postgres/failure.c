/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "failure.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Of several the longest prefix counts. https://www.postgresql.org/docs/15/errcodes-appendix.html */
static const struct {
    const char *prefix;
    int status;
} statuses[] = {
    {"08", CELL_UNAVAILABLE},
    {"0A", CELL_FAILED_PRECONDITION}, /* feature not supported */
    {"22", CELL_INVALID_ARGUMENT},
    {"22003", CELL_OUT_OF_RANGE},
    {"22008", CELL_OUT_OF_RANGE},
    {"23", CELL_FAILED_PRECONDITION},
    {"23502", CELL_INVALID_ARGUMENT}, /* not null */
    {"23505", CELL_ALREADY_EXISTS},
    {"23514", CELL_INVALID_ARGUMENT}, /* check */
    {"23P01", CELL_ALREADY_EXISTS},   /* exclusion */
    {"25", CELL_FAILED_PRECONDITION}, /* read-only, or the transaction has failed before */
    {"28", CELL_UNAVAILABLE},         /* the cell is refused, not its caller */
    {"3D", CELL_UNAVAILABLE},
    {"40", CELL_ABORTED},
    {"42", CELL_INTERNAL},
    {"42501", CELL_PERMISSION_DENIED},
    {"42703", CELL_FAILED_PRECONDITION}, /* no such column */
    {"42P01", CELL_FAILED_PRECONDITION}, /* no such table */
    {"42704", CELL_FAILED_PRECONDITION}, /* no such type */
    {"44", CELL_FAILED_PRECONDITION},    /* WITH CHECK OPTION */
    {"53", CELL_RESOURCE_EXHAUSTED},
    {"54", CELL_TOO_LARGE},
    {"55", CELL_FAILED_PRECONDITION},
    {"55P03", CELL_DEADLINE_EXCEEDED}, /* lock_timeout */
    {"57", CELL_UNAVAILABLE},
    {"57014", CELL_DEADLINE_EXCEEDED}, /* cancelled */
    {"58", CELL_IO_ERROR},
    {"P0", CELL_FAILED_PRECONDITION}, /* raised by a function or trigger */
    {"XX001", CELL_DATA_LOSS},
    {"XX002", CELL_DATA_LOSS},
};

int pg_status_of(const char *sqlstate)
{
    size_t best = 0;
    int status = CELL_INTERNAL;

    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        size_t n = strlen(statuses[i].prefix);
        if (n > best && strncmp(sqlstate, statuses[i].prefix, n) == 0) {
            best = n;
            status = statuses[i].status;
        }
    }
    return status;
}

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

int pg_fail(struct pg_failure *f, int status, const char *format, ...)
{
    char text[sizeof(f->text)];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    copy_text(f->text, sizeof(f->text), text);
    f->status = status;
    return status;
}

/* "Key (a, b)=(1, 2) already exists.", in any language: the names between the first parentheses. */
static void key_columns(const char *detail, char *out, size_t size)
{
    const char *begin = detail ? strchr(detail, '(') : NULL, *end = begin ? strstr(begin, ")=(") : NULL;
    char text[256];

    out[0] = '\0';
    if (!end || (size_t)(end - begin - 1) >= sizeof(text))
        return;
    memcpy(text, begin + 1, (size_t)(end - begin - 1));
    text[end - begin - 1] = '\0';
    copy_text(out, size, text);
}

static void describe_unique(struct pg_failure *f, const char *detail)
{
    char columns[256];

    key_columns(detail, columns, sizeof(columns));
    /* A key of one plain column; others are lists, or expressions. */
    if (columns[0] && !strpbrk(columns, ",(") && strlen(columns) < sizeof(f->column))
        memcpy(f->column, columns, strlen(columns) + 1);
    if (columns[0])
        pg_fail(f, f->status, strchr(columns, ',') ? "%s already exist together" : "%s already exists", columns);
    else
        pg_fail(f, f->status, "a row already exists for '%s'", f->constraint);
}

/* Whether the detail ends in the name of the table that has the constraint: then that one still refers to the row. */
static bool is_referenced(const struct pg_failure *f, const char *detail)
{
    const char *values = detail ? strstr(detail, ")=(") : NULL, *end = values ? strrchr(values, '"') : NULL;
    size_t n = strlen(f->table);

    return end && (size_t)(end - values) > n + 1 && end[-(ptrdiff_t)n - 1] == '"' && strncmp(end - n, f->table, n) == 0;
}

static void describe_foreign_key(struct pg_failure *f, const char *detail)
{
    char columns[256];

    key_columns(detail, columns, sizeof(columns));
    if (is_referenced(f, detail)) {
        pg_fail(f, f->status, "rows of '%s' refer to it", f->table);
        return;
    }
    if (columns[0] && !strchr(columns, ',') && strlen(columns) < sizeof(f->column))
        memcpy(f->column, columns, strlen(columns) + 1);
    if (columns[0])
        pg_fail(f, f->status, "%s refers to a row that does not exist", columns);
    else
        pg_fail(f, f->status, "a row that '%s' asks for does not exist", f->constraint);
}

/* The column of a check that PostgreSQL has named itself: TABLE_COLUMN_check. */
static void check_column(struct pg_failure *f)
{
    size_t t = strlen(f->table), n = strlen(f->constraint);

    if (t == 0 || n <= t + 7 || strncmp(f->constraint, f->table, t) != 0 || f->constraint[t] != '_' ||
        strcmp(f->constraint + n - 6, "_check") != 0)
        return;
    memcpy(f->column, f->constraint + t + 1, n - t - 7);
    f->column[n - t - 7] = '\0';
}

static void describe(struct pg_failure *f, const char *primary, const char *detail)
{
    if (strcmp(f->sqlstate, "23505") == 0) {
        describe_unique(f, detail);
    } else if (strcmp(f->sqlstate, "23503") == 0) {
        describe_foreign_key(f, detail);
    } else if (strcmp(f->sqlstate, "23502") == 0) {
        pg_fail(f, f->status, "%s must not be NULL", f->column);
    } else if (strcmp(f->sqlstate, "23514") == 0) {
        check_column(f);
        pg_fail(f, f->status, "%s%srefused by check '%s' of '%s'", f->column, f->column[0] ? ": " : "", f->constraint,
                f->table);
    } else if (strcmp(f->sqlstate, "25P02") == 0) {
        pg_fail(f, f->status, "an earlier call of this transaction has failed, so that nothing more can be done in it");
    } else if (strcmp(f->sqlstate, "53100") == 0) {
        pg_fail(f, f->status, "the disk of the database is full");
    } else if (strncmp(f->sqlstate, "28", 2) == 0) {
        pg_fail(f, f->status, "the database does not let this cell in");
    } else {
        pg_fail(f, f->status, "%s", primary && primary[0] ? primary : "the database failed");
    }
}

int pg_fail_result(struct pg_failure *f, const PGresult *result)
{
    const char *position = result ? PQresultErrorField(result, PG_DIAG_STATEMENT_POSITION) : NULL;
    const char *sqlstate = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;

    *f = (struct pg_failure){0};
    if (!result)
        return pg_fail(f, CELL_NO_MEMORY, "out of memory");
    if (!sqlstate) /* libpq itself says it */
        return pg_fail(f, CELL_UNAVAILABLE, "the connection to the database was lost");
    copy_text(f->sqlstate, sizeof(f->sqlstate), sqlstate);
    copy_text(f->schema, sizeof(f->schema), PQresultErrorField(result, PG_DIAG_SCHEMA_NAME));
    copy_text(f->table, sizeof(f->table), PQresultErrorField(result, PG_DIAG_TABLE_NAME));
    copy_text(f->column, sizeof(f->column), PQresultErrorField(result, PG_DIAG_COLUMN_NAME));
    copy_text(f->constraint, sizeof(f->constraint), PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME));
    if (position && sscanf(position, "%9d", &f->position) != 1)
        f->position = 0;
    f->status = pg_status_of(f->sqlstate);
    describe(f, PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY),
             PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL));
    return f->status;
}

int pg_fail_connection(struct pg_failure *f, PGconn *connection, const char *doing)
{
    const char *message = connection ? PQerrorMessage(connection) : NULL;
    const char *reason = message ? strstr(message, "failed: ") : NULL;
    char line[256];

    *f = (struct pg_failure){0};
    if (!message)
        return pg_fail(f, CELL_NO_MEMORY, "%s: out of memory", doing);
    /* Before it come the address and the user; after the first line, advice. */
    if (!reason)
        return pg_fail(f, CELL_UNAVAILABLE, "%s: the database cannot be reached", doing);
    reason += strlen("failed: ");
    snprintf(line, sizeof(line), "%.*s", (int)strcspn(reason, "\n"), reason);
    return pg_fail(f, CELL_UNAVAILABLE, "%s: %s", doing, line);
}

/* Appends ,"key":"value", unless there is none. `text` always holds what was appended as a whole. */
static void add_member(char *text, size_t size, const char *key, const char *value)
{
    size_t n = strlen(text), begin = n;

    if (!value[0])
        return;
    int k = snprintf(text + n, size - n, "%s\"%s\":\"", n > 1 ? "," : "", key);
    n += k > 0 ? (size_t)k : 0;
    for (; *value && n + 3 < size; value++) {
        if (*value == '"' || *value == '\\')
            text[n++] = '\\';
        text[n++] = *value;
    }
    if (*value || n + 2 >= size) {
        text[begin] = '\0';
        return;
    }
    text[n++] = '"';
    text[n] = '\0';
}

int pg_answer_failure(cell_ctx *c, const struct pg_failure *f)
{
    char detail[1024] = "{";

    cell_fail(c, f->status, "%s", f->text);
    if (!f->sqlstate[0])
        return f->status;
    add_member(detail, sizeof(detail) - 1, "sqlstate", f->sqlstate);
    add_member(detail, sizeof(detail) - 1, "schema", f->schema);
    add_member(detail, sizeof(detail) - 1, "table", f->table);
    add_member(detail, sizeof(detail) - 1, "column", f->column);
    add_member(detail, sizeof(detail) - 1, "constraint", f->constraint);
    strcat(detail, "}");
    cell_add_detail(c, "postgres", (cell_bytes){(const uint8_t *)detail, strlen(detail)});
    return f->status;
}
