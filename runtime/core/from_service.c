/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The schema that descriptors stand for: what a client sends to a server that was built from another one. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "core/describe_builtin.h"
#include "core/schema.h"
#include "wire/limits.h"

#define MAX_ITEMS CELL_MAX_JSON_MEMBERS /* of anything: more could not be sent */
#define MAX_NESTING 256u                /* of types in types: this is searched by recursion */
#define RUNNING UINT32_MAX

/* A descriptor that was met, and which type it is. Several may describe one type: each unit of a program has its own.
 */
struct met {
    const struct cell_type *descriptor;
    uint32_t index; /* into `found`; RUNNING while those that it uses are searched */
};

struct from {
    struct cell_schema *schema;
    const struct cell_service *service;
    unsigned placeholders; /* numbers of names that were tried */
    struct met *met;
    uint32_t nmet, met_capacity;
    const struct cell_type **found; /* one a name, each after those that it uses */
    uint32_t nfound, found_capacity;
    struct cell_error *e;
};

static int refuse(struct from *f, const char *text) { return cell_error_set(f->e, CELL_INVALID_ARGUMENT, "%s", text); }

static int fail_memory(struct from *f) { return cell_error_set(f->e, CELL_NO_MEMORY, "out of memory"); }

static bool grow(void **items, uint32_t n, uint32_t *capacity, size_t size)
{
    if (n < *capacity)
        return true;
    uint32_t more = *capacity ? 2 * *capacity : 32;
    void *grown = realloc(*items, more * size);
    if (!grown)
        return false;
    *items = grown;
    *capacity = more;
    return true;
}

static struct met *find_met(const struct from *f, const struct cell_type *t)
{
    for (uint32_t i = 0; i < f->nmet; i++)
        if (f->met[i].descriptor == t)
            return &f->met[i];
    return NULL;
}

/* True for cell_type_list_… and cell_type_opt_…, in the library's own copy or another. */
static bool is_builtin_wrapper(const struct cell_type *t)
{
    return (t->kind == CELL_KIND_LIST && strncmp(t->name, "list<", 5) == 0) ||
           (t->kind == CELL_KIND_OPT && strncmp(t->name, "opt<", 4) == 0);
}

static int check_builtin(struct from *f, const struct cell_type *t)
{
    const struct cell_type *elem = describe_is_builtin(t->kind) ? NULL : t->elem;
    const struct cell_type *real = describe_builtin(t->kind, elem ? elem->kind : 0);
    if (!real || strcmp(real->name, t->name) != 0 || real->size != t->size || real->align != t->align ||
        (elem && (!elem->name || !real->elem || strcmp(elem->name, real->elem->name) != 0)))
        return refuse(f, "its descriptor is not that of a built-in type");
    return CELL_OK;
}

static bool same_use(const struct cell_type *a, const struct cell_type *b)
{
    return a && b ? a->kind == b->kind && strcmp(a->name, b->name) == 0 : a == b;
}

/* Whether two descriptors of one name say the same. What they use was found already, so its names are enough. */
static bool same_type(const struct cell_type *a, const struct cell_type *b)
{
    if (a->kind != b->kind || a->size != b->size || a->align != b->align)
        return false;
    if (a->kind != CELL_KIND_STRUCT && !same_use(a->elem, b->elem))
        return false;
    if (a->kind != CELL_KIND_STRUCT && a->kind != CELL_KIND_ENUM)
        return true;
    if (a->nfields != b->nfields)
        return false;
    for (uint32_t i = 0; i < a->nfields; i++) {
        const struct cell_field *x = &a->fields[i], *y = &b->fields[i];
        if (strcmp(x->name, y->name) != 0 || x->offset != y->offset || x->count != y->count ||
            !same_use(x->type, y->type))
            return false;
    }
    return true;
}

