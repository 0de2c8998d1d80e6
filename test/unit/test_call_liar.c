/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Calls of every form between a client and a server that each see the other lie about anything in shared memory, at any
 * moment. They are served or fail. What a handler or a caller gets was checked and cannot change any more: texts are
 * whole, end with a NUL and are UTF-8, booleans are 0 or 1; in a reply that is read in place, only its bytes change.
 */
#include "async_calls.h"
#include "crowd_fixture.h"
#include "liar.h"
#include "process_state.h"
#include "stream_fixture.h"
#include "wire/rules.h"

#define ROUNDS 400
#define LIES 20000u
#define LARGE 70000u
#define MANY 8
#define TIMEOUT_MS 15 /* a lie may be that nothing has come */

static atomic_uint wrong;
static uint8_t large[LARGE];

static void touch(const void *bytes, size_t len)
{
    volatile uint64_t sum = 0;
    for (size_t i = 0; i < len; i++)
        sum += ((const uint8_t *)bytes)[i];
}

/* A text that was copied and checked. */
static void check_text(cell_str text)
{
    if (text.len && (text.ptr[text.len] != '\0' || !cell_utf8_valid(text.ptr, text.len)))
        atomic_fetch_add(&wrong, 1);
}

static void check_account(const struct account *a)
{
    unsigned flags = 0;
    check_text(a->email);
    for (uint64_t i = 0; i < a->tags.len; i++) {
        check_text(a->tags.ptr[i].key);
        touch(a->tags.ptr[i].value.ptr, a->tags.ptr[i].value.len);
        if (a->tags.ptr[i].note.has)
            check_text(a->tags.ptr[i].note.value);
    }
    touch(a->track.ptr, a->track.len * sizeof(*a->track.ptr));
    for (uint64_t i = 0; i < a->flags.len; i++)
        flags += a->flags.ptr[i]; /* UBSan looks at it */
    if (flags > a->flags.len)
        atomic_fetch_add(&wrong, 1);
}

/* ---- the cell ---- */

/* What a client must not send: checked before the handler, in memory that nobody can change after that. */
static const struct cell_rule few[] = {{CELL_RULE_SIGNED, 0, 0, 1000, NULL, NULL}, {0}};
static const struct cell_rule short_text[] = {{CELL_RULE_LENGTH, 0, 0, 2000, NULL, NULL}, {0}};
static const struct cell_field ruled_add[] = {{"a", &cell_type_i32, 0, 0, CELL_FIELD_RULED, few},
                                              {"b", &cell_type_i32, 4, 0, CELL_FIELD_RULED, few}};
static const struct cell_field ruled_echo[] = {{"text", &cell_type_str, 0, 0, CELL_FIELD_RULED, short_text},
                                               {"data", &cell_type_bytes, 16, 0, 0, NULL}};

static int careful_add(cell_ctx *c, const void *in, void *const *out)
{
    const volatile struct add_in *i = in;
    (void)c;
    for (int k = 0; k < 50; k++)
        if (i->a < 0 || i->a > 1000 || i->b < 0 || i->b > 1000)
            atomic_fetch_add(&wrong, 1);
    *(int32_t *)out[0] = i->a + i->b;
    return 0;
}

static int careful_echo(cell_ctx *c, const void *in, void *const *out)
{
    const struct echo_in *i = in;
    cell_bytes data = i->data;
    check_text(i->text);
    if (cell_utf8_length(i->text.ptr, i->text.len) > 2000)
        atomic_fetch_add(&wrong, 1);
    touch(data.ptr, data.len);
    uint8_t *lent = data.len >= 4096 ? cell_ctx_lend(c, data.len) : NULL;
    if (lent) {
        memcpy(lent, data.ptr, data.len);
        data.ptr = lent;
    }
    *(struct echo_out *)out[0] = (struct echo_out){i->text, data, 1};
    return 0;
}

static int careful_rich(cell_ctx *c, const void *in, void *const *out)
{
    (void)c;
    const struct account *a = ((const struct cell_ref *)in)->ptr;
    check_account(a);
    *(struct account *)out[0] = *a;
    return 0;
}

/* ---- calls ---- */

struct caller {
    struct cell_client *client;
    cell_ctx *c;
    uint64_t random;
    unsigned served, failed;
};

static void count(struct caller *k, int r)
{
    k->served += r >= 0;
    k->failed += r < 0;
}

static void check_echo(const struct echo_out *o)
{
    check_text(o->text);
    touch(o->data.ptr, o->data.len);
}

