/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Schemas of programs that bring methods with them: which are served, how long they are kept, and what bounds them. */
#include "bound_fixture.h"

/* A program with a schema of its own. */
struct program {
    struct cell_service service;
    struct cell_method *methods;
    uint32_t n;
    char (*names)[32], fingerprint[65];
    struct cell_client *client;
    cell_ctx *c;
};

static void begin_program(struct program *p, uint32_t n)
{
    memset(p, 0, sizeof(*p));
    p->n = n;
    p->methods = calloc(n, sizeof(*p->methods));
    p->names = calloc(n, sizeof(*p->names));
    p->service = (struct cell_service){CELL_DESC_ABI, n, "demo", p->fingerprint, p->methods, NULL, NULL};
}

static void open_program(struct program *p, struct cell_server *in_process)
{
    free(embed_schema(&p->service, p->fingerprint));
    CHECK((in_process ? cell_client_in_process(in_process, &p->client) : cell_client_open(demo_address, &p->client)) ==
          CELL_OK);
    const struct cell_ctx_options o = {.client = p->client, .timeout_ms = 60000};
    p->c = cell_ctx_open(&o);
}

static void close_program(struct program *p)
{
    cell_ctx_close(p->c);
    cell_client_close(p->client);
    p->c = NULL;
    p->client = NULL;
}

static void end_program(struct program *p)
{
    free(p->methods);
    free(p->names);
}

/* Program number i has the method row_insert_i, and no other has. */
static void begin_numbered(struct program *p, unsigned i)
{
    begin_program(p, 1);
    snprintf(p->names[0], sizeof(p->names[0]), "row_insert_%u", i);
    p->methods[0] = row_methods[row_insert];
    p->methods[0].name = p->names[0];
}

static int insert(struct program *p)
{
    struct row row = {0, CELL_STR("x"), {0}};
    void *const out[] = {&row};
    int r = cell_call(p->c, &p->service, 0, &(struct cell_ref){&row, 1}, out);
    CHECK(r < 0 || row.id == 42);
    return r;
}

static void insert_once(unsigned i, struct cell_server *server)
{
    struct program p;
    begin_numbered(&p, i);
    open_program(&p, server);
    CHECK(insert(&p) == 3);
    close_program(&p);
    end_program(&p);
}

/* ---- which are served ---- */

TEST(methods_with_and_without_bindings_are_served_side_by_side)
{
    struct demo_server d = {0};
    struct program p;
    int32_t sum = 0;
    const struct add_in in = {1, 2};
    bound_setup(&d, true);
    begin_program(&p, 4);
    p.methods[0] = client_methods[demo_add];
    p.methods[1] = (struct cell_method){"demo_echo", n_in, NULL, 1, 0, 8, 0, NULL, NULL, "wait"}; /* also the cell's */
    p.methods[2] = (struct cell_method){"demo_gone", NULL, NULL, 0, 0, 0, 0, NULL, NULL, NULL};
    p.methods[3] = row_methods[row_insert];
    open_program(&p, NULL);
    CHECK(cell_call(p.c, &p.service, 0, &in, (void *const[]){&sum}) == 0 && sum == 3);
    CHECK(cell_call(p.c, &p.service, 1, &(uint64_t){0}, NULL) == 0 && atomic_load(&seen.invokes) == 1);
    CHECK(cell_call(p.c, &p.service, 2, NULL, NULL) == CELL_SCHEMA_MISMATCH);
    CHECK(strstr(cell_ctx_message(p.c), "demo_gone"));
    struct row row = {0};
    CHECK(cell_call(p.c, &p.service, 3, &(struct cell_ref){&row, 1}, (void *const[]){&row}) == 3 && row.id == 42);
    CHECK(counted_calls(d.server, &d.server->method_counters[demo_echo], false) == 1);
    close_program(&p);
    end_program(&p);
    bound_teardown(&d, true);
}

