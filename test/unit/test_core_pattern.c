/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Patterns of rules, compared with a matcher that is as simple as can be, and with the C library's. */
#include "test.h"

#include <regex.h>

#include "core/pattern_impl.h"
#include "wire/rules.h"

static uint64_t seed = 0x9e3779b97f4a7c15;

static uint32_t random_below(uint32_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 33) % n;
}

static struct cell_pattern *compile(struct cell_arena *arena, const char *text)
{
    struct cell_pattern *p = NULL;
    struct pattern_mistake wrong = {0};
    int r = cell_pattern_compile(text, arena, NULL, &p, &wrong);
    if (r < 0)
        printf("%s: at %zu: %s\n", text, wrong.at, wrong.text);
    CHECK(r == CELL_OK);
    return r < 0 ? NULL : p;
}

static bool matches(const char *pattern, const char *text)
{
    struct cell_arena arena = {0};
    struct cell_pattern *p = compile(&arena, pattern);
    bool yes = p && cell_pattern_matches(p, text, strlen(text));
    cell_arena_free(&arena);
    return yes;
}

static void refused(const char *pattern, size_t at, const char *why)
{
    struct cell_arena arena = {0};
    struct cell_pattern *p = NULL;
    struct pattern_mistake wrong = {0};
    CHECK(cell_pattern_compile(pattern, &arena, NULL, &p, &wrong) == CELL_INVALID_ARGUMENT);
    if (!strstr(wrong.text, why) || wrong.at != at)
        printf("%s: at %zu: %s\n", pattern, wrong.at, wrong.text);
    CHECK(strstr(wrong.text, why) && wrong.at == at);
    cell_arena_free(&arena);
}

TEST(the_whole_text_is_matched)
{
    CHECK(matches("abc", "abc") && !matches("abc", "abcd") && !matches("abc", "xabc") && !matches("abc", ""));
    CHECK(matches("a|bc", "a") && matches("a|bc", "bc") && !matches("a|bc", "ac"));
    CHECK(matches("^abc$", "abc") && !matches("^abc$", "abcd"));
    CHECK(matches("^a$|^b$", "b") && !matches("^a$|^b$", "ab"));
    CHECK(matches("(a|)b", "b") && matches("(?:ab)+", "abab") && !matches("(?:ab)+", "aba"));
}

TEST(repetitions_count)
{
    CHECK(matches("a{2,3}", "aa") && matches("a{2,3}", "aaa") && !matches("a{2,3}", "a") && !matches("a{2,3}", "aaaa"));
    CHECK(matches("a{2}", "aa") && !matches("a{2}", "aaa"));
    CHECK(matches("a{2,}", "aaaaaaa") && !matches("a{2,}", "a"));
    CHECK(matches("a{0}b", "b") && !matches("a{0}b", "ab") && matches("a?b*c+", "cc") && !matches("a?b*c+", "aac"));
    CHECK(matches("(a{0,2}b){2}", "aabab") && !matches("(a{0,2}b){2}", "aaabb"));
    CHECK(matches("(((a{1}){1}){1}){1}", "a"));
}

TEST(classes_take_ranges_and_escapes)
{
    CHECK(matches("[a-cx-]+", "abx-c") && !matches("[a-cx-]+", "d"));
    CHECK(matches("[^a-c]", "d") && !matches("[^a-c]", "b") && matches("[^a-c]", "\n"));
    CHECK(matches("\\d+\\s\\w+", "12 a_Z9") && !matches("\\d+", "1a") && matches("\\D\\S\\W", "a! "));
    CHECK(matches("[\\d\\]\\\\^-]+", "1]\\^-") && matches("[\\x41-\\x43]", "B") && matches("\\.\\*", ".*"));
    CHECK(matches(".", "a") && !matches(".", "\n") && matches("a\\tb", "a\tb"));
    CHECK(!matches("[^a-db-c]", "d") && matches("[^a-db-c]", "e") && matches("[^a-cb-d]", "e"));
    CHECK(matches("[^\\x01-\\u{10FFFE}]", "\xf4\x8f\xbf\xbf") && !matches("[^\\x01-\\u{10FFFE}]", "a"));
    CHECK(matches("[[a]+", "[a") && matches("\\u00e9", "\xc3\xa9") && matches("\\u{1F600}", "\xf0\x9f\x98\x80"));
}

