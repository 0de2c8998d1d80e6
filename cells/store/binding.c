/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Reading a binding, which comes from a client: everything in it is checked against the descriptors. */
#include <stdlib.h>
#include <string.h>

#include "bound.h"

static int refuse(struct st_failure *f, const char *what)
{
    return st_fail(f, CELL_INVALID_ARGUMENT, "the binding of this method is none of this cell: %s", what);
}

static const char *const ops[] = {"put",  "put_many",   "put_if", "delete",  "delete_if", "get",         "count",
                                  "scan", "scan_equal", "list",   "changes", "snapshot",  "snapshot_end"};

static int read_op(struct st_bound *b, const json_t *binding, struct st_failure *f)
{
    const char *op = json_string_value(json_object_get(binding, "op"));

    if (json_integer_value(json_object_get(binding, "v")) != 1)
        return st_fail(f, CELL_INVALID_ARGUMENT,
                       "the program was built with another version of this cell: build it again");
    for (size_t i = 0; op && i < sizeof(ops) / sizeof(ops[0]); i++)
        if (strcmp(op, ops[i]) == 0) {
            b->op = (enum st_op)i;
            return CELL_OK;
        }
    return refuse(f, "op");
}

static int find_collection(struct st_engine *engine, struct st_bound *b, const json_t *binding, struct st_failure *f)
{
    const char *name = json_string_value(json_object_get(binding, "collection"));

    if (!name || strlen(name) > ST_MOST_NAME)
        return refuse(f, "collection");
    b->collection = st_collection_find(engine, name);
    if (!b->collection)
        return st_fail(f, CELL_FAILED_PRECONDITION,
                       "there is no collection '%s': `cell migrate`, or building the program, makes it", name);
    b->schema = st_collection_schema(b->collection);
    b->order = b->schema->key;
    b->norder = b->schema->nkey;
    return CELL_OK;
}

/* By its fields, under the names that they had when the program was built. */
static int find_index(struct st_bound *b, const json_t *names, struct st_failure *f)
{
    const struct st_field *fields[ST_MOST_KEY_FIELDS] = {0};
    size_t n = json_array_size(names);

    if (!names)
        return CELL_OK;
    if (n < 1 || n > ST_MOST_KEY_FIELDS)
        return refuse(f, "index");
    for (size_t i = 0; i < n; i++) {
        const char *name = json_string_value(json_array_get(names, i));
        fields[i] = name ? st_record_field(&b->schema->record, name) : NULL;
    }
    for (uint32_t i = 0; i < b->schema->nindexes; i++) {
        const struct st_index *index = &b->schema->indexes[i];
        if (index->n == n && memcmp(index->fields, fields, n * sizeof(fields[0])) == 0)
            b->index = index;
    }
    if (!b->index)
        return st_fail(f, CELL_FAILED_PRECONDITION,
                       "collection '%s' has not this index any more: build the program again", b->schema->name);
    b->order = b->index->fields;
    b->norder = b->index->n;
    return CELL_OK;
}

/* ---- parameters ---- */

static bool is_struct(const struct cell_field *p)
{
    return p->type->kind == CELL_KIND_STRUCT && p->count == 0 && (p->flags & CELL_FIELD_REF);
}

static bool is_plain(const struct cell_field *p, uint32_t kind)
{
    return p->type->kind == kind && p->count == 0 && !(p->flags & CELL_FIELD_REF);
}

static bool is_rows(const struct cell_field *p)
{
    return p->type->kind == CELL_KIND_LIST && p->count == 0 && p->type->elem->kind == CELL_KIND_STRUCT;
}

static const struct cell_field *member(const struct cell_type *type, const char *name)
{
    for (uint32_t i = 0; i < type->nfields; i++)
        if (strcmp(type->fields[i].name, name) == 0)
            return &type->fields[i];
    return NULL;
}

static int read_record(struct st_bound *b, const struct cell_type *type, const json_t *binding, struct st_failure *f)
{
    const char *version = json_string_value(json_object_get(binding, "version"));
    const struct cell_field *field = version ? member(type, version) : NULL;
    struct st_failure why = {0};

    if (type->kind != CELL_KIND_STRUCT || (version && (!field || field->type->kind != CELL_KIND_U64 || field->count)))
        return refuse(f, "version");
    b->type = type;
    b->version_offset = field ? (int64_t)field->offset : -1;
    int r = st_codec_new(&b->schema->record, type->fields, type->nfields, version, &b->record, &why);
    if (r < 0)
        return st_fail(f, r, "collection '%s': %s", b->schema->name, why.text);
    for (uint32_t i = 0; i < b->schema->nkey; i++)
        if (!st_codec_knows(b->record, b->schema->key[i]->id))
            return refuse(f, "the struct has not all of the key");
    return CELL_OK;
}

