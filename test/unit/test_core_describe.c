/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Schemas to descriptors and back, and what is refused on the way back. */
#include "test.h"

#include "message_random.h"
#include "rich_message.h"
#include "schema_random.h"
#include "wire/limits.h"

static char fingerprint[] = "0000000000000000000000000000000000000000000000000000000000000000";

static struct cell_service service_of(const struct cell_method *methods, uint32_t n)
{
    return (struct cell_service){CELL_DESC_ABI, n, "auth", fingerprint, methods, NULL, NULL};
}

static const char rich_text[] =
    "struct point_type i16:x i16:y f32:z ; list point_list_type point_type ; enum level u8 LEVEL_TOP=255 ;"
    "struct padded_type u8:a i64:b level:level bool:c ; list padded_list_type padded_type ;"
    "opt padded_opt_type padded_type ; struct tag_type str:key bytes:value opt<str>:note ;"
    "list tag_list_type tag_type ; enum color i32 COLOR_RED=0 COLOR_NONE=-1 ;"
    "struct account_type i64:id str:email tag_list_type:tags point_list_type:track point_type[2]:corners"
    "  tag_type[2]:main_tags padded_opt_type:limits opt<i32>:age opt<f64>:score list<bool>:flags color:color"
    "  bool[3]:bits ;"
    "list account_list_type account_type ;"
    "method! auth_rich bool:yes i8:i8 u8:u8 i16:i16 u16:u16 i32:i32 u32:u32 i64:i64 u64:u64 f32:f32 f64:f64 color:color"
    "  str:text bytes:data list<i64>:numbers list<u8>:octets list<str>:words opt<bool>:maybe opt<bytes>:blob"
    "  account_list_type:accounts padded_list_type:pads account_type*:account u8[16]*:key tag_type[2]*:tags"
    "  >account_type*:first >u8[4]*:salt ;"
    "method auth_empty ;";

/* As rich_text says, but for the recursive parameter at the end. */
#define RICH_PARAMS (COUNT(rich_fields) - 1)

static void check_type(const struct cell_type *t, const struct cell_type *wanted);

static void check_field(const struct cell_field *f, const struct cell_field *wanted)
{
    CHECK_STR(f->name, wanted->name);
    CHECK(f->offset == wanted->offset && f->count == wanted->count && f->flags == wanted->flags && !f->rules);
    CHECK(!f->type == !wanted->type); /* enumerators have none */
    if (f->type && wanted->type)
        check_type(f->type, wanted->type);
}

static void check_type(const struct cell_type *t, const struct cell_type *wanted)
{
    CHECK_STR(t->name, wanted->name);
    CHECK(t->kind == wanted->kind && t->size == wanted->size && t->align == wanted->align);
    CHECK(t->nfields == wanted->nfields && !t->elem == !wanted->elem);
    for (uint32_t i = 0; i < t->nfields && t->nfields == wanted->nfields; i++)
        check_field(&t->fields[i], &wanted->fields[i]);
    if (t->elem && wanted->elem)
        check_type(t->elem, wanted->elem);
}

TEST(descriptors_of_a_schema_are_those_written_by_hand)
{
    struct cell_schema *s = build_schema(rich_text);
    const struct cell_method *methods = NULL;
    struct cell_error e = {0};
    REQUIRE(cell_schema_describe(s, &methods, &e) == CELL_OK);
    const struct cell_method *m = &methods[1];
    CHECK_STR(methods[0].name, "auth_empty");
    CHECK(methods[0].nin == 0 && methods[0].nout == 0 && methods[0].in_size == 0 && methods[0].flags == 0);
    CHECK_STR(m->name, "auth_rich");
    CHECK(m->flags == CELL_METHOD_IDEMPOTENT && m->invoke == NULL);
    CHECK(m->in_size == offsetof(struct rich_request, tree));
    REQUIRE(m->nin == RICH_PARAMS && m->nout == 2);
    for (uint32_t i = 0; i < m->nin; i++)
        check_field(&m->in[i], &rich_fields[i]);
    CHECK_STR(m->out[0].name, "first");
    CHECK(m->out[0].offset == 0 && m->out[0].flags == (CELL_FIELD_REF | CELL_FIELD_OUT) && m->out[0].count == 0);
    CHECK(m->out[1].offset == 16 && m->out[1].count == 4 && m->out[1].type == &cell_type_u8);
    CHECK(m->out[0].type == m->in[RICH_PARAMS - 3].type); /* one descriptor a type */
    CHECK(m->out[0].type->fields[1].type == &cell_type_str);
    CHECK(m->in[RICH_PARAMS - 5].type->elem == m->out[0].type);
    cell_schema_free(s);
}

