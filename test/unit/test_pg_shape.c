/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Structs within columns whose members change. */
// LIBS: cell_postgres_sanitized
#include "pg_members.h"
#include "pg_rules.h"
#include "postgres/diff_parts.h"

static void take(struct change *c, const char *fields, const char *members, const char *inner, const char *rules)
{
    pg_plan_free(c->p);
    pg_declared_free(c->d);
    c->p = NULL;
    c->d = pg_build_members(c->m, "table", fields, members, inner, rules, false);
    if (pg_diff(c->m, (const struct pg_declared *[]){c->d}, 1, NULL, &c->p) < 0)
        test_failures++;
}

/* A table whose column `a` is `type`, with these members. */
static struct change with(const char *type, const char *members, const char *inner)
{
    struct change c = {.m = new_catalog()};
    char fields[64];

    c.s.m = c.m;
    snprintf(fields, sizeof(fields), "id i64 | key\na %s", type);
    take(&c, fields, members, inner, "");
    CHECK(c.p->diagnostics.n == 0 && sim_apply(&c.s, c.p, UINT32_MAX));
    take(&c, fields, members, inner, "");
    CHECK(c.p->diagnostics.n == 0 && c.p->nsteps == 0);
    return c;
}

static const char *shape(const struct change *c)
{
    const struct pg_event *e = pg_find_event(&c->m->tables[0], PG_PAST_SHAPE, "a");
    return e ? e->text : "none";
}

struct step {
    const char *type, *before, *after, *inner; /* `inner` is `place` of both */
    enum pg_rule rule;                         /* that refuses it; PG_NRULES = none */
    const char *field, *text;
};

