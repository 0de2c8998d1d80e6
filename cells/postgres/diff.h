/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What leads from the tables of a database to those that structs declare: steps, or why not. Pure.
 *
 * - What no struct mentions is never dropped. Undeclared columns, indexes and constraints are a remark, which says what
 *   CELL_DROPPED would do; so two branches can share a database. An undeclared column without default that may not be
 *   NULL is an error: inserts would fail.
 * - Every change that loses data, breaks other programs, rewrites or scans a table under a lock, or may fail on the
 *   data that is there has a rule (PG_RULE_MAP; docs/postgres-rules.md), whose class says whether it is an error, asks
 * for consent, is said, or does not happen because the steps are made so.
 * - Every step leaves a state from which a new diff goes on.
 */
#ifndef CELLS_POSTGRES_DIFF_H
#define CELLS_POSTGRES_DIFF_H

#include "declare.h"
#include "model.h"

/* X(symbol, id, class, what it is about, as a sentence). Ids of Atlas (https://atlasgo.io/lint/analyzers) where it has
 * a rule of that meaning, else the name of squawk's (https://squawkhq.com/docs/rules), else our own. */
#define PG_RULE_MAP(X)                                                                                                 \
    X(DROP_TABLE, "DS102", REFUSED, "A table is never dropped.")                                                       \
    X(DROP_SCHEMA, "DS101", REFUSED, "A schema is never dropped.")                                                     \
    X(DROP_COLUMN, "DS103", CONSENT, "Dropping a column loses its data.")                                              \
    X(UNIQUE_ADDED, "MF101", WARN, "A unique index fails when rows that are there have equal values.")                 \
    X(INDEX_BECOMES_UNIQUE, "MF102", WARN,                                                                             \
      "An index that becomes unique fails when rows that are there have equal values.")                                \
    X(NOT_NULL_ADDED, "MF103", CONSENT,                                                                                \
      "A new column that may not be NULL needs a value for the rows that are there.")                                  \
    X(NOT_NULL_TIGHTENED, "MF104", CONSENT, "A column that becomes NOT NULL needs a value where it is NULL.")          \
    X(RENAME_TABLE, "BC101", WARN, "Renaming a table breaks programs that use its old name.")                          \
    X(RENAME_COLUMN, "BC102", WARN, "Renaming a column breaks programs that use its old name.")                        \
    X(DROP_FOREIGN_KEY, "CD101", CONSENT, "Dropping a foreign key ends a guarantee that others may rely on.")          \
    X(INDEX_LOCK, "PG101", AVOIDED, "An index is made without blocking writers: concurrently.")                        \
    X(INDEX_DROP_LOCK, "PG102", AVOIDED, "An index is dropped without blocking others: concurrently.")                 \
    X(CONCURRENT_IN_TRANSACTION, "PG103", AVOIDED, "A concurrent step is no part of a transaction.")                   \
    X(PRIMARY_KEY_LOCK, "PG104", AVOIDED, "A primary key is added from an index that was made concurrently.")          \
    X(UNIQUE_LOCK, "PG105", AVOIDED, "A unique constraint is added from an index that was made concurrently.")         \
    X(COLUMN_ALIGNMENT, "PG110", REMARK, "Another order of the fields would leave less padding in each row.")          \
    X(VOLATILE_DEFAULT, "PG302", AVOIDED,                                                                              \
      "A column whose default differs from row to row is added without a rewrite.")                                    \
    X(RETYPE_REWRITES, "PG301", CONSENT, "Another type of a column rewrites the table under a lock.")                  \
    X(NOT_NULL_SCANS, "PG303", AVOIDED, "A column becomes NOT NULL by a check that was validated beside writers.")     \
    X(PRIMARY_KEY_SCANS, "PG304", AVOIDED,                                                                             \
      "The columns of a new primary key are made NOT NULL first, by such checks.")                                     \
    X(CHECK_SCANS, "PG305", AVOIDED, "A check is added NOT VALID and validated beside writers.")                       \
    X(FOREIGN_KEY_SCANS, "PG306", AVOIDED, "A foreign key is added NOT VALID and validated beside writers.")           \
    X(RETYPE_LOSES, "retype-loses-data", REFUSED, "A type that cannot hold all values of the old one is refused.")     \
    X(RETYPE_BREAKS, "changing-column-type", REFUSED, "Another type of a column breaks programs that use it.")         \
    X(RENAME_UNDECLARED, "rename-undeclared", REFUSED,                                                                 \
      "A column that disappears while one of its type appears may be renamed.")                                        \
    X(GENERATED_ADDED, "adding-stored-generated", CONSENT, "A generated column rewrites the table under a lock.")      \
    X(GENERATED_CHANGED, "generated-changed", REFUSED, "The expression of a generated column cannot be changed.")      \
    X(UNDECLARED_REQUIRED, "undeclared-required", REFUSED, "Inserts fail without a column that may not be NULL.")      \
    X(UNDECLARED, "undeclared", REMARK, "What no struct mentions stays as it is.")                                     \
    X(NULL_IN_PLAIN_FIELD, "nullable-in-plain-field", REFUSED, "A column that may be NULL needs an optional field.")   \
    X(NOT_NULL_DROPPED, "ban-drop-not-null", WARN, "Programs that expect a value in each row may meet NULL.")          \
    X(DROP_CONSTRAINT, "drop-constraint", CONSENT, "Dropping a constraint ends a guarantee that others may rely on.")  \
    X(DROP_INDEX, "drop-index", CONSENT, "Queries that used an index become slow when it is dropped.")                 \
    X(CHECK_ADDED, "check-added", WARN, "A check fails when rows that are there do not satisfy it.")                   \
    X(FOREIGN_KEY_ADDED, "foreign-key-added", WARN, "A foreign key fails when rows that are there refer to nothing.")  \
    X(ENUM_VALUE_GONE, "enum-value-gone", REFUSED, "A value of a native enum cannot be removed.")                      \
    X(ENUM_RENUMBERED, "enum-renumbered", CONSENT,                                                                     \
      "Other numbers of the same enumerators change what stored rows mean.")                                           \
    X(STILL_USED, "still-used", REMARK, "A column stays while programs that use it are recorded.")                     \
    X(NO_EFFECT, "no-effect", REFUSED, "A directive that finds nothing to act on is a mistake.")                       \
    X(CONSENT_DONE, "consent-done", REMARK, "A consent whose change was made long ago can be removed.")                \
    X(CONSENT_SPENT, "consent-spent", WARN, "A consent holds once: what came back afterwards stays.")                  \
    X(STEP_CHANGED, "step-changed", WARN, "A step is done once: SQL that is changed afterwards does not run.")         \
    X(CHANGED_BY_HAND, "changed-by-hand", WARN, "What was changed by hand becomes what is declared again.")            \
    X(CHAR_TYPE, "ban-char-field", REMARK, "char(n) pads with spaces and is seldom meant.")                            \
    X(TIMESTAMP_TYPE, "prefer-timestamp-tz", REMARK, "timestamp has no time zone; timestamptz is seldom wrong.")       \
    X(VARCHAR_TYPE, "prefer-text-field", REMARK, "A length of varchar is hard to change later; a check is not.")       \
    X(SMALL_KEY, "prefer-bigint-over-int", WARN, "An automatic key of 32 bits or less will run out.")                  \
    X(SERIAL_TYPE, "prefer-identity", REMARK, "A column with a sequence of its own is not an identity column.")

