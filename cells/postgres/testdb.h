/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Databases for tests: each is a copy of a template, made in a moment, and belongs to a lease. The lease is a session
 * of the server's (an advisory lock that it holds): when it ends in whatever way, the database goes, at once or, after
 * a kill, with the next one that is made.
 */
#ifndef CELLS_POSTGRES_TESTDB_H
#define CELLS_POSTGRES_TESTDB_H

#include "connect.h"

struct pg_testdb;

struct pg_testdb_options {
    const struct pg_target *target; /* must outlive the lease; not through a pooler */
    const char *bindir;             /* where pg_dump is; "" = searched in PATH */
    /* A database that nobody is connected to. NULL or "": the schema, without rows, of the target's own database, of
     * which a template is kept, and made anew when the schema has changed. */
    const char *source;
};

/* CELL_PERMISSION_DENIED without the right to create databases, CELL_NOT_FOUND without the template,
 * CELL_FAILED_PRECONDITION when somebody is connected to it or pg_dump fails. */
int pg_testdb_create(const struct pg_testdb_options *options, struct pg_testdb **db, struct pg_failure *f);
void pg_testdb_drop(struct pg_testdb *db); /* also when somebody is connected to it; NULL is accepted */

const char *pg_testdb_name(const struct pg_testdb *db);
/* For libpq, without a password. */
const char *pg_testdb_conninfo(const struct pg_testdb *db);

/* testdb_schema.c: the name of the template that has the schema of the database of `conn` now. */
int pg_testdb_template(PGconn *conn, const struct pg_testdb_options *options, char name[64], struct pg_failure *f);
/* The target's connection string with another database in it; to be freed. NULL when memory is short. */
char *pg_testdb_target(const char *conninfo, const char *database);

#endif
