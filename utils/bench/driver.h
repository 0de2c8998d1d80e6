/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What every program of the call benchmark does alike: start the other side in a process of its own, on the CPU where
 * it belongs, and run rounds of named cases when it is told to over stdin, so that programs take turns. Needs nothing
 * of Cell: the programs of other systems use it as well.
 *
 * Usage of such a program: PROGRAM one-cpu|two-cpus|unpinned FOLDER   (FOLDER: an empty folder for its sockets)
 * It prints "ready PID-OF-CLIENT PID-OF-SERVER" and "cases NAME…", then answers lines until stdin ends:
 *
 *   round NAME BATCHES PER-BATCH SINGLES PAUSE-US
 *       Runs one batch that does not count, BATCHES batches timed as a whole, and SINGLES runs timed one by one with a
 *       pause before each. Answers "NAME OPERATIONS MEDIAN CPU SINGLE…": operations in the batches, the median over the
 *       batches of the nanoseconds of one operation, CPU nanoseconds that client and server used for the batches
 *       together, and the nanoseconds of each single run, the clock's own cost included.
 *   anything else
 *       is the program's own.
 */
#ifndef BENCH_DRIVER_H
#define BENCH_DRIVER_H

#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct bench {
    const char *folder;
    cpu_set_t cpus; /* that this process may use */
    int pinned, two_cpus;
    pid_t server;
    int ready; /* in the server: where it says that it is ready */
};

struct bench_case {
    const char *name;
    uint32_t operations; /* of one run */
    uint32_t size;       /* bytes of the request, or as the program defines it */
    uint32_t batch;      /* as the program defines it */
    void (*run)(void *user, const struct bench_case *c);
    /* Before a round: how many times `run` will be called. NULL = need not know. */
    void (*begin)(void *user, const struct bench_case *c, uint64_t runs);
};

struct bench_program {
    const struct bench_case *cases;
    size_t ncases;
    void *user;
    /* Answers a line of its own on stdout; 0 when it knows no such line. NULL = it has none. */
    int (*command)(void *user, const char *line);
};

/* Reads the arguments; does not return when they are wrong. */
void bench_init(struct bench *b, int argc, char **argv);

/* Starts the server: `serve` runs in a process that ends with this one, on the server's CPU, and calls bench_ready once
 * clients may connect; returns when it did. Afterwards this process is on the client's CPU. Call it before anything
 * starts threads. */
void bench_start(struct bench *b, void (*serve)(struct bench *b, void *user), void *user);
void bench_ready(struct bench *b);

/* Serves stdin, then ends the server. Returns the exit status. */
int bench_serve(struct bench *b, const struct bench_program *p);

uint64_t bench_now_ns(void);

/* Prints the reason and ends the process. */
__attribute__((noreturn, format(printf, 1, 2))) void bench_die(const char *format, ...);

#ifdef __cplusplus
}
#endif
#endif
