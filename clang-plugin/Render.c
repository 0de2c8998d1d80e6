/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "Render.h"

#include <stdlib.h>
#include <string.h>

#include "RenderText.h"

static void render_head(struct render *r, const struct cell_schema *s, const struct render_options *o)
{
    render_doc(r, "", "Client of the cell:", s->cell);
    render_doc(r, "", "Schema:", s->fingerprint);
    if (o->location)
        render_doc(r, "", "Imported at:", o->location);
    render_doc(r, "", NULL, s->doc);
    render_printf(r, "static const char cellgen_%s_fingerprint[] = \"%s\";\n", r->unit, s->fingerprint);
}

/* Enumerators rather than objects: they are constant expressions in C too and leave nothing in the object file. */
static void render_constant(struct render *r, const struct schema_constant *k)
{
    render_doc(r, "", NULL, k->doc);
    render_put(r, "enum ");
    if (!render_fits_int(k->text))
        render_printf(r, "%s%s%s%s ", r->plain ? "CELL_ENUM_BASE(" : ": ", r->scope,
                      render_fits_i64(k->text) ? "int64_t" : "uint64_t", r->plain ? ")" : "");
    render_printf(r, "{ %s = ", k->name);
    render_integer(r, k->text);
    render_put(r, " };\n");
}

static bool names_param(const struct schema_method *m, const char *name)
{
    for (uint32_t i = 0; i < m->nparams; i++)
        if (strcmp(m->params[i].name, name) == 0)
            return true;
    return false;
}

/* The short name unless a parameter has it: no parameter begins with "cellgen_". */
static const char *local_name(const struct schema_method *m, const char *shorter, const char *longer)
{
    return names_param(m, shorter) ? longer : shorter;
}

static void render_method_doc(struct render *r, const struct schema_method *m, const char *context)
{
    render_doc(r, "", NULL, m->doc);
    if (m->idempotent)
        render_doc(r, "", NULL, "Idempotent: it may be retried.");
    render_printf(r, "/// \\param %s the call's context\n", context);
    for (uint32_t i = 0; i < m->nparams; i++) {
        struct cell_buffer lead = {0};
        cell_buffer_printf(&lead, "\\param%s %s", m->params[i].out ? "[out]" : "", m->params[i].name);
        if (cell_buffer_ok(&lead))
            render_field_doc(r, "", lead.data, &m->params[i]);
        else
            r->out->failed = true;
        cell_buffer_free(&lead);
    }
    render_put(r, "/// \\returns the method's result, 0 or more; or a negative enum cell_status\n");
}

/* `const struct { … } in = {…};` */
static void render_request(struct render *r, const struct schema_method *m, const char *in)
{
    const char *separator = "";
    render_put(r, "    const struct { ");
    render_request_members(r, m);
    render_printf(r, "} %s = {", in);
    for (uint32_t i = 0; i < m->nparams; i++) {
        const struct schema_field *p = &m->params[i];
        if (p->out)
            continue;
        if (p->by_pointer)
            render_printf(r, "%s{%s, %u}", separator, p->name, p->type.count ? p->type.count : 1);
        else
            render_printf(r, "%s%s", separator, p->name);
        separator = ", ";
    }
    render_put(r, "};\n");
}

/* The prototype's rest and the body: what the arguments are encoded to, and the call. */
static void render_client_function(struct render *r, const struct schema_method *m, uint32_t id, const char *name,
                                   const char *call)
{
    const char *context = local_name(m, "c", "cellgen_c"), *in = local_name(m, "in", "cellgen_in");
    const char *outs = local_name(m, "outs", "cellgen_outs"), *separator = "";
    uint32_t nin = render_count_in(m), nout = m->nparams - nin;

    render_printf(r, "static inline int %s(%scell_ctx *%s", name, r->scope, context);
    for (uint32_t i = 0; i < m->nparams; i++) {
        render_put(r, ", ");
        render_param(r, &m->params[i]);
    }
    render_put(r, ")\n{\n");
    if (nin)
        render_request(r, m, in);
    if (nout) {
        render_printf(r, "    void *const %s[] = {", outs);
        for (uint32_t i = 0; i < m->nparams; i++)
            if (m->params[i].out) {
                render_printf(r, "%s%s", separator, m->params[i].name);
                separator = ", ";
            }
        render_put(r, "};\n");
    }
    render_printf(r, "    return %s%s(%s, &cellgen_%s_service, %u, %s%s, %s);\n}\n", r->scope, call, context, r->unit,
                  id, nin ? "&" : "", nin ? in : "0", nout ? outs : "0");
}

