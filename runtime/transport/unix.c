/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Connections of the Unix socket transport. A frame is sent with one system call and received, when it is not larger
 * than the buffer, with one recv. Deadlines cost no system call of their own in steady state: the timeout for receiving
 * is a power of two of milliseconds and only set when it changes; what is left of a deadline is waited for in ever
 * smaller steps. Sending waits, when it has to, by poll.
 */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "transport/shm.h"

#define FIRST_BUFFER 4096u
/* A buffer larger than this is given back as soon as its frame was taken. */
#define KEPT_BUFFER (256u << 10)
/* For so long a new connection is looked at before its client sleeps: twice what being woken takes at worst. */
#define AWAKE_NS (UINT64_C(100) * 1000)

static const struct cell_conn_ops unix_ops;

int cell_unix_conn_new(int fd, uint32_t max_payload, struct cell_conn **conn, struct cell_error *e)
{
    struct unix_conn *c = calloc(1, sizeof(*c));
    struct ucred cred;
    socklen_t len = sizeof(cred);
    int r = CELL_OK;
    if (!c)
        r = cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    else if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
        r = cell_error_errno(e, CELL_IO_ERROR, errno, "cannot tell who is at the other end");
    if (r < 0) {
        free(c);
        close(fd);
        return r;
    }
    c->fd = fd;
    c->max_payload = max_payload;
    c->peer = (struct cell_peer){cred.uid, cred.gid, cred.pid};
    atomic_init(&c->base.ops, &unix_ops);
    *conn = &c->base;
    return CELL_OK;
}

int cell_unix_fail(struct unix_conn *c, int errnum, const char *what, struct cell_error *e)
{
    c->dead = true;
    if (atomic_load(&c->interrupted))
        return cell_error_set(e, CELL_CANCELLED, "interrupted");
    if (errnum == EPIPE || errnum == ECONNRESET)
        return cell_error_set(e, CELL_UNAVAILABLE, "closed");
    if (errnum == ENOMEM || errnum == ENOBUFS)
        return cell_error_errno(e, CELL_NO_MEMORY, errnum, "%s", what);
    return cell_error_errno(e, CELL_IO_ERROR, errnum, "%s", what);
}

void cell_unix_keep_failure(struct unix_conn *c, const struct cell_error *e)
{
    c->broken = true;
    if (!c->failure)
        c->failure = malloc(sizeof(*c->failure));
    if (c->failure) /* else it is just the end */
        *c->failure = *e;
}

int cell_unix_fail_again(struct unix_conn *c, struct cell_error *e)
{
    struct cell_error *kept = c->failure;
    if (!kept)
        return cell_error_set(e, CELL_UNAVAILABLE, "closed");
    int r = cell_error_set(e, kept->status, "%s", kept->text);
    free(kept);
    c->failure = NULL;
    return r;
}

/* ---- receiving ---- */

static void release_buffer(struct unix_conn *c)
{
    free(c->buffer);
    cell_memory_give(c->base.memory, c->capacity);
    c->buffer = NULL;
    c->capacity = 0;
}

/* What was in the buffer from c->len on is not left in memory: passwords and tokens travel in small frames. For large
 * ones that would cost a noticeable part of the call. */
static void wipe(struct unix_conn *c, size_t end)
{
    if (end > c->len && end <= FIRST_BUFFER)
        explicit_bzero(c->buffer + c->len, end - c->len);
}

/* Forgets the frame that the last recv returned; what came after it moves to the front, so that payloads stay aligned.
 */
static void drop_taken(struct unix_conn *c)
{
    size_t end = c->len;
    if (c->taken == 0)
        return;
    c->len -= c->taken;
    if (c->len)
        memmove(c->buffer, c->buffer + c->taken, c->len);
    wipe(c, end);
    if (c->len == 0 && c->capacity > KEPT_BUFFER)
        release_buffer(c);
    c->taken = 0;
    c->wanted = 0;
}

