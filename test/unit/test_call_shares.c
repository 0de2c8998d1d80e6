/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What one client of a server can take from the others: handlers and connections. For memory see test_call_limits.c. */
#include "crowd_fixture.h"

#include "call/server_gate.h"

#define HONEST 8
#define HOSTILE_THREADS 64
#define TURNS 60

/* ---- handlers ---- */

/* The time of the server's handlers: each call takes one tick, and the test says when it is over. Shared by processes.
 */
struct ticks {
    atomic_int tick, over, ready;
    atomic_int honest_running, hostile_running;
    atomic_int honest_done[HONEST], hostile_done;
    /* Of each honest client: when its last call ended, and the longest time that passed until the next one. */
    atomic_ullong ended_ns[HONEST], pause_ns[HONEST];
};
static struct ticks *ticks;

static void note_pause(int who)
{
    unsigned long long pause = cell_now_ns() - atomic_load(&ticks->ended_ns[who]);
    if (pause > atomic_load(&ticks->pause_ns[who]))
        atomic_store(&ticks->pause_ns[who], pause);
}

#define A_HOSTILE_ONE (-1)
#define ARRIVES (-2) /* an honest one, whose connection is made then */

/* `in` is the number of an honest client, or one of those. */
static int take_a_tick(cell_ctx *c, const void *in, void *const *out)
{
    int who = *(const int32_t *)in, now = atomic_load(&ticks->tick);
    if (who == ARRIVES)
        return 0;
    atomic_int *running = who < 0 ? &ticks->hostile_running : &ticks->honest_running;
    (void)c, (void)out;
    if (who >= 0)
        note_pause(who);
    atomic_fetch_add(running, 1);
    while (atomic_load(&ticks->tick) == now && !atomic_load(&ticks->over))
        usleep(200);
    atomic_fetch_sub(running, 1);
    if (who >= 0)
        atomic_store(&ticks->ended_ns[who], cell_now_ns());
    atomic_fetch_add(who < 0 ? &ticks->hostile_done : &ticks->honest_done[who], 1);
    return 0;
}

static void wait_for_ready(int n)
{
    while (atomic_load(&ticks->ready) < n)
        usleep(200);
}

/* ---- clients ---- */

static void *hostile_thread(void *arg)
{
    struct cell_client *client = NULL;
    cell_ctx *c = demo_ctx(&client);
    cell_ctx_set_timeout_ms(c, UINT32_MAX);
    atomic_fetch_add(&ticks->ready, 1);
    while (!atomic_load(&ticks->over))
        call_block(c, A_HOSTILE_ONE);
    cell_ctx_close(c);
    cell_client_close(client);
    return arg;
}

static pid_t fork_hostile(void)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid)
        return pid;
    pthread_t threads[HOSTILE_THREADS];
    while (access(demo_address + 5, F_OK) != 0)
        usleep(500);
    for (int i = 0; i < HOSTILE_THREADS; i++)
        pthread_create(&threads[i], NULL, hostile_thread, NULL);
    for (int i = 0; i < HOSTILE_THREADS; i++)
        pthread_join(threads[i], NULL);
    _exit(0);
}

/* Begins when the hostile client has connected everything. */
static pid_t fork_honest(int number)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid)
        return pid;
    struct cell_client *client = NULL;
    wait_for_ready(HOSTILE_THREADS);
    cell_ctx *c = demo_ctx(&client);
    cell_ctx_set_timeout_ms(c, UINT32_MAX);
    int failed = call_block(c, ARRIVES) != 0;
    atomic_store(&ticks->ended_ns[number], cell_now_ns());
    atomic_fetch_add(&ticks->ready, 1);
    for (int i = 0; i < TURNS; i++)
        failed += call_block(c, number) != 0;
    cell_ctx_close(c);
    cell_client_close(client);
    _exit(failed != 0);
}

struct contest {
    struct demo_server d;
    pid_t hostile, honest[HONEST];
};

static void contest_begin(struct contest *k)
{
    demo_setup();
    free(embed_schema(&demo, demo_fingerprint));
    ticks = mmap(NULL, sizeof(*ticks), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < HONEST; i++)
        atomic_store(&ticks->ended_ns[i], cell_now_ns());
    k->hostile = fork_hostile();
    for (int i = 0; i < HONEST; i++)
        k->honest[i] = fork_honest(i);
    k->d.options.max_threads = 16;
    crowd_handler(&k->d, demo_block, take_a_tick);
    demo_start(&k->d);
}

static void contest_end(struct contest *k)
{
    atomic_store(&ticks->over, 1);
    for (int i = 0; i < HONEST; i++)
        CHECK(demo_wait(k->honest[i]) == 0);
    CHECK(demo_wait(k->hostile) == 0);
    demo_stop(&k->d);
    munmap(ticks, sizeof(*ticks));
    demo_teardown();
}

