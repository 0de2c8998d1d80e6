/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "book_impl.h"

#include <stdlib.h>
#include <string.h>

#define AHEAD 12 /* orders whose memory is fetched while others are decided */

bool lg_book_init(struct lg_book *b, const uint64_t secret[2], lg_read_fn *read, void *user)
{
    *b = (struct lg_book){.secret = {secret[0], secret[1]}, .read = read, .user = user};
    lg_state_init(&b->state, secret[0]);
    lg_table_init(&b->ids, sizeof(struct lg_id_slot), 0); /* tags are secret already */
    b->entries = calloc(LG_MOST, sizeof(b->entries[0]));
    b->undos = calloc(LG_MOST, sizeof(b->undos[0]));
    b->refused = calloc(LG_MOST, sizeof(b->refused[0]));
    return b->entries && b->undos && b->refused;
}

void lg_book_free(struct lg_book *b)
{
    lg_state_free(&b->state);
    lg_table_free(&b->ids);
    free(b->entries);
    free(b->undos);
    free(b->refused);
    *b = (struct lg_book){0};
}

/* ---- ids ---- */

static uint64_t mix(uint64_t x)
{
    /* The finalizer of MurmurHash3 (Appleby), after a multiplication. */
    x *= UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 33)) * UINT64_C(0xff51afd7ed558ccd);
    x = (x ^ (x >> 33)) * UINT64_C(0xc4ceb9fe1a85ec53);
    return x ^ (x >> 33);
}

uint64_t lg_book_tag(const uint64_t secret[2], uint64_t id_high, uint64_t id_low)
{
    uint64_t tag = mix(mix(id_low ^ secret[0]) + id_high + secret[1]) ^ secret[1];
    return tag ? tag : 1;
}

/* The record with this sequence: one of the running call, or of the journal. */
static int read_entry(const struct lg_book *b, uint64_t sequence, struct ledger_entry *entry, struct lg_failure *f)
{
    uint64_t first = b->state.sequence - b->n;

    if (sequence < first)
        return b->read(b->user, sequence, entry, f);
    *entry = b->entries[sequence - first];
    return CELL_OK;
}

int lg_book_find(const struct lg_book *b, uint64_t id_high, uint64_t id_low, uint64_t *sequence,
                 struct ledger_entry *entry, struct lg_failure *f)
{
    uint64_t tag = lg_book_tag(b->secret, id_high, id_low);

    for (const struct lg_id_slot *slot = NULL; (slot = lg_table_find(&b->ids, tag, slot));) {
        int r = read_entry(b, slot->sequence, entry, f);
        if (r < 0)
            return r;
        if (entry->id_high == id_high && entry->id_low == id_low) {
            *sequence = slot->sequence;
            return 1;
        }
    }
    return 0;
}

static bool has_id(const struct ledger_entry *e) { return e->id_high != 0 || e->id_low != 0; }

static void add_id(struct lg_book *b, const struct ledger_entry *e, uint64_t sequence)
{
    struct lg_id_slot *slot = lg_table_add(&b->ids, lg_book_tag(b->secret, e->id_high, e->id_low));
    slot->sequence = sequence;
}

static void remove_id(struct lg_book *b, const struct ledger_entry *e, uint64_t sequence)
{
    struct lg_id_slot *slot = lg_table_find(&b->ids, lg_book_tag(b->secret, e->id_high, e->id_low), NULL);

    while (slot && slot->sequence != sequence)
        slot = lg_table_find(&b->ids, slot->tag, slot);
    if (slot)
        lg_table_remove(&b->ids, slot);
}

/* ---- records ---- */

int lg_book_replay(struct lg_book *b, const struct ledger_entry *e, struct lg_failure *f)
{
    uint64_t sequence = b->state.sequence;

    if (!lg_state_reserve(&b->state, 1) || !lg_table_reserve(&b->ids, 1))
        return lg_fail(f, CELL_NO_MEMORY, "out of memory");
    int r = lg_state_apply(&b->state, e, NULL, f);
    if (r >= 0 && has_id(e))
        add_id(b, e, sequence);
    return r;
}

int lg_book_begin(struct lg_book *b, uint32_t n, struct lg_failure *f)
{
    b->n = b->done = b->nrefused = 0;
    if (lg_state_reserve(&b->state, n) && lg_table_reserve(&b->ids, n))
        return CELL_OK;
    return lg_fail(f, CELL_NO_MEMORY, "out of memory for more accounts and ids");
}

void lg_book_written(struct lg_book *b, uint32_t n) { b->done += n; }

