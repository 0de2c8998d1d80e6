/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* From a column to its field. */
#include <string.h>

#include <cell/errors.h>

#include "import_parts.h"
#include "sql.h"
#include "types_parts.h"

static void add_rule(struct importing *s, struct import_field *f, const char *rule)
{
    *pg_push(s->arena, &f->rules) = rule;
}

/* What CELL_SQL_TYPE has to say for a field of type `c` to be on a column of type `type`: *sql_type, NULL when nothing
 * has to be said. False when no text does. */
static bool find_sql_type(struct importing *s, const struct pg_ctype *c, const struct pg_column *column,
                          const char **sql_type)
{
    const struct pg_type_use *type = &column->type;
    const struct pg_types types = {NULL, s->model};
    struct pg_type_use own = *type;
    struct pg_mapping m;
    char why[256];

    *sql_type = NULL;
    if (pg_map_field(s->arena, &types, c, NULL, column->name, &m, why) >= 0 && pg_type_equal(&m.type, type) &&
        !m.vector_or_real && !m.check)
        return true;
    for (int qualified = 0; qualified < 2; qualified++) {
        if (qualified && (type->base != PG_BASE_OTHER || type->schema))
            return false;
        /* A name that looks like a mistake for another one is taken with its schema. */
        own.schema = qualified ? s->model->default_schema : type->schema;
        *sql_type = pg_type_name(s->arena, &own);
        if (pg_map_field(s->arena, &types, c, *sql_type, column->name, &m, why) >= 0 && pg_type_equal(&m.type, type) &&
            !m.check)
            return true;
    }
    return false;
}

bool import_fits(struct importing *s, const struct pg_column *c)
{
    struct pg_ctype type;
    enum pg_codec codec;
    const char *sql_type;

    pg_ctype_for(s->arena, &c->type, c->nullable, &type, &codec);
    return find_sql_type(s, &type, c, &sql_type);
}

static const char *scalar(enum pg_ckind kind)
{
    switch (kind) {
    case PG_C_BOOL:
        return "bool";
    case PG_C_F32:
        return "float";
    case PG_C_F64:
        return "double";
    case PG_C_STR:
        return "cell_str";
    case PG_C_BYTES:
        return "cell_bytes";
    case PG_C_U8:
        return "uint8_t";
    case PG_C_I16:
        return "int16_t";
    case PG_C_I32:
        return "int32_t";
    default:
        return "int64_t";
    }
}

/* A type that the header names and does not make. */
static void need_type(struct importing *s, const struct pg_type_use *type)
{
    struct pg_type_use one = *type;

    if (type->base != PG_BASE_OTHER && type->base != PG_BASE_VECTOR)
        return;
    one.array = false;
    one.modifier = one.scale = -1;
    const char *name = pg_type_name(s->arena, &one);
    for (uint32_t i = 0; i < s->types.n; i++)
        if (strcmp(s->types.at[i], name) == 0)
            return;
    *pg_push(s->arena, &s->types) = name;
}

static const char *enum_declarator(struct importing *s, struct import_enum *e, const struct import_field *f)
{
    if (!f->column->nullable)
        return pg_printf(s->arena, "enum %s %s", e->tag, f->name);
    for (unsigned i = 1; !e->optional; i++) {
        const char *name = i == 1 ? pg_printf(s->arena, "%s_opt", e->tag) : pg_printf(s->arena, "%s_opt%u", e->tag, i);
        if (import_name_taken(s, name))
            continue;
        e->optional = name;
        *pg_push(s->arena, &s->names) = name;
    }
    return pg_printf(s->arena, "%s %s", e->optional, f->name);
}

static void add_type(struct importing *s, struct import_field *f)
{
    const struct pg_column *c = f->column;
    struct import_enum *e = c->type.array ? NULL : import_enum_of(s, &c->type);
    struct pg_ctype type;
    enum pg_codec codec;
    const char *sql_type = NULL;

    pg_ctype_for(s->arena, &c->type, c->nullable, &type, &codec);
    if (e && e->tag) {
        f->declarator = enum_declarator(s, e, f);
        sql_type = pg_type_name(s->arena, &c->type);
    } else {
        const char *name = type.list || type.optional ? pg_ckind_name(type.kind) : scalar(type.kind);
        f->declarator = pg_printf(s->arena, "%s%s %s%s",
                                  type.list       ? "cell_list_"
                                  : type.optional ? "cell_opt_"
                                                  : "",
                                  name, f->name, type.count ? pg_printf(s->arena, "[%u]", type.count) : "");
        find_sql_type(s, &type, c, &sql_type);
        need_type(s, &c->type);
    }
    if (sql_type)
        add_rule(s, f, import_macro1(s->arena, "CELL_SQL_TYPE", sql_type));
}

static void add_identity(struct importing *s, struct import_table *t, struct import_field *f)
{
    const struct pg_column *c = f->column;
    bool integer = c->type.base >= PG_BASE_INT2 && c->type.base <= PG_BASE_INT8 && !c->type.array;

    if (!integer || c->nullable)
        import_note(s, t, f, "its sequence: CELL_AUTO is for integers that are never NULL");
    else
        add_rule(s, f, "CELL_AUTO");
}

static void add_value(struct importing *s, struct import_table *t, struct import_field *f)
{
    const struct pg_column *c = f->column;
    bool generated = c->generated.sql != NULL;
    const char *sql = generated ? c->generated.sql : c->standard.sql;
    char why[128];

    if (c->identity)
        add_identity(s, t, f);
    else if (sql && pg_sql_check(sql, why, NULL) < 0)
        import_note(s, t, f, "its %s, %s: %s", generated ? "expression" : "default", sql, why);
    else if (sql)
        add_rule(s, f, import_macro1(s->arena, generated ? "CELL_GENERATED" : "CELL_DEFAULT", sql));
}

void import_column(struct importing *s, struct import_table *t, struct import_field *f)
{
    if (strcmp(f->name, f->column->name) != 0)
        add_rule(s, f, import_macro1(s->arena, "CELL_COLUMN", f->column->name));
    add_type(s, f);
    if (t->owned)
        add_value(s, t, f);
    if (f->column->comment && !import_is_doc(f->column->comment))
        import_note(s, t, f, "its comment, which is no comment of C: %s", f->column->comment);
}

void import_write_field(struct importing *s, const struct import_field *f)
{
    size_t column = 4 + strlen(f->declarator);

    if (f->notes.data)
        pg_puts(&s->text, f->notes.data);
    if (f->column->comment && import_is_doc(f->column->comment))
        import_doc(&s->text, "    ", f->column->comment);
    pg_putf(&s->text, "    %s", f->declarator);
    for (uint32_t i = 0; i < f->rules.n; i++) {
        size_t len = strlen(f->rules.at[i]);
        bool breaks = column + 1 + len > 118;
        pg_putf(&s->text, "%s%s", breaks ? "\n        " : " ", f->rules.at[i]);
        column = breaks ? 8 + len : column + 1 + len;
    }
    pg_puts(&s->text, ";\n");
}
