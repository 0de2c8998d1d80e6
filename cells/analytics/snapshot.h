/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Snapshots of a part, written beside its counting: pieces between spans of records, the disk in a thread of its own.
 * By the thread that counts. */
#ifndef CELLS_ANALYTICS_SNAPSHOT_H
#define CELLS_ANALYTICS_SNAPSHOT_H

#include "service.h"

struct an_snapshot {
    int fd;     /* -1: none is being written */
    bool whole; /* everything was written; it goes to the disk */
    bool has_thread;
    pthread_t thread;
    atomic_bool done; /* by that thread, with `status` */
    int status;
    struct an_part *part;
    struct an_aggregator *of;
    struct cell_position position;
};

#define AN_SNAPSHOT_NONE ((struct an_snapshot){.fd = -1})

/* Begins one of what is counted now. */
int an_snapshot_begin(struct an_snapshot *s, struct an_part *part, struct an_failure *f);
/* Goes on, for as long as a span of records takes. 1: it is complete, on the disk, and *position is where it was made;
 * 0: not yet, or there is none; negative: it was given up, the one before is still there. `wait`: until it is. */
int an_snapshot_step(struct an_snapshot *s, bool wait, struct cell_position *position, struct an_failure *f);
void an_snapshot_cancel(struct an_snapshot *s);
/* The part's aggregator and place from its file; without one, or when it is damaged, which is told in `f`: empty ones
 * at the beginning. CELL_NO_MEMORY, CELL_IO_ERROR. */
int an_snapshot_load(const struct an_part *part, struct an_aggregator **a, struct an_place *place,
                     struct an_failure *f);

#endif
