/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "core/ast_range.h"

#include <math.h>

static ast_wide smallest(enum cell_kind k)
{
    return cell_ast_is_signed(k) ? -((ast_wide)1 << (cell_ast_width(k) - 1)) : 0;
}

static ast_wide largest(enum cell_kind k)
{
    return k == CELL_KIND_BOOL ? 1 : ((ast_wide)1 << (cell_ast_width(k) - cell_ast_is_signed(k))) - 1;
}

struct ast_range cell_range_integers(ast_wide lo, ast_wide hi) { return (struct ast_range){.lo = lo, .hi = hi}; }

struct ast_range cell_range_reals(double lo, double hi)
{
    if (isnan(lo) || isnan(hi))
        return (struct ast_range){.flo = -INFINITY, .fhi = INFINITY, .nan = true};
    return (struct ast_range){.flo = lo, .fhi = hi};
}

struct ast_range cell_range_all(enum cell_kind kind)
{
    if (cell_ast_is_float(kind))
        return cell_range_reals(NAN, NAN);
    if (kind == CELL_KIND_STR)
        return cell_range_integers(0, AST_MAX_LENGTH);
    return kind <= CELL_KIND_U64 ? cell_range_integers(smallest(kind), largest(kind)) : (struct ast_range){0};
}

struct ast_range cell_range_join(const struct ast_range *a, const struct ast_range *b)
{
    return (struct ast_range){.lo = a->lo < b->lo ? a->lo : b->lo,
                              .hi = a->hi > b->hi ? a->hi : b->hi,
                              .flo = a->flo < b->flo ? a->flo : b->flo,
                              .fhi = a->fhi > b->fhi ? a->fhi : b->fhi,
                              .nan = a->nan || b->nan,
                              .nonzero =
                                  (a->nonzero || a->lo > 0 || a->hi < 0) && (b->nonzero || b->lo > 0 || b->hi < 0)};
}

/* The range if no value of it wraps, else all values. */
static struct ast_range unwrapped(enum cell_kind kind, ast_wide lo, ast_wide hi)
{
    return lo >= smallest(kind) && hi <= largest(kind) ? cell_range_integers(lo, hi) : cell_range_all(kind);
}

static ast_wide least(ast_wide a, ast_wide b) { return a < b ? a : b; }
static ast_wide most(ast_wide a, ast_wide b) { return a > b ? a : b; }
static ast_wide magnitude(const struct ast_range *r)
{
    return most(r->hi < 0 ? -r->hi : r->hi, r->lo < 0 ? -r->lo : r->lo);
}

static struct ast_range product(enum cell_kind kind, const struct ast_range *a, const struct ast_range *b)
{
    ast_wide c[4];
    if (__builtin_mul_overflow(a->lo, b->lo, &c[0]) || __builtin_mul_overflow(a->lo, b->hi, &c[1]) ||
        __builtin_mul_overflow(a->hi, b->lo, &c[2]) || __builtin_mul_overflow(a->hi, b->hi, &c[3]))
        return cell_range_all(kind);
    return unwrapped(kind, least(least(c[0], c[1]), least(c[2], c[3])), most(most(c[0], c[1]), most(c[2], c[3])));
}

static struct ast_range quotient(enum cell_kind kind, const struct ast_range *a, const struct ast_range *b)
{
    const ast_wide m = magnitude(a);
    if (b->lo < 0)
        return unwrapped(kind, cell_ast_is_signed(kind) ? -m : 0, m);
    const ast_wide d = most(b->lo, 1), e = most(b->hi, 1); /* a divisor of 0 ends the function */
    return cell_range_integers(least(a->lo / d, a->lo / e), most(a->hi / d, a->hi / e));
}

static struct ast_range rest(const struct ast_range *a, const struct ast_range *b)
{
    const ast_wide m = most(magnitude(b) - 1, 0);
    return cell_range_integers(a->lo < 0 ? most(a->lo, -m) : 0, a->hi > 0 ? least(a->hi, m) : 0);
}

