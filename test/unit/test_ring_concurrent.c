/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* One direction of a shared-memory connection between threads and between processes that sleep whenever they can. */
#include "test.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "base/error.h"
#include "ring_fixture.h"

struct stress {
    struct ring r;
    uint32_t count;
    int readable; /* eventfd: what the receiver polls */
    bool failed;
};

static void produce(struct stress *s)
{
    uint32_t seed = 3;
    for (uint32_t i = 0; i < s->count; i++) {
        uint32_t data = ring_random_size(&seed), bell;
        int result;
        while ((result = ring_send(&s->r.p, data)) == CELL_RESOURCE_EXHAUSTED) {
            if (cell_ring_wake_receiver(&s->r.p))
                eventfd_write(s->readable, 1);
            if (cell_ring_sender_begin_sleep(&s->r.p, data, &bell)) {
                cell_ring_wait(s->r.p.other, bell, UINT64_MAX);
                cell_ring_sender_end_sleep(&s->r.p);
            }
        }
        s->failed |= result < 0;
        if ((ring_random(&seed) % 4 == 0 || i + 1 == s->count) && cell_ring_wake_receiver(&s->r.p))
            eventfd_write(s->readable, 1);
    }
}

static void sleep_for_message(struct stress *s, bool polls)
{
    uint32_t bell;
    eventfd_t value;
    if (!cell_ring_receiver_begin_sleep(&s->r.c, polls ? CELL_RING_POLL : CELL_RING_FUTEX, &bell))
        return;
    if (polls) {
        poll(&(struct pollfd){.fd = s->readable, .events = POLLIN}, 1, -1);
        eventfd_read(s->readable, &value);
    } else {
        cell_ring_wait(s->r.c.other, bell, UINT64_MAX);
    }
    cell_ring_receiver_end_sleep(&s->r.c);
}

static void consume(struct stress *s)
{
    uint32_t seed = 5, first = s->r.c.next;
    while (s->r.c.next - first != s->count) {
        const uint8_t *slot = cell_ring_peek(&s->r.c);
        if (slot) {
            s->failed |= !ring_whole(s->r.c.other, slot, s->r.c.next);
            cell_ring_take(&s->r.c);
        }
        if (!slot || ring_random(&seed) % 4 == 0)
            cell_ring_release(&s->r.c);
        if (!slot)
            sleep_for_message(s, ring_random(&seed) % 2);
    }
}

static void *produce_thread(void *arg)
{
    produce(arg);
    return NULL;
}

static void stress_open(struct stress *s, void (*open)(struct ring *, uint32_t))
{
    open(&s->r, NEAR_WRAP);
    s->readable = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    s->count = 30000;
}

TEST(two_threads_that_sleep_lose_no_message_and_no_wake_up)
{
    static void (*const open[])(struct ring *, uint32_t) = {ring_open, ring_open_for_threads};
    for (int i = 0; i < 2; i++) {
        struct stress s = {0}, sender;
        pthread_t thread;
        stress_open(&s, open[i]);
        sender = s; /* each has a struct of its own; regions and eventfd are shared */
        REQUIRE(pthread_create(&thread, NULL, produce_thread, &sender) == 0);
        consume(&s);
        pthread_join(thread, NULL);
        CHECK(!s.failed && !sender.failed);
        close(s.readable);
        ring_close(&s.r);
    }
}

/* Which does not outlive this process. */
static pid_t fork_child(void)
{
    pid_t parent = getpid(), child = fork();
    if (child == 0 && (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent))
        _exit(2);
    return child;
}

