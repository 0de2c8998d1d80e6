/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <string.h>

#include "model.h"
#include "sql.h"

static bool same_text(const char *a, const char *b) { return a && b ? strcmp(a, b) == 0 : a == b; }

static bool same_names(const char **a, uint32_t na, const char **b, uint32_t nb)
{
    if (na != nb || (!a != !b))
        return false;
    for (uint32_t i = 0; a && i < na; i++)
        if (strcmp(a[i], b[i]) != 0)
            return false;
    return true;
}

/* Short of memory they count as different. */
static bool compare_in(struct pg_arena *arena, const char *a, const char *b, bool (*same)(const char *, const char *))
{
    jmp_buf escape;

    arena->escape = &escape;
    if (setjmp(escape))
        return false;
    return same(pg_sql_normal(arena, a), pg_sql_normal(arena, b));
}

/* In an arena of its own: models are compared that nobody may write to. */
static bool compare(const char *a, const char *b, bool (*same)(const char *, const char *))
{
    struct pg_arena arena = {0};

    if (strcmp(a, b) == 0)
        return true;
    bool is_same = compare_in(&arena, a, b, same);
    pg_arena_free(&arena);
    return is_same;
}

static bool is_same(const char *a, const char *b) { return strcmp(a, b) == 0; }

static bool same_normal(const char *a, const char *b) { return compare(a, b, is_same); }

bool pg_expr_equal(const struct pg_expr *a, const struct pg_expr *b)
{
    if (!a->sql || !b->sql)
        return a->sql == b->sql;
    /* Either is as good as what it stands for; two recorded ones are compared by what was recorded. */
    const char *left = a->source ? a->source : a->sql, *right = b->source ? b->source : b->sql;
    if (same_normal(left, right))
        return true;
    if (a->source || b->source)
        return same_normal(a->sql, b->sql);
    if (a->printed == b->printed)
        return false;
    return a->printed ? compare(a->sql, b->sql, pg_sql_covers) : compare(b->sql, a->sql, pg_sql_covers);
}

bool pg_key_equal(const struct pg_key *a, const struct pg_key *b)
{
    return same_names(a->columns, a->n, b->columns, b->n);
}

static bool part_equal(const struct pg_index_part *a, const struct pg_index_part *b)
{
    return same_text(a->column, b->column) && pg_expr_equal(&a->expr, &b->expr) && same_text(a->opclass, b->opclass) &&
           a->descending == b->descending && a->nulls_first == b->nulls_first;
}

bool pg_index_equal(const struct pg_index *a, const struct pg_index *b)
{
    if (a->n != b->n || a->unique != b->unique || !same_text(a->method, b->method) ||
        !same_names(a->included, a->nincluded, b->included, b->nincluded) ||
        !pg_expr_equal(&a->predicate, &b->predicate))
        return false;
    for (uint32_t i = 0; i < a->n; i++)
        if (!part_equal(&a->parts[i], &b->parts[i]))
            return false;
    return true;
}

/* Each column refers to the same one in both, in whatever order they are written. */
static bool same_pairs(const struct pg_foreign_key *a, const struct pg_foreign_key *b)
{
    if (a->n != b->n || !a->to_columns != !b->to_columns)
        return false;
    if (!a->to_columns)
        return same_names(a->columns, a->n, b->columns, b->n);
    for (uint32_t i = 0; i < a->n; i++) {
        bool found = false;
        for (uint32_t k = 0; k < b->n && !found; k++)
            found = strcmp(a->columns[i], b->columns[k]) == 0 && strcmp(a->to_columns[i], b->to_columns[k]) == 0;
        if (!found)
            return false;
    }
    return true;
}

bool pg_foreign_key_equal(const struct pg_foreign_key *a, const struct pg_foreign_key *b)
{
    return same_pairs(a, b) && same_text(a->to_schema, b->to_schema) && same_text(a->to_table, b->to_table) &&
           a->on_delete == b->on_delete && a->on_update == b->on_update && a->deferrable == b->deferrable &&
           a->deferred == b->deferred;
}

bool pg_check_equal(const struct pg_check *a, const struct pg_check *b) { return pg_expr_equal(&a->expr, &b->expr); }

bool pg_column_equal(const struct pg_column *a, const struct pg_column *b)
{
    return strcmp(a->name, b->name) == 0 && pg_type_equal(&a->type, &b->type) && a->nullable == b->nullable &&
           a->identity == b->identity && pg_expr_equal(&a->standard, &b->standard) &&
           pg_expr_equal(&a->generated, &b->generated) && same_text(a->comment, b->comment);
}

/* Both ways, because two of one may be equal to one of the other. */
#define SAME_SET(array, count, equal)                                                                                  \
    for (int way = 0; way < 2; way++) {                                                                                \
        const struct pg_table *x = way ? b : a, *y = way ? a : b;                                                      \
        for (uint32_t i = 0; i < x->count; i++) {                                                                      \
            bool found = false;                                                                                        \
            for (uint32_t j = 0; j < y->count && !found; j++)                                                          \
                found = equal(&x->array[i], &y->array[j]) && same_state(x->array[i], y->array[j]);                     \
            if (!found)                                                                                                \
                return false;                                                                                          \
        }                                                                                                              \
    }

bool pg_table_equal(const struct pg_table *a, const struct pg_table *b)
{
    if (strcmp(a->schema, b->schema) != 0 || strcmp(a->name, b->name) != 0 || a->kind != b->kind ||
        !same_text(a->comment, b->comment) || !a->primary != !b->primary ||
        (a->primary && !pg_key_equal(a->primary, b->primary)))
        return false;
#define same_state(x, y) true
    SAME_SET(columns, ncolumns, pg_column_equal)
    SAME_SET(uniques, nuniques, pg_key_equal)
#undef same_state
#define same_state(x, y) ((x).valid == (y).valid)
    SAME_SET(indexes, nindexes, pg_index_equal)
    SAME_SET(foreign, nforeign, pg_foreign_key_equal)
    SAME_SET(checks, nchecks, pg_check_equal)
#undef same_state
    return true;
}

bool pg_model_equal(const struct pg_model *a, const struct pg_model *b)
{
    if (a->ntables != b->ntables)
        return false;
    for (uint32_t i = 0; i < a->ntables; i++) {
        const struct pg_table *t = pg_model_table(b, a->tables[i].schema, a->tables[i].name);
        if (!t || !pg_table_equal(&a->tables[i], t))
            return false;
    }
    return true;
}
