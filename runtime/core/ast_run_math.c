/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <math.h>

#include "core/ast_run_impl.h"

__extension__ typedef __int128 wide;
__extension__ typedef unsigned __int128 unsigned_wide;

/* An integer of this kind as a number, and a number as such an integer: modulo 2^width. */
static wide number(uint64_t bits, enum cell_kind kind)
{
    return kind == CELL_KIND_U64 ? (wide)bits : (wide)(int64_t)bits;
}

static uint64_t wrapped(wide value, enum cell_kind kind)
{
    switch (kind) {
    case CELL_KIND_BOOL:
        return value != 0;
    case CELL_KIND_I8:
        return (uint64_t)(int64_t)(int8_t)value;
    case CELL_KIND_U8:
        return (uint8_t)value;
    case CELL_KIND_I16:
        return (uint64_t)(int64_t)(int16_t)value;
    case CELL_KIND_U16:
        return (uint16_t)value;
    case CELL_KIND_I32:
        return (uint64_t)(int64_t)(int32_t)value;
    case CELL_KIND_U32:
        return (uint32_t)value;
    default:
        return (uint64_t)value;
    }
}

static uint64_t saturated(double x, enum cell_kind kind)
{
    const unsigned width = cell_ast_width(kind);
    const wide least = cell_ast_is_signed(kind) ? -((wide)1 << (width - 1)) : 0;
    const wide most = ((wide)1 << (width - cell_ast_is_signed(kind))) - 1;
    if (isnan(x))
        return 0;
    x = trunc(x);
    if (x <= (double)least)
        return (uint64_t)least;
    return x >= (double)most ? (uint64_t)most : (uint64_t)(wide)x;
}

static union ast_value cast(struct ast_machine *m, const struct ast_node *n, const union ast_value *v,
                            enum cell_kind from)
{
    const enum cell_kind to = n->type.kind;
    union ast_value r = {0};
    if (cell_ast_is_float(to)) {
        if (cell_ast_is_float(from))
            r.real = v->real;
        else if (to == CELL_KIND_F32)
            r.real = from == CELL_KIND_U64 ? (double)(float)v->bits : (double)(float)(int64_t)v->bits;
        else
            r.real = from == CELL_KIND_U64 ? (double)v->bits : (double)(int64_t)v->bits;
        if (to == CELL_KIND_F32)
            r.real = (double)(float)r.real;
    } else if (cell_ast_is_float(from)) {
        r.bits = saturated(v->real, to);
        if (n->proven & AST_IN_BOUNDS && (double)number(r.bits, to) != trunc(v->real))
            cell_ast_unsound(m, n, "the value does not fit");
    } else {
        r.bits = wrapped(number(v->bits, from), to);
    }
    return r;
}

static wide step(enum ast_op op, wide a, wide b)
{
    switch (op) {
    case AST_ADD:
        return a + b;
    case AST_SUB:
        return a - b;
    case AST_MUL: /* modulo 2^128, of which only the lower half counts unless it is proven exact */
        return (wide)((unsigned_wide)a * (unsigned_wide)b);
    case AST_AND:
        return a & b;
    case AST_OR:
        return a | b;
    case AST_XOR:
        return a ^ b;
    case AST_MIN:
        return a < b ? a : b;
    default:
        return a > b ? a : b;
    }
}

static uint64_t divide(struct ast_machine *m, const struct ast_node *n, wide a, wide b, enum cell_kind kind,
                       bool *fault)
{
    if (b == 0) {
        if (n->proven & AST_IN_BOUNDS)
            cell_ast_unsound(m, n, "the divisor is 0");
        *fault = true;
        return 0;
    }
    const wide q = n->op == AST_DIV ? a / b : a % b;
    if (n->proven & AST_NO_OVERFLOW && number(wrapped(a / b, kind), kind) != a / b)
        cell_ast_unsound(m, n, "the quotient overflows");
    return wrapped(q, kind);
}

static uint64_t integer(struct ast_machine *m, const struct ast_node *n, const union ast_value *v,
                        const enum cell_kind *kinds, bool *fault)
{
    const enum cell_kind kind = kinds[0];
    const wide a = number(v[0].bits, kind);
    const unsigned width = cell_ast_width(kind);
    wide value = a;
    switch (n->op) {
    case AST_DIV:
    case AST_REM:
        return divide(m, n, a, number(v[1].bits, kind), kind, fault);
    case AST_SHL:
    case AST_SHR:
        if (n->proven & AST_IN_BOUNDS && v[1].bits >= width)
            cell_ast_unsound(m, n, "the count is too large");
        return n->op == AST_SHL ? wrapped((wide)((unsigned_wide)a << (v[1].bits % width)), kind)
                                : wrapped(a >> (v[1].bits % width), kind);
    case AST_NEG:
        value = -a;
        break;
    case AST_NOT:
        return wrapped(~a, kind);
    case AST_ABS:
        return wrapped(a < 0 ? -a : a, kind);
    default:
        for (uint32_t i = 1; i < n->nargs; i++) {
            const wide exact = step(n->op, value, number(v[i].bits, kind));
            value = number(wrapped(exact, kind), kind);
            if (n->proven & AST_NO_OVERFLOW && value != exact)
                cell_ast_unsound(m, n, "the result wraps");
        }
        return (uint64_t)value;
    }
    if (n->proven & AST_NO_OVERFLOW && number(wrapped(value, kind), kind) != value)
        cell_ast_unsound(m, n, "the result wraps");
    return wrapped(value, kind);
}

