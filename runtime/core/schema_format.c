/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The model as canonical JSON: members are written in the order of their names, so nothing needs sorting here. */
#include <string.h>

#include "core/schema_impl.h"

struct writer {
    struct cell_buffer *out;
    bool docs;
};

static void put(struct writer *w, const char *text) { cell_buffer_puts(w->out, text); }

/* A comma unless this is the first of its container. */
static void separate(struct writer *w)
{
    char last = w->out->len ? w->out->data[w->out->len - 1] : '[';
    if (last != '{' && last != '[')
        cell_buffer_append(w->out, ",", 1);
}

static void put_key(struct writer *w, const char *key)
{
    separate(w);
    put(w, "\"");
    put(w, key);
    put(w, "\":");
}

static void put_text(struct writer *w, const char *key, const char *text)
{
    if (!text)
        return;
    put_key(w, key);
    cell_json_put_string(w->out, text);
}

static void put_doc(struct writer *w, const char *doc)
{
    if (w->docs)
        put_text(w, "doc", doc);
}

static void put_number(struct writer *w, const char *key, uint32_t number)
{
    put_key(w, key);
    cell_buffer_printf(w->out, "%u", number);
}

static void put_true(struct writer *w, const char *key, bool value)
{
    if (!value)
        return;
    put_key(w, key);
    put(w, "true");
}

static void put_use(struct writer *w, const char *key, const struct schema_ref *r)
{
    char text[256]; /* a name and a bound */
    cell_schema_ref_format(r, text, sizeof(text));
    put_text(w, key, text);
}

static void open_list(struct writer *w, const char *key)
{
    put_key(w, key);
    put(w, "[");
}

static void open_item(struct writer *w)
{
    separate(w);
    put(w, "{");
}

static void put_strings(struct writer *w, const char *key, const char *const *texts, uint32_t n)
{
    open_list(w, key);
    for (uint32_t i = 0; i < n; i++) {
        separate(w);
        cell_json_put_string(w->out, texts[i]);
    }
    put(w, "]");
}

static void put_rules(struct writer *w, const struct schema_field *f)
{
    if (f->nrules == 0)
        return;
    open_list(w, "rules");
    for (uint32_t i = 0; i < f->nrules; i++) {
        open_item(w);
        put_strings(w, "args", f->rules[i].args, f->rules[i].nargs);
        if (w->docs)
            put_text(w, "message", f->rules[i].message);
        put_text(w, "rule", f->rules[i].name);
        put(w, "}");
    }
    put(w, "]");
}

static void put_field(struct writer *w, const struct schema_field *f)
{
    open_item(w);
    put_doc(w, f->doc);
    put_text(w, "name", f->name);
    put_number(w, "offset", f->offset);
    put_text(w, "renamed_from", f->renamed_from);
    put_rules(w, f);
    put_text(w, "since", f->since);
    put_use(w, "type", &f->type);
    put(w, "}");
}

static void put_param(struct writer *w, const struct schema_field *p)
{
    open_item(w);
    put_text(w, "dir", p->inout ? "inout" : p->out ? "out" : "in");
    put_doc(w, p->doc);
    put_text(w, "name", p->name);
    put_true(w, "pointer", p->by_pointer);
    put_rules(w, p);
    put_true(w, "stream", p->stream);
    put_use(w, "type", &p->type);
    put(w, "}");
}

static void put_value(struct writer *w, const struct schema_value *v)
{
    open_item(w);
    put_doc(w, v->doc);
    put_text(w, "name", v->name);
    put_text(w, "renamed_from", v->renamed_from);
    put_text(w, "value", v->text);
    put(w, "}");
}

static void put_type(struct writer *w, const struct schema_type *t)
{
    open_item(w);
    put_number(w, "align", t->align);
    put_doc(w, t->doc);
    if (t->kind == CELL_KIND_STRUCT) {
        open_list(w, "fields");
        for (uint32_t i = 0; i < t->nfields; i++)
            put_field(w, &t->fields[i]);
        put(w, "]");
    }
    put_text(w, "kind", cell_kind_name(t->kind));
    put_text(w, "name", t->name);
    if (t->kind == CELL_KIND_LIST || t->kind == CELL_KIND_OPT)
        put_use(w, "of", &t->elem);
    put_number(w, "size", t->size);
    if (t->kind == CELL_KIND_ENUM) {
        put_use(w, "type", &t->elem);
        open_list(w, "values");
        for (uint32_t i = 0; i < t->nvalues; i++)
            put_value(w, &t->values[i]);
        put(w, "]");
    }
    put(w, "}");
}

static void put_constant(struct writer *w, const struct schema_constant *k)
{
    open_item(w);
    put_doc(w, k->doc);
    put_text(w, "name", k->name);
    put_text(w, "renamed_from", k->renamed_from);
    put_text(w, "type", cell_kind_name(k->kind));
    put_text(w, "value", k->text);
    put(w, "}");
}

