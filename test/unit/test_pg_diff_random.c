/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Random structs, random edits of them: the plan's statements make the table that is declared, and then nothing is left
 * to do; also when the plan is interrupted anywhere and made anew. */
// LIBS: cell_postgres_sanitized
#include "pg_simulate.h"

#define FIELDS 12

struct random_field {
    int id; /* stays */
    char name[24], former[24];
    int type;
    bool optional, unique, index, range, check, generated;
    int standard; /* 0 = none */
    bool backfill, retyped, fresh;
};

struct random_table {
    struct random_field fields[FIELDS];
    int n, next;
    bool expression_index, partial_index, table_check, comment, reference;
    char dropped[32][80];
    int ndropped;
    uint64_t random;
};

static unsigned below(struct random_table *t, unsigned n)
{
    t->random ^= t->random << 13;
    t->random ^= t->random >> 7;
    t->random ^= t->random << 17;
    return (unsigned)((t->random >> 11) % n);
}

/* Each row may become the one below it: CELL_RETYPED consents. */
static const struct {
    const char *plain, *optional, *sql_type;
    bool number;
    const char *values[3]; /* defaults */
} types[] = {
    {"i16", "opt<i16>", NULL, true, {"1", "-5", "nextval('s')"}},
    {"i32", "opt<i32>", NULL, true, {"2", "(3 + 4)", "random()"}},
    {"i64", "opt<i64>", NULL, true, {"5", "6", "f(1)"}},
    {"str", "opt<str>", "varchar(20)", false, {"'a'", "'it''s'", "g('x')"}},
    {"str", "opt<str>", NULL, false, {"'b'", "E'\\\\'", "current_user"}},
    {"bool", "opt<bool>", NULL, false, {"true", "false", "h()"}},
    {"f32", "opt<f32>", NULL, true, {"0.5", "1e3", "random()"}},
    {"f64", "opt<f64>", NULL, true, {"0.25", "-1", "random()"}},
    {"mood", "opt_mood", NULL, false, {"1", "2", "k()"}},
};
#define NTYPES ((unsigned)(sizeof(types) / sizeof(types[0])))

static void new_field(struct random_table *t)
{
    struct random_field *f = &t->fields[t->n++];
    static const char *const forms[] = {"c%d", "order%d", "\"q\"%d", "Mixed%d"};
    memset(f, 0, sizeof(*f));
    f->id = t->next++;
    snprintf(f->name, sizeof(f->name), forms[below(t, 4)], f->id);
    f->type = (int)below(t, NTYPES);
    f->optional = below(t, 2);
    f->unique = below(t, 5) == 0;
    f->index = !f->unique && below(t, 5) == 0;
    f->range = types[f->type].number && below(t, 3) == 0;
    f->check = below(t, 4) == 0;
    f->standard = below(t, 2) ? (int)(1 + below(t, 3)) : 0;
    f->fresh = true;
    f->backfill = true; /* else a new column of some type would look renamed */
}

static void put(char *out, size_t size, const char *format, ...)
{
    size_t len = strlen(out);
    va_list args;
    va_start(args, format);
    vsnprintf(out + len, size - len, format, args);
    va_end(args);
}

static void quoted_name(const char *name, char out[64])
{
    size_t n = 0;
    out[n++] = '"';
    for (const char *p = name; *p; p++) {
        if (*p == '"')
            out[n++] = '"';
        out[n++] = *p;
    }
    out[n++] = '"';
    out[n] = '\0';
}

static struct pg_declared *declare_random(struct random_table *t, const struct pg_model *catalog)
{
    char fields[8192] = "", rules[4096] = "", name[64];
    put(fields, sizeof(fields), "id i64 | key | auto%s\n", t->comment ? " | doc The key's 'doc'." : "");
    put(fields, sizeof(fields), "team opt<i64>%s\n", t->reference ? " | references teams;id;on delete set null" : "");
    for (int i = 0; i < t->n; i++) {
        struct random_field *f = &t->fields[i];
        quoted_name(f->name, name);
        put(fields, sizeof(fields), "f%d %s | column %s", f->id,
            f->optional ? types[f->type].optional : types[f->type].plain, f->name);
        if (types[f->type].sql_type)
            put(fields, sizeof(fields), " | sql_type %s", types[f->type].sql_type);
        if (f->unique)
            put(fields, sizeof(fields), " | unique");
        if (f->index)
            put(fields, sizeof(fields), " | index");
        if (f->range)
            put(fields, sizeof(fields), " | range 0;%d", 100 + f->range);
        if (f->check)
            put(fields, sizeof(fields), " | check %s IS DISTINCT FROM NULL", name);
        if (f->standard)
            put(fields, sizeof(fields), " | default %s", types[f->type].values[f->standard - 1]);
        if (f->backfill)
            put(fields, sizeof(fields), " | backfill %s", types[f->type].values[0]);
        if (f->former[0])
            put(fields, sizeof(fields), " | renamed_from %s", f->former);
        put(fields, sizeof(fields), "\n");
        if (f->retyped)
            put(rules, sizeof(rules), "retyped %s\n", f->name);
    }
    if (t->n && t->expression_index) {
        quoted_name(t->fields[0].name, name);
        put(rules, sizeof(rules), "index lower(%s) desc, id\n", name);
    }
    if (t->n && t->partial_index) {
        quoted_name(t->fields[t->n - 1].name, name);
        put(rules, sizeof(rules), "unique_index id;where %s is not null\n", name);
    }
    if (t->table_check)
        put(rules, sizeof(rules), "check id > 0\n");
    for (int i = 0; i < t->ndropped; i++)
        put(rules, sizeof(rules), "dropped %s\n", t->dropped[i]);
    return pg_build(catalog, "table", "users", fields, rules);
}

