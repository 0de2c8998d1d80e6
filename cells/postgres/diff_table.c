/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A table as a whole: how its columns are renamed, comments, enum types. */
#include <string.h>

#include "diff_parts.h"
#include "sql.h"

static bool same_text(const char *a, const char *b) { return a && b ? strcmp(a, b) == 0 : a == b; }

const char *pg_comment_sql(struct diffing *s, const char *column, const char *comment)
{
    struct pg_text t = {.arena = s->arena};

    pg_putf(&t, "COMMENT ON %s %s", column ? "COLUMN" : "TABLE", pg_this_table(s));
    if (column)
        pg_putf(&t, ".%s", pg_quoted(s, column));
    pg_puts(&t, " IS ");
    pg_sql_literal(&t, comment);
    return t.data;
}

/* ---- renames ---- */

static void rename_in(const char **names, uint32_t n, const char *from, const char *to)
{
    for (uint32_t i = 0; names && i < n; i++)
        if (strcmp(names[i], from) == 0)
            names[i] = to;
}

static bool rename_in_expr(struct diffing *s, struct pg_expr *e, const char *from, const char *to)
{
    const char *sql = e->sql ? pg_sql_renamed(s->arena, e->sql, from, to) : NULL;
    bool changed = sql && strcmp(sql, e->sql) != 0;

    if (changed) {
        e->source = e->source ? pg_sql_renamed(s->arena, e->source, from, to) : NULL;
        e->sql = sql;
    }
    return changed;
}

/* What the catalog prints of an expression changes with the name, so what was recorded is recorded anew. */
static void rename_in_table(struct diffing *s, struct step_builder *b, const char *from, const char *to)
{
    struct pg_table *t = &s->w->now;

    if (t->primary)
        rename_in(t->primary->columns, t->primary->n, from, to);
    for (uint32_t i = 0; i < t->nuniques; i++)
        rename_in(t->uniques[i].columns, t->uniques[i].n, from, to);
    for (uint32_t i = 0; i < t->nforeign; i++)
        rename_in(t->foreign[i].columns, t->foreign[i].n, from, to);
    for (uint32_t i = 0; i < t->nchecks; i++)
        if (rename_in_expr(s, &t->checks[i].expr, from, to) && t->checks[i].expr.source)
            pg_step_record(s, b, pg_check_kind(&t->checks[i]), t->checks[i].name, t->checks[i].expr.source);
    for (uint32_t i = 0; i < t->ncolumns; i++)
        if (rename_in_expr(s, &t->columns[i].generated, from, to) && t->columns[i].generated.source)
            pg_step_record(s, b, "generated", t->columns[i].name, t->columns[i].generated.source);
    for (uint32_t i = 0; i < t->nindexes; i++) {
        struct pg_index *x = &t->indexes[i];
        bool changed = rename_in_expr(s, &x->predicate, from, to), plain = false;
        for (uint32_t k = 0; k < x->n; k++) {
            changed = rename_in_expr(s, &x->parts[k].expr, from, to) || changed;
            if (x->parts[k].column && strcmp(x->parts[k].column, from) == 0) {
                x->parts[k].column = to;
                plain = true;
            }
        }
        rename_in(x->included, x->nincluded, from, to);
        if ((changed || plain) && x->made) {
            struct pg_index source = *x;
            source.parts = (struct pg_index_part *)pg_copy(s->arena, x->parts, x->n * sizeof(*x->parts));
            for (uint32_t k = 0; k < x->n; k++)
                if (source.parts[k].expr.source)
                    source.parts[k].expr.sql = source.parts[k].expr.source;
            if (source.predicate.source)
                source.predicate.sql = source.predicate.source;
            pg_step_record(s, b, "index", x->name, pg_index_source(s->arena, &source));
        }
    }
}

static void rename_references(struct diffing *s, const char *from, const char *to)
{
    for (uint32_t i = 0; i < s->works.n; i++)
        for (uint32_t k = 0; k < s->works.at[i]->now.nforeign; k++) {
            struct pg_foreign_key *f = &s->works.at[i]->now.foreign[k];
            if (strcmp(f->to_table, s->w->now.name) == 0 && strcmp(f->to_schema, s->w->now.schema) == 0)
                rename_in(f->to_columns, f->n, from, to);
        }
}

