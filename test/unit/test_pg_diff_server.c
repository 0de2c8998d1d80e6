/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The plans of random structs, carried out by PostgreSQL itself on a table that has rows: its catalog is then what was
 * declared, and nothing is left to do. */
// LIBS: cell_postgres_sanitized
#include "pg_fixture.h"
#include "pg_random.h"
#include "postgres/catalog.h"
#include "postgres/connect.h"
#include "postgres/sql.h"

static PGconn *conn;

static bool run(const char *sql)
{
    struct pg_failure f = {0};
    if (pg_run(conn, sql, &f) == CELL_OK)
        return true;
    printf("%s\n  %s\n", f.text, sql);
    return false;
}

static bool answers_true(const char *sql)
{
    struct pg_failure f = {0};
    PGresult *r = NULL;
    bool yes = pg_query(conn, sql, 0, NULL, &r, &f) == CELL_OK && strcmp(PQgetvalue(r, 0, 0), "t") == 0;
    PQclear(r);
    return yes;
}

static bool repeat(const char *sql)
{
    for (int i = 0; i < 20; i++) {
        PGresult *r = PQexec(conn, sql);
        bool ok = PQresultStatus(r) == PGRES_COMMAND_OK, none = ok && strcmp(PQcmdTuples(r), "0") == 0;
        if (!ok)
            printf("%s\n  %s\n", PQerrorMessage(conn), sql);
        PQclear(r);
        if (!ok || none)
            return ok;
    }
    printf("no end: %s\n", sql);
    return false;
}

static bool run_step(const struct pg_step *step)
{
    bool outside = step->mode == PG_OUTSIDE, ok = true;
    if (step->mode == PG_REPEATED) { /* the first one, the others behind it */
        ok = repeat(step->sql[0]);
        for (uint32_t k = 1; ok && k < step->nsql; k++)
            ok = run(step->sql[k]);
        return ok;
    }
    if (step->done && answers_true(step->done))
        return true;
    for (uint32_t k = 0; step->broken && answers_true(step->broken) && k < step->nrepair; k++)
        ok = ok && run(step->repair[k]);
    ok = ok && (outside || run("BEGIN"));
    for (uint32_t k = 0; k < step->nsql; k++)
        ok = ok && run(step->sql[k]);
    ok = ok && (outside || run("COMMIT"));
    if (!ok && !outside)
        run("ROLLBACK");
    return ok && (!step->done || answers_true(step->done));
}

static struct pg_model *read_catalog(void)
{
    struct pg_wanted wanted[] = {{NULL, "users", false}, {NULL, "teams", false}};
    struct pg_failure f = {0};
    struct pg_model *m = NULL;
    if (pg_catalog_read(conn, wanted, 2, pg_now_ms() + 60000, &m, &f) < 0)
        printf("%s\n", f.text);
    return m;
}

static bool insert_row(const struct random_table *t)
{
    char names[1024] = "team", values[1024] = "NULL", sql[4096], name[64];
    for (int i = 0; i < t->n; i++) {
        quoted_name(t->fields[i].name, name);
        put(names, sizeof(names), ", %s", name);
        put(values, sizeof(values), ", %s", types[t->fields[i].type].values[0]);
    }
    snprintf(sql, sizeof(sql), "INSERT INTO users (%s) VALUES (%s)", names, values);
    return run(sql);
}

static bool declared_again(struct random_table *t, struct pg_declared *d[2], struct pg_model **m, struct pg_plan **p)
{
    pg_declared_free(d[0]);
    pg_declared_free(d[1]);
    pg_plan_free(*p);
    pg_model_free(*m);
    *p = NULL;
    *m = read_catalog();
    d[0] = *m ? pg_build(*m, "table", "teams", "id i64 | key", "") : NULL;
    d[1] = *m ? declare_random(t, *m) : NULL;
    return d[0] && d[1] && pg_diff(*m, (const struct pg_declared *const *)d, 2, NULL, p) == 0 &&
           !pg_has_errors(&(*p)->diagnostics, UINT32_MAX) && !pg_has_errors(&d[1]->diagnostics, UINT32_MAX);
}

