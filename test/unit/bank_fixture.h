/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A small cell that has transactions, "bank": a number that calls add to. And functions that do something in one. */
#ifndef CELL_TEST_BANK_FIXTURE_H
#define CELL_TEST_BANK_FIXTURE_H

#include "call/server_parts.h"
#include "call_fixture.h"

/* ---- the cell ---- */

#define MOST_OPEN 4

static struct {
    pthread_mutex_t lock;
    int64_t value; /* what was committed */
    struct {
        char token[40];
        int64_t added;
    } open[MOST_OPEN];
    uint64_t begun;
    int begins, commits, rollbacks, adds, outside; /* calls */
    int abort_adds, abort_commits;                 /* how many of the next are aborted */
    int lose_begins, lose_adds;                    /* and how many lose their connection */
    int fail_commit, fail_begin;                   /* a status */
    uint32_t isolation;
    const char *token; /* in place of a good one */
    bool hold_commits, deaf;
    atomic_int held;
    char tenant[16]; /* metadata of the last rollback */
} bank = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Nobody hears how the call went. */
static void lose(cell_ctx *c) { cell_conn_interrupt(((struct server_conn *)c->origin)->conn); }

static int find_open(const char *token, uint64_t len)
{
    for (int i = 0; i < MOST_OPEN; i++)
        if (bank.open[i].token[0] && strlen(bank.open[i].token) == len && memcmp(bank.open[i].token, token, len) == 0)
            return i;
    return -1;
}

static int handle_begin(cell_ctx *c, const void *in, void *const *out)
{
    int free_one = 0, r = bank.fail_begin;
    pthread_mutex_lock(&bank.lock);
    bank.begins++;
    bank.isolation = *(const uint32_t *)in;
    while (free_one < MOST_OPEN && bank.open[free_one].token[0])
        free_one++;
    if (free_one == MOST_OPEN)
        r = CELL_RESOURCE_EXHAUSTED;
    if (r == 0 && bank.token) {
        *(cell_str *)out[0] = cell_strz(bank.token);
    } else if (r == 0) {
        snprintf(bank.open[free_one].token, sizeof(bank.open[0].token), "%032llx", (unsigned long long)++bank.begun);
        bank.open[free_one].added = 0;
        *(cell_str *)out[0] = cell_ctx_printf(c, "%s", bank.open[free_one].token);
    }
    bool loses = bank.lose_begins > 0 && bank.lose_begins-- > 0;
    if (loses) /* a cell ends what it hears no more of */
        bank.open[free_one].token[0] = '\0';
    pthread_mutex_unlock(&bank.lock);
    if (loses)
        lose(c);
    return r < 0 ? cell_fail(c, r, "no transaction now") : 0;
}

static int end_one(cell_ctx *c, const cell_str *token, bool commits, int status)
{
    int i = find_open(token->ptr, token->len);
    if (i < 0)
        return cell_fail(c, CELL_NOT_FOUND, "there is no such transaction");
    if (commits && status == 0)
        bank.value += bank.open[i].added;
    bank.open[i].token[0] = '\0';
    return status < 0 ? cell_fail(c, status, "it could not be committed") : 0;
}

static int handle_commit(cell_ctx *c, const void *in, void *const *out)
{
    (void)out;
    if (bank.hold_commits) {
        atomic_fetch_add(&bank.held, 1);
        while (!cell_ctx_cancelled(c))
            usleep(300);
        return CELL_CANCELLED;
    }
    pthread_mutex_lock(&bank.lock);
    bank.commits++;
    int status = bank.abort_commits > 0 ? CELL_ABORTED : bank.fail_commit;
    bank.abort_commits--;
    int r = end_one(c, in, true, status);
    pthread_mutex_unlock(&bank.lock);
    return r;
}

static int handle_rollback(cell_ctx *c, const void *in, void *const *out)
{
    cell_str tenant = {NULL, 0};
    (void)out;
    pthread_mutex_lock(&bank.lock);
    bank.rollbacks++;
    if (cell_ctx_metadata(c, "tenant", &tenant) == CELL_OK)
        snprintf(bank.tenant, sizeof(bank.tenant), "%.*s", CELL_FMT(tenant));
    int r = end_one(c, in, false, 0);
    pthread_mutex_unlock(&bank.lock);
    return r;
}

