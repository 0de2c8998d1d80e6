/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Plans over several tables, for what is there already, and for what an interrupted plan has left. */
// LIBS: cell_postgres_sanitized
#include "pg_simulate.h"

static struct pg_model *new_catalog(void)
{
    struct pg_model *m = pg_model_new();
    m->default_schema = "public";
    m->schemas = pg_array(&m->arena, 1, sizeof(*m->schemas));
    m->schemas[0] = "public";
    m->nschemas = 1;
    return m;
}

/* A unit of up to three structs. */
struct unit {
    struct pg_model *m;
    struct sim s;
    struct pg_declared *d[3];
    uint32_t n;
    struct pg_plan *p;
};

static struct unit begin(void)
{
    struct unit u = {.m = new_catalog()};
    u.s.m = u.m;
    return u;
}

static void forget(struct unit *u)
{
    for (uint32_t i = 0; i < u->n; i++)
        pg_declared_free(u->d[i]);
    u->n = 0;
    pg_plan_free(u->p);
    u->p = NULL;
}

static void end(struct unit *u)
{
    forget(u);
    pg_model_free(u->m);
}

static void add(struct unit *u, const char *verb, const char *table, const char *fields, const char *rules)
{
    u->d[u->n] = pg_build(u->m, verb, table, fields, rules);
    if (pg_has_errors(&u->d[u->n]->diagnostics, UINT32_MAX)) {
        pg_print_diagnostics(&u->d[u->n]->diagnostics);
        test_failures++;
    }
    u->n++;
}

static bool plan(struct unit *u)
{
    pg_plan_free(u->p);
    u->p = NULL;
    return pg_diff(u->m, (const struct pg_declared *const *)u->d, u->n, NULL, &u->p) == 0 &&
           !pg_has_errors(&u->p->diagnostics, UINT32_MAX);
}

static bool apply(struct unit *u) { return sim_apply(&u->s, u->p, UINT32_MAX); }

static const struct pg_diagnostic *error(const struct unit *u, const char *part)
{
    const struct pg_diagnostic *d = pg_find_diagnostic(&u->p->diagnostics, PG_ERROR, part);
    if (!d)
        pg_print_diagnostics(&u->p->diagnostics);
    return d;
}

TEST(tables_that_refer_to_each_other_are_made_before_their_foreign_keys)
{
    struct unit u = begin();
    add(&u, "table", "users", "id i64 | key\nteam opt<i64> | references teams;id", "");
    add(&u, "table", "teams", "id i64 | key\nlead opt<i64> | references users;id", "");
    REQUIRE(plan(&u) && u.p->nsteps == 4 && apply(&u));
    CHECK(u.p->steps[0].kind == PG_STEP_CREATE_TABLE && u.p->steps[1].kind == PG_STEP_CREATE_TABLE);
    CHECK(u.p->steps[2].kind == PG_STEP_ADD_FOREIGN_KEY && !strstr(u.p->steps[2].sql[0], "NOT VALID"));
    CHECK(u.p->steps[2].declared == 0 && u.p->steps[3].declared == 1);
    for (uint32_t i = 0; i < 4; i++)
        CHECK(u.p->steps[i].mode == PG_TOGETHER);
    REQUIRE(plan(&u) && u.p->nsteps == 0);
    CHECK_STR(u.p->id, "");
    end(&u);
}

/* In one transaction, so that none is left without the other; but not before what another step makes of the key. */
TEST(a_new_table_has_its_foreign_keys_at_once_unless_they_wait_for_another_step)
{
    struct unit u = begin();
    add(&u, "table", "teams", "id i64 | key\nname opt<str>", "");
    REQUIRE(plan(&u) && apply(&u));
    forget(&u);
    add(&u, "table", "users", "id i64 | key\nteam opt<i64> | references teams;id\nby opt<str> | references teams;name",
        "");
    add(&u, "table", "teams", "id i64 | key\nname opt<str> | unique", "");
    REQUIRE(plan(&u) && u.p->nsteps == 5 && apply(&u));
    CHECK(u.p->steps[0].kind == PG_STEP_CREATE_TABLE && !u.p->steps[0].on_new);
    CHECK(u.p->steps[1].kind == PG_STEP_ADD_FOREIGN_KEY && strcmp(u.p->steps[1].object, "users_team_fkey") == 0);
    CHECK(u.p->steps[4].kind == PG_STEP_ADD_FOREIGN_KEY && strcmp(u.p->steps[4].object, "users_by_fkey") == 0);
    CHECK(u.p->steps[1].on_new && u.p->steps[4].on_new && !u.p->steps[2].on_new);
    REQUIRE(plan(&u) && u.p->nsteps == 0);
    end(&u);
}

