/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Transactions on the client's side, with a small cell "bank" that has them: a number that calls add to. */
#include "call_fixture.h"

#include "call/server_parts.h"

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
    int fail_commit, fail_begin;                   /* a status */
    uint32_t isolation;
    const char *token; /* in place of a good one */
    bool hold_commits, deaf;
    atomic_int held;
    char tenant[16]; /* metadata of the last rollback */
} bank = {.lock = PTHREAD_MUTEX_INITIALIZER};

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
    pthread_mutex_unlock(&bank.lock);
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
    pthread_mutex_unlock(&bank.lock);
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
static struct cell_service service = {CELL_DESC_ABI, BANK_COUNT, "bank", bank_fingerprint, bank_handlers, NULL};

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
        for (int i = 0; i < 6 && r == 0; i++) /* the first one connects, the last one is a short call */
            r = cell_wait(c, cell_call_async(c, &service, bank_add, &a->n, NULL));
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

/* ---- what is done and what is not ---- */

TEST(what_a_transaction_does_is_done_together)
{
    for (int run = 0; run < 2; run++) {
        struct opened o;
        struct asked a = {.n = 5, .result = 9};
        bank_open(&o, run);
        cell_ctx_set_metadata(o.c, "tenant", CELL_STR("acme"));
        CHECK(cell_transaction(o.c, "bank", work, &a) == 9);
        CHECK(bank.value == 10 && bank.commits == 1 && bank.rollbacks == 0 && a.runs == 1 && bank.isolation == 0);
        CHECK(call_add_n(o.c, 1) == 0 && bank.value == 11 && bank.outside == 1); /* outside of it again */
        a = (struct asked){.n = 5, .result = CELL_OUT_OF_RANGE};
        CHECK(cell_transaction(o.c, "bank", work, &a) == CELL_OUT_OF_RANGE);
        CHECK_STR(cell_ctx_message(o.c), "the body has had enough");
        CHECK(bank.value == 11 && bank.commits == 1 && bank.rollbacks == 1 && a.runs == 1);
        CHECK_STR(bank.tenant, "acme");
        a = (struct asked){.n = 3, .how = ASYNC};
        CHECK(cell_transaction(o.c, "bank", work, &a) == 0 && bank.value == 29);
        a = (struct asked){.n = 4, .how = STREAM};
        CHECK(cell_transaction(o.c, "bank", work, &a) == 0 && bank.value == 33);
        a = (struct asked){.n = 2, .how = RESET};
        CHECK(cell_transaction(o.c, "bank", work, &a) == 0 && bank.value == 35);
        CHECK(bank.outside == 1);
        bank_close(&o);
    }
}

static int other_cell(cell_ctx *c, void *user)
{
    const cell_str key = CELL_STR("transaction");
    cell_str value = {NULL, 0};
    void *const out[] = {&value};
    struct cell_client *bank_client = c->client;
    cell_ctx_set_client(c, user);
    int r = cell_call(c, &demo, demo_meta, &key, out);
    cell_ctx_set_client(c, bank_client);
    CHECK(r == CELL_NOT_FOUND); /* it is another cell's affair */
    return call_add_n(c, 1);
}

TEST(calls_to_other_cells_do_not_carry_the_token)
{
    struct opened o;
    struct demo_server d = {0};
    struct cell_client *client = NULL;
    bank_open(&o, false);
    demo_new(&d);
    CHECK(cell_client_in_process(d.server, &client) == CELL_OK);
    CHECK(cell_transaction(o.c, "bank", other_cell, client) == 0 && bank.value == 1);
    cell_client_close(client);
    demo_free(&d);
    bank_close(&o);
}

TEST(a_handler_has_transactions_with_its_own_context)
{
    for (int run = 0; run < 2; run++) {
        struct opened o;
        int64_t n = 6;
        bank_open(&o, run);
        cell_ctx_set_metadata(o.c, "tenant", CELL_STR("acme"));
        CHECK(cell_call(o.c, &service, bank_nested, &n, NULL) == 0);
        CHECK(bank.value == 7 && bank.commits == 1 && bank.outside == 0);
        bank.abort_adds = 1;
        CHECK(cell_call(o.c, &service, bank_nested, &n, NULL) == 0);
        CHECK(bank.value == 14 && bank.begins == 3);
        bank_close(&o);
    }
}

/* ---- again ---- */

