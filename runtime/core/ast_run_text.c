/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <ctype.h>
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/ast_run_impl.h"
#include "wire/message.h"

static int order(cell_str a, cell_str b)
{
    for (uint64_t i = 0; i < a.len && i < b.len; i++)
        if (a.ptr[i] != b.ptr[i])
            return (unsigned char)a.ptr[i] < (unsigned char)b.ptr[i] ? -1 : 1;
    return a.len < b.len ? -1 : a.len > b.len;
}

static bool at(cell_str s, cell_str part, uint64_t i)
{
    if (part.len > s.len || i > s.len - part.len)
        return false;
    for (uint64_t k = 0; k < part.len; k++)
        if (s.ptr[i + k] != part.ptr[k])
            return false;
    return true;
}

static int64_t find(cell_str s, cell_str part)
{
    for (uint64_t i = 0; i <= s.len; i++)
        if (at(s, part, i))
            return (int64_t)i;
    return -1;
}

/* The length of the valid sequence that begins at i, by trying: exactly one of the lengths is valid text. */
static uint64_t character(cell_str s, uint64_t i)
{
    for (uint64_t n = 1; n <= 4 && i < s.len && n <= s.len - i; n++)
        if (cell_utf8_valid(s.ptr + i, n))
            return n;
    return 0;
}

static int64_t code_point(cell_str s, uint64_t i)
{
    static const unsigned char lead[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    const uint64_t n = character(s, i);
    if (!n)
        return -1;
    int64_t c = (unsigned char)s.ptr[i] & lead[n];
    for (uint64_t k = 1; k < n; k++)
        c = c << 6 | ((unsigned char)s.ptr[i + k] & 0x3f);
    return c;
}

/* A copy with an end, in which nothing but digits and the like is what libc's readers take; NULL: memory is short. */
static char *copy_of(struct ast_machine *m, cell_str s)
{
    char *text = cell_ast_run_room(m, s.len + 1);
    for (uint64_t i = 0; text && i < s.len; i++)
        text[i] = s.ptr[i] ? s.ptr[i] : '?';
    if (text)
        text[s.len] = '\0';
    return text;
}

static bool read_i64(struct ast_machine *m, cell_str s, int64_t *value)
{
    char *text = copy_of(m, s), *end;
    if (!text)
        return false;
    const bool signed_ = s.len && (text[0] == '-' || text[0] == '+');
    bool ok = s.len > (uint64_t)signed_ && strspn(text + signed_, "0123456789") == s.len - signed_;
    errno = 0;
    long long v = ok ? strtoll(text, &end, 10) : 0;
    ok = ok && errno == 0;
    if (ok)
        *value = v;
    return ok;
}

static bool is_real(const char *text)
{
    size_t digits = 0, counted = 0;
    bool point = false, any = false;
    text += *text == '-' || *text == '+';
    for (; isdigit((unsigned char)*text) || (*text == '.' && !point); text++) {
        if (*text == '.') {
            point = true;
            continue;
        }
        any = true;
        digits += counted || *text != '0';
        counted = digits;
    }
    if (!any || digits > 40)
        return false;
    if (*text == 'e' || *text == 'E') {
        text += 1 + (text[1] == '-' || text[1] == '+');
        if (!isdigit((unsigned char)*text))
            return false;
        text += strspn(text, "0123456789");
    }
    return !*text;
}

static bool read_f64(struct ast_machine *m, cell_str s, double *value)
{
    char *text = copy_of(m, s);
    if (!text || !is_real(text))
        return false;
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0); /* whatever the program's is */
    if (!c) {
        cell_ast_run_stop(m, CELL_NO_MEMORY);
        return false;
    }
    double v = strtod_l(text, NULL, c);
    freelocale(c);
    if (isinf(v))
        return false;
    *value = v;
    return true;
}

static cell_str part_of(cell_str s, uint64_t begin, uint64_t len)
{
    if (begin > s.len)
        begin = s.len;
    if (len > s.len - begin)
        len = s.len - begin;
    return (cell_str){len ? s.ptr + begin : s.ptr, len};
}

union ast_value cell_ast_run_text(struct ast_machine *m, const struct ast_node *n, const union ast_value *v,
                                  const enum cell_kind *kinds, bool *fault)
{
    union ast_value r = {0};
    const cell_str s = v[0].str;
    (void)kinds;
    cell_ast_run_charge(m, s.len / 8 * (n->op == AST_FIND ? v[1].str.len + 1 : 1));
    switch (n->op) {
    case AST_LENGTH:
        r.bits = s.len;
        break;
    case AST_BYTE:
        if (v[1].bits >= s.len && n->proven & AST_IN_BOUNDS)
            cell_ast_unsound(m, n, "the index is out of the string");
        if (v[1].bits >= s.len)
            *fault = true;
        else
            r.bits = (unsigned char)s.ptr[v[1].bits];
        break;
    case AST_SAME:
        r.bits = order(s, v[1].str) == 0;
        break;
    case AST_ORDER:
        r.bits = (uint64_t)(int64_t)order(s, v[1].str);
        break;
    case AST_FIND:
        r.bits = (uint64_t)find(s, v[1].str);
        break;
    case AST_STARTS:
        r.bits = at(s, v[1].str, 0);
        break;
    case AST_ENDS:
        r.bits = v[1].str.len <= s.len && at(s, v[1].str, s.len - v[1].str.len);
        break;
    case AST_SUB_STR:
        r.str = part_of(s, v[1].bits, v[2].bits);
        break;
    case AST_UTF8_AT:
        r.bits = (uint64_t)code_point(s, v[1].bits);
        break;
    case AST_UTF8_NEXT:
        r.bits = v[1].bits >= s.len ? s.len : v[1].bits + (character(s, v[1].bits) ? character(s, v[1].bits) : 1);
        break;
    case AST_IS_I64:
    case AST_PARSE_I64: {
        int64_t value = (int64_t)v[1].bits;
        bool ok = read_i64(m, s, &value);
        r.bits = n->op == AST_IS_I64 ? ok : (uint64_t)value;
        break;
    }
    default: {
        double value = v[1].real;
        bool ok = read_f64(m, s, &value);
        if (n->op == AST_IS_F64)
            r.bits = ok;
        else
            r.real = value;
    }
    }
    return r;
}
