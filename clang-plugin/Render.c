/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "Render.h"

#include <stdlib.h>
#include <string.h>

#include "RenderText.h"
#include "core/ast.h"
#include "core/rule.h"

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
void render_number(struct render *r, const char *name, const char *text)
{
    render_put(r, "enum ");
    if (!render_fits_int(text))
        render_printf(r, "%s%s%s%s ", r->plain ? "CELL_ENUM_BASE(" : ": ", r->scope,
                      render_fits_i64(text) ? "int64_t" : "uint64_t", r->plain ? ")" : "");
    render_printf(r, "{ %s = ", name);
    render_integer(r, text);
    render_put(r, " };\n");
}

static void render_constant(struct render *r, const struct schema_constant *k)
{
    render_named_doc(r, "", k->doc, k->renamed_from);
    render_number(r, k->name, k->text);
}

static bool names_param(const struct schema_method *m, const char *name)
{
    for (uint32_t i = 0; i < m->nparams; i++)
        if (strcmp(m->params[i].name, name) == 0)
            return true;
    return false;
}

/* No parameter begins with "cellgen_". */
const char *render_local_name(const struct schema_method *m, const char *shorter, const char *longer)
{
    return names_param(m, shorter) ? longer : shorter;
}

void render_param_doc(struct render *r, const struct schema_field *p)
{
    struct cell_buffer lead = {0};
    cell_buffer_printf(&lead, "\\param%s %s", p->inout ? "[in,out]" : p->out ? "[out]" : "", p->name);
    if (cell_buffer_ok(&lead))
        render_field_doc(r, "", lead.data, p);
    else
        r->out->failed = true;
    cell_buffer_free(&lead);
}

static void render_method_doc(struct render *r, const struct schema_method *m, const char *context)
{
    render_named_doc(r, "", m->doc, m->renamed_from);
    if (m->idempotent)
        render_doc(r, "", NULL, "Idempotent: it may be retried.");
    render_printf(r, "/// \\param %s the call's context\n", context);
    for (uint32_t i = 0; i < m->nparams; i++)
        render_param_doc(r, &m->params[i]);
    render_put(r, "/// \\returns the method's result, 0 or more; or a negative enum cell_status\n");
}

void render_request(struct render *r, const struct schema_method *m, const char *in)
{
    const char *separator = "";
    render_put(r, "    const struct { ");
    render_request_members(r, m);
    render_printf(r, "} %s = {", in);
    for (uint32_t i = 0; i < m->nparams; i++) {
        const struct schema_field *p = &m->params[i];
        if (!cell_param_goes_in(p))
            continue;
        if (p->by_pointer)
            render_printf(r, "%s{%s, %u}", separator, p->name, p->type.count ? p->type.count : 1);
        else
            render_printf(r, "%s%s", separator, p->name);
        separator = ", ";
    }
    render_put(r, "};\n");
}

void render_outs(struct render *r, const struct schema_method *m, const char *outs)
{
    const char *separator = "";
    render_printf(r, "    void *const %s[] = {", outs);
    for (uint32_t i = 0; i < m->nparams; i++)
        if (cell_param_comes_out(&m->params[i])) {
            render_printf(r, "%s%s", separator, m->params[i].name);
            separator = ", ";
        }
    render_put(r, "};\n");
}

/* The prototype's rest and the body: what the arguments are encoded to, and the call. */
static void render_client_function(struct render *r, const struct schema_method *m, uint32_t id, const char *name,
                                   const char *call)
{
    const char *context = render_local_name(m, "c", "cellgen_c"), *in = render_local_name(m, "in", "cellgen_in");
    const char *outs = render_local_name(m, "outs", "cellgen_outs");
    uint32_t nin = render_count_in(m), nout = render_count_out(m);

    render_printf(r, "static inline int %s(%scell_ctx *%s", name, r->scope, context);
    for (uint32_t i = 0; i < m->nparams; i++) {
        render_put(r, ", ");
        render_param(r, &m->params[i]);
    }
    render_put(r, ")");
    render_refusals(r, m);
    render_put(r, "\n{\n");
    if (nin)
        render_request(r, m, in);
    if (nout)
        render_outs(r, m, outs);
    render_printf(r, "    return %s%s(%s, &cellgen_%s_service, %u, %s%s, %s);\n}\n", r->scope, call, context, r->unit,
                  id, nin ? "&" : "", nin ? in : "0", nout ? outs : "0");
}

