/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The connections to the database. A few are shared: they are in libpq's pipeline mode, any number of threads hand
 * their statements to them, and one of the threads that wait reads for all of them, so that a statement alone costs its
 * thread one send and one receive and no other thread is woken. Others belong to one user for a while (struct pg_link
 * pinned by pg_pool_pin): transactions, COPY, streams, and statements that are known to be slow.
 *
 * Statements can also be begun without waiting (pg_pool_begin). Only for these has the pool a thread of its own, which
 * reads while nobody waits; it exists from the first of them on. Connections are made when they are needed and made
 * anew when they are lost; the database need not run when the pool is opened. All functions are thread-safe unless they
 * say otherwise; a link that is pinned is used by one thread at a time.
 */
#ifndef CELLS_POSTGRES_POOL_H
#define CELLS_POSTGRES_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "failure.h"

struct pg_pool;
struct pg_link;

#define PG_REPLY_MIB 16 /* what a reply, and one record of a stream, can hold */
/* CELL_TOO_LARGE: a result is larger than that, and what to do. */
int pg_fail_large(struct pg_failure *f);

struct pg_pool_options {
    const char *conninfo; /* libpq's connection string or URL; NULL or "" = its environment. Copied */
    uint32_t connections; /* shared ones at most; 0 = 8 */
    uint32_t pinned;      /* pinned ones at once at most; 0 = 32 */
    uint32_t slow_ms;     /* what takes longer on average, or waits so long for a lock, runs on a connection of its own;
                             0 = 20 */
    uint32_t statements;  /* prepared statements a connection keeps; 0 = 256 */
    uint32_t processors;  /* of a database on this host; 0 = as many as are online, two at least */
    uint32_t gather_us;   /* so long what runs keeps a smaller merged statement waiting for more; 0 = 500 */
    bool share_commits;   /* heed PG_RUN_SHARED */
    bool unprepared;      /* no prepared statements and one statement at a time on a connection, as a pooler in
                             transaction mode needs it; a pooler that is found does the same */
    /* Called by the pool's thread when results have come for what was begun (pg_pool_begin): more statements may be
     * begun in here. `more`: it will be called again within a millisecond. NULL = not wanted. */
    void (*gather)(void *user, bool more);
    void *user;
};

/* Copies the options; connects to nothing. CELL_NO_MEMORY. */
int pg_pool_open(const struct pg_pool_options *options, struct pg_pool **pool, struct pg_failure *f);
void pg_pool_close(struct pg_pool *pool); /* nobody may use it any more; NULL is accepted */

/* How long somebody waits. */
struct pg_patience {
    uint64_t until_ns;             /* of CLOCK_MONOTONIC; UINT64_MAX = no limit */
    bool (*cancelled)(void *user); /* asked a few times a second while it waits; NULL = never */
    void *user;
};

/* That of the call that runs on `c`, which must outlive it. */
struct pg_patience pg_patience_of(cell_ctx *c);

/*
 * A statement that is executed many times: prepared on each connection when it first runs there, under a name that no
 * other process uses, and forgotten when others are used more (pg_pool_options.statements). Immutable but for its
 * timing.
 */
struct pg_prepared;
/* `types` are the parameters' type OIDs, 0 = the server decides. Both are copied. NULL when memory is short. */
struct pg_prepared *pg_prepared_new(struct pg_pool *pool, const char *sql, const Oid *types, int nparams);
void pg_prepared_free(struct pg_prepared *s); /* must not be running; NULL is accepted */

/*
 * Gives `s` a merged form, before it first runs: executions of it (with PG_RUN_RETRY, and without a NULL) that are
 * about to be sent over one connection become one of `sql`. Its parameters are arrays, of types whose OIDs are
 * `arrays`, with one element for each execution; the first of its columns is the number of that element, from 1, as a
 * bigint, and what follows is what `s` would have answered. When it fails, or answers anything else, each is executed
 * by itself. All is copied. CELL_NO_MEMORY.
 */
