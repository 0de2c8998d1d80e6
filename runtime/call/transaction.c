/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Transactions with a cell: begun, committed and rolled back by three methods of the cell that are known by their names
 * alone, so that no header of the cell is needed here. Which calls belong to one, their metadata says.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "core/schema.h"
#include "pool.h"
#include "stream.h"

#define MOST_ATTEMPTS 10u
#define FIRST_PAUSE_NS (UINT64_C(2) * CELL_NS_PER_MS)
#define LONGEST_PAUSE_NS (UINT64_C(200) * CELL_NS_PER_MS)
/* Between two looks whether somebody still waits for it. */
#define LOOK_NS (UINT64_C(20) * CELL_NS_PER_MS)
#define ROLLBACK_MS 2000u

/* ---- the cell's methods ---- */

enum { BEGIN, COMMIT, ROLLBACK, NMETHODS };

struct transaction_service {
    struct transaction_service *next;
    char cell[CELL_MAX_CELL_NAME + 1], names[NMETHODS][CELL_MAX_CELL_NAME + 16], fingerprint[CELL_FINGERPRINT_LEN + 1];
    struct cell_method methods[NMETHODS];
    struct cell_client *slot;
    struct cell_service service;
};

/* Clients refer to services for as long as they live, so these stay: one for each cell that a program has transactions
 * with. Under the lock of the default clients, which a fork respects. */
static struct transaction_service *services;

static int describe(struct transaction_service *t, const char *cell)
{
    static const struct cell_field isolation = {"isolation", &cell_type_u32, 0, 0, 0, 0},
                                   token_in = {"token", &cell_type_str, 0, 0, 0, 0},
                                   token_out = {"token", &cell_type_str, 0, 0, CELL_FIELD_REF | CELL_FIELD_OUT, 0};
    static const char *const suffixes[] = {[BEGIN] = "begin", [COMMIT] = "commit", [ROLLBACK] = "rollback"};
    struct cell_schema *schema = NULL;
    strcpy(t->cell, cell);
    for (unsigned i = 0; i < NMETHODS; i++) {
        snprintf(t->names[i], sizeof(t->names[i]), "%s_%s", cell, suffixes[i]);
        t->methods[i] =
            (struct cell_method){.name = t->names[i], .in = &token_in, .nin = 1, .in_size = sizeof(cell_str)};
    }
    t->methods[BEGIN] = (struct cell_method){
        .name = t->names[BEGIN], .in = &isolation, .nin = 1, .in_size = sizeof(uint32_t), .out = &token_out, .nout = 1};
    t->service = (struct cell_service){CELL_DESC_ABI, NMETHODS, t->cell, t->fingerprint, t->methods, &t->slot, NULL};
    int r = cell_schema_from_service(&t->service, &schema, NULL);
    if (r >= 0)
        memcpy(t->fingerprint, schema->fingerprint, sizeof(t->fingerprint));
    cell_schema_free(schema);
    return r;
}

static int find_service(const char *cell, const struct cell_service **service)
{
    int r = CELL_OK;
    cell_defaults_lock();
    struct transaction_service *t = services;
    while (t && strcmp(t->cell, cell) != 0)
        t = t->next;
    if (!t) {
        t = calloc(1, sizeof(*t));
        r = t ? describe(t, cell) : CELL_NO_MEMORY;
        if (r >= 0) {
            t->next = services;
            services = t;
        } else {
            free(t);
        }
    }
    cell_defaults_unlock();
    if (r >= 0)
        *service = &t->service;
    return r;
}

/* ---- its steps ---- */

/* What is done, as often as it takes. */
struct work {
    const struct cell_service *service;
    uint32_t isolation;
    cell_transaction_fn *body;
    void *user;
};

static int begin(cell_ctx *c, const struct work *w, struct ctx_transaction *t)
{
    const struct cell_service *s = w->service;
    cell_str token = {NULL, 0};
    void *const out[] = {&token};
    int r = cell_call(c, s, BEGIN, &w->isolation, out);
    if (r >= 0 && (token.len == 0 || token.len > CELL_MAX_TOKEN || strlen(token.ptr) != token.len))
        r = cell_fail(c, CELL_PROTOCOL_ERROR, "%s: the token is empty, too long or no text", s->methods[BEGIN].name);
    if (r == CELL_UNKNOWN_OUTCOME) /* nothing was done in it, and nobody can commit it */
        r = cell_fail(c, CELL_ABORTED, "the connection was lost before it had begun");
    if (r < 0)
        return cell_trail(c, r, "beginning a transaction with '%s'", s->name);
    t->cell = s->name;
    memcpy(t->token, token.ptr, (size_t)token.len + 1);
    return CELL_OK;
}

/* With a context of its own: that of the transaction may be cancelled or out of time, and keeps the error. */
static void roll_back(const cell_ctx *c, const struct cell_service *s, const struct ctx_transaction *t)
{
    const struct cell_ctx_options options = {.timeout_ms = ROLLBACK_MS, .client = c->client};
    const cell_str token = cell_strz(t->token);
    cell_ctx *own = cell_ctx_open(&options);
    if (!own)
        return;
    if (!c->origin && c->meta.len) { /* who asks, for the cell's interceptors */
        cell_buffer_append(&own->meta, c->meta.data, c->meta.len);
        own->nmeta = c->nmeta;
    }
    if (!own->meta.failed)
        cell_call(own, s, ROLLBACK, &token, NULL);
    cell_ctx_close(own);
}

