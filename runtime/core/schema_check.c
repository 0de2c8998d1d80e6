/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What renderers, encoders and decoders rely on, checked on the model: the same for a document that was parsed and for
 * a schema that was built from declarations. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "core/pattern.h"
#include "core/schema_impl.h"
#include "wire/limits.h"
#include "wire/message.h"

struct checker {
    const struct cell_schema *s;
    enum schema_origin origin;
    struct cell_error *e;
    struct cell_arena *scratch; /* patterns, of one field at a time */
    uint64_t *steps;            /* of work that is left for patterns */
    uint8_t *depths;            /* of each type: how deep what it holds nests; a struct's own level comes on top */
};

static struct json_at member(const struct json_at *of, const char *key)
{
    return (struct json_at){.parent = of, .key = key, .status = of->status};
}

static struct json_at element(const struct json_at *of, size_t index)
{
    return (struct json_at){.parent = of, .index = index, .status = of->status};
}

/* Levels of a type without the one that a struct by value adds: as wire/ counts them. */
static unsigned inner_depth(const struct checker *c, const struct schema_ref *r)
{
    if (r->named)
        return c->depths[r->named - c->s->types];
    return r->kind == CELL_KIND_LIST || r->kind == CELL_KIND_OPT;
}

static unsigned use_depth(const struct checker *c, const struct schema_ref *r)
{
    return inner_depth(c, r) + (r->count || r->kind == CELL_KIND_STRUCT);
}

/* A use of one of the first `known` types or of a built-in. */
static int check_use(const struct checker *c, const struct json_at *at, const char *key, const struct schema_ref *r,
                     uint32_t known)
{
    bool wraps = !r->named && (r->kind == CELL_KIND_LIST || r->kind == CELL_KIND_OPT);
    if (r->named) {
        uintptr_t begin = (uintptr_t)c->s->types, here = (uintptr_t)r->named;
        if (here < begin || here >= begin + known * sizeof(*r->named) || (here - begin) % sizeof(*r->named))
            return cell_json_fail(at, key, c->e, "a type is used before it is defined");
        if (r->kind != r->named->kind)
            return cell_json_fail(at, key, c->e, "'%s' is used as another kind of type", r->named->name);
    } else if (!(wraps ? cell_kind_is_builtin(r->elem) : cell_kind_is_builtin(r->kind))) {
        return cell_json_fail(at, key, c->e, "unknown type");
    }
    if (r->count > CELL_MAX_ARRAY)
        return cell_json_fail(at, key, c->e, "the bound of an array is 1 to %u", CELL_MAX_ARRAY);
    if (cell_schema_use_size(r) > CELL_MAX_TYPE_SIZE)
        return cell_json_fail(at, key, c->e, "the size of %llu bytes is more than %u",
                              (unsigned long long)cell_schema_use_size(r), CELL_MAX_TYPE_SIZE);
    return CELL_OK;
}

/* Exactly the number's shortest decimal form, within the range of its type. */
static bool is_decimal(const char *text, enum cell_kind kind, bool *fits)
{
    bool negative = text && text[0] == '-', is_signed = (kind - CELL_KIND_I8) % 2 == 0;
    const char *digits = text ? text + negative : "";
    size_t n = strspn(digits, "0123456789");
    unsigned bits = 8u << (kind - CELL_KIND_I8) / 2;
    if (n == 0 || digits[n] || (digits[0] == '0' && (n > 1 || negative)))
        return false;
    uint64_t limit = is_signed ? (UINT64_C(1) << (bits - 1)) - !negative : UINT64_MAX >> (64 - bits);
    errno = 0;
    unsigned long long value = strtoull(digits, NULL, 10);
    *fits = errno == 0 && value <= limit && !(negative && !is_signed);
    return true;
}

_Static_assert(CELL_KIND_I8 % 2 == 0 && CELL_KIND_U64 == CELL_KIND_I8 + 7, "signed and unsigned kinds take turns");

