/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Types and their descriptors. */
#include <stdlib.h>

#include "RenderText.h"

#define BINDING_LINE 100u /* bytes of a binding on a line */

/* What C chooses for an enum without a fixed type; anything else is written out. C++ always gets it: without a fixed
 * type a value that is no enumerator, which a newer peer may send, would be undefined behaviour. */
static bool has_natural_type(const struct render *r, const struct schema_type *t)
{
    bool negative = false;
    if (r->cpp || t->nvalues == 0)
        return false;
    for (uint32_t i = 0; i < t->nvalues; i++) {
        if (!render_fits_int(t->values[i].text))
            return false;
        negative |= t->values[i].text[0] == '-';
    }
    return t->elem.kind == (negative ? CELL_KIND_I32 : CELL_KIND_U32);
}

static void render_enum(struct render *r, const struct schema_type *t)
{
    render_printf(r, "enum %s ", t->name);
    if (!has_natural_type(r, t)) {
        render_put(r, r->plain ? "CELL_ENUM_BASE(" : ": ");
        render_builtin(r, t->elem.kind);
        render_put(r, r->plain ? ") " : " ");
    }
    render_put(r, "{\n");
    for (uint32_t i = 0; i < t->nvalues; i++) {
        render_named_doc(r, "    ", t->values[i].doc, t->values[i].renamed_from);
        render_printf(r, "    %s = ", t->values[i].name);
        render_integer(r, t->values[i].text);
        render_put(r, ",\n");
    }
    render_put(r, "};\n");
}

static void render_struct(struct render *r, const struct schema_type *t)
{
    render_printf(r, "struct %s {\n", t->name);
    for (uint32_t i = 0; i < t->nfields; i++) {
        render_field_doc(r, "    ", NULL, &t->fields[i]);
        render_put(r, "    ");
        render_member(r, &t->fields[i].type, t->fields[i].name);
        render_put(r, ";\n");
    }
    render_put(r, "};\n");
}

/* Lists and optionals: the annotation lets the plugin recognise them in the methods of a cell that passes them on. */
static void render_wrapper(struct render *r, const struct schema_type *t)
{
    bool list = t->kind == CELL_KIND_LIST;
    render_printf(r, "typedef struct __attribute__((annotate(\"cell.type:%s\"))) %s {\n    ", list ? "list" : "opt",
                  t->name);
    if (list) {
        render_put(r, "const ");
        render_use(r, &t->elem);
        render_printf(r, " *ptr;\n    %suint64_t len;\n", r->scope);
    } else {
        render_put(r, r->cpp ? "bool has;\n    " : "_Bool has;\n    ");
        render_use(r, &t->elem);
        render_put(r, " value;\n");
    }
    render_printf(r, "} %s;\n", t->name);
}

static void render_layout_assertion(struct render *r, const struct schema_type *t)
{
    const char *tag = t->kind == CELL_KIND_ENUM ? "enum" : "struct", *align = r->cpp ? "alignof" : "_Alignof";
    render_printf(r, "%s(sizeof(%s %s) == %u && %s(%s %s) == %u", r->cpp ? "static_assert" : "_Static_assert", tag,
                  t->name, t->size, align, tag, t->name, t->align);
    for (uint32_t i = 0; t->kind == CELL_KIND_STRUCT && i < t->nfields; i++)
        render_printf(r, " && __builtin_offsetof(struct %s, %s) == %u", t->name, t->fields[i].name,
                      t->fields[i].offset);
    render_printf(r, ", \"the layout of '%s' differs from the cell's\");\n", t->name);
}

void render_type(struct render *r, const struct schema_type *t)
{
    render_doc(r, "", NULL, t->doc);
    if (t->kind == CELL_KIND_ENUM)
        render_enum(r, t);
    else if (t->kind == CELL_KIND_STRUCT)
        render_struct(r, t);
    else
        render_wrapper(r, t);
    render_layout_assertion(r, t);
}

/* `goes_in`: its rules are to be checked. */
static void render_field_descriptor(struct render *r, const struct rule_owner *o, uint32_t index, uint32_t offset,
                                    unsigned flags, bool goes_in)
{
    const struct schema_field *f = &o->fields[index];
    bool ruled = goes_in && f->ruled;
    render_printf(r, "    {\"%s\", ", f->name);
    render_descriptor_name(r, &f->type);
    render_printf(r, ", %u, %u, %u, ", offset, f->type.count, flags | (ruled ? (unsigned)CELL_FIELD_RULED : 0u));
    if (ruled)
        render_rules_of(r, o, index);
    else
        render_put(r, "0");
    render_put(r, "},\n");
}

static void render_values_descriptor(struct render *r, const struct schema_type *t)
{
    render_printf(r, "static const struct %scell_field ", r->scope);
    render_described_name(r, t, "values");
    render_put(r, "[] = {\n");
    for (uint32_t i = 0; i < t->nvalues; i++) {
        const char *text = t->values[i].text;
        uint64_t value = *text == '-' ? (uint64_t)strtoll(text, NULL, 10) : strtoull(text, NULL, 10);
        render_printf(r, "    {\"%s\", 0, %uu, %uu, 0, 0},\n", t->values[i].name, (unsigned)value,
                      (unsigned)(value >> 32));
    }
    render_put(r, "};\n");
}

