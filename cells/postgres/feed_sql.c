/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* SQL of followed tables. */
#include "feed_table.h"

#include <string.h>

#include "sql.h"
#include "types.h"

const char *const pg_feed_exist = "SELECT to_regclass('cell.followed') IS NOT NULL AND to_regclass('cell.changes') IS "
                                  "NOT NULL";

/* `last` and `forgotten` are numbers of changes; `changes.number` is NULL until somebody who reads gives it one. */
const char *const pg_feed_objects =
    "CREATE SCHEMA IF NOT EXISTS cell;"
    "CREATE TABLE IF NOT EXISTS cell.followed (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "
    "table_name text NOT NULL UNIQUE, relation oid NOT NULL, witness text NOT NULL, filenode oid, "
    "columns jsonb NOT NULL, last bigint NOT NULL, forgotten bigint NOT NULL);"
    "CREATE TABLE IF NOT EXISTS cell.changes (id bigint GENERATED ALWAYS AS IDENTITY, feed integer NOT NULL, "
    "number bigint, at timestamptz NOT NULL DEFAULT clock_timestamp(), key text[]);"
    "CREATE UNIQUE INDEX IF NOT EXISTS changes_number ON cell.changes (feed, number) WHERE number IS NOT NULL;"
    "CREATE INDEX IF NOT EXISTS changes_new ON cell.changes (feed, id) WHERE number IS NULL;"
    "COMMENT ON TABLE cell.changes IS 'Keys of rows that were changed in tables that are followed'";

const struct pg_feed_column *pg_feed_find(const struct pg_feed_table *table, const char *name)
{
    for (uint32_t i = 0; i < table->ncolumns; i++)
        if (strcmp(table->columns[i].name, name) == 0)
            return &table->columns[i];
    return NULL;
}

void pg_feed_column_set(struct pg_arena *arena, struct pg_feed_column *column)
{
    struct pg_type_use type = {.base = PG_BASE_NONE};
    struct pg_ctype c;
    enum pg_codec codec;
    char why[128];

    if (pg_type_parse(arena, column->type, &type, why) < 0)
        type = (struct pg_type_use){.base = PG_BASE_OTHER, .name = column->type, .modifier = -1, .scale = -1};
    column->ctype = pg_ctype_for(arena, &type, column->nullable, &c, &codec);
    column->as_text = codec == PG_CODEC_TEXT_FORM;
    column->travels = column->as_text ? "text" : column->type;
    if ((type.base == PG_BASE_VECTOR && !type.array) || (type.base == PG_BASE_FLOAT4 && type.array)) {
        if (!column->dimensions)
            return;
        column->ctype = pg_printf(arena, "f32[%u]", column->dimensions);
        column->as_text = false;
        column->travels = column->type;
    } else if (type.base == PG_BASE_NUMERIC && !type.array && type.modifier == 20 && type.scale == 0) {
        column->ctype = column->nullable ? "opt<u64>" : "u64"; /* what a uint64_t is stored as */
    }
}

/* ---- writing down ---- */

static const struct pg_feed_column *key_column(const struct pg_feed_table *table, uint32_t i)
{
    for (uint32_t k = 0; k < table->ncolumns; k++)
        if (table->columns[k].key == i + 1)
            return &table->columns[k];
    return NULL; /* not of a table that can be followed */
}

static void put_key(struct pg_text *t, const struct pg_feed_table *table, const char *row)
{
    pg_puts(t, "ARRAY[");
    for (uint32_t i = 0; i < table->nkey; i++) {
        pg_putf(t, "%s%s.", i ? ", " : "", row);
        pg_sql_name(t, key_column(table, i)->name);
        pg_puts(t, "::pg_catalog.text");
    }
    pg_puts(t, "]");
}

/* Whether the text of a value does not depend on any setting of who writes it. */
static bool has_one_text(const struct pg_feed_column *column)
{
    static const char *const plain[] = {"smallint", "integer", "bigint",  "text", "character varying",
                                        "uuid",     "boolean", "numeric", "oid"};
    size_t n = strcspn(column->type, "(");

    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
        if (strlen(plain[i]) == n && strncmp(plain[i], column->type, n) == 0)
            return true;
    return false;
}

