/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <stdarg.h>
#include <stdio.h>

#include "generate_impl.h"

const char *const hot_type_names[] = {"i8",  "u8",   "i16", "u16",  "i32",  "u32",    "i64",    "u64",    "f32",
                                      "f64", "bool", "str", "enum", "pair", "i32[8]", "f64[5]", "pair[3]"};

void hot_put(struct maker *m, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    cell_buffer_vprintf(m->out, format, args);
    va_end(args);
}

/* A variable of the type, as its index; -1 = none. */
int hot_variable(struct maker *m, enum type t, bool writable)
{
    for (unsigned tries = 0; tries < 8 && m->count; tries++) {
        unsigned i = below(m, m->count);
        if (m->variables[i].type == t && (writable ? m->variables[i].writable : m->variables[i].assigned))
            return (int)i;
    }
    return -1;
}

void hot_literal(struct maker *m, enum type t, bool plain)
{
    static const char *const ends[] = {"-128",
                                       "127",
                                       "255",
                                       "-32768",
                                       "32767",
                                       "65535",
                                       "-2147483648",
                                       "2147483647",
                                       "4294967295",
                                       "-9223372036854775808",
                                       "9223372036854775807",
                                       "18446744073709551615"};
    static const char *const reals[] = {"0",    "-0.0", "1",    "-1",    "0.1",     "1e10", "-2.5e-3", "inf",
                                        "-inf", "nan",  "3e38", "1e-45", "0x1.8p1", "2",    "10",      "0.5"};
    static const char *const texts[] = {"",
                                        "a",
                                        "abc",
                                        "12",
                                        "-7",
                                        "3.25",
                                        "1e400",
                                        "\\u00e9",
                                        "x\\ny",
                                        "abcabc",
                                        "0.1",
                                        "\\ud83d\\ude00",
                                        "9223372036854775808"};
    static const unsigned first[] = {0, 2, 3, 5, 6, 8, 9, 11}, last[] = {1, 2, 4, 5, 7, 8, 10, 11};
    if (!plain && t == I32 && chance(m, 40)) {
        hot_put(m, "%d", (int)below(m, 20) - 4);
        return;
    }
    if (!plain && t != BOOL)
        hot_put(m, "{\"%s\": ", hot_type_names[t]);
    if (t == BOOL)
        hot_put(m, chance(m, 50) ? "true" : "false");
    else if (t == STR)
        hot_put(m, "\"%s\"", texts[below(m, sizeof(texts) / sizeof(texts[0]))]);
    else if (t == F32 || t == F64)
        hot_put(m, "\"%s\"", reals[below(m, sizeof(reals) / sizeof(reals[0]))]);
    else if (chance(m, 15))
        hot_put(m, "\"%s\"", ends[first[t] + below(m, last[t] - first[t] + 1)]);
    else
        hot_put(m, "%u", below(m, 12));
    if (!plain && t != BOOL)
        hot_put(m, "}");
}

/* An index that is in bounds, mostly so that it can be seen. */
static void index_below(struct maker *m, unsigned n, unsigned depth)
{
    if (m->status && chance(m, 15)) {
        hot_expression(m, chance(m, 50) ? I32 : U8, depth);
    } else if (chance(m, 40)) {
        hot_put(m, "%u", below(m, n));
    } else if (chance(m, 50)) {
        hot_put(m, "[\"%%\", ");
        hot_expression(m, U32, depth);
        hot_put(m, ", {\"u32\": %u}]", n);
    } else {
        hot_put(m, "[\"max\", 0, [\"min\", ");
        hot_expression(m, I32, depth);
        hot_put(m, ", %u]]", n - 1);
    }
}

