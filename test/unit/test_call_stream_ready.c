/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Whether the next step of a stream would wait, on both sides of it, over every carrier. */
#include "stream_fixture.h"

static const struct cell_server_options defaults;
static atomic_int turn; /* of the client and the handler, which take turns: the number of the next step */

static void wait_for_turn(int n)
{
    while (atomic_load(&turn) < n)
        usleep(200);
}

static void wait_until_ready(struct cell_stream *s)
{
    while (!cell_stream_ready(s))
        usleep(200);
}

/* Puts three records when it is told to, and ends when it is told to. */
static int handle_three(cell_ctx *c, const void *in, void *const *out)
{
    const struct item three[3] = {{.n = 1}, {.n = 2}, {.n = 3}};

    (void)in;
    say_entered();
    wait_for_turn(1);
    int r = cell_stream_put(cell_ctx_stream(c), three, 3);
    wait_for_turn(2);
    *(struct total *)out[0] = (struct total){3, 0, {NULL, 0}};
    return say_left(c, r);
}

/* Takes what is put, and says at each step whether it would have waited. */
static int handle_take(cell_ctx *c, const void *in, void *const *out)
{
    struct cell_stream *s = cell_ctx_stream(c);
    struct item some[8];
    struct total *o = out[0];

    (void)in;
    bool early = cell_stream_ready(s); /* nothing was put yet */
    say_entered();
    wait_until_ready(s);
    size_t n = cell_stream_next_n(s, some, 2);
    bool rest = cell_stream_ready(s); /* of the same batch */
    n += cell_stream_next_n(s, some, 8);
    bool late = cell_stream_ready(s);
    atomic_store(&turn, 1);
    wait_until_ready(s);
    o->count = n;
    o->sum = (early ? 1 : 0) | (rest ? 2 : 0) | (late ? 4 : 0) | (cell_stream_next(s, some) == 0 ? 8 : 0) |
             (cell_stream_ready(s) ? 16 : 0);
    return say_left(c, 0);
}

static struct cell_method methods[FLOW_COUNT];
static const struct cell_method *handlers[FLOW_COUNT];

static void begin(struct flow *f, enum carrier k)
{
    for (int i = 0; i < FLOW_COUNT; i++) {
        methods[i] = flow_handlers[i];
        handlers[i] = &methods[i];
    }
    methods[flow_count].invoke = handle_three;
    methods[flow_sum].invoke = handle_take;
    flow_served = handlers;
    atomic_store(&turn, 0);
    flow_begin(f, k, defaults);
}

TEST(a_client_knows_whether_records_have_come)
{
    for (enum carrier k = 0; k < CARRIERS; k++) {
        struct flow f;
        struct item some[8];
        struct total t;
        begin(&f, k);
        struct cell_stream *s = open_count(f.c, 0, 0, 0, 0);
        wait_sem(&shared->entered);
        CHECK(!cell_stream_ready(s));
        atomic_store(&turn, 1);
        wait_until_ready(s);
        CHECK(cell_stream_next_n(s, some, 1) == 1 && some[0].n == 1);
        CHECK(cell_stream_ready(s)); /* the rest of the batch */
        CHECK(cell_stream_next_n(s, some, 8) == 2 && some[1].n == 3);
        CHECK(!cell_stream_ready(s));
        atomic_store(&turn, 2);
        wait_until_ready(s); /* the end */
        CHECK(cell_stream_next(s, some) == 0 && cell_stream_ready(s));
        CHECK(end_total(s, &t) == CELL_OK && t.count == 3);
        flow_end(&f);
    }
}

TEST(a_handler_knows_whether_records_have_come)
{
    for (enum carrier k = 0; k < CARRIERS; k++) {
        const struct item three[3] = {{.n = 1}, {.n = 2}, {.n = 3}};
        struct flow f;
        struct total t;
        begin(&f, k);
        struct cell_stream *s = open_sum(f.c, 0, 0);
        CHECK(cell_stream_ready(s)); /* it is the other side's to take */
        wait_sem(&shared->entered);
        CHECK(cell_stream_put(s, three, 3) == CELL_OK);
        wait_for_turn(1);
        CHECK(end_total(s, &t) == CELL_OK);
        CHECK(t.count == 3 && t.sum == (2 | 8 | 16));
        flow_end(&f);
    }
}

TEST(who_can_take_nothing_does_not_wait_for_it)
{
    for (enum carrier k = 0; k < CARRIERS; k++) {
        struct flow f;
        struct item i;
        struct total t;
        begin(&f, k);
        struct cell_stream *s = open_count(f.c, 0, 0, 0, 0);
        wait_sem(&shared->entered);
        cell_ctx_cancel(f.c);
        CHECK(cell_stream_ready(s) && cell_stream_next(s, &i) == CELL_CANCELLED && cell_stream_ready(s));
        atomic_store(&turn, 2);
        CHECK(end_total(s, &t) == CELL_CANCELLED);
        wait_sem(&shared->left);
        flow_end(&f);
    }
    CHECK(cell_stream_ready(NULL));
}
