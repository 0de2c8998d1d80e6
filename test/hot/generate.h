/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Random documents: such as follow the rules (of whose functions a few are refused for a check that cannot be proven),
 * and what random changes make of them. */
#ifndef CELL_TEST_HOT_GENERATE_H
#define CELL_TEST_HOT_GENERATE_H

#include <stdint.h>

#include "base/buffer.h"

struct hot_random {
    uint64_t state; /* not 0 */
};

static inline uint64_t hot_next(struct hot_random *r) /* xorshift64* */
{
    r->state ^= r->state >> 12;
    r->state ^= r->state << 25;
    r->state ^= r->state >> 27;
    return r->state * UINT64_C(2685821657736338717);
}
static inline uint32_t hot_below(struct hot_random *r, uint32_t n) { return (uint32_t)((hot_next(r) >> 33) % n); }

/* A document whose names begin with "d<number>_". */
void hot_generate(struct hot_random *random, unsigned number, struct cell_buffer *out);
/* `text` with one to three tokens or elements changed, left out, or exchanged. */
void hot_mutate(struct hot_random *random, const struct cell_buffer *text, struct cell_buffer *out);

#endif
