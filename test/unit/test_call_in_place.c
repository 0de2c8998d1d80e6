/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Requests in lent memory, and replies that are read where they arrived. */
#include "in_place_fixture.h"

/* ---- replies ---- */

TEST(a_reply_is_read_where_the_handler_wrote_it)
{
    struct lending l;
    struct cell_client *client;
    lending_start(&l);
    cell_ctx *c = lending_ctx(&client);
    struct echo_out o;
    REQUIRE(send_echo(c, LARGE_TEXT(SIZE), &o) == CELL_OK);
    CHECK(o.text.len == SIZE && o.data.len == SIZE && is_filled((const uint8_t *)o.text.ptr, SIZE, 't') &&
          is_filled(o.data.ptr, SIZE, 'd'));
    CHECK(lies_in_peers_memory(held_conn(c), o.text.ptr) && lies_in_peers_memory(held_conn(c), o.data.ptr));
    /* What the handler has lent is what the client reads, also what is written there afterwards. */
    last_lent[SIZE / 2] = 'X';
    CHECK(((const volatile char *)o.text.ptr)[SIZE / 2] == 'X');
    cell_release(c);
    CHECK(!c->nheld && !held_conn(c) && c->lease);
    lending_stop(&l, c, client);
}

TEST(a_small_reply_is_a_copy_and_keeps_no_connection)
{
    struct lending l;
    struct cell_client *client;
    lending_start(&l);
    cell_ctx *c = lending_ctx(&client);
    struct echo_out o;
    REQUIRE(send_echo(c, CELL_STR("small"), &o) == CELL_OK);
    CHECK(o.text.len == 5 && strcmp(o.text.ptr, "ttttt") == 0); /* with a NUL */
    CHECK(!c->nheld && c->lease);
    for (int i = 0; i < 50; i++)
        CHECK(send_echo(c, CELL_STR("small"), &o) == CELL_OK);
    lending_stop(&l, c, client);
}

TEST(a_context_holds_replies_and_makes_other_calls_meanwhile)
{
    struct lending l;
    struct cell_client *client;
    lending_start(&l);
    cell_ctx *c = lending_ctx(&client);
    struct echo_out o, other;
    int32_t sum = 0, tickets[20], sums[20];
    REQUIRE(send_echo(c, LARGE_TEXT(SIZE), &o) == CELL_OK);
    for (int i = 0; i < 300; i++)
        CHECK(call_add(c, i, 1, &sum) == CELL_OK && sum == i + 1);
    CHECK(call_echo(c, LARGE_TEXT(SIZE), (cell_bytes){NULL, 0}, &other) == CELL_OK && other.text.len == SIZE);
    for (int i = 0; i < 20; i++) {
        const struct add_in in = {i, 2};
        void *const out[] = {&sums[i]};
        tickets[i] = cell_call_async(c, &demo, demo_add, &in, out);
    }
    for (int i = 0; i < 20; i++)
        CHECK(cell_wait(c, tickets[i]) == CELL_OK && sums[i] == i + 2);
    CHECK(is_filled((const uint8_t *)o.text.ptr, SIZE, 't') && is_filled(o.data.ptr, SIZE, 'd'));
    for (unsigned i = 1; i < CELL_MAX_HELD; i++) {
        CHECK(send_echo(c, LARGE_TEXT(SIZE), &other) == CELL_OK);
        for (unsigned k = 0; k < i; k++)
            CHECK(c->held[k].conn != held_conn(c));
        CHECK(is_filled((const uint8_t *)other.text.ptr, SIZE, 't'));
    }
    int made = atomic_load(&handled);
    CHECK(send_echo(c, LARGE_TEXT(SIZE), &other) == CELL_FAILED_PRECONDITION && atomic_load(&handled) == made);
    CHECK(strstr(cell_ctx_message(c), "holds 16 replies; demo_echo_release gives them back") != NULL);
    CHECK(is_filled((const uint8_t *)o.text.ptr, SIZE, 't') && is_filled(o.data.ptr, SIZE, 'd'));
    cell_release(c);
    CHECK(!c->nheld && send_echo(c, LARGE_TEXT(SIZE), &other) == CELL_OK);
    cell_ctx_reset(c); /* releases as well */
    CHECK(send_echo(c, LARGE_TEXT(SIZE), &other) == CELL_OK);
    lending_stop(&l, c, client); /* and so does closing */
}

