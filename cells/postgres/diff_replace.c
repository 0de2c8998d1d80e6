/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * CELL_REPLACES: expand and contract. The new column comes beside the old one, with a trigger that keeps both in step,
 * in one transaction; then rows that are there get their value, in batches; and when no recorded program uses the old
 * column any more, it goes with the trigger. A program of either generation finds the column that it was compiled for
 * under the name and type that it knows, at any moment.
 *
 * A column that replaces another one may be replaced itself before that has gone: a chain, of which each link has a
 * trigger. Triggers fire in the order of their names, byte by byte. Those of a chain fire from the newest column to the
 * oldest, and then again the other way round, so that what was written to any of the columns comes to all of them.
 */
#include <string.h>

#include "diff_parts.h"
#include "sql.h"

struct pg_in_step *pg_find_in_step(struct pg_table *t, const char *column, const char *replaced)
{
    for (uint32_t i = 0; i < t->nin_step; i++)
        if ((!column || strcmp(t->in_step[i].column, column) == 0) &&
            (!replaced || strcmp(t->in_step[i].replaced, replaced) == 0))
            return &t->in_step[i];
    return NULL;
}

/* The longest chain. A trigger's name begins with a NEWER for each link below it; where it fires again, with AGAIN. */
#define CHAIN_MAX 8
#define NEWER "!"
#define AGAIN "~"

/* How many links a chain has from the one with that new column down to the oldest. */
static uint32_t chain_below(struct pg_table *t, const char *column)
{
    uint32_t n = 0;

    for (const struct pg_in_step *p = pg_find_in_step(t, column, NULL); p && n < t->nin_step;
         p = pg_find_in_step(t, p->replaced, NULL))
        n++;
    return n;
}

/* The old column is dropped and forgotten: one that has its name now is somebody else's. */
static bool is_over(struct pg_table *t, const char *column, const char *replaced)
{
    return pg_has_event(t, PG_PAST_DROPPED, replaced) && pg_table_column(t, column) &&
           !pg_find_in_step(t, column, replaced);
}

const struct pg_field *pg_replacer_of(const struct diffing *s, const char *column)
{
    for (uint32_t o = 0; o < s->w->nowners; o++) {
        const struct pg_declared *d = s->declared[s->w->owners[o]];
        for (uint32_t i = 0; i < d->nfields; i++)
            if (d->fields[i].replaces && strcmp(d->fields[i].replaces->column, column) == 0 &&
                !is_over(&s->w->now, d->table.columns[d->fields[i].column].name, column))
                return &d->fields[i];
    }
    return NULL;
}

struct pg_column *pg_replaced_by(struct diffing *s, const struct pg_field *f)
{
    if (!f->replaces || s->w->created || is_over(&s->w->now, s->d->table.columns[f->column].name, f->replaces->column))
        return NULL;
    return pg_table_column(&s->w->now, f->replaces->column);
}

/* ---- the trigger ---- */

/* What a column is computed by, or NULL; as declared, where it is, so that it reads the same in each build. */
static const char *computed_by(struct diffing *s, const struct pg_column *c)
{
    const struct pg_column *want = pg_declared_column(s, c->name);

    return want && want->generated.sql ? want->generated.sql : c->generated.sql;
}

/* Whether an expression names the row as a whole. */
static bool names_row(struct diffing *s, const char *expr)
{
    const char *table = s->w->now.name;

    return pg_names_column(s, expr, table) && !pg_table_column(&s->w->now, table) &&
           pg_sql_names_row(s->arena, expr, table);
}

/*
 * The columns of the row that an expression names, as a row of their own: "(SELECT (expr) FROM (SELECT NEW.a AS a))",
 * which is called as the table where the expression calls it so; all of them when it names the row as a whole.
 * With `computes`, those that are generated are computed here, of columns that are not: a trigger that may still change
 * the row runs before they are.
 */
static const char *over_row(struct diffing *s, const char *expr, bool computes)
{
    const char *table = s->w->now.name, *between = "";
    bool called = pg_names_column(s, expr, table), whole = names_row(s, expr);
    struct pg_text t = {.arena = s->arena};

    expr = pg_sql_without_schema(s->arena, expr, s->w->now.schema, table);
    pg_putf(&t, "(SELECT (%s) FROM (SELECT ", expr);
    for (uint32_t i = 0; i < s->w->now.ncolumns; i++) {
        const struct pg_column *c = &s->w->now.columns[i];
        const char *name = pg_quoted(s, c->name), *by = computes ? computed_by(s, c) : NULL;
        if (!whole && !pg_names_column(s, expr, c->name))
            continue;
        if (by)
            pg_putf(&t, "%sCAST(%s AS %s) AS %s", between, over_row(s, by, false), pg_type_name(s->arena, &c->type),
                    name);
        else
            pg_putf(&t, "%sNEW.%s AS %s", between, name, name);
        between = ", ";
    }
    pg_putf(&t, ") AS %s)", called ? pg_quoted(s, table) : "\"row\"");
    return t.data;
}

