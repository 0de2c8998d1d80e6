/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* One test for each rule about tables, constraints, indexes and directives. */
// LIBS: cell_postgres_sanitized
#include "pg_rules.h"

RULE(DROP_TABLE, no_step_drops_a_table)
{
    struct change c = given("id i64 | key", "");
    struct pg_plan *p = NULL;
    c.d = pg_build(c.m, "table", "other", "id i64 | key", "");
    REQUIRE(pg_diff(c.m, (const struct pg_declared *[]){c.d}, 1, NULL, &p) == 0);
    CHECK(p->nsteps == 1 && p->steps[0].kind == PG_STEP_CREATE_TABLE);
    pg_plan_free(p);
    REQUIRE(pg_diff(c.m, NULL, 0, NULL, &p) == 0);
    CHECK(p->nsteps == 0);
    pg_plan_free(p);
    end(&c);
}

RULE(DROP_SCHEMA, no_step_drops_a_schema)
{
    struct change c = given("id i64 | key", "schema app");
    CHECK(pg_model_has_schema(c.m, "app"));
    declare(&c, "id i64 | key", "");
    CHECK(c.p->nsteps == 1 && strcmp(c.p->steps[0].schema, "public") == 0);
    end(&c);
}

RULE(UNIQUE_ADDED, warns)
{
    struct change c = given("id i64 | key\nemail str", "");
    declare(&c, "id i64 | key\nemail str | unique", "");
    const struct pg_diagnostic *d = says(&c, PG_WARNING, PG_RULE_UNIQUE_ADDED);
    REQUIRE(d);
    CHECK_STR(d->field, "email");
    const struct pg_step *step = pg_find_step(c.p, PG_STEP_CREATE_UNIQUE_INDEX, NULL);
    REQUIRE(step && step->culprits);
    HAS(step->culprits, "GROUP BY \"email\" HAVING count(*) > 1");
    end(&c);
}

RULE(INDEX_BECOMES_UNIQUE, warns)
{
    struct change c = given("id i64 | key\nemail str | index", "");
    declare(&c, "id i64 | key\nemail str | unique", "");
    CHECK(says(&c, PG_WARNING, PG_RULE_INDEX_BECOMES_UNIQUE));
    CHECK(!pg_find_step(c.p, PG_STEP_DROP_INDEX, NULL));
    end(&c);
}

RULE(RENAME_TABLE, warns)
{
    struct change c = given("id i64 | key", "");
    pg_model_table(c.m, NULL, "users")->name = "people";
    declare(&c, "id i64 | key", "table_renamed_from people");
    CHECK(!errs(&c) && says(&c, PG_WARNING, PG_RULE_RENAME_TABLE));
    CHECK_STR(sql_of(&c, PG_STEP_RENAME_TABLE), "ALTER TABLE \"public\".\"people\" RENAME TO \"users\"");
    end(&c);
}

RULE(DROP_FOREIGN_KEY, is_by_consent_only)
{
    struct change c = given("id i64 | key\nboss opt<i64> | references users;id", "");
    declare(&c, "id i64 | key\nboss opt<i64>", "");
    CHECK(!errs(&c) && c.p->nsteps == 0);
    declare(&c, "id i64 | key\nboss opt<i64>", "dropped users_boss_fkey");
    const struct pg_step *step = pg_find_step(c.p, PG_STEP_DROP_CONSTRAINT, "users_boss_fkey");
    REQUIRE(step);
    CHECK_STR(step->hazard, "CD101");
    declare(&c, "id i64 | key\nboss opt<i64> | references users;id", "dropped users_boss_fkey");
    CHECK(refuses(&c, PG_RULE_NO_EFFECT));
    end(&c);
}

