/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What the files that handle SQL text share. */
#ifndef CELLS_POSTGRES_SQL_PARTS_H
#define CELLS_POSTGRES_SQL_PARTS_H

#include "sql.h"

/* True for an unquoted word, operator or punctuation; `word` in lower case. */
bool pg_token_is(const char *sql, struct pg_token t, const char *word);

/* Takes a list apart at its outer commas: *n parts (1 to max), each checked as pg_sql_check does. */
int pg_sql_parts(const char *sql, struct pg_token *parts, uint32_t max, uint32_t *n, char why[128], size_t *at);

/* A name as the catalog has it: unquoted in lower case, quoted without its quotes. The token is NAME or QUOTED. */
const char *pg_token_name(struct pg_arena *arena, const char *sql, struct pg_token t);

/* What format_type() prints for a base type; NULL for PG_BASE_NONE and PG_BASE_OTHER. */
const char *pg_base_name(enum pg_base base);
/* All names that base types have, for suggestions: up to 3 × PG_BASE_OTHER. Returns their number. */
uint32_t pg_base_names(const char **names);

#endif
