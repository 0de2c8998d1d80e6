/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Methods of programs (declare.h), on the index that they are about. What a binding says comes from a client: all of it
 * is checked against the descriptors, and where the index has changed since, with every call (bound_call.c). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bound.h"

int sc_answer_failure(cell_ctx *c, const struct search_failure *f)
{
    char place[32];

    if (!f->at)
        return cell_fail(c, f->status, "%s", f->text);
    snprintf(place, sizeof(place), "%u %u", f->at, f->count);
    const cell_bytes detail = {(const uint8_t *)place, strlen(place)};
    int r = cell_fail(c, f->status, "the query, at character %u: %s", f->at, f->text);
    cell_add_detail(c, "query-place", detail);
    return r;
}

/* ---- binding ---- */

static int refuse(struct search_failure *f, const char *what)
{
    return search_fail(f, CELL_INVALID_ARGUMENT, "the binding of this method is none of this cell: %s", what);
}

static const struct cell_field *member(const struct cell_type *type, const char *name, uint32_t kind)
{
    for (uint32_t i = 0; i < type->nfields; i++)
        if (strcmp(type->fields[i].name, name) == 0)
            return type->fields[i].type->kind == kind && type->fields[i].count == 0 ? &type->fields[i] : NULL;
    return NULL;
}

static bool is_plain(const struct cell_field *p, uint32_t kind)
{
    return p->type->kind == kind && p->count == 0 && !(p->flags & CELL_FIELD_REF);
}

static bool is_list(const struct cell_type *type)
{
    return type->kind == CELL_KIND_LIST && type->elem->kind == CELL_KIND_STRUCT;
}

static int read_passage(struct sc_bound *b, const struct cell_type *type, struct search_failure *f)
{
    struct sc_bound_passage *p = &b->passage;

    p->text = member(type, "text", CELL_KIND_STR);
    p->marks = member(type, "marks", CELL_KIND_LIST);
    if (!p->text || !p->marks || !is_list(p->marks->type))
        return refuse(f, "passage");
    p->begin = member(p->marks->type->elem, "begin", CELL_KIND_U32);
    p->length = member(p->marks->type->elem, "length", CELL_KIND_U32);
    return p->begin && p->length ? CELL_OK : refuse(f, "marks");
}

static int read_hit(struct sc_bound *b, const struct cell_type *list, struct search_failure *f)
{
    if (!is_list(list))
        return refuse(f, "hits");
    b->hit = list->elem;
    b->score = member(b->hit, "hit_score", CELL_KIND_F64);
    b->score = b->score ? b->score : member(b->hit, "score", CELL_KIND_F64);
    b->excerpt = member(b->hit, "hit_excerpt", CELL_KIND_STRUCT);
    b->excerpt = b->excerpt ? b->excerpt : member(b->hit, "excerpt", CELL_KIND_STRUCT);
    return b->score && b->excerpt ? read_passage(b, b->excerpt->type, f) : refuse(f, "hits");
}

static int read_page(struct sc_bound *b, struct search_failure *f)
{
    const struct cell_method *m = b->method;

    if (m->nin != 4 || m->nout != 1 || !is_plain(&m->in[0], CELL_KIND_STR) || !is_plain(&m->in[1], CELL_KIND_U32) ||
        !is_plain(&m->in[2], CELL_KIND_STR) || !is_plain(&m->in[3], CELL_KIND_U32) ||
        m->out[0].type->kind != CELL_KIND_STRUCT || m->out[0].count)
        return refuse(f, "parameters");
    b->hits = member(m->out[0].type, "hits", CELL_KIND_LIST);
    b->next = member(m->out[0].type, "next", CELL_KIND_STR);
    return b->hits && b->next ? read_hit(b, b->hits->type, f) : refuse(f, "page");
}

static int read_near(struct sc_bound *b, struct search_failure *f)
{
    const struct cell_method *m = b->method;

    if (m->nin != 3 || m->nout != 1 || m->in[0].type->kind != CELL_KIND_F32 || m->in[0].count == 0 ||
        !is_plain(&m->in[1], CELL_KIND_U32) || !is_plain(&m->in[2], CELL_KIND_STR) || m->out[0].count)
        return refuse(f, "parameters");
    return read_hit(b, m->out[0].type, f);
}