TEST(members_that_rows_do_not_have_or_not_so_are_refused)
{
    static const struct step rows[] = {
        {"address", "x i32", "x i32\ny opt<i32>", "", PG_NRULES, NULL, NULL},
        {"address", "x i32", "x i32\ny list<i32>", "", PG_NRULES, NULL, NULL},
        {"address", "x i32\ny i32", "y i32\nx i32", "", PG_NRULES, NULL, NULL},
        {"address", "x i32", "x i64", "", PG_NRULES, NULL, NULL},
        {"address", "x u32", "x f64", "", PG_NRULES, NULL, NULL},
        {"address", "x i32", "x opt<i32>", "", PG_NRULES, NULL, NULL},
        {"address", "x i32", "x i32\ny i32", "", PG_RULE_NOT_NULL_ADDED, "a.y",
         "member 'y' of column 'a' is new and not optional"},
        {"addresses", "x i32", "x i32\ny place", "z i32", PG_RULE_NOT_NULL_ADDED, "a.y", "member 'y' of column 'a'"},
        {"address", "x opt<i32>", "x i32", "", PG_RULE_NOT_NULL_TIGHTENED, "a.x", "was optional"},
        {"address", "x i64", "x i32", "", PG_RULE_RETYPE_LOSES, "a.x", "was i64 and becomes i32"},
        {"address", "x i64", "x f64", "", PG_RULE_RETYPE_LOSES, "a.x", "was i64 and becomes f64"},
        {"address", "x str", "x list<str>", "", PG_RULE_RETYPE_LOSES, "a.x", "was str and becomes list:str"},
        {"address", "x i32", "x u32", "", PG_RULE_RETYPE_LOSES, "a.x", "was i32 and becomes u32"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct change c = with(rows[i].type, rows[i].before, rows[i].inner);
        char fields[64], consent[64];
        snprintf(fields, sizeof(fields), "id i64 | key\na %s", rows[i].type);
        take(&c, fields, rows[i].after, rows[i].inner, "");
        if (rows[i].rule == PG_NRULES) {
            pg_print_diagnostics(&c.p->diagnostics);
            CHECK(c.p->diagnostics.n == 0);
        } else {
            const struct pg_diagnostic *d = says(&c, PG_ERROR, rows[i].rule);
            CHECK(d && strstr(d->text, rows[i].text));
            CHECK_STR(d ? d->field : "", rows[i].field);
            CHECK(c.p->diagnostics.n == 1);
            snprintf(consent, sizeof(consent), "retyped a;%s", rows[i].field + 2);
            take(&c, fields, rows[i].after, rows[i].inner, consent);
            CHECK(c.p->diagnostics.n == 0);
        }
        CHECK(sim_apply(&c.s, c.p, UINT32_MAX));
        take(&c, fields, rows[i].after, rows[i].inner, "");
        CHECK(c.p->diagnostics.n == 0 && c.p->nsteps == 0);
        end(&c);
    }
}

TEST(a_struct_does_not_become_a_list)
{
    struct change c = with("address", "x i32", "");
    take(&c, "id i64 | key\na addresses", "x i32", "", "");
    CHECK(strstr(says(&c, PG_ERROR, PG_RULE_RETYPE_LOSES)->text, "column 'a' was struct and becomes list:struct"));
    end(&c);
}

TEST(members_that_go_stay_in_objects_until_they_are_dropped)
{
    struct change c = with("address", "x i32\nin place\ny i32", "z i32\nw i32");
    CHECK_STR(shape(&c), " struct\nin struct\nin.w i32\nin.z i32\nx i32\ny i32\n");
    take(&c, "id i64 | key\na address", "x i32\nin place", "z i32", "");
    CHECK(!pg_has_errors(&c.p->diagnostics, UINT32_MAX) && c.p->nsteps == 0 && c.p->diagnostics.n == 2);
    CHECK(pg_find_diagnostic(&c.p->diagnostics, PG_REMARK, "member 'in.w' of column 'a' is in no struct and stays"));
    CHECK(pg_find_diagnostic(&c.p->diagnostics, PG_REMARK, "CELL_DROPPED(\"a.y\") drops it"));
    take(&c, "id i64 | key\na address", "x i32", "", "dropped a.in\ndropped a.y");
    pg_print_diagnostics(&c.p->diagnostics);
    CHECK(c.p->diagnostics.n == 0 && c.p->nsteps == 3);
    const struct pg_step *drop = pg_find_step(c.p, PG_STEP_BACKFILL, "a");
    CHECK_STR(drop ? drop->sql[0] : "",
              "UPDATE \"public\".\"users\" SET \"a\" = \"a\" #- '{in}' WHERE ctid = ANY (ARRAY(SELECT ctid FROM "
              "\"public\".\"users\" WHERE \"a\" #> '{in}' IS NOT NULL LIMIT 10000))");
    CHECK(sim_apply(&c.s, c.p, UINT32_MAX));
    CHECK_STR(shape(&c), " struct\nx i32\n");
    take(&c, "id i64 | key\na address", "x i32", "", "dropped a.in\ndropped a.y");
    CHECK(c.p->diagnostics.n == 0 && c.p->nsteps == 0);
    end(&c);
}

TEST(members_that_go_are_lost_in_lists)
{
    struct change c = with("addresses", "x i32\ny i32", "");
    take(&c, "id i64 | key\na addresses", "x i32", "", "");
    CHECK(strstr(says(&c, PG_ERROR, PG_RULE_DROP_COLUMN)->text, "CELL_DROPPED(\"a.y\") consents"));
    take(&c, "id i64 | key\na addresses", "x i32", "", "dropped a.y");
    CHECK(c.p->diagnostics.n == 0 && sim_apply(&c.s, c.p, UINT32_MAX));
    take(&c, "id i64 | key\na addresses", "x i32", "", "");
    CHECK(c.p->diagnostics.n == 0 && c.p->nsteps == 0);
    CHECK_STR(shape(&c), " list:struct\nx *i32\n");
    end(&c);
}

TEST(what_was_never_noted_is_noted_with_the_next_change)
{
    struct change c = with("address", "x i32", "");
    struct pg_table *t = &c.m->tables[0];
    t->nevents = 0;
    take(&c, "id i64 | key\na address", "y i32", "", "");
    CHECK(c.p->diagnostics.n == 0 && c.p->nsteps == 0);
    take(&c, "id i64 | key\na address\nb opt<i32>", "y i32", "", "");
    CHECK(c.p->diagnostics.n == 0 && sim_apply(&c.s, c.p, UINT32_MAX));
    CHECK_STR(shape(&c), " struct\ny i32\n");
    end(&c);
}

TEST(a_column_that_is_renamed_or_goes_takes_it_along)
{
    struct change c = with("address", "x i32", "");
    take(&c, "id i64 | key\nb address | renamed_from a", "x i32\ny i32", "", "");
    CHECK(says(&c, PG_ERROR, PG_RULE_NOT_NULL_ADDED));
    take(&c, "id i64 | key\nb address | renamed_from a", "x i32", "", "");
    CHECK(!pg_has_errors(&c.p->diagnostics, UINT32_MAX) && sim_apply(&c.s, c.p, UINT32_MAX));
    CHECK(!pg_find_event(&c.m->tables[0], PG_PAST_SHAPE, "a") && pg_find_event(&c.m->tables[0], PG_PAST_SHAPE, "b"));
    take(&c, "id i64 | key", "x i32", "", "dropped b");
    CHECK(!pg_has_errors(&c.p->diagnostics, UINT32_MAX) && sim_apply(&c.s, c.p, UINT32_MAX));
    CHECK(!pg_find_event(&c.m->tables[0], PG_PAST_SHAPE, "b"));
    end(&c);
}