TEST(a_foreign_key_without_columns_means_the_primary_key)
{
    struct unit u = begin();
    add(&u, "table", "teams", "a i64\nb str", "primary_key a, b");
    add(&u, "table", "users", "x i64\ny str", "foreign_key x, y;teams on delete cascade");
    REQUIRE(plan(&u) && apply(&u) && plan(&u));
    CHECK(u.p->nsteps == 0);
    const struct pg_foreign_key *f = &pg_model_table(u.m, NULL, "users")->foreign[0];
    CHECK_STR(f->to_columns[1], "b");
    CHECK(f->on_delete == PG_CASCADE);
    end(&u);
}

TEST(foreign_keys_that_the_database_would_refuse_are_refused_at_the_field)
{
    static const struct {
        const char *field, *rules, *text;
    } rows[] = {
        {"t i64 | references temas;id", "", "there is no table 'temas' to refer to; did you mean 'teams'?"},
        {"t i64 | references nothing;id", "", "there is no table 'nothing' to refer to: a struct of the same file"},
        {"t i64 | references teams;idd", "", "table 'teams' has no column 'idd'"},
        {"t i64 | references teams;size", "", "(\"size\") of table 'teams' is not unique"},
        {"t str | references teams;id", "", "column 't' is text and refers to 'teams.id', which is bigint"},
        {"t i64", "foreign_key t, t2;teams", "has no primary key of 2 columns"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char fields[200];
        struct unit u = begin();
        snprintf(fields, sizeof(fields), "t2 i64\n%s", rows[i].field);
        add(&u, "table", "teams", "id i64 | key\nsize i32", "");
        add(&u, "table", "users", fields, rows[i].rules);
        CHECK(!plan(&u));
        const struct pg_diagnostic *d = error(&u, rows[i].text);
        /* A table that is not there may come in the same file. */
        bool may_come = strstr(rows[i].text, "there is no table");
        CHECK(d && d->declared == 1 && d->whole == may_come && (may_come || u.p->nsteps == 0));
        CHECK(!d || rows[i].rules[0] || (d->field && strcmp(d->field, "t") == 0));
        end(&u);
    }
}

TEST(two_structs_of_one_table_are_one_table)
{
    struct unit u = begin();
    add(&u, "table", "users", "id i64 | key\nname str", "");
    add(&u, "table", "users", "id i64 | key\nemail str | unique\nage opt<i32> | range 0;150", "");
    REQUIRE(plan(&u) && apply(&u));
    CHECK(pg_model_table(u.m, NULL, "users")->ncolumns == 4);
    REQUIRE(plan(&u));
    CHECK(u.p->nsteps == 0 && u.p->diagnostics.n == 0 && u.p->tables[1].ncolumns == 4);
    forget(&u);
    add(&u, "table", "users", "id i64 | key\nname str", "");
    add(&u, "table", "users", "id i64 | key\nname opt<str>", "");
    CHECK(!plan(&u) && error(&u, "disagree on column 'name': whether it may be NULL"));
    end(&u);
}

TEST(a_struct_takes_nothing_from_another_one)
{
    static const struct {
        const char *table, *fields, *rules, *text;
    } rows[] = {
        {"users", "id i64", "dropped email", "CELL_DROPPED(\"email\") contradicts a struct of the table"},
        {"users", "id i64", "dropped users_email_idx", "CELL_DROPPED(\"users_email_idx\") contradicts a struct"},
        {"users", "mail opt<str> | renamed_from email", "", "CELL_RENAMED_FROM(email) contradicts the field"},
        {"users", "mail opt<str> | replaces email", "", "a field is this column still"},
        {"people", "id i64 | key", "table_renamed_from users",
         "CELL_TABLE_RENAMED_FROM(\"users\") contradicts the struct that is this table"}};
    for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
        struct unit u = begin();
        add(&u, "table", "users", "id i64 | key\nemail opt<str> | index", "");
        REQUIRE(plan(&u) && apply(&u));
        size_t k = i / 2;
        if (i % 2) {
            forget(&u);
            add(&u, "table", rows[k].table, rows[k].fields, rows[k].rules);
            add(&u, "table", "users", "id i64 | key\nemail opt<str> | index", "");
        } else
            add(&u, "table", rows[k].table, rows[k].fields, rows[k].rules);
        CHECK(!plan(&u));
        const struct pg_diagnostic *d = error(&u, rows[k].text);
        CHECK(d && d->declared == !(i % 2));
        /* What a struct before it, or after it, may have to say to the rename is known at the end: until then there is
         * a plan, which nobody carries out. */
        CHECK(!d || (d->whole ? k == 4 && d->against == i % 2 && pg_has_errors(&u.p->diagnostics, UINT32_MAX)
                              : k < 4 && u.p->nsteps == 0));
        end(&u);
    }
}

