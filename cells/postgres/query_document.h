/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The pieces of a query's answer: diagnostics, the row, the method with its binding. */
#ifndef CELLS_POSTGRES_QUERY_DOCUMENT_H
#define CELLS_POSTGRES_QUERY_DOCUMENT_H

#include "describe.h"
#include "query_names.h"

/* An answer on its way. */
struct query_answer {
    struct pg_arena *arena;
    const struct pg_query *query;
    const char *sql; /* trimmed */
    struct query_names names;
    struct pg_description description;
    json_t *document;
    bool failed; /* an error is among the diagnostics */
    bool short_; /* memory was short: the document is incomplete */
};

/* Appends a diagnostic; `at` is SIZE_MAX when no place in the argument is meant. Returns it, NULL when memory is short.
 */
json_t *query_say(struct query_answer *a, const char *severity, const char *field, size_t at, size_t length,
                  const char *format, ...) __attribute__((format(printf, 6, 7)));
void query_note(struct query_answer *a, json_t *diagnostic, const char *text);

/* Types and the method, or errors. */
void query_build(struct query_answer *a);

/* query_type.c: the C type of a parameter or column. */
struct query_type {
    const char *text; /* "opt<i32>" */
    uint32_t size, align;
    bool by_pointer;     /* a parameter of it is passed so */
    const char *cast;    /* of a parameter: "($1::text::interval)", what stands for it in the statement; else NULL */
    const char *binding; /* the type that the statement has for it */
};
/* False: there is none, and `why` says what to write; `name` is the column's or parameter's. */
bool query_type_of_column(struct pg_arena *arena, const struct pg_described_column *column, struct query_type *type,
                          char why[512]);
bool query_type_of_parameter(struct pg_arena *arena, const struct pg_described_type *described,
                             const struct query_name *name, uint32_t number, struct query_type *type, char why[512]);

#endif
