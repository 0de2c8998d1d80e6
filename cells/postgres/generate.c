/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What all generated functions have: names, types, parameters, the binding and the documentation. */
#include "generate_impl.h"

#include <stdlib.h>
#include <string.h>

#include <cell/desc.h>

#include "query_document.h"
#include "sql.h"

static _Noreturn void no_memory(struct gen *g) { longjmp(*g->arena.escape, 1); }

void gen_append(struct gen *g, json_t *array, json_t *value)
{
    if (json_array_append_new(array, value) < 0)
        no_memory(g);
}

void gen_say(struct gen *g, const char *severity, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    const char *text = pg_vprintf(&g->arena, format, args);
    va_end(args);
    gen_append(g, json_object_get(g->document, "diagnostics"),
               json_pack("{ss, ss}", "severity", severity, "text", text));
}

static bool is_name_of(const json_t *type, const char *name)
{
    const char *own = json_string_value(json_object_get(type, "name"));
    size_t i;
    json_t *value;

    if (own && strcmp(own, name) == 0)
        return true;
    json_array_foreach(json_object_get(type, "values"), i, value)
    {
        const char *enumerator = json_string_value(json_object_get(value, "name"));
        if (enumerator && strcmp(enumerator, name) == 0)
            return true;
    }
    return false;
}

static bool has_name(const json_t *entries, const char *name)
{
    size_t i;
    json_t *entry;

    json_array_foreach(entries, i, entry)
    {
        if (is_name_of(entry, name))
            return true;
    }
    return false;
}

/* Whether the name is free: not the program's (which is said), and not given yet. */
static bool take_name(struct gen *g, const char *name)
{
    if (is_name_of(json_object_get(g->declaration, "type"), name) ||
        has_name(json_object_get(g->declaration, "types"), name)) {
        gen_say(g, "error", "the program has a '%s' of its own already, which is the name of a function for this table",
                name);
        return false;
    }
    return !has_name(json_object_get(g->document, "methods"), name) &&
           !has_name(json_object_get(g->document, "types"), name);
}

bool gen_begin(struct gen *g, const char *name, struct gen_method *m)
{
    *m = (struct gen_method){.g = g, .sql = {.arena = &g->arena}, .doc = {.arena = &g->arena}};
    m->name = pg_printf(&g->arena, "%s_%s", g->declared->tag, name);
    if (strlen(m->name) > 120) {
        gen_say(g, "remark", "there is no function %s: its name would be too long", m->name);
        return false;
    }
    if (!take_name(g, m->name))
        return false;
    m->params = json_array();
    m->in = json_array();
    m->out = json_array();
    if (!m->params || !m->in || !m->out)
        no_memory(g);
    return true;
}

static const char *binding_text(struct gen_method *m, const char *op, bool writes, json_t *more)
{
    struct gen *g = m->g;
    json_t *binding = json_pack("{si, ss, ss, ss, so, so}", "v", 1, "op", op, "table", g->table->name, "sql",
                                m->sql.data, "in", m->in, "out", m->out);

    if (!binding)
        no_memory(g);
    if (json_array_size(m->out) == 0)
        json_object_del(binding, "out");
    json_object_set_new(binding, writes ? "write" : "retry", json_true());
    if (more)
        json_object_update(binding, more);
    json_decref(more);
    char *text = json_dumps(binding, JSON_COMPACT);
    json_decref(binding);
    if (!text)
        no_memory(g);
    const char *kept = pg_strdup(&g->arena, text);
    free(text);
    return kept;
}

/* A document has its methods in the order of their names. */
static void insert_method(struct gen *g, const char *name, json_t *method)
{
    json_t *all = json_object_get(g->document, "methods");
    size_t i = json_array_size(all);

    while (i > 0 && strcmp(json_string_value(json_object_get(json_array_get(all, i - 1), "name")), name) > 0)
        i--;
    if (json_array_insert_new(all, i, method) < 0)
        no_memory(g);
}

void gen_end(struct gen_method *m, const char *op, bool writes, json_t *more)
{
    struct gen *g = m->g;
    const char *binding = binding_text(m, op, writes, more);
    bool streams = strcmp(op, "stream") == 0 || strcmp(op, "load") == 0;

    if (strlen(binding) > CELL_MAX_BINDING) {
        json_decref(m->params);
        gen_say(g, "error", "the table has too many columns for %s: its binding has more than %u bytes", m->name,
                CELL_MAX_BINDING);
        return;
    }
    pg_putf(&m->doc, "\n\n%s", query_doc_text(&g->arena, m->sql.data));
    json_t *method =
        json_pack("{ss, ss, so, ss}", "name", m->name, "doc", m->doc.data, "params", m->params, "binding", binding);
    if (!writes && !streams)
        json_object_set_new(method, "idempotent", json_true());
    insert_method(g, m->name, method);
}

