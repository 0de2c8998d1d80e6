/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* How a column gets values where it has none, becomes NOT NULL beside writers, and changes its type. */
#include <string.h>

#include "diff_parts.h"
#include "sql.h"

#define BATCH 10000

const char *pg_helper_name(struct diffing *s, const char *column)
{
    return pg_made_name(s->arena, s->w->now.name, column, "not_null");
}

static struct pg_check *find_check(struct diffing *s, const char *name)
{
    for (uint32_t i = 0; i < s->w->now.nchecks; i++)
        if (strcmp(s->w->now.checks[i].name, name) == 0)
            return &s->w->now.checks[i];
    return NULL;
}

/* In batches, each a transaction. A row for which the expression gives NULL is left, so that it ends. */
void pg_fill_step(struct diffing *s, const struct pg_field *f, const struct pg_column *want, const char *sql, bool once)
{
    const char *name = pg_quoted(s, want->name), *table = pg_this_table(s);
    struct step_builder b = pg_step_begin(s, PG_STEP_BACKFILL, PG_REPEATED, want->name, f->name);

    if (s->w->now.kind == 'p') /* row identifiers are those of the partitions */
        pg_step_sql(s, &b,
                    pg_printf(s->arena, "UPDATE %s SET %s = (%s) WHERE %s IS NULL AND (%s) IS NOT NULL", table, name,
                              sql, name, sql));
    else
        pg_step_sql(
            s, &b,
            pg_printf(s->arena,
                      "UPDATE %s SET %s = (%s) WHERE ctid = ANY (ARRAY(SELECT ctid FROM %s WHERE %s IS NULL AND "
                      "(%s) IS NOT NULL LIMIT %d))",
                      table, name, sql, table, name, sql, BATCH));
    b.expression = sql;
    b.into = &want->type;
    if (once)
        pg_step_record(s, &b, "filled", want->name, NULL);
    else if (want->nullable)
        pg_step_forget(s, &b, "filling", want->name);
    pg_step_end(s, &b, PG_PHASE_FILL);
}

static const char *null_rows(struct diffing *s, const char *column)
{
    return pg_printf(s->arena, "SELECT count(*) FROM %s WHERE %s IS NULL", pg_this_table(s), pg_quoted(s, column));
}

/* NOT NULL by way of a check: the table is scanned under a lock that lets others write. */
void pg_not_null_steps(struct diffing *s, const struct pg_field *f, struct pg_column *now)
{
    const char *helper = pg_helper_name(s, now->name), *name = pg_quoted(s, now->name), *check = pg_quoted(s, helper);
    struct pg_check *there = find_check(s, helper);

    if (!there) {
        struct step_builder b = pg_step_begin(s, PG_STEP_ADD_CHECK, PG_TOGETHER, helper, f->name);
        pg_step_alter(s, &b, "ADD CONSTRAINT %s CHECK (%s IS NOT NULL) NOT VALID", check, name);
        pg_step_record(s, &b, "check", helper, pg_printf(s->arena, "%s IS NOT NULL", name));
        pg_step_end(s, &b, PG_PHASE_FILL);
    }
    if (!there || !there->valid) {
        struct step_builder b = pg_step_begin(s, PG_STEP_VALIDATE, PG_ALONE, helper, f->name);
        pg_step_alter(s, &b, "VALIDATE CONSTRAINT %s", check);
        b.step.culprits = null_rows(s, now->name);
        pg_step_hazard(&b, PG_RULE_NOT_NULL_TIGHTENED);
        pg_step_end(s, &b, PG_PHASE_FILL);
    }
    struct step_builder b = pg_step_begin(s, PG_STEP_SET_NOT_NULL, PG_ALONE, now->name, f->name);
    pg_step_alter(s, &b, "ALTER COLUMN %s SET NOT NULL, DROP CONSTRAINT %s", name, check);
    pg_step_forget(s, &b, "check", helper);
    pg_step_end(s, &b, PG_PHASE_FILL);
    now->nullable = false;
    if (there)
        pg_take_out(s->w->now.checks, &s->w->now.nchecks, sizeof(*there), (uint32_t)(there - s->w->now.checks));
}

