/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Calls through a socket: what arrives, what comes back, and what happens when it does not. */
#include "call_fixture.h"

TEST(a_call_returns_the_handlers_result_and_its_out_parameters)
{
    struct demo_server d = {0};
    struct cell_client *client = NULL;
    demo_setup();
    demo_start(&d);
    cell_ctx *c = demo_ctx(&client);
    int32_t sum = 0;
    CHECK(call_add(c, 2, 40, &sum) == 0);
    CHECK(sum == 42);
    CHECK(call_add(c, 1000, 1, &sum) == 7);
    CHECK(sum == 1001);
    CHECK(cell_ctx_status(c) == CELL_OK);
    cell_ctx_close(c);
    cell_client_close(client);
    demo_stop(&d);
    CHECK(atomic_load(&shared->started) == 1 && atomic_load(&shared->stopped) == 1);
    CHECK(access(demo_address + 5, F_OK) != 0);
    demo_teardown();
}

TEST(text_bytes_and_nested_values_arrive_and_are_nul_terminated)
{
    struct demo_server d = {0};
    struct cell_client *client = NULL;
    demo_setup();
    demo_start(&d);
    cell_ctx *c = demo_ctx(&client);
    struct echo_out o = {0};
    const uint8_t bytes[] = {0, 255, 3};
    REQUIRE(call_echo(c, CELL_STR("Grüße"), (cell_bytes){bytes, 3}, &o) == 0);
    CHECK_STR(o.text.ptr, "Grüße");
    CHECK(o.data.len == 3 && memcmp(o.data.ptr, bytes, 3) == 0);
    struct tag tags[] = {{CELL_STR("a"), {bytes, 2}, CELL_SOME(CELL_STR("n"))}, {CELL_STR("b"), {NULL, 0}, {0}}};
    struct account a = {.id = 41,
                        .email = CELL_STR("ada@example.org"),
                        .tags = {tags, 2},
                        .age = CELL_SOME(36),
                        .bits = {1, 0, 1}},
                   back;
    REQUIRE(call_rich(c, &a, &back) == 0);
    CHECK(back.id == 42 && back.age.has && back.age.value == 36 && back.bits[2]);
    CHECK_STR(back.email.ptr, "<ada@example.org>");
    CHECK(back.tags.len == 2 && back.tags.ptr[0].note.has);
    CHECK_STR(back.tags.ptr[0].note.value.ptr, "n");
    cell_ctx_close(c);
    cell_client_close(client);
    demo_stop(&d);
    demo_teardown();
}

TEST(messages_up_to_the_limit_pass_and_larger_ones_are_refused_before_they_are_sent)
{
    struct demo_server d = {.options.max_message = 3u << 20};
    struct cell_client *client = NULL;
    demo_setup();
    demo_start(&d);
    cell_ctx *c = demo_ctx(&client);
    struct echo_out o = {0};
    uint8_t *data = calloc(1, 4u << 20);
    data[2999999] = 9;
    REQUIRE(call_echo(c, CELL_STR(""), (cell_bytes){data, 3000000}, &o) == 0);
    CHECK(o.data.len == 3000000 && memcmp(o.data.ptr, data, 3000000) == 0);
    CHECK(call_echo(c, CELL_STR(""), (cell_bytes){data, 4u << 20}, &o) == CELL_TOO_LARGE);
    CHECK(strstr(cell_ctx_message(c), "limit of 3145728"));
    CHECK(o.data.len == 3000000);
    CHECK(call_echo(c, CELL_STR("on"), (cell_bytes){NULL, 0}, &o) == 0);
    CHECK(o.calls == 2);
    free(data);
    cell_ctx_close(c);
    cell_client_close(client);
    demo_stop(&d);
    demo_teardown();
}

TEST(a_reply_is_held_to_the_limit_together_with_its_metadata)
{
    struct demo_server d = {.options.max_message = 64};
    struct cell_client *client = NULL;
    int32_t sum = 0;
    demo_setup();
    demo_start(&d);
    cell_ctx *c = demo_ctx(&client);
    cell_str value = CELL_STR("mine");
    cell_ctx_set_metadata(c, "k", CELL_STR(""));
    CHECK(call_meta(c, "k", &value) == CELL_TOO_LARGE); /* the handler sets more metadata than that */
    CHECK_STR(value.ptr, "mine");
    CHECK(call_add(c, 1, 2, &sum) == 0 && sum == 3);
    cell_ctx_close(c);
    cell_client_close(client);
    demo_stop(&d);
    demo_teardown();
}