TEST(a_chain_of_tables_has_one_plan_in_any_order)
{
    static const char *const names[][2] = {
        {"vb", "table_renamed_from va"}, {"vc", "table_renamed_from vb"}, {"vd", "table_renamed_from vc"}};
    static const int orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    for (size_t i = 0; i < 4 * sizeof(orders) / sizeof(orders[0]); i++) {
        struct unit u = begin();
        uint32_t n = i % 4;
        const int *order = orders[i / 4];
        add(&u, "table", "va", "id i64 | key", "");
        add(&u, "table", "vb", "id i64 | key", "");
        add(&u, "table", "vc", "id i64 | key", "");
        REQUIRE(plan(&u) && apply(&u));
        forget(&u);
        for (uint32_t k = 0; k < n; k++)
            add(&u, "table", names[order[k]][0], "id i64 | key", names[order[k]][1]);
        /* What the whole chain makes of each is planned before all of it is known, and said to depend on that. */
        bool free_end = n == 3;
        plan(&u);
        CHECK(u.p->nsteps == n);
        for (uint32_t k = 0; k < u.p->diagnostics.n; k++) {
            const struct pg_diagnostic *d = &u.p->diagnostics.at[k];
            CHECK(d->severity != PG_ERROR || (!free_end && d->whole && d->awaits && strstr(d->text, "both exist")));
        }
        end(&u);
    }
}

TEST(rows_of_a_table_of_the_same_unit_are_known)
{
    struct unit u = begin();
    add(&u, "table", "users", "id i64 | key\nage opt<i32>\nn u8", "");
    add(&u, "rows", "users", "id i64\nn u8\nage opt<i32>", "");
    REQUIRE(plan(&u) && u.p->nsteps == 1);
    CHECK(u.p->tables[1].ncolumns == 3 && u.p->tables[1].primary);
    forget(&u);
    add(&u, "rows", "users", "id i64", "");
    CHECK(!plan(&u) && error(&u, "there is no table 'users'"));
    CHECK(u.p->ntables == 1 && !u.p->tables[0].columns);
    end(&u);
}

TEST(rows_are_checked_against_the_table)
{
    static const struct {
        const char *field, *text;
    } rows[] = {{"nmae str", "table 'users' has no column 'nmae'; did you mean 'name'?"},
                {"id i32", "column 'id': a field of type i32 cannot hold every value of type bigint: i64 can"},
                {"name str | sql_type uuid", "column 'name' is text, not uuid"},
                {"tags str", NULL}, /* in text form */
                {"tags list<i32>", "cannot hold every value"},
                {"tags list<str>", NULL}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct unit u = begin();
        add(&u, "table", "users", "id i64 | key\nname str\ntags list<str>", "");
        REQUIRE(plan(&u) && apply(&u));
        add(&u, "rows", "users", rows[i].field, "");
        CHECK(plan(&u) == !rows[i].text);
        CHECK(!rows[i].text || error(&u, rows[i].text));
        end(&u);
    }
}

