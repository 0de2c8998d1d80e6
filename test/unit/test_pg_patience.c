/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LIBS: cell_postgres_sanitized
/* Callers whose time is short: what it costs the database that they give up, and that they get somewhere. */
#include "pg_pool.h"
#include "postgres/pool_impl.h"
#include "postgres/transaction.h"
#include "test.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct cell_caller me;

static uint64_t connects(void)
{
    struct pg_pool_counters n;

    pg_pool_count(pool, &n);
    return n.connects;
}

static struct pg_transactions *make(void)
{
    me = (struct cell_caller){.uid = 7, .pid = getpid()};
    return pool_of(1) ? pg_transactions_new(pool, 2, 2, 60000) : NULL;
}

/* There is a connection that nobody has. Returns how many were made until now. */
static uint64_t make_one(void)
{
    struct pg_link *link = NULL;
    struct pg_failure f;

    if (pg_pool_pin(pool, &forever, &link, &f) < 0)
        exit(1);
    pg_pool_unpin(pool, link, true);
    return connects();
}

/* Less than a connection takes. */
TEST(a_connection_that_is_made_too_late_is_the_next_ones)
{
    struct pg_transactions *t = make();
    char token[PG_TRANSACTION_TOKEN_SIZE];
    struct pg_failure f;
    struct pg_pool_counters n;
    if (!t)
        return;
    for (int i = 0; i < 50; i++) {
        const struct pg_patience patience = pool_wait_ns(1000000);
        struct pg_transaction *x = NULL;
        if (pg_transaction_begin(t, &me, "BEGIN", &patience, token, &f) >= 0 &&
            pg_transaction_get(t, &me, cell_strz(token), &forever, &x, &f) >= 0)
            pg_transaction_end(t, x, true);
    }
    pg_pool_count(pool, &n);
    CHECK(n.connects > 0 && n.connects < 10 && n.open > 0 && n.pinned == 0);
    pg_transactions_free(t);
}

TEST(a_transaction_that_begins_too_late_leaves_its_connection)
{
    struct pg_transactions *t = make();
    char token[PG_TRANSACTION_TOKEN_SIZE];
    struct pg_failure f;
    if (!t)
        return;
    for (int i = 0; i < 2; i++) {
        uint64_t before = make_one();
        const struct pg_patience patience = pool_wait_ns(UINT64_C(20000000));
        CHECK(pg_transaction_begin(t, &me, i ? "BEGIN; SELECT pg_sleep(600)" : "SELECT pg_sleep(600); BEGIN", &patience,
                                   token, &f) == CELL_DEADLINE_EXCEEDED);
        CHECK(pg_transaction_begin(t, &me, "BEGIN", &forever, token, &f) == CELL_OK && connects() == before);
        pg_transactions_free(t);
        t = make();
    }
    pg_transactions_free(t);
}

static bool is_cancelled(void *asked) { return ++*(int *)asked > 1; }

/* The one that has begun when nobody wants it any more. */
TEST(a_transaction_that_nobody_wants_leaves_its_connection)
{
    struct pg_transactions *t = make();
    char token[PG_TRANSACTION_TOKEN_SIZE];
    struct pg_failure f;
    if (!t)
        return;
    uint64_t before = make_one();
    for (int i = 0; i < 3; i++) {
        int asked = 1;
        const struct pg_patience patience = {UINT64_MAX, is_cancelled, &asked};
        CHECK(pg_transaction_begin(t, &me, "BEGIN", &patience, token, &f) == CELL_CANCELLED);
    }
    CHECK(pg_transaction_begin(t, &me, "BEGIN", &forever, token, &f) == CELL_OK && connects() == before);
    pg_transactions_free(t);
}

