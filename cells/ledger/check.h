/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Whether a ledger that nobody serves is sound, from its files alone. */
#ifndef CELLS_LEDGER_CHECK_H
#define CELLS_LEDGER_CHECK_H

#include "failure.h"

#include <stdint.h>

struct lg_checked {
    uint64_t records, accounts, transfers, pending;
    uint32_t snapshots; /* that were compared */
};

/*
 * Reads every record of the journal, in order: each must follow from those before it, balances of each currency add up
 * to zero after it, and no id be there twice. Each snapshot must say what the records before it add up to. Changes
 * nothing. CELL_DATA_LOSS, with words that tell where; CELL_NOT_FOUND, CELL_IO_ERROR, CELL_NO_MEMORY.
 */
int lg_check(const char *folder, struct lg_checked *checked, struct lg_failure *f);

#endif
