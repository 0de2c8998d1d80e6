/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The methods about tables as collections of a source. */
#include "postgres.h"

#include <string.h>

#include "service.h"

#define CONNECT_MS 5000
#define AT_ONCE 1000 /* changes that are numbered for an answer, which somebody waits for */

static cell_str copy(cell_ctx *c, const char *text) { return cell_ctx_copy(c, cell_strz(text ? text : "")); }

static bool give_table(cell_ctx *c, const struct pg_feed_table *table, struct postgres_collection *out)
{
    struct postgres_field *fields = cell_ctx_alloc(c, ((size_t)table->ncolumns + 1) * sizeof(*fields));
    struct postgres_index *indexes = cell_ctx_alloc(c, ((size_t)table->nindexes + 1) * sizeof(*indexes));

    if (!fields || !indexes)
        return false;
    for (uint32_t i = 0; i < table->ncolumns; i++)
        fields[i] = (struct postgres_field){copy(c, table->columns[i].name), copy(c, table->columns[i].ctype),
                                            table->columns[i].key > 0};
    for (uint32_t i = 0; i < table->nindexes; i++)
        indexes[i] = (struct postgres_index){copy(c, table->indexes[i])};
    *out = (struct postgres_collection){.name = copy(c, table->name),
                                        .fields = {fields, table->ncolumns},
                                        .indexes = {indexes, table->nindexes},
                                        .count = (uint64_t)table->count,
                                        .position = (uint64_t)table->last,
                                        .oldest_position = (uint64_t)table->forgotten,
                                        .followed = table->followed,
                                        .problem = copy(c, table->problem)};
    return true;
}

static int give_tables(cell_ctx *c, const struct pg_feed_tables *tables, struct postgres_contents *contents)
{
    struct postgres_collection *all = cell_ctx_alloc(c, ((size_t)tables->n + 1) * sizeof(*all));
    bool room = all != NULL;

    for (uint32_t i = 0; room && i < tables->n; i++)
        room = give_table(c, &tables->at[i], &all[i]);
    if (!room)
        return cell_fail(c, CELL_NO_MEMORY, "out of memory");
    *contents = (struct postgres_contents){copy(c, tables->identity), {all, tables->n}};
    return CELL_OK;
}

/* First what is committed is numbered, so that a position says all that a reader has to read, if it is not very much. A
 * server that only reads has nothing to number. */
static int read_all(PGconn *conn, struct pg_arena *arena, struct pg_feed_tables *tables, struct pg_failure *f)
{
    bool any = false;
    int r = pg_feed_number_all(conn, AT_ONCE, &any, f);

    if (r < 0 && strcmp(f->sqlstate, "25006") != 0)
        return r;
    return pg_feed_read(conn, arena, NULL, tables, f);
}

int postgres_status(cell_ctx *c, struct postgres_contents *contents)
{
    struct pg_service *s = cell_ctx_user(c);
    struct pg_feed_tables tables;
    struct pg_arena arena = {0};
    PGconn *conn = NULL;
    struct pg_failure f = {0};
    int r = pg_lease_take(&s->leases, pg_now_ms() + CONNECT_MS, &conn, &f);

    if (r >= 0)
        r = pg_lease_give(&s->leases, conn, read_all(conn, &arena, &tables, &f), &f);
    r = r < 0 ? pg_answer_failure(c, &f) : give_tables(c, &tables, contents);
    pg_arena_free(&arena);
    return r;
}

static int change(cell_ctx *c, cell_str name, bool follow)
{
    struct pg_service *s = cell_ctx_user(c);
    struct pg_feed_tables tables;
    struct pg_arena arena = {0};
    PGconn *conn = NULL;
    struct pg_failure f = {0};
    cell_str table = cell_ctx_copy(c, name);

    if (!table.ptr)
        return cell_fail(c, CELL_NO_MEMORY, "out of memory");
    int r = pg_lease_take(&s->leases, pg_now_ms() + CONNECT_MS, &conn, &f);
    if (r < 0)
        return pg_answer_failure(c, &f);
    r = pg_feed_read(conn, &arena, table.ptr, &tables, &f);
    if (r >= 0 && tables.n == 0)
        r = pg_fail(&f, CELL_NOT_FOUND, "there is no table '%s' in the schema public", table.ptr);
    if (r >= 0)
        r = follow ? pg_feed_follow(conn, &arena, s->policy, tables.at, &f)
                   : pg_feed_unfollow(conn, &arena, s->policy, tables.at, &f);
    r = pg_lease_give(&s->leases, conn, r, &f);
    pg_arena_free(&arena);
    return r < 0 ? pg_answer_failure(c, &f) : r;
}

int postgres_follow(cell_ctx *c, cell_str table) { return change(c, table, true); }

int postgres_unfollow(cell_ctx *c, cell_str table) { return change(c, table, false); }