static void undo_to(struct lg_book *b, uint32_t n)
{
    while (b->n > n) {
        const struct ledger_entry *e = &b->entries[--b->n];
        lg_state_undo(&b->state, e, &b->undos[b->n]);
        if (has_id(e))
            remove_id(b, e, b->state.sequence);
    }
}

void lg_book_undo(struct lg_book *b) { undo_to(b, b->done); }

void lg_book_put(struct lg_book *b, struct ledger_entry *e, struct lg_account *from, struct lg_account *to,
                 struct lg_hold *hold)
{
    e->time_us = e->time_us > b->state.time_us ? e->time_us : b->state.time_us; /* clocks are set back */
    lg_state_carry_out(&b->state, e, from, to, hold, &b->undos[b->n]);
    b->answered = b->state.sequence - 1;
    if (has_id(e))
        add_id(b, e, b->answered);
    b->entries[b->n++] = *e;
}

void lg_book_refuse(struct lg_book *b, uint32_t index, enum ledger_reason reason, const char *field)
{
    b->refused[b->nrefused++] = (struct lg_refused){index, reason, field};
}

/* ---- orders ---- */

static bool ends_hold(enum ledger_kind kind) { return kind == LEDGER_POSTED || kind == LEDGER_VOIDED; }

/* The field in which an order differs from the record that its id has; NULL: in none. `whole` is what was pending. */
static const char *order_differs(const struct ledger_order *o, const struct ledger_entry *e, uint64_t pending,
                                 int64_t whole)
{
    bool ends = ends_hold(o->kind);

    if (o->kind != e->kind)
        return "kind";
    if (o->from != e->from && !(ends && o->from == 0))
        return "from";
    if (o->to != e->to && !(ends && o->to == 0))
        return "to";
    if (pending != e->pending)
        return "pending_high or pending_low";
    if ((o->amount ? o->amount : whole) != e->amount)
        return "amount";
    if (o->user_data != e->user_data)
        return "user_data";
    if (o->code != e->code)
        return "code";
    return (o->linked != 0) != e->linked ? "linked" : NULL;
}

/* An order whose id was accepted before: as the record says, or not. */
static int answer_again(struct lg_book *b, const struct ledger_order *o, const struct ledger_entry *e,
                        const char **field, struct lg_failure *f)
{
    struct ledger_entry pending = {0};
    uint64_t sequence = 0;
    int r = 0;

    if (ends_hold(o->kind))
        r = lg_book_find(b, o->pending_high, o->pending_low, &sequence, &pending, f);
    if (r < 0)
        return r;
    *field = order_differs(o, e, sequence, pending.amount);
    return *field ? LEDGER_ID_USED : LEDGER_ACCEPTED;
}

/* The hold that an order is about: a reason, or negative. */
static int find_hold(const struct lg_book *b, const struct ledger_order *o, struct lg_hold **hold, struct lg_failure *f)
{
    uint64_t tag = lg_book_tag(b->secret, o->pending_high, o->pending_low), sequence;
    struct ledger_entry entry;

    for (const struct lg_id_slot *slot = NULL; (slot = lg_table_find(&b->ids, tag, slot));) {
        *hold = lg_state_hold(&b->state, slot->sequence);
        if (*hold && (*hold)->id_high == o->pending_high && (*hold)->id_low == o->pending_low)
            return LEDGER_ACCEPTED;
    }
    *hold = NULL;
    int r = lg_book_find(b, o->pending_high, o->pending_low, &sequence, &entry, f);
    if (r < 0)
        return r;
    return r > 0 && entry.kind == LEDGER_PENDING ? LEDGER_PENDING_ENDED : LEDGER_NO_PENDING;
}

static int end_hold(const struct lg_book *b, const struct ledger_order *o, struct ledger_entry *e,
                    struct lg_hold **hold, struct lg_failure *f)
{
    int r = find_hold(b, o, hold, f);

    if (r != LEDGER_ACCEPTED)
        return r;
    const struct lg_hold *h = *hold;
    if ((o->from && o->from != h->from) || (o->to && o->to != h->to))
        return LEDGER_PENDING_ACCOUNTS;
    if (o->amount > h->amount)
        return LEDGER_PENDING_AMOUNT;
    e->from = h->from;
    e->to = h->to;
    e->pending = h->sequence;
    e->amount = o->amount ? o->amount : h->amount;
    return LEDGER_ACCEPTED;
}

