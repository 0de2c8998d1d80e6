/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * SQL text. Names and literals are quoted here and nowhere else. Pure.
 *
 * Expressions (defaults, checks, generated columns, index expressions, predicates) are SQL of the author and are put in
 * as they are, in parentheses. So that none can end the statement that it stands in, pg_sql_check takes its tokens
 * apart by the lexical rules of PostgreSQL (with standard_conforming_strings on, which the cell sets): it must be
 * balanced, have no semicolon, no comment, no parameter and no unterminated token. Whether it is an expression that
 * PostgreSQL understands, PostgreSQL says. No SQL parser is linked for this: what it would refuse in addition cannot
 * hurt, and it would know one version's grammar, not the server's. (libpg-query is the oracle in test/fuzz.)
 */
#ifndef CELLS_POSTGRES_SQL_H
#define CELLS_POSTGRES_SQL_H

#include "model.h"

/* Appends an identifier, always in quotes. */
void pg_sql_name(struct pg_text *t, const char *name);
/* schema.name */
void pg_sql_qualified(struct pg_text *t, const char *schema, const char *name);
/* Names with ", " between. */
void pg_sql_names(struct pg_text *t, const char *const *names, uint32_t n);
/* Appends a text as a literal: 'it''s', or E'…' with backslashes doubled when it has any; NULL is NULL. */
void pg_sql_literal(struct pg_text *t, const char *text);
/* True for what an unquoted name must not be (PostgreSQL 13 to 17), in lower case. */
bool pg_sql_is_keyword(const char *name);
/* True for a name that means itself without quotes. */
bool pg_sql_is_plain(const char *name);

/* 1 to 63 bytes; quoting deals with everything else. */
bool pg_name_fits(const char *name);
/* "users_email_key" of up to three parts (NULL = left out); longer than 63 bytes: shortened, with a hash. */
const char *pg_made_name(struct pg_arena *arena, const char *table, const char *column, const char *end);

/* An index or key of `table` that shall be called `name`, which other relations of its schema may be called too: number
 * `i` of the names that it can have, 0 = `name`. The last one of PG_RELATION_NAMES and those behind it are like no
 * other table's. */
#define PG_RELATION_NAMES 4
const char *pg_relation_name(struct pg_arena *arena, const struct pg_table *table, const char *name, uint32_t i);

enum pg_token_kind {
    PG_TOKEN_END,
    PG_TOKEN_NAME,
    PG_TOKEN_QUOTED,
    PG_TOKEN_STRING,
    PG_TOKEN_NUMBER,
    PG_TOKEN_PUNCT,
    PG_TOKEN_OPERATOR,
    PG_TOKEN_PARAMETER,
    PG_TOKEN_COMMENT,
    PG_TOKEN_BAD
};
struct pg_token {
    enum pg_token_kind kind;
    size_t at, len; /* bytes of the text */
};
/* The token of `sql` at or behind byte `from`; white space is skipped, comments are tokens. PG_TOKEN_BAD is
 * unterminated, or a byte that no token begins with; its `at` is where it begins. PUNCT is one of ( ) [ ] , ; : . and
 * `::`. */
struct pg_token pg_sql_token(const char *sql, size_t len, size_t from);

/* Checks that `sql` is a balanced expression (above). CELL_INVALID_ARGUMENT: `why` says what is wrong, *at (NULL = not
 * wanted) at which byte. */
int pg_sql_check(const char *sql, char why[128], size_t *at);
/*
 * Takes apart at the semicolons; comments are left out. CELL_INVALID_ARGUMENT for text that is unbalanced or has no
 * statement, and for statements that begin or end transactions or that read from the client (COPY … FROM STDIN). The
 * body of a function belongs into quotes: semicolons within BEGIN ATOMIC … END would end the statement.
 */
int pg_sql_split(struct pg_arena *arena, const char *sql, const char ***statements, uint32_t *n, char why[128],
                 size_t *at);
/* The same expression in one spelling, for comparisons (model.h, pg_expr_equal). */
const char *pg_sql_normal(struct pg_arena *arena, const char *sql);
/* Whether an expression that PostgreSQL prints can be of one that was written, both normal: it has the same, and casts
 * that PostgreSQL puts in besides. */
bool pg_sql_covers(const char *printed, const char *written);
/* `sql` with each unquoted or quoted name `from`, where it can be a column, as `to`: what a rename does to an
 * expression. */
const char *pg_sql_renamed(struct pg_arena *arena, const char *sql, const char *from, const char *to);

/* `sql` with schema.table.column as table.column. */
const char *pg_sql_without_schema(struct pg_arena *arena, const char *sql, const char *schema, const char *table);
/* Whether the row as a whole is meant by the name of its table. */
bool pg_sql_names_row(struct pg_arena *arena, const char *sql, const char *table);