/* The forms that copy neither request nor reply. */
static void render_client_in_place(struct render *r, const struct cell_schema *s, const struct schema_method *m,
                                   uint32_t id)
{
    struct render_in_place names;
    if (!render_in_place_names(s, m, &names))
        return;
    render_printf(r, "/// Lends memory for large values of a request, not initialised, until %s or %s.\n", names.send,
                  names.release);
    render_printf(r, "/// \\returns `bytes` bytes; or NULL, and `c` has the reason\n");
    render_printf(r, "static inline void *%s(%scell_ctx *c, %ssize_t bytes)\n{\n", names.begin, r->scope, r->scope);
    render_printf(r, "    return %scell_begin(c, &cellgen_%s_service, %u, bytes);\n}\n", r->scope, r->unit, id);
    render_printf(r, "/// As %s, but what lies in memory of %s is not copied, and large values of the reply are\n",
                  m->name, names.begin);
    render_printf(r, "/// read where they arrived: valid until %s, no NUL after text, and the cell can change them.\n",
                  names.release);
    render_put(r, "/// \\returns the method's result, 0 or more; or a negative enum cell_status\n");
    render_client_function(r, m, id, names.send, "cell_send");
    render_printf(r, "/// Gives back the reply of %s, and memory of %s that was not sent.\n", names.send, names.begin);
    render_printf(r, "static inline void %s(%scell_ctx *c) { %scell_release(c); }\n", names.release, r->scope,
                  r->scope);
}

/* Calls method `id`: `m` itself, or its fallback. */
static void render_callable(struct render *r, const struct cell_schema *s, const struct schema_method *m, uint32_t id)
{
    char async[RENDER_FORM_NAME];
    if (cell_schema_stream(m)) {
        render_client_stream(r, m, id);
        return;
    }
    render_method_doc(r, m, render_local_name(m, "c", "cellgen_c"));
    render_client_function(r, m, id, m->name, "cell_call");
    if (render_async_name(s, m, async)) {
        render_printf(r, "/// As %s, without waiting for the reply.\n", m->name);
        render_put(r, "/// \\returns a ticket for cell_wait, 0 or more; or a negative enum cell_status\n");
        render_client_function(r, m, id, async, "cell_call_async");
    }
    render_client_in_place(r, s, m, id);
}

static void render_client_method(struct render *r, const struct cell_schema *s, const struct schema_method *m)
{
    const struct schema_method *served = cell_schema_served(s, m);
    render_needs(r, s, m);
    /* One that the cell cannot serve in any way may stand where the program does not come to: it is what it was. */
    render_callable(r, s, m, (uint32_t)((served ? served : m) - s->methods));
}

