/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Migrations that are killed: the process that migrates, or its backend, and with it the server, at every place where
 * something is asked of the database, and at any moment. Whatever is left is a boundary between steps, no row is lost,
 * and the next one converges.
 */
#ifndef PG_KILL_H
#define PG_KILL_H

#include "pg_migrate.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* CLIENT: the process that migrates. BACKEND: the server's process, whose death ends all others. ENDED: the same, by its
 * administrator. CALLER: whom the client works for, a compiler that is killed. The client lives and gives up. */
enum victim { CLIENT, BACKEND, ENDED, CALLER };

/* From what is there, with rows, to what is declared. */
struct scenario {
    const char *setup;
    const char *tables[2][3]; /* name, fields, rules */
    const char *rows;         /* a query that must give the same before and after */
    const struct pg_recorded *recorded;
    const char *unfilled; /* a query that gives 0 in the end; NULL = none */
};

struct hit {
    enum victim victim;
    int at, count;
    pid_t backend;
    cell_ctx *call;
};

static inline void strike(void *user)
{
    struct hit *hit = user;

    if (hit->count++ != hit->at)
        return;
    if (hit->victim == CLIENT)
        kill(getpid(), SIGKILL);
    if (hit->victim == CALLER)
        cell_ctx_cancel(hit->call);
    else
        kill(hit->backend, hit->victim == ENDED ? SIGTERM : SIGKILL);
}

static inline struct migration make(const struct scenario *s)
{
    struct migration m = {.n = 2, .known = {s->recorded, NULL}};

    for (int i = 0; i < 2; i++)
        m.requests[i] = pg_build_request("table", s->tables[i][0], s->tables[i][1], s->tables[i][2]);
    return m;
}

static inline void unmake(struct migration *m)
{
    for (uint32_t i = 0; i < m->n; i++)
        json_decref(m->requests[i]);
}

/* A connection that waits until the server is there again. */
static inline PGconn *connect_again(void)
{
    const struct pg_target target = {pg_fixture_url, "migrator"};
    const struct timespec pause = {.tv_nsec = 10000000};
    PGconn *conn = NULL;

    for (int i = 0; i < 6000 && pg_connect(&target, 0, &conn, NULL) < 0; i++)
        nanosleep(&pause, NULL);
    return conn;
}

/* The test's own, which lives as long as the server does. */
static PGconn *control_conn;
static inline PGconn *control(void)
{
    PQclear(control_conn ? PQexec(control_conn, "SELECT 1") : NULL);
    if (control_conn && PQstatus(control_conn) == CONNECTION_OK)
        return control_conn;
    PQfinish(control_conn);
    return control_conn = connect_again();
}

/* The server ends all of its connections a moment after one of its processes has died: that of `control`, which was
 * there before, too. */
static inline void wait_for_crash(void)
{
    const struct timespec pause = {.tv_nsec = 1000000};

    for (int i = 0; i < 10000 && PQstatus(control_conn) == CONNECTION_OK; i++) {
        PQclear(PQexec(control_conn, "SELECT 1"));
        nanosleep(&pause, NULL);
    }
}

static inline void reset(const struct scenario *s)
{
    migration_sql(control(), "DROP SCHEMA IF EXISTS cell CASCADE; DROP SCHEMA public CASCADE; CREATE SCHEMA public");
    migration_sql(control(), s->setup);
}

/* In a process of its own; the exit status is 0 when it came to its end, and nobody was hit on the way. */
static inline pid_t start(const struct scenario *s, enum victim victim, int at, volatile pid_t *backend)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    struct migration m = make(s);
    struct cell_ctx_options options = {.timeout_ms = 60000};
    struct hit hit = {victim, at, 0, 0, cell_ctx_open(&options)};
    PGconn *conn = connect_again();
    hit.backend = PQbackendPID(conn);
    if (backend)
        *backend = hit.backend;
    m.options.boundary = strike;
    m.options.user = &hit;
    m.options.call = hit.call;
    _exit(migrate(conn, &m) < 0 || hit.count > at ? 1 : 0);
}

