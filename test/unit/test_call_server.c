/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The server as clients of any kind meet it: its life, its limits, its restarts. */
#include "call_fixture.h"

#include <sys/resource.h>

TEST(a_server_killed_in_the_middle_of_a_call_is_unavailable_and_its_successor_is_reached)
{
    struct cell_client *client = NULL;
    int32_t sum = 0;
    demo_setup();
    pid_t pid = demo_fork((struct cell_server_options){0});
    free(embed_schema(&demo, demo_fingerprint));
    cell_ctx *c = demo_ctx(&client);
    REQUIRE(call_add(c, 1, 2, &sum) == 0);
    fflush(stdout);
    pid_t killer = fork();
    if (killer == 0) {
        wait_sem(&shared->entered);
        _exit(kill(pid, SIGKILL) == 0 ? 0 : 1);
    }
    CHECK(call_block(c, BLOCK_RELEASE) == CELL_UNKNOWN_OUTCOME);
    CHECK(strstr(cell_ctx_message(c), "may have been executed"));
    CHECK(demo_wait(killer) == 0);
    CHECK(WIFSIGNALED(demo_wait(pid)));
    CHECK(call_add(c, 1, 2, &sum) == CELL_UNAVAILABLE);
    CHECK(!strstr(cell_ctx_message(c), "may have been executed"));
    pid = demo_fork((struct cell_server_options){0});
    CHECK(call_add(c, 20, 2, &sum) == 0 && sum == 22);
    kill(pid, SIGKILL);
    demo_wait(pid);
    pid = demo_fork((struct cell_server_options){0});
    struct echo_out o; /* not idempotent: nobody took what was sent on the idle connection */
    cell_ctx_reset(c);
    for (int i = 0; i < 3; i++) { /* after one call, and after several: over the socket, over shared memory */
        for (int k = 0; k < i; k++)
            CHECK(call_add(c, k, 2, &sum) == 0 && sum == k + 2);
        kill(pid, SIGKILL);
        demo_wait(pid);
        pid = demo_fork((struct cell_server_options){0});
        CHECK(call_echo(c, CELL_STR("x"), (cell_bytes){NULL, 0}, &o) == 0);
        CHECK_STR(cell_ctx_message(c), "");
        cell_ctx_reset(c);
    }
    kill(pid, SIGTERM);
    CHECK(demo_wait(pid) == 0);
    cell_ctx_close(c);
    cell_client_close(client);
    demo_teardown();
}

static void *block_in_thread(void *arg)
{
    struct cell_client *client = NULL;
    cell_ctx *c = demo_ctx(&client);
    intptr_t r = call_block(c, (int32_t)(intptr_t)arg);
    cell_ctx_close(c);
    cell_client_close(client);
    return (void *)r;
}

TEST(sigterm_lets_running_calls_finish_and_sends_the_others_away)
{
    struct cell_client *client = NULL;
    pthread_t thread;
    void *result;
    int32_t sum;
    demo_setup();
    pid_t pid = demo_fork((struct cell_server_options){0});
    free(embed_schema(&demo, demo_fingerprint));
    cell_ctx *c = demo_ctx(&client);
    REQUIRE(call_add(c, 1, 2, &sum) == 0);
    int ops = raw_connect();
    struct cell_frame f;
    uint8_t *payload;
    raw_hello(ops, CELL_CHANNEL_OPS, "demo", NULL, "lp64-le");
    REQUIRE(raw_recv(ops, &f, &payload));
    free(payload);
    pthread_create(&thread, NULL, block_in_thread, (void *)(intptr_t)BLOCK_RELEASE);
    wait_sem(&shared->entered);
    kill(pid, SIGTERM);
    while (access(demo_address + 5, F_OK) == 0)
        usleep(500);
    CHECK(call_add(c, 1, 2, &sum) == CELL_UNAVAILABLE);
    CHECK(raw_send(ops, (struct cell_frame){.kind = CELL_FRAME_CALL, .channel = CELL_CHANNEL_OPS, .id = 1}, NULL, 0,
                   NULL, 0));
    CHECK(raw_recv(ops, &f, &payload));
    CHECK(strstr((char *)payload, "\"draining\"") != NULL);
    free(payload);
    atomic_store(&shared->release, 1);
    pthread_join(thread, &result);
    CHECK((intptr_t)result == 0);
    CHECK(demo_wait(pid) == 0);
    payload = NULL;
    CHECK(raw_recv(ops, &f, &payload) && f.kind == CELL_FRAME_GOAWAY);
    free(payload);
    CHECK(raw_ended(ops));
    CHECK(atomic_load(&shared->stopped) == 1);
    close(ops);
    cell_ctx_close(c);
    cell_client_close(client);
    demo_teardown();
}

