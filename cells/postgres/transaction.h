/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Transactions of clients: each has a pinned connection and a token. PostgreSQL itself ends one that is idle for too
 * long; a thread, which runs only while there are transactions, ends those of processes that have ended, and those of
 * which nobody has heard. Thread-safe.
 */
#ifndef CELLS_POSTGRES_TRANSACTION_H
#define CELLS_POSTGRES_TRANSACTION_H

#include "pool.h"

#define PG_TRANSACTION_TOKEN_SIZE 33 /* 32 hex digits and a NUL */

struct pg_transactions;
struct pg_transaction;

/* `most` at once, `most_per_uid` of one user; all at least 1. NULL when memory is short. */
struct pg_transactions *pg_transactions_new(struct pg_pool *pool, uint32_t most, uint32_t most_per_uid,
                                            uint32_t idle_ms);
/* Rolls back what is open; nobody may use any. NULL is accepted. */
void pg_transactions_free(struct pg_transactions *t);

/*
 * `begin` is the SQL that begins it. While all that may be are open it waits, for most of the time that `patience`
 * leaves: of the users who wait, the one who has the fewest is next, then who came first. CELL_RESOURCE_EXHAUSTED when
 * none has ended for so long, or too many calls wait; as pg_pool_pin and pg_link_exec.
 */
int pg_transaction_begin(struct pg_transactions *t, const struct cell_caller *caller, const char *begin,
                         const struct pg_patience *patience, char token[PG_TRANSACTION_TOKEN_SIZE],
                         struct pg_failure *f);

/* Its caller has not heard of it, and so nobody will go on with it: it is rolled back by another thread. Does not
 * block.
 */
void pg_transactions_forget(struct pg_transactions *t, const char *token);

/*
 * The one that `token` stands for, for one call; its link is used until pg_transaction_put. Waits while another call
 * runs in it: a stream that the client has left ends a little later than the client knows. CELL_FAILED_PRECONDITION
 * when it was committed or rolled back lately; CELL_ABORTED when there is none else, or it is another process's: then
 * nothing of it was stored; CELL_DEADLINE_EXCEEDED, CELL_CANCELLED.
 */
int pg_transaction_get(struct pg_transactions *t, const struct cell_caller *caller, cell_str token,
                       const struct pg_patience *patience, struct pg_transaction **transaction, struct pg_failure *f);
struct pg_link *pg_transaction_link(struct pg_transaction *transaction);
/* What a call in it, or its commit, came to: `r`, or CELL_ABORTED for a failure after one that was a conflict. The
 * database says then only that the transaction has failed, and not that all of it may be tried again. */
int pg_transaction_result(struct pg_transaction *transaction, int r, struct pg_failure *f);
void pg_transaction_put(struct pg_transactions *t, struct pg_transaction *transaction);
/* In place of put: it is over, committed or rolled back as its caller has said (`by_caller`), or is rolled back with
 * its connection. */
void pg_transaction_end(struct pg_transactions *t, struct pg_transaction *transaction, bool by_caller);

#endif
