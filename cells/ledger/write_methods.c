/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Methods that change the ledger. */
#include <inttypes.h>
#include <stdio.h>

#include "service.h"

struct answer {
    cell_ctx *c;
    ledger_refusals *refused;
};

static cell_str in_words(cell_ctx *c, const struct lg_refused *r)
{
    if (r->field)
        return cell_ctx_printf(c, "%s '%s'", lg_reason_text(r->reason), r->field);
    return cell_strz(lg_reason_text(r->reason));
}

static int give_refusals(void *user, const struct lg_book *book, struct lg_failure *f)
{
    const struct answer *a = user;
    struct ledger_refusal *refusals;

    if (book->nrefused == 0)
        return CELL_OK;
    refusals = cell_ctx_alloc(a->c, book->nrefused * sizeof(*refusals));
    for (uint32_t i = 0; refusals && i < book->nrefused; i++) {
        const struct lg_refused *r = &book->refused[i];
        refusals[i] = (struct ledger_refusal){r->index, r->reason, in_words(a->c, r)};
        if (!refusals[i].text.ptr)
            refusals = NULL;
    }
    if (!refusals)
        return lg_fail(f, CELL_NO_MEMORY, "out of memory for what was refused");
    *a->refused = (ledger_refusals){refusals, book->nrefused};
    return CELL_OK;
}

static int set_accounts(cell_ctx *c, ledger_new_accounts accounts, bool change, ledger_refusals *refused)
{
    struct answer answer = {c, refused};
    struct lg_failure f;
    int r =
        lg_engine_accounts(service_engine(c), accounts.ptr, (uint32_t)accounts.len, change, give_refusals, &answer, &f);

    return r < 0 ? service_failed(c, r, &f) : r;
}

int ledger_open(cell_ctx *c, ledger_new_accounts accounts, ledger_refusals *refused)
{
    return set_accounts(c, accounts, false, refused);
}

int ledger_change(cell_ctx *c, ledger_new_accounts accounts, ledger_refusals *refused)
{
    return set_accounts(c, accounts, true, refused);
}

int ledger_close(cell_ctx *c, cell_list_u64 ids, ledger_refusals *refused)
{
    struct answer answer = {c, refused};
    struct lg_failure f;
    int r = lg_engine_close_accounts(service_engine(c), ids.ptr, (uint32_t)ids.len, give_refusals, &answer, &f);

    return r < 0 ? service_failed(c, r, &f) : r;
}

int ledger_transfer_many(cell_ctx *c, ledger_orders orders, ledger_refusals *refused)
{
    struct answer answer = {c, refused};
    struct lg_failure f;
    int r = lg_engine_orders(service_engine(c), orders.ptr, (uint32_t)orders.len, give_refusals, &answer, &f);

    return r < 0 ? service_failed(c, r, &f) : r;
}

/* ---- one order ---- */

struct single {
    uint64_t sequence;
    struct ledger_entry entry;
    struct lg_refused refused; /* reason LEDGER_ACCEPTED: it was not */
};

static int take_single(void *user, const struct lg_book *book, struct lg_failure *f)
{
    struct single *s = user;

    if (book->nrefused) {
        s->refused = book->refused[0];
        return CELL_OK;
    }
    s->sequence = book->answered;
    if (book->n) {
        s->entry = book->entries[0];
        return CELL_OK;
    }
    return book->read(book->user, s->sequence, &s->entry, f);
}

static int status_of(enum ledger_reason reason)
{
    switch (reason) {
    case LEDGER_NO_FROM:
    case LEDGER_NO_TO:
    case LEDGER_NO_PENDING:
        return CELL_NOT_FOUND;
    case LEDGER_ID_USED:
        return CELL_ALREADY_EXISTS;
    case LEDGER_NO_ID:
    case LEDGER_NO_SUCH_KIND:
    case LEDGER_NO_AMOUNT:
    case LEDGER_SAME_ACCOUNT:
    case LEDGER_NO_ACCOUNT:
    case LEDGER_PENDING_NEEDED:
    case LEDGER_PENDING_UNWANTED:
    case LEDGER_CHAIN_OPEN:
        return CELL_INVALID_ARGUMENT;
    default:
        return CELL_FAILED_PRECONDITION;
    }
}

static int refuse_single(cell_ctx *c, const struct lg_refused *refused)
{
    const char *text = lg_reason_text(refused->reason);
    int status = status_of(refused->reason);
    char number[16];
    int n = snprintf(number, sizeof(number), "%d", (int)refused->reason);

    if (refused->field)
        cell_fail(c, status, "%s '%s'", text, refused->field);
    else
        cell_fail(c, status, "%s", text);
    cell_add_detail(c, "ledger-reason", (cell_bytes){(const uint8_t *)number, (uint64_t)n});
    return status;
}

/* Nothing in an order needs a look: the call is a short one (runtime/call/short_call.c). */
_Static_assert(sizeof(struct ledger_order) == 80 && sizeof(((struct ledger_order *)0)->linked) == 8,
               "an order has neither padding nor a bool");

int ledger_transfer(cell_ctx *c, const struct ledger_order *order, struct ledger_receipt *receipt)
{
    struct single single = {0};
    struct lg_failure f;
    int r = lg_engine_orders(service_engine(c), order, 1, take_single, &single, &f);

    if (r < 0)
        return service_failed(c, r, &f);
    if (single.refused.reason != LEDGER_ACCEPTED)
        return refuse_single(c, &single.refused);
    *receipt = (struct ledger_receipt){single.sequence, single.entry.time_us, single.entry.from_balance,
                                       single.entry.to_balance};
    return CELL_OK;
}