static int check_value(const struct checker *c, const struct json_at *at, const char *text, enum cell_kind kind)
{
    char quoted[CELL_QUOTE_SIZE];
    bool fits = false;
    cell_json_quote(text ? text : "", quoted, sizeof(quoted));
    if (!is_decimal(text, kind, &fits))
        return cell_json_fail(at, "value", c->e, "'%s' is not a decimal integer", quoted);
    if (!fits)
        return cell_json_fail(at, "value", c->e, "'%s' does not fit '%s'", quoted, cell_kind_name(kind));
    return CELL_OK;
}

/* What fields and parameters have in common. */
static int check_field(const struct checker *c, const struct json_at *at, const struct schema_field *f, uint32_t known)
{
    int r = cell_check_name(at, "name", f->name, NAME_C, c->e);
    if (r == CELL_OK)
        r = check_use(c, at, "type", &f->type, known);
    if (r == CELL_OK)
        r = cell_check_doc(at, f->doc, c->e);
    return r == CELL_OK ? cell_check_field_rules(c->s, at, f, c->scratch, c->steps, c->e) : r;
}

/* What something was called before: never declared from here, so that any identifier will do. */
static int check_former(const struct checker *c, const struct json_at *at, const char *name)
{
    return name ? cell_check_name(at, "renamed_from", name, NAME_WORD, c->e) : CELL_OK;
}

static int check_struct_field(const struct checker *c, const struct json_at *at, const struct schema_field *f,
                              uint32_t known)
{
    int r = check_field(c, at, f, known);
    if (r == CELL_OK)
        r = check_former(c, at, f->renamed_from);
    return r == CELL_OK ? cell_check_text(at, "since", f->since, false, c->e) : r;
}

static int check_layout(const struct checker *c, const struct json_at *at, const char *key, uint32_t stated,
                        uint64_t computed)
{
    if (stated == computed)
        return CELL_OK;
    return cell_json_fail(at, key, c->e, "the %s is %u, but the layout gives %llu", key, stated,
                          (unsigned long long)computed);
}

/* Size and alignment of the whole; too large before different, so that the reason is the true one. */
static int check_size(const struct checker *c, const struct json_at *at, const struct schema_type *t, uint64_t size,
                      uint32_t align)
{
    if (size > CELL_MAX_TYPE_SIZE)
        return cell_json_fail(at, "size", c->e, "the size of %llu bytes is more than %u", (unsigned long long)size,
                              CELL_MAX_TYPE_SIZE);
    int r = check_layout(c, at, "align", t->align, align);
    return r == CELL_OK ? check_layout(c, at, "size", t->size, size) : r;
}

static int check_struct(const struct checker *c, const struct json_at *at, uint32_t index)
{
    const struct schema_type *t = &c->s->types[index];
    const struct json_at fields = member(at, "fields");
    uint64_t end = 0;
    uint32_t most = 1;
    unsigned depth = 0;
    if (t->nfields == 0)
        return cell_json_fail(&fields, NULL, c->e, "a struct has at least one field");
    for (uint32_t i = 0; i < t->nfields; i++) {
        const struct json_at field = element(&fields, i);
        const struct schema_field *f = &t->fields[i];
        uint32_t size, align;
        int r = check_struct_field(c, &field, f, index);
        if (r < 0)
            return r;
        cell_schema_ref_layout(&f->type, &size, &align);
        end = (end + align - 1) / align * align;
        if ((r = check_layout(c, &field, "offset", f->offset, end)) < 0)
            return r;
        end += size;
        most = align > most ? align : most;
        depth = use_depth(c, &f->type) > depth ? use_depth(c, &f->type) : depth;
    }
    if (depth + 1 > CELL_MAX_DEPTH)
        return cell_json_fail(at, NULL, c->e, "'%s' nests deeper than %u", t->name, CELL_MAX_DEPTH);
    c->depths[index] = (uint8_t)depth;
    int r = cell_check_unique(&fields, t->fields, t->nfields, sizeof(*t->fields), c->e);
    return r == CELL_OK ? check_size(c, at, t, (end + most - 1) / most * most, most) : r;
}

