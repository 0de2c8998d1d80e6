/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* From a pattern's text to an automaton that may be in several states at once (K. Thompson, "Regular Expression Search
 * Algorithm", CACM 11, 1968). */
#include <string.h>

#include "core/pattern_impl.h"

#define LAST_CHARACTER 0x10ffffu
#define NO_LIMIT UINT32_MAX

static int alternatives(struct pattern_parser *p, struct pattern_part *out);

/* ---- the text ---- */

/* A character of the text, which is UTF-8. */
static uint32_t take_character(struct pattern_parser *p)
{
    const uint8_t *t = (const uint8_t *)p->text + p->at;
    unsigned n = t[0] < 0x80 ? 1 : t[0] < 0xe0 ? 2 : t[0] < 0xf0 ? 3 : 4;
    uint32_t c = n == 1 ? t[0] : t[0] & (0x7fu >> n);
    for (unsigned i = 1; i < n; i++)
        c = c << 6 | (t[i] & 0x3f);
    p->at += n;
    return c;
}

static int take_hex(struct pattern_parser *p, unsigned digits, uint32_t *c)
{
    size_t begin = p->at;
    bool braces = digits == 4 && p->text[p->at] == '{';
    p->at += braces;
    *c = 0;
    for (unsigned n = 0; n < (braces ? 6 : digits); n++) {
        const char *hex = "0123456789abcdef", *found = NULL;
        char digit = p->text[p->at];
        if (digit >= 'A' && digit <= 'F')
            digit = (char)(digit | 0x20);
        found = digit ? strchr(hex, digit) : NULL;
        if (!found && braces && n)
            break;
        if (!found)
            return pattern_fail_at(p, begin - 2, "\\xHH, \\uHHHH or \\u{HHHHHH} is expected");
        *c = *c << 4 | (uint32_t)(found - hex);
        p->at++;
    }
    if (braces && p->text[p->at++] != '}')
        return pattern_fail_at(p, begin - 2, "\\u{ without its }");
    if (*c == 0 || *c > LAST_CHARACTER || (*c >= 0xd800 && *c <= 0xdfff))
        return pattern_fail_at(p, begin - 2, "there is no such character");
    return CELL_OK;
}

/* Behind a backslash: a character, or with 1 a set that was added to `s`. */
static int take_escape(struct pattern_parser *p, struct pattern_set *s, uint32_t *c)
{
    static const char letters[] = "nrtfv", meant[] = "\n\r\t\f\v";
    char e = p->text[p->at];
    const char *found = e ? strchr(letters, e) : NULL;
    int r = e ? pattern_add_named(p, e, s) : 0;
    if (r) {
        p->at++;
        return r;
    }
    if (e == 'x' || e == 'u') {
        p->at++;
        return take_hex(p, e == 'x' ? 2 : 4, c);
    }
    if (e >= '1' && e <= '9')
        return pattern_fail_at(p, p->at - 1, "references to groups are no part of regular expressions");
    if (!found && (e == '\0' || (e >= '0' && e <= '9') || ((e | 0x20) >= 'a' && (e | 0x20) <= 'z') || e & 0x80))
        return pattern_fail_at(p, p->at - 1, e ? "there is no such escape" : "a backslash at the end");
    *c = found ? (uint32_t)meant[found - letters] : (uint32_t)e;
    p->at++;
    return CELL_OK;
}

/* One side of a range, or what stands for itself; 1: a set. */
static int take_class_item(struct pattern_parser *p, struct pattern_set *s, uint32_t *c)
{
    if (p->text[p->at] == '\0')
        return pattern_fail(p, "a class without its ]");
    if (p->text[p->at] == '[' && strchr(":.=", p->text[p->at + 1]) && p->text[p->at + 1])
        return pattern_fail(p, "classes with names are not known: write [ as \\[");
    if (p->text[p->at] == '\\') {
        p->at++;
        return take_escape(p, s, c);
    }
    *c = take_character(p);
    return CELL_OK;
}

static int take_class(struct pattern_parser *p, struct pattern_part *out)
{
    struct pattern_set s = {.n = 0};
    size_t begin = p->at - 1;
    bool negated = p->text[p->at] == '^';
    p->at += negated;
    if (p->text[p->at] == ']')
        return pattern_fail_at(p, begin, "an empty class; write ] as \\]");
    while (p->text[p->at] != ']') {
        uint32_t low = 0, high = 0;
        size_t from = p->at;
        int r = take_class_item(p, &s, &low);
        if (r < 0)
            return r;
        high = low;
        bool range = p->text[p->at] == '-' && p->text[p->at + 1] != ']' && p->text[p->at + 1];
        int set = r;
        if (range) {
            p->at++;
            r = take_class_item(p, &s, &high);
            if (r < 0)
                return r;
            if (set || r)
                return pattern_fail_at(p, from, "a range between what is no character; write - as \\-");
            if (high < low)
                return pattern_fail_at(p, from, "a range that ends before it begins");
        }
        r = set ? CELL_OK : pattern_add_range(p, &s, low, high);
        if (r < 0)
            return r;
    }
    p->at++;
    int r = negated ? pattern_negate(p, &s) : CELL_OK;
    return r < 0 ? r : pattern_spell(p, &s, out);
}

