/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Methods that programs bring with them: what a call of one is, and how long lives what it was bound to. */
#include "bound_fixture.h"

/* ---- calls ---- */

enum carrier { IN_PROCESS, OVER_SOCKET, OVER_SHM };

static cell_ctx *open_client(const struct demo_server *d, enum carrier how, struct cell_client **client)
{
    if (how == OVER_SOCKET)
        setenv("CELL_TRANSPORT", "unix", 1);
    else
        unsetenv("CELL_TRANSPORT");
    CHECK((how == IN_PROCESS ? cell_client_in_process(d->server, client) : cell_client_open(demo_address, client)) ==
          CELL_OK);
    const struct cell_ctx_options o = {.client = *client, .timeout_ms = 60000};
    return cell_ctx_open(&o);
}

static void check_inout(cell_ctx *c)
{
    struct row row = {0, CELL_STR("Ada"), {1, -2, 3}};
    CHECK(call_insert(c, &row) == 3);
    CHECK(row.id == 42 && row.marks[1] == -2);
    CHECK_STR(row.name.ptr, "Ada");
    row.id = 7;
    CHECK(call_insert(c, &row) == CELL_ALREADY_EXISTS && row.id == 7);
    CHECK_STR(cell_ctx_message(c), "there is a row 7");
    void *const none[] = {NULL};
    CHECK(cell_call(c, &rows, row_insert, &(struct cell_ref){&row, 1}, none) == CELL_INVALID_ARGUMENT);
    /* Between others, in both directions. */
    struct row before = {0}, after = {0};
    struct find_in in = {5, {&row, 1}, 6};
    void *const out[] = {&before, &row, &after};
    CHECK(cell_call(c, &rows, row_find, &in, out) == 0);
    CHECK(before.id == 5 && row.id == 7 && after.id == 6);
    CHECK_STR(row.name.ptr, "<Ada>");
    row.name = CELL_STR("Bob");
    int ticket = cell_call_async(c, &rows, row_insert, &(struct cell_ref){&row, 1}, (void *const[]){&row});
    CHECK(cell_wait(c, ticket) == CELL_ALREADY_EXISTS);
    row.id = 1;
    ticket = cell_call_async(c, &rows, row_insert, &(struct cell_ref){&row, 1}, (void *const[]){&row});
    CHECK(cell_wait(c, ticket) == 3 && row.id == 42);
    CHECK_STR(row.name.ptr, "Bob");
}

static void check_streams(cell_ctx *c)
{
    struct row row, sum = {0};
    uint64_t n = 2000, got = 0;
    struct cell_stream *s = cell_stream_open(c, &rows, row_all, &n);
    while (cell_stream_next(s, &row) > 0) {
        CHECK(row.id == got && row.marks[2] == (int32_t)got && row.name.len == 10);
        got++;
    }
    CHECK(cell_stream_end(s, NULL) == 0 && got == n);
    void *const out[] = {&sum};
    s = cell_stream_open(c, &rows, row_load, NULL);
    for (uint64_t i = 0; i < 1000; i++) {
        row = (struct row){i, CELL_STR("xy"), {0}};
        CHECK(cell_stream_put(s, &row, 1) == CELL_OK);
    }
    CHECK(cell_stream_end(s, out) == 1000 && sum.id == 999 * 500 + 2000);
    n = UINT64_MAX;
    s = cell_stream_open(c, &rows, row_all, &n);
    CHECK(cell_stream_next(s, &row) == 1);
    CHECK(cell_stream_end(s, NULL) == 0); /* the rest is not wanted */
}

TEST(a_bound_method_is_called_like_any_other_whatever_carries_it)
{
    for (enum carrier how = IN_PROCESS; how <= OVER_SHM; how++) {
        struct demo_server d = {0};
        struct cell_client *client = NULL;
        int32_t sum = 0;
        bound_setup(&d, how != IN_PROCESS);
        cell_ctx *c = open_client(&d, how, &client);
        for (int i = 0; i < 3; i++) {
            check_inout(c);
            check_streams(c);
        }
        CHECK(call_add(c, 1, 2, &sum) == 0 && sum == 3); /* the cell's own */
        CHECK(atomic_load(&seen.binds) == 4);
        cell_ctx_close(c);
        cell_client_close(client);
        bound_teardown(&d, how != IN_PROCESS);
    }
}

static int answer_rows(cell_ctx *c, const char *method, const void *in, void *const *out, void *user)
{
    (void)c;
    (void)in;
    CHECK(strcmp(method, "row_insert") == 0 && *(int *)user == 1);
    ((struct row *)out[0])->id = 9;
    return 0;
}

