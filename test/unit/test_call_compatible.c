/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Clients of an old schema call a server of a new one, over a real socket and shared memory, through the handshake and
 * every form of a call: hundreds of random schemas with random edits. What the diff calls compatible arrives on both
 * sides, streams included; what it does not is refused, and its handler never runs.
 */
#include "call_fixture.h"

#include "core/diff.h"
#include "message_random.h"
#include "schema_edit.h"

#define RECORDS 3u

static const struct arrival strict = {true}, known = {false};
static struct model before, after;

/* The call that runs, for the handler: what was sent in the old client's terms, and what is answered. */
static struct exchange {
    const struct cell_method *old, *now;
    struct filler *f;
    const uint8_t *sent;      /* the request */
    const uint8_t *records;   /* RECORDS of them: sent by the client, or by the handler */
    struct cell_ref *replied; /* by out parameter */
    bool arrived;
    unsigned entered;
} x;

static const struct cell_method *now_methods;

static void reply(void *const *out)
{
    x.replied = cell_arena_array(x.f->arena, x.now->nout, sizeof(*x.replied));
    for (uint32_t i = 0; i < x.now->nout; i++) {
        const struct cell_type *t = x.now->out[i].type;
        uint32_t n = x.now->out[i].count ? x.now->out[i].count : 1;
        uint8_t *values = fill_array(x.f, t, n);
        memcpy(out[i], values, (size_t)n * t->size);
        x.replied[i] = (struct cell_ref){values, n};
    }
}

static int take_records(struct cell_stream *s)
{
    const struct cell_type *from = x.old->stream->type, *to = x.now->stream->type;
    uint8_t *record = cell_arena_array(x.f->arena, 1, to->size);
    uint32_t n = 0;
    int r;
    while ((r = cell_stream_next(s, record)) > 0 && n < RECORDS) {
        x.arrived = x.arrived && arrived(&strict, from, x.records + (size_t)n * from->size, to, record);
        n++;
    }
    x.arrived = x.arrived && r == 0 && n == RECORDS;
    return r;
}

static int handle(cell_ctx *c, const void *in, void *const *out, unsigned method)
{
    x.entered++;
    if (!x.now)
        return CELL_INTERNAL;
    x.arrived = x.now == &now_methods[method] && arrived_params(&strict, x.old->in, x.sent, x.now->in, in, x.old->nin);
    int r = 0;
    if (x.now->stream && !(x.now->flags & CELL_METHOD_WRITES)) {
        x.records = fill_array(x.f, x.now->stream->type, RECORDS);
        r = cell_stream_put(cell_ctx_stream(c), x.records, RECORDS);
    } else if (x.now->stream) {
        r = take_records(cell_ctx_stream(c));
    }
    reply(out);
    return r < 0 ? r : (int)method;
}

/* A handler does not learn which method it answers. */
#define HANDLERS(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)
#define HANDLER(n)                                                                                                     \
    static int handle_##n(cell_ctx *c, const void *in, void *const *out) { return handle(c, in, out, n); }
HANDLERS(HANDLER)
#undef HANDLER
#define NAME(n) handle_##n,
static cell_invoke_fn *const handlers[MODEL_ITEMS] = {HANDLERS(NAME)};
#undef NAME

/* ---- a server of any schema ---- */

struct any_server {
    struct cell_schema *schema;
    struct cell_method methods[MODEL_ITEMS];
    const struct cell_method *pointers[MODEL_ITEMS];
    char *embedded;
    struct cell_provided provided;
    struct demo_server d; /* runs it */
};

static char *embed(const struct cell_schema *s)
{
    struct cell_schema_header header = {.size = 0};
    struct cell_buffer json = {0};
    if (cell_schema_format(s, &json) < 0)
        exit(2);
    header.size = json.len;
    memcpy(header.magic, CELL_SCHEMA_MAGIC, sizeof(header.magic));
    memcpy(header.fingerprint, s->fingerprint, sizeof(header.fingerprint));
    char *blob = malloc(sizeof(header) + json.len);
    memcpy(blob, &header, sizeof(header));
    memcpy(blob + sizeof(header), json.data, json.len);
    cell_buffer_free(&json);
    return blob;
}

static bool any_start(struct any_server *s, struct cell_schema *schema)
{
    struct cell_error e = {0};
    memset(s, 0, sizeof(*s));
    s->schema = schema;
    if (cell_schema_describe(schema, &now_methods, &e) < 0)
        exit(2);
    for (uint32_t i = 0; i < schema->nmethods; i++) {
        s->methods[i] = now_methods[i];
        s->methods[i].invoke = handlers[i];
        s->pointers[i] = &s->methods[i];
    }
    s->embedded = embed(schema);
    s->provided = (struct cell_provided){CELL_DESC_ABI, 0,           schema->cell,
                                         s->embedded,   s->pointers, s->pointers + schema->nmethods};
    s->d.options = (struct cell_server_options){.address = demo_address, .start = say_started};
    sem_init(&s->d.started, 0, 0);
    int r = cell_server_new_from(&s->provided, &s->d.options, &s->d.server);
    if (r < 0) {
        printf("  %s\n", cell_server_message(s->d.server));
        return false;
    }
    demo_start(&s->d);
    return true;
}

static void any_stop(struct any_server *s)
{
    demo_stop(&s->d);
    free(s->embedded);
}

/* ---- calls of an old client ---- */

enum form { FORM_CALL, FORM_AGAIN, FORM_ASYNC, FORM_SEND, FORMS };

