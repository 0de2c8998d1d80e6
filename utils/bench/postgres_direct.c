/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "postgres_direct.h"

#include <endian.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MOST_THREADS 64

uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

_Noreturn void die(const char *what, const char *why)
{
    fprintf(stderr, "bench: %s: %s\n", what, why);
    exit(1);
}

PGconn *connect_directly(void)
{
    const char *url = getenv("PG_URL");
    if (!url)
        die("PG_URL", "is not set");
    PGconn *connection = PQconnectdb(url);
    if (PQstatus(connection) != CONNECTION_OK)
        die("connecting", PQerrorMessage(connection));
    const char *const sql[] = {"get", "SELECT id, email, name, age FROM bench_users WHERE id = $1", "insert",
                               "INSERT INTO bench_points (id, stamp, value, label) VALUES ($1, $2, $3, $4)"};
    for (size_t i = 0; i < 4; i += 2) {
        PGresult *r = PQprepare(connection, sql[i], sql[i + 1], 0, NULL);
        if (PQresultStatus(r) != PGRES_COMMAND_OK)
            die(sql[i], PQerrorMessage(connection));
        PQclear(r);
    }
    return connection;
}

void execute(PGconn *connection, const char *sql)
{
    PGresult *r = PQexec(connection, sql);
    if (PQresultStatus(r) != PGRES_COMMAND_OK && PQresultStatus(r) != PGRES_TUPLES_OK)
        die(sql, PQerrorMessage(connection));
    PQclear(r);
}

void get_directly(PGconn *connection, int64_t id)
{
    uint64_t key = htobe64((uint64_t)id);
    const char *const values[] = {(const char *)&key};
    PGresult *r = PQexecPrepared(connection, "get", 1, values, (const int[]){8}, (const int[]){1}, 1);
    uint64_t got;

    if (PQntuples(r) != 1)
        die("get", PQerrorMessage(connection));
    memcpy(&got, PQgetvalue(r, 0, 0), sizeof(got));
    if ((int64_t)be64toh(got) != id)
        die("get", "another row");
    PQclear(r);
}

void insert_directly(PGconn *connection, int64_t id)
{
    double value = 0.5;
    uint64_t key = htobe64((uint64_t)id), stamp = htobe64(1), bits;
    memcpy(&bits, &value, sizeof(bits));
    bits = htobe64(bits);
    const char *const values[] = {(const char *)&key, (const char *)&stamp, (const char *)&bits, "label"};
    PGresult *r =
        PQexecPrepared(connection, "insert", 4, values, (const int[]){8, 8, 8, 5}, (const int[]){1, 1, 1, 1}, 1);

    if (PQresultStatus(r) != PGRES_COMMAND_OK)
        die("insert", PQerrorMessage(connection));
    PQclear(r);
}

static atomic_llong last_number;

struct worker {
    const struct crowd *crowd;
    pthread_t thread;
    pthread_barrier_t *begin;
    atomic_bool *stop;
    uint64_t done;
    unsigned seed;
};

static int64_t next_number(struct worker *w)
{
    return w->crowd->numbers_count ? atomic_fetch_add(&last_number, 1) + 1 : 1 + rand_r(&w->seed) % USERS;
}

static void *work(void *argument)
{
    struct worker *w = argument;
    void *own = w->crowd->begin(w->crowd->user);

    w->crowd->once(own, next_number(w)); /* connects */
    pthread_barrier_wait(w->begin);
    while (!atomic_load_explicit(w->stop, memory_order_relaxed)) {
        w->crowd->once(own, next_number(w));
        w->done++;
    }
    w->crowd->end(own);
    return NULL;
}

static double throughput(const struct crowd *crowd, int threads, int ms)
{
    struct worker workers[MOST_THREADS] = {{0}};
    pthread_barrier_t start;
    atomic_bool stop = false;
    uint64_t done = 0;

    pthread_barrier_init(&start, NULL, (unsigned)threads + 1);
    for (int i = 0; i < threads; i++) {
        workers[i] = (struct worker){.crowd = crowd, .begin = &start, .stop = &stop, .seed = (unsigned)i};
        pthread_create(&workers[i].thread, NULL, work, &workers[i]);
    }
    pthread_barrier_wait(&start);
    uint64_t begin = now_ns();
    nanosleep(&(struct timespec){ms / 1000, (long)(ms % 1000) * 1000000}, NULL);
    atomic_store(&stop, true);
    for (int i = 0; i < threads; i++) {
        pthread_join(workers[i].thread, NULL);
        done += workers[i].done;
    }
    double seconds = (double)(now_ns() - begin) / 1e9;
    pthread_barrier_destroy(&start);
    return (double)done / seconds;
}

static void *begin_directly(void *user)
{
    (void)user;
    return connect_directly();
}

static void get_once(void *connection, int64_t number) { get_directly(connection, number); }
static void insert_once(void *connection, int64_t number) { insert_directly(connection, number); }
static void end_directly(void *connection) { PQfinish(connection); }

static const struct crowd get_crowd = {begin_directly, get_once, end_directly, NULL, false};
static const struct crowd insert_crowd = {begin_directly, insert_once, end_directly, NULL, true};

/* Nanoseconds that the host's others had of this machine's processors; 0 where nobody tells. */
static uint64_t stolen_ns(void)
{
    uint64_t ticks = 0;
    FILE *f = fopen("/proc/stat", "r");

    if (f && fscanf(f, "cpu %*u %*u %*u %*u %*u %*u %*u %" SCNu64, &ticks) != 1)
        ticks = 0;
    if (f)
        fclose(f);
    return ticks * (UINT64_C(1000000000) / (uint64_t)sysconf(_SC_CLK_TCK));
}

void crowd_rounds(const struct crowd *crowd, bool inserts, int rounds, int ms)
{
    PGconn *connection = connect_directly();
    const struct crowd *direct = inserts ? &insert_crowd : &get_crowd;
    double processors = (double)sysconf(_SC_NPROCESSORS_ONLN);

    for (int r = 0; r < rounds; r++) {
        double of[3] = {0};
        uint64_t began_ns = now_ns(), stolen_before_ns = stolen_ns();
        for (int k = 0; k < 3; k++) {
            int which = (r + k) % 3;
            of[which] = throughput(which == 0 ? crowd : direct, which == 1 ? 8 : 32, ms);
        }
        double stolen = (double)(stolen_ns() - stolen_before_ns) / (double)(now_ns() - began_ns) / processors;
        printf("crowd %.0f %.0f %.0f %.4f\n", of[0], of[1], of[2], stolen);
        execute(connection, "TRUNCATE bench_points");
    }
    PQfinish(connection);
}