static void render_service(struct render *r, const struct cell_schema *s)
{
    for (uint32_t i = 0; i < s->nmethods; i++)
        render_binding(r, &s->methods[i]);
    for (uint32_t i = 0; i < s->nmethods; i++)
        render_params_descriptor(r, &s->methods[i]);
    render_printf(r, "static const struct %scell_method cellgen_%s_methods[] = {\n", r->scope, r->unit);
    for (uint32_t i = 0; i < s->nmethods; i++) {
        render_put(r, "    ");
        render_method_initializer(r, &s->methods[i], NULL);
        render_put(r, ",\n");
    }
    render_printf(r, "};\nstatic struct %scell_client *cellgen_%s_slot;\n", r->scope, r->unit);
    /* What it has used of them is known at the end of the unit, which then changes this. */
    if (s->ncapabilities)
        render_printf(r, "static const char *const cellgen_%s_capabilities = 0;\n", r->unit);
    render_printf(r, "static const struct %scell_service cellgen_%s_service = {%u, %u, ", r->scope, r->unit,
                  CELL_DESC_ABI, s->nmethods);
    render_printf(r, "\"%s\", cellgen_%s_fingerprint, cellgen_%s_methods, &cellgen_%s_slot, ", s->cell, r->unit,
                  r->unit, r->unit);
    if (s->ncapabilities)
        render_printf(r, "&cellgen_%s_capabilities};\n", r->unit);
    else
        render_put(r, "0};\n");
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

static void render_no_check(struct render *r, const char *function, const struct schema_ref *value)
{
    (void)value;
    render_printf(r, "static int cellgen_%s__rule_check(const void *value) { return (void)value, 1; }\n", function);
}

static void render_check_before(struct render *r, const char *function, const struct schema_ref *value)
{
    (void)value;
    render_check(r, function);
}

/* Their own names have two underscores, so that those of types (cellgen_T_type) are no others'. A plain text is for any
 * compiler and its options: none is told where it changes floats, nor of the author's files, for nobody takes note of
 * where those end. */
static void render_functions(struct render *r, const struct cell_schema *s, const struct render_options *o)
{
    struct cell_buffer unit = {0};
    cell_buffer_printf(&unit, "_%s", r->unit);
    const struct ast_render_options options = {.cplusplus = o->cplusplus,
                                               .lines = !o->plain,
                                               .fences = o->fences || o->plain,
                                               .no_floats = o->no_floats,
                                               .unit = unit.data};
    if (o->plain)
        render_put(r, "#if !(__FINITE_MATH_ONLY__ + 0) && (defined(__clang__) || !defined(__FAST_MATH__))\n");
    if (!cell_buffer_ok(&unit) || cell_ast_render(o->functions, &options, r->out) < 0)
        r->out->failed = true;
    const bool checks = render_each_check(r, s, render_check_body) != 0;
    if (o->plain && checks) {
        render_put(r, "#else /* the server checks */\n");
        render_each_check(r, s, render_no_check);
    }
    if (o->plain)
        render_put(r, "#endif\n");
    cell_buffer_free(&unit);
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
    render_capabilities(&r, s);
    for (uint32_t i = 0; !o->unit && i < s->ncapabilities; i++)
        render_capability(&r, s, &s->capabilities[i]);
    if (render_each_check(&r, s, render_check_before) && o->functions)
        render_put(&r, "struct cellgen_rule_functions;\n"); /* for the plugin, which looks at constants */
    render_descriptors(&r, s);
    if (s->nmethods)
        render_service(&r, s);
    for (uint32_t i = 0; i < s->nmethods; i++)
        render_client_method(&r, s, &s->methods[i]);
    if (o->drift && o->baseline)
        render_removed(&r, s, o);
    if (o->functions && o->functions->nfunctions)
        render_functions(&r, s, o);
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

/* What rules of these fields name: all that a check needs is there, the function was named in the rule. */
static void render_needed_checks(struct needed *n, const struct schema_field *fields, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const char *function = fields[i].out && !fields[i].inout ? NULL : cell_rule_function_of(&fields[i]);
        struct cell_buffer name = {0};
        if (!function)
            continue;
        cell_buffer_printf(&name, "cellgen_%s__rule", function);
        if (!cell_buffer_ok(&name) || !(n->have && n->have(name.data, n->user))) {
            const struct schema_ref value = cell_rule_value_type(&fields[i].type);
            render_check(n->r, function);
            render_check_body(n->r, function, &value);
        }
        n->r->out->failed |= name.failed;
        cell_buffer_free(&name);
    }
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
    render_needed_checks(n, t->fields, t->nfields);
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
        if (p->stream) {
            render_printf(r, r->cpp ? ", ::%s{{::cell_ctx_stream(c)}}" : ", (struct %s){{cell_ctx_stream(c)}}",
                          p->handle);
            continue;
        }
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
    r.serves = true;
    if (s->cell)
        render_doc(&r, "", "Method of the cell:", s->cell);
    if (o->location)
        render_doc(&r, "", "Defined at:", o->location);
    for (uint32_t i = 0; i < m->nparams; i++)
        render_needed(&n, m->params[i].type.named);
    render_needed_checks(&n, m->params, m->nparams);
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
