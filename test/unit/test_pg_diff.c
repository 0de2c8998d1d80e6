/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Plans: from what is there to what is declared, step by step. */
// LIBS: cell_postgres_sanitized
#include "pg_simulate.h"

static struct pg_model *new_catalog(void)
{
    struct pg_model *m = pg_model_new();
    static const char *schemas[] = {"public"};
    m->version = 150004;
    m->default_schema = "public";
    m->schemas = schemas;
    m->nschemas = 1;
    return m;
}

TEST(a_new_table_is_one_step)
{
    struct pg_model *m = new_catalog();
    struct pg_declared *d =
        pg_build(m, "table", "users",
                 "id i64 | key | auto\nemail str | unique | doc Where to write.\nname str | index\n"
                 "age opt<i32> | range 0;150\nmood mood\nat i64 | sql_type timestamptz | auto\nraw u8[16]",
                 "index lower(email) desc, name;where age > 3\ncheck name <> email");
    struct pg_plan *p = NULL;
    REQUIRE(d && pg_diff(m, (const struct pg_declared *[]){d}, 1, NULL, &p) == 0);
    pg_print_diagnostics(&d->diagnostics);
    if (getenv("PG_PRINT"))
        pg_print_plan(p);
    CHECK(p->nsteps == 1);
    struct sim s = {.m = m};
    CHECK(sim_apply(&s, p, UINT32_MAX));
    pg_plan_free(p);
    REQUIRE(pg_diff(m, (const struct pg_declared *[]){d}, 1, NULL, &p) == 0);
    if (getenv("PG_PRINT"))
        pg_print_plan(p);
    CHECK(p->nsteps == 0);
    pg_plan_free(p);
    pg_declared_free(d);
    pg_model_free(m);
}