TEST(calls_that_do_not_end_in_time_are_told_so_when_the_server_stops)
{
    struct demo_server d = {.options.drain_ms = 1};
    pthread_t thread;
    void *result;
    demo_setup();
    demo_start(&d);
    pthread_create(&thread, NULL, block_in_thread, (void *)(intptr_t)BLOCK_CANCEL);
    wait_sem(&shared->entered);
    demo_stop(&d);
    pthread_join(thread, &result);
    CHECK((intptr_t)result == CELL_CANCELLED);
    CHECK(atomic_load(&shared->cancelled) == 1);
    demo_teardown();
}

static void *release_when_entered(void *arg)
{
    wait_sem(&shared->entered);
    atomic_store(&shared->release, 1);
    return arg;
}

static void *run_when_it_may(void *arg)
{
    struct demo_server *d = arg;
    while ((d->result = cell_server_run(d->server)) == CELL_FAILED_PRECONDITION)
        usleep(500);
    return NULL;
}

TEST(a_handler_that_never_ends_does_not_keep_the_server_and_what_it_uses_stays)
{
    struct demo_server d = {.options.drain_ms = 1};
    pthread_t thread;
    demo_setup();
    demo_start(&d);
    pthread_create(&thread, NULL, block_in_thread, (void *)(intptr_t)BLOCK_DEAF);
    wait_sem(&shared->entered);
    cell_server_stop(d.server);
    pthread_join(d.thread, NULL);
    CHECK(d.result == CELL_DEADLINE_EXCEEDED);
    CHECK(strstr(cell_server_message(d.server), "did not end"));
    CHECK(atomic_load(&shared->stopped) == 0);
    CHECK(cell_server_run(d.server) == CELL_FAILED_PRECONDITION);
    CHECK(strstr(cell_server_message(d.server), "did not end yet"));
    cell_server_free(d.server);
    atomic_store(&shared->release, 1);
    wait_sem(&shared->left);
    pthread_join(thread, NULL);
    free(d.schema);
    sem_destroy(&d.started);
    demo_teardown();
}

TEST(a_server_runs_again_when_the_handler_that_kept_it_has_ended)
{
    struct demo_server d = {.options.drain_ms = 1};
    struct cell_client *client = NULL;
    pthread_t thread;
    demo_setup();
    demo_start(&d);
    pthread_create(&thread, NULL, block_in_thread, (void *)(intptr_t)BLOCK_DEAF);
    wait_sem(&shared->entered);
    cell_server_stop(d.server);
    pthread_join(d.thread, NULL);
    CHECK(d.result == CELL_DEADLINE_EXCEEDED);
    wait_sem(&d.started); /* demo_run says so when it fails, too */
    atomic_store(&shared->release, 1);
    wait_sem(&shared->left);
    pthread_join(thread, NULL);
    server_that_starts = &d;
    pthread_create(&d.thread, NULL, run_when_it_may, &d);
    wait_sem(&d.started);
    atomic_store(&shared->release, 0);
    pthread_create(&thread, NULL, release_when_entered, NULL);
    cell_ctx *c = demo_ctx(&client);
    CHECK(call_block(c, BLOCK_CANCEL) == 0); /* nobody tells it to stop any more */
    pthread_join(thread, NULL);
    cell_ctx_close(c);
    cell_client_close(client);
    demo_stop(&d);
    demo_teardown();
}

