/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* From the rules of a field to what hangs on the table: checks, keys, indexes. */
#include <stdio.h>
#include <string.h>

#include "declare_parts.h"
#include "pattern.h"
#include "sql.h"
#include "types_parts.h"

static const char *quoted(struct declaring *s, const char *column)
{
    struct pg_text t = {.arena = s->arena};

    pg_sql_name(&t, column);
    return t.data;
}

bool pg_is_number(const char *text)
{
    size_t len = strlen(text);
    struct pg_token t = pg_sql_token(text, len, text[0] == '-' || text[0] == '+' ? 1 : 0);

    return t.kind == PG_TOKEN_NUMBER && t.at + t.len == len && t.at <= 1 && !strpbrk(text, "xXoObB_");
}

static int sign(const char *t) { return *t == '-' ? -1 : 1; }

int pg_compare_numbers(const char *a, const char *b)
{
    if (strspn(a, "-0123456789") < strlen(a) || strspn(b, "-0123456789") < strlen(b)) {
        double x = 0, y = 0;
        sscanf(a, "%lf", &x);
        sscanf(b, "%lf", &y);
        return x < y ? -1 : x > y;
    }
    int sa = sign(a), sb = sign(b);
    if (sa != sb)
        return strpbrk(a, "123456789") || strpbrk(b, "123456789") ? (sa < sb ? -1 : 1) : 0;
    a += strspn(a, "-0");
    b += strspn(b, "-0");
    size_t na = strlen(a), nb = strlen(b);
    int order = na != nb ? (na < nb ? -1 : 1) : strcmp(a, b);
    return sa * (order < 0 ? -1 : order > 0);
}

/* The C integer's own range must hold what the rule allows; then its own check is not needed. */
static bool check_within_type(struct declaring *s, const struct pg_field *f, const char *low, const char *high,
                              struct pg_place place)
{
    if (!pg_is_integer(f->c.kind))
        return true;
    struct pg_integer_range own = pg_integer_range(f->c.kind);
    const char *least = pg_printf(s->arena, "%lld", (long long)own.low);
    const char *most = pg_printf(s->arena, "%llu", (unsigned long long)own.high);
    if (pg_compare_numbers(low, least) >= 0 && pg_compare_numbers(high, most) <= 0)
        return true;
    pg_mistake(s, place, "CELL_RANGE(%s, %s) contradicts the type %s, which holds %s to %s", low, high, f->c.text,
               least, most);
    return false;
}

static void declare_range(struct declaring *s, const json_t *field, struct pg_field *f)
{
    struct pg_place place = {f->name, -1, -1};
    const json_t *rule = pg_find_rule(field, "range", &place);
    const char *column = s->columns.at[f->column].name;

    if (!rule) {
        if (f->mapping.check)
            pg_declare_check(s, f->mapping.check, column, f->mapping.check_kind, PG_TYPE_IN_C, NULL);
        return;
    }
    const char *low = pg_rule_arg(s->arena, rule, 0), *high = pg_rule_arg(s->arena, rule, 1);
    bool number = f->mapping.codec == PG_CODEC_INTEGER || f->mapping.codec == PG_CODEC_NUMERIC_INTEGER ||
                  f->mapping.codec == PG_CODEC_FLOAT || f->mapping.codec == PG_CODEC_NUMERIC_TEXT;
    if (!number || f->mapping.type.array || f->c.kind == PG_C_ENUM)
        pg_mistake(s, place, "CELL_RANGE is for a number, not for %s: use CELL_CHECK",
                   pg_type_name(s->arena, &f->mapping.type));
    else if (!low || !high || !pg_is_number(low) || !pg_is_number(high))
        pg_mistake(s, place, "CELL_RANGE takes two numbers");
    else if (pg_compare_numbers(low, high) > 0)
        pg_mistake(s, place, "CELL_RANGE(%s, %s) allows nothing: the first is the larger one", low, high);
    else if (check_within_type(s, f, low, high, place))
        pg_declare_check(s, pg_printf(s->arena, "%s BETWEEN %s AND %s", quoted(s, column), low, high), column, "range",
                         "CELL_RANGE", NULL);
}

static const char *length_of(struct declaring *s, const struct pg_field *f, const char *column)
{
    const struct pg_type_use *type = &f->mapping.type;
    const char *name = quoted(s, column);

    if (f->c.count)
        return NULL;
    if (type->array)
        return pg_printf(s->arena, "cardinality(%s)", name);
    if (f->mapping.codec == PG_CODEC_BYTES)
        return pg_printf(s->arena, "octet_length(%s)", name);
    if (f->mapping.codec == PG_CODEC_JSON_STRUCT && f->c.list)
        return pg_printf(s->arena, "%s_array_length(%s)", type->base == PG_BASE_JSON ? "json" : "jsonb", name);
    return f->mapping.codec == PG_CODEC_TEXT && type->base != PG_BASE_JSON
               ? pg_printf(s->arena, "char_length(%s)", name)
               : NULL;
}

