/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What a cell no longer has, or has under another name. It stays declared, unavailable, so that its use is an error
 * with our sentence and code that does not use it compiles.
 */
#include <stdio.h>
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

/* Those that go in, or those that come out; the stream is neither. */
static void render_removed_params(struct render *r, const struct cell_schema *s, const struct schema_method *m, bool in,
                                  bool out)
{
    for (uint32_t i = 0; i < m->nparams; i++) {
        const struct schema_field *p = &m->params[i];
        if (p->stream || !(p->out ? out : in))
            continue;
        render_put(r, ", ");
        if (p->type.named && !tag_is_usable(s, p->type.named))
            render_printf(r, "struct %scell_ref %s", r->scope, p->name);
        else
            render_param(r, p);
    }
}

static void render_removed_function(struct render *r, const struct cell_schema *s, const struct schema_method *m,
                                    const char *name, const char *sentence)
{
    render_doc(r, "", NULL, m->doc);
    render_printf(r, "int %s(%scell_ctx *", name, r->scope);
    render_removed_params(r, s, m, true, true);
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

/* Whether all that a client declares for the method's stream can be declared. */
static bool stream_is_free(const struct cell_schema *s, const struct schema_method *m,
                           const struct schema_field *stream)
{
#define SUFFIX(suffix) suffix,
    static const char *const reader[] = {CELL_STREAM_READER_NAMES(SUFFIX) NULL};
    static const char *const writer[] = {CELL_STREAM_WRITER_NAMES(SUFFIX) NULL};
#undef SUFFIX
    char name[RENDER_FORM_NAME];
    for (const char *const *suffix = stream->out ? reader : writer; *suffix; suffix++) {
        snprintf(name, sizeof(name), "%s%s", m->name, *suffix);
        if (render_is_taken(s, name))
            return false;
    }
    return true;
}

/* A record's type by value: one that is gone has no size any more. */
static bool record_is_usable(const struct cell_schema *s, const struct schema_ref *record)
{
    return !record->named || (cell_schema_type(s, record->named->name) && tag_is_usable(s, record->named));
}

static void render_removed_records(struct render *r, const struct cell_schema *s, const struct schema_field *stream,
                                   const char *sentence)
{
    if (record_is_usable(s, &stream->type))
        render_use(r, &stream->type);
    else
        render_put(r, "void");
    render_printf(r, " *, %ssize_t) ", r->scope);
    render_unavailable(r, sentence);
    render_put(r, ";\n");
}

static void render_removed_steps(struct render *r, const struct cell_schema *s, const struct schema_method *m,
                                 const struct schema_field *stream, const char *sentence)
{
    if (!stream->out) {
        render_printf(r, "int %s_put(struct %s_writer *, const ", m->name, m->name);
        render_removed_records(r, s, stream, sentence);
        return;
    }
    render_printf(r, "%s %s_next(struct %s_iter *) ", r->cpp ? "bool" : "_Bool", m->name, m->name);
    render_unavailable(r, sentence);
    render_printf(r, ";\n%ssize_t %s_next_n(struct %s_iter *, ", r->scope, m->name, m->name);
    render_removed_records(r, s, stream, sentence);
}

/* As RenderStream.c declares it. */
static void render_removed_stream(struct render *r, const struct cell_schema *s, const struct schema_method *m,
                                  const struct schema_field *stream, const char *sentence)
{
    const char *kind = stream->out ? "iter" : "writer";
    if (render_is_taken(s, m->name))
        return;
    if (!stream_is_free(s, m, stream)) {
        render_doc(r, "", NULL, m->doc);
        render_printf(r, "int %s(%scell_ctx *", m->name, r->scope);
        render_removed_params(r, s, m, true, false);
        render_put(r, ") ");
        render_unavailable(r, sentence);
        render_put(r, ";\n");
        return;
    }
    render_put(r, "struct ");
    render_unavailable(r, sentence);
    render_printf(r, " %s_%s {\n", m->name, kind);
    if (stream->out && record_is_usable(s, &stream->type)) {
        render_put(r, "    ");
        render_member(r, &stream->type, "row");
        render_put(r, ";\n");
    }
    render_printf(r, "    struct %scell_stream *stream;\n};\n", r->scope);
    render_doc(r, "", NULL, m->doc);
    render_printf(r, "struct %s_%s %s(%scell_ctx *", m->name, kind, m->name, r->scope);
    render_removed_params(r, s, m, true, false);
    render_put(r, ") ");
    render_unavailable(r, sentence);
    render_put(r, ";\n");
    render_removed_steps(r, s, m, stream, sentence);
    render_printf(r, "int %s_end(struct %s_%s *", m->name, m->name, kind);
    render_removed_params(r, s, m, false, true);
    render_put(r, ") ");
    render_unavailable(r, sentence);
    render_put(r, ";\n");
}

static void render_removed_method(struct render *r, const struct cell_schema *s, const struct cell_schema *old,
                                  const struct schema_method *m, const char *sentence)
{
    char async[RENDER_FORM_NAME];
    struct render_in_place names;
    const struct schema_field *stream = m ? cell_schema_stream(m) : NULL;
    if (!m)
        return;
    if (stream) {
        render_removed_stream(r, s, m, stream, sentence);
        return;
    }
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

/* The kind of a built-in type by its name; 0 = it is none, or one that no function has. */
static enum cell_kind scalar_named(const char *name, size_t len)
{
    static const struct {
        enum cell_kind kind;
        const char *name;
    } all[] = {
#define NAMED(symbol, number, name, size) {number, name},
        CELL_KIND_MAP(NAMED)
#undef NAMED
    };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (all[i].kind <= CELL_KIND_STR && strlen(all[i].name) == len && memcmp(all[i].name, name, len) == 0)
            return all[i].kind;
    return (enum cell_kind)0;
}

/* A type of a signature; false, with void in its place, for one that is not known any more. */
static bool render_signature_type(struct render *r, const struct cell_schema *s, const char *name, size_t len)
{
    char text[128];
    const enum cell_kind kind = scalar_named(name, len);
    if (kind) {
        render_builtin(r, kind);
        return true;
    }
    snprintf(text, sizeof(text), "%.*s", (int)len, name);
    const struct schema_type *now = cell_schema_type(s, text);
    const bool known = now && (now->kind == CELL_KIND_STRUCT || now->kind == CELL_KIND_ENUM);
    if (known)
        render_use(r, &(const struct schema_ref){.kind = now->kind, .named = now});
    else
        render_put(r, "void");
    return known;
}

/* "f64(str, math_point *, out f64[3])", of which nothing but names that are known becomes text. */
static void render_removed_signature(struct render *r, const struct cell_schema *s, const char *name,
                                     const char *signature)
{
    const size_t returns = strcspn(signature, "(");
    if (strncmp(signature, "status(", 7) == 0)
        render_put(r, "int");
    else if (!render_signature_type(r, s, signature, returns))
        render_put(r, " *");
    render_printf(r, " %s(", name);
    const char *type = signature + returns + (signature[returns] == '(');
    if (strchr(")", *type) && !r->cpp)
        render_put(r, "void");
    while (!strchr(")", *type)) {
        const bool out = strncmp(type, "out ", 4) == 0;
        type += out ? 4 : 0;
        const size_t word = strcspn(type, " [,)"), whole = strcspn(type, ",)");
        const bool pointer = out || memchr(type, '*', whole) || memchr(type, '[', whole);
        render_put(r, pointer && !out ? "const " : "");
        const bool known = render_signature_type(r, s, type, word);
        render_put(r, pointer || !known ? " *" : "");
        type += whole;
        type += strspn(type, ", ");
        render_put(r, strchr(")", *type) ? "" : ", ");
    }
    render_put(r, ") ");
}

static void render_removed_own(struct render *r, const struct cell_schema *s, const struct schema_function *f,
                               const char *sentence)
{
    if (!f || render_is_taken(s, f->name))
        return;
    render_doc(r, "", NULL, f->doc);
    render_removed_signature(r, s, f->name, f->signature);
    render_unavailable(r, sentence);
    render_put(r, ";\n");
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
    if (change->rule == DIFF_FUNCTION_REMOVED || change->rule == DIFF_FUNCTION_RENAMED) {
        render_removed_own(r, s, cell_schema_function(old, change->owner), change->sentence);
    } else if (change->rule == DIFF_METHOD_REMOVED || change->rule == DIFF_METHOD_RENAMED) {
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
