/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* How streams end otherwise than by their end: early, cancelled, late, forgotten, in a fork, with their server. */
#include "call/stream.h"
#include "stream_fixture.h"

static const struct cell_server_options defaults;

TEST(a_client_that_has_enough_ends_the_stream_and_goes_on)
{
    for (enum carrier k = 0; k < CARRIERS; k++) {
        struct flow f;
        struct item i;
        struct total t = {55, 0, {NULL, 0}};
        uint64_t sum;
        flow_begin(&f, k, defaults);
        for (int n = 0; n < 10; n++) {
            struct cell_stream *s = open_count(f.c, 0, UINT64_MAX, 1, 0);
            for (int r = 0; r < n; r++)
                CHECK(cell_stream_next(s, &i) == 1 && i.n == (uint64_t)r);
            CHECK(end_total(s, &t) == CELL_OK && t.count == 55); /* nothing is known of the rest */
            wait_sem(&shared->left);
            CHECK(atomic_load(&flow_last) == CELL_CANCELLED);
            CHECK(flow_call_add(f.c, 1, &sum) == 0);
        }
        CHECK(atomic_load(&shared->cancelled) == 10); /* each handler was told by cell_ctx_cancelled as well */
        flow_end(&f);
    }
}

TEST(a_stream_that_is_never_left_goes_to_its_end)
{
    for (enum carrier k = 0; k < CARRIERS; k++)
        for (uint64_t read = 0; read < 3; read++) {
            struct flow f;
            struct item i;
            struct total t = {0};
            uint64_t sum;
            flow_begin(&f, k, defaults);
            struct cell_service *service = whole_flow();
            struct cell_stream *s = cell_stream_open(f.c, service, flow_count, &(struct count_in){0, 50000, 3, 7});
            for (uint64_t n = 0; n < read; n++)
                CHECK(cell_stream_next(s, &i) == 1 && i.n == n);
            CHECK(end_total(s, &t) == 7 && t.count == 50000 && atomic_load(&flow_put) == 50000);
            s = cell_stream_open(f.c, service, flow_count, &(struct count_in){0, 50000, 3, CELL_ALREADY_EXISTS});
            for (uint64_t n = 0; n < read; n++)
                CHECK(cell_stream_next(s, &i) == 1);
            CHECK(end_total(s, &t) == CELL_ALREADY_EXISTS); /* what went wrong at the end */
            CHECK(strstr(cell_ctx_message(f.c), "after 50000") != NULL);
            CHECK(atomic_load(&shared->cancelled) == 0 && flow_call_add(f.c, 1, &sum) == 0);
            flow_end(&f);
        }
}

/* It hears why when it goes on. */
TEST(a_handler_does_not_wait_for_longer_than_it_wants)
{
    for (enum carrier k = 0; k < IN_PROCESS; k++) {
        struct flow f;
        struct item i;
        struct total t = {0};
        uint64_t n = 0;
        flow_begin(&f, k, defaults);
        atomic_store(&flow_limit, 20);
        struct cell_stream *s = open_count(f.c, 0, UINT64_MAX, 1, 0);
        wait_sem(&shared->left);
        atomic_store(&flow_limit, 0);
        CHECK(atomic_load(&flow_last) == CELL_DEADLINE_EXCEEDED && atomic_load(&flow_put) > 0);
        while (cell_stream_next(s, &i) == 1)
            n++;
        CHECK(n > 0 && end_total(s, &t) == CELL_DEADLINE_EXCEEDED);
        flow_end(&f);
    }
}

TEST(who_waits_for_the_end_of_a_stream_waits_for_the_time_of_one_step)
{
    for (enum carrier k = 0; k < CARRIERS; k++) {
        struct flow f;
        struct item i;
        struct total t;
        flow_begin(&f, k, defaults);
        cell_ctx *c = flow_ctx(&f, 60000);
        struct cell_stream *s = cell_stream_open(c, whole_flow(), flow_silent, NULL);
        wait_sem(&shared->entered);
        cell_ctx_set_timeout_ms(c, 40);
        CHECK(cell_stream_end(s, NULL) == CELL_DEADLINE_EXCEEDED);
        CHECK(strstr(cell_ctx_message(c),
                     "the deadline passed before the call was complete; whether it was carried out is "
                     "not known") != NULL);
        wait_sem(&shared->left);
        CHECK(atomic_load(&flow_last) == CELL_CANCELLED); /* its handler is told */
        /* Records that come all the time make it no longer. */
        cell_ctx_set_timeout_ms(c, 60000);
        s = cell_stream_open(c, whole_flow(), flow_count, &(struct count_in){0, UINT64_MAX, 1, 0});
        CHECK(cell_stream_next(s, &i) == 1);
        cell_ctx_set_timeout_ms(c, 40);
        CHECK(end_total(s, &t) == CELL_DEADLINE_EXCEEDED);
        CHECK(strstr(cell_ctx_message(c), "the deadline passed") != NULL);
        wait_sem(&shared->left);
        CHECK(atomic_load(&flow_last) == CELL_CANCELLED);
        cell_ctx_close(c);
        flow_end(&f);
    }
}

