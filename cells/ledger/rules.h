/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What the ledger refuses, as functions that programs compile in: they are those by which the ledger itself decides.
 * Part of types.h. No sum overflows: every account keeps balance - outgoing >= -overdraft, balance + incoming <= limit,
 * and both of its holds within 63 bits.
 */
#ifndef CELLS_LEDGER_RULES_H
#define CELLS_LEDGER_RULES_H

#define LEDGER_ORDER_RULE                                                                                              \
    "an order has an id, an amount, two accounts, and a pending id if and only if it posts or voids"

/// What is wrong with an order by itself; LEDGER_ACCEPTED: nothing.
CELL_HOT static inline enum ledger_reason ledger_order_problem(struct ledger_order order)
{
    bool ends = order.kind == LEDGER_POSTED || order.kind == LEDGER_VOIDED;
    bool named = order.pending_high != 0 || order.pending_low != 0;

    if (order.id_high == 0 && order.id_low == 0)
        return LEDGER_NO_ID;
    if (!ends && order.kind != LEDGER_TRANSFER && order.kind != LEDGER_PENDING)
        return LEDGER_NO_SUCH_KIND;
    if (order.amount < 0 || (order.amount == 0 && !ends) || (order.amount != 0 && order.kind == LEDGER_VOIDED))
        return LEDGER_NO_AMOUNT;
    if (ends)
        return named ? LEDGER_ACCEPTED : LEDGER_PENDING_NEEDED;
    if (named)
        return LEDGER_PENDING_UNWANTED;
    if (order.from == 0 || order.to == 0)
        return LEDGER_NO_ACCOUNT;
    return order.from == order.to ? LEDGER_SAME_ACCOUNT : LEDGER_ACCEPTED;
}

/// Whether an order has what every order needs.
CELL_HOT static inline bool ledger_is_order(struct ledger_order order)
{
    return ledger_order_problem(order) == LEDGER_ACCEPTED;
}

/// What is wrong with a new account by itself.
CELL_HOT static inline enum ledger_reason ledger_account_problem(struct ledger_new_account account)
{
    if (account.id == 0)
        return LEDGER_NO_ACCOUNT;
    if (account.currency == 0)
        return LEDGER_NO_CURRENCY;
    return account.overdraft < 0 || account.limit < 0 ? LEDGER_LIMITS : LEDGER_ACCEPTED;
}

/// Whether an account can be opened like this.
CELL_HOT static inline bool ledger_is_account(struct ledger_new_account account)
{
    return ledger_account_problem(account) == LEDGER_ACCEPTED;
}

/// The most that may leave an account now.
CELL_HOT static inline uint64_t ledger_available(struct ledger_account account)
{
    uint64_t most = (uint64_t)INT64_MAX - (uint64_t)account.outgoing;
    uint64_t there = (uint64_t)account.balance - (uint64_t)account.outgoing + (uint64_t)account.overdraft;
    return there < most ? there : most;
}

/// The most that an account can take now.
CELL_HOT static inline uint64_t ledger_room(struct ledger_account account)
{
    uint64_t limit = account.limit == 0 ? (uint64_t)INT64_MAX : (uint64_t)account.limit;
    uint64_t most = (uint64_t)INT64_MAX - (uint64_t)account.incoming;
    uint64_t room = limit - (uint64_t)account.balance - (uint64_t)account.incoming;
    return room < most ? room : most;
}

/// Why the ledger would refuse to move or reserve an amount between two accounts that are as given.
CELL_HOT static inline enum ledger_reason ledger_transfer_problem(struct ledger_account from, struct ledger_account to,
                                                                  int64_t amount)
{
    if (from.currency != to.currency)
        return LEDGER_CURRENCIES;
    if (from.closed)
        return LEDGER_FROM_CLOSED;
    if (to.closed)
        return LEDGER_TO_CLOSED;
    if (amount < 1)
        return LEDGER_NO_AMOUNT;
    if ((uint64_t)amount > ledger_available(from))
        return LEDGER_OVERDRAWN;
    return (uint64_t)amount > ledger_room(to) ? LEDGER_OVER_LIMIT : LEDGER_ACCEPTED;
}

#endif
