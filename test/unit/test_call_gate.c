/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Who gets the places for handlers, without any server: time and order are the test's own. */
#include "call/server_gate.h"
#include "test.h"

#include <pthread.h>

#define MS UINT64_C(1000000)
#define CALLS_EACH 200

/* Some processes of some users at one gate. */
struct crowd {
    struct server_gate gate;
    struct gate_uid uid[4];
    struct gate_process p[20];
    struct gate_waiter w[20][CALLS_EACH];
    uint32_t nwaiters[20], running[20], served[20];
    uint64_t now;
};

static void crowd_open(struct crowd *c, uint32_t limit, int processes, int users)
{
    memset(c, 0, sizeof(*c));
    c->now = 1000 * MS;
    cell_gate_init(&c->gate, limit);
    for (int i = 0; i < processes; i++)
        cell_gate_join(&c->gate, &c->p[i], &c->uid[i % users]);
}

static void crowd_close(struct crowd *c, int processes)
{
    for (int i = 0; i < processes; i++) {
        CHECK(c->running[i] == 0 && c->p[i].nwaiting == 0);
        cell_gate_forget(&c->gate, &c->p[i]);
    }
    CHECK(c->gate.assigned == 0 && c->gate.nactive_uids == 0 && c->gate.nuids == 0);
    CHECK(atomic_load(&c->gate.nactive) == 0);
    cell_gate_destroy(&c->gate);
}

static void admit_all(struct crowd *c, const struct gate_waiter *w)
{
    for (; w; w = w->next)
        for (int i = 0; i < 20; i++)
            if (w >= c->w[i] && w < c->w[i] + CALLS_EACH) {
                c->running[i]++;
                c->served[i]++;
            }
}

/* A call of process `i`: true = it runs, false = it waits. */
static bool begin(struct crowd *c, int i)
{
    struct gate_waiter *admitted = NULL;
    bool in = cell_gate_try(&c->p[i], c->now) ||
              cell_gate_enter(&c->gate, &c->p[i], &c->w[i][c->nwaiters[i]++ % CALLS_EACH], c->now, &admitted);
    c->running[i] += in;
    c->served[i] += in;
    admit_all(c, admitted);
    return in;
}

static void end(struct crowd *c, int i, uint64_t entered_ns)
{
    c->running[i]--;
    admit_all(c, cell_gate_leave(&c->gate, &c->p[i], entered_ns, c->now));
}

TEST(a_process_alone_has_all_places_and_no_more)
{
    static struct crowd c;
    crowd_open(&c, 16, 1, 1);
    for (int i = 0; i < 40; i++)
        begin(&c, 0);
    CHECK(c.running[0] == 16 && c.p[0].nwaiting == 24);
    for (int i = 0; i < 40; i++)
        end(&c, 0, c.now);
    CHECK(c.served[0] == 40);
    crowd_close(&c, 1);
}

TEST(places_are_left_for_processes_that_are_connected_and_idle)
{
    static struct crowd c;
    crowd_open(&c, 16, 2, 1);
    for (int i = 0; i < 40; i++)
        begin(&c, 0);
    CHECK(c.running[0] == 14);
    CHECK(begin(&c, 1)); /* whatever the other runs and for how long */
    end(&c, 1, c.now);
    while (c.running[0])
        end(&c, 0, c.now);
    CHECK(c.served[0] == 40);
    crowd_close(&c, 2);
}

TEST(one_hostile_process_holds_one_place_of_nine_while_eight_others_are_active)
{
    static struct crowd c;
    crowd_open(&c, 16, 9, 1);
    for (int i = 1; i < 9; i++) {
        CHECK(begin(&c, i));
        end(&c, i, c.now);
    }
    for (int i = 0; i < 150; i++)
        begin(&c, 0);
    CHECK(c.running[0] == 1);
    for (int round = 0; round < 100; round++) {
        c.now += MS;
        for (int i = 1; i < 9; i++)
            CHECK(begin(&c, i)); /* never waits */
        for (int i = 1; i < 9; i++)
            end(&c, i, c.now);
        end(&c, 0, c.now - MS);
        CHECK(c.running[0] == 1);
    }
    while (c.running[0])
        end(&c, 0, c.now);
    CHECK(c.served[0] == 150);
    crowd_close(&c, 9);
}

