/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* For tests that carry out plans on a real server: one migration from requests, as the cell does it. */
#ifndef CELL_TEST_PG_MIGRATE_H
#define CELL_TEST_PG_MIGRATE_H

#include "pg_build.h"
#include "pg_fixture.h"
#include "postgres/apply.h"
#include "postgres/unit.h"

struct migration {
    json_t *requests[4]; /* borrowed */
    uint32_t n;
    struct pg_known known;
    struct pg_migration_options options; /* policy and deadline are set when they are 0 */
    uint32_t nsteps;                     /* that were carried out */
    char text[512];                      /* of the failure */
    char field[64];                      /* that it is at; "" = none */
};

static inline PGconn *migration_connect(void)
{
    const struct pg_target target = {pg_fixture_url, "migrator"};
    struct pg_failure f;
    PGconn *conn = NULL;

    if (pg_connect(&target, 0, &conn, &f) < 0)
        printf("%s\n", f.text);
    return conn;
}

/* Runs SQL of several statements; a failure is one of the test. */
static inline void migration_sql(PGconn *conn, const char *sql)
{
    struct pg_failure f;

    if (pg_run(conn, sql, &f) < 0) {
        printf("%s: %s\n", sql, f.text);
        test_failures++;
    }
}

/* The first value of the first row. */
static inline const char *migration_value(PGconn *conn, const char *sql)
{
    static char text[256];
    PGresult *result = NULL;
    struct pg_failure f;

    snprintf(text, sizeof(text), "none");
    if (pg_query(conn, sql, 0, NULL, &result, &f) < 0)
        printf("%s: %s\n", sql, f.text);
    else if (PQntuples(result) > 0)
        snprintf(text, sizeof(text), "%s", PQgetvalue(result, 0, 0));
    PQclear(result);
    return text;
}

/* How many steps are left to do; negative: a status, or an error in the declarations. */
static inline int migration_left(PGconn *conn, const struct migration *m)
{
    struct pg_unit u = {0};
    struct pg_failure f;
    int r = pg_unit_plan(conn, m->requests, m->n, &m->known, pg_now_ms() + 10000, &u, &f);

    if (r < 0) {
        printf("%s\n", f.text);
        return r;
    }
    r = (int)u.plan->nsteps;
    for (uint32_t i = 0; i < u.n; i++)
        if (pg_unit_has_errors(&u, i)) {
            pg_print_diagnostics(&u.declared[i]->diagnostics);
            pg_print_diagnostics(&u.plan->diagnostics);
            r = CELL_INVALID_ARGUMENT;
        }
    pg_unit_free(&u);
    return r;
}

/* Migrates until nothing is left to do. */
static inline int migrate(PGconn *conn, struct migration *m)
{
    struct pg_failure f = {0};
    uint32_t steps = 1;

    m->nsteps = 0;
    if (!m->options.policy)
        m->options.policy = PG_POLICY_APPLY;
    if (!m->options.deadline_ms)
        m->options.deadline_ms = pg_now_ms() + 20000;
    int r = pg_migration_begin(conn, &m->options, &f);
    for (int round = 0; r >= 0 && steps > 0 && round < 8; round++) {
        struct pg_unit u = {0};
        struct pg_applied applied = {0};
        r = pg_unit_plan(conn, m->requests, m->n, &m->known, m->options.deadline_ms, &u, &f);
        if (r < 0)
            break;
        steps = u.plan->nsteps;
        if (steps > 0)
            r = pg_apply(conn, u.plan, &m->options, &applied, &f);
        m->nsteps += applied.nsteps;
        const char *field = applied.part ? applied.part->field : applied.failed ? applied.failed->field : NULL;
        snprintf(m->field, sizeof(m->field), "%s", field ? field : "");
        pg_unit_free(&u);
    }
    if (PQstatus(conn) == CONNECTION_OK)
        pg_migration_end(conn);
    snprintf(m->text, sizeof(m->text), "%s", f.text);
    return r;
}

#endif