static int honest_done(void)
{
    int n = 0;
    for (int i = 0; i < HONEST; i++)
        n += atomic_load(&ticks->honest_done[i]);
    return n;
}

static int honest_left(void)
{
    int n = 0;
    for (int i = 0; i < HONEST; i++)
        n += atomic_load(&ticks->honest_done[i]) < TURNS;
    return n;
}

/* A call takes a whole tick: nothing goes on before all that ran have ended. */
static void end_tick(void)
{
    /* Done first, so that nobody is counted twice. */
    int honest = honest_done(), hostile = atomic_load(&ticks->hostile_done);
    honest += atomic_load(&ticks->honest_running);
    hostile += atomic_load(&ticks->hostile_running);
    atomic_fetch_add(&ticks->tick, 1);
    while (honest_done() < honest || atomic_load(&ticks->hostile_done) < hostile)
        usleep(200);
}

/* What became of the handlers' time from when all clients were there: what the hostile one got while it was alone took
 * nothing away. False: on this machine an honest client did not get to call for so long that the gate rightly gave its
 * share away, and the contest says nothing. */
static bool hold_contest(int *honest, int *hostile)
{
    struct contest k = {0};
    bool busy = false;
    contest_begin(&k);
    while (atomic_load(&ticks->ready) < HOSTILE_THREADS + HONEST) {
        end_tick();
        usleep(200);
    }
    int before = atomic_load(&ticks->hostile_done);
    while (honest_left() == HONEST) {
        /* A tick ends when all honest clients are being served, or none can be any more. */
        while (atomic_load(&ticks->honest_running) < HONEST && honest_left() == HONEST &&
               atomic_load(&ticks->honest_running) + atomic_load(&ticks->hostile_running) < 16)
            usleep(200);
        end_tick();
    }
    *honest = honest_done();
    *hostile = atomic_load(&ticks->hostile_done) - before;
    for (int i = 0; i < HONEST; i++)
        busy |= atomic_load(&ticks->pause_ns[i]) >= GATE_RECENT_NS;
    contest_end(&k);
    return !busy;
}

TEST(eight_honest_clients_keep_four_fifths_of_the_handlers_time_beside_a_hostile_one)
{
    int honest = 0, hostile = 0, tries = 1;
    while (!hold_contest(&honest, &hostile) && tries < 20)
        tries++;
    REQUIRE(tries < 20);
    CHECK(honest * 5 >= (honest + hostile) * 4);
    CHECK(hostile > 0);
}

TEST(a_client_whose_calls_never_end_does_not_keep_others_from_being_served)
{
    struct contest k = {0};
    demo_setup();
    free(embed_schema(&demo, demo_fingerprint));
    ticks = mmap(NULL, sizeof(*ticks), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t idle = fork_honest(0); /* another process is known before the hostile one takes what it can get */
    k.hostile = fork_hostile();
    crowd_handler(&k.d, demo_block, take_a_tick);
    demo_start(&k.d);
    struct cell_client *client = NULL;
    cell_ctx *c = demo_ctx(&client);
    int32_t sum = 0;
    for (int i = 0; i < 100; i++)
        CHECK(call_add(c, i, 1, &sum) == 0 && sum == i + 1);
    wait_for_ready(HOSTILE_THREADS);
    while (atomic_load(&ticks->hostile_running) < 2)
        usleep(200);
    for (int i = 0; i < 100; i++)
        CHECK(call_add(c, i, 1, &sum) == 0 && sum == i + 1);
    CHECK(atomic_load(&ticks->hostile_done) == 0);
    CHECK(crowd_counter("calls_waited") > 0);
    atomic_store(&ticks->over, 1);
    CHECK(demo_wait(idle) == 0 && demo_wait(k.hostile) == 0);
    cell_ctx_close(c);
    cell_client_close(client);
    demo_stop(&k.d);
    munmap(ticks, sizeof(*ticks));
    demo_teardown();
}

/* ---- connections ---- */

TEST(a_user_over_his_limit_of_connections_is_told_so_and_not_kept)
{
    struct demo_server d = {.options.max_connections_per_uid = 3};
    int fds[3], code;
    struct cell_client *client = NULL;
    int32_t sum;
    demo_setup();
    demo_start(&d);
    for (int i = 0; i < 3; i++) {
        fds[i] = crowd_connect(&code, NULL);
        CHECK(code == CELL_OK);
    }
    int fd = crowd_connect(&code, "all of its 3 connections");
    CHECK(code == CELL_RESOURCE_EXHAUSTED);
    CHECK(raw_ended(fd));
    close(fd);
    cell_ctx *c = demo_ctx(&client);
    CHECK(call_add(c, 1, 2, &sum) == CELL_RESOURCE_EXHAUSTED);
    CHECK(strstr(cell_ctx_message(c), "all of its 3 connections to demo"));
    close(fds[0]);
    while (call_add(c, 1, 2, &sum) == CELL_RESOURCE_EXHAUSTED) /* until the server has seen the end */
        usleep(500);
    CHECK(call_add(c, 1, 2, &sum) == 0 && sum == 3);
    close(fds[1]);
    uint64_t refused;
    while ((refused = crowd_counter("connections_refused")) == 0)
        usleep(500);
    CHECK(refused >= 2);
    close(fds[2]);
    cell_ctx_close(c);
    cell_client_close(client);
    demo_stop(&d);
    demo_teardown();
}

TEST(refused_connections_that_say_nothing_do_not_pile_up)
{
    struct demo_server d = {.options.max_connections_per_uid = 1};
    int fds[40], code, ended = 0;
    struct cell_frame f;
    demo_setup();
    demo_start(&d);
    int first = crowd_connect(&code, NULL);
    CHECK(code == CELL_OK);
    for (int i = 0; i < 40; i++)
        fds[i] = raw_connect();
    for (int i = 8; i < 40; i++) { /* eight of them are waited for, for their HELLO */
        uint8_t *payload = NULL;
        ended += raw_recv(fds[i], &f, &payload) && f.code == CELL_RESOURCE_EXHAUSTED && raw_ended(fds[i]);
        free(payload);
    }
    CHECK(ended == 32);
    for (int i = 0; i < 40; i++)
        close(fds[i]);
    close(first);
    demo_stop(&d);
    demo_teardown();
}

/* The codes of n connections of another user, as a sum of how many were OK; a process, because uids belong to those. */
static int connect_as_nobody(int n)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        int ok = 0, code;
        if (setgid(65534) < 0 || setuid(65534) < 0)
            _exit(100);
        for (int i = 0; i < n; i++) {
            crowd_connect(&code, NULL);
            ok += code == CELL_OK;
        }
        _exit(ok);
    }
    return WEXITSTATUS(demo_wait(pid));
}