TEST(keys_and_indexes_of_rows_are_expected_of_the_table)
{
    static const struct {
        const char *fields, *text;
        bool refused;
    } rows[] = {{"b i64 | key\na i64 | key\nmail str | unique\nname str | unique\nage i32 | index", NULL, false},
                {"mail str | index", NULL, false}, /* a key has an index */
                {"a i64 | key", "the primary key of table 'users' is (\"a\", \"b\")", true},
                {"id i64 | column a | unique", "column 'a' is not unique in table 'users'", true},
                {"age i32 | unique", "column 'age' is not unique", true},
                {"age i32 | index hash", "table 'users' has no index by hash on column 'age' alone", false},
                {"b i64 | index", "table 'users' has no index by btree on column 'b' alone", false}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct unit u = begin();
        add(&u, "table", "users", "a i64 | key\nb i64 | key\nmail str | unique\nname str\nage i32 | index",
            "unique_index name\nindex b, age");
        REQUIRE(plan(&u) && apply(&u));
        forget(&u);
        add(&u, "rows", "users", rows[i].fields, "");
        CHECK(plan(&u) == !rows[i].refused && u.p->nsteps == 0);
        const struct pg_diagnostic *d = pg_find_diagnostic(&u.p->diagnostics, rows[i].refused ? PG_ERROR : PG_REMARK,
                                                           rows[i].text ? rows[i].text : "");
        CHECK(rows[i].text ? d && d->field && strncmp(d->field, rows[i].fields, strlen(d->field)) == 0 : !d);
        end(&u);
    }
    struct unit u = begin();
    add(&u, "table", "users", "a i64\nage i32 | unique", "");
    add(&u, "rows", "users", "age i32 | unique", ""); /* of a table that the same plan makes */
    CHECK(plan(&u));
    forget(&u);
    add(&u, "table", "users", "a i64", "");
    add(&u, "rows", "users", "a i64 | key", "");
    CHECK(!plan(&u) && error(&u, "table 'users' has no primary key, which CELL_KEY expects"));
    end(&u);
}

TEST(what_is_no_table_cannot_be_owned)
{
    struct unit u = begin();
    add(&u, "table", "users", "id i64 | key", "");
    REQUIRE(plan(&u) && apply(&u));
    pg_model_table(u.m, NULL, "users")->kind = 'v';
    CHECK(!plan(&u) && error(&u, "is a view, which no struct can own"));
    forget(&u);
    add(&u, "rows", "users", "id i64", "");
    CHECK(plan(&u));
    end(&u);
}

TEST(partitioned_tables_have_no_concurrent_steps)
{
    struct unit u = begin();
    add(&u, "table", "users", "id i64\nname opt<str>", "");
    REQUIRE(plan(&u) && apply(&u));
    forget(&u);
    pg_model_table(u.m, NULL, "users")->kind = 'p';
    add(&u, "table", "users", "id i64 | key\nname str | unique | backfill 'x'", "index name, id");
    REQUIRE(plan(&u) && apply(&u));
    for (uint32_t i = 0; i < u.p->nsteps; i++)
        for (uint32_t k = 0; k < u.p->steps[i].nsql; k++)
            CHECK(u.p->steps[i].mode != PG_OUTSIDE && !strstr(u.p->steps[i].sql[k], "CONCURRENTLY") &&
                  !strstr(u.p->steps[i].sql[k], "USING INDEX") && !strstr(u.p->steps[i].sql[k], "ctid"));
    end(&u);
}

TEST(an_invalid_index_is_made_again)
{
    struct unit u = begin();
    add(&u, "table", "users", "id i64 | key\nname str | index", "");
    REQUIRE(plan(&u) && apply(&u));
    pg_model_table(u.m, NULL, "users")->indexes[0].valid = false;
    REQUIRE(plan(&u) && u.p->nsteps == 1);
    CHECK(u.p->steps[0].kind == PG_STEP_CREATE_INDEX && u.p->steps[0].nrepair == 1);
    CHECK(apply(&u) && pg_model_table(u.m, NULL, "users")->nindexes == 1);
    end(&u);
}