/* As the column would store it, so that it can be compared with what it stores. Without the length of a text: a cast to
 * that cuts off, where an assignment fails. JSON and XML have no equality. */
static const char *as_stored(struct diffing *s, const char *value, const struct pg_column *c)
{
    struct pg_type_use type = c->type;
    bool text = !type.array && (type.base == PG_BASE_JSON || type.base == PG_BASE_XML);

    if (type.base == PG_BASE_VARCHAR || type.base == PG_BASE_BPCHAR || type.base == PG_BASE_BIT ||
        type.base == PG_BASE_VARBIT)
        type.modifier = -1;
    return pg_printf(s->arena, "CAST(%s AS %s)%s", value, pg_type_name(s->arena, &type), text ? "::text" : "");
}

/* Whether one of the columns that an expression names has changed, or the one that it is computed from. As text where a
 * type may have no equality. */
static void put_changed(struct diffing *s, struct pg_text *t, const char *expr, const char *column)
{
    bool whole = names_row(s, expr);

    for (uint32_t i = 0; i < s->w->now.ncolumns; i++) {
        const struct pg_column *c = &s->w->now.columns[i];
        const char *name = pg_quoted(s, c->name), *by = computed_by(s, c);
        bool other = c->type.base == PG_BASE_JSON || c->type.base == PG_BASE_XML || c->type.base == PG_BASE_OTHER;
        const char *text = other ? "::text" : "";
        bool is_it = column && strcmp(c->name, column) == 0;
        if (!whole && !is_it && !pg_names_column(s, expr, c->name))
            continue;
        if (by)
            put_changed(s, t, by, NULL);
        else
            pg_putf(t, "%sNEW.%s%s IS DISTINCT FROM OLD.%s%s", t->len ? " OR " : "", name, text, name, text);
    }
}

/*
 * Which program has written is told by what has changed. Of a new row: whoever gives the new column a value knows it.
 * What is in step already is left alone, so that filling the new column does not change the old one by way of a
 * conversion that loses something.
 */
static const char *body_of(struct diffing *s, const struct pg_column *want, const struct pg_column *old,
                           const char *forward, const char *back)
{
    const char *n = pg_quoted(s, want->name), *o = pg_quoted(s, old->name);
    const char *from = over_row(s, forward, true), *to = over_row(s, back, true);
    struct pg_text t = {.arena = s->arena}, new = t, froms = t, tos = t;

    put_changed(s, &new, "", want->name);
    put_changed(s, &froms, forward, old->name);
    put_changed(s, &tos, back, want->name);
    pg_putf(&t,
            "\n#variable_conflict use_column\nBEGIN\n    IF TG_OP = 'UPDATE' THEN\n"
            "        IF NOT (%s) THEN\n"
            "            IF %s THEN\n                NEW.%s := %s;\n"
            "            ELSIF %s THEN\n                NEW.%s := %s;\n"
            "            END IF;\n            RETURN NEW;\n        END IF;\n"
            "    ELSIF NEW.%s IS NULL AND NEW.%s IS NULL AND starts_with(TG_NAME, '" NEWER "') THEN\n"
            "        RETURN NEW;\n" /* an older column may have a value: when it fires again */
            "    ELSIF NEW.%s IS NULL THEN\n        NEW.%s := %s;\n",
            new.data, froms.data, n, from, tos.data, o, to, n, o, n, n, from);
    if (want->standard.sql)
        pg_putf(&t, "        IF NEW.%s IS NULL THEN\n            NEW.%s := (%s);\n        END IF;\n", n, n,
                want->standard.sql);
    bool json = !want->type.array && (want->type.base == PG_BASE_JSON || want->type.base == PG_BASE_XML);
    const char *text = json ? "::text" : "";
    pg_putf(&t, "    END IF;\n    IF NEW.%s%s IS DISTINCT FROM %s THEN\n        NEW.%s := %s;\n    END IF;\n", n, text,
            as_stored(s, from, want), o, to);
    if (!old->nullable)
        pg_putf(&t, "    IF NEW.%s IS NULL THEN\n        NEW.%s := %s;\n    END IF;\n", o, o, to);
    pg_puts(&t, "    RETURN NEW;\nEND\n");
    return t.data;
}