TEST(built_in_types_are_the_library_s_own)
{
#define USE(suffix, T) " " #suffix ":a_" #suffix " list<" #suffix ">:b_" #suffix " opt<" #suffix ">:c_" #suffix
    struct cell_schema *s = build_schema("method auth_m " CELL_SCALAR_MAP(USE) " ;");
#undef USE
    const struct cell_method *m = NULL;
    static const struct cell_type *const wanted[] = {
#define WANT(suffix, T) &cell_type_##suffix, &cell_type_list_##suffix, &cell_type_opt_##suffix,
        CELL_SCALAR_MAP(WANT)
#undef WANT
    };
    REQUIRE(cell_schema_describe(s, &m, NULL) == CELL_OK && m->nin == COUNT(wanted));
    for (uint32_t i = 0; i < m->nin; i++)
        CHECK(m->in[i].type == wanted[i]);
    cell_schema_free(s);
}

static void check_fingerprints(const struct cell_schema *s, const struct cell_schema *back)
{
    REQUIRE(s->nmethods == back->nmethods);
    for (uint32_t i = 0; i < s->nmethods; i++) {
        CHECK_STR(back->methods[i].name, s->methods[i].name);
        CHECK_STR(back->methods[i].fingerprint, s->methods[i].fingerprint);
        CHECK(back->methods[i].in_size == s->methods[i].in_size);
    }
    for (uint32_t i = 0; i < back->ntypes; i++) {
        const struct schema_type *t = cell_schema_type(s, back->types[i].name);
        REQUIRE(t != NULL);
        CHECK_STR(back->types[i].fingerprint, t->fingerprint);
    }
}

TEST(schema_comes_back_from_its_descriptors)
{
    struct cell_schema *s = build_schema(rich_text), *back = NULL;
    const struct cell_method *methods = NULL;
    struct cell_error e = {0};
    REQUIRE(cell_schema_describe(s, &methods, &e) == CELL_OK);
    struct cell_service service = service_of(methods, s->nmethods);
    REQUIRE(cell_schema_from_service(&service, &back, &e) == CELL_OK);
    CHECK_STR(back->cell, "auth");
    CHECK(back->ntypes == s->ntypes && back->nconstants == 0 && back->nverbs == 0);
    check_fingerprints(s, back);
    cell_schema_free(s); /* it must not need the descriptors */
    struct cell_buffer json = {0};
    CHECK(cell_schema_format(back, &json) == CELL_OK && strstr(json.data, "\"auth_rich\""));
    cell_buffer_free(&json);
    cell_schema_free(back);
}

/* Descriptors do not tell the order of ins and outs among each other: ins first. */
static void sort_params(struct model_item *m)
{
    struct model_part sorted[MODEL_PARTS];
    unsigned n = 0;
    for (unsigned i = 0; i < 2 * m->n; i++)
        if (m->parts[i % m->n].out == (i >= m->n))
            sorted[n++] = m->parts[i % m->n];
    memcpy(m->parts, sorted, n * sizeof(sorted[0]));
}

