/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* One test for each rule: the change that it is about, and what is said or avoided. And the page lists them all. Here
 * those about columns; test_pg_rules_objects.c has those about tables, constraints, indexes and directives. */
// LIBS: cell_postgres_sanitized
#include "pg_rules.h"

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

RULE(RENAME_COLUMN, warns_and_names_programs)
{
    struct change c = given("id i64 | key\nmail str | unique | check mail <> ''", "");
    declare(&c, "id i64 | key\nemail str | unique | check email <> '' | renamed_from mail", "");
    CHECK(!errs(&c) && says(&c, PG_WARNING, PG_RULE_RENAME_COLUMN));
    CHECK(pg_find_step(c.p, PG_STEP_RENAME_COLUMN, "email") && !pg_find_step(c.p, PG_STEP_ADD_COLUMN, NULL) &&
          !pg_find_step(c.p, PG_STEP_ADD_CHECK, NULL) && !pg_find_step(c.p, PG_STEP_CREATE_UNIQUE_INDEX, NULL));
    struct change again = given("id i64 | key\nmail str | unique | check mail <> ''", "index lower(mail)");
    const char *renamed = "id i64 | key\nemail str | unique | check email <> '' | renamed_from mail";
    declare(&again, renamed, "index lower(email)");
    CHECK(again.p->nsteps == 1 && sim_apply(&again.s, again.p, UINT32_MAX));
    declare(&again, renamed, "index lower(email)"); /* what the catalog prints now was recorded anew */
    CHECK(again.p->nsteps == 0);
    end(&again);
    pg_plan_free(c.p);
    struct pg_use uses[] = {{"public", "users", "mail", "mailer 1.2", NULL, NULL}};
    struct pg_diff_options options = {uses, 1, NULL};
    REQUIRE(pg_diff(c.m, (const struct pg_declared *[]){c.d}, 1, &options, &c.p) == 0);
    HAS(says(&c, PG_WARNING, PG_RULE_RENAME_COLUMN)->text, "mailer 1.2");
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
    CHECK_STR(step->text, "ALTER TABLE \"public\".\"users\" ALTER COLUMN \"age\" TYPE bigint USING (\"age\"::bigint), "
                          "SET DEFAULT (7)");
    declare(&c, "id i64 | key\nage i64", "retyped age");
    HAS(pg_find_step(c.p, PG_STEP_RETYPE_COLUMN, "age")->text, "USING (\"age\"::bigint), DROP DEFAULT");
    declare(&c, "id i64 | key\nage i64 | default 7", "retyped age");
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
    declare(&c, "id i64 | key\nyears i32 | renamed_from age | backfill least(age, 2147483647)", "retyped years");
    CHECK(pg_find_diagnostic(&c.p->diagnostics, PG_ERROR,
                             "'years' is computed from 'age', which is called 'years' then"));
    CHECK(c.p->diagnostics.n == 2 && c.p->nsteps == 0); /* that and the warning of the rename */
    declare(&c, "id i64 | key\nyears i32 | renamed_from age | backfill least(years, 2147483647)", "retyped years");
    CHECK(!errs(&c));
    end(&c);
}

/* What can be kept is, whatever CELL_BACKFILL says, which may be from another change. */
RULE(RETYPE_LOSES, is_no_reason_to_use_an_expression)
{
    static const char unused[] = "CELL_BACKFILL is not used: every value of column 'age' is one of text as well as of ";
    struct change c = given("id i64 | key\nage i64\nn opt<i64>", "");
    declare(&c, "id i64 | key\nage str | backfill to_hex(age)\nn opt<i64>", "retyped age");
    const struct pg_diagnostic *d = pg_find_diagnostic(&c.p->diagnostics, PG_WARNING, unused);
    CHECK(!errs(&c) && d && strcmp(d->field, "age") == 0);
    HAS(sql_of(&c, PG_STEP_RETYPE_COLUMN), "USING (\"age\"::text)");
    declare(&c, "id i64 | key\nage str | backfill 'none'\nn opt<i64>", "retyped age"); /* of when it was new */
    CHECK(!errs(&c) && !pg_find_diagnostic(&c.p->diagnostics, PG_WARNING, unused));
    declare(&c, "id i64 | key\nage i64\nn str | backfill coalesce(n, '')", "retyped n"); /* for NULL */
    CHECK(!errs(&c) && !pg_find_diagnostic(&c.p->diagnostics, PG_WARNING, "not used"));
    end(&c);
}

