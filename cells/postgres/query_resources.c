/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Which columns a query relies on. The server tells of a result where its columns come from, and nothing of those in
 * conditions, so it is the names in the statement that count: of tables, and of columns that one of these has. That is
 * never too little, and too much only where something else has a column's name.
 */
#include <stdlib.h>
#include <string.h>

#include "catalog.h"
#include "expand_parts.h"

static int read_tables(PGconn *conn, struct pg_arena *arena, const char *sql, int64_t deadline_ms,
                       struct pg_model **model, struct pg_failure *f)
{
    const char *(*names)[2] = NULL;
    uint32_t n = pg_uses_tables(arena, sql, &names);
    struct pg_wanted *wanted = calloc(n + 1u, sizeof(*wanted));

    if (!wanted || (n && !names)) {
        free(wanted);
        return pg_fail(f, CELL_NO_MEMORY, "out of memory");
    }
    for (uint32_t i = 0; i < n; i++)
        wanted[i] = (struct pg_wanted){names[i][0], names[i][1], false};
    int r = pg_catalog_read(conn, wanted, n, deadline_ms, model, f);
    free(wanted);
    return r;
}

int pg_query_resources(PGconn *conn, const char *sql, const struct pg_plan *plan, int64_t deadline_ms, json_t *document,
                       struct pg_failure *f)
{
    struct pg_arena arena = {0};
    struct pg_model *model = NULL;
    uint32_t planned = plan ? plan->ntables : 0, n = 0;
    int r = read_tables(conn, &arena, sql, deadline_ms, &model, f);
    const struct pg_table **tables = r < 0 ? NULL : calloc(planned + model->ntables + 1u, sizeof(struct pg_table *));

    if (r >= 0 && !tables)
        r = pg_fail(f, CELL_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; r >= 0 && i < planned; i++)
        if (plan->tables[i].columns)
            tables[n++] = &plan->tables[i];
    for (uint32_t i = 0; r >= 0 && i < model->ntables; i++) {
        bool changes = false;
        for (uint32_t k = 0; k < planned && !changes; k++)
            changes = strcmp(plan->tables[k].name, model->tables[i].name) == 0 &&
                      strcmp(plan->tables[k].schema, model->tables[i].schema) == 0;
        if (!changes)
            tables[n++] = &model->tables[i];
    }
    if (r >= 0 && pg_uses_put_statement(document, sql, tables, n) < 0)
        r = pg_fail(f, CELL_NO_MEMORY, "out of memory");
    free(tables);
    pg_model_free(model);
    pg_arena_free(&arena);
    return r;
}
