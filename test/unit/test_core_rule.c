/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What a rule means on a type: each argument at and beside its borders, and how two rules lie to each other. */
#include "test.h"

#include <locale.h>

#include "core/rule.h"
#include "core/schema_impl.h"

static struct cell_arena arena;
static struct rule_mistake wrong;
static struct cell_rule meaning;

static int read_rule(const char *name, enum cell_kind kind, uint32_t nargs, const char *first, const char *second)
{
    const char *const args[] = {first, second};
    const struct schema_rule rule = {.name = name, .args = args, .nargs = nargs};
    const struct schema_ref use = {.kind = kind};
    memset(&wrong, 0, sizeof(wrong));
    return cell_rule_read(&rule, &use, &arena, NULL, &meaning, &wrong);
}

static bool takes(const char *name, enum cell_kind kind, const char *low, const char *high)
{
    return read_rule(name, kind, 2, low, high) == CELL_OK;
}

/* Refused, for that argument and reason. */
static bool refuses(const char *name, enum cell_kind kind, const char *low, const char *high, int argument,
                    const char *why)
{
    const int r = read_rule(name, kind, 2, low, high);
    const bool right =
        r == CELL_INVALID_ARGUMENT && wrong.argument == argument && !wrong.has_at && strstr(wrong.text, why);
    if (!right)
        printf("  %s %s to %s: %d, argument %d, '%s'\n", name, low, high, r, wrong.argument, wrong.text);
    return right;
}

static const struct {
    enum cell_kind kind;
    const char *least, *below, *most, *above;
} integers[] = {
    {CELL_KIND_I8, "-128", "-129", "127", "128"},
    {CELL_KIND_U8, "0", "-1", "255", "256"},
    {CELL_KIND_I16, "-32768", "-32769", "32767", "32768"},
    {CELL_KIND_U16, "0", "-1", "65535", "65536"},
    {CELL_KIND_I32, "-2147483648", "-2147483649", "2147483647", "2147483648"},
    {CELL_KIND_U32, "0", "-1", "4294967295", "4294967296"},
    {CELL_KIND_I64, "-9223372036854775808", "-9223372036854775809", "9223372036854775807", "9223372036854775808"},
    {CELL_KIND_U64, "0", "-1", "18446744073709551615", "18446744073709551616"},
};

TEST(bounds_of_a_range_fit_the_type)
{
    for (size_t i = 0; i < 8; i++) {
        const enum cell_kind kind = integers[i].kind;
        CHECK(takes("range", kind, integers[i].least, integers[i].most));
        CHECK(meaning.kind == (i % 2 ? CELL_RULE_UNSIGNED : CELL_RULE_SIGNED) && !meaning.message && !meaning.pattern);
        CHECK(meaning.low == (uint64_t)(i % 2 ? 0 : strtoll(integers[i].least, NULL, 10)));
        CHECK(meaning.high == strtoull(integers[i].most, NULL, 10));
        CHECK(takes("range", kind, integers[i].least, integers[i].least));
        CHECK(takes("range", kind, integers[i].most, integers[i].most));
        /* One beyond 64 bits is no number that could fit something. */
        const bool huge = kind >= CELL_KIND_I64;
        CHECK(refuses("range", kind, integers[i].below, "1", 0,
                      kind == CELL_KIND_I64 ? "no decimal integer" : "does not fit"));
        CHECK(refuses("range", kind, "1", integers[i].above, 1, huge && i % 2 ? "no decimal integer" : "does not fit"));
        CHECK(refuses("range", kind, "2", "1", 1, "ends before it begins"));
        CHECK(takes("range", kind, "1", "1"));
    }
    CHECK(refuses("range", CELL_KIND_I32, "-1", "-2", 1, "ends before it begins"));
    CHECK(takes("range", CELL_KIND_I32, "-2", "1"));
    CHECK(refuses("range", CELL_KIND_U64, "18446744073709551615", "0", 1, "ends before it begins"));
    CHECK(refuses("range", CELL_KIND_I64, "1", "-1", 1, "ends before it begins"));
}

TEST(integers_are_written_in_one_way)
{
    static const char *const none[] = {"",    "-",   "+1", "01", "-0", "00",  "1.0",
                                       "1e3", "0x1", " 1", "1 ", "1-", "--1", "a"};
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        CHECK(refuses("range", CELL_KIND_I32, none[i], "5", 0, "is no decimal integer"));
        CHECK(refuses("range", CELL_KIND_U32, none[i], "5", 0, "is no decimal integer"));
        CHECK(refuses("length", CELL_KIND_STR, none[i], "5", 0, "is no length"));
        CHECK(refuses("length", CELL_KIND_STR, "0", none[i], 1, "is no length"));
    }
    CHECK(takes("range", CELL_KIND_I32, "-10", "0") && takes("range", CELL_KIND_I32, "0", "109"));
}

