/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "rows.h"

#include <stdlib.h>

#include <cell/desc.h>

#include "bound.h"

#define MOST_BYTES (1u << 20)

void an_row_layout(const struct an_definition *d, struct an_row_layout *layout)
{
    uint32_t at = 0;

    layout->n = d->ncolumns;
    for (uint32_t i = 0; i < d->ncolumns; i++) {
        layout->offsets[i] = at;
        at += (an_type_size(&d->columns[i].type) + 7u) / 8 * 8;
    }
    layout->size = at;
}

uint64_t an_row_generation(const struct an_part *part)
{
    return (uint64_t)part->number << 32 | (uint32_t)part->generation;
}

/* A struct's descriptor, so that rows are filled as those of programs are. */
struct described {
    struct cell_type row, types[AN_MOST_COLUMNS];
    struct cell_field fields[AN_MOST_COLUMNS];
    struct an_row_map map;
};

static int describe(const struct an_part *part, const struct an_row_layout *layout, struct described *to,
                    struct an_failure *f)
{
    const struct an_definition *d = part->definition;

    for (uint32_t i = 0; i < layout->n; i++) {
        to->types[i] = (struct cell_type){.kind = d->columns[i].type.kind};
        to->fields[i] = (struct cell_field){.name = d->columns[i].name,
                                            .type = &to->types[i],
                                            .offset = layout->offsets[i],
                                            .count = d->columns[i].type.count};
    }
    to->row =
        (struct cell_type){.kind = CELL_KIND_STRUCT, .size = layout->size, .nfields = layout->n, .fields = to->fields};
    return an_row_map(part, &to->row, &to->map, f);
}

static int fill(const struct described *d, const struct an_view *view, uint64_t cursor, struct an_page *page,
                struct an_failure *f)
{
    uint32_t count = an_view_count(view), first = cursor < count ? (uint32_t)cursor : count;
    uint32_t most = MOST_BYTES / page->size + 1, n = count - first;
    int r = CELL_OK;

    most = most < AN_MOST_PAGE ? most : AN_MOST_PAGE;
    n = n < most ? n : most;
    page->rows = calloc(n ? n : 1, page->size);
    if (!page->rows)
        return an_fail(f, CELL_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; r >= 0 && i < n; i++)
        r = an_row_fill(&d->map, an_view_entry(view, first + i), an_view_begin(view),
                        page->rows + (size_t)i * page->size, f);
    page->n = n;
    page->next = first + n < count ? first + n : 0;
    return r;
}

static int read_page(struct an_part *part, int64_t at_us, uint64_t cursor, struct an_page *page, struct an_failure *f)
{
    struct described *described = malloc(sizeof(*described));
    struct an_row_layout layout;
    struct an_view *view = NULL;

    if (!described)
        return an_fail(f, CELL_NO_MEMORY, "out of memory");
    an_row_layout(part->definition, &layout);
    page->size = layout.size;
    page->position = part->place.position.sequence;
    int r = describe(part, &layout, described, f);
    if (r >= 0)
        r = an_view_open(part->aggregator, at_us, NULL, &view, f);
    if (r >= 0) {
        r = fill(described, view, cursor, page, f);
        page->earlier = an_view_earlier(view, &page->earlier_us);
        an_view_close(view);
    }
    free(described);
    return r;
}

int an_page_read(struct an_part *part, uint64_t generation, int64_t at_us, uint64_t cursor, struct an_page *page,
                 struct an_failure *f)
{
    const char *name = part->definition->name;
    int r;

    *page = (struct an_page){0};
    an_part_lock(part);
    if (!part->aggregator)
        r = an_fail(f, CELL_UNAVAILABLE, "aggregate '%s' is being read from its snapshot", name);
    else if (an_row_generation(part) != generation)
        r = an_fail(f, CELL_ABORTED, "aggregate '%s' was built anew meanwhile", name);
    else
        r = read_page(part, at_us, cursor, page, f);
    an_part_unlock(part);
    if (r < 0) {
        free(page->rows);
        page->rows = NULL;
    }
    return r;
}
