/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "core/schema_impl.h"
#include "core/uses.h"

#define EXPANSION_FORMAT "cell.expansion/1"

static int no_memory(struct cell_error *e) { return cell_error_set(e, CELL_NO_MEMORY, "expansion: out of memory"); }

static int read_format(const struct json_at *root, struct cell_error *e)
{
    const char *format;
    char quoted[CELL_QUOTE_SIZE];
    int r = cell_json_string(root, "expansion", JSON_REQUIRED, &format, e);
    if (r < 0)
        return r;
    if (strcmp(format, EXPANSION_FORMAT) == 0)
        return CELL_OK;
    return cell_json_fail(root, "expansion", e, "format '%s' is not known, '" EXPANSION_FORMAT "' is",
                          cell_json_quote(format, quoted, sizeof(quoted)));
}

/* The same document over other types means other messages: connections of the two must not be mixed up. What is said
 * beside the content, as what would be done and was, is no part of it: the program is the same before and after. */
static int take_fingerprint(const struct json_at *root, struct cell_schema *content, struct cell_error *e)
{
    static const char *const beside[] = {"diagnostics", "plan", "resources", NULL};
    struct cell_buffer out = {0};
    cell_json_put_without(&out, root, beside);
    for (uint32_t i = 0, n = cell_declared_count(content); i < n; i++)
        cell_buffer_append(&out, content->types[i].fingerprint, CELL_FINGERPRINT_LEN);
    bool ok = cell_buffer_ok(&out);
    if (ok)
        cell_sha256_hex(out.data, out.len, content->fingerprint);
    cell_buffer_free(&out);
    return ok ? CELL_OK : no_memory(e);
}

static int read_resources(const struct json_at *root, struct cell_expansion *x, struct cell_error *e)
{
    struct json_at list = {0};
    int r = cell_json_array(root, "resources", JSON_OPTIONAL, &list, e);
    size_t n = r > 0 ? cell_json_count(&list) : 0;
    x->resources = cell_arena_array(&x->content->arena, n, sizeof(*x->resources));
    if (!x->resources)
        return no_memory(e);
    for (size_t i = 0; r >= 0 && i < n; i++) {
        const struct json_at at = {.parent = &list, .index = i, .status = list.status};
        const char *name;
        r = cell_json_item_string(&list, i, &name, e);
        if (r >= 0 && !cell_is_resource(name))
            r = cell_json_fail(&at, NULL, e, "no name of a resource: 1 to %u bytes of UTF-8 without control characters",
                               CELL_MAX_RESOURCE_NAME);
        if (r >= 0 && !(x->resources[i] = cell_arena_copy(&x->content->arena, name, strlen(name))))
            r = no_memory(e);
    }
    x->nresources = (uint32_t)n;
    return r < 0 ? r : CELL_OK;
}

static int parse_into(const struct json_at *root, const struct cell_schema *declared, struct cell_expansion *x,
                      struct cell_error *e)
{
    int r = read_format(root, e);
    if (r == CELL_OK)
        r = cell_schema_read(root, false, declared, x->content, e);
    if (r == CELL_OK)
        r = cell_schema_check(x->content, SCHEMA_OF_EXPANSION, CELL_PROTOCOL_ERROR, e);
    if (r == CELL_OK)
        r = cell_schema_index(x->content, e);
    if (r == CELL_OK)
        r = cell_diagnostics_read(root, x, e);
    if (r == CELL_OK)
        r = cell_plan_read(root, &x->content->arena, &x->plan, e);
    if (r == CELL_OK)
        r = read_resources(root, x, e);
    if (r == CELL_OK && (r = cell_json_bool(root, "depends", JSON_OPTIONAL, &x->depends, e)) > 0)
        r = CELL_OK;
    if (r == CELL_OK && x->depends && (x->plan.id || x->content->nmethods || x->content->nconstants))
        r = cell_json_fail(root, "depends", e, "an answer that depends on others declares nothing");
    return r == CELL_OK ? take_fingerprint(root, x->content, e) : r;
}

int cell_expansion_parse(const char *json, size_t len, const struct cell_schema *declared, struct cell_expansion **out,
                         struct cell_error *e)
{
    struct cell_json doc = {0};
    int r = cell_declared_check(declared, e);
    if (r == CELL_OK)
        r = cell_json_load(json, len, CELL_PROTOCOL_ERROR, &doc, e);
    if (r < 0)
        return r;
    struct cell_expansion *x = calloc(1, sizeof(*x));
    if (x)
        x->content = cell_schema_new();
    r = x && x->content ? parse_into(&doc.root, declared, x, e) : no_memory(e);
    if (r == CELL_OK)
        *out = x;
    else
        cell_expansion_free(x);
    cell_json_free(&doc);
    return r;
}

void cell_expansion_free(struct cell_expansion *x)
{
    if (!x)
        return;
    cell_schema_free(x->content); /* diagnostics and plan are in its arena */
    free(x);
}