TEST(reals_are_decimal_and_finite)
{
    static const char *const none[] = {"",    "-",  "inf", "nan", "0x1", "1e400", "-1e400", ".5",
                                       "-.5", "+1", "1,5", "1e",  "1e+", "1.5.2", "1f",     " 1"};
    static const enum cell_kind kinds[] = {CELL_KIND_F32, CELL_KIND_F64};
    for (size_t k = 0; k < 2; k++) {
        for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
            CHECK(refuses("range", kinds[k], none[i], "5", 0, "is no decimal number"));
        CHECK(takes("range", kinds[k], "-1.5e2", "0.25") && meaning.kind == CELL_RULE_REAL);
        CHECK(takes("range", kinds[k], "1", "1") && takes("range", kinds[k], "0", "9e+9") &&
              takes("range", kinds[k], "-9E-3", "9"));
        CHECK(refuses("range", kinds[k], "1.5", "1.25", 1, "ends before it begins"));
        CHECK(refuses("range", kinds[k], "-1", "-1.25", 1, "ends before it begins"));
    }
    double low;
    CHECK(takes("range", CELL_KIND_F64, "-1.5e2", "0.25"));
    memcpy(&low, &meaning.low, sizeof(low));
    CHECK(low == -150);
    if (setlocale(LC_NUMERIC, "de_DE.UTF-8")) /* its point is a comma */
        CHECK(takes("range", CELL_KIND_F64, "1.5", "2.5"));
    setlocale(LC_NUMERIC, "C");
}

TEST(ranges_are_for_numbers)
{
    static const enum cell_kind others[] = {CELL_KIND_BOOL, CELL_KIND_STR, CELL_KIND_BYTES, CELL_KIND_STRUCT,
                                            CELL_KIND_ENUM};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        CHECK(refuses("range", others[i], "0", "1", -1, "a range is for numbers"));
}

TEST(lengths_are_for_what_varies_in_it)
{
    static const enum cell_kind others[] = {CELL_KIND_BOOL, CELL_KIND_I8, CELL_KIND_U64, CELL_KIND_F64,
                                            CELL_KIND_STRUCT};
    CHECK(takes("length", CELL_KIND_STR, "0", "18446744073709551615") && meaning.kind == CELL_RULE_LENGTH);
    CHECK(meaning.low == 0 && meaning.high == UINT64_MAX);
    CHECK(takes("length", CELL_KIND_BYTES, "3", "3") && takes("length", CELL_KIND_LIST, "1", "2"));
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        CHECK(refuses("length", others[i], "0", "1", -1, "a length is for texts"));
    CHECK(refuses("length", CELL_KIND_STR, "2", "1", 1, "less than the least"));
    CHECK(refuses("length", CELL_KIND_STR, "-1", "1", 0, "is no length"));
    CHECK(refuses("length", CELL_KIND_STR, "0", "18446744073709551616", 1, "is no length"));
}

TEST(patterns_are_for_texts_and_match_something)
{
    static const enum cell_kind others[] = {CELL_KIND_BOOL, CELL_KIND_I8, CELL_KIND_BYTES, CELL_KIND_STRUCT};
    CHECK(read_rule("pattern", CELL_KIND_STR, 1, "a+", NULL) == CELL_OK && meaning.kind == CELL_RULE_PATTERN);
    CHECK(meaning.pattern && strcmp(meaning.pattern->text, "a+") == 0);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        CHECK(read_rule("pattern", others[i], 1, "a", NULL) == CELL_INVALID_ARGUMENT);
        CHECK(wrong.argument == -1 && strstr(wrong.text, "a pattern is for texts"));
    }
    CHECK(read_rule("pattern", CELL_KIND_STR, 1, "ab(", NULL) == CELL_INVALID_ARGUMENT);
    CHECK(wrong.argument == 0 && wrong.has_at && wrong.at == 2);
    CHECK(read_rule("pattern", CELL_KIND_STR, 1, "[\\u{d800}-\\u{dfff}]", NULL) == CELL_INVALID_ARGUMENT);
    cell_arena_free(&arena);
}

