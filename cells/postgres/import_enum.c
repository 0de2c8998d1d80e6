/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Native enum types as enums of C, where the labels can be said with enumerators. */
#include <string.h>

#include "import_parts.h"
#include "types_parts.h"

static const char *upper(struct pg_arena *arena, const char *name)
{
    char *text = pg_strdup(arena, name);

    for (char *p = text; *p; p++)
        if (*p >= 'a' && *p <= 'z')
            *p = (char)(*p - 'a' + 'A');
    return text;
}

static const char *free_tag(struct importing *s, const char *name)
{
    const char *like = import_identifier(s->arena, name), *tag = like;

    if (like[0] == '_' || (like[0] >= '0' && like[0] <= '9'))
        tag = pg_printf(s->arena, "enum_%s", like);
    for (unsigned i = 1; import_name_taken(s, tag) || import_is_reserved(tag); i++)
        tag = i == 1 ? pg_printf(s->arena, "%s_value", like) : pg_printf(s->arena, "%s_value%u", like, i);
    return tag;
}

/* What an enumerator says of its label is what declare.h makes of its name. */
static bool says_labels(struct importing *s, const struct pg_enum *e, const char **names)
{
    struct pg_cvalue *values = pg_array(s->arena, e->n, sizeof(*values));

    for (uint32_t i = 0; i < e->n; i++)
        values[i].name = names[i];
    pg_enum_labels(s->arena, values, e->n, NULL);
    for (uint32_t i = 0; i < e->n; i++)
        if (strcmp(values[i].label, e->labels[i]) != 0)
            return false;
    return true;
}

static void make(struct importing *s, struct import_enum *e)
{
    const struct pg_enum *from = e->from;
    const char *tag = free_tag(s, from->name), *prefix = upper(s->arena, tag);
    const char **names = pg_array(s->arena, from->n + 1, sizeof(*names));

    if (from->n == 0 || from->n > 1000 || strlen(tag) > 50)
        return;
    for (uint32_t i = 0; i < from->n; i++) {
        const char *label = import_identifier(s->arena, from->labels[i]);
        if (strcmp(label, from->labels[i]) != 0)
            return;
        names[i] = pg_printf(s->arena, "%s_%s", prefix, upper(s->arena, label));
        if (import_name_taken(s, names[i]) || strlen(names[i]) > 120 || import_is_reserved(names[i]))
            return;
    }
    if (!says_labels(s, from, names))
        return;
    e->tag = tag;
    e->names = names;
    *pg_push(s->arena, &s->names) = tag;
    for (uint32_t i = 0; i < from->n; i++)
        *pg_push(s->arena, &s->names) = names[i];
}

struct import_enum *import_enum_of(struct importing *s, const struct pg_type_use *type)
{
    const struct pg_enum *e = type->base == PG_BASE_OTHER ? pg_model_enum(s->model, type->schema, type->name) : NULL;

    if (!e)
        return NULL;
    for (uint32_t i = 0; i < s->enums.n; i++)
        if (s->enums.at[i].from == e)
            return &s->enums.at[i];
    struct import_enum *made = pg_push(s->arena, &s->enums);
    made->from = e;
    make(s, made);
    return made;
}

void import_write_enums(struct importing *s)
{
    for (uint32_t i = 0; i < s->enums.n; i++) {
        const struct import_enum *e = &s->enums.at[i];
        if (!e->tag || !e->used)
            continue;
        pg_putf(&s->text, "\nenum %s {\n", e->tag);
        for (uint32_t k = 0; k < e->from->n; k++)
            pg_putf(&s->text, "    %s%s\n", e->names[k], k + 1 < e->from->n ? "," : "");
        pg_puts(&s->text, "};\n");
        if (e->optional)
            pg_putf(&s->text, "CELL_OPT(%s, enum %s);\n", e->optional, e->tag);
    }
}
