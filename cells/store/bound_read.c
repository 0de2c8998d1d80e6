/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Methods that read: a record, a range of them, the feed; and snapshots. */
#include "bound.h"

#include <stdlib.h>
#include <string.h>

#define PIECE 64 /* records that are sent at once */
#define PIECE_BYTES (256u << 10)
#define PAGE 100 /* of a list without a limit */
#define PAGE_MOST 10000
#define PAGE_BYTES (4u << 20)
#define SLICE_MS 100 /* how long one waits before it looks whether its client is still there */

int st_index_usable(struct st_service *s, const struct st_bound *b, struct st_failure *f)
{
    struct st_progress p;

    if (!b->index)
        return CELL_OK;
    struct st_schema *now = st_collection_schema(b->collection);
    const struct st_index *index = NULL;
    for (uint32_t i = 0; i < now->nindexes; i++)
        if (now->indexes[i].space == b->index->space)
            index = &now->indexes[i];
    int r = CELL_OK;
    if (!index)
        r = st_fail(f, CELL_FAILED_PRECONDITION, "collection '%s' has no index of %s any more", now->name,
                    b->index->name);
    else if (index->state == ST_INDEX_FAILED)
        r = st_fail(f, CELL_FAILED_PRECONDITION, "the index of %s of '%s' could not be built: %s", index->name,
                    now->name, index->problem);
    else if (index->state == ST_INDEX_BUILDING) {
        st_background_progress(s->engine, b->collection, index->name, &p);
        r = st_fail(f, CELL_UNAVAILABLE, "the index of %s of '%s' is being built: %llu of %llu records", index->name,
                    now->name, (unsigned long long)p.done, (unsigned long long)p.all);
    }
    st_schema_unref(now);
    return r;
}

/* ---- one record ---- */

int st_call_get(struct st_service *s, cell_ctx *c, const struct st_bound *b, const void *in, void *const *out)
{
    uint8_t short_key[128];
    struct st_buffer key = ST_BUFFER_IN(short_key);
    struct st_failure f; /* its text is not cleared for each call */
    struct st_found found;
    struct st_view view;
    uint8_t *copy = NULL;
    int r;

    f.status = 0;
    f.text[0] = '\0';
    r = st_index_usable(s, b, &f);
    if (r >= 0)
        r = st_values_key(b, in, &key, &f);
    if (r >= 0)
        r = st_call_view(s, c, &view, &f);
    if (r >= 0) {
        r = st_view_get(&view, st_bytes_of(&key), b->index != NULL, &found, &f);
        copy = r >= 0 ? cell_ctx_alloc(c, found.body.n + 1) : NULL;
        if (copy)
            memcpy(copy, found.body.p, found.body.n);
        st_view_end(&view);
    }
    st_buffer_free(&key);
    if (r >= 0 && !copy)
        r = st_fail(&f, CELL_NO_MEMORY, "out of memory");
    if (r >= 0)
        r = st_row(b, (struct st_bytes){copy, found.body.n}, found.version, out[0], st_ctx_memory(c), &f);
    return r < 0 ? st_answer_failure(c, &f) : CELL_OK;
}

int st_call_count(struct st_service *s, cell_ctx *c, const struct st_bound *b, void *const *out)
{
    struct st_failure f = {0};
    struct st_stat stat = {0};
    struct st_view view;
    int r = st_call_view(s, c, &view, &f);

    if (r >= 0) {
        r = st_view_stat(&view, b->collection, &stat, &f);
        st_view_end(&view);
    }
    if (r < 0)
        return st_answer_failure(c, &f);
    memcpy(out[0], &stat.count, sizeof(stat.count));
    return CELL_OK;
}

/* ---- ranges ---- */

/* Records that are read before any is sent, so that no page of the store is held while a client does not read. */
struct piece {
    const struct st_bound *b;
    struct st_memory memory;
    uint8_t *rows;
    uint64_t n, most;
    size_t bytes, most_bytes;
    struct st_buffer last; /* the key of the last */
    bool full;
    struct st_failure *f;
};

static int add_found(void *user, const struct st_found *found)
{
    struct piece *p = user;
    uint8_t *copy = p->memory.alloc(p->memory.user, found->body.n + 1);

    if (!copy)
        return st_fail(p->f, CELL_NO_MEMORY, "out of memory");
    memcpy(copy, found->body.p, found->body.n);
    int r = st_row(p->b, (struct st_bytes){copy, found->body.n}, found->version, p->rows + p->n * p->b->type->size,
                   p->memory, p->f);
    if (r < 0)
        return r;
    p->n++;
    p->bytes += found->body.n + p->b->type->size;
    p->full = p->n == p->most || p->bytes >= p->most_bytes;
    if (!p->full)
        return 1;
    p->last.len = 0;
    st_put(&p->last, found->key.p, found->key.n);
    return p->last.failed ? st_fail(p->f, CELL_NO_MEMORY, "out of memory") : 0;
}

/* As many rows as do not take too much room for themselves. */
static uint64_t rows_within(const struct cell_type *type, uint64_t most, size_t bytes)
{
    uint64_t fit = bytes / (type->size ? type->size : 1) + 1;

    return fit < most ? fit : most;
}

