/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What the parts of a filter can be: an interval for each whole number, by those of what it is made of. */
#include "filter_impl.h"

struct part an_filter_whole(struct parser *p, const char *at, bool possible, __int128 low, __int128 high)
{
    if (!possible || low < -MOST_WHOLE) {
        an_filter_fail(p, at, "this can be a number beyond 128 bits");
        low = high = 0; /* what is read on is calculated with */
    }
    return (struct part){WHOLE, low, high, at};
}

static __int128 least(__int128 a, __int128 b) { return a < b ? a : b; }
static __int128 most(__int128 a, __int128 b) { return a > b ? a : b; }

static struct part product(struct parser *p, const struct part *a, const struct part *b)
{
    __int128 all[4];
    bool possible =
        !__builtin_mul_overflow(a->low, b->low, &all[0]) && !__builtin_mul_overflow(a->low, b->high, &all[1]) &&
        !__builtin_mul_overflow(a->high, b->low, &all[2]) && !__builtin_mul_overflow(a->high, b->high, &all[3]);

    if (!possible)
        return an_filter_whole(p, a->at, false, 0, 0);
    return an_filter_whole(p, a->at, true, least(least(all[0], all[1]), least(all[2], all[3])),
                           most(most(all[0], all[1]), most(all[2], all[3])));
}

static struct part quotient(struct parser *p, const struct part *a, const struct part *b, bool remainder)
{
    if (b->low <= 0 && b->high >= 0) {
        an_filter_fail(p, b->at, "this can be 0, and nothing is divided by that");
        return *a;
    }
    if (remainder) {
        __int128 below = most(b->high < 0 ? -b->low : b->high, 1) - 1;
        return an_filter_whole(p, a->at, true, a->low < 0 ? most(a->low, -below) : 0,
                               a->high > 0 ? least(a->high, below) : 0);
    }
    __int128 x = a->low / b->low, y = a->low / b->high, z = a->high / b->low, w = a->high / b->high;
    return an_filter_whole(p, a->at, true, least(least(x, y), least(z, w)), most(most(x, y), most(z, w)));
}

/* The numbers of as many bits as those of both. */
static struct part bits(struct parser *p, const struct part *a, const struct part *b, enum an_opcode code)
{
    __int128 mask = 0;

    if (code == AN_OP_AND && (a->low >= 0 || b->low >= 0))
        return an_filter_whole(p, a->at, true, 0,
                               a->low < 0   ? b->high
                               : b->low < 0 ? a->high
                                            : least(a->high, b->high));
    while (mask < most(a->high, b->high) || -mask - 1 > least(a->low, b->low))
        mask = mask * 2 + 1;
    return an_filter_whole(p, a->at, true, a->low < 0 || b->low < 0 ? -mask - 1 : 0, mask);
}

static struct part shift(struct parser *p, const struct part *a, const struct part *by, enum an_opcode code)
{
    if (by->low != by->high || by->low < 0 || by->low > 64) {
        an_filter_fail(p, by->at, "bits are shifted by a number from 0 to 64");
        return *a;
    }
    if (code == AN_OP_SHIFT_RIGHT)
        return an_filter_whole(p, a->at, true, a->low >> by->low, a->high >> by->low);
    const struct part factor = {WHOLE, (__int128)1 << by->low, (__int128)1 << by->low, by->at};
    return product(p, a, &factor);
}

struct part an_filter_result(struct parser *p, enum an_opcode code, const struct part *a, const struct part *b)
{
    __int128 low = 0, high = 0;
    bool possible;

    switch (code) {
    case AN_OP_ADD:
        possible = !__builtin_add_overflow(a->low, b->low, &low) && !__builtin_add_overflow(a->high, b->high, &high);
        return an_filter_whole(p, a->at, possible, low, high);
    case AN_OP_SUBTRACT:
        possible = !__builtin_sub_overflow(a->low, b->high, &low) && !__builtin_sub_overflow(a->high, b->low, &high);
        return an_filter_whole(p, a->at, possible, low, high);
    case AN_OP_MULTIPLY:
        return product(p, a, b);
    case AN_OP_DIVIDE:
    case AN_OP_REMAINDER:
        return quotient(p, a, b, code == AN_OP_REMAINDER);
    case AN_OP_SHIFT_LEFT:
    case AN_OP_SHIFT_RIGHT:
        return shift(p, a, b, code);
    default:
        return bits(p, a, b, code);
    }
}

/* 0: it depends on the record; 1: it is always so; -1: never. */
static int always(enum an_opcode code, const struct part *a, const struct part *b)
{
    bool below = a->high<b->low, above = a->low> b->high, one = a->low == a->high && b->low == b->high;

    switch (code) {
    case AN_OP_EQUAL:
        return below || above ? -1 : one;
    case AN_OP_UNEQUAL:
        return below || above ? 1 : -one;
    case AN_OP_LESS:
        return below ? 1 : -(a->low >= b->high);
    case AN_OP_LESS_EQUAL:
        return a->high <= b->low ? 1 : -above;
    case AN_OP_GREATER:
        return above ? 1 : -(a->high <= b->low);
    default:
        return a->low >= b->high ? 1 : -below;
    }
}

struct part an_filter_compared(struct parser *p, enum an_opcode code, const struct part *a, const struct part *b)
{
    int known = a->kind == WHOLE ? always(code, a, b) : 0;

    if (known)
        an_filter_fail(p, a->at, "this is %s so, whatever the record is", known > 0 ? "always" : "never");
    return (struct part){TRUTH, 0, 1, a->at};
}
