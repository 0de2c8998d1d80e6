/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* https://www.postgresql.org/docs/current/functions-matching.html#FUNCTIONS-POSIX-REGEXP */
#include "pattern.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define LAST_CHARACTER 0x10ffffu
#define DEPTH_MAX 32    /* of groups, as the rule has it */
#define BYTES_MAX 1024  /* the same */
#define REPEAT_MAX 255u /* PostgreSQL's; the rule's is 1000 */
#define RANGES_MAX 512

struct range {
    uint32_t low, high;
};

/* Characters; those of a class may overlap and stand in any order. */
struct set {
    struct range of[RANGES_MAX];
    size_t n;
};

struct translator {
    const char *text;
    size_t at;
    unsigned depth;
    struct pg_text out;
    struct pg_pattern_mistake *wrong;
};

static bool alternatives(struct translator *p);

static bool fail_at(struct translator *p, size_t at, const char *why)
{
    *p->wrong = (struct pg_pattern_mistake){at, why};
    return false;
}

static bool fail(struct translator *p, const char *why) { return fail_at(p, p->at, why); }

/* ---- what is written ---- */

static void put_character(struct translator *p, uint32_t c)
{
    static const char special[] = ".*+?()[]{}|^$\\-"; /* also those of a class */
    char utf8[4];
    const size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    if (c < ' ' || c == 0x7f) {
        pg_putf(&p->out, "\\u%04X", c);
        return;
    }
    if (c < 0x80 && strchr(special, (int)c))
        pg_puts(&p->out, "\\");
    for (size_t i = n - 1; i > 0; i--, c >>= 6)
        utf8[i] = (char)(0x80 | (c & 0x3f));
    utf8[0] = n == 1 ? (char)c : (char)((0xf00u >> n) | c);
    pg_append(&p->out, utf8, n);
}

static void put_ranges(struct translator *p, const char *begin, const struct range *of, size_t n)
{
    pg_puts(&p->out, begin);
    for (size_t i = 0; i < n; i++) {
        put_character(p, of[i].low);
        if (of[i].high > of[i].low + 1)
            pg_puts(&p->out, "-");
        if (of[i].high > of[i].low)
            put_character(p, of[i].high);
    }
    pg_puts(&p->out, "]");
}

/* ---- sets ---- */

static bool add(struct translator *p, struct set *s, uint32_t low, uint32_t high)
{
    if (s->n == RANGES_MAX)
        return fail(p, "the class is too large");
    s->of[s->n++] = (struct range){low, high};
    return true;
}

/* In order, without overlaps. */
static void settle(struct set *s)
{
    size_t n = 0;
    for (size_t i = 1; i < s->n; i++)
        for (size_t k = i; k > 0 && s->of[k].low < s->of[k - 1].low; k--) {
            struct range swap = s->of[k];
            s->of[k] = s->of[k - 1];
            s->of[k - 1] = swap;
        }
    for (size_t i = 0; i < s->n; i++)
        if (n && s->of[i].low <= s->of[n - 1].high + 1)
            s->of[n - 1].high = s->of[i].high > s->of[n - 1].high ? s->of[i].high : s->of[n - 1].high;
        else
            s->of[n++] = s->of[i];
    s->n = n;
}

/* All other characters; there is none of the number 0. At most one range more. */
static void negate(struct set *s)
{
    struct set other = {.n = 0};
    uint32_t next = 1;
    settle(s);
    for (size_t i = 0; i < s->n; i++) {
        if (s->of[i].low > next)
            other.of[other.n++] = (struct range){next, s->of[i].low - 1};
        next = s->of[i].high + 1;
    }
    if (next <= LAST_CHARACTER && other.n < RANGES_MAX)
        other.of[other.n++] = (struct range){next, LAST_CHARACTER};
    *s = other;
}

