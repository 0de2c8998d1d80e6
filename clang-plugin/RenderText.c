/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "RenderText.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct render render_start(const char *cell, const struct render_options *o, struct cell_buffer *out)
{
    struct render r = {.out = out,
                       .cpp = o->cplusplus,
                       .plain = o->plain,
                       .unit = o->unit ? o->unit : cell,
                       .scope = o->cplusplus ? "::" : "",
                       .functions = o->functions,
                       .no_floats = o->no_floats != NULL};
    return r;
}

/* Line and paragraph separators and the bidirectional controls: they make a comment look like code. */
static bool is_deceptive(const unsigned char *p, size_t left)
{
    if (left < 3 || p[0] != 0xe2)
        return false;
    return (p[1] == 0x80 && p[2] >= 0xa8 && p[2] <= 0xae) || (p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9);
}

/* A line ends in a continuation also when white space follows the backslash, and `??/` is a backslash in C11. */
static void put_comment_text(struct render *r, const char *text, size_t len)
{
    while (len > 0 && (unsigned char)text[len - 1] <= ' ')
        len--;
    for (size_t i = 0; i < len; i++) {
        const unsigned char *p = (const unsigned char *)text + i;
        if (is_deceptive(p, len - i)) {
            render_put(r, " ");
            i += 2;
            continue;
        }
        unsigned char byte = *p < ' ' || *p == 0x7f ? ' ' : *p;
        cell_buffer_append(r->out, &byte, 1);
        bool opens = byte == '/' && i + 1 < len && p[1] == '*', closes = byte == '*' && i + 1 < len && p[1] == '/';
        if (opens || closes)
            render_put(r, " ");
    }
    if (len > 0 && (text[len - 1] == '\\' || (len >= 3 && memcmp(text + len - 3, "\?\?/", 3) == 0)))
        render_put(r, " .");
}

void render_doc(struct render *r, const char *indent, const char *lead, const char *text)
{
    if (!text || !*text) {
        if (lead)
            render_printf(r, "%s/// %s\n", indent, lead);
        return;
    }
    for (const char *line = text; line; lead = lead ? "   " : NULL) {
        size_t len = strcspn(line, "\n");
        struct cell_buffer *b = r->out;
        render_printf(r, "%s///%s%s%s", indent, lead ? " " : "", lead ? lead : "", len ? " " : "");
        put_comment_text(r, line, len);
        while (b->data && b->len > 0 && b->data[b->len - 1] == ' ')
            b->data[--b->len] = '\0';
        render_put(r, "\n");
        line = line[len] ? line + len + 1 : NULL;
    }
}

/* Facts stand on a line of their own below the author's words. */
static void begin_fact(struct cell_buffer *text, bool *first)
{
    if (text->len)
        cell_buffer_puts(text, *first ? "\n" : " ");
    *first = false;
}

void render_named_doc(struct render *r, const char *indent, const char *doc, const char *former)
{
    char text[160];
    render_doc(r, indent, NULL, doc);
    snprintf(text, sizeof(text), "Formerly '%.127s'.", former ? former : "");
    if (former)
        render_doc(r, indent, NULL, text);
}

void render_field_doc(struct render *r, const char *indent, const char *lead, const struct schema_field *f)
{
    struct cell_buffer text = {0};
    bool first = true;
    if (f->doc)
        cell_buffer_puts(&text, f->doc);
    if (f->since) {
        begin_fact(&text, &first);
        cell_buffer_printf(&text, "Since %s.", f->since);
    }
    if (f->renamed_from) {
        begin_fact(&text, &first);
        cell_buffer_printf(&text, "Formerly '%s'.", f->renamed_from);
    }
    for (uint32_t i = 0; i < f->nrules; i++) {
        const struct schema_rule *rule = &f->rules[i];
        begin_fact(&text, &first);
        cell_buffer_printf(&text, "Rule: %s", rule->name);
        for (uint32_t k = 0; k < rule->nargs; k++)
            cell_buffer_printf(&text, "%s%s", k ? ", " : "(", rule->args[k]);
        cell_buffer_puts(&text, rule->nargs ? ")." : ".");
    }
    if (!cell_buffer_ok(&text))
        r->out->failed = true;
    else if (text.len || lead)
        render_doc(r, indent, lead, text.len ? text.data : NULL);
    cell_buffer_free(&text);
}

