/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/ast.h"
#include "core/json.h"
#include "schema_text.h"

static const char *scalar_c(enum cell_kind kind)
{
    switch (kind) {
    case CELL_KIND_BOOL:
        return "bool";
    case CELL_KIND_I8:
        return "int8_t";
    case CELL_KIND_U8:
        return "uint8_t";
    case CELL_KIND_I16:
        return "int16_t";
    case CELL_KIND_U16:
        return "uint16_t";
    case CELL_KIND_I32:
        return "int32_t";
    case CELL_KIND_U32:
        return "uint32_t";
    case CELL_KIND_I64:
        return "int64_t";
    case CELL_KIND_U64:
        return "uint64_t";
    case CELL_KIND_F32:
        return "float";
    case CELL_KIND_F64:
        return "double";
    case CELL_KIND_STR:
        return "cell_str";
    case CELL_KIND_BYTES:
        return "cell_bytes";
    default:
        return "?";
    }
}

static const char *scalar_name(enum cell_kind kind)
{
    switch (kind) {
#define CASE(symbol, number, name, size)                                                                               \
    case CELL_KIND_##symbol:                                                                                           \
        return name;
        CELL_KIND_MAP(CASE)
#undef CASE
    }
    return "?";
}

/* The C type of a use, without an array bound. */
static void c_type(struct cell_buffer *out, const struct schema_ref *r)
{
    if (r->named) {
        const char *tag = r->named->kind == CELL_KIND_STRUCT ? "struct "
                          : r->named->kind == CELL_KIND_ENUM ? "enum "
                                                             : "";
        cell_buffer_printf(out, "%s%s", tag, r->named->name);
    } else if (r->kind == CELL_KIND_LIST || r->kind == CELL_KIND_OPT) {
        cell_buffer_printf(out, "cell_%s_%s", r->kind == CELL_KIND_LIST ? "list" : "opt", scalar_name(r->elem));
    } else {
        cell_buffer_puts(out, scalar_c(r->kind));
    }
}

static void doc_comment(struct cell_buffer *out, const char *indent, const char *doc)
{
    if (!doc || !doc[0])
        return;
    for (const char *line = doc; line;) {
        const char *end = strchr(line, '\n');
        int len = end ? (int)(end - line) : (int)strlen(line);

        cell_buffer_printf(out, "%s///%s%.*s\n", indent, len ? " " : "", len, line);
        line = end ? end + 1 : NULL;
    }
}

static void former(struct cell_buffer *out, const char *name)
{
    if (name)
        cell_buffer_printf(out, "  /* was %s */", name);
}

static void rules(struct cell_buffer *out, const struct schema_field *f)
{
    if (f->since)
        cell_buffer_printf(out, "  /* since %s */", f->since);
    former(out, f->renamed_from);
    for (uint32_t i = 0; i < f->nrules; i++) {
        cell_buffer_printf(out, "  /* %s", f->rules[i].name);
        for (uint32_t k = 0; k < f->rules[i].nargs; k++)
            cell_buffer_printf(out, "%s%s", k ? ", " : " ", f->rules[i].args[k]);
        cell_buffer_puts(out, " */");
    }
}

static void type_text(struct cell_buffer *out, const struct schema_type *t)
{
    doc_comment(out, "", t->doc);
    if (t->kind == CELL_KIND_LIST || t->kind == CELL_KIND_OPT) {
        cell_buffer_puts(out, t->kind == CELL_KIND_LIST ? "CELL_LIST(" : "CELL_OPT(");
        cell_buffer_printf(out, "%s, ", t->name);
        c_type(out, &t->elem);
        cell_buffer_puts(out, ");\n\n");
        return;
    }
    if (t->kind == CELL_KIND_ENUM) {
        cell_buffer_printf(out, "enum %s {  /* %s */\n", t->name, scalar_name(t->elem.kind));
        for (uint32_t i = 0; i < t->nvalues; i++) {
            doc_comment(out, "    ", t->values[i].doc);
            cell_buffer_printf(out, "    %s = %s,", t->values[i].name, t->values[i].text);
            former(out, t->values[i].renamed_from);
            cell_buffer_puts(out, "\n");
        }
        cell_buffer_puts(out, "};\n\n");
        return;
    }
    cell_buffer_printf(out, "struct %s {\n", t->name);
    for (uint32_t i = 0; i < t->nfields; i++) {
        const struct schema_field *f = &t->fields[i];

        doc_comment(out, "    ", f->doc);
        cell_buffer_puts(out, "    ");
        c_type(out, &f->type);
        cell_buffer_printf(out, " %s", f->name);
        if (f->type.count)
            cell_buffer_printf(out, "[%" PRIu32 "]", f->type.count);
        cell_buffer_puts(out, ";");
        rules(out, f);
        cell_buffer_puts(out, "\n");
    }
    cell_buffer_puts(out, "};\n\n");
}

