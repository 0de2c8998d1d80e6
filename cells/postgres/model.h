/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Tables as they are or should be: what the catalog says and what a struct declares, in the same terms. Pure data in an
 * arena; every pointer in a model belongs to it. A model that is complete may be read by any thread.
 *
 * All texts are UTF-8 without NUL. Names are as in the catalog: unquoted, case as it is.
 */
#ifndef CELLS_POSTGRES_MODEL_H
#define CELLS_POSTGRES_MODEL_H

#include "memory.h"

#define PG_NAME_MAX 63 /* bytes of an identifier */

/* X(symbol, what format_type() prints without modifier, other names that SQL has for it: up to two, NULL) */
#define PG_BASE_MAP(X)                                                                                                 \
    X(BOOL, "boolean", "bool", NULL)                                                                                   \
    X(INT2, "smallint", "int2", NULL)                                                                                  \
    X(INT4, "integer", "int4", "int")                                                                                  \
    X(INT8, "bigint", "int8", NULL)                                                                                    \
    X(FLOAT4, "real", "float4", NULL)                                                                                  \
    X(FLOAT8, "double precision", "float8", "float")                                                                   \
    X(NUMERIC, "numeric", "decimal", "dec")                                                                            \
    X(TEXT, "text", NULL, NULL)                                                                                        \
    X(VARCHAR, "character varying", "varchar", "char varying")                                                         \
    X(BPCHAR, "character", "char", "bpchar")                                                                           \
    X(BYTEA, "bytea", NULL, NULL)                                                                                      \
    X(UUID, "uuid", NULL, NULL)                                                                                        \
    X(DATE, "date", NULL, NULL)                                                                                        \
    X(TIME, "time without time zone", "time", NULL)                                                                    \
    X(TIMETZ, "time with time zone", "timetz", NULL)                                                                   \
    X(TIMESTAMP, "timestamp without time zone", "timestamp", NULL)                                                     \
    X(TIMESTAMPTZ, "timestamp with time zone", "timestamptz", NULL)                                                    \
    X(INTERVAL, "interval", NULL, NULL)                                                                                \
    X(JSON, "json", NULL, NULL)                                                                                        \
    X(JSONB, "jsonb", NULL, NULL)                                                                                      \
    X(INET, "inet", NULL, NULL)                                                                                        \
    X(CIDR, "cidr", NULL, NULL)                                                                                        \
    X(MACADDR, "macaddr", NULL, NULL)                                                                                  \
    X(BIT, "bit", NULL, NULL)                                                                                          \
    X(VARBIT, "bit varying", "varbit", NULL)                                                                           \
    X(MONEY, "money", NULL, NULL)                                                                                      \
    X(XML, "xml", NULL, NULL)                                                                                          \
    X(TSVECTOR, "tsvector", NULL, NULL)                                                                                \
    X(OID, "oid", NULL, NULL)                                                                                          \
    X(VECTOR, "vector", NULL, NULL) /* of pgvector */

/* PG_BASE_NONE is an unset type; PG_BASE_OTHER any type that is not in the list (enums, domains, of extensions). */
enum pg_base {
    PG_BASE_NONE,
#define PG_BASE_ENUM(symbol, name, alias, alias2) PG_BASE_##symbol,
    PG_BASE_MAP(PG_BASE_ENUM)
#undef PG_BASE_ENUM
        PG_BASE_OTHER
};

/* The type of a column or value. Equal when base, name, modifiers and array are. */
struct pg_type_use {
    enum pg_base base;
    const char *schema, *name; /* OTHER: schema (NULL = found by the search path) and name, unquoted; else NULL */
    /* numeric(p, s): p and s. varchar, char, bit: length. time…, timestamp…, interval: precision. vector: dimensions.
     * Else, and when there is none, -1. */
    int32_t modifier, scale;
    bool array; /* of this; PostgreSQL does not tell arrays of several dimensions apart */
    /* Of a domain that a catalog knows: what it is made of in the end, which is no domain. Else NULL. No part of what
     * makes types equal. */
    const struct pg_type_use *domain;
};
/* What values of the type are sent and received as. */
static inline const struct pg_type_use *pg_carrier(const struct pg_type_use *type)
{
    return type->domain && !type->array ? type->domain : type;
}

/*
 * An expression or predicate. PostgreSQL stores it parsed, so what the catalog prints is seldom what was written. What
 * Cell creates it records in cell.objects (sql.h): the text it was made of, and the one that the catalog printed then.
 */
struct pg_expr {
    const char *sql;    /* NULL = none. As declared; or as pg_get_expr and the like print it, not pretty */
    const char *source; /* catalog: the recorded text, if the catalog still prints what it printed then; else NULL */
    bool printed;       /* catalog: sql is what PostgreSQL prints */
};

