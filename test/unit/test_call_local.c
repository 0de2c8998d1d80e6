/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Clients without a socket, and interceptors on both sides. */
#include "call_fixture.h"

/* ---- fake ---- */

static int fake_answer(cell_ctx *c, const char *method, const void *in, void *const *out, void *user)
{
    cell_str value;
    ++*(int *)user;
    if (strcmp(method, "demo_add") == 0) {
        const struct add_in *i = in;
        cell_fail(c, CELL_ABORTED, "to be forgotten");
        cell_ctx_reset(c); /* leaves the request and the reply */
        CHECK(cell_ctx_status(c) == CELL_OK);
        *(int32_t *)out[0] = i->a * i->b;
        return 3;
    }
    if (strcmp(method, "demo_echo") == 0) {
        const struct echo_in *i = in;
        struct echo_out *o = out[0];
        CHECK(i->text.ptr[i->text.len] == '\0');
        if (cell_ctx_metadata(c, "k", &value) < 0)
            return cell_fail(c, CELL_INVALID_ARGUMENT, "no metadata");
        o->text = cell_ctx_printf(c, "%s+%s", i->text.ptr, value.ptr);
        cell_ctx_set_metadata(c, "reply", CELL_STR("yes"));
        return 0;
    }
    if (strcmp(method, "demo_rich") == 0) {
        ((struct account *)out[0])->email = (cell_str){"\xff", 1};
        return 0;
    }
    cell_add_detail(c, "why", (cell_bytes){(const uint8_t *)"x", 1});
    return cell_fail(c, CELL_ALREADY_EXISTS, "fake");
}

TEST(a_fake_answers_like_a_handler)
{
    struct cell_client *client = NULL;
    int calls = 0;
    int32_t sum = 0;
    free(embed_schema(&demo, demo_fingerprint));
    CHECK(cell_client_fake(fake_answer, &calls, &client) == CELL_OK);
    const struct cell_ctx_options options = {.client = client};
    cell_ctx *c = cell_ctx_open(&options);
    CHECK(call_add(c, 6, 7, &sum) == 3 && sum == 42);
    char text[] = {'h', 'i', '!'};
    struct echo_out o = {.calls = 9};
    CHECK(call_echo(c, (cell_str){text, 2}, (cell_bytes){NULL, 0}, &o) == CELL_INVALID_ARGUMENT);
    CHECK_STR(cell_ctx_message(c), "no metadata");
    CHECK(o.calls == 9);
    cell_ctx_set_metadata(c, "k", CELL_STR("v"));
    CHECK(call_echo(c, (cell_str){text, 2}, (cell_bytes){NULL, 0}, &o) == 0);
    CHECK_STR(o.text.ptr, "hi+v");
    cell_str value;
    CHECK(cell_ctx_metadata(c, "reply", &value) == CELL_OK);
    CHECK_STR(value.ptr, "yes");
    cell_bytes detail;
    CHECK(call_fail(c, -1, "") == CELL_ALREADY_EXISTS);
    CHECK_STR(cell_ctx_message(c), "fake");
    CHECK(cell_detail(c, "why", &detail) == CELL_OK && detail.len == 1);
    struct account a = {.id = 5}, back = {.id = 6};
    CHECK(call_rich(c, &a, &back) == CELL_INTERNAL); /* what a handler must not answer */
    CHECK(back.id == 6 && strstr(cell_ctx_message(c), "out[0].email") == NULL);
    CHECK(strstr(cell_ctx_message(c), "UTF-8"));
    CHECK(call_echo(c, (cell_str){"\xff", 1}, (cell_bytes){NULL, 0}, &o) == CELL_INVALID_ARGUMENT);
    CHECK(calls == 5);
    cell_ctx_cancel(c);
    CHECK(call_add(c, 1, 1, &sum) == CELL_CANCELLED && calls == 5);
    cell_ctx_close(c);
    cell_client_close(client);
    CHECK(cell_client_fake(NULL, NULL, &client) == CELL_INVALID_ARGUMENT);
}

/* ---- in process ---- */