/* Adds within the transaction of the call, or at once. */
static int add(cell_ctx *c, int64_t n)
{
    cell_str token;
    bool inside = cell_ctx_metadata(c, "transaction", &token) == CELL_OK;
    int r = 0;
    pthread_mutex_lock(&bank.lock);
    int i = inside ? find_open(token.ptr, token.len) : -1;
    bank.adds++;
    bank.outside += !inside;
    if (inside && i < 0)
        r = CELL_NOT_FOUND;
    else if (bank.abort_adds-- > 0)
        r = CELL_ABORTED;
    else if (inside)
        bank.open[i].added += n;
    else
        bank.value += n;
    bool loses = bank.lose_adds > 0 && bank.lose_adds-- > 0;
    pthread_mutex_unlock(&bank.lock);
    if (loses)
        lose(c);
    return r < 0 ? cell_fail(c, r, "nothing was added") : 0;
}

static int handle_add_n(cell_ctx *c, const void *in, void *const *out)
{
    (void)out;
    return add(c, *(const int64_t *)in);
}

static int handle_load(cell_ctx *c, const void *in, void *const *out)
{
    int64_t one, sum = 0;
    int r;
    (void)in;
    (void)out;
    while ((r = cell_stream_next(cell_ctx_stream(c), &one)) > 0)
        sum += one;
    return r < 0 ? r : add(c, sum);
}

/* A transaction of the cell with itself, in a handler. */
static struct cell_client *bank_nested_client;
static int add_nested(cell_ctx *c, void *user);
static int handle_nested(cell_ctx *c, const void *in, void *const *out)
{
    (void)out;
    cell_ctx_set_client(c, bank_nested_client);
    return cell_transaction(c, "bank", add_nested, (void *)(uintptr_t)in);
}

static const struct cell_field isolation_in[] = {{"isolation", &cell_type_u32, 0, 0, 0, 0}};
static const struct cell_field token_in[] = {{"token", &cell_type_str, 0, 0, 0, 0}};
static const struct cell_field token_out[] = {{"token", &cell_type_str, 0, 0, CELL_FIELD_REF | CELL_FIELD_OUT, 0}};
static const struct cell_field i64_in[] = {{"n", &cell_type_i64, 0, 0, 0, 0}};
static const struct cell_field i64_stream = {"numbers", &cell_type_i64, 0, 0, 0, 0};

enum { bank_add, bank_begin, bank_commit, bank_load, bank_nested, bank_rollback, BANK_COUNT };
static const struct cell_method bank_handlers[] = {
    {"bank_add", i64_in, NULL, 1, 0, 8, 0, handle_add_n, NULL, NULL},
    {"bank_begin", isolation_in, token_out, 1, 1, 4, 0, handle_begin, NULL, NULL},
    {"bank_commit", token_in, NULL, 1, 0, 16, 0, handle_commit, NULL, NULL},
    {"bank_load", NULL, NULL, 0, 0, 0, CELL_METHOD_WRITES, handle_load, &i64_stream, NULL},
    {"bank_nested", i64_in, NULL, 1, 0, 8, 0, handle_nested, NULL, NULL},
    {"bank_rollback", token_in, NULL, 1, 0, 16, 0, handle_rollback, NULL, NULL},
};
static const struct cell_method *const bank_pointers[] = {&bank_handlers[0], &bank_handlers[1], &bank_handlers[2],
                                                          &bank_handlers[3], &bank_handlers[4], &bank_handlers[5]};
static char bank_fingerprint[65];
static struct cell_service service = {CELL_DESC_ABI, BANK_COUNT, "bank", bank_fingerprint, bank_handlers, NULL, NULL};

struct opened {
    struct demo_server d;
    bool run;
    struct cell_client *client;
    cell_ctx *c;
};