TEST(a_server_that_takes_none_refuses_them_by_name_and_serves_the_others)
{
    struct demo_server d = {0};
    struct program p;
    int32_t sum = 0;
    const struct add_in in = {1, 2};
    struct row row = {0};
    demo_setup();
    demo_start(&d);
    begin_program(&p, 2);
    p.methods[0] = client_methods[demo_add];
    p.methods[1] = row_methods[row_insert];
    open_program(&p, NULL);
    CHECK(cell_call(p.c, &p.service, 0, &in, (void *const[]){&sum}) == 0 && sum == 3);
    CHECK(cell_call(p.c, &p.service, 1, &(struct cell_ref){&row, 1}, (void *const[]){&row}) == CELL_SCHEMA_MISMATCH);
    CHECK_STR(cell_ctx_message(p.c), "row_insert has a binding, and demo takes no methods with bindings");
    close_program(&p);
    end_program(&p);
    begin_numbered(&p, 1);
    open_program(&p, NULL);
    CHECK(insert(&p) == CELL_SCHEMA_MISMATCH); /* nothing is left to be called: at connect */
    CHECK_STR(cell_ctx_message(p.c), "row_insert_1 has a binding, and demo takes no methods with bindings");
    close_program(&p);
    end_program(&p);
    cell_server_unbind(d.server);
    cell_server_unbind(NULL);
    demo_stop(&d);
    demo_teardown();
}

TEST(functions_that_are_missing_are_seen_before_a_call)
{
    static const struct cell_bound_ops ops[] = {{bind_row, NULL, unbind_row}, {NULL, invoke_row, unbind_row}};
    struct demo_server d = {0};
    demo_setup();
    demo_new(&d);
    for (int i = 0; i < 2; i++) {
        const struct cell_server_options options = {.bound = &ops[i]};
        struct cell_server *server = NULL;
        CHECK(cell_server_new_from(&d.provided, &options, &server) == CELL_FAILED_PRECONDITION);
        CHECK_STR(cell_server_message(server), "demo: its functions for methods with bindings are not complete");
        cell_server_free(server);
    }
    demo_free(&d);
    demo_teardown();
}

/* ---- how long they are kept ---- */

TEST(who_comes_back_finds_what_was_bound)
{
    struct demo_server d = {0};
    bound_setup(&d, true);
    for (int i = 0; i < 3; i++)
        insert_once(7, NULL);
    insert_once(7, d.server); /* whatever carries the calls, it is the same schema */
    CHECK(atomic_load(&seen.binds) == 1 && atomic_load(&seen.alive) == 1);
    insert_once(8, NULL);
    CHECK(atomic_load(&seen.binds) == 2);
    bound_teardown(&d, true);
}

TEST(schemas_that_nobody_uses_are_dropped_the_longest_unused_first)
{
    struct demo_server d = {0};
    struct program used;
    bound_setup(&d, false);
    begin_numbered(&used, 1000);
    open_program(&used, d.server);
    CHECK(insert(&used) == 3);
    for (unsigned i = 0; i < 64; i++)
        insert_once(i, d.server);
    CHECK(atomic_load(&seen.binds) == 65 && atomic_load(&seen.unbinds) == 0);
    insert_once(0, d.server); /* it was the first, and is the last now */
    insert_once(64, d.server);
    CHECK(atomic_load(&seen.binds) == 66 && atomic_load(&seen.unbinds) == 1);
    insert_once(0, d.server);
    CHECK(atomic_load(&seen.binds) == 66);
    insert_once(1, d.server);
    CHECK(atomic_load(&seen.binds) == 67 && atomic_load(&seen.unbinds) == 2);
    CHECK(insert(&used) == 3 && atomic_load(&seen.binds) == 67);
    close_program(&used);
    end_program(&used);
    bound_teardown(&d, false);
}

TEST(connections_that_come_and_go_with_ever_new_schemas_leave_nothing_behind)
{
    struct demo_server d = {0};
    bound_setup(&d, true);
    for (unsigned i = 0; i < 200; i++)
        insert_once(i, NULL);
    CHECK(atomic_load(&seen.binds) == 200);
    for (int i = 0; i < 20000 && atomic_load(&seen.alive) > 64; i++)
        usleep(1000); /* the server sees the end of a connection somewhat later */
    CHECK(atomic_load(&seen.alive) <= 64);
    bound_teardown(&d, true);
}

#define MANY 100u

