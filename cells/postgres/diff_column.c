/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Columns: which come, and what changes in those that are there. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "diff_parts.h"
#include "sql.h"
#include "sql_parts.h"
#include "types_parts.h"

bool pg_names_column(struct diffing *s, const char *sql, const char *column)
{
    /* Most do not: those are told without a copy. A quote in the name is doubled in the SQL. */
    if (!strchr(column, '"') && !strcasestr(sql, column))
        return false;
    return strcmp(pg_sql_renamed(s->arena, sql, column, "\x01"), sql) != 0;
}

/* A step of this plan gives the column of the table at hand another type or other values, or one that it is computed
 * from. */
static bool is_rewritten(struct diffing *s, const struct pg_column *c)
{
    for (uint32_t i = 0; i < s->steps.n; i++) {
        const struct pg_step *step = &s->steps.at[i].step;
        if ((step->kind == PG_STEP_RETYPE_COLUMN || step->kind == PG_STEP_BACKFILL) &&
            strcmp(step->table, s->w->now.name) == 0 && strcmp(step->schema, s->w->now.schema) == 0 &&
            (strcmp(step->object, c->name) == 0 ||
             (c->generated.sql && pg_names_column(s, c->generated.sql, step->object))))
            return true;
    }
    return false;
}

bool pg_names_rewritten(struct diffing *s, const char *sql)
{
    for (uint32_t i = 0; i < s->w->now.ncolumns; i++)
        if (pg_names_column(s, sql, s->w->now.columns[i].name) && is_rewritten(s, &s->w->now.columns[i]))
            return true;
    return false;
}

bool pg_index_is_rewritten(struct diffing *s, const struct pg_index *x)
{
    for (uint32_t i = 0; i < s->w->now.ncolumns; i++)
        if (pg_index_uses(s, x, s->w->now.columns[i].name) && is_rewritten(s, &s->w->now.columns[i]))
            return true;
    return false;
}

enum pg_phase pg_column_phase(const struct diffing *s) { return s->late ? PG_PHASE_FILL : PG_PHASE_COLUMN; }

/* The C type below an enum is another one with a negative enumerator, and without: a column of integers that has all of
 * its numbers serves as well. */
static bool holds_enum(const struct pg_field *f, const struct pg_type_use *type)
{
    const struct pg_integer_range has = pg_base_range(type->base);
    bool holds =
        f->c.kind == PG_C_ENUM && !f->sql_type && !f->c.list && !f->c.count && !type->array && has.base != PG_BASE_NONE;

    for (uint32_t i = 0; i < f->c.nvalues && holds; i++) {
        const char *text = f->c.values[i].number;
        errno = 0;
        long long number = strtoll(text, NULL, 10);
        holds = errno == 0 && number >= has.low && (number < 0 || (uint64_t)number <= has.high);
    }
    return holds;
}

bool pg_type_changes(const struct pg_field *f, const struct pg_column *want, const struct pg_column *now)
{
    bool vector = now->type.base == PG_BASE_VECTOR || (now->type.base == PG_BASE_FLOAT4 && now->type.array);

    return !pg_type_equal(&want->type, &now->type) && !(f->mapping.vector_or_real && vector) &&
           !holds_enum(f, &now->type);
}

bool pg_is_declared(const struct diffing *s, const char *column)
{
    for (uint32_t i = 0; i < s->w->nowners; i++)
        if (pg_table_column(&s->declared[s->w->owners[i]]->table, column))
            return true;
    return false;
}

