/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LIBS: cell_store_sanitized
/* What a struct may declare, what its functions are called, and what a plan says. */
#include <store/generate.h>

#include "test.h"

#define FIELD(NAME, TYPE) "{\"name\": \"" NAME "\", \"type\": \"" TYPE "\", \"offset\": 0}"
#define RULED(NAME, TYPE, RULE)                                                                                        \
    "{\"name\": \"" NAME "\", \"type\": \"" TYPE "\", \"offset\": 0, \"rules\": [{\"rule\": \"" RULE                   \
    "\", \"args\": []}]}"
#define KEY RULED("id", "i64", "key")
#define TYPES                                                                                                          \
    "{\"name\": \"state\", \"kind\": \"enum\", \"type\": \"u32\", \"size\": 4, \"align\": 4, \"values\": [{\"name\": " \
    "\"DRAFT\", \"value\": \"0\"}]}, {\"name\": \"place\", \"kind\": \"struct\", \"size\": 8, \"align\": 8, "          \
    "\"fields\": [" FIELD("x", "f64") "]}, {\"name\": \"places\", \"kind\": \"list\", \"of\": \"place\", \"size\": "   \
                                      "16, \"align\": 8}, {\"name\": \"notes_range\", \"kind\": \"struct\", "          \
                                      "\"size\": 8, \"align\": 8, \"fields\": "                                        \
                                      "[" FIELD("y", "f64") "]}"

/* A request for collection `name`; the fields and rules as JSON. */
static json_t *request(const char *name, const char *fields, const char *rules)
{
    char *text = NULL;

    if (asprintf(&text,
                 "{\"annotation\": {\"args\": [\"%s\"]}, \"declaration\": {\"name\": \"note\", \"type\": {\"name\": "
                 "\"note\", \"kind\": \"struct\", \"size\": 64, \"align\": 8, \"fields\": [%s]}, \"types\": [" TYPES
                 "], \"rules\": [%s]}}",
                 name, fields, rules) < 0)
        return NULL;
    json_t *root = json_loads(text, 0, NULL);
    free(text);
    return root;
}

#define RULE(NAME, ARG) "{\"rule\": \"" NAME "\", \"args\": [\"" ARG "\"]}"

static const char *first_text(const struct st_declared *d)
{
    return json_string_value(json_object_get(json_array_get(d->diagnostics, 0), "text"));
}

TEST(what_cannot_be_declared_is_an_error_that_says_why)
{
    static const struct {
        const char *name, *fields, *rules, *text;
    } cases[] = {
        {"notes", FIELD("id", "i64"), "", "records need a key: CELL_KEY behind the name of a field"},
        {"2notes", KEY, "",
         "'2notes' cannot be the name of a collection, which functions are called after: it is an identifier of at "
         "most "
         "63 bytes"},
        {"notes", RULED("id", "list<i32>", "key"), "",
         "'id' has no order: structs and lists cannot be part of a key or an index"},
        {"notes", RULED("id", "place", "key"), "",
         "'id' has no order: structs and lists cannot be part of a key or an index"},
        {"notes", RULED("id", "opt<i32>", "key"), "", "'id' may be absent, so that it cannot be part of the key"},
        {"notes", RULED("id", "i32[4]", "key"), "", "'id' has no order: of arrays only those of uint8_t do"},
        {"notes", KEY "," FIELD("a", "opt<i32>[3]"), "",
         "'a' is an array of lists or optionals: put them into a struct"},
        {"notes", KEY "," RULED("v", "u32", "version"), "",
         "CELL_VERSION stands behind one field, which is a uint64_t"},
        {"notes", KEY "," RULED("v", "u64", "version") "," RULED("w", "u64", "version"), "",
         "CELL_VERSION stands behind one field, which is a uint64_t"},
        {"notes", KEY, RULE("index", "nothing"), "'nothing' is no field of this struct"},
        {"notes", KEY "," FIELD("a", "i32"), RULE("index", "a, a"), "'a' stands twice in this list"},
        {"notes", KEY, RULE("index", "id"), "an index of the key: records are in that order already"},
        {"notes", KEY, RULE("primary_key", "id"), "the key is declared twice: by CELL_KEY and by CELL_PRIMARY_KEY"},
        {"notes", KEY "," RULED("a", "i32", "index"), RULE("index", "a"), "there are two indexes 'a'"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_t *root = request(cases[i].name, cases[i].fields, cases[i].rules);
        struct st_declared d;
        REQUIRE(root && st_declare(root, &d, NULL) == CELL_OK);
        CHECK(d.failed);
        CHECK_STR(first_text(&d), cases[i].text);
        st_declared_free(&d);
        json_decref(root);
    }
}

TEST(a_request_that_is_none_is_refused)
{
    static const char *const bad[] = {
        "{}", "{\"annotation\": {\"args\": [7]}}",
        "{\"annotation\": {\"args\": [\"a\"]}, \"declaration\": {\"type\": {\"fields\": [{\"type\": \"i32\"}]}}}",
        "{\"annotation\": {\"args\": [\"a\"]}, \"declaration\": {\"type\": {\"fields\": [{\"name\": \"a b\", \"type\": "
        "\"i32\"}]}}}"};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        json_t *root = json_loads(bad[i], 0, NULL);
        struct st_declared d;
        struct st_failure f;
        CHECK(st_declare(root, &d, &f) == CELL_INVALID_ARGUMENT);
        json_decref(root);
    }
}

