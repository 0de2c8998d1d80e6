/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Aggregates for who looks at them and has no struct for their groups: `cell watch`, and the page. Values are text,
 * which has no bounds: a sum that is beyond its field is shown all the same.
 */
#ifndef CELLS_ANALYTICS_SHOW_H
#define CELLS_ANALYTICS_SHOW_H

#include "service.h"

#define AN_MOST_SHOWN 1000u /* groups at once */

/* How far a part is: one moment of it. */
struct an_summary {
    char name[AN_MOST_NAME + 1];
    char source[2 * AN_MOST_NAME + 2]; /* "ledger.transfers" */
    bool building;
    enum an_phase phase;
    uint64_t position, lag_records, lag_ms, missed, snapshot, errors;
    struct an_counters counters; /* zero while it is being read from its snapshot */
    char error[400];             /* "" = none */
};

void an_summarize(struct an_part *part, bool building, struct an_summary *s); /* takes its lock */

/* Groups of an aggregate, those with the most of `by` first. */
struct an_table {
    struct an_summary summary;     /* of the same moment */
    struct an_definition *columns; /* a reference: names, types and order of the columns are its */
    const char *by;                /* of those; "" = groups as they came, for there is nothing to compare */
    int64_t window_us;             /* when the window begins; without windows 0 */
    uint32_t rows;
    /* Row after row a text for each column, each ended by a zero: numbers as in JSON but for nan, inf and -inf; true
     * and false; bytes up to the zeros at their end as they are where they are printable ASCII, else as "hex:00ff". */
    char *values;
    size_t size;
};

/*
 * `by` "" is the first column that is no group; `limit` is at most AN_MOST_SHOWN. An aggregate without a window yet, or
 * one that is still being read from its snapshot, has no rows. Takes locks; counting waits for as long as it takes to
 * look at each group once. CELL_NOT_FOUND: there is no such aggregate; CELL_INVALID_ARGUMENT: `by` is no such column;
 * CELL_NO_MEMORY. Free with an_table_free.
 */
int an_table_make(struct an_service *service, const char *name, const char *by, uint32_t limit, struct an_table *table,
                  struct an_failure *f);
void an_table_free(struct an_table *table);

/* What a column is, as in definition.h ("group", "sum"), and its type ("u64"). They live as long as the table. */
const char *an_table_as(const struct an_table *table, uint32_t column);
const char *an_table_type(const struct an_table *table, uint32_t column);
/* "following", as `cell pipelines` has it. */
const char *an_phase_name(enum an_phase phase);

#endif