TEST(what_was_aborted_is_done_again_from_the_beginning)
{
    struct opened o;
    struct asked a = {.n = 5};
    bank_open(&o, true);
    bank.abort_adds = 1; /* a call */
    CHECK(cell_transaction(o.c, "bank", work, &a) == 0);
    CHECK(a.runs == 2 && bank.value == 10 && bank.begins == 2 && bank.rollbacks == 1 && bank.commits == 1);
    bank.abort_commits = 2; /* the commit */
    a = (struct asked){.n = 5};
    CHECK(cell_transaction(o.c, "bank", work, &a) == 0);
    CHECK(a.runs == 3 && bank.value == 20 && bank.begins == 5 && bank.rollbacks == 1);
    bank.abort_adds = 1; /* a call, and the body makes another error of it */
    a = (struct asked){.n = 5, .how = SWALLOW};
    CHECK(cell_transaction(o.c, "bank", work, &a) == 0 && a.runs == 2 && bank.value == 30);
    a = (struct asked){.result = CELL_NOT_FOUND, .how = PLAIN}; /* what an earlier one left is not this one's */
    cell_fail(o.c, CELL_ABORTED, "earlier");
    CHECK(cell_transaction(o.c, "bank", work, &a) == CELL_NOT_FOUND && a.runs == 1);
    bank_close(&o);
}

TEST(it_is_not_tried_for_ever)
{
    struct opened o;
    struct asked a = {.n = 5};
    bank_open(&o, false);
    bank.abort_commits = 1000;
    CHECK(cell_transaction(o.c, "bank", work, &a) == CELL_ABORTED);
    CHECK(a.runs == 10 && bank.begins == 10 && bank.value == 0);
    CHECK(strstr(cell_ctx_message(o.c), "a transaction with 'bank', 10 times: "));
    CHECK(strstr(cell_ctx_message(o.c), "it could not be committed"));
    a = (struct asked){.n = 5, .result = CELL_ABORTED}; /* whoever says so */
    CHECK(cell_transaction(o.c, "bank", work, &a) == CELL_ABORTED && a.runs == 10);
    bank_close(&o);
}

static int slow_abort(cell_ctx *c, void *user)
{
    ++*(int *)user;
    cell_ctx_set_timeout_ms(c, 1000); /* the calls have their time; it is the whole that takes too long */
    usleep(30000);
    return cell_fail(c, CELL_ABORTED, "again and again");
}

TEST(it_is_not_tried_again_when_the_time_is_over)
{
    struct opened o;
    int runs = 0;
    bank_open(&o, false);
    cell_ctx_set_timeout_ms(o.c, 20);
    CHECK(cell_transaction(o.c, "bank", slow_abort, &runs) == CELL_ABORTED);
    CHECK(runs == 1);
    bank_close(&o);
}

static void *cancel_held_commit(void *arg)
{
    while (!atomic_load(&bank.held))
        usleep(300);
    cell_ctx_cancel(arg);
    return NULL;
}

static int abort_and_be_cancelled(cell_ctx *c, void *user)
{
    cell_ctx_cancel(c); /* while nothing is called: the pause before the next attempt takes it */
    ++*(int *)user;
    return cell_fail(c, CELL_ABORTED, "again");
}

TEST(a_cancelled_transaction_is_rolled_back_and_not_tried_again)
{
    struct opened o;
    int runs = 0;
    struct asked a = {.n = 5, .how = CANCEL};
    bank_open(&o, true);
    CHECK(cell_transaction(o.c, "bank", work, &a) == CELL_CANCELLED);
    CHECK(bank.value == 0 && bank.rollbacks == 1 && bank.commits == 0 && a.runs == 1);
    CHECK(cell_transaction(o.c, "bank", abort_and_be_cancelled, &runs) == CELL_CANCELLED);
    CHECK(runs == 1 && bank.rollbacks == 2);
    CHECK(call_add_n(o.c, 1) == 0); /* it was taken */
    bank.hold_commits = true;
    pthread_t thread;
    a = (struct asked){.n = 5};
    pthread_create(&thread, NULL, cancel_held_commit, o.c);
    int r = cell_transaction(o.c, "bank", work, &a);
    pthread_join(thread, NULL);
    CHECK(r == CELL_CANCELLED && bank.value == 1 && bank.rollbacks == 3);
    bank.hold_commits = false;
    bank_close(&o);
}

TEST(a_commit_that_is_not_answered_is_rolled_back_if_it_did_not_happen)
{
    struct opened o;
    struct asked a = {.n = 5};
    bank_open(&o, true);
    bank.hold_commits = true;
    cell_ctx_set_timeout_ms(o.c, 50);
    CHECK(cell_transaction(o.c, "bank", work, &a) == CELL_DEADLINE_EXCEEDED);
    CHECK(strstr(cell_ctx_message(o.c), "committing a transaction with 'bank'"));
    CHECK(bank.value == 0 && bank.rollbacks == 1);
    bank_close(&o);
}

/* ---- what is refused ---- */

TEST(a_transaction_within_another_is_refused)
{
    struct opened o;
    struct asked a = {.n = 5, .how = NEST};
    bank_open(&o, false);
    CHECK(cell_transaction(o.c, "bank", work, &a) == CELL_FAILED_PRECONDITION);
    CHECK_STR(cell_ctx_message(o.c), "'bank': a transaction with 'bank' runs already");
    CHECK(a.runs == 1 && bank.begins == 1 && bank.rollbacks == 1);
    bank_close(&o);
}

