/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What a program does that uses libpq by hand: the peer that everything is compared with. */
#ifndef BENCH_POSTGRES_DIRECT_H
#define BENCH_POSTGRES_DIRECT_H

#include <stdbool.h>
#include <stdint.h>

#include <libpq-fe.h>

#define USERS 10000 /* rows of bench_users, with the numbers 1 to this */

uint64_t now_ns(void);
_Noreturn void die(const char *what, const char *why);

/* The database is the one of PG_URL. */
PGconn *connect_directly(void);
void execute(PGconn *connection, const char *sql);
void get_directly(PGconn *connection, int64_t id);
void insert_directly(PGconn *connection, int64_t id);

/* Threads that do one thing again and again, each with something of its own. */
struct crowd {
    void *(*begin)(void *user); /* makes it */
    void (*once)(void *own, int64_t number);
    void (*end)(void *own);
    void *user;
    bool numbers_count; /* each number is new; else at random, 1 to USERS */
};
/* How often in a second, of all together. */
double throughput(const struct crowd *crowd, int threads, int ms);

/* A crowd of libpq connections. */
extern const struct crowd crowd_get_directly, crowd_insert_directly;

#endif
