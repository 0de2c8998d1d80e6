/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LINK: utils/cell/call_print.c utils/cell/output.c utils/cell/health.c
/* Values of `cell call`: from the command line and from JSON into memory, and back. */
#include "../../utils/cell/call_value.h"
#include "../../utils/cell/link_health.h"
#include "test.h"

static const char document[] =
    "{\"schema\":\"cell.schema/1\",\"cell\":\"demo\",\"abi\":\"lp64-le\",\"doc\":\"\",\"types\":["
    "{\"name\":\"demo_color\",\"kind\":\"enum\",\"type\":\"u8\",\"size\":1,\"align\":1,\"values\":["
    "{\"name\":\"DEMO_RED\",\"value\":\"1\"},{\"name\":\"DEMO_GREEN\",\"value\":\"200\"}]},"
    "{\"name\":\"demo_point\",\"kind\":\"struct\",\"size\":32,\"align\":8,\"fields\":["
    "{\"name\":\"x\",\"type\":\"i32\",\"offset\":0},{\"name\":\"age\",\"type\":\"opt<i32>\",\"offset\":4},"
    "{\"name\":\"label\",\"type\":\"str\",\"offset\":16}]},"
    "{\"name\":\"demo_points\",\"kind\":\"list\",\"of\":\"demo_point\",\"size\":16,\"align\":8}],"
    "\"constants\":[],\"methods\":[{\"name\":\"demo_all\",\"params\":["
    "{\"name\":\"b\",\"type\":\"bool\",\"dir\":\"in\"},{\"name\":\"i8\",\"type\":\"i8\",\"dir\":\"in\"},"
    "{\"name\":\"u8\",\"type\":\"u8\",\"dir\":\"in\"},{\"name\":\"i16\",\"type\":\"i16\",\"dir\":\"in\"},"
    "{\"name\":\"u16\",\"type\":\"u16\",\"dir\":\"in\"},{\"name\":\"i32\",\"type\":\"i32\",\"dir\":\"in\"},"
    "{\"name\":\"u32\",\"type\":\"u32\",\"dir\":\"in\"},{\"name\":\"i64\",\"type\":\"i64\",\"dir\":\"in\"},"
    "{\"name\":\"u64\",\"type\":\"u64\",\"dir\":\"in\"},{\"name\":\"f32\",\"type\":\"f32\",\"dir\":\"in\"},"
    "{\"name\":\"f64\",\"type\":\"f64\",\"dir\":\"in\"},{\"name\":\"color\",\"type\":\"demo_color\",\"dir\":\"in\"},"
    "{\"name\":\"text\",\"type\":\"str\",\"dir\":\"in\"},{\"name\":\"data\",\"type\":\"bytes\",\"dir\":\"in\"},"
    "{\"name\":\"ids\",\"type\":\"list<u32>\",\"dir\":\"in\"},{\"name\":\"maybe\",\"type\":\"opt<str>\",\"dir\":\"in\"}"
    ","
    "{\"name\":\"point\",\"type\":\"demo_point\",\"dir\":\"in\",\"pointer\":true},"
    "{\"name\":\"points\",\"type\":\"demo_points\",\"dir\":\"in\"},"
    "{\"name\":\"key\",\"type\":\"u8[4]\",\"dir\":\"in\",\"pointer\":true},"
    "{\"name\":\"pair\",\"type\":\"i16[2]\",\"dir\":\"in\",\"pointer\":true}]}],"
    "\"streams\":[],\"capabilities\":[],\"functions\":[],\"verbs\":[]}";

struct point {
    int32_t x;
    struct {
        uint8_t has;
        int32_t value;
    } age;
    cell_str label;
};

/* What one test works with: the schema, and a value's memory. */
struct fixture {
    struct cell_schema *schema;
    const struct cell_method *method;
    struct cell_arena arena;
    struct cell_error e;
    _Alignas(16) char out[64];
};

static struct fixture open_fixture(void)
{
    struct fixture f = {0};

    if (cell_schema_parse(document, sizeof(document) - 1, &f.schema, &f.e) < 0 ||
        cell_schema_describe(f.schema, &f.method, &f.e) < 0) {
        printf("%s\n", f.e.text);
        abort();
    }
    return f;
}

