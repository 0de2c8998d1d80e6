/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Many threads on one client, forks, nested calls, the default client. */
#include "call_fixture.h"

#define THREADS 32
#define CALLS 50

struct many {
    struct cell_client *client;
    int number;
    int failed;
};

static void *call_often(void *arg)
{
    struct many *m = arg;
    const struct cell_ctx_options options = {.client = m->client, .timeout_ms = 120000};
    char text[32];
    cell_ctx *c = cell_ctx_open(&options);
    for (int i = 0; i < CALLS; i++) {
        int32_t sum = 0;
        struct echo_out o = {0};
        snprintf(text, sizeof(text), "%d/%d", m->number, i);
        m->failed += call_add(c, m->number, i, &sum) != 0 || sum != m->number + i;
        m->failed += call_echo(c, cell_strz(text), (cell_bytes){NULL, 0}, &o) != 0 || strcmp(o.text.ptr, text) != 0;
        if (i % 10 == 0)
            m->failed += call_fail(c, CELL_ABORTED, text) != CELL_ABORTED || !strstr(cell_ctx_message(c), text);
        cell_ctx_reset(c);
    }
    cell_ctx_close(c);
    return NULL;
}

TEST(threads_share_a_client_and_each_gets_its_own_answers)
{
    struct demo_server d = {0};
    struct many many[THREADS];
    pthread_t threads[THREADS];
    struct cell_client *client = NULL;
    demo_setup();
    demo_start(&d);
    CHECK(cell_client_open(demo_address, &client) == CELL_OK);
    for (int i = 0; i < THREADS; i++) {
        many[i] = (struct many){client, i, 0};
        CHECK(pthread_create(&threads[i], NULL, call_often, &many[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        CHECK(many[i].failed == 0);
    }
    CHECK(atomic_load(&shared->calls) == 2 * THREADS * CALLS);
    cell_client_close(client);
    demo_stop(&d);
    demo_teardown();
}

TEST(more_clients_than_connections_are_all_served)
{
    struct demo_server d = {.options.max_connections = 4, .options.max_threads = 2};
    struct many many[12];
    pthread_t threads[12];
    demo_setup();
    demo_start(&d);
    for (int i = 0; i < 12; i++) {
        many[i] = (struct many){NULL, i, 0};
        CHECK(cell_client_open(demo_address, &many[i].client) == CELL_OK);
        CHECK(pthread_create(&threads[i], NULL, call_often, &many[i]) == 0);
    }
    for (int i = 0; i < 12; i++) {
        pthread_join(threads[i], NULL);
        CHECK(many[i].failed == 0);
        cell_client_close(many[i].client);
    }
    CHECK(atomic_load(&shared->most_running) <= 2);
    demo_stop(&d);
    demo_teardown();
}

static void *cancel_often(void *arg)
{
    cell_ctx *c = arg;
    while (!atomic_load(&shared->release)) {
        cell_ctx_cancel(c);
        usleep(200);
    }
    return NULL;
}

TEST(cancelling_at_any_moment_gives_an_answer_or_cancelled)
{
    struct demo_server d = {0};
    struct cell_client *client = NULL;
    pthread_t thread;
    int answered = 0, cancelled = 0;
    demo_setup();
    demo_start(&d);
    cell_ctx *c = demo_ctx(&client);
    pthread_create(&thread, NULL, cancel_often, c);
    for (int i = 0; i < 300; i++) {
        int32_t sum = 0;
        int r = call_add(c, i, 1, &sum);
        CHECK((r == 0 && sum == i + 1) || (r == CELL_CANCELLED && sum == 0));
        answered += r == 0;
        cancelled += r == CELL_CANCELLED;
    }
    CHECK(answered + cancelled == 300);
    atomic_store(&shared->release, 1);
    pthread_join(thread, NULL);
    cell_ctx_close(c);
    cell_client_close(client);
    demo_stop(&d);
    demo_teardown();
}

TEST(a_child_of_fork_makes_its_own_connection)
{
    struct cell_client *client = NULL;
    int32_t sum = 0;
    cell_str value, pid;
    char number[32];
    demo_setup();
    pid_t server = demo_fork((struct cell_server_options){0});
    free(embed_schema(&demo, demo_fingerprint));
    cell_ctx *c = demo_ctx(&client);
    cell_ctx_set_metadata(c, "k", CELL_STR("v"));
    REQUIRE(call_add(c, 1, 2, &sum) == 0);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        int r = call_meta(c, "k", &value);
        snprintf(number, sizeof(number), "%d", (int)getpid());
        bool own = r == 0 && cell_ctx_metadata(c, "pid", &pid) == CELL_OK && strcmp(pid.ptr, number) == 0;
        _exit(own ? 0 : 1);
    }
    for (int i = 0; i < 100; i++)
        CHECK(call_add(c, i, 2, &sum) == 0 && sum == i + 2);
    CHECK(demo_wait(child) == 0);
    CHECK(call_meta(c, "k", &value) == 0);
    snprintf(number, sizeof(number), "%d", (int)getpid());
    CHECK(cell_ctx_metadata(c, "pid", &pid) == CELL_OK);
    CHECK_STR(pid.ptr, number);
    kill(server, SIGTERM);
    CHECK(demo_wait(server) == 0);
    cell_ctx_close(c);
    cell_client_close(client);
    demo_teardown();
}

TEST(forking_while_other_threads_call_leaves_both_sides_working)
{
    struct many many[4];
    pthread_t threads[4];
    struct cell_client *client = NULL;
    demo_setup();
    pid_t server = demo_fork((struct cell_server_options){0});
    free(embed_schema(&demo, demo_fingerprint));
    CHECK(cell_client_open(demo_address, &client) == CELL_OK);
    for (int i = 0; i < 4; i++) {
        many[i] = (struct many){client, i, 0};
        CHECK(pthread_create(&threads[i], NULL, call_often, &many[i]) == 0);
    }
    for (int i = 0; i < 5; i++) {
        fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
            const struct cell_ctx_options options = {.client = client, .timeout_ms = 60000};
            int32_t sum = 0;
            int r = call_add(cell_ctx_open(&options), i, 1, &sum);
            _exit(r == 0 && sum == i + 1 ? 0 : 1);
        }
        CHECK(demo_wait(child) == 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        CHECK(many[i].failed == 0);
    }
    kill(server, SIGTERM);
    CHECK(demo_wait(server) == 0);
    cell_client_close(client);
    demo_teardown();
}

/* ---- the default client ---- */

TEST(the_default_client_is_one_a_cell_and_found_by_its_name)
{
    struct demo_server d = {0};
    struct cell_client *slots[2] = {NULL, NULL};
    int32_t sum = 0;
    demo_setup();
    demo_start(&d);
    setenv("CELL_ADDRESS_DEMO", demo_address, 1);
    struct cell_service first = demo, second = demo;
    first.slot = &slots[0];
    second.slot = &slots[1];
    {
        CELL_CTX(c, .timeout_ms = 60000);
        const struct add_in in = {40, 2};
        void *const out[] = {&sum};
        CHECK(cell_call(c, &first, demo_add, &in, out) == 0 && sum == 42);
        CHECK(cell_call(c, &second, demo_add, &in, out) == 0);
    }
    CHECK(slots[0] != NULL && slots[0] == slots[1]);
    unsetenv("CELL_ADDRESS_DEMO");
    demo_stop(&d);
    demo_teardown();
}

/* ---- a handler that calls ---- */

static struct cell_service *nested_service;
static struct cell_client *nested_client;

/* Forwards demo_block to the other server with its own context. */
static int forward_block(cell_ctx *c, const void *in, void *const *out)
{
    (void)out;
    cell_ctx_set_client(c, nested_client);
    int r = cell_call(c, nested_service, demo_block, in, NULL);
    if (r == CELL_CANCELLED)
        atomic_fetch_add(&shared->stopped, 100);
    return r < 0 ? cell_trail(c, r, "forwarding") : r;
}

/* Asks the other server for the request's metadata of a key, and has metadata of its own for its caller. */
static int forward_meta(cell_ctx *c, const void *in, void *const *out)
{
    CHECK(cell_ctx_set_metadata(c, "own", CELL_STR("reply")) == CELL_OK);
    cell_ctx_set_client(c, nested_client);
    return cell_call(c, nested_service, demo_meta, in, out);
}

static int add_secret(cell_ctx *c, const struct cell_call_info *info, struct cell_chain *chain, void *user)
{
    (void)info, (void)user;
    CHECK(cell_ctx_set_metadata(c, "secret", CELL_STR("of the other cell")) == CELL_OK);
    return cell_next(c, chain);
}

struct forwarder {
    struct demo_server back;
    struct demo_server front;
    char address[4200];
    struct cell_method methods[DEMO_COUNT];
    const struct cell_method *handlers[DEMO_COUNT];
};

static void forwarder_start(struct forwarder *f)
{
    demo_setup();
    demo_start(&f->back);
    CHECK(cell_client_open(demo_address, &nested_client) == CELL_OK);
    nested_service = &demo;
    for (int i = 0; i < DEMO_COUNT; i++) {
        f->methods[i] = server_methods[i];
        f->handlers[i] = &f->methods[i];
    }
    f->methods[demo_block].invoke = forward_block;
    f->methods[demo_meta].invoke = forward_meta;
    snprintf(f->address, sizeof(f->address), "unix:%s", temp_path("front.sock"));
    struct demo_server *d = &f->front;
    d->options = (struct cell_server_options){.address = f->address, .start = say_started, .stop = demo_stopped};
    d->schema = embed_schema(&demo, demo_fingerprint);
    d->provided = (struct cell_provided){CELL_DESC_ABI, 0, "demo", d->schema, f->handlers, f->handlers + DEMO_COUNT};
    CHECK(cell_server_new_from(&d->provided, &d->options, &d->server) == CELL_OK);
    sem_init(&d->started, 0, 0);
    demo_start(d);
}

static void forwarder_stop(struct forwarder *f)
{
    demo_stop(&f->front);
    cell_client_close(nested_client);
    demo_stop(&f->back);
    demo_teardown();
}

TEST(a_handlers_call_carries_its_callers_trace_and_what_interceptors_set)
{
    static const char trace[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    struct forwarder f = {0};
    struct cell_client *client = NULL;
    cell_str value = {0};
    forwarder_start(&f);
    CHECK(cell_client_intercept(nested_client, add_secret, NULL) == CELL_OK);
    CHECK(cell_client_open(f.address, &client) == CELL_OK);
    const struct cell_ctx_options options = {.client = client};
    cell_ctx *c = cell_ctx_open(&options);
    cell_ctx_set_metadata(c, "traceparent", cell_strz(trace));
    cell_ctx_set_metadata(c, "tracestate", CELL_STR("a=b"));
    cell_ctx_set_metadata(c, "other", CELL_STR("stays here"));
    CHECK(call_meta(c, "traceparent", &value) == 0);
    CHECK_STR(value.ptr, trace);
    CHECK(call_meta(c, "tracestate", &value) == 0);
    CHECK_STR(value.ptr, "a=b");
    CHECK(call_meta(c, "secret", &value) == 0);
    CHECK_STR(value.ptr, "of the other cell");
    /* Nothing of the inner call reaches the outer caller, whose reply has the handler's own. */
    CHECK(cell_ctx_metadata(c, "secret", &value) == CELL_NOT_FOUND);
    CHECK(cell_ctx_metadata(c, "pid", &value) == CELL_NOT_FOUND);
    CHECK(cell_ctx_metadata(c, "own", &value) == CELL_OK);
    CHECK(call_meta(c, "other", &value) == CELL_NOT_FOUND);
    CHECK(call_meta(c, "own", &value) == CELL_NOT_FOUND);
    cell_ctx_close(c);
    cell_client_close(client);
    forwarder_stop(&f);
}

static void *cancel_ctx_when_entered(void *arg)
{
    wait_sem(&shared->entered);
    cell_ctx_cancel(arg);
    return NULL;
}

TEST(a_handler_that_calls_with_its_context_passes_on_deadline_and_cancellation)
{
    static struct forwarder f;
    struct cell_client *client = NULL;
    pthread_t thread;
    forwarder_start(&f);
    CHECK(cell_client_open(f.address, &client) == CELL_OK);
    const struct cell_ctx_options options = {.client = client, .timeout_ms = UINT32_MAX};
    cell_ctx *c = cell_ctx_open(&options);
    pthread_create(&thread, NULL, cancel_ctx_when_entered, c);
    CHECK(call_block(c, BLOCK_CANCEL) == CELL_CANCELLED);
    pthread_join(thread, NULL);
    wait_sem(&shared->left); /* of the handler at the far end */
    CHECK(atomic_load(&shared->cancelled) == 1);
    while (atomic_load(&shared->stopped) != 100) /* and of the one between */
        usleep(500);
    cell_ctx_set_timeout_ms(c, 30);
    CHECK(call_block(c, BLOCK_CANCEL) == CELL_DEADLINE_EXCEEDED);
    wait_sem(&shared->entered);
    wait_sem(&shared->left);
    CHECK(atomic_load(&shared->cancelled) == 2);
    cell_ctx_set_timeout_ms(c, 60000);
    atomic_store(&shared->release, 1);
    CHECK(call_block(c, BLOCK_CANCEL) == 0);
    cell_ctx_close(c);
    cell_client_close(client);
    forwarder_stop(&f);
}
