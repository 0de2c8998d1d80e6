/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The header as a whole. */
#include "import.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cell/errors.h>

#include "import_parts.h"
#include "sql.h"

static bool is_wanted(const struct importing *s, const struct pg_table *t)
{
    if (strcmp(t->schema, s->schema) != 0)
        return false;
    for (uint32_t i = 0; i < s->options->ntables; i++)
        if (strcmp(s->options->tables[i], t->name) == 0)
            return true;
    return !s->options->tables;
}

/* Why there can be no struct for it; NULL. */
static const char *unfit(struct importing *s, const struct pg_table *t)
{
    const char *dot = strchr(t->name, '.');

    for (uint32_t i = 0; i < s->options->nfacts; i++)
        if (s->options->facts[i].unfit && strcmp(s->options->facts[i].table, t->name) == 0)
            return s->options->facts[i].text;
    if (t->ncolumns == 0)
        return "it has no columns";
    if (dot && dot != t->name && dot[1])
        return "a name with a dot in it is taken for one with a schema";
    for (uint32_t i = 0; i < t->ncolumns; i++)
        if (!import_fits(s, &t->columns[i]))
            return pg_printf(s->arena, "no field can be declared for column '%s' of type %s", t->columns[i].name,
                             pg_type_name(s->arena, &t->columns[i].type));
    return NULL;
}

static void collect(struct importing *s)
{
    for (uint32_t i = 0; i < s->model->ntables; i++) {
        const struct pg_table *from = &s->model->tables[i];
        const char *why = is_wanted(s, from) ? unfit(s, from) : NULL;
        if (!is_wanted(s, from))
            continue;
        struct import_table t = {.from = from, .notes = {.arena = s->arena}};
        if (why) {
            import_comment(&s->left_out, "", pg_printf(s->arena, "Not here: table '%s': %s.", from->name, why));
            import_lose(s, from->name, pg_printf(s->arena, "the table: %s", why));
            continue;
        }
        t.owned = !s->options->rows && (from->kind == 'r' || from->kind == 'p');
        t.fields = pg_array(s->arena, from->ncolumns, sizeof(*t.fields));
        for (uint32_t k = 0; k < from->ncolumns; k++) {
            t.fields[k].column = &from->columns[k];
            t.fields[k].notes.arena = s->arena;
        }
        *pg_push(s->arena, &s->tables) = t;
    }
}

static void add_facts(struct importing *s, struct import_table *t)
{
    for (uint32_t i = 0; i < s->options->nfacts; i++) {
        const struct pg_import_fact *fact = &s->options->facts[i];
        if (strcmp(fact->table, t->from->name) == 0)
            import_note(s, t, fact->column ? import_field_of(t, fact->column) : NULL, "%s", fact->text);
    }
}

static void fill_table(struct importing *s, struct import_table *t)
{
    const char *comment = t->from->comment;

    import_name_fields(s, t);
    if (comment && !import_is_doc(comment))
        import_note(s, t, NULL, "its comment, which is no comment of C: %s", comment);
    for (uint32_t i = 0; i < t->from->ncolumns; i++)
        import_column(s, t, &t->fields[i]);
    if (!t->owned)
        return;
    import_objects(s, t);
    add_facts(s, t);
}

static void write_table(struct importing *s, const struct import_table *t)
{
    pg_puts(&s->text, "\n");
    if (t->notes.data)
        pg_puts(&s->text, t->notes.data);
    if (t->from->comment && import_is_doc(t->from->comment))
        import_doc(&s->text, "", t->from->comment);
    pg_putf(&s->text, "struct %s", import_macro1(s->arena, t->owned ? "CELL_TABLE" : "CELL_ROWS", t->from->name));
    if (strcmp(s->schema, s->model->default_schema) != 0)
        pg_putf(&s->text, " %s", import_macro1(s->arena, "CELL_SCHEMA", s->schema));
    for (uint32_t i = 0; i < t->rules.n; i++)
        pg_putf(&s->text, "\n    %s", t->rules.at[i]);
    pg_putf(&s->text, "%s%s {\n", t->rules.n ? "\n    " : " ", t->tag);
    for (uint32_t i = 0; i < t->from->ncolumns; i++)
        import_write_field(s, &t->fields[i]);
    pg_puts(&s->text, "};\n");
}

/* Whether a field of that enum makes the type. */
static bool is_made(const struct importing *s, const char *type)
{
    for (uint32_t i = 0; i < s->enums.n; i++) {
        const struct pg_enum *e = s->enums.at[i].from;
        const struct pg_type_use bare = {.base = PG_BASE_OTHER, .name = e->name, .modifier = -1, .scale = -1};
        const struct pg_type_use whole = {
            .base = PG_BASE_OTHER, .schema = e->schema, .name = e->name, .modifier = -1, .scale = -1};
        if (s->enums.at[i].used &&
            (strcmp(pg_type_name(s->arena, &bare), type) == 0 || strcmp(pg_type_name(s->arena, &whole), type) == 0))
            return true;
    }
    return false;
}

