/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Methods of programs (declare.h), on the aggregate that they are about. What a binding says comes from a client: all
 * of it is checked against the descriptors, and where the aggregate has changed since, with every call. */
#include "bound.h"

#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "rank.h"

#define PAGE 100u
#define TOP 10u
#define MOST_ROWS 10000u
#define MOST_PAGE_BYTES (4u << 20)

/* ---- binding ---- */

static int refuse(struct an_failure *f, const char *what)
{
    return an_fail(f, CELL_INVALID_ARGUMENT, "the binding of this method is none of this cell: %s", what);
}

static const struct cell_field *plain_in(const struct cell_method *m, const char *name, uint32_t kind)
{
    for (uint32_t i = 0; i < m->nin; i++)
        if (strcmp(m->in[i].name, name) == 0 && m->in[i].type->kind == kind && m->in[i].count == 0 &&
            !(m->in[i].flags & CELL_FIELD_REF))
            return &m->in[i];
    return NULL;
}

static const struct cell_field *member(const struct cell_type *type, const char *name, uint32_t kind)
{
    for (uint32_t i = 0; type->kind == CELL_KIND_STRUCT && i < type->nfields; i++)
        if (strcmp(type->fields[i].name, name) == 0 && type->fields[i].type->kind == kind && type->fields[i].count == 0)
            return &type->fields[i];
    return NULL;
}

static int read_rows(struct an_bound *b, const struct cell_type *list, struct an_failure *f)
{
    if (!list || list->kind != CELL_KIND_LIST || list->elem->kind != CELL_KIND_STRUCT)
        return refuse(f, "rows");
    b->row = list->elem;
    return CELL_OK;
}

static int read_parameters(struct an_bound *b, struct an_failure *f)
{
    const struct cell_method *m = b->method;
    const struct cell_type *out = m->nout == 1 && m->out[0].count == 0 ? m->out[0].type : NULL;

    b->cursor = plain_in(m, "cursor", CELL_KIND_U64);
    b->limit = plain_in(m, "limit", CELL_KIND_U32);
    b->at_us = plain_in(m, "at_us", CELL_KIND_I64);
    b->all = plain_in(m, "all", CELL_KIND_BOOL);
    if (b->op == AN_WATCH) {
        if (!m->stream || m->stream->type->kind != CELL_KIND_STRUCT || (m->flags & CELL_METHOD_WRITES) || !b->all ||
            m->nout)
            return refuse(f, "stream");
        b->row = m->stream->type;
        return CELL_OK;
    }
    if (!out || m->stream)
        return refuse(f, "parameters");
    if (b->op == AN_GET) {
        b->row = out;
        return out->kind == CELL_KIND_STRUCT ? CELL_OK : refuse(f, "row");
    }
    if (b->op == AN_TOP)
        return b->limit ? read_rows(b, out, f) : refuse(f, "limit");
    b->rows = member(out, "rows", CELL_KIND_LIST);
    b->next = member(out, "next", CELL_KIND_U64);
    b->position = member(out, "position", CELL_KIND_U64);
    if (!b->rows || !b->next || !b->position || !b->limit || !b->cursor)
        return refuse(f, "page");
    return read_rows(b, b->rows->type, f);
}

static int read_binding(struct an_bound *b, const json_t *binding, struct an_failure *f)
{
    static const char *const ops[] = {"get", "scan", "top", "watch"};
    const char *name = json_string_value(json_object_get(binding, "name"));
    const char *op = json_string_value(json_object_get(binding, "op"));
    const char *field = json_string_value(json_object_get(binding, "field"));
    uint32_t i = 0;

    if (json_integer_value(json_object_get(binding, "v")) != 1)
        return an_fail(f, CELL_INVALID_ARGUMENT,
                       "the program was built with another version of this cell: build it again");
    while (op && i < 4 && strcmp(op, ops[i]) != 0)
        i++;
    if (!op || i == 4 || !name || strlen(name) > AN_MOST_NAME || (field && strlen(field) > AN_MOST_NAME))
        return refuse(f, "op");
    b->op = (enum an_op)i;
    snprintf(b->name, sizeof(b->name), "%s", name);
    snprintf(b->field, sizeof(b->field), "%s", field ? field : "");
    return read_parameters(b, f);
}

static int answer_failure(cell_ctx *c, const struct an_failure *f) { return cell_fail(c, f->status, "%s", f->text); }

static int bind_method(cell_ctx *c, const struct cell_method *method, void **bound)
{
    size_t length = strnlen(method->binding, CELL_MAX_BINDING + 1);
    json_t *binding =
        length <= CELL_MAX_BINDING ? json_loadb(method->binding, length, JSON_REJECT_DUPLICATES, NULL) : NULL;
    struct an_bound *b = calloc(1, sizeof(*b));
    struct an_failure f = {0};
    int r = b ? CELL_OK : an_fail(&f, CELL_NO_MEMORY, "out of memory");

    if (r >= 0) {
        b->method = method;
        r = read_binding(b, binding, &f);
    }
    json_decref(binding);
    if (r < 0) {
        free(b);
        return answer_failure(c, &f);
    }
    *bound = b;
    return CELL_OK;
}

static void unbind_method(void *user, void *bound)
{
    (void)user;
    free(bound);
}

/* ---- a call, with the part's lock ---- */

struct answering {
    cell_ctx *c;
    const struct an_bound *b;
    struct an_part *part;
    struct an_row_map map;
    int64_t at_us;
    uint32_t limit;
    uint64_t cursor;
    struct an_failure f;
};