void render_literal_byte(struct render *r, unsigned char byte, bool ascii)
{
    if (byte < ' ' || byte == 0x7f || (ascii && byte > 0x7f))
        render_printf(r, "\\%03o", byte);
    else if (strchr("\"\\?", byte)) /* `?` so that no trigraph is formed */
        render_printf(r, "\\%c", byte);
    else
        cell_buffer_append(r->out, &byte, 1);
}

void render_string(struct render *r, const char *text)
{
    render_put(r, "\"");
    for (const char *p = text; *p; p++)
        render_literal_byte(r, (unsigned char)*p, false);
    render_put(r, "\"");
}

bool render_fits_i64(const char *text)
{
    errno = 0;
    strtoll(text, NULL, 10);
    return errno == 0;
}

bool render_fits_int(const char *text)
{
    long long value = strtoll(text, NULL, 10);
    return render_fits_i64(text) && value >= INT_MIN && value <= INT_MAX;
}

void render_integer(struct render *r, const char *text)
{
    if (strcmp(text, "-9223372036854775808") == 0)
        render_put(r, "(-9223372036854775807 - 1)"); /* C has no negative literals */
    else
        render_printf(r, "%s%s", text, render_fits_i64(text) ? "" : "u");
}

void render_builtin(struct render *r, enum cell_kind kind)
{
    static const char *const names[] = {
        [CELL_KIND_I8] = "int8_t",        [CELL_KIND_U8] = "uint8_t",   [CELL_KIND_I16] = "int16_t",
        [CELL_KIND_U16] = "uint16_t",     [CELL_KIND_I32] = "int32_t",  [CELL_KIND_U32] = "uint32_t",
        [CELL_KIND_I64] = "int64_t",      [CELL_KIND_U64] = "uint64_t", [CELL_KIND_STR] = "cell_str",
        [CELL_KIND_BYTES] = "cell_bytes",
    };
    switch (kind) {
    case CELL_KIND_BOOL:
        render_put(r, r->cpp ? "bool" : "_Bool");
        break;
    case CELL_KIND_F32:
        render_put(r, "float");
        break;
    case CELL_KIND_F64:
        render_put(r, "double");
        break;
    default:
        render_printf(r, "%s%s", r->scope, names[kind]);
    }
}

/* The suffix of cell_type_…, cell_list_… and cell_opt_… */
static const char *builtin_suffix(enum cell_kind kind)
{
    static const char *const suffixes[] = {
#define SUFFIX(symbol, number, name, size) [number] = name,
        CELL_KIND_MAP(SUFFIX)
#undef SUFFIX
    };
    return suffixes[kind];
}

void render_use(struct render *r, const struct schema_ref *u)
{
    /* The tag also for lists and optionals: a parameter or member may have the same name as a typedef. */
    if (u->named)
        render_printf(r, "%s %s", u->named->kind == CELL_KIND_ENUM ? "enum" : "struct", u->named->name);
    else if (u->kind == CELL_KIND_LIST)
        render_printf(r, "%scell_list_%s", r->scope, builtin_suffix(u->elem));
    else if (u->kind == CELL_KIND_OPT)
        render_printf(r, "%scell_opt_%s", r->scope, builtin_suffix(u->elem));
    else
        render_builtin(r, u->kind);
}

void render_member(struct render *r, const struct schema_ref *u, const char *name)
{
    render_use(r, u);
    render_printf(r, " %s", name);
    if (u->count)
        render_printf(r, "[%u]", u->count);
}

