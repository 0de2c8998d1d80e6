/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "feed_table.h"

#include <stdlib.h>
#include <string.h>

#include "connect.h"
#include "feed_catalog.h"

#define MOST_TABLES 10000

/* The timeline is another one behind a recovery that has ended before its latest change, and on a server that was a
 * standby: both may not know what others have seen. */
static const char identity[] =
    "SELECT md5(concat_ws(' ', (SELECT system_identifier FROM pg_control_system()), "
    "(SELECT oid FROM pg_database WHERE datname = current_database()), "
    "CASE WHEN pg_is_in_recovery() THEN 'standby' ELSE left(pg_walfile_name(pg_current_wal_lsn()), 8) END))";

/* $1: a name or NULL. The %s are the columns of cell.followed, and how they are found, where there is that table. */
#define SQL_TABLES_OF(columns, join)                                                                                   \
    "SELECT c.relname, c.oid, CASE WHEN c.relkind = 'p' THEN 'it is partitioned' "                                     \
    "WHEN c.relkind <> 'r' THEN 'it is no table of its own' WHEN c.relispartition THEN 'it is a partition' "           \
    "WHEN EXISTS (SELECT FROM pg_inherits WHERE c.oid IN (inhrelid, inhparent)) "                                      \
    "THEN 'it inherits, or others inherit from it' "                                                                   \
    "WHEN c.relpersistence <> 'p' THEN 'it is UNLOGGED: a crash empties it' "                                          \
    "WHEN NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary) "                            \
    "THEN 'it has no primary key' END, "                                                                               \
    "greatest(pg_stat_get_live_tuples(c.oid), CASE WHEN pg_stat_get_live_tuples(c.oid) = 0 "                           \
    "THEN c.reltuples::bigint END, 0), "                                                                               \
    "(SELECT string_agg(x.relname, ',' ORDER BY x.relname) FROM pg_index i JOIN pg_class x "                           \
    "ON x.oid = i.indexrelid WHERE i.indrelid = c.oid), " columns " FROM pg_class c " join                             \
    " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', "                            \
    "'f') AND ($1::text IS NULL OR c.relname = $1) ORDER BY c.oid LIMIT 10001"

static const char tables_followed[] =
    SQL_TABLES_OF("f.id, coalesce(f.relation = c.oid AND f.witness = " SQL_FEED_WITNESS ", false), "
                  "coalesce(f.last, 0), coalesce(f.forgotten, 0)",
                  "LEFT JOIN cell.followed f ON f.table_name = c.relname");
static const char tables_plain[] = SQL_TABLES_OF("NULL, false, 0, 0", "");

/* $1 as above. */
static const char columns[] =
    "SELECT c.relname, a.attname, CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod) "
    "ELSE format_type(a.atttypid, a.atttypmod) END, NOT a.attnotnull AND NOT t.typnotnull, "
    "coalesce(array_position(i.indkey::int2[], a.attnum) + 1 - array_lower(i.indkey::int2[], 1), 0), "
    "greatest(CASE WHEN t.typname = 'vector' THEN a.atttypmod END, "
    "(SELECT max(substring(pg_get_constraintdef(k.oid) FROM 'cardinality\\([^)]*\\) = ([0-9]{1,5})\\)')::integer) "
    "FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'c' AND k.conkey = ARRAY[a.attnum]), 0) "
    "FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped "
    "JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary "
    "WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f') "
    "AND ($1::text IS NULL OR c.relname = $1) ORDER BY c.oid, a.attnum";

static const char *text_at(struct pg_arena *arena, const PGresult *result, int row, int column)
{
    return PQgetisnull(result, row, column) ? NULL : pg_strdup(arena, PQgetvalue(result, row, column));
}

static int64_t number_at(const PGresult *result, int row, int column)
{
    return strtoll(PQgetvalue(result, row, column), NULL, 10);
}

static void set_indexes(struct pg_arena *arena, const char *names, struct pg_feed_table *table)
{
    char *rest = pg_strdup(arena, names), *save = NULL;
    size_t n = 1;

    for (const char *p = names; p && *p; p++)
        n += *p == ',';
    table->indexes = pg_array(arena, n, sizeof(*table->indexes));
    for (char *name = rest ? strtok_r(rest, ",", &save) : NULL; name; name = strtok_r(NULL, ",", &save))
        table->indexes[table->nindexes++] = name;
}

