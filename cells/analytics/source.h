/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What a cell tells of its journals, with the method CELL_streams(out list) of a list of CELL_journal:
 *
 *   struct CELL_journal { cell_str name, folder, type, time; uint32_t record_size; CELL_journal_fields fields; };
 *   struct CELL_journal_field { cell_str name, type; uint32_t offset; };
 *
 * `folder` and `type` are the journal's (cell/journal.h), `time` is the field with the record's time in microseconds
 * since 1970, or empty; types are written as in schemas. More may be told (docs/streams.md, "SQL"), which is not
 * needed.
 */
#ifndef CELLS_ANALYTICS_SOURCE_H
#define CELLS_ANALYTICS_SOURCE_H

#include <jansson.h>

#include "definition.h"

struct an_source {
    json_t *stream; /* {"name", "folder", "type", "time", "record_size", "fields": [{"name", "type", "offset"}]}; NULL:
                       the cell has no stream of that name */
};

/* All that the cell tells: *streams becomes an array of such objects, a new reference. Blocks, for as long as
 * timeout_ms. Negative: what the call failed with. Thread-safe. */
int an_source_streams(const char *cell, uint32_t timeout_ms, json_t **streams, struct an_failure *f);
/* One of them. */
int an_source_ask(const char *cell, const char *stream, uint32_t timeout_ms, struct an_source *source,
                  struct an_failure *f);
/* Whether records are still what the definition takes them for. CELL_FAILED_PRECONDITION: what is different. */
int an_source_check(const struct an_definition *definition, const struct an_source *source, struct an_failure *f);
void an_source_free(struct an_source *source);

#endif
