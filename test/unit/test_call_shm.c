/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Connections over shared memory: what idle ones cost, what they give back, and servers that answer wrongly there. */
#include "crowd_fixture.h"

#include <poll.h>

#include "transport/transport.h"
#include "wire/hello.h"

#define IDLE 1000
#define REGION_BYTES (28u << 10)

/* Mappings of shared memory in this process, which is both client and server, of at least and at most so many bytes. */
static int mappings(size_t least, size_t most)
{
    char line[512];
    unsigned long from, to;
    int n = 0;
    FILE *f = fopen("/proc/self/maps", "r");
    while (fgets(line, sizeof(line), f))
        n += strstr(line, "memfd:cell") && sscanf(line, "%lx-%lx", &from, &to) == 2 && to - from >= least &&
             to - from <= most;
    fclose(f);
    return n;
}

static int blobs(void) { return mappings(REGION_BYTES + 1, SIZE_MAX); }

/* How often threads of this process have begun to wait, but this one. */
static long waits(void)
{
    char path[320], line[256];
    struct dirent *d;
    long all = 0, n;
    DIR *dir = opendir("/proc/self/task");
    while ((d = readdir(dir)) != NULL) {
        snprintf(path, sizeof(path), "/proc/self/task/%s/status", d->d_name);
        FILE *f = d->d_name[0] == '.' || atoi(d->d_name) == getpid() ? NULL : fopen(path, "r");
        while (f && fgets(line, sizeof(line), f))
            if (sscanf(line, "voluntary_ctxt_switches: %ld", &n) == 1)
                all += n;
        if (f)
            fclose(f);
    }
    closedir(dir);
    return all;
}

struct held {
    struct cell_client *client;
    cell_ctx *c;
};

static void hold(struct held *h)
{
    int32_t sum;
    h->c = demo_ctx(&h->client);
    for (int i = 0; i < 2; i++) /* the second one goes through the ring */
        CHECK(call_add(h->c, 1, i, &sum) == 0 && sum == 1 + i);
}

static void let_go(struct held *h)
{
    cell_ctx_close(h->c);
    cell_client_close(h->client);
}

TEST(a_thousand_idle_connections_cost_their_regions_and_nothing_else)
{
    struct demo_server d = {.options.max_connections = IDLE + 8};
    static struct held held[IDLE];
    struct held other;
    int32_t sum;
    int before = crowd_threads(), n = crowd_descriptors(IDLE);
    demo_setup();
    demo_start(&d);
    for (int i = 0; i < n; i++)
        hold(&held[i]);
    crowd_wait_for_threads(before);
    CHECK(crowd_connections().shm == (unsigned)n);
    CHECK(mappings(REGION_BYTES, REGION_BYTES) == 4 * n && blobs() == 0); /* two on each side */
    hold(&other);
    crowd_wait_for_threads(before);
    long waited = waits();
    usleep(300000);
    CHECK(waits() - waited < 10); /* the alarm of the last handshake may be among them */
    for (int i = 0; i < 100; i++)
        CHECK(call_add(other.c, i, 1, &sum) == 0 && sum == i + 1);
    for (int i = 0; i < n; i += 37)
        CHECK(call_add(held[i].c, i, 2, &sum) == 0 && sum == i + 2);
    for (int i = 0; i < n; i++)
        let_go(&held[i]);
    let_go(&other);
    demo_stop(&d);
    CHECK(mappings(1, SIZE_MAX) == 0);
    demo_teardown();
}

#define LARGE (400u << 10)

static int answer_large(cell_ctx *c, const void *in, void *const *out)
{
    uint8_t *bytes = cell_ctx_alloc(c, LARGE);
    (void)in;
    if (!bytes)
        return CELL_NO_MEMORY;
    memset(bytes, 'x', LARGE);
    *(struct echo_out *)out[0] = (struct echo_out){CELL_STR("large"), {bytes, LARGE}, 1};
    return 0;
}

