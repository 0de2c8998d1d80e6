/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "test.h"

#include "core/json.h"
#include "wire/limits.h"

static struct cell_error error;

/* The result of loading `text`, with the message in `error`. */
static int load(const char *text)
{
    struct cell_json doc = {0};
    error = (struct cell_error){0};
    int r = cell_json_load(text, strlen(text), CELL_INVALID_ARGUMENT, &doc, &error);
    if (r < 0)
        CHECK(doc.root.value == NULL);
    cell_json_free(&doc);
    return r;
}

static bool says(const char *text) { return strstr(error.text, text) != NULL; }

static bool is_printable(const char *text)
{
    for (; *text; text++)
        if (cell_json_control(text))
            return false;
    return true;
}

/* `head`, `part` n times, `tail`. */
static char *repeat(const char *head, const char *part, size_t n, const char *tail)
{
    struct cell_buffer b = {0};
    cell_buffer_puts(&b, head);
    for (size_t i = 0; i < n; i++)
        cell_buffer_puts(&b, part);
    cell_buffer_puts(&b, tail);
    return b.data;
}

TEST(documents_load_and_what_is_no_json_says_where)
{
    CHECK(load("{}") == CELL_OK);
    CHECK(load(" [1, -2, true, false, null, \"\\n\\u00e9\", {\"a\": []}]\r\n\t ") == CELL_OK);
    CHECK(load("") == CELL_INVALID_ARGUMENT && says("no JSON: the document is empty"));
    CHECK(load("hello") == CELL_INVALID_ARGUMENT && says("line 1, column 5: no valid JSON: '[' or '{' expected"));
    CHECK(load("{\n \"a\": 1,\n \"b\" 2\n}") == CELL_INVALID_ARGUMENT && says("line 3, column "));
    CHECK(load("{} x") == CELL_INVALID_ARGUMENT && says("end of file expected"));
    CHECK(load("{\"a\":") == CELL_INVALID_ARGUMENT && says("no valid JSON"));
    CHECK(load("{\"a\":1,}") == CELL_INVALID_ARGUMENT);
    CHECK(load("[1,2") == CELL_INVALID_ARGUMENT);
    CHECK(load("7") == CELL_INVALID_ARGUMENT);
    CHECK(load("}{") == CELL_INVALID_ARGUMENT);
    CHECK(load("\xef\xbb\xbf{}") == CELL_INVALID_ARGUMENT);
}

TEST(a_key_twice_in_an_object_is_refused)
{
    CHECK(load("{\"a\":1,\"a\":1}") == CELL_INVALID_ARGUMENT && says("duplicate object key"));
    CHECK(load("{\"a\":{\"b\":1,\"\\u0062\":1}}") == CELL_INVALID_ARGUMENT && says("duplicate object key"));
    CHECK(load("{\"a\":{\"a\":1},\"b\":{\"a\":1}}") == CELL_OK);
}

TEST(nul_is_refused_in_every_form)
{
    static const char raw[] = "{\"a\":\0}", in_string[] = "{\"a\0\":1}", escaped[] = "{\"a\\\0\":1}";
    CHECK(cell_json_measure(raw, sizeof(raw) - 1, CELL_UNKNOWN, &error) == CELL_UNKNOWN);
    CHECK_STR(error.text, "line 1, column 6: NUL is not allowed");
    CHECK(cell_json_measure(in_string, sizeof(in_string) - 1, CELL_UNKNOWN, &error) == CELL_UNKNOWN);
    CHECK(says("NUL is not allowed"));
    CHECK(cell_json_measure(escaped, sizeof(escaped) - 1, CELL_UNKNOWN, &error) == CELL_UNKNOWN);
    CHECK(load("[\"\\u0000\"]") == CELL_INVALID_ARGUMENT && says("NUL is not allowed, also not as \\u0000"));
    CHECK(load("[\"a\\\\\\u0000\"]") == CELL_INVALID_ARGUMENT && says("NUL"));
    CHECK(load("[\"\\\\u0000\"]") == CELL_OK); /* a backslash and "u0000" */
    CHECK(load("[\"\\\"\\u0001\"]") == CELL_OK);
}