TEST(a_stop_before_the_run_is_not_lost_and_a_server_can_run_again)
{
    struct demo_server d = {0};
    struct cell_client *client = NULL;
    int32_t sum;
    demo_setup();
    demo_new(&d);
    cell_server_stop(d.server);
    server_that_starts = &d;
    CHECK(cell_server_run(d.server) == CELL_OK);
    wait_sem(&d.started);
    demo_start(&d);
    CHECK(cell_server_run(d.server) == CELL_FAILED_PRECONDITION); /* it runs */
    cell_ctx *c = demo_ctx(&client);
    CHECK(call_add(c, 1, 2, &sum) == 0);
    cell_ctx_close(c);
    cell_client_close(client);
    demo_stop(&d);
    CHECK(atomic_load(&shared->started) == 2 && atomic_load(&shared->stopped) == 2);
    demo_teardown();
}

TEST(a_second_server_on_the_address_is_refused_and_the_first_goes_on)
{
    struct demo_server first = {0}, second = {0};
    struct cell_client *client = NULL;
    int32_t sum;
    demo_setup();
    demo_start(&first);
    demo_new(&second);
    CHECK(cell_server_run(second.server) == CELL_ALREADY_EXISTS);
    CHECK(strstr(cell_server_message(second.server), "demo.sock"));
    cell_ctx *c = demo_ctx(&client);
    CHECK(call_add(c, 1, 2, &sum) == 0);
    demo_stop(&first);
    demo_start(&second); /* once the place is free */
    CHECK(call_add(c, 1, 2, &sum) == 0);
    cell_ctx_close(c);
    cell_client_close(client);
    demo_stop(&second);
    demo_teardown();
}

static int refuse_start(void *user)
{
    (void)user;
    return CELL_DATA_LOSS;
}

TEST(a_start_callback_that_fails_stops_the_server_and_removes_the_socket)
{
    struct demo_server d = {.options.start = refuse_start};
    demo_setup();
    demo_new(&d);
    CHECK(cell_server_run(d.server) == CELL_DATA_LOSS);
    CHECK(strstr(cell_server_message(d.server), "start failed"));
    CHECK(access(demo_address + 5, F_OK) != 0);
    CHECK(atomic_load(&shared->stopped) == 0);
    demo_free(&d);
    demo_teardown();
}

TEST(idle_connections_make_room_for_new_clients)
{
    struct demo_server d = {.options.max_connections = 2};
    struct cell_client *client[5] = {0};
    cell_ctx *c[5];
    int32_t sum;
    demo_setup();
    demo_start(&d);
    for (int i = 0; i < 5; i++) {
        c[i] = demo_ctx(&client[i]);
        CHECK(call_add(c[i], i, 1, &sum) == 0 && sum == i + 1);
    }
    struct echo_out o;
    for (int i = 0; i < 5; i++) { /* those that were sent away connect again, also for what must not run twice */
        CHECK(call_echo(c[i], CELL_STR("x"), (cell_bytes){NULL, 0}, &o) == 0);
        CHECK(o.calls == 6 + i);
    }
    for (int i = 0; i < 5; i++) {
        cell_ctx_close(c[i]);
        cell_client_close(client[i]);
    }
    demo_stop(&d);
    demo_teardown();
}

/* With one place for all: what the handlers wait for is another call. The second time as a short call. */
TEST(a_handler_that_stands_aside_leaves_its_place_to_what_it_waits_for)
{
    struct demo_server d = {.options.max_threads = 1};
    struct cell_client *client = NULL;
    pthread_t threads[3];
    void *result;
    int32_t sum;
    demo_setup();
    demo_start(&d);
    cell_ctx *c = demo_ctx(&client);
    for (int round = 0; round < 2; round++) {
        atomic_store(&shared->release, 0);
        for (int i = 0; i < 3; i++)
            pthread_create(&threads[i], NULL, block_in_thread, (void *)(intptr_t)BLOCK_ASIDE);
        for (int i = 0; i < 3; i++)
            wait_sem(&shared->entered);
        CHECK(call_add(c, 1, 1, &sum) == 0);
        atomic_store(&shared->release, 1);
        for (int i = 0; i < 3; i++) {
            pthread_join(threads[i], &result);
            CHECK((intptr_t)result == 0);
        }
        for (int i = 0; i < 3; i++) /* on one connection: the later ones are short */
            CHECK(call_block(c, BLOCK_ASIDE) == 0);
    }
    /* The place is there again, and is one. */
    atomic_store(&shared->release, 0);
    for (int i = 0; i < 6; i++)
        wait_sem(&shared->entered);
    pthread_create(&threads[0], NULL, block_in_thread, (void *)(intptr_t)BLOCK_RELEASE);
    wait_sem(&shared->entered);
    cell_ctx_set_timeout_ms(c, 20);
    CHECK(call_add(c, 1, 1, &sum) == CELL_DEADLINE_EXCEEDED);
    atomic_store(&shared->release, 1);
    pthread_join(threads[0], &result);
    cell_ctx_close(c);
    cell_client_close(client);
    demo_stop(&d);
    demo_teardown();
}

