/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * SIGTERM and SIGINT while servers run. The handler may do next to nothing, so it only stops the servers that stand in
 * a fixed table. What the program had installed before comes back when the last server has ended.
 */
#include <errno.h>
#include <signal.h>
#include <sched.h>

#include "server_parts.h"

#define MAX_SERVERS 64

static pthread_mutex_t signals_lock = PTHREAD_MUTEX_INITIALIZER;
static struct cell_server *_Atomic servers[MAX_SERVERS];
static atomic_uint in_handler;
static unsigned nservers;
static struct sigaction before_term, before_int;

static void on_signal(int signo)
{
    (void)signo;
    atomic_fetch_add(&in_handler, 1);
    for (unsigned i = 0; i < MAX_SERVERS; i++)
        cell_server_stop(atomic_load(&servers[i]));
    atomic_fetch_sub(&in_handler, 1);
}

static void install(int signo, struct sigaction *before)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigfillset(&action.sa_mask);
    sigaction(signo, NULL, before);
    /* A program that was started with the interrupt ignored (nohup, a shell's background job) goes on ignoring it. */
    if (!(before->sa_flags & SA_SIGINFO) && before->sa_handler == SIG_IGN)
        return;
    sigaction(signo, &action, NULL);
}

int cell_signals_begin(struct cell_server *s)
{
    int r = cell_error_set(&s->error, CELL_RESOURCE_EXHAUSTED, "more than %d servers in one process", MAX_SERVERS);
    pthread_mutex_lock(&signals_lock);
    for (unsigned i = 0; i < MAX_SERVERS && r < 0; i++)
        if (!atomic_load(&servers[i])) {
            atomic_store(&servers[i], s);
            r = cell_error_set(&s->error, CELL_OK, "%s", "");
        }
    if (r >= 0 && nservers++ == 0) {
        install(SIGTERM, &before_term);
        install(SIGINT, &before_int);
    }
    pthread_mutex_unlock(&signals_lock);
    return r;
}

void cell_signals_end(struct cell_server *s)
{
    pthread_mutex_lock(&signals_lock);
    for (unsigned i = 0; i < MAX_SERVERS; i++)
        if (atomic_load(&servers[i]) == s)
            atomic_store(&servers[i], NULL);
    if (--nservers == 0) {
        sigaction(SIGTERM, &before_term, NULL);
        sigaction(SIGINT, &before_int, NULL);
    }
    pthread_mutex_unlock(&signals_lock);
    /* A handler on another thread may still hold the pointer. */
    while (atomic_load(&in_handler))
        sched_yield();
}
