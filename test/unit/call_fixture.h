/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * A hand-written cell for the tests of call/: the service "demo" with its descriptors and handlers, its schema as
 * CELL_PROVIDE would embed it, and a server of it on a socket of the test's own, in a thread or in a process.
 */
#ifndef CELL_TEST_CALL_FIXTURE_H
#define CELL_TEST_CALL_FIXTURE_H

#include "test.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/util.h"
#include "call_raw.h"
#include "cell/server.h"
#include "core/schema.h"
#include "rich_message.h"
#include "temp_folder.h"
#include "wire/frame.h"

/* ---- the service ---- */

struct add_in {
    int32_t a, b;
};
struct echo_in {
    cell_str text;
    cell_bytes data;
};
struct echo_out {
    cell_str text;
    cell_bytes data;
    int64_t calls;
};
struct fail_in {
    int32_t status;
    cell_str message;
};

static const struct cell_field add_in_fields[] = {FIELD(struct add_in, a, cell_type_i32),
                                                  FIELD(struct add_in, b, cell_type_i32)};
static const struct cell_field sum_fields[] = {{"sum", &cell_type_i32, 0, 0, 0, 0}};
static const struct cell_type sum_result = {"sum_result", CELL_KIND_STRUCT, 4, 4, 1, sum_fields, NULL};
static const struct cell_field sum_out_fields[] = {{"out", &sum_result, 0, 0, CELL_FIELD_REF | CELL_FIELD_OUT, 0}};
static const struct cell_field block_in_fields[] = {{"how", &cell_type_i32, 0, 0, 0, 0}};
static const struct cell_field echo_in_fields[] = {FIELD(struct echo_in, text, cell_type_str),
                                                   FIELD(struct echo_in, data, cell_type_bytes)};
static const struct cell_field echo_result_fields[] = {FIELD(struct echo_out, text, cell_type_str),
                                                       FIELD(struct echo_out, data, cell_type_bytes),
                                                       FIELD(struct echo_out, calls, cell_type_i64)};
static const struct cell_type echo_result = {
    "echo_result", CELL_KIND_STRUCT, sizeof(struct echo_out), 8, 3, echo_result_fields, NULL};
static const struct cell_field echo_out_fields[] = {{"out", &echo_result, 0, 0, CELL_FIELD_REF | CELL_FIELD_OUT, 0}};
static const struct cell_field fail_in_fields[] = {FIELD(struct fail_in, status, cell_type_i32),
                                                   FIELD(struct fail_in, message, cell_type_str)};
static const struct cell_field rich_in_fields[] = {{"in", &account_type, 0, 0, CELL_FIELD_REF, 0}};
static const struct cell_field rich_out_fields[] = {{"out", &account_type, 0, 0, CELL_FIELD_REF | CELL_FIELD_OUT, 0}};
static const struct cell_field key_in_fields[] = {{"key", &cell_type_str, 0, 0, 0, 0}};
static const struct cell_field value_fields[] = {{"value", &cell_type_str, 0, 0, 0, 0}};
static const struct cell_type value_result = {"value_result", CELL_KIND_STRUCT, 16, 8, 1, value_fields, NULL};
static const struct cell_field value_out_fields[] = {{"out", &value_result, 0, 0, CELL_FIELD_REF | CELL_FIELD_OUT, 0}};

/* What handlers and tests tell each other, also across processes. */
struct shared {
    atomic_int calls, running, most_running, cancelled, started, stopped, release;
    sem_t entered, left;
};
static struct shared *shared;

static int enter_handler(void)
{
    int running = atomic_fetch_add(&shared->running, 1) + 1, most = atomic_load(&shared->most_running);
    while (running > most && !atomic_compare_exchange_weak(&shared->most_running, &most, running))
        continue;
    return atomic_fetch_add(&shared->calls, 1) + 1;
}
static void leave_handler(void) { atomic_fetch_sub(&shared->running, 1); }

static UNUSED int handle_add(cell_ctx *c, const void *in, void *const *out)
{
    const struct add_in *i = in;
    (void)c;
    enter_handler();
    *(int32_t *)out[0] = i->a + i->b;
    leave_handler();
    return i->a == 1000 ? 7 : 0;
}

