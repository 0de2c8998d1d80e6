/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What is in columns of JSON. The database knows nothing of it, so the members are recorded that the structs have, and
 * those that they had and that stay in rows: as lines "path kind", in the order of the paths.
 */
#include <stdlib.h>
#include <string.h>

#include "diff_parts.h"
#include "sql.h"
#include "types_parts.h"

#define BATCH 10000

static int by_path(const void *a, const void *b)
{
    const struct pg_member *x = a, *y = b;

    return strcmp(x->path, y->path);
}

static void sort(pg_members *list)
{
    if (list->n)
        qsort(list->at, list->n, sizeof(*list->at), by_path);
}

static const struct pg_member *find(const pg_members *list, const char *path)
{
    const struct pg_member key = {path, NULL};

    return list->n ? bsearch(&key, list->at, list->n, sizeof(key), by_path) : NULL;
}

/* That of all structs of the table; where two have a member the first one's. */
static pg_members declared_members(struct diffing *s, const char *column)
{
    pg_members all = {0};

    for (uint32_t i = 0; i < s->w->nowners; i++) {
        const struct pg_field *f = pg_field_of(s->declared[s->w->owners[i]], column);
        uint32_t before = all.n;
        for (uint32_t k = 0; f && k < f->nmembers; k++) {
            const pg_members known = {.at = all.at, .n = before};
            if (!find(&known, f->members[k].path))
                *pg_push(s->arena, &all) = f->members[k];
        }
        sort(&all);
    }
    return all;
}

static pg_members recorded_members(struct diffing *s, const char *text)
{
    pg_members all = {0};

    while (*text) {
        size_t line = strcspn(text, "\n"), path = strcspn(text, " ");
        if (path < line)
            *pg_push(s->arena, &all) =
                (struct pg_member){pg_copy(s->arena, text, path), pg_copy(s->arena, text + path + 1, line - path - 1)};
        text += line + (text[line] == '\n');
    }
    sort(&all);
    return all;
}

static const char *shape_text(struct diffing *s, const pg_members *list)
{
    struct pg_text t = {.arena = s->arena};

    pg_puts(&t, "");
    for (uint32_t i = 0; i < list->n; i++)
        pg_putf(&t, "%s %s\n", list->at[i].path, list->at[i].kind);
    return t.data;
}

void pg_set_shape(struct diffing *s, const char *column, const char *text)
{
    struct pg_table *t = &s->w->now;

    pg_add_event(s, PG_PAST_SHAPE, column);
    for (uint32_t i = 0; i < t->nevents; i++)
        if (t->events[i].past == PG_PAST_SHAPE && strcmp(t->events[i].name, column) == 0)
            t->events[i].text = text;
}

static void record(struct diffing *s, struct step_builder *b, const char *column, const pg_members *list)
{
    const char *text = shape_text(s, list);

    pg_step_record(s, b, "shape", column, text);
    pg_set_shape(s, column, text);
}

void pg_record_shape(struct diffing *s, struct step_builder *b, const char *column)
{
    const pg_members list = declared_members(s, column);

    if (list.n)
        record(s, b, column, &list);
}

/* ---- one column ---- */

struct shape {
    struct diffing *s;
    const struct pg_field *f;
    const char *column;
    pg_members was, is;
    pg_members stays; /* the new record */
    bool changed;     /* something of it was consented to */
};

static const char *bare(const char *kind) { return kind + (*kind == '*'); }

static bool in_several(const struct pg_member *m) { return *m->kind == '*'; }

/* What the member is in, in the list; NULL when that is the column. */
static const struct pg_member *parent_in(struct diffing *s, const pg_members *list, const char *path, bool *outermost)
{
    const char *dot = strrchr(path, '.');

    *outermost = !dot;
    return dot ? find(list, pg_copy(s->arena, path, (size_t)(dot - path))) : NULL;
}

/* The member is said of as part of another one. */
static bool is_within(struct diffing *s, const pg_members *list, const char *path)
{
    bool outermost;

    return !parent_in(s, list, path, &outermost) && !outermost;
}

static bool begins(const char *text, const char *with) { return strncmp(text, with, strlen(with)) == 0; }

static bool consents(struct shape *h)
{
    bool given = pg_consents(h->s, PG_CONSENT_RETYPED, h->column);

    h->changed = h->changed || given;
    return given;
}

