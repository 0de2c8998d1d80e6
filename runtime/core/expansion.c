/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "core/schema_impl.h"

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

static int read_severity(const struct json_at *at, struct expansion_diagnostic *d, struct cell_error *e)
{
    static const char *const names[] = {[EXPANSION_ERROR] = "error",
                                        [EXPANSION_WARNING] = "warning",
                                        [EXPANSION_NOTE] = "note",
                                        [EXPANSION_REMARK] = "remark"};
    const char *text;
    char quoted[CELL_QUOTE_SIZE];
    int r = cell_json_string(at, "severity", JSON_REQUIRED, &text, e);
    if (r < 0)
        return r;
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(text, names[i]) == 0) {
            memcpy(&d->severity, &i, sizeof(d->severity));
            return CELL_OK;
        }
    return cell_json_fail(at, "severity", e, "unknown severity '%s'", cell_json_quote(text, quoted, sizeof(quoted)));
}

/* A member as a string in the arena. */
static int copy_string(const struct json_at *at, const char *key, enum json_need need, struct cell_arena *arena,
                       const char **text, struct cell_error *e)
{
    const char *found = NULL;
    int r = cell_json_string(at, key, need, &found, e);
    if (r <= 0)
        return r;
    *text = cell_arena_copy(arena, found, strlen(found));
    return *text ? CELL_OK : no_memory(e);
}

static int read_diagnostic(const struct json_at *at, struct cell_arena *arena, struct expansion_diagnostic *d,
                           struct cell_error *e)
{
    int r = read_severity(at, d, e);
    if (r == CELL_OK)
        r = copy_string(at, "text", JSON_REQUIRED, arena, &d->text, e);
    if (r == CELL_OK)
        r = cell_check_text(at, "text", d->text, true, e);
    if (r == CELL_OK)
        r = copy_string(at, "field", JSON_OPTIONAL, arena, &d->place.field, e);
    return r == CELL_OK ? cell_check_text(at, "field", d->place.field, false, e) : r;
}

static int read_diagnostics(const struct json_at *root, struct cell_expansion *x, struct cell_error *e)
{
    struct json_at list, at;
    struct cell_arena *arena = &x->content->arena;
    int r = cell_json_array(root, "diagnostics", JSON_OPTIONAL, &list, e);
    if (r <= 0)
        return r;
    size_t n = cell_json_count(&list);
    x->diagnostics = cell_arena_array(arena, n, sizeof(*x->diagnostics));
    if (!x->diagnostics)
        return no_memory(e);
    for (size_t i = 0; i < n; i++) {
        if ((r = cell_json_item_object(&list, i, &at, e)) < 0)
            return r;
        if ((r = read_diagnostic(&at, arena, &x->diagnostics[i], e)) < 0)
            return r;
    }
    x->ndiagnostics = (uint32_t)n;
    return CELL_OK;
}

/* The same document over other types means other messages: connections of the two must not be mixed up. */
static int take_fingerprint(const struct json_at *root, struct cell_schema *content, struct cell_error *e)
{
    struct cell_buffer out = {0};
    cell_json_put(&out, root);
    for (uint32_t i = 0, n = cell_declared_count(content); i < n; i++)
        cell_buffer_append(&out, content->types[i].fingerprint, CELL_FINGERPRINT_LEN);
    bool ok = cell_buffer_ok(&out);
    if (ok)
        cell_sha256_hex(out.data, out.len, content->fingerprint);
    cell_buffer_free(&out);
    return ok ? CELL_OK : no_memory(e);
}

static int parse_into(const struct json_at *root, const struct cell_schema *declared, struct cell_expansion *x,
                      struct cell_error *e)
{
    int r = read_format(root, e);
    if (r == CELL_OK)
        r = cell_schema_read(root, false, declared, x->content, e);
    if (r == CELL_OK)
        r = cell_schema_check(x->content, true, CELL_PROTOCOL_ERROR, e);
    if (r == CELL_OK)
        r = cell_schema_index(x->content, e);
    if (r == CELL_OK)
        r = read_diagnostics(root, x, e);
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
    cell_schema_free(x->content); /* the diagnostics are in its arena */
    free(x);
}
