/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Patterns of rules: a regular subset of what is usual, compiled to a minimal automaton (struct cell_pattern) that
 * matches whole texts of UTF-8. docs/annotations.md, "Patterns", has the syntax.
 *
 * Everything is bounded: the pattern's length and nesting, the automaton's size, the work to make it. So what a
 * stranger has written is refused before it costs much.
 */
#ifndef CELL_CORE_PATTERN_H
#define CELL_CORE_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "cell/desc.h"

#define CELL_PATTERN_MAX_BYTES 1024u            /* of a pattern */
#define CELL_PATTERN_MAX_DEPTH 32u              /* of groups in groups */
#define CELL_PATTERN_MAX_REPEAT 1000u           /* in {m,n} */
#define CELL_PATTERN_MAX_NODES 8192u            /* of the automaton before it is made deterministic */
#define CELL_PATTERN_MAX_TABLE (64u << 10)      /* bytes of struct cell_pattern's `next` */
#define CELL_PATTERN_MAX_STEPS (16u << 20)      /* of work on one pattern */
#define CELL_PATTERN_BUDGET (UINT64_C(1) << 27) /* of work on all patterns of a schema */

/* Why a pattern is refused, and at which byte of it. */
struct pattern_mistake {
    size_t at;
    char text[120];
};

/* What every text that matches has, found out from the automaton. */
struct pattern_facts {
    uint32_t least, most; /* bytes; `most` UINT32_MAX: any number. Some text matches: each class has characters */
    uint32_t nneeded;     /* bytes that each match has, ASCII */
    char needed[4];
};

/*
 * Compiles `text` into memory of `arena`. *steps (NULL = CELL_PATTERN_MAX_STEPS) is the work that may be done, and what
 * is left of it afterwards. CELL_INVALID_ARGUMENT: *wrong says why; CELL_NO_MEMORY.
 */
int cell_pattern_compile(const char *text, struct cell_arena *arena, uint64_t *steps, struct cell_pattern **pattern,
                         struct pattern_mistake *wrong);
/* CELL_NO_MEMORY. */
int cell_pattern_facts(const struct cell_pattern *p, struct pattern_facts *facts);

/* How the texts of one pattern lie to those of another: NARROWER: each is one of the other's. */
enum pattern_relation { PATTERN_SAME, PATTERN_NARROWER, PATTERN_WIDER, PATTERN_OTHER };
/* CELL_NO_MEMORY. What is too much work to find out is PATTERN_OTHER. */
int cell_pattern_compare(const struct cell_pattern *a, const struct cell_pattern *b, enum pattern_relation *relation);

#endif
