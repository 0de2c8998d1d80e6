/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "test.h"

#include "base/util.h"
#include "core/schema.h"

static struct cell_error error;

static struct cell_expansion *parse_with(const struct cell_schema *declared, const char *json)
{
    struct cell_expansion *x = NULL;
    error = (struct cell_error){0};
    int r = cell_expansion_parse(json, strlen(json), declared, &x, &error);
    CHECK((r == CELL_OK) == (x != NULL) && error.status == r);
    return x;
}

static struct cell_expansion *parse(const char *json) { return parse_with(NULL, json); }

#define POINT                                                                                                          \
    "{\"name\":\"point\",\"kind\":\"struct\",\"size\":8,\"align\":4,\"fields\":["                                      \
    "{\"name\":\"x\",\"type\":\"i32\",\"offset\":0},{\"name\":\"y\",\"type\":\"i32\",\"offset\":4}]}"
#define FIND                                                                                                           \
    "{\"name\":\"point_find\",\"params\":[{\"name\":\"x\",\"type\":\"i32\",\"dir\":\"in\"},"                           \
    "{\"name\":\"out\",\"type\":\"point\",\"dir\":\"out\",\"pointer\":true}]}"

TEST(an_expansion_holds_content_and_diagnostics)
{
    static const char json[] =
        "{\"constants\":[{\"name\":\"POINTS\",\"type\":\"u8\",\"value\":\"3\"}],\"diagnostics\":["
        "{\"field\":\"agee\",\"severity\":\"error\",\"text\":\"table 'users' has no column 'agee'\"},"
        "{\"severity\":\"warning\",\"text\":\"w\"},{\"severity\":\"remark\",\"text\":\"two\\nlines\"},"
        "{\"severity\":\"note\",\"text\":\"gr\xc3\xb6\xc3\x9f"
        "er\"}],\"expansion\":\"cell.expansion/1\","
        "\"later\":{},\"methods\":[" FIND "],\"types\":[" POINT "]}";
    struct cell_expansion *x = parse(json);
    REQUIRE(x && x->content);
    CHECK(x->content->ntypes == 1 && x->content->nmethods == 1 && x->content->nconstants == 1);
    CHECK(!x->content->cell && x->content->nverbs == 0);
    CHECK(x->content->methods[0].in_size == 4);
    CHECK(x->content->methods[0].params[1].type.named == x->content->types);
    CHECK(cell_schema_type(x->content, "point") == x->content->types);
    CHECK(strlen(x->content->fingerprint) == 64 && strlen(x->content->methods[0].fingerprint) == 64);
    static const int severities[] = {EXPANSION_ERROR, EXPANSION_WARNING, EXPANSION_REMARK, EXPANSION_NOTE};
    REQUIRE(x->ndiagnostics == 4);
    for (int i = 0; i < 4; i++)
        CHECK((int)x->diagnostics[i].severity == severities[i]);
    CHECK_STR(x->diagnostics[0].text, "table 'users' has no column 'agee'");
    CHECK_STR(x->diagnostics[0].place.field, "agee");
    CHECK(!x->diagnostics[1].place.field);
    CHECK_STR(x->diagnostics[2].text, "two\nlines");
    cell_expansion_free(x);
}

TEST(an_expansion_may_hold_nothing)
{
    static const char json[] = "{\"expansion\":\"cell.expansion/1\"}";
    char hex[65];
    struct cell_expansion *x = parse(json);
    REQUIRE(x && x->content);
    CHECK(x->ndiagnostics == 0 && x->content->ntypes == 0 && x->content->nmethods == 0);
    cell_sha256_hex(json, strlen(json), hex);
    CHECK_STR(x->content->fingerprint, hex);
    cell_expansion_free(x);
    cell_expansion_free(NULL);
}

