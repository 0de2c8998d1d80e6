/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A schema document as a whole: its head, and the fingerprint of what was received. */
#include <string.h>

#include "base/util.h"
#include "core/schema_impl.h"

static int keep_string(const struct json_at *root, const char *key, enum json_need need, struct cell_schema *s,
                       const char **text, struct cell_error *e)
{
    const char *found = NULL;
    int r = cell_json_string(root, key, need, &found, e);
    if (r <= 0)
        return r;
    *text = cell_arena_copy(&s->arena, found, strlen(found));
    return *text ? CELL_OK : cell_error_set(e, CELL_NO_MEMORY, "schema: out of memory");
}

static int read_head(const struct json_at *root, struct cell_schema *s, struct cell_error *e)
{
    const char *format, *abi;
    char quoted[CELL_QUOTE_SIZE];
    int bad = cell_json_string(root, "schema", JSON_REQUIRED, &format, e);
    if (bad < 0)
        return bad;
    if (strcmp(format, CELL_SCHEMA_FORMAT) != 0)
        return cell_json_fail(root, "schema", e, "format '%s' is not known, '" CELL_SCHEMA_FORMAT "' is",
                              cell_json_quote(format, quoted, sizeof(quoted)));
    if ((bad = cell_json_string(root, "abi", JSON_REQUIRED, &abi, e)) < 0)
        return bad;
    if (strcmp(abi, CELL_ABI_NAME) != 0)
        return cell_json_fail(root, "abi", e, "ABI '%s' is not supported, '" CELL_ABI_NAME "' is",
                              cell_json_quote(abi, quoted, sizeof(quoted)));
    bad = keep_string(root, "cell", JSON_REQUIRED, s, &s->cell, e);
    return bad < 0 ? bad : keep_string(root, "doc", JSON_OPTIONAL, s, &s->doc, e);
}

/* Takes the fingerprint from the document as it came, and keeps that when the model cannot write it again. */
static int take_document(const struct json_at *root, struct cell_schema *s, struct cell_error *e)
{
    struct cell_buffer got = {0}, own = {0};
    int r = CELL_OK;
    cell_json_put(&got, root);
    cell_schema_put(s, &own);
    bool ok = cell_buffer_ok(&got) && cell_buffer_ok(&own);
    if (ok && (got.len != own.len || memcmp(got.data, own.data, got.len) != 0)) {
        s->received = cell_arena_copy(&s->arena, got.data, got.len);
        s->received_len = got.len;
        ok = s->received != NULL;
    }
    if (ok)
        cell_sha256_hex(got.data, got.len, s->fingerprint);
    else
        r = cell_error_set(e, CELL_NO_MEMORY, "schema: out of memory");
    cell_buffer_free(&got);
    cell_buffer_free(&own);
    return r;
}

static int parse_into(const struct json_at *root, enum schema_origin origin, struct cell_schema *s,
                      struct cell_error *e)
{
    int bad = read_head(root, s, e);
    if (bad == CELL_OK)
        bad = cell_schema_read(root, true, NULL, s, e);
    if (bad == CELL_OK)
        bad = cell_schema_check(s, origin, CELL_PROTOCOL_ERROR, e);
    if (bad == CELL_OK)
        bad = cell_schema_index(s, e);
    return bad < 0 ? bad : take_document(root, s, e);
}

static int parse(const char *json, size_t len, enum schema_origin origin, struct cell_schema **schema,
                 struct cell_error *e)
{
    struct cell_json doc = {0};
    int r = cell_json_load(json, len, CELL_PROTOCOL_ERROR, &doc, e);
    struct cell_schema *s = r < 0 ? NULL : cell_schema_new();
    if (r == CELL_OK)
        r = s ? parse_into(&doc.root, origin, s, e) : cell_error_set(e, CELL_NO_MEMORY, "schema: out of memory");
    if (r == CELL_OK)
        *schema = s;
    else
        cell_schema_free(s);
    cell_json_free(&doc);
    return r;
}

int cell_schema_parse(const char *json, size_t len, struct cell_schema **schema, struct cell_error *e)
{
    return parse(json, len, SCHEMA_OF_CELL, schema, e);
}

int cell_schema_parse_client(const char *json, size_t len, struct cell_schema **schema, struct cell_error *e)
{
    return parse(json, len, SCHEMA_OF_CLIENT, schema, e);
}
