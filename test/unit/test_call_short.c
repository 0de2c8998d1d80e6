/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Calls that take the short way do what calls do, and what happens in the middle of one is not special either. */
#include "call_fixture.h"

#include "call/call.h"
#include "transport/transport.h"
#include "wire/hello.h"
#include "wire/limits.h"

enum { REFUSE = -1, ANNOTATE = -2, REMAINING = -3 };

/* demo_add, and what a handler can do besides adding. */
static int odd_add(cell_ctx *c, const void *in, void *const *out)
{
    const struct add_in *i = in;
    int32_t *sum = out[0];
    enter_handler();
    leave_handler();
    CHECK(*sum == 0);
    if (i->a == REFUSE)
        return cell_fail(c, CELL_NOT_FOUND, "no %d", (int)i->b);
    if (i->a == ANNOTATE)
        cell_ctx_set_metadata(c, "note", CELL_STR("yes"));
    *sum = i->a == REMAINING ? (int32_t)(cell_ctx_remaining_ns(c) / CELL_NS_PER_MS) : i->a + i->b;
    return i->b;
}

struct pair {
    struct demo_server d;
    struct cell_method methods[DEMO_COUNT];
    const struct cell_method *served[DEMO_COUNT];
    struct cell_client *client;
    cell_ctx *c;
};

static enum short_call try_short(cell_ctx *c, uint32_t method, const void *in, void *const *out, int *r)
{
    struct short_rest rest;
    return cell_call_short(c, &demo, method, in, out, r, &rest);
}

/* The first calls go over the socket. */
static void warm_up(cell_ctx *c)
{
    int32_t sum;
    for (int i = 0; i < 10; i++)
        CHECK(call_add(c, i, 0, &sum) == 0 && sum == i);
}

static void begin_with(struct pair *p, uint32_t max_threads)
{
    *p = (struct pair){.d = {.options.max_threads = max_threads}};
    for (size_t i = 0; i < DEMO_COUNT; i++) {
        p->methods[i] = *demo_handlers[i];
        p->served[i] = &p->methods[i];
        if (strcmp(p->methods[i].name, "demo_add") == 0)
            p->methods[i].invoke = odd_add;
    }
    p->d.handlers = p->served;
    demo_setup();
    demo_start(&p->d);
    p->c = demo_ctx(&p->client);
    warm_up(p->c);
}

static void begin(struct pair *p) { begin_with(p, 0); }

static void end(struct pair *p)
{
    cell_ctx_close(p->c);
    cell_client_close(p->client);
    demo_stop(&p->d);
    demo_teardown();
}

TEST(plain_values_take_the_short_way)
{
    struct pair p;
    const struct add_in in = {30, 12};
    int32_t sum = 0, how = BLOCK_RELEASE;
    int r = -1;
    void *const out[] = {&sum}, *const none[] = {NULL};
    begin(&p);
    CHECK(try_short(p.c, demo_add, &in, out, &r) == SHORT_DONE && r == 12 && sum == 42);
    atomic_store(&shared->release, 1);
    CHECK(call_block(p.c, BLOCK_RELEASE) == 0); /* the first one prepares the method */
    CHECK(try_short(p.c, demo_block, &how, NULL, &r) == SHORT_DONE && r == 0);
    CHECK(try_short(p.c, DEMO_COUNT, &in, out, &r) == SHORT_NOT);
    CHECK(try_short(p.c, demo_add, &in, none, &r) == SHORT_NOT);
    cell_ctx_set_metadata(p.c, "note", CELL_STR("mine"));
    CHECK(try_short(p.c, demo_add, &in, out, &r) == SHORT_NOT);
    end(&p);
}

static void *block_aside(void *user)
{
    struct pair *p = user;
    return (void *)(intptr_t)call_block(p->c, BLOCK_ASIDE);
}

TEST(a_short_call_that_stands_aside_leaves_its_place_to_others)
{
    struct pair p;
    struct cell_client *client = NULL;
    pthread_t thread;
    void *result;
    int32_t sum = 0;
    begin_with(&p, 1);
    atomic_store(&shared->release, 1);
    CHECK(call_block(p.c, BLOCK_ASIDE) == 0); /* the first one prepares the method */
    wait_sem(&shared->entered);
    atomic_store(&shared->release, 0);
    pthread_create(&thread, NULL, block_aside, &p);
    wait_sem(&shared->entered);
    cell_ctx *c = demo_ctx(&client);
    CHECK(call_add(c, 42, 0, &sum) == 0 && sum == 42);
    atomic_store(&shared->release, 1);
    pthread_join(thread, &result);
    CHECK((intptr_t)result == 0);
    CHECK(call_add(p.c, 42, 0, &sum) == 0);
    cell_ctx_close(c);
    cell_client_close(client);
    end(&p);
}

