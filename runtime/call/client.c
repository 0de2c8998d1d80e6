/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Clients, and cell_call: what is the same for every kind of client. */
#include <stdlib.h>
#include <string.h>

#include "base/ticks.h"
#include "https.h"
#include "pool.h"
#include "stream.h"
#include "transport/http.h"
#include "wire/rules.h"

int cell_client_open(const char *address, struct cell_client **client)
{
    struct cell_client *c;
    if (!client || (address && !cell_transport_find(address) && cell_http_check(address, NULL) < 0))
        return CELL_INVALID_ARGUMENT;
    int r = cell_client_new(&c);
    if (r < 0)
        return r;
    c->address = address ? strdup(address) : NULL;
    if (address && !c->address) {
        cell_client_close(c);
        return CELL_NO_MEMORY;
    }
    *client = c;
    return CELL_OK;
}

int cell_client_fake(cell_fake_fn *answer, void *user, struct cell_client **client)
{
    struct cell_client *c;
    if (!answer || !client)
        return CELL_INVALID_ARGUMENT;
    int r = cell_client_new(&c);
    if (r < 0)
        return r;
    c->fake = answer;
    c->fake_user = user;
    *client = c;
    return CELL_OK;
}

int cell_client_in_process(struct cell_server *server, struct cell_client **client)
{
    struct cell_client *c;
    if (!server || !client)
        return CELL_INVALID_ARGUMENT;
    int r = cell_client_new(&c);
    if (r < 0)
        return r;
    c->server = server;
    *client = c;
    return CELL_OK;
}

int cell_client_intercept(struct cell_client *client, cell_interceptor_fn *fn, void *user)
{
    return client ? cell_hooks_add(&client->hooks, fn, user) : CELL_INVALID_ARGUMENT;
}

/* ---- calls ---- */

int cell_encode_request(cell_ctx *c, const struct client_call *k)
{
    struct cell_error e; /* not initialised as a whole: its text is big */
    bool local = k->client->fake || k->client->server;
    if (k->layouts->in.ruled && cell_rules_check(k->method->in, k->method->nin, k->in, &e) < 0)
        return cell_fail(c, e.status, "%s: %s", k->method->name, e.text);
    int r = local ? cell_body_encode_whole(c, &k->layouts->in, k->in, CELL_MAX_MESSAGE, &e)
                  : cell_body_encode(c, &k->layouts->in, k->in, CELL_MAX_MESSAGE, k->lent ? &c->lend.place : NULL, &e);
    return r < 0 ? cell_fail(c, r, "%s: %s", k->method->name, e.text) : CELL_OK;
}

static int carry_out(cell_ctx *c, void *arg)
{
    struct client_call *k = arg;
    int r = cell_encode_request(c, k);
    if (r < 0 && k->rest) { /* the reply is for nobody */
        cell_ctx_leave(c);
        cell_pool_drop(c);
    }
    if (r < 0)
        return r;
    if (k->client->fake || k->client->server)
        return cell_call_local(c, k);
    const char *address = k->rest ? NULL : cell_https_address(c, k);
    return address ? cell_call_https(c, k, address) : cell_call_remote(c, k);
}

/* An interceptor may refuse what the cell has answered. So that the out parameters change only on success, all of them
 * work on copies. */
static int call_with_hooks(cell_ctx *c, struct client_call *k)
{
    const struct cell_method *m = k->method;
    void *const *out = k->out;
    void **copy = cell_arena_array(&c->arena, m->nout, sizeof(*copy));
    for (uint32_t i = 0; copy && i < m->nout; i++) {
        copy[i] = cell_arena_alloc(&c->arena, cell_out_size(&m->out[i]));
        if (!copy[i])
            copy = NULL;
        else
            memcpy(copy[i], out[i], cell_out_size(&m->out[i]));
    }
    if (!copy)
        return cell_fail(c, CELL_NO_MEMORY, "%s: no memory for the reply", m->name);
    k->out = copy;
    const struct cell_call_info info = {k->service->name, m->name, k->in, copy, m->nout, false};
    c->intercepted++;
    int r = cell_hooks_run(&k->client->hooks, c, &info, carry_out, k);
    c->intercepted--;
    for (uint32_t i = 0; r >= 0 && i < m->nout; i++)
        memcpy(out[i], copy[i], cell_out_size(&m->out[i]));
    return r;
}

static int call_through_hooks(cell_ctx *c, struct client_call *k)
{
    return k->client->hooks.n ? call_with_hooks(c, k) : carry_out(c, k);
}

static int call_with_other_metadata(cell_ctx *c, struct client_call *k)
{
    struct ctx_outgoing own;
    int r = cell_ctx_begin_outgoing(c, k->service->name, &own);
    r = r < 0 ? cell_fail(c, r, "%s: no room for the metadata", k->method->name) : call_through_hooks(c, k);
    cell_ctx_end_outgoing(c, &own);
    return r;
}