TEST(memory_of_large_replies_goes_when_it_is_idle_with_the_next_call)
{
    struct demo_server d = {0};
    struct held h;
    struct echo_out o;
    int32_t sum;
    demo_setup();
    crowd_handler(&d, demo_echo, answer_large);
    demo_start(&d);
    hold(&h);
    for (int i = 0; i < 100; i++) {
        CHECK(call_echo(h.c, CELL_STR(""), (cell_bytes){NULL, 0}, &o) == 0 && o.data.len == LARGE);
        cell_ctx_reset(h.c);
    }
    CHECK(blobs() > 0 && blobs() <= 4); /* however many replies there were */
    while (blobs() > 1)                 /* the server has taken its own away */
        usleep(10000);
    usleep(200000);
    CHECK(call_add(h.c, 1, 2, &sum) == 0 && sum == 3);
    CHECK(blobs() == 0);
    let_go(&h);
    demo_stop(&d);
    demo_teardown();
}

/* Sends one frame from one end and receives it at the other, in one thread: there is always room. */
static bool pass(struct cell_conn *from, struct cell_conn *to, uint8_t kind, uint32_t len)
{
    static uint8_t bytes[LARGE];
    struct cell_received r;
    static uint64_t id;
    const struct cell_frame f = {.kind = kind, .id = ++id, .length = len};
    const struct iovec part = {bytes, len};
    return cell_conn_send(from, &f, &part, 1, CELL_NO_DEADLINE, NULL) == CELL_OK &&
           (!to || cell_conn_recv(to, &r, CELL_NO_DEADLINE, NULL) == CELL_OK);
}

TEST(memory_that_is_taken_back_goes_although_a_message_is_there_already)
{
    const struct cell_connect_options o = {.deadline_ns = CELL_NO_DEADLINE, .max_payload = CELL_MAX_MESSAGE};
    struct cell_listener *l = NULL;
    struct cell_conn *client = NULL, *server = NULL;
    struct cell_received r;
    demo_setup();
    REQUIRE(cell_transport_unix.listen(demo_address, -1, &l, NULL) == CELL_OK);
    REQUIRE(cell_transport_unix.connect(demo_address, &o, &client, NULL) == CELL_OK);
    REQUIRE(cell_transport_unix.accept(l, CELL_MAX_MESSAGE, &server, NULL) == CELL_OK);
    CHECK(cell_conn_offer_shm(client, NULL) == CELL_OK);
    CHECK(pass(client, server, CELL_FRAME_CALL, 8) && pass(server, client, CELL_FRAME_REPLY, 8));
    CHECK(pass(client, server, CELL_FRAME_CALL, 8)); /* now both ways go through the rings */
    CHECK(pass(server, client, CELL_FRAME_REPLY, LARGE) && blobs() == 2);
    CHECK(pass(server, client, CELL_FRAME_REPLY, 8)); /* with recv the large one went back */
    cell_conn_release(server, true);
    CHECK(blobs() == 1);
    CHECK(pass(server, NULL, CELL_FRAME_REPLY, 8) && cell_conn_readable(client));
    CHECK(blobs() == 0);
    CHECK(cell_conn_recv(client, &r, 0, NULL) == CELL_OK && r.frame.length == 8);
    cell_conn_close(client);
    cell_conn_close(server);
    cell_transport_unix.listener_close(l);
    demo_teardown();
}

/* ---- a server by hand ---- */

#define GOOD_CALLS 3

/* After GOOD_CALLS calls of demo_add one is answered with this frame, whose id is `ahead` of the right one. */
struct wrong {
    struct cell_frame frame;
    uint64_t ahead;
    const char *text;
    struct cell_listener *listener;
    char carrier[8]; /* of that answer */
};

static const uint32_t sum_message[8] = {32, 16, 24, 4, 1, 0, 42, 0}; /* the reply to demo_add(40, 2) */

