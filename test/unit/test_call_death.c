/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * A server or a client is killed at whatever instruction it happens to be, in the middle of calls of all kinds: plain
 * and large ones, asynchronous ones, batches. The other one learns of it and keeps nothing, the next call works, no
 * call is carried out twice, and its status says what is known of it.
 */
#include "crowd_fixture.h"
#include "process_state.h"

#include <sys/prctl.h>
#include <time.h>

/* Of each of two tests and transport. Without sanitizers, where a process costs little, they are many more. */
#ifndef KILLS
#define KILLS 120
#endif
#define CALLS 4000u
#define MOST 12
#define LARGE 70000

/* How often each call was carried out, and when the killer struck; shared with the servers. */
struct tally {
    atomic_uchar done[CALLS];
    atomic_uint next;
    atomic_uint wrong; /* calls of which a client that was killed thought so */
};
static struct tally *tally;

static int count_echo(cell_ctx *c, const void *in, void *const *out)
{
    const struct echo_in *i = in;
    (void)c;
    uint32_t id;
    memcpy(&id, i->data.ptr, sizeof(id));
    atomic_fetch_add(&tally->done[id % CALLS], 1);
    *(struct echo_out *)out[0] = (struct echo_out){i->text, i->data, 0};
    return 0;
}

static uint32_t draw(uint32_t *x)
{
    *x = *x * 1664525 + 1013904223;
    return *x >> 8;
}

/* ---- the client's calls ---- */

struct call {
    uint32_t id;
    int status;
    struct echo_out out;
};

struct caller {
    cell_ctx *c;
    uint32_t random;
    uint8_t bytes[LARGE];
};

/* Some bytes that begin with the call's number; one of eight does not fit anywhere but into memory of its own. */
static cell_bytes request(struct caller *k, struct call *call)
{
    uint32_t kind = draw(&k->random) % 8;
    size_t len = kind == 0 ? LARGE : kind < 3 ? 3000 : 8 + draw(&k->random) % 60;
    *call = (struct call){.id = atomic_fetch_add(&tally->next, 1) % CALLS};
    atomic_store(&tally->done[call->id], 0);
    memcpy(k->bytes, &call->id, sizeof(call->id));
    return (cell_bytes){k->bytes, len};
}

static int start_call(struct caller *k, struct call *call)
{
    const struct echo_in in = {CELL_STR(""), request(k, call)};
    void *const out[] = {&call->out};
    return cell_call_async(k->c, &demo, demo_echo, &in, out);
}

static void finish_call(struct caller *k, struct call *call, int ticket)
{
    uint32_t id = call->id;
    call->status = cell_wait(k->c, ticket);
    if (call->status == CELL_OK)
        CHECK(call->out.data.len >= 8 && memcmp(call->out.data.ptr, &id, sizeof(id)) == 0);
}

/* One call, or several at a time. Returns how many. */
static int make_calls(struct caller *k, struct call calls[MOST])
{
    uint32_t how = draw(&k->random) % 4;
    int tickets[MOST], n = how < 2 ? 1 : 2 + (int)(draw(&k->random) % (MOST - 2));
    if (how == 0) {
        const cell_bytes bytes = request(k, &calls[0]);
        calls[0].status = call_echo(k->c, CELL_STR(""), bytes, &calls[0].out);
        return 1;
    }
    if (how == 3)
        CHECK(cell_batch_begin(k->c) == CELL_OK);
    for (int i = 0; i < n; i++)
        tickets[i] = start_call(k, &calls[i]);
    if (how == 3)
        CHECK(cell_batch_end(k->c) == CELL_OK);
    for (int i = 0; i < n; i++)
        finish_call(k, &calls[i], tickets[i]);
    return n;
}

/* What the status says agrees with what was done. */
static void check_call(const struct call *call)
{
    unsigned done = atomic_load(&tally->done[call->id]);
    CHECK(done <= 1);
    CHECK(call->status == CELL_OK || call->status == CELL_UNAVAILABLE || call->status == CELL_UNKNOWN_OUTCOME);
    if (call->status == CELL_OK)
        CHECK(done == 1);
    if (call->status == CELL_UNAVAILABLE)
        CHECK(done == 0);
}

/* ---- killing ---- */

struct killer {
    pid_t victim;
    uint32_t after_us;
    atomic_uint_fast64_t struck_ns;
};

static void *kill_later(void *arg)
{
    struct killer *k = arg;
    const struct timespec t = {.tv_nsec = (long)k->after_us * 1000};
    nanosleep(&t, NULL);
    atomic_store(&k->struck_ns, cell_now_ns());
    kill(k->victim, SIGKILL);
    return NULL;
}

static void set_transport(bool shm) { call_over(shm); }

static void begin(bool shm)
{
    set_transport(shm);
    demo_setup();
    if (!tally)
        tally = mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    memset((void *)tally, 0, sizeof(*tally));
}

static pid_t fork_server(void)
{
    struct demo_server handlers = {0};
    crowd_handler(&handlers, demo_echo, count_echo);
    demo_fork_handlers = handlers.handlers;
    return demo_fork((struct cell_server_options){0});
}

/* ---- the server is killed ---- */

