/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The writer of a journal, in parts: open.c, append.c, sync.c (what is durable), keeper.c (segments ahead and behind).
 */
#ifndef CELL_JOURNAL_IMPL_H
#define CELL_JOURNAL_IMPL_H

#include <pthread.h>

#include "base/file_map.h"
#include "base/ticks.h"
#include "journal/files.h"
#include "journal/tail.h"

/* What the keeper has to do. */
enum cell_next { CELL_NEXT_READY, CELL_NEXT_WANTED, CELL_NEXT_FAILED };

struct cell_journal {
    char *folder; /* NULL: a journal without one */
    struct cell_journal_format format;
    uint32_t most_payload; /* of a block */
    uint64_t keep_bytes, keep_ms;
    struct cell_description *description;
    uint32_t epoch;
    struct cell_tail tail;
    int lock_fd;
    uint64_t opened_ns; /* CLOCK_BOOTTIME */

    /* The appending thread's. */
    uint64_t offset; /* of the next block */
    uint64_t sequence, time_us;
    struct cell_wall wall;
    struct cell_block *reserved;
    uint32_t reserved_bytes;
    struct cell_file_map map; /* of the segment that is written; or none */
    uint32_t synced;          /* `syncs` at the last block */
    uint32_t written;         /* blocks since that has changed */

    _Atomic uint32_t syncs; /* how often something was synced */
    _Atomic int failed;     /* negative: what the disk has failed with; for good. Set under the lock */

    /* What is committed, as a pair: odd while it changes. */
    _Atomic uint32_t version;
    _Atomic uint64_t committed, committed_sequence;

    pthread_mutex_t lock; /* of all below */
    pthread_cond_t changed;
    int segment_fd;  /* of the block that is written next; changed by the appending thread */
    int previous_fd; /* the segment before, until it is durable; or -1 */
    uint64_t durable, durable_sequence;
    uint64_t durable_segments; /* segments before this number are durable and closed */
    bool syncing;
    enum cell_next next_state;
    int next_fd;
    struct cell_error next_error;
    uint64_t first_number, newest_number; /* of segments that are there; of the one that is written */
    pthread_t keeper;
    bool has_keeper, stops;
};

/* append.c */
struct cell_position cell_journal_pair(const struct cell_journal *j);
void cell_journal_set_pair(struct cell_journal *j, uint64_t offset, uint64_t sequence);
/* The segment of segment_fd is the one that is written from here on. */
void cell_journal_map_segment(struct cell_journal *j);

/* recover.c: finds the end of what was written, in the two newest segments, and makes all before it durable. Sets
 * offset, sequence, time_us and the segments; zeros what a failure of power has left behind the end. */
int cell_journal_recover(struct cell_journal *j, struct cell_error *e);

/* sync.c */
int cell_journal_sync_all(struct cell_journal *j, struct cell_error *e);

/* keeper.c */
int cell_journal_keeper_start(struct cell_journal *j, struct cell_error *e);
void cell_journal_keeper_stop(struct cell_journal *j);
/* The segment behind the newest one, when it is there; waits for it. The lock is held. */
int cell_journal_take_next(struct cell_journal *j, int *fd, struct cell_error *e);

/* registration.c: how far registered readers are; files in the folder "readers". */
struct cell_registration {
    char magic[8]; /* "CELLRDR1" */
    uint64_t journal;
    struct cell_position position;
    uint64_t lease_ms;
    uint64_t renewed_ns; /* CLOCK_BOOTTIME */
    uint64_t boot;       /* which run of the system that was */
    uint64_t sum;
};
int cell_registration_read(const char *folder, const char *name, struct cell_registration *r, struct cell_error *e);
/* With the time of now; on the disk when it returns. */
int cell_registration_write(const char *folder, const char *name, struct cell_registration *r, struct cell_error *e);
bool cell_registration_name(const char *name);
/* The lowest offset that a reader with a lease still needs; UINT64_MAX: there is none. A file that cannot be read
 * counts as one that needs everything. */
uint64_t cell_registrations_need(const char *folder, uint64_t journal, uint64_t opened_ns);
uint64_t cell_boot_ns(void);

#endif