/* Functions are the schema's: one that is made anew under its name must not be another table's. */
static const char *trigger_name(struct diffing *s, const char *column, const char *body, uint32_t below)
{
    const char *table = s->w->now.name, *all = pg_printf(s->arena, "%s\x1f%s\x1f%s", table, column, body);
    struct pg_text begin = {.arena = s->arena};
    char hex[33];

    for (uint32_t i = 0; i < below; i++)
        pg_puts(&begin, NEWER);
    pg_putf(&begin, "in_step_%s", table);
    pg_hash(all, strlen(all), hex);
    return pg_made_name(s->arena, begin.data, column, pg_printf(s->arena, "%.8s", hex));
}

static const char *function_name(struct diffing *s, const char *name)
{
    struct pg_text t = {.arena = s->arena};

    pg_sql_qualified(&t, s->w->now.schema, name);
    return t.data;
}

static void put_trigger(struct diffing *s, struct step_builder *b, const char *name, const struct pg_in_step *of)
{
    pg_step_sql(s, b,
                pg_printf(s->arena,
                          "CREATE TRIGGER %s BEFORE INSERT OR UPDATE ON %s FOR EACH ROW EXECUTE FUNCTION %s()",
                          pg_quoted(s, name), pg_this_table(s), function_name(s, of->name)));
}

/* All triggers of the chain that `made` is a link of fire again. */
static void fire_again(struct diffing *s, struct step_builder *b, const struct pg_in_step *made)
{
    struct pg_table *now = &s->w->now;
    const struct pg_in_step *newest = made;

    for (const struct pg_in_step *p = made; p; p = pg_find_in_step(now, NULL, p->column))
        newest = p;
    uint32_t below = chain_below(now, newest->replaced);
    bool chain = below > 0 || strncmp(made->name, NEWER, strlen(NEWER)) == 0;
    for (const struct pg_in_step *p = newest; chain && p; p = pg_find_in_step(now, p->replaced, NULL), below--) {
        char hex[33];
        pg_hash(p->name, strlen(p->name), hex);
        const char *name = pg_printf(s->arena, AGAIN "%u_in_step_%.8s", below, hex);
        if (strcmp(p->name, made->name) != 0)
            pg_step_sql(s, b,
                        pg_printf(s->arena, "DROP TRIGGER IF EXISTS %s ON %s", pg_quoted(s, name), pg_this_table(s)));
        put_trigger(s, b, name, p);
    }
}

static const char *drop_function(struct diffing *s, const struct pg_in_step *t)
{
    return pg_printf(s->arena, "DROP FUNCTION IF EXISTS %s() CASCADE", function_name(s, t->name)); /* its triggers */
}

static void trigger_step(struct diffing *s, const struct pg_field *f, struct pg_in_step *made)
{
    struct step_builder b = pg_step_begin(s, PG_STEP_KEEP_IN_STEP, PG_TOGETHER, made->column, f->name);
    struct pg_text t = {.arena = s->arena};

    pg_step_sql(s, &b, drop_function(s, made));
    /* What others have on their search path must not change what an expression means. */
    pg_putf(&t, "CREATE FUNCTION %s() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS ",
            function_name(s, made->name));
    pg_sql_literal(&t, made->body);
    pg_step_sql(s, &b, t.data);
    put_trigger(s, &b, made->name, made);
    fire_again(s, &b, made);
    pg_step_record(s, &b, "in_step", made->name, pg_in_step_source(s->arena, made));
    b.step.text = pg_printf(s->arena, "keep %s and %s of %s in step, by a trigger", pg_quoted(s, made->replaced),
                            pg_quoted(s, made->column), pg_this_table(s));
    b.step.consent = pg_printf(s->arena, "CELL_REPLACES(%s, …)", made->replaced);
    pg_step_end(s, &b, PG_PHASE_COLUMN);
}

void pg_leave_step(struct diffing *s, struct step_builder *b, const char *column)
{
    struct pg_table *now = &s->w->now;

    for (uint32_t i = now->nin_step; i-- > 0;) {
        const struct pg_in_step *t = &now->in_step[i];
        if (strcmp(t->column, column) != 0 && strcmp(t->replaced, column) != 0)
            continue;
        pg_step_sql(s, b, drop_function(s, t));
        pg_step_forget(s, b, "in_step", t->name);
        pg_step_forget(s, b, "filled", t->column);
        pg_take_out(now->in_step, &now->nin_step, sizeof(*now->in_step), i);
    }
}

/* ---- may it ---- */

