/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LIBS: cell_postgres_sanitized
/* Merged statements that wait for more while larger ones run, and what does not. */
#include "pg_begun.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#define MINUTE_US 60000000u

/* Key 9 waits for a lock that somebody holds. */
#define WAITS(key) "SELECT " key " FROM pg_advisory_xact_lock_shared(CASE WHEN " key " = 9 THEN 7 ELSE 8 END)"

struct fixture {
    struct pg_pool *pool;
    struct pg_prepared *s, *apart; /* the same without a merged form */
    PGconn *holder;                /* of the lock */
    struct begun blocked[2];
    atomic_int promises; /* calls of gather that say `more` */
    atomic_bool last;    /* what it said last */
};

static void note_gather(void *user, bool more)
{
    struct fixture *x = user;

    if (more)
        atomic_fetch_add(&x->promises, 1);
    atomic_store(&x->last, more);
}

static void hold(struct fixture *x, bool holds)
{
    PGresult *r = PQexec(x->holder, holds ? "SELECT pg_advisory_lock(7)" : "SELECT pg_advisory_unlock(7)");

    CHECK(PQresultStatus(r) == PGRES_TUPLES_OK);
    PQclear(r);
}

static void *run_slowly(void *user)
{
    struct fixture *x = user;
    struct pg_prepared *s = prepare(x->pool, "SELECT $1 FROM pg_sleep(0.05)");
    struct pg_failure f;
    PGresult *result = NULL;

    CHECK(run_int(x->pool, NULL, s, 1, PG_RUN_RETRY, &forever, &result, &f) == CELL_OK);
    PQclear(result);
    pg_prepared_free(s);
    return NULL;
}

/* Both connections are there when two have run at once. */
static void connect_both(struct fixture *x)
{
    while (count(x->pool).open < 2) {
        pthread_t threads[2];
        for (int i = 0; i < 2; i++)
            if (pthread_create(&threads[i], NULL, run_slowly, x) != 0)
                exit(1);
        for (int i = 0; i < 2; i++)
            pthread_join(threads[i], NULL);
    }
}

static void begin(struct fixture *x, int32_t value, struct begun *b)
{
    REQUIRE(begin_int(x->pool, x->s, value, PG_RUN_RETRY, UINT64_MAX, b));
}

/* One connection has a statement of two, which does not end, and the other one nothing. */
static void block(struct fixture *x)
{
    struct begun other[2];

    hold(x, true);
    begin(x, 9, &x->blocked[0]);
    begin(x, 1, &other[0]); /* over the other one, and then in turns */
    begin(x, 2, &x->blocked[1]);
    begin(x, 3, &other[1]);
    pg_pool_flush(x->pool);
    check_end(&other[0], 1);
    check_end(&other[1], 3);
    CHECK(count(x->pool).merges == 2 && !has_ended(&x->blocked[0]));
}

/* False: PostgreSQL is not installed. */
static bool set_up(struct fixture *x, uint32_t processors, uint32_t gather_us)
{
    const struct pg_pool_options options = {.conninfo = url(),
                                            .connections = 2,
                                            .slow_ms = 20000, /* however slow the machine is */
                                            .processors = processors,
                                            .gather_us = gather_us,
                                            .gather = note_gather,
                                            .user = x};
    struct pg_failure f;

    if (!options.conninfo)
        return false;
    *x = (struct fixture){0};
    if (pg_pool_open(&options, &x->pool, &f) < 0)
        exit(1);
    x->s = prepare_both(x->pool, WAITS("$1"), WAITS("k.v"));
    x->apart = prepare(x->pool, WAITS("$1"));
    connect_both(x);
    warm_up(x->pool, x->s, 1);
    warm_up(x->pool, x->apart, 1);
    x->holder = PQconnectdb(url());
    block(x);
    return true;
}

static void unblock(struct fixture *x)
{
    hold(x, false);
    check_end(&x->blocked[0], 9);
    check_end(&x->blocked[1], 2);
}

static void tear_down(struct fixture *x)
{
    PQfinish(x->holder);
    pg_prepared_free(x->s);
    pg_prepared_free(x->apart);
    pg_pool_close(x->pool);
}

/* What was blocked has been so all the time. */
static void end_blocked(struct fixture *x)
{
    CHECK(!has_ended(&x->blocked[0]));
    unblock(x);
    tear_down(x);
}

/* One is sent though a larger one runs. */
static void check_sent(uint32_t processors, uint32_t gather_us)
{
    struct fixture x;
    struct begun b;

    if (!set_up(&x, processors, gather_us))
        return;
    begin(&x, 3, &b);
    pg_pool_flush(x.pool);
    check_end(&b, 3);
    end_blocked(&x);
}

