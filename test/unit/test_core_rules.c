/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Rules in schemas: their canonical form, and how changes of them are classified. */
#include "schema_document.h"

#include "core/diff.h"

/* A cell whose parameter and field, both of `type`, have these rules. */
static struct cell_schema *schema_with(const char *type, uint32_t size, const char *rules)
{
    char json[2048];
    struct cell_error e = {0};
    snprintf(json, sizeof(json),
             "{\"abi\":\"lp64-le\",\"capabilities\":[],\"cell\":\"a\",\"constants\":[],\"functions\":[],\"methods\":["
             "{\"name\":\"a_m\",\"params\":[{\"dir\":\"in\",\"name\":\"p\",\"rules\":[%s],\"type\":\"%s\"}]}],"
             "\"schema\":\"cell.schema/1\",\"streams\":[],\"types\":[{\"align\":8,\"fields\":[{\"name\":\"f\","
             "\"offset\":0,\"rules\":[%s],\"type\":\"%s\"}],\"kind\":\"struct\",\"name\":\"t\",\"size\":%u}],"
             "\"verbs\":[]}",
             rules, type, rules, type, size);
    struct cell_schema *s = parse_schema(json, &e);
    CHECK_STR(e.text, "");
    if (!s)
        exit(1);
    return s;
}

#define RANGE(low, high) "{\"args\":[\"" low "\",\"" high "\"],\"rule\":\"range\"}"
#define LENGTH(low, high) "{\"args\":[\"" low "\",\"" high "\"],\"rule\":\"length\"}"
#define PATTERN(text) "{\"args\":[\"" text "\"],\"rule\":\"pattern\"}"

static void check_change(const char *type, uint32_t size, const char *before, const char *after, const char *id,
                         unsigned breaks, const char *sentence)
{
    struct cell_schema *old = schema_with(type, size, before), *now = schema_with(type, size, after);
    struct cell_diff *d = NULL;
    CHECK(cell_diff_new(old, now, &d, NULL) == CELL_OK && d->n == 2);
    for (uint32_t i = 0; d && i < d->n; i++) {
        CHECK_STR(d->changes[i].id, id);
        CHECK(d->changes[i].breaks == breaks);
    }
    if (d && d->n == 2) {
        CHECK_STR(d->changes[1].sentence, sentence);
        CHECK_STR(d->changes[0].member, "f");
    }
    CHECK(d && cell_diff_method(d, old, "a_m", NULL) == 0);
    cell_diff_free(d);
    cell_schema_free(old);
    cell_schema_free(now);
}