RULE(INDEX_LOCK, indexes_are_made_beside_writers)
{
    struct change c = given("id i64 | key\nname str", "");
    declare(&c, "id i64 | key\nname str | index", "");
    const struct pg_step *step = pg_find_step(c.p, PG_STEP_CREATE_INDEX, "users_name_idx");
    REQUIRE(step && step->done);
    CHECK(step->mode == PG_OUTSIDE && step->nrepair == 1);
    HAS(step->text, "CREATE INDEX CONCURRENTLY \"users_name_idx\"");
    HAS(step->done, "WHERE i.indisvalid");
    HAS(step->broken, "WHERE NOT i.indisvalid");
    HAS(step->broken, "c.relname = 'users'"); /* another table may have an index of the name */
    CHECK_STR(step->repair[0], "DROP INDEX CONCURRENTLY IF EXISTS \"public\".\"users_name_idx\"");
    end(&c);
}

RULE(INDEX_DROP_LOCK, indexes_are_dropped_beside_others)
{
    struct change c = given("id i64 | key\nname str | index", "");
    declare(&c, "id i64 | key\nname str", "dropped users_name_idx");
    const struct pg_step *step = pg_find_step(c.p, PG_STEP_DROP_INDEX, NULL);
    REQUIRE(step);
    CHECK(step->mode == PG_OUTSIDE);
    CHECK_STR(step->sql[1], "DROP INDEX CONCURRENTLY IF EXISTS \"public\".\"users_name_idx\"");
    CHECK_STR(step->text, step->sql[1]);
    end(&c);
}

RULE(CONCURRENT_IN_TRANSACTION, only_steps_outside_of_transactions_are_concurrent)
{
    struct change c = given("id i64\nname str | index\nold opt<i32>", "");
    declare(&c, "id i64 | key\nname str | unique", "index lower(name)\ndropped users_name_idx\ndropped old");
    CHECK(!errs(&c) && c.p->nsteps > 4);
    for (uint32_t i = 0; i < c.p->nsteps; i++)
        for (uint32_t k = 0; k < c.p->steps[i].nsql; k++)
            CHECK(c.p->steps[i].mode == PG_OUTSIDE || !strstr(c.p->steps[i].sql[k], "CONCURRENTLY"));
    CHECK(sim_apply(&c.s, c.p, UINT32_MAX));
    end(&c);
}

RULE(PRIMARY_KEY_LOCK, is_added_from_an_index)
{
    struct change c = given("id i64\nname str", "");
    declare(&c, "id i64 | key\nname str", "");
    HAS(sql_of(&c, PG_STEP_ADD_PRIMARY_KEY), "PRIMARY KEY USING INDEX");
    CHECK(pg_find_step(c.p, PG_STEP_CREATE_UNIQUE_INDEX, NULL)->mode == PG_OUTSIDE);
    CHECK(sim_apply(&c.s, c.p, UINT32_MAX) && pg_model_table(c.m, NULL, "users")->primary);
    end(&c);
}

RULE(UNIQUE_LOCK, is_added_from_an_index)
{
    struct change c = given("id i64\nname str", "");
    declare(&c, "id i64\nname str | unique", "");
    HAS(sql_of(&c, PG_STEP_ADD_UNIQUE), "UNIQUE USING INDEX \"users_name_key\"");
    CHECK(pg_find_step(c.p, PG_STEP_ADD_UNIQUE, NULL)->mode == PG_ALONE);
    end(&c);
}

RULE(PRIMARY_KEY_SCANS, columns_are_made_not_null_first)
{
    struct change c = given("id opt<i64>\nname str", "");
    declare(&c, "id i64 | key | backfill 0\nname str", "");
    CHECK(!errs(&c));
    uint32_t not_null = 0, key = 0;
    for (uint32_t i = 0; i < c.p->nsteps; i++) {
        not_null = c.p->steps[i].kind == PG_STEP_SET_NOT_NULL ? i + 1 : not_null;
        key = c.p->steps[i].kind == PG_STEP_ADD_PRIMARY_KEY ? i + 1 : key;
    }
    CHECK(not_null && key && not_null < key);
    end(&c);
}

