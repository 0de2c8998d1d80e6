/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Calls that are begun on a thread that many connections share, and ended by a thread of the cell's. */
#include "bound_fixture.h"

#define MOST_CLIENTS 200
#define MOST_HELD 512

/* ---- a cell that answers later ---- */

struct held {
    cell_ctx *c;
    const struct cell_method *method;
    void *bound;
    const void *in;
    void *const *out;
    struct cell_later *later;
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct held held[MOST_HELD];
    int nheld;
    bool holds; /* calls stay until the test ends them */
    bool stops;
    pthread_t thread;
    atomic_int begun, refused, resumed, flushes, running, most_running, unflushed;
} later = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static uint64_t id_of(const struct cell_method *method, const void *in)
{
    if (strcmp(method->binding, "insert") == 0)
        return ((const struct row *)((const struct cell_ref *)in)->ptr)->id;
    return 0;
}

static bool begin_row(cell_ctx *c, const struct cell_method *method, void *bound, const void *in, void *const *out,
                      struct cell_later *l)
{
    if (strcmp(method->binding, "bad") == 0 || id_of(method, in) % 11 == 10) {
        atomic_fetch_add(&later.refused, 1);
        return false;
    }
    int now = atomic_fetch_add(&later.running, 1) + 1, most = atomic_load(&later.most_running);
    while (now > most && !atomic_compare_exchange_weak(&later.most_running, &most, now))
        continue;
    atomic_fetch_add(&later.begun, 1);
    atomic_store(&later.unflushed, 1);
    pthread_mutex_lock(&later.lock);
    CHECK(later.nheld < MOST_HELD);
    later.held[later.nheld++] = (struct held){c, method, bound, in, out, l};
    pthread_cond_broadcast(&later.changed);
    pthread_mutex_unlock(&later.lock);
    return true;
}

static int resume_row(cell_ctx *c, const struct cell_method *method, void *bound, const void *in, void *const *out,
                      void *state)
{
    CHECK(state == (void *)&later);
    atomic_fetch_add(&later.resumed, 1);
    if (strcmp(method->binding, "wait") == 0 && *(const uint64_t *)in == 9) {
        sem_post(&shared->entered);
        while (!cell_ctx_cancelled(c))
            usleep(300);
        sem_post(&shared->left);
        return CELL_CANCELLED;
    }
    return invoke_row(c, method, bound, in, out);
}

static void flush_rows(void *user)
{
    CHECK_STR(user, "the user");
    atomic_store(&later.unflushed, 0);
    atomic_fetch_add(&later.flushes, 1);
}

static const struct cell_bound_ops later_ops = {bind_row, invoke_row, unbind_row, begin_row, resume_row, flush_rows};

static void end_one(const struct held *h)
{
    uint64_t id = id_of(h->method, h->in);
    atomic_fetch_sub(&later.running, 1);
    if (id % 7 == 6 || strcmp(h->method->binding, "wait") == 0)
        cell_later_resume(h->later, &later);
    else
        cell_later_finish(h->later, invoke_row(h->c, h->method, h->bound, h->in, h->out));
}

/* The cell's thread: ends what was begun, batch by batch. */
static void *end_calls(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&later.lock);
    while (!later.stops) {
        struct held batch[MOST_HELD];
        int n = later.holds ? 0 : later.nheld;
        if (n == 0) {
            pthread_cond_wait(&later.changed, &later.lock);
            continue;
        }
        memcpy(batch, later.held, (size_t)n * sizeof(batch[0]));
        later.nheld = 0;
        pthread_mutex_unlock(&later.lock);
        for (int i = 0; i < n; i++)
            end_one(&batch[i]);
        pthread_mutex_lock(&later.lock);
    }
    pthread_mutex_unlock(&later.lock);
    return NULL;
}

static void set_holds(bool holds)
{
    pthread_mutex_lock(&later.lock);
    later.holds = holds;
    pthread_cond_broadcast(&later.changed);
    pthread_mutex_unlock(&later.lock);
}

static void wait_for_held(int n)
{
    pthread_mutex_lock(&later.lock);
    while (later.nheld < n)
        pthread_cond_wait(&later.changed, &later.lock);
    pthread_mutex_unlock(&later.lock);
}

static void setup(struct demo_server *d)
{
    later.nheld = 0;
    later.holds = later.stops = false;
    later.begun = later.refused = later.resumed = later.flushes = later.running = later.most_running = 0;
    d->options.bound = &later_ops;
    bound_setup(d, true);
    CHECK(pthread_create(&later.thread, NULL, end_calls, NULL) == 0);
}

