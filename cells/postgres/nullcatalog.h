/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The catalog of a connection's database, as the analysis of NULLs asks for it. */
#ifndef CELLS_POSTGRES_NULLCATALOG_H
#define CELLS_POSTGRES_NULLCATALOG_H

#include "failure.h"
#include "memory.h"
#include "nullable.h"

struct null_source;

/*
 * What it gives, and all that it remembers, lives in `arena`. It sees what the transaction that is open on `conn` sees,
 * and names are looked up along its search_path, as the server does. NULL when memory is short.
 */
struct null_source *null_source_new(struct pg_arena *arena, PGconn *conn);
struct null_catalog null_source_catalog(struct null_source *s);

/* CELL_OK, or how a question failed: then what the analysis says is not to be used, and a transaction is aborted. */
int null_source_failure(const struct null_source *s, struct pg_failure *f);

#endif
