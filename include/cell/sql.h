/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Tables and queries of the cell `postgres`, as annotations. Each macro is the attribute that its definition shows, so
 * that another cell with the same verbs is used by writing those; what a verb makes of its rules is in its schema
 * (`cell schema postgres`). Rules stand behind the name of a field, or before the name of a struct.
 */
#ifndef CELL_SQL_H
#define CELL_SQL_H
#pragma GCC system_header /* its macros use Clang extensions: silent under -pedantic */

#include "attrs.h" // IWYU pragma: export

/* struct CELL_TABLE("users") user { … };   a table that follows the struct: builds create and change it. */
#define CELL_TABLE(name) CELL_VERB("postgres.table", name)
/* struct CELL_ROWS("users") user_row { … };   rows of a table that others own, for reading. */
#define CELL_ROWS(name) CELL_VERB("postgres.rows", name)

/* ---- on fields ---- */

#define CELL_KEY CELL_ANNOTATE("cell.field:key")       /* part of the primary key */
#define CELL_AUTO CELL_ANNOTATE("cell.field:auto")     /* the database gives the value */
#define CELL_UNIQUE CELL_ANNOTATE("cell.field:unique") /* no two rows have the same */
#define CELL_INDEXED CELL_ANNOTATE("cell.field:index")
#define CELL_INDEXED_BY(method) CELL_ANNOTATE("cell.field:index", method) /* "hash", "gin", … */
/* CELL_REFERENCES(teams, id, on delete cascade): the third argument may be left out. */
#define CELL_REFERENCES(table, column, ...)                                                                            \
    CELL_ANNOTATE("cell.field:references", #table, #column __VA_OPT__(, #__VA_ARGS__)) CELL_NO_TEXT(0, ##__VA_ARGS__)
#define CELL_DEFAULT(sql) CELL_ANNOTATE("cell.field:default", sql)
/* CELL_RANGE(low, high), CELL_LENGTH(low, high) and CELL_PATTERN("regex") of attrs.h become constraints. These and
 * CELL_CHECK can stand on members of a struct that is a field, too. */
#define CELL_CHECK(sql) CELL_ANNOTATE("cell.field:check", sql)
#define CELL_COLUMN(name) CELL_ANNOTATE("cell.field:column", name) /* its name in the database */
/* Its type there: "numeric(12,2)". Of an enum as a type of its own a second text is what its enumerators have before
 * the labels, CELL_SQL_TYPE("mood", "MOOD_"): MOOD_SAD is 'sad'. Without one that is what all of them begin with. */
#define CELL_SQL_TYPE(...) CELL_ANNOTATE("cell.field:sql_type", __VA_ARGS__)
#define CELL_GENERATED(sql) CELL_ANNOTATE("cell.field:generated", sql)
#define CELL_BACKFILL(sql) CELL_ANNOTATE("cell.field:backfill", sql) /* the value of rows that are there already */
/*
 * cell_str age CELL_COLUMN("age_text") CELL_REPLACES(age, "age::text", "age_text::integer"): the column takes the place
 * of `age`. While programs that use `age` are recorded both are there, and what is written to one is seen in the other,
 * as the two expressions say; then `age` is dropped. Without expressions: casts, where these lose nothing.
 */
#define CELL_REPLACES(column, ...)                                                                                     \
    CELL_ANNOTATE("cell.field:replaces", #column __VA_OPT__(, __VA_ARGS__)) CELL_NO_TEXT(0, ##__VA_ARGS__)

/* ---- on structs ---- */

/* CELL_INDEX("name, lower(email)", "where active", "btree"): what is behind the columns may be left out. */
#define CELL_INDEX(...) CELL_DECLARATION("index", __VA_ARGS__)
#define CELL_UNIQUE_INDEX(...) CELL_DECLARATION("unique_index", __VA_ARGS__)
#define CELL_PRIMARY_KEY(columns) CELL_DECLARATION("primary_key", columns)
/* CELL_FOREIGN_KEY("team, role", "roles(team, name) on delete cascade") */
#define CELL_FOREIGN_KEY(columns, references) CELL_DECLARATION("foreign_key", columns, references)
#define CELL_TABLE_CHECK(sql) CELL_DECLARATION("check", sql)
#define CELL_SCHEMA(name) CELL_DECLARATION("schema", name) /* the schema of the database that the table is in */
#define CELL_TABLE_RENAMED_FROM(name) CELL_DECLARATION("table_renamed_from", name)
/*
 * Consent: this column, which no field has any more, and its values may go; that column may change its type. A consent
 * holds once in each database: a column that somebody adds again afterwards is another one, and stays. It goes too
 * with CELL_DROPPED("email", "again"), where the second text is one that was not there before. That of another type is
 * for the type that the field has now.
 */
#define CELL_DROPPED(...) CELL_DECLARATION("dropped", __VA_ARGS__)
#define CELL_RETYPED(...) CELL_DECLARATION("retyped", __VA_ARGS__)
/* A step that is written by hand. It is carried out once, before what the struct itself needs. */
#define CELL_STEP(name, sql) CELL_DECLARATION("step", name, sql)

/* ---- queries ---- */

/*
 * CELL_QUERY(adults, "SELECT name FROM users WHERE age >= $1", min_age);   declares a method of that name: parameters
 * for $1, $2, … under the names that follow, and what the database says of types and columns. Query and parameters are
 * checked where this stands: at file scope, in a namespace or in an extern "C" block.
 */
#define CELL_QUERY(name, sql, ...)                                                                                     \
    CELL_PRAGMA(cell verb)                                                                                             \
    enum CELL_ANNOTATE("cell:postgres.query", #name, sql, #__VA_ARGS__) name##_query                                   \
    {                                                                                                                  \
        name##_query_declared CELL_NO_TEXT(0, ##__VA_ARGS__)                                                           \
    }
/* The same of a query with at most one row: it is an out parameter, and CELL_NOT_FOUND tells that there is none. */
#define CELL_QUERY_ONE(name, sql, ...)                                                                                 \
    CELL_PRAGMA(cell verb)                                                                                             \
    enum CELL_ANNOTATE("cell:postgres.query_one", #name, sql, #__VA_ARGS__) name##_query                               \
    {                                                                                                                  \
        name##_query_declared CELL_NO_TEXT(0, ##__VA_ARGS__)                                                           \
    }
/* The same of a query in a file, whose path is relative to the file that this stands in. */
#define CELL_QUERY_FILE(name, path, ...)                                                                               \
    CELL_PRAGMA(cell verb)                                                                                             \
    CELL_PRAGMA(cell file path)                                                                                        \
    enum CELL_ANNOTATE("cell:postgres.query_file", #name, path, #__VA_ARGS__) name##_query                             \
    {                                                                                                                  \
        name##_query_declared CELL_NO_TEXT(0, ##__VA_ARGS__)                                                           \
    }
/* And of one with at most one row. */
#define CELL_QUERY_ONE_FILE(name, path, ...)                                                                           \
    CELL_PRAGMA(cell verb)                                                                                             \
    CELL_PRAGMA(cell file path)                                                                                        \
    enum CELL_ANNOTATE("cell:postgres.query_one_file", #name, path, #__VA_ARGS__) name##_query                         \
    {                                                                                                                  \
        name##_query_declared CELL_NO_TEXT(0, ##__VA_ARGS__)                                                           \
    }

/* Nothing. `CELL_NO_TEXT(0, ##__VA_ARGS__)` in a macro lets its last arguments be left out without a warning. */
#define CELL_NO_TEXT(...)

#endif