/*
 * It runs with the rights of the cell's role, for those who write to the table have none in the schema `cell`. So all
 * names are qualified, which is faster than to set a search path for each row; settings are only for keys whose text
 * depends on them. A column of the key that was renamed must not make everybody's writes fail: without a key all is to
 * be read again. A transaction that is prepared must not have notified.
 */
const char *pg_feed_function(struct pg_arena *arena, const struct pg_feed_table *table, const char *feed)
{
    struct pg_text body = {.arena = arena}, t = {.arena = arena};
    bool one_text = true;

    for (uint32_t i = 0; i < table->nkey; i++)
        one_text = one_text && has_one_text(key_column(table, i));
    pg_puts(&body, "DECLARE was pg_catalog.text[]; is_now pg_catalog.text[]; "
                   "BEGIN IF TG_OP OPERATOR(pg_catalog.<>) 'TRUNCATE' THEN BEGIN "
                   "IF TG_OP OPERATOR(pg_catalog.<>) 'INSERT' THEN was := ");
    put_key(&body, table, "OLD");
    pg_puts(&body, "; END IF; IF TG_OP OPERATOR(pg_catalog.<>) 'DELETE' THEN is_now := ");
    put_key(&body, table, "NEW");
    pg_putf(&body,
            "; END IF; EXCEPTION WHEN undefined_column THEN was := NULL; is_now := NULL; END; END IF; "
            "INSERT INTO cell.changes (feed, key) VALUES (%s, coalesce(was, is_now)); "
            "IF was OPERATOR(pg_catalog.<>) is_now THEN "
            "INSERT INTO cell.changes (feed, key) VALUES (%s, is_now); END IF; "
            "IF pg_catalog.current_setting('max_prepared_transactions') OPERATOR(pg_catalog.=) '0' THEN "
            "PERFORM pg_catalog.pg_notify('" PG_FEED_CHANNEL "', ''); END IF; RETURN NULL; END",
            feed, feed);
    pg_putf(&t, "CREATE OR REPLACE FUNCTION cell.follow_%s() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER %sAS ",
            feed,
            one_text ? ""
                     : "SET search_path = pg_catalog, pg_temp SET datestyle = 'ISO, YMD' "
                       "SET intervalstyle = 'iso_8601' SET timezone = 'UTC' SET extra_float_digits = 1 "
                       "SET bytea_output = 'hex' ");
    pg_sql_literal(&t, body.data);
    return t.data;
}

const char *pg_feed_no_triggers(struct pg_arena *arena, const struct pg_feed_table *table)
{
    struct pg_text t = {.arena = arena};

    pg_puts(&t, "DROP TRIGGER IF EXISTS cell_follow ON ");
    pg_sql_qualified(&t, "public", table->name);
    pg_puts(&t, "; DROP TRIGGER IF EXISTS cell_follow_all ON ");
    pg_sql_qualified(&t, "public", table->name);
    return t.data;
}

/* ALWAYS: also for what replication applies, and for sessions that act like it. */
const char *pg_feed_triggers(struct pg_arena *arena, const struct pg_feed_table *table, const char *feed)
{
    struct pg_text name = {.arena = arena};

    pg_sql_qualified(&name, "public", table->name);
    return pg_printf(arena,
                     "CREATE TRIGGER cell_follow AFTER INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW "
                     "EXECUTE FUNCTION cell.follow_%s(); "
                     "CREATE TRIGGER cell_follow_all BEFORE TRUNCATE ON %s FOR EACH STATEMENT "
                     "EXECUTE FUNCTION cell.follow_%s(); "
                     "ALTER TABLE %s ENABLE ALWAYS TRIGGER cell_follow, ENABLE ALWAYS TRIGGER cell_follow_all",
                     name.data, feed, name.data, feed, name.data);
}

/* ---- reading ---- */

/* A column of the table t as it is sent. A vector that is NULL is sent as one of zeros, which is what stands for it. */
static void put_column(struct pg_text *t, const struct pg_feed_column *column)
{
    bool zeros = column->nullable && column->dimensions && !column->as_text;

    pg_puts(t, zeros ? "coalesce(t." : "t.");
    pg_sql_name(t, column->name);
    if (zeros)
        pg_putf(t, ", array_fill(0::real, ARRAY[%u])::%s)", column->dimensions, column->type);
    if (column->as_text)
        pg_puts(t, "::text");
}