/* A place of scalar type, if there is one. */
bool hot_place(struct maker *m, enum type t, bool writable, unsigned depth)
{
    int v = hot_variable(m, t, writable);
    for (unsigned i = 0; i < m->ntables && !writable; i++)
        if (m->tables[i].type == t && chance(m, 30)) {
            hot_put(m, "[\"[]\", \"d%u_t%u\", ", m->number, i);
            index_below(m, m->tables[i].count, depth);
            hot_put(m, "]");
            return true;
        }
    if (v >= 0 && chance(m, 70)) {
        hot_put(m, "\"%s\"", m->variables[v].name);
        return true;
    }
    if (t == I32 || t == F64) {
        v = hot_variable(m, t == I32 ? ARRAY_I32 : ARRAY_F64, writable);
        if (v >= 0) {
            hot_put(m, "[\"[]\", \"%s\", ", m->variables[v].name);
            index_below(m, t == I32 ? 8 : 5, depth);
            hot_put(m, "]");
            return true;
        }
    }
    if (t == I16 || t == F64 || t == STR || t == U8) {
        const char *const field = t == I16 ? "kind" : t == F64 ? "x" : t == STR ? "text" : "bytes";
        bool array = chance(m, 40);
        v = hot_variable(m, array ? ARRAY_PAIR : PAIR, writable);
        if (v < 0)
            return false;
        hot_put(m, t == U8 ? "[\"[]\", [\".\", " : "[\".\", ");
        if (array) {
            hot_put(m, "[\"[]\", \"%s\", ", m->variables[v].name);
            index_below(m, 3, depth);
            hot_put(m, "]");
        } else {
            hot_put(m, "\"%s\"", m->variables[v].name);
        }
        hot_put(m, ", \"%s\"]", field);
        if (t == U8) {
            hot_put(m, ", ");
            index_below(m, 4, depth);
            hot_put(m, "]");
        }
        return true;
    }
    return false;
}

void hot_operands(struct maker *m, const char *op, enum type t, unsigned n, unsigned depth)
{
    hot_put(m, "[\"%s\"", op);
    for (unsigned i = 0; i < n; i++) {
        hot_put(m, ", ");
        hot_expression(m, t, depth);
    }
    hot_put(m, "]");
}

static void divide(struct maker *m, enum type t, unsigned depth)
{
    hot_put(m, "[\"%s\", ", chance(m, 50) ? "/" : "%");
    hot_expression(m, t, depth);
    if (m->status && chance(m, 30)) {
        hot_put(m, ", ");
        hot_expression(m, t, depth);
    } else if (chance(m, 40)) {
        hot_put(m, ", {\"%s\": %u}", hot_type_names[t], 1 + below(m, 9));
    } else {
        hot_put(m, ", [\"max\", {\"%s\": 1}, ", hot_type_names[t]);
        hot_expression(m, t, depth);
        hot_put(m, "]");
    }
    hot_put(m, "]");
}

static void integer(struct maker *m, enum type t, unsigned depth)
{
    static const char *const binary[] = {"+", "-", "*", "&", "|", "^", "+", "-", "*"};
    static const char *const unary[] = {"neg", "~", "abs"};
    switch (below(m, 10)) {
    case 0:
        hot_operands(m, unary[below(m, 3)], t, 1, depth);
        break;
    case 1:
        hot_operands(m, chance(m, 50) ? "min" : "max", t, 2, depth);
        break;
    case 2:
        hot_put(m, "[\"%s\", ", chance(m, 50) ? "<<" : ">>");
        hot_expression(m, t, depth);
        hot_put(m, ", ");
        hot_expression(m, (enum type)below(m, INTEGERS), depth);
        hot_put(m, "]");
        break;
    case 3:
        divide(m, t, depth);
        break;
    case 4:
        hot_operands(m, hot_type_names[t], (enum type)below(m, STR), 1, depth);
        break;
    case 5:
        if (t == U64) {
            hot_operands(m, "length", STR, 1, depth);
        } else if (t == I32 && chance(m, 60)) {
            hot_operands(m, "compare", STR, 2, depth);
        } else if (t == I64 && chance(m, 60)) {
            if (chance(m, 50)) {
                hot_operands(m, "find", STR, 2, depth);
            } else {
                hot_put(m, "[\"parse_i64\", ");
                hot_expression(m, STR, depth);
                hot_put(m, ", ");
                hot_expression(m, I64, depth);
                hot_put(m, "]");
            }
        } else if (t == U8 && m->status) {
            hot_put(m, "[\"byte\", ");
            hot_expression(m, STR, depth);
            hot_put(m, ", %u]", below(m, 3));
        } else {
            hot_operands(m, "+", t, 3, depth);
        }
        break;
    case 6:
        if (t == I32 || t == U64) {
            hot_put(m, "[\"%s\", ", t == I32 ? "utf8_at" : "utf8_next");
            hot_expression(m, STR, depth);
            hot_put(m, ", ");
            hot_expression(m, U8, depth);
            hot_put(m, "]");
            break;
        }
        /* fall through */
    default:
        hot_operands(m, binary[below(m, 9)], t, 2 + chance(m, 20), depth);
    }
}

