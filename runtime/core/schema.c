/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "core/schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "core/rule.h"
#include "core/schema_impl.h"
#include "wire/limits.h"

static const char *const kind_names[] = {
#define KIND_NAME(symbol, number, name, size) [number] = name,
    CELL_KIND_MAP(KIND_NAME)
#undef KIND_NAME
};
static const uint8_t kind_sizes[] = {
#define KIND_SIZE(symbol, number, name, size) [number] = size,
    CELL_KIND_MAP(KIND_SIZE)
#undef KIND_SIZE
};

const char *cell_kind_name(unsigned kind)
{
    return kind < sizeof(kind_names) / sizeof(kind_names[0]) && kind_names[kind] ? kind_names[kind] : "";
}

struct cell_schema *cell_schema_new(void) { return calloc(1, sizeof(struct cell_schema)); }

void cell_schema_free(struct cell_schema *s)
{
    if (!s)
        return;
    cell_arena_free(&s->arena);
    free(s);
}

/* Never 0, also for a model that was not checked yet. */
static uint32_t builtin_align(enum cell_kind kind)
{
    return kind_sizes[kind] == 16 ? 8 : kind_sizes[kind] ? kind_sizes[kind] : 1;
}

static void element_layout(const struct schema_ref *r, uint32_t *size, uint32_t *align)
{
    if (r->named) {
        *size = r->named->size;
        *align = r->named->align;
    } else if (r->kind == CELL_KIND_OPT) {
        *align = builtin_align(r->elem);
        *size = *align + kind_sizes[r->elem]; /* the flag takes one alignment: every size is a multiple of it */
    } else {
        *size = kind_sizes[r->kind];
        *align = builtin_align(r->kind);
    }
}

uint64_t cell_schema_use_size(const struct schema_ref *r)
{
    uint32_t size, align;
    element_layout(r, &size, &align);
    return (uint64_t)size * (r->count ? r->count : 1);
}

void cell_schema_ref_layout(const struct schema_ref *r, uint32_t *size, uint32_t *align)
{
    uint64_t whole = cell_schema_use_size(r);
    element_layout(r, size, align);
    *size = whole < UINT32_MAX ? (uint32_t)whole : UINT32_MAX;
}

int cell_schema_ref_format(const struct schema_ref *r, char *text, size_t size)
{
    char bound[16] = "";
    bool wrapped = !r->named && (r->kind == CELL_KIND_LIST || r->kind == CELL_KIND_OPT);
    if (r->count)
        snprintf(bound, sizeof(bound), "[%u]", r->count);
    if (wrapped)
        return snprintf(text, size, "%s<%s>%s", cell_kind_name(r->kind), cell_kind_name(r->elem), bound);
    return snprintf(text, size, "%s%s", r->named ? r->named->name : cell_kind_name(r->kind), bound);
}

/* Entries begin with their name, so one comparison serves all of them. */
static int compare_named(const void *a, const void *b)
{
    const char *x, *y;
    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    return strcmp(x, y);
}

_Static_assert(offsetof(struct schema_type, name) == 0 && offsetof(struct schema_constant, name) == 0 &&
                   offsetof(struct schema_method, name) == 0 && offsetof(struct schema_verb, name) == 0 &&
                   offsetof(struct schema_function, name) == 0,
               "sorting reads the name at the start of an entry");

static int compare_types(const void *a, const void *b)
{
    const struct schema_type *x, *y;
    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    return strcmp(x->name, y->name);
}

/* Before parse or seal nothing is sorted. */
static const void *find(const void *entries, uint32_t n, size_t size, bool sorted, const char *name)
{
    const void *key = &name;
    if (sorted)
        return n ? bsearch(key, entries, n, size, compare_named) : NULL;
    for (uint32_t i = 0; i < n; i++)
        if (compare_named(key, (const char *)entries + i * size) == 0)
            return (const char *)entries + i * size;
    return NULL;
}

