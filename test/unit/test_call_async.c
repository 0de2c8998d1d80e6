/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Asynchronous calls: tickets, their order, and everything that can go wrong in between. */
#include "call_fixture.h"
#include "async_calls.h"

static int block_async(cell_ctx *c, int32_t how) { return cell_call_async(c, &demo, demo_block, &how, NULL); }
static int fail_async(cell_ctx *c, int32_t status, const char *message)
{
    const struct fail_in in = {status, cell_strz(message)};
    return cell_call_async(c, &demo, demo_fail, &in, NULL);
}

TEST(calls_are_answered_in_whatever_order_they_are_waited_for)
{
    enum { N = 300 }; /* far more than is in flight at once */
    struct demo_server d = {0};
    struct cell_client *client = NULL;
    int tickets[N];
    int32_t sums[N];
    demo_setup();
    demo_start(&d);
    cell_ctx *c = demo_ctx(&client);
    for (int i = 0; i < N; i++) {
        sums[i] = -1;
        tickets[i] = add_async(c, i, 1, &sums[i]);
        REQUIRE(tickets[i] >= 0);
    }
    for (int i = N - 1; i >= 0; i -= 2)
        CHECK(cell_wait(c, tickets[i]) == 0 && sums[i] == i + 1);
    for (int i = 0; i < N; i += 2) {
        CHECK(sums[i] == -1); /* nothing is written before it is waited for */
        CHECK(cell_wait(c, tickets[i]) == 0 && sums[i] == i + 1);
    }
    CHECK(cell_wait(c, add_async(c, 1000, 1, &sums[0])) == 7 && sums[0] == 1001);
    CHECK(atomic_load(&shared->calls) == N + 1);
    CHECK(atomic_load(&shared->most_running) == 1); /* one connection, one after the other */
    cell_ctx_close(c);
    cell_client_close(client);
    demo_stop(&d);
    demo_teardown();
}

TEST(requests_and_replies_beyond_all_buffers_do_not_block_each_other)
{
    enum { N = 40, SIZE = 1 << 20 };
    static uint8_t bytes[SIZE];
    struct demo_server d = {0};
    struct cell_client *client = NULL;
    struct echo_out out[N];
    int tickets[N];
    demo_setup();
    demo_start(&d);
    cell_ctx *c = demo_ctx(&client);
    for (int i = 0; i < N; i++) {
        bytes[0] = (uint8_t)i;
        tickets[i] = echo_async(c, (cell_bytes){bytes, i % 4 ? SIZE : 100}, &out[i]);
        REQUIRE(tickets[i] >= 0);
    }
    for (int i = 0; i < N; i++) {
        REQUIRE(cell_wait(c, tickets[i]) == 0);
        CHECK(out[i].data.len == (i % 4 ? SIZE : 100) && out[i].data.ptr[0] == i && out[i].calls == i + 1);
    }
    cell_ctx_close(c);
    cell_client_close(client);
    demo_stop(&d);
    demo_teardown();
}

TEST(each_ticket_has_its_own_result_and_error)
{
    struct demo_server d = {0};
    struct cell_client *client = NULL;
    int32_t sum[2] = {0, 0}, between = 0;
    cell_bytes detail;
    demo_setup();
    demo_start(&d);
    cell_ctx *c = demo_ctx(&client);
    int first = add_async(c, 1, 2, &sum[0]), bad = fail_async(c, CELL_ABORTED, "too late"),
        last = add_async(c, 3, 4, &sum[1]);
    REQUIRE(first >= 0 && bad >= 0 && last >= 0);
    CHECK(call_add(c, 5, 6, &between) == 0 && between == 11); /* independent of those that are outstanding */
    CHECK(cell_wait(c, last) == 0 && sum[1] == 7);
    CHECK(cell_ctx_status(c) == 0);
    CHECK(cell_wait(c, bad) == CELL_ABORTED);
    CHECK_STR(cell_ctx_message(c), "while failing: too late");
    CHECK(cell_detail(c, "reason", &detail) == CELL_OK && detail.len == 3);
    CHECK(cell_wait(c, first) == 0 && sum[0] == 3);
    CHECK(cell_wait(c, first) == CELL_INVALID_ARGUMENT); /* used up */
    CHECK(cell_wait(c, 12345) == CELL_INVALID_ARGUMENT);
    CHECK(cell_wait(c, CELL_NOT_FOUND) == CELL_NOT_FOUND); /* what an _async call has returned */
    CHECK(cell_wait(NULL, 0) == CELL_NO_MEMORY);
    CHECK(cell_call_async(NULL, &demo, demo_add, NULL, NULL) == CELL_NO_MEMORY);
    CHECK(add_async(c, 1, 1, NULL) == CELL_INVALID_ARGUMENT);
    cell_ctx_close(c);
    cell_client_close(client);
    demo_stop(&d);
    demo_teardown();
}