static void real(struct maker *m, enum type t, unsigned depth)
{
    static const char *const exact[] = {"fabs", "sqrt", "floor", "ceil", "trunc", "round", "rint"};
    static const char *const exact2[] = {"fmin", "fmax", "copysign"};
    static const char *const math[] = {"cbrt", "exp",   "exp2",  "expm1", "log",  "log2", "log10",  "log1p",
                                       "sin",  "cos",   "tan",   "asin",  "acos", "atan", "sinh",   "cosh",
                                       "tanh", "asinh", "acosh", "atanh", "erf",  "erfc", "tgamma", "lgamma"};
    static const char *const math2[] = {"pow", "atan2", "hypot", "fmod", "remainder", "fdim", "pow", "pow"};
    switch (below(m, t == F64 ? 10 : 6)) {
    case 0:
        hot_operands(m, exact[below(m, 7)], t, 1, depth);
        break;
    case 1:
        hot_operands(m, exact2[below(m, 3)], t, 2, depth);
        break;
    case 2:
        hot_operands(m, hot_type_names[t], (enum type)below(m, BOOL + 1), 1, depth);
        break;
    case 3:
        hot_operands(m, "neg", t, 1, depth);
        break;
    case 6:
        hot_operands(m, math[below(m, sizeof(math) / sizeof(math[0]))], F64, 1, depth);
        break;
    case 7:
        hot_operands(m, math2[below(m, 8)], F64, 2, depth);
        break;
    case 8:
        if (chance(m, 50)) {
            hot_operands(m, "fma", F64, 3, depth);
        } else {
            hot_put(m, "[\"ldexp\", ");
            hot_expression(m, F64, depth);
            hot_put(m, ", ");
            hot_expression(m, I32, depth);
            hot_put(m, "]");
        }
        break;
    case 9:
        hot_put(m, "[\"parse_f64\", ");
        hot_expression(m, STR, depth);
        hot_put(m, ", ");
        hot_expression(m, F64, depth);
        hot_put(m, "]");
        break;
    default: {
        static const char *const binary[] = {"+", "-", "*", "/"};
        unsigned op = below(m, 4);
        hot_operands(m, binary[op], t, op < 3 ? 2 + chance(m, 20) : 2, depth);
    }
    }
}

static void truth(struct maker *m, unsigned depth)
{
    static const char *const compare[] = {"<", "<=", ">", ">=", "==", "!="};
    static const char *const tests[] = {"isnan", "isinf", "isfinite", "signbit"};
    static const char *const texts[] = {"same", "starts", "ends"};
    switch (below(m, 8)) {
    case 0:
        hot_operands(m, chance(m, 50) ? "&&" : "||", BOOL, 2 + chance(m, 30), depth);
        break;
    case 1:
        hot_operands(m, "!", BOOL, 1, depth);
        break;
    case 2:
        hot_operands(m, tests[below(m, 4)], chance(m, 50) ? F64 : F32, 1, depth);
        break;
    case 3:
        hot_operands(m, texts[below(m, 3)], STR, 2, depth);
        break;
    case 4:
        hot_operands(m, chance(m, 50) ? "is_i64" : "is_f64", STR, 1, depth);
        break;
    case 5:
        hot_operands(m, "bool", (enum type)below(m, INTEGERS), 1, depth);
        break;
    default:
        hot_operands(m, compare[below(m, 6)], (enum type)below(m, BOOL), 2, depth);
    }
}

