/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The method for tables that others have made. */
#include "postgres.h"

#include "expand_parts.h"
#include "import_catalog.h"
#include "service.h"

static int no_memory(cell_ctx *c) { return cell_fail(c, CELL_NO_MEMORY, "out of memory"); }

static int give(cell_ctx *c, const struct pg_import *import, struct postgres_header *header)
{
    cell_str *lost = cell_ctx_alloc(c, (import->nlost + 1u) * sizeof(*lost));
    cell_str text = cell_ctx_copy(c, cell_strz(import->header));

    if (!lost || !text.ptr)
        return no_memory(c);
    for (uint32_t i = 0; i < import->nlost; i++) {
        lost[i] = cell_ctx_copy(c, cell_strz(import->lost[i]));
        if (!lost[i].ptr)
            return no_memory(c);
    }
    *header = (struct postgres_header){text, import->ntables, {lost, import->nlost}};
    return CELL_OK;
}

/* A name that may go into a query: NULL when it has a NUL, or memory is short. */
static const char *name_of(cell_ctx *c, cell_str text)
{
    cell_str copy = cell_ctx_copy(c, text);

    return copy.ptr && strlen(copy.ptr) == text.len ? copy.ptr : NULL;
}

int postgres_import(cell_ctx *c, cell_str schema, cell_list_str tables, bool rows, struct postgres_header *header)
{
    struct pg_service *s = cell_ctx_user(c);
    const char **names = cell_ctx_alloc(c, (tables.len + 1) * sizeof(*names)), *wanted = NULL;
    struct pg_import *import = NULL;
    PGconn *conn = NULL;
    struct pg_failure f;

    if (!names)
        return no_memory(c);
    if (schema.len && !(wanted = name_of(c, schema)))
        return cell_fail(c, CELL_INVALID_ARGUMENT, "the name of a schema holds no NUL");
    for (uint64_t i = 0; i < tables.len; i++)
        if (!(names[i] = name_of(c, tables.ptr[i])))
            return cell_fail(c, CELL_INVALID_ARGUMENT, "the name of a table holds no NUL");
    int64_t deadline_ms = pg_deadline_of(c);
    int r = pg_lease_take(&s->leases, deadline_ms, &conn, &f);
    if (r >= 0)
        r = pg_import_schema(conn, wanted, names, (uint32_t)tables.len, rows, deadline_ms, &import, &f);
    r = pg_lease_give(&s->leases, conn, r, &f);
    if (r < 0)
        return pg_answer_failure(c, &f);
    r = give(c, import, header);
    pg_import_free(import);
    return r;
}
