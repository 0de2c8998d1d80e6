/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Reading what a program uses, from its sections or as documents; nobody vouches for either. */
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "core/uses_impl.h"

static bool is_fingerprint(const char *text)
{
    return strlen(text) == CELL_FINGERPRINT_LEN && strspn(text, "0123456789abcdef") == CELL_FINGERPRINT_LEN;
}

static int read_head(const struct json_at *at, const char **cell, const char **fingerprint, struct cell_error *e)
{
    int r = cell ? cell_json_string(at, "cell", JSON_REQUIRED, cell, e) : CELL_OK;
    if (r >= 0 && cell && !cell_is_identifier(*cell))
        r = cell_json_fail(at, "cell", e, "no name of a cell");
    if (r >= 0)
        r = cell_json_string(at, "fingerprint", JSON_REQUIRED, fingerprint, e);
    if (r >= 0 && !is_fingerprint(*fingerprint))
        r = cell_json_fail(at, "fingerprint", e, "64 hex digits are expected");
    return r;
}

/* "src/main.c:12" */
static int read_place(struct cell_uses *u, const struct json_at *places, size_t i, struct use *use,
                      struct cell_error *e)
{
    const char *text;
    int r = cell_json_item_string(places, i, &text, e);
    if (r < 0)
        return r;
    const char *colon = strrchr(text, ':');
    char *end = NULL;
    unsigned long line = colon && colon[1] >= '0' && colon[1] <= '9' ? strtoul(colon + 1, &end, 10) : 0;
    const struct json_at at = {.parent = places, .index = i, .status = places->status};
    for (const char *p = text; *p; p++)
        if (cell_json_control(p))
            return cell_json_fail(&at, NULL, e, "the place holds a control character");
    if (!end || *end || line > UINT32_MAX || colon == text)
        return cell_json_fail(&at, NULL, e, "\"FILE:LINE\" is expected");
    use->file = cell_arena_copy(&u->arena, text, (size_t)(colon - text));
    use->line = (uint32_t)line;
    r = use->file ? cell_uses_add(u, use) : CELL_NO_MEMORY;
    return r < 0 ? cell_error_set(e, r, "out of memory") : r;
}

static int read_use(struct cell_uses *u, const struct json_at *at, struct use *use, struct cell_error *e)
{
    const char *kind;
    struct json_at places;
    int r = cell_json_string(at, "kind", JSON_REQUIRED, &kind, e);
    if (r >= 0)
        r = cell_json_string(at, "name", JSON_REQUIRED, &use->name, e);
    if (r >= 0)
        r = cell_json_array(at, "at", JSON_REQUIRED, &places, e);
    if (r < 0)
        return r;
    const char *dot = strchr(use->name, '.');
    char part[256] = "";
    unsigned k = 0;
    while (k <= USE_RESOURCE && strcmp(cell_use_kind_names[k], kind) != 0)
        k++;
    if (k > USE_RESOURCE)
        return cell_json_fail(at, "kind", e,
                              "\"field\", \"method\", \"value\", \"function\" or \"resource\" is expected");
    use->kind = (enum use_kind)k;
    if (dot && (size_t)(dot - use->name) < sizeof(part))
        memcpy(part, use->name, (size_t)(dot - use->name));
    if (use->kind == USE_RESOURCE ? !cell_is_resource(use->name)
        : use->kind == USE_FIELD  ? !dot || !cell_is_identifier(part) || !cell_is_identifier(dot + 1)
                                  : !cell_is_identifier(use->name))
        return cell_json_fail(at, "name", e, "no name of a %s", cell_use_kind_names[k]);
    for (size_t i = 0; r >= 0 && i < cell_json_count(&places); i++)
        r = read_place(u, &places, i, use, e);
    return r;
}

static int read_uses_at(struct cell_uses *u, const struct json_at *root, struct cell_error *e)
{
    struct json_at cells, cell, uses, item;
    bool truncated = false;
    int r = cell_json_array(root, "cells", JSON_REQUIRED, &cells, e);
    if (r >= 0)
        r = cell_json_bool(root, "truncated", JSON_OPTIONAL, &truncated, e);
    u->truncated |= truncated;
    for (size_t i = 0; r >= 0 && i < cell_json_count(&cells); i++) {
        struct use use = {0};
        r = cell_json_item_object(&cells, i, &cell, e);
        if (r >= 0)
            r = read_head(&cell, &use.cell, &use.fingerprint, e);
        if (r >= 0)
            r = cell_json_array(&cell, "uses", JSON_REQUIRED, &uses, e);
        for (size_t k = 0; r >= 0 && k < cell_json_count(&uses); k++) {
            r = cell_json_item_object(&uses, k, &item, e);
            r = r < 0 ? r : read_use(u, &item, &use, e);
        }
    }
    return r < 0 ? r : CELL_OK;
}