TEST(a_bad_expansion_says_where)
{
#define WITH(members) "{\"expansion\":\"cell.expansion/1\"," members "}"
    static const struct {
        const char *json, *message;
    } bad[] = {
        {"[]", "an object is expected, not an array"},
        {"{}", "expansion: missing"},
        {"{\"expansion\":1}", "expansion: a string is expected, not an integer"},
        {"{\"expansion\":\"cell.schema/1\"}", "expansion: format 'cell.schema/1' is not known, 'cell.expansion/1' is"},
        {WITH("\"methods\":[" FIND "]"), "methods[0].params[1].type: unknown type 'point'"},
        {WITH("\"methods\":{}"), "methods: an array is expected, not an object"},
        {WITH("\"types\":[" POINT "," POINT "]"), "types[1].name: 'point' is there twice"},
        {WITH("\"types\":[" POINT "],\"constants\":[{\"name\":\"point\",\"type\":\"i8\",\"value\":\"1\"}]"),
         "constants[0].name: 'point' is there twice: types, constants, enumerators, methods and functions share one "
         "scope"},
        {WITH("\"constants\":[{\"name\":\"int\",\"type\":\"i8\",\"value\":\"1\"}]"),
         "constants[0].name: 'int' is a keyword of C or C++"},
        {WITH("\"diagnostics\":{}"), "diagnostics: an array is expected, not an object"},
        {WITH("\"diagnostics\":[1]"), "diagnostics[0]: an object is expected, not an integer"},
        {WITH("\"diagnostics\":[{\"text\":\"a\"}]"), "diagnostics[0].severity: missing"},
        {WITH("\"diagnostics\":[{\"severity\":\"fatal\",\"text\":\"a\"}]"),
         "diagnostics[0].severity: unknown severity 'fatal'"},
        {WITH("\"diagnostics\":[{\"severity\":\"note\"}]"), "diagnostics[0].text: missing"},
        {WITH("\"diagnostics\":[{\"severity\":\"note\",\"text\":\"\\u001b[31m\"}]"),
         "diagnostics[0].text: the text holds a control or bidirectional control character"},
        {WITH("\"diagnostics\":[{\"severity\":\"note\",\"text\":\"a\",\"field\":\"a\\nb\"}]"),
         "diagnostics[0].field: the text holds a control or bidirectional control character"},
        {WITH("\"diagnostics\":[{\"severity\":\"note\",\"text\":\"a\",\"field\":7}]"),
         "diagnostics[0].field: a string is expected, not an integer"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct cell_expansion *x = parse(bad[i].json);
        CHECK(!x && error.status == CELL_PROTOCOL_ERROR);
        CHECK_STR(error.text, bad[i].message);
        cell_expansion_free(x);
    }
}

/* enum role { role, ADMIN }; struct user { int64_t id; enum role role; }; CELL_LIST(users, struct user): the first
 * enumerator has the name of its type, as C allows. */
struct declared {
    struct schema_value values[2];
    struct schema_field fields[2];
    struct schema_type types[3];
    struct cell_schema schema;
};

static void declare(struct declared *d)
{
    *d = (struct declared){
        .values = {{.name = "role", .text = "0"}, {.name = "ADMIN", .text = "1"}},
        .fields = {{.name = "id", .doc = "not for a comment: */", .type = {.kind = CELL_KIND_I64}},
                   {.name = "role", .type = {.kind = CELL_KIND_ENUM, .named = &d->types[0]}, .offset = 8}},
        .types = {{.name = "role", .kind = CELL_KIND_ENUM, .size = 4, .align = 4, .elem = {.kind = CELL_KIND_U32}},
                  {.name = "user", .kind = CELL_KIND_STRUCT, .size = 16, .align = 8},
                  {.name = "users", .kind = CELL_KIND_LIST, .size = 16, .align = 8}},
        .schema = {.types = d->types, .ntypes = 3}};
    d->types[0].values = d->values;
    d->types[0].nvalues = 2;
    d->types[1].fields = d->fields;
    d->types[1].nfields = 2;
    d->types[2].elem = (struct schema_ref){.kind = CELL_KIND_STRUCT, .named = &d->types[1]};
}

#define PAIR                                                                                                           \
    "{\"name\":\"pair\",\"kind\":\"struct\",\"size\":40,\"align\":8,\"fields\":["                                      \
    "{\"name\":\"both\",\"type\":\"user[2]\",\"offset\":0},{\"name\":\"r\",\"type\":\"role\",\"offset\":32}]}"
#define PAIRS "{\"name\":\"pairs\",\"kind\":\"list\",\"of\":\"pair\",\"size\":16,\"align\":8}"
#define PARAM(name, type, rest) "{\"name\":\"" name "\",\"type\":\"" type "\"," rest "}"
#define BY_POINTER ",\"pointer\":true"

TEST(an_expansion_may_use_the_types_of_the_declaration)
{
    struct declared d;
    declare(&d);
    struct cell_expansion *x = parse_with(
        &d.schema,
        WITH(
            "\"types\":[" PAIR "," PAIRS
            "],\"methods\":[{\"name\":\"user_find\",\"params\":[" PARAM("like", "user", "\"dir\":\"in\"" BY_POINTER) "," PARAM(
                "r", "role",
                "\"dir\":\"in\"") "," PARAM("all", "users",
                                            "\"dir\":\"out\"" BY_POINTER) "," PARAM("p", "pairs",
                                                                                    "\"dir\":\"out\"" BY_POINTER) "]}"
                                                                                                                  "]"));
    REQUIRE(x);
    memset(&d, 0x5a, sizeof(d)); /* they were copied */
    const struct schema_type *types = x->content->types;
    REQUIRE(x->content->ntypes == 5);
    static const char *const names[] = {"role", "user", "users", "pair", "pairs"};
    for (int i = 0; i < 5; i++) {
        CHECK_STR(types[i].name, names[i]);
        CHECK(types[i].declared == (i < 3));
        CHECK(cell_schema_type(x->content, names[i]) == &types[i] && strlen(types[i].fingerprint) == 64);
    }
    CHECK(types[1].fields[1].type.named == &types[0] && types[2].elem.named == &types[1]);
    CHECK(types[3].fields[0].type.named == &types[1] && types[4].elem.named == &types[3]);
    CHECK(types[1].nfields == 2 && types[1].fields[1].offset == 8 && !types[1].fields[0].doc);
    CHECK_STR(types[0].values[1].name, "ADMIN");
    const struct schema_method *m = x->content->methods;
    CHECK(m->in_size == 24 && m->params[0].type.named == &types[1] && m->params[2].type.named == &types[2]);
    cell_expansion_free(x);
}

TEST(the_same_document_over_other_types_has_another_fingerprint)
{
    static const char json[] =
        WITH("\"methods\":[{\"name\":\"user_put\",\"params\":[" PARAM("u", "user", "\"dir\":\"in\"") "]}]");
    char first[CELL_FINGERPRINT_LEN + 1];
    struct declared d;
    declare(&d);
    struct cell_expansion *x = parse_with(&d.schema, json);
    REQUIRE(x);
    strcpy(first, x->content->fingerprint);
    cell_expansion_free(x);
    x = parse_with(&d.schema, json);
    CHECK(x && strcmp(x->content->fingerprint, first) == 0);
    cell_expansion_free(x);
    d.fields[0].type.kind = CELL_KIND_U64;
    x = parse_with(&d.schema, json);
    CHECK(x && strcmp(x->content->fingerprint, first) != 0);
    cell_expansion_free(x);
}

TEST(what_is_said_beside_the_content_does_not_change_its_fingerprint)
{
    static const char plain[] = WITH("\"constants\":[{\"name\":\"N\",\"type\":\"i64\",\"value\":\"1\"}]"),
                      more[] = WITH("\"constants\":[{\"name\":\"N\",\"type\":\"i64\",\"value\":\"1\"}],"
                                    "\"diagnostics\":[{\"severity\":\"remark\",\"text\":\"one column less\"}],"
                                    "\"plan\":{\"id\":\"a1\",\"steps\":[{\"text\":\"ADD\",\"kind\":\"add\"}]}"),
                      other[] = WITH("\"constants\":[{\"name\":\"N\",\"type\":\"i64\",\"value\":\"2\"}]");
    struct cell_expansion *x = parse(plain), *y = parse(more), *z = parse(other);

    REQUIRE(x && y && z && y->plan.id && y->ndiagnostics == 1);
    CHECK_STR(x->content->fingerprint, y->content->fingerprint);
    CHECK(strcmp(x->content->fingerprint, z->content->fingerprint) != 0);
    cell_expansion_free(x);
    cell_expansion_free(y);
    cell_expansion_free(z);
}

TEST(an_expansion_of_a_declaration_may_hold_nothing)
{
    struct declared d;
    declare(&d);
    struct cell_expansion *x = parse_with(&d.schema, "{\"expansion\":\"cell.expansion/1\"}");
    REQUIRE(x);
    CHECK(x->content->ntypes == 3 && x->content->types[2].declared);
    cell_expansion_free(x);
}

TEST(an_expansion_defines_no_name_of_the_declaration_again)
{
    static const char again[] = " is a name of the declaration: it is used, not defined again";
    static const struct {
        const char *json, *message;
    } bad[] = {
        {WITH("\"types\":[" POINT ",{\"name\":\"user\",\"kind\":\"list\",\"of\":\"i32\",\"size\":16,\"align\":8}]"),
         "types[1].name: 'user'"},
        {WITH("\"types\":[{\"name\":\"other\",\"kind\":\"enum\",\"type\":\"i32\",\"size\":4,\"align\":4,\"values\":["
              "{\"name\":\"FIRST\",\"value\":\"0\"},{\"name\":\"ADMIN\",\"value\":\"1\"}]}]"),
         "types[0].values[1].name: 'ADMIN'"},
        {WITH("\"constants\":[{\"name\":\"ADMIN\",\"type\":\"i8\",\"value\":\"1\"}]"), "constants[0].name: 'ADMIN'"},
        {WITH("\"methods\":[{\"name\":\"users\",\"params\":[]}]"), "methods[0].name: 'users'"},
        {WITH("\"methods\":[{\"name\":\"role\",\"params\":[]}]"), "methods[0].name: 'role'"},
    };
    struct declared d;
    declare(&d);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char message[256];
        struct cell_expansion *x = parse_with(&d.schema, bad[i].json);
        CHECK(!x && error.status == CELL_PROTOCOL_ERROR);
        snprintf(message, sizeof(message), "%s%s", bad[i].message, again);
        CHECK_STR(error.text, message);
        cell_expansion_free(x);
    }
}