/* One parameter for each field of the order. */
static int read_values(struct st_bound *b, uint32_t n, struct st_failure *f)
{
    const struct cell_method *m = b->method;
    struct st_failure why = {0};

    if (n != b->norder)
        return refuse(f, "parameters");
    int r = st_codec_new(&b->schema->record, m->in, n, NULL, &b->values, &why);
    if (r < 0)
        return st_fail(f, r, "collection '%s': %s", b->schema->name, why.text);
    for (uint32_t i = 0; i < n; i++) {
        bool array = m->in[i].count > 0;
        if (st_record_field(&b->schema->record, m->in[i].name) != b->order[i] ||
            array != ((m->in[i].flags & CELL_FIELD_REF) != 0) || m->in[i].type->kind == CELL_KIND_OPT)
            return refuse(f, "parameters");
    }
    return CELL_OK;
}

/* Those members of a range that are called so: optionals, for the fields of the order first. */
static int read_bounds(struct st_bound *b, const struct cell_type *range, const char *prefix, uint32_t least,
                       struct st_bounds *bounds, struct st_failure *f)
{
    size_t length = strlen(prefix);
    struct st_failure why = {0};

    for (uint32_t i = 0; i < range->nfields; i++) {
        const struct cell_field *field = &range->fields[i];
        if (strncmp(field->name, prefix, length) != 0)
            continue;
        if (bounds->n == 2 * ST_MOST_KEY_FIELDS || field->type->kind != CELL_KIND_OPT || field->count)
            return refuse(f, "range");
        bounds->fields[bounds->n] = *field;
        bounds->fields[bounds->n++].name += length;
    }
    int r = st_codec_new(&b->schema->record, bounds->fields, bounds->n, NULL, &bounds->codec, &why);
    if (r < 0)
        return st_fail(f, r, "collection '%s': %s", b->schema->name, why.text);
    if (bounds->n < least)
        return refuse(f, "range");
    for (uint32_t i = 0; i < b->norder; i++)
        if (st_record_field(&b->schema->record, bounds->fields[i].name) != b->order[i])
            return refuse(f, "range");
    return CELL_OK;
}

static int read_range(struct st_bound *b, struct st_failure *f)
{
    const struct cell_method *m = b->method;

    if (m->nin < 1 || !is_struct(&m->in[0]))
        return refuse(f, "range");
    const struct cell_type *range = m->in[0].type;
    const struct cell_field *descending = member(range, "descending");
    if (!descending || descending->type->kind != CELL_KIND_BOOL || descending->count)
        return refuse(f, "range");
    b->descending_offset = descending->offset;
    int r = read_bounds(b, range, "from_", b->norder, &b->from, f);
    if (r >= 0)
        r = read_bounds(b, range, "to_", b->norder, &b->to, f);
    if (r >= 0)
        r = read_bounds(b, range, "after_", b->norder, &b->after, f);
    for (uint32_t i = 0; r >= 0 && i < b->schema->nkey; i++)
        if (!st_codec_knows(b->after.codec, b->schema->key[i]->id))
            r = refuse(f, "range");
    return r;
}

static bool is_member(const struct cell_field *field, uint32_t kind)
{
    return field && field->type->kind == kind && field->count == 0;
}

static int read_change(struct st_bound *b, const json_t *binding, struct st_failure *f)
{
    const struct cell_method *m = b->method;
    const struct cell_type *type = m->stream ? m->stream->type : NULL;

    if (m->nin != 2 || m->nout != 0 || !type || (m->flags & CELL_METHOD_WRITES) || type->kind != CELL_KIND_STRUCT ||
        !is_plain(&m->in[0], CELL_KIND_U64) || !is_plain(&m->in[1], CELL_KIND_BOOL))
        return refuse(f, "parameters");
    const struct cell_field *position = member(type, "position"), *at_us = member(type, "at_us");
    const struct cell_field *event = member(type, "event"), *record = member(type, "record");
    if (!is_member(position, CELL_KIND_U64) || !is_member(at_us, CELL_KIND_I64) || !is_member(event, CELL_KIND_ENUM) ||
        event->type->size != 4 || !is_member(record, CELL_KIND_STRUCT))
        return refuse(f, "changes");
    b->follow_offset = m->in[1].offset;
    b->change = (struct st_change_layout){position->offset, at_us->offset, event->offset, record->offset};
    return read_record(b, record->type, binding, f);
}

static int read_writes(struct st_bound *b, const json_t *binding, struct st_failure *f)
{
    const struct cell_method *m = b->method;
    bool inout = b->op == ST_OP_PUT_IF;
    int r;

    if (b->op == ST_OP_DELETE)
        return m->nout == 0 && !m->stream ? read_values(b, m->nin, f) : refuse(f, "parameters");
    if (m->nin != 1 || m->stream || m->nout != inout || (inout && m->out[0].type != m->in[0].type))
        return refuse(f, "parameters");
    if (b->op == ST_OP_PUT_MANY ? !is_rows(&m->in[0]) : !is_struct(&m->in[0]))
        return refuse(f, "parameters");
    r = read_record(b, b->op == ST_OP_PUT_MANY ? m->in[0].type->elem : m->in[0].type, binding, f);
    if (r >= 0 && (b->op == ST_OP_PUT_IF || b->op == ST_OP_DELETE_IF) && b->version_offset < 0)
        return refuse(f, "version");
    return r;
}

