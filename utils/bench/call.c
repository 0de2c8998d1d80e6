/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Calls to a cell in another process; see driver.h for how it is run. Lines of its own:
 *
 *   transport   answers "transport NAME": what carries the calls ("unix", "shm")
 *   hold N      keeps N idle connections open, each of a client of its own that has made one call; answers "held N"
 */
#include "driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call/pool.h"
#include "core/schema.h"

#define LARGEST (1u << 20)
#define MOST_HELD 512u
#define DEPTH 16u
#define BATCH 64u

/* ---- the cell ---- */

#define ARRAY(name, offset, n) {name, &cell_type_u64, offset, n, 0, 0}
/* Structs of 8 bytes to 1 MiB travel by value, there and back; bytes of any size as cell_bytes. */
#define WORDS(size, name, ...)                                                                                         \
    static const struct cell_field name##_fields[] = {__VA_ARGS__};                                                    \
    static const struct cell_type name##_type = {#name "_words",                                                       \
                                                 CELL_KIND_STRUCT,                                                     \
                                                 size,                                                                 \
                                                 8,                                                                    \
                                                 sizeof(name##_fields) / sizeof *name##_fields,                        \
                                                 name##_fields,                                                        \
                                                 NULL};                                                                \
    static const struct cell_field name##_in[] = {{"in", &name##_type, 0, 0, 0, 0}};                                   \
    static const struct cell_field name##_out[] = {{"out", &name##_type, 0, 0, CELL_FIELD_REF | CELL_FIELD_OUT, 0}};   \
    static int name##_invoke(cell_ctx *c, const void *in, void *const *out)                                            \
    {                                                                                                                  \
        (void)c;                                                                                                       \
        memcpy(out[0], in, size);                                                                                      \
        return 0;                                                                                                      \
    }
WORDS(8, bench_echo008, ARRAY("words", 0, 1))
WORDS(40, bench_echo040, ARRAY("words", 0, 5))
WORDS(64, bench_echo064, ARRAY("words", 0, 8))
WORDS(1024, bench_echo1024, ARRAY("words", 0, 128))
WORDS(1048576, bench_echo1048576, ARRAY("words", 0, 65536), ARRAY("more", 524288, 65536))
WORDS(65536, bench_echo65536, ARRAY("words", 0, 8192))

static const struct cell_field bytes_in[] = {{"data", &cell_type_bytes, 0, 0, 0, 0}};
static const struct cell_field bytes_out[] = {{"out", &cell_type_bytes, 0, 0, CELL_FIELD_REF | CELL_FIELD_OUT, 0}};
static const struct cell_field reply_in[] = {{"size", &cell_type_u64, 0, 0, 0, 0}};

/* `fill`: the handler makes the reply anew; else it writes one word of it, and the rest is what lies there. */
struct lent_in {
    uint64_t size, fill;
};
static const struct cell_field lent_in[] = {{"size", &cell_type_u64, 0, 0, 0, 0}, {"fill", &cell_type_u64, 8, 0, 0, 0}};

static _Alignas(64) uint8_t payload[LARGEST];

static int bytes_invoke(cell_ctx *c, const void *in, void *const *out)
{
    (void)c;
    memcpy(out[0], in, sizeof(cell_bytes)); /* the request lives until the reply was sent */
    return 0;
}

static int reply_invoke(cell_ctx *c, const void *in, void *const *out)
{
    uint64_t size;
    memcpy(&size, in, sizeof size);
    if (size > sizeof payload)
        return cell_fail(c, CELL_INVALID_ARGUMENT, "at most %u bytes", LARGEST);
    *(cell_bytes *)out[0] = (cell_bytes){payload, size};
    return 0;
}

static int lent_invoke(cell_ctx *c, const void *in, void *const *out)
{
    struct lent_in want;
    static uint64_t calls;
    memcpy(&want, in, sizeof want);
    if (want.size < sizeof calls || want.size > sizeof payload)
        return cell_fail(c, CELL_INVALID_ARGUMENT, "at most %u bytes", LARGEST);
    uint8_t *bytes = cell_ctx_lend(c, want.size);
    if (!bytes)
        return CELL_NO_MEMORY;
    if (want.fill)
        memcpy(bytes, payload, want.size);
    calls++;
    memcpy(bytes, &calls, sizeof calls);
    *(cell_bytes *)out[0] = (cell_bytes){bytes, want.size};
    return 0;
}

