/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Capabilities in schemas: read, written, refused, switched off, compared; and what programs are built for. */
#include "test.h"

#include "cell/client.h"
#include "core/diff.h"
#include "core/schema_impl.h"
#include "core/uses.h"
#include "schema_build.h"

#define WITH                                                                                                           \
    "capability facets ; capability vectors max=2048 metric=cosine ; struct hits u32:n ;"                              \
    "method auth_find str:q >hits*:out ; method auth_near ~vectors ?auth_find str:like >hits*:hits ;"                  \
    "method auth_count ~vectors ~facets u32:n ;"

static struct cell_error error;

static char *text_of(const struct cell_schema *s)
{
    struct cell_buffer b = {0};
    if (cell_schema_format(s, &b) < 0)
        exit(2);
    return b.data;
}

/* The document with `from`, which is in it once, replaced. */
static char *edited(const char *json, const char *from, const char *to)
{
    const char *at = strstr(json, from);
    struct cell_buffer b = {0};
    if (!at) {
        printf("  '%s' is not in %s\n", from, json);
        exit(2);
    }
    cell_buffer_append(&b, json, (size_t)(at - json));
    cell_buffer_puts(&b, to);
    cell_buffer_puts(&b, at + strlen(from));
    return b.data;
}

TEST(a_schema_with_capabilities_is_written_and_read_back)
{
    struct cell_schema *s = build_schema(WITH), *again = NULL;
    char *json = text_of(s);
    CHECK(strstr(json, "\"capabilities\":[{\"name\":\"facets\"},{\"name\":\"vectors\",\"params\":{\"max\":\"2048\","
                       "\"metric\":\"cosine\"}}]") != NULL);
    CHECK(strstr(json, "\"name\":\"auth_count\",\"needs\":[\"facets\",\"vectors\"],\"params\"") != NULL);
    CHECK(strstr(json, "{\"fallback\":\"auth_find\",\"name\":\"auth_near\",\"needs\":[\"vectors\"],") != NULL);
    REQUIRE(cell_schema_parse(json, strlen(json), &again, &error) == CELL_OK);
    CHECK_STR(again->fingerprint, s->fingerprint);
    CHECK(again->received == NULL && again->ncapabilities == 2);
    const struct schema_capability *c = cell_schema_capability(again, "vectors");
    REQUIRE(c && c->nparams == 2);
    CHECK(!c->absent && !c->doc);
    CHECK_STR(c->params[1].name, "metric");
    CHECK_STR(c->params[1].value, "cosine");
    CHECK(!cell_schema_capability(again, "vector"));
    free(json);
    cell_schema_free(again);
    cell_schema_free(s);
}

TEST(what_is_wrong_with_capabilities_is_said_with_its_path)
{
    static const struct {
        const char *from, *to, *message;
    } edits[] = {
        {"{\"name\":\"facets\"}", "{\"name\":\"zz\"}",
         "capabilities[1].name: 'vectors' after 'zz': capabilities are sorted by name"},
        {"{\"name\":\"facets\"}", "{\"name\":\"vectors\"}", "capabilities[1].name: 'vectors' is there twice"},
        {"{\"name\":\"facets\"}", "{\"name\":\"a__b\"}",
         "capabilities[0].name: 'a__b' has two underscores in a row, or one at its end"},
        {"{\"name\":\"facets\"}", "{\"name\":\"a_\"}",
         "capabilities[0].name: 'a_' has two underscores in a row, or one at its end"},
        {"{\"name\":\"facets\"}", "{\"name\":\"cell_x\"}", "capabilities[0].name: the name 'cell_x' is reserved"},
        {"{\"name\":\"facets\"}", "{}", "capabilities[0].name: missing"},
        {"[{\"name\":\"facets\"}", "7,\"x\":[{\"name\":\"facets\"}",
         "capabilities: an array is expected, not an integer"},
        {"{\"name\":\"facets\"}", "{\"absent\":1,\"name\":\"facets\"}",
         "capabilities[0].absent: true or false is expected, not an integer"},
        {"{\"name\":\"facets\"}", "{\"doc\":\"*/\",\"name\":\"facets\"}",
         "capabilities[0].doc: '*/' would end a comment"},
        {"\"2048\"", "2048", "capabilities[1].params.max: a string is expected, not an integer"},
        {"\"2048\"", "\"a\\u0007b\"",
         "capabilities[1].params.max: the text holds a control or bidirectional control character"},
        {"\"max\":", "\"m-x\":", "capabilities[1].params.m-x: 'm-x' is not an identifier"},
        {"{\"max\":\"2048\",\"metric\":\"cosine\"}", "[]",
         "capabilities[1].params: an object is expected, not an array"},
        {"[\"vectors\"]", "[\"vector\"]", "methods[2].needs[0]: there is no capability 'vector'"},
        {"[\"facets\",\"vectors\"]", "[\"vectors\",\"facets\"]",
         "methods[0].needs[1]: 'facets' after 'vectors': needs are sorted by name"},
        {"[\"facets\",\"vectors\"]", "[\"facets\",\"facets\"]", "methods[0].needs[1]: 'facets' is there twice"},
        {"\"fallback\":\"auth_find\"", "\"fallback\":\"auth_fin\"",
         "methods[2].fallback: there is no method 'auth_fin'"},
        {"\"fallback\":\"auth_find\"", "\"fallback\":\"auth_count\"",
         "methods[2].fallback: 'auth_count' needs a capability itself"},
        {"\"name\":\"auth_near\",\"needs\":[\"vectors\"],", "\"name\":\"auth_near\",",
         "methods[2].fallback: the method needs no capability"},
        {"\"name\":\"q\",\"type\":\"str\"", "\"name\":\"q\",\"type\":\"bytes\"",
         "methods[2].fallback: 'auth_find' has other parameters"},
    };
    struct cell_schema *s = build_schema(WITH);
    char *json = text_of(s);
    for (size_t i = 0; i < sizeof(edits) / sizeof(edits[0]); i++) {
        char *bad = edited(json, edits[i].from, edits[i].to);
        struct cell_schema *parsed = NULL;
        CHECK(cell_schema_parse(bad, strlen(bad), &parsed, &error) == CELL_PROTOCOL_ERROR);
        CHECK_STR(error.text, edits[i].message);
        cell_schema_free(parsed);
        free(bad);
    }
    free(json);
    cell_schema_free(s);
}