int pg_prepared_merge(struct pg_prepared *s, const char *sql, const Oid *arrays);

/* The parameters of one execution; `nparams` of them, all in the format that `formats` says (1 = binary). */
struct pg_values {
    const char *const *values; /* NULL for an SQL NULL */
    const int *lengths;
    const int *formats;
};

/* The rows that answer an execution; those of others may be in the same result. */
struct pg_rows {
    PGresult *result;         /* NULL = none */
    int first, n;             /* which of its rows; a command has none */
    int column;               /* the first of its columns */
    struct pg_shared *shared; /* NULL: the result is nobody else's */
};
void pg_rows_clear(struct pg_rows *rows); /* the result is gone, for whoever has these; *rows has none afterwards */

enum pg_run_flags {
    PG_RUN_WRITE = 1, /* it changes something: CELL_UNKNOWN_OUTCOME when its connection is lost */
    PG_RUN_RETRY = 2, /* it may be executed twice: after a lost connection it is, once. With others that have this flag
                         it may share a transaction, so that it must not matter what now() is */
    PG_RUN_SHARED = 4 /* with WRITE, and pg_pool_options.share_commits: it may share its transaction, and so its commit,
                         with those of other callers. When one of them fails, each is executed again by itself */
};

/*
 * Executes `s` and returns its one result, binary, to be cleared with PQclear: PGRES_TUPLES_OK or PGRES_COMMAND_OK. On
 * a shared connection, or, when `link` is not NULL, on that one. What waits for a lock on a shared one for too long is
 * rolled back, and executed once more where it is alone. Fails as the database says (pg_fail_result), and with:
 * CELL_UNAVAILABLE: the connection could not be made, or was lost and the statement was not carried out.
 * CELL_UNKNOWN_OUTCOME: it was lost while a statement with PG_RUN_WRITE ran. CELL_DEADLINE_EXCEEDED, CELL_CANCELLED:
 * the statement was cancelled, or is not waited for any more. CELL_ABORTED: the link is in a transaction, and was lost.
 */
int pg_pool_run(struct pg_pool *pool, struct pg_link *link, struct pg_prepared *s, const struct pg_values *values,
                unsigned flags, const struct pg_patience *patience, PGresult **result, struct pg_failure *f);

/* The same for rows, to be cleared with pg_rows_clear: it may be merged with others (pg_prepared_merge). */
int pg_pool_fetch(struct pg_pool *pool, struct pg_link *link, struct pg_prepared *s, const struct pg_values *values,
                  unsigned flags, const struct pg_patience *patience, struct pg_rows *rows, struct pg_failure *f);

/*
 * The same without waiting: for statements that are fast, over connections that are open. When the result is there
 * `done` is called, by a thread of the pool's or one that waits for a statement of its own; it must not block. The
 * rows are to be cleared; the result may be an error. NULL: the statement has not come to an end, or takes long, and
 * pg_pool_go_on is to be called once, by a thread that can wait. Values and `user` must live until then. False: nothing
 * was begun, use pg_pool_run. Statements may be sent by pg_pool_flush only. `until_ns` as in struct pg_patience.
 */
struct pg_run;
typedef void pg_run_done(void *user, struct pg_run *run, struct pg_rows *rows);
bool pg_pool_begin(struct pg_pool *pool, struct pg_prepared *s, const struct pg_values *values, unsigned flags,
                   uint64_t until_ns, pg_run_done *done, void *user);
void pg_pool_flush(struct pg_pool *pool);
/* As pg_pool_fetch. `run` is used up. */
int pg_pool_go_on(struct pg_run *run, const struct pg_patience *patience, struct pg_rows *rows, struct pg_failure *f);

/*
 * A connection of one's own, in no transaction: one that is free, or a new one. Waits for one while all are in use, for
 * most of the time that `patience` leaves. CELL_UNAVAILABLE, CELL_DEADLINE_EXCEEDED, CELL_CANCELLED, CELL_NO_MEMORY,
 * CELL_RESOURCE_EXHAUSTED when all are in use for so long, or the database takes no more.
 */