static void check_methods(const struct cell_method *a, const struct cell_method *b, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        CHECK_STR(b[i].name, a[i].name);
        REQUIRE(a[i].nin == b[i].nin && a[i].nout == b[i].nout);
        CHECK(a[i].in_size == b[i].in_size && a[i].flags == b[i].flags);
        for (uint32_t k = 0; k < a[i].nin; k++)
            check_field(&b[i].in[k], &a[i].in[k]);
        for (uint32_t k = 0; k < a[i].nout; k++)
            check_field(&b[i].out[k], &a[i].out[k]);
    }
}

TEST(random_schemas_come_back_from_their_descriptors)
{
    static struct model m;
    for (unsigned seed = 1; seed <= 300; seed++) {
        model_new(&m, seed);
        for (unsigned i = 0; i < m.nmethods; i++)
            sort_params(&m.methods[i]);
        struct cell_schema *s = model_build(&m), *back = NULL, *again = NULL;
        const struct cell_method *methods = NULL, *back_methods = NULL;
        REQUIRE(cell_schema_describe(s, &methods, NULL) == CELL_OK);
        struct cell_service service = service_of(methods, s->nmethods);
        REQUIRE(cell_schema_from_service(&service, &back, NULL) == CELL_OK);
        REQUIRE(cell_schema_describe(back, &back_methods, NULL) == CELL_OK);
        REQUIRE(back->nmethods == s->nmethods);
        check_methods(methods, back_methods, s->nmethods);
        service.methods = back_methods;
        REQUIRE(cell_schema_from_service(&service, &again, NULL) == CELL_OK);
        CHECK_STR(again->fingerprint, back->fingerprint);
        check_fingerprints(back, again);
        cell_schema_free(s);
        cell_schema_free(back);
        cell_schema_free(again);
    }
}

TEST(placeholders_of_enumerators_have_free_names)
{
    const struct cell_field value = {"unnamed_4", NULL, 0, 0, 0, 0};
    const struct cell_type types[] = {{"unnamed_0", CELL_KIND_ENUM, 4, 4, 0, NULL, &cell_type_i32},
                                      {"auth_b", CELL_KIND_ENUM, 1, 1, 0, NULL, &cell_type_u8},
                                      {"auth_c", CELL_KIND_ENUM, 4, 4, 1, &value, &cell_type_i32},
                                      {"auth_d", CELL_KIND_ENUM, 4, 4, 0, NULL, &cell_type_i32}};
    const struct cell_field params[] = {{"x", &types[0], 0, 0, 0, 0},
                                        {"y", &types[1], 4, 0, 0, 0},
                                        {"z", &types[2], 8, 0, 0, 0},
                                        {"w", &types[3], 12, 0, 0, 0}};
    const struct cell_method method = {"unnamed_2", params, NULL, 4, 0, 16, 0, NULL, NULL};
    struct cell_schema *back = NULL;
    struct cell_service service = service_of(&method, 1);
    REQUIRE(cell_schema_from_service(&service, &back, NULL) == CELL_OK);
    CHECK_STR(back->types[0].values[0].name, "unnamed_1");
    CHECK_STR(back->types[1].values[0].name, "unnamed_3");
    CHECK_STR(back->types[3].values[0].name, "unnamed_5");
    CHECK(back->types[0].elem.kind == CELL_KIND_I32 && back->types[1].elem.kind == CELL_KIND_U8);
    cell_schema_free(back);
}

static struct cell_layout in_of(const struct cell_method *m) { return (struct cell_layout){m->in, m->nin, m->in_size}; }

/* Encodes `in` by one layout and decodes it by another. */
static bool pass(const struct cell_layout *from, const void *in, const struct cell_layout *to, void *out,
                 struct cell_arena *a)
{
    struct cell_buffer b = {0};
    struct cell_error e = {0};
    bool ok = cell_message_encode(from, in, CELL_MAX_MESSAGE, &b, &e) == CELL_OK &&
              cell_message_decode(to, (const uint8_t *)b.data, b.len, a, out, &e) == CELL_OK;
    if (!ok)
        printf("  %s\n", e.text);
    cell_buffer_free(&b);
    return ok;
}

