/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "generate.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* The types of values; the last ones are made of the first ones. */
enum type { I8, U8, I16, U16, I32, U32, I64, U64, F32, F64, BOOL, STR, ENUM, PAIR, ARRAY_I32, ARRAY_F64, ARRAY_PAIR };
#define INTEGERS F32
#define SCALARS ENUM
#define TYPES (ARRAY_PAIR + 1)
static const char *const names[] = {"i8",  "u8",   "i16", "u16",  "i32",  "u32",    "i64",    "u64",    "f32",
                                    "f64", "bool", "str", "enum", "pair", "i32[8]", "f64[5]", "pair[3]"};

struct variable {
    char name[16];
    enum type type;
    bool writable, assigned;
};

struct maker {
    struct hot_random *random;
    struct cell_buffer *out;
    unsigned number;
    struct variable variables[48];
    unsigned count, made; /* variables in scope, and names given */
    unsigned functions;
    struct {
        bool status;
        enum type returns, params[4], out;
        unsigned nparams;
    } f[6];
    bool status;
    unsigned loops, budget;
};

static uint32_t below(struct maker *m, uint32_t n) { return hot_below(m->random, n); }
static bool chance(struct maker *m, uint32_t percent) { return below(m, 100) < percent; }

__attribute__((format(printf, 2, 3))) static void put(struct maker *m, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    cell_buffer_vprintf(m->out, format, args);
    va_end(args);
}

static void type_name(struct maker *m, enum type t, char *text, size_t size)
{
    if (t == ENUM || t == PAIR || t == ARRAY_PAIR)
        snprintf(text, size, "d%u_%s", m->number, names[t]);
    else
        snprintf(text, size, "%s", names[t]);
}

static void expression(struct maker *m, enum type t, unsigned depth);

/* A variable of the type, as its index; -1 = none. */
static int variable_of(struct maker *m, enum type t, bool writable)
{
    for (unsigned tries = 0; tries < 8 && m->count; tries++) {
        unsigned i = below(m, m->count);
        if (m->variables[i].type == t && (writable ? m->variables[i].writable : m->variables[i].assigned))
            return (int)i;
    }
    return -1;
}

static void literal(struct maker *m, enum type t)
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
    if (t == BOOL)
        put(m, chance(m, 50) ? "true" : "false");
    else if (t == STR)
        put(m, "{\"str\": \"%s\"}", texts[below(m, sizeof(texts) / sizeof(texts[0]))]);
    else if (t == F32 || t == F64)
        put(m, "{\"%s\": \"%s\"}", names[t], reals[below(m, sizeof(reals) / sizeof(reals[0]))]);
    else if (chance(m, 15))
        put(m, "{\"%s\": \"%s\"}", names[t], ends[first[t] + below(m, last[t] - first[t] + 1)]);
    else if (t == I32 && chance(m, 50))
        put(m, "%d", (int)below(m, 20) - 4);
    else
        put(m, "{\"%s\": %u}", names[t], below(m, 12));
}

/* An index that is in bounds, mostly so that it can be seen. */
static void index_below(struct maker *m, unsigned n, unsigned depth)
{
    if (m->status && chance(m, 15)) {
        expression(m, chance(m, 50) ? I32 : U8, depth);
    } else if (chance(m, 40)) {
        put(m, "%u", below(m, n));
    } else if (chance(m, 50)) {
        put(m, "[\"%%\", ");
        expression(m, U32, depth);
        put(m, ", {\"u32\": %u}]", n);
    } else {
        put(m, "[\"max\", 0, [\"min\", ");
        expression(m, I32, depth);
        put(m, ", %u]]", n - 1);
    }
}