TEST(an_invalid_argument_is_named_and_nothing_is_sent)
{
    struct demo_server d = {0};
    struct cell_client *client = NULL;
    demo_setup();
    demo_start(&d);
    cell_ctx *c = demo_ctx(&client);
    struct echo_out o = {.calls = 77};
    CHECK(call_echo(c, (cell_str){"\xff", 1}, (cell_bytes){NULL, 0}, &o) == CELL_INVALID_ARGUMENT);
    CHECK_STR(cell_ctx_message(c), "demo_echo: text: the text is not valid UTF-8");
    CHECK(o.calls == 77);
    CHECK(cell_call(c, &demo, DEMO_COUNT, NULL, NULL) == CELL_INVALID_ARGUMENT);
    CHECK(call_add(c, 1, 2, NULL) == CELL_INVALID_ARGUMENT);
    CHECK_STR(cell_ctx_message(c), "demo_add: out: NULL where the reply belongs");
    CHECK(atomic_load(&shared->calls) == 0);
    cell_ctx_close(c);
    cell_client_close(client);
    demo_stop(&d);
    demo_teardown();
}

TEST(an_error_brings_its_trail_details_and_metadata_and_leaves_out_parameters)
{
    struct demo_server d = {0};
    struct cell_client *client = NULL;
    demo_setup();
    demo_start(&d);
    cell_ctx *c = demo_ctx(&client);
    cell_bytes detail;
    cell_str value;
    CHECK(call_fail(c, CELL_NOT_FOUND, "no account 7") == CELL_NOT_FOUND);
    CHECK(cell_ctx_status(c) == CELL_NOT_FOUND);
    CHECK_STR(cell_ctx_message(c), "while failing: no account 7");
    CHECK(cell_detail(c, "reason", &detail) == CELL_OK && detail.len == 3 && detail.ptr[2] == 2);
    CHECK(cell_detail(c, "other", &detail) == CELL_NOT_FOUND);
    CHECK(cell_ctx_metadata(c, "retry-after", &value) == CELL_OK);
    CHECK_STR(value.ptr, "30");
    CHECK(cell_trail(c, CELL_NOT_FOUND, "renewing %d", 1) == CELL_NOT_FOUND);
    CHECK_STR(cell_ctx_message(c), "renewing 1: while failing: no account 7");
    cell_ctx_reset(c);
    CHECK(cell_ctx_status(c) == CELL_OK && cell_ctx_metadata(c, "retry-after", &value) == CELL_NOT_FOUND);
    CHECK_STR(cell_ctx_message(c), "");
    CHECK(call_fail(c, CELL_ABORTED, "") == CELL_ABORTED);
    CHECK_STR(cell_ctx_message(c), cell_status_text(CELL_ABORTED));
    CHECK(call_fail(c, -77, "") == CELL_UNKNOWN);
    CHECK(call_fail(c, 5, "") == 5);
    cell_ctx_close(c);
    cell_client_close(client);
    demo_stop(&d);
    demo_teardown();
}

TEST(metadata_travels_both_ways_and_the_handler_knows_its_caller)
{
    struct demo_server d = {.options.user = (void *)(uintptr_t)"the user"};
    struct cell_client *client = NULL;
    demo_setup();
    demo_start(&d);
    cell_ctx *c = demo_ctx(&client);
    cell_str value = {0}, got;
    char number[32];
    CHECK(cell_ctx_set_metadata(c, "tenant", CELL_STR("acme")) == CELL_OK);
    CHECK(cell_ctx_set_metadata(c, "other", CELL_STR("x")) == CELL_OK);
    CHECK(cell_ctx_set_metadata(c, "tenant", CELL_STR("umbrella")) == CELL_OK); /* replaces */
    REQUIRE(call_meta(c, "tenant", &value) == 0);
    CHECK_STR(value.ptr, "umbrella");
    CHECK(cell_ctx_metadata(c, "user", &got) == CELL_OK);
    CHECK_STR(got.ptr, "the user");
    snprintf(number, sizeof(number), "%d", (int)getpid());
    CHECK(cell_ctx_metadata(c, "pid", &got) == CELL_OK);
    CHECK_STR(got.ptr, number);
    snprintf(number, sizeof(number), "%u", getuid());
    CHECK(cell_ctx_metadata(c, "uid", &got) == CELL_OK);
    CHECK_STR(got.ptr, number);
    CHECK(cell_ctx_metadata(c, "program", &got) == CELL_OK);
    CHECK_STR(got.ptr, program_invocation_short_name);
    CHECK(cell_ctx_metadata(c, "left", &got) == CELL_OK);
    unsigned long long left = strtoull(got.ptr, NULL, 10);
    CHECK(left > 0 && left <= UINT64_C(60000) * CELL_NS_PER_MS); /* the deadline travels */
    CHECK(call_meta(c, "missing", &value) == CELL_NOT_FOUND);
    CHECK_STR(cell_ctx_message(c), "no metadata 'missing'");
    cell_ctx_set_timeout_ms(c, UINT32_MAX);
    REQUIRE(call_meta(c, "other", &value) == 0);
    CHECK(cell_ctx_metadata(c, "left", &got) == CELL_OK);
    CHECK_STR(got.ptr, "18446744073709551615");
    struct cell_caller caller;
    CHECK(cell_ctx_caller(c, &caller) == CELL_NOT_FOUND);
    CHECK(cell_ctx_user(c) == NULL);
    cell_ctx_close(c);
    cell_client_close(client);
    demo_stop(&d);
    demo_teardown();
}