TEST(messages_pass_between_hand_written_and_made_descriptors)
{
    static const struct arrival strict = {true};
    struct cell_schema *s = build_schema(rich_text);
    const struct cell_method *methods = NULL;
    REQUIRE(cell_schema_describe(s, &methods, NULL) == CELL_OK);
    struct cell_layout made = in_of(&methods[1]), hand = {rich_fields, RICH_PARAMS, made.size};
    for (unsigned seed = 1; seed <= 50; seed++) {
        struct cell_arena a = {0};
        struct filler f = {seed, &a};
        struct rich_request in, there, back;
        memset(&in, 0xaa, sizeof(in));
        fill_fields(&f, rich_fields, RICH_PARAMS, (uint8_t *)&in);
        REQUIRE(pass(&hand, &in, &made, &there, &a));
        CHECK(arrived_params(&strict, hand.fields, (uint8_t *)&in, made.fields, (uint8_t *)&there, hand.n));
        REQUIRE(pass(&made, &there, &hand, &back, &a));
        CHECK(arrived_params(&strict, made.fields, (uint8_t *)&there, hand.fields, (uint8_t *)&back, hand.n));
        cell_arena_free(&a);
    }
    cell_schema_free(s);
}

/* ---- what is refused ---- */

static void check_refused(const struct cell_service *service, int status, const char *text)
{
    struct cell_schema *s = NULL;
    struct cell_error e = {0};
    CHECK(cell_schema_from_service(service, &s, &e) == status && s == NULL);
    CHECK_STR(e.text, text);
    CHECK(cell_schema_from_service(service, &s, NULL) == status && s == NULL);
}

static void check_param(struct cell_field param, uint32_t in_size, const char *text)
{
    struct cell_method m = {"auth_m", &param, NULL, 1, 0, in_size, 0, NULL};
    struct cell_service service = service_of(&m, 1);
    check_refused(&service, CELL_INVALID_ARGUMENT, text);
}

static void check_type_refused(struct cell_type t, const char *text)
{
    check_param((struct cell_field){"x", &t, 0, 0, 0, 0}, t.size, text);
}

TEST(damaged_services_are_refused)
{
    struct cell_method m = {"auth_m", NULL, NULL, 0, 0, 0, 0, NULL};
    struct cell_service service = service_of(&m, 1);
    service.abi = CELL_DESC_ABI + 1;
    check_refused(&service, CELL_FAILED_PRECONDITION, "descriptors of version 6, where 5 is known");
    service = service_of(NULL, 1);
    check_refused(&service, CELL_INVALID_ARGUMENT, "the service's descriptor is damaged");
    service = service_of(&m, UINT32_MAX);
    check_refused(&service, CELL_INVALID_ARGUMENT, "the service's descriptor is damaged");
    service = service_of(&m, 1);
    service.name = NULL;
    check_refused(&service, CELL_INVALID_ARGUMENT, "the service's descriptor is damaged");
    m.name = NULL;
    service = service_of(&m, 1);
    check_refused(&service, CELL_INVALID_ARGUMENT, "a method's name is not an identifier");
    m.name = "auth m";
    check_refused(&service, CELL_INVALID_ARGUMENT, "a method's name is not an identifier");
    m.name = "auth_m";
    m.nin = 1;
    check_refused(&service, CELL_INVALID_ARGUMENT, "method 'auth_m': its parameters' descriptors are missing");
}

TEST(methods_out_of_order_are_refused)
{
    const struct cell_method swapped[] = {{"auth_b", NULL, NULL, 0, 0, 0, 0, NULL},
                                          {"auth_a", NULL, NULL, 0, 0, 0, 0, NULL}};
    const struct cell_method twice[] = {{"auth_a", NULL, NULL, 0, 0, 0, 0, NULL},
                                        {"auth_a", NULL, NULL, 0, 0, 0, 0, NULL}};
    struct cell_service service = service_of(swapped, 2);
    check_refused(&service, CELL_INVALID_ARGUMENT, "method 'auth_a' does not stand in the order of names");
    service = service_of(twice, 2);
    check_refused(&service, CELL_INVALID_ARGUMENT, "method 'auth_a' does not stand in the order of names");
}

