/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* From an expansion request to what it declares: the table as a whole. */
#include "declare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cell/errors.h>

#include "declare_parts.h"
#include "sql.h"
#include "sql_parts.h"

const char *pg_rule_arg(struct pg_arena *arena, const json_t *rule, uint32_t i)
{
    const char *text = json_string_value(json_array_get(json_object_get(rule, "args"), i));

    return text && *text ? pg_strdup(arena, text) : NULL;
}

static bool name_taken(const struct declaring *s, const char *name)
{
    const struct pg_table *t = &s->d->table;

    if (t->primary && strcmp(t->primary->name, name) == 0)
        return true;
    for (uint32_t i = 0; i < s->uniques.n; i++)
        if (strcmp(s->uniques.at[i].name, name) == 0)
            return true;
    for (uint32_t i = 0; i < s->indexes.n; i++)
        if (strcmp(s->indexes.at[i].name, name) == 0)
            return true;
    for (uint32_t i = 0; i < s->foreign.n; i++)
        if (strcmp(s->foreign.at[i].name, name) == 0)
            return true;
    for (uint32_t i = 0; i < s->checks.n; i++)
        if (strcmp(s->checks.at[i].name, name) == 0)
            return true;
    return false;
}

const char *pg_declare_name(struct declaring *s, const char *column, const char *end)
{
    const char *name = pg_made_name(s->arena, s->d->table.name, column, end);

    for (unsigned i = 2; name_taken(s, name); i++)
        name = pg_made_name(s->arena, s->d->table.name, column, pg_printf(s->arena, "%s%u", end, i));
    return name;
}

void pg_declare_check(struct declaring *s, const char *sql, const char *column, const char *end, const char *origin,
                      const char *written)
{
    const char *name = pg_declare_name(s, column, end);

    *pg_push(s->arena, &s->checks) = (struct pg_check){
        name, {.sql = sql}, true, true, column, origin, written, origin && strcmp(origin, PG_TYPE_IN_C) == 0};
}

bool pg_declare_sql(struct declaring *s, const char *sql, const char *macro, struct pg_place place)
{
    char why[128];
    size_t at;

    if (!sql) {
        pg_mistake(s, place, "%s needs SQL", macro);
        return false;
    }
    if (pg_sql_check(sql, why, &at) >= 0)
        return true;
    struct pg_diagnostic *d = pg_mistake(s, place, "the SQL of %s is no expression: %s", macro, why);
    d->at = (int64_t)at;
    d->length = 0;
    return false;
}

bool pg_declare_table_name(struct declaring *s, const char *text, const char **schema, const char **name)
{
    size_t len = strlen(text);
    struct pg_token first = pg_sql_token(text, len, 0), dot = pg_sql_token(text, len, first.at + first.len);
    struct pg_token second = pg_sql_token(text, len, dot.at + dot.len);

    if (first.kind != PG_TOKEN_NAME && first.kind != PG_TOKEN_QUOTED)
        return false;
    *schema = s->d->table.schema;
    *name = pg_token_name(s->arena, text, first);
    if (dot.kind != PG_TOKEN_END) {
        if (!pg_token_is(text, dot, ".") || (second.kind != PG_TOKEN_NAME && second.kind != PG_TOKEN_QUOTED) ||
            pg_sql_token(text, len, second.at + second.len).kind != PG_TOKEN_END)
            return false;
        *schema = *name;
        *name = pg_token_name(s->arena, text, second);
    }
    return pg_name_fits(*schema) && pg_name_fits(*name);
}

static bool has_column(const struct declaring *s, const char *name)
{
    for (uint32_t i = 0; i < s->columns.n; i++)
        if (strcmp(s->columns.at[i].name, name) == 0)
            return true;
    return false;
}

void pg_declare_named(struct declaring *s, const char *column, struct pg_place place)
{
    if (!has_column(s, column))
        *pg_push(s->arena, &s->outer) = (struct pg_outer){column, place.rule, place.argument, PG_OUTER_NAMED};
}

void pg_declare_outer_use(struct declaring *s, int rule, enum pg_outer_use use)
{
    for (uint32_t i = 0; i < s->outer.n; i++)
        if (s->outer.at[i].rule == rule)
            s->outer.at[i].use = use;
}

