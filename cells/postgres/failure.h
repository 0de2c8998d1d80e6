/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* How the parts of the cell report what went wrong: a negative enum cell_status, and this beside it. */
#ifndef CELLS_POSTGRES_FAILURE_H
#define CELLS_POSTGRES_FAILURE_H

#include <libpq-fe.h>

#include <cell/errors.h>

struct pg_failure {
    char text[1024];     /* for the caller: one line, no password, no connection string */
    char sqlstate[6];    /* of the server; "" when the failure is not the server's */
    char constraint[64]; /* and what the server says beside it; "" when it does not */
    char column[64];
    char table[64];
};

/* Fills *f (which may be NULL) and returns `status`. */
int pg_fail(struct pg_failure *f, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Puts "context: " before the text and returns `status`. */
int pg_fail_context(struct pg_failure *f, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The status that stands for a SQLSTATE, "" or NULL for a connection that was lost. */
int pg_status_of(const char *sqlstate);

/*
 * Fills *f with what the server said in `result` (which stays the caller's), or with what libpq says of `conn` when
 * result is NULL or has no SQLSTATE, and returns the status that stands for it.
 */
int pg_fail_result(struct pg_failure *f, const PGconn *conn, const PGresult *result);

#endif