struct record {
    uint64_t words[8];
};
static const struct cell_field records_out = {"out", &bench_echo064_type, 0, 0, 0, 0};

/* Records without end, a batch at a time; every word is written, as the bare ring's producer does. */
static int stream_invoke(cell_ctx *c, const void *in, void *const *out)
{
    struct record batch[BATCH];
    int r = 0;
    (void)in;
    (void)out;
    for (uint64_t n = 0; r >= 0;) {
        for (unsigned i = 0; i < BATCH; i++, n++)
            for (unsigned k = 0; k < 8; k++)
                batch[i].words[k] = n;
        r = cell_stream_put(cell_ctx_stream(c), batch, BATCH);
    }
    return r;
}

/* Sorted by name; the index is the method's number. */
enum { BYTES, ECHO8, ECHO40, ECHO64, ECHO1024, ECHO1048576, ECHO65536, LENT, REPLY, STREAM, NMETHODS };
static const struct cell_method methods[NMETHODS] = {
    [BYTES] = {"bench_bytes", bytes_in, bytes_out, 1, 1, sizeof(cell_bytes), 0, bytes_invoke, NULL, NULL},
    [ECHO8] = {"bench_echo008", bench_echo008_in, bench_echo008_out, 1, 1, 8, 0, bench_echo008_invoke, NULL, NULL},
    [ECHO40] = {"bench_echo040", bench_echo040_in, bench_echo040_out, 1, 1, 40, 0, bench_echo040_invoke, NULL, NULL},
    [ECHO64] = {"bench_echo064", bench_echo064_in, bench_echo064_out, 1, 1, 64, 0, bench_echo064_invoke, NULL, NULL},
    [ECHO1024] = {"bench_echo1024", bench_echo1024_in, bench_echo1024_out, 1, 1, 1024, 0, bench_echo1024_invoke, NULL,
                  NULL},
    [ECHO1048576] = {"bench_echo1048576", bench_echo1048576_in, bench_echo1048576_out, 1, 1, 1048576, 0,
                     bench_echo1048576_invoke, NULL, NULL},
    [ECHO65536] = {"bench_echo65536", bench_echo65536_in, bench_echo65536_out, 1, 1, 65536, 0, bench_echo65536_invoke,
                   NULL, NULL},
    [LENT] = {"bench_lent", lent_in, bytes_out, 2, 1, sizeof(struct lent_in), 0, lent_invoke, NULL, NULL},
    [REPLY] = {"bench_reply", reply_in, bytes_out, 1, 1, 8, 0, reply_invoke, NULL, NULL},
    [STREAM] = {"bench_stream", NULL, NULL, 0, 0, 0, 0, stream_invoke, &records_out, NULL},
};
static const struct cell_method *const served[NMETHODS] = {&methods[0], &methods[1], &methods[2], &methods[3],
                                                           &methods[4], &methods[5], &methods[6], &methods[7],
                                                           &methods[8], &methods[9]};

/* The schema that the descriptors stand for, as CELL_PROVIDE would have embedded it; *fingerprint gets 64 digits. */
static char *embedded_schema(char fingerprint[65])
{
    const struct cell_service service = {CELL_DESC_ABI, NMETHODS, "bench", "", methods, NULL, NULL};
    struct cell_schema *schema = NULL;
    struct cell_error e = {0};
    struct cell_buffer json = {0};
    if (cell_schema_from_service(&service, &schema, &e) < 0 || cell_schema_format(schema, &json) < 0)
        bench_die("%s", e.text);
    memcpy(fingerprint, schema->fingerprint, 65);
    struct cell_schema_header header = {.size = json.len};
    memcpy(header.magic, CELL_SCHEMA_MAGIC, sizeof header.magic);
    memcpy(header.fingerprint, fingerprint, sizeof header.fingerprint);
    char *blob = malloc(sizeof header + json.len);
    if (!blob)
        bench_die("out of memory");
    memcpy(blob, &header, sizeof header);
    memcpy(blob + sizeof header, json.data, json.len);
    cell_buffer_free(&json);
    cell_schema_free(schema);
    return blob;
}