TEST(rules_take_so_many_arguments)
{
    CHECK(cell_rule_named("range") && cell_rule_named("length") && cell_rule_named("pattern") &&
          cell_rule_named("rule"));
    CHECK(!cell_rule_named("rules") && !cell_rule_named("") && !cell_rule_named(NULL) && !cell_rule_named("Range"));
    static const struct {
        const char *name;
        uint32_t n;
        const char *text;
    } cases[] = {{"range", 1, "takes 2 arguments, not 1"},
                 {"range", 3, "takes 2 arguments, not 3"},
                 {"length", 0, "takes 2 arguments, not 0"},
                 {"pattern", 2, "takes 1 argument, not 2"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CHECK(read_rule(cases[i].name, CELL_KIND_I32, cases[i].n, "1", "2") == CELL_INVALID_ARGUMENT);
        CHECK(wrong.argument == -1 && strstr(wrong.text, cases[i].text));
    }
}

TEST(messages_have_1_to_200_bytes)
{
    char text[CELL_RULE_MAX_MESSAGE + 2];
    const char *const args[] = {"1", "2"};
    struct schema_rule rule = {.name = "range", .args = args, .nargs = 2, .message = text};
    const struct schema_ref use = {.kind = CELL_KIND_I32};
    memset(text, 'x', sizeof(text));
    for (size_t len = 0; len <= CELL_RULE_MAX_MESSAGE + 1; len += len == 1 ? CELL_RULE_MAX_MESSAGE - 1 : 1) {
        text[len] = '\0';
        const int r = cell_rule_read(&rule, &use, &arena, NULL, &meaning, &wrong);
        CHECK((r == CELL_OK) == (len > 0 && len <= CELL_RULE_MAX_MESSAGE));
        CHECK(meaning.message == text);
        text[len] = 'x';
    }
}

TEST(of_what_is_made_of_others_rules_mean_those)
{
    const struct schema_type named_list = {.kind = CELL_KIND_LIST, .elem = {.kind = CELL_KIND_ENUM}};
    const struct schema_ref list = {.kind = CELL_KIND_LIST, .elem = CELL_KIND_I32},
                            opt = {.kind = CELL_KIND_OPT, .elem = CELL_KIND_STR},
                            array = {.kind = CELL_KIND_STR, .count = 3}, text = {.kind = CELL_KIND_STR},
                            named = {.kind = CELL_KIND_LIST, .named = &named_list};
    CHECK(cell_rule_value_kind(&list, CELL_RULE_SIGNED) == CELL_KIND_I32);
    CHECK(cell_rule_value_kind(&list, CELL_RULE_LENGTH) == CELL_KIND_LIST);
    CHECK(cell_rule_value_kind(&opt, CELL_RULE_PATTERN) == CELL_KIND_STR);
    CHECK(cell_rule_value_kind(&opt, CELL_RULE_LENGTH) == CELL_KIND_STR);
    CHECK(cell_rule_value_kind(&array, CELL_RULE_PATTERN) == CELL_KIND_STR);
    CHECK(cell_rule_value_kind(&array, CELL_RULE_LENGTH) == CELL_KIND_STRUCT);
    CHECK(cell_rule_value_kind(&text, CELL_RULE_LENGTH) == CELL_KIND_STR);
    CHECK(cell_rule_value_kind(&named, CELL_RULE_SIGNED) == CELL_KIND_ENUM);
}

/* Rules of other names are kept; of one that is carried out there is one. */
TEST(all_rules_of_a_field_are_read)
{
    static const char *const args[] = {"1", "5"}, *const lengths[] = {"0", "x"};
    static const char *const pattern[] = {"a+"};
    struct schema_rule rules[] = {{.name = "secret", .args = args, .nargs = 2},
                                  {.name = "length", .args = args, .nargs = 2},
                                  {.name = "secret", .args = args, .nargs = 1},
                                  {.name = "pattern", .args = pattern, .nargs = 1}};
    struct schema_field f = {.name = "f", .type = {.kind = CELL_KIND_STR}, .rules = rules, .nrules = 4};
    struct cell_rule meanings[CELL_RULE_MOST];
    uint32_t n = 9, which = 9;
    CHECK(cell_rule_read_all(&f, &arena, NULL, meanings, &n, &which, &wrong) == CELL_OK && n == 2);
    CHECK(meanings[0].kind == CELL_RULE_LENGTH && meanings[1].kind == CELL_RULE_PATTERN);
    rules[3] = rules[1];
    CHECK(cell_rule_read_all(&f, &arena, NULL, meanings, &n, &which, &wrong) == CELL_INVALID_ARGUMENT);
    CHECK(which == 3 && wrong.argument == -1 && strstr(wrong.text, "'length' is there twice"));
    rules[1].args = lengths;
    CHECK(cell_rule_read_all(&f, &arena, NULL, meanings, &n, &which, &wrong) == CELL_INVALID_ARGUMENT);
    CHECK(which == 1 && wrong.argument == 1);
    cell_arena_free(&arena);
}

/* A field is looked at when something that it is made of has a rule that is carried out. */
TEST(fields_with_rules_inside_are_marked)
{
    static const char *const args[] = {"1", "5"};
    struct schema_rule range = {.name = "range", .args = args, .nargs = 2}, other = {.name = "secret"};
    const struct schema_type plain = {.kind = CELL_KIND_STRUCT}, ruled = {.kind = CELL_KIND_STRUCT, .ruled = true};
    const struct schema_type list = {.kind = CELL_KIND_LIST, .elem = {.kind = CELL_KIND_STRUCT, .named = &ruled}},
                             opt = {.kind = CELL_KIND_OPT, .elem = {.kind = CELL_KIND_STRUCT, .named = &ruled}},
                             plains = {.kind = CELL_KIND_LIST, .elem = {.kind = CELL_KIND_STRUCT, .named = &plain}};
    struct schema_field fields[] = {{.type = {.kind = CELL_KIND_I32}, .rules = &range, .nrules = 1},
                                    {.type = {.kind = CELL_KIND_I32}, .rules = &other, .nrules = 1},
                                    {.type = {.kind = CELL_KIND_I32}},
                                    {.type = {.kind = CELL_KIND_STRUCT, .named = &plain}},
                                    {.type = {.kind = CELL_KIND_STRUCT, .named = &ruled}},
                                    {.type = {.kind = CELL_KIND_LIST, .named = &list}},
                                    {.type = {.kind = CELL_KIND_OPT, .named = &opt}},
                                    {.type = {.kind = CELL_KIND_LIST, .named = &plains}}};
    static const bool right[] = {true, false, false, false, true, true, true, false};
    CHECK(cell_rule_mark(fields, 8));
    for (size_t i = 0; i < 8; i++)
        CHECK(fields[i].ruled == right[i]);
    CHECK(!cell_rule_mark(&fields[1], 3) && cell_rule_mark(&fields[3], 2));
}

static enum pattern_relation relation(enum cell_rule_kind kind, int64_t low, int64_t high, int64_t low2, int64_t high2)
{
    struct cell_rule a = {.kind = kind, .low = (uint64_t)low, .high = (uint64_t)high},
                     b = {.kind = kind, .low = (uint64_t)low2, .high = (uint64_t)high2};
    enum pattern_relation how = PATTERN_OTHER;
    if (kind == CELL_RULE_REAL) {
        const double d[] = {(double)low, (double)high, (double)low2, (double)high2};
        memcpy(&a.low, &d[0], 8);
        memcpy(&a.high, &d[1], 8);
        memcpy(&b.low, &d[2], 8);
        memcpy(&b.high, &d[3], 8);
    }
    CHECK(cell_rule_compare(&a, &b, &how) == CELL_OK);
    return how;
}

TEST(ranges_are_compared_by_what_they_let_through)
{
    static const enum cell_rule_kind kinds[] = {CELL_RULE_SIGNED, CELL_RULE_UNSIGNED, CELL_RULE_REAL, CELL_RULE_LENGTH};
    for (size_t i = 0; i < 4; i++) {
        CHECK(relation(kinds[i], 2, 5, 2, 5) == PATTERN_SAME);
        CHECK(relation(kinds[i], 3, 5, 2, 5) == PATTERN_NARROWER && relation(kinds[i], 2, 4, 2, 5) == PATTERN_NARROWER);
        CHECK(relation(kinds[i], 3, 4, 2, 5) == PATTERN_NARROWER);
        CHECK(relation(kinds[i], 1, 5, 2, 5) == PATTERN_WIDER && relation(kinds[i], 2, 6, 2, 5) == PATTERN_WIDER);
        CHECK(relation(kinds[i], 1, 4, 2, 5) == PATTERN_OTHER && relation(kinds[i], 3, 6, 2, 5) == PATTERN_OTHER);
    }
    CHECK(relation(CELL_RULE_SIGNED, -2, 5, -1, 5) == PATTERN_WIDER &&
          relation(CELL_RULE_SIGNED, -2, -1, -2, 1) == PATTERN_NARROWER);
    CHECK(relation(CELL_RULE_REAL, -2, 5, -1, 5) == PATTERN_WIDER &&
          relation(CELL_RULE_REAL, -2, -1, -2, 1) == PATTERN_NARROWER);
    CHECK(relation(CELL_RULE_UNSIGNED, 0, -1, 0, 7) == PATTERN_WIDER);
    const struct cell_rule length = {.kind = CELL_RULE_LENGTH, .low = 1, .high = 2},
                           other = {.kind = CELL_RULE_UNSIGNED, .low = 1, .high = 2};
    enum pattern_relation how = PATTERN_SAME;
    CHECK(cell_rule_compare(&length, &other, &how) == CELL_OK && how == PATTERN_OTHER);
}