TEST(an_answer_before_the_records_are_over_ends_putting)
{
    for (enum carrier k = 0; k < CARRIERS; k++)
        for (uint64_t reply = 0; reply <= 3 << 20; reply += 1 << 20) { /* also larger than what lies between */
            struct flow f;
            struct item some[64] = {{1, {0}}};
            struct total t = {0};
            int r = 0;
            flow_begin(&f, k, defaults);
            struct cell_stream *s = open_sum(f.c, 10, reply);
            for (int n = 0; r == 0 && n < (reply ? 5000 : INT32_MAX); n++)
                r = cell_stream_put(s, some, 64);
            CHECK(r == CELL_ABORTED || (reply && r == 0));
            if (r < 0)
                CHECK(cell_stream_put(s, some, 1) == CELL_ABORTED);
            CHECK(end_total(s, &t) == 3 && t.count == 10 && t.data.len == reply); /* the result counts all the same */
            CHECK(flow_call_add(f.c, 1, &t.sum) == 0);
            flow_end(&f);
        }
}

/* A little later, when the client most likely waits for room. */
static void *let_go(void *user)
{
    (void)user;
    usleep(50000);
    atomic_store(&flow_hold, 0);
    return NULL;
}

TEST(what_a_reply_says_is_not_hidden_by_a_wait_for_room)
{
    for (enum carrier k = 0; k < IN_PROCESS; k++) {
        struct flow f;
        struct item some = {1, {0}};
        struct total t = {0};
        pthread_t thread;
        flow_begin(&f, k, defaults);
        atomic_store(&flow_hold, 1);
        atomic_store(&flow_result, CELL_ALREADY_EXISTS);
        struct cell_stream *s = open_sum(f.c, 0, 0);
        wait_sem(&shared->entered);
        struct cell_conn *conn = ((struct client_stream *)s)->conn->conn;
        while (cell_conn_room(conn, 0, false, 0, NULL) == 1)
            CHECK(cell_stream_put(s, &some, 1) == CELL_OK);
        CHECK(pthread_create(&thread, NULL, let_go, NULL) == 0);
        CHECK(end_total(s, &t) == CELL_ALREADY_EXISTS);
        CHECK_STR(cell_ctx_message(f.c), "after 0");
        pthread_join(thread, NULL);
        flow_end(&f);
    }
}

TEST(cancelling_the_context_ends_every_step_of_every_stream)
{
    for (enum carrier k = 0; k < CARRIERS; k++) {
        struct flow f;
        struct item i;
        struct total t;
        uint64_t sum;
        pthread_t thread;
        flow_begin(&f, k, defaults);
        struct cell_stream *other = open_sum(f.c, UINT64_MAX, 0);
        wait_sem(&shared->entered);
        struct cell_stream *s = cell_stream_open(f.c, &flow, flow_silent, NULL);
        CHECK(pthread_create(&thread, NULL, cancel_when_entered, f.c) == 0);
        CHECK(cell_stream_next(s, &i) == CELL_CANCELLED);
        pthread_join(thread, NULL);
        CHECK(cell_stream_next(s, &i) == CELL_CANCELLED);
        CHECK(cell_stream_end(s, NULL) == CELL_CANCELLED && cell_ctx_status(f.c) == CELL_CANCELLED);
        CHECK(cell_stream_put(other, &i, 1) == CELL_CANCELLED && end_total(other, &t) == CELL_CANCELLED);
        wait_sem(&shared->left);
        wait_sem(&shared->left);
        CHECK(flow_call_add(f.c, 1, &sum) == 0); /* the cancellation is used up */
        cell_ctx_cancel(f.c);
        s = open_count(f.c, 0, 10, 1, 0);
        CHECK(cell_stream_next(s, &i) == CELL_CANCELLED && end_total(s, &t) == CELL_CANCELLED);
        CHECK(flow_call_add(f.c, 1, &sum) == 0);
        flow_end(&f);
    }
}