static bool has_method(const json_t *document, const char *name)
{
    json_t *method;
    size_t i;

    json_array_foreach(json_object_get(document, "methods"), i, method)
    {
        if (strcmp(json_string_value(json_object_get(method, "name")), name) == 0)
            return true;
    }
    return false;
}

TEST(functions_are_those_that_the_declaration_can_have)
{
    json_t *root = request("things", KEY "," RULED("a", "opt<str>", "unique") "," RULED("b", "state", "index"), "");
    json_t *document = json_pack("{s[], s[]}", "types", "methods");
    struct st_declared d;

    REQUIRE(st_declare(root, &d, NULL) == CELL_OK && !d.failed);
    CHECK(st_generate(&d, document) == CELL_OK && !d.failed);
    static const char *const there[] = {"things_put",       "things_put_many", "things_get",     "things_delete",
                                        "things_by_a",      "things_scan",     "things_list",    "things_scan_by_b",
                                        "things_list_by_a", "things_count",    "things_changes", "things_snapshot"};
    for (size_t i = 0; i < sizeof(there) / sizeof(there[0]); i++)
        CHECK(has_method(document, there[i]));
    CHECK(!has_method(document, "things_put_if") && !has_method(document, "things_delete_if"));
    json_decref(document);
    st_declared_free(&d);
    json_decref(root);
}

TEST(names_that_the_program_has_are_not_given_again)
{
    json_t *root = request("notes", KEY, ""), *document = json_pack("{s[], s[]}", "types", "methods");
    struct st_declared d;

    REQUIRE(st_declare(root, &d, NULL) == CELL_OK && !d.failed);
    CHECK(st_generate(&d, document) == CELL_OK && d.failed);
    CHECK_STR(first_text(&d),
              "the program has a 'notes_range' of its own already, which belongs to collection 'notes'");
    json_decref(document);
    st_declared_free(&d);
    json_decref(root);
}

/* The kinds of a plan's steps, with blanks between. */
static void steps_of(const char *before, const char *fields, const char *rules, char text[200])
{
    json_t *root = request("things", fields, rules), *document = before ? json_loads(before, 0, NULL) : NULL, *step;
    struct st_declared d;
    struct st_plan plan;
    size_t i;

    text[0] = '\0';
    CHECK(st_declare(root, &d, NULL) == CELL_OK && st_plan_make(&d, document, &plan) == CELL_OK);
    json_array_foreach(plan.steps, i, step)
    {
        strcat(strcat(text, i ? " " : ""), json_string_value(json_object_get(step, "kind")));
    }
    if (d.failed)
        snprintf(text, 200, "error: %s", first_text(&d));
    st_plan_free(&plan);
    st_declared_free(&d);
    json_decref(document);
    json_decref(root);
}

#define BEFORE                                                                                                         \
    "{\"name\": \"things\", \"space\": 1, \"key\": [1], \"record\": {\"next\": 4, \"fields\": [{\"name\": \"id\", "    \
    "\"id\": 1, \"kind\": \"i64\", \"shape\": \"plain\"}, {\"name\": \"a\", \"id\": 2, \"kind\": \"u16\", \"shape\": " \
    "\"plain\"}]}, \"indexes\": [{\"name\": \"a\", \"fields\": [2], \"unique\": false, \"space\": 2, \"state\": "      \
    "\"ready\"}]}"
#define A(TYPE) KEY "," RULED("a", TYPE, "index")

TEST(plans_do_what_is_compatible_and_refuse_what_loses_something)
{
    static const struct {
        const char *fields, *rules, *steps;
    } cases[] = {
        {A("u16"), "", ""},
        {A("i32"), "", "change-type"},
        {A("u64"), "", "change-type"},
        {A("opt<u16>"), "", "change-type"},
        {A("i16"), "", "error: 'a' of collection 'things' is u16, not i16, and its values would be lost"},
        {A("u8"), "", "error: 'a' of collection 'things' is u16, not u8, and its values would be lost"},
        {A("str"), RULE("dropped", "a"), "replace-field create-index drop-index"},
        {A("u16") "," FIELD("b", "places"), "", "add-field"},
        {KEY, "", "error: 'a' of collection 'things' has no field any more, and its values would be lost"},
        {KEY, RULE("dropped", "a"), "drop-field drop-index"},
        {KEY, RULE("dropped", "a\", \"again"),
         "error: CELL_DROPPED of a store has one name: it holds for as long as it stands"},
        {KEY "," FIELD("a", "u16"), "", "error: the index of a of collection 'things' is not declared any more"},
        {KEY "," RULED("a", "u16", "unique"), "", "create-index drop-index"},
        {RULED("a", "u16", "key") "," FIELD("id", "i64"), "",
         "error: collection 'things' has another key, which cannot change: declare another collection"},
        {RULED("id", "str", "key") "," RULED("a", "u16", "index"), RULE("dropped", "id"),
         "error: 'id' is part of the key of 'things', which cannot change: declare another collection"},
    };
    char text[200];

    steps_of(NULL, A("u16"), "", text);
    CHECK_STR(text, "create-collection");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        steps_of(BEFORE, cases[i].fields, cases[i].rules, text);
        CHECK_STR(text, cases[i].steps);
    }
}