static int echo(struct caller *k, size_t text, size_t data)
{
    static char words[4096];
    struct echo_out o;
    memset(words, 'w', sizeof(words));
    memcpy(words, "gr\xc3\xbc\xc3\x9f", 6);
    int r = call_echo(k->c, (cell_str){words, text}, (cell_bytes){large, data}, &o);
    if (r >= 0)
        check_echo(&o);
    return r;
}

static int rich(struct caller *k)
{
    static const struct tag tags[2] = {{.key = {"key", 3}, .note = {true, {"noted", 5}}}, {.key = {"other", 5}}};
    static const struct point points[3] = {{1, 2, 3.0f}, {4, 5, 6.0f}, {7, 8, 9.0f}};
    static const bool flags[4] = {true, false, true, true};
    const struct account a = {
        .id = 7, .email = CELL_STR("ada@example.org"), .tags = {tags, 2}, .track = {points, 3}, .flags = {flags, 4}};
    struct account got;
    int r = call_rich(k->c, &a, &got);
    if (r >= 0)
        check_account(&got);
    return r;
}

/* The request is written into shared memory, the reply read there. */
static int in_place(struct caller *k)
{
    struct echo_out o;
    void *const out[] = {&o};
    uint8_t *bytes = cell_begin(k->c, &demo, demo_echo, LARGE);
    struct echo_in in = {CELL_STR("in place"), {bytes, LARGE}};
    if (bytes)
        memcpy(bytes, large, LARGE);
    else
        in.data.ptr = large;
    int r = cell_send(k->c, &demo, demo_echo, &in, out);
    if (r >= 0) {
        touch(o.text.ptr, o.text.len);
        touch(o.data.ptr, o.data.len);
    }
    cell_release(k->c);
    return r;
}

static void several(struct caller *k, bool batch)
{
    struct echo_out outs[MANY];
    int32_t sums[MANY];
    int tickets[MANY];
    if (batch)
        cell_batch_begin(k->c);
    for (int i = 0; i < MANY; i++)
        tickets[i] =
            i % 2 ? echo_async(k->c, (cell_bytes){large, (size_t)i * 700}, &outs[i]) : add_async(k->c, i, 1, &sums[i]);
    if (batch)
        cell_batch_end(k->c);
    for (int i = 0; i < MANY; i++) {
        int r = tickets[i] < 0 ? tickets[i] : cell_wait(k->c, tickets[i]);
        count(k, r);
        if (r >= 0 && i % 2)
            check_echo(&outs[i]);
    }
}

static void call_once(struct caller *k)
{
    int32_t sum;
    switch (liar_draw(&k->random) % 8) {
    case 0:
    case 1:
        count(k, call_add(k->c, 1, 2, &sum));
        break;
    case 2:
        count(k, echo(k, liar_draw(&k->random) % 60, 8));
        break;
    case 3:
        count(k, echo(k, 1000, liar_draw(&k->random) % 3000));
        break;
    case 4:
        count(k, echo(k, 20, LARGE));
        break;
    case 5:
        count(k, rich(k));
        break;
    case 6:
        count(k, in_place(k));
        break;
    default:
        several(k, liar_draw(&k->random) % 2);
        break;
    }
    cell_ctx_reset(k->c);
}

static void open_caller(struct caller *k, uint64_t seed, uint32_t timeout_ms)
{
    *k = (struct caller){.random = seed};
    CHECK(cell_client_open(demo_address, &k->client) == CELL_OK);
    k->c = cell_ctx_open(&(struct cell_ctx_options){.client = k->client, .timeout_ms = timeout_ms});
}

static void close_caller(struct caller *k)
{
    cell_ctx_close(k->c);
    cell_client_close(k->client);
}

/* Without lies everything is as it should be. */
static void check_truth(void)
{
    struct caller k;
    int32_t sum = 0;
    open_caller(&k, 9, 60000);
    CHECK(call_add(k.c, 20, 22, &sum) == 0 && sum == 42);
    for (int i = 0; i < 40; i++)
        call_once(&k);
    CHECK(k.failed == 0 && k.served >= 40);
    close_caller(&k);
}

