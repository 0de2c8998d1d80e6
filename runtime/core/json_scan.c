/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What is decided about JSON from its bytes, before a parser that allocates sees them; and text for messages. */
#include <string.h>

#include "core/json.h"
#include "wire/limits.h"
#include "wire/message.h"

#define LARGEST_INTEGER UINT64_C(9007199254740991) /* 2^53 - 1: what every JSON reader keeps exactly (RFC 8785) */
#define MOST_DIGITS 16u

struct scan {
    const char *p, *end, *line_begin;
    size_t line;
    unsigned depth, members;
    bool opened; /* the last token opened a container: what follows is its first member, or its end */
    int status;
    struct cell_error *e;
};

__attribute__((format(printf, 2, 3))) static int fail(struct scan *s, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    cell_error_vset(s->e, s->status, format, args);
    va_end(args);
    if (s->e)
        cell_error_wrap(s->e, "line %zu, column %zu", s->line, (size_t)(s->p - s->line_begin) + 1);
    return s->status;
}

static int scan_string(struct scan *s)
{
    for (s->p++; s->p < s->end && *s->p != '"'; s->p++) {
        if (*s->p == '\0')
            return fail(s, "NUL is not allowed");
        if (*s->p != '\\' || s->end - s->p < 2)
            continue;
        if (s->end - s->p >= 6 && memcmp(s->p, "\\u0000", 6) == 0)
            return fail(s, "NUL is not allowed, also not as \\u0000");
        s->p += s->p[1] == '"' || s->p[1] == '\\';
    }
    return CELL_OK;
}

/* Whether the digits form a number is the parser's business; here it only matters that it would be an integer in range.
 */
static int scan_number(struct scan *s)
{
    const char *begin = s->p, *end = begin;
    uint64_t value = 0;
    unsigned digits = 0;
    for (; end < s->end && *end && strchr("0123456789+-.eE", *end); end++) {
        if (strchr(".eE", *end))
            return fail(s, "an integer is expected, real numbers are not allowed");
        if (*end >= '0' && *end <= '9' && digits++ < MOST_DIGITS)
            value = value * 10 + (unsigned)(*end - '0');
    }
    if (digits > MOST_DIGITS || value > LARGEST_INTEGER)
        return fail(s, "the integer is out of range, 2^53 - 1 is the largest");
    s->p = end - 1;
    return CELL_OK;
}

static int scan_open(struct scan *s)
{
    if (++s->depth > CELL_MAX_JSON_DEPTH)
        return fail(s, "nested deeper than %u", CELL_MAX_JSON_DEPTH);
    s->opened = true;
    return CELL_OK;
}

static int count_member(struct scan *s)
{
    if (++s->members > CELL_MAX_JSON_MEMBERS)
        return fail(s, "more than %u members and elements", CELL_MAX_JSON_MEMBERS);
    return CELL_OK;
}

static int scan_token(struct scan *s)
{
    char c = *s->p;
    int r = CELL_OK;
    if (s->opened && c != '}' && c != ']')
        r = count_member(s);
    s->opened = false;
    if (r < 0)
        return r;
    switch (c) {
    case '\0':
        return fail(s, "NUL is not allowed");
    case '"':
        return scan_string(s);
    case '{':
    case '[':
        return scan_open(s);
    case '}':
    case ']':
        s->depth -= s->depth > 0;
        return CELL_OK;
    case ',':
        return count_member(s);
    default:
        return c == '-' || (c >= '0' && c <= '9') ? scan_number(s) : CELL_OK;
    }
}

static int check_utf8(struct scan *s)
{
    if (cell_utf8_valid(s->p, (size_t)(s->end - s->p)))
        return CELL_OK;
    for (;; s->line++) { /* a new line never stands inside a character */
        const char *newline = memchr(s->p, '\n', (size_t)(s->end - s->p));
        if (!newline || !cell_utf8_valid(s->p, (size_t)(newline - s->p)))
            return cell_error_set(s->e, s->status, "line %zu: not valid UTF-8", s->line);
        s->p = newline + 1;
    }
}

int cell_json_measure(const char *text, size_t len, int status, struct cell_error *e)
{
    if (len > CELL_MAX_COMPILE_REPLY)
        return cell_error_set(e, CELL_TOO_LARGE, "%zu bytes of JSON, %u is the limit", len, CELL_MAX_COMPILE_REPLY);
    if (len == 0)
        return cell_error_set(e, status, "no JSON: the document is empty");
    struct scan s = {.p = text, .end = text + len, .line_begin = text, .line = 1, .status = status, .e = e};
    int r = check_utf8(&s);
    for (; r == CELL_OK && s.p < s.end; s.p++) {
        if (*s.p == '\n') {
            s.line++;
            s.line_begin = s.p + 1;
        } else if (*s.p != ' ' && *s.p != '\t' && *s.p != '\r') {
            r = scan_token(&s);
        }
    }
    return r;
}

size_t cell_json_control(const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    if (p[0] < 0x20 || p[0] == 0x7f)
        return p[0] != 0;
    if (p[0] == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f)
        return 2;
    if (p[0] == 0xe2 && p[1] == 0x80 && p[2] >= 0xa8 && p[2] <= 0xae)
        return 3;
    return p[0] == 0xe2 && p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9 ? 3 : 0;
}

/* The length of the character at `text`, 0 when it is no UTF-8. */
static size_t character(const char *text)
{
    unsigned char lead = (unsigned char)*text;
    size_t n = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    return strnlen(text, n) == n && cell_utf8_valid(text, n) ? n : 0;
}

const char *cell_json_quote(const char *text, char *out, size_t size)
{
    size_t used = 0;
    while (*text) {
        size_t control = cell_json_control(text), n = control ? 0 : character(text);
        if (used + (n ? n : 1) + sizeof("...") > size) {
            memcpy(out + used, "...", 3);
            used += 3;
            break;
        }
        if (n)
            memcpy(out + used, text, n);
        else
            out[used] = '?';
        used += n ? n : 1;
        text += n ? n : control ? control : 1;
    }
    out[used] = '\0';
    return out;
}