/* What an interrupted plan has left: the column is NOT NULL, its helper is still there. */
static void drop_helper(struct diffing *s, const struct pg_field *f, const char *column)
{
    const char *helper = pg_helper_name(s, column);
    struct pg_check *there = find_check(s, helper);

    if (!there || !there->made)
        return;
    struct step_builder b = pg_step_begin(s, PG_STEP_DROP_CONSTRAINT, PG_TOGETHER, helper, f->name);
    pg_step_alter(s, &b, "DROP CONSTRAINT %s", pg_quoted(s, helper));
    pg_step_forget(s, &b, "check", helper);
    pg_step_end(s, &b, PG_PHASE_FILL);
    pg_take_out(s->w->now.checks, &s->w->now.nchecks, sizeof(*there), (uint32_t)(there - s->w->now.checks));
}

static bool is_new(struct diffing *s, const char *column)
{
    const char *name = s->w->former ? s->w->former : s->w->now.name;
    const struct pg_table *t = pg_model_table(s->catalog, s->w->now.schema, name);
    bool added = !t || !pg_table_column(t, column);

    for (uint32_t o = 0; t && o < s->w->nowners; o++) {
        const struct pg_field *f = pg_field_of(s->declared[s->w->owners[o]], column);
        added = added && !(f && f->renamed_from && pg_table_column(t, f->renamed_from));
    }
    return added;
}

void pg_diff_fill(struct diffing *s, const struct pg_field *f, const struct pg_column *want, struct pg_column *now)
{
    const char *value = f->backfill && !pg_sql_is_null(f->backfill) ? f->backfill : want->standard.sql;
    bool added = is_new(s, want->name);

    if (want->nullable || !now->nullable) {
        /* A new optional column begins with what CELL_BACKFILL says, or a default that is not for new rows alone; also
         * one whose plan was interrupted before that. */
        bool begins = added || pg_has_event(&s->w->now, PG_PAST_FILLING, want->name);
        if (want->nullable && begins && value && !now->generated.sql && now->nullable &&
            (f->backfill || !pg_is_constant(value)))
            pg_fill_step(s, f, want, value, false);
        drop_helper(s, f, want->name);
        return;
    }
    if (value)
        pg_fill_step(s, f, want, value, false);
    else if (!added) {
        struct pg_check *helper = find_check(s, pg_helper_name(s, want->name));
        if (!helper || !helper->made || !helper->valid) {
            struct pg_diagnostic *d = pg_refuse(s, PG_RULE_NOT_NULL_TIGHTENED, pg_at_field(f->name),
                                                "column '%s' may be NULL and the field cannot: CELL_BACKFILL(\"…\") "
                                                "says what NULL becomes, or make the "
                                                "field optional",
                                                want->name);
            d->fix_rule = "backfill";
            d->fix_args[0] = pg_zero_value(&want->type);
            now->nullable = false; /* a later struct may say it */
            return;
        }
    }
    if (!added)
        pg_plan_diagnose(s, PG_WARNING, PG_RULE_NOT_NULL_TIGHTENED, pg_at_field(f->name),
                         "column '%s' may not be NULL from now on: programs that write NULL fail", want->name);
    pg_not_null_steps(s, f, now);
}

const char *pg_strict_zero(const struct pg_type_use *type)
{
    if (type->array)
        return "'{}'";
    switch (type->base) {
    case PG_BASE_BOOL:
        return "false";
    case PG_BASE_INT2:
    case PG_BASE_INT4:
    case PG_BASE_INT8:
    case PG_BASE_FLOAT4:
    case PG_BASE_FLOAT8:
    case PG_BASE_NUMERIC:
        return "0";
    case PG_BASE_TEXT:
    case PG_BASE_VARCHAR:
    case PG_BASE_BYTEA:
        return "''";
    case PG_BASE_TIMESTAMPTZ:
        return "'epoch'";
    default:
        return NULL;
    }
}

const char *pg_zero_value(const struct pg_type_use *type)
{
    type = pg_carrier(type);
    const char *zero = pg_strict_zero(type);
    if (type->array)
        return zero;
    switch (type->base) {
    case PG_BASE_UUID:
        return "gen_random_uuid()";
    case PG_BASE_DATE:
    case PG_BASE_TIME:
    case PG_BASE_TIMETZ:
    case PG_BASE_TIMESTAMP:
    case PG_BASE_TIMESTAMPTZ:
        return "now()";
    case PG_BASE_JSON:
    case PG_BASE_JSONB:
        return "'{}'";
    default:
        return zero ? zero : "''";
    }
}

/* ---- types ---- */

static bool is_text(const struct pg_type_use *t) { return t->base == PG_BASE_TEXT && !t->array; }

static bool is_citext(const struct pg_type_use *t)
{
    return t->base == PG_BASE_OTHER && !t->array && strcmp(t->name, "citext") == 0;
}

