/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LIBS: cell_ledger_sanitized
/* What the ledger decides, against a model that is too simple to be wrong and too slow to be used. */
#include "ledger_book_fixture.h"

#define ACCOUNTS 12
#define IDS 3000
#define MOST_RECORDS 60000

static uint64_t seed = 7;
static uint32_t any(uint32_t n)
{
    seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (uint32_t)(seed >> 33) % n;
}

/* ---- the model ---- */

struct model_account {
    bool there, closed;
    __int128 balance, overdraft, limit, outgoing, incoming;
    uint32_t currency;
};
struct model_order {
    bool accepted, ended;
    struct ledger_order order;
    uint64_t chain, place; /* which chain and where */
};
struct model {
    struct model_account accounts[ACCOUNTS + 1];
    struct model_order orders[IDS];
    uint64_t records;
};
static struct model model;
static uint64_t chains;

static bool model_can(const struct model_account *from, const struct model_account *to, __int128 amount)
{
    return from->there && to->there && !from->closed && !to->closed && from != to && from->currency == to->currency &&
           amount >= 1 && from->balance - from->outgoing - amount >= -from->overdraft &&
           to->balance + to->incoming + amount <= (to->limit ? to->limit : INT64_MAX) &&
           from->outgoing + amount <= INT64_MAX && to->incoming + amount <= INT64_MAX;
}

/* With what 0 stands for where something pending is ended. */
static struct ledger_order in_full(const struct model *m, struct ledger_order o)
{
    bool ends = o.kind == LEDGER_POSTED || o.kind == LEDGER_VOIDED;
    const struct ledger_order *pending = ends && o.pending_low < IDS ? &m->orders[o.pending_low].order : NULL;

    if (pending) {
        o.from = o.from ? o.from : pending->from;
        o.to = o.to ? o.to : pending->to;
        o.amount = o.amount ? o.amount : pending->amount;
    }
    return o;
}

static bool same_order(const struct model *m, struct ledger_order a, struct ledger_order b)
{
    a = in_full(m, a);
    b = in_full(m, b);
    return a.from == b.from && a.to == b.to && a.amount == b.amount && a.pending_low == b.pending_low &&
           a.user_data == b.user_data && a.code == b.code && a.kind == b.kind && a.linked == b.linked;
}

/* 1: accepted now; 2: it was before; 0: refused. */
static int model_order(struct model *m, const struct ledger_order *o, uint64_t chain, uint64_t place)
{
    struct model_order *known = o->id_high == 0 && o->id_low < IDS ? &m->orders[o->id_low] : NULL;
    bool ends = o->kind == LEDGER_POSTED || o->kind == LEDGER_VOIDED, names = o->pending_low || o->pending_high;

    if (o->id_low == 0 || (unsigned)o->kind > LEDGER_VOIDED || o->amount < 0 || ends != names ||
        (o->kind == LEDGER_VOIDED && o->amount) || (!ends && o->amount == 0))
        return 0;
    if (known->accepted)
        return same_order(m, known->order, *o) ? 2 : 0;
    struct model_order *pending = ends && o->pending_low < IDS ? &m->orders[o->pending_low] : NULL;
    uint64_t f = ends && pending ? pending->order.from : o->from, t = ends && pending ? pending->order.to : o->to;
    if (!f || !t || f > ACCOUNTS || t > ACCOUNTS)
        return 0;
    struct model_account *from = &m->accounts[f], *to = &m->accounts[t];
    if (ends) {
        if (!pending || !pending->accepted || pending->order.kind != LEDGER_PENDING || pending->ended ||
            o->amount > pending->order.amount || (o->from && o->from != f) || (o->to && o->to != t))
            return 0;
        pending->ended = true;
        from->outgoing -= pending->order.amount;
        to->incoming -= pending->order.amount;
    } else if (!model_can(from, to, o->amount)) {
        return 0;
    }
    __int128 amount = o->amount ? o->amount : ends ? pending->order.amount : 0;
    if (o->kind == LEDGER_TRANSFER || o->kind == LEDGER_POSTED) {
        from->balance -= amount;
        to->balance += amount;
    } else if (o->kind == LEDGER_PENDING) {
        from->outgoing += amount;
        to->incoming += amount;
    }
    *known = (struct model_order){true, false, *o, chain, place};
    m->records++;
    return 1;
}

