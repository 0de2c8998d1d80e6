/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The private cluster: a PostgreSQL server of the cell's own in its state folder, reachable over a Unix socket there
 * and only by this user (and root), who are the database's superuser "cell".
 *
 *   STATE/lock          locked by the cell that uses the folder
 *   STATE/data          the cluster; STATE/data.new-PID while it is being made
 *   STATE/run           the socket
 *   STATE/postgres.log  what the server prints
 *
 * The server is a child that the kernel stops when the cell ends in whatever way.
 */
#ifndef CELLS_POSTGRES_CLUSTER_H
#define CELLS_POSTGRES_CLUSTER_H

#include "connect.h"

struct pg_cluster;

struct pg_cluster_options {
    const char *state;  /* the folder; made when it does not exist */
    const char *bindir; /* PostgreSQL's programs; NULL = searched: the cluster's version, or the newest supported */
    void (*progress)(void *user, const char *text); /* NULL = nobody; in the caller's thread or the keeper's */
    void *user;
};

/*
 * Locks the folder, makes the cluster when there is none, starts the server and waits until it answers. One at a time
 * for a folder: CELL_ALREADY_EXISTS. A server that a killed cell has left is stopped first. CELL_FAILED_PRECONDITION
 * when PostgreSQL is not installed or not in the version of the cluster. *cluster is for pg_cluster_stop.
 */
int pg_cluster_start(const struct pg_cluster_options *options, struct pg_cluster **cluster, struct pg_failure *f);

/* Stops the server (fast shutdown, with a checkpoint; immediately after 30 s) and unlocks. NULL is accepted. */
void pg_cluster_stop(struct pg_cluster *cluster);

/*
 * Moves the cluster in `state`, which no cell may be using, to the newest supported PostgreSQL that is installed, or to
 * the one in `bindir`: by a dump from a server of its version, which must be installed too, into a new cluster, which
 * takes its place when it is complete. The old one stays as STATE/data.VERSION. CELL_FAILED_PRECONDITION when there is
 * nothing to upgrade.
 */
int pg_cluster_upgrade(const struct pg_cluster_options *options, struct pg_failure *f);

/* How to connect, and where its programs are. Lives as long as the cluster. */
const char *pg_cluster_conninfo(const struct pg_cluster *cluster);
const char *pg_cluster_bindir(const struct pg_cluster *cluster);
const char *pg_cluster_state(const struct pg_cluster *cluster); /* the folder, absolute */

#endif