TEST(a_deadline_ends_one_call_and_leaves_the_others)
{
    struct demo_server d = {0};
    struct cell_client *client = NULL;
    int32_t sum = 0;
    demo_setup();
    demo_start(&d);
    cell_ctx *c = demo_ctx(&client);
    int before = add_async(c, 1, 1, &sum);
    cell_ctx_set_timeout_ms(c, 50);
    int late = block_async(c, BLOCK_DEAF);
    cell_ctx_set_timeout_ms(c, 60000);
    int after = add_async(c, 2, 3, &sum);
    REQUIRE(before >= 0 && late >= 0 && after >= 0);
    CHECK(cell_wait(c, late) == CELL_DEADLINE_EXCEEDED);
    CHECK(cell_wait(c, late) == CELL_INVALID_ARGUMENT);
    atomic_store(&shared->release, 1);
    CHECK(cell_wait(c, after) == 0 && sum == 5);
    CHECK(cell_wait(c, before) == 0 && sum == 2);
    CHECK(atomic_load(&shared->calls) == 3);
    cell_ctx_close(c);
    cell_client_close(client);
    demo_stop(&d);
    demo_teardown();
}

TEST(cancelling_ends_all_that_is_outstanding)
{
    struct demo_server d = {0};
    struct cell_client *client = NULL;
    pthread_t thread;
    int32_t sum = 0;
    demo_setup();
    demo_start(&d);
    cell_ctx *c = demo_ctx(&client);
    int blocked = block_async(c, BLOCK_CANCEL), behind = add_async(c, 1, 2, &sum);
    REQUIRE(blocked >= 0 && behind >= 0);
    pthread_create(&thread, NULL, cancel_when_entered, c);
    CHECK(cell_wait(c, behind) == CELL_CANCELLED && sum == 0);
    CHECK(cell_wait(c, blocked) == CELL_CANCELLED);
    pthread_join(thread, NULL);
    wait_sem(&shared->left);
    CHECK(cell_wait(c, add_async(c, 1, 2, &sum)) == 0 && sum == 3);
    /* While nobody waits: the next wait says so. */
    int ticket = add_async(c, 2, 2, &sum);
    cell_ctx_cancel(c);
    CHECK(cell_wait(c, ticket) == CELL_CANCELLED && sum == 3);
    cell_ctx_cancel(c);
    CHECK(add_async(c, 2, 2, &sum) == CELL_CANCELLED);
    CHECK(call_add(c, 2, 2, &sum) == 0 && sum == 4);
    cell_ctx_close(c);
    cell_client_close(client);
    demo_stop(&d);
    demo_teardown();
}

TEST(what_is_given_up_reaches_the_handler_and_its_ticket_is_gone)
{
    struct demo_server d = {0};
    struct cell_client *client = NULL;
    int32_t sum = 0;
    demo_setup();
    demo_start(&d);
    cell_ctx *c = demo_ctx(&client);
    int blocked = block_async(c, BLOCK_CANCEL);
    wait_sem(&shared->entered);
    cell_ctx_reset(c);
    wait_sem(&shared->left);
    CHECK(atomic_load(&shared->cancelled) == 1);
    CHECK(cell_wait(c, blocked) == CELL_INVALID_ARGUMENT);
    CHECK(block_async(c, BLOCK_CANCEL) >= 0);
    wait_sem(&shared->entered);
    cell_ctx_close(c);
    wait_sem(&shared->left);
    CHECK(atomic_load(&shared->cancelled) == 2);
    c = demo_ctx(&client);
    CHECK(call_add(c, 1, 2, &sum) == 0);
    cell_ctx_close(c);
    cell_client_close(client);
    demo_stop(&d);
    demo_teardown();
}

TEST(a_killed_server_fails_what_it_has_not_answered)
{
    struct cell_client *client = NULL;
    int32_t sum = 0;
    demo_setup();
    pid_t server = demo_fork((struct cell_server_options){0});
    free(embed_schema(&demo, demo_fingerprint));
    cell_ctx *c = demo_ctx(&client);
    int blocked = block_async(c, BLOCK_DEAF), behind = add_async(c, 1, 2, &sum);
    wait_sem(&shared->entered);
    kill(server, SIGKILL);
    demo_wait(server);
    CHECK(cell_wait(c, behind) == CELL_UNKNOWN_OUTCOME);
    CHECK(strstr(cell_ctx_message(c), "may have been executed"));
    CHECK(cell_wait(c, blocked) == CELL_UNKNOWN_OUTCOME);
    CHECK(add_async(c, 1, 2, &sum) == CELL_UNAVAILABLE); /* nobody is there */
    server = demo_fork((struct cell_server_options){0});
    CHECK(cell_wait(c, add_async(c, 1, 2, &sum)) == 0 && sum == 3);
    kill(server, SIGTERM);
    CHECK(demo_wait(server) == 0);
    cell_ctx_close(c);
    cell_client_close(client);
    demo_teardown();
}