static double math1(enum ast_op op, double x)
{
    int sign;
    switch (op) {
#define ONE(symbol, name)                                                                                              \
    case AST_##symbol:                                                                                                 \
        return name(x);
        ONE(FABS, fabs)
        ONE(SQRT, sqrt)
        ONE(FLOOR, floor)
        ONE(CEIL, ceil)
        ONE(TRUNC, trunc)
        ONE(ROUND, round)
        ONE(RINT, rint)
        ONE(CBRT, cbrt)
        ONE(EXP, exp)
        ONE(EXP2, exp2)
        ONE(EXPM1, expm1)
        ONE(LOG, log)
        ONE(LOG2, log2)
        ONE(LOG10, log10)
        ONE(LOG1P, log1p)
        ONE(SIN, sin)
        ONE(COS, cos)
        ONE(TAN, tan)
        ONE(ASIN, asin)
        ONE(ACOS, acos)
        ONE(ATAN, atan)
        ONE(SINH, sinh)
        ONE(COSH, cosh)
        ONE(TANH, tanh)
        ONE(ASINH, asinh)
        ONE(ACOSH, acosh)
        ONE(ATANH, atanh)
        ONE(ERF, erf)
        ONE(ERFC, erfc)
        ONE(TGAMMA, tgamma)
#undef ONE
    default:
        return lgamma_r(x, &sign);
    }
}

static double math2(enum ast_op op, double x, double y)
{
    switch (op) {
    case AST_FMIN:
        return isnan(y) || x < y ? x : y;
    case AST_FMAX:
        return isnan(y) || x > y ? x : y;
    case AST_COPYSIGN:
        return isnan(y) ? fabs(x) : copysign(x, y);
    case AST_POW:
        return pow(x, y);
    case AST_ATAN2:
        return atan2(x, y);
    case AST_HYPOT:
        return hypot(x, y);
    case AST_FMOD:
        return fmod(x, y);
    case AST_REMAINDER:
        return remainder(x, y);
    default:
        return fdim(x, y);
    }
}

static double arithmetic(enum ast_op op, double a, double b)
{
    return op == AST_ADD ? a + b : op == AST_SUB ? a - b : op == AST_MUL ? a * b : a / b;
}

/* In the precision of f32 the results of these in f64, rounded, are the same: 53 >= 2 * 24 + 2. */
static double real(struct ast_machine *m, const struct ast_node *n, const union ast_value *v, enum cell_kind kind)
{
    double x = v[0].real;
    if (n->op == AST_FMA)
        return fma(x, v[1].real, v[2].real);
    if (n->op == AST_LDEXP)
        return ldexp(x, (int)(int64_t)v[1].bits);
    if (n->op == AST_NEG)
        return -x;
    if (cell_ast_class(n->op) == AST_CLASS_ARITH || n->op == AST_DIV) {
        for (uint32_t i = 1; i < n->nargs; i++) {
            x = arithmetic(n->op, x, v[i].real);
            if (kind == CELL_KIND_F32)
                x = (double)(float)x;
        }
        return x;
    }
    if ((n->op == AST_FMIN || n->op == AST_FMAX || n->op == AST_COPYSIGN) && n->proven & AST_IN_BOUNDS &&
        isnan(v[1].real))
        cell_ast_unsound(m, n, "it is NaN");
    x = n->nargs == 1 ? math1(n->op, x) : math2(n->op, x, v[1].real);
    return kind == CELL_KIND_F32 ? (double)(float)x : x;
}

static bool compare(enum ast_op op, int order, bool ordered)
{
    switch (op) {
    case AST_LT:
        return ordered && order < 0;
    case AST_LE:
        return ordered && order <= 0;
    case AST_GT:
        return ordered && order > 0;
    case AST_GE:
        return ordered && order >= 0;
    case AST_EQ:
        return ordered && order == 0;
    default:
        return !ordered || order != 0;
    }
}

union ast_value cell_ast_run_number(struct ast_machine *m, const struct ast_node *n, const union ast_value *v,
                                    const enum cell_kind *kinds, bool *fault)
{
    union ast_value r = {0};
    const enum ast_class class = cell_ast_class(n->op);
    if (class == AST_CLASS_CAST)
        return cast(m, n, v, kinds[0]);
    if (class == AST_CLASS_COMPARE || class == AST_CLASS_EQUAL) {
        if (cell_ast_is_float(kinds[0])) {
            const double a = v[0].real, b = v[1].real;
            r.bits = compare(n->op, (a > b) - (a < b), !isnan(a) && !isnan(b));
        } else {
            const wide a = number(v[0].bits, kinds[0]), b = number(v[1].bits, kinds[0]);
            r.bits = compare(n->op, (a > b) - (a < b), true);
        }
    } else if (class == AST_CLASS_TEST1) {
        const double x = v[0].real;
        if (n->op == AST_SIGNBIT && n->proven & AST_IN_BOUNDS && isnan(x))
            cell_ast_unsound(m, n, "it is NaN");
        r.bits = n->op == AST_ISNAN      ? isnan(x)
                 : n->op == AST_ISINF    ? isinf(x) != 0
                 : n->op == AST_ISFINITE ? isfinite(x)
                                         : !isnan(x) && signbit(x);
    } else if (class == AST_CLASS_LOGIC1) {
        r.bits = !v[0].bits;
    } else if (cell_ast_is_float(kinds[0])) {
        r.real = real(m, n, v, kinds[0]);
    } else {
        r.bits = integer(m, n, v, kinds, fault);
    }
    return r;
}
