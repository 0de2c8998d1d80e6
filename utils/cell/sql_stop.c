/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* When a statement is to end before it has: a signal, or the time. */
#include <signal.h>
#include <unistd.h>

#include "sql.h"

static volatile sig_atomic_t signalled, waiting;
static const char *volatile unfinished;

static void leave(void)
{
    if (unfinished)
        unlink(unfinished);
    _exit(CLI_INTERRUPTED);
}

static void on_signal(int number)
{
    (void)number;
    if (waiting || signalled)
        leave();
    signalled = 1;
}

void sql_stop_watch(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = on_signal}, before; /* what blocks is interrupted */

    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        if (sigaction(signals[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN) /* as nohup has it */
            sigaction(signals[i], &action, NULL);
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error, after which it is removed */
}

enum sql_stopped sql_stopped(const struct sql *sql)
{
    if (signalled)
        return SQL_INTERRUPTED;
    return sql->deadline_ns != CELL_NO_DEADLINE && cell_now_ns() >= sql->deadline_ns ? SQL_TIMED_OUT : SQL_GOES_ON;
}

void sql_stop_wait(bool waits)
{
    waiting = waits;
    if (waits && signalled)
        leave();
}

void sql_stop_file(const char *path) { unfinished = path; }
