/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* From a pattern to the smallest automaton that is in one state at a time: sets of nodes become states, and states that
 * nothing tells apart become one (E. F. Moore, "Gedanken-experiments on sequential machines", 1956). */
#include "core/pattern.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/pattern_impl.h"
#include "wire/message.h"

#define MOST_STATES 16384u      /* before they are joined */
#define MOST_ENTRIES (1u << 20) /* of their table */
#define NONE UINT32_MAX

/* A state: the nodes that are left with a byte, or end the text, sorted. */
struct node_set {
    const uint32_t *nodes;
    uint32_t n;
    uint32_t hash;
};

struct compiler {
    struct nfa nfa;
    struct cell_arena scratch;
    uint64_t *steps;
    uint8_t classes[256];
    uint8_t sample[256]; /* a byte of each class */
    uint32_t nclasses;
    /* malloc'ed, for `capacity` states: */
    struct node_set *sets;
    uint32_t *table;   /* nstates * nclasses */
    uint32_t *buckets; /* nbuckets, a power of 2 */
    uint32_t nstates, capacity, nbuckets;
    uint32_t *marks, mark; /* of nodes */
    uint32_t *stack, *found, nfound;
};

static int refuse(struct compiler *c, const char *why)
{
    c->nfa.wrong->at = 0;
    snprintf(c->nfa.wrong->text, sizeof(c->nfa.wrong->text), "%s", why);
    return CELL_INVALID_ARGUMENT;
}

static int spend(struct compiler *c, uint64_t n)
{
    if (n > *c->steps) {
        *c->steps = 0;
        return refuse(c, "the pattern takes too much work");
    }
    *c->steps -= n;
    return CELL_OK;
}

/* ---- classes of bytes ---- */

/* Bytes that some node tells apart are in different classes. */
static int find_classes(struct compiler *c)
{
    c->nclasses = 1;
    memset(c->classes, 0, sizeof(c->classes));
    for (uint32_t i = 0; i < c->nfa.n; i++) {
        const struct nfa_node *node = &c->nfa.nodes[i];
        uint16_t moved[256];
        if (node->kind != NFA_BYTES || (i && memcmp(node->bytes, node[-1].bytes, sizeof(node->bytes)) == 0))
            continue;
        int r = spend(c, 256);
        if (r < 0)
            return r;
        /* A class of which the node has some and not all gives those a class of their own. */
        bool outside[256] = {false};
        for (unsigned b = 0; b < 256; b++)
            outside[c->classes[b]] |= !nfa_has(node, b);
        memset(moved, 0, sizeof(moved));
        for (unsigned b = 0; b < 256; b++) {
            if (!nfa_has(node, b) || !outside[c->classes[b]])
                continue;
            if (!moved[c->classes[b]])
                moved[c->classes[b]] = (uint16_t)c->nclasses++;
            c->classes[b] = (uint8_t)moved[c->classes[b]];
        }
    }
    for (unsigned b = 256; b-- > 0;)
        c->sample[c->classes[b]] = (uint8_t)b;
    return CELL_OK;
}

/* ---- sets of nodes ---- */

/* Adds what is reached from `node` without a byte. */
static void close_over(struct compiler *c, uint32_t node)
{
    uint32_t depth = 0;
    c->stack[depth++] = node;
    while (depth) {
        uint32_t at = c->stack[--depth];
        if (at == PATTERN_NOWHERE || c->marks[at] == c->mark)
            continue;
        c->marks[at] = c->mark;
        const struct nfa_node *n = &c->nfa.nodes[at];
        if (n->kind != NFA_SPLIT) {
            c->found[c->nfound++] = at;
            continue;
        }
        c->stack[depth++] = n->next[1];
        c->stack[depth++] = n->next[0];
    }
}

static int compare_nodes(const void *a, const void *b)
{
    uint32_t x, y;
    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    return (x > y) - (x < y);
}