static int call_stream(cell_ctx *c, const struct cell_service *old, uint32_t id, void *const *out)
{
    const struct cell_type *t = old->methods[id].stream->type;
    bool reads = !(old->methods[id].flags & CELL_METHOD_WRITES);
    if (!reads) /* before the handler can look */
        x.records = fill_array(x.f, t, RECORDS);
    struct cell_stream *s = cell_stream_open(c, old, id, x.sent);
    uint8_t *record = cell_arena_array(x.f->arena, 1, t->size);
    uint32_t n = 0;
    bool all = true;
    if (!reads)
        cell_stream_put(s, x.records, RECORDS);
    for (; reads && n < RECORDS && cell_stream_next(s, record) > 0; n++)
        all = all && arrived(&known, t, record, x.now->stream->type, x.records + (size_t)n * x.now->stream->type->size);
    if (reads && n == RECORDS)
        all = cell_stream_next(s, record) == 0 && all;
    int r = cell_stream_end(s, out);
    return r < 0 ? r : all && (!reads || n == RECORDS) ? r : CELL_INTERNAL;
}

static int call_as(cell_ctx *c, const struct cell_service *old, uint32_t id, enum form form, void *const *out)
{
    if (old->methods[id].stream)
        return call_stream(c, old, id, out);
    if (form == FORM_ASYNC)
        return cell_wait(c, cell_call_async(c, old, id, x.sent, out));
    if (form == FORM_SEND)
        return cell_send(c, old, id, x.sent, out);
    return cell_call(c, old, id, x.sent, out);
}

/* The result, and whether everything arrived. `now` NULL: it must be refused. */
static bool call_one(cell_ctx *c, const struct cell_service *old, uint32_t id, const struct cell_method *now,
                     enum form form, unsigned seed)
{
    const struct cell_method *m = &old->methods[id];
    struct cell_arena arena = {0};
    struct filler f = {seed, &arena};
    void *out[64];
    struct cell_ref got[64];
    uint8_t *in = cell_arena_array(&arena, 1, m->in_size ? m->in_size : 1);
    unsigned entered = x.entered;
    fill_fields(&f, m->in, m->nin, in);
    for (uint32_t i = 0; i < m->nout; i++) {
        uint32_t n = m->out[i].count ? m->out[i].count : 1;
        out[i] = cell_arena_array(&arena, n, m->out[i].type->size);
        got[i] = (struct cell_ref){out[i], n};
    }
    x.old = m;
    x.now = now;
    x.f = &f;
    x.sent = in;
    x.arrived = false;
    int r = call_as(c, old, id, form, out);
    bool good = now ? r == (int)(now - now_methods) && x.entered == entered + 1 && x.arrived &&
                          arrived_params(&known, m->out, (uint8_t *)got, now->out, (uint8_t *)x.replied, m->nout)
                    : r == CELL_SCHEMA_MISMATCH && x.entered == entered;
    if (!good)
        printf("  %s, form %d: %d %s%s\n", m->name, (int)form, r, cell_ctx_message(c), now ? "" : ", not refused");
    cell_ctx_reset(c);
    cell_arena_free(&arena);
    return good;
}

struct count {
    unsigned pairs, compatible, streams, refused;
};

static bool call_all(struct cell_schema *old, struct cell_schema *now, unsigned seed, struct count *n)
{
    const struct cell_method *methods;
    struct cell_diff *d = NULL;
    struct cell_client *client = NULL;
    if (cell_schema_describe(old, &methods, NULL) < 0 || cell_diff_new(old, now, &d, NULL) < 0)
        exit(2);
    const struct cell_service service = {CELL_DESC_ABI, old->nmethods, old->cell, old->fingerprint,
                                         methods,       NULL,          NULL};
    cell_ctx *c = demo_ctx(&client);
    bool good = true;
    for (enum form form = FORM_CALL; form < FORMS; form++)
        for (uint32_t i = 0; good && i < old->nmethods; i++) {
            const char *name = old->methods[i].name, *now_name = cell_diff_method_now(d, name);
            bool refused = cell_diff_method(d, old, name, NULL) != 0;
            const struct schema_method *m = refused || !now_name ? NULL : cell_schema_method(now, now_name);
            good = refused || m;
            good = good && call_one(c, &service, i, m ? &now_methods[m - now->methods] : NULL, form, seed * 100 + i);
            n->refused += refused;
            n->compatible += !refused;
            n->streams += !refused && methods[i].stream;
        }
    n->pairs++;
    cell_ctx_close(c);
    cell_client_close(client);
    cell_diff_free(d);
    return good;
}

static void edit(unsigned seed)
{
    model_new(&before, seed);
    after = before;
    for (unsigned edits = 1 + model_random(&after, 4); edits > 0; edits--) {
        unsigned i = model_find_struct(&after);
        if (model_random(&after, 3) == 0)
            edit_model(&after);
        else if (i < MODEL_ITEMS && after.types[i].n < MODEL_PARTS) /* mostly what is compatible */
            model_add_field(&after, i, after.types[i].n);
    }
}

TEST(old_clients_and_a_new_server_understand_each_other_as_the_diff_says)
{
    struct count n = {0};
    for (unsigned seed = 1; seed <= 400; seed++) {
        struct any_server s;
        edit(seed);
        struct cell_schema *old = model_build(&before), *now = model_build(&after);
        demo_setup();
        bool good = any_start(&s, now) && call_all(old, now, seed, &n);
        any_stop(&s);
        demo_teardown();
        cell_schema_free(old);
        cell_schema_free(now);
        if (!good)
            printf("  seed %u\n", seed);
        REQUIRE(good);
    }
    printf("  %u pairs of schemas: %u calls served, %u with streams, %u refused\n", n.pairs, n.compatible, n.streams,
           n.refused);
    CHECK(n.compatible > 2000 && n.streams > 300 && n.refused > 500);
}
