/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Streams through servers that run already, in their own protocols, as many records in a write as fit:
 *
 *     peer-stream redis SOCKET N     a stream: XADD without replies, XREAD of up to 1000 records
 *     peer-stream nats PORT N        a subject on loopback: PUB and MSG
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "stream_run.h"

/* ---- bytes ---- */

struct line {
    int fd;
    size_t from, to;
    char buffer[256 << 10];
};

static struct line *connect_to(const struct sockaddr *address, socklen_t size)
{
    struct line *l = calloc(1, sizeof(*l));

    l->fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (l->fd < 0 || connect(l->fd, address, size) < 0)
        bench_die("connect: %s", strerror(errno));
    return l;
}

static void put(const struct line *l, const void *bytes, size_t n)
{
    const char *at = bytes;

    for (ssize_t done; n > 0; at += done, n -= (size_t)done)
        if ((done = write(l->fd, at, n)) <= 0)
            bench_die("write: %s", strerror(errno));
}

/* At least n bytes; they stay where they are until the next call. */
static char *want(struct line *l, size_t n)
{
    while (l->to - l->from < n) {
        memmove(l->buffer, l->buffer + l->from, l->to - l->from);
        l->to -= l->from;
        l->from = 0;
        ssize_t got = read(l->fd, l->buffer + l->to, sizeof(l->buffer) - l->to);
        if (got <= 0)
            bench_die("read: %s", got < 0 ? strerror(errno) : "the server has left");
        l->to += (size_t)got;
    }
    return l->buffer + l->from;
}

/* A line without its end, as a string. */
static char *want_line(struct line *l)
{
    for (size_t n = 2;; n++) {
        char *text = want(l, n);
        if (text[n - 2] == '\r' && text[n - 1] == '\n') {
            text[n - 2] = '\0';
            l->from += n;
            return text;
        }
    }
}

static void expect(struct line *l, const char *begin)
{
    const char *is = want_line(l);

    if (strncmp(is, begin, strlen(begin)) != 0)
        bench_die("the server says '%s' and not '%s'", is, begin);
}

/* The record's bytes and what follows each. */
static void expect_record(struct line *l, uint64_t number)
{
    uint64_t first;

    memcpy(&first, want(l, RECORD + 2), sizeof(first));
    if (first != number)
        bench_die("record %llu is another one", (unsigned long long)number);
    l->from += RECORD + 2;
}

/* All records, each with what stands before and behind it, in writes of many. */
static void put_records(struct stream_run *s, const struct line *l, int (*before)(char *to, uint64_t i))
{
    static char bytes[64 << 10];
    uint64_t record[RECORD / 8] = {0};
    size_t n = 0;

    for (uint64_t i = 0; i < s->n; i++) {
        stream_wait(s, i);
        record[0] = i;
        n += (size_t)before(bytes + n, i);
        memcpy(bytes + n, record, RECORD);
        memcpy(bytes + n + RECORD, "\r\n", 2);
        n += RECORD + 2;
        if (n > sizeof(bytes) - 1024 || i + 1 == s->n || i % 1000 == 999) {
            put(l, bytes, n);
            n = 0;
        }
    }
}

/* ---- Redis ---- */

static struct line *to_redis(const struct stream_run *s)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(s->where) >= sizeof(address.sun_path))
        bench_die("the path of the socket is too long");
    strcpy(address.sun_path, s->where);
    return connect_to((const struct sockaddr *)&address, sizeof(address));
}

/* Ids are numbers from 1 on, so that the reader knows the last one. */
static int xadd(char *to, uint64_t i)
{
    char id[32];
    int n = snprintf(id, sizeof(id), "%llu-1", (unsigned long long)i + 1);

    return sprintf(to, "*5\r\n$4\r\nXADD\r\n$1\r\ns\r\n$%d\r\n%s\r\n$1\r\nr\r\n$%u\r\n", n, id, RECORD);
}

static void *write_redis(void *user)
{
    static const char quiet[] = "CLIENT REPLY OFF\r\n";
    struct stream_run *s = user;
    struct line *l = to_redis(s);

    stream_pin(0);
    put(l, quiet, sizeof(quiet) - 1);
    pthread_barrier_wait(&s->begin);
    put_records(s, l, xadd);
    return NULL;
}

static void *read_redis(void *user)
{
    struct stream_run *s = user;
    struct line *l = to_redis(s);
    char command[128];

    stream_pin(1);
    pthread_barrier_wait(&s->begin);
    for (uint64_t i = 0; i < s->n;) {
        int n =
            snprintf(command, sizeof(command), "XREAD COUNT 1000 BLOCK 0 STREAMS s %llu-1\r\n", (unsigned long long)i);
        put(l, command, (size_t)n);
        expect(l, "*1"); /* one stream: its name, its records */
        expect(l, "*2");
        expect(l, "$1");
        expect(l, "s");
        for (uint64_t more = strtoull(want_line(l) + 1, NULL, 10); more > 0; more--, i++) {
            expect(l, "*2"); /* a record: its id; names and values */
            expect(l, "$");
            want_line(l);
            expect(l, "*2");
            expect(l, "$1");
            expect(l, "r");
            expect(l, "$64");
            expect_record(l, i);
        }
        atomic_store(&s->read, i);
    }
    return NULL;
}

/* ---- NATS ---- */

static struct line *to_nats(const struct stream_run *s)
{
    static const char hello[] = "CONNECT {\"verbose\":false}\r\n";
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons((uint16_t)strtoul(s->where, NULL, 10)),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct line *l = connect_to((const struct sockaddr *)&address, sizeof(address));
    int one = 1;

    setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    expect(l, "INFO ");
    put(l, hello, sizeof(hello) - 1);
    return l;
}

static int pub(char *to, uint64_t i)
{
    (void)i;
    return sprintf(to, "PUB s %u\r\n", RECORD);
}

static void *write_nats(void *user)
{
    struct stream_run *s = user;
    struct line *l = to_nats(s);

    stream_pin(0);
    pthread_barrier_wait(&s->begin);
    put_records(s, l, pub);
    return NULL;
}

static void *read_nats(void *user)
{
    static const char subscribe[] = "SUB s 1\r\nPING\r\n";
    struct stream_run *s = user;
    struct line *l = to_nats(s);

    stream_pin(1);
    put(l, subscribe, sizeof(subscribe) - 1);
    expect(l, "PONG");
    pthread_barrier_wait(&s->begin);
    for (uint64_t i = 0; i < s->n;) {
        const char *text = want_line(l);
        if (strcmp(text, "PING") == 0) {
            put(l, "PONG\r\n", 6);
        } else if (strncmp(text, "MSG s 1 64", 10) == 0) {
            expect_record(l, i++);
            if (i % 100 == 0 || i == s->n)
                atomic_store(&s->read, i);
        } else {
            bench_die("the server says '%s'", text);
        }
    }
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "redis") == 0)
        return stream_run(write_redis, read_redis, argv[2], argv[3]);
    if (argc == 4 && strcmp(argv[1], "nats") == 0)
        return stream_run(write_nats, read_nats, argv[2], argv[3]);
    fprintf(stderr, "usage: peer-stream redis SOCKET N | nats PORT N\n");
    return 2;
}
