/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Thousands of idle clients, hundreds of active ones, and slow ones: what they cost, and whom they delay. */
#include "crowd_fixture.h"

#include <malloc.h>
#include <sched.h>

#if defined(__SANITIZE_ADDRESS__)
#define HAS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_ASAN 1
#endif
#endif
#ifdef HAS_ASAN
#include <sanitizer/allocator_interface.h>
#endif

#define IDLE 4000
#define ACTIVE 400
#define ROUNDS 10
/* As in server.c: handlers, parked threads, and what is neither. */
#define SPARE 4
/* That may be added while others wait for clients to take their replies. */
#define STUCK 64

static size_t allocated(void)
{
#ifdef HAS_ASAN
    return __sanitizer_get_current_allocated_bytes();
#else
    return mallinfo2().uordblks;
#endif
}

/* What the server itself has counted: the system still lists threads that have left. */
static bool threads_stayed_within_bounds(void)
{
    long parked = 4 * sysconf(_SC_NPROCESSORS_ONLN);
    return crowd_counter("threads_most") <= 16 + (parked < 16 ? 16 : (uint64_t)parked) + SPARE + STUCK;
}

static struct cell_buffer add_request(int32_t a, int32_t b)
{
    const struct add_in in = {a, b};
    return crowd_request(demo_add, &in);
}

TEST(thousands_of_idle_connections_cost_no_thread_and_little_memory)
{
    struct demo_server d = {0};
    static int fds[IDLE];
    int code, before = crowd_threads(), n = crowd_descriptors(IDLE);
    demo_setup();
    demo_start(&d);
    struct cell_buffer request = add_request(1, 2);
    size_t memory = allocated();
    for (int i = 0; i < n; i++) {
        fds[i] = crowd_connect(&code, NULL);
        REQUIRE(code == CELL_OK);
    }
    for (int i = 0; i < n; i++) { /* a call leaves nothing behind */
        CHECK(crowd_send(fds[i], demo_add, 1, &request));
        CHECK(crowd_reply(fds[i], 1) == 0);
    }
    crowd_wait_for_threads(before);
    CHECK(allocated() - memory <= (size_t)n * 1024);
    for (int i = 0; i < n; i += 37) {
        CHECK(crowd_send(fds[i], demo_add, 2, &request));
        CHECK(crowd_reply(fds[i], 2) == 0);
    }
    for (int i = 0; i < n; i++)
        close(fds[i]);
    cell_buffer_free(&request);
    demo_stop(&d);
    demo_teardown();
}

TEST(among_many_idle_connections_the_longest_idle_ones_make_room)
{
    struct demo_server d = {.options.max_connections = 300};
    static int fds[330];
    int code, gone = 0;
    char byte;
    demo_setup();
    demo_start(&d);
    for (int i = 0; i < 330; i++) {
        fds[i] = crowd_connect(&code, NULL);
        REQUIRE(code == CELL_OK);
    }
    for (int i = 0; i < 330; i++) {
        bool told = recv(fds[i], &byte, 1, MSG_DONTWAIT) == 1; /* GOAWAY begins */
        gone += told;
        CHECK(!told || i < 60); /* in the order of their handshakes, which threads have ended */
    }
    CHECK(gone >= 30 && gone <= 31);
    for (int i = 0; i < 330; i++)
        close(fds[i]);
    demo_stop(&d);
    demo_teardown();
}

TEST(hundreds_of_active_connections_share_few_threads_and_all_are_answered)
{
    struct demo_server d = {.options.max_connections = 2 * ACTIVE};
    static int fds[ACTIVE];
    int code, n = crowd_descriptors(ACTIVE);
    demo_setup();
    demo_start(&d);
    struct cell_buffer request = add_request(20, 22);
    for (int i = 0; i < n; i++) {
        fds[i] = crowd_connect(&code, NULL);
        REQUIRE(code == CELL_OK);
    }
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        for (int i = 0; i < n; i++)
            CHECK(crowd_send(fds[i], demo_add, round, &request));
        for (int i = 0; i < n; i++)
            CHECK(crowd_reply(fds[i], round) == 0);
    }
    CHECK(atomic_load(&shared->calls) == n * ROUNDS);
    CHECK(threads_stayed_within_bounds());
    for (int i = 0; i < n; i++)
        close(fds[i]);
    cell_buffer_free(&request);
    demo_stop(&d);
    demo_teardown();
}

