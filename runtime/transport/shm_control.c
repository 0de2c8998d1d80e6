/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Frames about shared memory, with their descriptors. They are sent in one piece, and so they are received in one. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "transport/shm.h"

/* A peer that sends such frames without end must not keep the receiver from looking at the clock. */
#define MOST_AT_ONCE 64

void cell_shm_attach(struct msghdr *m, struct cell_shm_descriptor *d, int fd)
{
    memset(d, 0, sizeof(*d));
    m->msg_control = d->bytes;
    m->msg_controllen = sizeof(d->bytes);
    struct cmsghdr *h = CMSG_FIRSTHDR(m);
    *h = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(h), &fd, sizeof(fd));
}

size_t cell_shm_put_control(uint8_t *bytes, uint8_t kind, const void *payload, uint32_t len)
{
    const struct cell_frame f = {.kind = kind, .length = len};
    cell_frame_encode(&f, bytes);
    if (len)
        memcpy(bytes + CELL_FRAME_HEADER, payload, len);
    return CELL_FRAME_HEADER + len;
}

int cell_shm_send_control(struct unix_conn *c, uint8_t kind, const void *payload, uint32_t len, int fd,
                          uint64_t deadline_ns, struct cell_error *e)
{
    uint8_t bytes[CELL_FRAME_HEADER + CELL_MAX_CONTROL];
    struct cell_shm_descriptor descriptor;
    struct iovec part = {bytes, cell_shm_put_control(bytes, kind, payload, len)};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd >= 0)
        cell_shm_attach(&m, &descriptor, fd);
    for (;;) {
        ssize_t n = sendmsg(c->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n == (ssize_t)part.iov_len)
            return CELL_OK;
        if (n >= 0)
            return cell_unix_fail(c, EIO, "cannot send a frame in one piece", e);
        if (errno != EAGAIN && errno != EINTR)
            return cell_unix_fail(c, errno, "cannot send", e);
        int r = errno == EAGAIN ? cell_unix_wait_to_send(c, deadline_ns, e) : CELL_OK;
        if (r < 0)
            return r;
    }
}

bool cell_shm_try_control(struct unix_conn *c, uint8_t kind, const void *payload, uint32_t len)
{
    uint8_t bytes[CELL_FRAME_HEADER + CELL_MAX_CONTROL];
    size_t size = cell_shm_put_control(bytes, kind, payload, len);
    return send(c->fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)size;
}

void cell_shm_control_close(struct cell_shm_control *k)
{
    while (k->n_fds)
        close(k->fds[--k->n_fds]);
}

/* Takes over the descriptors that came; those for which there is no room were closed by the kernel. */
static void collect(struct cell_shm_control *k, struct msghdr *m)
{
    for (struct cmsghdr *h = CMSG_FIRSTHDR(m); h; h = CMSG_NXTHDR(m, h)) {
        if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
            continue;
        size_t n = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(h) + i * sizeof(int), sizeof(int));
            if (k->n_fds < CELL_SHM_MAX_FDS)
                k->fds[k->n_fds++] = fd;
            else
                close(fd);
        }
    }
}

static ssize_t receive(struct unix_conn *c, struct cell_shm_control *k, void *bytes, size_t len)
{
    _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(CELL_SHM_MAX_FDS * sizeof(int))];
    struct iovec part = {bytes, len};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    ssize_t n;
    do
        n = recvmsg(c->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n >= 0)
        collect(k, &m);
    return n;
}

static int fail_piece(struct unix_conn *c, struct cell_error *e)
{
    c->broken = true;
    return cell_error_set(e, CELL_PROTOCOL_ERROR, "a frame about shared memory that is not in one piece");
}

int cell_shm_recv_control(struct unix_conn *c, struct cell_shm_control *k, struct cell_error *e)
{
    uint8_t header[CELL_FRAME_HEADER];
    k->n_fds = 0;
    ssize_t n = receive(c, k, header, sizeof(header));
    if (n < 0 && errno == EAGAIN)
        return 0;
    if (n == 0 || (n < 0 && errno == ECONNRESET))
        return 2;
    if (n < 0)
        return cell_unix_fail(c, errno, "cannot receive", e);
    int r = n < CELL_FRAME_HEADER ? fail_piece(c, e)
                                  : cell_frame_decode(header, sizeof(header), c->max_payload, &k->frame, e);
    if (r == 1 && !cell_frame_is_internal(k->frame.kind))
        r = cell_error_set(e, CELL_PROTOCOL_ERROR, "frame of kind %u over the socket of shared memory", k->frame.kind);
    if (r == 1 && k->frame.length && receive(c, k, k->payload, k->frame.length) != (ssize_t)k->frame.length)
        r = fail_piece(c, e);
    if (r < 0) {
        c->broken = true;
        cell_shm_control_close(k);
    }
    return r;
}

static int handle(struct unix_conn *c, struct cell_shm_control *k, struct cell_error *e)
{
    if (k->frame.kind == CELL_FRAME_SHM_BLOB)
        return cell_shm_blob_control(c, k, e);
    if (k->frame.kind == CELL_FRAME_SHM_WAKE && k->n_fds == 0)
        return CELL_OK;
    return cell_error_set(e, CELL_PROTOCOL_ERROR,
                          "frame of kind %u with %d descriptors over the socket of shared memory", k->frame.kind,
                          k->n_fds);
}

int cell_shm_drain(struct unix_conn *c, struct cell_error *e)
{
    struct cell_shm_control k;
    c->shm->told = 0;
    for (int i = 0; i < MOST_AT_ONCE; i++) {
        int r = cell_shm_recv_control(c, &k, e);
        if (r == 2)
            c->shm->hung = true;
        if (r != 1)
            return r == 2 ? 1 : r;
        r = handle(c, &k, e);
        cell_shm_control_close(&k);
        if (r < 0) {
            c->broken = true;
            return r;
        }
    }
    return 0;
}
