/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The model of a program's uses, and its form as a document. */
#include "core/uses.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "core/schema_impl.h"

static const char *const kind_names[] = {[USE_FIELD] = "field", [USE_METHOD] = "method", [USE_VALUE] = "value"};

static const char *keep(struct cell_uses *u, const char *text)
{
    return cell_arena_copy(&u->arena, text, strlen(text));
}

int cell_uses_add(struct cell_uses *u, const struct use *use)
{
    if (u->n == CELL_MAX_USES) {
        u->truncated = true;
        return CELL_OK;
    }
    if (u->n == u->capacity) {
        uint32_t capacity = u->capacity ? 2 * u->capacity : 64;
        struct use *grown = realloc(u->uses, capacity * sizeof(*grown));
        if (!grown)
            return CELL_NO_MEMORY;
        u->uses = grown;
        u->capacity = capacity;
    }
    struct use *to = &u->uses[u->n];
    *to = (struct use){.cell = keep(u, use->cell),
                       .fingerprint = keep(u, use->fingerprint),
                       .kind = use->kind,
                       .name = keep(u, use->name),
                       .file = keep(u, use->file),
                       .line = use->line};
    if (!to->cell || !to->fingerprint || !to->name || !to->file)
        return CELL_NO_MEMORY;
    u->n++;
    return CELL_OK;
}

/* Whether two places are of one use. */
static int compare_uses(const struct use *a, const struct use *b)
{
    int r = strcmp(a->cell, b->cell);
    r = r ? r : strcmp(a->fingerprint, b->fingerprint);
    r = r ? r : (a->kind > b->kind) - (a->kind < b->kind);
    return r ? r : strcmp(a->name, b->name);
}

static int compare(const void *x, const void *y)
{
    const struct use *a = x, *b = y;
    int r = compare_uses(a, b);
    r = r ? r : strcmp(a->file, b->file);
    return r ? r : (a->line > b->line) - (a->line < b->line);
}

static void sort(struct cell_uses *u, uint32_t most_places)
{
    uint32_t n = 0, places = 0;
    if (u->n > 1)
        qsort(u->uses, u->n, sizeof(*u->uses), compare);
    for (uint32_t i = 0; i < u->n; i++) {
        bool first = n == 0 || compare_uses(&u->uses[n - 1], &u->uses[i]) != 0;
        if (!first && compare(&u->uses[n - 1], &u->uses[i]) == 0)
            continue;
        places = first ? 0 : places + 1;
        if (places < most_places)
            u->uses[n++] = u->uses[i];
        else
            u->truncated = true;
    }
    u->n = n;
}

void cell_uses_sort(struct cell_uses *u) { sort(u, CELL_MAX_PLACES); }

static void put_use(const struct cell_uses *u, uint32_t *i, struct cell_buffer *out)
{
    const struct use *first = &u->uses[*i];
    cell_buffer_puts(out, "{\"at\":[");
    for (uint32_t k = *i; *i < u->n && compare_uses(first, &u->uses[*i]) == 0; ++*i) {
        struct cell_buffer place = {0};
        cell_buffer_printf(&place, "%s:%u", u->uses[*i].file, u->uses[*i].line);
        cell_buffer_puts(out, *i > k ? "," : "");
        if (cell_buffer_ok(&place))
            cell_json_put_string(out, place.data);
        else
            out->failed = true;
        cell_buffer_free(&place);
    }
    cell_buffer_printf(out, "],\"kind\":\"%s\",\"name\":", kind_names[first->kind]);
    cell_json_put_string(out, first->name);
    cell_buffer_puts(out, "}");
}

int cell_uses_format(const struct cell_uses *u, struct cell_buffer *out)
{
    cell_buffer_puts(out, "{\"cells\":[");
    for (uint32_t i = 0; i < u->n;) {
        const struct use *first = &u->uses[i];
        cell_buffer_puts(out, i ? ",{\"cell\":" : "{\"cell\":");
        cell_json_put_string(out, first->cell);
        cell_buffer_puts(out, ",\"fingerprint\":");
        cell_json_put_string(out, first->fingerprint);
        cell_buffer_puts(out, ",\"uses\":[");
        for (uint32_t k = i; i < u->n && strcmp(first->cell, u->uses[i].cell) == 0 &&
                             strcmp(first->fingerprint, u->uses[i].fingerprint) == 0;) {
            cell_buffer_puts(out, i > k ? "," : "");
            put_use(u, &i, out);
        }
        cell_buffer_puts(out, "]}");
    }
    cell_buffer_printf(out, "],\"truncated\":%s}", u->truncated ? "true" : "false");
    return cell_buffer_ok(out) ? CELL_OK : CELL_NO_MEMORY;
}

