/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Calls of the methods that bound.c has bound. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bound.h"

#define PAGE 10u
#define MOST_PAGE 1000u
#define MOST_NEAR 1000u

struct answering {
    cell_ctx *c;
    const struct sc_bound *b;
    const struct sc_definition *d;
    const struct cell_field *key[SC_MOST_KEYS]; /* of a hit, or parameters */
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

/* The key's fields, of the index as it is now, among these: a hit's members, or parameters. */
static int find_key(struct answering *a, const struct cell_field *fields, uint32_t n)
{
    for (uint32_t i = 0; i < a->d->nkey; i++) {
        const struct sc_field *key = &a->d->key[i];
        const struct cell_field *found = NULL;
        for (uint32_t k = 0; k < n; k++)
            if (strcmp(fields[k].name, key->name) == 0)
                found = &fields[k];
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

static int find_key_of_hit(struct answering *a) { return find_key(a, a->b->hit->fields, a->b->hit->nfields); }

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

/* Into the struct at `to`. */
static bool copy_passage(struct answering *a, uint8_t *to, const struct search_passage *from)
{
    const struct sc_bound_passage *p = &a->b->passage;
    const uint32_t size = p->marks->type->elem->size;
    uint8_t *marks = from->nmarks ? cell_ctx_alloc(a->c, from->nmarks * size) : NULL;
    const struct cell_ref list = {marks, from->nmarks};

    if (from->nmarks && !marks) {
        search_fail(&a->f, CELL_NO_MEMORY, "out of memory");
        return false;
    }
    for (size_t i = 0; i < from->nmarks; i++) {
        memcpy(marks + i * size + p->begin->offset, &from->marks[i].begin, sizeof(uint32_t));
        memcpy(marks + i * size + p->length->offset, &from->marks[i].length, sizeof(uint32_t));
    }
    memcpy(to + p->marks->offset, &list, sizeof(list));
    return copy_text(a, to + p->text->offset, from->text, from->length);
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
    if (hit->excerpt.length > 0 && !copy_passage(a, row + a->b->excerpt->offset, &hit->excerpt))
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
                                     .excerpt = number_in(a->b, in, 3, 0, SEARCH_MOST_EXCERPT)};
    int r = read_cursor(text_in(a->b, in, 2), &request.after, &a->f);

    if (r >= 0)
        r = find_key_of_hit(a);
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
        r = find_key_of_hit(a);
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

static struct sc_key_value key_in(const struct answering *a, uint32_t i, const void *in)
{
    const struct sc_type *type = &a->d->key[i].type;
    const char *at = (const char *)in + a->key[i]->offset;
    struct sc_key_value value = {.number = 0};
    struct cell_ref ref;
    float single;
    double real;

    if (type->shape == SC_ARRAY || type->kind == CELL_KIND_STR || type->kind == CELL_KIND_BYTES) {
        memcpy(&ref, at, sizeof(ref));
        value.bytes = ref.ptr;
        value.length = type->shape == SC_ARRAY ? type->count : ref.len;
    } else if (type->kind == CELL_KIND_F32) {
        memcpy(&single, at, sizeof(single));
        real = (double)single;
        memcpy(&value.number, &real, sizeof(real));
    } else {
        value.number = sc_integer_at(type->kind, at);
    }
    return value;
}

static int call_highlight(struct answering *a, struct search_reader *reader, const void *in, void *out)
{
    const struct cell_method *m = a->b->method;
    cell_str query = text_in(a->b, in, m->nin - 1);
    struct sc_key_value values[SC_MOST_KEYS];
    struct search_passage passage;
    uint8_t key[SEARCH_MOST_KEY];
    size_t length = 0;
    uint32_t field = 0;
    int r = field_of(a->b, a->d, &field, &a->f);

    if (r >= 0 && a->d->nkey != m->nin - 1)
        r = search_fail(&a->f, CELL_FAILED_PRECONDITION,
                        "index '%s' has another key than when the program was built: build it again", a->d->name);
    if (r >= 0)
        r = find_key(a, m->in, m->nin - 1);
    for (uint32_t i = 0; r >= 0 && i < a->d->nkey; i++)
        values[i] = key_in(a, i, in);
    if (r >= 0)
        r = sc_key_write(a->d, values, key, &length, &a->f);
    if (r >= 0)
        r = search_highlight(reader, key, length, field, query.ptr, query.len, &passage, &a->f);
    if (r >= 0)
        copy_passage(a, out, &passage);
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

int sc_bound_invoke(cell_ctx *c, const struct cell_method *method, void *bound, const void *in, void *const *out)
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
    case OP_HIGHLIGHT:
        r = call_highlight(&a, reader, in, out[0]);
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