static inline bool finished(pid_t pid)
{
    int status = 0;

    while (waitpid(pid, &status, 0) < 0)
        continue;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static char rows_before[256];
static struct pg_unit whole; /* what there was to do in the beginning */

static inline bool is_recorded(PGconn *conn, const char *text, const char *condition)
{
    char sql[128];
    const char *params[] = {text};
    PGresult *result = NULL;

    if (strcmp(migration_value(conn, "SELECT to_regclass('cell.history') IS NOT NULL"), "t") != 0)
        return false;
    snprintf(sql, sizeof(sql), "SELECT count(*) FROM cell.history WHERE text = $1 AND %s", condition);
    CHECK(pg_query(conn, sql, 1, params, &result, NULL) >= 0);
    bool found = result && strcmp(PQgetvalue(result, 0, 0), "0") != 0;
    PQclear(result);
    return found;
}

static inline bool is_wanted(const struct pg_unit *u, const char *text)
{
    for (uint32_t i = 0; i < u->plan->nsteps; i++)
        if (strcmp(u->plan->steps[i].text, text) == 0)
            return true;
    return false;
}

/* Nothing is half done but what says so: a step that is in the history as done is not wanted again, and one that is not
 * wanted any more is in the history: as begun at least, if it is in no transaction. */
static inline void check_boundary(PGconn *conn, const struct migration *m, int at)
{
    struct pg_unit u = {0};

    REQUIRE(pg_unit_plan(conn, m->requests, m->n, &m->known, pg_now_ms() + 10000, &u, NULL) >= 0);
    for (uint32_t i = 0; i < u.plan->nsteps; i++) {
        const struct pg_step *step = &u.plan->steps[i];
        /* A backfill is wanted until no row could need it any more. */
        if (step->kind != PG_STEP_BACKFILL && is_recorded(conn, step->text, "done IS NOT NULL")) {
            printf("killed at %d: done and wanted again: %s\n", at, step->text);
            test_failures++;
        }
    }
    for (uint32_t i = 0; i < whole.plan->nsteps; i++) {
        const struct pg_step *step = &whole.plan->steps[i];
        bool alone = step->mode == PG_OUTSIDE || step->mode == PG_REPEATED;
        if (!is_wanted(&u, step->text) && !is_recorded(conn, step->text, alone ? "true" : "done IS NOT NULL")) {
            printf("killed at %d: neither wanted nor done: %s\n", at, step->text);
            test_failures++;
        }
    }
    pg_unit_free(&u);
}

/* What must hold after any kill. */
static inline void check_state(const struct scenario *s, int at)
{
    struct migration m = make(s);
    PGconn *conn = control();

    CHECK(migration_left(conn, &m) >= 0);
    CHECK(strcmp(migration_value(conn, s->rows), rows_before) == 0);
    check_boundary(conn, &m, at);
    unmake(&m);
}

static inline void converge(const struct scenario *s, int at)
{
    struct migration m = make(s);
    PGconn *conn = control();

    if (migrate(conn, &m) < 0) {
        printf("killed at %d: does not converge: %s\n", at, m.text);
        test_failures++;
    }
    CHECK(migration_left(conn, &m) == 0);
    CHECK(strcmp(migration_value(conn, s->rows), rows_before) == 0);
    CHECK(strcmp(migration_value(conn, "SELECT count(*) FROM pg_index WHERE NOT indisvalid"), "0") == 0);
    CHECK(!s->unfilled || strcmp(migration_value(conn, s->unfilled), "0") == 0);
    CHECK(strcmp(migration_value(conn, "SELECT count(*) FROM cell.objects WHERE kind = 'filling'"), "0") == 0);
    unmake(&m);
}

static inline void begin(const struct scenario *s)
{
    struct migration m = make(s);

    reset(s);
    snprintf(rows_before, sizeof(rows_before), "%s", migration_value(control(), s->rows));
    pg_unit_free(&whole);
    CHECK(pg_unit_plan(control(), m.requests, m.n, &m.known, pg_now_ms() + 10000, &whole, NULL) >= 0);
    unmake(&m);
}

static int kills; /* by SIGKILL */

/* Strikes at the first place, the second, and so on, each time from the beginning. */
static inline void at_every_place(const struct scenario *s, enum victim victim)
{
    for (int at = 0; !test_failures; at++) {
        begin(s);
        if (finished(start(s, victim, at, NULL)))
            return;
        if (victim == BACKEND)
            wait_for_crash();
        kills += victim == CLIENT || victim == BACKEND;
        check_state(s, at);
        converge(s, at);
    }
}

/* Strikes again and again on the way, each time a little later, until it arrives all the same. */
static inline void on_the_way(const struct scenario *s, enum victim victim, int first)
{
    begin(s);
    for (int at = first; !finished(start(s, victim, at, NULL)) && at < first + 200; at += 2) {
        kills += victim == CLIENT;
        check_state(s, at);
    }
    converge(s, first);
}

/* What was committed survives a crash of the server as well: it is written, if not synced. */
static inline bool server(void)
{
    return pg_fixture_url[0] || pg_fixture("--set max_connections=60 --set synchronous_commit=on");
}

#endif