void gen_param(struct gen_method *m, const char *name, const char *type, const char *dir, bool pointer)
{
    json_t *param = json_pack("{ss, ss, ss}", "name", name, "type", type, "dir", dir);

    if (pointer)
        json_object_set_new(param, "pointer", json_true());
    gen_append(m->g, m->params, param);
}

void gen_stream(struct gen_method *m, const char *name, const char *dir)
{
    gen_append(m->g, m->params,
               json_pack("{ss, ss, ss, sb}", "name", name, "type", m->g->declared->tag, "dir", dir, "stream", 1));
}

/* The type of a value that is sent or read as text: an array is several of them in a list, and one as a text. */
static const char *text_form(const struct gen_field *f)
{
    return f->column->type.array && (f->field->c.list || f->field->c.count) ? "text[]" : "text";
}

/* Labels of a C enum that is a native enum, or a text, in the database. */
static json_t *labels_of(struct gen *g, const struct pg_ctype *c)
{
    json_t *labels = json_object();

    for (uint32_t i = 0; i < c->nvalues; i++)
        json_object_set_new(labels, c->values[i].label, json_integer(strtoll(c->values[i].number, NULL, 10)));
    if (!labels)
        no_memory(g);
    return labels;
}

json_t *gen_part(struct gen *g, const char *key, const char *path, const struct gen_field *f)
{
    json_t *part = json_pack("{ss, ss}", key, path, "type", f->cast ? text_form(f) : f->type);

    if (strcmp(f->field->name, f->column->name) != 0)
        json_object_set_new(part, "column", json_string(f->column->name));
    if (f->field->mapping.codec == PG_CODEC_ENUM_LABEL)
        json_object_set_new(part, "enum", labels_of(g, &f->field->c));
    return part;
}

void gen_value(struct gen_method *m, struct pg_text *sql, const struct gen_field *f, const char *path, json_t *in)
{
    gen_append(m->g, in, gen_part(m->g, "from", path, f));
    if (f->cast)
        pg_putf(sql, "$%zu::%s::%s", json_array_size(in), text_form(f), f->cast);
    else
        pg_putf(sql, "$%zu", json_array_size(in));
}

void gen_column(struct gen_method *m, const struct gen_field *f, const char *root)
{
    if (json_array_size(m->out) > 0)
        pg_puts(&m->sql, ", ");
    pg_sql_name(&m->sql, f->column->name);
    if (f->cast)
        pg_putf(&m->sql, "::%s", text_form(f));
    json_t *part = gen_part(m->g, "to", pg_printf(&m->g->arena, "%s.%s", root, f->field->name), f);
    if (!f->field->c.optional)
        json_object_set_new(part, "null", json_false());
    gen_append(m->g, m->out, part);
}

void gen_columns(struct gen_method *m, const char *root)
{
    for (uint32_t i = 0; i < m->g->nfields; i++)
        gen_column(m, &m->g->fields[i], root);
}

void gen_table(struct gen *g, struct pg_text *sql) { pg_sql_qualified(sql, g->table->schema, g->table->name); }

const char *gen_free_name(struct gen *g, struct gen_field *const *fields, uint32_t n, const char *wanted)
{
    for (uint32_t i = 0; i < n; i++)
        if (strcmp(fields[i]->field->name, wanted) == 0)
            return gen_free_name(g, fields, n, pg_printf(&g->arena, "%s_", wanted));
    return wanted;
}

static const char *scalar_name(const struct pg_ctype *c)
{
    static const char *const names[] = {
#define GEN_NAME(symbol, name) name,
        PG_CTYPE_MAP(GEN_NAME)
#undef GEN_NAME
    };

    return c->tag ? c->tag : c->kind < sizeof(names) / sizeof(names[0]) ? names[c->kind] : NULL;
}

const char *gen_value_type(struct gen *g, const struct gen_field *f, bool *pointer)
{
    const struct pg_ctype *c = &f->field->c;

    *pointer = c->count > 0;
    return c->count > 0 ? pg_printf(&g->arena, "%s[%u]", scalar_name(c), c->count) : scalar_name(c);
}

static uint32_t enum_size(const struct pg_ctype *c)
{
    switch (c->integer) {
    case PG_C_I8:
    case PG_C_U8:
        return 1;
    case PG_C_I16:
    case PG_C_U16:
        return 2;
    case PG_C_I64:
    case PG_C_U64:
        return 8;
    default:
        return 4;
    }
}

