/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The methods for what is known only at run time: statements, notifications. */
#include "postgres.h"

#include <stdlib.h>
#include <time.h>

#include "execute.h"
#include "listen.h"
#include "service.h"
#include "testdb.h"

/* How long a listener waits before it looks whether its client is still there. */
#define SLICE_MS 100

static struct pg_service *service_of(cell_ctx *c) { return cell_ctx_user(c); }

static int no_memory(cell_ctx *c) { return cell_fail(c, CELL_NO_MEMORY, "out of memory"); }

static int give_rows(cell_ctx *c, const struct pg_execute_result *result, struct postgres_rows *rows)
{
    size_t n = result->nrows * result->ncolumns;
    struct postgres_value *values = cell_ctx_alloc(c, (n + 1) * sizeof(*values));
    struct postgres_column *columns = cell_ctx_alloc(c, (result->ncolumns + 1) * sizeof(*columns));

    if (!values || !columns)
        return no_memory(c);
    for (size_t i = 0; i < n; i++)
        values[i] = (struct postgres_value){result->values[i].null, result->values[i].text};
    for (size_t i = 0; i < result->ncolumns; i++)
        columns[i] = (struct postgres_column){result->columns[i].name, result->columns[i].type};
    *rows = (struct postgres_rows){
        {columns, result->ncolumns}, {values, n}, result->nrows, result->affected, result->command};
    return CELL_OK;
}

int postgres_execute(cell_ctx *c, cell_str sql, postgres_values parameters, struct postgres_rows *rows)
{
    struct pg_execute_value *values = cell_ctx_alloc(c, (parameters.len + 1) * sizeof(*values));
    struct pg_execute_result result;
    struct pg_failure f;

    if (!values)
        return no_memory(c);
    for (uint64_t i = 0; i < parameters.len; i++)
        values[i] = (struct pg_execute_value){parameters.ptr[i].is_null, parameters.ptr[i].text};
    if (pg_execute(service_of(c)->engine, c, sql, values, parameters.len, &result, &f) < 0)
        return pg_answer_failure(c, &f);
    return give_rows(c, &result, rows);
}

int postgres_notify(cell_ctx *c, cell_str channel, cell_str payload)
{
    struct pg_failure f;

    if (pg_notify(service_of(c)->engine, c, channel, payload, &f) < 0)
        return pg_answer_failure(c, &f);
    return CELL_OK;
}

int postgres_listen(cell_ctx *c, cell_str channel, postgres_notifications out)
{
    cell_str name = cell_ctx_copy(c, channel);
    struct pg_listener *listener = NULL;
    struct pg_notice notice;
    struct pg_failure f;
    int r = CELL_OK;

    if (!name.ptr)
        return no_memory(c);
    if (strlen(name.ptr) != name.len)
        return cell_fail(c, CELL_INVALID_ARGUMENT, "the name of a channel holds no NUL");
    if (pg_listen(service_of(c)->listeners, name.ptr, &listener, &f) < 0)
        return pg_answer_failure(c, &f);
    while (r >= 0 && !cell_ctx_cancelled(c)) {
        if (!pg_listener_next(listener, SLICE_MS, &notice))
            continue;
        struct postgres_notification record = {(enum postgres_event)notice.what, notice.pid, cell_strz(notice.payload)};
        r = postgres_notifications_put(out, &record, 1);
        free(notice.payload);
    }
    pg_unlisten(listener);
    return r < 0 ? r : CELL_CANCELLED;
}

int postgres_test_database(cell_ctx *c, cell_str source, postgres_tests out)
{
    const struct pg_service *s = service_of(c);
    cell_str name = cell_ctx_copy(c, source);
    const struct pg_testdb_options options = {&s->migrations.target, s->bindir, name.ptr};
    const struct timespec slice = {.tv_nsec = SLICE_MS * 1000000L};
    struct pg_testdb *db = NULL;
    struct pg_failure f;

    if (!name.ptr)
        return no_memory(c);
    if (pg_testdb_create(&options, &db, &f) < 0)
        return pg_answer_failure(c, &f);
    const struct postgres_test record = {cell_strz(pg_testdb_name(db)), cell_strz(pg_testdb_conninfo(db))};
    int r = postgres_tests_put(out, &record, 1);
    while (r >= 0 && !cell_ctx_cancelled(c))
        nanosleep(&slice, NULL);
    pg_testdb_drop(db);
    return r < 0 ? r : CELL_CANCELLED;
}
