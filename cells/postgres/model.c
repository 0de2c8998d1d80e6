/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "model.h"

#include <stdlib.h>
#include <string.h>

struct pg_model *pg_model_new(void) { return calloc(1, sizeof(struct pg_model)); }

void pg_model_free(struct pg_model *m)
{
    if (!m)
        return;
    pg_arena_free(&m->arena);
    free(m);
}

static const char *schema_or_default(const struct pg_model *m, const char *schema)
{
    return schema ? schema : m->default_schema ? m->default_schema : "public";
}

struct pg_table *pg_model_table(const struct pg_model *m, const char *schema, const char *name)
{
    schema = schema_or_default(m, schema);
    for (uint32_t i = 0; i < m->ntables; i++)
        if (strcmp(m->tables[i].name, name) == 0 && strcmp(m->tables[i].schema, schema) == 0)
            return &m->tables[i];
    return NULL;
}

const struct pg_relation *pg_model_relation(const struct pg_model *m, const char *schema, const char *name)
{
    for (uint32_t i = 0; i < m->nrelations; i++)
        if (strcmp(m->relations[i].name, name) == 0 && strcmp(m->relations[i].schema, schema) == 0)
            return &m->relations[i];
    return NULL;
}

const struct pg_enum *pg_model_enum(const struct pg_model *m, const char *schema, const char *name)
{
    const struct pg_enum *found = NULL;

    for (uint32_t i = 0; i < m->nenums; i++) {
        const struct pg_enum *e = &m->enums[i];
        if (strcmp(e->name, name) != 0 || (schema && strcmp(e->schema, schema) != 0))
            continue;
        /* Without a schema the one in the default schema comes first. */
        if (schema || !found || strcmp(e->schema, schema_or_default(m, NULL)) == 0)
            found = e;
    }
    return found;
}

const struct pg_domain *pg_model_domain(const struct pg_model *m, const char *schema, const char *name)
{
    for (uint32_t i = 0; i < m->ndomains; i++) {
        const struct pg_domain *d = &m->domains[i];
        if (strcmp(d->name, name) == 0 && (schema ? strcmp(d->schema, schema) == 0 : d->visible))
            return d;
    }
    return NULL;
}

void pg_model_resolve(const struct pg_model *m, struct pg_type_use *type)
{
    const struct pg_type_use *at = type;

    /* A domain can be made of another one. */
    for (uint32_t i = 0; i <= m->ndomains && at->base == PG_BASE_OTHER && (at == type || !at->array); i++) {
        const struct pg_domain *d = pg_model_domain(m, at->schema, at->name);
        if (!d)
            break;
        at = &d->base;
    }
    if (at != type)
        type->domain = at;
}

bool pg_enum_has(const struct pg_enum *e, const char *label)
{
    for (uint32_t i = 0; i < e->n; i++)
        if (strcmp(e->labels[i], label) == 0)
            return true;
    return false;
}

const char *pg_enum_difference(const struct pg_enum *a, const struct pg_enum *b)
{
    for (uint32_t i = 0; i < a->n; i++)
        if (!pg_enum_has(b, a->labels[i]))
            return a->labels[i];
    for (uint32_t i = 0; i < b->n; i++)
        if (!pg_enum_has(a, b->labels[i]))
            return b->labels[i];
    return NULL;
}

bool pg_model_has_schema(const struct pg_model *m, const char *schema)
{
    for (uint32_t i = 0; i < m->nschemas; i++)
        if (strcmp(m->schemas[i], schema) == 0)
            return true;
    return false;
}

struct pg_column *pg_table_column(const struct pg_table *t, const char *name)
{
    for (uint32_t i = 0; i < t->ncolumns; i++)
        if (strcmp(t->columns[i].name, name) == 0)
            return &t->columns[i];
    return NULL;
}

static const char **copy_names(struct pg_arena *a, const char **names, uint32_t n)
{
    const char **copies = names ? pg_array(a, n, sizeof(*copies)) : NULL;

    for (uint32_t i = 0; copies && i < n; i++)
        copies[i] = pg_strdup(a, names[i]);
    return copies;
}

static struct pg_expr copy_expr(struct pg_arena *a, struct pg_expr e)
{
    return (struct pg_expr){pg_strdup(a, e.sql), pg_strdup(a, e.source), e.printed};
}

/* Of `n` elements, the pointers in them still shared. */
static void *copy_array(struct pg_arena *a, const void *from, uint32_t n, size_t size)
{
    return n ? pg_copy(a, from, n * size) : NULL;
}

