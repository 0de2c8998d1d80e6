/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Clients built from another schema than the server's, and servers whose parts do not fit together. */
#include "call_fixture.h"

/* ---- clients ---- */

/* A client of the schema that `service` stands for: its own fingerprint, its own descriptors. */
struct other_client {
    struct cell_service service;
    char fingerprint[65];
    struct cell_client *client;
    cell_ctx *c;
};

static void other_open(struct other_client *o, const struct cell_method *methods, uint32_t n)
{
    o->service = (struct cell_service){CELL_DESC_ABI, n, "demo", o->fingerprint, methods, NULL, NULL};
    free(embed_schema(&o->service, o->fingerprint));
    o->c = demo_ctx(&o->client);
}

static void other_close(struct other_client *o)
{
    cell_ctx_close(o->c);
    cell_client_close(o->client);
}

static int other_add(struct other_client *o, uint32_t id, int32_t *sum)
{
    const struct add_in in = {40, 2};
    void *const out[] = {sum};
    return cell_call(o->c, &o->service, id, &in, out);
}

/* echo_result before `calls` was appended. */
struct old_echo_out {
    cell_str text;
    cell_bytes data;
};
static const struct cell_type old_echo_result = {
    "echo_result", CELL_KIND_STRUCT, sizeof(struct old_echo_out), 8, 2, echo_result_fields, NULL};
static const struct cell_field old_echo_out_fields[] = {
    {"out", &old_echo_result, 0, 0, CELL_FIELD_REF | CELL_FIELD_OUT, 0}};

TEST(a_client_from_before_a_field_was_appended_is_served)
{
    struct demo_server d = {0};
    struct other_client o;
    demo_setup();
    demo_start(&d);
    const struct cell_method methods[] = {
        {"demo_echo", echo_in_fields, old_echo_out_fields, 2, 1, sizeof(struct echo_in), 0, NULL}};
    other_open(&o, methods, 1);
    CHECK(strcmp(o.fingerprint, demo_fingerprint) != 0);
    struct {
        struct old_echo_out out;
        uint64_t guard;
    } result = {.guard = 0x1234};
    const struct echo_in in = {CELL_STR("old"), {(const uint8_t *)"xy", 2}};
    void *const out[] = {&result.out};
    CHECK(cell_call(o.c, &o.service, 0, &in, out) == 0); /* id 0 there, 2 here */
    CHECK_STR(result.out.text.ptr, "old");
    CHECK(result.out.data.len == 2 && result.guard == 0x1234);
    other_close(&o);
    demo_stop(&d);
    demo_teardown();
}

/* echo_result with a field that the server has not (any more). */
struct new_echo_out {
    struct echo_out known;
    cell_str email;
};
static const struct cell_field new_echo_fields[] = {{"text", &cell_type_str, 0, 0, 0, 0},
                                                    {"data", &cell_type_bytes, 16, 0, 0, 0},
                                                    {"calls", &cell_type_i64, 32, 0, 0, 0},
                                                    {"email", &cell_type_str, 40, 0, 0, 0}};
static const struct cell_type new_echo_result = {
    "echo_result", CELL_KIND_STRUCT, sizeof(struct new_echo_out), 8, 4, new_echo_fields, NULL};
static const struct cell_field new_echo_out_fields[] = {
    {"out", &new_echo_result, 0, 0, CELL_FIELD_REF | CELL_FIELD_OUT, 0}};

static int call_new_echo(struct other_client *o, uint32_t id)
{
    struct new_echo_out result;
    const struct echo_in in = {CELL_STR("new"), {NULL, 0}};
    void *const out[] = {&result};
    return cell_call(o->c, &o->service, id, &in, out);
}

TEST(only_the_methods_that_changed_are_refused_and_with_the_compilers_sentence)
{
    struct demo_server d = {0};
    struct other_client o;
    int32_t sum = 0;
    demo_setup();
    demo_start(&d);
    const struct cell_method methods[] = {
        {"demo_aaa", add_in_fields, NULL, 2, 0, 8, 0, NULL}, /* moves the ids of the others */
        {"demo_add", add_in_fields, sum_out_fields, 2, 1, 8, CELL_METHOD_IDEMPOTENT, NULL},
        {"demo_echo", echo_in_fields, new_echo_out_fields, 2, 1, sizeof(struct echo_in), 0, NULL}};
    other_open(&o, methods, 3);
    CHECK(other_add(&o, 1, &sum) == 0 && sum == 42);
    CHECK(call_new_echo(&o, 2) == CELL_SCHEMA_MISMATCH);
    CHECK_STR(cell_ctx_message(o.c), "Field 'email' no longer exists in Demo Cell");
    CHECK(other_add(&o, 0, &sum) == CELL_SCHEMA_MISMATCH);
    CHECK(strstr(cell_ctx_message(o.c), "'demo_aaa' no longer exists in Demo Cell"));
    CHECK(other_add(&o, 1, &sum) == 0);
    CHECK(atomic_load(&shared->calls) == 2);
    other_close(&o);
    demo_stop(&d);
    demo_teardown();
}