TEST(text_must_be_utf8)
{
    CHECK(load("[\"\xff\"]") == CELL_INVALID_ARGUMENT && says("line 1: not valid UTF-8"));
    CHECK(load("[\n\n\"\xc3\"\n]") == CELL_INVALID_ARGUMENT && says("line 3: not valid UTF-8"));
    CHECK(load("[\"\xed\xa0\x80\"]") == CELL_INVALID_ARGUMENT && says("UTF-8"));
    CHECK(load("[\"\\ud800\"]") == CELL_INVALID_ARGUMENT && says("Unicode"));
    CHECK(load("[\"\\ud83d\\ude00\"]") == CELL_OK);
}

TEST(numbers_are_integers_that_every_reader_keeps)
{
    CHECK(load("[9007199254740991, -9007199254740991, 0, -0]") == CELL_OK);
    CHECK(load("[9007199254740992]") == CELL_INVALID_ARGUMENT && says("out of range"));
    CHECK(load("[-9007199254740992]") == CELL_INVALID_ARGUMENT &&
          says("line 1, column 2: the integer is out of range"));
    CHECK(load("[99999999999999999999999999]") == CELL_INVALID_ARGUMENT && says("out of range"));
    CHECK(load("[1.0]") == CELL_INVALID_ARGUMENT && says("real numbers are not allowed"));
    CHECK(load("[1e3]") == CELL_INVALID_ARGUMENT && says("real numbers are not allowed"));
    CHECK(load("{\"a\": 12E1}") == CELL_INVALID_ARGUMENT && says("line 1, column 7: "));
    CHECK(load("[01]") == CELL_INVALID_ARGUMENT);
    CHECK(load("[-]") == CELL_INVALID_ARGUMENT);
    CHECK(load("[\"1.5\"]") == CELL_OK);
}

TEST(depth_is_limited_exactly)
{
    for (int beyond = 0; beyond < 2; beyond++) {
        char *open = repeat("", "[", CELL_MAX_JSON_DEPTH + (unsigned)beyond, "");
        char *whole = repeat(open, "]", CELL_MAX_JSON_DEPTH + (unsigned)beyond, "");
        CHECK(load(whole) == (beyond ? CELL_INVALID_ARGUMENT : CELL_OK));
        CHECK(!beyond || says("line 1, column 65: nested deeper than 64"));
        free(whole);
        free(open);
    }
    char *wide = repeat("[", "[[]],", 1000, "0]");
    CHECK(load(wide) == CELL_OK); /* only what is open at once counts */
    free(wide);
    char *quoted = repeat("[\"", "[{", 1000, "\"]");
    CHECK(load(quoted) == CELL_OK); /* brackets in strings are text */
    free(quoted);
    char *endless = repeat("", "{\"a\":", 100000, "");
    CHECK(load(endless) == CELL_INVALID_ARGUMENT && says("nested deeper"));
    free(endless);
}

TEST(members_and_elements_are_limited_exactly)
{
    /* One element for the array itself as the document's only member. */
    static const char *const parts[] = {"0,", "{},", "\"a,b\","};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        char *most = repeat("{\"a\":[", parts[i], CELL_MAX_JSON_MEMBERS - 2, "0]}");
        char *more = repeat("{\"a\":[", parts[i], CELL_MAX_JSON_MEMBERS - 1, "0]}");
        CHECK(load(most) == CELL_OK);
        CHECK(load(more) == CELL_INVALID_ARGUMENT && says("more than 100000 members and elements"));
        free(most);
        free(more);
    }
    char *nested = repeat("[", "[0],", CELL_MAX_JSON_MEMBERS / 2, "[]]");
    CHECK(load(nested) == CELL_INVALID_ARGUMENT && says("members"));
    free(nested);
}

