/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What a cell no longer has, or has under another name. It stays declared, unavailable, so that its use is an error
 * with our sentence and code that does not use it compiles.
 */
#include <string.h>

#include "RenderText.h"

static void render_unavailable(struct render *r, const char *sentence)
{
    render_put(r, "__attribute__((unavailable(");
    render_string(r, sentence);
    render_put(r, ")))");
}

static void render_removed_number(struct render *r, const struct cell_schema *s, const char *name, const char *text,
                                  const char *sentence)
{
    if (render_is_taken(s, name))
        return;
    render_put(r, "enum ");
    if (!render_fits_int(text))
        render_printf(r, ": %s%s ", r->scope, render_fits_i64(text) ? "int64_t" : "uint64_t");
    render_printf(r, "{ %s ", name);
    render_unavailable(r, sentence);
    render_put(r, " = ");
    render_integer(r, text);
    render_put(r, " };\n");
}

static void render_removed_enum(struct render *r, const struct cell_schema *s, const struct schema_type *t,
                                const char *sentence)
{
    render_put(r, "enum ");
    render_unavailable(r, sentence);
    render_printf(r, " %s : ", t->name);
    render_builtin(r, t->elem.kind);
    render_put(r, " {\n");
    for (uint32_t i = 0; i < t->nvalues; i++) {
        if (render_is_taken(s, t->values[i].name))
            continue;
        render_printf(r, "    %s ", t->values[i].name);
        render_unavailable(r, sentence);
        render_put(r, " = ");
        render_integer(r, t->values[i].text);
        render_put(r, ",\n");
    }
    render_put(r, "};\n");
}

static void render_removed_type(struct render *r, const struct cell_schema *s, const struct schema_type *t,
                                const char *sentence)
{
    if (!t || render_is_taken(s, t->name))
        return;
    if (t->kind == CELL_KIND_ENUM) {
        render_removed_enum(r, s, t, sentence);
        return;
    }
    render_put(r, "struct ");
    render_unavailable(r, sentence);
    render_printf(r, " %s;\n", t->name);
    if (t->kind == CELL_KIND_LIST || t->kind == CELL_KIND_OPT) {
        render_printf(r, "typedef struct %s %s ", t->name, t->name);
        render_unavailable(r, sentence);
        render_put(r, ";\n");
    }
}

/* True when the tag in the old prototype means the same kind of type in the text, or an opaque one. */
static bool tag_is_usable(const struct cell_schema *s, const struct schema_type *old)
{
    const struct schema_type *now = cell_schema_type(s, old->name);
    if (now)
        return (now->kind == CELL_KIND_ENUM) == (old->kind == CELL_KIND_ENUM);
    return !render_is_taken(s, old->name);
}

static void render_removed_function(struct render *r, const struct cell_schema *s, const struct schema_method *m,
                                    const char *name, const char *sentence)
{
    render_doc(r, "", NULL, m->doc);
    render_printf(r, "int %s(%scell_ctx *", name, r->scope);
    for (uint32_t i = 0; i < m->nparams; i++) {
        bool at_end = m->params[i].out && cell_schema_stream(m); /* where the result is asked for */
        if (m->params[i].stream || at_end)
            continue;
        render_put(r, ", ");
        if (m->params[i].type.named && !tag_is_usable(s, m->params[i].type.named))
            render_printf(r, "struct %scell_ref %s", r->scope, m->params[i].name);
        else
            render_param(r, &m->params[i]);
    }
    render_put(r, ") ");
    render_unavailable(r, sentence);
    render_put(r, ";\n");
}

/* A function beside the method, without its parameters. */
static void render_removed_helper(struct render *r, const char *returns, const char *name, const char *parameter,
                                  const char *sentence)
{
    render_printf(r, "%s%s(%scell_ctx *%s%s%s) ", returns, name, r->scope, *parameter ? ", " : "",
                  *parameter ? r->scope : "", parameter);
    render_unavailable(r, sentence);
    render_put(r, ";\n");
}

static void render_removed_method(struct render *r, const struct cell_schema *s, const struct cell_schema *old,
                                  const struct schema_method *m, const char *sentence)
{
    char async[RENDER_FORM_NAME];
    struct render_in_place names;
    if (!m)
        return;
    if (!render_is_taken(s, m->name))
        render_removed_function(r, s, m, m->name, sentence);
    if (render_async_name(old, m, async) && !render_is_taken(s, async))
        render_removed_function(r, s, m, async, sentence);
    if (!render_in_place_names(old, m, &names))
        return;
    if (!render_is_taken(s, names.send))
        render_removed_function(r, s, m, names.send, sentence);
    if (!render_is_taken(s, names.begin))
        render_removed_helper(r, "void *", names.begin, "size_t bytes", sentence);
    if (!render_is_taken(s, names.release))
        render_removed_helper(r, "void ", names.release, "", sentence);
}

static const struct schema_value *find_value(const struct schema_type *t, const char *name)
{
    for (uint32_t i = 0; t && name && i < t->nvalues; i++)
        if (strcmp(t->values[i].name, name) == 0)
            return &t->values[i];
    return NULL;
}

static const struct schema_constant *find_constant(const struct cell_schema *s, const char *name)
{
    for (uint32_t i = 0; i < s->nconstants; i++)
        if (strcmp(s->constants[i].name, name) == 0)
            return &s->constants[i];
    return NULL;
}

static void render_change(struct render *r, const struct cell_schema *s, const struct cell_schema *old,
                          const struct diff_change *change)
{
    if (change->rule == DIFF_METHOD_REMOVED || change->rule == DIFF_METHOD_RENAMED) {
        render_removed_method(r, s, old, cell_schema_method(old, change->owner), change->sentence);
    } else if (change->rule == DIFF_CONSTANT_REMOVED || change->rule == DIFF_CONSTANT_RENAMED) {
        const struct schema_constant *k = find_constant(old, change->owner);
        if (k)
            render_removed_number(r, s, k->name, k->text, change->sentence);
    } else if (change->rule == DIFF_ENUM_VALUE_REMOVED || change->rule == DIFF_ENUM_VALUE_RENAMED) {
        /* Not inside the enum: -Wswitch would ask the user to handle it. */
        const struct schema_value *v = find_value(cell_schema_type(old, change->owner), change->member);
        if (v)
            render_removed_number(r, s, v->name, v->text, change->sentence);
    }
}

void render_removed(struct render *r, const struct cell_schema *s, const struct render_options *o)
{
    const struct cell_diff *d = o->drift;
    for (uint32_t i = 0; i < d->n; i++)
        if (d->changes[i].rule == DIFF_TYPE_REMOVED)
            render_removed_type(r, s, cell_schema_type(o->baseline, d->changes[i].owner), d->changes[i].sentence);
    for (uint32_t i = 0; i < d->n; i++)
        render_change(r, s, o->baseline, &d->changes[i]);
}