TEST(stricter_rules_break_the_source_and_no_wire)
{
    check_change("i64", 8, "", RANGE("1", "5"), "RULE_ADDED", DIFF_SOURCE,
                 "'p' of 'a_m' has a new rule in A Cell: range 1 to 5");
    check_change("i64", 8, RANGE("1", "5"), "", "RULE_REMOVED", 0,
                 "'p' of 'a_m' has lost its rule in A Cell: range 1 to 5");
    check_change("i64", 8, RANGE("-1", "5"), RANGE("-1", "4"), "RULE_TIGHTENED", DIFF_SOURCE,
                 "The rule of 'p' of 'a_m' allows less in A Cell: range -1 to 4, no longer range -1 to 5");
    check_change("i64", 8, RANGE("1", "5"), RANGE("-1", "5"), "RULE_LOOSENED", 0,
                 "The rule of 'p' of 'a_m' allows more in A Cell: range -1 to 5, no longer range 1 to 5");
    check_change("u64", 8, RANGE("1", "5"), RANGE("0", "4"), "RULE_CHANGED", DIFF_SOURCE,
                 "The rule of 'p' of 'a_m' allows other values in A Cell: range 0 to 4, no longer range 1 to 5");
    check_change(
        "f64", 8, RANGE("-0.5", "2"), RANGE("-0.5", "2.0"), "RULE_SAME_MEANING", 0,
        "The rule of 'p' of 'a_m' is written in another way in A Cell: range -0.5 to 2.0, no longer range -0.5 to 2");
    check_change("f64", 8, RANGE("-0.5", "2"), RANGE("-0.25", "1"), "RULE_TIGHTENED", DIFF_SOURCE,
                 "The rule of 'p' of 'a_m' allows less in A Cell: range -0.25 to 1, no longer range -0.5 to 2");
    check_change("str", 16, LENGTH("1", "5"), LENGTH("0", "6"), "RULE_LOOSENED", 0,
                 "The rule of 'p' of 'a_m' allows more in A Cell: length 0 to 6, no longer length 1 to 5");
    check_change("str", 16, PATTERN("[a-z]+"), PATTERN("[a-z]{1,8}"), "RULE_TIGHTENED", DIFF_SOURCE,
                 "The rule of 'p' of 'a_m' allows less in A Cell: pattern [a-z]{1,8}, no longer pattern [a-z]+");
    check_change("str", 16, PATTERN("a|b"), PATTERN("[ab]"), "RULE_SAME_MEANING", 0,
                 "The rule of 'p' of 'a_m' is written in another way in A Cell: pattern [ab], no longer pattern a|b");
    check_change("str", 16, PATTERN("a+"), PATTERN("b+"), "RULE_CHANGED", DIFF_SOURCE,
                 "The rule of 'p' of 'a_m' allows other values in A Cell: pattern b+, no longer pattern a+");
}

TEST(messages_are_documentation_and_unknown_rules_are_kept)
{
    static const char with[] = "{\"args\":[\"1\",\"5\"],\"message\":\"one to five\",\"rule\":\"range\"},"
                               "{\"args\":[\"what\"],\"rule\":\"other\"}";
    struct cell_schema *a = schema_with("i64", 8, with);
    struct cell_schema *b = schema_with("i64", 8, RANGE("1", "5") ",{\"args\":[\"what\"],\"rule\":\"other\"}");
    struct cell_buffer json = {0};
    struct cell_diff *d = NULL;
    CHECK(cell_schema_format(a, &json) == CELL_OK && strstr(json.data, with));
    CHECK(strcmp(a->fingerprint, b->fingerprint) != 0); /* clients show it */
    CHECK_STR(a->types[0].fingerprint, b->types[0].fingerprint);
    CHECK_STR(a->methods[0].fingerprint, b->methods[0].fingerprint);
    CHECK(cell_diff_new(a, b, &d, NULL) == CELL_OK && d->n == 0);
    CHECK_STR(a->methods[0].params[0].rules[0].message, "one to five");
    CHECK(a->methods[0].params[0].ruled && a->types[0].ruled && a->types[0].fields[0].ruled);
    cell_diff_free(d);
    cell_buffer_free(&json);
    cell_schema_free(a);
    cell_schema_free(b);
}