/* Digits that numeric(p, s) has before the point. */
static bool numeric_keeps(const struct pg_type_use *from, const struct pg_type_use *to)
{
    if (to->modifier < 0)
        return true;
    return from->modifier >= 0 && to->scale >= from->scale && to->modifier - to->scale >= from->modifier - from->scale;
}

static int integer_digits(enum pg_base base) { return base == PG_BASE_INT2 ? 5 : base == PG_BASE_INT4 ? 10 : 19; }

static bool number_keeps(const struct pg_type_use *from, const struct pg_type_use *to)
{
    bool integer = from->base >= PG_BASE_INT2 && from->base <= PG_BASE_INT8;

    if (integer && to->base >= PG_BASE_INT2 && to->base <= PG_BASE_INT8)
        return from->base < to->base;
    if (integer && to->base == PG_BASE_NUMERIC)
        return to->modifier < 0 || to->modifier - to->scale >= integer_digits(from->base);
    if (to->base == PG_BASE_FLOAT8)
        return from->base == PG_BASE_FLOAT4 || from->base == PG_BASE_INT2 || from->base == PG_BASE_INT4;
    return to->base == PG_BASE_FLOAT4 && from->base == PG_BASE_INT2;
}

static bool time_keeps(const struct pg_type_use *from, const struct pg_type_use *to)
{
    bool from_stamp = from->base == PG_BASE_TIMESTAMP || from->base == PG_BASE_TIMESTAMPTZ;
    bool to_stamp = to->base == PG_BASE_TIMESTAMP || to->base == PG_BASE_TIMESTAMPTZ;

    if (!to_stamp || (!from_stamp && from->base != PG_BASE_DATE))
        return false;
    return to->modifier < 0 || (from->modifier >= 0 && to->modifier >= from->modifier) || from->base == PG_BASE_DATE;
}

/* Without a rewrite: what is stored stays as it is. */
static bool same_storage(const struct pg_type_use *from, const struct pg_type_use *to)
{
    if (from->array || to->array)
        return false;
    if (from->base == PG_BASE_VARCHAR)
        return to->base == PG_BASE_TEXT ||
               (to->base == PG_BASE_VARCHAR &&
                (to->modifier < 0 || (from->modifier >= 0 && from->modifier <= to->modifier)));
    if (from->base == PG_BASE_TEXT)
        return to->base == PG_BASE_VARCHAR && to->modifier < 0;
    if (from->base == PG_BASE_NUMERIC && to->base == PG_BASE_NUMERIC)
        return to->modifier < 0 || (numeric_keeps(from, to) && from->scale == to->scale);
    if (from->base == PG_BASE_VARBIT && to->base == PG_BASE_VARBIT)
        return to->modifier < 0 || (from->modifier >= 0 && from->modifier <= to->modifier);
    if (from->base == PG_BASE_CIDR)
        return to->base == PG_BASE_INET;
    bool same = from->base == to->base && (from->base == PG_BASE_TIMESTAMP || from->base == PG_BASE_TIMESTAMPTZ ||
                                           from->base == PG_BASE_TIME || from->base == PG_BASE_INTERVAL);
    return same && (to->modifier < 0 || (from->modifier >= 0 && from->modifier <= to->modifier));
}

bool pg_retype_keeps(const struct pg_type_use *from, const struct pg_type_use *to, bool *rewrites)
{
    *rewrites = false;
    if (same_storage(from, to))
        return true;
    *rewrites = true;
    if (from->array != to->array)
        return to->base == PG_BASE_TEXT && !to->array;
    if (is_text(to) || (is_citext(to) && !from->array))
        return from->base != PG_BASE_BYTEA;
    if (from->array) { /* by element */
        struct pg_type_use a = *from, b = *to;
        bool ignored;
        a.array = b.array = false;
        return pg_type_equal(&a, &b) || pg_retype_keeps(&a, &b, &ignored);
    }
    if (from->base == PG_BASE_NUMERIC && to->base == PG_BASE_NUMERIC)
        return numeric_keeps(from, to);
    if ((from->base == PG_BASE_JSON && to->base == PG_BASE_JSONB) ||
        (from->base == PG_BASE_JSONB && to->base == PG_BASE_JSON))
        return true;
    return number_keeps(from, to) || time_keeps(from, to);
}

static void set_default_anew(struct diffing *s, struct step_builder *b, const struct pg_column *want,
                             struct pg_column *now)
{
    const char *sql = want->standard.sql ? want->standard.sql : now->default_made ? NULL : now->standard.sql;

