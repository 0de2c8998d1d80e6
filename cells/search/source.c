/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Records of a source, by descriptors that are made for what it tells of its fields and what an index wants of them. */
#include "source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cell/client.h>

#define MOST_COLUMNS (SEARCH_MOST_FIELDS + SC_MOST_KEYS)

/* A field of the record, as the source has it. */
struct column {
    const char *name; /* of the definition's or the status's memory: copied */
    struct sc_type type;
    uint32_t offset;
};

struct sc_source {
    struct sc_definition *definition;
    struct column columns[MOST_COLUMNS];
    uint32_t ncolumns;
    uint32_t key_at[SC_MOST_KEYS], field_at[SEARCH_MOST_FIELDS]; /* columns */
    uint32_t change_size, record_offset, position_offset, at_offset, event_offset;
    uint32_t range_after[SC_MOST_KEYS]; /* offsets in the range */
    char range_names[3 * SC_MOST_KEYS][144];
    struct cell_field record_fields[MOST_COLUMNS], change_fields[4], range_fields[3 * SC_MOST_KEYS + 1], events[3];
    struct cell_type event, record, change, range;
    struct cell_field scan_in[1], scan_stream[1], changes_in[2], changes_stream[1];
    struct cell_method methods[2]; /* changes, scan */
    char names[6][96], bindings[2][300], fingerprint[65];
    struct cell_service service;
    struct cell_client *slot, *client;
    cell_ctx *ctx;
    /* of the group that is shown */
    uint8_t *rows;
    struct sc_record records[SC_GROUP];
    struct search_content *content; /* nfields for each */
    char refused[SC_GROUP][96];
};

/* ---- descriptors ---- */

static uint32_t aligned(uint32_t offset, uint32_t align) { return (offset + align - 1) / align * align; }

static uint32_t add_column(struct sc_source *s, const struct sc_source_field *from)
{
    for (uint32_t i = 0; i < s->ncolumns; i++)
        if (strcmp(s->columns[i].name, from->name) == 0)
            return i;
    struct column *column = &s->columns[s->ncolumns];
    struct cell_field *field = &s->record_fields[s->ncolumns];
    sc_type_parse(from->type, &column->type); /* it was checked that it is one */
    const struct cell_type *type = sc_type_descriptor(column->type.kind, column->type.shape == SC_OPT);
    column->name = from->name;
    column->offset = aligned(s->record.size, type->align);
    *field =
        (struct cell_field){.name = column->name, .type = type, .offset = column->offset, .count = column->type.count};
    s->record.size = column->offset + type->size * (column->type.count ? column->type.count : 1);
    s->record.align = s->record.align > type->align ? s->record.align : type->align;
    return s->ncolumns++;
}

static void describe_record(struct sc_source *s, const struct sc_source_status *status)
{
    struct sc_definition *d = s->definition;

    s->record =
        (struct cell_type){.name = s->names[0], .kind = CELL_KIND_STRUCT, .align = 1, .fields = s->record_fields};
    for (uint32_t i = 0; i < d->nkey; i++) {
        s->key_at[i] = add_column(s, sc_source_find(status, d->key[i].name));
        s->columns[s->key_at[i]].name = s->record_fields[s->key_at[i]].name = d->key[i].name;
    }
    for (uint32_t i = 0; i < d->nfields; i++) {
        s->field_at[i] = add_column(s, sc_source_find(status, d->fields[i].name));
        s->columns[s->field_at[i]].name = s->record_fields[s->field_at[i]].name = d->fields[i].name;
    }
    s->record.nfields = s->ncolumns;
    s->record.size = aligned(s->record.size, s->record.align);
}