void pg_column_copy(struct pg_arena *a, const struct pg_column *from, struct pg_column *to)
{
    *to = *from;
    to->name = pg_strdup(a, from->name);
    to->type.schema = pg_strdup(a, from->type.schema);
    to->type.name = pg_strdup(a, from->type.name);
    if (from->type.domain) {
        struct pg_type_use *made = (struct pg_type_use *)pg_copy(a, from->type.domain, sizeof(*made));
        made->schema = pg_strdup(a, made->schema);
        made->name = pg_strdup(a, made->name);
        to->type.domain = made;
    }
    to->standard = copy_expr(a, from->standard);
    to->generated = copy_expr(a, from->generated);
    to->comment = pg_strdup(a, from->comment);
    to->numbers = pg_strdup(a, from->numbers);
}

static void copy_key(struct pg_arena *a, struct pg_key *k)
{
    k->name = pg_strdup(a, k->name);
    k->columns = copy_names(a, k->columns, k->n);
}

static void copy_index(struct pg_arena *a, struct pg_index *x)
{
    x->name = pg_strdup(a, x->name);
    x->method = pg_strdup(a, x->method);
    x->parts = copy_array(a, x->parts, x->n, sizeof(*x->parts));
    for (uint32_t i = 0; x->parts && i < x->n; i++) {
        x->parts[i].column = pg_strdup(a, x->parts[i].column);
        x->parts[i].expr = copy_expr(a, x->parts[i].expr);
        x->parts[i].opclass = pg_strdup(a, x->parts[i].opclass);
    }
    x->included = copy_names(a, x->included, x->nincluded);
    x->predicate = copy_expr(a, x->predicate);
    x->written = pg_strdup(a, x->written);
}

static void copy_foreign(struct pg_arena *a, struct pg_foreign_key *f)
{
    f->name = pg_strdup(a, f->name);
    f->columns = copy_names(a, f->columns, f->n);
    f->to_schema = pg_strdup(a, f->to_schema);
    f->to_table = pg_strdup(a, f->to_table);
    f->to_columns = copy_names(a, f->to_columns, f->n);
}

void pg_table_copy(struct pg_arena *a, const struct pg_table *from, struct pg_table *to)
{
    *to = *from;
    to->schema = pg_strdup(a, from->schema);
    to->name = pg_strdup(a, from->name);
    to->comment = pg_strdup(a, from->comment);
    to->columns = copy_array(a, from->columns, from->ncolumns, sizeof(*to->columns));
    for (uint32_t i = 0; to->columns && i < to->ncolumns; i++)
        pg_column_copy(a, &from->columns[i], &to->columns[i]);
    to->primary = copy_array(a, from->primary, from->primary != NULL, sizeof(*to->primary));
    if (to->primary)
        copy_key(a, to->primary);
    to->uniques = copy_array(a, from->uniques, from->nuniques, sizeof(*to->uniques));
    for (uint32_t i = 0; to->uniques && i < to->nuniques; i++)
        copy_key(a, &to->uniques[i]);
    to->indexes = copy_array(a, from->indexes, from->nindexes, sizeof(*to->indexes));
    for (uint32_t i = 0; to->indexes && i < to->nindexes; i++)
        copy_index(a, &to->indexes[i]);
    to->foreign = copy_array(a, from->foreign, from->nforeign, sizeof(*to->foreign));
    for (uint32_t i = 0; to->foreign && i < to->nforeign; i++)
        copy_foreign(a, &to->foreign[i]);
    to->checks = copy_array(a, from->checks, from->nchecks, sizeof(*to->checks));
    for (uint32_t i = 0; to->checks && i < to->nchecks; i++) {
        to->checks[i].name = pg_strdup(a, from->checks[i].name);
        to->checks[i].expr = copy_expr(a, from->checks[i].expr);
        to->checks[i].column = pg_strdup(a, from->checks[i].column);
        to->checks[i].origin = pg_strdup(a, from->checks[i].origin);
        to->checks[i].written = pg_strdup(a, from->checks[i].written);
    }
    to->in_step = copy_array(a, from->in_step, from->nin_step, sizeof(*to->in_step));
    for (uint32_t i = 0; to->in_step && i < to->nin_step; i++) {
        const struct pg_in_step *t = &from->in_step[i];
        to->in_step[i] = (struct pg_in_step){pg_strdup(a, t->name), pg_strdup(a, t->column), pg_strdup(a, t->replaced),
                                             pg_strdup(a, t->body)};
    }
    to->events = copy_array(a, from->events, from->nevents, sizeof(*to->events));
    for (uint32_t i = 0; to->events && i < to->nevents; i++) {
        to->events[i].name = pg_strdup(a, from->events[i].name);
        to->events[i].text = pg_strdup(a, from->events[i].text);
        to->events[i].day = pg_strdup(a, from->events[i].day);
    }
}
