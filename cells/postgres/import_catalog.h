/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The header of a schema of a database. */
#ifndef CELLS_POSTGRES_IMPORT_CATALOG_H
#define CELLS_POSTGRES_IMPORT_CATALOG_H

#include "connect.h"
#include "import.h"

/*
 * Reads the tables of `schema` (NULL = the default one), or those that are named, and writes their header. The
 * connection must be idle and is so afterwards; nothing changes in the database. CELL_NOT_FOUND for a schema or table
 * that is not there; else as pg_catalog_read. *import is for pg_import_free.
 */
int pg_import_schema(PGconn *conn, const char *schema, const char *const *tables, uint32_t ntables, bool rows,
                     int64_t deadline_ms, struct pg_import **import, struct pg_failure *f);

#endif