TEST(a_smaller_one_waits_until_it_is_as_large)
{
    struct fixture x;
    struct begun b[2];

    if (!set_up(&x, 2, MINUTE_US))
        return;
    for (int round = 0; round < 3; round++) {
        uint64_t sends = count(x.pool).sends;
        begin(&x, 3, &b[0]);
        pg_pool_flush(x.pool);
        CHECK(count(x.pool).sends == sends);
        begin(&x, 4, &b[1]);
        pg_pool_flush(x.pool);
        CHECK(count(x.pool).sends == sends + 1 && count(x.pool).merges == 3 + (uint64_t)round);
        check_end(&b[0], 3);
        check_end(&b[1], 4);
        CHECK(!has_ended(&x.blocked[0]));
    }
    end_blocked(&x);
}

/* And it is on its way before those that have ended are told. */
TEST(a_smaller_one_waits_until_the_other_has_ended)
{
    struct fixture x;
    struct begun b;

    if (!set_up(&x, 2, MINUTE_US))
        return;
    uint64_t sends = count(x.pool).sends;
    begin(&x, 3, &b);
    pg_pool_flush(x.pool);
    CHECK(count(x.pool).sends == sends);
    unblock(&x);
    CHECK(x.blocked[0].sends == sends + 1 && x.blocked[1].sends == sends + 1);
    check_end(&b, 3);
    tear_down(&x);
}

TEST(what_runs_long_keeps_nothing_waiting) { check_sent(2, 1000); }

TEST(half_of_the_processors_have_a_statement_before_one_waits) { check_sent(4, MINUTE_US); }

/* A statement that is not merged, whether it reads or writes, is sent; and what waits before it goes with it. */
TEST(only_what_is_one_statement_waits)
{
    struct fixture x;
    struct begun b[3];

    if (!set_up(&x, 2, MINUTE_US))
        return;
    for (unsigned flags = PG_RUN_WRITE; flags <= PG_RUN_RETRY; flags++) {
        REQUIRE(begin_int(x.pool, x.apart, 3, flags, UINT64_MAX, &b[0]));
        pg_pool_flush(x.pool);
        check_end(&b[0], 3);
        uint64_t sends = count(x.pool).sends;
        begin(&x, 4, &b[1]);
        pg_pool_flush(x.pool);
        CHECK(count(x.pool).sends == sends);
        REQUIRE(begin_int(x.pool, x.apart, 5, PG_RUN_RETRY, UINT64_MAX, &b[2]));
        pg_pool_flush(x.pool);
        check_end(&b[1], 4);
        check_end(&b[2], 5);
    }
    end_blocked(&x);
}

TEST(one_that_waits_and_is_out_of_time_goes)
{
    struct fixture x;
    struct begun b[2];
    struct pg_failure f;

    if (!set_up(&x, 2, MINUTE_US))
        return;
    const struct pg_patience soon = for_ms(50);
    REQUIRE(begin_int(x.pool, x.s, 3, PG_RUN_RETRY, soon.until_ns, &b[0]));
    pg_pool_flush(x.pool);
    wait_end(&b[0]);
    REQUIRE(b[0].run);
    int r = pg_pool_go_on(b[0].run, &soon, &b[0].rows, &f); /* its thread sends it, and may just have the answer */
    CHECK(r == CELL_DEADLINE_EXCEEDED || (r == CELL_OK && number_of(&b[0].rows) == 3));
    pg_rows_clear(&b[0].rows);
    /* The place is free. */
    begin(&x, 4, &b[0]);
    begin(&x, 5, &b[1]);
    pg_pool_flush(x.pool);
    check_end(&b[0], 4);
    check_end(&b[1], 5);
    end_blocked(&x);
}

/* While what comes would wait, it is promised to come back for it, and that is kept while nothing ends; a moment after
 * it would not wait any longer the promise is taken back. On a busy machine that moment may have passed at once. */
TEST(who_begins_more_is_told_for_how_long_it_had_better_wait)
{
    struct fixture x;
    struct begun b[2];
    int kept = 0;

    if (!set_up(&x, 2, MINUTE_US))
        return;
    for (int round = 0; round < 100 && kept < 2; round++) {
        atomic_store(&x.promises, 0);
        begin(&x, 3, &b[0]);
        begin(&x, 4, &b[1]);
        pg_pool_flush(x.pool);
        check_end(&b[0], 3);
        check_end(&b[1], 4);
        do
            nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
        while (atomic_load(&x.last));
        kept = atomic_load(&x.promises);
    }
    CHECK(kept >= 2);
    end_blocked(&x);
}
