/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* From a field to its column. */
#include <stdio.h>
#include <string.h>

#include <cell/errors.h>

#include "declare_parts.h"
#include "diff.h"
#include "sql.h"
#include "types_parts.h"

/* X(rule of fields, macro, arguments at least, at most, also on CELL_ROWS). Keys and indexes there are what the struct
 * expects of the table. */
#define FIELD_RULE_MAP(X)                                                                                              \
    X("key", "CELL_KEY", 0, 0, true)                                                                                   \
    X("auto", "CELL_AUTO", 0, 0, false)                                                                                \
    X("unique", "CELL_UNIQUE", 0, 0, true)                                                                             \
    X("index", "CELL_INDEXED", 0, 1, true)                                                                             \
    X("references", "CELL_REFERENCES", 2, 3, false)                                                                    \
    X("default", "CELL_DEFAULT", 1, 1, false)                                                                          \
    X("range", "CELL_RANGE", 2, 2, false)                                                                              \
    X("length", "CELL_LENGTH", 2, 2, false)                                                                            \
    X("pattern", "CELL_PATTERN", 1, 1, false)                                                                          \
    X("check", "CELL_CHECK", 1, 1, false)                                                                              \
    X("column", "CELL_COLUMN", 1, 1, true)                                                                             \
    X("sql_type", "CELL_SQL_TYPE", 1, 2, true)                                                                         \
    X("generated", "CELL_GENERATED", 1, 1, false)                                                                      \
    X("renamed_from", "CELL_RENAMED_FROM", 1, 1, false)                                                                \
    X("backfill", "CELL_BACKFILL", 1, 1, false)                                                                        \
    X("replaces", "CELL_REPLACES", 1, 3, false)                                                                        \
    X("since", "CELL_SINCE", 1, 1, true)

static const struct field_rule {
    const char *name, *macro;
    size_t least, most;
    bool on_rows;
} field_rules[] = {
#define FIELD_RULE(name, macro, least, most, rows) {name, macro, least, most, rows},
    FIELD_RULE_MAP(FIELD_RULE)
#undef FIELD_RULE
};
#define NRULES (sizeof(field_rules) / sizeof(field_rules[0]))

const char *pg_rule_name(const json_t *rule)
{
    const char *name = json_string_value(json_object_get(rule, "rule"));

    return name ? name : "";
}

const json_t *pg_find_rule(const json_t *field, const char *name, struct pg_place *place)
{
    const json_t *rules = json_object_get(field, "rules");

    for (size_t i = 0; i < json_array_size(rules); i++)
        if (strcmp(pg_rule_name(json_array_get(rules, i)), name) == 0) {
            place->rule = (int)i;
            place->argument = 0;
            return json_array_get(rules, i);
        }
    return NULL;
}

static bool has_rule(const json_t *field, const char *name)
{
    struct pg_place ignored;

    return pg_find_rule(field, name, &ignored) != NULL;
}

static void check_rule(struct declaring *s, const json_t *rule, struct pg_place place)
{
    const char *names[NRULES];

    for (size_t i = 0; i < NRULES; i++) {
        const struct field_rule *known = &field_rules[i];
        names[i] = known->name;
        if (strcmp(known->name, pg_rule_name(rule)) != 0)
            continue;
        size_t n = json_array_size(json_object_get(rule, "args"));
        if (n < known->least || n > known->most)
            pg_mistake(s, place, "%s takes %zu argument%s, not %zu", known->macro, known->least,
                       known->least == 1 ? "" : "s", n);
        else if (!s->d->owned && !known->on_rows)
            pg_mistake(s, place, "%s has no effect here: CELL_ROWS only reads the table; its owner declares this",
                       known->macro);
        return;
    }
    const char *near = pg_suggest(pg_rule_name(rule), names, NRULES);
    pg_mistake(s, place, near ? "unknown rule '%s'; did you mean '%s'?" : "unknown rule '%s'", pg_rule_name(rule),
               near);
}

/* Each is known, has its arguments, and stands once (a column may have several checks). */
static void check_rules(struct declaring *s, const json_t *field, const char *name)
{
    const json_t *rules = json_object_get(field, "rules");

    for (size_t i = 0; i < json_array_size(rules); i++) {
        const json_t *rule = json_array_get(rules, i);
        struct pg_place place = {name, (int)i, -1};
        check_rule(s, rule, place);
        for (size_t k = 0; k < i; k++)
            if (strcmp(pg_rule_name(rule), pg_rule_name(json_array_get(rules, k))) == 0 &&
                strcmp(pg_rule_name(rule), "check") != 0)
                pg_mistake(s, place, "rule '%s' stands twice on field '%s'", pg_rule_name(rule), name);
    }
}