TEST(length_is_limited_exactly)
{
    size_t most = CELL_MAX_COMPILE_REPLY;
    char *text = malloc(most + 2);
    memset(text, ' ', most + 1);
    memcpy(text, "{}", 2);
    text[most + 1] = '\0';
    struct cell_json doc = {0};
    CHECK(cell_json_load(text, most, CELL_UNKNOWN, &doc, &error) == CELL_OK);
    cell_json_free(&doc);
    CHECK(load(text) == CELL_TOO_LARGE && says("4194305 bytes of JSON, 4194304 is the limit"));
    free(text);
}

TEST(messages_hold_no_control_characters_of_the_input)
{
    static const char *const texts[] = {"\x1b[31mred", "{\"\x1b]0;x\x07", "[\x7f", "[\"\xe2\x80\xae\" x",
                                        "{\"a\x01\":1}"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        CHECK(load(texts[i]) == CELL_INVALID_ARGUMENT);
        CHECK(is_printable(error.text) && error.text[0]);
    }
    struct cell_json doc = {0};
    REQUIRE(cell_json_load("{\"a\\u001b\\n\":{\"b\":1}}", 21, CELL_UNKNOWN, &doc, &error) == CELL_OK);
    struct json_at a;
    REQUIRE(cell_json_object(&doc.root, "a\x1b\n", JSON_REQUIRED, &a, &error) == 1);
    CHECK(cell_json_string(&a, "b", JSON_REQUIRED, &(const char *){NULL}, &error) == CELL_UNKNOWN);
    CHECK_STR(error.text, "['a\?\?'].b: a string is expected, not an integer");
    cell_json_free(&doc);
}

#define DOCUMENT                                                                                                       \
    "{\"name\":\"x\",\"flag\":true,\"n\":7,\"neg\":-1,\"list\":[\"a\",{\"deep\":[null]},3],\"empty\":[],\"o\":{\"k\":" \
    "1}}"

TEST(getters_find_members_of_their_type)
{
    struct cell_json doc = {0};
    const char *text = NULL;
    bool flag = false;
    uint64_t n = 0;
    struct json_at list, o;
    REQUIRE(cell_json_load(DOCUMENT, strlen(DOCUMENT), CELL_UNKNOWN, &doc, &error) == CELL_OK);
    CHECK(cell_json_string(&doc.root, "name", JSON_REQUIRED, &text, &error) == 1);
    CHECK_STR(text, "x");
    CHECK(cell_json_bool(&doc.root, "flag", JSON_OPTIONAL, &flag, &error) == 1 && flag);
    CHECK(cell_json_uint(&doc.root, "n", JSON_REQUIRED, 7, 7, &n, &error) == 1 && n == 7);
    CHECK(cell_json_array(&doc.root, "list", JSON_REQUIRED, &list, &error) == 1 && cell_json_count(&list) == 3);
    CHECK(cell_json_item_string(&list, 0, &text, &error) == 1);
    CHECK_STR(text, "a");
    CHECK(cell_json_item_object(&list, 1, &o, &error) == 1 && cell_json_count(&o) == 1);
    CHECK(cell_json_object(&doc.root, "o", JSON_OPTIONAL, &o, &error) == 1);
    CHECK(cell_json_uint(&o, "k", JSON_REQUIRED, 0, 1, &n, &error) == 1 && n == 1);
    cell_json_free(&doc);
}

TEST(getters_leave_outputs_alone_when_a_member_is_absent)
{
    struct cell_json doc = {0};
    const char *text = "old";
    bool flag = true;
    uint64_t n = 5;
    struct json_at none = {0};
    REQUIRE(cell_json_load("{}", 2, CELL_UNKNOWN, &doc, &error) == CELL_OK);
    CHECK(cell_json_string(&doc.root, "name", JSON_OPTIONAL, &text, &error) == 0);
    CHECK(cell_json_bool(&doc.root, "flag", JSON_OPTIONAL, &flag, &error) == 0);
    CHECK(cell_json_uint(&doc.root, "n", JSON_OPTIONAL, 0, 9, &n, &error) == 0);
    CHECK(cell_json_object(&doc.root, "o", JSON_OPTIONAL, &none, &error) == 0);
    CHECK(cell_json_array(&doc.root, "a", JSON_OPTIONAL, &none, &error) == 0 && cell_json_count(&none) == 0);
    CHECK(strcmp(text, "old") == 0 && flag && n == 5 && !none.value);
    CHECK(cell_json_string(&doc.root, "name", JSON_REQUIRED, &text, &error) == CELL_UNKNOWN);
    CHECK_STR(error.text, "name: missing");
    cell_json_free(&doc);
}

