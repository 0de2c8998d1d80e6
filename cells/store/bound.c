/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Methods that programs bring with them: writes, and what all of them need. */
#include "bound.h"

#include <stdlib.h>
#include <string.h>

int st_answer_failure(cell_ctx *c, const struct st_failure *f) { return cell_fail(c, f->status, "%s", f->text); }

static void *alloc_in_ctx(void *user, size_t size) { return cell_ctx_alloc(user, size); }

struct st_memory st_ctx_memory(cell_ctx *c) { return (struct st_memory){alloc_in_ctx, c}; }

int st_call_view(struct st_service *s, cell_ctx *c, struct st_view *view, struct st_failure *f)
{
    cell_str token;
    char text[ST_TOKEN_SIZE] = "";

    if (cell_ctx_metadata(c, "snapshot", &token) < 0 || token.len == 0)
        return st_view_begin(s->engine, NULL, view, f);
    if (token.len < sizeof(text) && !memchr(token.ptr, 0, token.len))
        memcpy(text, token.ptr, token.len);
    return st_view_begin(s->engine, text, view, f);
}

int st_row(const struct st_bound *b, struct st_bytes body, uint64_t version, void *row, struct st_memory memory,
           struct st_failure *f)
{
    int r = st_decode(b->record, body, row, memory, f);

    if (r >= 0 && b->version_offset >= 0)
        memcpy((char *)row + b->version_offset, &version, sizeof(version));
    return r;
}

int st_values_key(const struct st_bound *b, const void *in, struct st_buffer *key, struct st_failure *f)
{
    uint8_t short_body[128];
    struct st_buffer body = ST_BUFFER_IN(short_body);
    struct st_value value;
    int r = CELL_OK;

    st_key_begin(key, b->index ? b->index->space : b->schema->space);
    for (uint32_t i = 0; r >= 0 && i < b->norder; i++) {
        const struct cell_field *p = &b->method->in[i];
        bool pointer = p->flags & CELL_FIELD_REF;
        const void *at = pointer ? st_pointer_at(in, p->offset) : (const char *)in + p->offset;
        bool here = st_field_value(b->values, i, at, &body, &value);
        r = body.failed ? st_fail(f, CELL_NO_MEMORY, "out of memory")
                        : st_key_put(key, b->order[i], here ? &value : NULL, b->index != NULL, f);
        body.len = 0;
    }
    st_buffer_free(&body);
    return r;
}

/* ---- writes ---- */

/* Bodies and keys of records, one after the other; and where each begins, for the memory moves while it grows. */
struct batch {
    struct st_buffer bytes;
    struct st_write *writes;
    size_t *at; /* of each: body, key, end */
};

static int add_row(const struct st_bound *b, const void *row, struct batch *batch, uint64_t i, struct st_failure *f)
{
    struct st_buffer *bytes = &batch->bytes;
    struct st_buffer key = {0};
    size_t begun = bytes->len;

    st_encode(b->record, row, bytes);
    if (bytes->failed)
        return st_fail(f, CELL_NO_MEMORY, "out of memory");
    st_key_begin(&key, b->schema->space);
    int r = st_key_of((struct st_bytes){bytes->data + begun, bytes->len - begun}, b->schema->key, b->schema->nkey,
                      false, &key, NULL, f);
    batch->at[3 * i] = begun;
    batch->at[3 * i + 1] = bytes->len;
    st_put(bytes, key.data, key.len);
    batch->at[3 * i + 2] = bytes->len;
    if (r >= 0 && (key.failed || bytes->failed))
        r = st_fail(f, CELL_NO_MEMORY, "out of memory");
    st_buffer_free(&key);
    return r;
}

static void point_at(const struct st_bound *b, struct batch *batch, const uint8_t *rows, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        const uint8_t *data = batch->bytes.data;
        const size_t *at = &batch->at[3 * i];
        struct st_write *w = &batch->writes[i];
        *w = (struct st_write){.kind = b->op == ST_OP_DELETE_IF ? ST_DELETE : ST_PUT,
                               .body = {data + at[0], at[1] - at[0]},
                               .key = {data + at[1], at[2] - at[1]},
                               .codec = st_codec_is_partial(b->record) ? b->record : NULL,
                               .check = b->op == ST_OP_PUT_IF || b->op == ST_OP_DELETE_IF};
        if (w->check)
            memcpy(&w->expected, rows + b->version_offset, sizeof(w->expected));
    }
}

