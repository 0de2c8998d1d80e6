/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Bindings, and parameters that go in and come out, in documents, descriptors and differences. */
#include "test.h"

#include "base/util.h"
#include "core/diff.h"
#include "wire/limits.h"

static struct cell_error error;

#define ROW                                                                                                            \
    "{\"align\":8,\"fields\":[{\"name\":\"id\",\"offset\":0,\"type\":\"u64\"},"                                        \
    "{\"name\":\"name\",\"offset\":8,\"type\":\"str\"}],\"kind\":\"struct\",\"name\":\"row\",\"size\":24}"
#define IN(name, type) "{\"dir\":\"in\",\"name\":\"" name "\",\"type\":\"" type "\"}"
#define POINTER(dir, name, type) "{\"dir\":\"" dir "\",\"name\":\"" name "\",\"pointer\":true,\"type\":\"" type "\"}"
#define METHOD(binding, params) "{" binding "\"name\":\"row_put\",\"params\":[" params "]}"
/* In canonical form. */
#define DOCUMENT(methods)                                                                                              \
    "{\"abi\":\"lp64-le\",\"capabilities\":[],\"cell\":\"db\",\"constants\":[],\"functions\":[],\"methods\":[" methods \
    "],\"schema\":\"cell.schema/1\",\"streams\":[],\"types\":[" ROW "],\"verbs\":[]}"
#define BOUND "\"binding\":\"put \\\"row\\\" \xc3\xa9\\n\","
#define FULL                                                                                                           \
    DOCUMENT(METHOD(BOUND, IN("a", "u32") "," POINTER("out", "first", "row") "," POINTER(                              \
                               "inout", "row", "row") "," IN("b", "u8") "," POINTER("out", "last", "row")))

static struct cell_schema *parse_client(const char *json)
{
    struct cell_schema *s = NULL;
    error = (struct cell_error){0};
    int r = cell_schema_parse_client(json, strlen(json), &s, &error);
    CHECK((r == CELL_OK) == (s != NULL) && error.status == r);
    return s;
}

static void check_refused(const char *json, const char *text)
{
    struct cell_schema *s = parse_client(json);
    CHECK(!s && error.status == CELL_PROTOCOL_ERROR);
    CHECK_STR(error.text, text);
    cell_schema_free(s);
}

/* ---- documents ---- */

TEST(a_clients_schema_is_written_as_it_was_read)
{
    struct cell_schema *s = parse_client(FULL);
    struct cell_buffer out = {0};
    char hex[65];
    REQUIRE(s);
    const struct schema_method *m = s->methods;
    CHECK_STR(m->binding, "put \"row\" \xc3\xa9\n");
    CHECK(m->nparams == 5 && m->params[2].inout && m->params[2].out && m->params[2].by_pointer);
    CHECK(!m->params[1].inout && !m->params[3].inout);
    CHECK(m->params[0].offset == 0 && m->params[2].offset == 8 && m->params[3].offset == 24 && m->in_size == 32);
    CHECK(!s->received && cell_schema_format(s, &out) == CELL_OK);
    CHECK_STR(out.data, FULL);
    cell_sha256_hex(FULL, strlen(FULL), hex);
    CHECK_STR(s->fingerprint, hex);
    cell_buffer_free(&out);
    cell_schema_free(s);
}

TEST(a_binding_is_a_part_of_the_methods_fingerprint)
{
    struct cell_schema *a = parse_client(DOCUMENT(METHOD("\"binding\":\"x\",", "")));
    struct cell_schema *b = parse_client(DOCUMENT(METHOD("\"binding\":\"y\",", "")));
    struct cell_schema *none = parse_client(DOCUMENT(METHOD("", "")));
    REQUIRE(a && b && none);
    CHECK(strcmp(a->methods->fingerprint, b->methods->fingerprint) != 0);
    CHECK(strcmp(a->methods->fingerprint, none->methods->fingerprint) != 0);
    CHECK(!none->methods->binding);
    cell_schema_free(a);
    cell_schema_free(b);
    cell_schema_free(none);
}

TEST(a_cells_own_schema_has_no_bindings)
{
    struct cell_schema *s = NULL;
    error = (struct cell_error){0};
    CHECK(cell_schema_parse(FULL, strlen(FULL), &s, &error) == CELL_PROTOCOL_ERROR && !s);
    CHECK_STR(error.text, "methods[0].binding: a cell's own method has no binding");
}

