/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Replies that are held, and lent requests, while others call, and when the other side dies, lies or was forked from.
 */
#include "in_place_fixture.h"

#include <poll.h>

enum { THREADS = 32, CALLS = 150 };

/* ---- others go on ---- */

struct caller {
    struct cell_client *client;
    pthread_t thread;
    int made;
};

static void *call_often(void *arg)
{
    struct caller *k = arg;
    const struct cell_ctx_options options = {.client = k->client, .timeout_ms = 60000};
    cell_ctx *c = cell_ctx_open(&options);
    struct echo_out o;
    for (int i = 0; i < CALLS; i++) {
        int32_t sum = 0;
        CHECK(call_add(c, i, 7, &sum) == CELL_OK && sum == i + 7);
        if (i % 10 == 0)
            CHECK(send_echo(c, LARGE_TEXT(8192), &o) == CELL_OK && is_filled(o.data.ptr, 8192, 'd'));
        cell_ctx_reset(c);
        k->made++;
    }
    cell_ctx_close(c);
    return NULL;
}

TEST(one_thread_of_thirty_two_holds_a_reply_and_delays_nobody)
{
    struct lending l;
    struct cell_client *client;
    struct caller callers[THREADS - 1] = {{0}};
    struct echo_out o;
    lending_start(&l);
    cell_ctx *c = lending_ctx(&client);
    REQUIRE(send_echo(c, LARGE_TEXT(SIZE), &o) == CELL_OK);
    REQUIRE(held_conn(c));
    for (int i = 0; i < THREADS - 1; i++) {
        callers[i].client = client;
        CHECK(pthread_create(&callers[i].thread, NULL, call_often, &callers[i]) == 0);
    }
    /* They end although it is held all the time. */
    for (int i = 0; i < THREADS - 1; i++) {
        pthread_join(callers[i].thread, NULL);
        CHECK(callers[i].made == CALLS);
    }
    CHECK(is_filled((const uint8_t *)o.text.ptr, SIZE, 't') && is_filled(o.data.ptr, SIZE, 'd'));
    cell_release(c);
    CHECK(send_echo(c, LARGE_TEXT(SIZE), &o) == CELL_OK);
    lending_stop(&l, c, client);
}

TEST(a_server_that_stops_is_not_kept_by_a_reply_that_is_held)
{
    struct lending l;
    struct cell_client *client;
    struct echo_out o;
    lending_start(&l);
    cell_ctx *c = lending_ctx(&client);
    REQUIRE(send_echo(c, LARGE_TEXT(SIZE), &o) == CELL_OK);
    demo_stop(&l.d);
    CHECK(is_filled((const uint8_t *)o.text.ptr, SIZE, 't') && is_filled(o.data.ptr, SIZE, 'd'));
    cell_release(c);
    l = (struct lending){.d = {.handlers = lending_table()}};
    demo_start(&l.d);
    CHECK(send_echo(c, LARGE_TEXT(SIZE), &o) == CELL_OK && is_filled(o.data.ptr, SIZE, 'd'));
    lending_stop(&l, c, client);
}

/* What a client holds counts as its user's; more than that is not lent in shared memory, or refused, and comes back. */
TEST(what_is_held_counts_and_other_calls_go_on_at_the_limit)
{
    struct lending l = {
        .d = {.handlers = lending_table(), .options = {.max_bytes_per_uid = 4u << 20, .max_message = 1u << 20}}};
    struct cell_client *client;
    cell_ctx *contexts[24];
    struct echo_out o;
    int held = 0, refused = 0;
    demo_setup();
    demo_start(&l.d);
    cell_ctx *c = lending_ctx(&client);
    const struct cell_ctx_options options = {.client = client, .timeout_ms = 60000};
    for (int i = 0; i < 24; i++) {
        int32_t sum = 0;
        contexts[i] = cell_ctx_open(&options);
        int r = call_add(contexts[i], 1, 2, &sum);
        CHECK(r == CELL_OK && sum == 3);
        r = send_echo(contexts[i], LARGE_TEXT(100000), &o);
        held += r == CELL_OK;
        refused += r == CELL_RESOURCE_EXHAUSTED;
        if (r == CELL_OK)
            CHECK(is_filled((const uint8_t *)o.text.ptr, 100000, 't') && is_filled(o.data.ptr, 100000, 'd'));
    }
    CHECK(held + refused == 24 && held >= 4);
    CHECK(send_echo(c, LARGE_TEXT(100), &o) == CELL_OK);
    for (int i = 0; i < 24; i++)
        cell_ctx_close(contexts[i]);
    cell_release(c);
    CHECK(send_echo(c, LARGE_TEXT(100000), &o) == CELL_OK && is_filled(o.data.ptr, 100000, 'd'));
    lending_stop(&l, c, client);
}

/* ---- death ---- */

/* Its demo_echo answers what it got, from private memory: here only the client is looked at. */
static pid_t fork_server(void)
{
    pid_t pid = demo_fork((struct cell_server_options){.address = demo_address});
    free(embed_schema(&demo, demo_fingerprint));
    return pid;
}

