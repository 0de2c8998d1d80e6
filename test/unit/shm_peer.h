/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* One end of a connection is the code under test, the other is spoken by hand, byte for byte. */
#ifndef CELL_TEST_SHM_PEER_H
#define CELL_TEST_SHM_PEER_H

#include "test.h"
#include "process_state.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "transport/shm.h"

#define REGION sizeof(struct cell_ring_region)
#define MAX_PAYLOAD (1u << 20)
#define PEER_UNUSED __attribute__((unused))

static struct cell_error e;
/* What the code under test may take, from peer_open on; NULL = no limit. */
static struct cell_memory *peer_memory;

/* The side that is spoken by hand. */
struct peer {
    int fd;                              /* its end of the socket */
    struct cell_ring_region *own;        /* its region, which it may write to as it likes */
    const struct cell_ring_region *seen; /* the region of the code under test */
    int memory;                          /* own's */
    uint32_t next;                       /* the message that it will commit next */
    uint8_t token[CELL_SHM_TOKEN];
    struct cell_conn *conn; /* the code under test */
};

/* A test that leaves no descriptor and no mapping behind. */
#define CLEAN_TEST(id)                                                                                                 \
    static void clean_##id(void);                                                                                      \
    TEST(id)                                                                                                           \
    {                                                                                                                  \
        unsigned fds = open_descriptors(), maps = shared_mappings();                                                   \
        clean_##id();                                                                                                  \
        CHECK(open_descriptors() == fds);                                                                              \
        CHECK(shared_mappings() == maps);                                                                              \
    }                                                                                                                  \
    static void clean_##id(void)

/* Sends a frame of the kind with `n` descriptors. */
static bool peer_send(struct peer *p, uint8_t kind, const void *payload, uint32_t len, const int *fds, int n)
{
    const struct cell_frame f = {.kind = kind, .length = len};
    uint8_t header[CELL_FRAME_HEADER];
    _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(16 * sizeof(int))] = {0};
    struct iovec parts[2] = {{header, sizeof(header)}, {(void *)(uintptr_t)payload, len}};
    struct msghdr m = {.msg_iov = parts, .msg_iovlen = 2};
    cell_frame_encode(&f, header);
    if (n) {
        m.msg_control = control;
        m.msg_controllen = CMSG_SPACE((size_t)n * sizeof(int));
        struct cmsghdr *h = CMSG_FIRSTHDR(&m);
        h->cmsg_len = CMSG_LEN((size_t)n * sizeof(int));
        h->cmsg_level = SOL_SOCKET;
        h->cmsg_type = SCM_RIGHTS;
        memcpy(CMSG_DATA(h), fds, (size_t)n * sizeof(int));
    }
    return sendmsg(p->fd, &m, MSG_NOSIGNAL) == (ssize_t)(sizeof(header) + len);
}

/* Receives a frame of the kind. *fd is the descriptor that came with it, or -1. */
static bool peer_recv(struct peer *p, uint8_t kind, void *payload, uint32_t len, int *fd)
{
    struct cell_frame f;
    uint8_t header[CELL_FRAME_HEADER];
    _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(int))];
    struct iovec part = {header, sizeof(header)};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    if (recvmsg(p->fd, &m, MSG_WAITALL | MSG_CMSG_CLOEXEC) != (ssize_t)sizeof(header))
        return false;
    struct cmsghdr *h = CMSG_FIRSTHDR(&m);
    *fd = -1;
    if (h)
        memcpy(fd, CMSG_DATA(h), sizeof(int));
    return cell_frame_decode(header, sizeof(header), MAX_PAYLOAD, &f, &e) == 1 && f.kind == kind && f.length == len &&
           (len == 0 || recv(p->fd, payload, len, MSG_WAITALL) == (ssize_t)len);
}