/* A place of scalar type, if there is one. */
static bool place(struct maker *m, enum type t, bool writable, unsigned depth)
{
    int v = variable_of(m, t, writable);
    if (v >= 0 && chance(m, 70)) {
        put(m, "\"%s\"", m->variables[v].name);
        return true;
    }
    if (t == I32 || t == F64) {
        v = variable_of(m, t == I32 ? ARRAY_I32 : ARRAY_F64, writable);
        if (v >= 0) {
            put(m, "[\"[]\", \"%s\", ", m->variables[v].name);
            index_below(m, t == I32 ? 8 : 5, depth);
            put(m, "]");
            return true;
        }
    }
    if (t == I16 || t == F64 || t == STR || t == U8) {
        const char *const field = t == I16 ? "kind" : t == F64 ? "x" : t == STR ? "text" : "bytes";
        bool array = chance(m, 40);
        v = variable_of(m, array ? ARRAY_PAIR : PAIR, writable);
        if (v < 0)
            return false;
        put(m, t == U8 ? "[\"[]\", [\".\", " : "[\".\", ");
        if (array) {
            put(m, "[\"[]\", \"%s\", ", m->variables[v].name);
            index_below(m, 3, depth);
            put(m, "]");
        } else {
            put(m, "\"%s\"", m->variables[v].name);
        }
        put(m, ", \"%s\"]", field);
        if (t == U8) {
            put(m, ", ");
            index_below(m, 4, depth);
            put(m, "]");
        }
        return true;
    }
    return false;
}

static void operands(struct maker *m, const char *op, enum type t, unsigned n, unsigned depth)
{
    put(m, "[\"%s\"", op);
    for (unsigned i = 0; i < n; i++) {
        put(m, ", ");
        expression(m, t, depth);
    }
    put(m, "]");
}