const struct schema_type *cell_schema_type(const struct cell_schema *s, const char *name)
{
    if (!s->types_by_name)
        return find(s->types, s->ntypes, sizeof(*s->types), false, name);
    const struct schema_type wanted = {.name = name}, *key = &wanted;
    const struct schema_type **found =
        s->ntypes ? bsearch(&key, s->types_by_name, s->ntypes, sizeof(key), compare_types) : NULL;
    return found ? *found : NULL;
}

const struct schema_method *cell_schema_method(const struct cell_schema *s, const char *name)
{
    return find(s->methods, s->nmethods, sizeof(*s->methods), s->types_by_name != NULL, name);
}

const struct schema_field *cell_schema_stream(const struct schema_method *m)
{
    for (uint32_t i = 0; i < m->nparams; i++)
        if (m->params[i].stream)
            return &m->params[i];
    return NULL;
}

static bool has_form(const struct schema_method *m, const char *suffix)
{
    const struct schema_field *stream = cell_schema_stream(m);
#define IS(form) || strcmp(suffix, form) == 0
    return !stream       ? false CELL_METHOD_NAMES(IS)
           : stream->out ? false CELL_STREAM_READER_NAMES(IS)
                         : false CELL_STREAM_WRITER_NAMES(IS);
#undef IS
}

const struct schema_method *cell_schema_method_of(const struct cell_schema *s, const char *function)
{
    char base[128]; /* no name is longer */
    const struct schema_method *m = cell_schema_method(s, function);
    /* "_next_n" begins at the last but one. */
    for (size_t at = strlen(function); !m && at-- > 1;) {
        if (function[at] != '_' || at >= sizeof(base))
            continue;
        memcpy(base, function, at);
        base[at] = '\0';
        m = cell_schema_method(s, base);
        if (m && !has_form(m, function + at))
            m = NULL;
    }
    return m;
}

const struct schema_verb *cell_schema_verb(const struct cell_schema *s, const char *name)
{
    return find(s->verbs, s->nverbs, sizeof(*s->verbs), s->types_by_name != NULL, name);
}

const struct schema_function *cell_schema_function(const struct cell_schema *s, const char *name)
{
    return find(s->visible_functions, s->nvisible_functions, sizeof(*s->visible_functions), true, name);
}

static void add_fingerprint(const struct schema_ref *r, struct cell_buffer *b)
{
    if (r->named)
        cell_buffer_append(b, r->named->fingerprint, CELL_FINGERPRINT_LEN);
}

/* The entry without docs, then the fingerprints of what it uses: those cover what lies below. */
static void fingerprint_entries(struct cell_schema *s, struct cell_buffer *b)
{
    for (uint32_t i = 0; i < s->ntypes && cell_buffer_ok(b); i++) {
        struct schema_type *t = &s->types[i];
        b->len = 0;
        cell_schema_put_type(t, b);
        add_fingerprint(&t->elem, b);
        for (uint32_t k = 0; k < t->nfields; k++)
            add_fingerprint(&t->fields[k].type, b);
        cell_sha256_hex(b->data, b->len, t->fingerprint);
    }
    for (uint32_t i = 0; i < s->nmethods && cell_buffer_ok(b); i++) {
        struct schema_method *m = &s->methods[i];
        b->len = 0;
        cell_schema_put_method(m, b);
        for (uint32_t k = 0; k < m->nparams; k++)
            add_fingerprint(&m->params[k].type, b);
        cell_sha256_hex(b->data, b->len, m->fingerprint);
    }
}

int cell_schema_index(struct cell_schema *s, struct cell_error *e)
{
    struct cell_buffer b = {0};
    for (uint32_t i = 0; i < s->ntypes; i++)
        s->types[i].ruled = cell_rule_mark(s->types[i].fields, s->types[i].nfields);
    for (uint32_t i = 0; i < s->nmethods; i++)
        cell_rule_mark(s->methods[i].params, s->methods[i].nparams);
    const struct schema_type **sorted = cell_arena_array(&s->arena, s->ntypes, sizeof(*sorted));
    fingerprint_entries(s, &b);
    bool ok = cell_buffer_ok(&b);
    cell_buffer_free(&b);
    if (!ok || !sorted)
        return cell_error_set(e, CELL_NO_MEMORY, "schema: out of memory");
    for (uint32_t i = 0; i < s->ntypes; i++)
        sorted[i] = &s->types[i];
    qsort(sorted, s->ntypes, sizeof(*sorted), compare_types);
    s->types_by_name = sorted;
    return CELL_OK;
}

