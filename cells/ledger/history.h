/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What happened on an account, along the chain of its records from the newest one back. Thread-safe. */
#ifndef CELLS_LEDGER_HISTORY_H
#define CELLS_LEDGER_HISTORY_H

#include "archive.h"

struct lg_range {
    uint64_t account, before; /* records before this sequence */
    int64_t since_us, until_us;
};

/* Whether nobody waits for the answer any more. */
typedef bool lg_cancelled_fn(void *user);

/*
 * Up to `most` records, the newest first, beginning at the account's record `last`. *n of them, and *next, the record
 * that would follow, whether it is in the range or not; UINT64_MAX: none. CELL_CANCELLED; as lg_cursor_read.
 */
int lg_history(struct lg_archive *a, const struct lg_range *range, uint64_t last, struct ledger_record *records,
               uint32_t most, uint32_t *n, uint64_t *next, lg_cancelled_fn *cancelled, void *user,
               struct lg_failure *f);

/* Of one side of a record. */
int64_t lg_balance_after(const struct ledger_entry *e, uint64_t account);
/* By how much the record has changed its balance. */
int64_t lg_moved(const struct ledger_entry *e, uint64_t account);

#endif
