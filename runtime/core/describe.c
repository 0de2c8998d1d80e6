/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Descriptors for a schema that is learned at run time. */
#include <stdlib.h>
#include <string.h>

#include "core/describe_builtin.h"
#include "core/schema.h"

const struct cell_type *describe_builtin(uint32_t kind, uint32_t elem)
{
    /* In the order of the kinds. */
    static const struct cell_type *const builtins[][3] = {
#define ROW(suffix, T) {&cell_type_##suffix, &cell_type_list_##suffix, &cell_type_opt_##suffix},
        CELL_SCALAR_MAP(ROW)
#undef ROW
    };
    _Static_assert(sizeof(builtins) / sizeof(builtins[0]) == CELL_KIND_BYTES, "one row a built-in kind");
    if (describe_is_builtin(kind))
        return builtins[kind - 1][0];
    if ((kind == CELL_KIND_LIST || kind == CELL_KIND_OPT) && describe_is_builtin(elem))
        return builtins[elem - 1][kind == CELL_KIND_LIST ? 1 : 2];
    return NULL;
}

struct describe {
    struct cell_schema *schema;
    struct cell_type *types; /* types[i] describes schema->types[i] */
    struct cell_error *e;
};

static int fail_memory(struct describe *d)
{
    return cell_error_set(d->e, CELL_NO_MEMORY, "out of memory for the descriptors");
}

/* NULL, with the error set, for a use of a type that this schema does not hold. */
static const struct cell_type *describe_use(struct describe *d, const struct schema_ref *r)
{
    if (r->named) {
        uintptr_t begin = (uintptr_t)d->schema->types, here = (uintptr_t)r->named;
        if (here >= begin && here < begin + d->schema->ntypes * sizeof(*r->named))
            return &d->types[(here - begin) / sizeof(*r->named)];
        cell_error_set(d->e, CELL_INVALID_ARGUMENT, "type '%s' belongs to another schema", r->named->name);
        return NULL;
    }
    const struct cell_type *t = describe_builtin(r->kind, r->elem);
    if (!t)
        cell_error_set(d->e, CELL_INVALID_ARGUMENT, "no built-in type has the number %d", (int)r->kind);
    return t;
}

static int describe_field(struct describe *d, const struct schema_field *f, uint32_t offset, uint32_t flags,
                          struct cell_field *to)
{
    struct cell_error *e = d->e;
    const struct cell_type *type = describe_use(d, &f->type);
    if (!type)
        return cell_error_wrap(e, "'%s'", f->name);
    to->name = f->name;
    to->type = type;
    to->offset = offset;
    to->count = f->type.count;
    to->flags = flags;
    return CELL_OK;
}

static int describe_values(struct describe *d, const struct schema_type *t, struct cell_type *to)
{
    struct cell_field *values = cell_arena_array(&d->schema->arena, t->nvalues, sizeof(*values));
    if (!values)
        return fail_memory(d);
    for (uint32_t i = 0; i < t->nvalues; i++) {
        const char *text = t->values[i].text;
        uint64_t value = *text == '-' ? (uint64_t)strtoll(text, NULL, 10) : strtoull(text, NULL, 10);
        values[i] =
            (struct cell_field){.name = t->values[i].name, .offset = (uint32_t)value, .count = (uint32_t)(value >> 32)};
    }
    to->fields = values;
    to->nfields = t->nvalues;
    return CELL_OK;
}

static int describe_type(struct describe *d, const struct schema_type *t, struct cell_type *to)
{
    to->name = t->name;
    to->kind = t->kind;
    to->size = t->size;
    to->align = t->align;
    if (t->kind != CELL_KIND_STRUCT) {
        to->elem = describe_use(d, &t->elem);
        if (!to->elem)
            return cell_error_wrap(d->e, "type '%s'", t->name);
        return t->kind == CELL_KIND_ENUM ? describe_values(d, t, to) : CELL_OK;
    }
    struct cell_field *fields = cell_arena_array(&d->schema->arena, t->nfields, sizeof(*fields));
    if (!fields)
        return fail_memory(d);
    for (uint32_t i = 0; i < t->nfields; i++) {
        int r = describe_field(d, &t->fields[i], t->fields[i].offset, 0, &fields[i]);
        if (r < 0)
            return cell_error_wrap(d->e, "type '%s'", t->name);
    }
    to->fields = fields;
    to->nfields = t->nfields;
    return CELL_OK;
}

/* Fields in one array: of parameters that go in, then of those that come out, then of the stream. */
static int describe_method(struct describe *d, const struct schema_method *m, struct cell_method *to)
{
    uint32_t nin = 0, nout = 0, nall = 0;
    for (uint32_t i = 0; i < m->nparams; i++) {
        nin += cell_param_goes_in(&m->params[i]);
        nall += 1 + m->params[i].inout;
    }
    struct cell_field *params = cell_arena_array(&d->schema->arena, nall, sizeof(*params));
    if (!params)
        return fail_memory(d);
    to->name = m->name;
    to->in = params;
    to->out = params + nin;
    to->in_size = m->in_size;
    to->flags = (m->idempotent ? CELL_METHOD_IDEMPOTENT : 0) | (m->whole ? CELL_METHOD_WHOLE : 0);
    to->binding = m->binding;
    for (uint32_t i = 0; i < m->nparams; i++) {
        const struct schema_field *p = &m->params[i];
        int r = CELL_OK;
        if (p->stream) {
            to->stream = &params[nall - 1];
            to->flags |= p->out ? 0 : CELL_METHOD_WRITES;
            r = describe_field(d, p, 0, 0, &params[nall - 1]);
        }
        if (r == CELL_OK && cell_param_comes_out(p)) {
            r = describe_field(d, p, nout * (uint32_t)sizeof(struct cell_ref), CELL_FIELD_REF | CELL_FIELD_OUT,
                               &params[nin + nout]);
            nout++;
        }
        if (r == CELL_OK && cell_param_goes_in(p))
            r = describe_field(d, p, p->offset, p->by_pointer ? CELL_FIELD_REF : 0, &params[to->nin++]);
        if (r < 0)
            return cell_error_wrap(d->e, "method '%s'", m->name);
    }
    to->nout = nout;
    return CELL_OK;
}

int cell_schema_describe(struct cell_schema *s, const struct cell_method **methods, struct cell_error *e)
{
    struct cell_error own; /* so that there is one to wrap */
    memset(&own, 0, sizeof(own));
    struct describe d = {s, cell_arena_array(&s->arena, s->ntypes, sizeof(*d.types)), e ? e : &own};
    struct cell_method *made = cell_arena_array(&s->arena, s->nmethods, sizeof(*made));
    if (!d.types || !made)
        return fail_memory(&d);
    for (uint32_t i = 0; i < s->ntypes; i++) {
        int r = describe_type(&d, &s->types[i], &d.types[i]);
        if (r < 0)
            return r;
    }
    for (uint32_t i = 0; i < s->nmethods; i++) {
        int r = describe_method(&d, &s->methods[i], &made[i]);
        if (r < 0)
            return r;
    }
    *methods = made;
    return CELL_OK;
}
