/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Conditions mean what they do in C, of numbers that have no end, and what could be undefined is refused at its place.
 */
// LIBS: cell_analytics_sanitized
#include "analytics_fixture.h"

static struct an_problem problem;
static struct an_filter filter;

static bool parse(const char *text)
{
    bool done = an_filter_parse(text, NULL, find_in_moves, NULL, &filter, &problem);
    CHECK(!done || an_filter_is_sound(&filter, sizeof(struct move)));
    return done;
}

static bool passes(const char *text, const struct move *move)
{
    if (!parse(text)) {
        printf("%s: %s (%u, %u)\n", text, problem.text, problem.at, problem.length);
        CHECK(false);
        return false;
    }
    return an_filter_passes(&filter, move);
}

TEST(conditions_are_those_of_c)
{
    const struct move m = {.from = UINT64_MAX, .amount = -1000, .rate = 2.5, .code = 0x12, .kind = -3, .tag = "abc"};
    const struct move none = {.from = 0};
    static const struct {
        const char *text;
        bool is;
    } all[] = {
        {"", true},
        {"kind == -3", true},
        {"kind == MINUS_THREE", true},
        {"kind != -3", false},
        {"kind <= -3 && kind >= -3 && !(kind > -3) && !(kind < -3)", true},
        {"code == 0x12u", true},
        {"code == 022", true},
        {"code & 2", true},
        {"code & 4", false},
        {"!(code & 4)", true},
        {"(code & 6) == 2", true},
        {"(code | 1) == 0x13 && (code ^ 2) == 0x10 && code << 1 == 36 && code >> 1 == 9", true},
        {"(~code & 4) == 4", true},
        {"amount >> 3 == -125 && amount >> 4 == -63 && amount / 16 == -62 && amount % 16 == -8", true},
        {"amount < from", true}, /* of different signs, and all the same */
        {"from > amount", true},
        {"from + 1 == 18446744073709551615", false},
        {"from - 1 < from && from * 2 > from", true},
        {"-amount == 1000 && +amount == -1000", true},
        {"amount * amount == 1000000", true},
        {"amount + code * 2 == -964", true},
        {"(amount + code) * 2 == -1964", true},
        {"10 - code - 1 == -9", true}, /* from the left */
        {"kind == 1 && amount == 1 || code == 18", true},
        {"kind == 1 && (amount == 1 || code == 18)", false},
        {"code == 18 || kind == 1 && amount == 1", true},
        {"rate == 2.5 && rate * 2 == 5 && rate - 0.5 == 2 && rate / 2 < 1.3 && -rate < -2", true},
        {"rate > kind && amount < rate && 1e3 == -amount", true},
        {"rate == .25e1", true},
        {"tag == 'abc'", true},
        {"tag != 'abc'", false},
        {"tag == 'ab'", false},
        {"kind in (1, -3, 7)", true},
        {"kind in (1, 2)", false},
        {"kind in (MINUS_THREE)", true},
        {"!(kind in (1, 2)) && code in (18)", true},
        {"code * 2 in (36, 1)", true},
        {"  kind==-3\t", true},
        {"10 / (code + 1) == 0 && 100 % (code + 1) == 5", true},
    };

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        bool is = passes(all[i].text, &m);
        if (is != all[i].is)
            printf("%s\n", all[i].text);
        CHECK(is == all[i].is);
    }
    CHECK(passes("tag == ''", &none) && passes("!code", &none));
}

TEST(what_is_no_number_is_equal_to_nothing)
{
    const struct move m = {.rate = NAN};

    CHECK(!passes("rate < 1 || rate >= 1 || rate == rate", &m) && passes("rate != rate", &m));
}