/* A chain: all or nothing; whether it was accepted. */
static bool model_chain(const struct ledger_order *orders, uint32_t n)
{
    struct model before = model;
    uint64_t chain = ++chains;
    uint64_t again = 0, first = 0;

    for (uint32_t i = 0; i < n; i++) {
        int r = model_order(&model, &orders[i], chain, i);
        if (r == 2 && i == 0)
            chain = model.orders[orders[0].id_low].chain, first = model.orders[orders[0].id_low].place;
        again += r == 2;
        if (r == 0 || (again && again != i + 1) ||
            (r == 2 &&
             (model.orders[orders[i].id_low].chain != chain || model.orders[orders[i].id_low].place != first + i))) {
            model = before;
            return false;
        }
    }
    return true;
}

/* ---- random orders ---- */

static int64_t amount(void)
{
    switch (any(20)) {
    case 0:
        return INT64_MAX - any(3);
    case 1:
        return -(int64_t)any(3);
    case 2:
        return INT64_MAX / 2;
    case 3:
        return INT64_MIN;
    default:
        return 1 + any(200);
    }
}

static void random_order(struct ledger_order *o)
{
    uint64_t id = any(IDS);

    *o = (struct ledger_order){0};
    if (model.orders[id].accepted && any(3)) {
        *o = model.orders[id].order;
        if (any(8) == 0)
            *(any(2) ? &o->user_data : &o->from) += 1;
        if (any(8) == 0)
            o->code++;
        return;
    }
    o->id_low = id;
    o->kind = (enum ledger_kind)any(any(50) == 0 ? 9 : 2);
    o->from = any(ACCOUNTS + 2);
    o->to = any(ACCOUNTS + 2);
    o->amount = amount();
    o->user_data = any(2);
    o->linked = any(6) == 0;
    uint64_t first = any(IDS);
    for (uint64_t k = 0; k < IDS && any(3); k++) {
        const struct model_order *pending = &model.orders[(first + k) % IDS];
        if (!pending->accepted || pending->order.kind != LEDGER_PENDING || (pending->ended && any(8)))
            continue;
        o->kind = any(2) ? LEDGER_POSTED : LEDGER_VOIDED;
        o->from = any(2) ? 0 : pending->order.from + (any(9) == 0);
        o->to = any(2) ? 0 : pending->order.to;
        o->amount = o->kind == LEDGER_VOIDED || any(2) ? 0
                    : any(3)                           ? 1 + any((uint32_t)(pending->order.amount & 255) + 1)
                                                       : amount();
        o->pending_low = (first + k) % IDS;
        break;
    }
}

/* ---- comparison ---- */

static void compare_state(const struct lg_book *b)
{
    struct lg_failure f = {0};

    for (uint64_t i = 1; i <= ACCOUNTS; i++) {
        const struct lg_account *a = lg_state_account(&b->state, i);
        const struct model_account *m = &model.accounts[i];
        CHECK(!a == !m->there);
        if (a && m->there)
            CHECK(a->balance == m->balance && a->outgoing == m->outgoing && a->incoming == m->incoming &&
                  a->closed == m->closed && a->overdraft == m->overdraft && a->limit == m->limit);
    }
    CHECK(lg_state_verify(&b->state, &f) == CELL_OK);
    if (f.status)
        printf("%s\n", f.text);
}

/* What another ledger makes of the same records. */
static void compare_replayed(const struct lg_book *b)
{
    struct lg_book again;
    struct lg_failure f = {0};

    CHECK(lg_book_init(&again, secret, read_record, NULL));
    for (uint64_t i = 0; i < appended; i++)
        CHECK(lg_book_replay(&again, &journal[i], &f) >= 0);
    compare_state(&again);
    CHECK(again.ids.count == b->ids.count && again.state.sequence == b->state.sequence &&
          again.state.holds.count == b->state.holds.count && again.state.transfers == b->state.transfers);
    lg_book_free(&again);
}

/* What was decided is appended, at least the beginning of it: the rest is taken back, as when the disk is full. */
static bool append(struct lg_book *b)
{
    uint32_t n = any(12) ? b->n : any(b->n + 1);

    while (n > 0 && n < b->n && b->entries[n - 1].linked)
        n--;
    bool all = n == b->n;
    memcpy(&journal[appended], b->entries, n * sizeof(b->entries[0]));
    appended += n;
    lg_book_written(b, n);
    lg_book_undo(b);
    return all;
}

