/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The bare mechanisms that calls are compared with; see driver.h for how it is run. */
#include "baseline.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static void check(long result, const char *what)
{
    if (result < 0)
        bench_die("%s: %s", what, strerror(errno));
}

/* ---- waking each other: both sides sleep ---- */

static void raise_futex(_Atomic uint32_t *word)
{
    atomic_fetch_add(word, 1);
    check(syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0), "futex");
}

static void await_futex(_Atomic uint32_t *word, uint32_t old)
{
    while (atomic_load(word) == old)
        if (syscall(SYS_futex, word, FUTEX_WAIT, old, NULL, NULL, 0) < 0 && errno != EAGAIN && errno != EINTR)
            bench_die("futex: %s", strerror(errno));
}

static void futex_run(void *user, const struct bench_case *c)
{
    (void)c;
    struct shared *s = ((struct baseline *)user)->shared;
    uint32_t old = atomic_load(&s->futex_pong);
    raise_futex(&s->futex_ping);
    await_futex(&s->futex_pong, old);
}

static void futex_peer(struct baseline *b, const struct bench_case *c, uint64_t runs)
{
    (void)c;
    /* Each side raises its word once a round trip, so before a round both are equal, whoever is the first to look. */
    for (uint32_t old = atomic_load(&b->shared->futex_pong); runs > 0; runs--, old++) {
        await_futex(&b->shared->futex_ping, old);
        raise_futex(&b->shared->futex_pong);
    }
}

static void event_run(void *user, const struct bench_case *c)
{
    (void)c;
    struct baseline *b = user;
    uint64_t n = 1;
    check(write(b->ping_event, &n, sizeof n), "eventfd");
    check(read(b->pong_event, &n, sizeof n), "eventfd");
}

static void event_peer(struct baseline *b, const struct bench_case *c, uint64_t runs)
{
    (void)c;
    uint64_t n;
    for (; runs > 0; runs--) {
        check(read(b->ping_event, &n, sizeof n), "eventfd");
        check(write(b->pong_event, &n, sizeof n), "eventfd");
    }
}

/* ---- echo over a stream socket ---- */

static void send_all(int fd, const uint8_t *bytes, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = send(fd, bytes + done, size - done, MSG_NOSIGNAL);
        check(n, "send");
        done += (size_t)n;
    }
}

static void receive_all(int fd, uint8_t *bytes, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = recv(fd, bytes + done, size - done, 0);
        check(n, "recv");
        if (n == 0)
            bench_die("the other side has gone");
        done += (size_t)n;
    }
}

static void stream_run(void *user, const struct bench_case *c)
{
    struct baseline *b = user;
    send_all(b->stream[0], b->from, c->size);
    receive_all(b->stream[0], b->to, c->size);
}

static void stream_peer(struct baseline *b, const struct bench_case *c, uint64_t runs)
{
    for (; runs > 0; runs--) {
        receive_all(b->stream[1], b->to, c->size);
        send_all(b->stream[1], b->to, c->size);
    }
}

/* ---- this process alone ---- */

static void nothing_run(void *user, const struct bench_case *c)
{
    (void)c;
    __asm__ volatile("" : : "r"(user) : "memory");
}

static void copy_run(void *user, const struct bench_case *c)
{
    struct baseline *b = user;
    memcpy(b->to, b->from, c->size);
    __asm__ volatile("" : : "r"(b->to) : "memory");
}

/* ---- the program ---- */

static void begin(void *user, const struct bench_case *c, uint64_t runs);

static const struct bench_case cases[] = {
    {"clock", 1, 0, 0, nothing_run, NULL},
    {"pingpong", 1, 56, 0, pingpong_run, begin},
    {"futex", 1, 0, 0, futex_run, begin},
    {"eventfd", 1, 0, 0, event_run, begin},
    {"stream-64", 1, 64, 0, stream_run, begin},
    {"stream-65536", 1, LARGE_MESSAGE, 0, stream_run, begin},
    {"memcpy-1048576", 1, COPY, 0, copy_run, NULL},
    {"ring-batch-64", 1 << 16, CELL_RING_SLOTS, 64, ring_run, begin},
    {"ring-batch-1", 1 << 16, CELL_RING_SLOTS, 1, ring_run, begin},
    {"ring-4096-batch-64", 1 << 16, LARGE_RING, 64, ring_run, begin},
};
#define NCASES (sizeof cases / sizeof *cases)

static void (*const peers[NCASES])(struct baseline *b, const struct bench_case *c, uint64_t runs) = {
    NULL, pingpong_peer, futex_peer, event_peer, stream_peer, stream_peer, NULL, ring_peer, ring_peer, ring_peer};

struct command {
    uint64_t number, runs; /* of the case; how often it is to be served */
};

static void begin(void *user, const struct bench_case *c, uint64_t runs)
{
    struct baseline *b = user;
    const struct command command = {(uint64_t)(c - cases), runs};
    check(send(b->commands[0], &command, sizeof command, MSG_NOSIGNAL), "send");
}

static void serve(struct bench *bench, void *user)
{
    struct baseline *b = user;
    struct command command;
    close(b->commands[0]);
    close(b->stream[0]);
    bench_ready(bench);
    while (recv(b->commands[1], &command, sizeof command, 0) == sizeof command)
        peers[command.number](b, &cases[command.number], command.runs);
}

static void *map(size_t size, int flags)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        bench_die("mmap: %s", strerror(errno));
    return memset(p, 1, size);
}

int main(int argc, char **argv)
{
    struct bench bench;
    struct baseline b = {.ping_event = eventfd(0, 0), .pong_event = eventfd(0, 0)};
    bench_init(&bench, argc, argv);
    b.shared = memset(map(sizeof *b.shared, MAP_SHARED), 0, sizeof *b.shared);
    b.from = map(COPY, MAP_PRIVATE);
    b.to = map(COPY, MAP_PRIVATE);
    check(b.ping_event, "eventfd");
    check(b.pong_event, "eventfd");
    check(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, b.commands), "socketpair");
    check(socketpair(AF_UNIX, SOCK_STREAM, 0, b.stream), "socketpair");
    bench_start(&bench, serve, &b);
    close(b.commands[1]);
    close(b.stream[1]);
    const struct bench_program program = {.cases = cases, .ncases = NCASES, .user = &b};
    return bench_serve(&bench, &program);
}