TEST(the_deadline_ends_a_call_and_the_handler_is_told)
{
    struct demo_server d = {0};
    struct cell_client *client = NULL;
    demo_setup();
    demo_start(&d);
    cell_ctx *c = demo_ctx(&client);
    int32_t sum;
    cell_ctx_set_timeout_ms(c, 30);
    CHECK(call_block(c, BLOCK_CANCEL) == CELL_DEADLINE_EXCEEDED);
    CHECK(cell_ctx_status(c) == CELL_DEADLINE_EXCEEDED);
    wait_sem(&shared->left);
    CHECK(atomic_load(&shared->cancelled) == 1);
    cell_ctx_set_timeout_ms(c, 60000);
    CHECK(call_add(c, 1, 2, &sum) == 0 && sum == 3); /* on another connection */
    cell_ctx_close(c);
    cell_client_close(client);
    demo_stop(&d);
    demo_teardown();
}

TEST(cancelling_from_another_thread_ends_the_call_and_reaches_the_handler)
{
    struct demo_server d = {0};
    struct cell_client *client = NULL;
    pthread_t thread;
    int32_t sum;
    demo_setup();
    demo_start(&d);
    cell_ctx *c = demo_ctx(&client);
    pthread_create(&thread, NULL, cancel_when_entered, c);
    CHECK(call_block(c, BLOCK_CANCEL) == CELL_CANCELLED);
    pthread_join(thread, NULL);
    wait_sem(&shared->left);
    CHECK(atomic_load(&shared->cancelled) == 1);
    CHECK(call_add(c, 1, 2, &sum) == 0 && sum == 3);
    cell_ctx_cancel(c); /* the next one */
    CHECK(call_add(c, 1, 2, &sum) == CELL_CANCELLED);
    CHECK(cell_ctx_status(c) == CELL_CANCELLED);
    CHECK(call_add(c, 2, 2, &sum) == 0 && sum == 4);
    cell_ctx_close(c);
    cell_client_close(client);
    demo_stop(&d);
    demo_teardown();
}

TEST(a_reply_beyond_the_contexts_memory_limit_is_refused)
{
    struct demo_server d = {0};
    struct cell_client *client = NULL;
    demo_setup();
    demo_start(&d);
    CHECK(cell_client_open(demo_address, &client) == CELL_OK);
    const struct cell_ctx_options o = {.client = client, .memory_limit = 100000, .timeout_ms = 60000};
    cell_ctx *c = cell_ctx_open(&o);
    static uint8_t data[200000];
    struct echo_out out = {.calls = 5};
    CHECK(call_echo(c, CELL_STR(""), (cell_bytes){data, sizeof(data)}, &out) == CELL_TOO_LARGE);
    CHECK(strstr(cell_ctx_message(c), "limit of 100000"));
    CHECK(out.calls == 5);
    cell_ctx_reset(c);
    CHECK(call_echo(c, CELL_STR(""), (cell_bytes){data, 50000}, &out) == 0);
    CHECK(cell_ctx_alloc(c, 60000) == NULL);
    cell_ctx_reset(c);
    CHECK(cell_ctx_alloc(c, 60000) != NULL);
    cell_ctx_close(c);
    cell_client_close(client);
    demo_stop(&d);
    demo_teardown();
}

TEST(no_cell_there_is_unavailable_and_names_the_address)
{
    struct cell_client *client = NULL;
    int32_t sum = 3;
    demo_setup();
    free(embed_schema(&demo, demo_fingerprint));
    cell_ctx *c = demo_ctx(&client);
    CHECK(call_add(c, 1, 2, &sum) == CELL_UNAVAILABLE);
    CHECK(strstr(cell_ctx_message(c), "demo.sock") && strncmp(cell_ctx_message(c), "demo: ", 6) == 0);
    CHECK(sum == 3);
    cell_ctx_close(c);
    cell_client_close(client);
    CHECK(cell_client_open("tcp:1.2.3.4", &client) == CELL_INVALID_ARGUMENT);
    CHECK(call_add(NULL, 1, 2, &sum) == CELL_NO_MEMORY);
    demo_teardown();
}
