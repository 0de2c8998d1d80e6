/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "conformance/conformance.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#include <sanitizer/allocator_interface.h>
#define HAS_ALLOCATOR
#endif
#endif

#include "remove_tree.h"
#include "wire/limits.h"

_Thread_local struct cell_error failure;

static char folder[32];
static pid_t folder_maker;

uint64_t deadline_in(uint64_t ms) { return cell_now_ns() + ms * CELL_NS_PER_MS; }

static void remove_folder(void)
{
    if (folder_maker == getpid())
        remove_tree(folder);
}

static const char *own_folder(void)
{
    if (!folder[0]) {
        strcpy(folder, "conformance-XXXXXX");
        if (!mkdtemp(folder))
            abort();
        folder_maker = getpid();
        atexit(remove_folder);
    }
    return folder;
}

void new_address(char out[ADDRESS_SIZE])
{
    static unsigned n;
    conformance.address(own_folder(), n++, out, ADDRESS_SIZE);
}

void longest_address(char out[ADDRESS_SIZE]) { conformance.longest_address(own_folder(), out, ADDRESS_SIZE); }

int accept_one(struct cell_listener *l, uint32_t max_payload, struct cell_conn **conn)
{
    uint64_t deadline = cell_now_ns() + WAIT_NS;
    for (;;) {
        struct pollfd p = {.fd = T.listener_fd(l), .events = POLLIN};
        int r = T.accept(l, max_payload, conn, &failure);
        if (r != CELL_UNAVAILABLE || cell_now_ns() >= deadline)
            return r;
        poll(&p, 1, 1000);
    }
}

bool join_ends(const char *address, struct cell_listener *l, uint32_t max_payload, struct cell_conn **client,
               struct cell_conn **server)
{
    struct cell_connect_options o = {.deadline_ns = cell_now_ns() + WAIT_NS, .max_payload = max_payload};
    if (T.connect(address, &o, client, &failure) >= 0) {
        if (accept_one(l, max_payload, server) >= 0) {
            if (!conformance.settle || conformance.settle(*client, *server))
                return true;
            cell_conn_close(*server);
            *server = NULL;
        }
        cell_conn_close(*client);
        *client = NULL;
    }
    printf("# no connection: %s\n", failure.text);
    return false;
}

static bool open_listener(struct ends *x)
{
    memset(x, 0, sizeof(*x));
    x->raw = -1;
    new_address(x->address);
    if (T.listen(x->address, -1, &x->listener, &failure) >= 0)
        return true;
    printf("# cannot listen: %s\n", failure.text);
    return false;
}

bool open_ends(struct ends *x, uint32_t max_payload)
{
    return open_listener(x) && join_ends(x->address, x->listener, max_payload, &x->client, &x->server);
}

bool raw_ends(struct ends *x, uint32_t max_payload)
{
    if (!open_listener(x))
        return false;
    x->raw = conformance.raw_connect(x->address);
    return x->raw >= 0 && accept_one(x->listener, max_payload, &x->server) >= 0;
}

void close_ends(struct ends *x)
{
    cell_conn_close(x->client);
    cell_conn_close(x->server);
    T.listener_close(x->listener);
    if (x->raw >= 0)
        close(x->raw);
    x->client = x->server = NULL;
    x->listener = NULL;
    x->raw = -1;
}

static uint8_t byte_at(size_t i, uint32_t seed) { return (uint8_t)((i + seed) * UINT64_C(0x9e3779b97f4a7c15) >> 56); }

void fill_bytes(uint8_t *bytes, size_t len, uint32_t seed)
{
    for (size_t i = 0; i < len; i++)
        bytes[i] = byte_at(i, seed);
}

bool check_bytes(const uint8_t *bytes, size_t len, uint32_t seed)
{
    for (size_t i = 0; i < len; i++)
        if (bytes[i] != byte_at(i, seed))
            return false;
    return true;
}

static struct cell_frame seeded(uint32_t seed, size_t len)
{
    return (struct cell_frame){.kind = CELL_FRAME_CALL,
                               .channel = CELL_CHANNEL_APP,
                               .code = (int32_t)seed,
                               .timeout_ms = ~seed,
                               .id = UINT64_C(0x100000000) + seed,
                               .length = (uint32_t)len,
                               .meta_len = (uint16_t)(len < 100 ? len : 100)};
}

typedef int send_fn(struct cell_conn *c, const struct cell_frame *f, const struct iovec *payload, int n,
                    uint64_t deadline_ns, struct cell_error *e);

static int send_by(send_fn *send, struct cell_conn *c, uint32_t seed, size_t len, uint64_t deadline_ns)
{
    struct cell_frame f = seeded(seed, len);
    uint8_t *bytes = malloc(len + 1);
    if (!bytes)
        abort();
    fill_bytes(bytes, len, seed);
    const struct iovec parts[] = {{bytes, len / 3}, {bytes + len / 3, len - len / 3}};
    int r = send(c, &f, parts, 2, deadline_ns, &failure);
    free(bytes);
    return r;
}

int send_seeded(struct cell_conn *c, uint32_t seed, size_t len, uint64_t deadline_ns)
{
    return send_by(cell_conn_send, c, seed, len, deadline_ns);
}

int send_more_seeded(struct cell_conn *c, uint32_t seed, size_t len, uint64_t deadline_ns)
{
    return send_by(cell_conn_send_more, c, seed, len, deadline_ns);
}

/* The payload as it was sent, in one piece. */
static bool check_payload(const struct cell_received *received, size_t len, uint32_t seed)
{
    size_t meta_len = received->frame.meta_len;
    uint8_t *whole = malloc(len + 1);
    if (!whole)
        abort();
    bool ok = meta_len + received->message_len == len;
    if (ok) {
        memcpy(whole, received->meta, meta_len);
        memcpy(whole + meta_len, received->message, received->message_len);
        ok = check_bytes(whole, len, seed);
    }
    free(whole);
    return ok;
}

int recv_seeded(struct cell_conn *c, uint32_t seed, size_t len, uint64_t deadline_ns)
{
    struct cell_frame want = seeded(seed, len);
    struct cell_received received;
    const struct cell_frame *f = &received.frame;
    int r = cell_conn_recv(c, &received, deadline_ns, &failure);
    if (r < 0)
        return r;
    return !(f->kind == want.kind && f->channel == want.channel && f->code == want.code && f->id == want.id &&
             f->timeout_ms == want.timeout_ms && f->length == want.length && f->meta_len == want.meta_len &&
             check_payload(&received, len, seed));
}

size_t seeded_frame(uint32_t seed, size_t len, uint8_t **bytes)
{
    struct cell_frame f = seeded(seed, len);
    *bytes = malloc(CELL_FRAME_HEADER + len);
    if (!*bytes)
        abort();
    cell_frame_encode(&f, *bytes);
    fill_bytes(*bytes + CELL_FRAME_HEADER, len, seed);
    return CELL_FRAME_HEADER + len;
}

bool write_all(int fd, const void *bytes, size_t len)
{
    for (size_t sent = 0; sent < len;) {
        ssize_t n = send(fd, (const char *)bytes + sent, len - sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        sent += (size_t)n;
    }
    return true;
}

size_t allocated_bytes(void)
{
#ifdef HAS_ALLOCATOR
    return __sanitizer_get_current_allocated_bytes();
#else
    abort(); /* only the tests with a sanitizer ask */
#endif
}