/* The next piece; in the range, its end that has been read moves. */
static int read_piece(struct st_service *s, cell_ctx *c, const struct st_bound *b, struct st_range *range,
                      struct piece *p)
{
    struct st_view view;
    size_t size = (size_t)b->type->size * p->most;
    int r = st_index_usable(s, b, p->f);

    p->n = p->bytes = 0;
    p->full = false;
    p->rows = p->memory.alloc(p->memory.user, size + 1);
    if (r >= 0 && !p->rows)
        r = st_fail(p->f, CELL_NO_MEMORY, "out of memory");
    if (r >= 0)
        r = st_call_view(s, c, &view, p->f);
    if (r < 0)
        return r;
    r = st_view_scan(&view, range, add_found, p, p->f);
    st_view_end(&view);
    if (r >= 0 && p->full && range->descending) {
        range->to = st_bytes_of(&p->last);
    } else if (r >= 0 && p->full) {
        st_put_byte(&p->last, 0); /* the first key behind it */
        range->from = st_bytes_of(&p->last);
    }
    return r < 0 || !p->last.failed ? r : st_fail(p->f, CELL_NO_MEMORY, "out of memory");
}

static int send_range(struct st_service *s, cell_ctx *c, const struct st_bound *b, struct st_range *range,
                      struct st_failure *f)
{
    struct st_arena arena = {0};
    struct piece p = {.b = b, .memory = st_arena_memory(&arena), .most_bytes = PIECE_BYTES, .f = f};
    int r;

    p.most = rows_within(b->type, PIECE, PIECE_BYTES);
    do {
        st_arena_reset(&arena);
        r = read_piece(s, c, b, range, &p);
        if (r >= 0 && p.n > 0)
            r = cell_stream_put(cell_ctx_stream(c), p.rows, p.n);
        if (r < 0 && f->status == 0)
            st_fail(f, r, "%s", cell_status_text(r));
    } while (r >= 0 && p.full);
    st_arena_free(&arena);
    st_buffer_free(&p.last);
    return r;
}

static int give_page(struct st_service *s, cell_ctx *c, const struct st_bound *b, struct st_range *range,
                     const void *in, void *out, struct st_failure *f)
{
    uint32_t limit;
    struct piece p = {.b = b, .memory = st_ctx_memory(c), .most_bytes = PAGE_BYTES, .f = f};

    memcpy(&limit, (const char *)in + b->limit_offset, sizeof(limit));
    p.most = rows_within(b->type, limit == 0 ? PAGE : limit < PAGE_MOST ? limit : PAGE_MOST, PAGE_BYTES);
    int r = read_piece(s, c, b, range, &p);
    const struct cell_ref list = {p.n ? p.rows : NULL, p.n};
    if (r >= 0)
        memcpy(out, &list, sizeof(list));
    st_buffer_free(&p.last);
    return r;
}

int st_call_scan(struct st_service *s, cell_ctx *c, const struct st_bound *b, const void *in, void *const *out)
{
    struct st_buffer from = {0}, to = {0};
    struct st_failure f = {0};
    struct st_range range = {.index = b->index != NULL};
    int r = CELL_OK;

    if (b->op == ST_OP_SCAN_EQUAL) {
        r = st_values_key(b, in, &from, &f);
        st_put(&to, from.data, from.len);
        st_key_successor(&to);
    } else {
        const void *wanted = st_pointer_at(in, b->method->in[0].offset);
        range.descending = ((const char *)wanted)[b->descending_offset] != 0;
        r = st_range_keys(b, wanted, &from, &to, &f);
    }
    range.from = st_bytes_of(&from);
    range.to = st_bytes_of(&to);
    if (r >= 0 && (from.failed || to.failed))
        r = st_fail(&f, CELL_NO_MEMORY, "out of memory");
    if (r >= 0)
        r = b->op == ST_OP_LIST ? give_page(s, c, b, &range, in, out[0], &f) : send_range(s, c, b, &range, &f);
    st_buffer_free(&from);
    st_buffer_free(&to);
    return r < 0 ? st_answer_failure(c, &f) : CELL_OK;
}

/* ---- the feed ---- */

struct changes {
    const struct st_bound *b;
    struct st_arena arena;
    uint8_t *rows;
    uint64_t n, most;
    size_t bytes;
    uint64_t last;
    struct st_failure *f;
};

static int add_change(void *user, const struct st_change *change)
{
    struct changes *p = user;
    const struct st_change_layout *l = &p->b->change;
    uint8_t *row = p->rows + p->n * p->b->method->stream->type->size;
    uint8_t *copy = st_alloc(&p->arena, change->body.n + 1);
    int32_t event = (int32_t)change->kind;

    if (!copy)
        return st_fail(p->f, CELL_NO_MEMORY, "out of memory");
    memcpy(copy, change->body.p, change->body.n);
    memcpy(row + l->position, &change->number, 8);
    memcpy(row + l->at_us, &change->at_us, 8);
    memcpy(row + l->event, &event, 4);
    int r = st_row(p->b, (struct st_bytes){copy, change->body.n}, change->number, row + l->record,
                   st_arena_memory(&p->arena), p->f);
    if (r < 0)
        return r;
    p->last = change->number;
    p->bytes += change->body.n;
    return ++p->n < p->most && p->bytes < PIECE_BYTES ? 1 : 0;
}

