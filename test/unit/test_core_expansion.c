/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "test.h"

#include "base/util.h"
#include "core/schema.h"

static struct cell_error error;

static struct cell_expansion *parse(const char *json)
{
    struct cell_expansion *x = NULL;
    error = (struct cell_error){0};
    int r = cell_expansion_parse(json, strlen(json), &x, &error);
    CHECK((r == CELL_OK) == (x != NULL) && error.status == r);
    return x;
}

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
    CHECK_STR(x->diagnostics[0].field, "agee");
    CHECK(!x->diagnostics[1].field);
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
         "constants[0].name: 'point' is there twice: types, constants, enumerators and methods share one scope"},
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