static int put_rows(struct st_service *s, cell_ctx *c, const struct st_bound *b, const uint8_t *rows, uint64_t n,
                    struct batch *batch, struct st_failure *f)
{
    int r = CELL_OK;

    if (n > UINT32_MAX / 4)
        return st_fail(f, CELL_TOO_LARGE, "these are too many records");
    batch->writes = cell_ctx_alloc(c, (n + 1) * sizeof(*batch->writes));
    batch->at = cell_ctx_alloc(c, 3 * (n + 1) * sizeof(*batch->at));
    if (!batch->writes || !batch->at)
        return st_fail(f, CELL_NO_MEMORY, "out of memory");
    for (uint64_t i = 0; r >= 0 && i < n; i++)
        r = add_row(b, rows + i * b->type->size, batch, i, f);
    if (r < 0)
        return r;
    point_at(b, batch, rows, n);
    return st_engine_write(s->engine, b->collection, batch->writes, (uint32_t)n, f);
}

int st_call_put(struct st_service *s, cell_ctx *c, const struct st_bound *b, const void *in, void *const *out)
{
    struct batch batch = {0};
    struct st_failure f = {0};
    const uint8_t *rows = st_pointer_at(in, b->method->in[0].offset);
    uint64_t n = 1;
    int created = 0;

    if (b->op == ST_OP_PUT_MANY) { /* a list lies as a reference does */
        const struct cell_ref *list = (const void *)((const char *)in + b->method->in[0].offset);
        n = list->len;
    }
    int r = put_rows(s, c, b, rows, n, &batch, &f);
    for (uint64_t i = 0; r >= 0 && i < n; i++)
        created += !batch.writes[i].existed;
    if (r >= 0 && b->op == ST_OP_PUT_IF)
        memcpy((char *)out[0] + b->version_offset, &batch.writes[0].version, sizeof(uint64_t));
    st_buffer_free(&batch.bytes);
    if (r < 0)
        return st_answer_failure(c, &f);
    return b->op == ST_OP_DELETE_IF ? CELL_OK : created;
}

int st_call_delete(struct st_service *s, cell_ctx *c, const struct st_bound *b, const void *in)
{
    struct st_buffer key = {0};
    struct st_failure f = {0};
    int r = st_values_key(b, in, &key, &f);
    struct st_write w = {.kind = ST_DELETE, .key = st_bytes_of(&key)};

    if (r >= 0)
        r = st_engine_write(s->engine, b->collection, &w, 1, &f);
    st_buffer_free(&key);
    return r < 0 ? st_answer_failure(c, &f) : r;
}

/* ---- the server's functions ---- */

static int bind_method(cell_ctx *c, const struct cell_method *method, void **bound)
{
    struct st_service *s = cell_ctx_user(c);
    struct st_bound *b = NULL;
    struct st_failure f = {0};

    if (st_binding_read(s->engine, method, &b, &f) < 0)
        return st_answer_failure(c, &f);
    *bound = b;
    return CELL_OK;
}

static int invoke_method(cell_ctx *c, const struct cell_method *method, void *bound, const void *in, void *const *out)
{
    struct st_service *s = cell_ctx_user(c);
    const struct st_bound *b = bound;

    (void)method;
    switch (b->op) {
    case ST_OP_DELETE:
        return st_call_delete(s, c, b, in);
    case ST_OP_GET:
        return st_call_get(s, c, b, in, out);
    case ST_OP_COUNT:
        return st_call_count(s, c, b, out);
    case ST_OP_SCAN:
    case ST_OP_SCAN_EQUAL:
    case ST_OP_LIST:
        return st_call_scan(s, c, b, in, out);
    case ST_OP_CHANGES:
        return st_call_changes(s, c, b, in);
    case ST_OP_SNAPSHOT:
        return st_call_snapshot(s, c, b, in, out);
    case ST_OP_SNAPSHOT_END:
        return st_call_snapshot_end(s, c, in);
    default:
        return st_call_put(s, c, b, in, out);
    }
}

static void unbind_method(void *user, void *bound)
{
    (void)user;
    st_bound_free(bound);
}

const struct cell_bound_ops st_bound_ops = {.bind = bind_method, .invoke = invoke_method, .unbind = unbind_method};