RULE(CHECK_SCANS, beside_writers_only)
{
    struct change c = given("id i64 | key\nage i32", "");
    declare(&c, "id i64 | key\nage i32 | check age > 0", "");
    HAS(sql_of(&c, PG_STEP_ADD_CHECK), "ADD CONSTRAINT \"users_age_check\" CHECK (age > 0) NOT VALID");
    const struct pg_step *step = pg_find_step(c.p, PG_STEP_VALIDATE, "users_age_check");
    REQUIRE(step);
    CHECK(step->mode == PG_ALONE);
    CHECK_STR(step->culprits, "SELECT count(*) FROM \"public\".\"users\" WHERE NOT (age > 0)");
    end(&c);
}

RULE(FOREIGN_KEY_SCANS, beside_writers_only)
{
    struct change c = given("id i64 | key\nboss opt<i64>", "");
    declare(&c, "id i64 | key\nboss opt<i64> | references users;id", "");
    HAS(sql_of(&c, PG_STEP_ADD_FOREIGN_KEY), "NOT VALID");
    CHECK(pg_find_step(c.p, PG_STEP_VALIDATE, "users_boss_fkey"));
    end(&c);
}

RULE(DROP_CONSTRAINT, is_by_consent_only)
{
    struct change c = given("id i64 | key\nname str | check name <> ''", "");
    declare(&c, "id i64 | key\nname str", "dropped users_name_check");
    CHECK(!errs(&c) && pg_find_step(c.p, PG_STEP_DROP_CONSTRAINT, "users_name_check"));
    declare(&c, "id i64\nname str | key | check name <> ''", "");
    CHECK(refuses(&c, PG_RULE_DROP_CONSTRAINT)); /* another primary key */
    declare(&c, "id i64\nname str | key | check name <> ''", "dropped users_pkey");
    CHECK(!errs(&c) && sim_apply(&c.s, c.p, UINT32_MAX));
    CHECK_STR(pg_model_table(c.m, NULL, "users")->primary->columns[0], "name");
    pg_model_table(c.m, NULL, "users")->checks[0].made = false; /* made by hand, says something else */
    declare(&c, "id i64\nname str | key | check name <> 'x'", "");
    CHECK(refuses(&c, PG_RULE_DROP_CONSTRAINT));
    declare(&c, "id i64\nname str | key | check name <> 'x'", "dropped users_name_check");
    CHECK(!errs(&c));
    HAS(sql_of(&c, PG_STEP_RENAME_CONSTRAINT), "RENAME CONSTRAINT \"users_name_check\" TO \"users_name_check_2\"");
    HAS(sql_of(&c, PG_STEP_ADD_CHECK), "ADD CONSTRAINT \"users_name_check\"");
    HAS(sql_of(&c, PG_STEP_DROP_CONSTRAINT), "DROP CONSTRAINT \"users_name_check_2\"");
    end(&c);
}

RULE(DROP_INDEX, is_by_consent_only)
{
    struct change c = given("id i64 | key\nname str | index", "");
    declare(&c, "id i64 | key\nname str", "");
    CHECK(!errs(&c) && c.p->nsteps == 0);
    declare(&c, "id i64 | key\nname str", "dropped users_name_idx");
    CHECK_STR(pg_find_step(c.p, PG_STEP_DROP_INDEX, NULL)->hazard, "drop-index");
    end(&c);
}

RULE(CHECK_ADDED, warns)
{
    struct change c = given("id i64 | key\nage i32 | range 0;150", "");
    declare(&c, "id i64 | key\nage i32 | range 0;200", "");
    const struct pg_diagnostic *d = says(&c, PG_WARNING, PG_RULE_CHECK_ADDED);
    REQUIRE(d);
    CHECK_STR(d->field, "age");
    HAS(d->text, "changed on");
    CHECK(sim_apply(&c.s, c.p, UINT32_MAX) && pg_model_table(c.m, NULL, "users")->nchecks == 1);
    end(&c);
}