/* The key's fields, which are compared with the index's in each call, and a query. */
static int read_highlight(struct sc_bound *b, struct search_failure *f)
{
    const struct cell_method *m = b->method;

    if (m->nin < 2 || m->nin > SC_MOST_KEYS + 1 || m->nout != 1 || !is_plain(&m->in[m->nin - 1], CELL_KIND_STR) ||
        m->out[0].type->kind != CELL_KIND_STRUCT || m->out[0].count)
        return refuse(f, "parameters");
    return read_passage(b, m->out[0].type, f);
}

/* Lists of structs with these members. */
static int read_listed(struct sc_bound *b, const char *const *names, const uint32_t *kinds, uint32_t n,
                       struct search_failure *f)
{
    const struct cell_method *m = b->method;

    if (m->nin != 2 || m->nout != 1 || !is_plain(&m->in[0], CELL_KIND_STR) || !is_plain(&m->in[1], CELL_KIND_U32) ||
        m->out[0].count || !is_list(m->out[0].type))
        return refuse(f, "parameters");
    b->hit = m->out[0].type->elem;
    for (uint32_t i = 0; i < n; i++) {
        b->members[i] = member(b->hit, names[i], kinds[i]);
        if (!b->members[i])
            return refuse(f, "members");
    }
    return CELL_OK;
}

static int read_parameters(struct sc_bound *b, struct search_failure *f)
{
    static const char *const word[] = {"word", "documents"}, *const facet[] = {"text", "number", "absent", "count"};
    static const uint32_t word_kinds[] = {CELL_KIND_STR, CELL_KIND_U64};
    static const uint32_t facet_kinds[] = {CELL_KIND_STR, CELL_KIND_I64, CELL_KIND_BOOL, CELL_KIND_U64};
    const struct cell_method *m = b->method;

    if (m->stream)
        return refuse(f, "stream");
    switch (b->op) {
    case OP_SEARCH:
        return read_page(b, f);
    case OP_COUNT:
        return m->nin == 1 && m->nout == 1 && is_plain(&m->in[0], CELL_KIND_STR) &&
                       m->out[0].type->kind == CELL_KIND_U64 && m->out[0].count == 1
                   ? CELL_OK
                   : refuse(f, "parameters");
    case OP_SUGGEST:
        return read_listed(b, word, word_kinds, 2, f);
    case OP_FACETS:
        return read_listed(b, facet, facet_kinds, 4, f);
    case OP_HIGHLIGHT:
        return read_highlight(b, f);
    default:
        return read_near(b, f);
    }
}

static int read_binding(struct sc_bound *b, const json_t *binding, struct search_failure *f)
{
    static const char *const ops[] = {"search",  "count",  "suggest",       "facets",
                                      "similar", "hybrid", "similar_words", "highlight"};
    const char *index = json_string_value(json_object_get(binding, "index"));
    const char *op = json_string_value(json_object_get(binding, "op"));
    const char *field = json_string_value(json_object_get(binding, "field"));
    uint32_t i = 0;

    if (json_integer_value(json_object_get(binding, "v")) != SC_BINDING)
        return search_fail(f, CELL_INVALID_ARGUMENT,
                           "the program was built with another version of this cell: build it again");
    while (op && i < 8 && strcmp(op, ops[i]) != 0)
        i++;
    if (!op || i == 8 || !index || strlen(index) > SC_MOST_NAME || (field && strlen(field) > 127))
        return refuse(f, "op");
    b->op = (enum sc_op)i;
    snprintf(b->index, sizeof(b->index), "%s", index);
    snprintf(b->field, sizeof(b->field), "%s", field ? field : "");
    return read_parameters(b, f);
}

static int bind_method(cell_ctx *c, const struct cell_method *method, void **bound)
{
    size_t length = strnlen(method->binding, CELL_MAX_BINDING + 1);
    json_t *binding =
        length <= CELL_MAX_BINDING ? json_loadb(method->binding, length, JSON_REJECT_DUPLICATES, NULL) : NULL;
    struct sc_bound *b = calloc(1, sizeof(*b));
    struct search_failure f = {0};
    int r = b ? CELL_OK : search_fail(&f, CELL_NO_MEMORY, "out of memory");

    if (r >= 0) {
        b->method = method;
        r = read_binding(b, binding, &f);
    }
    json_decref(binding);
    if (r < 0) {
        free(b);
        return sc_answer_failure(c, &f);
    }
    *bound = b;
    return CELL_OK;
}

static void unbind_method(void *user, void *bound)
{
    (void)user;
    free(bound);
}

const struct cell_bound_ops sc_bound_ops = {.bind = bind_method, .invoke = sc_bound_invoke, .unbind = unbind_method};
