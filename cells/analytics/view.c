/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Windows as their readers see them: a pane, or several put together. */
#include <stdlib.h>

#include "aggregator_impl.h"

static bool add_entry(const struct an_aggregator *a, struct an_pane *to, const struct an_entry *from)
{
    uint32_t index = an_pane_take(a, to, from + 1, an_key_hash(a, from + 1));

    return index != UINT32_MAX && an_entry_merge(a, &to->pool, an_pane_entry(a, to, index), from);
}

static bool add_pane(const struct an_aggregator *a, struct an_pane *to, const struct an_pane *from, const void *key)
{
    if (key) {
        uint32_t index = an_pane_find(a, from, key, an_key_hash(a, key));
        return index == UINT32_MAX || add_entry(a, to, an_pane_entry(a, from, index));
    }
    for (uint32_t i = 0; i < from->count; i++)
        if (!add_entry(a, to, an_pane_entry(a, from, i)))
            return false;
    return true;
}

static int merge_panes(struct an_view *view, int64_t end_us, const void *key, struct an_failure *f)
{
    const struct an_aggregator *a = view->a;

    view->own = true;
    view->pane = an_pane_new(view->begin_us);
    for (uint32_t i = 0; i < a->npanes; i++) {
        struct an_pane *pane = a->panes[i];
        if (pane->begin_us >= view->begin_us && pane->begin_us < end_us &&
            (!view->pane || !add_pane(a, view->pane, pane, key)))
            return an_fail(f, CELL_NO_MEMORY, "out of memory");
    }
    return view->pane ? CELL_OK : an_fail(f, CELL_NO_MEMORY, "out of memory");
}

static int open_window(struct an_view *view, int64_t at_us, const void *key, struct an_failure *f)
{
    const struct an_aggregator *a = view->a;
    const struct an_plan *p = &a->plan;
    int64_t end;

    if (a->npanes == 0)
        return an_fail(f, CELL_NOT_FOUND, "there is no window yet");
    int64_t newest = an_pane_begin(p, a->counters.newest_us);
    int64_t last = at_us > newest ? newest : an_pane_begin(p, at_us); /* the last pane of the window */
    if (__builtin_sub_overflow(last, p->window_us - p->slide_us, &view->begin_us) ||
        __builtin_add_overflow(last, p->slide_us, &end) || end <= a->panes[0]->begin_us ||
        view->begin_us <= an_forgotten(a)) /* a part of it may be gone */
        return an_fail(f, CELL_NOT_FOUND, "windows of that time are not kept any more");
    if (p->window_us != p->slide_us)
        return merge_panes(view, end, key, f);
    view->pane = an_pane_at(a, last);
    return view->pane ? CELL_OK : merge_panes(view, end, key, f); /* nothing came in it */
}

int an_view_open(const struct an_aggregator *a, int64_t at_us, const void *key, struct an_view **view,
                 struct an_failure *f)
{
    struct an_view *made = calloc(1, sizeof(*made));
    int r = CELL_OK;

    if (!made)
        return an_fail(f, CELL_NO_MEMORY, "out of memory");
    made->a = a;
    if (a->plan.windowed)
        r = open_window(made, at_us, key, f);
    else
        made->pane = a->npanes ? a->panes[0] : NULL;
    if (r < 0)
        an_view_close(made);
    else
        *view = made;
    return r;
}

void an_view_close(struct an_view *view)
{
    if (view && view->own)
        an_pane_free(view->pane);
    free(view);
}

uint32_t an_view_count(const struct an_view *view) { return view->pane ? view->pane->count : 0; }
int64_t an_view_begin(const struct an_view *view) { return view->begin_us; }

/* It ends where the last slide of this one begins. */
bool an_view_earlier(const struct an_view *view, int64_t *at_us)
{
    const struct an_plan *p = &view->a->plan;
    int64_t oldest;

    return p->windowed &&
           !__builtin_sub_overflow(an_pane_begin(p, view->a->counters.newest_us), (int64_t)(p->panes - 1) * p->slide_us,
                                   &oldest) &&
           view->begin_us > oldest && !__builtin_add_overflow(view->begin_us, p->window_us - p->slide_us - 1, at_us);
}

const struct an_entry *an_view_entry(const struct an_view *view, uint32_t i)
{
    return an_pane_entry(view->a, view->pane, i);
}

const struct an_entry *an_view_find(const struct an_view *view, const void *key)
{
    uint32_t i = view->pane ? an_pane_find(view->a, view->pane, key, an_key_hash(view->a, key)) : UINT32_MAX;

    return i == UINT32_MAX ? NULL : an_pane_entry(view->a, view->pane, i);
}