RULE(FOREIGN_KEY_ADDED, warns)
{
    struct change c = given("id i64 | key\nboss opt<i64>", "");
    declare(&c, "id i64 | key\nboss opt<i64> | references users;id;on delete cascade", "");
    CHECK(says(&c, PG_WARNING, PG_RULE_FOREIGN_KEY_ADDED));
    HAS(pg_find_step(c.p, PG_STEP_VALIDATE, NULL)->culprits, "NOT EXISTS");
    end(&c);
}

RULE(ENUM_VALUE_GONE, is_refused)
{
    struct change c = given("id i64 | key\nmood mood | sql_type feeling", "");
    REQUIRE(c.m->nenums == 1 && c.m->enums[0].n == 3);
    CHECK_STR(c.m->enums[0].labels[2], "happy");
    declare(&c, "id i64 | key\nmood mood | sql_type feeling", "");
    CHECK(c.p->nsteps == 0);
    c.m->enums[0].labels[0] = "angry";
    declare(&c, "id i64 | key\nmood mood | sql_type feeling", "");
    CHECK(refuses(&c, PG_RULE_ENUM_VALUE_GONE));
    c.m->enums[0].n = 0;
    declare(&c, "id i64 | key\nmood mood | sql_type feeling", "");
    CHECK(c.p->nsteps == 3 && c.p->steps[0].kind == PG_STEP_ADD_ENUM_VALUE);
    HAS(c.p->steps[1].sql[0], "ALTER TYPE \"public\".\"feeling\" ADD VALUE IF NOT EXISTS 'ok' AFTER 'sad'");
    end(&c);
}

RULE(ENUM_RENUMBERED, needs_consent)
{
    struct change c = given("id i64 | key\nmood mood", "");
    struct pg_column *mood = &pg_model_table(c.m, NULL, "users")->columns[1];
    CHECK_STR(mood->numbers, "MOOD_SAD=0 MOOD_OK=1 MOOD_HAPPY=2");
    mood->numbers = "MOOD_OK=0 MOOD_SAD=1";
    declare(&c, "id i64 | key\nmood mood", "");
    CHECK(refuses(&c, PG_RULE_ENUM_RENUMBERED));
    HAS(says(&c, PG_ERROR, PG_RULE_ENUM_RENUMBERED)->text, "'mood', of which MOOD_SAD was 1 and is 0:");
    declare(&c, "id i64 | key\nmood mood", "retyped mood");
    REQUIRE(c.p->nsteps == 1 && c.p->steps[0].consent && sim_apply(&c.s, c.p, UINT32_MAX));
    declare(&c, "id i64 | key\nmood mood", "retyped mood");
    CHECK(c.p->nsteps == 0 && !errs(&c));
    end(&c);
}

TEST(values_of_an_enum_are_added_where_their_enumerators_stand_before_all_else)
{
    struct change c = given("id i64 | key\nmood mood | sql_type feeling", "");
    REQUIRE(c.m->nenums == 1);
    c.m->enums[0].n = 1;
    c.m->enums[0].labels[0] = "happy";
    declare(&c, "id i64 | key\nmood mood | sql_type feeling", "step cheer;UPDATE users SET mood = 'sad'");
    REQUIRE(c.p->nsteps == 3);
    HAS(c.p->steps[0].sql[0], "ADD VALUE IF NOT EXISTS 'sad' BEFORE 'happy'");
    HAS(c.p->steps[1].sql[0], "ADD VALUE IF NOT EXISTS 'ok' AFTER 'sad'");
    CHECK(c.p->steps[0].mode == PG_ALONE && c.p->steps[2].kind == PG_STEP_HAND_STEP);
    end(&c);
}