static int put_record(const char *magic, const struct cell_buffer *document, struct cell_buffer *out)
{
    static const char zeros[8] = {0};
    unsigned char size[8];
    for (unsigned i = 0; i < 8; i++)
        size[i] = (unsigned char)((uint64_t)document->len >> (8 * i));
    cell_buffer_append(out, magic, 8);
    cell_buffer_append(out, size, sizeof(size));
    cell_buffer_append(out, document->data, document->len);
    cell_buffer_append(out, zeros, -document->len % 8);
    return cell_buffer_ok(document) && cell_buffer_ok(out) ? CELL_OK : CELL_NO_MEMORY;
}

int cell_uses_record(const struct cell_uses *u, struct cell_buffer *out)
{
    struct cell_buffer document = {0};
    cell_uses_format(u, &document);
    int r = put_record(CELL_USES_MAGIC, &document, out);
    cell_buffer_free(&document);
    return r;
}

int cell_used_schema_record(const struct cell_schema *schema, struct cell_buffer *out)
{
    return cell_used_schema_record_as(schema, schema->fingerprint, out);
}

int cell_used_schema_record_as(const struct cell_schema *schema, const char *fingerprint, struct cell_buffer *out)
{
    struct cell_buffer document = {0};
    cell_buffer_printf(&document, "{\"fingerprint\":\"%s\",\"schema\":", fingerprint);
    cell_schema_put_plain(schema, &document);
    cell_buffer_puts(&document, "}");
    int r = put_record(CELL_USED_SCHEMA_MAGIC, &document, out);
    cell_buffer_free(&document);
    return r;
}

/* ---- reading ---- */

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
    while (k < 3 && strcmp(kind_names[k], kind) != 0)
        k++;
    if (k == 3)
        return cell_json_fail(at, "kind", e, "\"field\", \"method\" or \"value\" is expected");
    use->kind = (enum use_kind)k;
    if (dot && (size_t)(dot - use->name) < sizeof(part))
        memcpy(part, use->name, (size_t)(dot - use->name));
    if (use->kind == USE_FIELD ? !dot || !cell_is_identifier(part) || !cell_is_identifier(dot + 1)
                               : !cell_is_identifier(use->name))
        return cell_json_fail(at, "name", e, "no name of a %s", kind_names[k]);
    for (size_t i = 0; r >= 0 && i < cell_json_count(&places); i++)
        r = read_place(u, &places, i, use, e);
    return r;
}

static int read_uses(struct cell_uses *u, const char *text, size_t len, struct cell_error *e)
{
    struct cell_json doc = {0};
    struct json_at cells, cell, uses, item;
    bool truncated = false;
    int r = cell_json_load(text, len, CELL_PROTOCOL_ERROR, &doc, e);
    if (r >= 0)
        r = cell_json_array(&doc.root, "cells", JSON_REQUIRED, &cells, e);
    if (r >= 0)
        r = cell_json_bool(&doc.root, "truncated", JSON_OPTIONAL, &truncated, e);
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
    cell_json_free(&doc);
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
    const char *kept = keep(u, fingerprint);
    if (!grown || !kept) {
        cell_schema_free(schema);
        return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    }
    u->schemas[u->nschemas++] = (struct used_schema){schema->cell, kept, schema};
    return CELL_OK;
}

static int read_schema(struct cell_uses *u, const char *text, size_t len, struct cell_error *e)
{
    struct cell_json doc = {0};
    struct json_at at;
    struct cell_buffer json = {0};
    struct cell_schema *schema = NULL;
    const char *fingerprint;
    int r = cell_json_load(text, len, CELL_PROTOCOL_ERROR, &doc, e);
    if (r >= 0)
        r = read_head(&doc.root, NULL, &fingerprint, e);
    if (r >= 0)
        r = cell_json_object(&doc.root, "schema", JSON_REQUIRED, &at, e);
    if (r >= 0) {
        cell_json_put(&json, &at);
        r = cell_buffer_ok(&json) ? cell_schema_parse(json.data, json.len, &schema, e)
                                  : cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    }
    if (r >= 0)
        r = take_schema(u, fingerprint, schema, e);
    cell_buffer_free(&json);
    cell_json_free(&doc);
    return r < 0 ? r : CELL_OK;
}

static int read_records(struct cell_uses *u, const char *bytes, size_t len, const char *magic,
                        int (*read)(struct cell_uses *u, const char *text, size_t len, struct cell_error *e),
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
        int r = read(u, bytes + at, (size_t)size, e);
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
    int r = read ? read_records(read, uses, uses_len, CELL_USES_MAGIC, read_uses, e)
                 : cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    if (r >= 0)
        r = read_records(read, schemas, schemas_len, CELL_USED_SCHEMA_MAGIC, read_schema, e);
    if (r < 0) {
        cell_uses_free(read);
        return r;
    }
    sort(read, CELL_MAX_USES);
    *u = read;
    return CELL_OK;
}

void cell_uses_free(struct cell_uses *u)
{
    if (!u)
        return;
    for (uint32_t i = 0; i < u->nschemas; i++)
        cell_schema_free(u->schemas[i].schema);
    free(u->schemas);
    free(u->uses);
    cell_arena_free(&u->arena);
    free(u);
}