TEST(a_share_grows_again_when_the_others_have_become_quiet)
{
    static struct crowd c;
    crowd_open(&c, 8, 2, 1);
    CHECK(begin(&c, 1));
    end(&c, 1, c.now);
    for (int i = 0; i < 20; i++)
        begin(&c, 0);
    CHECK(c.running[0] == 4);
    c.now += 2 * GATE_RECENT_NS;
    end(&c, 0, c.now - MS);
    CHECK(c.running[0] == 7);
    while (c.running[0])
        end(&c, 0, c.now);
    crowd_close(&c, 2);
}

TEST(places_beyond_the_share_are_taken_back_as_they_get_free)
{
    static struct crowd c;
    crowd_open(&c, 8, 1, 1);
    for (int i = 0; i < 8; i++)
        CHECK(begin(&c, 0));
    cell_gate_join(&c.gate, &c.p[1], &c.uid[1]);
    CHECK(!begin(&c, 1) && !begin(&c, 1) && !begin(&c, 1) && !begin(&c, 1) && !begin(&c, 1));
    for (int i = 0; i < 4; i++) {
        begin(&c, 0);
        end(&c, 0, c.now);
        CHECK(c.running[0] == 7 - (uint32_t)i && c.running[1] == (uint32_t)i + 1);
    }
    CHECK(c.running[1] == 4 && c.running[0] == 4 && c.p[1].nwaiting == 1); /* halves */
    while (c.running[0])
        end(&c, 0, c.now);
    while (c.running[1])
        end(&c, 1, c.now);
    crowd_close(&c, 2);
}

TEST(users_share_before_their_processes_do)
{
    static struct crowd c;
    crowd_open(&c, 8, 0, 1);
    for (int i = 0; i < 8; i++) /* user 0 has seven processes, user 1 has one */
        cell_gate_join(&c.gate, &c.p[i], &c.uid[i == 7]);
    for (int k = 0; k < 100; k++)
        for (int i = 0; i < 8; i++)
            begin(&c, i);
    uint32_t first = 0;
    for (int turn = 0; turn < 160; turn++) {
        c.now += MS;
        for (int i = 0; i < 8; i++)
            if (c.running[i])
                end(&c, i, c.now - MS);
    }
    for (int i = 0; i < 7; i++) {
        first += c.served[i];
        CHECK(c.served[i] <= c.served[7]);
    }
    CHECK(c.served[7] == 100); /* all of them were done while */
    CHECK(first >= 100);       /* the other user went on */
    for (int i = 0; i < 8; i++)
        while (c.running[i])
            end(&c, i, c.now);
    crowd_close(&c, 8);
}

TEST(with_one_place_long_calls_do_not_get_more_time_than_short_ones)
{
    static struct crowd c;
    crowd_open(&c, 1, 2, 1);
    for (int i = 0; i < 150; i++) {
        begin(&c, 0); /* calls of 10 ms */
        begin(&c, 1); /* calls of 1 ms */
    }
    while (c.p[1].nwaiting) {
        int i = c.running[0] ? 0 : 1;
        uint64_t entered = c.now;
        c.now += i == 0 ? 10 * MS : MS;
        end(&c, i, entered);
    }
    CHECK(c.served[1] == 150);
    CHECK(c.served[0] >= 13 && c.served[0] <= 18); /* as much time, so a tenth of the calls */
    while (c.running[0] || c.running[1])
        end(&c, c.running[0] ? 0 : 1, c.now);
    crowd_close(&c, 2);
}

TEST(who_was_away_does_not_come_back_with_a_claim_on_the_time_since)
{
    static struct crowd c;
    crowd_open(&c, 1, 3, 1);
    for (int i = 0; i < 100; i++) {
        begin(&c, 0);
        begin(&c, 1);
    }
    for (int i = 0; i < 100; i++) {
        c.now += MS;
        end(&c, c.running[0] ? 0 : 1, c.now - MS);
    }
    uint32_t before = c.served[0];
    for (int i = 0; i < 100; i++)
        begin(&c, 2);
    for (int i = 0; i < 30; i++) {
        c.now += MS;
        end(&c, c.running[0] ? 0 : c.running[1] ? 1 : 2, c.now - MS);
    }
    CHECK(c.served[2] >= 9 && c.served[2] <= 12);
    CHECK(c.served[0] - before >= 9);
    while (c.running[0] || c.running[1] || c.running[2])
        end(&c, c.running[0] ? 0 : c.running[1] ? 1 : 2, c.now);
    crowd_close(&c, 3);
}