TEST(calls_that_wait_for_their_turn_hold_no_thread)
{
    struct demo_server d = {.options.max_threads = 2};
    static int fds[ACTIVE];
    int code, before = crowd_threads(), n = crowd_descriptors(ACTIVE);
    const int32_t how = BLOCK_RELEASE;
    demo_setup();
    demo_start(&d);
    struct cell_buffer request = crowd_request(demo_block, &how);
    for (int i = 0; i < n; i++) {
        fds[i] = crowd_connect(&code, NULL);
        REQUIRE(code == CELL_OK && crowd_send(fds[i], demo_block, 1, &request));
    }
    while (crowd_counter("calls_waited") < (uint64_t)n - 2)
        usleep(1000);
    crowd_wait_for_threads(before + 2);
    CHECK(atomic_load(&shared->most_running) == 2);
    atomic_store(&shared->release, 1);
    for (int i = 0; i < n; i++) {
        CHECK(crowd_reply(fds[i], 1) == 0);
        close(fds[i]);
    }
    CHECK(atomic_load(&shared->calls) == n && atomic_load(&shared->most_running) == 2);
    cell_buffer_free(&request);
    demo_stop(&d);
    demo_teardown();
}

TEST(calls_that_wait_for_their_turn_when_the_server_stops_are_done_or_sent_away)
{
    struct demo_server d = {.options.max_threads = 1, .options.drain_ms = 1};
    int fds[10], code, sent_away = 0;
    const int32_t how = BLOCK_CANCEL;
    demo_setup();
    demo_start(&d);
    struct cell_buffer request = crowd_request(demo_block, &how);
    for (int i = 0; i < 10; i++) {
        fds[i] = crowd_connect(&code, NULL);
        REQUIRE(code == CELL_OK && crowd_send(fds[i], demo_block, 1, &request));
    }
    while (crowd_counter("calls_waited") < 9)
        usleep(1000);
    demo_stop(&d);
    for (int i = 0; i < 10; i++) {
        struct cell_frame f;
        uint8_t *payload = NULL;
        bool answered = false;
        while (raw_recv(fds[i], &f, &payload)) {
            answered = answered || f.kind == CELL_FRAME_REPLY;
            sent_away += f.kind == CELL_FRAME_GOAWAY && !answered;
            free(payload);
            payload = NULL;
        }
        free(payload);
        close(fds[i]);
    }
    CHECK(sent_away == 9 && atomic_load(&shared->calls) == 1);
    cell_buffer_free(&request);
    demo_teardown();
}

/* ---- slow clients ---- */

TEST(a_client_that_sends_byte_by_byte_delays_nobody)
{
    struct demo_server d = {.options.max_threads = 1};
    struct cell_client *client = NULL;
    int code, fd;
    int32_t sum;
    uint8_t bytes[CELL_FRAME_HEADER + 64];
    demo_setup();
    demo_start(&d);
    struct cell_buffer request = add_request(3, 4);
    const struct cell_frame f = {.kind = CELL_FRAME_CALL, .code = demo_add, .id = 7, .length = (uint32_t)request.len};
    REQUIRE(request.len <= 64);
    cell_frame_encode(&f, bytes);
    memcpy(bytes + CELL_FRAME_HEADER, request.data, request.len);
    fd = crowd_connect(&code, NULL);
    cell_ctx *c = demo_ctx(&client);
    for (size_t i = 0; i < CELL_FRAME_HEADER + request.len; i++) {
        CHECK(send(fd, bytes + i, 1, MSG_NOSIGNAL) == 1);
        CHECK(call_add(c, (int32_t)i, 1, &sum) == 0 && sum == (int32_t)i + 1);
    }
    CHECK(crowd_reply(fd, 7) == 0);
    close(fd);
    cell_buffer_free(&request);
    cell_ctx_close(c);
    cell_client_close(client);
    demo_stop(&d);
    demo_teardown();
}