/* Gives a descriptor, whose parts were found, its place. */
static int place(struct from *f, const struct cell_type *t)
{
    uint32_t i = 0;
    while (i < f->nfound && strcmp(f->found[i]->name, t->name) != 0)
        i++;
    if (i < f->nfound && !same_type(f->found[i], t))
        return refuse(f, "two different types have this name");
    if (i == f->nfound) {
        if (!grow((void **)&f->found, f->nfound, &f->found_capacity, sizeof(*f->found)))
            return fail_memory(f);
        f->found[f->nfound++] = t;
    }
    find_met(f, t)->index = i;
    return CELL_OK;
}

static int find_type(struct from *f, const struct cell_type *t, unsigned depth);

static int check_values(struct from *f, const struct cell_type *t)
{
    if (t->nfields > MAX_ITEMS || (t->nfields && !t->fields))
        return refuse(f, "its descriptor has no enumerators");
    for (uint32_t i = 0; i < t->nfields; i++) {
        const struct cell_field *value = &t->fields[i];
        if (!value->name || !cell_is_identifier(value->name) || value->type || value->flags || value->rules)
            return refuse(f, "an enumerator's descriptor is damaged");
    }
    return CELL_OK;
}

static int find_parts(struct from *f, const struct cell_type *t, unsigned depth)
{
    int values = t->kind == CELL_KIND_ENUM ? check_values(f, t) : CELL_OK;
    if (values < 0)
        return values;
    if (t->kind != CELL_KIND_STRUCT)
        return find_type(f, t->elem, depth + 1);
    if (t->nfields > MAX_ITEMS || (t->nfields && !t->fields))
        return refuse(f, "its descriptor has no fields");
    for (uint32_t i = 0; i < t->nfields; i++) {
        const struct cell_field *field = &t->fields[i];
        if (!field->name || !cell_is_identifier(field->name) || field->flags & ~CELL_FIELD_RULED)
            return refuse(f, "a field's descriptor is damaged");
        int r = find_type(f, field->type, depth + 1);
        if (r < 0)
            return cell_error_wrap(f->e, "field '%s'", field->name);
    }
    return CELL_OK;
}

static int find_named(struct from *f, const struct cell_type *t, unsigned depth)
{
    const struct met *known = find_met(f, t);
    if (known)
        return known->index == RUNNING ? refuse(f, "it contains itself") : CELL_OK;
    if (depth > MAX_NESTING)
        return refuse(f, "types are nested too deep");
    if (!cell_is_identifier(t->name))
        return refuse(f, "its name is not an identifier");
    if (f->nmet == MAX_ITEMS)
        return refuse(f, "too many types");
    if (!grow((void **)&f->met, f->nmet, &f->met_capacity, sizeof(*f->met)))
        return fail_memory(f);
    f->met[f->nmet++] = (struct met){t, RUNNING};
    int r = find_parts(f, t, depth);
    return r < 0 ? r : place(f, t);
}

static int find_type(struct from *f, const struct cell_type *t, unsigned depth)
{
    if (!t || !t->name)
        return refuse(f, "a type's descriptor is missing");
    int r;
    if (describe_is_builtin(t->kind) || is_builtin_wrapper(t))
        r = check_builtin(f, t);
    else if (t->kind >= CELL_KIND_STRUCT && t->kind <= CELL_KIND_OPT)
        r = find_named(f, t, depth);
    else
        r = refuse(f, "its kind is unknown");
    if (r < 0)
        cell_error_wrap(f->e, "type '%.*s'", (int)CELL_MAX_NAME, t->name);
    return r;
}

static const char *keep(struct from *f, const char *text)
{
    return cell_arena_copy(&f->schema->arena, text, strlen(text));
}

static struct schema_ref make_ref(struct from *f, const struct cell_type *t, uint32_t count)
{
    struct schema_ref r = {.kind = (enum cell_kind)t->kind, .count = count};
    if (is_builtin_wrapper(t))
        r.elem = (enum cell_kind)t->elem->kind;
    else if (!describe_is_builtin(t->kind))
        r.named = &f->schema->types[find_met(f, t)->index];
    return r;
}

static int make_field(struct from *f, const struct cell_field *from, struct schema_field *to)
{
    to->name = keep(f, from->name);
    to->type = make_ref(f, from->type, from->count);
    to->offset = from->offset;
    to->by_pointer = from->flags & CELL_FIELD_REF;
    to->out = from->flags & CELL_FIELD_OUT;
    return to->name ? CELL_OK : fail_memory(f);
}

