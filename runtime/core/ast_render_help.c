/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The functions that rendered text brings along: what C does not define, or defines by locale, or computes otherwise
 * when it is optimised. '@' stands for the beginning of their names, '$' for the string type. */
#include <stdlib.h>
#include <string.h>

#include "core/ast_render.h"

/* A float that does not fit becomes the nearest end, NaN 0. */
#define SATURATE(T, name, above, below, least, most)                                                                   \
    "static inline " T " @" name "(double x)\n{\n    return x " above " && x < " below " ? (" T                        \
    ")x : x != x ? 0 : x < 0 ? " least " : " most ";\n}\n"

static const char *const texts[] = {
    [AST_HELPER_TO_I8] = SATURATE("int8_t", "i8", "> -129.0", "128.0", "-128", "127"),
    [AST_HELPER_TO_U8] = SATURATE("uint8_t", "u8", "> -1.0", "256.0", "0", "255"),
    [AST_HELPER_TO_I16] = SATURATE("int16_t", "i16", "> -32769.0", "32768.0", "-32768", "32767"),
    [AST_HELPER_TO_U16] = SATURATE("uint16_t", "u16", "> -1.0", "65536.0", "0", "65535"),
    [AST_HELPER_TO_I32] =
        SATURATE("int32_t", "i32", "> -2147483649.0", "2147483648.0", "-2147483647 - 1", "2147483647"),
    [AST_HELPER_TO_U32] = SATURATE("uint32_t", "u32", "> -1.0", "4294967296.0", "0u", "4294967295u"),
    [AST_HELPER_TO_I64] = SATURATE("int64_t", "i64", ">= -9223372036854775808.0", "9223372036854775808.0",
                                   "-9223372036854775807l - 1", "9223372036854775807l"),
    [AST_HELPER_TO_U64] =
        SATURATE("uint64_t", "u64", "> -1.0", "18446744073709551616.0", "0ul", "18446744073709551615ul"),
    /* An optimiser makes other functions of pow with a base or exponent that it knows; these round otherwise. */
    [AST_HELPER_POW] = "static inline double @pow(double x, double y)\n"
                       "{\n    __asm__(\"\" : \"+r\"(x), \"+r\"(y));\n    return __builtin_pow(x, y);\n}\n",
    /* lgamma itself writes a global variable. */
    [AST_HELPER_LGAMMA] =
        "double @lgamma_r(double, int *) __asm__(\"lgamma_r\");\n"
        "static inline double @lgamma(double x)\n{\n    int sign;\n    return @lgamma_r(x, &sign);\n}\n",
    [AST_HELPER_SAME] =
        "static inline int @same($ a, $ b)\n"
        "{\n    return a.len == b.len && (a.len == 0 || __builtin_memcmp(a.ptr, b.ptr, a.len) == 0);\n}\n",
    [AST_HELPER_ORDER] = "static inline int32_t @compare($ a, $ b)\n"
                         "{\n    const uint64_t n = a.len < b.len ? a.len : b.len;\n"
                         "    const int order = n ? __builtin_memcmp(a.ptr, b.ptr, n) : 0;\n"
                         "    return order ? (order > 0) - (order < 0) : (a.len > b.len) - (a.len < b.len);\n}\n",
    [AST_HELPER_FIND] = "void *@memmem(const void *, __SIZE_TYPE__, const void *, __SIZE_TYPE__) __asm__(\"memmem\");\n"
                        "static inline int64_t @find($ s, $ part)\n"
                        "{\n    if (part.len == 0)\n        return 0;\n    if (part.len > s.len)\n        return -1;\n"
                        "    const char *p = (const char *)@memmem(s.ptr, s.len, part.ptr, part.len);\n"
                        "    return p ? p - s.ptr : -1;\n}\n",
    [AST_HELPER_STARTS] = "static inline int @starts($ s, $ part)\n"
                          "{\n    return part.len == 0 || (part.len <= s.len && __builtin_memcmp(s.ptr, part.ptr, "
                          "part.len) == 0);\n}\n",
    [AST_HELPER_ENDS] =
        "static inline int @ends($ s, $ part)\n"
        "{\n    return part.len == 0 || (part.len <= s.len && __builtin_memcmp(s.ptr + (s.len - part.len), "
        "part.ptr, part.len) == 0);\n}\n",
    [AST_HELPER_SUB] = "static inline $ @sub($ s, uint64_t begin, uint64_t len)\n"
                       "{\n    begin = begin < s.len ? begin : s.len;\n"
                       "    len = len < s.len - begin ? len : s.len - begin;\n"
                       "    $ part = {s.len ? s.ptr + begin : s.ptr, len};\n    return part;\n}\n",
    /* As in RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. */
    [AST_HELPER_UTF8_LENGTH] =
        "static inline int @utf8_length($ s, uint64_t i)\n{\n    if (i >= s.len)\n        return 0;\n"
        "    const uint8_t *p = (const uint8_t *)s.ptr + i, c = p[0];\n    const uint64_t left = s.len - i;\n"
        "    if (c < 0x80)\n        return 1;\n    if (c < 0xc2 || c > 0xf4 || left < 2 || (p[1] & 0xc0) != 0x80)\n"
        "        return 0;\n    if (c < 0xe0)\n        return 2;\n    if (left < 3 || (p[2] & 0xc0) != 0x80)\n"
        "        return 0;\n    if (c < 0xf0)\n"
        "        return (c == 0xe0 && p[1] < 0xa0) || (c == 0xed && p[1] > 0x9f) ? 0 : 3;\n"
        "    if (left < 4 || (p[3] & 0xc0) != 0x80)\n        return 0;\n"
        "    return (c == 0xf0 && p[1] < 0x90) || (c == 0xf4 && p[1] > 0x8f) ? 0 : 4;\n}\n",
    [AST_HELPER_UTF8_AT] = "static inline int32_t @utf8_at($ s, uint64_t i)\n"
                           "{\n    const int n = @utf8_length(s, i);\n    if (n == 0)\n        return -1;\n"
                           "    int32_t c = (uint8_t)s.ptr[i];\n    if (n == 1)\n        return c;\n"
                           "    c &= 0x7f >> n;\n    for (int k = 1; k < n; k++)\n"
                           "        c = c * 64 + ((uint8_t)s.ptr[i + (uint64_t)k] & 0x3f);\n    return c;\n}\n",
    [AST_HELPER_UTF8_NEXT] = "static inline uint64_t @utf8_next($ s, uint64_t i)\n"
                             "{\n    const int n = @utf8_length(s, i);\n"
                             "    return i >= s.len ? s.len : i + (n ? (uint64_t)n : 1);\n}\n",
    [AST_HELPER_READ_I64] =
        "static inline int @read_i64($ s, int64_t *value)\n"
        "{\n    const int minus = s.len && s.ptr[0] == '-';\n"
        "    uint64_t i = s.len && (minus || s.ptr[0] == '+'), v = 0;\n    if (i == s.len)\n        return 0;\n"
        "    for (; i < s.len; i++) {\n        const uint8_t d = (uint8_t)(s.ptr[i] - '0');\n"
        "        if (d > 9 || v > 922337203685477580ul)\n            return 0;\n        v = v * 10 + d;\n"
        "        if (v > 9223372036854775807ul + (uint64_t)minus)\n            return 0;\n    }\n"
        "    *value = (int64_t)(minus ? 0 - v : v);\n    return 1;\n}\n",
    [AST_HELPER_IS_I64] = "static inline int @is_i64($ s)\n{\n    int64_t v;\n    return @read_i64(s, &v);\n}\n",
    [AST_HELPER_PARSE_I64] = "static inline int64_t @parse_i64($ s, int64_t otherwise)\n"
                             "{\n    int64_t v = otherwise;\n    @read_i64(s, &v);\n    return v;\n}\n",
    /* w * 2^exponent, and a little more when `more`, to nearest, ties to even; 0 = it is too large. */
    [AST_HELPER_ROUND_F64] =
        "static inline int @round_f64(const uint32_t *w, int n, int exponent, int more, double *value)\n"
        "{\n    while (n > 0 && w[n - 1] == 0)\n        n--;\n    if (n == 0) {\n        *value = 0;\n        return "
        "1;\n"
        "    }\n    const int bits = n * 32 - __builtin_clz(w[n - 1]);\n    int drop = bits - 53;\n"
        "    if (drop + exponent < -1074)\n        drop = -1074 - exponent;\n    uint64_t top = 0;\n"
        "    int half = 0;\n    for (int i = bits - 1; i >= 0; i--) {\n"
        "        const uint32_t bit = w[i / 32] >> (i % 32) & 1;\n        if (i >= drop)\n            top = top * 2 + "
        "bit;\n"
        "        else if (i == drop - 1)\n            half = (int)bit;\n        else if (bit)\n            more = 1;\n "
        "   }\n"
        "    if (half && (more || top & 1))\n        top++;\n"
        "    const double v = __builtin_ldexp((double)top, exponent + (drop > 0 ? drop : 0));\n"
        "    if (v > 1.7976931348623157e308)\n        return 0;\n    *value = v;\n    return 1;\n}\n",
    /* digits * 10^e: multiplied out, or divided by 10^9 at a time, which leaves the same floor as at once. */
    [AST_HELPER_SCALE_F64] =
        "static inline int @scale_f64(uint32_t *w, int e, double *value)\n"
        "{\n    enum { size = 48 };\n    int n = 8, more = 0, shift = 0;\n    for (; e > 0; e--) {\n"
        "        uint64_t carry = 0;\n        for (int i = 0; i < n; i++) {\n            carry += w[i] * 10ul;\n"
        "            w[i] = (uint32_t)carry;\n            carry >>= 32;\n        }\n        if (carry) {\n"
        "            if (n == size)\n                return 0;\n            w[n++] = (uint32_t)carry;\n        }\n    "
        "}\n"
        "    if (e < 0) {\n        shift = size - 8;\n        for (int i = 7; i >= 0; i--) {\n"
        "            w[i + shift] = w[i];\n            w[i] = 0;\n        }\n        n = size;\n    }\n"
        "    while (e < 0) {\n        uint32_t by = 1;\n        uint64_t rest = 0;\n"
        "        for (int k = 0; k < 9 && e < 0; k++, e++)\n            by *= 10;\n"
        "        for (int i = n - 1; i >= 0; i--) {\n            rest = rest << 32 | w[i];\n"
        "            w[i] = (uint32_t)(rest / by);\n            rest %= by;\n        }\n        more |= rest != 0;\n   "
        " }\n"
        "    return @round_f64(w, n, shift * -32, more, value);\n}\n",
    /* [+-] digits [. digits] [e [+-] digits]: up to 40 digits from the first that is not 0, nearest value, no
     * infinities. */
    [AST_HELPER_READ_F64] =
        "static inline int @read_f64($ s, double *value)\n"
        "{\n    uint32_t w[48] = {0};\n    const int minus = s.len && s.ptr[0] == '-';\n"
        "    uint64_t i = s.len && (minus || s.ptr[0] == '+');\n"
        "    int digits = 0, any = 0, point = 0, zero = 1;\n    int64_t e = 0, written = 0;\n    double v = 0;\n"
        "    for (; i < s.len; i++) {\n        const uint8_t d = (uint8_t)(s.ptr[i] - '0');\n"
        "        if (s.ptr[i] == '.' && !point) {\n            point = 1;\n            continue;\n        }\n"
        "        if (d > 9)\n            break;\n        any = 1;\n        e -= point;\n        zero &= d == 0;\n"
        "        if (digits == 0 && d == 0)\n            continue;\n        if (++digits > 40)\n            return 0;\n"
        "        uint64_t carry = d;\n        for (int k = 0; k < 5; k++) {\n            carry += w[k] * 10ul;\n"
        "            w[k] = (uint32_t)carry;\n            carry >>= 32;\n        }\n    }\n"
        "    if (!any)\n        return 0;\n    if (i < s.len) {\n        if (s.ptr[i] != 'e' && s.ptr[i] != 'E')\n"
        "            return 0;\n        i++;\n        const int less = i < s.len && s.ptr[i] == '-';\n"
        "        i += less || (i < s.len && s.ptr[i] == '+');\n        if (i == s.len)\n            return 0;\n"
        "        for (; i < s.len; i++) {\n            const uint8_t d = (uint8_t)(s.ptr[i] - '0');\n"
        "            if (d > 9)\n                return 0;\n            if (written < 1000000000000000)\n"
        "                written = written * 10 + d;\n        }\n        e += less ? -written : written;\n    }\n"
        "    if (!zero && e + digits > 310)\n        return 0;\n"
        "    if (digits <= 15 && e >= -22 && e <= 22) {\n" /* both exact, so that one rounding is all */
        "        double power = 1;\n        for (int64_t k = e < 0 ? -e : e; k > 0; k--)\n            power *= 10;\n"
        "        v = (double)((uint64_t)w[1] << 32 | w[0]);\n        v = e < 0 ? v / power : v * power;\n"
        "    } else if (!zero && e + digits > -330 && !@scale_f64(w, (int)e, &v)) {\n        return 0;\n    }\n"
        "    *value = minus ? -v : v;\n    return 1;\n}\n",
    [AST_HELPER_IS_F64] = "static inline int @is_f64($ s)\n{\n    double v;\n    return @read_f64(s, &v);\n}\n",
    [AST_HELPER_PARSE_F64] = "static inline double @parse_f64($ s, double otherwise)\n"
                             "{\n    double v = otherwise;\n    @read_f64(s, &v);\n    return v;\n}\n",
};