TEST(calls_in_a_loop_keep_their_connection_and_its_memory)
{
    struct lending l;
    struct cell_client *client;
    lending_start(&l);
    cell_ctx *c = lending_ctx(&client);
    const struct client_conn *conn = NULL;
    const char *first = NULL;
    struct echo_out o;
    for (int i = 0; i < 3000; i++) {
        REQUIRE(send_echo(c, LARGE_TEXT(8192), &o) == CELL_OK);
        if (i == 0) {
            conn = held_conn(c);
            first = o.text.ptr;
        }
        CHECK(held_conn(c) == conn && o.text.ptr == first);
        cell_ctx_reset(c);
    }
    lending_stop(&l, c, client);
}

TEST(an_error_holds_nothing)
{
    struct lending l;
    struct cell_client *client;
    struct echo_out o = {.calls = 42};
    lending_start(&l);
    cell_ctx *c = lending_ctx(&client);
    for (int i = 0; i < 50; i++) {
        CHECK(send_echo(c, CELL_STR("fail after lending"), &o) == CELL_NOT_FOUND && o.calls == 42);
        CHECK(!c->nheld && !held_conn(c));
    }
    CHECK(send_echo(c, LARGE_TEXT(SIZE), &o) == CELL_OK && is_filled((const uint8_t *)o.text.ptr, SIZE, 't'));
    last_lent[5] = 'Y'; /* what was lent for the errors came back */
    CHECK(((const volatile char *)o.text.ptr)[5] == 'Y');
    lending_stop(&l, c, client);
}

TEST(metadata_of_any_length_leaves_the_reply_in_its_place)
{
    struct lending l;
    struct cell_client *client;
    struct echo_out o;
    char value[40] = "0123456789012345678901234567890123456";
    lending_start(&l);
    cell_ctx *c = lending_ctx(&client);
    for (size_t n = 1; n < 20; n++) {
        cell_str got;
        CHECK(cell_ctx_set_metadata(c, "reply-value", (cell_str){value, n}) == CELL_OK);
        REQUIRE(send_echo(c, LARGE_TEXT(SIZE), &o) == CELL_OK);
        CHECK(lies_in_peers_memory(held_conn(c), o.data.ptr) && is_filled(o.data.ptr, SIZE, 'd'));
        CHECK(last_lent == (uint8_t *)0 || last_lent[0] == 't');
        CHECK(cell_ctx_metadata(c, "reply-value", &got) == CELL_OK && got.len == n && memcmp(got.ptr, value, n) == 0);
        CHECK(cell_ctx_metadata(c, ":pad", &got) == CELL_NOT_FOUND);
        last_lent[7] = (uint8_t)n;
        CHECK(((const volatile char *)o.text.ptr)[7] == (char)n);
        cell_ctx_reset(c);
    }
    lending_stop(&l, c, client);
}

TEST(what_the_handler_lent_too_little_for_is_copied)
{
    struct lending l;
    struct cell_client *client;
    struct echo_out o;
    lending_start(&l);
    cell_ctx *c = lending_ctx(&client);
    /* One byte beside where it could stay: nothing is wrong but the time. */
    REQUIRE(send_echo(c, CELL_STR("odd"), &o) == CELL_OK);
    CHECK(o.text.len == SIZE - 1 && is_filled((const uint8_t *)o.text.ptr, SIZE - 1, 't'));
    CHECK(o.data.len == 3 * SIZE && is_filled(o.data.ptr, 3 * SIZE, 'p'));
    cell_ctx_reset(c);
    CHECK(send_echo(c, LARGE_TEXT(SIZE), &o) == CELL_OK);
    lending_stop(&l, c, client);
}

/* ---- requests ---- */

