/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What the connections of one user may make a server hold: messages in the making, replies, shared memory. */
#include "crowd_fixture.h"

/* ---- memory ---- */

#define BIG (1u << 20)

/* A megabyte, whatever was asked. */
static int answer_big(cell_ctx *c, const void *in, void *const *out)
{
    uint8_t *bytes = cell_ctx_alloc(c, BIG);
    (void)in;
    if (!bytes)
        return CELL_NO_MEMORY;
    memset(bytes, 'x', BIG);
    *(struct echo_out *)out[0] = (struct echo_out){CELL_STR("big"), {bytes, BIG}, enter_handler()};
    leave_handler();
    return 0;
}

TEST(replies_that_a_user_does_not_take_are_limited_and_his_calls_go_on_when_he_does)
{
    /* The least there is: two of the largest messages, 8 MiB. */
    struct demo_server d = {.options.max_message = 2 * BIG, .options.max_bytes_per_uid = 1};
    struct cell_client *client = NULL;
    struct echo_out o = {0};
    const struct echo_in nothing = {{NULL, 0}, {NULL, 0}};
    int fds[8], code;
    int32_t sum;
    demo_setup();
    crowd_handler(&d, demo_echo, answer_big);
    demo_start(&d);
    struct cell_buffer request = crowd_request(demo_echo, &nothing);
    for (int i = 0; i < 8; i++) {
        fds[i] = crowd_connect(&code, NULL);
        CHECK(code == CELL_OK && crowd_send(fds[i], demo_echo, 1, &request));
    }
    cell_ctx *c = demo_ctx(&client);
    while (crowd_counter("memory_refused") == 0) /* until all of them are stuck, but the one that is too much */
        usleep(500);
    code = call_echo(c, CELL_STR("x"), (cell_bytes){NULL, 0}, &o);
    CHECK(code == CELL_RESOURCE_EXHAUSTED);
    CHECK(strstr(cell_ctx_message(c), "the connections of this user hold"));
    CHECK(call_add(c, 1, 2, &sum) == 0 && sum == 3); /* what is small goes on */
    CHECK(crowd_counter("memory_refused") == 2);
    int taken = 0;
    for (int i = 0; i < 8; i++) {
        code = crowd_reply(fds[i], 1);
        CHECK(code == 0 || code == CELL_RESOURCE_EXHAUSTED);
        taken += code == 0;
    }
    CHECK(taken == 7); /* the megabyte of the message has a header: eight are more than 8 MiB */
    CHECK(call_echo(c, CELL_STR("x"), (cell_bytes){NULL, 0}, &o) == 0 && o.data.len == BIG);
    for (int i = 0; i < 8; i++)
        close(fds[i]);
    cell_buffer_free(&request);
    cell_ctx_close(c);
    cell_client_close(client);
    demo_stop(&d);
    demo_teardown();
}

/* Sends the beginning of a frame of almost 4 MiB; false when the server has ended the connection meanwhile. */
static bool send_part(int fd, size_t len)
{
    static uint8_t zeros[1 << 16];
    uint8_t header[CELL_FRAME_HEADER];
    const struct cell_frame f = {.kind = CELL_FRAME_CALL, .id = 1, .length = 4000000};
    cell_frame_encode(&f, header);
    bool sent = send(fd, header, sizeof(header), MSG_NOSIGNAL) == (ssize_t)sizeof(header);
    for (size_t n = 0; sent && n < len; n += sizeof(zeros))
        sent = send(fd, zeros, sizeof(zeros), MSG_NOSIGNAL) == (ssize_t)sizeof(zeros);
    return sent;
}

TEST(requests_that_a_user_does_not_finish_are_limited_in_bytes)
{
    struct demo_server d = {.options.max_message = BIG, .options.max_bytes_per_uid = 1};
    struct cell_client *client = NULL;
    struct cell_frame f = {0};
    uint8_t *payload = NULL;
    int fds[2], code;
    int32_t sum;
    demo_setup();
    demo_start(&d);
    for (int i = 0; i < 2; i++) {
        fds[i] = crowd_connect(&code, NULL);
        CHECK(send_part(fds[i], 3 << 20));
    }
    int fd = crowd_connect(&code, NULL); /* small things go on */
    CHECK(code == CELL_OK);
    send_part(fd, 3 << 20);
    CHECK(raw_recv(fd, &f, &payload) && f.kind == CELL_FRAME_WELCOME && f.code == CELL_RESOURCE_EXHAUSTED);
    CHECK(payload && memmem(payload, f.length, "hold is at the limit of 8388608 bytes", 37) != NULL);
    free(payload);
    CHECK(raw_ended(fd));
    close(fd);
    cell_ctx *c = demo_ctx(&client);
    CHECK(call_add(c, 1, 2, &sum) == 0);
    CHECK(crowd_counter("memory_refused") == 1);
    close(fds[0]);
    close(fds[1]);
    struct echo_out o = {0};
    static uint8_t most[BIG - 4096];
    /* What they held has been given back, once the server has seen their ends. */
    while ((code = call_echo(c, CELL_STR("x"), (cell_bytes){most, sizeof(most)}, &o)) == CELL_UNAVAILABLE ||
           code == CELL_RESOURCE_EXHAUSTED)
        usleep(500);
    CHECK(code == 0 && o.data.len == sizeof(most));
    cell_ctx_close(c);
    cell_client_close(client);
    demo_stop(&d);
    demo_teardown();
}

/* ---- shared memory ---- */

struct crowd_client {
    struct cell_client *client;
    cell_ctx *c;
};