static int take_group(struct pattern_parser *p, struct pattern_part *out)
{
    size_t begin = p->at - 1;
    if (strncmp(p->text + p->at, "?:", 2) == 0)
        p->at += 2;
    else if (p->text[p->at] == '?')
        return pattern_fail(p, "of groups with (? only (?: is known");
    if (++p->depth > CELL_PATTERN_MAX_DEPTH)
        return pattern_fail_at(p, begin, "groups are nested too deep");
    int r = alternatives(p, out);
    if (r < 0)
        return r;
    p->depth--;
    if (p->text[p->at] != ')')
        return pattern_fail_at(p, begin, "a ( without its )");
    p->at++;
    return CELL_OK;
}

static int take_atom(struct pattern_parser *p, struct pattern_part *out)
{
    struct pattern_set s = {.n = 0};
    uint32_t c = 0;
    char first = p->text[p->at];
    int r = CELL_OK;
    switch (first) {
    case '(':
        p->at++;
        return take_group(p, out);
    case '[':
        p->at++;
        return take_class(p, out);
    case '*':
    case '+':
    case '?':
    case '{':
        return pattern_fail(p, "nothing to repeat here; write it with a backslash");
    case ']':
    case '}':
        return pattern_fail(p, "it closes nothing; write it with a backslash");
    case '^':
    case '$':
        return pattern_fail(p, "the whole text is matched; write ^ and $ only around it, or with a backslash");
    case '.':
        p->at++;
        s = (struct pattern_set){{{'\n', '\n'}}, 1};
        r = pattern_negate(p, &s);
        break;
    case '\\':
        p->at++;
        r = take_escape(p, &s, &c);
        if (r == CELL_OK)
            r = pattern_add_range(p, &s, c, c);
        break;
    default:
        c = take_character(p);
        r = pattern_add_range(p, &s, c, c);
    }
    return r < 0 ? r : pattern_spell(p, &s, out);
}

/* ---- repeating ---- */

/* A number too large for a repetition stays so, however many digits it has. */
static bool take_number(struct pattern_parser *p, uint32_t *n)
{
    size_t begin = p->at;
    for (*n = 0; p->text[p->at] >= '0' && p->text[p->at] <= '9'; p->at++)
        if (*n <= CELL_PATTERN_MAX_REPEAT)
            *n = *n * 10 + (uint32_t)(p->text[p->at] - '0');
    return p->at > begin;
}

/* 1: the atom is to be repeated. */
static int take_quantifier(struct pattern_parser *p, uint32_t *least, uint32_t *most)
{
    size_t begin = p->at;
    char q = p->text[p->at];
    *least = q == '+';
    *most = q == '?' ? 1 : NO_LIMIT;
    if (q == '\0' || !strchr("*+?{", q))
        return 0;
    p->at++;
    if (q == '{') {
        bool first = take_number(p, least), second = false;
        *most = *least;
        if (first && p->text[p->at] == ',') {
            p->at++;
            second = take_number(p, most);
            *most = second ? *most : NO_LIMIT;
        }
        if (!first || p->text[p->at] != '}')
            return pattern_fail_at(p, begin, "{n}, {n,} or {n,m} is expected; write { as \\{");
        p->at++;
        if (*least > CELL_PATTERN_MAX_REPEAT || (*most > CELL_PATTERN_MAX_REPEAT && *most != NO_LIMIT))
            return pattern_fail_at(p, begin, "more than 1000 repetitions");
        if (*most < *least)
            return pattern_fail_at(p, begin, "a repetition that ends before it begins");
    }
    if (p->text[p->at] && strchr("*+?{", p->text[p->at]))
        return pattern_fail(p, "a repetition of a repetition; lazy and possessive ones have no meaning here");
    return 1;
}

static void append(struct nfa *a, struct pattern_part *whole, const struct pattern_part *more)
{
    a->nodes[whole->end].next[0] = more->start;
    whole->end = more->end;
}

/* An atom that is needed several times: the first time as it was made, then from its text again. */
struct repeated {
    struct pattern_part first;
    size_t begin; /* of its text */
    bool used;
};

static int another(struct pattern_parser *p, struct repeated *atom, struct pattern_part *out)
{
    size_t behind = p->at;
    if (!atom->used) {
        atom->used = true;
        *out = atom->first;
        return CELL_OK;
    }
    p->at = atom->begin;
    int r = take_atom(p, out);
    if (r == CELL_OK)
        p->at = behind;
    return r;
}