TEST(each_of_many_is_found)
{
    struct cell_schema *s = build_schema("capability e ; capability b y=1 x=2 a=3 ; capability g ; capability a ; "
                                         "capability d ; capability f ; capability c ; "
                                         "method auth_m ~f ~a ~d ~b u32:n ;");
    const struct schema_method *m = cell_schema_method(s, "auth_m");
    char name[2] = "a";
    CHECK(s->ncapabilities == 7);
    for (uint32_t i = 0; i < 7; i++, name[0]++) {
        CHECK_STR(s->capabilities[i].name, name);
        CHECK(cell_schema_capability(s, name) == &s->capabilities[i]);
    }
    CHECK(!cell_schema_capability(s, "h") && !cell_schema_capability(s, "") && !cell_schema_capability(s, "dd"));
    REQUIRE(s->capabilities[1].nparams == 3 && m && m->nneeds == 4);
    CHECK_STR(s->capabilities[1].params[0].name, "a");
    CHECK_STR(s->capabilities[1].params[2].value, "1");
    CHECK_STR(m->needs[0], "a");
    CHECK_STR(m->needs[3], "f");
    cell_schema_free(s);
}

/* Which no reader would let through. */
TEST(what_is_built_is_checked_as_well)
{
    struct schema_capability_param params[] = {{"max", "1"}, {"max", "2"}};
    struct schema_capability one = {.name = "vectors", .params = params, .nparams = 2};
    static const char *const messages[] = {"capabilities[0].params.max: it is there twice",
                                           "capabilities[0].params.max: missing"};
    for (int i = 0; i < 2; i++) {
        struct cell_schema *s = cell_schema_new();
        s->cell = "auth";
        s->capabilities = &one;
        s->ncapabilities = 1;
        CHECK(cell_schema_seal(s, &error) < 0);
        CHECK_STR(error.text, messages[i]);
        params[0].value = NULL;
        one.nparams = 1;
        s->capabilities = NULL;
        s->ncapabilities = 0;
        cell_schema_free(s);
    }
}

TEST(documentation_is_written_where_it_is_asked_for)
{
    struct cell_schema *s = build_schema(WITH), *again = NULL;
    char *json = text_of(s),
         *documented = edited(json, "{\"name\":\"facets\"}", "{\"doc\":\"Groups.\",\"name\":\"facets\"}");
    struct cell_buffer with = {0}, without = {0};
    REQUIRE(cell_schema_parse(documented, strlen(documented), &again, &error) == CELL_OK);
    CHECK_STR(again->capabilities[0].doc, "Groups.");
    cell_capabilities_put(again, true, &with);
    cell_capabilities_put(again, false, &without);
    CHECK(strstr(with.data, "{\"doc\":\"Groups.\",\"name\":\"facets\"}") && !strstr(without.data, "doc"));
    CHECK(strstr(without.data, "[{\"name\":\"facets\"},{\"name\":\"vectors\","));
    cell_buffer_free(&with);
    cell_buffer_free(&without);
    free(documented);
    free(json);
    cell_schema_free(again);
    cell_schema_free(s);
}