const char *cell_ast_helper_name(enum ast_helper h)
{
    static const char *const names[] = {
#define NAME(symbol, name) name,
        AST_HELPER_MAP(NAME)
#undef NAME
    };
    return names[h];
}

enum ast_helper cell_ast_helper_of(const struct ast_node *n)
{
    if (cell_ast_class(n->op) == AST_CLASS_CAST && n->op != AST_CAST_BOOL && n->op < AST_CAST_F32)
        return cell_ast_is_float(cell_ast_scalar(&n->args[0]->type)) && !(n->proven & AST_IN_BOUNDS)
                   ? (enum ast_helper)(AST_HELPER_TO_I8 + (n->op - AST_CAST_I8))
                   : AST_HELPERS;
    if (n->op == AST_POW || n->op == AST_LGAMMA)
        return n->op == AST_POW ? AST_HELPER_POW : AST_HELPER_LGAMMA;
    if (cell_ast_class(n->op) == AST_CLASS_TEXT)
        for (unsigned h = AST_HELPER_SAME; h < AST_HELPERS; h++)
            if (strcmp(cell_ast_helper_name((enum ast_helper)h), cell_ast_op_name(n->op)) == 0)
                return (enum ast_helper)h;
    return AST_HELPERS;
}

static void mark(const struct ast_node *n, bool *used)
{
    const enum ast_helper h = cell_ast_class(n->op) == AST_CLASS_STATEMENT ? AST_HELPERS : cell_ast_helper_of(n);
    if (h != AST_HELPERS)
        used[h] = true;
    for (uint32_t i = 0; i < n->nargs; i++)
        mark(n->args[i], used);
}