RULE(NO_EFFECT, directives_that_find_nothing_are_refused)
{
    struct change c = given("id i64 | key\nemail opt<str>\nname opt<str>", "");
    declare(&c, "id i64 | key\nname opt<str>", "dropped emial");
    CHECK(refuses(&c, PG_RULE_NO_EFFECT));
    HAS(says(&c, PG_ERROR, PG_RULE_NO_EFFECT)->text, "did you mean 'email'?");
    CHECK(says(&c, PG_ERROR, PG_RULE_NO_EFFECT)->rule == 0);
    declare(&c, "id i64 | key\nname opt<str>\nmail opt<i32> | renamed_from emial", "");
    CHECK(refuses(&c, PG_RULE_NO_EFFECT));
    HAS(says(&c, PG_ERROR, PG_RULE_NO_EFFECT)->text, "did you mean 'email'?");
    declare(&c, "id i64 | key\nname opt<str> | renamed_from email", "");
    CHECK(refuses(&c, PG_RULE_NO_EFFECT)); /* both are there */
    declare(&c, "id i64 | key\nemail opt<str>\nname opt<str> | renamed_from email", "");
    CHECK(refuses(&c, PG_RULE_NO_EFFECT)); /* the old one is a field */
    end(&c);
}

RULE(NO_EFFECT, a_consent_that_finds_nothing_is_refused_when_something_else_may_be_meant)
{
    struct change c = given("id i64 | key\nnick opt<str>\nname opt<str>", "");
    declare(&c, "id i64 | key\nname opt<str>", "dropped surname");
    CHECK(refuses(&c, PG_RULE_NO_EFFECT));
    HAS(says(&c, PG_ERROR, PG_RULE_NO_EFFECT)->text,
        "CELL_DROPPED(\"surname\") finds nothing: table 'users' has nothing of that name; what it has and no struct "
        "mentions is 'nick'");
    declare(&c, "id i64 | key\nname opt<str>\nnick opt<str>", "dropped surname\nretyped name");
    CHECK(!errs(&c) && c.p->nsteps == 1 && c.p->steps[0].kind == PG_STEP_RECORD);
    CHECK(c.p->diagnostics.n == 2 && says(&c, PG_REMARK, PG_RULE_CONSENT_DONE));
    CHECK_STR(c.p->steps[0].text,
              "note that CELL_RETYPED(\"name\") and others have nothing to do on \"public\".\"users\"");
    CHECK(sim_apply(&c.s, c.p, UINT32_MAX));
    declare(&c, "id i64 | key\nname opt<str>", "dropped surname"); /* noted */
    CHECK(!errs(&c) && c.p->nsteps == 0);
    end(&c);
}

RULE(NO_EFFECT, an_index_that_an_interrupted_step_has_dropped_was_there)
{
    struct change c = given("id i64 | key\nnick opt<str>\nname opt<str> | index", "");
    const char *fields = "id i64 | key\nname opt<str>", *rules = "dropped users_name_idx";
    declare(&c, fields, rules);
    const struct pg_step *step = pg_find_step(c.p, PG_STEP_DROP_INDEX, NULL);
    REQUIRE(step && step->nsql == 5 && c.p->nsteps == 1);
    c.s.outside = true;
    sim_statement(&c.s, step->sql[0]);
    declare(&c, fields, rules);
    step = pg_find_step(c.p, PG_STEP_DROP_INDEX, NULL); /* the consent is not spent yet */
    REQUIRE(step && c.p->nsteps == 1);
    sim_statement(&c.s, step->sql[1]);
    CHECK(pg_model_table(c.m, NULL, "users")->nindexes == 0);
    declare(&c, fields, rules);
    CHECK(!errs(&c) && c.p->nsteps == 1 && c.p->steps[0].kind == PG_STEP_RECORD);
    REQUIRE(sim_apply(&c.s, c.p, UINT32_MAX));
    const struct pg_table *t = pg_model_table(c.m, NULL, "users");
    CHECK(t->nevents == 1 && t->events[0].past == PG_PAST_DROPPED);
    end(&c);
}