static void rename_column(struct diffing *s, const struct pg_field *f, struct pg_column *now, const char *to)
{
    const char *from = f->renamed_from, *users = pg_users_of(s, from);
    struct step_builder b = pg_step_begin(s, PG_STEP_RENAME_COLUMN, PG_TOGETHER, to, f->name);

    pg_step_alter(s, &b, "RENAME COLUMN %s TO %s", pg_quoted(s, from), pg_quoted(s, to));
    now->name = pg_strdup(s->arena, to);
    if (now->default_made) {
        pg_step_forget(s, &b, "default", from);
        pg_step_record(s, &b, "default", to, now->standard.source ? now->standard.source : now->standard.sql);
    }
    if (now->generated.source) {
        pg_step_forget(s, &b, "generated", from);
        pg_step_record(s, &b, "generated", to, now->generated.source);
    }
    if (now->numbers) {
        pg_step_forget(s, &b, "numbers", from);
        pg_step_record(s, &b, "numbers", to, now->numbers);
    }
    if (pg_has_event(&s->w->now, PG_PAST_FILLING, from)) {
        pg_step_forget(s, &b, "filling", from);
        pg_step_record(s, &b, "filling", to, NULL);
        pg_add_event(s, PG_PAST_FILLING, now->name);
    }
    const struct pg_event *shape = pg_find_event(&s->w->now, PG_PAST_SHAPE, from);
    if (shape) {
        pg_step_forget(s, &b, "shape", from);
        pg_step_record(s, &b, "shape", to, shape->text);
        pg_set_shape(s, now->name, shape->text);
    }
    rename_in_table(s, &b, from, now->name);
    rename_references(s, from, now->name);
    pg_step_record(s, &b, "renamed", from, now->name);
    pg_step_hazard(&b, PG_RULE_RENAME_COLUMN);
    b.step.consent = pg_printf(s->arena, "CELL_RENAMED_FROM(%s)", from);
    pg_step_end(s, &b, PG_PHASE_RENAME);
    pg_plan_diagnose(s, PG_WARNING, PG_RULE_RENAME_COLUMN, pg_at_field(f->name),
                     "column '%s' becomes '%s': programs that use the old name stop working%s%s", from, to,
                     users ? "; recorded are " : "", users ? users : "");
}

const struct pg_event *pg_find_event(const struct pg_table *t, enum pg_past past, const char *name)
{
    for (uint32_t i = 0; i < t->nevents; i++)
        if (t->events[i].past == past && strcmp(t->events[i].name, name) == 0)
            return &t->events[i];
    return NULL;
}

bool pg_has_event(const struct pg_table *t, enum pg_past past, const char *name)
{
    return pg_find_event(t, past, name) != NULL;
}

#define LONG_AGO_S (INT64_C(30) * 24 * 3600)

bool pg_done_long_ago(const struct pg_table *t, enum pg_past past, const char *name)
{
    const struct pg_event *e = pg_find_event(t, past, name);

    return e && e->age_s >= LONG_AGO_S;
}

static void no_former_column(struct diffing *s, const struct pg_field *f)
{
    const struct pg_table *t = &s->w->now;
    const char **names = pg_array(s->arena, t->ncolumns, sizeof(*names));
    uint32_t n = 0;

    for (uint32_t i = 0; i < t->ncolumns; i++)
        if (!pg_is_declared(s, t->columns[i].name))
            names[n++] = t->columns[i].name;
    const char *near = pg_suggest(f->renamed_from, names, n);
    pg_refuse(s, PG_RULE_NO_EFFECT, pg_at_field(f->name),
              near ? "CELL_RENAMED_FROM(%s) finds nothing: table '%s' has no such column; did you mean '%s'?"
                   : "CELL_RENAMED_FROM(%s) finds nothing: table '%s' has no such column",
              f->renamed_from, t->name, near);
}