TEST(a_value_has_a_limit)
{
    struct cell_schema *s = build_schema(WITH), *parsed = NULL;
    char *json = text_of(s), value[1100];
    for (int extra = 0; extra < 2; extra++) {
        snprintf(value, sizeof(value), "\"%0*d\"", 1024 + extra, 0);
        char *long_one = edited(json, "\"2048\"", value);
        int r = cell_schema_parse(long_one, strlen(long_one), &parsed, &error);
        CHECK(r == (extra ? CELL_PROTOCOL_ERROR : CELL_OK));
        cell_schema_free(r == CELL_OK ? parsed : NULL);
        free(long_one);
    }
    CHECK_STR(error.text, "capabilities[1].params.max: the value is longer than 1024 bytes");
    free(json);
    cell_schema_free(s);
}

TEST(integers_are_told_from_texts)
{
    static const char *const integers[] = {"0", "7", "-7", "18446744073709551615", "-9223372036854775808"};
    static const char *const texts[] = {
        "", "-", "-0", "007", "+7", "7 ", "0x7", "1.5", "18446744073709551616", "-9223372036854775809"};
    for (size_t i = 0; i < sizeof(integers) / sizeof(integers[0]); i++)
        CHECK(cell_is_integer_text(integers[i]));
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        CHECK(!cell_is_integer_text(texts[i]));
}

TEST(a_schema_without_a_capability_says_so)
{
    struct cell_schema *s = build_schema(WITH);
    char whole[65];
    memcpy(whole, s->fingerprint, sizeof(whole));
    CHECK(cell_schema_lacks(s, cell_schema_method(s, "auth_near")) == NULL);
    REQUIRE(cell_schema_without(&s, "vectors", &error) == CELL_OK);
    CHECK(strcmp(s->fingerprint, whole) != 0);
    char *json = text_of(s);
    CHECK(strstr(json, "{\"absent\":true,\"name\":\"vectors\",\"params\":{\"max\":\"2048\"") != NULL);
    const struct schema_method *near = cell_schema_method(s, "auth_near"), *count = cell_schema_method(s, "auth_count");
    CHECK_STR(cell_schema_lacks(s, near), "vectors");
    CHECK(cell_schema_served(s, near) == cell_schema_method(s, "auth_find"));
    CHECK_STR(cell_schema_lacks(s, count), "vectors");
    CHECK(cell_schema_served(s, count) == NULL);
    struct cell_schema *again = NULL;
    REQUIRE(cell_schema_parse(json, strlen(json), &again, &error) == CELL_OK);
    CHECK_STR(again->fingerprint, s->fingerprint);
    free(json);
    cell_schema_free(again);

    CHECK(cell_schema_without(&s, "facets,vectors", &error) == CELL_OK);
    CHECK(s->capabilities[0].absent && s->capabilities[1].absent);
    CHECK(cell_schema_without(&s, "facets,vectrs", &error) == CELL_NOT_FOUND);
    CHECK_STR(error.text, "it declares no capability 'vectrs'");
    CHECK(cell_schema_without(&s, "facets,,vectors", &error) == CELL_NOT_FOUND);
    char longest[160];
    memset(longest, 'x', sizeof(longest));
    for (size_t len = 126; len < 130; len++) {
        longest[len] = '\0';
        CHECK(cell_schema_without(&s, longest, &error) == CELL_NOT_FOUND);
        longest[len] = 'x';
    }
    CHECK(cell_schema_without(&s, "", &error) == CELL_OK);
    CHECK(s->capabilities[0].absent);
    cell_schema_free(s);
}

/* What this version does not know would be lost. */
TEST(a_document_with_unknown_members_keeps_its_capabilities)
{
    struct cell_schema *s = build_schema(WITH), *odd = NULL;
    char *json = text_of(s), *more = edited(json, "{\"name\":\"facets\"}", "{\"later\":1,\"name\":\"facets\"}");
    REQUIRE(cell_schema_parse(more, strlen(more), &odd, &error) == CELL_OK);
    CHECK(cell_schema_without(&odd, "facets", &error) == CELL_FAILED_PRECONDITION);
    CHECK(!odd->capabilities[0].absent);
    free(more);
    free(json);
    cell_schema_free(odd);
    cell_schema_free(s);
}