TEST(a_program_with_many_schemas_keeps_a_connection_for_each)
{
    struct demo_server d = {0};
    struct program programs[MANY];
    struct cell_client *client = NULL;
    bound_setup(&d, true);
    cell_ctx *c = demo_ctx(&client);
    for (int round = 0; round < 3; round++)
        for (unsigned i = 0; i < MANY; i++) {
            if (round == 0) {
                begin_numbered(&programs[i], i);
                free(embed_schema(&programs[i].service, programs[i].fingerprint));
                programs[i].c = c;
            }
            CHECK(insert(&programs[i]) == 3);
        }
    CHECK(atomic_load(&d.server->counters.connections) == MANY);
    CHECK(atomic_load(&seen.binds) == (int)MANY);
    cell_ctx_close(c);
    cell_client_close(client);
    for (unsigned i = 0; i < MANY; i++)
        end_program(&programs[i]);
    bound_teardown(&d, true);
}

/* ---- what bounds those in use ---- */

#define BIG_METHODS 40u

/* Some megabytes of schema. */
static void begin_big(struct program *p, unsigned i, const char *text)
{
    begin_program(p, BIG_METHODS + 1);
    for (uint32_t k = 0; k <= BIG_METHODS; k++) {
        snprintf(p->names[k], sizeof(p->names[k]), "row_%u_%03u", i, k);
        p->methods[k] = row_methods[row_wait];
        p->methods[k].name = p->names[k];
        p->methods[k].binding = k ? text : "wait";
    }
}

static int wait_none(struct program *p) { return cell_call(p->c, &p->service, 0, &(uint64_t){0}, NULL); }

TEST(the_schemas_of_one_user_count_as_his_memory_once_each)
{
    struct demo_server d = {.options = {.max_message = 1u << 16, .max_bytes_per_uid = 1}}; /* that is 8 MiB */
    struct program programs[20], again[4];
    char *text = malloc(50001);
    unsigned n = 0;
    int r = 0;
    int32_t sum;
    struct cell_client *client = NULL;
    memset(text, 'x', 50000);
    text[50000] = '\0';
    bound_setup(&d, true);
    cell_ctx *c = demo_ctx(&client);
    CHECK(call_add(c, 1, 2, &sum) == 0); /* while it is connected the server knows the user */
    for (; n < 20 && r >= 0; n++) {
        begin_big(&programs[n], n, text);
        open_program(&programs[n], NULL);
        r = wait_none(&programs[n]);
    }
    CHECK(r == CELL_RESOURCE_EXHAUSTED && n > 2 && n <= 5);
    CHECK(strstr(cell_ctx_message(programs[n - 1].c), "limit"));
    for (int i = 0; i < 4; i++) { /* what is there already costs nothing */
        begin_big(&again[i], 0, text);
        open_program(&again[i], NULL);
        CHECK(wait_none(&again[i]) == 0);
        close_program(&again[i]);
        end_program(&again[i]);
    }
    for (unsigned i = 0; i < n - 1; i++) {
        CHECK(wait_none(&programs[i]) == 0);
        close_program(&programs[i]);
        end_program(&programs[i]);
    }
    for (int i = 0; i < 20000 && r != 0; i++) { /* given back, as soon as the server has seen that they are gone */
        r = wait_none(&programs[n - 1]);
        usleep(r ? 1000 : 0);
    }
    CHECK(r == 0);
    close_program(&programs[n - 1]);
    end_program(&programs[n - 1]);
    free(text);
    cell_ctx_close(c);
    cell_client_close(client);
    bound_teardown(&d, true);
}

TEST(counters_have_a_bounded_number_of_names)
{
    struct demo_server d = {0};
    struct program p;
    uint32_t n = CELL_MAX_BOUND_COUNTERS + 10;
    bound_setup(&d, false);
    begin_program(&p, n);
    for (uint32_t i = 0; i < n; i++) {
        snprintf(p.names[i], sizeof(p.names[i]), "row_%05u", i);
        p.methods[i] = row_methods[row_wait];
        p.methods[i].name = p.names[i];
    }
    open_program(&p, d.server);
    for (uint32_t i = 0; i < n; i++)
        CHECK(cell_call(p.c, &p.service, i, &(uint64_t){0}, NULL) == 0);
    CHECK(d.server->nbound_counters == CELL_MAX_BOUND_COUNTERS + 1);
    const struct bound_counters *k = d.server->bound_counters;
    CHECK_STR(k->name, CELL_OTHER_METHODS);
    CHECK(counted_calls(d.server, &k->counters, false) == 10 && counted_calls(d.server, &k->counters, true) == 10);
    close_program(&p);
    end_program(&p);
    bound_teardown(&d, false);
}