TEST(getters_name_the_path_and_what_they_found)
{
    struct cell_json doc = {0};
    const char *text = NULL;
    bool flag;
    uint64_t n;
    struct json_at list, item, deep, o;
    REQUIRE(cell_json_load(DOCUMENT, strlen(DOCUMENT), CELL_UNKNOWN, &doc, &error) == CELL_OK);
    CHECK(cell_json_string(&doc.root, "flag", JSON_REQUIRED, &text, &error) == CELL_UNKNOWN);
    CHECK_STR(error.text, "flag: a string is expected, not true");
    CHECK(cell_json_bool(&doc.root, "n", JSON_OPTIONAL, &flag, &error) == CELL_UNKNOWN);
    CHECK_STR(error.text, "n: true or false is expected, not an integer");
    CHECK(cell_json_uint(&doc.root, "name", JSON_REQUIRED, 0, 1, &n, &error) == CELL_UNKNOWN);
    CHECK_STR(error.text, "name: an integer is expected, not a string");
    CHECK(cell_json_uint(&doc.root, "n", JSON_REQUIRED, 8, 9, &n, &error) == CELL_UNKNOWN);
    CHECK_STR(error.text, "n: 7 is out of range, 8 to 9 is allowed");
    CHECK(cell_json_uint(&doc.root, "n", JSON_REQUIRED, 0, 6, &n, &error) == CELL_UNKNOWN);
    CHECK(cell_json_uint(&doc.root, "neg", JSON_REQUIRED, 0, 6, &n, &error) == CELL_UNKNOWN);
    CHECK_STR(error.text, "neg: -1 is out of range, 0 to 6 is allowed");
    CHECK(cell_json_array(&doc.root, "o", JSON_OPTIONAL, &list, &error) == CELL_UNKNOWN);
    CHECK_STR(error.text, "o: an array is expected, not an object");
    CHECK(cell_json_object(&doc.root, "list", JSON_OPTIONAL, &o, &error) == CELL_UNKNOWN);
    CHECK_STR(error.text, "list: an object is expected, not an array");
    REQUIRE(cell_json_array(&doc.root, "list", JSON_REQUIRED, &list, &error) == 1);
    CHECK(cell_json_item_object(&list, 0, &item, &error) == CELL_UNKNOWN);
    CHECK_STR(error.text, "list[0]: an object is expected, not a string");
    REQUIRE(cell_json_item_object(&list, 1, &item, &error) == 1);
    REQUIRE(cell_json_array(&item, "deep", JSON_REQUIRED, &deep, &error) == 1);
    CHECK(cell_json_item_string(&deep, 0, &text, &error) == CELL_UNKNOWN);
    CHECK_STR(error.text, "list[1].deep[0]: a string is expected, not null");
    CHECK(cell_json_item_string(&item, 0, &text, &error) == CELL_UNKNOWN);
    CHECK_STR(error.text, "list[1]: an array is expected, not an object");
    CHECK(cell_json_item_string(&deep, 1, &text, &error) == CELL_UNKNOWN);
    CHECK_STR(error.text, "list[1].deep[1]: missing");
    CHECK(cell_json_fail(&deep, NULL, &error, "is %d", 7) == CELL_UNKNOWN && error.status == CELL_UNKNOWN);
    CHECK_STR(error.text, "list[1].deep: is 7");
    cell_json_free(&doc);
}

TEST(getters_of_a_document_that_is_no_object_say_so)
{
    struct cell_json doc = {0};
    const char *text;
    REQUIRE(cell_json_load("[]", 2, CELL_UNKNOWN, &doc, &error) == CELL_OK);
    CHECK(cell_json_string(&doc.root, "a", JSON_OPTIONAL, &text, &error) == CELL_UNKNOWN);
    CHECK_STR(error.text, "an object is expected, not an array");
    cell_json_free(&doc);
}