/* The catalog prints a table as the plan has said; what it prints of expressions is known again. */
static bool as_planned(const struct pg_model *m, const struct pg_table *planned)
{
    const struct pg_table *now = pg_model_table(m, NULL, "users");
    return now && pg_table_equal(now, planned);
}

static bool carry_out(const struct pg_plan *p)
{
    for (uint32_t i = 0; i < p->nsteps; i++)
        if (!run_step(&p->steps[i]))
            return false;
    return true;
}

static bool one_version(struct random_table *t, int version)
{
    struct pg_declared *d[2] = {NULL, NULL};
    struct pg_model *m = NULL;
    struct pg_plan *p = NULL, *none = NULL;
    bool ok = declared_again(t, d, &m, &p) && carry_out(p);
    struct pg_model *after = ok ? read_catalog() : NULL;
    ok = ok && after && as_planned(after, &p->tables[1]);
    ok = ok && pg_diff(after, (const struct pg_declared *const *)d, 2, NULL, &none) == 0 && none->nsteps == 0 &&
         !pg_has_errors(&none->diagnostics, UINT32_MAX);
    if (ok && version == 0)
        ok = insert_row(t);
    if (ok) /* and what this version has left as it was goes now */
        consent_to_rest(t, pg_model_table(after, NULL, "users"), &d[1]->table);
    ok = ok && declared_again(t, d, &m, &p) && carry_out(p);
    ok = ok && declared_again(t, d, &m, &p) && p->nsteps == 0;
    if (!ok) {
        printf("version %d\n", version);
        if (d[1])
            pg_print_diagnostics(&d[1]->diagnostics);
        if (p)
            pg_print_plan(p);
        if (none)
            pg_print_plan(none);
    }
    pg_plan_free(p);
    pg_plan_free(none);
    pg_model_free(after);
    pg_model_free(m);
    pg_declared_free(d[0]);
    pg_declared_free(d[1]);
    return ok;
}

static bool run_seed(uint64_t seed)
{
    struct random_table t = {.random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1};
    bool ok = run("DROP TABLE IF EXISTS users, teams") && run("DELETE FROM cell.objects");
    for (unsigned i = 1 + below(&t, 5); i > 0; i--)
        new_field(&t);
    for (int version = 0; version < 4 && ok; version++) {
        if (version > 0)
            edit(&t);
        ok = one_version(&t, version);
    }
    if (!ok)
        printf("seed %llu\n", (unsigned long long)seed);
    return ok;
}

/* False when PostgreSQL is not installed: then there is nothing to test. */
static bool connected(void)
{
    struct pg_failure f = {0};
    if (conn)
        return true;
    const char *url = pg_fixture(NULL);
    struct pg_target target = {url, "cell-test"};
    if (!url)
        return false;
    bool ok = pg_connect(&target, 0, &conn, &f) == CELL_OK;
    for (int i = 0; ok && pg_sql_objects_tables[i]; i++)
        ok = run(pg_sql_objects_tables[i]);
    CHECK(ok);
    return ok;
}

TEST(postgresql_makes_of_a_plan_what_is_declared)
{
    const char *only = getenv("PG_SEED");
    if (!connected())
        return;
    REQUIRE(run("CREATE SEQUENCE s; CREATE FUNCTION f(int) RETURNS bigint LANGUAGE sql AS 'SELECT 50::bigint'; "
                "CREATE FUNCTION g(text) RETURNS text LANGUAGE sql AS $$SELECT 'g'$$; "
                "CREATE FUNCTION h() RETURNS boolean LANGUAGE sql AS 'SELECT true'; "
                "CREATE FUNCTION k() RETURNS smallint LANGUAGE sql AS 'SELECT 2::smallint'"));
    uint64_t first = only ? strtoull(only, NULL, 10) : 1, last = only ? first : 12;
    for (uint64_t seed = first; seed <= last; seed++)
        REQUIRE(run_seed(seed));
}