/* Two calls: the first one goes over the socket. */
static void use_client(struct crowd_client *k)
{
    int32_t sum = 0;
    k->c = demo_ctx(&k->client);
    for (int i = 0; i < 2; i++)
        CHECK(call_add(k->c, i, 2, &sum) == 0 && sum == i + 2);
}

static void drop_client(struct crowd_client *k)
{
    cell_ctx_close(k->c);
    cell_client_close(k->client);
}

static void wait_for_connections(unsigned plain, unsigned shm)
{
    uint64_t end = cell_now_ns() + 60000 * CELL_NS_PER_MS;
    struct crowd_connections n = crowd_connections();
    for (; (n.plain != plain || n.shm != shm) && cell_now_ns() < end; n = crowd_connections())
        usleep(500);
    CHECK(n.plain == plain && n.shm == shm);
}

TEST(health_tells_what_carries_the_connections)
{
    struct demo_server d = {0};
    struct crowd_client clients[3];
    int code;
    demo_setup();
    demo_start(&d);
    wait_for_connections(0, 0); /* those that ask are not counted */
    int fd = raw_connect();
    wait_for_connections(0, 0); /* nor who has not said HELLO */
    raw_hello(fd, CELL_CHANNEL_APP, "demo", demo_fingerprint, "lp64-le");
    wait_for_connections(1, 0);
    int other = crowd_connect(&code, NULL);
    CHECK(code == CELL_OK);
    setenv("CELL_TRANSPORT", "unix", 1);
    use_client(&clients[0]);
    unsetenv("CELL_TRANSPORT");
    wait_for_connections(3, 0);
    CHECK(crowd_counter("connections_shm") == 0);
    use_client(&clients[1]);
    use_client(&clients[2]);
    wait_for_connections(3, 2);
    CHECK(crowd_counter("connections_shm") == 2);
    close(fd);
    drop_client(&clients[1]);
    wait_for_connections(2, 1);
    close(other);
    drop_client(&clients[0]);
    drop_client(&clients[2]);
    wait_for_connections(0, 0);
    CHECK(crowd_counter("connections_shm") == 2); /* it only grows */
    demo_stop(&d);
    demo_teardown();
}

#define SHARERS 80

TEST(half_of_what_a_user_may_hold_can_become_regions)
{
    struct demo_server d = {.options.max_message = BIG, .options.max_bytes_per_uid = 1};
    struct crowd_client clients[SHARERS];
    const unsigned most = (8 * BIG / 2) / (2 * 28672);
    demo_setup();
    demo_start(&d);
    for (int i = 0; i < SHARERS; i++)
        use_client(&clients[i]);
    struct crowd_connections n = crowd_connections();
    CHECK(n.plain + n.shm == SHARERS);
    CHECK(n.shm <= most && n.shm > most / 2);
    CHECK(crowd_counter("connections_shm") == n.shm);
    CHECK(crowd_counter("memory_refused") == 0); /* all are served */
    for (int i = 0; i < SHARERS; i++)
        drop_client(&clients[i]);
    wait_for_connections(0, 0);
    use_client(&clients[0]); /* it was given back */
    wait_for_connections(0, 1);
    drop_client(&clients[0]);
    demo_stop(&d);
    demo_teardown();
}

TEST(large_replies_in_shared_memory_are_limited_in_bytes_and_given_back)
{
    /* 8 MiB: three replies of a megabyte, which take two each, and not a fourth. */
    struct demo_server d = {.options.max_message = 2 * BIG, .options.max_bytes_per_uid = 1};
    const struct echo_in nothing = {{NULL, 0}, {NULL, 0}};
    struct crowd_client clients[4], last;
    struct echo_out out[4], o = {0};
    int tickets[4], code, taken = 0;
    int32_t sum = 0;
    demo_setup();
    crowd_handler(&d, demo_echo, answer_big);
    demo_start(&d);
    use_client(&last);
    for (int i = 0; i < 4; i++)
        use_client(&clients[i]);
    wait_for_connections(0, 5);
    for (int i = 0; i < 4; i++) { /* nobody takes these replies */
        void *const outs[] = {&out[i]};
        tickets[i] = cell_call_async(clients[i].c, &demo, demo_echo, &nothing, outs);
        REQUIRE(tickets[i] >= 0);
    }
    while (crowd_counter("memory_refused") == 0)
        usleep(500);
    CHECK(call_echo(last.c, CELL_STR("x"), (cell_bytes){NULL, 0}, &o) == CELL_RESOURCE_EXHAUSTED);
    CHECK(strstr(cell_ctx_message(last.c), "hold is at the limit of 8388608 bytes"));
    CHECK(call_add(last.c, 1, 2, &sum) == 0 && sum == 3); /* what is small goes on */
    for (int i = 0; i < 4; i++) {
        code = cell_wait(clients[i].c, tickets[i]);
        CHECK(code == 0 || code == CELL_RESOURCE_EXHAUSTED);
        CHECK(code < 0 || out[i].data.len == BIG);
        taken += code == 0;
    }
    CHECK(taken == 3);
    /* What was taken is given back when its connection has been idle for a while, although it stays open. */
    do
        code = call_echo(last.c, CELL_STR("x"), (cell_bytes){NULL, 0}, &o);
    while (code == CELL_RESOURCE_EXHAUSTED);
    CHECK(code == 0 && o.data.len == BIG);
    for (int i = 0; i < 4; i++)
        drop_client(&clients[i]);
    drop_client(&last);
    demo_stop(&d);
    demo_teardown();
}
