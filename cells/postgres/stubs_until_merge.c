/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "generate.h"
#include "query.h"

const char pg_query_verbs[] = "{\"name\": \"query\", \"on\": [\"enum\"], \"args\": []}";
int pg_query_expand(PGconn *conn, const struct pg_query *query, const struct pg_query_check *check, json_t **document,
                    struct pg_failure *f)
{
    (void)conn, (void)query, (void)check, (void)document;
    return pg_fail(f, CELL_UNIMPLEMENTED, "queries come with a merge");
}
int pg_query_from_request(const json_t *request, struct pg_query *query, struct pg_failure *f)
{
    (void)request, (void)query;
    return pg_fail(f, CELL_UNIMPLEMENTED, "queries come with a merge");
}
int pg_generate_table(const struct pg_table *table, const json_t *declaration, bool read_only, json_t *document)
{
    (void)table, (void)declaration, (void)read_only, (void)document;
    return 0;
}