static void describe_change(struct sc_source *s)
{
    static const char *const names[] = {"SC_EVENT_PUT", "SC_EVENT_DELETED", "SC_EVENT_OVERTAKEN"};

    for (uint32_t i = 0; i < 3; i++)
        s->events[i] = (struct cell_field){.name = names[i], .offset = i};
    s->event = (struct cell_type){s->names[1], CELL_KIND_ENUM, 4, 4, 3, s->events, &cell_type_i32};
    s->position_offset = 0;
    s->at_offset = 8;
    s->event_offset = 16;
    s->record_offset = aligned(20, s->record.align);
    s->change_fields[0] = (struct cell_field){.name = "position", .type = &cell_type_u64, .offset = 0};
    s->change_fields[1] = (struct cell_field){.name = "at_us", .type = &cell_type_i64, .offset = 8};
    s->change_fields[2] = (struct cell_field){.name = "event", .type = &s->event, .offset = 16};
    s->change_fields[3] = (struct cell_field){.name = "record", .type = &s->record, .offset = s->record_offset};
    s->change_size = aligned(s->record_offset + s->record.size, 8);
    s->change = (struct cell_type){s->names[2], CELL_KIND_STRUCT, s->change_size, 8, 4, s->change_fields, NULL};
}

static const struct cell_type *bound_type(const struct sc_source *s, uint32_t key)
{
    const struct sc_type *type = &s->columns[s->key_at[key]].type;

    return sc_type_descriptor(type->shape == SC_ARRAY ? CELL_KIND_BYTES : type->kind, true);
}

static void describe_range(struct sc_source *s)
{
    static const char *const prefixes[] = {"from", "to", "after"};
    uint32_t n = 0, size = 0, align = 1;

    for (uint32_t p = 0; p < 3; p++)
        for (uint32_t i = 0; i < s->definition->nkey; i++, n++) {
            const struct cell_type *type = bound_type(s, i);
            snprintf(s->range_names[n], sizeof(s->range_names[n]), "%s_%s", prefixes[p], s->definition->key[i].name);
            size = aligned(size, type->align);
            align = align > type->align ? align : type->align;
            s->range_fields[n] = (struct cell_field){.name = s->range_names[n], .type = type, .offset = size};
            s->range_after[i] = size; /* the last prefix stays */
            size += type->size;
        }
    s->range_fields[n] = (struct cell_field){.name = "descending", .type = &cell_type_bool, .offset = size};
    s->range = (struct cell_type){
        s->names[3], CELL_KIND_STRUCT, aligned(size + 1, align), align, n + 1, s->range_fields, NULL};
}

/* Connections are kept by fingerprint, and each source has a client of its own: one that is no schema's will do. */
static void describe_service(struct sc_source *s)
{
    static const char *const ops[] = {"changes", "scan"};
    const char *collection = s->definition->collection;

    s->scan_in[0] = (struct cell_field){.name = "range", .type = &s->range, .flags = CELL_FIELD_REF};
    s->scan_stream[0] = (struct cell_field){.name = "rows", .type = &s->record};
    s->changes_in[0] = (struct cell_field){.name = "after", .type = &cell_type_u64};
    s->changes_in[1] = (struct cell_field){.name = "follow", .type = &cell_type_bool, .offset = 8};
    s->changes_stream[0] = (struct cell_field){.name = "changes", .type = &s->change};
    for (uint32_t i = 0; i < 2; i++)
        snprintf(s->bindings[i], sizeof(s->bindings[i]), "{\"v\":1,\"collection\":\"%s\",\"op\":\"%s\"}", collection,
                 ops[i]);
    s->methods[0] = (struct cell_method){.name = s->names[4],
                                         .in = s->changes_in,
                                         .nin = 2,
                                         .in_size = 16,
                                         .stream = s->changes_stream,
                                         .binding = s->bindings[0]};
    s->methods[1] = (struct cell_method){.name = s->names[5],
                                         .in = s->scan_in,
                                         .nin = 1,
                                         .in_size = 16,
                                         .stream = s->scan_stream,
                                         .binding = s->bindings[1]};
    snprintf(s->fingerprint, sizeof(s->fingerprint), "5e4c%060d", 1);
    s->service = (struct cell_service){.abi = CELL_DESC_ABI,
                                       .nmethods = 2,
                                       .name = s->definition->source,
                                       .fingerprint = s->fingerprint,
                                       .methods = s->methods,
                                       .slot = &s->slot};
}

int sc_source_open(const struct sc_definition *definition, const struct sc_source_status *status,
                   struct sc_source **source, struct search_failure *f)
{
    static const char *const names[] = {"record", "event", "change", "range", "changes", "scan"};
    struct sc_source *s = calloc(1, sizeof(*s));
    int r = sc_source_check(definition, status, f);

