/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The ledger cell's interface: this header is its schema. Comments with three slashes reach the programs that use it.
 */
#ifndef CELLS_LEDGER_LEDGER_H
#define CELLS_LEDGER_LEDGER_H

#include <cell/serve.h>

#include "types.h"

CELL_WRITER(ledger_stream, struct ledger_record);

/// Opens accounts. One that is there with the same content is no error.
/// \param refused those that were not opened
CELL_METHOD CELL_IDEMPOTENT int ledger_open(cell_ctx *c,
                                            ledger_new_accounts accounts CELL_LENGTH(1, LEDGER_MOST)
                                                CELL_RULE(ledger_is_account,
                                                          "an account has an id, a currency, and no negative limits"),
                                            ledger_refusals *refused);

/// Gives accounts other overdrafts and limits; currency and code must be those that they have.
CELL_METHOD CELL_IDEMPOTENT int ledger_change(cell_ctx *c,
                                              ledger_new_accounts accounts CELL_LENGTH(1, LEDGER_MOST)
                                                  CELL_RULE(ledger_is_account,
                                                            "an account has an id, a currency, and no negative limits"),
                                              ledger_refusals *refused);

/// Closes accounts without balance and holds, for ever. One that is closed is no error.
CELL_METHOD CELL_IDEMPOTENT int ledger_close(cell_ctx *c, cell_list_u64 ids CELL_LENGTH(1, LEDGER_MOST),
                                             ledger_refusals *refused);

/// Carries out orders, in their order, each by itself or in chains (ledger_order.linked). An order that was accepted
/// before is accepted again, and nothing happens. When it returns, what was accepted is durable; when it fails, with
/// CELL_RESOURCE_EXHAUSTED (disk full) for example, some may have been accepted: send the same again. CELL_IO_ERROR:
/// the disk failed, and the cell must be started anew.
/// \param refused those that were not accepted, by index
CELL_METHOD CELL_IDEMPOTENT int ledger_transfer_many(cell_ctx *c,
                                                     ledger_orders orders CELL_LENGTH(1, LEDGER_MOST)
                                                         CELL_RULE(ledger_is_order, LEDGER_ORDER_RULE),
                                                     ledger_refusals *refused);

/// Carries out one order. Refused, it fails with CELL_FAILED_PRECONDITION, CELL_NOT_FOUND (account or pending
/// transfer), CELL_ALREADY_EXISTS (the id, with other content) or CELL_INVALID_ARGUMENT, and the detail
/// "ledger-reason", the number of a ledger_reason in decimal.
CELL_METHOD CELL_IDEMPOTENT int
ledger_transfer(cell_ctx *c, const struct ledger_order *order CELL_RULE(ledger_is_order, LEDGER_ORDER_RULE),
                struct ledger_receipt *receipt);

/// One account, with its balance. CELL_NOT_FOUND.
CELL_METHOD CELL_IDEMPOTENT int ledger_account_of(cell_ctx *c, uint64_t id, struct ledger_account *account);

/// Accounts with their balances, all of the same moment. Those that are not there are left out.
CELL_METHOD CELL_IDEMPOTENT int ledger_accounts(cell_ctx *c, cell_list_u64 ids CELL_LENGTH(1, LEDGER_MOST),
                                                ledger_account_list *accounts);

/// The records of orders that were accepted. Those of other ids are left out.
CELL_METHOD CELL_IDEMPOTENT int ledger_orders_of(cell_ctx *c, ledger_ids ids CELL_LENGTH(1, LEDGER_MOST_HISTORY),
                                                 ledger_records *records);

/// The records of an account, the newest first: those before the sequence `before`, from since_us on, before until_us.
/// It takes the longer the more records of the account are newer. CELL_NOT_FOUND.
/// \param before UINT64_MAX: the newest
/// \param most of one page, at most LEDGER_MOST_HISTORY
CELL_METHOD CELL_IDEMPOTENT int ledger_history(cell_ctx *c, uint64_t account, uint64_t before, int64_t since_us,
                                               int64_t until_us, uint32_t most CELL_RANGE(1, LEDGER_MOST_HISTORY),
                                               struct ledger_page *page);

/// What happened on an account from since_us on, before until_us. CELL_NOT_FOUND; CELL_RESOURCE_EXHAUSTED when that is
/// more than LEDGER_MOST_HISTORY records.
CELL_METHOD CELL_IDEMPOTENT int ledger_statement_of(cell_ctx *c, uint64_t account, int64_t since_us, int64_t until_us,
                                                    struct ledger_statement *statement);

/// All records from the sequence `from` on, and those that follow, once they are durable, until the client has enough.
CELL_METHOD int ledger_transfers(cell_ctx *c, uint64_t from, ledger_stream out);

/// The journals of this cell: one, "transfers", of all records, each a ledger_entry. For cells that read it themselves.
CELL_METHOD CELL_IDEMPOTENT int ledger_streams(cell_ctx *c, ledger_journals *journals);

/// Positions, counts, and the sum of each currency.
CELL_METHOD CELL_IDEMPOTENT int ledger_status(cell_ctx *c, struct ledger_state *state);

#endif
