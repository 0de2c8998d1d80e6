/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What a good document becomes, and what comes out again. */
#include "schema_document.h"

#include "base/util.h"
#include "wire/limits.h"

static struct cell_error error;

static char *format(const struct cell_schema *s)
{
    struct cell_buffer out = {0};
    CHECK(cell_schema_format(s, &out) == CELL_OK);
    return out.data;
}

TEST(a_document_is_read_whole)
{
    struct cell_schema *s = parse_schema(FULL_SCHEMA, &error);
    REQUIRE(s);
    CHECK_STR(s->cell, "auth");
    CHECK_STR(s->doc, "Accounts and sessions");
    CHECK(s->ntypes == 4 && s->nconstants == 2 && s->nmethods == 2 && s->nverbs == 1);

    const struct schema_type *role = &s->types[0], *session = &s->types[1], *list = &s->types[2], *opt = &s->types[3];
    CHECK(role->kind == CELL_KIND_ENUM && role->elem.kind == CELL_KIND_I32 && role->nvalues == 2);
    CHECK_STR(role->values[0].name, "AUTH_ROOT");
    CHECK_STR(role->values[0].text, "-1");
    CHECK_STR(role->values[0].doc, "All.");
    CHECK(session->kind == CELL_KIND_STRUCT && session->size == 56 && session->align == 8 && session->nfields == 5);
    const struct schema_field *email = &session->fields[0];
    CHECK_STR(email->renamed_from, "mail");
    CHECK_STR(email->since, "1.1");
    CHECK(email->nrules == 1 && email->rules[0].nargs == 0 && email->type.kind == CELL_KIND_STR);
    CHECK_STR(email->rules[0].name, "secret");
    CHECK(session->fields[1].type.named == role && session->fields[1].type.kind == CELL_KIND_ENUM);
    CHECK(session->fields[2].type.count == 3 && session->fields[2].type.kind == CELL_KIND_U8);
    CHECK(session->fields[3].type.kind == CELL_KIND_OPT && session->fields[3].type.elem == CELL_KIND_I64);
    CHECK(session->fields[4].type.kind == CELL_KIND_LIST && session->fields[4].type.elem == CELL_KIND_U32);
    CHECK(session->fields[4].offset == 40 && !session->fields[4].doc && session->fields[4].nrules == 0);
    CHECK(list->kind == CELL_KIND_LIST && list->elem.named == session && list->elem.kind == CELL_KIND_STRUCT);
    CHECK(opt->kind == CELL_KIND_OPT && opt->elem.named == role && opt->size == 8);
    cell_schema_free(s);
}

TEST(methods_get_their_slots)
{
    struct cell_schema *s = parse_schema(FULL_SCHEMA, &error);
    REQUIRE(s);
    const struct schema_method *login = &s->methods[0], *ping = &s->methods[1];
    static const uint32_t offsets[] = {0, 16, 24, 40, 48, 0};
    CHECK(login->nparams == 6 && login->in_size == 104 && !login->idempotent);
    CHECK_STR(login->doc, "Logs in.\nTwice.");
    for (uint32_t i = 0; i < 6; i++) {
        CHECK(login->params[i].offset == offsets[i]);
        CHECK(login->params[i].out == (i == 5));
        CHECK(login->params[i].by_pointer == (i == 2 || i == 5));
    }
    CHECK(login->params[0].nrules == 1 && login->params[0].rules[0].nargs == 2);
    CHECK_STR(login->params[0].rules[0].args[1], "64");
    CHECK(ping->nparams == 0 && ping->in_size == 0 && ping->idempotent);
    cell_schema_free(s);
}

TEST(verbs_say_where_they_stand)
{
    struct cell_schema *s = parse_schema(FULL_SCHEMA, &error);
    REQUIRE(s);
    const struct schema_verb *v = cell_schema_verb(s, "table");
    REQUIRE(v);
    CHECK(v->on_struct && v->on_enum && v->on_function && v->on_variable);
    CHECK(v->nargs == 2 && v->args[0].required && !v->args[1].required);
    CHECK_STR(v->args[1].type, "integer");
    CHECK(v->nfield_rules == 2);
    CHECK_STR(v->field_rules[1], "auto"); /* a keyword, but it never becomes C */
    CHECK(!cell_schema_verb(s, "tabl"));
    cell_schema_free(s);
}