static void close_fixture(struct fixture *f)
{
    cell_arena_free(&f->arena);
    cell_schema_free(f->schema);
}

static const struct cell_field *field(const struct fixture *f, const char *name)
{
    for (uint32_t i = 0; i < f->method->nin; i++)
        if (strcmp(f->method->in[i].name, name) == 0)
            return &f->method->in[i];
    printf("no parameter %s\n", name);
    abort();
}

static int read_value(struct fixture *f, const char *name, const char *text, bool json)
{
    const struct value_env env = {.arena = &f->arena};
    const struct cell_field *p = field(f, name);

    memset(f->out, 0, sizeof(f->out));
    f->e = (struct cell_error){0};
    return json ? cell_value_json(&env, p->type, p->count, text, strlen(text), f->out, &f->e)
                : cell_value_text(&env, p->type, p->count, text, strlen(text), f->out, &f->e);
}

/* The value as JSON, after it was read from `text`; the error's text when it cannot be read. */
static const char *through(struct fixture *f, const char *name, const char *text, bool json)
{
    const struct cell_field *p = field(f, name);
    struct cli_json j = {0};

    if (read_value(f, name, text, json) < 0)
        return f->e.text;
    value_print(&j, NULL, p->type, p->count, f->out);
    const char *copy = cell_arena_copy(&f->arena, j.b.data, j.b.len);
    cell_buffer_free(&j.b);
    return copy;
}

#define TEXT(name, text, expected) CHECK_STR(through(&f, name, text, false), expected)
#define JSON(name, text, expected) CHECK_STR(through(&f, name, text, true), expected)
static void refused(struct fixture *f, const char *name, const char *value, bool json, const char *why, int line)
{
    int r = read_value(f, name, value, json);

    if (r == CELL_INVALID_ARGUMENT && strstr(f->e.text, why))
        return;
    printf("%s:%d: %s=%s gave %d \"%s\", not \"%s\"\n", __FILE__, line, name, value, r, f->e.text, why);
    test_failures++;
}
#define REFUSED(name, value, why) refused(&f, name, value, false, why, __LINE__)
#define JSON_REFUSED(name, value, why) refused(&f, name, value, true, why, __LINE__)

TEST(integers_keep_their_bounds)
{
    struct fixture f = open_fixture();

    TEXT("i8", "-128", "-128");
    TEXT("i8", "127", "127");
    REFUSED("i8", "128", "out of range for i8 (-128 to 127)");
    REFUSED("i8", "-129", "out of range");
    TEXT("u8", "255", "255");
    REFUSED("u8", "256", "out of range for u8 (0 to 255)");
    REFUSED("u8", "-1", "out of range");
    TEXT("i16", "-32768", "-32768");
    REFUSED("i16", "32768", "out of range");
    TEXT("u16", "65535", "65535");
    REFUSED("u16", "65536", "out of range");
    TEXT("i32", "-2147483648", "-2147483648");
    REFUSED("i32", "2147483648", "out of range");
    TEXT("u32", "4294967295", "4294967295");
    REFUSED("u32", "4294967296", "out of range");
    TEXT("i64", "-9223372036854775808", "-9223372036854775808");
    TEXT("i64", "9223372036854775807", "9223372036854775807");
    REFUSED("i64", "9223372036854775808", "out of range");
    REFUSED("i64", "-9223372036854775809", "out of range");
    TEXT("u64", "18446744073709551615", "18446744073709551615");
    REFUSED("u64", "18446744073709551616", "out of range");
    REFUSED("u64", "99999999999999999999999999999999", "out of range");
    close_fixture(&f);
}

TEST(integers_are_decimal_or_hexadecimal_and_nothing_else)
{
    struct fixture f = open_fixture();

    TEXT("i32", "+5", "5");
    TEXT("i32", "-0", "0");
    TEXT("u8", "0xff", "255");
    TEXT("i32", "-0x10", "-16");
    REFUSED("i32", "", "no whole number");
    REFUSED("i32", "-", "no whole number");
    REFUSED("i32", "0x", "no whole number");
    REFUSED("i32", "1.5", "no whole number");
    REFUSED("i32", "1e3", "no whole number");
    REFUSED("i32", " 1", "no whole number");
    REFUSED("i32", "1 ", "no whole number");
    REFUSED("i32", "0xfg", "no whole number");
    REFUSED("i32", "one", "no whole number");
    close_fixture(&f);
}

