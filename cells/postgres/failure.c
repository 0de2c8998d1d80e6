/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "failure.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

int pg_fail(struct pg_failure *f, int status, const char *format, ...)
{
    va_list args;

    if (!f)
        return status;
    memset(f, 0, sizeof(*f));
    va_start(args, format);
    vsnprintf(f->text, sizeof(f->text), format, args);
    va_end(args);
    return status;
}

int pg_fail_context(struct pg_failure *f, int status, const char *format, ...)
{
    char context[256], text[sizeof(f->text)];
    va_list args;

    if (!f)
        return status;
    va_start(args, format);
    vsnprintf(context, sizeof(context), format, args);
    va_end(args);
    memcpy(text, f->text, sizeof(text));
    snprintf(f->text, sizeof(f->text), "%s: %.760s", context, text);
    return status;
}

/* A SQLSTATE of five characters, or a class of two. The first that fits holds. */
static const struct {
    char state[6];
    int status;
} statuses[] = {
    {"08007", CELL_UNKNOWN_OUTCOME},
    {"08", CELL_UNAVAILABLE},
    {"0A", CELL_UNIMPLEMENTED},
    {"22", CELL_INVALID_ARGUMENT},
    {"23502", CELL_INVALID_ARGUMENT},
    {"23505", CELL_ALREADY_EXISTS},
    {"23P01", CELL_ALREADY_EXISTS},
    {"23514", CELL_INVALID_ARGUMENT},
    {"23", CELL_FAILED_PRECONDITION},
    {"25006", CELL_FAILED_PRECONDITION},
    {"25P03", CELL_ABORTED},
    {"25P04", CELL_ABORTED},
    {"28", CELL_PERMISSION_DENIED},
    {"3D", CELL_NOT_FOUND},
    {"40003", CELL_UNKNOWN_OUTCOME},
    {"40", CELL_ABORTED},
    {"42501", CELL_PERMISSION_DENIED},
    {"42", CELL_FAILED_PRECONDITION},
    {"53", CELL_RESOURCE_EXHAUSTED},
    {"54", CELL_INVALID_ARGUMENT},
    {"55P03", CELL_DEADLINE_EXCEEDED},
    {"55", CELL_FAILED_PRECONDITION},
    {"57014", CELL_DEADLINE_EXCEEDED},
    {"57P", CELL_UNAVAILABLE},
    {"58030", CELL_RESOURCE_EXHAUSTED},
};

int pg_status_of(const char *sqlstate)
{
    if (!sqlstate || !sqlstate[0])
        return CELL_UNAVAILABLE;
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
        if (strncmp(sqlstate, statuses[i].state, strlen(statuses[i].state)) == 0)
            return statuses[i].status;
    return CELL_INTERNAL;
}

/* The first lines of libpq's text, joined to one. */
static void copy_line(char *out, size_t size, const char *text)
{
    size_t n = 0;

    for (; *text && n + 1 < size; text++) {
        bool space = *text == '\n' || *text == '\t' || *text == '\r';
        if (!space)
            out[n++] = *text;
        else if (n > 0 && out[n - 1] != ' ')
            out[n++] = ' ';
    }
    while (n > 0 && out[n - 1] == ' ')
        n--;
    out[n] = '\0';
}

static void copy_field(char *out, size_t size, const PGresult *result, int field)
{
    const char *text = PQresultErrorField(result, field);

    copy_line(out, size, text ? text : "");
}

int pg_fail_result(struct pg_failure *f, const PGconn *conn, const PGresult *result)
{
    const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    int status = pg_status_of(state);

    if (!f)
        return status;
    memset(f, 0, sizeof(*f));
    if (!state) {
        const char *text = conn ? PQerrorMessage(conn) : NULL;
        copy_line(f->text, sizeof(f->text), text && text[0] ? text : "the connection to the database was lost");
        return status;
    }
    copy_field(f->text, sizeof(f->text), result, PG_DIAG_MESSAGE_PRIMARY);
    copy_field(f->sqlstate, sizeof(f->sqlstate), result, PG_DIAG_SQLSTATE);
    copy_field(f->constraint, sizeof(f->constraint), result, PG_DIAG_CONSTRAINT_NAME);
    copy_field(f->column, sizeof(f->column), result, PG_DIAG_COLUMN_NAME);
    copy_field(f->table, sizeof(f->table), result, PG_DIAG_TABLE_NAME);
    return status;
}
