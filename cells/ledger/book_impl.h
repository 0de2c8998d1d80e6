/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Between the files of the book. */
#ifndef CELLS_LEDGER_BOOK_IMPL_H
#define CELLS_LEDGER_BOOK_IMPL_H

#include "book.h"

/* The entry becomes the next record of the call, with the time of the one before it if that is later. It was decided;
 * the rest as of lg_state_carry_out. */
void lg_book_put(struct lg_book *b, struct ledger_entry *e, struct lg_account *from, struct lg_account *to,
                 struct lg_hold *hold);
void lg_book_refuse(struct lg_book *b, uint32_t index, enum ledger_reason reason, const char *field);

#endif
