/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Rows as a Parquet file. A column has the type of its first value that is not NULL. */
#ifndef CELL_CLI_SQL_PARQUET_H
#define CELL_CLI_SQL_PARQUET_H

#include "sql.h"

struct sql_parquet;
struct sql_parquet *sql_parquet_new(sqlite3_stmt *statement); /* NULL: memory is short */
void sql_parquet_free(struct sql_parquet *p);                 /* NULL is accepted */
/* Takes a row, and appends what can be written of the file to `b`. CELL_INVALID_ARGUMENT: a value has another type than
 * those before it in its column. */
int sql_parquet_row(struct sql_parquet *p, sqlite3_stmt *statement, struct cell_buffer *b, struct cell_error *e);
/* Appends the rest. */
void sql_parquet_end(struct sql_parquet *p, struct cell_buffer *b);

#endif
