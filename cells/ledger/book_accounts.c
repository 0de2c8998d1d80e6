/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Accounts that are opened, changed and closed, and reasons in words. */
#include "book_impl.h"

static struct ledger_entry entry_of(const struct ledger_new_account *account, enum ledger_kind kind, int64_t time_us)
{
    return (struct ledger_entry){.from = account->id,
                                 .overdraft = account->overdraft,
                                 .limit = account->limit,
                                 .currency = account->currency,
                                 .code = account->code,
                                 .kind = kind,
                                 .time_us = time_us};
}

static const char *account_differs(const struct ledger_new_account *n, const struct lg_account *a, bool change)
{
    if (n->currency != a->currency)
        return "currency";
    if (n->code != a->code)
        return "code";
    if (n->overdraft != a->overdraft && !change)
        return "overdraft";
    return n->limit != a->limit && !change ? "limit" : NULL;
}

/* A reason; LEDGER_ACCEPTED also when there is nothing to do, and then *todo stays false. */
static enum ledger_reason judge(const struct lg_account *a, const struct ledger_new_account *n, bool change, bool *todo,
                                const char **field)
{
    enum ledger_reason problem = ledger_account_problem(*n);

    if (problem != LEDGER_ACCEPTED)
        return problem;
    if (!a && change)
        return LEDGER_NO_FROM;
    if (!a) {
        *todo = true;
        return LEDGER_ACCEPTED;
    }
    *field = account_differs(n, a, change);
    if (*field)
        return LEDGER_ACCOUNT_DIFFERS;
    if (a->closed)
        return LEDGER_ACCOUNT_CLOSED;
    *todo = change && (n->overdraft != a->overdraft || n->limit != a->limit);
    return !*todo || lg_account_allows(a, n->overdraft, n->limit) ? LEDGER_ACCEPTED : LEDGER_BEYOND_LIMITS;
}

void lg_book_accounts(struct lg_book *b, const struct ledger_new_account *accounts, uint32_t n, bool change,
                      int64_t time_us)
{
    for (uint32_t i = 0; i < n; i++) {
        struct lg_account *a = lg_state_account(&b->state, accounts[i].id);
        const char *field = NULL;
        bool todo = false;
        enum ledger_reason reason = judge(a, &accounts[i], change, &todo, &field);
        if (reason != LEDGER_ACCEPTED) {
            lg_book_refuse(b, i, reason, field);
        } else if (todo) {
            struct ledger_entry e = entry_of(&accounts[i], change ? LEDGER_CHANGED : LEDGER_OPENED, time_us);
            if (change)
                lg_state_complete(a, NULL, &e);
            lg_book_put(b, &e, a, NULL, NULL);
        }
    }
}

void lg_book_close(struct lg_book *b, const uint64_t *ids, uint32_t n, int64_t time_us)
{
    for (uint32_t i = 0; i < n; i++) {
        struct lg_account *a = lg_state_account(&b->state, ids[i]);
        if (!a) {
            lg_book_refuse(b, i, ids[i] ? LEDGER_NO_FROM : LEDGER_NO_ACCOUNT, NULL);
        } else if (!a->closed && (a->balance || a->outgoing || a->incoming)) {
            lg_book_refuse(b, i, LEDGER_NOT_EMPTY, NULL);
        } else if (!a->closed) {
            const struct ledger_new_account same = {a->id, a->overdraft, a->limit, a->currency, a->code};
            struct ledger_entry e = entry_of(&same, LEDGER_CLOSED, time_us);
            lg_state_complete(a, NULL, &e);
            lg_book_put(b, &e, a, NULL, NULL);
        }
    }
}

const char *lg_reason_text(enum ledger_reason reason)
{
    static const char *const texts[] = {
        [LEDGER_ACCEPTED] = "accepted",
        [LEDGER_NO_ID] = "id_high and id_low: one of them must not be 0",
        [LEDGER_NO_SUCH_KIND] = "kind: only transfers, pending ones, and their posting and voiding can be ordered",
        [LEDGER_NO_AMOUNT] = "amount: must be above 0; when posting 0 means all, when voiding it must be 0",
        [LEDGER_SAME_ACCOUNT] = "from and to: are the same account",
        [LEDGER_NO_ACCOUNT] = "an account's id must not be 0",
        [LEDGER_PENDING_NEEDED] = "pending_high and pending_low: must name what is posted or voided",
        [LEDGER_PENDING_UNWANTED] = "pending_high and pending_low: must be 0 unless something is posted or voided",
        [LEDGER_NO_FROM] = "from: there is no such account",
        [LEDGER_NO_TO] = "to: there is no such account",
        [LEDGER_CURRENCIES] = "from and to: have different currencies",
        [LEDGER_FROM_CLOSED] = "from: the account is closed",
        [LEDGER_TO_CLOSED] = "to: the account is closed",
        [LEDGER_OVERDRAWN] = "amount: is more than the account 'from' may give",
        [LEDGER_OVER_LIMIT] = "amount: is more than the account 'to' may take",
        [LEDGER_NO_PENDING] = "pending_high and pending_low: there is no pending transfer of that id",
        [LEDGER_PENDING_ENDED] = "pending_high and pending_low: it was posted or voided before",
        [LEDGER_PENDING_ACCOUNTS] = "from or to: is not that of the pending transfer",
        [LEDGER_PENDING_AMOUNT] = "amount: is more than is pending",
        [LEDGER_ID_USED] = "id_high and id_low: were used before, for an order that differs in",
        [LEDGER_CHAIN] = "linked: another order of the chain was refused",
        [LEDGER_CHAIN_OPEN] = "linked: no order follows the last one of a call",
        [LEDGER_CHAIN_BROKEN] = "linked: a part of the chain was accepted before, without the rest",
        [LEDGER_NO_CURRENCY] = "currency: must not be 0",
        [LEDGER_LIMITS] = "overdraft and limit: must not be negative",
        [LEDGER_BEYOND_LIMITS] = "overdraft and limit: balance and holds of the account are beyond",
        [LEDGER_ACCOUNT_DIFFERS] = "the account is there, and differs in",
        [LEDGER_ACCOUNT_CLOSED] = "the account is closed",
        [LEDGER_NOT_EMPTY] = "the account has a balance or holds",
    };
    unsigned n = (unsigned)reason;
    return n < sizeof(texts) / sizeof(texts[0]) && texts[n] ? texts[n] : "refused";
}