const char *gen_optional_type(struct gen *g, const struct gen_field *f)
{
    const struct pg_ctype *c = &f->field->c;
    json_t *types = json_object_get(g->document, "types");

    if (c->count > 0)
        return NULL;
    if (c->kind != PG_C_ENUM)
        return pg_printf(&g->arena, "opt<%s>", scalar_name(c));
    const char *name = pg_printf(&g->arena, "%s_opt_%s", g->declared->tag, c->tag);
    uint32_t size = enum_size(c);
    if (!has_name(types, name))
        gen_append(g, types,
                   json_pack("{ss, ss, ss, si, si}", "name", name, "kind", "opt", "of", c->tag, "size", (int)size * 2,
                             "align", (int)size));
    return name;
}

bool gen_is_comparable(const struct gen_field *f)
{
    const struct pg_ctype *c = &f->field->c;

    return !c->list && c->kind != PG_C_STRUCT && f->column->type.base != PG_BASE_JSON &&
           (c->count == 0 || f->column->type.base == PG_BASE_UUID || f->column->type.base == PG_BASE_BYTEA);
}

struct gen_field *gen_find(struct gen *g, const char *column)
{
    for (uint32_t i = 0; i < g->nfields; i++)
        if (strcmp(g->fields[i].column->name, column) == 0)
            return &g->fields[i];
    return NULL;
}

const char *gen_rows_type(struct gen *g)
{
    json_t *types = json_object_get(g->document, "types");
    const char *name = pg_printf(&g->arena, "%s_rows", g->declared->tag);

    if (!has_name(types, name))
        gen_append(g, types,
                   json_pack("{ss, ss, ss, si, si, ss}", "name", name, "kind", "list", "of", g->declared->tag, "size",
                             16, "align", 8, "doc", pg_printf(&g->arena, "Rows of %s.", g->table->name)));
    return name;
}

static int add_field(struct gen *g, const struct pg_field *field)
{
    const struct pg_types types = {json_object_get(g->declaration, "types"), NULL};
    struct gen_field *f = &g->fields[g->nfields++];
    enum pg_codec codec;
    char why[256];

    const char *name = g->declared->table.columns[field->column].name;
    const struct pg_column *column = pg_table_column(g->table, name);
    if (!column)
        return CELL_INVALID_ARGUMENT;
    /* A column that another made may be of another type that serves as well. */
    if (pg_map_existing(&g->arena, &types, &field->c, &column->type, &codec, why) < 0)
        codec = field->mapping.codec;
    struct pg_type_use plain = *pg_carrier(&column->type);
    plain.modifier = plain.scale = -1;
    *f = (struct gen_field){.field = field, .column = column, .type = pg_type_name(&g->arena, &plain)};
    if (codec == PG_CODEC_TEXT_FORM)
        f->cast = pg_type_name(&g->arena, &column->type);
    f->automatic = field->automatic || column->generated.sql || column->identity == 'a';
    f->defaulted = !f->automatic && field->filled && field->c.optional && column->standard.sql;
    return CELL_OK;
}

static void find_key(struct gen *g)
{
    const struct pg_key *key = g->declared->owned ? g->declared->table.primary : g->table->primary;

    if (!key)
        return;
    g->key = pg_array(&g->arena, key->n + 1, sizeof(*g->key));
    for (uint32_t i = 0; i < key->n; i++) {
        struct gen_field *f = gen_find(g, key->columns[i]);
        if (!f || !gen_is_comparable(f)) {
            g->nkey = 0;
            return;
        }
        f->key = true;
        g->key[g->nkey++] = f;
    }
}

static int generate(struct gen *g)
{
    static const char *const arrays[] = {"types", "methods", "diagnostics"};

    for (size_t i = 0; i < sizeof(arrays) / sizeof(arrays[0]); i++)
        if (!json_object_get(g->document, arrays[i]) && json_object_set_new(g->document, arrays[i], json_array()) < 0)
            no_memory(g);
    g->fields = pg_array(&g->arena, g->declared->nfields + 1, sizeof(*g->fields));
    for (uint32_t i = 0; i < g->declared->nfields; i++)
        if (add_field(g, &g->declared->fields[i]) < 0)
            return CELL_INVALID_ARGUMENT;
    if (g->nfields == 0)
        return CELL_OK;
    find_key(g);
    g->writes = g->declared->owned && (g->table->kind == 'r' || g->table->kind == 'p' || g->table->kind == 0);
    if (!take_name(g, pg_printf(&g->arena, "%s_rows", g->declared->tag)))
        return CELL_OK;
    gen_rows_type(g);
    if (g->writes)
        gen_writes(g);
    gen_reads(g);
    return CELL_OK;
}

int pg_generate_table(const struct pg_declared *declared, const struct pg_table *table, const json_t *declaration,
                      json_t *document)
{
    struct gen g = {.declared = declared, .table = table, .declaration = declaration, .document = document};
    jmp_buf escape;
    int r;

    g.arena.escape = &escape;
    r = setjmp(escape) ? CELL_NO_MEMORY : generate(&g);
    pg_arena_free(&g.arena);
    return r;
}
