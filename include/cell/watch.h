/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Aggregates of the cell `analytics` over the journals of other cells, as annotations (docs/analytics.md). Each macro
 * is the attribute that its definition shows.
 */
#ifndef CELL_WATCH_H
#define CELL_WATCH_H
#pragma GCC system_header /* its macros use Clang extensions: silent under -pedantic */

#include "attrs.h" // IWYU pragma: export

/*
 * struct CELL_WATCH(ledger.transfers) flow_by_account { … };   these aggregates of the records of that stream, kept up
 * to date for as long as the cell runs, and functions flow_by_account_… for them. Behind the source:
 *   CELL_ARG(where, "kind == 0 && amount >= 100")   which records count: an expression of C over their fields,
 *                              which may call functions that are defined above it, with CELL_HOT
 *   CELL_ARG(window, "1h")     the last hours, each by itself; by the time that records have
 *   CELL_ARG(slide, "5m")      an hour that ends every five minutes
 *   CELL_ARG(lateness, "10s")  records that come so much later than newer ones still count; 0s when nothing is said
 *   CELL_ARG(keep, 24)         how many windows are kept (24)
 */
#define CELL_WATCH(source, ...) CELL_VERB("analytics.watch", #source __VA_OPT__(, ) __VA_ARGS__)

/* Behind a field of the type of the source's field: records with the same values are a group. Without: one group. */
#define CELL_GROUP(field) CELL_ANNOTATE("cell.field:group", #field)
#define CELL_COUNT CELL_ANNOTATE("cell.field:count") /* uint64_t: how many records */
/* int64_t or uint64_t, as the source's field is signed or not, which refuses what it does not hold; or double. */
#define CELL_SUM(field) CELL_ANNOTATE("cell.field:sum", #field)
#define CELL_MIN(field) CELL_ANNOTATE("cell.field:min", #field) /* the type of the source's field */
#define CELL_MAX(field) CELL_ANNOTATE("cell.field:max", #field)
#define CELL_MEAN(field) CELL_ANNOTATE("cell.field:mean", #field)         /* double */
#define CELL_VARIANCE(field) CELL_ANNOTATE("cell.field:variance", #field) /* double: of a sample, n - 1 */
/* double: within 1 % of the value below which that share (0 to 1) of the values is. */
#define CELL_QUANTILE(field, share) CELL_ANNOTATE("cell.field:quantile", #field, #share)
/* uint64_t: how many different values; exact up to 256, then with a standard error of 1.6 %. */
#define CELL_DISTINCT(field) CELL_ANNOTATE("cell.field:distinct", #field)
/* int64_t: when the window begins, in microseconds since 1970. */
#define CELL_WINDOW CELL_ANNOTATE("cell.field:window")

#endif
