/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Statements that define tables. */
#include "sql.h"

#include <string.h>

#include "sql_parts.h"

static void put_type(struct pg_text *t, const struct pg_type_use *type) { pg_puts(t, pg_type_name(t->arena, type)); }

/* What stands behind the name of a column. */
static void put_column(struct pg_text *t, const struct pg_column *c, bool identity)
{
    pg_sql_name(t, c->name);
    pg_puts(t, " ");
    put_type(t, &c->type);
    if (c->generated.sql)
        pg_putf(t, " GENERATED ALWAYS AS (%s) STORED", c->generated.sql);
    else if (c->standard.sql)
        pg_putf(t, " DEFAULT (%s)", c->standard.sql);
    if (identity && c->identity)
        pg_putf(t, " GENERATED %s AS IDENTITY", c->identity == 'a' ? "ALWAYS" : "BY DEFAULT");
    else if (c->identity)
        pg_puts(t, " DEFAULT (0)");
    if (!c->nullable)
        pg_puts(t, " NOT NULL");
}

void pg_sql_column(struct pg_text *t, const struct pg_table *table, const struct pg_column *column)
{
    pg_puts(t, "ALTER TABLE ");
    pg_sql_qualified(t, table->schema, table->name);
    pg_puts(t, " ADD COLUMN ");
    put_column(t, column, true);
}

static void put_key(struct pg_text *t, const struct pg_key *k, const char *kind)
{
    pg_puts(t, "CONSTRAINT ");
    pg_sql_name(t, k->name);
    pg_putf(t, " %s (", kind);
    pg_sql_names(t, k->columns, k->n);
    pg_puts(t, ")");
}

void pg_sql_check_constraint(struct pg_text *t, const struct pg_check *c)
{
    pg_puts(t, "CONSTRAINT ");
    pg_sql_name(t, c->name);
    pg_putf(t, " CHECK (%s)", c->expr.sql);
}

void pg_sql_create_table(struct pg_text *t, const struct pg_table *table, struct pg_span *spans)
{
    const char *between = "";

    pg_puts(t, "CREATE TABLE ");
    pg_sql_qualified(t, table->schema, table->name);
    pg_puts(t, " (");
    for (uint32_t i = 0; i < table->ncolumns; i++, between = ", ") {
        pg_puts(t, between);
        spans->from = t->len;
        put_column(t, &table->columns[i], true);
        spans++->to = t->len;
    }
    for (uint32_t i = 0; i < table->nuniques + (table->primary != NULL); i++, between = ", ") {
        const struct pg_key *key = table->primary ? i ? &table->uniques[i - 1] : table->primary : &table->uniques[i];
        pg_puts(t, between);
        spans->from = t->len;
        put_key(t, key, key == table->primary ? "PRIMARY KEY" : "UNIQUE");
        spans++->to = t->len;
    }
    for (uint32_t i = 0; i < table->nchecks; i++, between = ", ") {
        pg_puts(t, between);
        spans->from = t->len;
        pg_sql_check_constraint(t, &table->checks[i]);
        spans++->to = t->len;
    }
    pg_puts(t, ")");
}

void pg_sql_stand_in(struct pg_text *t, const struct pg_table *table)
{
    pg_puts(t, "CREATE TABLE ");
    pg_sql_qualified(t, table->schema, table->name);
    pg_puts(t, " (");
    for (uint32_t i = 0; i < table->ncolumns; i++) {
        pg_puts(t, i ? ", " : "");
        put_column(t, &table->columns[i], false);
    }
    if (table->primary) {
        pg_puts(t, ", ");
        put_key(t, table->primary, "PRIMARY KEY");
    }
    for (uint32_t i = 0; i < table->nuniques; i++) {
        pg_puts(t, ", ");
        put_key(t, &table->uniques[i], "UNIQUE");
    }
    pg_puts(t, ")");
}

static void put_index_part(struct pg_text *t, const struct pg_index_part *p)
{
    if (p->column)
        pg_sql_name(t, p->column);
    else
        pg_putf(t, "(%s)", p->expr.sql);
    if (p->opclass) {
        const char *dot = strchr(p->opclass, '.');
        pg_puts(t, " ");
        if (dot)
            pg_sql_name(t, pg_copy(t->arena, p->opclass, (size_t)(dot - p->opclass)));
        pg_puts(t, dot ? "." : "");
        pg_sql_name(t, dot ? dot + 1 : p->opclass);
    }
    /* NULLs come first by themselves in descending order, last in ascending. */
    pg_puts(t, p->descending ? " DESC" : "");
    if (p->nulls_first != p->descending)
        pg_puts(t, p->nulls_first ? " NULLS FIRST" : " NULLS LAST");
}

void pg_sql_create_index(struct pg_text *t, const struct pg_table *table, const struct pg_index *index,
                         bool concurrently)
{
    pg_putf(t, "CREATE %sINDEX %s", index->unique ? "UNIQUE " : "", concurrently ? "CONCURRENTLY " : "");
    pg_sql_name(t, index->name);
    pg_puts(t, " ON ");
    pg_sql_qualified(t, table->schema, table->name);
    pg_puts(t, " USING ");
    pg_sql_name(t, index->method);
    pg_puts(t, " (");
    for (uint32_t i = 0; i < index->n; i++) {
        pg_puts(t, i ? ", " : "");
        put_index_part(t, &index->parts[i]);
    }
    pg_puts(t, ")");
    if (index->nincluded) {
        pg_puts(t, " INCLUDE (");
        pg_sql_names(t, index->included, index->nincluded);
        pg_puts(t, ")");
    }
    if (index->predicate.sql)
        pg_putf(t, " WHERE (%s)", index->predicate.sql);
}

static void put_action(struct pg_text *t, const char *on, enum pg_action action)
{
    const char *what = action == PG_RESTRICT      ? "RESTRICT"
                       : action == PG_CASCADE     ? "CASCADE"
                       : action == PG_SET_NULL    ? "SET NULL"
                       : action == PG_SET_DEFAULT ? "SET DEFAULT"
                                                  : NULL;
    if (what)
        pg_putf(t, " ON %s %s", on, what);
}

void pg_sql_foreign_key(struct pg_text *t, const struct pg_foreign_key *f)
{
    pg_puts(t, "CONSTRAINT ");
    pg_sql_name(t, f->name);
    pg_puts(t, " FOREIGN KEY (");
    pg_sql_names(t, f->columns, f->n);
    pg_puts(t, ") REFERENCES ");
    pg_sql_qualified(t, f->to_schema, f->to_table);
    if (f->to_columns) {
        pg_puts(t, " (");
        pg_sql_names(t, f->to_columns, f->n);
        pg_puts(t, ")");
    }
    put_action(t, "DELETE", f->on_delete);
    put_action(t, "UPDATE", f->on_update);
    if (f->deferrable)
        pg_puts(t, f->deferred ? " DEFERRABLE INITIALLY DEFERRED" : " DEFERRABLE");
}