TEST(damaged_parameters_are_refused)
{
    static const char damaged[] = "method 'auth_m': a parameter's descriptor is damaged";
    static const char layout[] = "method 'auth_m': the layout of its request is not that of its parameters";
    check_param((struct cell_field){NULL, &cell_type_u8, 0, 0, 0, 0}, 1, damaged);
    check_param((struct cell_field){"1x", &cell_type_u8, 0, 0, 0, 0}, 1, damaged);
    check_param((struct cell_field){"x", &cell_type_u8, 0, 0, CELL_FIELD_OUT, 0}, 1, damaged);
    check_param((struct cell_field){"x", &cell_type_u8, 0, 0, 8, 0}, 1, damaged);
    check_param((struct cell_field){"x", &cell_type_u8, 0, 0, 64, 0}, 1, damaged);
    check_param((struct cell_field){"x", NULL, 0, 0, 0, 0}, 1,
                "method 'auth_m': parameter 'x': a type's descriptor is missing");
    check_param((struct cell_field){"x", &cell_type_u32, 4, 0, 0, 0}, 8, layout);
    check_param((struct cell_field){"x", &cell_type_u32, 0, 0, 0, 0}, 8, layout);
    struct cell_field out = {"x", &cell_type_u8, 8, 4, CELL_FIELD_REF | CELL_FIELD_OUT, 0};
    struct cell_method m = {"auth_m", NULL, &out, 0, 1, 0, 0, NULL};
    struct cell_service service = service_of(&m, 1);
    check_refused(&service, CELL_INVALID_ARGUMENT, damaged);
}

TEST(damaged_types_are_refused)
{
    struct cell_field field = {"f", &cell_type_u32, 0, 0, 0, 0};
#define AT "method 'auth_m': parameter 'x': type "
    check_type_refused((struct cell_type){"t", 99, 4, 4, 0, NULL, NULL}, AT "'t': its kind is unknown");
    check_type_refused((struct cell_type){"t", 0, 4, 4, 0, NULL, NULL}, AT "'t': its kind is unknown");
    check_type_refused((struct cell_type){"a b", CELL_KIND_STRUCT, 4, 4, 1, &field, NULL},
                       AT "'a b': its name is not an identifier");
    check_type_refused((struct cell_type){"t", CELL_KIND_STRUCT, 4, 4, 1, NULL, NULL},
                       AT "'t': its descriptor has no fields");
    check_type_refused((struct cell_type){"t", CELL_KIND_STRUCT, 4, 4, UINT32_MAX, &field, NULL},
                       AT "'t': its descriptor has no fields");
    check_type_refused((struct cell_type){"t", CELL_KIND_LIST, 16, 8, 0, NULL, NULL},
                       AT "'t': a type's descriptor is missing");
    field.flags = CELL_FIELD_REF;
    check_type_refused((struct cell_type){"t", CELL_KIND_STRUCT, 4, 4, 1, &field, NULL},
                       AT "'t': a field's descriptor is damaged");
    field.flags = 0;
    field.type = NULL;
    check_type_refused((struct cell_type){"t", CELL_KIND_STRUCT, 4, 4, 1, &field, NULL},
                       AT "'t': field 'f': a type's descriptor is missing");
}

