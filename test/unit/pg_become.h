/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* For tests in which tables of a real server become others. */
#ifndef CELL_TEST_PG_BECOME_H
#define CELL_TEST_PG_BECOME_H

#include "pg_migrate.h"

static PGconn *conn;

static inline bool server(void)
{
    if (!pg_fixture_url[0] && !pg_fixture(""))
        return false;
    conn = conn ? conn : migration_connect();
    return conn != NULL;
}

struct table {
    const char *name, *fields, *rules;
};

static inline int become(const struct table *tables, uint32_t n, struct migration *m)
{
    *m = (struct migration){.n = n};
    for (uint32_t i = 0; i < n; i++)
        m->requests[i] = pg_build_request("table", tables[i].name, tables[i].fields, tables[i].rules);
    int r = migrate(conn, m);
    if (r >= 0)
        r = migration_left(conn, m) == 0 ? CELL_OK : CELL_ABORTED;
    for (uint32_t i = 0; i < n; i++)
        json_decref(m->requests[i]);
    if (r < 0 && m->text[0])
        printf("%s\n", m->text);
    return r;
}

static inline bool becomes(const char *name, const char *fields, const char *rules)
{
    const struct table t = {name, fields, rules};
    struct migration m;

    return become(&t, 1, &m) >= 0;
}

static inline bool is(const char *sql, const char *expected)
{
    const char *value = migration_value(conn, sql);

    if (strcmp(value, expected) != 0)
        printf("%s: %s, not %s\n", sql, value, expected);
    return strcmp(value, expected) == 0;
}

/* The diagnostics of a plan for one table. */
static inline bool says(const char *name, const char *fields, const char *rules, enum pg_severity severity,
                        const char *text)
{
    json_t *request = pg_build_request("table", name, fields, rules);
    struct pg_unit u = {0};
    bool found = pg_unit_plan(conn, &request, 1, NULL, pg_now_ms() + 10000, &u, NULL) >= 0 &&
                 pg_find_diagnostic(&u.plan->diagnostics, severity, text);

    if (!found && u.plan)
        pg_print_diagnostics(&u.plan->diagnostics);
    pg_unit_free(&u);
    json_decref(request);
    return found;
}

#endif