static void consent(struct random_table *t, const char *name)
{
    if (t->ndropped < 32)
        snprintf(t->dropped[t->ndropped++], 80, "%s", name);
}

/* What the declaration does not have and the table has: as CELL_DROPPED. */
static void consent_to_rest(struct random_table *t, const struct pg_table *now, const struct pg_table *want)
{
#define CONSENT(array, count, equal)                                                                                   \
    for (uint32_t i = 0; i < now->count; i++) {                                                                        \
        bool found = false;                                                                                            \
        for (uint32_t k = 0; k < want->count; k++)                                                                     \
            found = found || equal(&now->array[i], &want->array[k]) ||                                                 \
                    strcmp(now->array[i].name, want->array[k].name) == 0;                                              \
        if (!found)                                                                                                    \
            consent(t, now->array[i].name);                                                                            \
    }
    CONSENT(uniques, nuniques, pg_key_equal)
    CONSENT(indexes, nindexes, pg_index_equal)
    CONSENT(foreign, nforeign, pg_foreign_key_equal)
    CONSENT(checks, nchecks, pg_check_equal)
}

static void edit(struct random_table *t)
{
    t->ndropped = 0;
    for (int i = 0; i < t->n; i++) {
        t->fields[i].former[0] = '\0';
        t->fields[i].retyped = t->fields[i].fresh = false;
    }
    for (unsigned edits = 1 + below(t, 4); edits > 0; edits--) {
        struct random_field *f = t->n ? &t->fields[below(t, (unsigned)t->n)] : NULL;
        switch (below(t, 9)) {
        case 0:
            if (t->n < FIELDS)
                new_field(t);
            break;
        case 1:
            if (f && !f->former[0]) {
                consent(t, f->name);
                memmove(f, f + 1, (size_t)(&t->fields[t->n] - f - 1) * sizeof(*f));
                t->n--;
            }
            break;
        case 2:
            if (f && !f->former[0] && !f->retyped && !f->fresh) {
                memcpy(f->former, f->name, sizeof(f->former));
                snprintf(f->name, sizeof(f->name), "n%d", t->next++);
            }
            break;
        case 3:
            if (f && f->type + 1 < (int)NTYPES && types[f->type].number == types[f->type + 1].number && f->type != 2 &&
                f->type != 4 && f->type != 5 && f->type != 7 && !f->former[0]) {
                f->type++;
                f->retyped = f->type != 4;
                f->standard = 0;
            }
            break;
        case 4:
            if (f)
                f->optional = !f->optional;
            break;
        case 5:
            if (f)
                f->standard = (int)below(t, 4);
            break;
        case 6:
            if (f) {
                f->unique = below(t, 2);
                f->index = !f->unique && below(t, 2);
            }
            break;
        case 7:
            if (f) {
                f->check = !f->check;
                f->range = types[f->type].number && !f->range;
            }
            break;
        default:
            t->expression_index = below(t, 2);
            t->partial_index = below(t, 2);
            t->table_check = below(t, 2);
            t->comment = t->comment || below(t, 2);
            t->reference = below(t, 3) != 0;
        }
    }
}

static struct pg_model *new_catalog(void)
{
    static const char *schemas[] = {"public"};
    struct pg_model *m = pg_model_new();
    m->default_schema = "public";
    m->schemas = pg_array(&m->arena, 1, sizeof(*m->schemas));
    m->schemas[0] = schemas[0];
    m->nschemas = 1;
    return m;
}