TEST(limits_and_paths_count_the_documents_own_types)
{
    static const struct {
        const char *json, *message;
    } bad[] = {
        {WITH("\"types\":[" POINT "," POINT "]"), "types[1].name: 'point' is there twice"},
        {WITH("\"types\":[{\"name\":\"a\",\"kind\":\"struct\",\"size\":16,\"align\":8,\"fields\":["
              "{\"name\":\"u\",\"type\":\"user\",\"offset\":4}]}]"),
         "types[0].fields[0].offset: the offset is 4, but the layout gives 0"},
        {WITH("\"types\":[{\"name\":\"a\",\"kind\":\"struct\",\"size\":1048576,\"align\":8,\"fields\":["
              "{\"name\":\"u\",\"type\":\"user[65536]\",\"offset\":0},{\"name\":\"v\",\"type\":\"user\",\"offset\":"
              "1048576}]}]"),
         "types[0].size: the size of 1048592 bytes is more than 1048576"},
        {WITH("\"types\":[{\"name\":\"a\",\"kind\":\"list\",\"of\":\"users\",\"size\":16,\"align\":8}]"),
         "types[0].of: a list or an optional cannot be of an array, a list or an optional"},
        {WITH("\"methods\":[{\"name\":\"m\",\"params\":[" PARAM("r", "role", "\"dir\":\"in\"" BY_POINTER) "]}]"),
         "methods[0].params[0].type: no in parameter can point to 'role'"},
    };
    struct declared d;
    declare(&d);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct cell_expansion *x = parse_with(&d.schema, bad[i].json);
        CHECK(!x && error.status == CELL_PROTOCOL_ERROR);
        CHECK_STR(error.text, bad[i].message);
        cell_expansion_free(x);
    }
}

