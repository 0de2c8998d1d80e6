/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Rules and steps: their tables, how steps are made, put into order and written out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diff_parts.h"
#include "sql.h"

static const char *const class_names[] = {"refused", "consent", "warning", "remark", "avoided"};

const struct pg_rule_info *pg_rule(enum pg_rule rule)
{
    static const struct pg_rule_info rules[PG_NRULES] = {
#define RULE(symbol, id, class, sentence) {id, PG_CLASS_##class, sentence},
        PG_RULE_MAP(RULE)
#undef RULE
    };
    return &rules[rule];
}

const char *pg_rule_class_name(enum pg_rule_class class) { return class_names[class]; }

static const struct {
    const char *name;
    bool additive;
} kinds[] = {
#define STEP(symbol, name, additive) {name, additive},
    PG_STEP_MAP(STEP)
#undef STEP
};

const char *pg_step_name(enum pg_step_kind kind) { return kinds[kind].name; }
bool pg_step_is_additive(enum pg_step_kind kind) { return kinds[kind].additive; }

struct step_builder pg_step_begin(struct diffing *s, enum pg_step_kind kind, enum pg_step_mode mode, const char *object,
                                  const char *field)
{
    struct step_builder b = {.step = {.kind = kind, .mode = mode, .object = object, .field = field, .hazard = ""}};

    b.step.declared = b.step.consented = s->current;
    b.step.schema = s->w->now.schema;
    b.step.table = s->w->now.name;
    b.step.on_new = s->w->created;
    return b;
}

void pg_step_sql(struct diffing *s, struct step_builder *b, const char *sql) { *pg_push(s->arena, &b->sql) = sql; }

void pg_step_index(struct diffing *s, struct step_builder *b, const char *sql, const struct pg_index *x)
{
    const struct pg_field *f = !x->written && x->parts[0].column ? pg_field_of(s->d, x->parts[0].column) : NULL;

    *pg_push(s->arena, &b->parts) =
        (struct pg_step_part){b->sql.n, f ? f->name : NULL, x->written, {0, 0}, s->current, NULL};
    pg_step_sql(s, b, sql);
}

/* What the next statement has there is the field's on `column`, or of what is written on the struct. */
static struct pg_step_part *add_part(struct diffing *s, struct step_builder *b, const char *column, const char *written,
                                     struct pg_span span)
{
    const struct field_turn of = column ? pg_declared_field(s, column) : (struct field_turn){.declared = s->current};
    struct pg_step_part *made = pg_push(s->arena, &b->parts);

    *made = (struct pg_step_part){b->sql.n, of.field ? of.field->name : NULL, written, span, of.declared, NULL};
    return made;
}

static bool declares_check(const struct pg_table *t, const void *check)
{
    for (uint32_t i = 0; i < t->nchecks; i++)
        if (pg_check_equal(&t->checks[i], check))
            return true;
    return false;
}

static bool declares_key(const struct pg_table *t, const void *key)
{
    bool found = t->primary && pg_key_equal(t->primary, key);

    for (uint32_t i = 0; i < t->nuniques && !found; i++)
        found = pg_key_equal(&t->uniques[i], key);
    return found;
}

/* Makes the first struct of the table that declares it the one at hand. */
static void select_declaring(struct diffing *s, bool (*declares)(const struct pg_table *t, const void *what),
                             const void *what)
{
    for (uint32_t i = 0; i < s->w->nowners; i++)
        if (pg_select(s, s->w->owners[i]) && declares(&s->d->table, what))
            return;
}

/* A table of the columns without what else is said of them, but for one that is generated, or a key; NULL. */
static const char *probe(struct diffing *s, const struct pg_table *t, const struct pg_column *generated,
                         const struct pg_key *key)
{
    struct pg_table alone = {.schema = "pg_temp", .name = t->name, .ncolumns = t->ncolumns, .nuniques = key != NULL};
    struct pg_span *spans = pg_array(s->arena, t->ncolumns + 1u, sizeof(*spans));
    struct pg_text sql = {.arena = s->arena};

    alone.columns = pg_array(s->arena, t->ncolumns + 1u, sizeof(*alone.columns));
    alone.uniques = key ? (struct pg_key *)pg_copy(s->arena, key, sizeof(*key)) : NULL;
    for (uint32_t i = 0; i < t->ncolumns; i++) {
        const struct pg_column *c = &t->columns[i];
        alone.columns[i] = (struct pg_column){.name = c->name, .type = c->type, .nullable = true};
        if (c == generated)
            alone.columns[i].generated = c->generated;
    }
    pg_sql_create_table(&sql, &alone, spans);
    return sql.data;
}