static bool can_be_replaced(struct diffing *s, const struct pg_field *f, const struct pg_column *old)
{
    const char *why = pg_is_declared(s, old->name)                     ? "a field is this column still"
                      : pg_in_key(&s->w->now, old->name)               ? "it is part of the primary key"
                      : old->identity                                  ? "it is numbered by the database"
                      : old->generated.sql                             ? "it is generated"
                      : s->w->now.kind != 'r' && s->w->now.kind != 'p' ? "this is no table"
                                                                       : NULL;
    struct pg_in_step *link = pg_find_in_step(&s->w->now, old->name, NULL);
    if (!why && link && !pg_has_event(&s->w->now, PG_PAST_FILLED, old->name))
        why = pg_printf(s->arena,
                        "not all rows have got its value from '%s' yet; 'cell migrate' with the program that declares "
                        "it does that",
                        link->replaced);
    if (!why && chain_below(&s->w->now, old->name) >= CHAIN_MAX)
        why = pg_printf(s->arena, "%d columns before it are still in use by programs", CHAIN_MAX);
    if (!why && pg_refuse_computed(s, pg_at_field(f->name), old->name))
        return false;
    if (why)
        pg_refuse(s, PG_RULE_NO_EFFECT, pg_at_field(f->name), "column '%s' cannot be replaced by another one: %s",
                  old->name, why)
            ->whole = false;
    return !why;
}

/* The expression, or a cast where that loses nothing. */
static const char *conversion(struct diffing *s, const struct pg_field *f, const char *sql,
                              const struct pg_column *from, const struct pg_column *to)
{
    bool rewrites;

    if (sql)
        return sql;
    if (pg_type_equal(&from->type, &to->type) || pg_retype_keeps(&from->type, &to->type, &rewrites))
        return pg_printf(s->arena, "%s::%s", pg_quoted(s, from->name), pg_type_name(s->arena, &to->type));
    pg_refuse(
        s, PG_RULE_RETYPE_LOSES, pg_at_field(f->name),
        "not every %s of '%s' is a %s of '%s': CELL_REPLACES(%s, \"…\", \"…\") says with two expressions what '%s' "
        "becomes and what programs that know '%s' find in its place",
        pg_type_name(s->arena, &from->type), from->name, pg_type_name(s->arena, &to->type), to->name,
        f->replaces->column, f->replaces->column, f->replaces->column);
    return NULL;
}

static void nothing_to_replace(struct diffing *s, const struct pg_field *f, const struct pg_column *now)
{
    struct pg_table *t = &s->w->now;
    const char *from = f->replaces->column, **names = pg_array(s->arena, t->ncolumns + 1, sizeof(*names));
    uint32_t n = 0;

    if (pg_table_column(t, from))
        pg_plan_diagnose(s, PG_WARNING, PG_RULE_CONSENT_SPENT, pg_at_field(f->name),
                         "'%s' has taken the place of '%s' before, and '%s' is there again: that one stays. "
                         "CELL_DROPPED(\"%s\", \"again\") drops it",
                         now->name, from, from, from);
    else if (now && pg_done_long_ago(t, PG_PAST_DROPPED, from))
        pg_plan_diagnose(s, PG_REMARK, PG_RULE_CONSENT_DONE, pg_at_field(f->name),
                         "CELL_REPLACES(%s) was done long ago and can be removed", from);
    if (now)
        return;
    for (uint32_t i = 0; i < t->ncolumns; i++)
        if (!pg_is_declared(s, t->columns[i].name))
            names[n++] = t->columns[i].name;
    const char *near = pg_suggest(from, names, n);
    pg_refuse(s, PG_RULE_NO_EFFECT, pg_at_field(f->name),
              near ? "CELL_REPLACES(%s) finds nothing: table '%s' has no such column; did you mean '%s'?"
                   : "CELL_REPLACES(%s) finds nothing: table '%s' has no such column",
              from, t->name, near);
}

/* ---- expand ---- */

