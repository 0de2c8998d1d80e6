/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A hand-written cell with streams, on top of call_fixture.h: the service "flow". */
#ifndef CELL_TEST_STREAM_FIXTURE_H
#define CELL_TEST_STREAM_FIXTURE_H

#include "call/server_parts.h"
#include "call_fixture.h"

struct item { /* plain */
    uint64_t n;
    uint64_t rest[7];
};
struct line { /* with a reference */
    int64_t n;
    cell_str text;
};
struct total {
    uint64_t count, sum;
    cell_bytes data;
};
struct count_in {
    uint64_t from, n;
    uint32_t batch;
    int32_t result;
};
struct sum_in {
    uint64_t limit; /* answers after so many */
    uint64_t reply; /* bytes of data */
};

static const struct cell_field item_fields[] = {FIELD(struct item, n, cell_type_u64),
                                                {"rest", &cell_type_u64, offsetof(struct item, rest), 7, 0, 0}};
static const struct cell_type item_type = {"item", CELL_KIND_STRUCT, sizeof(struct item), 8, 2, item_fields, NULL};
static const struct cell_field line_fields[] = {FIELD(struct line, n, cell_type_i64),
                                                FIELD(struct line, text, cell_type_str)};
static const struct cell_type line_type = {"line", CELL_KIND_STRUCT, sizeof(struct line), 8, 2, line_fields, NULL};
static const struct cell_field total_fields[] = {FIELD(struct total, count, cell_type_u64),
                                                 FIELD(struct total, sum, cell_type_u64),
                                                 FIELD(struct total, data, cell_type_bytes)};
static const struct cell_type total_type = {"total", CELL_KIND_STRUCT, sizeof(struct total), 8, 3, total_fields, NULL};
static const struct cell_field total_out[] = {{"out", &total_type, 0, 0, CELL_FIELD_REF | CELL_FIELD_OUT, 0}};
static const struct cell_field count_in_fields[] = {
    FIELD(struct count_in, from, cell_type_u64), FIELD(struct count_in, n, cell_type_u64),
    FIELD(struct count_in, batch, cell_type_u32), FIELD(struct count_in, result, cell_type_i32)};
static const struct cell_field sum_in_fields[] = {FIELD(struct sum_in, limit, cell_type_u64),
                                                  FIELD(struct sum_in, reply, cell_type_u64)};
static const struct cell_field n_in_fields[] = {{"n", &cell_type_u64, 0, 0, 0, 0}};
static const struct cell_field items = {"items", &item_type, 0, 0, 0, 0}, lines = {"lines", &line_type, 0, 0, 0, 0};

/* What handlers tell tests. */
static atomic_uint_fast64_t flow_put, flow_taken; /* records */
static atomic_int flow_last;                      /* status of the last step that failed */
static atomic_int flow_limit;                     /* of waiting for room, in ms */
static atomic_int flow_hold;                      /* handlers that take wait while it is set */
static atomic_int flow_result;                    /* that of flow_sum when it is an error */

static UNUSED int handle_flow_add(cell_ctx *c, const void *in, void *const *out)
{
    (void)c;
    enter_handler();
    ((struct total *)out[0])->sum = *(const uint64_t *)in + 1;
    leave_handler();
    return 0;
}

static void say_entered(void)
{
    enter_handler();
    sem_post(&shared->entered);
}

static int say_left(cell_ctx *c, int r)
{
    if (r < 0) {
        atomic_store(&flow_last, r);
        atomic_fetch_add(&shared->cancelled, cell_ctx_cancelled(c) ? 1 : 0);
    }
    leave_handler();
    sem_post(&shared->left);
    return r;
}

static UNUSED int handle_count(cell_ctx *c, const void *in, void *const *out)
{
    const struct count_in *i = in;
    struct item batch[128];
    uint64_t done = 0, most = i->batch && i->batch < 128 ? i->batch : 128; /* whatever a client says */
    int r = 0;
    say_entered();
    cell_ctx_limit_stream(c, (uint32_t)atomic_load(&flow_limit));
    while (r >= 0 && done < i->n) {
        uint64_t n = i->n - done < most ? i->n - done : most;
        for (uint64_t k = 0; k < n; k++)
            batch[k] = (struct item){i->from + done + k, {~(i->from + done + k)}};
        r = cell_stream_put(cell_ctx_stream(c), batch, n);
        if (r >= 0) {
            done += n;
            atomic_fetch_add(&flow_put, n);
        }
    }
    *(struct total *)out[0] = (struct total){done, 0, {NULL, 0}};
    if (r >= 0 && i->result < 0)
        r = cell_fail(c, i->result, "after %llu", (unsigned long long)done);
    return say_left(c, r < 0 ? r : i->result);
}