/* Pairs that contradict each other, or of which one has no effect. */
static void check_pairs(struct declaring *s, const json_t *field, const char *name, bool optional)
{
    static const struct {
        const char *a, *b, *why;
    } pairs[] = {
        {"auto", "default", "CELL_AUTO has a default of its own, CELL_DEFAULT contradicts it"},
        {"auto", "generated", "CELL_GENERATED computes the value, CELL_AUTO contradicts it"},
        {"default", "generated", "CELL_GENERATED computes the value, CELL_DEFAULT contradicts it"},
        {"backfill", "generated", "CELL_GENERATED computes the value, CELL_BACKFILL has no effect"},
        {"key", "replaces", "CELL_REPLACES is not for keys: other tables and programs know rows by them"},
        {"auto", "replaces", "CELL_AUTO gives values of its own, CELL_REPLACES contradicts it"},
        {"generated", "replaces", "CELL_GENERATED computes the value, CELL_REPLACES contradicts it"},
        {"backfill", "replaces", "CELL_REPLACES says what rows that are there get, CELL_BACKFILL contradicts it"},
        {"renamed_from", "replaces", "a column that is renamed is there already, CELL_REPLACES contradicts it"},
        {"unique", "index", "CELL_UNIQUE makes an index already, CELL_INDEXED has no effect"}};

    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        struct pg_place place = {name, -1, -1};
        if (has_rule(field, pairs[i].a) && pg_find_rule(field, pairs[i].b, &place)) {
            place.argument = -1;
            pg_mistake(s, place, "%s", pairs[i].why);
        }
    }
    struct pg_place place = {name, -1, -1};
    if (optional && pg_find_rule(field, "key", &place))
        pg_mistake(s, place, "a key is never NULL: field '%s' cannot be optional", name);
}

/* CELL_AUTO: what the database fills in, by the type of the column. */
static void declare_auto(struct declaring *s, const struct pg_field *f, struct pg_column *c, struct pg_place place)
{
    enum pg_base base = c->type.base;

    if (c->type.array)
        base = PG_BASE_NONE;
    if (base == PG_BASE_INT2 || base == PG_BASE_INT4 || base == PG_BASE_INT8) {
        c->identity = 'd';
        if (c->nullable)
            pg_mistake(s, place, "CELL_AUTO numbers every row: field '%s' cannot be optional", f->name);
    } else if (base == PG_BASE_UUID)
        c->standard.sql = "gen_random_uuid()";
    else if (base == PG_BASE_TIMESTAMPTZ || base == PG_BASE_TIMESTAMP)
        c->standard.sql = "now()";
    else if (base == PG_BASE_DATE)
        c->standard.sql = "CURRENT_DATE";
    else
        pg_mistake(s, place,
                   "CELL_AUTO is for integers, uuid, date, timestamp and timestamptz, not for %s: use CELL_DEFAULT",
                   pg_type_name(s->arena, &c->type));
}

bool pg_sql_is_null(const char *sql)
{
    struct pg_token t = pg_sql_token(sql, strlen(sql), 0);

    return t.kind == PG_TOKEN_NAME && t.len == 4 && strncasecmp(sql + t.at, "null", 4) == 0 &&
           pg_sql_token(sql, strlen(sql), t.at + t.len).kind == PG_TOKEN_END;
}

static void declare_values(struct declaring *s, const json_t *field, struct pg_field *f, struct pg_column *c)
{
    struct pg_place place = {f->name, -1, -1};
    const json_t *rule;

    if ((rule = pg_find_rule(field, "auto", &place)) != NULL) {
        f->automatic = true;
        declare_auto(s, f, c, place);
    }
    if ((rule = pg_find_rule(field, "default", &place)) != NULL) {
        const char *sql = pg_rule_arg(s->arena, rule, 0);
        if (sql && pg_sql_is_null(sql))
            pg_mistake(s, place,
                       c->nullable ? "CELL_DEFAULT(\"NULL\") has no effect: an optional field is NULL by itself"
                                   : "CELL_DEFAULT(\"NULL\") contradicts a field that is not optional");
        else if (pg_declare_sql(s, sql, "CELL_DEFAULT", place))
            c->standard.sql = sql;
    }
    if ((rule = pg_find_rule(field, "generated", &place)) != NULL) {
        const char *sql = pg_rule_arg(s->arena, rule, 0);
        if (pg_declare_sql(s, sql, "CELL_GENERATED", place))
            c->generated.sql = sql;
    }
    if ((rule = pg_find_rule(field, "backfill", &place)) != NULL) {
        const char *sql = pg_rule_arg(s->arena, rule, 0);
        if (sql && pg_sql_is_null(sql) && !c->nullable)
            pg_mistake(s, place, "CELL_BACKFILL(\"NULL\") contradicts a field that is not optional");
        else if (pg_declare_sql(s, sql, "CELL_BACKFILL", place))
            f->backfill = sql;
    }
    f->filled = f->automatic || c->standard.sql || c->generated.sql;
}