static void plan_with(struct change *c, const struct pg_use *uses, uint32_t n, const char *unknown)
{
    const struct pg_diff_options options = {uses, n, unknown};

    pg_plan_free(c->p);
    c->p = NULL;
    if (pg_diff(c->m, (const struct pg_declared *[]){c->d}, 1, &options, &c->p) < 0)
        test_failures++;
}

RULE(RETYPE_BREAKS, is_refused_while_a_program_has_the_old_type)
{
    struct change c = given("id i64 | key\nage i32\nname str", "");
    declare(&c, "id i64 | key\nage i64\nname str", "retyped age");
    const struct pg_use report[] = {{NULL, "users", "age", "report", NULL, NULL}};
    const struct pg_use old[] = {{"public", "users", "age", "report", "integer", "report.c:3"},
                                 {"public", "users", "age", "report", "integer", "report.c:9"}};
    const struct pg_use others[] = {{"public", "users", "age", "new", "bigint", "new.c:3"},
                                    {"other", "users", "age", "else", "integer", "else.c:3"},
                                    {"public", "users", "name", "names", "text", "names.c:3"},
                                    {"public", "people", "age", "people", "integer", "people.c:3"}};
    plan_with(&c, report, 1, NULL);
    CHECK(refuses(&c, PG_RULE_RETYPE_BREAKS));
    plan_with(&c, old, 2, NULL);
    CHECK(refuses(&c, PG_RULE_RETYPE_BREAKS));
    const struct pg_diagnostic *d = says(&c, PG_ERROR, PG_RULE_RETYPE_BREAKS);
    REQUIRE(d);
    HAS(d->text, "recorded programs use it (report at report.c:3). CELL_COLUMN"); /* once */
    CHECK_STR(d->field, "age");
    CHECK(d->nnotes == 1);
    plan_with(&c, others, 4, NULL);
    CHECK(!errs(&c) && pg_find_step(c.p, PG_STEP_RETYPE_COLUMN, "age"));
    declare(&c, "id i64 | key\nage i32\nname str | sql_type varchar", "");
    const struct pg_use text[] = {{"public", "users", "name", "names", "text", "names.c:3"}};
    plan_with(&c, text, 1, NULL);
    CHECK(!errs(&c) && pg_find_step(c.p, PG_STEP_RETYPE_COLUMN, "name")); /* which programs do not notice */
    declare(&c, "id i64 | key\nage i64\nname str", "retyped age");
    plan_with(&c, others, 4, "2 records of programs cannot be read");
    CHECK(refuses(&c, PG_RULE_RETYPE_BREAKS));
    HAS(says(&c, PG_ERROR, PG_RULE_RETYPE_BREAKS)->text, "2 records of programs cannot be read");
    end(&c);
}

