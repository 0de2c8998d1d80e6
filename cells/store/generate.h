/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The functions of a collection, for an expansion document. With N the collection, T the struct and K its key:
 *
 *   N_put(row)  N_put_many(rows)  N_get(K…, out row)  N_delete(K…)  N_count(out count)
 *   N_put_if(inout row)  N_delete_if(row)                            with CELL_VERSION
 *   N_scan(range, stream out)  N_list(range, limit, out rows)
 *   N_by_I(I…, out row)  or  N_by_I(I…, stream out)                  of an index I that is unique, or is not
 *   N_scan_by_I(range, stream out)  N_list_by_I(range, limit, out rows)
 *   N_changes(after, follow, stream out)  N_snapshot(lease_ms, out view)  N_snapshot_end(token)
 *
 * A binding is JSON: {"v": 1, "collection": N, "op": …, "index": [fields], "version": field}, where
 * "index" is left out for the key, and "version" when no field has it.
 */
#ifndef CELLS_STORE_GENERATE_H
#define CELLS_STORE_GENERATE_H

#include "declare.h"

/* Puts types and methods into the document. What the program has by that name already is an error among `declared`'s
 * diagnostics. CELL_NO_MEMORY. */
int st_generate(struct st_declared *declared, json_t *document);

#endif