int pg_pool_pin(struct pg_pool *pool, const struct pg_patience *patience, struct pg_link **link, struct pg_failure *f);
/* The same for what is over at once, which does not wait for those that may be in use for long: two are kept for it. */
int pg_pool_pin_briefly(struct pg_pool *pool, const struct pg_patience *patience, struct pg_link **link,
                        struct pg_failure *f);

/*
 * The same, in a transaction that is begun by `begin`, which is SQL that may be executed again: a connection that is
 * lost by then has done nothing, and another one is taken. Fails as pg_link_exec as well.
 */
int pg_pool_pin_begun(struct pg_pool *pool, const char *begin, const struct pg_patience *patience,
                      struct pg_link **link, struct pg_failure *f);

/* Gives it back. It is kept for the next one if it is idle and `reusable`, and a transaction that is open on it can be
 * rolled back within a moment; else closed. */
void pg_pool_unpin(struct pg_pool *pool, struct pg_link *link, bool reusable);

/* The pinned link runs SQL that a program or a person has composed, which may leave settings behind in its session
 * (set_config, functions that SET): these are taken back before another one gets it. */
void pg_link_runs_foreign(struct pg_link *link);

/* Whether nothing is known of its end: neither was it lost, nor does its socket say so. Of an idle pinned link. */
bool pg_link_is_alive(struct pg_link *link);

/*
 * The connection of a pinned link, not in pipeline mode, idle, in non-blocking mode off: for COPY, cursors, the
 * catalog. pg_pool_run on this link may follow when it is idle again. Settings that were changed must be changed back,
 * or the link be given back as not reusable.
 */
PGconn *pg_link_connection(struct pg_link *link);

/*
 * Executes on a pinned link what libpq's PQexec does, with the patience that is given; `sql` may hold several
 * statements, and the result is that of the last. *result may be NULL when it is not wanted. Fails as pg_pool_run.
 */
int pg_link_exec(struct pg_link *link, const char *sql, const struct pg_patience *patience, PGresult **result,
                 struct pg_failure *f);

/*
 * Commits the transaction that is open on the link. Where `patience` has ended before, it is rolled back instead:
 * CELL_DEADLINE_EXCEEDED, CELL_CANCELLED. Once the database was asked its answer counts, also when it comes late.
 * CELL_FAILED_PRECONDITION when the transaction had failed, and was rolled back; CELL_ABORTED when the connection was
 * lost before, and nothing was stored; CELL_UNKNOWN_OUTCOME when there was no answer; as the database says.
 */
int pg_link_commit(struct pg_link *link, const struct pg_patience *patience, struct pg_failure *f);

/* Waits until the link's connection can be read (or written, when `write`). The link's statement is cancelled when
 * patience ends: CELL_DEADLINE_EXCEEDED, CELL_CANCELLED; its end must then still be read. CELL_OK. */
int pg_link_wait(struct pg_link *link, bool write, const struct pg_patience *patience, struct pg_failure *f);

/* The next result of what was sent on pg_link_connection, waiting for it; *result is NULL at the end. As PQgetResult.
 */
int pg_link_result(struct pg_link *link, const struct pg_patience *patience, PGresult **result, struct pg_failure *f);

struct pg_pool_counters {
    uint64_t connects, lost;      /* connections made, and lost */
    uint64_t runs, sends;         /* statements on shared connections, and what they were sent in */
    uint64_t prepares, evictions; /* of prepared statements */
    uint64_t moved, cancels;      /* statements that were sent again elsewhere, and cancel requests */
    uint64_t shared_again;        /* executed again singly after a shared transaction failed */
    uint64_t merges, merged;      /* merged statements, and executions in them */
    uint64_t merged_again;        /* executed singly after all */
    uint32_t open, pinned;        /* connections now */
    bool unprepared;              /* asked for, or a pooler was found */
};
void pg_pool_count(struct pg_pool *pool, struct pg_pool_counters *counters);

#endif