/* 2^n - 1 that is not less. */
static ast_wide all_bits(ast_wide n)
{
    ast_wide bits = 0;
    while (bits < n)
        bits = bits * 2 + 1;
    return bits;
}

static struct ast_range bits(enum ast_op op, enum cell_kind kind, const struct ast_range *a, const struct ast_range *b)
{
    if (op == AST_AND && (a->lo >= 0 || b->lo >= 0))
        return cell_range_integers(0, a->lo < 0 ? b->hi : b->lo < 0 ? a->hi : least(a->hi, b->hi));
    if (op != AST_AND && a->lo >= 0 && b->lo >= 0)
        return cell_range_integers(op == AST_OR ? most(a->lo, b->lo) : 0, all_bits(most(a->hi, b->hi)));
    return cell_range_all(kind);
}

static struct ast_range shifted(enum ast_op op, enum cell_kind kind, const struct ast_range *a,
                                const struct ast_range *b)
{
    if (b->lo < 0 || b->hi >= cell_ast_width(kind))
        return op == AST_SHR && a->lo >= 0 ? cell_range_integers(0, a->hi) : cell_range_all(kind);
    if (op == AST_SHR)
        return cell_range_integers(a->lo >> (a->lo < 0 ? b->lo : b->hi), a->hi >> (a->hi < 0 ? b->hi : b->lo));
    const struct ast_range factor = cell_range_integers((ast_wide)1 << b->lo, (ast_wide)1 << b->hi);
    return product(kind, a, &factor);
}

static struct ast_range integers(enum ast_op op, enum cell_kind kind, const struct ast_range *a,
                                 const struct ast_range *b)
{
    switch (op) {
    case AST_NEG:
        return unwrapped(kind, -a->hi, -a->lo);
    case AST_ADD:
        return unwrapped(kind, a->lo + b->lo, a->hi + b->hi);
    case AST_SUB:
        return unwrapped(kind, a->lo - b->hi, a->hi - b->lo);
    case AST_MUL:
        return product(kind, a, b);
    case AST_DIV:
        return quotient(kind, a, b);
    case AST_REM:
        return rest(a, b);
    case AST_NOT:
        return cell_ast_is_signed(kind) ? cell_range_integers(-1 - a->hi, -1 - a->lo)
                                        : cell_range_integers(largest(kind) - a->hi, largest(kind) - a->lo);
    case AST_AND:
    case AST_OR:
    case AST_XOR:
        return bits(op, kind, a, b);
    case AST_SHL:
    case AST_SHR:
        return shifted(op, kind, a, b);
    case AST_ABS:
        if (a->lo >= 0)
            return *a;
        return unwrapped(kind, a->hi < 0 ? -a->hi : 0, magnitude(a));
    case AST_MIN:
        return cell_range_integers(least(a->lo, b->lo), least(a->hi, b->hi));
    case AST_MAX:
        return cell_range_integers(most(a->lo, b->lo), most(a->hi, b->hi));
    default:
        return cell_range_all(kind);
    }
}

/* ---- floats: rounding is monotone, so what is computed of the ends holds all between ---- */

static double rounded(enum cell_kind kind, double value)
{
    return kind == CELL_KIND_F32 ? (double)(float)value : value;
}

static double apply(enum ast_op op, double a, double b)
{
    switch (op) {
    case AST_ADD:
        return a + b;
    case AST_SUB:
        return a - b;
    case AST_MUL:
        return a * b;
    case AST_DIV:
        return a / b;
    case AST_SQRT:
        return sqrt(a);
    case AST_FLOOR:
        return floor(a);
    case AST_CEIL:
        return ceil(a);
    case AST_TRUNC:
        return trunc(a);
    case AST_ROUND:
        return round(a);
    default:
        return rint(a);
    }
}

static bool has_ends(const struct ast_range *r) { return isfinite(r->flo) && isfinite(r->fhi); }