TEST(what_helped_a_column_to_become_not_null_does_not_stay)
{
    struct unit u = begin();
    add(&u, "table", "users", "id i64 | key\nage opt<i32>", "");
    REQUIRE(plan(&u) && apply(&u));
    forget(&u);
    add(&u, "table", "users", "id i64 | key\nage i32 | backfill 0", "");
    REQUIRE(plan(&u) && u.p->nsteps == 4 && sim_apply(&u.s, u.p, 2));
    CHECK(pg_model_table(u.m, NULL, "users")->nchecks == 1);
    forget(&u); /* and then somebody thinks better of it */
    add(&u, "table", "users", "id i64 | key\nage opt<i32>", "");
    REQUIRE(plan(&u) && u.p->nsteps == 1 && u.p->steps[0].kind == PG_STEP_DROP_CONSTRAINT && apply(&u));
    CHECK(pg_model_table(u.m, NULL, "users")->nchecks == 0 && plan(&u) && u.p->nsteps == 0);
    end(&u);
}

TEST(constraints_that_were_not_validated_are)
{
    struct unit u = begin();
    add(&u, "table", "users", "id i64 | key\nboss opt<i64> | references users;id | check boss > 0", "");
    REQUIRE(plan(&u) && apply(&u));
    struct pg_table *t = pg_model_table(u.m, NULL, "users");
    t->checks[0].valid = t->foreign[0].valid = false;
    REQUIRE(plan(&u) && u.p->nsteps == 2);
    CHECK(u.p->steps[0].kind == PG_STEP_VALIDATE && u.p->steps[1].kind == PG_STEP_VALIDATE);
    CHECK(apply(&u) && plan(&u) && u.p->nsteps == 0);
    end(&u);
}

TEST(constraints_of_other_names_count)
{
    struct unit u = begin();
    add(&u, "table", "users", "id i64 | key\nname str | unique | check name <> ''\nage i32 | index", "");
    REQUIRE(plan(&u) && apply(&u));
    struct pg_table *t = pg_model_table(u.m, NULL, "users"); /* as if made by hand */
    t->uniques[0] = (struct pg_key){"by_hand", t->uniques[0].columns, 1, false};
    t->indexes[0].name = "by_hand2";
    t->indexes[0].made = false;
    t->checks[0] = (struct pg_check){"by_hand3", {"(name <> ''::text)", NULL}, true, false, NULL, NULL, NULL};
    REQUIRE(plan(&u) && u.p->nsteps == 0 && u.p->diagnostics.n == 0);
    end(&u);
}

TEST(a_unique_index_serves_as_a_unique_constraint)
{
    struct unit u = begin();
    add(&u, "table", "users", "id i64 | key\nname str", "unique_index name");
    REQUIRE(plan(&u) && apply(&u));
    forget(&u);
    pg_model_table(u.m, NULL, "users")->indexes[0].name = "by_hand";
    add(&u, "table", "users", "id i64 | key\nname str | unique", "");
    REQUIRE(plan(&u) && u.p->nsteps == 0 && u.p->diagnostics.n == 0);
    end(&u);
}

TEST(a_partial_unique_index_is_no_unique_column)
{
    struct unit u = begin();
    add(&u, "table", "users", "id i64 | key\nname str", "unique_index name;where id > 5");
    REQUIRE(plan(&u) && apply(&u));
    forget(&u);
    add(&u, "table", "users", "id i64 | key\nname str | unique", "unique_index name;where id > 5");
    REQUIRE(plan(&u) && u.p->nsteps == 2 && apply(&u) && plan(&u) && u.p->nsteps == 0);
    forget(&u);
    add(&u, "table", "posts", "id i64 | key\nby str | references users;name", "");
    REQUIRE(plan(&u) && apply(&u));
    forget(&u);
    pg_model_table(u.m, NULL, "users")->nuniques = 0; /* the partial index alone is nothing to refer to */
    add(&u, "table", "other", "id i64 | key\nby str | references users;name", "");
    CHECK(!plan(&u) && error(&u, "is not unique"));
    end(&u);
}

TEST(a_rule_before_others_leaves_theirs_alone)
{
    struct unit u = begin();
    add(&u, "table", "users", "id i64 | key\na i32 | check a > 1", "index a;where a > 1");
    REQUIRE(plan(&u) && apply(&u));
    forget(&u);
    add(&u, "table", "users", "id i64 | key\na i32 | check a > 0 | check a > 1",
        "index a;where a > 0\nindex a;where a > 1");
    REQUIRE(plan(&u) && u.p->nsteps == 3 && apply(&u)); /* one check, its validation, one index */
    CHECK(pg_model_table(u.m, NULL, "users")->nchecks == 2 && pg_model_table(u.m, NULL, "users")->nindexes == 2);
    CHECK(plan(&u) && u.p->nsteps == 0);
    end(&u);
}

