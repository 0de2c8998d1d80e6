/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * How long a side of shared memory spins and sleeps. Time is the test's own here: each look at the clock takes a
 * microsecond, and a sleep as long as it was asked for, at once. So nothing depends on the machine.
 */
#include <dlfcn.h>
#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <time.h>

#include "shm_peer.h"

#define LOOK_NS 1000u
/* Of the tenth of a second within which a death is to be known; a process takes some time to end, too. */
#define KNOWN_WITHIN_NS (50 * CELL_NS_PER_MS)

static uint64_t now_ns = UINT64_C(1000000000000);
static unsigned looks, sleeps;

/* What happens in a sleep; true: it ends at once, as if it was woken. */
static bool (*in_sleep)(void);

int clock_gettime(clockid_t clock, struct timespec *t)
{
    (void)clock;
    looks++;
    now_ns += LOOK_NS;
    *t = (struct timespec){(time_t)(now_ns / 1000000000), (long)(now_ns % 1000000000)};
    return 0;
}

static long sleep_in_futex(const uint32_t *word, uint32_t value, const struct timespec *timeout)
{
    sleeps++;
    bool woken = in_sleep && in_sleep();
    if (__atomic_load_n(word, __ATOMIC_ACQUIRE) != value || woken) {
        errno = EAGAIN;
        return woken ? 0 : -1;
    }
    if (!timeout)
        abort(); /* for ever */
    now_ns += (uint64_t)timeout->tv_sec * 1000000000 + (uint64_t)timeout->tv_nsec;
    errno = ETIMEDOUT;
    return -1;
}

long syscall(long number, ...)
{
    static long (*real)(long, ...);
    long a[6];
    va_list args;
    va_start(args, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(args, long);
    va_end(args);
    if (number == SYS_futex && (int)a[1] == FUTEX_WAIT)
        return sleep_in_futex((const uint32_t *)a[0], (uint32_t)a[2], (const struct timespec *)a[3]);
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "syscall");
    return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* ---- the death of the other side ---- */

static struct peer victim;
static unsigned dies_in_sleep; /* the number of it */
static uint64_t died_ns;

/* Nobody is woken by that: the peer was killed. */
static bool die(void)
{
    if (sleeps == dies_in_sleep) {
        died_ns = now_ns;
        close(victim.fd);
        victim.fd = -1;
    }
    return false;
}

static int receive(void)
{
    struct cell_received r;
    return cell_conn_recv(victim.conn, &r, CELL_NO_DEADLINE, &e);
}

static int send_until(size_t len)
{
    static uint8_t bytes[MAX_PAYLOAD];
    int r = CELL_OK;
    for (uint64_t id = 2; r == CELL_OK; id++) {
        const struct cell_frame f = {.kind = CELL_FRAME_CALL, .id = id, .length = (uint32_t)len};
        const struct iovec part = {bytes, len};
        r = cell_conn_send(victim.conn, &f, &part, 1, CELL_NO_DEADLINE, &e);
    }
    return r;
}
static int send_small(void) { return send_until(8); }
static int send_large(void) { return send_until(3000); }
static int send_largest(void) { return send_until(MAX_PAYLOAD); }

/* Fills the ring without waiting, then waits for room. */
static int wait_for_room(bool in)
{
    static uint8_t bytes[4096];
    const struct iovec part = {bytes, sizeof(bytes)};
    int r;
    for (uint64_t id = 2; (r = cell_conn_room(victim.conn, sizeof(bytes), in, 0, &e)) == 1; id++) {
        const struct cell_frame f = {.kind = CELL_FRAME_CALL, .id = id, .length = sizeof(bytes)};
        CHECK(cell_conn_send(victim.conn, &f, &part, 1, 0, &e) == CELL_OK);
    }
    CHECK(r == CELL_DEADLINE_EXCEEDED);
    r = cell_conn_room(victim.conn, sizeof(bytes), in, CELL_NO_DEADLINE, &e);
    return r == 0 ? receive() : r; /* what is there is the end */
}
static int wait_to_send(void) { return wait_for_room(false); }
static int wait_for_either(void) { return wait_for_room(true); }

/* Whatever this side waits for and however long it has: it knows soon that the other one was killed. */
CLEAN_TEST(the_death_of_a_peer_that_wakes_nobody_is_known_in_time)
{
    static int (*const waits[])(void) = {receive, send_small, send_large, send_largest, wait_to_send, wait_for_either};
    for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++)
        for (unsigned when = 1; when <= 20; when++) {
            REQUIRE(peer_upgraded(&victim));
            sleeps = 0;
            dies_in_sleep = when;
            died_ns = 0;
            in_sleep = die;
            CHECK(waits[i]() == CELL_UNAVAILABLE);
            CHECK(died_ns != 0 && now_ns - died_ns <= KNOWN_WITHIN_NS);
            in_sleep = NULL;
            peer_close(&victim);
        }
}