bool pg_diff_replace(struct diffing *s, const struct pg_field *f, const struct pg_column *want)
{
    struct pg_table *now = &s->w->now;
    struct pg_column *old = pg_replaced_by(s, f);

    if (!old) {
        if (f->replaces)
            nothing_to_replace(s, f, pg_table_column(now, want->name));
        return !f->replaces || pg_table_column(now, want->name);
    }
    if (!can_be_replaced(s, f, old))
        return false;
    const char *forward = conversion(s, f, f->replaces->forward, old, want);
    const char *back = forward ? conversion(s, f, f->replaces->back, want, old) : NULL;
    if (!back)
        return false;
    if (!pg_table_column(now, want->name)) {
        pg_add_bare_column(s, f, want);
        old = pg_replaced_by(s, f); /* the columns have moved */
    }
    struct pg_in_step *there = pg_find_in_step(now, want->name, old->name);
    const char *body = body_of(s, want, old, forward, back);
    const char *name = there ? there->name : trigger_name(s, want->name, body, chain_below(now, old->name));
    struct pg_in_step made = {name, want->name, pg_strdup(s->arena, old->name), body};
    if (there && there->body && strcmp(there->body, made.body) == 0)
        return true;
    trigger_step(s, f, &made);
    if (!there) {
        now->in_step = pg_one_more(s->arena, now->in_step, &now->nin_step, sizeof(*now->in_step));
        there = &now->in_step[now->nin_step - 1];
    }
    *there = made;
    return true;
}

void pg_diff_replaced_values(struct diffing *s, const struct pg_field *f, const struct pg_column *want,
                             struct pg_column *now)
{
    const struct pg_column *old = pg_replaced_by(s, f);
    const char *forward = conversion(s, f, f->replaces->forward, old, want);

    if (forward && !pg_has_event(&s->w->now, PG_PAST_FILLED, want->name))
        pg_fill_step(s, f, want, forward, true);
    if (!want->nullable && now->nullable)
        pg_not_null_steps(s, f, now);
}

/* ---- contract ---- */

/* `want`: what has replaced it. */
static void drop_replaced(struct diffing *s, const struct pg_field *f, const struct pg_column *want,
                          const struct pg_column *old)
{
    const char *name = pg_strdup(s->arena, old->name);
    struct step_builder b = pg_step_begin(s, PG_STEP_DROP_COLUMN, PG_TOGETHER, name, f->name);
    struct pg_column *now = pg_table_column(&s->w->now, want->name);

    pg_leave_step(s, &b, name);
    pg_step_alter(s, &b, "DROP COLUMN %s", pg_quoted(s, name));
    pg_step_record(s, &b, "dropped", name, NULL);
    pg_step_forget(s, &b, "default", name);
    if (old->numbers)
        pg_step_forget(s, &b, "numbers", name);
    if (now && want->standard.sql) { /* until now the trigger has given it */
        pg_step_alter(s, &b, "ALTER COLUMN %s SET DEFAULT (%s)", pg_quoted(s, want->name), want->standard.sql);
        pg_step_record(s, &b, "default", want->name, want->standard.sql);
        now->standard = (struct pg_expr){.sql = pg_strdup(s->arena, want->standard.sql)};
        now->default_made = true;
    }
    pg_step_hazard(&b, PG_RULE_DROP_COLUMN);
    b.step.consent = pg_printf(s->arena, "CELL_REPLACES(%s, …)", name);
    b.step.text = pg_printf(s->arena, "ALTER TABLE %s DROP COLUMN %s", pg_this_table(s), pg_quoted(s, name));
    if (now && want->standard.sql)
        b.step.text = pg_step_text(s, pg_printf(s->arena, "%s, ALTER COLUMN %s SET DEFAULT (%s)", b.step.text,
                                                pg_quoted(s, want->name), want->standard.sql));
    pg_step_end(s, &b, PG_PHASE_DROP);
    pg_drop_from_now(s, name);
}

/* What the old column has replaced itself goes first, and when that stays the old one does. */
static bool contract(struct diffing *s, const struct pg_field *f, const struct pg_column *want, const char *replaced)
{
    struct pg_table *now = &s->w->now;
    const struct pg_in_step *below = pg_find_in_step(now, replaced, NULL);
    bool unknown;

    if (below && !contract(s, f, pg_table_column(now, replaced), below->replaced))
        return false;
    const char *users = pg_waits_for(s, replaced, &unknown);
    if (users)
        pg_plan_diagnose(s, unknown ? PG_WARNING : PG_REMARK, PG_RULE_STILL_USED, pg_at_field(f->name),
                         "column '%s' stays beside '%s' for now, and both are kept in step: %s", replaced, want->name,
                         users);
    else
        drop_replaced(s, f, want, pg_table_column(now, replaced));
    return !users;
}

void pg_diff_contract(struct diffing *s)
{
    for (uint32_t i = 0; i < s->d->nfields; i++) {
        const struct pg_field *f = &s->d->fields[i];
        const struct pg_column *want = &s->d->table.columns[f->column], *old = pg_replaced_by(s, f);
        if (old && pg_find_in_step(&s->w->now, want->name, old->name))
            contract(s, f, want, old->name);
    }
}