static int check_enum(const struct checker *c, const struct json_at *at, const struct schema_type *t)
{
    const struct json_at values = member(at, "values");
    uint32_t size, align;
    if (t->elem.named || t->elem.count || !cell_kind_is_integer(t->elem.kind))
        return cell_json_fail(at, "type", c->e, "below an enum is an integer type");
    if (t->nvalues == 0)
        return cell_json_fail(&values, NULL, c->e, "an enum has at least one value");
    for (uint32_t i = 0; i < t->nvalues; i++) {
        const struct json_at value = element(&values, i);
        int r = cell_check_name(&value, "name", t->values[i].name, NAME_C, c->e);
        if (r == CELL_OK)
            r = check_value(c, &value, t->values[i].text, t->elem.kind);
        if (r == CELL_OK)
            r = check_former(c, &value, t->values[i].renamed_from);
        if (r == CELL_OK)
            r = cell_check_doc(&value, t->values[i].doc, c->e);
        if (r < 0)
            return r;
    }
    cell_schema_ref_layout(&t->elem, &size, &align);
    return check_size(c, at, t, size, align);
}

/* Lists and optionals of what is neither. */
static int check_wrapper(const struct checker *c, const struct json_at *at, uint32_t index)
{
    const struct schema_type *t = &c->s->types[index];
    uint32_t size, align;
    int r = check_use(c, at, "of", &t->elem, index);
    if (r < 0)
        return r;
    if (t->elem.count || t->elem.kind == CELL_KIND_LIST || t->elem.kind == CELL_KIND_OPT)
        return cell_json_fail(at, "of", c->e, "a list or an optional cannot be of an array, a list or an optional");
    unsigned depth = inner_depth(c, &t->elem) + 1;
    if (depth > CELL_MAX_DEPTH)
        return cell_json_fail(at, NULL, c->e, "'%s' nests deeper than %u", t->name, CELL_MAX_DEPTH);
    c->depths[index] = (uint8_t)depth;
    if (t->kind == CELL_KIND_LIST)
        return check_size(c, at, t, sizeof(struct cell_ref), _Alignof(struct cell_ref));
    cell_schema_ref_layout(&t->elem, &size, &align);
    return check_size(c, at, t, (uint64_t)align + size, align);
}

static int check_types(const struct checker *c, const struct json_at *root)
{
    const struct json_at types = member(root, "types"), declaration = member(root, "declaration");
    const struct json_at used = member(&declaration, "types");
    uint32_t declared = cell_declared_count(c->s);
    for (uint32_t i = 0; i < c->s->ntypes; i++) {
        const struct schema_type *t = &c->s->types[i];
        const struct json_at at = i < declared ? element(&used, i) : element(&types, i - declared);
        int r = cell_check_name(&at, "name", t->name, NAME_C, c->e);
        if (r == CELL_OK)
            r = cell_check_doc(&at, t->doc, c->e);
        if (r < 0)
            return r;
        if (t->kind == CELL_KIND_STRUCT)
            r = check_struct(c, &at, i);
        else if (t->kind == CELL_KIND_ENUM)
            r = check_enum(c, &at, t);
        else if (t->kind == CELL_KIND_LIST || t->kind == CELL_KIND_OPT)
            r = check_wrapper(c, &at, i);
        else
            r = cell_json_fail(&at, "kind", c->e, "unknown kind of type");
        if (r < 0)
            return r;
    }
    return CELL_OK;
}

/* The records of a stream travel as the elements of a list do. */
static int check_stream(const struct checker *c, const struct json_at *at, const struct schema_field *p)
{
    if (p->inout)
        return cell_json_fail(at, "dir", c->e, "a stream has one direction");
    if (p->by_pointer)
        return cell_json_fail(at, "pointer", c->e, "a stream is not passed by pointer");
    if (p->type.count || p->type.kind == CELL_KIND_LIST || p->type.kind == CELL_KIND_OPT)
        return cell_json_fail(at, "type", c->e, "a stream cannot be of an array, a list or an optional");
    if (inner_depth(c, &p->type) + 1 > CELL_MAX_DEPTH)
        return cell_json_fail(at, NULL, c->e, "'%s' nests deeper than %u", p->name, CELL_MAX_DEPTH);
    return CELL_OK;
}

