/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What one client of a server can take from the others: handlers, connections, memory. */
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

/* ---- memory ---- */

#define BIG (1u << 20)

/* A megabyte, whatever was asked. */
static int answer_big(cell_ctx *c, const void *in, void *const *out)
{
    uint8_t *bytes = cell_ctx_alloc(c, BIG);
    (void)in;
    if (!bytes)
        return CELL_NO_MEMORY;
    memset(bytes, 'x', BIG);
    *(struct echo_out *)out[0] = (struct echo_out){CELL_STR("big"), {bytes, BIG}, enter_handler()};
    leave_handler();
    return 0;
}

TEST(replies_that_a_user_does_not_take_are_limited_and_his_calls_go_on_when_he_does)
{
    /* The least there is: two of the largest messages, 8 MiB. */
    struct demo_server d = {.options.max_message = 2 * BIG, .options.max_bytes_per_uid = 1};
    struct cell_client *client = NULL;
    struct echo_out o = {0};
    const struct echo_in nothing = {{NULL, 0}, {NULL, 0}};
    int fds[8], code;
    int32_t sum;
    demo_setup();
    crowd_handler(&d, demo_echo, answer_big);
    demo_start(&d);
    struct cell_buffer request = crowd_request(demo_echo, &nothing);
    for (int i = 0; i < 8; i++) {
        fds[i] = crowd_connect(&code, NULL);
        CHECK(code == CELL_OK && crowd_send(fds[i], demo_echo, 1, &request));
    }
    cell_ctx *c = demo_ctx(&client);
    while (crowd_counter("memory_refused") == 0) /* until all of them are stuck, but the one that is too much */
        usleep(500);
    code = call_echo(c, CELL_STR("x"), (cell_bytes){NULL, 0}, &o);
    CHECK(code == CELL_RESOURCE_EXHAUSTED);
    CHECK(strstr(cell_ctx_message(c), "the connections of this user hold"));
    CHECK(call_add(c, 1, 2, &sum) == 0 && sum == 3); /* what is small goes on */
    CHECK(crowd_counter("memory_refused") == 2);
    int taken = 0;
    for (int i = 0; i < 8; i++) {
        code = crowd_reply(fds[i], 1);
        CHECK(code == 0 || code == CELL_RESOURCE_EXHAUSTED);
        taken += code == 0;
    }
    CHECK(taken == 7); /* the megabyte of the message has a header: eight are more than 8 MiB */
    CHECK(call_echo(c, CELL_STR("x"), (cell_bytes){NULL, 0}, &o) == 0 && o.data.len == BIG);
    for (int i = 0; i < 8; i++)
        close(fds[i]);
    cell_buffer_free(&request);
    cell_ctx_close(c);
    cell_client_close(client);
    demo_stop(&d);
    demo_teardown();
}

/* Sends the beginning of a frame of almost 4 MiB; false when the server has ended the connection meanwhile. */
static bool send_part(int fd, size_t len)
{
    static uint8_t zeros[1 << 16];
    uint8_t header[CELL_FRAME_HEADER];
    const struct cell_frame f = {.kind = CELL_FRAME_CALL, .id = 1, .length = 4000000};
    cell_frame_encode(&f, header);
    bool sent = send(fd, header, sizeof(header), MSG_NOSIGNAL) == (ssize_t)sizeof(header);
    for (size_t n = 0; sent && n < len; n += sizeof(zeros))
        sent = send(fd, zeros, sizeof(zeros), MSG_NOSIGNAL) == (ssize_t)sizeof(zeros);
    return sent;
}

TEST(requests_that_a_user_does_not_finish_are_limited_in_bytes)
{
    struct demo_server d = {.options.max_message = BIG, .options.max_bytes_per_uid = 1};
    struct cell_client *client = NULL;
    struct cell_frame f = {0};
    uint8_t *payload = NULL;
    int fds[2], code;
    int32_t sum;
    demo_setup();
    demo_start(&d);
    for (int i = 0; i < 2; i++) {
        fds[i] = crowd_connect(&code, NULL);
        CHECK(send_part(fds[i], 3 << 20));
    }
    int fd = crowd_connect(&code, NULL); /* small things go on */
    CHECK(code == CELL_OK);
    send_part(fd, 3 << 20);
    CHECK(raw_recv(fd, &f, &payload) && f.kind == CELL_FRAME_WELCOME && f.code == CELL_RESOURCE_EXHAUSTED);
    CHECK(payload && memmem(payload, f.length, "hold is at the limit of 8388608 bytes", 37) != NULL);
    free(payload);
    CHECK(raw_ended(fd));
    close(fd);
    cell_ctx *c = demo_ctx(&client);
    CHECK(call_add(c, 1, 2, &sum) == 0);
    CHECK(crowd_counter("memory_refused") == 1);
    close(fds[0]);
    close(fds[1]);
    struct echo_out o = {0};
    static uint8_t most[BIG - 4096];
    /* What they held has been given back, once the server has seen their ends. */
    while ((code = call_echo(c, CELL_STR("x"), (cell_bytes){most, sizeof(most)}, &o)) == CELL_UNAVAILABLE ||
           code == CELL_RESOURCE_EXHAUSTED)
        usleep(500);
    CHECK(code == 0 && o.data.len == sizeof(most));
    cell_ctx_close(c);
    cell_client_close(client);
    demo_stop(&d);
    demo_teardown();
}

/* ---- shared memory ---- */

struct crowd_client {
    struct cell_client *client;
    cell_ctx *c;
};