/* What may be left out: each of them leads to the end of the last. */
static int take_optional(struct pattern_parser *p, struct repeated *atom, uint32_t n, struct pattern_part *whole)
{
    uint32_t end, skip = PATTERN_NOWHERE;
    int r = pattern_add_node(p, NFA_SPLIT, PATTERN_NOWHERE, &end);
    for (uint32_t i = 0; r == CELL_OK && i < n; i++) {
        struct pattern_part one;
        r = another(p, atom, &one);
        if (r == CELL_OK)
            r = pattern_add_node(p, NFA_SPLIT, one.start, &skip);
        if (r < 0)
            return r;
        p->nfa->nodes[skip].next[1] = end;
        append(p->nfa, whole, &(struct pattern_part){skip, one.end});
    }
    if (r == CELL_OK)
        append(p->nfa, whole, &(struct pattern_part){end, end});
    return r;
}

/* Any number of them. */
static int take_loop(struct pattern_parser *p, struct repeated *atom, struct pattern_part *whole)
{
    struct pattern_part one;
    uint32_t again = PATTERN_NOWHERE, end;
    int r = another(p, atom, &one);
    if (r == CELL_OK)
        r = pattern_add_node(p, NFA_SPLIT, one.start, &again);
    if (r == CELL_OK)
        r = pattern_add_node(p, NFA_SPLIT, PATTERN_NOWHERE, &end);
    if (r < 0)
        return r;
    p->nfa->nodes[one.end].next[0] = again;
    p->nfa->nodes[again].next[1] = end;
    append(p->nfa, whole, &(struct pattern_part){again, end});
    return CELL_OK;
}

static int take_repeated(struct pattern_parser *p, struct repeated *atom, uint32_t least, uint32_t most,
                         struct pattern_part *whole)
{
    struct pattern_part one;
    int r = pattern_begin_part(p, whole);
    for (uint32_t i = 0; r == CELL_OK && i < least; i++) {
        r = another(p, atom, &one);
        if (r == CELL_OK)
            append(p->nfa, whole, &one);
    }
    if (r == CELL_OK)
        r = most == NO_LIMIT ? take_loop(p, atom, whole) : take_optional(p, atom, most - least, whole);
    return r;
}

/* ---- sequences ---- */

static int take_sequence(struct pattern_parser *p, struct pattern_part *whole)
{
    int r = pattern_begin_part(p, whole);
    bool top = p->depth == 0;
    if (top && p->text[p->at] == '^')
        p->at++;
    while (r == CELL_OK && p->text[p->at] && !strchr("|)", p->text[p->at])) {
        struct pattern_part one;
        uint32_t least, most;
        struct repeated atom = {.begin = p->at};
        if (top && p->text[p->at] == '$' && (p->text[p->at + 1] == '\0' || p->text[p->at + 1] == '|')) {
            p->at++;
            break;
        }
        r = take_atom(p, &one);
        if (r < 0)
            break;
        r = take_quantifier(p, &least, &most);
        atom.first = one;
        if (r > 0)
            r = take_repeated(p, &atom, least, most, &one);
        if (r == CELL_OK)
            append(p->nfa, whole, &one);
    }
    return r;
}

static int alternatives(struct pattern_parser *p, struct pattern_part *out)
{
    struct pattern_part one;
    uint32_t end = PATTERN_NOWHERE;
    int r = take_sequence(p, out);
    if (r < 0 || p->text[p->at] != '|')
        return r;
    r = pattern_add_node(p, NFA_SPLIT, PATTERN_NOWHERE, &end);
    if (r == CELL_OK)
        p->nfa->nodes[out->end].next[0] = end;
    while (r == CELL_OK && p->text[p->at] == '|') {
        p->at++;
        r = take_sequence(p, &one);
        if (r == CELL_OK) {
            p->nfa->nodes[one.end].next[0] = end;
            r = pattern_join(p, one.start, out->start, &out->start);
        }
    }
    out->end = end;
    return r;
}

int cell_pattern_parse(const char *text, struct nfa *nfa)
{
    struct pattern_parser p = {nfa, text, 0, 0};
    struct pattern_part whole;
    uint32_t match;
    int r = alternatives(&p, &whole);
    if (r == CELL_OK && text[p.at])
        r = pattern_fail(&p, "a ) without its (");
    if (r == CELL_OK)
        r = pattern_add_node(&p, NFA_MATCH, PATTERN_NOWHERE, &match);
    if (r < 0)
        return r;
    nfa->nodes[whole.end].next[0] = match;
    nfa->start = whole.start;
    return CELL_OK;
}