RULE(RENAME_UNDECLARED, is_refused_with_a_fix)
{
    struct change c = given("id i64 | key\nmail opt<str>", "");
    declare(&c, "id i64 | key\nemail opt<str>", "");
    const struct pg_diagnostic *d = says(&c, PG_ERROR, PG_RULE_RENAME_UNDECLARED);
    REQUIRE(d && d->nnotes == 2);
    /* Another struct may make it right: then this one needs its column. */
    CHECK(errs(&c) == 1 && d->whole && c.p->nsteps == 1 && c.p->steps[0].kind == PG_STEP_ADD_COLUMN);
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
    CHECK(says(&c, PG_ERROR, PG_RULE_UNDECLARED_REQUIRED)->whole);
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
    HAS(d->text, "'name', 'age', 'users_name_idx', 'users_age_check'");
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

RULE(DROP_COLUMN, what_goes_with_it_is_said)
{
    struct change c = given("id i64 | key\na i32\nb i32", "unique_index a, b\ncheck a < b\nindex b");
    declare(&c, "id i64 | key\na i32", "dropped b");
    const struct pg_diagnostic *d = says(&c, PG_WARNING, PG_RULE_DROP_COLUMN);
    REQUIRE(d && !errs(&c));
    HAS(d->text, "with column 'b' goes what is about other columns of 'users' as well: 'users_a_b_key', 'users_check'");
    CHECK(sim_apply(&c.s, c.p, UINT32_MAX) && pg_model_table(c.m, NULL, "users")->nindexes == 0);
    declare(&c, "id i64 | key", "dropped a");
    CHECK(!errs(&c) && !pg_find_diagnostic(&c.p->diagnostics, PG_WARNING, "with column"));
    end(&c);
}

RULE(STILL_USED, a_drop_waits_for_recorded_programs)
{
    struct change c = given("id i64 | key\nemail str\nage i32 | range 18;99\nold opt<str>", "");
    declare(&c, "id i64 | key", "dropped email\ndropped age\ndropped old");
    const struct pg_use uses[] = {{"public", "users", "email", "mailer", "text", "mailer.c:7"},
                                  {"public", "users", "age", "mailer", "smallint", NULL}};
    plan_with(&c, uses, 2, NULL);
    CHECK(!errs(&c) && says(&c, PG_REMARK, PG_RULE_STILL_USED));
    CHECK(pg_find_diagnostic(&c.p->diagnostics, PG_REMARK,
                             "'email' stays for now: recorded programs use it (mailer at "
                             "mailer.c:7)"));
    CHECK(pg_find_step(c.p, PG_STEP_DROP_COLUMN, "old") && !pg_find_step(c.p, PG_STEP_DROP_COLUMN, "email") &&
          !pg_find_step(c.p, PG_STEP_DROP_COLUMN, "age"));
    /* The new program can insert, and the old one finds a value, where that cannot be refused. */
    HAS(sql_of(&c, PG_STEP_SET_DEFAULT), "ALTER COLUMN \"email\" SET DEFAULT ('')");
    CHECK(pg_find_step(c.p, PG_STEP_DROP_NOT_NULL, "age") && !pg_find_step(c.p, PG_STEP_DROP_NOT_NULL, "email"));
    REQUIRE(sim_apply(&c.s, c.p, UINT32_MAX));
    plan_with(&c, uses, 2, NULL);
    CHECK(!errs(&c) && c.p->nsteps == 0);
    /* The older declaration, compiled once more, does not take the default away. */
    declare(&c, "id i64 | key\nemail str\nage opt<i32> | range 18;99", "");
    CHECK(!errs(&c) && c.p->nsteps == 0);
    declare(&c, "id i64 | key", "dropped email\ndropped age");
    CHECK(pg_find_step(c.p, PG_STEP_DROP_COLUMN, "email") && pg_find_step(c.p, PG_STEP_DROP_COLUMN, "age"));
    end(&c);
}

RULE(STILL_USED, a_drop_waits_when_it_is_not_known_who_uses_what)
{
    struct change c = given("id i64 | key\nemail opt<str>", "");
    declare(&c, "id i64 | key", "dropped email");
    plan_with(&c, NULL, 0, "1 record of programs cannot be read");
    CHECK(!errs(&c) && says(&c, PG_WARNING, PG_RULE_STILL_USED) && c.p->nsteps == 0);
    CHECK(pg_find_diagnostic(&c.p->diagnostics, PG_WARNING, "1 record of programs cannot be read"));
    plan_with(&c, NULL, 0, NULL);
    CHECK(pg_find_step(c.p, PG_STEP_DROP_COLUMN, "email"));
    end(&c);
}

/* What is there already is as somebody wanted it: a header of an existing database is not full of advice. */
static void is_remarked_when_it_is_new(const char *field, enum pg_rule rule)
{
    char with[128], more[160];
    snprintf(with, sizeof(with), "id i64 | key\n%s", field);
    snprintf(more, sizeof(more), "%s\nother opt<str>", with);
    struct change c = given("id i64 | key", "");
    declare(&c, with, "");
    const struct pg_diagnostic *d = says(&c, PG_REMARK, rule);
    CHECK(d && d->field && strncmp(field, d->field, strlen(d->field)) == 0);
    end(&c);
    c = given(with, "");
    declare(&c, with, "");
    CHECK(c.p->nsteps == 0 && c.p->diagnostics.n == 0 && c.d->diagnostics.n == 0);
    declare(&c, more, "");
    CHECK(c.p->nsteps == 1 && !says(&c, PG_REMARK, rule));
    end(&c);
}

RULE(CHAR_TYPE, is_remarked) { is_remarked_when_it_is_new("code opt<str> | sql_type char(3)", PG_RULE_CHAR_TYPE); }

RULE(TIMESTAMP_TYPE, is_remarked)
{
    is_remarked_when_it_is_new("at opt<i64> | sql_type timestamp", PG_RULE_TIMESTAMP_TYPE);
    struct change c = given("id i64 | key", "");
    declare(&c, "id i64 | key\nat opt<i64> | sql_type timestamptz", "");
    CHECK(c.d->diagnostics.n == 0 && c.p->diagnostics.n == 0);
    end(&c);
}

RULE(VARCHAR_TYPE, is_remarked)
{
    is_remarked_when_it_is_new("code opt<str> | sql_type varchar(3)", PG_RULE_VARCHAR_TYPE);
    struct change c = given("id i64 | key\ncode str | sql_type varchar(3)", "");
    declare(&c, "id i64 | key\ncode str | sql_type varchar(5)", ""); /* another length is new as well */
    CHECK(c.p->nsteps == 1 && says(&c, PG_REMARK, PG_RULE_VARCHAR_TYPE));
    end(&c);
}

RULE(SMALL_KEY, warns)
{
    struct change c = {.m = new_catalog()};
    declare(&c, "id i32 | key | auto", "");
    CHECK(says(&c, PG_WARNING, PG_RULE_SMALL_KEY));
    declare(&c, "id i64 | key | auto", "");
    CHECK(!says(&c, PG_WARNING, PG_RULE_SMALL_KEY));
    end(&c);
    c = given("id i32 | key | auto", "");
    declare(&c, "id i32 | key | auto", ""); /* it is there: whoever made it knows */
    CHECK(c.p->nsteps == 0 && c.p->diagnostics.n == 0);
    end(&c);
}

RULE(SERIAL_TYPE, serves)
{
    struct change c = given("id i64 | key | auto", "");
    pg_model_table(c.m, NULL, "users")->columns[0].standard.sql = "nextval('users_id_seq'::regclass)";
    declare(&c, "id i64 | key | auto", "");
    CHECK(!errs(&c) && c.p->nsteps == 0 && c.p->diagnostics.n == 0);
    declare(&c, "id i64 | key | auto\nname opt<str>", ""); /* said when the table changes */
    CHECK(!errs(&c) && c.p->nsteps == 1 && says(&c, PG_REMARK, PG_RULE_SERIAL_TYPE));
    end(&c);
}

/* The sources of both files of tests as one text. */
static char *read_tests(void)
{
    static const char *const files[] = {"/../unit/test_pg_rules.c", "/../unit/test_pg_rules_objects.c"};
    size_t len = 0, room = 1 << 18;
    char *text = calloc(1, room), path[512];
    for (int i = 0; text && i < 2; i++) {
        snprintf(path, sizeof(path), "%s%s", CELL_TEST_INPUTS, files[i]);
        FILE *f = fopen(path, "r");
        if (f)
            len += fread(text + len, 1, room - len - 1, f);
        if (f)
            fclose(f);
    }
    return text;
}

TEST(every_rule_has_a_test)
{
    static const char *const symbols[] = {
#define SYMBOL(symbol, id, class, sentence) "\nRULE(" #symbol ",",
        PG_RULE_MAP(SYMBOL)
#undef SYMBOL
    };
    char *text = read_tests();
    REQUIRE(text);
    for (int i = 0; i < PG_NRULES; i++)
        if (!strstr(text, symbols[i])) {
            printf("no test for %s\n", pg_rule((enum pg_rule)i)->id);
            test_failures++;
        }
    free(text);
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