static void stop_thread(void)
{
    pthread_mutex_lock(&later.lock);
    later.stops = true;
    pthread_cond_broadcast(&later.changed);
    pthread_mutex_unlock(&later.lock);
    pthread_join(later.thread, NULL);
}

static void teardown(struct demo_server *d)
{
    bound_teardown(d, true);
    CHECK(later.nheld == 0 && atomic_load(&later.running) == 0);
    stop_thread();
}

/* ---- clients ---- */

/* More than there are processors. */
static int nclients(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN) + 3;
    return n < MOST_CLIENTS ? (int)n : MOST_CLIENTS - 1;
}

static int insert_id(cell_ctx *c, uint64_t id)
{
    struct row row = {id, CELL_STR("Ada"), {1, 2, 3}};
    return call_insert(c, &row);
}

/* Calls on each by turns until all of them share a thread, which is when a call of each was begun. */
static void crowd(cell_ctx **c, int n)
{
    for (int in_a_row = 0; in_a_row < n;)
        for (int i = 0; i < n; i++) {
            int before = atomic_load(&later.begun);
            CHECK(insert_id(c[i], 1) == 3);
            in_a_row = atomic_load(&later.begun) > before ? in_a_row + 1 : 0;
        }
}

static void open_clients(struct cell_client **client, cell_ctx **c, int n)
{
    CHECK(cell_client_open(demo_address, client) == CELL_OK);
    const struct cell_ctx_options o = {.client = *client, .timeout_ms = 60000};
    for (int i = 0; i < n; i++)
        c[i] = cell_ctx_open(&o);
}

static void close_clients(struct cell_client *client, cell_ctx **c, int n)
{
    for (int i = 0; i < n; i++)
        cell_ctx_close(c[i]);
    cell_client_close(client);
}

struct blocked {
    pthread_t thread;
    cell_ctx *c;
    uint64_t how; /* of row_wait; 0 = insert row 1 */
    int result;
};

static void *call_blocked(void *arg)
{
    struct blocked *b = arg;
    b->result = b->how ? call_wait(b->c, b->how) : insert_id(b->c, 1);
    return NULL;
}

static void start_blocked(struct blocked *b, cell_ctx *c, uint64_t how)
{
    *b = (struct blocked){.c = c, .how = how};
    CHECK(pthread_create(&b->thread, NULL, call_blocked, b) == 0);
}

static uint64_t counted(struct cell_server *s, const char *method, bool done)
{
    for (struct bound_counters *n = s->bound_counters; n; n = n->next)
        if (strcmp(n->name, method) == 0)
            return counted_calls(s, &n->counters, done);
    return 0;
}

/* ---- tests ---- */

struct worker {
    pthread_t thread;
    struct cell_client *client;
    int number;
};

static void *call_much(void *arg)
{
    struct worker *w = arg;
    const struct cell_ctx_options o = {.client = w->client, .timeout_ms = 60000};
    cell_ctx *c = cell_ctx_open(&o);
    for (int i = 0; i < 400; i++) {
        uint64_t id = (uint64_t)(w->number * 1000 + i);
        char name[32];
        snprintf(name, sizeof(name), "%d of %d", i, w->number);
        struct row row = {id, cell_strz(name), {i, -i, 3}};
        if (id == 7) {
            CHECK(call_insert(c, &row) == CELL_ALREADY_EXISTS);
            CHECK_STR(cell_ctx_message(c), "there is a row 7");
        } else {
            CHECK(call_insert(c, &row) == 3 && row.id == 42 && row.marks[0] == i);
            CHECK(row.name.len == strlen(name) && memcmp(row.name.ptr, name, row.name.len) == 0);
        }
        if (i % 50 == 0)
            CHECK(call_bad(c) == CELL_INVALID_ARGUMENT);
        cell_ctx_reset(c);
    }
    cell_ctx_close(c);
    return NULL;
}

TEST(many_clients_share_a_thread_and_each_gets_its_own_answer)
{
    struct demo_server d = {0};
    struct worker workers[MOST_CLIENTS];
    struct cell_client *client = NULL;
    cell_ctx *c[MOST_CLIENTS];
    int n = nclients();
    setup(&d);
    open_clients(&client, c, n);
    crowd(c, n);
    for (int i = 0; i < n; i++) {
        workers[i] = (struct worker){.client = client, .number = i};
        CHECK(pthread_create(&workers[i].thread, NULL, call_much, &workers[i]) == 0);
    }
    for (int i = 0; i < n; i++)
        pthread_join(workers[i].thread, NULL);
    CHECK(atomic_load(&later.begun) > 0 && atomic_load(&later.flushes) > 0 && !atomic_load(&later.unflushed));
    close_clients(client, c, n);
    CHECK(counted(d.server, "row_insert", false) >= (uint64_t)n * 400);
    CHECK(counted(d.server, "row_insert", false) == counted(d.server, "row_insert", true));
    teardown(&d);
}