TEST(false_built_in_types_are_refused)
{
    struct cell_type t = cell_type_u32;
#define FALSE ": its descriptor is not that of a built-in type"
    t.size = 8;
    check_type_refused(t, AT "'u32'" FALSE);
    t = cell_type_u32;
    t.name = "i32";
    check_type_refused(t, AT "'i32'" FALSE);
    t = cell_type_list_u32;
    t.elem = &cell_type_u8;
    check_type_refused(t, AT "'list<u32>'" FALSE);
    t.elem = NULL;
    check_type_refused(t, AT "'list<u32>'" FALSE);
    t = cell_type_opt_u32;
    t.align = 8;
    check_type_refused(t, AT "'opt<u32>'" FALSE);
#undef FALSE
}

TEST(recursive_types_are_refused)
{
    check_param((struct cell_field){"tree", &node_type, 0, 0, CELL_FIELD_REF, 0}, 16,
                "method 'auth_m': parameter 'tree': type 'node': field 'children': type 'node_list_type': "
                "type 'node': it contains itself");
    struct cell_field self = {"f", NULL, 0, 0, 0, 0};
    struct cell_type t = {"t", CELL_KIND_STRUCT, 4, 4, 1, &self, NULL};
    self.type = &t;
    check_param((struct cell_field){"x", &t, 0, 0, 0, 0}, 4, AT "'t': field 'f': type 't': it contains itself");
}

TEST(types_nested_without_end_are_refused)
{
    enum { N = 1000 };
    static struct cell_type types[N];
    static struct cell_field fields[N];
    static char names[N][8];
    struct cell_schema *s = NULL;
    for (int i = 0; i < N; i++) {
        snprintf(names[i], sizeof(names[i]), "t%d", i);
        fields[i] = (struct cell_field){"f", i + 1 < N ? &types[i + 1] : &cell_type_u32, 0, 0, 0, 0};
        types[i] = (struct cell_type){names[i], CELL_KIND_STRUCT, 4, 4, 1, &fields[i], NULL};
    }
    struct cell_field param = {"x", &types[0], 0, 0, 0, 0};
    struct cell_method m = {"auth_m", &param, NULL, 1, 0, 4, 0, NULL};
    struct cell_service service = service_of(&m, 1);
    CHECK(cell_schema_from_service(&service, &s, NULL) == CELL_INVALID_ARGUMENT && s == NULL);
}

TEST(one_type_described_twice_is_one_type)
{
    struct cell_field one_fields[] = {{"f", &cell_type_u32, 0, 0, 0, 0}},
                      two_fields[] = {{"f", &cell_type_u32, 0, 0, 0, 0}};
    struct cell_type one = {"t", CELL_KIND_STRUCT, 4, 4, 1, one_fields, NULL}, two = one;
    two.fields = two_fields;
    struct cell_field params[] = {{"x", &one, 0, 0, 0, 0}, {"y", &two, 4, 0, 0, 0}};
    struct cell_method m = {"auth_m", params, NULL, 2, 0, 8, 0, NULL};
    struct cell_service service = service_of(&m, 1);
    struct cell_schema *s = NULL;
    REQUIRE(cell_schema_from_service(&service, &s, NULL) == CELL_OK);
    CHECK(s->ntypes == 1 && s->methods[0].params[0].type.named == s->methods[0].params[1].type.named);
    cell_schema_free(s);

    static const char other[] = "method 'auth_m': parameter 'y': type 't': two different types have this name";
    two_fields[0].name = "g";
    check_refused(&service, CELL_INVALID_ARGUMENT, other);
    two_fields[0] = (struct cell_field){"f", &cell_type_i32, 0, 0, 0, 0};
    check_refused(&service, CELL_INVALID_ARGUMENT, other);
    two = (struct cell_type){"t", CELL_KIND_ENUM, 4, 4, 0, NULL, &cell_type_u32};
    check_refused(&service, CELL_INVALID_ARGUMENT, other);
}