/* ---- the two sides ---- */

struct held {
    struct cell_client *client;
    cell_ctx *c;
};

struct side {
    struct bench bench;
    char address[256], fingerprint[65];
    char *schema;
    struct cell_client *default_client; /* of the service; unused, every context names its own */
    struct cell_service service;
    struct held main, socket, held[MOST_HELD]; /* socket: one that stays on the Unix socket */
    int tickets[DEPTH];
    uint64_t out[BATCH][128];
    struct cell_stream *stream; /* of a context of its own, so that nothing else ends it */
    cell_ctx *stream_context;
    unsigned next;
    bool outstanding;
    unsigned nheld;
    volatile uint64_t sum;
};

static int started(void *user)
{
    bench_ready(&((struct side *)user)->bench);
    return 0;
}

static void serve(struct bench *bench, void *user)
{
    struct side *s = user;
    (void)bench;
    const struct cell_provided provided = {CELL_DESC_ABI, 0, "bench", s->schema, served, served + NMETHODS};
    const struct cell_server_options options = {
        .address = s->address, .max_connections = MOST_HELD + 8, .user = s, .start = started};
    struct cell_server *server = NULL;
    if (cell_server_new_from(&provided, &options, &server) < 0 || cell_server_run(server) < 0)
        bench_die("%s", cell_server_message(server));
}

static void call(struct side *s, cell_ctx *c, uint32_t method, const void *in, void *out)
{
    void *const outs[] = {out};
    if (cell_call(c, &s->service, method, in, outs) < 0)
        bench_die("%s: %s", methods[method].name, cell_ctx_message(c));
    cell_ctx_reset(c);
}

static void connect_client(struct side *s, struct held *h)
{
    uint64_t in = 1, out;
    if (cell_client_open(s->address, &h->client) < 0)
        bench_die("cannot open a client of %s", s->address);
    h->c = cell_ctx_open(&(struct cell_ctx_options){.client = h->client});
    call(s, h->c, ECHO8, &in, &out);
}

static void disconnect(struct held *h)
{
    cell_ctx_close(h->c);
    cell_client_close(h->client);
}

/* ---- cases ---- */

static void words_run(void *user, const struct bench_case *c)
{
    struct side *s = user;
    uint64_t in[8] = {1, 2, 3, 4, 5, 6, 7, 8}, out[8];
    call(s, s->main.c, c->size == 8 ? ECHO8 : c->size == 40 ? ECHO40 : ECHO64, in, out);
}

static void call_bytes(struct side *s, cell_ctx *c, uint32_t size)
{
    const cell_bytes in = {payload, size};
    cell_bytes out;
    call(s, c, BYTES, &in, &out);
}

static void bytes_run(void *user, const struct bench_case *c)
{
    struct side *s = user;
    call_bytes(s, s->main.c, c->size);
}

static void reply_run(void *user, const struct bench_case *c)
{
    struct side *s = user;
    uint64_t size = c->size;
    cell_bytes out;
    call(s, s->main.c, REPLY, &size, &out);
}

static uint64_t sum(const uint8_t *bytes, uint64_t len)
{
    uint64_t total = 0, word;
    for (uint64_t i = 0; i < len; i += sizeof word) {
        memcpy(&word, bytes + i, sizeof word);
        total += word;
    }
    return total;
}

/* `batch` has the bits of enum in_place. */
enum in_place { READ_ALL = 1, MADE_ANEW = 2 };
static void in_place_run(void *user, const struct bench_case *c)
{
    struct side *s = user;
    const struct lent_in in = {c->size, c->batch & MADE_ANEW};
    cell_bytes out;
    void *const outs[] = {&out};
    if (cell_send(s->main.c, &s->service, LENT, &in, outs) < 0)
        bench_die("bench_lent: %s", cell_ctx_message(s->main.c));
    if (out.len != c->size)
        bench_die("bench_lent: %llu bytes", (unsigned long long)out.len);
    s->sum += sum(out.ptr, c->batch & READ_ALL ? out.len : sizeof(uint64_t));
    cell_ctx_reset(s->main.c);
}