enum pg_rule {
#define PG_RULE_ENUM(symbol, id, class, sentence) PG_RULE_##symbol,
    PG_RULE_MAP(PG_RULE_ENUM)
#undef PG_RULE_ENUM
        PG_NRULES
};

/* REFUSED: an error. CONSENT: an error unless the source consents. WARN, REMARK: said of a step that is carried out, or of
 * what is left as it is. AVOIDED: does not happen, because the steps are made so. */
enum pg_rule_class { PG_CLASS_REFUSED, PG_CLASS_CONSENT, PG_CLASS_WARN, PG_CLASS_REMARK, PG_CLASS_AVOIDED };

struct pg_rule_info {
    const char *id;
    enum pg_rule_class class;
    const char *sentence;
};
const struct pg_rule_info *pg_rule(enum pg_rule rule);
/* "refused", "consent", "warning", "remark", "avoided" */
const char *pg_rule_class_name(enum pg_rule_class class);

/* X(symbol, "kind" of a step, additive: only adds what no other program can trip over) */
#define PG_STEP_MAP(X)                                                                                                 \
    X(CREATE_SCHEMA, "create-schema", true)                                                                            \
    X(CREATE_EXTENSION, "create-extension", true)                                                                      \
    X(CREATE_ENUM, "create-enum", true)                                                                                \
    X(ADD_ENUM_VALUE, "add-enum-value", true)                                                                          \
    X(CREATE_TABLE, "create-table", true)                                                                              \
    X(RENAME_TABLE, "rename-table", false)                                                                             \
    X(RENAME_COLUMN, "rename-column", false)                                                                           \
    X(ADD_COLUMN, "add-column", true)                                                                                  \
    X(KEEP_IN_STEP, "keep-in-step", false)                                                                             \
    X(RETYPE_COLUMN, "retype-column", false)                                                                           \
    X(DROP_COLUMN, "drop-column", false)                                                                               \
    X(SET_DEFAULT, "set-default", true)                                                                                \
    X(DROP_DEFAULT, "drop-default", false)                                                                             \
    X(SET_IDENTITY, "set-identity", true)                                                                              \
    X(BACKFILL, "backfill", false)                                                                                     \
    X(SET_NOT_NULL, "set-not-null", false)                                                                             \
    X(DROP_NOT_NULL, "drop-not-null", false)                                                                           \
    X(ADD_CHECK, "add-check", false)                                                                                   \
    X(ADD_FOREIGN_KEY, "add-foreign-key", false)                                                                       \
    X(VALIDATE, "validate", true)                                                                                      \
    X(CREATE_INDEX, "create-index", true)                                                                              \
    X(CREATE_UNIQUE_INDEX, "create-unique-index", false)                                                               \
    X(ADD_PRIMARY_KEY, "add-primary-key", false)                                                                       \
    X(ADD_UNIQUE, "add-unique", false)                                                                                 \
    X(DROP_CONSTRAINT, "drop-constraint", false)                                                                       \
    X(DROP_INDEX, "drop-index", false)                                                                                 \
    X(RENAME_INDEX, "rename-index", false)                                                                             \
    X(RENAME_CONSTRAINT, "rename-constraint", false)                                                                   \
    X(DROP_LEFTOVER, "drop-leftover", true)                                                                            \
    X(COMMENT, "comment", true)                                                                                        \
    X(HAND_STEP, "step", false)                                                                                        \
    X(RECORD, "record", true)