/* In place of the rule of auth_login's first parameter, a text. */
TEST(rules_that_cannot_be_meant_are_refused)
{
    static const char rule[] = "{\"args\":[\"3\",\"64\"],\"rule\":\"length\"}";
    static const char flag[] = "\"name\":\"flag\",\"type\":\"bool\"", out[] = "\"name\":\"out\",\"pointer\":true";
    static const struct {
        const char *from, *to, *message;
    } edits[] = {
        {rule, "{\"args\":[\"3\"],\"rule\":\"length\"}",
         "methods[0].params[0].rules[0]: rule 'length' takes 2 arguments, not 1"},
        {rule, "{\"args\":[\"65\",\"64\"],\"rule\":\"length\"}",
         "methods[0].params[0].rules[0].args[1]: the greatest length is less than the least"},
        {rule, "{\"args\":[\"03\",\"64\"],\"rule\":\"length\"}",
         "methods[0].params[0].rules[0].args[0]: '03' is no length"},
        {rule, "{\"args\":[\"3\",\"18446744073709551616\"],\"rule\":\"length\"}",
         "methods[0].params[0].rules[0].args[1]: '18446744073709551616' is no length"},
        {rule, "{\"args\":[\"3\",\"64\"],\"rule\":\"range\"}",
         "methods[0].params[0].rules[0]: a range is for numbers, not for 'str'"},
        {rule, "{\"args\":[\"ab[\"],\"rule\":\"pattern\"}",
         "methods[0].params[0].rules[0].args[0]: at byte 3 of the pattern: a class without its ]"},
        {rule, "{\"args\":[\"(a|b)*a(a|b){900}\"],\"rule\":\"pattern\"}",
         "methods[0].params[0].rules[0].args[0]: at byte 0 of the pattern: the pattern needs too many states"},
        {rule, "{\"args\":[\"3\",\"64\"],\"rule\":\"length\"},{\"args\":[\"3\",\"64\"],\"rule\":\"length\"}",
         "methods[0].params[0].rules[1]: rule 'length' is there twice"},
        {rule, "{\"args\":[\"3\",\"64\"],\"message\":\"\",\"rule\":\"length\"}",
         "methods[0].params[0].rules[0]: the message of a rule has 1 to 200 bytes"},
        {rule, "{\"args\":[\"3\",\"64\"],\"message\":\"a\\u0007\",\"rule\":\"length\"}",
         "methods[0].params[0].rules[0].message: the text holds a control or bidirectional control character"},
        {rule, "{\"args\":[\"3\",\"64\"],\"message\":7,\"rule\":\"length\"}",
         "methods[0].params[0].rules[0].message: a string is expected, not an integer"},
        {flag, "\"name\":\"flag\",\"rules\":[{\"args\":[\"0\",\"1\"],\"rule\":\"range\"}],\"type\":\"bool\"",
         "methods[0].params[3].rules[0]: a range is for numbers, not for 'bool'"},
        {out, "\"name\":\"out\",\"pointer\":true,\"rules\":[{\"args\":[\"0\",\"1\"],\"rule\":\"length\"}]",
         "methods[0].params[5].rules[0]: rule 'length' is for what goes in"},
    };
    for (size_t i = 0; i < sizeof(edits) / sizeof(edits[0]); i++) {
        struct cell_error error = {0};
        char *json = replaced(FULL_SCHEMA, edits[i].from, edits[i].to);
        CHECK(!parse_schema(json, &error) && error.status == CELL_PROTOCOL_ERROR);
        CHECK_STR(error.text, edits[i].message);
        free(json);
    }
}

/* Each alone is allowed; so many would keep a compiler busy for long. */
TEST(the_work_on_all_patterns_of_a_schema_is_bounded)
{
    struct cell_buffer all = {0};
    struct cell_error error = {0};
    cell_buffer_puts(
        &all,
        "{\"abi\":\"lp64-le\",\"capabilities\":[],\"cell\":\"a\",\"constants\":[],\"functions\":[],\"methods\":[");
    for (int i = 0; i < 10; i++) {
        cell_buffer_printf(&all, "%s{\"name\":\"m%d\",\"params\":[", i ? "," : "", i);
        for (int k = 0; k < 40; k++)
            cell_buffer_printf(&all,
                               "%s{\"dir\":\"in\",\"name\":\"p%d\",\"rules\":[{\"args\":[\".{1,254}\"],\"rule\":"
                               "\"pattern\"}],\"type\":\"str\"}",
                               k ? "," : "", k);
        cell_buffer_puts(&all, "]}");
    }
    cell_buffer_puts(&all, "],\"schema\":\"cell.schema/1\",\"streams\":[],\"types\":[],\"verbs\":[]}");
    struct cell_schema *s = parse_schema(all.data, &error);
    CHECK(!s && strstr(error.text, "the pattern takes too much work"));
    cell_schema_free(s);
    cell_buffer_free(&all);
}
