/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What the files that make a plan share. */
#ifndef CELLS_POSTGRES_DIFF_PARTS_H
#define CELLS_POSTGRES_DIFF_PARTS_H

#include "declare_parts.h"
#include "diff.h"
#include "sql.h"

/* The order of steps over all tables. What others need comes first, what can fail for the data comes late, and what
 * loses data last. */
enum pg_phase {
    PG_PHASE_VALUES, /* of enums that are there: any statement behind may name them */
    PG_PHASE_HAND,
    PG_PHASE_TYPES, /* schemas, extensions, enums */
    PG_PHASE_RENAME,
    PG_PHASE_CREATE,
    PG_PHASE_LOOSEN, /* constraints go, NOT NULL goes */
    PG_PHASE_COLUMN, /* columns come, types and defaults change */
    PG_PHASE_FILL,   /* backfill, NOT NULL */
    PG_PHASE_CHECK,
    PG_PHASE_INDEX,
    PG_PHASE_FOREIGN,
    PG_PHASE_VALIDATE,
    PG_PHASE_DROP,
    PG_PHASE_COMMENT
};

/* A table that is declared, as it is after the steps planned so far. */
struct table_work {
    struct pg_table now;
    bool exists;            /* in the catalog; `now` began as it */
    bool created;           /* by a step of this plan */
    const char *former;     /* name that a step of this plan takes from it; NULL */
    const char *undeclared; /* "'a', 'b'": what it has and no struct mentions; NULL = nothing, or not known yet */
    uint32_t *owners;       /* declarations (CELL_TABLE) of it */
    uint32_t nowners;
};

/* A field, and the declaration that it is of. */
struct field_turn {
    uint32_t declared;
    const struct pg_field *field;
    bool late; /* it is computed from one that is filled in PG_PHASE_FILL */
};
typedef PG_LIST(struct field_turn) field_turns;

/* A native enum type, and the first declaration that has it. */
struct declared_enum {
    const struct pg_enum *e;
    uint32_t declared;
};

struct planned_step {
    struct pg_step step;
    const char *expression;               /* that makes values of a column of the type `into`; NULL */
    const struct pg_type_use *into, *was; /* `was`: of a column that gets another type; NULL */
    const char *makes;                    /* what other declarations may need as well: "type …"; NULL */
    enum pg_phase phase;
    uint32_t sequence;
};

struct diffing {
    struct pg_plan *plan;
    struct pg_arena *arena; /* of the plan */
    const struct pg_model *catalog;
    const struct pg_declared **declared;
    uint32_t n;
    const struct pg_diff_options *options;
    PG_LIST(struct table_work *) works;
    PG_LIST(struct planned_step) steps;
    PG_LIST(struct declared_enum) enums; /* that were looked at */
    /* the declaration that is being compared: */
    uint32_t current;
    const struct pg_declared *d;
    struct table_work *w;
    bool late;           /* what is done to the column at hand has to wait until others are filled */
    bool **consent_used; /* by number of declaration and of consent */
};

/* ---- the declaration at hand ---- */
/* Makes it the one at hand, with its table; false when it takes no part, because it has errors of its own. */
bool pg_select(struct diffing *s, uint32_t declared);
/* Does something for each struct of the table at hand that takes part, in the order of the source. */
void pg_each_owner(struct diffing *s, void (*phase)(struct diffing *s));

/* ---- steps: begin, add statements, end ---- */
struct step_builder {
    struct pg_step step;
    PG_LIST(const char *) sql;
    PG_LIST(struct pg_record) records; /* one statement at the end */
    PG_LIST(struct pg_step_part) parts;
    PG_LIST(struct pg_step_share) shares;
    const char *expression, *makes; /* as of a planned step */
    const struct pg_type_use *into, *was;
};
struct step_builder pg_step_begin(struct diffing *s, enum pg_step_kind kind, enum pg_step_mode mode, const char *object,
                                  const char *field);
