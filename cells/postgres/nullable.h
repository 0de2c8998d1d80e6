/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Which columns of a statement's result can be NULL, from its parse tree (libpg_query) and the catalog. PostgreSQL
 * itself says only where a column comes from: one of a table's NOT NULL columns that an outer join has made nullable
 * looks like any other.
 *
 * The answer is never wrong in one direction: a column that is called never NULL has no NULL in any row, whatever is in
 * the tables. In doubt a column can be NULL. What is understood: inner, outer, natural and USING joins, and that a
 * condition rejects NULLs (WHERE and ON, so that outer joins become inner ones); subqueries, LATERAL, CTEs (recursive
 * and data-modifying), VALUES, set operations, views, inheritance; RETURNING; grouping sets; aggregates and window
 * functions; expressions of PostgreSQL's own functions and operators.
 */
#ifndef CELLS_POSTGRES_NULLABLE_H
#define CELLS_POSTGRES_NULLABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct null_column {
    const char *name;
    bool not_null; /* a constraint holds for all rows of the relation and of those that inherit from it */
    char category; /* pg_type.typcategory, but 'u' for PostgreSQL's own types of 'U' that have no NULL of their own */
};

struct null_relation {
    const struct null_column *columns; /* those that `*` stands for, in order */
    size_t ncolumns;
    const char *view; /* the defining SELECT; NULL when it is no view */
    bool returns_own; /* RETURNING gives rows of the relation as its constraints check them: a table without rules */
};

/* What all functions, or operators, that a name with so many arguments may mean have in common. */
struct null_callable {
    bool strict;  /* they give NULL for a NULL argument */
    bool builtin; /* they are PostgreSQL's own */
    bool trusted; /* they are PostgreSQL's own or written in C */
    bool scalar;  /* each gives one column */
    bool sets;    /* one gives a set */
    bool effects; /* one is volatile: it may change something */
};

/* Where names are looked up; a schema may be NULL. False: there is none. Results live until the analysis returns. */
struct null_catalog {
    bool (*relation)(void *user, const char *schema, const char *name, struct null_relation *out);
    bool (*function)(void *user, const char *schema, const char *name, int nargs, struct null_callable *out);
    bool (*operation)(void *user, const char *name, int nargs, struct null_callable *out);
    /* Whether a cast to a type, or with name NULL one that nobody has to write, may change something. */
    bool (*cast_effects)(void *user, const char *schema, const char *name);
    /* Whether a function of one argument may, which is written `x.name` as a column is. */
    bool (*notation_effects)(void *user, const char *name);
    void *user;
};

/* What there is to know beside the columns. */
struct null_statement {
    bool understood; /* false: nothing is known, because the text could not be parsed or is too large */
    bool into;       /* SELECT INTO, which is CREATE TABLE */
    bool writes;     /* INSERT, UPDATE, DELETE, MERGE, also in a CTE */
    bool locks;      /* FOR UPDATE and its like */
    bool repeatable; /* it changes nothing however often it is executed */
};

/* True when this build can parse SQL (libpg_query). Without, nothing is understood. */
bool nullable_available(void);

/*
 * Fills never_null[0 … ncolumns) for the result of `sql`, one statement that the server has accepted with so many
 * columns. `optional[i]` says that parameter $(i+1) may be NULL. Bounded in time and depth for any text. Thread-safe.
 */
void nullable_analyse(const char *sql, const struct null_catalog *catalog, const bool *optional, size_t noptional,
                      bool *never_null, size_t ncolumns, struct null_statement *statement);

#endif