static int call_get(struct answering *a, const void *in, void *out)
{
    uint64_t key[AN_MOST_KEY / 8];
    struct an_view *view = NULL;
    int r = an_row_key(a->b, a->part, in, key, &a->f);

    if (r >= 0)
        r = an_view_open(a->part->aggregator, a->at_us, key, &view, &a->f);
    if (r < 0)
        return r;
    const struct an_entry *entry = an_view_find(view, key);
    r = entry ? an_row_fill(&a->map, entry, an_view_begin(view), out, &a->f)
              : an_fail(&a->f, CELL_NOT_FOUND, "aggregate '%s' has no records of this group", a->b->name);
    an_view_close(view);
    return r;
}

static void *make_rows(struct answering *a, uint32_t n)
{
    void *rows = cell_ctx_alloc(a->c, (size_t)(n ? n : 1) * a->b->row->size);

    if (!rows)
        an_fail(&a->f, CELL_NO_MEMORY, "out of memory");
    return rows;
}

static int call_scan(struct answering *a, void *out)
{
    struct an_view *view = NULL;
    uint64_t next = 0, position = a->part->place.position.sequence;
    int r = an_view_open(a->part->aggregator, a->at_us, NULL, &view, &a->f);

    if (r < 0)
        return r;
    uint32_t count = an_view_count(view), first = a->cursor < count ? (uint32_t)a->cursor : count;
    uint32_t most = MOST_PAGE_BYTES / a->b->row->size + 1, n = count - first < a->limit ? count - first : a->limit;
    n = n < most ? n : most;
    uint8_t *rows = make_rows(a, n);
    r = rows ? CELL_OK : CELL_NO_MEMORY;
    for (uint32_t i = 0; r >= 0 && i < n; i++)
        r = an_row_fill(&a->map, an_view_entry(view, first + i), an_view_begin(view),
                        rows + (size_t)i * a->b->row->size, &a->f);
    an_view_close(view);
    if (r < 0)
        return r;
    next = first + n < count ? first + n : 0;
    const struct cell_ref list = {n ? rows : NULL, n};
    memcpy((char *)out + a->b->rows->offset, &list, sizeof(list));
    memcpy((char *)out + a->b->next->offset, &next, 8);
    memcpy((char *)out + a->b->position->offset, &position, 8);
    return CELL_OK;
}

static int call_top(struct answering *a, void *out)
{
    const struct an_column *column = an_definition_column(a->part->definition, a->b->field);
    struct an_view *view = NULL;
    uint32_t *numbers = NULL, n = 0;
    uint8_t *rows = NULL;

    if (!column || column->role != AN_AGGREGATE)
        return an_fail(&a->f, CELL_FAILED_PRECONDITION, "aggregate '%s' has no '%s' any more", a->b->name, a->b->field);
    int r = an_view_open(a->part->aggregator, a->at_us, NULL, &view, &a->f);
    if (r < 0)
        return r;
    r = an_rank(a->part->aggregator, view, column->index, a->limit, &numbers, &n, &a->f);
    rows = r < 0 ? NULL : make_rows(a, n);
    if (r >= 0 && !rows)
        r = CELL_NO_MEMORY;
    for (uint32_t i = 0; r >= 0 && i < n; i++)
        r = an_row_fill(&a->map, an_view_entry(view, numbers[i]), an_view_begin(view),
                        rows + (size_t)i * a->b->row->size, &a->f);
    an_view_close(view);
    free(numbers);
    const struct cell_ref list = {n ? rows : NULL, n};
    if (r >= 0)
        memcpy(out, &list, sizeof(list));
    return r;
}

static void number_in(const struct cell_field *p, const void *in, void *to)
{
    if (p)
        memcpy(to, (const char *)in + p->offset, p->type->size);
}

static int answer(struct answering *a, const void *in, void *out)
{
    number_in(a->b->at_us, in, &a->at_us);
    number_in(a->b->limit, in, &a->limit);
    number_in(a->b->cursor, in, &a->cursor);
    a->limit = a->limit == 0 ? (a->b->op == AN_TOP ? TOP : PAGE) : a->limit < MOST_ROWS ? a->limit : MOST_ROWS;
    int r = an_row_map(a->part, a->b->row, &a->map, &a->f);
    if (r < 0)
        return r;
    return a->b->op == AN_GET ? call_get(a, in, out) : a->b->op == AN_SCAN ? call_scan(a, out) : call_top(a, out);
}

static int invoke_method(cell_ctx *c, const struct cell_method *method, void *bound, const void *in, void *const *out)
{
    struct an_service *s = cell_ctx_user(c);
    struct answering a = {.c = c, .b = bound, .at_us = INT64_MAX};
    int r;

    (void)method;
    if (a.b->op == AN_WATCH) {
        bool all = false;
        number_in(a.b->all, in, &all);
        r = an_call_watch(s, c, a.b, all, &a.f);
        return r < 0 ? answer_failure(c, &a.f) : r;
    }
    a.part = an_part_take(s, a.b->name);
    if (!a.part)
        return cell_fail(c, CELL_FAILED_PRECONDITION,
                         "there is no aggregate '%s': `cell migrate`, or building the program, makes it", a.b->name);
    an_part_lock(a.part);
    r = a.part->aggregator
            ? answer(&a, in, out[0])
            : an_fail(&a.f, CELL_UNAVAILABLE, "aggregate '%s' is being read from its snapshot", a.b->name);
    an_part_unlock(a.part);
    an_part_give(a.part);
    return r < 0 ? answer_failure(c, &a.f) : CELL_OK;
}

const struct cell_bound_ops an_bound_ops = {.bind = bind_method, .invoke = invoke_method, .unbind = unbind_method};
