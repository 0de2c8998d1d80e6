/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Groups as they change, as a stream. A follower that is too slow for the changes that are noted looks at all groups
 * for those that changed since: so it gets every group's last state, whatever it missed in between. */
#include <stdlib.h>
#include <time.h>

#include "bound.h"

#define AT_ONCE 256
#define PAUSE_MS 20

struct watching {
    const struct an_bound *b;
    struct an_part *part;
    struct an_row_map map;
    uint64_t generation; /* of the part's aggregator */
    uint64_t next;       /* number of the next change */
    bool scanning;       /* all groups of the newest window are looked at */
    uint64_t cursor;     /* there */
    uint8_t *rows;
    uint32_t n;
};

static uint8_t *row_at(const struct watching *w) { return w->rows + (size_t)w->n * w->b->row->size; }

static int add(struct watching *w, const struct an_entry *entry, int64_t begin_us, struct an_failure *f)
{
    int r = an_row_fill(&w->map, entry, begin_us, row_at(w), f);

    w->n += r >= 0;
    return r;
}

static int scan_some(struct watching *w, struct an_failure *f)
{
    struct an_view *view = NULL;
    int r = an_view_open(w->part->aggregator, INT64_MAX, NULL, &view, f);

    if (r == CELL_NOT_FOUND) { /* no window yet */
        w->scanning = false;
        return CELL_OK;
    }
    for (; r >= 0 && w->n < AT_ONCE && w->cursor < an_view_count(view); w->cursor++)
        r = add(w, an_view_entry(view, (uint32_t)w->cursor), an_view_begin(view), f);
    w->scanning = r >= 0 && w->cursor < an_view_count(view);
    an_view_close(view);
    return r;
}

/* A group that changed, in the window that ends with its pane. */
static int add_change(struct watching *w, const struct an_change *change, struct an_failure *f)
{
    const struct an_aggregator *a = w->part->aggregator;
    const void *key = an_change_key(a, change);
    struct an_view *view = NULL;

    if (!key || an_view_open(a, change->begin_us, key, &view, f) < 0) /* its window went meanwhile */
        return CELL_OK;
    const struct an_entry *entry = an_view_find(view, key);
    int r = entry ? add(w, entry, an_view_begin(view), f) : CELL_OK;
    an_view_close(view);
    return r;
}

/* With the lock: fills rows with what there is. */
static int gather(struct watching *w, struct an_failure *f)
{
    const struct an_aggregator *a = w->part->aggregator;
    struct an_change change;
    int r = CELL_OK;

    w->n = 0;
    if (w->generation != w->part->generation)
        return an_fail(f, CELL_ABORTED, "aggregate '%s' was counted anew: watch it again", w->b->name);
    if (w->scanning)
        return scan_some(w, f);
    for (; r >= 0 && w->n < AT_ONCE && w->next < an_changes_end(a); w->next++) {
        if (!an_changes_get(a, w->next, &change)) {
            w->next = an_changes_end(a);
            w->cursor = 0;
            w->scanning = true;
            return CELL_OK;
        }
        r = add_change(w, &change, f);
    }
    return r;
}

static int follow(struct an_service *s, cell_ctx *c, struct watching *w, struct an_failure *f)
{
    int r = CELL_OK;

    while (r >= 0) {
        if (cell_ctx_cancelled(c))
            return an_fail(f, CELL_CANCELLED, "the client has gone, or the cell ends");
        if (atomic_load(&w->part->stop) || atomic_load(&s->stop))
            return an_fail(f, CELL_ABORTED, "aggregate '%s' was built anew: watch it again", w->b->name);
        an_part_lock(w->part);
        r = gather(w, f);
        an_part_unlock(w->part);
        if (r >= 0 && w->n > 0) {
            r = cell_stream_put(cell_ctx_stream(c), w->rows, w->n);
            if (r < 0)
                an_fail(f, r, "%s", cell_status_text(r));
        } else if (r >= 0 && !w->scanning) {
            nanosleep(&(struct timespec){.tv_nsec = PAUSE_MS * 1000000}, NULL);
        }
    }
    return r;
}

static int begin(struct watching *w, bool all, struct an_failure *f)
{
    int r = w->part->aggregator
                ? an_row_map(w->part, w->b->row, &w->map, f)
                : an_fail(f, CELL_UNAVAILABLE, "aggregate '%s' is being read from its snapshot", w->b->name);

    if (r < 0)
        return r;
    if (!an_follow(w->part->aggregator))
        return an_fail(f, CELL_NO_MEMORY, "out of memory");
    w->generation = w->part->generation;
    w->next = an_changes_end(w->part->aggregator);
    w->scanning = all;
    return CELL_OK;
}

int an_call_watch(struct an_service *s, cell_ctx *c, const struct an_bound *b, bool all, struct an_failure *f)
{
    struct watching w = {.b = b, .part = an_part_take(s, b->name), .rows = malloc((size_t)AT_ONCE * b->row->size)};
    int r = !w.part  ? an_fail(f, CELL_FAILED_PRECONDITION, "there is no aggregate '%s'", b->name)
            : w.rows ? CELL_OK
                     : an_fail(f, CELL_NO_MEMORY, "out of memory");

    if (r >= 0) {
        an_part_lock(w.part);
        r = begin(&w, all, f);
        an_part_unlock(w.part);
    }
    if (r >= 0) {
        r = follow(s, c, &w, f);
        an_part_lock(w.part);
        if (w.generation == w.part->generation)
            an_unfollow(w.part->aggregator);
        an_part_unlock(w.part);
    }
    if (w.part)
        an_part_give(w.part);
    free(w.rows);
    return r;
}
