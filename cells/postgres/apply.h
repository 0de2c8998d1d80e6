/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Carries out plans, one migrator at a time, and remembers them in the schema "cell" of the database:
 *
 *     cell.objects   what Cell made, and from which text (sql.h)
 *     cell.history   one row for each step: plan, position, kind, text, hazard, consent, table, fingerprint of the
 *                    declaration, when it began and was done, who wanted it and from where
 */
#ifndef CELLS_POSTGRES_APPLY_H
#define CELLS_POSTGRES_APPLY_H

#include "connect.h"
#include "diff.h"
#include "policy.h"

/* Where a declaration comes from, for the history. */
struct pg_origin {
    const char *source;      /* "src/users.c:12:8"; NULL = not known */
    const char *fingerprint; /* of the declaration; NULL = none */
};

struct pg_migration_options {
    enum pg_policy policy;
    int64_t deadline_ms;             /* for all of it, of pg_now_ms */
    int64_t lock_timeout_ms;         /* for each try to lock a table, behind which others wait too; 0 = 200 */
    const char *who;                 /* "ada (uid 1000), clang" */
    const struct pg_origin *origins; /* by pg_step.declared; NULL = none */
    uint32_t norigins;
    cell_ctx *call; /* whose caller may give up, which is looked for between steps and tries; NULL = nobody's */
    /* Called before and after everything that the database is told to do; for tests, which end the process or the
     * backend there. NULL = nobody. */
    void (*boundary)(void *user);
    void *user;
};

/*
 * Nobody else migrates this database until pg_migration_end, or until the connection is lost. Polls for the lock with
 * jitter, and never waits in the server. Makes the schema "cell" where it is missing. CELL_DEADLINE_EXCEEDED names who
 * holds the lock; CELL_FAILED_PRECONDITION for a database that is read-only, or reached through a pooler, which gives
 * one statement to one connection and the next to another; CELL_PERMISSION_DENIED when the policy allows no migration,
 * and then nothing was asked.
 */
int pg_migration_begin(PGconn *conn, const struct pg_migration_options *options, struct pg_failure *f);
void pg_migration_end(PGconn *conn);

struct pg_applied {
    uint32_t nsteps; /* that were carried out; with CELL_OK less than all: what is left has to be planned anew */
    const struct pg_step *failed;    /* NULL, or the step at which it ended */
    const struct pg_step_part *part; /* of that, when it ended at one; NULL */
};

/*
 * Carries out `plan` within a migration that has begun. It ends behind hand-written steps, which come first: what they
 * have made is not known before. After a failure or a kill the schema is at a boundary between
 * steps, and a plan that is made anew goes on from there. CELL_PERMISSION_DENIED for what the policy does not allow,
 * before anything is done; CELL_DEADLINE_EXCEEDED when a table stays locked (the text says by whom) or a step takes
 * longer; or as the database says, with up to three rows that are in the way.
 */
int pg_apply(PGconn *conn, const struct pg_plan *plan, const struct pg_migration_options *options,
             struct pg_applied *applied, struct pg_failure *f);

/* Whether the policy allows a step; else *f says why not. */
int pg_policy_allows(enum pg_policy policy, const struct pg_step *step, struct pg_failure *f);

#endif
