/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The names that a query's annotation gives to $1, $2, …, and how they and the statement belong together. */
#ifndef CELLS_POSTGRES_QUERY_NAMES_H
#define CELLS_POSTGRES_QUERY_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "memory.h"

#define PG_QUERY_MAX_PARAMETERS 60

struct query_name {
    const char *name;
    bool optional;     /* `name?` */
    size_t at, length; /* in the text of the names */
};

struct query_names {
    struct query_name names[PG_QUERY_MAX_PARAMETERS];
    uint32_t n;
};

/* What is wrong, in the text of the argument `field`. */
struct query_complaint {
    char text[512];
    const char *field; /* "sql" or "parameters" */
    size_t at, length;
};

/* Reads "min_age, name?, ids". False with the complaint. */
bool query_names_parse(struct pg_arena *arena, const char *text, struct query_names *names,
                       struct query_complaint *why);

/* Each $n of the statement has a name, and each name is used. */
bool query_names_match(const struct query_names *names, const char *sql, struct query_complaint *why);

/* The statement with `$n` replaced by replacements[n - 1], where that is not NULL. */
const char *query_names_replace(struct pg_arena *arena, const char *sql, const char *const *replacements, uint32_t n);

/* The statement as documentation of what was made from it: indented, and with nothing that would end the comment. */
const char *query_doc_text(struct pg_arena *arena, const char *sql);

#endif