void schema_signature(struct cell_buffer *out, const struct schema_method *m)
{
    cell_buffer_printf(out, "int %s(cell_ctx *c", m->name);
    for (uint32_t i = 0; i < m->nparams; i++) {
        const struct schema_field *p = &m->params[i];
        bool pointer = p->by_pointer || (p->out && !p->stream);

        if (p->stream) {
            cell_buffer_puts(out, p->out ? ", writer<" : ", reader<");
            c_type(out, &p->type);
            cell_buffer_printf(out, "> %s", p->name);
            rules(out, p);
            continue;
        }
        cell_buffer_puts(out, pointer && !p->out ? ", const " : ", ");
        c_type(out, &p->type);
        if (p->type.count)
            cell_buffer_printf(out, " %s[%" PRIu32 "]", p->name, p->type.count);
        else
            cell_buffer_printf(out, " %s%s", pointer ? "*" : "", p->name);
        rules(out, p);
    }
    cell_buffer_puts(out, ")");
}

void schema_call_signature(struct cell_buffer *out, const struct cell_schema *s, const struct schema_method *m)
{
    cell_buffer_printf(out, "%s.%s", s->cell, m->name);
    for (uint32_t i = 0; i < m->nparams; i++) {
        char type[192];

        if (m->params[i].out || m->params[i].stream)
            continue;
        cell_schema_ref_format(&m->params[i].type, type, sizeof(type));
        cell_buffer_printf(out, " %s=<%s>", m->params[i].name, type);
    }
    const struct schema_field *stream = cell_schema_stream(m);
    if (stream && !stream->out) {
        char type[192];

        cell_schema_ref_format(&stream->type, type, sizeof(type));
        cell_buffer_printf(out, " < <a line of JSON for each %s>", type);
    }
}

static void verb_arg(struct cell_buffer *out, const struct schema_verb_arg *arg)
{
    cell_buffer_printf(out, ", <%s %s>", arg->type, arg->name);
    if (arg->value && strcmp(arg->type, "string") == 0) {
        cell_buffer_puts(out, " /* default ");
        cell_json_put_string(out, arg->value);
        cell_buffer_puts(out, " */");
    } else if (arg->value) {
        cell_buffer_printf(out, " /* default %s */", arg->value);
    } else if (!arg->required) {
        cell_buffer_puts(out, " /* optional */");
    }
}

/* As its author wrote it, and whether it is there. */
static void capability_text(struct cell_buffer *out, const struct schema_capability *c, bool last)
{
    doc_comment(out, "", c->doc);
    cell_buffer_printf(out, "CELL_CAPABILITY(%s", c->name);
    for (uint32_t i = 0; i < c->nparams; i++) {
        cell_buffer_printf(out, ", CELL_ARG(%s, ", c->params[i].name);
        if (cell_is_integer_text(c->params[i].value))
            cell_buffer_puts(out, c->params[i].value);
        else
            cell_json_put_string(out, c->params[i].value);
        cell_buffer_puts(out, ")");
    }
    cell_buffer_printf(out, ");%s%s", c->absent ? "  /* absent */" : "", last ? "\n\n" : "\n");
}

static void needs_text(struct cell_buffer *out, const struct cell_schema *s, const struct schema_method *m)
{
    for (uint32_t i = 0; i < m->nneeds; i++)
        cell_buffer_printf(out, "%s%s", i ? ", " : "  /* needs ", m->needs[i]);
    if (m->fallback)
        cell_buffer_printf(out, ", else %s", m->fallback);
    if (m->nneeds)
        cell_buffer_puts(out, cell_schema_lacks(s, m) ? ": absent */" : " */");
}

