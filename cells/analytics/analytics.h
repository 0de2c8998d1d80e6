/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The analytics cell's interface: this header is its schema. Comments with three slashes reach the programs that use
 * it.
 */
#ifndef CELLS_ANALYTICS_ANALYTICS_H
#define CELLS_ANALYTICS_ANALYTICS_H

#include <stdbool.h>

#include <cell/serve.h>

/// What a pipeline is doing.
enum analytics_phase {
    ANALYTICS_WAITING = 0,     ///< For its source; `error` says why.
    ANALYTICS_CATCHING_UP = 1, ///< It counts records that are there already.
    ANALYTICS_FOLLOWING = 2,   ///< It has come as far as the source, and waits for more.
    ANALYTICS_STOPPED = 3      ///< The source has other records now; `error` says which. What was counted is found.
};

/// What counts the records for an aggregate, or for one that is being built to take its place.
struct analytics_pipeline {
    cell_str index;  ///< The aggregate's name.
    cell_str source; ///< "ledger.transfers".
    bool building; ///< Nobody reads it yet: it takes the place of the other one when it has come as far as the source.
    enum analytics_phase phase;
    uint64_t position;    ///< Records of the source before this sequence are counted.
    uint64_t lag_records; ///< Records that are durable at the source and not counted yet.
    uint64_t lag_ms;      ///< How old the last record that was counted is; 0 when there are no others.
    uint64_t groups;      ///< Of all windows that are kept.
    uint64_t bytes;       ///< Of memory for them.
    uint64_t passed;      ///< Records that met the conditions.
    uint64_t late;        ///< Records that came after their window was closed, and are not counted.
    uint64_t missed;      ///< Records that the source had removed before they were counted.
    uint64_t snapshot;    ///< Sequence of the newest snapshot: after a kill counting goes on there.
    uint64_t errors;      ///< How often something went wrong, since the cell started.
    cell_str error;       ///< What is wrong now; empty = nothing.
};
CELL_LIST(analytics_pipelines_list, struct analytics_pipeline);

/// All pipelines, in the order of the aggregates' names.
CELL_METHOD CELL_IDEMPOTENT int analytics_pipelines(cell_ctx *c, analytics_pipelines_list *pipelines);

/// A field of the groups that `analytics_rows` gives.
struct analytics_row_field {
    cell_str name, type; ///< As in schemas: "u64", "f64", "u8[16]".
    uint32_t offset;     ///< In a group.
};
CELL_LIST(analytics_row_fields, struct analytics_row_field);
/// What groups of an aggregate look like in the replies of `analytics_rows`.
struct analytics_layout {
    cell_str name;        ///< The aggregate's.
    cell_str time;        ///< The field that says when the window begins; empty: there are no windows.
    uint32_t record_size; ///< Bytes of a group.
    uint64_t generation;  ///< Another one after the aggregate was built anew.
    analytics_row_fields fields;
};
CELL_LIST(analytics_layouts_list, struct analytics_layout);

/// All aggregates that can be read, in the order of their names.
CELL_METHOD CELL_IDEMPOTENT int analytics_layouts(cell_ctx *c, analytics_layouts_list *layouts);

/// Groups one behind the other, for who reads all of them and has no struct of a program's: `cell sql`.
struct analytics_row_page {
    cell_bytes rows;
    uint64_t next;      ///< The cursor of the page behind this one; 0: it was the last of this window.
    uint64_t position;  ///< Records of the source before this sequence are counted.
    bool earlier;       ///< With windows: there may be one before this one, and
    int64_t earlier_us; ///< that is its `at_us`.
};

/// A page of at most 10,000 groups, from `cursor` on: 0, or `next` of the page before. Groups that come meanwhile are
/// in later pages; of windows that overlap they may also change which group is in which page. With windows: of the one
/// that ends soonest after `at_us`, of the newest for INT64_MAX. CELL_NOT_FOUND: there is no such aggregate, or no such
/// window. CELL_ABORTED: it was built anew, its layout may be another one. CELL_OUT_OF_RANGE: a sum does not fit its
/// field.
CELL_METHOD CELL_IDEMPOTENT int analytics_rows(cell_ctx *c, cell_str name, uint64_t generation, int64_t at_us,
                                               uint64_t cursor, struct analytics_row_page *page);

/// A field of an aggregate's groups.
struct analytics_column {
    cell_str name;
    cell_str type; ///< "u64", "f64", "u8[16]".
    cell_str as;   ///< group, window, count, sum, min, max, mean, variance, quantile or distinct.
};
CELL_LIST(analytics_columns, struct analytics_column);

/// Groups as text, for whom no program has brought a struct.
struct analytics_table {
    struct analytics_pipeline pipeline; ///< How far it was at that moment.
    cell_str by;       ///< The field of which the groups have the most; empty = there is none that is counted.
    int64_t window_us; ///< When the window begins that is shown, in microseconds since 1970; 0 without windows.
    analytics_columns columns;
    /// Group after group, a text for each column. Numbers as in JSON, or nan, inf and -inf; true and false; bytes as
    /// they are when all are printable, but for zeros at the end, else as "hex:00ff". A window is in microseconds.
    cell_list_str values;
};

/// The groups with the most of `by` (empty = the first field that is counted), at most 1000, those with the most first;
/// with windows, of the newest one. CELL_NOT_FOUND when there is no such aggregate, CELL_INVALID_ARGUMENT when `by` is
/// no field that is counted.
CELL_METHOD CELL_IDEMPOTENT int analytics_top(cell_ctx *c, cell_str name, cell_str by, uint32_t limit,
                                              struct analytics_table *table);

/// Removes an aggregate. CELL_NOT_FOUND when there is none of that name.
CELL_METHOD int analytics_drop(cell_ctx *c, cell_str name);

#endif