TEST(a_deadline_is_that_of_each_step)
{
    for (enum carrier k = 0; k < CARRIERS; k++) {
        struct flow f;
        struct item i;
        struct total t;
        flow_begin(&f, k, defaults);
        cell_ctx_set_timeout_ms(f.c, 40);
        struct cell_stream *s = cell_stream_open(f.c, &flow, flow_silent, NULL);
        CHECK(cell_stream_next(s, &i) == CELL_DEADLINE_EXCEEDED);
        CHECK(cell_stream_next(s, &i) == CELL_DEADLINE_EXCEEDED);
        CHECK(cell_stream_end(s, NULL) == CELL_DEADLINE_EXCEEDED);
        wait_sem(&shared->left); /* its handler was told */
        /* The handler of the writer has none: it goes on for longer than a step may take. */
        s = open_sum(f.c, UINT64_MAX, 0);
        for (int n = 0; n < 4; n++) {
            CHECK(cell_stream_put(s, &(struct item){1, {0}}, 1) == CELL_OK);
            usleep(20000);
        }
        CHECK(end_total(s, &t) == 3 && t.count == 4);
        atomic_store(&flow_hold, 1);
        s = open_sum(f.c, UINT64_MAX, 0);
        CHECK(cell_stream_put(s, &(struct item){1, {0}}, 1) == CELL_OK);
        CHECK(end_total(s, &t) == CELL_DEADLINE_EXCEEDED);
        CHECK(strstr(cell_ctx_message(f.c), "the deadline passed") != NULL);
        flow_end(&f);
    }
}

TEST(open_streams_end_with_their_context)
{
    for (enum carrier k = 0; k < CARRIERS; k++) {
        struct flow f;
        struct item i;
        uint64_t sum;
        flow_begin(&f, k, defaults);
        for (int n = 0; n < 3; n++) {
            CHECK(cell_stream_next(open_count(f.c, 0, UINT64_MAX, 64, 0), &i) == 1);
            open_sum(f.c, UINT64_MAX, 0);
        }
        cell_ctx_reset(f.c);
        for (int n = 0; n < 6; n++)
            wait_sem(&shared->left);
        CHECK(flow_call_add(f.c, 1, &sum) == 0);
        cell_ctx *c = flow_ctx(&f, 60000);
        CHECK(cell_stream_next(open_count(c, 0, UINT64_MAX, 64, 0), &i) == 1);
        cell_ctx_close(c);
        wait_sem(&shared->left);
        CHECK(atomic_load(&shared->cancelled) == 7);
        flow_end(&f);
    }
}

TEST(a_server_that_stops_ends_its_streams)
{
    for (enum carrier k = 0; k < IN_PROCESS; k++) {
        struct flow f;
        struct item i;
        struct total t;
        flow_begin(&f, k, (struct cell_server_options){.drain_ms = 20});
        struct cell_stream *full = open_count(f.c, 0, UINT64_MAX, 64, 0), *empty = open_sum(f.c, UINT64_MAX, 0),
                           *silent = cell_stream_open(f.c, &flow, flow_silent, NULL);
        for (int n = 0; n < 3; n++)
            wait_sem(&shared->entered);
        cell_server_stop(f.d.server);
        pthread_join(f.d.thread, NULL);
        CHECK(f.d.result == CELL_OK);
        CHECK(atomic_load(&shared->running) == 0 && atomic_load(&shared->cancelled) == 3);
        while (cell_stream_next(full, &i) > 0)
            continue;
        CHECK(end_total(full, &t) == CELL_UNAVAILABLE || cell_ctx_status(f.c) == CELL_CANCELLED);
        CHECK(end_total(empty, &t) == CELL_CANCELLED); /* the reply of its handler */
        CHECK(cell_stream_next(silent, &i) == CELL_CANCELLED);
        CHECK(cell_stream_end(silent, NULL) == CELL_CANCELLED);
        cell_ctx_close(f.c);
        cell_client_close(f.client);
        demo_free(&f.d);
        demo_teardown();
    }
}