TEST(booleans_are_true_or_false)
{
    struct fixture f = open_fixture();

    TEXT("b", "true", "true");
    TEXT("b", "false", "false");
    REFUSED("b", "1", "neither true nor false");
    REFUSED("b", "True", "neither true nor false");
    REFUSED("b", "", "neither true nor false");
    close_fixture(&f);
}

TEST(floats_are_read_exactly_and_printed_shortest)
{
    struct fixture f = open_fixture();

    TEXT("f64", "0.1", "0.1");
    TEXT("f64", "-2.5e300", "-2.5e+300");
    TEXT("f64", "5e-324", "5e-324");
    TEXT("f32", "0.1", "0.1");
    TEXT("f64", "nan", "\"NaN\"");
    TEXT("f64", "-inf", "\"-Infinity\"");
    JSON("f64", "\"Infinity\"", "\"Infinity\"");
    REFUSED("f64", "1e999", "no number that fits f64");
    REFUSED("f32", "1e39", "out of range for f32");
    REFUSED("f64", "1,5", "no number");
    REFUSED("f64", "", "no number");
    REFUSED("f64", " 1", "no number");
    close_fixture(&f);
}

TEST(enumerators_have_names_and_numbers)
{
    struct fixture f = open_fixture();

    TEXT("color", "DEMO_GREEN", "\"DEMO_GREEN\"");
    TEXT("color", "1", "\"DEMO_RED\"");
    TEXT("color", "7", "7"); /* a cell may know more values than its schema said */
    REFUSED("color", "256", "out of range");
    REFUSED("color", "DEMO_GRENE", "did you mean DEMO_GREEN?");
    REFUSED("color", "zzz", "has no value 'zzz'");
    close_fixture(&f);
}

TEST(text_is_taken_as_it_is)
{
    struct fixture f = open_fixture();

    TEXT("text", "", "\"\"");
    TEXT("text", "null", "\"null\"");
    TEXT("text", "a\"b\\c\n\x01", "\"a\\\"b\\\\c\\n\\u0001\"");
    TEXT("text", "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80", "\"\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80\"");
    JSON("text", "\"\\u00e4 \\ud83d\\ude00\"", "\"\xc3\xa4 \xf0\x9f\x98\x80\"");
    /* What would steer a terminal or turn a line around is written as an escape. */
    TEXT("text",
         "\xc2\x9b"
         "31m\xe2\x80\xae",
         "\"\\u009b31m\\u202e\"");
    close_fixture(&f);
}

TEST(bytes_are_hex_base64_or_text)
{
    struct fixture f = open_fixture();

    TEXT("data", "hex:00ffA0", "\"hex:00ffa0\"");
    TEXT("data", "hex:", "\"hex:\"");
    TEXT("data", "base64:AP+g", "\"hex:00ffa0\"");
    TEXT("data", "base64:AP-gAQ==", "\"hex:00ffa001\"");
    TEXT("data", "base64:AP-gAQ", "\"hex:00ffa001\"");
    TEXT("data", "hi", "\"hex:6869\"");
    JSON("data", "\"base64:aGk=\"", "\"hex:6869\"");
    REFUSED("data", "hex:0", "even number of digits");
    REFUSED("data", "hex:0g", "no hexadecimal byte");
    REFUSED("data", "base64:a", "cut off");
    REFUSED("data", "base64:a*==", "no base64 digit");
    REFUSED("data", "base64:a=b=", "no base64 digit");
    close_fixture(&f);
}