static void enter(struct compiler *c, uint32_t state)
{
    uint32_t at = c->sets[state].hash & (c->nbuckets - 1);
    while (c->buckets[at] != NONE)
        at = (at + 1) & (c->nbuckets - 1);
    c->buckets[at] = state;
}

static int grow(struct compiler *c)
{
    uint32_t capacity = c->capacity ? 2 * c->capacity : 32, nbuckets = 4 * capacity;
    struct node_set *sets = realloc(c->sets, capacity * sizeof(*sets));
    c->sets = sets ? sets : c->sets;
    uint32_t *table = realloc(c->table, (size_t)capacity * c->nclasses * sizeof(*table));
    c->table = table ? table : c->table;
    uint32_t *buckets = realloc(c->buckets, nbuckets * sizeof(*buckets));
    c->buckets = buckets ? buckets : c->buckets;
    if (!sets || !table || !buckets)
        return CELL_NO_MEMORY;
    c->capacity = capacity;
    c->nbuckets = nbuckets;
    memset(buckets, 0xff, nbuckets * sizeof(*buckets));
    for (uint32_t s = 0; s < c->nstates; s++)
        enter(c, s);
    return CELL_OK;
}

/* The state of the set in c->found, perhaps a new one. */
static int find_state(struct compiler *c, uint32_t *state)
{
    uint32_t hash = 2166136261u;
    size_t size = c->nfound * sizeof(*c->found);
    if (c->nfound > 1)
        qsort(c->found, c->nfound, sizeof(*c->found), compare_nodes);
    for (uint32_t i = 0; i < c->nfound; i++)
        hash = (hash ^ c->found[i]) * 16777619u;
    hash ^= hash >> 15;
    for (uint32_t at = hash & (c->nbuckets - 1); c->buckets[at] != NONE; at = (at + 1) & (c->nbuckets - 1)) {
        const struct node_set *s = &c->sets[c->buckets[at]];
        if (s->hash == hash && s->n == c->nfound && memcmp(s->nodes, c->found, size) == 0) {
            *state = c->buckets[at];
            return CELL_OK;
        }
    }
    if (c->nstates == MOST_STATES || (c->nstates + 1) * c->nclasses > MOST_ENTRIES)
        return refuse(c, "the pattern needs too many states");
    uint32_t *nodes = cell_arena_array(&c->scratch, c->nfound + 1, sizeof(*nodes));
    if (!nodes || (c->nstates == c->capacity && grow(c) < 0))
        return CELL_NO_MEMORY;
    memcpy(nodes, c->found, size);
    c->sets[c->nstates] = (struct node_set){nodes, c->nfound, hash};
    enter(c, c->nstates);
    *state = c->nstates++;
    return CELL_OK;
}

static int step(struct compiler *c, uint32_t state, uint32_t class)
{
    const struct node_set *from = &c->sets[state]; /* until the sets grow */
    c->nfound = 0;
    c->mark++;
    for (uint32_t i = 0; i < from->n; i++) {
        const struct nfa_node *n = &c->nfa.nodes[from->nodes[i]];
        if (n->kind == NFA_BYTES && nfa_has(n, c->sample[class]))
            close_over(c, n->next[0]);
    }
    uint32_t to = 0;
    int r = spend(c, from->n + c->nfound + 1);
    if (r == CELL_OK)
        r = find_state(c, &to);
    if (r == CELL_OK)
        c->table[state * c->nclasses + class] = to;
    return r;
}

static int allocate(struct compiler *c)
{
    c->marks = cell_arena_array(&c->scratch, c->nfa.n, sizeof(*c->marks));
    c->stack = cell_arena_array(&c->scratch, (size_t)2 * c->nfa.n + 2, sizeof(*c->stack));
    c->found = cell_arena_array(&c->scratch, c->nfa.n, sizeof(*c->found));
    return c->marks && c->stack && c->found ? grow(c) : CELL_NO_MEMORY;
}