static bool is_taken(const struct from *f, const char *name)
{
    for (uint32_t i = 0; i < f->nfound; i++) {
        const struct cell_type *t = f->found[i];
        if (strcmp(t->name, name) == 0)
            return true;
        for (uint32_t k = 0; t->kind == CELL_KIND_ENUM && k < t->nfields; k++)
            if (strcmp(t->fields[k].name, name) == 0)
                return true;
    }
    for (uint32_t i = 0; i < f->service->nmethods; i++)
        if (strcmp(f->service->methods[i].name, name) == 0)
            return true;
    return false;
}

/* A schema's enum has at least one value; descriptors of an earlier Cell tell none. */
static int make_placeholder(struct from *f, struct schema_type *to)
{
    char name[32];
    do
        snprintf(name, sizeof(name), "unnamed_%u", f->placeholders++);
    while (is_taken(f, name));
    to->values = cell_arena_array(&f->schema->arena, 1, sizeof(*to->values));
    if (!to->values)
        return fail_memory(f);
    to->values->name = keep(f, name);
    to->values->text = "0";
    to->nvalues = 1;
    return to->values->name ? CELL_OK : fail_memory(f);
}

static int make_values(struct from *f, const struct cell_type *from, struct schema_type *to)
{
    enum cell_kind kind = (enum cell_kind)from->elem->kind;
    bool has_sign = kind == CELL_KIND_I8 || kind == CELL_KIND_I16 || kind == CELL_KIND_I32 || kind == CELL_KIND_I64;
    to->values = cell_arena_array(&f->schema->arena, from->nfields, sizeof(*to->values));
    if (!to->values)
        return fail_memory(f);
    for (uint32_t i = 0; i < from->nfields; i++) {
        uint64_t value = from->fields[i].offset | (uint64_t)from->fields[i].count << 32;
        to->values[i].name = keep(f, from->fields[i].name);
        to->values[i].text = has_sign ? cell_arena_printf(&f->schema->arena, "%" PRId64, (int64_t)value)
                                      : cell_arena_printf(&f->schema->arena, "%" PRIu64, value);
        if (!to->values[i].name || !to->values[i].text)
            return fail_memory(f);
    }
    to->nvalues = from->nfields;
    return CELL_OK;
}

static int make_type(struct from *f, const struct cell_type *from, struct schema_type *to)
{
    to->name = keep(f, from->name);
    to->kind = (enum cell_kind)from->kind;
    to->size = from->size;
    to->align = from->align;
    if (!to->name)
        return fail_memory(f);
    if (from->kind != CELL_KIND_STRUCT) {
        to->elem = make_ref(f, from->elem, 0);
        return from->kind != CELL_KIND_ENUM ? CELL_OK
               : from->nfields              ? make_values(f, from, to)
                                            : make_placeholder(f, to);
    }
    to->nfields = from->nfields;
    to->fields = cell_arena_array(&f->schema->arena, from->nfields, sizeof(*to->fields));
    if (!to->fields)
        return fail_memory(f);
    for (uint32_t i = 0; i < from->nfields; i++) {
        int r = make_field(f, &from->fields[i], &to->fields[i]);
        if (r < 0)
            return r;
    }
    return CELL_OK;
}

/* Checks one direction's parameters and finds their types. */
static int find_params(struct from *f, const struct cell_field *params, uint32_t n, bool out)
{
    if (n > MAX_ITEMS || (n && !params))
        return refuse(f, "its parameters' descriptors are missing");
    for (uint32_t i = 0; i < n; i++) {
        const struct cell_field *p = &params[i];
        uint32_t wanted = out ? CELL_FIELD_REF | CELL_FIELD_OUT : p->flags & CELL_FIELD_REF;
        if (!p->name || !cell_is_identifier(p->name) || (p->flags & ~CELL_FIELD_RULED) != wanted ||
            (out && p->offset != i * sizeof(struct cell_ref)))
            return refuse(f, "a parameter's descriptor is damaged");
        int r = find_type(f, p->type, 0);
        if (r < 0)
            return cell_error_wrap(f->e, "parameter '%s'", p->name);
    }
    return CELL_OK;
}

