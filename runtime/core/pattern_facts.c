/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What can be told of all texts that match a pattern, and how the texts of two patterns lie to each other. */
#include <stdlib.h>
#include <string.h>

#include "core/pattern.h"

#define MOST_NEEDED 4u      /* as many as pattern_facts holds */
#define MOST_CANDIDATES 16u /* bytes that are tried */
#define MOST_PAIRS (1u << 20)

static uint32_t step(const struct cell_pattern *p, uint32_t state, uint32_t class)
{
    size_t at = (size_t)state * p->nclasses + class;
    return p->wide ? p->next[2 * at] | (uint32_t)p->next[2 * at + 1] << 8 : p->next[at];
}

/* The fewest steps to a state that accepts, without those of class `without` (nclasses: with all); UINT32_MAX: none. */
static uint32_t shortest(const struct cell_pattern *p, uint32_t without, uint32_t *queue, uint32_t *steps)
{
    uint32_t n = 0;
    memset(steps, 0xff, p->nstates * sizeof(*steps));
    steps[p->start] = 0;
    queue[n++] = p->start;
    for (uint32_t i = 0; i < n; i++) {
        if (queue[i] >= p->accepting)
            return steps[queue[i]];
        for (uint32_t k = 0; k < p->nclasses; k++) {
            uint32_t to = step(p, queue[i], k);
            if (k == without || to == 0 || steps[to] != UINT32_MAX)
                continue;
            steps[to] = steps[queue[i]] + 1;
            queue[n++] = to;
        }
    }
    return UINT32_MAX;
}

/* The most steps from the start, all of which lead on to a state that accepts: a walk in depth that ends at a loop. */
static uint32_t longest(const struct cell_pattern *p, uint32_t *path, uint32_t *reach)
{
    enum { UNKNOWN = 0, OPEN = 1, DONE = 2 }; /* and what comes on top is the number of steps */
    uint32_t depth = 0, *class = path + p->nstates;
    memset(reach, 0, p->nstates * sizeof(*reach));
    path[0] = p->start;
    class[0] = 0;
    reach[p->start] = OPEN;
    for (;;) {
        uint32_t state = path[depth];
        if (class[depth] == p->nclasses) {
            uint32_t most = (reach[state] - OPEN) / 4;
            reach[state] = DONE + most * 4;
            if (depth == 0)
                return most;
            uint32_t *above = &reach[path[--depth]];
            *above = *above / 4 > most ? *above : OPEN + (most + 1) * 4;
            continue;
        }
        uint32_t to = step(p, state, class[depth]++);
        if (to == 0)
            continue;
        if (reach[to] % 4 == OPEN)
            return UINT32_MAX;
        if (reach[to] % 4 == DONE) {
            uint32_t most = reach[to] / 4 + 1;
            reach[state] = reach[state] / 4 > most ? reach[state] : OPEN + most * 4;
            continue;
        }
        path[++depth] = to;
        class[depth] = 0;
        reach[to] = OPEN;
    }
}

/* Bytes with a class of their own may be such that no match goes without. */
static void find_needed(const struct cell_pattern *p, struct pattern_facts *f, uint32_t *queue, uint32_t *steps)
{
    uint32_t members[256] = {0}, tried = 0;
    for (unsigned b = 0; b < 256; b++)
        members[p->classes[b]]++;
    for (unsigned b = 0x20; b < 0x7f && f->nneeded < MOST_NEEDED && tried < MOST_CANDIDATES; b++) {
        if (members[p->classes[b]] != 1)
            continue;
        tried++;
        if (shortest(p, p->classes[b], queue, steps) == UINT32_MAX)
            f->needed[f->nneeded++] = (char)b;
    }
}

int cell_pattern_facts(const struct cell_pattern *p, struct pattern_facts *facts)
{
    uint32_t *memory = malloc((size_t)p->nstates * 4 * sizeof(*memory));
    struct pattern_facts f = {0};
    if (!memory)
        return CELL_NO_MEMORY;
    f.least = shortest(p, p->nclasses, memory, memory + p->nstates);
    f.most = longest(p, memory, memory + (size_t)2 * p->nstates);
    find_needed(p, &f, memory, memory + p->nstates);
    free(memory);
    *facts = f;
    return CELL_OK;
}

struct pair {
    uint32_t a, b;
};

int cell_pattern_compare(const struct cell_pattern *a, const struct cell_pattern *b, enum pattern_relation *relation)
{
    uint64_t pairs = (uint64_t)a->nstates * b->nstates;
    bool narrower = true, wider = true; /* as far as is known */
    uint32_t n = 0;
    if (pairs > MOST_PAIRS) {
        *relation = PATTERN_OTHER;
        return CELL_OK;
    }
    uint8_t *seen = calloc(pairs, 1);
    struct pair *queue = malloc(pairs * sizeof(*queue));
    if (!seen || !queue) {
        free(seen);
        free(queue);
        return CELL_NO_MEMORY;
    }
    uint8_t bytes[256];
    uint32_t nbytes = 0;
    for (unsigned c = 0; c < 256; c++) { /* one byte of each pair of classes */
        bool known = false;
        for (uint32_t i = 0; i < nbytes && !known; i++)
            known = a->classes[bytes[i]] == a->classes[c] && b->classes[bytes[i]] == b->classes[c];
        if (!known)
            bytes[nbytes++] = (uint8_t)c;
    }
    queue[n++] = (struct pair){a->start, b->start};
    seen[(size_t)a->start * b->nstates + b->start] = 1;
    for (uint32_t i = 0; i < n && (narrower || wider); i++) {
        struct pair at = queue[i];
        bool first = at.a >= a->accepting, second = at.b >= b->accepting;
        narrower &= !first || second;
        wider &= first || !second;
        for (uint32_t k = 0; k < nbytes; k++) {
            struct pair to = {step(a, at.a, a->classes[bytes[k]]), step(b, at.b, b->classes[bytes[k]])};
            uint8_t *mark = &seen[(size_t)to.a * b->nstates + to.b];
            if (!*mark)
                queue[n++] = to;
            *mark = 1;
        }
    }
    free(seen);
    free(queue);
    *relation = narrower && wider ? PATTERN_SAME : narrower ? PATTERN_NARROWER : wider ? PATTERN_WIDER : PATTERN_OTHER;
    return CELL_OK;
}