RULE(STEP_CHANGED, is_said_of_a_step_that_was_done)
{
    const char *fields = "id i64 | key\nage i64";
    struct change c = given(fields, "step grow;UPDATE users SET age = age + 1\nstep other;SELECT 'a  b'");
    declare(&c, fields, "step grow;UPDATE  users SET age=age + 1 \nstep other;SELECT 'a  b'");
    CHECK(c.p->nsteps == 0 && c.p->diagnostics.n == 0);
    declare(&c, fields, "step other;SELECT 'a b'\nstep grow;UPDATE users SET age = age + 2");
    REQUIRE(c.p->nsteps == 0 && c.p->diagnostics.n == 2 && says(&c, PG_WARNING, PG_RULE_STEP_CHANGED));
    CHECK(c.p->diagnostics.at[0].rule == 0 && c.p->diagnostics.at[1].rule == 1);
    HAS(c.p->diagnostics.at[1].text, "step 'grow' was carried out on 2026-11-28 with other SQL");
    for (uint32_t i = 0; i < c.m->tables[0].nevents; i++)
        c.m->tables[0].events[i].text = NULL; /* as one that was recorded by its name alone */
    declare(&c, fields, "step grow;UPDATE users SET age = age + 2");
    CHECK(c.p->nsteps == 0 && c.p->diagnostics.n == 0);
    end(&c);
}

RULE(CONSENT_SPENT, what_is_there_again_after_a_drop_stays)
{
    const char *with = "id i64 | key\nemail opt<str>", *without = "id i64 | key";
    struct change c = given(with, "");
    static const char *const consents[] = {"dropped email", "dropped email;again", "dropped email;for the third time"};
    for (size_t i = 0; i < 3; i++) {
        declare(&c, without, consents[i]);
        CHECK(!errs(&c) && pg_find_step(c.p, PG_STEP_DROP_COLUMN, "email") && c.p->nsteps == 1);
        REQUIRE(sim_apply(&c.s, c.p, UINT32_MAX));
        declare(&c, without, consents[i]);
        CHECK(c.p->nsteps == 0 && c.p->diagnostics.n == 0);
        declare(&c, with, ""); /* another branch */
        REQUIRE(c.p->nsteps == 1 && sim_apply(&c.s, c.p, UINT32_MAX));
        for (size_t k = 0; k <= i; k++) {
            declare(&c, without, consents[k]);
            CHECK(!errs(&c) && c.p->nsteps == 0 && says(&c, PG_REMARK, PG_RULE_UNDECLARED));
            const struct pg_diagnostic *d = says(&c, PG_WARNING, PG_RULE_CONSENT_SPENT);
            REQUIRE(d && d->rule == 0);
            HAS(d->text, i > 0 ? "CELL_DROPPED(\"email\", \"once more\") consents again"
                               : "CELL_DROPPED(\"email\", \"again\") consents again");
        }
    }
    end(&c);
}

RULE(CONSENT_SPENT, is_not_said_of_what_the_struct_itself_has_made_anew)
{
    struct change c = given("id i64 | key\nboss opt<i64> | references users;id", "");
    const char *fields = "id i64 | key\nboss opt<i64> | references users;id;on delete cascade";
    declare(&c, fields, "dropped users_boss_fkey");
    REQUIRE(!errs(&c) && sim_apply(&c.s, c.p, UINT32_MAX));
    declare(&c, fields, "dropped users_boss_fkey");
    CHECK(!errs(&c) && !pg_find_diagnostic(&c.p->diagnostics, PG_WARNING, "was carried out before"));
    declare(&c, fields, "dropped users_boss_fkey;more");
    CHECK(refuses(&c, PG_RULE_NO_EFFECT));
    end(&c);
}