TEST(a_child_of_fork_has_no_streams)
{
    for (enum carrier k = 0; k < CARRIERS; k++) {
        struct flow f;
        struct item i;
        struct total t;
        flow_begin(&f, k, defaults);
        struct cell_stream *s = open_count(f.c, 0, 1000, 10, 0);
        CHECK(cell_stream_next(s, &i) == 1);
        fflush(stdout);
        pid_t pid = fork();
        if (pid == 0) {
            int r = 1;
            test_failures = 0;
            while (r > 0) /* what has arrived may still be there */
                r = cell_stream_next(s, &i);
            CHECK(r == CELL_UNAVAILABLE && end_total(s, &t) == CELL_UNAVAILABLE);
            _exit(test_failures ? 1 : 0);
        }
        CHECK(demo_wait(pid) == 0);
        for (uint64_t n = 1; n < 1000; n++)
            CHECK(cell_stream_next(s, &i) == 1 && i.n == n);
        CHECK(cell_stream_next(s, &i) == 0 && end_total(s, &t) == 0 && t.count == 1000);
        flow_end(&f);
    }
}

/* ---- interceptors and fakes ---- */

static atomic_int seen[2];
static int refuse;
static int intercept(cell_ctx *c, const struct cell_call_info *info, struct cell_chain *chain, void *user)
{
    (void)user;
    if (cell_ctx_stream(c) || !info->server_side) /* not the calls around it */
        atomic_fetch_add(&seen[info->server_side], 1);
    if (refuse && !info->server_side)
        return cell_fail(c, CELL_PERMISSION_DENIED, "not %s", info->method);
    if (!info->server_side)
        cell_ctx_set_metadata(c, "who", CELL_STR("me"));
    return cell_next(c, chain);
}

TEST(interceptors_run_once_around_a_stream)
{
    for (enum carrier k = 0; k < CARRIERS; k++) {
        struct flow f;
        struct item i;
        struct total t;
        int n = 0;
        flow_interceptor = intercept;
        refuse = 0;
        flow_begin(&f, k, defaults);
        flow_interceptor = NULL;
        CHECK(cell_client_intercept(f.client, intercept, NULL) == 0);
        atomic_store(&seen[0], 0);
        atomic_store(&seen[1], 0);
        struct cell_stream *s = open_count(f.c, 0, 100, 1, 0);
        while (cell_stream_next(s, &i) > 0)
            n++;
        CHECK(n == 100 && end_total(s, &t) == 0 && seen[0] == 1 && seen[1] == 1);
        refuse = 1; /* on this side, by this thread only */
        s = open_sum(f.c, 5, 0);
        CHECK(cell_stream_put(s, &i, 1) == CELL_PERMISSION_DENIED);
        CHECK(end_total(s, &t) == CELL_PERMISSION_DENIED && seen[1] == 1);
        CHECK_STR(cell_ctx_message(f.c), "not flow_sum");
        flow_end(&f);
    }
}

/* Answers both directions as a test would. */
static int fake(cell_ctx *c, const char *method, const void *in, void *const *out, void *user)
{
    struct cell_stream *s = cell_ctx_stream(c);
    (void)user;
    if (strcmp(method, "flow_count") == 0) {
        const struct count_in *i = in;
        int r = 0;
        for (uint64_t n = 0; r >= 0 && n < i->n; n++)
            r = cell_stream_put(s, &(struct item){i->from + n, {0}}, 1);
        return r;
    }
    if (strcmp(method, "flow_join") == 0) {
        struct line l;
        struct total *o = out[0];
        int r;
        while ((r = cell_stream_next(s, &l)) > 0)
            o->sum += l.text.len;
        return r;
    }
    return s ? CELL_INTERNAL : CELL_UNIMPLEMENTED;
}

