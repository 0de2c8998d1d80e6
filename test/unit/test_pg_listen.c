/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LIBS: cell_postgres_sanitized
#include <stdbool.h>

#include "pg_fixture.h"
#include "postgres/listen.h"
#include "test.h"

#define WAIT_MS 20000

static PGconn *conn;
static struct pg_target target;

static bool ready(void)
{
    static bool tried;

    if (!tried) {
        struct pg_failure f;
        tried = true;
        target = (struct pg_target){pg_fixture(NULL), "listener"};
        struct pg_target other = {target.conninfo, "other"};
        if (target.conninfo && pg_connect(&other, 0, &conn, &f) < 0)
            printf("%s\n", f.text);
    }
    return conn != NULL;
}

__attribute__((destructor)) static void disconnect(void) { PQfinish(conn); }

/* The next one's kind, with its payload in `payload`; -1 when none comes. */
static int next(struct pg_listener *l, char payload[64])
{
    struct pg_notice notice;

    payload[0] = '\0';
    if (!pg_listener_next(l, WAIT_MS, &notice))
        return -1;
    if (notice.payload)
        snprintf(payload, 64, "%.63s", notice.payload);
    free(notice.payload);
    return notice.what;
}

static int connections(void)
{
    PGresult *result = PQexec(conn, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'listener'");
    int n = atoi(PQgetvalue(result, 0, 0));

    PQclear(result);
    return n;
}

TEST(all_listeners_share_one_connection_and_hear_their_own_channel)
{
    struct pg_listener *l[3] = {NULL};
    struct pg_failure f;
    char payload[64];

    if (!ready())
        return;
    struct pg_listeners *all = pg_listeners_new(&target, 3);
    CHECK(connections() == 0);
    REQUIRE(pg_listen(all, "one", &l[0], &f) >= 0 && pg_listen(all, "Two \"2\"", &l[1], &f) >= 0 &&
            pg_listen(all, "one", &l[2], &f) >= 0);
    struct pg_listener *more = NULL;
    CHECK(pg_listen(all, "one", &more, &f) == CELL_RESOURCE_EXHAUSTED && !more);
    for (int i = 0; i < 3; i++)
        CHECK(next(l[i], payload) == PG_HEARD_LISTENING);
    CHECK(connections() == 1);
    PQclear(PQexec(conn,
                   "SELECT pg_notify('one', 'a'); SELECT pg_notify('Two \"2\"', 'b'); SELECT pg_notify('three', 'c')"));
    CHECK(next(l[0], payload) == PG_HEARD_NOTIFICATION && strcmp(payload, "a") == 0);
    CHECK(next(l[2], payload) == PG_HEARD_NOTIFICATION && strcmp(payload, "a") == 0);
    CHECK(next(l[1], payload) == PG_HEARD_NOTIFICATION && strcmp(payload, "b") == 0);
    pg_unlisten(l[0]);
    PQclear(PQexec(conn, "SELECT pg_notify('one', 'd')"));
    CHECK(next(l[2], payload) == PG_HEARD_NOTIFICATION && strcmp(payload, "d") == 0);
    CHECK(pg_listen(all, "", &more, &f) == CELL_INVALID_ARGUMENT);
    CHECK(pg_listen(all, "0123456789012345678901234567890123456789012345678901234567890123", &more, &f) ==
          CELL_INVALID_ARGUMENT);
    pg_unlisten(l[1]);
    pg_unlisten(l[2]);
    pg_unlisten(NULL);
    pg_listeners_free(all);
    pg_listeners_free(NULL);
}

TEST(who_does_not_take_them_loses_some_and_is_told_where)
{
    struct pg_listener *slow = NULL, *quick = NULL;
    struct pg_failure f;
    char payload[64], sql[128];
    int heard = 0, what;

    if (!ready())
        return;
    struct pg_listeners *all = pg_listeners_new(&target, 2);
    REQUIRE(pg_listen(all, "flood", &slow, &f) >= 0 && pg_listen(all, "flood", &quick, &f) >= 0);
    CHECK(next(quick, payload) == PG_HEARD_LISTENING);
    for (int i = 0; i < 3 * PG_LISTEN_MAX_QUEUED; i += 100) {
        snprintf(sql, sizeof(sql), "SELECT pg_notify('flood', i::text) FROM generate_series(%d, %d) i", i, i + 99);
        PQclear(PQexec(conn, sql));
        for (int k = i; k < i + 100; k++)
            CHECK(next(quick, payload) == PG_HEARD_NOTIFICATION && atoi(payload) == k);
    }
    CHECK(next(slow, payload) == PG_HEARD_LISTENING);
    while ((what = next(slow, payload)) == PG_HEARD_NOTIFICATION)
        CHECK(atoi(payload) == heard++);
    CHECK(what == PG_HEARD_OVERFLOW && heard == PG_LISTEN_MAX_QUEUED - 1);
    PQclear(PQexec(conn, "SELECT pg_notify('flood', 'on')"));
    CHECK(next(slow, payload) == PG_HEARD_NOTIFICATION && strcmp(payload, "on") == 0);
    pg_unlisten(slow);
    pg_unlisten(quick);
    pg_listeners_free(all);
}

TEST(a_lost_connection_is_made_anew_and_the_gap_is_told)
{
    struct pg_listener *l = NULL;
    struct pg_failure f;
    char payload[64];

    if (!ready() || pg_fixture_version() < 14) /* 13 does not wait for the end of what it terminates */
        return;
    struct pg_listeners *all = pg_listeners_new(&target, 2);
    REQUIRE(pg_listen(all, "one", &l, &f) >= 0);
    for (int i = 0; i < 5; i++) {
        CHECK(next(l, payload) == PG_HEARD_LISTENING);
        PQclear(PQexec(conn, "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE application_name = "
                             "'listener'"));
    }
    CHECK(next(l, payload) == PG_HEARD_LISTENING);
    PQclear(PQexec(conn, "NOTIFY one, 'x'"));
    CHECK(next(l, payload) == PG_HEARD_NOTIFICATION && strcmp(payload, "x") == 0);
    pg_unlisten(l);
    pg_listeners_free(all);
}