/* Which labels its values have: as CELL_SQL_TYPE says, or the type that is there. */
static void declare_labels(struct declaring *s, struct pg_field *f, const struct pg_enum *there, const json_t *rule,
                           struct pg_place place)
{
    const char *prefix = json_string_value(json_array_get(json_object_get(rule, "args"), 1));
    bool found = !prefix;

    for (uint32_t i = 0; i < f->c.nvalues && !found; i++)
        found = strncmp(f->c.values[i].name, prefix, strlen(prefix)) == 0;
    place.argument = 1;
    if (!found)
        pg_mistake(s, place, "no enumerator of '%s' begins with '%s'", f->c.tag, prefix);
    else if (prefix)
        pg_enum_labels(s->arena, f->c.values, f->c.nvalues, prefix);
    else if (there && !pg_enum_keep_labels(s->arena, f->c.values, f->c.nvalues, there, &prefix))
        pg_diagnose(s->arena, &s->d->diagnostics, PG_WARNING, (struct pg_place){f->name, -1, -1},
                    "the values of type '%s' stay what they are called: '%s' is '%s'. A new database would call them "
                    "otherwise: CELL_SQL_TYPE(\"%s\", \"%s\") says it for all",
                    there->name, f->c.values[0].name, f->c.values[0].label, f->sql_type, prefix);
}

/* A native enum type that a field names, as it should be. */
static void declare_enum(struct declaring *s, struct pg_field *f, const json_t *rule, struct pg_place place)
{
    struct pg_type_use *type = &f->mapping.type;
    const struct pg_model *catalog = s->types.catalog;
    const struct pg_enum *there = catalog ? pg_model_enum(catalog, type->schema, type->name) : NULL;

    declare_labels(s, f, there, rule, place);
    if (there)
        type->schema = pg_strdup(s->arena, there->schema);
    else if (!type->schema)
        type->schema = s->d->table.schema;
    struct pg_enum e = {type->schema, type->name, pg_array(s->arena, f->c.nvalues, sizeof(*e.labels)), f->c.nvalues};
    for (uint32_t i = 0; i < e.n; i++)
        e.labels[i] = f->c.values[i].label;
    for (uint32_t i = 0; i < s->enums.n; i++) {
        const struct pg_enum *other = &s->enums.at[i];
        if (strcmp(other->name, type->name) != 0 || strcmp(other->schema, type->schema) != 0)
            continue;
        const char *label = pg_enum_difference(&e, other);
        if (label)
            pg_mistake(s, ((struct pg_place){f->name, -1, -1}),
                       "type '%s' is of two enums with different values: '%s' is one of %s", type->name, label,
                       pg_enum_has(&e, label) ? "this field, and not of one before it"
                                              : "a field before this one, and not of this one");
        return;
    }
    for (uint32_t i = 0; i < e.n; i++)
        if (!pg_name_fits(e.labels[i]))
            pg_mistake(s, ((struct pg_place){f->name, -1, -1}), "a label of an enum type has at most 63 bytes: '%s'",
                       e.labels[i]);
    *pg_push(s->arena, &s->enums) = e;
}

static bool declare_type(struct declaring *s, const json_t *field, const char *column, struct pg_field *f)
{
    const char *text = json_string_value(json_object_get(field, "type"));
    struct pg_place place = {f->name, -1, -1};
    char why[256] = "";

    if (pg_ctype_parse(s->arena, &s->types, text ? text : "", &f->c, why) < 0) {
        pg_mistake(s, place, "%s", why);
        return false;
    }
    const json_t *rule = pg_find_rule(field, "sql_type", &place);
    f->sql_type = rule ? pg_rule_arg(s->arena, rule, 0) : NULL;
    if (pg_map_field(s->arena, &s->types, &f->c, f->sql_type, column, &f->mapping, why) < 0) {
        pg_mistake(s, place, "%s", why);
        return false;
    }
    if (f->mapping.codec == PG_CODEC_ENUM_LABEL)
        declare_enum(s, f, rule, place);
    else if (json_array_size(json_object_get(rule, "args")) > 1) {
        place.argument = 1;
        pg_mistake(s, place,
                   "the second text of CELL_SQL_TYPE is for an enum and a type of that in the database: what "
                   "the enumerators have before the labels");
    }
    return true;
}

static const char *const system_columns[] = {"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"};