TEST(arrays_have_exactly_their_length)
{
    struct fixture f = open_fixture();

    TEXT("key", "hex:01020304", "\"hex:01020304\"");
    TEXT("key", "[1, 2, 3, 4]", "\"hex:01020304\"");
    JSON("key", "\"hex:01020304\"", "\"hex:01020304\"");
    REFUSED("key", "hex:010203", "needs 4 bytes, there are 3");
    REFUSED("key", "[1,2,3]", "needs 4 elements, there are 3");
    REFUSED("key", "[1,2,3,4,5]", "more than 4 elements");
    REFUSED("key", "[1,2,3,256]", "[3]: 256 is out of range");
    TEXT("pair", "[-1,300]", "[-1,300]");
    REFUSED("pair", "7", "an array [ … ] is expected");
    close_fixture(&f);
}

TEST(lists_are_json)
{
    struct fixture f = open_fixture();

    TEXT("ids", "[]", "[]");
    TEXT("ids", " [ 1 , 2,\n3 ] ", "[1,2,3]");
    REFUSED("ids", "1", "a list [ … ] is expected");
    REFUSED("ids", "", "a list [ … ] is expected");
    REFUSED("ids", "[1", "',' or ']' is expected");
    REFUSED("ids", "[1,]", "a value is missing");
    REFUSED("ids", "[1 2]", "',' or ']' is expected");
    REFUSED("ids", "[1]]", "something follows the value");
    REFUSED("ids", "[1,-1]", "[1]: -1 is out of range");
    REFUSED("ids", "[1,null]", "[1]: 'null' is no whole number");
    close_fixture(&f);
}

TEST(a_list_longer_than_a_buffer_step_is_whole)
{
    struct fixture f = open_fixture();
    struct cell_buffer b = {0};
    cell_bytes list;

    for (int i = 0; i < 5000; i++)
        cell_buffer_printf(&b, "%s%d", i ? "," : "[", i);
    cell_buffer_puts(&b, "]");
    REQUIRE(cell_buffer_ok(&b));
    CHECK(read_value(&f, "ids", b.data, false) == CELL_OK);
    memcpy(&list, f.out, sizeof(list));
    CHECK(list.len == 5000);
    for (uint32_t i = 0; i < list.len; i++) {
        uint32_t v;
        memcpy(&v, list.ptr + i * sizeof(v), sizeof(v));
        CHECK(v == i);
    }
    cell_buffer_free(&b);
    close_fixture(&f);
}

TEST(optionals_are_null_or_a_value)
{
    struct fixture f = open_fixture();

    TEXT("maybe", "null", "null");
    TEXT("maybe", "hello", "\"hello\"");
    TEXT("maybe", "\"null\"", "\"null\"");
    JSON("maybe", "null", "null");
    JSON("maybe", "\"\"", "\"\"");
    JSON_REFUSED("maybe", "nul", "a string is expected");
    close_fixture(&f);
}

TEST(structs_are_json_objects)
{
    struct fixture f = open_fixture();
    struct point p;

    TEXT("point", "{\"x\":-7,\"label\":\"here\",\"age\":3}", "{\"x\":-7,\"age\":3,\"label\":\"here\"}");
    memcpy(&p, f.out, sizeof(p));
    CHECK(p.x == -7 && p.age.has == 1 && p.age.value == 3 && p.label.len == 4);
    TEXT("point", "{\"x\":1,\"label\":\"\"}", "{\"x\":1,\"age\":null,\"label\":\"\"}");
    TEXT("point", "{\"x\":1,\"label\":\"\",\"age\":null}", "{\"x\":1,\"age\":null,\"label\":\"\"}");
    REFUSED("point", "{\"x\":1}", "field 'label' of struct demo_point is missing");
    REFUSED("point", "{\"x\":1,\"label\":\"\",\"x\":2}", "field 'x' is given twice");
    REFUSED("point", "{\"x\":1,\"lable\":\"\"}", "did you mean 'label'?");
    REFUSED("point", "{\"x\":\"a\",\"label\":\"\"}", "x: 'a' is no whole number");
    REFUSED("point", "{\"x\":1,\"label\":\"\",}", "a string is expected");
    REFUSED("point", "{x:1}", "a string is expected");
    REFUSED("point", "{\"x\" 1}", "':' is expected");
    REFUSED("point", "{", "a string is expected");
    REFUSED("point", "[]", "an object { … } is expected");
    close_fixture(&f);
}

