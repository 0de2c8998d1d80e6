/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The member "functions" of a schema: what of it the schema model knows, keeps and refuses. */
#include "schema_document.h"

#include "base/util.h"
#include "wire/limits.h"

static struct cell_error error;

#define HELPER "{\"body\":[],\"internal\":true,\"name\":\"auth_login\",\"returns\":\"i32\"}"
#define RATE                                                                                                           \
    "{\"body\":[[\"return\",1]],\"doc\":\"How good.\",\"name\":\"auth_rate\",\"params\":[],\"returns\":\"i32\"}"
#define GUESS "{\"body\":[],\"name\":\"auth_guess\",\"returns\":\"status\"}"
#define FUNCTIONS "{\"cell.ast\":1,\"functions\":[" HELPER "," RATE "," GUESS "]}"

static char *with_functions(const char *functions)
{
    char *member = malloc(strlen(functions) + 32);
    sprintf(member, "\"functions\":%s", functions);
    char *json = replaced(FULL_SCHEMA, "\"functions\":[]", member);
    free(member);
    return json;
}

static void check_format(const struct cell_schema *s, const char *json)
{
    struct cell_buffer out = {0};
    char hex[CELL_FINGERPRINT_LEN + 1];
    CHECK(cell_schema_format(s, &out) == CELL_OK);
    CHECK_STR(out.data, json);
    cell_sha256_hex(json, strlen(json), hex);
    CHECK_STR(s->fingerprint, hex);
    cell_buffer_free(&out);
}

TEST(functions_are_kept_and_found_by_name)
{
    char *json = with_functions(FUNCTIONS);
    struct cell_schema *s = parse_schema(json, &error);
    REQUIRE(s);
    CHECK(s->functions_len == strlen(FUNCTIONS));
    CHECK_STR(s->functions, FUNCTIONS);
    REQUIRE(s->nvisible_functions == 2); /* by name; the internal one may have any, that of a method too */
    CHECK_STR(s->visible_functions[0].name, "auth_guess");
    CHECK(s->visible_functions[0].index == 2 && !s->visible_functions[0].doc);
    const struct schema_function *rate = cell_schema_function(s, "auth_rate");
    REQUIRE(rate);
    CHECK(rate == &s->visible_functions[1] && rate->index == 1);
    CHECK_STR(rate->doc, "How good.");
    CHECK(!cell_schema_function(s, "auth_login") && !cell_schema_function(s, ""));
    CHECK(!s->received);
    check_format(s, json);
    cell_schema_free(s);
    free(json);
}

TEST(without_functions_a_schema_says_so_with_an_empty_list)
{
    char *without = replaced(FULL_SCHEMA, "\"functions\":[],", "");
    const char *const texts[] = {FULL_SCHEMA, without};
    for (size_t i = 0; i < 2; i++) {
        struct cell_schema *s = parse_schema(texts[i], &error);
        REQUIRE(s);
        CHECK(!s->functions && s->functions_len == 0 && s->nvisible_functions == 0);
        CHECK(!cell_schema_function(s, "auth_rate"));
        check_format(s, texts[i]);
        cell_schema_free(s);
    }
    free(without);
}

TEST(order_and_white_space_do_not_change_the_fingerprint)
{
    char *json = with_functions(FUNCTIONS);
    char *other =
        with_functions("{ \"functions\": [ " HELPER ", {\"returns\":\"i32\",\"params\":[],\"name\":\"auth_rate\", "
                       "\"doc\":\"How g\\u006fod.\", \"body\":[[\"return\",1]]}, " GUESS " ], \"cell.ast\":1 }");
    struct cell_schema *a = parse_schema(json, &error), *b = parse_schema(other, &error);
    REQUIRE(a && b);
    CHECK_STR(a->fingerprint, b->fingerprint);
    CHECK_STR(b->functions, FUNCTIONS);
    cell_schema_free(a);
    cell_schema_free(b);
    free(json);
    free(other);
}

TEST(every_part_of_them_is_in_the_fingerprint)
{
    char *json = with_functions(FUNCTIONS), *other = replaced(json, "[\"return\",1]", "[\"return\",2]");
    struct cell_schema *a = parse_schema(json, &error), *b = parse_schema(other, &error);
    REQUIRE(a && b);
    CHECK(strcmp(a->fingerprint, b->fingerprint) != 0);
    cell_schema_free(a);
    cell_schema_free(b);
    free(json);
    free(other);
}

#define ONE(name) "{\"functions\":[" HELPER ",{\"name\":\"" name "\"}]}"
static const char scope[] = "' is there twice: types, constants, enumerators, methods and functions share one scope";