TEST(what_a_handler_says_besides_arrives)
{
    struct pair p;
    int32_t sum = 77;
    cell_str note;
    begin(&p);
    for (int i = 0; i < 3; i++) {
        CHECK(call_add(p.c, REFUSE, i, &sum) == CELL_NOT_FOUND && sum == (i ? i - 1 : 77));
        CHECK(strstr(cell_ctx_message(p.c), "no ") != NULL);
        CHECK(call_add(p.c, ANNOTATE, 2 + i, &sum) == 2 + i && sum == i);
        CHECK(cell_ctx_metadata(p.c, "note", &note) == CELL_OK && note.len == 3);
        CHECK(call_add(p.c, i, 0, &sum) == 0 && sum == i);
        CHECK(cell_ctx_metadata(p.c, "note", &note) == CELL_NOT_FOUND);
    }
    cell_ctx_set_timeout_ms(p.c, 20000);
    call_add(p.c, 0, 0, &sum); /* the timeout is another one */
    CHECK(call_add(p.c, REMAINING, 0, &sum) == 0 && sum > 0 && sum <= 20000);
    cell_ctx_set_timeout_ms(p.c, UINT32_MAX);
    call_add(p.c, 0, 0, &sum);
    CHECK(call_add(p.c, REMAINING, 0, &sum) == 0 && sum == (int32_t)(UINT64_MAX / CELL_NS_PER_MS));
    end(&p);
}

TEST(a_short_call_ends_with_its_deadline)
{
    struct pair p;
    int32_t sum;
    begin(&p);
    cell_ctx_set_timeout_ms(p.c, 30);
    call_add(p.c, 0, 0, &sum);
    CHECK(call_block(p.c, BLOCK_CANCEL) == CELL_DEADLINE_EXCEEDED);
    wait_sem(&shared->left);
    CHECK(atomic_load(&shared->cancelled) == 1);
    cell_ctx_set_timeout_ms(p.c, 60000);
    warm_up(p.c);
    end(&p);
}

TEST(a_short_call_is_cancelled)
{
    struct pair p;
    pthread_t thread;
    int32_t sum;
    begin(&p);
    for (int i = 1; i <= 3; i++) {
        REQUIRE(pthread_create(&thread, NULL, cancel_when_entered, p.c) == 0);
        CHECK(call_block(p.c, BLOCK_CANCEL) == CELL_CANCELLED);
        pthread_join(thread, NULL);
        wait_sem(&shared->left);
        CHECK(atomic_load(&shared->cancelled) == i);
        warm_up(p.c);
    }
    cell_ctx_cancel(p.c);
    CHECK(call_add(p.c, 1, 2, &sum) == CELL_CANCELLED);
    warm_up(p.c);
    end(&p);
}

struct canceller {
    cell_ctx *c;
    atomic_bool stop;
};

static void *cancel_all_the_time(void *arg)
{
    struct canceller *k = arg;
    for (unsigned i = 0; !atomic_load(&k->stop); i++) {
        cell_ctx_cancel(k->c);
        usleep(50 * (1 + i % 20)); /* where the processors are busy no call would be done between two of the shortest */
    }
    return NULL;
}

/* Whatever the moment: the result is the sum or CELL_CANCELLED, and never that of another call. */
TEST(a_cancellation_at_any_moment_leaves_no_answer_behind)
{
    struct pair p;
    pthread_t thread;
    int done = 0, cancelled = 0;
    begin(&p);
    struct canceller k = {.c = p.c};
    REQUIRE(pthread_create(&thread, NULL, cancel_all_the_time, &k) == 0);
    for (int32_t i = 0; done == 0 || cancelled == 0 || (i < 20000 && cancelled < 500); i++) {
        int32_t sum = -7;
        int r = call_add(p.c, i, 0, &sum);
        CHECK(r == 0 ? sum == i : r == CELL_CANCELLED && sum == -7);
        done += r == 0;
        cancelled += r < 0;
    }
    atomic_store(&k.stop, true);
    pthread_join(thread, NULL);
    CHECK(done > 0 && cancelled > 0);
    end(&p);
}

TEST(a_server_that_was_replaced_gets_the_call)
{
    struct cell_client *client = NULL;
    demo_setup();
    atomic_store(&shared->release, 1);
    pid_t pid = demo_fork((struct cell_server_options){0});
    cell_ctx *c = demo_ctx(&client);
    for (int i = 0; i < 3; i++) {
        warm_up(c);
        kill(pid, SIGKILL);
        demo_wait(pid);
        pid = demo_fork((struct cell_server_options){0});
        CHECK(call_block(c, BLOCK_RELEASE) == 0); /* it is not idempotent, and was not executed by the first one */
        warm_up(c);
    }
    cell_ctx_close(c);
    cell_client_close(client);
    kill(pid, SIGTERM);
    CHECK(demo_wait(pid) == 0);
    demo_teardown();
}

