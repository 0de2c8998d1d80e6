/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "history.h"

#include <inttypes.h>

int64_t lg_balance_after(const struct ledger_entry *e, uint64_t account)
{
    return e->from == account ? e->from_balance : e->to_balance;
}

int64_t lg_moved(const struct ledger_entry *e, uint64_t account)
{
    if (e->kind != LEDGER_TRANSFER && e->kind != LEDGER_POSTED)
        return 0;
    return e->from == account ? -e->amount : e->amount;
}

/* UINT64_MAX: it is the first. */
static uint64_t previous(const struct ledger_entry *e, uint64_t account)
{
    if (e->kind == LEDGER_OPENED)
        return UINT64_MAX;
    return e->from == account ? e->from_previous : e->to_previous;
}

int lg_history(struct lg_archive *a, const struct lg_range *range, uint64_t last, struct ledger_record *records,
               uint32_t most, uint32_t *n, uint64_t *next, lg_cancelled_fn *cancelled, void *user, struct lg_failure *f)
{
    struct lg_cursor *cursor;
    struct ledger_entry e;
    uint32_t found = 0;
    int r = lg_archive_take(a, &cursor, f);

    if (r < 0)
        return r;
    while (r >= 0 && last != UINT64_MAX) {
        r = cancelled(user) ? lg_fail(f, CELL_CANCELLED, "nobody waits any more") : lg_cursor_read(cursor, last, &e, f);
        if (r < 0 || e.time_us < range->since_us)
            break;
        if (e.from != range->account && e.to != range->account) {
            r = lg_fail(f, CELL_DATA_LOSS, "record %" PRIu64 " is not of the account that it should be of", last);
            break;
        }
        if (last < range->before && e.time_us < range->until_us) {
            if (found == most)
                break;
            records[found++] = (struct ledger_record){last, e};
        }
        last = previous(&e, range->account);
    }
    lg_archive_give(a, cursor);
    *n = found;
    *next = last;
    return r < 0 ? r : CELL_OK;
}