uint32_t pg_declare_columns(struct declaring *s, const char *text, const char ***columns, struct pg_place place)
{
    struct pg_token parts[PG_INDEX_PARTS_MAX];
    uint32_t n = 0;
    char why[128];

    if (!text || pg_sql_parts(text, parts, PG_INDEX_PARTS_MAX, &n, why, NULL) < 0) {
        pg_mistake(s, place, "this is no list of columns: %s", text ? why : "it is empty");
        return 0;
    }
    const char **names = pg_array(s->arena, n, sizeof(*names));
    for (uint32_t i = 0; i < n; i++) {
        struct pg_token t = pg_sql_token(text, parts[i].at + parts[i].len, parts[i].at);
        if ((t.kind != PG_TOKEN_NAME && t.kind != PG_TOKEN_QUOTED) || t.len != parts[i].len) {
            pg_mistake(s, place, "'%.*s' is no name of a column", (int)parts[i].len, text + parts[i].at);
            return 0;
        }
        names[i] = pg_token_name(s->arena, text, t);
        pg_declare_named(s, names[i], place);
        for (uint32_t k = 0; k < i; k++)
            if (strcmp(names[k], names[i]) == 0) {
                pg_mistake(s, place, "column '%s' stands twice in this list", names[i]);
                return 0;
            }
    }
    *columns = names;
    return n;
}

struct words {
    const char *text;
    size_t len, at;
    struct pg_token t;
};

static bool next_word(struct words *w)
{
    w->t = pg_sql_token(w->text, w->len, w->at);
    w->at = w->t.at + w->t.len;
    return w->t.kind != PG_TOKEN_END;
}

static bool word_is(const struct words *w, const char *word) { return pg_token_is(w->text, w->t, word); }

static bool read_action(struct words *w, enum pg_action *action)
{
    if (word_is(w, "cascade"))
        *action = PG_CASCADE;
    else if (word_is(w, "restrict"))
        *action = PG_RESTRICT;
    else if (word_is(w, "no"))
        return next_word(w) && word_is(w, "action");
    else if (!word_is(w, "set") || !next_word(w))
        return false;
    else if (word_is(w, "null"))
        *action = PG_SET_NULL;
    else if (word_is(w, "default"))
        *action = PG_SET_DEFAULT;
    else
        return false;
    return true;
}

/* "on delete cascade on update restrict deferrable initially deferred"; "cascade" alone is the action on delete. */
static bool read_actions(const char *text, struct pg_foreign_key *f)
{
    struct words w = {.text = text, .len = strlen(text)};

    while (next_word(&w)) {
        if (word_is(&w, "deferrable"))
            f->deferrable = true;
        else if (word_is(&w, "initially")) {
            f->deferrable = true;
            next_word(&w);
            f->deferred = word_is(&w, "deferred");
            if (!f->deferred && !word_is(&w, "immediate"))
                return false;
        } else {
            enum pg_action *action = &f->on_delete;
            if (word_is(&w, "on")) {
                next_word(&w);
                action = word_is(&w, "update") ? &f->on_update : &f->on_delete;
                if ((!word_is(&w, "update") && !word_is(&w, "delete")) || !next_word(&w))
                    return false;
            }
            if (!read_action(&w, action))
                return false;
        }
    }
    return true;
}

void pg_declare_foreign(struct declaring *s, const char **columns, uint32_t n, const char *table,
                        const char **to_columns, const char *actions, struct pg_place place)
{
    struct pg_foreign_key f = {.columns = columns,
                               .n = n,
                               .to_columns = to_columns,
                               .on_delete = PG_NO_ACTION,
                               .on_update = PG_NO_ACTION,
                               .valid = true,
                               .made = true};

    if (!pg_declare_table_name(s, table, &f.to_schema, &f.to_table)) {
        pg_mistake(s, place, "'%s' is no name of a table", table);
        return;
    }
    if (!read_actions(actions ? actions : "", &f)) {
        pg_mistake(s, place,
                   "'%s' is no action: write 'on delete' or 'on update' and 'cascade', 'restrict', 'set null', "
                   "'set default' or 'no action'",
                   actions);
        return;
    }
    bool sets_null = f.on_delete == PG_SET_NULL || f.on_update == PG_SET_NULL;
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < s->columns.n; k++)
            if (strcmp(s->columns.at[k].name, columns[i]) == 0 && !s->columns.at[k].nullable && sets_null) {
                pg_mistake(s, place, "'set null' contradicts column '%s', which is never NULL: make it optional",
                           columns[i]);
                return;
            }
    if (sets_null && !place.field)
        pg_declare_outer_use(s, place.rule, PG_OUTER_SET_NULL);
    f.name = pg_declare_name(s, n == 1 ? columns[0] : pg_printf(s->arena, "%s_%s", columns[0], columns[1]), "fkey");
    *pg_push(s->arena, &s->foreign) = f;
}

