/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Asking a cell for its journals, by descriptors that are made for its name. */
#include "source.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/descriptor.h"
#include "common/document.h"

struct seen_field {
    cell_str name, type;
    uint32_t offset;
};
struct seen_list {
    const void *ptr;
    uint64_t len;
};
struct seen_journal {
    cell_str name, folder, type, time;
    uint32_t record_size;
    struct seen_list fields;
};

/* The descriptors, and the names that they refer to. */
struct asking {
    char texts[5][AN_MOST_NAME + 32];
    struct cell_type field, fields, journal, journals;
    struct cell_field field_fields[3], journal_fields[6], out[1];
    struct cell_method method;
    struct cell_service service;
    struct cell_client *slot;
};

static void describe(struct asking *a, const char *cell)
{
    static const char *const names[] = {"journal_field", "journal_fields", "journal", "journals", "streams"};

    *a = (struct asking){.slot = NULL};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        snprintf(a->texts[i], sizeof(a->texts[i]), "%s_%s", cell, names[i]);
    a->field_fields[0] = DESCRIPTOR_FIELD("name", &cell_type_str, seen_field, name);
    a->field_fields[1] = DESCRIPTOR_FIELD("type", &cell_type_str, seen_field, type);
    a->field_fields[2] = DESCRIPTOR_FIELD("offset", &cell_type_u32, seen_field, offset);
    a->field = DESCRIPTOR_STRUCT(a->texts[0], seen_field, a->field_fields, 3);
    a->fields = DESCRIPTOR_LIST(a->texts[1], &a->field);
    a->journal_fields[0] = DESCRIPTOR_FIELD("name", &cell_type_str, seen_journal, name);
    a->journal_fields[1] = DESCRIPTOR_FIELD("folder", &cell_type_str, seen_journal, folder);
    a->journal_fields[2] = DESCRIPTOR_FIELD("type", &cell_type_str, seen_journal, type);
    a->journal_fields[3] = DESCRIPTOR_FIELD("time", &cell_type_str, seen_journal, time);
    a->journal_fields[4] = DESCRIPTOR_FIELD("record_size", &cell_type_u32, seen_journal, record_size);
    a->journal_fields[5] = DESCRIPTOR_FIELD("fields", &a->fields, seen_journal, fields);
    a->journal = DESCRIPTOR_STRUCT(a->texts[2], seen_journal, a->journal_fields, 6);
    a->journals = DESCRIPTOR_LIST(a->texts[3], &a->journal);
    a->out[0] = (struct cell_field){.name = "journals", .type = &a->journals, .flags = CELL_FIELD_REF | CELL_FIELD_OUT};
    a->method = (struct cell_method){.name = a->texts[4], .out = a->out, .nout = 1, .flags = CELL_METHOD_IDEMPOTENT};
    /* No cell's schema has this fingerprint, so that the cell asks what these descriptors are. */
    a->service =
        (struct cell_service){.abi = CELL_DESC_ABI,
                              .nmethods = 1,
                              .name = cell,
                              .fingerprint = "a9a1000000000000000000000000000000000000000000000000000000000000",
                              .methods = &a->method,
                              .slot = &a->slot};
}

static json_t *text(cell_str s) { return json_stringn(s.ptr ? s.ptr : "", s.len); }

static json_t *keep(const struct seen_journal *from)
{
    const struct seen_field *field = from->fields.ptr;
    json_t *fields = json_array();

    for (uint64_t i = 0; i < from->fields.len; i++)
        json_array_append_new(fields, json_pack("{so, so, sI}", "name", text(field[i].name), "type",
                                                text(field[i].type), "offset", (json_int_t)field[i].offset));
    return json_pack("{so, so, so, so, sI, so}", "name", text(from->name), "folder", text(from->folder), "type",
                     text(from->type), "time", text(from->time), "record_size", (json_int_t)from->record_size, "fields",
                     fields);
}

static int ask(cell_ctx *c, struct asking *a, json_t **streams, struct an_failure *f)
{
    struct seen_list journals = {0};
    void *out[] = {&journals};
    int in = 0, r = cell_call(c, &a->service, 0, &in, out);

    if (r < 0)
        return an_fail(f, r, "%s", cell_ctx_message(c));
    const struct seen_journal *all = journals.ptr;
    *streams = json_array();
    for (uint64_t i = 0; i < journals.len; i++)
        if (json_array_append_new(*streams, keep(&all[i])) < 0) {
            json_decref(*streams);
            return an_fail(f, CELL_NO_MEMORY, "what it tells of its streams cannot be kept");
        }
    return CELL_OK;
}

int an_source_streams(const char *cell, uint32_t timeout_ms, json_t **streams, struct an_failure *f)
{
    struct asking *a = malloc(sizeof(*a));
    struct cell_client *client = NULL;
    int r = a ? cell_client_open(NULL, &client) : CELL_NO_MEMORY;
    const struct cell_ctx_options options = {.timeout_ms = timeout_ms, .client = client};
    cell_ctx *c = cell_ctx_open(&options);

    if (r < 0 || !c) {
        r = an_fail(f, CELL_NO_MEMORY, "out of memory");
    } else {
        describe(a, cell);
        r = ask(c, a, streams, f);
    }
    cell_ctx_close(c); /* it may hold a connection of the client's */
    cell_client_close(client);
    free(a);
    return r;
}

int an_source_ask(const char *cell, const char *stream, uint32_t timeout_ms, struct an_source *source,
                  struct an_failure *f)
{
    json_t *streams;
    int r = an_source_streams(cell, timeout_ms, &streams, f);

    source->stream = NULL;
    if (r < 0)
        return r;
    source->stream = json_incref((json_t *)(uintptr_t)document_find(streams, "name", stream));
    json_decref(streams);
    return CELL_OK;
}

void an_source_free(struct an_source *source)
{
    json_decref(source->stream);
    source->stream = NULL;
}

int an_source_check(const struct an_definition *d, const struct an_source *source, struct an_failure *f)
{
    const json_t *fields = json_object_get(source->stream, "fields");
    json_t *field, *other;
    size_t i, k;

    if (!source->stream)
        return an_fail(f, CELL_FAILED_PRECONDITION, "%s has no stream '%s'", d->source, d->stream);
    if (strcmp(document_text(source->stream, "type"), d->type) != 0 ||
        json_integer_value(json_object_get(source->stream, "record_size")) != d->plan.record_size)
        return an_fail(f, CELL_FAILED_PRECONDITION,
                       "%s.%s has other records now than when the program was built: build it again", d->source,
                       d->stream);
    json_array_foreach(json_object_get(d->json, "fields"), i, field)
    {
        bool found = false;
        json_array_foreach(fields, k, other) found = found || json_equal(field, other);
        if (!found)
            return an_fail(f, CELL_FAILED_PRECONDITION,
                           "field '%s' of %s.%s is not what it was: build the program again",
                           document_text(field, "name"), d->source, d->stream);
    }
    return CELL_OK;
}