static bool name_column(struct declaring *s, const char *name, const char *column, struct pg_place place)
{
    if (!pg_name_fits(column)) {
        pg_mistake(s, place, "the name of a column has at most 63 bytes, '%s' has %zu", column, strlen(column));
        return false;
    }
    for (size_t i = 0; i < sizeof(system_columns) / sizeof(system_columns[0]); i++)
        if (strcmp(system_columns[i], column) == 0) {
            pg_mistake(s, place, "every table has a column '%s' of its own: CELL_COLUMN(\"…\") gives another name",
                       column);
            return false;
        }
    for (uint32_t i = 0; i < s->columns.n; i++)
        if (strcmp(s->columns.at[i].name, column) == 0) {
            pg_mistake(s, place, "fields '%s' and '%s' are both column '%s'", s->fields.at[i].name, name, column);
            return false;
        }
    return true;
}

static void declare_replaces(struct declaring *s, const json_t *field, struct pg_field *f, const char *column)
{
    struct pg_place place = {f->name, -1, -1};
    const json_t *rule = pg_find_rule(field, "replaces", &place);
    struct pg_replaces made = {0};

    if (!rule || !(made.column = pg_rule_arg(s->arena, rule, 0)))
        return;
    made.forward = pg_rule_arg(s->arena, rule, 1);
    made.back = pg_rule_arg(s->arena, rule, 2);
    if (strchr(made.column, '\n') || strchr(column, '\n')) {
        pg_mistake(s, place, "CELL_REPLACES is not for columns with a line end in their name");
        return;
    }
    if (strcmp(made.column, column) == 0) {
        pg_mistake(s, place, "column '%s' cannot replace itself: CELL_COLUMN(\"…\") gives the new one another name",
                   column);
        return;
    }
    for (int i = 1; i <= 2; i++) {
        const char *sql = i == 1 ? made.forward : made.back;
        place.argument = i;
        if (sql && !pg_declare_sql(s, sql, "CELL_REPLACES", place))
            return;
    }
    f->replaces = (struct pg_replaces *)pg_copy(s->arena, &made, sizeof(made));
}

/* "MOOD_SAD=0 MOOD_OK=1" of an enum that is stored as its numbers; NULL. */
static const char *numbers_of(struct declaring *s, const struct pg_field *f)
{
    bool numbers = f->mapping.codec == PG_CODEC_INTEGER || f->mapping.codec == PG_CODEC_NUMERIC_INTEGER;
    struct pg_text t = {.arena = s->arena};

    for (uint32_t i = 0; f->c.kind == PG_C_ENUM && numbers && i < f->c.nvalues; i++)
        pg_putf(&t, "%s%s=%s", i ? " " : "", f->c.values[i].name, f->c.values[i].number);
    return t.data;
}

void pg_declare_field(struct declaring *s, const json_t *field)
{
    const char *written = json_string_value(json_object_get(field, "name"));
    const char *name = pg_strdup(s->arena, written ? written : ""), *column = name;
    struct pg_place place = {name, -1, -1};
    struct pg_field f = {.name = name};

    check_rules(s, field, name);
    const json_t *rule = pg_find_rule(field, "column", &place);
    if (rule && pg_rule_arg(s->arena, rule, 0))
        column = pg_rule_arg(s->arena, rule, 0);
    if (rule && strcmp(column, name) == 0)
        pg_mistake(s, place, "CELL_COLUMN(\"%s\") has no effect: the field has this name", column);
    if (!name_column(s, name, column, place) || !declare_type(s, field, column, &f))
        return;
    check_pairs(s, field, name, f.c.optional);
    struct pg_column c = {.name = column, .type = f.mapping.type, .nullable = f.c.optional};
    c.comment = pg_strdup(s->arena, json_string_value(json_object_get(field, "doc")));
    c.numbers = numbers_of(s, &f);
    declare_values(s, field, &f, &c);
    declare_replaces(s, field, &f, column);
    const char *former = json_string_value(json_object_get(field, "renamed_from"));
    rule = pg_find_rule(field, "renamed_from", &place);
    f.renamed_from = former ? pg_strdup(s->arena, former) : rule ? pg_rule_arg(s->arena, rule, 0) : NULL;
    if (f.renamed_from && strcmp(f.renamed_from, column) == 0) {
        pg_mistake(s, ((struct pg_place){name, -1, -1}), "CELL_RENAMED_FROM(%s) has no effect: that is its name",
                   f.renamed_from);
        f.renamed_from = NULL;
    }
    f.key = has_rule(field, "key");
    if (f.key)
        *pg_push(s->arena, &s->key) = column;
    f.column = s->columns.n;
    *pg_push(s->arena, &s->columns) = c;
    *pg_push(s->arena, &s->fields) = f;
}