enum pg_step_kind {
#define PG_STEP_ENUM(symbol, name, additive) PG_STEP_##symbol,
    PG_STEP_MAP(PG_STEP_ENUM)
#undef PG_STEP_ENUM
        PG_NSTEPS
};
const char *pg_step_name(enum pg_step_kind kind);
bool pg_step_is_additive(enum pg_step_kind kind);

enum pg_step_mode {
    PG_TOGETHER, /* in one transaction with the steps of this mode beside it */
    PG_ALONE,    /* in a transaction of its own, so that its lock ends before the next step */
    PG_OUTSIDE,  /* in no transaction: CREATE INDEX CONCURRENTLY and the like */
    PG_REPEATED  /* sql[0] in a transaction of its own, again and again until it changes no row */
};

/* A statement of a step, or a part of one, that is another one's matter. */
struct pg_step_part {
    uint32_t statement;          /* from 0 */
    const char *field, *written; /* as of a step */
    struct pg_span span;         /* bytes of the statement; empty = all of it */
    uint32_t declared;           /* as of a step */
    /* A statement that makes it alone, of a temporary table: a failure that the server gives no place of is this part's
     * when that fails in the same way. NULL = none. */
    const char *probe;
};

/* Another declaration than its own that needs a step as well, or for which the step makes something. */
struct pg_step_share {
    uint32_t declared;
    const char *text; /* one line for people; the step's own where it is needed as it is */
};

