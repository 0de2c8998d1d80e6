/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What C types make of a table beside its columns, and what becomes of that when they change. Pure. */
// LIBS: cell_postgres_sanitized
#include "pg_rules.h"

TEST(the_check_of_a_c_type_goes_with_it_and_the_one_of_a_rule_stays)
{
    struct change c = given("id i64 | key\nage u8", "");
    REQUIRE(pg_model_table(c.m, NULL, "users")->nchecks == 1 && pg_model_table(c.m, NULL, "users")->checks[0].implied);
    declare(&c, "id i64 | key\nage i16", "");
    CHECK_STR(sql_of(&c, PG_STEP_DROP_CONSTRAINT),
              "ALTER TABLE \"public\".\"users\" DROP CONSTRAINT \"users_age_range\"");
    CHECK(sim_apply(&c.s, c.p, UINT32_MAX) && pg_model_table(c.m, NULL, "users")->nchecks == 0);
    declare(&c, "id i64 | key\nage i16", "");
    CHECK(c.p->nsteps == 0);
    declare(&c, "id i64 | key\nage u8", "");
    CHECK(sim_apply(&c.s, c.p, UINT32_MAX));
    /* Of a struct that has not the column nothing is known. */
    declare(&c, "id i64 | key", "");
    CHECK(!pg_find_step(c.p, PG_STEP_DROP_CONSTRAINT, NULL));
    /* A rule that says the same takes it over, and what is left of it stays. */
    declare(&c, "id i64 | key\nage u8 | range 0;255", "");
    REQUIRE(c.p->nsteps == 1 && c.p->steps[0].kind == PG_STEP_RECORD && sim_apply(&c.s, c.p, UINT32_MAX));
    for (int i = 0; i < 2; i++) {
        declare(&c, i ? "id i64 | key\nage i16" : "id i64 | key\nage u8", "");
        CHECK(c.p->nsteps == 0);
    }
    HAS(says(&c, PG_REMARK, PG_RULE_UNDECLARED)->text, "users_age_range");
    declare(&c, "id i64 | key\nage i16", "dropped users_age_range");
    CHECK(sim_apply(&c.s, c.p, UINT32_MAX) && pg_model_table(c.m, NULL, "users")->nchecks == 0);
    end(&c);
}

TEST(the_check_of_another_c_type_takes_the_place_of_the_former_one_and_of_no_rule)
{
    struct change c = given("id i64 | key\nage u8", "");
    declare(&c, "id i64 | key\nage i8", "");
    HAS(sql_of(&c, PG_STEP_ADD_CHECK), "DROP CONSTRAINT \"users_age_range\", ADD CONSTRAINT \"users_age_range\"");
    REQUIRE(sim_apply(&c.s, c.p, UINT32_MAX));
    declare(&c, "id i64 | key\nage i8 | range 0;9", "");
    HAS(sql_of(&c, PG_STEP_ADD_CHECK), "DROP CONSTRAINT \"users_age_range\"");
    REQUIRE(sim_apply(&c.s, c.p, UINT32_MAX) && !pg_model_table(c.m, NULL, "users")->checks[0].implied);
    declare(&c, "id i64 | key\nage u8", "");
    CHECK(!strstr(sql_of(&c, PG_STEP_ADD_CHECK), "DROP"));
    HAS(sql_of(&c, PG_STEP_ADD_CHECK), "BETWEEN 0 AND 255");
    CHECK(sim_apply(&c.s, c.p, UINT32_MAX) && pg_model_table(c.m, NULL, "users")->nchecks == 2);
    declare(&c, "id i64 | key\nage u8", "");
    CHECK(c.p->nsteps == 0);
    end(&c);
}