/* A new order: it becomes a record, or a reason, or negative. */
static int carry_out(struct lg_book *b, const struct ledger_order *o, int64_t time_us, struct lg_failure *f)
{
    struct ledger_entry e = {.id_high = o->id_high,
                             .id_low = o->id_low,
                             .from = o->from,
                             .to = o->to,
                             .amount = o->amount,
                             .time_us = time_us,
                             .user_data = o->user_data,
                             .code = o->code,
                             .kind = o->kind,
                             .linked = o->linked != 0};
    struct lg_hold *hold = NULL;
    int reason = ends_hold(o->kind) ? end_hold(b, o, &e, &hold, f) : LEDGER_ACCEPTED;

    if (reason != LEDGER_ACCEPTED)
        return reason;
    struct lg_account *from = lg_state_account(&b->state, e.from), *to = lg_state_account(&b->state, e.to);
    if (!from || !to)
        return from ? LEDGER_NO_TO : LEDGER_NO_FROM;
    if (!ends_hold(o->kind)) {
        reason = (int)ledger_transfer_problem(lg_account_public(from), lg_account_public(to), e.amount);
        if (reason != LEDGER_ACCEPTED)
            return reason;
    }
    lg_state_complete(from, to, &e);
    lg_book_put(b, &e, from, to, hold);
    return LEDGER_ACCEPTED;
}

static void prefetch(const struct lg_book *b, const struct ledger_order *o)
{
    lg_table_prefetch(&b->ids, lg_book_tag(b->secret, o->id_high, o->id_low));
    lg_table_prefetch(&b->state.accounts, o->from);
    lg_table_prefetch(&b->state.accounts, o->to);
}

static void prefetch_to(struct lg_book *b, const struct ledger_order *orders, uint32_t end)
{
    for (; b->fetched < end; b->fetched++)
        prefetch(b, &orders[b->fetched]);
}

void lg_book_expect(struct lg_book *b, const struct ledger_order *orders, uint32_t n)
{
    b->fetched = 0;
    prefetch_to(b, orders, n < AHEAD ? n : AHEAD);
}

struct chain {
    uint32_t begin, end; /* of the orders */
    uint32_t again;      /* of them were accepted before */
    uint64_t last;       /* the sequence of the last one's record */
    uint32_t failed;
    const char *field;
};

static int one_of_chain(struct lg_book *b, const struct ledger_order *orders, uint32_t i, struct chain *chain,
                        int64_t time_us, struct lg_failure *f)
{
    const struct ledger_order *o = &orders[i];
    enum ledger_reason problem = ledger_order_problem(*o);
    struct ledger_entry before;
    uint64_t sequence;

    chain->failed = i;
    if (problem != LEDGER_ACCEPTED)
        return (int)problem;
    int r = lg_book_find(b, o->id_high, o->id_low, &sequence, &before, f);
    if (r < 0)
        return r;
    if (r == 0) {
        r = chain->again ? LEDGER_CHAIN_BROKEN : carry_out(b, o, time_us, f);
        chain->last = b->answered;
        return r;
    }
    r = answer_again(b, o, &before, &chain->field, f);
    /* All of a chain, one after the other, or none of it. */
    if (r == LEDGER_ACCEPTED && i > chain->begin && (!chain->again || sequence != chain->last + 1))
        r = LEDGER_CHAIN_BROKEN;
    chain->again++;
    b->answered = chain->last = sequence;
    return r;
}

static int run_chain(struct lg_book *b, const struct ledger_order *orders, struct chain *chain, int64_t time_us,
                     struct lg_failure *f)
{
    uint32_t before = b->n;
    int r = LEDGER_ACCEPTED;

    for (uint32_t i = chain->begin; r == LEDGER_ACCEPTED && i < chain->end; i++)
        r = one_of_chain(b, orders, i, chain, time_us, f);
    if (r > LEDGER_ACCEPTED) {
        undo_to(b, before);
        for (uint32_t i = chain->begin; i < chain->end; i++)
            lg_book_refuse(b, i, i == chain->failed ? (enum ledger_reason)r : LEDGER_CHAIN,
                           i == chain->failed ? chain->field : NULL);
    }
    return r;
}

int lg_book_orders(struct lg_book *b, const struct ledger_order *orders, uint32_t n, int64_t time_us,
                   struct lg_failure *f)
{
    for (uint32_t i = 0; i < n;) {
        struct chain chain = {.begin = i, .end = i};
        while (chain.end < n && orders[chain.end].linked)
            chain.end++;
        if (chain.end == n) {
            for (; i < n; i++)
                lg_book_refuse(b, i, i == n - 1 ? LEDGER_CHAIN_OPEN : LEDGER_CHAIN, NULL);
            break;
        }
        chain.end++;
        prefetch_to(b, orders, n - chain.end < AHEAD ? n : chain.end + AHEAD);
        if (run_chain(b, orders, &chain, time_us, f) < 0) {
            lg_book_undo(b);
            return f ? f->status : CELL_IO_ERROR;
        }
        i = chain.end;
    }
    return CELL_OK;
}