TEST(an_in_process_client_runs_the_servers_handlers)
{
    struct demo_server d = {.options = {.user = (void *)(uintptr_t)"local", .max_message = 1u << 16}};
    struct cell_client *client = NULL;
    pthread_t thread;
    int32_t sum = 0;
    demo_setup();
    demo_new(&d);
    CHECK(cell_client_in_process(d.server, &client) == CELL_OK);
    const struct cell_ctx_options options = {.client = client, .timeout_ms = 60000};
    cell_ctx *c = cell_ctx_open(&options);
    CHECK(call_add(c, 40, 2, &sum) == 0 && sum == 42);
    static uint8_t data[1u << 16];
    struct echo_out echoed;
    CHECK(call_echo(c, CELL_STR(""), (cell_bytes){data, sizeof(data)}, &echoed) == CELL_TOO_LARGE);
    CHECK_STR(cell_ctx_message(c), "the request is larger than the cell's limit"); /* as over a socket */
    struct account a = {.id = 1, .email = CELL_STR("ada")}, back;
    CHECK(call_rich(c, &a, &back) == 0 && back.id == 2);
    CHECK_STR(back.email.ptr, "<ada>");
    cell_str value = {0}, user = {0};
    cell_ctx_set_metadata(c, "tenant", CELL_STR("acme"));
    CHECK(call_meta(c, "tenant", &value) == 0);
    CHECK_STR(value.ptr, "acme");
    CHECK(cell_ctx_metadata(c, "user", &user) == CELL_OK);
    CHECK_STR(user.ptr, "local");
    cell_bytes detail;
    CHECK(call_fail(c, CELL_NOT_FOUND, "none") == CELL_NOT_FOUND);
    CHECK_STR(cell_ctx_message(c), "while failing: none");
    CHECK(cell_detail(c, "reason", &detail) == CELL_OK);
    pthread_create(&thread, NULL, cancel_when_entered, c);
    CHECK(call_block(c, BLOCK_CANCEL) == CELL_CANCELLED);
    pthread_join(thread, NULL);
    cell_ctx_set_timeout_ms(c, 5);
    CHECK(call_block(c, BLOCK_CANCEL) == CELL_DEADLINE_EXCEEDED);
    cell_ctx_set_timeout_ms(c, 60000);
    struct cell_service other = demo;
    other.name = "auth";
    CHECK(cell_call(c, &other, 0, &(struct add_in){1, 2}, (void *[]){&sum}) == CELL_NOT_FOUND);
    const struct cell_method methods[] = {
        {"demo_add", add_in_fields, sum_out_fields, 2, 1, 8, CELL_METHOD_IDEMPOTENT, NULL},
        {"demo_zap", add_in_fields, NULL, 2, 0, 8, 0, NULL}};
    char fingerprint[65];
    struct cell_service old = {CELL_DESC_ABI, 2, "demo", fingerprint, methods, NULL, NULL};
    free(embed_schema(&old, fingerprint));
    CHECK(cell_call(c, &old, 0, &(struct add_in){1, 2}, (void *[]){&sum}) == 0 && sum == 3);
    CHECK(cell_call(c, &old, 1, &(struct add_in){1, 2}, NULL) == CELL_SCHEMA_MISMATCH);
    CHECK(strstr(cell_ctx_message(c), "'demo_zap' no longer exists in Demo Cell"));
    cell_ctx_close(c);
    cell_client_close(client);
    demo_free(&d);
    demo_teardown();
}

/* ---- interceptors ---- */

static char trace[256];

static int tracer(cell_ctx *c, const struct cell_call_info *info, struct cell_chain *chain, void *user)
{
    strcat(trace, (const char *)user);
    CHECK_STR(info->cell, "demo");
    CHECK(info->nout == 1);
    int r = cell_next(c, chain);
    strcat(trace, (const char *)user);
    return r;
}

static int authenticate(cell_ctx *c, const struct cell_call_info *info, struct cell_chain *chain, void *user)
{
    cell_str token;
    (void)user;
    CHECK(info->server_side);
    if (cell_ctx_metadata(c, "token", &token) < 0)
        return cell_fail(c, CELL_UNAUTHENTICATED, "%s needs a token", info->method);
    int r = cell_next(c, chain);
    cell_ctx_set_metadata(c, "checked", CELL_STR("1"));
    return r;
}

static int add_token(cell_ctx *c, const struct cell_call_info *info, struct cell_chain *chain, void *user)
{
    (void)user;
    CHECK(!info->server_side && strcmp(info->method, "demo_add") == 0);
    CHECK(((const struct add_in *)info->in)->a == 40);
    CHECK(cell_ctx_set_metadata(c, "token", CELL_STR("t")) == CELL_OK);
    int r = cell_next(c, chain);
    if (r >= 0)
        *(int32_t *)info->out[0] += 100;
    return r;
}

static int twice(cell_ctx *c, const struct cell_call_info *info, struct cell_chain *chain, void *user)
{
    (void)info, (void)user;
    CHECK(cell_next(c, chain) == 3);
    return cell_next(c, chain);
}

static int answer_itself(cell_ctx *c, const struct cell_call_info *info, struct cell_chain *chain, void *user)
{
    (void)c, (void)chain;
    *(int32_t *)info->out[0] = 5;
    return *(int *)user;
}