/* Texts of growing length; the largest are larger than what a ring holds. */
static UNUSED int handle_lines(cell_ctx *c, const void *in, void *const *out)
{
    uint64_t n = *(const uint64_t *)in;
    int r = 0;
    (void)out;
    say_entered();
    for (uint64_t i = 0; r >= 0 && i < n; i++) {
        size_t len = (size_t)((i * 977) % 40000);
        char *text = malloc(len + 1);
        memset(text, 'a' + (int)(i % 26), len);
        const struct line two[2] = {{(int64_t)(2 * i), {text, len}}, {(int64_t)(2 * i + 1), CELL_STR("x")}};
        r = cell_stream_put(cell_ctx_stream(c), two, 2);
        free(text);
    }
    return say_left(c, r);
}

static UNUSED int handle_sum(cell_ctx *c, const void *in, void *const *out)
{
    const struct sum_in *i = in;
    struct total *o = out[0];
    struct item some[16];
    int r = 1;
    say_entered();
    while (atomic_load(&flow_hold) && !cell_ctx_cancelled(c))
        usleep(300);
    while (r > 0 && o->count < i->limit) {
        uint64_t n = cell_stream_next_n(cell_ctx_stream(c), some, i->limit - o->count < 16 ? i->limit - o->count : 16);
        for (uint64_t k = 0; k < n; k++) {
            o->sum += some[k].n;
            o->count++;
        }
        atomic_fetch_add(&flow_taken, n);
        if (n == 0)
            r = cell_stream_next(cell_ctx_stream(c), some); /* says why */
    }
    o->data.ptr = i->reply ? cell_ctx_alloc(c, i->reply) : NULL;
    o->data.len = o->data.ptr ? i->reply : 0;
    if (r >= 0 && atomic_load(&flow_result) < 0)
        r = cell_fail(c, atomic_load(&flow_result), "after %llu", (unsigned long long)o->count);
    return say_left(c, r < 0 ? r : 3);
}

static UNUSED int handle_join(cell_ctx *c, const void *in, void *const *out)
{
    struct total *o = out[0];
    struct line l;
    int r;
    (void)in;
    say_entered();
    while ((r = cell_stream_next(cell_ctx_stream(c), &l)) > 0) {
        o->count++;
        o->sum += l.text.len;
        for (uint64_t k = 0; k < l.text.len; k++)
            if (l.text.ptr[k] != 'a' + (char)(l.n % 26))
                return say_left(c, CELL_DATA_LOSS);
    }
    return say_left(c, r);
}

/* Puts nothing, until its client is gone. */
static UNUSED int handle_silent(cell_ctx *c, const void *in, void *const *out)
{
    (void)in;
    (void)out;
    say_entered();
    while (!cell_ctx_cancelled(c) && !atomic_load(&shared->release))
        usleep(300);
    return say_left(c, cell_ctx_cancelled(c) ? CELL_CANCELLED : 0);
}

#define FLOW_METHODS(X)                                                                                                \
    X(flow_add, n_in_fields, 1, total_out, 1, 8, 0, handle_flow_add, NULL)                                             \
    X(flow_count, count_in_fields, 4, total_out, 1, sizeof(struct count_in), 0, handle_count, &items)                  \
    X(flow_join, NULL, 0, total_out, 1, 0, CELL_METHOD_WRITES, handle_join, &lines)                                    \
    X(flow_lines, n_in_fields, 1, NULL, 0, 8, 0, handle_lines, &lines)                                                 \
    X(flow_silent, NULL, 0, NULL, 0, 0, 0, handle_silent, &items)                                                      \
    X(flow_sum, sum_in_fields, 2, total_out, 1, sizeof(struct sum_in), CELL_METHOD_WRITES, handle_sum, &items)