RULE(CONSENT_SPENT, on_a_table_that_began_without_it)
{
    struct change c = given("id i64 | key", "dropped email");
    declare(&c, "id i64 | key\nemail opt<str>", "");
    REQUIRE(c.p->nsteps == 1 && sim_apply(&c.s, c.p, UINT32_MAX));
    declare(&c, "id i64 | key", "dropped email");
    CHECK(!errs(&c) && c.p->nsteps == 0 && says(&c, PG_WARNING, PG_RULE_CONSENT_SPENT));
    end(&c);
}

RULE(CONSENT_SPENT, a_type_that_was_changed_back_is_not_changed_again)
{
    struct change c = given("id i64 | key\nage i32", "");
    const char *large = "id i64 | key\nage i64", *small = "id i64 | key\nage i32 | backfill age::integer";
    declare(&c, large, "retyped age");
    REQUIRE(!errs(&c) && sim_apply(&c.s, c.p, UINT32_MAX));
    declare(&c, small, "retyped age"); /* another type: another consent */
    REQUIRE(!errs(&c) && c.p->nsteps == 1 && sim_apply(&c.s, c.p, UINT32_MAX));
    declare(&c, large, "retyped age");
    CHECK(refuses(&c, PG_RULE_RETYPE_REWRITES) && says(&c, PG_WARNING, PG_RULE_CONSENT_SPENT));
    declare(&c, large, "retyped age;again");
    CHECK(!errs(&c) && c.p->nsteps == 1);
    end(&c);
}

RULE(CONSENT_SPENT, a_column_that_was_replaced_and_is_there_again_stays)
{
    struct change c = given("id i64 | key\nage i32", "");
    const char *fields = "id i64 | key\nage opt<str> | column age_text | replaces age;age::text;age_text::integer";
    declare(&c, fields, "");
    REQUIRE(!errs(&c) && pg_find_step(c.p, PG_STEP_DROP_COLUMN, "age"));
    /* The simulation knows no triggers: what they leave. */
    struct pg_table *t = pg_model_table(c.m, NULL, "users");
    t->events = pg_array(&c.m->arena, 1, sizeof(*t->events));
    t->events[t->nevents++] = (struct pg_event){.past = PG_PAST_DROPPED, .name = "age"};
    t->columns[1].name = "age_text";
    t->columns[1].type.base = PG_BASE_TEXT;
    t->columns[1].nullable = true;
    declare(&c, "id i64 | key\nage opt<i32>\nage_text opt<str>", ""); /* another branch */
    REQUIRE(!errs(&c) && sim_apply(&c.s, c.p, UINT32_MAX));
    declare(&c, fields, "");
    CHECK(!errs(&c) && c.p->nsteps == 0 && says(&c, PG_WARNING, PG_RULE_CONSENT_SPENT));
    declare(&c, fields, "dropped age;again");
    CHECK(!errs(&c) && c.p->nsteps == 1 && pg_find_step(c.p, PG_STEP_DROP_COLUMN, "age"));
    end(&c);
}

RULE(CONSENT_DONE, is_remarked_after_a_month)
{
    struct change c = given("id i64 | key\nemail opt<str>\nmail opt<str>\nage i32", "");
    const char *fields = "id i64 | key\nname opt<str> | renamed_from mail\nage i64";
    declare(&c, fields, "dropped email\nretyped age");
    CHECK(!errs(&c) && sim_apply(&c.s, c.p, UINT32_MAX));
    declare(&c, fields, "dropped email\nretyped age");
    CHECK(c.p->nsteps == 0 && c.p->diagnostics.n == 0);
    struct pg_table *t = pg_model_table(c.m, NULL, "users");
    CHECK(t->nevents == 4); /* what was retyped, and to what */
    for (uint32_t i = 0; i < t->nevents; i++)
        t->events[i].age_s = INT64_C(31) * 24 * 3600;
    declare(&c, fields, "dropped email\nretyped age");
    CHECK(c.p->nsteps == 0 && c.p->diagnostics.n == 3 && says(&c, PG_REMARK, PG_RULE_CONSENT_DONE));
    end(&c);
}

