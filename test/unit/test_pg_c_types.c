/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What C types make of a table beside its columns, and what becomes of that when they change. Pure. */
// LIBS: cell_postgres_sanitized
#include "pg_rules.h"
#include "postgres/diff_parts.h"

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

/* The check gives up its name, and goes at last. */
static bool gives_way(const struct change *c)
{
    return strstr(sql_of(c, PG_STEP_RENAME_CONSTRAINT), "\"users_age_range\" TO \"users_age_range_2\"") &&
           strstr(sql_of(c, PG_STEP_ADD_CHECK), "ADD CONSTRAINT \"users_age_range\"") &&
           c->p->steps[c->p->nsteps - 1].kind == PG_STEP_DROP_CONSTRAINT &&
           strstr(sql_of(c, PG_STEP_DROP_CONSTRAINT), "DROP CONSTRAINT \"users_age_range_2\"");
}

TEST(the_check_of_another_c_type_takes_the_place_of_the_former_one_and_of_no_rule)
{
    struct change c = given("id i64 | key\nage u8", "");
    declare(&c, "id i64 | key\nage i8", "");
    CHECK(gives_way(&c));
    REQUIRE(sim_apply(&c.s, c.p, UINT32_MAX));
    declare(&c, "id i64 | key\nage i8 | range 0;9", "");
    CHECK(gives_way(&c));
    struct pg_table *t = pg_model_table(c.m, NULL, "users");
    REQUIRE(sim_apply(&c.s, c.p, UINT32_MAX) && t->nchecks == 1 && !t->checks[0].implied);
    /* Its name is of one that has given way, and that somebody else has dropped. */
    SIM_ADD(&c.s, t, events, nevents, ((struct pg_event){PG_PAST_GIVING_WAY, "users_age_range_2", 0, "users_x", NULL}));
    declare(&c, "id i64 | key\nage u8", "");
    CHECK(!pg_find_step(c.p, PG_STEP_RENAME_CONSTRAINT, NULL) && !pg_find_step(c.p, PG_STEP_DROP_CONSTRAINT, NULL));
    HAS(sql_of(&c, PG_STEP_ADD_CHECK), "\"users_age_range_2\" CHECK (\"age\" BETWEEN 0 AND 255");
    CHECK(sim_apply(&c.s, c.p, UINT32_MAX) && t->nchecks == 2 && !pg_gives_way_to(t, "users_age_range_2"));
    declare(&c, "id i64 | key\nage u8", "");
    CHECK(c.p->nsteps == 0);
    /* The one of the next type takes the place of that one. */
    declare(&c, "id i64 | key\nage i8", "");
    CHECK_STR(sql_of(&c, PG_STEP_RENAME_CONSTRAINT), "ALTER TABLE \"public\".\"users\" RENAME CONSTRAINT "
                                                     "\"users_age_range_2\" TO \"users_age_range_2_2\"");
    CHECK(sim_apply(&c.s, c.p, UINT32_MAX) && t->nchecks == 2);
    end(&c);
}

TEST(checks_of_c_types_of_which_one_gives_way_to_the_other_go_with_them)
{
    struct change c = given("id i64 | key\nage u8", "");
    struct pg_table *t = pg_model_table(c.m, NULL, "users");
    declare(&c, "id i64 | key\nage i8", "");
    REQUIRE(sim_apply(&c.s, c.p, 2) && t->nchecks == 2 && pg_gives_way_to(t, "users_age_range_2"));
    declare(&c, "id i64 | key\nage i16", "");
    CHECK(sim_apply(&c.s, c.p, UINT32_MAX) && t->nchecks == 0 && t->nevents == 0);
    end(&c);
}

TEST(the_numbers_of_an_enum_are_recorded_and_follow_its_column)
{
    struct change c = given("id i64 | key", "");
    static const char is[] = "MOOD_SAD=0 MOOD_OK=1 MOOD_HAPPY=2";
    declare(&c, "id i64 | key\nmood mood | default 1\nold opt_mood", "");
    REQUIRE(sim_apply(&c.s, c.p, UINT32_MAX));
    CHECK_STR(pg_model_table(c.m, NULL, "users")->columns[1].numbers, is);
    CHECK_STR(pg_model_table(c.m, NULL, "users")->columns[2].numbers, is);
    declare(&c, "id i64 | key\nmood mood | default 1\nold opt_mood", "");
    CHECK(c.p->nsteps == 0);
    declare(&c, "id i64 | key\nnow mood | default 1 | renamed_from mood", "dropped old");
    REQUIRE(sim_apply(&c.s, c.p, UINT32_MAX));
    CHECK_STR(pg_model_table(c.m, NULL, "users")->columns[1].numbers, is);
    /* Without a record, and with others added or gone, what there is is recorded. */
    static const char *const before[] = {NULL, "MOOD_OK=1", "MOOD_SAD=0 MOOD_OK=1 MOOD_HAPPY=2 MOOD_GONE=7", "MOOD=9"};
    for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++) {
        pg_model_table(c.m, NULL, "users")->columns[1].numbers = before[i];
        declare(&c, "id i64 | key\nnow mood | default 1", "");
        CHECK(c.p->nsteps == 1 && c.p->steps[0].kind == PG_STEP_RECORD && !errs(&c));
    }
    declare(&c, "id i64 | key\nnow i16 | default 1", ""); /* is none any more */
    REQUIRE(sim_apply(&c.s, c.p, UINT32_MAX));
    CHECK(!pg_model_table(c.m, NULL, "users")->columns[1].numbers);
    end(&c);
}

TEST(a_column_of_integers_that_has_all_numbers_of_an_enum_stays)
{
    struct change c = given("id i64 | key\nmood mood\nother i16", "");
    struct pg_table *t = pg_model_table(c.m, NULL, "users");
    static const enum pg_base bases[] = {PG_BASE_INT2, PG_BASE_INT4, PG_BASE_INT8};
    for (size_t i = 0; i < sizeof(bases) / sizeof(bases[0]); i++) {
        t->columns[1].type.base = bases[i];
        declare(&c, "id i64 | key\nmood mood\nother i16", "");
        CHECK(c.p->nsteps == 0 && !errs(&c) && c.p->tables[0].columns[1].type.base == bases[i]);
    }
    declare(&c, "id i64 | key\nmood mood | sql_type smallint\nother i16", ""); /* it is said which */
    CHECK(refuses(&c, PG_RULE_RETYPE_LOSES));
    t->columns[2].type.base = PG_BASE_INT8;
    declare(&c, "id i64 | key\nmood mood\nother i16", "");
    CHECK(refuses(&c, PG_RULE_RETYPE_LOSES));
    end(&c);
}

TEST(enumerators_with_other_numbers_are_told)
{
    static const char *const rows[][3] = {{"A=0 B=1", "A=0 B=2", "B was 1 and is 2"},
                                          {"A=0 AB=1", "AB=1 A=10", "A was 0 and is 10"},
                                          {"A=-1", "A=1", "A was -1 and is 1"},
                                          {"A=1", "B=1", NULL},
                                          {"A=0 B=1", "B=1 C=2 A=0", NULL},
                                          {NULL, "A=1", NULL},
                                          {"A=1", NULL, NULL}};
    struct pg_arena arena = {0};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *what = pg_renumbered(&arena, rows[i][0], rows[i][1]);
        CHECK(what ? rows[i][2] && strcmp(what, rows[i][2]) == 0 : !rows[i][2]);
    }
    pg_arena_free(&arena);
}
