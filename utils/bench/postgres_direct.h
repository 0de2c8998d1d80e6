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
/*
 * Rounds of 32 threads of `crowd`, 8 threads with a libpq connection each, and 32 of these, for `ms` each and in turns.
 * Prints "crowd ITS-32 DIRECT-8 DIRECT-32 STOLEN" for each round: calls a second, and what part of this machine's
 * processors the host gave to somebody else meanwhile ("steal" of /proc/stat, proc(5)), 0 to 1.
 */
void crowd_rounds(const struct crowd *crowd, bool inserts, int rounds, int ms);

#endif
