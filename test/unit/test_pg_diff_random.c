/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Random structs, random edits of them: the plan's statements make the table that is declared, and then nothing is left
 * to do; also when the plan is interrupted anywhere and made anew. */
// LIBS: cell_postgres_sanitized
#include "pg_random.h"
#include "pg_simulate.h"

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
        if (strcmp(t->indexes[i].name, step->object) == 0) {
            t->indexes[i].valid = false;
            t->indexes[i].made = true; /* which is recorded before it is made */
        }
}

static bool is_left(const struct sim *s)
{
    for (uint32_t i = 0; i < s->m->ntables; i++)
        for (uint32_t k = 0; k < s->m->tables[i].nindexes; k++)
            if (!s->m->tables[i].indexes[k].valid) {
                printf("an invalid index is left: %s\n", s->m->tables[i].indexes[k].name);
                return true;
            }
    return false;
}

static bool converge_to(struct random_table *t, struct sim *s, struct pg_declared *const *d, uint32_t n, bool kills)
{
    for (int round = 0; round < 20; round++) {
        struct pg_plan *p = NULL;
        if (pg_diff(s->m, (const struct pg_declared *const *)d, n, NULL, &p) < 0)
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
            return ok && !s->why && !is_left(s);
    }
    printf("no end\n");
    return false;
}

/* Declares the table as it is now, as one struct or as two, beside the one that it refers to; plans and applies until
 * nothing is left; interrupted at random places when `kills`. */
static bool converge(struct random_table *t, struct sim *s, bool kills, bool two)
{
    struct pg_declared *d[] = {pg_build(s->m, "table", "teams", "id i64 | key", ""),
                               declare_part(t, s->m, two ? FIRST : WHOLE), two ? declare_part(t, s->m, SECOND) : NULL};
    const uint32_t n = two ? 3 : 2;
    bool right = true;

    for (uint32_t i = 0; i < n; i++)
        right = !pg_has_errors(&d[i]->diagnostics, UINT32_MAX) && right;
    right = right && converge_to(t, s, d, n, kills);
    for (uint32_t i = 0; i < n; i++) {
        if (!right)
            pg_print_diagnostics(&d[i]->diagnostics);
        pg_declared_free(d[i]);
    }
    return right;
}

static bool run(uint64_t seed, bool kills, bool two)
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
        ok = converge(&t, &s, kills, two);
        if (ok) { /* once more, with consent to what it left as it was */
            struct pg_declared *d = declare_random(&t, m);
            consent_to_rest(&t, pg_model_table(m, "public", "users"), &d->table);
            ok = converge(&t, &s, kills, two) && is_in(pg_model_table(m, "public", "users"), d);
            pg_declared_free(d);
        }
        if (!ok)
            printf("seed %llu, version %d\n", (unsigned long long)seed, version);
    }
    pg_model_free(m);
    return ok;
}

static bool run_all(bool kills, bool two)
{
    const char *only = getenv("PG_SEED");
    uint64_t first = only ? strtoull(only, NULL, 10) : 1, last = only ? first : two ? 80 : 250;
    bool ok = true;

    for (uint64_t seed = first; seed <= last && ok; seed++)
        ok = run(seed, kills, two);
    return ok;
}

TEST(steps_make_the_declared_table_and_then_nothing_is_left) { CHECK(run_all(false, false)); }

TEST(an_interrupted_plan_is_continued_by_a_new_one) { CHECK(run_all(true, false)); }

TEST(so_it_is_with_two_structs_of_a_table)
{
    CHECK(run_all(false, true));
    CHECK(run_all(true, true));
}