/* Calls until the server is gone. Returns how long after the blow that was known. */
static uint64_t call_until_dead(struct caller *k, struct killer *killer)
{
    struct call calls[MOST];
    bool dead = false;
    while (!dead) {
        int n = make_calls(k, calls);
        uint64_t now = cell_now_ns(), struck = atomic_load(&killer->struck_ns);
        for (int i = 0; i < n; i++) {
            check_call(&calls[i]);
            dead |= calls[i].status != CELL_OK;
        }
        cell_ctx_reset(k->c);
        if (dead) {
            CHECK(struck != 0);
            return now - struck;
        }
    }
    return 0;
}

static void outlive_servers(bool shm)
{
    static struct caller k;
    struct cell_client *client = NULL;
    uint64_t longest = 0;
    int32_t sum = 0;
    begin(shm);
    free(embed_schema(&demo, demo_fingerprint));
    unsigned fds = open_descriptors(), maps = shared_mappings();
    k = (struct caller){.c = demo_ctx(&client), .random = 1 + shm};
    for (int i = 0; i < KILLS; i++) {
        pthread_t thread;
        struct killer killer = {.victim = fork_server(), .after_us = draw(&k.random) % 3000};
        for (int n = 0; n < i % 4; n++) /* over the socket, in the middle of the upgrade, over shared memory */
            CHECK(call_add(k.c, n, 2, &sum) == 0 && sum == n + 2);
        REQUIRE(pthread_create(&thread, NULL, kill_later, &killer) == 0);
        uint64_t took = call_until_dead(&k, &killer);
        longest = took > longest ? took : longest;
        pthread_join(thread, NULL);
        CHECK(WIFSIGNALED(demo_wait(killer.victim)));
        CHECK(call_add(k.c, 1, 2, &sum) == CELL_UNAVAILABLE); /* nobody is there */
        cell_ctx_reset(k.c);
        CHECK(open_descriptors() == fds);
        CHECK(shared_mappings() == maps);
        CHECK(crowd_threads() == 1);
    }
    pid_t last = fork_server();
    CHECK(call_add(k.c, 1, 2, &sum) == 0 && sum == 3);
    kill(last, SIGKILL);
    demo_wait(last);
    printf("# %s: known %.1f ms after a server was killed, at the latest\n", shm ? "shm" : "unix",
           (double)longest / 1e6);
    cell_ctx_close(k.c);
    cell_client_close(client);
    demo_teardown();
}

TEST(a_client_outlives_its_servers_over_the_socket) { outlive_servers(false); }
TEST(a_client_outlives_its_servers_over_shared_memory) { outlive_servers(true); }

/* ---- the client is killed ---- */

static void call_for_ever(uint32_t random)
{
    static struct caller k;
    struct cell_client *client = NULL;
    struct call calls[MOST];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    k = (struct caller){.c = demo_ctx(&client), .random = random};
    for (;;) {
        int n = make_calls(&k, calls);
        for (int i = 0; i < n; i++)
            if (calls[i].status != CELL_OK || atomic_load(&tally->done[calls[i].id]) != 1)
                atomic_fetch_add(&tally->wrong, 1);
        cell_ctx_reset(k.c);
    }
}

static void outlive_clients(bool shm)
{
    struct demo_server d = {0};
    struct cell_client *client = NULL;
    uint64_t longest = 0;
    uint32_t random = 7 + shm;
    int32_t sum = 0;
    begin(shm);
    int threads = crowd_threads();
    crowd_handler(&d, demo_echo, count_echo);
    demo_start(&d);
    unsigned fds = open_descriptors(), maps = shared_mappings();
    for (int i = 0; i < KILLS; i++) {
        fflush(stdout);
        uint32_t before = atomic_load(&tally->next);
        pid_t child = fork();
        if (child == 0)
            call_for_ever(random + (uint32_t)i);
        while (atomic_load(&tally->next) == before)
            sched_yield(); /* it lives */
        const struct timespec t = {.tv_nsec = (long)(draw(&random) % 3000) * 1000};
        nanosleep(&t, NULL);
        uint64_t struck = cell_now_ns();
        kill(child, SIGKILL);
        CHECK(WIFSIGNALED(demo_wait(child)));
        while (open_descriptors() != fds || shared_mappings() != maps) /* for ever, if something is left */
            usleep(200);
        uint64_t took = cell_now_ns() - struck;
        longest = took > longest ? took : longest;
        uint32_t end = atomic_load(&tally->next);
        for (uint32_t id = before; id != end; id++)
            CHECK(atomic_load(&tally->done[id % CALLS]) <= 1);
    }
    crowd_wait_for_threads(threads);
    CHECK(atomic_load(&tally->wrong) == 0);
    cell_ctx *c = demo_ctx(&client);
    CHECK(call_add(c, 1, 2, &sum) == 0 && sum == 3);
    cell_ctx_close(c);
    cell_client_close(client);
    printf("# %s: nothing is left %.1f ms after a client was killed, at the latest\n", shm ? "shm" : "unix",
           (double)longest / 1e6);
    demo_stop(&d);
    demo_teardown();
}

TEST(a_server_outlives_its_clients_over_the_socket) { outlive_clients(false); }
TEST(a_server_outlives_its_clients_over_shared_memory) { outlive_clients(true); }