TEST(more_active_processes_than_places_are_all_served)
{
    static struct crowd c;
    crowd_open(&c, 2, 20, 4);
    for (int round = 0; round < 50; round++)
        for (int i = 0; i < 20; i++)
            begin(&c, i);
    CHECK(c.gate.assigned == 2);
    for (int left = 1000; left > 0; left--) {
        int i = 0;
        while (!c.running[i])
            i++;
        c.now += MS;
        end(&c, i, c.now - MS);
        CHECK(c.gate.assigned <= 2);
    }
    for (int i = 0; i < 20; i++)
        CHECK(c.served[i] == 50);
    crowd_close(&c, 20);
}

TEST(a_process_that_calls_now_and_then_needs_no_lock)
{
    static struct crowd c;
    crowd_open(&c, 16, 3, 2);
    for (int i = 0; i < 3; i++) {
        CHECK(begin(&c, i));
        end(&c, i, c.now);
    }
    for (int round = 0; round < 100; round++)
        for (int i = 0; i < 3; i++) {
            c.now += 10 * GATE_RECENT_NS;
            CHECK(cell_gate_try(&c.p[i], c.now));
            CHECK(cell_gate_leave(&c.gate, &c.p[i], c.now, c.now) == NULL);
        }
    crowd_close(&c, 3);
}

/* ---- threads ---- */

#define THREADS 12
#define LIMIT 3

static struct server_gate gate;
static struct gate_uid uids[2];
static struct gate_process processes[4];
static atomic_int running, most_running, done;
static pthread_mutex_t turn_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn = PTHREAD_COND_INITIALIZER;
struct call {
    struct gate_waiter w; /* first */
    bool admitted;
};

static void wake(struct gate_waiter *w)
{
    pthread_mutex_lock(&turn_lock);
    for (struct gate_waiter *next; w; w = next) {
        next = w->next;
        ((struct call *)w)->admitted = true;
    }
    pthread_cond_broadcast(&turn);
    pthread_mutex_unlock(&turn_lock);
}

static void *call_often(void *arg)
{
    struct gate_process *p = arg;
    for (int i = 0; i < 4000; i++) {
        struct call call = {.admitted = false};
        struct gate_waiter *admitted = NULL;
        uint64_t now = 1000 * MS + (uint64_t)i * MS / 10;
        if (!cell_gate_try(p, now) && !cell_gate_enter(&gate, p, &call.w, now, &admitted)) {
            wake(admitted);
            pthread_mutex_lock(&turn_lock);
            while (!call.admitted)
                pthread_cond_wait(&turn, &turn_lock);
            pthread_mutex_unlock(&turn_lock);
        } else if (admitted) {
            wake(admitted);
        }
        int n = atomic_fetch_add(&running, 1) + 1, most = atomic_load(&most_running);
        while (n > most && !atomic_compare_exchange_weak(&most_running, &most, n))
            continue;
        if (i % 16 == 0)
            sched_yield();
        atomic_fetch_sub(&running, 1);
        admitted = cell_gate_leave(&gate, p, now, now + 1);
        if (admitted)
            wake(admitted);
    }
    atomic_fetch_add(&done, 1);
    return NULL;
}

TEST(threads_never_exceed_the_limit_and_none_is_forgotten)
{
    pthread_t threads[THREADS];
    cell_gate_init(&gate, LIMIT);
    for (int i = 0; i < 4; i++)
        cell_gate_join(&gate, &processes[i], &uids[i / 3]);
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, call_often, &processes[i % 4]) == 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    CHECK(atomic_load(&done) == THREADS);
    CHECK(atomic_load(&most_running) <= LIMIT);
    for (int i = 0; i < 4; i++)
        cell_gate_forget(&gate, &processes[i]);
    CHECK(gate.assigned == 0 && gate.nwaiting == 0);
    cell_gate_destroy(&gate);
}