static int check_param(const struct checker *c, const struct json_at *at, const struct schema_field *p)
{
    char text[256];
    bool by_reference = p->type.count || p->type.kind >= CELL_KIND_STR;
    int r = check_field(c, at, p, c->s->ntypes);
    if (r < 0)
        return r;
    if (p->stream)
        return check_stream(c, at, p);
    if (p->type.kind == CELL_KIND_ENUM && !p->type.count)
        by_reference = false;
    cell_schema_ref_format(&p->type, text, sizeof(text));
    if (p->by_pointer && !by_reference)
        return cell_json_fail(at, "type", c->e, "no %s parameter can point to '%s'", p->out ? "out" : "in", text);
    if (p->out && !p->by_pointer)
        return cell_json_fail(at, "pointer", c->e, "an out parameter is a pointer");
    if (p->type.count && !p->by_pointer)
        return cell_json_fail(at, "pointer", c->e, "an array is passed by pointer");
    unsigned depth = p->by_pointer ? inner_depth(c, &p->type) + 1 : use_depth(c, &p->type);
    if (depth > CELL_MAX_DEPTH)
        return cell_json_fail(at, NULL, c->e, "'%s' nests deeper than %u", p->name, CELL_MAX_DEPTH);
    return CELL_OK;
}

/* What goes in and comes out again is one struct of the caller's. */
static int check_inout(const struct checker *c, const struct json_at *at, const struct schema_method *m,
                       const struct schema_field *p)
{
    if (!m->binding)
        return cell_json_fail(at, "dir", c->e, "only a method with a binding has \"inout\" parameters");
    if (p->type.count || p->type.kind != CELL_KIND_STRUCT)
        return cell_json_fail(at, "type", c->e, "an inout parameter points to one struct");
    return CELL_OK;
}

static int check_binding(const struct checker *c, const struct json_at *at, const char *binding)
{
    size_t len = binding ? strlen(binding) : 0;
    if (!binding)
        return CELL_OK;
    if (c->origin == SCHEMA_OF_CELL)
        return cell_json_fail(at, "binding", c->e, "a cell's own method has no binding");
    if (len == 0 || len > CELL_MAX_BINDING)
        return cell_json_fail(at, "binding", c->e, "a binding has 1 to %u bytes, not %zu", CELL_MAX_BINDING, len);
    if (!cell_utf8_valid(binding, len))
        return cell_json_fail(at, "binding", c->e, "it is not UTF-8");
    return CELL_OK;
}

static int check_method(const struct checker *c, const struct json_at *at, const struct schema_method *m)
{
    const struct json_at params = member(at, "params");
    int r = cell_check_name(at, "name", m->name, NAME_FUNCTION, c->e);
    if (r == CELL_OK)
        r = check_former(c, at, m->renamed_from);
    if (r == CELL_OK)
        r = cell_check_doc(at, m->doc, c->e);
    if (r == CELL_OK)
        r = check_binding(c, at, m->binding);
    if (r == CELL_OK && m->nparams > CELL_MAX_PARAMS)
        r = cell_json_fail(&params, NULL, c->e, "%u parameters, %u is the limit", m->nparams, CELL_MAX_PARAMS);
    for (uint32_t i = 0; r == CELL_OK && i < m->nparams; i++) {
        const struct json_at param = element(&params, i);
        r = check_param(c, &param, &m->params[i]);
        if (r == CELL_OK && m->params[i].inout)
            r = check_inout(c, &param, m, &m->params[i]);
        if (r == CELL_OK && m->params[i].stream && cell_schema_stream(m) != &m->params[i])
            r = cell_json_fail(&param, "stream", c->e, "a method has one stream");
    }
    if (r == CELL_OK)
        r = cell_check_unique(&params, m->params, m->nparams, sizeof(*m->params), c->e);
    if (r == CELL_OK && m->in_size > CELL_MAX_TYPE_SIZE)
        r = cell_json_fail(&params, NULL, c->e, "the size of the request, %u bytes, is more than %u", m->in_size,
                           CELL_MAX_TYPE_SIZE);
    return r;
}