static void refuse_declared(struct declared *d, const char *message)
{
    struct cell_expansion *x = parse_with(&d->schema, "{\"expansion\":\"cell.expansion/1\"}");
    CHECK(!x && error.status == CELL_INVALID_ARGUMENT);
    CHECK_STR(error.text, message);
    cell_expansion_free(x);
}

TEST(types_of_the_declaration_are_checked_too)
{
    struct declared d;
    declare(&d);
    d.fields[1].type.named = &d.types[2];
    refuse_declared(&d, "declaration.types[1]: a type is used before it is defined");
    declare(&d);
    d.types[2].elem.named = &d.types[2];
    refuse_declared(&d, "declaration.types[2]: a type is used before it is defined");
    declare(&d);
    d.types[1].name = NULL;
    refuse_declared(&d, "declaration.types[1]: a name is missing");
    declare(&d);
    d.types[1].size = 24;
    refuse_declared(&d, "declaration.types[1].size: the size is 24, but the layout gives 16");
    declare(&d);
    d.types[2].name = "user";
    refuse_declared(&d, "declaration.types[2].name: 'user' is there twice");
}

#define REQUEST(declaration) "{\"annotation\":{\"verb\":\"table\"},\"declaration\":" declaration "}"
#define ROLE                                                                                                           \
    "{\"name\":\"role\",\"kind\":\"enum\",\"type\":\"u32\",\"size\":4,\"align\":4,"                                    \
    "\"values\":[{\"name\":\"PLAIN\",\"value\":\"0\"}]}"
