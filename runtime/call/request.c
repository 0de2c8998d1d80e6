/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* One request between its bytes and its handler, and one reply between its bytes and the caller's out parameters. */
#include "call.h"

#include <string.h>

#include "wire/rules.h"

#define FEW_OUTS 8u

/* ---- the side that answers ---- */

struct handler_call {
    const struct call_target *target;
    const void *in;
    void *const *out;
};

static int run_handler(cell_ctx *c, void *arg)
{
    const struct handler_call *h = arg;
    const struct call_target *t = h->target;
    return t->answer ? t->answer(c, t->method->name, h->in, h->out, t->answer_user)
                     : t->method->invoke(c, h->in, h->out);
}

/* Zeroed places for what the handler fills in: out[i] for the handler, refs[i] for the encoder. */
static int prepare_outs(cell_ctx *c, const struct cell_method *m, void ***out, struct cell_ref **refs)
{
    *out = cell_arena_array(&c->arena, m->nout, sizeof(**out));
    *refs = cell_arena_array(&c->arena, m->nout, sizeof(**refs));
    if (!*out || !*refs)
        return CELL_NO_MEMORY;
    for (uint32_t i = 0; i < m->nout; i++) {
        (*out)[i] = cell_arena_alloc(&c->arena, cell_out_size(&m->out[i]));
        if (!(*out)[i])
            return CELL_NO_MEMORY;
        (*refs)[i] = (struct cell_ref){(*out)[i], m->out[i].count ? m->out[i].count : 1};
    }
    return CELL_OK;
}

/* What comes in and goes out again begins as it came. */
static void copy_inouts(const struct cell_method *m, const void *in, void *const *out)
{
    for (uint32_t i = 0; i < m->nin; i++)
        for (uint32_t k = 0; m->in[i].flags & CELL_FIELD_REF && k < m->nout; k++)
            if (strcmp(m->in[i].name, m->out[k].name) == 0) {
                const struct cell_ref *ref = (const void *)((const char *)in + m->in[i].offset);
                memcpy(out[k], ref->ptr, cell_out_size(&m->out[k]));
            }
}

static int decode_request(cell_ctx *c, const struct call_target *t, const uint8_t *message, size_t len, void **in)
{
    const struct cell_method *m = t->method;
    struct cell_error e; /* set by whoever fails */
    *in = cell_arena_alloc(&c->arena, m->in_size);
    if (!*in)
        return cell_fail(c, CELL_RESOURCE_EXHAUSTED, "%s: no memory for the request", m->name);
    int r = cell_message_decode(&t->layouts->in, message, len, &c->arena, *in, &e);
    if (r < 0)
        return cell_fail(c, r, "%s: request: %s", m->name, e.text);
    /* Of the copy, which nobody else can change. */
    if (t->layouts->in.ruled && cell_rules_check(m->in, m->nin, *in, &e) < 0)
        return cell_fail(c, e.status, "%s: %s", m->name, e.text);
    return CELL_OK;
}

static int encode_reply(cell_ctx *c, const struct call_target *t, const struct cell_ref *refs)
{
    const struct cell_method *m = t->method;
    struct cell_error e; /* set by whoever fails */
    uint32_t max = c->meta.len < t->max_message ? t->max_message - (uint32_t)c->meta.len : 0;
    bool pieces = c->origin && c->origin->conn;
    int r = pieces ? cell_body_encode(c, &t->layouts->out, refs, max, &c->reply, &e)
                   : cell_body_encode_whole(c, &t->layouts->out, refs, max, &e);
    if (r < 0) /* an invalid value here is the handler's mistake, not the caller's */
        return cell_fail(c, r == CELL_INVALID_ARGUMENT ? CELL_INTERNAL : r, "%s: reply: %s", m->name, e.text);
    return CELL_OK;
}

/* What a handler's result means, and the reply's message. */
static int take_result(cell_ctx *c, const struct call_target *t, int code, const struct cell_ref *refs)
{
    code = cell_status_normal(code);
    /* A handler that stops because cell_ctx_cancelled says so need not know why it does. */
    if (code == CELL_CANCELLED && !atomic_load(&c->cancelled) && cell_ctx_remaining_ns(c) == 0)
        return cell_fail(c, CELL_DEADLINE_EXCEEDED, "%s: %s", t->method->name,
                         cell_status_text(CELL_DEADLINE_EXCEEDED));
    if (code < 0)
        return code;
    int r = encode_reply(c, t, refs);
    return r < 0 ? r : code;
}

