/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What a source tells of itself: CELL_status, by descriptors that are made for its name. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/descriptor.h"

#include "source.h"

/* The beginnings of the structs that the method has: later fields are nobody's business here. */
struct seen_field {
    cell_str name, type;
    bool key;
};
struct seen_index {
    cell_str name;
};
struct seen_list {
    const void *ptr;
    uint64_t len;
};
struct seen_collection {
    cell_str name;
    struct seen_list fields, indexes;
    uint64_t count, position, oldest_position;
};
struct seen_contents {
    cell_str identity;
    struct seen_list collections;
};

#define MOST_TEXT 96

/* The descriptors, and the texts that they refer to. */
struct asking {
    char texts[9][MOST_TEXT];
    struct cell_type field, fields, index, indexes, collection, collections, contents;
    struct cell_field field_fields[3], index_fields[1], collection_fields[6], contents_fields[2], out[1];
    struct cell_method method;
    struct cell_service service;
    struct cell_client *slot;
};

static void describe_types(struct asking *a)
{
    a->field_fields[0] = DESCRIPTOR_FIELD("name", &cell_type_str, seen_field, name);
    a->field_fields[1] = DESCRIPTOR_FIELD("type", &cell_type_str, seen_field, type);
    a->field_fields[2] = DESCRIPTOR_FIELD("key", &cell_type_bool, seen_field, key);
    a->field = DESCRIPTOR_STRUCT(a->texts[0], seen_field, a->field_fields, 3);
    a->fields = DESCRIPTOR_LIST(a->texts[1], &a->field);
    a->index_fields[0] = DESCRIPTOR_FIELD("name", &cell_type_str, seen_index, name);
    a->index = DESCRIPTOR_STRUCT(a->texts[2], seen_index, a->index_fields, 1);
    a->indexes = DESCRIPTOR_LIST(a->texts[3], &a->index);
    a->collection_fields[0] = DESCRIPTOR_FIELD("name", &cell_type_str, seen_collection, name);
    a->collection_fields[1] = DESCRIPTOR_FIELD("fields", &a->fields, seen_collection, fields);
    a->collection_fields[2] = DESCRIPTOR_FIELD("indexes", &a->indexes, seen_collection, indexes);
    a->collection_fields[3] = DESCRIPTOR_FIELD("count", &cell_type_u64, seen_collection, count);
    a->collection_fields[4] = DESCRIPTOR_FIELD("position", &cell_type_u64, seen_collection, position);
    a->collection_fields[5] = DESCRIPTOR_FIELD("oldest_position", &cell_type_u64, seen_collection, oldest_position);
    a->collection = DESCRIPTOR_STRUCT(a->texts[4], seen_collection, a->collection_fields, 6);
    a->collections = DESCRIPTOR_LIST(a->texts[5], &a->collection);
    a->contents_fields[0] = DESCRIPTOR_FIELD("identity", &cell_type_str, seen_contents, identity);
    a->contents_fields[1] = DESCRIPTOR_FIELD("collections", &a->collections, seen_contents, collections);
    a->contents = DESCRIPTOR_STRUCT(a->texts[6], seen_contents, a->contents_fields, 2);
}

static void describe(struct asking *a, const char *cell)
{
    static const char *const names[] = {"field",      "fields",           "index",    "indexes",
                                        "collection", "collections_list", "contents", "status"};

    *a = (struct asking){.slot = NULL};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        snprintf(a->texts[i], MOST_TEXT, "%s_%s", cell, names[i]);
    describe_types(a);
    a->out[0] = (struct cell_field){.name = "contents", .type = &a->contents, .flags = CELL_FIELD_REF | CELL_FIELD_OUT};
    a->method = (struct cell_method){
        .name = a->texts[7], .out = a->out, .nout = 1, .in_size = 0, .flags = CELL_METHOD_IDEMPOTENT};
    /* No cell's schema has this fingerprint, so that the cell asks what these descriptors are. */
    a->service =
        (struct cell_service){.abi = CELL_DESC_ABI,
                              .nmethods = 1,
                              .name = cell,
                              .fingerprint = "5e4c000000000000000000000000000000000000000000000000000000000000",
                              .methods = &a->method,
                              .slot = &a->slot};
}

