/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "failure.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int pg_fail(struct pg_failure *f, int status, const char *format, ...)
{
    va_list args;

    if (!f)
        return status;
    memset(f, 0, sizeof(*f));
    f->status = status;
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
    snprintf(f->text, sizeof(f->text), "%s: %.250s", context, text);
    f->status = status;
    return status;
}

/* A SQLSTATE of five characters, or how it begins. The first that fits holds. */
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
    {"25P03", CELL_ABORTED},
    {"25", CELL_FAILED_PRECONDITION},
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
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
        if (strncmp(sqlstate, statuses[i].state, strlen(statuses[i].state)) == 0)
            return statuses[i].status;
    return CELL_INTERNAL;
}

/* Joins the lines of a text to one. */
static void copy_line(char *out, size_t size, const char *text)
{
    size_t n = 0;

    for (; text && *text && n + 1 < size; text++) {
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
    copy_line(out, size, PQresultErrorField(result, field));
}

int pg_fail_result(struct pg_failure *f, const PGresult *result)
{
    const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    const char *position = result ? PQresultErrorField(result, PG_DIAG_STATEMENT_POSITION) : NULL;

    if (!result)
        return pg_fail(f, CELL_NO_MEMORY, "out of memory");
    if (!state)
        return pg_fail(f, CELL_UNAVAILABLE, "the connection to the database was lost");
    int status = pg_fail(f, pg_status_of(state), "%s", "");
    if (!f)
        return status;
    copy_field(f->text, sizeof(f->text), result, PG_DIAG_MESSAGE_PRIMARY);
    copy_field(f->sqlstate, sizeof(f->sqlstate), result, PG_DIAG_SQLSTATE);
    copy_field(f->constraint, sizeof(f->constraint), result, PG_DIAG_CONSTRAINT_NAME);
    copy_field(f->column, sizeof(f->column), result, PG_DIAG_COLUMN_NAME);
    copy_field(f->table, sizeof(f->table), result, PG_DIAG_TABLE_NAME);
    copy_field(f->schema, sizeof(f->schema), result, PG_DIAG_SCHEMA_NAME);
    f->position = position ? atoi(position) : 0;
    return status;
}

int pg_fail_connection(struct pg_failure *f, PGconn *connection, const char *doing)
{
    char text[400];
    const char *said = connection ? PQerrorMessage(connection) : "out of memory";

    copy_line(text, sizeof(text), said);
    bool refused = connection && (PQconnectionNeedsPassword(connection) || PQconnectionUsedPassword(connection) ||
                                  strstr(text, "authentication failed") || strstr(text, "no pg_hba.conf entry") ||
                                  strstr(text, "permission denied for database") ||
                                  (strstr(text, "role \"") && strstr(text, "does not exist")));
    return pg_fail(f, refused ? CELL_PERMISSION_DENIED : CELL_UNAVAILABLE, "%s: %s", doing, text);
}

int pg_answer_failure(cell_ctx *c, const struct pg_failure *f)
{
    cell_fail(c, f->status, "%s", f->text);
    if (!f->sqlstate[0])
        return f->status;
    json_t *detail = json_pack("{ss}", "sqlstate", f->sqlstate);
    const struct {
        const char *name, *value;
    } members[] = {{"schema", f->schema}, {"table", f->table}, {"column", f->column}, {"constraint", f->constraint}};
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