struct pg_column {
    const char *name;
    struct pg_type_use type;
    bool nullable;
    char identity; /* 'a' = always, 'd' = by default, 0 = none; catalog: 'd' also for one with a sequence of its own */
    struct pg_expr standard;  /* the default */
    struct pg_expr generated; /* GENERATED ALWAYS AS … STORED; then there is no default */
    const char *comment;      /* NULL = none */
    const char *numbers;      /* of an enum stored as them, "MOOD_SAD=0 MOOD_OK=1"; catalog: as recorded; NULL = none */
    bool default_made;        /* catalog: recorded as made by Cell; so an undeclared default may be dropped */
};

/* A part of a text. */
struct pg_span {
    size_t from, to; /* bytes; `to` is behind it */
};

/* A primary key or a unique constraint. */
struct pg_key {
    const char *name;
    const char **columns;
    uint32_t n;
    bool made; /* catalog: recorded as made by Cell */
};

struct pg_index_part {
    const char *column;  /* NULL for an expression */
    struct pg_expr expr; /* sql NULL for a column */
    const char *opclass; /* NULL = the default one of the type */
    bool descending, nulls_first;
};

/* An index that belongs to no constraint. */
struct pg_index {
    const char *name;
    const char *method; /* "btree", "gin", … */
    struct pg_index_part *parts;
    uint32_t n;
    const char **included; /* INCLUDE columns */
    uint32_t nincluded;
    struct pg_expr predicate;
    bool unique;
    bool valid; /* pg_index.indisvalid: false is left behind by a concurrent build that was interrupted */
    bool made;
    const char *written; /* declared: "CELL_INDEX(\"lower(name)\")" on the struct; NULL = on a field. Else NULL */
};

/* pg_constraint.confdeltype, confupdtype */
enum pg_action { PG_NO_ACTION = 'a', PG_RESTRICT = 'r', PG_CASCADE = 'c', PG_SET_NULL = 'n', PG_SET_DEFAULT = 'd' };

struct pg_foreign_key {
    const char *name;
    const char **columns;
    const char *to_schema, *to_table;
    const char **to_columns; /* declared: NULL until the diff has found the primary key that is meant */
    uint32_t n;
    enum pg_action on_delete, on_update;
    bool deferrable, deferred;
    bool valid; /* pg_constraint.convalidated */
    bool made;
};

struct pg_check {
    const char *name;
    struct pg_expr expr; /* without CHECK and its parentheses */
    bool valid;
    bool made;
    const char *column; /* declared: of the field whose rule it is; NULL = of none, or of the catalog */
    /* declared: what of the field makes it, "CELL_LENGTH" or "type in C", which stands there once; else NULL */
    const char *origin;
    const char *written; /* declared: "CELL_TABLE_CHECK(\"age > 0\")" on the struct; NULL = on a field. Else NULL */
    bool implied;        /* by the C type of the field; catalog: recorded so */
};

/* A trigger of Cell's that keeps two columns in step, of which one replaces the other. */
struct pg_in_step {
    const char *name; /* of the trigger and its function, which is in the table's schema */
    const char *column, *replaced;
    const char *body; /* of the function, as recorded; NULL when what is there is not as it was made */
};

/* Recorded in cell.objects: what a consent in the source has done to the table. FILLED: a column that replaces another
 * one has got its values. DROPPING: an index is being dropped, which is in no transaction. FILLING: a new optional
 * column is to get its values, which is in many. GIVING_WAY: a unique index, a check or a foreign key goes once the one
 * that `text` names is there, and holds. SHAPE: the members that the JSON of a column has, as pg_shape_text writes
 * them. */
enum pg_past {
    PG_PAST_DROPPED = 1,
    PG_PAST_RENAMED,
    PG_PAST_RETYPED,
    PG_PAST_STEP,
    PG_PAST_FILLED,
    PG_PAST_DROPPING,
    PG_PAST_FILLING,
    PG_PAST_GIVING_WAY,
    PG_PAST_SHAPE
};
struct pg_event {
    enum pg_past past;
    const char *name; /* the key of a consent, the former name, or the name of a hand-written step */
    int64_t age_s;    /* seconds since */
    const char *text; /* STEP: stands for its SQL, as recorded; NULL = not known. GIVING_WAY: to which. SHAPE */
    const char *day;  /* "2026-11-28"; NULL = by this plan */
};

struct pg_table {
    const char *schema, *name;
    char kind; /* pg_class.relkind: 'r' table, 'p' partitioned, 'v' view, 'm' materialised view, 'f' foreign */
    const char *comment;       /* NULL = none */
    int64_t rows;              /* catalog: an estimate, -1 = unknown */
    struct pg_column *columns; /* in the table's order, dropped ones left out */
    uint32_t ncolumns;
    struct pg_key *primary; /* NULL = none */
    struct pg_key *uniques;
    uint32_t nuniques;
    struct pg_index *indexes;
    uint32_t nindexes;
    struct pg_foreign_key *foreign;
    uint32_t nforeign;
    struct pg_check *checks;
    uint32_t nchecks;
    struct pg_event *events; /* catalog */
    uint32_t nevents;
    struct pg_in_step *in_step; /* catalog */
    uint32_t nin_step;
};

/* What has a name that was asked for. Tables, views, indexes, sequences and types of rows share the names of a schema.
 */