static struct pg_place place_of(const struct shape *h, const struct pg_member *m)
{
    return pg_at_field(pg_printf(h->s->arena, "%s.%s", h->f->name, m->path));
}

/* What is missing is read as zero. A list that is empty is no other than one that is missing. */
static void check_added(struct shape *h, const struct pg_member *m)
{
    const char *kind = bare(m->kind);

    if (is_within(h->s, &h->was, m->path) || begins(kind, "opt:") || begins(kind, "list:") || consents(h))
        return;
    pg_refuse(h->s, PG_RULE_NOT_NULL_ADDED, place_of(h, m),
              "member '%s' of column '%s' is new and not optional: it is missing in rows that are there, and would be "
              "read as zero. Make it optional, or consent to zero with CELL_RETYPED(\"%s\", \"%s\")",
              m->path, h->column, h->column, m->path);
}

static enum pg_ckind kind_named(const char *name)
{
    for (int i = 0; i < PG_C_ENUM; i++)
        if (strcmp(pg_ckind_name((enum pg_ckind)i), name) == 0)
            return (enum pg_ckind)i;
    return strcmp(name, "enum") == 0 ? PG_C_ENUM : PG_C_STRUCT;
}

/* Whether all that was written of one type is read as the other one. */
static bool reads(const char *from, const char *to)
{
    const char *a = strchr(from, ':'), *b = strchr(to, ':');
    bool same_form = begins(from, "list:") == begins(to, "list:") && begins(from, "array:") == begins(to, "array:");
    enum pg_ckind was = kind_named(a ? a + 1 : from), is = kind_named(b ? b + 1 : to);
    struct pg_integer_range x = pg_integer_range(was), y = pg_integer_range(is);

    if (!same_form || was == is)
        return same_form;
    if (pg_is_integer(was) && pg_is_integer(is))
        return y.low <= x.low && y.high >= x.high;
    return is == PG_C_F64 && (was == PG_C_F32 || (pg_is_integer(was) && x.high <= UINT32_MAX));
}

static void check_kept(struct shape *h, const struct pg_member *was, const struct pg_member *is)
{
    const char *from = bare(was->kind), *to = bare(is->kind);
    bool readable = reads(from, to), absent = begins(from, "opt:") && !begins(to, "opt:");

    if ((readable && !absent) || consents(h))
        return;
    if (absent && readable)
        pg_refuse(h->s, PG_RULE_NOT_NULL_TIGHTENED, place_of(h, is),
                  "member '%s' of column '%s' was optional: where it is missing it would be read as zero. "
                  "CELL_RETYPED(\"%s\", \"%s\") consents to that",
                  is->path, h->column, h->column, is->path);
    else
        pg_refuse(h->s, PG_RULE_RETYPE_LOSES, place_of(h, is),
                  "member '%s' of column '%s' was %s and becomes %s, as which rows that are there cannot be read: give "
                  "the new one another name. If a CELL_STEP has rewritten them, CELL_RETYPED(\"%s\", \"%s\") says so",
                  is->path, h->column, from, to, h->column, is->path);
}

/* The column as a whole. */
static void check_form(struct shape *h, const struct pg_member *was, const struct pg_member *is)
{
    if (strcmp(was->kind, is->kind) != 0 && !consents(h))
        pg_refuse(h->s, PG_RULE_RETYPE_LOSES, pg_at_field(h->f->name),
                  "column '%s' was %s and becomes %s, as which rows that are there cannot be read: give the new one a "
                  "column of its own. If a CELL_STEP has rewritten them, CELL_RETYPED(\"%s\", \"…\") says so",
                  h->column, was->kind, is->kind, h->column);
}