/* The two ends of a socket; `stage` is what the code under test expects. */
static bool peer_open(struct peer *p, enum unix_stage stage)
{
    int ends[2];
    void *own = NULL;
    memset(p, 0, sizeof(*p));
    p->memory = p->fd = -1;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        return false;
    p->fd = ends[1];
    if (cell_unix_conn_new(ends[0], MAX_PAYLOAD, &p->conn, &e) < 0)
        return false;
    ((struct unix_conn *)p->conn)->stage = (uint8_t)stage;
    p->conn->memory = peer_memory;
    if (cell_shm_memory_new(REGION, &own, &p->memory, &e) < 0)
        return false;
    p->own = own;
    return true;
}

static void peer_close(struct peer *p)
{
    cell_conn_close(p->conn);
    cell_shm_memory_unmap(p->own, REGION);
    if (p->seen)
        munmap((void *)(uintptr_t)p->seen, REGION);
    if (p->fd >= 0)
        close(p->fd);
    if (p->memory >= 0)
        close(p->memory);
    p->conn = NULL;
}

struct open_payload {
    uint32_t version, region, max_payload, reserved;
};
struct accept_payload {
    int32_t status;
    uint32_t max_payload;
    uint8_t token[CELL_SHM_TOKEN];
};
static const struct open_payload good_open = {CELL_SHM_VERSION, REGION, MAX_PAYLOAD, 0};

static int send_one(struct peer *p, uint64_t id, size_t len)
{
    static uint8_t bytes[MAX_PAYLOAD];
    const struct cell_frame f = {.kind = CELL_FRAME_CALL, .id = id, .length = (uint32_t)len};
    const struct iovec part = {bytes, len};
    return cell_conn_send(p->conn, &f, &part, 1, cell_now_ns() + 60000 * CELL_NS_PER_MS, &e);
}

static int recv_now(struct peer *p)
{
    struct cell_received r;
    return cell_conn_recv(p->conn, &r, 0, &e);
}

/* The code under test is the server, and its answer is here: 0, or the status with which it declined. */
static int peer_offer(struct peer *p, const void *payload, uint32_t len, const int *fds, int n)
{
    struct accept_payload a = {.status = 1};
    int fd = -1;
    CHECK(peer_send(p, CELL_FRAME_SHM_OPEN, payload, len, fds, n));
    CHECK(recv_now(p) == CELL_DEADLINE_EXCEEDED);
    CHECK(send_one(p, 1, 8) == CELL_OK);
    CHECK(peer_recv(p, CELL_FRAME_SHM_ACCEPT, &a, sizeof(a), &fd));
    CHECK((a.status == 0) == (fd >= 0));
    if (fd >= 0) {
        const void *m = NULL;
        CHECK(cell_shm_memory_map(fd, REGION, geteuid(), &m, &e) == CELL_OK);
        p->seen = m;
        memcpy(p->token, a.token, sizeof(a.token));
        close(fd);
    }
    return a.status;
}

/* The code under test is a server that works over shared memory. */
PEER_UNUSED static bool peer_upgraded(struct peer *p)
{
    if (!peer_open(p, UNIX_STAGE_EXPECTED))
        return false;
    int r = peer_offer(p, &good_open, sizeof(good_open), &p->memory, 1);
    return r == 0 && peer_send(p, CELL_FRAME_SHM_READY, p->token, sizeof(p->token), NULL, 0) &&
           recv_now(p) == CELL_DEADLINE_EXCEEDED && strcmp(cell_conn_ops(p->conn)->name, "shm") == 0;
}

/* Makes what is in the next slot of the peer's ring a message. */
PEER_UNUSED static void peer_commit(struct peer *p)
{
    p->next++;
    atomic_store(&p->own->slots[(p->next - 1) % CELL_RING_SLOTS].commit, p->next);
}

PEER_UNUSED static uint8_t *peer_slot(struct peer *p) { return p->own->slots[p->next % CELL_RING_SLOTS].bytes; }

#endif
