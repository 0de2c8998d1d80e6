/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "engine.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "transaction.h"

#define DEFAULT_IDLE_MS 30000
#define DEFAULT_PINNED 32

struct pg_engine {
    struct pg_pool *pool;
    struct pg_transactions *transactions;
    uint32_t idle_ms, stream_idle_ms;
    pthread_mutex_t lock;                 /* held while the server begins more */
    _Atomic(struct cell_server *) server; /* that has begun something; NULL = none, or none any more */
};

static void gather(void *user, bool more)
{
    struct pg_engine *engine = user;

    pthread_mutex_lock(&engine->lock);
    struct cell_server *server = atomic_load(&engine->server);
    if (server)
        cell_server_gather(server, more);
    pthread_mutex_unlock(&engine->lock);
}

int pg_engine_open(const struct pg_engine_options *options, struct pg_engine **engine, struct pg_failure *f)
{
    struct pg_engine *made = calloc(1, sizeof(*made));
    uint32_t pinned = options->pool.pinned ? options->pool.pinned : DEFAULT_PINNED;
    uint32_t most = options->transactions ? options->transactions : (pinned + 1) / 2;
    uint32_t of_one = options->transactions_per_uid ? options->transactions_per_uid : most * 3 / 4;

    if (!made)
        return pg_fail(f, CELL_NO_MEMORY, "out of memory");
    struct pg_pool_options pool = options->pool;
    pool.gather = gather;
    pool.user = made;
    pthread_mutex_init(&made->lock, NULL);
    int r = pg_pool_open(&pool, &made->pool, f);
    made->stream_idle_ms = options->stream_idle_ms;
    made->idle_ms = options->transaction_idle_ms ? options->transaction_idle_ms : DEFAULT_IDLE_MS;
    if (r >= 0) {
        made->transactions = pg_transactions_new(made->pool, most, of_one ? of_one : 1, made->idle_ms);
        r = made->transactions ? CELL_OK : pg_fail(f, CELL_NO_MEMORY, "out of memory");
    }
    if (r < 0) {
        pg_engine_close(made);
        return r;
    }
    *engine = made;
    return CELL_OK;
}

void pg_engine_close(struct pg_engine *engine)
{
    if (!engine)
        return;
    pg_transactions_free(engine->transactions);
    pg_pool_close(engine->pool);
    pthread_mutex_destroy(&engine->lock);
    free(engine);
}

struct pg_pool *pg_engine_pool(struct pg_engine *engine) { return engine->pool; }

int pg_engine_bind(struct pg_engine *engine, cell_ctx *c, const struct cell_method *method, const char *binding,
                   void **bound)
{
    struct pg_patience patience = pg_patience_of(c);
    struct pg_statement *s = NULL;
    struct pg_failure f;
    int r = pg_statement_bind(engine->pool, method, binding, &patience, &s, &f);

    if (r < 0)
        return pg_answer_failure(c, &f);
    *bound = s;
    return CELL_OK;
}

int pg_engine_check(struct pg_engine *engine, cell_ctx *c, const struct cell_method *method, const char *binding)
{
    struct pg_patience patience = pg_patience_of(c);
    struct pg_failure f;
    int r = pg_statement_check(engine->pool, method, binding, &patience, &f);

    return r < 0 ? pg_answer_failure(c, &f) : r;
}

static int get_transaction(struct pg_engine *engine, cell_ctx *c, cell_str token, struct pg_transaction **x,
                           struct pg_failure *f)
{
    struct pg_patience patience = pg_patience_of(c);
    struct cell_caller caller = {0};

    cell_ctx_caller(c, &caller);
    int r = pg_transaction_get(engine->transactions, &caller, token, &patience, x, f);
    if (r < 0 || pg_link_is_alive(pg_transaction_link(*x)))
        return r;
    pg_transaction_end(engine->transactions, *x, false);
    return pg_fail(f, CELL_ABORTED,
                   "the transaction was ended by the database: it was idle for too long, or the server stopped. "
                   "Nothing of it was stored");
}

/* A call in it has come to `r`. When its connection is gone, so is it. */
static int put_transaction(struct pg_engine *engine, struct pg_transaction *x, int r, struct pg_failure *f)
{
    /* What the database does not say of it is that its connection is lost, or that its program takes no rows. */
    bool over = r == CELL_ABORTED && !f->sqlstate[0];

    r = pg_transaction_result(x, r, f);
    if (!over && pg_link_is_alive(pg_transaction_link(x))) {
        pg_transaction_put(engine->transactions, x);
        return r;
    }
    pg_transaction_end(engine->transactions, x, false);
    return r < 0 && !over
               ? pg_fail(f, CELL_ABORTED, "the connection to the database was lost, and the transaction with it")
               : r;
}

/* The statement has failed because of a type that was made anew: nobody keeps what was bound before. */
static int run_anew(cell_ctx *c, const struct pg_statement *s, const void *in, void *const *out, struct pg_failure *f)
{
    cell_server_unbind(cell_ctx_server(c));
    return pg_statement_run_anew(s, c, in, out, f);
}

/* In the caller's transaction. */
static int invoke_within(struct pg_engine *engine, cell_ctx *c, cell_str token, struct pg_statement *s, const void *in,
                         void *const *out, struct pg_failure *f)
{
    struct pg_transaction *x = NULL;
    int r = get_transaction(engine, c, token, &x, f);

    if (r < 0)
        return r;
    cell_ctx_limit_stream(c, engine->idle_ms); /* a program that does not read is as idle as one that does not call */
    r = pg_statement_run(s, c, pg_transaction_link(x), in, out, f);
    if (r < 0 && pg_statement_is_stale(s, f)) {
        cell_server_unbind(cell_ctx_server(c));
        r = pg_fail(f, CELL_ABORTED, "a type that the statement uses was made anew: run the transaction again");
    }
    return put_transaction(engine, x, r, f);
}

