/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The server's life. Who does what:
 *   server_run.c      the poller: accepts, watches idle connections, ends handshakes that take too long, drains
 *   server_threads.c  threads that serve connections, and the lists they share
 *   server_callers.c  users and their processes: what they may have, and whose turn it is
 *   server_gate.c     how many handlers run at once, and whose
 *   server_conn.c     a connection's frames; server_hello.c its handshake
 *   server_stream.c   records of a call's stream, while its handler runs
 *   server_answer.c   a request of the app channel; server_ops.c and server_compile.c those of the others
 *   server_identity.c the cell's key, and the signature of its schema
 *   server_https.c    listening for other hosts; server_https_access.c whom it lets in, server_https_request.c what
 * they may ask, server_https_call.c calls server_consumers.c what is known of the programs that use the cell
 *   server_schema.c   what is provided
 *   server_match.c    what clients of other schemas may call
 *   server_bound.c    methods that clients bring with them
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "server_parts.h"

#define MOST_CONNECTIONS 16384u
#define LEAST_CONNECTIONS 16u
#define DEFAULT_THREADS 16u
#define DEFAULT_DRAIN_MS 10000u
#define DEFAULT_STREAMS 256u
#define LEAST_MESSAGE 64u
/* In messages of the largest size. */
#define DEFAULT_MEMORY 16u
#define LEAST_MEMORY 2u
/* Threads that wait for the next call of their connection, for each processor; and those for what is no call. */
#define PARKED_PER_CPU 4u
#define LEAST_PARKED 16u
#define SPARE_THREADS 4u

/* A quarter of the descriptors is left for what the cell itself opens. */
static uint32_t default_connections(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur / 4 * 3 > MOST_CONNECTIONS)
        return MOST_CONNECTIONS;
    uint32_t n = (uint32_t)(limit.rlim_cur / 4 * 3);
    return n < LEAST_CONNECTIONS ? LEAST_CONNECTIONS : n;
}

static uint64_t memory_limit(uint64_t wanted, uint32_t max_message)
{
    uint64_t largest = max_message > CELL_MAX_COMPILE_REPLY ? max_message : CELL_MAX_COMPILE_REPLY;
    uint64_t least = LEAST_MEMORY * largest;
    return wanted == 0 ? DEFAULT_MEMORY * largest : wanted < least ? least : wanted;
}

static void set_defaults(struct cell_server_options *o)
{
    if (o->max_connections == 0)
        o->max_connections = default_connections();
    if (o->max_threads == 0)
        o->max_threads = DEFAULT_THREADS;
    if (o->max_threads > GATE_MAX_LIMIT)
        o->max_threads = GATE_MAX_LIMIT;
    if (o->max_message == 0 || o->max_message > CELL_MAX_MESSAGE)
        o->max_message = CELL_MAX_MESSAGE;
    if (o->max_message < LEAST_MESSAGE)
        o->max_message = LEAST_MESSAGE;
    o->max_bytes_per_uid = memory_limit(o->max_bytes_per_uid, o->max_message);
    if (o->max_streams == 0)
        o->max_streams = DEFAULT_STREAMS;
    if (o->drain_ms == 0)
        o->drain_ms = DEFAULT_DRAIN_MS;
}

static struct cell_server *new_server(const struct cell_server_options *options)
{
    pthread_condattr_t attr;
    struct cell_server *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    if (options)
        s->options = *options;
    set_defaults(&s->options);
    s->epoll_fd = -1;
    s->started_ns = cell_now_ns();
    s->ready_last = &s->ready_first;
    s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    s->halt_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->wake_fd < 0 || s->halt_fd < 0) {
        if (s->wake_fd >= 0)
            close(s->wake_fd);
        free(s);
        return NULL;
    }
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    s->max_parked = PARKED_PER_CPU * (cpus > 0 && cpus < GATE_MAX_LIMIT ? (uint32_t)cpus : 1);
    s->processors = cpus > 0 ? (uint32_t)cpus : 1;
    if (s->max_parked < LEAST_PARKED)
        s->max_parked = LEAST_PARKED;
    s->max_served = s->options.max_threads + s->max_parked + SPARE_THREADS;
    cell_gate_init(&s->gate, s->options.max_threads);
    pthread_mutex_init(&s->lock, NULL);
    pthread_mutex_init(&s->crowd.lock, NULL);
    s->crowd.epoll_fd = -1;
    pthread_mutex_init(&s->matches.lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->work, &attr);
    pthread_condattr_destroy(&attr);
    return s;
}

int cell_server_new_from(const struct cell_provided *provided, const struct cell_server_options *options,
                         struct cell_server **server)
{
    if (!provided || !server)
        return CELL_INVALID_ARGUMENT;
    struct cell_server *s = new_server(options);
    if (!s)
        return CELL_NO_MEMORY;
    int r = cell_server_take_schema(s, provided);
    if (r >= 0)
        r = cell_server_open_identity(s);
    s->usable = r >= 0;
    for (uint32_t i = 0; s->usable && i < s->schema->nmethods; i++)
        s->has_streams |= s->methods[i]->stream != NULL;
    *server = s;
    return r;
}

void cell_server_delete(struct cell_server *s)
{
    close(s->wake_fd);
    close(s->halt_fd);
    if (s->epoll_fd >= 0)
        close(s->epoll_fd);
    if (s->crowd.epoll_fd >= 0)
        close(s->crowd.epoll_fd);
    cell_laters_free(s);
    cell_server_matches_free(s);
    cell_bound_counters_free(s);
    pthread_cond_destroy(&s->work);
    pthread_mutex_destroy(&s->lock);
    pthread_mutex_destroy(&s->crowd.lock);
    pthread_mutex_destroy(&s->matches.lock);
    cell_gate_destroy(&s->gate);
    for (uint32_t i = 0; s->layouts && i < s->schema->nmethods; i++)
        cell_method_layouts_free(s->layouts[i]);
    free(s->layouts);
    free(s->methods);
    free(s->lacks);
    free(s->method_counters);
    free(s->consumers);
    cell_key_forget(s->identity.seed);
    cell_buffer_free(&s->schema_json);
    cell_schema_free(s->schema);
    free(s);
}

void cell_server_free(struct cell_server *server)
{
    if (!server)
        return;
    pthread_mutex_lock(&server->lock);
    bool last = cell_server_is_alone(server);
    server->abandoned = true; /* handlers that outlived the drain: the last of their threads frees it */
    pthread_mutex_unlock(&server->lock);
    if (last)
        cell_server_delete(server);
}

int cell_server_intercept(struct cell_server *server, cell_interceptor_fn *fn, void *user)
{
    return server ? cell_hooks_add(&server->hooks, fn, user) : CELL_INVALID_ARGUMENT;
}

void cell_server_wake(struct cell_server *s)
{
    const uint64_t one = 1;
    int saved = errno;
    /* Cannot fail but with EAGAIN, when it is awake already. */
    ssize_t n = write(s->wake_fd, &one, sizeof(one));
    (void)n;
    errno = saved;
}

void cell_server_stop(struct cell_server *server)
{
    if (!server)
        return;
    atomic_store(&server->stop, true);
    cell_server_wake(server);
}

const char *cell_server_message(const struct cell_server *server)
{
    return server ? server->error.text : cell_status_text(CELL_NO_MEMORY);
}

const char *cell_server_cell(const struct cell_server *s) { return s->cell; }
const char *cell_server_fingerprint(const struct cell_server *s) { return s->fingerprint; }
void *cell_server_user(const struct cell_server *s) { return s->options.user; }
