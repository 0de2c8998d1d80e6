/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A ledger in a folder of its own, with accounts, and orders that are made from their number. */
#ifndef CELL_TEST_LEDGER_FIXTURE_H
#define CELL_TEST_LEDGER_FIXTURE_H

#include <inttypes.h>

#include <ledger/check.h>
#include <ledger/engine.h>

#include "temp_folder.h"

#define LEDGER_MAYBE_UNUSED __attribute__((unused))
#define LEDGER_ACCOUNTS 20 /* 1 to this, in currency 978; each may be overdrawn without limit */

static struct lg_engine *engine;
static struct lg_failure failure;

/* What a call has been told. */
struct told {
    uint32_t refused, written;
    struct lg_refused first;
    uint64_t answered;
};

LEDGER_MAYBE_UNUSED static int tell(void *user, const struct lg_book *book, struct lg_failure *f)
{
    struct told *told = user;

    (void)f;
    *told = (struct told){.refused = book->nrefused, .written = book->n, .answered = book->answered};
    if (book->nrefused)
        told->first = book->refused[0];
    return CELL_OK;
}

LEDGER_MAYBE_UNUSED static bool ledger_begin(const struct lg_engine_options *more)
{
    struct lg_engine_options options = more ? *more : (struct lg_engine_options){.folder = NULL};

    options.folder = temp_path("ledger");
    options.segment_bytes = options.segment_bytes ? options.segment_bytes : UINT64_C(2) << 20;
    engine = NULL;
    failure.text[0] = '\0';
    return lg_engine_open(&options, &engine, &failure) >= 0;
}

LEDGER_MAYBE_UNUSED static void ledger_end(void)
{
    int r = lg_engine_close(engine, &failure);

    CHECK(r == CELL_OK);
    if (r < 0)
        printf("%s\n", failure.text);
    engine = NULL;
}

LEDGER_MAYBE_UNUSED static int ledger_accounts_opened(void)
{
    struct ledger_new_account accounts[LEDGER_ACCOUNTS];
    struct told told;

    for (uint32_t i = 0; i < LEDGER_ACCOUNTS; i++)
        accounts[i] = (struct ledger_new_account){.id = i + 1, .overdraft = INT64_MAX, .currency = 978};
    return lg_engine_accounts(engine, accounts, LEDGER_ACCOUNTS, false, tell, &told, &failure);
}

/* The order with a number is always the same; pairs of them are linked when the first is divisible by 10, those
 * divisible by 7 are pending, and the next one posts or voids that. */
LEDGER_MAYBE_UNUSED static struct ledger_order numbered_order(uint64_t n)
{
    struct ledger_order o = {.id_high = 77,
                             .id_low = n,
                             .from = 1 + n % LEDGER_ACCOUNTS,
                             .to = 1 + (n * 7 + 3) % LEDGER_ACCOUNTS,
                             .amount = (int64_t)(1 + n % 91),
                             .user_data = n * n,
                             .code = (uint32_t)n,
                             .linked = n % 10 == 0};
    if (o.from == o.to)
        o.to = 1 + o.to % LEDGER_ACCOUNTS;
    if (n % 7 == 0)
        o.kind = LEDGER_PENDING;
    if (n % 7 == 1 && n > 1) {
        o.kind = n % 2 ? LEDGER_POSTED : LEDGER_VOIDED;
        o.pending_high = 77;
        o.pending_low = n - 1;
        o.from = o.to = 0;
        o.amount = 0;
    }
    return o;
}

/* Those from `first` on, at most LG_MOST. */
LEDGER_MAYBE_UNUSED static int order_many(uint64_t first, uint32_t n, struct told *told)
{
    struct ledger_order *orders = calloc(n, sizeof(*orders));

    for (uint32_t i = 0; i < n; i++)
        orders[i] = numbered_order(first + i);
    int r = lg_engine_orders(engine, orders, n, tell, told, &failure);
    free(orders);
    return r;
}

struct counts {
    uint64_t records, transfers;
    int64_t balances[LEDGER_ACCOUNTS + 1];
    int64_t held;
};

static int count_all(void *user, const struct lg_book *book, struct lg_failure *f)
{
    struct counts *counts = user;

    *counts = (struct counts){.records = book->state.sequence, .transfers = book->state.transfers};
    for (uint64_t i = 1; i <= LEDGER_ACCOUNTS; i++) {
        const struct lg_account *a = lg_state_account(&book->state, i);
        counts->balances[i] = a ? a->balance : INT64_MIN;
        counts->held += a ? a->outgoing : 0;
    }
    return lg_state_verify(&book->state, f);
}

LEDGER_MAYBE_UNUSED static struct counts ledger_counts(void)
{
    struct counts counts = {0};

    CHECK(lg_engine_look(engine, count_all, &counts, &failure) == CELL_OK);
    return counts;
}

/* What the orders 1 to `n` lead to, each once. */
LEDGER_MAYBE_UNUSED static struct counts expected_counts(uint64_t n)
{
    struct counts counts = {.records = n + LEDGER_ACCOUNTS, .transfers = n};

    for (uint64_t i = 1; i <= n; i++) {
        struct ledger_order o = numbered_order(i);
        if (o.kind == LEDGER_POSTED || o.kind == LEDGER_VOIDED) {
            struct ledger_order pending = numbered_order(i - 1);
            counts.held -= pending.amount;
            if (o.kind == LEDGER_VOIDED)
                continue;
            o.from = pending.from;
            o.to = pending.to;
            o.amount = pending.amount;
        }
        if (o.kind == LEDGER_PENDING) {
            counts.held += o.amount;
            continue;
        }
        counts.balances[o.from] -= o.amount;
        counts.balances[o.to] += o.amount;
    }
    return counts;
}

LEDGER_MAYBE_UNUSED static void check_sound(uint64_t records)
{
    struct lg_checked checked;
    int r = lg_check(temp_path("ledger"), &checked, &failure);

    CHECK(r == CELL_OK);
    if (r < 0)
        printf("%s\n", failure.text);
    CHECK(checked.records == records);
}

#endif
