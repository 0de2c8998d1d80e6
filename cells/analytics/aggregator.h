/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Aggregates of records that come in spans: for each group of each window one entry, in tables that only grow. Not
 * thread-safe: who takes records and who reads hold one lock. One thread takes records, and that thread alone may look
 * without the lock.
 *
 * A group costs its key, 16 bytes, what its aggregates need (count 0, sum, variance 16, quantiles 24, others 8), and 10
 * to 20 bytes of the table; sketches beside that (sketch.h).
 */
#ifndef CELLS_ANALYTICS_AGGREGATOR_H
#define CELLS_ANALYTICS_AGGREGATOR_H

#include <stddef.h>

#include <cell/journal.h>

#include "failure.h"
#include "plan.h"

struct an_aggregator;
struct an_view;
struct an_entry; /* of a view */

/* The plan is copied. CELL_INVALID_ARGUMENT: it cannot be; CELL_NO_MEMORY. */
int an_open(const struct an_plan *plan, struct an_aggregator **a, struct an_failure *f);
void an_close(struct an_aggregator *a); /* NULL is accepted */

/* Counts the records. CELL_NO_MEMORY: some were counted and some were not; it is of no use any more. */
int an_take(struct an_aggregator *a, const void *records, uint32_t count, struct an_failure *f);

struct an_counters {
    uint64_t taken;        /* records that came */
    uint64_t passed;       /* the conditions */
    uint64_t late;         /* of those: too old for their window, and not counted */
    uint64_t groups;       /* entries, of all windows */
    uint64_t bytes;        /* of entries and tables */
    uint64_t sketch_bytes; /* beside them */
    int64_t newest_us;     /* time of the newest record; INT64_MIN: there is none, or there are no windows */
};
struct an_counters an_counters(const struct an_aggregator *a);

/* ---- reading ---- */

/*
 * The groups of a window: the one that ends soonest after `at_us`; INT64_MAX: of the newest record. Without windows
 * `at_us` is not looked at. With `key` (packed, plan.h) that group alone. Valid until an_view_close, which comes before
 * the next an_take. CELL_NOT_FOUND: there is no such window, or no longer. CELL_NO_MEMORY.
 */
int an_view_open(const struct an_aggregator *a, int64_t at_us, const void *key, struct an_view **view,
                 struct an_failure *f);
void an_view_close(struct an_view *view);
uint32_t an_view_count(const struct an_view *view);
int64_t an_view_begin(const struct an_view *view); /* of the window, in microseconds since 1970 */
/* Whether the window before this one is whole, as far as there were records; *at_us is a time of it then. */
bool an_view_earlier(const struct an_view *view, int64_t *at_us);
/* The i-th group. Without overlapping windows a group keeps its number. */
const struct an_entry *an_view_entry(const struct an_view *view, uint32_t i);
/* NULL: there is no such group. */
const struct an_entry *an_view_find(const struct an_view *view, const void *key);

const void *an_entry_key(const struct an_entry *entry);
uint64_t an_entry_records(const struct an_entry *entry);

/* What an aggregate is. A sum of whole numbers may need 128 bits. */
struct an_value {
    enum an_class class; /* AN_SIGNED, AN_UNSIGNED or AN_REAL */
    bool wide;           /* it is `sum`, which 64 bits of the class do not hold */
    union an_number number;
    __int128 sum;
};
struct an_value an_value_of(const struct an_aggregator *a, const struct an_entry *entry, uint32_t aggregate);

/* ---- following ---- */

/* A group that changed. */
struct an_change {
    uint64_t tick;
    int64_t begin_us; /* of its pane: [begin, begin + slide) */
    uint32_t index;   /* in the view of that pane */
};

/* While somebody follows, changes are noted. False: memory is short. */
bool an_follow(struct an_aggregator *a);
void an_unfollow(struct an_aggregator *a);
/* How many were noted so far: where a follower begins. */
uint64_t an_changes_end(const struct an_aggregator *a);
/* The change of that number; false: it is not there any more, and the follower has to look at everything. */
bool an_changes_get(const struct an_aggregator *a, uint64_t number, struct an_change *change);
/* The key of a group that changed, NULL: its pane is gone. */
const void *an_change_key(const struct an_aggregator *a, const struct an_change *change);

#endif