/* \d \w \s \D \W \S: false for any other letter. */
static bool named_set(char name, struct set *s)
{
    static const struct set sets[] = {
        {{{'0', '9'}}, 1}, {{{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}, 4}, {{{'\t', '\r'}, {' ', ' '}}, 2}};
    const char *names = "dwsDWS", *found = name ? strchr(names, name) : NULL;
    if (!found)
        return false;
    *s = sets[(found - names) % 3];
    if (found - names >= 3)
        negate(s);
    return true;
}

/* Whatever is shorter: the characters, or the others. */
static bool put_set(struct translator *p, struct set *s, size_t at)
{
    settle(s);
    if (!s->n)
        return fail_at(p, at, "no character matches this class");
    if (s->n == 1 && s->of[0].low == s->of[0].high) {
        put_character(p, s->of[0].low);
        return true;
    }
    if (s->of[s->n - 1].high < LAST_CHARACTER) {
        put_ranges(p, "[", s->of, s->n);
        return true;
    }
    negate(s);
    if (s->n)
        put_ranges(p, "[^", s->of, s->n);
    else
        pg_puts(&p->out, "."); /* also a line feed */
    return true;
}

/* ---- what is read ---- */

/* The text is UTF-8. */
static uint32_t take_character(struct translator *p)
{
    const unsigned char *t = (const unsigned char *)p->text + p->at;
    unsigned n = t[0] < 0x80 ? 1 : t[0] < 0xe0 ? 2 : t[0] < 0xf0 ? 3 : 4;
    uint32_t c = n == 1 ? t[0] : t[0] & (0x7fu >> n);
    p->at++;
    for (unsigned i = 1; i < n && t[i]; i++, p->at++)
        c = c << 6 | (t[i] & 0x3f);
    return c;
}

static bool take_hex(struct translator *p, unsigned digits, uint32_t *c)
{
    const size_t begin = p->at - 2;
    const bool braces = digits == 4 && p->text[p->at] == '{';
    unsigned n = 0;
    p->at += braces;
    for (*c = 0; n < (braces ? 6 : digits); n++, p->at++) {
        const char digit = p->text[p->at];
        const char lower = digit >= 'A' && digit <= 'F' ? (char)(digit | 0x20) : digit;
        const char *hex = "0123456789abcdef", *found = lower ? strchr(hex, lower) : NULL;
        if (!found)
            break;
        *c = *c << 4 | (uint32_t)(found - hex);
    }
    if (!n || (!braces && n < digits) || (braces && p->text[p->at++] != '}'))
        return fail_at(p, begin, "\\xHH, \\uHHHH or \\u{HHHHHH} is expected");
    if (*c == 0 || *c > LAST_CHARACTER || (*c >= 0xd800 && *c <= 0xdfff))
        return fail_at(p, begin, "there is no such character");
    return true;
}

/* Behind a backslash: a character, or *named, a set. */
static bool take_escape(struct translator *p, struct set *s, uint32_t *c, bool *named)
{
    static const char letters[] = "nrtfv", meant[] = "\n\r\t\f\v";
    const char e = p->text[p->at], lower = (char)(e | 0x20);
    const char *found = e ? strchr(letters, e) : NULL;
    *named = named_set(e, s);
    if (*named) {
        p->at++;
        return true;
    }
    if (e == 'x' || e == 'u') {
        p->at++;
        return take_hex(p, e == 'x' ? 2 : 4, c);
    }
    if (!found && (e == '\0' || e & 0x80 || (e >= '0' && e <= '9') || (lower >= 'a' && lower <= 'z')))
        return fail_at(p, p->at - 1, "there is no such escape");
    *c = found ? (uint32_t)meant[found - letters] : (uint32_t)e;
    p->at++;
    return true;
}

/* One side of a range, or what stands for itself. */
static bool take_item(struct translator *p, struct set *s, uint32_t *c, bool *named)
{
    *named = false;
    if (p->text[p->at] == '\0')
        return fail(p, "a class without its ]");
    if (p->text[p->at] == '[' && p->text[p->at + 1] && strchr(":.=", p->text[p->at + 1]))
        return fail(p, "classes with names are not known: write [ as \\[");
    if (p->text[p->at] == '\\') {
        p->at++;
        return take_escape(p, s, c, named);
    }
    *c = take_character(p);
    return true;
}

static bool take_range(struct translator *p, struct set *all)
{
    struct set s;
    uint32_t low = 0, high;
    bool named, other;
    const size_t from = p->at;
    if (!take_item(p, &s, &low, &named))
        return false;
    high = low;
    if (p->text[p->at] == '-' && p->text[p->at + 1] != ']' && p->text[p->at + 1]) {
        p->at++;
        if (!named && !take_item(p, &s, &high, &other))
            return false;
        if (named || other)
            return fail_at(p, from, "a range between what is no character; write - as \\-");
        if (high < low)
            return fail_at(p, from, "a range that ends before it begins");
    }
    for (size_t i = 0; named && i < s.n; i++)
        if (!add(p, all, s.of[i].low, s.of[i].high))
            return false;
    return named || add(p, all, low, high);
}

static bool take_class(struct translator *p)
{
    struct set all = {.n = 0};
    const size_t begin = p->at - 1;
    const bool negated = p->text[p->at] == '^';
    p->at += negated;
    if (p->text[p->at] == ']')
        return fail_at(p, begin, "an empty class; write ] as \\]");
    while (p->text[p->at] != ']')
        if (!take_range(p, &all))
            return false;
    p->at++;
    if (negated)
        negate(&all);
    return put_set(p, &all, begin);
}

static bool take_group(struct translator *p)
{
    const size_t begin = p->at - 1;
    if (strncmp(p->text + p->at, "?:", 2) == 0)
        p->at += 2;
    else if (p->text[p->at] == '?')
        return fail(p, "of groups with (? only (?: is known");
    if (++p->depth > DEPTH_MAX)
        return fail_at(p, begin, "groups are nested too deep");
    pg_puts(&p->out, "(?:");
    if (!alternatives(p))
        return false;
    p->depth--;
    if (p->text[p->at] != ')')
        return fail_at(p, begin, "a ( without its )");
    p->at++;
    pg_puts(&p->out, ")");
    return true;
}

static bool take_atom(struct translator *p)
{
    struct set s = {.n = 0};
    uint32_t c = 0;
    bool named = false;
    const size_t begin = p->at;
    switch (p->text[p->at]) {
    case '(':
        p->at++;
        return take_group(p);
    case '[':
        p->at++;
        return take_class(p);
    case '*':
    case '+':
    case '?':
    case '{':
        return fail(p, "nothing to repeat here; write it with a backslash");
    case ']':
    case '}':
        return fail(p, "it closes nothing; write it with a backslash");
    case '^':
    case '$':
        return fail(p, "the whole text is matched; write ^ and $ only around it, or with a backslash");
    case '.':
        p->at++;
        pg_puts(&p->out, "[^\\n]");
        return true;
    case '\\':
        p->at++;
        if (!take_escape(p, &s, &c, &named))
            return false;
        break;
    default:
        c = take_character(p);
    }
    return named ? put_set(p, &s, begin) : (put_character(p, c), true);
}

static bool take_number(struct translator *p, uint32_t *n)
{
    const size_t begin = p->at;
    for (*n = 0; p->text[p->at] >= '0' && p->text[p->at] <= '9'; p->at++)
        if (*n <= REPEAT_MAX)
            *n = *n * 10 + (uint32_t)(p->text[p->at] - '0');
    return p->at > begin;
}

static bool take_quantifier(struct translator *p)
{
    const size_t begin = p->at;
    const char q = p->text[p->at];
    if (!q || !strchr("*+?{", q))
        return true;
    p->at++;
    if (q == '{') {
        uint32_t least = 0, most = 0;
        bool good = take_number(p, &least);
        most = least;
        if (good && p->text[p->at] == ',' && (p->at++, !take_number(p, &most)))
            most = least;
        if (!good || p->text[p->at] != '}')
            return fail_at(p, begin, "{n}, {n,} or {n,m} is expected; write { as \\{");
        if (least > REPEAT_MAX || most > REPEAT_MAX)
            return fail_at(p, begin, "PostgreSQL repeats at most 255 times");
        if (most < least)
            return fail_at(p, begin, "a repetition that ends before it begins");
        p->at++;
    }
    if (p->text[p->at] && strchr("*+?{", p->text[p->at]))
        return fail(p, "a repetition of a repetition; lazy and possessive ones have no meaning here");
    pg_append(&p->out, p->text + begin, p->at - begin);
    return true;
}

static bool take_sequence(struct translator *p)
{
    const bool top = p->depth == 0;
    if (top && p->text[p->at] == '^')
        p->at++;
    while (p->text[p->at] && !strchr("|)", p->text[p->at])) {
        if (top && p->text[p->at] == '$' && (p->text[p->at + 1] == '\0' || p->text[p->at + 1] == '|')) {
            p->at++;
            return true;
        }
        if (!take_atom(p) || !take_quantifier(p))
            return false;
    }
    return true;
}

static bool alternatives(struct translator *p)
{
    if (!take_sequence(p))
        return false;
    while (p->text[p->at] == '|') {
        p->at++;
        pg_puts(&p->out, "|");
        if (!take_sequence(p))
            return false;
    }
    return true;
}

const char *pg_pattern_translate(struct pg_arena *arena, const char *pattern, struct pg_pattern_mistake *wrong)
{
    struct translator p = {.text = pattern, .out = {.arena = arena}, .wrong = wrong};
    const size_t len = strlen(pattern);
    if (!len || len > BYTES_MAX) {
        fail(&p, len ? "a pattern has at most 1024 bytes" : "an empty pattern");
        return NULL;
    }
    pg_puts(&p.out, "^(?:");
    if (!alternatives(&p))
        return NULL;
    if (p.text[p.at]) {
        fail(&p, "a ) without its (");
        return NULL;
    }
    pg_puts(&p.out, ")$");
    return p.out.data;
}
