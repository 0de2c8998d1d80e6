/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LIBS: cell_postgres_sanitized
/* Transactions of clients: whose they are, and what ends them. */
#include "pg_pool.h"
#include "postgres/pool_impl.h"
#include "postgres/transaction.h"
#include "test.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct pg_pool *the_pool(void) { return pool_of(1); }

static struct cell_caller caller_of(uint32_t uid, pid_t pid) { return (struct cell_caller){.uid = uid, .pid = pid}; }

static cell_str text(const char *token) { return cell_strz(token); }

/* How many transactions of others are open. */
static int count_open(void)
{
    struct pg_link *link = NULL;
    struct pg_failure f;
    PGresult *result = NULL;

    if (pg_pool_pin(pool, &forever, &link, &f) < 0 ||
        pg_link_exec(link, "SELECT 1 FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'", &forever, &result,
                     &f) < 0)
        exit(1);
    int n = PQntuples(result);
    PQclear(result);
    pg_pool_unpin(pool, link, true);
    return n;
}

static int execute(struct pg_transaction *x, const char *sql)
{
    struct pg_failure f;

    return pg_link_exec(pg_transaction_link(x), sql, &forever, NULL, &f);
}

TEST(a_transaction_belongs_to_who_began_it)
{
    if (!the_pool())
        return;
    struct pg_transactions *t = pg_transactions_new(pool, 4, 2, 60000);
    struct cell_caller me = caller_of(7, getpid()), other = caller_of(8, getpid()), sibling = caller_of(7, 1);
    char token[PG_TRANSACTION_TOKEN_SIZE], second[PG_TRANSACTION_TOKEN_SIZE], third[PG_TRANSACTION_TOKEN_SIZE];
    struct pg_transaction *x = NULL;
    struct pg_failure f;

    REQUIRE(pg_transaction_begin(t, &me, "BEGIN", &forever, token, &f) == CELL_OK);
    CHECK(strlen(token) == 32 && strspn(token, "0123456789abcdef") == 32 && count_open() == 1);
    CHECK(pg_transaction_get(t, &other, text(token), &forever, &x, &f) == CELL_ABORTED);
    CHECK(pg_transaction_get(t, &sibling, text(token), &forever, &x, &f) == CELL_ABORTED);
    CHECK(pg_transaction_get(t, &me, text(""), &forever, &x, &f) == CELL_ABORTED);
    CHECK(pg_transaction_get(t, &me, text("00000000000000000000000000000000"), &forever, &x, &f) == CELL_ABORTED);
    REQUIRE(pg_transaction_get(t, &me, text(token), &forever, &x, &f) == CELL_OK);
    CHECK(execute(x, "CREATE TABLE t(a int)") == CELL_OK);
    /* Another call of it waits, as long as it may. */
    struct pg_transaction *again = NULL;
    const struct pg_patience none = {0, NULL, NULL};
    CHECK(pg_transaction_get(t, &me, text(token), &none, &again, &f) == CELL_DEADLINE_EXCEEDED && !again);
    pg_transaction_put(t, x);
    /* Two are as many as one user may have; another one still can. */
    REQUIRE(pg_transaction_begin(t, &me, "BEGIN", &forever, second, &f) == CELL_OK);
    CHECK(pg_transaction_begin(t, &me, "BEGIN", &none, third, &f) == CELL_RESOURCE_EXHAUSTED);
    CHECK(strstr(f.text, "all 2 transactions that one user may have open at once") &&
          strstr(f.text, "--own-connections"));
    CHECK(pg_transaction_begin(t, &other, "BEGIN", &forever, third, &f) == CELL_OK);
    REQUIRE(pg_transaction_get(t, &me, text(token), &forever, &x, &f) == CELL_OK);
    CHECK(execute(x, "COMMIT") == CELL_OK);
    pg_transaction_end(t, x, true);
    /* It was committed: nobody may take it for one that can be made again. */
    CHECK(pg_transaction_get(t, &me, text(token), &forever, &x, &f) == CELL_FAILED_PRECONDITION);
    /* What is open is rolled back. */
    pg_transactions_free(t);
    while (count_open() > 0)
        continue;
}