    if (!s)
        return search_fail(f, CELL_NO_MEMORY, "out of memory");
    s->definition = sc_definition_ref((struct sc_definition *)(uintptr_t)definition);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        snprintf(s->names[i], sizeof(s->names[i]), "%s_%s", definition->name, names[i]);
    if (r >= 0) {
        describe_record(s, status);
        describe_change(s);
        describe_range(s);
        describe_service(s);
        s->rows = malloc((size_t)SC_GROUP * s->change_size);
        s->content = calloc((size_t)SC_GROUP * definition->nfields, sizeof(*s->content));
        if (!s->rows || !s->content || cell_client_open(NULL, &s->client) < 0)
            r = search_fail(f, CELL_NO_MEMORY, "out of memory");
    }
    /* Groups are of bounded size, but their texts are the source's: a record is at most one message. */
    const struct cell_ctx_options options = {
        .timeout_ms = UINT32_MAX, .client = s->client, .memory_limit = UINT64_C(256) << 20};
    s->ctx = r >= 0 ? cell_ctx_open(&options) : NULL;
    if (r >= 0 && !s->ctx)
        r = search_fail(f, CELL_NO_MEMORY, "out of memory");
    if (r < 0) {
        sc_source_close(s);
        return r;
    }
    *source = s;
    return CELL_OK;
}

void sc_source_close(struct sc_source *source)
{
    if (!source)
        return;
    cell_ctx_close(source->ctx);
    cell_client_close(source->client);
    sc_definition_unref(source->definition);
    free(source->rows);
    free(source->content);
    free(source);
}

void sc_source_cancel(struct sc_source *source) { cell_ctx_cancel(source->ctx); }

/* ---- values ---- */

static double load_real(uint32_t kind, const void *at)
{
    double real;
    float single;

    if (kind == CELL_KIND_F32) {
        memcpy(&single, at, sizeof(single));
        return (double)single;
    }
    memcpy(&real, at, sizeof(real));
    return real;
}

static bool is_real(uint32_t kind) { return kind == CELL_KIND_F32 || kind == CELL_KIND_F64; }

static void load_key(const struct column *column, const uint8_t *row, struct sc_key_value *value)
{
    const uint8_t *at = row + column->offset;
    cell_bytes bytes;
    double real;

    if (column->type.shape == SC_ARRAY) {
        value->bytes = at;
        value->length = column->type.count;
    } else if (column->type.kind == CELL_KIND_STR || column->type.kind == CELL_KIND_BYTES) {
        memcpy(&bytes, at, sizeof(bytes));
        value->bytes = bytes.ptr;
        value->length = bytes.len;
    } else if (is_real(column->type.kind)) {
        real = load_real(column->type.kind, at);
        memcpy(&value->number, &real, sizeof(real));
    } else {
        value->number = sc_integer_at(column->type.kind, at);
    }
}

/* A vector of zeros has no direction: a record that never had one reads so. */
static bool is_zero(const float *vector, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (vector[i] != 0)
            return false;
    return true;
}

/* False: it cannot be indexed, and `refused` says why. */
static bool load_content(const struct sc_field *field, const struct column *column, const uint8_t *row,
                         struct search_content *content, char refused[96])
{
    const uint8_t *at = row + column->offset;
    cell_str text;

    *content = (struct search_content){.absent = column->type.shape == SC_OPT && !*at};
    if (column->type.shape == SC_OPT)
        at += sc_type_descriptor(column->type.kind, false)->align;
    if (content->absent)
        return true;
    switch (field->as) {
    case SEARCH_TEXT:
    case SEARCH_KEYWORD:
        memcpy(&text, at, sizeof(text));
        content->text.bytes = text.ptr ? text.ptr : "";
        content->text.length = text.len;
        return true;
    case SEARCH_REAL:
        content->real = load_real(column->type.kind, at);
        return true;
    case SEARCH_VECTOR:
        content->vector = (const float *)(const void *)at;
        content->absent = is_zero(content->vector, column->type.count);
        return true;
    default:
        content->integer = (int64_t)sc_integer_at(column->type.kind, at);
        if (column->type.kind == CELL_KIND_U64 && content->integer < 0)
            snprintf(refused, 96, "'%.40s' is greater than 9223372036854775807", field->name);
        return !refused[0];
    }
}