TEST(a_consent_to_drop_what_two_things_are_called_says_not_which)
{
    struct change c = given("id i64 | key\nage i32 | index | check age > 0\nnote opt<str>", "index note");
    const char *less = "id i64 | key\nage i32 | index | check age > 0";
    struct pg_table *t = pg_model_table(c.m, NULL, "users");
    REQUIRE(t->nindexes == 2);
    uint32_t by_hand = t->indexes[0].parts[0].column[0] == 'n' ? 0 : 1;
    t->indexes[by_hand].name = "note";
    declare(&c, less, "dropped note");
    const struct pg_diagnostic *d = pg_find_diagnostic(
        &c.p->diagnostics, PG_ERROR,
        "CELL_DROPPED(\"note\") may mean column 'note' and index 'note' of table 'users': give the index another name");
    CHECK(d && d->rule == 0 && c.p->nsteps == 0);
    t->indexes[by_hand].name = "else";
    declare(&c, less, "dropped note");
    CHECK(!errs(&c));
    struct pg_check checks[] = {t->checks[0], {.name = "else", .expr = {"(age > 7)", NULL}, .valid = true}};
    t->checks = checks;
    t->nchecks = 2;
    declare(&c, less, "dropped else");
    CHECK(pg_find_diagnostic(&c.p->diagnostics, PG_ERROR, "may mean index 'else' and constraint 'else'"));
    checks[1].name = "note";
    declare(&c, less, "dropped note");
    CHECK(pg_find_diagnostic(&c.p->diagnostics, PG_ERROR, "may mean column 'note' and constraint 'note'"));
    end(&c);
}

TEST(checks_with_shortened_names_are_told_at_their_fields)
{
    static const char name[] = "a_name_that_is_so_long_that_no_constraint_can_have_all_of_it";
    char fields[200];
    struct change c =
        given("id i64 | key\na_name i32\na_name_that_is_so_long_that_no_constraint_can_have_all_of_it i32", "");
    snprintf(fields, sizeof(fields), "id i64 | key\na_name i32\n%s i32 | range 0;9 | check id > 0", name);
    declare(&c, fields, "check a_name > 0");
    for (uint32_t i = 0, n = 0; i < c.p->diagnostics.n; i++) {
        const struct pg_diagnostic *d = &c.p->diagnostics.at[i];
        CHECK(n++ < 2 ? d->field && strcmp(d->field, name) == 0 : !d->field);
    }
    CHECK(c.p->diagnostics.n == 3);
    end(&c);
}

RULE(CHANGED_BY_HAND, warns)
{
    struct change c = given("id i64 | key\nage i32 | default 7 | check age > 0", "");
    const char *fields = "id i64 | key\nage i32 | default 8 | check age > 1";
    declare(&c, fields, ""); /* changed in the source: nothing to warn of */
    CHECK(!errs(&c) && !pg_find_diagnostic(&c.p->diagnostics, PG_WARNING, "by hand"));
    struct pg_table *t = pg_model_table(c.m, NULL, "users");
    t->checks[0].expr = (struct pg_expr){"(age > 5)", NULL};
    t->columns[1].standard = (struct pg_expr){"9", NULL};
    declare(&c, fields, "");
    CHECK(!errs(&c) && says(&c, PG_WARNING, PG_RULE_CHANGED_BY_HAND));
    CHECK(
        pg_find_diagnostic(&c.p->diagnostics, PG_WARNING, "check 'users_age_check' was changed by hand to (age > 5)"));
    CHECK(pg_find_diagnostic(&c.p->diagnostics, PG_WARNING, "changed by hand to 9: it becomes 8 again"));
    end(&c);
}