void pg_step_sql(struct diffing *s, struct step_builder *b, const char *sql);
/* One that makes the table, with the parts that it has, each of the first struct that declares it. */
void pg_step_table(struct diffing *s, struct step_builder *b, const struct pg_table *t);
/* A statement that makes a declared check, which was made for a field or for a rule of the struct. */
void pg_step_check(struct diffing *s, struct step_builder *b, const char *sql, const struct pg_check *c);
/* A statement that makes a declared index. */
void pg_step_index(struct diffing *s, struct step_builder *b, const char *sql, const struct pg_index *x);
/* "ALTER TABLE schema.table …" of the table at hand. */
void pg_step_alter(struct diffing *s, struct step_builder *b, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void pg_step_record(struct diffing *s, struct step_builder *b, const char *kind, const char *name, const char *source);
/* What was recorded so far is a statement before those that follow. */
void pg_step_flush(struct diffing *s, struct step_builder *b);
void pg_step_forget(struct diffing *s, struct step_builder *b, const char *kind, const char *name);
void pg_step_hazard(struct step_builder *b, enum pg_rule rule);
void pg_step_end(struct diffing *s, struct step_builder *b, enum pg_phase phase);
/* The declaration at hand needs what steps make already: false when none does. */
bool pg_steps_share(struct diffing *s, const char *makes);
/* In order, with an id. */
void pg_steps_finish(struct diffing *s);
/* diff_kept.c: what stays of a column that gets another type, as it is when all steps are known. */
void pg_steps_keep(struct diffing *s);
/* diff_typed.c: what has to be asked of the expressions that the steps, in order, put there. */
void pg_steps_type(struct diffing *s);

/* SQL on one line, not all of a long one: for the text of a step, which is its first statement unless it says more. */
const char *pg_step_text(struct diffing *s, const char *sql);
/* A quoted name, in the arena. */
const char *pg_quoted(struct diffing *s, const char *name);
/* "schema"."table" of the table at hand. */
const char *pg_this_table(struct diffing *s);
/* Drops an index of it, beside readers and writers where that is possible. */
const char *pg_drop_index_sql(struct diffing *s, const char *name);

/* ---- diagnostics of the declaration at hand ---- */
struct pg_diagnostic *pg_plan_diagnose(struct diffing *s, enum pg_severity severity, int rule, struct pg_place place,
                                       const char *format, ...) __attribute__((format(printf, 5, 6)));
enum { PG_NO_RULE = -1 };
#define pg_refuse(s, rule, place, ...) pg_plan_diagnose(s, PG_ERROR, rule, place, __VA_ARGS__)
static inline struct pg_place pg_at_field(const char *field) { return (struct pg_place){field, -1, -1}; }
static inline struct pg_place pg_at_rule(int rule) { return (struct pg_place){NULL, rule, 0}; }

/* ---- consents of the declarations of the table at hand ---- */
/* True when CELL_DROPPED or CELL_RETYPED names it, and was not carried out in this database before, which is said. It
 * counts as used then. */
bool pg_consents(struct diffing *s, enum pg_consent_kind kind, const char *name);
/* What a struct of the table declares cannot be dropped as well: an error at the consent, unless it was carried out
 * before, for then it has been made anew since. It counts as used. */
void pg_refuse_drop(struct diffing *s, const char *name);
/* The step does what these consents let it: they are recorded, and spent when it is done. Returns which declaration has
 * the consent; the one at hand when none has. */
uint32_t pg_step_consented(struct diffing *s, struct step_builder *b, enum pg_consent_kind kind, const char *name);
/* Any declaration of the table has a field on this column. */
bool pg_is_declared(const struct diffing *s, const char *column);
/* Programs that use a column, "a (a.c:3), b"; NULL = none is recorded. */
const char *pg_users_of(struct diffing *s, const char *column);
/* Why a column, or (with a type that it shall not have any more) its type, has to stay: programs, or that it is not
 * known which (*unknown); NULL = nothing is in the way. */
const char *pg_waits_for(struct diffing *s, const char *column, bool *unknown);
const char *pg_needs_type(struct diffing *s, const char *column, const struct pg_type_use *other, bool *unknown);
void pg_add_event(struct diffing *s, enum pg_past past, const char *name); /* to what is known of the table at hand */
const struct pg_event *pg_find_event(const struct pg_table *t, enum pg_past past, const char *name); /* NULL = none */
bool pg_has_event(const struct pg_table *t, enum pg_past past, const char *name);
/* Recorded under the name or key, more than 30 days ago. */
bool pg_done_long_ago(const struct pg_table *t, enum pg_past past, const char *name);

/* ---- the parts of a table ---- */
struct table_work *pg_find_work(struct diffing *s, const char *schema, const char *name);
/* The works of all tables, in the order of the source, so that foreign keys find tables that come later. */
void pg_begin_works(struct diffing *s);
/* diff_outer.c: whether the columns are there which rules of the struct at hand name and its fields are not. */
void pg_diff_outer(struct diffing *s);
/* Of all structs of the table at hand at once: */
void pg_diff_create(struct diffing *s); /* diff_create.c; the one at hand is the first, which gets the step */
void pg_diff_renames(struct diffing *s);
/* A field of any struct of the table has it as CELL_RENAMED_FROM. */
bool pg_is_former_name(struct diffing *s, const char *column);
void pg_diff_columns(struct diffing *s);
void pg_diff_drops(struct diffing *s);
/* diff_shape.c: what is in columns of JSON. `changes`: the plan does something to the table, and notes what is not
 * known yet. */
void pg_diff_shapes(struct diffing *s, bool changes);
void pg_set_shape(struct diffing *s, const char *column, const char *text); /* in what is known of the table */
/* Notes what is in a new column as well. */
void pg_record_shape(struct diffing *s, struct step_builder *b, const char *column);
void pg_diff_undeclared(struct diffing *s);
void pg_diff_consents(struct diffing *s);
/* The field that is the column, of the declaration at hand or else of another one of the table; `field` NULL: none. */
struct field_turn pg_declared_field(const struct diffing *s, const char *column);
/* The fields of all structs of the table at hand, one for each column, in the order of the source. Where several
 * structs have the column it is the one that says most of where its values come from. */
field_turns pg_fields_of_table(struct diffing *s);
/* Those, each behind those whose columns it is computed from; a circle is refused. */
field_turns pg_fields_in_turn(struct diffing *s);
/* The field of any of them whose column the SQL names by the name that it had before; NULL. Said by pg_fields_in_turn
 * of what is carried out. */
struct field_turn pg_former_name_in(struct diffing *s, const char *sql);
/* What is said and done from then on is about that field's declaration. */
void pg_take_turn(struct diffing *s, const struct field_turn *turn);
/* The phase in which columns come and change, for the one at hand. */
enum pg_phase pg_column_phase(const struct diffing *s);
/* The type of a column that is there is not the one that the field wants. */
bool pg_type_changes(const struct pg_field *f, const struct pg_column *want, const struct pg_column *now);
/* An error when a generated column that a struct declares is computed from the column, which therefore cannot go. */
bool pg_refuse_computed(struct diffing *s, struct pg_place place, const char *column);
/* Does the SQL name the column? */
bool pg_names_column(struct diffing *s, const char *sql, const char *column);
/* … or the index have it, in whatever part? */
bool pg_index_uses(struct diffing *s, const struct pg_index *x, const char *column);
/* A column of the table at hand that gets another type or other values by the steps that are planned already: what is
 * made for the old ones would be in the way of these. */
bool pg_names_rewritten(struct diffing *s, const char *sql);
bool pg_index_is_rewritten(struct diffing *s, const struct pg_index *x);
/* Columns may move in s->w->now. */
void pg_diff_retype(struct diffing *s, const struct pg_field *f, const struct pg_column *want, struct pg_column *now);
/* Whether a column may get the field's type in place; else it is said why not. */
bool pg_may_retype(struct diffing *s, const struct pg_field *f, const struct pg_column *want,
                   const struct pg_column *now);
/* diff_generated.c. The generated columns that are computed from `column`, whose type changes; false: they are in the
 * way, which is said. Then, in one step: they are dropped, and made again as they are declared. */
typedef PG_LIST(const char *) pg_names;
/* The column of that name as a field of the table declares it; NULL: none does. */
const struct pg_column *pg_declared_column(const struct diffing *s, const char *name);
bool pg_generated_from(struct diffing *s, const struct pg_field *f, const char *column, pg_names *found);
void pg_drop_generated(struct diffing *s, struct step_builder *b, const pg_names *names);
void pg_make_generated(struct diffing *s, struct step_builder *b, const pg_names *names);
/* A generated column itself gets another type. */
void pg_retype_generated(struct diffing *s, const struct pg_field *f, const struct pg_column *want,
                         struct pg_column *now);
void pg_diff_fill(struct diffing *s, const struct pg_field *f, const struct pg_column *want, struct pg_column *now);
/* diff_replace.c. False: the field is not understood, and said to be wrong. */
bool pg_diff_replace(struct diffing *s, const struct pg_field *f, const struct pg_column *want);
void pg_diff_replaced_values(struct diffing *s, const struct pg_field *f, const struct pg_column *want,
                             struct pg_column *now);
void pg_diff_contract(struct diffing *s);
/* The column that the field replaces, while it is there; NULL. */
struct pg_column *pg_replaced_by(struct diffing *s, const struct pg_field *f);
/* The field of any declaration of the table that replaces the column; NULL. */
const struct pg_field *pg_replacer_of(const struct diffing *s, const char *column);
/* The trigger of the two columns; NULL = of any. NULL when there is none. */
struct pg_in_step *pg_find_in_step(struct pg_table *t, const char *column, const char *replaced);
/* Statements that remove the triggers that a column, which goes, has part in. */
void pg_leave_step(struct diffing *s, struct step_builder *b, const char *column);
/* Adds the column without default and NOT NULL. */
void pg_add_bare_column(struct diffing *s, const struct pg_field *f, const struct pg_column *want);
/* `once`: it is recorded when it is done. */
void pg_fill_step(struct diffing *s, const struct pg_field *f, const struct pg_column *want, const char *sql,
                  bool once);
void pg_not_null_steps(struct diffing *s, const struct pg_field *f, struct pg_column *now);
void pg_drop_not_null(struct diffing *s, const char *field, struct pg_column *now);
bool pg_in_key(const struct pg_table *t, const char *column); /* the primary one */
/* What goes with a column. */
void pg_drop_from_now(struct diffing *s, const char *column);
/* Says so: of a column that is dropped what is about others as well, of one that is made again what does not come back.
 */
void pg_say_what_goes(struct diffing *s, const char *column, bool comes_again);
struct pg_column *pg_add_to_now(struct diffing *s, const struct pg_column *c);
/* diff_numbers.c. */
void pg_diff_numbers(struct diffing *s);
/* "MOOD_OK was 1 and is 2": the first enumerator with another number; NULL = none, or no numbers. */
const char *pg_renumbered(struct pg_arena *arena, const char *was, const char *is);
void pg_diff_keys(struct diffing *s);
void pg_diff_indexes(struct diffing *s);
void pg_diff_checks(struct diffing *s);
void pg_diff_foreign(struct diffing *s);
void pg_diff_comments(struct diffing *s);
/* The statement that says it of a column; NULL = of the table. */
const char *pg_comment_sql(struct diffing *s, const char *column, const char *comment);
/* diff_hand.c: a step of the author's own was done in this database; that it was another one of the name is said. */
bool pg_hand_step_done(struct diffing *s, const struct pg_hand_step *h);
/* What stands for its SQL in cell.objects, whatever white space is in it. */
const char *pg_hand_step_text(struct diffing *s, const struct pg_hand_step *h);
void pg_diff_enums(struct diffing *s);
void pg_diff_rows(struct diffing *s);
/* What is better done otherwise: of a new column, or one of a new type; of a new table. */
void pg_advise_column(struct diffing *s, const struct pg_field *f);
void pg_advise_table(struct diffing *s);
void pg_advise_sequences(struct diffing *s); /* of a table that changes */

/* True when a declaration of the table at hand has an equal one, under whatever name. */
/* A unique index on the columns of the key, without condition: as good as a constraint. */
bool pg_index_is_key(const struct pg_index *x, const struct pg_key *k);
/* The table has a key, or what is as good as one; but for the index `apart_from`, NULL = none. */
bool pg_key_is_there(const struct pg_table *t, const struct pg_key *k, const struct pg_index *apart_from);
bool pg_index_is_there(const struct pg_table *t, const struct pg_index *want); /* or a key whose index serves as well */
bool pg_key_wanted(struct diffing *s, const struct pg_key *k);
bool pg_index_wanted(struct diffing *s, const struct pg_index *x);
/* The index of the table that is equal to it, whatever it is called; NULL. */
const struct pg_index *pg_find_index(const struct pg_table *t, const struct pg_index *x);
bool pg_check_wanted(struct diffing *s, const struct pg_check *c);
/* As what it is recorded. */
static inline const char *pg_check_kind(const struct pg_check *c) { return c->implied ? "implied" : "check"; }
/* One that goes with the C type that it is of: a field of the column has another one now. */
bool pg_is_outgrown(struct diffing *s, const struct pg_check *c);
void pg_drop_check(struct diffing *s, const struct pg_check *c, const char *field);
/* The check of the table that is equal to it, whatever it is called; NULL. */
struct pg_check *pg_find_check(const struct pg_table *t, const struct pg_check *want);
bool pg_foreign_wanted(struct diffing *s, const struct pg_foreign_key *f);

/* diff_give_way.c. A check or a foreign key of the table at hand, in whose place another one comes. */
struct giving_way {
    const char *kind;   /* that it is recorded as */
    const char **name;  /* of it, which changes */
    const char *source; /* as recorded; NULL */
    bool made;          /* by Cell; else by consent */
    enum pg_phase phase;
};
/* It has another name from then on, and is known to give way to what gets the one that it had. */
void pg_give_way(struct diffing *s, const struct giving_way *g, const char *field);
/* It does not any more: what has its name goes, `there` is what that is recorded as; NULL = nothing has. */
void pg_take_back(struct diffing *s, const struct giving_way *g, const char *there, const char *field);
void pg_drop_given_way(struct diffing *s, const struct giving_way *g, enum pg_rule rule);
/* What has the name goes, or is another one than what was recorded. */
void pg_forget_way(struct diffing *s, struct step_builder *b, const char *name);
/* The name of what comes in its place; NULL when it does not give way. */
const char *pg_gives_way_to(const struct pg_table *t, const char *name);

/* The check that this one, which is declared, comes in the place of; NULL. */
struct pg_check *pg_replaced_check(struct diffing *s, const struct pg_check *want);
struct pg_check *pg_named_check(struct pg_table *t, const char *name); /* NULL */

/* The table that a foreign key refers to, as it is after the steps planned so far; NULL. */
const struct pg_table *pg_find_referenced(struct diffing *s, const struct pg_foreign_key *f);
/* The field of the declaration at hand that is this column; NULL. */
const struct pg_field *pg_field_of(const struct pg_declared *d, const char *column);
/* Name of the check that helps a column to become NOT NULL. */
const char *pg_helper_name(struct diffing *s, const char *column);
/* A name like `name` that no constraint or index of the table at hand has. */
const char *pg_free_name(struct diffing *s, const char *name);
/* And one for a key or an index that nothing else in the schema has or will have. */
const char *pg_free_relation(struct diffing *s, const char *name);
/* A table that is to be made or renamed: it is an error when something that is no table has its name. */
void pg_check_table_name(struct diffing *s, const struct pg_declared *d);
/* Takes element number `i` of an array of *n out. */
void pg_take_out(void *array, uint32_t *n, size_t size, uint32_t i);
/* The array with one more, zeroed; `n` is raised. */
void *pg_one_more(struct pg_arena *arena, void *array, uint32_t *n, size_t size);
/* True when every value of type `from` is one of `to`; *rewrites says whether the table is written anew. */
bool pg_retype_keeps(const struct pg_type_use *from, const struct pg_type_use *to, bool *rewrites);
/* A value of the type that a fix-it can begin with. */
const char *pg_zero_value(const struct pg_type_use *type);
/* What a program has in a field that it has not set, as a value of the type; NULL = that is not known. */
const char *pg_strict_zero(const struct pg_type_use *type);
/* False when the expression may give another value for each row. */
bool pg_is_constant(const char *sql);

#endif