static bool add_out(struct pg_arena *arena, json_t *out, const char *path, const char *name, const char *type)
{
    const char *to = name ? pg_printf(arena, "%s.%s", path, name) : path;

    return json_array_append_new(out, json_pack("{ss, ss}", "to", to, "type", type)) == 0;
}

/* The binding that executes `sql`; takes over `in` and `out`. `all`: there was memory for all of it. `found`: the table
 * has what the method wants; else *f says what it has not. */
static const char *finish(const struct pg_feed_table *table, const struct pg_text *sql, json_t *in, json_t *out,
                          bool all, bool found, struct pg_failure *f)
{
    json_t *binding = all && found ? json_pack("{si, ss, ss, ss, sO, sO}", "v", 1, "op", "stream", "sql", sql->data,
                                               "table", table->name, "in", in, "out", out)
                                   : NULL;
    char *text = binding ? json_dumps(binding, JSON_COMPACT) : NULL;
    const char *kept = text ? pg_strdup(sql->arena, text) : NULL;

    free(text);
    json_decref(binding);
    json_decref(in);
    json_decref(out);
    if (!kept && (found || !all))
        pg_fail(f, CELL_NO_MEMORY, "out of memory");
    return kept;
}

static const struct pg_feed_column *wanted(const struct pg_feed_table *table, const struct cell_field *field,
                                           struct pg_failure *f)
{
    const struct pg_feed_column *column = pg_feed_find(table, field->name);

    if (!column)
        pg_fail(f, CELL_FAILED_PRECONDITION, "table '%s' has no column '%s'", table->name, field->name);
    return column;
}

/* Parameter number n as a value of the column's type. */
static const char *bound_value(struct pg_arena *arena, const struct pg_feed_column *column, uint32_t n)
{
    if (strcmp(column->ctype, "u8[16]") == 0)
        return pg_printf(arena, "encode($%u::bytea, 'hex')::uuid", n);
    return pg_printf(arena, column->as_text ? "$%u::text::%s" : "$%u::%s", n, column->type);
}

/*
 * (a, b) is behind ($1, $2) in that order, where those that are absent count for nothing:
 * $1 IS NULL OR a > $1 OR a = $1 AND ($2 IS NOT NULL AND b > $2), or, if those that are equal belong to it,
 * a = $1 AND ($2 IS NULL OR b >= $2).
 */
static void put_bound(struct pg_text *t, const struct pg_feed_table *table, uint32_t first, const char *order,
                      bool inclusive)
{
    pg_puts(t, "(");
    for (uint32_t i = 0; i < table->nkey; i++) {
        const struct pg_feed_column *column = key_column(table, i);
        const char *value = bound_value(t->arena, column, first + i);
        bool last = i + 1 == table->nkey;
        if (i == 0 || inclusive)
            pg_putf(t, "$%u IS NULL OR ", first + i);
        else
            pg_putf(t, "$%u IS NOT NULL AND (", first + i);
        pg_puts(t, "t.");
        pg_sql_name(t, column->name);
        pg_putf(t, " %s%s %s", order, last && inclusive ? "=" : "", value);
        if (last)
            break;
        pg_puts(t, " OR t.");
        pg_sql_name(t, column->name);
        pg_putf(t, " = %s AND (", value);
    }
    for (uint32_t i = 1; i < table->nkey; i++)
        pg_puts(t, inclusive ? ")" : "))");
    pg_puts(t, ")");
}

static bool add_bounds(struct pg_text *t, const struct pg_feed_table *table, const char *range, bool descending,
                       json_t *in)
{
    static const char *const names[] = {"from", "to", "after"};
    const char *const orders[] = {">", "<", descending ? "<" : ">"};
    bool all = true;

    for (uint32_t p = 0; p < 3; p++) {
        pg_puts(t, p ? " AND " : " WHERE ");
        put_bound(t, table, p * table->nkey + 1, orders[p], p == 0);
        for (uint32_t i = 0; i < table->nkey; i++) {
            const struct pg_feed_column *column = key_column(table, i);
            const char *from = pg_printf(t->arena, "%s.%s_%s", range, names[p], column->name);
            const char *type = strcmp(column->ctype, "u8[16]") == 0 ? "bytea" : column->travels;
            all = all && json_array_append_new(in, json_pack("{ss, ss}", "from", from, "type", type)) == 0;
        }
    }
    return all;
}