TEST(arguments_of_verbs_may_have_defaults)
{
    static const struct {
        const char *type, *value;
    } good[] = {{"string", ""},
                {"string", "two words"},
                {"integer", "18446744073709551615"},
                {"integer", "0"},
                {"integer", "-9223372036854775808"},
                {"name", "default"}};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        char member[128];
        snprintf(member, sizeof(member), "\"default\":\"%s\",\"name\":\"limit\",\"type\":\"%s\"", good[i].value,
                 good[i].type);
        char *json = replaced(FULL_SCHEMA, "\"name\":\"limit\",\"type\":\"integer\"", member);
        struct cell_schema *s = parse_schema(json, &error);
        REQUIRE(s);
        CHECK(!s->verbs[0].args[0].value && !s->received); /* the model holds all of the document */
        CHECK_STR(s->verbs[0].args[1].value, good[i].value);
        char *text = format(s);
        CHECK_STR(text, json);
        free(text);
        cell_schema_free(s);
        free(json);
    }
}

TEST(entries_are_found_by_name)
{
    struct cell_schema *s = parse_schema(FULL_SCHEMA, &error);
    REQUIRE(s);
    for (uint32_t i = 0; i < s->ntypes; i++)
        CHECK(cell_schema_type(s, s->types[i].name) == &s->types[i]);
    for (uint32_t i = 0; i < s->nmethods; i++)
        CHECK(cell_schema_method(s, s->methods[i].name) == &s->methods[i]);
    CHECK(!cell_schema_type(s, "auth_login") && !cell_schema_method(s, "auth_role") && !cell_schema_type(s, ""));
    cell_schema_free(s);
    s = cell_schema_new();
    CHECK(!cell_schema_type(s, "a") && !cell_schema_method(s, "a") && !cell_schema_verb(s, "a"));
    cell_schema_free(s);
    cell_schema_free(NULL);
}

TEST(canonical_form_and_fingerprint_are_those_of_the_document)
{
    struct cell_schema *s = parse_schema(FULL_SCHEMA, &error);
    REQUIRE(s);
    CHECK_STR(s->fingerprint, FULL_FINGERPRINT);
    CHECK(!s->received);
    char *text = format(s);
    CHECK_STR(text, FULL_SCHEMA);
    free(text);
    cell_schema_free(s);
}

TEST(white_space_order_and_escapes_do_not_change_the_fingerprint)
{
    char *moved = replaced(FULL_SCHEMA, "\"doc\":\"A table\",", "");
    char *later = replaced(moved, "\"variable\"]}", "\"variable\"],  \n\"doc\":\"\\u0041 \\u0074able\"}");
    struct cell_schema *s = parse_schema(later, &error);
    REQUIRE(s);
    CHECK_STR(s->fingerprint, FULL_FINGERPRINT);
    cell_schema_free(s);
    free(later);
    free(moved);
}

/* What its sender states as fingerprint covers what this version does not know, or would leave out. */
TEST(a_document_of_another_version_keeps_its_fingerprint)
{
    static const char *const edits[][2] = {
        {"\"abi\":", "\"aardvark\":{\"b\":[1,null]},\"abi\":"},
        {"\"streams\":[]", "\"streams\":[{\"x\":1}]"},
        {"{\"idempotent\":true,", "{\"idempotent\":false,"},
        {"\"on\":[\"struct\",\"enum\"", "\"on\":[\"enum\",\"struct\""},
        {",\"capabilities\":[]", ""},
        {"\"doc\":\"One login.\"", "\"doc\":\"\""},
        {"\"args\":[],\"rule\":\"secret\"", "\"rule\":\"secret\""},
    };
    for (size_t i = 0; i < sizeof(edits) / sizeof(edits[0]); i++) {
        char *json = replaced(FULL_SCHEMA, edits[i][0], edits[i][1]), hex[65];
        struct cell_schema *s = parse_schema(json, &error);
        REQUIRE(s);
        cell_sha256_hex(json, strlen(json), hex); /* the edits keep it canonical */
        CHECK_STR(s->fingerprint, hex);
        char *text = format(s);
        CHECK_STR(text, json);
        free(text);
        cell_schema_free(s);
        free(json);
    }
}

