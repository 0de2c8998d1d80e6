/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "driver.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MOST_BATCHES 100000u
#define MOST_SINGLES 100000u

void bench_die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "%s: ", program_invocation_short_name);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    _exit(1);
}

uint64_t bench_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- processes ---- */

void bench_init(struct bench *b, int argc, char **argv)
{
    const char *place = argc == 3 ? argv[1] : "";
    *b = (struct bench){.folder = argc == 3 ? argv[2] : NULL};
    b->two_cpus = strcmp(place, "two-cpus") == 0;
    b->pinned = b->two_cpus || strcmp(place, "one-cpu") == 0;
    if (!b->pinned && strcmp(place, "unpinned") != 0)
        bench_die("usage: %s one-cpu|two-cpus|unpinned FOLDER", program_invocation_short_name);
    if (sched_getaffinity(0, sizeof b->cpus, &b->cpus) < 0)
        bench_die("sched_getaffinity: %s", strerror(errno));
    if (b->two_cpus && CPU_COUNT(&b->cpus) < 2)
        bench_die("there is only one CPU");
}

/* Pins this process and the threads that it starts to the n-th of the CPUs that it may use. */
static void pin(const struct bench *b, int n)
{
    cpu_set_t one;
    if (!b->pinned)
        return;
    CPU_ZERO(&one);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &b->cpus) && n-- == 0)
            CPU_SET(cpu, &one);
    if (sched_setaffinity(0, sizeof one, &one) < 0)
        bench_die("sched_setaffinity: %s", strerror(errno));
}

/* A client may wait for a dead server for ever, spinning or because its library connects again and again. */
static void server_ended(int signal)
{
    static const char text[] = "the server has gone\n";
    (void)signal;
    _exit(write(STDERR_FILENO, text, sizeof text - 1) < 0 ? 2 : 1);
}

void bench_start(struct bench *b, void (*serve)(struct bench *b, void *user), void *user)
{
    int ends[2];
    char byte;
    pid_t parent = getpid();
    if (pipe(ends) < 0)
        bench_die("pipe: %s", strerror(errno));
    signal(SIGCHLD, SIG_DFL);
    b->server = fork();
    if (b->server < 0)
        bench_die("fork: %s", strerror(errno));
    if (b->server == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(1);
        close(ends[0]);
        b->ready = ends[1];
        pin(b, b->two_cpus);
        serve(b, user);
        _exit(0);
    }
    close(ends[1]);
    pin(b, 0);
    if (read(ends[0], &byte, 1) != 1)
        bench_die("the server did not start");
    close(ends[0]);
    const struct sigaction ended = {.sa_handler = server_ended, .sa_flags = SA_NOCLDSTOP | SA_RESTART};
    sigaction(SIGCHLD, &ended, NULL);
}

void bench_ready(struct bench *b)
{
    if (write(b->ready, "", 1) != 1)
        bench_die("cannot say that the server is ready: %s", strerror(errno));
    close(b->ready);
}

/* ---- rounds ---- */

static uint64_t cpu_ns(clockid_t clock)
{
    struct timespec t;
    if (clock_gettime(clock, &t) < 0)
        bench_die("the server has gone");
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void run_batches(const struct bench_program *p, const struct bench_case *c, double *ns, uint64_t batches,
                        uint64_t per_batch)
{
    for (uint64_t i = 0; i < batches; i++) {
        uint64_t start = bench_now_ns();
        for (uint64_t k = 0; k < per_batch; k++)
            c->run(p->user, c);
        ns[i] = (double)(bench_now_ns() - start) / (double)per_batch / c->operations;
    }
}

static void run_singles(const struct bench_program *p, const struct bench_case *c, double *ns, uint64_t n,
                        uint64_t pause_us)
{
    const struct timespec pause = {(time_t)(pause_us / 1000000), (long)(pause_us % 1000000) * 1000};
    for (uint64_t i = 0; i < n; i++) {
        if (pause_us)
            nanosleep(&pause, NULL);
        uint64_t start = bench_now_ns();
        c->run(p->user, c);
        ns[i] = (double)(bench_now_ns() - start) / c->operations;
    }
}

static void run_round(const struct bench_program *p, const struct bench_case *c, const uint64_t arg[4],
                      clockid_t server)
{
    uint64_t batches = arg[0], per_batch = arg[1], singles = arg[2], pause_us = arg[3];
    double *ns = malloc((size_t)(batches + singles + 1) * sizeof *ns);
    if (!ns)
        bench_die("out of memory");
    if (c->begin)
        c->begin(p->user, c, (batches + 1) * per_batch + singles);
    run_batches(p, c, ns, 1, per_batch);
    uint64_t cpu = cpu_ns(server) + cpu_ns(CLOCK_PROCESS_CPUTIME_ID);
    run_batches(p, c, ns, batches, per_batch);
    cpu = cpu_ns(server) + cpu_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    run_singles(p, c, ns + batches, singles, pause_us);
    qsort(ns, (size_t)batches, sizeof *ns, compare);
    printf("%s %llu %.2f %llu", c->name, (unsigned long long)(batches * per_batch * c->operations),
           batches ? ns[batches / 2] : 0.0, (unsigned long long)cpu);
    for (uint64_t i = 0; i < singles; i++)
        printf(" %.0f", ns[batches + i]);
    putchar('\n');
    free(ns);
}

static void answer(const struct bench_program *p, const char *line, clockid_t server)
{
    char name[64];
    unsigned long long n[4];
    if (sscanf(line, "round %63s %llu %llu %llu %llu", name, n, n + 1, n + 2, n + 3) == 5) {
        if (n[0] > MOST_BATCHES || n[1] < 1 || n[2] > MOST_SINGLES)
            bench_die("impossible numbers: %s", line);
        for (size_t i = 0; i < p->ncases; i++)
            if (strcmp(p->cases[i].name, name) == 0) {
                const uint64_t arg[4] = {n[0], n[1], n[2], n[3]};
                run_round(p, &p->cases[i], arg, server);
                return;
            }
        bench_die("there is no case '%s'", name);
    }
    if (!p->command || !p->command(p->user, line))
        bench_die("unknown command: %s", line);
}

int bench_serve(struct bench *b, const struct bench_program *p)
{
    char line[256];
    clockid_t server;
    if (clock_getcpuclockid(b->server, &server) != 0)
        bench_die("the server has gone");
    printf("ready %d %d\ncases", (int)getpid(), (int)b->server);
    for (size_t i = 0; i < p->ncases; i++)
        printf(" %s", p->cases[i].name);
    putchar('\n');
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = '\0';
        answer(p, line, server);
        fflush(stdout);
    }
    signal(SIGCHLD, SIG_DFL);
    kill(b->server, SIGKILL);
    waitpid(b->server, NULL, 0);
    return 0;
}
