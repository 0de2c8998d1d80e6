/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The model of a program's uses, and its form as a document. */
#include "core/uses.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "core/uses_impl.h"
#include "wire/message.h"

const char *const cell_use_kind_names[] = {[USE_FIELD] = "field",
                                           [USE_METHOD] = "method",
                                           [USE_VALUE] = "value",
                                           [USE_FUNCTION] = "function",
                                           [USE_RESOURCE] = "resource",
                                           [USE_CAPABILITY] = "capability",
                                           [USE_REQUIREMENT] = "requirement"};

bool cell_is_resource(const char *name)
{
    size_t len = strlen(name);
    for (const char *p = name; *p; p++)
        if (cell_json_control(p))
            return false;
    return len >= 1 && len <= CELL_MAX_RESOURCE_NAME && cell_utf8_valid(name, len);
}

static const char *keep(struct cell_uses *u, const char *text)
{
    return cell_arena_copy(&u->arena, text, strlen(text));
}

int cell_uses_add(struct cell_uses *u, const struct use *use)
{
    if (u->n >= CELL_MAX_USES + (use->kind == USE_RESOURCE ? CELL_MAX_USED_RESOURCES : 0)) {
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

void uses_sort(struct cell_uses *u, uint32_t most_places)
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

void cell_uses_sort(struct cell_uses *u) { uses_sort(u, CELL_MAX_PLACES); }

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
    cell_buffer_printf(out, "],\"kind\":\"%s\",\"name\":", cell_use_kind_names[first->kind]);
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

void cell_used_schema_format(const struct cell_schema *schema, const char *fingerprint, struct cell_buffer *out)
{
    cell_buffer_printf(out, "{\"fingerprint\":\"%s\",\"schema\":", fingerprint);
    cell_schema_put_plain(schema, out);
    cell_buffer_puts(out, "}");
}

int cell_used_schema_record_as(const struct cell_schema *schema, const char *fingerprint, struct cell_buffer *out)
{
    struct cell_buffer document = {0};
    cell_used_schema_format(schema, fingerprint, &document);
    int r = put_record(CELL_USED_SCHEMA_MAGIC, &document, out);
    cell_buffer_free(&document);
    return r;
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
