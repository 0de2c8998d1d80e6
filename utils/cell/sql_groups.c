/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The groups of an aggregate, window after window, the newest first. They are asked for once and kept, so that a
 * statement that looks at them several times sees the same. */
#include <stdlib.h>
#include <string.h>

#include "sql.h"

#define MOST_BYTES (UINT64_C(1) << 30)

struct page {
    struct cell_arena arena;
    const uint8_t *rows;
    uint32_t count;
};

struct sql_groups {
    struct page *pages;
    uint32_t n;
    uint64_t bytes, cursor;
    int64_t at_us;
    bool complete;
};

/* What a reply says of the pages behind it must go on, or it would never end. */
static int take_page(struct sql_table *t, const struct cell_type *type, const void *reply, struct page *page,
                     struct cell_error *e)
{
    struct sql_groups *g = t->groups;
    const uint32_t size = t->layout.record_size;
    cell_bytes rows;
    uint64_t next;
    int64_t earlier_us;
    bool earlier;

    if (!sql_member(type, reply, "rows", CELL_KIND_BYTES, &rows, sizeof(rows)) ||
        !sql_member(type, reply, "next", CELL_KIND_U64, &next, sizeof(next)) ||
        !sql_member(type, reply, "earlier", CELL_KIND_BOOL, &earlier, sizeof(earlier)) ||
        !sql_member(type, reply, "earlier_us", CELL_KIND_I64, &earlier_us, sizeof(earlier_us)) ||
        rows.len % size != 0 || (next != 0 && next <= g->cursor) || (next == 0 && earlier && earlier_us >= g->at_us))
        return cell_error_set(e, CELL_PROTOCOL_ERROR, "%s sent groups of %s.%s that are not what it has said",
                              t->schema, t->schema, t->name);
    g->bytes += sizeof(*page) + rows.len;
    if (g->bytes > MOST_BYTES)
        return cell_error_set(e, CELL_RESOURCE_EXHAUSTED, "%s.%s has more than 1 GiB of groups", t->schema, t->name);
    page->rows = rows.ptr;
    page->count = (uint32_t)(rows.len / size);
    g->cursor = next;
    g->complete = next == 0 && !earlier;
    g->at_us = next == 0 && earlier ? earlier_us : g->at_us;
    return CELL_OK;
}

static int ask_page(struct sql_table *t, struct page *page, struct cell_error *e)
{
    const struct sql_argument in[] = {
        {.name = "name", .kind = CELL_KIND_STR, .text = cell_strz(t->name)},
        {.name = "generation", .kind = CELL_KIND_U64, .number = t->generation},
        {.name = "at_us", .kind = CELL_KIND_I64, .number = (uint64_t)t->groups->at_us},
        {.name = "cursor", .kind = CELL_KIND_U64, .number = t->groups->cursor},
    };
    const struct cell_type *type;
    struct cell_ref out;
    int r = sql_cell_call(t->cell, "rows", in, sizeof(in) / sizeof(in[0]), &page->arena, &type, &out, e);

    if (r == CELL_NOT_FOUND) { /* there is no such window, or none yet */
        t->groups->complete = true;
        return CELL_OK;
    }
    return r < 0 ? r : take_page(t, type, out.ptr, page, e);
}

static int read_page(struct sql_table *t, struct cell_error *e)
{
    struct sql_groups *g = t->groups;
    struct page *grown = realloc(g->pages, (g->n + 1) * sizeof(*grown));

    if (!grown)
        return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    g->pages = grown;
    g->pages[g->n] = (struct page){.count = 0};
    int r = ask_page(t, &g->pages[g->n], e);
    g->n++; /* its memory is freed in any case */
    g->complete = g->complete || r < 0;
    return r;
}

int sql_groups_page(struct sql_table *t, uint32_t i, struct sql_batch *batch, struct cell_error *e)
{
    int r = CELL_OK;

    if (!t->groups) {
        t->groups = calloc(1, sizeof(*t->groups));
        if (!t->groups)
            return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
        t->groups->at_us = INT64_MAX;
    }
    while (r >= 0 && i >= t->groups->n && !t->groups->complete)
        r = read_page(t, e);
    if (r < 0 || i >= t->groups->n)
        return r < 0 ? r : 0;
    *batch = (struct sql_batch){.records = t->groups->pages[i].rows, .count = t->groups->pages[i].count};
    return 1;
}

void sql_groups_free(struct sql_table *t)
{
    for (uint32_t i = 0; t->groups && i < t->groups->n; i++)
        cell_arena_free(&t->groups->pages[i].arena);
    if (t->groups)
        free(t->groups->pages);
    free(t->groups);
    t->groups = NULL;
}