/* Nobody else would end it before it was idle for long. */
TEST(a_transaction_of_which_nobody_has_heard_is_rolled_back)
{
    struct pg_transactions *t = make();
    char token[PG_TRANSACTION_TOKEN_SIZE], other[PG_TRANSACTION_TOKEN_SIZE];
    struct pg_failure f;
    struct pg_transaction *x = NULL;
    if (!t)
        return;
    uint64_t before = make_one();
    for (int i = 0; i < 10; i++) {
        CHECK(pg_transaction_begin(t, &me, "BEGIN", &forever, token, &f) == CELL_OK);
        pg_transactions_forget(t, token);
        pg_transactions_forget(t, "00000000000000000000000000000000");
    }
    CHECK(connects() < before + 8); /* it is rolled back beside the next one */
    /* A call that runs in it goes on to its end. */
    REQUIRE(pg_transaction_begin(t, &me, "BEGIN", &forever, token, &f) == CELL_OK);
    REQUIRE(pg_transaction_begin(t, &me, "BEGIN", &forever, other, &f) == CELL_OK);
    REQUIRE(pg_transaction_get(t, &me, cell_strz(token), &forever, &x, &f) == CELL_OK);
    pg_transactions_forget(t, token);
    CHECK(pg_link_exec(pg_transaction_link(x), "SELECT 1", &forever, NULL, &f) == CELL_OK);
    pg_transaction_put(t, x);
    CHECK(pg_transaction_get(t, &me, cell_strz(token), &forever, &x, &f) == CELL_ABORTED);
    CHECK(pg_transaction_get(t, &me, cell_strz(other), &forever, &x, &f) == CELL_OK);
    pg_transaction_put(t, x);
    pg_transactions_free(t);
}

/* ---- a socket whose queue is full ---- */

static char real[108];
static struct sockaddr_un full;

/* Asked before each attempt: at the third one the server's own socket is in place of the full one. */
static bool make_room(void *asked)
{
    if (++*(int *)asked == 3 && (unlink(full.sun_path) < 0 || symlink(real, full.sun_path) < 0))
        exit(1);
    return false;
}

static int connect_to(const struct sockaddr_un *a)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    return fd >= 0 && connect(fd, (const struct sockaddr *)a, sizeof(*a)) == 0 ? fd : (close(fd), -1);
}

TEST(a_queue_that_is_full_is_waited_for)
{
    struct pg_pool *other = NULL;
    struct pg_link *link = NULL;
    struct pg_failure f;
    char folder[] = "/tmp/pg.full.XXXXXX", conninfo[256];
    int queued[64], n = 0, asked = 0, listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct pg_patience patience = {UINT64_MAX, make_room, &asked};
    if (!pool_of(1))
        return;
    REQUIRE(pg_pool_pin(pool, &forever, &link, &f) == CELL_OK && mkdtemp(folder));
    PGconn *conn = pg_link_connection(link);
    snprintf(real, sizeof(real), "%.80s/.s.PGSQL.%.8s", PQhost(conn), PQport(conn));
    full = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(full.sun_path, sizeof(full.sun_path), "%s/.s.PGSQL.%.8s", folder, PQport(conn));
    snprintf(conninfo, sizeof(conninfo), "host=%s port=%s user=%s dbname=%s", folder, PQport(conn), PQuser(conn),
             PQdb(conn));
    REQUIRE(bind(listener, (const struct sockaddr *)&full, sizeof(full)) == 0 && listen(listener, 1) == 0);
    while (n < 64 && (queued[n] = connect_to(&full)) >= 0)
        n++;
    REQUIRE(n < 64 && errno == EAGAIN);
    REQUIRE(pg_pool_open(&(struct pg_pool_options){.conninfo = conninfo}, &other, &f) == CELL_OK);
    pg_pool_unpin(pool, link, true);
    link = NULL;
    CHECK(pg_pool_pin(other, &patience, &link, &f) == CELL_OK && asked >= 3);
    if (link)
        pg_pool_unpin(other, link, true);
    pg_pool_close(other);
    while (n > 0)
        close(queued[--n]);
    close(listener);
    unlink(full.sun_path);
    rmdir(folder);
}

TEST(the_end) { pg_pool_close(pool); }
