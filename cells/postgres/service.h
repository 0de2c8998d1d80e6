/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What the cell's handlers share: cell_ctx_user gives a struct pg_service. */
#ifndef CELLS_POSTGRES_SERVICE_H
#define CELLS_POSTGRES_SERVICE_H

#include <cell/server.h>

#include "catalog.h"
#include "cluster.h"
#include "engine.h"
#include "feed.h"
#include "lease.h"
#include "listen.h"
#include "policy.h"
#include "recorded.h"

struct pg_service_options {
    const char *url;         /* NULL = a private cluster in `state` */
    const char *service;     /* an entry of the service file in place of url */
    const char *state;       /* folder */
    const char *bindir;      /* NULL = searched */
    const char *policy;      /* name, or NULL */
    const char *policy_file; /* NULL = none */
    const char *environment; /* NULL = none */
    const char *migrate_url; /* NULL = url: for migrations, where url goes through a pooler */
    uint32_t connections;    /* shared by calls of programs; 0 = 8 */
    int64_t shared_commit;   /* inserts of one row may share their commits (pool.h); 0 = no */
    int64_t own_connections; /* pinned ones (pool.h); 0 = as there */
    int64_t stream_idle_ms;  /* how long a program may take nothing of a stream (engine.h); 0 = as long as it likes */
    int64_t scan_rows;       /* a remark for queries that read a whole table of so many rows; 0 = none */
    uint32_t listeners;      /* calls of postgres_listen at once: each holds a thread of the server's */
    uint32_t followers;      /* of changes, likewise */
    struct pg_feed_limits feed;
    void (*progress)(void *user, const char *text); /* see cluster.h */
    void *user;
};

struct pg_service {
    struct pg_target target;
    struct pg_cluster *cluster; /* NULL with a server of somebody else */
    enum pg_policy policy;
    char *conninfo;
    char *bindir;      /* "" when it is not known */
    const char *state; /* of the cluster */
    int64_t scan_rows;
    struct pg_records records;
    bool opened;             /* the following are there */
    struct pg_leases leases; /* for questions of compilers */
    struct pg_seen seen;     /* over these */
    struct pg_leases migrations;
    struct pg_engine *engine; /* for calls of programs */
    struct pg_listeners *listeners;
    struct pg_feed *feed;
};

int pg_service_open(const struct pg_service_options *options, struct pg_service **service, struct pg_failure *f);
void pg_service_close(struct pg_service *service); /* NULL is accepted */

/* For cell_server_options.stop and bound. */
void pg_service_quiet(void *service);
extern const struct cell_bound_ops pg_bound_ops;

#endif
