/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Each kind of rule, at and beside its borders, on every type that it can be on, and what is said. */
#include "test.h"

#include <locale.h>
#include <math.h>

#include "cell/types.h"
#include "core/pattern.h"
#include "wire/rules.h"

static char said[512];

static int check_rules(const struct cell_type *type, uint32_t count, uint32_t flags, const struct cell_rule *rules,
                       const void *in)
{
    const struct cell_field field = {"f", type, 0, count, flags, rules};
    struct cell_error e = {0};
    const int r = cell_rules_check(&field, 1, in, &e);
    CHECK(e.status == r);
    snprintf(said, sizeof(said), "%s", e.text);
    return r;
}

/* Whether a value is let through. */
static bool passes(const struct cell_type *type, const struct cell_rule *rules, const void *value)
{
    const int r = check_rules(type, 0, CELL_FIELD_RULED, rules, value);
    CHECK(r == CELL_OK || r == CELL_INVALID_ARGUMENT);
    return r == CELL_OK;
}

static struct cell_rule range(enum cell_rule_kind kind, uint64_t low, uint64_t high)
{
    return (struct cell_rule){kind, 0, low, high, NULL, NULL};
}

static uint64_t bits_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

TEST(integers_of_each_type_are_within_both_bounds)
{
    static const struct cell_type *const types[] = {&cell_type_i8,  &cell_type_u8,  &cell_type_i16, &cell_type_u16,
                                                    &cell_type_i32, &cell_type_u32, &cell_type_i64, &cell_type_u64};
    for (size_t i = 0; i < 8; i++) {
        const bool with_sign = i % 2 == 0;
        const int64_t low = with_sign ? -100 : 3, high = with_sign ? -5 : 200;
        const struct cell_rule rules[] = {
            range(with_sign ? CELL_RULE_SIGNED : CELL_RULE_UNSIGNED, (uint64_t)low, (uint64_t)high), {0}};
        const int64_t values[] = {low - 1, low, low + 1, high - 1, high, high + 1};
        for (size_t k = 0; k < 6; k++) {
            int64_t both[2] = {values[k], -1}; /* what lies behind does not count: little-endian */
            memset((char *)both + types[i]->size, 0x55, sizeof(both) - types[i]->size);
            CHECK(passes(types[i], rules, both) == (k > 0 && k < 5));
        }
        const int64_t far = with_sign ? 5 : 0;
        CHECK(!passes(types[i], rules, &far));
    }
    const struct cell_rule all[] = {range(CELL_RULE_UNSIGNED, 0, UINT64_MAX - 1), {0}};
    const uint64_t most = UINT64_MAX, less = most - 1;
    CHECK(!passes(&cell_type_u64, all, &most) && passes(&cell_type_u64, all, &less));
}

TEST(reals_are_within_both_bounds_and_no_nan)
{
    const struct cell_rule rules[] = {range(CELL_RULE_REAL, bits_of(-0.5), bits_of(2)), {0}};
    static const double values[] = {-0.5, 0, 2, -0.5000001, 2.0000002, INFINITY, -INFINITY, NAN};
    for (size_t i = 0; i < 8; i++) {
        const float f = (float)values[i];
        CHECK(passes(&cell_type_f64, rules, &values[i]) == (i < 3));
        CHECK(passes(&cell_type_f32, rules, &f) == (i < 3));
    }
    CHECK_STR(said, "f must be -0.5 to 2, not nan");
}