TEST(a_client_that_can_call_nothing_is_refused_when_it_connects)
{
    struct demo_server d = {0};
    struct other_client o;
    demo_setup();
    demo_start(&d);
    const struct cell_method methods[] = {
        {"demo_echo", echo_in_fields, new_echo_out_fields, 2, 1, sizeof(struct echo_in), 0, NULL}};
    other_open(&o, methods, 1);
    CHECK(call_new_echo(&o, 0) == CELL_SCHEMA_MISMATCH);
    CHECK_STR(cell_ctx_message(o.c), "Field 'email' no longer exists in Demo Cell");
    CHECK(cell_ctx_status(o.c) == CELL_SCHEMA_MISMATCH);
    other_close(&o);
    demo_stop(&d);
    demo_teardown();
}

TEST(a_client_of_another_cell_or_descriptor_version_is_refused)
{
    struct demo_server d = {0};
    struct cell_client *client = NULL;
    int32_t sum;
    demo_setup();
    demo_start(&d);
    cell_ctx *c = demo_ctx(&client);
    const struct add_in in = {1, 2};
    void *const out[] = {&sum};
    struct cell_service other = demo;
    other.name = "auth";
    CHECK(cell_call(c, &other, demo_add, &in, out) == CELL_NOT_FOUND);
    CHECK_STR(cell_ctx_message(c), "auth: the cell here is 'demo', not 'auth'");
    other = demo;
    other.abi = CELL_DESC_ABI + 1;
    CHECK(cell_call(c, &other, demo_add, &in, out) == CELL_FAILED_PRECONDITION);
    CHECK(strstr(cell_ctx_message(c), "compile the program again"));
    cell_ctx_close(c);
    cell_client_close(client);
    demo_stop(&d);
    demo_teardown();
}

/* ---- servers ---- */

static void refuse_provided(const struct cell_provided *p, const char *text)
{
    struct cell_server *server = NULL;
    CHECK(cell_server_new_from(p, NULL, &server) == CELL_FAILED_PRECONDITION);
    if (!strstr(cell_server_message(server), text))
        CHECK_STR(cell_server_message(server), text);
    CHECK(cell_server_run(server) == CELL_FAILED_PRECONDITION);
    cell_server_free(server);
}

TEST(what_is_provided_must_fit_together_and_the_odd_part_is_named)
{
    const struct cell_method *handlers[DEMO_COUNT + 1];
    char *schema = embed_schema(&demo, demo_fingerprint), *copy;
    size_t size = sizeof(struct cell_schema_header) + strlen(schema + sizeof(struct cell_schema_header));
    size = sizeof(struct cell_schema_header) + ((struct cell_schema_header *)(void *)schema)->size;
    for (uint32_t i = 0; i < DEMO_COUNT; i++)
        handlers[i] = demo_handlers[i];
    struct cell_provided p = {CELL_DESC_ABI, 0, "demo", schema, handlers, handlers + DEMO_COUNT}, q = p;
    struct cell_server *server = NULL;
    CHECK(cell_server_new_from(&p, NULL, &server) == CELL_OK);
    cell_server_free(server);
    cell_server_free(NULL);

    char version[32];
    snprintf(version, sizeof(version), "version %u", ++q.abi);
    refuse_provided(&q, version);
    q = p;
    q.name = "auth";
    refuse_provided(&q, "'demo'");
    q = p;
    q.methods_end--;
    refuse_provided(&q, "demo_rich has no handler");
    q.methods_begin = q.methods_end = NULL;
    refuse_provided(&q, "demo_add has no handler");

    copy = malloc(size);
    q = p;
    q.schema = copy;
    memcpy(copy, schema, size);
    copy[0] = 'X';
    refuse_provided(&q, "format");
    memcpy(copy, schema, size);
    copy[offsetof(struct cell_schema_header, fingerprint)] ^= 1;
    refuse_provided(&q, "fingerprint");
    memcpy(copy, schema, size);
    copy[sizeof(struct cell_schema_header)] = '[';
    refuse_provided(&q, "embedded schema");

    const struct cell_method extra = {"demo_zap", add_in_fields, NULL, 2, 0, 8, 0, handle_fail};
    handlers[DEMO_COUNT] = &extra;
    q = p;
    q.methods_end++;
    refuse_provided(&q, "demo_zap is not in the schema");
    struct cell_method changed = server_methods[demo_echo];
    changed.out = new_echo_out_fields;
    handlers[demo_echo] = &changed;
    refuse_provided(&p, "demo_echo");
    changed = server_methods[demo_echo];
    changed.invoke = NULL;
    refuse_provided(&p, "no handler");
    free(copy);
    free(schema);
}