static const struct diff_change *change(const struct cell_diff *d, enum diff_rule rule)
{
    for (uint32_t i = 0; i < d->n; i++)
        if (d->changes[i].rule == rule)
            return &d->changes[i];
    return NULL;
}

static void check_change(const char *before, const char *after, enum diff_rule rule, unsigned breaks,
                         const char *sentence)
{
    struct cell_schema *a = build_schema(before), *b = build_schema(after);
    struct cell_diff *d = NULL;
    REQUIRE(cell_diff_new(a, b, &d, &error) == CELL_OK);
    const struct diff_change *c = change(d, rule);
    CHECK(c != NULL);
    if (c) {
        CHECK(c->breaks == breaks);
        CHECK_STR(c->sentence, sentence);
    }
    CHECK(!(d->breaks & DIFF_WIRE));
    cell_diff_free(d);
    cell_schema_free(a);
    cell_schema_free(b);
}

TEST(changes_of_capabilities_have_their_class_and_sentence)
{
    check_change("capability v ;", "capability! v ;", DIFF_CAPABILITY_LOST, DIFF_SOURCE, "Auth Cell no longer has 'v'");
    check_change("capability! v ;", "capability v ;", DIFF_CAPABILITY_GAINED, 0, "Auth Cell has 'v' now");
    check_change("capability v ;", "", DIFF_CAPABILITY_REMOVED, DIFF_SOURCE,
                 "Capability 'v' no longer exists in Auth Cell");
    check_change("", "capability v ;", DIFF_CAPABILITY_ADDED, 0, "Capability 'v' is new in Auth Cell");
    check_change("capability v a=1 ;", "capability v a=2 ;", DIFF_CAPABILITY_PARAM_CHANGED, DIFF_SOURCE,
                 "Parameter 'a' of 'v' changed from '1' to '2' in Auth Cell");
    check_change("capability v a=1 ;", "capability v ;", DIFF_CAPABILITY_PARAM_REMOVED, DIFF_SOURCE,
                 "Parameter 'a' of 'v' no longer exists in Auth Cell");
    check_change("capability v ;", "capability v a=1 ;", DIFF_CAPABILITY_PARAM_ADDED, 0,
                 "Parameter 'a' of 'v' is new in Auth Cell");
}

#define FIND "method auth_find u32:n ; "

TEST(what_a_method_needs_is_compared)
{
    check_change("capability v ; method auth_m u32:n ;", "capability v ; method auth_m ~v u32:n ;", DIFF_NEEDS_CHANGED,
                 0, "Method 'auth_m' needed nothing and needs 'v' now in Auth Cell");
    /* Nobody can call it any more. */
    check_change("capability! v ; method auth_m u32:n ;", "capability! v ; method auth_m ~v u32:n ;",
                 DIFF_NEEDS_CHANGED, DIFF_SOURCE, "Method 'auth_m' needed nothing and needs 'v' now in Auth Cell");
    check_change("capability! v ; " FIND "method auth_m u32:n ;",
                 "capability! v ; " FIND "method auth_m ~v ?auth_find u32:n ;", DIFF_NEEDS_CHANGED, 0,
                 "Method 'auth_m' needed nothing and needs 'v' now in Auth Cell");
    check_change("capability! v ; " FIND "method auth_m ~v ?auth_find u32:n ;",
                 "capability! v ; " FIND "method auth_m ~v u32:n ;", DIFF_FALLBACK_CHANGED, DIFF_SOURCE,
                 "The fallback of 'auth_m' changed from 'auth_find' to 'none' in Auth Cell");
}

/* ---- programs ---- */

static void use(struct cell_uses *u, const char *fingerprint, enum use_kind kind, const char *name, uint32_t line)
{
    const struct use one = {"auth", fingerprint, kind, name, "a.c", line};
    if (cell_uses_add(u, &one) < 0)
        exit(2);
}