/* Strictly ascending by name, in byte order. */
static int check_order(const struct checker *c, const struct json_at *list, uint32_t i, const char *before,
                       const char *name)
{
    const struct json_at at = element(list, i);
    int order = i ? strcmp(before, name) : -1;
    if (order == 0)
        return cell_json_fail(&at, "name", c->e, "'%s' is there twice", name);
    return order < 0
               ? CELL_OK
               : cell_json_fail(&at, "name", c->e, "'%s' after '%s': %s are sorted by name", name, before, list->key);
}

static int check_methods(const struct checker *c, const struct json_at *root)
{
    const struct json_at methods = member(root, "methods");
    int r = CELL_OK;
    for (uint32_t i = 0; r == CELL_OK && i < c->s->nmethods; i++) {
        const struct json_at at = element(&methods, i);
        r = check_method(c, &at, &c->s->methods[i]);
        if (r == CELL_OK && i)
            r = check_order(c, &methods, i, c->s->methods[i - 1].name, c->s->methods[i].name);
    }
    return r;
}

static int check_constants(const struct checker *c, const struct json_at *root)
{
    const struct json_at constants = member(root, "constants");
    int r = CELL_OK;
    for (uint32_t i = 0; r == CELL_OK && i < c->s->nconstants; i++) {
        const struct schema_constant *k = &c->s->constants[i];
        const struct json_at at = element(&constants, i);
        r = cell_check_name(&at, "name", k->name, NAME_C, c->e);
        if (r == CELL_OK && !cell_kind_is_integer(k->kind))
            r = cell_json_fail(&at, "type", c->e, "a constant is of an integer type");
        if (r == CELL_OK)
            r = check_value(c, &at, k->text, k->kind);
        if (r == CELL_OK)
            r = check_former(c, &at, k->renamed_from);
        if (r == CELL_OK)
            r = cell_check_doc(&at, k->doc, c->e);
        if (r == CELL_OK && i)
            r = check_order(c, &constants, i, c->s->constants[i - 1].name, k->name);
    }
    return r;
}

/* What is sent for an argument that is left out must be what a program could have written. */
static int check_default(const struct checker *c, const struct json_at *at, const struct schema_verb_arg *arg)
{
    char quoted[CELL_QUOTE_SIZE];
    bool is_name = strcmp(arg->type, "name") == 0, fits = false;
    if (arg->required)
        return cell_json_fail(at, "default", c->e, "a required argument has no default");
    if (strcmp(arg->type, "file") == 0)
        return cell_json_fail(at, "default", c->e, "a file has no default: it would belong to no source");
    if (strcmp(arg->type, "string") == 0 || strcmp(arg->type, "condition") == 0)
        return cell_check_text(at, "default", arg->value, false, c->e);
    if (is_name ? cell_is_identifier(arg->value)
                : (is_decimal(arg->value, CELL_KIND_I64, &fits) && fits) ||
                      (is_decimal(arg->value, CELL_KIND_U64, &fits) && fits))
        return CELL_OK;
    cell_json_quote(arg->value, quoted, sizeof(quoted));
    return cell_json_fail(at, "default", c->e, "'%s' is not %s", quoted,
                          is_name ? "an identifier" : "a decimal integer of 64 bits");
}

static bool is_argument_type(const char *type)
{
    static const char *const types[] = {"string", "integer", "name", "file", "condition"};
    for (size_t i = 0; type && i < sizeof(types) / sizeof(types[0]); i++)
        if (strcmp(type, types[i]) == 0)
            return true;
    return false;
}