TEST(what_a_body_leaves_unfinished_is_not_committed)
{
    struct opened o;
    struct asked a = {.n = 5, .how = LEAVE_TICKET};
    bank_open(&o, true);
    CHECK(cell_transaction(o.c, "bank", work, &a) == CELL_FAILED_PRECONDITION);
    CHECK_STR(cell_ctx_message(o.c),
              "the function of a transaction with 'bank' has left 1 calls or streams unfinished");
    CHECK(bank.commits == 0 && bank.rollbacks == 1);
    cell_ctx_reset(o.c);
    a = (struct asked){.n = 5, .how = LEAVE_STREAM};
    CHECK(cell_transaction(o.c, "bank", work, &a) == CELL_FAILED_PRECONDITION && bank.rollbacks == 2);
    CHECK(bank.value == 0);
    cell_ctx_reset(o.c);
    /* What was there before is not its affair. */
    int ticket = cell_call_async(o.c, &service, bank_add, &(int64_t){1}, NULL);
    a = (struct asked){.n = 5};
    CHECK(cell_transaction(o.c, "bank", work, &a) == 0);
    CHECK(cell_wait(o.c, ticket) == 0 && bank.value == 11);
    bank_close(&o);
}

TEST(errors_of_the_beginning_and_the_commit_say_what_they_are)
{
    struct opened o;
    struct asked a = {.n = 5};
    static char large[CELL_MAX_TOKEN + 2];
    memset(large, 'x', CELL_MAX_TOKEN + 1);
    bank_open(&o, true);
    bank.fail_begin = CELL_PERMISSION_DENIED;
    CHECK(cell_transaction(o.c, "bank", work, &a) == CELL_PERMISSION_DENIED && a.runs == 0);
    CHECK_STR(cell_ctx_message(o.c), "beginning a transaction with 'bank': no transaction now");
    bank.fail_begin = 0;
    bank.fail_commit = CELL_ALREADY_EXISTS;
    CHECK(cell_transaction(o.c, "bank", work, &a) == CELL_ALREADY_EXISTS && a.runs == 1);
    CHECK_STR(cell_ctx_message(o.c), "committing a transaction with 'bank': it could not be committed");
    bank.fail_commit = 0;
    for (int i = 0; i < 2; i++) {
        bank.token = i ? large : "";
        CHECK(cell_transaction(o.c, "bank", work, &a) == CELL_PROTOCOL_ERROR && a.runs == 1);
        CHECK_STR(cell_ctx_message(o.c),
                  "beginning a transaction with 'bank': bank_begin: the token is empty, too long "
                  "or no text");
    }
    bank.token = NULL;
    CHECK(cell_transaction(NULL, "bank", work, &a) == CELL_NO_MEMORY);
    CHECK(cell_transaction(o.c, NULL, work, &a) == CELL_INVALID_ARGUMENT);
    CHECK(cell_transaction(o.c, "no cell", work, &a) == CELL_INVALID_ARGUMENT);
    CHECK(cell_transaction(o.c, "bank", NULL, &a) == CELL_INVALID_ARGUMENT && a.runs == 1);
    bank_close(&o);
}

TEST(a_cell_without_transactions_is_told_from_its_name)
{
    struct demo_server d = {0};
    struct cell_client *client = NULL;
    struct asked a = {.n = 5};
    demo_setup();
    demo_new(&d);
    CHECK(cell_client_in_process(d.server, &client) == CELL_OK);
    const struct cell_ctx_options options = {.client = client};
    cell_ctx *c = cell_ctx_open(&options);
    CHECK(cell_transaction(c, "demo", work, &a) == CELL_SCHEMA_MISMATCH && a.runs == 0);
    CHECK_STR(cell_ctx_message(c), "beginning a transaction with 'demo': Method 'demo_begin' no longer exists in Demo "
                                   "Cell");
    cell_ctx_close(c);
    cell_client_close(client);
    demo_free(&d);
    demo_teardown();
}

static int fake_bank(cell_ctx *c, const char *method, const void *in, void *const *out, void *user)
{
    cell_str token;
    (void)in;
    if (strcmp(method, "bank_begin") == 0)
        *(cell_str *)out[0] = CELL_STR("fake");
    if (strcmp(method, "bank_add") == 0)
        CHECK(cell_ctx_metadata(c, "transaction", &token) == CELL_OK && cell_str_eq(token, CELL_STR("fake")));
    strcat(user, method + 4);
    return 0;
}

TEST(a_fake_cell_has_transactions_too)
{
    struct cell_client *client = NULL;
    struct asked a = {.n = 5};
    char calls[256] = "";
    free(embed_schema(&service, bank_fingerprint));
    CHECK(cell_client_fake(fake_bank, calls, &client) == CELL_OK);
    const struct cell_ctx_options options = {.client = client};
    cell_ctx *c = cell_ctx_open(&options);
    CHECK(cell_transaction(c, "bank", work, &a) == 0);
    CHECK_STR(calls, "_begin_add_add_commit");
    cell_ctx_close(c);
    cell_client_close(client);
}