TEST(asynchronous_ones_come_in_any_order)
{
    struct pair p;
    int tickets[12];
    int32_t sums[12];
    begin(&p);
    for (int round = 0; round < 30; round++) {
        for (int i = 0; i < 12; i++) {
            const struct add_in in = {i == 5 && round % 3 == 0 ? REFUSE : 100 * round, i};
            void *const out[] = {&sums[i]};
            sums[i] = -7;
            tickets[i] = cell_call_async(p.c, &demo, demo_add, &in, out);
            CHECK(tickets[i] >= 0);
        }
        for (int k = 0; k < 12; k++) {
            int i = round % 2 ? k : (k * 5) % 12;
            bool refused = i == 5 && round % 3 == 0;
            CHECK(cell_wait(p.c, tickets[i]) == (refused ? CELL_NOT_FOUND : i));
            CHECK(sums[i] == (refused ? -7 : 100 * round + i));
        }
    }
    end(&p);
}

/* ---- a client by hand, whose messages have their headers in the slots ---- */

#define AT_ONCE 8

/* `rest` more bytes in the fixed part than the server knows. */
static int send_request(struct cell_conn *conn, uint64_t id, int32_t a, uint32_t rest, bool more)
{
    uint32_t message[128] = {16 + rest, 8 + rest, (uint32_t)a, 5};
    const struct cell_frame f = {.kind = CELL_FRAME_CALL, .code = demo_add, .id = id, .length = 16 + rest};
    const struct iovec parts[] = {{message, 8}, {message + 2, 8 + rest}}; /* so that it is not seen what it is */
    return more ? cell_conn_send_more(conn, &f, parts, 2, CELL_NO_DEADLINE, NULL)
                : cell_conn_send(conn, &f, parts, 2, CELL_NO_DEADLINE, NULL);
}

static bool is_answered(struct cell_conn *conn, uint64_t id, int32_t sum)
{
    struct cell_received r;
    int32_t got = 0;
    if (cell_conn_recv(conn, &r, cell_now_ns() + 60000 * CELL_NS_PER_MS, NULL) < 0 || r.message_len != 32)
        return false;
    memcpy(&got, r.message + 24, sizeof(got)); /* behind the reference of the only out parameter */
    return r.frame.kind == CELL_FRAME_REPLY && r.frame.id == id && r.frame.code == 5 && got == sum;
}

static struct cell_conn *connect_by_hand(void)
{
    const struct cell_connect_options o = {.deadline_ns = CELL_NO_DEADLINE, .max_payload = CELL_MAX_MESSAGE};
    struct cell_greeting g = {.cell = "demo", .abi = "lp64-le"};
    struct cell_buffer b = {0};
    struct cell_conn *conn = NULL;
    struct cell_received r;
    struct cell_frame f;
    memcpy(g.fingerprint, demo_fingerprint, sizeof(g.fingerprint));
    CHECK(cell_transport_unix.connect(demo_address, &o, &conn, NULL) == CELL_OK);
    CHECK(cell_greeting_encode(&g, CELL_FRAME_HELLO, CELL_CHANNEL_APP, &f, &b, NULL) >= 0);
    const struct iovec part = {b.data, b.len};
    CHECK(cell_conn_send(conn, &f, &part, 1, CELL_NO_DEADLINE, NULL) == CELL_OK);
    CHECK(cell_conn_recv(conn, &r, CELL_NO_DEADLINE, NULL) == CELL_OK && r.frame.code == 0);
    CHECK(cell_conn_offer_shm(conn, NULL) == CELL_OK);
    cell_buffer_free(&b);
    return conn;
}

struct rival {
    cell_ctx *c;
    atomic_bool stop;
    int failed;
};

static void *call_all_the_time(void *arg)
{
    struct rival *k = arg;
    int32_t sum = 0;
    for (int32_t i = 0; !atomic_load(&k->stop); i++)
        k->failed += call_add(k->c, i, 1, &sum) != 1 || sum != i + 1;
    return NULL;
}

/* With a rival for the only place of a handler, calls that came by the short way have to wait for it on the usual one.
 */
static void call_with_headers(bool rivalry)
{
    struct pair p;
    pthread_t thread;
    uint64_t id = 0;
    begin_with(&p, rivalry ? 1 : 0);
    struct rival k = {.c = p.c};
    struct cell_conn *conn = connect_by_hand();
    if (rivalry)
        REQUIRE(pthread_create(&thread, NULL, call_all_the_time, &k) == 0);
    for (int round = 0; round < 300; round++) {
        for (int i = 0; i < AT_ONCE; i++)
            CHECK(send_request(conn, id + (uint64_t)i + 1, round + i, i == 5 ? 400 : 0, i + 1 < AT_ONCE) == CELL_OK);
        for (int i = 0; i < AT_ONCE; i++)
            CHECK(is_answered(conn, ++id, round + i + 5));
    }
    CHECK_STR(cell_conn_ops(conn)->name, "shm");
    atomic_store(&k.stop, true);
    if (rivalry)
        pthread_join(thread, NULL);
    CHECK(k.failed == 0);
    cell_conn_close(conn);
    end(&p);
}

TEST(a_request_with_its_header_in_the_slot_is_served_as_any_other) { call_with_headers(false); }
TEST(also_when_it_has_to_wait_for_its_turn) { call_with_headers(true); }
