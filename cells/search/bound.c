/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Methods of programs (declare.h), on the index that they are about. What a binding says comes from a client: all of it
 * is checked against the descriptors, and where the index has changed since, with every call. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service.h"

#define PAGE 10u
#define MOST_PAGE 1000u
#define MOST_NEAR 1000u

enum sc_op { OP_SEARCH, OP_COUNT, OP_SUGGEST, OP_FACETS, OP_SIMILAR, OP_HYBRID, OP_SIMILAR_WORDS };

struct sc_bound {
    enum sc_op op;
    char index[SC_MOST_NAME + 1], field[128];
    const struct cell_method *method;
    const struct cell_type *hit;              /* of those that give hits */
    const struct cell_field *score, *excerpt; /* of a hit */
    const struct cell_field *members[4];      /* of a word or a facet, in their order */
    const struct cell_field *hits, *next;     /* of a page */
};

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

static int read_hit(struct sc_bound *b, const struct cell_type *list, struct search_failure *f)
{
    if (!is_list(list))
        return refuse(f, "hits");
    b->hit = list->elem;
    b->score = member(b->hit, "hit_score", CELL_KIND_F64);
    b->score = b->score ? b->score : member(b->hit, "score", CELL_KIND_F64);
    b->excerpt = member(b->hit, "hit_excerpt", CELL_KIND_STR);
    b->excerpt = b->excerpt ? b->excerpt : member(b->hit, "excerpt", CELL_KIND_STR);
    return b->score && b->excerpt ? CELL_OK : refuse(f, "hits");
}

static int read_page(struct sc_bound *b, struct search_failure *f)
{
    const struct cell_method *m = b->method;

    if (m->nin != 3 || m->nout != 1 || !is_plain(&m->in[0], CELL_KIND_STR) || !is_plain(&m->in[1], CELL_KIND_U32) ||
        !is_plain(&m->in[2], CELL_KIND_STR) || m->out[0].type->kind != CELL_KIND_STRUCT || m->out[0].count)
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
    default:
        return read_near(b, f);
    }
}

