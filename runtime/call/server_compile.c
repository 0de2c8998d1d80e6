/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The compile channel: the schema, and expansions as the cell's own callback writes them. */
#include "core/json.h"
#include "server_parts.h"

static int send_text(cell_ctx *c, const char *text, size_t len)
{
    cell_buffer_append(&c->message, text, len);
    return cell_buffer_ok(&c->message) ? CELL_OK : cell_fail(c, CELL_NO_MEMORY, "out of memory");
}

/* Both directions keep what the protocol says of every document. */
static int check_json(const char *text, size_t len, int status, struct cell_error *e)
{
    struct cell_json doc = {0};
    int r = cell_json_load(text, len, status, &doc, e);
    cell_json_free(&doc);
    return r;
}

static int expand(struct cell_server *s, cell_ctx *c, const uint8_t *message, size_t len)
{
    struct cell_error e = {0};
    cell_str document = {NULL, 0};
    if (!s->options.expand)
        return cell_fail(c, CELL_UNIMPLEMENTED, "%s has no annotations of its own", s->cell);
    cell_str request = cell_ctx_copy(c, (cell_str){(const char *)message, len});
    if (!request.ptr)
        return cell_fail(c, CELL_RESOURCE_EXHAUSTED, "no memory for the request");
    int r = check_json(request.ptr, len, CELL_PROTOCOL_ERROR, &e);
    if (r < 0)
        return cell_fail(c, r, "the request for an expansion: %s", e.text);
    r = cell_status_normal(s->options.expand(c, request, &document));
    if (r < 0)
        return r;
    if (document.len > CELL_MAX_COMPILE_REPLY - CELL_MAX_META_BYTES)
        return cell_fail(c, CELL_TOO_LARGE, "the expansion of %llu bytes is too large",
                         (unsigned long long)document.len);
    if (!document.ptr)
        return cell_fail(c, CELL_INTERNAL, "%s wrote no expansion", s->cell);
    r = check_json(document.ptr, (size_t)document.len, CELL_INTERNAL, &e);
    if (r < 0)
        return cell_fail(c, r, "%s wrote an expansion that is not valid: %s", s->cell, e.text);
    return send_text(c, document.ptr, (size_t)document.len);
}

int cell_server_compile(struct cell_server *s, cell_ctx *c, int32_t method, const uint8_t *message, size_t len)
{
    cell_scratch_reset(&c->message);
    switch (method) {
    case CELL_COMPILE_SCHEMA:
        return send_text(c, s->schema_json.data, s->schema_json.len);
    case CELL_COMPILE_EXPAND:
        return expand(s, c, message, len);
    case CELL_COMPILE_APPLY:
        return cell_fail(c, CELL_UNIMPLEMENTED, "%s has no plans", s->cell);
    default:
        return cell_fail(c, CELL_UNIMPLEMENTED, "the compile channel has no method %d", (int)method);
    }
}