TEST(a_fake_puts_and_takes_records)
{
    struct cell_client *client;
    struct item i;
    struct total t = {0};
    uint64_t n = 0, one = 1;
    CHECK(cell_client_fake(fake, NULL, &client) == 0);
    cell_ctx *c = cell_ctx_open(&(struct cell_ctx_options){.client = client});
    struct cell_stream *s = open_count(c, 3, 100, 1, 0);
    while (cell_stream_next(s, &i) > 0)
        CHECK(i.n == 3 + n++);
    CHECK(n == 100 && end_total(s, &t) == 0);
    s = cell_stream_open(c, &flow, flow_join, NULL);
    CHECK(cell_stream_put(s, &(struct line){0, CELL_STR("four")}, 1) == 0);
    CHECK(cell_stream_put(s, &(struct line){0, CELL_STR("\xff")}, 1) == CELL_INVALID_ARGUMENT);
    CHECK(end_total(s, &t) == CELL_INVALID_ARGUMENT);
    CHECK_STR(cell_ctx_message(c), "records[0].text: the text is not valid UTF-8");
    s = cell_stream_open(c, &flow, flow_join, NULL);
    CHECK(cell_stream_put(s, &(struct line){0, CELL_STR("four")}, 1) == 0 && end_total(s, &t) == 0 && t.sum == 4);
    CHECK(flow_call_add(c, 1, &n) == CELL_UNIMPLEMENTED);
    (void)one;
    cell_ctx_close(c);
    cell_client_close(client);
}

TEST(streams_are_used_as_they_are_meant)
{
    struct flow f;
    struct item i = {0};
    struct total t;
    uint64_t n = 1;
    void *const out[] = {&t};
    flow_begin(&f, OVER_SHM, defaults);
    CHECK(cell_stream_put(NULL, &i, 1) == CELL_INVALID_ARGUMENT && cell_stream_next(NULL, &i) == CELL_INVALID_ARGUMENT);
    CHECK(cell_stream_next_n(NULL, &i, 1) == 0 && cell_stream_end(NULL, NULL) == CELL_INVALID_ARGUMENT);
    CHECK(cell_ctx_stream(NULL) == NULL && cell_ctx_stream(f.c) == NULL);
    struct cell_stream *s = open_count(f.c, 0, 5, 1, 0);
    CHECK(cell_stream_put(s, &i, 1) == CELL_FAILED_PRECONDITION);
    CHECK(end_total(s, &t) == CELL_FAILED_PRECONDITION);
    s = open_sum(f.c, 5, 0);
    CHECK(cell_stream_next(s, &i) == CELL_FAILED_PRECONDITION && end_total(s, &t) == CELL_FAILED_PRECONDITION);
    s = open_sum(f.c, 5, 0);
    CHECK(cell_stream_end(s, NULL) == CELL_INVALID_ARGUMENT); /* where would the result go? */
    s = cell_stream_open(f.c, &flow, flow_add, &n);
    CHECK(cell_stream_next(s, &i) == CELL_INVALID_ARGUMENT && cell_stream_end(s, out) == CELL_INVALID_ARGUMENT);
    CHECK(cell_call(f.c, &flow, flow_sum, &(struct sum_in){1, 0}, out) == CELL_INVALID_ARGUMENT);
    s = cell_stream_open(f.c, &flow, FLOW_COUNT, &n);
    CHECK(cell_stream_end(s, NULL) == CELL_INVALID_ARGUMENT);
    s = cell_stream_open(NULL, &flow, flow_count, &n);
    CHECK(s && cell_stream_next(s, &i) == CELL_NO_MEMORY && cell_stream_end(s, out) == CELL_NO_MEMORY);
    flow_end(&f);
}

TEST(a_cell_that_is_not_there_is_an_error_at_the_end)
{
    struct cell_client *client;
    struct item i;
    struct total t;
    demo_setup();
    free(embed_schema(&flow, flow_fingerprint));
    CHECK(cell_client_open(demo_address, &client) == 0);
    cell_ctx *c = cell_ctx_open(&(struct cell_ctx_options){.client = client});
    struct cell_stream *s = open_count(c, 0, 5, 1, 0);
    CHECK(cell_stream_next(s, &i) == CELL_UNAVAILABLE && end_total(s, &t) == CELL_UNAVAILABLE);
    cell_ctx_close(c);
    cell_client_close(client);
    demo_teardown();
}

TEST(an_idle_connection_that_is_over_is_not_opened_on)
{
    for (enum carrier k = 0; k < IN_PROCESS; k++) {
        struct flow f;
        struct item i;
        struct total t;
        flow_begin(&f, k, defaults);
        cell_server_stop(f.d.server);
        pthread_join(f.d.thread, NULL);
        CHECK(f.d.result == CELL_OK);
        demo_start(&f.d); /* the same server again */
        struct cell_stream *s = open_count(f.c, 0, 5, 1, 0);
        CHECK(cell_stream_next(s, &i) == 1);
        CHECK(end_total(s, &t) == 0);
        wait_sem(&shared->left);
        flow_end(&f);
    }
}