int cell_serve_decode(cell_ctx *c, const struct call_target *t, const uint8_t *message, size_t len, void **in,
                      void ***out, struct cell_ref **refs)
{
    int r = decode_request(c, t, message, len, in);
    if (r < 0)
        return r;
    if (prepare_outs(c, t->method, out, refs) < 0)
        return cell_fail(c, CELL_RESOURCE_EXHAUSTED, "%s: no memory for the reply", t->method->name);
    if (t->method->binding)
        copy_inouts(t->method, *in, *out);
    return CELL_OK;
}

static int serve(cell_ctx *c, const struct call_target *t, const uint8_t *message, size_t len)
{
    void *in, **out;
    struct cell_ref *refs;
    int r = cell_serve_decode(c, t, message, len, &in, &out, &refs);
    if (r < 0)
        return r;
    struct handler_call call = {t, in, out};
    const struct cell_call_info info = {t->cell, t->method->name, in, out, t->method->nout, true};
    return take_result(c, t, cell_hooks_run(t->hooks, c, &info, run_handler, &call), refs);
}

/* The reply's metadata. */
static int complete(cell_ctx *c, int code, const struct cell_buffer **meta)
{
    if (code < 0)
        cell_body_reset(c);
    if (cell_ctx_reply_metadata(c, code, meta) < 0) {
        cell_body_reset(c);
        cell_scratch_reset(&c->head);
        *meta = &c->head;
        code = CELL_NO_MEMORY;
    }
    return code;
}

int cell_serve_request(cell_ctx *c, const struct call_target *t, const uint8_t *message, size_t len,
                       const struct cell_buffer **meta)
{
    return complete(c, serve(c, t, message, len), meta);
}

int cell_serve_result(cell_ctx *c, const struct call_target *t, int code, const struct cell_ref *refs,
                      const struct cell_buffer **meta)
{
    return complete(c, take_result(c, t, code, refs), meta);
}

int cell_serve_refusal(cell_ctx *c, const struct cell_error *e, const struct cell_buffer **meta)
{
    cell_body_reset(c);
    int code = cell_fail(c, e->status, "%s", e->text);
    if (cell_ctx_reply_metadata(c, code, meta) < 0) {
        cell_scratch_reset(&c->head);
        *meta = &c->head;
    }
    return code;
}

/* ---- the side that asks ---- */

static int take_error(cell_ctx *c, int code, const char *message)
{
    code = cell_status_normal(code);
    return cell_fail(c, code, "%s", message[0] ? message : cell_status_text(code));
}

static int take_outs(cell_ctx *c, const struct client_call *k, const uint8_t *message, size_t len)
{
    const struct cell_method *m = k->method;
    struct cell_ref few[FEW_OUTS], *refs = few;
    struct cell_error e; /* set by whoever fails */
    if (cell_message_take_plain(&k->layouts->out, message, len, k->out))
        return CELL_OK;
    if (m->nout > FEW_OUTS)
        refs = cell_arena_array(&c->arena, m->nout, sizeof(*refs));
    int r;
    if (!refs)
        r = cell_error_set(&e, CELL_NO_MEMORY, "out of memory");
    else if (cell_stays_in_place(k, len))
        r = cell_message_decode_in_place(&k->layouts->out, message, len, &c->arena, refs, &e);
    else
        r = cell_message_decode(&k->layouts->out, message, len, &c->arena, refs, &e);
    if (r < 0)
        return cell_fail(c, r, "%s: reply: %s", m->name, e.text);
    for (uint32_t i = 0; i < m->nout; i++)
        memcpy(k->out[i], refs[i].ptr, cell_out_size(&m->out[i]));
    return CELL_OK;
}

int cell_take_reply(cell_ctx *c, const struct client_call *k, int code, const uint8_t *meta, size_t meta_len,
                    const uint8_t *message, size_t len)
{
    char text[CELL_ERROR_TEXT];
    text[0] = '\0';
    if (!c->origin)
        c->incoming = NULL;
    if (code < 0) {
        c->details = NULL; /* they belong to the error that this one replaces */
        c->ndetails = 0;
        c->detail_bytes = 0;
    }
    if (meta_len) {
        struct cell_error e = {0};
        int r = cell_meta_check(meta, meta_len, &e);
        if (r < 0)
            return cell_fail(c, r, "%s: reply: %s", k->method->name, e.text);
        r = cell_ctx_receive_metadata(c, meta, meta_len, true, text);
        if (r < 0)
            return cell_fail(c, r, "%s: reply: no memory for its metadata", k->method->name);
    }
    if (code < 0)
        return take_error(c, code, text);
    int r = take_outs(c, k, message, len);
    return r < 0 ? r : code;
}