TEST(enumerators_come_back_with_their_values)
{
    struct cell_schema *s = build_schema("enum t i64 A=-9223372036854775808 B=4294967297 C=0 ; enum u u64 "
                                         "D=18446744073709551615 ; method auth_m t:x u:y ;");
    const struct cell_method *methods = NULL;
    struct cell_schema *back = NULL;
    REQUIRE(cell_schema_describe(s, &methods, NULL) == CELL_OK);
    struct cell_service service = service_of(methods, 1);
    REQUIRE(cell_schema_from_service(&service, &back, NULL) == CELL_OK && back->ntypes == 2);
    CHECK(back->types[0].nvalues == 3 && back->types[1].nvalues == 1);
    CHECK_STR(back->types[0].values[0].text, "-9223372036854775808");
    CHECK_STR(back->types[0].values[1].name, "B");
    CHECK_STR(back->types[0].values[1].text, "4294967297");
    CHECK_STR(back->types[1].values[0].text, "18446744073709551615");
    cell_schema_free(back);
    cell_schema_free(s);
}

TEST(enum_without_enumerators_has_a_placeholder)
{
    struct cell_field value = {"A", NULL, 1, 0, 0, 0};
    struct cell_type t = {"t", CELL_KIND_ENUM, 4, 4, 0, NULL, &cell_type_u32}, u = t;
    struct cell_field params[] = {{"x", &t, 0, 0, 0, 0}, {"y", &u, 4, 0, 0, 0}};
    struct cell_method m = {"auth_m", params, NULL, 2, 0, 8, 0, NULL, NULL};
    struct cell_service service = service_of(&m, 1);
    struct cell_schema *s = NULL;
    REQUIRE(cell_schema_from_service(&service, &s, NULL) == CELL_OK);
    CHECK(s->types[0].nvalues == 1);
    CHECK_STR(s->types[0].values[0].name, "unnamed_0");
    cell_schema_free(s);
    static const char damaged[] = "method 'auth_m': parameter 'x': type 't': an enumerator's descriptor is damaged";
    t.nfields = 1;
    check_refused(&service, CELL_INVALID_ARGUMENT,
                  "method 'auth_m': parameter 'x': type 't': its descriptor has no enumerators");
    t.fields = &value;
    check_refused(&service, CELL_INVALID_ARGUMENT,
                  "method 'auth_m': parameter 'y': type 't': two different types have this name");
    value.type = &cell_type_i32;
    check_refused(&service, CELL_INVALID_ARGUMENT, damaged);
    value = (struct cell_field){"a b", NULL, 1, 0, 0, 0};
    check_refused(&service, CELL_INVALID_ARGUMENT, damaged);
    value = (struct cell_field){"A", NULL, 1, 1, 0, 0}; /* does not fit */
    u = t;
    CHECK(cell_schema_from_service(&service, &s, NULL) == CELL_INVALID_ARGUMENT);
}

/* What sealing checks is refused here as well. */
TEST(impossible_layouts_and_names_are_refused)
{
    struct cell_field field = {"f", &cell_type_u32, 4, 0, 0, 0};
    struct cell_type t = {"t", CELL_KIND_STRUCT, 8, 4, 1, &field, NULL};
    struct cell_field param = {"x", &t, 0, 0, 0, 0};
    struct cell_method m = {"auth_m", &param, NULL, 1, 0, 8, 0, NULL};
    struct cell_service service = service_of(&m, 1);
    struct cell_schema *s = NULL;
    CHECK(cell_schema_from_service(&service, &s, NULL) == CELL_INVALID_ARGUMENT);
    field.offset = 0;
    CHECK(cell_schema_from_service(&service, &s, NULL) == CELL_INVALID_ARGUMENT);
    t.size = 4;
    m.in_size = 4;
    t.name = "while";
    CHECK(cell_schema_from_service(&service, &s, NULL) == CELL_INVALID_ARGUMENT);
    t.name = "t";
    m.name = "cell_m";
    CHECK(cell_schema_from_service(&service, &s, NULL) == CELL_INVALID_ARGUMENT && s == NULL);
    m.name = "auth_m";
    CHECK(cell_schema_from_service(&service, &s, NULL) == CELL_OK);
    cell_schema_free(s);
}