static void run_accounts(struct lg_book *b)
{
    struct ledger_new_account a = {.id = any(ACCOUNTS + 1),
                                   .currency = any(20) ? 978 + any(2) : 0,
                                   .overdraft = any(3)   ? any(500)
                                                : any(2) ? INT64_MAX
                                                         : -1,
                                   .limit = any(3)   ? 0
                                            : any(2) ? any(2000)
                                                     : INT64_MAX};
    struct lg_failure f;
    bool change = any(2), close = any(8) == 0, known = a.id && model.accounts[a.id].there;
    struct model_account *m = &model.accounts[a.id];

    if (known && any(4))
        a.currency = m->currency;
    CHECK(lg_book_begin(b, 1, &f) == CELL_OK);
    if (close)
        lg_book_close(b, &a.id, 1, (int64_t)appended);
    else
        lg_book_accounts(b, &a, 1, change, (int64_t)appended);
    bool accepted = b->nrefused == 0, good = a.id && a.currency && a.overdraft >= 0 && a.limit >= 0;
    if (close)
        CHECK(accepted == (known && !m->balance && !m->incoming && !m->outgoing));
    else if (!known)
        CHECK(accepted == (good && !change));
    else
        CHECK(accepted == (good && !m->closed && m->currency == a.currency &&
                           (change ? m->balance - m->outgoing >= -(__int128)a.overdraft &&
                                         m->balance + m->incoming <= (a.limit ? a.limit : INT64_MAX)
                                   : m->overdraft == a.overdraft && m->limit == a.limit)));
    bool new_one = accepted && !close && !known;
    if (!append(b) || !accepted)
        return;
    if (close) {
        m->closed = true;
    } else {
        m->overdraft = a.overdraft;
        m->limit = a.limit;
    }
    if (new_one) {
        m->there = true;
        m->currency = a.currency;
    }
}

static void run_orders(struct lg_book *b)
{
    struct ledger_order orders[40];
    bool refused[40] = {false};
    uint32_t n = 1 + any(any(4) ? 4 : 40);
    struct lg_failure f;
    struct model before = model;

    for (uint32_t i = 0; i < n; i++)
        random_order(&orders[i]);
    if (any(20) == 0)
        memcpy(&orders[n - 1], &orders[0], sizeof(orders[0]));
    CHECK(lg_book_begin(b, n, &f) == CELL_OK);
    CHECK(lg_book_orders(b, orders, n, (int64_t)appended, &f) == CELL_OK);
    for (uint32_t i = 0; i < b->nrefused; i++) {
        CHECK(b->refused[i].index < n && !refused[b->refused[i].index] && b->refused[i].reason != LEDGER_ACCEPTED);
        refused[b->refused[i].index] = true;
    }
    for (uint32_t i = 0, end; i < n; i = end) {
        for (end = i; end < n && orders[end].linked; end++)
            continue;
        bool open = end == n, accepted = !open && model_chain(orders + i, ++end - i);
        for (uint32_t k = i; k < end; k++) {
            if (refused[k] != !accepted)
                printf("order %u of %u (chain from %u to %u): %s; kind %d id %d from %d to %d amount %lld pending %d\n",
                       k, n, i, end, refused[k] ? "refused" : "accepted", (int)orders[k].kind, (int)orders[k].id_low,
                       (int)orders[k].from, (int)orders[k].to, (long long)orders[k].amount, (int)orders[k].pending_low);
            CHECK(refused[k] == !accepted);
        }
    }
    if (append(b))
        return;
    /* The model does it again, as far as it was appended. */
    model = before;
    for (uint32_t i = 0, end; i < n; i = end) {
        for (end = i; end < n && orders[end].linked; end++)
            continue;
        struct model one = model;
        if (end++ < n)
            model_chain(orders + i, end - i);
        if (model.records > before.records + b->done)
            model = one;
    }
}

TEST(random_calls_are_decided_as_by_a_simple_model_and_replay_to_the_same)
{
    const char *rounds_text = getenv("CELL_TEST_ROUNDS");
    uint32_t rounds = rounds_text ? (uint32_t)atoi(rounds_text) : 4000;
    struct lg_book book;

    journal = calloc(MOST_RECORDS, sizeof(*journal));
    REQUIRE(journal && lg_book_init(&book, secret, read_record, NULL));
    memset(&model, 0, sizeof(model));
    appended = 0;
    for (uint32_t i = 0; i < rounds && appended < MOST_RECORDS - 100 && !test_failures; i++) {
        if (any(10) == 0 || i < 20)
            run_accounts(&book);
        else
            run_orders(&book);
        compare_state(&book);
    }
    compare_replayed(&book);
    CHECK(appended > 500 && book.state.holds.count > 5);
    printf("%" PRIu64 " records, %" PRIu64 " pending\n", appended, book.state.holds.count);
    lg_book_free(&book);
    free(journal);
}