TEST(a_fake_gets_what_goes_in_and_comes_out_as_well)
{
    struct cell_client *client = NULL;
    int user = 1;
    struct row row = {0, CELL_STR("Ada"), {1, -2, 3}};
    CHECK(cell_client_fake(answer_rows, &user, &client) == CELL_OK);
    const struct cell_ctx_options o = {.client = client};
    cell_ctx *c = cell_ctx_open(&o);
    CHECK(call_insert(c, &row) == 0 && row.id == 9 && row.marks[2] == 3);
    CHECK_STR(row.name.ptr, "Ada");
    cell_ctx_close(c);
    cell_client_close(client);
}

static int refuse_all(cell_ctx *c, const struct cell_call_info *info, struct cell_chain *chain, void *user)
{
    (void)chain;
    (void)user;
    return cell_fail(c, CELL_PERMISSION_DENIED, "%s is not for you", info->method);
}

TEST(interceptors_come_before_the_binding)
{
    struct demo_server d = {0};
    struct cell_client *client = NULL;
    struct row row = {0};
    bound_setup(&d, false);
    CHECK(cell_server_intercept(d.server, refuse_all, NULL) == CELL_OK);
    cell_ctx *c = open_client(&d, IN_PROCESS, &client);
    CHECK(call_insert(c, &row) == CELL_PERMISSION_DENIED);
    CHECK_STR(cell_ctx_message(c), "row_insert is not for you");
    CHECK(atomic_load(&seen.binds) == 0);
    cell_ctx_close(c);
    cell_client_close(client);
    bound_teardown(&d, false);
}

/* ---- binding ---- */

#define CALLERS 12

struct caller {
    pthread_t thread;
    struct demo_server *d;
    enum carrier how;
    int result;
};

static void *insert_one(void *arg)
{
    struct caller *k = arg;
    struct cell_client *client = NULL;
    struct row row = {0, CELL_STR("x"), {0}};
    cell_client_open(demo_address, &client);
    const struct cell_ctx_options o = {.client = client, .timeout_ms = 60000};
    cell_ctx *c = cell_ctx_open(&o);
    k->result = call_insert(c, &row);
    for (int i = 0; i < 50 && k->result == 3; i++)
        k->result = call_insert(c, &row);
    cell_ctx_close(c);
    cell_client_close(client);
    return NULL;
}

TEST(the_first_calls_of_many_connections_bind_once)
{
    struct demo_server d = {0};
    struct caller callers[CALLERS] = {0};
    bound_setup(&d, true);
    atomic_store(&seen.hold_bind, 1);
    for (int i = 0; i < CALLERS; i++)
        pthread_create(&callers[i].thread, NULL, insert_one, &callers[i]);
    wait_sem(&seen.binding);
    /* Another one waits for it, if it is there already; the outcome is the same. */
    atomic_store(&seen.hold_bind, 0);
    for (int i = 0; i < CALLERS; i++) {
        pthread_join(callers[i].thread, NULL);
        CHECK(callers[i].result == 3);
    }
    CHECK(atomic_load(&seen.binds) == 1 && atomic_load(&seen.unbinds) == 0); /* kept for who comes back */
    CHECK(atomic_load(&seen.invokes) == CALLERS * 51);
    bound_teardown(&d, true);
}

TEST(a_binding_that_fails_is_that_calls_failure_and_tried_again)
{
    struct demo_server d = {0};
    struct cell_client *client = NULL;
    struct row row = {0};
    bound_setup(&d, true);
    cell_ctx *c = open_client(&d, OVER_SHM, &client);
    atomic_store(&seen.fail_bind, CELL_UNAVAILABLE);
    CHECK(call_insert(c, &row) == CELL_UNAVAILABLE && row.id == 0);
    CHECK(strstr(cell_ctx_message(c), "row_insert could not be bound"));
    CHECK(call_insert(c, &row) == 3 && row.id == 42);
    for (int i = 0; i < 2; i++) {
        CHECK(call_bad(c) == CELL_INVALID_ARGUMENT);
        CHECK_STR(cell_ctx_message(c), "row_bad: its binding means nothing");
    }
    CHECK(atomic_load(&seen.binds) == 1);
    cell_ctx_close(c);
    cell_client_close(client);
    bound_teardown(&d, true);
}

/* ---- whether a client can be served ---- */

static struct {
    atomic_int asked[ROW_COUNT];
    atomic_int refuses, holds; /* the method with this id, −1 = none */
} checks;

static int check_row(cell_ctx *c, const struct cell_method *method)
{
    for (int i = 0; i < ROW_COUNT; i++) {
        if (strcmp(method->name, row_methods[i].name) != 0)
            continue;
        CHECK_STR(method->binding, row_methods[i].binding);
        atomic_fetch_add(&checks.asked[i], 1);
        while (atomic_load(&checks.holds) == i && !cell_ctx_cancelled(c))
            usleep(300);
        if (atomic_load(&checks.refuses) == i)
            return cell_fail(c, CELL_FAILED_PRECONDITION, "the table is behind");
        return CELL_OK;
    }
    CHECK(!"a method that the client does not have");
    return CELL_OK;
}