static void integer(struct maker *m, enum type t, unsigned depth)
{
    static const char *const binary[] = {"+", "-", "*", "&", "|", "^", "+", "-", "*"};
    static const char *const unary[] = {"neg", "~", "abs"};
    switch (below(m, 10)) {
    case 0:
        operands(m, unary[below(m, 3)], t, 1, depth);
        break;
    case 1:
        operands(m, chance(m, 50) ? "min" : "max", t, 2, depth);
        break;
    case 2:
        put(m, "[\"%s\", ", chance(m, 50) ? "<<" : ">>");
        expression(m, t, depth);
        put(m, ", ");
        expression(m, (enum type)below(m, INTEGERS), depth);
        put(m, "]");
        break;
    case 3:
        put(m, "[\"%s\", ", chance(m, 50) ? "/" : "%");
        expression(m, t, depth);
        if (m->status && chance(m, 30)) {
            put(m, ", ");
            expression(m, t, depth);
        } else if (chance(m, 40)) {
            put(m, ", {\"%s\": %u}", names[t], 1 + below(m, 9));
        } else {
            put(m, ", [\"max\", {\"%s\": 1}, ", names[t]);
            expression(m, t, depth);
            put(m, "]");
        }
        put(m, "]");
        break;
    case 4:
        operands(m, names[t], (enum type)below(m, STR), 1, depth);
        break;
    case 5:
        if (t == U64) {
            operands(m, "length", STR, 1, depth);
        } else if (t == I32 && chance(m, 60)) {
            operands(m, "compare", STR, 2, depth);
        } else if (t == I64 && chance(m, 60)) {
            if (chance(m, 50)) {
                operands(m, "find", STR, 2, depth);
            } else {
                put(m, "[\"parse_i64\", ");
                expression(m, STR, depth);
                put(m, ", ");
                expression(m, I64, depth);
                put(m, "]");
            }
        } else if (t == U8 && m->status) {
            put(m, "[\"byte\", ");
            expression(m, STR, depth);
            put(m, ", %u]", below(m, 3));
        } else {
            operands(m, "+", t, 3, depth);
        }
        break;
    case 6:
        if (t == I32 || t == U64) {
            put(m, "[\"%s\", ", t == I32 ? "utf8_at" : "utf8_next");
            expression(m, STR, depth);
            put(m, ", ");
            expression(m, U8, depth);
            put(m, "]");
            break;
        }
        /* fall through */
    default:
        operands(m, binary[below(m, 9)], t, 2 + chance(m, 20), depth);
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
        operands(m, exact[below(m, 7)], t, 1, depth);
        break;
    case 1:
        operands(m, exact2[below(m, 3)], t, 2, depth);
        break;
    case 2:
        operands(m, names[t], (enum type)below(m, BOOL + 1), 1, depth);
        break;
    case 3:
        operands(m, "neg", t, 1, depth);
        break;
    case 6:
        operands(m, math[below(m, sizeof(math) / sizeof(math[0]))], F64, 1, depth);
        break;
    case 7:
        operands(m, math2[below(m, 8)], F64, 2, depth);
        break;
    case 8:
        if (chance(m, 50)) {
            operands(m, "fma", F64, 3, depth);
        } else {
            put(m, "[\"ldexp\", ");
            expression(m, F64, depth);
            put(m, ", ");
            expression(m, I32, depth);
            put(m, "]");
        }
        break;
    case 9:
        put(m, "[\"parse_f64\", ");
        expression(m, STR, depth);
        put(m, ", ");
        expression(m, F64, depth);
        put(m, "]");
        break;
    default: {
        static const char *const binary[] = {"+", "-", "*", "/"};
        unsigned op = below(m, 4);
        operands(m, binary[op], t, op < 3 ? 2 + chance(m, 20) : 2, depth);
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
        operands(m, chance(m, 50) ? "&&" : "||", BOOL, 2 + chance(m, 30), depth);
        break;
    case 1:
        operands(m, "!", BOOL, 1, depth);
        break;
    case 2:
        operands(m, tests[below(m, 4)], chance(m, 50) ? F64 : F32, 1, depth);
        break;
    case 3:
        operands(m, texts[below(m, 3)], STR, 2, depth);
        break;
    case 4:
        operands(m, chance(m, 50) ? "is_i64" : "is_f64", STR, 1, depth);
        break;
    case 5:
        operands(m, "bool", (enum type)below(m, INTEGERS), 1, depth);
        break;
    default:
        operands(m, compare[below(m, 6)], (enum type)below(m, BOOL), 2, depth);
    }
}

static bool call(struct maker *m, enum type t, unsigned depth)
{
    for (unsigned i = 0; i < m->functions; i++) {
        if (m->f[i].status || m->f[i].returns != t || chance(m, 40))
            continue;
        put(m, "[\"call\", \"d%u_f%u\"", m->number, i);
        for (unsigned k = 0; k < m->f[i].nparams; k++) {
            put(m, ", ");
            expression(m, m->f[i].params[k], depth);
        }
        put(m, "]");
        return true;
    }
    return false;
}

static void expression(struct maker *m, enum type t, unsigned depth)
{
    if (m->budget)
        m->budget--;
    if (t == ENUM)
        t = I32;
    if (depth == 0 || m->budget == 0 || chance(m, 25)) {
        if (!chance(m, 70) || !place(m, t, false, 0))
            literal(m, t);
        return;
    }
    depth--;
    if (chance(m, 8) && call(m, t, depth))
        return;
    if (chance(m, 6)) {
        put(m, "[\"?:\", ");
        expression(m, BOOL, depth);
        put(m, ", ");
        expression(m, t, depth);
        put(m, ", ");
        expression(m, t, depth);
        put(m, "]");
    } else if (t == BOOL) {
        truth(m, depth);
    } else if (t == STR) {
        put(m, "[\"sub\", ");
        expression(m, STR, depth);
        put(m, ", ");
        expression(m, (enum type)below(m, INTEGERS), depth);
        put(m, ", ");
        expression(m, (enum type)below(m, INTEGERS), depth);
        put(m, "]");
    } else if (t == F32 || t == F64) {
        real(m, t, depth);
    } else {
        integer(m, t, depth);
    }
}

/* ---- statements ---- */

static void block(struct maker *m, unsigned depth);

static struct variable *declare(struct maker *m, enum type t)
{
    struct variable *v = &m->variables[m->count];
    snprintf(v->name, sizeof(v->name), "v%u", m->made++);
    v->type = t;
    v->writable = true;
    v->assigned = t >= PAIR;
    return v;
}

static void let(struct maker *m)
{
    char type[32];
    const enum type t = (enum type)below(m, TYPES);
    struct variable *v = declare(m, t);
    type_name(m, t, type, sizeof(type));
    put(m, "[\"let\", \"%s\", \"%s\"", v->name, type);
    if (t < PAIR) {
        put(m, ", ");
        expression(m, t, 4);
        v->assigned = true;
    } else if (t == PAIR) {
        int from = variable_of(m, PAIR, false);
        if (from >= 0 && chance(m, 30))
            put(m, ", \"%s\"", m->variables[from].name);
    }
    put(m, "]");
    m->count++;
}

static void assign(struct maker *m)
{
    for (unsigned tries = 0; tries < 6; tries++) {
        const enum type t = (enum type)below(m, SCALARS);
        const size_t before = m->out->len;
        put(m, "[\"=\", ");
        if (place(m, t, true, 2)) {
            put(m, ", ");
            expression(m, t, 4);
            put(m, "]");
            return;
        }
        m->out->len = before;
    }
    put(m, "[\"let\", \"v%u\", \"u8\"]", m->made++);
}

static void counted(struct maker *m, unsigned depth)
{
    static const enum type kinds[] = {I32, U32, U64, U8, I64};
    const enum type t = kinds[below(m, 5)];
    const unsigned bound = 1 + below(m, 9), count = m->count;
    char name[16];
    snprintf(name, sizeof(name), "v%u", m->made++);
    put(m, "[\"%s\", \"%s\", ", chance(m, 70) ? "for" : "down", name);
    if (chance(m, 60)) {
        put(m, "{\"%s\": %u}, {\"%s\": %u}", names[t], below(m, 3), names[t], below(m, 9));
    } else {
        expression(m, t, 2);
        put(m, ", ");
        if (t == U64 && chance(m, 60))
            operands(m, "length", STR, 1, 0);
        else
            expression(m, t, 2);
    }
    put(m, ", %u, ", bound);
    struct variable *v = declare(m, t);
    m->made--;
    memcpy(v->name, name, sizeof(name));
    v->writable = false;
    v->assigned = true;
    m->count++;
    m->loops++;
    block(m, depth);
    m->loops--;
    m->count = count;
    put(m, "]");
}

static void choose(struct maker *m, unsigned depth)
{
    const unsigned count = 1 + below(m, 3);
    const bool otherwise = chance(m, 60);
    put(m, "[\"switch\", ");
    expression(m, I32, 3);
    for (unsigned i = 0; i < count; i++) {
        put(m, ", [%u, %d], ", i * 3, -1 - (int)i);
        block(m, depth);
    }
    if (otherwise) {
        put(m, ", [], ");
        block(m, depth);
    }
    put(m, "]");
}

static void branch(struct maker *m, unsigned depth)
{
    put(m, "[\"if\"");
    for (unsigned i = 0, n = 1 + below(m, 2); i < n; i++) {
        put(m, ", ");
        expression(m, BOOL, 3);
        put(m, ", ");
        block(m, depth);
    }
    if (chance(m, 40)) {
        put(m, ", ");
        block(m, depth);
    }
    put(m, "]");
}

/* A call of a function with a status. */
static bool attempt(struct maker *m)
{
    for (unsigned i = 0; i < m->functions; i++) {
        const int out = m->f[i].status ? variable_of(m, m->f[i].out, true) : -1;
        const int status = variable_of(m, I32, true);
        const bool look = !m->status || chance(m, 50);
        if (out < 0 || (look && (status < 0 || !m->variables[out].assigned)))
            continue;
        if (look)
            put(m, "[\"status\", \"%s\", ", m->variables[status].name);
        else
            put(m, "[\"try\", ");
        put(m, "\"d%u_f%u\"", m->number, i);
        for (unsigned k = 0; k < m->f[i].nparams; k++) {
            put(m, ", ");
            expression(m, m->f[i].params[k], 2);
        }
        put(m, ", \"%s\"]", m->variables[out].name);
        return true;
    }
    return false;
}

static void statement(struct maker *m, unsigned depth)
{
    const unsigned kind = below(m, 20);
    if (kind < 6 && m->count < 40)
        let(m);
    else if (kind < 10 || depth == 0 || m->budget < 10)
        assign(m);
    else if (kind < 13)
        branch(m, depth - 1);
    else if (kind < 15)
        counted(m, depth - 1);
    else if (kind < 16)
        choose(m, depth - 1);
    else if (kind < 17 && m->loops)
        put(m, "[\"if\", true, [[\"%s\"]]]", chance(m, 50) ? "break" : "continue");
    else if (kind < 18 && m->status)
        put(m, "[\"if\", %s, [[\"fail\", \"not-found\"]]]", chance(m, 50) ? "[\"isnan\", {\"f64\": 1}]" : "false");
    else if (kind < 19 && attempt(m))
        return;
    else if (chance(m, 30)) {
        put(m, "[\"loop\", %u, ", 1 + below(m, 6));
        m->loops++;
        block(m, depth - 1);
        m->loops--;
        put(m, "]");
    } else
        assign(m);
}

static void block(struct maker *m, unsigned depth)
{
    const unsigned count = m->count;
    put(m, "[");
    for (unsigned i = 0, n = 1 + below(m, 3); i < n; i++) {
        put(m, i ? ", " : "");
        statement(m, depth);
    }
    put(m, "]");
    m->count = count;
}

static void function(struct maker *m)
{
    char type[32];
    const unsigned self = m->functions;
    m->count = m->made = 0;
    m->loops = 0;
    m->budget = 150;
    m->f[self].status = m->status = chance(m, 70);
    m->f[self].nparams = below(m, 4);
    put(m, "{\"name\": \"d%u_f%u\", \"params\": [", m->number, self);
    for (unsigned i = 0; i < m->f[self].nparams; i++) {
        const enum type t = (enum type)below(m, SCALARS);
        struct variable *v = declare(m, t);
        v->writable = false;
        v->assigned = true;
        m->f[self].params[i] = t;
        m->count++;
        put(m, "%s{\"name\": \"%s\", \"type\": \"%s\"}", i ? ", " : "", v->name, names[t]);
    }
    const enum type out = m->f[self].out = m->f[self].returns = (enum type)below(m, m->status ? TYPES : SCALARS);
    type_name(m, out, type, sizeof(type));
    if (m->status) {
        struct variable *v = declare(m, out);
        put(m, "%s{\"name\": \"%s\", \"type\": \"%s\", \"dir\": \"out\"}", m->f[self].nparams ? ", " : "", v->name,
            type);
        m->count++;
        put(m, "], \"returns\": \"status\", \"fault\": \"%s\", \"body\": [",
            chance(m, 50) ? "aborted" : "out-of-range");
        if (out < PAIR) {
            put(m, "[\"=\", \"%s\", ", v->name);
            expression(m, out, 3);
            put(m, "], ");
            v->assigned = true;
        }
    } else {
        put(m, "], \"returns\": \"%s\", \"body\": [", type);
    }
    for (unsigned i = 0, n = 2 + below(m, 6); i < n; i++) {
        put(m, "%u, ", i + 1);
        statement(m, 3);
        put(m, ", ");
    }
    put(m, m->status ? "[\"return\"" : "[\"return\", ");
    m->budget = 30;
    if (!m->status)
        expression(m, out, 4);
    put(m, "]]}");
    m->functions++;
}

void hot_generate(struct hot_random *random, unsigned number, struct cell_buffer *out)
{
    static struct maker maker;
    struct maker *m = &maker;
    memset(m, 0, sizeof(*m));
    m->random = random;
    m->out = out;
    m->number = number;
    put(m,
        "{\"cell.ast\": 1, \"types\": [{\"name\": \"d%u_enum\", \"kind\": \"enum\", \"type\": \"i32\", \"size\": 4, "
        "\"align\": 4, \"values\": [{\"name\": \"d%u_zero\", \"value\": \"0\"}]}, {\"name\": \"d%u_pair\", \"kind\": "
        "\"struct\", \"size\": 40, \"align\": 8, \"fields\": [{\"name\": \"kind\", \"type\": \"i16\", \"offset\": 0}, "
        "{\"name\": \"bytes\", \"type\": \"u8[4]\", \"offset\": 2}, {\"name\": \"x\", \"type\": \"f64\", \"offset\": "
        "8}, "
        "{\"name\": \"text\", \"type\": \"str\", \"offset\": 16}, {\"name\": \"role\", \"type\": \"d%u_enum\", "
        "\"offset\": 32}]}], \"functions\": [",
        number, number, number, number);
    for (unsigned i = 0, n = 1 + hot_below(random, 3); i < n; i++) {
        put(m, i ? ", " : "");
        function(m);
    }
    put(m, "]}");
}

/* ---- mutation ---- */

struct token {
    size_t begin, end;
};

/* Strings, numbers, words and brackets of the part behind "functions". */
static unsigned tokens(const struct cell_buffer *text, struct token *t, unsigned most)
{
    const char *p = strstr(text->data, "\"functions\"") + 13;
    unsigned n = 0;
    while (*p && n < most) {
        const char *begin = p;
        if (*p == '"') {
            for (p++; *p != '"'; p++)
                p += *p == '\\';
            p++;
            if (*p == ':') /* of a member, without which it is no JSON */
                continue;
        } else if (strchr("[]{},: ", *p)) {
            p++;
            if (*begin != '[')
                continue;
            unsigned depth = 1; /* an array is a token too, up to its end */
            for (const char *q = p; *q; q++) {
                depth += *q == '[';
                depth -= *q == ']';
                if (!depth) {
                    t[n++] = (struct token){(size_t)(begin - text->data), (size_t)(q + 1 - text->data)};
                    break;
                }
            }
            continue;
        } else {
            p += strcspn(p, "[]{},: ");
        }
        t[n++] = (struct token){(size_t)(begin - text->data), (size_t)(p - text->data)};
    }
    return n;
}

static void mutate_once(struct hot_random *random, const struct cell_buffer *text, struct cell_buffer *out)
{
    static const char *const words[] = {"0",        "-1",    "7",     "8",          "true",   "\"i32\"",
                                        "\"u8\"",   "\"+\"", "\"/\"", "\"[]\"",     "\"v0\"", "\"v1\"",
                                        "\"byte\"", "\"=\"", "1",     "\"status\"", "[]",     "\"f64\""};
    static struct token t[4096];
    const unsigned n = tokens(text, t, 4096);
    if (!n) {
        cell_buffer_append(out, text->data, text->len);
        return;
    }
    const struct token at = t[hot_below(random, n)], other = t[hot_below(random, n)];
    cell_buffer_append(out, text->data, at.begin);
    switch (hot_below(random, 4)) {
    case 0:
        cell_buffer_puts(out, words[hot_below(random, sizeof(words) / sizeof(words[0]))]);
        break;
    case 1: { /* left out, with its comma */
        size_t skip = at.end + strspn(text->data + at.end, ", ");
        cell_buffer_append(out, text->data + skip, text->len - skip);
        return;
    }
    case 2: /* twice */
        cell_buffer_append(out, text->data + at.begin, at.end - at.begin);
        cell_buffer_puts(out, ", ");
        cell_buffer_append(out, text->data + at.begin, at.end - at.begin);
        break;
    default:
        cell_buffer_append(out, text->data + other.begin, other.end - other.begin);
    }
    cell_buffer_append(out, text->data + at.end, text->len - at.end);
}

void hot_mutate(struct hot_random *random, const struct cell_buffer *text, struct cell_buffer *out)
{
    mutate_once(random, text, out);
    for (unsigned i = hot_below(random, 3); i > 0; i--) {
        struct cell_buffer again = {0};
        mutate_once(random, out, &again);
        cell_buffer_free(out);
        *out = again;
    }
}