    if (sql)
        pg_step_alter(s, b, "ALTER COLUMN %s SET DEFAULT (%s)", pg_quoted(s, now->name), sql);
    if (want->standard.sql)
        pg_step_record(s, b, "default", now->name, sql);
    else if (now->default_made)
        pg_step_forget(s, b, "default", now->name);
    now->standard = (struct pg_expr){.sql = pg_strdup(s->arena, sql)};
    now->default_made = want->standard.sql != NULL;
}

/* An expression of what the column has may be meant for this change, or be left from another one, whose values it would
 * spoil when it were applied to them again: what can be kept is, and that is said. */
static void say_unused(struct diffing *s, const struct pg_field *f, const struct pg_column *want,
                       const struct pg_column *now)
{
    bool fills = now->nullable && !want->nullable;

    if (!f->backfill || fills || now->generated.sql || !pg_names_column(s, f->backfill, now->name))
        return;
    pg_plan_diagnose(
        s, PG_WARNING, PG_NO_RULE, pg_at_field(f->name),
        "CELL_BACKFILL is not used: every value of column '%s' is one of %s as well as of %s, and stays as "
        "it is. To change values too, CELL_REPLACES(%s, …) gives them a new column, or a CELL_STEP does it",
        now->name, pg_type_name(s->arena, &want->type), pg_type_name(s->arena, &now->type), now->name);
}

/* `generated` are computed from it, for which the table is written anew. */
static void retype_step(struct diffing *s, const struct pg_field *f, const struct pg_column *want,
                        struct pg_column *now, const pg_names *generated)
{
    const char *name = pg_quoted(s, now->name), *type = pg_type_name(s->arena, &want->type);
    bool converts, keeps = pg_retype_keeps(&now->type, &want->type, &converts), rewrites = converts || generated->n;
    struct step_builder b =
        pg_step_begin(s, PG_STEP_RETYPE_COLUMN, rewrites ? PG_ALONE : PG_TOGETHER, want->name, f->name);
    const char *using = !converts ? ""
                        : keeps   ? pg_printf(s->arena, " USING (%s::%s)", name, type)
                                  : pg_printf(s->arena, " USING (%s)", f->backfill);
    /* For people: all that is done to it, not the first statement alone. */
    struct pg_text shown = {.arena = s->arena};
    struct pg_column copy;

    pg_putf(&shown, "ALTER TABLE %s ALTER COLUMN %s TYPE %s%s", pg_this_table(s), name, type, using);
    pg_column_copy(s->arena, now, &copy);
    b.was = (const struct pg_type_use *)pg_copy(s->arena, &copy.type, sizeof(copy.type));
    if (converts && !keeps) {
        b.expression = f->backfill;
        b.into = &want->type;
    }
    if (keeps)
        say_unused(s, f, want, now);
    pg_drop_generated(s, &b, generated);
    /* A default is converted by itself only where an assignment would be: it is set anew behind. */
    bool with_default = converts && (now->standard.sql || (s->late && want->standard.sql)) && !now->identity;
    if (with_default)
        pg_step_alter(s, &b, "ALTER COLUMN %s DROP DEFAULT", name);
    pg_step_alter(s, &b, "ALTER COLUMN %s TYPE %s%s", name, type, using);
    /* The expression is for values of the old type, so that NULL is its matter too, and no second one's. */
    if (converts && !keeps && !want->nullable && now->nullable) {
        pg_step_alter(s, &b, "ALTER COLUMN %s SET NOT NULL", name);
        pg_puts(&shown, ", SET NOT NULL");
        now->nullable = false;
    }
    if (with_default) {
        set_default_anew(s, &b, want, now);
        pg_putf(&shown, now->standard.sql ? ", SET DEFAULT (%s)" : ", DROP DEFAULT", now->standard.sql);
    }
    pg_column_copy(s->arena, want, &copy);
    now->type = copy.type;
    pg_make_generated(s, &b, generated); /* `now` may have moved */
    if (generated->n)
        pg_puts(&shown, ", and make again what is generated");
    b.step.text = pg_step_text(s, shown.data);
    if (rewrites) {
        pg_step_consented(s, &b, PG_CONSENT_RETYPED, want->name);
        pg_step_hazard(&b, PG_RULE_RETYPE_REWRITES);
    }
    pg_step_end(s, &b, pg_column_phase(s));
}

static bool is_wire_text(const struct pg_type_use *t) { return t->base == PG_BASE_TEXT || t->base == PG_BASE_VARCHAR; }

/* What a program sends and receives of one is the same of the other. */
static bool same_on_the_wire(const struct pg_type_use *from, const struct pg_type_use *to)
{
    if (from->array != to->array || from->base == PG_BASE_OTHER)
        return false;
    return from->base == to->base || (!to->array && is_wire_text(from) && is_wire_text(to)); /* arrays name theirs */
}