/* Grows by what has arrived, never by what was announced. */
static int make_room(struct unix_conn *c, struct cell_error *e)
{
    if (c->len < c->capacity)
        return CELL_OK;
    size_t capacity = c->capacity ? 2 * c->capacity : FIRST_BUFFER;
    if (c->wanted > c->len && c->wanted < capacity)
        capacity = c->wanted > FIRST_BUFFER ? c->wanted : FIRST_BUFFER;
    size_t more = capacity - c->capacity;
    if (!cell_memory_take(c->base.memory, more)) {
        c->broken = true; /* the rest of the frame will not be read */
        return cell_memory_fail(c->base.memory, e);
    }
    uint8_t *buffer = realloc(c->buffer, capacity);
    if (!buffer) {
        cell_memory_give(c->base.memory, more);
        c->dead = true;
        return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    }
    c->buffer = buffer;
    c->capacity = capacity;
    return CELL_OK;
}

int cell_unix_fail_end(struct unix_conn *c, struct cell_error *e)
{
    c->dead = true;
    if (atomic_load(&c->interrupted))
        return cell_error_set(e, CELL_CANCELLED, "interrupted");
    return cell_error_set(e, CELL_UNAVAILABLE, c->len ? "closed in the middle of a frame" : "closed");
}

/* Chooses how the next recv waits. Returns its flags, or -1 with errno. */
static int prepare_wait(struct unix_conn *c, uint64_t deadline_ns)
{
    uint32_t ms = 0;
    if (deadline_ns != CELL_NO_DEADLINE) {
        uint64_t now = cell_now_ns();
        if (now >= deadline_ns)
            return MSG_DONTWAIT;
        ms = cell_unix_timeout_step(deadline_ns - now);
    }
    if (ms != c->receive_ms) {
        if (cell_unix_set_timeout(c->fd, SO_RCVTIMEO, ms) < 0)
            return -1;
        c->receive_ms = ms;
    }
    return 0;
}

void cell_unix_drop_buffer(struct unix_conn *c)
{
    size_t end = c->len;
    c->len = c->taken = c->wanted = 0;
    wipe(c, end);
    release_buffer(c);
}

/* Looks for a while without sleeping: whoever has just connected is answered in less time than being woken takes. */
static ssize_t receive_awake(struct unix_conn *c, void *bytes, size_t room, int how)
{
    uint64_t end = cell_now_ns() + AWAKE_NS;
    ssize_t n;
    do {
        n = recv(c->fd, bytes, room, how | MSG_DONTWAIT);
        if (n >= 0 || errno != EAGAIN)
            break;
        sched_yield();
    } while (cell_now_ns() < end && !atomic_load_explicit(&c->interrupted, memory_order_relaxed));
    return n;
}

/* Receives at least one byte, or looks at it with MSG_PEEK. Returns how many. */
static ssize_t receive(struct unix_conn *c, void *bytes, size_t room, int how, uint64_t deadline_ns,
                       struct cell_error *e)
{
    for (;;) {
        int flags = prepare_wait(c, deadline_ns);
        if (flags < 0)
            return cell_unix_fail(c, errno, "cannot set a timeout", e);
        ssize_t n;
        bool awake = c->awake && flags == 0;
        c->awake -= awake;
        n = awake ? receive_awake(c, bytes, room, how) : recv(c->fd, bytes, room, how | flags);
        if (n > 0)
            return n;
        if (n == 0)
            return cell_unix_fail_end(c, e);
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN)
            return cell_unix_fail(c, errno, "cannot receive", e);
        if (flags & MSG_DONTWAIT) {
            if (c->len == 0)
                release_buffer(c); /* an idle connection costs no buffer */
            return cell_error_set(e, CELL_DEADLINE_EXCEEDED, "the deadline passed while receiving");
        }
    }
}

