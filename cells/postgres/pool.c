/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "pool_impl.h"

#include <cell/server.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define FAST 20 /* what takes so much less than what is slow may wait behind others like it */

uint64_t pool_now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

struct pg_patience pool_wait_ns(uint64_t ns) { return (struct pg_patience){pool_now_ns() + ns, NULL, NULL}; }

int pool_slice_ms(const struct pg_patience *patience)
{
    if (patience->until_ns == UINT64_MAX)
        return POOL_SLICE_MS;
    uint64_t now = pool_now_ns();
    if (patience->until_ns <= now)
        return 0;
    uint64_t ms = (patience->until_ns - now + 999999) / 1000000;
    return ms < POOL_SLICE_MS ? (int)ms : POOL_SLICE_MS;
}

void pool_init_cond(pthread_cond_t *cond)
{
    pthread_condattr_t monotonic;

    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

void pool_wait_cond(pthread_cond_t *cond, pthread_mutex_t *lock, const struct pg_patience *patience)
{
    uint64_t until_ns = pool_now_ns() + (uint64_t)pool_slice_ms(patience) * 1000000;
    const struct timespec until = {(time_t)(until_ns / 1000000000), (long)(until_ns % 1000000000)};

    pthread_cond_timedwait(cond, lock, &until);
}

int pool_check_patience(const struct pg_patience *patience, struct pg_failure *f)
{
    if (patience->until_ns != UINT64_MAX && pool_now_ns() >= patience->until_ns) {
        *f = (struct pg_failure){0};
        return pg_fail(f, CELL_DEADLINE_EXCEEDED, "the database did not answer in time");
    }
    if (patience->cancelled && patience->cancelled(patience->user)) {
        *f = (struct pg_failure){0};
        return pg_fail(f, CELL_CANCELLED, "the call was cancelled");
    }
    return CELL_OK;
}

static bool ctx_cancelled(void *c) { return cell_ctx_cancelled(c); }

bool pool_stand_aside(const struct pg_patience *patience)
{
    return patience->cancelled != ctx_cancelled || cell_ctx_stand_aside(patience->user);
}

struct pg_patience pool_most_of(const struct pg_patience *patience)
{
    struct pg_patience most = *patience;
    uint64_t now = pool_now_ns();

    if (most.until_ns != UINT64_MAX && most.until_ns > now)
        most.until_ns = now + (most.until_ns - now) / 8 * 7;
    return most;
}

struct pg_patience pg_patience_of(cell_ctx *c)
{
    uint64_t left = cell_ctx_remaining_ns(c);

    return (struct pg_patience){left == UINT64_MAX ? UINT64_MAX : pool_now_ns() + left, ctx_cancelled, c};
}

static int init_shared(struct pg_pool *pool)
{
    pool->shared = calloc(pool->options.connections, sizeof(*pool->shared));
    if (!pool->shared)
        return CELL_NO_MEMORY;
    for (uint32_t i = 0; i < pool->options.connections; i++)
        if (link_init(&pool->shared[i], pool, false) < 0)
            return CELL_NO_MEMORY;
    return CELL_OK;
}

static uint32_t or_default(uint32_t value, uint32_t fallback, uint32_t most)
{
    value = value ? value : fallback;
    return value < most ? value : most;
}

static int check_conninfo(const char *conninfo, struct pg_failure *f)
{
    char *error = NULL;
    PQconninfoOption *parsed = PQconninfoParse(conninfo, &error);

    PQconninfoFree(parsed);
    PQfreemem(error); /* it may quote a password */
    return parsed ? CELL_OK
                  : pg_fail(f, CELL_INVALID_ARGUMENT, "the connection string is neither key=value pairs nor a URL");
}

int pg_pool_open(const struct pg_pool_options *options, struct pg_pool **pool, struct pg_failure *f)
{
    uint64_t random = 0;
    long processors = sysconf(_SC_NPROCESSORS_ONLN);

    *f = (struct pg_failure){0};
    if (options->conninfo && options->conninfo[0] && check_conninfo(options->conninfo, f) < 0)
        return f->status;
    struct pg_pool *made = calloc(1, sizeof(*made));
    if (!made)
        return pg_fail(f, CELL_NO_MEMORY, "out of memory");
    made->options = *options;
    made->thread.wake_fd = made->thread.epoll_fd = -1;
    made->options.connections = or_default(options->connections, 8, POOL_MAX_CONNECTIONS);
    made->options.pinned = or_default(options->pinned, 32, POOL_MAX_PINNED);
    made->options.slow_ms = or_default(options->slow_ms, 20, 60000);
    made->options.statements = or_default(options->statements, 256, 65536);
    made->options.gather_us = or_default(options->gather_us, 500, 60000000);
    made->options.processors = or_default(options->processors, processors > 2 ? (uint32_t)processors : 2, 65536);
    atomic_store(&made->unprepared, options->unprepared);
    if (getrandom(&random, sizeof(random), 0) != sizeof(random))
        random = pool_now_ns() ^ ((uint64_t)getpid() << 32);
    snprintf(made->prefix, sizeof(made->prefix), "c%016" PRIx64 "_", random);
    pthread_mutex_init(&made->lock, NULL);
    pool_init_cond(&made->freed);
    made->conninfo = strdup(options->conninfo ? options->conninfo : "");
    if (!made->conninfo || init_shared(made) < 0) {
        pg_pool_close(made);
        return pg_fail(f, CELL_NO_MEMORY, "out of memory");
    }
    *pool = made;
    return CELL_OK;
}

void pg_pool_close(struct pg_pool *pool)
{
    if (!pool)
        return;
    pool_thread_stop(pool);
    for (uint32_t i = 0; pool->shared && i < pool->options.connections; i++)
        if (pool->shared[i].pool)
            link_destroy(&pool->shared[i]);
    while (pool->idle) {
        struct pg_link *link = pool->idle;
        pool->idle = link->next;
        link_destroy(link);
        free(link);
    }
    pthread_cond_destroy(&pool->freed);
    pthread_mutex_destroy(&pool->lock);
    free(pool->shared);
    free(pool->conninfo);
    free(pool);
}

struct candidate {
    struct pg_link *link;
    unsigned load;
};

static void consider(struct candidate *c, struct pg_link *link, unsigned load)
{
    if (!c->link || load < c->load)
        *c = (struct candidate){link, load};
}

/*
 * An idle connection; but a statement that is known to be fast joins others when all processors of the database have
 * something to do already, because a batch costs it less than each by itself. NULL: a slow statement has each of them.
 */
struct pg_link *pool_choose(struct pg_pool *pool, const struct pg_request *r, bool *joined)
{
    struct candidate idle = {0}, unopened = {0}, busy = {0};
    uint64_t now = pool_now_ns(), slow_ns = (uint64_t)pool->options.slow_ms * 1000000;
    uint32_t nbusy = 0;

    for (uint32_t i = 0; i < pool->options.connections; i++) {
        struct pg_link *link = &pool->shared[i];
        unsigned load = atomic_load_explicit(&link->load, memory_order_relaxed);
        uint64_t since = atomic_load_explicit(&link->busy_since_ns, memory_order_relaxed);
        if (since != 0 && now > since && now - since > slow_ns)
            continue;
        if (load == 0 && atomic_load_explicit(&link->open, memory_order_relaxed))
            consider(&idle, link, load);
        else if (load == 0)
            consider(&unopened, link, load);
        else
            consider(&busy, link, load), nbusy++;
    }
    /* A write alone waits for the disk, which the database lets several connections do together. */
    bool together =
        !r->alone && (r->flags & (pool->options.share_commits ? PG_RUN_RETRY | PG_RUN_SHARED : PG_RUN_RETRY));
    bool joins = together && pool_is_fast(r->s) && nbusy >= pool->options.processors && busy.load < POOL_BATCH &&
                 atomic_load_explicit(&pool->local, memory_order_relaxed) &&
                 !atomic_load_explicit(&pool->unprepared, memory_order_relaxed);
    *joined = joins && busy.link;
    if (*joined)
        return busy.link;
    return idle.link ? idle.link : unopened.link ? unopened.link : busy.link;
}

bool pool_is_fast(const struct pg_prepared *s)
{
    uint64_t average = atomic_load_explicit(&s->average_us, memory_order_relaxed);

    return average != 0 && average < (uint64_t)s->pool->options.slow_ms * (1000 / FAST);
}

bool pool_is_slow(const struct pg_pool *pool, const struct pg_prepared *s)
{
    return atomic_load_explicit(&s->average_us, memory_order_relaxed) > (uint64_t)pool->options.slow_ms * 1000;
}

/* One attempt. CELL_OK: r->end. */
static int attempt(struct pg_pool *pool, struct pg_link *link, struct pg_request *r, const struct pg_patience *patience,
                   struct pg_failure *f)
{
    if (link)
        return link_run_pinned(link, r, patience, f);
    bool joins;
    struct pg_link *shared = r->pins || pool_is_slow(pool, r->s) ? NULL : pool_choose(pool, r, &joins), *own;
    if (shared) {
        atomic_fetch_add_explicit(&pool->counters.runs, 1, memory_order_relaxed);
        return link_run(shared, r, patience, f);
    }
    int status = pg_pool_pin(pool, patience, &own, f);
    if (status < 0)
        return status;
    status = link_run_pinned(own, r, patience, f);
    pg_pool_unpin(pool, own, true);
    return status;
}

/* What became of a request that did not end with a result. CELL_OK: try again. */
static int judge(struct pg_pool *pool, const struct pg_link *link, struct pg_request *r, uint32_t attempts,
                 struct pg_failure *f)
{
    bool untouched = r->end == REQUEST_MOVED || r->end == REQUEST_AGAIN || r->end == REQUEST_NOT_BEGUN ||
                     r->end == REQUEST_LOCKED || r->end == REQUEST_REPLAN;
    bool again = attempts < (untouched ? POOL_ATTEMPTS : 2);

    if (r->end == REQUEST_FAILED || r->failure.status < 0) {
        *f = r->failure;
        return f->status;
    }
    if (link && (r->end == REQUEST_LOST || r->end == REQUEST_NOT_BEGUN))
        return pg_fail(f, CELL_ABORTED, "the connection to the database was lost");
    if (r->end == REQUEST_REPREPARE && attempts == 2) /* it is gone as soon as it is there */
        atomic_store(&pool->unprepared, true);
    if (r->end == REQUEST_REPREPARE)
        return attempts < 3 ? CELL_OK : pg_fail(f, CELL_UNAVAILABLE, "prepared statements are lost between two calls");
    r->alone = r->alone || r->end == REQUEST_AGAIN;
    if (r->end == REQUEST_LOCKED) {
        r->pins = true;
        atomic_fetch_add(&pool->counters.moved, 1);
    }
    if (r->end == REQUEST_LOST && (r->flags & PG_RUN_WRITE))
        return pg_fail(f, CELL_UNKNOWN_OUTCOME, "the connection to the database was lost before it answered");
    if (r->end == REQUEST_LOST && !(r->flags & PG_RUN_RETRY))
        return pg_fail(f, CELL_UNAVAILABLE, "the connection to the database was lost");
    return again ? CELL_OK : pg_fail(f, CELL_UNAVAILABLE, "the connection to the database was lost more than once");
}

static bool is_good(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);

    return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
}