TEST(a_reply_outlives_the_server_that_sent_it)
{
    struct cell_client *client;
    struct echo_out o;
    int32_t sum;
    demo_setup();
    pid_t pid = fork_server();
    cell_ctx *c = lending_ctx(&client);
    REQUIRE(send_echo2(c, LARGE_TEXT(SIZE), (cell_bytes){(const uint8_t *)LARGE_TEXT(SIZE).ptr, SIZE}, &o) == CELL_OK);
    CHECK(lies_in_peers_memory(held_conn(c), o.data.ptr));
    kill(pid, SIGKILL);
    demo_wait(pid);
    CHECK(is_filled((const uint8_t *)o.text.ptr, SIZE, 'x') && is_filled(o.data.ptr, SIZE, 'x'));
    CHECK(call_add(c, 1, 1, &sum) == CELL_UNAVAILABLE);
    CHECK(is_filled((const uint8_t *)o.text.ptr, SIZE, 'x') && is_filled(o.data.ptr, SIZE, 'x'));
    cell_release(c);
    CHECK(send_echo(c, LARGE_TEXT(SIZE), &o) == CELL_UNAVAILABLE && !c->nheld);
    pid = fork_server();
    CHECK(send_echo(c, LARGE_TEXT(SIZE), &o) == CELL_OK && o.text.len == SIZE);
    kill(pid, SIGKILL);
    demo_wait(pid);
    cell_ctx_close(c);
    cell_client_close(client);
    demo_teardown();
}

TEST(a_request_is_sent_to_another_server_from_the_memory_of_a_connection_that_died)
{
    struct cell_client *client;
    struct echo_out o;
    demo_setup();
    pid_t pid = fork_server();
    cell_ctx *c = lending_ctx(&client);
    for (int i = 0; i < 3; i++) {
        uint8_t *lent = begin_echo(c, SIZE);
        REQUIRE(lent && own_memory(c->lend.conn, lent));
        memset(lent, 'k' + i, SIZE);
        kill(pid, SIGKILL);
        demo_wait(pid);
        pid = fork_server();
        REQUIRE(send_echo2(c, (cell_str){(char *)lent, SIZE}, (cell_bytes){NULL, 0}, &o) == CELL_OK);
        CHECK(o.text.len == SIZE && is_filled((const uint8_t *)o.text.ptr, SIZE, (uint8_t)('k' + i)));
        CHECK(!c->lend.conn && !c->lend.lost);
        cell_release(c);
        for (int k = 0; k < 3; k++) {
            CHECK(send_echo(c, LARGE_TEXT(10), &o) == CELL_OK);
            cell_release(c);
        }
    }
    kill(pid, SIGKILL);
    demo_wait(pid);
    uint8_t *lent = begin_echo(c, SIZE);
    REQUIRE(lent); /* the call will tell that there is no server */
    memset(lent, 'm', SIZE);
    CHECK(send_echo2(c, (cell_str){(char *)lent, SIZE}, (cell_bytes){NULL, 0}, &o) == CELL_UNAVAILABLE);
    CHECK(!c->lend.begun && !c->nheld);
    cell_ctx_close(c);
    cell_client_close(client);
    demo_teardown();
}

/* ---- fork ---- */

TEST(a_child_of_fork_gives_up_what_its_parent_holds_and_calls_for_itself)
{
    struct lending l;
    struct cell_client *client;
    struct echo_out o, other;
    lending_start(&l);
    cell_ctx *c = lending_ctx(&client);
    REQUIRE(send_echo(c, LARGE_TEXT(SIZE), &o) == CELL_OK);
    uint8_t *lent = begin_echo(c, SIZE);
    REQUIRE(lent);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        int32_t sum = 0;
        cell_release(c);
        bool good = call_add(c, 20, 22, &sum) == CELL_OK && sum == 42;
        good &= send_echo(c, LARGE_TEXT(SIZE), &other) == CELL_OK && is_filled(other.data.ptr, SIZE, 'd');
        cell_ctx_close(c);
        _exit(good ? 0 : 1);
    }
    CHECK(demo_wait(pid) == 0);
    CHECK(is_filled((const uint8_t *)o.text.ptr, SIZE, 't') && is_filled(o.data.ptr, SIZE, 'd'));
    memset(lent, 'f', SIZE);
    cell_held_end(c, 0);
    CHECK(send_echo2(c, (cell_str){(char *)lent, SIZE}, (cell_bytes){NULL, 0}, &other) == CELL_OK);
    CHECK(atomic_load(&seen_text) == 'f');
    lending_stop(&l, c, client);
}

/* ---- cancelling ---- */

TEST(cancelling_leaves_what_is_held_alone)
{
    struct lending l;
    struct cell_client *client;
    struct echo_out o, other;
    pthread_t thread;
    lending_start(&l);
    cell_ctx *c = lending_ctx(&client);
    REQUIRE(send_echo(c, LARGE_TEXT(SIZE), &o) == CELL_OK);
    CHECK(pthread_create(&thread, NULL, cancel_when_entered, c) == 0);
    CHECK(call_block(c, BLOCK_CANCEL) == CELL_CANCELLED);
    pthread_join(thread, NULL);
    CHECK(is_filled((const uint8_t *)o.text.ptr, SIZE, 't') && is_filled(o.data.ptr, SIZE, 'd'));
    cell_release(c);
    CHECK(send_echo(c, LARGE_TEXT(SIZE), &o) == CELL_OK);
    cell_release(c);
    cell_ctx_cancel(c);
    uint8_t *lent = begin_echo(c, SIZE);
    CHECK(lent != NULL);
    CHECK(send_echo2(c, (cell_str){(char *)lent, SIZE}, (cell_bytes){NULL, 0}, &other) == CELL_CANCELLED);
    CHECK(!c->nheld && !c->lend.begun);
    CHECK(send_echo(c, LARGE_TEXT(SIZE), &o) == CELL_OK);
    lending_stop(&l, c, client);
}