/* Whether a + b can be NaN: one infinite, the other infinite the other way. */
static bool may_cancel(const struct ast_range *a, double blo, double bhi)
{
    return (a->fhi == INFINITY && blo == -INFINITY) || (a->flo == -INFINITY && bhi == INFINITY);
}

static bool may_be_nan(enum ast_op op, const struct ast_range *a, const struct ast_range *b)
{
    if (a->nan || b->nan)
        return true;
    if (op == AST_ADD || op == AST_SUB)
        return op == AST_ADD ? may_cancel(a, b->flo, b->fhi) : may_cancel(a, -b->fhi, -b->flo);
    return op == AST_DIV ? !has_ends(a) || (b->flo <= 0 && b->fhi >= 0) : !has_ends(a) || !has_ends(b);
}

/* + - * / where the result cannot be NaN. */
static struct ast_range corners(enum ast_op op, enum cell_kind kind, const struct ast_range *a,
                                const struct ast_range *b)
{
    const double x[] = {a->flo, a->fhi}, y[] = {b->flo, b->fhi};
    double lo = INFINITY, hi = -INFINITY;
    if (may_be_nan(op, a, b))
        return cell_range_all(kind);
    for (unsigned i = 0; i < 4; i++) {
        double v = rounded(kind, apply(op, x[i / 2], y[i % 2]));
        lo = v < lo ? v : lo;
        hi = v > hi ? v : hi;
    }
    return cell_range_reals(lo, hi);
}

/* Logarithms of what is not negative. Those of the smallest and the largest number are -1074 and 1024 to base 2. */
static struct ast_range logarithm(enum ast_op op, const struct ast_range *a)
{
    if (!isfinite(a->fhi) || (op != AST_LOG1P && !(a->flo > 0)))
        return cell_range_reals(-INFINITY, INFINITY);
    return cell_range_reals(op == AST_LOG1P ? 0 : -1100, 1100);
}

static struct ast_range least_or_most(enum ast_op op, const struct ast_range *a, const struct ast_range *b)
{
    struct ast_range r;
    if (op == AST_FMIN)
        r = cell_range_reals(a->flo < b->flo ? a->flo : b->flo, a->fhi < b->fhi ? a->fhi : b->fhi);
    else
        r = cell_range_reals(a->flo > b->flo ? a->flo : b->flo, a->fhi > b->fhi ? a->fhi : b->fhi);
    if (a->nan) /* the other one is the result */
        r = cell_range_join(&r, b);
    if (b->nan)
        r = cell_range_join(&r, a);
    r.nan = a->nan && b->nan;
    return r;
}

static struct ast_range reals(enum ast_op op, enum cell_kind kind, const struct ast_range *a, const struct ast_range *b)
{
    struct ast_range r;
    switch (op) {
    case AST_ADD:
    case AST_SUB:
    case AST_MUL:
    case AST_DIV:
        return corners(op, kind, a, b);
    case AST_NEG:
        r = cell_range_reals(-a->fhi, -a->flo);
        break;
    case AST_FABS:
        r = cell_range_reals(a->flo > 0 ? a->flo : a->fhi < 0 ? -a->fhi : 0, fmax(fabs(a->flo), fabs(a->fhi)));
        break;
    case AST_SQRT:
        if (!(a->flo >= 0))
            return cell_range_all(kind);
        r = cell_range_reals(rounded(kind, sqrt(a->flo)), rounded(kind, sqrt(a->fhi)));
        break;
    case AST_FLOOR:
    case AST_CEIL:
    case AST_TRUNC:
    case AST_ROUND:
    case AST_RINT:
        r = cell_range_reals(apply(op, a->flo, 0), apply(op, a->fhi, 0));
        break;
    case AST_FMIN:
    case AST_FMAX:
        return least_or_most(op, a, b);
    case AST_COPYSIGN:
        r = cell_range_reals(-fmax(fabs(a->flo), fabs(a->fhi)), fmax(fabs(a->flo), fabs(a->fhi)));
        break;
    case AST_EXP:
    case AST_EXP2:
        r = cell_range_reals(0, INFINITY);
        break;
    case AST_LDEXP:
    case AST_CBRT:
        r = cell_range_reals(a->flo >= 0 ? 0 : -INFINITY, INFINITY);
        break;
    case AST_LOG:
    case AST_LOG2:
    case AST_LOG10:
    case AST_LOG1P:
        if (!(a->flo >= 0))
            return cell_range_all(kind);
        r = logarithm(op, a);
        break;
    default:
        return cell_range_all(kind);
    }
    r.nan = a->nan;
    return r;
}