TEST(a_name_that_something_else_has_is_not_taken)
{
    struct unit u = begin();
    add(&u, "table", "users", "id i64 | key\nname str\nage i32 | index", "");
    REQUIRE(plan(&u) && apply(&u));
    struct pg_index *x = &pg_model_table(u.m, NULL, "users")->indexes[0];
    x->name = "users_name_idx"; /* on age, by hand */
    x->made = false;
    forget(&u);
    add(&u, "table", "users", "id i64 | key\nname str | index\nage i32", "");
    REQUIRE(plan(&u) && u.p->nsteps == 1);
    CHECK_STR(u.p->steps[0].object, "users_name_idx_2");
    CHECK(apply(&u) && plan(&u) && u.p->nsteps == 0);
    end(&u);
}

TEST(a_renamed_table_keeps_what_it_has)
{
    struct unit u = begin();
    add(&u, "table", "people", "id i64 | key\nmail str | unique", "");
    add(&u, "table", "posts", "id i64 | key\nby i64 | references people;id", "");
    REQUIRE(plan(&u) && apply(&u));
    forget(&u);
    add(&u, "table", "users", "id i64 | key\nemail str | unique | renamed_from mail", "table_renamed_from people");
    add(&u, "table", "posts", "id i64 | key\nby i64 | references users;id", "");
    REQUIRE(plan(&u) && u.p->nsteps == 2);
    CHECK(u.p->steps[0].kind == PG_STEP_RENAME_TABLE && u.p->steps[1].kind == PG_STEP_RENAME_COLUMN);
    REQUIRE(u.p->steps[0].nsql == 6); /* with what was noted of it */
    CHECK(strstr(u.p->steps[0].sql[1], "UPDATE cell.objects SET table_name = 'users'") != NULL);
    end(&u);
}

TEST(steps_by_hand_are_carried_out_once_and_not_on_a_new_table)
{
    struct unit u = begin();
    add(&u, "table", "users", "id i64 | key", "step first;UPDATE users SET id = 1");
    REQUIRE(plan(&u));
    for (uint32_t i = 0; i < u.p->nsteps; i++)
        CHECK(u.p->steps[i].kind != PG_STEP_HAND_STEP);
    REQUIRE(apply(&u) && plan(&u) && u.p->nsteps == 0);
    forget(&u);
    add(&u, "table", "users", "id i64 | key\nn opt<i32>",
        "step first;UPDATE users SET id = 1\nstep second;UPDATE \"public\".\"users\" SET id = 2\\; DELETE FROM "
        "cell.objects WHERE kind = ('a', 'b', 'c', 'd')");
    REQUIRE(plan(&u) && u.p->nsteps == 2);
    CHECK(u.p->steps[0].kind == PG_STEP_HAND_STEP && u.p->steps[0].mode == PG_ALONE && u.p->steps[0].nsql == 3);
    CHECK_STR(u.p->steps[0].object, "second");
    end(&u);
}

TEST(what_is_around_a_table_is_made_once)
{
    struct unit u = begin();
    u.m->vector = PG_EXTENSION_AVAILABLE;
    add(&u, "table", "a", "id i64 | key\nv f32[3]\nm mood | sql_type feeling", "schema app");
    add(&u, "table", "b", "id i64 | key\nv f32[3]\nm mood | sql_type feeling", "schema app");
    REQUIRE(plan(&u) && u.p->nsteps == 5 && apply(&u));
    CHECK_STR(u.p->steps[0].sql[0], "CREATE SCHEMA \"app\"");
    CHECK_STR(u.p->steps[1].sql[0], "CREATE EXTENSION IF NOT EXISTS \"vector\"");
    CHECK_STR(u.p->steps[2].sql[0], "CREATE TYPE \"app\".\"feeling\" AS ENUM ('sad', 'ok', 'happy')");
    end(&u);
}

