/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * From a table to the functions of a program: the types, methods and bindings (statement.h) that an expansion document
 * gets for a struct. Nothing here asks the database.
 */
#ifndef CELLS_POSTGRES_GENERATE_H
#define CELLS_POSTGRES_GENERATE_H

#include <jansson.h>
#include <stdbool.h>

#include "model.h"

/*
 * For `table` as the struct declares it, and the request's "declaration" (docs/protocol.md, "Expansion request"),
 * appends to the arrays "types", "methods" and "diagnostics" of `document`, making those that are missing.
 *
 * With T = the struct, named t, of a table with a primary key:
 *   t_insert(inout row)  t_insert_many(t_rows rows)  t_load(stream in)  t_update(row)  t_upsert(inout row)
 * t_delete(key…) t_get(key…, out row)  t_find_by_COLUMNS(…, out row) of each unique index; with a stream of t of the
 * others t_list(opt after…, u32 limit, t_rows *rows)  t_list_by_COLUMNS(…) likewise, in the order of an index
 *   t_all(stream out)  t_count(u64 *count)
 * Without a key those that need one are left out; with `read_only` (a struct that only reads the table) so are those
 * that change it. An index with expressions or a condition is used only for what it can answer: it gives no function.
 * A name that the program's declaration or another function has is a diagnostic, "error", and the function is left out.
 *
 * insert fills in the columns that the database fills: identity and generated columns always; columns with a default
 * are sent like any other, unless their field is CELL_AUTO.
 *
 * CELL_OK; CELL_INVALID_ARGUMENT when the declaration and the table do not belong together, CELL_NO_MEMORY; then the
 * document may be incomplete.
 */
int pg_generate_table(const struct pg_table *table, const json_t *declaration, bool read_only, json_t *document);

#endif