TEST(an_empty_cell_is_a_schema)
{
    static const char json[] = "{\"abi\":\"lp64-le\",\"cell\":\"a\",\"schema\":\"cell.schema/1\"}";
    struct cell_schema *s = parse_schema(json, &error);
    REQUIRE(s);
    CHECK(s->ntypes == 0 && s->nmethods == 0 && s->nconstants == 0 && s->nverbs == 0 && !s->doc);
    CHECK(!cell_schema_type(s, "a"));
    cell_schema_free(s);
}

static void fingerprints(const char *from, const char *to, char types[4][65], char methods[2][65])
{
    char *json = replaced(FULL_SCHEMA, from, to);
    struct cell_schema *s = parse_schema(json, &error);
    REQUIRE(s && s->ntypes == 4 && s->nmethods == 2);
    for (int i = 0; i < 4; i++)
        memcpy(types[i], s->types[i].fingerprint, 65);
    for (int i = 0; i < 2; i++)
        memcpy(methods[i], s->methods[i].fingerprint, 65);
    cell_schema_free(s);
    free(json);
}

TEST(fingerprints_of_entries_cover_what_they_use_but_no_docs)
{
    char t[4][65], m[2][65], t2[4][65], m2[2][65];
    fingerprints("One login.", "One login.", t, m);
    CHECK(strlen(t[0]) == 64 && strcmp(t[0], t[1]) != 0 && strcmp(m[0], m[1]) != 0);
    fingerprints("The address.", "Another text.", t2, m2);
    CHECK(memcmp(t, t2, sizeof(t)) == 0 && memcmp(m, m2, sizeof(m)) == 0);
    fingerprints("Logs in.", "", t2, m2);
    CHECK(memcmp(m, m2, sizeof(m)) == 0);
    /* The enum is used by all types and by auth_login. */
    fingerprints("\"value\":\"-1\"", "\"value\":\"-2\"", t2, m2);
    for (int i = 0; i < 4; i++)
        CHECK(strcmp(t[i], t2[i]) != 0);
    CHECK(strcmp(m[0], m2[0]) != 0);
    CHECK_STR(m[1], m2[1]);
    /* The struct by the list and by auth_login only. */
    fingerprints("\"name\":\"until\"", "\"name\":\"since\"", t2, m2);
    CHECK(strcmp(t[0], t2[0]) == 0 && strcmp(t[1], t2[1]) != 0 && strcmp(t[2], t2[2]) != 0);
    CHECK(strcmp(t[3], t2[3]) == 0 && strcmp(m[0], m2[0]) != 0 && strcmp(m[1], m2[1]) == 0);
    fingerprints("\"idempotent\":true,", "", t2, m2);
    CHECK(strcmp(m[1], m2[1]) != 0 && strcmp(m[0], m2[0]) == 0);
    fingerprints("\"idempotent\":true,", "\"idempotent\":true,\"whole\":true,", t2, m2);
    CHECK(strcmp(m[1], m2[1]) != 0 && strcmp(m[0], m2[0]) == 0);
}

TEST(type_uses_have_their_text_and_layout)
{
    static const struct {
        struct schema_ref use;
        const char *text;
        uint32_t size, align;
    } cases[] = {
        {{CELL_KIND_BOOL, 0, NULL, 0}, "bool", 1, 1},
        {{CELL_KIND_I16, 0, NULL, 3}, "i16[3]", 6, 2},
        {{CELL_KIND_F64, 0, NULL, 0}, "f64", 8, 8},
        {{CELL_KIND_STR, 0, NULL, 2}, "str[2]", 32, 8},
        {{CELL_KIND_LIST, CELL_KIND_U8, NULL, 0}, "list<u8>", 16, 8},
        {{CELL_KIND_OPT, CELL_KIND_BOOL, NULL, 0}, "opt<bool>", 2, 1},
        {{CELL_KIND_OPT, CELL_KIND_I32, NULL, 4}, "opt<i32>[4]", 32, 4},
        {{CELL_KIND_OPT, CELL_KIND_STR, NULL, 0}, "opt<str>", 24, 8},
        {{CELL_KIND_U64, 0, NULL, 65536}, "u64[65536]", 524288, 8},
        {{CELL_KIND_U64, 0, NULL, UINT32_MAX}, "u64[4294967295]", UINT32_MAX, 8},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[64];
        uint32_t size, align;
        CHECK(cell_schema_ref_format(&cases[i].use, text, sizeof(text)) == (int)strlen(cases[i].text));
        CHECK_STR(text, cases[i].text);
        cell_schema_ref_layout(&cases[i].use, &size, &align);
        CHECK(size == cases[i].size && align == cases[i].align);
    }
    const struct schema_type t = {.name = "point", .kind = CELL_KIND_STRUCT, .size = 12, .align = 4};
    const struct schema_ref use = {CELL_KIND_STRUCT, 0, &t, 5};
    char text[4];
    uint32_t size, align;
    CHECK(cell_schema_ref_format(&use, text, sizeof(text)) == 8);
    CHECK_STR(text, "poi");
    cell_schema_ref_layout(&use, &size, &align);
    CHECK(size == 60 && align == 4);
}

