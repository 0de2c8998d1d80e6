/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Servers that were started without a capability, and clients that were built for one. */
#include "base/util.h"
#include "call_fixture.h"

/* The demo cell with a capability that demo_add needs, and another one; `without` as in the options. */
static int new_server(struct demo_server *d, const char *without)
{
    static const char none[] = "\"capabilities\":[]", add[] = "\"name\":\"demo_add\",";
    struct cell_buffer json = {0};
    struct cell_schema_header header;
    char *plain = embed_schema(&demo, demo_fingerprint), fingerprint[65];
    memcpy(&header, plain, sizeof(header));
    const char *begin = plain + sizeof(header), *end = begin + header.size;
    const char *at = memmem(begin, header.size, none, sizeof(none) - 1);
    const char *method = memmem(begin, header.size, add, sizeof(add) - 1);
    cell_buffer_append(&json, begin, (size_t)(at - begin));
    cell_buffer_puts(&json, "\"capabilities\":[{\"name\":\"adding\"},{\"name\":\"more\"}]");
    at += sizeof(none) - 1;
    method += sizeof(add) - 1;
    cell_buffer_append(&json, at, (size_t)(method - at));
    cell_buffer_puts(&json, "\"needs\":[\"adding\"],");
    cell_buffer_append(&json, method, (size_t)(end - method));
    cell_sha256_hex(json.data, json.len, fingerprint);
    memcpy(header.fingerprint, fingerprint, sizeof(header.fingerprint));
    header.size = json.len;
    d->schema = malloc(sizeof(header) + json.len);
    memcpy(d->schema, &header, sizeof(header));
    memcpy(d->schema + sizeof(header), json.data, json.len);
    cell_buffer_free(&json);
    free(plain);
    d->provided =
        (struct cell_provided){CELL_DESC_ABI, 0, "demo", d->schema, demo_handlers, demo_handlers + DEMO_COUNT};
    d->options = (struct cell_server_options){.address = demo_address, .start = say_started, .without = without};
    sem_init(&d->started, 0, 0);
    return cell_server_new_from(&d->provided, &d->options, &d->server);
}

static void start(struct demo_server *d, const char *without)
{
    demo_setup();
    CHECK(new_server(d, without) == CELL_OK);
    CHECK_STR(cell_server_message(d->server), "");
    demo_start(d);
}

static void stop(struct demo_server *d)
{
    demo_stop(d);
    demo_teardown();
}

/* A unit of a program that was built for `names`, against a schema of fingerprint `fingerprint`. */
static struct cell_service built_for(const char *const *names, const char *fingerprint)
{
    return (struct cell_service){CELL_DESC_ABI, DEMO_COUNT, "demo", fingerprint, client_methods, &demo_slot, names};
}

static int add(cell_ctx *c, const struct cell_service *s)
{
    int32_t sum = 0;
    const struct add_in in = {40, 2};
    void *const out[] = {&sum};
    int r = cell_call(c, s, demo_add, &in, out);
    CHECK(r < 0 || sum == 42);
    return r;
}

static int echo(cell_ctx *c, const struct cell_service *s)
{
    struct echo_out result;
    const struct echo_in in = {CELL_STR("x"), {NULL, 0}};
    void *const out[] = {&result};
    return cell_call(c, s, demo_echo, &in, out);
}

TEST(what_was_built_for_a_lost_capability_is_refused_by_name)
{
    struct demo_server d = {0};
    struct cell_client *client;
    start(&d, "adding");
    cell_ctx *c = demo_ctx(&client);
    const char *names = "adding,more", *kept = "more", *unknown = "less", *nothing = NULL;
    struct cell_service s = built_for(&names, demo_fingerprint);
    CHECK(echo(c, &s) == CELL_SCHEMA_MISMATCH);
    CHECK_STR(cell_ctx_message(c), "demo Cell no longer has adding, which this program was built for: start the cell "
                                   "with it, or build the program again");
    s = built_for(&unknown, demo_fingerprint);
    CHECK(echo(c, &s) == CELL_SCHEMA_MISMATCH);
    CHECK_STR(cell_ctx_message(c),
              "demo Cell no longer has less, which this program was built for: build the program again");
    /* One that uses what is there, or nothing, is served, but for the method that needs what is not. */
    s = built_for(&kept, demo_fingerprint);
    CHECK(echo(c, &s) == 0);
    s = built_for(&nothing, demo_fingerprint);
    CHECK(echo(c, &s) == 0);
    s = built_for(NULL, demo_fingerprint);
    CHECK(echo(c, &s) == 0);
    CHECK(add(c, &s) == CELL_SCHEMA_MISMATCH);
    CHECK_STR(cell_ctx_message(c), "demo_add needs adding, which demo was started without");
    cell_ctx_close(c);
    cell_client_close(client);
    stop(&d);
}

