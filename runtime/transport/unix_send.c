/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Sending over the Unix socket, and keeping back what more frames follow. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "transport/shm.h"

#define MAX_PARTS 16
/* A frame up to this size is put together before it is sent: send is cheaper than sendmsg by more than the copy. */
#define SMALL_FRAME 512u
/* Frames that are kept back, together. */
#define KEPT_FRAMES (16u << 10)

/* Drops what was sent from the front of the parts. */
static void advance(struct iovec **parts, int *n, size_t sent)
{
    while (*n > 0 && sent >= (*parts)->iov_len) {
        sent -= (*parts)->iov_len;
        ++*parts;
        --*n;
    }
    if (*n > 0) {
        (*parts)->iov_base = (char *)(*parts)->iov_base + sent;
        (*parts)->iov_len -= sent;
    }
}

int cell_unix_wait_to_send(struct unix_conn *c, uint64_t deadline_ns, struct cell_error *e)
{
    struct pollfd p = {.fd = c->fd, .events = POLLOUT};
    struct timespec left;
    bool limited = deadline_ns != CELL_NO_DEADLINE;
    if (limited) {
        uint64_t now = cell_now_ns();
        if (now >= deadline_ns) {
            c->dead = true;
            return cell_error_set(e, CELL_DEADLINE_EXCEEDED, "the deadline passed while sending");
        }
        left = cell_unix_timespec(deadline_ns - now);
    }
    if (ppoll(&p, 1, limited ? &left : NULL, NULL) < 0 && errno != EINTR)
        return cell_unix_fail(c, errno, "cannot wait to send", e);
    return CELL_OK;
}

static int send_parts(struct unix_conn *c, struct iovec *parts, int n, uint64_t deadline_ns, struct cell_error *e)
{
    struct cell_shm_descriptor descriptor;
    while (n > 0) {
        struct msghdr m = {.msg_iov = parts, .msg_iovlen = (size_t)n};
        if (c->kept_offer)
            cell_shm_attach(&m, &descriptor, c->shm->own_fd);
        ssize_t sent = sendmsg(c->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent >= 0 && c->kept_offer)
            cell_shm_offered(c);
        if (sent >= 0)
            advance(&parts, &n, (size_t)sent);
        else if (errno != EAGAIN && errno != EINTR)
            return cell_unix_fail(c, errno, "cannot send", e);
        int r =
            n ? cell_unix_wait_to_send(c, deadline_ns, e) : CELL_OK; /* nearly never: then the clock is not needed */
        if (r < 0)
            return r;
    }
    return CELL_OK;
}

/* One attempt that does not wait; what it could not send, if anything, stays in the parts. */
static void send_small(struct unix_conn *c, struct iovec **parts, int *n)
{
    uint8_t whole[CELL_FRAME_HEADER + SMALL_FRAME];
    size_t len = 0;
    for (int i = 0; i < *n; i++)
        if ((*parts)[i].iov_len) {
            memcpy(whole + len, (*parts)[i].iov_base, (*parts)[i].iov_len);
            len += (*parts)[i].iov_len;
        }
    ssize_t sent = send(c->fd, whole, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0)
        advance(parts, n, (size_t)sent);
}

int cell_unix_check_parts(const struct cell_frame *f, const struct iovec *payload, int n, struct cell_error *e)
{
    size_t total = 0;
    if (n < 0 || n > MAX_PARTS)
        return cell_error_set(e, CELL_INVALID_ARGUMENT, "a frame of %d parts; the limit is %d", n, MAX_PARTS);
    for (int i = 0; i < n; i++)
        total += payload[i].iov_len;
    if (total != f->length)
        return cell_error_set(e, CELL_INVALID_ARGUMENT, "a frame of %zu bytes that says it has %u", total, f->length);
    return CELL_OK;
}

/* Passwords and tokens travel in small frames. */
void cell_unix_drop_kept(struct unix_conn *c)
{
    if (c->kept)
        explicit_bzero(c->kept, c->kept_len);
    free(c->kept);
    c->kept = NULL;
    c->kept_len = 0;
    c->kept_offer = false;
}