/* ---- spinning ---- */

/* Waits for nothing, for a millisecond. Returns the looks at the clock: one each microsecond of spinning. */
static unsigned wait_in_vain(void)
{
    struct cell_received r;
    uint64_t deadline = now_ns + CELL_NS_PER_MS;
    unsigned before = looks;
    CHECK(cell_conn_recv(victim.conn, &r, deadline, &e) == CELL_DEADLINE_EXCEEDED);
    return looks - before;
}

static unsigned answers;
static bool answer_soon(void)
{
    const struct cell_frame f = {.kind = CELL_FRAME_REPLY, .id = ++answers};
    cell_shm_slot_write_full(peer_slot(&victim), &f, CELL_SHM_IN_SLOT, 0);
    peer_commit(&victim);
    now_ns += 5000;
    return true;
}

static void be_answered(unsigned n)
{
    struct cell_received r;
    in_sleep = answer_soon;
    for (unsigned i = 0; i < n; i++)
        CHECK(cell_conn_recv(victim.conn, &r, CELL_NO_DEADLINE, &e) == CELL_OK);
    in_sleep = NULL;
}

/* As long as answers come soon a wait is spun for, a tenth of a millisecond at the most; whom the machine, or the peer,
 * lets wait longer than that leaves the CPU to others, and comes back to spinning when answers come soon again. */
CLEAN_TEST(spinning_follows_how_long_the_last_waits_took)
{
    cpu_set_t allowed;
    REQUIRE(sched_getaffinity(0, sizeof(allowed), &allowed) == 0);
    if (CPU_COUNT(&allowed) == 1)
        return; /* it never spins here */
    REQUIRE(peer_upgraded(&victim));
    be_answered(20);
    unsigned spun = wait_in_vain();
    CHECK(spun >= 10 && spun <= 120);
    for (int i = 0; i < 10; i++)
        wait_in_vain();
    spun = wait_in_vain();
    CHECK(spun < 8);
    be_answered(1); /* one is not enough */
    CHECK(wait_in_vain() < 8);
    be_answered(20);
    spun = wait_in_vain();
    CHECK(spun >= 10 && spun <= 120);
    peer_close(&victim);
}

/* A wait that was spun for is never longer than its deadline. */
CLEAN_TEST(spinning_ends_with_the_deadline)
{
    struct cell_received r;
    REQUIRE(peer_upgraded(&victim));
    be_answered(20);
    for (uint64_t us = 0; us < 20; us++) {
        uint64_t deadline = now_ns + us * 1000;
        CHECK(cell_conn_recv(victim.conn, &r, deadline, &e) == CELL_DEADLINE_EXCEEDED);
        CHECK(now_ns <= deadline + 5 * LOOK_NS);
    }
    peer_close(&victim);
}

/* On the only CPU of both, every microsecond of spinning is one in which the peer cannot answer. */
CLEAN_TEST(who_shares_its_only_cpu_sleeps_at_once)
{
    REQUIRE(peer_upgraded(&victim));
    ((struct unix_conn *)victim.conn)->shm->may_spin = false;
    be_answered(20);
    sleeps = 0;
    CHECK(wait_in_vain() < 8 && sleeps == 1);
    peer_close(&victim);
}