enum { BLOCK_RELEASE, BLOCK_CANCEL, BLOCK_DEAF, BLOCK_ASIDE };

/* Says that it was entered and waits for `release`, or for its caller to give up. */
static UNUSED int handle_block(cell_ctx *c, const void *in, void *const *out)
{
    int how = *(const int32_t *)in, r = 0;
    (void)out;
    enter_handler();
    if (how == BLOCK_ASIDE && !(cell_ctx_stand_aside(c) && cell_ctx_stand_aside(c)))
        r = CELL_INTERNAL;
    sem_post(&shared->entered);
    while (!atomic_load(&shared->release)) {
        if (how != BLOCK_DEAF && cell_ctx_cancelled(c)) {
            atomic_fetch_add(&shared->cancelled, 1);
            r = CELL_CANCELLED;
            break;
        }
        usleep(500);
    }
    leave_handler();
    sem_post(&shared->left);
    return r;
}

static UNUSED int handle_echo(cell_ctx *c, const void *in, void *const *out)
{
    const struct echo_in *i = in;
    (void)c;
    *(struct echo_out *)out[0] = (struct echo_out){i->text, i->data, enter_handler()};
    leave_handler();
    return 0;
}

static UNUSED int handle_fail(cell_ctx *c, const void *in, void *const *out)
{
    const struct fail_in *i = in;
    (void)out;
    cell_add_detail(c, "reason", (cell_bytes){(const uint8_t *)"\0\1\2", 3});
    cell_ctx_set_metadata(c, "retry-after", CELL_STR("30"));
    if (i->message.len == 0)
        return i->status;
    int r = cell_fail(c, i->status, "%.*s", CELL_FMT(i->message));
    return cell_trail(c, r, "while %s", "failing");
}

/* The request's metadata under `key`; tells back who called. */
static UNUSED int handle_meta(cell_ctx *c, const void *in, void *const *out)
{
    struct cell_caller caller;
    const cell_str *key = in;
    cell_str value = {NULL, 0};
    int r = cell_ctx_caller(c, &caller);
    if (r < 0)
        return r;
    cell_ctx_set_metadata(c, "uid", cell_ctx_printf(c, "%u", caller.uid));
    cell_ctx_set_metadata(c, "pid", cell_ctx_printf(c, "%d", caller.pid));
    cell_ctx_set_metadata(c, "program", caller.program);
    cell_ctx_set_metadata(c, "user", cell_ctx_printf(c, "%s", cell_ctx_user(c) ? (const char *)cell_ctx_user(c) : ""));
    cell_ctx_set_metadata(c, "left", cell_ctx_printf(c, "%llu", (unsigned long long)cell_ctx_remaining_ns(c)));
    r = cell_ctx_metadata(c, key->ptr, &value);
    if (r < 0)
        return cell_fail(c, r, "no metadata '%s'", key->ptr);
    *(cell_str *)out[0] = value;
    return 0;
}

/* Answers what it got; memory of the reply comes from the context. */
static UNUSED int handle_rich(cell_ctx *c, const void *in, void *const *out)
{
    const struct account *a = ((const struct cell_ref *)in)->ptr;
    struct account *o = out[0];
    *o = *a;
    o->id = a->id + 1;
    o->email = cell_ctx_printf(c, "<%.*s>", CELL_FMT(a->email));
    return 0;
}

#define DEMO_METHODS(X)                                                                                                \
    X(demo_add, add_in_fields, 2, sum_out_fields, 1, sizeof(struct add_in), CELL_METHOD_IDEMPOTENT, handle_add)        \
    X(demo_block, block_in_fields, 1, NULL, 0, 4, 0, handle_block)                                                     \
    X(demo_echo, echo_in_fields, 2, echo_out_fields, 1, sizeof(struct echo_in), 0, handle_echo)                        \
    X(demo_fail, fail_in_fields, 2, NULL, 0, sizeof(struct fail_in), 0, handle_fail)                                   \
    X(demo_meta, key_in_fields, 1, value_out_fields, 1, 16, 0, handle_meta)                                            \
    X(demo_rich, rich_in_fields, 1, rich_out_fields, 1, 16, 0, handle_rich)