#define LARGE (400u << 10)
#define NON_READERS 120

static int answer_large(cell_ctx *c, const void *in, void *const *out)
{
    uint8_t *bytes = cell_ctx_alloc(c, LARGE);
    (void)in;
    if (!bytes)
        return CELL_NO_MEMORY;
    memset(bytes, 'x', LARGE);
    *(struct echo_out *)out[0] = (struct echo_out){CELL_STR("large"), {bytes, LARGE}, enter_handler()};
    leave_handler();
    return 0;
}

/* Of connections that were sent calls of answer_large, how many were cut; all are closed. */
static int read_and_close(const int *fds)
{
    int cut = 0;
    for (int i = 0; i < NON_READERS; i++) {
        int code = crowd_reply(fds[i], 1);
        CHECK(code == 0 || code == CELL_UNKNOWN);
        cut += code == CELL_UNKNOWN;
        close(fds[i]);
    }
    return cut;
}

/* `with_calls`: another client calls after each of them, and has to be answered. */
static void clients_that_do_not_read(bool with_calls)
{
    struct demo_server d = {0};
    struct cell_client *client = NULL;
    const struct echo_in nothing = {{NULL, 0}, {NULL, 0}};
    int fds[NON_READERS], code, calls = 0;
    int32_t sum;
    demo_setup();
    crowd_handler(&d, demo_echo, answer_large);
    demo_start(&d);
    struct cell_buffer request = crowd_request(demo_echo, &nothing);
    cell_ctx *c = demo_ctx(&client);
    for (int i = 0; i < NON_READERS; i++) {
        fds[i] = crowd_connect(&code, NULL);
        REQUIRE(code == CELL_OK);
    }
    for (int i = 0; i < NON_READERS; i++) {
        REQUIRE(crowd_send(fds[i], demo_echo, 1, &request));
        for (; with_calls && calls <= i; calls++)
            CHECK(call_add(c, i, 1, &sum) == 0 && sum == i + 1);
    }
    while (atomic_load(&shared->calls) < NON_READERS + calls) /* all of them are stuck */
        usleep(1000);
    CHECK(call_add(c, 1, 1, &sum) == 0);
    CHECK(crowd_counter("slow_clients_cut") > 0 && threads_stayed_within_bounds());
    int cut = read_and_close(fds);
    CHECK(cut > 0 && cut <= NON_READERS - STUCK);
    cell_buffer_free(&request);
    cell_ctx_close(c);
    cell_client_close(client);
    demo_stop(&d);
    demo_teardown();
}

TEST(clients_that_do_not_read_their_replies_delay_nobody_and_too_many_are_cut) { clients_that_do_not_read(true); }
TEST(so_do_those_that_come_all_at_once) { clients_that_do_not_read(false); }

TEST(contexts_that_stay_open_do_not_each_keep_a_connection)
{
    enum { CONTEXTS = 300, LEASES = 128 }; /* as in pool.h */
    struct demo_server d = {0};
    struct cell_client *client = NULL;
    cell_ctx *c[CONTEXTS];
    int32_t sum;
    demo_setup();
    demo_start(&d);
    REQUIRE(cell_client_open(demo_address, &client) == CELL_OK);
    const struct cell_ctx_options o = {.client = client, .timeout_ms = 60000};
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < CONTEXTS; i++) {
            if (round == 0)
                c[i] = cell_ctx_open(&o);
            REQUIRE(call_add(c[i], i, round, &sum) == 0 && sum == i + round);
        }
    struct crowd_connections n = crowd_connections();
    CHECK(n.plain + n.shm >= LEASES && n.plain + n.shm <= LEASES + 1);
    for (int i = 0; i < CONTEXTS; i++)
        cell_ctx_close(c[i]);
    cell_client_close(client);
    demo_stop(&d);
    demo_teardown();
}