static void load_record(struct sc_source *s, size_t i, const uint8_t *row, enum sc_event event)
{
    const struct sc_definition *d = s->definition;
    struct sc_record *record = &s->records[i];
    struct search_content *content = s->content + i * d->nfields;

    record->event = event;
    record->content = content;
    record->refused = NULL;
    s->refused[i][0] = '\0';
    for (uint32_t k = 0; k < d->nkey; k++)
        load_key(&s->columns[s->key_at[k]], row, &record->key[k]);
    if (event != SC_PUT)
        return;
    for (uint32_t k = 0; k < d->nfields; k++)
        if (!load_content(&d->fields[k], &s->columns[s->field_at[k]], row, &content[k], s->refused[i]))
            record->refused = s->refused[i];
}

static void load_change(struct sc_source *s, size_t i, const uint8_t *row)
{
    int32_t event;

    memcpy(&event, row + s->event_offset, sizeof(event));
    memcpy(&s->records[i].position, row + s->position_offset, 8);
    memcpy(&s->records[i].at_us, row + s->at_offset, 8);
    load_record(s, i, row + s->record_offset, event == 0 ? SC_PUT : event == 1 ? SC_DELETED : SC_OVERTAKEN);
}

/* ---- reading ---- */

static int read_stream(struct sc_source *s, uint32_t method, const void *in, sc_take_group *group, void *user,
                       struct search_failure *f)
{
    uint32_t size = method == 0 ? s->change_size : s->record.size;
    struct cell_stream *stream = cell_stream_open(s->ctx, &s->service, method, in);
    int r = CELL_OK;
    size_t n;

    while (r >= 0 && (n = cell_stream_next_n(stream, s->rows, SC_GROUP)) > 0) {
        for (size_t i = 0; i < n; i++)
            if (method == 0)
                load_change(s, i, s->rows + i * size);
            else
                load_record(s, i, s->rows + i * size, SC_PUT);
        r = group(user, s->records, n, cell_stream_ready(stream), f);
    }
    int end = cell_stream_end(stream, NULL);
    if (r >= 0 && end < 0)
        r = search_fail(f, end, "%s", cell_ctx_message(s->ctx));
    cell_ctx_reset(s->ctx);
    return r;
}

static void set_bound(const struct sc_source *s, uint32_t i, const struct sc_key_value *value, uint8_t *range)
{
    const struct sc_type *type = &s->columns[s->key_at[i]].type;
    const struct cell_type *opt = bound_type(s, i);
    uint8_t *at = range + s->range_after[i];
    double real;
    float single;

    *at = 1;
    at += opt->align;
    if (opt->elem->kind == CELL_KIND_STR || opt->elem->kind == CELL_KIND_BYTES) {
        const cell_bytes bytes = {value->bytes, value->length};
        memcpy(at, &bytes, sizeof(bytes));
    } else if (type->kind == CELL_KIND_F32) {
        memcpy(&real, &value->number, sizeof(real));
        single = (float)real;
        memcpy(at, &single, sizeof(single));
    } else {
        memcpy(at, &value->number, opt->elem->size); /* least byte first, as the ABI has it */
    }
}

int sc_source_scan(struct sc_source *source, const struct sc_key_value *after, sc_take_group *group, void *user,
                   struct search_failure *f)
{
    uint8_t *range = calloc(1, source->range.size);

    if (!range)
        return search_fail(f, CELL_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; after && i < source->definition->nkey; i++)
        set_bound(source, i, &after[i], range);
    const struct cell_ref in = {range, 1};
    int r = read_stream(source, 1, &in, group, user, f);
    free(range);
    return r;
}

int sc_source_changes(struct sc_source *source, uint64_t after, bool follow, sc_take_group *group, void *user,
                      struct search_failure *f)
{
    const struct {
        uint64_t after;
        bool follow;
    } in = {after, follow};

    return read_stream(source, 0, &in, group, user, f);
}