static const struct cell_bound_ops checking_ops = {
    .bind = bind_row, .invoke = invoke_row, .unbind = unbind_row, .check = check_row};

TEST(a_client_is_checked_as_a_whole_before_its_first_call_and_not_again)
{
    struct demo_server d = {.options.bound = &checking_ops};
    struct cell_client *client = NULL;
    struct row row = {0};

    bound_setup(&d, true);
    atomic_store(&checks.refuses, row_wait); /* the last one; another one is called */
    atomic_store(&checks.holds, -1);
    cell_ctx *c = open_client(&d, OVER_SHM, &client);
    CHECK(call_insert(c, &row) == CELL_FAILED_PRECONDITION && row.id == 0);
    CHECK_STR(cell_ctx_message(c), "the table is behind");
    CHECK(call_insert(c, &row) == CELL_FAILED_PRECONDITION && atomic_load(&seen.binds) == 0);
    for (int i = 0; i < ROW_COUNT; i++) /* those that were found to be right are not asked about twice */
        CHECK(atomic_load(&checks.asked[i]) == (i == row_wait ? 2 : 1));
    atomic_store(&checks.refuses, -1);
    CHECK(call_insert(c, &row) == 3 && call_wait(c, 0) == 0 && call_insert(c, &row) == 3);
    cell_server_unbind(d.server);
    CHECK(call_insert(c, &row) == 3);
    for (int i = 0; i < ROW_COUNT; i++)
        CHECK(atomic_load(&checks.asked[i]) == (i == row_wait ? 3 : 1));
    cell_ctx_close(c);
    cell_client_close(client);
    bound_teardown(&d, true);
}

TEST(a_check_that_takes_longer_than_its_call_is_gone_on_with_by_the_next)
{
    struct demo_server d = {.options.bound = &checking_ops};
    struct cell_client *client = NULL;
    struct row row = {0};

    memset(&checks, 0, sizeof(checks));
    bound_setup(&d, true);
    atomic_store(&checks.refuses, -1);
    atomic_store(&checks.holds, row_insert);
    cell_ctx *c = open_client(&d, OVER_SHM, &client);
    cell_ctx_set_timeout_ms(c, 30);
    CHECK(call_insert(c, &row) == CELL_DEADLINE_EXCEEDED);
    cell_ctx_set_timeout_ms(c, 60000);
    atomic_store(&checks.holds, -1);
    CHECK(call_insert(c, &row) == 3);
    CHECK(atomic_load(&checks.asked[row_find]) == 1 && atomic_load(&checks.asked[row_insert]) >= 1);
    cell_ctx_close(c);
    cell_client_close(client);
    bound_teardown(&d, true);
}

struct impatient {
    pthread_t thread;
    cell_ctx *c;
    int result;
};

static void *insert_in_vain(void *arg)
{
    struct impatient *k = arg;
    struct row row = {0};
    k->result = call_insert(k->c, &row);
    return NULL;
}

TEST(a_call_that_waits_for_anothers_binding_can_be_cancelled)
{
    struct demo_server d = {0};
    struct caller first = {0};
    struct impatient second = {0};
    struct cell_client *client = NULL;
    bound_setup(&d, true);
    atomic_store(&seen.hold_bind, 1);
    pthread_create(&first.thread, NULL, insert_one, &first);
    wait_sem(&seen.binding);
    second.c = open_client(&d, OVER_SHM, &client);
    cell_ctx_set_timeout_ms(second.c, 60000);
    pthread_create(&second.thread, NULL, insert_in_vain, &second);
    struct method_counters *n = &d.server->bound_counters->counters; /* of row_insert, which alone was called */
    for (int i = 0; i < 20000 && counted_calls(d.server, n, false) < 2; i++)
        usleep(1000);
    CHECK(counted_calls(d.server, n, false) == 2 && counted_calls(d.server, n, true) == 0);
    cell_ctx_cancel(second.c);
    pthread_join(second.thread, NULL);
    CHECK(second.result == CELL_CANCELLED);
    CHECK(atomic_load(&seen.binds) == 0);
    for (int i = 0; i < 20000 && counted_calls(d.server, n, true) == 0; i++)
        usleep(1000);
    CHECK(counted_calls(d.server, n, false) == 2 &&
          counted_calls(d.server, n, true) == 1); /* it holds no thread any more */
    atomic_store(&seen.hold_bind, 0);
    pthread_join(first.thread, NULL);
    CHECK(first.result == 3 && atomic_load(&seen.binds) == 1);
    cell_ctx_close(second.c);
    cell_client_close(client);
    bound_teardown(&d, true);
}