static const char *own_schema(struct pg_arena *arena, const json_t *declaration, const struct pg_model *catalog)
{
    const json_t *rules = json_object_get(declaration, "rules");

    for (size_t i = 0; i < json_array_size(rules); i++) {
        const json_t *rule = json_array_get(rules, i);
        const char *name = json_string_value(json_object_get(rule, "rule"));
        if (name && strcmp(name, "schema") == 0 && pg_rule_arg(arena, rule, 0))
            return pg_rule_arg(arena, rule, 0);
    }
    return pg_strdup(arena, catalog && catalog->default_schema ? catalog->default_schema : "public");
}

/* The name of the table as the annotation gives it. */
static void declare_name(struct declaring *s, const char *name)
{
    struct pg_table *t = &s->d->table;
    const char *dot = strchr(name, '.');

    t->name = pg_strdup(s->arena, name);
    if (!pg_name_fits(name))
        pg_mistake(s, PG_AT_ANNOTATION,
                   *name ? "the name of a table has at most 63 bytes, '%s' has more" : "a table needs a name%s", name);
    else if (dot && dot != name && dot[1])
        pg_mistake(s, PG_AT_ANNOTATION, "a table is named without its schema: \"%s\" with CELL_SCHEMA(\"%.*s\")",
                   dot + 1, (int)(dot - name), name);
    if (s->d->owned && (strcmp(t->schema, "cell") == 0 || strcmp(t->schema, "information_schema") == 0 ||
                        strncmp(t->schema, "pg_", 3) == 0))
        pg_mistake(s, PG_AT_ANNOTATION, "schema '%s' is not for tables of programs", t->schema);
}

static void declare_primary(struct declaring *s)
{
    struct pg_table *t = &s->d->table;

    if (s->key.n == 0)
        return;
    struct pg_key key = {pg_declare_name(s, NULL, "pkey"), s->key.at, s->key.n, true};
    t->primary = pg_alloc(s->arena, sizeof(*t->primary));
    *t->primary = key;
}

static const struct pg_field *field_on(const struct declaring *s, const char *column)
{
    for (uint32_t i = 0; i < s->fields.n; i++)
        if (strcmp(s->columns.at[s->fields.at[i].column].name, column) == 0)
            return &s->fields.at[i];
    return NULL;
}

/* Columns that give each other their names are the same ones before and after: nothing would tell whether that was
 * done. */
static void check_former_names(struct declaring *s)
{
    for (uint32_t i = 0; i < s->fields.n; i++) {
        const struct pg_field *first = &s->fields.at[i], *f = first;
        const char *name = s->columns.at[first->column].name;
        uint32_t n = 0;
        for (; f && f->renamed_from && n < s->fields.n; n++) {
            if (strcmp(f->renamed_from, name) == 0)
                break;
            f = field_on(s, f->renamed_from);
        }
        if (!f || !f->renamed_from || n == s->fields.n)
            continue;
        pg_mistake(s, ((struct pg_place){first->name, -1, -1}),
                   "CELL_RENAMED_FROM(%s) and CELL_RENAMED_FROM(%s) on '%s' give columns each other's names, and "
                   "afterwards nothing tells that it was done: give one of them a name that is free, and the one that "
                   "is meant in a later build",
                   first->renamed_from, f->renamed_from, f->name);
        return;
    }
}

static void declare_all(struct declaring *s, const json_t *declaration)
{
    const json_t *fields = json_object_get(json_object_get(declaration, "type"), "fields");
    const json_t *rules = json_object_get(declaration, "rules");

    if (json_array_size(fields) == 0)
        pg_mistake(s, PG_AT_ANNOTATION, "a table needs columns: the struct has no field");
    if (json_array_size(fields) > PG_COLUMNS_MAX) {
        pg_mistake(s, PG_AT_ANNOTATION, "a table has at most %d columns", PG_COLUMNS_MAX);
        return;
    }
    for (size_t i = 0; i < json_array_size(fields); i++)
        pg_declare_field(s, json_array_get(fields, i));
    check_former_names(s);
    declare_primary(s);
    for (uint32_t i = 0; i < s->fields.n; i++)
        for (size_t k = 0; k < json_array_size(fields); k++) {
            const char *name = json_string_value(json_object_get(json_array_get(fields, k), "name"));
            if (name && strcmp(name, s->fields.at[i].name) == 0)
                pg_declare_field_objects(s, json_array_get(fields, k), &s->fields.at[i]);
        }
    for (size_t i = 0; i < json_array_size(rules); i++)
        pg_declare_rule(s, json_array_get(rules, i), (int)i);
}