/* The field of any struct of the table whose column has the former name now, when that one has had another name too. */
static bool before_in_chain(struct diffing *s, const struct pg_field *f, struct field_turn *before)
{
    for (uint32_t o = 0; o < s->w->nowners; o++) {
        const struct pg_field *other = pg_field_of(s->declared[s->w->owners[o]], f->renamed_from);
        if (other && other->renamed_from) {
            *before = (struct field_turn){s->w->owners[o], other, false};
            return true;
        }
    }
    return false;
}

/* The column of the former name is there, and is this field's: what has the name afterwards is another one, which waits
 * in the same way. */
static bool is_pending(struct diffing *s, const struct pg_field *f)
{
    struct field_turn before;

    return pg_table_column(&s->w->now, f->renamed_from) &&
           (before_in_chain(s, f, &before) ? is_pending(s, before.field) : !pg_is_declared(s, f->renamed_from));
}

static void renamed(struct diffing *s, const struct pg_field *f, struct pg_column *former, const char *name)
{
    if (former)
        rename_column(s, f, former, name);
    else if (pg_done_long_ago(&s->w->now, PG_PAST_RENAMED, f->renamed_from))
        pg_plan_diagnose(s, PG_REMARK, PG_RULE_CONSENT_DONE, pg_at_field(f->name),
                         "CELL_RENAMED_FROM(%s) was done long ago and can be removed", f->renamed_from);
}

/* False: it cannot be, and is said to be wrong. */
static bool diff_rename(struct diffing *s, const struct pg_field *f)
{
    const char *name = s->d->table.columns[f->column].name;
    struct pg_column *now = pg_table_column(&s->w->now, name);
    struct pg_column *former = pg_table_column(&s->w->now, f->renamed_from);
    struct field_turn before;

    if (former && now && (before_in_chain(s, f, &before) || pg_has_event(&s->w->now, PG_PAST_RENAMED, f->renamed_from)))
        return true; /* it is done; when not, the first of the chain is in the way, which is said there */
    if (former && pg_is_declared(s, f->renamed_from) && !is_pending(s, f))
        pg_refuse(s, PG_RULE_NO_EFFECT, pg_at_field(f->name),
                  "CELL_RENAMED_FROM(%s) contradicts the field that is this column", f->renamed_from)
            ->whole = pg_field_of(s->d, f->renamed_from); /* whose own former name a later struct may say */
    else if (former && now)
        pg_refuse(s, PG_RULE_NO_EFFECT, pg_at_field(f->name),
                  "columns '%s' and '%s' both exist: it cannot be renamed; CELL_DROPPED(\"%s\") drops the old one",
                  f->renamed_from, name, f->renamed_from);
    else if (former &&
             (pg_find_in_step(&s->w->now, former->name, NULL) || pg_find_in_step(&s->w->now, NULL, former->name)))
        pg_refuse(s, PG_NO_RULE, pg_at_field(f->name),
                  "column '%s' is kept in step with another one, for programs that use that: it can be renamed when "
                  "these are gone",
                  f->renamed_from);
    else if (!former && !now)
        no_former_column(s, f);
    else {
        renamed(s, f, former, name);
        return true;
    }
    return false;
}

bool pg_is_former_name(struct diffing *s, const char *column)
{
    for (uint32_t o = 0; o < s->w->nowners; o++) {
        const struct pg_declared *d = s->declared[s->w->owners[o]];
        for (uint32_t i = 0; i < d->nfields; i++)
            if (d->fields[i].renamed_from && strcmp(d->fields[i].renamed_from, column) == 0)
                return true;
    }
    return false;
}

/* Columns of several structs that give each other their names: of one struct its declaration has said so. */
static bool is_in_circle(struct diffing *s, const struct pg_field *f, const char *name)
{
    struct field_turn at = {0, f, false};
    uint32_t left = 0;

    for (uint32_t o = 0; o < s->w->nowners; o++)
        left += s->declared[s->w->owners[o]]->nfields;
    do {
        if (strcmp(at.field->renamed_from, name) == 0)
            return true;
    } while (left-- > 0 && before_in_chain(s, at.field, &at));
    return false;
}