TEST(lengths_are_characters_bytes_or_elements)
{
    const struct cell_rule rules[] = {range(CELL_RULE_LENGTH, 2, 3), {0}};
    static const struct {
        const char *text;
        size_t len;
        bool text_passes, bytes_pass;
    } cases[] = {
        {"", 0, false, false},
        {"a", 1, false, false},
        {"ab", 2, true, true},
        {"abc", 3, true, true},
        {"abcd", 4, false, false},
        {"\xc3\xa9", 2, false, true},
        {"\xc3\xa9g", 3, true, true},
        {"\xc3\xa9\xc3\xa9", 4, true, false},
        {"\xf0\x9f\x98\x80-", 5, true, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct cell_ref ref = {cases[i].text, cases[i].len};
        CHECK(passes(&cell_type_str, rules, &ref) == cases[i].text_passes);
        CHECK(passes(&cell_type_bytes, rules, &ref) == cases[i].bytes_pass);
        CHECK(passes(&cell_type_list_i8, rules, &ref) == cases[i].bytes_pass);
    }
    const struct cell_ref none = {NULL, 0}, broken = {NULL, 9};
    CHECK(!passes(&cell_type_str, rules, &none));
    CHECK_STR(said, "f must have 2 to 3 characters, not 0");
    CHECK(!passes(&cell_type_bytes, rules, &none));
    CHECK_STR(said, "f must have 2 to 3 bytes, not 0");
    CHECK(!passes(&cell_type_list_i8, rules, &none));
    CHECK_STR(said, "f must have 2 to 3 elements, not 0");
    CHECK(passes(&cell_type_str, rules, &broken)); /* encoding refuses it */
    CHECK(cell_utf8_length("a\xc3\xa9\xe2\x82\xac", 6) == 3 && cell_utf8_length("a", 0) == 0);
}

/* What a rule does not fit does not count, whoever wrote the descriptor. */
TEST(rules_of_other_types_are_passed_over)
{
    const struct cell_rule whole[] = {range(CELL_RULE_SIGNED, 7, 7), {0}}, real[] = {range(CELL_RULE_REAL, 1, 1), {0}},
                           length[] = {range(CELL_RULE_LENGTH, 1, 1), {0}}, unknown[] = {range(99, 1, 1), {0}},
                           pattern[] = {{CELL_RULE_PATTERN, 0, 0, 0, NULL, NULL}, {0}};
    const double d = 5;
    const bool no = false;
    const uint64_t n[2] = {5, 5};
    const struct cell_ref text = {"abc", 3};
    CHECK(passes(&cell_type_f64, whole, &d) && passes(&cell_type_f32, whole, &d) &&
          passes(&cell_type_bool, whole, &no));
    CHECK(passes(&cell_type_str, whole, &text) && passes(&cell_type_i64, real, &n) && passes(&cell_type_u64, real, &n));
    CHECK(passes(&cell_type_i32, length, &n) && passes(&cell_type_u64, pattern, &n));
    CHECK(passes(&cell_type_bytes, pattern, &text) && passes(&cell_type_str, unknown, &text));
}

static struct cell_arena arena;

static const struct cell_pattern *compile(const char *text)
{
    struct cell_pattern *p = NULL;
    struct pattern_mistake wrong;
    CHECK(cell_pattern_compile(text, &arena, NULL, &p, &wrong) == CELL_OK);
    return p;
}

TEST(texts_match_patterns)
{
    const struct cell_rule rules[] = {{CELL_RULE_PATTERN, 0, 0, 0, compile("[a-c]+"), NULL}, {0}};
    const struct cell_ref good = {"abc", 3}, bad = {"abd", 3}, none = {NULL, 0}, broken = {NULL, 3};
    CHECK(passes(&cell_type_str, rules, &good) && !passes(&cell_type_str, rules, &bad));
    CHECK_STR(said, "f must match the pattern [a-c]+");
    CHECK(!passes(&cell_type_str, rules, &none) && passes(&cell_type_str, rules, &broken));
    const struct cell_pattern *wide = compile("(a|b)*a(a|b){8}");
    CHECK(wide && wide->wide && wide->nstates > 256);
    CHECK(cell_pattern_matches(wide, "bbabbbbbbbb", 11) && !cell_pattern_matches(wide, "bbbbbbbbbbb", 11));
    CHECK(!cell_pattern_matches(wide, "bbabbbbbbbc", 11) && !cell_pattern_matches(wide, "", 0));
    cell_arena_free(&arena);
}

struct inner {
    int32_t n;
    uint8_t has, pad[3];
    int32_t maybe;
    uint32_t pad2;
    cell_str text;
};
struct outer {
    struct cell_ref list; /* of inner */
    int16_t array[3];
    uint16_t pad;
    uint32_t plain;
    const struct inner *ref;
    uint64_t one;
};

static const struct cell_rule small[] = {{CELL_RULE_SIGNED, 0, 1, 9, NULL, NULL}, {0}},
                              short_text[] = {{CELL_RULE_LENGTH, 0, 0, 2, NULL, "no such text"}, {0}},
                              few[] = {{CELL_RULE_LENGTH, 0, 1, 2, NULL, NULL}, {0}};
static const struct cell_field inner_fields[] = {{"n", &cell_type_i32, 0, 0, CELL_FIELD_RULED, small},
                                                 {"maybe", &cell_type_opt_i32, 4, 0, CELL_FIELD_RULED, small},
                                                 {"text", &cell_type_str, 16, 0, CELL_FIELD_RULED, short_text}};
static const struct cell_type inner_type = {"inner", CELL_KIND_STRUCT, sizeof(struct inner), 8, 3, inner_fields, NULL},
                              inners = {"list<inner>", CELL_KIND_LIST, 16, 8, 0, NULL, &inner_type};
static const struct cell_field outer_fields[] = {
    {"list", &inners, 0, 0, CELL_FIELD_RULED, few},
    {"array", &cell_type_i16, 16, 3, CELL_FIELD_RULED, small},
    {"plain", &cell_type_u32, 24, 0, 0, small}, /* without the flag nobody looks */
    {"ref", &inner_type, 32, 0, CELL_FIELD_RULED | CELL_FIELD_REF, NULL}};

static const char *outer_says(const struct outer *o)
{
    struct cell_error e = {0};
    const int r = cell_rules_check(outer_fields, 4, o, &e);
    CHECK(r == (e.text[0] ? CELL_INVALID_ARGUMENT : CELL_OK));
    snprintf(said, sizeof(said), "%s", e.text);
    return said;
}

TEST(whatever_a_value_is_made_of_is_checked)
{
    struct inner items[] = {{.n = 1, .text = {"ab", 2}}, {.n = 9, .has = 1, .maybe = 9, .text = {"", 0}}, {.n = 1}};
    struct outer o = {.list = {items, 2}, .array = {1, 2, 9}};
    CHECK_STR(outer_says(&o), "");
    o.list.len = 3;
    CHECK_STR(outer_says(&o), "list must have 1 to 2 elements, not 3");
    o.list = (struct cell_ref){NULL, 0};
    CHECK_STR(outer_says(&o), "list must have 1 to 2 elements, not 0");
    o.list = (struct cell_ref){NULL, 2}; /* encoding refuses it */
    CHECK_STR(outer_says(&o), "");
    o.list = (struct cell_ref){items, 2};
    items[1].n = 10;
    CHECK_STR(outer_says(&o), "list[1].n must be 1 to 9, not 10");
    items[1].n = 9;
    items[1].maybe = 0;
    CHECK_STR(outer_says(&o), "list[1].maybe must be 1 to 9, not 0");
    items[1].has = 0;
    CHECK_STR(outer_says(&o), "");
    items[0].text.len = 3;
    items[0].text.ptr = "abc";
    CHECK_STR(outer_says(&o), "list[0].text: no such text");
    items[0].text.len = 2;
    o.array[2] = 10;
    CHECK_STR(outer_says(&o), "array[2] must be 1 to 9, not 10");
    o.array[2] = 9;
    o.array[0] = 0;
    CHECK_STR(outer_says(&o), "array[0] must be 1 to 9, not 0");
    o.array[0] = 1;
    o.ref = &items[2];
    CHECK_STR(outer_says(&o), "");
    items[2].n = 0;
    CHECK_STR(outer_says(&o), "ref.n must be 1 to 9, not 0");
}

/* The length is the list's, the rest its elements'; of each field the first rule that is broken is said. */
TEST(several_rules_hold_at_once)
{
    static const struct cell_rule both[] = {
        {CELL_RULE_LENGTH, 0, 1, 2, NULL, NULL}, {CELL_RULE_SIGNED, 0, 1, 9, NULL, "small"}, {0}};
    static const int32_t numbers[] = {1, 9, 10};
    const struct cell_ref good = {numbers, 2}, many = {numbers, 3}, bad = {numbers + 2, 1};
    CHECK(passes(&cell_type_list_i32, both, &good));
    CHECK(!passes(&cell_type_list_i32, both, &many));
    CHECK_STR(said, "f must have 1 to 2 elements, not 3");
    CHECK(!passes(&cell_type_list_i32, both, &bad));
    CHECK_STR(said, "f[0]: small");
    const cell_str texts[] = {{"a", 1}, {"ab", 2}, {"abc", 3}};
    const struct cell_ref list = {texts, 3};
    const struct cell_rule length[] = {range(CELL_RULE_LENGTH, 3, 3), {0}};
    CHECK(passes(&cell_type_list_str, length, &list)); /* not of its texts */
    const struct cell_rule more[] = {
        range(CELL_RULE_LENGTH, 0, 9), {CELL_RULE_PATTERN, 0, 0, 0, compile("a[b-z]*"), NULL}, {0}};
    CHECK(passes(&cell_type_list_str, more, &list));
    const cell_str other[] = {{"a", 1}, {"b", 1}};
    const struct cell_ref wrong = {other, 2};
    CHECK(!passes(&cell_type_list_str, more, &wrong));
    CHECK_STR(said, "f[1] must match the pattern a[b-z]*");
    const cell_str ab = {"ab", 2}, longer = {"abcdefghijk", 11};
    CHECK(passes(&cell_type_str, more, &ab) && !passes(&cell_type_str, more, &longer));
    struct {
        uint8_t has;
        int32_t value;
    } opt = {2, 0}; /* encoding refuses it */
    CHECK(passes(&cell_type_opt_i32, small, &opt));
    cell_arena_free(&arena);
}

TEST(an_own_message_of_a_field_stands_alone)
{
    const struct cell_ref text = {"abc", 3};
    CHECK(!passes(&cell_type_str, short_text, &text));
    CHECK_STR(said, "no such text");
}

TEST(records_are_counted_up_to_the_first_that_is_wrong)
{
    static const struct cell_field stream = {"numbers", &cell_type_i32, 0, 0, CELL_FIELD_RULED, small};
    static const struct cell_rule told[] = {{CELL_RULE_SIGNED, 0, 1, 9, NULL, "too much"}, {0}};
    static const struct cell_field other = {"numbers", &cell_type_i32, 0, 0, CELL_FIELD_RULED, told},
                                   items = {"items", &inner_type, 0, 0, CELL_FIELD_RULED, NULL};
    const int32_t numbers[] = {1, 9, 10, 11};
    uint64_t good = 77;
    struct cell_error e = {0};
    CHECK(cell_rules_check_records(&stream, numbers, 2, &good, &e) == CELL_OK && good == 2 && !e.text[0]);
    CHECK(cell_rules_check_records(&stream, numbers, 4, &good, &e) == CELL_INVALID_ARGUMENT && good == 2);
    CHECK_STR(e.text, "numbers must be 1 to 9, not 10");
    CHECK(cell_rules_check_records(&stream, numbers, 4, NULL, &e) == CELL_INVALID_ARGUMENT);
    CHECK(cell_rules_check_records(&stream, numbers, 0, &good, &e) == CELL_OK && good == 0);
    CHECK(cell_rules_check_records(&other, numbers + 2, 1, &good, &e) == CELL_INVALID_ARGUMENT && good == 0);
    CHECK_STR(e.text, "too much");
    const struct inner two[] = {{.n = 1}, {.n = 1, .text = {"abc", 3}}};
    CHECK(cell_rules_check_records(&items, two, 2, &good, &e) == CELL_INVALID_ARGUMENT && good == 1);
    CHECK_STR(e.text, "items.text: no such text");
}

static const char *says(struct cell_rule rule, uint32_t kind)
{
    static char text[CELL_RULE_TEXT];
    cell_rule_says(&rule, kind, text);
    return text;
}

TEST(rules_say_what_they_ask_for)
{
    static const uint32_t signed_kinds[] = {CELL_KIND_I8, CELL_KIND_I16, CELL_KIND_I32, CELL_KIND_I64},
                          unsigned_kinds[] = {CELL_KIND_U8, CELL_KIND_U16, CELL_KIND_U32, CELL_KIND_U64};
    static const int64_t most[] = {INT8_MAX, INT16_MAX, INT32_MAX, INT64_MAX};
    static const uint64_t umost[] = {UINT8_MAX, UINT16_MAX, UINT32_MAX, UINT64_MAX};
    for (size_t i = 0; i < 4; i++) {
        CHECK_STR(says(range(CELL_RULE_SIGNED, 1, (uint64_t)most[i]), signed_kinds[i]), "must be at least 1");
        CHECK_STR(says(range(CELL_RULE_SIGNED, (uint64_t)(-most[i] - 1), 7), signed_kinds[i]), "must be at most 7");
        CHECK_STR(says(range(CELL_RULE_UNSIGNED, 1, umost[i]), unsigned_kinds[i]), "must be at least 1");
        CHECK_STR(says(range(CELL_RULE_UNSIGNED, 0, 7), unsigned_kinds[i]), "must be at most 7");
    }
    CHECK_STR(says(range(CELL_RULE_SIGNED, (uint64_t)-126, 126), CELL_KIND_I8), "must be -126 to 126");
    CHECK_STR(says(range(CELL_RULE_SIGNED, 0, 127), CELL_KIND_I16), "must be 0 to 127");
    CHECK_STR(says(range(CELL_RULE_UNSIGNED, 1, 254), CELL_KIND_U8), "must be 1 to 254");
    CHECK_STR(says(range(CELL_RULE_SIGNED, 5, 5), CELL_KIND_I32), "must be 5");
    CHECK_STR(says(range(CELL_RULE_UNSIGNED, 5, UINT64_MAX), CELL_KIND_U64), "must be at least 5");
    CHECK_STR(says(range(CELL_RULE_REAL, bits_of(0.1), bits_of(1e300)), CELL_KIND_F64), "must be 0.1 to 1e+300");
    CHECK_STR(says(range(CELL_RULE_REAL, bits_of(0.1 + 0.2), bits_of(1)), CELL_KIND_F64),
              "must be 0.30000000000000004 to 1");
    CHECK_STR(says(range(CELL_RULE_LENGTH, 1, UINT64_MAX), CELL_KIND_STR), "must have at least 1 character");
    CHECK_STR(says(range(CELL_RULE_LENGTH, 2, UINT64_MAX), CELL_KIND_STR), "must have at least 2 characters");
    CHECK_STR(says(range(CELL_RULE_LENGTH, 0, 1), CELL_KIND_BYTES), "must have at most 1 byte");
    CHECK_STR(says(range(CELL_RULE_LENGTH, 0, 2), CELL_KIND_BYTES), "must have at most 2 bytes");
    CHECK_STR(says(range(CELL_RULE_LENGTH, 1, 1), CELL_KIND_LIST), "must have exactly 1 element");
    CHECK_STR(says(range(CELL_RULE_LENGTH, 1, 2), CELL_KIND_LIST), "must have 1 to 2 elements");
}

TEST(a_long_pattern_is_cut_between_characters)
{
    char text[160], right[CELL_RULE_TEXT];
    struct cell_pattern p = {.text = text};
    const struct cell_rule rule = {CELL_RULE_PATTERN, 0, 0, 0, &p, NULL};
    memset(text, 'a', sizeof(text));
    text[100] = '\0';
    snprintf(right, sizeof(right), "must match the pattern %s", text);
    CHECK_STR(says(rule, CELL_KIND_STR), right);
    memcpy(text + 99, "\xc3\xa9z", 4);
    snprintf(right, sizeof(right), "must match the pattern %.99s...", text);
    CHECK_STR(says(rule, CELL_KIND_STR), right);
    memcpy(text + 98, "\xc3\xa9z", 4);
    snprintf(right, sizeof(right), "must match the pattern %.100s...", text);
    CHECK_STR(says(rule, CELL_KIND_STR), right);
}

/* The point of messages is that of C, whatever a program's locale has; a locale may have several bytes for it. */
TEST(numbers_in_messages_have_no_locale)
{
    static const char *const names[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "ps_AF.UTF-8", "C"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!setlocale(LC_NUMERIC, names[i]))
            continue;
        CHECK_STR(says(range(CELL_RULE_REAL, bits_of(-0.25), bits_of(1.5)), CELL_KIND_F64), "must be -0.25 to 1.5");
    }
    setlocale(LC_NUMERIC, "C");
}
