/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What the parts of the pattern compiler share: pattern_parse.c and pattern_set.c make an automaton of a text, which
 * may be in several states at once; pattern.c makes it deterministic and small. Internal to core/pattern*.c. */
#ifndef CELL_CORE_PATTERN_IMPL_H
#define CELL_CORE_PATTERN_IMPL_H

#include "core/pattern.h"

#define PATTERN_NOWHERE UINT32_MAX

/* One node: it is left with one of its bytes, or without any. */
enum nfa_kind { NFA_BYTES, NFA_SPLIT, NFA_MATCH };
struct nfa_node {
    uint32_t kind;
    uint32_t next[2]; /* BYTES: the first; SPLIT: both, where PATTERN_NOWHERE leads nowhere */
    uint64_t bytes[4];
};

struct nfa {
    struct nfa_node *nodes; /* malloc'ed */
    uint32_t n, capacity, start;
    struct pattern_mistake *wrong;
};

static inline bool nfa_has(const struct nfa_node *n, unsigned byte) { return n->bytes[byte / 64] >> byte % 64 & 1; }

/* CELL_INVALID_ARGUMENT with nfa->wrong; CELL_NO_MEMORY. */
int cell_pattern_parse(const char *text, struct nfa *nfa);

/* A part of the automaton: entered at `start`, left at `end`, a SPLIT that leads nowhere yet. */
struct pattern_part {
    uint32_t start, end;
};

/* Characters, as ranges. */
#define PATTERN_MOST_RANGES 64u
struct pattern_range {
    uint32_t low, high;
};
struct pattern_set {
    struct pattern_range ranges[PATTERN_MOST_RANGES];
    uint32_t n;
};

struct pattern_parser {
    struct nfa *nfa;
    const char *text;
    size_t at;
    unsigned depth;
};

/* Says what is wrong, here or at `at`; CELL_INVALID_ARGUMENT. */
int pattern_fail(struct pattern_parser *p, const char *why);
int pattern_fail_at(struct pattern_parser *p, size_t at, const char *why);

int pattern_add_node(struct pattern_parser *p, enum nfa_kind kind, uint32_t next, uint32_t *index);
/* One that is left where it is entered. */
int pattern_begin_part(struct pattern_parser *p, struct pattern_part *out);
/* A node for `first`, or what `other` is; `other` NOWHERE: there is only the first. */
int pattern_join(struct pattern_parser *p, uint32_t first, uint32_t other, uint32_t *start);

int pattern_add_range(struct pattern_parser *p, struct pattern_set *s, uint32_t low, uint32_t high);
int pattern_negate(struct pattern_parser *p, struct pattern_set *s);
/* Adds what \d, \w, \s and their opposites stand for; 1: `name` is one of them. */
int pattern_add_named(struct pattern_parser *p, char name, struct pattern_set *s);
/* One character of the set. */
int pattern_spell(struct pattern_parser *p, struct pattern_set *set, struct pattern_part *out);

#endif
