/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LIBS: cell_search_sanitized
#include "search/query.h"

#include "test.h"

static const struct search_field all[] = {
    {.name = "title", .kind = SEARCH_TEXT, .weight = 3},
    {.name = "body", .kind = SEARCH_TEXT, .weight = 1},
    {.name = "lang", .kind = SEARCH_KEYWORD},
    {.name = "year", .kind = SEARCH_INTEGER},
    {.name = "score", .kind = SEARCH_REAL},
    {.name = "draft", .kind = SEARCH_BOOL},
    {.name = "meaning", .kind = SEARCH_VECTOR, .dimensions = 3, .metric = SEARCH_COSINE},
};
static const struct search_fields fields = {all, sizeof(all) / sizeof(*all)};
enum { TITLE, BODY, LANG, YEAR, SCORE, DRAFT };

/* "the" is too common, and what has no letters is no word. */
static uint32_t count_words(void *user, const char *text, size_t length, bool prefix)
{
    (*(unsigned *)user)++;
    if (!prefix && length == 3 && memcmp(text, "the", 3) == 0)
        return 0;
    for (size_t i = 0; i < length; i++)
        if (((text[i] | 32) >= 'a' && (text[i] | 32) <= 'z') || (text[i] & 0x80) || (text[i] >= '0' && text[i] <= '9'))
            return 1;
    return 0;
}

static struct search_failure f;

static int parse(const char *text, size_t length, struct search_query *q)
{
    unsigned calls = 0;
    char *exact = malloc(length + (length == 0)); /* what reads beyond is noticed */
    memcpy(exact, text, length);
    memset(&f, 0, sizeof(f));
    int r = search_query_parse(&fields, exact, length, count_words, &calls, q, &f);
    free(exact); /* values that point into it are looked at by those tests that keep it */
    return r;
}

TEST(words_and_operators_become_expressions_of_the_index)
{
    static const char *const cases[][2] = {
        {"cat", "\"cat\""},
        {"  cat\tdog\n", "(\"cat\" AND \"dog\")"},
        {"cat AND dog", "(\"cat\" AND \"dog\")"},
        {"cat OR dog", "(\"cat\" OR \"dog\")"},
        {"a b OR c d", "((\"a\" AND \"b\") OR (\"c\" AND \"d\"))"},
        {"a (b OR c) d", "(\"a\" AND (\"b\" OR \"c\") AND \"d\")"},
        {"\"black cat\"", "\"black cat\""},
        {"\"black ca\"* dog*", "(\"black ca\"* AND \"dog\"*)"},
        {"cat -dog", "((\"cat\") NOT \"dog\")"},
        {"-dog cat -\"red fox\" bird", "(((\"cat\" AND \"bird\") NOT \"dog\") NOT \"red fox\")"},
        {"cat NOT (dog OR fox)", "((\"cat\") NOT (\"dog\" OR \"fox\"))"},
        {"cat OR (dog -fox)", "(\"cat\" OR ((\"dog\") NOT \"fox\"))"},
        {"title:cat", "\"f_title\" : (\"cat\")"},
        {"TITLE:cat body:\"a b\"", "(\"f_title\" : (\"cat\") AND \"f_body\" : (\"a b\"))"},
        {"title:(cat OR dog*) fox", "(\"f_title\" : ((\"cat\" OR \"dog\"*)) AND \"fox\")"},
        {"cat -title:dog", "((\"cat\") NOT \"f_title\" : (\"dog\"))"},
        {"and or not And", "(\"and\" AND \"or\" AND \"not\" AND \"And\")"},
        {"\"AND\" \"cat OR\"", "(\"AND\" AND \"cat OR\")"},
        {"well-known c++ 12:30", "(\"well-known\" AND \"c++\" AND \"12:30\")"},
        {"the cat", "(\"cat\")"},
        {"cat - dog", "(\"cat\" AND \"dog\")"}, /* a dash between spaces is no word */
        {"cat -the", "(\"cat\")"},
        {"the* ?*", "(\"the\"*)"},
        {"(the OR cat) dog", "((\"cat\") AND \"dog\")"},
        {"(((cat)))", "\"cat\""},
        {"caf\xc3\xa9 \xe6\x97\xa5", "(\"caf\xc3\xa9\" AND \"\xe6\x97\xa5\")"},
        {"a'b;c--", "\"a'b;c--\""},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct search_query q = {0};
        int r = parse(cases[i][0], strlen(cases[i][0]), &q);
        if (r != CELL_OK)
            printf("%s: %s\n", cases[i][0], f.text);
        CHECK(r == CELL_OK);
        CHECK_STR(q.match, cases[i][1]);
        CHECK(q.nfilters == 0);
        search_query_free(&q);
    }
}

