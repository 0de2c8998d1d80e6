/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What serves the calls of programs: pool, bound statements and transactions together. The server's options and methods
 * go straight to these functions. All are thread-safe, and answer the caller of `c` as a handler does (cell_fail).
 */
#ifndef CELLS_POSTGRES_ENGINE_H
#define CELLS_POSTGRES_ENGINE_H

#include "statement.h"

struct pg_engine;
struct pg_transaction;

struct pg_engine_options {
    struct pg_pool_options pool;
    uint32_t transactions;         /* at once; 0 = half of the pinned connections */
    uint32_t transactions_per_uid; /* 0 = three quarters of these, at least 1 */
    uint32_t transaction_idle_ms;  /* a transaction without a call for this long is rolled back, or without a row
                                    of its stream taken; 0 = 30000 */
    uint32_t stream_idle_ms;       /* a stream outside of transactions of which no row is taken for this long is ended;
                                    * 0 = none */
};

int pg_engine_open(const struct pg_engine_options *options, struct pg_engine **engine, struct pg_failure *f);
void pg_engine_close(struct pg_engine *engine); /* transactions that are open are rolled back; NULL is accepted */

/* The pool, for what else asks the database. Lives as long as the engine. */
struct pg_pool *pg_engine_pool(struct pg_engine *engine);

/* For struct cell_bound_ops. invoke runs within the transaction that the metadata `transaction` of the call names. */
int pg_engine_bind(struct pg_engine *engine, cell_ctx *c, const struct cell_method *method, const char *binding,
                   void **bound);
/* Whether the table is as the program needs it, as far as this method can tell. */
int pg_engine_check(struct pg_engine *engine, cell_ctx *c, const struct cell_method *method, const char *binding);
int pg_engine_invoke(struct pg_engine *engine, cell_ctx *c, void *bound, const void *in, void *const *out);
bool pg_engine_begin_call(struct pg_engine *engine, cell_ctx *c, void *bound, const void *in, void *const *out,
                          struct cell_later *later);
int pg_engine_resume(struct pg_engine *engine, cell_ctx *c, void *bound, const void *in, void *const *out, void *state);
void pg_engine_flush(struct pg_engine *engine);
/* The server that calls come from has ended: it is asked for no more. For its `stop`. */
void pg_engine_quiet(struct pg_engine *engine);
void pg_engine_unbind(struct pg_engine *engine, void *bound);

/*
 * The connection for a call that is not bound: that of the transaction that its metadata names, or a pinned one. To be
 * given back with pg_engine_unlink; `reusable` as in pg_pool_unpin.
 */
struct pg_engine_link {
    struct pg_link *link;
    struct pg_transaction *transaction; /* NULL = none */
};
int pg_engine_link(struct pg_engine *engine, cell_ctx *c, struct pg_engine_link *link, struct pg_failure *f);
/* `r` is what the call came to; returns what it comes to then (pg_transaction_result). */
int pg_engine_unlink(struct pg_engine *engine, struct pg_engine_link *link, bool reusable, int r, struct pg_failure *f);

/* `isolation` of a transaction. */
enum pg_isolation {
    PG_ISOLATION_DEFAULT = 0, /* the database's */
    PG_READ_COMMITTED = 1,
    PG_REPEATABLE_READ = 2,
    PG_SERIALIZABLE = 3,
    PG_READ_ONLY = 16 /* to be added to one of these */
};

/*
 * Transactions of the calling process. begin gives a token of 32 hex digits, which stands for the transaction in the
 * metadata `transaction` of calls by the same user and process; they run one after the other. It is rolled back when
 * that process ends, and when it was idle for too long. begin: CELL_INVALID_ARGUMENT, as
 * pg_transaction_begin. commit: CELL_ABORTED when it could not be serialised, or was ended before without this caller,
 * CELL_FAILED_PRECONDITION when an earlier call in it has failed (nothing was stored), CELL_UNKNOWN_OUTCOME when the
 * connection was lost meanwhile; as pg_transaction_get. The token is used up in any case.
 */
int pg_engine_begin(struct pg_engine *engine, cell_ctx *c, uint32_t isolation, cell_str *token);
int pg_engine_commit(struct pg_engine *engine, cell_ctx *c, cell_str token);
int pg_engine_rollback(struct pg_engine *engine, cell_ctx *c, cell_str token);

#endif
