/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Metadata of a context in both directions, and who called. */
#include "call.h"

#include <string.h>

#include "wire/hello.h"

/* Finds `key` in a block that this file wrote: where its pair begins and ends. */
static bool find_pair(const struct cell_buffer *b, const char *key, size_t *begin, size_t *end)
{
    struct cell_meta_pair p;
    size_t offset = 0, len = strlen(key), at = 0;
    while (cell_meta_next((const uint8_t *)b->data, b->len, &offset, &p) > 0) {
        if (p.key_len == len && memcmp(p.key, key, len) == 0) {
            *begin = at;
            *end = offset;
            return true;
        }
        at = offset;
    }
    return false;
}

int cell_ctx_set_metadata(cell_ctx *c, const char *key, cell_str value)
{
    size_t begin = 0, end = 0;
    if (!c)
        return CELL_NO_MEMORY;
    if (!key || key[0] == ':' || (value.len && !value.ptr))
        return CELL_INVALID_ARGUMENT;
    size_t key_len = strlen(key);
    bool replaces = find_pair(&c->meta, key, &begin, &end);
    if (key_len > CELL_USER_META_BYTES || value.len > CELL_USER_META_BYTES ||
        c->meta.len - (end - begin) + 4 + key_len + value.len > CELL_USER_META_BYTES ||
        (!replaces && c->nmeta >= CELL_USER_META_PAIRS))
        return CELL_TOO_LARGE;
    int r = cell_meta_append(&c->meta, key, value.ptr, (size_t)value.len); /* checks the key */
    if (r < 0)
        return r;
    if (replaces) {
        memmove(c->meta.data + begin, c->meta.data + end, c->meta.len - end);
        c->meta.len -= end - begin;
    } else {
        c->nmeta++;
    }
    return CELL_OK;
}

int cell_ctx_metadata(const cell_ctx *c, const char *key, cell_str *value)
{
    if (!c)
        return CELL_NO_MEMORY;
    for (const struct ctx_pair *p = key ? c->incoming : NULL; p; p = p->next)
        if (strcmp(p->key, key) == 0) {
            *value = p->value;
            return CELL_OK;
        }
    return CELL_NOT_FOUND;
}

int cell_ctx_caller(const cell_ctx *c, struct cell_caller *caller)
{
    if (!c)
        return CELL_NO_MEMORY;
    if (!c->origin)
        return CELL_NOT_FOUND;
    *caller = c->origin->caller;
    return CELL_OK;
}

struct cell_server *cell_ctx_server(const cell_ctx *c) { return c && c->origin ? c->origin->server : NULL; }

bool cell_ctx_stand_aside(cell_ctx *c)
{
    struct ctx_origin *origin = c ? c->origin : NULL;
    return origin && (!origin->stand_aside || origin->stand_aside(origin));
}

void *cell_ctx_user(const cell_ctx *c) { return c && c->origin ? c->origin->user : NULL; }

/* ---- blocks ---- */

static int receive_pair(cell_ctx *c, const struct cell_meta_pair *p, struct ctx_pair ***last)
{
    struct ctx_pair *kept = cell_arena_alloc(&c->arena, sizeof(*kept));
    char *key = cell_arena_copy(&c->arena, p->key, p->key_len);
    char *value = cell_arena_copy(&c->arena, p->value, p->value_len);
    if (!kept || !key || !value)
        return CELL_NO_MEMORY;
    *kept = (struct ctx_pair){NULL, key, {value, p->value_len}};
    **last = kept;
    *last = &kept->next;
    return CELL_OK;
}

static int receive_detail(cell_ctx *c, const struct cell_meta_pair *p)
{
    char type[CELL_MAX_NAME + 1];
    size_t prefix = strlen(CELL_META_DETAIL), len = p->key_len - prefix;
    if (len >= sizeof(type))
        return CELL_OK;
    memcpy(type, p->key + prefix, len);
    type[len] = '\0';
    int r = cell_add_detail(c, type, (cell_bytes){p->value, p->value_len});
    return r == CELL_NO_MEMORY ? r : CELL_OK; /* what is beyond the limits is dropped */
}

static bool key_begins(const struct cell_meta_pair *p, const char *prefix)
{
    size_t len = strlen(prefix);
    return p->key_len > len && memcmp(p->key, prefix, len) == 0;
}