TEST(an_array_serves_where_there_was_no_vector)
{
    struct unit u = begin();
    add(&u, "table", "a", "id i64 | key\nv f32[3]", "");
    REQUIRE(plan(&u) && apply(&u));
    forget(&u);
    u.m->vector = PG_EXTENSION_INSTALLED;
    add(&u, "table", "a", "id i64 | key\nv f32[3]", "");
    REQUIRE(plan(&u) && u.p->nsteps == 0);
    CHECK(u.p->tables[0].columns[1].type.base == PG_BASE_FLOAT4 && u.p->tables[0].columns[1].type.array);
    end(&u);
}

TEST(defaults_and_comments_follow_the_struct)
{
    struct unit u = begin();
    add(&u, "table", "a", "id i64 | key\nn i32 | default 1 | doc One.", "");
    REQUIRE(plan(&u) && apply(&u));
    forget(&u);
    add(&u, "table", "a", "id i64 | key\nn i32 | default 2 | doc Two.", "");
    REQUIRE(plan(&u) && u.p->nsteps == 2 && apply(&u));
    forget(&u);
    add(&u, "table", "a", "id i64 | key\nn i32", "");
    REQUIRE(plan(&u) && u.p->nsteps == 1 && u.p->steps[0].kind == PG_STEP_DROP_DEFAULT && apply(&u));
    pg_model_table(u.m, NULL, "a")->columns[1].standard.sql = "5"; /* by hand: stays */
    REQUIRE(plan(&u) && u.p->nsteps == 0);
    end(&u);
}

TEST(a_column_is_numbered_behind_what_it_has)
{
    struct unit u = begin();
    add(&u, "table", "a", "id i64 | key", "");
    REQUIRE(plan(&u) && apply(&u));
    forget(&u);
    add(&u, "table", "a", "id i64 | key | auto", "");
    REQUIRE(plan(&u) && u.p->nsteps == 1 && u.p->steps[0].kind == PG_STEP_SET_IDENTITY && apply(&u));
    CHECK(strstr(u.p->steps[0].sql[1], "setval(pg_get_serial_sequence('\"public\".\"a\"', 'id')") != NULL);
    REQUIRE(plan(&u) && u.p->nsteps == 0);
    end(&u);
}

TEST(a_plan_has_the_same_id_for_the_same_steps)
{
    struct unit u = begin();
    add(&u, "table", "a", "id i64 | key", "");
    REQUIRE(plan(&u));
    char id[33];
    memcpy(id, u.p->id, sizeof(id));
    CHECK(strlen(id) == 32 && strspn(id, "0123456789abcdef") == 32);
    REQUIRE(plan(&u));
    CHECK_STR(u.p->id, id);
    json_t *json = pg_plan_json(u.p), *step = json_array_get(json_object_get(json, "steps"), 0);
    CHECK_STR(json_string_value(json_object_get(json, "id")), id);
    CHECK_STR(json_string_value(json_object_get(step, "kind")), "create-table");
    json_decref(json);
    forget(&u);
    add(&u, "table", "a", "id i64 | key\nn i32", "");
    REQUIRE(plan(&u));
    CHECK(strcmp(u.p->id, id) != 0);
    end(&u);
}

/* Of the step of that kind, as a plan writes it. */
static void copy_step_id(const struct unit *u, const char *kind, char id[33])
{
    json_t *json = pg_plan_json(u->p), *step;
    size_t i;

    id[0] = '\0';
    json_array_foreach(json_object_get(json, "steps"), i, step)
    {
        if (strcmp(json_string_value(json_object_get(step, "kind")), kind) == 0)
            snprintf(id, 33, "%s", json_string_value(json_object_get(step, "id")));
    }
    json_decref(json);
}

