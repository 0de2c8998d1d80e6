/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What a document must not hold, with the message; and each limit, exactly at it and one beyond. */
#include "schema_document.h"

#include "wire/limits.h"

static struct cell_error error;

struct edit {
    const char *from, *to, *message;
};

static void check_refused(const struct edit *edits, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char *json = replaced(FULL_SCHEMA, edits[i].from, edits[i].to);
        struct cell_schema *s = parse_schema(json, &error);
        CHECK(!s);
        CHECK(error.status == CELL_PROTOCOL_ERROR);
        CHECK_STR(error.text, edits[i].message);
        cell_schema_free(s);
        free(json);
    }
}
#define CHECK_REFUSED(edits) check_refused(edits, sizeof(edits) / sizeof(edits[0]))

TEST(the_head_is_checked)
{
    static const struct edit edits[] = {
        {"\"schema\":\"cell.schema/1\",", "", "schema: missing"},
        {"cell.schema/1", "cell.schema/2", "schema: format 'cell.schema/2' is not known, 'cell.schema/1' is"},
        {"\"abi\":\"lp64-le\",", "", "abi: missing"},
        {"lp64-le", "ilp32-le", "abi: ABI 'ilp32-le' is not supported, 'lp64-le' is"},
        {"\"cell\":\"auth\"", "\"cell\":7", "cell: a string is expected, not an integer"},
        {"\"cell\":\"auth\"", "\"cell\":\"new\"", "cell: 'new' is a keyword of C or C++"},
        {"\"cell\":\"auth\"", "\"cell\":\"a-b\"", "cell: 'a-b' is not an identifier"},
        {"\"doc\":\"Accounts and sessions\"", "\"doc\":[]", "doc: a string is expected, not an array"},
        {"\"streams\":[]", "\"streams\":{}", "streams: an array is expected, not an object"},
        {"\"functions\":[]", "\"functions\":1", "functions: an object is expected, not an integer"},
        {"\"capabilities\":[]", "\"capabilities\":null", "capabilities: an array is expected, not null"},
        {"\"capabilities\":[]", "\"capabilities\":[1]", "capabilities[0]: an object is expected, not an integer"},
    };
    CHECK_REFUSED(edits);
    CHECK(!parse_schema("[]", &error));
    CHECK_STR(error.text, "an object is expected, not an array");
    CHECK(!parse_schema("{}", &error));
    CHECK_STR(error.text, "schema: missing");
    CHECK(cell_schema_parse("{", 1, &(struct cell_schema *){NULL}, NULL) == CELL_PROTOCOL_ERROR);
}