static void add_key_part(struct diffing *s, struct step_builder *b, const struct pg_table *t, const struct pg_key *k,
                         struct pg_span span)
{
    select_declaring(s, declares_key, k);
    add_part(s, b, k->n == 1 ? k->columns[0] : NULL, NULL, span)->probe = probe(s, t, NULL, k);
}

void pg_step_table(struct diffing *s, struct step_builder *b, const struct pg_table *t)
{
    struct pg_span *spans = pg_array(s->arena, t->ncolumns + t->nchecks + t->nuniques + 1u, sizeof(*spans)), *at;
    struct pg_text sql = {.arena = s->arena};
    uint32_t first = s->current;

    pg_sql_create_table(&sql, t, spans);
    at = spans;
    for (uint32_t i = 0; i < t->ncolumns; i++) {
        const struct pg_column *c = &t->columns[i];
        struct pg_step_part *part = add_part(s, b, c->name, NULL, *at++);
        part->probe = c->generated.sql ? probe(s, t, c, NULL) : NULL;
    }
    if (t->primary)
        add_key_part(s, b, t, t->primary, *at++);
    for (uint32_t i = 0; i < t->nuniques; i++)
        add_key_part(s, b, t, &t->uniques[i], *at++);
    for (uint32_t i = 0; i < t->nchecks; i++) {
        select_declaring(s, declares_check, &t->checks[i]);
        add_part(s, b, t->checks[i].column, t->checks[i].written, *at++);
    }
    pg_select(s, first);
    pg_step_sql(s, b, sql.data);
}

void pg_step_check(struct diffing *s, struct step_builder *b, const char *sql, const struct pg_check *c)
{
    add_part(s, b, c->column, c->written, (struct pg_span){0, 0});
    pg_step_sql(s, b, sql);
}

const char *pg_quoted(struct diffing *s, const char *name)
{
    struct pg_text t = {.arena = s->arena};

    pg_sql_name(&t, name);
    return t.data;
}

const char *pg_this_table(struct diffing *s)
{
    struct pg_text t = {.arena = s->arena};

    pg_sql_qualified(&t, s->w->now.schema, s->w->now.name);
    return t.data;
}

const char *pg_drop_index_sql(struct diffing *s, const char *name)
{
    struct pg_text t = {.arena = s->arena};

    pg_putf(&t, "DROP INDEX %sIF EXISTS ", s->w->now.kind != 'p' ? "CONCURRENTLY " : "");
    pg_sql_qualified(&t, s->w->now.schema, name);
    return t.data;
}

void pg_step_alter(struct diffing *s, struct step_builder *b, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    const char *what = pg_vprintf(s->arena, format, args);
    va_end(args);
    pg_step_sql(s, b, pg_printf(s->arena, "ALTER TABLE %s %s", pg_this_table(s), what));
}

void pg_step_record(struct diffing *s, struct step_builder *b, const char *kind, const char *name, const char *source)
{
    struct pg_record made = {kind, name, source};

    for (uint32_t i = 0; i < b->records.n; i++)
        if (strcmp(b->records.at[i].kind, kind) == 0 && strcmp(b->records.at[i].name, name) == 0) {
            b->records.at[i] = made;
            return;
        }
    *pg_push(s->arena, &b->records) = made;
}

void pg_step_flush(struct diffing *s, struct step_builder *b)
{
    if (b->records.n)
        pg_step_sql(s, b, pg_sql_record(s->arena, &s->w->now, b->records.at, b->records.n));
    b->records.n = 0;
}