static int commit(cell_ctx *c, const struct cell_service *s, const struct ctx_transaction *t)
{
    const cell_str token = cell_strz(t->token);
    int r = cell_call(c, s, COMMIT, &token, NULL);
    if (r >= 0)
        return CELL_OK;
    if (r != CELL_ABORTED) /* which says that it is over; else it may be that nobody has heard of the commit */
        roll_back(c, s, t);
    return cell_trail(c, r, "committing a transaction with '%s'", s->name);
}

static uint32_t count_unfinished(const cell_ctx *c)
{
    uint32_t n = c->async.ntickets;
    for (const struct client_stream *s = c->streams; s; s = s->next)
        n++;
    return n;
}

/* One attempt. *again: it may succeed when it is made again. */
static int attempt(cell_ctx *c, const struct work *w, bool *again)
{
    const struct cell_service *s = w->service;
    struct ctx_transaction t;
    uint32_t before = count_unfinished(c), after;
    *again = false;
    int r = begin(c, w, &t);
    if (r < 0) {
        *again = r == CELL_ABORTED;
        return r;
    }
    c->error.status = CELL_OK; /* so that it tells of this attempt */
    c->error.text[0] = '\0';
    c->transaction = &t;
    r = w->body(c, w->user);
    c->transaction = NULL;
    after = count_unfinished(c);
    cell_streams_leave(c, &t); /* what follows would wait for them */
    if (r >= 0 && after > before)
        r = cell_fail(c, CELL_FAILED_PRECONDITION,
                      "the function of a transaction with '%s' has left %u calls or streams unfinished", s->name,
                      after - before);
    if (r < 0) {
        r = cell_status_normal(r);
        *again = r == CELL_ABORTED || c->error.status == CELL_ABORTED;
        roll_back(c, s, &t);
        return c->error.status ? r : cell_fail(c, r, "%s", cell_status_text(r));
    }
    int committed = commit(c, s, &t);
    *again = committed == CELL_ABORTED;
    return committed < 0 ? committed : r;
}

/* ---- again ---- */

static uint64_t random_below(uint64_t limit)
{
    uint64_t value = 0;
    if (getrandom(&value, sizeof(value), GRND_NONBLOCK) != (ssize_t)sizeof(value))
        value = cell_now_ns() * UINT64_C(0x9e3779b97f4a7c15); /* good enough to come apart */
    return value % limit;
}

/* Whoever met somebody else comes at another time than he does. False: there is no time left, or nobody waits. */
static bool pause_before(cell_ctx *c, unsigned attempts, uint64_t deadline_ns)
{
    uint64_t most = FIRST_PAUSE_NS << (attempts - 1);
    uint64_t until = cell_now_ns() + random_below(most < LONGEST_PAUSE_NS ? most : LONGEST_PAUSE_NS);
    for (uint64_t now; (now = cell_now_ns()) < until;) {
        if (until >= deadline_ns || cell_ctx_cancelled(c))
            return false;
        uint64_t left = until - now < LOOK_NS ? until - now : LOOK_NS;
        nanosleep(&(struct timespec){.tv_nsec = (long)left}, NULL);
    }
    return cell_now_ns() < deadline_ns && !cell_ctx_cancelled(c);
}

static int run(cell_ctx *c, const struct work *w)
{
    uint32_t ignored;
    uint64_t deadline_ns = cell_ctx_call_deadline(c, &ignored, cell_now_ns());
    bool again = false;
    for (unsigned attempts = 1;; attempts++) {
        int r = attempt(c, w, &again);
        if (!again)
            return r;
        if (attempts == MOST_ATTEMPTS || !pause_before(c, attempts, deadline_ns)) {
            if (cell_ctx_take_cancel(c))
                return cell_fail(c, CELL_CANCELLED, "%s", cell_status_text(CELL_CANCELLED));
            return cell_trail(c, r, "a transaction with '%s', %u times", w->service->name, attempts);
        }
    }
}

int cell_transaction(cell_ctx *c, const char *cell, cell_transaction_fn *body, void *user)
{
    return cell_transaction_isolated(c, cell, 0, body, user);
}

int cell_transaction_isolated(cell_ctx *c, const char *cell, uint32_t isolation, cell_transaction_fn *body, void *user)
{
    struct work w = {NULL, isolation, body, user};
    if (!c)
        return CELL_NO_MEMORY;
    if (!cell || !cell_is_identifier(cell) || strlen(cell) > CELL_MAX_CELL_NAME || !body)
        return cell_fail(c, CELL_INVALID_ARGUMENT, "a transaction needs the name of a cell, and a function");
    if (c->transaction)
        return cell_fail(c, CELL_FAILED_PRECONDITION, "'%s': a transaction with '%s' runs already", cell,
                         c->transaction->cell);
    int r = find_service(cell, &w.service);
    return r < 0 ? cell_fail(c, r, "a transaction with '%s': %s", cell, cell_status_text(r)) : run(c, &w);
}