static void render_client_method(struct render *r, const struct cell_schema *s, uint32_t id)
{
    const struct schema_method *m = &s->methods[id];
    char async[RENDER_ASYNC_NAME];

    render_method_doc(r, m, local_name(m, "c", "cellgen_c"));
    render_client_function(r, m, id, m->name, "cell_call");
    if (!render_async_name(s, m, async))
        return;
    render_printf(r, "/// As %s, without waiting for the reply.\n", m->name);
    render_put(r, "/// \\returns a ticket for cell_wait, 0 or more; or a negative enum cell_status\n");
    render_client_function(r, m, id, async, "cell_call_async");
}

static void render_service(struct render *r, const struct cell_schema *s)
{
    for (uint32_t i = 0; i < s->nmethods; i++)
        render_params_descriptor(r, &s->methods[i]);
    render_printf(r, "static const struct %scell_method cellgen_%s_methods[] = {\n", r->scope, r->unit);
    for (uint32_t i = 0; i < s->nmethods; i++) {
        render_put(r, "    ");
        render_method_initializer(r, &s->methods[i], NULL);
        render_put(r, ",\n");
    }
    render_printf(r, "};\nstatic struct %scell_client *cellgen_%s_slot;\n", r->scope, r->unit);
    render_printf(r, "static const struct %scell_service cellgen_%s_service = {%u, %u, ", r->scope, r->unit,
                  CELL_DESC_ABI, s->nmethods);
    render_printf(r, "\"%s\", cellgen_%s_fingerprint, cellgen_%s_methods, &cellgen_%s_slot};\n", s->cell, r->unit,
                  r->unit, r->unit);
}

static int render_finish(const struct cell_buffer *out, struct cell_error *e)
{
    return cell_buffer_ok(out) ? CELL_OK : cell_error_set(e, CELL_NO_MEMORY, "rendering: out of memory");
}

static void mark(const struct cell_schema *s, const struct schema_ref *use, bool *used)
{
    if (use->named)
        used[use->named - s->types] = true;
}

/* Of all types but those of the program that nothing here uses. Users stand behind what they use. */
static void render_descriptors(struct render *r, const struct cell_schema *s)
{
    bool *used = calloc((size_t)s->ntypes + 1, sizeof(*used));
    if (!used) {
        r->out->failed = true;
        return;
    }
    for (uint32_t i = 0; i < s->nmethods; i++)
        for (uint32_t k = 0; k < s->methods[i].nparams; k++)
            mark(s, &s->methods[i].params[k].type, used);
    for (uint32_t i = s->ntypes; i-- > 0;) {
        const struct schema_type *t = &s->types[i];
        if (!(used[i] |= !t->declared))
            continue;
        mark(s, &t->elem, used);
        for (uint32_t k = 0; k < t->nfields; k++)
            mark(s, &t->fields[k].type, used);
    }
    for (uint32_t i = 0; i < s->ntypes; i++)
        if (used[i])
            render_type_descriptor(r, &s->types[i]);
    free(used);
}

int cell_render_client(const struct cell_schema *s, const struct render_options *o, struct cell_buffer *out,
                       struct cell_error *e)
{
    struct render r = render_start(s->cell, o, out);
    render_head(&r, s, o);
    for (uint32_t i = 0; i < s->ntypes; i++)
        if (!s->types[i].declared)
            render_type(&r, &s->types[i]);
    for (uint32_t i = 0; i < s->nconstants; i++)
        render_constant(&r, &s->constants[i]);
    render_descriptors(&r, s);
    if (s->nmethods)
        render_service(&r, s);
    for (uint32_t i = 0; i < s->nmethods; i++)
        render_client_method(&r, s, i);
    if (o->drift && o->baseline)
        render_removed(&r, s, o);
    return render_finish(out, e);
}

/* The types that a method uses, each after those that it uses itself. */
struct needed {
    struct render *r;
    bool (*have)(const char *identifier, void *user);
    void *user;
    struct cell_buffer done; /* const struct schema_type *[] */
};

static bool is_done(struct needed *n, const struct schema_type *t)
{
    for (size_t at = 0; at < n->done.len; at += sizeof(t)) {
        const struct schema_type *other;
        memcpy(&other, n->done.data + at, sizeof(other));
        if (other == t)
            return true;
    }
    return false;
}

