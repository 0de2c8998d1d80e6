/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * From a table to the functions of a program: the types, methods and bindings (statement.h) that an expansion document
 * gets for a struct. Nothing here asks the database.
 */
#ifndef CELLS_POSTGRES_GENERATE_H
#define CELLS_POSTGRES_GENERATE_H

#include <jansson.h>
#include <stdbool.h>

#include "declare.h"
#include "model.h"

/*
 * Appends to the arrays "types", "methods" and "diagnostics" of `document`, making those that are missing, what the
 * struct of `declared` gets; `table` is as it is or will be in the database, and `declaration` the request's.
 *
 * With T = the struct, named t, of a table with a primary key:
 *   t_insert(inout row)  t_insert_many(t_rows rows)  t_load(stream in)  t_update(row)  t_upsert(inout row)
 * t_delete(key…) t_get(key…, out row)  t_find_by_COLUMNS(…, out row) of each unique key or index; with a stream of T of
 * the others t_list(opt after_KEY…, u32 limit, t_rows *rows)  t_list_by_COLUMNS(opt after_COLUMN…, opt after_KEY…, …)
 * in the order of an index  t_all(stream out)  t_count(u64 *count) Without a key those that need one are left out; for
 * CELL_ROWS, and what is no table, so are those that write. Keys and indexes are the declared ones; of CELL_ROWS, those
 * that the table has. An index with expressions or a condition gives no function, nor does one that is no btree give an
 * order; a column that may be NULL has no place in an order.
 *
 * Fields with CELL_AUTO and CELL_GENERATED are filled in by the database, and never sent; optional fields with
 * CELL_DEFAULT are when they are absent. So insert has the row as inout when there are such fields, and as in
 * otherwise. upsert looks for the row with the same primary key, or, when that is CELL_AUTO, with the same first unique
 * key.
 *
 * A name that the program's declaration has already is a diagnostic, "error", and the function is left out.
 * CELL_OK; CELL_INVALID_ARGUMENT when declaration and table do not belong together, CELL_NO_MEMORY; then the document
 * may be incomplete.
 */
int pg_generate_table(const struct pg_declared *declared, const struct pg_table *table, const json_t *declaration,
                      json_t *document);

#endif
