/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Prepared layouts: what a descriptor means for copying, found out once. */
#include <stdlib.h>

#include "wire/message.h"
#include "wire/walk.h"

static uint32_t plain_size(const struct cell_field *f) { return f->type->size * (f->count ? f->count : 1); }

int cell_layout_prepare(struct cell_layout *layout)
{
    struct cell_layout_step *steps = calloc(layout->n ? layout->n : 1, sizeof(*steps));
    uint32_t n = 0;
    if (!steps)
        return CELL_NO_MEMORY;
    for (uint32_t i = 0; i < layout->n; i++) {
        const struct cell_field *f = &layout->fields[i];
        bool plain = cell_walk_plain(f->type), by_reference = f->flags & CELL_FIELD_REF;
        struct cell_layout_step *last = n ? &steps[n - 1] : NULL;
        if (!plain || by_reference)
            steps[n++] = (struct cell_layout_step){plain ? CELL_STEP_PLAIN : CELL_STEP_FIELD, f->offset, 0, f};
        else if (last && last->kind == CELL_STEP_COPY && last->offset + last->size == f->offset)
            last->size += plain_size(f);
        else
            steps[n++] = (struct cell_layout_step){CELL_STEP_COPY, f->offset, plain_size(f), NULL};
    }
    cell_layout_release(layout);
    layout->steps = steps;
    layout->nsteps = n;
    layout->all_plain = true;
    for (uint32_t i = 0; i < n; i++)
        layout->all_plain &= steps[i].kind == CELL_STEP_PLAIN;
    return CELL_OK;
}

void cell_layout_release(struct cell_layout *layout)
{
    free((void *)(uintptr_t)layout->steps);
    layout->steps = NULL;
    layout->nsteps = 0;
    layout->all_plain = false;
}