TEST(waiting_for_any_returns_what_is_complete_first)
{
    struct demo_server d = {0};
    struct cell_client *clients[2];
    int32_t sum = 0;
    int result = -100;
    demo_setup();
    demo_start(&d);
    cell_ctx *c = demo_ctx(&clients[0]);
    REQUIRE(cell_client_open(demo_address, &clients[1]) == CELL_OK);
    int tickets[2] = {block_async(c, BLOCK_DEAF), -1};
    cell_ctx_set_client(c, clients[1]);
    tickets[1] = add_async(c, 1000, 2, &sum);
    REQUIRE(tickets[0] >= 0 && tickets[1] >= 0);
    CHECK(cell_wait_any(c, tickets, 2, &result) == 1 && result == 7 && sum == 1002);
    atomic_store(&shared->release, 1);
    CHECK(cell_wait_any(c, tickets, 1, &result) == 0 && result == 0);
    /* One that is used up, or was never valid, is complete. */
    CHECK(cell_wait_any(c, tickets, 2, &result) == 0 && result == CELL_INVALID_ARGUMENT);
    atomic_store(&shared->release, 0);
    cell_ctx_set_timeout_ms(c, 50);
    tickets[0] = block_async(c, BLOCK_DEAF);
    CHECK(cell_wait_any(c, tickets, 1, &result) == 0 && result == CELL_DEADLINE_EXCEEDED);
    result = -100;
    CHECK(cell_wait_any(c, tickets, 0, &result) == CELL_INVALID_ARGUMENT);
    CHECK(cell_wait_any(c, NULL, 1, &result) == CELL_INVALID_ARGUMENT && result == -100);
    atomic_store(&shared->release, 1);
    cell_ctx_close(c);
    cell_client_close(clients[0]);
    cell_client_close(clients[1]);
    demo_stop(&d);
    demo_teardown();
}

TEST(a_child_of_fork_waits_for_nothing_of_its_parent)
{
    struct cell_client *client = NULL;
    int32_t sum = 0;
    demo_setup();
    pid_t server = demo_fork((struct cell_server_options){0});
    free(embed_schema(&demo, demo_fingerprint));
    cell_ctx *c = demo_ctx(&client);
    int ticket = add_async(c, 1, 2, &sum);
    REQUIRE(ticket >= 0);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        bool ok = cell_wait(c, ticket) == CELL_UNAVAILABLE && cell_wait(c, add_async(c, 4, 5, &sum)) == 0 && sum == 9;
        _exit(ok ? 0 : 1);
    }
    CHECK(demo_wait(child) == 0);
    CHECK(cell_wait(c, ticket) == 0 && sum == 3);
    kill(server, SIGTERM);
    CHECK(demo_wait(server) == 0);
    cell_ctx_close(c);
    cell_client_close(client);
    demo_teardown();
}

static int fake_add(cell_ctx *c, const char *method, const void *in, void *const *out, void *user)
{
    const struct add_in *i = in;
    (void)user;
    if (strcmp(method, "demo_add") != 0)
        return cell_fail(c, CELL_UNIMPLEMENTED, "no %s here", method);
    *(int32_t *)out[0] = i->a + i->b;
    return 0;
}

TEST(a_fake_answers_tickets_too_and_their_number_is_limited)
{
    enum { MOST = 1024 };
    struct cell_client *client = NULL;
    int32_t sum = 0;
    int tickets[MOST];
    REQUIRE(cell_client_fake(fake_add, NULL, &client) == CELL_OK);
    free(embed_schema(&demo, demo_fingerprint));
    const struct cell_ctx_options o = {.client = client};
    cell_ctx *c = cell_ctx_open(&o);
    int bad = fail_async(c, 1, "");
    CHECK(cell_wait(c, bad) == CELL_UNIMPLEMENTED);
    CHECK_STR(cell_ctx_message(c), "no demo_fail here");
    for (int i = 0; i < MOST; i++)
        REQUIRE((tickets[i] = add_async(c, i, 1, &sum)) >= 0);
    CHECK(add_async(c, 1, 1, &sum) == CELL_RESOURCE_EXHAUSTED);
    CHECK(cell_wait(c, tickets[500]) == 0);
    CHECK(add_async(c, 1, 1, &sum) >= 0);
    cell_ctx_close(c);
    cell_client_close(client);
}
