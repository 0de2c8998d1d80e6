/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The state folder of a private cluster: its lock, its parts, what they contain. For cluster.c and what upgrades it. */
#ifndef CELLS_POSTGRES_CLUSTER_FILES_H
#define CELLS_POSTGRES_CLUSTER_FILES_H

#include "programs.h"

struct pg_state {
    char *path;       /* absolute */
    int folder, lock; /* descriptors */
    int data, run;    /* likewise, O_PATH; -1 before pg_state_open_parts */
    struct pg_account account;
};

/* Makes the folder when it does not exist, and locks it. CELL_ALREADY_EXISTS while another cell uses it. */
int pg_state_open(const char *path, struct pg_state *state, struct pg_failure *f);
void pg_state_close(struct pg_state *state);

/* The major version of the cluster in the folder; 0 when there is none. CELL_FAILED_PRECONDITION when there is one that
 * an upgrade has kept, and none that has taken its place. */
int pg_state_version(const struct pg_state *state, struct pg_failure *f);
/* The same of another folder in there than "data"; 0 when it is not there. */
int pg_state_version_of(const struct pg_state *state, const char *name, struct pg_failure *f);

/* Removes what a cell that was killed has left half made. */
void pg_state_clean(const struct pg_state *state);

/* Removes a folder in the state folder, with all that is in it. */
void pg_state_remove(const struct pg_state *state, const char *name);

/* Makes the cluster: in a folder of another name, which gets its own when it is complete and on the disk. */
int pg_state_init(struct pg_state *state, const struct pg_programs *programs, struct pg_failure *f);

/* Opens data and run, and writes what decides who may connect. */
int pg_state_open_parts(struct pg_state *state, struct pg_failure *f);

/* Opens the server's log for appending; begins a new one when it is large. */
int pg_state_open_log(const struct pg_state *state, struct pg_failure *f);

/* The processes that work in a folder, such as "data": stores up to `n` ids, and returns how many there are. */
size_t pg_state_processes(const struct pg_state *state, const char *name, pid_t *pids, size_t n);

/* Kills those, which are a cluster's that nobody will use. */
void pg_state_end_in(const struct pg_state *state, const char *name);

/* Ends what an earlier cell has left running in the data folder, and removes a pid file that nobody stands behind. */
int pg_state_end_others(const struct pg_state *state, void (*progress)(void *user, const char *text), void *user,
                        struct pg_failure *f);

#endif
