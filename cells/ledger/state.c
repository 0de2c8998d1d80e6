/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "state.h"

#include <inttypes.h>
#include <string.h>

void lg_state_init(struct lg_state *s, uint64_t seed)
{
    *s = (struct lg_state){0};
    lg_table_init(&s->accounts, sizeof(struct lg_account), seed);
    lg_table_init(&s->holds, sizeof(struct lg_hold), seed);
    lg_table_init(&s->currencies, sizeof(struct lg_currency), seed);
}

void lg_state_free(struct lg_state *s)
{
    lg_table_free(&s->accounts);
    lg_table_free(&s->holds);
    lg_table_free(&s->currencies);
}

bool lg_state_reserve(struct lg_state *s, uint64_t records)
{
    return lg_table_reserve(&s->accounts, records) && lg_table_reserve(&s->holds, records) &&
           lg_table_reserve(&s->currencies, records);
}

struct lg_account *lg_state_account(const struct lg_state *s, uint64_t id)
{
    return id ? lg_table_find(&s->accounts, id, NULL) : NULL;
}

struct lg_hold *lg_state_hold(const struct lg_state *s, uint64_t sequence)
{
    return sequence ? lg_table_find(&s->holds, sequence, NULL) : NULL;
}

struct ledger_account lg_account_public(const struct lg_account *a)
{
    return (struct ledger_account){.id = a->id,
                                   .balance = a->balance,
                                   .outgoing = a->outgoing,
                                   .incoming = a->incoming,
                                   .overdraft = a->overdraft,
                                   .limit = a->limit,
                                   .currency = a->currency,
                                   .code = a->code,
                                   .last = a->last,
                                   .closed = a->closed};
}

/* ---- what a record must be ---- */

static int wrong(const struct lg_state *s, struct lg_failure *f, const char *what)
{
    return lg_fail(f, CELL_DATA_LOSS, "record %" PRIu64 " cannot be one of this ledger: %s", s->sequence, what);
}

static bool moves_money(enum ledger_kind kind) { return kind == LEDGER_TRANSFER || kind == LEDGER_POSTED; }
static bool ends_hold(enum ledger_kind kind) { return kind == LEDGER_POSTED || kind == LEDGER_VOIDED; }

void lg_state_complete(const struct lg_account *from, const struct lg_account *to, struct ledger_entry *e)
{
    int64_t moved = moves_money(e->kind) ? e->amount : 0;

    e->currency = from->currency;
    e->from_previous = from->last;
    e->from_balance = from->balance - moved;
    if (to) {
        e->to_previous = to->last;
        e->to_balance = to->balance + moved;
    }
}

/* Of a record that is no account's; *hold is what it ends. NULL: nothing is wrong. */
static const char *transfer_wrong(const struct ledger_entry *e, const struct lg_account *from,
                                  const struct lg_account *to, const struct lg_hold *hold)
{
    if (e->id_high == 0 && e->id_low == 0)
        return "it has no id";
    if (!from || !to || from == to)
        return "its accounts do not exist, or are one";
    if (ends_hold(e->kind)) {
        if (!hold || hold->from != e->from || hold->to != e->to)
            return "it ends a pending transfer that is not there";
        if (e->amount < 1 || e->amount > hold->amount || (e->kind == LEDGER_VOIDED && e->amount != hold->amount))
            return "its amount is not that of the pending transfer";
    } else {
        if (e->pending)
            return "it ends a pending transfer and is none that can";
        if (ledger_transfer_problem(lg_account_public(from), lg_account_public(to), e->amount) != LEDGER_ACCEPTED)
            return "its accounts do not allow it";
    }
    if (e->overdraft || e->limit || e->linked > 1)
        return "it has fields of other records";
    struct ledger_entry complete = *e;
    lg_state_complete(from, to, &complete);
    return memcmp(&complete, e, sizeof(*e)) != 0 ? "it does not lead to what it says, from the records before it"
                                                 : NULL;
}

bool lg_account_allows(const struct lg_account *a, int64_t overdraft, int64_t limit)
{
    return overdraft >= 0 && limit >= 0 && (__int128)a->balance - a->outgoing >= -(__int128)overdraft &&
           (__int128)a->balance + a->incoming <= (limit ? limit : INT64_MAX);
}