TEST(names_are_checked_and_unique)
{
    static const struct {
        const char *functions, *message;
    } bad[] = {
        {"{\"functions\":{}}", "functions.functions: an array is expected, not an object"},
        {"{\"functions\":[7]}", "functions.functions[0]: an object is expected, not an integer"},
        {"{\"functions\":[{}]}", "functions.functions[0].name: missing"},
        {"{\"functions\":[{\"name\":\"f\",\"internal\":1}]}",
         "functions.functions[0].internal: true or false is expected, not an integer"},
        {"[7]", "functions: an object is expected, not an array"},
        {"true", "functions: an object is expected, not true"},
        {ONE("a-b"), "functions.functions[1].name: 'a-b' is not an identifier"},
        {ONE("round"), "functions.functions[1].name: 'round' is a function of the C library"},
        {ONE("int"), "functions.functions[1].name: 'int' is a keyword of C or C++"},
        {ONE("cell_free"), "functions.functions[1].name: the name 'cell_free' is reserved"},
        {ONE("f\",\"doc\":\"*/"), "functions.functions[1].doc: '*/' would end a comment"},
        {ONE("auth_ping"), "functions.functions[1].name: 'auth_ping"},
        {ONE("auth_role"), "functions.functions[1].name: 'auth_role"},
        {ONE("AUTH_ROOT"), "functions.functions[1].name: 'AUTH_ROOT"},
        {ONE("AUTH_MAX"), "functions.functions[1].name: 'AUTH_MAX"},
        {ONE("f\"},{\"name\":\"f"), "functions.functions[2].name: 'f"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char *json = with_functions(bad[i].functions), message[160];
        const size_t len = strlen(bad[i].message);
        const bool open = strstr(bad[i].message, ": '") && !strchr(strstr(bad[i].message, ": '") + 3, '\'');
        snprintf(message, sizeof(message), "%s%s", bad[i].message, open ? scope : "");
        CHECK(len > 0 && !parse_schema(json, &error));
        CHECK_STR(error.text, message);
        free(json);
    }
}

TEST(a_stream_does_not_get_the_name_of_a_function)
{
    char *json = with_functions(ONE("auth_watch_next"));
    char *streamed = replaced(
        json, "{\"idempotent\":true,\"name\":\"auth_ping\",\"params\":[]}",
        "{\"name\":\"auth_watch\",\"params\":[{\"dir\":\"out\",\"name\":\"o\",\"stream\":true,\"type\":\"i32\"}]}");
    CHECK(!parse_schema(streamed, &error));
    CHECK_STR(error.text,
              "methods[1].name: 'auth_watch_next' is there already, and clients declare it for this method's "
              "stream");
    free(streamed);
    free(json);
}

/* A function with a doc of as many bytes as are missing to `size`. */
static char *of_size(size_t size)
{
    static const char head[] = "{\"functions\":[{\"doc\":\"", tail[] = "\",\"name\":\"f\"}]}";
    char *text = malloc(size + 1);
    memset(text, 'x', size);
    memcpy(text, head, sizeof(head) - 1);
    strcpy(text + size - (sizeof(tail) - 1), tail);
    return text;
}

TEST(their_size_is_limited)
{
    for (size_t beyond = 0; beyond < 2; beyond++) {
        char *functions = of_size(CELL_MAX_FUNCTIONS + beyond), *json = with_functions(functions);
        struct cell_schema *s = parse_schema(json, &error);
        CHECK((s == NULL) == (beyond != 0));
        if (beyond)
            CHECK_STR(error.text, "functions: 1048577 bytes of functions, 1048576 is the limit");
        cell_schema_free(s);
        free(json);
        free(functions);
    }
}

static struct cell_schema *build(const char *functions)
{
    struct cell_schema *s = cell_schema_new();
    s->cell = "maths";
    s->functions = functions;
    s->functions_len = functions ? strlen(functions) : 0;
    return s;
}

TEST(a_schema_that_is_built_takes_them_as_text)
{
    struct cell_schema *s = build("{ \"functions\" : [ " RATE " ], \"cell.ast\" : 1 }"), *again = NULL;
    struct cell_buffer out = {0};
    REQUIRE(cell_schema_seal(s, &error) == CELL_OK);
    CHECK_STR(s->functions, "{\"cell.ast\":1,\"functions\":[" RATE "]}");
    CHECK(cell_schema_function(s, "auth_rate"));
    CHECK(cell_schema_format(s, &out) == CELL_OK);
    REQUIRE(cell_schema_parse(out.data, out.len, &again, &error) == CELL_OK);
    CHECK_STR(again->fingerprint, s->fingerprint);
    CHECK_STR(again->functions, s->functions);
    CHECK(cell_schema_seal(s, &error) == CELL_OK); /* a second time, as who changes a schema does */
    CHECK_STR(again->fingerprint, s->fingerprint);
    cell_buffer_free(&out);
    cell_schema_free(again);
    cell_schema_free(s);
}

TEST(what_is_built_is_checked_as_well)
{
    static const char *const bad[][2] = {
        {"{", "line 1, column"},
        {"7", "functions: an object is expected, not an integer"},
        {ONE("a-b"), "functions.functions[1].name: 'a-b' is not an identifier"},
        {"{\"functions\":[{\"name\":\"f\"},{\"name\":\"f\"}]}", "functions.functions[1].name: 'f' is there twice"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct cell_schema *s = build(bad[i][0]);
        CHECK(cell_schema_seal(s, &error) == CELL_INVALID_ARGUMENT);
        CHECK(strncmp(error.text, bad[i][1], strlen(bad[i][1])) == 0);
        cell_schema_free(s);
    }
}
