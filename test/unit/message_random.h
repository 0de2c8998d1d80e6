/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Random values for any descriptor, and whether a value arrived in what another schema made of its type. */
#ifndef CELL_TEST_MESSAGE_RANDOM_H
#define CELL_TEST_MESSAGE_RANDOM_H

#include <stdbool.h>

#include "base/arena.h"
#include "cell/desc.h"

struct filler {
    uint64_t random;
    struct cell_arena *arena;
};

static inline uint32_t fill_random(struct filler *f, uint32_t below)
{
    f->random = f->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(f->random >> 33) % below;
}

static inline void fill_fields(struct filler *f, const struct cell_field *fields, uint32_t n, uint8_t *p);
static inline void fill_value(struct filler *f, const struct cell_type *t, uint8_t *p);

static inline void *fill_array(struct filler *f, const struct cell_type *t, uint64_t n)
{
    uint8_t *items = cell_arena_array(f->arena, n, t->size);
    for (uint64_t i = 0; i < n; i++)
        fill_value(f, t, items + i * t->size);
    return items;
}

static inline void fill_reference(struct filler *f, const struct cell_type *t, uint64_t n, uint8_t *p)
{
    struct cell_ref r = {n ? fill_array(f, t, n) : NULL, n};
    memcpy(p, &r, sizeof(r));
}

static inline void fill_text(struct filler *f, uint8_t *p)
{
    static const char *const texts[] = {"", "x", "\xc3\xbc\xc3\x9f", "a longer text that needs more than a word"};
    cell_str s = cell_strz(texts[fill_random(f, 4)]);
    memcpy(p, &s, sizeof(s));
}

/* Everything that is not a value stays as it is: padding may hold garbage. */
static inline void fill_value(struct filler *f, const struct cell_type *t, uint8_t *p)
{
    switch (t->kind) {
    case CELL_KIND_BOOL:
        *p = (uint8_t)fill_random(f, 2);
        break;
    case CELL_KIND_STR:
    case CELL_KIND_BYTES:
        fill_text(f, p);
        break;
    case CELL_KIND_STRUCT:
        fill_fields(f, t->fields, t->nfields, p);
        break;
    case CELL_KIND_LIST:
        fill_reference(f, t->elem, fill_random(f, 4), p);
        break;
    case CELL_KIND_OPT:
        *p = (uint8_t)fill_random(f, 2);
        fill_value(f, t->elem, p + t->elem->align);
        break;
    default:
        for (uint32_t i = 0; i < t->size; i++)
            p[i] = (uint8_t)fill_random(f, 256);
    }
}

static inline void fill_fields(struct filler *f, const struct cell_field *fields, uint32_t n, uint8_t *p)
{
    for (uint32_t i = 0; i < n; i++) {
        const struct cell_field *field = &fields[i];
        if (field->flags & CELL_FIELD_REF) {
            fill_reference(f, field->type, field->count ? field->count : 1, p + field->offset);
            continue;
        }
        for (uint32_t k = 0; k < (field->count ? field->count : 1); k++)
            fill_value(f, field->type, p + field->offset + k * field->type->size);
    }
}

static inline bool is_zero(const struct cell_type *t, const uint8_t *p)
{
    cell_bytes b;
    switch (t->kind) {
    case CELL_KIND_STR:
    case CELL_KIND_BYTES:
    case CELL_KIND_LIST:
        memcpy(&b, p, sizeof(b));
        return b.len == 0;
    case CELL_KIND_STRUCT:
        for (uint32_t i = 0; i < t->nfields; i++)
            for (uint32_t k = 0; k < (t->fields[i].count ? t->fields[i].count : 1); k++)
                if (!is_zero(t->fields[i].type, p + t->fields[i].offset + k * t->fields[i].type->size))
                    return false;
        return true;
    case CELL_KIND_OPT:
        return *p == 0;
    default:
        for (uint32_t i = 0; i < t->size; i++)
            if (p[i])
                return false;
        return true;
    }
}