/* What helpers use themselves: those stand before them. */
static void mark_needed(bool *used)
{
    static const struct {
        enum ast_helper by, needed;
    } uses[] = {
        {AST_HELPER_PARSE_F64, AST_HELPER_READ_F64},  {AST_HELPER_IS_F64, AST_HELPER_READ_F64},
        {AST_HELPER_READ_F64, AST_HELPER_SCALE_F64},  {AST_HELPER_SCALE_F64, AST_HELPER_ROUND_F64},
        {AST_HELPER_PARSE_I64, AST_HELPER_READ_I64},  {AST_HELPER_IS_I64, AST_HELPER_READ_I64},
        {AST_HELPER_UTF8_AT, AST_HELPER_UTF8_LENGTH}, {AST_HELPER_UTF8_NEXT, AST_HELPER_UTF8_LENGTH},
    };
    for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++)
        used[uses[i].needed] = used[uses[i].needed] || used[uses[i].by];
}

void cell_ast_render_helpers(struct ast_render *r)
{
    bool used[AST_HELPERS] = {false};
    for (uint32_t i = 0; i < r->doc->nfunctions; i++)
        mark(r->doc->functions[i].body, used);
    mark_needed(used);
    for (unsigned h = 0; h < AST_HELPERS; h++) {
        for (const char *p = used[h] ? texts[h] : ""; *p; p++) {
            if (*p == '@')
                ast_printf(r, "cellgen_%s_h_", r->o->unit);
            else if (*p == '$')
                ast_put(r, cell_ast_c_type(r, CELL_KIND_STR));
            else
                cell_buffer_append(r->out, p, 1);
        }
    }
}
