/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Intervals: what values an expression can have, for the checks that need not be made. Everything here errs on the side
 * of more values. Internal to core/.
 */
#ifndef CELL_CORE_AST_RANGE_H
#define CELL_CORE_AST_RANGE_H

#include "core/ast_impl.h"

typedef __int128 ast_wide; /* holds every value of every integer type, and their sums */

struct ast_range {
    ast_wide lo, hi; /* integers and bools; strings: the length in bytes */
    double flo, fhi; /* floats, but for NaN */
    bool nan;        /* a float may be NaN */
    bool nonzero;    /* an integer is not 0, though 0 may lie between lo and hi */
};

#define AST_MAX_LENGTH ((ast_wide)1 << 62) /* no object in memory is as large */

struct ast_range cell_range_all(enum cell_kind kind);
struct ast_range cell_range_integers(ast_wide lo, ast_wide hi);
struct ast_range cell_range_reals(double lo, double hi);
struct ast_range cell_range_join(const struct ast_range *a, const struct ast_range *b);
/* Of an operation on values in `a` (and `b`), of type `kind`; not of casts, calls, names and literals. */
struct ast_range cell_range_operation(enum ast_op op, enum cell_kind kind, const struct ast_range *a,
                                      const struct ast_range *b);
struct ast_range cell_range_cast(enum cell_kind to, enum cell_kind from, const struct ast_range *a);
/* What is certain about an operation on such values, as enum ast_proven. `kind`: of the operands; of a cast of a float
 * that of the result. */
uint32_t cell_range_divide_proven(enum cell_kind kind, const struct ast_range *a, const struct ast_range *b);
/* Whether + - * neg on integers never wraps. */
bool cell_range_exact(enum ast_op op, enum cell_kind kind, const struct ast_range *a, const struct ast_range *b);
bool cell_range_fits(enum cell_kind to, const struct ast_range *real);
static inline bool cell_range_within(const struct ast_range *r, ast_wide lo, ast_wide hi)
{
    return r->lo >= lo && r->hi <= hi;
}

#endif