void render_param(struct render *r, const struct schema_field *p)
{
    if (p->by_pointer && !p->out)
        render_put(r, "const ");
    render_use(r, &p->type);
    render_printf(r, " %s%s", p->by_pointer && !p->type.count ? "*" : "", p->name);
    if (p->by_pointer && p->type.count)
        render_printf(r, "[%u]", p->type.count);
}

void render_described_name(struct render *r, const struct schema_type *t, const char *what)
{
    render_printf(r, "cellgen_%s%s%s_%s", t->declared ? r->unit : "", t->declared ? "_" : "", t->name, what);
}

void render_descriptor_name(struct render *r, const struct schema_ref *u)
{
    if (u->named) {
        render_put(r, "&");
        render_described_name(r, u->named, "type");
    } else if (u->kind == CELL_KIND_LIST || u->kind == CELL_KIND_OPT)
        render_printf(r, "&%scell_type_%s_%s", r->scope, builtin_suffix(u->kind), builtin_suffix(u->elem));
    else
        render_printf(r, "&%scell_type_%s", r->scope, builtin_suffix(u->kind));
}

static bool is_of_stream(const struct schema_method *m, const char *name)
{
    const struct schema_field *stream = cell_schema_stream(m);
    size_t len = strlen(m->name);
    if (!stream || strncmp(name, m->name, len) != 0)
        return false;
#define IS(suffix) || strcmp(name + len, suffix) == 0
    return stream->out ? false CELL_STREAM_READER_NAMES(IS) : false CELL_STREAM_WRITER_NAMES(IS);
#undef IS
}

bool render_is_taken(const struct cell_schema *s, const char *name)
{
    if (cell_schema_type(s, name) || cell_schema_method(s, name) || cell_schema_function(s, name))
        return true;
    for (uint32_t i = 0; i < s->nconstants; i++)
        if (strcmp(s->constants[i].name, name) == 0)
            return true;
    for (uint32_t i = 0; i < s->ntypes; i++)
        for (uint32_t k = 0; k < s->types[i].nvalues; k++)
            if (strcmp(s->types[i].values[k].name, name) == 0)
                return true;
    for (uint32_t i = 0; i < s->nmethods; i++)
        if (is_of_stream(&s->methods[i], name))
            return true;
    return false;
}

static bool form_name(const struct cell_schema *s, const struct schema_method *m, const char *form,
                      char name[RENDER_FORM_NAME])
{
    snprintf(name, RENDER_FORM_NAME, "%s_%s", m->name, form);
    return !cell_schema_stream(m) && !render_is_taken(s, name);
}

bool render_async_name(const struct cell_schema *s, const struct schema_method *m, char name[RENDER_FORM_NAME])
{
    return form_name(s, m, "async", name);
}

/* Types are not recursive. */
static bool varies(const struct schema_ref *u)
{
    if (u->kind == CELL_KIND_STR || u->kind == CELL_KIND_BYTES || u->kind == CELL_KIND_LIST)
        return true;
    if (u->kind == CELL_KIND_OPT)
        return u->named ? varies(&u->named->elem) : u->elem == CELL_KIND_STR || u->elem == CELL_KIND_BYTES;
    for (uint32_t i = 0; u->kind == CELL_KIND_STRUCT && i < u->named->nfields; i++)
        if (varies(&u->named->fields[i].type))
            return true;
    return false;
}

bool render_in_place_names(const struct cell_schema *s, const struct schema_method *m, struct render_in_place *names)
{
    bool any = false;
    if (cell_schema_stream(m))
        return false;
    for (uint32_t i = 0; i < m->nparams; i++)
        any |= varies(&m->params[i].type);
    return any && form_name(s, m, "begin", names->begin) && form_name(s, m, "send", names->send) &&
           form_name(s, m, "release", names->release);
}
