/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Carries out plans, one migrator at a time, and remembers them in the schema "cell". */
#ifndef CELLS_POSTGRES_APPLY_H
#define CELLS_POSTGRES_APPLY_H

#include "connect.h"
#include "policy.h"

struct pg_plan;

struct pg_apply_options {
    enum pg_policy policy;
    int64_t deadline_ms;     /* for all of it, on CLOCK_MONOTONIC */
    int64_t lock_timeout_ms; /* for each lock of a table; 0 = a quarter of what is left, at most 1 s */
    const char *who;         /* for the history: "ada (uid 1000), clang" */
    const char *source;      /* "src/users.c:12"; NULL = not known */
};

/*
 * Nobody else migrates this database until pg_migration_end, or until the connection is lost. Polls for the lock with
 * jitter, and never waits in the server: CELL_DEADLINE_EXCEEDED names who holds it.
 */
int pg_migration_begin(PGconn *conn, const struct pg_apply_options *options, struct pg_failure *f);
void pg_migration_end(PGconn *conn);

/*
 * Carries out `plan` within a migration that has begun. Steps that can be are done in one transaction; the others by
 * themselves, each so that it can be done again when it was interrupted. After a failure or a kill the schema is at a
 * boundary between steps, and a plan that is made anew goes on from there. CELL_PERMISSION_DENIED for what the policy
 * does not allow, before anything is done. *nsteps: how many were carried out.
 */
int pg_apply(PGconn *conn, const struct pg_plan *plan, const struct pg_apply_options *options, int *nsteps,
             struct pg_failure *f);

#endif
