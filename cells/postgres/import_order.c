/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* In which order tables are declared: a struct can refer to tables that stand before it. */
#include <string.h>

#include "import_parts.h"

const struct import_table *import_find(const struct importing *s, const char *schema, const char *name)
{
    for (uint32_t i = 0; i < s->tables.n; i++)
        if (strcmp(s->tables.at[i].from->name, name) == 0 && strcmp(s->tables.at[i].from->schema, schema) == 0)
            return &s->tables.at[i];
    return NULL;
}

/* The first table that number `i` refers to and that is not placed yet; UINT32_MAX when it waits for none. */
static uint32_t waits_for(const struct importing *s, const bool *placed, uint32_t i)
{
    const struct pg_table *t = s->tables.at[i].from;

    for (uint32_t k = 0; k < t->nforeign; k++) {
        const struct import_table *to = import_find(s, t->foreign[k].to_schema, t->foreign[k].to_table);
        uint32_t at = to ? (uint32_t)(to - s->tables.at) : i;
        if (at != i && !placed[at])
            return at;
    }
    return UINT32_MAX;
}

/* All wait, so some wait for each other: one of those. */
static uint32_t of_circle(const struct importing *s, const bool *placed, uint32_t from)
{
    bool *seen = pg_array(s->arena, s->tables.n, sizeof(*seen));

    for (; !seen[from]; from = waits_for(s, placed, from))
        seen[from] = true;
    return from;
}

static uint32_t next_table(const struct importing *s, const bool *placed)
{
    uint32_t first = UINT32_MAX;

    for (uint32_t i = 0; i < s->tables.n; i++) {
        if (placed[i])
            continue;
        if (waits_for(s, placed, i) == UINT32_MAX)
            return i;
        if (first == UINT32_MAX)
            first = i;
    }
    return of_circle(s, placed, first);
}

void import_order_tables(struct importing *s)
{
    bool *placed = pg_array(s->arena, s->tables.n + 1, sizeof(*placed));
    struct import_table *ordered = pg_array(s->arena, s->tables.n + 1, sizeof(*ordered));

    for (uint32_t n = 0; n < s->tables.n; n++) {
        uint32_t i = next_table(s, placed);
        ordered[n] = s->tables.at[i];
        placed[i] = true;
    }
    memcpy(s->tables.at, ordered, s->tables.n * sizeof(*ordered));
}