static int read_binding(struct sc_bound *b, const json_t *binding, struct search_failure *f)
{
    static const char *const ops[] = {"search", "count", "suggest", "facets", "similar", "hybrid", "similar_words"};
    const char *index = json_string_value(json_object_get(binding, "index"));
    const char *op = json_string_value(json_object_get(binding, "op"));
    const char *field = json_string_value(json_object_get(binding, "field"));
    uint32_t i = 0;

    if (json_integer_value(json_object_get(binding, "v")) != 1)
        return search_fail(f, CELL_INVALID_ARGUMENT,
                           "the program was built with another version of this cell: build it again");
    while (op && i < 7 && strcmp(op, ops[i]) != 0)
        i++;
    if (!op || i == 7 || !index || strlen(index) > SC_MOST_NAME || (field && strlen(field) > 127))
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

/* ---- a call ---- */

struct answering {
    cell_ctx *c;
    const struct sc_bound *b;
    const struct sc_definition *d;
    const struct cell_field *key[SC_MOST_KEYS]; /* of a hit */
    uint8_t *rows;
    uint32_t n, most;
    bool more; /* than that */
    struct search_cursor last;
    struct search_failure f; /* of what was made of a hit */
};

static int field_of(const struct sc_bound *b, const struct sc_definition *d, uint32_t *field, struct search_failure *f)
{
    *field = sc_definition_field(d, b->field);
    return *field != UINT32_MAX ? CELL_OK
                                : search_fail(f, CELL_FAILED_PRECONDITION,
                                              "index '%s' has no field '%s': it is being built, or was declared "
                                              "without it (`cell pipelines`)",
                                              b->index, b->field);
}

/* The hit's members for the key, of the index as it is now. */
static int find_key(struct answering *a)
{
    for (uint32_t i = 0; i < a->d->nkey; i++) {
        const struct sc_field *key = &a->d->key[i];
        const struct cell_field *found = NULL;
        for (uint32_t k = 0; k < a->b->hit->nfields; k++)
            if (strcmp(a->b->hit->fields[k].name, key->name) == 0)
                found = &a->b->hit->fields[k];
        const struct cell_type *type = found && found->type->kind == CELL_KIND_ENUM ? found->type->elem
                                       : found                                      ? found->type
                                                                                    : NULL;
        if (!type || type->kind != key->type.kind || found->count != key->type.count)
            return search_fail(&a->f, CELL_FAILED_PRECONDITION,
                               "index '%s' has another key than when the program was built: build it again",
                               a->d->name);
        a->key[i] = found;
    }
    return CELL_OK;
}

static int prepare(struct answering *a, uint32_t most)
{
    a->most = most;
    a->rows = cell_ctx_alloc(a->c, ((size_t)most + 1) * a->b->hit->size);
    return a->rows ? CELL_OK : search_fail(&a->f, CELL_NO_MEMORY, "out of memory");
}

static bool copy_text(struct answering *a, uint8_t *to, const char *text, size_t length)
{
    cell_str copy = cell_ctx_copy(a->c, (cell_str){text ? text : "", length});

    memcpy(to, &copy, sizeof(copy));
    if (!copy.ptr)
        search_fail(&a->f, CELL_NO_MEMORY, "out of memory");
    return copy.ptr != NULL;
}

static bool set_key(struct answering *a, uint8_t *row, uint32_t i, const struct sc_key_value *value)
{
    const struct sc_type *type = &a->d->key[i].type;
    uint8_t *to = row + a->key[i]->offset;
    double real;
    float single;

    if (type->shape == SC_ARRAY) {
        memcpy(to, value->bytes, value->length < type->count ? value->length : type->count);
    } else if (type->kind == CELL_KIND_STR || type->kind == CELL_KIND_BYTES) {
        return copy_text(a, to, (const char *)value->bytes, value->length);
    } else if (type->kind == CELL_KIND_F32) {
        memcpy(&real, &value->number, sizeof(real));
        single = (float)real;
        memcpy(to, &single, sizeof(single));
    } else {
        memcpy(to, &value->number, sc_type_descriptor(type->kind, false)->size); /* least byte first */
    }
    return true;
}

static bool take_hit(void *user, const struct search_hit *hit)
{
    struct answering *a = user;
    struct sc_key_value values[SC_MOST_KEYS];
    uint8_t *row = a->rows + (size_t)a->n * a->b->hit->size;

    a->more = a->n == a->most;
    if (a->more || sc_key_read(a->d, hit->key, hit->key_length, values, &a->f) < 0)
        return false;
    for (uint32_t i = 0; i < a->d->nkey; i++)
        if (!set_key(a, row, i, &values[i]))
            return false;
    memcpy(row + a->b->score->offset, &hit->score, sizeof(hit->score));
    if (!copy_text(a, row + a->b->excerpt->offset, hit->excerpt, hit->excerpt ? hit->excerpt_length : 0))
        return false;
    a->last = (struct search_cursor){hit->score, hit->id};
    a->n++;
    return true;
}

static bool take_word(void *user, const char *word, size_t length, uint64_t documents)
{
    struct answering *a = user;
    uint8_t *row = a->rows + (size_t)a->n * a->b->hit->size;

    if (a->n == a->most || !copy_text(a, row + a->b->members[0]->offset, word, length))
        return false;
    memcpy(row + a->b->members[1]->offset, &documents, sizeof(documents));
    a->n++;
    return true;
}

static bool take_facet(void *user, const struct search_facet *facet)
{
    struct answering *a = user;
    uint8_t *row = a->rows + (size_t)a->n * a->b->hit->size;
    bool text = !facet->absent && facet->text;
    int64_t number = facet->absent || text ? 0 : facet->integer;

    if (a->n == a->most ||
        !copy_text(a, row + a->b->members[0]->offset, text ? facet->text : "", text ? facet->length : 0))
        return false;
    memcpy(row + a->b->members[1]->offset, &number, sizeof(number));
    memcpy(row + a->b->members[2]->offset, &facet->absent, sizeof(facet->absent));
    memcpy(row + a->b->members[3]->offset, &facet->count, sizeof(facet->count));
    a->n++;
    return true;
}

static bool caller_is_gone(void *user) { return cell_ctx_cancelled(user); }

static void give_list(const struct answering *a, void *out)
{
    const struct cell_ref list = {a->n ? a->rows : NULL, a->n};

    memcpy(out, &list, sizeof(list));
}

/* ---- what is asked ---- */

static cell_str text_in(const struct sc_bound *b, const void *in, uint32_t i)
{
    cell_str text;

    memcpy(&text, (const char *)in + b->method->in[i].offset, sizeof(text));
    text.ptr = text.ptr ? text.ptr : "";
    return text;
}

static uint32_t number_in(const struct sc_bound *b, const void *in, uint32_t i, uint32_t least, uint32_t most)
{
    uint32_t n;

    memcpy(&n, (const char *)in + b->method->in[i].offset, sizeof(n));
    return n == 0 ? least : n < most ? n : most;
}

/* "SCORE ID", the score in hexadecimal, so that it comes back as it was. */
static int read_cursor(cell_str text, struct search_cursor *cursor, struct search_failure *f)
{
    char copy[64] = "", *end = copy, *behind = copy;

    *cursor = (struct search_cursor){0};
    if (text.len == 0)
        return CELL_OK;
    if (text.len < sizeof(copy)) {
        memcpy(copy, text.ptr, text.len);
        cursor->score = strtod(copy, &end);
        if (*end == ' ')
            cursor->id = strtoll(end + 1, &behind, 10);
    }
    return text.len < sizeof(copy) && end != copy && *end == ' ' && *behind == '\0' && behind != end + 1 &&
                   cursor->id > 0 && isfinite(cursor->score) && strlen(copy) == text.len
               ? CELL_OK
               : search_fail(f, CELL_INVALID_ARGUMENT, "the cursor is none that this cell gave");
}

static int call_search(struct answering *a, struct search_reader *reader, const void *in, void *out)
{
    cell_str query = text_in(a->b, in, 0), next = {"", 0};
    uint32_t limit = number_in(a->b, in, 1, PAGE, MOST_PAGE);
    struct search_request request = {.query = query.ptr,
                                     .query_length = query.len,
                                     .limit = limit + 1, /* one more tells whether there is another page */
                                     .excerpts = true,
                                     .before = "[",
                                     .behind = "]"};
    int r = read_cursor(text_in(a->b, in, 2), &request.after, &a->f);

    if (r >= 0)
        r = find_key(a);
    if (r >= 0)
        r = prepare(a, limit);
    if (r < 0)
        return r;
    struct search_failure f = {0};
    r = search_run(reader, &request, take_hit, a, &f);
    if (r < 0)
        a->f = f;
    if (r >= 0 && a->f.status == CELL_OK && a->more)
        next = cell_ctx_printf(a->c, "%a %lld", a->last.score, (long long)a->last.id);
    give_list(a, (char *)out + a->b->hits->offset);
    memcpy((char *)out + a->b->next->offset, &next, sizeof(next));
    return r;
}

static int call_near(struct answering *a, struct search_reader *reader, const void *in, void *out)
{
    const struct cell_field *p = &a->b->method->in[0];
    const struct cell_ref *vector = (const void *)((const char *)in + p->offset);
    cell_str query = text_in(a->b, in, 2);
    uint32_t k = number_in(a->b, in, 1, PAGE, MOST_NEAR), field = 0;
    struct search_failure f = {0};
    int r = a->b->op == OP_SIMILAR_WORDS ? CELL_OK : field_of(a->b, a->d, &field, &a->f);

    if (r >= 0 && a->b->op != OP_SIMILAR_WORDS && a->d->fields[field].type.count != p->count)
        r = search_fail(&a->f, CELL_FAILED_PRECONDITION, "'%s' of index '%s' has %u dimensions now, not %u",
                        a->b->field, a->d->name, a->d->fields[field].type.count, p->count);
    if (r >= 0)
        r = find_key(a);
    if (r >= 0)
        r = prepare(a, k);
    if (r < 0)
        return r;
    if (a->b->op == OP_SIMILAR)
        r = search_similar(reader, field, vector->ptr, k, query.ptr, query.len, take_hit, a, &f);
    else if (a->b->op == OP_HYBRID)
        r = search_hybrid(reader, field, vector->ptr, k, query.ptr, query.len, take_hit, a, &f);
    else
        r = search_run(reader, &(struct search_request){.query = query.ptr, .query_length = query.len, .limit = k},
                       take_hit, a, &f);
    if (r < 0)
        a->f = f;
    give_list(a, out);
    return r;
}

static int call_listed(struct answering *a, struct search_reader *reader, const void *in, void *out)
{
    cell_str text = text_in(a->b, in, 0);
    uint32_t limit = number_in(a->b, in, 1, PAGE, MOST_PAGE), field = 0;
    struct search_failure f = {0};
    int r = a->b->op == OP_FACETS ? field_of(a->b, a->d, &field, &a->f) : CELL_OK;

    if (r >= 0)
        r = prepare(a, limit);
    if (r < 0)
        return r;
    r = a->b->op == OP_FACETS ? search_facets(reader, text.ptr, text.len, field, limit, take_facet, a, &f)
                              : search_suggest(reader, text.ptr, text.len, limit, take_word, a, &f);
    if (r < 0)
        a->f = f;
    give_list(a, out);
    return r;
}

static int call_count(struct answering *a, struct search_reader *reader, const void *in, void *out)
{
    cell_str query = text_in(a->b, in, 0);
    uint64_t count = 0;
    int r = search_count(reader, query.ptr, query.len, &count, &a->f);

    if (r >= 0)
        memcpy(out, &count, sizeof(count));
    return r;
}

static int invoke_method(cell_ctx *c, const struct cell_method *method, void *bound, const void *in, void *const *out)
{
    struct sc_service *s = cell_ctx_user(c);
    struct answering a = {.c = c, .b = bound};
    struct sc_part *part;
    struct search_reader *reader;
    int r = sc_reader_take(s, a.b->index, &part, &reader, &a.f);

    (void)method;
    if (r < 0)
        return sc_answer_failure(c, &a.f);
    a.d = part->definition;
    search_reader_watch(reader, caller_is_gone, c);
    switch (a.b->op) {
    case OP_SEARCH:
        r = call_search(&a, reader, in, out[0]);
        break;
    case OP_COUNT:
        r = call_count(&a, reader, in, out[0]);
        break;
    case OP_SUGGEST:
    case OP_FACETS:
        r = call_listed(&a, reader, in, out[0]);
        break;
    default:
        r = call_near(&a, reader, in, out[0]);
    }
    search_reader_watch(reader, NULL, NULL);
    if (r >= 0 && a.f.status < 0)
        r = a.f.status;
    if (r == CELL_DATA_LOSS)
        sc_part_damaged(part);
    sc_reader_give(part, reader);
    return r < 0 ? sc_answer_failure(c, &a.f) : CELL_OK;
}

const struct cell_bound_ops sc_bound_ops = {.bind = bind_method, .invoke = invoke_method, .unbind = unbind_method};