/* The units of a program share connections. */
TEST(a_connection_serves_only_units_that_were_built_for_the_same)
{
    struct demo_server d = {0};
    struct cell_client *client;
    start(&d, "adding");
    cell_ctx *c = demo_ctx(&client);
    const char *names = "adding";
    struct cell_service without = built_for(NULL, demo_fingerprint), with = built_for(&names, demo_fingerprint);
    for (int i = 0; i < 3; i++) {
        CHECK(echo(c, &without) == 0);
        CHECK(echo(c, &with) == CELL_SCHEMA_MISMATCH);
    }
    cell_ctx_close(c);
    cell_client_close(client);
    stop(&d);
}

TEST(with_all_that_it_was_built_for_a_program_is_served)
{
    struct demo_server d = {0};
    struct cell_client *client;
    start(&d, NULL);
    cell_ctx *c = demo_ctx(&client);
    const char *names = "adding,more";
    struct cell_service s = built_for(&names, demo_fingerprint);
    CHECK(echo(c, &s) == 0);
    CHECK(add(c, &s) == 0);
    cell_ctx_close(c);
    cell_client_close(client);
    stop(&d);
}

/* Who was compiled against that schema would not; whoever calls by hand may. */
TEST(a_method_that_needs_what_is_not_there_does_not_run)
{
    struct demo_server d = {0};
    struct cell_client *client;
    start(&d, "more,adding");
    cell_ctx *c = demo_ctx(&client);
    /* The fingerprint that the server states: nothing is compared. */
    char fingerprint[65];
    const struct cell_service s = built_for(NULL, fingerprint);
    struct cell_schema *own = NULL;
    struct cell_error e = {0};
    const struct cell_schema_header *header = (const void *)d.schema;
    CHECK(cell_schema_parse((const char *)(header + 1), header->size, &own, &e) == CELL_OK);
    CHECK(cell_schema_without(&own, "more,adding", &e) == CELL_OK);
    memcpy(fingerprint, own->fingerprint, sizeof(fingerprint));
    cell_schema_free(own);
    for (int i = 0; i < 3; i++) { /* by the usual way and by that of short calls */
        CHECK(add(c, &s) == CELL_UNIMPLEMENTED);
        CHECK_STR(cell_ctx_message(c), "demo_add needs adding, which demo was started without");
        CHECK(echo(c, &s) == 0);
    }
    CHECK(atomic_load(&shared->calls) == 3);
    cell_ctx_close(c);
    cell_client_close(client);
    stop(&d);
}

TEST(a_client_in_the_servers_process_is_refused_in_the_same_way)
{
    struct demo_server d = {0};
    struct cell_client *client = NULL;
    const char *names = "adding";
    demo_setup();
    CHECK(new_server(&d, "adding") == CELL_OK);
    CHECK(cell_client_in_process(d.server, &client) == CELL_OK);
    cell_ctx *c = cell_ctx_open(&(struct cell_ctx_options){.client = client});
    struct cell_service with = built_for(&names, demo_fingerprint), without = built_for(NULL, demo_fingerprint);
    CHECK(echo(c, &without) == 0);
    CHECK(echo(c, &with) == CELL_SCHEMA_MISMATCH);
    CHECK(add(c, &without) == CELL_SCHEMA_MISMATCH);
    cell_ctx_close(c);
    cell_client_close(client);
    demo_free(&d);
    demo_teardown();
}

TEST(a_server_does_not_start_without_what_it_never_had)
{
    struct demo_server d = {0};
    demo_setup();
    CHECK(new_server(&d, "adding,adings") == CELL_FAILED_PRECONDITION);
    CHECK_STR(cell_server_message(d.server), "demo: it declares no capability 'adings'");
    demo_free(&d);
    demo_teardown();
}
