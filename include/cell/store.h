/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Collections of the cell `store`, as annotations (docs/store.md). Each macro is the attribute that its definition
 * shows. Of those of sql.h, CELL_KEY, CELL_PRIMARY_KEY, CELL_INDEXED, CELL_UNIQUE, CELL_INDEX, CELL_UNIQUE_INDEX and
 * CELL_DROPPED are a store's as well, with names of fields where a table has columns.
 */
#ifndef CELL_STORE_H
#define CELL_STORE_H
#pragma GCC system_header /* its macros use Clang extensions: silent under -pedantic */

#include "sql.h" // IWYU pragma: export

/* struct CELL_STORE(articles) article { … };   a collection that follows the struct, and functions articles_… for it.
 */
#define CELL_STORE(name) CELL_VERB("store.collection", #name)
/* Behind a field of type uint64_t, which is not stored: filled in with the record's version by what reads it, and asked
 * by articles_put_if and articles_delete_if. */
#define CELL_VERSION CELL_ANNOTATE("cell.field:version")

#endif