#define USER                                                                                                           \
    "{\"name\":\"user\",\"kind\":\"struct\",\"size\":4,\"align\":4,\"fields\":["                                       \
    "{\"name\":\"r\",\"type\":\"role\",\"offset\":0,\"rules\":[{\"rule\":\"key\"}]}]}"

TEST(a_cell_learns_from_the_request_what_its_answer_may_use)
{
    static const struct {
        const char *json;
        uint32_t ntypes;
        const char *last;
    } good[] = {
        {REQUEST("{\"kind\":\"struct\",\"name\":\"user\",\"type\":" USER ",\"types\":[" ROLE "]}"), 2, "user"},
        {REQUEST("{\"kind\":\"enum\",\"name\":\"role\",\"type\":" ROLE ",\"types\":[]}"), 1, "role"},
        {REQUEST("{\"kind\":\"variable\",\"name\":\"v\",\"type\":\"user[2]\",\"types\":[" ROLE "," USER "]}"), 2,
         "user"},
        {REQUEST("{\"kind\":\"function\",\"name\":\"f\",\"method\":{},\"types\":[" ROLE "]}"), 1, "role"},
        {"{\"annotation\":{\"verb\":\"table\"}}", 0, NULL},
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct cell_schema *declared = NULL;
        REQUIRE(cell_request_declared(good[i].json, strlen(good[i].json), &declared, &error) == CELL_OK);
        REQUIRE(declared && declared->ntypes == good[i].ntypes);
        if (good[i].last)
            CHECK_STR(declared->types[declared->ntypes - 1].name, good[i].last);
        struct cell_expansion *x = parse_with(declared, "{\"expansion\":\"cell.expansion/1\"}");
        CHECK(x && x->content->ntypes == good[i].ntypes);
        cell_expansion_free(x);
        cell_schema_free(declared);
    }
}

TEST(a_bad_request_says_where)
{
    static const struct {
        const char *json, *message;
    } bad[] = {
        {"[]", "an object is expected, not an array"},
        {REQUEST("7"), "declaration: an object is expected, not an integer"},
        {REQUEST("{}"), "declaration.kind: missing"},
        {REQUEST("{\"kind\":\"struct\"}"), "declaration.type: missing"},
        {"{\"a\":1,\"a\":2}", NULL},
        {REQUEST("{\"kind\":\"struct\",\"type\":\"user\"}"), "declaration.type: an object is expected, not a string"},
        {REQUEST("{\"kind\":\"struct\",\"type\":" USER "}"), "declaration.type.fields[0].type: unknown type 'role'"},
        {REQUEST("{\"kind\":\"variable\",\"type\":\"user\",\"types\":[" USER "," ROLE "]}"),
         "declaration.types[0].fields[0].type: type 'role' is used before it is defined"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct cell_schema *declared = NULL;
        error = (struct cell_error){0};
        CHECK(cell_request_declared(bad[i].json, strlen(bad[i].json), &declared, &error) == CELL_PROTOCOL_ERROR);
        CHECK(!declared);
        if (bad[i].message)
            CHECK_STR(error.text, bad[i].message);
    }
    static const char large[] = REQUEST("{\"kind\":\"variable\",\"types\":[{\"name\":\"l\",\"kind\":\"list\",\"of\":"
                                        "\"i32\",\"size\":24,\"align\":8}]}");
    struct cell_schema *declared = NULL;
    CHECK(cell_request_declared(large, strlen(large), &declared, &error) == CELL_INVALID_ARGUMENT && !declared);
    CHECK_STR(error.text, "declaration.types[0].size: the size is 24, but the layout gives 16");
}

TEST(what_depends_on_others_declares_nothing)
{
    struct cell_expansion *x = parse("{\"expansion\":\"cell.expansion/1\",\"depends\":true}");
    REQUIRE(x);
    CHECK(x->depends);
    cell_expansion_free(x);
    x = parse("{\"expansion\":\"cell.expansion/1\"}");
    REQUIRE(x);
    CHECK(!x->depends);
    cell_expansion_free(x);
    CHECK(!parse("{\"expansion\":\"cell.expansion/1\",\"depends\":true,\"types\":[" POINT "],\"methods\":[" FIND "]}"));
    CHECK(strstr(error.text, "depends: an answer that depends on others declares nothing") != NULL);
    CHECK(!parse("{\"expansion\":\"cell.expansion/1\",\"depends\":1}"));
}