/*
 * The tables in schema `cell` in which is recorded what Cell made: "CREATE SCHEMA IF NOT EXISTS cell" and so on, NULL-
 * terminated, each a statement; run them once before anything is read.
 *
 *     cell.objects(schema_name text, table_name text, kind text, name text, source text, printed text, at timestamptz)
 *     primary key (schema_name, table_name, kind, name)
 *
 * `kind` says what an object is, and `source` of what text it was made; NULL where there is none:
 *
 *     default, generated   name = the column; the expression
 *     check, implied       the expression; implied: no rule says it, but the C type of its field
 *     key, foreign         NULL
 *     index                what pg_index_source gives
 *     in_step              a trigger; what pg_in_step_source gives
 *     numbers              of an enum that is stored as them; name = the column
 *
 * or what has happened:
 *
 *     dropped, retyped     name = the column, former index or constraint, and behind \x1f the type that it gets, and
 *                          the text that a consent tells itself from earlier ones by
 *     renamed              name = the former name; the next one of a column
 *     filling, filled      name = the column that gets, or has got, its values
 *     dropping             name = the index, until it is dropped
 *     giving-way           name = the index, check or foreign key; the name of the one in whose favour it is dropped
 *     shape                name = the column; the members of its JSON, each as a line "path kind"
 *     step                 name = the step's
 *
 * `printed` is what the catalog printed when the object was made.
 *
 * To read: an object of the catalog is `made` when it has a row; and its `source` is set when `printed` is what the
 * catalog prints now. pg_sql_objects_query is that query.
 */
extern const char *const pg_sql_objects_tables[];

/* Parameters: text[] $1 and $2, of one length, schemas and names of tables, each table once. Columns: schema_name,
 * table_name, kind, name, source, unchanged (boolean: printed as it was, or not kept then and not there now), age_s
 * (bigint), the day. */
extern const char *const pg_sql_objects_query;

/* A statement that records objects, with what the catalog prints for each at that moment, and events. None may stand
 * twice. */
struct pg_record {
    const char *kind, *name;
    const char *source; /* NULL = none */
};
const char *pg_sql_record(struct pg_arena *arena, const struct pg_table *table, const struct pg_record *records,
                          uint32_t n);
const char *pg_sql_forget(struct pg_arena *arena, const struct pg_table *table, const char *kind, const char *name);
/* NULL-terminated statements: what is recorded of a table, and noted of it (drift.h), is of its next name then. */
const char *const *pg_sql_record_table_renamed(struct pg_arena *arena, const struct pg_table *table, const char *to);

/* `source` of an index: its expressions and its predicate as one text, and back into `index`, whose parts have their
 * `sql` already. It gets the predicate that PostgreSQL has not kept, one that is simply true. */
const char *pg_index_source(struct pg_arena *arena, const struct pg_index *index);
void pg_index_sources(struct pg_arena *arena, const char *source, struct pg_index *index);

/* `source` of a trigger that keeps two columns in step: both and the body of its function. Catalogs read it back. */
const char *pg_in_step_source(struct pg_arena *arena, const struct pg_in_step *t);

/* Statements, without semicolon. A table is created with its keys and checks; indexes and foreign keys follow. The
 * first is ALTER TABLE … ADD COLUMN. */
void pg_sql_column(struct pg_text *t, const struct pg_table *table, const struct pg_column *column);
/* `spans`: where each column, the primary key if there is one, each unique constraint and each check stands in the
 * text, in this order; room for all of them. */
void pg_sql_create_table(struct pg_text *t, const struct pg_table *table, struct pg_span *spans);
/* CREATE TABLE with its columns, NOT NULLs and keys: what stands for a table when statements are described before it is
 * as they need it. Checks, foreign keys and identity are left out; defaults and generated columns are in. */
void pg_sql_stand_in(struct pg_text *t, const struct pg_table *table);
void pg_sql_create_index(struct pg_text *t, const struct pg_table *table, const struct pg_index *index,
                         bool concurrently);
/* "CONSTRAINT name FOREIGN KEY (…) REFERENCES …", "CONSTRAINT name CHECK (…)" */
void pg_sql_foreign_key(struct pg_text *t, const struct pg_foreign_key *f);
void pg_sql_check_constraint(struct pg_text *t, const struct pg_check *c);

/* SQL: what the row `type` of pg_type, which may be an array of `element`, is made of in one step when it is a domain or
 * an array of one: a type, or the array of a type. 0 when it is none. */
#define PG_BASE_OF(type, element)                                                                                      \
    "CASE WHEN " type ".typtype = 'd' THEN " type ".typbasetype"                                                       \
    " WHEN " type ".typcategory = 'A' AND " element ".typtype = 'd' THEN"                                              \
    " (SELECT b.typarray FROM pg_catalog.pg_type b WHERE b.oid = " element ".typbasetype) ELSE 0 END"

#endif