static int check_verb_args(const struct checker *c, const struct json_at *verb, const struct schema_verb *v)
{
    const struct json_at args = member(verb, "args");
    int r = CELL_OK;
    for (uint32_t i = 0; r == CELL_OK && i < v->nargs; i++) {
        const struct schema_verb_arg *arg = &v->args[i];
        const struct json_at at = element(&args, i);
        r = cell_check_name(&at, "name", arg->name, NAME_WORD, c->e);
        if (r == CELL_OK && !is_argument_type(arg->type))
            r = cell_json_fail(
                &at, "type", c->e,
                "an argument is a \"string\", an \"integer\", a \"name\", a \"file\" or a \"condition\"");
        if (r == CELL_OK && i && arg->required && !v->args[i - 1].required)
            r = cell_json_fail(&at, "required", c->e, "required arguments come first");
        if (r == CELL_OK && arg->value)
            r = check_default(c, &at, arg);
    }
    return r == CELL_OK ? cell_check_unique(&args, v->args, v->nargs, sizeof(*v->args), c->e) : r;
}

static int check_verb_rules(const struct checker *c, const struct json_at *verb, const char *key,
                            const char *const *names, uint32_t n)
{
    const struct json_at rules = member(verb, key);
    int r = CELL_OK;
    for (uint32_t i = 0; r == CELL_OK && i < n; i++) {
        const struct json_at rule = element(&rules, i);
        r = cell_check_name(&rule, NULL, names[i], NAME_WORD, c->e);
    }
    return r;
}

static int check_verbs(const struct checker *c, const struct json_at *root)
{
    const struct json_at verbs = member(root, "verbs");
    int r = CELL_OK;
    for (uint32_t i = 0; r == CELL_OK && i < c->s->nverbs; i++) {
        const struct schema_verb *v = &c->s->verbs[i];
        const struct json_at at = element(&verbs, i);
        r = cell_check_name(&at, "name", v->name, NAME_WORD, c->e);
        if (r == CELL_OK)
            r = cell_check_doc(&at, v->doc, c->e);
        if (r == CELL_OK && !v->on_struct && !v->on_enum && !v->on_function && !v->on_variable)
            r = cell_json_fail(&at, "on", c->e, "the verb stands on nothing");
        if (r == CELL_OK)
            r = check_verb_args(c, &at, v);
        if (r == CELL_OK)
            r = check_verb_rules(c, &at, "field_rules", v->field_rules, v->nfield_rules);
        if (r == CELL_OK)
            r = check_verb_rules(c, &at, "rules", v->rules, v->nrules);
        if (r == CELL_OK && i)
            r = check_order(c, &verbs, i, c->s->verbs[i - 1].name, v->name);
    }
    return r;
}

static int check_cell(const struct checker *c, const struct json_at *root)
{
    int r = cell_check_name(root, "cell", c->s->cell, NAME_C, c->e);
    if (r == CELL_OK && strlen(c->s->cell) > CELL_MAX_CELL_NAME)
        r = cell_json_fail(root, "cell", c->e, "the name is longer than %u bytes", CELL_MAX_CELL_NAME);
    return r == CELL_OK ? cell_check_doc(root, c->s->doc, c->e) : r;
}

int cell_schema_check(const struct cell_schema *s, enum schema_origin origin, int status, struct cell_error *e)
{
    const struct json_at root = {.status = status};
    struct cell_arena scratch = {0};
    uint64_t steps = CELL_PATTERN_BUDGET;
    const struct checker c = {s, origin, e, &scratch, &steps, calloc((size_t)s->ntypes + 1, 1)};
    if (!c.depths)
        return cell_error_set(e, CELL_NO_MEMORY, "schema: out of memory");
    int r = origin == SCHEMA_OF_EXPANSION ? CELL_OK : check_cell(&c, &root);
    if (r == CELL_OK)
        r = check_types(&c, &root);
    if (r == CELL_OK)
        r = check_constants(&c, &root);
    if (r == CELL_OK)
        r = check_methods(&c, &root);
    if (r == CELL_OK)
        r = cell_capabilities_check(s, &root, e);
    if (r == CELL_OK)
        r = check_verbs(&c, &root);
    if (r == CELL_OK)
        r = cell_check_scope(&root, s, e);
    free(c.depths);
    cell_arena_free(&scratch);
    return r;
}