static void layout_slots(struct schema_method *m)
{
    uint64_t end = 0;
    uint32_t most = 1;
    for (uint32_t i = 0; i < m->nparams; i++) {
        struct schema_field *p = &m->params[i];
        uint32_t size = sizeof(struct cell_ref), align = _Alignof(struct cell_ref);
        p->offset = 0;
        if (!cell_param_goes_in(p))
            continue;
        if (!p->by_pointer)
            cell_schema_ref_layout(&p->type, &size, &align);
        end = (end + align - 1) / align * align;
        p->offset = end < UINT32_MAX ? (uint32_t)end : UINT32_MAX;
        end += size;
        most = align > most ? align : most;
    }
    end = (end + most - 1) / most * most;
    m->in_size = end < UINT32_MAX ? (uint32_t)end : UINT32_MAX;
}

void cell_schema_layout_methods(struct cell_schema *s)
{
    for (uint32_t i = 0; i < s->nmethods; i++)
        layout_slots(&s->methods[i]);
}

static int compare_entries(const void *a, const void *b) { return compare_named(a, b); }

static void sort(void *entries, uint32_t n, size_t size)
{
    if (n > 1)
        qsort(entries, n, size, compare_entries);
}

/* An entry without a name cannot be sorted or written. */
static int check_names_there(const struct cell_schema *s, struct cell_error *e)
{
    bool all = s->cell != NULL;
    for (uint32_t i = 0; i < s->nconstants; i++)
        all = all && s->constants[i].name;
    for (uint32_t i = 0; i < s->nmethods; i++)
        all = all && s->methods[i].name;
    for (uint32_t i = 0; i < s->nverbs; i++)
        all = all && s->verbs[i].name;
    for (uint32_t i = 0; i < s->ncapabilities; i++)
        all = all && s->capabilities[i].name;
    return all ? CELL_OK : cell_error_set(e, CELL_INVALID_ARGUMENT, "a name is missing");
}

int cell_schema_seal(struct cell_schema *s, struct cell_error *e)
{
    int r = check_names_there(s, e);
    if (r < 0)
        return r;
    sort(s->constants, s->nconstants, sizeof(*s->constants));
    sort(s->methods, s->nmethods, sizeof(*s->methods));
    sort(s->verbs, s->nverbs, sizeof(*s->verbs));
    cell_capabilities_sort(s);
    cell_schema_layout_methods(s);
    if ((r = cell_schema_take_functions(s, CELL_INVALID_ARGUMENT, e)) < 0)
        return r;
    if ((r = cell_schema_check(s, SCHEMA_OF_CLIENT, CELL_INVALID_ARGUMENT, e)) < 0)
        return r;

    struct cell_buffer out = {0};
    cell_schema_put(s, &out);
    if (!cell_buffer_ok(&out))
        r = cell_error_set(e, CELL_NO_MEMORY, "schema: out of memory");
    else if ((r = cell_json_measure(out.data, out.len, CELL_TOO_LARGE, e)) < 0)
        r = cell_error_set(e, r,
                           "the schema is too large: %zu bytes, at most %u, with at most %u members and elements, "
                           "nested at most %u deep",
                           out.len, CELL_MAX_COMPILE_REPLY, CELL_MAX_JSON_MEMBERS, CELL_MAX_JSON_DEPTH);
    else if ((r = cell_schema_index(s, e)) == CELL_OK)
        cell_sha256_hex(out.data, out.len, s->fingerprint);
    cell_buffer_free(&out);
    return r;
}