static bool has_descriptor(struct needed *n, const struct schema_type *t)
{
    struct cell_buffer name = {0};
    cell_buffer_printf(&name, "cellgen_%s_type", t->name);
    bool has = cell_buffer_ok(&name) && n->have && n->have(name.data, n->user);
    cell_buffer_free(&name);
    return has;
}

static void render_needed(struct needed *n, const struct schema_type *t)
{
    if (!t || is_done(n, t))
        return;
    cell_buffer_append(&n->done, &t, sizeof(t));
    if (has_descriptor(n, t))
        return;
    render_needed(n, t->elem.named);
    for (uint32_t i = 0; i < t->nfields; i++)
        render_needed(n, t->fields[i].type.named);
    render_type_descriptor(n->r, t);
}

static void render_thunk(struct render *r, const struct schema_method *m)
{
    uint32_t nin = render_count_in(m), slot = 0;
    if (nin) {
        render_printf(r, "struct cellgen_%s_in { ", m->name);
        render_request_members(r, m);
        render_put(r, "};\n");
    }
    render_printf(r, "static int cellgen_invoke_%s(%scell_ctx *c, const void *in, void *const *out)\n{\n", m->name,
                  r->scope);
    if (nin)
        render_printf(r, "    const struct cellgen_%s_in *args = (const struct cellgen_%s_in *)in;\n", m->name,
                      m->name);
    render_printf(r, "    return %s%s(c", r->scope, m->name);
    for (uint32_t i = 0; i < m->nparams; i++) {
        const struct schema_field *p = &m->params[i];
        if (!p->by_pointer) {
            render_printf(r, ", args->%s", p->name);
            continue;
        }
        render_put(r, p->out ? ", (" : ", (const ");
        render_use(r, &p->type);
        if (p->out)
            render_printf(r, " *)out[%u]", slot++);
        else
            render_printf(r, " *)args->%s.ptr", p->name);
    }
    render_put(r, ");\n}\n");
}

int cell_render_method(const struct cell_schema *s, const struct schema_method *m, const struct render_options *o,
                       bool (*have)(const char *identifier, void *user), void *user, struct cell_buffer *out,
                       struct cell_error *e)
{
    struct render r = render_start(s->cell, o, out);
    struct needed n = {&r, have, user, {0}};
    if (s->cell)
        render_doc(&r, "", "Method of the cell:", s->cell);
    if (o->location)
        render_doc(&r, "", "Defined at:", o->location);
    for (uint32_t i = 0; i < m->nparams; i++)
        render_needed(&n, m->params[i].type.named);
    out->failed |= n.done.failed;
    cell_buffer_free(&n.done);

    render_params_descriptor(&r, m);
    render_thunk(&r, m);
    render_printf(&r, "static const struct %scell_method cellgen_method_%s = ", r.scope, m->name);
    render_method_initializer(&r, m, "cellgen_invoke_");
    /* `retain`: linkers that collect sections would drop them, start and stop symbols or not. */
    render_printf(&r, ";\nstatic const struct %scell_method *const cellgen_entry_%s\n", r.scope, m->name);
    render_printf(&r, "    __attribute__((used, retain, section(\"cell_methods\"))) = &cellgen_method_%s;\n", m->name);
    return render_finish(out, e);
}

int cell_render_provide(const char *cell, const struct render_options *o, struct cell_buffer *out, struct cell_error *e)
{
    struct render r = render_start(cell, o, out);
    static const char *const bounds[] = {"start", "stop"};
    render_doc(&r, "", "This program is the cell:", cell);
    if (o->location)
        render_doc(&r, "", "Provided at:", o->location);
    if (r.cpp)
        render_put(&r, "extern \"C\" {\n");
    /* Weak: a cell without methods has no such section. */
    for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++)
        render_printf(&r, "extern const struct %scell_method *const __%s_cell_methods[] %s;\n", r.scope, bounds[i],
                      "__attribute__((weak, visibility(\"hidden\")))");
    render_put(&r, "extern const char cell_provided_schema[] __attribute__((visibility(\"hidden\")));\n");
    render_printf(&r, "extern const struct %scell_provided cell_provided __attribute__((visibility(\"hidden\")));\n",
                  r.scope);
    render_printf(&r, "const struct %scell_provided cell_provided = {\n    %u, 0, \"%s\", cell_provided_schema, ",
                  r.scope, CELL_DESC_ABI, cell);
    render_put(&r, "__start_cell_methods, __stop_cell_methods};\n");
    if (r.cpp)
        render_put(&r, "}\n");
    return render_finish(out, e);
}
