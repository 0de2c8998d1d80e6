/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * One side of a stream is killed at whatever instruction it happens to be, in either direction, over the socket and
 * over shared memory. The other side gets an error and goes on; nothing of the stream is left.
 */

#include "stream_fixture.h"
#include "process_state.h"

#define KILLS 60u /* of each of the eight ways */

static uint32_t draw(uint32_t *x)
{
    *x = *x * 1664525 + 1013904223;
    return *x >> 8;
}

static void kill_later(pid_t pid, uint32_t *random)
{
    usleep(draw(random) % 3000);
    kill(pid, SIGKILL);
    CHECK(WIFSIGNALED(demo_wait(pid)));
}

/* Puts or takes until something is wrong; then the end says the same. */
static int use(cell_ctx *c, bool writes, uint64_t *done)
{
    struct item some[64] = {{0}};
    struct total t;
    struct cell_stream *s = writes ? open_sum(c, UINT64_MAX, 0) : open_count(c, 0, UINT64_MAX, 64, 0);
    if (writes)
        while (cell_stream_put(s, some, 64) == CELL_OK)
            ++*done;
    else
        for (size_t n; (n = cell_stream_next_n(s, some, 64)) > 0; *done += n)
            for (size_t i = 0; i < n; i++)
                CHECK(some[i].n == *done + i && some[i].rest[0] == ~some[i].n); /* whole, and in order */
    return end_total(s, &t);
}

/* The pid of a process that only serves. */
static pid_t serve(void)
{
    int ready[2];
    char byte;
    CHECK(pipe(ready) == 0);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        struct demo_server d = {.server = NULL};
        flow_new(&d);
        demo_start(&d);
        if (write(ready[1], "+", 1) != 1)
            _exit(3);
        for (;;)
            pause();
    }
    close(ready[1]);
    CHECK(read(ready[0], &byte, 1) == 1);
    close(ready[0]);
    return pid;
}

static void *kill_thread(void *arg)
{
    uint32_t *random = arg;
    kill_later((pid_t)random[1], random);
    return NULL;
}

TEST(a_server_that_is_killed_is_an_error_for_its_client)
{
    for (enum carrier k = 0; k < IN_PROCESS; k++)
        for (int writes = 0; writes < 2; writes++) {
            uint32_t random[2] = {(uint32_t)(7 * k + (unsigned)writes), 0};
            unsigned before = 0;
            for (unsigned kills = 0; kills < KILLS; kills++) {
                struct cell_client *client;
                pthread_t thread;
                uint64_t done = 0, sum;
                demo_setup();
                setenv("CELL_TRANSPORT", k == OVER_SOCKET ? "unix" : "shm", 1);
                free(embed_schema(&flow, flow_fingerprint));
                pid_t pid = serve();
                CHECK(cell_client_open(demo_address, &client) == 0);
                cell_ctx *c = cell_ctx_open(&(struct cell_ctx_options){.client = client, .timeout_ms = 60000});
                CHECK(flow_call_add(c, 1, &sum) == 0 && flow_call_add(c, 1, &sum) == 0);
                random[1] = (uint32_t)pid;
                CHECK(pthread_create(&thread, NULL, kill_thread, random) == 0);
                int r = use(c, writes, &done);
                CHECK(r == CELL_UNAVAILABLE);
                pthread_join(thread, NULL);
                cell_ctx_close(c);
                cell_client_close(client);
                demo_teardown();
                if (kills == 2)
                    before = open_descriptors();
            }
            CHECK(open_descriptors() == before);
        }
    unsetenv("CELL_TRANSPORT");
}

TEST(a_client_that_is_killed_frees_its_handler)
{
    for (enum carrier k = 0; k < IN_PROCESS; k++)
        for (int writes = 0; writes < 2; writes++) {
            struct flow f;
            uint32_t random = 5 * k + (uint32_t)writes;
            uint64_t sum;
            flow_begin(&f, k, (struct cell_server_options){.max_threads = 2, .max_streams = 3});
            unsigned before = 0;
            for (unsigned kills = 0; kills < KILLS; kills++) {
                fflush(stdout);
                pid_t pid = fork();
                if (pid == 0) {
                    uint64_t done = 0;
                    struct cell_client *client;
                    cell_client_open(demo_address, &client);
                    cell_ctx *c = cell_ctx_open(&(struct cell_ctx_options){.client = client, .timeout_ms = 60000});
                    flow_call_add(c, 1, &sum);
                    flow_call_add(c, 1, &sum);
                    use(c, writes, &done);
                    _exit(9);
                }
                kill_later(pid, &random);
                while (atomic_load(&shared->running)) /* every handler has ended: none waits for the dead */
                    usleep(200);
                CHECK(flow_call_add(f.c, 1, &sum) == 0);
                while (f.d.server->nstreams)
                    usleep(200);
                if (kills == 2)
                    before = open_descriptors();
            }
            while (atomic_load(&f.d.server->counters.connections) -
                       atomic_load(&f.d.server->counters.connections_closed) >
                   1)
                usleep(200);
            CHECK(open_descriptors() <= before);
            flow_end(&f);
        }
}

/* The server stands still when the call is made, and dies before it has seen it; another has taken its place. */
TEST(a_call_that_an_idle_connection_never_delivered_is_made_again)
{
    struct cell_client *client;
    struct item i;
    struct total t = {0};
    uint64_t n = 0, sum;
    siginfo_t info;
    demo_setup();
    setenv("CELL_TRANSPORT", "shm", 1); /* over the socket it cannot be told whether it was taken */
    free(embed_schema(&flow, flow_fingerprint));
    pid_t first = serve();
    CHECK(cell_client_open(demo_address, &client) == 0);
    cell_ctx *c = cell_ctx_open(&(struct cell_ctx_options){.client = client, .timeout_ms = 60000});
    CHECK(flow_call_add(c, 1, &sum) == 0 && flow_call_add(c, 1, &sum) == 0);
    CHECK(kill(first, SIGSTOP) == 0 && waitid(P_PID, (id_t)first, &info, WSTOPPED) == 0);
    CHECK(unlink(temp_path("demo.sock")) == 0);
    pid_t second = serve();
    struct cell_stream *s = open_count(c, 5, 100, 10, 0);
    CHECK(kill(first, SIGKILL) == 0 && WIFSIGNALED(demo_wait(first)));
    while (cell_stream_next(s, &i) > 0)
        CHECK(i.n == 5 + n++);
    CHECK(n == 100 && end_total(s, &t) == 0 && t.count == 100);
    CHECK_STR(cell_ctx_message(c), "");
    cell_ctx_close(c);
    cell_client_close(client);
    CHECK(kill(second, SIGKILL) == 0 && WIFSIGNALED(demo_wait(second)));
    demo_teardown();
    unsetenv("CELL_TRANSPORT");
}