struct pg_step {
    enum pg_step_kind kind;
    enum pg_step_mode mode;
    bool on_new;      /* the plan makes the table, so that nobody relies on how it was */
    const char *text; /* one line for people: the SQL, shortened, or what it does */
    const char **sql; /* statements, in order, one each. What has to be recorded in cell.objects is among them */
    uint32_t nsql;
    /* A query of one boolean that is true when the step is done, NULL = the steps of a fresh diff say it. Ask before
     * and after a step that runs outside of transactions. */
    const char *done;
    /* Statements to run one by one before a step outside of transactions that is not done: they remove what an
     * interrupted one has left. Only when `broken`, a query of one boolean, says so: the name may be another thing's.
     */
    const char **repair;
    uint32_t nrepair;
    const char *broken;
    const char *hazard;  /* id of the rule that it touches; "" = none */
    const char *consent; /* macro that allowed it, as written: "CELL_DROPPED(\"email\")"; NULL = none was needed */
    const char *schema, *table;       /* that it changes */
    const char *object;               /* column, index, constraint; NULL */
    const char *field;                /* of the struct, to report a failure at; NULL = the annotation */
    const char *written;              /* what wants it on the struct, to report a failure of; NULL */
    const struct pg_step_part *parts; /* statements that make something of their own */
    uint32_t nparts;
    struct pg_step_share *shares; /* one for each declaration that has any */
    uint32_t nshares;
    uint32_t declared;  /* which of the declared tables wants it */
    uint32_t consented; /* which one has the consent that it needs; else the same */
    /* When it fails for the data that is there: a query for up to 3 rows that show why ("age" and a count), NULL. */
    const char *culprits;
};

/* What only a server can tell before the first step: whether an expression is for the types that columns have when the
 * step is done that puts it there. */
struct pg_typing {
    const char *value; /* the expression */
    const char *row;   /* "(SELECT …) AS table": of what it is computed; the same for those of one table and moment */
    const char *table;
    const char *into; /* the type that its value becomes; NULL = any, or not known yet */
    /* The plan makes what it may be about, such as its types: only what this cannot mend is wrong. */
    bool unsure;
    /* What is wrong when it does not, before ": why. advice": "check 'a' is made when 'b' is bigint already …" */
    const char *text, *advice;
    const char *field;
    uint32_t declared;
};

/* A column that a recorded program uses. */
struct pg_use {
    const char *schema, *table, *column; /* schema NULL = any */
    const char *program;
    const char *type;  /* of the column when the program was compiled, as pg_type_name prints it; NULL = unknown */
    const char *place; /* "src/mail.c:12"; NULL = unknown */
};

struct pg_diff_options {
    const struct pg_use *uses;
    uint32_t nuses;
    /* Why what programs use is not known completely: then whatever could break one waits as if one used it. NULL = it
     * is known. */
    const char *unknown;
};

struct pg_plan {
    struct pg_arena arena;
    struct pg_step *steps; /* none when an error is among the diagnostics of any of the tables */
    uint32_t nsteps;
    struct pg_typing *typings; /* of the steps */
    uint32_t ntypings;
    pg_diagnostics diagnostics; /* of the diff; those of declarations are not repeated */
    char id[33];                /* the same for the same steps; "" without steps */
    /* As tables will be once the plan is applied, by number of declaration: types of columns as they are or become,
     * undeclared columns included. Of CELL_ROWS: as it is; columns NULL when there is no such table. */
    struct pg_table *tables;
    uint32_t ntables;
};

/*
 * `declared` are those of one unit in its order, all for the same `catalog`, which knows the tables that exist of those
 * that they name (also as former names and in foreign keys). Several structs may own parts of one table when they
 * agree; it is compared phase by phase over all of them, and a step or diagnostic belongs to the declaration whose
 * field or rule wants it. `options` NULL = none. Everything given is borrowed during the call only. CELL_NO_MEMORY.
 */
int pg_diff(const struct pg_model *catalog, const struct pg_declared *const *declared, uint32_t n,
            const struct pg_diff_options *options, struct pg_plan **plan);
void pg_plan_free(struct pg_plan *p);

/* The "plan" of an expansion document: {"id": …, "steps": […]}; NULL without steps, or when memory is short. */
json_t *pg_plan_json(const struct pg_plan *p);

#endif