static bool child_succeeded(pid_t child)
{
    int status;
    return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST(two_processes_that_sleep_lose_no_message_and_no_wake_up)
{
    struct stress s = {0};
    stress_open(&s, ring_open);
    pid_t child = fork_child();
    REQUIRE(child >= 0);
    if (child == 0) {
        consume(&s);
        _exit(s.failed);
    }
    produce(&s);
    CHECK(child_succeeded(child) && !s.failed);
    close(s.readable);
    ring_close(&s.r);
}

static bool exchange(struct cell_ring_producer *p, struct cell_ring_consumer *c, bool first)
{
    bool good = true;
    uint32_t seed = first;
    for (int i = 0; i < 2 * 100000; i++) {
        const uint8_t *slot;
        uint32_t bell;
        if ((i % 2 == 0) == first) {
            good &= ring_send(p, i % 3 ? 0 : 200) == 0;
            cell_ring_wake_receiver(p);
            continue;
        }
        for (uint32_t spin = ring_random(&seed) % 4096; spin > 0 && !cell_ring_peek(c);)
            spin--; /* so that the sleep begins at any moment of the other's work */
        while (!(slot = cell_ring_peek(c)))
            if (cell_ring_receiver_begin_sleep(c, CELL_RING_FUTEX, &bell)) {
                cell_ring_wait(c->other, bell, UINT64_MAX);
                cell_ring_receiver_end_sleep(c);
            }
        good &= ring_whole(c->other, slot, c->next);
        cell_ring_take(c);
        cell_ring_release(c);
    }
    return good;
}

TEST(questions_and_answers_between_processes_wake_each_other)
{
    struct ring r;
    struct cell_ring_producer back_p;
    struct cell_ring_consumer back_c;
    ring_open(&r, 0);
    cell_ring_producer_init(&back_p, r.b, r.a_seen);
    cell_ring_consumer_init(&back_c, r.a, r.b_seen);
    pid_t child = fork_child();
    REQUIRE(child >= 0);
    if (child == 0)
        _exit(!exchange(&back_p, &r.c, false));
    CHECK(exchange(&r.p, &back_c, true));
    CHECK(child_succeeded(child));
    ring_close(&r);
}

/* Writes anything anywhere into its own region, as fast as it can, until it is killed. */
static void lie(struct cell_ring_region *region, const struct cell_ring_region *other)
{
    uint32_t seed = 11;
    for (;;) {
        ring_scramble(region, &seed, atomic_load(&other->head) + ring_random(&seed) % 3);
        for (size_t i = 0; i < CELL_RING_INLINE; i++)
            region->slots[ring_random(&seed) % CELL_RING_SLOTS].bytes[i] = (uint8_t)ring_random(&seed);
        cell_ring_bell(region);
    }
}

TEST(a_process_that_lies_at_any_moment_does_no_harm)
{
    struct ring r;
    struct cell_ring_consumer c;
    uint32_t seed = 13, bell, received = 0;
    ring_open(&r, 0);
    cell_ring_consumer_init(&c, r.a, r.b_seen); /* both directions with the same liar */
    pid_t child = fork_child();
    REQUIRE(child >= 0);
    if (child == 0)
        lie(r.b, r.a_seen);
    for (int step = 0; step < 30000 || received < 100; step++) {
        uint32_t data = ring_random_size(&seed);
        int result = ring_send(&r.p, data);
        CHECK(result == 0 || result == CELL_RESOURCE_EXHAUSTED || result == CELL_PROTOCOL_ERROR);
        cell_ring_wake_receiver(&r.p);
        if (cell_ring_sender_begin_sleep(&r.p, data, &bell)) {
            cell_ring_wait(r.p.other, bell, 1000);
            cell_ring_sender_end_sleep(&r.p);
        }
        CHECK(r.p.next - r.p.head <= CELL_RING_SLOTS && r.p.data_used <= CELL_RING_DATA);
        if (cell_ring_peek(&c)) {
            cell_ring_take(&c);
            received++;
        }
        cell_ring_release(&c);
        if (cell_ring_receiver_begin_sleep(&c, CELL_RING_FUTEX, &bell)) {
            cell_ring_wait(c.other, bell, 1000);
            cell_ring_receiver_end_sleep(&c);
        }
    }
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    ring_close(&r);
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

TEST(a_wait_on_a_read_only_mapping_really_sleeps_and_is_really_woken)
{
    struct ring r;
    ring_open(&r, 0);
    uint64_t begin = now_ns();
    cell_ring_wait(r.a_seen, 0, 2000000);
    CHECK(now_ns() - begin >= 2000000);
    pid_t child = fork_child();
    REQUIRE(child >= 0);
    if (child == 0) {
        while (atomic_load(&r.a_seen->bell) == 0)
            cell_ring_wait(r.a_seen, 0, UINT64_MAX);
        _exit(0);
    }
    cell_ring_bell(r.a);
    CHECK(child_succeeded(child));
    cell_ring_wait(r.a_seen, 0, UINT64_MAX); /* was rung already */
    ring_close(&r);
}

struct stopped {
    struct ring r;
    atomic_bool stop, done;
};

static void *wait_until_stopped(void *arg)
{
    struct stopped *s = arg;
    uint32_t bell;
    while (!atomic_load(&s->stop)) {
        if (!cell_ring_receiver_begin_sleep(&s->r.c, CELL_RING_FUTEX, &bell))
            continue;
        if (!atomic_load(&s->stop))
            cell_ring_wait(s->r.c.other, bell, UINT64_MAX);
        cell_ring_receiver_end_sleep(&s->r.c);
    }
    atomic_store(&s->done, true);
    return NULL;
}

TEST(a_waiter_is_stopped_by_a_thread_of_its_process)
{
    for (int i = 0; i < 200; i++) {
        struct stopped s;
        pthread_t thread;
        ring_open(&s.r, 0);
        atomic_init(&s.stop, false);
        atomic_init(&s.done, false);
        REQUIRE(pthread_create(&thread, NULL, wait_until_stopped, &s) == 0);
        for (int wait = i % 8; wait > 0; wait--)
            sched_yield();
        atomic_store(&s.stop, true);
        while (!atomic_load(&s.done)) {
            cell_ring_disturb(s.r.c.other);
            sched_yield();
        }
        pthread_join(thread, NULL);
        CHECK(atomic_load(&s.r.a->bell) == 0);
        ring_close(&s.r);
    }
}