TEST(errors_name_the_place_inside_nested_values)
{
    struct fixture f = open_fixture();

    TEXT("points", "[{\"x\":1,\"label\":\"a\"},{\"x\":2,\"label\":\"b\",\"age\":9}]",
         "[{\"x\":1,\"age\":null,\"label\":\"a\"},{\"x\":2,\"age\":9,\"label\":\"b\"}]");
    REFUSED("points", "[{\"x\":1,\"label\":\"a\"},{\"x\":2,\"label\":7}]", "[1]: label: a string is expected");
    close_fixture(&f);
}

TEST(damaged_strings_are_refused)
{
    struct fixture f = open_fixture();

    JSON_REFUSED("text", "\"abc", "damaged");
    JSON_REFUSED("text", "\"\\x\"", "damaged");
    JSON_REFUSED("text", "\"\\u12\"", "damaged");
    JSON_REFUSED("text", "\"\\ud800\"", "damaged");
    JSON_REFUSED("text", "\"\\ud800\\u0041\"", "damaged");
    JSON_REFUSED("text", "\"\\udc00\"", "damaged");
    JSON_REFUSED("text", "\"a\nb\"", "damaged");
    JSON_REFUSED("text", "\"\\", "damaged");
    JSON_REFUSED("text", "7", "a string is expected");
    JSON_REFUSED("text", "", "a string is expected");
    JSON_REFUSED("text", "\"a\" x", "something follows");
    close_fixture(&f);
}

TEST(integers_in_json_keep_all_digits)
{
    struct fixture f = open_fixture();

    JSON("u64", "18446744073709551615", "18446744073709551615");
    JSON("u64", "\"18446744073709551615\"", "18446744073709551615");
    JSON("i64", "-9223372036854775808", "-9223372036854775808");
    close_fixture(&f);
}

TEST(a_nul_ends_no_value_early)
{
    struct fixture f = open_fixture();
    const struct value_env env = {.arena = &f.arena};

    CHECK(cell_value_text(&env, field(&f, "i32")->type, 0, "1\0", 2, f.out, &f.e) == CELL_INVALID_ARGUMENT);
    CHECK(cell_value_text(&env, field(&f, "f64")->type, 0, "1\0", 2, f.out, &f.e) == CELL_INVALID_ARGUMENT);
    CHECK(cell_value_json(&env, field(&f, "i32")->type, 0, "1\0", 2, f.out, &f.e) == CELL_INVALID_ARGUMENT);
    CHECK(cell_value_json(&env, field(&f, "ids")->type, 0, "[1\0]", 4, f.out, &f.e) == CELL_INVALID_ARGUMENT);
    CHECK(cell_value_text(&env, field(&f, "text")->type, 0, "a\0b", 3, f.out, &f.e) == CELL_OK);
    close_fixture(&f);
}

/* ---- the two forms of output ---- */

TEST(the_text_form_is_indented_lines)
{
    struct cli_json j = {.text = true};

    out_begin(&j, NULL, '{');
    out_str(&j, "name", "Ada Lovelace");
    out_str(&j, "empty", "");
    out_str(&j, "lines", "a\nb");
    out_begin(&j, "point", '{');
    out_int(&j, "x", -1);
    out_null(&j, "age");
    out_end(&j, '}');
    out_begin(&j, "ids", '[');
    out_uint(&j, NULL, 1);
    out_uint(&j, NULL, 2);
    out_end(&j, ']');
    out_begin(&j, "none", '[');
    out_end(&j, ']');
    out_begin(&j, "points", '[');
    for (int i = 0; i < 2; i++) {
        out_begin(&j, NULL, '{');
        out_int(&j, "x", i);
        out_bool(&j, "on", i);
        out_end(&j, '}');
    }
    out_end(&j, ']');
    out_end(&j, '}');
    CHECK_STR(j.b.data, "name: Ada Lovelace\nempty: \"\"\nlines: \"a\\nb\"\npoint:\n  x: -1\n  age: null\n"
                        "ids:\n  - 1\n  - 2\nnone: []\npoints:\n  - x: 0\n    on: false\n  - x: 1\n    on: true");
    cell_buffer_free(&j.b);
}