TEST(calls_of_every_form_stand_a_peer_that_lies)
{
    struct demo_server d = {0};
    struct caller k;
    static struct liar liar;
    unsigned fds = open_descriptors(), maps = shared_mappings();
    demo_setup();
    atomic_store(&shared->release, 1); /* lies may be about which method is called */
    crowd_handler(&d, demo_echo, careful_echo);
    crowd_handler(&d, demo_rich, careful_rich);
    crowd_handler(&d, demo_add, careful_add);
    crowd_rules(demo_add, ruled_add);
    crowd_rules(demo_echo, ruled_echo);
    demo_start(&d);
    check_truth();
    REQUIRE(liar_start(&liar, 88172645463325252));
    open_caller(&k, 7, TIMEOUT_MS);
    for (int i = 0; i < ROUNDS || atomic_load(&liar.lies) < LIES; i++)
        call_once(&k);
    close_caller(&k);
    liar_stop(&liar);
    printf("# among %u lies %u calls were served and %u failed\n", atomic_load(&liar.lies), k.served, k.failed);
    CHECK(k.served > 0 && k.failed > 0);
    check_truth();
    demo_stop(&d);
    CHECK(atomic_load(&wrong) == 0);
    CHECK(open_descriptors() == fds && shared_mappings() == maps);
    demo_teardown();
}

/* ---- streams ---- */

static int take_lines(struct caller *k)
{
    const uint64_t n = 30;
    struct line l;
    struct cell_stream *s = cell_stream_open(k->c, &flow, flow_lines, &n);
    while (cell_stream_next(s, &l) > 0)
        check_text(l.text);
    return cell_stream_end(s, NULL);
}

static int put_lines(struct caller *k)
{
    struct total t;
    int r = 0;
    struct cell_stream *s = cell_stream_open(k->c, &flow, flow_join, NULL);
    for (int i = 0; r >= 0 && i < 100; i++) {
        const struct line l = {0, {"aaaaaaaa", 8}};
        r = cell_stream_put(s, &l, 1);
    }
    return end_total(s, &t);
}

static int take_items(struct caller *k)
{
    struct item some[64];
    struct total t;
    size_t n = 1;
    struct cell_stream *s = open_count(k->c, 0, 3000, 64, 0);
    for (uint64_t all = 0; n > 0 && all < 100000; all += n) { /* how many come may be a lie */
        n = cell_stream_next_n(s, some, 64);
        touch(some, n * sizeof(some[0]));
    }
    return end_total(s, &t);
}

static int put_items(struct caller *k)
{
    struct item some[16] = {{0}};
    struct total t;
    int r = 0;
    struct cell_stream *s = open_sum(k->c, UINT64_MAX, 100);
    for (int i = 0; r >= 0 && i < 200; i++)
        r = cell_stream_put(s, some, 16);
    r = end_total(s, &t);
    if (r >= 0)
        touch(t.data.ptr, t.data.len);
    return r;
}

static void stream_once(struct caller *k)
{
    static int (*const ways[])(struct caller *) = {take_lines, put_lines, take_items, put_items};
    count(k, ways[liar_draw(&k->random) % 4](k));
    cell_ctx_reset(k->c);
}

TEST(streams_stand_a_peer_that_lies)
{
    struct flow f;
    struct caller k;
    static struct liar liar;
    uint64_t sum = 0;
    unsigned fds = open_descriptors(), maps = shared_mappings();
    flow_begin(&f, OVER_SHM, (struct cell_server_options){0});
    atomic_store(&shared->release, 1);
    atomic_store(&wrong, 0);
    REQUIRE(liar_start(&liar, 88172645463325253));
    open_caller(&k, 7, TIMEOUT_MS);
    for (int i = 0; i < ROUNDS / 2 || atomic_load(&liar.lies) < LIES; i++)
        stream_once(&k);
    close_caller(&k);
    liar_stop(&liar);
    printf("# among %u lies %u streams were served and %u failed\n", atomic_load(&liar.lies), k.served, k.failed);
    CHECK(k.served > 0 && k.failed > 0);
    /* Its connection was lied on, too. A context that is closed gives it back to its client, so that goes as well. */
    cell_ctx_close(f.c);
    cell_client_close(f.client);
    REQUIRE(cell_client_open(demo_address, &f.client) == CELL_OK);
    f.c = flow_ctx(&f, 60000);
    CHECK(flow_call_add(f.c, 1, &sum) == 0 && sum == 2);
    open_caller(&k, 9, 60000);
    for (int i = 0; i < 20; i++)
        stream_once(&k);
    CHECK(k.failed == 0 && k.served == 20);
    close_caller(&k);
    flow_end(&f);
    CHECK(atomic_load(&wrong) == 0);
    CHECK(open_descriptors() == fds && shared_mappings() == maps);
}