static int read_reads(struct st_bound *b, const json_t *binding, struct st_failure *f)
{
    const struct cell_method *m = b->method;
    bool streams = b->op == ST_OP_SCAN || b->op == ST_OP_SCAN_EQUAL;
    int r;

    if (streams != (m->stream != NULL) || (m->flags & CELL_METHOD_WRITES) || m->nout != !streams)
        return refuse(f, "parameters");
    if (b->op == ST_OP_LIST && (m->nin != 2 || !is_plain(&m->in[1], CELL_KIND_U32) || !is_rows(&m->out[0])))
        return refuse(f, "parameters");
    if (b->op == ST_OP_SCAN && m->nin != 1)
        return refuse(f, "parameters");
    if (b->op == ST_OP_GET && (!is_struct(&m->out[0]) || (b->index && !b->index->unique)))
        return refuse(f, "parameters");
    r = read_record(b,
                    streams               ? m->stream->type
                    : b->op == ST_OP_LIST ? m->out[0].type->elem
                                          : m->out[0].type,
                    binding, f);
    if (r < 0)
        return r;
    if (b->op == ST_OP_LIST)
        b->limit_offset = m->in[1].offset;
    return b->op == ST_OP_GET || b->op == ST_OP_SCAN_EQUAL ? read_values(b, m->nin, f) : read_range(b, f);
}

static int read_rest(struct st_bound *b, const json_t *binding, struct st_failure *f)
{
    const struct cell_method *m = b->method;

    switch (b->op) {
    case ST_OP_COUNT:
        return m->nin == 0 && m->nout == 1 && m->out[0].type->kind == CELL_KIND_U64 && m->out[0].count == 1 &&
                       !m->stream
                   ? CELL_OK
                   : refuse(f, "parameters");
    case ST_OP_CHANGES:
        return read_change(b, binding, f);
    case ST_OP_SNAPSHOT:
        return m->nin == 1 && m->nout == 1 && !m->stream && is_plain(&m->in[0], CELL_KIND_U32) &&
                       is_struct(&m->out[0]) && is_member(member(m->out[0].type, "token"), CELL_KIND_STR) &&
                       is_member(member(m->out[0].type, "position"), CELL_KIND_U64) &&
                       is_member(member(m->out[0].type, "count"), CELL_KIND_U64) &&
                       is_member(member(m->out[0].type, "lease_ms"), CELL_KIND_U32)
                   ? CELL_OK
                   : refuse(f, "parameters");
    case ST_OP_SNAPSHOT_END:
        return m->nin == 1 && m->nout == 0 && !m->stream && is_plain(&m->in[0], CELL_KIND_STR)
                   ? CELL_OK
                   : refuse(f, "parameters");
    case ST_OP_GET:
    case ST_OP_SCAN:
    case ST_OP_SCAN_EQUAL:
    case ST_OP_LIST:
        return read_reads(b, binding, f);
    default:
        return read_writes(b, binding, f);
    }
}

int st_binding_read(struct st_engine *engine, const struct cell_method *method, struct st_bound **bound,
                    struct st_failure *f)
{
    size_t length = strnlen(method->binding, CELL_MAX_BINDING + 1);
    json_t *binding =
        length <= CELL_MAX_BINDING ? json_loadb(method->binding, length, JSON_REJECT_DUPLICATES, NULL) : NULL;
    struct st_bound *b = calloc(1, sizeof(*b));
    int r = b ? CELL_OK : st_fail(f, CELL_NO_MEMORY, "out of memory");

    if (r >= 0 && !json_is_object(binding))
        r = refuse(f, "no object");
    if (r >= 0) {
        b->method = method;
        b->version_offset = -1;
        r = read_op(b, binding, f);
    }
    if (r >= 0)
        r = find_collection(engine, b, binding, f);
    if (r >= 0)
        r = find_index(b, json_object_get(binding, "index"), f);
    if (r >= 0)
        r = read_rest(b, binding, f);
    json_decref(binding);
    if (r < 0) {
        st_bound_free(b);
        return r;
    }
    *bound = b;
    return CELL_OK;
}

void st_bound_free(struct st_bound *bound)
{
    if (!bound)
        return;
    st_codec_free(bound->record);
    st_codec_free(bound->values);
    st_codec_free(bound->from.codec);
    st_codec_free(bound->to.codec);
    st_codec_free(bound->after.codec);
    st_schema_unref(bound->schema);
    free(bound);
}