int pool_conclude(struct pg_pool *pool, struct pg_link *link, struct pg_request *r, int status,
                  const struct pg_patience *patience, struct pg_rows *rows, struct pg_failure *f)
{
    for (uint32_t attempts = 1;; attempts++) {
        /* It may have come in the end, though nobody waited for it any more. */
        if (r->rows.result && is_good(r->rows.result)) {
            *rows = r->rows;
            return CELL_OK;
        }
        if (status >= 0 && r->end == REQUEST_RESULT) {
            pg_fail_result(f, r->rows.result);
            pg_rows_clear(&r->rows);
            return f->status;
        }
        pg_rows_clear(&r->rows);
        if (status < 0 || (status = judge(pool, link, r, attempts, f)) < 0)
            return status;
        status = pool_check_patience(patience, f);
        if (status < 0)
            return status;
        status = attempt(pool, link, r, patience, f);
    }
}

int pg_pool_run(struct pg_pool *pool, struct pg_link *link, struct pg_prepared *s, const struct pg_values *values,
                unsigned flags, const struct pg_patience *patience, PGresult **result, struct pg_failure *f)
{
    struct pg_request r = {.s = s, .values = values, .flags = flags};
    struct pg_rows rows;

    *f = (struct pg_failure){0};
    int status = attempt(pool, link, &r, patience, f);
    status = pool_conclude(pool, link, &r, status, patience, &rows, f);
    if (status >= 0)
        *result = rows.result;
    return status;
}