TEST(keys_come_in_the_order_of_the_document)
{
    static const char *const expected[] = {"name", "flag", "n", "neg", "list", "empty", "o"};
    struct cell_json doc = {0};
    void *iterator = NULL;
    REQUIRE(cell_json_load(DOCUMENT, strlen(DOCUMENT), CELL_UNKNOWN, &doc, &error) == CELL_OK);
    for (size_t i = 0; i < 7; i++)
        CHECK_STR(cell_json_next(&doc.root, &iterator), expected[i]);
    CHECK(cell_json_next(&doc.root, &iterator) == NULL);
    cell_json_free(&doc);
}

static void check_canonical(const char *text, const char *expected)
{
    struct cell_json doc = {0};
    struct cell_buffer out = {0};
    REQUIRE(cell_json_load(text, strlen(text), CELL_UNKNOWN, &doc, &error) == CELL_OK);
    cell_json_put(&out, &doc.root);
    CHECK(cell_buffer_ok(&out));
    CHECK_STR(out.data, expected);
    cell_buffer_free(&out);
    cell_json_free(&doc);
}

TEST(canonical_form_is_that_of_rfc_8785)
{
    check_canonical(" { } ", "{}");
    check_canonical("{\"b\":[1,-0, 2],\"a\":{\"y\":null,\"x\":true},\"\":false}",
                    "{\"\":false,\"a\":{\"x\":true,\"y\":null},\"b\":[1,0,2]}");
    check_canonical("[\"\\u0041\\/\\u00e9\\u20ac\"]", "[\"A/\xc3\xa9\xe2\x82\xac\"]");
    check_canonical("[\"\\u0008\\t\\n\\u000b\\f\\r\\u001F\\\"\\\\\x7f\"]",
                    "[\"\\b\\t\\n\\u000b\\f\\r\\u001f\\\"\\\\\x7f\"]");
    check_canonical("[9007199254740991,-9007199254740991]", "[9007199254740991,-9007199254740991]");
    /* The example of its section 3.2.3: keys are sorted as UTF-16. */
    check_canonical("{\"\\u20ac\":1,\"\\r\":2,\"\\ufb33\":3,\"1\":4,\"\\ud83d\\ude00\":5,\"\\u0080\":6,\"\\u00f6\":7}",
                    "{\"\\r\":2,\"1\":4,\"\xc2\x80\":6,\"\xc3\xb6\":7,\"\xe2\x82\xac\":1,\"\xf0\x9f\x98\x80\":5,"
                    "\"\xef\xac\xb3\":3}");
    check_canonical("{\"aa\":1,\"a\":2,\"a\\u0001\":3}", "{\"a\":2,\"a\\u0001\":3,\"aa\":1}");
}

TEST(quoted_text_is_printable_and_bounded)
{
    char out[16];
    CHECK_STR(cell_json_quote("plain", out, sizeof(out)), "plain");
    CHECK_STR(cell_json_quote("a\nb\x7f\xc2\x9b"
                              "c\xe2\x80\xae\xe2\x81\xa6",
                              out, sizeof(out)),
              "a?b\?\?c\?\?");
    CHECK_STR(cell_json_quote("\xff\xc3(\xe2\x82", out, sizeof(out)), "\?\?(\?\?");
    CHECK_STR(cell_json_quote("gr\xc3\xb6\xc3\x9f"
                              "e",
                              out, sizeof(out)),
              "gr\xc3\xb6\xc3\x9f"
              "e");
    CHECK_STR(cell_json_quote("0123456789abcdef", out, sizeof(out)), "0123456789ab...");
    CHECK_STR(cell_json_quote("0123456789a\xe2\x82\xac\xe2\x82\xac", out, sizeof(out)), "0123456789a...");
    CHECK_STR(cell_json_quote("", out, sizeof(out)), "");
}
