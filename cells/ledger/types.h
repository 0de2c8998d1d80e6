/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The types of the ledger cell's interface, of which records are what the journal holds. Part of the schema, as
 * ledger.h. */
#ifndef CELLS_LEDGER_TYPES_H
#define CELLS_LEDGER_TYPES_H

#include <stdbool.h>

#include <cell/attrs.h>
#include <cell/errors.h>
#include <cell/types.h>

/// Most orders, accounts or ids of one call.
CELL_EXPORT(LEDGER_MOST, 8192);
/// Most records of a page of history or of a statement.
CELL_EXPORT(LEDGER_MOST_HISTORY, 4096);

/// What a record of the ledger is. The first four may be ordered, and change balances or holds.
enum ledger_kind {
    LEDGER_TRANSFER = 0, ///< Moves money at once.
    LEDGER_PENDING = 1,  ///< Reserves it on both sides; nothing moves.
    LEDGER_POSTED = 2,   ///< Moves what a pending transfer has reserved, or a part, and frees the rest.
    LEDGER_VOIDED = 3,   ///< Frees what a pending transfer has reserved; nothing moves.
    LEDGER_OPENED = 4,   ///< The account `from` was opened.
    LEDGER_CHANGED = 5,  ///< The overdraft or limit of `from` was changed.
    LEDGER_CLOSED = 6    ///< The account `from` was closed.
};

/// Why an order or an account was refused. The numbers stay.
enum ledger_reason {
    LEDGER_ACCEPTED = 0,
    LEDGER_NO_ID = 1,             ///< `id_high` and `id_low` are both 0.
    LEDGER_NO_SUCH_KIND = 2,      ///< `kind` cannot be ordered.
    LEDGER_NO_AMOUNT = 3,         ///< `amount` is below 1; of LEDGER_POSTED below 0, of LEDGER_VOIDED not 0.
    LEDGER_SAME_ACCOUNT = 4,      ///< `from` and `to` are the same account.
    LEDGER_NO_ACCOUNT = 5,        ///< An account id is 0.
    LEDGER_PENDING_NEEDED = 6,    ///< LEDGER_POSTED or LEDGER_VOIDED without `pending_high` and `pending_low`.
    LEDGER_PENDING_UNWANTED = 7,  ///< Another kind with them.
    LEDGER_NO_FROM = 8,           ///< There is no account `from`.
    LEDGER_NO_TO = 9,             ///< There is no account `to`.
    LEDGER_CURRENCIES = 10,       ///< `from` and `to` have different currencies.
    LEDGER_FROM_CLOSED = 11,      ///< The account `from` is closed.
    LEDGER_TO_CLOSED = 12,        ///< The account `to` is closed.
    LEDGER_OVERDRAWN = 13,        ///< `amount` is more than `from` may give.
    LEDGER_OVER_LIMIT = 14,       ///< `amount` is more than `to` may take.
    LEDGER_NO_PENDING = 15,       ///< There is no pending transfer of that id.
    LEDGER_PENDING_ENDED = 16,    ///< It was posted or voided before.
    LEDGER_PENDING_ACCOUNTS = 17, ///< `from` or `to` is neither 0 nor that of the pending transfer.
    LEDGER_PENDING_AMOUNT = 18,   ///< `amount` is more than is pending.
    LEDGER_ID_USED = 19,          ///< The id was accepted before with other content; the text names the field.
    LEDGER_CHAIN = 20,            ///< Another order of its chain was refused.
    LEDGER_CHAIN_OPEN = 21,       ///< The last order of a call is linked to a next one.
    LEDGER_CHAIN_BROKEN = 22,     ///< Some of its chain were accepted before, in another chain or alone.
    LEDGER_NO_CURRENCY = 23,      ///< `currency` is 0.
    LEDGER_LIMITS = 24,           ///< `overdraft` or `limit` is negative.
    LEDGER_BEYOND_LIMITS = 25,    ///< Balance and holds of the account are beyond the new `overdraft` or `limit`.
    LEDGER_ACCOUNT_DIFFERS = 26,  ///< The account was opened before with other content; the text names the field.
    LEDGER_ACCOUNT_CLOSED = 27,   ///< The account is closed.
    LEDGER_NOT_EMPTY = 28         ///< Only an account without balance and holds can be closed.
};

/// An account, as it is to be opened or changed.
struct ledger_new_account {
    uint64_t id;       ///< Not 0; given by the program.
    int64_t overdraft; ///< How far below zero its balance may go; 0: not at all, INT64_MAX: any.
    int64_t limit;     ///< The greatest balance; 0: any.
    uint32_t currency; ///< Not 0; by convention the number in ISO 4217 (978 is EUR). It never changes.
    uint16_t code;     ///< The program's: a kind of account, for example. It never changes.
};

/// An account as it is.
struct ledger_account {
    uint64_t id;
    int64_t balance;   ///< What was posted, in minor units.
    int64_t outgoing;  ///< Reserved by pending transfers from it.
    int64_t incoming;  ///< Reserved by pending transfers to it.
    int64_t overdraft; ///< As in ledger_new_account.
    int64_t limit;     ///< As in ledger_new_account.
    uint32_t currency;
    uint16_t code;
    uint64_t last; ///< The sequence of its newest record.
    bool closed;
};

