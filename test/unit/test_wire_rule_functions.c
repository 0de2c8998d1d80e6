/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Rules with functions, on the C structs of either side: what functions are given, and what they are not. */
#include "test.h"

#include "cell/types.h"
#include "wire/rules.h"

struct span {
    int32_t from, to;
};
struct named {
    cell_str name;
    cell_str tags[2];
};
static unsigned asked;

static int is_ordered(const void *value)
{
    const struct span *s = value;
    asked++;
    return s->from <= s->to;
}

static int is_named(const void *value)
{
    const struct named *n = value;
    asked++;
    for (uint64_t i = 0; i < n->name.len; i++)
        if (n->name.ptr[i] == '!')
            return 0;
    return n->tags[1].len == 0 || n->tags[1].ptr[0] != '!';
}

static int is_even(const void *value)
{
    asked++;
    return *(const int32_t *)value % 2 == 0;
}

static const struct cell_rule_function ordered = {"is_ordered", is_ordered}, named = {"is_named", is_named},
                                       even = {"is_even", is_even};
#define FUNCTION(function, message) {CELL_RULE_FUNCTION, 0, 0, 0, NULL, message, function}
static const struct cell_rule ordered_rules[] = {FUNCTION(&ordered, NULL), {0}},
                              named_rules[] = {FUNCTION(&named, "no exclamations"), {0}},
                              even_rules[] = {{CELL_RULE_SIGNED, 0, 0, 100, NULL, NULL, NULL},
                                              FUNCTION(&even, NULL),
                                              {0}},
                              list_rules[] = {
                                  {CELL_RULE_LENGTH, 0, 0, 3, NULL, NULL, NULL}, FUNCTION(&ordered, NULL), {0}};
static const struct cell_field span_fields[] = {{"from", &cell_type_i32, 0, 0, CELL_FIELD_RULED, even_rules},
                                                {"to", &cell_type_i32, 4, 0, 0, NULL}};
static const struct cell_type span_type = {"span", CELL_KIND_STRUCT, sizeof(struct span), 4, 2, span_fields, NULL};
static const struct cell_type spans_type = {"spans", CELL_KIND_LIST, sizeof(struct cell_ref), 8, 0, NULL, &span_type};
static const struct cell_field named_fields[] = {{"name", &cell_type_str, 0, 0, 0, NULL},
                                                 {"tags", &cell_type_str, 16, 2, 0, NULL}};
static const struct cell_type named_type = {"named", CELL_KIND_STRUCT, sizeof(struct named), 8, 2, named_fields, NULL};

static void check(const struct cell_field *field, const void *in, const char *message, unsigned calls)
{
    struct cell_error e = {0};
    asked = 0;
    CHECK(cell_rules_check(field, 1, in, &e) == (message[0] ? CELL_INVALID_ARGUMENT : CELL_OK));
    CHECK_STR(e.text, message);
    CHECK(asked == calls);
}

TEST(a_struct_is_given_whole_when_its_fields_keep_their_rules)
{
    static const struct cell_field field = {"s", &span_type, 0, 0, CELL_FIELD_RULED, ordered_rules};
    check(&field, &(struct span){2, 3}, "", 2);
    check(&field, &(struct span){4, 3}, "s must satisfy is_ordered", 2);
    check(&field, &(struct span){5, 9}, "s.from must satisfy is_even", 1);
    check(&field, &(struct span){102, 3}, "s.from must be 0 to 100, not 102", 0);
}

TEST(elements_are_given_and_the_length_is_the_lists)
{
    static const struct cell_field list = {"all", &spans_type, 0, 0, CELL_FIELD_RULED, list_rules},
                                   array = {"two", &span_type, 0, 2, CELL_FIELD_RULED, ordered_rules};
    struct span *all = malloc(4 * sizeof(*all)); /* a read behind its end is noticed */
    REQUIRE(all);
    for (int i = 0; i < 4; i++)
        all[i] = (struct span){2, 2};
    all[2].to = 1;
    struct cell_ref ref = {all, 2};
    check(&list, &ref, "", 4);
    ref.len = 3;
    check(&list, &ref, "all[2] must satisfy is_ordered", 6);
    ref.len = 4;
    check(&list, &ref, "all must have at most 3 elements, not 4", 0);
    ref = (struct cell_ref){all + 3, 1};
    check(&list, &ref, "", 2);
    check(&array, all, "", 4);
    check(&array, all + 1, "two[1] must satisfy is_ordered", 4);
    free(all);
}

TEST(of_an_optional_the_value_that_is_there)
{
    static const struct cell_field field = {"n", &cell_type_opt_i32, 0, 0, CELL_FIELD_RULED, even_rules};
    check(&field, &(cell_opt_i32){false, 1}, "", 0);
    check(&field, &(cell_opt_i32){true, 2}, "", 1);
    check(&field, &(cell_opt_i32){true, 1}, "n must satisfy is_even", 1);
}

TEST(no_function_is_given_a_text_that_is_not_there)
{
    static const struct cell_field field = {"n", &named_type, 0, 0, CELL_FIELD_RULED, named_rules};
    struct named n = {.name = CELL_STR("Ada!")};
    check(&field, &n, "no exclamations", 1);
    n.name.ptr = NULL;
    check(&field, &n, "", 0);
    n.name.len = 0;
    n.tags[1] = CELL_STR("!");
    check(&field, &n, "no exclamations", 1);
    n.tags[1].ptr = NULL;
    check(&field, &n, "", 0);
}

TEST(records_are_given_one_by_one)
{
    static const struct cell_field field = {"in", &span_type, 0, 0, CELL_FIELD_RULED, ordered_rules};
    const struct span records[] = {{0, 1}, {2, 3}, {4, 3}, {2, 2}};
    struct cell_error e = {0};
    uint64_t good = 9;
    CHECK(cell_rules_check_records(&field, records, 2, &good, &e) == CELL_OK && good == 2);
    CHECK(cell_rules_check_records(&field, records, 4, &good, &e) == CELL_INVALID_ARGUMENT && good == 2);
    CHECK_STR(e.text, "in must satisfy is_ordered");
}
