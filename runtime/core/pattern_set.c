/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Nodes of a pattern's automaton, and sets of characters as such: those beyond ASCII become sequences of the bytes that
 * UTF-8 has for them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/pattern_impl.h"

#define LAST_CHARACTER 0x10ffffu

int pattern_fail_at(struct pattern_parser *p, size_t at, const char *why)
{
    p->nfa->wrong->at = at;
    snprintf(p->nfa->wrong->text, sizeof(p->nfa->wrong->text), "%s", why);
    return CELL_INVALID_ARGUMENT;
}

int pattern_fail(struct pattern_parser *p, const char *why) { return pattern_fail_at(p, p->at, why); }

/* ---- nodes ---- */

int pattern_add_node(struct pattern_parser *p, enum nfa_kind kind, uint32_t next, uint32_t *index)
{
    struct nfa *a = p->nfa;
    if (a->n == CELL_PATTERN_MAX_NODES)
        return pattern_fail(p, "the pattern is too large");
    if (a->n == a->capacity) {
        uint32_t more = a->capacity ? 2 * a->capacity : 64;
        struct nfa_node *nodes = realloc(a->nodes, more * sizeof(*nodes));
        if (!nodes)
            return CELL_NO_MEMORY;
        a->nodes = nodes;
        a->capacity = more;
    }
    a->nodes[a->n] = (struct nfa_node){.kind = kind, .next = {next, PATTERN_NOWHERE}};
    *index = a->n++;
    return CELL_OK;
}

static void let_bytes(struct nfa_node *n, unsigned low, unsigned high)
{
    for (unsigned b = low; b <= high; b++)
        n->bytes[b / 64] |= UINT64_C(1) << b % 64;
}

int pattern_begin_part(struct pattern_parser *p, struct pattern_part *out)
{
    int r = pattern_add_node(p, NFA_SPLIT, PATTERN_NOWHERE, &out->end);
    out->start = out->end;
    return r;
}

/* `first`, or what `other` is. */
int pattern_join(struct pattern_parser *p, uint32_t first, uint32_t other, uint32_t *start)
{
    if (first == PATTERN_NOWHERE) {
        *start = other;
        return CELL_OK;
    }
    int r = pattern_add_node(p, NFA_SPLIT, first, start);
    if (r == CELL_OK)
        p->nfa->nodes[*start].next[1] = other;
    return r;
}

/* ---- sets of characters ---- */

int pattern_add_range(struct pattern_parser *p, struct pattern_set *s, uint32_t low, uint32_t high)
{
    if (s->n == PATTERN_MOST_RANGES)
        return pattern_fail(p, "the class has too many parts");
    s->ranges[s->n++] = (struct pattern_range){low, high};
    return CELL_OK;
}

/* Sorted, apart from each other. */
static void settle(struct pattern_set *s)
{
    uint32_t n = 0;
    for (uint32_t i = 1; i < s->n; i++)
        for (uint32_t k = i; k && s->ranges[k].low < s->ranges[k - 1].low; k--) {
            struct pattern_range other = s->ranges[k];
            s->ranges[k] = s->ranges[k - 1];
            s->ranges[k - 1] = other;
        }
    for (uint32_t i = 0; i < s->n; i++) {
        struct pattern_range r = s->ranges[i];
        if (n && r.low <= s->ranges[n - 1].high + 1)
            s->ranges[n - 1].high = r.high > s->ranges[n - 1].high ? r.high : s->ranges[n - 1].high;
        else
            s->ranges[n++] = r;
    }
    s->n = n;
}

int pattern_negate(struct pattern_parser *p, struct pattern_set *s)
{
    struct pattern_set out = {.n = 0};
    uint32_t from = 0;
    int r = CELL_OK;
    settle(s);
    for (uint32_t i = 0; r == CELL_OK && i < s->n; i++) {
        if (s->ranges[i].low > from)
            r = pattern_add_range(p, &out, from, s->ranges[i].low - 1);
        from = s->ranges[i].high + 1;
    }
    if (r == CELL_OK && from <= LAST_CHARACTER)
        r = pattern_add_range(p, &out, from, LAST_CHARACTER);
    *s = out;
    return r;
}