static int take_schema(struct cell_uses *u, const char *fingerprint, struct cell_schema *schema, struct cell_error *e)
{
    for (uint32_t i = 0; i < u->nschemas; i++)
        if (strcmp(u->schemas[i].fingerprint, fingerprint) == 0) {
            cell_schema_free(schema);
            return CELL_OK;
        }
    struct used_schema *grown = realloc(u->schemas, (u->nschemas + 1) * sizeof(*grown));
    if (grown)
        u->schemas = grown;
    const char *kept = cell_arena_copy(&u->arena, fingerprint, strlen(fingerprint));
    if (!grown || !kept) {
        cell_schema_free(schema);
        return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    }
    u->schemas[u->nschemas++] = (struct used_schema){schema->cell, kept, schema};
    return CELL_OK;
}

static int read_schema_at(struct cell_uses *u, const struct json_at *root, struct cell_error *e)
{
    struct json_at at;
    struct cell_buffer json = {0};
    struct cell_schema *schema = NULL;
    const char *fingerprint;
    int r = read_head(root, NULL, &fingerprint, e);
    if (r >= 0)
        r = cell_json_object(root, "schema", JSON_REQUIRED, &at, e);
    if (r >= 0) {
        cell_json_put(&json, &at);
        r = cell_buffer_ok(&json) ? cell_schema_parse(json.data, json.len, &schema, e)
                                  : cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    }
    if (r >= 0)
        r = take_schema(u, fingerprint, schema, e);
    cell_buffer_free(&json);
    return r < 0 ? r : CELL_OK;
}

typedef int reader(struct cell_uses *u, const struct json_at *root, struct cell_error *e);

static int read_document(struct cell_uses *u, const char *text, size_t len, reader *read, struct cell_error *e)
{
    struct cell_json doc = {0};
    int r = cell_json_load(text, len, CELL_PROTOCOL_ERROR, &doc, e);
    if (r >= 0)
        r = read(u, &doc.root, e);
    cell_json_free(&doc);
    return r;
}

static int read_records(struct cell_uses *u, const char *bytes, size_t len, const char *magic, reader *read,
                        struct cell_error *e)
{
    if (len > CELL_MAX_USES_SECTION)
        return cell_error_set(e, CELL_TOO_LARGE, "what the program uses takes %zu bytes, %u is the limit", len,
                              CELL_MAX_USES_SECTION);
    for (size_t at = 0; at < len;) {
        uint64_t size = 0;
        if (bytes[at] == '\0') { /* linkers pad with zeros */
            at++;
            continue;
        }
        if (len - at < 16 || memcmp(bytes + at, magic, 8) != 0)
            return cell_error_set(e, CELL_PROTOCOL_ERROR,
                                  "what the program uses is of another version of Cell, or damaged");
        for (unsigned i = 0; i < 8; i++)
            size |= (uint64_t)(unsigned char)bytes[at + 8 + i] << (8 * i);
        at += 16;
        if (size > len - at)
            return cell_error_set(e, CELL_PROTOCOL_ERROR, "what the program uses is cut off");
        int r = read_document(u, bytes + at, (size_t)size, read, e);
        if (r < 0)
            return r;
        at += (size_t)size;
    }
    return CELL_OK;
}

int cell_uses_read(const char *uses, size_t uses_len, const char *schemas, size_t schemas_len, struct cell_uses **u,
                   struct cell_error *e)
{
    struct cell_uses *read = calloc(1, sizeof(*read));
    int r = read ? read_records(read, uses, uses_len, CELL_USES_MAGIC, read_uses_at, e)
                 : cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    if (r >= 0)
        r = read_records(read, schemas, schemas_len, CELL_USED_SCHEMA_MAGIC, read_schema_at, e);
    if (r < 0) {
        cell_uses_free(read);
        return r;
    }
    uses_sort(read, CELL_MAX_USES);
    *u = read;
    return CELL_OK;
}

int cell_uses_read_documents(const struct json_at *uses, const struct json_at *schemas, struct cell_uses **u,
                             struct cell_error *e)
{
    struct cell_uses *read = calloc(1, sizeof(*read));
    struct json_at schema;
    int r = read ? read_uses_at(read, uses, e) : cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    for (size_t i = 0; r >= 0 && i < cell_json_count(schemas); i++) {
        r = cell_json_item_object(schemas, i, &schema, e);
        if (r >= 0)
            r = read_schema_at(read, &schema, e);
    }
    if (r < 0) {
        cell_uses_free(read);
        return r;
    }
    uses_sort(read, CELL_MAX_USES);
    *u = read;
    return CELL_OK;
}