/* Functions whose value is the same for all rows of a statement. */
static bool is_stable_call(const char *sql, struct pg_token t)
{
    static const char *const words[] = {"now",
                                        "current_timestamp",
                                        "localtimestamp",
                                        "transaction_timestamp",
                                        "statement_timestamp",
                                        "lower",
                                        "upper",
                                        "array_fill",
                                        "make_date",
                                        "make_interval",
                                        "make_timestamptz",
                                        "coalesce",
                                        "cast",
                                        "numeric",
                                        "varchar",
                                        "char",
                                        "bit",
                                        "interval",
                                        "timestamp",
                                        "timestamptz",
                                        "time",
                                        "decimal",
                                        "vector",
                                        "row",
                                        "in",
                                        "any",
                                        "all"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (pg_token_is(sql, t, words[i]))
            return true;
    return false;
}

bool pg_is_constant(const char *sql)
{
    size_t len = strlen(sql);
    struct pg_token t = pg_sql_token(sql, len, 0);

    while (t.kind != PG_TOKEN_END) {
        struct pg_token next = pg_sql_token(sql, len, t.at + t.len);
        bool name = t.kind == PG_TOKEN_NAME || t.kind == PG_TOKEN_QUOTED;
        if (name && pg_token_is(sql, next, "(") && !is_stable_call(sql, t))
            return false;
        t = next;
    }
    return true;
}

/* What the column is without what another step gives it. */
static struct pg_column bare(const struct pg_column *want)
{
    struct pg_column c = *want;

    c.nullable = true;
    c.standard.sql = NULL;
    c.comment = NULL;
    return c;
}

static void need_value(struct diffing *s, const struct pg_field *f, const struct pg_column *want)
{
    struct pg_diagnostic *d =
        pg_refuse(s, PG_RULE_NOT_NULL_ADDED, pg_at_field(f->name),
                  "column '%s' is new and may not be NULL: rows that are there need a value. CELL_BACKFILL(\"…\") or "
                  "CELL_DEFAULT(\"…\") gives one, or make the field optional",
                  want->name);

    d->fix_rule = "backfill";
    d->fix_args[0] = pg_zero_value(&want->type);
}

/* Identity and generated columns are computed for all rows that are there, under a lock. */
static bool consent_to_rewrite(struct diffing *s, const struct pg_field *f, const struct pg_column *want)
{
    enum pg_rule rule = want->generated.sql ? PG_RULE_GENERATED_ADDED : PG_RULE_RETYPE_REWRITES;

    if (pg_consents(s, PG_CONSENT_RETYPED, want->name))
        return true;
    pg_refuse(s, rule, pg_at_field(f->name),
              "column '%s' is computed for the rows that are there, which rewrites table '%s' under a lock: "
              "CELL_RETYPED(\"%s\") consents",
              want->name, s->w->now.name, want->name);
    return false;
}

struct pg_column *pg_add_to_now(struct diffing *s, const struct pg_column *c)
{
    struct pg_table *now = &s->w->now;

    now->columns = pg_one_more(s->arena, now->columns, &now->ncolumns, sizeof(*now->columns));
    pg_column_copy(s->arena, c, &now->columns[now->ncolumns - 1]);
    return &now->columns[now->ncolumns - 1];
}

static void record_value(struct diffing *s, struct step_builder *b, const struct pg_column *c)
{
    if (c->generated.sql)
        pg_step_record(s, b, "generated", c->name, c->generated.sql);
    else if (c->standard.sql)
        pg_step_record(s, b, "default", c->name, c->standard.sql);
}

static void add_column(struct diffing *s, const struct pg_field *f, const struct pg_column *want)
{
    bool computed = want->identity || want->generated.sql;
    bool constant = want->standard.sql && pg_is_constant(want->standard.sql);
    bool filled = want->standard.sql || (f->backfill && !pg_sql_is_null(f->backfill));

    if (computed && !consent_to_rewrite(s, f, want))
        return;
    if (!computed && !want->nullable && !filled)
        need_value(s, f, want);
    /* A constant default costs nothing; everything else comes in small steps. */
    bool at_once = computed || (constant && !f->backfill);
    struct pg_column c = at_once ? *want : bare(want);
    c.comment = NULL;
    struct step_builder b =
        pg_step_begin(s, PG_STEP_ADD_COLUMN, at_once && computed ? PG_ALONE : PG_TOGETHER, want->name, f->name);
    struct pg_text t = {.arena = s->arena};
    pg_sql_column(&t, &s->w->now, &c);
    pg_step_sql(s, &b, t.data);
    if (c.numbers)
        pg_step_record(s, &b, "numbers", c.name, c.numbers);
    if (at_once)
        record_value(s, &b, want);
    else if (want->nullable && filled)
        pg_step_record(s, &b, "filling", want->name, NULL);
    pg_record_shape(s, &b, want->name);
    if (computed) {
        pg_step_hazard(&b, want->generated.sql ? PG_RULE_GENERATED_ADDED : PG_RULE_RETYPE_REWRITES);
        pg_step_consented(s, &b, PG_CONSENT_RETYPED, want->name);
    }
    pg_step_end(s, &b, pg_column_phase(s));
    struct pg_column *now = pg_add_to_now(s, &c);
    now->default_made = c.standard.sql != NULL;
}

void pg_add_bare_column(struct diffing *s, const struct pg_field *f, const struct pg_column *want)
{
    struct pg_column c = bare(want);
    struct step_builder b = pg_step_begin(s, PG_STEP_ADD_COLUMN, PG_TOGETHER, want->name, f->name);
    struct pg_text t = {.arena = s->arena};

    pg_sql_column(&t, &s->w->now, &c);
    pg_step_sql(s, &b, t.data);
    if (c.numbers)
        pg_step_record(s, &b, "numbers", c.name, c.numbers);
    pg_record_shape(s, &b, want->name);
    pg_step_end(s, &b, PG_PHASE_COLUMN);
    pg_add_to_now(s, &c);
}

/* Columns that no struct has any more, of a new column's type and without consent: may be what is meant. */
static bool may_be_renamed(struct diffing *s, const struct pg_field *f, const struct pg_column *want)
{
    if (f->renamed_from || f->backfill || want->standard.sql || want->identity || want->generated.sql)
        return false;
    for (uint32_t i = 0; i < s->w->now.ncolumns; i++) {
        const struct pg_column *old = &s->w->now.columns[i];
        if (pg_is_declared(s, old->name) || !pg_type_equal(&old->type, &want->type) || pg_replacer_of(s, old->name) ||
            pg_is_former_name(s, old->name) || pg_find_in_step(&s->w->now, old->name, NULL) ||
            pg_find_in_step(&s->w->now, NULL, old->name) || pg_consents(s, PG_CONSENT_DROPPED, old->name))
            continue;
        struct pg_diagnostic *d =
            pg_refuse(s, PG_RULE_RENAME_UNDECLARED, pg_at_field(f->name),
                      "column '%s' is new, and '%s' of the same type is in table '%s' but in no field: if it was "
                      "renamed, say CELL_RENAMED_FROM(%s)",
                      want->name, old->name, s->w->now.name, old->name);
        d->fix_rule = "renamed_from";
        d->fix_args[0] = pg_strdup(s->arena, old->name);
        pg_add_note(s->arena, d, NULL, "CELL_DROPPED(\"%s\") before the struct's name drops '%s' and its values",
                    old->name, old->name);
        pg_add_note(s->arena, d, f->name, "%s on the field says that it is a new column beside '%s'",
                    want->nullable ? "CELL_BACKFILL(\"NULL\")" : "CELL_BACKFILL(\"…\")", old->name);
        return true;
    }
    return false;
}

static void set_default(struct diffing *s, const struct pg_field *f, const struct pg_column *want,
                        struct pg_column *now)
{
    struct step_builder b = pg_step_begin(s, PG_STEP_SET_DEFAULT, PG_TOGETHER, want->name, f->name);

    if (now->default_made && !now->standard.source && now->standard.sql)
        pg_plan_diagnose(s, PG_WARNING, PG_RULE_CHANGED_BY_HAND, pg_at_field(f->name),
                         "the default of '%s' was changed by hand to %s: it becomes %s again", want->name,
                         now->standard.sql, want->standard.sql);
    pg_step_alter(s, &b, "ALTER COLUMN %s SET DEFAULT (%s)", pg_quoted(s, want->name), want->standard.sql);
    pg_step_record(s, &b, "default", want->name, want->standard.sql);
    pg_step_end(s, &b, PG_PHASE_COLUMN);
    now->standard = (struct pg_expr){.sql = pg_strdup(s->arena, want->standard.sql)};
    now->default_made = true;
}

static void drop_default(struct diffing *s, const struct pg_field *f, struct pg_column *now)
{
    struct step_builder b = pg_step_begin(s, PG_STEP_DROP_DEFAULT, PG_TOGETHER, now->name, f->name);

    pg_step_alter(s, &b, "ALTER COLUMN %s DROP DEFAULT", pg_quoted(s, now->name));
    pg_step_forget(s, &b, "default", now->name);
    pg_step_end(s, &b, PG_PHASE_COLUMN);
    now->standard = (struct pg_expr){0};
    now->default_made = false;
}

/* Numbers go on behind the largest one. */
static void set_identity(struct diffing *s, const struct pg_field *f, struct pg_column *now)
{
    const char *name = pg_quoted(s, now->name), *table = pg_this_table(s);
    struct step_builder b = pg_step_begin(s, PG_STEP_SET_IDENTITY, PG_ALONE, now->name, f->name);
    struct pg_text sequence = {.arena = s->arena};

    if (now->standard.sql)
        pg_step_alter(s, &b, "ALTER COLUMN %s DROP DEFAULT", name);
    pg_step_alter(s, &b, "ALTER COLUMN %s ADD GENERATED BY DEFAULT AS IDENTITY", name);
    pg_puts(&sequence, "SELECT setval(pg_get_serial_sequence(");
    pg_sql_literal(&sequence, table);
    pg_puts(&sequence, ", ");
    pg_sql_literal(&sequence, now->name);
    pg_putf(&sequence, "), GREATEST(COALESCE(max(%s), 0), 0) + 1, false) FROM %s", name, table);
    pg_step_sql(s, &b, sequence.data);
    b.step.text = pg_printf(s->arena, "ALTER TABLE %s ALTER COLUMN %s ADD GENERATED BY DEFAULT AS IDENTITY%s", table,
                            name, now->standard.sql ? ", DROP DEFAULT" : "");
    pg_step_end(s, &b, PG_PHASE_FILL); /* behind NOT NULL, which it needs */
    now->standard = (struct pg_expr){0};
    now->identity = 'd';
}

static void diff_values(struct diffing *s, const struct pg_field *f, const struct pg_column *want,
                        struct pg_column *now)
{
    bool generated = want->generated.sql || now->generated.sql;

    if (generated && !pg_expr_equal(&want->generated, &now->generated))
        pg_refuse(
            s, PG_RULE_GENERATED_CHANGED, pg_at_field(f->name),
            want->generated.sql
                ? now->generated.sql
                      ? "column '%s' is generated from another expression: declare a new column with this one, and "
                        "drop the old one"
                      : "column '%s' is there and is not generated: declare a new column with this expression"
                : "column '%s' is generated, so that nothing can be written to it: declare it with CELL_GENERATED",
            want->name);
    if (generated)
        return;
    if (want->standard.sql && !now->identity && !pg_expr_equal(&want->standard, &now->standard))
        set_default(s, f, want, now);
    else if (want->standard.sql && now->identity)
        pg_refuse(s, PG_NO_RULE, pg_at_field(f->name),
                  "column '%s' is numbered by the database: CELL_AUTO in place of a default", want->name);
    else if (!want->standard.sql && !want->identity && now->standard.sql && now->default_made)
        drop_default(s, f, now);
}

void pg_drop_not_null(struct diffing *s, const char *field, struct pg_column *now)
{
    struct step_builder b = pg_step_begin(s, PG_STEP_DROP_NOT_NULL, PG_TOGETHER, now->name, field);

    pg_step_alter(s, &b, "ALTER COLUMN %s DROP NOT NULL", pg_quoted(s, now->name));
    pg_step_hazard(&b, PG_RULE_NOT_NULL_DROPPED);
    pg_step_end(s, &b, PG_PHASE_LOOSEN);
    now->nullable = true;
}

bool pg_in_key(const struct pg_table *t, const char *column)
{
    for (uint32_t i = 0; t->primary && i < t->primary->n; i++)
        if (strcmp(t->primary->columns[i], column) == 0)
            return true;
    return false;
}

static void diff_nullability(struct diffing *s, const struct pg_field *f, const struct pg_column *want,
                             struct pg_column *now)
{
    if (want->nullable && !now->nullable) {
        if (pg_in_key(&s->w->now, now->name)) {
            pg_refuse(s, PG_NO_RULE, pg_at_field(f->name),
                      "column '%s' is part of the primary key and never NULL: the field cannot be optional", now->name);
            return;
        }
        pg_drop_not_null(s, f->name, now);
        pg_plan_diagnose(s, PG_WARNING, PG_RULE_NOT_NULL_DROPPED, pg_at_field(f->name),
                         "column '%s' may be NULL from now on: programs that expect a value in each row may fail",
                         now->name);
    } else
        pg_diff_fill(s, f, want, now);
}

/* A column that comes in another one's place: the trigger gives its values, the default too. */
static void diff_replacement(struct diffing *s, const struct pg_field *f, const struct pg_column *want,
                             struct pg_column *now)
{
    if (now->standard.sql)
        drop_default(s, f, now);
    if (want->nullable && !now->nullable)
        diff_nullability(s, f, want, now);
    pg_diff_replaced_values(s, f, want, now);
}

/* What is computed from other columns, or stands for another one, comes when these are there. */
static bool is_plain(const struct pg_field *f, const struct pg_column *want)
{
    return !f->replaces && !want->generated.sql;
}

static void new_column(struct diffing *s, const struct pg_field *f, const struct pg_column *want)
{
    if (may_be_renamed(s, f, want)) {
        /* A later struct may say that it was not: what follows finds the column as it is declared. */
        pg_add_bare_column(s, f, want);
        *pg_table_column(&s->w->now, want->name) = *want;
        return;
    }
    add_column(s, f, want);
    if (pg_table_column(&s->w->now, want->name))
        pg_advise_column(s, f);
    else
        pg_add_to_now(s, want); /* a later struct may consent */
}

static void diff_column(struct diffing *s, const struct pg_field *f, const struct pg_column *want)
{
    if (!pg_diff_replace(s, f, want))
        return;
    if (!is_plain(f, want) && !pg_table_column(&s->w->now, want->name))
        new_column(s, f, want);
    struct pg_column *now = pg_table_column(&s->w->now, want->name);

    if (!now)
        return;
    if (pg_type_changes(f, want, now)) {
        pg_diff_retype(s, f, want, now);
        now = pg_table_column(&s->w->now, want->name);
        pg_advise_column(s, f);
        /* Also when it is refused: a later struct may consent, so what follows finds the column as it is declared. */
        if (pg_type_changes(f, want, now))
            now->type = want->type;
    }
    if (pg_replaced_by(s, f)) {
        diff_replacement(s, f, want, now);
        return;
    }
    diff_values(s, f, want, now);
    diff_nullability(s, f, want, now);
    if (want->identity && !now->identity && !now->generated.sql)
        set_identity(s, f, now);
}

void pg_diff_columns(struct diffing *s)
{
    const field_turns fields = pg_fields_of_table(s), turns = pg_fields_in_turn(s);

    for (uint32_t i = 0; i < fields.n; i++) {
        const struct pg_field *f = fields.at[i].field;
        pg_take_turn(s, &fields.at[i]);
        const struct pg_column *want = &s->d->table.columns[f->column];
        if (is_plain(f, want) && !pg_table_column(&s->w->now, want->name))
            new_column(s, f, want);
    }
    for (uint32_t i = 0; i < turns.n; i++) {
        pg_take_turn(s, &turns.at[i]);
        diff_column(s, turns.at[i].field, &s->d->table.columns[turns.at[i].field->column]);
    }
    s->late = false;
}
