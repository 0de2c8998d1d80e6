/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Bound methods: what a client's method does is told by its binding, a JSON text that the cell has made when the
 * program was compiled, and that now comes from the client. So nothing in it is believed: the statement runs with the
 * rights of the cell's own connection to the database, but types, places in structs and sizes are checked against the
 * client's descriptors and against what the database says of the statement.
 *
 * The binding, of which members beyond these are ignored:
 *
 *     "v": 1
 *     "op": "row"     at most one row, into out parameters; none: CELL_NOT_FOUND
 *           "rows"    all rows, into a list that is an out parameter
 *           "stream"  the rows, as records of the stream
 *           "count"   one row of one column, into an out parameter, or as the result when there is none
 *           "exec"    no rows: the result is how many were affected, at most INT_MAX
 *           "many"    the statement once for each element of the list parameter, in one transaction; result as exec
 *           "load"    likewise for each record of the client's stream
 *     "sql": one statement; of many and load the INSERT of one row
 *     "in":  [{"from": "row.email", "type": "text"}]
 *            of $1, $2, …: a parameter, or a field of a struct parameter; of many and load the path begins with the
 *            list's or stream's name. "type" as format_type() prints it; "column" when it is the value of a column of
 *            another name than the field's
 *     "out": [{"to": "row.id", "type": "bigint", "null": false}]
 *            of the columns in their order; the path begins with an out parameter, the stream, or the list
 *     "enum": {"label": 0, …} in either, when a C enum is a text or an enum of the database
 *     "copy": of many and load: "COPY … FROM STDIN (FORMAT binary)", whose columns are those of "in"
 *     "write", "retry", "shared": pg_run_flags
 *     "must": exec without an affected row is CELL_NOT_FOUND
 *     "table": the table's name, for sentences; of the functions of a struct alone
 *     "each": of row: several executions of it that come together may become one statement, which the cell makes of
 *             `sql`
 */
#ifndef CELLS_POSTGRES_STATEMENT_H
#define CELLS_POSTGRES_STATEMENT_H

#include <cell/desc.h>

#include <cell/server.h>

#include "pool.h"

struct pg_statement;

/*
 * Binds `method` to what `binding` says: reads it, checks it against the descriptors, has the database prepare the
 * statement, and compares parameters and columns. `method` must outlive it. Fails with CELL_INVALID_ARGUMENT when the
 * binding is not one for this method; CELL_FAILED_PRECONDITION when the database's tables are not those that the
 * program was built for; and as pg_pool_run. Thread-safe.
 */
int pg_statement_bind(struct pg_pool *pool, const struct cell_method *method, const char *binding,
                      const struct pg_patience *patience, struct pg_statement **statement, struct pg_failure *f);
/*
 * Whether the database's table is the one that the program was built for, as far as `method` can tell: of the functions
 * of a struct those that stream have all of its columns, so that others are not asked about. Fails as
 * pg_statement_bind, but says nothing of a binding that is not one, nor of a query, whose own binding tells it.
 * Thread-safe.
 */
int pg_statement_check(struct pg_pool *pool, const struct cell_method *method, const char *binding,
                       const struct pg_patience *patience, struct pg_failure *f);
void pg_statement_free(struct pg_statement *s); /* must not be running; NULL is accepted */

/*
 * Executes it: `in` is the decoded request struct, `out` one pointer for each out parameter, as a handler has them.
 * Memory of the reply comes from `c`, records go through cell_ctx_stream(c). On `link` when it is not NULL, the one of
 * the caller's transaction. Returns the method's result. CELL_NOT_FOUND without a row; CELL_DATA_LOSS for a NULL in a
 * field that is not optional, or a value that the field cannot hold; CELL_INVALID_ARGUMENT, CELL_OUT_OF_RANGE for a
 * value that the column cannot hold, naming the field. A query that fails has written nothing; one whose rows cannot be
 * taken makes the transaction of `link` fail. Thread-safe.
 */
int pg_statement_run(struct pg_statement *s, cell_ctx *c, struct pg_link *link, const void *in, void *const *out,
                     struct pg_failure *f);

/*
 * Whether it has failed with *f because a type that is not built in was made anew, by a restored dump for one: it is
 * known by the number that it had when the statement was bound. Then another binding of the method serves.
 */
bool pg_statement_is_stale(const struct pg_statement *s, const struct pg_failure *f);
/* Such a statement once more, bound anew for this execution, where the failed one has written nothing and the client's
 * stream is untouched; else *f stays. As pg_statement_run without a transaction. */
int pg_statement_run_anew(const struct pg_statement *s, cell_ctx *c, const void *in, void *const *out,
                          struct pg_failure *f);

/*
 * The same without waiting, for a statement that is executed once and needs no connection of its own: it ends `later`,
 * or has it resumed with a state for pg_statement_resume, which returns what pg_statement_run does. False: nothing was
 * begun. It may be sent by pg_pool_flush only.
 */
bool pg_statement_begin(struct pg_statement *s, cell_ctx *c, const void *in, void *const *out,
                        struct cell_later *later);
/* Sets *stale, to be run anew by the caller, when pg_statement_is_stale. */
int pg_statement_resume(cell_ctx *c, void *state, bool *stale, struct pg_failure *f);

#endif