const char *pg_feed_scan(struct pg_arena *arena, const struct pg_feed_table *table, const struct cell_method *method,
                         bool descending, struct pg_failure *f)
{
    const struct cell_field *rows = method->stream;
    struct pg_text t = {.arena = arena};
    json_t *in = json_array(), *out = json_array();
    bool all = in && out;

    pg_puts(&t, "SELECT ");
    for (uint32_t i = 0; all && i < rows->type->nfields; i++) {
        const struct pg_feed_column *column = wanted(table, &rows->type->fields[i], f);
        if (!column)
            break;
        pg_puts(&t, i ? ", " : "");
        put_column(&t, column);
        all = add_out(arena, out, rows->name, column->name, column->travels);
    }
    bool found = json_array_size(out) == rows->type->nfields;
    pg_puts(&t, " FROM ");
    pg_sql_qualified(&t, "public", table->name);
    pg_puts(&t, " t");
    all = all && add_bounds(&t, table, method->in[0].name, descending, in);
    for (uint32_t i = 0; i < table->nkey; i++) {
        pg_puts(&t, i ? ", t." : " ORDER BY t.");
        pg_sql_name(&t, key_column(table, i)->name);
        pg_puts(&t, descending ? " DESC" : "");
    }
    return finish(table, &t, in, out, all, found, f);
}

/* The columns of the record: first those of the key, also of a row that is no more. */
static bool add_record(struct pg_text *t, const struct pg_feed_table *table, const char *path,
                       const struct cell_field *record, json_t *out, uint32_t *nkey, struct pg_failure *f)
{
    *nkey = 0;
    for (int keys = 1; keys >= 0; keys--)
        for (uint32_t i = 0; i < record->type->nfields; i++) {
            const struct pg_feed_column *column = wanted(table, &record->type->fields[i], f);
            if (!column)
                return false;
            if ((column->key > 0) != keys)
                continue;
            pg_puts(t, ", ");
            if (keys) {
                pg_puts(t, "coalesce(t.");
                pg_sql_name(t, column->name);
                pg_putf(t, ", c.key[%u]::%s)%s", column->key, column->type, column->as_text ? "::text" : "");
            } else {
                put_column(t, column);
            }
            *nkey += (uint32_t)keys;
            if (!add_out(t->arena, out, pg_printf(t->arena, "%s.%s", path, record->name), column->name,
                         column->travels))
                pg_fail(f, CELL_NO_MEMORY, "out of memory");
        }
    return true;
}

const char *pg_feed_changes(struct pg_arena *arena, const struct pg_feed_table *table, const struct cell_method *method,
                            uint32_t *nkey, struct pg_failure *f)
{
    const struct cell_field *change = method->stream, *fields = change->type->fields;
    struct pg_text t = {.arena = arena};
    json_t *in = json_array(), *out = json_array();
    const char *to = change->name;
    bool all = in && out && json_array_append_new(in, json_pack("{ss, ss}", "from", "after", "type", "bigint")) == 0 &&
               add_out(arena, out, to, "position", "bigint") && add_out(arena, out, to, "at_us", "bigint") &&
               add_out(arena, out, to, "event", "integer");

    pg_puts(&t, "SELECT c.number, (extract(epoch FROM c.at) * 1000000)::bigint, "
                "CASE WHEN c.key IS NULL THEN 2 WHEN t.");
    pg_sql_name(&t, key_column(table, 0)->name);
    pg_puts(&t, " IS NULL THEN 1 ELSE 0 END");
    bool found = all && add_record(&t, table, to, &fields[3], out, nkey, f);
    pg_putf(&t,
            " FROM (SELECT number, at, key FROM cell.changes WHERE feed = %s AND number > $1 "
            "ORDER BY number LIMIT %d) c LEFT JOIN ",
            table->feed, PG_FEED_GROUP);
    pg_sql_qualified(&t, "public", table->name);
    for (uint32_t i = 0; i < table->nkey; i++) {
        const struct pg_feed_column *column = key_column(table, i);
        pg_puts(&t, i ? " AND t." : " t ON t.");
        pg_sql_name(&t, column->name);
        pg_putf(&t, " = c.key[%u]::%s", column->key, column->type);
    }
    pg_puts(&t, " ORDER BY c.number");
    return finish(table, &t, in, out, all, found, f);
}