void pg_step_forget(struct diffing *s, struct step_builder *b, const char *kind, const char *name)
{
    pg_step_sql(s, b, pg_sql_forget(s->arena, &s->w->now, kind, name));
}

void pg_step_hazard(struct step_builder *b, enum pg_rule rule) { b->step.hazard = pg_rule(rule)->id; }

#define TEXT_MAX 600

const char *pg_step_text(struct diffing *s, const char *sql)
{
    size_t len = strlen(sql), end = len < TEXT_MAX ? len : TEXT_MAX;

    while (end < len && end > 0 && ((unsigned char)sql[end] & 0xc0) == 0x80)
        end--;
    char *text = pg_printf(s->arena, "%.*s%s", (int)end, sql, end < len ? " …" : "");
    for (char *p = text; *p; p++)
        if (*p == '\n' || *p == '\r' || *p == '\t')
            *p = ' ';
    pg_make_fit(text);
    return text;
}

void pg_step_end(struct diffing *s, struct step_builder *b, enum pg_phase phase)
{
    struct planned_step *p = pg_push(s->arena, &s->steps);

    pg_step_flush(s, b);
    b->step.sql = b->sql.at;
    b->step.nsql = b->sql.n;
    b->step.parts = b->parts.at;
    b->step.nparts = b->parts.n;
    b->step.shares = b->shares.at;
    b->step.nshares = b->shares.n;
    if (!b->step.text)
        b->step.text = pg_step_text(s, b->step.kind == PG_STEP_RECORD ? "record what is there" : b->sql.at[0]);
    p->step = b->step;
    p->phase = phase;
    p->sequence = s->steps.n;
    p->expression = b->expression;
    p->into = b->into;
    p->was = b->was;
    p->makes = b->makes;
}

bool pg_steps_share(struct diffing *s, const char *makes)
{
    bool found = false;

    for (uint32_t i = 0; i < s->steps.n; i++) {
        struct pg_step *step = &s->steps.at[i].step;
        bool known = step->declared == s->current;
        if (!s->steps.at[i].makes || strcmp(s->steps.at[i].makes, makes) != 0)
            continue;
        found = true;
        for (uint32_t k = 0; k < step->nshares; k++)
            known = known || step->shares[k].declared == s->current;
        if (known)
            continue;
        step->shares = pg_one_more(s->arena, step->shares, &step->nshares, sizeof(*step->shares));
        step->shares[step->nshares - 1] = (struct pg_step_share){s->current, step->text};
    }
    return found;
}