/* Where the next one has room. */
static char *keep_text(char *at, cell_str text)
{
    if (text.len)
        memcpy(at, text.ptr, text.len);
    at[text.len] = '\0';
    return at + text.len + 1;
}

/* One piece of memory: the fields, and behind them their texts. */
static int keep_collection(const struct seen_collection *of, struct sc_source_status *status)
{
    const struct seen_field *from = of->fields.ptr;
    size_t size = (of->fields.len + 1) * sizeof(struct sc_source_field);

    for (uint64_t i = 0; i < of->fields.len; i++)
        size += from[i].name.len + from[i].type.len + 2;
    struct sc_source_field *fields = malloc(size);
    if (!fields)
        return CELL_NO_MEMORY;
    char *text = (char *)(fields + of->fields.len + 1);
    for (uint64_t i = 0; i < of->fields.len; i++) {
        fields[i] = (struct sc_source_field){.name = text, .key = from[i].key};
        text = keep_text(text, from[i].name);
        fields[i].type = text;
        text = keep_text(text, from[i].type);
    }
    free(status->fields);
    status->found = true;
    status->count = of->count;
    status->position = of->position;
    status->oldest = of->oldest_position;
    status->fields = fields;
    status->nfields = of->fields.len;
    return CELL_OK;
}

/* ---- asking ---- */

/* One cell's answer, or why there is none. */
struct sc_told {
    char cell[SC_MOST_NAME + 1];
    struct asking asking;
    struct cell_client *client;
    cell_ctx *c; /* that the contents are in */
    struct seen_contents contents;
    struct search_failure failure;
};

static void forget(struct sc_told *t)
{
    cell_ctx_close(t->c); /* it may hold a connection of the client's */
    cell_client_close(t->client);
    free(t);
}

/* NULL when memory is short. */
static struct sc_told *tell(const char *cell, uint32_t timeout_ms)
{
    struct sc_told *t = calloc(1, sizeof(*t));
    int in = 0;

    if (!t)
        return NULL;
    void *out[] = {&t->contents};
    int r = cell_client_open(NULL, &t->client);
    const struct cell_ctx_options options = {.timeout_ms = timeout_ms, .client = t->client};
    t->c = r >= 0 ? cell_ctx_open(&options) : NULL;
    if (!t->c) {
        forget(t);
        return NULL;
    }
    snprintf(t->cell, sizeof(t->cell), "%s", cell);
    describe(&t->asking, t->cell);
    r = cell_call(t->c, &t->asking.service, 0, &in, out);
    if (r < 0)
        search_fail(&t->failure, r, "%s", cell_ctx_message(t->c));
    return t;
}

static int find_collection(const struct sc_told *t, const char *collection, struct sc_source_status *status,
                           struct search_failure *f)
{
    const struct seen_collection *all = t->contents.collections.ptr;

    *status = (struct sc_source_status){.found = false};
    if (t->failure.status < 0) {
        *f = t->failure;
        return f->status;
    }
    snprintf(status->identity, sizeof(status->identity), "%.*s", CELL_FMT(t->contents.identity));
    for (uint64_t i = 0; i < t->contents.collections.len; i++)
        if (all[i].name.ptr && strcmp(all[i].name.ptr, collection) == 0 && keep_collection(&all[i], status) < 0) {
            sc_source_status_free(status);
            return search_fail(f, CELL_NO_MEMORY, "out of memory");
        }
    return CELL_OK;
}

int sc_survey_ask(struct sc_survey *survey, const char *cell, const char *collection, uint32_t timeout_ms,
                  struct sc_source_status *status, struct search_failure *f)
{
    uint32_t i = 0;

    while (i < survey->n && strcmp(survey->told[i]->cell, cell) != 0)
        i++;
    if (i < survey->n)
        return find_collection(survey->told[i], collection, status, f);
    struct sc_told *t = tell(cell, timeout_ms);
    if (!t)
        return search_fail(f, CELL_NO_MEMORY, "out of memory");
    int r = find_collection(t, collection, status, f);
    if (survey->n < SC_MOST_TOLD)
        survey->told[survey->n++] = t;
    else
        forget(t);
    return r;
}