TEST(a_step_that_several_tables_need_is_one_that_each_of_them_has)
{
    char schema[33], type[33], again[33];
    const struct pg_step *step;
    struct unit u = begin();

    add(&u, "table", "a", "id i64 | key\nm mood | sql_type mood", "schema s");
    add(&u, "table", "b", "id i64 | key\nm mood | sql_type mood\nn mood | sql_type mood", "schema s");
    add(&u, "table", "c", "id i64 | key", "schema s");
    REQUIRE(plan(&u) && u.p->nsteps == 5);
    step = pg_find_step(u.p, PG_STEP_CREATE_SCHEMA, "s");
    REQUIRE(step && step->declared == 0 && step->nshares == 2);
    CHECK(step->shares[0].declared == 1 && step->shares[1].declared == 2);
    step = pg_find_step(u.p, PG_STEP_CREATE_ENUM, "mood");
    REQUIRE(step && step->declared == 0 && step->nshares == 1 && step->shares[0].declared == 1);
    CHECK_STR(step->shares[0].text, step->text);
    copy_step_id(&u, "create-schema", schema);
    copy_step_id(&u, "create-enum", type);
    CHECK(strlen(schema) == 32 && strlen(type) == 32 && strcmp(schema, type) != 0);
    forget(&u);
    /* Whoever else is there; a new table with whatever another struct has of it. */
    add(&u, "table", "c", "id i64 | key\nm mood | sql_type mood", "schema s");
    REQUIRE(plan(&u));
    copy_step_id(&u, "create-schema", again);
    CHECK_STR(again, schema);
    copy_step_id(&u, "create-enum", again);
    CHECK_STR(again, type);
    copy_step_id(&u, "create-table", schema);
    add(&u, "table", "c", "id i64\nn i32", "schema s");
    REQUIRE(plan(&u));
    copy_step_id(&u, "create-table", again);
    CHECK_STR(again, schema);
    end(&u);
}

TEST(enums_of_one_type_have_the_same_values)
{
    static const char *const both[] = {"id i64 | key\nm mood | sql_type feeling",
                                       "id i64 | key\nt temper | sql_type feeling"};
    struct unit u = begin();

    for (int other = 0; other < 2; other++) {
        add(&u, "table", "a", both[other], "");
        add(&u, "table", "b", both[!other], "");
        CHECK(!plan(&u) && u.p->nsteps == 0);
        const struct pg_diagnostic *d = error(&u, other ? "'happy' is one of struct 'b_t' and not of struct 'a_t'"
                                                        : "'happy' is one of struct 'a_t' and not of struct 'b_t'");
        CHECK(d && d->declared == 1 && d->field && strcmp(d->field, other ? "m" : "t") == 0);
        forget(&u);
    }
    add(&u, "table", "a", both[1], "");
    add(&u, "table", "b", both[1], "");
    CHECK(plan(&u) && u.p->nsteps == 3);
    forget(&u);
    /* Of one struct. */
    struct pg_declared *d =
        pg_build(u.m, "table", "a", "id i64 | key\nm mood | sql_type feeling\nt temper | sql_type feeling", "");
    const struct pg_diagnostic *said =
        pg_find_diagnostic(&d->diagnostics, PG_ERROR, "'happy' is one of a field before this one, and not of this one");
    CHECK(said && said->field && strcmp(said->field, "t") == 0);
    pg_declared_free(d);
    end(&u);
}

TEST(a_declaration_with_errors_has_no_steps_and_confuses_no_other)
{
    struct unit u = begin();
    add(&u, "table", "a", "id i64 | key", "");
    u.d[u.n++] = pg_build(u.m, "table", "b", "id i64 | kee", "");
    REQUIRE(plan(&u));
    CHECK(u.p->nsteps == 1 && u.p->steps[0].declared == 0);
    end(&u);
}

TEST(equal_models_are_equal_whatever_the_order)
{
    struct unit u = begin(), v = begin();
    add(&u, "table", "a", "id i64 | key\nn i32 | index | check n > 0\nm i32 | unique | check m > 0", "");
    add(&v, "table", "a", "id i64 | key\nm i32 | unique | check m > 0\nn i32 | index | check n > 0", "");
    REQUIRE(plan(&u) && apply(&u) && plan(&v) && apply(&v));
    CHECK(pg_model_equal(u.m, v.m) && pg_model_equal(v.m, u.m));
    v.m->tables[0].checks[0].valid = false;
    CHECK(!pg_model_equal(u.m, v.m));
    v.m->tables[0].checks[0].valid = true;
    v.m->tables[0].columns[1].nullable = true;
    CHECK(!pg_model_equal(u.m, v.m));
    end(&u);
    end(&v);
}
