/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Names: of constraints, which a table has for itself, and of tables, keys and indexes, which share those of a schema.
 */
#include <string.h>

#include "diff_parts.h"
#include "sql.h"

static bool is_named(const char *a, const char *b) { return strcmp(a, b) == 0; }

static bool has_index(const struct pg_table *t, const char *name)
{
    if (t->primary && is_named(t->primary->name, name))
        return true;
    for (uint32_t i = 0; i < t->nuniques; i++)
        if (is_named(t->uniques[i].name, name))
            return true;
    for (uint32_t i = 0; i < t->nindexes; i++)
        if (is_named(t->indexes[i].name, name))
            return true;
    return false;
}

static bool name_taken(const struct pg_table *t, const char *name)
{
    for (uint32_t i = 0; i < t->nforeign; i++)
        if (is_named(t->foreign[i].name, name))
            return true;
    for (uint32_t i = 0; i < t->nchecks; i++)
        if (is_named(t->checks[i].name, name))
            return true;
    return has_index(t, name);
}

const char *pg_free_name(struct diffing *s, const char *name)
{
    const char *found = name;

    for (unsigned i = 2; name_taken(&s->w->now, found); i++)
        found = pg_made_name(s->arena, name, NULL, pg_printf(s->arena, "%u", i));
    return found;
}

/* An index of the table at hand, which is known as it will be. */
static bool is_own_index(const struct table_work *w, const struct pg_relation *r)
{
    return (r->kind == 'i' || r->kind == 'I') && r->table &&
           (is_named(r->table, w->now.name) || (w->former && is_named(r->table, w->former)));
}

/* What another table's has in the catalog stays taken, even if a step of this plan drops it: that may come later. */
static bool relation_taken(struct diffing *s, const char *name)
{
    const struct pg_table *now = &s->w->now;
    const struct pg_relation *r = pg_model_relation(s->catalog, now->schema, name);

    if (name_taken(now, name) || (r && !is_own_index(s->w, r)))
        return true;
    for (uint32_t i = 0; i < s->works.n; i++) {
        const struct pg_table *t = &s->works.at[i]->now;
        if (is_named(t->schema, now->schema) && (is_named(t->name, name) || has_index(t, name)))
            return true;
    }
    return false;
}

const char *pg_free_relation(struct diffing *s, const char *name)
{
    const char *found = name;

    for (uint32_t i = 1; relation_taken(s, found); i++)
        found = pg_relation_name(s->arena, &s->w->now, name, i);
    return found;
}

void pg_check_table_name(struct diffing *s, const struct pg_declared *d)
{
    const struct pg_relation *r = pg_model_relation(s->catalog, d->table.schema, d->table.name);

    if (!r)
        return;
    const char *what = r->kind == 'S' ? "a sequence" : r->kind == 'c' ? "a type" : "an index";
    pg_refuse(s, PG_NO_RULE, PG_AT_ANNOTATION,
              "no table can be called '%s': that is the name of %s%s%s%s in schema '%s'. Give the table another name, "
              "or rename the other by hand",
              r->name, what, r->table ? " of table '" : "", r->table ? r->table : "", r->table ? "'" : "", r->schema);
}
