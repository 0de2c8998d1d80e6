/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Of what is not synced, what is there all the same. */
#include <stdlib.h>
#include <string.h>

#include "states_impl.h"

/* How many of the changes `n` that reach something come about, `least` at least. */
static uint32_t choose(enum way way, uint32_t least, uint32_t n, uint64_t *seed)
{
    bool usual = states_random(seed, 10) > 0;

    switch (way) {
    case NOTHING:
        return least;
    case ALL:
        return n;
    case NEARLY_NOTHING:
        return usual ? least : least + states_random(seed, n - least + 1);
    case NEARLY_ALL:
        return usual ? n : least + states_random(seed, n - least + 1);
    default:
        return least + states_random(seed, n - least + 1);
    }
}

struct sector {
    uint32_t n, least, chosen, seen;
};

/* Counts, chooses and applies, sector by sector. */
static void choose_sectors(struct image *m, enum way way, uint32_t size, uint64_t *seed)
{
    uint64_t most = m->size;
    uint32_t in_order = states_random(seed, (uint32_t)m->nchanges + 1);
    uint8_t *bytes = NULL;
    uint64_t length = 0, room = 0;

    for (size_t i = 0; i < m->nchanges; i++)
        most = m->changes[i].at + m->changes[i].n > most ? m->changes[i].at + m->changes[i].n : most;
    struct sector *sectors = calloc(most / size + 1, sizeof(*sectors));
    states_apply(&bytes, &length, &room,
                 &(struct change){.n = m->size, .size = most, .bytes = m->bytes ? m->bytes : NULL});
    if (!sectors)
        abort();
    for (size_t i = 0; i < m->nchanges; i++)
        for (uint64_t k = m->changes[i].at / size; m->changes[i].n && k * size < m->changes[i].at + m->changes[i].n;
             k++) {
            sectors[k].n++;
            if (m->changes[i].forced)
                sectors[k].least = sectors[k].n;
            if (i < in_order)
                sectors[k].seen = sectors[k].n; /* for a while */
        }
    for (uint64_t k = 0; k <= most / size; k++) {
        struct sector *s = &sectors[k];
        s->chosen = way == IN_ORDER ? (s->seen > s->least ? s->seen : s->least) : choose(way, s->least, s->n, seed);
        s->seen = 0;
    }
    for (size_t i = 0; i < m->nchanges; i++) {
        const struct change *c = &m->changes[i];
        for (uint64_t k = c->at / size; c->n && k * size < c->at + c->n; k++) {
            uint64_t from = k * size > c->at ? k * size : c->at;
            uint64_t to = (k + 1) * size < c->at + c->n ? (k + 1) * size : c->at + c->n;
            if (sectors[k].seen++ >= sectors[k].chosen)
                continue;
            if (c->bytes)
                memcpy(bytes + from, c->bytes + (from - c->at), to - from);
            else
                memset(bytes + from, 0, to - from);
        }
    }
    free(sectors);
    free(m->bytes);
    m->bytes = bytes;
    m->room = room;
}

/* The size is one of those that it had; what is forced needs its own. */
static uint64_t choose_size(const struct image *m, enum way way, uint64_t *seed)
{
    uint32_t least = 0;

    for (size_t i = 0; i < m->nchanges; i++)
        if (m->changes[i].forced)
            least = (uint32_t)i + 1;
    uint32_t chosen = choose(way == IN_ORDER ? ANY : way, least, (uint32_t)m->nchanges, seed);
    return chosen ? m->changes[chosen - 1].size : m->size;
}

void states_choose_image(struct image *m, enum way way, uint32_t sector, uint64_t *seed)
{
    if (m->nchanges == 0)
        return;
    uint64_t size = choose_size(m, way, seed);
    choose_sectors(m, way, sector, seed);
    m->size = size;
    m->nchanges = 0;
}

void states_choose_names(struct disk_state *d, enum way way, uint64_t *seed)
{
    uint32_t in_order = states_random(seed, (uint32_t)d->ndoings + 1);

    for (size_t i = 0; i < d->ndoings; i++)
        if (way == IN_ORDER ? i < in_order : choose(way, 0, 1, seed) > 0)
            states_carry_out(d->of, &d->names, d->doings[i].entry);
}