struct pg_relation {
    const char *schema, *name;
    char kind; /* pg_class.relkind: as a table's; 'i', 'I' index, 'S' sequence, 'c' type. 'x': index of an exclusion
                * constraint, which tables do not list. 'T': a type that is in no table's way but by its name: an enum,
                * a domain, a range */
    const char *table; /* that an index is of, or a sequence; NULL = of none */
};

/* A native enum type. */
struct pg_enum {
    const char *schema, *name;
    const char **labels; /* in order */
    uint32_t n;
};

/* A domain: another type's values, as far as its checks allow. */
struct pg_domain {
    const char *schema, *name;
    bool visible; /* found without its schema */
    struct pg_type_use base;
    const char *definition; /* what stands behind CREATE DOMAIN name AS */
};

enum pg_extension { PG_EXTENSION_NONE, PG_EXTENSION_AVAILABLE, PG_EXTENSION_INSTALLED };

/* A set of tables. */
struct pg_model {
    struct pg_arena arena;
    int version;                /* server_version_num, 150004; 0 = unknown */
    const char *default_schema; /* where a table is whose struct names no schema: current_schema() */
    enum pg_extension vector;   /* pgvector */
    const char **schemas;       /* that exist */
    uint32_t nschemas;
    struct pg_table *tables; /* as read; those asked for that do not exist are missing */
    uint32_t ntables;
    struct pg_relation *relations; /* of the names that were asked for, those that something has */
    uint32_t nrelations;
    struct pg_enum *enums; /* all of the schemas of the tables and of the search path */
    uint32_t nenums;
    struct pg_domain *domains; /* all that the database has */
    uint32_t ndomains;
};

/* An empty one; NULL when memory is short. Fill it from its arena. pg_model_free accepts NULL. */
struct pg_model *pg_model_new(void);
void pg_model_free(struct pg_model *m);

/* NULL when there is none. `schema` NULL means the default one. */
struct pg_table *pg_model_table(const struct pg_model *m, const char *schema, const char *name);
const struct pg_relation *pg_model_relation(const struct pg_model *m, const char *schema, const char *name);
const struct pg_enum *pg_model_enum(const struct pg_model *m, const char *schema, const char *name);
/* `schema` NULL means that it is found without one. */
const struct pg_domain *pg_model_domain(const struct pg_model *m, const char *schema, const char *name);
/* Sets `domain` of a type that is one, and leaves others alone. */
void pg_model_resolve(const struct pg_model *m, struct pg_type_use *type);
bool pg_enum_has(const struct pg_enum *e, const char *label);
/* A label that one of them has and the other one has not; NULL = they have the same. */
const char *pg_enum_difference(const struct pg_enum *a, const struct pg_enum *b);
bool pg_model_has_schema(const struct pg_model *m, const char *schema);
struct pg_column *pg_table_column(const struct pg_table *t, const char *name);

/* Everything deep, into `arena`. */
void pg_column_copy(struct pg_arena *arena, const struct pg_column *from, struct pg_column *to);
void pg_table_copy(struct pg_arena *arena, const struct pg_table *from, struct pg_table *to);

/*
 * The type that a text names ("numeric(12,2)", "int", "varchar(20)[]", "app.mood", "\"Mood\""), as format_type() prints
 * it or as an author writes it. The result points into `arena`. CELL_INVALID_ARGUMENT for what is no type name; then
 * `why` (of at least 128 bytes, NULL = not wanted) says so. Whether a type of an unknown name exists is for the caller
 * to find.
 */
int pg_type_parse(struct pg_arena *arena, const char *text, struct pg_type_use *type, char why[128]);
/* As format_type() prints it; names of other types quoted where needed. */
const char *pg_type_name(struct pg_arena *arena, const struct pg_type_use *type);
bool pg_type_equal(const struct pg_type_use *a, const struct pg_type_use *b);

/*
 * Equality of what matters. Names of constraints and indexes, `made`, comments and events do not; lists of constraints
 * and indexes are compared as sets. Expressions are equal when they say the same after normalisation: with `source` the
 * declared text is compared with that. White space, the case of key words and unquoted names, redundant parentheses,
 * spellings of types and of operators (`!=`, IN lists as = ANY (ARRAY[…])) do not count; nor, where nothing is
 * recorded, casts that the catalog prints and that PostgreSQL may have put in. Normalised texts that differ may still
 * mean the same: whoever finds that declares the text that the catalog prints.
 */
bool pg_expr_equal(const struct pg_expr *a, const struct pg_expr *b);
bool pg_key_equal(const struct pg_key *a, const struct pg_key *b);
bool pg_index_equal(const struct pg_index *a, const struct pg_index *b);
bool pg_foreign_key_equal(const struct pg_foreign_key *a, const struct pg_foreign_key *b);
bool pg_check_equal(const struct pg_check *a, const struct pg_check *b);
bool pg_column_equal(const struct pg_column *a, const struct pg_column *b);
bool pg_table_equal(const struct pg_table *a, const struct pg_table *b);
/* Every table of one has its equal in the other. */
bool pg_model_equal(const struct pg_model *a, const struct pg_model *b);

#endif