/* Those behind p->last that there are, in one piece. */
static int send_changes(struct st_service *s, cell_ctx *c, struct changes *p)
{
    struct st_view view;
    int r;

    st_arena_reset(&p->arena);
    p->n = 0;
    p->bytes = 0;
    p->most = rows_within(p->b->method->stream->type, PIECE, PIECE_BYTES);
    p->rows = st_alloc(&p->arena, p->b->method->stream->type->size * p->most);
    if (!p->rows)
        return st_fail(p->f, CELL_NO_MEMORY, "out of memory");
    r = st_view_begin(s->engine, NULL, &view, p->f);
    if (r < 0)
        return r;
    r = st_view_changes(&view, p->b->collection, p->last, add_change, p, p->f);
    st_view_end(&view);
    if (r >= 0 && p->n > 0)
        r = cell_stream_put(cell_ctx_stream(c), p->rows, p->n);
    if (r < 0 && p->f->status == 0)
        st_fail(p->f, r, "%s", cell_status_text(r));
    return r;
}

static int follow(struct st_service *s, cell_ctx *c, struct changes *p, bool for_ever)
{
    int r;

    do {
        r = send_changes(s, c, p);
        if (r < 0 || p->n > 0)
            continue;
        if (!for_ever)
            return CELL_OK;
        if (!st_feed_wait(s->engine, p->b->collection, p->last, SLICE_MS) && cell_ctx_cancelled(c))
            return st_fail(p->f, CELL_CANCELLED, "the client has gone, or the cell ends");
    } while (r >= 0);
    return r;
}

int st_call_changes(struct st_service *s, cell_ctx *c, const struct st_bound *b, const void *in)
{
    struct st_failure f = {0};
    struct changes p = {.b = b, .f = &f};
    bool for_ever = ((const char *)in)[b->follow_offset] != 0;
    int r;

    memcpy(&p.last, (const char *)in + b->method->in[0].offset, sizeof(p.last));
    /* Who waits keeps a thread, and others want some. */
    if (for_ever && atomic_fetch_add(&s->followers, 1) >= s->most_followers)
        r = st_fail(&f, CELL_RESOURCE_EXHAUSTED, "%u calls follow changes already (--max-threads)", s->most_followers);
    else
        r = follow(s, c, &p, for_ever);
    if (for_ever)
        atomic_fetch_sub(&s->followers, 1);
    st_arena_free(&p.arena);
    return r < 0 ? st_answer_failure(c, &f) : CELL_OK;
}

/* ---- snapshots ---- */

static void set_member(const struct cell_type *type, void *at, const char *name, const void *value)
{
    for (uint32_t i = 0; i < type->nfields; i++)
        if (strcmp(type->fields[i].name, name) == 0)
            memcpy((char *)at + type->fields[i].offset, value, type->fields[i].type->size);
}

int st_call_snapshot(struct st_service *s, cell_ctx *c, const struct st_bound *b, const void *in, void *const *out)
{
    const struct cell_type *type = b->method->out[0].type;
    char token[ST_TOKEN_SIZE];
    struct st_failure f = {0};
    struct st_stat stat = {0};
    struct st_view view;
    uint32_t lease;

    memcpy(&lease, (const char *)in + b->method->in[0].offset, sizeof(lease));
    int64_t lease_ms = lease;
    int r = st_snapshot_take(s->engine, &lease_ms, token, &f);
    if (r < 0)
        return st_answer_failure(c, &f);
    r = st_view_begin(s->engine, token, &view, &f);
    if (r >= 0) {
        r = st_view_stat(&view, b->collection, &stat, &f);
        st_view_end(&view);
    }
    cell_str text = cell_ctx_copy(c, cell_strz(token));
    if (r >= 0 && !text.ptr)
        r = st_fail(&f, CELL_NO_MEMORY, "out of memory");
    if (r < 0) {
        st_snapshot_release(s->engine, token, NULL);
        return st_answer_failure(c, &f);
    }
    lease = (uint32_t)lease_ms;
    set_member(type, out[0], "token", &text);
    set_member(type, out[0], "position", &stat.last);
    set_member(type, out[0], "count", &stat.count);
    set_member(type, out[0], "lease_ms", &lease);
    return CELL_OK;
}

int st_call_snapshot_end(struct st_service *s, cell_ctx *c, const void *in)
{
    char text[ST_TOKEN_SIZE] = "";
    cell_str token;
    struct st_failure f = {0};

    memcpy(&token, in, sizeof(token));
    if (token.len < sizeof(text))
        memcpy(text, token.ptr ? token.ptr : "", token.len);
    return st_snapshot_release(s->engine, text, &f) < 0 ? st_answer_failure(c, &f) : CELL_OK;
}
