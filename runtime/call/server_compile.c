/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The compile channel: the schema, and what the cell's own callbacks say of expansions, of their state and of plans. */
#include "core/diff.h"
#include "server_parts.h"

static int send_text(cell_ctx *c, const char *text, size_t len)
{
    cell_buffer_append(&c->message, text, len);
    return cell_buffer_ok(&c->message) ? CELL_OK : cell_fail(c, CELL_NO_MEMORY, "out of memory");
}

/* A program compiled with this expansion calls its methods by name and layout, as those of any schema: the server has
 * handlers for its own schema's, takes those that have a binding if it takes any, and no others. Better said to who
 * compiles than to who calls. */
static int check_served(const struct cell_server *s, struct cell_schema *content, struct cell_error *e)
{
    struct cell_diff *diff = NULL;
    struct cell_buffer why = {0};
    content->cell = s->cell;
    int r = content->nmethods ? cell_diff_new(content, s->schema, &diff, e) : CELL_OK;
    for (uint32_t i = 0; r == CELL_OK && i < content->nmethods; i++) {
        const char *name = content->methods[i].name;
        if (content->methods[i].binding && !s->options.bound)
            r = cell_error_set(e, CELL_INTERNAL, "methods[%u].binding: %s takes no methods with bindings", i, s->cell);
        if (r < 0 || content->methods[i].binding)
            continue;
        if (!cell_schema_method(s->schema, name))
            r = cell_error_set(e, CELL_INTERNAL, "methods[%u].name: '%s' is no method of %s, so nobody could call it",
                               i, name, s->cell);
        else if (cell_diff_method(diff, content, name, &why) != 0)
            r = cell_error_set(e, CELL_INTERNAL, "methods[%u]: '%s' is another one in %s: %.*s", i, name, s->cell,
                               (int)(why.len > 300 ? 300 : why.len), why.data ? why.data : "");
    }
    cell_buffer_free(&why);
    cell_diff_free(diff);
    return r;
}

/* What a compiler would refuse is this cell's mistake, and is told as such. */
static int mistake(const struct cell_server *s, cell_ctx *c, int r, const char *what, const struct cell_error *e)
{
    return cell_fail(c, r == CELL_PROTOCOL_ERROR ? CELL_INTERNAL : r, "%s wrote %s that is not valid: %s", s->cell,
                     what, e->text);
}

static int check_size(const struct cell_server *s, cell_ctx *c, const char *what, cell_str document)
{
    if (document.len > CELL_MAX_COMPILE_REPLY - CELL_MAX_META_BYTES)
        return cell_fail(c, CELL_TOO_LARGE, "the %s of %llu bytes is too large", what,
                         (unsigned long long)document.len);
    return document.ptr ? CELL_OK : cell_fail(c, CELL_INTERNAL, "%s wrote no %s", s->cell, what);
}

static int check_document(const struct cell_server *s, cell_ctx *c, cell_str document,
                          const struct cell_schema *declared)
{
    struct cell_expansion *x = NULL;
    struct cell_error e = {0};
    int r = check_size(s, c, "expansion", document);
    if (r < 0)
        return r;
    r = cell_expansion_parse(document.ptr, (size_t)document.len, declared, &x, &e);
    if (r == CELL_OK)
        r = check_served(s, x->content, &e);
    cell_expansion_free(x);
    return r == CELL_OK ? r : mistake(s, c, r, "an expansion", &e);
}

static int expand(struct cell_server *s, cell_ctx *c, const uint8_t *message, size_t len)
{
    struct cell_error e = {0};
    struct cell_schema *declared = NULL;
    cell_str document = {NULL, 0};
    if (!s->options.expand)
        return cell_fail(c, CELL_UNIMPLEMENTED, "%s has no annotations of its own", s->cell);
    cell_str request = cell_ctx_copy(c, (cell_str){(const char *)message, len});
    if (!request.ptr)
        return cell_fail(c, CELL_RESOURCE_EXHAUSTED, "no memory for the request");
    int r = cell_request_declared(request.ptr, len, &declared, &e);
    if (r < 0)
        return cell_fail(c, r, "the request for an expansion: %s", e.text);
    r = cell_status_normal(s->options.expand(c, request, &document));
    if (r >= 0)
        r = check_document(s, c, document, declared);
    cell_schema_free(declared);
    return r < 0 ? r : send_text(c, document.ptr, (size_t)document.len);
}

static int state(struct cell_server *s, cell_ctx *c)
{
    cell_str token = {NULL, 0};
    if (!s->options.state)
        return cell_fail(c, CELL_UNIMPLEMENTED, "answers of %s are not to be kept", s->cell);
    int r = cell_status_normal(s->options.state(c, &token));
    if (r < 0)
        return r;
    if (!cell_is_state(token.ptr, (size_t)token.len))
        return cell_fail(c, CELL_INTERNAL,
                         "%s has a state that is no token of 1 to %u letters, digits, '.', '_' and '-'", s->cell,
                         CELL_STATE_MAX);
    cell_buffer_printf(&c->message, "{\"state\":\"%.*s\"}", (int)token.len, token.ptr);
    return cell_buffer_ok(&c->message) ? CELL_OK : cell_fail(c, CELL_NO_MEMORY, "out of memory");
}

static int apply(struct cell_server *s, cell_ctx *c, const uint8_t *message, size_t len)
{
    struct cell_error e = {0};
    struct cell_applied *applied = NULL;
    cell_str document = {NULL, 0};
    uint32_t requests = 0;
    if (!s->options.apply)
        return cell_fail(c, CELL_UNIMPLEMENTED, "%s has no plans", s->cell);
    cell_str request = cell_ctx_copy(c, (cell_str){(const char *)message, len});
    if (!request.ptr)
        return cell_fail(c, CELL_RESOURCE_EXHAUSTED, "no memory for the request");
    int r = cell_apply_request_check(request.ptr, len, &requests, &e);
    if (r < 0)
        return cell_fail(c, r, "the request to carry out plans: %s", e.text);
    r = cell_status_normal(s->options.apply(c, request, &document));
    if (r >= 0)
        r = check_size(s, c, "report of what it has done", document);
    if (r < 0)
        return r;
    r = cell_applied_parse(document.ptr, (size_t)document.len, requests, &applied, &e);
    cell_applied_free(applied);
    return r < 0 ? mistake(s, c, r, "a report of what it has done", &e)
                 : send_text(c, document.ptr, (size_t)document.len);
}

int cell_server_compile(struct cell_server *s, cell_ctx *c, int32_t method, const uint8_t *message, size_t len)
{
    int r;
    cell_body_reset(c);
    switch (method) {
    case CELL_COMPILE_SCHEMA:
        r = cell_server_sign(s, c);
        return r < 0 ? r : send_text(c, s->schema_json.data, s->schema_json.len);
    case CELL_COMPILE_EXPAND:
        return expand(s, c, message, len);
    case CELL_COMPILE_APPLY:
        return apply(s, c, message, len);
    case CELL_COMPILE_STATE:
        return state(s, c);
    default:
        return cell_fail(c, CELL_UNIMPLEMENTED, "the compile channel has no method %d", (int)method);
    }
}
