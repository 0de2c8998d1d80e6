/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What a statement asks of a table, as far as the table looks at it itself. */
#ifndef CELL_CLI_SQL_FILTER_H
#define CELL_CLI_SQL_FILTER_H

#include "sql.h"

#define SQL_MOST_COMPARISONS 32

/* The collation of columns that hold numbers as text where they are beyond 63 bits: by value. */
#define SQL_WIDE "u64"
bool sql_column_is_wide(const struct sql_column *column);
int sql_filter_compare_wide(void *user, int n, const void *a, int m, const void *b);

struct sql_comparison {
    const struct sql_field *field; /* a whole number or bool */
    int operation;                 /* SQLITE_INDEX_CONSTRAINT_EQ, GT, GE, LT or LE */
    uint64_t with;                 /* the bits of the field's type */
};

struct sql_filter {
    struct sql_range range;
    bool impossible;
    uint32_t n;
    struct sql_comparison comparisons[SQL_MOST_COMPARISONS];
};

/* xBestIndex of a table: an enum of SQLite. */
int sql_filter_plan(const struct sql_table *table, sqlite3_index_info *info);
/* What xFilter is given, for that plan. */
void sql_filter_read(struct sql_filter *filter, const struct sql_table *table, int number, const char *text, int argc,
                     sqlite3_value **argv);

bool sql_filter_compares(const struct sql_comparison *comparison, const uint8_t *record);
static inline bool sql_filter_passes(const struct sql_filter *f, const uint8_t *record)
{
    for (uint32_t i = 0; i < f->n; i++)
        if (!sql_filter_compares(&f->comparisons[i], record))
            return false;
    return true;
}

#endif
