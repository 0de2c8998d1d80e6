/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Short messages of plain values. A call of a few words costs less than the calls of memcpy for them would. */
#include <string.h>

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

bool cell_short_put(const struct cell_layout *layout, const void *in, uint8_t *to)
{
    const uint8_t *from = in;
    uint32_t at = round8(layout->size); /* as everywhere here, from the end of the header */
    if (layout->has_gaps)
        zero(to, at);
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
        const struct cell_wire_ref wire = {CELL_MESSAGE_HEADER + at, step->stride, step->count};
        memcpy(to + step->offset, &wire, sizeof(wire));
        if (step->size % 8)
            memset(to + at + round8(step->size) - 8, 0, 8);
        copy(to + at, ref.ptr, step->size);
        at += round8(step->size);
    }
    return true;
}

static inline bool has_header(const struct cell_layout *layout, const uint8_t *bytes, size_t len)
{
    uint32_t header[2];
    if (len != layout->short_size)
        return false;
    memcpy(header, bytes, sizeof(header));
    return header[0] == len && header[1] == round8(layout->size);
}

static inline bool is_ref(const uint8_t *at, uint32_t offset, const struct cell_layout_step *step)
{
    struct cell_wire_ref ref;
    memcpy(&ref, at, sizeof(ref));
    return ref.offset == offset && ref.stride == step->stride && ref.count == step->count;
}

/* Where the values begin that references are to, from the message's beginning. */
static inline uint32_t first_value(const struct cell_layout *layout)
{
    return CELL_MESSAGE_HEADER + round8(layout->size);
}

static inline bool has_refs(const struct cell_layout *layout, const uint8_t *fixed)
{
    uint32_t at = first_value(layout);
    for (uint32_t i = 0; i < layout->nsteps; i++) {
        const struct cell_layout_step *step = &layout->steps[i];
        if (step->kind == CELL_STEP_COPY)
            continue;
        if (!is_ref(fixed + step->offset, at, step))
            return false;
        at += round8(step->size);
    }
    return true;
}

bool cell_short_take(const struct cell_layout *layout, uint64_t *message, size_t len)
{
    uint8_t *bytes = (uint8_t *)message, *fixed = bytes + CELL_MESSAGE_HEADER;
    uint32_t at = first_value(layout);
    if (!has_header(layout, bytes, len) || !has_refs(layout, fixed))
        return false;
    for (uint32_t i = 0; i < layout->nsteps; i++) {
        const struct cell_layout_step *step = &layout->steps[i];
        if (step->kind == CELL_STEP_COPY)
            continue;
        const struct cell_ref ref = {bytes + at, step->count};
        memcpy(fixed + step->offset, &ref, sizeof(ref));
        at += round8(step->size);
    }
    return true;
}

bool cell_short_take_to(const struct cell_layout *layout, const uint8_t *bytes, size_t len, void *const *out)
{
    uint32_t at = first_value(layout);
    if (!layout->all_plain || !has_header(layout, bytes, len) || !has_refs(layout, bytes + CELL_MESSAGE_HEADER))
        return false;
    for (uint32_t i = 0; i < layout->nsteps; i++) {
        copy(out[i], bytes + at, layout->steps[i].size);
        at += round8(layout->steps[i].size);
    }
    return true;
}

void cell_short_places(const struct cell_layout *layout, struct cell_short *s, void **out)
{
    uint8_t *value = s->values;
    for (uint32_t i = 0; i < layout->nsteps; i++) {
        const struct cell_layout_step *step = &layout->steps[i];
        zero(value, round8(step->size));
        out[i] = value;
        s->refs[i] = (struct cell_ref){value, step->count};
        value += round16(step->size);
    }
}