TEST(what_is_wrong_is_told_with_its_place)
{
    static const struct {
        const char *text, *says;
        uint32_t at, length;
    } all[] = {{"kind = 1", "'=' does not compare", 5, 1},
               {"amuont > 1", "'amuont' is no field", 0, 6},
               {"kind == 1 &&", "is missing here", 12, 0},
               {"kind == 1 kind == 2", "an operator such as &&", 10, 4},
               {"(kind == 1", "')' is missing here, for the '(' of character 1", 10, 0},
               {"kind == 1)", "an operator", 9, 1},
               {"code >= 0", "always so", 0, 4},
               {"code == -1", "never so", 0, 4},
               {"kind == 40000", "never so", 0, 4},
               {"1 == 1", "always so", 0, 1},
               {"7", "always so", 0, 1},
               {"amount / code > 1", "can be 0", 9, 4},
               {"amount % kind > 1", "can be 0", 9, 4},
               {"from * from * 2 > 1", "beyond 128 bits", 0, 4},
               {"from * amount * from > 1", "beyond 128 bits", 0, 4},
               {"code << 65 > 1", "from 0 to 64", 8, 2},
               {"code << kind > 1", "from 0 to 64", 8, 4},
               {"code & kind == 4", "a comparison is no number", 7, 4},
               {"kind < code < 3", "a comparison is no number", 0, 4},
               {"(kind == 1) + 1 > 1", "a comparison is no number", 1, 4},
               {"rate & 1", "& is for whole numbers only", 0, 4},
               {"rate", "compare it", 0, 4},
               {"~rate > 1", "~ is for whole", 1, 4},
               {"rate in (1, 2)", "in is for whole", 0, 4},
               {"code in (1, kind)", "no whole number", 12, 4},
               {"code in (1, -1)", "never this number", 12, 1},
               {"code in 1", "a list of numbers", 8, 1},
               {"tag", "compared with text", 0, 3},
               {"tag == 1", "in single quotation marks", 7, 1},
               {"tag < 'a'", "compared with text", 0, 3},
               {"tag == 'abcdefg'", "the field has 6 bytes", 7, 1},
               {"tag == 'abc", "does not end", 7, 1},
               {"code == 99999999999999999999", "more than 64 bits", 8, 20},
               {"code == 12a", "no number", 8, 3},
               {"rate == 1e999", "too large", 8, 5},
               {"code == 1.5.5", "no number", 8, 1},
               {"code # 1", "an operator", 5, 1},
               {"", NULL, 0, 0}};

    for (size_t i = 0; all[i].says; i++) {
        bool done = parse(all[i].text);
        bool right =
            !done && strstr(problem.text, all[i].says) && problem.at == all[i].at && problem.length == all[i].length;
        if (!right)
            printf("%s: %s (%u, %u)\n", all[i].text, done ? "" : problem.text, problem.at, problem.length);
        CHECK(right);
    }
}

/* count times `part`, between two texts. */
static bool parse_many(const char *begin, const char *part, const char *end, int count)
{
    char *text = calloc(1, strlen(begin) + strlen(part) * (size_t)count + strlen(end) + 1);

    strcpy(text, begin);
    for (int i = 0; i < count; i++)
        strcat(text, part);
    bool done = parse(strcat(text, end));
    free(text);
    return done;
}

TEST(there_are_bounds)
{
    CHECK(parse_many("kind == 0", " && kind == 0", "", 30));
    CHECK(!parse_many("kind == 0", " && kind == 0", "", 200) && strstr(problem.text, "too long"));
    CHECK(parse_many("", "!", "(kind == 0)", 20));
    CHECK(!parse_many("", "!", "(kind == 0)", 100) && strstr(problem.text, "nested"));
    CHECK(!parse_many("", "(", "kind", 100000) && strstr(problem.text, "longer than 4000"));
    CHECK(!parse_many("", "(", "kind", 1000) && strstr(problem.text, "nested"));
    CHECK(!parse_many("kind", " - (kind", " == 0", 20) && problem.text[0]);
    CHECK(!parse_many("tag == 'a'", " || tag == 'b'", "", 50) && strstr(problem.text, "texts"));
}

/* ---- any expression, computed beside it ---- */

struct any_part {
    char text[600];
    __int128 value;
};

static bool overflowed; /* what was computed last has no value */

static __int128 power(uint64_t bits) { return (__int128)1 << bits; }

static __int128 times(__int128 a, __int128 b)
{
    __int128 r;
    overflowed = __builtin_mul_overflow(a, b, &r) || overflowed;
    return r;
}

static __int128 plus(__int128 a, __int128 b, bool minus)
{
    __int128 r;
    overflowed = (minus ? __builtin_sub_overflow(a, b, &r) : __builtin_add_overflow(a, b, &r)) || overflowed;
    return r;
}

