/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "rank.h"

#include <stdlib.h>

struct ranked {
    __int128 whole;
    double real;
    uint32_t index;
};

/* The lowest of those that are kept lies at the root. */
static bool is_less(const struct ranked *a, const struct ranked *b)
{
    if (a->whole != b->whole)
        return a->whole < b->whole;
    return a->real != b->real ? a->real < b->real || b->real != b->real : a->index > b->index;
}

static void sink(struct ranked *heap, uint32_t n, uint32_t i)
{
    for (uint32_t child; (child = 2 * i + 1) < n; i = child) {
        child += child + 1 < n && is_less(&heap[child + 1], &heap[child]);
        if (!is_less(&heap[child], &heap[i]))
            return;
        struct ranked moved = heap[i];
        heap[i] = heap[child];
        heap[child] = moved;
    }
}

static struct ranked rank(const struct an_aggregator *a, const struct an_entry *entry, uint32_t aggregate,
                          uint32_t index)
{
    struct an_value v = an_value_of(a, entry, aggregate);
    struct ranked r = {.index = index};

    if (v.class == AN_REAL)
        r.real = v.number.d;
    else
        r.whole = v.sum != 0 ? v.sum : v.class == AN_SIGNED ? (__int128)v.number.i : (__int128)v.number.u;
    return r;
}

static uint32_t rank_all(const struct an_aggregator *a, const struct an_view *view, uint32_t aggregate,
                         struct ranked *heap, uint32_t most)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < an_view_count(view); i++) {
        struct ranked r = rank(a, an_view_entry(view, i), aggregate, i);
        if (n < most) {
            heap[n++] = r;
            for (uint32_t k = n / 2; n == most && k-- > 0;)
                sink(heap, n, k);
        } else if (is_less(&heap[0], &r)) {
            heap[0] = r;
            sink(heap, n, 0);
        }
    }
    return n;
}

static int by_rank(const void *a, const void *b) { return is_less(a, b) ? 1 : is_less(b, a) ? -1 : 0; }

int an_rank(const struct an_aggregator *a, const struct an_view *view, uint32_t aggregate, uint32_t most,
            uint32_t **numbers, uint32_t *n, struct an_failure *f)
{
    struct ranked *heap;

    most = most < an_view_count(view) ? most : an_view_count(view);
    heap = malloc((most ? most : 1) * sizeof(*heap));
    *numbers = malloc((most ? most : 1) * sizeof(**numbers));
    *n = 0;
    if (!heap || !*numbers) {
        free(heap);
        free(*numbers);
        *numbers = NULL;
        return an_fail(f, CELL_NO_MEMORY, "out of memory");
    }
    if (most > 0)
        *n = rank_all(a, view, aggregate, heap, most);
    qsort(heap, *n, sizeof(*heap), by_rank);
    for (uint32_t i = 0; i < *n; i++)
        (*numbers)[i] = heap[i].index;
    free(heap);
    return CELL_OK;
}