/* \d \w \s and their opposites; 1: it was one. */
int pattern_add_named(struct pattern_parser *p, char name, struct pattern_set *s)
{
    static const struct {
        char name;
        struct pattern_range ranges[4];
    } named[] = {{'d', {{'0', '9'}}},
                 {'w', {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}},
                 {'s', {{'\t', '\r'}, {' ', ' '}}}};
    for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++) {
        struct pattern_set own = {.n = 0};
        int r = CELL_OK;
        if ((name | 0x20) != named[i].name)
            continue;
        for (size_t k = 0; k < 4 && named[i].ranges[k].high; k++)
            own.ranges[own.n++] = named[i].ranges[k];
        if (name != named[i].name)
            r = pattern_negate(p, &own);
        for (uint32_t k = 0; r == CELL_OK && k < own.n; k++)
            r = pattern_add_range(p, s, own.ranges[k].low, own.ranges[k].high);
        return r < 0 ? r : 1;
    }
    return 0;
}

/* ---- characters as bytes ---- */

/* Of one that takes more than one byte. */
static unsigned encode(uint32_t c, uint8_t to[4])
{
    unsigned n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (unsigned i = n; i-- > 1; c >>= 6)
        to[i] = (uint8_t)(0x80 | (c & 0x3f));
    to[0] = (uint8_t)(c | (0xf00u >> n & 0xff));
    return n;
}

struct spelling {
    struct pattern_parser *p;
    uint32_t start;   /* of what was made so far, each alternative before the others; NOWHERE: nothing yet */
    uint32_t end;     /* where they all lead */
    uint32_t tail[4]; /* so many bytes 80 to BF, then the end; 0 is the end */
    uint32_t ascii;   /* the node for single bytes */
};

/* A node for the bytes low[i] to high[i] of each place, from the last one back. */
static int spell(struct spelling *s, const uint8_t *low, const uint8_t *high, unsigned n)
{
    uint32_t next = s->end;
    unsigned tail = 0;
    int r = CELL_OK;
    for (unsigned i = n; r == CELL_OK && i-- > 0;) {
        bool any = i && low[i] == 0x80 && high[i] == 0xbf && tail == n - 1 - i;
        tail += any;
        if (any && s->tail[tail] != PATTERN_NOWHERE) {
            next = s->tail[tail];
            continue;
        }
        r = pattern_add_node(s->p, NFA_BYTES, next, &next);
        if (r == CELL_OK)
            let_bytes(&s->p->nfa->nodes[next], low[i], high[i]);
        if (any)
            s->tail[tail] = next;
    }
    return r < 0 ? r : pattern_join(s->p, next, s->start, &s->start);
}

/* Splits until all characters of a part differ only in last bytes that take every value. */
static int spell_range(struct spelling *s, uint32_t low, uint32_t high)
{
    static const uint32_t borders[] = {0x7f, 0x7ff, 0xd7ff, 0xdfff, 0xffff};
    uint8_t a[4], b[4];
    int r = CELL_OK;
    while (r == CELL_OK && low <= high) {
        uint32_t end = high;
        for (size_t i = 0; i < sizeof(borders) / sizeof(borders[0]); i++)
            if (low <= borders[i] && end > borders[i])
                end = borders[i];
        if (low < 0x80) {
            let_bytes(&s->p->nfa->nodes[s->ascii], low, end);
        } else if (low < 0xd800 || low > 0xdfff) { /* those are no characters */
            for (unsigned shift = 6; shift <= 18; shift += 6) {
                uint32_t mask = (1u << shift) - 1;
                if ((low & ~mask) == (end & ~mask))
                    break;
                if (low & mask)
                    end = low | mask;
                else if ((end & mask) != mask)
                    end = (end & ~mask) - 1;
            }
            unsigned n = encode(low, a);
            encode(end, b);
            r = spell(s, a, b, n);
        }
        low = end + 1;
    }
    return r;
}

int pattern_spell(struct pattern_parser *p, struct pattern_set *set, struct pattern_part *out)
{
    struct spelling s = {.p = p, .start = PATTERN_NOWHERE};
    memset(s.tail, 0xff, sizeof(s.tail));
    settle(set);
    if (set->n == 0)
        return pattern_fail(p, "the class has no characters");
    int r = pattern_begin_part(p, out);
    if (r == CELL_OK)
        r = pattern_add_node(p, NFA_BYTES, out->end, &s.ascii);
    s.end = out->end;
    for (uint32_t i = 0; r == CELL_OK && i < set->n; i++)
        r = spell_range(&s, set->ranges[i].low, set->ranges[i].high);
    return r < 0 ? r : pattern_join(p, s.start, s.ascii, &out->start);
}