static bool is_in(const struct pg_table *now, const struct pg_declared *d)
{
    const struct pg_table *want = &d->table;
    for (uint32_t i = 0; i < want->ncolumns; i++) {
        const struct pg_column *c = pg_table_column(now, want->columns[i].name);
        if (!c || !pg_type_equal(&c->type, &want->columns[i].type) || c->nullable != want->columns[i].nullable ||
            !pg_expr_equal(&c->standard, &want->columns[i].standard) || c->identity != want->columns[i].identity) {
            printf("column %s differs\n", want->columns[i].name);
            return false;
        }
    }
    if (!now->primary || now->ncolumns != want->ncolumns || now->nchecks != want->nchecks ||
        now->nforeign != want->nforeign || now->nuniques + now->nindexes != want->nuniques + want->nindexes) {
        printf("%u %u %u %u not %u %u %u %u\n", now->ncolumns, now->nchecks, now->nforeign,
               now->nuniques + now->nindexes, want->ncolumns, want->nchecks, want->nforeign,
               want->nuniques + want->nindexes);
        return false;
    }
    for (uint32_t i = 0; i < now->nchecks; i++)
        if (!now->checks[i].valid)
            return false;
    return true;
}

/* The index of an interrupted concurrent build: there, and not valid. */
static void leave_invalid(struct sim *s, const struct pg_step *step)
{
    s->outside = true;
    for (uint32_t k = 0; k < step->nrepair; k++)
        sim_statement(s, step->repair[k]);
    for (uint32_t k = 0; k < step->nsql; k++) {
        sim_statement(s, step->sql[k]);
        if (strncmp(step->sql[k], "CREATE", 6) == 0)
            break;
    }
    struct pg_table *t = pg_model_table(s->m, step->schema, step->table);
    for (uint32_t i = 0; t && i < t->nindexes; i++)
        if (strcmp(t->indexes[i].name, step->object) == 0)
            t->indexes[i].valid = false;
}

/* Plans and applies until nothing is left; interrupted at random places when `kills`. */
static bool converge(struct random_table *t, struct sim *s, struct pg_declared *const *d, bool kills)
{
    for (int round = 0; round < 20; round++) {
        struct pg_plan *p = NULL;
        if (pg_diff(s->m, (const struct pg_declared *const *)d, 2, NULL, &p) < 0)
            return false;
        bool errors = pg_has_errors(&p->diagnostics, UINT32_MAX), done = p->nsteps == 0;
        if (errors || (done && getenv("PG_PRINT")) || getenv("PG_PRINT"))
            pg_print_plan(p);
        bool ok = !errors;
        if (ok && !done) {
            bool kill = kills && below(t, 3) != 0;
            uint32_t stop = kill ? below(t, p->nsteps + 1) : UINT32_MAX;
            ok = sim_apply(s, p, stop);
            if (ok && kill && stop < p->nsteps && p->steps[stop].mode == PG_OUTSIDE && p->steps[stop].object &&
                strncmp(p->steps[stop].text, "CREATE", 6) == 0)
                leave_invalid(s, &p->steps[stop]);
            if (ok && !kill && !pg_table_equal(pg_model_table(s->m, "public", "users"), &p->tables[1])) {
                printf("the table is not as the plan says\n");
                ok = false;
            }
        }
        pg_plan_free(p);
        if (!ok || done)
            return ok && !s->why;
    }
    printf("no end\n");
    return false;
}

static bool run(uint64_t seed, bool kills)
{
    struct random_table t = {.random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1};
    struct pg_model *m = new_catalog();
    struct sim s = {.m = m};
    bool ok = true;
    for (unsigned i = 1 + below(&t, 5); i > 0; i--)
        new_field(&t);
    for (int version = 0; version < 6 && ok; version++) {
        if (version > 0)
            edit(&t);
        struct pg_declared *d = declare_random(&t, m), *teams = pg_build(m, "table", "teams", "id i64 | key", "");
        ok = !pg_has_errors(&d->diagnostics, UINT32_MAX) && converge(&t, &s, (struct pg_declared *[]){teams, d}, kills);
        if (ok) { /* once more, with consent to what it left as it was */
            consent_to_rest(&t, pg_model_table(m, "public", "users"), &d->table);
            pg_declared_free(d);
            d = declare_random(&t, m);
            ok = converge(&t, &s, (struct pg_declared *[]){teams, d}, kills) &&
                 is_in(pg_model_table(m, "public", "users"), d);
        }
        if (!ok) {
            printf("seed %llu, version %d\n", (unsigned long long)seed, version);
            pg_print_diagnostics(&d->diagnostics);
        }
        pg_declared_free(d);
        pg_declared_free(teams);
    }
    pg_model_free(m);
    return ok;
}

TEST(steps_make_the_declared_table_and_then_nothing_is_left)
{
    const char *only = getenv("PG_SEED");
    for (uint64_t seed = only ? strtoull(only, NULL, 10) : 1; seed <= (only ? strtoull(only, NULL, 10) : 250); seed++)
        REQUIRE(run(seed, false));
}

TEST(an_interrupted_plan_is_continued_by_a_new_one)
{
    const char *only = getenv("PG_SEED");
    for (uint64_t seed = only ? strtoull(only, NULL, 10) : 1; seed <= (only ? strtoull(only, NULL, 10) : 250); seed++)
        REQUIRE(run(seed, true));
}