/* The same as demo_new does, of another service. */
static void bank_new(struct demo_server *d)
{
    d->schema = embed_schema(&service, bank_fingerprint);
    d->provided =
        (struct cell_provided){CELL_DESC_ABI, 0, "bank", d->schema, bank_pointers, bank_pointers + BANK_COUNT};
    d->options.address = demo_address;
    d->options.start = say_started;
    REQUIRE(cell_server_new_from(&d->provided, &d->options, &d->server) == CELL_OK);
    sem_init(&d->started, 0, 0);
}

static void bank_open(struct opened *o, bool run)
{
    memset(o, 0, sizeof(*o));
    memset(&bank.value, 0, sizeof(bank) - offsetof(__typeof__(bank), value));
    demo_setup();
    bank_new(&o->d);
    o->run = run;
    if (run)
        demo_start(&o->d);
    CHECK((run ? cell_client_open(demo_address, &o->client) : cell_client_in_process(o->d.server, &o->client)) ==
          CELL_OK);
    const struct cell_ctx_options options = {.client = o->client, .timeout_ms = 60000};
    o->c = cell_ctx_open(&options);
    bank_nested_client = o->client;
}

static void bank_close(struct opened *o)
{
    cell_ctx_close(o->c);
    if (o->run)
        demo_stop(&o->d); /* its handlers may use the client until then */
    cell_client_close(o->client);
    if (!o->run)
        demo_free(&o->d);
    for (int i = 0; i < MOST_OPEN; i++)
        CHECK(!bank.open[i].token[0]); /* every transaction was ended */
    demo_teardown();
}

/* ---- bodies ---- */

struct asked {
    int runs;
    int result; /* of the body, at the end */
    int64_t n;
    enum { TWICE, ASYNC, STREAM, LEAVE_TICKET, LEAVE_STREAM, NEST, RESET, CANCEL, SWALLOW, PLAIN } how;
    int first; /* what the first call returned */
};

static int call_add_n(cell_ctx *c, int64_t n) { return cell_call(c, &service, bank_add, &n, NULL); }

static int add_nested(cell_ctx *c, void *user)
{
    int r = call_add_n(c, *(const int64_t *)user);
    return r < 0 ? r : call_add_n(c, 1);
}

static int stream_in(cell_ctx *c, int64_t n, bool ends)
{
    struct cell_stream *s = cell_stream_open(c, &service, bank_load, NULL);
    for (int64_t i = 0; i < n; i++)
        cell_stream_put(s, &(int64_t){1}, 1);
    return ends ? cell_stream_end(s, NULL) : 0;
}

static int work(cell_ctx *c, void *user)
{
    struct asked *a = user;
    int r = 0;
    a->runs++;
    switch (a->how) {
    case ASYNC:
        for (int i = 0; i < 3 && r == 0; i++) { /* the second of two is a short call, once there is a connection */
            int first = cell_call_async(c, &service, bank_add, &a->n, NULL);
            int second = cell_call_async(c, &service, bank_add, &a->n, NULL);
            r = cell_wait(c, first);
            r = r < 0 ? r : cell_wait(c, second);
        }
        break;
    case STREAM:
        r = stream_in(c, a->n, true);
        break;
    case LEAVE_TICKET:
        cell_call_async(c, &service, bank_add, &a->n, NULL);
        break;
    case LEAVE_STREAM:
        stream_in(c, a->n, false);
        break;
    case NEST:
        r = cell_transaction(c, "bank", work, user);
        break;
    case RESET:
        cell_ctx_reset(c);
        r = call_add_n(c, a->n);
        break;
    case PLAIN:
        return a->result;
    case CANCEL:
        cell_ctx_cancel(c);
        r = call_add_n(c, a->n);
        break;
    default:
        r = call_add_n(c, a->n);
        a->first = r;
        if (r == 0)
            r = call_add_n(c, a->n);
        if (a->how == SWALLOW && r < 0)
            r = CELL_UNKNOWN;
    }
    return r < 0 ? r : a->result < 0 ? cell_fail(c, a->result, "the body has had enough") : a->result;
}

#endif