/* State 0 is where the text begins. */
static int determine(struct compiler *c)
{
    uint32_t start;
    int r = allocate(c);
    if (r < 0)
        return r;
    c->mark = 1;
    close_over(c, c->nfa.start);
    r = find_state(c, &start);
    for (uint32_t s = 0; r == CELL_OK && s < c->nstates; s++)
        for (uint32_t k = 0; r == CELL_OK && k < c->nclasses; k++)
            r = step(c, s, k);
    return r;
}

/* ---- fewer states ---- */

static bool accepts(const struct compiler *c, uint32_t state)
{
    for (uint32_t i = 0; i < c->sets[state].n; i++)
        if (c->nfa.nodes[c->sets[state].nodes[i]].kind == NFA_MATCH)
            return true;
    return false;
}

static bool alike(const struct compiler *c, const uint32_t *group, uint32_t a, uint32_t b)
{
    bool same = group[a] == group[b];
    for (uint32_t k = 0; same && k < c->nclasses; k++)
        same = group[c->table[a * c->nclasses + k]] == group[c->table[b * c->nclasses + k]];
    return same;
}

/* One round: states of a group that lead to different groups part. *n becomes the number of groups. */
static int part_groups(struct compiler *c, const uint32_t *group, uint32_t *next, uint32_t *first, uint32_t *n)
{
    memset(c->buckets, 0xff, c->nbuckets * sizeof(*c->buckets));
    int r = spend(c, (uint64_t)c->nstates * c->nclasses);
    *n = 0;
    for (uint32_t s = 0; r == CELL_OK && s < c->nstates; s++) {
        uint32_t hash = group[s] * 2654435761u;
        for (uint32_t k = 0; k < c->nclasses; k++)
            hash = (hash ^ group[c->table[s * c->nclasses + k]]) * 16777619u;
        hash ^= hash >> 15;
        uint32_t at = hash & (c->nbuckets - 1);
        while (c->buckets[at] != NONE && !alike(c, group, first[c->buckets[at]], s))
            at = (at + 1) & (c->nbuckets - 1);
        if (c->buckets[at] == NONE) {
            first[*n] = s;
            c->buckets[at] = (*n)++;
        }
        next[s] = c->buckets[at];
    }
    return r;
}

/* group[s] of each state, first[g] of each group. */
static int minimise(struct compiler *c, uint32_t **groups, uint32_t **firsts, uint32_t *ngroups)
{
    uint32_t *group = cell_arena_array(&c->scratch, c->nstates, sizeof(*group)), before = 0, n = 0;
    uint32_t *next = cell_arena_array(&c->scratch, c->nstates, sizeof(*next));
    uint32_t *first = cell_arena_array(&c->scratch, c->nstates, sizeof(*first));
    if (!group || !next || !first)
        return CELL_NO_MEMORY;
    for (uint32_t s = 0; s < c->nstates; s++)
        group[s] = accepts(c, s);
    do {
        before = n;
        int r = part_groups(c, group, next, first, &n);
        if (r < 0)
            return r;
        uint32_t *other = group;
        group = next;
        next = other;
    } while (n != before);
    *groups = group;
    *firsts = first;
    *ngroups = n;
    return CELL_OK;
}

/* ---- the result ---- */

/* Numbers of states in the result: first the one that nothing leads out of, which there is in any case, then in the
 * order in which a walk from the start meets them, those that accept behind the others. */
