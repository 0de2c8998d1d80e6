/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What a batch is for: many frames cost one system call or none. Counted, over the socket and in the ring. */
#include <linux/futex.h>
#include <sys/syscall.h>

#include "shm_peer.h"

#define MANY 40u

static unsigned sends;

ssize_t send(int fd, const void *bytes, size_t len, int flags)
{
    sends++;
    return syscall(SYS_sendto, fd, bytes, len, flags, NULL, 0);
}

ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
    sends++;
    return syscall(SYS_sendmsg, fd, m, flags);
}

static int keep_one(struct peer *p, uint64_t id, size_t len)
{
    static const uint8_t bytes[1024];
    const struct cell_frame f = {.kind = CELL_FRAME_CALL, .id = id, .length = (uint32_t)len};
    const struct iovec part = {(void *)(uintptr_t)bytes, len};
    return cell_conn_send_more(p->conn, &f, &part, 1, cell_now_ns() + 60000 * CELL_NS_PER_MS, &e);
}

static int flush(struct peer *p) { return cell_conn_flush(p->conn, 0, &e); }

/* Every look of the sender finds another sleep of the receiver, as if it slept again after each frame. */
static uint32_t bell(const struct peer *p) { return atomic_load(&p->seen->bell); }

static void sleep_again(struct peer *p, enum cell_ring_sleep how)
{
    uint32_t count = atomic_load(&p->own->receiver_sleeps) >> 2;
    atomic_store(&p->own->receiver_sleeps, ((count + 1) << 2) | how);
}

CLEAN_TEST(a_receiver_that_sleeps_is_woken_once_for_all_frames_of_a_batch)
{
    for (int how = CELL_RING_FUTEX; how <= CELL_RING_POLL; how++) {
        struct peer p;
        REQUIRE(peer_upgraded(&p));
        uint32_t rung = bell(&p);
        sends = 0;
        for (uint32_t i = 0; i < MANY; i++) {
            sleep_again(&p, (enum cell_ring_sleep)how);
            CHECK(keep_one(&p, i + 2, 64) == CELL_OK);
            CHECK(atomic_load(&p.seen->slots[i + 1].commit) == i + 2); /* there for one that is awake */
        }
        CHECK(sends == 0 && bell(&p) == rung);
        CHECK(flush(&p) == CELL_OK);
        CHECK(sends == (how == CELL_RING_POLL) && bell(&p) == rung + (how == CELL_RING_FUTEX));
        CHECK(flush(&p) == CELL_OK); /* nothing was kept back since */
        sleep_again(&p, (enum cell_ring_sleep)how);
        CHECK(flush(&p) == CELL_OK);
        CHECK(sends == (how == CELL_RING_POLL) && bell(&p) == rung + (how == CELL_RING_FUTEX));
        CHECK(keep_one(&p, 100, 64) == CELL_OK);
        CHECK(send_one(&p, 101, 64) == CELL_OK); /* as good as a flush */
        CHECK(sends == 2 * (how == CELL_RING_POLL) && bell(&p) == rung + 2 * (how == CELL_RING_FUTEX));
        CHECK(flush(&p) == CELL_OK);
        CHECK(sends == 2 * (how == CELL_RING_POLL) && bell(&p) == rung + 2 * (how == CELL_RING_FUTEX));
        peer_close(&p);
    }
}

/* A full ring: whoever sleeps has to hear of what is in it, or it will never have room. */
CLEAN_TEST(a_sender_without_room_wakes_the_receiver_that_it_waits_for)
{
    struct peer p;
    int r = CELL_OK;
    REQUIRE(peer_upgraded(&p));
    uint32_t rung = bell(&p), sent = 0;
    sleep_again(&p, CELL_RING_FUTEX);
    for (; r == CELL_OK && sent < CELL_RING_SLOTS; sent += r == CELL_OK) {
        const struct cell_frame f = {.kind = CELL_FRAME_CALL, .id = sent + 2};
        r = cell_conn_send_more(p.conn, &f, NULL, 0, 0, &e);
    }
    CHECK(r == CELL_DEADLINE_EXCEEDED && sent == CELL_RING_SLOTS - 1); /* one is there from the handshake */
    CHECK(bell(&p) == rung + 1);
    peer_close(&p);
}

CLEAN_TEST(a_socket_gets_all_frames_of_a_batch_with_one_call)
{
    struct peer p;
    uint8_t bytes[MANY * (CELL_FRAME_HEADER + 64)];
    struct cell_frame f;
    REQUIRE(peer_open(&p, UNIX_STAGE_NONE));
    sends = 0;
    for (uint32_t i = 0; i < MANY; i++)
        CHECK(keep_one(&p, i + 1, 64) == CELL_OK);
    CHECK(sends == 0);
    CHECK(flush(&p) == CELL_OK);
    CHECK(sends == 1);
    CHECK(recv(p.fd, bytes, sizeof(bytes), MSG_DONTWAIT) == (ssize_t)sizeof(bytes));
    for (uint32_t i = 0; i < MANY; i++)
        CHECK(cell_frame_decode(bytes + i * (CELL_FRAME_HEADER + 64), CELL_FRAME_HEADER, 64, &f, &e) == 1 &&
              f.id == i + 1 && f.length == 64);
    CHECK(keep_one(&p, 100, 64) == CELL_OK);
    CHECK(send_one(&p, 101, 64) == CELL_OK); /* with what was kept back */
    CHECK(sends == 2);
    CHECK(recv(p.fd, bytes, sizeof(bytes), MSG_DONTWAIT) == 2 * (CELL_FRAME_HEADER + 64));
    peer_close(&p);
}

/* What is kept back is bounded, and so is the number of calls for much of it. */
CLEAN_TEST(a_socket_gets_a_long_batch_in_pieces)
{
    enum { N = 100 };
    struct peer p;
    uint8_t bytes[4096];
    size_t got = 0;
    REQUIRE(peer_open(&p, UNIX_STAGE_NONE));
    sends = 0;
    for (uint32_t i = 0; i < N; i++)
        CHECK(keep_one(&p, i + 1, 1024) == CELL_OK);
    CHECK(sends >= 2 && sends <= N / 10);
    CHECK(flush(&p) == CELL_OK);
    for (ssize_t n; (n = recv(p.fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0;)
        got += (size_t)n;
    CHECK(got == N * (CELL_FRAME_HEADER + 1024));
    peer_close(&p);
}