static void list_names(struct declaring *s, const char *name)
{
    for (uint32_t i = 0; i < PG_RELATION_NAMES; i++)
        *pg_push(s->arena, &s->relations) = pg_relation_name(s->arena, &s->d->table, name, i);
}

/* What the catalog is asked for, as others may have these names. */
static void list_relations(struct declaring *s)
{
    const struct pg_table *t = &s->d->table;

    if (t->primary) {
        list_names(s, t->primary->name);
        list_names(s, pg_key_helper_name(s->arena, t->primary));
    }
    for (uint32_t i = 0; i < s->uniques.n; i++)
        list_names(s, s->uniques.at[i].name);
    for (uint32_t i = 0; i < s->indexes.n; i++)
        list_names(s, s->indexes.at[i].name);
    s->d->relations = s->relations.at;
    s->d->nrelations = s->relations.n;
}

/* What was collected becomes the declaration's. */
static void hand_over(struct declaring *s)
{
    struct pg_declared *d = s->d;

    d->table.columns = s->columns.at;
    d->table.ncolumns = s->columns.n;
    d->table.uniques = s->uniques.at;
    d->table.nuniques = s->uniques.n;
    d->table.indexes = s->indexes.at;
    d->table.nindexes = s->indexes.n;
    d->table.foreign = s->foreign.at;
    d->table.nforeign = s->foreign.n;
    d->table.checks = s->checks.at;
    d->table.nchecks = s->checks.n;
    d->fields = s->fields.at;
    d->nfields = s->fields.n;
    d->consents = s->consents.at;
    d->nconsents = s->consents.n;
    d->steps = s->steps.at;
    d->nsteps = s->steps.n;
    d->enums = s->enums.at;
    d->nenums = s->enums.n;
    d->outer = s->outer.at;
    d->nouter = s->outer.n;
}

/* With the arena's escape set: objects that change are not of this frame. */
static int declare(struct pg_declared *d, struct declaring *s, const json_t *request, const struct pg_model *catalog)
{
    const json_t *annotation = json_object_get(request, "annotation");
    const json_t *declaration = json_object_get(request, "declaration"), *type = json_object_get(declaration, "type");
    const char *verb = json_string_value(json_object_get(annotation, "verb"));
    const char *name = json_string_value(json_array_get(json_object_get(annotation, "args"), 0));
    const char *tag = json_string_value(json_object_get(declaration, "name"));
    jmp_buf escape;

    if (!verb || !name || !tag || !json_is_object(type))
        return CELL_INVALID_ARGUMENT;
    d->arena.escape = &escape;
    if (setjmp(escape))
        return CELL_NO_MEMORY;
    d->owned = strcmp(verb, "rows") != 0;
    d->tag = pg_strdup(&d->arena, tag);
    d->location = pg_strdup(&d->arena, json_string_value(json_object_get(annotation, "location")));
    d->table.kind = 'r';
    d->table.rows = -1;
    d->table.schema = own_schema(&d->arena, declaration, catalog);
    d->table.comment = pg_strdup(&d->arena, json_string_value(json_object_get(type, "doc")));
    d->renamed_rule = -1;
    s->d = d;
    s->arena = &d->arena;
    s->types.types = json_object_get(declaration, "types");
    s->types.catalog = catalog;
    declare_name(s, name);
    declare_all(s, declaration);
    list_relations(s);
    hand_over(s);
    return CELL_OK;
}

int pg_declare(const json_t *request, const struct pg_model *catalog, struct pg_declared **declared, char why[256])
{
    struct pg_declared *d = calloc(1, sizeof(*d));
    struct declaring s = {0};

    if (!d)
        return CELL_NO_MEMORY;
    int status = declare(d, &s, request, catalog);
    d->arena.escape = NULL;
    if (status < 0) {
        snprintf(why, 256, "%s",
                 status == CELL_NO_MEMORY ? "out of memory" : "this is no expansion request for a table");
        pg_declared_free(d);
        return status;
    }
    *declared = d;
    return CELL_OK;
}

void pg_declared_free(struct pg_declared *d)
{
    if (!d)
        return;
    pg_arena_free(&d->arena);
    free(d);
}
