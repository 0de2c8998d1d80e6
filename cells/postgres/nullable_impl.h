/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What the parts of nullable.h share: nullable.c (statements), nullable_from.c, nullable_value.c, nullable_fact.c. */
#ifndef CELLS_POSTGRES_NULLABLE_IMPL_H
#define CELLS_POSTGRES_NULLABLE_IMPL_H

#include <jansson.h>

#include "memory.h"
#include "nullable.h"

/* What is known of a value. */
struct null_value {
    bool not_null;
    char category; /* as null_column.category; 0 = not known */
};

/* A column of something in FROM. */
struct null_field {
    const char *name; /* NULL: it has one, but which is not known */
    struct null_value value;
};

/*
 * The columns of a query. When there is something of unknown width among them (`*` of a function's row, say) `open` is
 * set, `columns` are those before it and `behind` those after it.
 */
struct null_columns {
    PG_LIST(struct null_field) columns, behind;
    bool open;
};

/*
 * Something in FROM. Each outer join has a bit for each side that it makes NULL, set in `nulled_by` of what is on that
 * side. A column is not NULL when it is not in its item and no bit is set.
 */
struct null_item {
    const char *alias; /* NULL: no name before a dot leads here */
    struct null_field *fields;
    uint32_t n;
    uint64_t nulled_by;
    bool open;   /* it has columns that are not known */
    bool frozen; /* conditions say nothing about it: the target of an UPDATE, whose rows are changed afterwards */
};

struct null_ref {
    struct null_item *item;
    uint32_t field;
};

struct null_cte {
    const char *name;
    struct null_columns columns;
    struct null_cte *next;
};

/* One query: what names mean in it. */
struct null_level {
    struct null_level *parent; /* the query around it, NULL = none */
    struct null_cte *ctes;     /* the innermost first */
    PG_LIST(struct null_item *) items;
    PG_LIST(struct null_ref) names; /* what a column's name alone may mean, in the order of `*` */
    bool open;                      /* or something that is not known */
    bool unnamed;                   /* a column of theirs has a name that is not known */
    unsigned joins;                 /* bits that are given away */
    bool grouped;                   /* GROUP BY: no group is empty */
    bool grouping_sets;             /* what is grouped by may be NULL for that reason alone */
    uint32_t aggregates;            /* counted as they are met: those of this query itself */
    bool sets;                      /* a function may give a set, or no row */
};

#define NULL_MAX_TREES 256
#define NULL_MAX_DEPTH 300 /* of queries, joins and expressions within each other */

struct null_analysis {
    struct pg_arena arena;
    jmp_buf escape; /* memory, or patience, is at an end: nothing is known */
    const struct null_catalog *catalog;
    const bool *optional;
    size_t noptional;
    struct null_statement *statement;
    json_t *trees[NULL_MAX_TREES]; /* of the statement and of views */
    size_t ntrees;
    const char *seen[NULL_MAX_TREES]; /* definitions of views among them, as the catalog has given them */
    size_t nviews;
    uint32_t nodes; /* visited */
    uint32_t lookups;
    uint32_t depth, views;
    bool outer_reference; /* set when a name leads to a query around the present one */
};

/* A node of the tree is an object with one member, whose name is its type. */
struct null_node {
    const char *type; /* "" when it is none */
    const json_t *body;
};

/* nullable.c */
struct null_node null_node_of(const json_t *wrapped);
bool null_is(struct null_node n, const char *type);
const char *null_text(const json_t *body, const char *member); /* NULL when it is no text */
const char *null_string(const json_t *wrapped);                /* of a String node; NULL */
void null_visit(struct null_analysis *a);                      /* counts, and gives up */
void null_enter(struct null_analysis *a);                      /* the same for depth, until a->depth-- */
void null_add(struct null_analysis *a, struct null_columns *c, struct null_field field);
void null_add_open(struct null_columns *c); /* columns of a number that is not known */
struct null_columns null_query(struct null_analysis *a, struct null_level *parent, struct null_cte *ctes,
                               const json_t *wrapped);
struct null_columns null_select(struct null_analysis *a, struct null_level *level, const json_t *body);
struct null_columns null_targets(struct null_analysis *a, struct null_level *level, const json_t *list);
struct null_columns null_view(struct null_analysis *a, const char *sql);
/* A query that is a value: whether it has one row whatever is in the tables, and what is known of its column. */
bool null_one_row(struct null_analysis *a, struct null_level *parent, const json_t *wrapped, struct null_value *value);

/* nullable_with.c */
void null_with(struct null_analysis *a, struct null_level *level, const json_t *clause);
struct null_columns null_change(struct null_analysis *a, struct null_level *level, struct null_node n);

/* nullable_from.c */
void null_from(struct null_analysis *a, struct null_level *level, const json_t *list);
/* The table that a statement changes. *own: RETURNING gives its own rows. */
struct null_item *null_target(struct null_analysis *a, struct null_level *level, const json_t *range_var, bool *own);
struct null_item *null_item_new(struct null_analysis *a, struct null_level *level, const char *alias, uint32_t n);
void null_publish(struct null_analysis *a, struct null_level *level, struct null_item *item);
struct null_value null_value_of(struct null_ref ref);
/* What a ColumnRef means in this query alone. 1: *ref; 0: nothing here; -1: not known, or several. */
int null_resolve_here(const struct null_level *level, const json_t *column_ref, struct null_ref *ref);

/* nullable_value.c */
struct null_value null_eval(struct null_analysis *a, struct null_level *level, const json_t *wrapped);
bool null_is_builtin_type(const json_t *type_name, char *category);
bool null_cast_is_safe(const json_t *body, char category); /* NULL in, NULL out, and nothing else becomes NULL */
bool null_function(struct null_analysis *a, const json_t *call, const char **name, struct null_callable *callable);
bool null_operator(struct null_analysis *a, const json_t *expr, const char **name, struct null_callable *callable);

/* nullable_function.c */
struct null_value null_call(struct null_analysis *a, struct null_level *level, const json_t *body);
bool null_is_sound_operator(const char *name);

/* nullable_fact.c: `condition` holds for the rows that remain; what follows for the items [first, last) is noted. */
void null_learn(struct null_analysis *a, struct null_level *level, const json_t *condition, uint32_t first,
                uint32_t last);
/* The field is not NULL in the rows that remain. */
void null_learn_field(struct null_level *level, struct null_ref ref, uint32_t first, uint32_t last);

/* nullable_effect.c: whether executing the trees changes nothing. */
bool null_has_no_effects(struct null_analysis *a);

/* nullable_name.c: the name that PostgreSQL gives a result column without AS; NULL when it is not known. */
const char *null_name_of(const json_t *wrapped);

#endif