TEST(a_call_that_was_not_begun_or_is_resumed_is_answered_by_a_thread)
{
    struct demo_server d = {0};
    struct cell_client *client = NULL;
    cell_ctx *c[MOST_CLIENTS];
    int n = nclients();
    setup(&d);
    open_clients(&client, c, n);
    crowd(c, n);
    CHECK(insert_id(c[0], 10) == 3);
    CHECK(atomic_load(&later.refused) == 1);
    crowd(c, n);
    CHECK(insert_id(c[0], 6) == 3);
    CHECK(atomic_load(&later.resumed) == 1);
    crowd(c, n);
    int begun = atomic_load(&later.begun), sum = 0;
    CHECK(call_add(c[1], 4, 5, &sum) == CELL_OK && sum == 9); /* a method of the cell's own */
    crowd(c, n);
    struct row row = {7, CELL_STR("Ada"), {1, 2, 3}};
    CHECK(call_insert(c[2], &row) == CELL_ALREADY_EXISTS && atomic_load(&later.begun) > begun);
    CHECK_STR(cell_ctx_message(c[2]), "there is a row 7");
    close_clients(client, c, n);
    teardown(&d);
}

TEST(a_reply_for_which_there_is_no_room_is_sent_by_a_thread)
{
    struct demo_server d = {0};
    struct cell_client *client = NULL;
    cell_ctx *c[MOST_CLIENTS];
    int n = nclients();
    static char name[15000], *const large = name;
    memset(large, 'x', sizeof(name));
    setup(&d);
    open_clients(&client, c, n);
    for (int i = 0; i < 20; i++) {
        struct row before = {0}, after = {0}, row = {1, {large, sizeof(name)}, {0}};
        struct find_in in = {5, {&row, 1}, 6};
        void *const out[] = {&before, &row, &after};
        crowd(c, n);
        CHECK(cell_call(c[0], &rows, row_find, &in, out) == 0);
        CHECK(before.id == 5 && after.id == 6 && row.name.len == sizeof(name) + 2 && row.name.ptr[0] == '<');
        cell_ctx_reset(c[0]);
    }
    close_clients(client, c, n);
    teardown(&d);
}

TEST(a_resumed_call_sees_its_deadline_and_that_its_client_cancels)
{
    struct demo_server d = {0};
    struct cell_client *client = NULL;
    cell_ctx *c[MOST_CLIENTS];
    struct blocked b;
    int n = nclients();
    setup(&d);
    open_clients(&client, c, n);
    CHECK(call_wait(c[0], 0) == CELL_OK); /* is bound by that */
    crowd(c, n);
    start_blocked(&b, c[1], 9);
    wait_sem(&shared->entered);
    cell_ctx_cancel(c[1]);
    pthread_join(b.thread, NULL);
    CHECK(b.result == CELL_CANCELLED);
    wait_sem(&shared->left);
    const struct cell_ctx_options o = {.client = client, .timeout_ms = 2000};
    c[n] = cell_ctx_open(&o);
    crowd(c, n + 1);
    CHECK(call_wait(c[n], 9) == CELL_DEADLINE_EXCEEDED);
    wait_sem(&shared->left);
    cell_ctx_close(c[n]);
    close_clients(client, c, n);
    teardown(&d);
}

/* A process whose call is begun and held. */
static pid_t fork_caller(void)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        struct cell_client *client = NULL;
        cell_ctx *c[MOST_CLIENTS];
        struct blocked b[MOST_CLIENTS];
        int n = nclients();
        open_clients(&client, c, n);
        for (int i = 0; i < n; i++)
            start_blocked(&b[i], c[i], 0);
        for (int i = 0; i < n; i++)
            pthread_join(b[i].thread, NULL);
        pause();
    }
    return pid;
}

TEST(a_client_that_dies_before_its_answer_leaves_nothing_behind)
{
    struct demo_server d = {0};
    struct cell_client *client = NULL;
    cell_ctx *c[MOST_CLIENTS];
    int n = nclients(), status;
    setup(&d);
    open_clients(&client, c, n);
    crowd(c, n);
    set_holds(true);
    struct blocked b[MOST_CLIENTS];
    pid_t pid = fork_caller();
    for (int i = 0; i < n; i++)
        start_blocked(&b[i], c[i], 0);
    wait_for_held(1);
    kill(pid, SIGKILL);
    CHECK(waitpid(pid, &status, 0) == pid);
    set_holds(false);
    for (int i = 0; i < n; i++) {
        pthread_join(b[i].thread, NULL);
        CHECK(b[i].result == 3);
    }
    crowd(c, n);
    close_clients(client, c, n);
    teardown(&d);
}