bool cell_unix_keep_offer(struct unix_conn *c, const uint8_t *bytes, size_t len)
{
    if (c->kept) /* it has to be the first */
        return false;
    c->kept = malloc(KEPT_FRAMES);
    if (!c->kept)
        return false;
    memcpy(c->kept, bytes, len);
    c->kept_len = len;
    c->kept_offer = true;
    return true;
}

int cell_unix_send_kept(struct unix_conn *c, uint64_t deadline_ns, struct cell_error *e)
{
    struct iovec all = {c->kept, c->kept_len};
    int r = send_parts(c, &all, c->kept != NULL, deadline_ns, e);
    cell_unix_drop_kept(c);
    return r;
}

/* Whether the frame can be sent over the socket. */
static int check_send(struct unix_conn *c, unsigned out, const struct cell_frame *f, const struct iovec *payload, int n,
                      struct cell_error *e)
{
    if (c->dead || (out == UNIX_OUT_OFFERED && cell_shm_is_foreign(c->shm)))
        return cell_error_set(e, CELL_UNAVAILABLE, "closed");
    return cell_unix_check_parts(f, payload, n, e);
}

int cell_unix_send(struct cell_conn *conn, const struct cell_frame *f, const struct iovec *payload, int n,
                   uint64_t deadline_ns, struct cell_error *e)
{
    struct unix_conn *c = (struct unix_conn *)conn;
    uint8_t header[CELL_FRAME_HEADER];
    struct iovec parts[MAX_PARTS + 2] = {{c->kept, c->kept_len}, {header, sizeof(header)}};
    unsigned out = atomic_load_explicit(&c->out, memory_order_acquire);
    if (out > UNIX_OUT_OFFERED)
        return cell_shm_ops.send(conn, f, payload, n, deadline_ns, e);
    int r = check_send(c, out, f, payload, n, e);
    if (r < 0)
        return r;
    for (int i = 0; i < n; i++)
        parts[i + 2] = payload[i];
    cell_frame_encode(f, header);
    struct iovec *left = parts + !c->kept;
    n += 1 + (c->kept != NULL);
    if (f->length <= SMALL_FRAME && !c->kept)
        send_small(c, &left, &n);
    r = send_parts(c, left, n, deadline_ns, e);
    if (c->kept)
        cell_unix_drop_kept(c);
    return r;
}

int cell_unix_send_more(struct cell_conn *conn, const struct cell_frame *f, const struct iovec *payload, int n,
                        uint64_t deadline_ns, struct cell_error *e)
{
    struct unix_conn *c = (struct unix_conn *)conn;
    unsigned out = atomic_load_explicit(&c->out, memory_order_acquire);
    if (out > UNIX_OUT_OFFERED)
        return cell_shm_ops.send_more(conn, f, payload, n, deadline_ns, e);
    int r = check_send(c, out, f, payload, n, e);
    if (r < 0)
        return r;
    bool fits = (size_t)CELL_FRAME_HEADER + f->length <= KEPT_FRAMES - c->kept_len;
    if (fits && !c->kept)
        c->kept = malloc(KEPT_FRAMES);
    if (!fits || !c->kept)
        return cell_unix_send(conn, f, payload, n, deadline_ns, e);
    cell_frame_encode(f, c->kept + c->kept_len);
    c->kept_len += CELL_FRAME_HEADER;
    for (int i = 0; i < n; i++)
        if (payload[i].iov_len) {
            memcpy(c->kept + c->kept_len, payload[i].iov_base, payload[i].iov_len);
            c->kept_len += payload[i].iov_len;
        }
    return CELL_OK;
}

int cell_unix_flush(struct cell_conn *conn, uint64_t deadline_ns, struct cell_error *e)
{
    struct unix_conn *c = (struct unix_conn *)conn;
    unsigned out = atomic_load_explicit(&c->out, memory_order_acquire);
    if (out > UNIX_OUT_OFFERED)
        return cell_shm_ops.flush(conn, deadline_ns, e);
    if (c->dead || (out == UNIX_OUT_OFFERED && cell_shm_is_foreign(c->shm)))
        return cell_error_set(e, CELL_UNAVAILABLE, "closed");
    return cell_unix_send_kept(c, deadline_ns, e);
}
