/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What the files that answer compilers share. */
#ifndef CELLS_POSTGRES_EXPAND_PARTS_H
#define CELLS_POSTGRES_EXPAND_PARTS_H

#include "common/document.h"

#include "query.h"
#include "service.h"
#include "unit.h"

/* The end of the call that runs on `c`, of pg_now_ms, but for a tenth of what is left. */
int64_t pg_deadline_of(cell_ctx *c);

/* Orders a list of objects by their "name", as schemas and documents have them. */
int pg_sort_by_name(json_t *array);

/* "ada (uid 1000), clang": who asks, as the kernel and the program itself say; in `text`, which it returns. */
#define PG_WHO_SIZE 256
const char *pg_describe_caller(cell_ctx *c, char text[PG_WHO_SIZE]);

/* query_resources.c: names in the document the columns that the statement may use, as they are, or will be by the plan
 * (NULL = none) that is pending before it. */
int pg_query_resources(PGconn *conn, const char *sql, const struct pg_plan *plan, int64_t deadline_ms, json_t *document,
                       struct pg_failure *f);

/* expand_pending.c: pg_query_check.pending of a unit (`user`), without a lock on anything that is there. */
int pg_show_pending(void *user, PGconn *conn, struct pg_arena *arena, pg_stand_ins *made, struct pg_failure *f);

#define PG_TOKEN_SIZE 65
int pg_state_token(cell_ctx *c, int64_t deadline_ms, char token[PG_TOKEN_SIZE], struct pg_failure *f);

#endif