void render_type_descriptor(struct render *r, const struct schema_type *t)
{
    bool fields = t->kind == CELL_KIND_STRUCT;
    if (t->kind == CELL_KIND_ENUM)
        render_values_descriptor(r, t);
    if (fields) {
        const struct rule_owner o = {t, NULL, t->fields, t->nfields};
        render_rules(r, &o);
        render_printf(r, "static const struct %scell_field ", r->scope);
        render_described_name(r, t, "fields");
        render_put(r, "[] = {\n");
        for (uint32_t i = 0; i < t->nfields; i++)
            render_field_descriptor(r, &o, i, t->fields[i].offset, 0, true);
        render_put(r, "};\n");
    }
    render_printf(r, "static const struct %scell_type ", r->scope);
    render_described_name(r, t, "type");
    render_printf(r, " = {\"%s\", %u, %u, %u, ", t->name, (unsigned)t->kind, t->size, t->align);
    if (fields) {
        render_printf(r, "%u, ", t->nfields);
        render_described_name(r, t, "fields");
        render_put(r, ", 0};\n");
        return;
    }
    if (t->kind == CELL_KIND_ENUM) {
        render_printf(r, "%u, ", t->nvalues);
        render_described_name(r, t, "values");
        render_put(r, ", ");
    } else {
        render_put(r, "0, 0, ");
    }
    render_descriptor_name(r, &t->elem);
    render_put(r, "};\n");
}

uint32_t render_count_in(const struct schema_method *m)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < m->nparams; i++)
        n += cell_param_goes_in(&m->params[i]);
    return n;
}

uint32_t render_count_out(const struct schema_method *m)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < m->nparams; i++)
        n += cell_param_comes_out(&m->params[i]);
    return n;
}

/* One literal, in lines that can be read. Everything but printable ASCII is written in octal, so that the text looks
 * like what it is. A text of the size that a binding may have is more than C promises to take; system text, which this
 * is, may be so long without a warning. */
void render_binding(struct render *r, const struct schema_method *m)
{
    size_t line = 0;
    if (!m->binding)
        return;
    render_printf(r, "static const char cellgen_%s_binding[] = \"", m->name);
    for (const char *p = m->binding; *p; p++) {
        if (line++ == BINDING_LINE) {
            render_put(r, "\"\n    \"");
            line = 1;
        }
        render_literal_byte(r, (unsigned char)*p, true);
    }
    render_put(r, "\";\n");
}

void render_params_descriptor(struct render *r, const struct schema_method *m)
{
    if (m->nparams == 0)
        return;
    const struct rule_owner o = {NULL, m, m->params, m->nparams};
    render_rules(r, &o);
    render_printf(r, "static const struct %scell_field cellgen_%s_params[] = {\n", r->scope, m->name);
    for (uint32_t i = 0; i < m->nparams; i++)
        if (cell_param_goes_in(&m->params[i]))
            render_field_descriptor(r, &o, i, m->params[i].offset, m->params[i].by_pointer ? CELL_FIELD_REF : 0, true);
    uint32_t slot = 0;
    for (uint32_t i = 0; i < m->nparams; i++)
        if (cell_param_comes_out(&m->params[i]))
            render_field_descriptor(r, &o, i, (uint32_t)sizeof(struct cell_ref) * slot++,
                                    CELL_FIELD_REF | CELL_FIELD_OUT, false);
    for (uint32_t i = 0; i < m->nparams; i++)
        if (m->params[i].stream)
            render_field_descriptor(r, &o, i, 0, 0, !m->params[i].out);
    render_put(r, "};\n");
}

void render_method_initializer(struct render *r, const struct schema_method *m, const char *invoke)
{
    uint32_t nin = render_count_in(m), nout = render_count_out(m);
    const struct schema_field *stream = cell_schema_stream(m);
    unsigned flags = (m->idempotent ? CELL_METHOD_IDEMPOTENT : 0u) |
                     (stream && !stream->out ? CELL_METHOD_WRITES : 0u) | (m->whole ? CELL_METHOD_WHOLE : 0u);
    render_printf(r, "{\"%s\", ", m->name);
    if (nin)
        render_printf(r, "cellgen_%s_params, ", m->name);
    else
        render_put(r, "0, ");
    if (nout && nin)
        render_printf(r, "cellgen_%s_params + %u, ", m->name, nin);
    else if (nout)
        render_printf(r, "cellgen_%s_params, ", m->name);
    else
        render_put(r, "0, ");
    render_printf(r, "%u, %u, %u, %u, %s%s, ", nin, nout, m->in_size, flags, invoke ? invoke : "0",
                  invoke ? m->name : "");
    if (stream)
        render_printf(r, "cellgen_%s_params + %u, ", m->name, nin + nout);
    else
        render_put(r, "0, ");
    if (m->binding)
        render_printf(r, "cellgen_%s_binding}", m->name);
    else
        render_put(r, "0}");
}

void render_request_members(struct render *r, const struct schema_method *m)
{
    for (uint32_t i = 0; i < m->nparams; i++) {
        const struct schema_field *p = &m->params[i];
        if (!cell_param_goes_in(p))
            continue;
        if (p->by_pointer)
            render_printf(r, "struct %scell_ref %s", r->scope, p->name);
        else
            render_member(r, &p->type, p->name);
        render_put(r, "; ");
    }
}
