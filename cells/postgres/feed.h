/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The changes of followed tables, for those who wait for them. A thread numbers what is new as soon as a trigger
 * notifies, or, when notifications do not come, now and then; it also forgets what is kept too long. It listens on the
 * connection of all listeners while somebody waits. Thread-safe.
 */
#ifndef CELLS_POSTGRES_FEED_H
#define CELLS_POSTGRES_FEED_H

#include <cell/server.h>

#include "feed_follow.h"
#include "lease.h"
#include "listen.h"
#include "pool.h"

struct pg_feed_options {
    struct pg_listeners *listeners; /* lives longer; one of its places is the feed's */
    struct pg_leases *leases;       /* likewise: for questions, and for changing tables */
    enum pg_policy policy;          /* about the triggers */
    struct pg_feed_limits limits;
    uint32_t followers; /* at once */
};

struct pg_feed;
int pg_feed_open(const struct pg_feed_options *options, struct pg_feed **feed, struct pg_failure *f);
void pg_feed_close(struct pg_feed *feed); /* nobody may wait any more; NULL is accepted */

const struct pg_feed_options *pg_feed_options_of(const struct pg_feed *feed);

/* A place among those that wait. CELL_RESOURCE_EXHAUSTED when all are taken. */
int pg_feed_enter(struct pg_feed *feed, struct pg_failure *f);
void pg_feed_leave(struct pg_feed *feed);

/* How often something has happened. To be asked before one looks. */
uint64_t pg_feed_turn(struct pg_feed *feed);
/* Waits until that is another number than `turn`, at most `ms`. */
void pg_feed_wait(struct pg_feed *feed, uint64_t turn, int64_t ms);

/* ---- methods of sources, feed_bound.c ---- */

struct pg_feed_bound;
/* Whether a binding is one of a source; else it is the engine's. */
bool pg_feed_is_bound(const char *binding);
/* For struct cell_bound_ops; they answer the caller of `c`. */
int pg_feed_bind(struct pg_feed *feed, struct pg_pool *pool, cell_ctx *c, const struct cell_method *method,
                 struct pg_feed_bound **bound);
int pg_feed_invoke(struct pg_feed_bound *bound, cell_ctx *c, const void *in);
void pg_feed_unbind(struct pg_feed_bound *bound);

#endif