/* As their author declared them; of those that nobody would compile what there is to say. */
static void functions_text(struct cell_buffer *out, const struct cell_schema *s)
{
    static const char lead[] = "static inline ";
    const struct ast_render_options options = {.unit = s->cell};
    struct cell_ast *doc = NULL;
    struct cell_error e = {0};

    if (cell_ast_of_schema(s, NULL, &doc, &e) < 0)
        cell_buffer_printf(out, "/* its functions are refused: %s */\n", e.text);
    for (uint32_t i = 0; doc && i < doc->nfunctions; i++) {
        const struct ast_function *f = &doc->functions[i];
        struct cell_buffer prototype = {0};

        if (f->internal)
            continue;
        doc_comment(out, "", f->doc);
        if (cell_ast_render_prototype(f, &options, &prototype) < 0)
            out->failed = true;
        else
            cell_buffer_printf(out, "CELL_HOT %s;", prototype.data + sizeof(lead) - 1);
        cell_buffer_free(&prototype);
        former(out, f->renamed_from);
        cell_buffer_puts(out, f->doc ? "\n\n" : "\n");
    }
    cell_ast_free(doc);
}

void schema_text(struct cell_buffer *out, const struct cell_schema *s)
{
    doc_comment(out, "", s->doc);
    cell_buffer_printf(out, "/* cell %s, fingerprint %s */\n\n", s->cell, s->fingerprint);
    for (uint32_t i = 0; i < s->ntypes; i++)
        type_text(out, &s->types[i]);
    for (uint32_t i = 0; i < s->nconstants; i++) {
        doc_comment(out, "", s->constants[i].doc);
        cell_buffer_printf(out, "enum { %s = %s };  /* %s */", s->constants[i].name, s->constants[i].text,
                           scalar_name(s->constants[i].kind));
        former(out, s->constants[i].renamed_from);
        cell_buffer_puts(out, i + 1 == s->nconstants ? "\n\n" : "\n");
    }
    for (uint32_t i = 0; i < s->ncapabilities; i++)
        capability_text(out, &s->capabilities[i], i + 1 == s->ncapabilities);
    for (uint32_t i = 0; i < s->nmethods; i++) {
        doc_comment(out, "", s->methods[i].doc);
        schema_signature(out, &s->methods[i]);
        cell_buffer_puts(out, s->methods[i].idempotent ? ";  /* idempotent */" : ";");
        needs_text(out, s, &s->methods[i]);
        former(out, s->methods[i].renamed_from);
        cell_buffer_puts(out, s->methods[i].doc ? "\n\n" : "\n");
    }
    functions_text(out, s);
    for (uint32_t i = 0; i < s->nverbs; i++) {
        const struct schema_verb *v = &s->verbs[i];

        doc_comment(out, "", v->doc);
        cell_buffer_printf(out, "CELL_VERB(\"%s.%s\"", s->cell, v->name);
        for (uint32_t k = 0; k < v->nargs; k++)
            verb_arg(out, &v->args[k]);
        cell_buffer_printf(out, ")  /* on%s%s%s%s */\n", v->on_struct ? " struct" : "", v->on_enum ? " enum" : "",
                           v->on_function ? " function" : "", v->on_variable ? " variable" : "");
    }
}

int schema_show(struct cli *cli, const struct cell_schema *s)
{
    struct cell_buffer text = {0}, safe = {0};
    int code = CLI_OK;

    if (cli->json)
        cell_schema_format(s, &safe);
    else
        schema_text(&text, s);
    if (text.len)
        cli_safe(&safe, text.data, text.len);
    if (cli->json)
        cell_buffer_puts(&safe, "\n");
    if (!cell_buffer_ok(&text) || !cell_buffer_ok(&safe))
        code = cli_error(cli, CLI_FAILED, NULL, "out of memory");
    else
        cli_write(safe.data, safe.len);
    cell_buffer_free(&text);
    cell_buffer_free(&safe);
    return code == CLI_OK ? cli_flush(cli) : code;
}
