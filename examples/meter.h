/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The interface of the meter cell, whose methods have streams: docs/writing-a-cell.md explains them. */
#ifndef METER_H
#define METER_H

#include <cell/serve.h>

/// What a meter showed at one time.
struct meter_reading {
    uint64_t number; ///< Counts from 1.
    double value;
};

/// Sums of readings.
struct meter_total {
    uint64_t count;
    double sum;
};

CELL_WRITER(meter_writer, struct meter_reading);
CELL_READER(meter_reader, struct meter_reading);

/// The readings that were imported, from number `from` on, and those that follow until the client has enough.
/// \param out the readings, in the order of their numbers
CELL_METHOD int meter_watch(cell_ctx *c, uint64_t from, meter_writer out);

/// Takes readings; a negative value is refused, and what came before it stays.
/// \param total of all readings so far
CELL_METHOD int meter_import(cell_ctx *c, meter_reader in, struct meter_total *total);

#endif
