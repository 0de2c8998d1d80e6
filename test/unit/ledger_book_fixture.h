/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What tests of the ledger's book share: a journal in memory. */
#ifndef CELL_TEST_LEDGER_BOOK_FIXTURE_H
#define CELL_TEST_LEDGER_BOOK_FIXTURE_H

#include <ledger/book.h>

#include <inttypes.h>

#include "test.h"

static const uint64_t secret[2] = {1, 2};
static struct ledger_entry *journal; /* what was appended */
static uint64_t appended;
static int reading = CELL_OK;

static int read_record(void *user, uint64_t sequence, struct ledger_entry *entry, struct lg_failure *f)
{
    (void)user;
    if (reading < 0)
        return lg_fail(f, reading, "cannot be read");
    CHECK(sequence < appended);
    *entry = journal[sequence];
    return CELL_OK;
}

#endif
