/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* For the tests of rules: a database with one table, and what becomes of it. */
#ifndef CELL_TEST_PG_RULES_H
#define CELL_TEST_PG_RULES_H

#include "pg_simulate.h"

#define RULE(symbol, behaviour) TEST(symbol##_##behaviour)

struct change {
    struct pg_model *m;
    struct sim s;
    struct pg_declared *d, *other;
    struct pg_plan *p;
};

static inline struct pg_model *new_catalog(void)
{
    struct pg_model *m = pg_model_new();
    m->default_schema = "public";
    m->schemas = pg_array(&m->arena, 1, sizeof(*m->schemas));
    m->schemas[0] = "public";
    m->nschemas = 1;
    return m;
}

static inline void end(struct change *c)
{
    pg_plan_free(c->p);
    pg_declared_free(c->d);
    pg_declared_free(c->other);
    pg_model_free(c->m);
}

static inline struct change given(const char *fields, const char *rules)
{
    struct change c = {.m = new_catalog()};
    struct pg_declared *d = pg_build(c.m, "table", "users", fields, rules);
    struct pg_plan *p = NULL;
    c.s.m = c.m;
    if (pg_has_errors(&d->diagnostics, UINT32_MAX) ||
        pg_diff(c.m, (const struct pg_declared *[]){d}, 1, NULL, &p) < 0 || !sim_apply(&c.s, p, UINT32_MAX)) {
        pg_print_diagnostics(&d->diagnostics);
        test_failures++;
    }
    pg_plan_free(p);
    pg_declared_free(d);
    return c;
}

static inline void declare_as(struct change *c, const char *verb, const char *fields, const char *rules)
{
    pg_plan_free(c->p);
    pg_declared_free(c->d);
    c->p = NULL;
    c->d = pg_build(c->m, verb, "users", fields, rules);
    if (pg_has_errors(&c->d->diagnostics, UINT32_MAX) ||
        pg_diff(c->m, (const struct pg_declared *[]){c->d}, 1, NULL, &c->p) < 0) {
        pg_print_diagnostics(&c->d->diagnostics);
        test_failures++;
    }
}

static inline void declare(struct change *c, const char *fields, const char *rules)
{
    declare_as(c, "table", fields, rules);
}

static inline const struct pg_diagnostic *says(const struct change *c, enum pg_severity severity, enum pg_rule rule)
{
    const pg_diagnostics *lists[] = {&c->p->diagnostics, &c->d->diagnostics};
    for (int l = 0; l < 2; l++)
        for (uint32_t i = 0; i < lists[l]->n; i++) {
            const struct pg_diagnostic *d = &lists[l]->at[i];
            if (d->severity == severity && d->rule_id && strcmp(d->rule_id, pg_rule(rule)->id) == 0 &&
                strstr(d->text, pg_rule(rule)->id))
                return d;
        }
    pg_print_diagnostics(&c->p->diagnostics);
    pg_print_diagnostics(&c->d->diagnostics);
    return NULL;
}

static inline bool refuses(const struct change *c, enum pg_rule rule)
{
    const struct pg_diagnostic *d = says(c, PG_ERROR, rule);
    return d && (d->whole || c->p->nsteps == 0); /* beside one of the whole the plan is kept, and not carried out */
}

static inline bool errs(const struct change *c)
{
    if (pg_has_errors(&c->p->diagnostics, UINT32_MAX))
        pg_print_diagnostics(&c->p->diagnostics);
    return pg_has_errors(&c->p->diagnostics, UINT32_MAX);
}

/* The text of the first statement of the step. */
static inline const char *sql_of(const struct change *c, enum pg_step_kind kind)
{
    const struct pg_step *step = pg_find_step(c->p, kind, NULL);
    for (uint32_t i = 0; step && i < step->nsql; i++)
        if (strncmp(step->sql[i], "INSERT", 6) != 0)
            return step->sql[i];
    return "";
}

#define HAS(text, part) CHECK(strstr(text, part) != NULL)

#endif