TEST(no_more_handlers_run_at_once_than_allowed_and_the_rest_wait_their_turn)
{
    struct demo_server d = {.options.max_threads = 2};
    pthread_t threads[6];
    void *result;
    demo_setup();
    demo_start(&d);
    for (int i = 0; i < 6; i++)
        pthread_create(&threads[i], NULL, block_in_thread, (void *)(intptr_t)BLOCK_RELEASE);
    wait_sem(&shared->entered);
    wait_sem(&shared->entered);
    struct cell_client *client = NULL;
    cell_ctx *c = demo_ctx(&client);
    int32_t sum;
    cell_ctx_set_timeout_ms(c, 20);
    CHECK(call_add(c, 1, 1, &sum) == CELL_DEADLINE_EXCEEDED); /* nobody is free */
    atomic_store(&shared->release, 1);
    for (int i = 0; i < 6; i++) {
        pthread_join(threads[i], &result);
        CHECK((intptr_t)result == 0);
    }
    CHECK(atomic_load(&shared->most_running) == 2);
    cell_ctx_set_timeout_ms(c, 60000);
    CHECK(call_add(c, 1, 1, &sum) == 0);
    cell_ctx_close(c);
    cell_client_close(client);
    demo_stop(&d);
    demo_teardown();
}

TEST(out_of_descriptors_new_clients_wait_until_there_are_some)
{
    struct rlimit limit = {24, 24};
    int fds[40];
    demo_setup();
    free(embed_schema(&demo, demo_fingerprint));
    struct rlimit before;
    getrlimit(RLIMIT_NOFILE, &before);
    limit.rlim_max = before.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit); /* for the server */
    pid_t pid = demo_fork((struct cell_server_options){0});
    setrlimit(RLIMIT_NOFILE, &before);
    for (int i = 0; i < 40; i++)
        fds[i] = raw_connect();
    for (int i = 0; i < 30; i++)
        close(fds[i]);
    for (int i = 30; i < 40; i++) {
        struct cell_frame f = {0};
        uint8_t *payload = NULL;
        CHECK(raw_hello(fds[i], CELL_CHANNEL_APP, "demo", demo_fingerprint, "lp64-le"));
        CHECK(raw_recv(fds[i], &f, &payload) && f.kind == CELL_FRAME_WELCOME && f.code == 0);
        free(payload);
        close(fds[i]);
    }
    kill(pid, SIGTERM);
    CHECK(demo_wait(pid) == 0);
    demo_teardown();
}

static int count_threads(void)
{
    int n = -2; /* . and .. */
    DIR *dir = opendir("/proc/self/task");
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

TEST(an_idle_server_has_no_threads_of_its_own)
{
    struct demo_server d = {0};
    struct cell_client *client = NULL;
    int32_t sum;
    demo_setup();
    int before = count_threads();
    demo_start(&d);
    cell_ctx *c = demo_ctx(&client);
    CHECK(call_add(c, 1, 2, &sum) == 0);
    while (count_threads() > before + 1) /* the one that runs the server */
        usleep(10000);
    CHECK(call_add(c, 1, 2, &sum) == 0);
    cell_ctx_close(c);
    cell_client_close(client);
    demo_stop(&d);
    demo_teardown();
}
