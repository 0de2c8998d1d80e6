/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A struct's JSON in place of another: what the struct does not know of the old one stays. */
#include "generate_impl.h"

#include <string.h>

#include "sql.h"

struct keeping {
    struct pg_arena *arena;
    struct pg_types types;
};

static const char *member_of(const struct keeping *k, const char *json, const char *name)
{
    struct pg_text t = {.arena = k->arena};

    pg_putf(&t, "%s -> ", json);
    pg_sql_literal(&t, name);
    return t.data;
}

static const char *name_of(const json_t *field)
{
    const char *name = json_string_value(json_object_get(field, "name"));

    return name ? name : "";
}

/* Whether the field is one struct, which may be absent. */
static bool is_struct(const struct keeping *k, const json_t *field, struct pg_ctype *c)
{
    const char *type = json_string_value(json_object_get(field, "type"));

    return type && pg_ctype_parse(k->arena, &k->types, type, c, (char[256]){0}) >= 0 && c->kind == PG_C_STRUCT &&
           !c->list && !c->count;
}

static void merge(const struct keeping *k, struct pg_text *sql, const struct pg_ctype *c, const char *before,
                  const char *now);

/* What is within the struct, which `now` has as a whole, is put over it. */
static void merge_members(const struct keeping *k, struct pg_text *sql, const struct pg_ctype *c, const char *before,
                          const char *now)
{
    for (size_t i = 0; i < json_array_size(c->fields); i++) {
        const json_t *field = json_array_get(c->fields, i);
        const char *name = name_of(field);
        struct pg_ctype inner = {0};
        if (!is_struct(k, field, &inner))
            continue;
        pg_puts(sql, " || ");
        if (inner.optional)
            pg_putf(sql, "CASE WHEN %s IS NULL THEN '{}' ELSE ", member_of(k, now, name));
        pg_puts(sql, "jsonb_build_object(");
        pg_sql_literal(sql, name);
        pg_puts(sql, ", ");
        merge(k, sql, &inner, member_of(k, before, name), member_of(k, now, name));
        pg_puts(sql, inner.optional ? ") END" : ")");
    }
}

static void merge(const struct keeping *k, struct pg_text *sql, const struct pg_ctype *c, const char *before,
                  const char *now)
{
    pg_putf(sql, "CASE WHEN jsonb_typeof(%s) = 'object' AND jsonb_typeof(%s) = 'object' THEN (%s) - ARRAY[", before,
            now, before);
    for (size_t i = 0; i < json_array_size(c->fields); i++) {
        pg_puts(sql, i ? ", " : "");
        pg_sql_literal(sql, name_of(json_array_get(c->fields, i)));
    }
    pg_putf(sql, "] || (%s)", now);
    merge_members(k, sql, c, before, now);
    pg_putf(sql, " ELSE %s END", now);
}

void gen_kept(struct gen *g, struct pg_text *sql, const struct gen_field *f, const char *before, const char *now)
{
    const struct keeping k = {&g->arena, {json_object_get(g->declaration, "types"), NULL}};
    const struct pg_ctype *c = &f->field->c;
    bool object = f->field->mapping.codec == PG_CODEC_JSON_STRUCT && !c->list && !c->count;

    if (object && pg_carrier(&f->column->type)->base == PG_BASE_JSONB)
        merge(&k, sql, c, before, now);
    else
        pg_puts(sql, now);
}
