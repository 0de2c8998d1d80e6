/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* How the database is opened, checked and created: the parts of store_open. Their failures name the path. */
#ifndef CELLS_AUTH_STORE_OPEN_H
#define CELLS_AUTH_STORE_OPEN_H

#include <sqlite3.h>

#include "failure.h"

/* Makes the file ours until *fd is closed. CELL_FAILED_PRECONDITION when another process has it. */
int store_lock_file(const char *path, int *fd, struct failure *f);

/* Refuses a database of another program or of a newer version. *db is set also on failure, to be closed. */
int store_connect(const char *path, sqlite3 **db, struct failure *f);

/* Creates the tables in an empty database. */
int store_create_schema(sqlite3 *db, const char *path, struct failure *f);

int store_open_failure(sqlite3 *db, const char *path, struct failure *f);

#endif