/* Structs and arrays go in by name. */
bool hot_arguments(struct maker *m, unsigned function, unsigned depth)
{
    const size_t before = m->out->len;
    for (unsigned k = 0; k < m->f[function].nparams; k++) {
        const enum type t = m->f[function].params[k];
        const int v = t >= PAIR ? hot_variable(m, t, false) : 0;
        if (v < 0) {
            m->out->len = before;
            return false;
        }
        hot_put(m, ", ");
        if (t >= PAIR)
            hot_put(m, "\"%s\"", m->variables[v].name);
        else
            hot_expression(m, t, depth);
    }
    return true;
}

static bool call(struct maker *m, enum type t, unsigned depth)
{
    const size_t before = m->out->len;
    for (unsigned i = 0; i < m->functions; i++) {
        const enum type r = m->f[i].returns;
        const bool same = r == t, converts = r < BOOL && t < BOOL && chance(m, 50);
        if (m->f[i].status || !(same || converts) || chance(m, 20))
            continue;
        if (!same)
            hot_put(m, "[\"%s\", ", hot_type_names[t]);
        hot_put(m, "[\"call\", \"d%u_f%u\"", m->number, i);
        if (hot_arguments(m, i, depth)) {
            hot_put(m, same ? "]" : "]]");
            return true;
        }
        m->out->len = before;
    }
    return false;
}

void hot_value(struct maker *m, enum type t, unsigned depth)
{
    const int v = t == PAIR ? hot_variable(m, t, false) : -1;
    if (t != PAIR) {
        hot_expression(m, t, depth);
    } else if (depth && call(m, t, depth - 1)) {
        return;
    } else if (v >= 0 && depth && chance(m, 30)) {
        hot_put(m, "[\"?:\", ");
        hot_expression(m, BOOL, depth - 1);
        hot_put(m, ", \"%s\", ", m->variables[v].name);
        hot_value(m, t, depth - 1);
        hot_put(m, "]");
    } else {
        hot_put(m, "\"%s\"", v >= 0 ? m->variables[v].name : "s");
    }
}

void hot_expression(struct maker *m, enum type t, unsigned depth)
{
    if (m->budget)
        m->budget--;
    if (t == ENUM)
        t = I32;
    if (depth == 0 || m->budget == 0 || chance(m, 25)) {
        if (!chance(m, 70) || !hot_place(m, t, false, 0))
            hot_literal(m, t, false);
        return;
    }
    depth--;
    if (m->functions && chance(m, 15) && call(m, t, depth))
        return;
    if (chance(m, 6)) {
        hot_put(m, "[\"?:\", ");
        hot_expression(m, BOOL, depth);
        hot_put(m, ", ");
        hot_expression(m, t, depth);
        hot_put(m, ", ");
        hot_expression(m, t, depth);
        hot_put(m, "]");
    } else if (t == BOOL) {
        truth(m, depth);
    } else if (t == STR) {
        hot_put(m, "[\"sub\", ");
        hot_expression(m, STR, depth);
        hot_put(m, ", ");
        hot_expression(m, (enum type)below(m, INTEGERS), depth);
        hot_put(m, ", ");
        hot_expression(m, (enum type)below(m, INTEGERS), depth);
        hot_put(m, "]");
    } else if (t == F32 || t == F64) {
        real(m, t, depth);
    } else {
        integer(m, t, depth);
    }
}