int cell_ctx_receive_metadata(cell_ctx *c, const uint8_t *block, size_t len, bool reply, char message[CELL_ERROR_TEXT])
{
    struct cell_meta_pair p;
    size_t offset = 0;
    struct ctx_pair *first = NULL, **last = &first;
    /* What a handler is answered by others must not hide what its own caller sent. */
    bool keep = !reply || !c->origin;
    int r = CELL_OK;
    while (r == CELL_OK && cell_meta_next(block, len, &offset, &p) > 0) {
        if (p.key[0] != ':')
            r = keep ? receive_pair(c, &p, &last) : CELL_OK;
        else if (reply && key_begins(&p, CELL_META_DETAIL))
            r = receive_detail(c, &p);
        else if (reply && p.key_len == strlen(CELL_META_MESSAGE) && memcmp(p.key, CELL_META_MESSAGE, p.key_len) == 0)
            cell_text_from_peer(p.value, p.value_len, message, CELL_ERROR_TEXT);
    }
    if (r == CELL_OK && keep)
        c->incoming = first;
    return r;
}

static int begin_trace(cell_ctx *c)
{
    static const char *const trace[] = {"traceparent", "tracestate"}; /* https://www.w3.org/TR/trace-context/ */
    cell_str value;
    int r = CELL_OK;
    for (size_t i = 0; r == CELL_OK && i < sizeof(trace) / sizeof(trace[0]); i++)
        if (cell_ctx_metadata(c, trace[i], &value) == CELL_OK)
            r = cell_ctx_set_metadata(c, trace[i], value);
    /* Of what other programs may send, more than fits is no reason to fail. */
    return r == CELL_TOO_LARGE ? CELL_OK : r;
}

int cell_ctx_begin_outgoing(cell_ctx *c, const char *cell, struct ctx_outgoing *own)
{
    const struct ctx_transaction *t = c->transaction && strcmp(c->transaction->cell, cell) == 0 ? c->transaction : NULL;
    int r = CELL_OK;
    *own = (struct ctx_outgoing){c->meta, c->nmeta, c->origin || t};
    if (!own->aside)
        return CELL_OK;
    c->meta = (struct cell_buffer){0};
    c->nmeta = 0;
    if (c->origin) {
        r = begin_trace(c);
    } else if (own->meta.len) {
        cell_buffer_append(&c->meta, own->meta.data, own->meta.len);
        c->nmeta = own->nmeta;
        r = cell_buffer_ok(&c->meta) ? CELL_OK : CELL_NO_MEMORY;
    }
    return r == CELL_OK && t ? cell_ctx_set_metadata(c, CELL_TRANSACTION_KEY, cell_strz(t->token)) : r;
}

void cell_ctx_end_outgoing(cell_ctx *c, const struct ctx_outgoing *own)
{
    if (!own->aside)
        return;
    cell_buffer_free(&c->meta);
    c->meta = own->meta;
    c->nmeta = own->nmeta;
}

static int append_details(cell_ctx *c)
{
    char key[sizeof(CELL_META_DETAIL) + CELL_MAX_NAME];
    for (const struct ctx_pair *p = c->details; p; p = p->next) {
        strcpy(key, CELL_META_DETAIL);
        strcat(key, p->key);
        int r = cell_meta_append(&c->head, key, p->value.ptr, (size_t)p->value.len);
        if (r < 0)
            return r;
    }
    return CELL_OK;
}

int cell_ctx_reply_metadata(cell_ctx *c, int code, const struct cell_buffer **block)
{
    *block = &c->meta;
    if (code >= 0)
        return CELL_OK;
    cell_scratch_reset(&c->head);
    cell_buffer_append(&c->head, c->meta.data, c->meta.len);
    int r = cell_buffer_ok(&c->head) ? CELL_OK : CELL_NO_MEMORY;
    /* Only what belongs to this status: a handler may have met, and dealt with, another error before. */
    if (r == CELL_OK && c->error.status == code) {
        r = cell_meta_append(&c->head, CELL_META_MESSAGE, c->error.text, strlen(c->error.text));
        if (r == CELL_OK)
            r = append_details(c);
    }
    *block = &c->head;
    return r;
}