static const char *account_wrong(const struct ledger_entry *e, const struct lg_account *a)
{
    const struct lg_account none = {0};
    struct ledger_entry plain = {.from = e->from,
                                 .overdraft = e->overdraft,
                                 .limit = e->limit,
                                 .currency = e->currency,
                                 .code = e->code,
                                 .kind = e->kind,
                                 .time_us = e->time_us};

    if (e->kind == LEDGER_OPENED) {
        if (a || e->from == 0 || e->currency == 0 || e->code > UINT16_MAX ||
            !lg_account_allows(&none, e->overdraft, e->limit))
            return "it opens an account that is there or cannot be";
    } else {
        if (!a || a->closed || a->currency != e->currency || a->code != e->code)
            return "it is about an account that is not there, or is another one";
        if (e->kind == LEDGER_CHANGED && !lg_account_allows(a, e->overdraft, e->limit))
            return "it sets limits beyond which the account is";
        if (e->kind == LEDGER_CLOSED &&
            (a->balance || a->outgoing || a->incoming || e->overdraft != a->overdraft || e->limit != a->limit))
            return "it closes an account that is in use";
        plain.from_previous = a->last;
        plain.from_balance = a->balance;
    }
    return memcmp(&plain, e, sizeof(*e)) != 0 ? "it has fields of other records" : NULL;
}

/* ---- applied and taken back ---- */

static struct lg_currency *currency_of(struct lg_state *s, uint32_t currency)
{
    struct lg_currency *c = lg_table_find(&s->currencies, currency, NULL);
    return c ? c : lg_table_add(&s->currencies, currency);
}

static void set_balance(struct lg_currency *c, struct lg_account *a, int64_t balance)
{
    c->sum += (__int128)balance - a->balance;
    c->positive += (balance > 0 ? balance : 0) - (__int128)(a->balance > 0 ? a->balance : 0);
    a->balance = balance;
}

static void move_money(struct lg_state *s, struct lg_account *from, struct lg_account *to, int64_t amount)
{
    struct lg_currency *c = currency_of(s, from->currency);

    set_balance(c, from, from->balance - amount);
    set_balance(c, to, to->balance + amount);
}

static void reserve_money(struct lg_account *from, struct lg_account *to, int64_t amount)
{
    from->outgoing += amount;
    to->incoming += amount;
}

static void add_hold(struct lg_state *s, const struct lg_hold *hold)
{
    memcpy(lg_table_add(&s->holds, hold->sequence), hold, sizeof(*hold));
}

static void open_account(struct lg_state *s, const struct ledger_entry *e)
{
    struct lg_account *a = lg_table_add(&s->accounts, e->from);

    a->overdraft = e->overdraft;
    a->limit = e->limit;
    a->currency = e->currency;
    a->code = (uint16_t)e->code;
    a->last = s->sequence;
    currency_of(s, e->currency)->accounts++;
}

static void change_account(struct lg_state *s, const struct ledger_entry *e, struct lg_account *a, struct lg_undo *undo)
{
    undo->overdraft = a->overdraft;
    undo->limit = a->limit;
    a->overdraft = e->overdraft;
    a->limit = e->limit;
    a->closed = e->kind == LEDGER_CLOSED;
    a->last = s->sequence;
}

static void transfer(struct lg_state *s, const struct ledger_entry *e, struct lg_account *from, struct lg_account *to,
                     struct lg_hold *hold, struct lg_undo *undo)
{
    if (hold) {
        undo->hold = *hold;
        reserve_money(from, to, -hold->amount);
        lg_table_remove(&s->holds, hold);
    }
    if (moves_money(e->kind))
        move_money(s, from, to, e->amount);
    if (e->kind == LEDGER_PENDING) {
        reserve_money(from, to, e->amount);
        add_hold(s, &(struct lg_hold){s->sequence, e->from, e->to, e->amount, e->id_high, e->id_low});
    }
    from->last = to->last = s->sequence;
    s->transfers++;
}

void lg_state_carry_out(struct lg_state *s, const struct ledger_entry *e, struct lg_account *from,
                        struct lg_account *to, struct lg_hold *hold, struct lg_undo *undo)
{
    if (e->kind == LEDGER_OPENED)
        open_account(s, e);
    else if (e->kind > LEDGER_OPENED)
        change_account(s, e, from, undo);
    else
        transfer(s, e, from, to, hold, undo);
    s->time_us = e->time_us;
    s->sequence++;
}

int lg_state_apply(struct lg_state *s, const struct ledger_entry *e, struct lg_undo *undo, struct lg_failure *f)
{
    struct lg_account *from = lg_state_account(s, e->from), *to = lg_state_account(s, e->to);
    bool of_account = e->kind >= LEDGER_OPENED && e->kind <= LEDGER_CLOSED;
    struct lg_hold *hold = ends_hold(e->kind) ? lg_state_hold(s, e->pending) : NULL;
    struct lg_undo unwanted;

    if ((unsigned)e->kind > LEDGER_CLOSED)
        return wrong(s, f, "there is no such kind of record");
    if (e->time_us < s->time_us)
        return wrong(s, f, "its time is before that of an earlier one");
    const char *problem = of_account ? account_wrong(e, from) : transfer_wrong(e, from, to, hold);
    if (problem)
        return wrong(s, f, problem);
    lg_state_carry_out(s, e, from, to, hold, undo ? undo : &unwanted);
    return CELL_OK;
}

