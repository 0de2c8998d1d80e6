/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The requests about consumers on the operations channel. What a cell answers is checked as what comes from outside. */
#include <stdlib.h>
#include <string.h>

#include "ask/link.h"
#include "consumers.h"
#include "core/json.h"
#include "wire/frame.h"

bool link_is_closed(int status)
{
    return status == CELL_UNAVAILABLE || status == CELL_UNIMPLEMENTED || status == CELL_PERMISSION_DENIED;
}

static int request(struct cell_link *l, int32_t method, const struct cell_buffer *message, uint64_t deadline_ns,
                   struct cell_link_reply *reply, struct cell_error *e)
{
    if (message && !cell_buffer_ok(message))
        return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    int r = cell_link_request(l, method, NULL, 0, message ? message->data : NULL, message ? message->len : 0, 0,
                              deadline_ns, reply, e);
    return r < 0 ? r : reply->code < 0 ? cell_link_failure(l, reply, e) : CELL_OK;
}

static int open_link(const struct consumer_link *to, struct cell_link **l, uint64_t *deadline_ns, struct cell_error *e)
{
    *deadline_ns = cell_now_ns() + to->ms * CELL_NS_PER_MS;
    return cell_link_open(to->address, to->cell, CELL_CHANNEL_OPS, NULL, to->any_owner, *deadline_ns, l, e);
}

int link_report(const struct consumer_link *to, const struct cell_consumer *c, struct cell_error *e)
{
    struct cell_buffer document = {0};
    struct cell_link_reply reply;
    struct cell_link *l = NULL;
    uint64_t deadline_ns;
    int r = open_link(to, &l, &deadline_ns, e);

    if (r < 0)
        return r;
    cell_consumer_format(c, &document);
    r = request(l, CELL_OPS_REPORT, &document, deadline_ns, &reply, e);
    cell_buffer_free(&document);
    cell_link_close(l);
    return r;
}

static void put_key(struct cell_buffer *out, const char *program, const char *path)
{
    cell_buffer_puts(out, "{\"program\":");
    cell_json_put_string(out, program);
    if (path) {
        cell_buffer_puts(out, ",\"path\":");
        cell_json_put_string(out, path);
    }
    cell_buffer_puts(out, "}");
}

/* One of the list, whole. One that was forgotten meanwhile is none. */
static int fetch(const struct consumer_link *to, struct cell_link *l, const struct json_at *entry, uint64_t deadline_ns,
                 struct consumer_set *set, struct cell_error *e)
{
    struct cell_buffer key = {0};
    struct cell_link_reply reply;
    struct cell_consumer *c = NULL;
    const char *program, *path;
    int r = cell_json_string(entry, "program", JSON_REQUIRED, &program, e);

    if (r >= 0)
        r = cell_json_string(entry, "path", JSON_REQUIRED, &path, e);
    if (r < 0)
        return r;
    put_key(&key, program, path);
    r = request(l, CELL_OPS_CONSUMER, &key, deadline_ns, &reply, e);
    cell_buffer_free(&key);
    if (r == CELL_NOT_FOUND)
        return CELL_OK;
    if (r >= 0)
        r = cell_consumer_parse((const char *)reply.message, reply.message_len, &c, e);
    if (r >= 0 && strcmp(c->cell, to->cell) != 0) {
        cell_consumer_free(c);
        r = cell_error_set(e, CELL_PROTOCOL_ERROR, "it tells of consumers of another cell");
    }
    return r < 0 ? r : consumers_add(set, c, true, e);
}

int link_consumers(const struct consumer_link *to, struct consumer_set *set, struct cell_error *e)
{
    CELL_CLEANUP(cell_json_free) struct cell_json doc = {0};
    struct json_at list, entry;
    struct cell_link_reply reply;
    struct cell_link *l = NULL;
    uint64_t deadline_ns;
    int r = open_link(to, &l, &deadline_ns, e);

    if (r < 0)
        return r;
    r = request(l, CELL_OPS_CONSUMERS, NULL, deadline_ns, &reply, e);
    if (r >= 0)
        r = cell_json_load((const char *)reply.message, reply.message_len, CELL_PROTOCOL_ERROR, &doc, e);
    if (r >= 0)
        r = cell_json_array(&doc.root, "consumers", JSON_REQUIRED, &list, e);
    if (r >= 0)
        r = cell_json_uint(&doc.root, "left_out", JSON_OPTIONAL, 0, UINT32_MAX, &set->left_out, e);
    if (r >= 0 && cell_json_count(&list) > CELL_MAX_CONSUMERS)
        r = cell_error_set(e, CELL_TOO_LARGE, "it tells of more than %u consumers", CELL_MAX_CONSUMERS);
    for (size_t i = 0; r >= 0 && i < cell_json_count(&list); i++) {
        r = cell_json_item_object(&list, i, &entry, e);
        if (r >= 0)
            r = fetch(to, l, &entry, deadline_ns, set, e);
    }
    cell_link_close(l);
    return r < 0 ? r : CELL_OK;
}

int link_forget(const struct consumer_link *to, const char *program, const char *path, uint32_t *n,
                struct cell_error *e)
{
    CELL_CLEANUP(cell_json_free) struct cell_json doc = {0};
    struct cell_buffer key = {0};
    struct cell_link_reply reply;
    struct cell_link *l = NULL;
    uint64_t deadline_ns, forgotten = 0;
    int r = open_link(to, &l, &deadline_ns, e);

    if (r < 0)
        return r;
    put_key(&key, program, path);
    r = request(l, CELL_OPS_FORGET, &key, deadline_ns, &reply, e);
    if (r >= 0)
        r = cell_json_load((const char *)reply.message, reply.message_len, CELL_PROTOCOL_ERROR, &doc, e);
    if (r >= 0)
        r = cell_json_uint(&doc.root, "forgotten", JSON_REQUIRED, 0, CELL_MAX_CONSUMERS, &forgotten, e);
    cell_buffer_free(&key);
    cell_link_close(l);
    if (r < 0)
        return r;
    *n = (uint32_t)forgotten;
    return CELL_OK;
}
