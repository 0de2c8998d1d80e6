/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Running PostgreSQL's programs: as another user when this process is root's, and never longer than this process. */
#ifndef CELLS_POSTGRES_SPAWN_H
#define CELLS_POSTGRES_SPAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "failure.h"

/* Whom the server runs as. */
struct pg_account {
    uid_t uid;
    gid_t gid;
    char name[64];
    bool other; /* than this process's own user */
};

/*
 * This user, or, for root, whom PostgreSQL refuses to run as: postgres, or nobody when there is no postgres.
 * CELL_FAILED_PRECONDITION when the user has no name, which PostgreSQL needs.
 */
int pg_account_find(struct pg_account *account, struct pg_failure *f);

/* Descriptors that a program finds: so it needs no path, which might be too long for a socket or closed to its user. */
#define PG_DATA_PATH "/proc/self/fd/3"
#define PG_RUN_PATH "/proc/self/fd/4"

struct pg_spawn {
    const char *const *argv; /* argv[0] is a path */
    const struct pg_account *account;
    int in, out;      /* standard input; standard output and error; -1 = /dev/null */
    int data, run;    /* folders for the two paths above; -1 = none */
    int death_signal; /* that the program gets when the thread that has started it ends, and so with this process */
};

/* Starts a program, with an environment of its own. CELL_NOT_FOUND, CELL_PERMISSION_DENIED: it cannot be executed. */
int pg_spawn(const struct pg_spawn *s, pid_t *pid, struct pg_failure *f);

/*
 * Starts a program, waits for its end and keeps the end of what it prints, NUL-terminated. Its exit status, or 128 +
 * the signal that ended it; negative when it did not start. `out` of *s is not looked at.
 */
int pg_spawn_read(const struct pg_spawn *s, char *text, size_t size, struct pg_failure *f);

#endif