int pg_engine_invoke(struct pg_engine *engine, cell_ctx *c, void *bound, const void *in, void *const *out)
{
    struct pg_failure f;
    cell_str token;
    int r;

    if (cell_ctx_metadata(c, "transaction", &token) >= 0) {
        r = invoke_within(engine, c, token, bound, in, out, &f);
    } else {
        cell_ctx_limit_stream(c, engine->stream_idle_ms);
        r = pg_statement_run(bound, c, NULL, in, out, &f);
        if (r < 0 && pg_statement_is_stale(bound, &f))
            r = run_anew(c, bound, in, out, &f);
    }
    return r < 0 ? pg_answer_failure(c, &f) : r;
}

bool pg_engine_begin_call(struct pg_engine *engine, cell_ctx *c, void *bound, const void *in, void *const *out,
                          struct cell_later *later)
{
    struct cell_server *server = cell_ctx_server(c);

    if (atomic_load_explicit(&engine->server, memory_order_relaxed) != server)
        atomic_store(&engine->server, server);
    return pg_statement_begin(bound, c, in, out, later);
}

int pg_engine_resume(struct pg_engine *engine, cell_ctx *c, void *bound, const void *in, void *const *out, void *state)
{
    struct pg_failure f;
    bool stale = false;
    int r = pg_statement_resume(c, state, &stale, &f);

    (void)engine;
    if (stale)
        r = run_anew(c, bound, in, out, &f);
    return r < 0 ? pg_answer_failure(c, &f) : r;
}

void pg_engine_flush(struct pg_engine *engine) { pg_pool_flush(engine->pool); }

void pg_engine_quiet(struct pg_engine *engine)
{
    pthread_mutex_lock(&engine->lock);
    atomic_store(&engine->server, NULL);
    pthread_mutex_unlock(&engine->lock);
}

int pg_engine_link(struct pg_engine *engine, cell_ctx *c, struct pg_engine_link *link, struct pg_failure *f)
{
    struct pg_patience patience = pg_patience_of(c);
    cell_str token;

    *link = (struct pg_engine_link){0};
    if (cell_ctx_metadata(c, "transaction", &token) < 0)
        return pg_pool_pin(engine->pool, &patience, &link->link, f);
    int r = get_transaction(engine, c, token, &link->transaction, f);
    if (r >= 0)
        link->link = pg_transaction_link(link->transaction);
    return r;
}

int pg_engine_unlink(struct pg_engine *engine, struct pg_engine_link *link, bool reusable, int r, struct pg_failure *f)
{
    if (link->transaction)
        return put_transaction(engine, link->transaction, r, f);
    pg_pool_unpin(engine->pool, link->link, reusable);
    return r;
}

void pg_engine_unbind(struct pg_engine *engine, void *bound)
{
    (void)engine;
    pg_statement_free(bound);
}

static void forget(void *transactions, const char *token) { pg_transactions_forget(transactions, token); }

int pg_engine_begin(struct pg_engine *engine, cell_ctx *c, uint32_t isolation, cell_str *token)
{
    static const char *const levels[] = {"", " ISOLATION LEVEL READ COMMITTED", " ISOLATION LEVEL REPEATABLE READ",
                                         " ISOLATION LEVEL SERIALIZABLE"};
    struct pg_patience patience = pg_patience_of(c);
    struct cell_caller caller = {0};
    struct pg_failure f;
    char begin[96], made[PG_TRANSACTION_TOKEN_SIZE];

    if ((isolation & ~(uint32_t)PG_READ_ONLY) >= sizeof(levels) / sizeof(levels[0]))
        return cell_fail(c, CELL_INVALID_ARGUMENT, "%u is no isolation level", isolation);
    cell_ctx_caller(c, &caller);
    snprintf(begin, sizeof(begin), "BEGIN%s%s", levels[isolation & 3], isolation & PG_READ_ONLY ? " READ ONLY" : "");
    int r = pg_transaction_begin(engine->transactions, &caller, begin, &patience, made, &f);
    if (r < 0)
        return pg_answer_failure(c, &f);
    *token = cell_ctx_copy(c, cell_strz(made));
    if (token->ptr) {
        cell_ctx_if_unheard(c, forget, engine->transactions, made);
        return CELL_OK;
    }
    pg_engine_rollback(engine, c, cell_strz(made));
    return cell_fail(c, CELL_NO_MEMORY, "out of memory");
}

static int end(struct pg_engine *engine, cell_ctx *c, cell_str token, bool commit)
{
    struct pg_patience patience = pg_patience_of(c);
    struct pg_transaction *x = NULL;
    struct pg_failure f;
    int r = get_transaction(engine, c, token, &x, &f);

    if (r >= 0) {
        struct pg_link *link = pg_transaction_link(x);
        r = commit ? pg_link_commit(link, &patience, &f) : pg_link_exec(link, "ROLLBACK", &patience, NULL, &f);
        if (r < 0 && !commit && !pg_link_is_alive(link))
            r = pg_fail(&f, CELL_ABORTED, "the connection to the database was lost, and the transaction with it");
        r = pg_transaction_result(x, r, &f);
        pg_transaction_end(engine->transactions, x, true);
    }
    return r < 0 ? pg_answer_failure(c, &f) : CELL_OK;
}

int pg_engine_commit(struct pg_engine *engine, cell_ctx *c, cell_str token) { return end(engine, c, token, true); }

int pg_engine_rollback(struct pg_engine *engine, cell_ctx *c, cell_str token) { return end(engine, c, token, false); }