TEST(a_transaction_ends_with_its_process)
{
    if (!the_pool())
        return;
    struct pg_transactions *t = pg_transactions_new(pool, 2, 2, 60000);
    char token[PG_TRANSACTION_TOKEN_SIZE], own[PG_TRANSACTION_TOKEN_SIZE];
    struct pg_failure f;
    struct pg_transaction *x = NULL;
    pid_t child = fork();

    if (child == 0) {
        for (;;)
            pause();
    }
    struct cell_caller caller = caller_of(7, child), me = caller_of(7, getpid());
    REQUIRE(pg_transaction_begin(t, &caller, "BEGIN", &forever, token, &f) == CELL_OK);
    REQUIRE(pg_transaction_begin(t, &me, "BEGIN", &forever, own, &f) == CELL_OK);
    CHECK(count_open() == 2);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    while (count_open() > 1)
        continue;
    /* Its place is free, and the other one goes on. */
    REQUIRE(pg_transaction_get(t, &me, text(own), &forever, &x, &f) == CELL_OK);
    CHECK(execute(x, "SELECT 1") == CELL_OK);
    pg_transaction_put(t, x);
    CHECK(pg_transaction_begin(t, &me, "BEGIN", &forever, token, &f) == CELL_OK);
    pg_transactions_free(t);
    while (count_open() > 0)
        continue;
}

static struct pg_transactions *crowd;
static atomic_int lost;

/* One after the other, beside others that do the same. */
static void *begin_and_end(void *ignored)
{
    struct cell_caller me = caller_of(7, getpid());
    char token[PG_TRANSACTION_TOKEN_SIZE];
    struct pg_failure f;

    for (int i = 0; i < 1000; i++) {
        struct pg_transaction *x = NULL;
        if (pg_transaction_begin(crowd, &me, "BEGIN", &forever, token, &f) < 0 ||
            pg_transaction_get(crowd, &me, text(token), &forever, &x, &f) < 0) {
            lost++;
            continue;
        }
        pg_transaction_put(crowd, x);
        if (pg_transaction_get(crowd, &me, text(token), &forever, &x, &f) < 0) {
            lost++;
            continue;
        }
        lost += execute(x, "COMMIT") < 0;
        pg_transaction_end(crowd, x, true);
    }
    return ignored;
}