/* True when the type has to stay as it is for others, which is said. */
static bool breaks_programs(struct diffing *s, const struct pg_field *f, const struct pg_column *want,
                            const struct pg_column *now, bool keeps)
{
    bool unknown;
    const char *needed =
        keeps && same_on_the_wire(&now->type, &want->type) ? NULL : pg_needs_type(s, now->name, &want->type, &unknown);

    if (!needed)
        return false;
    struct pg_diagnostic *d = pg_refuse(
        s, PG_RULE_RETYPE_BREAKS, pg_at_field(f->name),
        "column '%s' is %s and cannot become %s in place: %s. CELL_COLUMN(\"…\") and CELL_REPLACES(%s, …) give "
        "the new type a column of its own, and keep both in step",
        now->name, pg_type_name(s->arena, &now->type), pg_type_name(s->arena, &want->type), needed, now->name);
    pg_add_note(s->arena, d, NULL, "a program that is gone is forgotten by 'cell consumers postgres --forget NAME'");
    return true;
}

static void refuse_loss(struct diffing *s, const struct pg_field *f, const struct pg_column *want,
                        const struct pg_column *now)
{
    const char *from = pg_type_name(s->arena, &now->type), *to = pg_type_name(s->arena, &want->type);
    struct pg_diagnostic *d =
        pg_refuse(s, PG_RULE_RETYPE_LOSES, pg_at_field(f->name),
                  "column '%s' is %s, and not every value of that is one of %s: CELL_RETYPED(\"%s\") on the struct and "
                  "CELL_BACKFILL(\"…\") on the field, with an expression of '%s', say what each becomes",
                  now->name, from, to, now->name, now->name);

    pg_add_note(s->arena, d, f->name, "CELL_SQL_TYPE(\"%s\") keeps the type that the column has", from);
}

static void ask_for_consent(struct diffing *s, const struct pg_field *f, const struct pg_column *want,
                            const struct pg_column *now)
{
    const char *from = pg_type_name(s->arena, &now->type), *to = pg_type_name(s->arena, &want->type);
    struct pg_diagnostic *d =
        pg_refuse(s, PG_RULE_RETYPE_REWRITES, pg_at_field(f->name),
                  "column '%s' is %s and would become %s, which rewrites table '%s' under a lock and breaks programs "
                  "that use it: CELL_RETYPED(\"%s\") consents",
                  now->name, from, to, s->w->now.name, now->name);

    d->fix_rule = "retyped";
    d->fix_args[0] = pg_strdup(s->arena, now->name);
    pg_add_note(s->arena, d, f->name, "CELL_SQL_TYPE(\"%s\") keeps the type that the column has", from);
}

/* `rewrites`: also for another reason than the type itself. */
static bool may_retype(struct diffing *s, const struct pg_field *f, const struct pg_column *want,
                       const struct pg_column *now, bool rewrites)
{
    bool converts, keeps = pg_retype_keeps(&now->type, &want->type, &converts);

    if (converts || rewrites) {
        bool consent = pg_consents(s, PG_CONSENT_RETYPED, now->name);
        /* What is generated is not converted, but computed. */
        bool lost = !keeps && !now->generated.sql && !(f->backfill && pg_names_column(s, f->backfill, now->name));
        if (lost && f->backfill && pg_former_name_in(s, f->backfill).field)
            return false;
        if (lost || (!keeps && !consent && !now->generated.sql)) {
            refuse_loss(s, f, want, now);
            return false;
        }
        if (!consent) {
            ask_for_consent(s, f, want, now);
            return false;
        }
    }
    return !breaks_programs(s, f, want, now, keeps);
}

bool pg_may_retype(struct diffing *s, const struct pg_field *f, const struct pg_column *want,
                   const struct pg_column *now)
{
    return may_retype(s, f, want, now, false);
}

void pg_diff_retype(struct diffing *s, const struct pg_field *f, const struct pg_column *want, struct pg_column *now)
{
    pg_names generated = {0};

    if (now->generated.sql && want->generated.sql) {
        /* Another expression is refused as such. */
        if (pg_expr_equal(&want->generated, &now->generated) && may_retype(s, f, want, now, false))
            pg_retype_generated(s, f, want, now);
        return;
    }
    if (pg_generated_from(s, f, now->name, &generated) && may_retype(s, f, want, now, generated.n > 0))
        retype_step(s, f, want, now, &generated);
}