static void set_table(struct pg_arena *arena, const PGresult *result, int row, struct pg_feed_table *table)
{
    table->name = text_at(arena, result, row, 0);
    table->oid = text_at(arena, result, row, 1);
    table->problem = text_at(arena, result, row, 2);
    table->count = number_at(result, row, 3);
    set_indexes(arena, text_at(arena, result, row, 4), table);
    table->feed = text_at(arena, result, row, 5);
    table->followed = !table->problem && *PQgetvalue(result, row, 6) == 't';
    table->last = number_at(result, row, 7);
    table->forgotten = number_at(result, row, 8);
}

/* Columns come in the order of their tables. One that was made in between has none here, and is left out. */
static void set_columns(struct pg_arena *arena, const PGresult *result, struct pg_feed_tables *tables)
{
    int row = 0, n = PQntuples(result);

    for (uint32_t i = 0; i < tables->n; i++) {
        struct pg_feed_table *table = &tables->at[i];
        while (row < n && strcmp(PQgetvalue(result, row, 0), table->name) != 0)
            row++;
        int first = row;
        while (row < n && strcmp(PQgetvalue(result, row, 0), table->name) == 0)
            row++;
        if (row == first) { /* the search has passed all the others */
            table->problem = table->problem ? table->problem : "it has no columns";
            row = 0;
            continue;
        }
        table->columns = pg_array(arena, (size_t)(row - first), sizeof(*table->columns));
        for (int k = first; k < row; k++) {
            struct pg_feed_column *column = &table->columns[table->ncolumns++];
            column->name = text_at(arena, result, k, 1);
            column->type = text_at(arena, result, k, 2);
            column->nullable = *PQgetvalue(result, k, 3) == 't';
            column->key = table->problem ? 0 : (uint32_t)number_at(result, k, 4);
            column->dimensions = (uint32_t)number_at(result, k, 5);
            table->nkey += column->key > 0;
            pg_feed_column_set(arena, column);
        }
    }
}

static int take(struct pg_arena *arena, PGresult *const answers[3], struct pg_feed_tables *tables, struct pg_failure *f)
{
    jmp_buf escape, *outer = arena->escape;
    int n = PQntuples(answers[1]), r = CELL_OK;

    if (n > MOST_TABLES)
        return pg_fail(f, CELL_RESOURCE_EXHAUSTED, "the schema has more than %d tables", MOST_TABLES);
    arena->escape = &escape;
    if (setjmp(escape)) {
        r = pg_fail(f, CELL_NO_MEMORY, "out of memory");
    } else {
        tables->identity = text_at(arena, answers[0], 0, 0);
        tables->at = pg_array(arena, (size_t)n + 1, sizeof(*tables->at));
        for (int i = 0; i < n; i++)
            set_table(arena, answers[1], i, &tables->at[i]);
        tables->n = (uint32_t)n;
        set_columns(arena, answers[2], tables);
    }
    arena->escape = outer;
    return r;
}

int pg_feed_read(PGconn *conn, struct pg_arena *arena, const char *name, struct pg_feed_tables *tables,
                 struct pg_failure *f)
{
    PGresult *answers[3] = {NULL}, *exist = NULL;
    int r = pg_query(conn, pg_feed_exist, 0, NULL, &exist, f);

    *tables = (struct pg_feed_tables){0};
    bool followed = r >= 0 && *PQgetvalue(exist, 0, 0) == 't';
    if (r >= 0)
        r = pg_query(conn, identity, 0, NULL, &answers[0], f);
    if (r >= 0)
        r = pg_query(conn, followed ? tables_followed : tables_plain, 1, &name, &answers[1], f);
    if (r >= 0)
        r = pg_query(conn, columns, 1, &name, &answers[2], f);
    if (r >= 0)
        r = take(arena, answers, tables, f);
    for (int i = 0; i < 3; i++)
        PQclear(answers[i]);
    PQclear(exist);
    return r;
}
