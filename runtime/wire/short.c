/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Short messages of plain values. A call of a few words costs less than the calls of memcpy for them would. */
#include <string.h>

#include "base/util.h"
#include "wire/message.h"
#include "wire/walk.h"

/* 1 to CELL_SHORT_MESSAGE bytes, in pieces of constant sizes that may overlap. */
static inline void copy(uint8_t *to, const uint8_t *from, uint32_t n)
{
    if (n >= 16) {
        for (uint32_t at = 0; at < n - 16; at += 16)
            memcpy(to + at, from + at, 16);
        memcpy(to + n - 16, from + n - 16, 16);
    } else if (n >= 8) {
        memcpy(to, from, 8);
        memcpy(to + n - 8, from + n - 8, 8);
    } else if (n >= 4) {
        memcpy(to, from, 4);
        memcpy(to + n - 4, from + n - 4, 4);
    } else {
        to[n / 2] = from[n / 2];
        to[n - 1] = from[n - 1];
        to[0] = from[0];
    }
}

/* Whole words. */
static inline void zero(uint8_t *to, uint32_t n)
{
    for (uint32_t at = 0; at < n; at += 8)
        memset(to + at, 0, 8);
}

static inline uint32_t round8(uint32_t n) { return (n + 7) & ~7u; }
static inline uint32_t round16(uint32_t n) { return (n + 15) & ~15u; }

CELL_HOT bool cell_short_put(const struct cell_layout *layout, const void *in, uint8_t *to)
{
    const uint8_t *from = in;
    uint8_t *message = to - CELL_MESSAGE_HEADER; /* where it would begin */
    if (layout->has_gaps)
        zero(to, round8(layout->size));
    for (uint32_t i = 0; i < layout->nsteps; i++) {
        const struct cell_layout_step *step = &layout->steps[i];
        if (step->kind == CELL_STEP_COPY) {
            copy(to + step->offset, from + step->offset, step->size);
            continue;
        }
        struct cell_ref ref;
        memcpy(&ref, from + step->offset, sizeof(ref));
        if (!ref.ptr)
            return false;
        uint8_t *value = message + step->ref.offset;
        memcpy(to + step->offset, &step->ref, sizeof(step->ref));
        if (step->size % 8)
            memset(value + round8(step->size) - 8, 0, 8);
        copy(value, ref.ptr, step->size);
    }
    return true;
}

/* Whether a message is laid out as cell_short_put lays it out. */
static inline bool is_usual(const struct cell_layout *layout, const uint8_t *bytes, size_t len)
{
    const uint64_t usual = layout->short_size | (uint64_t)round8(layout->size) << 32;
    if (len != layout->short_size || memcmp(bytes, &usual, sizeof(usual)) != 0)
        return false;
    for (uint32_t i = 0; i < layout->nsteps; i++) {
        const struct cell_layout_step *step = &layout->steps[i];
        if (step->kind != CELL_STEP_COPY &&
            memcmp(bytes + CELL_MESSAGE_HEADER + step->offset, &step->ref, sizeof(step->ref)) != 0)
            return false;
    }
    return true;
}

CELL_HOT bool cell_short_take(const struct cell_layout *layout, uint64_t *message, size_t len)
{
    uint8_t *bytes = (uint8_t *)message;
    if (!is_usual(layout, bytes, len))
        return false;
    for (uint32_t i = 0; i < layout->nsteps; i++) {
        const struct cell_layout_step *step = &layout->steps[i];
        if (step->kind == CELL_STEP_COPY)
            continue;
        const struct cell_ref ref = {bytes + step->ref.offset, step->ref.count};
        memcpy(bytes + CELL_MESSAGE_HEADER + step->offset, &ref, sizeof(ref));
    }
    return true;
}

CELL_HOT bool cell_short_take_to(const struct cell_layout *layout, const uint8_t *bytes, size_t len, void *const *out)
{
    if (!layout->all_plain || !is_usual(layout, bytes, len))
        return false;
    for (uint32_t i = 0; i < layout->nsteps; i++)
        copy(out[i], bytes + layout->steps[i].ref.offset, layout->steps[i].size);
    return true;
}

CELL_HOT void cell_short_places(const struct cell_layout *layout, struct cell_short *s, void **out)
{
    uint8_t *value = s->values;
    for (uint32_t i = 0; i < layout->nsteps; i++) {
        const struct cell_layout_step *step = &layout->steps[i];
        zero(value, round8(step->size));
        out[i] = value;
        s->refs[i] = (struct cell_ref){value, step->ref.count};
        value += round16(step->size);
    }
}
