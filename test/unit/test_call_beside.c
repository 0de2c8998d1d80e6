/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What one thread or context holds delays no other, and an idle connection holds nothing. */
#include "crowd_fixture.h"
#include "process_state.h"
#include "async_calls.h"

#define THREADS 32
#define CALLS 40
#define LARGE 300000

/* ---- 32 threads, of which one holds ---- */

static uint8_t large[LARGE];

struct worker {
    struct cell_client *client;
    int failed;
};

/* Calls of all kinds, while another thread holds what it has. */
static void *work(void *arg)
{
    struct worker *w = arg;
    const struct cell_ctx_options o = {.client = w->client, .timeout_ms = 60000};
    cell_ctx *c = cell_ctx_open(&o);
    for (int i = 0; i < CALLS; i++) {
        struct echo_out out;
        int32_t sum = 0;
        w->failed += call_add(c, i, 1, &sum) != 0 || sum != i + 1;
        w->failed += cell_wait(c, add_async(c, i, 2, &sum)) != 0 || sum != i + 2;
        size_t len = i % 8 ? 100 : LARGE;
        w->failed += call_echo(c, CELL_STR(""), (cell_bytes){large, len}, &out) != 0 || out.data.len != len;
        cell_ctx_reset(c);
    }
    cell_ctx_close(c);
    return NULL;
}

static void work_beside(struct cell_client *client)
{
    static struct worker workers[THREADS - 1];
    pthread_t threads[THREADS - 1];
    for (int i = 0; i < THREADS - 1; i++) {
        workers[i] = (struct worker){client, 0};
        REQUIRE(pthread_create(&threads[i], NULL, work, &workers[i]) == 0);
    }
    for (int i = 0; i < THREADS - 1; i++) {
        pthread_join(threads[i], NULL);
        CHECK(workers[i].failed == 0);
    }
}

/* The held calls are of one thread, for as long as all the others need. */
TEST(calls_and_replies_that_one_thread_holds_delay_none_of_31_others)
{
    for (int shm = 0; shm < 2; shm++) {
        struct demo_server d = {0};
        struct cell_client *client = NULL;
        struct echo_out held[2], reply;
        int32_t sum = 0;
        call_over(shm);
        demo_setup();
        demo_start(&d);
        cell_ctx *c = demo_ctx(&client);
        for (int i = 0; i < 3; i++)
            CHECK(call_add(c, i, 1, &sum) == 0);
        /* A handler that does not end, and calls behind it; a large reply that is not taken; one that is kept. */
        const int32_t deaf = BLOCK_DEAF;
        cell_ctx *other = cell_ctx_open(&(struct cell_ctx_options){.client = client, .timeout_ms = 60000});
        int blocked = cell_call_async(other, &demo, demo_block, &deaf, NULL), behind = add_async(other, 1, 2, &sum);
        CHECK(blocked >= 0 && behind >= 0);
        CHECK(call_echo(c, CELL_STR(""), (cell_bytes){large, LARGE}, &reply) == 0);
        int first = echo_async(c, (cell_bytes){large, LARGE}, &held[0]);
        int second = echo_async(c, (cell_bytes){large, 100}, &held[1]); /* the first one's reply is here by now */
        CHECK(first >= 0 && second >= 0);
        CHECK(cell_batch_begin(c) == CELL_OK);
        int kept_back = add_async(c, 20, 22, &sum);
        wait_sem(&shared->entered);
        work_beside(client);
        CHECK(atomic_load(&shared->release) == 0); /* all of that while the handler ran */
        atomic_store(&shared->release, 1);
        CHECK(cell_wait(other, behind) == 0 && sum == 3 && cell_wait(other, blocked) == 0);
        CHECK(cell_wait(c, second) == 0 && held[1].data.len == 100);
        CHECK(cell_wait(c, first) == 0 && held[0].data.len == LARGE);
        CHECK(cell_wait(c, kept_back) == 0 && sum == 42);
        CHECK(reply.data.len == LARGE && memcmp(reply.data.ptr, large, LARGE) == 0);
        cell_ctx_close(other);
        cell_ctx_close(c);
        cell_client_close(client);
        demo_stop(&d);
        demo_teardown();
    }
}

/* ---- idle connections ---- */

/* The server is another process: what is mapped here is the client's. */
TEST(an_idle_connection_gives_back_the_memory_of_its_large_requests)
{
    struct cell_client *client = NULL;
    static char text[LARGE + 1];
    struct echo_out out;
    cell_str value;
    int32_t sum = 0;
    memset(text, 'k', LARGE);
    unsetenv("CELL_TRANSPORT");
    demo_setup();
    pid_t server = demo_fork((struct cell_server_options){0});
    free(embed_schema(&demo, demo_fingerprint));
    cell_ctx *c = demo_ctx(&client);
    for (int i = 0; i < 3; i++)
        CHECK(call_add(c, i, 1, &sum) == 0);
    unsigned idle = shared_mappings();
    CHECK(idle == 2); /* the regions */
    for (int i = 0; i < 60; i++) {
        c = c ? c : cell_ctx_open(&(struct cell_ctx_options){.client = client, .timeout_ms = 60000});
        CHECK(call_add(c, i, 1, &sum) == 0);
        if (i % 3 == 0) /* answered in a moment */
            CHECK(call_meta(c, text, &value) == CELL_NOT_FOUND);
        else if (i % 3 == 1)
            CHECK(call_echo(c, CELL_STR(""), (cell_bytes){large, LARGE}, &out) == CELL_OK && out.data.len == LARGE);
        else
            CHECK(cell_wait(c, echo_async(c, (cell_bytes){large, LARGE}, &out)) == CELL_OK && out.data.len == LARGE);
        CHECK(shared_mappings() > idle);
        cell_ctx_close(c);
        c = NULL;
        /* Its own are gone at once. The server's, with replies, are taken back when the client calls next. */
        CHECK(shared_mappings() <= idle + 1);
    }
    cell_client_close(client);
    CHECK(shared_mappings() == 0);
    kill(server, SIGTERM);
    CHECK(demo_wait(server) == 0);
    demo_teardown();
}