static bool has_circle(struct diffing *s)
{
    for (uint32_t o = 0; o < s->w->nowners; o++) {
        if (!pg_select(s, s->w->owners[o]))
            continue;
        for (uint32_t i = 0; i < s->d->nfields; i++) {
            const struct pg_field *f = &s->d->fields[i];
            const char *name = s->d->table.columns[f->column].name;
            if (!f->renamed_from || !is_in_circle(s, f, name))
                continue;
            pg_refuse(s, PG_NO_RULE, pg_at_field(f->name),
                      "structs of table '%s' give columns each other's names, '%s' that of '%s' by "
                      "CELL_RENAMED_FROM(%s), and afterwards nothing tells that it was done: give one of them a name "
                      "that is free, and the one that is meant in a later build",
                      s->w->now.name, name, f->renamed_from, f->renamed_from);
            return true;
        }
    }
    return false;
}

/* Of a chain, in which a column gets the name that another one has had, the last one comes first: its name is free. */
static void rename_fields(struct diffing *s)
{
    const struct field_turn own = {s->current, NULL, false};

    for (uint32_t i = 0; i < s->declared[own.declared]->nfields; i++) {
        struct field_turn turn = {own.declared, &s->declared[own.declared]->fields[i], false};
        pg_take_turn(s, &turn);
        if (!turn.field->renamed_from || pg_is_former_name(s, s->d->table.columns[turn.field->column].name))
            continue;
        while (diff_rename(s, turn.field) && before_in_chain(s, turn.field, &turn))
            pg_take_turn(s, &turn);
    }
}

void pg_diff_renames(struct diffing *s)
{
    if (!has_circle(s))
        pg_each_owner(s, rename_fields);
}

/* ---- comments ---- */

/* Of several structs the first that says something of a column, or of the table (NULL), is right. */
static bool is_said_before(const struct diffing *s, const char *column)
{
    for (uint32_t o = 0; o < s->w->nowners && s->w->owners[o] < s->current; o++) {
        const struct pg_table *t = &s->declared[s->w->owners[o]]->table;
        const struct pg_column *c = column ? pg_table_column(t, column) : NULL;
        if (column ? c && c->comment : t->comment != NULL)
            return true;
    }
    return false;
}

void pg_diff_comments(struct diffing *s)
{
    const struct pg_table *want = &s->d->table;

    if (want->comment && !same_text(want->comment, s->w->now.comment) && !is_said_before(s, NULL)) {
        struct step_builder b = pg_step_begin(s, PG_STEP_COMMENT, PG_TOGETHER, NULL, NULL);
        pg_step_sql(s, &b, pg_comment_sql(s, NULL, want->comment));
        pg_step_end(s, &b, PG_PHASE_COMMENT);
        s->w->now.comment = pg_strdup(s->arena, want->comment);
    }
    for (uint32_t i = 0; i < want->ncolumns; i++) {
        const struct pg_column *c = &want->columns[i];
        struct pg_column *now = pg_table_column(&s->w->now, c->name);
        if (!now || !c->comment || same_text(c->comment, now->comment) || is_said_before(s, c->name))
            continue;
        struct step_builder b = pg_step_begin(s, PG_STEP_COMMENT, PG_TOGETHER, c->name, NULL);
        pg_step_sql(s, &b, pg_comment_sql(s, c->name, c->comment));
        pg_step_end(s, &b, PG_PHASE_COMMENT);
        now->comment = pg_strdup(s->arena, c->comment);
    }
}

/* ---- native enums ---- */

static const char *enum_field(struct diffing *s, const struct pg_enum *e)
{
    for (uint32_t i = 0; i < s->d->nfields; i++) {
        const struct pg_type_use *t = &s->d->fields[i].mapping.type;
        if (t->base == PG_BASE_OTHER && strcmp(t->name, e->name) == 0)
            return s->d->fields[i].name;
    }
    return NULL;
}

static const char *enum_name(struct diffing *s, const struct pg_enum *e)
{
    struct pg_text t = {.arena = s->arena};

    pg_sql_qualified(&t, e->schema, e->name);
    return t.data;
}