TEST(bindings_have_bounds)
{
    size_t size = CELL_MAX_BINDING + 1000;
    char *text = malloc(size), *json = malloc(size);
    memset(text, 'x', CELL_MAX_BINDING);
    text[CELL_MAX_BINDING] = '\0';
    snprintf(json, size, DOCUMENT(METHOD("\"binding\":\"%s\",", "")), text);
    struct cell_schema *s = parse_client(json);
    CHECK(s && strlen(s->methods->binding) == CELL_MAX_BINDING);
    cell_schema_free(s);
    strcat(text, "x");
    snprintf(json, size, DOCUMENT(METHOD("\"binding\":\"%s\",", "")), text);
    check_refused(json, "methods[0].binding: a binding has 1 to 65536 bytes, not 65537");
    check_refused(DOCUMENT(METHOD("\"binding\":\"\",", "")),
                  "methods[0].binding: a binding has 1 to 65536 bytes, not 0");
    check_refused(DOCUMENT(METHOD("\"binding\":{},", "")), "methods[0].binding: a string is expected, not an object");
    free(text);
    free(json);
}

TEST(what_goes_in_and_comes_out_is_one_struct_of_a_bound_method)
{
    static const struct {
        const char *json, *text;
    } bad[] = {
        {DOCUMENT(METHOD("", POINTER("inout", "row", "row"))),
         "methods[0].params[0].dir: only a method with a binding has \"inout\" parameters"},
        {DOCUMENT(METHOD(BOUND, "{\"dir\":\"inout\",\"name\":\"row\",\"type\":\"row\"}")),
         "methods[0].params[0].pointer: an out parameter is a pointer"},
        {DOCUMENT(METHOD(BOUND, POINTER("inout", "row", "str"))),
         "methods[0].params[0].type: an inout parameter points to one struct"},
        {DOCUMENT(METHOD(BOUND, POINTER("inout", "row", "row[2]"))),
         "methods[0].params[0].type: an inout parameter points to one struct"},
        {DOCUMENT(METHOD(BOUND, "{\"dir\":\"inout\",\"name\":\"row\",\"stream\":true,\"type\":\"row\"}")),
         "methods[0].params[0].dir: a stream has one direction"},
        {DOCUMENT(METHOD(BOUND, POINTER("inward", "row", "row"))),
         "methods[0].params[0].dir: \"in\", \"out\" or \"inout\" is expected, not 'inward'"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        check_refused(bad[i].json, bad[i].text);
}

TEST(an_expansion_has_bindings)
{
    static const char json[] = "{\"expansion\":\"cell.expansion/1\",\"types\":[" ROW
                               "],\"methods\":[" METHOD(BOUND, POINTER("inout", "row", "row")) "]}";
    struct cell_expansion *x = NULL;
    CHECK(cell_expansion_parse(json, strlen(json), NULL, &x, NULL) == CELL_OK);
    REQUIRE(x);
    CHECK(x->content->methods->binding && x->content->methods->params->inout);
    cell_expansion_free(x);
}

/* ---- descriptors ---- */

TEST(descriptors_have_such_a_parameter_in_both_directions)
{
    struct cell_schema *s = parse_client(FULL), *back = NULL;
    const struct cell_method *m = NULL;
    struct cell_buffer out = {0};
    error = (struct cell_error){0};
    REQUIRE(s && cell_schema_describe(s, &m, &error) == CELL_OK);
    CHECK_STR(m->binding, s->methods->binding);
    REQUIRE(m->nin == 3 && m->nout == 3 && !m->stream && m->in_size == 32);
    CHECK_STR(m->in[1].name, "row");
    CHECK(m->in[1].flags == CELL_FIELD_REF && m->in[1].offset == 8);
    CHECK_STR(m->out[1].name, "row");
    CHECK(m->out[1].flags == (CELL_FIELD_REF | CELL_FIELD_OUT) && m->out[1].offset == 16);
    CHECK(m->in[1].type == m->out[1].type);
    CHECK_STR(m->out[2].name, "last");

    const struct cell_service service = {CELL_DESC_ABI, 1, "db", s->fingerprint, m, NULL, NULL};
    CHECK(cell_schema_from_service(&service, &back, &error) == CELL_OK);
    CHECK_STR(error.text, "");
    REQUIRE(back);
    CHECK(cell_schema_format(back, &out) == CELL_OK);
    CHECK_STR(out.data, FULL); /* also the order: `first` comes before `row` in the reply */
    cell_buffer_free(&out);
    cell_schema_free(back);
    cell_schema_free(s);
}

TEST(a_stream_of_a_bound_method_comes_back)
{
#define STREAM "{\"dir\":\"in\",\"name\":\"rows\",\"stream\":true,\"type\":\"row\"}"
    static const char json[] = DOCUMENT(METHOD(BOUND, POINTER("inout", "row", "row") "," STREAM));
    struct cell_schema *s = parse_client(json), *back = NULL;
    const struct cell_method *m = NULL;
    struct cell_buffer out = {0};
    REQUIRE(s && cell_schema_describe(s, &m, NULL) == CELL_OK);
    CHECK(m->nin == 1 && m->nout == 1 && m->flags == CELL_METHOD_WRITES);
    CHECK_STR(m->stream->name, "rows");
    const struct cell_service service = {CELL_DESC_ABI, 1, "db", s->fingerprint, m, NULL, NULL};
    REQUIRE(cell_schema_from_service(&service, &back, NULL) == CELL_OK && cell_schema_format(back, &out) == CELL_OK);
    CHECK_STR(out.data, json);
    cell_buffer_free(&out);
    cell_schema_free(back);
    cell_schema_free(s);
}

static void refuse_service(const struct cell_method *m, const char *text)
{
    struct cell_schema *s = NULL;
    const struct cell_service service = {CELL_DESC_ABI, 1, "db", "", m, NULL, NULL};
    error = (struct cell_error){0};
    CHECK(cell_schema_from_service(&service, &s, &error) == CELL_INVALID_ARGUMENT && !s);
    CHECK_STR(error.text, text);
    cell_schema_free(s);
}

TEST(descriptors_that_do_not_fit_together_are_refused)
{
    static const struct cell_field value[] = {{"x", &cell_type_u64, 0, 0, 0, 0}};
    static const struct cell_type row = {"row", CELL_KIND_STRUCT, 8, 8, 1, value, NULL};
    static const struct cell_type other = {"other", CELL_KIND_STRUCT, 8, 8, 1, value, NULL};
    struct cell_field in[] = {{"a", &row, 0, 0, CELL_FIELD_REF, 0}, {"b", &row, 16, 0, CELL_FIELD_REF, 0}};
    struct cell_field out[] = {{"a", &row, 0, 0, CELL_FIELD_REF | CELL_FIELD_OUT, 0},
                               {"b", &row, 16, 0, CELL_FIELD_REF | CELL_FIELD_OUT, 0}};
    struct cell_method m = {"row_put", in, out, 2, 2, 32, 0, NULL, NULL, "x"};
    struct cell_schema *s = NULL;
    const struct cell_service service = {CELL_DESC_ABI, 1, "db", "", &m, NULL, NULL};
    CHECK(cell_schema_from_service(&service, &s, NULL) == CELL_OK && s->methods->nparams == 2);
    cell_schema_free(s);

    out[0].name = "b";
    out[1].name = "a";
    refuse_service(&m, "method 'row_put': what goes in as 'b' is not what comes out");
    out[0].name = "a";
    out[1].name = "b";
    out[1].type = &other;
    refuse_service(&m, "method 'row_put': what goes in as 'b' is not what comes out");
    out[1].type = &row;
    out[1].count = 2;
    refuse_service(&m, "method 'row_put': what goes in as 'b' is not what comes out");
    out[1].count = 0;
    in[1].flags = 0;
    m.in_size = 24;
    refuse_service(&m, "method 'row_put': what goes in as 'b' is not what comes out");
    in[1].flags = CELL_FIELD_REF;
    m.in_size = 32;
    m.binding = NULL;
    refuse_service(&m, "methods[0].params[2].name: 'a' is there twice");
    m.binding = "";
    refuse_service(&m, "methods[0].binding: a binding has 1 to 65536 bytes, not 0");
    m.binding = "\xff";
    refuse_service(&m, "methods[0].binding: it is not UTF-8");
}

/* ---- differences ---- */

static void check_diff(const char *before, const char *after, const char *sentence, unsigned breaks)
{
    struct cell_schema *a = parse_client(before), *b = parse_client(after);
    struct cell_diff *d = NULL;
    REQUIRE(a && b && cell_diff_new(a, b, &d, NULL) == CELL_OK);
    CHECK(d->n == (sentence ? 1u : 0u) && d->breaks == breaks);
    if (sentence && d->n)
        CHECK_STR(d->changes[0].sentence, sentence);
    cell_diff_free(d);
    cell_schema_free(a);
    cell_schema_free(b);
}

TEST(differences_of_bindings_and_directions_are_named)
{
    static const char x[] = DOCUMENT(METHOD("\"binding\":\"x\",", POINTER("inout", "row", "row")));
    static const char y[] = DOCUMENT(METHOD("\"binding\":\"y\",", POINTER("inout", "row", "row")));
    static const char out[] = DOCUMENT(METHOD("\"binding\":\"x\",", POINTER("out", "row", "row")));
    static const char in[] = DOCUMENT(METHOD("\"binding\":\"x\",", POINTER("in", "row", "row")));
    check_diff(x, x, NULL, 0);
    check_diff(x, y, "The binding of 'row_put' changed in Db Cell", 0);
    check_diff(x, out, "Parameter 'row' of 'row_put' changed from 'inout row *' to 'out row *' in Db Cell",
               DIFF_SOURCE | DIFF_WIRE);
    check_diff(in, x, "Parameter 'row' of 'row_put' changed from 'row *' to 'inout row *' in Db Cell",
               DIFF_SOURCE | DIFF_WIRE);
}