TEST(a_request_is_sent_from_where_it_was_written)
{
    struct lending l;
    struct cell_client *client;
    struct echo_out o;
    lending_start(&l);
    cell_ctx *c = lending_ctx(&client);
    for (int i = 0; i < 40; i++) {
        uint8_t *lent = begin_echo(c, 2 * SIZE);
        REQUIRE(lent);
        const struct client_conn *conn = c->lend.conn;
        const struct cell_shm_blob_out *blob = own_memory(conn, lent);
        REQUIRE(blob && blob->busy);
        CHECK((uintptr_t)lent % 64 == 0 && !c->lease);
        memset(lent, 'A' + i % 26, SIZE);
        memset(lent + SIZE, 'a', SIZE);
        if (i % 3)
            cell_ctx_set_metadata(c, "some", (cell_str){"metadata", (size_t)i % 8});
        REQUIRE(send_echo2(c, (cell_str){(char *)lent, SIZE}, (cell_bytes){lent + SIZE, SIZE}, &o) == CELL_OK);
        /* The server's handler looked at what came; and the memory was the message's. */
        CHECK(atomic_load(&seen_text) == 'A' + i % 26 && atomic_load(&seen_data) == 'a');
        CHECK(blob->number == conn_of_shm(conn)->out.next - 1 && !blob->busy);
        CHECK(!c->lend.begun && !c->lend.conn);
        cell_ctx_reset(c);
    }
    lending_stop(&l, c, client);
}

TEST(lent_memory_beside_other_values_and_at_odd_places_arrives_as_well)
{
    struct lending l;
    struct cell_client *client;
    struct echo_out o;
    static uint8_t other[SIZE];
    lending_start(&l);
    cell_ctx *c = lending_ctx(&client);
    memset(other, 'o', sizeof(other));
    static const size_t offsets[] = {0, 8, 1, 7, SIZE, 2 * SIZE - 16};
    static const size_t others[] = {0, 1, 3000, 5000, SIZE};
    for (size_t i = 0; i < 6; i++)
        for (size_t k = 0; k < 5; k++) {
            uint8_t *lent = begin_echo(c, 2 * SIZE);
            REQUIRE(lent);
            size_t len = 2 * SIZE - offsets[i] < SIZE ? 2 * SIZE - offsets[i] : SIZE;
            memset(lent, 'z', 2 * SIZE);
            memset(lent + offsets[i], 'l', len);
            REQUIRE(send_echo2(c, (cell_str){(char *)lent + offsets[i], len}, (cell_bytes){other, others[k]}, &o) ==
                    CELL_OK);
            CHECK(atomic_load(&seen_text) == 'l' && atomic_load(&seen_text_len) == len);
            CHECK(atomic_load(&seen_data_len) == others[k] && (!others[k] || atomic_load(&seen_data) == 'o'));
            cell_ctx_reset(c);
        }
    lending_stop(&l, c, client);
}

