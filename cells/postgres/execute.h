/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Statements that are known only at run time: any one, with bound parameters, text in and text out. */
#ifndef CELLS_POSTGRES_EXECUTE_H
#define CELLS_POSTGRES_EXECUTE_H

#include "engine.h"

#define PG_EXECUTE_MAX_BYTES (8u << 20) /* of a result */
#define PG_EXECUTE_MAX_PARAMETERS 1000

struct pg_execute_value {
    bool null;
    cell_str text;
};

struct pg_execute_column {
    cell_str name, type; /* as format_type() prints it */
};

/* Memory of the context. */
struct pg_execute_result {
    struct pg_execute_column *columns;
    size_t ncolumns;
    struct pg_execute_value *values; /* row by row */
    size_t nrows, room;
    uint64_t affected;
    cell_str command; /* "INSERT", … */
};

/*
 * Executes `sql`, one statement, in the transaction of the call that runs on `c` or in one of its own. Nothing of the
 * parameters becomes text of the statement. CELL_INVALID_ARGUMENT for several statements and for those that belong to a
 * connection (transactions, SET, LISTEN, COPY, cursors); CELL_TOO_LARGE for a result over PG_EXECUTE_MAX_BYTES;
 * then, as after every failure of a query, nothing was written; otherwise as pg_pool_run.
 */
int pg_execute(struct pg_engine *engine, cell_ctx *c, cell_str sql, const struct pg_execute_value *parameters,
               size_t nparameters, struct pg_execute_result *result, struct pg_failure *f);

/* Notifies, within the transaction of the call if it has one. Fails as the database says. */
int pg_notify(struct pg_engine *engine, cell_ctx *c, cell_str channel, cell_str payload, struct pg_failure *f);

#endif