int pg_pool_fetch(struct pg_pool *pool, struct pg_link *link, struct pg_prepared *s, const struct pg_values *values,
                  unsigned flags, const struct pg_patience *patience, struct pg_rows *rows, struct pg_failure *f)
{
    struct pg_request r = {.s = s, .values = values, .flags = flags, .merges = true};

    *f = (struct pg_failure){0};
    int status = attempt(pool, link, &r, patience, f);
    return pool_conclude(pool, link, &r, status, patience, rows, f);
}

void pg_pool_count(struct pg_pool *pool, struct pg_pool_counters *out)
{
    *out = (struct pg_pool_counters){
        .connects = atomic_load(&pool->counters.connects),
        .lost = atomic_load(&pool->counters.lost),
        .runs = atomic_load(&pool->counters.runs),
        .sends = atomic_load(&pool->counters.sends),
        .prepares = atomic_load(&pool->counters.prepares),
        .evictions = atomic_load(&pool->counters.evictions),
        .moved = atomic_load(&pool->counters.moved),
        .cancels = atomic_load(&pool->counters.cancels),
        .shared_again = atomic_load(&pool->counters.shared_again),
        .merges = atomic_load(&pool->counters.merges),
        .merged = atomic_load(&pool->counters.merged),
        .merged_again = atomic_load(&pool->counters.merged_again),
        .unprepared = atomic_load(&pool->unprepared),
    };
    for (uint32_t i = 0; i < pool->options.connections; i++)
        out->open += atomic_load(&pool->shared[i].open);
    pthread_mutex_lock(&pool->lock);
    out->pinned = pool->npinned;
    out->open += pool->npinned + pool->nidle;
    pthread_mutex_unlock(&pool->lock);
}