TEST(wrong_use_is_told_and_changes_nothing)
{
    struct lending l;
    struct cell_client *client;
    struct echo_out o;
    int32_t sum;
    lending_start(&l);
    cell_ctx *c = lending_ctx(&client);
    CHECK(!begin_echo(c, 0) && cell_ctx_status(c) == CELL_INVALID_ARGUMENT);
    CHECK(!begin_echo(c, (size_t)CELL_MAX_MESSAGE + 1) && cell_ctx_status(c) == CELL_TOO_LARGE);
    CHECK(!cell_begin(c, &demo, DEMO_COUNT, 8) && cell_ctx_status(c) == CELL_INVALID_ARGUMENT);
    CHECK(!cell_begin(NULL, &demo, demo_echo, 8));
    CHECK(cell_send(NULL, &demo, demo_echo, NULL, NULL) == CELL_NO_MEMORY);
    cell_release(NULL);
    cell_release(c);
    uint8_t *lent = begin_echo(c, SIZE);
    REQUIRE(lent);
    CHECK(!begin_echo(c, SIZE) && cell_ctx_status(c) == CELL_FAILED_PRECONDITION);
    CHECK(strstr(cell_ctx_message(c), "demo_echo_send") && strstr(cell_ctx_message(c), "demo_echo_release"));
    for (int i = 0; i < 40; i++)
        CHECK(call_add(c, 1, i, &sum) == CELL_OK && sum == i + 1); /* on another connection */
    memset(lent, 'q', SIZE);
    CHECK(send_echo2(c, (cell_str){(char *)lent, SIZE}, (cell_bytes){NULL, 0}, &o) == CELL_OK);
    CHECK(atomic_load(&seen_text) == 'q');
    lent = begin_echo(c, SIZE); /* the next request may be written while the last reply is read */
    REQUIRE(lent && o.text.len == SIZE);
    memcpy(lent, o.text.ptr, SIZE);
    CHECK(send_echo2(c, (cell_str){(char *)lent, SIZE}, (cell_bytes){NULL, 0}, &o) == CELL_OK);
    CHECK(atomic_load(&seen_text) == 't' && c->nheld == 2);
    lent = begin_echo(c, SIZE);
    CHECK(lent && c->lend.begun);
    cell_release(c); /* all of it */
    CHECK(!c->lend.begun && !c->nheld);
    lent = begin_echo(c, SIZE);
    CHECK(lent && send_echo2(c, (cell_str){NULL, 3}, (cell_bytes){NULL, 0}, &o) == CELL_INVALID_ARGUMENT);
    CHECK(!c->lend.begun);
    CHECK(call_add(c, 1, 2, &sum) == CELL_OK); /* on a connection that shares memory from its first reply on */
    for (int i = 0; i < 10; i++) {             /* and its memory comes back */
        lent = begin_echo(c, SIZE);
        CHECK(lent && own_memory(c->lend.conn, lent));
        if (i % 2)
            cell_release(c);
        else
            CHECK(send_echo2(c, (cell_str){NULL, 3}, (cell_bytes){NULL, 0}, &o) == CELL_INVALID_ARGUMENT);
    }
    for (int i = 0; i < 10; i++) { /* also when nothing was written there */
        lent = begin_echo(c, SIZE);
        CHECK(lent && own_memory(c->lend.conn, lent));
        CHECK(send_echo(c, CELL_STR("small"), &o) == CELL_OK);
    }
    lent = begin_echo(c, SIZE);
    CHECK(lent != NULL);
    lending_stop(&l, c, client);
}

/* Many small values do not lie together: they are put together, in a buffer. */
TEST(the_buffer_of_large_messages_is_kept_while_they_come)
{
    struct lending l;
    struct cell_client *client;
    struct account in, out;
    static struct tag tags[4000];
    int32_t sum;
    lending_start(&l);
    cell_ctx *c = lending_ctx(&client);
    memset(&in, 0, sizeof(in));
    in.tags = (tag_list){tags, 4000};
    REQUIRE(call_rich(c, &in, &out) == CELL_OK && out.tags.len == 4000);
    const char *buffer = c->message.data;
    CHECK(buffer && c->message.capacity > sizeof(tags) && c->message.len == 0);
    for (int i = 0; i < 20; i++) {
        CHECK(call_add(c, 1, 1, &sum) == CELL_OK);
        CHECK(call_rich(c, &in, &out) == CELL_OK && c->message.data == buffer);
        cell_ctx_reset(c);
    }
    for (int i = 0; i < 100; i++)
        CHECK(call_add(c, 1, 1, &sum) == CELL_OK);
    CHECK(c->message.capacity <= CELL_KEPT_SCRATCH);
    lending_stop(&l, c, client);
}

/* ---- other carriers ---- */

static void echo_in_place(cell_ctx *c, size_t size)
{
    struct echo_out o;
    uint8_t *lent = begin_echo(c, size);
    REQUIRE(lent);
    memset(lent, 'u', size);
    REQUIRE(send_echo2(c, (cell_str){(char *)lent, size}, (cell_bytes){lent, size}, &o) == CELL_OK);
    CHECK(o.text.len == size && is_filled((const uint8_t *)o.text.ptr, size, 't'));
    CHECK(o.data.len == size && is_filled(o.data.ptr, size, 'd'));
    CHECK(atomic_load(&seen_text) == 'u' && atomic_load(&seen_data) == 'u');
    cell_release(c);
}