/* Out of the rows that have it. */
static void drop_member(struct shape *h, const struct pg_member *m, const char *name)
{
    struct diffing *s = h->s;
    const char *column = pg_quoted(s, h->column), *table = pg_this_table(s);
    bool several = in_several(m);
    struct step_builder b = pg_step_begin(s, several ? PG_STEP_RECORD : PG_STEP_BACKFILL,
                                          several ? PG_TOGETHER : PG_REPEATED, h->column, h->f->name);
    struct pg_text path = {.arena = s->arena};

    pg_puts(&path, "'{");
    for (const char *p = m->path; *p; p++)
        pg_putf(&path, *p == '.' ? "," : "%c", *p);
    pg_puts(&path, "}'");
    if (!several)
        pg_step_sql(
            s, &b,
            pg_printf(s->arena,
                      "UPDATE %s SET %s = %s #- %s WHERE ctid = ANY (ARRAY(SELECT ctid FROM %s WHERE %s #> %s IS "
                      "NOT NULL LIMIT %d))",
                      table, column, column, path.data, table, column, path.data, BATCH));
    else
        b.step.text = pg_printf(s->arena, "note that member '%s' of %s is no more", m->path, column);
    b.step.declared = pg_step_consented(s, &b, PG_CONSENT_DROPPED, name);
    pg_step_hazard(&b, PG_RULE_DROP_COLUMN);
    pg_step_end(s, &b, PG_PHASE_DROP);
}

/* True when it stays, as far as anybody knows. */
static bool check_gone(struct shape *h, const struct pg_member *m)
{
    const char *name = pg_printf(h->s->arena, "%s.%s", h->column, m->path);
    bool outermost;
    const struct pg_member *parent = parent_in(h->s, &h->was, m->path, &outermost);

    if (!outermost && !find(&h->is, parent ? parent->path : ""))
        return parent && find(&h->stays, parent->path); /* as what it is in */
    if (pg_consents(h->s, PG_CONSENT_DROPPED, name)) {
        drop_member(h, m, name);
        return false;
    }
    if (in_several(m))
        pg_refuse(h->s, PG_RULE_DROP_COLUMN, pg_at_field(h->f->name),
                  "member '%s' of column '%s' is in no struct any more, and is lost when a row is updated: "
                  "CELL_DROPPED(\"%s\") consents",
                  m->path, h->column, name);
    else
        pg_plan_diagnose(h->s, PG_REMARK, PG_RULE_UNDECLARED, pg_at_field(h->f->name),
                         "member '%s' of column '%s' is in no struct and stays as it is: CELL_DROPPED(\"%s\") drops it",
                         m->path, h->column, name);
    return true;
}

static void diff_shape(struct shape *h, const char *text)
{
    h->was = recorded_members(h->s, text);
    for (uint32_t i = 0; i < h->was.n; i++) { /* what a member is in comes before it */
        const struct pg_member *was = &h->was.at[i], *is = find(&h->is, was->path);
        if (is && !*is->path)
            check_form(h, was, is);
        else if (is)
            check_kept(h, was, is);
        if (is || check_gone(h, was))
            *pg_push(h->s->arena, &h->stays) = is ? *is : *was;
    }
    for (uint32_t i = 0; i < h->is.n; i++) {
        if (find(&h->was, h->is.at[i].path))
            continue;
        check_added(h, &h->is.at[i]);
        *pg_push(h->s->arena, &h->stays) = h->is.at[i];
    }
    sort(&h->stays);
}

static void diff_column(struct diffing *s, const struct pg_field *f, bool changes)
{
    const char *column = s->d->table.columns[f->column].name;
    const struct pg_event *e = pg_find_event(&s->w->now, PG_PAST_SHAPE, column);
    const struct pg_column *now = pg_table_column(&s->w->now, column);
    struct shape h = {.s = s, .f = f, .column = column, .is = declared_members(s, column)};

    if (!now || (now->type.base != PG_BASE_JSONB && now->type.base != PG_BASE_JSON) || (!e && !changes))
        return;
    if (e)
        diff_shape(&h, e->text ? e->text : "");
    else
        h.stays = h.is;
    if (e && !h.changed && strcmp(shape_text(s, &h.stays), e->text ? e->text : "") == 0)
        return;
    struct step_builder b = pg_step_begin(s, PG_STEP_RECORD, PG_TOGETHER, column, f->name);
    b.step.text = pg_printf(s->arena, "note the members of %s in %s", pg_quoted(s, column), pg_this_table(s));
    record(s, &b, column, &h.stays);
    if (h.changed)
        b.step.declared = pg_step_consented(s, &b, PG_CONSENT_RETYPED, column);
    pg_step_end(s, &b, PG_PHASE_COMMENT);
}

void pg_diff_shapes(struct diffing *s, bool changes)
{
    const field_turns fields = pg_fields_of_table(s);

    for (uint32_t i = 0; i < fields.n; i++)
        if (fields.at[i].field->nmembers && pg_select(s, fields.at[i].declared))
            diff_column(s, fields.at[i].field, changes);
}