/* ---- unbinding ---- */

static void *wait_one(void *arg)
{
    struct caller *k = arg;
    struct cell_client *client = NULL;
    cell_ctx *c = demo_ctx(&client);
    k->result = call_wait(c, 1);
    cell_ctx_close(c);
    cell_client_close(client);
    return NULL;
}

TEST(what_a_call_uses_is_unbound_when_that_has_ended)
{
    struct demo_server d = {0};
    struct caller running = {.result = -1};
    struct cell_client *client = NULL;
    struct row row = {0};
    bound_setup(&d, true);
    cell_ctx *c = open_client(&d, OVER_SHM, &client);
    pthread_create(&running.thread, NULL, wait_one, &running);
    wait_sem(&shared->entered);
    CHECK(call_insert(c, &row) == 3 && atomic_load(&seen.binds) == 2);
    cell_server_unbind(d.server);
    CHECK(atomic_load(&seen.unbinds) == 1); /* insert; the other one is in use */
    CHECK(call_wait(c, 0) == 0 && atomic_load(&seen.binds) == 3);
    CHECK(atomic_load(&seen.unbinds) == 1);
    atomic_store(&shared->release, 1);
    pthread_join(running.thread, NULL);
    CHECK(running.result == 0 && atomic_load(&seen.unbinds) == 2);
    CHECK(call_wait(c, 0) == 0 && atomic_load(&seen.binds) == 3);
    cell_ctx_close(c);
    cell_client_close(client);
    bound_teardown(&d, true);
}

TEST(handlers_may_unbind_everything_themselves)
{
    struct demo_server d = {0};
    struct cell_client *client = NULL;
    struct row row = {0};
    bound_setup(&d, true);
    cell_ctx *c = open_client(&d, OVER_SHM, &client);
    CHECK(call_insert(c, &row) == 3);
    CHECK(call_wait(c, 2) == 0);
    CHECK(atomic_load(&seen.binds) == 2 && atomic_load(&seen.unbinds) == 2 && atomic_load(&seen.alive) == 0);
    atomic_store(&seen.unbind_in_bind, 1);
    CHECK(call_insert(c, &row) == 3 && atomic_load(&seen.alive) == 0); /* it was made of what was before */
    CHECK(call_insert(c, &row) == 3 && atomic_load(&seen.binds) == 4 && atomic_load(&seen.unbinds) == 4);
    cell_ctx_close(c);
    cell_client_close(client);
    bound_teardown(&d, true);
}

static void *call_again_and_again(void *arg)
{
    struct caller *k = arg;
    struct cell_client *client = NULL;
    struct row row = {0};
    cell_ctx *c;
    cell_client_open(demo_address, &client);
    const struct cell_ctx_options o = {.client = client, .timeout_ms = 60000};
    c = cell_ctx_open(&o);
    k->result = 3;
    for (int i = 0; i < 400 && k->result == 3; i++)
        k->result = call_wait(c, 0) < 0 ? -1 : call_insert(c, &row);
    cell_ctx_close(c);
    cell_client_close(client);
    return NULL;
}

TEST(unbinding_while_others_call_disturbs_none)
{
    struct demo_server d = {0};
    struct caller callers[4] = {0};
    bound_setup(&d, true);
    for (int i = 0; i < 4; i++)
        pthread_create(&callers[i].thread, NULL, call_again_and_again, &callers[i]);
    wait_sem(&seen.binding);
    for (int i = 0; i < 200; i++) {
        cell_server_unbind(d.server);
        usleep(100);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(callers[i].thread, NULL);
        CHECK(callers[i].result == 3);
    }
    CHECK(atomic_load(&seen.invokes) == 4 * 800 && atomic_load(&seen.binds) > 2);
    bound_teardown(&d, true);
}

static atomic_int alive_at_stop;
static void note_alive(void *user)
{
    (void)user;
    atomic_store(&alive_at_stop, atomic_load(&seen.alive));
}

TEST(everything_is_unbound_before_the_cell_stops)
{
    struct demo_server d = {.options = {.stop = note_alive}};
    struct cell_client *client = NULL;
    struct row row = {0};
    atomic_store(&alive_at_stop, -1);
    bound_setup(&d, true);
    cell_ctx *c = open_client(&d, OVER_SHM, &client);
    CHECK(call_insert(c, &row) == 3 && atomic_load(&seen.alive) == 1);
    cell_server_stop(d.server);
    pthread_join(d.thread, NULL);
    CHECK(atomic_load(&alive_at_stop) == 0);
    cell_ctx_close(c);
    cell_client_close(client);
    bound_teardown(&d, false);
}
