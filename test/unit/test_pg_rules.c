/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* One test for each rule: the change that it is about, and what is said or avoided. And the page lists them all. */
// LIBS: cell_postgres_sanitized
#include "pg_simulate.h"

static bool tested[PG_NRULES];
#define RULE(symbol, behaviour)                                                                                        \
    __attribute__((constructor)) static void test_mark_##symbol(void) { tested[PG_RULE_##symbol] = true; }             \
    TEST(symbol##_##behaviour)

/* A database with one table, and what becomes of it. */
struct change {
    struct pg_model *m;
    struct sim s;
    struct pg_declared *d, *other;
    struct pg_plan *p;
};

static struct pg_model *new_catalog(void)
{
    struct pg_model *m = pg_model_new();
    m->default_schema = "public";
    m->schemas = pg_array(&m->arena, 1, sizeof(*m->schemas));
    m->schemas[0] = "public";
    m->nschemas = 1;
    return m;
}

static void end(struct change *c)
{
    pg_plan_free(c->p);
    pg_declared_free(c->d);
    pg_declared_free(c->other);
    pg_model_free(c->m);
}

static struct change given(const char *fields, const char *rules)
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

static void declare_as(struct change *c, const char *verb, const char *fields, const char *rules)
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

static void declare(struct change *c, const char *fields, const char *rules) { declare_as(c, "table", fields, rules); }

static const struct pg_diagnostic *says(const struct change *c, enum pg_severity severity, enum pg_rule rule)
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

static bool refuses(const struct change *c, enum pg_rule rule) { return says(c, PG_ERROR, rule) && c->p->nsteps == 0; }

static bool errs(const struct change *c)
{
    if (pg_has_errors(&c->p->diagnostics, UINT32_MAX))
        pg_print_diagnostics(&c->p->diagnostics);
    return pg_has_errors(&c->p->diagnostics, UINT32_MAX);
}

/* The text of the first statement of the step. */
static const char *sql_of(const struct change *c, enum pg_step_kind kind)
{
    const struct pg_step *step = pg_find_step(c->p, kind, NULL);
    for (uint32_t i = 0; step && i < step->nsql; i++)
        if (strncmp(step->sql[i], "INSERT", 6) != 0)
            return step->sql[i];
    return "";
}

#define HAS(text, part) CHECK(strstr(text, part) != NULL)

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

RULE(DROP_COLUMN, a_column_is_dropped_by_consent_only)
{
    struct change c = given("id i64 | key\nemail str | unique", "");
    declare(&c, "id i64 | key", "");
    CHECK(refuses(&c, PG_RULE_UNDECLARED_REQUIRED));
    declare(&c, "id i64 | key", "dropped email");
    CHECK(!errs(&c));
    const struct pg_step *step = pg_find_step(c.p, PG_STEP_DROP_COLUMN, "email");
    REQUIRE(step);
    CHECK_STR(step->hazard, "DS103");
    CHECK_STR(step->consent, "CELL_DROPPED(\"email\")");
    CHECK(!pg_step_is_additive(step->kind));
    CHECK(sim_apply(&c.s, c.p, UINT32_MAX) && pg_model_table(c.m, NULL, "users")->ncolumns == 1);
    declare(&c, "id i64 | key", "dropped email"); /* done: nothing more, and nothing said */
    CHECK(c.p->nsteps == 0 && c.p->diagnostics.n == 0);
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

RULE(NOT_NULL_ADDED, needs_a_value)
{
    struct change c = given("id i64 | key", "");
    declare(&c, "id i64 | key\nname str", "");
    CHECK(refuses(&c, PG_RULE_NOT_NULL_ADDED));
    const struct pg_diagnostic *d = says(&c, PG_ERROR, PG_RULE_NOT_NULL_ADDED);
    REQUIRE(d);
    CHECK_STR(d->field, "name");
    CHECK_STR(d->fix_rule, "backfill");
    CHECK_STR(d->fix_args[0], "''");
    declare(&c, "id i64 | key\nname str | default 'x'", "");
    CHECK(!errs(&c) && c.p->nsteps == 1);
    declare(&c, "id i64 | key\nname str | backfill upper('x')", "");
    CHECK(!errs(&c) && pg_find_step(c.p, PG_STEP_BACKFILL, "name") && sim_apply(&c.s, c.p, UINT32_MAX));
    CHECK(!pg_table_column(pg_model_table(c.m, NULL, "users"), "name")->nullable);
    end(&c);
}

RULE(NOT_NULL_TIGHTENED, needs_a_value)
{
    struct change c = given("id i64 | key\nage opt<i32>", "");
    declare(&c, "id i64 | key\nage i32", "");
    CHECK(refuses(&c, PG_RULE_NOT_NULL_TIGHTENED));
    CHECK_STR(says(&c, PG_ERROR, PG_RULE_NOT_NULL_TIGHTENED)->fix_args[0], "0");
    declare(&c, "id i64 | key\nage i32 | backfill -1", "");
    CHECK(!errs(&c) && says(&c, PG_WARNING, PG_RULE_NOT_NULL_TIGHTENED));
    HAS(sql_of(&c, PG_STEP_BACKFILL), "WHERE \"age\" IS NULL AND (-1) IS NOT NULL LIMIT 10000");
    CHECK(pg_find_step(c.p, PG_STEP_BACKFILL, "age")->mode == PG_REPEATED);
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

RULE(RENAME_COLUMN, warns_and_names_programs)
{
    struct change c = given("id i64 | key\nmail str | unique | check mail <> ''", "");
    declare(&c, "id i64 | key\nemail str | unique | check email <> '' | renamed_from mail", "");
    CHECK(!errs(&c) && says(&c, PG_WARNING, PG_RULE_RENAME_COLUMN));
    CHECK(pg_find_step(c.p, PG_STEP_RENAME_COLUMN, "email") && !pg_find_step(c.p, PG_STEP_ADD_COLUMN, NULL) &&
          !pg_find_step(c.p, PG_STEP_ADD_CHECK, NULL) && !pg_find_step(c.p, PG_STEP_CREATE_UNIQUE_INDEX, NULL));
    pg_plan_free(c.p);
    struct pg_use uses[] = {{"public", "users", "mail", "mailer 1.2"}};
    struct pg_diff_options options = {uses, 1};
    REQUIRE(pg_diff(c.m, (const struct pg_declared *[]){c.d}, 1, &options, &c.p) == 0);
    HAS(says(&c, PG_WARNING, PG_RULE_RENAME_COLUMN)->text, "mailer 1.2");
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
    HAS(step->done, "indisvalid");
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
    CHECK_STR(step->sql[0], "DROP INDEX CONCURRENTLY IF EXISTS \"public\".\"users_name_idx\"");
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

RULE(COLUMN_ALIGNMENT, is_remarked_for_new_tables)
{
    struct change c = given("id i64 | key", "");
    declare(&c, "id i64 | key", "");
    CHECK(c.p->diagnostics.n == 0);
    pg_declared_free(c.d);
    pg_plan_free(c.p);
    c.p = NULL;
    c.d = pg_build(c.m, "table", "wide", "a bool\nb i64\nc bool\nd i64", "");
    REQUIRE(pg_diff(c.m, (const struct pg_declared *[]){c.d}, 1, NULL, &c.p) == 0);
    const struct pg_diagnostic *d = says(&c, PG_REMARK, PG_RULE_COLUMN_ALIGNMENT);
    REQUIRE(d);
    HAS(d->text, "14 bytes of padding");
    end(&c);
}

RULE(VOLATILE_DEFAULT, rewrites_nothing)
{
    struct change c = given("id i64 | key", "");
    declare(&c, "id i64 | key\ncode f64 | default random()", "");
    CHECK(!errs(&c));
    CHECK_STR(sql_of(&c, PG_STEP_ADD_COLUMN), "ALTER TABLE \"public\".\"users\" ADD COLUMN \"code\" double precision");
    HAS(sql_of(&c, PG_STEP_SET_DEFAULT), "SET DEFAULT (random())");
    CHECK(pg_find_step(c.p, PG_STEP_BACKFILL, "code") && pg_find_step(c.p, PG_STEP_SET_NOT_NULL, "code"));
    declare(&c, "id i64 | key\ncode f64 | default 0.5", "");
    CHECK(c.p->nsteps == 1);
    HAS(sql_of(&c, PG_STEP_ADD_COLUMN), "DEFAULT (0.5) NOT NULL");
    end(&c);
}

RULE(RETYPE_REWRITES, needs_consent)
{
    struct change c = given("id i64 | key\nage i32 | default 7", "");
    declare(&c, "id i64 | key\nage i64 | default 7", "");
    CHECK(refuses(&c, PG_RULE_RETYPE_REWRITES));
    CHECK_STR(says(&c, PG_ERROR, PG_RULE_RETYPE_REWRITES)->fix_rule, "retyped");
    declare(&c, "id i64 | key\nage i64 | default 7", "retyped age");
    CHECK(!errs(&c));
    const struct pg_step *step = pg_find_step(c.p, PG_STEP_RETYPE_COLUMN, "age");
    REQUIRE(step && step->nsql >= 3);
    CHECK(step->mode == PG_ALONE);
    HAS(step->sql[0], "DROP DEFAULT");
    HAS(step->sql[1], "TYPE bigint USING (\"age\"::bigint)");
    HAS(step->sql[2], "SET DEFAULT (7)");
    CHECK(sim_apply(&c.s, c.p, UINT32_MAX));
    end(&c);
    c = given("id i64 | key\nname str | sql_type varchar(20)", ""); /* nothing to rewrite */
    declare(&c, "id i64 | key\nname str", "");
    CHECK(!errs(&c) && c.p->nsteps == 1);
    declare(&c, "id i64 | key\nname str | sql_type varchar(20)\nn i64 | auto", "");
    CHECK(refuses(&c, PG_RULE_RETYPE_REWRITES)); /* numbering all rows that are there */
    end(&c);
}

RULE(NOT_NULL_SCANS, beside_writers_only)
{
    struct change c = given("id i64 | key\nage opt<i32>", "");
    declare(&c, "id i64 | key\nage i32 | backfill 0", "");
    HAS(sql_of(&c, PG_STEP_ADD_CHECK), "CHECK (\"age\" IS NOT NULL) NOT VALID");
    HAS(sql_of(&c, PG_STEP_VALIDATE), "VALIDATE CONSTRAINT \"users_age_not_null\"");
    HAS(sql_of(&c, PG_STEP_SET_NOT_NULL), "SET NOT NULL, DROP CONSTRAINT \"users_age_not_null\"");
    CHECK(pg_find_step(c.p, PG_STEP_VALIDATE, NULL)->mode == PG_ALONE);
    HAS(pg_find_step(c.p, PG_STEP_VALIDATE, NULL)->culprits, "WHERE \"age\" IS NULL");
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

RULE(RETYPE_LOSES, is_refused_without_an_expression_of_the_old_value)
{
    struct change c = given("id i64 | key\nage i64", "");
    declare(&c, "id i64 | key\nage i32", "");
    CHECK(refuses(&c, PG_RULE_RETYPE_LOSES));
    declare(&c, "id i64 | key\nage i32", "retyped age");
    CHECK(refuses(&c, PG_RULE_RETYPE_LOSES));
    declare(&c, "id i64 | key\nage i32 | backfill 0", "retyped age");
    CHECK(refuses(&c, PG_RULE_RETYPE_LOSES));
    declare(&c, "id i64 | key\nage i32 | backfill least(age, 2147483647)", "retyped age");
    CHECK(!errs(&c));
    HAS(sql_of(&c, PG_STEP_RETYPE_COLUMN), "USING (least(age, 2147483647))");
    end(&c);
}

RULE(RETYPE_BREAKS, names_recorded_programs)
{
    struct change c = given("id i64 | key\nage i32", "");
    declare(&c, "id i64 | key\nage i64", "retyped age");
    struct pg_use uses[] = {{NULL, "users", "age", "report"}};
    struct pg_diff_options options = {uses, 1};
    pg_plan_free(c.p);
    REQUIRE(pg_diff(c.m, (const struct pg_declared *[]){c.d}, 1, &options, &c.p) == 0);
    const struct pg_diagnostic *d = says(&c, PG_WARNING, PG_RULE_RETYPE_BREAKS);
    REQUIRE(d);
    HAS(d->text, "report");
    end(&c);
}

RULE(RENAME_UNDECLARED, is_refused_with_a_fix)
{
    struct change c = given("id i64 | key\nmail opt<str>", "");
    declare(&c, "id i64 | key\nemail opt<str>", "");
    CHECK(refuses(&c, PG_RULE_RENAME_UNDECLARED));
    const struct pg_diagnostic *d = says(&c, PG_ERROR, PG_RULE_RENAME_UNDECLARED);
    REQUIRE(d && d->nnotes == 2);
    CHECK_STR(d->field, "email");
    CHECK_STR(d->fix_rule, "renamed_from");
    CHECK_STR(d->fix_args[0], "mail");
    declare(&c, "id i64 | key\nemail opt<str> | renamed_from mail", "");
    CHECK(!errs(&c) && c.p->nsteps == 1);
    declare(&c, "id i64 | key\nemail opt<str>", "dropped mail");
    CHECK(!errs(&c) && pg_find_step(c.p, PG_STEP_DROP_COLUMN, "mail"));
    declare(&c, "id i64 | key\nemail opt<str> | backfill NULL", "");
    CHECK(!errs(&c) && c.p->nsteps == 1 && c.p->steps[0].kind == PG_STEP_ADD_COLUMN);
    declare(&c, "id i64 | key\nnumber opt<i32>", ""); /* another type: nothing to confuse */
    CHECK(!errs(&c));
    end(&c);
}

RULE(GENERATED_ADDED, needs_consent)
{
    struct change c = given("id i64 | key\nname str", "");
    declare(&c, "id i64 | key\nname str\nlow str | generated lower(name)", "");
    CHECK(refuses(&c, PG_RULE_GENERATED_ADDED));
    declare(&c, "id i64 | key\nname str\nlow str | generated lower(name)", "retyped low");
    CHECK(!errs(&c));
    HAS(sql_of(&c, PG_STEP_ADD_COLUMN), "GENERATED ALWAYS AS (lower(name)) STORED");
    end(&c);
}

RULE(GENERATED_CHANGED, is_refused)
{
    struct change c = given("id i64 | key\nname str\nlow str | generated lower(name)", "");
    declare(&c, "id i64 | key\nname str\nlow str | generated lower(name)", "");
    CHECK(!errs(&c) && c.p->nsteps == 0);
    declare(&c, "id i64 | key\nname str\nlow str | generated upper(name)", "");
    CHECK(refuses(&c, PG_RULE_GENERATED_CHANGED));
    declare(&c, "id i64 | key\nname str\nlow str", "");
    CHECK(refuses(&c, PG_RULE_GENERATED_CHANGED));
    end(&c);
}

RULE(UNDECLARED_REQUIRED, is_refused)
{
    struct change c = given("id i64 | key\nname str", "");
    declare(&c, "id i64 | key", "");
    CHECK(refuses(&c, PG_RULE_UNDECLARED_REQUIRED));
    declare_as(&c, "rows", "id i64", "");
    CHECK(!errs(&c)); /* who only reads needs no more */
    end(&c);
}

RULE(UNDECLARED, stays_as_it_is)
{
    struct change c = given("id i64 | key\nname str | default 'x' | index\nage opt<i32> | check age > 0", "");
    declare(&c, "id i64 | key", "");
    CHECK(!errs(&c) && c.p->nsteps == 0);
    const struct pg_diagnostic *d = says(&c, PG_REMARK, PG_RULE_UNDECLARED);
    REQUIRE(d);
    HAS(d->text, "'name', 'age'");
    end(&c);
}

RULE(NULL_IN_PLAIN_FIELD, is_refused)
{
    struct change c = given("id i64 | key\nage opt<i32>", "");
    declare_as(&c, "rows", "id i64\nage i32", "");
    CHECK(refuses(&c, PG_RULE_NULL_IN_PLAIN_FIELD));
    CHECK_STR(says(&c, PG_ERROR, PG_RULE_NULL_IN_PLAIN_FIELD)->field, "age");
    declare_as(&c, "rows", "id i64\nage opt<i32>", "");
    CHECK(!errs(&c));
    end(&c);
}

RULE(NOT_NULL_DROPPED, warns)
{
    struct change c = given("id i64 | key\nage i32", "");
    declare(&c, "id i64 | key\nage opt<i32>", "");
    CHECK(!errs(&c) && says(&c, PG_WARNING, PG_RULE_NOT_NULL_DROPPED));
    HAS(sql_of(&c, PG_STEP_DROP_NOT_NULL), "ALTER COLUMN \"age\" DROP NOT NULL");
    declare(&c, "id opt<i64>\nage i32", "");
    CHECK(pg_find_diagnostic(&c.p->diagnostics, PG_ERROR, "part of the primary key"));
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
    HAS(sql_of(&c, PG_STEP_ADD_CHECK), "DROP CONSTRAINT \"users_name_check\", ADD CONSTRAINT \"users_name_check\"");
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

RULE(STILL_USED, a_drop_waits_for_recorded_programs)
{
    struct change c = given("id i64 | key\nemail str", "");
    declare(&c, "id i64 | key", "dropped email");
    struct pg_use uses[] = {{"public", "users", "email", "mailer"}};
    struct pg_diff_options options = {uses, 1};
    pg_plan_free(c.p);
    REQUIRE(pg_diff(c.m, (const struct pg_declared *[]){c.d}, 1, &options, &c.p) == 0);
    CHECK(!errs(&c) && says(&c, PG_REMARK, PG_RULE_STILL_USED));
    CHECK(!pg_find_step(c.p, PG_STEP_DROP_COLUMN, NULL));
    CHECK(pg_find_step(c.p, PG_STEP_DROP_NOT_NULL, "email")); /* so that the new program can insert */
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

RULE(CONSENT_DONE, is_remarked_after_a_month)
{
    struct change c = given("id i64 | key\nemail opt<str>\nmail opt<str>\nage i32", "");
    const char *fields = "id i64 | key\nname opt<str> | renamed_from mail\nage i64";
    declare(&c, fields, "dropped email\nretyped age");
    CHECK(!errs(&c) && sim_apply(&c.s, c.p, UINT32_MAX));
    declare(&c, fields, "dropped email\nretyped age");
    CHECK(c.p->nsteps == 0 && c.p->diagnostics.n == 0);
    struct pg_table *t = pg_model_table(c.m, NULL, "users");
    CHECK(t->nevents == 3);
    for (uint32_t i = 0; i < t->nevents; i++)
        t->events[i].age_s = INT64_C(31) * 24 * 3600;
    declare(&c, fields, "dropped email\nretyped age");
    CHECK(c.p->nsteps == 0 && c.p->diagnostics.n == 3 && says(&c, PG_REMARK, PG_RULE_CONSENT_DONE));
    end(&c);
}

RULE(CHAR_TYPE, is_remarked)
{
    struct change c = given("id i64 | key", "");
    declare(&c, "id i64 | key\ncode opt<str> | sql_type char(3)", "");
    CHECK(says(&c, PG_REMARK, PG_RULE_CHAR_TYPE));
    end(&c);
}

RULE(TIMESTAMP_TYPE, is_remarked)
{
    struct change c = given("id i64 | key", "");
    declare(&c, "id i64 | key\nat opt<i64> | sql_type timestamp", "");
    CHECK(says(&c, PG_REMARK, PG_RULE_TIMESTAMP_TYPE));
    declare(&c, "id i64 | key\nat opt<i64> | sql_type timestamptz", "");
    CHECK(c.d->diagnostics.n == 0);
    end(&c);
}

RULE(VARCHAR_TYPE, is_remarked)
{
    struct change c = given("id i64 | key", "");
    declare(&c, "id i64 | key\ncode opt<str> | sql_type varchar(3)", "");
    CHECK(says(&c, PG_REMARK, PG_RULE_VARCHAR_TYPE));
    end(&c);
}

RULE(SMALL_KEY, warns)
{
    struct change c = {.m = new_catalog()};
    declare(&c, "id i32 | key | auto", "");
    CHECK(says(&c, PG_WARNING, PG_RULE_SMALL_KEY));
    declare(&c, "id i64 | key | auto", "");
    CHECK(c.d->diagnostics.n == 0);
    end(&c);
}

RULE(SERIAL_TYPE, serves)
{
    struct change c = given("id i64 | key | auto", "");
    pg_model_table(c.m, NULL, "users")->columns[0].standard.sql = "nextval('users_id_seq'::regclass)";
    declare(&c, "id i64 | key | auto", "");
    CHECK(!errs(&c) && c.p->nsteps == 0 && says(&c, PG_REMARK, PG_RULE_SERIAL_TYPE));
    end(&c);
}

TEST(every_rule_has_a_test)
{
    for (int i = 0; i < PG_NRULES; i++)
        if (!tested[i]) {
            printf("no test for %s\n", pg_rule((enum pg_rule)i)->id);
            test_failures++;
        }
}

TEST(the_page_lists_every_rule)
{
    FILE *f = fopen(CELL_TEST_INPUTS "/../../docs/postgres-rules.md", "r");
    char line[1024], row[512];
    int next = 0;
    REQUIRE(f);
    while (fgets(line, sizeof(line), f)) {
        const struct pg_rule_info *r = next < PG_NRULES ? pg_rule((enum pg_rule)next) : NULL;
        if (r) {
            snprintf(row, sizeof(row), "| %s | %s | %s |", r->id, pg_rule_class_name(r->class), r->sentence);
            next += strncmp(line, row, strlen(row)) == 0;
        }
    }
    fclose(f);
    if (next < PG_NRULES)
        printf("not in its place: %s\n", row);
    CHECK(next == PG_NRULES);
}