TEST(another_user_gets_three_quarters_of_the_connections_and_the_servers_own_all)
{
    struct demo_server d = {.options.max_connections = 8};
    int fds[8], code;
    if (geteuid() != 0) {
        printf("# skipped: only root can be another user\n");
        return;
    }
    demo_setup();
    demo_start(&d);
    CHECK(chmod(temp_folder, 0711) == 0 && chmod(demo_address + 5, 0666) == 0);
    CHECK(connect_as_nobody(8) == 6);
    for (int i = 0; i < 8; i++) {
        fds[i] = crowd_connect(&code, NULL);
        CHECK(code == CELL_OK);
    }
    for (int i = 0; i < 8; i++)
        close(fds[i]);
    demo_stop(&d);
    demo_teardown();
}

TEST(room_is_made_at_the_cost_of_the_user_with_the_most_connections)
{
    struct demo_server d = {.options.max_connections = 8};
    int mine[2], code, before = crowd_threads();
    if (geteuid() != 0) {
        printf("# skipped: only root can be another user\n");
        return;
    }
    demo_setup();
    demo_start(&d);
    CHECK(chmod(temp_folder, 0711) == 0 && chmod(demo_address + 5, 0666) == 0);
    for (int i = 0; i < 2; i++) { /* idle for longer than all that come after */
        mine[i] = crowd_connect(&code, NULL);
        CHECK(code == CELL_OK);
    }
    int to_child[2], from_child[2];
    char byte;
    CHECK(pipe(to_child) == 0 && pipe(from_child) == 0);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) { /* six idle ones of another user, until told */
        int fds[6];
        if (setgid(65534) < 0 || setuid(65534) < 0)
            _exit(100);
        for (int i = 0; i < 6; i++)
            fds[i] = crowd_connect(&code, NULL);
        int gone = 0;
        if (write(from_child[1], "+", 1) != 1 || read(to_child[0], &byte, 1) != 1)
            _exit(101);
        for (int i = 0; i < 6; i++)
            gone += recv(fds[i], &byte, 1, MSG_DONTWAIT) == 1; /* GOAWAY begins */
        _exit(gone);
    }
    CHECK(read(from_child[0], &byte, 1) == 1);
    crowd_wait_for_threads(before);
    int more = crowd_connect(&code, NULL);
    CHECK(code == CELL_OK);
    CHECK(write(to_child[1], "+", 1) == 1);
    CHECK(WEXITSTATUS(demo_wait(pid)) == 1);
    for (int i = 0; i < 2; i++) {
        CHECK(recv(mine[i], &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN);
        close(mine[i]);
        close(to_child[i]);
        close(from_child[i]);
    }
    close(more);
    demo_stop(&d);
    demo_teardown();
}