/* Declares the table `users`: so many steps are missing. */
static bool missing(int steps, const char *fields, const char *rules)
{
    struct pg_model *m = read_catalog();
    struct pg_declared *d = m ? pg_build(m, "table", "users", fields, rules) : NULL;
    struct pg_plan *p = NULL;
    int n = -1;
    if (d && pg_diff(m, (const struct pg_declared *[]){d}, 1, NULL, &p) == 0 &&
        !pg_has_errors(&d->diagnostics, UINT32_MAX) && !pg_has_errors(&p->diagnostics, UINT32_MAX))
        n = (int)p->nsteps;
    if (n != steps && d && p) {
        pg_print_diagnostics(&d->diagnostics);
        pg_print_plan(p);
    }
    pg_plan_free(p);
    pg_declared_free(d);
    pg_model_free(m);
    return n == steps;
}

TEST(a_table_that_was_made_by_hand_is_taken_as_it_is)
{
    if (!connected())
        return;
    REQUIRE(run("DROP TABLE IF EXISTS users, teams; CREATE TABLE teams (id serial PRIMARY KEY); "
                "CREATE TYPE feeling AS ENUM ('sad', 'ok', 'happy'); "
                "CREATE TABLE users (id bigserial PRIMARY KEY, team int REFERENCES teams ON DELETE CASCADE, "
                "email varchar(200) NOT NULL UNIQUE CHECK (email LIKE '%@%' AND length(email) > 3), "
                "age smallint CHECK (age BETWEEN 0 AND 150), state text NOT NULL DEFAULT 'new' "
                "CHECK (state IN ('new', 'old')), price numeric(12,2) NOT NULL DEFAULT -1.5, "
                "at timestamptz NOT NULL DEFAULT now(), ip inet, tags text[] NOT NULL DEFAULT '{}', "
                "mood feeling NOT NULL DEFAULT 'ok', low text GENERATED ALWAYS AS (lower(email)) STORED, "
                "CONSTRAINT odd CHECK (age IS NULL OR (age > 1 AND NOT state = 'old') OR price::int % 2 = 1)); "
                "CREATE INDEX by_hand ON users (lower(state) DESC, age) WHERE age > 3 AND state <> 'x'; "
                "CREATE INDEX ON users USING gin (tags)"));
    CHECK(missing(0,
                  "id i64 | key | auto\nteam opt<i32> | references teams;id;on delete cascade\n"
                  "email str | sql_type varchar(200) | unique | check email like '%@%' and length(email) > 3\n"
                  "age opt<i16> | range 0;150\nstate str | default 'new' | check state in ('new', 'old')\n"
                  "price str | sql_type numeric(12,2) | default -1.5\nat i64 | sql_type timestamptz | auto\n"
                  "ip opt<str> | sql_type inet\ntags list<str> | default '{}' | index gin\n"
                  "mood mood | sql_type feeling | default 'ok'\nlow opt<str> | generated lower(email)",
                  "index lower(state) desc, age;where age > 3 and state != 'x'\n"
                  "check age is null or age > 1 and not state = 'old' or price::int % 2 = 1"));
}

TEST(what_is_changed_by_hand_is_seen)
{
    static const char fields[] = "id i64 | key\nname str | default lower('X') | check name <> upper('y') | index";
    if (!connected())
        return;
    REQUIRE(run("DROP TABLE IF EXISTS users, teams; DELETE FROM cell.objects"));
    struct pg_model *m = read_catalog();
    struct pg_declared *d = pg_build(m, "table", "users", fields, "");
    struct pg_plan *p = NULL;
    REQUIRE(pg_diff(m, (const struct pg_declared *[]){d}, 1, NULL, &p) == 0 && carry_out(p));
    pg_plan_free(p);
    pg_declared_free(d);
    pg_model_free(m);
    CHECK(missing(0, fields, ""));
    REQUIRE(run("ALTER TABLE users ALTER COLUMN name SET DEFAULT 'by hand', DROP CONSTRAINT users_name_check, "
                "ADD CONSTRAINT users_name_check CHECK (name <> 'z'); DROP INDEX users_name_idx"));
    CHECK(missing(6, fields, "")); /* default; the check gives way, the next one, its validation, its end; index */
    PQfinish(conn);
    conn = NULL;
}