static int by_phase(const void *a, const void *b)
{
    const struct planned_step *x = a, *y = b;

    if (x->phase != y->phase)
        return x->phase < y->phase ? -1 : 1;
    return x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

void pg_steps_finish(struct diffing *s)
{
    struct pg_plan *plan = s->plan;
    struct pg_text all = {.arena = s->arena};

    if (pg_has_refusals(&plan->diagnostics, UINT32_MAX) || s->steps.n == 0)
        return;
    qsort(s->steps.at, s->steps.n, sizeof(*s->steps.at), by_phase);
    pg_steps_keep(s);
    pg_steps_type(s);
    plan->steps = pg_array(s->arena, s->steps.n, sizeof(*plan->steps));
    plan->nsteps = s->steps.n;
    for (uint32_t i = 0; i < s->steps.n; i++) {
        plan->steps[i] = s->steps.at[i].step;
        pg_putf(&all, "%s\n", pg_step_name(plan->steps[i].kind));
        for (uint32_t k = 0; k < plan->steps[i].nsql; k++)
            pg_putf(&all, "%s\n", plan->steps[i].sql[k]);
    }
    pg_hash(all.data, all.len, plan->id);
}

/* Judgements on what the structs make of a table together: a later one may have a column, say where its values come
 * from, or consent. */
static bool is_of_whole(int rule)
{
    static const enum pg_rule rules[] = {
        PG_RULE_UNDECLARED,      PG_RULE_UNDECLARED_REQUIRED, PG_RULE_RENAME_UNDECLARED, PG_RULE_NOT_NULL_ADDED,
        PG_RULE_RETYPE_REWRITES, PG_RULE_NOT_NULL_TIGHTENED,  PG_RULE_RETYPE_LOSES,      PG_RULE_GENERATED_ADDED,
        PG_RULE_DROP_CONSTRAINT, PG_RULE_DROP_COLUMN,         PG_RULE_STILL_USED,        PG_RULE_NO_EFFECT,
        PG_RULE_CONSENT_SPENT,   PG_RULE_CONSENT_DONE,        PG_RULE_COLUMN_ALIGNMENT,  PG_RULE_ENUM_RENUMBERED};

    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
        if (rule == (int)rules[i])
            return true;
    return false;
}

struct pg_diagnostic *pg_plan_diagnose(struct diffing *s, enum pg_severity severity, int rule, struct pg_place place,
                                       const char *format, ...)
{
    va_list args;

    va_start(args, format);
    const char *text = pg_vprintf(s->arena, format, args);
    va_end(args);
    struct pg_diagnostic *d =
        rule == PG_NO_RULE
            ? pg_diagnose(s->arena, &s->plan->diagnostics, severity, place, "%s", text)
            : pg_diagnose(s->arena, &s->plan->diagnostics, severity, place, "%s [%s]", text, pg_rule(rule)->id);
    d->rule_id = rule == PG_NO_RULE ? NULL : pg_rule(rule)->id;
    d->declared = s->current;
    d->whole = is_of_whole(rule);
    return d;
}

/* As people are shown it. What a hand-written step makes is seen when it was carried out: then the rest is planned
 * anew. */
static char *shown_text(const struct pg_plan *p, uint32_t i)
{
    bool last = p->steps[i].kind == PG_STEP_HAND_STEP && i + 1 < p->nsteps && p->steps[i + 1].kind != PG_STEP_HAND_STEP;
    char *text;

    return asprintf(&text, "%s%s", p->steps[i].text,
                    last ? " (what follows is planned anew when this was carried out)" : "") < 0
               ? NULL
               : text;
}

/* The same wherever the step is planned: a new table is made with what all structs have of it that are known then. */
static bool identify(const struct pg_step *step, char id[33])
{
    struct pg_arena arena = {0};
    struct pg_text all = {.arena = &arena};
    jmp_buf escape;

    arena.escape = &escape;
    if (setjmp(escape)) {
        pg_arena_free(&arena);
        return false;
    }
    pg_putf(&all, "%s\n", pg_step_name(step->kind));
    if (step->kind == PG_STEP_CREATE_TABLE)
        pg_sql_qualified(&all, step->schema, step->table);
    for (uint32_t i = 0; i < step->nsql && step->kind != PG_STEP_CREATE_TABLE; i++)
        pg_putf(&all, "%s\n", step->sql[i]);
    pg_hash(all.data, all.len, id);
    pg_arena_free(&arena);
    return true;
}

json_t *pg_plan_json(const struct pg_plan *p)
{
    json_t *steps = p->nsteps ? json_array() : NULL;

    for (uint32_t i = 0; steps && i < p->nsteps; i++) {
        const struct pg_step *step = &p->steps[i];
        char *text = shown_text(p, i), id[33];
        json_t *o = identify(step, id) ? json_pack("{s:s, s:s, s:s, s:s}", "id", id, "text", text, "kind",
                                                   pg_step_name(step->kind), "hazard", step->hazard)
                                       : NULL;
        free(text);
        if (json_array_append_new(steps, o) < 0) {
            json_decref(steps);
            steps = NULL;
        }
    }
    return steps ? json_pack("{s:s, s:o}", "id", p->id, "steps", steps) : NULL;
}

void pg_take_out(void *array, uint32_t *n, size_t size, uint32_t i)
{
    char *at = (char *)array + i * size;

    memmove(at, at + size, (*n - i - 1) * size);
    --*n;
}

void *pg_one_more(struct pg_arena *arena, void *array, uint32_t *n, size_t size)
{
    char *more = pg_array(arena, *n + 1, size);

    if (*n)
        memcpy(more, array, *n * size);
    ++*n;
    return more;
}