/// A transfer that is wanted. Without padding and without a bool, so that a call with one needs no look at it: a short
/// one.
struct ledger_order {
    uint64_t id_high, id_low; ///< 128 bits that stand for this order: sent twice, it is carried out once.
    uint64_t from;  ///< Account whose balance falls; 0 with LEDGER_POSTED and LEDGER_VOIDED: that of the pending one.
    uint64_t to;    ///< Account whose balance rises; likewise.
    int64_t amount; ///< Minor units (cents); with LEDGER_POSTED 0 means all, with LEDGER_VOIDED it is 0.
    uint64_t pending_high, pending_low; ///< The id of the pending transfer that is posted or voided; else 0.
    uint64_t user_data;                 ///< The program's.
    uint32_t code;                      ///< The program's: why money moves, for example.
    enum ledger_kind kind;
    uint64_t linked; ///< Not 0: the next order is carried out with this one, or neither is.
};

/// A record of the ledger: what was accepted, in its order. Sequence numbers are those of the stream.
struct ledger_entry {
    uint64_t id_high, id_low;         ///< Of the order; 0 of an account's records.
    uint64_t from, to;                ///< Accounts. An account's own records have it as `from`, and no `to`.
    int64_t amount;                   ///< What moved, was reserved or was freed; 0 of an account's records.
    uint64_t pending;                 ///< The sequence of the pending transfer that was posted or voided; else 0.
    uint64_t from_previous;           ///< The sequence of the record of `from` before this one.
    uint64_t to_previous;             ///< Likewise of `to`.
    int64_t from_balance, to_balance; ///< After this record.
    int64_t time_us;                  ///< Since 1970-01-01 UTC; never before that of an earlier record.
    uint64_t user_data;               ///< Of the order.
    int64_t overdraft, limit;         ///< Of an account's records.
    uint32_t currency, code;          ///< The accounts' currency; the code of the order or account.
    enum ledger_kind kind;
    uint32_t linked; ///< 1: the next record was accepted with this one.
};

/// A record and its place.
struct ledger_record {
    uint64_t sequence; ///< From 0 on, without a gap.
    struct ledger_entry entry;
};

/// What was not accepted.
struct ledger_refusal {
    uint32_t index; ///< In the list of the call.
    enum ledger_reason reason;
    cell_str text; ///< For people; names the field.
};

/// What became of one order.
struct ledger_receipt {
    uint64_t sequence;                ///< Of its record.
    int64_t time_us;                  ///< Of its record: the first time, when it was sent again.
    int64_t from_balance, to_balance; ///< After it.
};

/// Part of an account's history.
CELL_LIST(ledger_records, struct ledger_record);
struct ledger_page {
    ledger_records records; ///< The newest first.
    uint64_t before;        ///< For the page that follows: as `before` of the next call.
    bool more;              ///< Whether there may be one.
};

/// What happened on an account in a time.
struct ledger_statement {
    uint32_t currency;
    int64_t opening, closing; ///< Balances before and after it.
    int64_t in, out;          ///< What came and went in it; opening + in - out = closing.
    ledger_records records;   ///< All of it, the oldest first.
};

/// All accounts of one currency.
struct ledger_sum {
    uint32_t currency;
    uint64_t accounts; ///< Those that are closed, too.
    int64_t sum;       ///< Of all balances: always 0.
    int64_t positive;  ///< Of those above zero, cut off at INT64_MAX.
};
CELL_LIST(ledger_sums, struct ledger_sum);

/// What the ledger is at.
struct ledger_state {
    uint64_t records;  ///< Sequence of the next record.
    uint64_t durable;  ///< The same, of what a failure of power cannot take any more.
    uint64_t snapshot; ///< Where a start would begin: records before it need not be replayed.
    uint64_t accounts, transfers;
    uint64_t pending;     ///< Transfers that are neither posted nor voided.
    uint64_t id_memory;   ///< Bytes in which the ids of all transfers are remembered.
    bool durable_to_disk; ///< Answers wait for the disk (--durability disk).
    ledger_sums sums;
};

/// A journal that another process may read (cell/journal.h), and what its records are.
struct ledger_journal_field {
    cell_str name, type; ///< As in schemas: "u64".
    uint32_t offset;     ///< In a record.
    cell_str names;      ///< Of an enum's values, "NAME=NUMBER,…"; empty: they have none.
};
CELL_LIST(ledger_journal_fields, struct ledger_journal_field);
struct ledger_journal {
    cell_str name;
    cell_str folder;
    cell_str type;        ///< Of its records, in the sense of cell/journal.h.
    cell_str time;        ///< The field with a record's time, in microseconds since 1970-01-01 UTC.
    uint32_t record_size; ///< Bytes.
    ledger_journal_fields fields;
    bool ordered; ///< The time of a record is never before that of an earlier one.
};
CELL_LIST(ledger_journals, struct ledger_journal);

CELL_LIST(ledger_orders, struct ledger_order);
CELL_LIST(ledger_new_accounts, struct ledger_new_account);
CELL_LIST(ledger_account_list, struct ledger_account);
CELL_LIST(ledger_refusals, struct ledger_refusal);
/// The id of an order.
struct ledger_id {
    uint64_t high, low;
};
CELL_LIST(ledger_ids, struct ledger_id);

#include "rules.h"

#endif