static void put_method(struct writer *w, const struct schema_method *m)
{
    open_item(w);
    put_text(w, "binding", m->binding);
    put_doc(w, m->doc);
    put_text(w, "fallback", m->fallback);
    put_true(w, "idempotent", m->idempotent);
    put_text(w, "name", m->name);
    if (m->nneeds)
        put_strings(w, "needs", m->needs, m->nneeds);
    open_list(w, "params");
    for (uint32_t i = 0; i < m->nparams; i++)
        put_param(w, &m->params[i]);
    put(w, "]");
    put_text(w, "renamed_from", m->renamed_from);
    put_true(w, "whole", m->whole);
    put(w, "}");
}

static void put_verb(struct writer *w, const struct schema_verb *v)
{
    const char *on[4];
    uint32_t n = 0;
    if (v->on_struct)
        on[n++] = "struct";
    if (v->on_enum)
        on[n++] = "enum";
    if (v->on_function)
        on[n++] = "function";
    if (v->on_variable)
        on[n++] = "variable";
    open_item(w);
    open_list(w, "args");
    for (uint32_t i = 0; i < v->nargs; i++) {
        open_item(w);
        put_text(w, "default", v->args[i].value);
        put_text(w, "name", v->args[i].name);
        put_true(w, "required", v->args[i].required);
        put_text(w, "type", v->args[i].type);
        put(w, "}");
    }
    put(w, "]");
    put_doc(w, v->doc);
    if (v->nfield_rules)
        put_strings(w, "field_rules", v->field_rules, v->nfield_rules);
    put_text(w, "name", v->name);
    put_strings(w, "on", on, n);
    if (v->nrules)
        put_strings(w, "rules", v->rules, v->nrules);
    put(w, "}");
}

void cell_schema_put_type(const struct schema_type *t, struct cell_buffer *out)
{
    struct writer w = {out, false};
    put_type(&w, t);
}

void cell_schema_put_method(const struct schema_method *m, struct cell_buffer *out)
{
    struct writer w = {out, false};
    put_method(&w, m);
}

/* Without docs a schema is something to compare with: what functions look like, and whether they still are the same. */
static void put_summary(struct writer *w, const struct cell_schema *s)
{
    put(w, "{\"cell.ast\":1,");
    cell_buffer_puts(w->out, "\"functions\":[");
    for (uint32_t i = 0; i < s->nvisible_functions; i++) {
        const struct schema_function *f = &s->visible_functions[i];
        open_item(w);
        put_text(w, "logic", f->logic);
        put_text(w, "name", f->name);
        put_text(w, "renamed_from", f->renamed_from);
        put_text(w, "signature", f->signature);
        put(w, "}");
    }
    put(w, "]}");
}

/* An empty list says that there are none. */
static void put_functions(struct writer *w, const struct cell_schema *s)
{
    put_key(w, "functions");
    if (s->nvisible_functions && !w->docs) {
        put_summary(w, s);
        return;
    }
    cell_buffer_append(w->out, s->functions ? s->functions : "[]", s->functions ? s->functions_len : 2);
}

static void put_schema(const struct cell_schema *s, bool docs, struct cell_buffer *out)
{
    struct writer w = {out, docs};
    put(&w, "{");
    put_text(&w, "abi", CELL_ABI_NAME);
    put_key(&w, "capabilities");
    cell_capabilities_put(s, docs, out);
    put_text(&w, "cell", s->cell);
    open_list(&w, "constants");
    for (uint32_t i = 0; i < s->nconstants; i++)
        put_constant(&w, &s->constants[i]);
    put(&w, "]");
    put_doc(&w, s->doc);
    put_functions(&w, s);
    open_list(&w, "methods");
    for (uint32_t i = 0; i < s->nmethods; i++)
        put_method(&w, &s->methods[i]);
    put(&w, "]");
    put_text(&w, "schema", CELL_SCHEMA_FORMAT);
    put_strings(&w, "streams", NULL, 0);
    open_list(&w, "types");
    for (uint32_t i = 0; i < s->ntypes; i++)
        put_type(&w, &s->types[i]);
    put(&w, "]");
    open_list(&w, "verbs");
    for (uint32_t i = 0; i < s->nverbs; i++)
        put_verb(&w, &s->verbs[i]);
    put(&w, "]}");
}

void cell_schema_put(const struct cell_schema *s, struct cell_buffer *out) { put_schema(s, true, out); }

void cell_schema_put_plain(const struct cell_schema *s, struct cell_buffer *out) { put_schema(s, false, out); }

int cell_schema_format(const struct cell_schema *s, struct cell_buffer *out)
{
    if (s->received)
        cell_buffer_append(out, s->received, s->received_len);
    else
        cell_schema_put(s, out);
    return cell_buffer_ok(out) ? CELL_OK : CELL_NO_MEMORY;
}