TEST(the_same_code_works_over_the_socket_and_within_the_process)
{
    struct lending l;
    struct cell_client *client, *inside;
    setenv("CELL_TRANSPORT", "unix", 1);
    lending_start(&l);
    cell_ctx *c = lending_ctx(&client);
    for (size_t size = 8; size <= 8 * SIZE; size *= 4)
        echo_in_place(c, size);
    CHECK_STR(cell_conn_ops(client->all->conn)->name, "unix");
    unsetenv("CELL_TRANSPORT");
    CHECK(cell_client_in_process(l.d.server, &inside) == CELL_OK);
    cell_ctx_set_client(c, inside);
    for (size_t size = 8; size <= 8 * SIZE; size *= 4)
        echo_in_place(c, size);
    cell_ctx_reset(c);
    cell_ctx_set_client(c, NULL);
    cell_client_close(inside);
    lending_stop(&l, c, client);
}

static int refuse_after(cell_ctx *c, const struct cell_call_info *info, struct cell_chain *chain, void *user)
{
    (void)info;
    int r = cell_next(c, chain);
    return atomic_load((atomic_int *)user) ? cell_fail(c, CELL_PERMISSION_DENIED, "not for you") : r;
}

TEST(an_interceptor_that_refuses_the_reply_releases_it)
{
    struct lending l;
    struct cell_client *client;
    atomic_int refuses = 1;
    struct echo_out o = {.calls = 9};
    lending_start(&l);
    cell_ctx *c = lending_ctx(&client);
    CHECK(cell_client_intercept(client, refuse_after, &refuses) == CELL_OK);
    CHECK(send_echo(c, LARGE_TEXT(SIZE), &o) == CELL_PERMISSION_DENIED && o.calls == 9);
    CHECK(!c->nheld && !held_conn(c));
    atomic_store(&refuses, 0);
    CHECK(send_echo(c, LARGE_TEXT(SIZE), &o) == CELL_OK && lies_in_peers_memory(held_conn(c), o.data.ptr));
    lending_stop(&l, c, client);
}

/* Calls of its own, also such that lend and hold, with the context of the call that it intercepts. */
static int call_before(cell_ctx *c, const struct cell_call_info *info, struct cell_chain *chain, void *user)
{
    atomic_int *depth = user;
    struct echo_out o;
    int32_t sum;
    if (strcmp(info->method, "demo_echo") == 0 && atomic_fetch_add(depth, 1) == 0) {
        CHECK(call_add(c, 1, 2, &sum) == CELL_OK && sum == 3);
        CHECK(send_echo(c, LARGE_TEXT(SIZE), &o) == CELL_OK && is_filled(o.data.ptr, SIZE, 'd'));
        cell_release(c);
        CHECK(!begin_echo(c, SIZE));
        atomic_store(depth, 0);
    }
    return cell_next(c, chain);
}

TEST(an_interceptor_may_call_with_the_context_whose_request_was_begun)
{
    struct lending l;
    struct cell_client *client;
    atomic_int depth = 0;
    struct echo_out o;
    lending_start(&l);
    cell_ctx *c = lending_ctx(&client);
    CHECK(cell_client_intercept(client, call_before, &depth) == CELL_OK);
    for (int i = 0; i < 10; i++) {
        uint8_t *lent = begin_echo(c, SIZE);
        REQUIRE(lent && own_memory(c->lend.conn, lent));
        memset(lent, 'A' + i, SIZE);
        const struct client_conn *conn = c->lend.conn;
        const struct cell_shm_blob_out *blob = own_memory(conn, lent);
        CHECK(send_echo2(c, (cell_str){(char *)lent, SIZE}, (cell_bytes){NULL, 0}, &o) == CELL_OK);
        CHECK(atomic_load(&seen_text) == 'A' + i && is_filled(o.data.ptr, SIZE, 'd'));
        CHECK(c->nheld == 2 && held_conn(c) == conn && blob->number == conn_of_shm(conn)->out.next - 1);
        cell_release(c);
    }
    lending_stop(&l, c, client);
}
