/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Following a table: triggers write the keys of rows that change to cell.changes, in the transaction that changes them.
 * Who reads gives numbers to what has been committed, one after the other. A number is given once, and never to
 * something older than what has one, so that a reader who has come to a number misses nothing, in whatever order
 * transactions commit, and waits for none that is still open.
 */
#ifndef CELLS_POSTGRES_FEED_FOLLOW_H
#define CELLS_POSTGRES_FEED_FOLLOW_H

#include "feed_table.h"
#include "policy.h"

/*
 * Makes sure that `table` is followed, and reads it again when it was not. 1: it was not, so that changes may be
 * missing, and positions from before are behind `forgotten`. CELL_FAILED_PRECONDITION for one that cannot be,
 * CELL_PERMISSION_DENIED when the policy forbids it, CELL_UNAVAILABLE when somebody holds the table.
 */
int pg_feed_follow(PGconn *conn, struct pg_arena *arena, enum pg_policy policy, struct pg_feed_table *table,
                   struct pg_failure *f);

/* Removes the triggers and what was written down. CELL_PERMISSION_DENIED, CELL_UNAVAILABLE. 1: it was followed. */
int pg_feed_unfollow(PGconn *conn, struct pg_arena *arena, enum pg_policy policy, const struct pg_feed_table *table,
                     struct pg_failure *f);

/* Numbers what is new of one feed, up to PG_FEED_MOST changes. How many there were. */
#define PG_FEED_MOST 10000
int64_t pg_feed_number(PGconn *conn, const char *feed, struct pg_failure *f);

/* What is kept: 0 = no limit. */
struct pg_feed_limits {
    int64_t changes, age_ms;
};
int pg_feed_trim(PGconn *conn, const char *feed, const struct pg_feed_limits *limits, struct pg_failure *f);

/* Where a feed is, now. */
struct pg_feed_bounds {
    int64_t last, forgotten;
    bool followed;
};
int pg_feed_bounds(PGconn *conn, const char *feed, struct pg_feed_bounds *bounds, struct pg_failure *f);

/* Numbers what is new of all feeds, of each up to `most` changes. 1: something was. *any: there are feeds. */
int pg_feed_number_all(PGconn *conn, int64_t most, bool *any, struct pg_failure *f);

#endif