TEST(no_more_calls_are_begun_than_handlers_may_run)
{
    struct demo_server d = {.options = {.max_threads = 3}};
    struct cell_client *client = NULL;
    cell_ctx *c[MOST_CLIENTS];
    struct blocked b[MOST_CLIENTS];
    int n = nclients();
    setup(&d);
    open_clients(&client, c, n);
    crowd(c, n);
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < n; i++)
            start_blocked(&b[i], c[i], 0);
        for (int i = 0; i < n; i++) {
            pthread_join(b[i].thread, NULL);
            CHECK(b[i].result == 3);
        }
    }
    CHECK(atomic_load(&later.most_running) <= 3);
    close_clients(client, c, n);
    teardown(&d);
}

static void *finish_held(void *arg)
{
    const struct cell_server *s = arg;
    while (!atomic_load(&s->draining))
        usleep(300);
    set_holds(false);
    return NULL;
}

TEST(calls_that_were_begun_are_answered_while_the_server_drains)
{
    struct demo_server d = {0};
    struct cell_client *client = NULL;
    cell_ctx *c[MOST_CLIENTS];
    struct blocked b;
    pthread_t thread;
    int n = nclients();
    setup(&d);
    open_clients(&client, c, n);
    crowd(c, n);
    set_holds(true);
    start_blocked(&b, c[0], 0);
    wait_for_held(1);
    CHECK(pthread_create(&thread, NULL, finish_held, d.server) == 0);
    cell_server_stop(d.server);
    pthread_join(thread, NULL);
    pthread_join(b.thread, NULL);
    CHECK(b.result == 3);
    close_clients(client, c, n);
    teardown(&d);
}

TEST(a_call_that_outlives_the_drain_may_end_after_its_server)
{
    struct demo_server d = {.options = {.drain_ms = 50}};
    struct cell_client *client = NULL;
    cell_ctx *c[MOST_CLIENTS];
    struct blocked b;
    int n = nclients();
    setup(&d);
    open_clients(&client, c, n);
    crowd(c, n);
    set_holds(true);
    start_blocked(&b, c[0], 0);
    wait_for_held(1);
    cell_server_stop(d.server);
    pthread_join(d.thread, NULL);
    CHECK(d.result == CELL_DEADLINE_EXCEEDED);
    pthread_join(b.thread, NULL);
    CHECK(b.result < 0);
    close_clients(client, c, n);
    demo_free(&d);
    set_holds(false);
    while (atomic_load(&seen.alive) > 0)
        usleep(300);
    stop_thread();
    demo_teardown();
}

TEST(while_calls_are_gathered_nobody_is_woken_for_them)
{
    struct demo_server d = {0};
    struct cell_client *client = NULL;
    cell_ctx *c[MOST_CLIENTS];
    struct blocked b;
    int n = nclients();
    setup(&d);
    open_clients(&client, c, n);
    crowd(c, n);
    cell_server_gather(d.server, true);
    CHECK(insert_id(c[0], 1) == 3); /* its client had been told that somebody sleeps */
    int begun = atomic_load(&later.begun);
    start_blocked(&b, c[0], 0);
    /* What others do is not held up by it, nor does it come along with it. */
    for (int i = 0; i < 50; i++) {
        int sum = 0;
        struct cell_client *other = NULL;
        cell_ctx *o = demo_ctx(&other);
        CHECK(call_add(o, i, 1, &sum) == CELL_OK && sum == i + 1);
        cell_ctx_close(o);
        cell_client_close(other);
    }
    CHECK(atomic_load(&later.begun) == begun);
    cell_server_gather(d.server, false);
    pthread_join(b.thread, NULL);
    CHECK(b.result == 3 && atomic_load(&later.begun) == begun + 1);
    CHECK(insert_id(c[0], 1) == 3);
    close_clients(client, c, n);
    teardown(&d);
}

TEST(those_who_do_not_call_leave_the_shared_thread_and_it_ends)
{
    struct demo_server d = {0};
    struct cell_client *client = NULL;
    cell_ctx *c[MOST_CLIENTS];
    int n = nclients();
    setup(&d);
    open_clients(&client, c, n);
    crowd(c, n);
    for (bool there = true; there; usleep(1000)) {
        pthread_mutex_lock(&d.server->lock);
        there = d.server->nthreads > 0;
        pthread_mutex_unlock(&d.server->lock);
    }
    CHECK(atomic_load(&d.server->crowd.n) == 0);
    CHECK(insert_id(c[0], 1) == 3);
    crowd(c, n);
    close_clients(client, c, n);
    teardown(&d);
}
