/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The search cell's interface: this header is its schema. Comments with three slashes reach the programs that use it.
 */
#ifndef CELLS_SEARCH_SEARCH_H
#define CELLS_SEARCH_SEARCH_H

#include <stdbool.h>

#include <cell/serve.h>

/// What a pipeline is doing.
enum search_phase {
    SEARCH_WAITING = 0,     ///< For its source; `error` says why.
    SEARCH_SCANNING = 1,    ///< It reads all records of the source.
    SEARCH_CATCHING_UP = 2, ///< It reads changes that were made meanwhile.
    SEARCH_FOLLOWING = 3,   ///< It has come as far as the source, and waits for changes.
    SEARCH_STOPPED = 4      ///< The source has other fields now; `error` says which. What is in the index is found.
};

/// What feeds an index, or one that is being built to take its place.
struct search_pipeline {
    cell_str index;  ///< Its name.
    cell_str source; ///< "store.articles".
    bool building;   ///< It is not searched yet: it takes the place of the index when it has come as far as the source.
    enum search_phase phase;
    uint64_t position;        ///< The number of the last change that the index has; 0 while records are scanned.
    uint64_t source_position; ///< The number of the source's last change; 0 when it does not answer.
    uint64_t lag_records;     ///< Changes, or while it scans records, that the index has not yet.
    uint64_t lag_ms;          ///< How long ago what the index has was the newest; 0 when it has everything.
    uint64_t documents;       ///< In the index.
    uint64_t source_records;  ///< In the source.
    uint64_t applied;         ///< Records and changes, since the cell started.
    uint64_t refused;         ///< Records that cannot be indexed, since the cell started; they are not in the index.
    cell_str refusal;         ///< The last of these: its key, and why.
    uint64_t errors;          ///< How often something went wrong with the source or the disk, since the cell started.
    cell_str error;           ///< What is wrong now; empty = nothing.
    int64_t rebuilt_ms;       ///< When the index was complete, in milliseconds since 1970-01-01 UTC; 0 = it is not yet.
};
CELL_LIST(search_pipelines_list, struct search_pipeline);

/// All pipelines, in the order of their indexes' names.
CELL_METHOD CELL_IDEMPOTENT int search_pipelines(cell_ctx *c, search_pipelines_list *pipelines);

/// A record that was found, for people.
struct search_found {
    cell_str key; ///< "id 7".
    double score; ///< The higher the better; 0 where no words are looked for.
    cell_str
        excerpt; ///< With [brackets] around what was found; empty without words. Text may have brackets of its own.
};
CELL_LIST(search_found_list, struct search_found);

/// What `query` finds in an index, best first, at most `limit` (0: 10), for people who look. Programs have functions of
/// their own for it (CELL_SEARCH).
CELL_METHOD CELL_IDEMPOTENT int search_find(cell_ctx *c, cell_str index, cell_str query, uint32_t limit,
                                            search_found_list *found);

/// Removes an index and its pipeline. CELL_NOT_FOUND when there is none of that name.
CELL_METHOD int search_drop(cell_ctx *c, cell_str index);

#endif