enum {
#define DEMO_ID(name, in, nin, out, nout, size, flags, handler) name,
    DEMO_METHODS(DEMO_ID) DEMO_COUNT
#undef DEMO_ID
};

#define DEMO_CLIENT(name, in, nin, out, nout, size, flags, handler) {#name, in, out, nin, nout, size, flags, NULL},
static const struct cell_method client_methods[] = {DEMO_METHODS(DEMO_CLIENT)};
#define DEMO_SERVER(name, in, nin, out, nout, size, flags, handler) {#name, in, out, nin, nout, size, flags, handler},
static const struct cell_method server_methods[] = {DEMO_METHODS(DEMO_SERVER)};
#define DEMO_POINTER(name, in, nin, out, nout, size, flags, handler) &server_methods[name],
static const struct cell_method *const demo_handlers[] = {DEMO_METHODS(DEMO_POINTER)};

/* ---- its schema ---- */

static char demo_fingerprint[65];
static struct cell_client *demo_slot;
static struct cell_service demo = {CELL_DESC_ABI,  DEMO_COUNT, "demo", demo_fingerprint,
                                   client_methods, &demo_slot, NULL};

/* The schema of `service` as it is embedded; to be freed. */
static UNUSED char *embed_schema(const struct cell_service *service, char fingerprint[65])
{
    struct cell_schema *schema = NULL;
    struct cell_error e = {0};
    struct cell_buffer json = {0};
    struct cell_schema_header header = {0};
    CHECK(cell_schema_from_service(service, &schema, &e) >= 0);
    CHECK_STR(e.text, "");
    if (!schema)
        exit(1);
    CHECK(cell_schema_format(schema, &json) >= 0);
    header.size = json.len;
    memcpy(header.magic, CELL_SCHEMA_MAGIC, sizeof(header.magic));
    memcpy(header.fingerprint, schema->fingerprint, sizeof(header.fingerprint));
    memcpy(fingerprint, schema->fingerprint, 65);
    char *blob = malloc(sizeof(header) + json.len);
    memcpy(blob, &header, sizeof(header));
    memcpy(blob + sizeof(header), json.data, json.len);
    cell_buffer_free(&json);
    cell_schema_free(schema);
    return blob;
}

/* ---- a server in a thread ---- */

struct demo_server {
    struct cell_server *server;
    struct cell_provided provided;
    struct cell_server_options options;
    const struct cell_method *const *handlers; /* NULL = those above */
    char *schema;
    pthread_t thread;
    pid_t pid;
    int result;
    sem_t started;
};

static void demo_setup(void)
{
    temp_folder_make();
    snprintf(demo_address, sizeof(demo_address), "unix:%s", temp_path("demo.sock"));
    if (!shared)
        shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    memset(shared, 0, sizeof(*shared));
    sem_init(&shared->entered, 1, 0);
    sem_init(&shared->left, 1, 0);
}

static void demo_teardown(void) { temp_folder_remove(); }

static UNUSED int demo_started(void *user)
{
    (void)user;
    atomic_fetch_add(&shared->started, 1);
    return 0;
}
static UNUSED void demo_stopped(void *user)
{
    (void)user;
    atomic_fetch_add(&shared->stopped, 1);
}

static struct demo_server *server_that_starts;
static int say_started(void *user)
{
    demo_started(user);
    if (server_that_starts)
        sem_post(&server_that_starts->started);
    return 0;
}

/* Makes d->server of d->options; fills in what the test left out. */
static UNUSED void demo_new(struct demo_server *d)
{
    d->schema = embed_schema(&demo, demo_fingerprint);
    const struct cell_method *const *handlers = d->handlers ? d->handlers : demo_handlers;
    d->provided = (struct cell_provided){CELL_DESC_ABI, 0, "demo", d->schema, handlers, handlers + DEMO_COUNT};
    if (!d->options.address)
        d->options.address = demo_address;
    if (!d->options.start)
        d->options.start = say_started;
    if (!d->options.stop)
        d->options.stop = demo_stopped;
    int r = cell_server_new_from(&d->provided, &d->options, &d->server);
    CHECK(r == CELL_OK);
    CHECK_STR(cell_server_message(d->server), "");
    sem_init(&d->started, 0, 0);
}