static const struct pg_domain *domain_named(const struct importing *s, const char *type)
{
    for (uint32_t i = 0; i < s->model->ndomains; i++) {
        const struct pg_domain *d = &s->model->domains[i];
        const char *schema = d->visible ? NULL : d->schema;
        const struct pg_type_use use = {
            .base = PG_BASE_OTHER, .schema = schema, .name = d->name, .modifier = -1, .scale = -1};
        if (strcmp(pg_type_name(s->arena, &use), type) == 0)
            return d;
    }
    return NULL;
}

/* What a database without the domain needs, behind what the domain itself is made of. */
static void write_domain(struct importing *s, const char *type, bool *written)
{
    const struct pg_domain *d = domain_named(s, type);

    if (!d || written[d - s->model->domains])
        return;
    written[d - s->model->domains] = true;
    if (d->base.base == PG_BASE_OTHER)
        write_domain(s, pg_type_name(s->arena, &d->base), written);
    import_comment(&s->text, "", pg_printf(s->arena, "CREATE DOMAIN %s AS %s;", type, d->definition));
}

static void write_head(struct importing *s)
{
    struct pg_text types = {.arena = s->arena};

    import_comment(
        &s->text, "",
        pg_printf(s->arena,
                  "The tables of schema '%s' of a PostgreSQL database, as `cell import postgres` found them. "
                  "What a struct cannot say stands in comments that begin with \"Not here\"; it stays in the "
                  "database as it is.",
                  s->schema));
    for (uint32_t i = 0; i < s->types.n; i++)
        if (!is_made(s, s->types.at[i]))
            pg_putf(&types, "%s%s", types.len ? ", " : "", s->types.at[i]);
    if (types.len) {
        pg_puts(&s->text, "//\n");
        import_comment(&s->text, "",
                       pg_printf(s->arena, "Not here: the types %s, which have to be in a database before its tables.",
                                 types.data));
        bool *written = pg_array(s->arena, s->model->ndomains + 1u, sizeof(*written));
        for (uint32_t i = 0; i < s->types.n; i++)
            write_domain(s, s->types.at[i], written);
        import_lose(s, NULL, pg_printf(s->arena, "the types %s: a database needs them before its tables", types.data));
    }
    pg_puts(&s->text, "#pragma once\n\n#include <stdbool.h>\n#include <stdint.h>\n\n#include <cell/cell.h>\n");
}

static int missing(const struct importing *s, char why[256])
{
    for (uint32_t i = 0; i < s->options->ntables; i++)
        if (!pg_model_table(s->model, s->schema, s->options->tables[i])) {
            const char **names = pg_array(s->arena, s->model->ntables + 1, sizeof(*names));
            for (uint32_t k = 0; k < s->model->ntables; k++)
                names[k] = s->model->tables[k].name;
            const char *near = pg_suggest(s->options->tables[i], names, s->model->ntables);
            snprintf(why, 256,
                     near ? "schema '%.63s' has no table '%.63s'; did you mean '%.63s'?"
                          : "schema '%.63s' has no table '%.63s'",
                     s->schema, s->options->tables[i], near);
            return CELL_NOT_FOUND;
        }
    return CELL_OK;
}

static int import_all(struct importing *s, char why[256])
{
    int status = missing(s, why);

    if (status < 0)
        return status;
    collect(s);
    import_name_tables(s);
    import_order_tables(s);
    for (uint32_t i = 0; i < s->tables.n; i++)
        fill_table(s, &s->tables.at[i]);
    write_head(s);
    import_write_enums(s);
    for (uint32_t i = 0; i < s->tables.n; i++)
        write_table(s, &s->tables.at[i]);
    if (s->left_out.len)
        pg_putf(&s->text, "\n%s", s->left_out.data);
    s->out->header = s->text.data;
    s->out->ntables = s->tables.n;
    import_list_lost(s);
    return CELL_OK;
}

/* With the arena's escape set: what changes is not of this frame. */
static int import_in(struct importing *s, char why[256])
{
    jmp_buf escape;

    s->arena->escape = &escape;
    if (setjmp(escape)) {
        snprintf(why, 256, "out of memory");
        return CELL_NO_MEMORY;
    }
    return import_all(s, why);
}

int pg_import_tables(const struct pg_model *model, const struct pg_import_options *options, struct pg_import **import,
                     char why[256])
{
    struct pg_import *out = calloc(1, sizeof(*out));
    struct importing s = {.out = out, .model = model, .options = options};

    if (!out) {
        snprintf(why, 256, "out of memory");
        return CELL_NO_MEMORY;
    }
    s.arena = &out->arena;
    s.text.arena = s.left_out.arena = s.arena;
    s.schema = options->schema ? options->schema : model->default_schema;
    int status = import_in(&s, why);
    out->arena.escape = NULL;
    if (status < 0)
        pg_import_free(out);
    else
        *import = out;
    return status;
}

void pg_import_free(struct pg_import *import)
{
    if (!import)
        return;
    pg_arena_free(&import->arena);
    free(import);
}