static void socket_run(void *user, const struct bench_case *c)
{
    struct side *s = user;
    uint64_t in[8] = {1, 2, 3, 4, 5, 6, 7, 8}, out[8];
    if (c->size > 64)
        call_bytes(s, s->socket.c, c->size);
    else
        call(s, s->socket.c, c->size == 8 ? ECHO8 : ECHO64, in, out);
}

/* Replies of large calls all go to one place: nobody looks at them. */
static int send_async(struct side *s, uint32_t size, unsigned i)
{
    static const uint64_t small[128] = {1, 2, 3, 4, 5, 6, 7, 8};
    static uint64_t large_out[LARGEST / 8];
    const void *in = size <= sizeof small ? (const void *)small : payload;
    void *const outs[] = {size <= sizeof small ? s->out[i] : large_out};
    uint32_t method = size == 8      ? ECHO8
                      : size == 64   ? ECHO64
                      : size == 1024 ? ECHO1024
                                     : (size == LARGEST ? ECHO1048576 : ECHO65536);
    int ticket = cell_call_async(s->main.c, &s->service, method, in, outs);
    if (ticket < 0)
        bench_die("%s", cell_ctx_message(s->main.c));
    return ticket;
}

static void wait_async(struct side *s, int ticket)
{
    if (cell_wait(s->main.c, ticket) < 0)
        bench_die("%s", cell_ctx_message(s->main.c));
}

/* DEPTH calls in flight all the time: one is waited for, the next is sent. */
static void depth_run(void *user, const struct bench_case *c)
{
    struct side *s = user;
    for (unsigned i = 0; !s->outstanding && i < DEPTH; i++)
        s->tickets[i] = send_async(s, c->size, i);
    s->outstanding = true;
    unsigned i = s->next++ % DEPTH;
    wait_async(s, s->tickets[i]);
    s->tickets[i] = send_async(s, c->size, i);
}

static void batch_run(void *user, const struct bench_case *c)
{
    struct side *s = user;
    int tickets[BATCH];
    cell_batch_begin(s->main.c);
    for (unsigned i = 0; i < BATCH; i++)
        tickets[i] = send_async(s, c->size, i);
    cell_batch_end(s->main.c);
    for (unsigned i = 0; i < BATCH; i++)
        wait_async(s, tickets[i]);
}

/* Takes operations records of a stream that is never ended: between the runs the cell waits. */
static void stream_run(void *user, const struct bench_case *c)
{
    struct side *s = user;
    struct record batch[BATCH];
    if (!s->stream) {
        s->stream_context = cell_ctx_open(&(struct cell_ctx_options){.client = s->main.client});
        s->stream = cell_stream_open(s->stream_context, &s->service, STREAM, NULL);
    }
    for (uint32_t done = 0; done < c->operations;) {
        size_t n = cell_stream_next_n(s->stream, batch, BATCH);
        if (n == 0)
            bench_die("the stream has ended: %s", cell_status_text(cell_stream_next(s->stream, batch)));
        for (size_t i = 0; i < n; i++)
            for (unsigned k = 0; k < 8; k++)
                s->sum += batch[i].words[k];
        done += (uint32_t)n;
    }
}

/* What another case left outstanding is given up. */
static void no_calls_outstanding(void *user, const struct bench_case *c, uint64_t runs)
{
    struct side *s = user;
    (void)c;
    (void)runs;
    cell_ctx_reset(s->main.c);
    s->outstanding = false;
}

static void connect_run(void *user, const struct bench_case *c)
{
    (void)c;
    struct held h;
    connect_client(user, &h);
    disconnect(&h);
}