TEST(interceptors_run_outermost_first_and_see_and_set_metadata)
{
    struct demo_server d = {0};
    struct cell_client *bare = NULL, *client = NULL;
    int32_t sum = 0;
    cell_str value;
    demo_setup();
    demo_new(&d);
    CHECK(cell_server_intercept(d.server, tracer, (void *)(uintptr_t)"s") == CELL_OK);
    CHECK(cell_server_intercept(d.server, authenticate, NULL) == CELL_OK);
    demo_start(&d);
    cell_ctx *c = demo_ctx(&bare);
    trace[0] = '\0';
    CHECK(call_add(c, 40, 2, &sum) == CELL_UNAUTHENTICATED);
    CHECK_STR(cell_ctx_message(c), "demo_add needs a token");
    CHECK_STR(trace, "ss");
    CHECK(atomic_load(&shared->calls) == 0);
    cell_ctx_close(c);
    c = demo_ctx(&client);
    CHECK(cell_client_intercept(client, tracer, (void *)(uintptr_t)"a") == CELL_OK);
    CHECK(cell_client_intercept(client, add_token, NULL) == CELL_OK);
    CHECK(cell_client_intercept(client, tracer, (void *)(uintptr_t)"b") == CELL_OK);
    trace[0] = '\0';
    CHECK(call_add(c, 40, 2, &sum) == 0 && sum == 142);
    CHECK_STR(trace, "abssba");
    CHECK(cell_ctx_metadata(c, "checked", &value) == CELL_OK);
    cell_ctx_close(c);
    cell_client_close(client);
    cell_client_close(bare);
    demo_stop(&d);
    demo_teardown();
}

static int reset_around(cell_ctx *c, const struct cell_call_info *info, struct cell_chain *chain, void *user)
{
    (void)user;
    cell_ctx_reset(c);
    memset(cell_ctx_alloc(c, 256), 0xff, 256);
    int r = cell_next(c, chain);
    CHECK(*(int32_t *)info->out[0] == 6);
    cell_ctx_reset(c);
    CHECK(cell_ctx_status(c) == CELL_OK);
    memset(cell_ctx_alloc(c, 256), 0xff, 256);
    return r;
}

TEST(an_interceptor_that_resets_the_context_harms_no_reply)
{
    struct cell_client *client = NULL;
    int calls = 0;
    int32_t sum = 0;
    CHECK(cell_client_fake(fake_answer, &calls, &client) == CELL_OK);
    CHECK(cell_client_intercept(client, reset_around, NULL) == CELL_OK);
    const struct cell_ctx_options options = {.client = client, .memory_limit = 4096};
    cell_ctx *c = cell_ctx_open(&options);
    CHECK(call_add(c, 2, 3, &sum) == 3 && sum == 6);
    CHECK(cell_ctx_alloc(c, 3600) == NULL);
    cell_ctx_reset(c); /* after the call it does its work again */
    CHECK(cell_ctx_alloc(c, 3600) != NULL);
    cell_ctx_close(c);
    cell_client_close(client);
}

TEST(an_interceptor_can_answer_itself_but_not_go_on_twice)
{
    struct cell_client *client = NULL;
    int calls = 0, answer = 9;
    int32_t sum = 0;
    CHECK(cell_client_fake(fake_answer, &calls, &client) == CELL_OK);
    CHECK(cell_client_intercept(client, twice, NULL) == CELL_OK);
    const struct cell_ctx_options options = {.client = client};
    cell_ctx *c = cell_ctx_open(&options);
    sum = 77;
    const struct add_in in = {2, 3};
    CHECK(cell_call(c, &demo, demo_add, &in, (void *[]){&sum}) == CELL_FAILED_PRECONDITION);
    CHECK(sum == 77); /* a refusal after the answer still leaves the out parameters */
    cell_ctx_close(c);
    cell_client_close(client);
    CHECK(cell_client_fake(fake_answer, &calls, &client) == CELL_OK);
    CHECK(cell_client_intercept(client, answer_itself, &answer) == CELL_OK);
    const struct cell_ctx_options again = {.client = client};
    c = cell_ctx_open(&again);
    calls = 0;
    CHECK(call_add(c, 2, 3, &sum) == 9 && sum == 5 && calls == 0);
    answer = CELL_ABORTED;
    sum = 8;
    CHECK(call_add(c, 2, 3, &sum) == CELL_ABORTED && sum == 8);
    CHECK_STR(cell_ctx_message(c), "demo_add: aborted by a conflict");
    for (int i = 1; i < 16; i++)
        CHECK(cell_client_intercept(client, answer_itself, &answer) == CELL_OK);
    CHECK(cell_client_intercept(client, answer_itself, &answer) == CELL_RESOURCE_EXHAUSTED);
    cell_ctx_close(c);
    cell_client_close(client);
}