static void undo_account(struct lg_state *s, const struct ledger_entry *e, struct lg_account *a,
                         const struct lg_undo *undo)
{
    if (e->kind == LEDGER_OPENED) {
        struct lg_currency *c = currency_of(s, e->currency);
        lg_table_remove(&s->accounts, a);
        if (--c->accounts == 0)
            lg_table_remove(&s->currencies, c);
        return;
    }
    a->overdraft = undo->overdraft;
    a->limit = undo->limit;
    a->closed = false;
    a->last = e->from_previous;
}

void lg_state_undo(struct lg_state *s, const struct ledger_entry *e, const struct lg_undo *undo)
{
    struct lg_account *from = lg_state_account(s, e->from), *to = lg_state_account(s, e->to);

    s->sequence--;
    if (!to) {
        undo_account(s, e, from, undo);
        return;
    }
    if (moves_money(e->kind))
        move_money(s, from, to, -e->amount);
    if (e->kind == LEDGER_PENDING) {
        reserve_money(from, to, -e->amount);
        lg_table_remove(&s->holds, lg_state_hold(s, s->sequence));
    }
    if (ends_hold(e->kind)) {
        reserve_money(from, to, undo->hold.amount);
        add_hold(s, &undo->hold);
    }
    from->last = e->from_previous;
    to->last = e->to_previous;
    s->transfers--;
}

/* ---- all of it ---- */

/* Takes what is pending out of the copies, of which nothing may be left then. */
static int verify_holds(const struct lg_state *s, struct lg_failure *f)
{
    __int128 outgoing = 0, incoming = 0, held = 0;
    uint64_t at = 0;

    for (const struct lg_account *a; (a = lg_table_each(&s->accounts, &at));) {
        outgoing += a->outgoing;
        incoming += a->incoming;
    }
    at = 0;
    for (const struct lg_hold *h; (h = lg_table_each(&s->holds, &at));) {
        const struct lg_account *from = lg_state_account(s, h->from), *to = lg_state_account(s, h->to);
        if (!from || !to || from == to || h->amount < 1 || h->amount > from->outgoing || h->amount > to->incoming ||
            from->currency != to->currency || h->sequence >= s->sequence)
            return lg_fail(f, CELL_DATA_LOSS, "the pending transfer %" PRIu64 " does not fit its accounts",
                           h->sequence);
        held += h->amount;
    }
    if (outgoing != held || incoming != held)
        return lg_fail(f, CELL_DATA_LOSS, "what accounts reserve is not what is pending");
    return CELL_OK;
}

int lg_state_verify(const struct lg_state *s, struct lg_failure *f)
{
    struct lg_table sums;
    uint64_t at = 0;
    int r = CELL_OK;

    lg_table_init(&sums, sizeof(struct lg_currency), s->accounts.seed);
    for (const struct lg_account *a; r == CELL_OK && (a = lg_table_each(&s->accounts, &at));) {
        struct lg_currency *c = lg_table_find(&sums, a->currency, NULL);
        if (!lg_account_allows(a, a->overdraft, a->limit) || a->outgoing < 0 || a->incoming < 0 || !a->currency ||
            a->last >= s->sequence || a->closed > 1 || (a->closed && (a->balance || a->outgoing || a->incoming)))
            r = lg_fail(f, CELL_DATA_LOSS, "the account %" PRIu64 " is beyond its limits", a->id);
        else if (!c && !lg_table_reserve(&sums, 1))
            r = lg_fail(f, CELL_NO_MEMORY, "out of memory");
        else {
            c = c ? c : lg_table_add(&sums, a->currency);
            c->sum += a->balance;
            c->accounts++;
        }
    }
    at = 0;
    for (const struct lg_currency *c; r == CELL_OK && (c = lg_table_each(&sums, &at));) {
        const struct lg_currency *kept = lg_table_find(&s->currencies, c->currency, NULL);
        if (c->sum != 0 || !kept || kept->sum != 0 || kept->accounts != c->accounts)
            r = lg_fail(f, CELL_DATA_LOSS, "the balances of currency %" PRIu64 " do not add up to zero", c->currency);
    }
    lg_table_free(&sums);
    return r < 0 ? r : verify_holds(s, f);
}