enum {
#define FLOW_ID(name, in, nin, out, nout, size, flags, handler, stream) name,
    FLOW_METHODS(FLOW_ID) FLOW_COUNT
#undef FLOW_ID
};
#define FLOW_CLIENT(name, in, nin, out, nout, size, flags, handler, stream)                                            \
    {#name, in, out, nin, nout, size, flags, NULL, stream},
static const struct cell_method flow_methods[] = {FLOW_METHODS(FLOW_CLIENT)};
#define FLOW_SERVER(name, in, nin, out, nout, size, flags, handler, stream)                                            \
    {#name, in, out, nin, nout, size, flags, handler, stream},
static const struct cell_method flow_handlers[] = {FLOW_METHODS(FLOW_SERVER)};
#define FLOW_POINTER(name, in, nin, out, nout, size, flags, handler, stream) &flow_handlers[name],
static const struct cell_method *const flow_pointers[] = {FLOW_METHODS(FLOW_POINTER)};

static char flow_fingerprint[65];
static struct cell_client *flow_slot;
static struct cell_service flow = {CELL_DESC_ABI, FLOW_COUNT, "flow", flow_fingerprint, flow_methods, &flow_slot, NULL};

/* As clients know it that never leave the streams of flow_count and flow_silent. */
static UNUSED struct cell_service *whole_flow(void)
{
    static struct cell_method methods[FLOW_COUNT];
    static struct cell_service service;
    memcpy(methods, flow_methods, sizeof(methods));
    methods[flow_count].flags |= CELL_METHOD_WHOLE;
    methods[flow_silent].flags |= CELL_METHOD_WHOLE;
    service = flow;
    service.methods = methods;
    return &service;
}

static const struct cell_method *const *flow_served; /* NULL = those above */

/* Then demo_start and demo_stop serve. */
static UNUSED void flow_new(struct demo_server *d)
{
    const struct cell_method *const *handlers = flow_served ? flow_served : flow_pointers;
    d->schema = embed_schema(&flow, flow_fingerprint);
    d->provided = (struct cell_provided){CELL_DESC_ABI, 0, "flow", d->schema, handlers, handlers + FLOW_COUNT};
    d->options.address = demo_address;
    d->options.start = say_started;
    d->options.stop = demo_stopped;
    CHECK(cell_server_new_from(&d->provided, &d->options, &d->server) == CELL_OK);
    CHECK_STR(cell_server_message(d->server), "");
    sem_init(&d->started, 0, 0);
    atomic_store(&flow_put, 0);
    atomic_store(&flow_taken, 0);
    atomic_store(&flow_last, 0);
    atomic_store(&flow_hold, 0);
    atomic_store(&flow_result, 0);
}

/* ---- carriers ---- */

enum carrier { OVER_SOCKET, OVER_SHM, IN_PROCESS, CARRIERS };

struct flow {
    struct demo_server d;
    struct cell_client *client;
    cell_ctx *c;
    enum carrier carrier;
};

static UNUSED int flow_call_add(cell_ctx *c, uint64_t n, uint64_t *sum)
{
    struct total t = {0};
    void *const out[] = {&t};
    int r = cell_call(c, &flow, flow_add, &n, out);
    *sum = t.sum;
    return r;
}

static cell_interceptor_fn *flow_interceptor; /* of the servers that are started from here on; NULL */

/* A context whose connection is over shared memory, if that is what the carrier is: from the second call on. */
static UNUSED cell_ctx *flow_ctx(struct flow *f, uint32_t timeout_ms)
{
    const struct cell_ctx_options o = {.client = f->client, .timeout_ms = timeout_ms};
    cell_ctx *c = cell_ctx_open(&o);
    uint64_t sum;
    CHECK(flow_call_add(c, 1, &sum) == 0 && sum == 2);
    CHECK(flow_call_add(c, 2, &sum) == 0 && sum == 3);
    return c;
}

static UNUSED void flow_begin(struct flow *f, enum carrier carrier, struct cell_server_options options)
{
    *f = (struct flow){.d = {.options = options}, .carrier = carrier};
    demo_setup();
    setenv("CELL_TRANSPORT", carrier == OVER_SOCKET ? "unix" : "shm", 1);
    flow_new(&f->d);
    if (flow_interceptor)
        CHECK(cell_server_intercept(f->d.server, flow_interceptor, NULL) == CELL_OK);
    if (carrier == IN_PROCESS) {
        CHECK(cell_client_in_process(f->d.server, &f->client) == CELL_OK);
    } else {
        demo_start(&f->d);
        CHECK(cell_client_open(demo_address, &f->client) == CELL_OK);
    }
    f->c = flow_ctx(f, 60000);
}

static UNUSED void flow_end(struct flow *f)
{
    cell_ctx_close(f->c);
    cell_client_close(f->client);
    if (f->carrier == IN_PROCESS)
        demo_free(&f->d);
    else
        demo_stop(&f->d);
    demo_teardown();
    unsetenv("CELL_TRANSPORT");
}

static UNUSED uint64_t flow_connections(const struct flow *f)
{
    return atomic_load(&f->d.server->counters.connections);
}

/* ---- calls ---- */

static UNUSED struct cell_stream *open_count(cell_ctx *c, uint64_t from, uint64_t n, uint32_t batch, int32_t result)
{
    const struct count_in in = {from, n, batch, result};
    return cell_stream_open(c, &flow, flow_count, &in);
}
static UNUSED struct cell_stream *open_sum(cell_ctx *c, uint64_t limit, uint64_t reply)
{
    const struct sum_in in = {limit, reply};
    return cell_stream_open(c, &flow, flow_sum, &in);
}
static UNUSED int end_total(struct cell_stream *s, struct total *t)
{
    void *const out[] = {t};
    return cell_stream_end(s, out);
}

#endif
