/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Calls of the program's functions: what is given to them is of their parameters' types, without any conversion that
 * would change a number. */
#include "filter_impl.h"

/* The numbers of a type; false: it has others than whole ones. */
static bool range_of(enum cell_kind kind, __int128 *low, __int128 *high)
{
    static const struct {
        int bits;
        bool is_signed;
    } all[] = {[CELL_KIND_I8] = {8, true},    [CELL_KIND_U8] = {8, false},  [CELL_KIND_I16] = {16, true},
               [CELL_KIND_U16] = {16, false}, [CELL_KIND_I32] = {32, true}, [CELL_KIND_U32] = {32, false},
               [CELL_KIND_I64] = {64, true},  [CELL_KIND_U64] = {64, false}};

    if (kind < CELL_KIND_I8 || kind > CELL_KIND_U64)
        return false;
    *low = all[kind].is_signed ? -((__int128)1 << (all[kind].bits - 1)) : 0;
    *high = ((__int128)1 << (all[kind].bits - all[kind].is_signed)) - 1;
    return true;
}

/* The value on the top becomes one of the parameter's type. */
static void take_argument(struct parser *p, const struct cell_hot_function *f, uint32_t i, const struct part *part)
{
    __int128 low = 0, high = 0;
    bool whole = range_of(f->parameters[i], &low, &high);

    if (f->parameters[i] == CELL_KIND_BOOL) {
        an_filter_truth(p, part);
    } else if (part->kind == TRUTH) {
        an_filter_fail(p, part->at, "this is true or false, and argument %u of '%s' is a number", i + 1, f->name);
    } else if (!whole) {
        if (part->kind == WHOLE)
            an_filter_emit(p, AN_OP_TO_REAL);
    } else if (part->kind == REAL) {
        an_filter_fail(p, part->at, "this is a number with fractions, and argument %u of '%s' a whole one", i + 1,
                       f->name);
    } else if (part->low < low || part->high > high) {
        an_filter_fail(p, part->at, "this may not fit argument %u of '%s', %s number of %d bits", i + 1, f->name,
                       low < 0 ? "a signed" : "an unsigned",
                       high >> 62   ? 64
                       : high >> 30 ? 32
                       : high >> 14 ? 16
                                    : 8);
    }
}

struct part an_filter_read_call(struct parser *p, const char *name, const char *at)
{
    int number = cell_hot_find(p->filter->functions, name);
    const struct cell_hot_function *f = cell_hot_function(p->filter->functions, number);
    uint32_t n = 0;

    if (!f)
        an_filter_fail(p, at, "there is no function '%s' here: it is marked CELL_HOT and defined above", name);
    else if (f->result != CELL_KIND_BOOL)
        an_filter_fail(p, at, "'%s' does not return a bool, which a function of a condition does", name);
    bool more = an_filter_accept(p, "(") && !an_filter_accept(p, ")");
    while (more && !p->failed) {
        struct part part = an_filter_read(p, 1);
        if (n < f->nparameters)
            take_argument(p, f, n, &part);
        n++;
        more = an_filter_accept(p, ",");
        if (!more && !an_filter_accept(p, ")"))
            an_filter_fail(p, p->at, "')' is missing here, behind what '%s' is given", name);
    }
    if (!p->failed && n != f->nparameters)
        an_filter_fail(p, at, "'%s' takes %u arguments, not %u", name, f->nparameters, n);
    an_filter_emit(p, AN_OP_CALL)->text = (uint32_t)number;
    return (struct part){TRUTH, 0, 1, at};
}