TEST(characters_are_those_of_unicode)
{
    CHECK(matches(".", "\xc3\xa9") && matches(".", "\xf0\x9f\x98\x80") && !matches(".", "\xc3"));
    CHECK(matches("[\xc3\xa0-\xc3\xbf]+", "\xc3\xa9\xc3\xbf") && !matches("[\xc3\xa0-\xc3\xbf]", "e"));
    CHECK(matches("[^a]", "\xe2\x82\xac") && matches("\xe2\x82\xac+", "\xe2\x82\xac\xe2\x82\xac"));
    CHECK(matches("\xe0\xa0\x80+", "\xe0\xa0\x80\xe0\xa0\x80") && matches("[\xe0\xa0\x80]", "\xe0\xa0\x80"));
    CHECK(matches("[\xf0\x90\x80\x80]+", "\xf0\x90\x80\x80") && matches("\\x4A\\x4a", "JJ"));
    CHECK(!matches(".", "\xed\xa0\x80") && !matches(".", "\xc0\x80") && !matches(".", "\xf4\x90\x80\x80"));
}

/* Each character, and bytes that are none, as the range says. */
TEST(ranges_of_characters_have_exactly_their_bytes)
{
    static const uint32_t edges[] = {0x1,    0x7f,    0x80,    0x81,    0x7ff,   0x800,   0x801,    0xd7ff,  0xe000,
                                     0xffff, 0x10000, 0x10001, 0x3ffff, 0x40000, 0xfffff, 0x100000, 0x10ffff};
    for (unsigned pair = 0; pair < 17 * 17; pair++) {
        char text[64];
        uint32_t low = edges[pair / 17], high = edges[pair % 17];
        struct cell_arena arena = {0};
        if (low > high)
            continue;
        snprintf(text, sizeof(text), "[\\u{%X}-\\u{%X}]", low, high);
        struct cell_pattern *p = compile(&arena, text);
        for (uint32_t c = 1; p && c <= 0x10ffff; c += c < 0x12000 ? 1 : 0x3d) {
            uint8_t b[4];
            unsigned n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
            for (unsigned i = n; i-- > 0;)
                b[i] = (uint8_t)(0x80 | (c >> 6 * (n - 1 - i) & 0x3f));
            b[0] = (uint8_t)(n == 1 ? c : c >> 6 * (n - 1) | (0xf00u >> n & 0xff));
            bool surrogate = c >= 0xd800 && c <= 0xdfff;
            if (cell_pattern_matches(p, b, n) != (c >= low && c <= high && !surrogate)) {
                printf("%s: %X\n", text, c);
                CHECK(false);
                break;
            }
        }
        cell_arena_free(&arena);
    }
}

TEST(mistakes_are_said_where_they_are)
{
    refused("", 0, "empty");
    refused("ab(c", 2, "without its )");
    refused("ab)c", 2, "without its (");
    refused("a[b", 3, "without its ]");
    refused("a**", 2, "repetition of a repetition");
    refused("a+?", 2, "repetition of a repetition");
    refused("*a", 0, "nothing to repeat");
    refused("a{3,2}", 1, "ends before");
    refused("a{,2}", 1, "is expected");
    refused("a{}", 1, "is expected");
    refused("a{1001}", 1, "1000");
    refused("a{10000}", 1, "1000");
    refused("a{110100}", 1, "1000");
    refused("a{1,18446744073709551617}", 1, "1000");
    refused("[z-a]", 1, "ends before");
    refused("[]", 0, "empty class");
    refused("[a-\\d]", 1, "no character");
    refused("[\\d-a]", 1, "no character");
    refused("[a-\\q]", 3, "no such escape");
    refused("[[:alpha:]]", 1, "names");
    refused("(a)\\1", 3, "references");
    refused("(a)\\9", 3, "references");
    refused("\\0", 0, "no such escape");
    refused("\\a", 0, "no such escape");
    refused("\\z", 0, "no such escape");
    refused("a\\bc", 1, "no such escape");
    refused("a\\", 1, "at the end");
    refused("(?=a)", 1, "(?:");
    refused("a^b", 1, "whole text");
    refused("(a$)", 2, "whole text");
    refused("a}", 1, "closes nothing");
    refused("[^\\s\\S]", 7, "no characters");
    refused("\\x00", 0, "no such character");
    refused("\\u{d800}", 0, "no such character");
    refused("\\u{dfff}", 0, "no such character");
    refused("\\u{110000}", 0, "no such character");
    refused("\\x4\x10", 0, "expected");
    refused("\\x4", 0, "expected");
    refused("\xff", 0, "UTF-8");
}

