/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * LISTEN for any number of listeners over one connection, which exists while there are any. A thread of its own reads
 * it. When it is lost it is made anew, with growing pauses, and every listener is told that there is a gap.
 */
#ifndef CELLS_POSTGRES_LISTEN_H
#define CELLS_POSTGRES_LISTEN_H

#include <stdint.h>

#include "connect.h"

/* Of one listener that does not take them; beyond, they are dropped and the gap is told. */
#define PG_LISTEN_MAX_QUEUED 1024
#define PG_LISTEN_MAX_BYTES (1u << 20)

struct pg_listeners;
struct pg_listener;

/* For `most` listeners at once. `target` must outlive it. Nothing is connected, and no thread runs, until somebody
 * listens. NULL when memory is short. */
struct pg_listeners *pg_listeners_new(const struct pg_target *target, uint32_t most);
void pg_listeners_free(struct pg_listeners *all); /* nobody may listen any more; NULL is accepted */

enum pg_heard {
    PG_HEARD_NOTIFICATION,
    PG_HEARD_LISTENING, /* from here on all is heard: after LISTEN, and again after a lost connection */
    PG_HEARD_OVERFLOW   /* notifications were dropped here, because the listener was too slow */
};

struct pg_notice {
    enum pg_heard what;
    char *payload; /* NULL but for a notification; to be freed */
    int32_t pid;   /* of the server process that notified */
};

/* CELL_INVALID_ARGUMENT for a name that is no channel (1 to 63 bytes), CELL_RESOURCE_EXHAUSTED, CELL_NO_MEMORY. */
int pg_listen(struct pg_listeners *all, const char *channel, struct pg_listener **listener, struct pg_failure *f);
void pg_unlisten(struct pg_listener *listener); /* NULL is accepted */

/* The next one, waiting up to `wait_ms`. 1; 0: none came. For one thread. */
int pg_listener_next(struct pg_listener *listener, int64_t wait_ms, struct pg_notice *notice);

#endif