static void declare_length(struct declaring *s, const json_t *field, struct pg_field *f)
{
    struct pg_place place = {f->name, -1, -1};
    const json_t *rule = pg_find_rule(field, "length", &place);
    const char *column = s->columns.at[f->column].name;

    if (!rule)
        return;
    const char *low = pg_rule_arg(s->arena, rule, 0), *high = pg_rule_arg(s->arena, rule, 1);
    const char *length = length_of(s, f, column);
    if (!length)
        pg_mistake(s, place,
                   f->c.count ? "CELL_LENGTH contradicts a field of a fixed length"
                              : "CELL_LENGTH is for texts, bytes and lists");
    else if (!low || !high || strspn(low, "0123456789") < strlen(low) || strspn(high, "0123456789") < strlen(high))
        pg_mistake(s, place, "CELL_LENGTH takes two numbers from 0 on");
    else if (pg_compare_numbers(low, high) > 0)
        pg_mistake(s, place, "CELL_LENGTH(%s, %s) allows nothing: the first is the larger one", low, high);
    else
        pg_declare_check(s, pg_printf(s->arena, "%s BETWEEN %s AND %s", length, low, high), column, "length",
                         "CELL_LENGTH", NULL);
}

/* The database compares bytes, whatever its collation: a rule does not depend on a locale. */
static void declare_pattern(struct declaring *s, const json_t *field, struct pg_field *f)
{
    struct pg_place place = {f->name, -1, -1};
    const json_t *rule = pg_find_rule(field, "pattern", &place);
    const char *column = s->columns.at[f->column].name;
    struct pg_pattern_mistake wrong = {0, NULL};
    const enum pg_base base = f->mapping.type.base;

    if (!rule)
        return;
    if (f->mapping.codec != PG_CODEC_TEXT || f->mapping.type.array ||
        (base != PG_BASE_TEXT && base != PG_BASE_VARCHAR)) {
        pg_mistake(s, place, "CELL_PATTERN is for a text, not for %s: use CELL_CHECK",
                   pg_type_name(s->arena, &f->mapping.type));
        return;
    }
    const char *pattern = pg_rule_arg(s->arena, rule, 0);
    const char *expression = pg_pattern_translate(s->arena, pattern ? pattern : "", &wrong);
    if (!expression) {
        struct pg_diagnostic *d = pg_mistake(s, place, "the pattern cannot be a check of the table: %s", wrong.why);
        d->at = (int64_t)wrong.at;
        d->length = 0;
        return;
    }
    struct pg_text sql = {.arena = s->arena};
    pg_putf(&sql, "%s COLLATE \"C\" ~ ", quoted(s, column));
    pg_sql_literal(&sql, expression);
    pg_declare_check(s, sql.data, column, "pattern", "CELL_PATTERN", NULL);
}

static void declare_checks(struct declaring *s, const json_t *field, struct pg_field *f)
{
    const json_t *rules = json_object_get(field, "rules");

    for (size_t i = 0; i < json_array_size(rules); i++) {
        struct pg_place place = {f->name, (int)i, 0};
        const char *sql = pg_rule_arg(s->arena, json_array_get(rules, i), 0);
        if (strcmp(pg_rule_name(json_array_get(rules, i)), "check") == 0 && pg_declare_sql(s, sql, "CELL_CHECK", place))
            pg_declare_check(s, sql, s->columns.at[f->column].name, "check", NULL, NULL);
    }
}

static const char **one_name(struct declaring *s, const char *name)
{
    const char **names = pg_array(s->arena, 1, sizeof(*names));

    names[0] = name;
    return names;
}

static void declare_keys(struct declaring *s, const json_t *field, struct pg_field *f)
{
    const char *column = s->columns.at[f->column].name;
    struct pg_place place = {f->name, -1, -1};
    bool only_key = f->key && s->key.n == 1;
    const json_t *rule;

    if (pg_find_rule(field, "unique", &place)) {
        if (only_key)
            pg_mistake(s, place, "CELL_UNIQUE has no effect: a key is unique");
        else {
            const char *name = pg_declare_name(s, column, "key");
            *pg_push(s->arena, &s->uniques) = (struct pg_key){name, one_name(s, column), 1, true};
        }
    }
    if ((rule = pg_find_rule(field, "index", &place)) != NULL) {
        const char *method = pg_rule_arg(s->arena, rule, 0);
        if (only_key && (!method || strcmp(method, "btree") == 0))
            pg_mistake(s, place, "CELL_INDEXED has no effect: a key has an index");
        else {
            const char *name = pg_declare_name(s, column, "idx");
            struct pg_index x = {
                .name = name, .method = method ? method : "btree", .n = 1, .valid = true, .made = true};
            x.parts = pg_array(s->arena, 1, sizeof(*x.parts));
            x.parts[0].column = column;
            *pg_push(s->arena, &s->indexes) = x;
        }
    }
}

static void declare_references(struct declaring *s, const json_t *field, struct pg_field *f)
{
    const char *column = s->columns.at[f->column].name;
    struct pg_place place = {f->name, -1, -1};
    const json_t *rule = pg_find_rule(field, "references", &place);

    if (rule && pg_rule_arg(s->arena, rule, 0)) {
        const char *to = pg_rule_arg(s->arena, rule, 1);
        pg_declare_foreign(s, one_name(s, column), 1, pg_rule_arg(s->arena, rule, 0), to ? one_name(s, to) : NULL,
                           pg_rule_arg(s->arena, rule, 2), place);
    }
}

void pg_declare_field_objects(struct declaring *s, const json_t *field, struct pg_field *f)
{
    declare_keys(s, field, f);
    if (!s->d->owned)
        return;
    declare_range(s, field, f);
    declare_length(s, field, f);
    declare_pattern(s, field, f);
    declare_checks(s, field, f);
    pg_declare_members(s, f);
    declare_references(s, field, f);
}