/* Whoever watches the process of one that has ended must not take the file of the next one for it. */
TEST(no_transaction_is_taken_for_one_of_a_process_that_has_ended)
{
    pthread_t threads[4];

    if (!the_pool())
        return;
    crowd = pg_transactions_new(pool, 8, 8, 60000);
    for (int i = 0; i < 4; i++)
        REQUIRE(pthread_create(&threads[i], NULL, begin_and_end, NULL) == 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    CHECK(lost == 0);
    pg_transactions_free(crowd);
}

/* ---- waiting for one ---- */

static atomic_uint running, most_running, wanted;

static void *begin_in_turn(void *user)
{
    struct cell_caller caller = caller_of((uint32_t)(uintptr_t)user, getpid());
    char token[PG_TRANSACTION_TOKEN_SIZE];
    struct pg_failure f;

    for (int i = 0; i < 20; i++) {
        struct pg_transaction *x = NULL;
        if (pg_transaction_begin(crowd, &caller, "BEGIN", &forever, token, &f) < 0) {
            lost++;
            continue;
        }
        unsigned now = atomic_fetch_add(&running, 1) + 1, most = atomic_load(&most_running);
        while (now > most && !atomic_compare_exchange_weak(&most_running, &most, now))
            continue;
        /* What runs in it needs no other place. */
        for (int k = 0; k < 2; k++) {
            if (pg_transaction_get(crowd, &caller, text(token), &forever, &x, &f) < 0 || execute(x, "SELECT 1") < 0)
                lost++;
            else
                pg_transaction_put(crowd, x);
        }
        lost += pg_transaction_get(crowd, &caller, text(token), &forever, &x, &f) < 0 || execute(x, "COMMIT") < 0;
        atomic_fetch_sub(&running, 1);
        if (x)
            pg_transaction_end(crowd, x, true);
    }
    return NULL;
}

TEST(who_begins_one_waits_until_another_has_ended)
{
    pthread_t threads[16];

    if (!the_pool())
        return;
    crowd = pg_transactions_new(pool, 4, 3, 60000);
    lost = 0;
    for (uintptr_t i = 0; i < 16; i++)
        REQUIRE(pthread_create(&threads[i], NULL, begin_in_turn, (void *)(7 + i % 2)) == 0);
    for (int i = 0; i < 16; i++)
        pthread_join(threads[i], NULL);
    CHECK(lost == 0 && most_running > 1 && most_running <= 4);
    pg_transactions_free(crowd);
}

TEST(who_finds_none_free_in_time_is_told_which_limit_it_was)
{
    if (!the_pool())
        return;
    struct pg_transactions *t = pg_transactions_new(pool, 3, 2, 60000);
    struct cell_caller me = caller_of(7, getpid()), other = caller_of(8, getpid());
    char token[PG_TRANSACTION_TOKEN_SIZE];
    struct pg_patience soon = pool_wait_ns(20000000);
    struct pg_failure f;

    REQUIRE(pg_transaction_begin(t, &me, "BEGIN", &forever, token, &f) == CELL_OK);
    REQUIRE(pg_transaction_begin(t, &me, "BEGIN", &forever, token, &f) == CELL_OK);
    CHECK(pg_transaction_begin(t, &me, "BEGIN", &soon, token, &f) == CELL_RESOURCE_EXHAUSTED);
    CHECK(strstr(f.text, "all 2 transactions that one user may have open at once are in use"));
    CHECK(pool_now_ns() < soon.until_ns + UINT64_C(10000000000));
    REQUIRE(pg_transaction_begin(t, &other, "BEGIN", &forever, token, &f) == CELL_OK);
    soon = pool_wait_ns(20000000);
    CHECK(pg_transaction_begin(t, &other, "BEGIN", &soon, token, &f) == CELL_RESOURCE_EXHAUSTED);
    CHECK(strstr(f.text, "all 3 transactions that all users together may have open at once are in use"));
    pg_transactions_free(t);
    while (count_open() > 0)
        continue;
}

static bool count_look(void *ignored)
{
    (void)ignored;
    atomic_fetch_add(&wanted, 1);
    return false;
}

struct turn {
    struct pg_transactions *t;
    uint32_t uid;
    char token[PG_TRANSACTION_TOKEN_SIZE];
    atomic_bool has;
};

static void *wait_for_turn(void *user)
{
    struct turn *w = user;
    struct cell_caller caller = caller_of(w->uid, getpid());
    /* Who waits looks now and then whether it still should, and so is known to wait. */
    const struct pg_patience patience = {UINT64_MAX, count_look, NULL};
    struct pg_failure f;

    lost += pg_transaction_begin(w->t, &caller, "BEGIN", &patience, w->token, &f) < 0;
    atomic_store(&w->has, true);
    return NULL;
}

/* Others who came later, and have less, come first. */
TEST(the_user_who_has_the_fewest_is_next)
{
    if (!the_pool())
        return;
    struct pg_transactions *t = pg_transactions_new(pool, 3, 3, 60000);
    struct cell_caller first = caller_of(7, getpid());
    char tokens[3][PG_TRANSACTION_TOKEN_SIZE];
    struct turn turns[] = {{.t = t, .uid = 7}, {.t = t, .uid = 7}, {.t = t, .uid = 8}};
    pthread_t threads[3];
    struct pg_transaction *x = NULL;
    struct pg_failure f;

    lost = 0;
    for (int i = 0; i < 3; i++)
        REQUIRE(pg_transaction_begin(t, &first, "BEGIN", &forever, tokens[i], &f) == CELL_OK);
    for (int i = 0; i < 3; i++) {
        unsigned before = atomic_load(&wanted);
        REQUIRE(pthread_create(&threads[i], NULL, wait_for_turn, &turns[i]) == 0);
        while (atomic_load(&wanted) < before + 2 * (unsigned)(i + 1))
            sched_yield();
    }
    REQUIRE(pg_transaction_get(t, &first, text(tokens[0]), &forever, &x, &f) == CELL_OK);
    pg_transaction_end(t, x, true);
    pthread_join(threads[2], NULL);
    CHECK(!turns[0].has && !turns[1].has);
    for (int i = 1; i < 3; i++) {
        REQUIRE(pg_transaction_get(t, &first, text(tokens[i]), &forever, &x, &f) == CELL_OK);
        pg_transaction_end(t, x, true);
    }
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    CHECK(lost == 0 && turns[0].has && turns[1].has);
    pg_transactions_free(t);
    while (count_open() > 0)
        continue;
}

static bool is_cancelled(void *user)
{
    (void)user;
    return true;
}

/* Of whom nobody would hear any more none is left open. */
TEST(a_transaction_of_who_has_gone_meanwhile_does_not_begin)
{
    struct pg_transactions *t;
    char token[PG_TRANSACTION_TOKEN_SIZE];
    struct pg_failure f;
    if (!the_pool() || !(t = pg_transactions_new(pool, 2, 2, 60000)))
        return;
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    waitpid(child, NULL, 0);
    struct cell_caller gone = caller_of(1, child), here = caller_of(1, getpid());
    const struct pg_patience patience = pool_wait_ns(UINT64_C(10000000000)),
                             cancelled = {patience.until_ns, is_cancelled, NULL};
    CHECK(pg_transaction_begin(t, &gone, "BEGIN", &patience, token, &f) == CELL_CANCELLED);
    CHECK(pg_transaction_begin(t, &here, "BEGIN", &cancelled, token, &f) == CELL_CANCELLED);
    while (count_open() > 0)
        continue;
    for (int i = 0; i < 2; i++) /* and no place is taken */
        CHECK(pg_transaction_begin(t, &here, "BEGIN", &patience, token, &f) == CELL_OK);
    pg_transactions_free(t);
}

TEST(a_transaction_that_is_idle_for_too_long_is_ended_by_the_database)
{
    if (!the_pool())
        return;
    struct pg_transactions *t = pg_transactions_new(pool, 1, 1, 50);
    struct cell_caller me = caller_of(7, getpid());
    char token[PG_TRANSACTION_TOKEN_SIZE];
    struct pg_failure f;

    char gone[PG_TRANSACTION_TOKEN_SIZE];
    struct pg_transaction *x = NULL;
    REQUIRE(pg_transaction_begin(t, &me, "BEGIN", &forever, gone, &f) == CELL_OK);
    while (count_open() > 0)
        continue;
    /* Its place is found to be free as soon as its connection has ended. */
    int r;
    while ((r = pg_transaction_begin(t, &me, "BEGIN", &forever, token, &f)) == CELL_RESOURCE_EXHAUSTED)
        continue;
    CHECK(r == CELL_OK);
    /* Nothing of it was stored, and that is no "no such row". */
    CHECK(pg_transaction_get(t, &me, text(gone), &forever, &x, &f) == CELL_ABORTED);
    CHECK(strstr(f.text, "there is no such transaction of this program any more"));
    pg_transactions_free(t);
}

/* ---- connections that an administrator ends ---- */

#define END_OWN "pg_terminate_backend(pg_backend_pid())"

static int prepare_ending(struct pg_link *link)
{
    struct pg_failure f;

    return pg_link_exec(link,
                        "DROP TABLE IF EXISTS ending; CREATE TABLE ending (a int); CREATE OR REPLACE FUNCTION "
                        "end_own() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM " END_OWN "; RETURN NULL; END "
                        "$$; CREATE OR REPLACE FUNCTION wait_long() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                        "PERFORM pg_sleep(600); RETURN NULL; END $$; DROP SEQUENCE IF EXISTS begins; "
                        "CREATE SEQUENCE begins",
                        &forever, NULL, &f);
}

/* The row of `ending` that is stored after all. */
static int count_rows(struct pg_link *link)
{
    struct pg_failure f;
    PGresult *result = NULL;

    if (pg_link_exec(link, "SELECT FROM ending", &forever, &result, &f) < 0)
        return -1;
    int n = PQntuples(result);
    PQclear(result);
    return n;
}

TEST(a_connection_that_is_lost_before_anything_was_begun_is_replaced)
{
    struct pg_link *other = NULL;
    struct pg_failure f;
    if (!the_pool())
        return;
    struct pg_transactions *t = pg_transactions_new(pool, 1, 1, 60000);
    struct cell_caller me = caller_of(7, getpid());
    char token[PG_TRANSACTION_TOKEN_SIZE];
    struct pg_transaction *x = NULL;
    REQUIRE(pg_pool_pin(pool, &forever, &other, &f) == CELL_OK && prepare_ending(other) == CELL_OK);
    /* The first connections are ended where they begin. */
    CHECK(pg_transaction_begin(t, &me, "SELECT CASE WHEN nextval('begins') < 4 THEN " END_OWN " END; BEGIN", &forever,
                               token, &f) == CELL_OK);
    REQUIRE(pg_transaction_get(t, &me, text(token), &forever, &x, &f) == CELL_OK);
    CHECK(execute(x, "INSERT INTO ending VALUES (1)") == CELL_OK);
    CHECK(pg_link_commit(pg_transaction_link(x), &forever, &f) == CELL_OK && count_rows(other) == 1);
    pg_transaction_end(t, x, true);
    /* But not for ever. */
    CHECK(pg_transaction_begin(t, &me, "SELECT " END_OWN "; BEGIN", &forever, token, &f) == CELL_UNAVAILABLE);
    pg_transactions_free(t);
    pg_pool_unpin(pool, other, true);
}

/* A transaction with one row to be stored. */
static struct pg_link *begin_row(struct pg_link *other, const char *trigger)
{
    struct pg_link *link = NULL;
    struct pg_failure f;
    char sql[512];

    snprintf(sql, sizeof(sql),
             "CREATE CONSTRAINT TRIGGER at_end AFTER INSERT ON ending DEFERRABLE INITIALLY DEFERRED FOR EACH ROW "
             "EXECUTE FUNCTION %s()",
             trigger);
    if (prepare_ending(other) < 0 || (trigger[0] && pg_link_exec(other, sql, &forever, NULL, &f) < 0) ||
        pg_pool_pin_begun(pool, "BEGIN", &forever, &link, &f) < 0 ||
        pg_link_exec(link, "INSERT INTO ending VALUES (1)", &forever, NULL, &f) < 0)
        exit(1);
    return link;
}

/* Ends another's, and waits until it has ended. */
static void end_other(struct pg_link *other, struct pg_link *link)
{
    struct pg_failure f;
    char sql[128];

    snprintf(sql, sizeof(sql), "SELECT pg_terminate_backend(%d, 600000)", PQbackendPID(pg_link_connection(link)));
    if (pg_link_exec(other, sql, &forever, NULL, &f) < 0)
        exit(1);
}

TEST(a_transaction_whose_connection_is_lost_before_its_commit_is_aborted)
{
    struct pg_link *other = NULL, *link;
    struct pg_failure f;
    if (!the_pool())
        return;
    REQUIRE(pg_pool_pin(pool, &forever, &other, &f) == CELL_OK);
    /* While it was idle. */
    link = begin_row(other, "");
    end_other(other, link);
    CHECK(pg_link_commit(link, &forever, &f) == CELL_ABORTED && strstr(f.text, "Nothing of it was stored"));
    CHECK(!pg_link_is_alive(link) && count_rows(other) == 0);
    pg_pool_unpin(pool, link, true);
    /* While it was about to be stored. */
    link = begin_row(other, "end_own");
    CHECK(pg_link_commit(link, &forever, &f) == CELL_ABORTED && !pg_link_is_alive(link) && count_rows(other) == 0);
    pg_pool_unpin(pool, link, true);
    pg_pool_unpin(pool, other, true);
}

struct commit {
    struct pg_link *link;
    struct pg_failure f;
    int status;
};

static void *commit(void *user)
{
    struct commit *k = user;

    k->status = pg_link_commit(k->link, &forever, &k->f);
    return NULL;
}

TEST(a_commit_whose_answer_is_lost_is_of_unknown_outcome)
{
    struct pg_link *other = NULL;
    struct pg_failure f;
    pthread_t thread;
    if (!the_pool())
        return;
    REQUIRE(pg_pool_pin(pool, &forever, &other, &f) == CELL_OK);
    struct commit k = {.link = begin_row(other, "wait_long")};
    REQUIRE(pthread_create(&thread, NULL, commit, &k) == 0);
    for (int n = 0; n == 0;) {
        PGresult *result = NULL;
        REQUIRE(pg_link_exec(other, "SELECT FROM pg_stat_activity WHERE query = 'COMMIT' AND wait_event = 'PgSleep'",
                             &forever, &result, &f) == CELL_OK);
        n = PQntuples(result);
        PQclear(result);
    }
    shutdown(PQsocket(pg_link_connection(k.link)), SHUT_RDWR);
    pthread_join(thread, NULL);
    CHECK(k.status == CELL_UNKNOWN_OUTCOME);
    end_other(other, k.link);
    pg_pool_unpin(pool, k.link, true);
    pg_pool_unpin(pool, other, true);
}

TEST(the_end) { pg_pool_close(pool); }
