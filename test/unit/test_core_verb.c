/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Arguments of a verb, by place and by name. */
#include "schema_document.h"

#define ABSENT CELL_VERB_ARG_ABSENT
#define MOST 8

static struct schema_verb_arg index_args[] = {{.name = "source", .type = "string", .required = true},
                                              {.name = "shards", .type = "integer", .value = "4"},
                                              {.name = "language", .type = "string", .value = ""},
                                              {.name = "owner", .type = "name"},
                                              {.name = "limit", .type = "integer"}};
static const struct schema_verb index_verb = {.name = "index", .args = index_args, .nargs = 5};
static const struct schema_verb bare_verb = {.name = "check"};

static uint32_t count(const char *const *texts)
{
    uint32_t n = 0;
    while (texts[n])
        n++;
    return n;
}

/* What the cell gets to see, "users|4|-|"; "-" for what is left out. */
static const char *seen(const char *const *texts)
{
    static char text[256];
    const char *list[MOST];
    uint32_t values[MOST];
    struct verb_mistake wrong = {0};
    int r = cell_verb_bind(&index_verb, texts, count(texts), values, &wrong);
    if (r < 0)
        return "refused";
    uint32_t n = cell_verb_complete(&index_verb, texts, values, list);
    text[0] = '\0';
    for (uint32_t i = 0; i < n; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s|", list[i] ? list[i] : "-");
    return text;
}

static struct verb_mistake mistake(const struct schema_verb *verb, const char *const *texts)
{
    uint32_t values[MOST];
    struct verb_mistake wrong = {0};
    CHECK(cell_verb_bind(verb, texts, count(texts), values, &wrong) == CELL_INVALID_ARGUMENT);
    return wrong;
}

#define TEXTS(...) ((const char *const[]){__VA_ARGS__, NULL})

TEST(arguments_without_names_keep_their_order)
{
    CHECK_STR(seen(TEXTS("users", "5", "en", "me", "10")), "users|5|en|me|10|");
    CHECK_STR(seen(TEXTS("users", "5")), "users|5||");
}

TEST(names_find_their_place_in_any_order)
{
    const char *expected = "users|5|en|me|10|";
    CHECK_STR(seen(TEXTS("users", "5", "cell.arg:limit", "10", "cell.arg:owner", "me", "cell.arg:language", "en")),
              expected);
    CHECK_STR(seen(TEXTS("cell.arg:limit", "10", "cell.arg:shards", "5", "cell.arg:language", "en", "cell.arg:owner",
                         "me", "cell.arg:source", "users")),
              expected);
}

TEST(what_is_left_out_has_its_default_or_is_nothing)
{
    CHECK_STR(seen(TEXTS("users")), "users|4||"); /* an empty text is a default as any other */
    CHECK_STR(seen(TEXTS("users", "cell.arg:language", "en")), "users|4|en|");
    CHECK_STR(seen(TEXTS("users", "cell.arg:limit", "1")), "users|4||-|1|");
    CHECK_STR(seen(TEXTS("users", "cell.arg:owner", "me")), "users|4||me|");
}

TEST(the_places_of_values_are_told)
{
    uint32_t values[MOST];
    struct verb_mistake wrong;
    REQUIRE(cell_verb_bind(&index_verb, TEXTS("users", "cell.arg:owner", "me", "cell.arg:shards", "5"), 5, values,
                           &wrong) == CELL_OK);
    CHECK(values[0] == 0 && values[1] == 4 && values[2] == ABSENT && values[3] == 2 && values[4] == ABSENT);
    /* A text that nobody could read is a value. */
    const char *const unread[] = {NULL, "cell.arg:owner", NULL};
    REQUIRE(cell_verb_bind(&index_verb, unread, 3, values, &wrong) == CELL_OK);
    CHECK(values[0] == 0 && values[1] == ABSENT && values[3] == 2);
}

TEST(a_verb_may_have_no_arguments)
{
    struct verb_mistake wrong;
    uint32_t values[1];
    const char *list[1];
    REQUIRE(cell_verb_bind(&bare_verb, NULL, 0, values, &wrong) == CELL_OK);
    CHECK(cell_verb_complete(&bare_verb, NULL, values, list) == 0);
    wrong = mistake(&bare_verb, TEXTS("a", "b"));
    CHECK(wrong.kind == VERB_ARG_TOO_MANY && wrong.at == 0 && wrong.given == 2);
    wrong = mistake(&bare_verb, TEXTS("cell.arg:source", "a"));
    CHECK(wrong.kind == VERB_ARG_TOO_MANY && wrong.at == 0 && wrong.given == 1);
    wrong = mistake(&bare_verb, TEXTS("cell.arg:source"));
    CHECK(wrong.kind == VERB_ARG_UNKNOWN && wrong.at == 0 && !wrong.nearest);
}

TEST(unknown_names_get_a_suggestion)
{
    struct verb_mistake wrong = mistake(&index_verb, TEXTS("users", "cell.arg:langauge", "en"));
    CHECK(wrong.kind == VERB_ARG_UNKNOWN && wrong.at == 1);
    CHECK_STR(wrong.name, "langauge");
    CHECK_STR(wrong.nearest, "language");
    static const char *const others[] = {"cell.arg:stopwords", "cell.arg:", "cell.arg:Source ", "cell.arg: limit"};
    static const char *const nearest[] = {NULL, NULL, "source", "limit"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        wrong = mistake(&index_verb, TEXTS("users", others[i], "en"));
        CHECK(wrong.kind == VERB_ARG_UNKNOWN && wrong.at == 1 && !wrong.nearest == !nearest[i]);
        CHECK_STR(wrong.name, others[i] + strlen(CELL_VERB_ARG));
        if (nearest[i])
            CHECK_STR(wrong.nearest, nearest[i]);
    }
    /* Only the beginning is a mark. */
    CHECK_STR(seen(TEXTS("cell.arg")), "cell.arg|4||");
    CHECK_STR(seen(TEXTS(" cell.arg:source")), " cell.arg:source|4||");
}

TEST(an_argument_has_one_value)
{
    struct verb_mistake wrong = mistake(&index_verb, TEXTS("users", "5", "cell.arg:shards", "6"));
    CHECK(wrong.kind == VERB_ARG_TWICE && wrong.at == 2 && wrong.first == 1);
    CHECK_STR(wrong.name, "shards");
    wrong = mistake(&index_verb, TEXTS("users", "cell.arg:shards", "5", "cell.arg:limit", "1", "cell.arg:shards", "5"));
    CHECK(wrong.kind == VERB_ARG_TWICE && wrong.at == 5 && wrong.first == 2);
    const char *const *const without[] = {
        (const char *const[]){"users", "cell.arg:shards", NULL},
        (const char *const[]){"users", "cell.arg:shards", "cell.arg:limit", "1", NULL},
        (const char *const[]){"users", "cell.arg:shards", "cell.arg:shards", "1", NULL},
    };
    for (size_t i = 0; i < sizeof(without) / sizeof(without[0]); i++) {
        wrong = mistake(&index_verb, without[i]);
        CHECK(wrong.kind == VERB_ARG_NO_VALUE && wrong.at == 1);
        CHECK_STR(wrong.name, "shards");
    }
}

TEST(names_come_last)
{
    struct verb_mistake wrong = mistake(&index_verb, TEXTS("users", "cell.arg:shards", "5", "en"));
    CHECK(wrong.kind == VERB_ARG_BEHIND_NAMES && wrong.at == 3 && !wrong.name);
    wrong = mistake(&index_verb, TEXTS("users", "cell.arg:shards", "5", "en", "cell.arg:limit", "1"));
    CHECK(wrong.kind == VERB_ARG_BEHIND_NAMES && wrong.at == 3);
}

TEST(too_many_and_too_few_are_refused)
{
    struct verb_mistake wrong = mistake(&index_verb, TEXTS("users", "5", "en", "me", "1", "2"));
    CHECK(wrong.kind == VERB_ARG_TOO_MANY && wrong.at == 5 && wrong.given == 6);
    wrong = mistake(&index_verb, TEXTS("users", "5", "en", "me", "1", "2", "cell.arg:limit", "3"));
    CHECK(wrong.kind == VERB_ARG_TOO_MANY && wrong.at == 5 && wrong.given == 7);
    wrong = mistake(&index_verb, TEXTS("cell.arg:shards", "5"));
    CHECK(wrong.kind == VERB_ARG_MISSING && wrong.at == 2);
    CHECK_STR(wrong.name, "source");
    uint32_t values[MOST];
    CHECK(cell_verb_bind(&index_verb, NULL, 0, values, &wrong) == CELL_INVALID_ARGUMENT);
    CHECK(wrong.kind == VERB_ARG_MISSING && wrong.at == 0);
}