static int find_stream(struct from *f, const struct cell_method *m)
{
    const struct cell_field *p = m->stream;
    if (!p)
        return CELL_OK;
    if (!p->name || !cell_is_identifier(p->name) || p->flags & ~CELL_FIELD_RULED || p->offset || p->count)
        return refuse(f, "the stream's descriptor is damaged");
    int r = find_type(f, p->type, 0);
    return r < 0 ? cell_error_wrap(f->e, "stream '%s'", p->name) : r;
}

static int find_types(struct from *f, const struct cell_service *service)
{
    for (uint32_t i = 0; i < service->nmethods; i++) {
        const struct cell_method *m = &service->methods[i];
        if (!m->name || !cell_is_identifier(m->name))
            return refuse(f, "a method's name is not an identifier");
        /* The position is the method's id, so another order would call another method. */
        if (i && strcmp(service->methods[i - 1].name, m->name) >= 0)
            return cell_error_set(f->e, CELL_INVALID_ARGUMENT, "method '%s' does not stand in the order of names",
                                  m->name);
        int r = find_params(f, m->in, m->nin, false);
        if (r == CELL_OK)
            r = find_params(f, m->out, m->nout, true);
        if (r == CELL_OK)
            r = find_stream(f, m);
        if (r < 0)
            return cell_error_wrap(f->e, "method '%s'", m->name);
    }
    return CELL_OK;
}

/* The place in `out` of a parameter that goes in and comes out; nout for one that only goes in. */
static uint32_t find_pair(const struct cell_method *m, const struct cell_field *in)
{
    uint32_t i = 0;
    while (i < m->nout && (!m->binding || strcmp(m->out[i].name, in->name) != 0))
        i++;
    return i;
}

static int make_param(struct from *f, const struct cell_field *from, struct schema_method *m)
{
    return make_field(f, from, &m->params[m->nparams++]);
}

/* Those that do both keep their places among both kinds: what only comes out and stands before one, goes before it. */
static int make_params(struct from *f, const struct cell_method *from, struct schema_method *to)
{
    uint32_t out = 0;
    int r = CELL_OK;
    for (uint32_t i = 0; r == CELL_OK && i < from->nin; i++) {
        uint32_t pair = find_pair(from, &from->in[i]);
        while (r == CELL_OK && pair < from->nout && out < pair)
            r = make_param(f, &from->out[out++], to);
        if (r == CELL_OK)
            r = make_param(f, &from->in[i], to);
        if (r < 0 || pair == from->nout)
            continue;
        const struct cell_field *p = &from->out[pair];
        struct schema_field *made = &to->params[to->nparams - 1];
        struct schema_ref type = make_ref(f, p->type, p->count);
        if (pair < out || type.named != made->type.named || type.kind != made->type.kind || type.count ||
            !made->by_pointer)
            return cell_error_set(f->e, CELL_INVALID_ARGUMENT, "what goes in as '%s' is not what comes out", p->name);
        made->out = made->inout = true;
        out++;
    }
    while (r == CELL_OK && out < from->nout)
        r = make_param(f, &from->out[out++], to);
    return r;
}

static int make_method(struct from *f, const struct cell_method *from, struct schema_method *to)
{
    uint32_t most = from->nin + from->nout + (from->stream != NULL);
    to->name = keep(f, from->name);
    to->binding = from->binding ? keep(f, from->binding) : NULL;
    to->idempotent = from->flags & CELL_METHOD_IDEMPOTENT;
    to->whole = from->flags & CELL_METHOD_WHOLE;
    to->params = cell_arena_array(&f->schema->arena, most, sizeof(*to->params));
    if (!to->name || !to->params || (from->binding && !to->binding))
        return fail_memory(f);
    int r = make_params(f, from, to);
    if (r == CELL_OK && from->stream) {
        struct schema_field *stream = &to->params[to->nparams];
        r = make_param(f, from->stream, to);
        stream->stream = true;
        stream->out = !(from->flags & CELL_METHOD_WRITES);
    }
    return r < 0 ? cell_error_wrap(f->e, "method '%s'", from->name) : r;
}

