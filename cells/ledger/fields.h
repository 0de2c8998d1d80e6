/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What lies in a record of the ledger's journal, for who reads it in place. */
#ifndef CELLS_LEDGER_FIELDS_H
#define CELLS_LEDGER_FIELDS_H

#include <cell/journal.h>

#define LG_FIELDS 18
#define LG_TIME "time_us" /* the field with its time, which never goes back */

extern const struct cell_journal_field lg_fields[LG_FIELDS];

#endif