/* Both are arrays of n; `strict`: what only the second type has must be zero. */
struct arrival {
    bool strict;
};
static inline bool arrived(const struct arrival *a, const struct cell_type *t, const uint8_t *p,
                           const struct cell_type *u, const uint8_t *q);

static inline bool arrived_all(const struct arrival *a, const struct cell_type *t, const uint8_t *p,
                               const struct cell_type *u, const uint8_t *q, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++)
        if (!arrived(a, t, p + i * t->size, u, q + i * u->size))
            return false;
    return true;
}

/* By name; a renamed field stands where it stood. */
static inline const struct cell_field *arrived_as(const struct cell_field *f, const struct cell_type *u)
{
    for (uint32_t i = 0; i < u->nfields; i++)
        if (strcmp(u->fields[i].name, f->name) == 0)
            return &u->fields[i];
    for (uint32_t i = 0; i < u->nfields; i++)
        if (u->fields[i].offset == f->offset)
            return &u->fields[i];
    return NULL;
}

static inline bool arrived_struct(const struct arrival *a, const struct cell_type *t, const uint8_t *p,
                                  const struct cell_type *u, const uint8_t *q)
{
    for (uint32_t i = 0; i < t->nfields; i++) {
        const struct cell_field *f = &t->fields[i], *g = arrived_as(f, u);
        if (!g || f->count != g->count ||
            !arrived_all(a, f->type, p + f->offset, g->type, q + g->offset, f->count ? f->count : 1))
            return false;
    }
    for (uint32_t i = 0; i < u->nfields && a->strict; i++) {
        const struct cell_field *g = &u->fields[i];
        bool known = false;
        for (uint32_t k = 0; k < t->nfields; k++)
            known = known || arrived_as(&t->fields[k], u) == g;
        for (uint32_t k = 0; k < (g->count ? g->count : 1) && !known; k++)
            if (!is_zero(g->type, q + g->offset + k * g->type->size))
                return false;
    }
    return true;
}

static inline bool arrived(const struct arrival *a, const struct cell_type *t, const uint8_t *p,
                           const struct cell_type *u, const uint8_t *q)
{
    cell_bytes b, c;
    if (t->kind != u->kind)
        return false;
    switch (t->kind) {
    case CELL_KIND_STR:
    case CELL_KIND_BYTES:
        memcpy(&b, p, sizeof(b));
        memcpy(&c, q, sizeof(c));
        return b.len == c.len && (b.len == 0 || memcmp(b.ptr, c.ptr, b.len) == 0);
    case CELL_KIND_LIST:
        memcpy(&b, p, sizeof(b));
        memcpy(&c, q, sizeof(c));
        return b.len == c.len && arrived_all(a, t->elem, b.ptr, u->elem, c.ptr, b.len);
    case CELL_KIND_STRUCT:
        return arrived_struct(a, t, p, u, q);
    case CELL_KIND_OPT:
        return *p == *q && (*p == 0 || arrived(a, t->elem, p + t->elem->align, u->elem, q + u->elem->align));
    default:
        return t->size == u->size && memcmp(p, q, t->size) == 0;
    }
}

/* Parameters: those by pointer are followed. */
static inline bool arrived_params(const struct arrival *a, const struct cell_field *f, const uint8_t *p,
                                  const struct cell_field *g, const uint8_t *q, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        const uint8_t *from = p + f[i].offset, *to = q + g[i].offset;
        struct cell_ref r, s;
        if (f[i].flags & CELL_FIELD_REF) {
            memcpy(&r, from, sizeof(r));
            memcpy(&s, to, sizeof(s));
            from = r.ptr;
            to = s.ptr;
        }
        if (!arrived_all(a, f[i].type, from, g[i].type, to, f[i].count ? f[i].count : 1))
            return false;
    }
    return true;
}

#endif