static int fill(struct unix_conn *c, uint64_t deadline_ns, struct cell_error *e)
{
    int r = make_room(c, e);
    if (r < 0)
        return r;
    size_t room = c->capacity - c->len;
    if (c->stage != UNIX_STAGE_NONE) { /* what follows this frame may come with a descriptor */
        size_t end = c->wanted ? c->wanted : CELL_FRAME_HEADER;
        room = room < end - c->len ? room : end - c->len;
    }
    ssize_t n = receive(c, c->buffer + c->len, room, 0, deadline_ns, e);
    if (n < 0)
        return (int)n;
    c->len += (size_t)n;
    return CELL_OK;
}

static uint32_t max_payload(const struct unix_conn *c)
{
    return c->base.max_now && c->base.max_now < c->max_payload ? c->base.max_now : c->max_payload;
}

/* 1 = a whole frame is in the buffer; 0 = more is needed; negative = it is broken. */
static int look(struct unix_conn *c, struct cell_frame *f, struct cell_error *e)
{
    if (c->len == 0 || c->len < c->wanted)
        return 0;
    int r = cell_frame_decode(c->buffer, c->len, max_payload(c), f, e);
    if (r <= 0)
        return r;
    c->wanted = (size_t)CELL_FRAME_HEADER + f->length;
    return c->len >= c->wanted;
}

/* The next frame begins with these bytes: is it one about shared memory, which is sent in one piece? */
static bool is_control(const uint8_t *header, ssize_t n)
{
    return n == CELL_FRAME_HEADER && cell_frame_is_internal(header[9]);
}

/* What follows is no frame of the handshake. An offer comes before the first call: from there on nobody looks for one.
 */
static int go_on(struct unix_conn *c, const uint8_t *header, ssize_t n, struct cell_error *e)
{
    if (c->stage != UNIX_STAGE_EXPECTED)
        return CELL_OK;
    if (!c->insists) {
        if (n == CELL_FRAME_HEADER && header[9] == CELL_FRAME_CALL)
            c->stage = UNIX_STAGE_NONE;
        return CELL_OK;
    }
    c->stage = UNIX_STAGE_NONE;
    c->broken = true;
    return cell_error_set(e, CELL_UNAVAILABLE, "the client offers no shared memory");
}

/* Handles frames of the handshake until one of another kind begins, or the socket has no more to say. */
static int shake_hands(struct unix_conn *c, uint64_t deadline_ns, struct cell_error *e)
{
    uint8_t header[CELL_FRAME_HEADER];
    while (c->stage != UNIX_STAGE_NONE && c->stage != UNIX_STAGE_RING) {
        ssize_t n = receive(c, header, sizeof(header), MSG_PEEK, deadline_ns, e);
        if (n < 0)
            return (int)n;
        if (!is_control(header, n))
            return go_on(c, header, n, e);
        int r = cell_shm_handshake(c, e);
        if (r < 0)
            return r;
    }
    return CELL_OK;
}

static bool is_foreign(const struct unix_conn *c) { return c->shm && cell_shm_is_foreign(c->shm); }

static int unix_recv(struct cell_conn *conn, struct cell_received *received, uint64_t deadline_ns, struct cell_error *e)
{
    struct unix_conn *c = (struct unix_conn *)conn;
    struct cell_frame frame;
    if (atomic_load_explicit(&c->interrupted, memory_order_relaxed)) {
        c->dead = true;
        return cell_error_set(e, CELL_CANCELLED, "interrupted");
    }
    if (c->dead || c->broken || is_foreign(c))
        return cell_unix_fail_again(c, e);
    drop_taken(c);
    for (;;) {
        int r = c->len == 0 ? shake_hands(c, deadline_ns, e) : CELL_OK;
        if (r < 0)
            return r;
        if (c->stage == UNIX_STAGE_RING)
            return cell_shm_ops.recv(conn, received, deadline_ns, e);
        r = look(c, &frame, e);
        if (r > 0 && cell_frame_is_internal(frame.kind))
            r = cell_error_set(e, CELL_PROTOCOL_ERROR, "frame of kind %u, which was not asked for", frame.kind);
        if (r == 0) {
            r = fill(c, deadline_ns, e);
            if (r < 0)
                return r;
        } else if (r > 0) {
            c->taken = c->wanted;
            const uint8_t *payload = c->buffer + CELL_FRAME_HEADER;
            *received = (struct cell_received){frame, payload, payload + frame.meta_len, frame.length - frame.meta_len};
            return CELL_OK;
        } else {
            c->broken = true;
            return r;
        }
    }
}

