/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Prepared layouts: what a descriptor means for copying, found out once. */
#include <stdlib.h>

#include "wire/message.h"
#include "wire/walk.h"

static uint32_t plain_size(const struct cell_field *f) { return f->type->size * (f->count ? f->count : 1); }

/* Whether all messages have one size, and a small one. */
static void find_short(struct cell_layout *layout, struct cell_layout_step *steps)
{
    uint64_t size = CELL_MESSAGE_HEADER + cell_round_up8(layout->size), filled = 0;
    layout->short_size = 0;
    layout->has_gaps = false;
    if (layout->nsteps > CELL_SHORT_STEPS)
        return;
    for (uint32_t i = 0; i < layout->nsteps; i++) {
        struct cell_layout_step *step = &steps[i];
        if (step->kind == CELL_STEP_FIELD || step->size == 0 || step->size > CELL_SHORT_MESSAGE)
            return;
        step->ref.offset = (uint32_t)size;
        layout->has_gaps |= step->offset != filled;
        filled = step->offset + (step->kind == CELL_STEP_COPY ? step->size : sizeof(struct cell_wire_ref));
        size += step->kind == CELL_STEP_PLAIN ? cell_round_up8(step->size) : 0;
    }
    layout->has_gaps |= filled != cell_round_up8(layout->size);
    if (size <= CELL_SHORT_MESSAGE)
        layout->short_size = (uint32_t)size;
}

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
            steps[n++] = (struct cell_layout_step){.kind = plain ? CELL_STEP_PLAIN : CELL_STEP_FIELD,
                                                   .offset = f->offset,
                                                   .size = plain ? plain_size(f) : 0,
                                                   .ref = {0, f->type->size, f->count ? f->count : 1},
                                                   .field = f};
        else if (last && last->kind == CELL_STEP_COPY && last->offset + last->size == f->offset)
            last->size += plain_size(f);
        else
            steps[n++] = (struct cell_layout_step){.kind = CELL_STEP_COPY, .offset = f->offset, .size = plain_size(f)};
    }
    cell_layout_release(layout);
    layout->steps = steps;
    layout->nsteps = n;
    layout->all_plain = true;
    layout->ruled = false;
    for (uint32_t i = 0; i < layout->n; i++)
        layout->ruled |= (layout->fields[i].flags & CELL_FIELD_RULED) != 0;
    for (uint32_t i = 0; i < n; i++)
        layout->all_plain &= steps[i].kind == CELL_STEP_PLAIN;
    find_short(layout, steps);
    return CELL_OK;
}

void cell_layout_release(struct cell_layout *layout)
{
    free((void *)(uintptr_t)layout->steps);
    layout->steps = NULL;
    layout->nsteps = 0;
    layout->all_plain = false;
    layout->short_size = 0;
}