static int number(struct compiler *c, const uint32_t *group, const uint32_t *first, uint32_t n, uint32_t *numbers,
                  struct cell_pattern *p)
{
    uint32_t *queue = cell_arena_array(&c->scratch, n, sizeof(*queue)), queued = 0, given = 1;
    bool *seen = cell_arena_array(&c->scratch, n, sizeof(*seen));
    if (!queue || !seen)
        return CELL_NO_MEMORY;
    queue[queued++] = group[0];
    seen[group[0]] = true;
    for (uint32_t i = 0; i < queued; i++)
        for (uint32_t k = 0; k < c->nclasses; k++) {
            uint32_t to = group[c->table[first[queue[i]] * c->nclasses + k]];
            if (!seen[to])
                queue[queued++] = to;
            seen[to] = true;
        }
    for (int accepting = 0; accepting < 2; accepting++) {
        p->accepting = (uint16_t)given;
        for (uint32_t i = 0; i < queued; i++) {
            uint32_t g = queue[i];
            bool dead = !accepts(c, first[g]);
            for (uint32_t k = 0; dead && k < c->nclasses; k++)
                dead = group[c->table[first[g] * c->nclasses + k]] == g;
            if (accepts(c, first[g]) == (accepting == 1))
                numbers[g] = dead ? 0 : given++;
        }
    }
    p->start = (uint16_t)numbers[group[0]];
    p->nstates = (uint16_t)given;
    return CELL_OK;
}

static int store(struct compiler *c, const char *text, struct cell_arena *arena, struct cell_pattern **out)
{
    uint32_t *group, *first, n;
    int r = minimise(c, &group, &first, &n);
    if (r < 0)
        return r;
    struct cell_pattern *p = cell_arena_array(arena, 1, sizeof(*p));
    uint32_t *numbers = cell_arena_array(&c->scratch, n, sizeof(*numbers));
    bool wide = n + 1 > 256;
    if ((uint64_t)(n + 1) * c->nclasses * (wide ? 2 : 1) > CELL_PATTERN_MAX_TABLE)
        return refuse(c, "the pattern needs too many states");
    if (!p || !numbers || (r = number(c, group, first, n, numbers, p)) < 0)
        return CELL_NO_MEMORY;
    uint8_t *next = cell_arena_array(arena, (size_t)p->nstates * c->nclasses, wide ? 2 : 1);
    p->text = cell_arena_copy(arena, text, strlen(text));
    p->classes = (const unsigned char *)cell_arena_copy(arena, c->classes, sizeof(c->classes));
    p->next = next;
    p->nclasses = (uint16_t)c->nclasses;
    p->wide = wide;
    if (!next || !p->text || !p->classes)
        return CELL_NO_MEMORY;
    for (uint32_t g = 0; g < n; g++)
        for (uint32_t k = 0; numbers[g] && k < c->nclasses; k++) {
            uint32_t to = numbers[group[c->table[first[g] * c->nclasses + k]]];
            size_t at = (size_t)numbers[g] * c->nclasses + k;
            if (wide) {
                next[2 * at] = (uint8_t)to;
                next[2 * at + 1] = (uint8_t)(to >> 8);
            } else {
                next[at] = (uint8_t)to;
            }
        }
    *out = p;
    return CELL_OK;
}

int cell_pattern_compile(const char *text, struct cell_arena *arena, uint64_t *steps, struct cell_pattern **pattern,
                         struct pattern_mistake *wrong)
{
    uint64_t own = CELL_PATTERN_MAX_STEPS, allowed = steps && *steps < own ? *steps : own, left = allowed;
    struct compiler c = {.nfa.wrong = wrong, .steps = &left};
    size_t len = strlen(text);
    int r = CELL_OK;
    if (len == 0 || len > CELL_PATTERN_MAX_BYTES)
        return refuse(&c, len ? "a pattern of more than 1024 bytes" : "an empty pattern");
    if (!cell_utf8_valid(text, len))
        return refuse(&c, "it is not UTF-8");
    r = cell_pattern_parse(text, &c.nfa);
    if (r == CELL_OK)
        r = spend(&c, c.nfa.n + 1024);
    if (r == CELL_OK)
        r = find_classes(&c);
    if (r == CELL_OK)
        r = determine(&c);
    if (r == CELL_OK)
        r = store(&c, text, arena, pattern);
    if (steps)
        *steps -= allowed - left;
    cell_arena_free(&c.scratch);
    free(c.nfa.nodes);
    free(c.sets);
    free(c.table);
    free(c.buckets);
    return r;
}