static bool say_welcome(struct cell_conn *conn)
{
    struct cell_greeting g = {.cell = "demo", .shm = true};
    struct cell_buffer b = {0};
    struct cell_frame f;
    memcpy(g.fingerprint, demo_fingerprint, sizeof(g.fingerprint));
    bool said = cell_greeting_encode(&g, CELL_FRAME_WELCOME, CELL_CHANNEL_APP, &f, &b, NULL) >= 0;
    const struct iovec part = {b.data, b.len};
    said = said && cell_conn_send(conn, &f, &part, 1, CELL_NO_DEADLINE, NULL) == CELL_OK;
    cell_buffer_free(&b);
    return said;
}

static void *serve_wrongly(void *arg)
{
    struct wrong *w = arg;
    struct cell_conn *conn = NULL;
    struct cell_received r;
    const struct iovec part = {(void *)(uintptr_t)sum_message, sizeof(sum_message)};
    struct pollfd p = {.fd = cell_transport_unix.listener_fd(w->listener), .events = POLLIN};
    while (poll(&p, 1, -1) < 0)
        continue;
    if (cell_transport_unix.accept(w->listener, CELL_MAX_MESSAGE, &conn, NULL) < 0)
        return NULL;
    bool good = cell_conn_recv(conn, &r, CELL_NO_DEADLINE, NULL) == CELL_OK && say_welcome(conn);
    for (int i = 0; good && cell_conn_recv(conn, &r, CELL_NO_DEADLINE, NULL) == CELL_OK; i++) {
        struct cell_frame f = {.kind = CELL_FRAME_REPLY, .id = r.frame.id};
        if (i == GOOD_CALLS) {
            f = w->frame;
            f.id = r.frame.id + w->ahead;
            snprintf(w->carrier, sizeof(w->carrier), "%s", cell_conn_ops(conn)->name);
        }
        f.length = sizeof(sum_message);
        good = cell_conn_send(conn, &f, &part, 1, CELL_NO_DEADLINE, NULL) == CELL_OK;
    }
    cell_conn_close(conn);
    return NULL;
}

static int call_wrong(cell_ctx *c, bool asynchronously, int32_t *sum)
{
    static const struct add_in in = {40, 2};
    void *const out[] = {sum};
    if (!asynchronously)
        return cell_call(c, &demo, demo_add, &in, out);
    int ticket = cell_call_async(c, &demo, demo_add, &in, out);
    return ticket < 0 ? ticket : cell_wait(c, ticket);
}

static void be_answered_wrongly(struct wrong w, bool asynchronously)
{
    struct held h;
    pthread_t thread;
    int32_t sum = 0;
    demo_setup();
    REQUIRE(cell_transport_unix.listen(demo_address, -1, &w.listener, NULL) == CELL_OK);
    REQUIRE(pthread_create(&thread, NULL, serve_wrongly, &w) == 0);
    h.c = demo_ctx(&h.client);
    for (int i = 0; i < GOOD_CALLS; i++)
        CHECK(call_wrong(h.c, asynchronously, &sum) == 0 && sum == 42);
    sum = 5;
    CHECK(call_wrong(h.c, asynchronously, &sum) == CELL_PROTOCOL_ERROR && sum == 5);
    CHECK_STR(strstr(cell_ctx_message(h.c), w.text) ? w.text : cell_ctx_message(h.c), w.text);
    let_go(&h); /* the connection is closed already: the server's thread has ended */
    pthread_join(thread, NULL);
    CHECK_STR(w.carrier, "shm");
    cell_transport_unix.listener_close(w.listener);
    demo_teardown();
}

TEST(answers_to_short_calls_that_do_not_belong_there_are_refused)
{
    static const struct wrong cases[] = {
        {{.kind = CELL_FRAME_REPLY}, 1, "where REPLY to 4 belongs", NULL, ""},
        {{.kind = CELL_FRAME_REPLY}, UINT64_MAX, "where REPLY to 4 belongs", NULL, ""}, /* the one before */
        {{.kind = CELL_FRAME_REPLY, .channel = CELL_CHANNEL_OPS}, 0, "channel 1", NULL, ""},
        {{.kind = CELL_FRAME_CALL}, 0, "frame kind 4", NULL, ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        for (int k = 0; k < 2; k++)
            be_answered_wrongly(cases[i], k);
}
