/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What an annotated struct declares: the table it should be, how its fields lie on the columns, and what it consents
 * to. Pure: a function of the expansion request (docs/protocol.md) alone, and of the enums and the version of the
 * server.
 */
#ifndef CELLS_POSTGRES_DECLARE_H
#define CELLS_POSTGRES_DECLARE_H

#include <jansson.h>

#include "model.h"
#include "types.h"

enum pg_severity { PG_ERROR, PG_WARNING, PG_REMARK, PG_NOTE };

struct pg_note {
    const char *text;
    const char *field; /* NULL = the annotation */
};

/* As in an expansion document. All texts are for people and hold nothing that a document may not. */
struct pg_diagnostic {
    enum pg_severity severity;
    const char *text;
    const char *rule_id;     /* of pg_rules (diff.h), which the text names too; NULL */
    const char *field;       /* NULL = the annotation */
    int rule, argument;      /* position in "declaration"."rules" and among its arguments; −1 = none */
    int64_t at, length;      /* bytes in the text of that argument; −1 = no position */
    const char *fix_rule;    /* rule whose macro would mend it, NULL; behind `field`, or on the declaration */
    const char *fix_args[2]; /* NULL = no (further) argument */
    struct pg_note *notes;
    uint32_t nnotes;
    uint32_t declared;       /* which of the tables of a request list it is about */
    bool whole;              /* about the table, as the structs make it that are known so far */
    bool awaits;             /* another table's declaration would put it right, one that comes or has failed */
    uint32_t against;        /* declaration that it is about as well; UINT32_MAX = none */
    const char *other_table; /* what is wrong is that this one is not as it should be; NULL = what is declared itself */
};
typedef PG_LIST(struct pg_diagnostic) pg_diagnostics;

/* CELL_REPLACES: the column is another one's next form. */
struct pg_replaces {
    const char *column;         /* that is replaced */
    const char *forward, *back; /* SQL of the value of one from the other; NULL = a cast */
};

/* What is in the JSON of a field that is a struct, or several. */
struct pg_member {
    const char *path; /* "city", "place.x", whatever lists are between; "" is the field itself */
    /* What it is there: "i32", "enum", "struct", with "opt:", "list:" or "array:" before, and first of all a * when
     * there may be several of it in the column, or the column is replaced as a whole. */
    const char *kind;
};

typedef PG_LIST(struct pg_member) pg_members;

/* A field of the struct and the column it is on. */
struct pg_field {
    const char *name;  /* of the field */
    struct pg_ctype c; /* c.fields is the request's */
    struct pg_mapping mapping;
    uint32_t column;              /* in pg_declared.table.columns */
    const char *renamed_from;     /* former column; NULL */
    const char *backfill;         /* SQL; NULL */
    struct pg_replaces *replaces; /* NULL */
    const char *sql_type;         /* argument of CELL_SQL_TYPE; NULL */
    struct pg_member *members;    /* what a member is in comes before it */
    uint32_t nmembers;
    bool key, automatic; /* part of the primary key; CELL_AUTO: identity, or the default of its type */
    bool filled;         /* the database may fill it in: CELL_AUTO, CELL_DEFAULT, CELL_GENERATED */
};

/* A consent or a step on the declaration. */
enum pg_consent_kind { PG_CONSENT_DROPPED, PG_CONSENT_RETYPED };
struct pg_consent {
    enum pg_consent_kind kind;
    const char *name;  /* column; DROPPED also index, constraint */
    const char *again; /* tells it from an earlier consent to the same; NULL */
    int rule;          /* position in "declaration"."rules" */
};

struct pg_hand_step {
    const char *name;
    const char **statements; /* its SQL, taken apart at the semicolons */
    uint32_t n;
    int rule;
};

/* A column that a rule on the struct names and no field of it is: another struct of the table may have it. */
enum pg_outer_use { PG_OUTER_NAMED, PG_OUTER_IN_KEY, PG_OUTER_SET_NULL, PG_OUTER_RETYPED };
struct pg_outer {
    const char *column;
    int rule, argument; /* where it is named: position in "declaration"."rules", and among its arguments */
    enum pg_outer_use use;
};

struct pg_declared {
    struct pg_arena arena;
    bool owned;               /* CELL_TABLE; else CELL_ROWS, which only reads and checks */
    const char *tag;          /* of the struct */
    const char *location;     /* "src/user.c:7:8"; NULL */
    struct pg_table table;    /* as it should be; `schema` is never NULL, comments and all `made`, valid = true. Keys,
                               * indexes and foreign keys may be on columns of `outer` */
    const char *renamed_from; /* former name of the table in the same schema, NULL */
    int renamed_rule;         /* position in "declaration"."rules" */
    struct pg_field *fields;  /* in the struct's order: one for each column */
    uint32_t nfields;
    struct pg_consent *consents;
    uint32_t nconsents;
    struct pg_hand_step *steps; /* in the order in which they are written */
    uint32_t nsteps;
    struct pg_enum *enums; /* native enum types that its fields name, as they should be */
    uint32_t nenums;
    struct pg_outer *outer;
    uint32_t nouter;
    const char **relations; /* names that its keys and indexes may get, in the schema of the table */
    uint32_t nrelations;
    pg_diagnostics diagnostics; /* with an error among them the rest is as far as it was understood */
};

/*
 * Reads one expansion request of the verb `table` or `rows`; it is borrowed during the call only. Mistakes of the
 * author are diagnostics, at the field or the rule; CELL_OK then too. `catalog` gives default_schema, version, vector
 * and enums; NULL = "public" and no others. CELL_INVALID_ARGUMENT with `why` for what is no such request;
 * CELL_NO_MEMORY.
 */
int pg_declare(const json_t *request, const struct pg_model *catalog, struct pg_declared **declared, char why[256]);
void pg_declared_free(struct pg_declared *d);

/* True when an error is among them; of table number `declared` only, or of all (UINT32_MAX). */
bool pg_has_errors(const pg_diagnostics *diagnostics, uint32_t declared);
/* The same, of errors that no later struct can lift. */
bool pg_has_refusals(const pg_diagnostics *diagnostics, uint32_t declared);
/* The "diagnostics" of an expansion document: those of table number `declared`, or all. NULL when memory is short. */
json_t *pg_diagnostics_json(const pg_diagnostics *diagnostics, uint32_t declared);

#endif