TEST(keywords_are_those_of_c_and_cplusplus)
{
    static const char *const keywords[] = {
        "auto",     "while",    "_Bool",    "_BitInt",  "_Generic", "constexpr", "typeof_unqual", "nullptr",
        "restrict", "alignas",  "asm",      "class",    "concept",  "co_await",  "char8_t",       "reinterpret_cast",
        "requires", "wchar_t",  "and",      "xor_eq",   "not",      "bitand",    "compl",         "_Thread_local",
        "xor",      "_Alignas", "template", "consteval"};
    static const char *const others[] = {"",     "Auto",    "whil", "whilee", "final", "override", "import", "module",
                                         "main", "int32_t", "zzz",  "a",      "_",     "null",     "string"};
    for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++)
        CHECK(cell_is_keyword(keywords[i]));
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        CHECK(!cell_is_keyword(others[i]));
}

/* Builds what the plugin would, in disorder. */
static struct cell_schema *build(void)
{
    static const struct schema_ref i64 = {CELL_KIND_I64, 0, NULL, 0};
    struct cell_schema *s = cell_schema_new();
    s->cell = "shop";
    s->ntypes = 1;
    s->types = cell_arena_array(&s->arena, 1, sizeof(*s->types));
    s->types[0] =
        (struct schema_type){.name = "shop_item", .kind = CELL_KIND_STRUCT, .size = 16, .align = 8, .nfields = 2};
    s->types[0].fields = cell_arena_array(&s->arena, 2, sizeof(struct schema_field));
    s->types[0].fields[0] = (struct schema_field){.name = "flag", .type = {CELL_KIND_BOOL, 0, NULL, 0}};
    s->types[0].fields[1] = (struct schema_field){.name = "id", .type = i64, .offset = 8};
    s->nmethods = 2;
    s->methods = cell_arena_array(&s->arena, 2, sizeof(*s->methods));
    s->methods[0] = (struct schema_method){.name = "shop_sell", .nparams = 2};
    s->methods[0].params = cell_arena_array(&s->arena, 2, sizeof(struct schema_field));
    s->methods[0].params[0] = (struct schema_field){.name = "n", .type = {CELL_KIND_U8, 0, NULL, 0}, .offset = 99};
    s->methods[0].params[1] =
        (struct schema_field){.name = "item", .type = {CELL_KIND_STRUCT, 0, &s->types[0], 0}, .by_pointer = true};
    s->methods[1] = (struct schema_method){.name = "shop_buy", .doc = "Buys.", .idempotent = true, .whole = true};
    s->nconstants = 2;
    s->constants = cell_arena_array(&s->arena, 2, sizeof(*s->constants));
    s->constants[0] = (struct schema_constant){"SHOP_B", NULL, CELL_KIND_I64, "-9223372036854775808"};
    s->constants[1] = (struct schema_constant){"SHOP_A", NULL, CELL_KIND_U8, "255"};
    return s;
}

TEST(a_sealed_schema_is_sorted_laid_out_and_reads_back_as_the_same)
{
    struct cell_schema *s = build();
    REQUIRE(cell_schema_seal(s, &error) == CELL_OK);
    CHECK_STR(s->methods[0].name, "shop_buy");
    CHECK_STR(s->constants[0].name, "SHOP_A");
    CHECK(s->methods[1].params[0].offset == 0 && s->methods[1].params[1].offset == 8 && s->methods[1].in_size == 24);
    CHECK(cell_schema_method(s, "shop_sell") == &s->methods[1] && cell_schema_type(s, "shop_item") == s->types);
    char *text = format(s), hex[65];
    cell_sha256_hex(text, strlen(text), hex);
    CHECK_STR(s->fingerprint, hex);
    struct cell_schema *again = parse_schema(text, &error);
    REQUIRE(again);
    CHECK(again->methods[0].whole && !again->methods[1].whole);
    CHECK(!again->received);
    CHECK_STR(again->fingerprint, s->fingerprint);
    CHECK_STR(again->types[0].fingerprint, s->types[0].fingerprint);
    CHECK_STR(again->methods[1].fingerprint, s->methods[1].fingerprint);
    char *twice = format(again);
    CHECK_STR(twice, text);
    free(twice);
    free(text);
    cell_schema_free(again);
    cell_schema_free(s);
}

