/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The cell whose records an index has, as its client. A source is a cell CELL
 *
 *   with a method CELL_status, which tells its collections: their fields, how many records and which changes there are;
 *   with methods "scan" and "changes" that programs bring (docs/pipelines.md, "Sources").
 *
 * The store cell is one. The descriptors of these methods are made here, at run time, for the fields that an index has.
 */
#ifndef CELLS_SEARCH_SOURCE_H
#define CELLS_SEARCH_SOURCE_H

#include <cell/ctx.h>

#include "definition.h"

struct sc_source_field {
    const char *name, *type;
    bool key;
};

struct sc_source_status {
    char identity[65]; /* positions of a source with another one mean nothing */
    bool found;        /* there is such a collection */
    uint64_t count, position, oldest;
    struct sc_source_field *fields;
    size_t nfields;
};

/* What `cell` tells of `collection`, within `timeout_ms`; to be freed. CELL_UNAVAILABLE, … as calls have it. */
int sc_source_ask(const char *cell, const char *collection, uint32_t timeout_ms, struct sc_source_status *status,
                  struct search_failure *f);
void sc_source_status_free(struct sc_source_status *status); /* also of one that is zero */

/*
 * The same of many collections, with one question to each cell, which is also not asked again when it does not answer.
 * Zero at first; for a moment, since what was told gets old. By one thread.
 */
#define SC_MOST_TOLD 16 /* cells that are remembered */
struct sc_survey {
    struct sc_told *told[SC_MOST_TOLD];
    uint32_t n;
};
int sc_survey_ask(struct sc_survey *survey, const char *cell, const char *collection, uint32_t timeout_ms,
                  struct sc_source_status *status, struct search_failure *f);
void sc_survey_end(struct sc_survey *survey);

/* NULL: there is none. */
const struct sc_source_field *sc_source_find(const struct sc_source_status *status, const char *name);

/* Whether values of the source's type can be indexed where the definition has that field: integers of any width are
 * alike, so are f32 and f64, and what may be absent and what may not. */
bool sc_source_fits(const struct sc_field *field, const char *type);
/* CELL_FAILED_PRECONDITION with a sentence about the first field that does not fit, or is not there any more. */
int sc_source_check(const struct sc_definition *definition, const struct sc_source_status *status,
                    struct search_failure *f);
/* A hash of all that sc_source_check looks at. */
uint64_t sc_source_hash(const struct sc_source_status *status);

/* ---- reading records ---- */

struct sc_source; /* by one thread at a time */

/* A connection for records of the definition's fields, of the types that `status` tells. CELL_NO_MEMORY. */
int sc_source_open(const struct sc_definition *definition, const struct sc_source_status *status,
                   struct sc_source **source, struct search_failure *f);
void sc_source_close(struct sc_source *source); /* NULL is accepted */
/* Ends what another thread reads, now or next: CELL_CANCELLED. The only function for any thread. */
void sc_source_cancel(struct sc_source *source);

enum sc_event { SC_PUT, SC_DELETED, SC_OVERTAKEN };

struct sc_record {
    enum sc_event event;
    uint64_t position; /* of a change */
    int64_t at_us;
    struct sc_key_value key[SC_MOST_KEYS];
    const struct search_content *content; /* of a put, by the definition's fields; else NULL */
    const char *refused;                  /* the record cannot be indexed; why */
};

/*
 * Records come in groups: those that have arrived together, at most SC_GROUP. `group` is shown each, and what it
 * returns ends the reading unless it is 0 or more. What records refer to lives until it returns. `more`: others have
 * arrived behind them, or it is the end.
 *
 * sc_source_scan: all records behind `after` (NULL = from the first one), by the key.
 * sc_source_changes: those behind position `after`; with `follow` it goes on for ever.
 * CELL_OUT_OF_RANGE: these are not kept any more. CELL_RESOURCE_EXHAUSTED: the source has too many followers.
 * CELL_UNAVAILABLE, CELL_CANCELLED, CELL_FAILED_PRECONDITION, … as calls have it.
 */
#define SC_GROUP 512
typedef int sc_take_group(void *user, const struct sc_record *records, size_t n, bool more, struct search_failure *f);
int sc_source_scan(struct sc_source *source, const struct sc_key_value *after, sc_take_group *group, void *user,
                   struct search_failure *f);
int sc_source_changes(struct sc_source *source, uint64_t after, bool follow, sc_take_group *group, void *user,
                      struct search_failure *f);

#endif