static const char *made_enum(struct diffing *s, const struct pg_enum *e)
{
    return pg_printf(s->arena, "type %s", enum_name(s, e));
}

static void create_enum(struct diffing *s, const struct pg_enum *e)
{
    struct step_builder b = pg_step_begin(s, PG_STEP_CREATE_ENUM, PG_TOGETHER, e->name, enum_field(s, e));
    struct pg_text t = {.arena = s->arena};

    pg_putf(&t, "CREATE TYPE %s AS ENUM (", enum_name(s, e));
    for (uint32_t i = 0; i < e->n; i++) {
        pg_puts(&t, i ? ", " : "");
        pg_sql_literal(&t, e->labels[i]);
    }
    pg_puts(&t, ")");
    pg_step_sql(s, &b, t.data);
    b.makes = made_enum(s, e);
    pg_step_end(s, &b, PG_PHASE_TYPES);
}

/* Behind the value before it, which is there by then; the first one before the first of those that are. */
static void put_place(struct pg_text *t, const struct pg_enum *want, uint32_t i, const struct pg_enum *there)
{
    uint32_t next = i;

    while (i == 0 && next < want->n && !pg_enum_has(there, want->labels[next]))
        next++;
    if (next == want->n)
        return;
    pg_puts(t, i > 0 ? " AFTER " : " BEFORE ");
    pg_sql_literal(t, want->labels[i > 0 ? i - 1 : next]);
}

static void extend_enum(struct diffing *s, const struct pg_enum *want, const struct pg_enum *there)
{
    for (uint32_t i = 0; i < there->n; i++)
        if (!pg_enum_has(want, there->labels[i]))
            pg_refuse(s, PG_RULE_ENUM_VALUE_GONE, pg_at_field(enum_field(s, want)),
                      "type '%s' has the value '%s', which no enumerator stands for, and cannot lose it", want->name,
                      there->labels[i]);
    for (uint32_t i = 0; i < want->n; i++) {
        if (pg_enum_has(there, want->labels[i]))
            continue;
        /* Alone: a new value cannot be used in the transaction that adds it. */
        struct step_builder b = pg_step_begin(s, PG_STEP_ADD_ENUM_VALUE, PG_ALONE, want->name, enum_field(s, want));
        struct pg_text t = {.arena = s->arena};
        pg_putf(&t, "ALTER TYPE %s ADD VALUE IF NOT EXISTS ", enum_name(s, want));
        pg_sql_literal(&t, want->labels[i]);
        put_place(&t, want, i, there);
        pg_step_sql(s, &b, t.data);
        b.makes = made_enum(s, want);
        pg_step_end(s, &b, PG_PHASE_VALUES);
    }
}

/* Another struct has the type as well. */
static void check_enum_agrees(struct diffing *s, const struct pg_enum *e, const struct declared_enum *other)
{
    const char *label = pg_enum_difference(e, other->e);
    bool own = label && pg_enum_has(e, label);

    if (label)
        pg_refuse(s, PG_NO_RULE, pg_at_field(enum_field(s, e)),
                  "type '%s' is of two enums with different values: '%s' is one of struct '%s' and not of struct '%s'",
                  e->name, label, own ? s->d->tag : s->declared[other->declared]->tag,
                  own ? s->declared[other->declared]->tag : s->d->tag);
}

void pg_diff_enums(struct diffing *s)
{
    for (uint32_t i = 0; i < s->d->nenums; i++) {
        const struct pg_enum *e = &s->d->enums[i], *there = pg_model_enum(s->catalog, e->schema, e->name);
        const struct declared_enum *other = NULL;
        for (uint32_t k = 0; k < s->enums.n && !other; k++)
            if (strcmp(s->enums.at[k].e->name, e->name) == 0 && strcmp(s->enums.at[k].e->schema, e->schema) == 0)
                other = &s->enums.at[k];
        if (other) {
            check_enum_agrees(s, e, other);
            pg_steps_share(s, made_enum(s, e));
            continue;
        }
        *pg_push(s->arena, &s->enums) = (struct declared_enum){e, s->current};
        if (there)
            extend_enum(s, e, there);
        else
            create_enum(s, e);
    }
}