static void check_seal(struct cell_schema *s, int status, const char *message)
{
    error = (struct cell_error){0};
    CHECK(cell_schema_seal(s, &error) == status);
    CHECK_STR(error.text, message);
    cell_schema_free(s);
}

TEST(what_cannot_be_sealed_says_why)
{
    struct cell_schema *s = build();
    s->cell = NULL;
    check_seal(s, CELL_INVALID_ARGUMENT, "a name is missing");
    s = build();
    s->types[0].fields[1].offset = 1;
    check_seal(s, CELL_INVALID_ARGUMENT, "types[0].fields[1].offset: the offset is 1, but the layout gives 8");
    s = build();
    s->methods[1].name = "shop_sell";
    check_seal(s, CELL_INVALID_ARGUMENT, "methods[1].name: 'shop_sell' is there twice");
    s = build();
    s->constants[0].name = "shop_item";
    check_seal(s, CELL_INVALID_ARGUMENT,
               "constants[1].name: 'shop_item' is there twice: types, constants, enumerators, "
               "methods and functions share one scope");
    s = build();
    s->doc = "Latin \xe4";
    check_seal(s, CELL_INVALID_ARGUMENT, "doc: the text is not valid UTF-8");
    s = build();
    struct schema_type elsewhere = s->types[0];
    s->methods[0].params[1].type.named = &elsewhere;
    check_seal(s, CELL_INVALID_ARGUMENT, "methods[1].params[1].type: a type is used before it is defined");
    s = build();
    s->types[0].fields[0].type = (struct schema_ref){CELL_KIND_STRUCT, 0, &s->types[0], 0};
    check_seal(s, CELL_INVALID_ARGUMENT, "types[0].fields[0].type: a type is used before it is defined");
    s = build();
    s->types[0].fields[0].type.kind = CELL_KIND_STRUCT;
    check_seal(s, CELL_INVALID_ARGUMENT, "types[0].fields[0].type: unknown type");
    s = build();
    s->types[0].kind = CELL_KIND_I32;
    check_seal(s, CELL_INVALID_ARGUMENT, "types[0].kind: unknown kind of type");
    s = build();
    s->methods[0].params[1].type.kind = CELL_KIND_ENUM;
    check_seal(s, CELL_INVALID_ARGUMENT, "methods[1].params[1].type: 'shop_item' is used as another kind of type");
    s = build();
    s->methods[0].params[0].type.count = CELL_MAX_ARRAY + 1;
    check_seal(s, CELL_INVALID_ARGUMENT, "methods[1].params[0].type: the bound of an array is 1 to 65536");
    s = build();
    s->types[0].name = NULL;
    check_seal(s, CELL_INVALID_ARGUMENT, "types[0].name: missing");
    s = build();
    s->methods[1].name = NULL;
    check_seal(s, CELL_INVALID_ARGUMENT, "a name is missing");
}

TEST(a_schema_that_no_reader_would_take_cannot_be_sealed)
{
    struct cell_schema *s = build();
    char names[40000][8];
    s->nconstants = 40000; /* an element and three members each */
    s->constants = cell_arena_array(&s->arena, s->nconstants, sizeof(*s->constants));
    for (uint32_t i = 0; i < s->nconstants; i++) {
        snprintf(names[i], sizeof(names[i]), "K%u", i);
        s->constants[i] = (struct schema_constant){names[i], NULL, CELL_KIND_I64, "0"};
    }
    error = (struct cell_error){0};
    CHECK(cell_schema_seal(s, &error) == CELL_TOO_LARGE);
    CHECK(strstr(error.text, "the schema is too large: ") && strstr(error.text, "100000 members"));
    cell_schema_free(s);
}
