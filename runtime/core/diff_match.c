/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Which of the old entries became which of the new ones: by name, then by the former names that they state. Entries are
 * fields, parameters, enumerators, constants or methods; in each the name comes first. */
#include <stdlib.h>
#include <string.h>

#include "core/diff_impl.h"

struct place {
    const char *name;
    uint32_t index;
};

/* Names with their places, sorted: with many entries looking through all of them for each would take minutes. */
struct index {
    struct place *places;
    uint32_t n;
};

static const char *text_at(const struct diff_list *list, uint32_t i, size_t offset)
{
    const char *text;
    memcpy(&text, (const char *)list->entries + i * list->size + offset, sizeof(text));
    return text;
}

static int compare_places(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    int r = strcmp(x->name, y->name);
    return r ? r : (x->index > y->index) - (x->index < y->index);
}

/* Of the texts at `offset`, where NULL stands for none. */
static bool index_texts(struct cell_arena *arena, const struct diff_list *list, size_t offset, struct index *out)
{
    out->n = 0;
    out->places = cell_arena_array(arena, list->n, sizeof(*out->places));
    if (!out->places)
        return false;
    for (uint32_t i = 0; i < list->n; i++) {
        const char *text = text_at(list, i, offset);
        if (text)
            out->places[out->n++] = (struct place){text, i};
    }
    if (out->n > 1)
        qsort(out->places, out->n, sizeof(*out->places), compare_places);
    return true;
}

/* The first place with that name. */
static uint32_t find(const struct index *names, const char *name)
{
    uint32_t low = 0, high = names->n;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (strcmp(names->places[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < names->n && strcmp(names->places[low].name, name) == 0 ? names->places[low].index : DIFF_NONE;
}

static void join(struct diff_match *m, uint32_t i, uint32_t j)
{
    m->to[i] = j;
    m->from[j] = i;
}

/* Of several entries that state one former name the first has it. */
static void match_former(const struct diff_lists *l, const struct index *old_names, struct diff_match *m)
{
    for (uint32_t j = 0; j < l->after.n; j++) {
        const char *former = m->from[j] == DIFF_NONE ? text_at(&l->after, j, l->former) : NULL;
        uint32_t i = former ? find(old_names, former) : DIFF_NONE;
        if (i != DIFF_NONE && m->to[i] == DIFF_NONE)
            join(m, i, j);
    }
}

/* A cell that went back to an older schema. What the older one calls by the former name must be alike too, for it says
 * nothing about the newer name. */
static void match_backwards(const struct diff_lists *l, const struct index *new_names, struct diff_match *m)
{
    for (uint32_t i = 0; i < l->before.n; i++) {
        const char *former = m->to[i] == DIFF_NONE ? text_at(&l->before, i, l->former) : NULL;
        uint32_t j = former ? find(new_names, former) : DIFF_NONE;
        const char *old = (const char *)l->before.entries + i * l->before.size;
        if (j != DIFF_NONE && m->from[j] == DIFF_NONE &&
            l->alike(old, (const char *)l->after.entries + j * l->after.size))
            join(m, i, j);
    }
}

bool diff_match_entries(struct diff_work *w, struct cell_arena *arena, const struct diff_lists *l, struct diff_match *m)
{
    struct index old_names, new_names;
    m->to = cell_arena_array(arena, l->before.n, sizeof(*m->to));
    m->from = cell_arena_array(arena, l->after.n, sizeof(*m->from));
    if (!m->to || !m->from || !index_texts(arena, &l->before, 0, &old_names) ||
        !index_texts(arena, &l->after, 0, &new_names)) {
        w->failed = true;
        return false;
    }
    for (uint32_t j = 0; j < l->after.n; j++)
        m->from[j] = DIFF_NONE;
    for (uint32_t i = 0; i < l->before.n; i++) {
        m->to[i] = DIFF_NONE;
        uint32_t j = find(&new_names, text_at(&l->before, i, 0));
        if (j != DIFF_NONE)
            join(m, i, j);
    }
    if (l->alike) {
        match_former(l, &old_names, m);
        match_backwards(l, &new_names, m);
    }
    return true;
}