static struct any_part any_number(const struct move *m, int depth)
{
    static const char operators[] = "+-*&|^/%";
    struct any_part part = {.value = 0};

    if (depth == 0 || any(4) == 0) {
        int which = (int)any(4);
        part.value = which == 0 ? (__int128)m->from : which == 1 ? m->amount : which == 2 ? m->kind : (__int128)m->code;
        strcpy(part.text, which == 0 ? "from" : which == 1 ? "amount" : which == 2 ? "kind" : "code");
        if (any(3) == 0) {
            part.value = (__int128)any(UINT64_C(1) << any(30));
            snprintf(part.text, sizeof(part.text), "%lld", (long long)part.value);
        }
        return part;
    }
    struct any_part a = any_number(m, depth - 1), b;
    char is = operators[any(8)];
    uint64_t by = any(20);
    if (any(8) == 0) {
        snprintf(part.text, sizeof(part.text), "(%.280s %s %d)", a.text, by & 1 ? "<<" : ">>", (int)by);
        part.value = by & 1 ? times(a.value, power(by))
                            : (a.value - ((a.value % power(by) + power(by)) % power(by))) / power(by);
        return part;
    }
    b = any_number(m, depth - 1);
    if ((is == '/' || is == '%') && b.value == 0)
        is = '-';
    snprintf(part.text, sizeof(part.text), "(%.280s %c %.280s)", a.text, is, b.text);
    part.value = is == '+'   ? plus(a.value, b.value, false)
                 : is == '-' ? plus(a.value, b.value, true)
                 : is == '*' ? times(a.value, b.value)
                 : is == '&' ? a.value & b.value
                 : is == '|' ? a.value | b.value
                 : is == '^' ? a.value ^ b.value
                 : is == '/' ? a.value / b.value
                             : a.value % b.value;
    return part;
}

TEST(what_is_accepted_is_computed_as_in_mathematics)
{
    uint32_t accepted = 0;

    for (int i = 0; i < 20000; i++) {
        struct move m = any_move(100);
        if (any(4) == 0)
            m.from = UINT64_MAX - any(3);
        if (any(4) == 0)
            m.amount = any(2) ? INT64_MIN : INT64_MAX;
        overflowed = false;
        struct any_part a = any_number(&m, 1 + (int)any(2)), b = any_number(&m, 1);
        char text[1300];
        snprintf(text, sizeof(text), "%s <= %s", a.text, b.text);
        if (overflowed || !parse(text)) {
            if (overflowed && parse(text))
                printf("%s\n", text);
            CHECK(!overflowed || !parse(text));
            continue;
        }
        accepted++;
        bool is = an_filter_passes(&filter, &m);
        if (is != (a.value <= b.value))
            printf("%s\n", text);
        CHECK(is == (a.value <= b.value));
    }
    CHECK(accepted > 5000);
}

TEST(what_no_parser_made_is_not_run)
{
    REQUIRE(parse("kind == 1 && amount > 2"));
    struct an_filter good = filter;
    CHECK(!an_filter_is_sound(&filter, 8)); /* fields are beyond the record */
    filter.nops = AN_MOST_OPS + 1;
    CHECK(!an_filter_is_sound(&filter, sizeof(struct move)));
    filter = good;
    filter.nops--;
    CHECK(!an_filter_is_sound(&filter, sizeof(struct move)));
    for (uint32_t i = 0; i < good.nops; i++) {
        filter = good;
        filter.ops[i].code = AN_OP_COUNT;
        CHECK(!an_filter_is_sound(&filter, sizeof(struct move)));
        filter = good;
        filter.ops[i].code = AN_OP_REAL_LESS;
        CHECK(!an_filter_is_sound(&filter, sizeof(struct move)));
        filter = good;
        if (filter.ops[i].code == AN_OP_IF_FALSE) {
            filter.ops[i].jump = (uint16_t)i;
            CHECK(!an_filter_is_sound(&filter, sizeof(struct move)));
        }
    }
    REQUIRE(parse("amount / 2 == 1"));
    filter.ops[1].number.whole = 0;
    CHECK(!an_filter_is_sound(&filter, sizeof(struct move)));
}