void sc_survey_end(struct sc_survey *survey)
{
    for (uint32_t i = 0; i < survey->n; i++)
        forget(survey->told[i]);
    survey->n = 0;
}

int sc_source_ask(const char *cell, const char *collection, uint32_t timeout_ms, struct sc_source_status *status,
                  struct search_failure *f)
{
    struct sc_survey survey = {.n = 0};
    int r = sc_survey_ask(&survey, cell, collection, timeout_ms, status, f);

    sc_survey_end(&survey);
    return r;
}

void sc_source_status_free(struct sc_source_status *status)
{
    free(status->fields);
    *status = (struct sc_source_status){.found = false};
}

/* ---- comparing ---- */

const struct sc_source_field *sc_source_find(const struct sc_source_status *status, const char *name)
{
    for (size_t i = 0; i < status->nfields; i++)
        if (strcmp(status->fields[i].name, name) == 0)
            return &status->fields[i];
    return NULL;
}

static bool is_real(const struct sc_type *type) { return type->kind == CELL_KIND_F32 || type->kind == CELL_KIND_F64; }

bool sc_source_fits(const struct sc_field *field, const char *type)
{
    struct sc_type is;

    if (!sc_type_parse(type, &is))
        return false;
    if (field->type.shape == SC_ARRAY || is.shape == SC_ARRAY)
        return is.shape == field->type.shape && is.kind == field->type.kind && is.count == field->type.count;
    if (sc_type_is_integer(&field->type))
        return sc_type_is_integer(&is);
    return is_real(&field->type) ? is_real(&is) : is.kind == field->type.kind;
}

static int check_field(const struct sc_definition *d, const struct sc_field *field, bool key,
                       const struct sc_source_status *status, struct search_failure *f)
{
    const struct sc_source_field *is = sc_source_find(status, field->name);

    if (!is)
        return search_fail(f, CELL_FAILED_PRECONDITION, "field '%s' no longer exists in %s.%s", field->name, d->source,
                           d->collection);
    if (!sc_source_fits(field, is->type))
        return search_fail(f, CELL_FAILED_PRECONDITION, "field '%s' of %s.%s has type %s now, not %s", field->name,
                           d->source, d->collection, is->type, field->type_text);
    if (key && !is->key)
        return search_fail(f, CELL_FAILED_PRECONDITION, "field '%s' is not in the key of %s.%s", field->name, d->source,
                           d->collection);
    return CELL_OK;
}

int sc_source_check(const struct sc_definition *definition, const struct sc_source_status *status,
                    struct search_failure *f)
{
    uint32_t nkey = 0;
    int r = CELL_OK;

    if (!status->found)
        return search_fail(f, CELL_FAILED_PRECONDITION, "%s has no collection '%s'", definition->source,
                           definition->collection);
    for (uint32_t i = 0; r >= 0 && i < definition->nkey; i++)
        r = check_field(definition, &definition->key[i], true, status, f);
    for (uint32_t i = 0; r >= 0 && i < definition->nfields; i++)
        r = check_field(definition, &definition->fields[i], false, status, f);
    for (size_t i = 0; i < status->nfields; i++)
        nkey += status->fields[i].key;
    if (r >= 0 && nkey != definition->nkey)
        r = search_fail(f, CELL_FAILED_PRECONDITION, "the key of %s.%s has %u fields, not %u", definition->source,
                        definition->collection, nkey, definition->nkey);
    return r;
}

/* FNV-1a. */
uint64_t sc_source_hash(const struct sc_source_status *status)
{
    uint64_t h = UINT64_C(14695981039346656037) ^ status->found;

    for (const char *p = status->identity; *p; p++)
        h = (h ^ (uint8_t)*p) * UINT64_C(1099511628211);
    for (size_t i = 0; i < status->nfields; i++) {
        for (const char *p = status->fields[i].name; *p; p++)
            h = (h ^ (uint8_t)*p) * UINT64_C(1099511628211);
        h = (h ^ (status->fields[i].key ? '*' : '\n')) * UINT64_C(1099511628211);
        for (const char *p = status->fields[i].type; *p; p++)
            h = (h ^ (uint8_t)*p) * UINT64_C(1099511628211);
        h = (h ^ '\n') * UINT64_C(1099511628211);
    }
    return h;
}