TEST(what_is_left_out_is_counted)
{
    struct search_query q = {0};

    CHECK(parse("the cat -the -- dog", 19, &q) == CELL_OK && q.nignored == 3);
    search_query_free(&q);
}

TEST(conditions_are_read_by_the_kind_of_their_field)
{
    static const char text[] = "cat year:1990..1999 year:>=-3 -year:7 score:<1.5e3 score:2..  lang:\"en US\" lang:de "
                               "draft:false -draft:TRUE year:..12 score:=0.25";
    struct search_query q = {0};
    unsigned calls = 0;

    REQUIRE(search_query_parse(&fields, text, strlen(text), count_words, &calls, &q, &f) == CELL_OK);
    const struct search_filter *at = q.filters;
    CHECK_STR(q.match, "(\"cat\")");
    REQUIRE(q.nfilters == 11);
    CHECK(at[0].field == YEAR && at[0].comparison == SEARCH_BETWEEN && at[0].value.integer == 1990 &&
          at[0].high.integer == 1999 && !at[0].negated);
    CHECK(at[1].comparison == SEARCH_GREATER_EQUAL && at[1].value.integer == -3);
    CHECK(at[2].comparison == SEARCH_EQUAL && at[2].value.integer == 7 && at[2].negated);
    CHECK(at[3].field == SCORE && at[3].comparison == SEARCH_LESS && at[3].value.real == 1500);
    CHECK(at[4].comparison == SEARCH_GREATER_EQUAL && at[4].value.real == 2);
    CHECK(at[5].field == LANG && at[5].value.text.length == 5 && memcmp(at[5].value.text.bytes, "en US", 5) == 0);
    CHECK(at[6].value.text.length == 2 && memcmp(at[6].value.text.bytes, "de", 2) == 0);
    CHECK(at[7].field == DRAFT && at[7].value.integer == 0 && !at[7].negated);
    CHECK(at[8].value.integer == 1 && at[8].negated);
    CHECK(at[9].comparison == SEARCH_LESS_EQUAL && at[9].value.integer == 12);
    CHECK(at[10].comparison == SEARCH_EQUAL && at[10].value.real == 0.25);
    search_query_free(&q);
}

TEST(conditions_alone_are_a_query)
{
    struct search_query q = {0};

    CHECK(parse("year:9223372036854775807", 24, &q) == CELL_OK && !q.match && q.nfilters == 1);
    CHECK(q.filters[0].value.integer == INT64_MAX);
    CHECK(parse("the year:1", 10, &q) == CELL_OK && !q.match && q.nfilters == 1 && q.nignored == 1);
}

static const struct {
    const char *query;
    uint32_t at, count;
    const char *text;
} bad[] = {
    {"", 1, 0, "there is nothing to look for"},
    {"   ", 4, 0, "there is nothing to look for"},
    {"the", 1, 3, "these words are in nearly every text"},
    {"caf\xc3\xa9 (dog", 6, 1, "never closed"},
    {"caf\xc3\xa9 dog)", 9, 1, "never opened"},
    {"\xe6\x97\xa5 \"dog", 3, 4, "never closed"},
    {"()", 2, 1, "missing before this"},
    {"cat OR", 7, 0, "there is nothing to look for"},
    {"OR cat", 1, 1, "missing before this"},
    {"cat AND", 5, 3, "missing behind this"},
    {"cat AND OR dog", 5, 4, "missing behind this"},
    {"AND cat", 1, 3, "missing before this"},
    {"cat NOT", 5, 3, "missing here"},
    {"-cat", 1, 4, "beside something that is"},
    {"-cat -dog", 1, 4, "beside something that is"},
    {"cat OR -dog", 8, 4, "beside something that is"},
    {"cat - -", 7, 1, NULL},
    {"NOT NOT cat", 1, 11, "beside something that is"},
    {"*", 1, 1, "'*' stands at the end"},
    {"http://x", 1, 4, "there is no field 'http'"},
    {"titel:cat", 1, 5, "there is no field 'titel'"},
    {"title: cat", 1, 6, "without a space"},
    {"title:-cat", 1, 7, "before the field's name: -title:word"},
    {"title:(body:cat)", 8, 5, "within another field"},
    {"meaning:cat", 1, 8, "is a vector"},
    {"year:old", 6, 3, "compared with a whole number of 64 bits"},
    {"year:9223372036854775808", 6, 19, "whole number of 64 bits"},
    {"year:1.5", 6, 3, "whole number"},
    {"year:..", 6, 2, "one end at least"},
    {"year:1..x", 9, 1, "whole number"},
    {"year:>", 6, 1, "is missing"},
    {"year: 3", 6, 0, "is missing"},
    {"score:nan", 7, 3, "compared with a number"},
    {"score:1e999", 7, 5, "compared with a number"},
    {"score:0x10", 7, 4, "compared with a number"},
    {"draft:maybe", 7, 5, "compared with true or false"},
    {"draft:>true", 8, 4, "is true or false"},
    {"lang:>en", 7, 2, "as a whole only"},
    {"lang:\"en", 6, 3, "never closed"},
    {"year:1 OR cat", 1, 6, "holds for the whole query"},
    {"cat -(year:1 dog)", 7, 6, "holds for the whole query"},
    {"title:(year:1)", 8, 6, "holds for the whole query"},
    {"cat \xff", 5, 1, "not a text in UTF-8"},
    {"cat \xed\xa0\x80", 5, 1, "not a text in UTF-8"},
};