/* ---- hostile clients ---- */

static int welcome(int fd, char message[1024])
{
    struct cell_frame f;
    uint8_t *payload = NULL;
    if (!raw_recv(fd, &f, &payload) || f.kind != CELL_FRAME_WELCOME) {
        free(payload);
        return 1;
    }
    snprintf(message, 1024, "%s", raw_meta(&f, payload, CELL_META_MESSAGE));
    free(payload);
    return f.code;
}

static int send_schema(int fd, const char *json, char message[1024])
{
    CHECK(raw_hello(fd, CELL_CHANNEL_APP, "demo", "0000000000000000000000000000000000000000000000000000000000000000",
                    "lp64-le"));
    CHECK(welcome(fd, message) == 0);
    CHECK(raw_send(fd, (struct cell_frame){.kind = CELL_FRAME_SCHEMA}, NULL, 0, json, strlen(json)));
    return welcome(fd, message);
}

#define SCHEMA(method)                                                                                                 \
    "{\"schema\":\"cell.schema/1\",\"cell\":\"demo\",\"abi\":\"lp64-le\",\"types\":[{\"name\":\"row\",\"kind\":"       \
    "\"struct\",\"size\":8,\"align\":8,\"fields\":[{\"name\":\"id\",\"type\":\"u64\",\"offset\":0}]}],\"methods\":["   \
    "{\"name\":\"row_wait\"," method "}]}"

TEST(schemas_that_are_not_as_they_must_be_are_refused)
{
    static const struct {
        const char *json, *message;
    } bad[] = {
        {SCHEMA("\"binding\":\"\""), "methods[0].binding: a binding has 1 to 65536 bytes, not 0"},
        {SCHEMA("\"binding\":[]"), "methods[0].binding: a string is expected, not an array"},
        {SCHEMA("\"params\":[{\"name\":\"row\",\"type\":\"row\",\"dir\":\"inout\",\"pointer\":true}]"),
         "methods[0].params[0].dir: only a method with a binding has \"inout\" parameters"},
        {SCHEMA("\"binding\":\"wait\\u0000\""), "NUL"},
    };
    struct demo_server d = {0};
    char message[1024];
    bound_setup(&d, true);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int fd = raw_connect();
        CHECK(send_schema(fd, bad[i].json, message) == CELL_PROTOCOL_ERROR);
        CHECK(strstr(message, bad[i].message));
        CHECK(raw_ended(fd));
        close(fd);
    }
    CHECK(atomic_load(&seen.binds) == 0);
    bound_teardown(&d, true);
}

TEST(a_broken_request_binds_nothing_and_the_connection_goes_on)
{
    struct demo_server d = {0};
    char message[1024];
    struct cell_frame f;
    uint8_t *payload = NULL;
    static const uint64_t good[2] = {UINT64_C(8) << 32 | 16, 0};
    static const uint64_t broken[2] = {UINT64_C(64) << 32 | 16, 0};
    bound_setup(&d, true);
    int fd = raw_connect();
    CHECK(send_schema(fd, SCHEMA("\"binding\":\"wait\",\"params\":[{\"name\":\"n\",\"type\":\"u64\",\"dir\":\"in\"}]"),
                      message) == 0);
    CHECK(raw_send(fd, (struct cell_frame){.kind = CELL_FRAME_CALL, .id = 1}, NULL, 0, broken, sizeof(broken)));
    REQUIRE(raw_recv(fd, &f, &payload));
    CHECK(f.kind == CELL_FRAME_REPLY && f.code == CELL_PROTOCOL_ERROR && atomic_load(&seen.binds) == 0);
    free(payload);
    CHECK(raw_send(fd, (struct cell_frame){.kind = CELL_FRAME_CALL, .id = 2}, NULL, 0, good, sizeof(good)));
    REQUIRE(raw_recv(fd, &f, &payload));
    CHECK(f.kind == CELL_FRAME_REPLY && f.code == 0 && f.id == 2 && atomic_load(&seen.binds) == 1);
    free(payload);
    close(fd);
    bound_teardown(&d, true);
}
