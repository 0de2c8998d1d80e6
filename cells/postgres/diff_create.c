/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A table that is not there: it is made with what all of its structs declare, in one step. */
#include <string.h>

#include "diff_parts.h"
#include "sql.h"

/* What a new table has beside its columns is recorded in the same step. */
static void record_all(struct diffing *s, struct step_builder *b, const struct pg_table *t)
{
    for (uint32_t i = 0; i < t->ncolumns; i++) {
        const struct pg_column *c = &t->columns[i];
        if (c->generated.sql)
            pg_step_record(s, b, "generated", c->name, c->generated.sql);
        else if (c->standard.sql)
            pg_step_record(s, b, "default", c->name, c->standard.sql);
        if (c->numbers)
            pg_step_record(s, b, "numbers", c->name, c->numbers);
    }
    if (t->primary)
        pg_step_record(s, b, "key", t->primary->name, NULL);
    for (uint32_t i = 0; i < t->nuniques; i++)
        pg_step_record(s, b, "key", t->uniques[i].name, NULL);
    for (uint32_t i = 0; i < t->nchecks; i++)
        pg_step_record(s, b, pg_check_kind(&t->checks[i]), t->checks[i].name, t->checks[i].expr.sql);
    for (uint32_t i = 0; i < t->nindexes; i++)
        pg_step_record(s, b, "index", t->indexes[i].name, pg_index_source(s->arena, &t->indexes[i]));
    for (uint32_t i = 0; i < t->ncolumns; i++)
        pg_record_shape(s, b, t->columns[i].name);
}

/* It begins with the names that it has: what gets a former one afterwards is another table or column. */
static void record_former_names(struct diffing *s, struct step_builder *b)
{
    for (uint32_t i = 0; i < s->d->nfields; i++)
        if (s->d->fields[i].renamed_from)
            pg_step_record(s, b, "renamed", s->d->fields[i].renamed_from,
                           s->d->table.columns[s->d->fields[i].column].name);
    if (s->d->renamed_from)
        pg_step_record(s, b, "renamed", s->d->renamed_from, NULL);
}

/* ---- what the struct at hand adds to those before it ---- */

static void add_columns(struct diffing *s)
{
    const struct pg_table *want = &s->d->table;
    struct pg_table *now = &s->w->now;

    if (!now->comment)
        now->comment = pg_strdup(s->arena, want->comment);
    for (uint32_t i = 0; i < want->ncolumns; i++) {
        struct pg_column *there = pg_table_column(now, want->columns[i].name);
        if (!there)
            there = pg_add_to_now(s, &want->columns[i]);
        else if (!there->comment)
            there->comment = pg_strdup(s->arena, want->columns[i].comment);
        there->default_made = there->standard.sql != NULL;
    }
}

static void add_checks(struct diffing *s)
{
    struct pg_table *now = &s->w->now;

    for (uint32_t i = 0; i < s->d->table.nchecks; i++) {
        struct pg_check c = s->d->table.checks[i];
        struct pg_check *there = pg_find_check(now, &c);
        if (there) {
            there->implied = there->implied && c.implied;
            continue;
        }
        c.name = pg_free_name(s, c.name);
        now->checks = pg_one_more(s->arena, now->checks, &now->nchecks, sizeof(c));
        now->checks[now->nchecks - 1] = c;
    }
}

/* Another primary key than one before it has is refused when the table is known. */
static void add_keys(struct diffing *s)
{
    const struct pg_table *want = &s->d->table;
    struct pg_table *now = &s->w->now;

    if (want->primary && !now->primary) {
        struct pg_key key = *want->primary;
        key.name = pg_free_relation(s, key.name);
        now->primary = (struct pg_key *)pg_copy(s->arena, &key, sizeof(key));
    }
    for (uint32_t i = 0; i < want->nuniques; i++) {
        struct pg_key key = want->uniques[i];
        if (pg_key_is_there(now, &key, NULL))
            continue;
        key.name = pg_free_relation(s, key.name);
        now->uniques = pg_one_more(s->arena, now->uniques, &now->nuniques, sizeof(key));
        now->uniques[now->nuniques - 1] = key;
    }
}

static void add_indexes(struct diffing *s, struct step_builder *b)
{
    struct pg_table *now = &s->w->now;

    for (uint32_t i = 0; i < s->d->table.nindexes; i++) {
        struct pg_index x = s->d->table.indexes[i];
        struct pg_text t = {.arena = s->arena};
        if (pg_index_is_there(now, &x))
            continue;
        x.name = pg_free_relation(s, x.name);
        now->indexes = pg_one_more(s->arena, now->indexes, &now->nindexes, sizeof(x));
        now->indexes[now->nindexes - 1] = x;
        pg_sql_create_index(&t, now, &x, false);
        pg_step_index(s, b, t.data, &x);
    }
}

/* ---- the step ---- */

static void key_is_never_null(struct pg_table *t)
{
    for (uint32_t i = 0; i < t->ncolumns; i++)
        if (pg_in_key(t, t->columns[i].name))
            t->columns[i].nullable = false;
}

static void comment_all(struct diffing *s, struct step_builder *b, const struct pg_table *t)
{
    if (t->comment)
        pg_step_sql(s, b, pg_comment_sql(s, NULL, t->comment));
    for (uint32_t i = 0; i < t->ncolumns; i++)
        if (t->columns[i].comment)
            pg_step_sql(s, b, pg_comment_sql(s, t->columns[i].name, t->columns[i].comment));
}

/* "table … is made with "price" bigint, CONSTRAINT …": what of the step's statements another struct wants than the one
 * that has the step. */
static void share(struct diffing *s, struct step_builder *b, uint32_t declared)
{
    struct pg_text t = {.arena = s->arena};

    for (uint32_t i = 0; i < b->parts.n; i++) {
        const struct pg_step_part *p = &b->parts.at[i];
        const char *sql = b->sql.at[p->statement];
        if (p->declared == declared)
            pg_putf(&t, "%s%.*s", t.len ? ", " : "", (int)(p->span.to ? p->span.to - p->span.from : strlen(sql)),
                    sql + p->span.from);
    }
    if (t.len)
        *pg_push(s->arena, &b->shares) = (struct pg_step_share){
            declared, pg_step_text(s, pg_printf(s->arena, "table %s is made with %s", pg_this_table(s), t.data))};
}

void pg_diff_create(struct diffing *s)
{
    struct step_builder b = pg_step_begin(s, PG_STEP_CREATE_TABLE, PG_TOGETHER, NULL, NULL);
    struct pg_table *now = &s->w->now;
    uint32_t first = s->current;

    now->kind = s->d->table.kind;
    now->rows = s->d->table.rows;
    /* The columns of all before the rest: one may be computed from another one's. */
    pg_each_owner(s, add_columns);
    pg_each_owner(s, add_checks);
    pg_each_owner(s, add_keys);
    key_is_never_null(now);
    pg_select(s, first);
    pg_step_table(s, &b, now);
    for (uint32_t i = 0; i < s->w->nowners; i++)
        if (pg_select(s, s->w->owners[i])) {
            add_indexes(s, &b);
            record_former_names(s, &b);
        }
    comment_all(s, &b, now);
    record_all(s, &b, now);
    for (uint32_t i = 0; i < s->w->nowners; i++)
        if (s->w->owners[i] != first)
            share(s, &b, s->w->owners[i]);
    pg_select(s, first);
    pg_step_end(s, &b, PG_PHASE_CREATE);
    s->w->created = true;
}