TEST(errors_name_their_place_in_characters)
{
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct search_query q = {0};
        int r = parse(bad[i].query, strlen(bad[i].query), &q);
        if (!bad[i].text) {
            CHECK(r == CELL_OK || f.at > 0);
            search_query_free(&q);
            continue;
        }
        if (r != CELL_INVALID_ARGUMENT || f.at != bad[i].at || f.count != bad[i].count || !strstr(f.text, bad[i].text))
            printf("%s: %d at %u, %u: %s (%s)\n", bad[i].query, r, f.at, f.count, f.text, q.match ? q.match : "-");
        CHECK(r == CELL_INVALID_ARGUMENT && f.status == r);
        CHECK(f.at == bad[i].at && f.count == bad[i].count);
        CHECK(strstr(f.text, bad[i].text));
        CHECK(!q.match);
    }
    struct search_query q = {0};
    CHECK(parse("cat\0dog", 7, &q) == CELL_INVALID_ARGUMENT && f.at == 4);
}

/* `n` times `unit`, then `middle`, then `n` times `end`. */
static int parse_repeated(const char *unit, int n, const char *middle, const char *end)
{
    static char text[2 * SEARCH_MOST_QUERY];
    struct search_query q = {0};
    size_t length = 0;

    for (int i = 0; i < n; i++)
        length += (size_t)sprintf(text + length, "%s", unit);
    length += (size_t)sprintf(text + length, "%s", middle);
    for (int i = 0; i < n; i++)
        length += (size_t)sprintf(text + length, "%s", end);
    int r = parse(text, length, &q);
    search_query_free(&q);
    return r;
}

TEST(queries_are_bounded)
{
    CHECK(parse_repeated("(", SEARCH_MOST_DEPTH, "cat", ")") == CELL_OK);
    CHECK(parse_repeated("(", SEARCH_MOST_DEPTH + 1, "cat", ")") == CELL_INVALID_ARGUMENT &&
          f.at == SEARCH_MOST_DEPTH + 1);
    CHECK(parse_repeated("NOT ", SEARCH_MOST_DEPTH + 1, "cat", "") == CELL_INVALID_ARGUMENT);
    CHECK(strstr(f.text, "nested too deeply"));
    CHECK(parse_repeated("a ", SEARCH_MOST_TERMS, "", "") == CELL_OK);
    CHECK(parse_repeated("a ", SEARCH_MOST_TERMS + 1, "", "") == CELL_INVALID_ARGUMENT);
    CHECK(parse_repeated("(a OR a) -(a a) ", SEARCH_MOST_TERMS / 4, "", "") == CELL_OK);
    CHECK(parse_repeated("year:1 ", SEARCH_MOST_FILTERS, "", "") == CELL_OK);
    CHECK(parse_repeated("year:1 ", SEARCH_MOST_FILTERS + 1, "", "") == CELL_INVALID_ARGUMENT);
    CHECK(parse_repeated("a", SEARCH_MOST_QUERY + 1, "", "") == CELL_INVALID_ARGUMENT && f.at == 0);
    CHECK(parse_repeated("((((((((((((((((", 250, "", "") == CELL_INVALID_ARGUMENT);
}