static int check_method(cell_ctx *c, const struct cell_service *s, uint32_t method, bool streams)
{
    if (s->abi != CELL_DESC_ABI)
        return cell_fail(c, CELL_FAILED_PRECONDITION,
                         "the descriptors have version %u, this library has %u: compile the program again", s->abi,
                         CELL_DESC_ABI);
    if (method >= s->nmethods)
        return cell_fail(c, CELL_INVALID_ARGUMENT, "%s has no method %u", s->name, method);
    const struct cell_method *m = &s->methods[method];
    if (!m->stream == streams)
        return cell_fail(c, CELL_INVALID_ARGUMENT, "%s: a method with%s a stream", m->name, m->stream ? "" : "out");
    /* Calls of a transaction run one after the other: this one would wait for its own program. */
    const char *stream = c->transaction ? cell_streams_find_open(c, s->name) : NULL;
    if (stream)
        return cell_fail(c, CELL_FAILED_PRECONDITION,
                         "%s: a stream of the same transaction, %s, is still open: end it before (%s_end), or read it "
                         "to its end",
                         m->name, stream, stream);
    return CELL_OK;
}

/* Before anything is sent: what has no place to be written to must not have been done. */
static int check_outs(cell_ctx *c, const struct cell_method *m, void *const *out)
{
    for (uint32_t i = 0; i < m->nout; i++)
        if (!out[i])
            return cell_fail(c, CELL_INVALID_ARGUMENT, "%s: %s: NULL where the reply belongs", m->name, m->out[i].name);
    return CELL_OK;
}

uint64_t cell_begin_call(cell_ctx *c, struct client_call *k)
{
    uint64_t before = c->deadline_ns = cell_ctx_deadline(c);
    c->due_ms = 0;
    k->now_ns = k->rest ? cell_ticks_ns(k->rest->ticks) : cell_now_ns();
    c->deadline_ns = cell_ctx_call_deadline(c, &k->timeout_ms, k->now_ns);
    return before;
}

static int prepare(cell_ctx *c, const struct cell_service *service, uint32_t method, const void *in, void *const *out,
                   struct client_call *k)
{
    *k = (struct client_call){.client = c->client,
                              .service = service,
                              .method = &service->methods[method],
                              .id = method,
                              .in = in,
                              .out = out};
    int r;
    if (!k->client) {
        struct cell_error e = {0};
        r = cell_default_client(service, &k->client, &e);
        if (r < 0)
            return cell_fail(c, r, "%s: %s", service->name, e.text);
    }
    r = cell_client_layouts(k->client, service, method, &k->layouts);
    return r < 0 ? cell_fail(c, r, "%s: out of memory", k->method->name) : r;
}

int cell_prepare_call(cell_ctx *c, const struct cell_service *service, uint32_t method, const void *in,
                      void *const *out, struct client_call *k)
{
    if (!c)
        return CELL_NO_MEMORY;
    int r = check_method(c, service, method, false);
    if (r == CELL_OK)
        r = check_outs(c, &service->methods[method], out);
    return r < 0 ? r : prepare(c, service, method, in, out, k);
}

int cell_prepare_stream(cell_ctx *c, const struct cell_service *service, uint32_t method, const void *in,
                        struct client_call *k)
{
    if (!c)
        return CELL_NO_MEMORY;
    int r = check_method(c, service, method, true);
    return r < 0 ? r : prepare(c, service, method, in, NULL, k);
}

int cell_prepare_method(cell_ctx *c, const struct cell_service *service, uint32_t method, struct client_call *k)
{
    int r = check_method(c, service, method, false);
    return r < 0 ? r : prepare(c, service, method, NULL, NULL, k);
}

int cell_carry_out_call(cell_ctx *c, struct client_call *k)
{
    uint64_t before = cell_begin_call(c, k);
    int r = cell_ctx_sends_other(c) ? call_with_other_metadata(c, k) : call_through_hooks(c, k);
    c->deadline_ns = before;
    if (r < 0 && cell_ctx_take_cancel(c))
        r = CELL_CANCELLED;
    cell_body_reset(c);
    if (r < 0 && c->error.status != r) {
        r = cell_status_normal(r);
        cell_fail(c, r, "%s: %s", k->method->name, cell_status_text(r));
    }
    return r;
}

CELL_HOT int cell_call(cell_ctx *c, const struct cell_service *service, uint32_t method, const void *in,
                       void *const *out)
{
    struct client_call k;
    struct short_rest rest;
    int r = CELL_OK;
    enum short_call s = c ? cell_call_short(c, service, method, in, out, &r, &rest) : SHORT_NOT;
    if (s == SHORT_DONE)
        return r;
    r = cell_prepare_call(c, service, method, in, out, &k);
    if (r < 0)
        return r;
    k.rest = s == SHORT_SENT ? &rest : NULL;
    return cell_carry_out_call(c, &k);
}