/* The names that the program was built for, which stand in one text. */
static int make_capabilities(struct from *f, const char *names)
{
    struct cell_schema *s = f->schema;
    size_t n = 1;
    for (const char *p = names; *p; p++)
        n += *p == ',';
    s->capabilities = n < MAX_ITEMS ? cell_arena_array(&s->arena, n, sizeof(*s->capabilities)) : NULL;
    if (!s->capabilities)
        return fail_memory(f);
    for (const char *at = names; *at;) {
        size_t len = strcspn(at, ",");
        char *name = cell_arena_copy(&s->arena, at, len);
        if (!name)
            return fail_memory(f);
        s->capabilities[s->ncapabilities++].name = name;
        at += len + (at[len] == ',');
    }
    return CELL_OK;
}

static int make_schema(struct from *f, const struct cell_service *service)
{
    struct cell_schema *s = f->schema;
    s->cell = keep(f, service->name);
    s->types = cell_arena_array(&s->arena, f->nfound, sizeof(*s->types));
    s->methods = cell_arena_array(&s->arena, service->nmethods, sizeof(*s->methods));
    if (!s->cell || !s->types || !s->methods)
        return fail_memory(f);
    s->ntypes = f->nfound;
    s->nmethods = service->nmethods;
    int r = CELL_OK;
    for (uint32_t i = 0; i < s->ntypes && r == CELL_OK; i++)
        r = make_type(f, f->found[i], &s->types[i]);
    for (uint32_t i = 0; i < s->nmethods && r == CELL_OK; i++)
        r = make_method(f, &service->methods[i], &s->methods[i]);
    if (r == CELL_OK && service->capabilities && *service->capabilities)
        r = make_capabilities(f, *service->capabilities);
    return r;
}

/* Sealing computed where each parameter stands in the request. The descriptors, by which it is encoded, must agree. */
static int check_slots(struct from *f, const struct cell_service *service)
{
    for (uint32_t i = 0; i < service->nmethods; i++) {
        const struct cell_method *m = &service->methods[i];
        const struct schema_method *made = &f->schema->methods[i];
        bool same = m->in_size == made->in_size;
        for (uint32_t k = 0, in = 0; k < made->nparams; k++)
            if (cell_param_goes_in(&made->params[k]))
                same = same && m->in[in++].offset == made->params[k].offset;
        if (!same)
            return cell_error_set(f->e, CELL_INVALID_ARGUMENT,
                                  "method '%s': the layout of its request is not that of its parameters", m->name);
    }
    return CELL_OK;
}

static int convert(struct from *f, const struct cell_service *service)
{
    if (service->abi != CELL_DESC_ABI)
        return cell_error_set(f->e, CELL_FAILED_PRECONDITION, "descriptors of version %u, where %u is known",
                              service->abi, CELL_DESC_ABI);
    if (!service->name || service->nmethods > MAX_ITEMS || (service->nmethods && !service->methods))
        return refuse(f, "the service's descriptor is damaged");
    int r = find_types(f, service);
    if (r == CELL_OK)
        r = make_schema(f, service);
    if (r == CELL_OK)
        r = cell_schema_seal(f->schema, f->e);
    if (r == CELL_OK)
        r = check_slots(f, service);
    return r;
}

int cell_schema_from_service(const struct cell_service *service, struct cell_schema **schema, struct cell_error *e)
{
    struct cell_error own; /* so that there is one to wrap */
    memset(&own, 0, sizeof(own));
    struct from f = {.schema = cell_schema_new(), .service = service, .e = e ? e : &own};
    int r = f.schema ? convert(&f, service) : fail_memory(&f);
    free(f.met);
    free(f.found);
    if (r < 0) {
        cell_schema_free(f.schema);
        return r;
    }
    *schema = f.schema;
    return CELL_OK;
}