TEST(what_would_be_too_much_is_refused_soon)
{
    struct cell_arena arena = {0};
    struct cell_pattern *p = NULL;
    struct pattern_mistake wrong;
    char deep[400], longer[CELL_PATTERN_MAX_BYTES + 8];
    refused("(a|b)*a(a|b){1000}", 0, "too");
    refused("((((a{1000}){1000}){1000}){1000})", 5, "too large");
    refused("((((){1000}){1000}){1000})", 4, "too large");
    memset(deep, '(', 200);
    memset(deep + 200, ')', 199);
    deep[399] = '\0';
    refused(deep, 32, "too deep");
    memset(longer, 'a', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    refused(longer, 0, "1024");
    uint64_t steps = 3000;
    CHECK(cell_pattern_compile("[a-z]{200}", &arena, &steps, &p, &wrong) == CELL_INVALID_ARGUMENT && steps == 0);
    CHECK(cell_pattern_compile("[a-z]{200}", &arena, NULL, &p, &wrong) == CELL_OK && p->nstates == 202);
    CHECK(cell_pattern_compile(".{1,254}", &arena, NULL, &p, &wrong) == CELL_OK);
    cell_arena_free(&arena);
}

/* 61 different ones in turn, from the `first` one on. */
static char *put_letters(char *to, unsigned n, unsigned first)
{
    for (unsigned i = first; i < first + n; i++) {
        const char c = (char)(i % 61 < 58 ? 'A' + i % 61 : '3' + i % 61 - 58);
        if (strchr("[\\]^", c))
            *to++ = '\\';
        *to++ = c;
    }
    return to;
}

/* Wherever the node is wanted that there is no room for. */
TEST(an_automaton_without_room_is_refused_at_every_place)
{
    unsigned accepted = 0, refusals = 0;
    for (unsigned n = 2; n <= 400; n++) {
        char text[64];
        struct pattern_mistake wrong = {0};
        struct nfa nfa = {.wrong = &wrong};
        snprintf(text, sizeof(text), "%sa{1000}a{1000}a{1000}a{1000}a{%u}(b{0,9}c*|d{2,})", n % 2 ? "" : "()", n / 2);
        int r = cell_pattern_parse(text, &nfa);
        CHECK(r == CELL_OK || (r == CELL_INVALID_ARGUMENT && strstr(wrong.text, "too large")));
        CHECK(nfa.n <= CELL_PATTERN_MAX_NODES);
        accepted += r == CELL_OK;
        refusals += r < 0;
        free(nfa.nodes);
    }
    CHECK(accepted > 100 && refusals > 100);
}

/* The limits themselves are allowed. */
TEST(limits_are_exact)
{
    struct cell_arena arena = {0};
    struct cell_pattern *p = NULL;
    struct pattern_mistake wrong;
    char text[CELL_PATTERN_MAX_BYTES + 1], parts[4 * 65 + 3] = "[";
    memset(text, 'a', CELL_PATTERN_MAX_BYTES);
    text[CELL_PATTERN_MAX_BYTES] = '\0';
    CHECK(cell_pattern_compile(text, &arena, NULL, &p, &wrong) == CELL_OK);
    text[254] = '\0'; /* with the state that nothing leads out of 256 */
    CHECK(cell_pattern_compile(text, &arena, NULL, &p, &wrong) == CELL_OK && p->nstates == 256 && p->wide);
    text[253] = '\0';
    CHECK(cell_pattern_compile(text, &arena, NULL, &p, &wrong) == CELL_OK && p->nstates == 255 && !p->wide);
    CHECK(cell_pattern_matches(p, text, 253) && !cell_pattern_matches(p, text, 252));
    for (unsigned n = 64; n <= 65; n++) { /* parts of a class */
        char *to = parts + 1;
        for (unsigned i = 0; i < n; i++)
            to += sprintf(to, "\\x%02x", 1 + 2 * i);
        strcpy(to, "]");
        CHECK(cell_pattern_compile(parts, &arena, NULL, &p, &wrong) == (n == 64 ? CELL_OK : CELL_INVALID_ARGUMENT));
    }
    CHECK(strstr(wrong.text, "too many parts"));
    /* 64 classes, two bytes an entry: 512 states are all that the table may have. */
    for (unsigned longer = 0; longer < 2; longer++) {
        char *to = text;
        *to++ = '1';
        to = put_letters(to, 254, 0);
        *to++ = '|';
        *to++ = '2';
        *put_letters(to, 254 + longer, 30) = '\0';
        CHECK(cell_pattern_compile(text, &arena, NULL, &p, &wrong) == (longer ? CELL_INVALID_ARGUMENT : CELL_OK));
        CHECK(longer || (p->nclasses == 64 && p->nstates == 511));
    }
    CHECK(strstr(wrong.text, "too many states"));
    cell_arena_free(&arena);
}

TEST(work_is_counted_and_may_be_spent_to_the_end)
{
    struct cell_arena arena = {0};
    struct cell_pattern *p = NULL;
    struct pattern_mistake wrong;
    const uint64_t much = UINT64_C(1) << 40;
    uint64_t steps = much;
    CHECK(cell_pattern_compile("[a-z]+@x", &arena, &steps, &p, &wrong) == CELL_OK);
    const uint64_t used = much - steps;
    CHECK(used > 1024 && used < 10000);
    steps = used;
    CHECK(cell_pattern_compile("[a-z]+@x", &arena, &steps, &p, &wrong) == CELL_OK && steps == 0);
    steps = used - 1;
    CHECK(cell_pattern_compile("[a-z]+@x", &arena, &steps, &p, &wrong) == CELL_INVALID_ARGUMENT && steps == 0);
    CHECK(strstr(wrong.text, "too much work"));
    steps = 1024; /* what is done in any case costs something, too */
    CHECK(cell_pattern_compile("a", &arena, &steps, &p, &wrong) == CELL_INVALID_ARGUMENT && steps == 0);
    /* However much is left for all, one pattern has its own limit. */
    steps = much;
    char text[800];
    *put_letters(text, 600, 0) = '\0';
    CHECK(cell_pattern_compile(text, &arena, &steps, &p, &wrong) == CELL_INVALID_ARGUMENT);
    CHECK(strstr(wrong.text, "too much work"));
    CHECK(much - steps <= CELL_PATTERN_MAX_STEPS);
    cell_arena_free(&arena);
}

TEST(facts_hold_for_every_match)
{
    struct cell_arena arena = {0};
    struct pattern_facts f;
    struct cell_pattern *p = compile(&arena, "[a-z]+@[a-z]{2,5}(\\.[a-z]+)?");
    REQUIRE(p && cell_pattern_facts(p, &f) == CELL_OK);
    CHECK(f.least == 4 && f.most == UINT32_MAX && f.nneeded == 1 && f.needed[0] == '@');
    p = compile(&arena, "(ab|c\xc3\xa9)?x");
    REQUIRE(p && cell_pattern_facts(p, &f) == CELL_OK);
    CHECK(f.least == 1 && f.most == 4 && f.nneeded == 1 && f.needed[0] == 'x');
    cell_arena_free(&arena);
}

static enum pattern_relation relation(const char *a, const char *b)
{
    struct cell_arena arena = {0};
    enum pattern_relation r = PATTERN_OTHER;
    const struct cell_pattern *p = compile(&arena, a), *q = compile(&arena, b);
    CHECK(p && q && cell_pattern_compare(p, q, &r) == CELL_OK);
    cell_arena_free(&arena);
    return r;
}

TEST(patterns_are_compared_by_what_they_match)
{
    CHECK(relation("a|b", "[ab]") == PATTERN_SAME && relation("a+", "aa*") == PATTERN_SAME);
    CHECK(relation("a{2,3}", "a+") == PATTERN_NARROWER && relation("\\w+", "[a-z]+") == PATTERN_WIDER);
    CHECK(relation("a+", "b+") == PATTERN_OTHER && relation("a?", "b?") == PATTERN_OTHER);
    /* 1,024 states each are as many as are compared. */
    CHECK(relation("a{1000}a{22}", "a{1000}a{22}") == PATTERN_SAME);
    CHECK(relation("a{1000}a{23}", "a{1000}a{23}") == PATTERN_OTHER);
}

/* ---- against others ---- */

/* A pattern as a tree, made at random, and written down. */
struct tree {
    enum { CHARACTER, CLASS, BOTH, EITHER, REPEAT } kind;
    unsigned low, high; /* CLASS: 'a' to 'd'; REPEAT: how often */
    bool negated;
    struct tree *first, *second;
};

static struct tree *grow(struct cell_arena *a, unsigned depth)
{
    struct tree *t = cell_arena_alloc(a, sizeof(*t));
    if (!t)
        abort();
    t->kind = depth ? random_below(5) : random_below(2);
    t->low = 'a' + random_below(4);
    t->high = t->low + random_below('e' - t->low);
    t->negated = random_below(4) == 0;
    if (t->kind == REPEAT) {
        t->low = random_below(3);
        t->high = random_below(3) ? t->low + random_below(3) : 99;
    }
    if (t->kind >= BOTH)
        t->first = grow(a, depth - 1);
    if (t->kind == BOTH || t->kind == EITHER)
        t->second = grow(a, depth - 1);
    return t;
}

static void put(const struct tree *t, char **to)
{
    switch (t->kind) {
    case CHARACTER:
        *(*to)++ = (char)t->low;
        break;
    case CLASS:
        *to += sprintf(*to, "[%s%c-%c]", t->negated ? "^" : "", t->low, t->high);
        break;
    case BOTH:
    case EITHER:
        *to += sprintf(*to, "(");
        put(t->first, to);
        *to += sprintf(*to, t->kind == EITHER ? "|" : "");
        put(t->second, to);
        *to += sprintf(*to, ")");
        break;
    default:
        *to += sprintf(*to, "(");
        put(t->first, to);
        *to += t->high == 99 ? sprintf(*to, "){%u,}", t->low) : sprintf(*to, "){%u,%u}", t->low, t->high);
    }
}

/* Where matches of the tree can end that begin at one of `from`: bits of positions. */
static uint32_t ends(const struct tree *t, const char *text, uint32_t from)
{
    uint32_t out = 0, reached = from;
    size_t len = strlen(text);
    switch (t->kind) {
    case CHARACTER:
    case CLASS:
        for (size_t i = 0; i < len; i++) {
            unsigned c = (unsigned char)text[i];
            bool in = t->kind == CHARACTER ? c == t->low : (c >= t->low && c <= t->high) != t->negated;
            out |= from >> i & 1 && in ? 2u << i : 0;
        }
        return out;
    case BOTH:
        return ends(t->second, text, ends(t->first, text, from));
    case EITHER:
        return ends(t->first, text, from) | ends(t->second, text, from);
    default:
        for (unsigned i = 0; i < t->low; i++)
            reached = ends(t->first, text, reached);
        out = reached;
        for (unsigned i = t->low; i < (t->high == 99 ? t->low + 20 : t->high); i++)
            out |= reached = ends(t->first, text, reached);
        return out;
    }
}

TEST(random_patterns_match_what_simple_matchers_match)
{
    unsigned matched = 0, compared = 0;
    for (int round = 0; round < 3000; round++) {
        struct cell_arena arena = {0};
        char pattern[4096] = {0}, whole[4104], *at = pattern;
        regex_t library;
        const struct tree *t = grow(&arena, 3);
        put(t, &at);
        if (strlen(pattern) > CELL_PATTERN_MAX_BYTES)
            continue;
        struct cell_pattern *p = compile(&arena, pattern);
        struct pattern_facts f;
        REQUIRE(p && cell_pattern_facts(p, &f) == CELL_OK);
        snprintf(whole, sizeof(whole), "^(%s)$", pattern);
        bool with_library = round % 10 == 0 && regcomp(&library, whole, REG_EXTENDED | REG_NOSUB) == 0;
        for (int i = 0; i < 20; i++) {
            char text[16];
            uint32_t len = random_below(10);
            for (uint32_t k = 0; k < len; k++)
                text[k] = (char)('a' + random_below(5));
            text[len] = '\0';
            bool ours = cell_pattern_matches(p, text, len), simple = ends(t, text, 1) >> len & 1;
            if (ours != simple)
                printf("%s: %s\n", pattern, text);
            REQUIRE(ours == simple);
            if (with_library) {
                REQUIRE(ours == (regexec(&library, text, 0, NULL, 0) == 0));
                compared++;
            }
            if (!ours)
                continue;
            matched++;
            CHECK(len >= f.least && len <= f.most);
            for (uint32_t k = 0; k < f.nneeded; k++)
                CHECK(memchr(text, f.needed[k], len));
        }
        if (with_library)
            regfree(&library);
        cell_arena_free(&arena);
    }
    CHECK(matched > 2000 && compared > 3000);
}

/* No two states of the result do the same, and each is reached. */
TEST(automatons_are_minimal)
{
    for (int round = 0; round < 200; round++) {
        struct cell_arena arena = {0};
        char pattern[4096] = {0}, *at = pattern;
        put(grow(&arena, 3), &at);
        struct cell_pattern *p = strlen(pattern) > CELL_PATTERN_MAX_BYTES ? NULL : compile(&arena, pattern);
        for (uint32_t a = 0; p && a < p->nstates && p->nstates < 60; a++)
            for (uint32_t b = a + 1; b < p->nstates; b++) {
                struct cell_pattern q = *p, r = *p;
                enum pattern_relation how;
                q.start = (uint16_t)a;
                r.start = (uint16_t)b;
                CHECK(cell_pattern_compare(&q, &r, &how) == CELL_OK);
                CHECK(how != PATTERN_SAME);
            }
        cell_arena_free(&arena);
    }
}
