/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "import_catalog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "catalog.h"
#include "import_sql.h"

struct findings {
    PGresult *facts, *types;
};

/* The rows of a query as facts; `facts` is freed with free(), its texts belong to the result. */
static struct pg_import_fact *read_facts(const PGresult *result)
{
    int n = PQntuples(result);
    struct pg_import_fact *facts = calloc((size_t)n + 1, sizeof(*facts));

    for (int i = 0; facts && i < n; i++)
        facts[i] = (struct pg_import_fact){
            .table = PQgetvalue(result, i, 0),
            .column = PQgetisnull(result, i, 1) ? NULL : PQgetvalue(result, i, 1),
            .text = PQgetvalue(result, i, 2),
            .unfit = PQgetvalue(result, i, 3)[0] == 't',
        };
    return facts;
}

static bool has_schema(const struct pg_model *model, const char *schema)
{
    return pg_model_has_schema(model, schema ? schema : model->default_schema);
}

static int no_schema(const struct pg_model *model, const char *schema, struct pg_failure *f)
{
    const char *name = schema ? schema : model->default_schema;
    const char *near = pg_suggest(name, model->schemas, model->nschemas);

    return pg_fail(f, CELL_NOT_FOUND, near ? "there is no schema '%s'; did you mean '%s'?" : "there is no schema '%s'",
                   name, near);
}

static int write_header(const struct pg_model *model, const struct findings *found, struct pg_import_options *options,
                        struct pg_import **import, struct pg_failure *f)
{
    struct pg_import_fact *facts = read_facts(found->facts);
    int ntypes = PQntuples(found->types), r = CELL_NO_MEMORY;
    const char **types = calloc((size_t)ntypes + 1, sizeof(*types));
    char why[256] = "out of memory";

    for (int i = 0; types && i < ntypes; i++)
        types[i] = PQgetvalue(found->types, i, 0);
    options->facts = facts;
    options->nfacts = (uint32_t)PQntuples(found->facts);
    options->types = types;
    options->ntypes = (uint32_t)ntypes;
    if (facts && types)
        r = pg_import_tables(model, options, import, why);
    free(facts);
    free(types);
    return r < 0 ? pg_fail(f, r, "%s", why) : CELL_OK;
}

int pg_import_schema(PGconn *conn, const char *schema, const char *const *tables, uint32_t ntables, bool rows,
                     int64_t deadline_ms, struct pg_import **import, struct pg_failure *f)
{
    const struct pg_wanted wanted = {schema, NULL, false};
    struct pg_import_options options = {
        .schema = schema, .tables = ntables ? tables : NULL, .ntables = ntables, .rows = rows};
    struct pg_model *model = NULL;
    struct findings found = {NULL, NULL};
    int r = pg_catalog_read(conn, &wanted, 1, deadline_ms, &model, f);

    if (r >= 0 && !has_schema(model, schema))
        r = no_schema(model, schema, f);
    if (r >= 0)
        r = pg_query(conn, SQL_FACTS, 1, &schema, &found.facts, f);
    if (r >= 0)
        r = pg_query(conn, SQL_TYPES, 1, &schema, &found.types, f);
    if (r >= 0)
        r = write_header(model, &found, &options, import, f);
    PQclear(found.facts);
    PQclear(found.types);
    pg_model_free(model);
    return r;
}