/* Two calls: the first one goes over the socket. */
static void use_client(struct crowd_client *k)
{
    int32_t sum = 0;
    k->c = demo_ctx(&k->client);
    for (int i = 0; i < 2; i++)
        CHECK(call_add(k->c, i, 2, &sum) == 0 && sum == i + 2);
}

static void drop_client(struct crowd_client *k)
{
    cell_ctx_close(k->c);
    cell_client_close(k->client);
}

static void wait_for_connections(unsigned plain, unsigned shm)
{
    uint64_t end = cell_now_ns() + 60000 * CELL_NS_PER_MS;
    struct crowd_connections n = crowd_connections();
    for (; (n.plain != plain || n.shm != shm) && cell_now_ns() < end; n = crowd_connections())
        usleep(500);
    CHECK(n.plain == plain && n.shm == shm);
}

TEST(health_tells_what_carries_the_connections)
{
    struct demo_server d = {0};
    struct crowd_client clients[3];
    int code;
    demo_setup();
    demo_start(&d);
    wait_for_connections(0, 0); /* those that ask are not counted */
    int fd = raw_connect();
    wait_for_connections(0, 0); /* nor who has not said HELLO */
    raw_hello(fd, CELL_CHANNEL_APP, "demo", demo_fingerprint, "lp64-le");
    wait_for_connections(1, 0);
    int other = crowd_connect(&code, NULL);
    CHECK(code == CELL_OK);
    setenv("CELL_TRANSPORT", "unix", 1);
    use_client(&clients[0]);
    unsetenv("CELL_TRANSPORT");
    wait_for_connections(3, 0);
    CHECK(crowd_counter("connections_shm") == 0);
    use_client(&clients[1]);
    use_client(&clients[2]);
    wait_for_connections(3, 2);
    CHECK(crowd_counter("connections_shm") == 2);
    close(fd);
    drop_client(&clients[1]);
    wait_for_connections(2, 1);
    close(other);
    drop_client(&clients[0]);
    drop_client(&clients[2]);
    wait_for_connections(0, 0);
    CHECK(crowd_counter("connections_shm") == 2); /* it only grows */
    demo_stop(&d);
    demo_teardown();
}

#define SHARERS 80

TEST(half_of_what_a_user_may_hold_can_become_regions)
{
    struct demo_server d = {.options.max_message = BIG, .options.max_bytes_per_uid = 1};
    struct crowd_client clients[SHARERS];
    const unsigned most = (8 * BIG / 2) / (2 * 28672);
    demo_setup();
    demo_start(&d);
    for (int i = 0; i < SHARERS; i++)
        use_client(&clients[i]);
    struct crowd_connections n = crowd_connections();
    CHECK(n.plain + n.shm == SHARERS);
    CHECK(n.shm <= most && n.shm > most / 2);
    CHECK(crowd_counter("connections_shm") == n.shm);
    CHECK(crowd_counter("memory_refused") == 0); /* all are served */
    for (int i = 0; i < SHARERS; i++)
        drop_client(&clients[i]);
    wait_for_connections(0, 0);
    use_client(&clients[0]); /* it was given back */
    wait_for_connections(0, 1);
    drop_client(&clients[0]);
    demo_stop(&d);
    demo_teardown();
}

TEST(large_replies_in_shared_memory_are_limited_in_bytes_and_given_back)
{
    /* 8 MiB: three replies of a megabyte, which take two each, and not a fourth. */
    struct demo_server d = {.options.max_message = 2 * BIG, .options.max_bytes_per_uid = 1};
    const struct echo_in nothing = {{NULL, 0}, {NULL, 0}};
    struct crowd_client clients[4], last;
    struct echo_out out[4], o = {0};
    int tickets[4], code, taken = 0;
    int32_t sum = 0;
    demo_setup();
    crowd_handler(&d, demo_echo, answer_big);
    demo_start(&d);
    use_client(&last);
    for (int i = 0; i < 4; i++)
        use_client(&clients[i]);
    wait_for_connections(0, 5);
    for (int i = 0; i < 4; i++) { /* nobody takes these replies */
        void *const outs[] = {&out[i]};
        tickets[i] = cell_call_async(clients[i].c, &demo, demo_echo, &nothing, outs);
        REQUIRE(tickets[i] >= 0);
    }
    while (crowd_counter("memory_refused") == 0)
        usleep(500);
    CHECK(call_echo(last.c, CELL_STR("x"), (cell_bytes){NULL, 0}, &o) == CELL_RESOURCE_EXHAUSTED);
    CHECK(strstr(cell_ctx_message(last.c), "hold is at the limit of 8388608 bytes"));
    CHECK(call_add(last.c, 1, 2, &sum) == 0 && sum == 3); /* what is small goes on */
    for (int i = 0; i < 4; i++) {
        code = cell_wait(clients[i].c, tickets[i]);
        CHECK(code == 0 || code == CELL_RESOURCE_EXHAUSTED);
        CHECK(code < 0 || out[i].data.len == BIG);
        taken += code == 0;
    }
    CHECK(taken == 3);
    /* What was taken is given back when its connection has been idle for a while, although it stays open. */
    do
        code = call_echo(last.c, CELL_STR("x"), (cell_bytes){NULL, 0}, &o);
    while (code == CELL_RESOURCE_EXHAUSTED);
    CHECK(code == 0 && o.data.len == BIG);
    for (int i = 0; i < 4; i++)
        drop_client(&clients[i]);
    drop_client(&last);
    demo_stop(&d);
    demo_teardown();
}
