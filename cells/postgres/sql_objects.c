/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The record of what Cell made in a database. */
#include <string.h>

#include "sql.h"
#include "sql_parts.h"

const char *const pg_sql_objects_tables[] = {
    "CREATE SCHEMA IF NOT EXISTS cell",
    "CREATE TABLE IF NOT EXISTS cell.objects ("
    "schema_name text NOT NULL, table_name text NOT NULL, kind text NOT NULL, name text NOT NULL, "
    "source text, printed text, at timestamptz NOT NULL DEFAULT now(), "
    "PRIMARY KEY (schema_name, table_name, kind, name))",
    NULL};

/* How the catalog prints the object of a row now; NULL when it is gone. In terms of o.schema_name and so on. */
#define PRINTED                                                                                                        \
    "CASE o.kind "                                                                                                     \
    "WHEN 'default' THEN (SELECT pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d "                                   \
    "JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum WHERE d.adrelid = c.oid "                    \
    "AND a.attname = o.name AND NOT a.attisdropped) "                                                                  \
    "WHEN 'generated' THEN (SELECT pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d "                                 \
    "JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum WHERE d.adrelid = c.oid "                    \
    "AND a.attname = o.name AND NOT a.attisdropped) "                                                                  \
    "WHEN 'index' THEN (SELECT pg_get_indexdef(i.indexrelid) FROM pg_index i "                                         \
    "JOIN pg_class x ON x.oid = i.indexrelid WHERE i.indrelid = c.oid AND x.relname = o.name) "                        \
    "WHEN 'in_step' THEN (SELECT pg_get_triggerdef(g.oid) || p.prosrc FROM pg_trigger g "                              \
    "JOIN pg_proc p ON p.oid = g.tgfoid WHERE g.tgrelid = c.oid AND g.tgname = o.name AND g.tgenabled = 'O') "         \
    "ELSE (SELECT regexp_replace(pg_get_constraintdef(k.oid), ' NOT VALID$', '') FROM pg_constraint k "                \
    "WHERE k.conrelid = c.oid AND k.conname = o.name) END"
#define TABLE_OF                                                                                                       \
    "LEFT JOIN (pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace) "                                            \
    "ON n.nspname = o.schema_name AND c.relname = o.table_name"

const char *const pg_sql_objects_query = "SELECT o.schema_name, o.table_name, o.kind, o.name, o.source, " PRINTED
                                         " IS NOT DISTINCT FROM o.printed AS unchanged, "
                                         "floor(extract(epoch FROM now() - o.at))::bigint AS age_s, "
                                         "to_char(o.at, 'YYYY-MM-DD') "
                                         "FROM unnest($1::text[], $2::text[]) AS w(s, t) JOIN cell.objects o "
                                         "ON o.schema_name = w.s AND o.table_name = w.t " TABLE_OF " "
                                         "ORDER BY o.schema_name, o.table_name, o.kind, o.name";

static void put_row(struct pg_text *t, const struct pg_table *table, const char *kind, const char *name)
{
    pg_sql_literal(t, table->schema);
    pg_puts(t, ", ");
    pg_sql_literal(t, table->name);
    pg_puts(t, ", ");
    pg_sql_literal(t, kind);
    pg_puts(t, ", ");
    pg_sql_literal(t, name);
}

const char *pg_sql_record(struct pg_arena *arena, const struct pg_table *table, const struct pg_record *records,
                          uint32_t n)
{
    struct pg_text t = {.arena = arena};

    pg_puts(&t, "INSERT INTO cell.objects AS old (schema_name, table_name, kind, name, source, printed) "
                "SELECT o.schema_name, o.table_name, o.kind, o.name, o.source, " PRINTED " FROM (VALUES ");
    for (uint32_t i = 0; i < n; i++) {
        pg_puts(&t, i ? ", (" : "(");
        put_row(&t, table, records[i].kind, records[i].name);
        pg_puts(&t, ", ");
        pg_sql_literal(&t, records[i].source);
        pg_puts(&t, "::text)");
    }
    pg_puts(&t, ") AS o(schema_name, table_name, kind, name, source) " TABLE_OF
                " ON CONFLICT (schema_name, table_name, kind, name) "
                "DO UPDATE SET source = excluded.source, printed = excluded.printed, at = now()");
    return t.data;
}

const char *pg_sql_forget(struct pg_arena *arena, const struct pg_table *table, const char *kind, const char *name)
{
    struct pg_text t = {.arena = arena};

    pg_puts(&t, "DELETE FROM cell.objects WHERE (schema_name, table_name, kind, name) = (");
    put_row(&t, table, kind, name);
    pg_puts(&t, ")");
    return t.data;
}

/* "VERB … WHERE it is of the table `name`" */
static const char *of_table(struct pg_arena *arena, const char *what, const char *schema, const char *name)
{
    struct pg_text t = {.arena = arena};

    pg_putf(&t, "%s WHERE (schema_name, table_name) = (", what);
    pg_sql_literal(&t, schema);
    pg_puts(&t, ", ");
    pg_sql_literal(&t, name);
    pg_puts(&t, ")");
    return t.data;
}

const char *const *pg_sql_record_table_renamed(struct pg_arena *arena, const struct pg_table *table, const char *to)
{
    static const char *const kept_in[] = {"objects", "baseline", "before"};
    const char **sql = pg_array(arena, 5, sizeof(*sql)), **at = sql;

    for (size_t i = 0; i < 3; i++) {
        struct pg_text t = {.arena = arena};
        if (i == 1) /* of a table that is gone and had the name */
            *at++ = of_table(arena, "DELETE FROM cell.baseline", table->schema, to);
        pg_putf(&t, "UPDATE cell.%s SET table_name = ", kept_in[i]);
        pg_sql_literal(&t, to);
        *at++ = of_table(arena, t.data, table->schema, table->name);
    }
    at[-1] = pg_printf(arena, "%s AND kind <> 'noted'", at[-1]); /* which both have */
    return sql;
}

/* A separator that no SQL of an author has: control characters are refused on the way here. */
#define SEPARATOR "\x1f"

const char *pg_index_source(struct pg_arena *arena, const struct pg_index *index)
{
    struct pg_text t = {.arena = arena};

    for (uint32_t i = 0; i < index->n; i++) {
        pg_puts(&t, index->parts[i].expr.sql ? index->parts[i].expr.sql : "");
        pg_puts(&t, SEPARATOR);
    }
    pg_puts(&t, index->predicate.sql ? index->predicate.sql : "");
    return t.data;
}

void pg_index_sources(struct pg_arena *arena, const char *source, struct pg_index *index)
{
    uint32_t separators = 0;

    for (const char *p = source; (p = strstr(p, SEPARATOR)) != NULL; p++)
        separators++;
    if (separators != index->n)
        return; /* of another index */
    for (uint32_t i = 0; i <= index->n; i++) {
        size_t len = strcspn(source, SEPARATOR);
        struct pg_expr *e = i < index->n ? &index->parts[i].expr : &index->predicate;
        if (len && (e->sql || i == index->n))
            e->source = pg_copy(arena, source, len);
        if (!e->sql) /* a predicate that is simply true, of which the catalog has nothing */
            e->sql = e->source;
        source += len + (i < index->n);
    }
}

/* Neither name holds a line end that would matter: a column whose name does is not replaced. */
const char *pg_in_step_source(struct pg_arena *arena, const struct pg_in_step *t)
{
    return pg_printf(arena, "%s\n%s\n%s", t->column, t->replaced, t->body);
}