/* The same as shake_hands, without waiting; what recv will have to say is left for it. */
static void shake_hands_now(struct unix_conn *c)
{
    uint8_t header[CELL_FRAME_HEADER];
    struct cell_error e;
    while (c->stage != UNIX_STAGE_NONE && c->stage != UNIX_STAGE_RING) {
        ssize_t n = recv(c->fd, header, sizeof(header), MSG_PEEK | MSG_DONTWAIT);
        if (!is_control(header, n))
            return;
        if (cell_shm_handshake(c, &e) < 0) {
            cell_unix_keep_failure(c, &e);
            return;
        }
    }
}

static bool unix_readable(struct cell_conn *conn)
{
    struct unix_conn *c = (struct unix_conn *)conn;
    struct pollfd p = {.fd = c->fd, .events = POLLIN | POLLRDHUP};
    struct cell_frame f;
    if (c->dead || c->broken || is_foreign(c) || atomic_load(&c->interrupted))
        return true;
    size_t left = c->len - c->taken;
    if (left) {
        int r = cell_frame_decode(c->buffer + c->taken, left, max_payload(c), &f, NULL);
        if (r < 0 || (r > 0 && left >= (size_t)CELL_FRAME_HEADER + f.length))
            return true;
    } else {
        shake_hands_now(c);
        if (c->stage == UNIX_STAGE_RING)
            return cell_shm_ops.readable(conn);
    }
    return c->dead || c->broken || poll(&p, 1, 0) > 0;
}

static void unix_interrupt(struct cell_conn *conn)
{
    struct unix_conn *c = (struct unix_conn *)conn;
    atomic_store(&c->interrupted, true);
    if (!is_foreign(c))
        shutdown(c->fd, SHUT_RDWR);
}

int cell_unix_fd(const struct cell_conn *c) { return ((const struct unix_conn *)c)->fd; }

void cell_unix_peer(const struct cell_conn *c, struct cell_peer *peer) { *peer = ((const struct unix_conn *)c)->peer; }

/* No shutdown: after a fork the other process's connection must live on. Where shared memory was offered, it does not,
 * and the peer learns of the end although another process may have the socket. */
void cell_unix_close(struct cell_conn *conn)
{
    struct unix_conn *c = (struct unix_conn *)conn;
    if (c->shm && !is_foreign(c))
        shutdown(c->fd, SHUT_RDWR);
    close(c->fd);
    cell_shm_free(c->shm);
    cell_shm_free(c->prepared);
    free(c->failure);
    cell_unix_drop_kept(c);
    cell_unix_drop_buffer(c);
    free(c);
}

static int unix_offer_shm(struct cell_conn *conn, struct cell_error *e)
{
    return cell_shm_offer((struct unix_conn *)conn, false, e);
}

static void unix_prepare_shm(struct cell_conn *conn) { cell_shm_prepare((struct unix_conn *)conn); }

static const struct cell_conn_ops unix_ops = {
    .name = "unix",
    .send = cell_unix_send,
    .send_more = cell_unix_send_more,
    .flush = cell_unix_flush,
    .recv = unix_recv,
    .readable = unix_readable,
    .interrupt = unix_interrupt,
    .fd = cell_unix_fd,
    .peer = cell_unix_peer,
    .close = cell_unix_close,
    .room = cell_unix_room,
    .offer_shm = unix_offer_shm,
    .prepare_shm = unix_prepare_shm,
};

const struct cell_transport cell_transport_unix = {
    .scheme = "unix",
    .connect = cell_unix_connect,
    .listen = cell_unix_listen,
    .accept = cell_unix_accept,
    .listener_fd = cell_unix_listener_fd,
    .listener_close = cell_unix_listener_close,
};