static UNUSED void *demo_run(void *arg)
{
    struct demo_server *d = arg;
    d->result = cell_server_run(d->server);
    if (d->result < 0)
        sem_post(&d->started);
    return NULL;
}

/* Returns when clients can connect. */
static UNUSED void demo_start(struct demo_server *d)
{
    if (!d->server)
        demo_new(d);
    server_that_starts = d;
    CHECK(pthread_create(&d->thread, NULL, demo_run, d) == 0);
    while (sem_wait(&d->started) < 0)
        continue;
}

static UNUSED void demo_free(struct demo_server *d)
{
    cell_server_free(d->server);
    free(d->schema);
    sem_destroy(&d->started);
    memset(d, 0, sizeof(*d));
}

static UNUSED void demo_stop(struct demo_server *d)
{
    cell_server_stop(d->server);
    pthread_join(d->thread, NULL);
    CHECK(d->result == CELL_OK);
    CHECK_STR(cell_server_message(d->server), "");
    demo_free(d);
}

/* ---- a server in a process ---- */

static const struct cell_method *const *demo_fork_handlers; /* NULL = those above */

static UNUSED pid_t demo_fork(struct cell_server_options options)
{
    int pipe_fds[2];
    char byte;
    CHECK(pipe(pipe_fds) == 0);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        struct demo_server d = {.options = options, .handlers = demo_fork_handlers};
        close(pipe_fds[0]);
        test_failures = 0;
        demo_new(&d);
        server_that_starts = &d;
        pthread_t thread;
        pthread_create(&thread, NULL, demo_run, &d);
        while (sem_wait(&d.started) < 0)
            continue;
        if (write(pipe_fds[1], "+", 1) != 1)
            _exit(3);
        pthread_join(thread, NULL);
        _exit(d.result == CELL_OK ? 0 : 2);
    }
    close(pipe_fds[1]);
    CHECK(read(pipe_fds[0], &byte, 1) == 1);
    close(pipe_fds[0]);
    return pid;
}

static UNUSED int demo_wait(pid_t pid)
{
    int status = -1;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return status;
}

static UNUSED void wait_sem(sem_t *s)
{
    while (sem_wait(s) < 0)
        continue;
}

/* ---- calls ---- */

static UNUSED void *cancel_when_entered(void *arg)
{
    wait_sem(&shared->entered);
    cell_ctx_cancel(arg);
    return NULL;
}

static UNUSED cell_ctx *demo_ctx(struct cell_client **client)
{
    CHECK(cell_client_open(demo_address, client) == CELL_OK);
    const struct cell_ctx_options o = {.client = *client, .timeout_ms = 60000};
    return cell_ctx_open(&o);
}

static UNUSED int call_add(cell_ctx *c, int32_t a, int32_t b, int32_t *sum)
{
    const struct add_in in = {a, b};
    void *const out[] = {sum};
    return cell_call(c, &demo, demo_add, &in, out);
}
static UNUSED int call_block(cell_ctx *c, int32_t how) { return cell_call(c, &demo, demo_block, &how, NULL); }
static UNUSED int call_echo(cell_ctx *c, cell_str text, cell_bytes data, struct echo_out *o)
{
    const struct echo_in in = {text, data};
    void *const out[] = {o};
    return cell_call(c, &demo, demo_echo, &in, out);
}
static UNUSED int call_fail(cell_ctx *c, int32_t status, const char *message)
{
    const struct fail_in in = {status, cell_strz(message)};
    return cell_call(c, &demo, demo_fail, &in, NULL);
}
static UNUSED int call_meta(cell_ctx *c, const char *key, cell_str *value)
{
    const cell_str in = cell_strz(key);
    void *const out[] = {value};
    return cell_call(c, &demo, demo_meta, &in, out);
}
static UNUSED int call_rich(cell_ctx *c, const struct account *a, struct account *o)
{
    const struct cell_ref in = {a, 1};
    void *const out[] = {o};
    return cell_call(c, &demo, demo_rich, &in, out);
}

/* What clients that connect from now on use. */
static inline void call_over(bool shm)
{
    if (shm)
        unsetenv("CELL_TRANSPORT");
    else
        setenv("CELL_TRANSPORT", "unix", 1);
}

#endif