TEST(the_json_form_is_one_compact_document)
{
    struct cli_json j = {0};

    out_begin(&j, NULL, '{');
    out_strn(&j, "bad\x80", "\xff", 1);
    out_begin(&j, "a", '[');
    out_begin(&j, NULL, '{');
    out_end(&j, '}');
    out_null(&j, NULL);
    out_end(&j, ']');
    out_end(&j, '}');
    CHECK_STR(j.b.data, "{\"bad\xef\xbf\xbd\":\"\xef\xbf\xbd\",\"a\":[{},null]}");
    cell_buffer_free(&j.b);
}

TEST(text_from_a_cell_cannot_drive_the_terminal)
{
    static const char hostile[] = "a\x1b[31m\r\x7f\xc2\x9b\xe2\x80\xae\xff\tb\n\xc3\xa4";
    struct cell_buffer b = {0};

    cli_safe(&b, hostile, sizeof(hostile) - 1);
    CHECK_STR(b.data, "a\\x1b[31m\\x0d\\x7f\\xc2\\x9b\\xe2\\x80\\xae\\xff\tb\n\xc3\xa4");
    cell_buffer_free(&b);
}

/* ---- what cells say of themselves ---- */

static int health_of(const char *json, struct link_health *h, struct cell_error *e)
{
    *h = (struct link_health){0};
    *e = (struct cell_error){0};
    return link_health_read(json, strlen(json), h, e);
}

TEST(health_takes_what_is_there)
{
    struct link_health h;
    struct cell_error e;
    char status[32];

    CHECK(health_of("{\"status\":\"serving\",\"cell\":\"auth\",\"uptime_ms\":12,\"version\":\"1\"}", &h, &e) ==
          CELL_OK);
    CHECK_STR(h.status, "serving");
    CHECK_STR(h.cell, "auth");
    CHECK_STR(h.version, "1");
    CHECK(h.uptime_ms == 12);
    CHECK(health_of("{}", &h, &e) == CELL_OK);
    CHECK_STR(h.status, "");
    /* A member of another type, or too long to be one, is as good as none. */
    CHECK(health_of("{\"status\":1,\"uptime_ms\":\"x\",\"version\":"
                    "\"0123456789012345678901234567890123456789012345678901234567890123456789\"}",
                    &h, &e) == CELL_OK);
    CHECK(h.status[0] == '\0' && h.uptime_ms == 0 && h.version[0] == '\0');
    CHECK(health_of("{\"uptime_ms\":-1}", &h, &e) == CELL_OK && h.uptime_ms == 0);
    CHECK(!h.counts_connections);
    CHECK(health_of("{\"connections\":{\"unix\":4,\"shm\":2}}", &h, &e) == CELL_OK);
    CHECK(h.counts_connections && h.unix_conns == 4 && h.shm_conns == 2);
    CHECK(health_of("{\"connections\":{\"shm\":[],\"other\":1}}", &h, &e) == CELL_OK);
    CHECK(h.counts_connections && h.unix_conns == 0 && h.shm_conns == 0);
    CHECK(health_of("{\"connections\":[1]}", &h, &e) == CELL_OK && !h.counts_connections);
    CHECK(health_of("nonsense", &h, &e) == CELL_PROTOCOL_ERROR && strstr(e.text, "its health cannot be read"));
    CHECK(health_of("[]", &h, &e) == CELL_OK || e.text[0]);
    link_health_status("{\"status\":\"draining\"}", 21, status);
    CHECK_STR(status, "draining");
    link_health_status("{", 1, status);
    CHECK_STR(status, "");
}

TEST(counters_add_up_over_methods)
{
    static const char json[] =
        "{\"counters\":[{\"name\":\"calls\",\"method\":\"a\",\"value\":3},{\"name\":\"calls\",\"value\":4},"
        "{\"name\":\"errors\",\"value\":1},{\"name\":\"other\",\"value\":9},7,{\"value\":1},"
        "{\"name\":\"calls\",\"value\":-5}]}";
    struct link_health h = {0};

    link_health_count(json, sizeof(json) - 1, &h);
    CHECK(h.calls == 7 && h.errors == 1);
    link_health_count("{\"counters\":7}", 14, &h);
    link_health_count("nonsense", 8, &h);
    CHECK(h.calls == 7 && h.errors == 1);
}