/* What becomes of a program with one use, when the cell loses `vectors`: "-", or "compile", "running" or both. */
static void check_loss(enum use_kind kind, const char *name, const char *after, const char *expected)
{
    struct cell_schema *a = build_schema(WITH), *b = build_schema(after);
    struct cell_uses u = {.n = 0};
    struct cell_arena arena = {0};
    struct cell_diff *d = NULL;
    struct use_break *breaks;
    uint32_t n;
    char found[64] = "";
    use(&u, a->fingerprint, kind, name, 3);
    REQUIRE(cell_diff_new(a, b, &d, &error) == CELL_OK);
    REQUIRE(cell_uses_check(&u, "auth", a->fingerprint, d, a, &arena, &breaks, &n) == CELL_OK);
    for (uint32_t i = 0; i < n; i++)
        snprintf(found + strlen(found), sizeof(found) - strlen(found), "%s%s%s", breaks[i].compile ? "compile " : "",
                 breaks[i].running ? "running " : "", breaks[i].compile || breaks[i].running ? "" : "noticed ");
    CHECK_STR(found, expected);
    free(u.uses);
    cell_arena_free(&u.arena);
    cell_arena_free(&arena);
    cell_diff_free(d);
    cell_schema_free(a);
    cell_schema_free(b);
}

TEST(who_was_built_for_a_capability_notices_that_it_is_gone)
{
    static const char lost[] = "capability facets ; capability! vectors max=2048 metric=cosine ; struct hits u32:n ;"
                               "method auth_find str:q >hits*:out ;"
                               "method auth_near ~vectors ?auth_find str:like >hits*:hits ;"
                               "method auth_count ~vectors ~facets u32:n ;";
    check_loss(USE_CAPABILITY, "vectors", lost, "running ");
    check_loss(USE_CAPABILITY, "vectors.max", lost, "running ");
    check_loss(USE_REQUIREMENT, "vectors", lost, "compile running ");
    check_loss(USE_METHOD, "auth_near", lost, "running "); /* it compiles to its fallback */
    check_loss(USE_METHOD, "auth_near_async", lost, "running ");
    check_loss(USE_METHOD, "auth_count", lost, "compile running ");
    check_loss(USE_METHOD, "auth_find", lost, "");
    check_loss(USE_CAPABILITY, "facets", lost, "");
    static const char other[] = "capability facets ; capability vectors max=1024 metric=cosine ; struct hits u32:n ;"
                                "method auth_find str:q >hits*:out ;"
                                "method auth_near ~vectors ?auth_find str:like >hits*:hits ;"
                                "method auth_count ~vectors ~facets u32:n ;";
    check_loss(USE_CAPABILITY, "vectors.max", other, "noticed ");
    check_loss(USE_CAPABILITY, "vectors.metric", other, "");
    check_loss(USE_CAPABILITY, "vectors", other, "");
}

TEST(descriptors_name_what_a_unit_was_built_for)
{
    const char *names = "facets,vectors";
    const struct cell_service service = {CELL_DESC_ABI, 0, "auth", "", NULL, NULL, &names};
    struct cell_schema *s = NULL;
    REQUIRE(cell_schema_from_service(&service, &s, &error) == CELL_OK);
    REQUIRE(s->ncapabilities == 2);
    CHECK_STR(s->capabilities[0].name, "facets");
    CHECK_STR(s->capabilities[1].name, "vectors");
    cell_schema_free(s);
    names = NULL;
    REQUIRE(cell_schema_from_service(&service, &s, &error) == CELL_OK);
    CHECK(s->ncapabilities == 0);
    cell_schema_free(s);
    names = "a,,b";
    CHECK(cell_schema_from_service(&service, &s, &error) == CELL_INVALID_ARGUMENT);
    names = "b,b";
    CHECK(cell_schema_from_service(&service, &s, &error) == CELL_INVALID_ARGUMENT);
}

TEST(an_expansion_lists_what_its_methods_need)
{
    static const char good[] =
        "{\"expansion\":\"cell.expansion/1\",\"capabilities\":[{\"absent\":true,\"name\":\"v\"}],\"methods\":["
        "{\"binding\":\"f\",\"name\":\"row_find\",\"params\":[]},"
        "{\"binding\":\"n\",\"fallback\":\"row_find\",\"name\":\"row_near\",\"needs\":[\"v\"],\"params\":[]}]}";
    struct cell_expansion *x = NULL;
    REQUIRE(cell_expansion_parse(good, strlen(good), NULL, &x, &error) == CELL_OK);
    const struct schema_method *near = cell_schema_method(x->content, "row_near");
    REQUIRE(near);
    CHECK_STR(cell_schema_lacks(x->content, near), "v");
    CHECK(cell_schema_served(x->content, near) == cell_schema_method(x->content, "row_find"));
    cell_expansion_free(x);
    char *bad = edited(good, "{\"absent\":true,\"name\":\"v\"}", "");
    CHECK(cell_expansion_parse(bad, strlen(bad), NULL, &x, &error) == CELL_PROTOCOL_ERROR);
    CHECK_STR(error.text, "methods[1].needs[0]: there is no capability 'v'");
    free(bad);
}