TEST(names_are_usable_in_c_and_cplusplus)
{
    static const struct {
        const char *name, *message;
    } bad[] = {
        {"int", "'int' is a keyword of C or C++"},
        {"namespace", "'namespace' is a keyword of C or C++"},
        {"bitor", "'bitor' is a keyword of C or C++"},
        {"constexpr", "'constexpr' is a keyword of C or C++"},
        {"", "'' is not an identifier"},
        {"a b", "'a b' is not an identifier"},
        {"a\\nb", "'a?b' is not an identifier"},
        {"a\\u202eb", "'a?b' is not an identifier"},
        {"a\\\"b", "'a\"b' is not an identifier"},
        {"f(void);int g", "'f(void);int g' is not an identifier"},
        {"a/*b", "'a/*b' is not an identifier"},
        {"1abc", "'1abc' is not an identifier"},
        {"gr\xc3\xb6\xc3\x9f"
         "e",
         "'gr\xc3\xb6\xc3\x9f"
         "e' is not an identifier"},
        {"_x", "the name '_x' is reserved"},
        {"cell_call", "the name 'cell_call' is reserved"},
        {"cellgen_x", "the name 'cellgen_x' is reserved"},
        {"uint8_t", "the name 'uint8_t' is reserved"},
    };
    static const struct {
        const char *from, *path;
    } places[] = {
        {"\"auth_login\"", "methods[0].name"},
        {"\"email\",\"rules\"", "methods[0].params[0].name"},
        {"\"email\",\"offset\"", "types[1].fields[0].name"},
        {"\"AUTH_ROOT\"", "types[0].values[0].name"},
        {"\"AUTH_MAX\"", "constants[0].name"},
        {"\"auth_sessions\"", "types[2].name"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        for (size_t k = 0; k < sizeof(places) / sizeof(places[0]); k++) {
            char to[64], message[128];
            const char *rest = strchr(places[k].from, ',');
            snprintf(to, sizeof(to), "\"%s\"%s", bad[i].name, rest ? rest : "");
            snprintf(message, sizeof(message), "%s: %s", places[k].path, bad[i].message);
            const struct edit edit = {places[k].from, to, message};
            check_refused(&edit, 1);
        }
}

/* Also of methods: they are static functions of the program. */
TEST(methods_have_no_names_that_compilers_call)
{
    static const struct edit edits[] = {
        {"\"auth_login\"", "\"memcpy\"", "methods[0].name: 'memcpy' is a function of the C library"},
        {"\"auth_login\"", "\"abort\"", "methods[0].name: 'abort' is a function of the C library"},
    };
    check_refused(edits, sizeof(edits) / sizeof(edits[0]));
}

TEST(rules_and_verbs_have_words_for_names)
{
    static const struct edit edits[] = {
        {"\"rule\":\"secret\"", "\"rule\":\"a b\"", "types[1].fields[0].rules[0].rule: 'a b' is not an identifier"},
        {"\"rule\":\"length\"", "\"rule\":7",
         "methods[0].params[0].rules[0].rule: a string is expected, not an integer"},
        {"[\"3\",\"64\"]", "[\"3\",64]", "methods[0].params[0].rules[0].args[1]: a string is expected, not an integer"},
        {"[\"3\",\"64\"]", "[\"3\",\"\\u0007\"]",
         "methods[0].params[0].rules[0].args[1]: the text holds a control or bidirectional control character"},
        {"\"name\":\"table\"", "\"name\":\"\"", "verbs[0].name: '' is not an identifier"},
        {"\"name\":\"limit\"", "\"name\":\"a.b\"", "verbs[0].args[1].name: 'a.b' is not an identifier"},
        {"\"name\":\"limit\"", "\"name\":\"name\"", "verbs[0].args[1].name: 'name' is there twice"},
        {"\"type\":\"integer\"", "\"type\":\"float\"",
         "verbs[0].args[1].type: an argument is a \"string\", an \"integer\", a \"name\", a \"file\" or a "
         "\"condition\""},
        {"\"required\":true", "\"required\":1", "verbs[0].args[0].required: true or false is expected, not an integer"},
        {"\"name\":\"limit\"", "\"name\":\"limit\",\"required\":true",
         "verbs[0].args[1].required: required arguments come first"},
        {"\"required\":true", "\"default\":\"users\",\"required\":true",
         "verbs[0].args[0].default: a required argument has no default"},
        {"\"required\":true", "\"default\":\"\\u0007\"",
         "verbs[0].args[0].default: the text holds a control or bidirectional control character"},
        {"\"type\":\"integer\"", "\"default\":4,\"type\":\"integer\"",
         "verbs[0].args[1].default: a string is expected, not an integer"},
        {"\"type\":\"integer\"", "\"default\":\"\",\"type\":\"integer\"",
         "verbs[0].args[1].default: '' is not a decimal integer of 64 bits"},
        {"\"type\":\"integer\"", "\"default\":\"04\",\"type\":\"integer\"",
         "verbs[0].args[1].default: '04' is not a decimal integer of 64 bits"},
        {"\"type\":\"integer\"", "\"default\":\"18446744073709551616\",\"type\":\"integer\"",
         "verbs[0].args[1].default: '18446744073709551616' is not a decimal integer of 64 bits"},
        {"\"type\":\"integer\"", "\"default\":\"-9223372036854775809\",\"type\":\"integer\"",
         "verbs[0].args[1].default: '-9223372036854775809' is not a decimal integer of 64 bits"},
        {"\"type\":\"integer\"", "\"default\":\"not a name\",\"type\":\"name\"",
         "verbs[0].args[1].default: 'not a name' is not an identifier"},
        {"\"auto\"", "\"a-o\"", "verbs[0].field_rules[1]: 'a-o' is not an identifier"},
        {"[\"struct\",\"enum\",\"function\",\"variable\"]", "[]", "verbs[0].on: the verb stands on nothing"},
        {"\"function\",\"variable\"", "\"label\"",
         "verbs[0].on: \"struct\", \"enum\", \"function\" or \"variable\" is expected"},
        {",\"on\":[\"struct\",\"enum\",\"function\",\"variable\"]", "", "verbs[0].on: missing"},
    };
    /* The first argument must be optional for the second to be out of order. */
    for (size_t i = 0; i < sizeof(edits) / sizeof(edits[0]); i++) {
        char *json = replaced(FULL_SCHEMA, edits[i].from, edits[i].to), *without = NULL;
        if (strstr(edits[i].message, "come first"))
            without = replaced(json, "\"name\":\"name\",\"required\":true", "\"name\":\"name\"");
        CHECK(!parse_schema(without ? without : json, &error));
        CHECK_STR(error.text, edits[i].message);
        free(without);
        free(json);
    }
}

TEST(texts_cannot_leave_their_comment)
{
    static const struct {
        const char *doc, *message;
    } docs[] = {
        {"a\\u0001b", "the text holds a control or bidirectional control character"},
        {"a\\tb", "the text holds a control or bidirectional control character"},
        {"a\\rb", "the text holds a control or bidirectional control character"},
        {"a\\u007f", "the text holds a control or bidirectional control character"},
        {"\\u0085", "the text holds a control or bidirectional control character"},
        {"\\u2028int x;", "the text holds a control or bidirectional control character"},
        {"\\u202etxet", "the text holds a control or bidirectional control character"},
        {"\\u2066", "the text holds a control or bidirectional control character"},
        {"a */ int x; /*", "'*/' would end a comment"},
        {"a \\\\", "a line ends in a backslash, which would continue a comment"},
        {"a \\\\  \\nb", "a line ends in a backslash, which would continue a comment"},
        {"a ?\?/", "a line ends in a backslash, which would continue a comment"},
        {"?\?/ \\n", "a line ends in a backslash, which would continue a comment"},
    };
    static const struct {
        const char *doc, *path;
    } places[] = {
        {"Accounts and sessions", "doc"},          {"What one may do.", "types[0].doc"},
        {"All.", "types[0].values[0].doc"},        {"The address.", "types[1].fields[0].doc"},
        {"Logs in.\\nTwice.", "methods[0].doc"},   {"whose", "methods[0].params[0].doc"},
        {"Sessions at once.", "constants[0].doc"}, {"A table", "verbs[0].doc"},
    };
    for (size_t i = 0; i < sizeof(docs) / sizeof(docs[0]); i++)
        for (size_t k = 0; k < sizeof(places) / sizeof(places[0]); k++) {
            char message[160];
            snprintf(message, sizeof(message), "%s: %s", places[k].path, docs[i].message);
            const struct edit edit = {places[k].doc, docs[i].doc, message};
            check_refused(&edit, 1);
        }
    static const char *const good[] = {"a * / b", "\\\\ in front", "?\?/ in front", "", "\\n\\n",
                                       "/*",      "\\ud83d\\ude00"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        char *json = replaced(FULL_SCHEMA, "All.", good[i]);
        struct cell_schema *s = parse_schema(json, &error);
        CHECK(s);
        cell_schema_free(s);
        free(json);
    }
    static const struct edit others[] = {
        {"\"since\":\"1.1\"", "\"since\":\"1\\n1\"",
         "types[1].fields[0].since: the text holds a control or bidirectional control character"},
        {"\"renamed_from\":\"mail\"", "\"renamed_from\":\"'); int x;\"",
         "types[1].fields[0].renamed_from: ''); int x;' is not an identifier"},
        {"\"name\":\"auth_login\",", "\"name\":\"auth_login\",\"renamed_from\":\"a b\",",
         "methods[0].renamed_from: 'a b' is not an identifier"},
        {"\"name\":\"AUTH_MAX\",", "\"name\":\"AUTH_MAX\",\"renamed_from\":\"\",",
         "constants[0].renamed_from: '' is not an identifier"},
        {"\"name\":\"AUTH_USER\",", "\"name\":\"AUTH_USER\",\"renamed_from\":\"_x\",",
         "types[0].values[1].renamed_from: the name '_x' is reserved"},
    };
    CHECK_REFUSED(others);
}

TEST(values_are_exact_decimals_of_their_type)
{
    static const char *const bad[] = {"", "-", "+1", "01", "-0", " 1", "1 ", "0x1", "1u", "1.0", "system(1)", "--1"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char to[32], message[80];
        snprintf(to, sizeof(to), "\"%s\"", bad[i]);
        snprintf(message, sizeof(message), "types[0].values[0].value: '%s' is not a decimal integer", bad[i]);
        const struct edit edit = {"\"-1\"", to, message};
        check_refused(&edit, 1);
    }
    static const struct {
        const char *kind, *low, *high, *below, *above;
    } kinds[] = {
        {"i8", "-128", "127", "-129", "128"},
        {"u8", "0", "255", "-1", "256"},
        {"i16", "-32768", "32767", "-32769", "32768"},
        {"u16", "0", "65535", "-1", "65536"},
        {"i32", "-2147483648", "2147483647", "-2147483649", "2147483648"},
        {"u32", "0", "4294967295", "-1", "4294967296"},
        {"i64", "-9223372036854775808", "9223372036854775807", "-9223372036854775809", "9223372036854775808"},
        {"u64", "0", "18446744073709551615", "-1", "18446744073709551616"},
    };
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        const char *values[] = {kinds[i].low, kinds[i].high, kinds[i].below, kinds[i].above};
        for (size_t k = 0; k < 4; k++) {
            char to[64], message[80];
            snprintf(to, sizeof(to), "\"type\":\"%s\",\"value\":\"%s\"", kinds[i].kind, values[k]);
            snprintf(message, sizeof(message), "constants[0].value: '%s' does not fit '%s'", values[k], kinds[i].kind);
            char *json = replaced(FULL_SCHEMA, "\"type\":\"i64\",\"value\":\"32\"", to);
            struct cell_schema *s = parse_schema(json, &error);
            CHECK((s != NULL) == (k < 2));
            if (k >= 2)
                CHECK_STR(error.text, message);
            cell_schema_free(s);
            free(json);
        }
    }
    static const struct edit edits[] = {
        {"\"value\":\"32\"", "\"value\":32", "constants[0].value: a string is expected, not an integer"},
        {"\"value\":\"32\"", "\"value\":\"99999999999999999999999\"",
         "constants[0].value: '99999999999999999999999' does not fit 'i64'"},
        {"\"type\":\"i64\",\"value\":\"32\"", "\"type\":\"bool\",\"value\":\"1\"",
         "constants[0].type: a constant is of an integer type"},
        {"\"type\":\"i64\",\"value\":\"32\"", "\"type\":\"str\",\"value\":\"1\"",
         "constants[0].type: a constant is of an integer type"},
    };
    CHECK_REFUSED(edits);
}

TEST(type_uses_are_of_known_types)
{
    static const struct {
        const char *type, *message;
    } bad[] = {
        {"i65", "unknown type 'i65'"},
        {"", "unknown type ''"},
        {"void*", "unknown type 'void*'"},
        {"struct", "unknown type 'struct'"},
        {"list", "unknown type 'list'"},
        {"list<>", "unknown type 'list<>'"},
        {"list<list<i32>>", "unknown type 'list<list<i32>>'"},
        {"opt<auth_role>", "unknown type 'opt<auth_role>'"},
        {"opt<opt<i8>>", "unknown type 'opt<opt<i8>>'"},
        {"list<i8", "unknown type 'list<i8'"},
        {"u8 ", "unknown type 'u8 '"},
        {"auth_login", "unknown type 'auth_login'"},
        {"auth_session", "type 'auth_session' is used before it is defined"},
        {"auth_opt_role[2]", "type 'auth_opt_role' is used before it is defined"},
        {"u8[0]", "'u8[0]': the bound of an array is 1 to 65536"},
        {"u8[]", "'u8[]': the bound of an array is 1 to 65536"},
        {"u8[-1]", "'u8[-1]': the bound of an array is 1 to 65536"},
        {"u8[01]", "'u8[01]': the bound of an array is 1 to 65536"},
        {"u8[65537]", "'u8[65537]': the bound of an array is 1 to 65536"},
        {"u8[4294967297]", "'u8[4294967297]': the bound of an array is 1 to 65536"},
        {"u8[2][2]", "'u8[2][2]': the bound of an array is 1 to 65536"},
        {"u8[2", "'u8[2': the bound of an array is 1 to 65536"},
        {"u8[2] ", "'u8[2] ': the bound of an array is 1 to 65536"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char to[64], message[128];
        snprintf(to, sizeof(to), "\"offset\":20,\"type\":\"%s\"", bad[i].type);
        snprintf(message, sizeof(message), "types[1].fields[2].type: %s", bad[i].message);
        const struct edit edit = {"\"offset\":20,\"type\":\"u8[3]\"", to, message};
        check_refused(&edit, 1);
    }
}

TEST(layouts_are_computed_again)
{
    static const struct edit edits[] = {
        {"\"offset\":24", "\"offset\":32", "types[1].fields[3].offset: the offset is 32, but the layout gives 24"},
        {"\"offset\":24", "\"offset\":0", "types[1].fields[3].offset: the offset is 0, but the layout gives 24"},
        {"\"offset\":24", "\"offset\":-8", "types[1].fields[3].offset: -8 is out of range, 0 to 1048576 is allowed"},
        {"\"offset\":24,", "", "types[1].fields[3].offset: missing"},
        {"\"size\":56", "\"size\":64", "types[1].size: the size is 64, but the layout gives 56"},
        {"\"size\":56", "\"size\":1125899906842624",
         "types[1].size: 1125899906842624 is out of range, 1 to 1048576 is allowed"},
        {"\"size\":56", "\"size\":\"56\"", "types[1].size: an integer is expected, not a string"},
        {"\"size\":16", "\"size\":24", "types[2].size: the size is 24, but the layout gives 16"},
        {"\"size\":8}", "\"size\":12}", "types[3].size: the size is 12, but the layout gives 8"},
        {"\"size\":4,", "\"size\":8,", "types[0].size: the size is 8, but the layout gives 4"},
        {"\"align\":4,\"kind\"", "\"align\":8,\"kind\"", "types[3].align: the align is 8, but the layout gives 4"},
        {"\"align\":4,\"doc\"", "\"align\":16,\"doc\"", "types[0].align: 16 is out of range, 1 to 8 is allowed"},
        {"\"kind\":\"opt\"", "\"kind\":\"union\"", "types[3].kind: unknown kind 'union'"},
        {"\"kind\":\"opt\"", "\"kind\":\"i32\"", "types[3].kind: unknown kind 'i32'"},
        {"\"of\":\"auth_session\"", "\"of\":\"list<i32>\"",
         "types[2].of: a list or an optional cannot be of an array, a list or an optional"},
        {"\"of\":\"auth_role\"", "\"of\":\"auth_sessions\"",
         "types[3].of: a list or an optional cannot be of an array, a list or an optional"},
        {"\"of\":\"auth_role\"", "\"of\":\"u8[4]\"",
         "types[3].of: a list or an optional cannot be of an array, a list or an optional"},
        {"\"type\":\"i32\"", "\"type\":\"f32\"", "types[0].type: below an enum is an integer type"},
        {"\"type\":\"i32\"", "\"type\":\"i32[1]\"", "types[0].type: below an enum is an integer type"},
        {"\"type\":\"i32\"", "\"type\":\"u32\"", "types[0].values[0].value: '-1' does not fit 'u32'"},
    };
    CHECK_REFUSED(edits);
}

TEST(structs_and_enums_are_not_empty)
{
    static const char head[] = "{\"abi\":\"lp64-le\",\"cell\":\"a\",\"schema\":\"cell.schema/1\",\"types\":[";
    static const struct {
        const char *type, *message;
    } bad[] = {
        {"{\"name\":\"t\",\"kind\":\"struct\",\"size\":1,\"align\":1,\"fields\":[]}]}",
         "types[0].fields: a struct has at least one field"},
        {"{\"name\":\"t\",\"kind\":\"struct\",\"size\":1,\"align\":1}]}",
         "types[0].fields: a struct has at least one field"},
        {"{\"name\":\"t\",\"kind\":\"enum\",\"type\":\"u8\",\"size\":1,\"align\":1,\"values\":[]}]}",
         "types[0].values: an enum has at least one value"},
        {"7]}", "types[0]: an object is expected, not an integer"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char json[256];
        snprintf(json, sizeof(json), "%s%s", head, bad[i].type);
        CHECK(!parse_schema(json, &error));
        CHECK_STR(error.text, bad[i].message);
    }
}

TEST(a_name_is_there_once)
{
    static const char scope[] = "is there twice: types, constants, enumerators, methods and functions share one scope";
    static const struct {
        const char *from, *to, *path, *name, *rest;
    } edits[] = {
        {"\"auth_opt_role\"", "\"auth_role\"", "types[3].name", "auth_role", "is there twice"},
        {"\"mark\"", "\"email\"", "types[1].fields[2].name", "email", "is there twice"},
        {"\"flag\"", "\"key\"", "methods[0].params[3].name", "key", "is there twice"},
        {"\"AUTH_TOP\"", "\"AUTH_MAX\"", "constants[1].name", "AUTH_MAX", "is there twice"},
        {"\"auth_ping\"", "\"auth_login\"", "methods[1].name", "auth_login", "is there twice"},
        {"\"AUTH_USER\"", "\"AUTH_ROOT\"", "types[0].values[1].name", "AUTH_ROOT", scope},
        {"\"AUTH_USER\"", "\"auth_session\"", "types[1].name", "auth_session", scope},
        {"\"auth_ping\"", "\"auth_sessions\"", "methods[1].name", "auth_sessions", scope},
        {"\"AUTH_TOP\"", "\"AUTH_USER\"", "constants[1].name", "AUTH_USER", scope},
        {"\"AUTH_TOP\"", "\"auth_ping\"", "methods[1].name", "auth_ping", scope},
    };
    for (size_t i = 0; i < sizeof(edits) / sizeof(edits[0]); i++) {
        char message[160];
        snprintf(message, sizeof(message), "%s: '%s' %s", edits[i].path, edits[i].name, edits[i].rest);
        const struct edit edit = {edits[i].from, edits[i].to, message};
        check_refused(&edit, 1);
    }
    /* Scopes of their own: a parameter as a field, a field as a method. */
    char *json = replaced(FULL_SCHEMA, "\"mark\"", "\"auth_ping\"");
    struct cell_schema *s = parse_schema(json, &error);
    CHECK(s);
    cell_schema_free(s);
    free(json);
}

TEST(lists_are_sorted_in_byte_order)
{
    static const struct edit edits[] = {
        {"\"auth_ping\"", "\"auth_early\"",
         "methods[1].name: 'auth_early' after 'auth_login': methods are sorted by name"},
        {"\"auth_ping\"", "\"auth_Zip\"", "methods[1].name: 'auth_Zip' after 'auth_login': methods are sorted by name"},
        {"\"AUTH_TOP\"", "\"AUTH_A\"", "constants[1].name: 'AUTH_A' after 'AUTH_MAX': constants are sorted by name"},
        {"\"verbs\":[", "\"verbs\":[{\"name\":\"zoo\",\"on\":[\"enum\"]},",
         "verbs[1].name: 'table' after 'zoo': verbs are sorted by name"},
    };
    CHECK_REFUSED(edits);
}

/* A schema with the methods auth_m and auth_n. */
static int parse_streams(const char *params, const char *other)
{
    char json[1200];
    struct cell_schema *s = NULL;
    snprintf(
        json, sizeof(json),
        "{\"schema\":\"cell.schema/1\",\"abi\":\"lp64-le\",\"cell\":\"auth\",\"constants\":[],\"types\":[{\"align\":4,"
        "\"fields\":[{\"name\":\"a\",\"offset\":0,\"type\":\"i32\"}],\"kind\":\"struct\",\"name\":\"auth_e\","
        "\"size\":4}],\"methods\":[{\"name\":\"auth_m\",\"params\":[%s]},{\"name\":\"%s\",\"params\":[]}]}",
        params, other);
    memset(&error, 0, sizeof(error));
    int r = cell_schema_parse(json, strlen(json), &s, &error);
    if (r >= 0) {
        const struct schema_field *stream = cell_schema_stream(&s->methods[0]);
        CHECK(stream && stream->offset == 0 && s->methods[0].in_size == 0);
    }
    cell_schema_free(s);
    return r;
}

TEST(streams_are_one_of_a_method_and_of_what_a_list_may_be_of)
{
#define STREAM(name, dir, type) "{\"dir\":\"" dir "\",\"name\":\"" name "\",\"stream\":true,\"type\":\"" type "\"}"
    static const char *const good[] = {STREAM("s", "in", "auth_e"), STREAM("s", "out", "auth_e"),
                                       STREAM("s", "out", "str"), STREAM("s", "in", "u8")};
    static const char *const bad[][2] = {
        {STREAM("s", "in", "list<i32>"),
         "methods[0].params[0].type: a stream cannot be of an array, a list or an optional"},
        {STREAM("s", "in", "opt<i32>"),
         "methods[0].params[0].type: a stream cannot be of an array, a list or an optional"},
        {STREAM("s", "in", "i32[2]"),
         "methods[0].params[0].type: a stream cannot be of an array, a list or an optional"},
        {STREAM("s", "in", "i32") "," STREAM("t", "out", "i32"),
         "methods[0].params[1].stream: a method has one stream"},
        {"{\"dir\":\"out\",\"name\":\"s\",\"pointer\":true,\"stream\":true,\"type\":\"auth_e\"}",
         "methods[0].params[0].pointer: a stream is not passed by pointer"},
        {"{\"dir\":\"out\",\"name\":\"s\",\"stream\":1,\"type\":\"auth_e\"}",
         "methods[0].params[0].stream: true or false is expected, not an integer"}};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        CHECK(parse_streams(good[i], "auth_n") >= 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CHECK(parse_streams(bad[i][0], "auth_n") == CELL_PROTOCOL_ERROR);
        CHECK_STR(error.text, bad[i][1]);
    }
    static const char *const out[] = {"auth_m_end", "auth_m_iter", "auth_m_next", "auth_m_next_n"},
                             *const in[] = {"auth_m_end", "auth_m_put", "auth_m_writer"};
    for (size_t i = 0; i < 4; i++)
        CHECK(parse_streams(STREAM("s", "out", "i32"), out[i]) == CELL_PROTOCOL_ERROR);
    for (size_t i = 0; i < 3; i++)
        CHECK(parse_streams(STREAM("s", "in", "i32"), in[i]) == CELL_PROTOCOL_ERROR);
    CHECK_STR(error.text,
              "methods[0].name: 'auth_m_writer' is there already, and clients declare it for this method's stream");
    CHECK(parse_streams(STREAM("s", "in", "i32"), "auth_m_next") >= 0 &&
          parse_streams(STREAM("s", "out", "i32"), "auth_m_put") >= 0);
}

TEST(parameters_go_in_or_out_as_their_type_allows)
{
    static const struct edit edits[] = {
        {"\"dir\":\"in\",\"name\":\"role\"", "\"dir\":\"sideways\",\"name\":\"role\"",
         "methods[0].params[1].dir: \"in\", \"out\" or \"inout\" is expected, not 'sideways'"},
        {"\"dir\":\"in\",\"name\":\"role\"", "\"name\":\"role\"", "methods[0].params[1].dir: missing"},
        {"\"name\":\"role\",\"type\"", "\"name\":\"role\",\"pointer\":true,\"type\"",
         "methods[0].params[1].type: no in parameter can point to 'auth_role'"},
        {"\"name\":\"flag\"", "\"name\":\"flag\",\"pointer\":true",
         "methods[0].params[3].type: no in parameter can point to 'bool'"},
        {"\"dir\":\"in\",\"name\":\"flag\"", "\"dir\":\"out\",\"name\":\"flag\",\"pointer\":true",
         "methods[0].params[3].type: no out parameter can point to 'bool'"},
        {"\"name\":\"out\",\"pointer\":true", "\"name\":\"out\"",
         "methods[0].params[5].pointer: an out parameter is a pointer"},
        {"\"name\":\"key\",\"pointer\":true", "\"name\":\"key\"",
         "methods[0].params[2].pointer: an array is passed by pointer"},
        {"\"name\":\"key\",\"pointer\":true", "\"name\":\"key\",\"pointer\":1",
         "methods[0].params[2].pointer: true or false is expected, not an integer"},
        {"\"idempotent\":true", "\"idempotent\":1", "methods[1].idempotent: true or false is expected, not an integer"},
        {"\"idempotent\":true", "\"whole\":1", "methods[1].whole: true or false is expected, not an integer"},
    };
    CHECK_REFUSED(edits);
    static const char *const good[] = {"str",           "bytes",  "list<i32>",    "opt<i32>",       "auth_sessions",
                                       "auth_opt_role", "i32[4]", "auth_role[2]", "auth_session[3]"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        for (int out = 0; out < 2; out++) {
            char to[128];
            snprintf(to, sizeof(to), "\"dir\":\"%s\",\"name\":\"key\",\"pointer\":true,\"type\":\"%s\"",
                     out ? "out" : "in", good[i]);
            char *json =
                replaced(FULL_SCHEMA, "\"dir\":\"in\",\"name\":\"key\",\"pointer\":true,\"type\":\"u8[16]\"", to);
            struct cell_schema *s = parse_schema(json, &error);
            REQUIRE(s);
            CHECK(s->methods[0].params[2].by_pointer && s->methods[0].params[2].out == (out == 1));
            CHECK(s->methods[0].params[3].offset == (out ? 20 : 40));
            cell_schema_free(s);
            free(json);
        }
}