static const struct bench_case cases[] = {
    {"call-8", 1, 8, 0, words_run, NULL},
    {"call-40", 1, 40, 0, words_run, NULL},
    {"call-64", 1, 64, 0, words_run, NULL},
    {"unix-8", 1, 8, 0, socket_run, NULL},
    {"unix-64", 1, 64, 0, socket_run, NULL},
    {"unix-1024", 1, 1024, 0, socket_run, NULL},
    {"unix-65536", 1, 64u << 10, 0, socket_run, NULL},
    {"unix-1048576", 1, LARGEST, 0, socket_run, NULL},
    {"async-8-depth-16", 1, 8, 0, depth_run, no_calls_outstanding},
    {"async-64-depth-16", 1, 64, 0, depth_run, no_calls_outstanding},
    {"async-1024-depth-16", 1, 1024, 0, depth_run, no_calls_outstanding},
    {"async-65536-depth-16", 1, 64u << 10, 0, depth_run, no_calls_outstanding},
    {"async-1048576-depth-16", 1, LARGEST, 0, depth_run, no_calls_outstanding},
    {"batch-64-of-8", BATCH, 8, 0, batch_run, no_calls_outstanding},
    {"batch-64-of-64", BATCH, 64, 0, batch_run, no_calls_outstanding},
    {"batch-64-of-65536", BATCH, 64u << 10, 0, batch_run, no_calls_outstanding},
    {"batch-64-of-1048576", BATCH, LARGEST, 0, batch_run, no_calls_outstanding},
    {"stream-64-batch-64", 1u << 16, 64, BATCH, stream_run, no_calls_outstanding},
    {"batch-64-of-1024", BATCH, 1024, 0, batch_run, no_calls_outstanding},
    {"call-1024", 1, 1024, 0, bytes_run, NULL},
    {"call-65536", 1, 64u << 10, 0, bytes_run, NULL},
    {"call-1048576", 1, LARGEST, 0, bytes_run, NULL},
    {"reply-65536", 1, 64u << 10, 0, reply_run, NULL},
    {"reply-1048576", 1, LARGEST, 0, reply_run, NULL},
    {"in-place-65536", 1, 64u << 10, 0, in_place_run, NULL},
    {"in-place-read-65536", 1, 64u << 10, READ_ALL, in_place_run, NULL},
    {"in-place-anew-65536", 1, 64u << 10, READ_ALL | MADE_ANEW, in_place_run, NULL},
    {"in-place-1048576", 1, LARGEST, READ_ALL, in_place_run, NULL},
    {"in-place-anew-1048576", 1, LARGEST, READ_ALL | MADE_ANEW, in_place_run, NULL},
    {"connect", 1, 8, 0, connect_run, NULL},
};

static int command(void *user, const char *line)
{
    struct side *s = user;
    unsigned n;
    if (strcmp(line, "transport") == 0) {
        printf("transport %s\n", s->main.client->all->conn->ops->name);
        return 1;
    }
    if (sscanf(line, "hold %u", &n) != 1 || n > MOST_HELD)
        return 0;
    while (s->nheld < n)
        connect_client(s, &s->held[s->nheld++]);
    while (s->nheld > n)
        disconnect(&s->held[--s->nheld]);
    printf("held %u\n", n);
    return 1;
}

int main(int argc, char **argv)
{
    static struct side s;
    bench_init(&s.bench, argc, argv);
    snprintf(s.address, sizeof s.address, "unix:%s/cell.sock", s.bench.folder);
    memset(payload, 'x', sizeof payload);
    s.schema = embedded_schema(s.fingerprint);
    s.service =
        (struct cell_service){CELL_DESC_ABI, NMETHODS, "bench", s.fingerprint, methods, &s.default_client, NULL};
    bench_start(&s.bench, serve, &s);
    setenv("CELL_TRANSPORT", "unix", 1);
    connect_client(&s, &s.socket);
    unsetenv("CELL_TRANSPORT");
    connect_client(&s, &s.main);
    const struct bench_program program = {cases, sizeof cases / sizeof *cases, &s, command};
    int r = bench_serve(&s.bench, &program);
    for (unsigned i = 0; i < s.nheld; i++)
        disconnect(&s.held[i]);
    cell_ctx_close(s.stream_context);
    disconnect(&s.main);
    disconnect(&s.socket);
    free(s.schema);
    return r;
}
