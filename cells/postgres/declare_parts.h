/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What the files that read a declaration share. */
#ifndef CELLS_POSTGRES_DECLARE_PARTS_H
#define CELLS_POSTGRES_DECLARE_PARTS_H

#include "declare.h"
#include "sql.h"

#define PG_COLUMNS_MAX 1600 /* of a table of PostgreSQL */
#define PG_INDEX_PARTS_MAX 32

/* While a key is made its index has a name of its own. */
static inline const char *pg_key_helper_name(struct pg_arena *arena, const struct pg_key *primary)
{
    return pg_made_name(arena, primary->name, NULL, "new");
}

struct declaring {
    struct pg_declared *d;
    struct pg_arena *arena; /* of d */
    struct pg_types types;
    PG_LIST(struct pg_column) columns;
    PG_LIST(struct pg_field) fields; /* one for each column, in their order */
    PG_LIST(const char *) key;       /* columns of fields with CELL_KEY */
    PG_LIST(struct pg_key) uniques;
    PG_LIST(struct pg_index) indexes;
    PG_LIST(struct pg_foreign_key) foreign;
    PG_LIST(struct pg_check) checks;
    PG_LIST(struct pg_consent) consents;
    PG_LIST(struct pg_hand_step) steps;
    PG_LIST(struct pg_enum) enums;
    PG_LIST(struct pg_outer) outer;
    PG_LIST(const char *) relations;
};

/* Where a mistake is: `rule` is a position among the rules of the field, or without one of the declaration. */
struct pg_place {
    const char *field;
    int rule, argument;
};
#define PG_AT_ANNOTATION ((struct pg_place){NULL, -1, -1})

/* Replaces what a text of a document must not hold. */
void pg_make_fit(char *text);
/* Adds a diagnostic; its text is made fit for a document. The address holds until the next one. */
struct pg_diagnostic *pg_diagnose(struct pg_arena *arena, pg_diagnostics *list, enum pg_severity severity,
                                  struct pg_place place, const char *format, ...) __attribute__((format(printf, 5, 6)));
void pg_add_note(struct pg_arena *arena, struct pg_diagnostic *d, const char *field, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
#define pg_mistake(s, place, ...) pg_diagnose((s)->arena, &(s)->d->diagnostics, PG_ERROR, place, __VA_ARGS__)

/* A copy of argument number `i` of a rule; NULL when it is not there or empty. */
const char *pg_rule_arg(struct pg_arena *arena, const json_t *rule, uint32_t i);

/* "" for what has no name. */
const char *pg_rule_name(const json_t *rule);
/* The rule of that name of a field, and in `place` where it stands; NULL when it has none. */
const json_t *pg_find_rule(const json_t *field, const char *name, struct pg_place *place);
/* "-12", "0.5", "1e6" */
bool pg_is_number(const char *text);
/* −1, 0, 1 for decimal integers of any length. Others are compared as floating point. */
int pg_compare_numbers(const char *a, const char *b);
/* True for the word NULL alone. */
bool pg_sql_is_null(const char *sql);

/* Declares a field and its column; a mistake in one leaves the others. */
void pg_declare_field(struct declaring *s, const json_t *field);
/* The rules of a field that are about more than the column itself, when all columns are known. */
void pg_declare_field_objects(struct declaring *s, const json_t *field, struct pg_field *f);
/* What is within a field that is a struct or a list of them, and its rules: checks of what is in the JSON. */
void pg_declare_members(struct declaring *s, struct pg_field *f);
/* A rule on the declaration. */
void pg_declare_rule(struct declaring *s, const json_t *rule, int position);

/* A name for a constraint or index that the declaration has not yet. */
const char *pg_declare_name(struct declaring *s, const char *column, const char *end);
#define PG_TYPE_IN_C "type in C" /* the origin of a check that no rule says */
void pg_declare_check(struct declaring *s, const char *sql, const char *column, const char *end, const char *origin,
                      const char *written);
void pg_declare_foreign(struct declaring *s, const char **columns, uint32_t n, const char *table,
                        const char **to_columns, const char *actions, struct pg_place place);
/* Checks SQL of the author, with a diagnostic. */
bool pg_declare_sql(struct declaring *s, const char *sql, const char *macro, struct pg_place place);
/* "app.teams", "teams": true when it is a name, or two. *schema is the table's own when none is written. */
bool pg_declare_table_name(struct declaring *s, const char *text, const char **schema, const char **name);
/* The columns that a list names, of this struct or of another one of the table. 0 with a diagnostic. */
uint32_t pg_declare_columns(struct declaring *s, const char *text, const char ***columns, struct pg_place place);
/* The rule at `place` names the column: when no field is that one it is noted that another struct has to have it. */
void pg_declare_named(struct declaring *s, const char *column, struct pg_place place);
/* What the columns are for that the rule names and no field is. */
void pg_declare_outer_use(struct declaring *s, int rule, enum pg_outer_use use);

#endif