struct ast_range cell_range_operation(enum ast_op op, enum cell_kind kind, const struct ast_range *a,
                                      const struct ast_range *b)
{
    if (cell_kind_is_integer(kind))
        return integers(op, kind, a, b);
    return cell_ast_is_float(kind) ? reals(op, kind, a, b) : cell_range_all(kind);
}

bool cell_range_fits(enum cell_kind to, const struct ast_range *r)
{
    /* Exact: powers of two. What lies up to 1 beyond an end is cut off to the end. */
    const double lo = (double)smallest(to), end = (double)(largest(to) + 1);
    return !r->nan && (lo - 1 == lo ? r->flo >= lo : r->flo > lo - 1) && r->fhi < end;
}

static ast_wide saturated(enum cell_kind to, double v)
{
    if (v <= (double)smallest(to))
        return smallest(to);
    return v >= (double)(largest(to) + 1) ? largest(to) : (ast_wide)v;
}

struct ast_range cell_range_cast(enum cell_kind to, enum cell_kind from, const struct ast_range *a)
{
    if (to == CELL_KIND_BOOL)
        return cell_range_all(to);
    if (cell_ast_is_float(from)) {
        struct ast_range r;
        if (cell_ast_is_float(to)) {
            r = cell_range_reals(rounded(to, a->flo), rounded(to, a->fhi));
            r.nan = a->nan;
            return r;
        }
        r = cell_range_integers(saturated(to, a->flo), saturated(to, a->fhi));
        if (a->nan) /* is 0 */
            r = cell_range_integers(least(r.lo, 0), most(r.hi, 0));
        return r;
    }
    if (cell_ast_is_float(to))
        return to == CELL_KIND_F32 ? cell_range_reals((double)(float)a->lo, (double)(float)a->hi)
                                   : cell_range_reals((double)a->lo, (double)a->hi);
    struct ast_range r = unwrapped(to, a->lo, a->hi);
    r.nonzero = a->nonzero && cell_range_within(a, r.lo, r.hi);
    return r;
}

uint32_t cell_range_divide_proven(enum cell_kind kind, const struct ast_range *a, const struct ast_range *b)
{
    uint32_t proven = b->lo > 0 || b->hi < 0 || b->nonzero ? AST_IN_BOUNDS : 0;
    if (!cell_ast_is_signed(kind) || a->lo > smallest(kind) || b->lo > -1 || b->hi < -1)
        proven |= AST_NO_OVERFLOW;
    return proven;
}

bool cell_range_exact(enum ast_op op, enum cell_kind kind, const struct ast_range *a, const struct ast_range *b)
{
    ast_wide lo, hi, c[4];
    switch (op) {
    case AST_NEG:
        lo = -a->hi, hi = -a->lo;
        break;
    case AST_ADD:
        lo = a->lo + b->lo, hi = a->hi + b->hi;
        break;
    case AST_SUB:
        lo = a->lo - b->hi, hi = a->hi - b->lo;
        break;
    default:
        if (__builtin_mul_overflow(a->lo, b->lo, &c[0]) || __builtin_mul_overflow(a->lo, b->hi, &c[1]) ||
            __builtin_mul_overflow(a->hi, b->lo, &c[2]) || __builtin_mul_overflow(a->hi, b->hi, &c[3]))
            return false;
        lo = least(least(c[0], c[1]), least(c[2], c[3])), hi = most(most(c[0], c[1]), most(c[2], c[3]));
    }
    return lo >= smallest(kind) && hi <= largest(kind);
}
